//! The list of rows that both panes draw.
//!
//! Invariant: [`Rows::visible`] is the root, then each open folder followed by those of its children that the filter
//! shows; a row is shown if it matches or something below it does, so nothing visible hangs in the air. There is one
//! list for both sides. This module must not know selections.
//!
//! While a filter is in force, folders are open unless the user closes them, because a match in a closed folder would
//! be hidden by the very filter that looks for it. What was open before comes back with the filter's end.

use std::ops::Range;
use std::sync::Arc;

use fcs_engine::compare::{Comparison, RowId};

use crate::bits::Bits;
use crate::chips::Chip;
use crate::directed::Directed;
use crate::filter::Filter;
use crate::index::Index;
use crate::sort::{Sort, order};

const HIDDEN: u32 = u32::MAX;

/// Which rows are visible, and in which order.
#[derive(Debug)]
pub struct Rows {
    index: Arc<Index>,
    sort: Sort,
    order: Vec<RowId>,
    /// Folders that are open when there is no filter.
    open: Bits,
    /// Folders the user closed while there is one.
    closed: Bits,
    filter: Filter,
    /// What is to be done with the rows, where a mode says so; some rows are one then.
    directed: Option<Arc<Directed>>,
    matching: Bits,
    shown: Bits,
    targets: Bits,
    ways: Bits,
    visible: Vec<RowId>,
    /// Where each row is in `visible`.
    places: Vec<u32>,
}

impl Rows {
    /// All rows, in the order of names, with only the root open.
    pub fn new(index: Arc<Index>) -> Self {
        let rows = index.rows();
        let mut open = Bits::none(rows);
        open.add(Comparison::ROOT);
        let mut all = Self {
            sort: Sort::default(),
            order: order(&index, Sort::default()),
            open,
            closed: Bits::none(rows),
            filter: Filter::default(),
            directed: None,
            matching: Bits::all(rows),
            shown: Bits::all(rows),
            targets: index.notable().clone(),
            ways: index.with_above(index.notable()),
            visible: Vec::new(),
            places: vec![HIDDEN; rows],
            index,
        };
        all.flatten();
        all
    }

    /// The comparison's index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn shared_index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Folders that are open when there is no filter.
    pub(crate) fn open(&self) -> &Bits {
        &self.open
    }

    /// The visible rows, from top to bottom. Never empty: the root is always the first.
    pub fn visible(&self) -> &[RowId] {
        &self.visible
    }

    /// Where a row is in [`Rows::visible`].
    pub fn place(&self, row: RowId) -> Option<usize> {
        let place = self.places[row as usize];
        (place != HIDDEN).then_some(place as usize)
    }

    /// The row itself if it is visible, else the nearest visible folder above it.
    pub fn nearest(&self, row: RowId) -> RowId {
        let mut way = std::iter::once(row).chain(self.index.above(row));
        way.find(|&row| self.place(row).is_some()).unwrap_or(Comparison::ROOT)
    }

    /// The rows that the filter matches. What is done to many rows at once is done to these: a folder that is shown
    /// only for what is in it was not asked for.
    pub fn matching(&self) -> &Bits {
        &self.matching
    }

    /// Whether the filter hides anything or could.
    pub fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// The rows that match and want to be looked at, see [`Index::notable`].
    pub(crate) fn targets(&self) -> &Bits {
        &self.targets
    }

    /// These and the folders above them.
    pub(crate) fn ways(&self) -> &Bits {
        &self.ways
    }

    /// The rows in a folder in the order in which they are shown, those included that the filter hides.
    pub(crate) fn children(&self, folder: RowId) -> &[RowId] {
        let range = self.index.comparison().children(folder);
        &self.order[range.start as usize..range.end as usize]
    }

    /// Whether a row's children are visible if the row is.
    pub fn is_open(&self, row: RowId) -> bool {
        if self.is_filtered() { !self.closed.has(row) } else { self.open.has(row) }
    }

    /// Whether a row has children that could be shown; so whether it has a mark to open it.
    pub fn can_open(&self, row: RowId) -> bool {
        self.index.comparison().children(row).any(|child| self.shown.has(child))
    }

    /// Opens or closes a folder, on both sides.
    pub fn set_open(&mut self, row: RowId, open: bool) {
        if self.mark_open(row, open) {
            self.flatten();
        }
    }

    /// Opens several folders.
    pub fn open_rows(&mut self, rows: &[RowId]) {
        for &row in rows {
            self.mark_open(row, true);
        }
        self.flatten();
    }

    /// Opens all folders.
    pub fn open_all(&mut self) {
        if self.is_filtered() {
            self.closed.clear();
        } else {
            self.open.clone_from(self.index.folders());
        }
        self.flatten();
    }

    /// Closes all folders but the root, so that something is left to see.
    pub fn close_all(&mut self) {
        if self.is_filtered() {
            self.closed.clone_from(self.index.folders());
            self.closed.remove(Comparison::ROOT);
        } else {
            self.open.clear();
            self.open.add(Comparison::ROOT);
        }
        self.flatten();
    }

    /// Opens the folders above a row. One that the filter hides stays hidden.
    pub fn reveal(&mut self, row: RowId) {
        let above: Vec<RowId> = self.index.above(row).collect();
        let mut changed = false;
        for folder in above {
            changed |= self.mark_open(folder, true);
        }
        if changed {
            self.flatten();
        }
    }

    /// How rows are sorted.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// Sorts the files of each folder.
    pub fn set_sort(&mut self, sort: Sort) {
        if self.sort != sort {
            self.sort = sort;
            self.order = order(&self.index, sort);
            self.flatten();
        }
    }

    /// Shows what a filter matches, with the folders above.
    pub fn set_filter(&mut self, filter: &Filter) {
        if filter.is_empty() && self.filter.is_empty() {
            return;
        }
        if !filter.is_empty() && self.filter.is_empty() {
            self.closed.clear();
        }
        self.filter = filter.clone();
        self.show();
    }

    /// What is to be done with each row, where a mode says so.
    pub fn directed(&self) -> Option<&Arc<Directed>> {
        self.directed.as_ref()
    }

    pub(crate) fn set_directed(&mut self, directed: Option<Arc<Directed>>) {
        self.directed = directed;
        self.show();
    }

    /// Takes over what was decided by hand, which changes nothing about what is one row.
    pub(crate) fn redirect(&mut self, directed: Arc<Directed>) {
        self.directed = Some(directed);
    }

    /// How many rows are under a chip, the root not among them.
    pub fn count_under(&self, chip: Chip) -> u64 {
        let alone = self.index.count_below_root(chip);
        self.directed.as_ref().map_or(alone, |directed| directed.merged().count_under(chip, alone))
    }

    /// Finds out what is shown, after the filter or what is one row changed.
    fn show(&mut self) {
        let merged = self.directed.as_ref().map(|directed| directed.merged());
        self.matching = self.filter.matching_merged(&self.index, merged);
        if self.filter.is_empty() {
            self.shown.clone_from(&self.matching);
        } else {
            self.shown = self.index.with_above(&self.matching);
            self.shown.add(Comparison::ROOT);
        }
        self.targets.clone_from(self.index.notable());
        self.targets.keep(&self.matching);
        self.ways = self.index.with_above(&self.targets);
        self.flatten();
    }

    /// Bytes of memory in use, the comparison's not included.
    pub fn bytes(&self) -> usize {
        let sets = [&self.open, &self.closed, &self.matching, &self.shown, &self.targets, &self.ways];
        let lists = self.order.capacity() + self.visible.capacity() + self.places.capacity();
        self.index.bytes() + sets.into_iter().map(Bits::bytes).sum::<usize>() + lists * size_of::<u32>()
    }

    /// Whether that changed anything.
    fn mark_open(&mut self, row: RowId, open: bool) -> bool {
        match (self.is_filtered(), open) {
            (true, true) => self.closed.remove(row),
            (true, false) => self.closed.add(row),
            (false, true) => self.open.add(row),
            (false, false) => self.open.remove(row),
        }
    }

    fn flatten(&mut self) {
        self.visible.clear();
        self.places.fill(HIDDEN);
        // A loop over the folders on the way down instead of recursion: trees may be deeper than a stack.
        let mut open: Vec<Range<usize>> = std::iter::once(0..1).collect();
        while let Some(rest) = open.last_mut() {
            let Some(at) = rest.next() else {
                open.pop();
                continue;
            };
            let row = self.order[at];
            if !self.shown.has(row) {
                continue;
            }
            self.places[row as usize] = self.visible.len() as u32;
            self.visible.push(row);
            let children = self.index.comparison().children(row);
            if !children.is_empty() && self.is_open(row) {
                open.push(children.start as usize..children.end as usize);
            }
        }
    }
}

#[cfg(test)]
mod tests;
