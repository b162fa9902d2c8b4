//! `fcs copy`: compare, plan, show, ask, run, report.
//!
//! Invariant: nothing is written before the user (or `-y`) agreed to the overview, and never in a dry run.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use fcs_engine::plan::{Direction, Plan, plan};
use fcs_engine::preflight::{self, Preflight};
use fcs_engine::report::{ItemReport, Report};
use fcs_engine::run::{RunOptions, run as run_plan};
use fcs_engine::{Control, Error, Observer};

use crate::args::CopyArgs;
use crate::events::{self, ProgressEvents};
use crate::exit::Code;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::progress::Display;
use crate::report_file::ReportFile;
use crate::session::Session;
use crate::terminal::{Screen, Style};
use crate::{options, outcome, preview};

/// What ending at once in the middle of a run leaves behind.
const LEAVES: &str = "Unfinished copies may be left in RIGHT under names that begin with .fcs- and end in .part; they \
                      can be deleted. Originals are untouched, and every file that has its own name is complete.";

/// How a copy is carried out, beyond the settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct How {
    /// Decide everything, write nothing.
    pub(crate) dry_run: bool,
    /// Do not ask.
    pub(crate) yes: bool,
    /// Events instead of text.
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &CopyArgs, screen: &Arc<Screen>) -> Outcome {
    let how = How { dry_run: args.dry_run, yes: args.yes, json: args.json };
    let settings = options::for_copy(args)?;
    if !how.dry_run && !how.yes && !io::stdin().is_terminal() {
        return Err(Failure::usage("Could not ask whether to go ahead: standard input is not a terminal.")
            .hint("Add -y to go ahead without asking, or --dry-run to see what would be done."));
    }
    let session = Session::open(&args.pair, &args.compare, settings, control(how, screen))?;
    let report_file = args
        .report
        .as_deref()
        .map(|path| ReportFile::check(path, &session.left, &session.right))
        .transpose()?;
    let interrupt = Interrupt::install(screen)?;
    copy(&session, how, report_file.as_ref(), screen, &interrupt)
}

/// Counters, flag and listener for a copy.
pub(crate) fn control(how: How, screen: &Arc<Screen>) -> Control {
    let screen = Arc::clone(screen);
    let observer: Arc<dyn Observer> = if how.json {
        Arc::new(events::Listener { screen, dry_run: how.dry_run })
    } else {
        Arc::new(TextListener { screen, items: !how.dry_run })
    };
    Control { observer, ..Control::default() }
}

/// Tells in text what happens as it happens.
struct TextListener {
    screen: Arc<Screen>,
    items: bool,
}

impl Observer for TextListener {
    fn item(&self, item: &ItemReport) {
        if self.items && self.screen.show.verbose {
            self.screen.line(&outcome::item_line(item, self.screen.style));
        }
    }

    fn error(&self, error: &Error) {
        self.screen.say(&error.to_string());
    }
}

/// Compares, plans, asks, copies, reports.
pub(crate) fn copy(
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
    let code = Code::of_report(&report);
    show_result(&report, &told, how, code, screen);
    if let Some(file) = report_file
        && let Err(failure) = file.write(&report)
    {
        screen.tell(&failure);
        return Ok(if code == Code::Done { failure.code } else { code });
    }
    Ok(code)
}

enum Prepared {
    /// The report, and the notes that were told before the run.
    Ran(Box<Report>, Vec<String>),
    /// The preflight refused; its reasons have been told.
    Refused,
}

fn prepare_and_run(
    session: &Session,
    how: How,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Result<Prepared, Failure> {
    let comparison = session.compare(screen, interrupt)?;
    let plan = plan(&comparison, Direction::LeftToRight, &|_| true, &session.settings);
    let preflight = preflight::check(&plan, &session.left, &session.right, &session.settings);
    let notes = preview::notes(session, &comparison);
    show_plan(session, &notes, &plan, &preflight, how, screen);
    // The trees of a large comparison take memory that the copy can use better.
    drop(comparison);
    if preflight.refuses() {
        return Ok(Prepared::Refused);
    }
    if !how.dry_run && !how.yes && !plan.is_empty() {
        confirm(screen, interrupt)?;
    }
    let control = &session.control;
    if control.cancel.is_cancelled() {
        return Err(Failure::interrupted());
    }
    interrupt.working(&control.cancel, if how.dry_run { "Nothing was written." } else { LEAVES });
    let display = Display::start(screen, &control.progress);
    let options = RunOptions { dry_run: how.dry_run, command: "copy".into(), ..RunOptions::default() };
    let result = run_plan(&plan, &session.left, &session.right, &session.settings, &options, control);
    display.end();
    let report = result.map_err(|e| Failure::new(Code::Refused, e))?;
    Ok(Prepared::Ran(Box::new(report), notes))
}

/// Shows what will be done: to be confirmed on standard error, else as a record on standard output. Problems are
/// never left out and always go to standard error.
fn show_plan(
    session: &Session,
    notes: &[String],
    plan: &Plan,
    preflight: &Preflight,
    how: How,
    screen: &Screen,
) {
    let asks = !how.dry_run && !how.yes && !plan.is_empty() && !preflight.refuses();
    if how.json {
        events::plan(plan, preflight, how, screen);
    }
    if asks {
        show_overview(session, notes, plan, preflight, screen.err_style, &|text| screen.say(text));
    } else if !how.json && !screen.show.quiet {
        if how.dry_run {
            preview::planned(plan).for_each(|item| screen.line(&item.decision(screen.style)));
            plan.skipped.iter().for_each(|skip| screen.line(&preview::skipped_line(skip, screen.style)));
        }
        show_overview(session, notes, plan, preflight, screen.style, &|text| screen.line(text));
    }
    if asks || preflight.refuses() || !how.json {
        for text in preview::problems(preflight, screen.err_style) {
            screen.say(&text);
        }
    }
}

fn show_overview(
    session: &Session,
    notes: &[String],
    plan: &Plan,
    preflight: &Preflight,
    style: Style,
    print: &dyn Fn(&str),
) {
    for note in notes {
        print(&format!("Note: {note}"));
    }
    if plan.is_empty() && plan.skipped.is_empty() {
        print("Nothing to copy: RIGHT has everything that LEFT has.");
    } else if plan.is_empty() {
        print("Nothing to copy but what has to be left alone.");
    } else {
        print(&preview::overview(session, plan, preflight, style));
    }
}

/// Asks on the terminal. Anything but a yes is a no.
fn confirm(screen: &Screen, interrupt: &Interrupt) -> Result<(), Failure> {
    interrupt.idle("Nothing was written.");
    screen.flush();
    let mut answer = String::new();
    let asked = write!(io::stderr(), "\nGo ahead? [y/N] ").and_then(|()| io::stderr().flush());
    let read = asked.and_then(|()| io::stdin().read_line(&mut answer));
    match (read, answer.trim().to_ascii_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => Err(Failure::new(Code::Interrupted, "Nothing was written.")),
    }
}

fn show_result(report: &Report, told: &[String], how: How, code: Code, screen: &Screen) {
    if how.json {
        events::end(Some(report), code, screen);
    } else if !screen.show.quiet && !report.items.is_empty() {
        screen.line(&outcome::summary(report, told, screen.style));
    }
    if !how.json {
        outcome::failures(report).for_each(|text| screen.say(&text));
    }
}
