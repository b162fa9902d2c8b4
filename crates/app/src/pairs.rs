//! Where the memories of pairs and of their content are, and how long what they keep for undo lasts.
//!
//! Invariant: the folder is this user's own, beside the logs, and nothing is made there before there is something to
//! remember. This module must not know what a memory is used for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fcs_engine::Settings;
use fcs_engine::settings::Undo;
use fcs_state::{Limits, StateError, States};

use crate::run_log;
use crate::user_error::{UserError, UserErrorKind};

const DAY: Duration = Duration::from_hours(24);

/// The folder for memories of pairs of this user. `None` without a home.
pub fn folder() -> Option<PathBuf> {
    Some(run_log::folder()?.parent()?.join("pairs"))
}

/// The memories in that folder.
///
/// # Errors
///
/// Without a home there is no place for them.
pub fn open() -> Result<States, UserError> {
    open_in(folder().as_deref())
}

/// What is known of the content of pairs, in a folder beside it; see [`crate::known`].
///
/// # Errors
///
/// As for [`open`].
pub fn open_content() -> Result<States, UserError> {
    let content = folder().map(|folder| folder.with_file_name("content"));
    open_in(content.as_deref())
}

/// The memories in a folder for them; without one there is no place for any.
///
/// # Errors
///
/// As for [`open`].
pub fn open_in(folder: Option<&Path>) -> Result<States, UserError> {
    let folder = folder.ok_or_else(|| {
        UserError::usage("There is no place for what is remembered, because this user has no home folder.")
    })?;
    States::open(folder).map_err(|error| user_error(&error))
}

/// What is kept at most, with these settings: what a run changed is kept as long as its originals are. Not for less than the usual
/// term: the settings are those of this run, and earlier ones, whose term was longer, can still be undone.
pub fn limits(settings: &Settings) -> Limits {
    let usual = Limits::default();
    let term = match settings.undo {
        Undo::Off | Undo::Last => usual.term,
        Undo::Days(days) => DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX)).max(usual.term),
    };
    Limits { term, ..usual }
}

/// As a front end says it.
pub fn user_error(error: &StateError) -> UserError {
    let kind = match error {
        StateError::Missing | StateError::NoSuchRun { .. } => UserErrorKind::Usage,
        StateError::InUse { .. } | StateError::Changed { .. } => UserErrorKind::Refused,
        _ => UserErrorKind::Failed,
    };
    let user_error = UserError::new(kind, error);
    match error {
        // The words are part of a sentence elsewhere; here they stand alone.
        StateError::Missing => UserError::new(kind, "Nothing is remembered under this name."),
        StateError::Damaged { .. } | StateError::OtherVersion { .. } => {
            user_error.hint("The next run of the pair is a first one, and remembers anew.")
        }
        _ => user_error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_changed_is_kept_as_long_as_its_originals() {
        let limits = |undo| limits(&Settings { undo, ..Settings::default() });
        assert_eq!(limits(Undo::Off), Limits::default(), "earlier runs can be undone");
        assert_eq!(limits(Undo::Days(3)), Limits::default());
        assert_eq!(limits(Undo::Days(365)).term, 365 * DAY);
        assert_eq!(limits(Undo::Days(u64::MAX)).term, DAY.saturating_mul(u32::MAX));
        assert_eq!(limits(Undo::Last), Limits::default());
    }

    #[test]
    fn nothing_is_made_before_there_is_something_to_remember() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("state/pairs");
        assert!(open_in(Some(&folder)).unwrap().list().unwrap().is_empty());
        assert!(!tmp.path().join("state").exists());
        std::fs::create_dir(tmp.path().join("state")).unwrap();
        std::fs::write(&folder, "").unwrap();
        assert_eq!(open_in(Some(&folder)).unwrap_err().kind, UserErrorKind::Failed, "a file is in the way");
    }
}
