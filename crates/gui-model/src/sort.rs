//! The order in which the rows of one folder are shown.
//!
//! Folders come first, in the order of names, whatever the files are sorted by. So a folder's place does not depend on
//! the sort, and the sorted files stand in one run, where an order can be read; with folders left in between they
//! would be cut into pieces.
//!
//! Invariant: an order is a rearrangement of each folder's own files; nothing leaves its folder. Rows that are equal,
//! and all that lack the value, stay in the order of names, the latter at the end in both directions. This module must
//! not know what is visible.

use fcs_engine::compare::{RowId, Side, Verdict};
use fcs_sys::{Kind, Time};

use crate::index::Index;

/// What to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The name: the order in which the engine paired.
    Name,
    /// Bytes of a side's files.
    Size(Side),
    /// Created times of a side.
    Created(Side),
    /// Modified times of a side.
    Modified(Side),
    /// Beginnings of a side's digests.
    Digest(Side),
    /// The verdict: problems, different, left only, right only, same.
    Status,
}

/// A column and a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// What by.
    pub column: Column,
    /// The largest first.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { column: Column::Name, descending: false }
    }
}

impl Sort {
    /// What a click on a column's head asks for: this column, or if it was this one, the other direction.
    #[must_use]
    pub fn clicked(self, column: Column) -> Self {
        Self { column, descending: self.column == column && !self.descending }
    }
}

/// For each folder the order of its rows, in the place where the rows themselves have their numbers.
pub(crate) fn order(index: &Index, sort: Sort) -> Vec<RowId> {
    let rows = index.rows() as RowId;
    let mut order: Vec<RowId> = (0..rows).collect();
    let mut files: Vec<(bool, i128, RowId)> = Vec::new();
    for folder in 0..rows {
        let children = index.comparison().children(folder);
        if children.is_empty() {
            continue;
        }
        let mut at = children.start as usize;
        files.clear();
        for row in children {
            if index.folders().has(row) {
                order[at] = row;
                at += 1;
            } else {
                let key = key(index, row, sort.column);
                let directed = key.map_or(0, |key| if sort.descending { !key } else { key });
                files.push((key.is_none(), directed, row));
            }
        }
        files.sort_unstable();
        for (row, place) in files.iter().map(|file| file.2).zip(&mut order[at..]) {
            *place = row;
        }
    }
    order
}

/// A number that is larger where the value is; `None` if the row has none.
fn key(index: &Index, row: RowId, column: Column) -> Option<i128> {
    match column {
        Column::Name => Some(i128::from(row)),
        Column::Size(side) => index
            .entry(row, side)
            .filter(|entry| entry.kind == Kind::File)
            .map(|entry| i128::from(entry.size)),
        Column::Created(side) => index.entry(row, side).and_then(|entry| entry.created()).map(Time::as_nanos),
        Column::Modified(side) => index.entry(row, side).map(|entry| entry.modified.as_nanos()),
        Column::Digest(side) => index.comparison().digests(row).map(|digests| {
            let digest = if side == Side::Left { digests.left } else { digests.right };
            i128::from(u64::from_be_bytes(digest))
        }),
        Column::Status => Some(match index.comparison().row(row).verdict {
            Verdict::KindClash => 0,
            Verdict::NameClash => 1,
            Verdict::Unreadable => 2,
            Verdict::NotComparable => 3,
            Verdict::Different(_) => 4,
            Verdict::LeftOnly => 5,
            Verdict::RightOnly => 6,
            Verdict::Same => 7,
        }),
    }
}
