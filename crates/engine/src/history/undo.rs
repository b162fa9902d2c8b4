//! Takes a run back: every name holds again what it held before, for every item that nobody changed since.
//!
//! Order: removed items return, shallowest first, so that folders are there before what was in them; then replaced
//! and new items; then the folders the run made go, deepest first; then folders get their times back.
//!
//! Invariant: a name is changed only while it holds what the run left there, and what comes out of an exchange is
//! looked at again. A new item is not deleted before every original is back and durable.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fcs_sys::{DirRef, Kind, Name, OsReason, RelPath, Root, reason};

use super::disk::{Judge, NameState, has_content, if_there};
use super::journal::Journal;
use super::later::{Later, is_within};
use super::ledger::{Ledger, LedgerFolder, LedgerStep};
use super::record::{EndKind, FileStamp, Record, RemovedTo};
use super::recover::{give_back_lifted, lift, sync};
use super::store::{LockedStore, names};
use super::{RecoveryAction, RecoveryItem, RecoveryReport, RunState, index};
use crate::dir_cursor::DirCursor;
use crate::hashing::work;
use crate::identity::Numbers;
use crate::lift::{Lifted, move_lifted};
use crate::ops::{self, respell};
use crate::progress::full_path;
use crate::{Error, ErrorKind, Op};

/// Reverts what a run committed, for undo and for rolling back, except for what `later` runs that stay have changed. Idempotent: may be
/// interrupted anywhere and repeated. The ledger must be settled.
pub(crate) fn revert(
    store: &LockedStore,
    ledger: &Ledger,
    journal: &mut Journal,
    later: &Later,
) -> io::Result<RecoveryReport> {
    if !ledger.rolling_back {
        journal.append(&Record::RollBack);
        journal.sync()?;
    }
    let root = store.root();
    let kept = store.kept(&ledger.begin.run)?;
    let is_resumed = ledger.rolling_back;
    let (journal, respelled) = (Mutex::new(journal), ledger.respelled_too());
    let mut back = Back {
        root,
        ledger,
        journal: &journal,
        respelled: &respelled,
        run: &ledger.begin.run,
        kept: &kept,
        removed: ledger.begin.removed,
        interrupted: ledger.rolling_back,
        resumed: ledger.rolling_back || ledger.end.is_some_and(|end| end.how == EndKind::PartlyUndone),
        has_earlier: store.run_ids()?.len() > 1,
        later,
        judge: Judge::of(ledger),
        way: DirCursor::new(&root.dir),
        lifted: Lifted::default(),
        out_of_reach: HashSet::new(),
        found: Found::default(),
        refused: HashSet::new(),
    };
    let steps = |folder: &LedgerFolder| {
        let steps = ledger.steps[folder.steps.clone()].iter();
        steps.filter(|step| step.committed && step.respelled().is_none() && !step.sets_folder())
    };
    // What made way for a folder returns when that is gone.
    back.respell();
    back.folders_metadata();
    let making_way = ledger.making_way();
    let waits: HashSet<u64> = making_way.values().map(|&(_, step)| ledger.steps[step].number).collect();
    for folder in ledger.folders.iter().rev() {
        let returns = |step: &&LedgerStep| step.removes() && !waits.contains(&step.number);
        for step in steps(folder).filter(returns).collect::<Vec<_>>().into_iter().rev() {
            back.step(folder, step, Back::return_removed);
        }
    }
    let rest: Vec<(&LedgerFolder, &LedgerStep)> = ledger
        .folders
        .iter()
        .flat_map(|folder| {
            let steps = steps(folder).filter(|step| !step.removes() && !step.is_chained);
            steps.map(move |step| (folder, step))
        })
        .collect();
    for alike in rest.chunk_by(|(_, a), (_, b)| a.stands_alone() && b.stands_alone()) {
        back.all(alike);
    }
    back.return_chains();
    back.remove_leftovers(ledger)?;
    for folder in ledger.folders.iter().rev() {
        let way = making_way.get(&folder.path).filter(|_| folder.record.create);
        let way = way.map(|&(parent, step)| (&ledger.folders[parent], &ledger.steps[step]));
        let Some((parent, step)) = way.filter(|(_, step)| step.committed) else {
            back.folder(folder);
            continue;
        };
        back.step(parent, step, Back::return_over_folder);
    }
    // What only an attempt before this one can have lifted is looked for only where there was one.
    let looked_at: &[LedgerFolder] = if is_resumed { &ledger.folders } else { &[] };
    let lifted = std::mem::take(&mut back.lifted);
    let left = give_back_lifted(root, &mut back.way, lifted, looked_at);
    left.into_iter().for_each(|item| back.leave(item));
    let out_of_reach = sync(root, &ledger.folders, &mut back.way)?;
    out_of_reach.into_iter().for_each(|item| back.leave(item));
    kept.sync()?;

    back.clear_store(ledger)?;
    let Found { items, moved, returned, .. } = back.found;
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    let run = ledger.begin.run.clone();
    refresh(store, &run, &returned)?;
    let clean =
        items.iter().all(|item| !matches!(item.action, RecoveryAction::Left | RecoveryAction::Foreign));
    let how = if clean { EndKind::RolledBack } else { EndKind::PartlyUndone };
    moved.iter().for_each(|record| journal.append(record));
    journal.append(&Ledger::end_record(how, 0));
    journal.sync()?;
    if clean {
        // Of several roots each keeps saying so until it is over in all: else this one could not lead to the others.
        if ledger.other_roots.is_empty() {
            store.delete_if_empty(&run)?;
        }
    } else {
        index::write(store, &run);
    }
    let state = if clean { RunState::RolledBack } else { RunState::PartlyUndone };
    Ok(RecoveryReport { run, items, state })
}

/// Steps that one thread takes back before it asks for more. Fewer than two of these are not worth a second thread.
pub(crate) const LOT: usize = 128;
/// More threads than this wait for each other in the system's renames, and each keeps some folders open.
const MOST_THREADS: usize = 4;

/// What takes the steps of a run back: what they have in common, and what became of those that this one took.
pub(crate) struct Back<'a> {
    pub(crate) root: &'a Root,
    pub(crate) ledger: &'a Ledger,
    journal: &'a Mutex<&'a mut Journal>,
    /// Steps whose items the run also renamed, which moved their change times.
    pub(crate) respelled: &'a HashSet<u64>,
    pub(crate) run: &'a str,
    pub(crate) kept: &'a DirRef,
    pub(crate) removed: RemovedTo,
    /// An earlier attempt was interrupted.
    pub(crate) interrupted: bool,
    /// An earlier attempt was interrupted, or did not succeed with everything.
    pub(crate) resumed: bool,
    /// The store holds other runs, which know what comes back by its change time.
    has_earlier: bool,
    pub(crate) later: &'a Later,
    pub(crate) judge: Judge,
    pub(crate) way: DirCursor,
    /// Folders whose permissions were lifted.
    pub(crate) lifted: Lifted,
    /// Paths that lead to nothing of the run, because what it renamed there keeps its new name.
    pub(crate) out_of_reach: HashSet<RelPath>,
    pub(crate) found: Found,
    /// Folders in which something was refused, so that their times are not those of before either.
    pub(crate) refused: HashSet<RelPath>,
}

/// What became of steps.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<RecoveryItem>,
    /// New items that were taken from their names: which folder (`None` for the undo store) and name.
    pub(crate) leftovers: Vec<(Option<RelPath>, Name)>,
    /// Originals that came back: as they were before the run, and as they are now.
    pub(crate) returned: Vec<(FileStamp, FileStamp)>,
    /// Removals of folders that came back with all that was in them.
    pub(crate) returned_whole: HashSet<u64>,
    /// New items that were taken from their names and put back.
    pub(crate) moved: Vec<Record>,
}

impl Found {
    fn absorb(&mut self, other: Self) {
        self.items.extend(other.items);
        self.leftovers.extend(other.leftovers);
        self.returned.extend(other.returned);
        self.returned_whole.extend(other.returned_whole);
        self.moved.extend(other.moved);
    }
}

/// Why a step was not rolled back.
pub(crate) enum Refusal {
    Os(io::Error),
    Kind(ErrorKind),
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Self {
        Self::Os(e)
    }
}

pub(crate) type Act<'a> =
    fn(&mut Back<'a>, &DirRef, &RelPath, &LedgerStep) -> Result<Option<RecoveryAction>, Refusal>;

impl<'a> Back<'a> {
    /// Takes steps back: those that stand alone in several threads, if they are many.
    fn all(&mut self, steps: &[(&'a LedgerFolder, &'a LedgerStep)]) {
        let lots: Vec<_> = steps.chunks(LOT).enumerate().collect();
        if lots.len() < 2 {
            for (folder, step) in steps {
                self.step(folder, step, ops::undo(step));
            }
            return;
        }
        if !fcs_sys::user::is_administrator() {
            // In their order: a folder may have to be lifted before the one in it can be opened. What cannot be opened is told
            // of its steps.
            for folder in steps.chunk_by(|(a, _), (b, _)| a.number == b.number).map(|steps| steps[0].0) {
                let _ = self.open(&folder.path);
            }
        }
        let this = &*self;
        let (workers, _) = work(
            "fcs-undo",
            threads(),
            &lots,
            || (this.beside(), Vec::new()),
            |(back, done), lot| {
                let (number, steps) = lot;
                for (folder, step) in *steps {
                    back.step(folder, step, ops::undo(step));
                }
                done.push((*number, std::mem::take(&mut back.found)));
                ControlFlow::Continue(())
            },
        );
        let mut found = Vec::new();
        for (back, done) in workers {
            self.lifted.absorb(back.lifted);
            self.refused.extend(back.refused);
            found.extend(done);
        }
        // As if one thread had done it all.
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().for_each(|(_, found)| self.found.absorb(found));
    }

    /// Another one for steps of the same run, in another thread.
    fn beside(&self) -> Self {
        Self {
            judge: Judge::of(self.ledger),
            way: DirCursor::new(&self.root.dir),
            lifted: Lifted::default(),
            out_of_reach: self.out_of_reach.clone(),
            found: Found::default(),
            refused: HashSet::new(),
            ..*self
        }
    }

    /// Makes a record durable.
    pub(crate) fn write_down(&self, record: &Record) -> io::Result<()> {
        self.journal().write_down(record)
    }

    fn journal(&self) -> MutexGuard<'a, &'a mut Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn step(&mut self, folder: &LedgerFolder, step: &LedgerStep, act: Act<'a>) {
        let path = folder.path.join(&step.name);
        if self.waits_in_store(step) {
            // It goes the way of the folder that it went with, and why that stays is reported.
            self.refused.insert(folder.path.clone());
            return;
        }
        let done = match self.open(&folder.path) {
            // Also where nothing is there: the later run removed it, and its undo restores it.
            _ if self.is_elsewhere(&path) => Err(Refusal::Kind(ErrorKind::ChangedSince)),
            Ok(dir) => act(self, &dir, &folder.path, step),
            // The folder went together with what the run had put in it.
            Err(e) if is_no_folder(&e) && step.before.is_none() => Ok(None),
            Err(e) => Err(Refusal::Os(e)),
        };
        match done {
            Ok(action) => {
                if action.is_some_and(RecoveryAction::brings_back) {
                    self.note_return(folder, step);
                    self.found.returned_whole.extend((!step.carries.is_empty()).then_some(step.number));
                }
                self.found.items.extend(action.map(|action| RecoveryItem::done(path, action)));
            }
            Err(refusal) => self.refuse(folder, step, refusal),
        }
    }

    /// Tells why a step was not rolled back.
    pub(crate) fn refuse(&mut self, folder: &LedgerFolder, step: &LedgerStep, why: Refusal) {
        let path = folder.path.join(&step.name);
        let error = match why {
            Refusal::Os(e) => Error::os(Op::Restore, full_path(&self.root.path, &path), e),
            Refusal::Kind(kind) => RecoveryItem::refusal(self.root, &path, kind),
        };
        self.refused.insert(folder.path.clone());
        // Else its name was reported already.
        if !self.out_of_reach.contains(&path) {
            self.found.items.push(RecoveryItem::left(path, error));
        }
    }

    /// Whether a later run changed what is at a path, or another item is there than the run knew there.
    pub(crate) fn is_elsewhere(&self, path: &RelPath) -> bool {
        self.later.changed(path) || is_within(&self.out_of_reach, path)
    }

    /// Gives items that only got another spelling of their names the one that they had, before anything goes by paths.
    pub(crate) fn respell(&mut self) {
        let is_meant = |step: &LedgerStep| step.committed;
        let back = respell::rename_back(
            self.root,
            self.ledger,
            &mut self.journal(),
            &mut self.lifted,
            self.later,
            &is_meant,
        );
        self.found.returned.extend(back.moved);
        self.out_of_reach = back.out_of_reach;
        for item in back.items {
            if item.action == RecoveryAction::Left {
                self.refused.extend(item.path.split().map(|(parent, _)| parent));
            }
            self.found.items.push(item);
        }
    }

    /// Opens a folder to work in it.
    pub(crate) fn open(&mut self, path: &RelPath) -> io::Result<DirRef> {
        let dir = self.way.open(path)?;
        if !fcs_sys::user::is_administrator()
            && crate::lift::needed(&dir.metadata()?).is_some()
            && let Some(folder) = self.ledger.folders.iter().find(|folder| folder.path == *path)
        {
            let mut journal = self.journal();
            lift(&mut self.lifted, folder, &dir, &mut journal)?;
        }
        Ok(dir)
    }

    /// As [`move_to`], also for folders that their own permissions keep from it.
    pub(crate) fn move_item(
        &mut self,
        from: &DirRef,
        name: &Name,
        to: &DirRef,
        step: &LedgerStep,
    ) -> io::Result<()> {
        let record = |was| Record::LiftedItem { step: step.number, was };
        move_lifted(from, name, to, &step.name, |was| self.write_down(&record(was)))
    }

    /// Tells of a folder that could not be recovered, once.
    pub(crate) fn leave(&mut self, item: RecoveryItem) {
        if self.refused.insert(item.path.clone()) {
            self.found.items.push(item);
        }
    }

    /// Remembers the change time of an original that came back, which the way there and back has moved.
    pub(crate) fn note_return(&mut self, folder: &LedgerFolder, step: &LedgerStep) {
        if !self.has_earlier {
            return;
        }
        let now = self.way.open(&folder.path).and_then(|dir| {
            let now = dir.stat(&step.name)?;
            // Where numbers prove nothing no journal goes by change times either.
            match self.judge.numbers_of(&now, &dir)? {
                Numbers::ProveNothing => Err(io::ErrorKind::Unsupported.into()),
                Numbers::Last => Ok(now),
            }
        });
        if let (Ok(now), Some(before)) = (now, step.before) {
            self.found.returned.push((before, FileStamp::of(&now)));
        }
    }

    /// Whether a new item is as the run left it. Its change time moves with every write and attribute change, but also
    /// with each rename, and a crash may keep one without the other. So the time before the run's own rename is as
    /// good as the one after it; and after an attempt that was interrupted the content decides.
    pub(crate) fn is_untouched(&self, dir: &DirRef, now: &FileStamp, step: &LedgerStep) -> io::Result<bool> {
        let Some(new) = step.new else { return Ok(true) };
        let known = now.changed == new.changed || now.changed == step.staged_changed;
        // A link cannot be changed, only be replaced, and its times are as durable as chance has it.
        if known || new.changed.is_none() || now.file != new.file || now.kind == Kind::Symlink {
            return Ok(true);
        }
        if self.respelled.contains(&step.number) {
            return Ok(has_content(dir, &step.name, step)? != Some(false));
        }
        // The content was looked at already.
        if self.judge.numbers(dir)? == Numbers::ProveNothing {
            return Ok(true);
        }
        Ok(match has_content(dir, &step.name, step)? {
            Some(same) => self.resumed && same,
            // Nothing decides. What an attempt that came to its end has refused stays refused.
            None => self.interrupted,
        })
    }

    /// Deletes new items that are in the undo store, also those an interrupted attempt left there. Anything else in it
    /// is an original that did not come back, and is reported if nothing else was reported of it.
    pub(crate) fn clear_store(&mut self, ledger: &Ledger) -> io::Result<()> {
        for name in names(self.kept)? {
            let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
            let number = text.split('.').next().and_then(|text| text.parse::<u64>().ok());
            let position = number.and_then(|n| usize::try_from(n.checked_sub(1)?).ok());
            let step = position.and_then(|i| Some((i, ledger.steps.get(i)?)));
            let Some((position, step)) = step else { continue };
            if self.found.leftovers.is_empty()
                && matches!(self.judge.look(self.kept, &name, step)?, NameState::New(_))
            {
                if_there(self.kept.remove_file(&name))?;
                continue;
            }
            let folder = ledger.folders.iter().find(|folder| folder.steps.contains(&position));
            let path = folder.map_or_else(RelPath::root, |folder| folder.path.join(&step.name));
            if self.found.items.iter().all(|item| item.path != path || item.action != RecoveryAction::Left) {
                let error = RecoveryItem::refusal(self.root, &path, ErrorKind::ChangedSince);
                self.found.items.push(RecoveryItem::left(path, error));
            }
        }
        Ok(())
    }
}

/// How many threads take steps back.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(MOST_THREADS)
}

/// Whether there is nothing that a folder of the run could be: no such name, or what it was to replace.
pub(crate) fn is_no_folder(error: &io::Error) -> bool {
    matches!(reason(error), OsReason::NotFound | OsReason::NotAFolder | OsReason::IsALink)
}

/// Opens a folder of a run. `None` if there is none, and none of the run's making: what it was to replace has its name.
/// Anything else there, such as a link that another program put in its place, hides what the run may have left in it.
pub(crate) fn open_of_run(way: &mut DirCursor, folder: &LedgerFolder) -> io::Result<Option<DirRef>> {
    match way.open(&folder.path) {
        _ if folder.out_of_reach => Ok(None),
        Err(e) if folder.record.create && folder.replaces && is_no_folder(&e) => Ok(None),
        other => if_there(other),
    }
}

/// Tells the journals of earlier runs the change times of what this run had taken from them and gave back, so that
/// they too can be undone. Only what was as they had left it.
fn refresh(store: &LockedStore, run: &str, returned: &[(FileStamp, FileStamp)]) -> io::Result<()> {
    let returned: HashMap<_, _> =
        returned.iter().map(|(before, now)| ((before.file, before.changed), *now)).collect();
    for earlier in store.run_ids()?.iter().filter(|id| !returned.is_empty() && *id != run) {
        let (Some(ledger), mut journal) = super::open(store, earlier)? else { continue };
        let mut told = false;
        for step in ledger.steps.iter().filter(|step| step.committed) {
            let now = step.new.and_then(|new| returned.get(&(new.file, new.changed)));
            if let Some(now) = now {
                journal.append(&Record::Committed { step: step.number, new: Some(*now) });
                told = true;
            }
        }
        if told {
            journal.sync()?;
            index::write(store, earlier);
        }
    }
    Ok(())
}
