//! Sets the dates of files of which the comparison read both and found them equal: nothing else of them changes, so
//! nothing is copied and nothing displaced.
//!
//! Invariant: dates are set only while source and target are what was compared, and only once it is durable which dates
//! the file had, so that recovery and undo can tell and give them back.

use fcs_sys::{Access, DirRef, FileRef, Metadata};

use super::context::{Context, Volume};
use super::fill::protected;
use super::folders::Entered;
use super::metadata;
use crate::identity::Numbers;
use crate::plan::{Action, FolderPlan, Step};
use crate::report::{Evidence, ItemReport, NotKept, Outcome};
use crate::runs::{Dates, Record, Seen};
use crate::way::Way;
use crate::{Error, ErrorKind, Op, TargetState};

/// One file, with its number.
struct Job<'a> {
    folder: &'a FolderPlan,
    step: &'a Step,
    number: u64,
}

/// One that is to be given dates now.
struct Ready<'a> {
    job: Job<'a>,
    file: FileRef,
    dir: DirRef,
    volume: std::sync::Arc<Volume>,
    was: Metadata,
    wanted: Metadata,
}

/// Sets the dates that the plan says, in the folders that were entered.
pub(super) fn carry_out(context: &Context<'_>, entered: &[Entered]) {
    if context.is_broken() {
        // Each is reported already.
        return;
    }
    let mut ways = (Way::new(&context.source.dir), Way::new(&context.target.dir));
    let mut next = 1;
    let mut jobs = Vec::new();
    for (folder, entered) in context.plan.folders.iter().zip(entered) {
        let first = next;
        next += folder.steps.len() as u64;
        if matches!(entered, Entered::Yes(_)) {
            let steps = (first..).zip(&folder.steps).filter(|(_, step)| step.action == Action::SetTimes);
            jobs.extend(steps.map(|(number, step)| Job { folder, step, number }));
        }
    }
    let mut jobs = jobs.into_iter().peekable();
    // Each holds a file and a folder open.
    let most = context.batch_files.min(context.batch_handles / 2).max(1);
    while jobs.peek().is_some() {
        let group: Vec<Job<'_>> = jobs.by_ref().take(most).collect();
        set(context, &mut ways, group);
    }
}

fn set(context: &Context<'_>, ways: &mut (Way, Way), group: Vec<Job<'_>>) {
    let mut ready = Vec::with_capacity(group.len());
    for job in group {
        if context.should_stop() {
            context.cancel(job.folder, job.step);
            continue;
        }
        match look(context, ways, &job) {
            Ok((file, dir, volume, was, wanted)) => ready.push(Ready { job, file, dir, volume, was, wanted }),
            Err(error) => fail(context, &job, error),
        }
    }
    let intents = ready.iter().map(|ready| Record::SettingTimes {
        step: ready.job.number,
        was: dates(&ready.was, &ready.volume),
        wanted: dates(&ready.wanted, &ready.volume),
    });
    if ready.is_empty() || !context.promise(intents) {
        ready.iter().for_each(|ready| context.cancel(ready.job.folder, ready.job.step));
        return;
    }
    let mut done = Vec::with_capacity(ready.len());
    for Ready { job, file, dir, volume, wanted, .. } in ready {
        match give(context, &job, &*file, &volume, &wanted) {
            Ok((now, not_kept)) => done.push((job, dir, Seen::of(&now), not_kept)),
            Err(error) => {
                context.set_untidy();
                fail(context, &job, error.with_target(TargetState::Unknown));
            }
        }
    }
    let failed = if done.is_empty() { None } else { context.sync_all_volumes() };
    for (job, _dir, now, not_kept) in done {
        if let Some(code) = &failed {
            context.set_untidy();
            let error = Error::os(Op::Sync, path(context, &job), code());
            fail(context, &job, error.with_target(TargetState::Unknown));
            continue;
        }
        context.committed(job.number, Some(now));
        let outcome = Outcome::Done { evidence: Evidence::NoContent };
        context.emit(ItemReport { outcome, not_kept, ..Context::item(job.folder, job.step) });
    }
}

/// Gives the file its dates, durably unless its volume is synced as a whole. Returns what it has now, and which of the dates
/// the volume does not keep.
fn give(
    context: &Context<'_>,
    job: &Job<'_>,
    file: &dyn fcs_sys::File,
    volume: &Volume,
    wanted: &Metadata,
) -> Result<(Metadata, Vec<NotKept>), Error> {
    let os = |op, e| Error::os(op, path(context, job), e);
    let times = dates(wanted, volume).times();
    file.set_times(times).map_err(|e| os(Op::SetMetadata, e))?;
    let now = file.metadata().map_err(|e| os(Op::SetMetadata, e))?;
    if !volume.syncs_whole() {
        file.sync().map_err(|e| os(Op::Sync, e))?;
    }
    let mut not_kept = Vec::new();
    metadata::tell_times(&now, times, &volume.facts, &context.tally, &mut not_kept);
    Ok((now, not_kept))
}

type Found = (FileRef, DirRef, std::sync::Arc<Volume>, Metadata, Metadata);

/// Opens the file, if it and its source are what was compared.
fn look(context: &Context<'_>, ways: &mut (Way, Way), job: &Job<'_>) -> Result<Found, Error> {
    let (folder, step) = (job.folder, job.step);
    let source_path = || context.source_path(&folder.source_path.join(&step.source_name));
    let on_source = |e| Error::os(Op::Examine, source_path(), e);
    let on_target = |e| Error::os(Op::SetMetadata, path(context, job), e);
    let refuse = |kind| Error::new(Op::SetMetadata, path(context, job), kind);

    let source = ways.0.open(&folder.source_path).map_err(on_source)?;
    let wanted = source.stat(&step.source_name).map_err(on_source)?;
    let now = wanted.fingerprint();
    if now != step.expect_source && !Numbers::of(&source).unchanged(&now, &step.expect_source) {
        return Err(Error::new(Op::SetMetadata, source_path(), ErrorKind::SourceStale));
    }
    if let Some(kind) = protected(context, step) {
        return Err(refuse(kind));
    }
    let dir = ways.1.open(&folder.target_path).map_err(on_target)?;
    let volume = context.volume_of(&dir).map_err(on_target)?;
    let file = dir.open_file(&step.target_name, Access::SetTimes).map_err(on_target)?;
    // Through the handle, which stays the file's whatever becomes of its name.
    let was = file.metadata().map_err(on_target)?;
    if !step.expect_target.is_some_and(|seen| context.target_unchanged(volume.numbers, &was, &seen)) {
        return Err(refuse(ErrorKind::TargetStale));
    }
    Ok((file, dir, volume, was, wanted))
}

/// The dates that are set: what cannot be set is none of them.
fn dates(item: &Metadata, volume: &Volume) -> Dates {
    let settable = volume.facts.created == fcs_sys::CreatedTime::Settable;
    Dates { modified: item.modified, created: item.created.filter(|_| settable) }
}

fn path(context: &Context<'_>, job: &Job<'_>) -> std::path::PathBuf {
    context.target_path(&job.folder.target_path.join(&job.step.target_name))
}

/// Nothing is missing on the target, so no removal is held back because of it.
fn fail(context: &Context<'_>, job: &Job<'_>, mut error: Error) {
    error.target.get_or_insert(TargetState::Original);
    context.emit(ItemReport { outcome: Outcome::Failed { error }, ..Context::item(job.folder, job.step) });
}
