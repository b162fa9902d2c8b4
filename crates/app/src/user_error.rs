//! Why a whole command could not be carried out, for people: a fact, and what to do about it.
//!
//! Invariant: the text is safe to show. Paths are escaped where they enter a message; this is the second net, for
//! words the user typed. This module must not know exit codes, colours or dialogs.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use fcs_engine::error::display_path;
use fcs_engine::session::SessionError;
use fcs_engine::{Error, StartError};
use fcs_text::printable;

use crate::hints::{self, FrontEnd, with_hint};
use crate::outcome::unfinished_in_words;

/// A refusal or failure of a whole command. Items that fail within a run are in the run's report, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// One or more lines.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What sort of error it is.
    pub kind: UserErrorKind,
}

/// Sorts of errors, as far as a front end treats them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserErrorKind {
    /// An argument, a path or a setting is wrong; nothing was changed.
    Usage,
    /// Refused before anything was written.
    Refused,
    /// It was tried and did not succeed.
    Failed,
    /// A run was interrupted and waits for recovery.
    RecoveryNeeded,
    /// Another run is in progress on the folder.
    Locked,
}

impl UserError {
    /// An error without a hint.
    pub fn new(kind: UserErrorKind, message: impl fmt::Display) -> Self {
        Self { message: printable(&message.to_string()).into_owned(), hint: None, kind }
    }

    /// What the engine found, with what to do about it in the same paragraph.
    pub fn of(kind: UserErrorKind, error: &Error, who: FrontEnd) -> Self {
        Self::new(kind, with_hint(error, who))
    }

    /// Why something could not begin, with what to do about it.
    pub fn session(error: &SessionError, who: FrontEnd) -> Self {
        let kind = match error {
            SessionError::Open { .. } | SessionError::Pattern(_) => UserErrorKind::Usage,
            SessionError::Refused(_) | SessionError::Moved { .. } | SessionError::OutOfReach { .. } => {
                UserErrorKind::Refused
            }
            SessionError::Start { root, error } => return Self::start(error, root, who),
        };
        Self { hint: hints::of_session(error, who).map(Cow::into_owned), ..Self::new(kind, error) }
    }

    /// Why a run, a recovery or an undo could not begin on a root, with what to do about it.
    pub fn start(error: &StartError, root: &Path, who: FrontEnd) -> Self {
        let found = match error {
            StartError::Locked { .. } => Self::new(UserErrorKind::Locked, error),
            StartError::Unfinished { runs, .. } => {
                Self::new(UserErrorKind::RecoveryNeeded, unfinished_in_words(root, runs))
            }
            StartError::OtherVersion { .. } => Self::new(UserErrorKind::RecoveryNeeded, error),
            StartError::NoSuchRun(_) | StartError::NothingToUndo => Self::usage(error),
            StartError::Roots(_) => Self::new(UserErrorKind::Failed, error),
            StartError::Failed(error) => Self::of(UserErrorKind::Failed, error, who),
        };
        Self { hint: hints::of_start(error, root, who).map(Cow::into_owned), ..found }
    }

    /// An argument, a path or a setting is wrong; nothing was changed.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(UserErrorKind::Usage, message)
    }

    /// A file of our own could not be written.
    pub fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::usage(format_args!("Could not write {}: {error}.", display_path(path)))
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(printable(&hint.to_string()).into_owned());
        self
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}

#[cfg(test)]
mod tests {
    use fcs_engine::compare::Side;
    use fcs_engine::{ErrorKind, Op};
    use fcs_sys::OsReason;

    use super::*;

    #[test]
    fn what_a_user_typed_does_not_act_on_a_terminal() {
        let error = UserError::usage("no \x1b[2J").hint("\u{202e}");
        assert_eq!(error.to_string(), "no \\x1b[2J");
        assert_eq!(error.hint.as_deref(), Some("\\u{202e}"));
    }
    #[test]
    fn what_stands_in_the_way_of_a_run_has_a_kind_of_its_own() {
        let start = |error| UserError::start(&error, Path::new("/r"), FrontEnd::Window);
        let locked = StartError::Locked { root: "/r".into(), holder: "fcs".to_owned() };
        assert_eq!(start(locked).kind, UserErrorKind::Locked);
        assert_eq!(start(StartError::NothingToUndo).kind, UserErrorKind::Usage);
        let unfinished = start(StartError::Unfinished { root: "/r".into(), runs: Vec::new() });
        assert_eq!(unfinished.kind, UserErrorKind::RecoveryNeeded);
        assert!(unfinished.message.contains("was interrupted and is not finished"));
    }

    #[test]
    fn what_cannot_be_opened_is_said_once_with_what_to_do_for_that_side() {
        let open = |side| {
            let error = Error::new(Op::Open, "/r", ErrorKind::Os(OsReason::NotFound));
            UserError::session(&SessionError::Open { side, error }, FrontEnd::CommandLine)
        };
        let right = open(Some(Side::Right));
        assert_eq!(
            (right.kind, &*right.message),
            (UserErrorKind::Usage, "Could not open /r: it does not exist.")
        );
        assert_eq!(right.hint.as_deref(), Some("Check the spelling, or create the folder first."));
        assert_eq!(open(Some(Side::Left)).hint.as_deref(), Some("Check the spelling."));
    }
}
