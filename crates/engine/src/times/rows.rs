//! Dates of rows of a comparison: for who has compared two folders and chooses among what was found.
//!
//! Invariant: only rows that were chosen are looked at, listed or planned; and whatever row is chosen, the run's journal
//! and its undo are those of the compared folder, as of a copy. This module must not know how rows are chosen.

use std::sync::Arc;

use super::list::{Listed, Listing};
use super::pair::{Exactness, Look, Pairs};
use super::plan::{Proposal, Task, of_pairs};
use super::verify::{Verification, of_pairs as verification};
use crate::compare::{Comparison, RowId, Side, Verdict};
use crate::session::Folders;
use crate::{Control, Error, Settings};

/// Rows of a comparison that were chosen.
#[derive(Clone, Copy)]
pub struct ChosenRows<'a> {
    /// The two folders.
    pub folders: &'a Folders,
    /// Their comparison.
    pub comparison: &'a Arc<Comparison>,
    /// Whether a row is one of them.
    pub is_chosen: &'a dyn Fn(RowId) -> bool,
}

impl ChosenRows<'_> {
    /// What a side has in these rows, to be given dates with [`super::plan_set`].
    pub fn list(&self, side: Side) -> Listing {
        let (comparison, tree) = (self.comparison, self.comparison.tree(side));
        let rows = comparison.walk().filter(|&row| (self.is_chosen)(row));
        let items = rows.filter_map(|row| {
            let entry = comparison.entry(row, side)?;
            let folder = comparison.entry(comparison.row(row).parent, side)?.fingerprint();
            let is_known = comparison.row(row).verdict != Verdict::Unreadable;
            let is_item = is_known && !entry.is_carrier() && !entry.is_boundary();
            is_item.then(|| Listed { path: comparison.path_on(row, side), entry, folder })
        });
        Listing {
            root: self.folders.root(side).clone(),
            is_folder: true,
            volume: tree.volume.clone(),
            items: items.collect(),
            errors: self.errors(&[side]),
            cancelled: comparison.cancelled,
        }
    }

    /// Plans to give the items of one side the dates of the other, `from`, whatever the content.
    pub fn plan_copy(&self, from: Side) -> Proposal {
        of_pairs(Task::Copy, self.pairs(from, Exactness::as_shown(), None))
    }

    /// As [`Self::plan_copy`], of folders and of those files alone whose content is equal: of files whose dates differ
    /// both are read.
    pub fn plan_repair(
        &self,
        from: Side,
        exactness: Exactness,
        settings: &Settings,
        control: &Control,
    ) -> Proposal {
        let mut pairs = self.pairs(from, exactness, None);
        if !pairs.cancelled {
            pairs.keep_equal_content(settings, control);
        }
        of_pairs(Task::Repair, pairs)
    }

    /// Compares the dates that both sides have now, which is asked of each item again.
    pub fn verify(&self, exactness: Exactness, control: &Control) -> Verification {
        let look = Look::new(self.folders.roots(), control);
        verification(self.pairs(Side::Left, exactness, Some(look)))
    }

    fn pairs(&self, from: Side, exactness: Exactness, look: Option<Look<'_>>) -> Pairs {
        let roots = [from, from.other()].map(|side| self.folders.root(side).clone());
        let mut pairs = Pairs::of_rows(roots, self.comparison, from, exactness, self.is_chosen, look);
        pairs.errors.extend(self.errors(&[Side::Left, Side::Right]));
        pairs
    }

    /// Why what is in these rows could not be read.
    fn errors(&self, sides: &[Side]) -> Vec<Error> {
        let comparison = self.comparison;
        let unreadable =
            |row: &RowId| (self.is_chosen)(*row) && comparison.row(*row).verdict == Verdict::Unreadable;
        let errors_of = |row: RowId| {
            sides.iter().filter_map(move |&side| {
                let (tree, node) = (comparison.tree(side), comparison.node(row, side)?);
                let listing = || tree.folder_of(node).and_then(|folder| tree.folder_error(folder));
                tree.node_error(node).or_else(listing).cloned()
            })
        };
        comparison.walk().filter(unreadable).flat_map(errors_of).collect()
    }
}
