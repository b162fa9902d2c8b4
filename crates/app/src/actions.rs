//! Each action in words: as it is planned, done, counted, recovered and undone.
//!
//! Invariants: what is said of one action by itself is said here, and every match names all of them, so that a new one does
//! not compile before it has its words. Sentences about several together are their callers'.

use fcs_engine::ErrorKind;
use fcs_engine::history::{RecoveryAction, RecoveryItem};
use fcs_engine::report::{ActionKind, ChangeCounts};
use fcs_text::size;

const CHANGED_SINCE: &str =
    "changed after the run, so it stays; its original, if it had one, is in the undo store";

/// Words for items of which one thing is changed, and which are counted by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// One and several of a plan.
    pub planned: [&'static str; 2],
    /// What a fact about them is called.
    pub fact: &'static str,
    /// One and several of a run.
    pub done: [&'static str; 2],
    /// What they were, after their number.
    pub became: &'static str,
}

/// How an action is counted by itself; `None` for those that are counted together with others.
pub fn counted(action: ActionKind) -> Option<Counted> {
    Some(match action {
        ActionKind::Rename => Counted {
            planned: ["name respelled", "names respelled"],
            fact: "renamed",
            done: ["item to the source's spelling", "items to the source's spelling"],
            became: "renamed",
        },
        ActionKind::Move => Counted {
            planned: ["item moved", "items moved"],
            fact: "moved",
            done: ["item to another path", "items to another path"],
            became: "moved",
        },
        ActionKind::SetMetadata => Counted {
            planned: ["item (permissions or times only)", "items (permissions or times only)"],
            fact: "metadata",
            done: ["item given other permissions or times", "items given other permissions or times"],
            became: "given their permissions or times",
        },
        ActionKind::CreateFolder
        | ActionKind::FolderTimes
        | ActionKind::FileTimes
        | ActionKind::CopyNew
        | ActionKind::Replace
        | ActionKind::CopyLink
        | ActionKind::Remove
        | ActionKind::RemoveFolder
        | ActionKind::None => return None,
    })
}

/// The changes of single items that there are, each with its words.
pub fn changes(counts: &ChangeCounts) -> impl Iterator<Item = (u64, Counted)> + use<> {
    counts.iter().filter_map(|(action, n)| Some((n, counted(action)?)))
}

/// The sign of what was done: `+` for what is new, `*` for what was changed, `-` for what was removed.
pub fn sign(action: ActionKind) -> char {
    match action {
        ActionKind::Replace
        | ActionKind::Rename
        | ActionKind::Move
        | ActionKind::SetMetadata
        | ActionKind::FileTimes
        | ActionKind::FolderTimes => '*',
        ActionKind::Remove | ActionKind::RemoveFolder => '-',
        ActionKind::CreateFolder | ActionKind::CopyNew | ActionKind::CopyLink | ActionKind::None => '+',
    }
}

/// Whether the item stays the one that it is.
pub fn keeps_item(action: ActionKind) -> bool {
    sign(action) == '*' && action != ActionKind::Replace
}

/// `/` after the names of folders.
pub fn slash(action: ActionKind) -> &'static str {
    if matches!(action, ActionKind::CreateFolder | ActionKind::FolderTimes | ActionKind::RemoveFolder) {
        "/"
    } else {
        ""
    }
}

/// What is planned for one item: a file's size, `link`, `times only`, or what it is called or where it is afterwards;
/// empty for folders.
pub fn planned(action: ActionKind, bytes: u64, to: Option<&str>) -> String {
    match action {
        ActionKind::CreateFolder | ActionKind::RemoveFolder | ActionKind::None => String::new(),
        ActionKind::FileTimes | ActionKind::FolderTimes => "times only".to_owned(),
        ActionKind::SetMetadata => "permissions or times only".to_owned(),
        ActionKind::Rename => format!("renamed to {}", to.unwrap_or("the source's spelling")),
        ActionKind::Move => format!("moved to {}", to.unwrap_or("another path")),
        ActionKind::CopyLink => "link".to_owned(),
        ActionKind::CopyNew | ActionKind::Replace | ActionKind::Remove => size(bytes),
    }
}

/// `+` for what is new, `*` for what was changed, `-` for what is gone, `<` for what is back, `=` for what stayed, `!`
/// for what is not as it should be.
pub fn recovery_sign(item: &RecoveryItem) -> char {
    match item.action {
        RecoveryAction::KeptNew => '+',
        RecoveryAction::KeptOld => '=',
        RecoveryAction::KeptRemoved | RecoveryAction::Removed | RecoveryAction::RemovedFolder => '-',
        RecoveryAction::FinishedFolder => '*',
        RecoveryAction::Restored
        | RecoveryAction::NameRestored
        | RecoveryAction::DatesRestored
        | RecoveryAction::MetadataRestored
        | RecoveryAction::MovedBack => '<',
        RecoveryAction::Foreign | RecoveryAction::Left => '!',
    }
}

/// What a recovery or an undo made of one item.
pub fn recovery_words(item: &RecoveryItem) -> &'static str {
    match item.action {
        RecoveryAction::KeptNew => "the new item stays",
        RecoveryAction::KeptOld => "as it was before; the unfinished copy is discarded",
        RecoveryAction::KeptRemoved => "stays removed",
        RecoveryAction::FinishedFolder => "its permissions and times are set",
        RecoveryAction::Restored => "the original is restored",
        RecoveryAction::NameRestored => "its old name is restored",
        RecoveryAction::DatesRestored => "its old dates are restored",
        RecoveryAction::MetadataRestored => "its old permissions and dates are restored",
        RecoveryAction::MovedBack => "moved back to where it was",
        RecoveryAction::Removed => "removed; nothing was there before",
        RecoveryAction::RemovedFolder => "the folder is removed; nothing was there before",
        RecoveryAction::Foreign => CHANGED_SINCE,
        RecoveryAction::Left if item.error.as_ref().is_some_and(|e| e.kind == ErrorKind::ChangedSince) => {
            CHANGED_SINCE
        }
        RecoveryAction::Left => "could not be restored",
    }
}
