//! What can happen to one name, from plan to undo: one operation per file.
//!
//! Each file holds what is particular to its operation: how it is planned where that is not a matter of one line, how the
//! journal lists it, how it is carried out where that needs no machinery of its own in `run/`, what a recovery makes of
//! what it finds (one table per operation), and how undo reverses it. What all of them share is elsewhere: the planner's loop
//! in `plan.rs`, the records in `history/record.rs`, the loops over folders in `history/recover.rs` and `history/undo.rs`.
//!
//! To add one that changes a single item: a file here, its arms in this file (an [`ItemChange`] that plans list, an
//! [`Operation`] that journals list), and what it is called in `vocabulary.rs`. Plan files, totals, counts, the order of a run,
//! recovery and undo go by these; what front ends say of it is one file of theirs.

pub(crate) mod change_counts;
pub(crate) mod make_folder;
pub(crate) mod move_;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod respell;
pub(crate) mod set_metadata;
pub(crate) mod vocabulary;

use std::io;

use fcs_sys::{DirRef, Fingerprint, Name, RelPath, Time};
use serde::{Deserialize, Serialize};

use crate::dir_cursor::DirCursor;
use crate::history::journal::Journal;
use crate::history::ledger::LedgerStep;
use crate::history::record::{self, FileStamp, FolderRecord, FolderStamp, StepKind, StepRecord};
use crate::history::recover::{SettleError, Settled, Settler};
use crate::history::undo::{Act, Back};
use crate::history::{Record, RecoveryAction};
use crate::plan::{Part, Plan, RootIndex};
use crate::report::{ActionKind, ItemReport, Outcome, SkipReason};
use crate::run::context::Context;

/// What plans say of changes of single items.
pub(crate) mod planned {
    pub use super::ItemChange;
    pub use super::move_::{Moved, SourceOfMove};
    pub use super::set_metadata::{ItemMetadata, MetadataChange};
}

/// Something that a plan changes of one item by itself, below a root that it writes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemChange {
    /// It moves to another path.
    Move(move_::Moved),
    /// It gets other permissions, attributes or dates.
    SetMetadata(set_metadata::MetadataChange),
}

/// When in a run a change is made. Everything is copied before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    /// Folders from which items are removed are still there.
    BeforeRemovals,
    /// Everything else is done but the respelling of names.
    AtTheEnd,
}

/// What has to be known of every change of a single item.
pub(crate) trait SingleItem {
    /// What a report calls it.
    fn action(&self) -> ActionKind;

    fn root(&self) -> RootIndex;

    /// Where the item is, below the root.
    fn path(&self) -> &RelPath;

    /// Where it is afterwards, if that is another path.
    fn new_path(&self) -> Option<&RelPath> {
        None
    }

    fn when(&self) -> When;

    /// Why no plan may have it, whoever wrote the plan.
    fn forbidden(&self) -> Option<&'static str>;

    /// The step that it is, behind the folder that it is in, as the plan saw that.
    fn step(&self) -> Option<(RelPath, FolderStamp, StepRecord)>;

    /// Another folder that it changes, listed behind it, so that undo gives that its dates back too.
    fn other_folder(&self) -> Option<(RelPath, FolderStamp)> {
        None
    }

    fn report(&self, outcome: Outcome) -> ItemReport {
        let report = Context::skipped(self.root(), self.path().clone(), SkipReason::Cancelled);
        ItemReport { action: self.action(), outcome, ..report }
    }
}

impl ItemChange {
    pub(crate) fn single(&self) -> &dyn SingleItem {
        match self {
            Self::Move(item) => item,
            Self::SetMetadata(item) => item,
        }
    }

    /// What a report calls it.
    pub fn action(&self) -> ActionKind {
        self.single().action()
    }

    /// The root in which the item is.
    pub fn root(&self) -> RootIndex {
        self.single().root()
    }

    /// Where the item is, below the root.
    pub fn path(&self) -> &RelPath {
        self.single().path()
    }

    /// Where it is afterwards, if that is another path.
    pub fn new_path(&self) -> Option<&RelPath> {
        self.single().new_path()
    }
}

/// Makes the changes whose time has come.
pub(crate) fn carry_out(context: &Context<'_>, now: When) {
    match now {
        When::BeforeRemovals => move_::carry_out(context),
        When::AtTheEnd => set_metadata::carry_out_planned(context),
    }
}

/// Reports the changes that would be made then and are not, for this reason.
pub(crate) fn give_up(context: &Context<'_>, then: When, why: SkipReason) {
    let changes = context.plan.changes.iter().map(ItemChange::single).filter(|change| change.when() == then);
    changes.for_each(|change| context.emit(change.report(Outcome::Skipped { why })));
}

impl Plan {
    /// Adds a change where it belongs: what is done to one root stands together, in the order of the targets. `false` where
    /// the plan does not write to its root.
    pub(crate) fn add_change(&mut self, change: ItemChange) -> bool {
        let order = |change: &dyn SingleItem| {
            let target = self.targets.iter().position(|target| target.root == change.root());
            target.map(|target| (target, change.when()))
        };
        let Some(here) = order(change.single()) else { return false };
        let is_later = |other: &ItemChange| order(other.single()).is_some_and(|there| there > here);
        let at = self.changes.iter().position(is_later).unwrap_or(self.changes.len());
        self.totals.changes.count(change.action());
        self.targets[here.0].totals.changes.count(change.action());
        self.changes.insert(at, change);
        true
    }
}

/// What a step of a journal does with its name, checked. Folders that are made are listed as folders, not as steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Put,
    Remove,
    SetMetadata,
    Respell {
        /// The spelling.
        to: Name,
    },
    Move {
        /// Below the root.
        to: RelPath,
    },
}

impl Operation {
    /// What a journal says; `None` if it names something that no run names.
    pub(crate) fn of(kind: &StepKind) -> Option<Self> {
        Some(match kind {
            StepKind::Put => Self::Put,
            StepKind::Remove => Self::Remove,
            StepKind::SetMetadata => Self::SetMetadata,
            StepKind::Respell { to } => Self::Respell { to: record::checked_name(to)? },
            StepKind::Move { to } => {
                Self::Move { to: record::checked_path(to).filter(|path| !path.is_root())? }
            }
        })
    }

    /// What a recovery tells of a step that was found done and stays.
    pub(crate) fn kept(&self) -> RecoveryAction {
        match self {
            Self::Remove => RecoveryAction::KeptRemoved,
            Self::Put | Self::SetMetadata | Self::Respell { .. } | Self::Move { .. } => {
                RecoveryAction::KeptNew
            }
        }
    }

    /// Another path, at which the item is once the step is done.
    pub(crate) fn new_path(&self) -> Option<&RelPath> {
        match self {
            Self::Move { to } => Some(to),
            Self::Put | Self::Remove | Self::SetMetadata | Self::Respell { .. } => None,
        }
    }

    /// Whether nothing in the item has the path any more that it had, once the step is done.
    pub(crate) fn renames(&self) -> bool {
        match self {
            Self::Respell { .. } | Self::Move { .. } => true,
            Self::Put | Self::Remove | Self::SetMetadata => false,
        }
    }
}

/// Recovers what a step left at its names. A step that respells is none of these: see [`respell::rename_back`].
pub(crate) fn settle(
    settler: &Settler<'_>,
    way: &mut DirCursor,
    dir: &DirRef,
    step: &LedgerStep,
    journal: &mut Journal,
) -> Result<Settled, SettleError> {
    match &step.does {
        Operation::Put => settler.settle_put(dir, step, journal),
        Operation::Remove => settler.settle_removal(dir, step, journal),
        Operation::SetMetadata => settler.settle_metadata(dir, step, None),
        Operation::Move { to } => move_::settle(settler, way, Some(dir), step, to),
        Operation::Respell { .. } => Ok(Settled::Untouched),
    }
}

/// As [`settle`] where the folder of the item is gone; `None` where nothing of the step can be elsewhere.
pub(crate) fn settle_gone(
    settler: &Settler<'_>,
    way: &mut DirCursor,
    step: &LedgerStep,
) -> Option<Result<Settled, SettleError>> {
    match &step.does {
        Operation::Move { to } => Some(move_::settle(settler, way, None, step, to)),
        Operation::Put | Operation::Remove | Operation::SetMetadata | Operation::Respell { .. } => None,
    }
}

/// How undo reverses a step that neither removes nor respells.
pub(crate) fn undo<'a>(step: &LedgerStep) -> Act<'a> {
    match step.does {
        Operation::SetMetadata => Back::return_metadata,
        Operation::Move { .. } => Back::return_moved,
        Operation::Put | Operation::Remove | Operation::Respell { .. } if step.before.is_some() => {
            Back::return_replaced
        }
        Operation::Put | Operation::Remove | Operation::Respell { .. } => Back::take_away,
    }
}

/// Where something stands in the list of a journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Number of the step. They are numbered from 1 on.
    pub(crate) step: u64,
    /// Number of its folder, from 0 on.
    pub(crate) folder: usize,
}

/// Where each part of a plan begins in the journal, which lists what is copied, what is removed, what is changed before
/// removals, what is respelled, and what is changed at the end.
pub(crate) struct First {
    pub(crate) removed: Place,
    pub(crate) changed_early: Place,
    pub(crate) respelled: Place,
    pub(crate) changed_late: Place,
}

impl First {
    pub(crate) fn of(plan: &Part<'_>) -> Self {
        let after = |place: Place, steps: usize, folders: usize| Place {
            step: place.step + steps as u64,
            folder: place.folder + folders,
        };
        let in_folders = plan.folders.iter().map(|folder| folder.steps.len()).sum();
        let removed = after(Place { step: 1, folder: 0 }, in_folders, plan.folders.len());
        let removals = plan.removals.iter().map(|folder| folder.items.len()).sum();
        let changed_early = after(removed, removals, plan.removals.len());
        let early = || changes(plan, When::BeforeRemovals).map(ItemChange::single);
        let respelled = after(changed_early, early().count(), folders_of(early()));
        let renames = plan.renames.iter().map(|folder| folder.items.len()).sum();
        Self {
            removed,
            changed_early,
            respelled,
            changed_late: after(respelled, renames, plan.renames.len()),
        }
    }
}

fn changes<'a>(plan: &Part<'a>, then: When) -> impl Iterator<Item = &'a ItemChange> + use<'a> {
    plan.changes.iter().filter(move |change| change.single().when() == then)
}

/// The changes that are made then, each with its place in the journal.
pub(crate) fn placed<'a>(
    plan: &Part<'a>,
    then: When,
) -> impl Iterator<Item = (Place, &'a ItemChange)> + use<'a> {
    let first = First::of(plan);
    let mut next = match then {
        When::BeforeRemovals => first.changed_early,
        When::AtTheEnd => first.changed_late,
    };
    let mut before: Option<&dyn SingleItem> = None;
    changes(plan, then).map(move |change| {
        let single = change.single();
        if let Some(before) = before.replace(single) {
            next.step += 1;
            next.folder += if share_folders(before, single) { 0 } else { listed_folders(before) };
        }
        (next, change)
    })
}

/// How many folders are listed for changes that follow each other.
fn folders_of<'a>(changes: impl Iterator<Item = &'a dyn SingleItem>) -> usize {
    let mut changes = changes.peekable();
    let mut folders = 0;
    while let Some(change) = changes.next() {
        let shares = changes.peek().is_some_and(|next| share_folders(change, *next));
        folders += if shares { 0 } else { listed_folders(change) };
    }
    folders
}

/// How many folders are listed for a change that does not share its folders with the next.
fn listed_folders(change: &dyn SingleItem) -> usize {
    1 + usize::from(change.other_folder().is_some())
}

/// Whether the folders of a change are also those of the one that follows it. Recovery lists each folder that it is told of.
fn share_folders(change: &dyn SingleItem, next: &dyn SingleItem) -> bool {
    let folder = |change: &dyn SingleItem| change.step().map(|(path, seen, _)| (path, seen));
    folder(change).is_some() && folder(change) == folder(next) && change.other_folder() == next.other_folder()
}

/// Steps per record: few enough that a record stays small, enough that their number costs nothing.
const STEPS_PER_RECORD: usize = 1000;

/// Lists everything that the plan may change.
pub(crate) fn list(plan: &Part<'_>, journal: &mut Journal) -> io::Result<()> {
    put::list(plan, journal)?;
    remove::list(plan, journal)?;
    list_changes(plan, When::BeforeRemovals, journal)?;
    respell::list(plan, journal)?;
    list_changes(plan, When::AtTheEnd, journal)
}

/// Lists the changes of single items.
fn list_changes(plan: &Part<'_>, then: When, journal: &mut Journal) -> io::Result<()> {
    let mut changes = changes(plan, then).map(ItemChange::single).peekable();
    while let Some(change) = changes.next() {
        let (folder, before, step) = change.step().ok_or(io::ErrorKind::InvalidInput)?;
        let mut steps = vec![step];
        while let Some(next) = changes.next_if(|next| share_folders(change, *next)) {
            steps.extend(next.step().map(|(_, _, step)| step));
        }
        list_folder(&folder, false, Some(before), None, steps.into_iter(), journal)?;
        if let Some((folder, before)) = change.other_folder() {
            list_folder(&folder, false, Some(before), None, std::iter::empty(), journal)?;
        }
    }
    Ok(())
}

/// Lists a folder, and its steps.
pub(crate) fn list_folder(
    path: &RelPath,
    create: bool,
    before: Option<FolderStamp>,
    wanted: Option<FolderStamp>,
    steps: impl Iterator<Item = StepRecord>,
    journal: &mut Journal,
) -> io::Result<()> {
    journal.append(&Record::Folder(FolderRecord { path: path.as_bytes().to_vec(), create, before, wanted }));
    let mut steps = steps.peekable();
    while steps.peek().is_some() {
        journal.append(&Record::Steps(steps.by_ref().take(STEPS_PER_RECORD).collect()));
        journal.write_if_long()?;
    }
    journal.write_if_long()
}

/// A folder as the plan saw it.
pub(crate) fn folder_stamp(f: &Fingerprint, created: Option<Time>) -> FolderStamp {
    FolderStamp { id: f.id, modified: f.modified, created, attributes: f.attributes, owner: None }
}

/// A step as the journal lists it.
pub(crate) fn step_record(name: &Name, before: Option<&Fingerprint>, kind: StepKind) -> StepRecord {
    StepRecord { name: name.as_bytes().to_vec(), before: before.map(FileStamp::from), kind }
}
