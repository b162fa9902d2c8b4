//! Removes what the plan says, once everything is copied: deepest first, each item only while it is what was seen.
//!
//! An item leaves its name by a rename into the undo store, so that it can be looked at once more before the removal
//! stands, and comes back if it is not what the plan saw. A folder goes whole where it holds exactly what the plan lists
//! (`whole.rs`), else when it is empty.
//!
//! Invariant: never more goes than is listed, and nothing that a failure holds back (`held.rs`).

use std::io;

use fcs_sys::{DirRef, Kind, Metadata, OsReason, RelPath, reason};

use super::absent::Asker;
use super::held::{Failures, Held};
use crate::dir_cursor::DirCursor;
use crate::history::{EmptiedFolder, Record, RemovedTo};
use crate::identity::Numbers;
use crate::lift::move_lifted;
use crate::names::kept_name;
use crate::ops::First;
use crate::plan::{Removal, RemovalFolder};
use crate::report::{ActionKind, Evidence, ItemReport, Outcome, SkipReason};
use crate::run::context::Context;
use crate::{Error, ErrorKind, Op, TargetState};

/// One removal with its folder and number.
pub(super) struct RemovalJob<'a> {
    pub(super) folder: &'a RemovalFolder,
    pub(super) item: &'a Removal,
    pub(super) number: u64,
}

/// Removes everything the plan lists, as far as no failure holds it back.
pub(crate) fn carry_out(context: &Context<'_>, failures: &Failures, to: RemovedTo) {
    let plan = context.plan;
    let first = First::of(&plan).removed.step;
    let items = plan.removals.iter().flat_map(|folder| folder.items.iter().map(move |item| (folder, item)));
    let jobs: Vec<RemovalJob<'_>> =
        (first..).zip(items).map(|(number, (folder, item))| RemovalJob { folder, item, number }).collect();
    let mut ways = Ways { target: DirCursor::new(&context.target.dir), source: Asker::new(context.source) };
    let mut held = Held::new(context, failures);
    let jobs = super::whole::carry_out(context, &mut ways, jobs, to, &mut held);
    for batch in jobs.chunks(context.batch_files.max(1)) {
        let mut go = Vec::with_capacity(batch.len());
        for job in batch {
            if job.item.makes_way {
                if !context.has_made_way(job.number) {
                    let why =
                        if context.is_stopping() { context.why_stopping() } else { SkipReason::CopyFailed };
                    context.emit(item(job, Outcome::Skipped { why }));
                }
                continue;
            }
            match held.because_of(job.folder, job.item) {
                Some(why) => context.emit(ItemReport {
                    because_of: Some(why),
                    ..item(job, Outcome::Skipped { why: SkipReason::CopyFailed })
                }),
                None => go.push(job),
            }
        }
        let intents = go.iter().map(|job| Record::Intent { step: job.number, new: None, hash: None });
        if context.should_stop() || (!go.is_empty() && !context.promise(intents)) {
            let why = context.why_stopping();
            go.iter().for_each(|job| context.emit(item(job, Outcome::Skipped { why })));
            continue;
        }
        remove_group(context, &mut ways, &go, to, &mut held);
    }
}

/// An item that made way for a folder, until that is there.
pub(crate) struct MadeWay<'a> {
    job: RemovalJob<'a>,
    dir: DirRef,
}

/// Takes an item of another kind from the name that a folder is to have. It is reported, and its removal stands, once
/// the folder is there: until then recovery restores it.
pub(crate) fn make_way<'a>(context: &Context<'a>, path: &RelPath) -> Result<Option<MadeWay<'a>>, Error> {
    let plan = context.plan;
    let first = First::of(&plan).removed.step;
    let found = (first..)
        .zip(plan.removed())
        .find(|(_, (folder, item))| item.makes_way && folder.path.join(&item.name) == *path);
    let Some((number, (folder, item))) = found else { return Ok(None) };
    let job = RemovalJob { folder, item, number };
    context.set_made_way(number);
    if !context.promise([Record::Intent { step: number, new: None, hash: None }]) {
        let error = Error::new(Op::Remove, self::path(context, &job), ErrorKind::ParentFailed);
        return Err(error.with_target(TargetState::Original));
    }
    let mut ways = Ways { target: DirCursor::new(&context.target.dir), source: Asker::new(context.source) };
    match remove(context, &mut ways, &job, RemovedTo::Undo) {
        Ok(dir) => Ok(Some(MadeWay { job, dir })),
        Err(error) => {
            context.emit(self::item(&job, Outcome::Failed { error: error.clone() }));
            Err(error)
        }
    }
}

/// Ends what [`make_way`] began: the removal stands if the folder is there, else the item returns.
pub(crate) fn made_way(
    context: &Context<'_>,
    way: MadeWay<'_>,
    folder: Result<(), Error>,
) -> Result<(), Error> {
    let MadeWay { job, dir } = way;
    let gone = [(&job, dir)];
    let done =
        folder.and_then(|()| sync(context, &gone).map_err(|e| Error::os(Op::Sync, path(context, &job), e)));
    let outcome = match &done {
        Ok(()) => {
            context.committed(job.number, None);
            Outcome::Done { evidence: Evidence::NoContent }
        }
        Err(error) => {
            let state = put_back(context, &gone[0].1, &job);
            Outcome::Failed { error: error.clone().with_target(state) }
        }
    };
    context.emit(item(&job, outcome));
    done
}

/// Reports what would be removed.
pub(crate) fn dry_run(context: &Context<'_>) {
    for folder in context.plan.removals {
        for removal in &folder.items {
            let job = RemovalJob { folder, item: removal, number: 0 };
            context.emit(item(&job, Outcome::Skipped { why: SkipReason::DryRun }));
        }
    }
}

/// The way to what goes, and to where the source would have it.
pub(super) struct Ways<'a> {
    pub(super) target: DirCursor,
    pub(super) source: Asker<'a>,
}

fn remove_group<'a>(
    context: &Context<'_>,
    ways: &mut Ways<'a>,
    batch: &[&RemovalJob<'a>],
    to: RemovedTo,
    held: &mut Held,
) {
    let mut gone: Vec<(&RemovalJob<'a>, DirRef)> = Vec::new();
    for &job in batch {
        let path = job.folder.path.join(&job.item.name);
        if let Some(why) = held.in_the_way(&path).cloned() {
            // It would only fail as a folder that is not empty; what failed in it has been reported.
            held.stays(&job.folder.path, &why);
            let outcome = Outcome::Skipped { why: SkipReason::NotEmpty };
            context.emit(ItemReport { because_of: Some(why), ..item(job, outcome) });
            continue;
        }
        match remove(context, ways, job, to) {
            Ok(dir) => gone.push((job, dir)),
            Err(error) => {
                held.stays(&job.folder.path, &path);
                context.emit(item(job, Outcome::Failed { error }));
            }
        }
    }
    let synced = sync(context, &gone);
    for (job, dir) in gone {
        match &synced {
            Err(e) if to != RemovedTo::RecycleBin => {
                let state = put_back(context, &dir, job);
                context.emit(item(job, not_synced(context, job, e, state)));
            }
            _ => report_gone(context, job, &synced),
        }
    }
}

/// Ends the removal of an item that is not at its name any more.
pub(super) fn report_gone(context: &Context<'_>, job: &RemovalJob<'_>, synced: &io::Result<()>) {
    let outcome = match synced {
        Ok(()) => {
            context.committed(job.number, None);
            Outcome::Done { evidence: Evidence::NoContent }
        }
        Err(e) => not_synced(context, job, e, TargetState::Absent),
    };
    context.emit(item(job, outcome));
}

pub(super) fn not_synced(
    context: &Context<'_>,
    job: &RemovalJob<'_>,
    error: &io::Error,
    state: TargetState,
) -> Outcome {
    let again = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
    Outcome::Failed { error: Error::os(Op::Sync, path(context, job), again).with_target(state) }
}

/// Restores a removed item to its name.
pub(super) fn put_back(context: &Context<'_>, dir: &DirRef, job: &RemovalJob<'_>) -> TargetState {
    let back = context.log().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)).and_then(|log| {
        let lift = |was| log.promise([Record::LiftedItem { step: job.number, was }]);
        move_lifted(log.kept(), &kept_name(job.number)?, dir, &job.item.name, lift)
    });
    if back.is_err() {
        context.set_untidy();
    }
    if back.is_ok() { TargetState::Original } else { TargetState::Unknown }
}

/// Makes removals durable: the folders they left and the undo store they went to.
pub(super) fn sync(context: &Context<'_>, gone: &[(&RemovalJob<'_>, DirRef)]) -> io::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    // Where items are before where they were, for file systems that could keep the one without the other. Not where one
    // sync makes both durable at once: on Btrfs that of a folder alone leaves a moved file with both names after a power
    // cut, and the next undo would find its name taken.
    if let Some(log) = context.log() {
        let kept = log.kept();
        let (on, volume) = (kept.metadata()?.id.volume, context.volume_of(kept)?);
        let all = gone.iter().all(|(_, dir)| dir.metadata().is_ok_and(|now| now.id.volume == on));
        if !(all && volume.syncs_whole()) {
            kept.sync()?;
        }
    }
    let mut synced: Option<&RelPath> = None;
    let mut whole = None;
    for (job, dir) in gone {
        let volume = context.volume_of(dir)?;
        if volume.syncs_whole() {
            if whole.replace(volume.facts.id) != Some(volume.facts.id) {
                volume.sync_whole()?;
            }
        } else if synced.replace(&job.folder.path) != Some(&job.folder.path) {
            dir.sync()?;
        }
    }
    Ok(())
}

fn path(context: &Context<'_>, job: &RemovalJob<'_>) -> std::path::PathBuf {
    context.target_path(&job.folder.path.join(&job.item.name))
}

pub(super) fn item(job: &RemovalJob<'_>, outcome: Outcome) -> ItemReport {
    let kind = job.item.expect.kind;
    ItemReport {
        root: job.folder.root,
        path: job.folder.path.join(&job.item.name),
        action: if kind == Kind::Folder { ActionKind::RemoveFolder } else { ActionKind::Remove },
        bytes: if kind == Kind::File { job.item.expect.size } else { 0 },
        strategy: None,
        outcome,
        not_kept: Vec::new(),
        because_of: None,
    }
}

/// Lets this user take an item out of its folder, which is `dir` and has `holds`.
fn lift(context: &Context<'_>, job: &RemovalJob<'_>, dir: &DirRef, holds: &Metadata) -> io::Result<()> {
    if crate::lift::needed(holds).is_none() {
        return Ok(());
    }
    let place = context.plan.removals.iter().position(|folder| std::ptr::eq(folder, job.folder));
    let number = context.plan.folders.len() + place.unwrap_or_default();
    let listed = Some(job.folder.expect.attributes).filter(|_| place.is_some());
    context.lift(&job.folder.path, dir, holds, (number, listed))
}

/// The folder an item is in and how it looks, if it is what the plan saw and nothing protects it. This user may take it
/// out of there then.
pub(super) fn seen<'a>(
    context: &Context<'_>,
    ways: &mut Ways<'a>,
    job: &RemovalJob<'a>,
) -> Result<(DirRef, Metadata, Numbers), Error> {
    let os = |e| Error::os(Op::Remove, path(context, job), e).with_target(TargetState::Original);
    let refuse = |kind| Error::new(Op::Remove, path(context, job), kind).with_target(TargetState::Original);
    let dir = ways.target.open(&job.folder.path).map_err(os)?;
    let holds = dir.metadata().map_err(os)?;
    let numbers = context.volume_numbered(holds.id.volume, &dir).map_err(os)?.numbers;
    if !numbers.same_folder(&holds, job.folder.expect.id) {
        return Err(refuse(ErrorKind::TargetStale));
    }
    if let Some(protection) = holds.protection {
        let folder = context.target_path(&job.folder.path);
        let error = Error::new(Op::Change, folder, ErrorKind::Protected(protection));
        return Err(error.with_target(TargetState::Original));
    }
    lift(context, job, &dir, &holds).map_err(os)?;
    let now = dir.stat(&job.item.name).map_err(|e| match reason(&e) {
        OsReason::NotFound => refuse(ErrorKind::TargetStale),
        _ => os(e),
    })?;
    let is_folder = job.item.expect.kind == Kind::Folder;
    // A folder changed when it was emptied; of everything else each sign must be as it was.
    let as_seen = if is_folder {
        numbers.same_folder(&now, job.item.expect.id)
    } else {
        context.target_unchanged(numbers, &now, &job.item.expect)
    };
    if !as_seen {
        return Err(refuse(ErrorKind::TargetStale));
    }
    if let Some(protection) = now.protection {
        return Err(refuse(ErrorKind::Protected(protection)));
    }
    Ok((dir, now, numbers))
}

/// Takes one item from its name. Returns the folder it was in.
fn remove<'a>(
    context: &Context<'_>,
    ways: &mut Ways<'a>,
    job: &RemovalJob<'a>,
    to: RemovedTo,
) -> Result<DirRef, Error> {
    let os = |e| Error::os(Op::Remove, path(context, job), e).with_target(TargetState::Original);
    let refuse = |kind| Error::new(Op::Remove, path(context, job), kind).with_target(TargetState::Original);
    let (dir, now, numbers) = seen(context, ways, job)?;
    let is_folder = job.item.expect.kind == Kind::Folder;
    if is_folder && !is_empty(&dir.open_dir(&job.item.name).map_err(os)?).map_err(os)? {
        return Err(refuse(ErrorKind::Os(OsReason::FolderNotEmpty)));
    }
    // What makes way is not superfluous: the source has something else of its name.
    if !job.item.makes_way && !ways.source.lacks(job.folder, &job.item.name)? {
        return Err(refuse(ErrorKind::SourceHasIt));
    }
    context.will_move(&now);
    if to == RemovedTo::RecycleBin {
        let folder = context.target_path(&job.folder.path);
        return match dir.recycle(&folder, &job.item.name) {
            Ok(()) => Ok(dir),
            Err(e) if reason(&e) == OsReason::Unsupported => Err(refuse(ErrorKind::NoRecycleBin)),
            Err(e) => Err(os(e)),
        };
    }
    let lifted = if is_folder { context.take_lifted(&job.folder.path.join(&job.item.name)) } else { None };
    let folder = lifted.map(|_| dir.open_dir(&job.item.name)).transpose().map_err(os)?;
    let kept = context.keep(&dir, &job.item.name, job.number);
    if let (Some(folder), Some(was)) = (folder, lifted) {
        // Through the handle, wherever it is now. Where that fails, recovery does it.
        if folder.set_attributes(was).is_err() {
            context.set_untidy();
        }
    }
    match kept {
        Ok(()) => {}
        // A folder of an overlay's lower layer cannot be renamed at all. What was in it is kept already.
        Err(e) if is_folder && reason(&e) == OsReason::OtherVolume => {
            return remove_emptied(context, &dir, job).map(|()| dir).map_err(os);
        }
        Err(e) => return Err(os(e)),
    }
    // Between the look and the rename another program may have put something else there.
    let Some(log) = context.log() else { return Ok(dir) };
    let kept = kept_name(job.number).and_then(|name| {
        let out = log.kept().stat(&name)?;
        let same = if is_folder {
            let same = numbers == Numbers::ProveNothing || out.id.may_be_after_rename(now.id);
            same && out.kind == Kind::Folder && is_empty(&log.kept().open_dir(&name)?)?
        } else {
            numbers.same_after_rename(&out.fingerprint(), &job.item.expect)
        };
        Ok(same)
    });
    match kept {
        Ok(true) => Ok(dir),
        // Kept beside, on another volume than the undo store.
        Err(e) if reason(&e) == OsReason::NotFound => Ok(dir),
        _ => {
            let state = put_back(context, &dir, job);
            Err(Error::new(Op::Remove, path(context, job), ErrorKind::TargetStale).with_target(state))
        }
    }
}

/// Removes an empty folder that cannot be renamed, once it is written down what undo needs to make an equal one. That
/// it is empty is left to the system: somebody else's new item in it keeps it.
fn remove_emptied(context: &Context<'_>, dir: &DirRef, job: &RemovalJob<'_>) -> io::Result<()> {
    let name = &job.item.name;
    let folder = EmptiedFolder::of(&*dir.open_dir(name)?, job.item.expect.modified)?;
    if !context.promise([Record::Emptied { step: job.number, folder }]) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    dir.remove_dir(name)
}

/// Whether a folder holds nothing at all, not even something of ours.
fn is_empty(dir: &DirRef) -> io::Result<bool> {
    let mut empty = true;
    dir.list(&mut |_| empty = false)?;
    Ok(empty)
}
