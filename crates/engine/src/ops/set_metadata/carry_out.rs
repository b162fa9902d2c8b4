//! Sets metadata in a run: the dates of files right after the copies, what the plan says of single items when everything
//! else is done in them.
//!
//! Invariant: an item is changed only while it is what was compared, and only once it is durable what it had.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use fcs_sys::{Access, Attributes, Handle, Kind, Metadata, OsReason, RelPath, reason};

use super::recover::Has;
use super::{ItemMetadata, MetadataChange, open};
use crate::dir_cursor::DirCursor;
use crate::history::{Dates, FileStamp, Record};
use crate::identity::Numbers;
use crate::ops::{ItemChange, SingleItem, When, placed};
use crate::plan::{Action, FolderPlan, Part, Step};
use crate::report::{Evidence, ItemReport, NotKept, Outcome};
use crate::run::context::{Context, Volume};
use crate::run::fill::protected;
use crate::run::folders::Entered;
use crate::run::metadata;
use crate::{Error, ErrorKind, Op, TargetState};

/// One item, with its number.
struct MetadataJob<'a> {
    kind: JobKind<'a>,
    number: u64,
}

/// What is to be changed.
enum JobKind<'a> {
    /// A file gets the dates that its source has.
    Dates(&'a FolderPlan, &'a Step),
    /// An item gets what the plan says.
    Planned(&'a MetadataChange),
}

/// One that is to be changed now.
struct Ready<'a> {
    job: MetadataJob<'a>,
    handle: Arc<dyn Handle>,
    volume: Arc<Volume>,
    was: Metadata,
    wanted: ItemMetadata,
    /// What it does not get.
    left_out: Option<NotKept>,
}

/// Sets the dates of files that the plan says, in the folders that were entered.
pub(crate) fn carry_out(context: &Context<'_>, entered: &[Entered]) {
    if context.is_broken() {
        // Each is reported already.
        return;
    }
    let mut ways = (DirCursor::new(&context.source.dir), DirCursor::new(&context.target.dir));
    let mut next = 1;
    let mut jobs = Vec::new();
    for (folder, entered) in context.plan.folders.iter().zip(entered) {
        let first = next;
        next += folder.steps.len() as u64;
        if matches!(entered, Entered::Yes(_)) {
            let steps = (first..).zip(&folder.steps).filter(|(_, step)| step.action == Action::SetTimes);
            jobs.extend(
                steps.map(|(number, step)| MetadataJob { kind: JobKind::Dates(folder, step), number }),
            );
        }
    }
    set_all(context, &mut ways, jobs, &HashSet::new());
}

/// Gives items what the plan says, when everything else is done in them: folders keep their dates then, and their
/// permissions are in nobody's way.
pub(crate) fn carry_out_planned(context: &Context<'_>) {
    let plan = context.plan;
    let mut ways = (DirCursor::new(&context.source.dir), DirCursor::new(&context.target.dir));
    let items = placed(&plan, When::AtTheEnd).filter_map(|(place, change)| {
        let ItemChange::SetMetadata(item) = change else { return None };
        Some((place.step, item))
    });
    let mut items: Vec<_> = items.collect();
    // Deepest first: what a folder gets may keep this user out of it.
    items.sort_by_key(|(_, item)| Reverse(item.path.depth()));
    let jobs = items
        .into_iter()
        .map(|(number, item)| MetadataJob { kind: JobKind::Planned(item), number })
        .collect();
    set_all(context, &mut ways, jobs, &taken(&plan));
}

/// Paths at which the plan does something else: what is there then is not what was seen.
fn taken(plan: &Part<'_>) -> HashSet<RelPath> {
    let put = plan.steps().map(|(folder, step)| folder.target_path.join(&step.target_name));
    let removed = plan.removed().map(|(folder, item)| folder.path.join(&item.name));
    let moved = plan.changes.iter().flat_map(|change| {
        let to = change.new_path();
        to.map(|to| [change.path().clone(), to.clone()]).into_iter().flatten()
    });
    let made = plan.folders.iter().filter(|folder| folder.create).map(|folder| folder.target_path.clone());
    put.chain(removed).chain(moved).chain(made).collect()
}

fn set_all(
    context: &Context<'_>,
    ways: &mut (DirCursor, DirCursor),
    jobs: Vec<MetadataJob<'_>>,
    taken: &HashSet<RelPath>,
) {
    let mut jobs = jobs.into_iter().peekable();
    // Each holds an item and a folder open.
    let most = context.batch_files.min(context.batch_handles / 2).max(1);
    while jobs.peek().is_some() {
        let batch: Vec<MetadataJob<'_>> = jobs.by_ref().take(most).collect();
        set(context, ways, batch, taken);
    }
}

fn set(
    context: &Context<'_>,
    ways: &mut (DirCursor, DirCursor),
    batch: Vec<MetadataJob<'_>>,
    taken: &HashSet<RelPath>,
) {
    let mut ready = Vec::with_capacity(batch.len());
    for job in batch {
        if context.should_stop() {
            job.cancel(context);
            continue;
        }
        let found = match job.kind {
            JobKind::Dates(folder, step) => look(context, ways, folder, step),
            JobKind::Planned(item) => look_planned(context, &mut ways.1, item, taken),
        };
        match found {
            Ok((_, _, was, wanted)) if stays_read_only(&was, &wanted) => {
                let error = Error::new(Op::SetMetadata, job.path(context), ErrorKind::TargetReadOnly);
                fail(context, &job, error);
            }
            Ok((handle, volume, was, wanted)) => {
                let (wanted, left_out) = without_new_set_id(wanted, &was);
                ready.push(Ready { job, handle, volume, was, wanted, left_out });
            }
            Err(error) => fail(context, &job, error),
        }
    }
    if ready.is_empty() || !context.promise(ready.iter().map(intent)) {
        ready.iter().for_each(|ready| ready.job.cancel(context));
        return;
    }
    let mut done = Vec::with_capacity(ready.len());
    for ready in ready {
        // Others were looked at and the journal was synced since. A date that an edit gave it would be lost, and with it the
        // only sign of the edit.
        if !is_as_looked_at(&ready) {
            let error = Error::new(Op::SetMetadata, ready.job.path(context), ErrorKind::TargetStale);
            fail(context, &ready.job, error);
            continue;
        }
        match give(context, &ready) {
            Ok((now, not_kept)) => {
                let kept = what_was_kept(&ready, &now);
                done.push((ready.job, FileStamp::of(&now), kept, not_kept));
            }
            Err(error) => {
                context.set_untidy();
                fail(context, &ready.job, error.with_target(TargetState::Unknown));
            }
        }
    }
    let failed = if done.is_empty() { None } else { context.sync_all_volumes() };
    for (job, now, kept, not_kept) in done {
        if let Some(code) = &failed {
            context.set_untidy();
            let error = Error::os(Op::Sync, job.path(context), code());
            fail(context, &job, error.with_target(TargetState::Unknown));
            continue;
        }
        if let Some(kept) = kept {
            context.note(&kept);
        }
        context.committed(job.number, Some(now));
        let outcome = Outcome::Done { evidence: Evidence::NoContent };
        context.emit(ItemReport { not_kept, ..job.report(outcome) });
    }
}

/// What is durable before anything is set.
fn intent(ready: &Ready<'_>) -> Record {
    intent_of(ready, ready.wanted)
}

fn intent_of(ready: &Ready<'_>, wanted: ItemMetadata) -> Record {
    let step = ready.job.number;
    let was = ItemMetadata::of(&ready.was, &wanted);
    match (ready.job.kind.is_dates(), was.dates(), wanted.dates()) {
        (true, Some(was), Some(wanted)) => Record::SettingTimes { step, was, wanted },
        _ => Record::SettingMetadata { step, was, wanted },
    }
}

/// What the system made of that which was set, where undo would not know the item by what was wanted: some drop bits, or a
/// date, and say nothing.
fn what_was_kept(ready: &Ready<'_>, now: &Metadata) -> Option<Record> {
    let set = [ItemMetadata::of(&ready.was, &ready.wanted), ready.wanted];
    let is_known = matches!(Has::of(&set, now, now.attributes), Has::Was | Has::Wanted);
    (!is_known).then(|| intent_of(ready, ItemMetadata::of(now, &ready.wanted)))
}

/// Whether the item is the one, and as, it was when the batch was gathered.
fn is_as_looked_at(ready: &Ready<'_>) -> bool {
    ready
        .handle
        .metadata()
        .is_ok_and(|now| ready.volume.numbers.unchanged(&now.fingerprint(), &ready.was.fingerprint()))
}

/// Gives the item what it is to have, durably unless its volume is synced as a whole. Returns what it has now, and which of
/// the dates the volume does not keep.
fn give(context: &Context<'_>, ready: &Ready<'_>) -> Result<(Metadata, Vec<NotKept>), Error> {
    let Ready { job, handle, volume, wanted, left_out, .. } = ready;
    let os = |op, e| Error::os(op, job.path(context), e);
    wanted.give(&**handle).map_err(|e| os(Op::SetMetadata, e))?;
    let now = handle.metadata().map_err(|e| os(Op::SetMetadata, e))?;
    if !volume.syncs_whole() {
        handle.sync().map_err(|e| os(Op::Sync, e))?;
    }
    let mut not_kept: Vec<_> = left_out.iter().cloned().collect();
    metadata::tell_times(&now, wanted.times(), &volume.facts, &context.tally, &mut not_kept);
    if wanted.attributes.is_some_and(|wanted| wanted != now.attributes) {
        not_kept.push("permissions".into());
    }
    Ok((now, not_kept))
}

type Found = (Arc<dyn Handle>, Arc<Volume>, Metadata, ItemMetadata);

/// Opens the file, if it and its source are what was compared.
fn look(
    context: &Context<'_>,
    ways: &mut (DirCursor, DirCursor),
    folder: &FolderPlan,
    step: &Step,
) -> Result<Found, Error> {
    let source_path = || context.source_path(&folder.source_path.join(&step.source_name));
    let path = || context.target_path(&folder.target_path.join(&step.target_name));
    let on_source = |e| Error::os(Op::Examine, source_path(), e);
    let on_target = |e| Error::os(Op::SetMetadata, path(), e);
    let refuse = |kind| Error::new(Op::SetMetadata, path(), kind);

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
    let wanted = ItemMetadata::from(dates(&wanted, &volume));
    Ok((file, volume, was, wanted))
}

/// As [`look`] for what the plan says by itself. What is in a folder, and when it was changed, may be otherwise by now.
fn look_planned(
    context: &Context<'_>,
    way: &mut DirCursor,
    item: &MetadataChange,
    taken: &HashSet<RelPath>,
) -> Result<Found, Error> {
    let os = |e| Error::os(Op::SetMetadata, context.target_path(&item.path), e);
    let refuse = |kind| Error::new(Op::SetMetadata, context.target_path(&item.path), kind);
    if let Some(protection) = item.protection {
        return Err(refuse(ErrorKind::Protected(protection)));
    }
    let Some((folder, name)) = item.path.split() else { return Err(refuse(ErrorKind::TargetStale)) };
    let above = std::iter::successors(Some(item.path.clone()), |path| path.split().map(|(above, _)| above));
    let is_link = item.expect.kind == Kind::Symlink;
    if is_link && item.set.attributes.is_some() || above.into_iter().any(|path| taken.contains(&path)) {
        return Err(os(io::ErrorKind::InvalidInput.into()));
    }
    let dir = way.open(&folder).map_err(os)?;
    let volume = context.volume_of(&dir).map_err(os)?;
    if is_link && !volume.probe.links.may_set_attributes(&volume.facts) {
        return Err(os(io::ErrorKind::Unsupported.into()));
    }
    let handle = open(&dir, &name, item.expect.kind).map_err(|e| match reason(&e) {
        OsReason::NotFound | OsReason::NotAFolder | OsReason::IsALink => refuse(ErrorKind::TargetStale),
        _ => os(e),
    })?;
    let was = handle.metadata().map_err(os)?;
    let as_seen = match item.expect.kind {
        Kind::Folder => {
            let same = volume.numbers.same_folder(&was, item.expect.id);
            same && was.attributes == item.expect.attributes
        }
        _ => context.target_unchanged(volume.numbers, &was, &item.expect),
    };
    if !as_seen {
        return Err(refuse(ErrorKind::TargetStale));
    }
    if item.set.attributes.is_some_and(|bits| !fcs_sys::user::bits_let_read(bits, was.owner)) {
        // Recovery and undo would have to open it again.
        return Err(refuse(ErrorKind::LocksOut));
    }
    let settable = volume.facts.created == fcs_sys::CreatedTime::Settable;
    let created = item.set.created.filter(|_| settable);
    Ok((handle, volume, was, ItemMetadata { created, ..item.set }))
}

/// What stays so could not be synced. Of a folder the attribute keeps nobody from anything.
fn stays_read_only(was: &Metadata, wanted: &ItemMetadata) -> bool {
    let stays = wanted.attributes.unwrap_or(was.attributes).has_read_only_attribute();
    was.kind == Kind::File && was.attributes.has_read_only_attribute() && stays
}

/// A set-user-id program must not run as another user than the one it was made for, and nothing tells who that is.
fn without_new_set_id(wanted: ItemMetadata, was: &Metadata) -> (ItemMetadata, Option<NotKept>) {
    let Some(bits) = wanted.attributes else { return (wanted, None) };
    let had = Attributes(was.attributes.0 & !was.attributes.without_set_id().0);
    let safe = Attributes(bits.without_set_id().0 | bits.0 & had.0);
    let told = "set-user-id or set-group-id bit (it is not known whose program it is)";
    let left_out = (safe != bits).then(|| NotKept::settled(told));
    (ItemMetadata { attributes: Some(safe), ..wanted }, left_out)
}

/// The dates that are set: what cannot be set is none of them.
fn dates(item: &Metadata, volume: &Volume) -> Dates {
    let settable = volume.facts.created == fcs_sys::CreatedTime::Settable;
    Dates { modified: item.modified, created: item.created.filter(|_| settable) }
}

impl JobKind<'_> {
    fn is_dates(&self) -> bool {
        matches!(self, Self::Dates(..))
    }
}

impl MetadataJob<'_> {
    fn path(&self, context: &Context<'_>) -> std::path::PathBuf {
        match self.kind {
            JobKind::Dates(folder, step) => context.target_path(&folder.target_path.join(&step.target_name)),
            JobKind::Planned(item) => context.target_path(&item.path),
        }
    }

    fn report(&self, outcome: Outcome) -> ItemReport {
        match self.kind {
            JobKind::Dates(folder, step) => ItemReport { outcome, ..Context::item(folder, step) },
            JobKind::Planned(item) => item.report(outcome),
        }
    }

    fn cancel(&self, context: &Context<'_>) {
        match self.kind {
            JobKind::Dates(folder, step) => context.cancel(folder, step),
            JobKind::Planned(_) => {
                context.emit(self.report(Outcome::Skipped { why: context.why_stopping() }));
            }
        }
    }
}

/// Nothing is missing on the target, so no removal is held back because of it.
fn fail(context: &Context<'_>, job: &MetadataJob<'_>, mut error: Error) {
    error.target.get_or_insert(TargetState::Original);
    context.emit(job.report(Outcome::Failed { error }));
}
