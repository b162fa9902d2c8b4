//! `fcs undo`: undoes a run, and with it the runs that did again what failed in it.
//!
//! Invariant: shows which run before it asks; an item that changed since is never touched.

use std::sync::Arc;

use fcs_app::hints::{FrontEnd, of_out_of_reach};
use fcs_app::outcome::{describe_run, kept_nothing_in_words, out_of_reach_in_words};
use fcs_app::remembering::{account_for_undone, forget_undone};
use fcs_app::together;
use fcs_engine::Control;
use fcs_engine::error::display_path;
use fcs_engine::history::{self, RecoveryReport, RunId, RunInfo, StartError};
use fcs_engine::session::{self, OutOfReach};
use fcs_sys::Root;
use serde::Serialize;

use super::recovery;
use crate::args::UndoArgs;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::interrupt::Interrupt;
use crate::output::json;
use crate::output::terminal::Screen;
use crate::output::text::size;
use crate::question::{ask, expect_terminal};
use crate::unfinished;

/// Runs the command.
pub(crate) fn run(args: &UndoArgs, screen: &Arc<Screen>) -> CommandResult {
    if !args.yes && !args.dry_run {
        expect_terminal("which run would be undone")?;
    }
    let root = session::open(&args.root)?;
    let interrupt = Interrupt::install(screen)?;
    unfinished::refuse_if_in_progress(&root)?;
    unfinished::settle_root(&root, args.json || args.yes, screen, &interrupt)?;
    let chosen = choose(&root, args.run.as_ref())?;
    let kept = chosen.iter().fold(0u64, |sum, run| sum.saturating_add(run.kept_bytes));
    let lines: Vec<String> = chosen.iter().map(|run| format!("Undo {}", describe_run(run))).collect();
    let roots = session::roots_of_all(&root, &chosen);
    let places: Vec<String> = roots.iter().map(|root| display_path(&root.path)).collect();
    let mut text =
        format!("On {}\n{}; {} of originals kept.", places.join("\nand "), lines.join("\n"), size(kept));
    let found = history::list(&root).map_err(|e| Failure::of(Code::Failed, &e))?;
    if let Some(later) = history::kept_nothing_after(&found, &chosen) {
        let words = kept_nothing_in_words(later);
        text = format!("{text}\nNote: {words}");
        if args.json {
            json::print(screen, &JsonNote { event: "note", text: &words, run: &later.run });
        }
    }
    if args.dry_run {
        if args.json {
            recovery::end(Code::Done, screen);
        } else {
            screen.line(&text);
            screen.line("Dry run: nothing was written.");
        }
        return Ok(Code::Done);
    }
    if !args.yes {
        interrupt.idle("Nothing was changed.");
        screen.message(&text);
        if !matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was changed."));
        }
    } else if !args.json && !screen.show.quiet {
        screen.line(&text);
    }
    let away = session::out_of_reach(&root, &chosen);
    match chosen.first() {
        Some(run) => {
            let code = undo_one(&roots, run, args.json, screen, &interrupt)?;
            tell_of_out_of_reach(&root, &away, screen);
            Ok(code)
        }
        None => Err(unfinished::failure(&StartError::NothingToUndo, &root)),
    }
}

#[derive(Serialize)]
struct JsonNote<'a> {
    event: &'static str,
    text: &'a str,
    run: &'a RunId,
}

/// Says in which roots nothing could be done, and what to do about it.
pub(super) fn tell_of_out_of_reach(root: &Root, away: &[OutOfReach], screen: &Screen) {
    for out in away {
        let hint = of_out_of_reach(&root.path, out, FrontEnd::CommandLine);
        screen.message(&format!("Warning: {} {hint}", out_of_reach_in_words(out)));
    }
}

/// The runs that are meant, newest first.
fn choose(root: &Root, wanted: Option<&RunId>) -> Result<Vec<RunInfo>, Failure> {
    let chosen = session::to_undo(root, wanted)?;
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let found = history::list(root).map_err(|e| Failure::of(Code::Failed, &e))?;
    match wanted {
        Some(wanted) if found.iter().any(|run| run.run == *wanted) => Err(Failure::usage(format_args!(
            "Could not undo run {wanted}: its originals are not kept, or it changed nothing."
        ))
        .hint(format_args!("{} lists what can be undone.", unfinished::command("runs", root)))),
        Some(wanted) => Err(unfinished::failure(&StartError::NoSuchRun(wanted.clone()), root)),
        None => Err(unfinished::failure(&StartError::NothingToUndo, root)),
    }
}

fn undo_one(
    roots: &[Root],
    run: &RunInfo,
    json: bool,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> CommandResult {
    let commands: Vec<String> = roots.iter().map(|root| unfinished::command("recover", root)).collect();
    interrupt.idle(&format!("The run is undone in part; {} goes on.", commands.join(" and ")));
    let holding = together::hold_roots(roots)?;
    let runs = forget_undone(roots, &run.run).map_err(|why| {
        let failure = Failure::new(Code::Failed, format!("{why} Nothing was undone."));
        failure.hint("Close what uses it and try again: what goes back must be forgotten first.")
    })?;
    let undone = session::undo_in_all(roots, &run.run, &Control::default());
    interrupt.idle("");
    let undone = undone?;
    account_for_undone(&runs, &undone);
    holding.release();
    let clean = undone.iter().flat_map(|at| &at.reports).all(RecoveryReport::is_clean);
    let code = if clean { Code::Done } else { Code::Failed };
    for (at, recovery) in undone.iter().flat_map(|at| at.reports.iter().map(move |recovery| (at, recovery))) {
        if undone.len() > 1 && !json && !screen.show.quiet {
            screen.line(&format!("In {}:", display_path(&at.root.path)));
        }
        if json {
            recovery::event(recovery, screen);
        } else {
            recovery::print(recovery, "Undone", screen);
        }
    }
    if json {
        recovery::end(code, screen);
    }
    Ok(code)
}
