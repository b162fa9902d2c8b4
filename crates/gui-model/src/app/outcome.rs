//! How a run, an undo or a recovery ended, as it is shown.
//!
//! Invariant: evidence is never rounded up, and every failure is in the list. This module must not know how it is
//! drawn.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fcs_app::actions;
use fcs_app::hints::{FrontEnd, skip_words, with_hint};
use fcs_app::outcome::{self, Line};
use fcs_app::overview::{self, planned};
use fcs_engine::Error;
use fcs_engine::compare::Side;
use fcs_engine::error::display_path;
use fcs_engine::history::{RecoveryItem, RecoveryReport, RunState};
use fcs_engine::plan::Plan;
use fcs_engine::report::{ActionKind, ItemReport, Outcome, Report, RunResult};
use fcs_engine::run::RemovedTo;
use fcs_engine::session::{Proposal, Task};
use fcs_engine::settings::Undo;
use fcs_sys::RelPath;
use fcs_text::{count, number};

use super::confirm::items;

/// A failure of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFailure {
    /// Its path below the target.
    pub path: RelPath,
    /// What went wrong, what is there now, what to do.
    pub text: String,
    /// The same without the path: alike for all items that failed for one reason.
    reason: String,
}

/// A line of the list of failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureLine {
    /// The line.
    pub text: String,
    /// It belongs to what is said of a reason; else it is the path of an item.
    pub is_head: bool,
}

/// How many columns of text a line of the list of failures has room for.
const LINE: usize = 92;

impl ItemFailure {
    fn new(path: RelPath, error: &Error) -> Self {
        let text = with_hint(error, FrontEnd::Window);
        let reason = text.replace(&error.display_path_of(), "…");
        Self { path, text, reason }
    }
}

/// By reasons, the most frequent first, and in each by paths.
fn sorted(mut failures: Vec<ItemFailure>) -> Vec<ItemFailure> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    failures.iter().for_each(|failure| *counts.entry(failure.reason.clone()).or_default() += 1);
    failures.sort_by(|a, b| {
        let count = |failure: &ItemFailure| std::cmp::Reverse(counts[&failure.reason]);
        (count(a), &a.reason, &a.path).cmp(&(count(b), &b.reason, &b.path))
    });
    failures
}

fn failures(report: &Report) -> Vec<ItemFailure> {
    let failures = report.items.iter().filter_map(|item| match &item.outcome {
        Outcome::Failed { error } => Some(ItemFailure::new(item.path.clone(), error)),
        _ => None,
    });
    sorted(failures.collect())
}

/// Each reason once, with its items below it. A reason with one item names it.
fn failure_lines(failures: &[ItemFailure]) -> Vec<FailureLine> {
    let mut lines = Vec::new();
    for group in failures.chunk_by(|a, b| a.reason == b.reason) {
        let head = match group {
            [one] => one.text.replace('\n', " "),
            many => {
                format!(
                    "{}: {}",
                    count(many.len() as u64, "item", "items"),
                    many[0].reason.replace('\n', " ")
                )
            }
        };
        lines.extend(fcs_text::wrap(&head, LINE).into_iter().map(|text| FailureLine { text, is_head: true }));
        if group.len() > 1 {
            let item = |failure: &ItemFailure| FailureLine { text: failure.path.to_string(), is_head: false };
            lines.extend(group.iter().map(item));
        }
    }
    lines
}

/// From the number of planned items to what became of them.
fn what_became_of_all(report: &Report, plan: &Plan) -> Line {
    let c = &report.counts;
    let planned = items(plan) + plan.skipped.len() as u64;
    let parts = outcome::what_became(c);
    let known: u64 = parts.iter().map(|part| part.0).sum();
    let rest = (planned.saturating_sub(known), "not begun");
    let parts: Vec<String> = parts
        .into_iter()
        .chain([rest])
        .filter(|part| part.0 > 0)
        .map(|(n, words)| format!("{} {words}", number(n)))
        .collect();
    let text = format!("{} planned: {}", count(planned, "item", "items"), parts.join(", "));
    Line { name: "items".to_owned(), text, paths: Vec::new() }
}

/// Links are copied and have no content to read back, so that fewer items are verified than copied.
fn links(report: &Report) -> Option<Line> {
    let done = |item: &&ItemReport| {
        item.action == ActionKind::CopyLink && matches!(item.outcome, Outcome::Done { .. })
    };
    let links = report.items.iter().filter(done).count() as u64;
    let text = format!("{} copied; links have no content to read back", number(links));
    (links > 0).then(|| Line { name: "links".to_owned(), text, paths: Vec::new() })
}

/// How good the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As wished.
    Good,
    /// As wished, but something is worth knowing.
    Fair,
    /// Something failed.
    Bad,
}

/// A finished run.
pub struct EndedRun {
    /// What was to be done; `None` where dates were set.
    pub task: Option<Task>,
    /// The folder that was written to.
    pub folder: PathBuf,
    /// All about it.
    pub report: Report,
    /// In one line.
    pub headline: String,
    /// Evidence and counts.
    pub facts: Vec<Line>,
    /// What failed: by reason, then by path.
    pub failures: Vec<ItemFailure>,
    /// The same as lines to be read.
    pub failure_lines: Vec<FailureLine>,
    /// Of a dry run, what would be done with each item: its path, and how.
    pub decisions: Vec<(String, String)>,
    /// What it did is not remembered and should be.
    is_forgotten: bool,
}

impl EndedRun {
    pub(super) fn new(report: Report, folder: PathBuf, proposal: &Proposal, log: Option<&Path>) -> Self {
        let (task, plan) = (proposal.task, &proposal.plan);
        let failures = failures(&report);
        // Of a dry run the plan is the result.
        let totals = || {
            overview::facts(proposal, &report.settings, FrontEnd::Window)
                .into_iter()
                .map(Line::from)
                .collect()
        };
        let (decisions, mut facts): (_, Vec<Line>) = if report.result == RunResult::DryRun {
            (decisions(plan, task.targets().len() > 1), totals())
        } else {
            let mut facts = vec![what_became_of_all(&report, plan)];
            if task.targets().len() > 1 {
                facts.extend(outcome::on_each_side(&report));
            }
            facts.extend(outcome::facts(&report, FrontEnd::Window));
            facts.extend(links(&report));
            (Vec::new(), facts)
        };
        facts.extend(log.map(|path| Line {
            name: "log".to_owned(),
            text: display_path(path),
            paths: Vec::new(),
        }));
        Self {
            is_forgotten: false,
            decisions,
            headline: outcome::headline(&report, task),
            facts,
            failure_lines: failure_lines(&failures),
            failures,
            task: Some(task),
            folder,
            report,
        }
    }

    /// The same, and why what it did is not remembered, where it should be.
    #[must_use]
    pub(super) fn with_memory(mut self, not_remembered: Option<String>) -> Self {
        let line = |text| Line { name: "memory".to_owned(), text, paths: Vec::new() };
        self.is_forgotten = not_remembered.is_some();
        self.facts.extend(not_remembered.map(line));
        self
    }

    /// A run that set dates.
    pub(super) fn of_times(report: Report, folder: PathBuf) -> Self {
        let failures = failures(&report);
        let place = Line { name: "in".to_owned(), text: display_path(&folder), paths: Vec::new() };
        // The rest is in the headline.
        let is_told =
            |line: &Line| matches!(&*line.name, "rolled back" | "failed" | "left alone" | "not kept");
        let told = outcome::facts(&report, FrontEnd::Window).into_iter().filter(is_told);
        Self {
            is_forgotten: false,
            decisions: Vec::new(),
            headline: outcome::times_headline(&report),
            facts: std::iter::once(place).chain(told).collect(),
            failure_lines: failure_lines(&failures),
            failures,
            task: None,
            folder,
            report,
        }
    }

    /// Whether what failed can be tried again from here. Dates are chosen again instead; and a mode decides again, by what
    /// the two folders are then.
    pub fn can_retry(&self) -> bool {
        self.task.is_some_and(|task| !matches!(task, Task::Directed(_))) && !self.failures.is_empty()
    }

    /// How good that is.
    pub fn tone(&self) -> Tone {
        let counts = &self.report.counts;
        match self.report.result {
            RunResult::Completed
                if counts.failed == 0
                    && (self.is_forgotten || self.facts.iter().any(|f| !f.paths.is_empty())) =>
            {
                Tone::Fair
            }
            RunResult::Completed | RunResult::DryRun => Tone::Good,
            RunResult::Cancelled | RunResult::RolledBack => Tone::Fair,
            _ => Tone::Bad,
        }
    }

    /// Nothing was written.
    pub fn is_dry(&self) -> bool {
        self.report.result == RunResult::DryRun
    }

    /// Whether it can be undone.
    pub fn can_undo(&self) -> bool {
        let c = &self.report.counts;
        let stays = matches!(
            self.report.result,
            RunResult::Completed | RunResult::CompletedWithFailures | RunResult::Cancelled
        );
        // Any change is one: a run can have set the dates of folders alone.
        stays
            && c.any_change()
            && self.task.is_none_or(|task| task.removed_to() == RemovedTo::Undo)
            && self.report.settings.undo != Undo::Off
    }

    /// The failures as text, for the clipboard.
    pub fn failures_text(&self) -> String {
        let groups = self.failures.chunk_by(|a, b| a.reason == b.reason).map(|group| match group {
            [one] => one.text.clone(),
            many => {
                let paths: Vec<String> = many.iter().map(|failure| format!("  {}", failure.path)).collect();
                format!("{}\n{}", many[0].reason, paths.join("\n"))
            }
        });
        groups.collect::<Vec<_>>().join("\n\n")
    }
}

fn decisions(plan: &Plan, both_ways: bool) -> Vec<(String, String)> {
    let words = |parts: [&str; 3]| {
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    };
    let planned = planned(plan, &[]).map(|item| {
        let path = if item.path.is_root() { "./".to_owned() } else { item.name() };
        let path = if both_ways { format!("{} {path}", item.arrow()) } else { path };
        let action = match item.sign() {
            _ if actions::keeps_item(item.action) => "",
            '+' => "new",
            '-' => "removed",
            _ => "replaced",
        };
        (path, words([action, &item.what(), &item.decision_words()]))
    });
    let skipped = plan.skipped.iter().map(|skip| {
        (skip.path.to_string(), format!("left alone: {}", skip_words(skip.why, FrontEnd::Window)))
    });
    planned.chain(skipped).collect()
}

/// What an undo or a recovery did.
#[derive(Debug, Clone)]
pub struct Done {
    /// The folder's side.
    pub side: Side,
    /// It was a recovery.
    pub recovered: bool,
    /// Run by run.
    pub recoveries: Vec<RecoveryReport>,
    /// The folder of each of them.
    pub places: Vec<PathBuf>,
}

impl Done {
    pub(super) fn new(side: Side, recovered: bool, found: Vec<(PathBuf, Vec<RecoveryReport>)>) -> Self {
        let each = |(place, reports): (PathBuf, Vec<RecoveryReport>)| {
            reports.into_iter().map(move |report| (place.clone(), report))
        };
        let (places, recoveries) = found.into_iter().flat_map(each).unzip();
        Self { side, recovered, recoveries, places }
    }

    /// In a line for each run.
    pub fn headlines(&self) -> Vec<String> {
        let what = if self.recovered { "Recovered" } else { "Undone" };
        if self.recoveries.is_empty() {
            return vec!["Nothing was left to recover.".to_owned()];
        }
        let both = self.places.windows(2).any(|pair| pair[0] != pair[1]);
        let place =
            |place: &PathBuf| if both { format!(" in {}", display_path(place)) } else { String::new() };
        let lines =
            self.recoveries.iter().zip(&self.places).map(|(recovery, at)| {
                format!("{what}{}: {}.", place(at), outcome::recovery_in_words(recovery))
            });
        lines.collect()
    }

    /// What could not be recovered.
    pub fn troubles(&self) -> Vec<&RecoveryItem> {
        self.recoveries.iter().flat_map(|a| &a.items).filter(|item| outcome::is_problem(item)).collect()
    }

    /// Every item: its path and what was done with it.
    pub fn items(&self) -> Vec<(String, &'static str)> {
        let name =
            |item: &RecoveryItem| if item.path.is_root() { ".".to_owned() } else { item.path.to_string() };
        let items = self.recoveries.iter().flat_map(|recovery| &recovery.items);
        items.map(|item| (name(item), actions::recovery_words(item))).collect()
    }

    /// How good that is.
    pub fn tone(&self) -> Tone {
        let clean = self.recoveries.iter().all(RecoveryReport::is_clean);
        let open = self.recoveries.iter().any(|recovery| recovery.state == RunState::Unfinished);
        if clean && !open { Tone::Good } else { Tone::Bad }
    }
}
