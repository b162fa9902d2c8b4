//! Names change hands: renames, hard links, removals.
//!
//! Each has a ladder, from what Windows 10 does on NTFS down to what every file system can do; a rung is left only
//! when the file system says that it does not know the request. `ReplaceFileW` is not on it: it gives the new file the
//! old one's created time and attributes, and its errors 1176 and 1177 leave files under other names.
//!
//! Invariant: the item is opened first, and what is renamed or removed is that item, even if its name leads elsewhere
//! by then. A rename that must not replace is refused by the file system itself, never by looking first.

use std::io;
use std::mem::offset_of;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};

use windows_sys::Wdk::Storage::FileSystem as nt;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;

use super::name::wide;
use super::nt::{self as call, Open, Status};
use super::{handle, path};
use crate::{Kind, Name, Rename};

/// Opens an item to rename or remove it.
fn open(folder: BorrowedHandle<'_>, name: &Name) -> io::Result<OwnedHandle> {
    let access = fs::DELETE | fs::FILE_READ_ATTRIBUTES;
    Ok(call::open_at(folder, &wide(name), Open::existing(access))?)
}

/// Whether an item can be opened in the way that it must be to rename or remove it.
pub(super) fn may_move(folder: BorrowedHandle<'_>, name: &Name) -> io::Result<()> {
    open(folder, name).map(drop)
}

/// Renames an item into another folder.
pub(super) fn rename(
    folder: BorrowedHandle<'_>,
    from: &Name,
    to_folder: BorrowedHandle<'_>,
    to: &Name,
    how: Rename,
) -> io::Result<()> {
    if how == Rename::Exchange {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let item = open(folder, from)?;
    let item = item.as_handle();
    let created = call::query::<fs::FILE_BASIC_INFO>(item)?.CreationTime;
    let replace = how == Rename::Replace;
    rename_item(item, folder, from, to_folder, to, replace)?;
    keep_created(item, created);
    Ok(())
}

/// Gives a renamed item the created time back that it had before.
///
/// An item that gets a name within 15 seconds of another one's losing it gets that one's created time with it
/// ("tunneling", <https://learn.microsoft.com/windows/win32/sysinfo/file-times>). That is meant for programs that save
/// by writing a new file; a copy would show its predecessor's date, and an original that comes back its successor's.
/// The rename stands whatever becomes of this: who needs the time reads it back.
fn keep_created(item: BorrowedHandle<'_>, created: i64) {
    let now = call::query::<fs::FILE_BASIC_INFO>(item).map(|info| info.CreationTime);
    if created != 0 && now.is_ok_and(|now| now != created) {
        let _ = handle::set_ticks(item, created, 0);
    }
}

fn rename_item(
    item: BorrowedHandle<'_>,
    folder: BorrowedHandle<'_>,
    from: &Name,
    to_folder: BorrowedHandle<'_>,
    to: &Name,
    replace: bool,
) -> io::Result<()> {
    match rename_open(item, to_folder, to, replace) {
        Err(status) if status.is_unsupported() && replace => move_by_path(item, folder, from, to_folder, to),
        // The mark keeps programs from writing into a file; that a replaced one goes is the caller's decision.
        Err(status) if status.0 == f::STATUS_ACCESS_DENIED && replace => {
            without_mark(to_folder, to, status, || rename_open(item, to_folder, to, replace))
        }
        Err(status) if status.is_unsupported() => Err(io::ErrorKind::Unsupported.into()),
        other => Ok(other?),
    }
}

/// The rungs that go by handle.
fn rename_open(
    item: BorrowedHandle<'_>,
    to_folder: BorrowedHandle<'_>,
    to: &Name,
    replace: bool,
) -> Result<(), Status> {
    let (in_place, name) = (Some(to_folder), wide(to));
    // Replaces also what is open elsewhere, if it was opened shared; whoever has it open keeps it.
    let posix = nt::FILE_RENAME_POSIX_SEMANTICS;
    let over = posix | nt::FILE_RENAME_REPLACE_IF_EXISTS;
    let tries: &[u32] =
        if replace { &[over | nt::FILE_RENAME_IGNORE_READONLY_ATTRIBUTE, over] } else { &[posix] };
    for &flags in tries {
        match place(item, nt::FileRenameInformationEx, flags, in_place, &name) {
            // Unknown to this version of Windows (the mark since 1809, the rest since 1607) or this file system.
            Err(status) if status.is_unsupported() => {}
            other => return other,
        }
    }
    match place(item, nt::FileRenameInformation, replace.into(), in_place, &name) {
        Err(status) if status.is_unsupported() => {}
        other => return other,
    }
    // Servers take no open folder in this request, only a whole path ([MS-FSCC] 2.4.42).
    let Ok(whole) = native_path(to_folder, to) else { return Err(Status(f::STATUS_NOT_SUPPORTED)) };
    place(item, nt::FileRenameInformation, replace.into(), None, &whole)
}

/// The path of a name in an open folder, as native calls spell it: `\??\C:\…` for `\\?\C:\…`.
pub fn native_path(folder: BorrowedHandle<'_>, name: &Name) -> io::Result<Vec<u16>> {
    let mut whole = path::below(folder, name)?;
    if let Some(second) = whole.get_mut(1) {
        *second = u16::from(b'?');
    }
    Ok(whole)
}

/// Gives an open item a name: renames it, or, with a link class, gives it a further one.
pub fn place(
    item: BorrowedHandle<'_>,
    class: i32,
    flags: u32,
    folder: Option<BorrowedHandle<'_>>,
    name: &[u16],
) -> Result<(), Status> {
    // Renames and links have one layout, and the flags of the newer classes lie where the older ones have their one
    // truth value.
    type Layout = nt::FILE_RENAME_INFORMATION;
    let text = offset_of!(Layout, FileName);
    let bytes = (text + name.len() * 2).max(size_of::<Layout>());
    let mut data = vec![0_u8; bytes];
    let mut put = |at: usize, value: &[u8]| data[at..at + value.len()].copy_from_slice(value);
    put(0, &flags.to_ne_bytes());
    let folder = folder.map_or(0, |folder| folder.as_raw_handle().addr());
    put(offset_of!(Layout, RootDirectory), &folder.to_ne_bytes());
    put(offset_of!(Layout, FileNameLength), &(name.len() as u32 * 2).to_ne_bytes());
    for (i, unit) in name.iter().enumerate() {
        put(text + i * 2, &unit.to_ne_bytes());
    }
    data.resize(bytes.next_multiple_of(8), 0);
    let words: Vec<u64> =
        data.chunks_exact(8).map(|w| u64::from_ne_bytes(w.try_into().unwrap_or_default())).collect();
    call::set_native(item, class, &words, bytes)
}

/// The last rung, for replacing only: the system's own function, by paths whose ends are checked.
fn move_by_path(
    item: BorrowedHandle<'_>,
    folder: BorrowedHandle<'_>,
    from: &Name,
    to_folder: BorrowedHandle<'_>,
    to: &Name,
) -> io::Result<()> {
    let id = handle::identity(item)?;
    let nul = |mut path: Vec<u16>| {
        path.push(0);
        path
    };
    let (from_path, to_path) = (nul(path::below(folder, from)?), nul(path::below(to_folder, to)?));
    if by_path_identity(&from_path)? != id {
        return Err(io::ErrorKind::NotFound.into());
    }
    let flags = fs::MOVEFILE_REPLACE_EXISTING | fs::MOVEFILE_WRITE_THROUGH;
    // SAFETY: both strings end in NUL and live until the call returns.
    #[allow(unsafe_code)]
    call::succeed(unsafe { fs::MoveFileExW(from_path.as_ptr(), to_path.as_ptr(), flags) })?;
    let there = call::open_at(to_folder, &wide(to), Open::existing(fs::FILE_READ_ATTRIBUTES))?;
    if handle::identity(there.as_handle())?.may_be_after_rename(id) {
        Ok(())
    } else {
        // Some other folder has taken the path of ours in this very moment.
        Err(io::ErrorKind::NotFound.into())
    }
}

fn by_path_identity(path: &[u16]) -> io::Result<crate::FileId> {
    use std::os::windows::ffi::OsStringExt;
    let units = path.strip_suffix(&[0]).unwrap_or(path);
    let path = std::path::PathBuf::from(std::ffi::OsString::from_wide(units));
    handle::identity(path::open(&path, fs::FILE_READ_ATTRIBUTES)?.as_handle())
}

/// Tries again with the read-only attribute taken off what is at the name, if there is one; put back if that fails
/// too. `refused` is the answer of the first try.
fn without_mark(
    folder: BorrowedHandle<'_>,
    name: &Name,
    refused: Status,
    again: impl FnOnce() -> Result<(), Status>,
) -> io::Result<()> {
    let marked = clear_mark(folder, name);
    let Ok(Some(attributes)) = marked else { return Err(refused.into()) };
    match again() {
        Ok(()) => Ok(()),
        Err(status) => {
            restore_mark(folder, name, attributes)?;
            Err(status.into())
        }
    }
}

/// Takes the read-only attribute off the item at a name. Returns the attributes it had, or `None` if it was not marked.
fn clear_mark(folder: BorrowedHandle<'_>, name: &Name) -> io::Result<Option<u32>> {
    let access = fs::FILE_READ_ATTRIBUTES | fs::FILE_WRITE_ATTRIBUTES;
    let item = call::open_at(folder, &wide(name), Open::existing(access))?;
    let (attributes, _) = handle::attributes(item.as_handle())?;
    if attributes & fs::FILE_ATTRIBUTE_READONLY == 0 {
        return Ok(None);
    }
    handle::set_attributes(item.as_handle(), crate::Attributes(attributes & !fs::FILE_ATTRIBUTE_READONLY))?;
    Ok(Some(attributes))
}

fn restore_mark(folder: BorrowedHandle<'_>, name: &Name, attributes: u32) -> io::Result<()> {
    let item = call::open_at(folder, &wide(name), Open::existing(fs::FILE_WRITE_ATTRIBUTES))?;
    handle::set_attributes(item.as_handle(), crate::Attributes(attributes))
}

/// Gives a file a further name.
///
/// The file is opened with the right to remove it, although a link needs less: so a file that another program keeps
/// from being replaced shows here, before it has a second name that could not be removed again either.
pub(super) fn hard_link(
    folder: BorrowedHandle<'_>,
    from: &Name,
    to_folder: BorrowedHandle<'_>,
    to: &Name,
) -> io::Result<()> {
    let access = fs::DELETE | fs::FILE_READ_ATTRIBUTES | fs::FILE_WRITE_ATTRIBUTES;
    let linked = call::open_at(folder, &wide(from), Open::existing(access))
        .and_then(|item| link_open(item.as_handle(), to_folder, to));
    match linked {
        // A file that may not be linked may still be renamed; the caller's other way fails with the true reason. So
        // may one that has all the names a file can have.
        Err(status)
            if status.is_unsupported()
                || matches!(status.0, f::STATUS_ACCESS_DENIED | f::STATUS_TOO_MANY_LINKS) =>
        {
            Err(io::ErrorKind::Unsupported.into())
        }
        other => Ok(other?),
    }
}

fn link_open(item: BorrowedHandle<'_>, to_folder: BorrowedHandle<'_>, to: &Name) -> Result<(), Status> {
    match place(item, nt::FileLinkInformation, 0, Some(to_folder), &wide(to)) {
        Err(status) if status.is_unsupported() => {}
        other => return other,
    }
    let Ok(whole) = native_path(to_folder, to) else { return Err(Status(f::STATUS_NOT_SUPPORTED)) };
    place(item, nt::FileLinkInformation, 0, None, &whole)
}

/// Removes a file or link; a link to a folder too, and a junction, but never what they lead to.
pub(super) fn remove_file(folder: BorrowedHandle<'_>, name: &Name) -> io::Result<()> {
    let item = open(folder, name)?;
    if handle::kind(item.as_handle())? == Kind::Folder {
        return Err(io::Error::from_raw_os_error(f::ERROR_DIRECTORY_NOT_SUPPORTED as i32));
    }
    delete(item.as_handle())
}

/// Removes an empty folder.
pub(super) fn remove_dir(folder: BorrowedHandle<'_>, name: &Name) -> io::Result<()> {
    let item = open(folder, name)?;
    if handle::kind(item.as_handle())? != Kind::Folder {
        return Err(io::Error::from_raw_os_error(f::ERROR_DIRECTORY as i32));
    }
    delete(item.as_handle())
}

/// Removes an open item, read-only or not. The name is gone when the handle is closed; on file systems without the
/// newer request, when every handle to it is.
pub fn delete(item: BorrowedHandle<'_>) -> io::Result<()> {
    let posix = nt::FILE_DISPOSITION_DELETE | nt::FILE_DISPOSITION_POSIX_SEMANTICS;
    match dispose(item, posix | nt::FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE) {
        Err(status) if status.is_unsupported() => {}
        other => return Ok(other?),
    }
    // Without the newest flag (1809) the mark keeps the item from being removed.
    let (attributes, _) = handle::attributes(item)?;
    let marked = attributes & fs::FILE_ATTRIBUTE_READONLY != 0;
    if marked {
        handle::set_attributes(item, crate::Attributes(attributes & !fs::FILE_ATTRIBUTE_READONLY))?;
    }
    let disposed = match dispose(item, posix) {
        Err(status) if status.is_unsupported() => {
            // One truth value of one byte.
            call::set_native(item, nt::FileDispositionInformation, &[1], 1)
        }
        other => other,
    };
    if let Err(status) = disposed {
        if marked {
            handle::set_attributes(item, crate::Attributes(attributes))?;
        }
        return Err(status.into());
    }
    Ok(())
}

/// Removes an open item by the newer request with these flags.
pub fn dispose(item: BorrowedHandle<'_>, flags: u32) -> Result<(), Status> {
    call::set_native(item, nt::FileDispositionInformationEx, &[flags.into()], size_of::<u32>())
}
