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
    /// Source and target of a rename are on different volumes.
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
    // Win32 error codes, <https://learn.microsoft.com/windows/win32/debug/system-error-codes>, as far as calls about
    // files, folders and volumes return them.
    Some(match code {
        // Also an absent drive (15).
        2 | 3 | 15 => OsReason::NotFound,
        80 | 183 => OsReason::AlreadyExists,
        // Denied by this system or a server (65), a missing privilege, a password that is wrong, expired or missing.
        5 | 65 | 86 | 1314 | 1326 | 1327 | 1330 | 1331 | 1909 => OsReason::PermissionDenied,
        19 => OsReason::ReadOnlyVolume,
        39 | 112 | 302 | 314 => OsReason::NoSpace,
        1295 => OsReason::QuotaExceeded,
        // A file with more fragments than NTFS can note down (665) is as large as it can get.
        223 | 665 => OsReason::FileTooLarge,
        111 | 206 => OsReason::NameTooLong,
        123 | 161 => OsReason::InvalidName,
        // Shared too little, locked, busy, mapped, or about to go as soon as somebody closes it (303).
        32 | 33 | 142 | 148 | 170 | 303 | 1224 => OsReason::InUse,
        267 => OsReason::NotAFolder,
        336 => OsReason::IsAFolder,
        145 => OsReason::FolderNotEmpty,
        681 => OsReason::IsALink,
        1006 => OsReason::Stale,
        // The server, the way to it, or the program that fetches a cloud file.
        51..=55
        | 58
        | 59
        | 64
        | 67
        | 71
        | 109
        | 121
        | 233
        | 240
        | 362
        | 388
        | 1201
        | 1203
        | 1222
        | 1225
        | 1229
        | 1231..=1234
        | 1236
        | 1240
        | 1245
        | 1265
        | 1460
        | 2250 => OsReason::Network,
        21
        | 23
        | 25..=27
        | 29..=31
        | 34
        | 323
        | 433
        | 483
        | 1005
        | 1110
        | 1112
        | 1117
        | 1167
        | 1392
        | 1393 => OsReason::DeviceError,
        17 => OsReason::OtherVolume,
        1 | 50 | 120 | 124 | 282 | 1142 | 1463 => OsReason::Unsupported,
        995 => OsReason::Interrupted,
        4 | 8 | 14 | 164 | 1450 | 1453..=1455 | 1816 => OsReason::Exhausted,
        _ => return None,
    })
}

#[cfg(not(any(unix, windows)))]
fn from_code(_code: i32) -> Option<OsReason> {
    None
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn the_codes_users_meet_lead_to_words_they_can_act_on() {
        for (code, expected) in [
            (2, OsReason::NotFound),
            (5, OsReason::PermissionDenied),
            (17, OsReason::OtherVolume),
            (19, OsReason::ReadOnlyVolume),
            (32, OsReason::InUse),
            (33, OsReason::InUse),
            (50, OsReason::Unsupported),
            (53, OsReason::Network),
            (112, OsReason::NoSpace),
            (145, OsReason::FolderNotEmpty),
            (183, OsReason::AlreadyExists),
            (206, OsReason::NameTooLong),
            (223, OsReason::FileTooLarge),
            (267, OsReason::NotAFolder),
            (303, OsReason::InUse),
            (681, OsReason::IsALink),
            (1117, OsReason::DeviceError),
            (1224, OsReason::InUse),
            (1295, OsReason::QuotaExceeded),
            (4390, OsReason::Other),
        ] {
            assert_eq!(reason(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
    }
}
