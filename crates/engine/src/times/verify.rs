//! Whether two places have the same dates.
//!
//! Invariant: nothing is changed, no content is read.

use std::path::Path;

use fcs_sys::{Kind, RelPath, Root};

use super::list::Scope;
use super::pair::{Exactness, Pairs};
use super::{ItemTimes, LeftAlone};
use crate::session::SessionError;
use crate::{Control, Error, Note, Settings};

/// An item whose dates differ.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Below the right root.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// What the left one has.
    pub left: ItemTimes,
    /// What the right one has.
    pub right: ItemTimes,
    /// The created times differ.
    pub created: bool,
    /// The modified times differ.
    pub modified: bool,
}

/// What comparing the dates of two places has shown.
#[derive(Debug)]
pub struct Verification {
    /// The left folder, or the one that holds the left item.
    pub left: Root,
    /// The right one.
    pub right: Root,
    /// How many items both have whose dates were compared.
    pub compared: u64,
    /// Those that differ.
    pub differences: Vec<Difference>,
    /// Items that only the left side has, and that only the right side has.
    pub only: [Vec<RelPath>; 2],
    /// What was not compared.
    pub left_alone: Vec<LeftAlone>,
    /// What could not be read.
    pub errors: Vec<Error>,
    /// Worth knowing, said once.
    pub notes: Vec<Note>,
    /// Modified times that are less than this far apart are one to the coarser volume.
    pub step_nanos: u64,
    /// The work was cancelled, so the list is not complete.
    pub cancelled: bool,
}

/// Compares the dates of two files, two folders or two trees.
///
/// # Errors
///
/// Where a path cannot be opened or compared, or they are not of one kind.
pub fn verify(
    left: &Path,
    right: &Path,
    scope: Scope<'_>,
    exactness: Exactness,
    settings: &Settings,
    control: &Control,
) -> Result<Verification, SessionError> {
    Pairs::of([left, right], scope, exactness, settings, control).map(of_pairs)
}

pub(super) fn of_pairs(found: Pairs) -> Verification {
    let differing = found.both.iter().filter(|pair| pair.differs());
    let differences = differing.map(|pair| {
        let [left, right] = Pairs::times(pair);
        let (path, kind) = (pair.right.0.clone(), pair.right.1.kind);
        Difference { path, kind, left, right, created: pair.created, modified: pair.modified }
    });
    Verification {
        compared: found.both.len() as u64,
        differences: differences.collect(),
        only: found.only,
        left_alone: found.left_alone,
        errors: found.errors,
        notes: found.notes,
        step_nanos: found.step_nanos,
        cancelled: found.cancelled,
        left: found.left,
        right: found.right,
    }
}
