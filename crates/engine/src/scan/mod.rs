//! Walks trees: lists folders and asks for each item's metadata, by several workers, both sides at once.
//!
//! Invariant: whatever was listed is in the tree, and what could not be read is there as unreadable, also what a
//! look-up did not find. Nothing is reached by path: each folder is opened from the folder that
//! holds it. Depth, width and size are bounded by `max_items` alone: nothing here recurses, and the number of open
//! folders is bounded however the tree is shaped.
//!
//! Plain threads over one shared stack are used rather than `rayon`: a scan must take the newest folder first (that
//! keeps the frontier small), must end early for several reasons, and must never nest one folder's work on the stack
//! of another's, which is what a `rayon` worker does while it waits.
//!
//! This module must not know what a comparison is.

mod names;
mod overlap;
mod queue;
mod side;
mod worker;

use fcs_sys::{CaseRule, Root, VolumeFacts};

use self::side::Side;
use crate::filter::Filter;
use crate::progress::Phase;
use crate::tree::{NameOrder, Tree};
use crate::{Control, Error, ErrorKind, Op, Result, Settings};

/// Scans both roots at once with one set of workers.
///
/// An error only when a root itself cannot be examined, a side holds more than `max_items`, or a folder of one side is
/// one of the other too ([`ErrorKind::Overlap`]); anything else that
/// cannot be read is a fact in its tree. After a cancel both trees are returned with [`Tree::cancelled`] set.
pub fn scan_pair(
    left: &Root,
    right: &Root,
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<(Tree, Tree)> {
    scan_pair_as(left, right, [None, None], filter, settings, control)
}

/// As [`scan_pair`], where it was tried how a side's volume distinguishes names, left side first.
pub fn scan_pair_as(
    left: &Root,
    right: &Root,
    case: [Option<CaseRule>; 2],
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<(Tree, Tree)> {
    let (mut left_volume, mut right_volume) = (volume_of(left)?, volume_of(right)?);
    left_volume.case = case[0].unwrap_or(left_volume.case);
    right_volume.case = case[1].unwrap_or(right_volume.case);
    let order = NameOrder::for_pair(&left_volume, &right_volume);
    let mut sides = vec![Side::new(left, left_volume, order)?, Side::new(right, right_volume, order)?];
    // What is left alone on one side must not look superfluous on the other.
    let is_top = sides.iter().any(|side| side.is_top);
    sides.iter_mut().for_each(|side| side.is_top = is_top);
    let mut trees = scan_sides(sides, filter, settings, control)?.into_iter();
    match (trees.next(), trees.next()) {
        (Some(left), Some(right)) => match overlap::find(&left, &right) {
            Some(path) => Err(Error::new(Op::Compare, path, ErrorKind::Overlap)),
            None => Ok((left, right)),
        },
        _ => unreachable!("one tree per side"),
    }
}

/// Scans one root. Errors and cancel as in [`scan_pair`].
pub fn scan(
    root: &Root,
    order: NameOrder,
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<Tree> {
    let sides = vec![Side::new(root, volume_of(root)?, order)?];
    match scan_sides(sides, filter, settings, control)?.pop() {
        Some(tree) => Ok(tree),
        None => unreachable!("one tree per side"),
    }
}

fn volume_of(root: &Root) -> Result<VolumeFacts> {
    root.dir.volume().map_err(|e| Error::os(Op::AskVolume, &root.path, e))
}

fn scan_sides(
    sides: Vec<Side<'_>>,
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Tree>> {
    control.progress.enter(Phase::Scan);
    let cancelled = worker::run(&sides, filter, settings, control)?;
    Ok(sides.into_iter().map(|side| side.into_tree(cancelled)).collect())
}

#[cfg(test)]
mod tests;
