//! What recovery and undo did, as text or as events.
//!
//! Invariant: every item that was touched, and every one that could not be recovered, has a line.

use fcs_app::actions::{recovery_sign, recovery_words};
use fcs_app::hints::{FrontEnd, ItemHint, of_recovery};
use fcs_app::outcome::{is_problem, recovery_in_words};
use fcs_engine::history::{RecoveryItem, RecoveryReport};
use serde::Serialize;

use crate::exit::Code;
use crate::output::json;
use crate::output::terminal::{Screen, Style, Tone};

/// Prints what was done, item by item, and a last line that sums it up.
pub(super) fn print(recovery: &RecoveryReport, what: &str, screen: &Screen) {
    for item in &recovery.items {
        if is_problem(item) || !screen.show.quiet {
            let line = line(item, screen.style);
            screen.line(&line);
        }
    }
    for error in recovery.items.iter().filter_map(|item| item.error.as_ref()) {
        screen.error_message(error);
    }
    if !screen.show.quiet {
        let summary = format!("{what} run {}: {}.", recovery.run, recovery_in_words(recovery));
        screen.line(&screen.style.paint(Tone::Strong, summary));
    }
}

fn line(item: &RecoveryItem, style: Style) -> String {
    let sign = recovery_sign(item);
    let tone = match sign {
        '+' => Tone::Good,
        '=' => Tone::Dim,
        '!' => Tone::Bad,
        _ => Tone::Changed,
    };
    let path = if item.path.is_root() { ".".to_owned() } else { item.path.to_string() };
    let words = recovery_words(item);
    format!("{}  {}", style.paint(tone, format!("{sign} {path}")), style.paint(Tone::Dim, words))
}

#[derive(Serialize)]
struct JsonRecovery<'a> {
    event: &'static str,
    #[serde(flatten)]
    recovery: &'a RecoveryReport,
    /// What to do about each item that could not be dealt with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<ItemHint>,
}

/// The same as an event.
pub(super) fn event(recovery: &RecoveryReport, screen: &Screen) {
    json::print(
        screen,
        &JsonRecovery { event: "recovery", recovery, hints: of_recovery(recovery, FrontEnd::CommandLine) },
    );
}

#[derive(Serialize)]
struct JsonEnd {
    event: &'static str,
    exit_code: u8,
}

/// The last event.
pub(super) fn end(code: Code, screen: &Screen) {
    json::print(screen, &JsonEnd { event: "end", exit_code: code as u8 });
}
