//! Which roots a plan reads and writes, and what it does to each of them.
//!
//! Invariant: what a plan does to one root stands together in each of its lists, in the order of [`Plan::targets`]. So a
//! part is a slice of each list, and every part is numbered, listed in a journal, carried out and undone by itself.

use std::collections::HashSet;

use fcs_sys::{RelPath, Root};

use super::{FolderPlan, ItemChange, Plan, Removal, RemovalFolder, RenamedIn, Skip, Step, Totals};
use crate::compare::Side;

/// A root by its place in the list that a plan is carried out on; see [`crate::run::run`]. Of the two that are compared, 0
/// is the left one and 1 the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RootIndex(pub u8);

impl From<Side> for RootIndex {
    fn from(side: Side) -> Self {
        match side {
            Side::Left => Self(0),
            Side::Right => Self(1),
        }
    }
}

impl std::fmt::Display for RootIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl RootIndex {
    /// The root itself.
    ///
    /// # Errors
    ///
    /// [`BadRoots::Missing`] where there is none of that number.
    pub fn of<'r>(self, roots: &[&'r Root]) -> Result<&'r Root, BadRoots> {
        roots.get(usize::from(self.0)).copied().ok_or(BadRoots::Missing(self))
    }
}

/// A path below one of the roots.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct RootPath {
    /// The root.
    pub root: RootIndex,
    /// The path below it.
    pub path: RelPath,
}

/// A root that a plan writes to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// Which.
    pub root: RootIndex,
    /// The one from which everything comes that is written there.
    pub source: RootIndex,
    /// What is done there.
    pub totals: Totals,
}

/// Why a plan cannot be carried out as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRoots {
    /// It is about a root that is not among those it is to be carried out on.
    #[error("The plan is about a root number {0}, and there is none.")]
    Missing(RootIndex),
    /// It lists one as written to twice, or as read and written.
    #[error("The plan lists root number {0} twice.")]
    Twice(RootIndex),
    /// An operation is not among those of its root, or reads from another root than they do.
    #[error("The plan has operations that are not in the order of the roots that it writes to.")]
    OutOfOrder,
    /// It leaves an item alone, or knows of one, of a root that it does not write to.
    #[error("The plan has items of root number {0}, and does not write there.")]
    NotWritten(RootIndex),
}

/// What a plan does to one root.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    plan: &'a Plan,
    /// The root that is written to.
    pub root: RootIndex,
    /// The one that is read.
    pub source: RootIndex,
    /// What is done.
    pub totals: &'a Totals,
    /// Its part of [`Plan::folders`].
    pub folders: &'a [FolderPlan],
    /// Its part of [`Plan::removals`].
    pub removals: &'a [RemovalFolder],
    /// Its part of [`Plan::changes`].
    pub changes: &'a [ItemChange],
    /// Its part of [`Plan::renames`].
    pub renames: &'a [RenamedIn],
}

impl<'a> Part<'a> {
    /// Whether nothing is listed: what is carried out goes by the lists, whatever the totals say.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && lists_nothing(self.folders, self.removals, self.renames)
    }

    /// Whether the plan writes to no root before it.
    #[cfg(fcs_planted)]
    pub(crate) fn is_first(&self) -> bool {
        self.plan.targets.first().is_some_and(|target| target.root == self.root)
    }

    /// Folders with each step in them, in the order of the plan.
    pub fn steps(&self) -> impl Iterator<Item = (&'a FolderPlan, &'a Step)> + use<'a> {
        steps_in(self.folders)
    }

    /// Each item that is removed, with the folder it lies in, in the order of the plan.
    pub fn removed(&self) -> impl Iterator<Item = (&'a RemovalFolder, &'a Removal)> + use<'a> {
        removed_in(self.removals)
    }

    /// Items left alone.
    pub fn skipped(&self) -> impl Iterator<Item = &'a Skip> + use<'a> {
        let root = self.root;
        self.plan.skipped.iter().filter(move |skip| skip.root == root)
    }

    /// Items that could not be read; see [`Plan::unreadable`].
    pub fn unreadable(&self) -> impl Iterator<Item = &'a RelPath> + use<'a> {
        below(&self.plan.unreadable, self.root)
    }

    /// Files whose content may not be read, as paths below the source.
    pub fn refused_reading(&self) -> impl Iterator<Item = &'a RelPath> + use<'a> {
        below(&self.plan.refused.unreadable, self.source)
    }

    /// Folders in which nothing may be changed.
    pub fn refused_writing(&self) -> impl Iterator<Item = &'a RelPath> + use<'a> {
        below(&self.plan.refused.unwritable, self.root)
    }

    /// Items that only their owner or that of their folder may replace or remove.
    pub fn refused_replacing(&self) -> impl Iterator<Item = &'a RelPath> + use<'a> {
        below(&self.plan.refused.kept_off, self.root)
    }
}

fn below(paths: &[RootPath], root: RootIndex) -> impl Iterator<Item = &RelPath> {
    paths.iter().filter(move |at| at.root == root).map(|at| &at.path)
}

pub(super) fn steps_in(folders: &[FolderPlan]) -> impl Iterator<Item = (&FolderPlan, &Step)> {
    folders.iter().flat_map(|folder| folder.steps.iter().map(move |step| (folder, step)))
}

pub(super) fn removed_in(removals: &[RemovalFolder]) -> impl Iterator<Item = (&RemovalFolder, &Removal)> {
    removals.iter().flat_map(|folder| folder.items.iter().map(move |item| (folder, item)))
}

/// Whether none of these folders is changed, nor anything in them.
pub(super) fn lists_nothing(put: &[FolderPlan], removals: &[RemovalFolder], renames: &[RenamedIn]) -> bool {
    put.iter().all(|folder| folder.kind().is_none() && folder.steps.is_empty())
        && removals.iter().all(|folder| folder.items.is_empty())
        && renames.iter().all(|folder| folder.items.is_empty())
}

/// Takes what belongs to one root from the front of a list.
fn front<'a, T>(list: &mut &'a [T], belongs: impl Fn(&T) -> bool) -> &'a [T] {
    let count = list.iter().take_while(|item| belongs(item)).count();
    let (front, rest) = list.split_at(count);
    *list = rest;
    front
}

impl Plan {
    /// What the plan does to each root that it writes to.
    ///
    /// # Errors
    ///
    /// When the plan does not hold to what [`Plan::targets`] says, as one that was put together by hand may.
    pub fn parts(&self) -> Result<Vec<Part<'_>>, BadRoots> {
        let (mut folders, mut removals) = (&*self.folders, &*self.removals);
        let (mut changes, mut renames) = (&*self.changes, &*self.renames);
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(self.targets.len());
        for &Target { root, source, ref totals } in &self.targets {
            if root == source || parts.iter().any(|part| part.root == root) {
                return Err(BadRoots::Twice(root));
            }
            let is_here = |from: RootIndex, to: RootIndex| (from, to) == (source, root);
            parts.push(Part {
                plan: self,
                root,
                source,
                totals,
                folders: front(&mut folders, |folder| is_here(folder.source_root, folder.target_root)),
                removals: front(&mut removals, |folder| is_here(folder.source.root, folder.root)),
                changes: front(&mut changes, |change| change.root() == root),
                renames: front(&mut renames, |folder| folder.root == root),
            });
        }
        let all = folders.is_empty() && removals.is_empty() && changes.is_empty() && renames.is_empty();
        if !all {
            return Err(BadRoots::OutOfOrder);
        }
        let skipped = self.skipped.iter().map(|skip| skip.root);
        let mut known = skipped.chain(self.unreadable.iter().map(|at| at.root));
        match known.find(|&root| self.targets.iter().all(|target| target.root != root)) {
            Some(root) => Err(BadRoots::NotWritten(root)),
            None => Ok(parts),
        }
    }

    /// This plan and another of the same roots as one, which is carried out and undone as one. `None` where both write to
    /// one root: what is done there is a matter of one plan. Folders that are written to from both sides get the dates of
    /// neither.
    #[must_use]
    pub fn and(mut self, mut other: Self) -> Option<Self> {
        let written = |root| self.targets.iter().any(|target| target.root == root);
        if other.targets.iter().any(|target| written(target.root)) {
            return None;
        }
        // Written to from both sides, a folder is as neither side had it, and has the dates of that.
        let ways =
            |plan: &Self| plan.folders.iter().filter(|f| f.sync_times).map(way).collect::<HashSet<_>>();
        let (ours, theirs) = (ways(&self), ways(&other));
        self.leave_dates(|(from, to)| theirs.contains(&(to, from)));
        other.leave_dates(|(from, to)| ours.contains(&(to, from)));
        self.ask_in_what_is_made(&other.folders);
        other.ask_in_what_is_made(&self.folders);
        self.targets.extend(other.targets);
        self.folders.extend(other.folders);
        self.removals.extend(other.removals);
        self.changes.extend(other.changes);
        self.renames.extend(other.renames);
        self.skipped.extend(other.skipped);
        self.unreadable.extend(other.unreadable);
        self.refused.unreadable.extend(other.refused.unreadable);
        self.refused.unwritable.extend(other.refused.unwritable);
        self.refused.kept_off.extend(other.refused.kept_off);
        self.totals += &other.totals;
        let new = other.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>();
        self.notes.extend(new);
        Some(self)
    }

    /// Where a source lacks a whole folder, its name is asked for before anything goes that was in it. Where the other half
    /// of the plan makes that folder, because something else in it goes there, what is in it is asked for instead.
    fn ask_in_what_is_made(&mut self, made: &[FolderPlan]) {
        let made: HashSet<(RootIndex, &RelPath)> =
            made.iter().filter(|f| f.create).map(|f| (f.target_root, &f.target_path)).collect();
        for removal in self.removals.iter_mut().filter(|_| !made.is_empty()) {
            while let Some(name) = &removal.source.missing {
                let path = removal.source.path.join(name);
                if !made.contains(&(removal.source.root, &path)) {
                    break;
                }
                // In the spelling of the side that loses it, as the missing one above was.
                removal.source.missing = removal.path.names().nth(path.names().count());
                removal.source.path = path;
            }
        }
    }

    /// Leaves the dates of folders that are there already, where their way is among these.
    fn leave_dates(&mut self, is_left: impl Fn((RootPath, RootPath)) -> bool) {
        for folder in &mut self.folders {
            if folder.sync_times && !folder.create && is_left(way(folder)) {
                folder.sync_times = false;
                let target = self.targets.iter_mut().find(|target| target.root == folder.target_root);
                let totals = target.map(|target| &mut target.totals).into_iter().chain([&mut self.totals]);
                totals.for_each(|totals| totals.folder_times = totals.folder_times.saturating_sub(1));
            }
        }
    }
}

/// Where a folder is read and where it is written.
fn way(folder: &FolderPlan) -> (RootPath, RootPath) {
    let from = RootPath { root: folder.source_root, path: folder.source_path.clone() };
    (from, RootPath { root: folder.target_root, path: folder.target_path.clone() })
}

impl std::ops::AddAssign<&Self> for Totals {
    fn add_assign(&mut self, other: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        let both = |sum: &mut (u64, u64), more: (u64, u64)| {
            *sum = (sum.0.saturating_add(more.0), sum.1.saturating_add(more.1));
        };
        // All by name, so that none is forgotten.
        let Self {
            create_folders,
            folder_times,
            new_files,
            replaced_files,
            replaced_newer,
            links,
            file_times,
            renamed,
            changes,
            removed_files,
            removed_folders,
            replaced_kinds,
            bytes_removed,
            bytes,
            bytes_replaced,
            direct,
            staged,
            verified,
            largest,
        } = *other;
        add(&mut self.create_folders, create_folders);
        add(&mut self.folder_times, folder_times);
        add(&mut self.new_files, new_files);
        add(&mut self.replaced_files, replaced_files);
        add(&mut self.replaced_newer, replaced_newer);
        add(&mut self.links, links);
        add(&mut self.file_times, file_times);
        add(&mut self.renamed, renamed);
        self.changes += changes;
        add(&mut self.removed_files, removed_files);
        add(&mut self.removed_folders, removed_folders);
        add(&mut self.replaced_kinds, replaced_kinds);
        add(&mut self.bytes_removed, bytes_removed);
        add(&mut self.bytes, bytes);
        add(&mut self.bytes_replaced, bytes_replaced);
        both(&mut self.direct, direct);
        both(&mut self.staged, staged);
        both(&mut self.verified, verified);
        self.largest = self.largest.max(largest);
    }
}
