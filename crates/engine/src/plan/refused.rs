//! What permission bits and owners keep this user from, as the scan saw them.
//!
//! Invariant: asks no disk. A user's own folder is never among them, because a run can lift its mode for the moment; nor
//! is the root, which is looked at by itself. Access lists may allow what bits refuse, so a disk must be asked before
//! anything of this is reported.

use fcs_sys::Kind;

use super::RootPath;
use super::planner::{PLANNED, Planner, REMOVED, RowAction, SELECTED};
use crate::compare::RowId;
use crate::tree::Entry;

/// Items of a plan that bits keep this user from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// Files whose content may not be read, below the root that they are read from.
    pub unreadable: Vec<RootPath>,
    /// Folders in which nothing may be changed, below the root that is written to.
    pub unwritable: Vec<RootPath>,
    /// Items that only their owner or that of their folder may replace or remove, likewise.
    pub kept_off: Vec<RootPath>,
}

impl Planner<'_> {
    /// Finds them among what is planned.
    pub(crate) fn find_refused(&mut self) {
        if self.user.is_administrator() {
            return;
        }
        let mut found = Refused::default();
        let rows = self.comparison.rows.len() as RowId;
        // Dates are set without changing a name.
        let changes_name = |row: RowId| match self.action(row) {
            RowAction::Copy | RowAction::CopyLink | RowAction::MakeFolder => self.has(row, PLANNED),
            RowAction::Rename => self.has(row, SELECTED),
            RowAction::Remove => self.has(row, REMOVED),
            RowAction::Move => true,
            RowAction::SetTimes | RowAction::FolderTimes | RowAction::Nothing | RowAction::Skip(_) => false,
        };
        let mut loses_or_gains = vec![false; rows as usize];
        for row in (1..rows).filter(|&row| changes_name(row)) {
            loses_or_gains[self.comparison.row(row).parent as usize] = true;
            let (here, there) =
                (self.comparison.entry(row, self.source), self.comparison.entry(row, self.target));
            let copied = here.filter(|_| self.action(row) == RowAction::Copy);
            if copied.is_some_and(|here| !self.user.bits_let_read(here.attributes, here.owner())) {
                found.unreadable.push(self.at(row, self.source));
            }
            if there.is_some_and(|there| self.is_kept_off(row, &there)) {
                found.kept_off.push(self.at(row, self.target));
            }
        }
        for row in (1..rows).filter(|&row| loses_or_gains[row as usize]) {
            let there = self.comparison.entry(row, self.target);
            let folder = there.filter(|there| there.kind == Kind::Folder);
            if folder.is_some_and(|folder| self.may_not_change(&folder)) {
                found.unwritable.push(self.at(row, self.target));
            }
        }
        self.plan.refused = found;
    }

    fn may_not_change(&self, folder: &Entry) -> bool {
        !self.user.owns(folder.owner()) && !self.user.bits_let_change(folder.attributes, folder.owner())
    }

    /// Whether an item is in a folder in which only owners may take names away. One in which nothing may be changed is
    /// told as such.
    fn is_kept_off(&self, row: RowId, item: &Entry) -> bool {
        let above = self.comparison.entry(self.comparison.row(row).parent, self.target);
        above.is_some_and(|above| {
            self.user.is_kept_off(above.attributes, above.owner(), item.owner())
                && !self.may_not_change(&above)
        })
    }
}
