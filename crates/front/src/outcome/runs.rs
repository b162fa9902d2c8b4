//! Earlier runs, what recovery and undo did with them, and what stands in the way of a new one, in words.
//!
//! Invariant: every item that could not be put in order is told from those that were.

use fcs_engine::ErrorKind;
use fcs_engine::error::shown;
use fcs_engine::runs::{Account, AccountItem, Deed, RunInfo, RunState, StartError};
use fcs_sys::Root;
use fcs_text::{count, printable, time};
use jiff::tz::TimeZone;

use crate::trouble::{Trouble, TroubleKind};

const CHANGED_SINCE: &str = "changed since, so it stays; what was there before is in the undo store";

/// How a run ended, in words.
pub fn run_result(state: RunState) -> &'static str {
    match state {
        RunState::Unfinished => "not finished",
        RunState::Done => "done",
        RunState::DoneWithFailures => "done, with failures",
        RunState::Cancelled => "stopped early",
        RunState::Recovered => "recovered",
        RunState::PartlyUndone => "partly undone",
        RunState::RolledBack => "undone",
        RunState::Forgotten => "pruned, not all deleted",
        RunState::Unreadable => "journal unreadable",
    }
}

/// One run in one line, with the name that commands take: `6921c0a3f2: copy from /a, begun …`.
pub fn describe_run(run: &RunInfo) -> String {
    format!("{}: {}", printable(&run.run), run_in_words(run))
}

/// One run in one line: `copy from /a, begun 2026-11-22 10:00:00, 12 items`.
pub fn run_in_words(run: &RunInfo) -> String {
    format!(
        "{} from {}, begun {}, {}",
        printable(&run.command),
        printable(&run.source),
        time(run.started, &TimeZone::system(), 0),
        items_in_words(run)
    )
}

/// `12 items, 3 folders`; a run can have set times of folders alone.
fn items_in_words(run: &RunInfo) -> String {
    let items = count(run.items, "item", "items");
    let folders = count(run.folders, "new folder", "new folders");
    match (run.items, run.folders) {
        (0, 0) if run.undoable => "times of folders".to_owned(),
        (_, 0) => items,
        (0, _) => folders,
        _ => format!("{items}, {folders}"),
    }
}

/// What is unfinished on a folder, each run on a line of its own.
pub fn unfinished_in_words(root: &Root, found: &[RunInfo]) -> String {
    let lines: Vec<String> = found.iter().map(|run| format!("  {}", describe_run(run))).collect();
    format!("A run on {} was interrupted and is not finished:\n{}", shown(&root.path), lines.join("\n"))
}

/// Runs of whose journal nothing can be read, in words.
pub fn unreadable_in_words(root: &Root, found: &[RunInfo]) -> String {
    let runs: Vec<String> = found.iter().map(|run| printable(&run.run).into_owned()).collect();
    format!(
        "The journal of {} on {} cannot be read: {}. It may have left unfinished copies and originals behind.",
        count(found.len() as u64, "run", "runs"),
        shown(&root.path),
        runs.join(", ")
    )
}

/// Why a run, a recovery or an undo could not begin.
pub fn start_trouble(error: &StartError, root: &Root) -> Trouble {
    match error {
        StartError::Locked { .. } => Trouble::new(TroubleKind::Locked, error),
        StartError::Unfinished(found) => {
            Trouble::new(TroubleKind::RecoveryNeeded, unfinished_in_words(root, found))
        }
        StartError::OtherVersion { .. } => Trouble::new(TroubleKind::RecoveryNeeded, error),
        StartError::NoSuchRun(_) | StartError::NothingToUndo => Trouble::usage(error),
        StartError::Failed(_) => Trouble::new(TroubleKind::Failed, error),
    }
}

/// Whether an item is not as it should be.
pub fn is_trouble(item: &AccountItem) -> bool {
    matches!(item.deed, Deed::Foreign | Deed::Left)
}

/// `+` for what is new, `*` for what was changed, `-` for what is gone, `<` for what is back, `=` for what stayed, `!`
/// for what is not as it should be.
pub fn deed_sign(item: &AccountItem) -> char {
    match item.deed {
        Deed::KeptNew => '+',
        Deed::KeptOld => '=',
        Deed::KeptRemoved | Deed::TakenAway | Deed::RemovedFolder => '-',
        Deed::FinishedFolder => '*',
        Deed::BroughtBack | Deed::NameBack | Deed::DatesBack => '<',
        Deed::Foreign | Deed::Left => '!',
    }
}

/// What became of one item.
pub fn deed_words(item: &AccountItem) -> &'static str {
    match item.deed {
        Deed::KeptNew => "the new item is in place and stays",
        Deed::KeptOld => "as it was before; the unfinished copy is gone",
        Deed::KeptRemoved => "stays removed",
        Deed::FinishedFolder => "given its permissions and times",
        Deed::BroughtBack => "the original is back",
        Deed::NameBack => "it has its old name again",
        Deed::DatesBack => "it has its old dates again",
        Deed::TakenAway => "taken away; nothing was there before",
        Deed::RemovedFolder => "the folder is removed; it was not there before",
        Deed::Foreign => CHANGED_SINCE,
        Deed::Left if item.error.as_ref().is_some_and(|e| e.kind == ErrorKind::ChangedSince) => CHANGED_SINCE,
        Deed::Left => "could not be restored",
    }
}

/// What was done in all: `3 items; everything is as it was before the run`.
pub fn account_in_words(account: &Account) -> String {
    let trouble = account.items.iter().filter(|item| is_trouble(item)).count() as u64;
    let done = count(account.items.len() as u64 - trouble, "item", "items");
    let rest = if trouble == 0 {
        String::new()
    } else {
        format!(", {} left as listed", count(trouble, "item", "items"))
    };
    let now = match account.state {
        RunState::Recovered => "what was done stays",
        RunState::RolledBack => "everything is as it was before the run",
        RunState::PartlyUndone => "the rest is as it was before the run",
        RunState::Unfinished => "the run is still not finished",
        _ => "done",
    };
    format!("{done}{rest}; {now}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_of_a_run_has_a_kind_of_its_own() {
        let tmp = tempfile::tempdir().unwrap();
        let root = fcs_sys::open_root(tmp.path()).unwrap();
        let kind = |error| start_trouble(&error, &root).kind;
        assert_eq!(kind(StartError::Locked { holder: "fcs".to_owned() }), TroubleKind::Locked);
        assert_eq!(kind(StartError::NothingToUndo), TroubleKind::Usage);
        let unfinished = start_trouble(&StartError::Unfinished(Vec::new()), &root);
        assert_eq!(unfinished.kind, TroubleKind::RecoveryNeeded);
        assert!(unfinished.message.contains("was interrupted and is not finished"));
    }
}
