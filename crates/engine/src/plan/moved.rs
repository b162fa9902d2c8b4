//! What moves inside the target, instead of being copied to its new path and removed from its old one.
//!
//! Invariants: an item moves only where both would be done: its new path is selected and can be brought over, its old
//! one is selected and can go. What was changed as well is brought over once it has moved. A name that both sides have is
//! an end of a move only where its item leaves by a move and another one comes by a move: names that are handed on or
//! swapped. So it has an item whatever cuts a run off, and all of such a chain moves, or nothing of it. No move begins, ends or passes below another one, because a run renames each item once, where it stands.

use std::collections::{HashMap, HashSet};

use fcs_sys::{Kind, Name};

use super::planner::{MOVED, Planner, RowAction, SELECTED};
use crate::compare::{Comparison, RowId, Side};
use crate::moves::{Move, Moves, is_in_chain, keep_whole_chains};
use crate::ops::ItemChange;
use crate::plan::{Moved, SourceOfMove};
use crate::report::{ActionKind, SkipReason};
use crate::tree::Entry;

impl Planner<'_> {
    /// Marks what moves. To be asked when it is known which rows are blocked, and before anything else is planned.
    pub(super) fn mark_moves(&mut self) {
        let Some(moves) = self.moves.filter(|_| self.work.copies && self.work.removals) else { return };
        // A folder comes before what is in it: where it cannot move as one, what is in it may.
        for found in moves.all() {
            let is_within = self.has(found.on(self.target), MOVED);
            if !is_within && !is_in_chain(self.comparison, found) && self.can_move(found) {
                self.mark_move(found);
            }
        }
        for found in self.chained(moves) {
            self.mark_move(&found);
        }
    }

    fn mark_move(&mut self, found: &Move) {
        let (new, old) = (found.on(self.source), found.on(self.target));
        self.movers.insert(old, new);
        self.for_all_in(old, |planner, row| planner.marks[row as usize] |= MOVED);
        // Of what changed a copy is planned too.
        if found.is_changed {
            self.changed.insert(new, old);
        } else {
            self.for_all_in(new, |planner, row| planner.marks[row as usize] |= MOVED);
        }
    }

    /// The files that can move to names, or from names, that both sides have.
    fn chained(&self, moves: &Moves) -> Vec<Move> {
        let all = moves.all().iter().filter(|found| is_in_chain(self.comparison, found));
        let mut chained: Vec<Move> = all.filter(|found| self.can_move(found)).copied().collect();
        // Those that look alike a recovery could not tell apart where numbers do not last.
        let looks = |found: &Move| {
            let entry = self.comparison.entry(found.on(self.target), self.target);
            entry.map(|entry| (entry.size, entry.modified))
        };
        let mut alike: HashMap<_, u32> = HashMap::new();
        chained.iter().for_each(|found| *alike.entry(looks(found)).or_default() += 1);
        chained.retain(|found| alike.get(&looks(found)) == Some(&1));
        keep_whole_chains(self.comparison, &mut chained);
        chained
    }

    /// A file or link that is one with another path of the source stays where that is not brought over: it may be the last
    /// that shows it. To be asked when it is known what moves.
    pub(super) fn keep_what_does_not_arrive(&mut self) {
        let Some(moves) = self.moves.filter(|_| self.work.copies && self.work.removals) else { return };
        let mut kept = HashSet::new();
        for (left, right) in moves.rows() {
            let (new, old) = if self.source == Side::Left { (left, right) } else { (right, left) };
            let is_folder = |entry: Entry| entry.kind == Kind::Folder;
            let goes = !self.has(old, MOVED)
                && self.has(old, SELECTED)
                && self.comparison.entry(old, self.target).is_some_and(|entry| !is_folder(entry))
                && self.action(old) == RowAction::Remove;
            if !goes {
                continue;
            }
            let arrives =
                matches!(self.action(new), RowAction::Copy | RowAction::CopyLink | RowAction::SetTimes);
            if !(arrives && self.has(new, SELECTED)) {
                kept.insert(old);
            }
        }
        self.kept = kept;
    }

    /// What is at the name that a row's file goes to, when its turn comes.
    pub(super) fn met_by(&self, row: RowId) -> Option<Entry> {
        let old = self.changed.get(&row).copied();
        self.comparison.entry(old.unwrap_or(row), self.target)
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
        let is_on_both = |row| {
            let has = |side| self.comparison.entry(row, side).is_some();
            has(self.source) && has(self.target)
        };
        let can_go = |row| {
            let goes = if is_on_both(row) { RowAction::Copy } else { RowAction::Remove };
            self.has(row, SELECTED)
                && self.action(row) == goes
                && self.comparison.entry(row, self.target).is_some_and(may_change)
        };
        let can_come = |row| {
            let wanted = match self.action(row) {
                RowAction::Copy => true,
                RowAction::CopyLink | RowAction::MakeFolder => !is_on_both(row),
                // Nothing of it need be read.
                RowAction::Skip(why) => {
                    why == SkipReason::Placeholder && !found.is_changed && !is_on_both(row)
                }
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
            if self.movers.get(&old) == Some(&new)
                && let Some(moved) = self.moved(new, old)
            {
                self.plan.changes.push(ItemChange::Move(moved));
                self.plan.totals.changes.count(ActionKind::Move);
            }
        }
    }

    /// The item that what moves is to be like. What is brought over after it moved is verified then.
    fn source_of(&self, new: RowId) -> Option<SourceOfMove> {
        let entry = self.comparison.entry(new, self.source).filter(|_| !self.changed.contains_key(&new))?;
        let path = self.comparison.path_on(new, self.source);
        Some(SourceOfMove { path, expect: entry.fingerprint() })
    }

    fn moved(&self, new: RowId, old: RowId) -> Option<Moved> {
        let comparison = self.comparison;
        let (into, from) = (comparison.row(new).parent, comparison.row(old).parent);
        let item = comparison.entry(old, self.target)?;
        // A name that another item had keeps its spelling: giving it another one is a matter of its own. Names were
        // checked when they were listed.
        let is_taken = comparison.entry(new, self.target).is_some();
        let spelled_on = if is_taken { self.target } else { self.source };
        let name = Name::new(comparison.name_on(new, spelled_on)).ok()?;
        Some(Moved {
            root: self.target.into(),
            from: comparison.path_on(old, self.target),
            to: comparison.path_on(into, self.target).join(&name),
            expect: item.fingerprint(),
            from_folder: comparison.entry(from, self.target)?.fingerprint(),
            to_folder: comparison.entry(into, self.target).map(|folder| folder.fingerprint()),
            protection: item.protection(),
            source: self.source_of(new),
        })
    }
}

#[cfg(test)]
mod tests;
