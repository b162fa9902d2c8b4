//! What permission bits and owners keep this user from, as the scan saw them.
//!
//! Invariant: asks no disk. A user's own folder is never among them, because a run can lift its mode for the moment; nor
//! is the root, which is looked at by itself. Access lists may allow what bits refuse, so a disk must be asked before
//! anything of this is told.

use fcs_sys::{Kind, RelPath};

use super::{Deed, PLANNED, Planner, REMOVED, SELECTED};
use crate::compare::RowId;
use crate::tree::Entry;

/// Items of a plan that bits keep this user from.
#[derive(Debug, Clone, Default)]
pub struct Refused {
    /// Files whose content may not be read, as paths below the source root.
    pub unreadable: Vec<RelPath>,
    /// Folders in which nothing may be changed, as paths below the target root.
    pub unwritable: Vec<RelPath>,
    /// Items that only their owner or that of their folder may replace or remove, as paths below the target root.
    pub kept_off: Vec<RelPath>,
}

impl Planner<'_> {
    /// Finds them among what is planned.
    pub(super) fn find_refused(&mut self) {
        if self.user.is_administrator() {
            return;
        }
        let mut found = Refused::default();
        let rows = self.comparison.rows.len() as RowId;
        // Dates are set without changing a name.
        let changes_name = |row: RowId| match self.deed(row) {
            Deed::Copy | Deed::CopyLink | Deed::MakeFolder => self.has(row, PLANNED),
            Deed::Rename => self.has(row, SELECTED),
            Deed::Remove => self.has(row, REMOVED),
            Deed::SetTimes | Deed::FolderTimes | Deed::Nothing | Deed::Skip(_) => false,
        };
        let mut loses_or_gains = vec![false; rows as usize];
        for row in (1..rows).filter(|&row| changes_name(row)) {
            loses_or_gains[self.comparison.row(row).parent as usize] = true;
            let (here, there) =
                (self.comparison.entry(row, self.source), self.comparison.entry(row, self.target));
            let copied = here.filter(|_| self.deed(row) == Deed::Copy);
            if copied.is_some_and(|here| !self.user.bits_let_read(here.attributes, here.owner())) {
                found.unreadable.push(self.comparison.path_on(row, self.source));
            }
            if there.is_some_and(|there| self.is_kept_off(row, there)) {
                found.kept_off.push(self.comparison.path_on(row, self.target));
            }
        }
        for row in (1..rows).filter(|&row| loses_or_gains[row as usize]) {
            let there = self.comparison.entry(row, self.target);
            let folder = there.filter(|there| there.kind == Kind::Folder);
            if folder.is_some_and(|folder| self.may_not_change(folder)) {
                found.unwritable.push(self.comparison.path_on(row, self.target));
            }
        }
        self.plan.refused = found;
    }

    fn may_not_change(&self, folder: &Entry) -> bool {
        !self.user.owns(folder.owner()) && !self.user.bits_let_change(folder.attributes, folder.owner())
    }

    /// Whether an item lies in a folder in which only owners may take names away. One in which nothing may be changed is
    /// told as such.
    fn is_kept_off(&self, row: RowId, item: &Entry) -> bool {
        let above = self.comparison.entry(self.comparison.row(row).parent, self.target);
        above.is_some_and(|above| {
            self.user.is_kept_off(above.attributes, above.owner(), item.owner())
                && !self.may_not_change(above)
        })
    }
}
