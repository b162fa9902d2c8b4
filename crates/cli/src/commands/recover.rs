//! `fcs recover`: recovers interrupted runs.
//!
//! Invariant: asks before it changes anything, and says what became of every item. It may itself be ended anywhere.

mod leftovers;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use fcs_app::outcome::parts_in_words;
use fcs_app::remembering;
use fcs_engine::Control;
use fcs_engine::error::display_path;
use fcs_engine::history::{self, RecoverMode, RecoveryReport, RunInfo, RunState};
use fcs_engine::session;
use fcs_sys::Root;

use super::recovery;
use super::undo::tell_of_out_of_reach;
use crate::args::RecoverArgs;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::interrupt::Interrupt;
use crate::output::terminal::Screen;
use crate::question::ask;
use crate::unfinished;

/// Runs the command.
pub(crate) fn run(args: &RecoverArgs, screen: &Arc<Screen>) -> CommandResult {
    let root = session::open(&args.root)?;
    unfinished::refuse_if_in_progress(&root)?;
    if let Some(what) = args.leftovers {
        return leftovers::run(args, what, &root, screen);
    }
    let found = session::unfinished_in_all(&root)?;
    let interrupt = Interrupt::install(screen)?;
    if !args.yes && !found.is_empty() && !io::stdin().is_terminal() {
        return Err(Failure::usage("Could not ask whether to go ahead: standard input is not a terminal.")
            .hint("Add -y to keep what was done, or -y --rollback to roll the run back."));
    }
    if found.is_empty() {
        // What never got as far as touching anything is cleaned away without a question.
        let unreadable = history::unreadable(&root).unwrap_or_default();
        remembering::recover(&root, RecoverMode::Keep, &Control::default())?;
        tell_of_others(&root, screen);
        let code = leftovers::list(&root, &unreadable, args.json, screen)?;
        if args.json {
            recovery::end(code, screen);
        } else if code == Code::Done && !screen.show.quiet {
            screen.line(&format!(
                "Nothing to recover: no run on {} was interrupted.",
                display_path(&root.path)
            ));
        }
        return Ok(code);
    }
    let mut how = if args.rollback { RecoverMode::RollBack } else { RecoverMode::Keep };
    if !args.yes {
        interrupt.idle("Nothing was changed.");
        screen.message(&parts_in_words(&found));
        how =
            if found.iter().all(|part| part.goes_back) { finish_undo(screen)? } else { choose(how, screen)? };
    } else if !args.json && !screen.show.quiet {
        screen.line(&parts_in_words(&found));
    }
    let code = recover(&root, how, args.json, screen, &interrupt)?;
    tell_of_others(&root, screen);
    Ok(code)
}

/// Says in which roots of the latest runs nothing could be looked at. Of one that was undone or recovered here they may be what is
/// left of it.
fn tell_of_others(root: &Root, screen: &Screen) {
    let is_cut = |run: &RunInfo| {
        matches!(run.state, RunState::RolledBackHere | RunState::PartlyUndone | RunState::Recovered)
    };
    let runs = history::list(root).unwrap_or_default();
    let runs: Vec<RunInfo> = runs.into_iter().filter(is_cut).collect();
    tell_of_out_of_reach(root, &session::out_of_reach(root, &runs), screen);
}

fn finish_undo(screen: &Screen) -> Result<RecoverMode, Failure> {
    match ask("Finish it? [y/N] ", screen).as_deref() {
        Some("y" | "yes") => Ok(RecoverMode::RollBack),
        _ => Err(Failure::new(Code::Interrupted, "Nothing was changed.")),
    }
}

fn choose(wished: RecoverMode, screen: &Screen) -> Result<RecoverMode, Failure> {
    let refused = || Failure::new(Code::Interrupted, "Nothing was changed.");
    if wished == RecoverMode::RollBack {
        let question = "Roll the run back? [y/N] ";
        return match ask(question, screen).as_deref() {
            Some("y" | "yes") => Ok(wished),
            _ => Err(refused()),
        };
    }
    let question = "Recover it? [y = keep what was done, r = roll it back, N = leave it] ";
    match ask(question, screen).as_deref() {
        Some("y" | "yes" | "k" | "keep") => Ok(RecoverMode::Keep),
        Some("r" | "rollback" | "roll back") => Ok(RecoverMode::RollBack),
        _ => Err(refused()),
    }
}

/// Recovers every interrupted run on the folder, and tells what was done.
pub(crate) fn recover(
    root: &Root,
    how: RecoverMode,
    json: bool,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> CommandResult {
    interrupt
        .idle(&format!("The run is still not finished; {} goes on.", unfinished::command("recover", root)));
    let recovered = remembering::recover(root, how, &Control::default());
    interrupt.idle("");
    let recovered = recovered?;
    if let [_, others @ ..] = recovered.as_slice()
        && !others.is_empty()
        && !json
        && !screen.show.quiet
    {
        let others: Vec<String> = others.iter().map(|at| display_path(&at.root.path)).collect();
        screen
            .line(&format!("The run wrote to {} too, and is recovered there as well.", others.join(" and ")));
    }
    let recoveries: Vec<RecoveryReport> = recovered.into_iter().flat_map(|at| at.reports).collect();
    for recovery in &recoveries {
        if json {
            recovery::event(recovery, screen);
        } else {
            recovery::print(recovery, "Recovered", screen);
        }
    }
    let code = code_of(&recoveries, root);
    if json {
        recovery::end(code, screen);
    }
    Ok(code)
}

fn code_of(recoveries: &[RecoveryReport], root: &Root) -> Code {
    if session::unfinished_in_all(root).is_ok_and(|left| !left.is_empty()) {
        Code::RecoveryNeeded
    } else if recoveries.iter().all(RecoveryReport::is_clean) {
        Code::Done
    } else {
        Code::Failed
    }
}
