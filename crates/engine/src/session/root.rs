//! One open folder: opening it, and what is done with the runs on it.
//!
//! Invariant: nothing is changed in a folder that is not at its path any more. An open folder is the same one wherever it
//! was moved to, and nobody agreed to what would be written there.

use std::fmt::Display;
use std::path::Path;

use fcs_sys::{Location, OsReason, Root, RootError, reason};

use super::SessionError;
use crate::compare::Side;
use crate::history::{self, Cleared, Clearing, Pruned, RecoverMode, RecoveryReport, RunId};
use crate::{Control, Error, ErrorKind, Op, StartError};

/// Opens the folder of a command that works on one.
///
/// # Errors
///
/// [`SessionError::Open`].
pub fn open(location: impl Into<Location>) -> Result<Root, SessionError> {
    open_as(&location.into(), None)
}

/// Opens a folder, as one of two or as the only one.
pub(super) fn open_as(location: &Location, side: Option<Side>) -> Result<Root, SessionError> {
    location.open().map_err(|error| {
        let path = location.path().map_or_else(|| location.to_string().into(), Path::to_owned);
        let found = |kind| Error::new(Op::Open, path.clone(), kind);
        let error = match error {
            RootError::Unc => found(ErrorKind::Unc),
            RootError::NotAFolder => found(ErrorKind::NotAFolder),
            // The number says no more than these words, and they are what most people get to see.
            RootError::Io(error) => match reason(&error) {
                why @ (OsReason::NotFound | OsReason::PermissionDenied) => found(ErrorKind::Os(why)),
                _ => Error::os(Op::Open, path.clone(), error),
            },
        };
        SessionError::Open { side, error }
    })
}

/// Whether the path of an open folder still leads to it.
///
/// # Errors
///
/// [`SessionError::Moved`].
pub fn check_not_moved(root: &Root) -> Result<(), SessionError> {
    let moved = |why: &dyn Display| SessionError::Moved { path: root.path.clone(), why: why.to_string() };
    let there = open(root.path.as_path()).map_err(|error| moved(&error.to_string().trim_end_matches('.')))?;
    let there = there.dir.metadata().map_err(|error| moved(&error))?;
    let open = root.dir.metadata().map_err(|error| moved(&error))?;
    // Where numbers do not last, the one of the path may be another one each time it is asked for. What both handles
    // lead to has the same dates at this moment if it is one folder.
    let lasting = root.dir.volume().map_or(true, |volume| volume.lasting_numbers);
    let as_one = !lasting
        && (there.id.volume, there.modified, there.changed) == (open.id.volume, open.modified, open.changed);
    if there.id == open.id || as_one { Ok(()) } else { Err(moved(&"another one is there now")) }
}

/// Undoes a run and all that belong to it; see [`history::undo`].
///
/// # Errors
///
/// [`SessionError::Moved`] and [`SessionError::Start`]. Items that cannot be dealt with are in the report.
pub fn undo(root: &Root, run: Option<&RunId>, control: &Control) -> Result<RecoveryReport, SessionError> {
    check_not_moved(root)?;
    history::undo(root, run, control).map_err(|error| start(root, error))
}

/// Recovers every interrupted run; see [`history::recover`].
///
/// # Errors
///
/// As for [`undo`].
pub fn recover(
    root: &Root,
    how: RecoverMode,
    control: &Control,
) -> Result<Vec<RecoveryReport>, SessionError> {
    check_not_moved(root)?;
    history::recover(root, how, control).map_err(|error| start(root, error))
}

/// Deletes what the runs up to and including `newest` keep for undo; see [`history::prune`].
///
/// # Errors
///
/// As for [`undo`].
pub fn prune(root: &Root, newest: Option<&RunId>) -> Result<Pruned, SessionError> {
    check_not_moved(root)?;
    history::prune(root, newest).map_err(|error| start(root, error))
}

/// Deletes or restores what lies about of runs without a journal; see [`history::clear_leftovers`].
///
/// # Errors
///
/// As for [`undo`].
pub fn clear_leftovers(
    root: &Root,
    source: Option<&Root>,
    what: Clearing,
    control: &Control,
) -> Result<Vec<Cleared>, SessionError> {
    check_not_moved(root)?;
    history::clear_leftovers(root, source, what, control).map_err(|error| start(root, error))
}

pub(crate) fn start(root: &Root, error: StartError) -> SessionError {
    // A run writes to several roots, and knows in which of them something stands in its way.
    SessionError::Start { root: error.root().unwrap_or(&root.path).to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)] // Elsewhere an open folder cannot be moved away.
    fn nothing_is_done_in_a_folder_that_is_not_at_its_path_any_more() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("r");
        std::fs::create_dir(&path).unwrap();
        let root = open(path.as_path()).unwrap();
        assert!(check_not_moved(&root).is_ok());
        std::fs::rename(&path, tmp.path().join("elsewhere")).unwrap();
        let moved = |result: Result<(), SessionError>| matches!(result, Err(SessionError::Moved { .. }));
        assert!(moved(check_not_moved(&root)));
        std::fs::create_dir(&path).unwrap();
        let control = Control::default();
        assert!(moved(undo(&root, None, &control).map(drop)), "another folder has its name");
        assert!(
            moved(recover(&root, RecoverMode::Keep, &control).map(drop))
                && moved(prune(&root, None).map(drop))
        );
        assert!(moved(clear_leftovers(&root, None, Clearing::Delete, &control).map(drop)));
    }

    #[test]
    fn what_cannot_be_opened_says_why_and_which_one_it_was() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::write(tmp.path().join("f"), "").unwrap();
        let kind = |path: &Path, side| match open_as(&path.into(), side) {
            Err(SessionError::Open { side: told, error }) => {
                assert_eq!(told, side);
                error.kind
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(&tmp.path().join("f"), Some(Side::Left)), ErrorKind::NotAFolder);
        assert_eq!(kind(&tmp.path().join("none"), None), ErrorKind::Os(OsReason::NotFound));
        assert_eq!(kind("//server/share".as_ref(), Some(Side::Right)), ErrorKind::Unc);
    }
}
