//! `fcs undo`: takes a run back.
//!
//! Invariant: shows which run before it asks; an item that changed since is never touched.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use fcs_engine::Control;
use fcs_engine::error::shown;
use fcs_engine::runs::{self, RunInfo, StartError};
use fcs_front::folders::{is_still_there, open_one};
use fcs_front::outcome::describe_run;
use fcs_sys::Root;

use crate::args::UndoArgs;
use crate::exit::Code;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::question::ask;
use crate::recover_cmd::{end, print_account};
use crate::terminal::Screen;
use crate::text::size;
use crate::{account, unfinished};

/// Runs the command.
pub(crate) fn run(args: &UndoArgs, screen: &Arc<Screen>) -> Outcome {
    if !args.yes && !args.dry_run && !io::stdin().is_terminal() {
        return Err(Failure::usage("Could not ask whether to go ahead: standard input is not a terminal.")
            .hint("Add -y to go ahead without asking, or --dry-run to see which run would be taken back."));
    }
    let root = open_one(&args.root)?;
    let interrupt = Interrupt::install(screen)?;
    unfinished::refuse_if_in_progress(&root)?;
    unfinished::settle_root(&root, args.json || args.yes, screen, &interrupt)?;
    let run = choose(&root, args.run.as_deref())?;
    let text = format!(
        "On {}\nTake back {}; {} of originals kept.",
        shown(&root.path),
        describe_run(&run),
        size(run.kept_bytes)
    );
    if args.dry_run {
        if args.json {
            end(Code::Done, screen);
        } else {
            screen.line(&text);
            screen.line("Dry run: nothing was written.");
        }
        return Ok(Code::Done);
    }
    if !args.yes {
        interrupt.idle("Nothing was changed.");
        screen.say(&text);
        if !matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was changed."));
        }
    } else if !args.json && !screen.show.quiet {
        screen.line(&text);
    }
    is_still_there(&root)?;
    take_back(&root, &run, args.json, screen, &interrupt)
}

/// The run that is meant.
fn choose(root: &Root, wanted: Option<&str>) -> Result<RunInfo, Failure> {
    let found = runs::list(root).map_err(|e| Failure::new(Code::Failed, e))?;
    let Some(wanted) = wanted else {
        return found
            .into_iter()
            .find(|run| run.undoable)
            .ok_or_else(|| unfinished::failure(&StartError::NothingToUndo, root));
    };
    let run = found
        .into_iter()
        .find(|run| run.run == wanted)
        .ok_or_else(|| unfinished::failure(&StartError::NoSuchRun(wanted.to_owned()), root))?;
    if run.undoable {
        Ok(run)
    } else {
        Err(Failure::usage(format_args!(
            "Could not take back run {wanted}: its originals are not kept, or it changed nothing."
        ))
        .hint(format_args!("{} lists what can be undone.", unfinished::command("runs", root))))
    }
}

fn take_back(root: &Root, run: &RunInfo, json: bool, screen: &Arc<Screen>, interrupt: &Interrupt) -> Outcome {
    interrupt
        .idle(&format!("The run is taken back in part; {} goes on.", unfinished::command("recover", root)));
    let account = runs::undo(root, Some(&run.run), &Control::default());
    interrupt.idle("");
    let account = account.map_err(|e| unfinished::failure(&e, root))?;
    let code = if account.is_clean() { Code::Done } else { Code::Failed };
    if json {
        print_account(&account, screen);
        end(code, screen);
    } else {
        account::print(&account, "Undone", screen);
    }
    Ok(code)
}
