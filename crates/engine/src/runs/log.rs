//! The journal and undo store of the run in progress.
//!
//! Invariant: nothing in the target changes before the list of everything that may change is durable, and no name
//! changes before the intent to change it is. After the first failed write of the journal nothing changes any more.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fcs_sys::{Attributes, DirRef, FileRef, Fingerprint, Name, RelPath, Root, Time};
use fcs_text::utc_time;

use super::journal::{self, Journal, Tail};
use super::ledger::Ledger;
use super::record::{Begin, FolderLooks, FolderRecord, Record, RemovedTo, Seen, StepRecord};
use super::store::{Store, aside_name, kept_name, move_to};
use super::{Pruned, RunId, StartError, prune, unfinished_in};
use crate::Settings;
use crate::lift::move_lifted;
use crate::plan::Plan;
use crate::settings::Undo;
use crate::{Error, Op};

/// Steps per record: few enough that a record stays small, enough that their number costs nothing.
const STEPS_PER_RECORD: usize = 1000;

/// The journal of a live run.
#[derive(Debug)]
pub(crate) struct RunLog {
    store: Store,
    run: String,
    /// The first of the runs that belong together.
    group: String,
    journal: Mutex<Journal>,
    file: FileRef,
    kept: DirRef,
    /// A write of the journal failed.
    stopped: AtomicBool,
    /// Something of the run may lie around that the end of the run has to look for.
    untidy: AtomicBool,
    forget: bool,
    /// What it removes goes where undo cannot bring it back from.
    recycles: bool,
}

impl RunLog {
    /// Locks the root, refuses if an earlier run waits for recovery, and makes the list of everything the plan may
    /// change durable.
    pub(crate) fn start(plan: &Plan, target: &Root, id: RunId, mut begin: Begin) -> Result<Self, StartError> {
        let who = format!(
            "run {} ({}) by process {} since {}",
            begin.run,
            begin.command,
            std::process::id(),
            utc_time(begin.started)
        );
        let store = Store::lock(target, &who)?;
        let unfinished = unfinished_in(&store, target)?;
        if !unfinished.is_empty() {
            return Err(StartError::Unfinished(unfinished));
        }
        let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, target.path.clone(), e));
        prune::outdated(&store);
        let others = store.run_ids().map_err(failed)?;
        begin.retries = match begin.retries.take() {
            Some(first) if others.contains(&first) => Some(group_of(&store, first).map_err(failed)?),
            // Undone or pruned meanwhile: this one stands for itself.
            _ => None,
        };
        let later = id.later_than(&others).ok_or_else(|| failed(io::ErrorKind::AlreadyExists.into()))?;
        begin.run = later.to_string();
        let (run, group, forget) = (begin.run.clone(), begin.group().to_owned(), begin.forget);
        let recycles = begin.removed == RemovedTo::RecycleBin;
        let (file, kept) = store.create(&run).map_err(failed)?;
        let mut journal = Journal::new(std::sync::Arc::clone(&file), Tail::default());
        let anchor = || {
            let now = file.metadata()?;
            Ok(Record::Anchor { file: (now.id.file, now.id.file_high), created: now.created })
        };
        let written = list(plan, begin, anchor, &mut journal).and_then(|()| {
            journal.sync()?;
            store.sync_names()
        });
        if let Err(e) = written {
            // Nothing was touched, so nothing needs a journal. One that stays behind is not ready and says so.
            drop((journal, file, kept));
            let _ = store.delete_if_empty(&run);
            let _ = store.remove_if_empty();
            return Err(failed(e));
        }
        Ok(Self {
            store,
            run,
            group,
            journal: Mutex::new(journal),
            file,
            kept,
            stopped: AtomicBool::new(false),
            untidy: AtomicBool::new(false),
            forget,
            recycles,
        })
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

    /// Whether something may lie around.
    pub(crate) fn is_untidy(&self) -> bool {
        self.untidy.load(Ordering::SeqCst)
    }

    /// The undo store of the run.
    pub(crate) fn kept(&self) -> &DirRef {
        &self.kept
    }

    /// Moves a displaced original into the undo store, or, where that lies on another volume, to a name of ours
    /// beside its old one.
    pub(crate) fn keep(&self, dir: &DirRef, name: &Name, step: u64) -> io::Result<()> {
        let write_down = |was| self.promise([Record::LiftedItem { step, was }]);
        if keep(&self.run, &self.kept, dir, name, step, write_down)? == Kept::Aside {
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
        let (records, _) = journal::read(&self.file)?;
        let mut ledger =
            Ledger::replay(records).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        ledger.locate(&self.file.metadata()?);
        Ok(ledger)
    }

    /// The store and the journal, for taking the run back.
    pub(crate) fn parts(&self) -> (&Store, MutexGuard<'_, Journal>) {
        (&self.store, self.journal())
    }

    /// Lets go of the lock, and of `.fcs` if nothing is left in it.
    pub(crate) fn close(self) -> Result<(), Error> {
        let Self { store, journal, file, kept, .. } = self;
        drop((journal, file, kept));
        let root = store.root().path.clone();
        store.remove_if_empty().map_err(|e| Error::os(Op::KeepJournal, root, e))
    }

    /// Ends the run: from here on it is over.
    pub(crate) fn end(&self, end: Record) -> Result<(), Error> {
        self.promise([end]).map_err(|e| self.error(e))
    }

    /// Makes what was moved into the undo store durable there.
    pub(crate) fn sync_kept(&self) -> io::Result<()> {
        self.kept.sync()
    }

    /// The run's id; a later one than any run before it has, whatever the clock says.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Prunes what is not kept after the run: its own originals, with `undo` off; its journal, if nothing `changed`; and
    /// earlier runs whose term is over. Where nothing was `committed`, only folders were made or given times, earlier runs
    /// keep what they have: there is nothing new that undo would bring back instead. Returns the runs that were pruned
    /// before their time, because all of them take too much of the volume, and what could not be deleted.
    pub(crate) fn prune(self, settings: &Settings, changed: bool, committed: bool) -> Result<Pruned, Error> {
        let Self { store, run, group, journal, file, kept, forget, recycles, .. } = self;
        drop((journal, file, kept));
        let root = store.root().path.clone();
        let failed = |e| Error::os(Op::ReadJournal, root.clone(), e);
        let own = std::slice::from_ref(&run);
        let share = |total: u64| u128::from(total) * u128::from(settings.undo_max_percent) / 100;
        let limit = store.root().dir.space().ok().map(|space| share(space.total) as u64);
        let pruned = if forget {
            // Nothing of it can be undone, so what earlier runs keep is still worth keeping.
            Ok(Pruned::of(Vec::new(), prune::forget(&store, own)))
        } else if settings.undo == Undo::Off {
            // What stays of it is tried once more with those before it, and told then.
            let _ = prune::forget(&store, own);
            prune::after(&store, &group, limit)
        } else if (!changed || recycles) && store.delete_if_empty(&run).is_ok_and(|gone| gone) {
            Ok(Pruned::default())
        } else if committed {
            prune::after(&store, &group, limit)
        } else {
            Ok(Pruned::default())
        };
        let pruned = pruned.map_err(failed)?;
        store.remove_if_empty().map_err(|e| Error::os(Op::KeepJournal, root.clone(), e))?;
        Ok(pruned)
    }
}

/// The first of the runs to which `run` belongs.
fn group_of(store: &Store, run: String) -> io::Result<String> {
    let (ledger, _) = super::open(store, &run)?;
    Ok(ledger.map_or(run, |ledger| ledger.begin.group().to_owned()))
}

/// Where an original went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
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
) -> io::Result<Kept> {
    let Err(refused) = move_lifted(dir, name, kept, &kept_name(step)?, write_down) else {
        return Ok(Kept::InStore);
    };
    // On another volume the store can take nothing; anything else that is wrong with it is no reason to leave an
    // original under a name that says it is unfinished.
    let aside = aside_name(run, step)?;
    if *name == aside || move_to(dir, name, dir, &aside).is_ok() { Ok(Kept::Aside) } else { Err(refused) }
}

/// Brings the folder that a step displaced from the undo store beside the name that it is to have again. An exchange between
/// two folders would give it another modified time on XFS, where its entry `..` is written anew; moved, or exchanged
/// within one folder, it keeps its own everywhere. Nothing has to be set then, which a crash could lose.
pub(super) fn bring_beside(
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

/// Writes what the plan may change: steps are numbered as the run numbers them, copies first.
fn list(
    plan: &Plan,
    begin: Begin,
    anchor: impl Fn() -> io::Result<Record>,
    journal: &mut Journal,
) -> io::Result<()> {
    journal.append(&Record::Begin(begin));
    journal.append(&anchor()?);
    for folder in &plan.folders {
        let wanted =
            (folder.create || folder.sync_times).then(|| looks(&folder.expect_source, folder.created[0]));
        let before = folder.expect_target.as_ref().map(|f| looks(f, folder.created[1]));
        let steps = folder.steps.iter().map(|step| StepRecord {
            name: step.target_name.as_bytes().to_vec(),
            before: step.expect_target.as_ref().map(Seen::from),
            removes: false,
        });
        list_folder(&folder.target_path, folder.create, before, wanted, steps, journal)?;
    }
    for folder in &plan.removals {
        let steps = folder.items.iter().map(|item| StepRecord {
            name: item.name.as_bytes().to_vec(),
            before: Some(Seen::from(&item.expect)),
            removes: true,
        });
        list_folder(&folder.path, false, Some(looks(&folder.expect, None)), None, steps, journal)?;
    }
    let mut next = plan.folders.iter().map(|folder| folder.steps.len()).sum::<usize>() as u64
        + plan.removals.iter().map(|folder| folder.items.len()).sum::<usize>() as u64
        + 1;
    for folder in &plan.renames {
        let steps = folder.items.iter().map(|item| StepRecord {
            name: item.from.as_bytes().to_vec(),
            before: None,
            removes: false,
        });
        list_folder(&folder.path, false, Some(looks(&folder.expect, None)), None, steps, journal)?;
        for item in &folder.items {
            journal.append(&Record::Respells { step: next, to: item.to.as_bytes().to_vec() });
            next += 1;
        }
        journal.write_if_long()?;
    }
    journal.append(&Record::Ready);
    Ok(())
}

fn list_folder(
    path: &RelPath,
    create: bool,
    before: Option<FolderLooks>,
    wanted: Option<FolderLooks>,
    steps: impl Iterator<Item = StepRecord>,
    journal: &mut Journal,
) -> io::Result<()> {
    journal.append(&Record::Folder(FolderRecord { path: path.as_bytes().to_vec(), create, before, wanted }));
    let mut steps = steps.peekable();
    while steps.peek().is_some() {
        journal.append(&Record::Steps(steps.by_ref().take(STEPS_PER_RECORD).collect()));
        journal.write_if_long()?;
    }
    journal.write_if_long()
}

fn looks(f: &Fingerprint, created: Option<Time>) -> FolderLooks {
    FolderLooks { id: f.id, modified: f.modified, created, attributes: f.attributes, owner: None }
}
