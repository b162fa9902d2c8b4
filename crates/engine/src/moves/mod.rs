//! Which items have another path on one side than on the other, so that whoever brings the sides together renames
//! instead of copying again.
//!
//! An item that only the left has and one that only the right has are taken for one item on three grounds: by the
//! memory of the pair, which knows the file by its number; because nothing else on either side has this size and date,
//! and the name or the folder agrees; or because every byte of both was read. A folder is one move where everything in
//! it is.
//!
//! The two paths may be ones that both sides have, with other files at them: names were handed on, or swapped. And a file
//! that the memory knows by its number may have been edited as well: then it moves, and is brought over.
//!
//! Invariants: in doubt an item has not moved: it is copied, which is never wrong. What could not be read, what clashes
//! and what a pattern hides is no candidate; only that it is the same file as one that is elsewhere is said, so that nobody removes that. What is said of a pair that did not change is what the comparison would say of
//! it at one path.
//!
//! This module must not know what is done about a move, nor which side is written to.

mod folders;
mod matching;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use fcs_sys::Root;

use crate::compare::{Comparison, Criteria, RowId, Side, read_pairs};
use crate::memory::Remembered;
use crate::settings::{ContentCheck, MoveChoice};
use crate::{Control, Error, Settings};

/// How it is known that two items are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The memory of the pair knows the file by its number.
    Number,
    /// Nothing else has this size and date, or everything around it in its folder moved too.
    Unique,
    /// Every byte of both was read and is equal.
    Hash,
}

/// An item that has one path on the left and another one on the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Its row on the left. The right lacks it, or has another file there.
    pub left: RowId,
    /// Its row on the right. The left lacks it, or has another file there.
    pub right: RowId,
    /// How that is known.
    pub why: Why,
    /// It is a folder, and everything in it has moved with it.
    pub is_folder: bool,
    /// The side that renamed it, where that is remembered.
    pub renamed: Option<Side>,
    /// It is in no folder that moves as one.
    pub is_top: bool,
    /// The side that renamed it also changed what is in it.
    pub is_changed: bool,
}

impl Move {
    /// A file that moves by itself.
    fn of_file(left: RowId, right: RowId, why: Why) -> Self {
        Self { left, right, why, is_folder: false, renamed: None, is_top: true, is_changed: false }
    }

    /// Its row on one side.
    pub fn on(&self, side: Side) -> RowId {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
}

/// All items of a comparison that have moved.
#[derive(Debug, Clone, Default)]
pub struct Moves {
    /// Files and folders, and what is in folders that move as one; sorted by their rows on the left.
    all: Vec<Move>,
    by_right: HashMap<RowId, usize>,
    /// Pairs that only their content can prove; sorted alike.
    unread: Vec<Move>,
    /// Why some of those could not be read.
    errors: Vec<Error>,
    /// Files that only one side has and that another file of the other side is, of which too little is known to move
    /// anything there: below a clash, or what could not be read. Left and right.
    blocked: Vec<(RowId, RowId)>,
}

/// Finds what has moved, reading nothing. Goes by `remembered` where the pair has a memory.
///
/// Where content is a criterion, or `moves = content`, some pairs have to be read first: see [`Moves::read`].
pub fn find(comparison: &Comparison, remembered: Option<&Remembered>, settings: &Settings) -> Moves {
    if settings.moves == MoveChoice::Off || !settings.compare_existence || comparison.cancelled {
        return Moves::default();
    }
    let candidates = matching::Candidates::of(comparison);
    let criteria = Criteria::of(&comparison.left, &comparison.right, settings);
    let found = if candidates.are_none() {
        matching::Found::default()
    } else {
        matching::find(comparison, &criteria, &candidates, remembered)
    };
    let blocked = matching::blocked(comparison, &criteria, &candidates, remembered, &found);
    if candidates.are_none() {
        return Moves { blocked, ..Moves::default() };
    }
    let content_counts = settings.compare_content != ContentCheck::Off;
    let size = |found: &Move| comparison.entry(found.left, Side::Left).map_or(0, |entry| entry.size);
    let mut all = found.sure;
    if settings.moves == MoveChoice::Content {
        all.extend(found.doubtful.into_iter().filter(|found| size(found) > 0));
    }
    keep_whole_chains(comparison, &mut all);
    let is_known =
        |found: &Move| found.why != Why::Hash && (!content_counts || found.is_changed || size(found) == 0);
    let (known, mut unread): (Vec<Move>, Vec<Move>) = all.into_iter().partition(is_known);
    unread.sort_unstable_by_key(|found| found.left);
    Moves { unread, blocked, ..Moves::of(comparison, &criteria, known) }
}

/// Whether one of the two paths of a move is one that both sides have.
pub(crate) fn is_in_chain(comparison: &Comparison, found: &Move) -> bool {
    comparison.node(found.left, Side::Right).is_some() || comparison.node(found.right, Side::Left).is_some()
}

/// Leaves only the moves of which each path that both sides have is one that another move leaves, and one that a move comes
/// to: whoever renames all of them takes a name from nothing else, and leaves none without its item. Not where one of
/// these files changed too: then it could not be both renamed and replaced under a name that is never without an item of
/// before or after.
pub(crate) fn keep_whole_chains(comparison: &Comparison, moves: &mut Vec<Move>) {
    let is_on_both = |row: RowId| {
        comparison.node(row, Side::Left).is_some() && comparison.node(row, Side::Right).is_some()
    };
    moves.retain(|found| !found.is_changed || !is_in_chain(comparison, found));
    loop {
        let ends = |side| moves.iter().map(|found| found.on(side)).collect::<HashSet<RowId>>();
        let [lefts, rights] = [Side::Left, Side::Right].map(ends);
        let count = moves.len();
        moves.retain(|found| {
            [found.left, found.right]
                .iter()
                .all(|row| !is_on_both(*row) || lefts.contains(row) && rights.contains(row))
        });
        if moves.len() == count {
            return;
        }
    }
}

impl Moves {
    /// Adds the folders in which everything is among these files.
    fn of(comparison: &Comparison, criteria: &Criteria<'_>, mut all: Vec<Move>) -> Self {
        keep_whole_chains(comparison, &mut all);
        all.sort_unstable_by_key(|found| found.left);
        let all = folders::with_folders(comparison, criteria, &all);
        let by_right = all.iter().enumerate().map(|(at, found)| (found.right, at)).collect();
        Self { all, by_right, ..Self::default() }
    }

    /// Whether nothing has moved.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Each move: folders as one, and the files that are in none of those.
    pub fn iter(&self) -> impl Iterator<Item = &Move> {
        self.all.iter().filter(|found| found.is_top)
    }

    /// The two rows of each item that has moved, those in folders that move as one among them, and those that cannot be moved
    /// because of what is at their new paths: what [`crate::directions::Knowledge`] asks for.
    pub fn rows(&self) -> Vec<(RowId, RowId)> {
        let all = self.all.iter().map(|found| (found.left, found.right));
        all.chain(self.blocked.iter().copied()).collect()
    }

    /// As [`Self::iter`], with everything in the folders. A folder comes before what is in it.
    pub(crate) fn all(&self) -> &[Move] {
        &self.all
    }

    /// The move that one side's item of a row is part of; of two, the left one's.
    pub fn of_row(&self, row: RowId) -> Option<&Move> {
        self.of_item(row, Side::Left).or_else(|| self.of_item(row, Side::Right))
    }

    /// The move that a side's item of a row is part of.
    pub fn of_item(&self, row: RowId, side: Side) -> Option<&Move> {
        let at = match side {
            Side::Left => self.all.binary_search_by_key(&row, |found| found.left).ok(),
            Side::Right => self.by_right.get(&row).copied(),
        };
        self.all.get(at?)
    }

    /// How many pairs only their content can prove, and how many bytes each side has of them.
    pub fn unread(&self, comparison: &Comparison) -> (u64, u64) {
        let sizes = self.unread.iter().filter_map(|found| comparison.entry(found.left, Side::Left));
        (self.unread.len() as u64, sizes.fold(0, |sum, entry| sum.saturating_add(entry.size)))
    }

    /// What could not be read; such a file is copied.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// Reads the pairs that only their content can prove, both files of each. What differs, changed since or could not
    /// be read, and all of them after a cancel, has not moved.
    #[must_use]
    pub fn read(
        self,
        comparison: &Comparison,
        roots: [&Root; 2],
        settings: &Settings,
        control: &Control,
    ) -> Self {
        if self.unread.is_empty() {
            return self;
        }
        let pairs: Vec<[RowId; 2]> = self.unread.iter().map(|found| [found.left, found.right]).collect();
        let read = read_pairs(comparison, roots, &pairs, settings, control);
        let is_file = |found: &Move| {
            comparison.entry(found.left, Side::Left).is_some_and(|entry| entry.kind == fcs_sys::Kind::File)
        };
        let mut known: Vec<Move> = self.all.into_iter().filter(is_file).collect();
        let equal = self.unread.into_iter().zip(read.are_equal).filter(|(_, is_equal)| *is_equal);
        known.extend(equal.map(|(found, _)| Move { why: Why::Hash, ..found }));
        let criteria = Criteria::of(&comparison.left, &comparison.right, settings);
        Self { errors: read.errors, blocked: self.blocked, ..Self::of(comparison, &criteria, known) }
    }
}
