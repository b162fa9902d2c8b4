//! Numbers, sizes and times as every front end writes them, so that the window and the command line never disagree.
//!
//! Invariant: pure; nothing is asked of the system, not even its time zone. This crate must not know a terminal, a
//! window or what the values mean.

use std::fmt::Write as _;

use fcs_sys::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;

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
    // One number, because jiff counts nanoseconds in the sign of the seconds.
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
}
