//! Why a command ended without doing its work: a fact, and what to do about it.
//!
//! Invariant: the text is safe to print. Paths are escaped where they enter a message; this is the second net, for
//! words the user typed.

use std::fmt;
use std::path::Path;

use fcs_app::hints::{FrontEnd, with_hint};
use fcs_app::user_error::{UserError, UserErrorKind};
use fcs_engine::Error;
use fcs_engine::session::SessionError;
use fcs_state::StateError;

use crate::exit::Code;
use crate::output::text::printable;

/// A refusal or failure of a whole command. Items that fail within a run are in the run's report, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// One or more lines; empty when everything has been said already.
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// The command, a path or a setting is wrong; nothing was changed.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Any other.
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: printable(&message.to_string()).into_owned(), hint: None }
    }

    /// What the engine found, with what to do about it.
    pub(crate) fn of(code: Code, error: &Error) -> Self {
        Self::new(code, with_hint(error, FrontEnd::CommandLine))
    }

    /// The user ended it before anything was written.
    pub(crate) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "Stopped. Nothing was written.")
    }

    /// A file of our own (settings, report, manual page) could not be written.
    pub(crate) fn write(path: &Path, error: &std::io::Error) -> Self {
        UserError::write(path, error).into()
    }

    /// The same, with what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(printable(&hint.to_string()).into_owned());
        self
    }
}

impl From<UserError> for Failure {
    fn from(user_error: UserError) -> Self {
        let code = match user_error.kind {
            UserErrorKind::Usage => Code::Usage,
            UserErrorKind::Refused | UserErrorKind::Locked => Code::Refused,
            UserErrorKind::Failed => Code::Failed,
            UserErrorKind::RecoveryNeeded => Code::RecoveryNeeded,
        };
        Self { code, message: user_error.message, hint: user_error.hint }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        fcs_app::pairs::user_error(&error).into()
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        UserError::session(&error, FrontEnd::CommandLine).into()
    }
}

/// What a command gives back to `main`.
pub(crate) type CommandResult = Result<Code, Failure>;
