//! The log of a run: one file, with how each item was copied and why so, and what became of it.
//!
//! Invariant: a log is never in one of the two folders, and one that cannot be written stops nothing and is reported once.
//! Only files that are called as logs are ever deleted, and none that may still be written. This module must not know
//! how the run is shown.

use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use directories::ProjectDirs;
use fcs_engine::error::display_path;
use fcs_engine::report::{ItemReport, Outcome, Report};
use fcs_engine::run::RunOptions;
use fcs_engine::session::{Folders, Proposal, SessionError};
use fcs_engine::settings::LogLevel;
use fcs_engine::{Control, Error, Note, Observer, OnCancel, Settings};
use fcs_sys::{Nesting, Time, nesting, open_root};
use jiff::tz::TimeZone;
use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::actions::slash;
use crate::hints::{FrontEnd, note_words, problem_words};
use crate::outcome::{facts, headline, item_words};
use crate::overview;
use crate::user_error::{UserError, UserErrorKind};
use crate::volumes;

/// A log names settings as its own head does; which front end ran it is of no matter to who reads it later.
const WORDS: FrontEnd = FrontEnd::Library;
/// How the names of logs begin and end; between that is a time.
const NAME: (&str, &str) = ("fcs-run-", ".log");
/// The time in a name, with a `0` for each digit.
const TIME: &str = "0000-00-00-00-00-00-000";
/// A line does not wait longer than this to be in its file: a run may end at any time.
const LATEST: Duration = Duration::from_secs(1);
/// No log that was written to so recently is deleted: it may be of a run in progress.
const RECENT: Duration = Duration::from_hours(24);

/// The folder for logs of this user. `None` without a home.
pub fn folder() -> Option<PathBuf> {
    let dirs = ProjectDirs::from("", "", "FolderCompareSync")?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).join("logs"))
}

/// How a run with a log ended.
pub struct Ran {
    /// The run.
    pub report: Result<Report, SessionError>,
    /// Where its log is, if it has one.
    pub log: Option<PathBuf>,
    /// Why it has none, or not all of it.
    pub log_error: Option<UserError>,
}

/// Carries out a plan, with a log in a folder of logs if there is one.
pub fn run_with_log(
    logs: Option<&Path>,
    folders: &Folders,
    proposal: &Proposal,
    settings: &Settings,
    options: &RunOptions,
    control: &Control,
) -> Ran {
    let run = |control: &Control| folders.run(proposal, settings, options, control);
    // Before a log begins: of what is not even tried there is none.
    if let Err(error) = folders.check_not_moved() {
        return Ran { report: Err(error), log: None, log_error: None };
    }
    // What a dry run decides is shown in full, and would only drive out the logs of what was done.
    let logs = logs.filter(|_| !options.dry_run);
    if let Some(logs) = logs {
        let targets = proposal.task.targets().iter();
        volumes::remember(logs, &proposal.mounts, targets.map(|side| folders.root(*side)));
    }
    let log = match logs.map_or(Ok(None), |logs| RunLogFile::begin(logs, folders, proposal, settings)) {
        Ok(Some(log)) => log,
        Ok(None) => return Ran { report: run(control), log: None, log_error: None },
        Err(error) => return Ran { report: run(control), log: None, log_error: Some(error) },
    };
    let path = log.path.clone();
    let control = Control {
        observer: Arc::new(Logging { inner: Arc::clone(&control.observer), book: Arc::clone(&log.book) }),
        ..control.clone()
    };
    let report = dispatcher::with_default(&log.events, || run(&control));
    let ended = report.as_ref().map_err(|error| error as &dyn fmt::Display);
    let log_error = log.end(proposal, ended).err();
    Ran { report, log: Some(path), log_error }
}

/// A log that is being written.
struct RunLogFile {
    path: PathBuf,
    book: Arc<Book>,
    /// Where the engine's own events go, whichever thread they come from.
    events: Dispatch,
    /// Ends the thread that brings lines to the file.
    _end: Sender<()>,
}

impl RunLogFile {
    /// Begins the log of a run in a folder of logs. `None` where the settings want none. Refused where it would be in
    /// one of the two folders and be a difference itself.
    fn begin(
        logs: &Path,
        folders: &Folders,
        proposal: &Proposal,
        settings: &Settings,
    ) -> Result<Option<Self>, UserError> {
        if settings.log_level == LogLevel::Off {
            return Ok(None);
        }
        let failed = |error: &dyn fmt::Display| not_written(logs, error);
        // Before the folder is made: not even an empty one may appear in there.
        if lies_in(logs, folders).map_err(|e| failed(&e))? {
            let why =
                format!("This run has no log: {} would be in one of the two folders.", display_path(logs));
            return Err(UserError::new(UserErrorKind::Refused, why));
        }
        fs::create_dir_all(logs).map_err(|e| {
            let error = failed(&e);
            // A home that is no folder (HOME=/dev/null) has no place for logs, and need not be told so each time.
            let kind =
                if e.kind() == io::ErrorKind::NotADirectory { UserErrorKind::Refused } else { error.kind };
            UserError { kind, ..error }
        })?;
        prune(logs, settings.log_files);
        let (path, file) = create(logs).map_err(|e| failed(&e))?;
        let book = Arc::new(Book {
            lines: Mutex::new(Lines { file: BufWriter::with_capacity(1 << 16, file), error: None }),
            clock: Clock::new(TimeZone::system()),
            level: settings.log_level,
        });
        let writer = Arc::clone(&book);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || Shared(Arc::clone(&writer)))
            .with_ansi(false)
            .with_target(false)
            .with_max_level(match settings.log_level {
                LogLevel::Off => LevelFilter::OFF,
                LogLevel::Error => LevelFilter::ERROR,
                LogLevel::Warn => LevelFilter::WARN,
                LogLevel::Info => LevelFilter::INFO,
            })
            .with_timer(Stamp(Arc::clone(&book)))
            .finish();
        let log =
            Self { path, events: Dispatch::new(subscriber), _end: bring_to_file(Arc::clone(&book)), book };
        log.head(folders, proposal, settings);
        Ok(Some(log))
    }

    /// What is known before the first item. Whatever the level: without it no line means anything.
    fn head(&self, folders: &Folders, proposal: &Proposal, settings: &Settings) {
        let put = |text: String| self.book.put("INFO", &text);
        put(format!("FolderCompareSync {}: {}", env!("CARGO_PKG_VERSION"), proposal.task.command()));
        let facts = overview::places(proposal.task, folders);
        for fact in facts.into_iter().chain(overview::facts(proposal, settings, WORDS)) {
            put(format!("{}: {}", fact.name, fact.text));
        }
        for info in Settings::table() {
            let value = settings.get(info.name).unwrap_or_default();
            if value != info.default {
                put(format!("setting {} = {value}", info.name));
            }
        }
        for problem in proposal.preflight.problems.iter().filter(|_| self.book.level >= LogLevel::Warn) {
            self.book.put("WARN", &problem_words(problem, WORDS));
        }
        drop(self.book.lock().flush());
    }

    /// Writes how it ended. The error is the first one that kept a line from being written.
    fn end(self, proposal: &Proposal, ended: Result<&Report, &dyn fmt::Display>) -> Result<(), UserError> {
        match ended {
            Ok(report) => {
                for fact in facts(report, WORDS) {
                    self.book.put("INFO", &format!("{}: {}", fact.name, fact.text));
                }
                self.book.put("INFO", &headline(report, proposal.task));
            }
            Err(error) => self.book.put("ERROR", &error.to_string()),
        }
        let mut lines = self.book.lock();
        drop(lines.flush());
        match lines.error.take() {
            None => Ok(()),
            Some(error) => Err(not_written(&self.path, &error)),
        }
    }
}

fn not_written(path: &Path, why: &dyn fmt::Display) -> UserError {
    let text = format!("Could not write the log {}: {why}.", display_path(path));
    UserError::new(UserErrorKind::Failed, text)
        .hint("The run itself is not affected. The setting log_level turns logs off.")
}

/// Whether a folder that need not exist is in one of the two, or would.
fn lies_in(logs: &Path, folders: &Folders) -> io::Result<bool> {
    let mut logs = std::path::absolute(logs)?;
    let parts: Vec<Component<'_>> = logs.components().collect();
    if let Some(up) = parts.iter().rposition(|part| *part == Component::ParentDir) {
        // Where a step up leads is known only of what exists.
        let (known, rest) = parts.split_at(up + 1);
        let Ok(known) = fs::canonicalize(known.iter().collect::<PathBuf>()) else { return Ok(true) };
        logs = known.join(rest.iter().collect::<PathBuf>());
    }
    let Some(there) = logs.ancestors().find_map(|folder| open_root(folder).ok()) else { return Ok(false) };
    // Where it cannot be found out the log is missed, not the folder spoiled.
    let inside = |root| !matches!(nesting(&there, root), Ok(Nesting::Apart | Nesting::SecondInFirst));
    Ok(inside(&folders.left) || inside(&folders.right))
}

/// A file of its own for each run, also for those that begin at once.
fn create(logs: &Path) -> io::Result<(PathBuf, File)> {
    // Sorted by name they are sorted by time, wherever the user travels.
    let now = fcs_text::time(Time::now(), &TimeZone::UTC, 3).replace([' ', ':', '.'], "-");
    let mut number = 0;
    loop {
        let more = if number == 0 { String::new() } else { format!("-{number}") };
        let path = logs.join(format!("{}{now}{more}{}", NAME.0, NAME.1));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            made => return Ok((path, made?)),
        }
    }
}

/// Whether a name is one that [`create`] gives.
fn is_log(name: &str) -> bool {
    let middle = name.strip_prefix(NAME.0).and_then(|rest| rest.strip_suffix(NAME.1));
    let Some((time, more)) = middle.and_then(|middle| middle.split_at_checked(TIME.len())) else {
        return false;
    };
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let number =
        more.strip_prefix('-').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    shape == TIME && (more.is_empty() || number)
}

/// Deletes the oldest logs, so that with the next one there are no more than `most`. Those that cannot be deleted stay.
fn prune(logs: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(logs) else { return };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_log(name))
        .collect();
    names.sort_unstable();
    let keep = usize::try_from(most.saturating_sub(1)).unwrap_or(usize::MAX);
    for name in names.iter().take(names.len().saturating_sub(keep)) {
        let path = logs.join(name);
        // Of the name itself: a link is nothing that was made here.
        let old = fs::symlink_metadata(&path).is_ok_and(|about| {
            about.is_file() && about.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > RECENT))
        });
        if old {
            drop(fs::remove_file(path));
        }
    }
}

/// A thread that brings lines to the file that wait, until the sender is gone. Without it they come later.
fn bring_to_file(book: Arc<Book>) -> Sender<()> {
    let (end, ended) = channel::<()>();
    let work = move || {
        while ended.recv_timeout(LATEST) == Err(RecvTimeoutError::Timeout) {
            drop(book.lock().flush());
        }
    };
    drop(std::thread::Builder::new().name("fcs-log".into()).spawn(work));
    end
}

/// What all threads of a run write to.
struct Book {
    lines: Mutex<Lines>,
    clock: Clock,
    level: LogLevel,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line, as the general way for events does. Of a line for each of a million items that takes three times
    /// as long.
    fn put(&self, level: &str, text: &str) {
        let mut line = String::with_capacity(text.len() + 40);
        let stamped = self.clock.stamp(&mut line);
        if stamped.and_then(|()| writeln!(line, " {level:>5} {}", text.replace('\n', " "))).is_ok() {
            drop(self.lock().write(line.as_bytes()));
        }
    }
}

/// The file, whose errors are kept instead of told to whoever logs.
struct Lines {
    file: BufWriter<File>,
    error: Option<io::Error>,
}

impl Lines {
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A full disk is not asked again for each item.
        if self.error.is_none() {
            let written = self.file.write_all(line);
            self.note(written);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.note(flushed);
        Ok(())
    }
}

/// The book as the general way for events wants it.
struct Shared(Arc<Book>);

impl io::Write for Shared {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().flush()
    }
}

/// The clock as it wants that.
struct Stamp(Arc<Book>);

impl FormatTime for Stamp {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        self.0.clock.stamp(w)
    }
}

/// Local time. Its second is written once, not for each of thousands of lines.
struct Clock {
    zone: TimeZone,
    second: Mutex<(i64, String)>,
}

impl Clock {
    fn new(zone: TimeZone) -> Self {
        Self { zone, second: Mutex::new((i64::MIN, String::new())) }
    }

    fn stamp(&self, w: &mut dyn fmt::Write) -> fmt::Result {
        let now = Time::now();
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0 != now.seconds() {
            *second = (now.seconds(), fcs_text::time(now, &self.zone, 0));
        }
        write!(w, "{}.{:03}", second.1, now.nanos() / 1_000_000)
    }
}

/// Writes what it hears, and passes it on. What failed the engine logs itself.
struct Logging {
    inner: Arc<dyn Observer>,
    book: Arc<Book>,
}

impl Observer for Logging {
    fn item(&self, item: &ItemReport) {
        if self.book.level >= LogLevel::Info && !matches!(item.outcome, Outcome::Failed { .. }) {
            self.book.put("INFO", &item_line(item));
        }
        self.inner.item(item);
    }

    fn error(&self, error: &Error) {
        self.inner.error(error);
    }

    fn cancelled(&self, committed: u64) -> OnCancel {
        let wish = self.inner.cancelled(committed);
        let what = match wish {
            OnCancel::Keep => "kept",
            OnCancel::RollBack => "rolled back",
        };
        self.book.put("INFO", &format!("stopped by the user; what was done is {what}"));
        wish
    }

    fn note(&self, note: &Note) {
        if self.book.level >= LogLevel::Warn {
            self.book.put("WARN", &note_words(note, WORDS));
        }
        self.inner.note(note);
    }
}

fn item_line(item: &ItemReport) -> String {
    let words = item_words(item);
    let colon = if words.is_empty() { "" } else { ": " };
    let mut line = format!("{}{}{colon}{words}", item.path, slash(item.action));
    if let Some(chosen) = item.strategy {
        line.push_str(" (");
        line.push_str(chosen.reason());
        line.push(')');
    }
    line
}

#[cfg(test)]
mod tests;
