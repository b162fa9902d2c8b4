//! Earlier runs, and what recovery and undo did with them, in words.
//!
//! Invariant: every item that could not be recovered is distinguished from those that were.

use std::path::Path;

use fcs_engine::error::display_path;
use fcs_engine::history::{RecoveryAction, RecoveryItem, RecoveryReport, RunInfo, RunState};
use fcs_engine::session::{OutOfReach, Part};
use fcs_engine::times;
use fcs_text::{count, printable, time};
use jiff::tz::TimeZone;

/// How a run ended, in words.
pub fn run_result(state: RunState) -> &'static str {
    match state {
        RunState::Unfinished => "not finished",
        RunState::Done => "done",
        RunState::DoneWithFailures => "done, with failures",
        RunState::Cancelled => "stopped early",
        RunState::Recovered => "recovered",
        RunState::PartlyUndone => "partly undone",
        RunState::RolledBack => "undone",
        RunState::RolledBackHere => "undone on this side",
        RunState::PartlyPruned => "pruned, not all deleted",
        RunState::Unreadable => "journal unreadable",
    }
}

/// How a run ended, and whether that was all there is to it.
pub fn how_it_ended(run: &RunInfo) -> &'static str {
    if run.kept_nothing { "done, nothing kept" } else { run_result(run.state) }
}

/// What is to be known before earlier runs than this one are undone.
pub fn kept_nothing_in_words(later: &RunInfo) -> String {
    format!("A later run kept nothing for undo, and what it changed stays as it is: {}.", run_in_words(later))
}

/// One run in one line, with the name that commands take: `6921c0a3f2: copy from /a, begun …`.
pub fn describe_run(run: &RunInfo) -> String {
    format!("{}: {}", printable(&run.run), run_in_words(run))
}

/// One run in one line: `copy from /a, begun 2026-11-22 10:00:00, 12 items`.
pub fn run_in_words(run: &RunInfo) -> String {
    let from = match origin(run) {
        "" => String::new(),
        source => format!(" from {}", printable(source)),
    };
    format!(
        "{}{from}, begun {}, {}",
        printable(&run.command),
        time(run.started, &TimeZone::system(), 0),
        items_in_words(run)
    )
}

/// Where what a run brought came from; empty where it came from nowhere, as dates that were typed.
pub fn origin(run: &RunInfo) -> &str {
    if run.command == times::Task::Set.command() { "" } else { &run.source }
}

/// `12 items, 3 folders`; a run can have set times of folders alone.
fn items_in_words(run: &RunInfo) -> String {
    let items = count(run.items, "item", "items");
    let folders = count(run.folders, "new folder", "new folders");
    match (run.items, run.folders) {
        (0, 0) if run.undoable => "times of folders".to_owned(),
        (_, 0) => items,
        (0, _) => folders,
        _ => format!("{items}, {folders}"),
    }
}

/// What is unfinished on a folder, each run on a line of its own.
pub fn unfinished_in_words(root: &Path, found: &[RunInfo]) -> String {
    let lines: Vec<String> = found.iter().map(|run| format!("  {}", describe_run(run))).collect();
    format!("A run on {} was interrupted and is not finished:\n{}", display_path(root), lines.join("\n"))
}

/// What is not over in the roots of runs, each root and run on a line of its own.
pub fn parts_in_words(parts: &[Part]) -> String {
    let (cut, not_begun): (Vec<&Part>, Vec<&Part>) =
        parts.iter().partition(|part| part.run.state == RunState::Unfinished);
    let mut words = Vec::new();
    let mut roots: Vec<&Path> = Vec::new();
    for root in cut.iter().map(|part| part.root.path.as_path()) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    for root in roots {
        let runs = cut.iter().filter(|part| part.root.path == root).map(|part| part.run.clone());
        words.push(unfinished_in_words(root, &runs.collect::<Vec<_>>()));
    }
    words.extend(not_begun.iter().map(|part| {
        format!(
            "An undo was cut short between the two folders of a run, and on {} it is not undone yet:\n  {}",
            display_path(&part.root.path),
            describe_run(&part.run)
        )
    }));
    words.join("\n")
}

/// Of a root that a run wrote to, and that is not where it was.
pub fn out_of_reach_in_words(out: &OutOfReach) -> String {
    format!(
        "Run {} wrote to {} too, {}. Nothing was done there.",
        printable(&out.run),
        printable(&out.path),
        printable(&out.reason())
    )
}

/// Runs of whose journal nothing can be read, in words.
pub fn unreadable_in_words(root: &Path, found: &[RunInfo]) -> String {
    let runs: Vec<String> = found.iter().map(|run| printable(&run.run).into_owned()).collect();
    format!(
        "The journal of {} on {} cannot be read: {}. It may have left unfinished copies and originals behind.",
        count(found.len() as u64, "run", "runs"),
        display_path(root),
        runs.join(", ")
    )
}

/// Whether an item is not as it should be.
pub fn is_problem(item: &RecoveryItem) -> bool {
    matches!(item.action, RecoveryAction::Foreign | RecoveryAction::Left)
}

/// What was done in all: `3 items; everything is as it was before the run`.
pub fn recovery_in_words(recovery: &RecoveryReport) -> String {
    let problems = recovery.items.iter().filter(|item| is_problem(item)).count() as u64;
    let done = count(recovery.items.len() as u64 - problems, "item", "items");
    let rest = if problems == 0 {
        String::new()
    } else {
        format!(", {} left as listed", count(problems, "item", "items"))
    };
    let now = match recovery.state {
        RunState::Recovered => "what was done stays",
        RunState::RolledBack => "everything is as it was before the run",
        RunState::PartlyUndone => "the rest is as it was before the run",
        RunState::Unfinished => "the run is still not finished",
        _ => "done",
    };
    format!("{done}{rest}; {now}")
}
