//! Runs that were interrupted, and runs of others: what every command on a folder looks for before it begins.
//!
//! Invariant: no command works on a folder that waits for recovery; it offers to recover it, or says which command
//! does.

use std::sync::Arc;

use fcs_app::hints::{self, FrontEnd, with_hint};
use fcs_app::outcome::{unfinished_in_words, unreadable_in_words};
use fcs_app::user_error::UserError;
use fcs_engine::compare::Side;
use fcs_engine::history::{self, RecoverMode, RunInfo, RunState, StartError};
use fcs_sys::Root;

use crate::commands::recover;
use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::terminal::Screen;
use crate::question::{ask, can_ask};
use crate::session::Session;

/// Looks at both folders, and offers to recover what is unfinished. An error if something stays unfinished.
pub(crate) fn settle(
    session: &Session,
    never_ask: bool,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    [Side::Left, Side::Right]
        .into_iter()
        .try_for_each(|side| settle_root(session.folders.root(side), never_ask, screen, interrupt))
}

/// The same for one folder.
pub(crate) fn settle_root(
    root: &Root,
    never_ask: bool,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let (found, unreadable): (Vec<_>, Vec<_>) = match history::troubled(root) {
        Ok(found) => found.into_iter().partition(|run| run.state == RunState::Unfinished),
        Err(error) => {
            // Of another user, perhaps. A run on this folder will look again, and not begin.
            screen.message(&format!("Note: {}", with_hint(&error, FrontEnd::CommandLine)));
            return Ok(());
        }
    };
    if found.is_empty() {
        if !unreadable.is_empty() {
            let what = unreadable_in_words(&root.path, &unreadable);
            screen.message(&format!("Note: {what} {} lists what is left behind.", command("recover", root)));
        }
        return Ok(());
    }
    if never_ask || !can_ask() {
        return Err(needed(root, found));
    }
    interrupt.idle("Nothing was changed.");
    screen.message(&unfinished_in_words(&root.path, &found));
    let question = "Recover it now? [y = keep what was done, r = roll it back, N = not now] ";
    let how = match ask(question, screen).as_deref() {
        Some("y" | "yes" | "k" | "keep") => RecoverMode::Keep,
        Some("r" | "rollback" | "roll back") => RecoverMode::RollBack,
        _ => return Err(needed(root, found)),
    };
    match recover::recover(root, how, false, screen, interrupt)? {
        Code::Done => Ok(()),
        code => Err(Failure::new(code, "The run is not recovered yet.")),
    }
}

/// Refuses when another process works on the folder.
pub(crate) fn refuse_if_in_progress(root: &Root) -> Result<(), Failure> {
    match history::in_progress(root) {
        Ok(Some(holder)) => Err(failure(&StartError::Locked { root: root.path.clone(), holder }, root)),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Why a run, a recovery or an undo could not begin, for the user.
pub(crate) fn failure(error: &StartError, root: &Root) -> Failure {
    UserError::start(error, &root.path, FrontEnd::CommandLine).into()
}

fn needed(root: &Root, found: Vec<RunInfo>) -> Failure {
    failure(&StartError::Unfinished { root: root.path.clone(), runs: found }, root)
}

/// A command as it can be typed: `fcs recover '/path with spaces'`.
pub(crate) fn command(name: &str, root: &Root) -> String {
    hints::command(name, &root.path)
}
