//! Makes folders on the way in, and gives them their metadata on the way out, deepest first.

use std::sync::OnceLock;

use fcs_sys::{FileId, Metadata, OsReason, reason};

use crate::ops::remove;
use crate::plan::FolderPlan;
use crate::report::{ActionKind, Evidence, ItemReport, NotKept, Outcome, SkipReason};
use crate::run::context::Context;
use crate::run::folders::{Entered, Walker, closed};
use crate::run::{metadata, streams};
use crate::settings::Verify;
use crate::{Error, ErrorKind, Op, TargetState};

/// Makes the folder, for its owner only until everything in it is done.
pub(crate) fn create(
    context: &Context<'_>,
    walker: &mut Walker,
    plan: &FolderPlan,
    index: u32,
) -> Result<(), Error> {
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
    let way = if plan.replaces { remove::make_way(context, &plan.target_path)? } else { None };
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
        Some(way) => remove::made_way(context, way, made),
        None => made,
    }
}

/// Gives folders their metadata, deepest first, makes them durable and reports them.
pub(crate) fn finish(context: &Context<'_>, entered: &[Entered]) {
    let mut walker = Walker::new(context);
    let mut done = Vec::new();
    for (plan, entered) in context.plan.folders.iter().zip(entered).rev() {
        let Some(action) = plan.kind() else {
            if let Entered::Failed(error) = entered {
                context.complain(error);
            }
            continue;
        };
        let item = ItemReport {
            action,
            ..Context::skipped(plan.target_root, plan.target_path.clone(), SkipReason::Cancelled)
        };
        match entered {
            Entered::Cancelled => context.emit(item),
            Entered::Failed(error) => {
                context.emit(ItemReport { outcome: Outcome::Failed { error: (**error).clone() }, ..item });
            }
            Entered::Yes(id) => match apply_metadata(context, &mut walker, plan, *id) {
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

/// Reports folders of a run that is rolled back or cannot go on; they are not given their metadata.
pub(crate) fn give_up(context: &Context<'_>, entered: &[Entered]) {
    for (plan, entered) in context.plan.folders.iter().zip(entered).rev() {
        let Some(action) = plan.kind() else { continue };
        let item = ItemReport {
            action,
            ..Context::skipped(plan.target_root, plan.target_path.clone(), context.why_stopping())
        };
        let outcome = match entered {
            Entered::Failed(error) => Outcome::Failed { error: (**error).clone() },
            Entered::Yes(_) if plan.create => Outcome::Done { evidence: Evidence::NoContent },
            Entered::Yes(_) | Entered::Cancelled => item.outcome.clone(),
        };
        context.emit(ItemReport { outcome, ..item });
    }
}

/// Gives one folder its metadata: everything if the run made it, else only the times. Returns what was not kept.
fn apply_metadata(
    context: &Context<'_>,
    walker: &mut Walker,
    plan: &FolderPlan,
    id: FileId,
) -> Result<Vec<NotKept>, Error> {
    let path = || context.target_path(&plan.target_path);
    let (source, target) =
        walker.open(&plan.source_path, &plan.target_path).map_err(|c| closed(context, plan, c))?;
    let now: Metadata =
        source.metadata().map_err(|e| Error::os(Op::Examine, context.source_path(&plan.source_path), e))?;
    // The dates that were compared, as the journal lists them: the run itself may have written into the source since.
    let (modified, created) = (plan.expect_source.modified, plan.created[0].or(now.created));
    let wanted = Metadata { modified, created, ..now };
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
        let kept = metadata::give(
            context,
            &*target,
            &*source,
            &wanted,
            &volume.facts,
            (group, &OnceLock::new()),
            &|| false,
        );
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
        let other_modified = plan.expect_target.is_none_or(|before| before.modified != now.modified);
        if other_modified || plan.created[1].is_some() && plan.created[1] != now.created {
            context.set_dated();
        }
        not_kept
    };
    if !volume.syncs_whole() {
        target.sync().map_err(|e| Error::os(Op::Sync, path(), e))?;
    }
    Ok(not_kept)
}
