//! What a journal says: the records, plain data.
//!
//! A journal first lists everything the run may touch, with what each item looked like before; only when that list is
//! durable does the first unfinished file appear. So whoever finds a journal knows where to look and what belonged
//! there, even if nothing that was written later survived.
//!
//! Invariant: the order of variants and fields is the format. New variants go at the end, and they too need a new
//! [`VERSION`]: to a program that does not know one, the journal ends before it.

use std::io;

use fcs_sys::{
    Attributes, CreatedTime, Dir, FileId, Fingerprint, Kind, Metadata, Name, OsReason, Owner, RelPath, Time,
    Times, reason,
};
use serde::{Deserialize, Serialize};

use super::RunId;
use crate::names::is_ours;
use crate::ops::set_metadata::ItemMetadata;
pub(crate) use crate::ops::vocabulary::StepKind;
use crate::settings::Undo;

/// Version of the format.
pub(crate) const VERSION: u32 = 5;
/// The oldest one that is read: since then variants were only added.
const OLDEST_READ: u32 = 4;

/// Whether a journal of this format is read.
pub(crate) fn is_read(version: u32) -> bool {
    (OLDEST_READ..=VERSION).contains(&version)
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The first record.
    Begin(Begin),
    /// A folder in which the run works. Folders are numbered from 0 in the order of these records.
    Folder(FolderRecord),
    /// Steps in the folder listed last; numbered from 1 on in the order of these records.
    Steps(Vec<StepRecord>),
    /// The list is complete. Nothing in the target was touched before this was durable.
    Ready,
    /// A folder was made.
    Made {
        /// Number of the folder.
        folder: u32,
        /// Its identity.
        id: FileId,
    },
    /// The step is about to change a name.
    Intent {
        /// Number of the step.
        step: u64,
        /// The verified new item; `None` for a removal.
        new: Option<FileStamp>,
        /// BLAKE3 of its content, where it was computed.
        hash: Option<[u8; 32]>,
    },
    /// The change is durable.
    Committed {
        /// Number of the step.
        step: u64,
        /// The new item under its final name; `None` for a removal.
        new: Option<FileStamp>,
    },
    /// Everything is being rolled back from here on.
    RollBack,
    /// The run is over.
    End(End),
    /// The originals are being pruned, so it can no longer be undone.
    Pruned,
    /// The original is kept beside its old name, because the undo store could not take it.
    Aside {
        /// Number of the step.
        step: u64,
    },
    /// A folder is about to be made, where nothing was. What is there later without [`Record::Made`] is that folder
    /// if it looks as made, or if nothing does on that volume.
    Making {
        /// Number of the folder.
        folder: u32,
    },
    /// The journal itself, as it was when the run began: a file that lies where this record was written has the same
    /// number, and the same created time where there is one. If it has not, the folder was copied elsewhere, or the
    /// volume does not keep numbers, and no number in the journal says anything.
    Anchor {
        /// The journal's number.
        file: (u64, u64),
        /// When the journal was made, where the volume tells.
        created: Option<Time>,
    },
    /// An empty folder that cannot be renamed is about to be removed where it is; this is all there was to it.
    Emptied {
        /// Number of the step.
        step: u64,
        /// What it looked like.
        folder: EmptiedFolder,
    },
    /// A folder in which the run works is about to be given the permissions for it, and had others than the list says.
    LiftedFolder {
        /// Number of the folder.
        folder: u32,
        /// What it had.
        was: Attributes,
    },
    /// The dates of a file are about to be set, and nothing else of it.
    SettingTimes {
        /// Number of the step.
        step: u64,
        /// The dates that it has.
        was: Dates,
        /// Those that it is to have.
        wanted: Dates,
    },
    /// A folder that is an item of the run is about to be given the permissions to be moved.
    LiftedItem {
        /// Number of the step.
        step: u64,
        /// What it had.
        was: Attributes,
    },
    /// The folder of a removal is about to go with all that is in it. That is what other removals were to take out one by
    /// one: they are done when it is.
    Whole {
        /// Number of the step.
        step: u64,
        /// Numbers of the others.
        below: Vec<u64>,
    },
    /// It did not go so, and each removal is done by itself.
    Apart {
        /// Number of the step.
        step: u64,
    },
    /// Metadata of an item is about to be set, and nothing else of it.
    SettingMetadata {
        /// Number of the step.
        step: u64,
        /// What it has.
        was: ItemMetadata,
        /// What it is to have.
        wanted: ItemMetadata,
    },
    /// The run writes to other roots too, each of which has a journal of the same run: their paths.
    OtherRoots(Vec<String>),
}

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The run's id.
    pub(crate) run: RunId,
    /// What the user called it: `copy`, `sync`, `orphans`.
    pub(crate) command: String,
    /// Where files come from, as text.
    pub(crate) source: String,
    /// When it began.
    pub(crate) started: Time,
    /// Where removed items go.
    pub(crate) removed: RemovedTo,
    /// The run's originals are not to outlive it, whatever the setting says.
    pub(crate) prune_at_end: bool,
    /// How long its originals are kept: each run has its own term.
    pub(crate) undo: Undo,
    /// The first run of those that it belongs to, if it does again what failed in one of them.
    pub(crate) retries: Option<RunId>,
}

/// The format of a first record, if it is one that is not read. Every version begins a journal with the same variant
/// and the number of its format.
pub(crate) fn other_version(payload: &[u8]) -> Option<u32> {
    let ((variant, version), _) = postcard::take_from_bytes::<(u32, u32)>(payload).ok()?;
    (variant == 0 && !is_read(version)).then_some(version)
}

impl Begin {
    /// The first of the runs that belong together.
    pub(crate) fn group(&self) -> &RunId {
        self.retries.as_ref().unwrap_or(&self.run)
    }
}

/// Where removed items go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemovedTo {
    /// Into the undo store, from which `undo` restores them.
    #[default]
    Undo,
    /// Into the system's recycle bin.
    RecycleBin,
    /// They are deleted permanently once the run has ended well.
    Permanent,
}

/// A folder in which the run works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FolderRecord {
    /// Path below the root, as bytes.
    pub(crate) path: Vec<u8>,
    /// The run makes it.
    pub(crate) create: bool,
    /// What it looked like before; `None` if the run makes it.
    pub(crate) before: Option<FolderStamp>,
    /// What it is to look like when everything in it is done; `None` to leave it as it is.
    pub(crate) wanted: Option<FolderStamp>,
}

/// Metadata of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct FolderStamp {
    /// Identity.
    pub(crate) id: FileId,
    /// Modified time.
    pub(crate) modified: Time,
    /// Created time, where it is known; it is only ever set where the system can.
    pub(crate) created: Option<Time>,
    /// Permission or attribute bits.
    pub(crate) attributes: Attributes,
    /// Owner, where it is to be given.
    pub(crate) owner: Option<Owner>,
}

/// A folder of which undo makes an equal one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EmptiedFolder {
    /// Its metadata.
    pub(crate) looks: FolderStamp,
    /// Its extended attributes, as far as they could be read.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl EmptiedFolder {
    /// What is to be known of a folder before it is removed; `modified` is what it was before it was emptied.
    pub(crate) fn of(dir: &dyn Dir, modified: Time) -> io::Result<Self> {
        let now = dir.metadata()?;
        let looks = FolderStamp {
            id: now.id,
            modified,
            created: now.created,
            attributes: now.attributes,
            owner: now.owner,
        };
        let names = dir.xattrs()?;
        let xattrs = names.into_iter().filter_map(|name| dir.xattr(&name).ok().map(|value| (name, value)));
        Ok(Self { looks, xattrs: xattrs.collect() })
    }

    /// Makes a new, empty folder an equal one. What only an administrator may set is left where that is refused.
    pub(crate) fn give(&self, dir: &dyn Dir) -> io::Result<()> {
        if let Some(owner) = self.looks.owner
            && dir.metadata()?.owner != Some(owner)
        {
            let _ = dir.set_owner(owner);
        }
        for (name, value) in &self.xattrs {
            let _ = dir.set_xattr(name, value);
        }
        dir.set_attributes(self.looks.attributes)?;
        self.looks.give_times(dir, &dir.metadata()?)
    }
}

impl FolderStamp {
    /// Gives a folder, which has `now`, these times as far as they are others and can be set.
    pub(crate) fn give_times(&self, dir: &dyn Dir, now: &Metadata) -> io::Result<()> {
        let modified = Some(self.modified).filter(|&wanted| wanted != now.modified);
        let created = self.created.filter(|&wanted| Some(wanted) != now.created);
        let settable = created.is_some() && dir.volume()?.created == CreatedTime::Settable;
        let created = created.filter(|_| settable);
        if modified.is_none() && created.is_none() {
            return Ok(());
        }
        match dir.set_times(Times { modified, created }) {
            // Only the owner may, so the folder has no date that this user could have taken from it on purpose.
            Err(e) if reason(&e) == OsReason::PermissionDenied && !fcs_sys::user::owns(now.owner) => Ok(()),
            other => other,
        }
    }
}

/// One name that the run may change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    /// The name, as bytes.
    pub(crate) name: Vec<u8>,
    /// What was there before; `None` if nothing.
    pub(crate) before: Option<FileStamp>,
    /// What is done with it.
    pub(crate) kind: StepKind,
}

/// The dates of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dates {
    /// Modified time.
    pub(crate) modified: Time,
    /// Created time, where it is known and can be set.
    pub(crate) created: Option<Time>,
}

/// What an item looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    /// What it is.
    pub(crate) kind: Kind,
    /// The file's number. Without the volume's, which changes from one mount to the next.
    pub(crate) file: (u64, u64),
    /// Size in bytes.
    pub(crate) size: u64,
    /// Modified time.
    pub(crate) modified: Time,
    /// Change time.
    pub(crate) changed: Option<Time>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// When.
    pub(crate) at: Time,
    /// How.
    pub(crate) how: EndKind,
    /// Steps that failed.
    pub(crate) failed: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndKind {
    /// All that could be done is done and stays.
    Kept,
    /// The user ended it early; what was done stays.
    Cancelled,
    /// It was interrupted and recovered; what was done stays.
    Recovered,
    /// It was rolled back, except for items that had changed since.
    PartlyUndone,
    /// It was rolled back.
    RolledBack,
}

impl FileStamp {
    /// As it is now.
    pub(crate) fn of(item: &Metadata) -> Self {
        (&item.fingerprint()).into()
    }

    /// Whether `self` has the outer looks of `other`: kind, size and modified time. A folder's own size and time
    /// change with what is in it and say nothing.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.kind == Kind::Folder || (self.size == other.size && self.modified == other.modified))
    }

    /// Whether it is the same item, unchanged. A link's time says nothing: no system can make it durable by itself.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same_link = self.kind == Kind::Symlink && other.kind == Kind::Symlink && self.size == other.size;
        self.file == other.file && (same_link || self.looks_like(other))
    }

    /// Whether it may be the same item, whatever was written to it since.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        let of_place = self.file.1 == FileId::OF_PLACE && other.file.1 == FileId::OF_PLACE;
        self.kind == other.kind && (of_place || self.file == other.file)
    }

    /// As [`FileStamp::is`], allowing for a rename by us in between: where numbers are a place's, looks must do.
    pub(crate) fn is_after_rename(&self, other: &Self) -> bool {
        let of_place = |seen: &Self| seen.file.1 == FileId::OF_PLACE;
        self.is(other) || of_place(self) && of_place(other) && self.looks_like(other)
    }
}

impl From<&Fingerprint> for FileStamp {
    fn from(f: &Fingerprint) -> Self {
        Self {
            kind: f.kind,
            file: (f.id.file, f.id.file_high),
            size: f.size,
            modified: f.modified,
            changed: f.changed,
        }
    }
}

impl StepRecord {
    /// The name, checked as any name that comes from a disk.
    pub(crate) fn name(&self) -> Option<Name> {
        checked_name(&self.name)
    }
}

/// A name that a journal tells, checked as any name that comes from a disk.
pub(crate) fn checked_name(bytes: &[u8]) -> Option<Name> {
    Name::new(bytes).ok().filter(|name| !name.is_reserved())
}

/// A path below the root that a journal tells, checked likewise: none of ours.
pub(crate) fn checked_path(bytes: &[u8]) -> Option<RelPath> {
    RelPath::parse(bytes).ok().filter(|path| !is_ours(path))
}

impl FolderRecord {
    /// The path, checked as any path that comes from a disk.
    pub(crate) fn path(&self) -> Option<RelPath> {
        checked_path(&self.path)
    }
}
