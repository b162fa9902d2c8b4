//! Sets metadata of items and nothing else of them, so nothing is copied and nothing displaced: the dates of files of which
//! the comparison read both and found them equal; and dates, permission bits (Unix) or attributes (Windows) of files and
//! folders, and dates of links, as a plan says item by item.
//!
//! | at the name | then |
//! |---|---|
//! | the item, with those of before | not reached |
//! | the item, with all that it was to have | committed |
//! | the item, with some of both | it gets those of before |
//! | anything else | left alone |
//!
//! Undo gives the item what it had, if it is as the run left it. Folders are put in order before anything else is looked
//! at: recovery and undo lift permissions of folders to work in them, which must not be taken for what the run set.
//!
//! Invariant: metadata is set only while the item is what was compared, and only once it is durable what it had, so that
//! recovery and undo can tell and give it back.

mod carry_out;
mod link;
mod recover;

use std::io;
use std::sync::Arc;

use fcs_sys::{
    Access, Attributes, DirRef, Fingerprint, Handle, Kind, Metadata, Name, Protection, RelPath, Time, Times,
};
use serde::{Deserialize, Serialize};

pub(crate) use carry_out::{carry_out, carry_out_planned};
use link::Link;
pub(crate) use recover::settle_folders;

use crate::compare::{Comparison, RowId, Side};
use crate::history::Dates;
use crate::history::record::{FolderStamp, StepKind, StepRecord};
use crate::names::is_ours;
use crate::ops::{ItemChange, SingleItem, When, folder_stamp, step_record};
use crate::plan::file::OURS;
use crate::plan::{Plan, RootIndex};
use crate::report::ActionKind;

/// What of an item's metadata is set, or was there before. What is `None` is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemMetadata {
    /// Modified time.
    pub modified: Option<Time>,
    /// Created time; it is not set where the system cannot.
    pub created: Option<Time>,
    /// Permission bits on Unix, attribute bits on Windows: all of them. Set-user-id and set-group-id bits are given only to
    /// an item that has them already: nothing here tells whose program it is.
    pub attributes: Option<Attributes>,
}

/// One item of which metadata is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetadataChange {
    /// The root in which it is.
    pub root: RootIndex,
    /// Where it is, below the root.
    pub path: RelPath,
    /// What it looked like.
    pub expect: Fingerprint,
    /// What the folder looked like in which it is.
    pub folder: Fingerprint,
    /// What it gets.
    pub set: ItemMetadata,
    /// A flag that keeps everybody from changing it.
    pub protection: Option<Protection>,
}

impl Plan {
    /// Adds that the item which `side` has of `row`, a file or folder, gets this metadata. `false`, and nothing is added,
    /// where the plan does not write to that side, or that has no such item, or nothing is to be set. Of a folder in which the plan also works this is done last. An
    /// item that the plan also copies, moves or removes, or that is in one, is refused by the run.
    pub fn add_metadata(
        &mut self,
        comparison: &Comparison,
        side: Side,
        row: RowId,
        set: ItemMetadata,
    ) -> bool {
        let root = RootIndex::from(side);
        let parent = comparison.row(row).parent;
        let (Some(item), Some(folder)) = (comparison.entry(row, side), comparison.entry(parent, side)) else {
            return false;
        };
        let can_be = matches!(item.kind, Kind::File | Kind::Folder) && row != Comparison::ROOT;
        if !can_be || set == ItemMetadata::default() {
            return false;
        }
        self.add_change(ItemChange::SetMetadata(MetadataChange {
            root,
            path: comparison.path_on(row, side),
            expect: item.fingerprint(),
            folder: folder.fingerprint(),
            set,
            protection: item.protection(),
        }))
    }
}

impl SingleItem for MetadataChange {
    fn action(&self) -> ActionKind {
        ActionKind::SetMetadata
    }

    fn root(&self) -> RootIndex {
        self.root
    }

    fn path(&self) -> &RelPath {
        &self.path
    }

    fn when(&self) -> When {
        When::AtTheEnd
    }

    fn forbidden(&self) -> Option<&'static str> {
        (self.path.is_root() || is_ours(&self.path)).then_some(OURS)
    }

    fn step(&self) -> Option<(RelPath, FolderStamp, StepRecord)> {
        let (folder, name) = self.path.split()?;
        let step = step_record(&name, Some(&self.expect), StepKind::SetMetadata);
        Some((folder, folder_stamp(&self.folder, None), step))
    }
}

impl ItemMetadata {
    /// What an item has of that which `other` sets.
    fn of(now: &Metadata, other: &Self) -> Self {
        Self {
            modified: other.modified.map(|_| now.modified),
            created: other.created.and(now.created),
            attributes: other.attributes.map(|_| now.attributes),
        }
    }

    fn dates(&self) -> Option<Dates> {
        Some(Dates { modified: self.modified?, created: self.created })
    }

    fn times(&self) -> Times {
        Times { modified: self.modified, created: self.created }
    }

    /// Sets it. Permissions before dates: where they are refused, nothing is changed.
    fn give(&self, item: &dyn Handle) -> io::Result<()> {
        if let Some(attributes) = self.attributes {
            item.set_attributes(attributes)?;
        }
        if self.modified.is_some() || self.created.is_some() {
            item.set_times(self.times())?;
        }
        Ok(())
    }
}

impl From<Dates> for ItemMetadata {
    fn from(dates: Dates) -> Self {
        Self { modified: Some(dates.modified), created: dates.created, attributes: None }
    }
}

/// Opens an item of this kind to set its metadata; a link only where its dates are its own.
fn open(dir: &DirRef, name: &Name, kind: Kind) -> io::Result<Arc<dyn Handle>> {
    Ok(match kind {
        Kind::Folder => dir.open_dir(name)?,
        Kind::Symlink => Arc::new(Link { dir: dir.clone(), name: name.clone() }),
        _ => dir.open_file(name, Access::SetTimes)?,
    })
}
