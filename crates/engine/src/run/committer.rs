//! The one place where names change hands: batches of staged files are synced, verified, renamed, and reported once
//! the renames are durable.
//!
//! One sync per file costs 10 to 90 times more than none; one sync per batch costs nearly nothing. And the sync that
//! makes a batch's content durable also makes the renames before it durable, so there is one per batch.
//!
//! Three batches are under way, on a thread each: one is filled, one synced and verified, one renamed. On one thread
//! for the last two, the workers waited for it: 50,000 small files took 3.5 s instead of 2.9, and a quarter of the time
//! of both processors went unused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::context::{Context, CopyJob, Volume};
use super::fill::Stop;
use super::reread::{Ended, HANDFUL, Rereader};
use super::staged::{Staged, Verified};
use super::worker::{Prepared, discard_prepared, prepare};
use crate::ops::put::Committed;
use crate::{Error, Op};

/// Staged steps waiting for their common sync.
pub(super) struct Batch<'a> {
    steps: Vec<Prepared<'a>>,
    bytes: u64,
    /// Open files and folders the steps hold; an estimate from above.
    handles: usize,
    last_folder: usize,
}

impl<'a> Batch<'a> {
    pub(super) const fn new() -> Self {
        Self { steps: Vec::new(), bytes: 0, handles: 0, last_folder: 0 }
    }

    fn push(&mut self, prepared: Prepared<'a>) {
        self.bytes += prepared.bytes();
        let folder = folder_key(prepared.job());
        self.handles += if folder == self.last_folder { 1 } else { 3 };
        self.last_folder = folder;
        self.steps.push(prepared);
    }

    fn is_full(&self, context: &Context<'_>) -> bool {
        self.steps.len() >= context.batch_files
            || self.handles >= context.batch_handles
            || self.bytes >= context.settings.batch_max_bytes
            || context.is_stopping()
    }
}

/// The batch that is being filled.
pub(super) type Filling<'a> = Arc<Mutex<Batch<'a>>>;

/// A worker's way to put what it staged into the batch that is being filled.
///
/// Whoever fills a batch hands it over, through a channel without room, and the others wait for that: one batch is filled
/// while the one before it is proven, so what is open and not yet proven stays within two. There is no thread in between,
/// which would be woken for each file.
pub(super) struct Collector<'a> {
    filling: Filling<'a>,
    batches: Sender<Batch<'a>>,
}

impl<'a> Collector<'a> {
    /// To be shared by all workers, and by nobody else: the last of them ends it.
    pub(super) fn new(filling: Filling<'a>, batches: Sender<Batch<'a>>) -> Arc<Self> {
        Arc::new(Self { filling, batches })
    }

    pub(super) fn push(&self, context: &Context<'_>, prepared: Prepared<'a>) {
        let mut filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        filling.push(prepared);
        if filling.is_full(context) {
            self.hand_over(context, std::mem::replace(&mut filling, Batch::new()));
        }
    }

    fn hand_over(&self, context: &Context<'_>, batch: Batch<'a>) {
        if let Err(unsent) = self.batches.send(batch) {
            discard_batch(context, unsent.0);
        }
    }

    /// A worker is done; the last one hands over what is left.
    pub(super) fn end(self: Arc<Self>, context: &Context<'_>) {
        if let Some(this) = Arc::into_inner(self) {
            let rest = take_batch(&this.filling);
            this.hand_over(context, rest);
        }
    }
}

fn take_batch<'a>(filling: &Filling<'a>) -> Batch<'a> {
    std::mem::replace(&mut *filling.lock().unwrap_or_else(PoisonError::into_inner), Batch::new())
}

/// The committer is gone, which only a defect of ours can cause; no stray is left behind.
fn discard_batch(context: &Context<'_>, batch: Batch<'_>) {
    for prepared in batch.steps {
        let job = discard_prepared(context, prepared);
        context.cancel_job(&job);
    }
}

/// A batch on its way from [`prove_all`] to [`commit_all`].
pub(super) struct Proven<'a> {
    /// To be renamed.
    verified: Vec<Verified<'a>>,
    /// Renamed before this batch was synced, and what came of making those names durable with the same sync.
    named: Vec<Committed<'a>>,
    lost: FolderErrors,
}

/// What was renamed since the last sync began.
pub(super) type Renamed<'a> = Mutex<Vec<Committed<'a>>>;

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Syncs and verifies the batches until there are no more.
///
/// One thread for both: where a disk has to seek between what it writes and what it reads, doing both at once is slower
/// than one after the other.
pub(super) fn prove_all<'a>(
    context: &Context<'_>,
    (batches, filling): (&Receiver<Batch<'a>>, &Filling<'a>),
    renamed: &Renamed<'a>,
    proven: &Sender<Proven<'a>>,
) {
    std::thread::scope(|scope| {
        let mut verifiers = Verifiers::new(scope, context);
        prove_each(context, (batches, filling), renamed, proven, &mut verifiers);
        verifiers.end();
    });
}

fn prove_each<'s, 'a: 's, 'c: 's>(
    context: &Context<'_>,
    (batches, filling): (&Receiver<Batch<'a>>, &Filling<'a>),
    renamed: &Renamed<'a>,
    proven: &Sender<Proven<'a>>,
    verifiers: &mut Verifiers<'s, '_, 'a, 'c>,
) {
    let patience = Duration::from_millis(context.settings.batch_max_milliseconds);
    loop {
        let batch = match batches.recv_timeout(patience) {
            Ok(batch) => batch,
            // Who has the lock may be handing over a full one just now, and waits for that.
            Err(RecvTimeoutError::Timeout) => match filling.try_lock() {
                Ok(mut filling) => std::mem::replace(&mut *filling, Batch::new()),
                Err(TryLockError::Poisoned(poisoned)) => {
                    std::mem::replace(&mut *poisoned.into_inner(), Batch::new())
                }
                Err(TryLockError::WouldBlock) => continue,
            },
            Err(RecvTimeoutError::Disconnected) => {
                // Only where the last worker ended in a panic is there anything left.
                return discard_batch(context, take_batch(filling));
            }
        };
        let named = take(renamed);
        if batch.steps.is_empty() && named.is_empty() {
            continue;
        }
        if let Err(unsent) = proven.send(prove(context, batch, named, verifiers)) {
            // The committer is gone, which only a defect of ours can cause. What has its name stays for recovery.
            for verified in unsent.0.verified {
                let job = verified.discard(context);
                context.cancel_job(&job);
            }
        }
    }
}

/// Syncs once for the content of `batch` and for the names of `named`, and verifies the batch.
fn prove<'s, 'a: 's, 'c: 's>(
    context: &Context<'_>,
    batch: Batch<'a>,
    named: Vec<Committed<'a>>,
    verifiers: &mut Verifiers<'s, '_, 'a, 'c>,
) -> Proven<'a> {
    let (mut to_verify, mut verified) = (Vec::new(), Vec::new());
    for step in batch.steps {
        match step {
            Prepared::Verified(v) => verified.push(v),
            Prepared::InBatch(s) => to_verify.push(s),
        }
    }
    if context.is_stopping() {
        // What is verified is kept; what would still need a sync and a re-read is not, so that cancelling is quick.
        for staged in to_verify.drain(..) {
            let job = discard_prepared(context, Prepared::InBatch(staged));
            context.cancel_job(&job);
        }
    }
    let volumes = sync_volumes(&to_verify, &named);
    let lost = sync_renames_given(&named, &volumes);
    let (good, failed) = sync_content(to_verify, &volumes);
    verified.extend(verifiers.verify(good));
    for staged in failed {
        let job = discard_prepared(context, Prepared::InBatch(staged));
        verified.extend(prove_alone(context, &job));
    }
    Proven { verified, named, lost }
}

/// Renames what was verified, and reports what has a durable name, until there is no more.
pub(super) fn commit_all<'a>(context: &Context<'_>, proven: &Receiver<Proven<'a>>, renamed: &Renamed<'a>) {
    for Proven { verified, named, lost } in proven {
        settle(context, named, &lost);
        let committed = commit_batch(context, verified);
        renamed.lock().unwrap_or_else(PoisonError::into_inner).extend(committed);
    }
    let named = take(renamed);
    let lost = sync_renames(&named);
    settle(context, named, &lost);
}

/// Renames `verified`, once the journal says so. The names are durable with the next sync.
fn commit_batch<'a>(context: &Context<'_>, verified: Vec<Verified<'a>>) -> Vec<Committed<'a>> {
    if verified.is_empty() {
        return Vec::new();
    }
    #[cfg(fcs_planted)]
    if crate::planted::is(crate::planted::Fault::JournalAfterExchange) {
        let intents: Vec<_> = verified.iter().map(Verified::intent).collect();
        let committed = verified.into_iter().filter_map(|v| commit(context, v)).collect();
        context.promise(intents);
        return committed;
    }
    if !context.promise(verified.iter().map(Verified::intent)) {
        for v in verified {
            let job = v.discard(context);
            context.cancel_job(&job);
        }
        return Vec::new();
    }
    verified.into_iter().filter_map(|v| commit(context, v)).collect()
}

fn commit<'a>(context: &Context<'_>, verified: Verified<'a>) -> Option<Committed<'a>> {
    match verified.commit(context) {
        Ok(committed) => Some(committed),
        Err((job, error)) => {
            context.fail_job(&job, error);
            None
        }
    }
}

/// The outcome of one sync per volume; volumes that cannot be synced as a whole are absent.
type VolumeSyncs = HashMap<u64, Result<(), Arc<std::io::Error>>>;

fn sync_volumes(content: &[Staged<'_>], renames: &[Committed<'_>]) -> VolumeSyncs {
    let mut volumes: HashMap<u64, &Volume> = HashMap::new();
    #[cfg(fcs_planted)]
    let content = if unsynced_content() { &[] } else { content };
    #[cfg(fcs_planted)]
    let renames = if crate::planted::is(crate::planted::Fault::NoFolderSync) { &[] } else { renames };
    let jobs = content.iter().map(|s| &s.job).chain(renames.iter().map(Committed::job));
    for job in jobs {
        let volume = &*job.folder.volume;
        if volume.syncs_whole() {
            volumes.insert(volume.facts.id, volume);
        }
    }
    volumes.into_iter().map(|(id, volume)| (id, volume.sync_whole().map_err(Arc::new))).collect()
}

/// Splits staged files into those whose content is durable and those whose content may be lost.
fn sync_content<'a>(staged: Vec<Staged<'a>>, volumes: &VolumeSyncs) -> (Vec<Staged<'a>>, Vec<Staged<'a>>) {
    #[cfg(fcs_planted)]
    if unsynced_content() {
        return (staged, Vec::new());
    }
    staged.into_iter().partition(|s| match (volumes.get(&s.job.folder.volume.facts.id), &s.file) {
        (Some(result), _) => result.is_ok(),
        #[cfg(fcs_planted)]
        (None, Some(file)) if crate::planted::is(crate::planted::Fault::RetryFailedSync) => {
            file.sync().or_else(|_| file.sync()).is_ok()
        }
        (None, Some(file)) => file.sync().is_ok(),
        // A link has no content of its own; its folder is synced after the rename.
        (None, None) => true,
    })
}

#[cfg(fcs_planted)]
fn unsynced_content() -> bool {
    use crate::planted::{Fault, is};
    is(Fault::NoFileSync) || is(Fault::SyncAfterRename)
}

/// A handful to be verified, and whom to tell what came of it.
type Handful<'a> = (Vec<Staged<'a>>, Sender<Vec<Ended<'a>>>);

/// Those who verify: this thread, and helpers that stay for the batches to come, because what each reads with is costly to
/// make.
struct Verifiers<'scope, 'env, 'a, 'c> {
    scope: &'scope Scope<'scope, 'env>,
    context: &'scope Context<'c>,
    own: Rereader,
    give: Sender<Handful<'a>>,
    given: Receiver<Handful<'a>>,
    helpers: Vec<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope, 'a: 'scope, 'c: 'scope> Verifiers<'scope, '_, 'a, 'c> {
    /// Helpers are started when a batch is large enough for them.
    fn new<'env>(
        scope: &'scope Scope<'scope, 'env>,
        context: &'scope Context<'c>,
    ) -> Verifiers<'scope, 'env, 'a, 'c> {
        let (give, given) = unbounded();
        Verifiers { scope, context, own: Rereader::new(), give, given, helpers: Vec::new() }
    }

    /// Verifies a batch; failures are reported here.
    fn verify(&mut self, mut staged: Vec<Staged<'a>>) -> Vec<Verified<'a>> {
        let handfuls = staged.len().div_ceil(HANDFUL);
        let threads = self.context.settings.effective_copy_workers().min(handfuls);
        while self.helpers.len() + 1 < threads {
            let (context, given) = (self.context, self.given.clone());
            let help = move || {
                let mut rereader = Rereader::new();
                for (handful, done) in given {
                    // Nobody waits for it after a panic.
                    let _ = done.send(rereader.verify(context, handful));
                }
            };
            // This thread verifies too, so that helpers which cannot be started are only missed.
            let Ok(helper) = std::thread::Builder::new().spawn_scoped(self.scope, help) else { break };
            self.helpers.push(helper);
        }
        let (done, ended) = unbounded();
        while !staged.is_empty() {
            let rest = staged.len().saturating_sub(HANDFUL);
            // Only a defect of ours could end it while `given` is here.
            let _ = self.give.send((staged.split_off(rest), done.clone()));
        }
        drop(done);
        while let Ok((handful, done)) = self.given.try_recv() {
            let _ = done.send(self.own.verify(self.context, handful));
        }
        let (mut verified, mut told) = (Vec::new(), 0);
        for handful in ended {
            told += 1;
            for ended in handful {
                match ended {
                    Ok(one) => verified.push(one),
                    Err((job, stop)) => end(self.context, &job, stop),
                }
            }
        }
        if told < handfuls {
            // What a helper was to verify is missing after its panic, so it is one of this thread too.
            self.end();
        }
        verified
    }

    /// Waits for the helpers. A panic of one is one of this thread.
    fn end(&mut self) {
        self.give = unbounded().0;
        self.given = unbounded().1;
        for helper in self.helpers.drain(..) {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Reports why a step was not staged or not verified.
pub(super) fn end(context: &Context<'_>, job: &CopyJob<'_>, stop: Stop) {
    match stop {
        Stop::Cancelled => context.cancel_job(job),
        Stop::Failed(error) => context.fail_job(job, error),
        Stop::LeftAlone(why) => context.leave_alone(job.folder.plan, job.step, why),
    }
}

/// Copies a step by itself, durably, and verifies it: one that was not to wait for a group, or of which the group could not
/// be synced. A failed sync is never repeated on the same data: the kernel may have dropped what it could not write.
pub(super) fn prove_alone<'a>(context: &Context<'_>, job: &CopyJob<'a>) -> Option<Verified<'a>> {
    match prepare(context, job, true, &mut Vec::new()) {
        Ok(Prepared::Verified(verified)) => Some(verified),
        Ok(other) => {
            discard_prepared(context, other);
            context.cancel_job(job);
            None
        }
        Err(stop) => {
            end(context, job, stop);
            None
        }
    }
}

/// Syncs and verifies a group by itself.
pub(super) fn prove_together<'a>(context: &Context<'_>, staged: Vec<Staged<'a>>) -> Vec<Verified<'a>> {
    let mut batch = Batch::new();
    staged.into_iter().for_each(|staged| batch.push(Prepared::InBatch(staged)));
    std::thread::scope(|scope| {
        let mut verifiers = Verifiers::new(scope, context);
        let proven = prove(context, batch, Vec::new(), &mut verifiers);
        verifiers.end();
        proven.verified
    })
}

/// Renames what the journal says is about to be renamed, makes the names durable, and reports it.
pub(super) fn commit_together(context: &Context<'_>, verified: Vec<Verified<'_>>) {
    let named = commit_listed(context, verified);
    let lost = sync_renames(&named);
    settle(context, named, &lost);
}

fn commit_listed<'a>(context: &Context<'_>, verified: Vec<Verified<'a>>) -> Vec<Committed<'a>> {
    let listed = verified.into_iter().filter_map(|verified| match verified.take_listed_name(context) {
        Ok(verified) => Some(verified),
        Err((job, error)) => {
            context.fail_job(&job, error);
            None
        }
    });
    listed.filter_map(|verified| commit(context, verified)).collect()
}

/// As [`commit_together`] for one file: to sync its folder costs less than to sync the volume.
pub(super) fn commit_alone(context: &Context<'_>, verified: Verified<'_>) {
    let named = commit_listed(context, vec![verified]);
    let lost = sync_renames_given(&named, &VolumeSyncs::new());
    settle(context, named, &lost);
}

/// Makes the renames of `committed` durable; returns the folders whose sync failed, by address.
fn sync_renames(committed: &[Committed<'_>]) -> FolderErrors {
    sync_renames_given(committed, &sync_volumes(&[], committed))
}

type FolderErrors = HashMap<usize, Arc<std::io::Error>>;

fn folder_key(job: &CopyJob<'_>) -> usize {
    std::ptr::from_ref(job.folder.plan).addr()
}

fn sync_renames_given(committed: &[Committed<'_>], volumes: &VolumeSyncs) -> FolderErrors {
    let mut folders: HashMap<usize, Option<Arc<std::io::Error>>> = HashMap::new();
    #[cfg(fcs_planted)]
    if crate::planted::is(crate::planted::Fault::NoFolderSync) {
        return FolderErrors::new();
    }
    for item in committed {
        let job = item.job();
        if matches!(volumes.get(&job.folder.volume.facts.id), Some(Ok(()))) {
            continue;
        }
        folders.entry(folder_key(job)).or_insert_with(|| job.folder.target.sync().err().map(Arc::new));
    }
    folders.into_iter().filter_map(|(key, error)| Some((key, error?))).collect()
}

/// Reports committed steps. Those whose folder could not be synced are undone and reported as failed.
fn settle(context: &Context<'_>, committed: Vec<Committed<'_>>, errors: &FolderErrors) {
    for item in committed {
        let job = item.job().clone();
        let (plan, step) = (job.folder.plan, job.step);
        match errors.get(&folder_key(item.job())) {
            None => context.emit(item.settle(context)),
            Some(e) => {
                let path = context.target_path(&plan.target_path.join(&step.target_name));
                let copied = std::io::Error::new(e.kind(), Arc::clone(e));
                let copied = e.raw_os_error().map_or(copied, std::io::Error::from_raw_os_error);
                let error = item.revert(context, Error::os(Op::Sync, path, copied));
                context.fail_job(&job, error);
            }
        }
    }
}
