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

use fcs_engine::progress::{Phase, Snapshot};

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
pub struct Amount {
    /// Bytes copied plus bytes verified.
    pub bytes: u64,
    /// Files, links and folders.
    pub files: u64,
}

impl Amount {
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
    last: (Duration, Amount),
    bytes: Smoothed,
    cost: Smoothed,
}

impl Estimate {
    /// Begins at a moment, with what was done by then.
    pub fn new(now: Duration, done: Amount) -> Self {
        Self {
            began: now,
            last: (now, done),
            bytes: Smoothed::new(SHOWN_SECONDS),
            cost: Smoothed::new(ESTIMATE_SECONDS),
        }
    }

    /// Adds what is done by now. Moments must not go backwards; a repeated one is ignored.
    pub fn update(&mut self, now: Duration, done: Amount) {
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
    pub fn seconds_left(&self, total: Amount) -> Option<u64> {
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
    pub fn fraction(&self, total: Amount) -> f64 {
        let all = total.cost();
        if all > 0.0 { (self.last.1.cost() / all).clamp(0.0, 1.0) } else { 1.0 }
    }
}

/// How far a job is by its counters, how fast it goes and how long it still takes: what both front ends show.
///
/// A comparison and the run after it count different things, so each begins an estimate of its own. The end of a run goes
/// on with the counters of its copy.
#[derive(Debug, Clone)]
pub struct Throughput {
    counting: Counting,
    estimate: Estimate,
    files: Smoothed,
    /// When the counters were read last, and how many files were written by then.
    last: (Duration, u64),
    done: Amount,
    total: Amount,
}

/// Which counters a phase moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    Nothing,
    Items,
    Compared,
    Copied,
}

impl Counting {
    fn of(phase: Phase) -> Self {
        match phase {
            Phase::Idle => Self::Nothing,
            Phase::Scan => Self::Items,
            Phase::Compare => Self::Compared,
            Phase::Copy | Phase::Finish | Phase::Done | Phase::RollBack => Self::Copied,
        }
    }
}

impl Throughput {
    /// Begins at a moment at which nothing is done.
    pub fn new(now: Duration) -> Self {
        Self {
            counting: Counting::Nothing,
            estimate: Estimate::new(now, Amount::default()),
            files: Smoothed::new(SHOWN_SECONDS),
            last: (now, 0),
            done: Amount::default(),
            total: Amount::default(),
        }
    }

    /// Takes in the counters. Moments must not go backwards; a repeated one moves no rate.
    pub fn update(&mut self, now: Duration, counters: &Snapshot) {
        let counting = Counting::of(counters.phase);
        let is_new = counting != self.counting;
        if is_new {
            *self = Self { counting, ..Self::new(self.last.0) };
        }
        (self.done, self.total) = if counting == Counting::Compared {
            let work = |bytes| Amount { bytes, files: 0 };
            (work(counters.compare_bytes_done), work(counters.compare_bytes_total))
        } else {
            let work =
                |copied: u64, verified, files| Amount { bytes: copied.saturating_add(verified), files };
            (
                work(counters.copy_bytes_done, counters.verify_bytes_done, counters.steps_done),
                work(counters.copy_bytes_total, counters.verify_bytes_total, counters.steps_total),
            )
        };
        let (then, before) = self.last;
        if is_new && now <= then {
            // No time has passed in which it could have been done.
            self.estimate = Estimate::new(now, self.done);
        }
        // Of a phase that is new, what the counters show was done since they were read last.
        self.estimate.update(now, self.done);
        let elapsed = now.saturating_sub(then).as_secs_f64();
        if elapsed > 0.0 {
            let written = files_written(counters);
            self.files.add(written.saturating_sub(before) as f64, elapsed);
            self.last = (now, written);
        }
    }

    /// What is done.
    pub fn done(&self) -> Amount {
        self.done
    }

    /// What there is to do, as far as it is known.
    pub fn total(&self) -> Amount {
        self.total
    }

    /// How much is done, from 0 to 1; 1 where there is nothing to do.
    pub fn fraction(&self) -> f64 {
        self.estimate.fraction(self.total)
    }

    /// Bytes per second; those verified count like those copied.
    pub fn bytes_per_second(&self) -> u64 {
        self.estimate.rate()
    }

    /// Files per second that are written.
    pub fn files_per_second(&self) -> f64 {
        self.files.rate()
    }

    /// Seconds left; `None` as long as it would be a guess.
    pub fn seconds_left(&self) -> Option<u64> {
        self.estimate.seconds_left(self.total)
    }
}

/// Files that are written, whether or not they have their names by now: those of a batch get them together.
pub fn files_written(counters: &Snapshot) -> u64 {
    counters.steps_staged.max(counters.steps_done)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn work(bytes: u64, files: u64) -> Amount {
        Amount { bytes, files }
    }

    fn at(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    /// `seconds` of steady work, ten samples a second.
    fn steady(seconds: u64, per_second: Amount) -> Estimate {
        let mut estimate = Estimate::new(at(0), Amount::default());
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
        let mut estimate = Estimate::new(at(0), Amount::default());
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
    fn a_run_after_a_comparison_begins_an_estimate_of_its_own() {
        let compared = |tenth| Snapshot {
            phase: Phase::Compare,
            compare_bytes_done: tenth * 10 * MIB,
            compare_bytes_total: 1000 * MIB,
            ..Snapshot::default()
        };
        let mut throughput = Throughput::new(at(0));
        (1..=50).for_each(|tenth| throughput.update(at(tenth), &compared(tenth)));
        assert_eq!((throughput.done(), throughput.total()), (work(500 * MIB, 0), work(1000 * MIB, 0)));
        assert_eq!(throughput.seconds_left().map(|s| s.abs_diff(5) <= 1), Some(true));
        let copied = |phase, tenth: u64| Snapshot {
            phase,
            copy_bytes_done: tenth * MIB,
            copy_bytes_total: 100 * MIB,
            verify_bytes_total: 100 * MIB,
            steps_total: 100,
            steps_staged: tenth,
            ..Snapshot::default()
        };
        (1..=50).for_each(|tenth| throughput.update(at(50 + tenth), &copied(Phase::Copy, tenth)));
        assert_eq!((throughput.done(), throughput.total()), (work(50 * MIB, 0), work(200 * MIB, 100)));
        assert!(throughput.bytes_per_second().abs_diff(10 * MIB) < MIB, "{}", throughput.bytes_per_second());
        assert!((throughput.files_per_second() - 10.0).abs() < 0.5, "{}", throughput.files_per_second());
        // The end of the run and its rolling back go on with it.
        for phase in [Phase::Finish, Phase::Done, Phase::RollBack] {
            throughput.update(at(101), &copied(phase, 51));
            assert!(throughput.bytes_per_second().abs_diff(10 * MIB) < MIB, "{phase:?}");
        }
    }

    #[test]
    fn finished_work_has_no_time_left_and_nothing_to_do_is_finished() {
        let estimate = steady(2, work(MIB, 1));
        assert_eq!(estimate.seconds_left(work(2 * MIB, 2)), Some(0));
        assert!(
            (Estimate::new(at(0), Amount::default()).fraction(Amount::default()) - 1.0).abs() < f64::EPSILON
        );
    }
}
