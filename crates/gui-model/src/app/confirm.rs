//! What is confirmed before anything is written: the plan, its facts and its problems.
//!
//! Invariant: what is shown is what is run, because both come from one proposal. More than the guard lets through, and
//! what cannot be restored, goes only after its number was typed. This module must not know how it is carried out.

use std::sync::Arc;

use fcs_app::hints::FrontEnd;
use fcs_app::newer::replaced_by_older;
use fcs_app::overview::{self, Fact};
use fcs_engine::Settings;
use fcs_engine::compare::{Comparison, RowId, Side, Verdict};
use fcs_engine::error::display_path;
use fcs_engine::guard::Excess;
use fcs_engine::history::RunId;
use fcs_engine::plan::Plan;
use fcs_engine::preflight::{MakeRoom, Severity};
use fcs_engine::report::SkipReason;
use fcs_engine::run::RemovedTo;
use fcs_engine::session::{Folders, Proposal, Task};
use fcs_engine::settings::{Newer, ReadOnlyTargets, ReplaceKinds};
use fcs_sys::Kind;
use fcs_text::{count, number};

use super::jobs::PlannedRows;
use crate::bits::Bits;
use crate::index::Index;

/// Paths shown; the rest is counted.
const SHOWN_PATHS: usize = 10;

/// What becomes of something that the plan meets on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Files that are newer there.
    Newer,
    /// Items that are of another kind there.
    Kinds,
    /// Files that are marked read-only there, where that is more than missing permission (Windows).
    ReadOnly,
}

impl Choice {
    /// What it is about.
    pub fn words(self) -> &'static str {
        match self {
            Self::Newer => "Newer files",
            Self::Kinds => "Another kind",
            Self::ReadOnly => "Read-only files",
        }
    }

    /// What replacing them is called.
    pub fn replace_words(self) -> &'static str {
        match self {
            Self::Newer | Self::ReadOnly => "Replace",
            Self::Kinds => "Replace, with all that is in them",
        }
    }

    /// Whether they are replaced by a copy with these settings.
    pub fn replaces(self, settings: &Settings) -> bool {
        match self {
            Self::Newer => settings.newer == Newer::Replace,
            Self::Kinds => settings.replace_kinds == ReplaceKinds::Always,
            Self::ReadOnly => settings.read_only_targets == ReadOnlyTargets::Replace,
        }
    }

    fn set(self, settings: &mut Settings, replace: bool) {
        match (self, replace) {
            (Self::Newer, true) => settings.newer = Newer::Replace,
            (Self::Newer, false) => settings.newer = Newer::Keep,
            (Self::Kinds, true) => settings.replace_kinds = ReplaceKinds::Always,
            (Self::Kinds, false) => settings.replace_kinds = ReplaceKinds::Sync,
            (Self::ReadOnly, true) => settings.read_only_targets = ReadOnlyTargets::Replace,
            (Self::ReadOnly, false) => settings.read_only_targets = ReadOnlyTargets::Fail,
        }
    }

    /// What there is to be decided about in a plan, whatever was decided.
    fn of(plan: &Plan) -> Vec<Self> {
        let skipped = |why| plan.skipped.iter().any(|skip| skip.why == why);
        let makes_way = || plan.removed().any(|(_, item)| item.makes_way);
        let marked = || {
            let targets = plan.steps().filter_map(|(_, step)| step.expect_target);
            targets
                .into_iter()
                .any(|there| there.kind == Kind::File && there.attributes.has_read_only_attribute())
        };
        let newer = plan.totals.replaced_newer > 0 || skipped(SkipReason::Newer);
        let kinds = plan.totals.replaced_kinds > 0 || makes_way() || skipped(SkipReason::KindClash);
        let all = [(Self::Newer, newer), (Self::Kinds, kinds), (Self::ReadOnly, marked())];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(choice, _)| choice).collect()
    }
}

/// A plan with all that is known about it.
pub struct Proposed {
    /// The plan, the preflight and the guard's opinion.
    pub proposal: Proposal,
    /// The settings it was made with, and will be run with.
    pub settings: Settings,
    /// Direction, counts, bytes, strategies, verification, originals, space.
    pub facts: Vec<Fact>,
    /// The first paths.
    pub examples: Vec<String>,
    /// How many paths follow.
    pub more: u64,
    /// The first files that are newer than what replaces them.
    pub newer: Vec<String>,
    /// How many of these follow.
    pub more_newer: u64,
    /// Every problem known beforehand, worst first.
    pub problems: Vec<(Severity, String)>,
    pub(super) folders: Arc<Folders>,
    /// What can be decided for this plan alone, because it is about something in it.
    pub choices: Vec<Choice>,
    /// What the target's volume keeps is in doubt, and only trying would tell.
    pub(super) untried: bool,
}

impl Proposed {
    pub(super) fn new(
        proposal: Proposal,
        folders: Arc<Folders>,
        settings: Settings,
        untried: bool,
        ticked: &Bits,
        index: &Index,
    ) -> Self {
        let comparison = index.comparison();
        let examples = proposal.plan.example_paths(SHOWN_PATHS);
        let newer = replaced_by_older(&proposal.plan, &settings).take(SHOWN_PATHS);
        let newer: Vec<String> = newer.map(|path| path.to_string()).collect();
        let items = items(&proposal.plan);
        let mut facts = overview::facts(&proposal, &settings, FrontEnd::Window);
        facts.insert(0, Fact { name: "Ticked", text: what_becomes_of(ticked, comparison, &proposal) });
        facts.splice(1..1, times_only(ticked, index, &proposal));
        let choices =
            if matches!(proposal.task, Task::Orphans(..)) { Vec::new() } else { Choice::of(&proposal.plan) };
        Self {
            facts,
            choices,
            more: items.saturating_sub(examples.len() as u64),
            examples: examples.iter().map(ToString::to_string).collect(),
            problems: problems(&proposal),
            more_newer: proposal.plan.totals.replaced_newer.saturating_sub(newer.len() as u64),
            newer,
            proposal,
            settings,
            folders,
            untried,
        }
    }

    /// Says first what was found out since it was agreed to, if anything was.
    pub(super) fn tell_what_is_new(&mut self, agreed: &Self) {
        let is_new = |problem: &&(Severity, String)| !agreed.problems.contains(problem);
        let new = self.problems.iter().filter(is_new).count() as u64;
        if new > 0 {
            let text = format!(
                "The volume that is written to was tried just now; nothing else was written yet. {} below.",
                count(new, "line is new", "lines are new")
            );
            self.problems.insert(0, (Severity::Warns, text));
        }
    }

    /// Whether nothing is known now that was not known when it was agreed to.
    pub(super) fn is_as_agreed(&self, agreed: &Self) -> bool {
        self.proposal.plan.totals == agreed.proposal.plan.totals
            && self.problems.iter().all(|problem| agreed.problems.contains(problem))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.proposal.plan.is_empty()
    }

    /// The folder that is read, and the one that is written.
    pub fn places(&self) -> (String, String) {
        let target = self.proposal.task.target();
        (display_path(&self.folders.root(target.other()).path), display_path(&self.folders.root(target).path))
    }

    /// What is warned of where older files replace newer ones.
    pub fn newer_words(&self) -> Option<String> {
        let side = match self.proposal.task.target() {
            Side::Left => "left",
            Side::Right => "right",
        };
        match self.newer.len() as u64 + self.more_newer {
            0 => None,
            1 => Some(format!("An older file replaces this newer one on the {side}:")),
            n => Some(format!("Older files replace these {} newer ones on the {side}:", number(n))),
        }
    }

    /// The number that must be typed before this may go ahead: of the items that are removed, of the files that get other
    /// content, or of both together.
    pub fn must_type(&self) -> Option<u64> {
        let proposal = &self.proposal;
        let is_of_removals = proposal.excess.is_some() || proposal.removes_permanently;
        let removed = is_of_removals.then(|| proposal.plan.items_that_go());
        let changed = proposal.mass_change.map(|change| change.files);
        match (removed, changed) {
            (Some(removed), Some(changed)) => Some(removed.saturating_add(changed)),
            (removed, changed) => removed.or(changed),
        }
    }
}

/// Items that the plan makes, replaces or removes: the paths that are listed. Dates of folders follow from them.
pub(super) fn items(plan: &Plan) -> u64 {
    plan.step_count().saturating_sub(plan.totals.folder_times)
}

/// From the number that was ticked to the number of items that are done, with all that lies between.
fn what_becomes_of(ticked: &Bits, comparison: &Comparison, proposal: &Proposal) -> String {
    let plan = &proposal.plan;
    let (all, items) = (u64::from(ticked.count()), items(plan).saturating_sub(plan.totals.file_times));
    let of = |wanted: &dyn Fn(RowId) -> bool| ticked.iter().filter(|&row| wanted(row)).count() as u64;
    let verdict = |row| comparison.row(row).verdict;
    let same = of(&|row| verdict(row) == Verdict::Same);
    let folders = of(&|row| matches!(verdict(row), Verdict::Different(_)) && comparison.is_folder(row));
    let dates = folders + plan.totals.file_times;
    let left_alone = plan.skipped.len() as u64;
    let asked = all.saturating_sub(same + dates + left_alone);
    let verb = if matches!(proposal.task, Task::Orphans(..)) { "to delete" } else { "to copy" };
    let parts = [
        (asked.min(items), verb),
        (dates, "with only its date to set"),
        (same, "the same already"),
        (left_alone, "left alone"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|part| part.0 > 0)
        .map(|(n, words)| format!("{} {words}", number(n)))
        .collect();
    let mut text = format!("{}: {}", count(all, "item", "items"), parts.join(", "));
    if items > asked {
        let folders = count(items - asked, "folder above them is", "folders above them are");
        text = format!("{text}; {folders} made too");
    }
    text
}

/// What is said of files whose content is known to be equal: only their dates are set, unless that cannot be.
fn times_only(ticked: &Bits, index: &Index, proposal: &Proposal) -> Option<Fact> {
    if matches!(proposal.task, Task::Orphans(..)) {
        return None;
    }
    let files = ticked.iter().filter(|&row| index.has_equal_content(row)).count() as u64;
    let set = proposal.plan.totals.file_times;
    let mut text = format!("{} with equal content differ in times only", count(files, "file", "files"));
    text += match files.saturating_sub(set) {
        0 => "; nothing else of them is written",
        rest if rest == files => {
            "; each is copied whole, because it has several names, or another owner or permissions"
        }
        _ => {
            "; those with several names, or another owner or permissions, are copied whole, of the others nothing else is written"
        }
    };
    (files > 0).then_some(Fact { name: "Times only", text })
}

fn problems(proposal: &Proposal) -> Vec<(Severity, String)> {
    // Allowed by typing its number, so it is not refused.
    let advice = |_: &Excess| "Check that the other folder is the right one and complete.".to_owned();
    overview::problems(proposal, false, &advice, FrontEnd::Window)
}

/// The sheet on which it is confirmed.
pub struct Confirm {
    /// What is to be done.
    pub task: Task,
    /// The plan; `None` while it is made.
    pub proposed: Option<Arc<Proposed>>,
    /// What was typed to allow it.
    pub typed: String,
    /// The run of which this one does again what failed: the two belong together.
    pub(super) retries: Option<RunId>,
    /// So many of the items were ticked and then hidden by a filter.
    pub hidden: u64,
    pub(super) rows: PlannedRows,
    pub(super) then: WhenPlanned,
    /// What was decided for this plan, beside the settings.
    chosen: Vec<(Choice, bool)>,
}

/// What happens as soon as the plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum WhenPlanned {
    /// The user is asked.
    #[default]
    Ask,
    /// It is gone through and nothing is written.
    DryRun,
}

impl Confirm {
    pub(super) fn new(task: Task, rows: PlannedRows, hidden: u64) -> Self {
        Self {
            task,
            proposed: None,
            typed: String::new(),
            retries: None,
            hidden,
            rows,
            then: WhenPlanned::Ask,
            chosen: Vec::new(),
        }
    }

    pub(super) fn choose(&mut self, choice: Choice, replace: bool) {
        self.chosen.retain(|(other, _)| *other != choice);
        self.chosen.push((choice, replace));
    }

    pub(super) fn apply_choices(&self, settings: &mut Settings) {
        self.chosen.iter().for_each(|(choice, replace)| choice.set(settings, *replace));
    }

    /// What earlier runs keep, if the run may go ahead once that is deleted.
    pub fn room(&self) -> Option<&MakeRoom> {
        let preflight = &self.proposed.as_ref()?.proposal.preflight;
        preflight.make_room.as_ref().filter(|_| preflight.refuses())
    }

    /// What deleting it is called, with how much goes.
    pub fn room_words(&self) -> Option<String> {
        let room = self.room()?;
        let runs = count(room.runs, "earlier run", "earlier runs");
        Some(format!("Delete {} kept for undo by {runs}…", fcs_text::size(room.bytes)))
    }

    /// What is said of items that no filter shows.
    pub fn hidden_words(&self) -> Option<String> {
        let what = if matches!(self.task, Task::Orphans(..)) { "deleted" } else { "copied" };
        (self.hidden > 0).then(|| {
            let items = count(self.hidden, "item", "items");
            format!("{items} of these cannot be seen, because the filter hides them. They are {what} too.")
        })
    }

    /// What is asked.
    pub fn title(&self) -> &'static str {
        match self.task {
            Task::Copy(Side::Right) | Task::Sync(Side::Right) => "Copy from left to right",
            Task::Copy(Side::Left) | Task::Sync(Side::Left) => "Copy from right to left",
            Task::Orphans(Side::Left, _) => "Delete what only the left side has",
            Task::Orphans(Side::Right, _) => "Delete what only the right side has",
            Task::Directed(_) => "Bring the two sides together",
        }
    }

    /// What the button does, with its number.
    pub fn verb(&self) -> String {
        let Some(proposed) = &self.proposed else { return "Preparing…".to_owned() };
        let totals = &proposed.proposal.plan.totals;
        match self.task {
            Task::Copy(to) | Task::Sync(to) => {
                let side = if to == Side::Right { "right" } else { "left" };
                match items(&proposed.proposal.plan) {
                    0 => format!("Update folders on the {side}"),
                    items => format!("Copy {} to the {side}", count(items, "item", "items")),
                }
            }
            Task::Directed(_) => {
                let gone = totals.removed_files.saturating_add(totals.removed_folders);
                let changed = items(&proposed.proposal.plan).saturating_add(gone);
                format!("Change {}", count(changed, "item", "items"))
            }
            Task::Orphans(_, to) => {
                let items =
                    count(totals.removed_files.saturating_add(totals.removed_folders), "item", "items");
                match to {
                    RemovedTo::Permanent => format!("Delete {items} permanently"),
                    RemovedTo::Undo | RemovedTo::RecycleBin => format!("Delete {items}"),
                }
            }
        }
    }

    /// Why it cannot go ahead; `None` if it can.
    pub fn obstacle(&self) -> Option<String> {
        let Some(proposed) = &self.proposed else { return Some("The plan is being made.".to_owned()) };
        if proposed.is_empty() {
            return Some("There is nothing to do.".to_owned());
        }
        if proposed.proposal.preflight.refuses() {
            return Some("This cannot go ahead until the problems above are solved.".to_owned());
        }
        match proposed.must_type() {
            Some(wanted) if self.typed.trim().replace(',', "") != wanted.to_string() => {
                Some(format!("Type {} to allow it.", number(wanted)))
            }
            _ => None,
        }
    }
}
