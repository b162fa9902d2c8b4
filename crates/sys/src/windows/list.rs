//! Listing a folder, with everything the listing itself tells.
//!
//! What a listing says is kept by the file system in the folder, beside what it keeps with the file; NTFS brings the
//! two together when a file is closed, and for a file with several names only under the name that was used, until
//! the others are opened (<https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-createhardlinkw>). So a
//! listing is believed only on a volume where the first items that were asked themselves said the same; see
//! [`super::volume::Shared`].
//!
//! What no listing tells is how many names a file has; it counts as one.

use std::io;
use std::mem::offset_of;
use std::os::windows::io::BorrowedHandle;

use windows_sys::Win32::Storage::FileSystem as fs;

use super::dir::WindowsDir;
use super::handle::{self, Parts};
use super::name::encoded;
use super::nt;
use crate::{FileId, Listed, Metadata, Name};

/// Some servers refuse more than 64 KiB; that is some 500 entries.
const BUFFER_WORDS: usize = (64 << 10) / 8;

/// What is asked for, from everything down to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// 128-bit numbers and tags.
    IdExtd,
    /// 64-bit numbers.
    IdBoth,
    /// No numbers: every item must be asked.
    Full,
}

impl Form {
    const ALL: [Self; 3] = [Self::IdExtd, Self::IdBoth, Self::Full];

    /// The classes for the first question and for the next ones.
    fn classes(self) -> (i32, i32) {
        match self {
            Self::IdExtd => (fs::FileIdExtdDirectoryRestartInfo, fs::FileIdExtdDirectoryInfo),
            Self::IdBoth => (fs::FileIdBothDirectoryRestartInfo, fs::FileIdBothDirectoryInfo),
            Self::Full => (fs::FileFullDirectoryRestartInfo, fs::FileFullDirectoryInfo),
        }
    }

    /// Where the name begins in an entry.
    fn name_offset(self) -> usize {
        match self {
            Self::IdExtd => offset_of!(fs::FILE_ID_EXTD_DIR_INFO, FileName),
            Self::IdBoth => offset_of!(fs::FILE_ID_BOTH_DIR_INFO, FileName),
            Self::Full => offset_of!(fs::FILE_FULL_DIR_INFO, FileName),
        }
    }
}

/// Lists a folder through a handle that was not used for that before.
pub(super) fn list(
    dir: &WindowsDir,
    handle: BorrowedHandle<'_>,
    sink: &mut dyn FnMut(Listed<'_>),
) -> io::Result<()> {
    let mut buffer = vec![0_u64; BUFFER_WORDS];
    let mut form = dir.shared.form();
    let mut more = loop {
        match nt::list_into(handle, form.classes().0, &mut buffer) {
            Err(e) if nt::is_unknown(&e) => {
                let next = Form::ALL.iter().skip_while(|known| **known != form).nth(1);
                form = *next.ok_or(e)?;
                dir.shared.set_form(form);
            }
            answer => break answer?,
        }
    };
    while more {
        let mut entries = Entries { bytes: bytes_of(&buffer), form, next: Some(0) };
        while let Some(entry) = entries.next_entry()? {
            let name = encoded(&entry.name);
            if name != b"." && name != b".." {
                let metadata = known(dir, &name, &entry);
                sink(Listed { name: &name, metadata });
            }
        }
        more = nt::list_into(handle, form.classes().1, &mut buffer)?;
    }
    Ok(())
}

/// What is known of an entry without asking the item; `None` where it must be asked.
fn known(dir: &WindowsDir, name: &[u8], entry: &Entry) -> Option<Metadata> {
    let parts = entry.parts.as_ref()?;
    // Whose sizes and times these are at a reparse point only the item can say. And the times of a folder change with
    // what is in it, while it is the folder above that lists them.
    if parts.attributes & (fs::FILE_ATTRIBUTE_REPARSE_POINT | fs::FILE_ATTRIBUTE_DIRECTORY) != 0 {
        return None;
    }
    let id = dir.shared.listed(parts.id);
    let listed = handle::from_parts(&Parts { id, ..*parts });
    dir.shared.believe(listed, || {
        let name = Name::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidFilename))?;
        crate::Dir::stat(dir, &name)
    })
}

pub(super) fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// One entry as it is in the buffer.
pub(super) struct Entry {
    pub(super) name: Vec<u16>,
    /// Without the volume's number; `None` where the form has no numbers.
    pub(super) parts: Option<Parts>,
}

/// Entries of one answer.
pub(super) struct Entries {
    pub(super) bytes: Vec<u8>,
    pub(super) form: Form,
    pub(super) next: Option<usize>,
}

impl Entries {
    /// The next entry; an error if the answer points outside itself.
    pub(super) fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let Some(start) = self.next else { return Ok(None) };
        let entry = self.entry(start).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let step = self.u32_at(start).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))? as usize;
        self.next = (step > 0).then_some(start + step);
        Ok(Some(entry))
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?))
    }

    fn i64_at(&self, at: usize) -> Option<i64> {
        Some(i64::from_ne_bytes(self.bytes.get(at..at + 8)?.try_into().ok()?))
    }

    fn entry(&self, start: usize) -> Option<Entry> {
        // The three forms begin alike.
        type Common = fs::FILE_FULL_DIR_INFO;
        let length = self.u32_at(start + offset_of!(Common, FileNameLength))? as usize;
        let text = start + self.form.name_offset();
        let name = self.bytes.get(text..text.checked_add(length)?)?;
        let name = name.chunks_exact(2).map(|unit| u16::from_ne_bytes([unit[0], unit[1]])).collect();
        let (tag, file, file_high) = match self.form {
            Form::Full => return Some(Entry { name, parts: None }),
            Form::IdBoth => {
                let id = self.i64_at(start + offset_of!(fs::FILE_ID_BOTH_DIR_INFO, FileId))?;
                (0, id as u64, 0)
            }
            Form::IdExtd => {
                let at = start + offset_of!(fs::FILE_ID_EXTD_DIR_INFO, FileId);
                let id = fs::FILE_ID_128 { Identifier: self.bytes.get(at..at + 16)?.try_into().ok()? };
                let (low, high) = handle::split_id(id);
                (self.u32_at(start + offset_of!(fs::FILE_ID_EXTD_DIR_INFO, ReparsePointTag))?, low, high)
            }
        };
        let parts = Parts {
            attributes: self.u32_at(start + offset_of!(Common, FileAttributes))?,
            tag,
            created: self.i64_at(start + offset_of!(Common, CreationTime))?,
            modified: self.i64_at(start + offset_of!(Common, LastWriteTime))?,
            changed: self.i64_at(start + offset_of!(Common, ChangeTime))?,
            size: self.i64_at(start + offset_of!(Common, EndOfFile))?,
            allocated: self.i64_at(start + offset_of!(Common, AllocationSize))?,
            id: FileId { volume: 0, file, file_high },
            links: 1,
        };
        Some(Entry { name, parts: Some(parts) })
    }
}
