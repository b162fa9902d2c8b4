//! The journal and undo store of the run in progress.
//!
//! Invariant: nothing in the target changes before the list of everything that may change is durable, and no name
//! changes before the intent to change it is. After the first failed write of the journal nothing changes any more.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fcs_sys::{Attributes, DirRef, FileRef, Name, Root};
use fcs_text::utc_time;

use super::journal::{Journal, Tail};
use super::ledger::Ledger;
use super::record::{Begin, EndKind, Record, RemovedTo};
use super::store::{LockedStore, move_to};
use super::{Pruned, RunId, StartError, index, prune, unfinished_in};
use crate::Settings;
use crate::error::display_path;
use crate::lift::move_lifted;
use crate::names::{aside_name, kept_name};
use crate::plan::Part;
use crate::settings::Undo;
use crate::{Error, Op};

/// A root that a run is about to write to.
pub(crate) struct Opening<'a> {
    /// What is done there.
    pub(crate) part: Part<'a>,
    pub(crate) target: &'a Root,
    /// The first record of its journal; the id in it may become a later one.
    pub(crate) begin: Begin,
}

/// The journal of a live run in one root.
#[derive(Debug)]
pub(crate) struct RunLog {
    store: LockedStore,
    run: RunId,
    /// The first of the runs that belong together.
    group: RunId,
    journal: Mutex<Journal>,
    file: FileRef,
    kept: DirRef,
    /// A write of a journal of the run failed, in this root or in another one.
    stopped: Arc<AtomicBool>,
    /// Something of the run may lie around that the end of the run has to look for.
    untidy: AtomicBool,
    prune_at_end: bool,
    /// What it removes goes where undo cannot restore it from.
    recycles: bool,
    /// Its journal leads to other roots.
    leads: bool,
    /// Earlier runs that were pruned when it began and of which nothing was undone.
    outdated: Vec<RunId>,
}

impl RunLog {
    /// Locks every root that is to be written to, refuses if an earlier run on one of them waits for recovery, and makes the
    /// lists of everything that may change there durable. All or none: where one fails, the others are as they were.
    pub(crate) fn start(openings: Vec<Opening<'_>>, id: &RunId) -> Result<Vec<Self>, StartError> {
        let mut stores: Vec<LockedStore> = Vec::with_capacity(openings.len());
        for opening in &openings {
            match lock(opening) {
                Ok(store) => stores.push(store),
                Err(error) => {
                    stores.into_iter().for_each(|store| drop(store.remove_if_empty()));
                    return Err(error);
                }
            }
        }
        // Not before all are free: what earlier runs keep is no price for a run that does not begin.
        let mut outdated = stores.iter().map(prune::outdated).collect::<Vec<_>>().into_iter();
        let listed = stores.iter().map(|store| {
            let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, store.root().path.clone(), e));
            store.run_ids().map_err(failed)
        });
        let listed = match listed.collect::<Result<Vec<_>, _>>() {
            Ok(listed) => listed,
            Err(error) => {
                stores.into_iter().for_each(|store| drop(store.remove_if_empty()));
                return Err(error);
            }
        };
        let stores: Vec<(LockedStore, Vec<RunId>)> = stores.into_iter().zip(listed).collect();
        let written: Vec<String> = openings.iter().map(|one| display_path(&one.target.path)).collect();
        // One id that is later than that of any run on any of them.
        let others: Vec<RunId> = stores.iter().flat_map(|(_, runs)| runs.iter().cloned()).collect();
        let later = id.clone().later_than(&others);
        let stopped = Arc::<AtomicBool>::default();
        let mut logs: Vec<Self> = Vec::with_capacity(openings.len());
        let mut stores = stores.into_iter();
        for (opening, (store, others)) in openings.into_iter().zip(stores.by_ref()) {
            let target = opening.target;
            let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, target.path.clone(), e));
            let own = display_path(&target.path);
            let others_of = written.iter().filter(|path| **path != own).cloned().collect();
            let later = later.clone().ok_or_else(|| failed(io::ErrorKind::AlreadyExists.into()));
            let begun = later.and_then(|run| {
                let roots = (store, others_of);
                Self::begin(opening, run, roots, &others, Arc::clone(&stopped)).map_err(failed)
            });
            let begun = begun.map(|log| Self { outdated: outdated.next().unwrap_or_default(), ..log });
            match begun {
                Ok(log) => logs.push(log),
                Err(error) => {
                    logs.into_iter().for_each(Self::abandon);
                    stores.for_each(|(store, _)| drop(store.remove_if_empty()));
                    return Err(error);
                }
            }
        }
        Ok(logs)
    }

    /// Writes the list of one root.
    fn begin(
        opening: Opening<'_>,
        run: RunId,
        (store, other_roots): (LockedStore, Vec<String>),
        others: &[RunId],
        stopped: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let Opening { part, mut begin, .. } = opening;
        begin.retries = match begin.retries.take() {
            Some(first) if others.contains(&first) => group_of(&store, first)?,
            // Undone or pruned meanwhile: this one stands for itself.
            _ => None,
        };
        begin.run = run.clone();
        let (group, prune_at_end) = (begin.group().clone(), begin.prune_at_end);
        let leads = !other_roots.is_empty();
        let recycles = begin.removed == RemovedTo::RecycleBin;
        let (file, kept) = store.create(&run)?;
        let mut journal = Journal::new(Arc::clone(&file), Tail::default());
        let anchor = || {
            let now = file.metadata()?;
            Ok(Record::Anchor { file: (now.id.file, now.id.file_high), created: now.created })
        };
        let written = list(&part, begin, (anchor, other_roots), &mut journal).and_then(|()| {
            #[cfg(fcs_planted)]
            if crate::planted::is(crate::planted::Fault::OneJournal) && !part.is_first() {
                return journal.write();
            }
            journal.sync()?;
            store.sync_names()
        });
        let (journal, untidy) = (Mutex::new(journal), AtomicBool::new(false));
        let outdated = Vec::new();
        let log = Self {
            store,
            run,
            group,
            journal,
            file,
            kept,
            stopped,
            untidy,
            prune_at_end,
            recycles,
            leads,
            outdated,
        };
        match written {
            Ok(()) => Ok(log),
            Err(e) => {
                log.abandon();
                Err(e)
            }
        }
    }

    /// Nothing was touched, so nothing needs a journal. One that stays behind and is not ready says so; any other is
    /// recovered without anything to do.
    fn abandon(self) {
        let Self { store, run, journal, file, kept, .. } = self;
        drop((journal, file, kept));
        let _ = store.delete_if_empty(&run);
        let _ = store.remove_if_empty();
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds records that must be durable before anything else happens.
    pub(crate) fn promise(&self, records: impl IntoIterator<Item = Record>) -> io::Result<()> {
        let mut journal = self.journal();
        if self.store.is_lost() {
            self.stopped.store(true, Ordering::SeqCst);
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        records.into_iter().for_each(|record| journal.append(&record));
        journal.sync().inspect_err(|_| self.stopped.store(true, Ordering::SeqCst))
    }

    /// Adds a record that becomes durable with the next promise; if it is lost, the disk tells the same.
    pub(crate) fn note(&self, record: &Record) {
        let mut journal = self.journal();
        journal.append(record);
        if journal.write_if_long().is_err() {
            self.stopped.store(true, Ordering::SeqCst);
        }
    }

    /// As [`RunLog::note`], handed to the system at once: a killed program leaves it behind, a power cut may not.
    pub(crate) fn note_now(&self, record: &Record) -> io::Result<()> {
        let mut journal = self.journal();
        journal.append(record);
        journal.write().inspect_err(|_| self.stopped.store(true, Ordering::SeqCst))
    }

    /// Whether the journal cannot be written any more, so that nothing may change.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Remembers that something of the run may lie around.
    pub(crate) fn set_untidy(&self) {
        self.untidy.store(true, Ordering::SeqCst);
    }

    /// Whether something may lie around that was not looked for since this was asked last.
    pub(crate) fn take_untidy(&self) -> bool {
        self.untidy.swap(false, Ordering::SeqCst)
    }

    /// The undo store of the run.
    pub(crate) fn kept(&self) -> &DirRef {
        &self.kept
    }

    /// Moves a displaced original into the undo store, or, where that is on another volume, to a name of ours
    /// beside its old one.
    pub(crate) fn keep(&self, dir: &DirRef, name: &Name, step: u64) -> io::Result<()> {
        let write_down = |was| self.promise([Record::LiftedItem { step, was }]);
        if keep(&self.run, &self.kept, dir, name, step, write_down)? == KeptIn::Aside {
            self.note(&Record::Aside { step });
        }
        Ok(())
    }

    /// The path of the journal's folder, for messages.
    pub(crate) fn error(&self, e: io::Error) -> Error {
        Error::os(Op::KeepJournal, self.store.root().path.clone(), e)
    }

    /// Reads the journal back, for what has to be looked through once more.
    pub(crate) fn replay(&self) -> io::Result<Ledger> {
        self.journal().sync()?;
        let (ledger, _) = Ledger::read(&self.file)?;
        let mut ledger = ledger.ok_or(io::ErrorKind::InvalidData)?;
        ledger.locate(&self.file.metadata()?);
        Ok(ledger)
    }

    /// The store and the journal, for rolling the run back.
    pub(crate) fn parts(&self) -> (&LockedStore, MutexGuard<'_, Journal>) {
        (&self.store, self.journal())
    }

    /// Releases the lock, and removes `.fcs` if nothing is left in it. Where the run `is_gone`, rolled back in this root and in all
    /// others, so is its journal.
    pub(crate) fn close(self, is_gone: bool) -> Result<(), Error> {
        let Self { store, run, journal, file, kept, .. } = self;
        drop((journal, file, kept));
        let root = store.root().path.clone();
        let gone = if is_gone { store.delete_if_empty(&run).map(drop) } else { Ok(()) };
        gone.and_then(|()| store.remove_if_empty()).map_err(|e| Error::os(Op::KeepJournal, root, e))
    }

    /// Ends the run: from here on it is over.
    pub(crate) fn end(&self, end: Record) -> Result<(), Error> {
        self.promise([end]).map_err(|e| self.error(e))
    }

    /// Makes what was moved into the undo store durable there.
    pub(crate) fn sync_kept(&self) -> io::Result<()> {
        self.kept.sync()
    }

    /// The earlier runs that were pruned when it began and of which nothing was undone; once.
    pub(crate) fn take_outdated(&mut self) -> Vec<RunId> {
        std::mem::take(&mut self.outdated)
    }

    /// The run's id; a later one than any run before it has, whatever the clock says.
    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    /// Prunes what is not kept after the run: its own originals, with `undo` off; its journal, if nothing `changed` in any root; and
    /// earlier runs whose term is over. Where nothing was `committed`, only folders were made or given times, earlier runs
    /// keep what they have: there is nothing new that undo would restore instead. Returns the runs that were pruned
    /// before their time, because all of them take too much of the volume, and what could not be deleted.
    pub(crate) fn prune(self, settings: &Settings, changed: bool, committed: bool) -> Result<Pruned, Error> {
        let Self { store, run, group, journal, file, kept, prune_at_end, recycles, leads, .. } = self;
        drop((journal, file, kept));
        let root = store.root().path.clone();
        let failed = |e| Error::os(Op::ReadJournal, root.clone(), e);
        let own = std::slice::from_ref(&run);
        let share = |total: u64| u128::from(total) * u128::from(settings.undo_max_percent) / 100;
        let limit = store.root().dir.space().ok().map(|space| share(space.total) as u64);
        let mut replayed = None;
        let pruned = if prune_at_end {
            // Nothing of it can be undone, so what earlier runs keep is still worth keeping.
            let stay = prune::keep_nothing_of(&store, &run);
            // Its journal goes at once where it tells nobody anything.
            prune::idle(&store).map(|()| Pruned::of(Vec::new(), stay, own.to_vec()))
        } else if settings.undo == Undo::Off {
            // What stays of it is tried once more with those before it, and told then.
            let _ = prune::keep_nothing_of(&store, &run);
            prune::after(&store, (&group, &run), limit).map(|(pruned, _)| pruned)
        } else if (!changed || recycles && !leads) && store.delete_if_empty(&run).is_ok_and(|gone| gone) {
            Ok(Pruned { stand: own.to_vec(), ..Pruned::default() })
        } else if committed {
            prune::after(&store, (&group, &run), limit).map(|(pruned, its)| {
                replayed = its;
                pruned
            })
        } else {
            Ok(Pruned::default())
        };
        if !prune_at_end && settings.undo != Undo::Off {
            match replayed {
                Some((ledger, tail)) => index::write_from(&store, &run, ledger, tail),
                None => index::write(&store, &run),
            }
        }
        let pruned = pruned.map_err(failed)?;
        store.remove_if_empty().map_err(|e| Error::os(Op::KeepJournal, root.clone(), e))?;
        Ok(pruned)
    }
}

/// The first of the runs to which `run` belongs, if it was not undone.
fn group_of(store: &LockedStore, run: RunId) -> io::Result<Option<RunId>> {
    let (ledger, _) = super::open(store, &run)?;
    let Some(ledger) = ledger else { return Ok(Some(run)) };
    let is_undone = ledger.end.is_some_and(|end| end.how == EndKind::RolledBack);
    Ok((!is_undone).then(|| ledger.begin.group().clone()))
}

/// Where an original went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptIn {
    /// Into the undo store.
    InStore,
    /// Beside its old name.
    Aside,
}

/// See [`RunLog::keep`] and [`move_lifted`].
pub(crate) fn keep(
    run: &str,
    kept: &DirRef,
    dir: &DirRef,
    name: &Name,
    step: u64,
    write_down: impl FnOnce(Attributes) -> io::Result<()>,
) -> io::Result<KeptIn> {
    let Err(refused) = move_lifted(dir, name, kept, &kept_name(step)?, write_down) else {
        return Ok(KeptIn::InStore);
    };
    // On another volume the store can take nothing; anything else that is wrong with it is no reason to leave an
    // original under a name that says it is unfinished.
    let aside = aside_name(run, step)?;
    if *name == aside || move_to(dir, name, dir, &aside).is_ok() { Ok(KeptIn::Aside) } else { Err(refused) }
}

/// Brings the folder that a step displaced from the undo store beside the name that it is to have again. An exchange between
/// two folders would give it another modified time on XFS, where its entry `..` is written anew; moved, or exchanged
/// within one folder, it keeps its own everywhere. Nothing has to be set then, which a crash could lose.
pub(crate) fn bring_beside(
    run: &str,
    kept: &DirRef,
    dir: &DirRef,
    step: u64,
    write_down: impl FnOnce(Attributes) -> io::Result<()>,
) -> io::Result<Name> {
    let aside = aside_name(run, step)?;
    move_lifted(kept, &kept_name(step)?, dir, &aside, write_down)?;
    Ok(aside)
}

/// Locks a root for a run.
fn lock(opening: &Opening<'_>) -> Result<LockedStore, StartError> {
    let Opening { target, begin, .. } = opening;
    let who = format!(
        "run {} ({}) by process {} since {}",
        begin.run,
        begin.command,
        std::process::id(),
        utc_time(begin.started)
    );
    let store = LockedStore::lock(target, &who)?;
    let unfinished = unfinished_in(&store, target)?;
    if !unfinished.is_empty() {
        return Err(StartError::Unfinished { root: target.path.clone(), runs: unfinished });
    }
    Ok(store)
}

/// Writes what the plan may change: steps are numbered as the run numbers them, copies first.
fn list(
    plan: &Part<'_>,
    begin: Begin,
    (anchor, other_roots): (impl Fn() -> io::Result<Record>, Vec<String>),
    journal: &mut Journal,
) -> io::Result<()> {
    journal.append(&Record::Begin(begin));
    journal.append(&anchor()?);
    if !other_roots.is_empty() {
        journal.append(&Record::OtherRoots(other_roots));
    }
    crate::ops::list(plan, journal)?;
    journal.append(&Record::Ready);
    Ok(())
}
