//! What a run is going to do, on the screen: the overview that is confirmed, and the dry run's list.
//!
//! Invariant: says what `fcs_app::overview` says; only colours, columns and how many paths are shown are decided here.

use fcs_app::hints::{FrontEnd, skip_words};
use fcs_app::overview::{self, Planned, copied, planned, removed};
use fcs_engine::access::{self, Access};
use fcs_engine::directions::Why;
use fcs_engine::guard::{Excess, Limit};
use fcs_engine::plan::Skip;
use fcs_engine::preflight::Severity;
use fcs_engine::report::{ActionKind, SkipReason};
use fcs_sys::RelPath;

use super::proposal::Proposal;
use crate::output::terminal::{Style, Tone};
use crate::output::text::{number, pad};

/// Paths shown in the overview; the rest is counted.
const SHOWN_PATHS: usize = 10;

/// How an item is shown.
#[derive(Clone, Copy)]
struct Shown {
    /// With how it is decided.
    whole: bool,
    /// With the side that it is done on.
    both_ways: bool,
    style: Style,
}

impl Shown {
    fn of(proposal: &Proposal<'_>, whole: bool, style: Style) -> Self {
        Self { whole, both_ways: proposal.spec.task.targets().len() > 1, style }
    }

    /// `+ path`, `* path` or `> path → path`, and what it is where that is not a file.
    fn line(self, item: &Planned) -> String {
        let style = self.style;
        let tone = match item.sign() {
            '-' => Tone::Bad,
            '*' | '>' => Tone::Changed,
            _ => Tone::Good,
        };
        let arrow = if self.both_ways { format!("{} ", item.arrow()) } else { String::new() };
        if let Some(to) = item.renamed_to.as_ref().filter(|_| item.action == ActionKind::Move) {
            return style.paint(tone, format!("{arrow}> {} → {to}", item.name())).into_owned();
        }
        let path = style.paint(tone, format!("{arrow}{} {}", item.sign(), item.name()));
        let what = item.what();
        let line = if what.is_empty() { path.into_owned() } else { format!("{path}  {what}") };
        let words = if self.whole { item.decision_words() } else { String::new() };
        if words.is_empty() {
            return line;
        }
        let tone = match item.access {
            Some(access) if access != Access::Ok => Tone::Changed,
            _ => Tone::Dim,
        };
        format!("{line}  {}", style.paint(tone, words))
    }
}

/// The list of a dry run.
pub(super) fn decisions<'a>(
    proposal: &'a Proposal<'_>,
    style: Style,
) -> impl Iterator<Item = String> + use<'a> {
    let plan = &proposal.proposed.plan;
    let access = access::of_removals(plan, &proposal.session.folders.roots());
    let conflicts = proposal.proposed.conflicts.iter().map(move |conflict| conflict_line(conflict, style));
    let shown = Shown::of(proposal, true, style);
    let planned = planned(plan, &access).map(move |item| shown.line(&item));
    let skipped = plan.skipped.iter().filter(|skip| skip.why != SkipReason::Conflict);
    conflicts.chain(planned).chain(skipped.map(move |skip| skipped_line(skip, style)))
}

/// One item of which each side has a version of its own.
fn conflict_line((path, why): &(RelPath, Why), style: Style) -> String {
    format!("{}  left for later: {}", style.paint(Tone::Bad, format!("! {path}")), why.words())
}

/// One item that is left alone.
pub(super) fn skipped_line(skip: &Skip, style: Style) -> String {
    format!(
        "{}  left alone: {}",
        style.paint(Tone::Bad, format!("! {}", skip.path)),
        skip_words(skip.why, FrontEnd::CommandLine)
    )
}

/// The overview: direction, counts, bytes, strategies, verification, originals, space, paths. With `whole`, all items
/// that are removed instead of the first ones, and how each looks now.
pub(super) fn overview(proposal: &Proposal<'_>, whole: bool, style: Style) -> String {
    let (plan, session) = (&proposal.proposed.plan, proposal.session);
    let totals = &plan.totals;
    let mut lines = places(proposal);
    let facts = overview::facts(&proposal.proposed, &session.settings, FrontEnd::CommandLine);
    lines.extend(
        facts.iter().map(|fact| format!("{}{}", style.paint(Tone::Strong, pad(fact.name, 12)), fact.text)),
    );
    let removed_count = totals.removed_files.saturating_add(totals.removed_folders);
    let copied_count = plan.step_count().saturating_sub(removed_count);
    let conflicts = &proposal.proposed.conflicts;
    if !conflicts.is_empty() {
        lines.push(String::new());
        let shown = conflicts.iter().take(SHOWN_PATHS);
        lines.extend(shown.map(|conflict| format!("  {}", conflict_line(conflict, style))));
        if let Some(more) = conflicts.len().checked_sub(SHOWN_PATHS).filter(|more| *more > 0) {
            lines.push(format!("  … and {} more", number(more as u64)));
        }
    }
    let line = Shown::of(proposal, whole, style);
    let mut list = |items: &mut dyn Iterator<Item = Planned>, all: u64| {
        lines.push(String::new());
        let before = lines.len();
        lines.extend(items.map(|item| format!("  {}", line.line(&item))));
        let more = all.saturating_sub((lines.len() - before) as u64);
        if more > 0 {
            lines.push(format!("  … and {} more", number(more)));
        }
    };
    if copied_count > 0 {
        list(&mut copied(plan).take(SHOWN_PATHS), copied_count);
    }
    if removed_count > 0 {
        let access =
            if whole { access::of_removals(plan, &proposal.session.folders.roots()) } else { Vec::new() };
        let shown = if whole { usize::MAX } else { SHOWN_PATHS };
        list(&mut removed(plan, &access).into_iter().take(shown), removed_count);
    }
    lines.join("\n")
}

/// Which folders, and which way.
fn places(proposal: &Proposal<'_>) -> Vec<String> {
    let places = overview::places(proposal.spec.task, &proposal.session.folders);
    let width = places.iter().map(|place| place.name.len()).max().unwrap_or(0) + 2;
    let lines = places.iter().map(|place| format!("{}{}", pad(place.name, width), place.text));
    lines.chain([String::new()]).collect()
}

/// Every problem that is known beforehand, worst first.
pub(super) fn problems(proposal: &Proposal<'_>, style: Style) -> Vec<String> {
    let advice = |excess: &Excess| match excess.limit {
        Limit::Allowed(_) => "Raise --max-delete if all of them should be removed.".to_owned(),
        _ => format!(
            "Check that the other folder is the right one and complete; --max-delete {} allows it.",
            excess.items
        ),
    };
    let found = overview::problems(&proposal.proposed, proposal.refuses(), &advice, FrontEnd::CommandLine);
    let is_missing = |text: &String| proposal.proposed.missing_volumes.contains(text);
    let line = |(severity, mut text): (Severity, String)| {
        if is_missing(&text) && !proposal.spec.accept_missing_volumes {
            text.push_str(" --accept-missing-volumes goes on without it.");
        }
        let tone = if severity == Severity::Warns { Tone::Changed } else { Tone::Bad };
        format!("{} {text}", style.paint(tone, overview::head(severity)))
    };
    found.into_iter().map(line).collect()
}
