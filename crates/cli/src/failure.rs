//! Why a command ended without doing its work: a fact, and what to do about it.
//!
//! Invariant: the text is safe to print. Paths are escaped where they enter a message; this is the second net, for
//! words the user typed.

use std::fmt;
use std::path::Path;

use fcs_front::trouble::{Trouble, TroubleKind};

use crate::exit::Code;
use crate::text::printable;

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

    /// The user ended it before anything was written.
    pub(crate) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "Stopped. Nothing was written.")
    }

    /// A file of our own (settings, report, manual page) could not be written.
    pub(crate) fn write(path: &Path, error: &std::io::Error) -> Self {
        Trouble::write(path, error).into()
    }

    /// The same, with what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(printable(&hint.to_string()).into_owned());
        self
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let code = match trouble.kind {
            TroubleKind::Usage => Code::Usage,
            TroubleKind::Refused | TroubleKind::Locked => Code::Refused,
            TroubleKind::Failed => Code::Failed,
            TroubleKind::RecoveryNeeded => Code::RecoveryNeeded,
        };
        Self { code, message: trouble.message, hint: trouble.hint }
    }
}

/// What a command gives back to `main`.
pub(crate) type Outcome = Result<Code, Failure>;
