//! The whole window without its drawing: what is shown, what can be done, and what is going on.
//!
//! ```text
//! click or key ─▶ App ── job ─▶ engine, on a thread of its own
//!                  ▲              │
//!                  └── Event ─────┘        App::poll, once a frame
//! ```
//!
//! Invariants: at most one job works on the two folders at a time; nothing is written before a [`Confirm`] sheet, or the
//! question of an undo or a recovery, was answered; nothing here waits for a disk. This module must not know a toolkit,
//! and asks the system only through [`Desktop`].

mod acts;
mod confirm;
mod events;
mod jobs;
mod orphans;
mod outcome;
mod picker;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fcs_engine::compare::{Comparison, Group, Side};
use fcs_engine::runs::{How, RunInfo};
use fcs_engine::{Control, Settings};
use fcs_front::settings_file::SettingsFile;
use fcs_front::trouble::Trouble;
use fcs_sys::Time;
use jiff::tz::TimeZone;

use crate::editor::Editor;
use crate::filter::{Chips, Filter, FilterError};
use crate::keep::Kept;
use crate::log::{Level, Log};
use crate::running::{Kind, Running};

pub use confirm::{Choice, Confirm, Proposed};
pub use jobs::{Loaded, Runs, Unfinished};
pub use orphans::{LARGE, Orphans, Statistics};
pub use outcome::{Done, Ended, Failure, FailureLine, Tone};
pub use picker::{Answer, Entry, Picker};

use jobs::{Event, Jobs, Saver, Wanted, Wish};

/// What is asked of the desktop, on threads that may wait.
pub trait Desktop: Send + Sync {
    /// Lets the user choose a folder.
    fn pick_folder(&self, title: &str, start: Option<&Path>) -> Answer;
    /// Lets the user choose where a file goes.
    fn pick_save(&self, title: &str, name: &str) -> Answer;
    /// Lets the user choose a file to read.
    fn pick_open(&self, title: &str) -> Answer;
}

/// What a window begins with.
pub struct Start {
    /// The settings file, as read.
    pub settings: Result<SettingsFile, Trouble>,
    /// What is remembered.
    pub kept: Kept,
    /// Where that is written; `None` if nowhere.
    pub kept_path: Option<PathBuf>,
    /// The folder for logs of runs; `None` if there is none.
    pub logs: Option<PathBuf>,
    /// The user's own folder, which `~` stands for.
    pub home: Option<PathBuf>,
    /// The user's time zone.
    pub zone: TimeZone,
    /// The desktop.
    pub desktop: Arc<dyn Desktop>,
    /// Makes the window draw again.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// One of the two folders, as typed or chosen.
#[derive(Debug, Clone, Default)]
pub struct Field {
    text: String,
    /// What was chosen, where that is no text.
    chosen: Option<PathBuf>,
}

impl Field {
    fn new(path: PathBuf) -> Self {
        match path.to_str() {
            Some(text) => Self { text: text.to_owned(), chosen: None },
            None => Self { text: path.to_string_lossy().into_owned(), chosen: Some(path) },
        }
    }

    /// What is in the field.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder.
    pub fn path(&self) -> PathBuf {
        // Paths are pasted with what surrounds them.
        let typed = self.text.trim().trim_matches('"');
        self.chosen.clone().unwrap_or_else(|| typed.into())
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.path().as_os_str().is_empty()
    }
}

/// A job in progress.
pub struct Busy {
    /// What is shown of it.
    pub running: Running,
    control: Control,
    wish: Arc<Wish>,
    last: Arc<Mutex<Option<String>>>,
}

impl Busy {
    /// Work that a control belongs to, which begins now.
    pub fn new(kind: Kind, control: Control, now: Duration) -> Self {
        Self { running: Running::new(kind, now), control, wish: Arc::default(), last: Arc::default() }
    }
}

/// What lies over the table.
pub enum Sheet {
    /// A plan to be confirmed.
    Confirm(Confirm),
    /// How a run ended.
    Ended(Arc<Ended>),
    /// How an undo or a recovery ended.
    Done(Done),
    /// Whether a run is to be stopped, and what becomes of it; `closing` when the window was closed.
    Stop {
        /// The window closes afterwards.
        closing: bool,
        /// The run stood still already.
        stood: bool,
    },
    /// Whether a run is to be taken back.
    AskUndo {
        /// The folder's side.
        side: Side,
        /// The folder.
        folder: PathBuf,
        /// The run, and those that belong to it: the newest first.
        runs: Vec<RunInfo>,
    },
    /// A folder or file is chosen here, because the desktop has no dialog for it.
    Pick(Picker),
    /// Whether and how an interrupted run is put in order.
    AskRecover {
        /// Which run, where.
        unfinished: Unfinished,
        /// What is chosen.
        how: How,
    },
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
    Trouble(Trouble),
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
    Failed(Trouble),
    /// A comparison.
    Loaded(Box<Loaded>),
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
    pub kept: Kept,
    /// The text that rows are filtered by.
    pub filter: String,
    /// What is wrong with it.
    pub filter_error: Option<FilterError>,
    /// The latest text that was understood: the one that the rows are filtered by.
    filter_in_force: String,
    /// The chips that are on.
    pub chips: Chips,
    /// Said once beside the bars, until something else is done: what a click did.
    pub said: Option<String>,
    /// Text for the clipboard, to be taken by the window.
    pub clipboard: Option<String>,
    /// The cursor was moved by a command and should be seen.
    pub reveal: bool,
    /// The window should close.
    pub close: bool,
    fields: [Field; 2],
    home: Option<PathBuf>,
    /// The filter and the chips before they were cleared.
    filter_before: Option<(String, Chips)>,
    zone: TimeZone,
    file: SettingsFile,
    settings: Settings,
    written: Kept,
    kept_path: Option<PathBuf>,
    logs: Option<PathBuf>,
    ticked_bytes: [(u32, u64); 2],
    ended: Option<Arc<Ended>>,
    /// Close when the work is done.
    closing: bool,
    /// How many plans were asked for; only the last one is waited for.
    plans: u64,
    /// How many looks at orphans were asked for; only the last one is waited for.
    looks: u64,
    /// How many folders were listed to choose from; only the last list is waited for.
    lists: u64,
    /// How many comparisons were shown.
    comparisons: u64,
    /// Go through the plan as soon as it is made.
    dry_run_next: bool,
    /// How something ended, to be shown when the sheet is closed that was open then.
    next: Option<Sheet>,
    /// When the runs are listed, ask whether to take one back: that one, or the latest.
    undo_next: Option<Wanted>,
    now: Duration,
    desktop: Arc<dyn Desktop>,
    jobs: Jobs,
    saver: Saver,
    events: Receiver<Event>,
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
            let hint = "The defaults are in force, and changes are not saved.";
            log.add(Time::now(), Level::Error, hint);
            // A line in the log would soon be below others, and other settings are another comparison.
            let hint = trouble.hint.iter().map(String::as_str).chain([hint]).collect::<Vec<_>>().join(" ");
            sheet = Some(Sheet::Trouble(Trouble { hint: Some(hint), ..trouble }));
            SettingsFile::empty(PathBuf::new())
        });
        let (settings, written) = (file.settings(), file.clone());
        let fields = [&start.kept.left, &start.kept.right].map(|path| Field::new(path.into()));
        Self {
            view: View::Empty,
            sheet,
            busy: None,
            unfinished: Vec::new(),
            log,
            written: start.kept.clone(),
            kept: start.kept,
            filter: String::new(),
            filter_error: None,
            filter_in_force: String::new(),
            chips: Chips::ALL,
            said: None,
            clipboard: None,
            reveal: false,
            close: false,
            fields,
            home: start.home,
            filter_before: None,
            zone: start.zone,
            file,
            settings,
            kept_path: start.kept_path,
            logs: start.logs,
            ticked_bytes: [(0, 0); 2],
            ended: None,
            closing: false,
            plans: 0,
            looks: 0,
            lists: 0,
            comparisons: 0,
            dry_run_next: false,
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

    /// One of the two folders.
    pub fn field(&self, side: Side) -> &Field {
        &self.fields[side as usize]
    }

    /// The folder that is named on a side: `~` is the user's own, and a slash at the end makes no other one.
    pub fn named(&self, side: Side) -> PathBuf {
        let path = self.field(side).path();
        let below_home = path.strip_prefix("~").ok().filter(|_| self.field(side).chosen.is_none());
        let path = match (&self.home, below_home) {
            (Some(home), Some(rest)) => home.join(rest),
            _ => path,
        };
        path.components().collect()
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

    /// Whether other folders are named than those that were compared, which is where everything happens.
    pub fn is_elsewhere(&self) -> bool {
        let named = || [Side::Left, Side::Right].map(|side| self.named(side));
        self.busy.is_none() && self.loaded().is_some_and(|loaded| loaded.asked != named())
    }

    /// The side that a key at the cursor's row means: the one that alone has the row, else the one that is `active`.
    pub fn side_at_cursor(&self, active: Side) -> Side {
        let Some(loaded) = self.loaded() else { return active };
        match loaded.comparison().row(loaded.model.cursor()).verdict.group() {
            Group::LeftOnly => Side::Left,
            Group::RightOnly => Side::Right,
            Group::Different | Group::Same | Group::Problem => active,
        }
    }

    /// Whether both folders are named, and could be compared now.
    pub fn can_compare(&self) -> bool {
        self.busy.is_none() && !self.fields.iter().any(Field::is_empty)
    }

    /// Whether the filter or the chips were cleared and can come back.
    pub fn can_take_back_filter(&self) -> bool {
        self.filter_before.is_some()
    }

    /// What is said of the filter: that nothing matches it, or that a part of it is searched for as a name although it
    /// looks like more.
    pub fn filter_words(&self) -> Option<String> {
        let rows = self.loaded()?.model.rows();
        let unknown = crate::filter::looks_like_a_term(&self.filter_in_force).map(|entry| {
            format!(
                "“{entry}” is searched for as a name. Sizes are written >10MB, dates >2024-01-31, paths with /."
            )
        });
        if !rows.is_filtered() || rows.matching().count() > 0 {
            return unknown;
        }
        let what = match (self.filter_in_force.trim().is_empty(), self.chips == Chips::ALL) {
            (false, true) => format!("Nothing matches the filter “{}”.", self.filter_in_force.trim()),
            (true, _) => "Nothing is under the switches that are on.".to_owned(),
            (false, false) => {
                let text = self.filter_in_force.trim();
                format!("Nothing matches the filter “{text}” under the switches that are on.")
            }
        };
        Some(unknown.map_or(what.clone(), |unknown| format!("{what} {unknown}")))
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
    pub fn chip_count(&self, group: Group) -> u64 {
        self.loaded().map_or(0, |loaded| {
            let rows = loaded.model.rows().index().under(group);
            // The root is in no count, as in the summary.
            u64::from(rows.count()) - u64::from(rows.has(Comparison::ROOT))
        })
    }

    /// How many rows are ticked on a side, and their bytes.
    pub fn ticked(&self, side: Side) -> (u32, u64) {
        self.ticked_bytes[side as usize]
    }

    /// The run that ended last in this session.
    pub fn last_run(&self) -> Option<&Arc<Ended>> {
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
        if self.closing && self.busy.is_none() {
            self.close = true;
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

    /// Filters the rows by a text and the chips; a text that is not understood leaves them as they are.
    fn apply_filter(&mut self) {
        match Filter::new(&self.filter, self.chips, &self.zone) {
            Ok(filter) => {
                self.filter_error = None;
                self.filter_in_force.clone_from(&self.filter);
                if let View::Loaded(loaded) = &mut self.view {
                    loaded.model.set_filter(&filter);
                }
            }
            Err(error) => self.filter_error = Some(error),
        }
    }

    fn trouble(&mut self, trouble: &Trouble) {
        self.tell(Level::Error, &trouble.message);
        if let Some(hint) = &trouble.hint {
            self.tell(Level::Info, hint);
        }
    }

    fn begin(&mut self, kind: Kind) -> Control {
        let wish = Arc::default();
        let (control, last) = jobs::Listener::control(&self.jobs, &wish);
        self.busy = Some(Busy { wish, last, ..Busy::new(kind, control.clone(), self.now) });
        self.said = None;
        if matches!(kind, Kind::Run | Kind::Undo | Kind::Recover) {
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
