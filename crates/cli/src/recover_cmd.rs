//! `fcs recover`: puts in order what an interrupted run left behind.
//!
//! Invariant: asks before it changes anything, and says what became of every item. It may itself be ended anywhere.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use fcs_engine::Control;
use fcs_engine::error::shown;
use fcs_engine::runs::{self, Account, How};
use fcs_front::folders::{is_still_there, open_one};
use fcs_front::outcome::unfinished_in_words;
use fcs_sys::Root;
use serde::Serialize;

use crate::args::RecoverArgs;
use crate::exit::Code;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::question::ask;
use crate::terminal::Screen;
use crate::{account, json, leftovers, unfinished};

/// Runs the command.
pub(crate) fn run(args: &RecoverArgs, screen: &Arc<Screen>) -> Outcome {
    let root = open_one(&args.root)?;
    unfinished::refuse_if_in_progress(&root)?;
    if let Some(what) = args.leftovers {
        return leftovers::run(args, what, &root, screen);
    }
    let found = runs::unfinished(&root).map_err(|e| Failure::new(Code::Failed, e))?;
    let interrupt = Interrupt::install(screen)?;
    if !args.yes && !found.is_empty() && !io::stdin().is_terminal() {
        return Err(Failure::usage("Could not ask whether to go ahead: standard input is not a terminal.")
            .hint("Add -y to keep what was done, or -y --rollback to bring back what was there before."));
    }
    if found.is_empty() {
        // What never got as far as touching anything is cleaned away without a question.
        let unreadable = runs::unreadable(&root).unwrap_or_default();
        runs::recover(&root, How::Keep, &Control::default()).map_err(|e| unfinished::failure(&e, &root))?;
        let code = leftovers::tell(&root, &unreadable, args.json, screen)?;
        if args.json {
            end(code, screen);
        } else if code == Code::Done && !screen.show.quiet {
            screen.line(&format!("Nothing to recover: no run on {} was interrupted.", shown(&root.path)));
        }
        return Ok(code);
    }
    let mut how = if args.rollback { How::RollBack } else { How::Keep };
    if !args.yes {
        interrupt.idle("Nothing was changed.");
        screen.say(&unfinished_in_words(&root, &found));
        how = choose(how, screen)?;
    } else if !args.json && !screen.show.quiet {
        screen.line(&unfinished_in_words(&root, &found));
    }
    recover(&root, how, args.json, screen, &interrupt)
}

fn choose(wished: How, screen: &Screen) -> Result<How, Failure> {
    let refused = || Failure::new(Code::Interrupted, "Nothing was changed.");
    if wished == How::RollBack {
        let question = "Bring back what was there before the run? [y/N] ";
        return match ask(question, screen).as_deref() {
            Some("y" | "yes") => Ok(wished),
            _ => Err(refused()),
        };
    }
    let question = "Recover it? [y = keep what was done, r = roll it back, N = leave it] ";
    match ask(question, screen).as_deref() {
        Some("y" | "yes" | "k" | "keep") => Ok(How::Keep),
        Some("r" | "rollback" | "roll back") => Ok(How::RollBack),
        _ => Err(refused()),
    }
}

/// Recovers every interrupted run on the folder, and tells what was done.
pub(crate) fn recover(
    root: &Root,
    how: How,
    json: bool,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Outcome {
    is_still_there(root)?;
    interrupt
        .idle(&format!("The run is still not finished; {} goes on.", unfinished::command("recover", root)));
    let accounts = runs::recover(root, how, &Control::default());
    interrupt.idle("");
    let accounts = accounts.map_err(|e| unfinished::failure(&e, root))?;
    for account in &accounts {
        if json {
            print_account(account, screen);
        } else {
            account::print(account, "Recovered", screen);
        }
    }
    let code = code_of(&accounts, root);
    if json {
        end(code, screen);
    }
    Ok(code)
}

fn code_of(accounts: &[Account], root: &Root) -> Code {
    if runs::unfinished(root).is_ok_and(|left| !left.is_empty()) {
        Code::RecoveryNeeded
    } else if accounts.iter().all(Account::is_clean) {
        Code::Done
    } else {
        Code::Failed
    }
}

#[derive(Serialize)]
struct JsonAccount<'a> {
    event: &'static str,
    #[serde(flatten)]
    account: &'a Account,
}

/// One account as an event.
pub(crate) fn print_account(account: &Account, screen: &Screen) {
    json::print(screen, &JsonAccount { event: "account", account });
}

#[derive(Serialize)]
struct JsonEnd {
    event: &'static str,
    exit_code: u8,
}

/// The last event.
pub(crate) fn end(code: Code, screen: &Screen) {
    json::print(screen, &JsonEnd { event: "end", exit_code: code as u8 });
}
