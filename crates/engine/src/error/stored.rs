//! A failure or a note as it is stored beside what it concerns. A report has a form of its own, which people read.
//!
//! Invariant: what is read back has the same message as what was stored, on the same system. The code of another system
//! means nothing here, so only its words are kept.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind, Note, Op, Remedy, TargetState};
use crate::Settings;

/// An [`Error`] as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRecord {
    op: Op,
    #[serde(with = "fcs_sys::exact_path")]
    path: PathBuf,
    kind: ErrorKind,
    target: Option<TargetState>,
    source: Option<Source>,
    holders: Vec<String>,
}

/// What the system said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    /// Which system.
    system: String,
    code: Option<i32>,
    words: String,
}

/// A [`Note`] as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRecord {
    text: String,
    /// The setting that decides it; other remedies are for failures.
    setting: Option<String>,
}

impl From<&Note> for NoteRecord {
    fn from(note: &Note) -> Self {
        let setting = match note.remedy {
            Some(Remedy::Setting(name)) => Some(name.to_owned()),
            _ => None,
        };
        Self { text: note.text.clone(), setting }
    }
}

impl From<NoteRecord> for Note {
    fn from(stored: NoteRecord) -> Self {
        // A setting that this version does not have decides nothing here.
        let known =
            |name: String| Settings::table().into_iter().map(|info| info.name).find(|known| *known == name);
        Self { text: stored.text, remedy: stored.setting.and_then(known).map(Remedy::Setting) }
    }
}

impl From<&Error> for ErrorRecord {
    fn from(error: &Error) -> Self {
        let source = error.source.as_ref().map(|source| Source {
            system: std::env::consts::OS.to_owned(),
            code: source.raw_os_error(),
            words: source.to_string(),
        });
        Self {
            op: error.op,
            path: error.path.clone(),
            kind: error.kind,
            target: error.target,
            source,
            holders: error.holders.clone(),
        }
    }
}

impl From<ErrorRecord> for Error {
    fn from(stored: ErrorRecord) -> Self {
        let said = |source: Source| match source.code {
            Some(code) if source.system == std::env::consts::OS => io::Error::from_raw_os_error(code),
            _ => io::Error::other(source.words),
        };
        Self {
            op: stored.op,
            path: stored.path,
            kind: stored.kind,
            target: stored.target,
            source: stored.source.map(said).map(Arc::new),
            holders: stored.holders,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_back_with_its_message() {
        let held = io::Error::from(io::ErrorKind::ResourceBusy);
        let mut in_use = Error::os(Op::Replace, "/d/a\nb", held).with_target(TargetState::Original);
        in_use.holders = vec!["a program".into()];
        for error in [
            in_use,
            Error::os(Op::List, "/d", io::Error::from_raw_os_error(13)),
            Error::os(Op::Read, "/d", io::Error::other("words of its own")),
            Error::new(Op::Verify, "/d", ErrorKind::Mismatch { offset: Some(7) }),
        ] {
            let stored = ErrorRecord::from(&error);
            let binary: ErrorRecord = postcard::from_bytes(&postcard::to_stdvec(&stored).unwrap()).unwrap();
            let text: ErrorRecord = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
            assert_eq!((&binary, &text), (&stored, &stored));
            let again = Error::from(binary);
            assert_eq!((again.to_string(), again.code()), (error.to_string(), error.code()));
        }
    }

    #[test]
    fn a_code_of_another_system_is_not_taken_for_one_of_this() {
        let mut stored = ErrorRecord::from(&Error::os(Op::Read, "/d", io::Error::from_raw_os_error(5)));
        stored.source.as_mut().unwrap().system = "another".into();
        let error = Error::from(stored.clone());
        assert_eq!(error.code(), None);
        assert_eq!(error.source.unwrap().to_string(), stored.source.unwrap().words);
    }
}
