//! Carries out a plan.
//!
//! ```text
//! feeder ──jobs──▶ workers (stage) ──staged──▶ committer (sync, verify, rename, sync) ──▶ items of the report
//! ```
//!
//! The feeder walks the plan, makes and opens folders. Workers fill staged files beside their targets. One committer
//! owns every rename: it takes staged files in groups, makes them durable with one sync, verifies them, renames
//! them, and reports them once the renames are durable too.
//!
//! Invariants: a final name only ever shows the old or the new, verified file; one bad item never stops the rest;
//! every step of the plan ends in exactly one item of the report. This module must not know how a comparison was made.

mod absent;
mod committer;
mod context;
mod ending;
mod fill;
mod folders;
mod grown;
mod held;
mod metadata;
mod meter;
mod removals;
mod renames;
mod replaced;
mod staged;
mod streams;
mod times;
mod verify;
mod worker;

use std::time::Instant;

use fcs_sys::{Root, Time};

use crate::plan::Plan;
use crate::progress::Phase;
use crate::report::{Counts, ItemReport, Outcome, Report, RunResult, SCHEMA, SkipReason};
use crate::runs::{Begin, RunLog, VERSION};
use crate::{Control, Settings};

pub use crate::runs::{RemovedTo, RunId, StartError};

use context::Context;

/// How a run is carried out, beyond the settings.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Decide everything, write nothing.
    pub dry_run: bool,
    /// The run's id: part of the names of staged files. Made up when there is none, and made a later one where the
    /// target has runs that sort behind it.
    pub run_id: Option<RunId>,
    /// The run of which this one does again what failed: the two are listed, kept and undone together.
    pub retries: Option<RunId>,
    /// What the user calls it, for the list of runs: `copy`, `sync`, `orphans`.
    pub command: String,
    /// What a failing step does to the run.
    pub on_error: OnError,
    /// Where removed items go.
    pub removed: RemovedTo,
    /// What the target root's volume was seen to do ([`crate::probe::probe`]), where the caller has tried it already;
    /// else it is tried when the run begins.
    pub probe: Option<crate::probe::VolumeProbe>,
}

/// What a failing step does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It fails alone; the rest is done.
    #[default]
    Continue,
    /// Nothing more is begun, and what was done is taken back.
    RollBack,
}

/// Carries out a plan. Whatever happens to an item is in the report; an error means that the run did not begin and
/// nothing was changed.
pub fn run(
    plan: &Plan,
    source: &Root,
    target: &Root,
    settings: &Settings,
    options: &RunOptions,
    control: &Control,
) -> Result<Report, StartError> {
    let started = (Time::now(), Instant::now());
    let progress = &control.progress;
    progress.steps_total.store(plan.step_count(), std::sync::atomic::Ordering::Relaxed);
    progress.copy_bytes_total.store(plan.totals.bytes, std::sync::atomic::Ordering::Relaxed);
    progress.verify_bytes_total.store(plan.totals.verified.1, std::sync::atomic::Ordering::Relaxed);
    progress.enter(Phase::Copy);

    let id = options.run_id.clone().unwrap_or_else(RunId::make);
    let run_id = id.to_string();
    let log = if options.dry_run || plan.is_empty() {
        None
    } else {
        let begin = begin(&run_id, source, started.0, settings, options);
        Some(RunLog::start(plan, target, id, begin).map_err(|error| match error {
            StartError::Failed(error) => StartError::Failed(error.on_volume(context::is_served(target))),
            other => other,
        })?)
    };
    let run_id = log.as_ref().map_or(run_id, |log| log.run().to_owned());
    let mut context = Context::new(plan, (source, target), settings, control, run_id, options, log);
    for skip in &plan.skipped {
        context.emit(Context::skipped(skip.path.clone(), skip.why));
    }
    let ending = if options.dry_run {
        dry_run(&context);
        None
    } else {
        let entered = carry_out(&context);
        times::carry_out(&context, &entered);
        removals::carry_out(&context, &entered, options.removed);
        ending::end(&mut context, &entered).result()
    };
    progress.enter(Phase::Done);
    Ok(finish_report(context, started, if options.dry_run { Some(RunResult::DryRun) } else { ending }))
}

/// The first record of the journal.
fn begin(run: &str, source: &Root, started: Time, settings: &Settings, options: &RunOptions) -> Begin {
    Begin {
        version: VERSION,
        run: run.to_owned(),
        command: options.command.clone(),
        source: crate::error::shown(&source.path),
        started,
        removed: options.removed,
        forget: options.removed == RemovedTo::Nowhere,
        undo: settings.undo,
        retries: options.retries.as_ref().map(ToString::to_string),
    }
}

fn carry_out(context: &Context<'_>) -> Vec<folders::Entered> {
    let entered = std::thread::scope(|scope| {
        let (small_jobs, small_queue) = crossbeam_channel::bounded(context.queue_length);
        let (large_jobs, large_queue) = crossbeam_channel::bounded(context.queue_length);
        let (staged, to_commit) = crossbeam_channel::bounded(context.queue_length);
        for (queue, workers) in [
            (small_queue, context.settings.effective_copy_workers()),
            (large_queue, context.settings.large_file_lanes as usize),
        ] {
            for _ in 0..workers.max(1) {
                let (queue, staged) = (queue.clone(), staged.clone());
                // Refused: fewer workers do the same work. Were there none, the feeder's jobs would come back to it
                // (it holds no receiver), and end as not done.
                let spawned = std::thread::Builder::new().spawn_scoped(
                    scope,
                    with_log(move || context.guarded(|| worker::work(context, &queue, &staged))),
                );
                if let Err(error) = spawned {
                    tracing::warn!(%error, "a worker could not be started");
                }
            }
        }
        // The committer ends when the last worker has let go of its sender.
        drop(staged);
        let committer = std::thread::Builder::new().spawn_scoped(
            scope,
            with_log(move || {
                // Its end of the queue goes with it, a panic too: then the workers are told.
                context.guarded(move || {
                    let queue = to_commit;
                    committer::commit_all(context, &queue);
                });
            }),
        );
        if let Err(error) = committer {
            tracing::warn!(%error, "the committer could not be started");
        }
        // The scope waits for all of them.
        folders::feed(context, &small_jobs, &large_jobs)
    });
    if context.is_broken() {
        context.report_lost();
    }
    entered
}

/// Work for another thread, which writes its log where this thread does.
fn with_log<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let log = tracing::dispatcher::get_default(Clone::clone);
    move || tracing::dispatcher::with_default(&log, work)
}

fn dry_run(context: &Context<'_>) {
    for folder in &context.plan.folders {
        if let Some(action) = folder.kind() {
            context.emit(ItemReport {
                action,
                ..Context::skipped(folder.target_path.clone(), SkipReason::DryRun)
            });
        }
        for step in &folder.steps {
            context.emit(ItemReport {
                outcome: Outcome::Skipped { why: SkipReason::DryRun },
                ..Context::item(folder, step)
            });
        }
    }
    removals::dry_run(context);
    renames::give_up(context, SkipReason::DryRun);
}

fn finish_report(context: Context<'_>, started: (Time, Instant), result: Option<RunResult>) -> Report {
    let (items, notes) = context.into_parts();
    let mut counts = Counts::default();
    for item in &items.list {
        counts.add(item);
    }
    let cancelled =
        items.list.iter().any(|i| matches!(i.outcome, Outcome::Skipped { why: SkipReason::Cancelled }));
    let result = if let Some(result) = result {
        result
    } else if cancelled {
        RunResult::Cancelled
    } else if counts.failed > 0 {
        RunResult::CompletedWithFailures
    } else {
        RunResult::Completed
    };
    Report {
        schema: SCHEMA,
        engine_version: env!("CARGO_PKG_VERSION"),
        run: items.run_id,
        started: started.0,
        finished: Time::now(),
        seconds: started.1.elapsed().as_secs_f64(),
        source: items.source,
        target: items.target,
        settings: items.settings,
        result,
        counts,
        notes,
        items: items.list,
    }
}
