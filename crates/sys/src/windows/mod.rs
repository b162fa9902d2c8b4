//! The Windows backend, for Windows 10 and later.
//!
//! Every operation is relative to an open folder and hands one name to the file system as it is. Nothing is followed:
//! links, junctions and mount points are opened as what they are and refused where a folder or file was expected.
//! What a file system lacks returns `Unsupported`, and the engine takes its other way.
//!
//! What is `pub` here is for whoever asks a Windows by the backend's own calls (the feature `probe`), and within this
//! crate otherwise.
//!
//! Wine is not Windows, but it is where most of this is tested. Where believing it would round evidence up, it is
//! asked for by name ([`nt::is_wine`]).

#![cfg_attr(not(feature = "probe"), allow(unreachable_pub))]

mod copy;
mod dir;
mod file;
pub mod handle;
mod holders;
mod list;
mod name;
#[cfg(feature = "probe")]
pub(crate) mod native;
pub mod nt;
pub mod path;
pub mod rename;
pub mod reparse;
pub mod stream;
pub mod volume;
mod window;

pub(crate) use holders::holders;
pub(crate) use nt::is_wine;

use std::io;
use std::os::windows::io::AsHandle;
use std::path::Path;
use std::sync::Arc;

use windows_sys::Win32::Storage::FileSystem as fs;

use crate::{DirRef, FileId};

/// Opens a folder by path; the only place in this backend that resolves one.
pub(crate) fn open_root(path: &Path) -> io::Result<DirRef> {
    let access = fs::FILE_LIST_DIRECTORY | fs::FILE_READ_ATTRIBUTES | fs::SYNCHRONIZE;
    Ok(Arc::new(dir::WindowsDir::root(path::open(path, access)?)?))
}

/// Identity of whatever the path leads to; `None` if it cannot be asked.
pub(crate) fn path_identity(path: &Path) -> Option<FileId> {
    let handle = path::open(path, fs::FILE_READ_ATTRIBUTES).ok()?;
    handle::identity(handle.as_handle()).ok()
}

/// The host's name.
pub(crate) fn host_name() -> String {
    use windows_sys::Win32::System::SystemInformation::{ComputerNameDnsHostname, GetComputerNameExW};
    // DNS allows 63 characters; a NetBIOS name is shorter.
    let mut name = [0_u16; 256];
    let mut length = name.len() as u32;
    // SAFETY: the buffer is writable for the length given.
    #[allow(unsafe_code)]
    let answer = unsafe { GetComputerNameExW(ComputerNameDnsHostname, name.as_mut_ptr(), &raw mut length) };
    if answer == 0 {
        return String::new();
    }
    String::from_utf16_lossy(&name[..(length as usize).min(name.len())])
}
