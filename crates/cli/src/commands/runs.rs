//! `fcs runs`: what was done to a folder, newest first; and the deletion of what runs keep.
//!
//! Invariant: without `--prune` nothing is changed; with it, only what was shown and agreed to.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use console::measure_text_width;
use fcs_app::hints::{FrontEnd, with_hint};
use fcs_app::outcome::{describe_run, how_it_ended, origin};
use fcs_app::remembering;
use fcs_engine::error::display_path;
use fcs_engine::history::{self, RunId, RunInfo, RunState, StartError};
use fcs_engine::session;
use fcs_sys::Root;
use serde::Serialize;

use crate::args::{RunsArgs, UpTo};
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::output::json;
use crate::output::terminal::{Screen, Tone};
use crate::output::text::{count, local_time, number, pad, printable, size, utc_time};
use crate::question::ask;
use crate::unfinished;

/// Runs the command.
pub(crate) fn run(args: &RunsArgs, screen: &Arc<Screen>) -> CommandResult {
    let root = session::open(&args.root)?;
    let found = history::list(&root).map_err(|e| Failure::of(Code::Failed, &e))?;
    if let Some(UpTo(newest)) = &args.prune {
        return prune(args, newest.as_ref(), &root, &found, screen);
    }
    if args.json {
        found.iter().for_each(|run| json::print(screen, &JsonRun::new(run)));
    } else if found.is_empty() {
        screen.line(&format!("No runs are recorded on {}.", display_path(&root.path)));
    } else {
        table(&found, screen);
    }
    // Only deleting finds out what is in the way.
    if !args.json && found.iter().any(|run| run.state == RunState::PartlyPruned && !run.kept_nothing) {
        let prune = unfinished::command("runs --prune", &root);
        screen.message(&format!(
            "Hint: Not all that a pruned run kept could be deleted; {prune} tries again and says why."
        ));
    }
    // One that is still going on is nobody's fault. What is over here may not be on another side.
    if session::unfinished_in_all(&root).is_ok_and(|parts| !parts.is_empty()) {
        if !args.json {
            screen.message(&format!("Hint: {} recovers the run.", unfinished::command("recover", &root)));
        }
        return Ok(Code::RecoveryNeeded);
    }
    Ok(Code::Done)
}

/// Deletes what runs keep for undo.
fn prune(
    args: &RunsArgs,
    newest: Option<&RunId>,
    root: &Root,
    found: &[RunInfo],
    screen: &Screen,
) -> CommandResult {
    let keeping: Vec<&RunInfo> = found
        .iter()
        .skip_while(|run| newest.is_some_and(|newest| run.run != *newest))
        .filter(|run| run.undoable || matches!(run.state, RunState::PartlyPruned | RunState::RolledBackHere))
        .collect();
    if keeping.is_empty() {
        if let Some(wanted) = newest.filter(|newest| found.iter().all(|run| run.run != **newest)) {
            return Err(unfinished::failure(&StartError::NoSuchRun(wanted.clone()), root));
        }
        if !args.json {
            screen.line(&format!("No run on {} keeps anything for undo.", display_path(&root.path)));
        }
        return Ok(Code::Done);
    }
    let bytes = keeping.iter().fold(0u64, |sum, run| sum.saturating_add(run.kept_bytes));
    let runs = count(keeping.len() as u64, "run", "runs");
    if !args.yes {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "Could not ask whether to go ahead: standard input is not a terminal.",
            )
            .hint("Add -y to go ahead without asking."));
        }
        let lines: Vec<String> = keeping.iter().map(|run| format!("  {}", describe_run(run))).collect();
        screen.message(&format!(
            "On {}\nDelete permanently what {runs} keep for undo ({}):\n{}",
            display_path(&root.path),
            size(bytes),
            lines.join("\n")
        ));
        if !matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was changed."));
        }
    }
    let pruned = remembering::prune(root, newest)?;
    if args.json {
        pruned
            .runs
            .iter()
            .for_each(|run| json::print(screen, &JsonRun { event: "pruned", ..JsonRun::new(run) }));
    } else {
        // What those keep that stay, in part or whole, is still there.
        let stays = history::list(root).map_err(|e| Failure::of(Code::Failed, &e))?;
        let left: Vec<&RunInfo> =
            stays.iter().filter(|run| keeping.iter().any(|kept| kept.run == run.run)).collect();
        let bytes = left.iter().fold(bytes, |bytes, run| bytes.saturating_sub(run.kept_bytes));
        let runs = count(keeping.len().saturating_sub(left.len()) as u64, "run", "runs");
        screen.line(&format!(
            "Pruned {runs} on {}: {} of originals deleted.",
            display_path(&root.path),
            size(bytes)
        ));
    }
    for error in &pruned.errors {
        screen.message(&format!("Warning: {}", with_hint(error, FrontEnd::CommandLine)));
    }
    Ok(if pruned.errors.is_empty() { Code::Done } else { Code::Failed })
}

/// The runs as they belong together: a retry stands above the run that it belongs to.
fn grouped(found: &[RunInfo]) -> Vec<&RunInfo> {
    let mut sorted: Vec<&RunInfo> = Vec::with_capacity(found.len());
    for run in found {
        if sorted.iter().all(|other| other.group() != run.group()) {
            sorted.extend(found.iter().filter(|other| other.group() == run.group()));
        }
    }
    sorted
}

fn table(found: &[RunInfo], screen: &Screen) {
    let found = grouped(found);
    let head = ["RUN", "BEGUN", "WHAT", "RESULT", "ITEMS", "UNDO", "KEPT", "FROM"].map(str::to_owned);
    let rows: Vec<[String; 8]> = found.iter().map(|run| cells(run)).collect();
    let width = |column: usize| {
        std::iter::once(&head).chain(&rows).map(|row| measure_text_width(&row[column])).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String; 8]| {
        let padded = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            // Numbers are read from the right.
            4 | 6 => format!("{}{cell}", " ".repeat(width - measure_text_width(cell))),
            _ => pad(cell, width),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    screen.line(&screen.style.paint(Tone::Strong, line(&head)));
    for (run, row) in found.iter().zip(&rows) {
        let tone = match run.state {
            RunState::Unfinished | RunState::Unreadable => Some(Tone::Bad),
            RunState::DoneWithFailures | RunState::PartlyUndone | RunState::RolledBackHere => {
                Some(Tone::Changed)
            }
            RunState::RolledBack | RunState::PartlyPruned => Some(Tone::Dim),
            RunState::Done | RunState::Cancelled | RunState::Recovered => None,
        };
        let text = line(row);
        match tone {
            Some(tone) => screen.line(&screen.style.paint(tone, text)),
            None => screen.line(&text),
        }
    }
}

fn cells(run: &RunInfo) -> [String; 8] {
    let known = run.state != RunState::Unreadable;
    let or_dash = |text: String| if known { text } else { "-".to_owned() };
    [
        printable(&run.run).into_owned(),
        or_dash(local_time(run.started, 0)),
        or_dash(match run.retries {
            Some(_) => format!("{}, retry", printable(&run.command)),
            None => printable(&run.command).into_owned(),
        }),
        how_it_ended(run).to_owned(),
        or_dash(number(run.items)),
        if run.undoable { "yes" } else { "no" }.to_owned(),
        size(run.kept_bytes),
        or_dash(printable(origin(run)).into_owned()),
    ]
}

#[derive(Serialize)]
struct JsonRun<'a> {
    event: &'static str,
    run: &'a RunId,
    command: &'a str,
    source: &'a str,
    started: String,
    ended: Option<String>,
    state: RunState,
    items: u64,
    folders: u64,
    retries: Option<&'a RunId>,
    undo: String,
    undoable: bool,
    kept_nothing: bool,
    kept_bytes: u64,
}

impl<'a> JsonRun<'a> {
    fn new(info: &'a RunInfo) -> Self {
        Self {
            event: "run",
            run: &info.run,
            command: &info.command,
            source: &info.source,
            started: utc_time(info.started),
            ended: info.ended.map(utc_time),
            state: info.state,
            items: info.items,
            folders: info.folders,
            retries: info.retries.as_ref(),
            undo: info.undo.to_string(),
            undoable: info.undoable,
            kept_nothing: info.kept_nothing,
            kept_bytes: info.kept_bytes,
        }
    }
}
