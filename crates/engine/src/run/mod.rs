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

mod committer;
mod context;
mod fill;
mod folders;
mod metadata;
mod staged;
mod verify;
mod worker;

use std::time::Instant;

use fcs_sys::{Root, Time};

use crate::plan::Plan;
use crate::progress::Phase;
use crate::report::{Counts, ItemReport, Outcome, Report, RunResult, SCHEMA, SkipReason};
use crate::{Control, Settings};

use context::Context;

/// How a run is carried out, beyond the settings.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Decide everything, write nothing.
    pub dry_run: bool,
    /// The run's id: part of the names of staged files, at most 32 letters and digits. Made up when empty.
    pub run_id: String,
}

/// Carries out a plan. There is no error: whatever happens to an item is in the report.
pub fn run(
    plan: &Plan,
    source: &Root,
    target: &Root,
    settings: &Settings,
    options: &RunOptions,
    control: &Control,
) -> Report {
    let started = (Time::now(), Instant::now());
    let progress = &control.progress;
    progress.steps_total.store(plan.step_count(), std::sync::atomic::Ordering::Relaxed);
    progress.copy_bytes_total.store(plan.totals.bytes, std::sync::atomic::Ordering::Relaxed);
    progress.verify_bytes_total.store(plan.totals.verified.1, std::sync::atomic::Ordering::Relaxed);
    progress.enter(Phase::Copy);

    let run_id = if options.run_id.is_empty() { new_run_id() } else { options.run_id.clone() };
    let context = Context::new(plan, source, target, settings, control, run_id);
    for skip in &plan.skipped {
        context.emit(Context::skipped(skip.path.clone(), skip.why));
    }
    if options.dry_run {
        dry_run(&context);
    } else {
        carry_out(&context);
    }
    progress.enter(Phase::Done);
    finish_report(context, started, options.dry_run)
}

fn carry_out(context: &Context<'_>) {
    let finished = std::thread::scope(|scope| {
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
                let spawned = std::thread::Builder::new()
                    .spawn_scoped(scope, move || worker::work(context, &queue, &staged));
                if let Err(error) = spawned {
                    tracing::warn!(%error, "a worker could not be started");
                }
            }
        }
        // The committer ends when the last worker has let go of its sender.
        drop(staged);
        let committer = std::thread::Builder::new()
            .spawn_scoped(scope, move || committer::commit_all(context, &to_commit));
        let folders = folders::feed(context, &small_jobs, &large_jobs);
        drop((small_jobs, large_jobs));
        match committer {
            Ok(committer) => {
                if committer.join().is_err() {
                    tracing::error!("the committer ended in a panic");
                }
            }
            Err(error) => tracing::warn!(%error, "the committer could not be started"),
        }
        folders
    });
    context.control.progress.enter(Phase::Finish);
    folders::finish(context, &finished);
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
}

fn finish_report(context: Context<'_>, started: (Time, Instant), dry_run: bool) -> Report {
    let (items, notes) = context.into_parts();
    let mut counts = Counts::default();
    for item in &items.list {
        counts.add(item);
    }
    let cancelled =
        items.list.iter().any(|i| matches!(i.outcome, Outcome::Skipped { why: SkipReason::Cancelled }));
    let result = if dry_run {
        RunResult::DryRun
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

/// A new id: the time in seconds, so that ids sort by age, and enough chance that two runs never share one.
fn new_run_id() -> String {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_i128(Time::now().as_nanos());
    format!("{:x}{:08x}", Time::now().seconds(), hasher.finish() as u32)
}
