//! The events of `fcs copy --json`, and of sync and orphans: start, plan, item, error, note, progress, end.
//!
//! Invariant: each event can be read alone; `start` and `end` frame a run, and `end` carries the exit code.

use std::borrow::Cow;

use fcs_app::hints::{FrontEnd, hint, note_hint, skip_words};
use fcs_app::overview::planned;
use fcs_engine::access::{self, Access};
use fcs_engine::compare::Side;
use fcs_engine::directions::Why;
use fcs_engine::error::display_path;
use fcs_engine::guard::{Excess, MassChange};
use fcs_engine::history::RunId;
use fcs_engine::plan::Totals;
use fcs_engine::preflight::Preflight;
use fcs_engine::progress::{Phase, Snapshot};
use fcs_engine::report::{Chosen, Counts, ItemReport, Outcome, Report, RunResult, SkipReason};
use fcs_engine::run::RemovedTo;
use fcs_engine::{Error, Note, Settings};
use serde::Serialize;

use super::proposal::Proposal;
use super::spec::RunSpec;
use crate::exit::Code;
use crate::output::json;
use crate::output::terminal::Screen;
use crate::session::Session;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Start {
        schema: &'static str,
        version: &'static str,
        command: &'static str,
        left: String,
        right: String,
        /// The side that is written to.
        target: Side,
        removed_to: RemovedTo,
        dry_run: bool,
        criteria: String,
        settings: &'a Settings,
    },
    Plan {
        totals: &'a Totals,
        left_alone: usize,
        preflight: &'a Preflight,
        /// More is to be removed than goes without being allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        excess: Option<Excess>,
        /// More files are to get other content than goes without being allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        mass_change: Option<MassChange>,
        /// Items of which it is not known which version is wanted.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        conflicts: Vec<Conflict<'a>>,
        refused: bool,
    },
    Item {
        #[serde(flatten)]
        item: &'a ItemReport,
        /// What to do about a failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<Cow<'static, str>>,
    },
    /// An item of a dry run: what would be done with it and why.
    #[serde(rename = "item")]
    Decision {
        /// The root that would be written to: 0 is left, 1 right.
        root: fcs_engine::plan::RootIndex,
        path: &'a fcs_sys::RelPath,
        /// The name or path that it gets instead.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
        action: fcs_engine::report::ActionKind,
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        strategy: Option<Chosen>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Cow<'static, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        verify: Option<bool>,
        /// How an item that would be removed looks now.
        #[serde(skip_serializing_if = "Option::is_none")]
        access: Option<Access>,
        outcome: Skipped,
    },
    Error {
        error: &'a Error,
        hint: Cow<'static, str>,
    },
    Note {
        text: &'a str,
        /// What decides it.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'static str>,
    },
    Progress(Counters),
    End {
        exit_code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<RunResult>,
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<&'a RunId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        counts: Option<&'a Counts>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
}

/// An item that each side has a version of.
#[derive(Serialize)]
struct Conflict<'a> {
    path: &'a fcs_sys::RelPath,
    why: Why,
}

/// The same shape as the outcome of an item that was skipped.
#[derive(Serialize)]
struct Skipped {
    kind: &'static str,
    why: SkipReason,
}

#[derive(Serialize)]
struct Counters {
    phase: &'static str,
    items_scanned: u64,
    compare_bytes_total: u64,
    compare_bytes_done: u64,
    steps_total: u64,
    steps_done: u64,
    steps_failed: u64,
    copy_bytes_total: u64,
    copy_bytes_done: u64,
    verify_bytes_total: u64,
    verify_bytes_done: u64,
}

impl From<Snapshot> for Counters {
    fn from(s: Snapshot) -> Self {
        Self {
            phase: phase_name(s.phase),
            items_scanned: s.items_scanned,
            compare_bytes_total: s.compare_bytes_total,
            compare_bytes_done: s.compare_bytes_done,
            steps_total: s.steps_total,
            steps_done: s.steps_done,
            steps_failed: s.steps_failed,
            copy_bytes_total: s.copy_bytes_total,
            copy_bytes_done: s.copy_bytes_done,
            verify_bytes_total: s.verify_bytes_total,
            verify_bytes_done: s.verify_bytes_done,
        }
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Scan => "scan",
        Phase::Compare => "compare",
        Phase::Copy => "copy",
        Phase::Finish => "finish",
        Phase::Done => "done",
        Phase::RollBack => "roll-back",
    }
}

/// The first event.
pub(super) fn start(session: &Session, spec: RunSpec, screen: &Screen) {
    json::print(
        screen,
        &Event::Start {
            schema: json::SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            command: spec.task.command(),
            left: display_path(&session.folders.left.path),
            right: display_path(&session.folders.right.path),
            target: spec.task.target(),
            removed_to: spec.task.removed_to(),
            dry_run: spec.dry_run,
            criteria: session.criteria(),
            settings: &session.settings,
        },
    );
}

/// What will be done; in a dry run also each decision.
pub(super) fn plan(proposal: &Proposal<'_>, screen: &Screen) {
    let plan = &proposal.proposed.plan;
    json::print(
        screen,
        &Event::Plan {
            totals: &plan.totals,
            left_alone: plan.skipped.len(),
            preflight: &proposal.proposed.preflight,
            excess: proposal.proposed.excess,
            mass_change: proposal.proposed.mass_change,
            conflicts: proposal
                .proposed
                .conflicts
                .iter()
                .map(|(path, why)| Conflict { path, why: *why })
                .collect(),
            refused: proposal.refuses(),
        },
    );
    if !proposal.spec.dry_run {
        return;
    }
    let skipped = |why| Skipped { kind: "skipped", why };
    let access = access::of_removals(plan, &proposal.session.folders.roots());
    for item in planned(plan, &access) {
        let decision = Event::Decision {
            root: item.root,
            path: &item.path,
            to: item.renamed_to.as_deref(),
            action: item.action,
            bytes: item.bytes,
            strategy: item.file.map(|(chosen, _)| chosen),
            reason: item.file.map(|(chosen, _)| chosen.reason().into()),
            verify: item.file.map(|(_, verify)| verify),
            access: item.access,
            outcome: skipped(SkipReason::DryRun),
        };
        json::print(screen, &decision);
    }
    for skip in &plan.skipped {
        let decision = Event::Decision {
            root: skip.root,
            path: &skip.path,
            to: None,
            action: fcs_engine::report::ActionKind::None,
            bytes: 0,
            strategy: None,
            reason: Some(skip_words(skip.why, FrontEnd::CommandLine)),
            verify: None,
            access: None,
            outcome: skipped(skip.why),
        };
        json::print(screen, &decision);
    }
}

/// One finished item.
pub(crate) fn item(item: &ItemReport, screen: &Screen) {
    let hint = match &item.outcome {
        Outcome::Failed { error } => Some(hint(error, FrontEnd::CommandLine)),
        _ => None,
    };
    json::print(screen, &Event::Item { item, hint });
}

/// An error that belongs to no item.
pub(crate) fn error(error: &Error, screen: &Screen) {
    json::print(screen, &Event::Error { error, hint: hint(error, FrontEnd::CommandLine) });
}

/// A circumstance of the run.
pub(crate) fn note(note: &Note, screen: &Screen) {
    json::print(screen, &Event::Note { text: &note.text, hint: note_hint(note, FrontEnd::CommandLine) });
}

/// The counters, now.
pub(crate) fn progress(snapshot: Snapshot, screen: &Screen) {
    json::print(screen, &Event::Progress(snapshot.into()));
}

/// The last event.
pub(crate) fn end(report: Option<&Report>, code: Code, screen: &Screen) {
    json::print(
        screen,
        &Event::End {
            exit_code: code as u8,
            result: report.map(|r| r.result),
            run: report.map(|r| &r.run),
            counts: report.map(|r| &r.counts),
            seconds: report.map(|r| r.seconds),
        },
    );
}
