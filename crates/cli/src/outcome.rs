//! What a run did, on the screen: the summary at its end, and one line per item for those who want it.
//!
//! Invariant: says what `fcs_front::outcome` says, all of it; only colours, columns, how many paths are listed and the
//! commands that can be typed are decided here.

use std::fmt::Write as _;

use fcs_engine::report::{ItemReport, Outcome, Report, SkipReason};
use fcs_front::outcome::{self, Line};
use fcs_front::task::Task;
use fcs_sys::Root;

use crate::terminal::{Style, Tone};
use crate::text::{number, pad};
use crate::unfinished;

/// Paths listed per reason; the rest is counted. The report file holds all.
const SHOWN_PATHS: usize = 10;

/// One finished item.
pub(crate) fn item_line(item: &ItemReport, style: Style) -> String {
    let sign = outcome::item_sign(item);
    let tone = match sign {
        '+' => Tone::Good,
        '!' => Tone::Bad,
        _ => Tone::Changed,
    };
    let head = style.paint(tone, format!("{sign} {}", outcome::item_name(item)));
    let words = outcome::item_words(item);
    if words.is_empty() { head.into_owned() } else { format!("{head}  {}", style.paint(Tone::Dim, words)) }
}

/// The summary of a run. Notes that were told before the run are not repeated.
pub(crate) fn summary(report: &Report, task: Task, target: &Root, told: &[String], style: Style) -> String {
    let mut lines = vec![style.paint(Tone::Strong, outcome::headline(report, task)).into_owned()];
    lines.extend(outcome::facts(report).iter().map(fact));
    let notes = report.notes.iter().filter(|note| !told.contains(note));
    lines.extend(notes.map(|note| format!("Note: {note}")));
    let clash = |item: &ItemReport| matches!(item.outcome, Outcome::Skipped { why: SkipReason::KindClash });
    if matches!(task, Task::Copy(_)) && report.items.iter().any(clash) {
        lines.push(
            "--replace-kinds replaces what is of another kind, and `fcs undo` brings it back.".to_owned(),
        );
    }
    lines.extend(
        outcome::undo_lasts(report, task)
            .map(|until| format!("{} undoes this run, {until}.", unfinished::command("undo", target))),
    );
    lines.join("\n")
}

/// A fact and the first of its paths, each on a line of its own.
fn fact(line: &Line) -> String {
    let mut out = format!("  {}{}", pad(&line.name, 14), line.text);
    for path in line.paths.iter().take(SHOWN_PATHS) {
        out.push_str("\n      ! ");
        out.push_str(path);
    }
    if line.paths.len() > SHOWN_PATHS {
        let _ = write!(out, "\n      … and {} more", number((line.paths.len() - SHOWN_PATHS) as u64));
    }
    out
}
