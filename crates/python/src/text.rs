//! What the engine says, in whole sentences, and as exceptions.
//!
//! Invariant: a sentence names the item, the reason and what to do; wording that front ends share is `fcs_app`'s.

use std::io;

use fcs_app::hints::{self, FrontEnd};
use fcs_app::user_error::UserError;
use fcs_engine::preflight::Problem;
use fcs_engine::session::SessionError;
use fcs_engine::{Error, ErrorKind};
use fcs_sys::OsReason;
use pyo3::PyErr;
use pyo3::exceptions::{PyFileNotFoundError, PyNotADirectoryError, PyOSError, PyPermissionError};

use crate::EngineError;

/// Who asks, for words.
pub(crate) const WHO: FrontEnd = FrontEnd::Library;

pub(crate) fn problems(problems: &[Problem]) -> String {
    problems.iter().map(|problem| hints::problem_words(problem, WHO)).collect::<Vec<_>>().join(" ")
}

/// What could not begin, and what to do about it.
pub(crate) fn session(error: &SessionError) -> (String, String) {
    let hint = hints::of_session(error, WHO).map(std::borrow::Cow::into_owned).unwrap_or_default();
    (error.to_string(), hint)
}

/// As an exception.
pub(crate) fn refused(error: &SessionError) -> PyErr {
    EngineError::new_err(UserError::session(error, WHO).to_string())
}

/// An error of the engine as an exception: the system's own where there is one.
pub(crate) fn raised(error: &Error) -> PyErr {
    let Some(code) = error.code() else {
        let text = hints::with_hint(error, WHO);
        return match error.kind {
            ErrorKind::NotAFolder => PyNotADirectoryError::new_err(text),
            ErrorKind::Os(OsReason::NotFound) => PyFileNotFoundError::new_err(text),
            ErrorKind::Os(OsReason::PermissionDenied) => PyPermissionError::new_err(text),
            _ => EngineError::new_err(text),
        };
    };
    let text = io::Error::from_raw_os_error(code).to_string();
    let text = text.rsplit_once(" (os error").map_or(&*text, |(text, _)| text).to_owned();
    let path = error.path.clone();
    // `OSError` with a number becomes the class that the number means. Numbers of Windows are its fourth argument.
    if cfg!(windows) {
        PyOSError::new_err((0, text, path, code))
    } else {
        PyOSError::new_err((code, text, path))
    }
}
