//! The path index of an undo store: which kept original belongs to which path, without a replay of the journal.
//!
//! ```text
//! journal ──replay──▶ Ledger ─┐
//!                             ├─▶ index ──▶ originals
//! names in the undo store ────┘
//! ```
//!
//! It is written when a run, its recovery or an undo that left something has ended, and is not synced: whoever reads it
//! checks it. It has the frames of a journal, so that a torn, cut or changed one is told by its checksums, and its first
//! record says where the journal ended from which it was made. Every later record of that journal (the beginning of an
//! undo, of a deletion) makes it stale without anybody having to touch it.
//!
//! Invariants: an index that does not fit is never believed, but made anew from the journal and the disk; that it cannot be
//! written stops nothing. This module changes nothing but the index.

use std::collections::{HashMap, HashSet};
use std::io;

use fcs_sys::{DirRef, FileRef, Kind, Metadata, Name, RelPath, Root, Time};
use serde::{Deserialize, Serialize};

use super::disk::{Judge, NameState, if_there};
use super::journal::{self, Journal, Tail};
use super::ledger::{Ledger, LedgerStep};
use super::record::{EndKind, FileStamp};
use super::store::{FOLDER, LockedStore, StoreReader, UNDO, names, visit_tree};
use super::{RunId, StartError};
use crate::dir_cursor::DirCursor;
use crate::names::{aside_name, kept_name, own};
use crate::{Error, Op};

/// Version of the format.
const VERSION: u32 = 2;

/// Originals per record, as steps of a journal.
const ITEMS_PER_RECORD: usize = 1000;

/// One record. The order of variants and fields is the format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum IndexRecord {
    /// The first record.
    Head(Head),
    /// Originals.
    Items(Vec<Item>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    /// [`VERSION`].
    version: u32,
    run: RunId,
    /// Where the journal ended.
    journal: Tail,
    /// How many originals follow.
    items: u64,
}

/// An original. Path and place are checked when they are read, as all that comes from a disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    /// The path that it had, as bytes.
    path: Vec<u8>,
    /// The step that displaced it, or the folder that it is in.
    step: u64,
    place: Place,
    /// What it looked like.
    seen: FileStamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Place {
    /// In the undo store.
    Store,
    /// Beside its name.
    Beside,
    /// In a folder that the undo store holds; the path below that, as bytes.
    Within(Vec<u8>),
    /// In a folder that is kept beside its name, likewise.
    WithinBeside(Vec<u8>),
}

/// What a run keeps of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Original {
    /// The path that it had, below the root.
    pub path: RelPath,
    /// Where it is kept, below the root.
    pub kept: RelPath,
    /// What it is. A folder may hold something; all that is in it is listed too.
    pub kind: Kind,
    /// Bytes of a file; of anything else it says nothing.
    pub size: u64,
    /// When it was last modified. Of a folder this is what it was before the run took anything out of it.
    pub modified: Time,
}

/// Where a list of originals was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginalsFrom {
    /// The index.
    Index,
    /// The journal, because the index was missing, damaged or not of this state of the run. The next run on the root
    /// writes it anew if it is missing or stale.
    Journal,
}

/// What a run keeps, in no particular order.
#[derive(Debug)]
pub struct Originals {
    from: OriginalsFrom,
    items: std::vec::IntoIter<Original>,
}

impl Originals {
    /// Where it was read from.
    pub fn read_from(&self) -> OriginalsFrom {
        self.from
    }
}

impl Iterator for Originals {
    type Item = Original;

    fn next(&mut self) -> Option<Original> {
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl ExactSizeIterator for Originals {}

/// Lists the originals that a run keeps, with all that is in folders among them: about 150 bytes of memory each. Changes
/// nothing and takes no lock, so another process may bring back or delete what is listed at any time: whoever opens one must
/// bear that it is gone.
///
/// # Errors
///
/// [`StartError::NoSuchRun`]; [`StartError::Unfinished`] of a run that must be recovered first;
/// [`StartError::OtherVersion`]; [`StartError::Failed`] where neither index nor journal can be read.
pub fn originals(root: &Root, run: &RunId) -> Result<Originals, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::ReadJournal, root.path.clone(), e));
    let no_such = || StartError::NoSuchRun(run.clone());
    let store = StoreReader::open(root).map_err(failed)?.ok_or_else(no_such)?;
    let journal = store.journal(run).map_err(failed)?.ok_or_else(no_such)?;
    // Whatever is wrong with the index, the journal says the same.
    if let Some(items) =
        store.index(run).ok().flatten().and_then(|index| believed(root, &index, &journal, run))
    {
        return Ok(Originals { from: OriginalsFrom::Index, items: items.into_iter() });
    }
    let (ledger, tail) = Ledger::read(&journal).map_err(failed)?;
    if let Some(version) = tail.other_version() {
        return Err(StartError::OtherVersion { root: root.path.clone(), run: run.clone(), version });
    }
    let mut ledger = ledger.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
    if ledger.is_unfinished() {
        return Err(StartError::Unfinished { root: root.path.clone(), runs: vec![ledger.info(0)] });
    }
    ledger.locate(&journal.metadata().map_err(failed)?);
    let items = collect(root, &ledger, store.kept(run).map_err(failed)?.as_ref()).map_err(failed)?;
    let items = items.into_iter().map(|item| item.checked(run)).collect::<Option<Vec<_>>>();
    let items = items.ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
    Ok(Originals { from: OriginalsFrom::Journal, items: items.into_iter() })
}

/// What an index says, if it is whole and of the journal as that is now.
///
/// A later run may have renamed a folder in which something is kept beside its name, and the journal of this one does not
/// know.
fn believed(root: &Root, index: &FileRef, journal: &FileRef, run: &RunId) -> Option<Vec<Original>> {
    let mut way = DirCursor::new(&root.dir);
    let mut is_there = |kept: &RelPath| {
        let (folder, name) = kept.split()?;
        way.open(&folder).and_then(|dir| dir.stat(&name)).ok().map(|_| ())
    };
    let (records, _) = journal::read_as::<IndexRecord>(index).ok()?;
    let mut records = records.into_iter();
    let Some(IndexRecord::Head(head)) = records.next() else { return None };
    if !fits(&head, journal, run) {
        return None;
    }
    let mut items = Vec::new();
    for record in records {
        let IndexRecord::Items(more) = record else { return None };
        for item in more {
            let original = item.checked(run)?;
            if item.place == Place::Beside {
                is_there(&original.kept)?;
            }
            items.push(original);
        }
    }
    (items.len() as u64 == head.items).then_some(items)
}

fn fits(head: &Head, journal: &FileRef, run: &RunId) -> bool {
    #[cfg(fcs_planted)]
    if crate::planted::is(crate::planted::Fault::StaleIndex) {
        return true;
    }
    head.version == VERSION && head.run == *run && journal::ends_at(journal, &head.journal).unwrap_or(false)
}

/// Writes the index of a run that is over, from its journal. Where that cannot be done there is none.
pub(crate) fn write(store: &LockedStore, run: &RunId) {
    conclude(store, run, try_write(store, run));
}

fn conclude(store: &LockedStore, run: &RunId, written: io::Result<()>) {
    if let Err(error) = written.or_else(|e| store.remove_index(run).and(Err(e))) {
        tracing::warn!(%error, %run, "the index of what the run keeps could not be written");
    }
}

/// As [`write`], from what the journal says, which ends at `tail`.
pub(crate) fn write_from(store: &LockedStore, run: &RunId, ledger: Ledger, tail: Tail) {
    let file = if_there(store.journal(run));
    let written =
        file.and_then(|file| file.map_or(Ok(()), |file| try_write_from(store, run, &file, ledger, tail)));
    conclude(store, run, written);
}

fn try_write(store: &LockedStore, run: &RunId) -> io::Result<()> {
    let Some(file) = if_there(store.journal(run))? else { return Ok(()) };
    let (Some(ledger), tail) = Ledger::read(&file)? else { return Ok(()) };
    try_write_from(store, run, &file, ledger, tail)
}

fn try_write_from(
    store: &LockedStore,
    run: &RunId,
    file: &FileRef,
    mut ledger: Ledger,
    tail: Tail,
) -> io::Result<()> {
    if !ledger.is_undoable() {
        return store.remove_index(run);
    }
    ledger.locate(&file.metadata()?);
    let items = collect(store.root(), &ledger, store.kept_if_there(run)?.as_ref())?;
    let mut index = Journal::new(store.create_index(run)?, Tail::default());
    let count = items.len() as u64;
    index.append(&IndexRecord::Head(Head {
        version: VERSION,
        run: run.clone(),
        journal: tail,
        items: count,
    }));
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        index.append(&IndexRecord::Items(items.by_ref().take(ITEMS_PER_RECORD).collect()));
        index.write_if_long()?;
    }
    index.write()
}

/// Writes the index of a run that is over, whose journal ends at `tail`, if there is none that belongs to it. What is behind
/// the beginning of an index is not looked at here.
pub(crate) fn mend(store: &LockedStore, run: &RunId, ledger: &Ledger, tail: Tail) {
    let head = store.index(run).ok().flatten().and_then(|index| journal::first_as(&index).ok().flatten());
    let belongs =
        matches!(head, Some(IndexRecord::Head(head)) if head.version == VERSION && head.journal == tail);
    if ledger.is_undoable() && !belongs {
        write(store, run);
    }
}

/// What of a run's originals is really there. Most of it costs one listing of the undo store.
fn collect(root: &Root, ledger: &Ledger, kept: Option<&DirRef>) -> io::Result<Vec<Item>> {
    if !ledger.is_undoable() {
        return Ok(Vec::new());
    }
    let stored = match kept {
        Some(kept) => numbers(&names(kept)?),
        None => HashSet::new(),
    };
    let mut found = Collector {
        ledger,
        judge: Judge::of(ledger),
        // An undo that did not succeed with everything may have left new items where originals were.
        may_be_new: ledger.end.is_some_and(|end| end.how == EndKind::PartlyUndone),
        stored,
        whole: whole_folders(ledger),
        way: DirCursor::new(&root.dir),
        items: Vec::new(),
    };
    for folder in &ledger.folders {
        for step in &ledger.steps[folder.steps.clone()] {
            if step.committed && step.keeps_original() {
                found.step(kept, &folder.path, step)?;
            }
        }
    }
    Ok(found.items)
}

/// The steps whose originals a store holds, by names that hold nothing else.
fn numbers(names: &[Name]) -> HashSet<u64> {
    names.iter().filter_map(|name| std::str::from_utf8(name.as_bytes()).ok()?.parse().ok()).collect()
}

/// Paths of the folders that went whole with other removals, by their steps.
fn whole_folders(ledger: &Ledger) -> HashMap<u64, RelPath> {
    let folders = ledger.folders.iter().flat_map(|folder| {
        let steps = ledger.steps[folder.steps.clone()].iter().filter(|step| !step.carries.is_empty());
        steps.map(|step| (step.number, folder.path.join(&step.name)))
    });
    folders.collect()
}

struct Collector<'a> {
    ledger: &'a Ledger,
    judge: Judge,
    may_be_new: bool,
    stored: HashSet<u64>,
    whole: HashMap<u64, RelPath>,
    way: DirCursor,
    items: Vec<Item>,
}

impl Collector<'_> {
    fn step(&mut self, kept: Option<&DirRef>, folder: &RelPath, step: &LedgerStep) -> io::Result<()> {
        let path = folder.join(&step.name);
        if let Some(top) = step.within {
            if let (true, Some(above), Some(seen)) =
                (self.stored.contains(&top), self.whole.get(&top), step.before)
            {
                let below = below(&path, above);
                self.items.push(item(&path, top, Place::Within(below.as_bytes().to_vec()), seen));
            }
            return Ok(());
        }
        if let Some(kept) = kept.filter(|_| self.stored.contains(&step.number)) {
            // What moved there first is what was at another path before the run.
            let was = step.moved_from.as_ref().unwrap_or(&path);
            return self.kept(kept, was, step);
        }
        if step.aside
            && let Some(dir) = if_there(self.way.open(folder))?
        {
            let name = aside_name(&self.ledger.begin.run, step.number)?;
            if let Some(now) = if_there(dir.stat(&name))?
                && self.is_original(&dir, &name, step)?
            {
                self.items.push(item(&path, step.number, Place::Beside, seen(step, &now)));
                // A folder that went empty holds what is somebody else's.
                if step.went_whole() {
                    self.in_folder((&dir, &name, &now), &path, step, Place::WithinBeside)?;
                }
            }
        }
        Ok(())
    }

    /// An original in the undo store, and what is in it if no step of its own says so.
    fn kept(&mut self, kept: &DirRef, path: &RelPath, step: &LedgerStep) -> io::Result<()> {
        let name = kept_name(step.number)?;
        if !self.is_original(kept, &name, step)? {
            return Ok(());
        }
        match step.before {
            // A removed folder is empty, or what it carries has steps of its own. But after a recovery in the middle of
            // its taking apart it may hold what the list does not say of it.
            Some(before) if before.kind != Kind::Folder || !step.carries.is_empty() => {
                self.items.push(item(path, step.number, Place::Store, before));
                return Ok(());
            }
            _ => {}
        }
        let Some(now) = if_there(kept.stat(&name))? else { return Ok(()) };
        self.items.push(item(path, step.number, Place::Store, seen(step, &now)));
        self.in_folder((kept, &name, &now), path, step, Place::Within)
    }

    /// What is in an original that is a folder.
    fn in_folder(
        &mut self,
        (dir, name, now): (&DirRef, &Name, &Metadata),
        path: &RelPath,
        step: &LedgerStep,
        place: fn(Vec<u8>) -> Place,
    ) -> io::Result<()> {
        let items = &mut self.items;
        visit_tree(dir, name, now, |below, now| {
            let path = below.names().fold(path.clone(), |path, name| path.join(&name));
            items.push(item(&path, step.number, place(below.as_bytes().to_vec()), FileStamp::of(now)));
        })
    }

    fn is_original(&self, dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<bool> {
        Ok(!self.may_be_new || !matches!(self.judge.look(dir, name, step)?, NameState::New(_)))
    }
}

/// What an original looked like; as it is now where the list says that nothing was there.
fn seen(step: &LedgerStep, now: &Metadata) -> FileStamp {
    step.before.unwrap_or_else(|| FileStamp::of(now))
}

fn item(path: &RelPath, step: u64, place: Place, seen: FileStamp) -> Item {
    Item { path: path.as_bytes().to_vec(), step, place, seen }
}

/// The path of an item below a folder that it is in.
fn below(path: &RelPath, above: &RelPath) -> RelPath {
    path.names().skip(above.depth()).fold(RelPath::root(), |path, name| path.join(&name))
}

impl Item {
    /// `None` if it names something that no run names.
    fn checked(&self, run: &RunId) -> Option<Original> {
        let path = RelPath::parse(&self.path).ok().filter(|path| !path.is_root())?;
        let stored = || {
            let store = [FOLDER, UNDO, run.as_str()].map(|name| own(name).ok());
            let number = [kept_name(self.step).ok()];
            store.into_iter().chain(number).try_fold(RelPath::root(), |path, name| Some(path.join(&name?)))
        };
        let beside = |path: &RelPath| Some(path.split()?.0.join(&aside_name(run, self.step).ok()?));
        let below_of = |below: &[u8]| RelPath::parse(below).ok();
        let kept = match &self.place {
            Place::Store => stored()?,
            Place::Beside => beside(&path)?,
            Place::Within(below) => below_of(below)?.names().fold(stored()?, |path, name| path.join(&name)),
            Place::WithinBeside(below) => {
                let below = below_of(below)?;
                let depth = path.depth().checked_sub(below.depth())?;
                let top = path.names().take(depth).fold(RelPath::root(), |path, name| path.join(&name));
                below.names().fold(beside(&top)?, |path, name| path.join(&name))
            }
        };
        let FileStamp { kind, size, modified, .. } = self.seen;
        Some(Original { path, kept, kind, size, modified })
    }
}
