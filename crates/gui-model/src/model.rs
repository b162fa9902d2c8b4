//! What one window holds: rows, selection, cursor.
//!
//! Invariant: the cursor is on a visible row. What acts on many rows is given the matches of the filter in force, and
//! never others. A change of ticks, however large, can be undone. This module must not know how any of it is drawn.

use std::collections::VecDeque;
use std::sync::Arc;

use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_engine::directions::Choice;

use crate::bits::Bits;
use crate::carry::Memory;
use crate::directed::Directed;
use crate::filter::Filter;
use crate::index::Index;
use crate::moves::{self, Move};
use crate::rows::Rows;
use crate::selection::{Change, Selection};
use crate::sort::{Column, Sort};

/// So many changes of ticks can be undone: each costs less than a byte a row.
const MOST_PAST: usize = 16;

/// The state of a window over one comparison. After another comparison there is another model.
#[derive(Debug)]
pub struct Model {
    rows: Rows,
    selection: Selection,
    /// The ticks before each of the last changes, the latest last.
    past: VecDeque<Selection>,
    cursor: RowId,
}

impl Model {
    /// Everything as it is at first: the root open, nothing ticked, nothing hidden.
    pub fn new(comparison: Arc<Comparison>) -> Self {
        Self::over(Arc::new(Index::new(comparison)))
    }

    /// The rows to draw.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The ticks.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The row that keys act on.
    pub fn cursor(&self) -> RowId {
        self.cursor
    }

    /// Puts the cursor on a row, or if that is not visible on the nearest folder above.
    pub fn set_cursor(&mut self, row: RowId) {
        self.cursor = self.rows.nearest(row);
    }

    /// Moves the cursor.
    pub fn go(&mut self, step: Move) {
        self.cursor = moves::go(&mut self.rows, self.cursor, step);
    }

    /// Moves the cursor to the next difference below; whether there is one.
    pub fn next_difference(&mut self) -> bool {
        let found = moves::next_difference(&mut self.rows, self.cursor);
        self.cursor = found.unwrap_or(self.cursor);
        found.is_some()
    }

    /// Moves the cursor to the next difference above; whether there is one.
    pub fn previous_difference(&mut self) -> bool {
        let found = moves::previous_difference(&mut self.rows, self.cursor);
        self.cursor = found.unwrap_or(self.cursor);
        found.is_some()
    }

    /// Moves the cursor to the next visible row whose name begins with a text, see [`moves::find_prefix`]; whether there
    /// is one.
    pub fn go_to_prefix(&mut self, prefix: &str, onward: bool) -> bool {
        let found = moves::find_prefix(&self.rows, self.cursor, prefix, onward);
        self.cursor = found.unwrap_or(self.cursor);
        found.is_some()
    }

    /// Opens or closes a folder.
    pub fn set_open(&mut self, row: RowId, open: bool) {
        self.rows.set_open(row, open);
        self.set_cursor(self.cursor);
    }

    /// Opens all folders.
    pub fn open_all(&mut self) {
        self.rows.open_all();
    }

    /// Closes all folders but the root.
    pub fn close_all(&mut self) {
        self.rows.close_all();
        self.set_cursor(self.cursor);
    }

    /// Sorts by a column, or if it is sorted by that already, the other way round.
    pub fn sort_by(&mut self, column: Column) {
        self.set_sort(self.rows.sort().clicked(column));
    }

    /// Sorts the files of each folder.
    pub fn set_sort(&mut self, sort: Sort) {
        self.rows.set_sort(sort);
    }

    /// Shows what a filter matches.
    pub fn set_filter(&mut self, filter: &Filter) {
        self.rows.set_filter(filter);
        self.set_cursor(self.cursor);
    }

    /// What is to be done with each row, where a mode says so.
    pub fn directed(&self) -> Option<&Arc<Directed>> {
        self.rows.directed()
    }

    /// Shows what is to be done with each row, or nothing of the kind.
    pub fn set_directed(&mut self, directed: Option<Arc<Directed>>) {
        self.rows.set_directed(directed);
        self.set_cursor(self.cursor);
    }

    /// Decides by hand about rows; how many these are. Nothing where no mode is in force.
    pub fn choose(&mut self, rows: &Bits, choice: Option<Choice>) -> u32 {
        let Some(mut directed) = self.rows.directed().map(Arc::clone) else { return 0 };
        let changed = Arc::make_mut(&mut directed).choose(rows, choice);
        self.rows.redirect(directed);
        changed
    }

    /// What a click on a box does: see [`Selection::toggle`].
    pub fn toggle(&mut self, row: RowId, side: Side) -> Change {
        self.change(|selection, matching| selection.toggle(row, side, matching))
    }

    /// Select All Differences on a side: see [`Selection::tick_all_differences`].
    pub fn tick_all_differences(&mut self, side: Side) -> Change {
        self.change(|selection, matching| selection.tick_all_differences(side, matching))
    }

    /// Clear All on a side.
    pub fn clear(&mut self, side: Side) -> Change {
        self.change(|selection, _| selection.clear(side))
    }

    /// Undoes the latest change of ticks that was not yet undone; whether there was
    /// one.
    pub fn undo_ticks(&mut self) -> bool {
        let Some(before) = self.past.pop_back() else { return false };
        self.selection = before;
        true
    }

    /// Unticks everything because it is done: that cannot be undone.
    pub fn discard_ticks(&mut self) {
        for side in [Side::Left, Side::Right] {
            self.selection.clear(side);
        }
        self.past.clear();
    }

    fn change(&mut self, act: impl FnOnce(&mut Selection, &Bits) -> Change) -> Change {
        let before = self.selection.clone();
        let change = act(&mut self.selection, self.rows.matching());
        if change.ticked + change.unticked > 0 {
            if self.past.len() == MOST_PAST {
                self.past.pop_front();
            }
            self.past.push_back(before);
        }
        change
    }

    /// Ticks rows one by one, with nothing that is below them.
    pub fn tick_rows(&mut self, side: Side, rows: &[RowId]) {
        self.selection.tick_alone(rows, side);
    }

    /// Opens folders.
    pub fn open_rows(&mut self, rows: &[RowId]) {
        self.rows.open_rows(rows);
    }

    pub(crate) fn over(index: Arc<Index>) -> Self {
        let selection = Selection::new(Arc::clone(&index));
        Self::with(index, selection)
    }

    /// The same, where only this can be acted on.
    pub(crate) fn within(index: Arc<Index>, work: Bits) -> Self {
        let selection = Selection::within(Arc::clone(&index), Arc::new(work));
        Self::with(index, selection)
    }

    fn with(index: Arc<Index>, selection: Selection) -> Self {
        Self { rows: Rows::new(index), selection, past: VecDeque::new(), cursor: Comparison::ROOT }
    }

    /// What can be taken over to another comparison of the same folders.
    pub fn memory(&self) -> Memory {
        let ticked = [Side::Left, Side::Right].map(|side| self.selection.ticked(side).clone());
        let index = Arc::clone(self.rows.shared_index());
        Memory::new(index, self.rows.open().clone(), ticked, self.cursor, self.rows.sort())
    }

    /// Bytes of memory in use, the comparison's not included.
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.selection.bytes() + self.past.iter().map(Selection::bytes).sum::<usize>()
    }
}
