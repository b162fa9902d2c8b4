//! What a file system says about one item: plain data, no handles.

use serde::{Deserialize, Serialize};

use crate::Time;

/// What an item is. Links are never followed, so a link to a folder is a [`Kind::Symlink`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// Anything that is not copied: device, pipe, socket, junction, unknown reparse point.
    Other,
}

/// Which file a name stands for: two names with the same id on one machine are one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The volume's number (Unix `st_dev`, Windows volume serial).
    pub volume: u64,
    /// The file's number on it (Unix inode; low half of the 128-bit id on Windows).
    pub file: u64,
    /// The high half of a 128-bit file id (`ReFS`); [`FileId::OF_PLACE`] where the number is a place's; 0 elsewhere.
    pub file_high: u64,
}

impl FileId {
    /// Marks the number of an item's place, not of the item: FAT on Windows numbers a file by where its name is in
    /// its folder, so a renamed file can have another number, and the next one in that place the same
    /// (<https://learn.microsoft.com/windows/win32/api/fileapi/ns-fileapi-by_handle_file_information>). Also the half
    /// that means "no number" in a 128-bit one.
    pub const OF_PLACE: u64 = u64::MAX;

    /// Whether the number is a place's.
    pub fn is_of_place(self) -> bool {
        self.file_high == Self::OF_PLACE
    }

    /// Whether what has this number now can be what had `earlier`, allowing for a rename in between.
    pub fn may_be_after_rename(self, earlier: Self) -> bool {
        self == earlier || self.is_of_place() && earlier.is_of_place() && self.volume == earlier.volume
    }
}

/// Permission bits (`0o7777`) on Unix, attribute bits on Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Attributes(pub u32);

impl Attributes {
    /// Whether the item is marked so that nobody may write to it: no write bit at all on Unix, the read-only
    /// attribute on Windows. Decided from the bits alone: root may write anything.
    pub fn is_read_only(self) -> bool {
        if cfg!(windows) { self.0 & 1 != 0 } else { self.0 & 0o222 == 0 }
    }

    /// Whether the item has the read-only attribute of Windows, which protects it from being replaced. A missing write
    /// bit on Unix does not: it keeps programs from writing into the file, while replacing it asks only for the
    /// folder, and git objects and caches of packages carry it as a matter of course.
    pub fn has_read_only_attribute(self) -> bool {
        cfg!(windows) && self.is_read_only()
    }

    /// Whether a folder with these bits looks as [`crate::Dir::create_dir`] makes one: for its owner only, or hidden
    /// on Windows. By that a folder is told whose maker was interrupted before it could write down that it is its
    /// own; somebody else's rarely looks like that, and looks so on purpose.
    pub fn is_as_made(self) -> bool {
        // On Windows a folder inherits from the one above that its content is not to be indexed (0x2000), on Unix that
        // what is made in it has its group (0o2000).
        if cfg!(windows) { self.0 & !0x2000 == 2 } else { self.0 & !0o2000 == 0o700 }
    }

    /// The bits of a folder or file of our own in a folder with these bits: for its owner only, and where the folder's
    /// group may write in it, also for the group. `None` where that is as it is made anyway.
    pub fn shared_with_group(self, is_folder: bool) -> Option<Self> {
        if cfg!(windows) || self.0 & 0o020 == 0 {
            None
        } else if is_folder {
            // What is made in it has its group too.
            Some(Self(0o2700 | self.0 & 0o070))
        } else {
            Some(Self(0o600 | self.0 & 0o060))
        }
    }

    /// The bits of a folder with those added with which its owner may work in it; the same where they are there (Unix).
    #[must_use]
    pub fn lifted(self) -> Self {
        if cfg!(windows) || self.0 & 0o300 == 0o300 { self } else { Self(self.0 | 0o700) }
    }

    /// Without the bits that make a program run as its owner or group (Unix).
    #[must_use]
    pub fn without_set_id(self) -> Self {
        if cfg!(windows) { self } else { Self(self.0 & !0o6000) }
    }
}

/// A flag of the file system that keeps everybody, an administrator included, from changing an item until it is
/// cleared (`chattr` on Linux).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// The item cannot be written to, renamed or removed; of a folder, no name in it can.
    Immutable,
    /// The item can only grow; in a folder, names can only be added.
    AppendOnly,
}

/// Owning user and group by number (Unix).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
}

/// The times to give an item; `None` leaves that time as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// When the content last changed.
    pub modified: Option<Time>,
    /// When the item was made; ignored where the system cannot set it.
    pub created: Option<Time>,
}

/// Where a symbolic link points, kept as the system stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTarget {
    /// The stored text: bytes on Unix, WTF-8 on Windows. Not resolved, not checked.
    #[serde(with = "crate::exact_bytes")]
    pub text: Vec<u8>,
    /// Whether the link was made as a link to a folder (Windows keeps two sorts).
    pub to_folder: bool,
}

/// Everything a file system says about one item without reading its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// What the item is.
    pub kind: Kind,
    /// Content size in bytes; for a symlink the length of its text; 0 or meaningless for folders.
    pub size: u64,
    /// Bytes the volume has set aside for the content.
    pub allocated: u64,
    /// When the content last changed.
    pub modified: Time,
    /// When content or metadata last changed (Unix ctime, NTFS change time); no program can set it back.
    pub changed: Option<Time>,
    /// When the item was made, where the file system keeps it.
    pub created: Option<Time>,
    /// Identity.
    pub id: FileId,
    /// How many names the file has.
    pub links: u64,
    /// Permission or attribute bits.
    pub attributes: Attributes,
    /// Owner, where the system has the notion.
    pub owner: Option<Owner>,
    /// Content lives elsewhere and reading would fetch it (cloud placeholder).
    pub placeholder: bool,
    /// A flag that keeps everybody from changing the item, where the system tells of one unasked (Linux).
    pub protection: Option<Protection>,
    /// Whether a volume, or a folder of one, is mounted at this very item; `None` where the system does not tell, and
    /// only another volume number than its folder's can.
    pub mounted: Option<bool>,
}

impl Metadata {
    /// What must stay the same for an item to count as unchanged since it was looked at.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            kind: self.kind,
            id: self.id,
            size: if self.kind == Kind::Folder { 0 } else { self.size },
            modified: self.modified,
            changed: self.changed,
            attributes: self.attributes,
        }
    }
}

/// What an item looked like when it was observed; the basis of optimistic locking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// What the item is.
    pub kind: Kind,
    /// Identity.
    pub id: FileId,
    /// Size in bytes (0 for folders).
    pub size: u64,
    /// Modified time.
    pub modified: Time,
    /// Change time; moves with every write, rename and attribute change, and cannot be forged.
    pub changed: Option<Time>,
    /// Permission or attribute bits.
    pub attributes: Attributes,
}

impl Fingerprint {
    /// Whether `self` is the same file with the same content as `earlier`, allowing for a rename in between.
    ///
    /// Renaming moves the change time on most file systems, so after an exchange it proves nothing; size and modified
    /// time still do, and identity, unless it is a place's ([`FileId::OF_PLACE`]).
    pub fn same_content_after_rename(&self, earlier: &Self) -> bool {
        self.kind == earlier.kind
            && self.id.may_be_after_rename(earlier.id)
            && self.size == earlier.size
            && self.modified == earlier.modified
    }
}
