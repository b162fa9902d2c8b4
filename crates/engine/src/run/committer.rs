//! The one place where names change hands: groups of staged files are synced, verified, renamed, and reported once
//! the renames are durable.
//!
//! One sync per file costs 10 to 90 times more than none; one sync per group costs nearly nothing. And the sync that
//! makes a group's content durable also makes the renames of the group before durable, so there is one per group.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::context::{Context, Job, Volume};
use super::fill::Stop;
use super::staged::{Committed, Staged, Verified};
use super::worker::{Prepared, give_up, prepare};
use crate::{Error, Op};

/// Staged steps waiting for their common sync.
struct Group<'a> {
    steps: Vec<Prepared<'a>>,
    bytes: u64,
    /// Open files and folders the steps hold; an estimate from above.
    handles: usize,
    last_folder: usize,
    since: Instant,
}

/// Commits whatever arrives until the workers are done.
pub(super) fn commit_all(context: &Context<'_>, queue: &Receiver<Prepared<'_>>) {
    let patience = Duration::from_millis(context.settings.batch_max_milliseconds);
    let empty = || Group { steps: Vec::new(), bytes: 0, handles: 0, last_folder: 0, since: Instant::now() };
    let mut group = empty();
    let mut waiting = Vec::new();
    loop {
        match queue.recv_deadline(group.since + patience) {
            Ok(prepared) => {
                if group.steps.is_empty() && waiting.is_empty() {
                    group.since = Instant::now();
                }
                group.bytes += prepared.bytes();
                let folder = folder_key(prepared.job());
                group.handles += if folder == group.last_folder { 1 } else { 3 };
                group.last_folder = folder;
                group.steps.push(prepared);
                let full = group.steps.len() >= context.batch_files
                    || group.handles >= context.batch_handles
                    || group.bytes >= context.settings.batch_max_bytes
                    || context.is_stopping();
                if !full {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if group.steps.is_empty() && waiting.is_empty() {
            group.since = Instant::now();
            continue;
        }
        waiting = commit_group(context, group.steps, waiting);
        group = empty();
    }
    if !group.steps.is_empty() {
        waiting = commit_group(context, group.steps, waiting);
    }
    let synced = sync_renames(&waiting);
    settle(context, waiting, &synced);
}

/// Syncs once for the content of `steps` and the renames of `waiting`; settles `waiting`; verifies and renames
/// `steps`, which are returned to wait for the next sync.
fn commit_group<'a>(
    context: &Context<'_>,
    steps: Vec<Prepared<'a>>,
    waiting: Vec<Committed<'a>>,
) -> Vec<Committed<'a>> {
    let (mut to_verify, mut verified) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Prepared::Verified(v) => verified.push(v),
            Prepared::InGroup(s) => to_verify.push(s),
        }
    }
    if context.is_stopping() {
        // What is verified is kept; what would still need a sync and a re-read is not, so that cancelling is quick.
        for staged in to_verify.drain(..) {
            let job = give_up(context, Prepared::InGroup(staged));
            context.cancel_job(&job);
        }
    }
    let volumes = sync_volumes(&to_verify, &waiting);
    let renames = sync_renames_given(&waiting, &volumes);
    settle(context, waiting, &renames);

    let (good, lost) = sync_content(to_verify, &volumes);
    verified.extend(verify_group(context, good));
    for staged in lost {
        let job = give_up(context, Prepared::InGroup(staged));
        verified.extend(start_over(context, &job));
    }
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

/// Files whose re-read is started together: enough to keep a device's queue filled, few enough to stay cached until
/// they are read.
const HANDFUL: usize = 64;

/// Verifies a group on several threads; failures are reported here.
fn verify_group<'a>(context: &Context<'_>, staged: Vec<Staged<'a>>) -> Vec<Verified<'a>> {
    let threads = context.settings.effective_copy_workers().min(staged.len().div_ceil(HANDFUL)).max(1);
    let staged = Mutex::new(staged);
    let take = || {
        let mut staged = staged.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = staged.len().saturating_sub(HANDFUL);
        staged.split_off(rest)
    };
    let verify_handful = |mut handful: Vec<Staged<'a>>, done: &mut Vec<Verified<'a>>| {
        handful.iter_mut().for_each(|staged| staged.start_reread(context));
        for staged in handful {
            if context.should_stop() {
                let job = give_up(context, Prepared::InGroup(staged));
                context.cancel_job(&job);
                continue;
            }
            match staged.verify(context) {
                Ok(verified) => done.push(verified),
                Err((job, stop)) => end(context, &job, stop),
            }
        }
    };
    let verify = || {
        let mut done = Vec::new();
        loop {
            let handful = take();
            if handful.is_empty() {
                return done;
            }
            verify_handful(handful, &mut done);
        }
    };
    if threads == 1 {
        return verify();
    }
    std::thread::scope(|scope| {
        // This thread verifies too, so that helpers which cannot be started are only missed.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, verify).ok();
        let helpers: Vec<_> = (1..threads).filter_map(start).collect();
        let mut done = verify();
        for helper in helpers {
            // What a helper was to verify is missing after a panic, so it is one of this thread too.
            done.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    })
}

fn end(context: &Context<'_>, job: &Job<'_>, stop: Stop) {
    match stop {
        Stop::Cancelled => context.cancel_job(job),
        Stop::Failed(error) => context.fail_job(job, error),
        Stop::LeftAlone(why) => context.leave_alone(job.folder.plan, job.step, why),
    }
}

/// Copies a step again, by itself, because the sync of its group failed. A failed sync is never repeated on the
/// same data: the kernel may have dropped what it could not write.
fn start_over<'a>(context: &Context<'_>, job: &Job<'a>) -> Option<Verified<'a>> {
    match prepare(context, job, true, &mut Vec::new()) {
        Ok(Prepared::Verified(verified)) => Some(verified),
        Ok(other) => {
            give_up(context, other);
            context.cancel_job(job);
            None
        }
        Err(stop) => {
            end(context, job, stop);
            None
        }
    }
}

/// Makes the renames of `committed` durable; returns the folders whose sync failed, by address.
fn sync_renames(committed: &[Committed<'_>]) -> FolderErrors {
    sync_renames_given(committed, &sync_volumes(&[], committed))
}

type FolderErrors = HashMap<usize, Arc<std::io::Error>>;

fn folder_key(job: &Job<'_>) -> usize {
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
