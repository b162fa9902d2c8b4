//! Paths, for the few calls that take nothing else, and for the root that the user typed.
//!
//! Invariant: a path made here begins with `\\?\`, so the system takes it as it is: no limit of 260 characters, no
//! device names, no trailing dots or spaces dropped.

use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::{Component, Path, PathBuf, Prefix};

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;

use super::handle;
use super::name::wide;
use super::nt::SHARE_ALL;
use crate::{FileId, Name};

const BACKSLASH: u16 = b'\\' as u16;

/// Where an open file or folder is now, every link resolved: `\\?\C:\…`, `\\?\UNC\server\share\…`, or
/// `\\?\Volume{…}\…` for a volume without a letter. Without a NUL at the end.
pub fn final_path(handle: BorrowedHandle<'_>) -> io::Result<Vec<u16>> {
    let ask = |flags| final_path_as(handle, flags);
    ask(fs::VOLUME_NAME_DOS | fs::FILE_NAME_NORMALIZED).or_else(|e| {
        match e.raw_os_error().map(|e| e as u32) {
            Some(f::ERROR_PATH_NOT_FOUND) => ask(fs::VOLUME_NAME_GUID | fs::FILE_NAME_NORMALIZED),
            // A server may not let us look at the folders above, which the normalised form needs.
            Some(f::ERROR_ACCESS_DENIED) => ask(fs::VOLUME_NAME_DOS | fs::FILE_NAME_OPENED),
            _ => Err(e),
        }
    })
}

fn final_path_as(handle: BorrowedHandle<'_>, flags: u32) -> io::Result<Vec<u16>> {
    let mut path = vec![0; 512];
    loop {
        // SAFETY: the buffer is writable for the length given; the handle is borrowed, so open.
        #[allow(unsafe_code)]
        let n = unsafe {
            fs::GetFinalPathNameByHandleW(handle.as_raw_handle(), path.as_mut_ptr(), path.len() as u32, flags)
        } as usize;
        if n == 0 {
            return Err(io::Error::last_os_error());
        }
        if n < path.len() {
            path.truncate(n);
            return Ok(path);
        }
        // The item may be renamed to a longer path between two calls.
        path.resize(n + 1, 0);
    }
}

/// The path of a name in an open folder.
pub(super) fn below(folder: BorrowedHandle<'_>, name: &Name) -> io::Result<Vec<u16>> {
    let mut path = final_path(folder)?;
    if path.last() != Some(&BACKSLASH) {
        path.push(BACKSLASH);
    }
    path.extend(wide(name));
    Ok(path)
}

/// Where a path leads, every link resolved. A drive that the system's mount manager does not know (memory disks and
/// encrypted containers of other makers) has no path that could be asked back, nor has, in the form the standard
/// library asks for, a server's folder below ones that may not be looked at; then it is the path that was given, which
/// can be opened just as well.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let refused = match std::fs::canonicalize(path) {
        Ok(resolved) => return Ok(resolved),
        Err(e) => e,
    };
    match refused.raw_os_error().map(|code| code as u32) {
        Some(f::ERROR_INVALID_FUNCTION | f::ERROR_UNRECOGNIZED_VOLUME | f::ERROR_ACCESS_DENIED) => {}
        _ => return Err(refused),
    }
    let absolute = std::path::absolute(path)?;
    let Ok(opened) = open(&absolute, fs::FILE_READ_ATTRIBUTES) else { return Err(refused) };
    Ok(final_path(opened.as_handle())
        .map_or(absolute, |resolved| PathBuf::from(std::ffi::OsString::from_wide(&resolved))))
}

/// Opens what a path leads to, to ask about it or to open things in it.
pub fn open(path: &Path, access: u32) -> io::Result<OwnedHandle> {
    let path: Vec<u16> = verbatim(path).as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: the string ends in NUL and lives until the call returns. On success the system hands over a handle that
    // nothing else owns.
    #[allow(unsafe_code)]
    unsafe {
        let handle = fs::CreateFileW(
            path.as_ptr(),
            access,
            SHARE_ALL,
            std::ptr::null(),
            fs::OPEN_EXISTING,
            fs::FILE_FLAG_BACKUP_SEMANTICS,
            std::ptr::null_mut(),
        );
        if handle == f::INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(handle))
    }
}

/// Identity of what a path made here leads to.
pub(super) fn identity(path: &[u16]) -> io::Result<FileId> {
    let path = PathBuf::from(std::ffi::OsString::from_wide(path));
    handle::identity(open(&path, fs::FILE_READ_ATTRIBUTES)?.as_handle())
}

/// `C:\a` as `\\?\C:\a`; everything else as it is.
fn verbatim(path: &Path) -> PathBuf {
    let is_plain_drive =
        matches!(path.components().next(), Some(Component::Prefix(p)) if matches!(p.kind(), Prefix::Disk(_)));
    if is_plain_drive && path.has_root() {
        let mut long = std::ffi::OsString::from(r"\\?\");
        long.push(path);
        return long.into();
    }
    path.to_path_buf()
}

/// How a resolved root is shown and kept: `\\?\C:\a` as `C:\a`, where Windows reads both as the same folder; a
/// mapped drive by the letter that was typed, not by the server that it resolves to. `None` for a server's folder that
/// was not reached by a letter, however it was spelled (`\\?\GLOBALROOT\Device\Mup\…`).
pub(crate) fn shown_root(typed: &Path, resolved: PathBuf) -> io::Result<Option<PathBuf>> {
    let Some(Component::Prefix(prefix)) = resolved.components().next() else { return Ok(Some(resolved)) };
    match prefix.kind() {
        Prefix::VerbatimDisk(_) => {
            let units: Vec<u16> = resolved.as_os_str().encode_wide().collect();
            let plain = PathBuf::from(std::ffi::OsString::from_wide(&units[4..]));
            Ok(Some(if std::path::absolute(&plain)? == plain { plain } else { resolved }))
        }
        Prefix::VerbatimUNC(..) | Prefix::UNC(..) => {
            let typed = std::path::absolute(typed)?;
            Ok(has_letter(&typed).then_some(typed))
        }
        _ => Ok(Some(resolved)),
    }
}

fn has_letter(path: &Path) -> bool {
    let Some(Component::Prefix(prefix)) = path.components().next() else { return false };
    match prefix.kind() {
        Prefix::Disk(_) | Prefix::VerbatimDisk(_) => true,
        Prefix::DeviceNS(device) => {
            matches!(device.as_encoded_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_shown_as_they_are_typed_and_never_mean_another_folder() {
        let root =
            |typed: &str, resolved: &str| shown_root(Path::new(typed), PathBuf::from(resolved)).unwrap();
        let shown = |typed: &str, resolved: &str| root(typed, resolved).unwrap();
        assert_eq!(shown(r"C:\a", r"\\?\C:\a"), Path::new(r"C:\a"));
        assert_eq!(shown(r"C:\", r"\\?\C:\"), Path::new(r"C:\"));
        assert_eq!(shown(r"N:\a\..\b", r"\\?\UNC\server\share\b"), Path::new(r"N:\b"));
        assert_eq!(shown(r"\\.\N:\a", r"\\?\UNC\server\share\a"), Path::new(r"\\.\N:\a"));
        for spelling in [r"\\?\GLOBALROOT\Device\Mup\server\share", r"\\.\GLOBALROOT\??\UNC\server\share"] {
            assert_eq!(root(spelling, r"\\?\UNC\server\share"), None, "{spelling}");
        }
        // Without the prefix Windows would read another name.
        assert_eq!(shown(r"\\?\C:\a.", r"\\?\C:\a."), Path::new(r"\\?\C:\a."));
        assert_eq!(shown(r"\\?\C:\a.\b", r"\\?\C:\a.\b"), Path::new(r"\\?\C:\a.\b"));
        assert_eq!(shown("x", r"\\?\Volume{1}\a"), Path::new(r"\\?\Volume{1}\a"));
    }

    #[test]
    fn plain_drive_paths_are_taken_as_they_are() {
        assert_eq!(verbatim(Path::new(r"C:\a.")), Path::new(r"\\?\C:\a."));
        assert_eq!(verbatim(Path::new(r"\\?\C:\a")), Path::new(r"\\?\C:\a"));
        assert_eq!(verbatim(Path::new(r"C:a")), Path::new(r"C:a"));
    }
}
