//! What only the target has: which of it goes, and in which order.
//!
//! Invariant: an item is removed only if the source is known not to have it. Whatever could not be read, on either
//! side, keeps everything in and below it.

use fcs_sys::{Kind, Name};

use super::planner::{BELOW_MOUNT, BLOCKED, MOVED, PLANNED, Planner, REMOVED, RowAction};
use super::{Removal, RemovalFolder, SourceFolder};
use crate::compare::{RowId, Verdict};
use crate::report::SkipReason;

impl Planner<'_> {
    /// What is to be done with a row that the source does not have.
    pub(super) fn action_on_orphan(&self, row: RowId) -> RowAction {
        let Some(orphan) = self.comparison.entry(row, self.target) else { return RowAction::Nothing };
        if !self.work.removals || !self.settings.compare_existence {
            return RowAction::Nothing;
        }
        match self.comparison.row(row).verdict {
            // Emptying it would remove what is kept on another disk, not what is superfluous here.
            Verdict::LeftOnly | Verdict::RightOnly if orphan.is_mounted() => {
                RowAction::Skip(SkipReason::Mounted)
            }
            Verdict::LeftOnly | Verdict::RightOnly if self.has(row, BELOW_MOUNT) => RowAction::Nothing,
            Verdict::LeftOnly | Verdict::RightOnly if !self.has(row, BLOCKED) => match orphan.kind {
                Kind::File | Kind::Symlink | Kind::Folder => RowAction::Remove,
                Kind::Other => RowAction::Skip(SkipReason::SpecialFile),
            },
            // It goes or stays with the item above it.
            Verdict::KindClash if self.work.copies && self.is_below_another_kind(row) => RowAction::Nothing,
            Verdict::KindClash => RowAction::Skip(SkipReason::KindClash),
            Verdict::NameClash => RowAction::Skip(SkipReason::NameClash),
            // That a row of one side says anything else is not known to happen; then nothing is known about it.
            _ => RowAction::Skip(SkipReason::Unreadable),
        }
    }

    /// Whether nothing stands against the removal of a row: it is no folder, or everything in it goes or moves and is
    /// in the comparison. Asked of a folder after its children.
    pub(super) fn can_go(&self, row: RowId) -> bool {
        let comparison = self.comparison;
        let Some(node) = comparison.node(row, self.target) else { return false };
        let tree = comparison.tree(self.target);
        tree.entry(node).kind != Kind::Folder
            || tree.is_listed_whole(node)
                && comparison.children(row).all(|child| self.has(child, REMOVED | MOVED))
    }

    /// Adds the removals, deepest first and by name within a depth.
    pub(super) fn emit_removals(&mut self) {
        if !self.work.removals && !self.work.kinds {
            return;
        }
        let mut found = Vec::new();
        let (mut depth, mut depth_begins) = (0u32, 0);
        for row in 0..self.comparison.rows.len() as RowId {
            // Rows are breadth-first: a depth ends where the first child of one of its rows comes.
            if row > 0 && self.comparison.row(row).parent >= depth_begins {
                depth += 1;
                depth_begins = row;
            }
            if let Some(folder) = self.removals_in(row) {
                found.push((depth, folder));
            }
        }
        found.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        self.plan.removals = found.into_iter().map(|(_, folder)| folder).collect();
    }

    /// What goes from one folder, counted; `None` if nothing does.
    fn removals_in(&mut self, row: RowId) -> Option<RemovalFolder> {
        let comparison = self.comparison;
        let items: Vec<Removal> = comparison.children(row).filter_map(|child| self.removal(child)).collect();
        let folder = comparison.entry(row, self.target).filter(|_| !items.is_empty())?;
        Some(RemovalFolder {
            root: self.target.into(),
            path: comparison.path_on(row, self.target),
            expect: folder.fingerprint(),
            source: self.source_folder(row)?,
            protection: folder.protection(),
            items,
        })
    }

    /// Where the source would have what is in a row's folder. The roots are on both sides, so there is such a place.
    fn source_folder(&self, row: RowId) -> Option<SourceFolder> {
        let comparison = self.comparison;
        let (mut at, mut missing) = (row, None);
        while comparison.node(at, self.source).is_none() {
            missing = Name::new(comparison.name_on(at, self.target)).ok();
            at = comparison.row(at).parent;
        }
        Some(SourceFolder {
            root: self.source.into(),
            path: comparison.path_on(at, self.source),
            expect: comparison.entry(at, self.source)?.fingerprint(),
            missing,
            names: comparison.tree(self.source).order(),
        })
    }

    /// Whether what the target has there is replaced by a folder.
    fn makes_way(&self, row: RowId) -> bool {
        self.has(row, PLANNED)
            && self.comparison.entry(row, self.source).is_some_and(|here| here.kind == Kind::Folder)
            && self.comparison.entry(row, self.target).is_some_and(|there| there.kind != Kind::Folder)
    }

    fn removal(&mut self, row: RowId) -> Option<Removal> {
        let makes_way = self.makes_way(row);
        let orphan =
            self.comparison.entry(row, self.target).filter(|_| makes_way || self.has(row, REMOVED))?;
        // Names were checked when they were listed.
        let name = Name::new(self.comparison.name_on(row, self.target)).ok()?;
        let totals = &mut self.plan.totals;
        if orphan.kind == Kind::Folder {
            totals.removed_folders += 1;
        } else {
            totals.removed_files += 1;
        }
        if orphan.kind == Kind::File {
            totals.bytes_removed = totals.bytes_removed.saturating_add(orphan.size);
        }
        Some(Removal { name, expect: orphan.fingerprint(), protection: orphan.protection(), makes_way })
    }
}

#[cfg(test)]
mod tests;
