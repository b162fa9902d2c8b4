//! A run that wrote to two roots, undone or recovered in both.
//!
//! Each root has a journal of its own, under one run id, which names the other roots; and what is over in one root keeps its
//! journal until it is over in all. So from either of them the other is found, as long as it is at its path.
//!
//! Invariant: what is done to one root is what would be done to it alone; a root that cannot be found holds nothing up, and is
//! never taken for one that is over. This module must not know how a user is asked.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use fcs_sys::Root;

use super::root::{check_not_moved, open, start};
use super::{SessionError, recover, undo};
use crate::Control;
use crate::history::{self, RecoverMode, RecoveryReport, RunId, RunInfo, RunState, StartError};

/// What a recovery or an undo did in one root.
#[derive(Debug)]
pub struct InRoot {
    /// The root.
    pub root: Root,
    /// What was done there.
    pub reports: Vec<RecoveryReport>,
}

/// A root that a run wrote to, and of which nobody knows how far the run is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfReach {
    /// The run.
    pub run: RunId,
    /// The path of the root.
    pub path: String,
    /// Why it could not be opened; `None` where the folder at that path has no such run: it is another one, or its volume is
    /// not mounted, or the run was pruned there.
    pub why: Option<String>,
}

impl OutOfReach {
    /// Why nobody knows, as the end of a sentence about the root.
    pub fn reason(&self) -> String {
        match &self.why {
            Some(why) => format!("which cannot be looked at ({})", why.trim_end_matches('.')),
            None => "and the folder that is there now has no such run".to_owned(),
        }
    }
}

/// Hears which run is about to be undone in which roots, and may say why not.
pub type BeforeUndo<'a> = dyn FnMut(&[Root], &RunId) -> Result<(), SessionError> + 'a;

/// A part of a run that is not over in a root.
#[derive(Debug)]
pub struct Part {
    /// The root.
    pub root: Root,
    /// The run there.
    pub run: RunInfo,
    /// It goes back, whatever is wanted: an undo, or its rolling back, was begun in one of its roots.
    pub goes_back: bool,
}

/// The roots on which there are these runs, which one of them lists and which belong together: that one first, then all others.
pub fn roots_of_all(root: &Root, runs: &[RunInfo]) -> Vec<Root> {
    let mut roots = vec![root.clone()];
    for other in runs.iter().flat_map(|run| roots_of(root, run)) {
        if roots.iter().all(|known| known.path != other.path) {
            roots.push(other);
        }
    }
    roots
}

/// The roots on which there is a run that one of them lists: that one first, then the others that the run wrote to, where
/// they are where they were.
pub fn roots_of(root: &Root, run: &RunInfo) -> Vec<Root> {
    let places = Whole::of(root, std::slice::from_ref(run), &run.run, &mut Around::default()).places;
    places.into_iter().map(|(root, _)| root).collect()
}

/// The roots that these runs wrote to, one of which lists them, and that are not where they were: each with the latest of the
/// runs.
pub fn out_of_reach(root: &Root, runs: &[RunInfo]) -> Vec<OutOfReach> {
    let (mut found, mut around): (Vec<OutOfReach>, _) = (Vec::new(), Around::default());
    for run in runs {
        for out in Whole::of(root, std::slice::from_ref(run), &run.run, &mut around).out_of_reach {
            if found.iter().all(|known| known.path != out.path) {
                found.push(out);
            }
        }
    }
    found
}

/// The ids of a run and of all that belong to it on any of these roots, and of the runs that they belong to.
pub fn belonging_in(roots: &[Root], run: &RunId) -> Vec<RunId> {
    let lists: Vec<Vec<RunInfo>> = roots.iter().filter_map(|root| history::infos(root).ok()).collect();
    let lists: Vec<&[RunInfo]> = lists.iter().map(Vec::as_slice).collect();
    belonging(&lists, run).into_iter().collect()
}

/// What an undo undoes, as [`history::to_undo`] says, in all roots that the runs of this one wrote to: also what was undone
/// here, as long as it is not in all of them.
///
/// # Errors
///
/// [`SessionError::OutOfReach`] where all that is left of it is where nobody can get at it.
pub fn to_undo(root: &Root, wanted: Option<&RunId>) -> Result<Vec<RunInfo>, SessionError> {
    let mut runs = history::list(root).map_err(|error| start(root, StartError::Failed(error)))?;
    let mine = runs.clone();
    let (mut away, mut around) = (Vec::new(), Around::default());
    for run in runs.iter_mut().filter(|run| run.state == RunState::RolledBackHere) {
        let whole = Whole::of(root, &mine, &run.run, &mut around);
        let there = || whole.places.iter().skip(1).flat_map(|(_, runs)| runs);
        if there().any(|theirs| theirs.state == RunState::Unfinished || stays(theirs)) {
            run.undoable = true;
        } else if there().any(|theirs| theirs.undoable) {
            // It waits for what is in its way there.
            (run.undoable, run.state) = (true, RunState::PartlyUndone);
        } else if let Some(out) = whole.out_of_reach.into_iter().next() {
            run.undoable = true;
            away.push((run.run.clone(), out));
        }
    }
    let chosen: Vec<RunInfo> = history::to_undo(&runs, wanted).into_iter().cloned().collect();
    let away_of = |run: &RunInfo| away.iter().find(|(of, _)| *of == run.run).map(|(_, out)| out);
    match chosen.first().and_then(away_of) {
        Some(out) if chosen.iter().all(|run| away_of(run).is_some()) => Err(refusal(root, out)),
        _ => Ok(chosen),
    }
}

fn refusal(root: &Root, out: &OutOfReach) -> SessionError {
    SessionError::OutOfReach { root: root.path.clone(), out: out.clone() }
}

/// Undoes a run, and all that belong to it, in every root that it wrote to. A root in which it was undone already, as when
/// an earlier undo was cut short between the two, is left out; one in which that was cut short is brought to the end.
///
/// # Errors
///
/// As for [`undo`], and [`SessionError::OutOfReach`]; then nothing was changed in any of them. What fails in the second root
/// after the first was undone is told in that root's error.
pub fn undo_in_all(roots: &[Root], run: &RunId, control: &Control) -> Result<Vec<InRoot>, SessionError> {
    let Some(first) = roots.first() else { return Ok(Vec::new()) };
    let mut lists = Vec::with_capacity(roots.len());
    for root in roots {
        check_not_moved(root)?;
        // Before the first is touched: one that is being worked on would stay as it is while the other goes back.
        if let Ok(Some(holder)) = history::in_progress(root) {
            return Err(start(root, StartError::Locked { root: root.path.clone(), holder }));
        }
        lists.push((root.clone(), look(root)?));
    }
    let whole = Whole { places: keep_belonging(lists, run), out_of_reach: Vec::new() };
    let goes_back = whole.goes_back() || whole.runs().any(stays);
    let (mut cut, mut wanted) = (Vec::new(), Vec::new());
    for (root, runs) in &whole.places {
        let waiting = history::unfinished(root).map_err(|error| start(root, StartError::Failed(error)))?;
        // What was cut short there is rolled back with the rest; a run of which nothing else is over may still be kept.
        let is_part = |waits: &RunInfo| goes_back && runs.iter().any(|run| run.run == waits.run);
        if !waiting.iter().all(is_part) {
            return Err(start(root, StartError::Unfinished { root: root.path.clone(), runs: waiting }));
        }
        if !waiting.is_empty() {
            cut.push(root);
        }
        let mut groups = HashSet::new();
        let newest = runs.iter().filter(|run| run.undoable && groups.insert(run.group()));
        wanted.extend(newest.map(|run| (root, &run.run)));
    }
    if cut.is_empty() && wanted.is_empty() {
        let mine = look(first)?;
        let whole = Whole::of(first, &mine, run, &mut Around::default());
        if let Some(out) = whole.out_of_reach.first().filter(|_| whole.goes_back()) {
            return Err(refusal(first, out));
        }
        if whole.goes_back() {
            whole.prune();
            return Err(start(first, StartError::NothingToUndo));
        }
        // In its own words.
        return undo(first, Some(run), control).map(|report| vec![in_root(first, vec![report])]);
    }
    let mut all = Vec::new();
    for root in cut {
        all.push(in_root(root, recover(root, RecoverMode::RollBack, control)?));
    }
    for (root, run) in wanted {
        all.push(in_root(root, vec![undo(root, Some(run), control)?]));
    }
    Whole::of(first, &look(first)?, run, &mut Around::default()).prune();
    Ok(all)
}

/// What [`recover_in_all`] brings to an end, in a root and in all others that its runs wrote to: what was interrupted, and
/// what an undo that was cut short left as it was in one of them. Changes nothing.
///
/// # Errors
///
/// When the runs of the root cannot be listed.
pub fn unfinished_in_all(root: &Root) -> Result<Vec<Part>, SessionError> {
    let mine = look(root)?;
    let mut parts: Vec<Part> = wholes(root, &mine).flat_map(Whole::rest).collect();
    // Somebody is at it.
    parts.retain(|part| !matches!(history::in_progress(&part.root), Ok(Some(_))));
    Ok(parts)
}

/// Recovers every interrupted run of a root, and each of them in the other roots that it wrote to, all in one way: else one
/// side would keep what the other rolls back. What is over here and not there leads there; and what goes back in one of them
/// already goes back in all. What was over is undone then; who keeps a memory of it hears so before, with the roots and the run,
/// and where it says why that must not be, nothing more is done.
///
/// # Errors
///
/// As for [`recover`], and what `before_undo` says.
pub fn recover_in_all(
    root: &Root,
    how: RecoverMode,
    control: &Control,
    before_undo: &mut BeforeUndo<'_>,
) -> Result<Vec<InRoot>, SessionError> {
    let mine = look(root)?;
    let parts: Vec<Part> = wholes(root, &mine).flat_map(Whole::rest).collect();
    let goes_back = how == RecoverMode::RollBack;
    let mut all = vec![in_root(root, Vec::new())];
    for part in &parts {
        if part.run.state == RunState::Unfinished && all.iter().all(|known| known.root.path != part.root.path)
        {
            all.push(in_root(&part.root, Vec::new()));
        }
    }
    for at in &mut all {
        let here = parts.iter().filter(|part| part.root.path == at.root.path);
        let back = here.filter(|part| part.run.state == RunState::Unfinished).any(|part| part.goes_back);
        let how = if back { RecoverMode::RollBack } else { how };
        at.reports = recover(&at.root, how, control)?;
    }
    // It had ended there already when it was cut short here.
    let touched: Vec<&Part> = parts.iter().filter(|part| part.run.state == RunState::Unfinished).collect();
    let (mut ended, mut around): (Vec<(Root, RunInfo)>, _) = (Vec::new(), Around::default());
    for part in &touched {
        if goes_back || part.goes_back {
            let whole = Whole::of(root, &mine, &part.run.run, &mut around);
            ended.extend(
                whole.places.into_iter().flat_map(|(root, runs)| {
                    runs.into_iter().filter(stays).map(move |run| (root.clone(), run))
                }),
            );
        }
    }
    ended.extend(
        parts.iter().filter(|part| stays(&part.run)).map(|part| (part.root.clone(), part.run.clone())),
    );
    ended.sort_by(|(_, a), (_, b)| b.run.cmp(&a.run));
    let mut groups = HashSet::new();
    ended.retain(|(root, run)| groups.insert((root.path.clone(), run.group().clone())));
    for (other, run) in ended {
        before_undo(&roots_of(&other, &run), &run.run)?;
        let report = undo(&other, Some(&run.run), control)?;
        all.push(in_root(&other, vec![report]));
    }
    let mine = look(root)?;
    wholes(root, &mine).for_each(|whole| whole.prune());
    Ok(all)
}

/// The other roots of a root's runs and what is on them, each looked at once.
#[derive(Default)]
struct Around(HashMap<String, Result<(Root, Vec<RunInfo>), String>>);

impl Around {
    fn look(&mut self, path: &str) -> &Result<(Root, Vec<RunInfo>), String> {
        self.0.entry(path.to_owned()).or_insert_with(|| {
            let root = open(Path::new(path)).map_err(|error| error.to_string())?;
            let runs = history::infos(&root).map_err(|error| error.to_string())?;
            Ok((root, runs))
        })
    }
}

/// A run and all that belong to it, in one root and in all others that they wrote to.
struct Whole {
    /// The roots that can be got at, and of the runs those that are there, newest first. The root that was asked is the first.
    places: Vec<(Root, Vec<RunInfo>)>,
    out_of_reach: Vec<OutOfReach>,
}

impl Whole {
    /// Of a root whose runs are `mine`.
    fn of(root: &Root, mine: &[RunInfo], run: &RunId, around: &mut Around) -> Self {
        let own = belonging(&[mine], run);
        let own: Vec<&RunInfo> = mine.iter().filter(|run| own.contains(&run.run)).collect();
        let (mut lists, mut out_of_reach) = (vec![(root.clone(), mine.to_vec())], Vec::new());
        let mut paths: Vec<&String> = own.iter().flat_map(|run| &run.other_roots).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let wrote: Vec<&&RunInfo> = own.iter().filter(|run| run.other_roots.contains(path)).collect();
            let why = match around.look(path) {
                Ok((_, theirs)) if !theirs.iter().any(|one| wrote.iter().any(|run| run.run == one.run)) => {
                    None
                }
                Ok(found) => {
                    lists.push(found.clone());
                    continue;
                }
                Err(why) => Some(why.clone()),
            };
            // What is over everywhere leads nowhere. A run that ended before it did anything may not even have begun there.
            let did_something = |run: &RunInfo| run.items > 0 || run.folders > 0;
            let mut wrote = wrote.iter().filter(|run| run.state != RunState::PartlyPruned);
            let run = wrote.find(|run| why.is_some() || did_something(run));
            out_of_reach.extend(run.map(|run| OutOfReach { run: run.run.clone(), path: path.clone(), why }));
        }
        Self { places: keep_belonging(lists, run), out_of_reach }
    }

    fn runs(&self) -> impl Iterator<Item = &RunInfo> {
        self.places.iter().flat_map(|(_, runs)| runs)
    }

    /// Whether an undo of it, or its rolling back, was begun anywhere.
    fn goes_back(&self) -> bool {
        self.runs().any(|run| run.going_back)
    }

    /// What is not over, where it is all to be over in one way.
    fn rest(self) -> Vec<Part> {
        let goes_back = self.goes_back();
        let is_rest = |run: &RunInfo| run.state == RunState::Unfinished || goes_back && stays(run);
        let parts = self.places.into_iter().flat_map(|(root, runs)| {
            let rest: Vec<RunInfo> = runs.into_iter().filter(is_rest).collect();
            rest.into_iter().map(move |run| Part { root: root.clone(), run, goes_back })
        });
        parts.collect()
    }

    /// Prunes what is over in all roots, whose journals need not name each other any more. What cannot be pruned now is pruned
    /// when the run is asked for again.
    fn prune(&self) {
        let is_waiting = |run: &RunInfo| run.state == RunState::Unfinished || run.going_back && run.undoable;
        let is_mark = |run: &RunInfo| {
            !run.kept_nothing
                && matches!(
                    run.state,
                    RunState::RolledBackHere | RunState::Recovered | RunState::PartlyPruned
                )
        };
        let goes_back = self.goes_back();
        let is_over = self.out_of_reach.is_empty()
            && !self.runs().any(|run| is_waiting(run) || goes_back && run.undoable);
        if !is_over || !self.runs().any(is_mark) {
            return;
        }
        let ids = |runs: &[RunInfo]| runs.iter().map(|run| run.run.clone()).collect::<Vec<_>>();
        let each = |act: fn(&Root, &[RunId]) -> Result<(), StartError>| {
            self.places.iter().try_for_each(|(root, runs)| act(root, &ids(runs)))
        };
        if let Err(error) = each(history::say_over).and_then(|()| each(history::forget)) {
            tracing::warn!(%error, "what is over in all roots could not be forgotten");
        }
    }
}

/// Whether a run stays, and can be undone.
fn stays(run: &RunInfo) -> bool {
    run.undoable && run.state != RunState::PartlyUndone
}

/// A run and all that belong to it in any of these lists. On one root may be a run that only did the rest of it, which knows
/// nothing of those before it.
fn belonging(lists: &[&[RunInfo]], run: &RunId) -> HashSet<RunId> {
    let mut ids = HashSet::from([run.clone()]);
    loop {
        let known = ids.len();
        for run in lists.iter().copied().flatten() {
            if ids.contains(&run.run) || ids.contains(run.group()) {
                ids.extend([run.run.clone(), run.group().clone()]);
            }
        }
        if ids.len() == known {
            return ids;
        }
    }
}

fn keep_belonging(mut lists: Vec<(Root, Vec<RunInfo>)>, run: &RunId) -> Vec<(Root, Vec<RunInfo>)> {
    let all: Vec<&[RunInfo]> = lists.iter().map(|(_, runs)| runs.as_slice()).collect();
    let ids = belonging(&all, run);
    lists.iter_mut().for_each(|(_, runs)| runs.retain(|run| ids.contains(&run.run)));
    lists
}

fn look(root: &Root) -> Result<Vec<RunInfo>, SessionError> {
    history::infos(root).map_err(|error| start(root, StartError::Failed(error)))
}

/// Every run of a root, once with all that belong to it.
fn wholes<'a>(root: &'a Root, mine: &'a [RunInfo]) -> impl Iterator<Item = Whole> + 'a {
    let mut seen: HashSet<&RunId> = HashSet::new();
    let firsts = mine.iter().filter(move |run| seen.insert(run.group()));
    let mut around = Around::default();
    firsts.map(move |run| Whole::of(root, mine, &run.run, &mut around))
}

fn in_root(root: &Root, reports: Vec<RecoveryReport>) -> InRoot {
    InRoot { root: root.clone(), reports }
}
