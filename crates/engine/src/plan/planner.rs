//! Walks the rows of a comparison and makes the plan: first down and up to see what is wanted and what cannot be, then
//! once more to write it down.
//!
//! Invariant: pure. Each selected row becomes one operation, one [`Skip`], or nothing, by [`Planner::action`] alone.

use std::collections::{HashMap, HashSet};

use fcs_sys::user::User;
use fcs_sys::{Kind, Name, Place, Time};

use super::{Action, FolderPlan, Plan, RootPath, Skip, Step, Target, Totals};
use crate::compare::{Comparison, RowId, Side, Verdict, keeps_permissions};
use crate::moves::Moves;
use crate::report::{Chosen, SkipReason};
use crate::settings::{ContentCheck, Newer};
use crate::tree::Entry;
use crate::{Note, Settings};

/// What is to be done with one row if it is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowAction {
    Nothing,
    Copy,
    CopyLink,
    SetTimes,
    /// Nothing but another spelling of its name.
    Rename,
    MakeFolder,
    FolderTimes,
    Remove,
    /// It is one end of a move.
    Move,
    Skip(SkipReason),
}

/// What somebody decided about one row beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The plan is not to concern itself with it.
    Nothing,
    /// What is to be done with it is to be done.
    Act,
    /// What the source has is to be copied beside it, to this name, and it itself stays.
    CopyAs(Name),
    /// Something that is no matter of the planner.
    Elsewhere,
    /// It is to be left alone and told.
    Skip(SkipReason),
}

/// The row was selected.
pub(crate) const SELECTED: u8 = 1;
/// The row is in a folder about which too little is known, or is one.
pub(super) const BLOCKED: u8 = 2;
/// The row is planned as a step or as a folder to be made.
pub(super) const PLANNED: u8 = 4;
/// Something directly in this folder is planned, which changes its modified time.
pub(super) const TOUCHED: u8 = 8;
/// The row is planned as a removal.
pub(super) const REMOVED: u8 = 16;
/// The row is an item whose kind is replaced, or is below one.
pub(super) const OF_ANOTHER_KIND: u8 = 64;
/// The row is below a folder that only the target has and where a volume is mounted.
pub(super) const BELOW_MOUNT: u8 = 32;

/// The row is an item that moves, or is in one.
pub(super) const MOVED: u8 = 128;

/// What a plan is to hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// What the source has is brought over, and folders get its times.
    pub(crate) copies: bool,
    /// What only the target has is removed.
    pub(crate) removals: bool,
    /// What is of another kind on the target is replaced.
    pub(crate) kinds: bool,
}

pub(crate) struct Planner<'a> {
    pub(crate) comparison: &'a Comparison,
    pub(crate) source: Side,
    pub(crate) target: Side,
    pub(crate) work: Scope,
    pub(crate) settings: &'a Settings,
    /// What has another path on the source than on the target.
    pub(super) moves: Option<&'a Moves>,
    /// Rows of which the target's item moves, each with the row that it moves to.
    pub(super) movers: HashMap<RowId, RowId>,
    /// Rows of which the source's item is brought over once the target's has moved there, each with the row that has that.
    pub(super) changed: HashMap<RowId, RowId>,
    /// Rows that stay because they are what the source has at another path, to which it is not brought.
    pub(super) kept: HashSet<RowId>,
    pub(crate) network: bool,
    /// On one side at least permissions and owners are made up, and say nothing.
    pub(crate) made_up_permissions: bool,
    pub(crate) user: User,
    /// Rows of which the source's item gets another name on the target, in their order.
    copied_as: Vec<(RowId, Name)>,
    /// Rows that were decided to be skipped, in their order.
    told: Vec<(RowId, SkipReason)>,
    /// One byte per row.
    pub(crate) marks: Vec<u8>,
    pub(crate) plan: Plan,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(comparison: &'a Comparison, target: Side, work: Scope, settings: &'a Settings) -> Self {
        let network = [&comparison.left, &comparison.right].iter().any(|t| t.volume.place == Place::Network);
        Self {
            comparison,
            source: target.other(),
            target,
            work,
            settings,
            moves: None,
            movers: HashMap::new(),
            changed: HashMap::new(),
            kept: HashSet::new(),
            network,
            made_up_permissions: [&comparison.left, &comparison.right]
                .iter()
                .any(|tree| !keeps_permissions(&tree.volume)),
            user: User::now(),
            copied_as: Vec::new(),
            told: Vec::new(),
            marks: vec![0; comparison.rows.len()],
            plan: Plan {
                targets: vec![Target {
                    root: target.into(),
                    source: target.other().into(),
                    totals: Totals::default(),
                }],
                notes: comparison.notes.iter().map(Note::to_string).collect(),
                ..Plan::empty()
            },
        }
    }

    /// What of these can be moves instead of copies and removals.
    pub(crate) fn moving(mut self, moves: &'a Moves) -> Self {
        self.moves = Some(moves);
        self
    }

    pub(super) fn make(self, selected: &dyn Fn(RowId) -> bool) -> Plan {
        self.make_wanted(&|row| if selected(row) { Wanted::Act } else { Wanted::Nothing })
    }

    /// The plan that does with each row what was decided, as far as nothing stands against it.
    pub(crate) fn make_wanted(mut self, wanted: &dyn Fn(RowId) -> Wanted) -> Plan {
        if self.comparison.cancelled {
            self.plan.notes.push("The comparison was cancelled, so nothing is planned.".into());
            return self.plan;
        }
        self.mark(wanted);
        for row in self.comparison.walk() {
            self.emit(row);
        }
        self.emit_removals();
        self.emit_moves();
        self.emit_renames();
        self.find_refused();
        self.note_foreign_folders();
        self.plan.targets[0].totals = self.plan.totals.clone();
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

    pub(crate) fn has(&self, row: RowId, mark: u8) -> bool {
        self.marks[row as usize] & mark != 0
    }

    fn set(&mut self, row: RowId, mark: u8) {
        self.marks[row as usize] |= mark;
    }

    /// Decides what is planned: down for what is blocked, up for what is needed. Rows are breadth-first, so one loop
    /// each way does it at any depth.
    fn mark(&mut self, wanted: &dyn Fn(RowId) -> Wanted) {
        let rows = self.comparison.rows.len() as RowId;
        for row in 0..rows {
            match wanted(row) {
                Wanted::Act => self.set(row, SELECTED),
                Wanted::CopyAs(name) => self.copied_as.push((row, name)),
                Wanted::Skip(why) => self.told.push((row, why)),
                Wanted::Nothing | Wanted::Elsewhere => {}
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
        self.mark_moves();
        self.keep_what_does_not_arrive();
        let mut anything = false;
        for row in (0..rows).rev() {
            let action = self.action(row);
            let wanted = match action {
                RowAction::Copy | RowAction::CopyLink | RowAction::SetTimes => self.has(row, SELECTED),
                RowAction::MakeFolder => self.has(row, SELECTED | TOUCHED),
                RowAction::FolderTimes | RowAction::Rename => {
                    anything |= self.has(row, SELECTED);
                    false
                }
                RowAction::Remove => self.has(row, SELECTED) && self.can_go(row),
                RowAction::Move => {
                    anything = true;
                    self.set(self.comparison.row(row).parent, TOUCHED);
                    false
                }
                RowAction::Nothing | RowAction::Skip(_) => false,
            };
            if wanted {
                anything = true;
                self.set(row, if action == RowAction::Remove { REMOVED } else { PLANNED });
                self.set(self.comparison.row(row).parent, TOUCHED);
            }
        }
        for at in 0..self.copied_as.len() {
            let row = self.copied_as[at].0;
            anything = true;
            self.set(self.comparison.row(row).parent, TOUCHED);
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
                || self.comparison.entry(row, self.target).is_some_and(|entry| entry.is_mounted()))
    }

    /// What is to be done with a row if it is selected.
    pub(crate) fn action(&self, row: RowId) -> RowAction {
        if self.has(row, MOVED) {
            return self.action_of_moved(row);
        }
        if self.kept.contains(&row) {
            return RowAction::Skip(SkipReason::NewPathLacking);
        }
        let Some(source) = self.comparison.entry(row, self.source) else { return self.action_on_orphan(row) };
        if !self.work.copies {
            return RowAction::Nothing;
        }
        let one_sided = match self.comparison.row(row).verdict {
            Verdict::Same => return RowAction::Nothing,
            Verdict::KindClash if self.has(row, OF_ANOTHER_KIND) => true,
            Verdict::KindClash if self.is_below_another_kind(row) => return RowAction::Nothing,
            Verdict::KindClash => return RowAction::Skip(SkipReason::KindClash),
            Verdict::NameClash => return RowAction::Skip(SkipReason::NameClash),
            Verdict::Unreadable => return RowAction::Skip(SkipReason::Unreadable),
            Verdict::NotComparable => return RowAction::Skip(SkipReason::NotComparable),
            Verdict::LeftOnly | Verdict::RightOnly if !self.settings.compare_existence => {
                return RowAction::Nothing;
            }
            Verdict::LeftOnly | Verdict::RightOnly => true,
            Verdict::Different(_) => false,
        };
        match source.kind {
            _ if self.has(row, BLOCKED) => RowAction::Skip(SkipReason::Unreadable),
            Kind::File if source.is_placeholder() && !self.settings.read_placeholders => {
                RowAction::Skip(SkipReason::Placeholder)
            }
            Kind::File | Kind::Symlink if self.differs_in_spelling_alone(row) => RowAction::Rename,
            Kind::File if self.settings.newer == Newer::Keep && self.is_newer_on_target(row) => {
                RowAction::Skip(SkipReason::Newer)
            }
            Kind::File if self.differs_in_dates_alone(row) => RowAction::SetTimes,
            Kind::File => RowAction::Copy,
            Kind::Symlink => RowAction::CopyLink,
            Kind::Folder if one_sided => RowAction::MakeFolder,
            // Only its owner may set a folder's dates: somebody else's would be tried in vain each night.
            Kind::Folder if self.owns_target(row) => RowAction::FolderTimes,
            Kind::Folder => RowAction::Nothing,
            Kind::Other => RowAction::Skip(SkipReason::SpecialFile),
        }
    }

    fn emit(&mut self, row: RowId) {
        let action = self.action(row);
        if self.work.removals && self.is_unreadable_source(row) {
            self.plan.unreadable.push(self.at(row, self.target));
        }
        if let Ok(at) = self.told.binary_search_by_key(&row, |(row, _)| *row) {
            let (path, why) = (self.comparison.path_on(row, self.target), self.told[at].1);
            self.plan.skipped.push(Skip { root: self.target.into(), path, why });
        }
        match action {
            RowAction::Skip(why) if self.has(row, SELECTED) => {
                let path = self.comparison.path_on(row, self.target);
                self.plan.skipped.push(Skip { root: self.target.into(), path, why });
            }
            RowAction::MakeFolder if self.has(row, PLANNED) => self.emit_folder(row, true),
            RowAction::FolderTimes if self.has(row, SELECTED | TOUCHED) => self.emit_folder(row, false),
            RowAction::Nothing if self.has(row, TOUCHED) && self.work.copies => self.emit_folder(row, false),
            RowAction::Remove if self.has(row, SELECTED) && !self.has(row, REMOVED) => {
                // Only a folder can be wanted and yet stay.
                let path = self.comparison.path_on(row, self.target);
                self.plan.skipped.push(Skip { root: self.target.into(), path, why: SkipReason::NotEmpty });
            }
            _ => {}
        }
    }

    /// Where a row is on one side.
    pub(super) fn at(&self, row: RowId, side: Side) -> RootPath {
        RootPath { root: side.into(), path: self.comparison.path_on(row, side) }
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
        let expect_target = there.map(|entry| entry.fingerprint());
        let mut steps: Vec<Step> = comparison.children(row).filter_map(|child| self.step(child)).collect();
        steps.extend(comparison.children(row).filter_map(|child| self.step_beside(child)));
        let sync_times = create || self.owns_target(row);
        let totals = &mut self.plan.totals;
        totals.create_folders += u64::from(create);
        totals.folder_times += u64::from(sync_times && !create);
        self.plan.folders.push(FolderPlan {
            source_root: self.source.into(),
            target_root: self.target.into(),
            source_path: comparison.path_on(row, self.source),
            target_path: comparison.path_on(row, self.target),
            create,
            replaces: create && comparison.entry(row, self.target).is_some(),
            sync_times,
            expect_source: source.fingerprint(),
            expect_target,
            target_protection: there.and_then(|entry| entry.protection()),
            created: [source.created(), there.and_then(|entry| entry.created())],
            steps,
        });
    }

    /// The step for a file or link, counted; `None` if the row is no such thing or not planned.
    fn step(&mut self, row: RowId) -> Option<Step> {
        let action = self.action(row);
        if !self.has(row, PLANNED) {
            return None;
        }
        let source = self.comparison.entry(row, self.source)?;
        let target = self.met_by(row);
        let action = match action {
            RowAction::Copy => self.copy_of(&source),
            RowAction::CopyLink => Action::CopyLink,
            RowAction::SetTimes => Action::SetTimes,
            _ => return None,
        };
        // Names were checked when they were listed.
        let name = |side| Name::new(self.comparison.name_on(row, side)).ok();
        let replaces_folder = target.is_some_and(|there| there.kind == Kind::Folder);
        let step = Step {
            source_name: name(self.source)?,
            target_name: name(self.target)?,
            action,
            expect_source: source.fingerprint(),
            expect_target: target.map(|entry| entry.fingerprint()),
            goes_along: if replaces_folder { self.what_goes_along(row)? } else { Vec::new() },
            target_protection: target.and_then(|entry| entry.protection()),
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

    fn copy_of(&self, source: &Entry) -> Action {
        Action::CopyFile {
            strategy: Chosen::of(source, self.network, self.settings),
            verify: self.settings.verifies(source.size),
        }
    }

    /// The step that copies a row's file or link to another name, counted; `None` where that was not decided.
    fn step_beside(&mut self, row: RowId) -> Option<Step> {
        let at = self.copied_as.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        let source = self.comparison.entry(row, self.source)?;
        let step = Step {
            // Names were checked when they were listed.
            source_name: Name::new(self.comparison.name_on(row, self.source)).ok()?,
            target_name: self.copied_as[at].1.clone(),
            action: if source.kind == Kind::Symlink { Action::CopyLink } else { self.copy_of(&source) },
            expect_source: source.fingerprint(),
            expect_target: None,
            goes_along: Vec::new(),
            target_protection: None,
            may_be_sparse: source.may_be_sparse(),
            hard_linked: source.is_hard_linked(),
            placeholder: source.is_placeholder(),
        };
        self.count(&step);
        Some(step)
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
