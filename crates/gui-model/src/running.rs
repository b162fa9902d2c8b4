//! A piece of work in progress, as it is shown: phases, bars, rate, time left, and the rate's history.
//!
//! Invariant: pure; the counters and the time come in. A bar never goes back within a phase, and nothing is shown as
//! done before it is. This module must not know who polls it or what is done with a cancel.

use std::time::Duration;

use fcs_app::estimate::{Amount, Throughput, files_written};
use fcs_engine::progress::{Phase, Snapshot};
use fcs_text::{clock, count, number, size};

/// Points of the rate's history that are kept; older ones are merged in pairs, so that it always shows the whole run.
const POINTS: usize = 240;
/// How long one point lasts at first.
const FIRST_STEP: Duration = Duration::from_millis(250);

/// What the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Two folders are compared.
    Compare,
    /// A plan is made and checked.
    Plan,
    /// A plan is carried out.
    Run,
    /// A plan is gone through and nothing is written.
    DryRun,
    /// A run is rolled back.
    Undo,
    /// An interrupted run is recovered.
    Recover,
    /// What earlier runs keep is deleted.
    Prune,
}

/// Whether work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It does.
    Going,
    /// The user paused it.
    Paused,
    /// It was asked to end, and ends at its next safe point.
    Stopping,
}

/// A bar with the words beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is about: a path, or the words for all of it.
    pub name: String,
    /// From 0 to 1; `None` where no end is known.
    pub fraction: Option<f32>,
    /// How far, in words.
    pub text: String,
}

/// A large file in work.
#[derive(Debug, Clone, PartialEq)]
pub struct FileBars {
    /// Its path.
    pub path: String,
    /// `direct` or `staged`.
    pub strategy: &'static str,
    /// How much is copied.
    pub copied: Bar,
    /// How much is verified; `None` if it will not be.
    pub verified: Option<Bar>,
}

/// The history of the rate: bytes per second in each step of time.
#[derive(Debug, Clone, Default)]
pub struct RateHistory {
    step: Duration,
    points: Vec<f32>,
    last: Option<(Duration, u64)>,
}

impl RateHistory {
    /// Bytes per second, oldest first, one per step.
    pub fn points(&self) -> &[f32] {
        &self.points
    }

    /// How long one point lasts.
    pub fn step(&self) -> Duration {
        self.step
    }

    fn add(&mut self, now: Duration, bytes: u64) {
        let Some((then, before)) = self.last else {
            (self.step, self.last) = (FIRST_STEP, Some((now, bytes)));
            return;
        };
        let elapsed = now.saturating_sub(then);
        if elapsed < self.step {
            return;
        }
        let rate = bytes.saturating_sub(before) as f32 / elapsed.as_secs_f32();
        // A long gap between two looks is as many points, so that the axis stays one of time.
        let steps = (elapsed.as_millis() / self.step.as_millis().max(1)).clamp(1, POINTS as u128);
        self.points.extend(std::iter::repeat_n(rate, steps as usize));
        self.last = Some((now, bytes));
        while self.points.len() >= POINTS {
            self.points =
                self.points.chunks(2).map(|pair| pair.iter().sum::<f32>() / pair.len() as f32).collect();
            self.step *= 2;
        }
    }
}

/// Where files are on average smaller than this, bytes per second say nothing: each file costs as much as such a one.
const SMALL_FILES: u64 = 64 << 10;

/// What is known about a piece of work.
#[derive(Debug)]
pub struct Running {
    /// What it is.
    pub kind: JobKind,
    /// Whether it goes on.
    pub pace: Pace,
    snapshot: Snapshot,
    began: Duration,
    now: Duration,
    /// Time spent standing still.
    paused_total: Duration,
    throughput: Throughput,
    course: RateHistory,
    last_item: Option<String>,
}

impl Running {
    /// Begins now.
    pub fn new(kind: JobKind, now: Duration) -> Self {
        Self {
            kind,
            pace: Pace::Going,
            snapshot: Snapshot::default(),
            began: now,
            now,
            paused_total: Duration::ZERO,
            throughput: Throughput::new(now),
            course: RateHistory::default(),
            last_item: None,
        }
    }

    /// Whether the user paused it.
    pub fn is_paused(&self) -> bool {
        self.pace == Pace::Paused
    }

    /// Pauses it or lets it go on. What was asked to end goes on to its end.
    pub fn set_paused(&mut self, paused: bool) {
        if self.pace != Pace::Stopping {
            self.pace = if paused { Pace::Paused } else { Pace::Going };
        }
    }

    /// Takes in the counters, and the item that ended last.
    pub fn update(&mut self, now: Duration, snapshot: Snapshot, last_item: Option<String>) {
        let passed = now.saturating_sub(self.now);
        self.now = now;
        self.snapshot = snapshot;
        self.last_item = last_item.or_else(|| self.last_item.take());
        if self.is_paused() {
            self.paused_total += passed;
            return;
        }
        let at = now.saturating_sub(self.paused_total);
        self.throughput.update(at, &self.snapshot);
        self.course.add(at, self.throughput.done().bytes);
    }

    /// What goes on, in a word or two.
    pub fn title(&self) -> &'static str {
        if self.pace == Pace::Stopping && self.snapshot.phase != Phase::RollBack {
            return "Stopping";
        }
        if self.is_paused() {
            return "Paused";
        }
        match (self.kind, self.snapshot.phase) {
            (JobKind::Plan, _) => "Preparing",
            (JobKind::DryRun, _) => "Dry run",
            (JobKind::Undo, _) => "Undoing the run",
            (JobKind::Recover, _) => "Recovering the run",
            (JobKind::Prune, _) => "Making room",
            (_, Phase::Idle) => "Starting",
            (_, Phase::Scan) => "Listing both folders",
            (_, Phase::Compare) => "Comparing",
            (_, Phase::RollBack) => "Rolling back",
            (_, Phase::Finish) => "Finishing",
            (_, Phase::Copy | Phase::Done) => self.run_title(),
        }
    }

    fn run_title(&self) -> &'static str {
        let s = &self.snapshot;
        let copied = s.copy_bytes_done >= s.copy_bytes_total;
        if s.copy_bytes_total == 0 {
            "Working"
        } else if copied && s.verify_bytes_done < s.verify_bytes_total {
            "Verifying"
        } else {
            "Copying"
        }
    }

    /// The file or item that work is on, with its strategy where that is known.
    pub fn current(&self) -> Option<String> {
        match self.snapshot.current.first() {
            Some(file) => Some(format!("{} ({})", file.path, file.strategy)),
            None => self.last_item.clone(),
        }
    }

    /// How far all of it is.
    pub fn overall(&self) -> Bar {
        let s = &self.snapshot;
        if self.kind == JobKind::Compare {
            let items = count(s.items_scanned, "item", "items");
            return if s.compare_bytes_total > 0 {
                let text = format!(
                    "{items}, {} of {} read",
                    size(s.compare_bytes_done),
                    size(s.compare_bytes_total)
                );
                Bar {
                    name: "Overall".to_owned(),
                    fraction: part(s.compare_bytes_done, s.compare_bytes_total),
                    text,
                }
            } else {
                Bar { name: "Overall".to_owned(), fraction: None, text: items }
            };
        }
        let (done, total) = (number(s.steps_done), number(s.steps_total));
        let written = files_written(s);
        let text = if written > s.steps_done {
            format!("{} written, {done} of {total} items done", number(written))
        } else {
            format!("{done} of {total} items")
        };
        let known = s.steps_total > 0 && matches!(self.kind, JobKind::Run | JobKind::DryRun);
        Bar {
            name: "Overall".to_owned(),
            fraction: known.then(|| self.throughput.fraction() as f32),
            text: if known { text } else { String::new() },
        }
    }

    /// The two phases of a run: copying, and verifying if anything will be.
    pub fn phases(&self) -> Vec<Bar> {
        let s = &self.snapshot;
        if !matches!(self.kind, JobKind::Run) {
            return Vec::new();
        }
        let phases = [
            ("Copy", s.copy_bytes_done, s.copy_bytes_total),
            ("Verify", s.verify_bytes_done, s.verify_bytes_total),
        ];
        let bars = phases.into_iter().filter(|phase| phase.2 > 0).map(|(name, done, total)| Bar {
            name: name.to_owned(),
            fraction: part(done, total),
            text: format!("{} of {}", size(done), size(total)),
        });
        bars.collect()
    }

    /// The large files in work.
    pub fn files(&self) -> Vec<FileBars> {
        use std::sync::atomic::Ordering::Relaxed;
        let bar = |name: &str, done: u64, total: u64| Bar {
            name: name.to_owned(),
            fraction: part(done, total),
            text: format!("{} of {}", size(done), size(total)),
        };
        let files = self.snapshot.current.iter().map(|file| FileBars {
            path: file.path.clone(),
            strategy: file.strategy,
            copied: bar("Copied", file.copied.load(Relaxed), file.size),
            verified: file.will_verify.then(|| bar("Verified", file.verified.load(Relaxed), file.size)),
        });
        files.collect()
    }

    /// Bytes per second now; verification counts like copying. Of small files, files per second.
    pub fn rate(&self) -> Option<String> {
        let s = &self.snapshot;
        let small = s.steps_total > 0 && s.copy_bytes_total / s.steps_total < SMALL_FILES;
        if small && self.kind == JobKind::Run {
            let files = self.throughput.files_per_second();
            return (files >= 0.5 && !self.is_paused())
                .then(|| format!("{} files/s", number(files.round() as u64)));
        }
        let rate = self.throughput.bytes_per_second();
        (rate > 0 && !self.is_paused()).then(|| format!("{}/s", size(rate)))
    }

    /// How long it will still take.
    pub fn time_left(&self) -> Option<String> {
        if self.pace != Pace::Going || self.throughput.total() == Amount::default() {
            return None;
        }
        let left = self.throughput.seconds_left()?;
        Some(format!("{} left", clock(left)))
    }

    /// How long it has taken, pauses included.
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_sub(self.began)
    }

    /// The rate since the beginning.
    pub fn course(&self) -> &RateHistory {
        &self.course
    }

    /// Items that failed so far.
    pub fn failed(&self) -> u64 {
        self.snapshot.steps_failed
    }
}

fn part(done: u64, total: u64) -> Option<f32> {
    (total > 0).then(|| (done as f64 / total as f64).clamp(0.0, 1.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn at(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    fn half_copied(tenths: u64) -> Snapshot {
        Snapshot {
            phase: Phase::Copy,
            steps_total: 10,
            steps_done: 5,
            copy_bytes_total: 200 * MIB,
            copy_bytes_done: tenths * MIB,
            verify_bytes_total: 200 * MIB,
            verify_bytes_done: 0,
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_run_shows_both_phases_the_rate_and_the_time_left() {
        let mut running = Running::new(JobKind::Run, at(0));
        for tenth in 0..=100 {
            running.update(at(tenth), half_copied(tenth), None);
        }
        assert_eq!(running.title(), "Copying");
        let phases = running.phases();
        assert_eq!(phases.len(), 2);
        assert_eq!((phases[0].fraction, &*phases[0].text), (Some(0.5), "100 MiB of 200 MiB"));
        assert_eq!((phases[1].fraction, &*phases[1].text), (Some(0.0), "0 B of 200 MiB"));
        assert_eq!(running.overall().text, "5 of 10 items");
        assert!(running.overall().fraction.is_some_and(|f| (0.24..0.27).contains(&f)));
        assert!(running.rate().is_some_and(|rate| rate.starts_with("10")), "{:?}", running.rate());
        assert_eq!(running.time_left().as_deref(), Some("0:31 left"));
        let done = Snapshot { copy_bytes_done: 200 * MIB, verify_bytes_done: MIB, ..half_copied(0) };
        running.update(at(101), done, None);
        assert_eq!(running.title(), "Verifying");
    }

    #[test]
    fn a_pause_neither_lowers_the_rate_nor_lengthens_the_estimate() {
        let mut running = Running::new(JobKind::Run, at(0));
        for tenth in 0..=50 {
            running.update(at(tenth), half_copied(tenth), None);
        }
        let left = running.time_left();
        running.set_paused(true);
        running.update(at(600), half_copied(50), None);
        assert_eq!((running.title(), running.rate(), running.time_left()), ("Paused", None, None));
        assert_eq!(running.elapsed(), at(600));
        running.set_paused(false);
        running.update(at(601), half_copied(51), None);
        assert!(running.rate().is_some_and(|rate| rate.starts_with("10")), "{:?}", running.rate());
        assert!(left.is_some() && running.time_left().is_some());
    }

    /// Case V12: the names of a batch appear together, so that for a long time nothing but its writing goes on.
    #[test]
    fn small_files_count_as_they_are_written_and_their_rate_is_one_of_files() {
        let mut running = Running::new(JobKind::Run, at(0));
        let small = |staged| Snapshot {
            phase: Phase::Copy,
            steps_total: 308,
            steps_staged: staged,
            copy_bytes_total: 308 * 1000,
            copy_bytes_done: staged * 1000,
            ..Snapshot::default()
        };
        for tenth in 0..=60 {
            running.update(at(tenth), small(tenth * 5), None);
        }
        assert_eq!(running.overall().text, "300 written, 0 of 308 items done");
        assert_eq!(running.rate().as_deref(), Some("50 files/s"));
        running.update(at(61), Snapshot { steps_done: 308, ..small(300) }, None);
        assert_eq!(running.overall().text, "308 of 308 items");
    }

    #[test]
    fn the_course_keeps_the_whole_run_in_few_points() {
        let mut course = RateHistory::default();
        for second in 0..10_000 {
            course.add(Duration::from_secs(second), second * MIB);
        }
        assert!(course.points().len() < POINTS);
        let shown = course.step().as_secs_f32() * course.points().len() as f32;
        assert!((9_000.0..=10_500.0).contains(&shown), "{shown}");
        assert!(course.points().iter().all(|rate| (rate - MIB as f32).abs() < 16.0));
    }

    #[test]
    fn a_comparison_has_no_end_until_content_is_read() {
        let mut running = Running::new(JobKind::Compare, at(0));
        running.update(
            at(1),
            Snapshot { phase: Phase::Scan, items_scanned: 1234, ..Snapshot::default() },
            None,
        );
        assert_eq!(
            running.overall(),
            Bar { name: "Overall".into(), fraction: None, text: "1,234 items".into() }
        );
        assert!(running.phases().is_empty() && running.title() == "Listing both folders");
        let reading = Snapshot {
            phase: Phase::Compare,
            compare_bytes_total: 4,
            compare_bytes_done: 1,
            ..Snapshot::default()
        };
        running.update(at(2), reading, None);
        assert_eq!(running.overall().fraction, Some(0.25));
    }
}
