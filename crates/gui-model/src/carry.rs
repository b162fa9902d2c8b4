//! What of one comparison's view is taken over to the next one of the same folders: what is open, ticked and sorted,
//! and where the cursor is.
//!
//! Invariant: a row is found again by its path alone, and only as itself: a tick is taken over only to a row that has
//! the item and a box for it. What is not there any more is forgotten. This module must not know why there is another
//! comparison.

use std::collections::HashMap;
use std::sync::Arc;

use fcs_engine::compare::{Comparison, RowId, Side};

use crate::bits::Bits;
use crate::index::Index;
use crate::model::Model;
use crate::sort::Sort;

/// The state of a view, to be taken over.
#[derive(Debug, Clone)]
pub struct Memory {
    index: Arc<Index>,
    open: Bits,
    ticked: [Bits; 2],
    cursor: RowId,
    sort: Sort,
}

impl Memory {
    pub(crate) fn new(index: Arc<Index>, open: Bits, ticked: [Bits; 2], cursor: RowId, sort: Sort) -> Self {
        Self { index, open, ticked, cursor, sort }
    }

    /// Gives a new model this state.
    pub fn give(&self, model: &mut Model) {
        let found = self.found(model.rows().index());
        let new = |old: RowId| found.get(&old).copied();
        let open: Vec<RowId> = self.open.iter().filter_map(new).collect();
        for side in [Side::Left, Side::Right] {
            // What has become of two kinds since was not agreed to as such.
            let is_as_ticked =
                |old, row| !model.rows().index().clashes().has(row) || self.index.clashes().has(old);
            let ticked = self.ticked[side as usize].iter();
            let rows: Vec<RowId> =
                ticked.filter_map(|old| new(old).filter(|&row| is_as_ticked(old, row))).collect();
            model.tick_rows(side, &rows);
        }
        model.set_sort(self.sort);
        model.open_rows(&open);
        let mut way = std::iter::once(self.cursor).chain(self.index.above(self.cursor));
        if let Some(row) = way.find_map(new) {
            model.set_cursor(row);
        }
    }

    /// Rows that matter here and are there too.
    fn found(&self, there: &Index) -> HashMap<RowId, RowId> {
        let mut matter = self.open.clone();
        self.ticked.iter().for_each(|ticked| matter.join(ticked));
        matter.add(self.cursor);
        let matter = self.index.with_above(&matter);
        let (old, new) = (self.index.comparison(), there.comparison());
        let mut found = HashMap::from([(Comparison::ROOT, Comparison::ROOT)]);
        // A row comes after its folder, so the folder has been looked for by then.
        for folder in matter.iter() {
            let Some(&folder_there) = found.get(&folder) else { continue };
            let wanted: Vec<RowId> = old.children(folder).filter(|&row| matter.has(row)).collect();
            if wanted.is_empty() {
                continue;
            }
            let names: HashMap<&[u8], RowId> =
                new.children(folder_there).map(|row| (new.name(row), row)).collect();
            found.extend(wanted.iter().filter_map(|&row| Some((row, *names.get(old.name(row))?))));
        }
        found
    }
}
