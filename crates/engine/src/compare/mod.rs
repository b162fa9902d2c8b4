//! Pairs two scanned trees: one pass over both, in the order both are sorted by.
//!
//! Invariant: rows are the union of both sides in a hierarchy that never changes afterwards; a row's children are
//! contiguous and in the order of names. Nothing counts as absent or same because it could not be read. Content is
//! read only for files that exist on both sides with equal size.
//!
//! This module must not know what is done about a difference.

mod again;
mod dates;
mod pair;
mod rows;

use std::sync::Arc;

use fcs_sys::{Root, Time};

use crate::content::{self, Verdicts};
use crate::progress::Phase;
use crate::settings::ContentCheck;
use crate::tree::{NodeId, Tree};
use crate::{Control, Error, ErrorKind, Op, Result, Settings};

pub(crate) use pair::{duration_words, keeps_permissions};
pub use rows::Walk;

/// Which ways two items differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Differences {
    /// Sizes differ.
    pub size: bool,
    /// Created times are further apart than the tolerance.
    pub created: bool,
    /// Modified times are further apart than the tolerance.
    pub modified: bool,
    /// The bytes differ, or for links the text.
    pub content: bool,
    /// The names are one on a volume that does not tell capital letters from small ones, and are spelled differently.
    pub spelling: bool,
}

/// What the comparison says about one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// criterion already tells the two apart.
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
    /// The left item.
    pub left: Option<NodeId>,
    /// The right item.
    pub right: Option<NodeId>,
    /// The folder's row; the root is its own parent.
    pub parent: RowId,
    /// First child row.
    pub first_child: RowId,
    /// Number of child rows.
    pub children: u32,
    /// What the comparison says.
    pub verdict: Verdict,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    pub notes: Vec<String>,
    /// Sorted by row; only rows of which both files were read to the end with a hash.
    pub digests: Vec<Digests>,
    /// Content that could not be read.
    pub errors: Vec<Error>,
    /// Totals.
    pub summary: Summary,
    /// How content was read.
    pub content: ContentCheck,
    /// When reading began.
    pub began: Time,
    /// Whether the work was cancelled; rows are then incomplete and must not be acted on.
    pub cancelled: bool,
}

/// Compares two trees that were scanned in one order, by the criteria in `settings`.
///
/// After a cancel (of the scan or of the comparison) [`Comparison::cancelled`] is set. The only error is more items
/// on both sides together than row numbers can count.
///
/// # Panics
///
/// If the trees were scanned in different orders: pairing them would make present items look absent.
pub fn compare(
    left: (&Root, Arc<Tree>),
    right: (&Root, Arc<Tree>),
    settings: &Settings,
    control: &Control,
) -> Result<Comparison> {
    compare_after(None, left, right, settings, control)
}

/// As [`compare`], except that content which an earlier comparison of the same folders read is not read again where
/// neither file changed since.
///
/// # Panics
///
/// As [`compare`].
pub fn compare_after(
    before: Option<&Comparison>,
    left: (&Root, Arc<Tree>),
    right: (&Root, Arc<Tree>),
    settings: &Settings,
    control: &Control,
) -> Result<Comparison> {
    let began = Time::now();
    assert_eq!(left.1.order(), right.1.order(), "both trees must be sorted alike");
    if left.1.items() + right.1.items() >= u64::from(RowId::MAX) {
        return Err(Error::new(Op::Compare, &left.0.path, ErrorKind::TooManyItems));
    }
    control.progress.enter(Phase::Compare);
    let ((left_root, left), (right_root, right)) = (left, right);
    let mut notes = pair::notes(&left, &right, settings);
    let paired = pair::pair(&left, &right, settings, control);
    notes.extend(paired.notes);
    notes.extend(pair::spelling_note(&paired.rows, &left, &right));
    notes.extend(pair::let_pass_note(paired.let_pass, settings));
    notes.extend(pair::permissions_note(&paired.rows, &left, &right));
    let mut cancelled = paired.cancelled || left.cancelled || right.cancelled;
    let mut rows = paired.rows;
    let mut verdicts = Verdicts::default();
    if settings.compare_content != ContentCheck::Off && !cancelled {
        let sides = content::Sides { roots: [left_root, right_root], trees: [&*left, &*right] };
        let (unread, known) = match before {
            Some(before) => {
                let trees = (&*left, &*right);
                again::take_over(before, settings.compare_content, trees, &rows, paired.candidates)
            }
            None => (paired.candidates, Verdicts::default()),
        };
        verdicts = content::compare_files(&sides, &rows, &unread, settings, control);
        verdicts.absorb(known);
        cancelled |= verdicts.cancelled;
    }
    pair::apply(&mut rows, &verdicts);
    for note in &notes {
        control.observer.note(note);
    }
    let summary = pair::summarise(&rows, &left, &right, settings);
    Ok(Comparison {
        left,
        right,
        rows,
        notes,
        digests: verdicts.digests,
        errors: verdicts.errors,
        summary,
        content: settings.compare_content,
        began,
        cancelled,
    })
}

#[cfg(test)]
mod tests;
