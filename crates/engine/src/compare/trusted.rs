//! What a memory of the two folders knows of files that have not changed since, so that they are not read.
//!
//! Invariant: a pair counts as equal without being read only if every byte of both was read once and found equal, not
//! too long ago, and both files still are the very ones that were seen then: same kind, size, modified and change time,
//! and number; and they had rested by then. Where change times prove nothing, nothing is trusted. What is trusted is a
//! criterion of a comparison, and never evidence of a copy. This module must not know where a memory is kept.

use fcs_sys::{Fingerprint, Time};

use super::again::{is_settled, proves_changes};
use super::{Row, RowId, Side};
use crate::memory::{Grade, Remembered, Stamp};
use crate::tree::Tree;

/// A memory that is believed.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// The memory of these two folders, whose stamps have the numbers that their volumes have now.
    pub remembered: &'a Remembered,
    /// Pairs that were read before this are read again.
    pub since: Time,
}

/// The candidates that have to be read; the others are equal.
pub(super) fn unread(
    trusted: Trusted<'_>,
    trees: [&Tree; 2],
    rows: &[Row],
    mut candidates: Vec<RowId>,
) -> Vec<RowId> {
    if trees.iter().all(|tree| proves_changes(&tree.volume)) {
        candidates.retain(|&row| !is_known_equal(trusted, trees, &rows[row as usize]));
    }
    candidates
}

fn is_known_equal(trusted: Trusted<'_>, [left, right]: [&Tree; 2], row: &Row) -> bool {
    let (Some(at_left), Some(at_right)) = (row.left(), row.right()) else { return false };
    let Some(known) = trusted.remembered.get(&left.path(at_left)) else { return false };
    let is_it =
        |side, seen: Fingerprint| *known.on(side) == Stamp::from(&seen) && is_settled(&seen, known.seen);
    known.grade >= Grade::Cache
        && known.seen >= trusted.since
        && is_it(Side::Left, left.entry(at_left).fingerprint())
        && is_it(Side::Right, right.entry(at_right).fingerprint())
}
