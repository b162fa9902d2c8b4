//! What operations are called: in journals, reports, recoveries and errors.
//!
//! Invariants: names alone: what an operation does is in its own file, and what is said of it to people in a front end. The
//! order of the variants of [`StepKind`] is the format of journals, that of [`Op`] the format of stored errors: new ones go
//! at the end.

use serde::{Deserialize, Serialize};

/// What a step does with its name: the operations of `ops/` that have steps of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StepKind {
    /// A file or link is put there.
    Put,
    /// The item is removed.
    Remove,
    /// Its dates, permissions or attributes are set.
    SetMetadata,
    /// The item gets another spelling of its name, as bytes.
    Respell {
        /// The spelling.
        to: Vec<u8>,
    },
    /// The item moves to another path.
    Move {
        /// Path below the root, as bytes.
        to: Vec<u8>,
    },
}

/// What kind of step an item was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// A folder was made.
    CreateFolder,
    /// Times of an existing folder were set.
    FolderTimes,
    /// Dates of a file with equal content were set.
    FileTimes,
    /// An item was given another spelling of its name.
    Rename,
    /// An item was moved to another path.
    Move,
    /// Permissions, attributes or dates of an item were set.
    SetMetadata,
    /// A file was copied to a free name.
    CopyNew,
    /// A file was copied over an existing one.
    Replace,
    /// A symbolic link was made or replaced.
    CopyLink,
    /// A file or link was removed.
    Remove,
    /// A folder was removed, after everything in it.
    RemoveFolder,
    /// Nothing is done with the item; the outcome says why.
    None,
}

/// What a change of one item is called, where such changes are counted: see [`super::ChangeCounts`].
pub(crate) struct ChangeNames {
    pub(crate) action: ActionKind,
    /// In the totals of a plan.
    pub(crate) planned: &'static str,
    /// In the counts of a report.
    pub(crate) done: &'static str,
}

/// Every change of one item that a plan lists by itself, in the order in which counts have them.
pub(crate) const CHANGES: &[ChangeNames] = &[
    ChangeNames { action: ActionKind::Move, planned: "moved", done: "moved" },
    ChangeNames { action: ActionKind::SetMetadata, planned: "metadata", done: "metadata_set" },
];

/// What was done with one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryAction {
    /// The new item was already in place and stays.
    KeptNew,
    /// The item was not reached; what was there before is there, and the unfinished copy is gone.
    KeptOld,
    /// The removal had been done and stays done.
    KeptRemoved,
    /// A folder that the run created got its permissions and times.
    FinishedFolder,
    /// The original was restored.
    Restored,
    /// The old name of the item was restored.
    NameRestored,
    /// The item is where it was before it was moved.
    MovedBack,
    /// The old dates of the file were restored.
    DatesRestored,
    /// The old permissions, attributes or dates of the item were restored.
    MetadataRestored,
    /// The new item was removed; nothing was there before.
    Removed,
    /// A folder the run had made was removed.
    RemovedFolder,
    /// Another program put something at the name since, which stays; the original is in the undo store.
    Foreign,
    /// It could not be recovered; the error says why and what is there.
    Left,
}

impl RecoveryAction {
    /// Whether the item is there again as it was before the run.
    pub(crate) fn brings_back(self) -> bool {
        matches!(self, Self::Restored | Self::DatesRestored | Self::MetadataRestored | Self::MovedBack)
    }
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Restoring an original.
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
    /// Moving an item to another folder.
    Move,
}

impl Op {
    pub(crate) fn words(self) -> &'static str {
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
            Self::Sync => "sync",
            Self::SetMetadata => "set the times and attributes of",
            Self::CleanUp => "discard the unfinished copy",
            Self::Prune => "delete what is kept for undo at",
            Self::AskVolume => "query the volume of",
            Self::Remove => "remove",
            Self::Restore => "restore",
            Self::KeepJournal => "keep the journal of a run in",
            Self::ReadJournal => "read the journal of a run in",
            Self::UsePattern => "use the pattern",
            Self::Change => "change what is in",
            Self::Rename => "rename",
            Self::Move => "move",
        }
    }
}
