//! What a run did, in words: its headline, its facts, and one text per item.
//!
//! Invariant: evidence is never rounded up: what was read back from a cache is not called verified on the device,
//! and what failed or was left alone is always among the facts. This module must not know colours, widths or how many
//! paths are shown.

mod runs;

use std::collections::BTreeMap;

use fcs_engine::Error;
use fcs_engine::compare::Side;
use fcs_engine::report::{ActionKind, Counts, Evidence, ItemReport, Outcome, Report, RunResult, SkipReason};
use fcs_engine::run::RemovedTo;
use fcs_engine::session::Task;
use fcs_engine::settings::Undo;
use fcs_text::{count, number, printable, seconds, size};

pub use self::runs::{
    describe_run, how_it_ended, is_problem, kept_nothing_in_words, origin, out_of_reach_in_words,
    parts_in_words, recovery_in_words, run_in_words, run_result, unfinished_in_words, unreadable_in_words,
};
use crate::actions::{self, counted, slash};
use crate::hints::{FrontEnd, skip_words};
use crate::overview::Fact;

/// A fact about a finished run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about, such as `verified`.
    pub name: String,
    /// The fact.
    pub text: String,
    /// The paths it is about, where they are to be listed: all of them.
    pub paths: Vec<String>,
}

impl From<Fact> for Line {
    fn from(fact: Fact) -> Self {
        Self { name: fact.name.to_owned(), text: fact.text, paths: Vec::new() }
    }
}

/// How the run as a whole ended.
pub fn headline(report: &Report, task: Task) -> String {
    let c = &report.counts;
    let copied = || {
        format!("{} copied ({})", count(c.copied, "file or link", "files and links"), size(c.bytes_copied))
    };
    let removed = || count(c.removed + c.folders_removed, "item", "items") + " removed";
    let what = match task {
        Task::Copy(_) => copied(),
        Task::Sync(_) | Task::Directed(_) => format!("{}, {}", copied(), removed()),
        Task::Orphans(..) => format!("{} ({})", removed(), size(c.bytes_removed)),
    };
    let stays = if matches!(task, Task::Copy(_)) { "What was copied stays" } else { "What was done stays" };
    headline_of(report, &what, stays)
}

/// How a run as a whole ended that set dates alone.
pub fn times_headline(report: &Report) -> String {
    let c = &report.counts;
    let items = c.folder_times + c.file_times + c.changes.of(ActionKind::SetMetadata);
    headline_of(report, &format!("times of {} set", count(items, "item", "items")), "What was done stays")
}

/// How a run ended that did `what`, which `stays`.
fn headline_of(report: &Report, what: &str, stays: &str) -> String {
    let c = &report.counts;
    let what = format!("{what} in {}", seconds(report.seconds));
    match report.result {
        RunResult::Completed => format!("Done: {what}."),
        RunResult::CompletedWithFailures => format!("Done with failures: {what}."),
        RunResult::Cancelled if !c.any_change() => "Stopped before anything was changed.".to_owned(),
        RunResult::Cancelled => format!("Stopped: {what}. {stays}; the rest is as it was."),
        RunResult::RolledBack => "Rolled back: the folder is as it was before the run.".to_owned(),
        RunResult::PartlyRolledBack => {
            "Rolled back, except for the items listed below: the rest is as it was before the run.".to_owned()
        }
        RunResult::Stopped => {
            format!(
                "Stopped, because the run must be recovered first: {what}, and nothing further was changed."
            )
        }
        RunResult::DryRun => "Dry run: nothing was written.".to_owned(),
    }
}

/// What the run did, left alone and could not keep; what does not apply is left out.
pub fn facts(report: &Report, who: FrontEnd) -> Vec<Line> {
    let c = &report.counts;
    let mut lines = Vec::new();
    let mut fact = |name: &str, text: String| {
        lines.push(Line { name: name.to_owned(), text, paths: Vec::new() });
    };
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
        fact("not verified", format!("{} as requested", number(c.not_verified)));
    }
    let renamed = counted(ActionKind::Rename).map(|words| (c.renamed, words));
    for (n, words) in renamed.into_iter().chain(actions::changes(&c.changes)).filter(|(n, _)| *n > 0) {
        let [one, many] = words.done;
        fact(words.fact, count(n, one, many));
    }
    if c.file_times > 0 {
        let files = count(c.file_times, "file with equal content", "files with equal content");
        fact("times only", format!("the dates of {files} were set; nothing else was copied"));
    }
    if c.folders_created + c.folder_times > 0 {
        fact(
            "folders",
            format!("{} created, times of {} set", number(c.folders_created), number(c.folder_times)),
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
    let replaced = report.differing.iter().filter(|found| found.replaced);
    let replaced: Vec<String> = replaced.map(|found| found.path.to_string()).collect();
    if !replaced.is_empty() {
        lines.push(with_paths("then copied", "moved, and then not what the source has", replaced));
    }
    lines.extend(
        left_alone(report, who).into_iter().map(|(why, paths)| with_paths("left alone", &why, paths)),
    );
    lines.extend(not_kept(report).into_iter().map(|(what, paths)| with_paths("not kept", &what, paths)));
    lines
}

/// What a run did on each side, the left one first; a side on which nothing was to be done is left out.
pub fn on_each_side(report: &Report) -> Vec<Line> {
    let sides = [(Side::Left, "on the left"), (Side::Right, "on the right")].into_iter();
    let lines = sides.filter_map(|(side, name)| {
        let mut counts = Counts::default();
        report.items.iter().filter(|item| item.root == side.into()).for_each(|item| counts.add(item));
        let text = done_in_words(&counts);
        (!text.is_empty()).then(|| Line { name: name.to_owned(), text, paths: Vec::new() })
    });
    lines.collect()
}

/// `2 copied, 1 removed; 3 KiB`: what is not zero.
fn done_in_words(c: &Counts) -> String {
    let parts = what_became(c).into_iter().filter(|part| part.0 > 0);
    let parts: Vec<String> = parts.map(|(n, words)| format!("{} {words}", number(n))).collect();
    let bytes = if c.bytes_copied > 0 { format!("; {}", size(c.bytes_copied)) } else { String::new() };
    parts.join(", ") + &bytes
}

/// What became of items: how many, and what.
pub fn what_became(c: &Counts) -> Vec<(u64, &'static str)> {
    let renamed = counted(ActionKind::Rename).map(|words| (c.renamed, words));
    let changes = renamed.into_iter().chain(actions::changes(&c.changes));
    let others = [
        (c.file_times, "given their times"),
        (c.folders_created, if c.folders_created == 1 { "folder made" } else { "folders made" }),
        (c.removed + c.folders_removed, "removed"),
        (c.failed, "failed"),
        (c.rolled_back, "rolled back"),
        (c.skipped, "left alone"),
    ];
    let changes = changes.map(|(n, words)| (n, words.became));
    std::iter::once((c.copied, "copied")).chain(changes).chain(others).collect()
}

/// `reason: 12 items`, and which.
fn with_paths(name: &str, why: &str, paths: Vec<String>) -> Line {
    let text = format!("{why}: {}", count(paths.len() as u64, "item", "items"));
    Line { name: name.to_owned(), text, paths }
}

/// How long the run can be undone, such as `until the next run`; `None` if it cannot be.
pub fn undo_lasts(report: &Report, task: Task) -> Option<String> {
    let c = &report.counts;
    let stays = matches!(
        report.result,
        RunResult::Completed | RunResult::CompletedWithFailures | RunResult::Cancelled
    );
    let until = match report.settings.undo {
        Undo::Off => return None,
        Undo::Last => "until the next run".to_owned(),
        Undo::Days(days) => format!("for {}", count(days, "day", "days")),
    };
    (stays && c.any_change() && task.removed_to() == RemovedTo::Undo).then_some(until)
}

/// `+` for what is new, `*` for what was replaced, `-` for what was removed, `<` for what was rolled back, `!` for
/// what failed or was left alone.
pub fn item_sign(item: &ItemReport) -> char {
    match &item.outcome {
        Outcome::Done { .. } => actions::sign(item.action),
        Outcome::RolledBack => '<',
        Outcome::Skipped { .. } | Outcome::Failed { .. } => '!',
    }
}

/// The item's path, with a `/` after a folder's.
pub fn item_name(item: &ItemReport) -> String {
    format!("{}{}", item.path, slash(item.action))
}

/// What became of one item: its size and strategy, the evidence or the reason, and what could not be kept. What to do
/// about a failure is said where failures are listed.
pub fn item_words(item: &ItemReport) -> String {
    let what = match &item.outcome {
        Outcome::Done { evidence } => evidence_in_words(evidence),
        Outcome::Skipped { why } => match &item.because_of {
            Some(path) => format!("left alone: {} ({path})", why.words()),
            None => format!("left alone: {}", why.words()),
        },
        Outcome::RolledBack => "rolled back".to_owned(),
        Outcome::Failed { error } => error.to_string(),
    };
    let mut notes = Vec::new();
    notes.extend(item.strategy.map(|chosen| format!("{}, {}", size(item.bytes), chosen.strategy())));
    notes.extend(Some(what).filter(|what| !what.is_empty()));
    if !item.not_kept.is_empty() {
        notes.push(format!(
            "not kept: {}",
            item.not_kept.iter().map(|what| &**what).collect::<Vec<_>>().join(", ")
        ));
    }
    notes.join(", ")
}

/// How sure it is that what was written is on the device; empty for what has no content.
pub fn evidence_in_words(evidence: &Evidence) -> String {
    match evidence {
        Evidence::DeviceReread { .. } => "verified on the device".to_owned(),
        Evidence::CacheReread { why, .. } => format!("verified, but possibly in a cache: {why}"),
        Evidence::SharedExtents => "shares its blocks with the source".to_owned(),
        Evidence::NotRequested => "not verified".to_owned(),
        Evidence::NoContent => String::new(),
    }
}

/// Every failure in full.
pub fn failures(report: &Report) -> impl Iterator<Item = &Error> {
    report.items.iter().filter_map(|item| match &item.outcome {
        Outcome::Failed { error } => Some(error),
        _ => None,
    })
}

/// Whether the item itself is the reason that it was left alone. That a dry run writes nothing, or that the user
/// ended the run, is no fault of the item.
pub fn is_left_alone(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Skipped { why } if !matches!(why, SkipReason::DryRun | SkipReason::Cancelled))
}

fn what_was_removed(report: &Report) -> String {
    let c = &report.counts;
    let parts = [(c.removed, "file or link", "files and links"), (c.folders_removed, "folder", "folders")];
    let words: Vec<_> =
        parts.into_iter().filter(|p| p.0 > 0).map(|(n, one, many)| count(n, one, many)).collect();
    format!("{} ({})", words.join(", "), size(c.bytes_removed))
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

fn left_alone(report: &Report, who: FrontEnd) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in report.items.iter().filter(|item| is_left_alone(&item.outcome)) {
        if let Outcome::Skipped { why } = &item.outcome {
            let words = match &item.because_of {
                Some(path) => format!("{} ({path})", skip_words(*why, who)),
                None => skip_words(*why, who).into_owned(),
            };
            groups.entry(words).or_default().push(item.path.to_string());
        }
    }
    groups
}

fn not_kept(report: &Report) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in &report.items {
        for what in &item.not_kept {
            // The engine escapes attribute names; this is the second net.
            groups.entry(printable(what).into_owned()).or_default().push(item.path.to_string());
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use fcs_engine::plan::RootIndex;
    use fcs_engine::report::{Differing, SCHEMA};
    use fcs_engine::{ErrorKind, Op, Settings};
    use fcs_sys::{RelPath, Time};

    use super::*;

    fn item(name: &str, outcome: Outcome) -> ItemReport {
        ItemReport {
            root: RootIndex(1),
            path: RelPath::parse(name.as_bytes()).unwrap(),
            action: ActionKind::CopyNew,
            bytes: 1,
            strategy: None,
            outcome,
            not_kept: Vec::new(),
            because_of: None,
        }
    }

    fn report(items: Vec<ItemReport>) -> Report {
        let mut counts = Counts::default();
        items.iter().for_each(|item| counts.add(item));
        Report {
            schema: SCHEMA,
            engine_version: "0",
            run: "r".parse().unwrap(),
            started: Time::EPOCH,
            finished: Time::EPOCH,
            seconds: 0.0,
            source: String::new(),
            target: String::new(),
            roots: Vec::new(),
            settings: Settings::default(),
            result: RunResult::Completed,
            counts,
            notes: Vec::new(),
            items,
            differing: Vec::new(),
            pruned: Vec::new(),
        }
    }

    #[test]
    fn every_path_that_was_left_alone_is_there_to_be_listed() {
        let skipped =
            (0..12).map(|n| item(&format!("f{n}"), Outcome::Skipped { why: SkipReason::SpecialFile }));
        let mut items: Vec<_> = skipped.collect();
        let mut incomplete = item("done", Outcome::Done { evidence: Evidence::NotRequested });
        incomplete.not_kept.push("a\x1b".into());
        items.push(incomplete);
        let lines = facts(&report(items), FrontEnd::Window);
        let line = |name| lines.iter().find(|line| line.name == name).unwrap();
        assert_eq!(line("left alone").paths.len(), 12);
        assert!(line("left alone").text.ends_with(": 12 items"));
        assert_eq!(line("not kept").text, "a\\x1b: 1 item");
        assert_eq!(line("not verified").text, "1 as requested");
    }

    #[test]
    fn what_was_copied_because_what_was_moved_differs_is_listed_and_the_rest_is_not() {
        let found = |path: &str, replaced| Differing {
            root: RootIndex(1),
            moved: RelPath::root(),
            path: RelPath::parse(path.as_bytes()).unwrap(),
            replaced,
        };
        let report = Report { differing: vec![found("a", true), found("b", false)], ..report(Vec::new()) };
        let [line] = &facts(&report, FrontEnd::Window)[..] else { panic!() };
        assert_eq!((line.name.as_str(), &line.paths), ("then copied", &vec!["a".to_owned()]));
        assert_eq!(line.text, "moved, and then not what the source has: 1 item");
    }

    #[test]
    fn what_was_read_from_a_cache_is_never_called_verified_on_the_device() {
        let evidence = Evidence::CacheReread { hash: None, why: "no proof".into() };
        let cached = item("a", Outcome::Done { evidence });
        assert_eq!(item_words(&cached), "verified, but possibly in a cache: no proof");
        let texts: Vec<_> =
            facts(&report(vec![cached]), FrontEnd::Window).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["1 read back, but possibly from a cache: no proof"]);
    }

    #[test]
    fn a_failure_is_counted_signed_and_told_in_full() {
        let failed = item("a", Outcome::Failed { error: Error::new(Op::Copy, "/x", ErrorKind::SourceStale) });
        assert_eq!((item_sign(&failed), item_name(&failed)), ('!', "a".to_owned()));
        let report = report(vec![failed]);
        assert!(facts(&report, FrontEnd::Window).iter().any(|line| line.text == "1 item, listed below"));
        assert_eq!(failures(&report).count(), 1);
    }

    #[test]
    fn changes_of_single_items_are_counted_and_told_by_themselves() {
        let of = |action| ItemReport { action, ..item("a", Outcome::Done { evidence: Evidence::NoContent }) };
        let changes = [ActionKind::SetMetadata, ActionKind::Move, ActionKind::Rename, ActionKind::Move];
        let report = report(changes.map(of).to_vec());
        let told = facts(&report, FrontEnd::Window).into_iter().map(|line| (line.name, line.text));
        let expected = [
            ("renamed", "1 item to the source's spelling"),
            ("moved", "2 items to another path"),
            ("metadata", "1 item given other permissions or times"),
        ];
        assert!(told.eq(expected.map(|(name, text)| (name.to_owned(), text.to_owned()))));
        assert!(report.items.iter().all(|item| item_sign(item) == '*'));
        let counts = serde_json::to_string(&report.counts).unwrap();
        assert!(counts.contains(r#""renamed":1,"moved":2,"metadata_set":1,"removed":0"#), "{counts}");
    }
}
