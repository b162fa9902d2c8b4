//! Carries out a plan.
//!
//! ```text
//! feeder ──jobs──▶ workers ──────────batch──▶ prover ──proven──▶ committer ──▶ items of the report
//!                  stage, fill a batch       sync, verify        rename
//! ```
//!
//! The feeder walks the plan, makes and opens folders. Workers fill staged files beside their targets. A batch of them
//! is made durable with one sync and verified while the next one is filled and the one before it gets its names. One
//! committer owns every rename, and reports what is renamed once that is durable too, with the sync of a later batch.
//!
//! Invariants: a final name only ever shows the old or the new, verified file; one bad item never stops the rest;
//! every step of the plan ends in exactly one item of the report. This module must not know how a comparison was made.

mod aside;
mod committer;
pub(crate) mod context;
mod ending;
pub(crate) mod fill;
pub(crate) mod folders;
mod grown;
mod ledger;
pub(crate) mod metadata;
pub(crate) mod meter;
pub(crate) mod open;
pub(crate) mod replaced;
pub(crate) mod reread;
pub(crate) mod staged;
pub(crate) mod streams;
mod verify;
pub(crate) mod verify_moved;
mod worker;

use std::sync::Arc;
use std::time::Instant;

use fcs_sys::{Root, Time};

use crate::error::display_path;
use crate::history::{Begin, Opening, RunLog, VERSION};
use crate::plan::{BadRoots, Part, Plan};
use crate::progress::Phase;
use crate::report::{Counts, ItemReport, Outcome, Report, RunResult, SCHEMA, SkipReason};
use crate::{Control, Note, Settings};

pub use crate::history::{RemovedTo, RunId, StartError};

use crate::ops::{self, When, remove, respell, set_metadata};
use context::{Context, Whole};
use folders::{Entered, Round};

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
    /// What the volumes of the roots were seen to do ([`crate::probe::probe`]), by the place of the root, where the caller has
    /// tried that already; else it is tried when the run begins.
    pub probes: Vec<Option<crate::probe::VolumeProbe>>,
}

/// What a failing step does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It fails alone; the rest is done.
    #[default]
    Continue,
    /// Nothing more is begun, and what was done is rolled back.
    RollBack,
}

/// Carries out a plan on these roots; the plan knows them by their place in the list. Whatever happens to an item is in the
/// report.
///
/// Where the plan writes to several roots, each has a journal and an undo store of its own, under one id, and all journals
/// are there before anything changes in any root. It goes by kinds of work: everything is copied in all of them before
/// anything moves in one, and so on; and the run ends in all of them, or is rolled back in all of them. Cut short, each
/// root is recovered by itself.
///
/// # Errors
///
/// When the run did not begin; then nothing was changed.
pub fn run(
    plan: &Plan,
    roots: &[&Root],
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

    let parts = plan.parts()?.into_iter().map(|part| {
        let [source, target] = [part.source, part.root].map(|root| root.of(roots));
        Ok::<_, BadRoots>((part, source?, target?))
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let id = options.run_id.clone().unwrap_or_else(RunId::make);
    let is_written = |part: &Part<'_>| !options.dry_run && !part.is_empty();
    let written = parts.iter().filter(|(part, ..)| is_written(part));
    let written = written.map(|&(part, source, target)| Opening {
        part,
        target,
        begin: begin(&id, source, started.0, settings, options),
    });
    let logs = RunLog::start(written.collect(), &id).map_err(|error| match error {
        StartError::Failed(error) => {
            let target = parts.iter().map(|&(.., target)| target).find(|t| error.path.starts_with(&t.path));
            StartError::Failed(error.on_volume(target.is_some_and(context::is_served)))
        }
        other => other,
    })?;
    let mut logs = logs.into_iter().peekable();
    let run_id = logs.peek().map_or(id, |log| log.run().clone());
    let whole = Arc::<Whole>::default();
    let contexts = parts.into_iter().map(|part| {
        let mut log = if is_written(&part.0) { logs.next() } else { None };
        whole.let_go(part.0.root, log.iter_mut().flat_map(RunLog::take_outdated));
        let (run_id, whole) = (run_id.clone(), Arc::clone(&whole));
        Context::new(part, settings, control, run_id, options, log, whole)
    });
    let mut contexts: Vec<Context<'_>> = contexts.collect();
    for context in &contexts {
        let skipped = context.plan.skipped();
        skipped.for_each(|skip| context.emit(Context::skipped(skip.root, skip.path.clone(), skip.why)));
    }
    let result = if options.dry_run {
        contexts.iter().for_each(dry_run);
        Some(RunResult::DryRun)
    } else {
        #[cfg(fcs_planted)]
        let early = crate::planted::is(crate::planted::Fault::RemovalBeforeCopy);
        #[cfg(fcs_planted)]
        if early {
            let nothing: Vec<Vec<Entered>> = contexts.iter().map(|_| Vec::new()).collect();
            let failures = remove::Failures::of(&contexts, &nothing);
            contexts.iter().for_each(|context| remove::carry_out(context, &failures, options.removed));
        }
        let entered: Vec<Vec<Entered>> =
            contexts.iter().map(|context| carry_out(context, Round::First)).collect();
        // In all roots: those before it count on the dates of files being set after the copies of all.
        let each = || contexts.iter().zip(&entered);
        each().for_each(|(context, entered)| set_metadata::carry_out(context, entered));
        contexts.iter().for_each(|context| ops::carry_out(context, When::BeforeRemovals));
        for (context, entered) in
            each().filter(|(context, _)| !context.is_broken() && context.has_puts_after_moves())
        {
            carry_out(context, Round::AfterMoves(entered));
        }
        contexts.iter().filter(|context| context.is_broken()).for_each(Context::report_lost);
        let failures = remove::Failures::of(&contexts, &entered);
        #[cfg(not(fcs_planted))]
        let early = false;
        if !early {
            contexts.iter().for_each(|context| remove::carry_out(context, &failures, options.removed));
        }
        ending::end(&mut contexts, &entered).result()
    };
    progress.enter(Phase::Done);
    let (mut items, mut notes) = (Vec::new(), plan.notes.iter().cloned().map(Note::from).collect::<Vec<_>>());
    let differing = contexts.iter().flat_map(Context::take_differing).collect();
    let first = contexts.first().map(|context| [context.source, context.target]);
    let [source, target] =
        first.map_or_else(Default::default, |roots| roots.map(|root| display_path(&root.path)));
    for context in contexts {
        let (its_items, its_notes) = context.into_parts();
        items.extend(its_items);
        notes.extend(its_notes);
    }
    let counts = Counts::of(&items);
    Ok(Report {
        schema: SCHEMA,
        engine_version: env!("CARGO_PKG_VERSION"),
        run: run_id,
        started: started.0,
        finished: Time::now(),
        seconds: started.1.elapsed().as_secs_f64(),
        source,
        target,
        roots: roots.iter().map(|root| display_path(&root.path)).collect(),
        settings: settings.clone(),
        result: result.unwrap_or_else(|| RunResult::of(&items, &counts)),
        counts,
        notes,
        items,
        differing,
        pruned: whole.take_pruned(),
    })
}

/// The first record of the journal.
fn begin(run: &RunId, source: &Root, started: Time, settings: &Settings, options: &RunOptions) -> Begin {
    Begin {
        version: VERSION,
        run: run.clone(),
        command: options.command.clone(),
        source: display_path(&source.path),
        started,
        removed: options.removed,
        prune_at_end: options.removed == RemovedTo::Permanent,
        undo: settings.undo,
        retries: options.retries.clone(),
    }
}

fn carry_out(context: &Context<'_>, round: Round<'_>) -> Vec<Entered> {
    std::thread::scope(|scope| {
        let (small_jobs, small_queue) = crossbeam_channel::bounded(context.queue_length);
        let (large_jobs, large_queue) = crossbeam_channel::bounded(context.queue_length);
        let filling = committer::Filling::new(committer::Batch::new().into());
        let (collected, to_prove) = crossbeam_channel::bounded(0);
        let (proven, to_commit) = crossbeam_channel::bounded(0);
        let renamed = Arc::<committer::Renamed<'_>>::default();
        let collector = committer::Collector::new(Arc::clone(&filling), collected);
        for (queue, workers) in [
            (small_queue, context.settings.effective_copy_workers()),
            (large_queue, context.settings.large_file_workers as usize),
        ] {
            for _ in 0..workers.max(1) {
                let (queue, collector) = (queue.clone(), Arc::clone(&collector));
                // Refused: fewer workers do the same work. Were there none, the feeder's jobs would come back to it
                // (it holds no receiver), and end as not done.
                let spawned = std::thread::Builder::new().spawn_scoped(
                    scope,
                    with_log(move || context.guarded(|| worker::work(context, &queue, collector))),
                );
                if let Err(error) = spawned {
                    tracing::warn!(%error, "a worker could not be started");
                }
            }
        }
        // Each ends when the last that sends to it has ended, and its own end of a queue goes with it, a panic too: then
        // those who send to it notice.
        let prove = with_log({
            let renamed = Arc::clone(&renamed);
            move || {
                context.guarded(move || {
                    let (batches, proven) = (to_prove, proven);
                    committer::prove_all(context, (&batches, &filling), &renamed, &proven);
                });
            }
        });
        let commit = with_log(move || {
            context.guarded(move || {
                let proven = to_commit;
                committer::commit_all(context, &proven, &renamed);
            });
        });
        let start = || std::thread::Builder::new();
        for started in
            [start().spawn_scoped(scope, prove).map(drop), start().spawn_scoped(scope, commit).map(drop)]
        {
            if let Err(error) = started {
                tracing::error!(%error, "a part of the committer could not be started");
                context.set_broken();
            }
        }
        // Not before somebody takes what it hands over, were all workers gone already.
        collector.end(context);
        // The scope waits for all of them.
        folders::feed(context, round, &small_jobs, &large_jobs)
    })
}

/// Work for another thread, which writes its log where this thread does.
fn with_log<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let log = tracing::dispatcher::get_default(Clone::clone);
    move || tracing::dispatcher::with_default(&log, work)
}

fn dry_run(context: &Context<'_>) {
    for folder in context.plan.folders {
        if let Some(action) = folder.kind() {
            context.emit(ItemReport {
                action,
                ..Context::skipped(folder.target_root, folder.target_path.clone(), SkipReason::DryRun)
            });
        }
        for step in &folder.steps {
            context.emit(ItemReport {
                outcome: Outcome::Skipped { why: SkipReason::DryRun },
                ..Context::item(folder, step)
            });
        }
    }
    ops::give_up(context, When::BeforeRemovals, SkipReason::DryRun);
    remove::dry_run(context);
    respell::give_up(context, SkipReason::DryRun);
    ops::give_up(context, When::AtTheEnd, SkipReason::DryRun);
}
