//! What is confirmed before anything is written: the plan, its facts and its problems.
//!
//! Invariant: what is shown is what is run, because both come from one proposal. More than the guard lets through, and
//! what cannot be restored, goes only after its number was typed. This module must not know how it is carried out.

mod choice;

use std::sync::{Arc, Mutex, PoisonError};

use fcs_app::hints::FrontEnd;
use fcs_app::newer::replaced_by_older;
use fcs_app::overview::{self, Fact};
use fcs_app::remembering::Remembering;
use fcs_engine::Settings;
use fcs_engine::compare::{Comparison, RowId, Side, Verdict};
use fcs_engine::directions::{Act, Conflicts, Why};
use fcs_engine::guard::Excess;
use fcs_engine::history::RunId;
use fcs_engine::plan::{Plan, RootIndex};
use fcs_engine::preflight::{MakeRoom, Severity};
use fcs_engine::report::ActionKind;
use fcs_engine::run::RemovedTo;
use fcs_engine::session::{Folders, Proposal, Task};
use fcs_sys::RelPath;
use fcs_text::{count, number};

use super::jobs::PlannedRows;
use crate::bits::Bits;
use crate::index::Index;
use crate::mode;

pub use choice::Choice;

/// Paths shown; the rest is counted.
const SHOWN_PATHS: usize = 10;

/// What a plan was asked for.
pub(super) enum AskedFor {
    /// These rows.
    Ticked(Bits),
    /// All rows, as was decided.
    Decided {
        /// How many of them were decided by hand.
        by_hand: u64,
        /// Rows of which the mode does not know which version is wanted, why, and what is done with them now.
        conflicts: Vec<(RowId, Why, Act)>,
    },
}

/// An item of which the mode does not know which version is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictLine {
    /// Its path.
    pub path: String,
    /// Why it is one.
    pub why: &'static str,
    /// What becomes of it.
    pub how: String,
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
    /// The first conflicts, and what becomes of each.
    pub conflicts: Vec<ConflictLine>,
    /// How many of these follow.
    pub more_conflicts: u64,
    /// Whether any is left for later.
    pub leaves_conflicts: bool,
    /// Nothing is remembered of the two folders.
    first_run: bool,
    /// What is said about the memory of the two folders.
    pub memory_notes: Vec<String>,
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
    pub(super) index: Arc<Index>,
    /// What the run adds to, where it does; a run takes it.
    memory: Mutex<Option<Remembering>>,
}

impl Proposed {
    pub(super) fn new(
        proposal: Proposal,
        folders: Arc<Folders>,
        settings: Settings,
        untried: bool,
        asked: AskedFor,
        index: &Arc<Index>,
        memory: Option<Remembering>,
    ) -> Self {
        let (task, plan) = (proposal.task, &proposal.plan);
        let both_ways = task.targets().len() > 1;
        let newer = replaced_by_older(plan, &settings).take(SHOWN_PATHS);
        let newer: Vec<String> = newer.map(|(root, path)| arrow_before(both_ways, root, &path)).collect();
        let mut facts = overview::facts(&proposal, &settings, FrontEnd::Window);
        let mut all_conflicts = Vec::new();
        let examples = match asked {
            AskedFor::Ticked(ticked) => {
                let text = what_becomes_of(&ticked, index.comparison(), &proposal);
                facts.insert(0, Fact { name: "Ticked", text });
                facts.splice(1..1, times_only(&ticked, index, &proposal));
                plan.example_paths(SHOWN_PATHS).iter().map(ToString::to_string).collect()
            }
            AskedFor::Decided { by_hand, conflicts } => {
                // Of two sides their sum says little.
                facts.retain(|fact| !matches!(fact.name, "Copy" | "Remove"));
                facts.splice(0..0, overview::on_each_side(plan));
                facts.splice(0..0, decided_by_hand(by_hand));
                all_conflicts = conflicts;
                first_lines(plan, both_ways)
            }
        };
        let leaves_conflicts = all_conflicts.iter().any(|(.., act)| matches!(act, Act::Conflict(_)));
        let more_conflicts = all_conflicts.len().saturating_sub(SHOWN_PATHS) as u64;
        let shown = all_conflicts.into_iter().take(SHOWN_PATHS);
        Self {
            conflicts: shown.map(|found| conflict_line(found, index.comparison())).collect(),
            more_conflicts,
            leaves_conflicts,
            first_run: memory.as_ref().is_some_and(|memory| memory.remembered.is_empty()),
            memory_notes: memory.iter().flat_map(|memory| memory.notes.clone()).collect(),
            facts,
            choices: Choice::of(task, plan),
            more: items(plan).saturating_sub(examples.len() as u64),
            examples,
            problems: problems(&proposal),
            more_newer: plan.totals.replaced_newer.saturating_sub(newer.len() as u64),
            newer,
            proposal,
            settings,
            folders,
            untried,
            index: Arc::clone(index),
            memory: Mutex::new(memory),
        }
    }

    /// The memory that the run of this plan adds to; once.
    pub(super) fn take_memory(&self) -> Option<Remembering> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).take()
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

    /// The two folders: what each is here, and its path.
    pub fn places(&self) -> [Fact; 2] {
        overview::places(self.proposal.task, &self.folders)
    }

    /// Whether both sides may be written to.
    pub fn is_both_ways(&self) -> bool {
        self.proposal.task.targets().len() > 1
    }

    /// What is warned of where older files replace newer ones.
    pub fn newer_words(&self) -> Option<String> {
        let on = match (self.is_both_ways(), self.proposal.task.target()) {
            (true, _) => "",
            (_, Side::Left) => " on the left",
            (_, Side::Right) => " on the right",
        };
        match self.newer.len() as u64 + self.more_newer {
            0 => None,
            1 => Some(format!("An older file replaces this newer one{on}:")),
            n => Some(format!("Older files replace these {} newer ones{on}:", number(n))),
        }
    }

    /// What is offered for all conflicts: where nothing is remembered no side is chosen, because what one side alone changed looks
    /// like a conflict there.
    pub fn conflict_choices(&self) -> impl Iterator<Item = (Conflicts, &'static str)> {
        let settles = |choice| !matches!(choice, Conflicts::Later | Conflicts::KeepBoth);
        mode::CONFLICTS.into_iter().filter(move |(choice, _)| !self.first_run || !settles(*choice))
    }

    /// How many conflicts there are, and that they are left for later, where they are.
    pub fn conflict_words(&self) -> Option<String> {
        let all = self.conflicts.len() as u64 + self.more_conflicts;
        let later =
            if self.leaves_conflicts { ". What is left for later stays different on both sides" } else { "" };
        (all > 0).then(|| format!("{}{later}:", count(all, "conflict", "conflicts")))
    }

    /// Whether the run is for its memory alone: both sides are as they are to be.
    pub fn only_remembers(&self) -> bool {
        self.is_empty() && matches!(self.proposal.task, Task::Directed(mode) if mode.uses_memory())
    }

    /// The number that must be typed before this may go ahead: of the items that are removed, of the files that get other
    /// content, or of both together.
    pub fn must_type(&self) -> Option<u64> {
        let proposal = &self.proposal;
        let removed = match proposal.excess {
            _ if proposal.removes_permanently => Some(proposal.plan.items_that_go()),
            excess => excess.map(|excess| excess.items),
        };
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

fn arrow_before(both_ways: bool, root: RootIndex, path: &RelPath) -> String {
    if both_ways { format!("{} {path}", overview::arrow(root)) } else { path.to_string() }
}

/// The first things that are done, and those that are removed: of both something is seen.
fn first_lines(plan: &Plan, both_ways: bool) -> Vec<String> {
    let is_shown = |item: &overview::Planned| item.action != ActionKind::FolderTimes;
    let copied: Vec<String> =
        overview::copied(plan).filter(is_shown).take(SHOWN_PATHS).map(|item| item.line(both_ways)).collect();
    let room = SHOWN_PATHS - copied.len().min(SHOWN_PATHS / 2);
    let removed = overview::removed(plan, &[]);
    let removed: Vec<String> = removed.iter().take(room).map(|item| item.line(both_ways)).collect();
    let room = SHOWN_PATHS - removed.len();
    copied.into_iter().take(room).chain(removed).collect()
}

fn decided_by_hand(rows: u64) -> Option<Fact> {
    (rows > 0)
        .then(|| Fact { name: "By hand", text: format!("{} decided by you", count(rows, "row", "rows")) })
}

fn conflict_line((row, why, act): (RowId, Why, Act), comparison: &Comparison) -> ConflictLine {
    let how = match act {
        Act::Conflict(_) => "left for later".to_owned(),
        other => crate::text::act(other, false).unwrap_or_default().to_lowercase(),
    };
    ConflictLine { path: comparison.path(row).to_string(), why: why.words(), how }
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
        self.chosen.iter().for_each(|(choice, replace)| choice.set(self.task, settings, *replace));
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
        let what = match self.task {
            Task::Orphans(..) => "deleted",
            Task::Copy(_) | Task::Sync(_) => "copied",
            Task::Directed(_) => "done",
        };
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
            Task::Directed(mode) => mode::words(Some(mode)),
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
            Task::Directed(_) if proposed.only_remembers() => "Remember both as they are".to_owned(),
            Task::Directed(_) => match items(&proposed.proposal.plan) {
                0 => "Set the dates of folders".to_owned(),
                items => format!("Change {}", count(items, "item", "items")),
            },
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
        if proposed.is_empty() && !proposed.only_remembers() {
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
