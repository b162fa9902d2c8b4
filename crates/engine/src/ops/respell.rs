//! Gives an item of the target the source's spelling of its name, on volumes that do not tell capital letters from small
//! ones as on those that do.
//!
//! Such a rename is the last thing that a run does, when everything else is done and every folder has its dates, and the
//! first that a recovery or an undo reverses: everything else then finds the paths that the journal lists. A recovery
//! that keeps what was done renames again at its end.
//!
//! | under the new spelling | then |
//! |---|---|
//! | the folder's list has it | renamed back at the beginning, and again at the end of a recovery that keeps |
//! | the folder's list lacks it | not reached |
//!
//! Invariants: no item is ever renamed over another one: where both spellings lead to an item, only the folder's own list
//! tells whether there is one or two. The deepest comes first, so that every path of the plan is as it was when its turn
//! comes; and each folder keeps the date that it had before something in it was renamed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;

use fcs_sys::{
    DirRef, Fingerprint, Kind, Metadata, Name, OsReason, Protection, RelPath, Rename, Root, Times, reason,
};

use crate::compare::{Differences, RowId, Verdict};
use crate::dir_cursor::DirCursor;
use crate::history::disk::Judge;
use crate::history::journal::Journal;
use crate::history::later::{Later, is_within};
use crate::history::ledger::{Ledger, LedgerStep};
use crate::history::record::StepKind;
use crate::history::recover::lift;
use crate::history::store::{move_to, names};
use crate::history::{FileStamp, Record, RecoveryAction, RecoveryItem};
use crate::identity::Numbers;
use crate::lift::Lifted;
use crate::ops::{First, folder_stamp, list_folder, step_record};
use crate::plan::{Part, Planner, RootIndex, RowAction, SELECTED};
use crate::progress::full_path;
use crate::report::{ActionKind, Evidence, ItemReport, NotKept, Outcome, SkipReason};
use crate::run::context::Context;
use crate::{Error, ErrorKind, Op, TargetState};

/// One item that is given another spelling of its name.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Renamed {
    /// The name that it has.
    pub from: Name,
    /// The one that it is to have.
    pub to: Name,
    /// What it is.
    pub kind: Kind,
    /// A flag that keeps everybody from renaming it.
    pub protection: Option<Protection>,
}

/// Items of one folder of a target.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RenamedIn {
    /// The root in which they are.
    pub root: RootIndex,
    /// Path below it, as it is before the run.
    pub path: RelPath,
    /// What the folder looked like.
    pub expect: Fingerprint,
    /// A flag that keeps everybody from renaming anything in it.
    pub protection: Option<Protection>,
    /// The items.
    #[serde(skip)]
    pub items: Vec<Renamed>,
}

impl Planner<'_> {
    fn is_spelled_differently(&self, row: RowId) -> bool {
        matches!(self.comparison.row(row).verdict, Verdict::Different(found) if found.spelling)
    }

    /// Whether nothing else of a row is to be changed.
    pub(crate) fn differs_in_spelling_alone(&self, row: RowId) -> bool {
        let alone = Differences { spelling: true, ..Differences::default() };
        self.comparison.row(row).verdict == Verdict::Different(alone)
    }

    /// Adds the renames, deepest first.
    pub(crate) fn emit_renames(&mut self) {
        if !self.work.copies {
            return;
        }
        // Rows are breadth-first.
        for row in (0..self.comparison.rows.len() as RowId).rev() {
            let items: Vec<Renamed> =
                self.comparison.children(row).filter_map(|child| self.renamed(child)).collect();
            let folder = self.comparison.entry(row, self.target).filter(|_| !items.is_empty());
            let Some(folder) = folder else { continue };
            self.plan.totals.renamed += items.len() as u64;
            self.plan.renames.push(RenamedIn {
                root: self.target.into(),
                path: self.comparison.path_on(row, self.target),
                expect: folder.fingerprint(),
                protection: folder.protection(),
                items,
            });
        }
    }

    fn renamed(&self, row: RowId) -> Option<Renamed> {
        if !self.is_spelled_differently(row)
            || !self.has(row, SELECTED)
            || matches!(self.action(row), RowAction::Skip(_))
        {
            return None;
        }
        let there = self.comparison.entry(row, self.target)?;
        // Names were checked when they were listed.
        let name = |side| Name::new(self.comparison.name_on(row, side)).ok();
        Some(Renamed {
            from: name(self.target)?,
            to: name(self.source)?,
            kind: there.kind,
            protection: there.protection(),
        })
    }
}

/// Renames everything that the plan says. Whether it is known what each name is.
pub(crate) fn carry_out(context: &Context<'_>) -> bool {
    let mut known = true;
    let plan = context.plan;
    let mut way = DirCursor::new(&context.target.dir);
    let mut next = First::of(&plan).respelled.step;
    for (place, folder) in plan.renames.iter().enumerate() {
        let first = next;
        next += folder.items.len() as u64;
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

/// Lists what is respelled.
pub(crate) fn list(plan: &Part<'_>, journal: &mut Journal) -> io::Result<()> {
    for folder in plan.renames {
        let steps = folder
            .items
            .iter()
            .map(|item| step_record(&item.from, None, StepKind::Respell { to: item.to.as_bytes().to_vec() }));
        let before = Some(folder_stamp(&folder.expect, None));
        list_folder(&folder.path, false, before, None, steps, journal)?;
    }
    Ok(())
}

/// Reports what is not renamed, for this reason.
pub(crate) fn give_up(context: &Context<'_>, why: SkipReason) {
    for folder in context.plan.renames {
        folder.items.iter().for_each(|item| leave(context, folder, item, why));
    }
}

fn open(
    context: &Context<'_>,
    way: &mut DirCursor,
    folder: &RenamedIn,
    place: usize,
) -> Result<DirRef, Error> {
    let path = || context.target_path(&folder.path);
    let os = |e| Error::os(Op::Open, path(), e);
    let dir = way.open(&folder.path).map_err(os)?;
    let now = dir.metadata().map_err(os)?;
    if let Some(protection) = now.protection {
        return Err(Error::new(Op::Change, path(), ErrorKind::Protected(protection)));
    }
    let number = First::of(&context.plan).respelled.folder + place;
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
    // A rename moves the change time, by which an earlier run knows its own: it learns the new one when this one is undone.
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
            let again = e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error);
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
    Os(io::Error),
    /// Something else is there, under the one name or the other.
    Stale,
    Protected(Protection),
}

impl From<io::Error> for Refused {
    fn from(e: io::Error) -> Self {
        match reason(&e) {
            OsReason::AlreadyExists | OsReason::NotFound => Self::Stale,
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
fn look(dir: &DirRef, item: &Renamed) -> Result<FileStamp, Refused> {
    if let Some(protection) = item.protection {
        return Err(Refused::Protected(protection));
    }
    let now = dir.stat(&item.from)?;
    if now.kind == item.kind { Ok(FileStamp::of(&now)) } else { Err(Refused::Stale) }
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
    let item = Context::skipped(folder.root, below(folder, item), SkipReason::Cancelled);
    ItemReport { action: ActionKind::Rename, ..item }
}

/// What became of a rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Respelled {
    /// The name is spelled as wanted.
    Done,
    /// The system said so, and the name is what it was: this volume keeps the spelling that it has.
    Ignored,
}

/// What the renaming back came to.
#[derive(Default)]
pub(crate) struct WentBack {
    /// What was done and what could not be; an item that is gone needs nothing.
    pub(crate) items: Vec<RecoveryItem>,
    /// Items as they were before the run renamed them, and as they are now.
    pub(crate) moved: Vec<(FileStamp, FileStamp)>,
    /// Numbers of the steps that were found renamed, and that were to be renamed back.
    pub(crate) steps: BTreeSet<u64>,
    /// Numbers of those that stay renamed, because of what others did.
    pub(crate) stay: BTreeSet<u64>,
    /// Paths that lead to nothing of the run, because what it renamed there did not get its name back.
    pub(crate) out_of_reach: HashSet<RelPath>,
}

/// Why an item keeps the name that the run gave it.
enum Stays {
    Os(io::Error),
    /// Another item has one of the two names, or a later run works with the new one.
    Others(ErrorKind),
}

impl From<io::Error> for Stays {
    fn from(e: io::Error) -> Self {
        match reason(&e) {
            taken @ OsReason::AlreadyExists => Self::Others(ErrorKind::Os(taken)),
            _ => Self::Os(e),
        }
    }
}

/// Renames `from` to `to`, another spelling of it. `AlreadyExists` where another item has that name.
///
/// Tried first is what every volume that distinguishes the two takes, and which goes over nothing: the folder is listed only
/// where that is refused, so that many names in one folder cost one rename each.
pub(crate) fn respell(dir: &DirRef, from: &Name, to: &Name) -> io::Result<Respelled> {
    match move_free(dir, from, to) {
        Ok(()) => {
            // Where the old spelling leads nowhere any more, it is the new one that the item has.
            let is_gone = matches!(dir.stat(from), Err(e) if reason(&e) == OsReason::NotFound);
            return Ok(if is_gone || names(dir)?.contains(to) {
                Respelled::Done
            } else {
                Respelled::Ignored
            });
        }
        Err(e) if matches!(reason(&e), OsReason::AlreadyExists | OsReason::NotFound) => {}
        Err(e) => return Err(e),
    }
    let there = names(dir)?;
    match (there.contains(from), there.contains(to)) {
        (true, false) => {}
        (true, true) => return Err(io::ErrorKind::AlreadyExists.into()),
        (false, true) => return Ok(Respelled::Done),
        (false, false) => return Err(io::ErrorKind::NotFound.into()),
    }
    // The other spelling is no name of its own and leads to something: to this very item, then, so that a rename over it
    // goes over nothing. Unless it was made after the folder was listed.
    let (item, other) = (dir.stat(from)?, dir.stat(to)?);
    if !Numbers::of(dir).same_item(&other, &item.fingerprint()) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    dir.rename(from, &**dir, to, Rename::Replace)?;
    Ok(if names(dir)?.contains(to) { Respelled::Done } else { Respelled::Ignored })
}

fn move_free(dir: &DirRef, from: &Name, to: &Name) -> io::Result<()> {
    #[cfg(fcs_planted)]
    if crate::planted::is(crate::planted::Fault::RespellOverOther) {
        return dir.rename(from, &**dir, to, Rename::Replace);
    }
    move_to(dir, from, dir, to)
}

/// Gives the items of the steps that are `meant` the spelling that they had, the shallowest first. What later runs that stay
/// have changed keeps its name, and so does what somebody else has put there.
pub(crate) fn rename_back(
    root: &Root,
    ledger: &Ledger,
    journal: &mut Journal,
    lifted: &mut Lifted,
    later: &Later,
    meant: &dyn Fn(&LedgerStep) -> bool,
) -> WentBack {
    let mut way = DirCursor::new(&root.dir);
    let mut back = WentBack::default();
    let judge = Judge::of(ledger);
    let spelled = spelled_anew(ledger);
    // The journal lists the deepest first.
    for folder in ledger.folders.iter().rev() {
        for step in ledger.steps[folder.steps.clone()].iter().rev() {
            let Some(now) = step.respelled().filter(|_| meant(step)) else { continue };
            let path = folder.path.join(&step.name);
            let is_kept = is_within(&back.out_of_reach, &folder.path)
                || later.changed(&path)
                || later.changed_in(&spelled(&path));
            let done = if is_kept {
                Err(Stays::Others(ErrorKind::ChangedSince))
            } else {
                way.open(&folder.path).map_err(Stays::Os).and_then(|dir| {
                    if !is_renamed(&judge, &dir, now, step)? {
                        return Ok(None);
                    }
                    lift(lifted, folder, &dir, journal)?;
                    back.steps.insert(step.number);
                    let done = respell(&dir, now, &step.name)?;
                    if let Some(before) = step.new {
                        back.moved.push((before, FileStamp::of(&dir.stat(&step.name)?)));
                    }
                    Ok(Some(done))
                })
            };
            let error = match done {
                Ok(Some(Respelled::Done)) => {
                    back.items.push(RecoveryItem::done(path, RecoveryAction::NameRestored));
                    continue;
                }
                Ok(Some(Respelled::Ignored) | None) => continue,
                Err(Stays::Os(e)) if matches!(reason(&e), OsReason::NotFound | OsReason::NotAFolder) => {
                    continue;
                }
                Err(Stays::Os(e)) => Error::os(Op::Restore, full_path(&root.path, &folder.path.join(now)), e),
                Err(Stays::Others(kind)) => {
                    back.steps.remove(&step.number);
                    back.stay.insert(step.number);
                    Error::new(Op::Restore, full_path(&root.path, &folder.path.join(now)), kind)
                }
            };
            back.out_of_reach.insert(path.clone());
            back.items.push(RecoveryItem::left(path, error));
        }
    }
    back
}

/// Whether the item of a step has the new spelling of its name. Of a step that was committed it should.
fn is_renamed(judge: &Judge, dir: &DirRef, now: &Name, step: &LedgerStep) -> Result<bool, Stays> {
    if !names(dir)?.contains(now) {
        return Ok(false);
    }
    let there = FileStamp::of(&dir.stat(now)?);
    let proves = judge.numbers(dir)? == Numbers::Last;
    match step.new {
        Some(item) if proves && !there.may_be(&item) && step.committed => {
            Err(Stays::Others(ErrorKind::ChangedSince))
        }
        Some(item) => Ok(!proves || there.may_be(&item)),
        None => Ok(true),
    }
}

/// Tells the path that an item of a run has after all of the run's renames.
fn spelled_anew(ledger: &Ledger) -> impl Fn(&RelPath) -> RelPath + use<> {
    let steps = ledger.folders.iter().flat_map(|folder| {
        let steps = ledger.steps[folder.steps.clone()].iter();
        steps.filter_map(|step| Some((folder.path.join(&step.name), step.respelled().cloned()?)))
    });
    let names: HashMap<RelPath, Name> = steps.collect();
    move |path| {
        let (mut before, mut after) = (RelPath::root(), RelPath::root());
        for name in path.names() {
            before = before.join(&name);
            after = after.join(names.get(&before).unwrap_or(&name));
        }
        after
    }
}

/// Renames again what [`rename_back`] found renamed, the deepest first. Each folder keeps its date. Returns what could not be.
pub(crate) fn go_forward(
    root: &Root,
    ledger: &mut Ledger,
    journal: &mut Journal,
    again: &BTreeSet<u64>,
) -> Vec<RecoveryItem> {
    let mut way = DirCursor::new(&root.dir);
    let mut items = Vec::new();
    for folder in ledger.folders.iter().filter(|_| !again.is_empty()) {
        let steps = &mut ledger.steps[folder.steps.clone()];
        let mut meant: Vec<_> = steps.iter_mut().filter(|step| again.contains(&step.number)).collect();
        if meant.is_empty() {
            continue;
        }
        let done = way.open(&folder.path).and_then(|dir| {
            let before = dir.metadata()?;
            let mut lifted = Lifted::default();
            lift(&mut lifted, folder, &dir, journal)?;
            for step in &meant {
                let Some(to) = step.respelled() else { continue };
                respell(&dir, &step.name, to)?;
            }
            keep_date(&dir, &before);
            // While its path is still the one that it had.
            lifted.give_back(&root.dir);
            dir.sync()
        });
        match done {
            Ok(()) => items.extend(meant.iter_mut().filter(|step| !step.committed).map(|step| {
                journal.append(&Record::Committed { step: step.number, new: step.new });
                step.committed = true;
                RecoveryItem::done(folder.path.join(&step.name), RecoveryAction::KeptNew)
            })),
            Err(e) => {
                let error = Error::os(Op::Restore, full_path(&root.path, &folder.path), e);
                items.push(RecoveryItem::left(folder.path.clone(), error));
            }
        }
    }
    items
}

/// Gives a folder the date that it had before something in it was renamed. Only its owner may, and somebody else's folder
/// has no date of this user's to lose.
pub(crate) fn keep_date(dir: &DirRef, before: &Metadata) {
    if let Err(error) = dir.set_times(Times { modified: Some(before.modified), created: None }) {
        tracing::debug!(%error, "the date of a folder in which something was renamed stays");
    }
}
