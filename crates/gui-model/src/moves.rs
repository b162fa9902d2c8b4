//! Where the cursor goes.
//!
//! Invariant: a move ends on a visible row; what has to be opened for that is opened. Going from difference to
//! difference visits all of them that the filter matches and no other row, in the order in which an open tree shows
//! them. This module must not know keys, only what they mean.

use fcs_engine::compare::{Comparison, RowId};
use fcs_engine::tree::fold;

use crate::rows::Rows;

/// A move from one row to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// To the first row.
    Home,
    /// To the last row.
    End,
    /// So many rows up.
    PageUp(usize),
    /// So many rows down.
    PageDown(usize),
    /// Closes an open folder, else to the folder above.
    Left,
    /// Opens a closed folder, else to the first row in it.
    Right,
}

/// Makes a move; returns the row it ends on.
pub fn go(rows: &mut Rows, from: RowId, step: Move) -> RowId {
    let from = rows.nearest(from);
    let place = rows.place(from).unwrap_or(0);
    let last = rows.visible().len() - 1;
    match step {
        Move::Up => rows.visible()[place.saturating_sub(1)],
        Move::Down => rows.visible()[(place + 1).min(last)],
        Move::Home => rows.visible()[0],
        Move::End => rows.visible()[last],
        Move::PageUp(count) => rows.visible()[place.saturating_sub(count)],
        Move::PageDown(count) => rows.visible()[place.saturating_add(count).min(last)],
        Move::Left if rows.is_open(from) && rows.can_open(from) => {
            rows.set_open(from, false);
            from
        }
        Move::Left => rows.index().comparison().row(from).parent,
        Move::Right if !rows.can_open(from) => from,
        Move::Right if rows.is_open(from) => rows.visible()[(place + 1).min(last)],
        Move::Right => {
            rows.set_open(from, true);
            from
        }
    }
}

/// The next row below that is not the same on both sides, opened to; `None` if there is none.
pub fn next_difference(rows: &mut Rows, from: RowId) -> Option<RowId> {
    let found = first_way(rows, from).or_else(|| {
        let mut at = from;
        loop {
            if at == Comparison::ROOT {
                return None;
            }
            let parent = rows.index().comparison().row(at).parent;
            let mut later = rows.children(parent).iter().skip_while(|&&row| row != at).skip(1);
            if let Some(&row) = later.find(|&&row| rows.ways().has(row)) {
                return Some(row);
            }
            at = parent;
        }
    })?;
    let target = std::iter::successors(Some(found), |&row| first_way(rows, row))
        .find(|&row| rows.targets().has(row))?;
    rows.reveal(target);
    Some(target)
}

/// The next row above that is not the same on both sides, opened to; `None` if there is none.
pub fn previous_difference(rows: &mut Rows, from: RowId) -> Option<RowId> {
    let mut at = from;
    let target = loop {
        if at == Comparison::ROOT {
            return None;
        }
        let parent = rows.index().comparison().row(at).parent;
        let mut earlier = rows.children(parent).iter().rev().skip_while(|&&row| row != at).skip(1);
        if let Some(&row) = earlier.find(|&&row| rows.ways().has(row)) {
            let down = std::iter::successors(Some(row), |&row| last_way(rows, row));
            break down.last()?;
        }
        if rows.targets().has(parent) {
            break parent;
        }
        at = parent;
    };
    rows.reveal(target);
    Some(target)
}

/// The next visible row below whose name begins with a text, without regard to case, from the top again after the last.
/// The row itself counts first, unless the search is to go `onward` from it. The root has no name.
pub fn find_prefix(rows: &Rows, from: RowId, prefix: &str, onward: bool) -> Option<RowId> {
    let prefix = fold(prefix.as_bytes());
    let place = rows.place(rows.nearest(from)).unwrap_or(0) + usize::from(onward);
    let (above, below) = rows.visible().split_at(place.min(rows.visible().len()));
    let names = &rows.index().names;
    below.iter().chain(above).copied().find(|&row| {
        let name = names.get(row);
        row != Comparison::ROOT && !prefix.is_empty() && name.starts_with(&prefix)
    })
}

/// The first row in a folder that is a difference or leads to one.
fn first_way(rows: &Rows, folder: RowId) -> Option<RowId> {
    rows.children(folder).iter().copied().find(|&row| rows.ways().has(row))
}

/// The last one.
fn last_way(rows: &Rows, folder: RowId) -> Option<RowId> {
    rows.children(folder).iter().rev().copied().find(|&row| rows.ways().has(row))
}

#[cfg(test)]
mod tests;
