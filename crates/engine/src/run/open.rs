//! A run that is not known whole when it begins: files are put one after the other, under one journal.
//!
//! A folder is listed in the journal, durably, before the first copy is staged in it. What a copy is to be called follows
//! with the intent to give it that name. Until then it has a name that no original ever gets (`.new`), and recovery, which
//! finds it by the run in its name, deletes it. For everything else the run is one like any other.
//!
//! ```text
//! put ──▶ enter the folder (listed, made) ──▶ stage ──▶ sync ▸ verify ▸ list and intend ▸ rename ▸ sync    by itself
//!                                               └─────▶ read back from the cache, and wait                 in a group
//! commit ─▶ one sync ▸ verify ▸ list and intend ▸ rename ▸ one sync                       while the next group is staged
//! ```
//!
//! What is staged for a group in a folder that is listed needs no journal, so it goes on while another thread has that.
//!
//! Invariant: a name changes only after the file that gets it is durable, verified as the user asked, and listed. What waits
//! for its group has no name yet, and the answer says so. This module must not know who asks for the files.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::TryRecvError;
use fcs_sys::{FileId, RelPath, Root, Time};

use super::aside::Aside;
use super::committer;
use super::context::{Context, CopyJob, FolderPair, OpenPair, Suspended, Whole};
use super::folders::{self, Walker};
use super::ledger::{GroupDone, Ledger, Waiting, empty, failed_item, had_to_stop};
use super::meter::Owed;
use super::staged::Detached;
use super::worker::{Prepared, prepare};
use super::{RunOptions, begin, verify};
use crate::history::{Opening, RunId, RunLog};
use crate::plan::{BadRoots, FolderPlan, RootIndex, Step};
use crate::report::{Evidence, ItemReport, RunResult, SkipReason};
use crate::{Control, Error, ErrorKind, Note, Op, Settings, StartError};

/// Files in a group, at most, and no more than a batch has: as many as make the price of its syncs small for each of them. Twice
/// as many are open at once.
const GROUP: u64 = 256;
/// Content bytes in a group, at most.
const GROUP_BYTES: u64 = 64 << 20;

/// A run that is under way, and waits for the next file.
pub(crate) struct OpenRun {
    target: Root,
    options: RunOptions,
    ledger: LedgerAt,
    aside: Option<Aside>,
    whole: Arc<Whole>,
    id: RunId,
    next_step: u64,
    here: Option<Here>,
    group: Vec<Waiting>,
    group_bytes: u64,
    /// Steps that failed while they were staged without the journal.
    failed_apart: u64,
    /// Folders that the run made, with the roots that they were made like.
    made: Vec<(Root, FolderPlan, FileId)>,
    notes: Vec<Note>,
    /// What became of those that waited, and was not asked for yet.
    ended: Vec<ItemReport>,
    /// Why a group that was committed aside could not be, not told yet.
    stopped: Option<StartError>,
}

/// Where the ledger is.
enum LedgerAt {
    Here(Box<Ledger>),
    /// With a group: the places of its files, and their steps.
    Aside(Vec<(RelPath, Step)>),
    /// Its thread ended without an answer.
    Lost,
}

/// The folder that was worked in last.
struct Here {
    source_root: PathBuf,
    folder: Arc<FolderPlan>,
    open: Arc<OpenPair>,
    /// What the two folders are, whatever their paths lead to meanwhile.
    ids: [FileId; 2],
}

type Known = (Arc<FolderPlan>, Arc<OpenPair>);

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
        let id = log.run().clone();
        let suspended = Suspended::new(log);
        let whole = suspended.whole();
        let ledger = Ledger::new(source.clone(), target.clone(), options.clone(), suspended);
        Ok(Self {
            target,
            options,
            ledger: LedgerAt::Here(Box::new(ledger)),
            aside: None,
            whole,
            id,
            next_step: 1,
            here: None,
            group: Vec::new(),
            group_bytes: 0,
            failed_apart: 0,
            made: Vec::new(),
            notes: Vec::new(),
            ended: Vec::new(),
            stopped: None,
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

    /// Whether nothing may change any more, so that the run waits for recovery. Of a group that is under way it is not known.
    pub(crate) fn is_stopped(&self) -> bool {
        match &self.ledger {
            LedgerAt::Here(ledger) => ledger.is_stopped(),
            LedgerAt::Aside(_) => self.whole.is_broken(),
            LedgerAt::Lost => true,
        }
    }

    /// Whether so many copies wait that their group is to be committed.
    pub(crate) fn is_group_full(&self, settings: &Settings) -> bool {
        self.group.len() as u64 >= GROUP.min(settings.batch_max_files) || self.group_bytes >= GROUP_BYTES
    }

    /// Whether any copy waits for its group.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.group.is_empty() || matches!(self.ledger, LedgerAt::Aside(_))
    }

    /// The ledger, after the group that it is with.
    fn ledger(&mut self) -> Result<&mut Ledger, StartError> {
        if matches!(self.ledger, LedgerAt::Aside(_)) {
            let done = self.aside.as_ref().and_then(Aside::wait);
            self.take_back(done);
        }
        match &mut self.ledger {
            LedgerAt::Here(ledger) => {
                ledger.add_failures(std::mem::take(&mut self.failed_apart));
                Ok(ledger)
            }
            LedgerAt::Aside(_) | LedgerAt::Lost => Err(had_to_stop(&self.target)),
        }
    }

    /// The group that the ledger is with has come to its end, or its thread has.
    fn take_back(&mut self, done: Option<(Box<Ledger>, GroupDone)>) {
        let ledger = match done {
            Some((ledger, done)) => {
                self.told(done);
                LedgerAt::Here(ledger)
            }
            None => LedgerAt::Lost,
        };
        let with = std::mem::replace(&mut self.ledger, ledger);
        if let (LedgerAt::Lost, LedgerAt::Aside(group)) = (&self.ledger, with) {
            self.aside = None;
            let lost: Vec<_> = group.into_iter().map(|(place, step)| self.defect(place, &step)).collect();
            self.ended.extend(lost);
        }
    }

    fn told(&mut self, GroupDone { items, notes, stopped }: GroupDone) {
        self.ended.extend(items);
        self.notes.extend(notes);
        self.stopped = self.stopped.take().or(stopped);
    }

    fn defect(&self, place: RelPath, step: &Step) -> ItemReport {
        let path = crate::progress::full_path(&self.target.path, &place);
        failed_item(place, step, Error::new(Op::Copy, path, ErrorKind::Defect))
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
            return Err(BadRoots::OutOfOrder.into());
        };
        if self.is_stopped() {
            return Err(had_to_stop(&self.target));
        }
        let progress = &control.progress;
        crate::progress::add(&progress.steps_total, 1);
        let owed = Arc::new(Owed::of(&step));
        crate::progress::add(&progress.copy_bytes_total, step.expect_source.size);
        if matches!(step.action, crate::plan::Action::CopyFile { verify: true, .. }) {
            crate::progress::add(&progress.verify_bytes_total, step.expect_source.size);
        }
        let known = match self.known(source, &way) {
            Some(known) => Ok(known),
            None => self.enter(source, &way, (settings, control))?,
        };
        let known = match known {
            Ok(known) => known,
            Err(error) => return Ok(Answer::Ended(Box::new(failed_item(place, &step, error)))),
        };
        let items = if may_wait {
            let (waits, items) = self.stage_apart(source, known, &step, owed, (settings, control))?;
            if let Some(evidence) = waits {
                return Ok(Answer::Waits(evidence));
            }
            items
        } else {
            self.put_alone(source, &known, &step, owed, (settings, control))?
        };
        let item = items.into_iter().find(|item| item.path == place);
        Ok(Answer::Ended(Box::new(item.unwrap_or_else(|| self.defect(place, &step)))))
    }

    /// The folder that the last of `way` is, where that is the one that was worked in last.
    fn known(&self, source: &Root, way: &[FolderPlan]) -> Option<Known> {
        let here = self.here.as_ref().filter(|here| here.source_root == source.path)?;
        let last = way.last()?;
        let is_here = (&last.target_path, &last.source_path)
            == (&here.folder.target_path, &here.folder.source_path)
            && last.expect_target.is_some_and(|seen| seen.id == here.ids[1])
            && last.expect_source.id == here.ids[0];
        is_here.then(|| (Arc::clone(&here.folder), Arc::clone(&here.open)))
    }

    /// Opens the folder that the last of `way` is, and makes those before it that have to be.
    fn enter(
        &mut self,
        source: &Root,
        way: &[FolderPlan],
        (settings, control): (&Settings, &Control),
    ) -> Result<Result<Known, Error>, StartError> {
        self.here = None;
        let mut entered = None;
        let mut made = Vec::new();
        let work = |ledger: &mut Ledger, context: &Context<'_>| {
            context.guarded(|| {
                let mut walker = Walker::new(context);
                let each = way.iter().map(|folder| -> Result<Here, Error> {
                    let number = ledger.list(context, folder)?;
                    let (pair, id) = folders::enter(context, &mut walker, folder, number)?;
                    if folder.create {
                        made.push((source.clone(), folder.clone(), id));
                    }
                    // As it is now: what is made in it may not be asked for once more.
                    let plan = Arc::new(FolderPlan { create: false, ..folder.clone() });
                    let open = Arc::clone(pair.opened());
                    let ids = [folder.expect_source.id, id];
                    Ok(Here { source_root: source.path.clone(), folder: plan, open, ids })
                });
                let last = each.collect::<Result<Vec<_>, _>>().map(|mut all| all.pop());
                let stale = || Error::new(Op::Open, context.target.path.clone(), ErrorKind::TargetStale);
                entered = Some(last.and_then(|last| last.ok_or_else(stale)));
            });
        };
        let ((), _, notes) = self.ledger()?.part(source, Vec::new(), (settings, control), work)?;
        self.notes.extend(notes);
        self.made.extend(made);
        let path = self.target.path.clone();
        let here = match entered.unwrap_or_else(|| Err(Error::new(Op::Open, path, ErrorKind::Defect))) {
            Ok(here) => here,
            Err(error) => return Ok(Err(error)),
        };
        let known = (Arc::clone(&here.folder), Arc::clone(&here.open));
        self.here = Some(here);
        Ok(Ok(known))
    }

    /// Stages a small file for its group, and reads it back from the cache. The journal may be elsewhere meanwhile.
    fn stage_apart(
        &mut self,
        source: &Root,
        (folder, open): Known,
        step: &Step,
        owed: Arc<Owed>,
        (settings, control): (&Settings, &Control),
    ) -> Result<(Option<Evidence>, Vec<ItemReport>), StartError> {
        let plan = empty(Vec::new());
        let part = plan.parts()?.into_iter().next().ok_or_else(|| had_to_stop(&self.target))?;
        let roots = (part, source, &self.target);
        let context = Context::apart(roots, settings, control, &self.id, &self.options, &self.whole);
        let number = self.next_step;
        let mut staged = None;
        context.guarded(|| {
            let pair = Arc::new(FolderPair::new(&folder, Arc::clone(&open)));
            staged = stage_for_group(&context, &CopyJob { folder: pair, step, number, owed });
        });
        self.failed_apart += context.failures();
        let (items, notes) = context.into_parts();
        self.notes.extend(notes);
        let Some((copy, evidence)) = staged else { return Ok((None, items)) };
        self.next_step += 1;
        self.group_bytes += copy.size();
        self.group.push(Waiting { number, step: step.clone(), folder, open, copy });
        Ok((Some(evidence), items))
    }

    /// Carries out a step by itself, to its end.
    fn put_alone(
        &mut self,
        source: &Root,
        (folder, open): &Known,
        step: &Step,
        owed: Arc<Owed>,
        (settings, control): (&Settings, &Control),
    ) -> Result<Vec<ItemReport>, StartError> {
        let number = self.next_step;
        let mut begun = false;
        let work = |ledger: &mut Ledger, context: &Context<'_>| {
            context.guarded(|| {
                let pair = Arc::new(FolderPair::new(folder, Arc::clone(open)));
                let job = &CopyJob { folder: pair, step, number, owed };
                let Some(verified) = committer::prove_alone(context, job) else { return };
                begun = true;
                if ledger.intend(context, std::slice::from_ref(&verified), std::slice::from_ref(job)) {
                    committer::commit_alone(context, verified);
                } else {
                    let job = verified.discard(context);
                    context.cancel_job(&job);
                }
            });
        };
        let done = self.ledger()?.part(source, Vec::new(), (settings, control), work);
        self.next_step += u64::from(begun);
        let ((), items, notes) = done?;
        self.notes.extend(notes);
        Ok(items)
    }

    /// What became of those that waited, in the order in which they came, since this was asked last.
    pub(crate) fn take_ended(&mut self) -> Vec<ItemReport> {
        if matches!(self.ledger, LedgerAt::Aside(_)) {
            match self.aside.as_ref().map_or(Err(TryRecvError::Disconnected), Aside::look) {
                Ok(done) => self.take_back(Some(done)),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.take_back(None),
            }
        }
        std::mem::take(&mut self.ended)
    }

    /// Gives what waits its names; see [`OpenRun::take_ended`]. Not to be cancelled: who put it was told that it is copied.
    pub(crate) fn commit(&mut self, settings: &Settings) -> Result<(), StartError> {
        let group = self.take_group();
        match self.ledger() {
            Ok(ledger) if !group.is_empty() => {
                let done = ledger.commit(group, settings);
                self.told(done);
            }
            Ok(_) => {}
            Err(_) => self.ended.extend(group.iter().map(given_up)),
        }
        self.stopped.take().map_or(Ok(()), Err)
    }

    /// As [`OpenRun::commit`], while the caller goes on. It waits for the group before, so an error may be of that one.
    pub(crate) fn commit_aside(&mut self, settings: &Settings) -> Result<(), StartError> {
        if self.ledger().is_err() {
            return self.commit(settings);
        }
        if self.aside.is_none() {
            self.aside = Aside::start();
        }
        let group = self.take_group();
        let with =
            group.iter().map(|one| (one.folder.target_path.join(&one.step.target_name), one.step.clone()));
        let with = LedgerAt::Aside(with.collect());
        match (std::mem::replace(&mut self.ledger, with), &self.aside) {
            (LedgerAt::Here(ledger), Some(aside)) => {
                if let Err(refused) = aside.begin((ledger, group, settings.clone())) {
                    let (ledger, group, _) = *refused;
                    self.aside = None;
                    self.ledger = LedgerAt::Here(ledger);
                    self.group = group;
                    return self.commit(settings);
                }
            }
            (ledger, _) => {
                self.ledger = ledger;
                self.group = group;
                return self.commit(settings);
            }
        }
        self.stopped.take().map_or(Ok(()), Err)
    }

    fn take_group(&mut self) -> Vec<Waiting> {
        self.group_bytes = 0;
        std::mem::take(&mut self.group)
    }

    /// Ends the run. What waits must have been committed.
    pub(crate) fn end(
        mut self,
        settings: &Settings,
        control: &Control,
    ) -> (RunResult, Vec<ItemReport>, Vec<Note>) {
        let made = std::mem::take(&mut self.made);
        let mut notes = std::mem::take(&mut self.notes);
        let Ok(_) = self.ledger() else { return (RunResult::Stopped, self.ended, notes) };
        let LedgerAt::Here(ledger) = self.ledger else { return (RunResult::Stopped, self.ended, notes) };
        let (result, items, more) = ledger.end(made, (settings, control));
        notes.extend(more);
        (result, items, notes)
    }
}

/// A copy that waited for a group that nobody can commit any more; recovery deletes it.
fn given_up(one: &Waiting) -> ItemReport {
    let place = one.folder.target_path.join(&one.step.target_name);
    Context::skipped(RootIndex(1), place, SkipReason::Stopped)
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
