//! How fast the work goes and how long it will still take.
//!
//! Invariant: pure; time comes in as a parameter. Rates are smoothed exponentially, so that one slow file or one
//! burst from a cache does not make the display jump, and corrected for the start, so that the first seconds are not
//! too low.
//!
//! Bytes copied and bytes verified count alike, because both are read or written once. A file costs time of its own
//! besides its bytes (opening, metadata, renaming); it is counted as a fixed number of bytes, so that many small
//! files do not make the estimate far too short.

use std::time::Duration;

/// What handling one file costs besides its bytes, as bytes. Measured: 50,000 small files take about as long as
/// three gigabytes.
const FILE_COST: f64 = 64.0 * 1024.0;
/// The rate that is shown follows changes within seconds.
const SHOWN_SECONDS: f64 = 3.0;
/// The estimate follows more slowly.
const ESTIMATE_SECONDS: f64 = 15.0;
/// No estimate before this much time has passed: it would be a guess.
const FIRST_ESTIMATE: Duration = Duration::from_secs(1);

/// An amount of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Bytes copied plus bytes verified.
    pub bytes: u64,
    /// Files, links and folders.
    pub files: u64,
}

impl Work {
    fn cost(self) -> f64 {
        self.bytes as f64 + self.files as f64 * FILE_COST
    }

    fn minus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), files: self.files.saturating_sub(other.files) }
    }
}

/// An exponentially smoothed rate per second.
#[derive(Debug, Clone, Copy)]
struct Smoothed {
    seconds: f64,
    sum: f64,
    weight: f64,
}

impl Smoothed {
    fn new(seconds: f64) -> Self {
        Self { seconds, sum: 0.0, weight: 0.0 }
    }

    fn add(&mut self, amount: f64, elapsed: f64) {
        let keep = (-elapsed / self.seconds).exp();
        self.sum = self.sum * keep + amount / elapsed * (1.0 - keep);
        self.weight = self.weight * keep + (1.0 - keep);
    }

    fn rate(self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }
}

/// Follows one piece of work.
#[derive(Debug, Clone)]
pub struct Estimate {
    began: Duration,
    last: (Duration, Work),
    bytes: Smoothed,
    cost: Smoothed,
}

impl Estimate {
    /// Begins at a moment, with what was done by then.
    pub fn new(now: Duration, done: Work) -> Self {
        Self {
            began: now,
            last: (now, done),
            bytes: Smoothed::new(SHOWN_SECONDS),
            cost: Smoothed::new(ESTIMATE_SECONDS),
        }
    }

    /// Takes in what is done by now. Moments must not go backwards; a repeated one is ignored.
    pub fn update(&mut self, now: Duration, done: Work) {
        let (then, before) = self.last;
        let elapsed = now.saturating_sub(then).as_secs_f64();
        if elapsed <= 0.0 {
            return;
        }
        let fresh = done.minus(before);
        self.bytes.add(fresh.bytes as f64, elapsed);
        self.cost.add(fresh.cost(), elapsed);
        self.last = (now, done);
    }

    /// Bytes per second.
    pub fn rate(&self) -> u64 {
        self.bytes.rate() as u64
    }

    /// Seconds left until the total; `None` as long as it would be a guess.
    pub fn seconds_left(&self, total: Work) -> Option<u64> {
        let (now, done) = self.last;
        let left = total.minus(done).cost();
        if left <= 0.0 {
            return Some(0);
        }
        let rate = self.cost.rate();
        // Slower than a byte a second means that the work stands still.
        (now.saturating_sub(self.began) >= FIRST_ESTIMATE && rate >= 1.0).then(|| (left / rate).ceil() as u64)
    }

    /// How much is done, from 0 to 1, by cost.
    pub fn fraction(&self, total: Work) -> f64 {
        let all = total.cost();
        if all > 0.0 { (self.last.1.cost() / all).clamp(0.0, 1.0) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn work(bytes: u64, files: u64) -> Work {
        Work { bytes, files }
    }

    fn at(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    /// `seconds` of steady work, ten samples a second.
    fn steady(seconds: u64, per_second: Work) -> Estimate {
        let mut estimate = Estimate::new(at(0), Work::default());
        for tenth in 1..=seconds * 10 {
            estimate.update(at(tenth), work(per_second.bytes * tenth / 10, per_second.files * tenth / 10));
        }
        estimate
    }

    #[test]
    fn steady_work_is_predicted_exactly_from_the_start() {
        for seconds in [1, 2, 30] {
            let estimate = steady(seconds, work(100 * MIB, 0));
            let rate = estimate.rate();
            assert!(rate.abs_diff(100 * MIB) < MIB, "{rate} after {seconds} s");
            let left = estimate.seconds_left(work((seconds + 10) * 100 * MIB, 0));
            assert!(left.is_some_and(|s| (10..=11).contains(&s)), "{left:?} after {seconds} s");
        }
    }

    #[test]
    fn verification_counts_because_bytes_of_both_phases_are_one_total() {
        // 1 GiB to copy and 1 GiB to verify: half-way is when the copy is done.
        let estimate = steady(8, work(128 * MIB, 0));
        assert!((estimate.fraction(work(2048 * MIB, 0)) - 0.5).abs() < 0.01);
        assert_eq!(estimate.seconds_left(work(2048 * MIB, 0)).map(|s| s.abs_diff(8) <= 1), Some(true));
    }

    #[test]
    fn many_empty_files_take_time_too() {
        let estimate = steady(5, work(0, 1000));
        assert_eq!(estimate.seconds_left(work(0, 15_000)).map(|s| s.abs_diff(10) <= 1), Some(true));
        assert_eq!(estimate.rate(), 0);
        assert!((estimate.fraction(work(0, 10_000)) - 0.5).abs() < 0.01);
    }

    #[test]
    fn nothing_is_guessed_in_the_first_second_or_when_the_work_stands_still() {
        let mut estimate = Estimate::new(at(0), Work::default());
        assert_eq!(estimate.seconds_left(work(MIB, 1)), None);
        estimate.update(at(5), work(1000, 0));
        assert_eq!(estimate.seconds_left(work(MIB, 1)), None);
        let mut stalled = steady(5, work(MIB, 0));
        for second in 6..2000 {
            stalled.update(at(second * 10), work(5 * MIB, 0));
        }
        assert_eq!(stalled.seconds_left(work(100 * MIB, 0)), None);
    }

    #[test]
    fn the_estimate_follows_a_change_of_speed_but_not_at_once() {
        let mut estimate = steady(30, work(100 * MIB, 0));
        let done = 3000 * MIB;
        for tenth in 1..=10 {
            estimate.update(at(300 + tenth), work(done + tenth * MIB, 0));
        }
        assert!(estimate.rate() > 50 * MIB, "one slow second does not throw it off");
        for tenth in 11..=600 {
            estimate.update(at(300 + tenth), work(done + tenth * MIB, 0));
        }
        assert!(estimate.rate() < 12 * MIB, "a minute does");
    }

    #[test]
    fn finished_work_has_no_time_left_and_nothing_to_do_is_finished() {
        let estimate = steady(2, work(MIB, 1));
        assert_eq!(estimate.seconds_left(work(2 * MIB, 2)), Some(0));
        assert!((Estimate::new(at(0), Work::default()).fraction(Work::default()) - 1.0).abs() < f64::EPSILON);
    }
}
