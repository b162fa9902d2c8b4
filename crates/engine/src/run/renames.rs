//! Gives items of the target the source's spelling of their names, when everything else is done and every folder has its
//! dates.
//!
//! Invariant: the deepest first, so that paths are those of the plan; and each folder keeps the date that it had before
//! something in it was renamed.

use fcs_sys::{DirRef, RelPath};

use super::context::Context;
use crate::plan::{Renamed, RenamedIn};
use crate::report::{ActionKind, Evidence, ItemReport, NotKept, Outcome, SkipReason};
use crate::runs::{Record, Respelled, Seen, keep_date, respell};
use crate::way::Way;
use crate::{Error, ErrorKind, Op, TargetState};

/// Renames everything that the plan says. Whether it is known what each name is.
pub(super) fn carry_out(context: &Context<'_>) -> bool {
    let mut known = true;
    let plan = context.plan;
    let mut way = Way::new(&context.target.dir);
    let mut next = plan.folders.iter().map(|folder| folder.steps.len()).sum::<usize>()
        + plan.removals.iter().map(|folder| folder.items.len()).sum::<usize>()
        + 1;
    for (place, folder) in plan.renames.iter().enumerate() {
        let first = next as u64;
        next += folder.items.len();
        if context.should_stop() {
            folder.items.iter().for_each(|item| leave(context, folder, item, context.why_stopping()));
            continue;
        }
        match open(context, &mut way, folder, place) {
            Ok(dir) => known &= rename(context, folder, &dir, first),
            Err(error) => {
                for item in &folder.items {
                    fail(context, folder, item, error.clone());
                }
            }
        }
    }
    known
}

/// Reports what is not renamed, for this reason.
pub(super) fn give_up(context: &Context<'_>, why: SkipReason) {
    for folder in &context.plan.renames {
        folder.items.iter().for_each(|item| leave(context, folder, item, why));
    }
}

fn open(context: &Context<'_>, way: &mut Way, folder: &RenamedIn, place: usize) -> Result<DirRef, Error> {
    let path = || context.target_path(&folder.path);
    let os = |e| Error::os(Op::Open, path(), e);
    let dir = way.open(&folder.path).map_err(os)?;
    let now = dir.metadata().map_err(os)?;
    if let Some(protection) = now.protection {
        return Err(Error::new(Op::Change, path(), ErrorKind::Protected(protection)));
    }
    let number = context.plan.folders.len() + context.plan.removals.len() + place;
    context.lift(&folder.path, &dir, &now, (number, Some(folder.expect.attributes))).map_err(os)?;
    Ok(dir)
}

fn rename(context: &Context<'_>, folder: &RenamedIn, dir: &DirRef, first: u64) -> bool {
    let before = match dir.metadata() {
        Ok(before) => before,
        Err(e) => {
            let error = Error::os(Op::Examine, context.target_path(&folder.path), e);
            folder.items.iter().for_each(|item| fail(context, folder, item, error.clone()));
            return true;
        }
    };
    let mut known = true;
    let mut found = Vec::with_capacity(folder.items.len());
    for (number, item) in (first..).zip(&folder.items) {
        match look(dir, item) {
            Ok(seen) => found.push((number, item, seen)),
            Err(refused) => fail(context, folder, item, refused.told(path(context, folder, item))),
        }
    }
    // A rename moves the change time, by which an earlier run knows its own: it is told when this one is undone.
    let intents = found.iter().map(|&(step, _, seen)| Record::Intent { step, new: Some(seen), hash: None });
    if !context.promise(intents) {
        found.iter().for_each(|(_, item, _)| leave(context, folder, item, SkipReason::Stopped));
        return false;
    }
    let mut done = Vec::new();
    for (number, item, seen) in found {
        match respell(dir, &item.from, &item.to).map_err(Refused::from) {
            Ok(Respelled::Done) => done.push((number, item, seen, Vec::new())),
            Ok(Respelled::Ignored) => {
                let lost = NotKept::settled("the spelling of its name (this volume keeps its own)");
                done.push((number, item, seen, vec![lost]));
            }
            Err(refused) => fail(context, folder, item, refused.told(path(context, folder, item))),
        }
    }
    keep_date(dir, &before);
    if let Some(was) = context.take_lifted(&folder.path)
        && let Err(e) = crate::lift::give_back(&**dir, was)
    {
        // By the handle, because its path is about to change.
        context.complain(&Error::os(Op::SetMetadata, context.target_path(&folder.path), e));
        known = false;
    }
    let synced = context
        .volume_of(dir)
        .and_then(|volume| if volume.syncs_whole() { volume.sync_whole() } else { dir.sync() });
    for (number, item, seen, not_kept) in done {
        if let Err(e) = &synced {
            let again = e.raw_os_error().map_or_else(|| e.kind().into(), std::io::Error::from_raw_os_error);
            let error = Error::os(Op::Sync, path(context, folder, item), again);
            fail(context, folder, item, error.with_target(TargetState::Unknown));
            continue;
        }
        context.committed(number, Some(seen));
        let outcome = Outcome::Done { evidence: Evidence::NoContent };
        context.emit(ItemReport { outcome, not_kept, ..report(folder, item) });
    }
    known && synced.is_ok()
}

enum Refused {
    Os(std::io::Error),
    /// Something else is there, under the one name or the other.
    Stale,
    Protected(fcs_sys::Protection),
}

impl From<std::io::Error> for Refused {
    fn from(e: std::io::Error) -> Self {
        match fcs_sys::reason(&e) {
            fcs_sys::OsReason::AlreadyExists | fcs_sys::OsReason::NotFound => Self::Stale,
            _ => Self::Os(e),
        }
    }
}

impl Refused {
    fn told(self, path: std::path::PathBuf) -> Error {
        match self {
            Self::Os(e) => Error::os(Op::Rename, path, e),
            Self::Stale => Error::new(Op::Rename, path, ErrorKind::TargetStale),
            Self::Protected(protection) => Error::new(Op::Rename, path, ErrorKind::Protected(protection)),
        }
    }
}

/// The item as it is, if it may be renamed. That its content is another one by now does not matter: it goes along.
fn look(dir: &DirRef, item: &Renamed) -> Result<Seen, Refused> {
    if let Some(protection) = item.protection {
        return Err(Refused::Protected(protection));
    }
    let now = dir.stat(&item.from)?;
    if now.kind == item.kind { Ok(Seen::of(&now)) } else { Err(Refused::Stale) }
}

fn path(context: &Context<'_>, folder: &RenamedIn, item: &Renamed) -> std::path::PathBuf {
    context.target_path(&below(folder, item))
}

fn below(folder: &RenamedIn, item: &Renamed) -> RelPath {
    folder.path.join(&item.from)
}

fn leave(context: &Context<'_>, folder: &RenamedIn, item: &Renamed, why: SkipReason) {
    context.emit(ItemReport { outcome: Outcome::Skipped { why }, ..report(folder, item) });
}

/// The item is what it was, by its old name.
fn fail(context: &Context<'_>, folder: &RenamedIn, item: &Renamed, mut error: Error) {
    error.target.get_or_insert(TargetState::Original);
    context.emit(ItemReport { outcome: Outcome::Failed { error }, ..report(folder, item) });
}

fn report(folder: &RenamedIn, item: &Renamed) -> ItemReport {
    ItemReport { action: ActionKind::Rename, ..Context::skipped(below(folder, item), SkipReason::Cancelled) }
}
