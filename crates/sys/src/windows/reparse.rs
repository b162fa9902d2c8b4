//! What a reparse point stands for, and symbolic links in particular.
//!
//! A reparse point is a file or folder with a tag that says who resolves it. Some lead elsewhere (links, junctions),
//! some only keep their content in another way (cloud files, deduplicated and compressed ones). The first are never
//! followed, the second are the file or folder they look like. Tags not known here are not copied.

use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle};

use windows_sys::Wdk::Storage::FileSystem as nt;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::Ioctl;
use windows_sys::Win32::System::SystemServices as tag;

use super::name::{decoded, encoded, wide};
use super::{handle, nt as call};
use crate::link_data::{MOST_BYTES, build, parse};
use crate::{Kind, LinkTarget, Name};

/// What an item with these attributes and this tag is.
pub(super) fn kind(attributes: u32, tag: u32) -> Kind {
    let is_folder = attributes & fs::FILE_ATTRIBUTE_DIRECTORY != 0;
    if attributes & fs::FILE_ATTRIBUTE_REPARSE_POINT != 0 && !holds_content(tag) {
        return if tag == tag::IO_REPARSE_TAG_SYMLINK { Kind::Symlink } else { Kind::Other };
    }
    if attributes & fs::FILE_ATTRIBUTE_DEVICE != 0 {
        Kind::Other
    } else if is_folder {
        Kind::Folder
    } else {
        Kind::File
    }
}

/// Tags of filters that only store a file's or folder's own content in another way.
fn holds_content(tag: u32) -> bool {
    // The sixteen tags of the cloud filter, and both of projected file systems, differ in these bits alone.
    matches!(tag & !tag::IO_REPARSE_TAG_CLOUD_MASK, tag::IO_REPARSE_TAG_CLOUD | tag::IO_REPARSE_TAG_PROJFS)
        || matches!(
            tag,
            tag::IO_REPARSE_TAG_WOF
                | tag::IO_REPARSE_TAG_DEDUP
                | tag::IO_REPARSE_TAG_HSM
                | tag::IO_REPARSE_TAG_HSM2
                | tag::IO_REPARSE_TAG_SIS
                | tag::IO_REPARSE_TAG_WIM
                | tag::IO_REPARSE_TAG_ONEDRIVE
                | tag::IO_REPARSE_TAG_FILE_PLACEHOLDER
                | tag::IO_REPARSE_TAG_STORAGE_SYNC
                | tag::IO_REPARSE_TAG_DFSR
        )
}

/// Whether reading the content would fetch it from elsewhere.
pub(super) fn is_placeholder(attributes: u32) -> bool {
    attributes
        & (fs::FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS
            | fs::FILE_ATTRIBUTE_RECALL_ON_OPEN
            | fs::FILE_ATTRIBUTE_OFFLINE)
        != 0
}

/// Reads where a symbolic link points.
pub fn read_link(root: BorrowedHandle<'_>, name: &Name) -> io::Result<LinkTarget> {
    let link = call::open_at(root, &wide(name), call::Open::existing(fs::FILE_READ_ATTRIBUTES))?;
    let link = link.as_handle();
    let mut data = vec![0_u64; MOST_BYTES / 8];
    let n = call::control(link, Ioctl::FSCTL_GET_REPARSE_POINT, &[], &mut data)?;
    let bytes: Vec<u8> = data.iter().flat_map(|word| word.to_ne_bytes()).take(n).collect();
    let to_folder = handle::attributes(link)?.0 & fs::FILE_ATTRIBUTE_DIRECTORY != 0;
    let text =
        parse(&bytes).ok_or_else(|| io::Error::from_raw_os_error(f::ERROR_INVALID_REPARSE_DATA as i32))?;
    Ok(LinkTarget { text: encoded(&text), to_folder })
}

/// Makes a symbolic link.
///
/// The item is made first and turned into a link then, because that goes by the open folder. Without the privilege
/// for it (only administrators have it) the system's own function is tried, which works by path and, in developer
/// mode, for everybody.
pub fn create(root: BorrowedHandle<'_>, name: &Name, target: &LinkTarget) -> io::Result<()> {
    let text = decoded(&target.text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let data =
        build(&text).ok_or_else(|| io::Error::from_raw_os_error(f::ERROR_FILENAME_EXCED_RANGE as i32))?;
    let sort = if target.to_folder { nt::FILE_DIRECTORY_FILE } else { nt::FILE_NON_DIRECTORY_FILE };
    let access = fs::DELETE | fs::FILE_READ_ATTRIBUTES | fs::FILE_WRITE_ATTRIBUTES;
    let made =
        call::open_at(root, &wide(name), call::Open::new(access, fs::FILE_ATTRIBUTE_NORMAL).with(sort))?;
    let made = made.as_handle();
    let Err(refused) = call::control(made, Ioctl::FSCTL_SET_REPARSE_POINT, &data, &mut []) else {
        return Ok(());
    };
    super::rename::delete(made)?;
    match refused.raw_os_error().map(|code| code as u32) {
        Some(f::ERROR_PRIVILEGE_NOT_HELD | f::ERROR_ACCESS_DENIED) => {
            create_by_path(root, name, &text, target.to_folder)
        }
        _ => Err(refused),
    }
}

fn create_by_path(root: BorrowedHandle<'_>, name: &Name, text: &[u16], to_folder: bool) -> io::Result<()> {
    let path: Vec<u16> = super::path::below(root, name)?.into_iter().chain([0]).collect();
    let text: Vec<u16> = text.iter().copied().chain([0]).collect();
    let sort = if to_folder { fs::SYMBOLIC_LINK_FLAG_DIRECTORY } else { 0 };
    let flags = sort | fs::SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE;
    // SAFETY: both strings end in NUL and live until the call returns.
    #[allow(unsafe_code)]
    let made = unsafe { fs::CreateSymbolicLinkW(path.as_ptr(), text.as_ptr(), flags) };
    if made { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_elsewhere_is_taken_out_of_the_tree() {
        let (file, folder, point) =
            (fs::FILE_ATTRIBUTE_ARCHIVE, fs::FILE_ATTRIBUTE_DIRECTORY, fs::FILE_ATTRIBUTE_REPARSE_POINT);
        assert_eq!(kind(file, 0), Kind::File);
        assert_eq!(kind(folder, 0), Kind::Folder);
        // Without the attribute the field means something else (the size of extended attributes).
        assert_eq!(kind(file, tag::IO_REPARSE_TAG_SYMLINK), Kind::File);
        assert_eq!(kind(file | point, tag::IO_REPARSE_TAG_SYMLINK), Kind::Symlink);
        assert_eq!(kind(folder | point, tag::IO_REPARSE_TAG_SYMLINK), Kind::Symlink);
        assert_eq!(kind(folder | point, tag::IO_REPARSE_TAG_MOUNT_POINT), Kind::Other);
        for own in [tag::IO_REPARSE_TAG_CLOUD_7, tag::IO_REPARSE_TAG_WOF, tag::IO_REPARSE_TAG_DEDUP] {
            assert_eq!(kind(file | point, own), Kind::File, "{own:x}");
            assert_eq!(kind(folder | point, own), Kind::Folder, "{own:x}");
        }
        for other in [tag::IO_REPARSE_TAG_AF_UNIX, tag::IO_REPARSE_TAG_APPEXECLINK, 0x8000_FFFF] {
            assert_eq!(kind(file | point, other), Kind::Other, "{other:x}");
        }
    }
}
