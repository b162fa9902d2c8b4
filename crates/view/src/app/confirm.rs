//! What is confirmed before anything is written: the plan, its facts and its problems.
//!
//! Invariant: what is shown is what is run, because both come from one proposal. More than the guard lets through, and
//! what cannot be brought back, goes only after its number was typed. This module must not know how it is carried out.

use std::sync::Arc;

use fcs_engine::Settings;
use fcs_engine::compare::Side;
use fcs_engine::error::shown;
use fcs_engine::guard::Excess;
use fcs_engine::plan::Direction;
use fcs_engine::preflight::Severity;
use fcs_engine::run::RemovedTo;
use fcs_front::folders::Folders;
use fcs_front::overview::{self, Fact};
use fcs_front::task::{Proposal, Task};
use fcs_text::{count, number};

use super::jobs::Rows;

/// Paths shown; the rest is counted.
const SHOWN_PATHS: usize = 10;

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
    /// Every problem known beforehand, worst first.
    pub problems: Vec<(Severity, String)>,
    pub(super) folders: Arc<Folders>,
}

impl Proposed {
    pub(super) fn new(proposal: Proposal, folders: Arc<Folders>, settings: Settings) -> Self {
        let examples = proposal.plan.example_paths(SHOWN_PATHS);
        let steps = proposal.plan.step_count().saturating_sub(proposal.plan.totals.folder_times);
        Self {
            facts: overview::facts(&proposal, &settings),
            more: steps.saturating_sub(examples.len() as u64),
            examples: examples.iter().map(ToString::to_string).collect(),
            problems: problems(&proposal),
            proposal,
            settings,
            folders,
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.proposal.plan.is_empty()
    }

    /// The folder that is read, and the one that is written.
    pub fn places(&self) -> (String, String) {
        let target = self.proposal.task.target();
        (shown(&self.folders.root(target.other()).path), shown(&self.folders.root(target).path))
    }

    /// The number that must be typed before this may go ahead.
    pub fn must_type(&self) -> Option<u64> {
        let totals = &self.proposal.plan.totals;
        let removed = totals.removed_files + totals.removed_folders;
        (self.proposal.excess.is_some() || self.proposal.removes_for_good).then_some(removed)
    }
}

fn problems(proposal: &Proposal) -> Vec<(Severity, String)> {
    // Allowed by typing its number, so it is not refused.
    let advice = |_: &Excess| "Check that the other folder is the right one and complete.".to_owned();
    overview::problems(proposal, false, &advice)
}

/// The sheet on which it is confirmed.
pub struct Confirm {
    /// What is to be done.
    pub task: Task,
    /// The plan; `None` while it is made.
    pub proposed: Option<Arc<Proposed>>,
    /// What was typed to allow it.
    pub typed: String,
    pub(super) rows: Rows,
}

impl Confirm {
    pub(super) fn new(task: Task, rows: Rows) -> Self {
        Self { task, proposed: None, typed: String::new(), rows }
    }

    /// What is asked.
    pub fn title(&self) -> &'static str {
        match self.task {
            Task::Copy(Direction::LeftToRight) | Task::Sync(Direction::LeftToRight) => {
                "Copy from left to right"
            }
            Task::Copy(Direction::RightToLeft) | Task::Sync(Direction::RightToLeft) => {
                "Copy from right to left"
            }
            Task::Orphans(Side::Left, _) => "Delete what only the left side has",
            Task::Orphans(Side::Right, _) => "Delete what only the right side has",
        }
    }

    /// What the button does, with its number.
    pub fn verb(&self) -> String {
        let Some(proposed) = &self.proposed else { return "Preparing…".to_owned() };
        let totals = &proposed.proposal.plan.totals;
        match self.task {
            Task::Copy(direction) | Task::Sync(direction) => {
                let files = totals.new_files + totals.replaced_files + totals.links;
                let side = if direction.target() == Side::Right { "right" } else { "left" };
                match files {
                    0 => format!("Update folders on the {side}"),
                    files => format!("Copy {} to the {side}", count(files, "file", "files")),
                }
            }
            Task::Orphans(_, to) => {
                let items = count(totals.removed_files + totals.removed_folders, "item", "items");
                match to {
                    RemovedTo::Nowhere => format!("Delete {items} for good"),
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
