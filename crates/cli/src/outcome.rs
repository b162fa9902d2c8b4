//! What a run did, in words: the summary at its end, and one line per item for those who want it.
//!
//! Invariant: evidence is never rounded up: what was read back from a cache is not called verified on the device,
//! and what failed or was left alone is always in the text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fcs_engine::report::{ActionKind, Evidence, ItemReport, Outcome, Report, RunResult};

use fcs_engine::run::RemovedTo;
use fcs_engine::settings::Undo;
use fcs_sys::Root;

use crate::exit::is_left_alone;
use crate::terminal::{Style, Tone};
use crate::text::{count, number, pad, seconds, size};
use crate::unfinished;
use fcs_front::overview::slash;
use fcs_front::task::Task;

/// Paths listed per reason; the rest is counted. The report file holds all.
const SHOWN_PATHS: usize = 10;

/// One finished item.
pub(crate) fn item_line(item: &ItemReport, style: Style) -> String {
    let name = format!("{}{}", item.path, slash(item.action));
    let (sign, tone, what) = match &item.outcome {
        Outcome::Done { evidence } => {
            let (sign, tone) = match item.action {
                ActionKind::Replace | ActionKind::FolderTimes => ('*', Tone::Changed),
                ActionKind::Remove | ActionKind::RemoveFolder => ('-', Tone::Changed),
                _ => ('+', Tone::Good),
            };
            (sign, tone, evidence_in_words(evidence))
        }
        Outcome::Skipped { why } => ('!', Tone::Bad, format!("left alone: {}", why.words())),
        Outcome::RolledBack => ('<', Tone::Changed, "rolled back".to_owned()),
        Outcome::Failed { error } => ('!', Tone::Bad, error.to_string()),
    };
    let mut notes = Vec::new();
    notes.extend(item.strategy.map(|chosen| format!("{}, {}", size(item.bytes), chosen.strategy())));
    notes.extend(Some(what).filter(|what| !what.is_empty()));
    if !item.not_kept.is_empty() {
        notes.push(format!("not kept: {}", item.not_kept.join(", ")));
    }
    let head = style.paint(tone, format!("{sign} {name}"));
    if notes.is_empty() {
        head.into_owned()
    } else {
        format!("{head}  {}", style.paint(Tone::Dim, notes.join(", ")))
    }
}

fn evidence_in_words(evidence: &Evidence) -> String {
    match evidence {
        Evidence::DeviceReread { .. } => "verified on the device".to_owned(),
        Evidence::CacheReread { why, .. } => format!("verified, but possibly in a cache: {why}"),
        Evidence::SharedExtents => "shares its blocks with the source".to_owned(),
        Evidence::NotRequested => "not verified".to_owned(),
        Evidence::NoContent => String::new(),
    }
}

/// The summary of a run. Notes that were told before the run are not repeated.
pub(crate) fn summary(report: &Report, task: Task, target: &Root, told: &[String], style: Style) -> String {
    let c = &report.counts;
    let mut lines = vec![style.paint(Tone::Strong, headline(report, task)).into_owned()];
    let mut fact = |name: &str, text: String| lines.push(format!("  {}{text}", pad(name, 14)));
    if c.verified_on_device > 0 {
        fact("verified", format!("{} read back from the device", number(c.verified_on_device)));
    }
    for (why, n) in cache_reasons(report) {
        fact("verified", format!("{} read back, but possibly from a cache: {why}", number(n)));
    }
    if c.shared_extents > 0 {
        fact(
            "shared",
            format!(
                "{} share their blocks with the source; there is one copy of the bytes, not two",
                number(c.shared_extents)
            ),
        );
    }
    if c.not_verified > 0 {
        fact("not verified", format!("{} as asked", number(c.not_verified)));
    }
    if c.folders_created + c.folder_times > 0 {
        fact(
            "folders",
            format!("{} made, {} given their times", number(c.folders_created), number(c.folder_times)),
        );
    }
    if c.removed + c.folders_removed > 0 {
        fact("removed", what_was_removed(report));
    }
    if c.rolled_back > 0 {
        fact("rolled back", count(c.rolled_back, "item", "items"));
    }
    if c.failed > 0 {
        fact("failed", count(c.failed, "item, listed below", "items, listed below"));
    }
    for (text, paths) in left_alone(report) {
        fact("left alone", with_paths(&text, &paths));
    }
    for (what, paths) in not_kept(report) {
        fact("not kept", with_paths(&what, &paths));
    }
    let notes = report.notes.iter().filter(|note| !told.contains(note));
    lines.extend(notes.map(|note| format!("Note: {note}")));
    lines.extend(way_back(report, task, target));
    lines.join("\n")
}

/// How it can be undone, if it can.
fn way_back(report: &Report, task: Task, target: &Root) -> Option<String> {
    let c = &report.counts;
    let stays = matches!(
        report.result,
        RunResult::Completed | RunResult::CompletedWithFailures | RunResult::Cancelled
    );
    let did = c.copied + c.folders_created + c.removed + c.folders_removed > 0;
    let until = match report.settings.undo {
        Undo::Off => return None,
        Undo::Last => "until the next run".to_owned(),
        Undo::Days(days) => format!("for {}", count(days, "day", "days")),
    };
    (stays && did && task.removed_to() == RemovedTo::Undo)
        .then(|| format!("{} takes it back, {until}.", unfinished::command("undo", target)))
}

fn what_was_removed(report: &Report) -> String {
    let c = &report.counts;
    let parts = [(c.removed, "file or link", "files and links"), (c.folders_removed, "folder", "folders")];
    let words: Vec<_> =
        parts.into_iter().filter(|p| p.0 > 0).map(|(n, one, many)| count(n, one, many)).collect();
    format!("{} ({})", words.join(", "), size(c.bytes_removed))
}

fn headline(report: &Report, task: Task) -> String {
    let c = &report.counts;
    let copied = || {
        format!("{} copied ({})", count(c.copied, "file or link", "files and links"), size(c.bytes_copied))
    };
    let removed = || count(c.removed + c.folders_removed, "item", "items") + " removed";
    let what = match task {
        Task::Copy(_) => copied(),
        Task::Sync(_) => format!("{}, {}", copied(), removed()),
        Task::Orphans(..) => format!("{} ({})", removed(), size(c.bytes_removed)),
    };
    let what = format!("{what} in {}", seconds(report.seconds));
    let stays = if matches!(task, Task::Copy(_)) { "What was copied stays" } else { "What was done stays" };
    match report.result {
        RunResult::Completed => format!("Done: {what}."),
        RunResult::CompletedWithFailures => format!("Done with failures: {what}."),
        RunResult::Cancelled => format!("Stopped: {what}. {stays}; the rest is as it was."),
        RunResult::RolledBack => "Rolled back: the folder is as it was before the run.".to_owned(),
        RunResult::PartlyRolledBack => {
            "Rolled back, except for the items listed below: the rest is as it was before the run.".to_owned()
        }
        RunResult::Stopped => {
            format!(
                "Stopped, because the run must be put in order first: {what}, and nothing further was changed."
            )
        }
        RunResult::DryRun => "Dry run: nothing was written.".to_owned(),
    }
}

/// Every failure in full.
pub(crate) fn failures(report: &Report) -> impl Iterator<Item = String> + '_ {
    report.items.iter().filter_map(|item| match &item.outcome {
        Outcome::Failed { error } => Some(error.to_string()),
        _ => None,
    })
}

fn cache_reasons(report: &Report) -> BTreeMap<&str, u64> {
    let mut reasons = BTreeMap::new();
    for item in &report.items {
        if let Outcome::Done { evidence: Evidence::CacheReread { why, .. } } = &item.outcome {
            *reasons.entry(why.as_str()).or_default() += 1;
        }
    }
    reasons
}

fn left_alone(report: &Report) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in report.items.iter().filter(|item| is_left_alone(&item.outcome)) {
        if let Outcome::Skipped { why } = &item.outcome {
            groups.entry(why.words().to_owned()).or_default().push(item.path.to_string());
        }
    }
    groups
}

fn not_kept(report: &Report) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in &report.items {
        for what in &item.not_kept {
            // The engine escapes attribute names; printable text is checked once more where it leaves the process.
            groups.entry(crate::text::printable(what).into_owned()).or_default().push(item.path.to_string());
        }
    }
    groups
}

/// `reason: 12 items` and the first of them, each on a line of its own.
fn with_paths(text: &str, paths: &[String]) -> String {
    let mut out = format!("{text}: {}", count(paths.len() as u64, "item", "items"));
    for path in paths.iter().take(SHOWN_PATHS) {
        out.push_str("\n      ! ");
        out.push_str(path);
    }
    if paths.len() > SHOWN_PATHS {
        let _ = write!(out, "\n      … and {} more", number((paths.len() - SHOWN_PATHS) as u64));
    }
    out
}
