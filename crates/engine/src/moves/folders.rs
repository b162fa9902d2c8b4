//! Folders that move as one: everything in them does, name by name, and nothing else is in them.
//!
//! Invariant: a folder that is known not to be known whole, on either side, never moves as one: what a pattern hides
//! would go along.

use std::collections::HashMap;

use fcs_sys::Kind;

use super::{Move, Why};
use crate::compare::{Comparison, Criteria, RowId, Side, Verdict};

/// Adds the folders of which these are all files, with the links and empty folders in them. Both are sorted by the left
/// row.
pub(super) fn with_folders(comparison: &Comparison, criteria: &Criteria<'_>, files: &[Move]) -> Vec<Move> {
    let mut grouping = Grouping {
        comparison,
        criteria,
        pairs: files.iter().map(|found| (found.left, *found)).collect(),
        along: Vec::new(),
    };
    // Rows are breadth-first: what is in a folder comes behind it.
    let mut parents: Vec<RowId> = files.iter().map(|found| comparison.row(found.left).parent).collect();
    parents.sort_unstable();
    parents.dedup();
    let mut todo: std::collections::BTreeSet<RowId> = parents.into_iter().collect();
    while let Some(left) = todo.pop_last() {
        if let Some(found) = grouping.folder(left) {
            grouping.pairs.insert(left, found);
            todo.insert(comparison.row(left).parent);
        }
    }
    let Grouping { mut pairs, along, .. } = grouping;
    pairs.extend(along.into_iter().map(|found| (found.left, found)));
    let folders: Vec<RowId> =
        pairs.values().filter(|found| found.is_folder).map(|found| found.left).collect();
    for row in folders {
        for child in comparison.children(row) {
            pairs.entry(child).and_modify(|found| found.is_top = false);
        }
    }
    let mut all: Vec<Move> = pairs.into_values().collect();
    all.sort_unstable_by_key(|found| found.left);
    all
}

struct Grouping<'a> {
    comparison: &'a Comparison,
    criteria: &'a Criteria<'a>,
    pairs: HashMap<RowId, Move>,
    /// Links and empty folders in folders that move.
    along: Vec<Move>,
}

impl Grouping<'_> {
    /// The move of a folder that only the left has, if it is one.
    fn folder(&mut self, left: RowId) -> Option<Move> {
        let comparison = self.comparison;
        let first = comparison.children(left).find_map(|child| self.pairs.get(&child))?;
        let (why, renamed) = (first.why, first.renamed);
        let right = comparison.row(first.right).parent;
        if !self.is_known_whole(left, Side::Left) || !self.is_known_whole(right, Side::Right) {
            return None;
        }
        let (here, there) = (comparison.children(left), comparison.children(right));
        if here.len() != there.len() || !self.is_same(left, right) {
            return None;
        }
        let (mut why, mut along) = (why, Vec::new());
        for (l, r) in here.zip(there) {
            if comparison.name_on(l, Side::Left) != comparison.name_on(r, Side::Right) {
                return None;
            }
            match self.pairs.get(&l) {
                Some(pair) if pair.right == r && !pair.is_changed => why = weaker(why, pair.why),
                None if self.goes_along(l, r) => {
                    along.push(Move { is_top: false, ..Move::of_file(l, r, Why::Unique) });
                }
                _ => return None,
            }
        }
        self.along.append(&mut along);
        Some(Move { is_folder: true, renamed, ..Move::of_file(left, right, why) })
    }

    /// Whether a folder is on one side only, and all that it holds is in the comparison.
    fn is_known_whole(&self, row: RowId, side: Side) -> bool {
        let alone = if side == Side::Left { Verdict::LeftOnly } else { Verdict::RightOnly };
        let tree = self.comparison.tree(side);
        self.comparison.row(row).verdict == alone
            && self.comparison.node(row, side).is_some_and(|node| {
                let entry = tree.entry(node);
                entry.kind == Kind::Folder
                    && tree.is_listed_whole(node)
                    && !entry.is_mounted()
                    && !entry.is_boundary()
                    && !entry.is_carrier()
            })
    }

    /// Whether a comparison would call the two equal at one path.
    fn is_same(&self, left: RowId, right: RowId) -> bool {
        let nodes = (self.comparison.node(left, Side::Left), self.comparison.node(right, Side::Right));
        let (Some(l), Some(r)) = nodes else { return false };
        self.criteria.judge(l, r, false).verdict == Verdict::Same
    }

    /// Whether two items are a link or an empty folder, which are what they look like.
    fn goes_along(&self, left: RowId, right: RowId) -> bool {
        let comparison = self.comparison;
        let is_plain = match comparison.entry(left, Side::Left).map(|entry| entry.kind) {
            Some(Kind::Symlink) => {
                comparison.row(left).verdict == Verdict::LeftOnly
                    && comparison.row(right).verdict == Verdict::RightOnly
            }
            Some(Kind::Folder) => {
                let is_empty = |row| comparison.children(row).is_empty();
                is_empty(left)
                    && is_empty(right)
                    && self.is_known_whole(left, Side::Left)
                    && self.is_known_whole(right, Side::Right)
            }
            _ => false,
        };
        is_plain && self.is_same(left, right)
    }
}

/// Of a folder is said what is known of all in it.
fn weaker(a: Why, b: Why) -> Why {
    let rank = |why| match why {
        Why::Unique => 0,
        Why::Number => 1,
        Why::Hash => 2,
    };
    if rank(a) <= rank(b) { a } else { b }
}
