//! Numbers, sizes, times and printable text as every front end writes them, so that the window and the command line
//! never disagree.
//!
//! Invariant: pure; nothing is asked of the system, not even its time zone. This crate must not know a window or what
//! the values mean, and of a terminal only which characters act on one.

use std::borrow::Cow;
use std::fmt::Write as _;

use fcs_sys::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

/// Bytes in binary units: `0 B`, `12 KiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    let units = [1_u64 << 10, 1 << 20, 1 << 30, 1 << 40];
    let whole = bytes < 1024 || units.iter().any(|unit| bytes.is_multiple_of(*unit) && bytes / unit < 1024);
    humansize::format_size(bytes, humansize::BINARY.decimal_places(usize::from(!whole)))
}

/// A number in groups of three digits: `1,234,567`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How many decimals tell two times apart that differ by more than this tolerance.
pub fn decimals(tolerance_nanos: u64) -> usize {
    (0..9)
        .find(|&places| 10_u64.pow(9 - places) <= tolerance_nanos.max(1))
        .map_or(9, |places| places as usize)
}

/// A time in ISO order, cut after so many decimals. Years that a calendar does not reach give seconds since 1970.
pub fn time(time: Time, zone: &TimeZone, decimals: usize) -> String {
    let Some(stamp) = stamp(time) else {
        return format!("{}.{:09}", time.seconds(), time.nanos());
    };
    let mut text = stamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = format!("{:09}", time.nanos());
    if let Some(fraction) = fraction.get(..decimals).filter(|fraction| !fraction.is_empty()) {
        let _ = write!(text, ".{fraction}");
    }
    text
}

/// A step in which dates are stored, in its own unit: `2 s`, `10 ms`, `100 ns`.
pub fn step(nanos: u64) -> String {
    match nanos {
        1_000_000_000.. => format!("{} s", nanos / 1_000_000_000),
        1_000_000.. => format!("{} ms", nanos / 1_000_000),
        1_000.. => format!("{} \u{b5}s", nanos / 1_000),
        _ => format!("{nanos} ns"),
    }
}

/// A count and its noun: `1 file`, `2,000 files`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// How long something took: `0.42 s`, `12.3 s`, `3 min 20 s`, `2 h 05 min`.
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..=9 => format!("{:.2} s", seconds.max(0.0)),
        10..=59 => format!("{seconds:.1} s"),
        60..=3599 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Time left, as on a clock: `0:05`, `12:00`, `1:02:03`; days where it takes that long.
pub fn clock(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match h {
        0 => format!("{m}:{s:02}"),
        1..=99 => format!("{h}:{m:02}:{s:02}"),
        _ => count(h / 24, "day", "days"),
    }
}

/// A time for programs: UTC, ISO 8601, to the nanosecond. Beyond the years that ISO text can express, seconds since 1970.
pub fn utc_time(time: Time) -> String {
    match stamp(time) {
        Some(stamp) => format!("{stamp:.9}"),
        None => format!("{}.{:09}", time.seconds(), time.nanos()),
    }
}

/// A time in ISO 8601 with its zone, such as `2026-11-22T10:00:00.5+01:00`: with so many decimals, and with more where it
/// has more. Beyond the years that ISO text can express, seconds since 1970 after an `@`.
pub fn iso_time(time: Time, zone: &TimeZone, decimals: usize) -> String {
    let Some(stamp) = stamp(time) else {
        return format!("@{}.{:09}", time.seconds(), time.nanos());
    };
    let zoned = stamp.to_zoned(zone.clone());
    let mut text = zoned.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let fraction = format!("{:09}", time.nanos());
    let needed = fraction.trim_end_matches('0').len().max(decimals.min(9));
    if let Some(fraction) = fraction.get(..needed).filter(|fraction| !fraction.is_empty()) {
        let _ = write!(text, ".{fraction}");
    }
    let offset = if *zone == TimeZone::UTC { "Z".to_owned() } else { zoned.strftime("%:z").to_string() };
    text + &offset
}

/// The time that a text in ISO 8601 means: with an offset or a zone in brackets, else in `zone`. A day alone is its first
/// moment, and `@` stands before seconds since 1970.
///
/// # Errors
///
/// What would have been accepted, where it is no such text, or names a time that `zone` has twice or not at all.
pub fn parse_iso_time(text: &str, zone: &TimeZone) -> Result<Time, &'static str> {
    const EXPECTED: &str = "a time in ISO 8601, such as 2026-11-22, 2026-11-22T10:00:00.5 (local time), \
                            2026-11-22T10:00:00+01:00 or 2026-11-22T09:00:00Z; or @ and seconds since 1970";
    let text = text.trim();
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds_since_1970(seconds).ok_or(EXPECTED);
    }
    let nanos = |stamp: Timestamp| Time::from_nanos(stamp.as_nanosecond());
    if let Ok(zoned) = text.parse::<jiff::Zoned>() {
        return Ok(nanos(zoned.timestamp()));
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Ok(nanos(stamp));
    }
    // The parser of local times passes over an offset, which is then one that it could not use above.
    let (day, clock) = text.split_once(['T', 't', ' ']).unwrap_or((text, ""));
    let is_plain = |part: &str, also: &str| part.chars().all(|c| c.is_ascii_digit() || also.contains(c));
    if !is_plain(day, "-") || !is_plain(clock, ":.,") {
        return Err(EXPECTED);
    }
    let local = text.parse::<jiff::civil::DateTime>().map_err(|_| EXPECTED)?;
    let moments = zone.to_ambiguous_zoned(local);
    let moment = moments.unambiguous().map_err(|_| {
        "a time that the local zone has exactly once (the clock is changed then); add an offset such as +01:00"
    })?;
    Ok(nanos(moment.timestamp()))
}

/// `1700000000.5`, with at most nine decimals; also before 1970.
fn seconds_since_1970(text: &str) -> Option<Time> {
    let (is_before, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let seconds = i128::from(whole.parse::<i64>().ok()?);
    let nanos = seconds * 1_000_000_000 + format!("{fraction:0<9}").parse::<i128>().ok()?;
    Some(Time::from_nanos(if is_before { -nanos } else { nanos }))
}

/// jiff counts nanoseconds in the sign of the seconds; the conversion goes through a single number for that reason.
fn stamp(time: Time) -> Option<Timestamp> {
    Timestamp::from_nanosecond(time.as_nanos()).ok()
}

/// Text with every character escaped that could act on a terminal. Unlike [`fcs_sys::escaped`] it leaves backslashes
/// alone, so it can be used on text that holds escaped names already.
pub fn printable(text: &str) -> Cow<'_, str> {
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
pub fn acts_on_terminal(c: char) -> bool {
    c != '\n' && c != '\\' && matches!(fcs_sys::escaped(c.encode_utf8(&mut [0; 4]).as_bytes()), Cow::Owned(_))
}

/// Breaks a text at spaces into lines of at most `width` columns; a longer word gets a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_binary_units_and_never_blank() {
        assert_eq!((&*size(0), &*size(12 << 10), &*size(1536 << 20)), ("0 B", "12 KiB", "1.5 GiB"));
        assert_eq!((&*number(999), &*number(1_234_567)), ("999", "1,234,567"));
    }

    #[test]
    fn two_times_shown_alike_are_alike() {
        let cut = |nanos, tolerance| time(Time::new(-1, nanos), &TimeZone::UTC, decimals(tolerance));
        assert_eq!(cut(999_999_999, 1_000_000_000), "1969-12-31 23:59:59");
        assert_eq!(cut(120_000_000, 10_000_000), "1969-12-31 23:59:59.12");
        assert_eq!(cut(1, 0), "1969-12-31 23:59:59.000000001");
        assert_eq!(time(Time::new(i64::MAX, 1), &TimeZone::UTC, 2), format!("{}.000000001", i64::MAX));
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(time(Time::EPOCH, &zone, 0), "1970-01-01 02:00:00");
    }

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
    fn times_for_programs_and_before_1970() {
        let time = Time::new(1_700_000_000, 123_456_789);
        assert_eq!(utc_time(time), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(utc_time(Time::new(-1, 999_999_999)), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(utc_time(Time::new(i64::MAX, 1)), format!("{}.000000001", i64::MAX));
    }

    #[test]
    fn iso_times_have_their_zone_and_all_their_decimals() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let time = Time::new(1_700_000_000, 120_000_000);
        assert_eq!(iso_time(time, &zone, 0), "2023-11-14T23:13:20.12+01:00");
        assert_eq!(iso_time(time, &TimeZone::UTC, 7), "2023-11-14T22:13:20.1200000Z");
        assert_eq!(iso_time(Time::new(-1, 0), &TimeZone::UTC, 0), "1969-12-31T23:59:59Z");
        assert_eq!(iso_time(Time::new(i64::MAX, 1), &zone, 9), format!("@{}.000000001", i64::MAX));
    }

    #[test]
    fn iso_times_are_read_to_the_nanosecond_and_what_they_print_is_read_back() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let read = |text: &str| parse_iso_time(text, &zone).unwrap();
        let time = Time::new(1_700_000_000, 123_456_789);
        for text in [
            "2023-11-14T22:13:20.123456789Z",
            "2023-11-14T23:13:20.123456789+01:00",
            "2023-11-14 23:13:20.123456789",
            "2023-11-14t23:13:20,123456789",
            "20231114T221320.123456789Z",
            "2023-11-14T23:13:20.123456789[Europe/Berlin]",
            "2023-11-14T23:13:20.123456789+01:00[Europe/Berlin]",
            " @1700000000.123456789 ",
        ] {
            assert_eq!(read(text), time, "{text}");
        }
        assert_eq!(read("2023-11-15"), Time::new(1_700_002_800, 0));
        assert_eq!(read("2023-11-15T00:00"), Time::new(1_700_002_800, 0));
        assert_eq!(read("@-0.5"), Time::new(-1, 500_000_000));
        for time in [time, Time::new(-62_000_000_000, 1), Time::new(i64::MAX, 1), Time::EPOCH] {
            for zone in [&zone, &TimeZone::UTC] {
                assert_eq!(parse_iso_time(&iso_time(time, zone, 9), zone), Ok(time));
            }
        }
    }

    #[test]
    fn what_is_no_time_or_two_times_is_refused() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for bad in [
            "",
            "yesterday",
            "2023-11-31",
            "2023-11-14T25:00",
            "2023-11-14T10:00+99:00",
            "2023-11-15+01:00",
            "2023-11-14T10:00:00.1234567890",
            "1700000000",
            "@",
            "@1.2.3",
            "@1e9",
            "@--1",
        ] {
            assert!(parse_iso_time(bad, &zone).is_err_and(|e| e.starts_with("a time in ISO 8601")), "{bad}");
        }
        // The hour that comes twice, and the one that is left out.
        for twice in ["2023-10-29T02:30", "2023-03-26T02:30"] {
            assert!(parse_iso_time(twice, &zone).is_err_and(|e| e.contains("exactly once")), "{twice}");
            assert!(parse_iso_time(&format!("{twice}+01:00"), &zone).is_ok());
        }
    }

    #[test]
    fn printable_text_keeps_escapes_as_they_are() {
        assert_eq!(printable("a\\n b"), "a\\n b");
        assert_eq!(printable("a\x1b[31m\u{9b}\nb"), "a\\x1b[31m\\u{9b}\nb");
    }

    #[test]
    fn wrapping_breaks_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("extraordinary", 3), ["extraordinary"]);
        assert!(wrap("", 10).is_empty());
    }
}
