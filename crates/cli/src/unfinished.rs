//! Runs that were interrupted, and runs of others: what every command on a folder looks for before it begins.
//!
//! Invariant: no command works on a folder that waits for recovery; it offers to recover it, or says which command
//! does.

use std::sync::Arc;

use fcs_engine::compare::Side;
use fcs_engine::error::shown;
use fcs_engine::runs::{self, How, RunInfo, RunState, StartError};
use fcs_front::outcome::{start_trouble, unfinished_in_words, unreadable_in_words};
use fcs_sys::Root;

use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::question::{ask, can_ask};
use crate::recover_cmd;
use crate::session::Session;
use crate::terminal::Screen;

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
    let (found, unreadable): (Vec<_>, Vec<_>) = match runs::troubled(root) {
        Ok(found) => found.into_iter().partition(|run| run.state == RunState::Unfinished),
        Err(error) => {
            // Of another user, perhaps. A run on this folder will look again, and not begin.
            screen.say(&format!("Note: {error}"));
            return Ok(());
        }
    };
    if found.is_empty() {
        if !unreadable.is_empty() {
            let what = unreadable_in_words(root, &unreadable);
            screen.say(&format!("Note: {what} {} lists what is left behind.", command("recover", root)));
        }
        return Ok(());
    }
    if never_ask || !can_ask() {
        return Err(needed(root, found));
    }
    interrupt.idle("Nothing was changed.");
    screen.say(&unfinished_in_words(root, &found));
    let question = "Recover it now? [y = keep what was done, r = roll it back, N = not now] ";
    let how = match ask(question, screen).as_deref() {
        Some("y" | "yes" | "k" | "keep") => How::Keep,
        Some("r" | "rollback" | "roll back") => How::RollBack,
        _ => return Err(needed(root, found)),
    };
    match recover_cmd::recover(root, how, false, screen, interrupt)? {
        Code::Done => Ok(()),
        code => Err(Failure::new(code, "The run is not recovered yet.")),
    }
}

/// Refuses when another process works on the folder.
pub(crate) fn refuse_if_in_progress(root: &Root) -> Result<(), Failure> {
    match runs::in_progress(root) {
        Ok(Some(holder)) => Err(failure(&StartError::Locked { holder }, root)),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Why a run, a recovery or an undo could not begin, for the user.
pub(crate) fn failure(error: &StartError, root: &Root) -> Failure {
    let failure = Failure::from(start_trouble(error, root));
    match error {
        StartError::Unfinished(_) => failure.hint(format_args!(
            "{} shows what can be done and recovers the run; with -y it keeps what was done without asking.",
            command("recover", root)
        )),
        StartError::NoSuchRun(_) => failure.hint(format_args!("{} lists them.", command("runs", root))),
        StartError::OtherVersion { .. } => failure.hint(format_args!(
            "Or {} gives what it keeps a visible name and forgets the run.",
            command("recover --leftovers restore", root)
        )),
        StartError::Locked { .. } | StartError::NothingToUndo | StartError::Failed(_) => failure,
    }
}

fn needed(root: &Root, found: Vec<RunInfo>) -> Failure {
    failure(&StartError::Unfinished(found), root)
}

/// A command as it can be typed: `fcs recover '/path with spaces'`.
pub(crate) fn command(name: &str, root: &Root) -> String {
    format!("`fcs {name} {}`", quoted(&shown(&root.path)))
}

fn quoted(text: &str) -> String {
    // A backslash at the end, as in D:\, would escape the quote after it.
    let plain =
        |c: char| c.is_alphanumeric() || if cfg!(windows) { r"\/._-:~" } else { "/._-+=:,@%" }.contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else if cfg!(windows) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell_where_they_must_be() {
        assert_eq!(quoted("/mnt/b/Fotos_2.0"), "/mnt/b/Fotos_2.0");
        assert_eq!(quoted("/mnt/Größe"), "/mnt/Größe");
        if cfg!(windows) {
            assert_eq!(quoted(r"D:\"), r"D:\");
            assert_eq!(quoted(r"D:\a b"), "\"D:\\a b\"");
        } else {
            assert_eq!(quoted("/a b"), "'/a b'");
            assert_eq!(quoted("/it's"), r"'/it'\''s'");
            assert_eq!(quoted("/$(x)"), "'/$(x)'");
        }
    }
}
