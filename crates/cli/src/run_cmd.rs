//! `fcs copy`, `fcs sync` and `fcs orphans`: compare, plan, show, ask, run, report.
//!
//! Invariant: nothing is written before the user (or `-y`) agreed to the overview, except a folder in which the target
//! volume is tried and which is gone again, and never in a dry run; and more
//! than the guard lets through is removed only if that was agreed to as such.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use fcs_engine::compare::Side;
use fcs_engine::error::shown;
use fcs_engine::plan::Direction;
use fcs_engine::preflight::{self, MakeRoom, Problem, Severity};
use fcs_engine::report::{ItemReport, Report};
use fcs_engine::run::{OnError, RemovedTo, RunOptions};
use fcs_engine::runs;
use fcs_engine::settings::ReplaceKinds;
use fcs_engine::{Control, Error, Observer, OnCancel};
use fcs_front::outcome::failures;
use fcs_front::overview;
use fcs_front::report_file::ReportFile;
use fcs_front::run_log::{self, Ran, run_with_log};
use fcs_front::task::{self, Task};
use fcs_front::trouble::TroubleKind;
use fcs_sys::Root;

use crate::args::{
    CopyArgs, Copying, Destination, OnCancelChoice, OnErrorChoice, OrphansArgs, Running, SideChoice, SyncArgs,
};
use crate::events::{self, ProgressEvents};
use crate::exit::Code;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::progress::Display;
use crate::question::{ask, ask_to_type, can_ask};
use crate::session::Session;
use crate::terminal::{Screen, Style};
use crate::text::{count, number, size};
use crate::{options, outcome, preview, unfinished};

/// What LEFT has is brought to RIGHT.
const COPY: Task = Task::Copy(Direction::LeftToRight);
/// And what only RIGHT has is removed.
const SYNC: Task = Task::Sync(Direction::LeftToRight);

/// How a task is carried out, beyond the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) task: Task,
    /// Decide everything, write nothing.
    pub(crate) dry_run: bool,
    /// Do not ask.
    pub(crate) yes: bool,
    /// Events instead of text.
    pub(crate) json: bool,
    pub(crate) on_error: OnErrorChoice,
    pub(crate) on_cancel: OnCancelChoice,
    /// What can never be brought over is a warning too.
    pub(crate) strict: bool,
    /// As many items may be removed.
    pub(crate) max_delete: Option<u64>,
    /// A disk that was there at the last run may be missing.
    pub(crate) accept_missing_volumes: bool,
}

impl Default for How {
    fn default() -> Self {
        Self::new(COPY, &Running::default(), None, false)
    }
}

impl How {
    fn new(task: Task, running: &Running, max_delete: Option<u64>, json: bool) -> Self {
        Self {
            task,
            dry_run: running.dry_run,
            yes: running.yes,
            json,
            on_error: running.on_error,
            on_cancel: running.on_cancel,
            strict: running.strict,
            accept_missing_volumes: running.accept_missing_volumes,
            max_delete,
        }
    }
}

/// Runs `fcs copy`.
pub(crate) fn run_copy(args: &CopyArgs, screen: &Arc<Screen>) -> Outcome {
    let how = How::new(COPY, &args.running, None, args.json);
    let mut settings = options::for_run(&args.compare, &args.tuning, &args.running, &args.copying)?;
    if args.replace_kinds {
        settings.replace_kinds = ReplaceKinds::Always;
    }
    let open = |control| Session::open(&args.pair, &args.compare, settings, control);
    run_command(how, &args.running, open, screen)
}

/// Runs `fcs sync`.
pub(crate) fn run_sync(args: &SyncArgs, screen: &Arc<Screen>) -> Outcome {
    let how = How::new(SYNC, &args.running, args.max_delete, args.json);
    let settings = options::for_run(&args.compare, &args.tuning, &args.running, &args.copying)?;
    let settings = options::for_removals(settings, &args.removing)?;
    let open = |control| Session::open(&args.pair, &args.compare, settings, control);
    run_command(how, &args.running, open, screen)
}

/// Runs `fcs orphans`.
pub(crate) fn run_orphans(args: &OrphansArgs, screen: &Arc<Screen>) -> Outcome {
    let side = match args.side {
        SideChoice::Left => Side::Left,
        SideChoice::Right => Side::Right,
    };
    let removed_to = match args.to {
        Destination::Undo => RemovedTo::Undo,
        Destination::Trash => RemovedTo::RecycleBin,
        Destination::Permanent => RemovedTo::Nowhere,
    };
    let how = How::new(Task::Orphans(side, removed_to), &args.running, args.max_delete, args.json);
    if removed_to == RemovedTo::Nowhere && how.yes && !how.dry_run && how.max_delete.is_none() {
        return Err(Failure::usage(
            "What is removed for good cannot be brought back, so -y alone is not enough.",
        )
        .hint("Add --max-delete N to say how many items may go, or leave out -y to be asked."));
    }
    let settings = options::for_run(&args.compare, &args.tuning, &args.running, &Copying::default())?;
    let settings = options::for_removals(settings, &args.removing)?;
    let open = |control| Session::open(&args.pair, &args.compare, settings, control);
    run_command(how, &args.running, open, screen)
}

fn run_command(
    how: How,
    running: &Running,
    open: impl FnOnce(Control) -> Result<Session, Failure>,
    screen: &Arc<Screen>,
) -> Outcome {
    if !how.dry_run && !how.yes && !io::stdin().is_terminal() {
        return Err(Failure::usage("Could not ask whether to go ahead: standard input is not a terminal.")
            .hint("Add -y to go ahead without asking, or --dry-run to see what would be done."));
    }
    let session = open(control(how, screen))?;
    let report_file = running
        .report
        .as_deref()
        .map(|path| ReportFile::check(path, &session.folders.left, &session.folders.right))
        .transpose()?;
    let interrupt = Interrupt::install(screen)?;
    unfinished::settle(&session, how.json || how.yes, screen, &interrupt)?;
    unfinished::refuse_if_in_progress(session.folders.root(how.task.target()))?;
    if !how.dry_run {
        session.folders.try_volume(how.task.target());
    }
    carry_out(&session, how, report_file.as_ref(), screen, &interrupt)
}

/// Counters, flag and listener for a run.
pub(crate) fn control(how: How, screen: &Arc<Screen>) -> Control {
    let screen = Arc::clone(screen);
    let observer: Arc<dyn Observer> = if how.json {
        Arc::new(events::Listener { screen, how })
    } else {
        Arc::new(TextListener { screen, how })
    };
    Control { observer, ..Control::default() }
}

/// Tells in text what happens as it happens.
struct TextListener {
    screen: Arc<Screen>,
    how: How,
}

impl Observer for TextListener {
    fn item(&self, item: &ItemReport) {
        if !self.how.dry_run && self.screen.show.verbose {
            self.screen.line(&outcome::item_line(item, self.screen.style));
        }
    }

    fn error(&self, error: &Error) {
        self.screen.say(&error.to_string());
    }

    fn cancelled(&self, committed: u64) -> OnCancel {
        keep_or_roll_back(self.how.on_cancel, committed, &self.screen)
    }
}

/// Decides what becomes of what an interrupted run has done.
pub(crate) fn keep_or_roll_back(choice: OnCancelChoice, committed: u64, screen: &Screen) -> OnCancel {
    let roll_back = || {
        screen.urgent("Rolling back…");
        OnCancel::RollBack
    };
    match choice {
        OnCancelChoice::Keep => OnCancel::Keep,
        OnCancelChoice::Rollback => roll_back(),
        OnCancelChoice::Ask if committed == 0 || !can_ask() => OnCancel::Keep,
        OnCancelChoice::Ask => {
            screen.take_off_progress();
            let question = format!(
                "\nStopped with {} done. Keep what is done, or roll it back? [K/r] ",
                count(committed, "item", "items")
            );
            match ask(&question, screen).as_deref() {
                Some("r" | "roll" | "roll back" | "rollback") => roll_back(),
                _ => OnCancel::Keep,
            }
        }
    }
}

/// Compares, plans, asks, runs, reports.
pub(crate) fn carry_out(
    session: &Session,
    how: How,
    report_file: Option<&ReportFile>,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Outcome {
    let progress_events = how.json.then(|| {
        events::start(session, how, screen);
        ProgressEvents::start(screen, &session.control.progress)
    });
    let result = prepare_and_run(session, how, screen, interrupt);
    if let Some(events) = progress_events {
        events.stop();
    }
    interrupt.idle("");
    let end_without_report = |code| {
        if how.json {
            events::end(None, code, screen);
        }
        code
    };
    let (report, told) = match result {
        Ok(Prepared::Ran(report, told)) => (report, told),
        Ok(Prepared::Refused) => return Ok(end_without_report(Code::Refused)),
        Err(failure) => {
            end_without_report(failure.code);
            return Err(failure);
        }
    };
    let code = Code::of_report(&report, how.strict);
    show_result(session, &report, &told, how, code, screen);
    if let Some(file) = report_file
        && let Err(trouble) = file.write(&report)
    {
        screen.tell(&trouble.into());
        // It makes a good run one with warnings; it does not make it a failed one.
        return Ok(if code == Code::Done { Code::Warnings } else { code });
    }
    Ok(code)
}

enum Prepared {
    /// The report, and the notes that were told before the run.
    Ran(Box<Report>, Vec<String>),
    /// The preflight or the guard refused; the reasons have been told.
    Refused,
}

/// A plan with all that is known about it beforehand, and how it is to be carried out.
pub(crate) struct Proposal<'a> {
    pub(crate) session: &'a Session,
    pub(crate) how: How,
    pub(crate) proposed: task::Proposal,
    /// Worth knowing about the two folders and their comparison.
    pub(crate) notes: Vec<String>,
}

impl Proposal<'_> {
    pub(crate) fn target(&self) -> &Root {
        self.session.folders.root(self.how.task.target())
    }

    /// Whether the run must not start, whatever the user says.
    pub(crate) fn refuses(&self) -> bool {
        let how = self.how;
        let missing = !self.proposed.missing_volumes.is_empty() && !how.accept_missing_volumes;
        self.proposed.preflight.refuses()
            || missing && how.yes && !how.dry_run
            || self.proposed.excess.is_some() && !self.how.dry_run && !self.may_confirm_excess()
    }

    /// Whether the user can still allow what the guard stops.
    fn may_confirm_excess(&self) -> bool {
        self.how.max_delete.is_none() && !self.how.yes
    }

    fn asks(&self) -> bool {
        !self.how.dry_run && !self.how.yes && !self.proposed.plan.is_empty() && !self.refuses()
    }

    /// What earlier runs keep, where that is all that stands against this one. Whoever is not asked has what is kept until
    /// the next run deleted at that run's beginning instead of its end, but nothing else.
    fn room_to_make(&self) -> Option<&MakeRoom> {
        let excess = self.proposed.excess.is_some() && !self.may_confirm_excess();
        let room = self.proposed.preflight.make_room.as_ref();
        room.filter(|room| !self.how.dry_run && !excess && (room.due || !self.how.yes))
    }
}

fn prepare_and_run(
    session: &Session,
    how: How,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Result<Prepared, Failure> {
    let mut proposal = propose(session, how, screen, interrupt)?;
    show_plan(&proposal, screen);
    make_room(&mut proposal, screen, interrupt)?;
    if proposal.refuses() {
        return Ok(Prepared::Refused);
    }
    if proposal.asks() {
        confirm(&proposal, screen, interrupt)?;
    }
    let control = &session.control;
    if control.cancel.is_cancelled() {
        return Err(Failure::interrupted());
    }
    session.folders.are_still_there()?;
    let leaves = if how.dry_run { "Nothing was written.".to_owned() } else { leaves(proposal.target()) };
    interrupt.working(&control.cancel, leaves);
    let display = Display::start(screen, &control.progress);
    let options = RunOptions {
        dry_run: how.dry_run,
        command: how.task.command().to_owned(),
        on_error: match how.on_error {
            OnErrorChoice::Continue => OnError::Continue,
            OnErrorChoice::RollbackRun => OnError::RollBack,
        },
        removed: how.task.removed_to(),
        probe: session.folders.probe(how.task.target()).cloned(),
        ..RunOptions::default()
    };
    let logs = run_log::folder();
    let Ran { report, log, trouble } = run_with_log(
        logs.as_deref(),
        &session.folders,
        &proposal.proposed,
        &session.settings,
        &options,
        control,
    );
    display.end();
    // Who copies a home that holds the logs need not hear of it each time.
    if let Some(trouble) = trouble.filter(|t| screen.show.verbose || t.kind != TroubleKind::Refused) {
        screen.tell(&trouble.into());
    }
    let report = report.map_err(|error| unfinished::failure(&error, proposal.target()))?;
    if let Some(log) = log.filter(|_| screen.show.verbose && !how.json) {
        screen.line(&format!("Log: {}", shown(&log)));
    }
    Ok(Prepared::Ran(Box::new(report), proposal.notes))
}

/// Where all that is missing is room that earlier runs take, and the user agrees, prunes them and looks again.
fn make_room(proposal: &mut Proposal<'_>, screen: &Screen, interrupt: &Interrupt) -> Result<(), Failure> {
    let Some(room) = proposal.room_to_make().cloned() else {
        if proposal.proposed.preflight.make_room.is_some() {
            let command = unfinished::command("runs --prune", proposal.target());
            screen.say(&format!("Hint: {command} deletes what earlier runs keep."));
        }
        return Ok(());
    };
    let what = format!(
        "the originals of {} ({})",
        count(room.runs, "earlier run", "earlier runs"),
        size(room.bytes)
    );
    if proposal.how.yes {
        screen.say(&format!("Note: {what} were to be kept until this run; they are deleted first."));
    } else {
        interrupt.idle("Nothing was written.");
        let question =
            format!("\nDelete {what} permanently to make room? They cannot be undone then. [y/N] ");
        if !matches!(ask(&question, screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was written."));
        }
    }
    proposal.session.folders.are_still_there()?;
    let target = proposal.target();
    let pruned =
        runs::prune(target, Some(&room.newest)).map_err(|error| unfinished::failure(&error, target))?;
    pruned.errors.iter().for_each(|error| screen.say(&format!("Warning: {error}")));
    let (folders, side) = (&proposal.session.folders, proposal.how.task.target());
    let found = preflight::check_knowing(
        &proposal.proposed.plan,
        folders.root(side.other()),
        target,
        folders.probe(side),
        &proposal.session.settings,
    );
    proposal.proposed.preflight = found;
    for text in preview::problems(proposal, screen.err_style) {
        screen.say(&text);
    }
    Ok(())
}

/// What ending at once in the middle of a run leaves behind.
fn leaves(target: &Root) -> String {
    format!(
        "The run is not finished: unfinished copies (.fcs-….part) may lie in the folder. Every file that has its own \
         name is complete, and no original is lost.\nHint: {} recovers the run.",
        unfinished::command("recover", target)
    )
}

fn propose<'a>(
    session: &'a Session,
    how: How,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Result<Proposal<'a>, Failure> {
    let comparison = session.compare(screen, interrupt)?;
    let mut proposed =
        task::propose(how.task, &session.folders, &comparison, &|_| true, &session.settings, how.max_delete);
    if proposed.removes_for_good && how.yes && !how.dry_run && how.max_delete.is_none() {
        let text = "What is removed without an undo store cannot be brought back, so -y alone is not enough. Add \
                    --max-delete N to say how many items may go, or leave out -y to be asked.";
        let refusal = Problem { severity: Severity::Refuses, text: text.to_owned() };
        proposed.preflight.problems.insert(0, refusal);
    }
    let mut notes = preview::notes(session, &comparison);
    notes.extend(not_tried(session, how));
    // The comparison ends here: the trees of a large one take memory that the run can use better.
    Ok(Proposal { session, how, proposed, notes })
}

/// What a dry run cannot foresee, where the volume is one that has to be tried.
fn not_tried(session: &Session, how: How) -> Option<String> {
    let root = session.folders.root(how.task.target());
    let facts = root.dir.volume().ok()?;
    (how.dry_run && fcs_engine::probe::wanted(&facts)).then(|| {
        format!(
            "A dry run does not try what the volume of {} ({}) keeps and takes: names, links, permissions. {} does.",
            shown(&root.path),
            facts.file_system,
            unfinished::command("doctor", root)
        )
    })
}

/// Shows what will be done: to be confirmed on standard error, else as a record on standard output. Problems are
/// never left out and always go to standard error.
fn show_plan(proposal: &Proposal<'_>, screen: &Screen) {
    let how = proposal.how;
    let asks = proposal.asks();
    if how.json {
        events::plan(proposal, screen);
    }
    if asks {
        show_overview(proposal, screen.show.verbose, screen.err_style, &|text| screen.say(text));
    } else if !how.json && !screen.show.quiet {
        if how.dry_run {
            preview::decisions(proposal, screen.style).for_each(|line| screen.line(&line));
        }
        show_overview(proposal, false, screen.style, &|text| screen.line(text));
    }
    if asks || proposal.refuses() || !how.json {
        for text in preview::problems(proposal, screen.err_style) {
            screen.say(&text);
        }
    }
}

fn show_overview(proposal: &Proposal<'_>, whole: bool, style: Style, print: &dyn Fn(&str)) {
    for note in &proposal.notes {
        print(&format!("Note: {note}"));
    }
    let plan = &proposal.proposed.plan;
    if !plan.is_empty() {
        print(&preview::overview(proposal, whole, style));
    } else if plan.skipped.is_empty() {
        print(&overview::nothing_to_do(proposal.how.task));
    } else {
        print("Nothing to do but what has to be left alone.");
    }
}

/// Asks on the terminal. Anything but a yes, or the very word that is asked for, is a no.
fn confirm(proposal: &Proposal<'_>, screen: &Screen, interrupt: &Interrupt) -> Result<(), Failure> {
    interrupt.idle("Nothing was written.");
    let refused = || Failure::new(Code::Interrupted, "Nothing was written.");
    let agreed = |yes: bool| if yes { Ok(()) } else { Err(refused()) };
    if let Some(excess) = proposal.proposed.excess {
        let what = format!("\nType the number of items to remove ({}) to go ahead: ", number(excess.items));
        agreed(ask_to_type(&what, &excess.items.to_string(), screen))?;
    }
    if proposal.proposed.removes_for_good {
        return agreed(ask_to_type(
            "\nThis cannot be undone. Type \"delete\" to go ahead: ",
            "delete",
            screen,
        ));
    }
    if proposal.proposed.excess.is_some() {
        return Ok(());
    }
    agreed(matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")))
}

fn show_result(session: &Session, report: &Report, told: &[String], how: How, code: Code, screen: &Screen) {
    if how.json {
        events::end(Some(report), code, screen);
    } else if !screen.show.quiet && !report.items.is_empty() {
        let target = session.folders.root(how.task.target());
        screen.line(&outcome::summary(report, how.task, target, told, screen.style));
    }
    if !how.json {
        failures(report).for_each(|error| screen.say(&error.to_string()));
    }
    if code == Code::RecoveryNeeded {
        let target = session.folders.root(how.task.target());
        screen.say(&format!("Hint: {} recovers the run.", unfinished::command("recover", target)));
    }
}
