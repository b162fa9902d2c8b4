//! What a run did, on the screen: the summary at its end, and one line per item for those who want it.
//!
//! Invariant: says what `fcs_app::outcome` says, all of it; only colours, columns, how many paths are listed and the
//! commands that can be typed are decided here.

use std::fmt::Write as _;

use fcs_app::hints::{FrontEnd, note_words};
use fcs_app::outcome::{self, Line, failures};
use fcs_engine::Note;
use fcs_engine::compare::Side;
use fcs_engine::directions::Mode;
use fcs_engine::report::{ItemReport, Outcome, Report, SkipReason};
use fcs_engine::session::Task;
use fcs_sys::Root;

use super::events;
use super::spec::RunSpec;
use crate::exit::Code;
use crate::output::terminal::{Screen, Style, Tone};
use crate::output::text::{number, pad};
use crate::session::Session;
use crate::unfinished;

/// Paths listed per reason; the rest is counted. The report file holds all.
const SHOWN_PATHS: usize = 10;

/// Tells how the run ended: all of it as an event, or the summary and what failed in text.
pub(super) fn show(
    session: &Session,
    report: &Report,
    shown: &[Note],
    spec: RunSpec,
    code: Code,
    screen: &Screen,
) {
    if spec.json {
        events::end(Some(report), code, screen);
    } else if !screen.show.quiet && !report.items.is_empty() {
        // Of two that may be written to, one that was.
        let wrote =
            |side: &&Side| report.items.iter().any(|item| is_done(item) && item.root == (**side).into());
        let side = spec.task.targets().iter().find(wrote).copied().unwrap_or(spec.task.target());
        let target = session.folders.root(side);
        screen.line(&summary(report, spec.task, target, shown, screen.style));
    }
    if !spec.json {
        failures(report).for_each(|error| screen.error_message(error));
    }
    if code == Code::RecoveryNeeded {
        // Whichever of the two waits for it, the other one is recovered with it.
        let commands = spec.task.targets().iter();
        let commands = commands.map(|side| unfinished::command("recover", session.folders.root(*side)));
        let commands = commands.collect::<Vec<_>>().join(" or ");
        screen.message(&format!("Hint: {commands} recovers the run."));
    }
}

fn is_done(item: &ItemReport) -> bool {
    matches!(item.outcome, Outcome::Done { .. })
}

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

/// The summary of a run. Notes that were shown before the run are not repeated.
fn summary(report: &Report, task: Task, target: &Root, shown: &[Note], style: Style) -> String {
    let mut lines = vec![style.paint(Tone::Strong, outcome::headline(report, task)).into_owned()];
    lines.extend(outcome::facts(report, FrontEnd::CommandLine).iter().map(fact));
    // The plan keeps the text of a note alone.
    let is_shown = |note: &Note| shown.iter().any(|known| known.text == note.text);
    let notes = report.notes.iter().filter(|note| !is_shown(note));
    lines.extend(notes.map(|note| format!("Note: {}", note_words(note, FrontEnd::CommandLine))));
    let clash = |item: &ItemReport| matches!(item.outcome, Outcome::Skipped { why: SkipReason::KindClash });
    if matches!(task, Task::Copy(_)) && report.items.iter().any(clash) {
        lines.push(
            "--replace-kinds replaces items of another kind; unless undo is off, `fcs undo` restores them."
                .to_owned(),
        );
    }
    let conflict = |item: &ItemReport| matches!(item.outcome, Outcome::Skipped { why: SkipReason::Conflict });
    if matches!(task, Task::Directed(Mode::TwoWay { .. })) && report.items.iter().any(conflict) {
        lines.push("--conflicts newest, left, right or keep-both says which version is wanted.".to_owned());
    }
    lines.extend(
        outcome::undo_lasts(report, task)
            .map(|until| format!("{} undoes this run, {until}.", unfinished::command("undo", target))),
    );
    lines.join("\n")
}

/// A fact and the first of its paths, each on a line of its own.
pub(crate) fn fact(line: &Line) -> String {
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
