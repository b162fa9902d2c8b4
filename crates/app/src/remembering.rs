//! The memory of the two folders of a run: gone by before it, added to after it, and forgotten where it is undone.
//!
//! Invariant: where there is no memory that holds, the rules of a first run do, and it is said why. A run is never kept
//! from its work by its memory. What was undone is forgotten before anything goes back: a memory that is behind costs a
//! question, one that is ahead takes what never arrived for removed.

mod others;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use fcs_engine::compare::{Comparison, Side};
use fcs_engine::directions::Mode;
use fcs_engine::error::display_path;
use fcs_engine::history::{
    self, ChangedPaths, Pruned, RecoverMode, RecoveryReport, RunId, RunInfo, RunState,
};
use fcs_engine::memory::{OtherTerm, Remembered, RootIdentity, Terms};
use fcs_engine::preflight::{Problem, Severity};
use fcs_engine::report::{ActionKind, ItemReport, Outcome, Report, RunResult};
use fcs_engine::session::{self, Folders, InRoot, Proposal, SessionError, Task, root_identity};
use fcs_engine::settings::Undo;
use fcs_engine::{Control, Error, Op, Settings, StartError};
use fcs_state::{KeptRun, Pair, Start, StateError, States};
use fcs_sys::{Name, RelPath, Root, Time};

use crate::{pairs, together};

/// What holds where nothing is remembered.
const FIRST_RUN: &str = "nothing is removed, and what differs is left alone";

/// What is remembered of two folders, for who keeps no memory of them and only wants to tell what was renamed from what is
/// new. `None` where there is none, or none that holds; nothing is said of that.
pub fn recalled(folders: &Folders, settings: &Settings) -> Option<Arc<Remembered>> {
    let terms = folders.terms(settings).ok()?;
    let states = pairs::open().ok()?;
    if !states.is_apart([&folders.left, &folders.right]) {
        return None;
    }
    let loaded = states.find(&terms.roots).ok()??.load().ok()?;
    terms.other_than(&loaded.terms).is_empty().then(|| Arc::new(loaded.remembered))
}

/// The memory of two open folders during one run.
pub struct Remembering {
    /// What both sides were; empty at a first run.
    pub remembered: Arc<Remembered>,
    /// What is to be said about it, once.
    pub notes: Vec<String>,
    /// Why nothing may be done now.
    in_use: Option<String>,
    kept: Option<Kept>,
}

/// Where it will be saved.
struct Kept {
    states: States,
    /// `None` where there is none yet: it is made when there is something to remember.
    pair: Option<Pair>,
    terms: Terms,
    start: Start,
}

impl Remembering {
    /// What is remembered of two folders, for a task that goes by it; `None` for others.
    pub fn of(task: Task, folders: &Folders, settings: &Settings) -> Option<Self> {
        Self::of_in(pairs::folder().as_deref(), task, folders, settings)
    }

    /// The same, with the memories in this folder.
    pub fn of_in(
        memories: Option<&Path>,
        task: Task,
        folders: &Folders,
        settings: &Settings,
    ) -> Option<Self> {
        let Task::Directed(mode) = task else { return None };
        if !mode.uses_memory() {
            return None;
        }
        let mut memory = Self { remembered: Arc::default(), notes: Vec::new(), in_use: None, kept: None };
        match memory.open(memories, folders, settings) {
            Ok(None) => {}
            Ok(Some(why)) => memory.notes.push(first_run(mode, &why)),
            Err(why) => {
                let why = why.trim_end_matches('.');
                memory.notes.push(format!("{} What this run does is not remembered.", first_run(mode, why)));
            }
        }
        Some(memory)
    }

    /// Loads what there is. Why it is a first run, where it is; an error where nothing can be saved either.
    fn open(
        &mut self,
        memories: Option<&Path>,
        folders: &Folders,
        settings: &Settings,
    ) -> Result<Option<String>, String> {
        let terms = folders.terms(settings).map_err(|error| error.to_string())?;
        let states = pairs::open_in(memories).map_err(|error| error.to_string())?;
        if !states.is_apart([&folders.left, &folders.right]) {
            let place = display_path(states.folder());
            return Err(format!("{place}, where memories are kept, is in one of the two folders"));
        }
        let lookalike = states.lookalike(&terms.roots).ok().flatten();
        let mut pair = match states.find(&terms.roots) {
            Err(error @ StateError::InUse { .. }) => return Ok(self.refuse(&error)),
            found => found.map_err(|error| error.to_string())?,
        };
        if let Some(pair) = &mut pair {
            self.forget_undone_elsewhere(pair, folders, settings);
        }
        let mut start = Start::Afresh;
        let loaded = pair.as_mut().map_or(Err(StateError::Missing), Pair::load);
        let why = match loaded {
            Ok(loaded) => {
                let other = terms.other_than(&loaded.terms);
                if other.is_empty() {
                    self.remembered = Arc::new(loaded.remembered);
                    start = Start::Loaded;
                    None
                } else {
                    let words: Vec<&str> = other.iter().map(|term| other_term(*term)).collect();
                    Some(format!("since the last run {}", words.join(" and ")))
                }
            }
            Err(StateError::Missing) => Some(lookalike.map_or_else(
                || "nothing is remembered of these two folders yet".to_owned(),
                |other| other.sides.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join(", and "),
            )),
            // What is remembered is not known, which is not the same as nothing.
            Err(error @ StateError::InUse { .. }) => return Ok(self.refuse(&error)),
            Err(error) => Some(error.to_string().trim_end_matches('.').to_owned()),
        };
        self.kept = Some(Kept { states, pair, terms, start });
        Ok(why)
    }

    fn refuse(&mut self, error: &StateError) -> Option<String> {
        self.in_use = Some(format!("{error} Nothing was changed. Run again when it has ended."));
        None
    }

    /// Has a proposal refused that was made without knowing what is remembered, because another program has that open.
    pub fn judge(&self, proposal: &mut Proposal) {
        if let Some(text) = self.in_use.clone() {
            let problem = Problem { severity: Severity::Refuses, text, remedy: None };
            proposal.preflight.problems.insert(0, problem);
        }
    }

    /// Forgets what was learned from runs that a side which they wrote to knows no more: they were undone there, perhaps by
    /// another computer, or their journals are lost. Else what went back there would look like a removal.
    fn forget_undone_elsewhere(&mut self, pair: &mut Pair, folders: &Folders, settings: &Settings) {
        // What is too old to be undone is pruned on the two sides as well, and says nothing.
        drop(pair.drop_runs_older_than(pairs::limits(settings).term, Time::now()));
        let kept = pair.runs().unwrap_or_default();
        if kept.is_empty() {
            return;
        }
        // What cannot be listed is not known to be gone.
        let listed = [&folders.left, &folders.right].map(|root| history::list(root).ok());
        let undone = kept.iter().enumerate().rev().filter(|(at, run)| {
            let sides = listed.iter().enumerate();
            sides.filter(|(side, _)| run.wrote[*side]).any(|(side, listed)| {
                let later = kept[at + 1..].iter().filter(|later| later.wrote[side]);
                listed.as_ref().is_some_and(|listed| is_undone(run, later, side, listed))
            })
        });
        let gone = undone.filter(|(_, kept)| pair.forget_run(&kept.run).is_ok()).count() as u64;
        if gone > 0 {
            let runs = fcs_text::count(gone, "earlier run", "earlier runs");
            self.notes.push(format!(
                "What {runs} brought together counts as not seen before: undone, or gone from the list of runs, on a side."
            ));
        }
    }

    /// Forgets what a run is about to make look removed for a moment.
    ///
    /// # Errors
    ///
    /// In words; then the run must not begin.
    pub fn before(&mut self, proposal: &Proposal) -> Result<(), String> {
        let freed = ChangedPaths { items: proposal.freed().cloned().collect(), ..ChangedPaths::default() };
        match self.kept.as_mut().and_then(|kept| kept.pair.as_mut()) {
            Some(pair) if !freed.items.is_empty() => match pair.forget_items(&freed) {
                Ok(())
                | Err(StateError::Missing | StateError::Damaged { .. } | StateError::OtherVersion { .. }) => {
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            },
            _ => Ok(()),
        }
    }

    /// Learns from a run of these folders that is over. Why it could not, where it could not: the next run then goes by
    /// what was remembered before.
    pub fn learn(
        self,
        folders: &Folders,
        first: &Comparison,
        (proposal, report): (&Proposal, &Report),
        settings: &Settings,
        control: &Control,
    ) -> Option<String> {
        let Self { remembered, kept, .. } = self;
        let kept = kept?;
        let states = kept.states.clone();
        let why = kept.save(&remembered, folders, first, (proposal, report), settings, control);
        account_for_pruned(&states, folders, report);
        why
    }
}

impl Kept {
    fn save(
        self,
        remembered: &Remembered,
        folders: &Folders,
        first: &Comparison,
        (proposal, report): (&Proposal, &Report),
        settings: &Settings,
        control: &Control,
    ) -> Option<String> {
        let Self { states, pair, terms, start } = self;
        let over = matches!(
            report.result,
            RunResult::Completed | RunResult::CompletedWithFailures | RunResult::Cancelled
        );
        if !over {
            return None;
        }
        let learned = folders.learn(first, (proposal, report), remembered, settings, control);
        let changes = match learned {
            Ok(changes) => changes,
            Err(error) => return Some(format!("What this run did is not remembered: {error}")),
        };
        let since = Time::now().as_nanos().saturating_sub(pairs::limits(settings).term.as_nanos() as i128);
        let since = Time::from_nanos(since);
        if changes.is_empty() && start == Start::Loaded {
            let noted = pair.map_or(Ok(()), |mut pair| others::note(&mut pair, folders, since));
            return noted
                .err()
                .map(|error| format!("It is not remembered which other runs there are: {error}"));
        }
        // A run that keeps nothing for undo is never undone, so nothing of it need be forgotten.
        let did_something = report.counts.any_change() && settings.undo != Undo::Off;
        let run = did_something.then_some(&report.run);
        let saved = pair.map_or_else(|| states.pair(&terms.roots), Ok).and_then(|mut pair| {
            pair = pair.of_run_on(sides_of(report));
            pair.save(run, &terms, start, changes)?;
            others::note(&mut pair, folders, since)?;
            states.prune(&pairs::limits(settings), Some(pair.id()), Time::now())
        });
        saved.err().map(|error| format!("What this run did is not remembered: {error}"))
    }
}

/// Whether what a run did may be undone on a side, of which these runs are listed, and the `later` ones are known to have written
/// to it.
///
/// That it was pruned there, by a program that said so here, explains that it is not listed. But not if the journals are not
/// those of then: a later run is missing for which nothing accounts, or the run is back. Then the folder was set back, and may have
/// been undone since, or before.
fn is_undone<'a>(
    run: &KeptRun,
    mut later: impl Iterator<Item = &'a KeptRun>,
    side: usize,
    listed: &[RunInfo],
) -> bool {
    let find = |run: &KeptRun| listed.iter().find(|listed| listed.run == run.run);
    let is_missing = |run: &KeptRun| !find(run).is_some_and(RunInfo::stands);
    if !run.accounted[side] {
        return is_missing(run);
    }
    let is_back = find(run).is_some_and(|run| run.state != RunState::PartlyPruned);
    is_back || later.any(|later| !later.accounted[side] && is_missing(later))
}

fn first_run(mode: Mode, why: &str) -> String {
    let what = if matches!(mode, Mode::TwoWay { .. }) {
        FIRST_RUN
    } else {
        "nothing counts as changed on both sides"
    };
    format!("This is a first run, because {why}: {what}.")
}

fn other_term(term: OtherTerm) -> &'static str {
    match term {
        OtherTerm::Root(Side::Left) => "the left folder became another one",
        OtherTerm::Root(Side::Right) => "the right folder became another one",
        OtherTerm::Filter => "the patterns that choose items were changed",
        OtherTerm::Criteria => "what counts as equal was changed",
        OtherTerm::Rules => "the program was changed in what it remembers",
    }
}

/// The sides on which a run did something.
fn sides_of(report: &Report) -> [bool; 2] {
    [Side::Left, Side::Right].map(|side| {
        let done = |item: &&ItemReport| matches!(item.outcome, Outcome::Done { .. });
        report.items.iter().filter(done).any(|item| item.root == side.into())
    })
}

/// Forgets what a run, and all that belong to it, changed that are about to be undone on these roots, in the memory of every pair that has one of them, or a
/// folder above or below it; whichever command it was that ran. Why it could not: then they must not be undone, or what goes
/// back would look like a removal. Says which runs these are, for [`account_for_undone`].
///
/// # Errors
///
/// In words.
pub fn forget_undone(roots: &[Root], run: &RunId) -> Result<Vec<RunId>, String> {
    forget_undone_in(pairs::folder().as_deref(), roots, run)
}

fn forget_undone_in(memories: Option<&Path>, roots: &[Root], run: &RunId) -> Result<Vec<RunId>, String> {
    let mut changed = Vec::new();
    let groups = session::belonging_in(roots, run);
    for root in roots {
        let is = root_identity(root).ok();
        for group in &groups {
            let paths = history::paths_of(root, group).map_err(|error| error.to_string())?;
            changed.push((root, is.clone(), paths));
        }
    }
    forget_paths(memories, &changed)?;
    Ok(groups)
}

/// Notes that runs were undone of which everything was forgotten before, where all of it went back: then it is not missed later.
pub fn account_for_undone(runs: &[RunId], undone: &[InRoot]) {
    account_for_undone_in(pairs::folder().as_deref(), runs, undone);
}

fn account_for_undone_in(memories: Option<&Path>, runs: &[RunId], undone: &[InRoot]) {
    let Ok(states) = pairs::open_in(memories) else { return };
    let is_whole = |at: &&InRoot| at.reports.iter().all(|report| report.state == RunState::RolledBack);
    undone.iter().filter(is_whole).for_each(|at| account(&states, &at.root, runs));
}

/// Forgets paths below these roots in the memory of every pair that they concern.
fn forget_paths(
    memories: Option<&Path>,
    changed: &[(&Root, Option<RootIdentity>, ChangedPaths)],
) -> Result<(), String> {
    let Ok(states) = pairs::open_in(memories) else { return Ok(()) };
    for info in states.list().map_err(|error| error.to_string())? {
        let Ok(known) = &info.roots else { continue };
        let mut here = ChangedPaths::default();
        for (root, is, paths) in changed {
            known.iter().for_each(|side| here.extend(paths_in(side, root, is.as_ref(), paths)));
        }
        if here.is_empty() {
            continue;
        }
        match states.by_id(&info.id).and_then(|mut pair| pair.forget_items(&here)) {
            // Nothing is gone by that cannot be loaded.
            Ok(())
            | Err(StateError::Missing | StateError::Damaged { .. } | StateError::OtherVersion { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// What the memories must know of a run that goes by none. Forgets what it has removed, in the memory of every pair that has one of
/// the roots: on a volume that does not keep numbers, what its user puts back would look as if only the other side had removed it.
/// And notes which runs were pruned, so that they do not look undone.
pub fn tell(folders: &Folders, report: &Report) {
    tell_in(pairs::folder().as_deref(), folders, report);
}

/// The same, with the memories in this folder.
pub fn tell_in(memories: Option<&Path>, folders: &Folders, report: &Report) {
    if let Ok(states) = pairs::open_in(memories) {
        account_for_pruned(&states, folders, report);
    }
    for side in [Side::Left, Side::Right] {
        let mut paths = ChangedPaths::default();
        for item in report.items.iter().filter(|item| item.root == side.into()) {
            match (item.action, &item.outcome) {
                (ActionKind::Remove | ActionKind::RemoveFolder, Outcome::Done { .. }) => {
                    paths.items.insert(item.path.clone());
                }
                // With all that is in it.
                (ActionKind::Move, Outcome::Done { .. }) => _ = paths.whole.insert(item.path.clone()),
                _ => {}
            }
        }
        if !paths.is_empty() {
            let root = folders.root(side);
            // Whoever cannot forget goes by what the disks show: elsewhere numbers tell what was put back.
            drop(forget_paths(memories, &[(root, root_identity(root).ok(), paths)]));
        }
    }
}

/// Notes which runs cannot be undone any more on a root, and stand or were undone after all of it was forgotten, in the memory of
/// every pair that has the root. That is only for the next run to go by as much as it can: what could not be noted counts as undone
/// elsewhere.
fn account(states: &States, root: &Root, runs: &[RunId]) {
    let (Ok(is), Ok(all)) = (root_identity(root), states.list()) else { return };
    for info in all.iter().filter(|_| !runs.is_empty()) {
        let Ok(known) = &info.roots else { continue };
        let sides = [0, 1].map(|side| known[side].is(&is));
        if sides.contains(&true)
            && let Err(error) = states.by_id(&info.id).and_then(|mut pair| pair.account(sides, runs))
        {
            tracing::info!(%error, "a memory was not told which runs were pruned");
        }
    }
}

/// As [`account`], of what a run has pruned.
fn account_for_pruned(states: &States, folders: &Folders, report: &Report) {
    for side in [Side::Left, Side::Right] {
        let here = report.pruned.iter().filter(|(root, _)| *root == side.into());
        let here: Vec<RunId> = here.map(|(_, run)| run.clone()).collect();
        account(states, folders.root(side), &here);
    }
}

/// Deletes what the runs of a root up to and including `newest` keep for undo, as [`session::prune`] does.
///
/// # Errors
///
/// As for [`session::prune`].
pub fn prune(root: &Root, newest: Option<&RunId>) -> Result<Pruned, SessionError> {
    prune_in(pairs::folder().as_deref(), root, newest)
}

/// The same, with the memories in this folder.
///
/// # Errors
///
/// As for [`prune`].
pub fn prune_in(
    memories: Option<&Path>,
    root: &Root,
    newest: Option<&RunId>,
) -> Result<Pruned, SessionError> {
    let pruned = session::prune(root, newest)?;
    if let Ok(states) = pairs::open_in(memories) {
        account(&states, root, &pruned.stand);
    }
    Ok(pruned)
}

/// Undoes a run of a root, or without `run` the latest that was not undone yet, with all that belong to it and in every root that
/// they wrote to, and forgets first what goes back. The report of the root comes first.
///
/// # Errors
///
/// As for [`session::undo`].
pub fn undo(
    root: &Root,
    run: Option<&RunId>,
    control: &Control,
) -> Result<Vec<RecoveryReport>, SessionError> {
    let undone = undo_in(pairs::folder().as_deref(), root, run, control)?;
    Ok(undone.into_iter().flat_map(|at| at.reports).collect())
}

/// The same, with the memories in this folder; says what was undone in which root.
///
/// # Errors
///
/// As for [`undo`].
pub fn undo_in(
    memories: Option<&Path>,
    root: &Root,
    run: Option<&RunId>,
    control: &Control,
) -> Result<Vec<InRoot>, SessionError> {
    let chosen = session::to_undo(root, run)?;
    // In its own words.
    let Some(newest) = chosen.first() else {
        return session::undo(root, run, control)
            .map(|report| vec![InRoot { root: root.clone(), reports: vec![report] }]);
    };
    let roots = session::roots_of_all(root, &chosen);
    let holding = together::hold_roots_in(memories, &roots)?;
    let runs = forget_undone_in(memories, &roots, &newest.run).map_err(|why| not_forgotten(root, why))?;
    let undone = session::undo_in_all(&roots, &newest.run, control)?;
    account_for_undone_in(memories, &runs, &undone);
    holding.release();
    Ok(undone)
}

/// Recovers the runs of a root, and each of them in the other roots that it wrote to, as [`session::recover_in_all`] does, and forgets
/// first what of them goes back that was over.
///
/// # Errors
///
/// As for [`session::recover_in_all`].
pub fn recover(root: &Root, how: RecoverMode, control: &Control) -> Result<Vec<InRoot>, SessionError> {
    recover_in(pairs::folder().as_deref(), root, how, control)
}

/// The same, with the memories in this folder.
///
/// # Errors
///
/// As for [`recover`].
pub fn recover_in(
    memories: Option<&Path>,
    root: &Root,
    how: RecoverMode,
    control: &Control,
) -> Result<Vec<InRoot>, SessionError> {
    let mut forget = |roots: &[Root], run: &RunId| {
        forget_undone_in(memories, roots, run).map(drop).map_err(|why| not_forgotten(root, why))
    };
    session::recover_in_all(root, how, control, &mut forget)
}

fn not_forgotten(root: &Root, why: String) -> SessionError {
    let error = Error::os(Op::KeepJournal, root.path.clone(), io::Error::other(why));
    SessionError::Start { root: root.path.clone(), error: StartError::Failed(error) }
}

/// Paths below an open root, as they are below one of a pair's; none where the two have nothing to do with each other.
fn paths_in(
    known: &RootIdentity,
    root: &Root,
    is: Option<&RootIdentity>,
    paths: &ChangedPaths,
) -> ChangedPaths {
    if is.is_some_and(|is| is.is(known)) {
        return paths.clone();
    }
    let relative = |path: &Path| {
        let names = path.components().map(|part| Name::from_os(part.as_os_str()).ok());
        names.collect::<Option<Vec<Name>>>().map(|names| path_of(names.iter()))
    };
    if let Some(above) = root.path.strip_prefix(&known.path).ok().and_then(relative) {
        let below = |path: &RelPath| path.names().fold(above.clone(), |all, name| all.join(&name));
        let all = |paths: &HashSet<RelPath>| paths.iter().map(below).collect();
        return ChangedPaths { items: all(&paths.items), whole: all(&paths.whole) };
    }
    let Some(inner) = known.path.strip_prefix(&root.path).ok().and_then(relative) else {
        return ChangedPaths::default();
    };
    let depth = inner.names().count();
    let inside = |path: &RelPath| {
        let names: Vec<Name> = path.names().skip(depth).collect();
        path.starts_with(&inner).then(|| path_of(names.iter()))
    };
    let mut found = ChangedPaths {
        items: paths.items.iter().filter_map(inside).collect(),
        whole: paths.whole.iter().filter_map(inside).collect(),
    };
    // A folder in which the root is.
    if paths.whole.iter().any(|path| inner.starts_with(path)) {
        found.whole.insert(RelPath::root());
    }
    found
}

fn path_of<'a>(names: impl Iterator<Item = &'a Name>) -> RelPath {
    names.fold(RelPath::root(), |all, name| all.join(name))
}
