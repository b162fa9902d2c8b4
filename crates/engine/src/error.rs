//! What can go wrong with one item, in words a user can act on.
//!
//! Every message has the same form: `Could not <op> <path>: <reason>.` Then the state of the target, if there is one,
//! then what to do. Errors are typed; the system's own error code is kept.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_sys::{Dir, OsReason, Protection, escaped};
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Opening an item.
    Open,
    /// Listing a folder.
    List,
    /// Asking for an item's metadata.
    Examine,
    /// Reading content.
    Read,
    /// Comparing the content of two files.
    Compare,
    /// Making a file, folder or link that was not there.
    Create,
    /// Filling the staged file.
    Copy,
    /// Replacing an existing item.
    Replace,
    /// Re-reading what was written.
    Verify,
    /// Making writes durable.
    Sync,
    /// Setting times, permissions or attributes.
    SetMetadata,
    /// Removing one of our own staged files.
    CleanUp,
    /// Deleting what a run keeps for undo.
    Prune,
    /// Asking about a volume.
    AskVolume,
    /// Removing an item of the user.
    Remove,
    /// Bringing an original back.
    Restore,
    /// Keeping the journal of a run.
    KeepJournal,
    /// Reading the journal of a run.
    ReadJournal,
    /// Compiling a wildcard.
    UsePattern,
    /// Making, replacing or removing something in a folder.
    Change,
    /// Giving an item another spelling of its name.
    Rename,
}

impl Op {
    fn words(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Examine => "examine",
            Self::Read => "read",
            Self::Compare => "compare",
            Self::Create => "create",
            Self::Copy => "copy",
            Self::Replace => "replace",
            Self::Verify => "verify",
            Self::Sync => "make durable",
            Self::SetMetadata => "set the times and attributes of",
            Self::CleanUp => "remove the unfinished copy",
            Self::Prune => "delete what is kept for undo at",
            Self::AskVolume => "ask about the volume of",
            Self::Remove => "remove",
            Self::Restore => "bring back",
            Self::KeepJournal => "keep the journal of a run in",
            Self::ReadJournal => "read the journal of a run in",
            Self::UsePattern => "use the pattern",
            Self::Change => "change what is in",
            Self::Rename => "rename",
        }
    }
}

/// Why it went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// The folder belongs to both sides: one lies in the other, or is mounted in it.
    Overlap,
    /// The side that was compared with has it now, so it is not superfluous.
    SourceHasIt,
}

/// What is at the target's name after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    pub fn shown_path(&self) -> String {
        shown(&self.path)
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
            ErrorKind::ParentFailed => "its folder could not be made or opened".into(),
            ErrorKind::Unc => "network paths such as \\\\server\\share are not accepted".into(),
            ErrorKind::NotAFolder => "it is not a folder".into(),
            ErrorKind::TooManyItems => "it holds more items than the limit max_items allows".into(),
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
            ErrorKind::BadJournal => "it is damaged, or of a newer version of this program".into(),
            ErrorKind::Served => "the program or server that provides this volume reported an error".into(),
            ErrorKind::EndsEarly => "it ends before the size that its file system states".into(),
            ErrorKind::Defect => "a part of this program failed while it was at work on it".into(),
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
            OsReason::IsALink => "a symbolic link stands in its place, and links are never followed",
            OsReason::Stale => "the server no longer knows the file",
            OsReason::Network => "the network or the server did not answer",
            OsReason::DeviceError => "the device reported an error",
            OsReason::OtherVolume => "it lies on another volume",
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

    fn advice(&self) -> &'static str {
        match self.kind {
            ErrorKind::SourceStale | ErrorKind::TargetStale => "Compare again, then copy.",
            ErrorKind::ChangedMeanwhile | ErrorKind::SourceHasIt => "Compare again.",
            ErrorKind::Placeholder => "Make it available offline first, or set read_placeholders.",
            ErrorKind::SourceUnsteady => "Close the program that writes to it and run again.",
            ErrorKind::Mismatch { .. } => {
                "Do not trust this disk, cable or memory until you have tested it; then run again."
            }
            ErrorKind::TargetReadOnly => {
                "Clear the attribute, or set read_only_targets to replace, if it should be replaced."
            }
            ErrorKind::Protected(Protection::Immutable) => {
                "Nobody may change it until an administrator clears that flag (chattr -i)."
            }
            ErrorKind::Protected(Protection::AppendOnly) => {
                "Nobody may replace or remove it until an administrator clears that flag (chattr -a)."
            }
            ErrorKind::KindClash => "Move or rename one of the two.",
            ErrorKind::ParentFailed => "See the message about the folder.",
            ErrorKind::Unc => "Map a drive letter to the share (net use Z: \\\\server\\share) and use that.",
            ErrorKind::NotAFolder => "Give a folder.",
            ErrorKind::TooManyItems => "Choose a smaller folder or raise the setting max_items.",
            ErrorKind::BadPattern => "Wildcards are *, ?, [abc], {a,b} and ** for any depth.",
            ErrorKind::StagedLost => "Run again.",
            ErrorKind::ChangedSince => {
                "Move it away and undo again before the next run, or leave it as it is."
            }
            ErrorKind::OriginalLost => "Look for it in a backup.",
            ErrorKind::InRecycleBin => "Restore it from there.",
            ErrorKind::NoRecycleBin => "Remove it to the undo store instead.",
            ErrorKind::ListedNotFound => {
                "Check that file system; until then it counts as present, and its copy is kept."
            }
            ErrorKind::Vanished => "Compare again when nothing changes there.",
            ErrorKind::Overlap => "Choose other folders, or leave it out.",
            ErrorKind::BadJournal => "Look into the folder .fcs before you delete it: it may hold originals.",
            ErrorKind::EndsEarly => {
                "If the system makes up its content, as below /sys, leave it out; else check its file system."
            }
            ErrorKind::Defect => "Recover the run before you go on, and report this with the log of the run.",
            ErrorKind::Served => "Look at what that one says, and at its connection or disk; then run again.",
            ErrorKind::Os(reason) => match reason {
                OsReason::NotFound => "Check the spelling, or compare again if it was there a moment ago.",
                OsReason::AlreadyExists => "Compare again, then copy.",
                OsReason::PermissionDenied => "Change its permissions, or run as a user who may do this.",
                OsReason::ReadOnlyVolume => "Make the volume writable.",
                OsReason::NoSpace | OsReason::QuotaExceeded => "Free some room and run again.",
                OsReason::FileTooLarge => "Use a target volume whose file system can hold it.",
                OsReason::NameTooLong | OsReason::InvalidName => {
                    "Rename it on the source, or use another target."
                }
                OsReason::InUse => "Close that program and run again.",
                OsReason::IsALink => "Check who put a link there, then compare again.",
                OsReason::Stale | OsReason::Network => "Check the connection and run again.",
                OsReason::DeviceError => "Check the device; copy what you can from it soon.",
                OsReason::Exhausted => "Close other programs, or use fewer workers (setting copy_workers).",
                _ => "Run again; if it stays, report it with the code above.",
            },
        }
    }
}

/// What a protected item is.
pub(crate) fn protected_words(protection: Protection) -> &'static str {
    match protection {
        Protection::Immutable => "immutable (chattr +i)",
        Protection::AppendOnly => "append-only (chattr +a)",
    }
}

/// A path as text that is safe to print.
pub fn shown(path: &Path) -> String {
    escaped(path.as_os_str().as_encoded_bytes()).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Could not {} {}: {}", self.op.words(), self.shown_path(), self.reason())?;
        if let Some(code) = self.code() {
            write!(f, " (code {code})")?;
        }
        f.write_str(".")?;
        match self.target {
            Some(TargetState::Original) => f.write_str(" The original is unchanged.")?,
            Some(TargetState::New) => f.write_str(" The new file is in place.")?,
            Some(TargetState::Absent) => f.write_str(" Nothing was left at the target.")?,
            Some(TargetState::Unknown) => f.write_str(" The state of the target is not known.")?,
            None => {}
        }
        write!(f, " {}", self.advice())
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
        s.serialize_field("path", &self.shown_path())?;
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
    fn a_message_says_what_why_state_and_what_to_do() {
        let full = if cfg!(windows) { 112 } else { 28 };
        let error = Error::os(Op::Replace, "/d/a\nb", io::Error::from_raw_os_error(full))
            .with_target(TargetState::Original);
        assert_eq!(
            error.to_string(),
            format!(
                "Could not replace /d/a\\nb: the volume is full (code {full}). The original is unchanged. Free some \
                 room and run again."
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
             original is unchanged. Close that program and run again."
        );
    }
}
