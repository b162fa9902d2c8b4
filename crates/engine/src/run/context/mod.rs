//! What all that is done to one root shares: the part of the plan, the roots, the settings, and where results go.

mod journal;
mod results;
mod volumes;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fcs_sys::{
    DeviceReads, DirRef, File, FileId, Fingerprint, Metadata, Name, Owner, RelPath, Root, VolumeFacts,
};

use super::meter::Owed;
use super::reread::Proof;
use super::{OnError, RunOptions};
use crate::history::{RunId, RunLog};
use crate::identity::Numbers;
use crate::lift::Lifted;
use crate::names::{staged_name, unlisted_name};
use crate::plan::{FolderPlan, ItemChange, Part, RootIndex, Step};
use crate::probe::{self, VolumeProbe};
use crate::progress::{add, full_path};
use crate::report::{Differing, ItemReport};
use crate::{Control, Error, ErrorKind, Note, Op, Settings, TargetState};

/// What concerns a run in all roots that it writes to.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// A step failed in a run that is to be rolled back then.
    aborted: AtomicBool,
    /// A part of the run ended in a panic.
    broken: AtomicBool,
    /// See [`Report::pruned`](crate::report::Report::pruned).
    pruned: Mutex<Vec<(RootIndex, RunId)>>,
}

impl Whole {
    /// Notes runs that cannot be undone any more.
    pub(crate) fn let_go(&self, root: RootIndex, runs: impl IntoIterator<Item = RunId>) {
        let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        pruned.extend(runs.into_iter().map(|run| (root, run)));
    }

    /// All that were noted.
    pub(crate) fn take_pruned(&self) -> Vec<(RootIndex, RunId)> {
        std::mem::take(&mut *self.pruned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a part of the run ended in a panic, so that nothing may change any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }
}

/// One run, in one of the roots that it writes to.
pub(crate) struct Context<'a> {
    pub(crate) plan: Part<'a>,
    pub(crate) source: &'a Root,
    pub(crate) target: &'a Root,
    pub(crate) settings: &'a Settings,
    pub(crate) control: &'a Control,
    pub(crate) run_id: RunId,
    /// Most files in a batch.
    pub(crate) batch_files: usize,
    /// Most handles a group may hold: one per file, two per folder.
    pub(crate) batch_handles: usize,
    /// Most lots of jobs waiting in a queue; each holds two handles.
    pub(crate) queue_length: usize,
    /// The journal lists a step when it is about to get its name, not before it is staged.
    lists_late: bool,
    /// The journal and undo store; `None` when nothing is written.
    log: Option<RunLog>,
    whole: Arc<Whole>,
    /// Steps that failed.
    failed: AtomicU64,
    /// Removals that were begun because a folder was to take their names.
    made_way: Mutex<HashSet<u64>>,
    /// Steps that were to bring something over and failed: where to, and what their sources look like.
    failed_steps: Mutex<Vec<(RelPath, Fingerprint)>>,
    /// Files that were moved and are not what the source has.
    differing: Mutex<Vec<Differing>>,
    /// Steps that are committed and durable.
    committed: AtomicU64,
    /// Folders made.
    made: AtomicU64,
    /// A folder that was there has other times than before.
    dated: AtomicBool,
    on_error: OnError,
    items: Mutex<Vec<ItemReport>>,
    /// Said once in the report.
    notes: Mutex<Vec<Note>>,
    pub(crate) tally: Tally,
    volumes: Mutex<HashMap<u64, Arc<Volume>>>,
    /// What the root's volume was seen to do, where that is known already.
    probe: Option<VolumeProbe>,
    /// Folders of the target whose permissions were lifted.
    lifted: Mutex<Lifted>,
    /// Originals with several names of which this run displaced one: that moved the change time of the others.
    moved: Mutex<HashSet<FileId>>,
    /// What this run has moved to another path, by the number that the plan saw, as it is since.
    renamed: Mutex<HashMap<FileId, Fingerprint>>,
    /// Paths that items move to: what is put there replaces them, after that.
    moved_to: HashSet<RelPath>,
}

/// Things counted over the run and said once at its end.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) owner_not_kept: AtomicU64,
    pub(crate) hard_linked: AtomicU64,
    /// Links whose dates and owner were not set, because the volume would set them on what they point to.
    pub(crate) links_left: AtomicU64,
    /// The coarsest step, in nanoseconds, to which the target cut a date; 0 where it cut none.
    pub(crate) coarsest_step: AtomicU64,
    /// Dates that the target cannot hold.
    pub(crate) dates_out_of_range: AtomicU64,
}

/// A volume on which the target tree lies; a tree can span several.
pub(crate) struct Volume {
    pub(crate) facts: VolumeFacts,
    /// Opened before the first write, because the kernel reports only write errors that come after that.
    pub(crate) dir: DirRef,
    /// What it was seen to do when the run came to it.
    pub(crate) probe: VolumeProbe,
    /// What its numbers prove.
    pub(crate) numbers: Numbers,
    /// A sync of the whole volume failed.
    sync_failed: AtomicBool,
    /// How often reads past the cache did not add up to what the device gave.
    uncounted: AtomicU64,
    /// How often reads past the cache were not possible, or the cache was not empty.
    unreadable_past_cache: AtomicU64,
    /// A file on it was written past the cache; one could not be.
    written_past_cache: [AtomicBool; 2],
    /// The count did not add up for files that are small enough to lie in metadata.
    tiny_uncounted: AtomicBool,
}

/// Handfuls whose count does not add up until counting is given up on a volume: one that reads metadata beside the
/// content does so by chance, one that answers from its cache each time.
const MOST_UNCOUNTED: u64 = 3;

/// Descriptors of the process that are not of the run: locks, logs, reports and what its caller has open.
const OPEN_ELSEWHERE: usize = 24;

impl Volume {
    /// Whether the volume is synced as a whole; else every file and folder by itself. After one failure for the rest
    /// of the run: the kernel reports it once, so a later success says nothing about files that were written before.
    pub(crate) fn syncs_whole(&self) -> bool {
        self.facts.sync_volume && !self.sync_failed.load(Ordering::SeqCst)
    }

    /// Whether the bytes that the device gives may prove reads past the cache, of files that are small enough to lie in
    /// metadata or not.
    pub(crate) fn counts(&self, tiny: bool) -> bool {
        self.uncounted.load(Ordering::Relaxed) < MOST_UNCOUNTED
            && !(tiny && self.tiny_uncounted.load(Ordering::Relaxed))
    }

    /// Whether many files can be read past the cache at once, whatever that proves.
    pub(crate) fn reads_past_cache(&self) -> bool {
        self.unreadable_past_cache.load(Ordering::Relaxed) < MOST_UNCOUNTED
    }

    /// Whether it is worth trying to write a file past the cache there: some file systems cannot do it at all, others refuse
    /// single files.
    pub(crate) fn may_write_past_cache(&self) -> bool {
        let [could, could_not] = &self.written_past_cache;
        self.reread_is_cached().is_none()
            && (could.load(Ordering::Relaxed) || !could_not.load(Ordering::Relaxed))
    }

    /// Whether a file could be written past the cache.
    pub(crate) fn wrote_past_cache(&self, could: bool) {
        self.written_past_cache[usize::from(!could)].store(true, Ordering::Relaxed);
    }

    /// Reads past the cache were not what they were to prove, or were not possible.
    pub(crate) fn did_not_count(&self, proof: Proof) {
        match proof {
            Proof::Count { tiny: true } => self.tiny_uncounted.store(true, Ordering::Relaxed),
            Proof::Count { tiny: false } => add(&self.uncounted, 1),
            Proof::Evicted => add(&self.unreadable_past_cache, 1),
        }
    }

    /// Syncs the whole volume.
    pub(crate) fn sync_whole(&self) -> std::io::Result<()> {
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
    pub(crate) fn reread_is_cached(&self) -> Option<&'static str> {
        crate::doctor::cached_because(&self.facts)
    }
}

/// A folder being worked in, of a plan, held open on both sides.
pub(crate) struct FolderPair<'a> {
    pub(crate) plan: &'a FolderPlan,
    open: Arc<OpenPair>,
}

impl<'a> FolderPair<'a> {
    pub(crate) fn new(plan: &'a FolderPlan, open: Arc<OpenPair>) -> Self {
        Self { plan, open }
    }

    /// The folder without the plan.
    pub(crate) fn opened(&self) -> &Arc<OpenPair> {
        &self.open
    }
}

impl std::ops::Deref for FolderPair<'_> {
    type Target = OpenPair;

    fn deref(&self) -> &OpenPair {
        &self.open
    }
}

/// A folder held open on both sides, and what is asked about it once.
pub(crate) struct OpenPair {
    pub(crate) source: DirRef,
    pub(crate) target: DirRef,
    pub(crate) volume: Arc<Volume>,
    /// The group that everything made in it keeps.
    pub(crate) group: Option<u32>,
    /// Whose new files in it are.
    pub(crate) owner_of_new: OnceLock<Option<Owner>>,
    /// Whether the file system says that reads of files in it go past its cache, where they are to.
    goes_past_cache: OnceLock<bool>,
    /// What numbers prove on the source; asked only where one is another than before.
    source_numbers: OnceLock<Numbers>,
}

impl OpenPair {
    pub(crate) fn new((source, target): (DirRef, DirRef), volume: Arc<Volume>, group: Option<u32>) -> Self {
        let (owner_of_new, goes_past_cache, source_numbers) = Default::default();
        Self { source, target, volume, group, owner_of_new, goes_past_cache, source_numbers }
    }

    /// Whether the file system says of a new file in this folder that reads past the cache go past it. Asked of the first:
    /// what can differ between files (`chattr +j`) comes from their folder.
    pub(crate) fn goes_past_cache(&self, file: &dyn File) -> bool {
        *self.goes_past_cache.get_or_init(|| DeviceReads::go_past_cache(file))
    }

    /// Whether the source item `now` is what was seen, unchanged.
    pub(crate) fn source_unchanged(&self, now: &Metadata, seen: &Fingerprint) -> bool {
        now.fingerprint() == *seen
            || self
                .source_numbers
                .get_or_init(|| Numbers::of(&self.source))
                .unchanged(&now.fingerprint(), seen)
    }
}

/// What a run that is not known whole when it begins keeps from one part of it to the next.
pub(crate) struct Suspended {
    log: RunLog,
    whole: Arc<Whole>,
    failed: u64,
    committed: u64,
    made: u64,
    dated: bool,
    volumes: HashMap<u64, Arc<Volume>>,
    moved: HashSet<FileId>,
    lifted: Lifted,
}

impl Suspended {
    /// At the beginning of the run.
    pub(crate) fn new(log: RunLog) -> Self {
        let (whole, volumes, moved, lifted) = Default::default();
        Self { log, whole, failed: 0, committed: 0, made: 0, dated: false, volumes, moved, lifted }
    }

    /// Whether nothing may change any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.log.is_stopped() || self.whole.is_broken()
    }

    /// What the parts of the run share.
    pub(crate) fn whole(&self) -> Arc<Whole> {
        Arc::clone(&self.whole)
    }

    /// So many steps failed in a [`Context::apart`], which could not say what they left lying around.
    pub(crate) fn add_failures(&mut self, failures: u64) {
        self.failed += failures;
        self.log.set_untidy();
    }
}

/// One step to be done by a worker.
#[derive(Clone)]
pub(crate) struct CopyJob<'a> {
    pub(crate) folder: Arc<FolderPair<'a>>,
    pub(crate) step: &'a Step,
    /// Number of the step in the run; part of its staged name.
    pub(crate) number: u64,
    /// Bytes that it still adds to the counters.
    pub(crate) owed: Arc<Owed>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        (plan, source, target): (Part<'a>, &'a Root, &'a Root),
        settings: &'a Settings,
        control: &'a Control,
        run_id: RunId,
        options: &RunOptions,
        log: Option<RunLog>,
        whole: Arc<Whole>,
    ) -> Self {
        // Shares of the limit, so that even one file per folder stays within it: the batches being filled, verified and
        // renamed 1/8 each, the two that were renamed and are not yet durable 1/12 each (their files are closed, their
        // folders are not), jobs 1/16; the rest is for folders on the way and everything else in the process. Where the
        // limit is 64, that is as little as it may be. Shares of what is left: whoever uses the engine holds locks and logs.
        let open_files = fcs_sys::raise_open_file_limit().unwrap_or(1024).min(1 << 20) as usize;
        let open_files = open_files.saturating_sub(OPEN_ELSEWHERE);
        let batch_files = usize::try_from(settings.batch_max_files).unwrap_or(usize::MAX);
        Self {
            plan,
            source,
            target,
            settings,
            control,
            run_id,
            batch_files,
            batch_handles: (open_files / 8).max(3),
            queue_length: (open_files / 64).clamp(1, 64),
            lists_late: false,
            log,
            whole,
            failed: AtomicU64::new(0),
            made_way: Mutex::default(),
            failed_steps: Mutex::default(),
            differing: Mutex::default(),
            committed: AtomicU64::new(0),
            made: AtomicU64::new(0),
            dated: AtomicBool::new(false),
            on_error: options.on_error,
            items: Mutex::default(),
            notes: Mutex::default(),
            tally: Tally::default(),
            volumes: Mutex::default(),
            probe: options.probes.get(usize::from(plan.root.0)).cloned().flatten(),
            lifted: Mutex::default(),
            moved: Mutex::default(),
            renamed: Mutex::default(),
            moved_to: plan.changes.iter().filter_map(ItemChange::new_path).cloned().collect(),
        }
    }

    /// For a part of a run of which other parts were carried out before.
    pub(crate) fn resumed(
        part: (Part<'a>, &'a Root, &'a Root),
        settings: &'a Settings,
        control: &'a Control,
        options: &RunOptions,
        suspended: Suspended,
    ) -> Self {
        let Suspended { log, whole, failed, committed, made, dated, volumes, moved, lifted } = suspended;
        Self {
            lists_late: true,
            failed: failed.into(),
            committed: committed.into(),
            made: made.into(),
            dated: dated.into(),
            volumes: volumes.into(),
            moved: moved.into(),
            lifted: lifted.into(),
            ..Self::new(part, settings, control, log.run().clone(), options, Some(log), whole)
        }
    }

    /// For staging in a run whose journal is in use elsewhere. What would have to be listed fails.
    pub(crate) fn apart(
        roots: (Part<'a>, &'a Root, &'a Root),
        settings: &'a Settings,
        control: &'a Control,
        run: &RunId,
        options: &RunOptions,
        whole: &Arc<Whole>,
    ) -> Self {
        let new = Self::new(roots, settings, control, run.clone(), options, None, Arc::clone(whole));
        Self { lists_late: true, ..new }
    }

    /// What the parts after this one need; `None` if the run is over. And what [`Context::into_parts`] gives.
    pub(crate) fn suspend(mut self) -> (Option<Suspended>, Vec<ItemReport>, Vec<Note>) {
        let own =
            |lock: &mut Mutex<_>| std::mem::take(lock.get_mut().unwrap_or_else(PoisonError::into_inner));
        let volumes = own(&mut self.volumes);
        let moved = std::mem::take(self.moved.get_mut().unwrap_or_else(PoisonError::into_inner));
        let lifted = std::mem::take(self.lifted.get_mut().unwrap_or_else(PoisonError::into_inner));
        let suspended = self.log.take().map(|log| Suspended {
            log,
            whole: Arc::clone(&self.whole),
            failed: *self.failed.get_mut(),
            committed: *self.committed.get_mut(),
            made: *self.made.get_mut(),
            dated: *self.dated.get_mut(),
            volumes,
            moved,
            lifted,
        });
        let (items, notes) = self.into_parts();
        (suspended, items, notes)
    }

    /// Whether anything moves.
    pub(crate) fn has_moves(&self) -> bool {
        !self.moved_to.is_empty()
    }

    /// Whether what is put at a path is put after the moves.
    pub(crate) fn waits_for_moves(&self, path: &RelPath) -> bool {
        self.moved_to.contains(path)
    }

    /// Whether anything is to be put after the moves.
    pub(crate) fn has_puts_after_moves(&self) -> bool {
        let target = |(folder, step): (&FolderPlan, &Step)| folder.target_path.join(&step.target_name);
        self.has_moves() && self.plan.steps().any(|step| self.waits_for_moves(&target(step)))
    }

    /// Whether the work is to end: cancelled, about to be rolled back, or unable to keep its journal.
    pub(crate) fn is_stopping(&self) -> bool {
        self.control.cancel.is_cancelled() || self.is_aborted() || self.is_stopped()
    }

    /// As [`Context::is_stopping`], after waiting while paused.
    pub(crate) fn should_stop(&self) -> bool {
        self.control.cancel.should_stop() || self.is_stopping()
    }

    /// Whether the journal could not be written, or a part of the run ended in a panic, so that nothing may change any
    /// more: what happened is for recovery to find out.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_broken() || self.log.as_ref().is_some_and(RunLog::is_stopped)
    }

    /// Whether a part of the run ended in a panic.
    pub(crate) fn is_broken(&self) -> bool {
        self.whole.is_broken()
    }

    /// Carries out a part of the run. A panic in it ends the run: what that part was to do is missing, and nothing may
    /// be concluded from what is there.
    pub(crate) fn guarded(&self, part: impl FnOnce()) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(part)).is_err() {
            tracing::error!("a part of the run ended in a panic; nothing is changed any more");
            #[cfg(fcs_planted)]
            if crate::planted::is(crate::planted::Fault::RemovalAfterPanic) {
                return;
            }
            self.set_broken();
        }
    }

    /// A part of the run ended, or never began, so that nothing may change any more.
    pub(crate) fn set_broken(&self) {
        self.whole.broken.store(true, Ordering::SeqCst);
        self.set_untidy();
    }

    /// Reports the steps that a part of the run took with it when it ended in a panic, so that each has an item.
    pub(crate) fn report_lost(&self) {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let told: HashSet<RelPath> = items.iter().map(|item| item.path.clone()).collect();
        drop(items);
        for (folder, step) in self.plan.steps() {
            let below = folder.target_path.join(&step.target_name);
            if !told.contains(&below) {
                let error = Error::new(Op::Copy, self.target_path(&below), ErrorKind::Defect);
                self.emit_failure(folder, step, error.with_target(TargetState::Unknown));
            }
        }
    }

    /// Whether the run is to be rolled back because a step failed.
    pub(crate) fn is_aborted(&self) -> bool {
        self.whole.aborted.load(Ordering::Relaxed)
    }

    /// Whether the run has made any folder so far.
    pub(crate) fn has_made_folders(&self) -> bool {
        self.made.load(Ordering::Relaxed) > 0
    }

    /// Whether the target is another than before in any way, times of folders included, so that there is something to
    /// undo.
    pub(crate) fn has_changed(&self) -> bool {
        self.changes() > 0 || self.dated.load(Ordering::Relaxed)
    }

    /// A folder that was there has other times than before.
    pub(crate) fn set_dated(&self) {
        self.dated.store(true, Ordering::Relaxed);
    }

    /// Absolute path on the source.
    pub(crate) fn source_path(&self, below: &RelPath) -> PathBuf {
        full_path(&self.source.path, below)
    }

    /// Absolute path on the target.
    pub(crate) fn target_path(&self, below: &RelPath) -> PathBuf {
        full_path(&self.target.path, below)
    }

    /// The name under which a step is staged.
    pub(crate) fn staged_name(&self, number: u64) -> std::io::Result<Name> {
        if self.lists_late { unlisted_name(&self.run_id, number) } else { self.listed_name(number) }
    }

    /// The name under which a step waits that is listed: what may be exchanged with an original.
    pub(crate) fn listed_name(&self, number: u64) -> std::io::Result<Name> {
        staged_name(&self.run_id, number)
    }
}

/// Whether a program or server provides the volume of a root.
pub(crate) fn is_served(root: &Root) -> bool {
    root.dir.volume().is_ok_and(|facts| probe::links::in_doubt(&facts))
}
