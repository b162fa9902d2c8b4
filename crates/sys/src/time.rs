//! Points in time as file systems store them.
//!
//! Invariant: integers only. A floating-point time cannot hold nanoseconds since 1970, and two dates that differ by
//! one unit must never compare equal by accident.

use serde::{Deserialize, Serialize};

/// A point in time: whole seconds since 1970-01-01 UTC (may be negative) and nanoseconds (0..1,000,000,000).
///
/// Stored in 12 bytes with 4-byte alignment because a scanned tree keeps three of them per item.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(i64, u32)", into = "(i64, u32)")]
pub struct Time {
    high: i32,
    low: u32,
    nanos: u32,
}

impl Time {
    /// 1970-01-01 00:00 UTC.
    pub const EPOCH: Self = Self { high: 0, low: 0, nanos: 0 };

    /// Nanoseconds at or beyond one second are carried into the seconds.
    pub fn new(seconds: i64, nanos: u32) -> Self {
        let seconds = seconds.saturating_add(i64::from(nanos / 1_000_000_000));
        Self { high: (seconds >> 32) as i32, low: seconds as u32, nanos: nanos % 1_000_000_000 }
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub fn seconds(self) -> i64 {
        (i64::from(self.high) << 32) | i64::from(self.low)
    }

    /// The part below a second, in nanoseconds.
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// Nanoseconds since the epoch.
    pub fn as_nanos(self) -> i128 {
        i128::from(self.seconds()) * 1_000_000_000 + i128::from(self.nanos)
    }

    /// From nanoseconds since the epoch; values beyond what 64-bit seconds hold are clamped.
    pub fn from_nanos(nanos: i128) -> Self {
        let seconds = nanos.div_euclid(1_000_000_000);
        let below = nanos.rem_euclid(1_000_000_000) as u32;
        Self::new(seconds.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64, below)
    }

    /// The distance to `other` in nanoseconds, whichever is later.
    pub fn distance_nanos(self, other: Self) -> u128 {
        self.as_nanos().abs_diff(other.as_nanos())
    }

    /// This time rounded down to a multiple of `granularity_nanos`, as a coarser file system would store it.
    #[must_use]
    pub fn rounded_down(self, granularity_nanos: u64) -> Self {
        if granularity_nanos <= 1 {
            return self;
        }
        let step = i128::from(granularity_nanos);
        Self::from_nanos(self.as_nanos().div_euclid(step) * step)
    }

    /// The system clock now.
    pub fn now() -> Self {
        std::time::SystemTime::now().into()
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.seconds(), self.nanos).cmp(&(other.seconds(), other.nanos))
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.seconds(), self.nanos)
    }
}

impl From<(i64, u32)> for Time {
    fn from((seconds, nanos): (i64, u32)) -> Self {
        Self::new(seconds, nanos)
    }
}

impl From<Time> for (i64, u32) {
    fn from(time: Time) -> Self {
        (time.seconds(), time.nanos)
    }
}

impl From<std::time::SystemTime> for Time {
    fn from(time: std::time::SystemTime) -> Self {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Self::from_nanos(after.as_nanos() as i128),
            Err(before) => Self::from_nanos(-(before.duration().as_nanos() as i128)),
        }
    }
}

impl From<Time> for std::time::SystemTime {
    fn from(time: Time) -> Self {
        let epoch = std::time::UNIX_EPOCH;
        let whole = std::time::Duration::from_secs(time.seconds().unsigned_abs());
        let base = if time.seconds() >= 0 { epoch.checked_add(whole) } else { epoch.checked_sub(whole) };
        base.and_then(|t| t.checked_add(std::time::Duration::from_nanos(u64::from(time.nanos))))
            .unwrap_or(epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_every_second_and_nanosecond_it_is_given() {
        for seconds in [i64::MIN, -11_644_473_600, -1, 0, 1, 0xffff_ffff, 0x1_0000_0000, i64::MAX] {
            for nanos in [0, 1, 999_999_999] {
                let time = Time::new(seconds, nanos);
                assert_eq!((time.seconds(), time.nanos()), (seconds, nanos));
                assert_eq!(Time::from_nanos(time.as_nanos()), time);
            }
        }
        assert_eq!(size_of::<Time>(), 12);
    }

    #[test]
    fn order_and_distance_work_across_the_epoch() {
        let before = Time::new(-1, 999_999_999);
        assert!(before < Time::EPOCH);
        assert_eq!(before.distance_nanos(Time::EPOCH), 1);
        // Windows keeps its clock in steps of 100 ns.
        let before = Time::new(-1, 999_999_900);
        assert_eq!(Time::from(std::time::SystemTime::from(before)), before);
    }

    #[test]
    fn rounding_goes_towards_the_past() {
        assert_eq!(Time::new(-1, 500).rounded_down(2_000_000_000), Time::new(-2, 0));
        assert_eq!(Time::new(3, 123_456_789).rounded_down(100), Time::new(3, 123_456_700));
        assert_eq!(Time::new(3, 5).rounded_down(0), Time::new(3, 5));
    }
}
