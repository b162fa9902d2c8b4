//! What dates are going to be set, on the screen and as events.
//!
//! Invariant: says what is in the proposal, all of it in a dry run; only how many paths are shown is decided
//! here.

use fcs_app::outcome;
use fcs_app::times::{changed_words, left_alone};
use fcs_engine::Settings;
use fcs_engine::error::display_path;
use fcs_engine::settings::Undo;
use fcs_engine::times::{Change, LeftAlone, LeftReason, Proposal, Task, steps};
use fcs_sys::{Kind, RelPath, Time};
use serde::Serialize;

use super::words::{Clock, JsonTimes, slash};
use crate::output::json;
use crate::output::terminal::{Screen, Style, Tone};
use crate::output::text::{count, number, pad};

/// Changes shown in the overview; the rest is counted.
const SHOWN: usize = 10;
const WIDTH: usize = 12;

/// Where dates are set, how many, and what is left alone. With `whole` every change and every item, else the
/// first ones.
pub(super) fn overview(
    proposal: &Proposal,
    settings: &Settings,
    clock: &Clock,
    whole: bool,
    style: Style,
) -> String {
    let mut lines = Vec::new();
    let mut fact = |name: &str, text: String| {
        lines.push(format!("{}{text}", style.paint(Tone::Strong, pad(name, WIDTH))));
    };
    if proposal.task == Task::Set {
        fact("In", display_path(&proposal.target.path));
    } else {
        fact("From", display_path(&proposal.source.path));
        fact("To", display_path(&proposal.target.path));
    }
    if !proposal.changes.is_empty() {
        fact("Set times", format!("of {}", changed_words(&proposal.changes)));
    }
    if proposal.same > 0 {
        fact("Unchanged", count(proposal.same, "item", "items"));
    }
    let sides = if proposal.task == Task::Repair { ["LEFT", "RIGHT"] } else { ["SOURCE", "TARGET"] };
    for (n, side) in proposal.one_sided.into_iter().zip(sides) {
        if n > 0 {
            fact("One side", format!("{} only in {side}", count(n, "item", "items")));
        }
    }
    let left = left_alone(&proposal.left_alone);
    for (_, text, _) in &left {
        fact("Left alone", text.clone());
    }
    if !proposal.is_empty() {
        let undo = match settings.undo {
            Undo::Off => "not possible".to_owned(),
            Undo::Last => "until the next run".to_owned(),
            Undo::Days(days) => format!("for {}", count(days, "day", "days")),
        };
        fact("Undo", undo);
    }
    let shown = if whole { usize::MAX } else { SHOWN };
    if !proposal.changes.is_empty() {
        lines.push(String::new());
        lines.extend(proposal.changes.iter().take(shown).map(|change| line(change, proposal, clock, style)));
        lines.extend(rest(proposal.changes.len(), shown));
    }
    for (why, _, paths) in &left {
        // Links and the like are known to whoever made them.
        if !whole && why.is_settled() {
            continue;
        }
        lines.push(String::new());
        let line = |path: &String| style.paint(Tone::Bad, format!("  ! {path}")).into_owned();
        lines.extend(paths.iter().take(shown).map(|path| format!("{}  {}", line(path), why.words())));
        lines.extend(rest(paths.len(), shown));
    }
    lines.join("\n")
}

fn rest(all: usize, shown: usize) -> Option<String> {
    (all > shown).then(|| format!("  … and {} more", number((all - shown) as u64)))
}

/// `* notes.txt  modified 2026-… → 2026-…`.
fn line(change: &Change, proposal: &Proposal, clock: &Clock, style: Style) -> String {
    let (modified_step, created_step) = steps(&proposal.volume);
    let of = |name: &str, was: Option<Time>, to: Option<Time>, step: u64| {
        let was = was.map_or_else(|| "none".to_owned(), |was| clock.text(was, step));
        to.map(|to| format!("{name} {was} → {}", clock.text(to, step)))
    };
    let modified = of("modified", Some(change.was.modified), change.set.modified, modified_step);
    let created = of("created", change.was.created, change.set.created, created_step.unwrap_or(1));
    let texts: Vec<String> = modified.into_iter().chain(created).collect();
    let head = style.paint(Tone::Changed, format!("  * {}{}", change.path, slash(change.kind)));
    format!("{head}  {}", texts.join("; "))
}

/// Prints the overview by `print`.
pub(super) fn show(
    proposal: &Proposal,
    (settings, clock): (&Settings, &Clock),
    whole: bool,
    style: Style,
    print: &dyn Fn(&str),
) {
    print(&overview(proposal, settings, clock, whole, style));
    if proposal.is_empty() {
        print("Nothing to do: no times are to be set.");
    }
}

/// How long the run can be undone; `None` if it cannot be.
pub(super) fn undo_lasts(report: &fcs_engine::report::Report) -> Option<String> {
    // What is undone of a run that removes nothing does not depend on where it would have moved items.
    let task = fcs_engine::session::Task::Copy(fcs_engine::compare::Side::Right);
    outcome::undo_lasts(report, task)
}

/// An item that is left alone.
#[derive(Serialize)]
pub(super) struct JsonLeft<'a> {
    event: &'static str,
    path: &'a RelPath,
    why: LeftReason,
}

impl<'a> JsonLeft<'a> {
    pub(super) fn new(item: &'a LeftAlone) -> Self {
        Self { event: "left-alone", path: &item.path, why: item.why }
    }
}

#[derive(Serialize)]
struct JsonPlan {
    event: &'static str,
    schema: &'static str,
    command: &'static str,
    /// Where the dates come from; none where they were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    target: String,
    changes: usize,
    unchanged: u64,
    left_alone: usize,
    source_only: u64,
    target_only: u64,
    created_not_settable: bool,
}

#[derive(Serialize)]
struct JsonChange<'a> {
    event: &'static str,
    path: &'a RelPath,
    kind: Kind,
    was: JsonTimes,
    /// Only what changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_ns: Option<i128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_ns: Option<i128>,
}

/// The proposal as events: the plan, each change, each item that is left alone, and the notes.
pub(super) fn events(proposal: &Proposal, clock: &Clock, screen: &Screen) {
    let source = (proposal.task != Task::Set).then(|| display_path(&proposal.source.path));
    let plan = JsonPlan {
        event: "plan",
        schema: json::SCHEMA,
        command: proposal.task.command(),
        source,
        target: display_path(&proposal.target.path),
        changes: proposal.changes.len(),
        unchanged: proposal.same,
        left_alone: proposal.left_alone.len(),
        source_only: proposal.one_sided[0],
        target_only: proposal.one_sided[1],
        created_not_settable: proposal.lacks_created,
    };
    json::print(screen, &plan);
    for change in &proposal.changes {
        let text = |time: Option<Time>| time.map(|time| clock.text(time, 1));
        let event = JsonChange {
            event: "change",
            path: &change.path,
            kind: change.kind,
            was: clock.json(&change.was),
            modified: text(change.set.modified),
            modified_ns: change.set.modified.map(Time::as_nanos),
            created: text(change.set.created),
            created_ns: change.set.created.map(Time::as_nanos),
        };
        json::print(screen, &event);
    }
    proposal.left_alone.iter().for_each(|item| json::print(screen, &JsonLeft::new(item)));
    proposal.notes.iter().for_each(|note| crate::run::events::note(note, screen));
}
