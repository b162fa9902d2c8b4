//! What stands in a cell.
//!
//! Invariant: pure; nothing is asked of the system, not even its time zone. A value that is not known gives an empty
//! text, never a zero. This module must not know columns or widths.

use fcs_app::hints::{FrontEnd, skip_words};
use fcs_engine::compare::{Differences, Side, Verdict};
use fcs_engine::directions::Act;
pub use fcs_text::{count, decimals, number, size, time};

use crate::selection::Change;
use fcs_sys::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A size to the byte, for whoever points at a cell: `1,234,567 bytes`.
pub fn exact_size(bytes: u64) -> String {
    format!("{} {}", number(bytes), if bytes == 1 { "byte" } else { "bytes" })
}

/// The beginning of a digest: 16 hexadecimal digits.
pub fn digest(first: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(first))
}

/// What a click on boxes did, where that is not plain to see.
pub fn change(change: Change) -> Option<String> {
    let items = |n: u32| count(u64::from(n), "item", "items");
    let left_out = (change.left_out > 0)
        .then(|| format!("{} that the filter hides stayed as they were", items(change.left_out)));
    let done = match (change.ticked, change.unticked) {
        (0, 0) => None,
        (0, n) => Some(format!("{} unticked", items(n))),
        (n, 0) => Some(format!("{} ticked", items(n))),
        (n, gone) => Some(format!("{} ticked, {} unticked before", items(n), items(gone))),
    };
    let parts: Vec<String> = done.into_iter().chain(left_out).collect();
    (!parts.is_empty()).then(|| format!("{}.", parts.join("; ")))
}

/// What the status column says; for a difference also in what.
pub fn status(verdict: Verdict) -> String {
    let word = match verdict {
        Verdict::Same => "Same",
        Verdict::LeftOnly => "Left only",
        Verdict::RightOnly => "Right only",
        Verdict::Different(differences) => return different(differences),
        Verdict::KindClash => "Kinds clash",
        Verdict::NameClash => "Names clash",
        Verdict::Unreadable => "Unreadable",
        Verdict::NotComparable => "Not comparable",
    };
    word.to_owned()
}

/// What the status column has room for beside its glyph: for a difference only in what.
pub fn short_status(verdict: Verdict) -> String {
    let text = status(verdict);
    let Some(ways) = text.strip_prefix("Different: ") else { return text };
    let mut chars = ways.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A time to the nanosecond and with its distance from UTC, for whoever points at a cell.
pub fn exact_time(at: Time, zone: &TimeZone) -> String {
    let text = time(at, zone, 9);
    match Timestamp::from_nanosecond(at.as_nanos()) {
        Ok(stamp) => format!("{text} {}", stamp.to_zoned(zone.clone()).strftime("%:z")),
        Err(_) => text,
    }
}

fn different(d: Differences) -> String {
    let ways = [
        (d.size, "size"),
        (d.content, "content"),
        (d.created, "created"),
        (d.modified, "modified"),
        (d.spelling, "name"),
    ];
    let ways: Vec<&str> = ways.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    if ways.is_empty() { "Different".to_owned() } else { format!("Different: {}", ways.join(", ")) }
}

/// What is to be done with a row, in words; `None` where both sides are as they are to be.
pub fn act(act: Act, moved: bool) -> Option<String> {
    Some(match act {
        Act::Nothing => return None,
        Act::Leave => "Left as it is".to_owned(),
        Act::CopyTo(to) if moved => format!("Moved on the {}", side(to)),
        Act::RemoveFrom(from) if moved => format!("Moved on the {}", side(from)),
        Act::CopyTo(to) => format!("Goes to the {}", side(to)),
        Act::RemoveFrom(from) => format!("Removed from the {}", side(from)),
        Act::KeepBoth { loser } => {
            format!("Both versions are kept, the {} one under another name", side(loser))
        }
        Act::Conflict(why) => format!("Left for later: {}", why.words()),
        Act::Skip(why) => format!("Left alone: {}", skip_words(why, FrontEnd::Window)),
    })
}

/// What a side is called within a sentence.
pub fn side(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_can_be_had_to_the_byte() {
        assert_eq!((&*exact_size(1), &*exact_size(1_234_567)), ("1 byte", "1,234,567 bytes"));
    }

    #[test]
    fn a_time_can_be_had_to_the_nanosecond_with_its_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        assert_eq!(exact_time(Time::new(0, 5), &zone), "1969-12-31 21:00:00.000000005 -03:00");
        assert_eq!(exact_time(Time::new(i64::MAX, 1), &zone), format!("{}.000000001", i64::MAX));
    }

    #[test]
    fn a_difference_says_in_what() {
        let differences = Differences { size: true, modified: true, ..Differences::default() };
        assert_eq!(status(Verdict::Different(differences)), "Different: size, modified");
        assert_eq!(short_status(Verdict::Different(differences)), "Size, modified");
        assert_eq!(short_status(Verdict::Different(Differences::default())), "Different");
        assert_eq!(status(Verdict::NotComparable), "Not comparable");
        assert_eq!(digest([0, 1, 2, 3, 4, 5, 6, 255]), "00010203040506ff");
    }
}
