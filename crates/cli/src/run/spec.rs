//! What was asked for: a task, and how it is carried out beyond the settings.
//!
//! Invariant: it is known before a folder is opened, and stays the same to the end of the run.

use fcs_engine::compare::Side;
use fcs_engine::directions::{Conflicts, Mode};
use fcs_engine::run::{OnError, RemovedTo, RunOptions};
use fcs_engine::session::Task;

use super::listeners::Telling;
use crate::args::{
    CopyArgs, Destination, ModeChoice, OnCancelChoice, OnErrorChoice, OrphansArgs, Running, SideChoice,
    SyncArgs,
};
use crate::failure::Failure;

/// What LEFT has is brought to RIGHT.
const COPY: Task = Task::Copy(Side::Right);
/// And what only RIGHT has is removed.
const SYNC: Task = Task::Sync(Side::Right);

/// Which task a mode is, if what else was asked for goes with it.
fn task_of(args: &SyncArgs) -> Result<Task, Failure> {
    let only_with = |option: &str, mode: &str| {
        Failure::usage(format!("{option} says nothing without --mode {mode}.")).hint("See fcs sync --help.")
    };
    let conflicts = match (&args.conflicts, args.mode) {
        (None, _) => Conflicts::default(),
        (Some(word), ModeChoice::TwoWay) => word.parse().map_err(Failure::usage)?,
        (Some(_), _) => return Err(only_with("--conflicts", "two-way")),
    };
    if args.custom.is_some() && args.mode != ModeChoice::Custom {
        return Err(only_with("--custom", "custom"));
    }
    Ok(match args.mode {
        ModeChoice::Mirror => SYNC,
        ModeChoice::Update => COPY,
        ModeChoice::Add => Task::Directed(Mode::Add(Side::Right)),
        ModeChoice::Newest => Task::Directed(Mode::Newest),
        ModeChoice::TwoWay => Task::Directed(Mode::TwoWay { conflicts }),
        ModeChoice::Custom => Task::Directed(Mode::Custom(args.custom.unwrap_or_default())),
    })
}

/// How a task is carried out, beyond the settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunSpec {
    pub(super) task: Task,
    /// Decide everything, write nothing.
    pub(super) dry_run: bool,
    /// Do not ask.
    pub(super) yes: bool,
    /// Events instead of text.
    pub(super) json: bool,
    pub(super) on_error: OnErrorChoice,
    pub(super) on_cancel: OnCancelChoice,
    /// What can never be brought over is a warning too.
    pub(super) strict: bool,
    /// As many items may be removed.
    pub(super) max_delete: Option<u64>,
    /// As many files may get other content.
    pub(super) max_change: Option<u64>,
    /// A disk that was there at the last run may be missing.
    pub(super) accept_missing_volumes: bool,
}

impl RunSpec {
    /// What `fcs copy` was asked for.
    pub(super) fn copy(args: &CopyArgs) -> Self {
        Self { max_change: args.copying.max_change, ..Self::new(COPY, &args.running, None, args.json) }
    }

    /// What `fcs sync` was asked for.
    pub(super) fn sync(args: &SyncArgs) -> Result<Self, Failure> {
        let max_change = args.copying.max_change;
        Ok(Self { max_change, ..Self::new(task_of(args)?, &args.running, args.max_delete, args.json) })
    }

    /// What `fcs orphans` was asked for.
    pub(super) fn orphans(args: &OrphansArgs) -> Self {
        let side = match args.side {
            SideChoice::Left => Side::Left,
            SideChoice::Right => Side::Right,
        };
        let removed_to = match args.to {
            Destination::Undo => RemovedTo::Undo,
            Destination::Trash => RemovedTo::RecycleBin,
            Destination::Permanent => RemovedTo::Permanent,
        };
        Self::new(Task::Orphans(side, removed_to), &args.running, args.max_delete, args.json)
    }

    /// `fcs copy -y`.
    pub(super) fn copy_unasked() -> Self {
        Self { yes: true, ..Self::new(COPY, &Running::default(), None, false) }
    }

    fn new(task: Task, running: &Running, max_delete: Option<u64>, json: bool) -> Self {
        Self {
            task,
            dry_run: running.dry_run,
            yes: running.yes,
            json,
            on_error: running.on_error,
            on_cancel: running.on_cancel,
            strict: running.strict,
            accept_missing_volumes: running.accept_missing_volumes,
            max_delete,
            max_change: None,
        }
    }

    /// Whether nobody says how many items may go, neither at the question nor by an option. Then nothing is removed
    /// that undo could not restore.
    pub(super) fn removes_unlimited(&self) -> bool {
        self.yes && !self.dry_run && self.max_delete.is_none()
    }

    /// How it is told.
    pub(super) fn telling(&self) -> Telling {
        Telling { dry_run: self.dry_run, json: self.json, on_cancel: self.on_cancel }
    }

    /// What the engine has to know of it.
    pub(super) fn options(&self) -> RunOptions {
        RunOptions {
            dry_run: self.dry_run,
            on_error: match self.on_error {
                OnErrorChoice::Continue => OnError::Continue,
                OnErrorChoice::RollbackRun => OnError::RollBack,
            },
            ..RunOptions::default()
        }
    }
}
