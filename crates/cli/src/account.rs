//! What recovery and undo did, on the screen.
//!
//! Invariant: every item that was touched, and every one that could not be put in order, has a line.

use fcs_engine::runs::{Account, AccountItem};
use fcs_front::outcome::{account_in_words, deed_sign, deed_words, is_trouble};

use crate::terminal::{Screen, Style, Tone};

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
        let summary = format!("{what} run {}: {}.", account.run, account_in_words(account));
        screen.line(&screen.style.paint(Tone::Strong, summary));
    }
}

fn line(item: &AccountItem, style: Style) -> String {
    let sign = deed_sign(item);
    let tone = match sign {
        '+' => Tone::Good,
        '=' => Tone::Dim,
        '!' => Tone::Bad,
        _ => Tone::Changed,
    };
    let path = if item.path.is_root() { ".".to_owned() } else { item.path.to_string() };
    let words = deed_words(item);
    format!("{}  {}", style.paint(tone, format!("{sign} {path}")), style.paint(Tone::Dim, words))
}
