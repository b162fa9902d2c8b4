//! What moves inside the target, instead of being copied to its new path and removed from its old one.
//!
//! Invariants: an item moves only where both would be done: its new path is selected and can be brought over, its old
//! one is selected and can go. Its own rename is all that is done to it, and to everything in a folder that moves as
//! one. No move begins, ends or passes below another one, because a run renames each item once, where it stands.

use fcs_sys::{Kind, Name};

use super::planner::{MOVED, Planner, RowAction, SELECTED};
use crate::compare::{Comparison, RowId, Side};
use crate::moves::Move;
use crate::ops::ItemChange;
use crate::plan::Moved;
use crate::report::{ActionKind, SkipReason};
use crate::tree::Entry;

impl Planner<'_> {
    /// Marks what moves. To be asked when it is known which rows are blocked, and before anything else is planned.
    pub(super) fn mark_moves(&mut self) {
        let Some(moves) = self.moves.filter(|_| self.work.copies && self.work.removals) else { return };
        // A folder comes before what is in it: where it cannot move as one, what is in it may.
        for found in moves.all() {
            if !self.has(found.left, MOVED) && self.can_move(found) {
                for side in [Side::Left, Side::Right] {
                    self.for_all_in(found.on(side), |planner, row| planner.marks[row as usize] |= MOVED);
                }
            }
        }
    }

    fn for_all_in(&mut self, top: RowId, mut each: impl FnMut(&mut Self, RowId)) {
        let mut rows = vec![top];
        while let Some(row) = rows.pop() {
            each(self, row);
            rows.extend(self.comparison.children(row));
        }
    }

    fn all_in(&self, top: RowId, holds: impl Fn(RowId) -> bool) -> bool {
        let mut rows = vec![top];
        while let Some(row) = rows.pop() {
            if !holds(row) {
                return false;
            }
            rows.extend(self.comparison.children(row));
        }
        true
    }

    /// Whether the item can get its new path by one rename, and should.
    fn can_move(&self, found: &Move) -> bool {
        let (new, old) = (found.on(self.source), found.on(self.target));
        // A folder of an overlay's lower layer cannot be renamed, and nothing tells which one is.
        if found.is_folder && self.comparison.tree(self.target).volume.file_system == "overlay" {
            return false;
        }
        let Some(volume) = self.volume_of_new_folder(new) else { return false };
        let from = self.comparison.row(old).parent;
        let may_change = |entry: Entry| entry.protection().is_none() && entry.volume() == volume;
        let can_go = |row| {
            self.has(row, SELECTED)
                && self.action(row) == RowAction::Remove
                && self.comparison.entry(row, self.target).is_some_and(may_change)
        };
        let can_come = |row| {
            let wanted = match self.action(row) {
                RowAction::Copy | RowAction::CopyLink | RowAction::MakeFolder => true,
                // Nothing of it need be read.
                RowAction::Skip(why) => why == SkipReason::Placeholder,
                _ => false,
            };
            wanted && self.has(row, SELECTED)
        };
        self.comparison.entry(from, self.target).is_some_and(may_change)
            && self.all_in(old, can_go)
            && self.all_in(new, can_come)
    }

    /// The volume of the folder on the target that a row goes to, which is there or can be made; `None` where nothing
    /// can be added to it.
    fn volume_of_new_folder(&self, row: RowId) -> Option<u64> {
        let mut at = self.comparison.row(row).parent;
        loop {
            if let Some(there) = self.comparison.entry(at, self.target) {
                let may_change = there.kind == Kind::Folder && there.protection().is_none();
                return may_change.then(|| there.volume());
            }
            if at == Comparison::ROOT || self.action(at) != RowAction::MakeFolder {
                return None;
            }
            at = self.comparison.row(at).parent;
        }
    }

    /// What is done with a row that moves, by itself or with the folder that it is in.
    pub(super) fn action_of_moved(&self, row: RowId) -> RowAction {
        if self.has(self.comparison.row(row).parent, MOVED) { RowAction::Nothing } else { RowAction::Move }
    }

    /// Adds the moves.
    pub(super) fn emit_moves(&mut self) {
        let Some(moves) = self.moves else { return };
        for found in moves.all() {
            let (new, old) = (found.on(self.source), found.on(self.target));
            if self.has(old, MOVED)
                && self.action(old) == RowAction::Move
                && let Some(moved) = self.moved(new, old)
            {
                self.plan.changes.push(ItemChange::Move(moved));
                self.plan.totals.changes.count(ActionKind::Move);
            }
        }
    }

    fn moved(&self, new: RowId, old: RowId) -> Option<Moved> {
        let comparison = self.comparison;
        let (into, from) = (comparison.row(new).parent, comparison.row(old).parent);
        let item = comparison.entry(old, self.target)?;
        // Names were checked when they were listed.
        let name = Name::new(comparison.name_on(new, self.source)).ok()?;
        Some(Moved {
            root: self.target.into(),
            from: comparison.path_on(old, self.target),
            to: comparison.path_on(into, self.target).join(&name),
            expect: item.fingerprint(),
            from_folder: comparison.entry(from, self.target)?.fingerprint(),
            to_folder: comparison.entry(into, self.target).map(|folder| folder.fingerprint()),
            protection: item.protection(),
        })
    }
}

#[cfg(test)]
mod tests;
