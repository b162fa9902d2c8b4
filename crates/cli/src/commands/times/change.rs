//! `fcs times set`, `copy` and `repair`: what is to be set is shown, confirmed, and carried out as runs.
//!
//! Invariant: nothing is written before the user (or `-y`) agreed to all of it, except a file on which the
//! dates that were given are tried and which is gone again, and never in a dry run.

use std::path::Path;
use std::sync::Arc;

use fcs_app::hints::{FrontEnd, note_words};
use fcs_app::outcome;
use fcs_app::times::not_set_words;
use fcs_engine::error::display_path;
use fcs_engine::report::{Counts, Report, RunResult};
use fcs_engine::run::{RunId, RunOptions};
use fcs_engine::times::{self, Exactness, Listing, NotSetReason, Proposal};
use fcs_engine::{Control, Settings};
use fcs_sys::{Root, Times};
use serde::Serialize;

use super::plan;
use super::words::Clock;
use super::{scope, worst};
use crate::args::values::Moment;
use crate::args::{Applying, TimesCommon, TimesCopyArgs, TimesRepairArgs, TimesSetArgs};
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::interrupt::Interrupt;
use crate::output::json;
use crate::output::progress::Display;
use crate::output::terminal::{Screen, Tone};
use crate::question::{ask, expect_terminal};
use crate::run::listeners::{ProgressEvents, Telling, control};
use crate::run::{leaves, result};
use crate::{options, unfinished};

/// What all three work with.
struct Session<'a> {
    common: &'a TimesCommon,
    applying: &'a Applying,
    settings: Settings,
    control: Control,
    clock: Clock,
    screen: &'a Arc<Screen>,
    interrupt: Interrupt,
}

impl<'a> Session<'a> {
    fn begin(
        common: &'a TimesCommon,
        applying: &'a Applying,
        screen: &'a Arc<Screen>,
    ) -> Result<Self, Failure> {
        if !applying.dry_run && !applying.yes {
            expect_terminal("what would be set")?;
        }
        let settings = options::for_times(common, Some(applying))?;
        let telling = Telling { dry_run: applying.dry_run, json: common.json, on_cancel: applying.on_cancel };
        let (control, clock) = (control(telling, screen), Clock::new(common.utc));
        let interrupt = Interrupt::install(screen)?;
        Ok(Self { common, applying, settings, control, clock, screen, interrupt })
    }

    /// Looks and plans, with progress on the screen. What cannot be read is told from the proposal, once.
    fn look<T>(&self, work: impl FnOnce(&Control) -> T) -> T {
        self.interrupt.working(&self.control.cancel, "Nothing was written.");
        let display = Display::start(self.screen, &self.control.progress);
        let quiet = Control {
            progress: Arc::clone(&self.control.progress),
            cancel: Arc::clone(&self.control.cancel),
            ..Control::default()
        };
        let found = work(&quiet);
        display.end();
        self.interrupt.idle("");
        found
    }

    /// No run that waits for recovery or is in progress may be in the way.
    fn settle(&self, root: &Root) -> Result<(), Failure> {
        let never_ask = self.common.json || self.applying.yes;
        unfinished::settle_root(root, never_ask, self.screen, &self.interrupt)?;
        unfinished::refuse_if_in_progress(root)
    }
}

/// Runs `fcs times set`.
pub(super) fn set(args: &TimesSetArgs, screen: &Arc<Screen>) -> CommandResult {
    let session = Session::begin(&args.common, &args.applying, screen)?;
    let moment = |moment: Option<Moment>| moment.map(|moment| moment.0);
    let times = Times { modified: moment(args.modified), created: moment(args.created) };
    let mut listings: Vec<Listing> = Vec::new();
    for path in &args.paths {
        let scope = scope(&args.common, args.recursive);
        let listing = session.look(|control| times::list(path, scope, &session.settings, control))?;
        if listing.cancelled {
            return Err(Failure::interrupted());
        }
        listings.push(listing);
    }
    let listings = times::join(listings);
    listings.iter().try_for_each(|listing| session.settle(&listing.root))?;
    let proposals: Vec<Proposal> =
        listings.into_iter().map(|listing| times::plan_set(listing, times)).collect();
    refuse_created_alone(&proposals, times)?;
    if !args.applying.dry_run {
        proposals.iter().try_for_each(|proposal| refuse_what_is_not_stored(&session, proposal, times))?;
    }
    carry_out(&session, &proposals)
}

/// Runs `fcs times copy`.
pub(super) fn copy(args: &TimesCopyArgs, screen: &Arc<Screen>) -> CommandResult {
    let session = Session::begin(&args.common, &args.applying, screen)?;
    settle_at(&session, &args.target)?;
    let scope = scope(&args.common, args.recursive);
    let proposal = session
        .look(|control| times::plan_copy(&args.source, &args.target, scope, &session.settings, control))?;
    carry_out(&session, &[proposal])
}

/// Runs `fcs times repair`.
pub(super) fn repair(args: &TimesRepairArgs, screen: &Arc<Screen>) -> CommandResult {
    let session = Session::begin(&args.common, &args.applying, screen)?;
    settle_at(&session, &args.right)?;
    let scope = scope(&args.common, true);
    let exactness = Exactness::within(args.tolerance.map_or(0, |tolerance| tolerance.0));
    let proposal = session.look(|control| {
        times::plan_repair(&args.left, &args.right, scope, exactness, &session.settings, control)
    })?;
    carry_out(&session, &[proposal])
}

/// Before a long comparison.
fn settle_at(session: &Session<'_>, path: &Path) -> Result<(), Failure> {
    session.settle(&times::root_of(path)?)
}

/// Where a created time is all that was asked for, and it can be set of nothing, nothing of it can be done.
fn refuse_created_alone(proposals: &[Proposal], times: Times) -> Result<(), Failure> {
    let is_lost = |proposal: &Proposal| proposal.is_empty() && proposal.lacks_created;
    let lost = proposals.iter().find(|proposal| is_lost(proposal));
    let Some(lost) = lost.filter(|_| times.modified.is_none() && proposals.iter().all(Proposal::is_empty))
    else {
        return Ok(());
    };
    let why = lost.notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>().join(" ");
    let path = display_path(&lost.target.path);
    Err(Failure::new(Code::Refused, format_args!("Could not set created times in {path}. {why}")))
}

/// Tries the dates that were given, and refuses where the volume would store others. What it only cuts to its
/// step is said.
fn refuse_what_is_not_stored(
    session: &Session<'_>,
    proposal: &Proposal,
    times: Times,
) -> Result<(), Failure> {
    if proposal.is_empty() {
        return Ok(());
    }
    let volume = format!("{} ({})", display_path(&proposal.target.path), proposal.volume.file_system);
    for not_set in proposal.try_dates(times) {
        let words = not_set_words(&not_set);
        if matches!(not_set.why, NotSetReason::Cut(_)) {
            if !session.common.json && !session.screen.show.quiet {
                session.screen.message(&format!("Note: {words} in {volume}; what is finer is cut off."));
            }
            continue;
        }
        let message = format_args!("Could not set the times in {volume}: {words}.");
        return Err(Failure::new(Code::Refused, message).hint("Nothing was changed. Choose another time."));
    }
    Ok(())
}

fn carry_out(session: &Session<'_>, proposals: &[Proposal]) -> CommandResult {
    let Session { applying, common, screen, .. } = session;
    if proposals.iter().any(|proposal| proposal.cancelled) {
        return Err(Failure::interrupted());
    }
    show(session, proposals);
    for error in proposals.iter().flat_map(|proposal| &proposal.errors) {
        screen.error_message(error);
    }
    let before = worst(proposals.iter().map(code_before));
    let is_empty = proposals.iter().all(Proposal::is_empty);
    if is_empty || applying.dry_run {
        if applying.dry_run && !common.json {
            screen.line("Dry run: nothing was written.");
        }
        return Ok(before);
    }
    if !applying.yes {
        session.interrupt.idle("Nothing was written.");
        if !matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was written."));
        }
    }
    let mut codes = vec![before];
    for proposal in proposals.iter().filter(|proposal| !proposal.is_empty()) {
        // The other places are set all the same.
        let code = run_one(session, proposal).unwrap_or_else(|failure| {
            screen.show_failure(&failure);
            failure.code
        });
        codes.push(code);
        if matches!(code, Code::Interrupted | Code::RecoveryNeeded) {
            break;
        }
    }
    Ok(worst(codes))
}

/// What is known to be left undone before anything is done.
fn code_before(proposal: &Proposal) -> Code {
    // Who names nothing but a pipe wants it changed.
    let nothing_else = proposal.is_empty() && proposal.same == 0;
    let is_left = proposal.left_alone.iter().any(|item| nothing_else || !item.why.is_settled());
    let lacks = proposal.task == times::Task::Set && proposal.lacks_created;
    if is_left || lacks || !proposal.errors.is_empty() { Code::Warnings } else { Code::Done }
}

/// What is confirmed is on standard error; what only is to be read, on standard output.
fn show(session: &Session<'_>, proposals: &[Proposal]) {
    let Session { applying, common, screen, settings, clock, .. } = session;
    if common.json {
        proposals.iter().for_each(|proposal| plan::events(proposal, clock, screen));
        return;
    }
    let asks = !applying.dry_run && !applying.yes && !proposals.iter().all(Proposal::is_empty);
    let whole = applying.dry_run || screen.show.verbose;
    let (ask, record) = (|text: &str| screen.message(text), |text: &str| screen.line(text));
    let (style, print): (_, &dyn Fn(&str)) =
        if asks { (screen.err_style, &ask) } else { (screen.style, &record) };
    if !asks && screen.show.quiet {
        return;
    }
    // What is true of a volume is said once, however many places on it were given.
    let mut notes: Vec<String> = Vec::new();
    for note in proposals.iter().flat_map(|proposal| &proposal.notes) {
        let words = note_words(note, FrontEnd::CommandLine);
        if !notes.contains(&words) {
            print(&format!("Note: {words}"));
            notes.push(words);
        }
    }
    for (n, proposal) in proposals.iter().enumerate() {
        if n > 0 {
            print("");
        }
        plan::show(proposal, (settings, clock), whole, style, print);
    }
}

#[derive(Serialize)]
struct JsonRun<'a> {
    event: &'static str,
    target: String,
    run: &'a RunId,
    result: RunResult,
    counts: &'a Counts,
    seconds: f64,
}

fn run_one(session: &Session<'_>, proposal: &Proposal) -> CommandResult {
    let Session { common, screen, control, settings, interrupt, .. } = session;
    interrupt.working(&control.cancel, leaves(&[&proposal.target]));
    let progress = common.json.then(|| ProgressEvents::start(screen, &control.progress));
    let display = Display::start(screen, &control.progress);
    let report = proposal.run(settings, &RunOptions::default(), control);
    display.end();
    if let Some(progress) = progress {
        progress.stop();
    }
    interrupt.idle("");
    let report = report?;
    let code = Code::of_report(&report, false);
    if common.json {
        let event = JsonRun {
            event: "run",
            target: display_path(&proposal.target.path),
            run: &report.run,
            result: report.result,
            counts: &report.counts,
            seconds: report.seconds,
        };
        json::print(screen, &event);
    } else {
        tell(session, proposal, &report);
    }
    if code == Code::RecoveryNeeded {
        let command = unfinished::command("recover", &proposal.target);
        screen.message(&format!("Hint: {command} recovers the run."));
    }
    Ok(code)
}

/// How it ended, what failed or was not kept, and how it is undone.
fn tell(session: &Session<'_>, proposal: &Proposal, report: &Report) {
    let screen = session.screen;
    if !screen.show.quiet {
        screen.line(&screen.style.paint(Tone::Strong, outcome::times_headline(report)));
        let facts = outcome::facts(report, FrontEnd::CommandLine);
        let is_told = |name: &str| matches!(name, "rolled back" | "failed" | "left alone" | "not kept");
        facts.iter().filter(|line| is_told(&line.name)).for_each(|line| screen.line(&result::fact(line)));
        let is_shown = |text: &str| proposal.notes.iter().any(|note| note.text == text);
        for note in report.notes.iter().filter(|note| !is_shown(&note.text)) {
            screen.line(&format!("Note: {note}"));
        }
        if let Some(until) = plan::undo_lasts(report) {
            let command = unfinished::command("undo", &proposal.target);
            screen.line(&format!("{command} undoes this run, {until}."));
        }
    }
    outcome::failures(report).for_each(|error| screen.error_message(error));
}
