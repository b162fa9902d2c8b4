//! Deletes what runs keep for undo: when their term is over, when all of it together takes too much of the volume, or
//! because the user says so.
//!
//! Undo works run by run, so a run is of use only as long as all later ones are there: pruning begins with the
//! oldest and stops at the first run whose term is not over, and a run and its retries go together.
//!
//! Invariants: a journal says that its originals are being deleted before the first of them is, so a half-emptied undo
//! store is never taken for a whole one. Each run keeps at least its own term, whatever later runs say; only the share
//! of the volume shortens it, and that is reported.

use std::collections::HashSet;
use std::io;

use fcs_sys::{DirRef, RelPath, Root, Time};

use super::disk::if_there;
use super::journal::{Journal, Tail};
use super::ledger::{Ledger, LedgerStep};
use super::record::{EndKind, Record};
use super::store::{LockedStore, remove_tree, tree_bytes};
use super::{RunId, RunInfo, StartError};
use crate::dir_cursor::DirCursor;
use crate::names::{aside_name, kept_name};
use crate::settings::Undo;
use crate::{Error, Op};

const SECONDS_PER_DAY: i64 = 86_400;

/// What pruning came to.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The runs that keep nothing any more.
    pub runs: Vec<RunInfo>,
    /// What could not be deleted, one for each run that stays because of it. Such a run cannot be undone any more; each
    /// later pruning tries again.
    pub errors: Vec<Error>,
    /// All runs that cannot be undone any more since, and of which nothing was undone: what they did stands from now on.
    pub stand: Vec<RunId>,
}

/// Deletes the originals of these runs, and then their journals. One that stays keeps no other from going, and nobody
/// from working: an original that cannot be deleted (a flag, a folder that its owner may not write to) is no danger.
/// Returns the runs that stay, and why.
pub(crate) fn delete_originals(store: &LockedStore, runs: &[RunId]) -> Vec<(RunId, Error)> {
    runs.iter()
        .filter_map(|run| delete_originals_of(store, run, true).err().map(|error| (run.clone(), error)))
        .collect()
}

/// Deletes what a run kept that was to keep nothing, but not its journal: that says that it was there, to who undoes an earlier
/// run. It goes when no earlier one is kept any more.
pub(crate) fn keep_nothing_of(store: &LockedStore, run: &RunId) -> Vec<(RunId, Error)> {
    let error = delete_originals_of(store, run, false).err();
    error.into_iter().map(|error| (run.clone(), error)).collect()
}

fn delete_originals_of(store: &LockedStore, run: &RunId, journal_too: bool) -> Result<(), Error> {
    let failed = |e| Error::os(Op::KeepJournal, store.root().path.clone(), e);
    let file = store.journal(run).map_err(failed)?;
    let (ledger, tail) = Ledger::read(&file).map_err(failed)?;
    let mut journal = Journal::new(file, tail);
    if ledger.as_ref().is_none_or(|ledger| !ledger.pruned) {
        journal.append(&Record::Pruned);
        journal.sync().map_err(failed)?;
    }
    let (mut whole, mut beside) = (HashSet::new(), Ok(()));
    if let Some(ledger) = ledger {
        beside = remove_asides(store, &ledger);
        for step in ledger.steps.iter().filter(|step| step.went_whole()) {
            whole.insert(kept_name(step.number).map_err(failed)?);
        }
    }
    // Where an original beside its old name stays, the journal does too: nothing else says what it is.
    beside.and_then(|()| store.delete_all(run, &whole, journal_too))
}

/// The runs of a root that are over, oldest first. Runs that are not stay, and so do journals that make no sense: what
/// they belong to is not known.
pub(crate) struct Past {
    alive: Vec<RunInfo>,
    /// Rolled back, or half pruned: nothing of them can be undone.
    dead: Vec<RunId>,
    /// Rolled back here, but perhaps not in other roots, to which their journals lead: kept as long as what is kept there.
    marks: Vec<RunInfo>,
    /// All of which nothing was undone.
    stand: HashSet<RunId>,
    /// Those that were to keep nothing, and keep nothing.
    empty: Vec<RunId>,
}

impl Past {
    /// Reads the journals.
    pub(crate) fn read(store: &LockedStore) -> io::Result<Self> {
        Self::read_and_give(store, None).map(|(past, _)| past)
    }

    /// As [`Past::read`]; also returns what it read of the run `wanted`, if that can be undone.
    fn read_and_give(
        store: &LockedStore,
        wanted: Option<&RunId>,
    ) -> io::Result<(Self, Option<(Ledger, Tail)>)> {
        let (mut alive, mut dead, mut marks, mut given) = (Vec::new(), Vec::new(), Vec::new(), None);
        let (mut stand, mut empty) = (HashSet::new(), Vec::new());
        for run in store.run_ids()? {
            let (Some(ledger), tail) = Ledger::read(&store.journal(&run)?)? else { continue };
            if ledger.stands() {
                stand.insert(run.clone());
            }
            if ledger.kept_nothing() && store.keeps_nothing(&run) {
                empty.push(run);
            } else if ledger.pruned || ledger.is_gone() {
                dead.push(run);
            } else if ledger.end.is_some_and(|end| end.how == EndKind::RolledBack) {
                marks.push(ledger.info(0));
            } else if ledger.end.is_some() {
                // The list says what was there; nobody wants to wait for each original to be asked at each run's end.
                // Only of what is in a folder that was replaced it says nothing.
                let folders = bytes_of(
                    store.root(),
                    &ledger,
                    store.kept_if_there(&run)?.as_ref(),
                    LedgerStep::replaces_folder,
                );
                alive.push(ledger.info(ledger.kept_bytes().saturating_add(folders)));
                if wanted == Some(&run) {
                    given = Some((ledger, tail));
                }
            }
        }
        Ok((Self { alive, dead, marks, stand, empty }, given))
    }

    /// Those of which nothing was undone; when what they keep is being deleted, nothing ever will be.
    fn standing<'a>(&self, runs: impl IntoIterator<Item = &'a RunId>) -> Vec<RunId> {
        runs.into_iter().filter(|run| self.stand.contains(*run)).cloned().collect()
    }

    /// The oldest runs whose term is over, without a gap. `current` is the group of a run that has just ended; what was to
    /// be kept until then goes, if it is not of the same.
    fn expired(&self, current: Option<&RunId>) -> Vec<RunId> {
        let now = Time::now();
        let over = |run: &RunInfo| is_over(run, now, current.is_some_and(|current| current != run.group()));
        let kept: HashSet<&RunId> =
            self.alive.iter().filter(|run| !over(run)).map(RunInfo::group).chain(current).collect();
        let mut expired: Vec<RunId> = self
            .alive
            .iter()
            .map_while(|run| (!kept.contains(run.group())).then(|| run.run.clone()))
            .collect();
        expired.extend(self.dead.iter().cloned());
        expired.extend(self.marks.iter().filter(|run| over(run)).map(|run| run.run.clone()));
        let stay: Vec<&RunId> =
            self.alive.iter().map(|run| &run.run).filter(|run| !expired.contains(run)).collect();
        expired.extend(self.idle(&stay));
        expired
    }

    /// Of the runs that keep nothing, those that tell nobody anything any more, where these stay: all but the latest, and that one
    /// too where none before it can be undone.
    fn idle(&self, stay: &[&RunId]) -> Vec<RunId> {
        let Some((latest, others)) = self.empty.split_last() else { return Vec::new() };
        let tells = stay.iter().any(|run| *run < latest);
        others.iter().chain((!tells).then_some(latest)).cloned().collect()
    }

    /// The oldest runs that must go so that all the others keep at most `limit` bytes. The latest stays in any case.
    fn beyond(&self, limit: u64) -> Vec<&RunInfo> {
        let mut kept = self.alive.iter().fold(0u64, |sum, run| sum.saturating_add(run.kept_bytes));
        let latest = self.alive.last().map(RunInfo::group);
        let mut go: Vec<&RunInfo> = Vec::new();
        for run in self.alive.iter().filter(|run| Some(run.group()) != latest) {
            // What belongs to one that goes is of no use without it.
            let belongs = go.iter().any(|gone| gone.group() == run.group());
            if kept > limit || belongs {
                kept = kept.saturating_sub(run.kept_bytes);
                go.push(run);
            }
        }
        go
    }
}

/// Whether a run's own term is over.
fn is_over(run: &RunInfo, now: Time, followed: bool) -> bool {
    match run.undo {
        // With `Off` only an interrupted run gets here; it is kept as if it had said nothing.
        Undo::Off | Undo::Last => followed,
        Undo::Days(days) => {
            let age = run.ended.map_or(0, |ended| now.seconds().saturating_sub(ended.seconds()));
            age / SECONDS_PER_DAY >= i64::try_from(days).unwrap_or(i64::MAX)
        }
    }
}

/// Prunes the runs whose days are over. They need not wait for a run to succeed, and no run waits for them. Returns those of
/// which nothing was undone.
pub(crate) fn outdated(store: &LockedStore) -> Vec<RunId> {
    match Past::read(store) {
        Ok(past) => {
            let expired = past.expired(None);
            let Pruned { errors, stand, .. } =
                Pruned::of(Vec::new(), delete_originals(store, &expired), past.standing(&expired));
            errors.iter().for_each(|error| tracing::warn!("{error}"));
            stand
        }
        Err(error) => {
            tracing::warn!(%error, "what is kept could not be looked through");
            Vec::new()
        }
    }
}

/// Deletes the journals of runs that kept nothing and tell nobody anything any more.
pub(crate) fn idle(store: &LockedStore) -> io::Result<()> {
    let past = Past::read(store)?;
    let stay: Vec<&RunId> = past.alive.iter().map(|run| &run.run).collect();
    drop(delete_originals(store, &past.idle(&stay)));
    Ok(())
}

/// Prunes after the run `run` of the group `current`: what is expired, and the oldest beyond `limit` bytes. Returns the latter, which
/// their term would have kept, and what stays; and what the journal of `run` says, so that it need not be read again.
pub(crate) fn after(
    store: &LockedStore,
    (current, run): (&RunId, &RunId),
    limit: Option<u64>,
) -> io::Result<(Pruned, Option<(Ledger, Tail)>)> {
    let (mut past, own) = Past::read_and_give(store, Some(run))?;
    let expired = past.expired(Some(current));
    let mut stay = delete_originals(store, &expired);
    let mut stand = past.standing(&expired);
    past.alive.retain(|run| !expired.contains(&run.run));
    let mut beyond: Vec<RunInfo> = Vec::new();
    if let Some(limit) = limit {
        beyond.extend(past.beyond(limit).into_iter().cloned());
        let ids: Vec<RunId> = beyond.iter().map(|run| run.run.clone()).collect();
        stay.extend(delete_originals(store, &ids));
        stand.extend(past.standing(&ids));
    }
    Ok((Pruned::of(beyond, stay, stand), own))
}

impl Pruned {
    pub(crate) fn of(mut runs: Vec<RunInfo>, stay: Vec<(RunId, Error)>, mut stand: Vec<RunId>) -> Self {
        runs.retain(|run| stay.iter().all(|(stays, _)| *stays != run.run));
        // Whose journal could not be written to may still be undone.
        let unsaid = |run: &RunId| stay.iter().any(|(stays, error)| stays == run && error.op != Op::Prune);
        stand.retain(|run| !unsaid(run));
        Self { runs, errors: stay.into_iter().map(|(_, error)| error).collect(), stand }
    }
}

/// Deletes what the runs up to and including `newest` keep for undo; without it, what all runs keep that are over.
/// That cannot be undone. What earlier prunings could not delete is tried again.
pub fn prune(root: &Root, newest: Option<&RunId>) -> Result<Pruned, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::ReadJournal, root.path.clone(), e));
    if super::StoreReader::open(root).map_err(failed)?.is_none() {
        return newest.map_or_else(|| Ok(Pruned::default()), |run| Err(StartError::NoSuchRun(run.clone())));
    }
    super::locked(root, "pruning", |store| {
        let mut past = Past::read(store).map_err(failed)?;
        past.marks.retain(|run| newest.is_none_or(|newest| run.run <= *newest));
        past.dead.extend(past.marks.drain(..).map(|run| run.run));
        let empty = std::mem::take(&mut past.empty).into_iter();
        past.dead.extend(empty.filter(|run| newest.is_none_or(|newest| run <= newest)));
        let end = match newest {
            None => past.alive.len(),
            Some(newest) => {
                let mut ids = past.alive.iter().map(|run| &run.run).chain(&past.dead);
                if ids.all(|run| run != newest) {
                    return Err(StartError::NoSuchRun(newest.clone()));
                }
                past.alive.iter().take_while(|run| run.run <= *newest).count()
            }
        };
        let ids: Vec<RunId> =
            past.alive.iter().take(end).map(|run| &run.run).chain(&past.dead).cloned().collect();
        let stand = past.standing(&ids);
        let go: Vec<RunInfo> = past.alive.into_iter().take(end).collect();
        let stay = delete_originals(store, &ids);
        Ok(Pruned::of(go, stay, stand))
    })
}

/// Bytes of the originals that a run keeps outside its undo store. What cannot be asked is not counted.
pub(super) fn bytes_beside(root: &Root, ledger: &Ledger) -> u64 {
    bytes_of(root, ledger, None, |step| step.aside)
}

/// Bytes of the originals of some steps, in the undo store `kept` and beside their names.
fn bytes_of(root: &Root, ledger: &Ledger, kept: Option<&DirRef>, wanted: fn(&LedgerStep) -> bool) -> u64 {
    let mut way = DirCursor::new(&root.dir);
    let mut bytes = 0u64;
    for folder in &ledger.folders {
        let kept_steps = ledger.steps[folder.steps.clone()].iter();
        for step in kept_steps.filter(|step| step.committed && step.keeps_original() && wanted(step)) {
            let mut found = || -> io::Result<u64> {
                let stored = kept.map_or(Ok(0), |kept| tree_bytes(kept, &kept_name(step.number)?))?;
                if !step.aside {
                    return Ok(stored);
                }
                let Some(dir) = if_there(way.open(&folder.path))? else { return Ok(stored) };
                Ok(tree_bytes(&dir, &aside_name(&ledger.begin.run, step.number)?)?.saturating_add(stored))
            };
            match found() {
                Ok(more) => bytes = bytes.saturating_add(more),
                Err(error) => tracing::debug!(%error, "what a run keeps could not be asked"),
            }
        }
    }
    bytes
}

/// Deletes the originals that a run keeps outside the undo store; as far as it can, and tells the first that stays.
fn remove_asides(store: &LockedStore, ledger: &Ledger) -> Result<(), Error> {
    let mut way = DirCursor::new(&store.root().dir);
    let mut refused = None;
    for folder in &ledger.folders {
        for step in ledger.steps[folder.steps.clone()].iter().filter(|step| step.aside) {
            if let Err((path, e)) = remove_aside(&mut way, ledger, &folder.path, step) {
                let path = crate::progress::full_path(&store.root().path, &path);
                refused = refused.or_else(|| Some(Error::os(Op::Prune, path, e)));
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

fn remove_aside(
    way: &mut DirCursor,
    ledger: &Ledger,
    folder: &RelPath,
    step: &LedgerStep,
) -> Result<(), (RelPath, io::Error)> {
    let aside = aside_name(&ledger.begin.run, step.number).map_err(|e| (folder.clone(), e))?;
    let remove = |way: &mut DirCursor| {
        let Some(dir) = if_there(way.open(folder))? else { return Ok(()) };
        if step.went_whole() {
            remove_tree(&dir, &aside)
        } else {
            if_there(dir.remove_file(&aside)).map(|_| ())
        }
    };
    remove(way).map_err(|e| (folder.join(&aside), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::RunState;

    fn id(text: &str) -> RunId {
        text.parse().unwrap()
    }

    fn run(name: &str, group: Option<&str>, undo: Undo, days_ago: i64, kept: u64) -> RunInfo {
        let ended = Time::new(Time::now().seconds() - days_ago * SECONDS_PER_DAY - 60, 0);
        RunInfo {
            retries: group.map(id),
            undo,
            ended: Some(ended),
            kept_bytes: kept,
            undoable: true,
            ..crate::history::blank(&id(name), kept, RunState::Done)
        }
    }

    fn past(alive: Vec<RunInfo>) -> Past {
        Past { alive, dead: Vec::new(), marks: Vec::new(), stand: HashSet::new(), empty: Vec::new() }
    }

    /// R2: a later run says nothing about earlier ones; and undo works run by run, so nothing is pruned from the middle.
    #[test]
    fn each_run_keeps_its_own_term_and_no_gap_is_made() {
        let runs = past(vec![
            run("a", None, Undo::Days(30), 31, 1),
            run("b", None, Undo::Days(30), 29, 1),
            run("c", None, Undo::Last, 9, 1),
            run("d", None, Undo::Days(3), 5, 1),
            run("e", None, Undo::Last, 0, 1),
        ]);
        assert_eq!(runs.expired(Some(&id("e"))), ["a"]);
        assert_eq!(runs.expired(None), ["a"]);
        let last = past(vec![run("a", None, Undo::Last, 0, 1), run("b", None, Undo::Days(9), 0, 1)]);
        assert_eq!(last.expired(Some(&id("b"))), ["a"]);
        assert_eq!(last.expired(Some(&id("onewithoutundo"))), ["a"], "b has its own term");
        assert!(last.expired(None).is_empty(), "no run has followed");
    }

    /// What kept nothing is of interest to who undoes an earlier run across it, the latest alone, and to nobody else.
    #[test]
    fn the_latest_run_that_kept_nothing_is_listed_as_long_as_an_earlier_one_can_be_undone() {
        let mut runs = past(vec![run("b", None, Undo::Days(30), 3, 1), run("e", None, Undo::Days(30), 1, 1)]);
        runs.empty = ["a", "c", "d"].map(id).to_vec();
        assert_eq!(runs.expired(None), ["a", "c"]);
        runs.empty = vec![id("a")];
        assert_eq!(runs.expired(None), ["a"], "none before it can be undone");
        runs.alive = vec![run("b", None, Undo::Days(2), 3, 1), run("e", None, Undo::Days(30), 1, 1)];
        runs.empty = vec![id("c")];
        assert_eq!(runs.expired(None), ["b", "c"], "that one is over");
    }

    /// V2: a retry does not push out the run that it belongs to, and both go together.
    #[test]
    fn a_run_and_its_retries_go_together() {
        let mut runs = past(vec![run("a", None, Undo::Last, 0, 5), run("b", Some("a"), Undo::Last, 0, 5)]);
        assert!(runs.expired(Some(&id("a"))).is_empty());
        runs.alive.push(run("c", None, Undo::Last, 0, 5));
        assert_eq!(runs.expired(Some(&id("c"))), ["a", "b"]);
        let names = |runs: Vec<&RunInfo>| runs.into_iter().map(|run| run.run.clone()).collect::<Vec<_>>();
        assert_eq!(names(runs.beyond(10)), ["a", "b"]);
        assert!(runs.beyond(15).is_empty());
        assert_eq!(names(runs.beyond(0)), ["a", "b"], "the latest stays whatever it takes");
    }
}
