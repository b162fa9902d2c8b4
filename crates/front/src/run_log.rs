//! The log of a run: one file, with how each item was copied and why so, and what became of it.
//!
//! Invariant: a log never lies in one of the two folders, and one that cannot be written stops nothing and is told once.
//! Only files that are called as logs are ever deleted. This module must not know how the run is shown.

use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use directories::ProjectDirs;
use fcs_engine::error::shown;
use fcs_engine::report::{ItemReport, Outcome, Report};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::runs::StartError;
use fcs_engine::settings::LogLevel;
use fcs_engine::{Control, Error, Observer, OnCancel, Settings};
use fcs_sys::{Nesting, Time, nesting, open_root};
use jiff::tz::TimeZone;
use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::folders::Folders;
use crate::outcome::{facts, headline, item_words};
use crate::overview::{self, slash};
use crate::settings_file::PATH_VARIABLE;
use crate::task::Proposal;
use crate::trouble::{Trouble, TroubleKind};

/// How the names of logs begin and end.
const NAME: (&str, &str) = ("run-", ".log");
/// A line is not longer than this away from its file: who looks into the log of a long run sees how far it is.
const LATEST: Duration = Duration::from_secs(1);

/// The folder for logs of this user; beside the settings where those were put elsewhere. `None` without a home.
pub fn folder() -> Option<PathBuf> {
    if let Some(settings) = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
        return Path::new(&settings).parent().map(|folder| folder.join("logs"));
    }
    let dirs = ProjectDirs::from("", "", "FolderCompareSync")?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).join("logs"))
}

/// How a run with a log ended.
pub struct Ran {
    /// The run.
    pub report: Result<Report, StartError>,
    /// Where its log is, if it has one.
    pub log: Option<PathBuf>,
    /// Why it has none, or not all of it.
    pub trouble: Option<Trouble>,
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
    let target = proposal.task.target();
    let (source, target) = (folders.root(target.other()), folders.root(target));
    let run = |control: &Control| run(&proposal.plan, source, target, settings, options, control);
    let begun =
        logs.map_or(Ok(None), |logs| RunLog::begin(logs, folders, proposal, settings, options.dry_run));
    let log = match begun {
        Ok(Some(log)) => log,
        Ok(None) => return Ran { report: run(control), log: None, trouble: None },
        Err(trouble) => return Ran { report: run(control), log: None, trouble: Some(trouble) },
    };
    let path = log.path.clone();
    let logged = log.control(control);
    let report = log.within(|| run(&logged));
    let ended = report.as_ref().map_err(|error| error as &dyn fmt::Display);
    let trouble = log.end(proposal, ended).err();
    Ran { report, log: Some(path), trouble }
}

/// A log that is being written.
struct RunLog {
    path: PathBuf,
    log: Dispatch,
    lines: Shared,
    clock: Arc<Clock>,
    items: bool,
}

impl RunLog {
    /// Begins the log of a run in a folder of logs. `None` where the settings want none. Refused where it would lie in
    /// one of the two folders and be a difference itself.
    fn begin(
        logs: &Path,
        folders: &Folders,
        proposal: &Proposal,
        settings: &Settings,
        dry_run: bool,
    ) -> Result<Option<Self>, Trouble> {
        let level = match settings.log_level {
            LogLevel::Off => return Ok(None),
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
        };
        let failed = |error: &dyn fmt::Display| not_written(logs, error);
        // Before the folder is made: not even an empty one may appear in there.
        if lies_in(logs, folders).map_err(|e| failed(&e))? {
            let why = format!("This run has no log: {} would lie in one of the two folders.", shown(logs));
            return Err(Trouble::new(TroubleKind::Refused, why));
        }
        fs::create_dir_all(logs).map_err(|e| failed(&e))?;
        prune(logs, settings.log_files);
        let (path, file) = create(logs).map_err(|e| failed(&e))?;
        let lines = Shared(Arc::new(Mutex::new(Lines::new(file))));
        let writer = lines.clone();
        let clock = Arc::new(Clock::new(TimeZone::system()));
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .with_target(false)
            .with_max_level(level)
            .with_timer(Stamp(Arc::clone(&clock)))
            .finish();
        let log =
            Self { path, log: Dispatch::new(subscriber), lines, clock, items: level == LevelFilter::INFO };
        log.within(|| head(folders, proposal, settings, dry_run));
        Ok(Some(log))
    }

    /// A control whose observer writes the log, and passes on what it hears.
    fn control(&self, control: &Control) -> Control {
        let observer = Arc::new(Logging {
            inner: Arc::clone(&control.observer),
            log: self.log.clone(),
            lines: self.lines.clone(),
            clock: Arc::clone(&self.clock),
            items: self.items,
        });
        Control { observer, ..control.clone() }
    }

    /// Does something whose log lines belong here.
    fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        dispatcher::with_default(&self.log, work)
    }

    /// Writes how it ended. The error is the first one that kept a line from being written.
    fn end(self, proposal: &Proposal, ended: Result<&Report, &dyn fmt::Display>) -> Result<(), Trouble> {
        self.within(|| match ended {
            Ok(report) => {
                facts(report).iter().for_each(|fact| info!("{}: {}", fact.name, fact.text));
                info!("{}", headline(report, proposal.task));
            }
            Err(error) => tracing::error!("{}", one_line(&error.to_string())),
        });
        let mut lines = self.lines.lock();
        drop(lines.flush());
        match lines.error.take() {
            None => Ok(()),
            Some(error) => Err(not_written(&self.path, &error)),
        }
    }
}

fn not_written(path: &Path, why: &dyn fmt::Display) -> Trouble {
    let text = format!("Could not write the log {}: {why}.", shown(path));
    Trouble::new(TroubleKind::Failed, text)
        .hint("The run itself is not affected. The setting log_level turns logs off.")
}

/// What is known before the first item.
fn head(folders: &Folders, proposal: &Proposal, settings: &Settings, dry_run: bool) {
    let version = env!("CARGO_PKG_VERSION");
    let dry = if dry_run { ", dry run" } else { "" };
    info!("FolderCompareSync {version}: {}{dry}", proposal.task.command());
    for fact in
        overview::places(proposal.task, folders).into_iter().chain(overview::facts(proposal, settings))
    {
        info!("{}: {}", fact.name, fact.text);
    }
    for info in Settings::table() {
        let value = settings.get(info.name).unwrap_or_default();
        if value != info.default {
            info!("setting {} = {value}", info.name);
        }
    }
    for problem in &proposal.preflight.problems {
        warn!("{}", one_line(&problem.text));
    }
}

/// Whether a folder that need not exist lies in one of the two, or would.
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

/// A file of its own for each run, also for those that begin in the same second.
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

/// Deletes the oldest logs, so that with the next one there are no more than `most`. Those that cannot be deleted stay.
fn prune(logs: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(logs) else { return };
    let is_log = |name: &str| name.starts_with(NAME.0) && name.ends_with(NAME.1);
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|name| is_log(name))
        .collect();
    names.sort_unstable();
    let keep = usize::try_from(most.saturating_sub(1)).unwrap_or(usize::MAX);
    for name in names.iter().take(names.len().saturating_sub(keep)) {
        drop(fs::remove_file(logs.join(name)));
    }
}

/// What all threads of a run write to.
#[derive(Clone)]
struct Shared(Arc<Mutex<Lines>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Shared {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lock().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

/// The file, whose errors are kept instead of told to whoever logs.
struct Lines {
    file: BufWriter<File>,
    flushed: Instant,
    error: Option<io::Error>,
}

impl Lines {
    fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(1 << 16, file), flushed: Instant::now(), error: None }
    }

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
            if self.flushed.elapsed() >= LATEST {
                return self.flush().map(|()| line.len());
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.note(flushed);
        self.flushed = Instant::now();
        Ok(())
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
}

impl Clock {
    fn stamp(&self, w: &mut dyn fmt::Write) -> fmt::Result {
        let now = Time::now();
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0 != now.seconds() {
            *second = (now.seconds(), fcs_text::time(now, &self.zone, 0));
        }
        write!(w, "{}.{:03}", second.1, now.nanos() / 1_000_000)
    }
}

/// One clock for all lines.
struct Stamp(Arc<Clock>);

impl FormatTime for Stamp {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        self.0.stamp(w)
    }
}

/// Writes what it hears, and passes it on.
struct Logging {
    inner: Arc<dyn Observer>,
    log: Dispatch,
    lines: Shared,
    clock: Arc<Clock>,
    /// The level is one that items are written at.
    items: bool,
}

impl Observer for Logging {
    fn item(&self, item: &ItemReport) {
        // A failure the engine has logged.
        if self.items && !matches!(item.outcome, Outcome::Failed { .. }) {
            let mut line = String::with_capacity(200);
            // Of a line for each of a million items the general way takes three times as long.
            let written = self.clock.stamp(&mut line).and_then(|()| item_line(&mut line, item));
            if written.is_ok() {
                drop(self.lines.lock().write(line.as_bytes()));
            }
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
        dispatcher::with_default(&self.log, || info!("stopped by the user; what was done is {what}"));
        wish
    }

    fn note(&self, text: &str) {
        dispatcher::with_default(&self.log, || warn!("{}", one_line(text)));
        self.inner.note(text);
    }
}

/// As the general way writes it, but for the time.
fn item_line(line: &mut String, item: &ItemReport) -> fmt::Result {
    let words = item_words(item);
    let colon = if words.is_empty() { "" } else { ": " };
    write!(line, "  INFO {}{}{colon}", item.path, slash(item.action))?;
    words.lines().enumerate().try_for_each(|(at, part)| {
        line.push_str(if at == 0 { "" } else { " " });
        line.write_str(part)
    })?;
    match item.strategy {
        Some(chosen) => writeln!(line, " ({})", chosen.reason()),
        None => writeln!(line),
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests;
