//! Text on a terminal: what is cut and padded to its columns, and times in the time zone of its user.
//!
//! Invariant: pure functions; the same input gives the same text on every machine, except for [`local_time`]. What a
//! window writes as well belongs to `fcs-text`.

use std::borrow::Cow;

use console::measure_text_width;
use fcs_sys::Time;
pub(crate) use fcs_text::{
    acts_on_terminal, clock, count, decimals, number, printable, seconds, size, step, utc_time, wrap,
};
use jiff::tz::TimeZone;

/// A time for people: in their time zone, ISO order, cut (not rounded) after so many decimals.
pub(crate) fn local_time(time: Time, decimals: usize) -> String {
    fcs_text::time(time, &TimeZone::system(), decimals)
}

/// Cuts a text in the middle to at most `width` columns, because both ends of a path tell the most.
pub(crate) fn shorten(text: &str, width: usize) -> Cow<'_, str> {
    if measure_text_width(text) <= width {
        return Cow::Borrowed(text);
    }
    let Some(room) = width.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let head = take_columns(text.chars(), room / 2);
    let tail: String =
        take_columns(text.chars().rev(), room - measure_text_width(&head)).chars().rev().collect();
    Cow::Owned(format!("{head}…{tail}"))
}

fn take_columns(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in chars {
        used += measure_text_width(c.encode_utf8(&mut [0; 4]));
        if used > width {
            break;
        }
        out.push(c);
    }
    out
}

/// A text followed by spaces up to `width` columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(measure_text_width(text));
    format!("{text}{:missing$}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_after_so_many_decimals() {
        let time = Time::new(1_700_000_000, 123_456_789);
        assert!(local_time(time, 2).ends_with(":20.12"));
        assert!(local_time(time, 0).ends_with(":20"));
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("abcdefghij", 5), "ab…ij");
        assert_eq!(shorten("漢字漢字", 5), "漢…字");
        assert_eq!(shorten("abc", 0), "");
    }
}
