//! Why something could not be done, for people: a fact, and what to do about it.
//!
//! Invariant: the text is safe to show. Paths are escaped where they enter a message; this is the second net, for
//! words the user typed. This module must not know exit codes, colours or dialogs.

use std::fmt;
use std::path::Path;

use fcs_engine::error::shown;
use fcs_text::printable;

/// A refusal or failure of a whole undertaking. Items that fail within a run are in the run's report, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// One or more lines.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What sort of trouble it is.
    pub kind: TroubleKind,
}

/// Sorts of trouble, as far as a front end treats them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// The wish, a path or a setting is wrong; nothing was changed.
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

impl Trouble {
    /// Trouble without a hint.
    pub fn new(kind: TroubleKind, message: impl fmt::Display) -> Self {
        Self { message: printable(&message.to_string()).into_owned(), hint: None, kind }
    }

    /// The wish, a path or a setting is wrong; nothing was changed.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(TroubleKind::Usage, message)
    }

    /// A file of our own could not be written.
    pub fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::usage(format_args!("Could not write {}: {error}.", shown(path)))
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(printable(&hint.to_string()).into_owned());
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_typed_does_not_act_on_a_terminal() {
        let trouble = Trouble::usage("no \x1b[2J").hint("\u{202e}");
        assert_eq!(trouble.to_string(), "no \\x1b[2J");
        assert_eq!(trouble.hint.as_deref(), Some("\\u{202e}"));
    }
}
