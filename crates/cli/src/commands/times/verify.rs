//! `fcs times verify`: differences on standard output, the summary on standard error, the verdict in the exit
//! code.
//!
//! Invariant: nothing is written, no content is read.

use std::fmt::Write as _;
use std::sync::Arc;

use fcs_app::hints::{FrontEnd, note_words};
use fcs_app::times::{apart_words, left_alone};
use fcs_engine::Control;
use fcs_engine::error::display_path;
use fcs_engine::times::{self, Difference, Exactness, Verification};
use fcs_sys::{Kind, RelPath};
use serde::Serialize;

use super::scope;
use super::words::{Clock, JsonTimes, slash};
use crate::args::TimesVerifyArgs;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::interrupt::Interrupt;
use crate::options;
use crate::output::json;
use crate::output::progress::Display;
use crate::output::terminal::{Screen, Tone};
use crate::output::text::{count, number, step};

/// Runs the command.
pub(super) fn run(args: &TimesVerifyArgs, screen: &Arc<Screen>) -> CommandResult {
    let settings = options::for_times(&args.common, None)?;
    let exactness = Exactness::within(args.tolerance.map_or(0, |tolerance| tolerance.0));
    let interrupt = Interrupt::install(screen)?;
    let control = Control::default();
    interrupt.working(&control.cancel, "");
    let display = Display::start(screen, &control.progress);
    let scope = scope(&args.common, true);
    let found = times::verify(&args.left, &args.right, scope, exactness, &settings, &control);
    display.end();
    interrupt.idle("");
    let found = found?;
    if found.cancelled {
        return Err(Failure::interrupted());
    }
    let code = if !found.errors.is_empty() {
        Code::Failed
    } else if found.differences.is_empty() {
        Code::Done
    } else {
        Code::Differences
    };
    let clock = Clock::new(args.common.utc);
    if args.common.json {
        print_json(&found, &clock, code, screen);
    } else {
        print(&found, &clock, screen);
    }
    found.errors.iter().for_each(|error| screen.error_message(error));
    Ok(code)
}

fn print(found: &Verification, clock: &Clock, screen: &Screen) {
    for item in &found.differences {
        let path = shown_path(item, found);
        let head = screen.style.paint(Tone::Changed, format!("* {path}{}", slash(item.kind)));
        let pairs = [
            ("modified", item.modified.then_some((item.left.modified, item.right.modified))),
            ("created", item.left.created.zip(item.right.created).filter(|_| item.created)),
        ];
        let differing = pairs.into_iter().filter_map(|(name, pair)| Some((name, pair?)));
        let texts: Vec<String> = differing
            .map(|(name, (left, right))| {
                let [l, r] = [left, right].map(|time| clock.text(time, 1));
                format!("{name} {l} in LEFT, {r} in RIGHT (RIGHT is {})", apart_words(left, right))
            })
            .collect();
        screen.line(&format!("{head}  {}", texts.join("; ")));
    }
    if screen.show.quiet {
        return;
    }
    for note in &found.notes {
        screen.message(&format!("Note: {}", note_words(note, FrontEnd::CommandLine)));
    }
    for (_, text, paths) in left_alone(&found.left_alone) {
        screen.message(&format!("Not compared, {text}."));
        if screen.show.verbose {
            paths.iter().for_each(|path| screen.message(&format!("  ! {path}")));
        }
    }
    screen.message(&summary(found));
}

/// `.` for the folders themselves; a file that was given has its name.
fn shown_path(item: &Difference, found: &Verification) -> String {
    if item.path.is_root() { display_path(&found.right.path) } else { item.path.to_string() }
}

fn summary(found: &Verification) -> String {
    let compared = count(found.compared, "item", "items");
    let mut text = match found.differences.len() as u64 {
        0 => format!("No differences: times of {compared} compared"),
        n => format!("{compared} compared; times of {} differ", number(n)),
    };
    if found.step_nanos > 1 {
        let _ = write!(text, " by {} or more", step(found.step_nanos));
    }
    text.push('.');
    for (paths, side) in found.only.iter().zip(["LEFT", "RIGHT"]) {
        if !paths.is_empty() {
            let _ = write!(text, " Only in {side}: {}.", count(paths.len() as u64, "item", "items"));
        }
    }
    text
}

#[derive(Serialize)]
struct JsonDifference<'a> {
    event: &'static str,
    /// Below the folders, or the name of a file.
    path: &'a RelPath,
    kind: Kind,
    differences: Vec<&'static str>,
    left: JsonTimes,
    right: JsonTimes,
}

#[derive(Serialize)]
struct JsonSummary {
    event: &'static str,
    schema: &'static str,
    left: String,
    right: String,
    compared: u64,
    different: usize,
    left_only: usize,
    right_only: usize,
    step_ns: u64,
    exit_code: u8,
}

fn print_json(found: &Verification, clock: &Clock, code: Code, screen: &Screen) {
    for item in &found.differences {
        let names = [("created", item.created), ("modified", item.modified)];
        let event = JsonDifference {
            event: "difference",
            path: &item.path,
            kind: item.kind,
            differences: names.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect(),
            left: clock.json(&item.left),
            right: clock.json(&item.right),
        };
        json::print(screen, &event);
    }
    for item in &found.left_alone {
        json::print(screen, &super::plan::JsonLeft::new(item));
    }
    found.notes.iter().for_each(|note| crate::run::events::note(note, screen));
    let event = JsonSummary {
        event: "summary",
        schema: json::SCHEMA,
        left: display_path(&found.left.path),
        right: display_path(&found.right.path),
        compared: found.compared,
        different: found.differences.len(),
        left_only: found.only[0].len(),
        right_only: found.only[1].len(),
        step_ns: found.step_nanos,
        exit_code: code as u8,
    };
    json::print(screen, &event);
}
