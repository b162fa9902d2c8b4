//! Takes jobs, stages them, and hands them to the committer. Large files are synced and verified here, so that the
//! committer never waits for one.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::committer::Collector;
use super::context::{Context, CopyJob};
use super::fill::{Attempt, Stop, is_small, stage};
use super::staged::{Staged, Verified};
use crate::plan::Action;
use crate::progress::{CurrentFile, add};
use crate::{Error, ErrorKind, Op};

/// A staged step on its way to the committer.
pub(super) enum Prepared<'a> {
    /// To be synced and verified with its group.
    InBatch(Staged<'a>),
    /// Synced and verified already.
    Verified(Verified<'a>),
}

impl Prepared<'_> {
    /// The job it belongs to.
    pub(super) fn job(&self) -> &CopyJob<'_> {
        match self {
            Self::InBatch(staged) => &staged.job,
            Self::Verified(verified) => verified.job(),
        }
    }

    /// Content bytes, for the group's limit.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::InBatch(staged) => staged.size,
            Self::Verified(verified) => verified.bytes(),
        }
    }
}

/// Works until the queue is closed and empty.
pub(super) fn work<'a>(
    context: &Context<'_>,
    queue: &Receiver<Vec<CopyJob<'a>>>,
    collector: Arc<Collector<'a>>,
) {
    let mut buffer = Vec::new();
    for job in queue.iter().flatten() {
        match prepare(context, &job, false, &mut buffer) {
            Ok(prepared) => {
                add(&context.control.progress.steps_staged, 1);
                collector.push(context, prepared);
            }
            Err(Stop::Cancelled) => context.cancel_job(&job),
            Err(Stop::Failed(error)) => context.fail_job(&job, error),
            Err(Stop::LeftAlone(why)) => context.leave_alone(job.folder.plan, job.step, why),
        }
    }
    collector.end(context);
}

/// Removes what was staged.
pub(super) fn discard_prepared<'a>(context: &Context<'_>, prepared: Prepared<'a>) -> CopyJob<'a> {
    match prepared {
        Prepared::InBatch(staged) => {
            let job = staged.job.clone();
            staged.discard(context);
            job
        }
        Prepared::Verified(verified) => verified.discard(context),
    }
}

/// Stages a step, again if its source changed meanwhile. With `alone`, even a small file is synced and verified by
/// itself: for files whose group could not be synced.
pub(super) fn prepare<'a>(
    context: &Context<'_>,
    job: &CopyJob<'a>,
    alone: bool,
    buffer: &mut Vec<u8>,
) -> Result<Prepared<'a>, Stop> {
    let alone = alone || !is_small(context, job.step.expect_source.size);
    let current = alone.then(|| context.control.progress.start_file(describe(context, job)));
    let result = attempt(context, job, alone, current.as_ref(), buffer);
    if let Some(current) = &current {
        context.control.progress.finish_file(current);
    }
    result
}

fn attempt<'a>(
    context: &Context<'_>,
    job: &CopyJob<'a>,
    alone: bool,
    current: Option<&Arc<CurrentFile>>,
    buffer: &mut Vec<u8>,
) -> Result<Prepared<'a>, Stop> {
    let unsteady = |stop: &Stop| matches!(stop, Stop::Failed(e) if e.kind == ErrorKind::SourceUnsteady);
    let mut tries = 0;
    let mut failed_syncs = 0;
    loop {
        if context.should_stop() {
            return Err(Stop::Cancelled);
        }
        let attempt = Attempt { first: tries == 0, last: tries >= context.settings.source_retries };
        let begun = alone.then(Instant::now);
        let staged = stage(context, job, attempt, current, buffer);
        let filled = begun.map(|begun| (begun.elapsed(), Instant::now()));
        let progress = &context.control.progress;
        add(&progress.copy_nanos, filled.map_or(0, |(took, _)| nanos(took)));
        let _counted = filled.map(|(_, begun)| Counted { begun, to: &progress.verify_nanos });
        let staged = match staged {
            Ok(staged) => staged,
            Err(stop) if unsteady(&stop) && tries < context.settings.source_retries => {
                tries += 1;
                add(&progress.retries, 1);
                continue;
            }
            Err(stop) => return Err(stop),
        };
        if !alone && staged.job.step.action != Action::CopyLink {
            return Ok(Prepared::InBatch(staged));
        }
        #[cfg(fcs_planted)]
        if planted_sync(&staged) {
            match staged.verify(context, buffer) {
                Ok(verified) => return Ok(Prepared::Verified(verified)),
                Err((_, stop)) => return Err(stop),
            }
        }
        if let Some(file) = &staged.file
            && let Err(e) = file.sync()
        {
            staged.discard(context);
            // A failed sync may have dropped the pages it could not write, so syncing the same file again proves
            // nothing. Once, the copy starts over from the source.
            failed_syncs += 1;
            if failed_syncs > 1 {
                let path = context.target_path(&job.folder.plan.target_path.join(&job.step.target_name));
                return Err(Error::os(Op::Sync, path, e).into());
            }
            continue;
        }
        match staged.verify(context, buffer) {
            Ok(verified) => return Ok(Prepared::Verified(verified)),
            Err((_, stop)) if unsteady(&stop) && tries < context.settings.source_retries => {
                tries += 1;
                add(&progress.retries, 1);
            }
            Err((_, stop)) => return Err(stop),
        }
    }
}

/// Adds the time since it began, whichever way its scope is left.
struct Counted<'a> {
    begun: Instant,
    to: &'a AtomicU64,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        add(self.to, nanos(self.begun.elapsed()));
    }
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether the content passes for synced.
#[cfg(fcs_planted)]
fn planted_sync(staged: &Staged<'_>) -> bool {
    use crate::planted::{Fault, is};
    let Some(file) = &staged.file else { return false };
    let retried = || is(Fault::RetryFailedSync) && file.sync().or_else(|_| file.sync()).is_ok();
    is(Fault::NoFileSync) || is(Fault::SyncAfterRename) || retried()
}

fn describe(context: &Context<'_>, job: &CopyJob<'_>) -> CurrentFile {
    let (strategy, will_verify) = match job.step.action {
        Action::CopyFile { strategy, verify } => (strategy.strategy(), verify),
        Action::CopyLink | Action::SetTimes => ("link", false),
    };
    let _ = context;
    CurrentFile {
        path: job.folder.plan.target_path.join(&job.step.target_name).to_string(),
        strategy,
        size: job.step.expect_source.size,
        copied: AtomicU64::new(0),
        verified: AtomicU64::new(0),
        will_verify,
    }
}
