//! Which rows are ticked, on each side by itself. A tick on a side means: this side's item is what is to be copied, or
//! removed.
//!
//! Invariant: a row is ticked on a side only if that side has an item there and enough is known about the row to act on
//! it. Clashes, unreadable and not comparable rows are never ticked, neither with many nor alone: the engine would do
//! nothing with them but note that they were skipped. Ticks do not depend on what is visible, open or sorted. What acts
//! on many rows ticks only what the filter matches, and says how much it left out; but it unticks everything, because
//! nothing may be copied that the user believes unticked. This module must not know the filter, only its matches.

use std::sync::Arc;

use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_sys::Kind;

use crate::bits::Bits;
use crate::index::Index;

/// What a click or a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Rows that were not ticked before.
    pub ticked: u32,
    /// Rows that are not ticked any more.
    pub unticked: u32,
    /// Rows that would have been ticked too if the filter matched them.
    pub left_out: u32,
}

/// The ticks of both sides.
#[derive(Debug, Clone)]
pub struct Selection {
    index: Arc<Index>,
    ticked: [Bits; 2],
    partly: [Bits; 2],
    counts: [u32; 2],
}

impl Selection {
    /// Nothing is ticked.
    pub fn new(index: Arc<Index>) -> Self {
        let none = Bits::none(index.rows());
        Self { index, ticked: [none.clone(), none.clone()], partly: [none.clone(), none], counts: [0, 0] }
    }

    /// Whether a row has a box to tick on a side.
    pub fn can_tick(&self, row: RowId, side: Side) -> bool {
        self.index.on(side).has(row) && self.index.known().has(row)
    }

    /// Whether a row is ticked on a side.
    pub fn is_ticked(&self, row: RowId, side: Side) -> bool {
        self.ticked[side as usize].has(row)
    }

    /// Whether a row's box shows neither a tick nor nothing: a folder without a tick that has ticks below it, or one
    /// with a tick below which something that could be acted on has none, as a filter can leave it.
    pub fn is_partly(&self, row: RowId, side: Side) -> bool {
        self.partly[side as usize].has(row)
    }

    /// The rows ticked on a side.
    pub fn ticked(&self, side: Side) -> &Bits {
        &self.ticked[side as usize]
    }

    /// How many rows are ticked on a side.
    pub fn count(&self, side: Side) -> u32 {
        self.counts[side as usize]
    }

    /// What [`fcs_engine::plan::plan`] takes: whether a row is ticked on the side that is read, or, for
    /// [`fcs_engine::plan::plan_orphans`], on the side that loses items.
    pub fn selected(&self, side: Side) -> impl Fn(RowId) -> bool + '_ {
        move |row| self.is_ticked(row, side)
    }

    /// What a click on a box does. Does nothing to a row without one.
    pub fn toggle(&mut self, row: RowId, side: Side, matching: &Bits) -> Change {
        if self.is_ticked(row, side) { self.untick(row, side) } else { self.tick(row, side, matching) }
    }

    /// Ticks a row, the same or not, and of a folder all that is below and could be acted on.
    pub fn tick(&mut self, row: RowId, side: Side, matching: &Bits) -> Change {
        if !self.can_tick(row, side) {
            return Change::default();
        }
        let mut change = self.tick_below(row, side, matching);
        // The row itself was clicked, so it counts whether or not it differs or matches.
        if self.ticked[side as usize].add(row) {
            change.ticked += 1;
        }
        if self.index.work().has(row) && !matching.has(row) {
            change.left_out -= 1;
        }
        self.counts[side as usize] += change.ticked;
        self.mark_partly(side);
        change
    }

    /// Ticks one row and nothing else, if it has a box.
    pub(crate) fn tick_alone(&mut self, row: RowId, side: Side) {
        if self.can_tick(row, side) && self.ticked[side as usize].add(row) {
            self.counts[side as usize] += 1;
        }
    }

    /// Content bytes of the files ticked on a side.
    pub fn bytes_ticked(&self, side: Side) -> u64 {
        let file = |row| self.index.entry(row, side).filter(|entry| entry.kind == Kind::File);
        self.ticked(side).iter().filter_map(file).fold(0, |sum, entry| entry.size.saturating_add(sum))
    }

    /// Unticks a row, all below it, whether the filter matches it or not, and all folders above it.
    pub fn untick(&mut self, row: RowId, side: Side) -> Change {
        let ticked = &mut self.ticked[side as usize];
        let mut unticked: u32 = self.index.below(row).map(|level| ticked.remove_range(level)).sum();
        unticked += self.index.above(row).map(|folder| u32::from(ticked.remove(folder))).sum::<u32>();
        self.counts[side as usize] -= unticked;
        self.mark_partly(side);
        Change { unticked, ..Change::default() }
    }

    /// Select All Differences: ticks of one side exactly what could be acted on and the filter matches.
    pub fn tick_all_differences(&mut self, side: Side, matching: &Bits) -> Change {
        let cleared = self.clear(side);
        let change = self.tick_below(Comparison::ROOT, side, matching);
        self.counts[side as usize] += change.ticked;
        self.mark_partly(side);
        Change { unticked: cleared.unticked, ..change }
    }

    /// Clear All: unticks everything on one side, what the filter hides included.
    pub fn clear(&mut self, side: Side) -> Change {
        self.ticked[side as usize].clear();
        self.partly[side as usize].clear();
        Change { unticked: std::mem::take(&mut self.counts[side as usize]), ..Change::default() }
    }

    /// Bytes of memory in use, the index's not included.
    pub fn bytes(&self) -> usize {
        self.ticked.iter().chain(&self.partly).map(Bits::bytes).sum()
    }

    /// For all folders at once, so that drawing one costs nothing: a few milliseconds for a million rows.
    fn mark_partly(&mut self, side: Side) {
        let ticked = &self.ticked[side as usize];
        let mut unticked = self.index.work().clone();
        unticked.keep(self.index.on(side));
        unticked.drop_all(ticked);
        let mut partly = self.index.with_above(&unticked);
        partly.keep(ticked);
        let mut without = self.index.with_above(ticked);
        without.drop_all(ticked);
        partly.join(&without);
        self.partly[side as usize] = partly;
    }

    fn tick_below(&mut self, row: RowId, side: Side, matching: &Bits) -> Change {
        let ticked = &mut self.ticked[side as usize];
        let (on, work) = (self.index.on(side), self.index.work());
        let mut change = Change::default();
        for level in self.index.below(row) {
            let all = Bits::count_common(level.clone(), &[on, work]);
            change.left_out += all - Bits::count_common(level.clone(), &[on, work, matching]);
            change.ticked += ticked.add_common(level, &[on, work, matching]);
        }
        change
    }
}

#[cfg(test)]
mod tests;
