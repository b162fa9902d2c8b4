//! Deletes what runs keep for undo: when their term is over, when all of it together takes too much of the volume, or
//! because the user says so.
//!
//! Undo goes back run by run, so a run is of use only as long as all later ones are there: pruning begins with the
//! oldest and stops at the first run whose term is not over, and a run and its retries go together.
//!
//! Invariants: a journal says that its originals are being deleted before the first of them is, so a half-emptied undo
//! store is never taken for a whole one. Each run keeps at least its own term, whatever later runs say; only the share
//! of the volume shortens it, and that is told.

use std::collections::HashSet;
use std::io;

use fcs_sys::{Kind, Time};

use super::disk::if_there;
use super::journal::{self, Journal};
use super::ledger::{Ledger, LedgerStep};
use super::record::{Ended, Record};
use super::store::{Store, aside_name, kept_name, remove_tree};
use super::{RunInfo, StartError};
use crate::settings::Undo;
use crate::way::Way;
use crate::{Error, Op};

const SECONDS_PER_DAY: i64 = 86_400;

/// Deletes the originals of these runs, and then their journals.
pub(crate) fn forget(store: &Store, runs: &[String]) -> io::Result<()> {
    for run in runs {
        let file = store.journal(run)?;
        let (records, tail) = journal::read(&file)?;
        let mut journal = Journal::new(file, tail);
        journal.append(&Record::Forgotten);
        journal.sync()?;
        let mut whole = HashSet::new();
        if let Some(ledger) = Ledger::replay(records) {
            remove_asides(store, &ledger)?;
            for step in ledger.steps.iter().filter(|step| went_whole(step)) {
                whole.insert(kept_name(step.number)?);
            }
        }
        store.delete_all(run, &whole)?;
    }
    Ok(())
}

/// The runs of a root that are over, oldest first. Runs that are not stay, and so do journals that make no sense: what
/// they belong to is not known.
pub(crate) struct Past {
    alive: Vec<RunInfo>,
    /// Rolled back, or half pruned: nothing of them can be undone.
    dead: Vec<String>,
}

impl Past {
    /// Reads the journals.
    pub(crate) fn read(store: &Store) -> io::Result<Self> {
        let (mut alive, mut dead) = (Vec::new(), Vec::new());
        for run in store.run_ids()? {
            let (records, _) = journal::read(&store.journal(&run)?)?;
            let Some(ledger) = Ledger::replay(records) else { continue };
            if ledger.forgotten || ledger.end.is_some_and(|end| end.how == Ended::RolledBack) {
                dead.push(run);
            } else if ledger.end.is_some() {
                // The list says what was there; nobody wants to wait for each original to be asked at each run's end.
                alive.push(ledger.info(ledger.kept_bytes()));
            }
        }
        Ok(Self { alive, dead })
    }

    /// The oldest runs whose term is over, without a gap. `current` is the group of a run that has just ended; what was to
    /// be kept until then goes, if it is not of the same.
    fn expired(&self, current: Option<&str>) -> Vec<String> {
        let now = Time::now();
        let over = |run: &RunInfo| is_over(run, now, current.is_some_and(|current| current != run.group()));
        let kept: HashSet<&str> =
            self.alive.iter().filter(|run| !over(run)).map(RunInfo::group).chain(current).collect();
        let mut expired: Vec<String> = self
            .alive
            .iter()
            .map_while(|run| (!kept.contains(run.group())).then(|| run.run.clone()))
            .collect();
        expired.extend(self.dead.iter().cloned());
        expired
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

/// Prunes the runs whose days are over. They need not wait for a run to succeed.
pub(crate) fn outdated(store: &Store) -> io::Result<()> {
    forget(store, &Past::read(store)?.expired(None))
}

/// Prunes after a run of the group `current`: what is expired, and the oldest beyond `limit` bytes. Returns the latter, which their
/// term would have kept.
pub(crate) fn after(store: &Store, current: &str, limit: Option<u64>) -> io::Result<Vec<RunInfo>> {
    let mut past = Past::read(store)?;
    let expired = past.expired(Some(current));
    forget(store, &expired)?;
    past.alive.retain(|run| !expired.contains(&run.run));
    let Some(limit) = limit else { return Ok(Vec::new()) };
    let beyond: Vec<RunInfo> = past.beyond(limit).into_iter().cloned().collect();
    forget(store, &beyond.iter().map(|run| run.run.clone()).collect::<Vec<_>>())?;
    Ok(beyond)
}

/// Deletes what the runs up to and including `newest` keep for undo; without it, what all runs keep that are over.
/// Nothing brings it back. Returns what was pruned.
pub fn prune(root: &fcs_sys::Root, newest: Option<&str>) -> Result<Vec<RunInfo>, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::CleanUp, root.path.clone(), e));
    if super::Look::open(root).map_err(failed)?.is_none() {
        return newest.map_or(Ok(Vec::new()), |run| Err(StartError::NoSuchRun(run.to_owned())));
    }
    super::locked(root, "pruning", |store| {
        let past = Past::read(store).map_err(failed)?;
        let end = match newest {
            None => past.alive.len(),
            Some(newest) => match past.alive.iter().position(|run| run.run == newest) {
                Some(at) => at + 1,
                None => return Err(StartError::NoSuchRun(newest.to_owned())),
            },
        };
        let go: Vec<RunInfo> = past.alive.into_iter().take(end).collect();
        let ids: Vec<String> = go.iter().map(|run| run.run.clone()).chain(past.dead).collect();
        forget(store, &ids).map_err(failed)?;
        Ok(go)
    })
}

/// Whether the original of a step is a folder that was replaced with everything in it.
fn went_whole(step: &LedgerStep) -> bool {
    !step.removes && step.before.is_some_and(|before| before.kind == Kind::Folder)
}

/// Deletes the originals that a run keeps outside the undo store.
fn remove_asides(store: &Store, ledger: &Ledger) -> io::Result<()> {
    let mut way = Way::new(&store.root().dir);
    for folder in &ledger.folders {
        for step in ledger.steps[folder.steps.clone()].iter().filter(|step| step.aside) {
            let Some(dir) = if_there(way.open(&folder.path))? else { continue };
            let aside = aside_name(&ledger.begin.run, step.number)?;
            if went_whole(step) {
                remove_tree(&dir, &aside)?;
            } else {
                if_there(dir.remove_file(&aside))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::RunState;

    fn run(name: &str, group: Option<&str>, undo: Undo, days_ago: i64, kept: u64) -> RunInfo {
        let ended = Time::new(Time::now().seconds() - days_ago * SECONDS_PER_DAY - 60, 0);
        RunInfo {
            retries: group.map(str::to_owned),
            undo,
            ended: Some(ended),
            kept_bytes: kept,
            undoable: true,
            ..crate::runs::blank(name, kept, RunState::Done)
        }
    }

    fn past(alive: Vec<RunInfo>) -> Past {
        Past { alive, dead: Vec::new() }
    }

    /// R2: a later run says nothing about earlier ones; and undo goes back run by run, so nothing goes from the middle.
    #[test]
    fn each_run_keeps_its_own_term_and_no_gap_is_made() {
        let runs = past(vec![
            run("a", None, Undo::Days(30), 31, 1),
            run("b", None, Undo::Days(30), 29, 1),
            run("c", None, Undo::Last, 9, 1),
            run("d", None, Undo::Days(3), 5, 1),
            run("e", None, Undo::Last, 0, 1),
        ]);
        assert_eq!(runs.expired(Some("e")), ["a"]);
        assert_eq!(runs.expired(None), ["a"]);
        let last = past(vec![run("a", None, Undo::Last, 0, 1), run("b", None, Undo::Days(9), 0, 1)]);
        assert_eq!(last.expired(Some("b")), ["a"]);
        assert_eq!(last.expired(Some("one without undo")), ["a"], "b has its own term");
        assert!(last.expired(None).is_empty(), "no run has followed");
    }

    /// V2: a retry does not push out the run that it belongs to, and both go together.
    #[test]
    fn a_run_and_its_retries_go_together() {
        let mut runs = past(vec![run("a", None, Undo::Last, 0, 5), run("b", Some("a"), Undo::Last, 0, 5)]);
        assert!(runs.expired(Some("a")).is_empty());
        runs.alive.push(run("c", None, Undo::Last, 0, 5));
        assert_eq!(runs.expired(Some("c")), ["a", "b"]);
        let names = |runs: Vec<&RunInfo>| runs.into_iter().map(|run| run.run.clone()).collect::<Vec<_>>();
        assert_eq!(names(runs.beyond(10)), ["a", "b"]);
        assert!(runs.beyond(15).is_empty());
        assert_eq!(names(runs.beyond(0)), ["a", "b"], "the latest stays whatever it takes");
    }
}
