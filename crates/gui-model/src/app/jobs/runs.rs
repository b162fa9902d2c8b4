//! The work of a run: what is decided, planned, tried and carried out, and undone or recovered.
//!
//! Invariant: what is run is what was planned, with the memory that it was planned by. This module must not know what is on
//! the screen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_app::remembering::{self, Remembering};
use fcs_app::run_log::{self, run_with_log};
use fcs_app::together::{self, Holding};
use fcs_app::user_error::{UserError, UserErrorKind};
use fcs_app::volumes;
use fcs_engine::compare::Side;
use fcs_engine::directions::Mode;
use fcs_engine::history::{self, RecoverMode, RunId};
use fcs_engine::run::RunOptions;
use fcs_engine::session::{self, Folders, InRoot, Limits, SessionError, Task};
use fcs_engine::{Control, Settings};

use super::super::confirm::{AskedFor, Proposed};
use super::super::outcome::EndedRun;
use super::{JobEvent, PlannedRows, at_paths, refused};
use crate::bits::Bits;
use crate::directed::Directed;
use crate::index::Index;

/// Decides about the rows of a comparison, by what is remembered of the two folders and what has moved.
pub(in crate::app) fn decide(
    mode: Mode,
    folders: &Arc<Folders>,
    index: &Arc<Index>,
    settings: &Settings,
    memories: Option<&Path>,
    control: &Control,
) -> Directed {
    let memory = Remembering::of_in(memories, Task::Directed(mode), folders, settings);
    let (remembered, notes) =
        memory.map_or_else(Default::default, |memory| (memory.remembered, memory.notes));
    let moves = folders.moves(index.comparison(), Some(&remembered), settings, control);
    for error in moves.errors() {
        control.observer.error(error);
    }
    Directed::decide(Arc::clone(index), mode, &remembered, moves, notes, settings)
}

/// Makes a plan and checks it.
pub(in crate::app) fn prepare(
    task: Task,
    folders: &Arc<Folders>,
    index: &Arc<Index>,
    rows: &PlannedRows,
    settings: Settings,
    memories: Option<&Path>,
) -> Proposed {
    let comparison = index.comparison();
    let known = volumes::known(run_log::folder().as_deref());
    let memory = Remembering::of_in(memories, task, folders, &settings);
    let remembered = memory.as_ref().map(|memory| Arc::clone(&memory.remembered));
    let limits = Limits { known, remembered: remembered.clone(), ..Limits::default() };
    let remembered = remembered.unwrap_or_default();
    let by_ticks = |bits: Bits| {
        let proposal = folders.propose(task, comparison, &|row| bits.has(row), &settings, &limits);
        (proposal, AskedFor::Ticked(bits))
    };
    let (mut proposal, asked) = match rows {
        PlannedRows::Ticked(bits) => by_ticks(bits.clone()),
        PlannedRows::Paths(paths) => by_ticks(at_paths(paths, comparison, task.target())),
        PlannedRows::Decided(directed) => {
            let mode = match task {
                Task::Directed(mode) => mode,
                Task::Copy(_) | Task::Sync(_) | Task::Orphans(..) => directed.mode(),
            };
            let decided = directed.decide_again(mode, &remembered, &settings);
            let moves = directed.moves();
            let proposal =
                folders.propose_decided(&decided, comparison, &|_| true, &settings, &limits, moves);
            let conflicts = directed.conflicts(&remembered, &settings);
            let conflicts = conflicts.into_iter().map(|(row, why)| (row, why, decided.act(row))).collect();
            (proposal, AskedFor::Decided { by_hand: directed.chosen().len() as u64, conflicts })
        }
    };
    if let Some(memory) = &memory {
        memory.judge(&mut proposal);
    }
    let untried =
        !proposal.plan.folders.is_empty() && task.targets().iter().any(|&side| folders.is_untried(side));
    Proposed::new(proposal, Arc::clone(folders), settings, untried, asked, index, memory)
}

/// Tries the volumes that are written to, unless the run will be refused anyway, and makes the plan again. Only after it was
/// agreed to write there.
pub(in crate::app) fn try_volumes(
    agreed: &Proposed,
    index: &Arc<Index>,
    rows: &PlannedRows,
    memories: Option<&Path>,
) -> Proposed {
    let (folders, task) = (&agreed.folders, agreed.proposal.task);
    let is_busy = |side: &Side| matches!(history::in_progress(folders.root(*side)), Ok(Some(_)));
    if folders.check_not_moved().is_ok() && !task.targets().iter().any(is_busy) {
        task.targets().iter().for_each(|&side| folders.try_volume(side));
    }
    let mut again = prepare(task, folders, index, rows, agreed.settings.clone(), memories);
    // Whatever kept it from being tried, the run will meet and say.
    again.untried = false;
    again
}

/// How a plan is carried out.
pub(in crate::app) struct RunRequest {
    pub(in crate::app) dry_run: bool,
    pub(in crate::app) retries: Option<RunId>,
    pub(in crate::app) logs: Option<PathBuf>,
    pub(in crate::app) memories: Option<PathBuf>,
}

/// Carries out a plan, or goes through it.
pub(in crate::app) fn run(proposed: &Proposed, request: RunRequest, control: &Control) -> JobEvent {
    let Proposed { proposal, folders, settings, .. } = proposed;
    let RunRequest { dry_run, retries, logs, memories } = request;
    let mut memory = proposed.take_memory().filter(|_| !dry_run);
    let holding =
        if dry_run { None } else { Some(together::hold_in(memories.as_deref(), folders, proposal)) };
    let holding = match holding.transpose() {
        Ok(holding) => holding,
        Err(error) => return JobEvent::Ran(Err(refused(&error))),
    };
    if let Some(Err(why)) = memory.as_mut().map(|memory| memory.before(proposal)) {
        let message = format!("{why} Nothing was written.");
        return JobEvent::Ran(Err(UserError { message, hint: None, kind: UserErrorKind::Refused }));
    }
    let options = RunOptions { dry_run, retries, ..RunOptions::default() };
    let ran = run_with_log(logs.as_deref(), folders, proposal, settings, &options, control);
    if let Some(trouble) = ran.log_error {
        control.observer.note(&trouble.message.into());
    }
    let mut not_remembered = None;
    match (&ran.report, memory) {
        (Ok(report), Some(memory)) => {
            let first = proposed.index.comparison();
            not_remembered = memory.learn(folders, first, (proposal, report), settings, control);
        }
        (Ok(report), None) => remembering::tell_in(memories.as_deref(), folders, report),
        (Err(_), _) => {}
    }
    holding.into_iter().for_each(Holding::release);
    let target = folders.root(proposal.task.target());
    JobEvent::Ran(match ran.report {
        Ok(report) => {
            let ended = EndedRun::new(report, target.path.clone(), proposal, ran.log.as_deref());
            Ok(Box::new(ended.with_memory(not_remembered)))
        }
        Err(error) => Err(refused(&error)),
    })
}

/// Undoes a run, on both sides where it wrote to both.
pub(in crate::app) fn undo(
    side: Side,
    folder: &Path,
    run: &RunId,
    memories: Option<&Path>,
    control: &Control,
) -> JobEvent {
    let undone =
        session::open(folder).and_then(|root| remembering::undo_in(memories, &root, Some(run), control));
    accounted(side, false, undone)
}

/// Recovers a folder's interrupted runs, on both sides where they wrote to both.
pub(in crate::app) fn recover(
    side: Side,
    folder: &Path,
    how: RecoverMode,
    memories: Option<&Path>,
    control: &Control,
) -> JobEvent {
    let recovered =
        session::open(folder).and_then(|root| remembering::recover_in(memories, &root, how, control));
    accounted(side, true, recovered)
}

fn accounted(side: Side, recovered: bool, result: Result<Vec<InRoot>, SessionError>) -> JobEvent {
    let in_roots = |all: Vec<InRoot>| {
        let in_root = |at: InRoot| (at.root.path, at.reports);
        all.into_iter().map(in_root).filter(|(_, reports)| !reports.is_empty()).collect()
    };
    JobEvent::Accounted { side, recovered, result: result.map(in_roots).map_err(|error| refused(&error)) }
}
