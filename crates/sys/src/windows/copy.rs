//! The system's own copy, `CopyFileExW`, into a new name of an open folder.
//!
//! It takes paths, and a path may lead elsewhere by the time it is used. So the paths are made from the open handles,
//! and both ends are checked by identity: when the system first reports progress it hands over the handles it opened,
//! before a byte is copied; and once more afterwards, for a system that reports nothing. Where a path does not lead
//! to what is open here, or cannot be used at all, the answer is [`Copied::NotByPath`], and the caller copies through
//! the handles.
//!
//! What is documented and relied on: with `COPY_FILE_FAIL_IF_EXISTS` a taken name is never touched; the routine is
//! called after each piece and may cancel, upon which the call fails with `ERROR_REQUEST_ABORTED` and the new file is
//! deleted (<https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-copyfileexw>,
//! <https://learn.microsoft.com/windows/win32/api/winbase/nc-winbase-lpprogress_routine>). Nothing is promised about
//! flushing, so the caller syncs.
//!
//! Not used: `COPY_FILE_RESTARTABLE` (it writes where it stands again and again, and what was not finished is never
//! resumed here), and `ReplaceFileW`'s relatives.
//!
//! This module must not know what a staged file is; it makes one file, hidden and writable, and gives it back open.

use std::any::Any;
use std::ffi::c_void;
use std::io;
use std::ops::ControlFlow;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use windows_sys::Wdk::Storage::FileSystem as class;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;

use super::name::wide;
use super::nt::{self, Open};
use super::{handle, path};
use crate::{Attributes, CopyOptions, FileId, Kind, Name, Tick};

/// From this size on the system's cache is bypassed, if the caller wants writing paced at all: nothing else keeps the
/// system from collecting gigabytes that the final sync then waits for, unseen by any cancel. Recommended by the
/// documentation for very large files; for smaller ones the cache is faster.
const UNBUFFERED_FROM: u64 = 256 << 20;

/// What came of it.
#[derive(Debug)]
pub(super) enum Copied {
    /// The new file, open to read, write and delete, and its size.
    Whole(OwnedHandle, u64),
    /// The tick asked to stop. The name is free again, unless the system left a part: then it is open here.
    Stopped(Option<OwnedHandle>, u64),
    /// Nothing was made. The paths cannot be used, or this would not be a copy of its own; the handles still can.
    NotByPath,
}

/// Copies the file open as `source` to a new name.
pub(super) fn copy(
    folder: BorrowedHandle<'_>,
    name: &Name,
    source: BorrowedHandle<'_>,
    options: CopyOptions,
    tick: Tick<'_>,
) -> io::Result<Copied> {
    if !copies_for_real(folder, source)? {
        return Ok(Copied::NotByPath);
    }
    let (Ok(from), Ok(to)) = (path::final_path(source), path::below(folder, name)) else {
        return Ok(Copied::NotByPath);
    };
    let mut progress =
        Progress { tick, folder, name, source: handle::identity(source)?, begun: None, bytes: 0, end: None };
    let mut flags = fs::COPY_FILE_FAIL_IF_EXISTS;
    if options.writeback_window > 0 && options.size >= UNBUFFERED_FROM {
        flags |= fs::COPY_FILE_NO_BUFFERING;
    }
    let result = call(&from, &to, &mut progress, flags);
    let Progress { begun, bytes, end, source, .. } = progress;
    match end {
        Some(End::Panic(payload)) => resume_unwind(payload),
        // Whatever the call answers: it was told to delete what it made.
        Some(End::Astray) => Ok(Copied::NotByPath),
        Some(End::Stop) => Ok(Copied::Stopped(left_behind(folder, name, begun), bytes)),
        None => match result {
            Ok(()) => finish(folder, name, &from, source, begun),
            Err(e) => failed(folder, name, begun, e),
        },
    }
}

/// Whether the system would write the bytes anew. Since Windows 11 24H2 it may share blocks instead when both files
/// are on one ReFS volume (<https://learn.microsoft.com/windows-server/storage/refs/block-cloning>), which would leave
/// one copy of the bytes; and of an encrypted file it would make an encrypted one, which no other way does.
fn copies_for_real(folder: BorrowedHandle<'_>, source: BorrowedHandle<'_>) -> io::Result<bool> {
    let (attributes, _) = handle::attributes(source)?;
    if attributes & fs::FILE_ATTRIBUTE_ENCRYPTED != 0 {
        return Ok(false);
    }
    let one_volume = handle::identity(folder)?.volume == handle::identity(source)?.volume;
    Ok(!(one_volume && shares_blocks(folder)))
}

/// Whether the volume can have two files share blocks.
fn shares_blocks(folder: BorrowedHandle<'_>) -> bool {
    use windows_sys::Win32::System::SystemServices::FILE_SUPPORTS_BLOCK_REFCOUNTING;
    // Flags, longest name and the name's length, then the name, of which nothing is needed here.
    let mut answer = [0_u64; 80];
    let asked = nt::query_volume(folder, class::FileFsAttributeInformation, &mut answer);
    asked.is_ok() && answer[0] as u32 & FILE_SUPPORTS_BLOCK_REFCOUNTING != 0
}

/// Why the routine cancelled.
enum End {
    /// The tick said so.
    Stop,
    /// A path did not lead to what is open here.
    Astray,
    /// The tick panicked; this goes on once the system's frames are left.
    Panic(Box<dyn Any + Send>),
}

/// What the routine works on while the call lasts.
struct Progress<'a, 't> {
    tick: Tick<'t>,
    folder: BorrowedHandle<'a>,
    name: &'a Name,
    source: FileId,
    /// The new file, once the system has handed it over and it was found where it should be.
    begun: Option<FileId>,
    /// Bytes of the content copied so far.
    bytes: u64,
    end: Option<End>,
}

impl Progress<'_, '_> {
    /// Looks at both handles the system opened. The new file is hidden right away; that it is not is no reason to
    /// stop, and it is done again at the end.
    fn check(&mut self, from: BorrowedHandle<'_>, to: BorrowedHandle<'_>) -> io::Result<bool> {
        if self.begun.is_some() {
            return Ok(true);
        }
        let made = handle::identity(to)?;
        let there = nt::open_at(self.folder, &wide(self.name), Open::existing(fs::FILE_READ_ATTRIBUTES))?;
        if handle::identity(from)? != self.source || handle::identity(there.as_handle())? != made {
            return Ok(false);
        }
        let _ = hide(to);
        self.begun = Some(made);
        Ok(true)
    }

    /// What the routine answers.
    fn step(&mut self, from: BorrowedHandle<'_>, to: BorrowedHandle<'_>, bytes: u64) -> u32 {
        if self.end.is_some() {
            return fs::PROGRESS_CANCEL;
        }
        // An end that cannot be asked cannot be trusted either.
        if !self.check(from, to).unwrap_or(false) {
            self.end = Some(End::Astray);
            return fs::PROGRESS_CANCEL;
        }
        self.bytes = self.bytes.max(bytes);
        match catch_unwind(AssertUnwindSafe(|| (self.tick)(self.bytes))) {
            Ok(ControlFlow::Continue(())) => fs::PROGRESS_CONTINUE,
            Ok(ControlFlow::Break(())) => {
                self.end = Some(End::Stop);
                fs::PROGRESS_CANCEL
            }
            Err(payload) => {
                self.end = Some(End::Panic(payload));
                fs::PROGRESS_CANCEL
            }
        }
    }
}

/// The number of the stream that holds the content; named streams come after it.
const CONTENT: u32 = 1;

#[allow(unsafe_code)]
unsafe extern "system" fn on_progress(
    _total: i64,
    _total_done: i64,
    _stream_total: i64,
    stream_done: i64,
    stream: u32,
    _why: u32,
    from: f::HANDLE,
    to: f::HANDLE,
    data: *const c_void,
) -> u32 {
    // SAFETY: `data` is what `call` passed, a `Progress` that outlives the call and that nothing else touches while
    // the call lasts; the system runs the routine one call at a time. Both handles are open until it returns.
    let (progress, from, to) = unsafe {
        (
            &mut *data.cast_mut().cast::<Progress<'_, '_>>(),
            BorrowedHandle::borrow_raw(from),
            BorrowedHandle::borrow_raw(to),
        )
    };
    // What named streams hold does not count as content.
    let bytes = if stream <= CONTENT { stream_done.max(0) as u64 } else { progress.bytes };
    progress.step(from, to, bytes)
}

fn call(from: &[u16], to: &[u16], progress: &mut Progress<'_, '_>, flags: u32) -> io::Result<()> {
    let nul = |path: &[u16]| -> Vec<u16> { path.iter().copied().chain([0]).collect() };
    let (from, to) = (nul(from), nul(to));
    // SAFETY: both paths end in NUL and live until the call returns, and so does `progress`, which is reached through
    // this pointer alone meanwhile. The routine lets no panic out.
    #[allow(unsafe_code)]
    nt::succeed(unsafe {
        fs::CopyFileExW(
            from.as_ptr(),
            to.as_ptr(),
            Some(on_progress),
            std::ptr::from_mut(progress).cast(),
            std::ptr::null_mut(),
            flags,
        )
    })
}

/// Hides the new file and takes off the read-only attribute that it got from its source.
fn hide(file: BorrowedHandle<'_>) -> io::Result<()> {
    handle::set_attributes(file, Attributes(fs::FILE_ATTRIBUTE_HIDDEN))
}

/// Opens the new file for the caller.
fn open_new(folder: BorrowedHandle<'_>, name: &Name, made: Option<FileId>) -> io::Result<OwnedHandle> {
    // First with no more than the mark needs, which would stop everything else.
    let access = fs::FILE_READ_ATTRIBUTES | fs::FILE_WRITE_ATTRIBUTES;
    let looked =
        nt::open_at(folder, &wide(name), Open::existing(access).with(class::FILE_NON_DIRECTORY_FILE))?;
    let id = handle::identity(looked.as_handle())?;
    if made.is_some_and(|made| made != id) || handle::kind(looked.as_handle())? != Kind::File {
        return Err(io::ErrorKind::NotFound.into());
    }
    hide(looked.as_handle())?;
    let access = fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE | fs::DELETE;
    let how = Open::existing(access)
        .share(fs::FILE_SHARE_READ | fs::FILE_SHARE_DELETE)
        .with(class::FILE_NON_DIRECTORY_FILE);
    let opened = nt::open_at(folder, &wide(name), how)?;
    if handle::identity(opened.as_handle())? != id {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(opened)
}

fn finish(
    folder: BorrowedHandle<'_>,
    name: &Name,
    from: &[u16],
    source: FileId,
    begun: Option<FileId>,
) -> io::Result<Copied> {
    if begun.is_none() && path::identity(from)? != source {
        // Only where no progress is reported. The name holds a copy of something else, which the caller removes.
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = open_new(folder, name, begun)?;
    let bytes = nt::query::<nt::StandardInfo>(file.as_handle())?.size.max(0) as u64;
    Ok(Copied::Whole(file, bytes))
}

/// A part that the system did not remove, although it was told to.
fn left_behind(folder: BorrowedHandle<'_>, name: &Name, begun: Option<FileId>) -> Option<OwnedHandle> {
    begun.and_then(|made| open_new(folder, name, Some(made)).ok())
}

/// What an error of the call means to the caller.
fn failed(
    folder: BorrowedHandle<'_>,
    name: &Name,
    begun: Option<FileId>,
    error: io::Error,
) -> io::Result<Copied> {
    let code = error.raw_os_error().unwrap_or_default() as u32;
    if begun.is_some() {
        return Err(error);
    }
    match code {
        // The paths were of no use; nothing was made by them. Or the system would not open the source as shared as it
        // is open here, because another program writes to it: every other way reads it nevertheless, and whether it
        // changes meanwhile is looked at afterwards.
        f::ERROR_SHARING_VIOLATION
        | f::ERROR_FILE_NOT_FOUND
        | f::ERROR_PATH_NOT_FOUND
        | f::ERROR_INVALID_NAME
        | f::ERROR_BAD_PATHNAME
        | f::ERROR_FILENAME_EXCED_RANGE => Ok(Copied::NotByPath),
        // Also said of a name that a folder has taken.
        f::ERROR_ACCESS_DENIED if is_folder(folder, name) => Err(io::ErrorKind::AlreadyExists.into()),
        _ => Err(error),
    }
}

fn is_folder(folder: BorrowedHandle<'_>, name: &Name) -> bool {
    nt::open_at(folder, &wide(name), Open::existing(fs::FILE_READ_ATTRIBUTES))
        .is_ok_and(|there| handle::kind(there.as_handle()).is_ok_and(|kind| kind == Kind::Folder))
}
