//! Turns a comparison into steps. Pure: reads no disk, so it can be tested by properties and shown to the user as it
//! is.
//!
//! A file that differs in its dates alone is copied like any other, because equal size and unequal dates say nothing
//! about the content; unless the comparison has read both and found them equal: then only its dates are set.
//!
//! Invariant: every step says what source and target looked like when they were compared; the run refuses a step
//! whose items have changed since.

mod kinds;
mod refused;
mod removals;
mod renames;

pub use kinds::HeldFolder;
pub use refused::Refused;
pub use renames::{Renamed, RenamedIn};

use fcs_sys::user::User;
use fcs_sys::{Fingerprint, Kind, Name, Place, Protection, RelPath, Time};

use crate::Settings;
use crate::compare::{Comparison, RowId, Side, Verdict, keeps_permissions};
use crate::report::{ActionKind, Chosen, SkipReason};
use crate::settings::{ContentCheck, Newer, ReplaceKinds, Strategy, Verify};
use crate::tree::{Entry, NameOrder};

/// Which side is the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Left is the source.
    LeftToRight,
    /// Right is the source.
    RightToLeft,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// One file or link to bring over.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
pub struct FolderPlan {
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
    /// killed run left unfinished, and folders of a run that is taken back, get their created time from here.
    pub created: [Option<Time>; 2],
    /// Files and links directly in this folder.
    pub steps: Vec<Step>,
}

/// One item to be removed from the target.
#[derive(Debug, Clone)]
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

/// Items to be removed from one folder of the target.
#[derive(Debug, Clone)]
pub struct RemovalFolder {
    /// Path below the target root.
    pub path: RelPath,
    /// What the folder looked like.
    pub expect: Fingerprint,
    /// The source folder that does not have the items: where to ask once more before they go.
    pub source: SourceFolder,
    /// A flag that keeps everybody from removing anything in it.
    pub protection: Option<Protection>,
    /// What goes.
    pub items: Vec<Removal>,
}

/// The source's folder opposite one that loses items, or the nearest one above it that the source has.
#[derive(Debug, Clone)]
pub struct SourceFolder {
    /// Path below the source root.
    pub path: RelPath,
    /// What the folder looked like.
    pub expect: Fingerprint,
    /// The name below it that the source lacks, in the target's spelling, where the source has no such folder.
    pub missing: Option<Name>,
    /// How names of the two sides are paired.
    pub names: NameOrder,
}

/// An item that is left alone, and why.
#[derive(Debug, Clone)]
pub struct Skip {
    /// Path below the target root.
    pub path: RelPath,
    /// Why.
    pub why: SkipReason,
}

/// What a run will do. Made by [`plan`], [`plan_sync`] or [`plan_orphans`].
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which side is the source.
    pub direction: Direction,
    /// Only folders in which something is to be done, and the folders on the way to them if they must be made. In the
    /// order of a tree: each folder is followed by those inside it. The root is in every plan that is not empty,
    /// because a run itself changes the root's times; a plan of [`plan_orphans`] has no folders at all.
    pub folders: Vec<FolderPlan>,
    /// What is removed once everything is copied. Deepest first: a folder's own list comes before the list in which it
    /// is itself an item.
    pub removals: Vec<RemovalFolder>,
    /// Items that are given the source's spelling of their names, once everything else is done. Deepest first, so that
    /// each path is as it was until its own turn.
    pub renames: Vec<RenamedIn>,
    /// Items left alone.
    pub skipped: Vec<Skip>,
    /// Items of the source that could not be read or examined, as paths below the target root: removals that they may
    /// concern are held back.
    pub unreadable: Vec<RelPath>,
    /// What bits and owners keep this user from.
    pub refused: Refused,
    /// Said once in the report.
    pub notes: Vec<String>,
    /// Totals.
    pub totals: Totals,
}

/// Totals of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
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
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.totals == Totals::default()
    }

    /// Items that the target loses, with everything in those that are replaced by one of another kind: what the guard
    /// counts.
    pub fn items_that_go(&self) -> u64 {
        self.totals.removed_files + self.totals.removed_folders + self.totals.replaced_kinds
    }

    /// Steps and folder actions, for progress.
    pub fn step_count(&self) -> u64 {
        let t = &self.totals;
        t.create_folders
            + t.folder_times
            + t.new_files
            + t.replaced_files
            + t.links
            + t.file_times
            + t.renamed
            + t.removed_files
            + t.removed_folders
    }
}

impl Plan {
    /// Folders with each step in them, in the order of the plan.
    pub fn steps(&self) -> impl Iterator<Item = (&FolderPlan, &Step)> {
        self.folders.iter().flat_map(|folder| folder.steps.iter().map(move |step| (folder, step)))
    }

    /// Each item that is removed, with the folder it lies in, in the order of the plan.
    pub fn removed(&self) -> impl Iterator<Item = (&RemovalFolder, &Removal)> {
        self.removals.iter().flat_map(|folder| folder.items.iter().map(move |item| (folder, item)))
    }

    /// The paths below the target root of the first `count` items that are made, replaced or, after these, removed.
    pub fn example_paths(&self, count: usize) -> Vec<RelPath> {
        let folders = self.folders.iter().flat_map(|folder| {
            let made = folder.create.then(|| folder.target_path.clone());
            made.into_iter().chain(folder.steps.iter().map(|step| folder.target_path.join(&step.target_name)))
        });
        let removed = self.removed().map(|(folder, item)| folder.path.join(&item.name));
        folders.chain(removed).take(count).collect()
    }
}

impl Direction {
    /// The direction in which `side` is written.
    pub fn to(side: Side) -> Self {
        match side {
            Side::Left => Self::RightToLeft,
            Side::Right => Self::LeftToRight,
        }
    }

    /// The side that is read.
    pub fn source(self) -> Side {
        match self {
            Self::LeftToRight => Side::Left,
            Self::RightToLeft => Side::Right,
        }
    }

    /// The side that is written.
    pub fn target(self) -> Side {
        self.source().other()
    }
}

/// Makes the plan for the rows that `selected` accepts.
///
/// Every selected row that the source has and that differs becomes a step, a folder action or an entry of
/// [`Plan::skipped`], exactly one of them; equal rows become nothing, and so do rows that only the target has. One-sided rows
/// become nothing when existence is no criterion. Folders that a selected item needs are made although they are not
/// selected. Nothing below a folder that is skipped is planned, nor told by itself below one whose kind clashes. With
/// `replace_kinds = always` what is of another kind on the target is replaced, whole. A cancelled comparison gives an empty plan.
pub fn plan(
    comparison: &Comparison,
    direction: Direction,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
) -> Plan {
    Planner::new(
        comparison,
        direction,
        Work { copies: true, removals: false, kinds: settings.replace_kinds == ReplaceKinds::Always },
        settings,
    )
    .make(selected)
}

/// Makes the plan that brings the target to what the source is, for the rows that `selected` accepts: as [`plan`],
/// and what only the target has is removed.
///
/// Every selected row that only the target has becomes a removal or an entry of [`Plan::skipped`], except where
/// existence is no criterion. Nothing is removed that could not be read, nor in a folder that could not be read whole
/// on either side, nor in one whose name or kind clashes: *unreadable is not absent*. A folder is removed only if
/// everything in it is; one that holds something that was not selected, that a pattern left out, or that is skipped,
/// is skipped itself. What is of another kind on the target is replaced, whole.
pub fn plan_sync(
    comparison: &Comparison,
    direction: Direction,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
) -> Plan {
    Planner::new(
        comparison,
        direction,
        Work { copies: true, removals: true, kinds: settings.replace_kinds != ReplaceKinds::Never },
        settings,
    )
    .make(selected)
}

/// Makes the plan that only removes what `side` alone has, as [`plan_sync`] would with `side` as its target. Nothing
/// is copied, and folders that lose an item keep the time which that gives them.
pub fn plan_orphans(
    comparison: &Comparison,
    side: Side,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
) -> Plan {
    let work = Work { copies: false, removals: true, kinds: false };
    Planner::new(comparison, Direction::to(side), work, settings).make(selected)
}

/// What is to be done with one row if it is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Nothing,
    Copy,
    CopyLink,
    SetTimes,
    /// Nothing but another spelling of its name.
    Rename,
    MakeFolder,
    FolderTimes,
    Remove,
    Skip(SkipReason),
}

/// The row was selected.
const SELECTED: u8 = 1;
/// The row lies in a folder about which too little is known, or is one.
const BLOCKED: u8 = 2;
/// The row is planned as a step or as a folder to be made.
const PLANNED: u8 = 4;
/// Something directly in this folder is planned, which changes its modified time.
const TOUCHED: u8 = 8;
/// The row is planned as a removal.
const REMOVED: u8 = 16;
/// The row is an item whose kind is replaced, or lies below one.
const OF_ANOTHER_KIND: u8 = 64;
/// The row lies below a folder that only the target has and where a volume is mounted.
const BELOW_MOUNT: u8 = 32;

/// What a plan is to hold.
#[derive(Debug, Clone, Copy)]
struct Work {
    /// What the source has is brought over, and folders get its times.
    copies: bool,
    /// What only the target has is removed.
    removals: bool,
    /// What is of another kind on the target is replaced.
    kinds: bool,
}

struct Planner<'a> {
    comparison: &'a Comparison,
    source: Side,
    target: Side,
    work: Work,
    settings: &'a Settings,
    network: bool,
    /// On one side at least permissions and owners are made up, and say nothing.
    made_up_permissions: bool,
    user: User,
    /// One byte per row.
    marks: Vec<u8>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(comparison: &'a Comparison, direction: Direction, work: Work, settings: &'a Settings) -> Self {
        let network = [&comparison.left, &comparison.right].iter().any(|t| t.volume.place == Place::Network);
        Self {
            comparison,
            source: direction.source(),
            target: direction.target(),
            work,
            settings,
            network,
            made_up_permissions: [&comparison.left, &comparison.right]
                .iter()
                .any(|tree| !keeps_permissions(&tree.volume)),
            user: User::now(),
            marks: vec![0; comparison.rows.len()],
            plan: Plan {
                direction,
                folders: Vec::new(),
                removals: Vec::new(),
                renames: Vec::new(),
                skipped: Vec::new(),
                unreadable: Vec::new(),
                refused: Refused::default(),
                notes: comparison.notes.clone(),
                totals: Totals::default(),
            },
        }
    }

    fn make(mut self, selected: &dyn Fn(RowId) -> bool) -> Plan {
        if self.comparison.cancelled {
            self.plan.notes.push("The comparison was cancelled, so nothing is planned.".into());
            return self.plan;
        }
        self.mark(selected);
        for row in self.comparison.walk() {
            self.emit(row);
        }
        self.emit_removals();
        self.emit_renames();
        self.find_refused();
        self.note_foreign_folders();
        self.plan
    }

    /// Says of how many folders the dates differ and cannot be set, because they are somebody else's.
    fn note_foreign_folders(&mut self) {
        let foreign = |&row: &RowId| {
            matches!(self.comparison.row(row).verdict, Verdict::Different(_))
                && self.comparison.entry(row, self.target).is_some_and(|there| there.kind == Kind::Folder)
                && !self.owns_target(row)
        };
        let rows = self.comparison.rows.len() as RowId;
        match if self.work.copies { (0..rows).filter(foreign).count() } else { 0 } {
            0 => {}
            1 => {
                self.plan.notes.push("The dates of 1 folder that another user owns stay as they are.".into());
            }
            n => self
                .plan
                .notes
                .push(format!("The dates of {n} folders that other users own stay as they are.")),
        }
    }

    fn has(&self, row: RowId, mark: u8) -> bool {
        self.marks[row as usize] & mark != 0
    }

    fn set(&mut self, row: RowId, mark: u8) {
        self.marks[row as usize] |= mark;
    }

    /// Decides what is planned: down for what is blocked, up for what is needed. Rows are breadth-first, so one loop
    /// each way does it at any depth.
    fn mark(&mut self, selected: &dyn Fn(RowId) -> bool) {
        let rows = self.comparison.rows.len() as RowId;
        for row in 0..rows {
            if selected(row) {
                self.set(row, SELECTED);
            }
            let r = self.comparison.row(row);
            let unknown = match r.verdict {
                Verdict::KindClash => {
                    let replaced = self.has(r.parent, OF_ANOTHER_KIND) || self.kind_can_be_replaced(row);
                    self.set(row, if replaced { OF_ANOTHER_KIND } else { 0 });
                    !replaced
                }
                verdict => matches!(verdict, Verdict::Unreadable | Verdict::NameClash),
            };
            if unknown || self.has(r.parent, BLOCKED) {
                self.set(row, BLOCKED);
            }
        }
        if self.work.removals {
            for row in 1..rows {
                if self.is_mount_of_target(self.comparison.row(row).parent) {
                    self.set(row, BELOW_MOUNT);
                }
            }
        }
        let mut anything = false;
        for row in (0..rows).rev() {
            let deed = self.deed(row);
            let wanted = match deed {
                Deed::Copy | Deed::CopyLink | Deed::SetTimes => self.has(row, SELECTED),
                Deed::MakeFolder => self.has(row, SELECTED | TOUCHED),
                Deed::FolderTimes | Deed::Rename => {
                    anything |= self.has(row, SELECTED);
                    false
                }
                Deed::Remove => self.has(row, SELECTED) && self.can_go(row),
                Deed::Nothing | Deed::Skip(_) => false,
            };
            if wanted {
                anything = true;
                self.set(row, if deed == Deed::Remove { REMOVED } else { PLANNED });
                self.set(self.comparison.row(row).parent, TOUCHED);
            }
        }
        if anything {
            self.set(Comparison::ROOT, TOUCHED);
        }
    }

    /// Whether only the target has the folder, and a volume is mounted there or above.
    fn is_mount_of_target(&self, row: RowId) -> bool {
        let alone = self.comparison.entry(row, self.source).is_none();
        alone
            && (self.has(row, BELOW_MOUNT)
                || self.comparison.entry(row, self.target).is_some_and(Entry::is_mounted))
    }

    /// What is to be done with a row if it is selected.
    fn deed(&self, row: RowId) -> Deed {
        let Some(source) = self.comparison.entry(row, self.source) else { return self.deed_on_orphan(row) };
        if !self.work.copies {
            return Deed::Nothing;
        }
        let one_sided = match self.comparison.row(row).verdict {
            Verdict::Same => return Deed::Nothing,
            Verdict::KindClash if self.has(row, OF_ANOTHER_KIND) => true,
            Verdict::KindClash if self.is_below_another_kind(row) => return Deed::Nothing,
            Verdict::KindClash => return Deed::Skip(SkipReason::KindClash),
            Verdict::NameClash => return Deed::Skip(SkipReason::NameClash),
            Verdict::Unreadable => return Deed::Skip(SkipReason::Unreadable),
            Verdict::NotComparable => return Deed::Skip(SkipReason::NotComparable),
            Verdict::LeftOnly | Verdict::RightOnly if !self.settings.compare_existence => {
                return Deed::Nothing;
            }
            Verdict::LeftOnly | Verdict::RightOnly => true,
            Verdict::Different(_) => false,
        };
        match source.kind {
            _ if self.has(row, BLOCKED) => Deed::Skip(SkipReason::Unreadable),
            Kind::File if source.is_placeholder() && !self.settings.read_placeholders => {
                Deed::Skip(SkipReason::Placeholder)
            }
            Kind::File | Kind::Symlink if self.differs_in_spelling_alone(row) => Deed::Rename,
            Kind::File if self.settings.newer == Newer::Keep && self.is_newer_on_target(row) => {
                Deed::Skip(SkipReason::Newer)
            }
            Kind::File if self.differs_in_dates_alone(row) => Deed::SetTimes,
            Kind::File => Deed::Copy,
            Kind::Symlink => Deed::CopyLink,
            Kind::Folder if one_sided => Deed::MakeFolder,
            // Only its owner may set a folder's dates: somebody else's would be tried in vain each night.
            Kind::Folder if self.owns_target(row) => Deed::FolderTimes,
            Kind::Folder => Deed::Nothing,
            Kind::Other => Deed::Skip(SkipReason::SpecialFile),
        }
    }

    fn emit(&mut self, row: RowId) {
        let deed = self.deed(row);
        if self.work.removals && self.is_unreadable_source(row) {
            self.plan.unreadable.push(self.comparison.path_on(row, self.target));
        }
        match deed {
            Deed::Skip(why) if self.has(row, SELECTED) => {
                let path = self.comparison.path_on(row, self.target);
                self.plan.skipped.push(Skip { path, why });
            }
            Deed::MakeFolder if self.has(row, PLANNED) => self.emit_folder(row, true),
            Deed::FolderTimes if self.has(row, SELECTED | TOUCHED) => self.emit_folder(row, false),
            Deed::Nothing if self.has(row, TOUCHED) && self.work.copies => self.emit_folder(row, false),
            Deed::Remove if self.has(row, SELECTED) && !self.has(row, REMOVED) => {
                // Only a folder can be wanted and yet stay.
                let path = self.comparison.path_on(row, self.target);
                self.plan.skipped.push(Skip { path, why: SkipReason::NotEmpty });
            }
            _ => {}
        }
    }

    /// Whether this user may set the dates of the target's item.
    fn owns_target(&self, row: RowId) -> bool {
        self.comparison.entry(row, self.target).is_none_or(|there| self.user.owns(there.owner()))
    }

    /// Whether the two files of a row were read and found equal, so that giving the target's its dates is all there is to
    /// do. Not where other names of it would get them too, nor where only its owner could; and where the two have other
    /// permissions or owners a whole copy brings those along.
    fn differs_in_dates_alone(&self, row: RowId) -> bool {
        let comparison = self.comparison;
        let Verdict::Different(found) = comparison.row(row).verdict else { return false };
        let (Some(here), Some(there)) =
            (comparison.entry(row, self.source), comparison.entry(row, self.target))
        else {
            return false;
        };
        comparison.content != ContentCheck::Off
            && !found.size
            && !found.content
            && there.kind == Kind::File
            && here.size == there.size
            && !here.is_placeholder()
            && !there.is_placeholder()
            && !there.is_hard_linked()
            && self.owns_target(row)
            && (self.made_up_permissions
                || here.attributes == there.attributes
                    && (!self.settings.keep_owner || here.owner() == there.owner()))
    }

    /// Whether the target's file is newer than the source's by more than dates are compared with.
    fn is_newer_on_target(&self, row: RowId) -> bool {
        let (here, there) =
            (self.comparison.entry(row, self.source), self.comparison.entry(row, self.target));
        let there = there.filter(|there| there.kind == Kind::File);
        here.zip(there).is_some_and(|(here, there)| self.is_later(there.modified, here.modified))
    }

    fn is_later(&self, a: Time, b: Time) -> bool {
        let tolerance = u128::from(self.settings.time_tolerance_nanos);
        a > b && a.as_nanos().abs_diff(b.as_nanos()) > tolerance
    }

    /// Whether the source has the row and could not tell what it is or what is in it.
    fn is_unreadable_source(&self, row: RowId) -> bool {
        let tree = self.comparison.tree(self.source);
        self.comparison.row(row).verdict == Verdict::Unreadable
            && self.comparison.node(row, self.source).is_some_and(|node| {
                let folder = tree.folder_of(node);
                tree.node_error(node).is_some() || folder.is_some_and(|f| tree.folder_error(f).is_some())
            })
    }

    /// Adds a folder with the steps directly in it.
    fn emit_folder(&mut self, row: RowId, create: bool) {
        let comparison = self.comparison;
        let Some(source) = comparison.entry(row, self.source) else { return };
        // What a new folder replaces is no folder, and has a removal of its own.
        let there = comparison.entry(row, self.target).filter(|_| !create);
        let expect_target = there.map(Entry::fingerprint);
        let steps: Vec<Step> = comparison.children(row).filter_map(|child| self.step(child)).collect();
        let sync_times = create || self.owns_target(row);
        let totals = &mut self.plan.totals;
        totals.create_folders += u64::from(create);
        totals.folder_times += u64::from(sync_times && !create);
        self.plan.folders.push(FolderPlan {
            source_path: comparison.path_on(row, self.source),
            target_path: comparison.path_on(row, self.target),
            create,
            replaces: create && comparison.entry(row, self.target).is_some(),
            sync_times,
            expect_source: source.fingerprint(),
            expect_target,
            target_protection: there.and_then(Entry::protection),
            created: [source.created(), there.and_then(Entry::created)],
            steps,
        });
    }

    /// The step for a file or link, counted; `None` if the row is no such thing or not planned.
    fn step(&mut self, row: RowId) -> Option<Step> {
        let deed = self.deed(row);
        if !self.has(row, PLANNED) {
            return None;
        }
        let source = self.comparison.entry(row, self.source)?;
        let action = match deed {
            Deed::Copy => {
                Action::CopyFile { strategy: self.strategy(source), verify: self.verify(source.size) }
            }
            Deed::CopyLink => Action::CopyLink,
            Deed::SetTimes => Action::SetTimes,
            _ => return None,
        };
        let target = self.comparison.entry(row, self.target);
        // Names were checked when they were listed.
        let name = |side| Name::new(self.comparison.name_on(row, side)).ok();
        let replaces_folder = target.is_some_and(|there| there.kind == Kind::Folder);
        let step = Step {
            source_name: name(self.source)?,
            target_name: name(self.target)?,
            action,
            expect_source: source.fingerprint(),
            expect_target: target.map(Entry::fingerprint),
            goes_along: if replaces_folder { self.what_goes_along(row)? } else { Vec::new() },
            target_protection: target.and_then(Entry::protection),
            may_be_sparse: source.may_be_sparse(),
            hard_linked: source.is_hard_linked(),
            placeholder: source.is_placeholder(),
        };
        self.count(&step);
        if target.is_some_and(|there| there.kind != source.kind) {
            self.count_what_is_replaced(row);
        }
        Some(step)
    }

    fn strategy(&self, source: &Entry) -> Chosen {
        match self.settings.strategy {
            Strategy::Direct => Chosen::DirectForced,
            Strategy::Staged => Chosen::StagedForced,
            Strategy::Auto if self.network => Chosen::StagedNetwork,
            Strategy::Auto if source.is_placeholder() => Chosen::StagedPlaceholder,
            Strategy::Auto if source.size < self.settings.direct_max_bytes => Chosen::Direct,
            Strategy::Auto => Chosen::StagedSize,
        }
    }

    fn verify(&self, size: u64) -> bool {
        match self.settings.verify {
            Verify::Off => false,
            Verify::All => true,
            Verify::Below => size < self.settings.verify_below_bytes,
        }
    }

    fn count(&mut self, step: &Step) {
        let newer =
            step.expect_target.is_some_and(|old| self.is_later(old.modified, step.expect_source.modified));
        let totals = &mut self.plan.totals;
        let (strategy, verify) = match step.action {
            Action::CopyFile { strategy, verify } => (strategy, verify),
            Action::CopyLink => {
                totals.links += 1;
                return;
            }
            Action::SetTimes => {
                totals.file_times += 1;
                return;
            }
        };
        let size = step.expect_source.size;
        let tally = |(files, bytes): &mut (u64, u64)| {
            *files += 1;
            *bytes = bytes.saturating_add(size);
        };
        match step.expect_target {
            None => totals.new_files += 1,
            Some(old) => {
                totals.replaced_files += 1;
                totals.replaced_newer += u64::from(newer);
                totals.bytes_replaced = totals.bytes_replaced.saturating_add(old.size);
            }
        }
        totals.bytes = totals.bytes.saturating_add(size);
        totals.largest = totals.largest.max(size);
        tally(if strategy.is_direct() { &mut totals.direct } else { &mut totals.staged });
        if verify {
            tally(&mut totals.verified);
        }
    }
}

#[cfg(test)]
mod tests;
