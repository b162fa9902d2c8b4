//! What is to be done with two compared folders, as a plan with all that is known about it beforehand.
//!
//! Invariant: nothing is written here, and what a plan removes is judged by the guard every time. This module must not
//! know how a user agrees.

use std::collections::BTreeSet;
use std::sync::Arc;

use fcs_sys::{Kind, Name, RelPath};

use super::{Folders, Mounts, mounts};
use crate::compare::{Comparison, RowId, Side};
use crate::dir_cursor::DirCursor;
use crate::directions::{
    Act, Decisions, HiddenNames, Knowledge, Mode, Why, decide_knowing, folders_of_second_names, plan_beside,
};
use crate::error::Remedy;
use crate::guard::{self, Excess, MassChange};
use crate::history::names_in;
use crate::memory::Remembered;
use crate::moves::{self, Moves};
use crate::plan::{Plan, RootIndex, plan, plan_orphans, plan_sync_moving};
use crate::preflight::{self, Later, Preflight, Problem, Severity};
use crate::run::RemovedTo;
use crate::settings::Undo;
use crate::{Control, Note, Settings};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// What the other side has is brought to this one.
    Copy(Side),
    /// And what only this side has is removed.
    Sync(Side),
    /// What only this side has is removed.
    Orphans(Side, RemovedTo),
    /// What the table of directions says, on one side or both.
    Directed(Mode),
}

impl Task {
    /// The command's name, as journals and reports have it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Copy(_) => "copy",
            Self::Sync(_) => "sync",
            Self::Orphans(..) => "orphans",
            Self::Directed(mode) => mode.word(),
        }
    }

    /// The side that is written to; of two the right one.
    pub fn target(self) -> Side {
        match self {
            Self::Copy(side) | Self::Sync(side) | Self::Orphans(side, _) => side,
            Self::Directed(mode) => mode.target().unwrap_or(Side::Right),
        }
    }

    /// Every side that may be written to, [`Task::target`] first.
    pub fn targets(self) -> &'static [Side] {
        match (self, self.target()) {
            (Self::Directed(mode), _) if mode.target().is_none() => &[Side::Right, Side::Left],
            (_, Side::Right) => &[Side::Right],
            (_, Side::Left) => &[Side::Left],
        }
    }

    /// Where removed items go.
    pub fn removed_to(self) -> RemovedTo {
        match self {
            Self::Copy(_) | Self::Sync(_) | Self::Directed(_) => RemovedTo::Undo,
            Self::Orphans(_, removed_to) => removed_to,
        }
    }
}

/// What bounds a proposal beyond the settings, and what is remembered of earlier runs.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// As many items may be removed; without it, as many as the settings allow.
    pub allowed: Option<u64>,
    /// As many files may get other content; without it, as many as the settings allow.
    pub allowed_changes: Option<u64>,
    /// What was mounted at these and other folders at their last runs, as [`Proposal::mounts`] said then. Who keeps none
    /// is not told of a disk that was there at the last run.
    pub known: Vec<Mounts>,
    /// What both sides were when they were last equal, for [`Mode::TwoWay`]; without it, as at a first run.
    pub remembered: Option<Arc<Remembered>>,
}

/// What passes a limit on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SideGuard {
    /// Which.
    pub side: Side,
    /// Items that are to be removed.
    pub excess: Option<Excess>,
    /// Files that are to get other content.
    pub mass_change: Option<MassChange>,
}

/// A plan with all that is known about it beforehand.
#[derive(Debug)]
pub struct Proposal {
    /// What is to be done.
    pub task: Task,
    /// How.
    pub plan: Plan,
    /// What the run would meet.
    pub preflight: Preflight,
    /// More is to be removed than goes without being allowed.
    pub excess: Option<Excess>,
    /// More files are to get other content than goes without being allowed.
    pub mass_change: Option<MassChange>,
    /// The two of them on each side by itself: so is either judged, and they are allowed together.
    pub guarded: Vec<SideGuard>,
    /// What is removed cannot be restored.
    pub removes_permanently: bool,
    /// Disks that were there at the last run, or are to be there, and seem to be missing, in words.
    pub missing_volumes: Vec<String>,
    /// What is mounted at the two folders, to be remembered until the next run.
    pub mounts: Vec<Mounts>,
    /// What the comparison knew of content without reading, which the report of the run says, too.
    pub known_content: Option<Note>,
    /// Items of which it is not known which version is wanted, and why: they are left for later.
    pub conflicts: Vec<(RelPath, Why)>,
    /// What is copied once a name is free for it.
    pub(super) freed: Vec<Freed>,
    /// As many files may get other content, where that was allowed on purpose.
    pub(super) allowed_changes: Option<u64>,
}

/// An item of which the version on one side gives its name to that of the other side, which is then copied there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Freed {
    pub(super) path: RelPath,
    /// The side on which the name is made free.
    pub(super) side: Side,
    /// What will be copied there, in bytes.
    pub(super) bytes: u64,
}

impl Proposal {
    /// Items that one side's version is to give its name to the other's. Whoever keeps a memory forgets them before the run: a
    /// name that is free between the two would look as if it had been removed.
    pub fn freed(&self) -> impl Iterator<Item = &RelPath> {
        self.freed.iter().map(|freed| &freed.path)
    }

    /// What is copied in a second run, and to which root.
    fn later(&self) -> Vec<(RootIndex, Later)> {
        self.freed.iter().map(|freed| (freed.side.into(), Later { files: 1, bytes: freed.bytes })).collect()
    }
}

impl Folders {
    /// What has moved. Reads the files of which only the content can tell, where that was asked for.
    pub fn moves(
        &self,
        comparison: &Comparison,
        remembered: Option<&Remembered>,
        settings: &Settings,
        control: &Control,
    ) -> Moves {
        let found = moves::find(comparison, remembered, settings);
        found.read(comparison, self.roots(), settings, control)
    }

    /// Plans the task for the rows that `selected` accepts, and looks at what stands against it. Goes by what is known
    /// without reading to have moved.
    pub fn propose(
        &self,
        task: Task,
        comparison: &Comparison,
        selected: &dyn Fn(RowId) -> bool,
        settings: &Settings,
        limits: &Limits,
    ) -> Proposal {
        let moves = match task {
            Task::Sync(_) | Task::Directed(_) => {
                moves::find(comparison, limits.remembered.as_deref(), settings)
            }
            Task::Copy(_) | Task::Orphans(..) => Moves::default(),
        };
        self.propose_moving(task, comparison, selected, settings, limits, &moves)
    }

    /// As [`Self::propose`], and these are what may move: see [`Self::moves`].
    pub fn propose_moving(
        &self,
        task: Task,
        comparison: &Comparison,
        selected: &dyn Fn(RowId) -> bool,
        settings: &Settings,
        limits: &Limits,
        moves: &Moves,
    ) -> Proposal {
        let side = task.target();
        // A folder that only holds what was asked for stays.
        let picked = |row| {
            let is_folder = comparison.entry(row, side).is_some_and(|entry| entry.kind == Kind::Folder);
            comparison.node(row, side).is_some()
                && self.filter.picks(&comparison.path_on(row, side), is_folder)
        };
        match task {
            Task::Copy(to) => {
                let plan = plan(comparison, to, selected, settings);
                self.proposal(task, (plan, Vec::new()), comparison, settings, limits)
            }
            Task::Sync(to) => {
                let plan = plan_sync_moving(comparison, to, selected, settings, moves);
                self.proposal(task, (plan, Vec::new()), comparison, settings, limits)
            }
            Task::Orphans(side, _) => {
                let plan = plan_orphans(comparison, side, &|row| selected(row) && picked(row), settings);
                self.proposal(task, (plan, Vec::new()), comparison, settings, limits)
            }
            Task::Directed(mode) => {
                let remembered = limits.remembered.as_deref();
                let moved = moves.rows();
                let knowledge = Knowledge { remembered, moved: &moved };
                let decisions = decide_knowing(comparison, knowledge, mode, settings);
                self.propose_decided(&decisions, comparison, selected, settings, limits, moves)
            }
        }
    }

    /// Plans what was decided of the rows that `selected` accepts, and looks at what stands against it.
    pub fn propose_decided(
        &self,
        decisions: &Decisions,
        comparison: &Comparison,
        selected: &dyn Fn(RowId) -> bool,
        settings: &Settings,
        limits: &Limits,
        moves: &Moves,
    ) -> Proposal {
        let task = Task::Directed(decisions.mode());
        let hidden = self.hidden_names(comparison, &folders_of_second_names(comparison, decisions, selected));
        let plan = plan_beside(comparison, decisions, selected, settings, moves, &hidden);
        let conflicts = decisions.conflicts().filter(|(row, _)| selected(*row));
        let conflicts = conflicts.map(|(row, why)| (comparison.path(row), why)).collect();
        let rows = (0..comparison.rows.len() as RowId).filter(|&row| selected(row));
        let freed = rows.filter_map(|row| match decisions.act(row) {
            Act::KeepBoth { loser } => {
                let bytes = comparison.entry(row, loser.other()).map_or(0, |entry| entry.size);
                Some(Freed { path: comparison.path(row), side: loser, bytes })
            }
            _ => None,
        });
        let freed = freed.collect();
        Proposal { conflicts, ..self.proposal(task, (plan, freed), comparison, settings, limits) }
    }

    /// The names that are taken in these folders, on both sides. What cannot be listed now adds none: the run then fails at a
    /// name that is taken, and replaces nothing.
    fn hidden_names(&self, comparison: &Comparison, folders: &BTreeSet<RowId>) -> HiddenNames {
        let mut hidden = HiddenNames::default();
        for side in [Side::Left, Side::Right] {
            let mut way = DirCursor::new(&self.root(side).dir);
            for &folder in folders.iter().filter(|&&folder| comparison.node(folder, side).is_some()) {
                let names = way.open(&comparison.path_on(folder, side)).and_then(|dir| names_in(&dir));
                let names = names.unwrap_or_default();
                hidden.add(comparison, folder, names.iter().map(Name::as_bytes));
            }
        }
        hidden
    }

    fn proposal(
        &self,
        task: Task,
        (plan, freed): (Plan, Vec<Freed>),
        comparison: &Comparison,
        settings: &Settings,
        limits: &Limits,
    ) -> Proposal {
        let mut proposal = Proposal {
            task,
            plan,
            preflight: Preflight::default(),
            excess: None,
            mass_change: None,
            guarded: Vec::new(),
            removes_permanently: false,
            missing_volumes: Vec::new(),
            mounts: self.mounts(comparison),
            known_content: comparison.content_read.note(comparison.began),
            conflicts: Vec::new(),
            freed,
            allowed_changes: limits.allowed_changes,
        };
        proposal.preflight = self.preflight(&proposal, settings);
        let plan = &proposal.plan;
        // Each side that is read from, with what it is written to.
        for &to in task.targets() {
            let known = limits.remembered.as_deref();
            if let Some(text) = guard::canary(comparison, to.other(), known, settings) {
                let remedy = Some(Remedy::Setting("canary"));
                proposal.preflight.problems.insert(0, Problem { severity: Severity::Refuses, text, remedy });
            }
        }
        let removed = plan.items_that_go();
        // Without an undo store what is removed is gone, whatever the command is called.
        proposal.removes_permanently = removed > 0
            && match task.removed_to() {
                RemovedTo::Permanent => true,
                RemovedTo::Undo => settings.undo == Undo::Off,
                RemovedTo::RecycleBin => false,
            };
        // Each side is judged by itself: what one side keeps is no comfort for what the other loses.
        let guarded = guarded(plan, comparison, settings, limits);
        proposal.excess = guarded.iter().filter_map(|side| side.excess).reduce(Excess::and);
        proposal.mass_change = guarded.iter().filter_map(|side| side.mass_change).reduce(MassChange::and);
        proposal.missing_volumes = mounts::missing(&limits.known, &proposal.mounts, self, comparison, plan);
        proposal.guarded = guarded;
        proposal
    }

    /// Looks at what stands against a proposal as things are now; also when earlier runs were pruned since it was made.
    pub fn preflight(&self, proposal: &Proposal, settings: &Settings) -> Preflight {
        let Proposal { task, plan, .. } = proposal;
        let mut found =
            preflight::check_twice(plan, &proposal.later(), &self.roots(), &self.probes(), settings);
        if task.removed_to() != RemovedTo::Undo {
            found.bytes_kept = 0;
        }
        found
    }
}

/// The sides on which a plan does more than goes without being allowed.
fn guarded(plan: &Plan, comparison: &Comparison, settings: &Settings, limits: &Limits) -> Vec<SideGuard> {
    let parts = plan.parts().unwrap_or_default();
    let on = |side: Side| {
        let targets = plan.targets.iter().filter(|target| target.root == side.into());
        let excess = targets.filter_map(|target| {
            let goes = plan.items_that_go_from(target.root);
            guard::excess(goes, comparison.tree(side).items(), limits.allowed, settings)
        });
        let files = comparison.tree(side).files();
        let changes = parts.iter().filter(|part| part.root == side.into()).filter_map(|part| {
            guard::mass_change(guard::files_that_change(part), files, limits.allowed_changes, settings)
        });
        SideGuard { side, excess: excess.reduce(Excess::and), mass_change: changes.reduce(MassChange::and) }
    };
    let sides = [Side::Left, Side::Right].map(on).into_iter();
    sides.filter(|side| side.excess.is_some() || side.mass_change.is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two folders: `a` only left, `b` and `sub/c` only right.
    fn folders(tmp: &tempfile::TempDir, include: &[String]) -> Folders {
        let (left, right) = (tmp.path().join("l"), tmp.path().join("r"));
        std::fs::create_dir_all(&left).unwrap();
        std::fs::create_dir_all(right.join("sub")).unwrap();
        std::fs::write(left.join("a"), "a").unwrap();
        std::fs::write(right.join("b"), "bb").unwrap();
        std::fs::write(right.join("sub/c"), "ccc").unwrap();
        Folders::open(&left, &right, include, &[], &Settings::default()).unwrap()
    }

    fn proposal(
        folders: &Folders,
        task: Task,
        selected: &dyn Fn(&str) -> bool,
        settings: &Settings,
    ) -> Proposal {
        let comparison = folders.compare(settings, &Control::default()).unwrap();
        let by_path = |row| selected(&comparison.path(row).to_string());
        folders.propose(task, &comparison, &by_path, settings, &Limits::default())
    }

    #[test]
    fn what_the_right_has_can_be_brought_to_the_left() {
        let tmp = tempfile::tempdir().unwrap();
        let (folders, settings) = (folders(&tmp, &[]), Settings::default());
        let copy = proposal(&folders, Task::Copy(Side::Left), &|_| true, &settings);
        let totals = &copy.plan.totals;
        assert_eq!((totals.new_files, totals.create_folders, totals.bytes), (2, 1, 5));
        assert_eq!((copy.task.target(), copy.excess, copy.removes_permanently), (Side::Left, None, false));
        let sync = proposal(&folders, Task::Sync(Side::Left), &|_| true, &settings);
        assert_eq!((sync.plan.totals.new_files, sync.plan.totals.removed_files), (2, 1));
        assert!(sync.excess.is_some(), "the only item of a side is more than half of it");
    }

    #[test]
    fn many_files_that_change_must_be_allowed() {
        let tmp = tempfile::tempdir().unwrap();
        let (left, right) = (tmp.path().join("l"), tmp.path().join("r"));
        for (folder, text) in [(&left, "encrypted"), (&right, "text")] {
            std::fs::create_dir_all(folder).unwrap();
            (0..4).for_each(|n| std::fs::write(folder.join(n.to_string()), text).unwrap());
        }
        std::fs::write(right.join("only"), "text").unwrap();
        let settings = Settings { max_change_files: 3, ..Settings::default() };
        let folders = Folders::open(&left, &right, &[], &[], &settings).unwrap();
        let comparison = folders.compare(&settings, &Control::default()).unwrap();
        let propose = |allowed_changes, rows: RowId| {
            let limits = Limits { allowed_changes, ..Limits::default() };
            let task = Task::Copy(Side::Right);
            folders.propose(task, &comparison, &|row| row <= rows, &settings, &limits).mass_change
        };
        let found = propose(None, RowId::MAX).unwrap();
        assert_eq!((found.files, found.of), (4, 5));
        assert_eq!(propose(None, 3), None, "three may always");
        assert_eq!(propose(Some(4), RowId::MAX), None);
        assert!(propose(Some(3), RowId::MAX).is_some());
    }

    #[test]
    fn a_folder_whose_canary_is_missing_is_not_trusted() {
        let tmp = tempfile::tempdir().unwrap();
        let settings = Settings { canary: "a".into(), ..Settings::default() };
        let folders = folders(&tmp, &[]);
        let refused = |task| {
            let problems = proposal(&folders, task, &|_| true, &settings).preflight.problems;
            problems
                .iter()
                .any(|p| p.severity == Severity::Refuses && p.text.starts_with("The canary a is missing"))
        };
        assert!(!refused(Task::Copy(Side::Right)) && refused(Task::Copy(Side::Left)));
        assert!(refused(Task::Sync(Side::Left)) && refused(Task::Orphans(Side::Left, RemovedTo::Undo)));
    }

    #[test]
    fn orphans_are_those_that_are_selected_and_asked_for_by_name() {
        let tmp = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        let task = Task::Orphans(Side::Right, RemovedTo::Undo);
        let removed = |include: &[String], selected: &dyn Fn(&str) -> bool| {
            let totals = proposal(&folders(&tmp, include), task, selected, &settings).plan.totals;
            (totals.removed_files, totals.removed_folders)
        };
        assert_eq!(removed(&[], &|_| true), (2, 1));
        assert_eq!(removed(&[], &|path| path == "b"), (1, 0));
        assert_eq!(removed(&["c".into()], &|_| true), (1, 0), "the folder was not asked for");
        assert_eq!(removed(&["c".into()], &|path| path == "b"), (0, 0));
    }

    #[test]
    fn what_has_no_undo_store_or_recycle_bin_to_go_to_is_removed_for_good() {
        let tmp = tempfile::tempdir().unwrap();
        let folders = folders(&tmp, &[]);
        let for_good = |to, undo| {
            let settings = Settings { undo, ..Settings::default() };
            proposal(&folders, Task::Orphans(Side::Right, to), &|_| true, &settings).removes_permanently
        };
        assert!(for_good(RemovedTo::Permanent, Undo::Last) && for_good(RemovedTo::Undo, Undo::Off));
        assert!(!for_good(RemovedTo::Undo, Undo::Last) && !for_good(RemovedTo::RecycleBin, Undo::Off));
    }
}
