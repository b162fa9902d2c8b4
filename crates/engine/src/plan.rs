//! Turns a comparison into steps. Pure: reads no disk, so it can be tested by properties and shown to the user as it
//! is.
//!
//! A file that differs in its dates alone is copied like any other, because equal size and unequal dates say nothing
//! about the content; unless the comparison has read both and found them equal: then only its dates are set.
//!
//! Invariants: every operation says which root it writes to and, where it reads, which it reads from, and what its items
//! looked like there when they were compared; the run refuses one whose items have changed since.

pub mod file;
mod kinds;
mod moved;
mod planner;
mod refused;
mod removals;
mod roots;

pub use crate::ops::planned::*;
pub use crate::ops::respell::{Renamed, RenamedIn};
pub use kinds::HeldFolder;
pub(crate) use kinds::{can_be_replaced, is_below_another_kind};
pub use refused::Refused;
pub use roots::{BadRoots, Part, RootIndex, RootPath, Target};

pub(crate) use planner::{Planner, RowAction, SELECTED, Scope, Wanted};

use fcs_sys::{Fingerprint, Name, Protection, RelPath, Time};

use crate::Settings;
use crate::compare::{Comparison, RowId, Side};
use crate::moves::{self, Moves};
use crate::report::{ActionKind, ChangeCounts, Chosen, SkipReason};
use crate::settings::ReplaceKinds;
use crate::tree::NameOrder;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Copies a file by this strategy; verified or not.
    CopyFile {
        /// Which strategy and why.
        strategy: Chosen,
        /// Whether the copy is read back.
        verify: bool,
    },
    /// Makes a symbolic link with the same text.
    CopyLink,
    /// Gives a file, of which the comparison found the content equal, the source's dates.
    SetTimes,
}

/// One file or link to bring over, between the roots that its folder says.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Its name on the source.
    pub source_name: Name,
    /// Its name on the target; differs from the source's only in case.
    pub target_name: Name,
    /// What to do.
    pub action: Action,
    /// What the source looked like.
    pub expect_source: Fingerprint,
    /// What the target looked like; `None` if there was none.
    pub expect_target: Option<Fingerprint>,
    /// Where a folder is replaced: it and every folder in it, each with what it holds; else empty.
    #[serde(skip)]
    pub goes_along: Vec<HeldFolder>,
    /// A flag that keeps everybody from replacing the target.
    pub target_protection: Option<Protection>,
    /// Fewer bytes are set aside for the source than its size says.
    pub may_be_sparse: bool,
    /// The source has more than one name.
    pub hard_linked: bool,
    /// The source's content was not on this disk.
    pub placeholder: bool,
}

/// One folder of the plan, with the steps directly in it. Folders come before the folders inside them.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FolderPlan {
    /// The root that it and everything in it is read from.
    pub source_root: RootIndex,
    /// The root that is written to.
    pub target_root: RootIndex,
    /// Path below the source root.
    pub source_path: RelPath,
    /// Path below the target root.
    pub target_path: RelPath,
    /// The folder must be made.
    pub create: bool,
    /// An item of another kind has the folder's name, and goes right before: it is among the removals, marked so.
    pub replaces: bool,
    /// Give the folder the source's times (and, if made, everything else) once everything in it is done.
    pub sync_times: bool,
    /// What the source folder looked like.
    pub expect_source: Fingerprint,
    /// What the target folder looked like; `None` if there was none.
    pub expect_target: Option<Fingerprint>,
    /// A flag that keeps everybody from changing the target folder.
    pub target_protection: Option<Protection>,
    /// When the source folder and the target folder were made, where that is known and there is one. Folders that a
    /// killed run left unfinished, and folders of a run that is rolled back, get their created time from here.
    pub created: [Option<Time>; 2],
    /// Files and links directly in this folder.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

/// One item to be removed from the target.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Removal {
    /// Its name.
    pub name: Name,
    /// What it looked like. A folder is removed only when empty; its own content comes earlier in the plan.
    pub expect: Fingerprint,
    /// A flag that keeps everybody from removing it.
    pub protection: Option<Protection>,
    /// It makes way for a folder of its name, and goes right before that is made.
    pub makes_way: bool,
}

/// Items to be removed from one folder of a target.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RemovalFolder {
    /// The root that is written to.
    pub root: RootIndex,
    /// Path below it.
    pub path: RelPath,
    /// What the folder looked like.
    pub expect: Fingerprint,
    /// The source folder that does not have the items: where to ask once more before they go.
    pub source: SourceFolder,
    /// A flag that keeps everybody from removing anything in it.
    pub protection: Option<Protection>,
    /// What goes.
    #[serde(skip)]
    pub items: Vec<Removal>,
}

/// The source's folder opposite one that loses items, or the nearest one above it that the source has.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceFolder {
    /// The root that is asked.
    pub root: RootIndex,
    /// Path below it.
    pub path: RelPath,
    /// What the folder looked like.
    pub expect: Fingerprint,
    /// The name below it that the source lacks, in the target's spelling, where the source has no such folder.
    pub missing: Option<Name>,
    /// How names of the two sides are paired.
    pub names: NameOrder,
}

/// An item that is left alone, and why.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Skip {
    /// The root that would have been written to.
    pub root: RootIndex,
    /// Path below it.
    pub path: RelPath,
    /// Why.
    pub why: SkipReason,
}

/// What a run will do. Made by [`plan`], [`plan_sync`], [`plan_sync_moving`] or [`plan_orphans`], which write to one
/// root each, or put together of such by [`Plan::and`].
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The roots that are written to. In each list below, what is done to one root stands together, in this order.
    pub targets: Vec<Target>,
    /// Only folders in which something is to be done, and the folders on the way to them if they must be made. In the
    /// order of a tree: each folder is followed by those inside it. The root is in every plan that is not empty,
    /// because a run itself changes the root's times; a plan of [`plan_orphans`] has no folders at all.
    pub folders: Vec<FolderPlan>,
    /// What is removed once everything is copied. Deepest first: a folder's own list comes before the list in which it
    /// is itself an item.
    pub removals: Vec<RemovalFolder>,
    /// Items of which something is changed by itself; what is done before anything is removed comes first.
    pub changes: Vec<ItemChange>,
    /// Items that are given the source's spelling of their names, once everything else is done. Deepest first, so that
    /// each path is as it was until its own turn.
    pub renames: Vec<RenamedIn>,
    /// Items left alone.
    pub skipped: Vec<Skip>,
    /// Items of a source that could not be read or examined, as paths below the root that is written to: removals that
    /// they may concern are held back.
    pub unreadable: Vec<RootPath>,
    /// What bits and owners keep this user from.
    pub refused: Refused,
    /// Said once in the report.
    pub notes: Vec<String>,
    /// What is done to all roots together.
    pub totals: Totals,
}

/// Totals of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Folders to make.
    pub create_folders: u64,
    /// Existing folders whose times are set.
    pub folder_times: u64,
    /// Files to copy to a free name.
    pub new_files: u64,
    /// Files to replace.
    pub replaced_files: u64,
    /// Of these, files that are newer on the target than on the source.
    pub replaced_newer: u64,
    /// Links to make or replace.
    pub links: u64,
    /// Files with equal content that are given their dates.
    pub file_times: u64,
    /// Items that are given another spelling of their names.
    pub renamed: u64,
    /// Items of which something is changed by itself.
    #[serde(flatten, with = "crate::ops::change_counts::planned")]
    pub changes: ChangeCounts,
    /// Files and links to remove.
    pub removed_files: u64,
    /// Folders to remove.
    pub removed_folders: u64,
    /// Items of another kind that are replaced by files and links, with everything in them.
    pub replaced_kinds: u64,
    /// Content bytes of the files that are removed.
    pub bytes_removed: u64,
    /// Content bytes to copy.
    pub bytes: u64,
    /// Content bytes of the target's files that are replaced, as they are now.
    pub bytes_replaced: u64,
    /// Files copied directly, and their bytes.
    pub direct: (u64, u64),
    /// Files staged, and their bytes.
    pub staged: (u64, u64),
    /// Files verified, and their bytes.
    pub verified: (u64, u64),
    /// The largest file.
    pub largest: u64,
}

impl Step {
    /// What the step is called in a report.
    pub fn kind(&self) -> ActionKind {
        match (self.action, self.expect_target) {
            (Action::CopyLink, _) => ActionKind::CopyLink,
            (Action::SetTimes, _) => ActionKind::FileTimes,
            (Action::CopyFile { .. }, None) => ActionKind::CopyNew,
            (Action::CopyFile { .. }, Some(_)) => ActionKind::Replace,
        }
    }
}

impl FolderPlan {
    /// What the folder itself is called in a report; `None` if nothing is done to it.
    pub fn kind(&self) -> Option<ActionKind> {
        match (self.create, self.sync_times) {
            (true, _) => Some(ActionKind::CreateFolder),
            (false, true) => Some(ActionKind::FolderTimes),
            (false, false) => None,
        }
    }
}

impl Plan {
    /// A plan with nothing in it, which writes to no root.
    pub fn empty() -> Self {
        Self {
            targets: Vec::new(),
            folders: Vec::new(),
            removals: Vec::new(),
            changes: Vec::new(),
            renames: Vec::new(),
            skipped: Vec::new(),
            unreadable: Vec::new(),
            refused: Refused::default(),
            notes: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && roots::lists_nothing(&self.folders, &self.removals, &self.renames)
    }

    /// Items that the target loses, with everything in those that are replaced by one of another kind: what the guard
    /// counts. Counted from the lists: totals that come from a file must not get past the guard.
    pub fn items_that_go(&self) -> u64 {
        self.targets.iter().map(|target| self.items_that_go_from(target.root)).sum()
    }

    /// The same, of one target.
    pub fn items_that_go_from(&self, root: RootIndex) -> u64 {
        let steps = self.steps().filter(|(folder, _)| folder.target_root == root);
        let replaced = steps.map(|(_, step)| match step.expect_target {
            Some(old) if old.kind != step.expect_source.kind => {
                1 + step.goes_along.iter().map(|held| held.items.len() as u64).sum::<u64>()
            }
            _ => 0,
        });
        let removed = self.removed().filter(|(folder, _)| folder.root == root);
        removed.count() as u64 + replaced.sum::<u64>()
    }

    /// Steps and folder actions, for progress.
    pub fn step_count(&self) -> u64 {
        self.totals.step_count()
    }
}

impl Totals {
    /// Steps and folder actions.
    pub fn step_count(&self) -> u64 {
        let counts = [
            self.create_folders,
            self.folder_times,
            self.new_files,
            self.replaced_files,
            self.links,
            self.file_times,
            self.changes.sum(),
            self.renamed,
            self.removed_files,
            self.removed_folders,
        ];
        counts.into_iter().fold(0, u64::saturating_add)
    }
}

impl Plan {
    /// Folders with each step in them, in the order of the plan.
    pub fn steps(&self) -> impl Iterator<Item = (&FolderPlan, &Step)> {
        roots::steps_in(&self.folders)
    }

    /// Each item that is removed, with the folder it is in, in the order of the plan.
    pub fn removed(&self) -> impl Iterator<Item = (&RemovalFolder, &Removal)> {
        roots::removed_in(&self.removals)
    }

    /// The paths below their target roots of the first `count` items that are made, replaced or, after these, removed.
    pub fn example_paths(&self, count: usize) -> Vec<RelPath> {
        let folders = self.folders.iter().flat_map(|folder| {
            let made = folder.create.then(|| folder.target_path.clone());
            made.into_iter().chain(folder.steps.iter().map(|step| folder.target_path.join(&step.target_name)))
        });
        let removed = self.removed().map(|(folder, item)| folder.path.join(&item.name));
        folders.chain(removed).take(count).collect()
    }
}

/// Makes the plan that writes to `target` what the other side has, for the rows that `selected` accepts.
///
/// Every selected row that the source has and that differs becomes a step, a folder action or an entry of
/// [`Plan::skipped`], exactly one of them; equal rows become nothing, and so do rows that only the target has. One-sided rows
/// become nothing when existence is no criterion. Folders that a selected item needs are made although they are not
/// selected. Nothing below a folder that is skipped is planned, nor told by itself below one whose kind clashes. With
/// `replace_kinds = always` what is of another kind on the target is replaced, whole. A cancelled comparison gives an empty plan.
pub fn plan(
    comparison: &Comparison,
    target: Side,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
) -> Plan {
    Planner::new(
        comparison,
        target,
        Scope { copies: true, removals: false, kinds: settings.replace_kinds == ReplaceKinds::Always },
        settings,
    )
    .make(selected)
}

/// Makes the plan that brings `target` to what the other side is, for the rows that `selected` accepts: as [`plan`],
/// and what only the target has is removed. What is known without reading to have only another path moves: see
/// [`crate::moves::find`].
///
/// Every selected row that only the target has becomes a removal or an entry of [`Plan::skipped`], except where
/// existence is no criterion. Nothing is removed that could not be read, nor in a folder that could not be read whole
/// on either side, nor in one whose name or kind clashes: *unreadable is not absent*. A folder is removed only if
/// everything in it is; one that holds something that was not selected, that a pattern left out, or that is skipped,
/// is skipped itself. What is of another kind on the target is replaced, whole.
pub fn plan_sync(
    comparison: &Comparison,
    target: Side,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
) -> Plan {
    plan_sync_moving(comparison, target, selected, settings, &moves::find(comparison, None, settings))
}

/// As [`plan_sync`], and these are what may move. An item moves where both its rows are selected, and all that are in
/// it; what cannot move is copied and removed. Two plans of one comparison, for two targets, can go by the same moves.
pub fn plan_sync_moving(
    comparison: &Comparison,
    target: Side,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
    moves: &Moves,
) -> Plan {
    let kinds = settings.replace_kinds != ReplaceKinds::Never;
    let work = Scope { copies: true, removals: true, kinds };
    Planner::new(comparison, target, work, settings).moving(moves).make(selected)
}

/// Makes the plan that only removes what `side` alone has, as [`plan_sync`] would with `side` as its target. Nothing
/// is copied, and folders that lose an item keep the time which that gives them.
pub fn plan_orphans(
    comparison: &Comparison,
    side: Side,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
) -> Plan {
    let work = Scope { copies: false, removals: true, kinds: false };
    Planner::new(comparison, side, work, settings).make(selected)
}

#[cfg(test)]
mod tests;
