//! A run that is not known whole when it begins: files are put one after the other, under one journal.
//!
//! A folder is listed in the journal, durably, before the first copy is staged in it. What a copy is to be called follows
//! with the intent to give it that name. Until then it has a name that no original ever gets (`.new`), and recovery, which
//! finds it by the run in its name, deletes it. For everything else the run is one like any other.
//!
//! ```text
//! put ──▶ enter the folder (listed, made) ──▶ stage ──▶ sync ▸ verify ▸ list and intend ▸ rename ▸ sync    by itself
//!                                               └─────▶ read back from the cache, and wait                 in a group
//! commit ─▶ one sync ▸ verify ▸ list and intend ▸ rename ▸ one sync
//! ```
//!
//! Invariant: a name changes only after the file that gets it is durable, verified as the user asked, and listed. What waits
//! for its group has no name yet, and the answer says so. This module must not know who asks for the files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use fcs_sys::{FileId, RelPath, Root, Time};

use super::committer;
use super::context::{Context, CopyJob, FolderPair, OpenPair, Suspended};
use super::folders::{self, Entered, Walker};
use super::meter::Owed;
use super::staged::{Detached, Staged, Verified};
use super::worker::{Prepared, prepare};
use super::{RunOptions, begin, ending, verify};
use crate::history::record::{FolderRecord, FolderStamp, StepKind};
use crate::history::{Opening, Record, RunId, RunLog};
use crate::ops::{folder_stamp, make_folder, step_record};
use crate::plan::{FolderPlan, Plan, RootIndex, Step, Target, Totals};
use crate::report::{Evidence, ItemReport, Outcome, RunResult, SkipReason};
use crate::{Control, Error, ErrorKind, Note, Op, Settings, StartError};

/// Files in a group, at most: as many as make the price of its syncs small for each of them.
const GROUP: usize = 512;
/// Content bytes in a group, at most.
const GROUP_BYTES: u64 = 64 << 20;

/// A run that is under way, and waits for the next file.
pub(crate) struct OpenRun {
    /// Where its first file came from.
    source: Root,
    target: Root,
    options: RunOptions,
    /// `None` once it cannot go on.
    suspended: Option<Suspended>,
    id: RunId,
    next_step: u64,
    next_folder: u32,
    /// The folder that the journal lists last: steps that are listed now are in it.
    listed_last: Option<RelPath>,
    /// Folders that are listed, as they were listed first.
    listed: HashMap<RelPath, Arc<FolderPlan>>,
    here: Option<Here>,
    group: Vec<Waiting>,
    group_bytes: u64,
    /// Folders that the run made, with the roots that they were made like.
    made: Vec<(Root, FolderPlan, FileId)>,
    notes: Vec<Note>,
    /// What became of those that waited, and was not asked for yet.
    ended: Vec<ItemReport>,
}

/// The folder that was worked in last.
struct Here {
    source_root: PathBuf,
    folder: Arc<FolderPlan>,
    open: Arc<OpenPair>,
    /// What the two folders are, whatever their paths lead to meanwhile.
    ids: [FileId; 2],
}

/// A copy that waits for its group.
struct Waiting {
    number: u64,
    step: Step,
    folder: Arc<FolderPlan>,
    open: Arc<OpenPair>,
    copy: Detached,
}

/// What is to be put.
pub(crate) struct Put<'a> {
    /// The root that everything is read from.
    pub(crate) source: &'a Root,
    /// Folders on the way that are to be made, and last the folder of the file; without steps.
    pub(crate) way: Vec<FolderPlan>,
    pub(crate) step: Step,
    /// A small file may wait for others.
    pub(crate) may_wait: bool,
}

/// What became of it.
pub(crate) enum Answer {
    /// It came to its end.
    Ended(Box<ItemReport>),
    /// It is copied, and what the system's cache holds of the copy is what was read. Its name comes with its group.
    Waits(Evidence),
}

impl OpenRun {
    /// Begins a run on a root. `source` is where files come from, for the list of runs.
    pub(crate) fn begin(
        target: Root,
        source: &Root,
        settings: &Settings,
        options: RunOptions,
    ) -> Result<Self, StartError> {
        let id = options.run_id.clone().unwrap_or_else(RunId::make);
        let plan = empty(Vec::new());
        let parts = plan.parts()?;
        let openings = parts.into_iter().map(|part| Opening {
            part,
            target: &target,
            begin: begin(&id, source, Time::now(), settings, &options),
        });
        let log = RunLog::start(openings.collect(), &id)?.into_iter().next();
        let log = log.ok_or(StartError::NothingToUndo)?;
        Ok(Self {
            id: log.run().clone(),
            suspended: Some(Suspended::new(log)),
            source: source.clone(),
            target,
            options,
            next_step: 1,
            next_folder: 0,
            listed_last: None,
            listed: HashMap::new(),
            here: None,
            group: Vec::new(),
            group_bytes: 0,
            made: Vec::new(),
            notes: Vec::new(),
            ended: Vec::new(),
        })
    }

    /// The run's id.
    pub(crate) fn id(&self) -> &RunId {
        &self.id
    }

    /// The root that is written to.
    pub(crate) fn target(&self) -> &Root {
        &self.target
    }

    /// The step that came last.
    pub(crate) fn last_step(&self) -> Option<u64> {
        (self.next_step > 1).then_some(self.next_step - 1)
    }

    /// Whether nothing may change any more, so that the run waits for recovery.
    pub(crate) fn is_stopped(&self) -> bool {
        self.suspended.as_ref().is_none_or(Suspended::is_stopped)
    }

    /// Whether so many copies wait that their group is to be committed.
    pub(crate) fn is_group_full(&self) -> bool {
        self.group.len() >= GROUP || self.group_bytes >= GROUP_BYTES
    }

    /// Whether any copy waits for its group.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.group.is_empty()
    }

    /// Does a part of the run with a context of its own, and keeps what the next part needs.
    fn part<T>(
        &mut self,
        source: &Root,
        folders: Vec<FolderPlan>,
        (settings, control): (&Settings, &Control),
        work: impl FnOnce(&mut Self, &Context<'_>) -> T,
    ) -> Result<(T, Vec<ItemReport>), StartError> {
        let failed = |error| StartError::Failed(Error::os(Op::KeepJournal, self.target.path.clone(), error));
        let suspended = self.suspended.take().filter(|suspended| !suspended.is_stopped());
        let suspended =
            suspended.ok_or_else(|| failed(std::io::Error::other("the run had to stop before")))?;
        let plan = empty(folders);
        let part = plan
            .parts()?
            .into_iter()
            .next()
            .ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
        let target = self.target.clone();
        let options = self.options.clone();
        let context = Context::resumed((part, source, &target), settings, control, &options, suspended);
        let done = work(self, &context);
        let (suspended, items, notes) = context.suspend();
        self.suspended = suspended;
        self.notes.extend(notes);
        Ok((done, items))
    }

    /// Puts one file. What fails is in the answer; an error says that the run cannot go on, and nothing was changed for this
    /// file.
    pub(crate) fn put(
        &mut self,
        put: Put<'_>,
        settings: &Settings,
        control: &Control,
    ) -> Result<Answer, StartError> {
        let Put { source, way, step, may_wait } = put;
        let may_wait = may_wait && step.expect_source.size <= settings.batch_max_file_bytes;
        if !may_wait {
            // Steps are listed in their order.
            self.commit(settings)?;
        }
        let Some(place) = way.last().map(|folder| folder.target_path.join(&step.target_name)) else {
            return Err(crate::plan::BadRoots::OutOfOrder.into());
        };
        let progress = &control.progress;
        crate::progress::add(&progress.steps_total, 1);
        let owed = Arc::new(Owed::of(&step));
        crate::progress::add(&progress.copy_bytes_total, step.expect_source.size);
        if matches!(step.action, crate::plan::Action::CopyFile { verify: true, .. }) {
            crate::progress::add(&progress.verify_bytes_total, step.expect_source.size);
        }
        let mut waits = None;
        let mut refused = None;
        let work = |this: &mut Self, context: &Context<'_>| {
            context.guarded(|| match this.enter(context, source, &way) {
                Ok((folder, open)) => {
                    let number = this.next_step;
                    let pair = Arc::new(FolderPair::new(&folder, Arc::clone(&open)));
                    let job = CopyJob { folder: pair, step: &step, number, owed };
                    let waiting =
                        if may_wait { stage_for_group(context, &job) } else { this.put_alone(context, &job) };
                    if let Some((copy, evidence)) = waiting {
                        this.next_step += 1;
                        this.group_bytes += copy.size();
                        let (step, folder) = (step.clone(), Arc::clone(&folder));
                        this.group.push(Waiting { number, step, folder, open, copy });
                        waits = Some(evidence);
                    }
                }
                Err(error) => refused = Some(error),
            });
        };
        let (settled, items) = self.part(source, Vec::new(), (settings, control), work)?;
        let () = settled;
        if let Some(evidence) = waits {
            return Ok(Answer::Waits(evidence));
        }
        let item = items.into_iter().find(|item| item.path == place);
        let lost = || {
            let error = refused.unwrap_or_else(|| {
                let path = crate::progress::full_path(&self.target.path, &place);
                Error::new(Op::Copy, path, ErrorKind::Defect)
            });
            failed_item(place.clone(), &step, error)
        };
        Ok(Answer::Ended(Box::new(item.unwrap_or_else(lost))))
    }

    /// Opens the folder that the last of `way` is, and makes those before it that have to be.
    fn enter(
        &mut self,
        context: &Context<'_>,
        source: &Root,
        way: &[FolderPlan],
    ) -> Result<(Arc<FolderPlan>, Arc<OpenPair>), Error> {
        let known = self.here.as_ref().filter(|here| {
            let is_here = |last: &FolderPlan| {
                (&last.target_path, &last.source_path) == (&here.folder.target_path, &here.folder.source_path)
                    && last.expect_target.is_some_and(|seen| seen.id == here.ids[1])
                    && last.expect_source.id == here.ids[0]
            };
            here.source_root == source.path && way.last().is_some_and(is_here)
        });
        if let Some(here) = known {
            return Ok((Arc::clone(&here.folder), Arc::clone(&here.open)));
        }
        self.here = None;
        let mut walker = Walker::new(context);
        for folder in way {
            let number = self.list(context, folder)?;
            let (pair, id) = folders::enter(context, &mut walker, folder, number)?;
            if folder.create {
                self.made.push((source.clone(), folder.clone(), id));
            }
            // As it is now: what is made in it may not be asked for once more.
            let plan = Arc::new(FolderPlan { create: false, ..folder.clone() });
            let open = Arc::clone(pair.opened());
            let ids = [folder.expect_source.id, id];
            self.here = Some(Here { source_root: source.path.clone(), folder: plan, open, ids });
        }
        let here = self.here.as_ref().map(|here| (Arc::clone(&here.folder), Arc::clone(&here.open)));
        here.ok_or_else(|| Error::new(Op::Open, self.target.path.clone(), ErrorKind::TargetStale))
    }

    /// Lists a folder, durably, unless the journal has it already. Returns its number.
    fn list(&mut self, context: &Context<'_>, folder: &FolderPlan) -> Result<u32, Error> {
        if self.listed.contains_key(&folder.target_path) && !folder.create {
            // It was listed as it was before the run; its number is asked for only where it is made or lifted.
            let record = self.folder_record(folder);
            return self.promise(context, [record], folder);
        }
        let record = Record::Folder(FolderRecord {
            path: folder.target_path.as_bytes().to_vec(),
            create: folder.create,
            before: folder.expect_target.as_ref().map(|f| folder_stamp(f, folder.created[1])),
            wanted: folder.create.then(|| folder_stamp(&folder.expect_source, folder.created[0])),
        });
        let number = self.promise(context, [record], folder)?;
        self.listed.insert(folder.target_path.clone(), Arc::new(folder.clone()));
        Ok(number)
    }

    fn promise(
        &mut self,
        context: &Context<'_>,
        records: impl IntoIterator<Item = Record>,
        folder: &FolderPlan,
    ) -> Result<u32, Error> {
        if !context.promise(records) {
            let path = context.target_path(&folder.target_path);
            return Err(Error::os(Op::KeepJournal, path, std::io::Error::other("it could not be written")));
        }
        self.listed_last = Some(folder.target_path.clone());
        self.next_folder += 1;
        Ok(self.next_folder - 1)
    }

    /// A folder that is listed already, once more, because steps in another one were listed since. It has the dates of its
    /// first time: those are what undo gives it back.
    fn folder_record(&self, folder: &FolderPlan) -> Record {
        let first = self.listed.get(&folder.target_path).map_or(folder, |first| &**first);
        let seen = first.expect_target.as_ref().or(folder.expect_target.as_ref());
        let created = first.created[1].or(folder.created[1]);
        // A folder that the run made is known by its first time; here it is one that is there.
        let before = folder_stamp(seen.unwrap_or(&folder.expect_source), created);
        // The permissions are those of now: they are what it gets back where it has to be lifted.
        let attributes = folder.expect_target.map_or(before.attributes, |now| now.attributes);
        Record::Folder(FolderRecord {
            path: folder.target_path.as_bytes().to_vec(),
            create: false,
            before: Some(FolderStamp { attributes, ..before }),
            wanted: None,
        })
    }

    /// Lists the steps of verified copies, and that they are about to get their names.
    fn intend(&mut self, context: &Context<'_>, verified: &[Verified<'_>], all: &[CopyJob<'_>]) -> bool {
        let mut records = Vec::with_capacity(all.len() + verified.len());
        for job in all {
            let folder = job.folder.plan;
            if self.listed_last.as_ref() != Some(&folder.target_path) {
                records.push(self.folder_record(folder));
                self.listed_last = Some(folder.target_path.clone());
                self.next_folder += 1;
            }
            let step = step_record(&job.step.target_name, job.step.expect_target.as_ref(), StepKind::Put);
            records.push(Record::Steps(vec![step]));
        }
        records.extend(verified.iter().map(Verified::intent));
        context.promise(records)
    }

    /// Carries out a step by itself, to its end.
    fn put_alone(&mut self, context: &Context<'_>, job: &CopyJob<'_>) -> Option<(Detached, Evidence)> {
        let verified = committer::prove_alone(context, job)?;
        self.next_step += 1;
        if self.intend(context, std::slice::from_ref(&verified), std::slice::from_ref(job)) {
            committer::commit_alone(context, verified);
        } else {
            let job = verified.discard(context);
            context.cancel_job(&job);
        }
        None
    }

    /// What became of those that waited, in the order in which they came, since this was asked last.
    pub(crate) fn take_ended(&mut self) -> Vec<ItemReport> {
        std::mem::take(&mut self.ended)
    }

    /// Gives what waits its names; see [`OpenRun::take_ended`]. Not to be cancelled: who put it was told that it is copied.
    pub(crate) fn commit(&mut self, settings: &Settings) -> Result<(), StartError> {
        let group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        if group.is_empty() {
            return Ok(());
        }
        let control = &Control::default();
        let mut copies = Vec::with_capacity(group.len());
        let mut steps = Vec::with_capacity(group.len());
        for Waiting { number, step, folder, open, copy } in group {
            copies.push(copy);
            steps.push((number, step, folder, open));
        }
        let work = |this: &mut Self, context: &Context<'_>| {
            context.guarded(|| {
                let mut pairs: HashMap<*const FolderPlan, Arc<FolderPair<'_>>> = HashMap::new();
                let jobs: Vec<CopyJob<'_>> = steps
                    .iter()
                    .map(|(number, step, folder, open)| {
                        let pair = pairs
                            .entry(Arc::as_ptr(folder))
                            .or_insert_with(|| Arc::new(FolderPair::new(folder, Arc::clone(open))));
                        // What it owed was paid when it was staged.
                        let owed = Arc::new(Owed::default());
                        CopyJob { folder: Arc::clone(pair), step, number: *number, owed }
                    })
                    .collect();
                let staged: Vec<Staged<'_>> =
                    copies.into_iter().zip(&jobs).map(|(copy, job)| copy.attach(job.clone())).collect();
                let verified = committer::prove_together(context, staged);
                if this.intend(context, &verified, &jobs) {
                    committer::commit_together(context, verified);
                } else {
                    for one in verified {
                        let job = one.discard(context);
                        context.cancel_job(&job);
                    }
                }
            });
        };
        let source = self.source.clone();
        let done = self.part(&source, Vec::new(), (settings, control), work);
        let (mut items, stopped) = match done {
            Ok(((), items)) => (items, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        // Each in its place, and none missing, also where the run had to stop before.
        let mut found: HashMap<RelPath, ItemReport> =
            items.drain(..).map(|item| (item.path.clone(), item)).collect();
        for (_, step, folder, _) in &steps {
            let place = folder.target_path.join(&step.target_name);
            let item = found.remove(&place).unwrap_or_else(|| {
                if stopped.is_some() {
                    let outcome = Outcome::Skipped { why: SkipReason::Stopped };
                    return ItemReport {
                        outcome,
                        ..Context::skipped(RootIndex(1), place.clone(), SkipReason::Stopped)
                    };
                }
                let path = crate::progress::full_path(&self.target.path, &place);
                failed_item(place.clone(), step, Error::new(Op::Copy, path, ErrorKind::Defect))
            });
            self.ended.push(item);
        }
        stopped.map_or(Ok(()), Err)
    }

    /// Ends the run. What waits must have been committed.
    pub(crate) fn end(
        mut self,
        settings: &Settings,
        control: &Control,
    ) -> (RunResult, Vec<ItemReport>, Vec<Note>) {
        let stopped = |this: Self, items| (RunResult::Stopped, items, this.notes);
        let mut all_items = Vec::new();
        let source = &self.source.clone();
        // Before folders are given what they are to have at the end.
        let lifted = |_: &mut Self, context: &Context<'_>| context.give_back_lifted();
        match self.part(source, Vec::new(), (settings, control), lifted) {
            Ok((true, _)) => {}
            _ => return stopped(self, all_items),
        }
        let mut made: Vec<(Root, Vec<FolderPlan>, Vec<Entered>)> = Vec::new();
        for (root, plan, id) in std::mem::take(&mut self.made) {
            match made.last_mut().filter(|(last, ..)| last.path == root.path) {
                Some((_, plans, entered)) => {
                    plans.push(plan);
                    entered.push(Entered::Yes(id));
                }
                None => made.push((root, vec![plan], vec![Entered::Yes(id)])),
            }
        }
        // Deepest first, as they were made one in the other.
        for (root, plans, entered) in made.into_iter().rev() {
            let finish = |_: &mut Self, context: &Context<'_>| {
                context.guarded(|| {
                    // Once a folder has its metadata, nothing but the journal tells that the run made it.
                    if context.promise([]) {
                        make_folder::finish(context, &entered);
                    }
                });
            };
            match self.part(&root, plans, (settings, control), finish) {
                Ok(((), items)) => all_items.extend(items),
                Err(_) => return stopped(self, all_items),
            }
        }
        let Some(suspended) = self.suspended.take() else { return stopped(self, all_items) };
        let plan = empty(Vec::new());
        let Some(part) = plan.parts().ok().and_then(|parts| parts.into_iter().next()) else {
            return stopped(self, all_items);
        };
        let context =
            Context::resumed((part, source, &self.target), settings, control, &self.options, suspended);
        let mut contexts = [context];
        let ending = ending::end(&mut contexts, &[Vec::new()]);
        let failed = contexts[0].failures() > 0;
        let [context] = contexts;
        let (_, items, notes) = context.suspend();
        all_items.extend(items);
        self.notes.extend(notes);
        let finished = if failed { RunResult::CompletedWithFailures } else { RunResult::Completed };
        (ending.result().unwrap_or(finished), all_items, self.notes)
    }
}

/// Stages a small file, and reads it back from the cache. `None` when it ended, which is reported.
fn stage_for_group(context: &Context<'_>, job: &CopyJob<'_>) -> Option<(Detached, Evidence)> {
    let mut buffer = Vec::new();
    let staged = match prepare(context, job, false, &mut buffer) {
        Ok(Prepared::InBatch(staged)) => staged,
        Ok(Prepared::Verified(verified)) => {
            let job = verified.discard(context);
            context.cancel_job(&job);
            return None;
        }
        Err(stop) => {
            committer::end(context, job, stop);
            return None;
        }
    };
    match verify::from_cache(context, &staged, &mut buffer) {
        Ok(evidence) => Some((staged.detach(), evidence)),
        Err(stop) => {
            staged.discard(context);
            committer::end(context, job, stop);
            None
        }
    }
}

/// A plan that writes to the second of two roots what the first has.
fn empty(folders: Vec<FolderPlan>) -> Plan {
    let target = Target { root: RootIndex(1), source: RootIndex(0), totals: Totals::default() };
    Plan { targets: vec![target], folders, ..Plan::empty() }
}

/// An item that failed before it had a context to be reported in.
fn failed_item(path: RelPath, step: &Step, error: Error) -> ItemReport {
    ItemReport {
        root: RootIndex(1),
        path,
        action: step.kind(),
        bytes: 0,
        strategy: None,
        outcome: Outcome::Failed { error },
        not_kept: Vec::new(),
        because_of: None,
    }
}
