//! `fcs runs`: what was done to a folder, newest first.
//!
//! Invariant: changes nothing.

use std::sync::Arc;

use console::measure_text_width;
use fcs_engine::error::shown;
use fcs_engine::runs::{self, RunInfo, RunState};
use fcs_front::folders::open_one;
use fcs_front::outcome::run_result;
use serde::Serialize;

use crate::args::RunsArgs;
use crate::exit::Code;
use crate::failure::{Failure, Outcome};
use crate::json;
use crate::terminal::{Screen, Tone};
use crate::text::{local_time, number, pad, printable, size, utc_time};

/// Runs the command.
pub(crate) fn run(args: &RunsArgs, screen: &Arc<Screen>) -> Outcome {
    let root = open_one(&args.root)?;
    let found = runs::list(&root).map_err(|e| Failure::new(Code::Failed, e))?;
    if args.json {
        found.iter().for_each(|run| json::print(screen, &JsonRun::new(run)));
    } else if found.is_empty() {
        screen.line(&format!("No runs are recorded on {}.", shown(&root.path)));
    } else {
        table(&found, screen);
    }
    let unfinished = found.iter().any(|run| run.state == RunState::Unfinished);
    // One that is still going on is nobody's fault.
    if unfinished && runs::unfinished(&root).is_ok_and(|runs| !runs.is_empty()) {
        if !args.json {
            screen.say(&format!("Hint: {} puts it in order.", crate::unfinished::command("recover", &root)));
        }
        return Ok(Code::RecoveryNeeded);
    }
    Ok(Code::Done)
}

fn table(found: &[RunInfo], screen: &Screen) {
    let head = ["RUN", "BEGUN", "WHAT", "RESULT", "ITEMS", "UNDO", "KEPT", "FROM"].map(str::to_owned);
    let rows: Vec<[String; 8]> = found.iter().map(cells).collect();
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
            RunState::DoneWithFailures | RunState::PartlyUndone => Some(Tone::Changed),
            RunState::RolledBack | RunState::Forgotten => Some(Tone::Dim),
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
        or_dash(printable(&run.command).into_owned()),
        run_result(run.state).to_owned(),
        or_dash(number(run.items)),
        if run.undoable { "yes" } else { "no" }.to_owned(),
        size(run.kept_bytes),
        or_dash(printable(&run.source).into_owned()),
    ]
}

#[derive(Serialize)]
struct JsonRun<'a> {
    event: &'static str,
    run: &'a str,
    command: &'a str,
    source: &'a str,
    started: String,
    ended: Option<String>,
    state: RunState,
    items: u64,
    undoable: bool,
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
            undoable: info.undoable,
            kept_bytes: info.kept_bytes,
        }
    }
}
