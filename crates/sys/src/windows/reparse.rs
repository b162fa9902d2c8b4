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
use crate::{Kind, LinkTarget, Name};

/// Set where a symbolic link's text is relative ([MS-FSCC] 2.1.2.4).
const SYMLINK_FLAG_RELATIVE: u32 = 1;
/// The most that a reparse point can hold ([MS-FSCC] 2.1.2).
const MOST_BYTES: usize = 16 << 10;
/// Tag, length and reserved field, before the data.
const HEADER: usize = 8;
/// The four offsets and the flags of a symbolic link, before its text.
const LINK_HEADER: usize = 12;

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
pub(super) fn read_link(root: BorrowedHandle<'_>, name: &Name) -> io::Result<LinkTarget> {
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

/// The text of a symbolic link from its reparse data: what the system follows, spelled as a Win32 path.
fn parse(bytes: &[u8]) -> Option<Vec<u16>> {
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if u32_at(0)? != tag::IO_REPARSE_TAG_SYMLINK {
        return None;
    }
    let (offset, length) = (usize::from(u16_at(HEADER)?), usize::from(u16_at(HEADER + 2)?));
    let is_relative = u32_at(HEADER + 8)? & SYMLINK_FLAG_RELATIVE != 0;
    let start = HEADER + LINK_HEADER + offset;
    let text = bytes.get(start..start + length)?;
    let text: Vec<u16> = text.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    Some(if is_relative { text } else { win32_of_native(text) })
}

/// `\??\C:\a` is spelled `C:\a` in Win32, `\??\UNC\s\x` is `\\s\x`. Anything else stays as it is.
fn win32_of_native(text: Vec<u16>) -> Vec<u16> {
    let native: Vec<u16> = r"\??\".encode_utf16().collect();
    let unc: Vec<u16> = r"\??\UNC\".encode_utf16().collect();
    if let Some(rest) = text.strip_prefix(unc.as_slice()) {
        let mut path: Vec<u16> = r"\\".encode_utf16().collect();
        path.extend_from_slice(rest);
        return path;
    }
    match text.strip_prefix(native.as_slice()) {
        Some(rest) if rest.get(1) == Some(&u16::from(b':')) => rest.to_vec(),
        _ => text,
    }
}

/// The reverse of [`win32_of_native`], and whether the text is relative.
fn native_of_win32(text: &[u16]) -> (Vec<u16>, bool) {
    let slash = |unit: Option<&u16>| unit == Some(&u16::from(b'\\')) || unit == Some(&u16::from(b'/'));
    let prefixed = |prefix: &str, rest: &[u16]| prefix.encode_utf16().chain(rest.iter().copied()).collect();
    let native: Vec<u16> = r"\??\".encode_utf16().collect();
    if text.starts_with(&native) {
        (text.to_vec(), false)
    } else if slash(text.first()) && slash(text.get(1)) {
        match text.get(2) {
            // `\\?\` and `\\.\` are device spellings of what follows.
            Some(&unit) if (unit == u16::from(b'?') || unit == u16::from(b'.')) && slash(text.get(3)) => {
                (prefixed(r"\??\", &text[4..]), false)
            }
            _ => (prefixed(r"\??\UNC\", &text[2..]), false),
        }
    } else if text.get(1) == Some(&u16::from(b':')) && slash(text.get(2)) {
        (prefixed(r"\??\", text), false)
    } else {
        (text.to_vec(), true)
    }
}

/// The reparse data of a symbolic link; `None` if the text is too long for one.
fn build(text: &[u16]) -> Option<Vec<u8>> {
    let (substitute, is_relative) = native_of_win32(text);
    let bytes_of = |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>();
    let (substitute, print) = (bytes_of(&substitute), bytes_of(text));
    let size = LINK_HEADER + substitute.len() + print.len();
    if HEADER + size > MOST_BYTES {
        return None;
    }
    let mut data = Vec::with_capacity(HEADER + size);
    data.extend_from_slice(&tag::IO_REPARSE_TAG_SYMLINK.to_le_bytes());
    data.extend_from_slice(&(size as u16).to_le_bytes());
    data.extend_from_slice(&[0; 2]);
    for field in [0, substitute.len(), substitute.len(), print.len()] {
        data.extend_from_slice(&(field as u16).to_le_bytes());
    }
    data.extend_from_slice(&u32::from(is_relative).to_le_bytes());
    data.extend_from_slice(&substitute);
    data.extend_from_slice(&print);
    Some(data)
}

/// Makes a symbolic link.
///
/// The item is made first and turned into a link then, because that goes by the open folder. Without the privilege
/// for it (only administrators have it) the system's own function is tried, which works by path and, in developer
/// mode, for everybody.
pub(super) fn create(root: BorrowedHandle<'_>, name: &Name, target: &LinkTarget) -> io::Result<()> {
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

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn link_texts_survive_being_stored() {
        for text in
            [r"a\b", r"..\x", "C:\\Users\\é\u{1F600}", r"\\server\share\f", r"D:relative", r"\rooted", "."]
        {
            let data = build(&units(text)).unwrap();
            assert_eq!(parse(&data), Some(units(text)), "{text}");
        }
        let lone = [0x61, 0xD800, 0x62];
        assert_eq!(parse(&build(&lone).unwrap()).unwrap(), lone);
    }

    #[test]
    fn only_absolute_texts_lose_the_relative_mark() {
        assert_eq!(native_of_win32(&units(r"C:\a")), (units(r"\??\C:\a"), false));
        assert_eq!(native_of_win32(&units(r"\\?\C:\a")), (units(r"\??\C:\a"), false));
        assert_eq!(native_of_win32(&units(r"\\s\x")), (units(r"\??\UNC\s\x"), false));
        assert_eq!(native_of_win32(&units(r"..\a")), (units(r"..\a"), true));
        assert_eq!(native_of_win32(&units(r"\a")), (units(r"\a"), true));
        assert_eq!(native_of_win32(&units("C:a")), (units("C:a"), true));
        assert_eq!(win32_of_native(units(r"\??\Volume{1}\a")), units(r"\??\Volume{1}\a"));
    }

    #[test]
    fn damaged_reparse_data_is_no_link() {
        let data = build(&units(r"C:\somewhere")).unwrap();
        for n in 0..HEADER + LINK_HEADER + 2 {
            assert_eq!(parse(&data[..n]), None, "{n} bytes");
        }
        let mut beyond = data.clone();
        beyond[HEADER + 2] = 0xFF;
        assert_eq!(parse(&beyond), None, "a length beyond the data");
        let mut junction = data;
        junction[..4].copy_from_slice(&tag::IO_REPARSE_TAG_MOUNT_POINT.to_le_bytes());
        assert_eq!(parse(&junction), None);
        assert!(build(&vec![0x61; MOST_BYTES]).is_none());
    }

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
