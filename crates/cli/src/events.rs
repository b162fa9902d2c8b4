//! The events of `fcs copy --json`, and of sync and orphans: start, plan, item, error, note, progress, end.
//!
//! Invariant: each event can be read alone; `start` and `end` frame a run, and `end` carries the exit code.

use std::sync::Arc;
use std::time::Duration;

use fcs_engine::access::{self, Access};
use fcs_engine::compare::Side;
use fcs_engine::error::shown;
use fcs_engine::guard::Excess;
use fcs_engine::plan::Totals;
use fcs_engine::preflight::Preflight;
use fcs_engine::progress::{Phase, Snapshot};
use fcs_engine::report::{Chosen, Counts, ItemReport, Report, RunResult, SkipReason};
use fcs_engine::run::RemovedTo;
use fcs_engine::{Error, Observer, OnCancel, Progress, Settings};
use fcs_front::overview::planned;
use serde::Serialize;

use crate::exit::Code;
use crate::json;
use crate::progress::Ticker;
use crate::run_cmd::{How, Proposal, keep_or_roll_back};
use crate::session::Session;
use crate::terminal::Screen;

const PROGRESS_EVERY: Duration = Duration::from_millis(500);

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
        refused: bool,
    },
    Item(&'a ItemReport),
    /// An item of a dry run: what would be done with it and why.
    #[serde(rename = "item")]
    Decision {
        path: &'a fcs_sys::RelPath,
        action: fcs_engine::report::ActionKind,
        bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        strategy: Option<Chosen>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        verify: Option<bool>,
        /// How an item that would be removed looks now.
        #[serde(skip_serializing_if = "Option::is_none")]
        access: Option<Access>,
        outcome: Skipped,
    },
    Error {
        error: &'a Error,
    },
    Note {
        text: &'a str,
    },
    Progress(Counters),
    End {
        exit_code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<RunResult>,
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        counts: Option<&'a Counts>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
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

/// Turns what the engine tells into events.
pub(crate) struct Listener {
    pub(crate) screen: Arc<Screen>,
    pub(crate) how: How,
}

impl Observer for Listener {
    fn item(&self, item: &ItemReport) {
        // The decisions of a dry run are told from the plan, which knows more of them.
        if !self.how.dry_run {
            json::print(&self.screen, &Event::Item(item));
        }
    }

    fn error(&self, error: &Error) {
        json::print(&self.screen, &Event::Error { error });
    }

    fn cancelled(&self, committed: u64) -> OnCancel {
        keep_or_roll_back(self.how.on_cancel, committed, &self.screen)
    }

    fn note(&self, text: &str) {
        json::print(&self.screen, &Event::Note { text });
    }
}

/// Tells the counters at regular times.
pub(crate) struct ProgressEvents(Ticker);

impl ProgressEvents {
    pub(crate) fn start(screen: &Arc<Screen>, progress: &Arc<Progress>) -> Self {
        let (screen, progress) = (Arc::clone(screen), Arc::clone(progress));
        Self(Ticker::start(PROGRESS_EVERY, move || {
            json::print(&screen, &Event::Progress(progress.snapshot().into()));
        }))
    }

    pub(crate) fn stop(self) {
        self.0.stop();
    }
}

/// The first event.
pub(crate) fn start(session: &Session, how: How, screen: &Screen) {
    json::print(
        screen,
        &Event::Start {
            schema: json::SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            command: how.task.command(),
            left: shown(&session.folders.left.path),
            right: shown(&session.folders.right.path),
            target: how.task.target(),
            removed_to: how.task.removed_to(),
            dry_run: how.dry_run,
            criteria: session.folders.criteria.clone(),
            settings: &session.settings,
        },
    );
    session.folders.warnings.iter().for_each(|text| json::print(screen, &Event::Note { text }));
}

/// What will be done; in a dry run also each decision.
pub(crate) fn plan(proposal: &Proposal<'_>, screen: &Screen) {
    let plan = &proposal.proposed.plan;
    json::print(
        screen,
        &Event::Plan {
            totals: &plan.totals,
            left_alone: plan.skipped.len(),
            preflight: &proposal.proposed.preflight,
            excess: proposal.proposed.excess,
            refused: proposal.refuses(),
        },
    );
    if !proposal.how.dry_run {
        return;
    }
    let skipped = |why| Skipped { kind: "skipped", why };
    let access = access::of_removals(plan, proposal.target());
    for item in planned(plan, &access) {
        let decision = Event::Decision {
            path: &item.path,
            action: item.action,
            bytes: item.bytes,
            strategy: item.file.map(|(chosen, _)| chosen),
            reason: item.file.map(|(chosen, _)| chosen.reason()),
            verify: item.file.map(|(_, verify)| verify),
            access: item.access,
            outcome: skipped(SkipReason::DryRun),
        };
        json::print(screen, &decision);
    }
    for skip in &plan.skipped {
        let decision = Event::Decision {
            path: &skip.path,
            action: fcs_engine::report::ActionKind::None,
            bytes: 0,
            strategy: None,
            reason: Some(skip.why.words()),
            verify: None,
            access: None,
            outcome: skipped(skip.why),
        };
        json::print(screen, &decision);
    }
}

/// The last event.
pub(crate) fn end(report: Option<&Report>, code: Code, screen: &Screen) {
    json::print(
        screen,
        &Event::End {
            exit_code: code as u8,
            result: report.map(|r| r.result),
            run: report.map(|r| r.run.as_str()),
            counts: report.map(|r| &r.counts),
            seconds: report.map(|r| r.seconds),
        },
    );
}
