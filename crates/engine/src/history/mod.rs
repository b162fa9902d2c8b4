//! Runs that can always be undone: their list, recovery of an interrupted one, undo of a finished one.
//!
//! ```text
//! run ──records──▶ journal ──replay──▶ Ledger ──┐
//!                                               ├─▶ recover (settle) ─▶ RecoveryReport
//!                  disk ──look at each name─────┤
//!                                               └─▶ undo ─▶ RecoveryReport
//! ```
//!
//! The journal says what was intended, the disk says what happened. Recovery believes the disk and uses the journal
//! to know where to look. Every action is idempotent, so recovery itself may be killed anywhere and run again.
//!
//! Invariants: an original is never deleted here except by `prune`, after its run ended; what another program put
//! at a name since is never touched.

mod changed;
pub(crate) mod disk;
mod id;
mod index;
pub(crate) mod journal;
pub(crate) mod later;
pub(crate) mod ledger;
mod leftovers;
mod lock;
pub(crate) mod log;
mod obstacle;
mod prune;
pub(crate) mod record;
pub(crate) mod recover;
mod root_time;
pub(crate) mod store;
pub(crate) mod undo;

use std::io;
use std::path::{Path, PathBuf};

use fcs_sys::{RelPath, Root, Time};
use serde::Serialize;

use crate::settings::Undo;
use crate::{Control, Error, ErrorKind, Op};

pub use crate::ops::vocabulary::RecoveryAction;
pub use changed::{ChangedPaths, paths_of};
pub use id::{BadRunId, RunId};
pub use index::{Original, Originals, OriginalsFrom, originals};
pub use leftovers::{Cleared, Clearing, Leftover, clear_leftovers, leftovers, root_above};
pub use obstacle::{Obstacle, obstacle};
pub use prune::{Pruned, prune};
pub use record::RemovedTo;

pub(crate) use later::Later;
pub(crate) use ledger::Ledger;
pub(crate) use log::{Opening, RunLog};
pub(crate) use record::{Begin, Dates, EmptiedFolder, EndKind, FileStamp, Record, VERSION};
pub(crate) use recover::settle;
pub(crate) use store::{move_to, names as names_in};
pub(crate) use undo::revert;

use journal::{Journal, Tail};
use store::{LockedStore, StoreReader};

/// How far a run got, as its journal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It was interrupted and waits for recovery.
    Unfinished,
    /// Everything was done.
    Done,
    /// Some items failed, the rest was done.
    DoneWithFailures,
    /// The user ended it early; what was done stayed.
    Cancelled,
    /// It was interrupted and recovered; what was done stayed.
    Recovered,
    /// It was rolled back, except for items that had changed since.
    PartlyUndone,
    /// It was rolled back.
    RolledBack,
    /// It was rolled back on this root. In another one that it wrote to, it may not be yet.
    RolledBackHere,
    /// Its originals are being pruned; not all could be deleted yet.
    PartlyPruned,
    /// Its journal is damaged, or of a newer version of this program.
    Unreadable,
}

/// One run on a target root.
#[derive(Debug, Clone, Serialize)]
pub struct RunInfo {
    /// Its id.
    pub run: RunId,
    /// `copy`, `sync` or `orphans`.
    pub command: String,
    /// Where files came from.
    pub source: String,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// How far it got.
    pub state: RunState,
    /// Files and links it changed, and items it removed.
    pub items: u64,
    /// Folders it made.
    pub folders: u64,
    /// The run that it belongs to, of which it did again what failed. Both are kept and undone together.
    pub retries: Option<RunId>,
    /// How long its originals are kept.
    pub undo: Undo,
    /// Whether `undo` can undo it.
    pub undoable: bool,
    /// Whether an undo of it, or its rolling back, was begun, however far that got.
    pub going_back: bool,
    /// It was to keep nothing for undo, and is listed for who undoes an earlier run across it.
    pub kept_nothing: bool,
    /// The paths of the other roots that it wrote to, under the same id.
    pub other_roots: Vec<String>,
    /// Bytes of the originals it keeps.
    pub kept_bytes: u64,
}

impl RunInfo {
    /// The first of the runs that belong together.
    pub fn group(&self) -> &RunId {
        self.retries.as_ref().unwrap_or(&self.run)
    }

    /// Whether nothing that it did was undone on this root, as far as anybody knows.
    pub fn stands(&self) -> bool {
        let is_undone =
            matches!(self.state, RunState::RolledBack | RunState::RolledBackHere | RunState::PartlyUndone);
        !self.going_back && !is_undone
    }
}

/// What an undo undoes, of the runs of a root, newest first: the run `wanted` and all that belong to it, or without
/// one the latest that was not undone yet. What could be undone only in part comes last: it waits for what is in its way.
pub fn to_undo<'a>(runs: &'a [RunInfo], wanted: Option<&RunId>) -> Vec<&'a RunInfo> {
    let can = |run: &&RunInfo| run.undoable;
    let whole = |run: &&RunInfo| run.state != RunState::PartlyUndone;
    let chosen = match wanted {
        Some(wanted) => runs.iter().filter(can).find(|run| run.run == *wanted),
        None => runs.iter().filter(can).find(whole).or_else(|| runs.iter().find(can)),
    };
    let Some(chosen) = chosen else { return Vec::new() };
    let mut group: Vec<&RunInfo> =
        runs.iter().filter(can).filter(|run| run.group() == chosen.group()).collect();
    group.sort_by(|a, b| b.run.cmp(&a.run));
    group
}

/// The latest run, of those of a root, newest first, that kept nothing for undo and came after one of those that are undone: what
/// it changed stays as it left it.
pub fn kept_nothing_after<'a>(runs: &'a [RunInfo], undone: &[RunInfo]) -> Option<&'a RunInfo> {
    let oldest = undone.iter().map(|run| &run.run).min()?;
    runs.iter().find(|run| run.kept_nothing && run.run > *oldest)
}

/// Why a run, a recovery or an undo could not begin. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another one is in progress on this root.
    #[error("Another run is in progress on this folder: {holder}. Nothing was changed. Wait for it to end.")]
    Locked {
        /// Its path.
        root: PathBuf,
        /// Who.
        holder: String,
    },
    /// An earlier run was interrupted.
    #[error(
        "An earlier run on this folder was interrupted and must be recovered first. Nothing was changed."
    )]
    Unfinished {
        /// The path of the root.
        root: PathBuf,
        /// Runs that wait for recovery.
        runs: Vec<RunInfo>,
    },
    /// A run was recorded by another version of this program, so nobody knows whether it is finished.
    #[error(
        "The journal of run {run} on this folder has format {version}, which this version of the program does not read. \
         Nothing was changed. Recover or undo that run with the version that made it."
    )]
    OtherVersion {
        /// The path of the root.
        root: PathBuf,
        /// The run.
        run: RunId,
        /// The format of its journal.
        version: u32,
    },
    /// The plan is not one that can be carried out on these roots.
    #[error("{0} Nothing was changed.")]
    Roots(#[from] crate::plan::BadRoots),
    /// No run of that id.
    #[error("There is no run {0} on this folder.")]
    NoSuchRun(RunId),
    /// No run keeps originals.
    #[error("There is no run on this folder that could be undone.")]
    NothingToUndo,
    /// The journal could not be made or read.
    #[error("{0}")]
    Failed(Error),
}

impl StartError {
    /// The path of the root that stands in the way, where it is one of those that a run was to write to.
    pub fn root(&self) -> Option<&Path> {
        match self {
            Self::Locked { root, .. } | Self::Unfinished { root, .. } | Self::OtherVersion { root, .. } => {
                Some(root)
            }
            Self::Roots(_) | Self::NoSuchRun(_) | Self::NothingToUndo | Self::Failed(_) => None,
        }
    }
}

/// What becomes of an interrupted run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecoverMode {
    /// What was done stays, and can be undone like any other run.
    #[default]
    Keep,
    /// The target is rolled back to what it was.
    RollBack,
}

/// What became of one item.
#[derive(Debug, Clone, Serialize)]
pub struct RecoveryItem {
    /// Path below the root.
    pub path: RelPath,
    /// What was done.
    pub action: RecoveryAction,
    /// Why it could not be done, for [`RecoveryAction::Left`] and [`RecoveryAction::Foreign`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// What recovery or undo did with one run, item by item.
#[derive(Debug, Clone, Serialize)]
pub struct RecoveryReport {
    /// The run.
    pub run: RunId,
    /// What was done; items that were in order already are not listed.
    pub items: Vec<RecoveryItem>,
    /// How far the run is now.
    pub state: RunState,
}

impl RecoveryReport {
    /// Whether anything could not be recovered.
    pub fn is_clean(&self) -> bool {
        self.items.iter().all(|item| !matches!(item.action, RecoveryAction::Left | RecoveryAction::Foreign))
    }

    /// This report and that of an earlier run that belongs to the same, which was undone next. What both are about is
    /// told of once, as it is now.
    fn and(mut self, earlier: Self) -> Self {
        self.items.retain(|item| earlier.items.iter().all(|other| other.path != item.path));
        self.items.extend(earlier.items);
        let state = if self.state == earlier.state { self.state } else { RunState::PartlyUndone };
        Self { run: earlier.run, items: self.items, state }
    }

    /// Whether something still has to be recovered.
    fn is_settled(&self) -> bool {
        self.items.iter().all(|item| item.action != RecoveryAction::Left)
    }
}

/// Lists the runs on a root, newest first. Changes nothing.
pub fn list(root: &Root) -> crate::Result<Vec<RunInfo>> {
    let failed = |e| Error::os(Op::ReadJournal, root.path.clone(), e);
    let Some(look) = StoreReader::open(root).map_err(failed)? else { return Ok(Vec::new()) };
    let mut runs = Vec::new();
    for run in look.run_ids().map_err(failed)?.into_iter().rev() {
        let kept = look.kept_bytes(&run).map_err(failed)?;
        runs.extend(look_at(&look, &run, kept).map(|(mut info, ledger)| {
            let beside = ledger.map_or(0, |ledger| prune::bytes_beside(root, &ledger));
            info.kept_bytes = info.kept_bytes.saturating_add(beside);
            info
        }));
    }
    Ok(runs)
}

/// As [`list`], without what the runs keep.
pub(crate) fn infos(root: &Root) -> crate::Result<Vec<RunInfo>> {
    let failed = |e| Error::os(Op::ReadJournal, root.path.clone(), e);
    let Some(look) = StoreReader::open(root).map_err(failed)? else { return Ok(Vec::new()) };
    let runs = look.run_ids().map_err(failed)?.into_iter().rev();
    Ok(runs.filter_map(|run| look_at(&look, &run, 0)).map(|(info, _)| info).collect())
}

/// One run, with its ledger if that can be read; `None` if another process has let it go since it was listed.
fn look_at(look: &StoreReader, run: &RunId, kept: u64) -> Option<(RunInfo, Option<Ledger>)> {
    let file = match look.journal(run) {
        Ok(file) => file?,
        Err(_) => return Some((blank(run, kept, RunState::Unreadable), None)),
    };
    let ledger = Ledger::read(&file).ok().and_then(|(ledger, _)| ledger);
    // Originals without a whole list of what was to be done: the list was damaged.
    let ledger = ledger.filter(|ledger| ledger.ready || kept == 0);
    let info =
        ledger.as_ref().map_or_else(|| blank(run, kept, RunState::Unreadable), |ledger| ledger.info(kept));
    Some((info, ledger))
}

/// Lists the runs on a root that wait for recovery; none while another process works on the root. Changes nothing.
pub fn unfinished(root: &Root) -> crate::Result<Vec<RunInfo>> {
    let mut runs = troubled(root)?;
    runs.retain(|run| run.state == RunState::Unfinished);
    Ok(runs)
}

/// Lists the runs on a root of whose journal nothing can be read, because it is damaged, was emptied, or has the format of
/// another version; none while another process works on the root. What such a run left behind is found by [`leftovers`].
/// Changes nothing.
pub fn unreadable(root: &Root) -> crate::Result<Vec<RunInfo>> {
    let mut runs = troubled(root)?;
    runs.retain(|run| run.state == RunState::Unreadable);
    Ok(runs)
}

/// Both [`unfinished`] and [`unreadable`] runs, newest first, from one reading of the journals: before every command.
pub fn troubled(root: &Root) -> crate::Result<Vec<RunInfo>> {
    let mut runs = infos(root)?;
    runs.retain(|run| matches!(run.state, RunState::Unfinished | RunState::Unreadable));
    if !runs.is_empty() && in_progress(root)?.is_some() {
        runs.clear();
    }
    Ok(runs)
}

/// Who is working on a root right now, if anybody.
pub fn in_progress(root: &Root) -> crate::Result<Option<String>> {
    let failed = |e| Error::os(Op::ReadJournal, root.path.clone(), e);
    match StoreReader::open(root).map_err(failed)? {
        Some(look) => look.holder().map_err(failed),
        None => Ok(None),
    }
}

fn blank(run: &RunId, kept_bytes: u64, state: RunState) -> RunInfo {
    RunInfo {
        run: run.clone(),
        command: String::new(),
        source: String::new(),
        started: Time::EPOCH,
        ended: None,
        state,
        items: 0,
        folders: 0,
        retries: None,
        undo: Undo::Last,
        undoable: false,
        going_back: false,
        kept_nothing: false,
        other_roots: Vec::new(),
        kept_bytes,
    }
}

/// Unfinished runs under the lock.
fn unfinished_in(store: &LockedStore, root: &Root) -> Result<Vec<RunInfo>, StartError> {
    read_each(store, root, drop)
}

/// A run whose journal was read, and where that ends. Not the open file: there may be as many as a process may have open.
struct Opened {
    run: RunId,
    ledger: Ledger,
    tail: Tail,
}

/// Gives each run that is over to `over`, oldest first, and returns those that are not. What never touched anything is removed.
fn read_each(
    store: &LockedStore,
    root: &Root,
    mut over: impl FnMut(Opened),
) -> Result<Vec<RunInfo>, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::ReadJournal, root.path.clone(), e));
    let (mut unfinished, mut unready) = (Vec::new(), Vec::new());
    for run in store.run_ids().map_err(failed)? {
        let (ledger, journal) = open(store, &run).map_err(failed)?;
        match ledger {
            None if journal.is_empty() => unready.push(run),
            None => {
                if let Some(version) = journal.other_version() {
                    return Err(StartError::OtherVersion { root: root.path.clone(), run, version });
                }
            }
            Some(ledger) if !ledger.is_unfinished() => {
                index::mend(store, &run, &ledger, journal.tail());
                over(Opened { run, ledger, tail: journal.tail() });
            }
            Some(ledger) if ledger.ready => unfinished.push(ledger.info(0)),
            Some(_) => unready.push(run),
        }
    }
    remove_unready(store, unready).map_err(failed)?;
    Ok(unfinished)
}

/// Removes the journals of runs that never touched anything, because their list was never complete. Were it damaged, the
/// undo store or the folders would hold something of the run: then the journal stays as the trace of it.
fn remove_unready(store: &LockedStore, unready: Vec<RunId>) -> io::Result<()> {
    if unready.is_empty() {
        return Ok(());
    }
    let runs = unready.into_iter().collect();
    let lie_about = leftovers::of_runs(store.root(), &runs)?;
    for run in runs.difference(&lie_about) {
        store.delete_if_empty(run)?;
    }
    Ok(())
}

/// A run's ledger and its journal to go on writing; no ledger if the journal makes no sense.
fn open(store: &LockedStore, run: &RunId) -> io::Result<(Option<Ledger>, Journal)> {
    let file = store.journal(run)?;
    let (mut ledger, tail) = Ledger::read(&file)?;
    if let Some(ledger) = &mut ledger {
        ledger.locate(&file.metadata()?);
    }
    Ok((ledger, Journal::new(file, tail)))
}

/// Puts every interrupted run on a root in order: each name holds its complete old or its complete new item, nothing
/// unfinished lies around, and nothing of the originals is lost. Without one, nothing happens.
pub fn recover(root: &Root, how: RecoverMode, control: &Control) -> Result<Vec<RecoveryReport>, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.path.clone(), e));
    if StoreReader::open(root).map_err(failed)?.is_none() {
        root_time::restore(root);
        return Ok(Vec::new());
    }
    locked(root, "recovery", |store| recover_in(store, how, control))
}

fn recover_in(
    store: &LockedStore,
    how: RecoverMode,
    control: &Control,
) -> Result<Vec<RecoveryReport>, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, store.root().path.clone(), e));
    let (mut recoveries, mut unready) = (Vec::new(), Vec::new());
    for run in store.run_ids().map_err(failed)? {
        let (ledger, mut journal) = open(store, &run).map_err(failed)?;
        let Some(ledger) = ledger else {
            unready.extend(journal.is_empty().then_some(run));
            continue;
        };
        if ledger.is_gone() {
            // It took all of it back.
            store.delete_if_empty(&run).map_err(failed)?;
        } else if ledger.pruned && !(ledger.kept_nothing() && store.keeps_nothing(&run)) {
            tell_of(&prune::delete_originals(store, &[run]), control);
        } else if !ledger.ready {
            unready.push(run);
        } else if ledger.end.is_none() {
            recoveries.push(recover_one(store, ledger, &mut journal, how, control)?);
        }
    }
    remove_unready(store, unready).map_err(failed)?;
    Ok(recoveries)
}

fn recover_one(
    store: &LockedStore,
    mut ledger: Ledger,
    journal: &mut Journal,
    how: RecoverMode,
    control: &Control,
) -> Result<RecoveryReport, StartError> {
    let root = store.root().path.clone();
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.clone(), e));
    let mut recovery =
        RecoveryReport { run: ledger.begin.run.clone(), items: Vec::new(), state: RunState::Unfinished };
    let kept = store.kept(&recovery.run).map_err(failed)?;
    recovery.items = settle(store.root(), &kept, &mut ledger, journal).map_err(failed)?;
    name_holders(&mut recovery.items, store.root());
    tell(&recovery.items, control);
    if !recovery.is_settled() {
        return Ok(recovery);
    }
    if how == RecoverMode::Keep && !ledger.rolling_back {
        journal.append(&Ledger::end_record(EndKind::Recovered, 0));
        journal.sync().map_err(failed)?;
        recovery.state = RunState::Recovered;
        // Of several roots each says that it was recovered until it is in all.
        if ledger.begin.prune_at_end && ledger.other_roots.is_empty() {
            tell_of(&prune::delete_originals(store, std::slice::from_ref(&recovery.run)), control);
        } else {
            index::write(store, &recovery.run);
        }
        return Ok(recovery);
    }
    let mut back = revert(store, &ledger, journal, &Later::default()).map_err(failed)?;
    name_holders(&mut back.items, store.root());
    tell(&back.items, control);
    // An item that was found recovered and then rolled back is reported once.
    recovery.items.retain(|item| back.items.iter().all(|later| later.path != item.path));
    recovery.items.append(&mut back.items);
    recovery.state = back.state;
    Ok(recovery)
}

/// Forgets runs that are over in every root that they wrote to: here they were rolled back, or kept without anything to
/// undo them with. First every root must say so, in [`say_over`]; else the last would not know what became of the others.
pub(crate) fn forget(root: &Root, runs: &[RunId]) -> Result<(), StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.path.clone(), e));
    locked(root, "recovery", |store| {
        for run in runs.iter().filter(|run| store.run_ids().is_ok_and(|known| known.contains(run))) {
            let (Some(ledger), _) = open(store, run).map_err(failed)? else { continue };
            if ledger.is_gone() {
                store.delete_if_empty(run).map_err(failed)?;
            } else if ledger.pruned {
                let _ = prune::delete_originals(store, std::slice::from_ref(run));
            }
        }
        Ok(())
    })
}

/// Writes down that these runs are over in every root that they wrote to.
pub(crate) fn say_over(root: &Root, runs: &[RunId]) -> Result<(), StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.path.clone(), e));
    locked(root, "recovery", |store| {
        for run in runs.iter().filter(|run| store.run_ids().is_ok_and(|known| known.contains(run))) {
            let (Some(ledger), mut journal) = open(store, run).map_err(failed)? else { continue };
            if ledger.needs_no_undo() && !ledger.pruned {
                journal.append(&Record::Pruned);
                journal.sync().map_err(failed)?;
            }
        }
        Ok(())
    })
}

/// Asks who has those items open that could not be changed because of it.
fn name_holders(items: &mut [RecoveryItem], root: &Root) {
    for error in items.iter_mut().filter_map(|item| item.error.as_mut()) {
        *error = error.clone().ask_holders(&*root.dir);
    }
}

/// What could not be deleted keeps nothing from being in order.
fn tell_of(stay: &[(RunId, Error)], control: &Control) {
    stay.iter().for_each(|(_, error)| control.observer.error(error));
}

fn tell(items: &[RecoveryItem], control: &Control) {
    items.iter().filter_map(|item| item.error.as_ref()).for_each(|error| control.observer.error(error));
}

/// Undoes a run and all that belong to it: restores their originals and removes what they created. Items that changed
/// since, by another program or by a later run, are refused one by one and left as they are. Without `run`, the latest
/// that was not undone yet; so each call undoes one.
pub fn undo(root: &Root, run: Option<&RunId>, control: &Control) -> Result<RecoveryReport, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.path.clone(), e));
    if StoreReader::open(root).map_err(failed)?.is_none() {
        return Err(run.map_or(StartError::NothingToUndo, |run| StartError::NoSuchRun(run.clone())));
    }
    locked(root, "undo", |store| undo_in(store, run, control))
}

fn undo_in(
    store: &LockedStore,
    run: Option<&RunId>,
    control: &Control,
) -> Result<RecoveryReport, StartError> {
    let root = store.root();
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.path.clone(), e));
    let mut over = Vec::new();
    let unfinished = read_each(store, root, |one| over.push(one))?;
    if !unfinished.is_empty() {
        return Err(StartError::Unfinished { root: root.path.clone(), runs: unfinished });
    }
    if let Some(wanted) = run
        && over.iter().all(|one| one.run != *wanted)
        && !store.run_ids().map_err(failed)?.contains(wanted)
    {
        return Err(StartError::NoSuchRun(wanted.clone()));
    }
    over.retain(|one| one.ledger.is_undoable());
    over.reverse();
    let infos: Vec<RunInfo> = over.iter().map(|one| one.ledger.info(0)).collect();
    let mut over: Vec<Option<Opened>> = over.into_iter().map(Some).collect();
    let mut whole: Option<RecoveryReport> = None;
    for chosen in to_undo(&infos, run) {
        let Some(at) = infos.iter().position(|info| info.run == chosen.run) else { continue };
        let later = over[..at].iter().flatten().map(|later| &later.ledger);
        let later = Later::of(later.filter(|later| later.begin.group() != chosen.group()));
        let known = over[at].take().filter(|_| whole.is_none());
        // Read anew: the undo of a later run of the group told it the change times of what came back.
        let (ledger, mut journal) = match known {
            Some(one) => {
                let file = store.journal(&one.run).map_err(failed)?;
                (Some(one.ledger), Journal::new(file, one.tail))
            }
            None => open(store, &chosen.run).map_err(failed)?,
        };
        let Some(ledger) = ledger else { continue };
        let mut recovery = revert(store, &ledger, &mut journal, &later).map_err(failed)?;
        name_holders(&mut recovery.items, store.root());
        tell(&recovery.items, control);
        whole = Some(match whole {
            Some(whole) => whole.and(recovery),
            None => recovery,
        });
    }
    let whole = whole.ok_or(StartError::NothingToUndo)?;
    // What kept nothing and came after the last that can be undone tells nobody anything any more.
    prune::idle(store).map_err(failed)?;
    Ok(whole)
}

/// Does something under the lock, and removes `.fcs` if nothing is left in it.
fn locked<T>(
    root: &Root,
    what: &str,
    work: impl FnOnce(&LockedStore) -> Result<T, StartError>,
) -> Result<T, StartError> {
    fcs_sys::raise_open_file_limit();
    let store = LockedStore::lock(root, &format!("{what} by process {}", std::process::id()))?;
    let done = work(&store)?;
    let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.path.clone(), e));
    store.remove_if_empty().map_err(failed)?;
    Ok(done)
}

impl RecoveryItem {
    pub(crate) fn done(path: RelPath, action: RecoveryAction) -> Self {
        Self { path, action, error: None }
    }

    pub(crate) fn left(path: RelPath, error: Error) -> Self {
        Self { path, action: RecoveryAction::Left, error: Some(error) }
    }

    pub(crate) fn foreign(root: &Root, path: RelPath) -> Self {
        let error = Self::refusal(root, &path, ErrorKind::ChangedSince);
        Self { path, action: RecoveryAction::Foreign, error: Some(error) }
    }

    pub(crate) fn refusal(root: &Root, path: &RelPath, kind: ErrorKind) -> Error {
        Error::new(Op::Restore, crate::progress::full_path(&root.path, path), kind)
    }
}
