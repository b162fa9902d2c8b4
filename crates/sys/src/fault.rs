//! Maps the system's error codes to the reasons a user can act on. The code itself stays in the `io::Error`.

use std::io;

use serde::{Deserialize, Serialize};

/// Why the system refused, in the few classes that call for different words or actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OsReason {
    /// No item of that name.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The user may not do this.
    PermissionDenied,
    /// The volume is read-only.
    ReadOnlyVolume,
    /// No room.
    NoSpace,
    /// The user's quota is used up.
    QuotaExceeded,
    /// The file would be larger than the file system or a limit allows.
    FileTooLarge,
    /// The name or path is longer than the file system allows.
    NameTooLong,
    /// The name holds what this file system does not allow.
    InvalidName,
    /// Another program holds it.
    InUse,
    /// A folder was expected.
    NotAFolder,
    /// A file was expected.
    IsAFolder,
    /// The folder still holds something.
    FolderNotEmpty,
    /// A symbolic link stood where a file or folder was expected.
    IsALink,
    /// The server no longer knows the file.
    Stale,
    /// The network or server did not answer.
    Network,
    /// The device failed.
    DeviceError,
    /// Source and target of a rename lie on different volumes.
    OtherVolume,
    /// The file system cannot do this at all.
    Unsupported,
    /// A signal came in between; the call may be repeated.
    Interrupted,
    /// Out of memory or of open files.
    Exhausted,
    /// Anything else; the code tells.
    Other,
}

/// Classifies an I/O error.
pub fn reason(error: &io::Error) -> OsReason {
    use io::ErrorKind as K;
    if let Some(code) = error.raw_os_error()
        && let Some(known) = from_code(code)
    {
        return known;
    }
    match error.kind() {
        K::NotFound => OsReason::NotFound,
        K::AlreadyExists => OsReason::AlreadyExists,
        K::PermissionDenied => OsReason::PermissionDenied,
        K::ReadOnlyFilesystem => OsReason::ReadOnlyVolume,
        K::StorageFull => OsReason::NoSpace,
        K::QuotaExceeded => OsReason::QuotaExceeded,
        K::FileTooLarge => OsReason::FileTooLarge,
        K::InvalidFilename => OsReason::InvalidName,
        K::ResourceBusy | K::ExecutableFileBusy => OsReason::InUse,
        K::NotADirectory => OsReason::NotAFolder,
        K::IsADirectory => OsReason::IsAFolder,
        K::DirectoryNotEmpty => OsReason::FolderNotEmpty,
        K::StaleNetworkFileHandle => OsReason::Stale,
        K::TimedOut
        | K::ConnectionReset
        | K::ConnectionAborted
        | K::NotConnected
        | K::BrokenPipe
        | K::HostUnreachable
        | K::NetworkUnreachable
        | K::NetworkDown => OsReason::Network,
        K::CrossesDevices => OsReason::OtherVolume,
        K::Unsupported => OsReason::Unsupported,
        K::Interrupted => OsReason::Interrupted,
        K::OutOfMemory => OsReason::Exhausted,
        _ => OsReason::Other,
    }
}

#[cfg(unix)]
fn from_code(code: i32) -> Option<OsReason> {
    Some(match code {
        libc::ENOENT => OsReason::NotFound,
        libc::EEXIST => OsReason::AlreadyExists,
        libc::EACCES | libc::EPERM => OsReason::PermissionDenied,
        libc::EROFS => OsReason::ReadOnlyVolume,
        libc::ENOSPC => OsReason::NoSpace,
        libc::EDQUOT => OsReason::QuotaExceeded,
        libc::EFBIG => OsReason::FileTooLarge,
        libc::ENAMETOOLONG => OsReason::NameTooLong,
        libc::EILSEQ => OsReason::InvalidName,
        libc::EBUSY | libc::ETXTBSY | libc::EAGAIN => OsReason::InUse,
        libc::ENOTDIR => OsReason::NotAFolder,
        libc::EISDIR => OsReason::IsAFolder,
        libc::ENOTEMPTY => OsReason::FolderNotEmpty,
        libc::ELOOP => OsReason::IsALink,
        libc::ESTALE => OsReason::Stale,
        libc::ETIMEDOUT
        | libc::ENOTCONN
        | libc::ECONNRESET
        | libc::ECONNABORTED
        | libc::EHOSTDOWN
        | libc::EHOSTUNREACH
        | libc::ENETDOWN
        | libc::ENETUNREACH
        | libc::EPIPE => OsReason::Network,
        libc::EIO | libc::ENXIO | libc::ENODEV => OsReason::DeviceError,
        libc::EXDEV => OsReason::OtherVolume,
        libc::EOPNOTSUPP | libc::ENOSYS | libc::ENOTTY => OsReason::Unsupported,
        libc::EINTR => OsReason::Interrupted,
        libc::ENOMEM | libc::EMFILE | libc::ENFILE => OsReason::Exhausted,
        _ => return None,
    })
}

#[cfg(windows)]
fn from_code(code: i32) -> Option<OsReason> {
    // Win32 error codes, <https://learn.microsoft.com/windows/win32/debug/system-error-codes>.
    Some(match code {
        2 | 3 => OsReason::NotFound,
        80 | 183 => OsReason::AlreadyExists,
        5 => OsReason::PermissionDenied,
        19 => OsReason::ReadOnlyVolume,
        39 | 112 => OsReason::NoSpace,
        1295 | 1816 => OsReason::QuotaExceeded,
        223 => OsReason::FileTooLarge,
        111 | 206 => OsReason::NameTooLong,
        123 | 161 => OsReason::InvalidName,
        32 | 33 | 170 | 1224 => OsReason::InUse,
        267 => OsReason::NotAFolder,
        145 => OsReason::FolderNotEmpty,
        4390 | 1920 | 681 => OsReason::IsALink,
        53 | 54 | 55 | 59 | 64 | 65 | 67 | 121 | 1231 | 1236 | 1245 => OsReason::Network,
        21 | 23 | 27 | 29 | 30 | 1117 => OsReason::DeviceError,
        17 => OsReason::OtherVolume,
        1 | 50 | 120 => OsReason::Unsupported,
        4 | 8 | 14 => OsReason::Exhausted,
        _ => return None,
    })
}

#[cfg(not(any(unix, windows)))]
fn from_code(_code: i32) -> Option<OsReason> {
    None
}
