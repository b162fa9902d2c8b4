//! Which rows are ticked, on each side by itself. A tick on a side means: this side's item is what is to be copied, or
//! removed.
//!
//! Invariant: a row is ticked on a side only if that side has an item there and enough is known about the row to act on
//! it. Clashes of names, unreadable and not comparable rows are never ticked, neither with many nor alone: the engine would
//! do nothing with them but note that they were skipped. Where two kinds clash only a click on that very row ticks it, and
//! then everything in it, because it goes whole or not at all. Ticks do not depend on what is visible, open or sorted. What acts
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

/// What a box shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    Off,
    /// Some of what could be acted on is ticked, not all.
    Partly,
    /// A tick.
    On,
}

/// The ticks of both sides.
#[derive(Debug, Clone)]
pub struct Selection {
    index: Arc<Index>,
    /// Rows that can be acted on here: what a folder stands for, and what its mark is about.
    work: Arc<Bits>,
    ticked: [Bits; 2],
    partly: [Bits; 2],
    /// Rows whose box shows a tick.
    full: [Bits; 2],
    counts: [u32; 2],
}

impl Selection {
    /// Nothing is ticked; everything can be acted on that a copy or a removal could do something about.
    pub fn new(index: Arc<Index>) -> Self {
        let work = Arc::new(index.work().clone());
        Self::within(index, work)
    }

    /// Nothing is ticked; only this can be acted on.
    pub(crate) fn within(index: Arc<Index>, work: Arc<Bits>) -> Self {
        let none = Bits::none(index.rows());
        let both = || [none.clone(), none.clone()];
        Self { index, work, ticked: both(), partly: both(), full: both(), counts: [0, 0] }
    }

    /// Whether a row has a box to tick on a side.
    pub fn can_tick(&self, row: RowId, side: Side) -> bool {
        self.index.on(side).has(row) && (self.index.known().has(row) || self.index.clashes().has(row))
    }

    /// Whether a row is ticked on a side.
    pub fn is_ticked(&self, row: RowId, side: Side) -> bool {
        self.ticked[side as usize].has(row)
    }

    /// What a row's box shows. One rule for files and folders, whatever was clicked to get there: of the row and all
    /// below it something is ticked, and something that could be acted on is not (partly), or is not left (on).
    pub fn mark(&self, row: RowId, side: Side) -> Mark {
        if self.partly[side as usize].has(row) {
            Mark::Partly
        } else if self.full[side as usize].has(row) {
            Mark::On
        } else {
            Mark::Off
        }
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

    /// What a click on a box does. Does nothing to a row without one. A box that shows a part is completed; where the
    /// filter hides what is missing, so that a click could add nothing, it is cleared.
    pub fn toggle(&mut self, row: RowId, side: Side, matching: &Bits) -> Change {
        match self.mark(row, side) {
            Mark::On => self.untick(row, side),
            Mark::Off => self.tick(row, side, matching),
            Mark::Partly => match self.tick(row, side, matching) {
                Change { ticked: 0, .. } => self.untick(row, side),
                change => change,
            },
        }
    }

    /// Ticks a row, the same or not, and of a folder all that is below and could be acted on.
    pub fn tick(&mut self, row: RowId, side: Side, matching: &Bits) -> Change {
        if !self.can_tick(row, side) {
            return Change::default();
        }
        let mut change = self.tick_below(row, side, matching);
        // The row itself was clicked, so it counts whether or not it differs or matches; but a folder that is the same
        // stands for what is in it: nothing would be done with it, and it would be one more in every count.
        let stands_for_others = !self.work.has(row) && self.has_work_below(row, side);
        if !stands_for_others && self.ticked[side as usize].add(row) {
            change.ticked += 1;
        }
        change.ticked += self.tick_clash(row, side);
        if self.work.has(row) && !matching.has(row) {
            change.left_out -= 1;
        }
        self.counts[side as usize] += change.ticked;
        self.draw_marks(side);
        change
    }

    /// Ticks rows one by one, with nothing that is below them, as far as they have boxes. What is of two kinds has
    /// everything below it, as ever.
    pub(crate) fn tick_alone(&mut self, rows: &[RowId], side: Side) {
        for &row in rows {
            if self.can_tick(row, side) {
                let itself = u32::from(self.ticked[side as usize].add(row));
                self.counts[side as usize] += itself + self.tick_clash(row, side);
            }
        }
        self.draw_marks(side);
    }

    /// Ticks what is below a row of two kinds, where it is one: half of a folder must not take the place of a file.
    fn tick_clash(&mut self, row: RowId, side: Side) -> u32 {
        if !self.index.clashes().has(row) {
            return 0;
        }
        let (ticked, on) = (&mut self.ticked[side as usize], self.index.on(side));
        self.index.below(row).map(|level| ticked.add_common(level, &[on])).sum()
    }

    /// Whether something below a row could be acted on.
    fn has_work_below(&self, row: RowId, side: Side) -> bool {
        let sets = [self.index.on(side), &*self.work];
        self.index.below(row).skip(1).any(|level| Bits::count_common(level, &sets) > 0)
    }

    /// Content bytes of the files ticked on a side.
    pub fn bytes_ticked(&self, side: Side) -> u64 {
        let file = |row| self.index.entry(row, side).filter(|entry| entry.kind == Kind::File);
        self.ticked(side).iter().filter_map(file).fold(0, |sum, entry| entry.size.saturating_add(sum))
    }

    /// Unticks a row, all below it, whether the filter matches it or not, and all folders above it. What lies in an item of
    /// two kinds goes with it or not at all, so all of that is unticked.
    pub fn untick(&mut self, row: RowId, side: Side) -> Change {
        let is_clash = |row: &RowId| self.index.clashes().has(*row);
        let row = std::iter::once(row).chain(self.index.above(row)).find(is_clash).unwrap_or(row);
        let ticked = &mut self.ticked[side as usize];
        let mut unticked: u32 = self.index.below(row).map(|level| ticked.remove_range(level)).sum();
        unticked += self.index.above(row).map(|folder| u32::from(ticked.remove(folder))).sum::<u32>();
        self.counts[side as usize] -= unticked;
        self.draw_marks(side);
        Change { unticked, ..Change::default() }
    }

    /// Select All Differences: ticks of one side exactly what could be acted on and the filter matches.
    pub fn tick_all_differences(&mut self, side: Side, matching: &Bits) -> Change {
        let cleared = self.clear(side);
        let change = self.tick_below(Comparison::ROOT, side, matching);
        self.counts[side as usize] += change.ticked;
        self.draw_marks(side);
        Change { unticked: cleared.unticked, ..change }
    }

    /// Clear All: unticks everything on one side, what the filter hides included.
    pub fn clear(&mut self, side: Side) -> Change {
        self.ticked[side as usize].clear();
        self.partly[side as usize].clear();
        self.full[side as usize].clear();
        Change { unticked: std::mem::take(&mut self.counts[side as usize]), ..Change::default() }
    }

    /// Bytes of memory in use, the index's not included.
    pub fn bytes(&self) -> usize {
        self.ticked.iter().chain(&self.partly).chain(&self.full).map(Bits::bytes).sum()
    }

    /// For all rows at once, so that drawing one costs nothing: a few milliseconds for a million rows.
    fn draw_marks(&mut self, side: Side) {
        let ticked = &self.ticked[side as usize];
        let mut missing = (*self.work).clone();
        missing.keep(self.index.on(side));
        missing.drop_all(ticked);
        let missing = self.index.with_above(&missing);
        let mut partly = self.index.with_above(ticked);
        let mut full = partly.clone();
        full.drop_all(&missing);
        partly.keep(&missing);
        (self.partly[side as usize], self.full[side as usize]) = (partly, full);
    }

    fn tick_below(&mut self, row: RowId, side: Side, matching: &Bits) -> Change {
        let ticked = &mut self.ticked[side as usize];
        let (on, work) = (self.index.on(side), &*self.work);
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
