//! What can go wrong with one item: facts.
//!
//! Every message has the same form: `Could not <op> <path>: <reason>.` Then the state of the target, if there is one.
//! Errors are typed; the system's own error code is kept. What to do about it depends on who asks, and is for a front end
//! to say: a command line names an option, a window one of its buttons. Where the engine knows of a choice that makes the
//! difference, it says which one, as a [`Remedy`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_sys::{Dir, OsReason, Protection, escaped};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

mod stored;

pub use crate::ops::vocabulary::Op;
pub use stored::{ErrorRecord, NoteRecord};

/// Why it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The system refused, for this reason.
    Os(OsReason),
    /// The source is not what the comparison saw.
    SourceStale,
    /// It changed between the scan and the reading of its content, or during that reading.
    ChangedMeanwhile,
    /// Reading its content would fetch it from elsewhere (cloud placeholder).
    Placeholder,
    /// The target is not what the comparison saw.
    TargetStale,
    /// The source kept changing while it was read.
    SourceUnsteady,
    /// The bytes on the target's device are not the bytes of the source; the first difference is at this offset, in
    /// bytes, where known.
    Mismatch {
        /// Offset of the first differing byte; `None` when hashes were compared.
        offset: Option<u64>,
    },
    /// The target file has the read-only attribute (Windows).
    TargetReadOnly,
    /// A flag keeps everybody from changing it.
    Protected(Protection),
    /// A folder stands where a file should go, or the other way round.
    KindClash,
    /// A parent folder could not be made or opened, so nothing below it could be copied.
    ParentFailed,
    /// The network path has no drive letter.
    Unc,
    /// The path is not a folder.
    NotAFolder,
    /// The scan holds more items than the limit allows.
    TooManyItems,
    /// A pattern is not a valid wildcard.
    BadPattern,
    /// The file on the target is not the one that was staged: somebody renamed or replaced it.
    StagedLost,
    /// The item is not what the run left there.
    ChangedSince,
    /// The original is not where it was kept.
    OriginalLost,
    /// The original went into the recycle bin.
    InRecycleBin,
    /// The volume has no recycle bin.
    NoRecycleBin,
    /// A part of a journal makes no sense.
    BadJournal,
    /// The program or server that provides the volume reported an input/output error. What it means only that one
    /// knows: it need not be a device, and not even trouble.
    Served,
    /// Reading it ended before the size that its file system states, and nobody changed it.
    EndsEarly,
    /// A part of this program ended in a panic while it worked on the item.
    Defect,
    /// The folder lists it, and a look-up does not find it.
    ListedNotFound,
    /// It was there when the folder was listed, and not a moment later.
    Vanished,
    /// The folder belongs to both sides: one is in the other, or is mounted in it.
    Overlap,
    /// The side that was compared with has it now, so it is not superfluous.
    SourceHasIt,
    /// With the permissions that it was to get, this user could not open it again to take them back.
    LocksOut,
    /// Another item that its name is handed on to, or whose name it gets, could not be moved.
    ChainFailed,
}

/// What is at the target's name after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// What was there before, untouched.
    Original,
    /// The new, verified file.
    New,
    /// Nothing, as before.
    Absent,
    /// It could not be found out.
    Unknown,
    /// The item that was moved there, as it was.
    Moved,
}

/// A choice that makes the difference the next time, where there is one. A fact, for front ends to put into their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "what", rename_all = "kebab-case")]
pub enum Remedy {
    /// Another value of the setting of this name in [`crate::Settings::table`].
    Setting(&'static str),
    /// An administrator clears the flag that keeps everybody from changing an item.
    ClearFlag(Protection),
    /// The owner of a folder lets the group of this user work in it.
    ShareFolder,
}

/// Something worth knowing that is no failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The fact.
    pub text: String,
    /// The choice that decides it, where there is one.
    pub remedy: Option<Remedy>,
}

impl Note {
    /// A fact that the setting of this name in [`crate::Settings::table`] decides.
    pub(crate) fn of_setting(name: &'static str, text: String) -> Self {
        Self { text, remedy: Some(Remedy::Setting(name)) }
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self { text, remedy: None }
    }
}

impl std::ops::Deref for Note {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// In data a note is its text; what to do is for front ends to say.
impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// One failure.
#[derive(Debug, Clone)]
pub struct Error {
    /// What was being done.
    pub op: Op,
    /// To what; absolute.
    pub path: PathBuf,
    /// Why it failed.
    pub kind: ErrorKind,
    /// What is at the target's name now; `None` where no target is concerned.
    pub target: Option<TargetState>,
    /// The system's own error.
    pub source: Option<Arc<io::Error>>,
    /// The programs that had the item open when it failed, where the system tells.
    pub holders: Vec<String>,
}

/// Shorthand.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the system.
    pub fn os(op: Op, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let (path, why) = (path.into(), fcs_sys::reason(&source));
        let kind = ErrorKind::Os(why);
        Self { op, path, kind, target: None, source: Some(Arc::new(source)), holders: Vec::new() }
    }

    /// An error of our own finding.
    pub fn new(op: Op, path: impl Into<PathBuf>, kind: ErrorKind) -> Self {
        Self { op, path: path.into(), kind, target: None, source: None, holders: Vec::new() }
    }

    /// The same error, when it concerns a volume of which `served` says whether a program or server provides it: an
    /// input/output error is then no word of a device.
    #[must_use]
    pub(crate) fn on_volume(mut self, served: bool) -> Self {
        if served && self.kind == ErrorKind::Os(OsReason::DeviceError) {
            self.kind = ErrorKind::Served;
        }
        self
    }

    /// The same error with the programs that have its item open, where that is why it failed. Asked by who has the
    /// folder at hand, and soon: a moment later the program may have closed it.
    #[must_use]
    pub(crate) fn ask_holders(mut self, of: &dyn Dir) -> Self {
        if self.kind == ErrorKind::Os(OsReason::InUse) && self.holders.is_empty() {
            self.holders = of.holders(&self.path);
        }
        self
    }

    /// The same error, saying what is at the target's name now.
    #[must_use]
    pub fn with_target(mut self, state: TargetState) -> Self {
        self.target = Some(state);
        self
    }

    /// The system's error code, where there is one.
    pub fn code(&self) -> Option<i32> {
        self.source.as_ref().and_then(|e| e.raw_os_error())
    }

    /// The path as safe text.
    pub fn display_path_of(&self) -> String {
        display_path(&self.path)
    }

    fn reason(&self) -> String {
        match self.kind {
            ErrorKind::Os(reason) => self.os_words(reason),
            ErrorKind::SourceStale => "it changed after the comparison".into(),
            ErrorKind::ChangedMeanwhile => "it changed while the two sides were being compared".into(),
            ErrorKind::Placeholder => "its content is not on this disk, and reading would fetch it".into(),
            ErrorKind::TargetStale => "the target changed after the comparison".into(),
            ErrorKind::SourceUnsteady => "it kept changing while it was read".into(),
            ErrorKind::Mismatch { offset: Some(at) } => {
                format!("what the target's device holds differs from the source at byte {at}")
            }
            ErrorKind::Mismatch { offset: None } => {
                "what the target's device holds differs from the source".into()
            }
            ErrorKind::TargetReadOnly => "the target file has the read-only attribute".into(),
            ErrorKind::Protected(protection) => format!("it is {}", protected_words(protection)),
            ErrorKind::KindClash => "the target has an item of another kind under that name".into(),
            ErrorKind::ParentFailed => "its folder could not be created or opened".into(),
            ErrorKind::Unc => "network paths such as \\\\server\\share are not accepted".into(),
            ErrorKind::NotAFolder => "it is not a folder".into(),
            ErrorKind::TooManyItems => "it holds more items than the limit allows".into(),
            ErrorKind::BadPattern => "it is not a valid wildcard pattern".into(),
            ErrorKind::StagedLost => "another program moved or replaced the unfinished copy".into(),
            ErrorKind::ChangedSince => "it was changed after the run".into(),
            ErrorKind::OriginalLost => "its original is no longer in the undo store".into(),
            ErrorKind::InRecycleBin => "it was moved to the recycle bin, not to the undo store".into(),
            ErrorKind::NoRecycleBin => "its volume has no recycle bin that could take it".into(),
            ErrorKind::ListedNotFound => "its folder lists it, but it cannot be found there".into(),
            ErrorKind::Vanished => "it disappeared while its folder was being read".into(),
            ErrorKind::Overlap => {
                "it is a folder of the other side too, nested or mounted in two places, so copying would have no end \
                 or remove its own source"
                    .into()
            }
            ErrorKind::SourceHasIt => {
                "the other folder has it now, or is not the folder that was compared".into()
            }
            ErrorKind::LocksOut => {
                "with these permissions you could not open it again, so they could not be undone".into()
            }
            ErrorKind::ChainFailed => "an item that gives its name to it, or gets its name, could not be moved".into(),
            ErrorKind::BadJournal => "it is damaged, or of a newer version of this program".into(),
            ErrorKind::Served => "the program or server that provides this volume reported an error".into(),
            ErrorKind::EndsEarly => "it ends before the size that its file system states".into(),
            ErrorKind::Defect => "a part of this program failed while it worked on the item".into(),
        }
    }

    fn os_words(&self, reason: OsReason) -> String {
        let words = match reason {
            OsReason::NotFound => "it does not exist",
            OsReason::AlreadyExists => "an item of that name appeared in the meantime",
            OsReason::PermissionDenied => "you do not have permission",
            OsReason::ReadOnlyVolume => "the volume is read-only",
            OsReason::NoSpace => "the volume is full",
            OsReason::QuotaExceeded => "your quota on the volume is used up",
            OsReason::FileTooLarge => "the file is larger than the file system allows",
            OsReason::NameTooLong => "the name is too long for the file system",
            OsReason::InvalidName => "the file system does not allow this name",
            OsReason::InUse if !self.holders.is_empty() => {
                return format!("another program has it open: {}", self.holders.join(", "));
            }
            OsReason::InUse => "another program is using it",
            OsReason::NotAFolder => "a folder was expected, but it is something else",
            OsReason::IsAFolder => "a file was expected, but it is a folder",
            OsReason::FolderNotEmpty => "the folder is not empty",
            OsReason::IsALink => "a symbolic link is in its place, and links are never followed",
            OsReason::Stale => "the server no longer knows the file",
            OsReason::Network => "the network or the server did not answer",
            OsReason::DeviceError => "the device reported an error",
            OsReason::OtherVolume => "it is on another volume",
            OsReason::Unsupported => "the file system cannot do this",
            OsReason::Interrupted => "the call was interrupted",
            OsReason::Exhausted => "the system is out of memory or open files",
            OsReason::Other => {
                return match &self.source {
                    Some(e) => format!("the system says: {e}"),
                    None => "the system gave no reason".into(),
                };
            }
        };
        words.into()
    }
}

/// What a protected item is.
pub(crate) fn protected_words(protection: Protection) -> &'static str {
    match protection {
        Protection::Immutable => "immutable",
        Protection::AppendOnly => "append-only",
    }
}

/// A path as text that is safe to print.
pub fn display_path(path: &Path) -> String {
    escaped(path.as_os_str().as_encoded_bytes()).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Could not {} {}: {}", self.op.words(), self.display_path_of(), self.reason())?;
        if let Some(code) = self.code() {
            write!(f, " (code {code})")?;
        }
        f.write_str(match self.target {
            Some(TargetState::Original) => ". The original is unchanged.",
            Some(TargetState::New) => ". The new file is in place.",
            Some(TargetState::Moved) => ". The item has its new name, and its content is what it was.",
            Some(TargetState::Absent) => ". Nothing was left at the target.",
            Some(TargetState::Unknown) => ". The state of the target is not known.",
            None => ".",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut s = serializer.serialize_struct("Error", 6)?;
        s.serialize_field("op", &self.op)?;
        s.serialize_field("path", &self.display_path_of())?;
        s.serialize_field("kind", &self.kind)?;
        s.serialize_field("code", &self.code())?;
        s.serialize_field("target", &self.target)?;
        s.serialize_field("message", &self.to_string())?;
        s.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_why_and_what_is_there_now() {
        let full = if cfg!(windows) { 112 } else { 28 };
        let error = Error::os(Op::Replace, "/d/a\nb", io::Error::from_raw_os_error(full))
            .with_target(TargetState::Original);
        assert_eq!(
            error.to_string(),
            format!(
                "Could not replace /d/a\\nb: the volume is full (code {full}). The original is unchanged."
            )
        );
        assert_eq!(error.code(), Some(full));
    }

    #[test]
    fn who_has_a_file_open_is_said_where_it_is_known() {
        let held = io::Error::from(io::ErrorKind::ResourceBusy);
        let mut error = Error::os(Op::Replace, "/d/a", held).with_target(TargetState::Original);
        assert!(error.holders.is_empty(), "making an error asks nobody");
        error.holders = vec!["Microsoft Excel (process 7)".into(), "x (process 8)".into()];
        assert_eq!(
            error.to_string(),
            "Could not replace /d/a: another program has it open: Microsoft Excel (process 7), x (process 8). The \
             original is unchanged."
        );
    }
}
