//! A journal replayed: what the run was to do, and how far it says it got.
//!
//! Invariant: pure. Whether what it says is true, only the disk knows; see `disk.rs`.

use std::collections::{HashMap, HashSet};

use fcs_sys::{Attributes, FileId, Kind, Metadata, Name, RelPath, Time};

use super::record::{
    Begin, Dates, EmptiedFolder, End, Ended, FolderRecord, Record, RemovedTo, Seen, VERSION,
};
use super::{RunInfo, RunState};

/// A run as its journal tells it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) begin: Begin,
    pub(crate) folders: Vec<LedgerFolder>,
    /// Step number `n` is at `n - 1`.
    pub(crate) steps: Vec<LedgerStep>,
    /// The list of folders and steps is complete; before that nothing was touched.
    pub(crate) ready: bool,
    /// It is being taken back.
    pub(crate) rolling_back: bool,
    pub(crate) end: Option<End>,
    pub(crate) forgotten: bool,
    /// The journal as the run had it: its number, and when it was made.
    anchor: Option<((u64, u64), Option<Time>)>,
    /// The journal that was read is not the file that the run wrote, or cannot be told to be it: its numbers are those
    /// of another volume, or of another mount of one that does not keep them.
    pub(crate) elsewhere: bool,
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
    /// Its steps, as positions in [`Ledger::steps`].
    pub(crate) steps: std::ops::Range<usize>,
}

/// One name the run may have changed.
#[derive(Debug)]
pub(crate) struct LedgerStep {
    pub(crate) number: u64,
    pub(crate) name: Name,
    pub(crate) before: Option<Seen>,
    pub(crate) removes: bool,
    /// A change was about to be made.
    pub(crate) intended: bool,
    /// The new item and the hash of its content.
    pub(crate) new: Option<Seen>,
    pub(crate) hash: Option<[u8; 32]>,
    /// Change time of the new item before it got its name.
    pub(crate) staged_changed: Option<Time>,
    /// The change is durable.
    pub(crate) committed: bool,
    /// The original may be kept beside its old name.
    pub(crate) aside: bool,
    /// The original was an empty folder that was to be removed where it was.
    pub(crate) emptied: Option<EmptiedFolder>,
    /// The item is only given this other spelling of its name.
    pub(crate) respelled: Option<Name>,
    /// Only the dates of the item are set: what they were, and what they are to be.
    pub(crate) times: Option<[Dates; 2]>,
    /// The item is a folder that had this before it was given permissions to be moved.
    pub(crate) lifted: Option<Attributes>,
    /// Numbers of the removals that are done when this one is: the folder goes with all that is in it.
    pub(crate) carries: Vec<u64>,
    /// Number of the removal that this one is done with.
    pub(crate) within: Option<u64>,
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
    /// Whether what was there is displaced by it.
    pub(crate) fn keeps_original(&self) -> bool {
        self.times.is_none() && self.respelled.is_none()
    }

    /// Whether a whole folder was at the name.
    pub(crate) fn replaces_folder(&self) -> bool {
        !self.removes && self.before.is_some_and(|before| before.kind == Kind::Folder)
    }

    /// Whether the original is a folder that was kept with everything in it.
    pub(crate) fn went_whole(&self) -> bool {
        self.replaces_folder() || !self.carries.is_empty()
    }
}

impl Ledger {
    /// Replays the records. `None` if they are not those of a journal that this version understands.
    pub(crate) fn replay(records: Vec<Record>) -> Option<Self> {
        let mut records = records.into_iter();
        let Some(Record::Begin(begin)) = records.next() else { return None };
        if begin.version != VERSION {
            return None;
        }
        let mut ledger = Self {
            begin,
            folders: Vec::new(),
            steps: Vec::new(),
            ready: false,
            rolling_back: false,
            end: None,
            forgotten: false,
            anchor: None,
            elsewhere: true,
        };
        records.try_for_each(|record| ledger.apply(record))?;
        let replacing: Vec<RelPath> = ledger.making_way().into_keys().collect();
        for folder in ledger.folders.iter_mut().filter(|_| !replacing.is_empty()) {
            folder.replaces = replacing.iter().any(|path| folder.path.starts_with(path));
        }
        Some(ledger)
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
                        removes: step.removes,
                        intended: false,
                        new: None,
                        hash: None,
                        staged_changed: None,
                        committed: false,
                        aside: false,
                        emptied: None,
                        respelled: None,
                        times: None,
                        lifted: None,
                        carries: Vec::new(),
                        within: None,
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
            Record::Forgotten => self.forgotten = true,
            Record::Emptied { step, folder } => self.step_mut(step)?.emptied = Some(folder),
            Record::Anchor { file, created } => self.anchor = Some((file, created)),
            Record::Making { folder } => self.folders.get_mut(folder as usize)?.making = true,
            Record::LiftedFolder { folder, was } => {
                self.folders.get_mut(folder as usize)?.lifted = Some(was);
            }
            Record::Respells { step, to } => {
                let name = Name::new(to.as_slice()).ok().filter(|name| !name.is_reserved())?;
                self.step_mut(step)?.respelled = Some(name);
            }
            Record::SettingTimes { step, was, wanted } => {
                let step = self.step_mut(step)?;
                (step.intended, step.times) = (true, Some([was, wanted]));
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
            for at in folder.steps.clone().filter(|&at| self.steps[at].removes) {
                let path = folder.path.join(&self.steps[at].name);
                if made.contains(&path) {
                    found.insert(path, (index, at));
                }
            }
        }
        found
    }

    /// Numbers of the steps whose items another step gives another spelling of their names.
    pub(crate) fn respelled_too(&self) -> HashSet<u64> {
        let steps = || {
            self.folders.iter().flat_map(|folder| {
                self.steps[folder.steps.clone()].iter().map(move |step| (&folder.path, step))
            })
        };
        let respelled = steps().filter(|(_, step)| step.respelled.is_some());
        let respelled: HashSet<RelPath> = respelled.map(|(path, step)| path.join(&step.name)).collect();
        if respelled.is_empty() {
            return HashSet::new();
        }
        let too = steps().filter(|(path, step)| respelled.contains(&path.join(&step.name)));
        too.map(|(_, step)| step.number).collect()
    }

    /// Whether it was interrupted: neither over nor being let go.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.end.is_none() && !self.forgotten
    }

    /// Whether `undo` has something to go back to.
    pub(crate) fn is_undoable(&self) -> bool {
        let kept = self.end.is_some_and(|end| end.how != Ended::RolledBack);
        kept && !self.forgotten
    }

    /// Bytes of the files that the run displaced or removed, as far as it keeps them; without what is in folders.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let binned = self.begin.removed == RemovedTo::RecycleBin;
        let kept = |step: &&LedgerStep| step.committed && step.keeps_original() && !(step.removes && binned);
        let kept = self.steps.iter().filter(kept).filter_map(|step| step.before);
        let files = kept.filter(|before| before.kind == Kind::File);
        files.fold(0, |sum, before| sum.saturating_add(before.size))
    }

    /// Paths that the run changed, and the folders in which it worked.
    pub(crate) fn touched(&self) -> impl Iterator<Item = RelPath> {
        self.folders.iter().flat_map(|folder| {
            let steps = self.steps[folder.steps.clone()].iter().filter(|step| step.committed);
            let names = steps.map(|step| folder.path.join(&step.name));
            names.chain([folder.path.clone()])
        })
    }

    /// What a list of runs shows.
    pub(crate) fn info(&self, kept_bytes: u64) -> RunInfo {
        let state = match self.end.map(|end| end.how) {
            _ if self.forgotten => RunState::Forgotten,
            None => RunState::Unfinished,
            Some(Ended::Kept) if self.end.is_some_and(|end| end.failed > 0) => RunState::DoneWithFailures,
            Some(Ended::Kept) => RunState::Done,
            Some(Ended::Cancelled) => RunState::Cancelled,
            Some(Ended::Recovered) => RunState::Recovered,
            Some(Ended::PartlyUndone) => RunState::PartlyUndone,
            Some(Ended::RolledBack) => RunState::RolledBack,
        };
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
            kept_bytes,
        }
    }

    /// The last record of a run.
    pub(crate) fn end_record(how: Ended, failed: u64) -> Record {
        Record::End(End { at: Time::now(), how, failed })
    }
}
