//! What stands in a cell.
//!
//! Invariant: pure; nothing is asked of the system, not even its time zone. A value that is not known gives an empty
//! text, never a zero. This module must not know columns or widths.

use std::fmt::Write as _;

use fcs_engine::compare::{Differences, Verdict};
use fcs_sys::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A size for a cell: `0 B`, `12 KiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    let units = [1_u64 << 10, 1 << 20, 1 << 30, 1 << 40];
    let whole = bytes < 1024 || units.iter().any(|unit| bytes.is_multiple_of(*unit) && bytes / unit < 1024);
    humansize::format_size(bytes, humansize::BINARY.decimal_places(usize::from(!whole)))
}

/// A size to the byte, for whoever points at a cell: `1,234,567 bytes`.
pub fn exact_size(bytes: u64) -> String {
    format!("{} {}", number(bytes), if bytes == 1 { "byte" } else { "bytes" })
}

/// A number in groups of three digits.
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
    let Ok(stamp) = Timestamp::from_nanosecond(time.as_nanos()) else {
        return format!("{}.{:09}", time.seconds(), time.nanos());
    };
    let mut text = stamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = format!("{:09}", time.nanos());
    if let Some(fraction) = fraction.get(..decimals).filter(|fraction| !fraction.is_empty()) {
        let _ = write!(text, ".{fraction}");
    }
    text
}

/// The beginning of a digest: 16 hexadecimal digits.
pub fn digest(first: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(first))
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

fn different(d: Differences) -> String {
    let ways = [(d.size, "size"), (d.content, "content"), (d.created, "created"), (d.modified, "modified")];
    let ways: Vec<&str> = ways.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    if ways.is_empty() { "Different".to_owned() } else { format!("Different: {}", ways.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_in_the_cell_and_exact_when_asked() {
        assert_eq!((&*size(0), &*size(1536 << 20)), ("0 B", "1.5 GiB"));
        assert_eq!((&*exact_size(1), &*exact_size(1_234_567)), ("1 byte", "1,234,567 bytes"));
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
    fn a_difference_says_in_what() {
        let differences = Differences { size: true, modified: true, ..Differences::default() };
        assert_eq!(status(Verdict::Different(differences)), "Different: size, modified");
        assert_eq!(status(Verdict::NotComparable), "Not comparable");
        assert_eq!(digest([0, 1, 2, 3, 4, 5, 6, 255]), "00010203040506ff");
    }
}
