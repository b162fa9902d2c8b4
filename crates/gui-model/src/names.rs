//! All names of a comparison in one piece of memory, folded, to be searched in one pass.
//!
//! Invariant: names stand in the order of rows, each followed by a zero byte, which no name holds: so a text that is
//! searched for never begins in one name and ends in the next. One folded name serves both sides, because names that
//! share a row are alike once folded. This module must not know what is looked for.

use fcs_engine::compare::{Comparison, RowId};
use fcs_engine::tree::fold;
use memchr::memmem::Finder;

/// What follows each name.
const END: u8 = 0;

#[derive(Debug)]
pub(crate) struct Names {
    text: Vec<u8>,
    /// Where each name ends. Not 32 bits: 20 million names of 255 bytes are more than these count.
    ends: Vec<usize>,
}

impl Names {
    pub(crate) fn new(comparison: &Comparison) -> Self {
        let rows = comparison.rows.len();
        let mut names = Self { text: Vec::with_capacity(rows * 16), ends: Vec::with_capacity(rows) };
        for row in 0..rows as RowId {
            let name = comparison.name(row);
            if name.is_ascii() {
                names.text.extend(name.iter().map(u8::to_ascii_uppercase));
            } else {
                names.text.extend_from_slice(&fold(name));
            }
            names.ends.push(names.text.len());
            names.text.push(END);
        }
        names.text.shrink_to_fit();
        names
    }

    /// A row's folded name.
    pub(crate) fn get(&self, row: RowId) -> &[u8] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] + 1 };
        &self.text[start..self.ends[row]]
    }

    /// Each row whose name holds a text that is not empty, in order; some more than once.
    pub(crate) fn holding(&self, text: &Finder<'_>, mut found: impl FnMut(RowId)) {
        let mut row = 0;
        for at in text.find_iter(&self.text) {
            while self.ends[row] < at {
                row += 1;
            }
            found(row as RowId);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}
