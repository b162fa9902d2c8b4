//! What the user wants to see: a line of text, and the chips beside it.
//!
//! The text is a list, separated by `;`. Each entry is a pattern for names or paths (see [`crate::wildcard`]), a size
//! after `<`, `<=`, `>` or `>=` (`>10MB`, `<=4k`; K, M, G, T are powers of 1024, as everywhere in the program), or a day,
//! month or minute, by itself or after one of these signs (`2024-05`, `>2024-01-31`, `<2024-01-31 12:30`). A row matches
//! if any of the patterns does, and one side has an item that meets every size and every date, and the chip of its
//! verdict is on. Dates are dates modified in the user's time zone; `>` a day means after that day. Only files have
//! sizes. An entry that looks like a date is one; `*2024-05*` finds it in names.
//!
//! Invariant: a text that cannot be understood is an error with words and never a filter; so nothing is shown or
//! hidden by a misreading. This module must not know what else is visible, such as the folders above a match.

use fcs_engine::compare::{RowId, Side};
use fcs_engine::settings::parse_bytes;
use fcs_sys::{Kind, Time};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, civil::DateTime};

use crate::bits::Bits;
use crate::chips::{Chip, Chips};
use crate::directed::Merged;
use crate::index::Index;
use crate::wildcard::Pattern;

/// What to show.
#[derive(Debug, Clone)]
pub struct Filter {
    patterns: Vec<Pattern>,
    conditions: Vec<Condition>,
    chips: Chips,
}

impl Default for Filter {
    fn default() -> Self {
        Self { patterns: Vec::new(), conditions: Vec::new(), chips: Chips::ALL }
    }
}

/// A filter text that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{entry}” cannot be used as a filter: {why}.")]
pub struct FilterError {
    /// The entry, as typed.
    pub entry: String,
    /// What is wrong with it: the end of a sentence.
    pub why: &'static str,
}

/// What an item must be; each a range without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Size { from: u64, to: Option<u64> },
    Modified { from: Option<Time>, to: Option<Time> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Filter {
    /// Reads a filter. A text without entries matches everything.
    pub fn new(text: &str, chips: Chips, zone: &TimeZone) -> Result<Self, FilterError> {
        let mut filter = Self { chips, ..Self::default() };
        for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let error = |why| FilterError { entry: entry.to_owned(), why };
            match condition(entry, zone).map_err(error)? {
                Some(condition) => filter.conditions.push(condition),
                None => filter.patterns.push(Pattern::new(entry).map_err(error)?),
            }
        }
        Ok(filter)
    }

    /// Whether every row matches.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.conditions.is_empty() && self.chips == Chips::ALL
    }

    /// The rows that match, by themselves: a folder does not match because something in it does, nor the other way
    /// round.
    pub fn matching(&self, index: &Index) -> Bits {
        self.matching_merged(index, None)
    }

    /// The same, where some rows are shown as one.
    pub(crate) fn matching_merged(&self, index: &Index, merged: Option<&Merged>) -> Bits {
        let rows = index.rows();
        let mut matching = if self.patterns.is_empty() { Bits::all(rows) } else { Bits::none(rows) };
        for pattern in &self.patterns {
            add_matches(pattern, index, &mut matching);
        }
        if self.chips != Chips::ALL {
            let mut on = Bits::none(rows);
            Chip::ALL
                .into_iter()
                .filter(|&chip| self.chips.has(chip))
                .for_each(|chip| on.join(index.under(chip)));
            if let Some(merged) = merged {
                merged.switch(self.chips.has(Chip::Moved), &mut on);
            }
            matching.keep(&on);
        }
        if !self.conditions.is_empty() {
            let failing: Vec<RowId> = matching.iter().filter(|&row| !self.meets(index, row)).collect();
            failing.into_iter().for_each(|row| _ = matching.remove(row));
        }
        if let Some(merged) = merged {
            merged.match_as_one(&mut matching);
        }
        matching
    }

    /// Whether one side's item meets all conditions. Not one side's size and the other's date: that describes no item.
    fn meets(&self, index: &Index, row: RowId) -> bool {
        [Side::Left, Side::Right].into_iter().any(|side| {
            let Some(entry) = index.entry(row, side) else { return false };
            let size = (entry.kind == Kind::File).then_some(entry.size);
            self.conditions.iter().all(|condition| condition.is_met(size, entry.modified))
        })
    }
}

impl Condition {
    fn is_met(self, size: Option<u64>, modified: Time) -> bool {
        match self {
            Self::Size { from, to } => size.is_some_and(|size| from <= size && to.is_none_or(|to| size < to)),
            Self::Modified { from, to } => {
                from.is_none_or(|from| from <= modified) && to.is_none_or(|to| modified < to)
            }
        }
    }
}

fn add_matches(pattern: &Pattern, index: &Index, matching: &mut Bits) {
    match pattern {
        Pattern::Holds(text) => index.names.holding(text, |row| _ = matching.add(row)),
        Pattern::PathHolds(text) => add_paths(index, matching, |_, path| text.find(path).is_some()),
        Pattern::PathBegins(text) => add_paths(index, matching, |_, path| path.starts_with(text)),
        Pattern::Glob(glob, text) => {
            let is_kind = |row| !glob.folders_only() || index.comparison().is_folder(row);
            if glob.is_path() {
                return add_paths(index, matching, |row, path| glob.matches(path) && is_kind(row));
            }
            let test = |row| {
                if glob.matches(index.names.get(row)) && is_kind(row) {
                    matching.add(row);
                }
            };
            match text {
                Some(text) => index.names.holding(text, test),
                None => (0..index.rows() as RowId).for_each(test),
            }
        }
    }
}

/// Adds the rows whose folded path is as asked; not the root, which has none. In the order of the tree, so that one buffer
/// holds each path after the other.
fn add_paths(index: &Index, matching: &mut Bits, is_hit: impl Fn(RowId, &[u8]) -> bool) {
    let (comparison, mut path) = (index.comparison(), Vec::new());
    // The rows above, and where their paths end.
    let mut above: Vec<(RowId, usize)> = Vec::new();
    for row in comparison.walk().skip(1) {
        let parent = comparison.row(row).parent;
        while above.last().is_some_and(|(folder, _)| *folder != parent) {
            above.pop();
        }
        path.truncate(above.last().map_or(0, |(_, end)| *end));
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(index.names.get(row));
        if is_hit(row, &path) {
            matching.add(row);
        }
        above.push((row, path.len()));
    }
}

/// The first entry that is searched for as a name although it is built like a term of other programs, as `size>10MB`,
/// `ext:jpg` or `modified=2024` are; a name may be so too, so it is only told.
pub(crate) fn looks_like_a_term(text: &str) -> Option<&str> {
    text.split(';').map(str::trim).find(|entry| {
        let word = entry.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        word.len() < entry.len() && word.trim_start().starts_with([':', '<', '>', '='])
    })
}

/// The size or date that an entry is; `None` if it is a pattern.
fn condition(entry: &str, zone: &TimeZone) -> Result<Option<Condition>, &'static str> {
    let signs = [("<=", Sign::AtMost), (">=", Sign::AtLeast), ("<", Sign::Less), (">", Sign::More)];
    let signed = signs.iter().find_map(|(text, sign)| Some((entry.strip_prefix(text)?.trim(), *sign)));
    let (value, sign) = match signed {
        Some((value, sign)) => (value, Some(sign)),
        None => (entry, None),
    };
    if looks_like_date(value) {
        let (from, to) = period(value, zone).ok_or("there is no such date")?;
        return Ok(Some(match sign {
            None => Condition::Modified { from: Some(from), to: Some(to) },
            Some(Sign::Less) => Condition::Modified { from: None, to: Some(from) },
            Some(Sign::AtMost) => Condition::Modified { from: None, to: Some(to) },
            Some(Sign::More) => Condition::Modified { from: Some(to), to: None },
            Some(Sign::AtLeast) => Condition::Modified { from: Some(from), to: None },
        }));
    }
    let Some(sign) = sign else { return Ok(None) };
    if value.is_empty() {
        return Err("a size such as 10MB or a date such as 2024-01-31 must follow the sign");
    }
    let bytes =
        parse_bytes(value).ok_or("what follows the sign is no size (10MB, 4k) and no date (2024-01-31)")?;
    Ok(Some(match sign {
        Sign::Less => Condition::Size { from: 0, to: Some(bytes) },
        Sign::AtMost => Condition::Size { from: 0, to: bytes.checked_add(1) },
        // No file is larger than the largest number.
        Sign::More => Condition::Size { from: bytes.saturating_add(1), to: None },
        Sign::AtLeast => Condition::Size { from: bytes, to: None },
    }))
}

/// `YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DD HH:MM`, whether or not the calendar has it.
fn looks_like_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    matches!(&*shape, "0000-00" | "0000-00-00" | "0000-00-00 00:00" | "0000-00-00T00:00")
}

/// From when to when a month, day or minute lasts.
fn period(text: &str, zone: &TimeZone) -> Option<(Time, Time)> {
    let (start, end) = match text.len() {
        7 => {
            let first: Date = format!("{text}-01").parse().ok()?;
            (first.to_datetime(jiff::civil::Time::midnight()), first.checked_add(1.month()).ok()?.into())
        }
        10 => {
            let day: Date = text.parse().ok()?;
            (DateTime::from(day), DateTime::from(day.tomorrow().ok()?))
        }
        _ => {
            let minute: DateTime = text.parse().ok()?;
            (minute, minute.checked_add(1.minute()).ok()?)
        }
    };
    let time = |at: DateTime| {
        let nanos = at.to_zoned(zone.clone()).ok()?.timestamp().as_nanosecond();
        Some(Time::from_nanos(nanos))
    };
    Some((time(start)?, time(end)?))
}

#[cfg(test)]
mod tests;
