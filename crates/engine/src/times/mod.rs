//! Dates of items by themselves: read, set, copied and compared, whatever the content.
//!
//! [`read`], [`set`] and [`copy`] work on one plain path, at once and without a journal: for programs that
//! use this library. What a user asks for ([`plan_set`], [`plan_copy`], [`plan_repair`]) is planned and
//! carried out as a run, with a journal and an undo.
//!
//! Invariant: content is never written, and a link at the end of a path is never followed. What a volume
//! cannot store, or a system cannot set, is told. This module must not know how times are written or read as
//! text.

mod list;
mod pair;
mod path;
mod plan;
mod rows;
mod verify;

use fcs_sys::{CreatedTime, Metadata, Time, VolumeFacts};

pub use list::{Listed, Listing, Scope, join, list, root_of};
pub use pair::Exactness;
pub use path::{copy, read, set};
pub use plan::{Change, LeftAlone, LeftReason, Proposal, Task, plan_copy, plan_repair, plan_set};
pub use rows::ChosenRows;
pub use verify::{Difference, Verification, verify};

use crate::dates::{Changed, image};
use crate::tree::Entry;

/// When an item was created and when its content last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemTimes {
    /// When the content last changed.
    pub modified: Time,
    /// When the item was created, where the volume stores it.
    pub created: Option<Time>,
}

impl From<&Metadata> for ItemTimes {
    fn from(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified, created: metadata.created }
    }
}

impl From<&Entry> for ItemTimes {
    fn from(entry: &Entry) -> Self {
        Self { modified: entry.modified, created: entry.created() }
    }
}

/// One of the two dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DateKind {
    /// When the item was created.
    Created,
    /// When its content last changed.
    Modified,
}

/// Why an item does not have a date that it was to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotSetReason {
    /// The volume does not store this date.
    NotStored,
    /// The volume stores it, and this system cannot set it.
    NotSettable,
    /// The volume stores it in steps of this many nanoseconds, and cut it.
    Cut(u64),
    /// The volume cannot store a date so early or so late, and stored another one.
    OutOfRange,
    /// The system took the date and shows another one.
    Other,
}

/// A date that an item did not get as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct NotSet {
    /// Which.
    pub date: DateKind,
    /// Why.
    pub why: NotSetReason,
}

/// What setting dates came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimesSet {
    /// What the item has now, read back.
    pub now: ItemTimes,
    /// What it did not get; empty when all was set exactly.
    pub not_set: Vec<NotSet>,
}

impl DateKind {
    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Self::Created => "created time",
            Self::Modified => "modified time",
        }
    }
}

/// Why the created time cannot be set on a volume; `None` where it can.
pub fn created_unsettable(volume: &VolumeFacts) -> Option<NotSetReason> {
    match volume.created {
        CreatedTime::Settable => None,
        CreatedTime::ReadOnly => Some(NotSetReason::NotSettable),
        CreatedTime::Absent => Some(NotSetReason::NotStored),
    }
}

/// The steps, in nanoseconds, in which a volume stores modified and created times, as far as its file
/// system's name says. A created time that is not stored has none.
pub fn steps(volume: &VolumeFacts) -> (u64, Option<u64>) {
    let modified = volume.time_granularity_nanos.max(1);
    // FAT has a byte of its own for the created time, in hundredths of a second.
    let is_fat = matches!(&*volume.file_system, "vfat" | "msdos" | "FAT" | "FAT32");
    let created = if is_fat { 10_000_000 } else { modified };
    (modified, (volume.created != CreatedTime::Absent).then_some(created))
}

/// Why a date that was asked for is not the one that is shown; `None` if it is.
pub(crate) fn compared(date: DateKind, wanted: Time, shown: Option<Time>) -> Option<NotSet> {
    let why = match shown {
        Some(shown) if shown == wanted => return None,
        Some(shown) => match image(wanted, shown) {
            Some(Changed::Cut(step)) => NotSetReason::Cut(step),
            Some(Changed::OutOfRange) => NotSetReason::OutOfRange,
            None => NotSetReason::Other,
        },
        None => NotSetReason::NotStored,
    };
    Some(NotSet { date, why })
}
