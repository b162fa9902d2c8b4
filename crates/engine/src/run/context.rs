//! What every part of a run shares: the plan, the roots, the settings, and where results go.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fcs_sys::{
    Attributes, DirRef, FileId, Fingerprint, Metadata, Name, OsReason, RelPath, Root, VolumeFacts,
};

use super::meter::Owed;
use super::{OnError, RunOptions};
use crate::identity::Numbers;
use crate::lift::Lifted;
use crate::plan::{Action, FolderPlan, Plan, Step};
use crate::probe::{self, VolumeProbe};
use crate::progress::{add, full_path};
use crate::report::{ActionKind, Evidence, ItemReport, Outcome, SkipReason};
use crate::runs::{Record, RunLog, Seen, staged_name};
use crate::{Control, Error, ErrorKind, Op, Settings, TargetState};

/// One run.
pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan,
    pub(super) source: &'a Root,
    pub(super) target: &'a Root,
    pub(super) settings: &'a Settings,
    pub(super) control: &'a Control,
    pub(super) run_id: String,
    /// Most files in a group.
    pub(super) batch_files: usize,
    /// Most handles a group may hold: one per file, two per folder.
    pub(super) batch_handles: usize,
    /// Most jobs, or staged files, waiting in a queue; each holds up to three handles.
    pub(super) queue_length: usize,
    /// The journal and undo store; `None` when nothing is written.
    log: Option<RunLog>,
    /// A step failed in a run that is to be taken back then.
    aborted: AtomicBool,
    /// A part of the run ended in a panic.
    broken: AtomicBool,
    /// Steps that failed.
    failed: AtomicU64,
    /// Steps that were to bring something over and failed: where to, and what their sources look like.
    /// Removals that were begun because a folder was to take their names.
    made_way: Mutex<HashSet<u64>>,
    failed_steps: Mutex<Vec<(RelPath, Fingerprint)>>,
    /// Steps committed for good.
    committed: AtomicU64,
    /// Folders made.
    made: AtomicU64,
    /// A folder that was there has other times than before.
    dated: AtomicBool,
    on_error: OnError,
    items: Mutex<Vec<ItemReport>>,
    /// Said once in the report.
    notes: Mutex<Vec<String>>,
    pub(super) tally: Tally,
    volumes: Mutex<HashMap<u64, Arc<Volume>>>,
    /// What the root's volume was seen to do, where that is known already.
    probe: Option<VolumeProbe>,
    /// Folders of the target whose permissions were lifted.
    lifted: Mutex<Lifted>,
    /// Originals with several names of which this run displaced one: that moved the change time of the others.
    moved: Mutex<HashSet<FileId>>,
}

/// Things counted over the run and said once at its end.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) owner_not_kept: AtomicU64,
    pub(super) hard_linked: AtomicU64,
    /// Links whose dates and owner were not set, because the volume would set them on what they point to.
    pub(super) links_left: AtomicU64,
    /// The coarsest step, in nanoseconds, to which the target cut a date; 0 where it cut none.
    pub(super) coarsest_step: AtomicU64,
    /// Dates that the target cannot hold.
    pub(super) dates_out_of_range: AtomicU64,
}

/// A volume on which the target tree lies; a tree can span several.
pub(super) struct Volume {
    pub(super) facts: VolumeFacts,
    /// Opened before the first write, because the kernel reports only write errors that come after that.
    pub(super) dir: DirRef,
    /// What it was seen to do when the run came to it.
    pub(super) probe: VolumeProbe,
    /// What its numbers prove.
    pub(super) numbers: Numbers,
    /// A sync of the whole volume failed.
    sync_failed: AtomicBool,
}

impl Volume {
    /// Whether the volume is synced as a whole; else every file and folder by itself. After one failure for the rest
    /// of the run: the kernel reports it once, so a later success says nothing about files that were written before.
    pub(super) fn syncs_whole(&self) -> bool {
        self.facts.sync_volume && !self.sync_failed.load(Ordering::SeqCst)
    }

    /// Syncs the whole volume.
    pub(super) fn sync_whole(&self) -> std::io::Result<()> {
        let synced = self.dir.sync_volume();
        #[cfg(fcs_planted)]
        if crate::planted::is(crate::planted::Fault::SwallowSyncError) {
            return synced;
        }
        if synced.is_err() {
            self.sync_failed.store(true, Ordering::SeqCst);
        }
        synced
    }

    /// Why a re-read on this volume may be answered by a cache; `None` when it reaches the device.
    pub(super) fn reread_is_cached(&self) -> Option<&'static str> {
        crate::doctor::cached_because(&self.facts)
    }
}

/// A folder being worked in, held open on both sides.
pub(super) struct Folder<'a> {
    pub(super) plan: &'a FolderPlan,
    pub(super) source: DirRef,
    pub(super) target: DirRef,
    pub(super) volume: Arc<Volume>,
    /// The group that everything made in it keeps.
    pub(super) group: Option<u32>,
    /// What numbers prove on the source; asked only where one is another than before.
    source_numbers: OnceLock<Numbers>,
}

impl<'a> Folder<'a> {
    pub(super) fn new(
        plan: &'a FolderPlan,
        (source, target): (DirRef, DirRef),
        volume: Arc<Volume>,
        group: Option<u32>,
    ) -> Self {
        Self { plan, source, target, volume, group, source_numbers: OnceLock::new() }
    }

    /// Whether the source item `now` is what was seen, unchanged.
    pub(super) fn source_unchanged(&self, now: &Metadata, seen: &Fingerprint) -> bool {
        now.fingerprint() == *seen
            || self
                .source_numbers
                .get_or_init(|| Numbers::of(&self.source))
                .unchanged(&now.fingerprint(), seen)
    }
}

/// One step to be done by a worker.
#[derive(Clone)]
pub(super) struct Job<'a> {
    pub(super) folder: Arc<Folder<'a>>,
    pub(super) step: &'a Step,
    /// Number of the step in the run; part of its staged name.
    pub(super) number: u64,
    /// Bytes that it still adds to the counters.
    pub(super) owed: Arc<Owed>,
}

/// The parts of a finished run that make its report.
pub(super) struct Items {
    pub(super) list: Vec<ItemReport>,
    pub(super) run_id: String,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) settings: Settings,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        (source, target): (&'a Root, &'a Root),
        settings: &'a Settings,
        control: &'a Control,
        run_id: String,
        options: &RunOptions,
        log: Option<RunLog>,
    ) -> Self {
        // Shares of the limit, so that even one file per folder stays within it: the group being filled 1/4, the one
        // waiting for its sync 1/6 (its files are closed, its folders are not), staged files on their way 3/32, jobs
        // 1/8; the rest is for folders on the way and everything else in the process.
        let open_files = fcs_sys::raise_open_file_limit().unwrap_or(1024).min(1 << 20) as usize;
        let batch_files = usize::try_from(settings.batch_max_files).unwrap_or(usize::MAX);
        Self {
            plan,
            source,
            target,
            settings,
            control,
            run_id,
            batch_files,
            batch_handles: (open_files / 4).max(3),
            queue_length: (open_files / 32).clamp(1, 256),
            log,
            aborted: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            failed: AtomicU64::new(0),
            made_way: Mutex::default(),
            failed_steps: Mutex::default(),
            committed: AtomicU64::new(0),
            made: AtomicU64::new(0),
            dated: AtomicBool::new(false),
            on_error: options.on_error,
            items: Mutex::default(),
            notes: Mutex::default(),
            tally: Tally::default(),
            volumes: Mutex::default(),
            probe: options.probe.clone(),
            lifted: Mutex::default(),
            moved: Mutex::default(),
        }
    }

    /// Whether the work is to end: cancelled, about to be taken back, or unable to keep its journal.
    pub(super) fn is_stopping(&self) -> bool {
        self.control.cancel.is_cancelled() || self.aborted.load(Ordering::Relaxed) || self.is_stopped()
    }

    /// As [`Context::is_stopping`], after waiting while paused.
    pub(super) fn should_stop(&self) -> bool {
        self.control.cancel.should_stop() || self.is_stopping()
    }

    /// Whether the journal could not be written, or a part of the run ended in a panic, so that nothing may change any
    /// more: what happened is for recovery to find out.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_broken() || self.log.as_ref().is_some_and(RunLog::is_stopped)
    }

    /// Whether a part of the run ended in a panic.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// Carries out a part of the run. A panic in it ends the run: what that part was to do is missing, and nothing may
    /// be concluded from what is there.
    pub(super) fn guarded(&self, part: impl FnOnce()) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(part)).is_err() {
            tracing::error!("a part of the run ended in a panic; nothing is changed any more");
            #[cfg(fcs_planted)]
            if crate::planted::is(crate::planted::Fault::RemovalAfterPanic) {
                return;
            }
            self.broken.store(true, Ordering::SeqCst);
            self.set_untidy();
        }
    }

    /// Reports the steps that a part of the run took with it when it ended in a panic, so that each has an item.
    pub(super) fn report_lost(&self) {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let told: HashSet<RelPath> = items.iter().map(|item| item.path.clone()).collect();
        drop(items);
        let steps = self.plan.folders.iter().flat_map(|folder| folder.steps.iter().map(move |s| (folder, s)));
        for (folder, step) in steps {
            let below = folder.target_path.join(&step.target_name);
            if !told.contains(&below) {
                let error = Error::new(Op::Copy, self.target_path(&below), ErrorKind::Defect);
                self.emit_failure(folder, step, error.with_target(TargetState::Unknown));
            }
        }
    }

    /// Whether the run is to be taken back because a step failed.
    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }

    /// Steps that failed so far.
    pub(super) fn failures(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Steps committed so far.
    pub(super) fn commits(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// What the run has made of its own so far: steps committed and folders made.
    pub(super) fn changes(&self) -> u64 {
        self.commits() + self.made.load(Ordering::Relaxed)
    }

    /// Whether the run has made any folder so far.
    pub(super) fn has_made_folders(&self) -> bool {
        self.made.load(Ordering::Relaxed) > 0
    }

    /// Whether the target is another than before in any way, times of folders included, so that there is something to
    /// undo.
    pub(super) fn has_changed(&self) -> bool {
        self.changes() > 0 || self.dated.load(Ordering::Relaxed)
    }

    /// A folder that was there has other times than before.
    pub(super) fn set_dated(&self) {
        self.dated.store(true, Ordering::Relaxed);
    }

    /// Writes down that a folder is about to be made: whoever finds it after an interruption knows by that whose it is,
    /// also where all folders look alike. Without that it may not be made.
    pub(super) fn will_make(&self, folder: u32) -> std::io::Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.note_now(&Record::Making { folder }))
    }

    /// A folder was made.
    pub(super) fn made(&self, folder: u32, id: FileId) {
        add(&self.made, 1);
        self.note(&Record::Made { folder, id });
    }

    /// Writes intents to the journal and makes them durable; without that nothing may be renamed. Trouble is told.
    pub(super) fn promise(&self, records: impl IntoIterator<Item = Record>) -> bool {
        let Some(log) = &self.log else { return false };
        match log.promise(records) {
            Ok(()) => true,
            Err(e) => {
                self.complain(&log.error(e));
                false
            }
        }
    }

    /// Adds to the journal what the disk would tell as well.
    pub(super) fn note(&self, record: &Record) {
        if let Some(log) = &self.log {
            log.note(record);
        }
    }

    /// A step's change is durable.
    pub(super) fn committed(&self, step: u64, new: Option<Seen>) {
        add(&self.committed, 1);
        self.note(&Record::Committed { step, new });
    }

    /// So many removals are durable with one that was [`Context::committed`].
    pub(super) fn committed_along(&self, steps: u64) {
        add(&self.committed, steps);
    }

    /// Moves a displaced original into the undo store.
    pub(super) fn keep(&self, dir: &DirRef, name: &Name, step: u64) -> std::io::Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| log.keep(dir, name, step))
    }

    /// Remembers that something of the run may lie around, to be looked for at the end.
    pub(super) fn set_untidy(&self) {
        if let Some(log) = &self.log {
            log.set_untidy();
        }
    }

    /// The journal and undo store.
    pub(super) fn log(&self) -> Option<&RunLog> {
        self.log.as_ref()
    }

    /// The volume a target folder lies on, asked and tried once per volume.
    pub(super) fn volume_of(&self, dir: &DirRef) -> std::io::Result<Arc<Volume>> {
        self.volume_numbered(dir.metadata()?.id.volume, dir)
    }

    /// As [`Context::volume_of`], where the volume's number is known.
    pub(super) fn volume_numbered(&self, id: u64, dir: &DirRef) -> std::io::Result<Arc<Volume>> {
        let mut volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = volumes.get(&id) {
            return Ok(Arc::clone(volume));
        }
        let facts = dir.volume()?;
        // The caller may have tried the root's volume already, for the preview.
        let probe = match &self.probe {
            Some(known) if self.target.dir.metadata()?.id.volume == id => known.clone(),
            _ => probe::probe(dir, &facts),
        };
        let numbers = Numbers::on(&facts);
        let volume = Arc::new(Volume {
            facts,
            dir: Arc::clone(dir),
            probe,
            numbers,
            sync_failed: AtomicBool::new(false),
        });
        volumes.insert(id, Arc::clone(&volume));
        Ok(volume)
    }

    /// Syncs every volume the run wrote to that can be synced as a whole. Returns a maker of the first error.
    pub(super) fn sync_all_volumes(&self) -> Option<impl Fn() -> std::io::Error + use<>> {
        let volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = volumes.values().filter(|v| v.syncs_whole()).find_map(|v| v.sync_whole().err())?;
        Some(move || match failed.raw_os_error() {
            Some(code) => std::io::Error::from_raw_os_error(code),
            None => failed.kind().into(),
        })
    }

    /// Lets this user work in a folder of the target, which has `now` and in the journal this number and these
    /// permissions.
    pub(super) fn lift(
        &self,
        path: &RelPath,
        dir: &DirRef,
        now: &Metadata,
        (number, listed): (usize, Option<Attributes>),
    ) -> std::io::Result<()> {
        let mut lifted = self.lifted.lock().unwrap_or_else(PoisonError::into_inner);
        lifted.lift(path, dir, now, |was| match &self.log {
            Some(log) if listed != Some(was) => {
                log.promise([Record::LiftedFolder { folder: number as u32, was }])
            }
            _ => Ok(()),
        })
    }

    /// What a folder of the target had before it was lifted, which now goes elsewhere.
    pub(super) fn take_lifted(&self, path: &RelPath) -> Option<Attributes> {
        self.lifted.lock().unwrap_or_else(PoisonError::into_inner).take(path)
    }

    /// Gives folders of the target back the permissions that they had. Whether all of them have them; trouble is told.
    pub(super) fn give_back_lifted(&self) -> bool {
        let left = self.lifted.lock().unwrap_or_else(PoisonError::into_inner).give_back(&self.target.dir);
        let all = left.is_empty();
        for (path, e) in left {
            self.complain(&Error::os(Op::SetMetadata, self.target_path(&path), e));
        }
        all
    }

    /// Remembers a target that is about to be displaced and has further names.
    pub(super) fn will_move(&self, target: &Metadata) {
        if target.links > 1 {
            self.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(target.id);
        }
    }

    /// Whether the target item `now` is what was seen, unchanged but for what this run itself did.
    pub(super) fn target_unchanged(&self, numbers: Numbers, now: &Metadata, seen: &Fingerprint) -> bool {
        numbers.unchanged(&now.fingerprint(), seen) || self.is_moved_by_us(now, seen)
    }

    /// Whether a target differs from what was expected only in its change time, which this run itself moved when it
    /// displaced another name of the same file.
    fn is_moved_by_us(&self, now: &Metadata, expected: &Fingerprint) -> bool {
        let same = Fingerprint { changed: expected.changed, ..now.fingerprint() } == *expected;
        same && self.moved.lock().unwrap_or_else(PoisonError::into_inner).contains(&now.id)
    }

    /// Absolute path on the source.
    pub(super) fn source_path(&self, below: &RelPath) -> PathBuf {
        full_path(&self.source.path, below)
    }

    /// Absolute path on the target.
    pub(super) fn target_path(&self, below: &RelPath) -> PathBuf {
        full_path(&self.target.path, below)
    }

    /// The name under which a step is staged.
    pub(super) fn staged_name(&self, number: u64) -> std::io::Result<Name> {
        staged_name(&self.run_id, number)
    }

    /// An item for a step; the caller fills in the outcome.
    pub(super) fn item(folder: &FolderPlan, step: &Step) -> ItemReport {
        let (strategy, bytes) = match step.action {
            Action::CopyFile { strategy, .. } => (Some(strategy), step.expect_source.size),
            Action::CopyLink | Action::SetTimes => (None, 0),
        };
        ItemReport {
            path: folder.target_path.join(&step.target_name),
            action: step.kind(),
            bytes,
            strategy,
            outcome: Outcome::Done { evidence: Evidence::NoContent },
            not_kept: Vec::new(),
            because_of: None,
        }
    }

    /// An item that was left alone.
    pub(super) fn skipped(path: RelPath, why: SkipReason) -> ItemReport {
        ItemReport {
            path,
            action: ActionKind::None,
            bytes: 0,
            strategy: None,
            outcome: Outcome::Skipped { why },
            not_kept: Vec::new(),
            because_of: None,
        }
    }

    /// Ends a step that was begun with a failure.
    pub(super) fn fail_job(&self, job: &Job<'_>, error: Error) {
        job.owed.settle(&self.control.progress);
        self.emit_failure(job.folder.plan, job.step, error);
    }

    /// Ends a step that was not begun with a failure.
    pub(super) fn fail(&self, folder: &FolderPlan, step: &Step, error: Error) {
        Owed::of(step).settle(&self.control.progress);
        self.emit_failure(folder, step, error);
    }

    /// The error's target state follows from the plan unless it was set already.
    fn emit_failure(&self, folder: &FolderPlan, step: &Step, mut error: Error) {
        let untouched =
            if step.expect_target.is_some() { TargetState::Original } else { TargetState::Absent };
        error.target.get_or_insert(untouched);
        self.note_failed(folder, step);
        self.emit(ItemReport { outcome: Outcome::Failed { error }, ..Self::item(folder, step) });
    }

    /// A removal is begun because a folder is to take its name.
    pub(super) fn set_made_way(&self, number: u64) {
        self.made_way.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
    }

    /// Whether that was begun, and so is reported already.
    pub(super) fn has_made_way(&self, number: u64) -> bool {
        self.made_way.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    fn note_failed(&self, folder: &FolderPlan, step: &Step) {
        let mut failed = self.failed_steps.lock().unwrap_or_else(PoisonError::into_inner);
        failed.push((folder.target_path.join(&step.target_name), step.expect_source));
    }

    /// The steps that were to bring something over and failed.
    pub(super) fn failed_steps(&self) -> Vec<(RelPath, Fingerprint)> {
        self.failed_steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends a step that cannot be done on this volume and never will be, which is no failure.
    pub(super) fn leave_alone(&self, folder: &FolderPlan, step: &Step, why: SkipReason) {
        self.emit(ItemReport { outcome: Outcome::Skipped { why }, ..Self::item(folder, step) });
    }

    /// Ends all steps of a folder that could not be opened.
    pub(super) fn fail_all(&self, folder: &FolderPlan) {
        for step in &folder.steps {
            let path = self.target_path(&folder.target_path.join(&step.target_name));
            self.fail(folder, step, Error::new(Op::Copy, path, ErrorKind::ParentFailed));
        }
    }

    /// Why what is not done any more is left alone.
    pub(super) fn why_stopping(&self) -> SkipReason {
        if self.is_stopped() { SkipReason::Stopped } else { SkipReason::Cancelled }
    }

    /// Ends a step that was begun because the run was cancelled.
    pub(super) fn cancel_job(&self, job: &Job<'_>) {
        job.owed.settle(&self.control.progress);
        self.emit_cancelled(job.folder.plan, job.step);
    }

    /// Ends a step that was not begun because the run was cancelled.
    pub(super) fn cancel(&self, folder: &FolderPlan, step: &Step) {
        Owed::of(step).settle(&self.control.progress);
        self.emit_cancelled(folder, step);
    }

    fn emit_cancelled(&self, folder: &FolderPlan, step: &Step) {
        let outcome = Outcome::Skipped { why: self.why_stopping() };
        self.emit(ItemReport { outcome, ..Self::item(folder, step) });
    }

    /// Records how a step ended.
    pub(super) fn emit(&self, mut item: ItemReport) {
        if let Outcome::Failed { error } = &mut item.outcome
            && error.kind == ErrorKind::Os(OsReason::DeviceError)
        {
            let root = if error.path.starts_with(&self.target.path) { self.target } else { self.source };
            *error = error.clone().on_volume(is_served(root));
        }
        if let Outcome::Failed { error } = &mut item.outcome {
            let root = if error.path.starts_with(&self.target.path) { self.target } else { self.source };
            *error = error.clone().ask_holders(&*root.dir);
        }
        let progress = &self.control.progress;
        if item.action != ActionKind::None {
            add(&progress.steps_done, 1);
        }
        if let Outcome::Failed { error } = &item.outcome {
            add(&progress.steps_failed, 1);
            add(&self.failed, 1);
            if self.on_error == OnError::RollBack {
                self.aborted.store(true, Ordering::Relaxed);
            }
            tracing::error!("{error}");
        }
        self.control.observer.item(&item);
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    /// Something the report says once.
    pub(super) fn add_note(&self, text: String) {
        self.control.observer.note(&text);
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// A failure that concerns no step, such as a staged file that could not be removed.
    pub(super) fn complain(&self, error: &Error) {
        let error = &error.clone().on_volume(is_served(self.target)).ask_holders(&*self.target.dir);
        tracing::warn!("{error}");
        self.control.observer.error(error);
    }

    /// Changes the items that were reported, after the run was taken back.
    pub(super) fn revise(&self, change: impl FnMut(&mut ItemReport)) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().for_each(change);
    }

    /// Takes the log out, to end it.
    pub(super) fn take_log(&mut self) -> Option<RunLog> {
        self.log.take()
    }

    pub(super) fn into_parts(self) -> (Items, Vec<String>) {
        let mut notes = self.plan.notes.clone();
        notes.extend(self.notes.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut count = |counter: &AtomicU64, one: &str, many: &str| match counter.load(Ordering::Relaxed) {
            0 => {}
            1 => notes.push(format!("1 {one}")),
            n => notes.push(format!("{n} {many}")),
        };
        count(
            &self.tally.owner_not_kept,
            "item has another owner or group than its source: only an administrator may give files away.",
            "items have another owner or group than their source: only an administrator may give files away.",
        );
        count(
            &self.tally.hard_linked,
            "file has further names (hard links) on the source; it was copied as a file of its own.",
            "files have further names (hard links) on the source; each name was copied as a file of its own.",
        );
        count(
            &self.tally.links_left,
            "link has a date and owner of its own: this volume would set them on what the link points to.",
            "links have dates and owners of their own: this volume would set them on what the links point to.",
        );
        count(
            &self.tally.dates_out_of_range,
            "date lies outside the range of the target volume, which keeps another one instead.",
            "dates lie outside the range of the target volume, which keeps others instead.",
        );
        let step = self.tally.coarsest_step.load(Ordering::Relaxed);
        if step > 0 {
            let step = crate::compare::duration_words(step);
            notes.push(format!(
                "The target volume keeps dates in steps of {step}: what is finer was cut off."
            ));
        }
        let items = Items {
            list: self.items.into_inner().unwrap_or_else(PoisonError::into_inner),
            run_id: self.run_id,
            source: crate::error::shown(&self.source.path),
            target: crate::error::shown(&self.target.path),
            settings: self.settings.clone(),
        };
        (items, notes)
    }
}

/// Whether a program or server provides the volume of a root.
pub(super) fn is_served(root: &Root) -> bool {
    root.dir.volume().is_ok_and(|facts| probe::links::in_doubt(&facts))
}
