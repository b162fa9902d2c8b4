//! Folders of a run: opened and made on the way in, given their metadata on the way out, deepest first.

use crossbeam_channel::Sender;
use std::sync::Arc;

use fcs_sys::{DirRef, FileId, Fingerprint, Metadata, OsReason, RelPath, reason};

use super::context::{Context, Folder, Job};
use super::fill::is_small;
use super::meter::Owed;
use super::{metadata, removals, streams};
use crate::identity::Numbers;
use crate::plan::{Action, FolderPlan};
use crate::report::{ActionKind, Evidence, ItemReport, NotKept, Outcome, SkipReason};
use crate::settings::Verify;
use crate::way::Way;
use crate::{Error, ErrorKind, Op, TargetState};

/// How far a folder got.
pub(super) enum Entered {
    /// Opened, made if it had to be; its steps were handed out. Its identity on the target, so that another folder
    /// put in its place meanwhile does not get its permissions and times.
    Yes(FileId),
    /// It could not be; the error is reported with it, and its steps have failed.
    Failed(Box<Error>),
    /// The run was cancelled first.
    Cancelled,
}

/// Opens the folders of the plan on both sides.
struct Walker {
    source: Way,
    target: Way,
}

/// Why the walker could not open a folder, and on which side.
struct Closed {
    on_source: bool,
    error: std::io::Error,
}

impl Walker {
    fn new(context: &Context<'_>) -> Self {
        Self { source: Way::new(&context.source.dir), target: Way::new(&context.target.dir) }
    }

    fn open(&mut self, source: &RelPath, target: &RelPath) -> Result<(DirRef, DirRef), Closed> {
        let source = self.source.open(source).map_err(|error| Closed { on_source: true, error })?;
        let target = self.target.open(target).map_err(|error| Closed { on_source: false, error })?;
        Ok((source, target))
    }
}

/// Enters every folder of the plan in order and hands out its steps. Returns how far each folder got.
pub(super) fn feed<'a>(
    context: &Context<'a>,
    small: &Sender<Job<'a>>,
    large: &Sender<Job<'a>>,
) -> Vec<Entered> {
    let mut walker = Walker::new(context);
    let mut entered = Vec::with_capacity(context.plan.folders.len());
    // Steps are numbered by their place in the plan, as the journal lists them.
    let mut next = 1;
    for (index, plan) in context.plan.folders.iter().enumerate() {
        let first = next;
        next += plan.steps.len() as u64;
        if context.should_stop() {
            plan.steps.iter().for_each(|step| context.cancel(plan, step));
            entered.push(Entered::Cancelled);
            continue;
        }
        match enter(context, &mut walker, plan, index as u32) {
            Ok((folder, id)) => {
                let folder = Arc::new(folder);
                // Dates are set when everything is copied.
                let copies = (first..).zip(&plan.steps).filter(|(_, step)| step.action != Action::SetTimes);
                for (number, step) in copies {
                    let job =
                        Job { folder: Arc::clone(&folder), step, number, owed: Arc::new(Owed::of(step)) };
                    let queue = if is_small(context, step.expect_source.size) { small } else { large };
                    if let Err(unsent) = queue.send(job) {
                        context.cancel_job(&unsent.0);
                    }
                }
                entered.push(Entered::Yes(id));
            }
            Err(error) => {
                context.fail_all(plan);
                entered.push(Entered::Failed(Box::new(error)));
            }
        }
    }
    entered
}

fn enter<'a>(
    context: &Context<'a>,
    walker: &mut Walker,
    plan: &'a FolderPlan,
    index: u32,
) -> Result<(Folder<'a>, FileId), Error> {
    if plan.create {
        create(context, walker, plan, index)?;
    }
    let (source, target) =
        walker.open(&plan.source_path, &plan.target_path).map_err(|c| closed(context, plan, c))?;
    let on_target = |e| Error::os(Op::Open, context.target_path(&plan.target_path), e);
    let now =
        source.metadata().map_err(|e| Error::os(Op::Examine, context.source_path(&plan.source_path), e))?;
    let same =
        now.id == plan.expect_source.id || Numbers::of(&source).same_folder(&now, plan.expect_source.id);
    if !same {
        return Err(Error::new(Op::Open, context.source_path(&plan.source_path), ErrorKind::SourceStale));
    }
    let there = target.metadata().map_err(on_target)?;
    let same = |expected: Fingerprint| {
        expected.id == there.id || Numbers::of(&target).same_folder(&there, expected.id)
    };
    if !plan.expect_target.is_none_or(same) {
        return Err(Error::new(Op::Open, context.target_path(&plan.target_path), ErrorKind::TargetStale));
    }
    if let Some(protection) = there.protection {
        let path = context.target_path(&plan.target_path);
        return Err(Error::new(Op::Change, path, ErrorKind::Protected(protection)));
    }
    let listed = plan.expect_target.map(|before| before.attributes);
    context
        .lift(&plan.target_path, &target, &there, (index as usize, listed))
        .map_err(|e| Error::os(Op::SetMetadata, context.target_path(&plan.target_path), e))?;
    if plan.create {
        context.made(index, there.id);
    }
    let volume = context.volume_of(&target).map_err(on_target)?;
    let group = metadata::group_of_folder(context.settings, &there);
    Ok((Folder::new(plan, (source, target), volume, group), there.id))
}

/// Makes the folder, for its owner only until everything in it is done.
fn create(context: &Context<'_>, walker: &mut Walker, plan: &FolderPlan, index: u32) -> Result<(), Error> {
    let (Some((source_parent, _)), Some((target_parent, name))) =
        (plan.source_path.split(), plan.target_path.split())
    else {
        return Err(Error::new(Op::Create, context.target.path.clone(), ErrorKind::TargetStale));
    };
    let path = || context.target_path(&plan.target_path);
    let (_, parent) = walker.open(&source_parent, &target_parent).map_err(|_| {
        Error::new(Op::Create, path(), ErrorKind::ParentFailed).with_target(TargetState::Absent)
    })?;
    context.will_make(index).map_err(|e| {
        Error::os(Op::KeepJournal, context.target.path.clone(), e).with_target(TargetState::Absent)
    })?;
    let way = if plan.replaces { removals::make_way(context, &plan.target_path)? } else { None };
    let made = parent.create_dir(&name).map_err(|e| match reason(&e) {
        _ if context.volume_of(&parent).is_ok_and(|v| v.probe.names.refuses(name.as_bytes())) => {
            let refused = ErrorKind::Os(OsReason::InvalidName);
            Error::new(Op::Create, path(), refused).with_target(TargetState::Absent)
        }
        OsReason::AlreadyExists => {
            // What a pattern leaves out was not seen, and to compare again would not show it.
            let in_the_way = parent.stat(&name).is_ok_and(|now| now.kind != fcs_sys::Kind::Folder);
            let kind = if in_the_way { ErrorKind::KindClash } else { ErrorKind::TargetStale };
            Error::new(Op::Create, path(), kind).with_target(TargetState::Original)
        }
        _ => Error::os(Op::Create, path(), e).with_target(TargetState::Absent),
    });
    match way {
        Some(way) => removals::made_way(context, way, made),
        None => made,
    }
}

fn closed(context: &Context<'_>, plan: &FolderPlan, closed: Closed) -> Error {
    let path = if closed.on_source {
        context.source_path(&plan.source_path)
    } else {
        context.target_path(&plan.target_path)
    };
    Error::os(Op::Open, path, closed.error)
}

/// Gives folders their metadata, deepest first, makes them durable and reports them.
pub(super) fn finish(context: &Context<'_>, entered: &[Entered]) {
    let mut walker = Walker::new(context);
    let mut done = Vec::new();
    for (plan, entered) in context.plan.folders.iter().zip(entered).rev() {
        let Some(action) = plan.kind() else {
            if let Entered::Failed(error) = entered {
                context.complain(error);
            }
            continue;
        };
        let item = ItemReport { action, ..Context::skipped(plan.target_path.clone(), SkipReason::Cancelled) };
        match entered {
            Entered::Cancelled => context.emit(item),
            Entered::Failed(error) => {
                context.emit(ItemReport { outcome: Outcome::Failed { error: (**error).clone() }, ..item });
            }
            Entered::Yes(id) => match dress(context, &mut walker, plan, *id) {
                Ok(not_kept) => done.push(ItemReport {
                    outcome: Outcome::Done { evidence: Evidence::NoContent },
                    not_kept,
                    ..item
                }),
                Err(error) => context.emit(ItemReport { outcome: Outcome::Failed { error }, ..item }),
            },
        }
    }
    let failed = context.sync_all_volumes();
    for item in done {
        match &failed {
            Some(code) => {
                let error = Error::os(Op::Sync, context.target_path(&item.path), code());
                context.emit(ItemReport { outcome: Outcome::Failed { error }, ..item });
            }
            None => context.emit(item),
        }
    }
}

/// Reports folders of a run that is taken back or cannot go on; they are not given their metadata.
pub(super) fn give_up(context: &Context<'_>, entered: &[Entered]) {
    for (plan, entered) in context.plan.folders.iter().zip(entered).rev() {
        let Some(action) = plan.kind() else { continue };
        let item =
            ItemReport { action, ..Context::skipped(plan.target_path.clone(), context.why_stopping()) };
        let outcome = match entered {
            Entered::Failed(error) => Outcome::Failed { error: (**error).clone() },
            Entered::Yes(_) if plan.create => Outcome::Done { evidence: Evidence::NoContent },
            Entered::Yes(_) | Entered::Cancelled => item.outcome.clone(),
        };
        context.emit(ItemReport { outcome, ..item });
    }
}

/// Gives one folder its metadata: everything if the run made it, else only the times. Returns what was not kept.
fn dress(
    context: &Context<'_>,
    walker: &mut Walker,
    plan: &FolderPlan,
    id: FileId,
) -> Result<Vec<NotKept>, Error> {
    let path = || context.target_path(&plan.target_path);
    let (source, target) =
        walker.open(&plan.source_path, &plan.target_path).map_err(|c| closed(context, plan, c))?;
    let wanted: Metadata =
        source.metadata().map_err(|e| Error::os(Op::Examine, context.source_path(&plan.source_path), e))?;
    let volume = context.volume_of(&target).map_err(|e| Error::os(Op::AskVolume, path(), e))?;
    let set = |e| Error::os(Op::SetMetadata, path(), e);
    let made = target.metadata().map_err(set)?;
    if !volume.numbers.same_folder(&made, id) {
        return Err(
            Error::new(Op::SetMetadata, path(), ErrorKind::TargetStale).with_target(TargetState::Unknown)
        );
    }
    let not_kept = if plan.kind() == Some(ActionKind::CreateFolder) {
        // One that was made in a set-group-id folder has got the bit and the group of that.
        let group = metadata::group_of_folder(context.settings, &made);
        let kept = metadata::give(context, &*target, &*source, &wanted, &volume.facts, group, &|| false);
        // Not cut off by a cancel: what the run keeps is kept whole.
        let kept = kept.map_err(set)?;
        // A folder has no content whose verification its streams could wait for.
        let verifies = context.settings.verify != Verify::Off;
        if verifies && !streams::are_whole(&*target, &kept.streams).map_err(set)? {
            return Err(Error::new(Op::Verify, path(), ErrorKind::Mismatch { offset: None }));
        }
        kept.not_kept
    } else {
        let mut not_kept = Vec::new();
        let now = metadata::give_times(&*target, &wanted, &volume.facts, &context.tally, &mut not_kept)
            .map_err(set)?;
        if plan.expect_target.is_none_or(|before| before.modified != now.modified) {
            context.set_dated();
        }
        not_kept
    };
    if !volume.syncs_whole() {
        target.sync().map_err(|e| Error::os(Op::Sync, path(), e))?;
    }
    Ok(not_kept)
}
