//! What files and folders share on Windows: metadata, times, attributes.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;

use super::nt::{self, StandardInfo};
use super::{reparse, volume};
use crate::{Attributes, FileId, Kind, Metadata, Time, Times};

/// The attributes that are the user's to set and that a copy takes over.
///
/// Not among them: compressed, encrypted, sparse and reparse, which tell how the content is stored and cannot be set
/// this way; offline, pinned and recall, which belong to cloud and archive programs; temporary, by which a program
/// says that its file need not reach the disk, the opposite of what a copy is for.
pub const SETTABLE: u32 = fs::FILE_ATTRIBUTE_READONLY
    | fs::FILE_ATTRIBUTE_HIDDEN
    | fs::FILE_ATTRIBUTE_SYSTEM
    | fs::FILE_ATTRIBUTE_ARCHIVE
    | fs::FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;

/// 1970 in ticks of 100 ns since 1601.
const EPOCH_TICKS: i128 = 116_444_736_000_000_000;

fn instant(ticks: i64) -> Time {
    Time::from_nanos((i128::from(ticks) - EPOCH_TICKS) * 100)
}

/// A time that not every file system keeps; 0 says that this one does not.
fn time(ticks: i64) -> Option<Time> {
    (ticks != 0).then(|| instant(ticks))
}

/// A time in ticks, rounded down. Not below 1: 0 and negative numbers are orders (leave it, stop updating it), not
/// times.
fn ticks(time: Time) -> io::Result<i64> {
    let ticks = time.as_nanos().div_euclid(100) + EPOCH_TICKS;
    i64::try_from(ticks).ok().filter(|&ticks| ticks > 0).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Attributes and, if it is a reparse point, the tag.
pub fn attributes(handle: BorrowedHandle<'_>) -> io::Result<(u32, u32)> {
    let info = nt::query::<fs::FILE_ATTRIBUTE_TAG_INFO>(handle)?;
    Ok((info.FileAttributes, info.ReparseTag))
}

/// What an open item is.
pub fn kind(handle: BorrowedHandle<'_>) -> io::Result<Kind> {
    let (attributes, tag) = attributes(handle)?;
    Ok(reparse::kind(attributes, tag))
}

/// Identity: 128 bits where the file system has them, else the 64 it has.
pub fn identity(handle: BorrowedHandle<'_>) -> io::Result<FileId> {
    let answer = nt::query::<fs::FILE_ID_INFO>(handle);
    if answer.as_ref().is_err_and(nt::is_unknown) {
        // FAT, exFAT and many servers.
        let info = by_handle(handle)?;
        let file = u64::from(info.nFileIndexHigh) << 32 | u64::from(info.nFileIndexLow);
        let file_high = if volume::numbers_are_of_places(handle) { FileId::OF_PLACE } else { 0 };
        return Ok(FileId { volume: info.dwVolumeSerialNumber.into(), file, file_high });
    }
    let info = answer?;
    let (file, file_high) = split_id(info.FileId);
    Ok(FileId { volume: info.VolumeSerialNumber, file, file_high })
}

pub(super) fn split_id(id: fs::FILE_ID_128) -> (u64, u64) {
    let id = u128::from_le_bytes(id.Identifier);
    (id as u64, (id >> 64) as u64)
}

fn by_handle(handle: BorrowedHandle<'_>) -> io::Result<fs::BY_HANDLE_FILE_INFORMATION> {
    let mut info = fs::BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the structure is writable and plain numbers; the handle is borrowed, so open.
    #[allow(unsafe_code)]
    nt::succeed(unsafe { fs::GetFileInformationByHandle(handle.as_raw_handle(), &raw mut info) })?;
    Ok(info)
}

/// What an open item is like.
pub fn metadata(handle: BorrowedHandle<'_>) -> io::Result<Metadata> {
    let basic = nt::query::<fs::FILE_BASIC_INFO>(handle)?;
    let standard = nt::query::<StandardInfo>(handle)?;
    let is_point = basic.FileAttributes & fs::FILE_ATTRIBUTE_REPARSE_POINT != 0;
    let tag = if is_point { attributes(handle)?.1 } else { 0 };
    let id = identity(handle)?;
    Ok(from_parts(&Parts {
        attributes: basic.FileAttributes,
        tag,
        created: basic.CreationTime,
        modified: basic.LastWriteTime,
        changed: basic.ChangeTime,
        size: standard.size,
        allocated: standard.allocated,
        id,
        links: standard.links,
    }))
}

/// What both an open item and a listing tell, in the system's units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) attributes: u32,
    pub(super) tag: u32,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) changed: i64,
    pub(super) size: i64,
    pub(super) allocated: i64,
    pub(super) id: FileId,
    pub(super) links: u32,
}

pub(super) fn from_parts(parts: &Parts) -> Metadata {
    Metadata {
        kind: reparse::kind(parts.attributes, parts.tag),
        size: parts.size.max(0) as u64,
        allocated: parts.allocated.max(0) as u64,
        modified: instant(parts.modified),
        changed: time(parts.changed),
        // Wine keeps no such time and answers with another one.
        created: time(parts.created).filter(|_| !nt::is_wine()),
        id: parts.id,
        links: parts.links.into(),
        attributes: Attributes(parts.attributes & SETTABLE),
        owner: None,
        placeholder: reparse::is_placeholder(parts.attributes),
        protection: None,
        // What is mounted in a folder shows as a junction, which is never entered.
        mounted: Some(false),
    }
}

/// Opens the same item anew, with other rights.
pub fn reopen(handle: BorrowedHandle<'_>, access: u32) -> io::Result<OwnedHandle> {
    Ok(nt::open_at(handle, &[], nt::Open::existing(access))?)
}

/// Sets something through the handle, or, where it was opened without the right to, through one opened for that.
fn set_basic(handle: BorrowedHandle<'_>, info: &fs::FILE_BASIC_INFO) -> io::Result<()> {
    match nt::set_basic(handle, info) {
        Err(e) if e.raw_os_error() == Some(f::ERROR_ACCESS_DENIED as i32) => {
            nt::set_basic(reopen(handle, fs::FILE_WRITE_ATTRIBUTES)?.as_handle(), info)
        }
        other => other,
    }
}

pub(super) fn set_times(handle: BorrowedHandle<'_>, times: Times) -> io::Result<()> {
    let ticks = |time: Option<Time>| time.map_or(Ok(0), ticks);
    set_ticks(handle, ticks(times.created)?, ticks(times.modified)?)
}

/// Sets created and modified time, in ticks; 0 leaves a time as it is.
pub fn set_ticks(handle: BorrowedHandle<'_>, created: i64, modified: i64) -> io::Result<()> {
    // Wine 10 takes the 0 that leaves the attributes for the wish to have none.
    let attributes = if nt::is_wine() { attributes(handle)?.0 } else { 0 };
    let info = fs::FILE_BASIC_INFO {
        FileAttributes: attributes,
        CreationTime: created,
        LastWriteTime: modified,
        ..fs::FILE_BASIC_INFO::default()
    };
    set_basic(handle, &info)
}

/// Sets the attributes that are the user's to set.
pub fn set_attributes(handle: BorrowedHandle<'_>, attributes: Attributes) -> io::Result<()> {
    // Zero would leave them as they are.
    let wanted = match attributes.0 & SETTABLE {
        0 => fs::FILE_ATTRIBUTE_NORMAL,
        some => some,
    };
    set_basic(handle, &fs::FILE_BASIC_INFO { FileAttributes: wanted, ..fs::FILE_BASIC_INFO::default() })
}

/// Hands everything the system holds back to the device. Never repeated after an error: the system may have dropped
/// what it could not write.
pub fn flush(handle: BorrowedHandle<'_>) -> io::Result<()> {
    // SAFETY: the handle is borrowed, so open.
    #[allow(unsafe_code)]
    nt::succeed(unsafe { fs::FlushFileBuffers(handle.as_raw_handle()) })
}

/// Implements [`crate::Handle`] and its capabilities for a type with a field `handle` and a method `flush`.
///
/// No [`crate::Xattrs`]: extended attributes are none of a copy's business here: the OS/2-style ones of NTFS are used by subsystems, which
/// reserve most names for themselves, and Win32 has no call for them.
macro_rules! impl_handle {
    ($type:ty) => {
        impl crate::Handle for $type {
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
            fn metadata(&self) -> io::Result<crate::Metadata> {
                handle::metadata(self.handle.as_handle())
            }
            fn set_times(&self, times: crate::Times) -> io::Result<()> {
                handle::set_times(self.handle.as_handle(), times)
            }
            fn set_attributes(&self, attributes: crate::Attributes) -> io::Result<()> {
                handle::set_attributes(self.handle.as_handle(), attributes)
            }
            fn sync(&self) -> io::Result<()> {
                self.flush()
            }
            crate::has!(as_streams: Streams);
        }

        impl crate::Streams for $type {
            fn streams(&self) -> io::Result<Vec<crate::Stream>> {
                stream::list(self.handle.as_handle())
            }
            fn open_stream(&self, name: &[u8], create: bool) -> io::Result<crate::FileRef> {
                let handle = stream::open(self.handle.as_handle(), name, create)?;
                Ok(std::sync::Arc::new(super::file::WindowsFile::new(handle)))
            }
            fn remove_stream(&self, name: &[u8]) -> io::Result<()> {
                stream::remove(self.handle.as_handle(), name)
            }
        }
    };
}

pub(super) use impl_handle;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_on_both_sides_of_1970_and_0_is_none() {
        assert_eq!(time(0), None);
        assert_eq!(time(EPOCH_TICKS as i64), Some(Time::EPOCH));
        assert_eq!(time(EPOCH_TICKS as i64 - 1), Some(Time::new(-1, 999_999_900)));
        for value in [1, 2, 116_444_735_999_999_999, 116_444_736_000_000_001, i64::MAX] {
            assert_eq!(ticks(time(value).unwrap()).unwrap(), value);
        }
        assert_eq!(ticks(Time::new(0, 199)).unwrap(), EPOCH_TICKS as i64 + 1, "rounded down");
        assert!(ticks(Time::new(-11_644_473_600, 99)).is_err(), "the number that means \"leave it\"");
        assert!(ticks(Time::new(i64::MIN, 0)).is_err());
        assert!(ticks(Time::new(i64::MAX, 0)).is_err());
    }
}
