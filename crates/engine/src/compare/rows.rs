//! Looking things up in a comparison.

use std::cmp::Ordering;
use std::ops::Range;

use fcs_sys::{Kind, RelPath};

use super::{Comparison, Digests, Row, RowId, Side};
use crate::tree::{Entry, NodeId, Tree};

impl Comparison {
    /// The root's row.
    pub const ROOT: RowId = 0;

    /// One side's tree.
    pub fn tree(&self, side: Side) -> &Tree {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// A row.
    pub fn row(&self, row: RowId) -> &Row {
        &self.rows[row as usize]
    }

    /// The item a side has in a row.
    pub fn node(&self, row: RowId, side: Side) -> Option<NodeId> {
        self.row(row).node(side)
    }

    /// What a side's item looked like; `None` if the side has none. Meaningless where
    /// [`Tree::node_error`] says that it could not be asked.
    pub fn entry(&self, row: RowId, side: Side) -> Option<Entry> {
        self.node(row, side).map(|node| self.tree(side).entry(node))
    }

    /// A row's raw name, in the left side's spelling if it has the item; empty for the root.
    pub fn name(&self, row: RowId) -> &[u8] {
        self.name_on(row, Side::Left)
    }

    /// A row's raw name in one side's spelling, else the other's.
    pub fn name_on(&self, row: RowId, side: Side) -> &[u8] {
        let of = |side| self.node(row, side).map(|node| self.tree(side).name(node));
        of(side).or_else(|| of(side.other())).unwrap_or_default()
    }

    /// The row of this name in a folder's row, as names are paired. A binary search: rows are in the order of names.
    pub(crate) fn child_named(&self, folder: RowId, name: &[u8]) -> Option<RowId> {
        let order = self.left.order();
        let mut rows = self.children(folder);
        while rows.start < rows.end {
            let middle = rows.start + (rows.end - rows.start) / 2;
            match order.compare_keys(self.name(middle), name) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => rows.start = middle + 1,
                Ordering::Greater => rows.end = middle,
            }
        }
        None
    }

    /// The row of a path.
    pub(crate) fn row_of(&self, path: &RelPath) -> Option<RowId> {
        path.names().try_fold(Self::ROOT, |folder, name| self.child_named(folder, name.as_bytes()))
    }

    /// A row's path below the root, in the left side's spelling as far as it has the folders, else the right's.
    pub fn path(&self, row: RowId) -> RelPath {
        self.path_on(row, Side::Left)
    }

    /// A row's path below the root as it is or would be spelled on one side.
    pub fn path_on(&self, row: RowId, side: Side) -> RelPath {
        let mut names = Vec::new();
        let mut at = row;
        while at != Self::ROOT {
            names.push(self.name_on(at, side));
            at = self.row(at).parent;
        }
        let mut path = RelPath::root();
        // Names were checked when they were listed.
        names
            .into_iter()
            .rev()
            .filter_map(|raw| fcs_sys::Name::new(raw).ok())
            .for_each(|name| path.push(&name));
        path
    }

    /// How many folders a row is below the root; 0 for the root itself.
    pub fn depth(&self, row: RowId) -> usize {
        std::iter::successors(Some(row), |&r| (r != Self::ROOT).then(|| self.row(r).parent)).count() - 1
    }

    /// Whether a row is a folder on at least one side.
    pub fn is_folder(&self, row: RowId) -> bool {
        [Side::Left, Side::Right]
            .into_iter()
            .any(|s| self.entry(row, s).is_some_and(|e| e.kind == Kind::Folder))
    }

    /// The rows directly in a row's folder, in order of names.
    pub fn children(&self, row: RowId) -> Range<RowId> {
        let row = self.row(row);
        row.first_child..row.first_child + row.children
    }

    /// All rows as a person reads a tree: the root, then each folder followed by what it holds, in order of names.
    pub fn walk(&self) -> Walk<'_> {
        Walk { comparison: self, open: std::iter::once(0..1).collect() }
    }

    /// The beginnings of the digests of a row's two files, where both were read with a hash.
    pub fn digests(&self, row: RowId) -> Option<&Digests> {
        self.digests.binary_search_by_key(&row, |d| d.row).ok().map(|at| &self.digests[at])
    }
}

impl Row {
    /// The item a side has in this row.
    pub fn node(&self, side: Side) -> Option<NodeId> {
        match side {
            Side::Left => self.left(),
            Side::Right => self.right(),
        }
    }
}

/// See [`Comparison::walk`].
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    comparison: &'a Comparison,
    /// Rows still to come, per folder on the way down. A loop over this instead of recursion: trees may be deeper
    /// than a stack.
    open: Vec<Range<RowId>>,
}

impl Iterator for Walk<'_> {
    type Item = RowId;

    fn next(&mut self) -> Option<RowId> {
        loop {
            let range = self.open.last_mut()?;
            if let Some(row) = range.next() {
                if range.start == range.end {
                    self.open.pop();
                }
                let children = self.comparison.children(row);
                if children.start < children.end {
                    self.open.push(children);
                }
                return Some(row);
            }
            self.open.pop();
        }
    }
}
