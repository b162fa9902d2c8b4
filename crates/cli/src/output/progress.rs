//! Two lines on the terminal while work goes on: the file in work, and the whole.
//!
//! Invariant: only polls; it can neither block nor slow the work. When it ends, the terminal is as it was.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use console::measure_text_width;
use fcs_app::estimate::Throughput;
use fcs_engine::Progress;
use fcs_engine::progress::{CurrentFile, Phase, Snapshot};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::When;
use crate::output::terminal::Screen;
use crate::output::text::{clock, count, number, printable, shorten, size};

const DRAW_EVERY: Duration = Duration::from_millis(100);
const PLAIN_EVERY: Duration = Duration::from_secs(1);

/// Calls something at regular times on a thread of its own, and once more when it ends.
pub(crate) struct Ticker {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    pub(crate) fn start(every: Duration, mut tick: impl FnMut() + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                tick();
            }
            tick();
        });
        Self { stop, thread }
    }

    /// Waits for the last call.
    pub(crate) fn stop(self) {
        drop(self.stop);
        // A panic in a display must not turn a finished run into a failure.
        drop(self.thread.join());
    }
}

/// Progress on standard error, in the way this terminal and the user want it.
pub(crate) struct Display {
    screen: Arc<Screen>,
    ticker: Option<Ticker>,
}

impl Display {
    /// Starts to show the counters.
    pub(crate) fn start(screen: &Arc<Screen>, progress: &Arc<Progress>) -> Self {
        let wanted = match screen.show.progress {
            When::Always => true,
            When::Auto => !screen.show.quiet,
            When::Never => false,
        };
        let ticker = if wanted && screen.draw_progress() {
            Some(Self::drawn(screen, Arc::clone(progress)))
        } else if screen.show.progress == When::Always {
            Some(Self::plain(screen, Arc::clone(progress)))
        } else {
            None
        };
        Self { screen: Arc::clone(screen), ticker }
    }

    fn drawn(screen: &Arc<Screen>, progress: Arc<Progress>) -> Ticker {
        let style =
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        // One bar of two lines, so that both are drawn in one go.
        let bar = screen.bars.add(ProgressBar::new_spinner().with_style(style));
        let mut view = View::new();
        let screen = Arc::clone(screen);
        Ticker::start(DRAW_EVERY, move || {
            screen.flush();
            let lines = view.lines(&progress.snapshot(), Screen::err_width().saturating_sub(1));
            let shown: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
            bar.set_message(shown.join("\n"));
        })
    }

    /// For `--progress always` where lines cannot be redrawn: one line a second, below each other.
    fn plain(screen: &Arc<Screen>, progress: Arc<Progress>) -> Ticker {
        let mut view = View::new();
        let screen = Arc::clone(screen);
        Ticker::start(PLAIN_EVERY, move || {
            let [_, overall] = view.lines(&progress.snapshot(), 100);
            if !overall.is_empty() {
                screen.message(&overall);
            }
        })
    }

    /// Ends it and leaves the terminal clean.
    pub(crate) fn end(self) {
        if let Some(ticker) = self.ticker {
            ticker.stop();
        }
        self.screen.end_progress();
    }
}

/// Turns counters into two lines.
struct View {
    began: Instant,
    throughput: Throughput,
}

impl View {
    fn new() -> Self {
        Self { began: Instant::now(), throughput: Throughput::new(Duration::ZERO) }
    }

    fn lines(&mut self, snapshot: &Snapshot, width: usize) -> [String; 2] {
        let now = self.began.elapsed();
        self.lines_at(snapshot, width, now)
    }

    fn lines_at(&mut self, snapshot: &Snapshot, width: usize, now: Duration) -> [String; 2] {
        self.throughput.update(now, snapshot);
        let throughput = &self.throughput;
        match snapshot.phase {
            Phase::Idle | Phase::Done => [String::new(), String::new()],
            Phase::Scan => [
                String::new(),
                format!("Listing both folders: {}", count(snapshot.items_scanned, "item", "items")),
            ],
            Phase::Compare if throughput.total().bytes == 0 => [String::new(), "Comparing".to_owned()],
            Phase::Compare => ["Comparing content".to_owned(), overall(throughput, "read", width)],
            Phase::Copy => {
                [file_line(&snapshot.current, width), overall(throughput, verb_of_all(snapshot), width)]
            }
            Phase::Finish => {
                ["Setting the times of folders".to_owned(), overall(throughput, verb_of_all(snapshot), width)]
            }
            Phase::RollBack => [String::new(), "Rolling back".to_owned()],
        }
    }
}

fn verb_of_all(snapshot: &Snapshot) -> &'static str {
    if snapshot.verify_bytes_total > 0 { "copied and verified" } else { "copied" }
}

/// `copying  staged   43 %  folder/name`, and how many others are in work.
fn file_line(current: &[Arc<CurrentFile>], width: usize) -> String {
    use std::sync::atomic::Ordering::Relaxed;
    let Some(file) = current.first() else {
        return "Small files, in batches".to_owned();
    };
    let (copied, verified) = (file.copied.load(Relaxed), file.verified.load(Relaxed));
    let (phase, done) =
        if copied >= file.size && file.will_verify { ("verifying", verified) } else { ("copying", copied) };
    let percent = percent(done as f64 / file.size.max(1) as f64);
    let head = format!("{phase:<9}  {:<6}  {percent}  {:>9}  ", file.strategy, size(file.size));
    let tail = if current.len() > 1 { format!("  and {} more", current.len() - 1) } else { String::new() };
    let room = width.saturating_sub(measure_text_width(&head) + measure_text_width(&tail));
    let line = format!("{head}{}{tail}", shorten(&printable(&file.path), room));
    shorten(&line, width).into_owned()
}

fn percent(fraction: f64) -> String {
    // Cut, not rounded: 100 % must mean that it is done.
    format!("{:>3} %", (fraction.clamp(0.0, 1.0) * 100.0).floor())
}

fn overall(throughput: &Throughput, verb: &str, width: usize) -> String {
    let (done, total, fraction) = (throughput.done(), throughput.total(), throughput.fraction());
    let mut parts = vec![percent(fraction)];
    if total.bytes > 0 {
        parts.push(format!("{} of {} {verb}", size(done.bytes), size(total.bytes)));
    }
    if total.files > 0 {
        parts.push(format!("{} of {}", number(done.files), count(total.files, "item", "items")));
    }
    if total.bytes > 0 {
        parts.push(format!("{}/s", size(throughput.bytes_per_second())));
    }
    if let Some(left) = throughput.seconds_left() {
        parts.push(format!("{} left", clock(left)));
    }
    let text = parts.join("  ");
    let room = width.saturating_sub(measure_text_width(&text) + 4).min(30);
    if room < 8 {
        return shorten(&text, width).into_owned();
    }
    let filled = (fraction * room as f64).floor() as usize;
    format!("[{}{}]  {text}", "#".repeat(filled), "-".repeat(room - filled))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn file(path: &str, copied: u64, verified: u64) -> Arc<CurrentFile> {
        Arc::new(CurrentFile {
            path: path.into(),
            strategy: "staged",
            size: 4 << 30,
            copied: AtomicU64::new(copied),
            verified: AtomicU64::new(verified),
            will_verify: true,
        })
    }

    fn snapshot() -> Snapshot {
        Snapshot {
            phase: Phase::Copy,
            current: vec![file("films/long name.mkv", 1 << 30, 0)],
            steps_total: 10,
            steps_done: 5,
            copy_bytes_total: 8 << 30,
            copy_bytes_done: 5 << 30,
            verify_bytes_total: 8 << 30,
            verify_bytes_done: 3 << 30,
            ..Snapshot::default()
        }
    }

    #[test]
    fn both_lines_fit_any_width() {
        let mut view = View::new();
        for (i, width) in [200, 120, 80, 60, 40, 20, 1].into_iter().enumerate() {
            for line in view.lines_at(&snapshot(), width, Duration::from_secs(i as u64)) {
                assert!(measure_text_width(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn the_whole_counts_what_is_copied_and_what_is_verified() {
        let [file, whole] = View::new().lines_at(&snapshot(), 130, Duration::from_secs(1));
        assert_eq!(file, "copying    staged   25 %      4 GiB  films/long name.mkv");
        assert!(
            whole.contains("50 %  8 GiB of 16 GiB copied and verified  5 of 10 items  8 GiB/s  0:01 left"),
            "{whole}"
        );
        assert!(whole.starts_with("[###############---------------]"), "{whole}");
    }

    #[test]
    fn the_rate_goes_on_when_folders_get_their_times() {
        let mut view = View::new();
        view.lines_at(&snapshot(), 130, Duration::from_secs(8));
        let finish = Snapshot { phase: Phase::Finish, ..snapshot() };
        let [_, whole] = view.lines_at(&finish, 130, Duration::from_millis(8100));
        assert!(!whole.contains("  80 GiB/s") && !whole.contains("  8 GiB/s"), "{whole}");
    }

    #[test]
    fn a_copied_file_is_being_verified_and_others_are_counted() {
        let current = [file("a\x1b[2J", 4 << 30, 4 << 30), file("b", 0, 0)];
        let line = file_line(&current, 80);
        assert!(line.starts_with("verifying  staged  100 %"), "{line}");
        assert!(line.ends_with("a\\x1b[2J  and 1 more"), "{line}");
        assert_eq!(file_line(&[], 80), "Small files, in batches");
    }

    #[test]
    fn almost_done_is_not_100_percent() {
        assert_eq!(percent(0.9999), " 99 %");
        assert_eq!(percent(1.0), "100 %");
    }
}
