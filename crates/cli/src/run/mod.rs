//! `fcs copy`, `fcs sync` and `fcs orphans`, as data flows through them:
//!
//! ```text
//! args ─▶ spec ─▶ session ─ compare ─▶ proposal ─▶ preview ─▶ consent ─▶ run ─▶ result ─▶ exit code
//!                                                                         │
//!                                                                         ╰─▶ listeners ─▶ text or events
//! ```
//!
//! Invariant: nothing is written before the user (or `-y`) agreed to the overview, except a folder in which the target
//! volume is tried and which is gone again, and never in a dry run; and more than the guard lets through is removed only
//! if that was agreed to as such.

mod consent;
pub(crate) mod events;
pub(crate) mod listeners;
mod preview;
mod proposal;
pub(crate) mod result;
mod spec;

use std::sync::Arc;

use fcs_app::hints::FrontEnd;
use fcs_app::remembering::{self, Remembering, recalled};
use fcs_app::report_file::ReportFile;
use fcs_app::run_log::{self, Ran, run_with_log};
use fcs_app::settings_file::refused;
use fcs_app::together::{self, Holding};
use fcs_app::user_error::UserErrorKind;
use fcs_engine::error::display_path;
use fcs_engine::moves::Moves;
use fcs_engine::report::Report;
use fcs_engine::run::RemovedTo;
use fcs_engine::session::Task;
use fcs_engine::settings::ReplaceKinds;
use fcs_engine::{Control, Note};
use fcs_sys::Root;

use crate::args::{CopyArgs, Copying, OrphansArgs, Running, SyncArgs};
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::interrupt::Interrupt;
use crate::output::progress::Display;
use crate::output::terminal::Screen;
use crate::question::expect_terminal;
use crate::session::Session;
use crate::{options, unfinished};
use listeners::{ProgressEvents, control};
use proposal::Proposal;
use spec::RunSpec;

/// Runs `fcs copy`.
pub(crate) fn copy(args: &CopyArgs, screen: &Arc<Screen>) -> CommandResult {
    let mut settings = options::for_run(&args.compare, &args.tuning, &args.running, &args.copying)?;
    if args.replace_kinds {
        settings.replace_kinds = ReplaceKinds::Always;
    }
    let open = |control| Session::open(&args.pair, &args.compare, settings, control);
    run_command(RunSpec::copy(args), &args.running, open, screen)
}

/// Runs `fcs sync`.
pub(crate) fn sync(args: &SyncArgs, screen: &Arc<Screen>) -> CommandResult {
    let settings = options::for_run(&args.compare, &args.tuning, &args.running, &args.copying)?;
    let mut settings = options::for_removals(settings, &args.removing)?;
    if let Some(moves) = &args.moves {
        settings.set("moves", moves).map_err(|e| refused(&e))?;
    }
    let open = |control| Session::open(&args.pair, &args.compare, settings, control);
    run_command(RunSpec::sync(args)?, &args.running, open, screen)
}

/// Runs `fcs orphans`.
pub(crate) fn orphans(args: &OrphansArgs, screen: &Arc<Screen>) -> CommandResult {
    let spec = RunSpec::orphans(args);
    if spec.task.removed_to() == RemovedTo::Permanent && spec.removes_unlimited() {
        return Err(Failure::usage("Permanent removal cannot be undone, so -y alone is not enough.")
            .hint("Add --max-delete N to say how many items may be removed, or leave out -y to be asked."));
    }
    let settings = options::for_run(&args.compare, &args.tuning, &args.running, &Copying::default())?;
    let settings = options::for_removals(settings, &args.removing)?;
    let open = |control| Session::open(&args.pair, &args.compare, settings, control);
    run_command(spec, &args.running, open, screen)
}

/// Runs `fcs copy -y` on two folders with these settings, for the demo.
pub(crate) fn copy_unasked(
    open: impl FnOnce(Control) -> Result<Session, Failure>,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> CommandResult {
    let spec = RunSpec::copy_unasked();
    carry_out(&open(control(spec.telling(), screen))?, spec, None, screen, interrupt)
}

fn run_command(
    spec: RunSpec,
    running: &Running,
    open: impl FnOnce(Control) -> Result<Session, Failure>,
    screen: &Arc<Screen>,
) -> CommandResult {
    if !spec.dry_run && !spec.yes {
        expect_terminal("what would be done")?;
    }
    let session = open(control(spec.telling(), screen))?;
    let report_file = running
        .report
        .as_deref()
        .map(|path| ReportFile::check(path, &session.folders.left, &session.folders.right))
        .transpose()?;
    let interrupt = Interrupt::install(screen)?;
    unfinished::settle(&session, spec.json || spec.yes, screen, &interrupt)?;
    for &side in spec.task.targets() {
        unfinished::refuse_if_in_progress(session.folders.root(side))?;
    }
    if !spec.dry_run {
        spec.task.targets().iter().for_each(|&side| session.folders.try_volume(side));
    }
    carry_out(&session, spec, report_file.as_ref(), screen, &interrupt)
}

/// Compares, plans, asks, runs, reports.
fn carry_out(
    session: &Session,
    spec: RunSpec,
    report_file: Option<&ReportFile>,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> CommandResult {
    let progress_events = spec.json.then(|| {
        events::start(session, spec, screen);
        ProgressEvents::start(screen, &session.control.progress)
    });
    let result = prepare_and_run(session, spec, screen, interrupt);
    if let Some(events) = progress_events {
        events.stop();
    }
    interrupt.idle("");
    let end_without_report = |code| {
        if spec.json {
            events::end(None, code, screen);
        }
        code
    };
    let (report, shown) = match result {
        Ok(Prepared::Ran(report, shown)) => (report, shown),
        Ok(Prepared::Refused) => return Ok(end_without_report(Code::Refused)),
        Err(failure) => {
            end_without_report(failure.code);
            return Err(failure);
        }
    };
    let code = Code::of_report(&report, spec.strict);
    result::show(session, &report, &shown, spec, code, screen);
    if let Some(file) = report_file
        && let Err(error) = file.write(&report, FrontEnd::CommandLine)
    {
        screen.show_failure(&error.into());
        // It makes a good run one with warnings; it does not make it a failed one.
        return Ok(if code == Code::Done { Code::Warnings } else { code });
    }
    Ok(code)
}

enum Prepared {
    /// The report, and the notes that were shown before the run.
    Ran(Box<Report>, Vec<Note>),
    /// The preflight or the guard refused; the reasons have been shown.
    Refused,
}

fn prepare_and_run(
    session: &Session,
    spec: RunSpec,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Result<Prepared, Failure> {
    let comparison = session.compare(screen, interrupt)?;
    let mut memory = Remembering::of(spec.task, &session.folders, &session.settings);
    let remembered = match &memory {
        Some(memory) => Some(Arc::clone(&memory.remembered)),
        None => recalled(&session.folders, &session.settings),
    };
    let moves = match spec.task {
        Task::Sync(_) | Task::Directed(_) => {
            session.moves(&comparison, remembered.as_deref(), screen, interrupt)?
        }
        Task::Copy(_) | Task::Orphans(..) => Moves::default(),
    };
    let mut proposal = Proposal::new(session, spec, &comparison, memory.as_ref(), &moves);
    drop((moves, remembered));
    // The trees of a large comparison take memory that the run can use better.
    let first = memory.is_some().then_some(comparison);
    consent::show_plan(&proposal, screen);
    consent::make_room(&mut proposal, screen, interrupt)?;
    if proposal.refuses() {
        return Ok(Prepared::Refused);
    }
    if proposal.asks() {
        consent::confirm(&proposal, screen, interrupt)?;
    }
    let control = &session.control;
    if control.cancel.is_cancelled() {
        return Err(Failure::interrupted());
    }
    let leaves = if spec.dry_run { "Nothing was written.".to_owned() } else { leaves(&proposal.targets()) };
    interrupt.working(&control.cancel, leaves);
    let hold = || together::hold(&session.folders, &proposal.proposed);
    let holding = if spec.dry_run { None } else { Some(hold()?) };
    if let (Some(memory), false) = (&mut memory, spec.dry_run) {
        let not_begun = |why| Failure::new(Code::Refused, format!("{why} Nothing was written."));
        memory.before(&proposal.proposed).map_err(not_begun)?;
    }
    let display = Display::start(screen, &control.progress);
    let logs = run_log::folder();
    let Ran { report, log, log_error } = run_with_log(
        logs.as_deref(),
        &session.folders,
        &proposal.proposed,
        &session.settings,
        &spec.options(),
        control,
    );
    display.end();
    // Who copies a home that holds the logs need not hear of it each time.
    if let Some(error) = log_error.filter(|t| screen.show.verbose || t.kind != UserErrorKind::Refused) {
        screen.show_failure(&error.into());
    }
    let report = report?;
    if memory.is_none() {
        remembering::tell(&session.folders, &report);
    }
    if let (Some(memory), Some(first), false) = (memory, first, spec.dry_run) {
        let (folders, done) = (&session.folders, (&proposal.proposed, &report));
        if let Some(why) = memory.learn(folders, &first, done, &session.settings, control) {
            screen.message(&format!("Note: {why}"));
        }
    }
    holding.into_iter().for_each(Holding::release);
    if let Some(log) = log.filter(|_| screen.show.verbose && !spec.json) {
        screen.line(&format!("Log: {}", display_path(&log)));
    }
    Ok(Prepared::Ran(Box::new(report), proposal.notes))
}

/// What ending at once in the middle of a run leaves behind.
pub(crate) fn leaves(targets: &[&Root]) -> String {
    let commands: Vec<String> = targets.iter().map(|root| unfinished::command("recover", root)).collect();
    format!(
        "The run is not finished: unfinished copies (.fcs-….part) may lie in the folder. Every file that has its own \
         name is complete, and no original is lost.\nHint: {} recovers the run.",
        commands.join(" or ")
    )
}
