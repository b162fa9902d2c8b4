//! What is to be done with two compared folders, as a plan with all that is known about it beforehand.
//!
//! Invariant: nothing is written here, and what a plan removes is judged by the guard every time. This module must not
//! know how a user agrees.

use fcs_engine::Settings;
use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_engine::guard::{self, Excess};
use fcs_engine::plan::{Direction, Plan, plan, plan_orphans, plan_sync};
use fcs_engine::preflight::{self, Preflight};
use fcs_engine::run::RemovedTo;
use fcs_engine::settings::Undo;
use fcs_sys::Kind;

use crate::folders::Folders;
use crate::volumes::Mounts;
use crate::{run_log, volumes};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// What the source has is brought to the target.
    Copy(Direction),
    /// And what only the target has is removed.
    Sync(Direction),
    /// What only this side has is removed.
    Orphans(Side, RemovedTo),
}

impl Task {
    /// The command's name, as journals and reports have it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Copy(_) => "copy",
            Self::Sync(_) => "sync",
            Self::Orphans(..) => "orphans",
        }
    }

    /// The side that is written to.
    pub fn target(self) -> Side {
        match self {
            Self::Copy(direction) | Self::Sync(direction) => direction.target(),
            Self::Orphans(side, _) => side,
        }
    }

    /// Where removed items go.
    pub fn removed_to(self) -> RemovedTo {
        match self {
            Self::Copy(_) | Self::Sync(_) => RemovedTo::Undo,
            Self::Orphans(_, removed_to) => removed_to,
        }
    }

    /// The plan for the rows that `selected` accepts.
    pub fn plan(
        self,
        comparison: &Comparison,
        selected: &dyn Fn(RowId) -> bool,
        settings: &Settings,
    ) -> Plan {
        match self {
            Self::Copy(direction) => plan(comparison, direction, selected, settings),
            Self::Sync(direction) => plan_sync(comparison, direction, selected, settings),
            Self::Orphans(side, _) => plan_orphans(comparison, side, selected, settings),
        }
    }
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
    /// What goes cannot be brought back.
    pub removes_for_good: bool,
    /// Disks that were there at the last run, or are to be there, and seem to be missing, in words.
    pub missing_volumes: Vec<String>,
    /// What is mounted at the two folders.
    pub(crate) mounts: Vec<Mounts>,
}

/// Plans the task for the rows that `selected` accepts, and looks at what stands against it. As many items as
/// `allowed` may be removed; without it, what the settings let go.
pub fn propose(
    task: Task,
    folders: &Folders,
    comparison: &Comparison,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
    allowed: Option<u64>,
) -> Proposal {
    let side = task.target();
    // A folder that only holds what was asked for stays.
    let picked = |row| {
        let is_folder = comparison.entry(row, side).is_some_and(|entry| entry.kind == Kind::Folder);
        comparison.node(row, side).is_some()
            && folders.filter.picks(&comparison.path_on(row, side), is_folder)
    };
    let plan = match task {
        Task::Copy(_) | Task::Sync(_) => task.plan(comparison, selected, settings),
        Task::Orphans(..) => task.plan(comparison, &|row| selected(row) && picked(row), settings),
    };
    let mut preflight = preflight::check_knowing(
        &plan,
        folders.root(side.other()),
        folders.root(side),
        folders.probe(side),
        settings,
    );
    if task.removed_to() != RemovedTo::Undo {
        preflight.bytes_kept = 0;
    }
    let removed = plan.items_that_go();
    // Without an undo store what is removed is gone, whatever the command is called.
    let removes_for_good = removed > 0
        && match task.removed_to() {
            RemovedTo::Nowhere => true,
            RemovedTo::Undo => settings.undo == Undo::Off,
            RemovedTo::RecycleBin => false,
        };
    let excess = guard::excess(removed, comparison.tree(side).items(), allowed, settings);
    let mounts = volumes::now(folders, comparison);
    let logs = run_log::folder();
    let missing_volumes = volumes::missing(logs.as_deref(), &mounts, folders, comparison, side, &plan);
    Proposal { task, plan, preflight, excess, removes_for_good, missing_volumes, mounts }
}

#[cfg(test)]
mod tests {
    use fcs_engine::Control;
    use fcs_engine::settings::Undo;

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
        propose(task, folders, &comparison, &by_path, settings, None)
    }

    #[test]
    fn what_the_right_has_can_be_brought_to_the_left() {
        let tmp = tempfile::tempdir().unwrap();
        let (folders, settings) = (folders(&tmp, &[]), Settings::default());
        let copy = proposal(&folders, Task::Copy(Direction::RightToLeft), &|_| true, &settings);
        let totals = &copy.plan.totals;
        assert_eq!((totals.new_files, totals.create_folders, totals.bytes), (2, 1, 5));
        assert_eq!((copy.task.target(), copy.excess, copy.removes_for_good), (Side::Left, None, false));
        let sync = proposal(&folders, Task::Sync(Direction::RightToLeft), &|_| true, &settings);
        assert_eq!((sync.plan.totals.new_files, sync.plan.totals.removed_files), (2, 1));
        assert!(sync.excess.is_some(), "the only item of a side is more than half of it");
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
            proposal(&folders, Task::Orphans(Side::Right, to), &|_| true, &settings).removes_for_good
        };
        assert!(for_good(RemovedTo::Nowhere, Undo::Last) && for_good(RemovedTo::Undo, Undo::Off));
        assert!(!for_good(RemovedTo::Undo, Undo::Last) && !for_good(RemovedTo::RecycleBin, Undo::Off));
    }
}
