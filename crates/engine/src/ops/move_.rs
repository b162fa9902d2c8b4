//! Moves an item of the target to another path of it, in one rename.
//!
//! Carried out when everything is copied, so that the folders it moves to are there, and before anything is removed, so
//! that those it comes from still are. A plan moves nothing from, to or below a path that it also copies to, moves or
//! removes; what does not hold to that is refused, item by item.
//!
//! | at the new path | at the old path | then |
//! |---|---|---|
//! | the item | nothing, or something else | committed |
//! | the item | the same item, by two names | the new name goes; not moved |
//! | anything else | the item | not moved |
//! | anything else | anything else | told as lost: somebody else moved or removed it |
//!
//! Undo moves the item back, if it is as the run left it and nothing has its old name.
//!
//! Invariants: an item is never moved over another one; it is moved only while it is what the plan saw, and what came out
//! of the rename is looked at again. That it keeps its dates, permissions and attributes follows from the rename.

use std::collections::HashSet;
use std::io;

use fcs_sys::{DirRef, Fingerprint, Kind, Metadata, Name, OsReason, Protection, RelPath, reason};

use crate::compare::{Comparison, RowId, Side};
use crate::dir_cursor::DirCursor;
use crate::history::disk::{Judge, if_there};
use crate::history::ledger::LedgerStep;
use crate::history::record::{FolderStamp, StepKind, StepRecord};
use crate::history::recover::{SettleError, Settled, Settler};
use crate::history::undo::{Back, Refusal, is_no_folder};
use crate::history::{FileStamp, Record, RecoveryAction};
use crate::identity::Numbers;
use crate::lift::move_lifted;
use crate::names::is_ours;
use crate::ops::{ItemChange, Place, SingleItem, When, folder_stamp, placed, step_record};
use crate::plan::file::OURS;
use crate::plan::{Plan, RootIndex};
use crate::report::{ActionKind, Evidence, Outcome, SkipReason};
use crate::run::context::Context;
use crate::{Error, ErrorKind, Op, TargetState};

/// One item that moves.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Moved {
    /// The root in which it moves.
    pub root: RootIndex,
    /// Where it is, below the root.
    pub from: RelPath,
    /// Where it goes; nothing may be there.
    pub to: RelPath,
    /// What it looked like.
    pub expect: Fingerprint,
    /// What the folder looked like in which it is.
    pub from_folder: Fingerprint,
    /// What the folder looked like to which it goes; `None` if the plan makes it.
    pub to_folder: Option<Fingerprint>,
    /// A flag that keeps everybody from moving it.
    pub protection: Option<Protection>,
}

impl SingleItem for Moved {
    fn action(&self) -> ActionKind {
        ActionKind::Move
    }

    fn root(&self) -> RootIndex {
        self.root
    }

    fn path(&self) -> &RelPath {
        &self.from
    }

    fn new_path(&self) -> Option<&RelPath> {
        Some(&self.to)
    }

    fn when(&self) -> When {
        When::BeforeRemovals
    }

    fn forbidden(&self) -> Option<&'static str> {
        if self.from.is_root() || self.to.is_root() {
            return Some("the root cannot move");
        }
        (is_ours(&self.from) || is_ours(&self.to)).then_some(OURS)
    }

    fn step(&self) -> Option<(RelPath, FolderStamp, StepRecord)> {
        let [(from, name), _] = self.split()?;
        let kind = StepKind::Move { to: self.to.as_bytes().to_vec() };
        let step = step_record(&name, Some(&self.expect), kind);
        Some((from, folder_stamp(&self.from_folder, None), step))
    }

    fn other_folder(&self) -> Option<(RelPath, FolderStamp)> {
        let (to, _) = self.to.split()?;
        self.to_folder.as_ref().map(|folder| (to, folder_stamp(folder, None)))
    }
}

impl Moved {
    /// Both parents and names; `None` for the root itself.
    fn split(&self) -> Option<[(RelPath, Name); 2]> {
        Some([self.from.split()?, self.to.split()?])
    }
}

impl Plan {
    /// Adds that the item which `side` has of `row` moves there into the folder of the row `into`, to be called `name`.
    /// `false`, and nothing is added, where the plan does not write to that side, or that has no such item, or no such
    /// folder and does not get one by this plan.
    pub fn add_move(
        &mut self,
        comparison: &Comparison,
        side: Side,
        row: RowId,
        into: RowId,
        name: &Name,
    ) -> bool {
        let root = RootIndex::from(side);
        let parent = comparison.row(row).parent;
        let (Some(item), Some(from_folder)) = (comparison.entry(row, side), comparison.entry(parent, side))
        else {
            return false;
        };
        let path = comparison.path_on(into, side);
        let is_made = self
            .folders
            .iter()
            .any(|folder| folder.target_root == root && folder.create && folder.target_path == path);
        let to_folder = comparison.entry(into, side).filter(|there| there.kind == Kind::Folder && !is_made);
        if row == Comparison::ROOT || !is_made && to_folder.is_none() {
            return false;
        }
        self.add_change(ItemChange::Move(Moved {
            root,
            from: comparison.path_on(row, side),
            to: path.join(name),
            expect: item.fingerprint(),
            from_folder: from_folder.fingerprint(),
            to_folder: to_folder.map(|entry| entry.fingerprint()),
            protection: item.protection(),
        }))
    }
}

/// A move that is about to be made.
struct Ready<'a> {
    item: &'a Moved,
    number: u64,
    from: (DirRef, Name),
    to: (DirRef, Name),
    numbers: Numbers,
    was: Metadata,
}

/// Moves everything that the plan says.
pub(crate) fn carry_out(context: &Context<'_>) {
    let plan = context.plan;
    let moves = placed(&plan, When::BeforeRemovals).filter_map(|(place, change)| {
        let ItemChange::Move(item) = change else { return None };
        Some((place, item))
    });
    let moves: Vec<(Place, &Moved)> = moves.collect();
    let paths: HashSet<&RelPath> = moves.iter().flat_map(|(_, item)| [&item.from, &item.to]).collect();
    // Each holds two folders open.
    let most = context.batch_files.min(context.batch_handles / 2).max(1);
    for batch in moves.chunks(most) {
        // A folder that has moved is not to be met by its old path.
        let mut way = DirCursor::new(&context.target.dir);
        let mut ready = Vec::with_capacity(batch.len());
        for &(place, item) in batch {
            if context.should_stop() {
                leave(context, item, context.why_stopping());
                continue;
            }
            match look(context, &mut way, item, place, &paths) {
                Ok(found) => ready.push(found),
                Err(error) => fail(context, item, error),
            }
        }
        drop(way);
        if !ready.is_empty() {
            move_all(context, ready);
        }
    }
}

/// Opens both folders, if the item is what the plan saw and nothing is where it goes.
fn look<'a>(
    context: &Context<'_>,
    way: &mut DirCursor,
    item: &'a Moved,
    place: Place,
    paths: &HashSet<&RelPath>,
) -> Result<Ready<'a>, Error> {
    let os = |e| Error::os(Op::Move, context.target_path(&item.from), e);
    let refuse = |kind| Error::new(Op::Move, context.target_path(&item.from), kind);
    if let Some(protection) = item.protection {
        return Err(refuse(ErrorKind::Protected(protection)));
    }
    let is_entangled = |path: &RelPath| {
        std::iter::successors(path.split(), |(parent, _)| parent.split())
            .any(|(parent, _)| paths.contains(&parent))
    };
    if is_entangled(&item.from) || is_entangled(&item.to) {
        return Err(os(io::ErrorKind::InvalidInput.into()));
    }
    let Some([(from_path, from_name), (to_path, to_name)]) = item.split() else {
        return Err(os(io::ErrorKind::InvalidInput.into()));
    };
    let from = way.open(&from_path).map_err(os)?;
    let volume = context.volume_of(&from).map_err(os)?;
    let was = from.stat(&from_name).map_err(|e| match reason(&e) {
        OsReason::NotFound => refuse(ErrorKind::TargetStale),
        _ => os(e),
    })?;
    if !is_as_planned(context, volume.numbers, &was, &item.expect) {
        return Err(refuse(ErrorKind::TargetStale));
    }
    let to_error = |e| Error::os(Op::Move, context.target_path(&item.to), e);
    if volume.probe.names.refuses(to_name.as_bytes()) {
        return Err(Error::new(
            Op::Create,
            context.target_path(&item.to),
            ErrorKind::Os(OsReason::InvalidName),
        ));
    }
    let to = way.open(&to_path).map_err(to_error)?;
    if if_there(to.stat(&to_name)).map_err(to_error)?.is_some() {
        return Err(Error::new(Op::Create, context.target_path(&item.to), ErrorKind::TargetStale));
    }
    for (path, dir, number, seen) in [
        (&from_path, &from, Some(place.folder), Some(&item.from_folder)),
        (&to_path, &to, item.to_folder.map(|_| place.folder + 1), item.to_folder.as_ref()),
    ] {
        let now = dir.metadata().map_err(os)?;
        if let Some(protection) = now.protection {
            return Err(Error::new(Op::Change, context.target_path(path), ErrorKind::Protected(protection)));
        }
        // One that this run made may still be worked in.
        if let (Some(number), Some(seen)) = (number, seen) {
            context.lift(path, dir, &now, (number, Some(seen.attributes))).map_err(os)?;
        }
    }
    Ok(Ready {
        item,
        number: place.step,
        from: (from, from_name),
        to: (to, to_name),
        numbers: volume.numbers,
        was,
    })
}

/// What is in a folder may have changed; it goes along.
fn is_as_planned(context: &Context<'_>, numbers: Numbers, now: &Metadata, seen: &Fingerprint) -> bool {
    if now.kind == Kind::Folder && seen.kind == Kind::Folder {
        return numbers.same_folder(now, seen.id);
    }
    context.target_unchanged(numbers, now, seen)
}

fn move_all(context: &Context<'_>, ready: Vec<Ready<'_>>) {
    let intent = |ready: &Ready<'_>| Record::Intent {
        step: ready.number,
        new: Some(FileStamp::of(&ready.was)),
        hash: None,
    };
    if !context.promise(ready.iter().map(intent)) {
        ready.iter().for_each(|ready| leave(context, ready.item, SkipReason::Stopped));
        return;
    }
    let mut done = Vec::with_capacity(ready.len());
    for ready in ready {
        match move_one(context, &ready) {
            Ok(seen) => done.push((ready, seen)),
            Err(error) => fail(context, ready.item, error),
        }
    }
    let mut failed = if done.is_empty() { None } else { context.sync_all_volumes().map(|error| error()) };
    for (ready, _) in &done {
        for dir in [&ready.to.0, &ready.from.0] {
            if failed.is_none()
                && let Err(e) = context
                    .volume_of(dir)
                    .and_then(|volume| if volume.syncs_whole() { Ok(()) } else { dir.sync() })
            {
                failed = Some(e);
            }
        }
    }
    for (ready, seen) in done {
        if let Some(e) = &failed {
            context.set_untidy();
            let again = e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error);
            let error = Error::os(Op::Sync, context.target_path(&ready.item.to), again);
            fail(context, ready.item, error.with_target(TargetState::Unknown));
            continue;
        }
        context.committed(ready.number, Some(seen));
        context.emit(ready.item.report(Outcome::Done { evidence: Evidence::NoContent }));
    }
}

fn move_one(context: &Context<'_>, ready: &Ready<'_>) -> Result<FileStamp, Error> {
    let Ready { item, number, from, to, numbers, was } = ready;
    let os = |e| Error::os(Op::Move, context.target_path(&item.from), e);
    let stale = || Error::new(Op::Move, context.target_path(&item.from), ErrorKind::TargetStale);
    let lift = |attributes| {
        let record = Record::LiftedItem { step: *number, was: attributes };
        if context.promise([record]) { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    };
    move_lifted(&from.0, &from.1, &to.0, &to.1, lift).map_err(|e| match reason(&e) {
        OsReason::AlreadyExists | OsReason::NotFound => stale(),
        _ => os(e),
    })?;
    let is_the_item = |now: &Metadata| match now.kind {
        Kind::Folder => {
            was.kind == Kind::Folder
                && (*numbers == Numbers::ProveNothing || now.id.may_be_after_rename(was.id))
        }
        _ => numbers.same_after_rename(&now.fingerprint(), &was.fingerprint()),
    };
    match to.0.stat(&to.1) {
        Ok(now) if is_the_item(&now) => Ok(FileStamp::of(&now)),
        // Another program replaced it between the look and the rename, or has taken it away since.
        _ => match move_lifted(&to.0, &to.1, &from.0, &from.1, lift) {
            Ok(()) => Err(stale()),
            Err(e) => {
                context.set_untidy();
                Err(os(e).with_target(TargetState::Unknown))
            }
        },
    }
}

fn leave(context: &Context<'_>, item: &Moved, why: SkipReason) {
    context.emit(item.report(Outcome::Skipped { why }));
}

/// The item is where it was.
fn fail(context: &Context<'_>, item: &Moved, mut error: Error) {
    error.target.get_or_insert(TargetState::Original);
    context.note_failed_move([&item.from, &item.to], item.expect);
    context.emit(item.report(Outcome::Failed { error }));
}

/// What is at a name, if that is the item of a step that moves it.
fn item_at(judge: &Judge, dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<Option<FileStamp>> {
    let Some(now) = if_there(dir.stat(name))? else { return Ok(None) };
    let (now, Some(before)) = (FileStamp::of(&now), step.before) else { return Ok(None) };
    let is_it = match judge.numbers(dir)? {
        Numbers::Last => now.file == before.file && now.kind == before.kind || now.is_after_rename(&before),
        Numbers::ProveNothing => now.looks_like(&before),
    };
    Ok(is_it.then_some(now))
}

/// Whether two names lead to one file, of which one may go. Never said of folders, nor where numbers prove nothing.
fn is_one_file(judge: &Judge, dir: &DirRef, a: &FileStamp, b: &FileStamp) -> io::Result<bool> {
    Ok(judge.numbers(dir)? == Numbers::Last && a.file == b.file && a.kind != Kind::Folder)
}

/// Recovers one move; see the table above. `dir` is the folder that the item left, where it is still there.
pub(crate) fn settle(
    settler: &Settler<'_>,
    way: &mut DirCursor,
    dir: Option<&DirRef>,
    step: &LedgerStep,
    to: &RelPath,
) -> Result<Settled, SettleError> {
    let Some((to_path, to_name)) = to.split() else { return Ok(Settled::Untouched) };
    let to_dir = match way.open(&to_path) {
        Ok(dir) => Some(dir),
        Err(e) if is_no_folder(&e) => None,
        Err(e) => return Err(e.into()),
    };
    let there = match &to_dir {
        Some(to_dir) => item_at(&settler.judge, to_dir, &to_name, step)?,
        None => None,
    };
    let here = match dir {
        Some(dir) => item_at(&settler.judge, dir, &step.name, step)?,
        None => None,
    };
    match (there, here, to_dir) {
        (Some(seen), None, _) => Ok(Settled::Committed(Some(seen))),
        (Some(seen), Some(old), Some(to_dir)) if is_one_file(&settler.judge, &to_dir, &seen, &old)? => {
            to_dir.remove_file(&to_name)?;
            Ok(Settled::Done(RecoveryAction::KeptOld))
        }
        (_, Some(_), _) => Ok(Settled::Untouched),
        (None, None, _) => Err(SettleError::Lost),
    }
}

impl Back<'_> {
    /// Moves an item back to where it was.
    pub(crate) fn return_moved(
        &mut self,
        dir: &DirRef,
        _: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        let changed = || Refusal::Kind(ErrorKind::ChangedSince);
        let Some(to) = step.does.new_path() else { return Ok(None) };
        let Some((to_path, to_name)) = to.split() else { return Ok(None) };
        if self.is_elsewhere(to) {
            return Err(changed());
        }
        let to_dir = match self.open(&to_path) {
            Ok(dir) => Some(dir),
            Err(e) if is_no_folder(&e) => None,
            Err(e) => return Err(e.into()),
        };
        let there = match &to_dir {
            Some(to_dir) => item_at(&self.judge, to_dir, &to_name, step)?,
            None => None,
        };
        let here = item_at(&self.judge, dir, &step.name, step)?;
        match (there, here, to_dir) {
            (Some(now), None, Some(to_dir)) => {
                // A folder moves back with whatever is in it by now.
                if step.new.is_some_and(|new| !now.looks_like(&new)) {
                    return Err(changed());
                }
                self.move_item(&to_dir, &to_name, dir, step)?;
                Ok(Some(RecoveryAction::MovedBack))
            }
            (Some(now), Some(old), Some(to_dir)) if is_one_file(&self.judge, &to_dir, &now, &old)? => {
                to_dir.remove_file(&to_name)?;
                Ok(Some(RecoveryAction::MovedBack))
            }
            // By an attempt before this one.
            (None, Some(_), _) => Ok(Some(RecoveryAction::MovedBack)),
            _ => Err(changed()),
        }
    }
}
