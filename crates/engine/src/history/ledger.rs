//! A journal replayed: what the run was to do, and how far it says it got.
//!
//! Invariant: pure. Whether what it says is true, only the disk knows; see `disk.rs`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;

use fcs_sys::{Attributes, FileId, FileRef, Kind, Metadata, Name, RelPath, Time};

use super::journal::{self, Tail};
use super::record::{
    Begin, EmptiedFolder, End, EndKind, FileStamp, FolderRecord, Record, RemovedTo, is_read,
};
use super::{RunInfo, RunState};
use crate::ops::Operation;
use crate::ops::move_::chain::{self, LinkAt};
use crate::ops::set_metadata::ItemMetadata;
use crate::settings::Undo;

/// A run as its journal tells it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) begin: Begin,
    pub(crate) folders: Vec<LedgerFolder>,
    /// Step number `n` is at `n - 1`.
    pub(crate) steps: Vec<LedgerStep>,
    /// The list of folders and steps is complete; before that nothing was touched.
    pub(crate) ready: bool,
    /// It is being rolled back.
    pub(crate) rolling_back: bool,
    pub(crate) end: Option<End>,
    pub(crate) pruned: bool,
    /// The paths of the other roots that the run wrote to.
    pub(crate) other_roots: Vec<String>,
    /// The journal as the run had it: its number, and when it was made.
    anchor: Option<((u64, u64), Option<Time>)>,
    /// The journal that was read is not the file that the run wrote, or cannot be told to be it: its numbers are those
    /// of another volume, or of another mount of one that does not keep them.
    pub(crate) elsewhere: bool,
    /// Moves that hand names on.
    pub(crate) chains: Vec<Vec<LinkAt>>,
}

/// A folder in which the run worked.
#[derive(Debug)]
pub(crate) struct LedgerFolder {
    /// As the journal numbers it.
    pub(crate) number: u32,
    pub(crate) path: RelPath,
    pub(crate) record: FolderRecord,
    /// Its identity, if the run made it.
    pub(crate) made: Option<FileId>,
    /// The run was about to make it, where nothing was.
    pub(crate) making: bool,
    /// It, or a folder above it, is to be where an item of another kind was: that may still be there.
    pub(crate) replaces: bool,
    /// What it had before it was given permissions to work in it, where the list says something else.
    pub(crate) lifted: Option<Attributes>,
    /// The run removed it where it was, so that what comes back is another one.
    pub(crate) emptied: bool,
    /// The run sets permissions of the folder itself, which are none that it was lifted to.
    pub(crate) sets_attributes: bool,
    /// The run has set dates of the folder itself, which are not to be those of before.
    pub(crate) is_dated: bool,
    /// A folder on the way to it has another spelling of its name and could not be given the old one, so that the path leads
    /// to nothing of the run.
    pub(crate) out_of_reach: bool,
    /// Its steps, as positions in [`Ledger::steps`].
    pub(crate) steps: std::ops::Range<usize>,
}

/// One name the run may have changed.
#[derive(Debug)]
pub(crate) struct LedgerStep {
    pub(crate) number: u64,
    pub(crate) name: Name,
    pub(crate) before: Option<FileStamp>,
    pub(crate) does: Operation,
    /// A change was about to be made.
    pub(crate) intended: bool,
    /// The new item and the hash of its content.
    pub(crate) new: Option<FileStamp>,
    pub(crate) hash: Option<[u8; 32]>,
    /// Change time of the new item before it got its name.
    pub(crate) staged_changed: Option<Time>,
    /// The change is durable.
    pub(crate) committed: bool,
    /// The original may be kept beside its old name.
    pub(crate) aside: bool,
    /// The original was an empty folder that was to be removed where it was.
    pub(crate) emptied: Option<EmptiedFolder>,
    /// Only metadata of the item is set: what it was, and what it is to be.
    pub(crate) metadata: Option<Box<[ItemMetadata; 2]>>,
    /// The item is a folder that had this before it was given permissions to be moved.
    pub(crate) lifted: Option<Attributes>,
    /// Numbers of the removals that are done when this one is: the folder goes with all that is in it.
    pub(crate) carries: Vec<u64>,
    /// Number of the removal that this one is done with.
    pub(crate) within: Option<u64>,
    /// It is one of [`Ledger::chains`].
    pub(crate) is_chained: bool,
    /// What it replaces is moved there before by another step, from this path.
    pub(crate) moved_from: Option<RelPath>,
}

impl LedgerFolder {
    /// The permissions that the folder had, as the journal tells it, at the times when it may have been given more.
    pub(crate) fn had(&self) -> impl Iterator<Item = Attributes> + use<> {
        let listed = if self.record.create {
            // One that somebody else made there is none of ours.
            self.record.wanted.filter(|_| self.made.is_some())
        } else {
            self.record.before
        };
        self.lifted.into_iter().chain(listed.map(|looks| looks.attributes))
    }
}

impl LedgerStep {
    /// Whether the item is removed.
    pub(crate) fn removes(&self) -> bool {
        self.does == Operation::Remove
    }

    /// The other spelling of its name that the item gets, and nothing else.
    pub(crate) fn respelled(&self) -> Option<&Name> {
        if let Operation::Respell { to } = &self.does { Some(to) } else { None }
    }

    /// Whether the item is a folder of which metadata is set.
    pub(crate) fn sets_folder(&self) -> bool {
        self.does == Operation::SetMetadata && self.before.is_some_and(|before| before.kind == Kind::Folder)
    }

    /// Whether what was there is displaced by it.
    pub(crate) fn keeps_original(&self) -> bool {
        matches!(self.does, Operation::Put | Operation::Remove)
    }

    /// Whether to take the step back needs and touches nothing but its own item and its own names in the undo store.
    pub(crate) fn stands_alone(&self) -> bool {
        matches!(self.does, Operation::Put) && !self.replaces_folder()
    }

    /// Whether a whole folder was at the name.
    pub(crate) fn replaces_folder(&self) -> bool {
        self.does == Operation::Put && self.before.is_some_and(|before| before.kind == Kind::Folder)
    }

    /// Whether the original is a folder that was kept with everything in it.
    pub(crate) fn went_whole(&self) -> bool {
        self.replaces_folder() || !self.carries.is_empty()
    }
}

impl Ledger {
    /// Reads a journal. No ledger if its records are not those of a journal that this version understands.
    pub(crate) fn read(file: &FileRef) -> io::Result<(Option<Self>, Tail)> {
        let (mut first, mut ledger) = (true, None);
        let tail = journal::each(file, |record| {
            if std::mem::take(&mut first) {
                ledger = Self::begin(record);
            } else if ledger.as_mut().is_some_and(|ledger: &mut Self| ledger.apply(record).is_none()) {
                ledger = None;
            }
        })?;
        Ok((ledger.map(Self::complete), tail))
    }

    /// Replays records. `None` if they are not those of a journal that this version understands.
    #[cfg(test)]
    pub(crate) fn replay(records: Vec<Record>) -> Option<Self> {
        let mut records = records.into_iter();
        let mut ledger = Self::begin(records.next()?)?;
        records.try_for_each(|record| ledger.apply(record))?;
        Some(ledger.complete())
    }

    fn begin(first: Record) -> Option<Self> {
        let Record::Begin(begin) = first else { return None };
        is_read(begin.version).then(|| Self {
            begin,
            folders: Vec::new(),
            steps: Vec::new(),
            ready: false,
            rolling_back: false,
            end: None,
            pruned: false,
            other_roots: Vec::new(),
            anchor: None,
            elsewhere: true,
            chains: Vec::new(),
        })
    }

    /// Adds what only all records together tell.
    fn complete(mut self) -> Self {
        let replacing: Vec<RelPath> = self.making_way().into_keys().collect();
        for folder in self.folders.iter_mut().filter(|_| !replacing.is_empty()) {
            folder.replaces = replacing.iter().any(|path| folder.path.starts_with(path));
        }
        let emptied: HashSet<RelPath> = self.emptied().collect();
        for folder in self.folders.iter_mut().filter(|_| !emptied.is_empty()) {
            folder.emptied = emptied.contains(&folder.path);
        }
        note_set_folders(&mut self.folders, &self.steps);
        self.note_moves();
        self
    }

    /// Finds the moves that hand names on, and what is put where something moves to.
    fn note_moves(&mut self) {
        if self.steps.iter().all(|step| step.does.new_path().is_none()) {
            return;
        }
        self.chains = chain::in_journal(&self.folders, &self.steps);
        for &[_, at] in self.chains.iter().flatten() {
            self.steps[at].is_chained = true;
        }
        let moved = self.folders.iter().flat_map(|folder| {
            let steps = self.steps[folder.steps.clone()].iter();
            steps.filter_map(|step| Some((step.does.new_path()?.clone(), folder.path.join(&step.name))))
        });
        let moved: HashMap<RelPath, RelPath> = moved.collect();
        for folder in &self.folders {
            for step in &mut self.steps[folder.steps.clone()] {
                if step.does == Operation::Put {
                    step.moved_from = moved.get(&folder.path.join(&step.name)).cloned();
                }
            }
        }
    }

    fn apply(&mut self, record: Record) -> Option<()> {
        match record {
            Record::Begin(_) => return None,
            Record::Folder(record) => {
                let steps = self.steps.len()..self.steps.len();
                self.folders.push(LedgerFolder {
                    number: self.folders.len() as u32,
                    path: record.path()?,
                    record,
                    made: None,
                    making: false,
                    replaces: false,
                    lifted: None,
                    emptied: false,
                    sets_attributes: false,
                    is_dated: false,
                    out_of_reach: false,
                    steps,
                });
            }
            Record::Steps(steps) => {
                let at_root = self.folders.last()?.path.is_root();
                for step in steps {
                    self.steps.push(LedgerStep {
                        number: self.steps.len() as u64 + 1,
                        name: step.name().filter(|name| !(at_root && name.is_home()))?,
                        before: step.before,
                        does: Operation::of(&step.kind)?,
                        intended: false,
                        new: None,
                        hash: None,
                        staged_changed: None,
                        committed: false,
                        aside: false,
                        emptied: None,
                        metadata: None,
                        lifted: None,
                        carries: Vec::new(),
                        within: None,
                        is_chained: false,
                        moved_from: None,
                    });
                }
                self.folders.last_mut()?.steps.end = self.steps.len();
            }
            Record::Ready => self.ready = true,
            Record::Made { folder, id } => self.folders.get_mut(folder as usize)?.made = Some(id),
            Record::Intent { step, new, hash } => {
                let step = self.step_mut(step)?;
                (step.intended, step.new, step.hash) = (true, new, hash);
                step.staged_changed = new.and_then(|new| new.changed);
            }
            Record::Committed { step, new } => {
                let step = self.step_mut(step)?;
                (step.intended, step.committed, step.new) = (true, true, new);
                let carries = step.carries.clone();
                self.commit_carried(&carries)?;
            }
            Record::RollBack => (self.rolling_back, self.end) = (true, None),
            Record::End(end) => (self.rolling_back, self.end) = (false, Some(end)),
            Record::Pruned => self.pruned = true,
            Record::OtherRoots(roots) => self.other_roots = roots,
            Record::Emptied { step, folder } => self.step_mut(step)?.emptied = Some(folder),
            Record::Anchor { file, created } => self.anchor = Some((file, created)),
            Record::Making { folder } => self.folders.get_mut(folder as usize)?.making = true,
            Record::LiftedFolder { folder, was } => {
                self.folders.get_mut(folder as usize)?.lifted = Some(was);
            }
            Record::SettingTimes { step, was, wanted } => {
                let step = self.step_mut(step)?;
                (step.intended, step.metadata) = (true, Some(Box::new([was.into(), wanted.into()])));
            }
            Record::SettingMetadata { step, was, wanted } => {
                let step = self.step_mut(step)?;
                (step.intended, step.metadata) = (true, Some(Box::new([was, wanted])));
            }
            Record::LiftedItem { step, was } => self.step_mut(step)?.lifted = Some(was),
            Record::Aside { step } => self.step_mut(step)?.aside = true,
            Record::Whole { step, below } => {
                below.iter().try_for_each(|&number| {
                    self.step_mut(number)?.within = Some(step);
                    Some(())
                })?;
                self.step_mut(step)?.carries = below;
            }
            Record::Apart { step } => {
                for number in std::mem::take(&mut self.step_mut(step)?.carries) {
                    self.step_mut(number)?.within = None;
                }
            }
        }
        Some(())
    }

    /// Finds out whether the numbers in it are those of the volume on which its journal lies now.
    pub(crate) fn locate(&mut self, journal: &Metadata) {
        let now = ((journal.id.file, journal.id.file_high), journal.created);
        self.elsewhere = self.anchor != Some(now);
    }

    /// Whether a step may have changed something. What was never announced was not: it had to be durable here before.
    pub(crate) fn may_be_done(&self, step: &LedgerStep) -> bool {
        let at = |number: u64| usize::try_from(number.checked_sub(1)?).ok();
        let carrier = step.within.and_then(|number| self.steps.get(at(number)?));
        step.intended || step.is_chained || carrier.is_some_and(|carrier| carrier.intended)
    }

    fn commit_carried(&mut self, carries: &[u64]) -> Option<()> {
        for &number in carries {
            let step = self.step_mut(number)?;
            (step.intended, step.committed) = (true, true);
        }
        Some(())
    }

    fn step_mut(&mut self, number: u64) -> Option<&mut LedgerStep> {
        self.steps.get_mut(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// The items that make way for folders of their names: paths of the folders, with the places of folder and step.
    pub(crate) fn making_way(&self) -> HashMap<RelPath, (usize, usize)> {
        let made: HashSet<&RelPath> =
            self.folders.iter().filter(|folder| folder.record.create).map(|folder| &folder.path).collect();
        let mut found = HashMap::new();
        for (index, folder) in self.folders.iter().enumerate().filter(|_| !made.is_empty()) {
            for at in folder.steps.clone().filter(|&at| self.steps[at].removes()) {
                let path = folder.path.join(&self.steps[at].name);
                if made.contains(&path) {
                    found.insert(path, (index, at));
                }
            }
        }
        found
    }

    /// Paths of folders that the run removed where they were.
    fn emptied(&self) -> impl Iterator<Item = RelPath> {
        self.folders.iter().flat_map(|folder| {
            let steps = self.steps[folder.steps.clone()].iter().filter(|step| step.emptied.is_some());
            steps.map(|step| folder.path.join(&step.name))
        })
    }

    /// Paths of the items that the run moved or gave another spelling of their names, before it did.
    pub(crate) fn renamed(&self) -> impl Iterator<Item = RelPath> {
        self.folders.iter().flat_map(|folder| {
            let steps = self.steps[folder.steps.clone()].iter();
            let steps = steps.filter(|step| step.committed && step.does.renames());
            steps.map(|step| folder.path.join(&step.name))
        })
    }

    /// Paths and positions of steps that are known by their numbers.
    pub(crate) fn places(&self, numbers: &BTreeSet<u64>) -> HashMap<RelPath, usize> {
        let found = self.folders.iter().flat_map(|folder| {
            let steps = folder.steps.clone().filter(|&at| numbers.contains(&self.steps[at].number));
            steps.map(|at| (folder.path.join(&self.steps[at].name), at))
        });
        found.collect()
    }

    /// Numbers of the steps whose items another step gives another spelling of their names.
    pub(crate) fn respelled_too(&self) -> HashSet<u64> {
        let steps = || {
            self.folders.iter().flat_map(|folder| {
                self.steps[folder.steps.clone()].iter().map(move |step| (&folder.path, step))
            })
        };
        let respelled = steps().filter(|(_, step)| step.respelled().is_some());
        let respelled: HashSet<RelPath> = respelled.map(|(path, step)| path.join(&step.name)).collect();
        if respelled.is_empty() {
            return HashSet::new();
        }
        let too = steps().filter(|(path, step)| respelled.contains(&path.join(&step.name)));
        too.map(|(_, step)| step.number).collect()
    }

    /// Whether it was interrupted: neither over nor being pruned.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.end.is_none() && !self.pruned
    }

    /// Whether it was rolled back and nobody has to know that any more: it wrote to no other root, or is over in all.
    pub(crate) fn is_gone(&self) -> bool {
        self.end.is_some_and(|end| end.how == EndKind::RolledBack)
            && (self.pruned || self.other_roots.is_empty())
    }

    /// Whether what it did is as it left it: no undo of it was ever begun.
    pub(crate) fn stands(&self) -> bool {
        let kept = [EndKind::Kept, EndKind::Cancelled, EndKind::Recovered];
        !self.rolling_back && self.end.is_some_and(|end| kept.contains(&end.how))
    }

    /// Whether it was to keep nothing for undo, and what it had kept goes. Its journal may stay, to say that it was there.
    pub(crate) fn kept_nothing(&self) -> bool {
        self.pruned && self.stands() && (self.begin.undo == Undo::Off || self.begin.prune_at_end)
    }

    /// Whether nothing will be undone with it once it is over in all roots.
    pub(crate) fn needs_no_undo(&self) -> bool {
        self.end.is_some_and(|end| match end.how {
            EndKind::RolledBack => true,
            EndKind::Recovered => self.begin.prune_at_end,
            _ => false,
        })
    }

    /// Whether `undo` can undo it.
    pub(crate) fn is_undoable(&self) -> bool {
        let kept = self.end.is_some_and(|end| end.how != EndKind::RolledBack);
        kept && !self.pruned
    }

    /// Bytes of the files that the run displaced or removed, as far as it keeps them; without what is in folders.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let binned = self.begin.removed == RemovedTo::RecycleBin;
        let kept =
            |step: &&LedgerStep| step.committed && step.keeps_original() && !(step.removes() && binned);
        let kept = self.steps.iter().filter(kept).filter_map(|step| step.before);
        let files = kept.filter(|before| before.kind == Kind::File);
        files.fold(0, |sum, before| sum.saturating_add(before.size))
    }

    /// Paths that the run changed, and the folders in which it worked.
    pub(crate) fn touched(&self) -> impl Iterator<Item = RelPath> {
        self.folders.iter().flat_map(|folder| {
            let steps = self.steps[folder.steps.clone()].iter().filter(|step| step.committed);
            let names = steps.flat_map(|step| {
                [Some(folder.path.join(&step.name)), step.does.new_path().cloned()].into_iter().flatten()
            });
            names.chain([folder.path.clone()])
        })
    }

    /// What a list of runs shows.
    pub(crate) fn info(&self, kept_bytes: u64) -> RunInfo {
        let state = match self.end.map(|end| end.how) {
            _ if self.pruned => RunState::PartlyPruned,
            None => RunState::Unfinished,
            Some(EndKind::Kept) if self.end.is_some_and(|end| end.failed > 0) => RunState::DoneWithFailures,
            Some(EndKind::Kept) => RunState::Done,
            Some(EndKind::Cancelled) => RunState::Cancelled,
            Some(EndKind::Recovered) => RunState::Recovered,
            Some(EndKind::PartlyUndone) => RunState::PartlyUndone,
            Some(EndKind::RolledBack) if self.other_roots.is_empty() => RunState::RolledBack,
            Some(EndKind::RolledBack) => RunState::RolledBackHere,
        };
        let is_taken_back =
            self.end.is_some_and(|end| matches!(end.how, EndKind::PartlyUndone | EndKind::RolledBack));
        RunInfo {
            run: self.begin.run.clone(),
            command: self.begin.command.clone(),
            source: self.begin.source.clone(),
            started: self.begin.started,
            ended: self.end.map(|end| end.at),
            state,
            items: self.steps.iter().filter(|step| step.committed).count() as u64,
            folders: self.folders.iter().filter(|folder| folder.made.is_some()).count() as u64,
            retries: self.begin.retries.clone(),
            undo: self.begin.undo,
            undoable: self.is_undoable(),
            going_back: self.rolling_back || is_taken_back,
            kept_nothing: self.kept_nothing(),
            other_roots: self.other_roots.clone(),
            kept_bytes,
        }
    }

    /// The last record of a run.
    pub(crate) fn end_record(how: EndKind, failed: u64) -> Record {
        Record::End(End { at: Time::now(), how, failed })
    }
}

/// Finds the folders whose own metadata the run sets, also where they are folders in which it works.
pub(crate) fn note_set_folders(folders: &mut [LedgerFolder], all: &[LedgerStep]) {
    let mut set = HashMap::new();
    for folder in folders.iter() {
        let steps = all[folder.steps.clone()].iter().filter(|step| step.sets_folder());
        for step in steps.filter(|step| step.intended) {
            let wanted = step.metadata.as_deref().map(|[_, wanted]| *wanted).unwrap_or_default();
            let is_dated = step.committed && wanted.modified.is_some();
            set.insert(folder.path.join(&step.name), (wanted.attributes.is_some(), is_dated));
        }
    }
    for folder in folders.iter_mut().filter(|_| !set.is_empty()) {
        (folder.sets_attributes, folder.is_dated) = set.get(&folder.path).copied().unwrap_or_default();
    }
}
