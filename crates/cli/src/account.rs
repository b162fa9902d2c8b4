//! What recovery and undo did, in words.
//!
//! Invariant: every item that was touched, and every one that could not be put in order, has a line.

use fcs_engine::ErrorKind;
use fcs_engine::runs::{Account, AccountItem, Deed, RunState};

use crate::terminal::{Screen, Style, Tone};
use crate::text::count;

const CHANGED_SINCE: &str = "changed since, so it stays; what was there before is in the undo store";

/// Prints what was done, item by item, and a last line that sums it up.
pub(crate) fn print(account: &Account, what: &str, screen: &Screen) {
    for item in &account.items {
        if is_trouble(item) || !screen.show.quiet {
            let line = line(item, screen.style);
            screen.line(&line);
        }
    }
    for error in account.items.iter().filter_map(|item| item.error.as_ref()) {
        screen.say(&error.to_string());
    }
    if !screen.show.quiet {
        screen.line(&screen.style.paint(Tone::Strong, summary(account, what)));
    }
}

/// Whether an item is not as it should be.
pub(crate) fn is_trouble(item: &AccountItem) -> bool {
    matches!(item.deed, Deed::Foreign | Deed::Left)
}

fn line(item: &AccountItem, style: Style) -> String {
    let (sign, tone, words) = match item.deed {
        Deed::KeptNew => ('+', Tone::Good, "the new item is in place and stays"),
        Deed::KeptOld => ('=', Tone::Dim, "as it was before; the unfinished copy is gone"),
        Deed::KeptRemoved => ('-', Tone::Changed, "stays removed"),
        Deed::FinishedFolder => ('*', Tone::Changed, "given its permissions and times"),
        Deed::BroughtBack => ('<', Tone::Changed, "the original is back"),
        Deed::TakenAway => ('-', Tone::Changed, "taken away; nothing was there before"),
        Deed::RemovedFolder => ('-', Tone::Changed, "the folder is removed; it was not there before"),
        Deed::Foreign => ('!', Tone::Bad, CHANGED_SINCE),
        Deed::Left if item.error.as_ref().is_some_and(|e| e.kind == ErrorKind::ChangedSince) => {
            ('!', Tone::Bad, CHANGED_SINCE)
        }
        Deed::Left => ('!', Tone::Bad, "could not be put in order"),
    };
    let path = if item.path.is_root() { ".".to_owned() } else { item.path.to_string() };
    format!("{}  {}", style.paint(tone, format!("{sign} {path}")), style.paint(Tone::Dim, words))
}

fn summary(account: &Account, what: &str) -> String {
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
    format!("{what} run {}: {done}{rest}; {now}.", account.run)
}
