//! Calls that only `winprobe` makes alone; the backend has its own around the same requests.
//!
//! They are here because they are `unsafe` inside. Nothing here judges an answer.

use std::ffi::{CStr, c_char, c_void};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use std::path::Path;

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW;

use super::handle::{self, Parts};
use super::list::{self, Entries, Form};
use super::nt;
use super::window::WindowsWindow;
use crate::{FileId, Metadata, Window};

pub use super::file::LOCK_OFFSET;

/// Which Windows this is, or which Wine.
pub fn system() -> String {
    // SAFETY: ntdll is part of every process and never unloaded; where it has this function, which only Wine's has,
    // the function takes nothing and returns a string that lasts.
    #[allow(unsafe_code)]
    let wine = unsafe {
        let ntdll = GetModuleHandleW(windows_sys::w!("ntdll.dll"));
        let asked =
            if ntdll.is_null() { None } else { GetProcAddress(ntdll, windows_sys::s!("wine_get_version")) };
        asked.map(|asked| {
            let asked: unsafe extern "C" fn() -> *const c_char = std::mem::transmute(asked);
            CStr::from_ptr(asked()).to_string_lossy().into_owned()
        })
    };
    if let Some(wine) = wine {
        return format!("Wine {wine}");
    }
    let mut version =
        OSVERSIONINFOW { dwOSVersionInfoSize: size_of::<OSVERSIONINFOW>() as u32, ..Default::default() };
    // SAFETY: the structure is writable and says its size.
    #[allow(unsafe_code)]
    let status = unsafe { windows_sys::Wdk::System::SystemServices::RtlGetVersion(&raw mut version) };
    if status < 0 {
        return "Windows".to_owned();
    }
    format!("Windows {}.{}.{}", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber)
}

/// Locks a part of a file for the handle.
pub fn lock(file: BorrowedHandle<'_>, offset: u64, bytes: u32) -> io::Result<()> {
    let mut place = windows_sys::Win32::System::IO::OVERLAPPED::default();
    place.Anonymous.Anonymous.Offset = offset as u32;
    place.Anonymous.Anonymous.OffsetHigh = (offset >> 32) as u32;
    let flags = fs::LOCKFILE_EXCLUSIVE_LOCK | fs::LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the handle is synchronous, so the call ends before the offset goes.
    #[allow(unsafe_code)]
    nt::succeed(unsafe { fs::LockFileEx(file.as_raw_handle(), flags, 0, bytes, 0, &raw mut place) })
}

/// A range of an open file, mapped.
pub fn map(file: BorrowedHandle<'_>, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>> {
    Ok(Box::new(WindowsWindow::new(file, offset, bytes)?))
}

/// What the first answer to a listing tells of an entry, by the form with the most in it; as if on volume `volume`, which
/// a listing does not tell.
pub fn listed(folder: BorrowedHandle<'_>, name: &[u16], volume: u64) -> io::Result<Option<Metadata>> {
    let mut buffer = vec![0_u64; 8192];
    let folder = handle::reopen(folder, fs::FILE_LIST_DIRECTORY)?;
    nt::list_into(folder.as_handle(), fs::FileIdExtdDirectoryRestartInfo, &mut buffer)?;
    let mut entries = Entries { bytes: list::bytes_of(&buffer), form: Form::IdExtd, next: Some(0) };
    while let Some(entry) = entries.next_entry()? {
        if let Some(parts) = entry.parts.filter(|_| entry.name == name) {
            let id = FileId { volume, ..parts.id };
            return Ok(Some(handle::from_parts(&Parts { id, ..parts })));
        }
    }
    Ok(None)
}

/// One call of the progress routine of [`copy`].
#[derive(Debug, Clone, Copy)]
pub struct CopyStep<'a> {
    /// Bytes of the stream that are copied.
    pub bytes: i64,
    /// The number of the stream; the content is the first.
    pub stream: u32,
    /// Why it is called.
    pub why: u32,
    /// The source.
    pub from: BorrowedHandle<'a>,
    /// The new file.
    pub to: BorrowedHandle<'a>,
}

type OnStep<'a> = &'a mut dyn FnMut(&CopyStep<'_>) -> u32;

#[allow(unsafe_code)]
unsafe extern "system" fn routine(
    _total: i64,
    _total_done: i64,
    _stream_total: i64,
    bytes: i64,
    stream: u32,
    why: u32,
    from: f::HANDLE,
    to: f::HANDLE,
    data: *const c_void,
) -> u32 {
    // SAFETY: `data` is what `copy` passed, which outlives the call and is used by nothing else meanwhile; the system
    // runs the routine one call at a time, with handles that are open until it returns.
    let (on_step, step) = unsafe {
        let on_step = &mut *data.cast_mut().cast::<OnStep<'_>>();
        let (from, to) = (BorrowedHandle::borrow_raw(from), BorrowedHandle::borrow_raw(to));
        (on_step, CopyStep { bytes, stream, why, from, to })
    };
    on_step(&step)
}

/// `CopyFileExW` with its flags, and what `on_step` answers to its progress (`PROGRESS_CONTINUE` and its like).
pub fn copy(
    from: &Path,
    to: &Path,
    flags: u32,
    mut on_step: &mut dyn FnMut(&CopyStep<'_>) -> u32,
) -> io::Result<()> {
    let nul = |path: &Path| path.as_os_str().encode_wide().chain([0]).collect::<Vec<u16>>();
    let (from, to) = (nul(from), nul(to));
    // SAFETY: both paths end in NUL and live until the call returns, and so does `on_step`, which only the routine
    // uses meanwhile. A panic in it cannot get out: it ends the process at the routine's boundary.
    #[allow(unsafe_code)]
    nt::succeed(unsafe {
        fs::CopyFileExW(
            from.as_ptr(),
            to.as_ptr(),
            Some(routine),
            (&raw mut on_step).cast(),
            std::ptr::null_mut(),
            flags,
        )
    })
}
