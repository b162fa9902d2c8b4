//! What a comparison says: rows, verdicts, totals. Plain data.
//!
//! Invariant: a row's children are contiguous, and a row comes after the row of its folder. How rows come about is not
//! known here, nor what is done about them.

use std::sync::Arc;

use fcs_sys::Time;

use super::ContentRead;
use crate::settings::ContentCheck;
use crate::tree::{NodeId, Tree};
use crate::{Error, Note};

/// Which ways two items differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Differences {
    /// Sizes differ.
    pub size: bool,
    /// Created times are further apart than the tolerance.
    pub created: bool,
    /// Modified times are further apart than the tolerance.
    pub modified: bool,
    /// The bytes differ, or for links the text.
    pub content: bool,
    /// The names are one on a volume that is case-insensitive, and are spelled differently.
    pub spelling: bool,
}

/// What the comparison says about one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Equal by every criterion in force.
    Same,
    /// Only the left side has it.
    LeftOnly,
    /// Only the right side has it.
    RightOnly,
    /// Both have it, and it differs.
    Different(Differences),
    /// A file on one side, a folder (or link, or special file) on the other; or an item below such a folder. Items
    /// below are rows of their own, so that they can be seen, but are never merged with anything nor planned.
    KindClash,
    /// Two names on one side are one name on the other side's volume; or an item below such a folder. All names
    /// involved are clashes; none is picked. Two spelled alike on both sides share a row, for display.
    NameClash,
    /// It, or the folder it should be in, could not be read on at least one side; so nothing is known about it.
    Unreadable,
    /// A criterion could not be decided: content was asked for and could not be read. Holds even where another
    /// criterion already distinguishes the two.
    NotComparable,
}

/// Verdicts that are shown, counted and chosen together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// On both sides, and not the same.
    Different,
    /// On the left side only.
    LeftOnly,
    /// On the right side only.
    RightOnly,
    /// The same.
    Same,
    /// Clashes, and what could not be read or compared.
    Problem,
}

impl Group {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Different, Self::LeftOnly, Self::RightOnly, Self::Same, Self::Problem];
}

impl Verdict {
    /// The group it is in.
    pub fn group(self) -> Group {
        match self {
            Self::Same => Group::Same,
            Self::LeftOnly => Group::LeftOnly,
            Self::RightOnly => Group::RightOnly,
            Self::Different(_) => Group::Different,
            Self::KindClash | Self::NameClash | Self::Unreadable | Self::NotComparable => Group::Problem,
        }
    }
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first folder given.
    Left,
    /// The second.
    Right,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// A row's number in a [`Comparison`].
pub type RowId = u32;

/// One row: an item on the left, on the right, or both.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The items, the left first; [`NO_ITEM`] where there is none. As options they would take half as much again.
    items: [NodeId; 2],
    /// The folder's row; the root is its own parent.
    pub parent: RowId,
    /// First child row.
    pub first_child: RowId,
    /// Number of child rows.
    pub children: u32,
    /// What the comparison says.
    pub verdict: Verdict,
}

/// No tree has a folder of this number.
const NO_ITEM: NodeId = NodeId { folder: u32::MAX, child: 0 };

impl Row {
    /// A row without children.
    pub(super) fn new(left: Option<NodeId>, right: Option<NodeId>, parent: RowId, verdict: Verdict) -> Self {
        let items = [left, right].map(|item| item.unwrap_or(NO_ITEM));
        Self { items, parent, first_child: 0, children: 0, verdict }
    }

    /// The left item.
    pub fn left(&self) -> Option<NodeId> {
        Some(self.items[0]).filter(|item| *item != NO_ITEM)
    }

    /// The right item.
    pub fn right(&self) -> Option<NodeId> {
        Some(self.items[1]).filter(|item| *item != NO_ITEM)
    }
}

/// Counts over all rows but the root; the root has fields of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Rows.
    pub items: u64,
    /// Rows that are equal.
    pub same: u64,
    /// Rows that exist on both sides and differ.
    pub different: u64,
    /// The root folders themselves differ (in their times). Not counted in `different`.
    pub root_differs: bool,
    /// A root folder could not be read. Not counted in `unreadable`.
    pub root_unreadable: bool,
    /// Whether one-sided rows count as differences: the setting `compare_existence`.
    pub existence_counts: bool,
    /// Rows that only the left has.
    pub left_only: u64,
    /// Rows that only the right has.
    pub right_only: u64,
    /// Kind and name clashes.
    pub clashes: u64,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// Rows that could not be decided.
    pub not_comparable: u64,
    /// Content bytes of files that copying left to right would copy: different ones, and left-only ones if existence
    /// counts.
    pub bytes_left_to_right: u64,
    /// Content bytes of files that copying right to left would copy.
    pub bytes_right_to_left: u64,
}

impl Summary {
    /// What differs by the criteria in force: different and one-sided rows, clashes, the root. One-sided rows do not
    /// count when existence is no criterion.
    pub fn differences(&self) -> u64 {
        let one_sided = if self.existence_counts { self.left_only + self.right_only } else { 0 };
        self.different + one_sided + self.clashes + u64::from(self.root_differs)
    }

    /// What nothing can be said about: rows unreadable or not comparable, the root if unreadable.
    pub fn undecided(&self) -> u64 {
        self.unreadable + self.not_comparable + u64::from(self.root_unreadable)
    }

    /// Whether both trees are known to be equal by the criteria in force.
    pub fn identical(&self) -> bool {
        self.differences() == 0 && self.undecided() == 0
    }
}

/// The beginnings of the digests of two files, as far as content was compared by a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Digests {
    /// The row.
    pub row: RowId,
    /// First 8 bytes of the left file's digest.
    pub left: [u8; 8],
    /// First 8 bytes of the right file's digest.
    pub right: [u8; 8],
}

/// Two trees, paired.
#[derive(Debug)]
pub struct Comparison {
    /// The left side.
    pub left: Arc<Tree>,
    /// The right side.
    pub right: Arc<Tree>,
    /// Row 0 is the pair of roots. Breadth-first: a row comes after its folder's row.
    pub rows: Vec<Row>,
    /// Said once, such as a criterion that a volume cannot support. [`crate::Observer::note`] has been told too.
    pub notes: Vec<Note>,
    /// Sorted by row; only rows of which both files were read to the end with a hash.
    pub digests: Vec<Digests>,
    /// Content that could not be read.
    pub errors: Vec<Error>,
    /// Totals.
    pub summary: Summary,
    /// How content was read.
    pub content: ContentCheck,
    /// How much of it, and what was known without. Not stored with a comparison.
    pub content_read: ContentRead,
    /// When reading began.
    pub began: Time,
    /// Whether the work was cancelled; rows are then incomplete and must not be acted on.
    pub cancelled: bool,
}
