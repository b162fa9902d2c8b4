//! The whole window without its drawing: what is shown, what can be done, and what is going on.
//!
//! ```text
//! click or key ─▶ App ── job ─▶ engine, on a thread of its own
//!                  ▲              │
//!                  └── JobEvent ──┘        App::poll, once a frame
//! ```
//!
//! Invariants: at most one job works on the two folders at a time; nothing is written before a [`Confirm`] sheet, a
//! list of dates, or the question of an undo or a recovery was answered; nothing here waits for a disk. This module must not know a toolkit,
//! and asks the system only through [`Desktop`].

mod acts;
mod confirm;
mod directing;
mod events;
mod filtering;
mod folders;
mod jobs;
mod orphans;
mod outcome;
mod past;
mod picker;
mod row_menu;
mod settings;
#[cfg(test)]
mod tests;
mod times;

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fcs_app::settings_file::SettingsFile;
use fcs_app::user_error::UserError;
use fcs_engine::compare::{RowId, Side};
use fcs_engine::history::{RecoverMode, RunInfo};
use fcs_engine::{Control, Settings};
use fcs_sys::Time;
use jiff::tz::TimeZone;

use crate::chips::Chip;
use crate::editor::Editor;
use crate::keep::Remembered;
use crate::log::{Level, Log};
use crate::running::{JobKind, Running};

pub use confirm::{Choice, Confirm, ConflictLine, Proposed};
pub use directing::RowsMeant;
pub use filtering::RowFilter;
pub use folders::FolderField;
pub use jobs::{Loaded, Runs, Unfinished};
pub use orphans::{LARGE, Orphans, Statistics};
pub use outcome::{Done, EndedRun, FailureLine, ItemFailure, Tone};
pub use picker::{DialogAnswer, FolderEntry, Picker};
pub use row_menu::{RowCommand, RowEntry};
pub use times::{
    Checked, Planned, ScopeChoice, ShownTimes, TimesList, TimesScope, TimesSheet, TimesStage, TimesTask,
};

use jobs::{JobEvent, Jobs, Saver, StopChoice, UndoWanted};

/// What is asked of the desktop, on threads that may wait.
pub trait Desktop: Send + Sync {
    /// Lets the user choose a folder.
    fn pick_folder(&self, title: &str, start: Option<&Path>) -> DialogAnswer;
    /// Lets the user choose where a file goes.
    fn pick_save(&self, title: &str, name: &str) -> DialogAnswer;
    /// Lets the user choose a file to read.
    fn pick_open(&self, title: &str) -> DialogAnswer;
    /// Opens an item with the program that the system has for it.
    ///
    /// # Errors
    ///
    /// Why it cannot, as the end of a sentence. What the program then makes of the item is not known here.
    fn open(&self, path: &Path) -> Result<(), String>;
    /// Shows an item in the system's file manager.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    fn reveal(&self, path: &Path) -> Result<(), String>;
}

/// What a window begins with.
pub struct Start {
    /// The settings file, as read.
    pub settings: Result<SettingsFile, UserError>,
    /// What is remembered.
    pub kept: Remembered,
    /// Where that is written; `None` if nowhere.
    pub kept_path: Option<PathBuf>,
    /// The folder for logs of runs; `None` if there is none.
    pub logs: Option<PathBuf>,
    /// The folder for memories of pairs; `None` if there is none.
    pub memories: Option<PathBuf>,
    /// The user's own folder, which `~` stands for.
    pub home: Option<PathBuf>,
    /// The user's time zone.
    pub zone: TimeZone,
    /// The desktop.
    pub desktop: Arc<dyn Desktop>,
    /// Makes the window draw again.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// A job in progress.
pub struct Busy {
    /// What is shown of it.
    pub running: Running,
    control: Control,
    wish: Arc<StopChoice>,
    last: Arc<Mutex<Option<String>>>,
}

impl Busy {
    /// Work that a control belongs to, which begins now.
    pub fn new(kind: JobKind, control: Control, now: Duration) -> Self {
        Self { running: Running::new(kind, now), control, wish: Arc::default(), last: Arc::default() }
    }
}

/// What lies over the table.
pub enum Sheet {
    /// A plan to be confirmed.
    Confirm(Confirm),
    /// How a run ended.
    Ended(Arc<EndedRun>),
    /// How an undo or a recovery ended.
    Done(Done),
    /// Whether a run is to be stopped, and what becomes of it; `closing` when the window was closed.
    Stop {
        /// The window closes afterwards.
        closing: bool,
        /// The run was paused already.
        was_paused: bool,
    },
    /// Whether a run is to be undone.
    AskUndo {
        /// The folder's side.
        side: Side,
        /// The folder.
        folder: PathBuf,
        /// The run, and those that belong to it: the newest first.
        runs: Vec<RunInfo>,
        /// The folders that it wrote to as well.
        others: Vec<(Side, PathBuf)>,
    },
    /// A folder or file is chosen here, because the desktop has no dialog for it.
    Pick(Picker),
    /// Whether and how an interrupted run is recovered.
    AskRecover {
        /// Which run, where.
        unfinished: Unfinished,
        /// What is chosen.
        how: RecoverMode,
    },
    /// The dates of items.
    Times(Box<TimesSheet>),
    /// The dialog that deletes orphans.
    Orphans(Box<Orphans>),
    /// The runs on both folders; `None` while they are listed.
    History(Option<Vec<Runs>>),
    /// The editor of the settings.
    Settings(Editor),
    /// The status log.
    Log {
        /// What is searched for.
        filter: String,
        /// What matters at least so much.
        least: Level,
    },
    /// Something could not be done.
    UserError(UserError),
    /// Keys and what they do.
    Help,
    /// What this is.
    About,
}

/// What the middle of the window shows.
pub enum View {
    /// No folders were compared.
    Empty,
    /// A comparison could not be made.
    Failed(UserError),
    /// A comparison.
    Loaded(Box<Loaded>),
}

/// Whether the window closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// As soon as no work is in progress.
    WhenIdle,
    Now,
}

/// The number of the latest request of one kind. An answer to an earlier one is not waited for any more.
#[derive(Debug, Default)]
struct Latest(u64);

impl Latest {
    /// Asks once more; returns the request's id.
    fn ask(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    /// Waits for no answer any more.
    fn cancel(&mut self) {
        self.0 += 1;
    }

    /// Whether the answer to this request is still waited for.
    fn is_latest(&self, request: u64) -> bool {
        self.0 == request
    }
}

/// What was asked of jobs whose answers may come too late.
#[derive(Debug, Default)]
struct Requests {
    /// A plan, or a list of orphans.
    plan: Latest,
    /// How items to be removed can be accessed.
    accesses: Latest,
    /// What is in a folder to choose from.
    entries: Latest,
}

/// The window.
pub struct App {
    /// What is in the middle.
    pub view: View,
    /// What lies over it.
    pub sheet: Option<Sheet>,
    /// Work in progress.
    pub busy: Option<Busy>,
    /// Interrupted runs.
    pub unfinished: Vec<Unfinished>,
    /// What happened.
    pub log: Log,
    /// What is remembered.
    pub kept: Remembered,
    /// What rows are filtered by.
    pub filter: RowFilter,
    /// Said once beside the bars, until something else is done: what a click did.
    pub status_message: Option<String>,
    /// Text for the clipboard, to be taken by the window.
    pub clipboard: Option<String>,
    /// The cursor was moved by a command and should be seen.
    pub reveal: bool,
    fields: [FolderField; 2],
    home: Option<PathBuf>,
    zone: TimeZone,
    file: SettingsFile,
    settings: Settings,
    written: Remembered,
    kept_path: Option<PathBuf>,
    logs: Option<PathBuf>,
    memories: Option<PathBuf>,
    ticked_bytes: [(u32, u64); 2],
    ended: Option<Arc<EndedRun>>,
    closing: Closing,
    requests: Requests,
    /// How many comparisons were shown.
    comparisons: u64,
    /// How something ended, to be shown when the sheet is closed that was open then.
    next: Option<Sheet>,
    /// When the runs are listed, ask whether to take one back: that one, or the latest.
    undo_next: Option<UndoWanted>,
    now: Duration,
    desktop: Arc<dyn Desktop>,
    jobs: Jobs,
    saver: Saver,
    events: Receiver<JobEvent>,
}

impl App {
    /// A window with nothing in it.
    pub fn new(start: Start) -> Self {
        let (sender, events) = std::sync::mpsc::channel();
        let jobs = Jobs::new(sender, start.wake);
        let mut log = Log::default();
        let mut sheet = None;
        let file = start.settings.unwrap_or_else(|trouble| {
            // Going on with the defaults must not overwrite what the user wrote there.
            log.add(Time::now(), Level::Error, &trouble.to_string());
            let hint = "The defaults apply, and changes are not saved.";
            log.add(Time::now(), Level::Error, hint);
            // A line in the log would soon be below others, and other settings are another comparison.
            let hint = trouble.hint.iter().map(String::as_str).chain([hint]).collect::<Vec<_>>().join(" ");
            sheet = Some(Sheet::UserError(UserError { hint: Some(hint), ..trouble }));
            SettingsFile::empty(PathBuf::new())
        });
        let (settings, written) = (file.settings(), file.clone());
        let fields = [&start.kept.left, &start.kept.right].map(|path| FolderField::new(path.into()));
        Self {
            view: View::Empty,
            sheet,
            busy: None,
            unfinished: Vec::new(),
            log,
            written: start.kept.clone(),
            kept: start.kept,
            filter: RowFilter::default(),
            status_message: None,
            clipboard: None,
            reveal: false,
            fields,
            home: start.home,
            zone: start.zone,
            file,
            settings,
            kept_path: start.kept_path,
            logs: start.logs,
            memories: start.memories,
            ticked_bytes: [(0, 0); 2],
            ended: None,
            closing: Closing::No,
            requests: Requests::default(),
            comparisons: 0,
            next: None,
            undo_next: None,
            now: Duration::ZERO,
            desktop: start.desktop,
            saver: Saver::new(jobs.clone(), written),
            jobs,
            events,
        }
    }

    /// The user's time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The comparison, if there is one.
    pub fn loaded(&self) -> Option<&Loaded> {
        match &self.view {
            View::Loaded(loaded) => Some(loaded),
            _ => None,
        }
    }

    /// The comparison, to be changed by clicks.
    pub fn loaded_mut(&mut self) -> Option<&mut Loaded> {
        match &mut self.view {
            View::Loaded(loaded) => Some(loaded),
            _ => None,
        }
    }

    /// Whether a run could be begun: there is a comparison, and nothing is in progress.
    pub fn can_act(&self) -> bool {
        self.busy.is_none() && self.loaded().is_some()
    }

    /// How many comparisons were shown so far: the numbers of rows mean nothing in another one.
    pub fn comparisons(&self) -> u64 {
        self.comparisons
    }

    /// The side that a key at the cursor's row means: the one that alone has the row, else the one that is `active`.
    pub fn side_at_cursor(&self, active: Side) -> Side {
        self.loaded().map_or(active, |loaded| self.side_at(loaded.model.cursor(), active))
    }

    /// The side that alone has a row, else the one that is `active`.
    pub fn side_at(&self, row: RowId, active: Side) -> Side {
        let Some(loaded) = self.loaded() else { return active };
        match [Side::Left, Side::Right].map(|side| loaded.comparison().node(row, side).is_some()) {
            [true, false] => Side::Left,
            [false, true] => Side::Right,
            _ => active,
        }
    }

    /// Whether something was written since the comparison, and what came of it could not be compared.
    pub fn is_stale(&self) -> bool {
        self.busy.is_none() && self.loaded().is_some_and(|loaded| loaded.stale)
    }

    /// Whether the comparison was made by other criteria than those in force.
    pub fn is_outdated(&self) -> bool {
        self.loaded().is_some_and(|loaded| {
            let [include, exclude] = &loaded.patterns;
            criteria(&loaded.settings) != criteria(&self.settings)
                || (include, exclude) != (&self.kept.include, &self.kept.exclude)
        })
    }

    /// What a chip counts.
    pub fn chip_count(&self, chip: Chip) -> u64 {
        self.loaded().map_or(0, |loaded| loaded.model.rows().count_under(chip))
    }

    /// How many rows are ticked on a side, and their bytes.
    pub fn ticked(&self, side: Side) -> (u32, u64) {
        self.ticked_bytes[side as usize]
    }

    /// The run that ended last in this session.
    pub fn last_run(&self) -> Option<&Arc<EndedRun>> {
        self.ended.as_ref()
    }

    /// Counts what is ticked again; to be called after clicks on boxes.
    pub fn count_ticks(&mut self) {
        self.ticked_bytes = match self.loaded() {
            Some(loaded) => [Side::Left, Side::Right].map(|side| {
                let selection = loaded.model.selection();
                (selection.count(side), selection.bytes_ticked(side))
            }),
            None => [(0, 0); 2],
        };
    }

    /// Takes in what happened since; `now` is a clock that only goes forward.
    pub fn poll(&mut self, now: Duration) {
        self.now = now;
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        if let Some(busy) = &mut self.busy {
            let last = busy.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
            busy.running.update(now, busy.control.progress.snapshot(), last);
        }
        if self.closing == Closing::WhenIdle && self.busy.is_none() {
            self.closing = Closing::Now;
        }
    }

    /// Whether the window should close.
    pub fn should_close(&self) -> bool {
        self.closing == Closing::Now
    }

    /// Closes the window then, if that is `wanted`, and never later than was said before.
    fn close_if(&mut self, wanted: bool, when: Closing) {
        if wanted && self.closing != Closing::Now {
            self.closing = when;
        }
    }

    /// Writes what is remembered and waits for it; the last thing before the program ends.
    pub fn finish(&mut self) {
        self.save_kept();
        self.saver.finish();
    }

    /// Adds a line to the log.
    pub fn tell(&mut self, level: Level, text: &str) {
        self.log.add(Time::now(), level, text);
    }

    fn trouble(&mut self, trouble: &UserError) {
        self.tell(Level::Error, &trouble.message);
        if let Some(hint) = &trouble.hint {
            self.tell(Level::Info, hint);
        }
    }

    fn begin(&mut self, kind: JobKind) -> Control {
        let wish = Arc::default();
        let (control, last) = jobs::JobObserver::control(&self.jobs, &wish);
        self.busy = Some(Busy { wish, last, ..Busy::new(kind, control.clone(), self.now) });
        self.status_message = None;
        if matches!(kind, JobKind::Run | JobKind::Undo | JobKind::Recover) {
            // How the work before this one ended is old news by then.
            self.next = None;
        }
        control
    }
}

/// What a comparison depends on.
fn criteria(settings: &Settings) -> impl PartialEq {
    (
        (
            settings.compare_existence,
            settings.compare_size,
            settings.compare_created,
            settings.compare_modified,
        ),
        (settings.compare_content, settings.time_tolerance_nanos, settings.max_items),
        (settings.ignore_whole_hours, settings.one_file_system),
    )
}
