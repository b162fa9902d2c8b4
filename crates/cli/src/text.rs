//! Numbers, sizes, times and names as people read them.
//!
//! Invariant: pure functions; the same input gives the same text on every machine, except that [`local_time`] uses
//! the time zone of the user.

use std::borrow::Cow;

use console::measure_text_width;
use fcs_sys::Time;
pub(crate) use fcs_text::{decimals, number, size};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A count and its noun: `1 file`, `2,000 files`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// How long something took: `0.42 s`, `12.3 s`, `3 min 20 s`, `2 h 05 min`.
pub(crate) fn seconds(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..=9 => format!("{:.2} s", seconds.max(0.0)),
        10..=59 => format!("{seconds:.1} s"),
        60..=3599 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Time left, as on a clock: `0:05`, `12:00`, `1:02:03`; days where it takes that long.
pub(crate) fn clock(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match h {
        0 => format!("{m}:{s:02}"),
        1..=99 => format!("{h}:{m:02}:{s:02}"),
        _ => count(h / 24, "day", "days"),
    }
}

/// A time for programs: UTC, ISO 8601, to the nanosecond. Beyond the years that ISO text can express, seconds since 1970.
pub(crate) fn utc_time(time: Time) -> String {
    match stamp(time) {
        Some(stamp) => format!("{stamp:.9}"),
        None => format!("{}.{:09}", time.seconds(), time.nanos()),
    }
}

/// A time for people: in their time zone, ISO order, cut (not rounded) after so many decimals.
pub(crate) fn local_time(time: Time, decimals: usize) -> String {
    fcs_text::time(time, &TimeZone::system(), decimals)
}

/// jiff counts nanoseconds in the sign of the seconds; the conversion goes through a single number for that reason.
fn stamp(time: Time) -> Option<Timestamp> {
    Timestamp::from_nanosecond(time.as_nanos()).ok()
}

/// Text with every character escaped that could act on a terminal. Unlike [`fcs_sys::escaped`] it leaves backslashes
/// alone, so it can be used on text that holds escaped names already.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts_on_terminal) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if acts_on_terminal(c) {
            out.push_str(&fcs_sys::escaped(c.encode_utf8(&mut [0; 4]).as_bytes()));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character does something to a terminal or to the reading of the text around it. Line ends are wanted in
/// messages of several lines.
pub(crate) fn acts_on_terminal(c: char) -> bool {
    c != '\n' && c != '\\' && matches!(fcs_sys::escaped(c.encode_utf8(&mut [0; 4]).as_bytes()), Cow::Owned(_))
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

/// Breaks a text at spaces into lines of at most `width` columns; a longer word gets a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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
    fn sizes_and_numbers() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(64 << 20), "64 MiB");
        assert_eq!(size(1536 << 20), "1.5 GiB");
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(123), "123");
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(count(2000, "file", "files"), "2,000 files");
    }

    #[test]
    fn durations() {
        assert_eq!(seconds(0.421), "0.42 s");
        assert_eq!(seconds(12.34), "12.3 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(7500.0), "2 h 05 min");
        assert_eq!(clock(5), "0:05");
        assert_eq!(clock(3723), "1:02:03");
        assert_eq!(clock(86_400 * 9), "9 days");
    }

    #[test]
    fn as_many_decimals_as_the_tolerance_needs() {
        assert_eq!(decimals(0), 9);
        assert_eq!(decimals(100_000), 4);
        assert_eq!(decimals(10_000_000), 2);
        assert_eq!(decimals(1_000_000_000), 0);
        assert_eq!(decimals(2_000_000_000), 0);
    }

    #[test]
    fn times_in_both_shapes_and_before_1970() {
        let time = Time::new(1_700_000_000, 123_456_789);
        assert_eq!(utc_time(time), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(utc_time(Time::new(-1, 999_999_999)), "1969-12-31T23:59:59.999999999Z");
        assert!(local_time(time, 2).ends_with(":20.12"));
        assert!(local_time(time, 0).ends_with(":20"));
        assert_eq!(utc_time(Time::new(i64::MAX, 1)), format!("{}.000000001", i64::MAX));
    }

    #[test]
    fn printable_text_keeps_escapes_as_they_are() {
        assert_eq!(printable("a\\n b"), "a\\n b");
        assert_eq!(printable("a\x1b[31m\u{9b}\nb"), "a\\x1b[31m\\u{9b}\nb");
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("abcdefghij", 5), "ab…ij");
        assert_eq!(shorten("漢字漢字", 5), "漢…字");
        assert_eq!(shorten("abc", 0), "");
    }

    #[test]
    fn wrapping_breaks_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("extraordinary", 3), ["extraordinary"]);
        assert!(wrap("", 10).is_empty());
    }
}
