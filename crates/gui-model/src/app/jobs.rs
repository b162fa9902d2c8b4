//! Work on other threads: everything that touches a disk or takes longer than a frame.
//!
//! Invariant: each job ends in exactly one event, also when its thread could not be started or panicked; so the window
//! never waits for nothing. Nothing in here is called from the thread that draws, except to start a job. This module
//! must not know what is on the screen.

mod runs;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use fcs_app::hints::{FrontEnd, note_words, with_hint};
use fcs_app::report_file::ReportFile;
use fcs_app::settings_file::{SettingsFile, write_in_one_step};
use fcs_app::user_error::{UserError, UserErrorKind};
use fcs_app::{known, remembering};
use fcs_engine::access::{self, Access};
use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_engine::directions::Mode;
use fcs_engine::error::display_path;
use fcs_engine::history::{self, RecoveryReport, RunId, RunInfo};
use fcs_engine::report::{ItemReport, Report};
use fcs_engine::session::{self, Folders, Part, SessionError};
use fcs_engine::{Control, Error, Note, Observer, OnCancel, Settings};
use fcs_sys::{Name, RelPath, Root};

use super::confirm::Proposed;
use super::orphans::Orphans;
use super::outcome::EndedRun;
use super::picker::{DialogAnswer, FolderEntry, Purpose};
use super::times::TimesStage;
use crate::bits::Bits;
use crate::carry::Memory;
use crate::directed::Directed;
use crate::index::Index;
use crate::log::Level;
use crate::model::Model;

pub(super) use runs::{RunRequest, decide, prepare, recover, run, try_volumes, undo};

/// Two folders, compared.
pub struct Loaded {
    /// The open folders.
    pub folders: Arc<Folders>,
    /// The rows, and what is ticked and visible.
    pub model: Model,
    /// The settings it was compared by.
    pub settings: Settings,
    /// How long it took.
    pub seconds: f64,
    /// What the two folders were called when that was asked for.
    pub(super) asked: [PathBuf; 2],
    /// Something was written since.
    pub(super) stale: bool,
    /// The patterns of what takes part and what does not.
    pub(super) patterns: [Vec<String>; 2],
}

impl Loaded {
    /// What was compared.
    pub fn comparison(&self) -> &Comparison {
        self.model.rows().index().comparison()
    }
}

/// What a comparison is made of.
#[derive(Debug, Clone)]
pub(super) struct CompareRequest {
    pub(super) left: PathBuf,
    pub(super) right: PathBuf,
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) settings: Settings,
    pub(super) memory: Option<Memory>,
    /// An earlier comparison whose reading may be taken over.
    pub(super) before: Option<Arc<Index>>,
    /// What the rows are decided by.
    pub(super) mode: Option<Mode>,
    pub(super) memories: Option<PathBuf>,
}

/// Which rows a plan is for.
#[derive(Debug, Clone)]
pub(super) enum PlannedRows {
    /// These.
    Ticked(Bits),
    /// All, as was decided.
    Decided(Arc<Directed>),
    /// What has these paths on the side that is written.
    Paths(Vec<RelPath>),
}

/// Interrupted runs on a side's folder.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// Which folder.
    pub side: Side,
    /// Its path.
    pub folder: PathBuf,
    /// The runs.
    pub runs: Vec<RunInfo>,
}

/// A folder's runs, or why they cannot be had.
#[derive(Debug, Clone)]
pub struct Runs {
    /// Which folder.
    pub side: Side,
    /// Its path.
    pub folder: PathBuf,
    /// Its runs, newest first.
    pub runs: Result<Vec<RunInfo>, UserError>,
}

/// How a job ended.
pub(super) enum JobEvent {
    /// What a path was to be chosen for, and what came of it.
    Picked(Box<Purpose>, DialogAnswer),
    /// What is in a folder that is listed to choose from, and the request id.
    ToPick(u64, Result<Vec<FolderEntry>, String>),
    Compared(Result<Box<Loaded>, UserError>, Vec<Unfinished>),
    /// Runs that wait, found without a comparison.
    Waiting(Vec<Unfinished>),
    /// What is to be done with the rows, and the request id.
    Decided(u64, Option<Box<Directed>>),
    /// The plan of this request id.
    Proposed(u64, Box<Proposed>),
    /// The same plan once the volume was tried, and what was agreed to before that.
    Tried(u64, Box<Proposed>, Arc<Proposed>),
    /// What looking at dates has brought, and the request id.
    Times(u64, TimesStage),
    Ran(Result<Box<EndedRun>, UserError>),
    Accounted {
        side: Side,
        recovered: bool,
        result: Result<Vec<(PathBuf, Vec<RecoveryReport>)>, UserError>,
    },
    Listed(Vec<Runs>),
    /// The dialog of this request id.
    Orphans(u64, Box<Orphans>),
    /// How the items to be removed can be accessed now, and the request id.
    Accesses(u64, HashMap<RowId, Access>),
    /// Earlier runs do not keep their originals any more, but for what could not be deleted.
    Pruned(Result<history::Pruned, UserError>),
    /// A file was written: what it is, and where, or why not.
    Saved(&'static str, Result<PathBuf, UserError>),
    /// An item was handed to the system, or why it could not be.
    Opened(Result<String, UserError>),
    Imported(Result<Box<SettingsFile>, UserError>),
    /// Something worth a line.
    Told(Level, String),
    /// A job ended in a panic.
    Broke(&'static str),
}

/// Starts jobs.
#[derive(Clone)]
pub(super) struct Jobs {
    events: Sender<JobEvent>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Jobs {
    pub(super) fn new(events: Sender<JobEvent>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { events, wake }
    }

    /// Does something on a thread of its own.
    pub(super) fn start(&self, what: &'static str, job: impl FnOnce(&Self) -> JobEvent + Send + 'static) {
        let here = self.clone();
        let started = std::thread::Builder::new().name(what.to_owned()).spawn(move || {
            // What a panic leaves half-done is dropped with the job; nothing is shared but counters.
            let event = catch_unwind(AssertUnwindSafe(|| job(&here))).unwrap_or(JobEvent::Broke(what));
            here.send(event);
        });
        if started.is_err() {
            self.send(JobEvent::Broke(what));
        }
    }

    /// Frees what is large on another thread: a million rows take longer than a frame.
    pub(super) fn free_elsewhere(large: impl Send + 'static) {
        // Where no thread can be had it is freed here.
        drop(std::thread::Builder::new().name("free".to_owned()).spawn(move || drop(large)));
    }

    pub(super) fn send(&self, event: JobEvent) {
        // Nobody listens any more when the window is closed.
        drop(self.events.send(event));
        (self.wake)();
    }
}

/// What the user wants of a run that is stopped.
#[derive(Debug, Default)]
pub(super) struct StopChoice(AtomicU8);

impl StopChoice {
    pub(super) fn set(&self, wish: OnCancel) {
        self.0.store(u8::from(wish == OnCancel::RollBack), Ordering::SeqCst);
    }

    fn get(&self) -> OnCancel {
        if self.0.load(Ordering::SeqCst) == 0 { OnCancel::Keep } else { OnCancel::RollBack }
    }
}

/// Listens to the engine.
pub(super) struct JobObserver {
    jobs: Jobs,
    wish: Arc<StopChoice>,
    last: Arc<Mutex<Option<String>>>,
}

impl JobObserver {
    /// A control whose observer this is, and where the item that ended last stands.
    pub(super) fn control(jobs: &Jobs, wish: &Arc<StopChoice>) -> (Control, Arc<Mutex<Option<String>>>) {
        let last = Arc::default();
        let listener = Self { jobs: jobs.clone(), wish: Arc::clone(wish), last: Arc::clone(&last) };
        (Control { observer: Arc::new(listener), ..Control::default() }, last)
    }
}

impl Observer for JobObserver {
    fn item(&self, item: &ItemReport) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(item.path.to_string());
    }

    fn error(&self, error: &Error) {
        self.jobs.send(JobEvent::Told(Level::Error, with_hint(error, FrontEnd::Window)));
    }

    fn cancelled(&self, _committed: u64) -> OnCancel {
        self.wish.get()
    }

    fn note(&self, note: &Note) {
        self.jobs.send(JobEvent::Told(Level::Warning, note_words(note, FrontEnd::Window)));
    }
}

/// Opens, scans, compares, and makes the rows.
pub(super) fn compare(request: &CompareRequest, control: &Control) -> JobEvent {
    let began = Instant::now();
    let folders = match Folders::open(
        &request.left,
        &request.right,
        &request.include,
        &request.exclude,
        &request.settings,
    ) {
        Ok(folders) => Arc::new(folders),
        Err(error) => return JobEvent::Compared(Err(refused(&error)), Vec::new()),
    };
    let waiting = waiting(&folders);
    let before = request.before.as_ref().map(|index| index.comparison());
    let comparison = match known::compare(&folders, before, &request.settings, control) {
        Ok(comparison) => comparison,
        Err(error) => return JobEvent::Compared(Err(failed(&error)), waiting),
    };
    if comparison.cancelled || control.cancel.is_cancelled() {
        let trouble = UserError {
            message: "The comparison was stopped.".to_owned(),
            hint: Some("Nothing was written. Press Compare to begin again.".to_owned()),
            kind: UserErrorKind::Usage,
        };
        return JobEvent::Compared(Err(trouble), waiting);
    }
    let mut model = Model::new(Arc::new(comparison));
    if let Some(memory) = &request.memory {
        memory.give(&mut model);
    }
    let settings = &request.settings;
    if let Some(mode) = request.mode {
        let index = Arc::clone(model.rows().shared_index());
        let memories = request.memories.as_deref();
        let directed = decide(mode, &folders, &index, settings, memories, control);
        model.set_directed(Some(Arc::new(directed)));
    }
    let seconds = began.elapsed().as_secs_f64();
    let asked = [request.left.clone(), request.right.clone()];
    let patterns = [request.include.clone(), request.exclude.clone()];
    let settings = request.settings.clone();
    let loaded = Loaded { folders, model, settings, seconds, asked, stale: false, patterns };
    JobEvent::Compared(Ok(Box::new(loaded)), waiting)
}

fn failed(error: &Error) -> UserError {
    UserError::of(UserErrorKind::Failed, error, FrontEnd::Window)
}

pub(super) fn refused(error: &SessionError) -> UserError {
    UserError::session(error, FrontEnd::Window)
}

fn waiting(folders: &Folders) -> Vec<Unfinished> {
    unfinished_on([Side::Left, Side::Right].map(|side| (side, folders.root(side).clone())))
}

/// What is not over on these roots, or on others that their runs wrote to and to which only these lead.
fn unfinished_on(roots: impl IntoIterator<Item = (Side, Root)>) -> Vec<Unfinished> {
    let roots: Vec<(Side, Root)> = roots.into_iter().collect();
    let found = roots.iter().map(|(side, root)| {
        // That they cannot be listed is said when a run is begun, which is refused then.
        let parts = session::unfinished_in_all(root).unwrap_or_default().into_iter();
        let is_told_here = |part: &Part| {
            part.root.path == root.path || roots.iter().all(|(_, other)| other.path != part.root.path)
        };
        let runs = parts.filter(is_told_here).map(|part| part.run).collect();
        Unfinished { side: *side, folder: root.path.clone(), runs }
    });
    found.filter(|found| !found.runs.is_empty()).collect()
}

/// Looks for interrupted runs on two folders, as far as they can be opened.
pub(super) fn look(paths: [PathBuf; 2]) -> JobEvent {
    let sides = [Side::Left, Side::Right].into_iter().zip(paths);
    JobEvent::Waiting(unfinished_on(
        sides.filter_map(|(side, path)| Some((side, session::open(&path).ok()?))),
    ))
}

fn at_paths(paths: &[RelPath], comparison: &Comparison, side: Side) -> Bits {
    let mut bits = Bits::none(comparison.rows.len());
    let mut places = PathRows::new(comparison, side);
    for path in paths {
        if let Some(row) = places.find(path) {
            bits.add(row);
        }
    }
    bits
}

/// Finds the rows of many paths: each folder's names are read once, however many paths lie in it.
struct PathRows<'a> {
    comparison: &'a Comparison,
    side: Side,
    names: HashMap<RowId, HashMap<&'a [u8], RowId>>,
}

impl<'a> PathRows<'a> {
    fn new(comparison: &'a Comparison, side: Side) -> Self {
        Self { comparison, side, names: HashMap::new() }
    }

    /// The row of a path as it is or would be spelled on the side.
    fn find(&mut self, path: &RelPath) -> Option<RowId> {
        path.names().try_fold(Comparison::ROOT, |folder, name| self.child(folder, &name))
    }

    fn child(&mut self, folder: RowId, name: &Name) -> Option<RowId> {
        let (comparison, side) = (self.comparison, self.side);
        let names = self.names.entry(folder).or_insert_with(|| {
            comparison.children(folder).map(|row| (comparison.name_on(row, side), row)).collect()
        });
        names.get(name.as_bytes()).copied()
    }
}

/// The row of one path.
#[cfg(test)]
pub(crate) fn find(comparison: &Comparison, path: &RelPath, side: Side) -> Option<RowId> {
    PathRows::new(comparison, side).find(path)
}

/// Deletes what the runs up to one of them keep.
pub(super) fn prune(folders: &Folders, side: Side, newest: &RunId, memories: Option<&Path>) -> JobEvent {
    let pruned =
        remembering::prune_in(memories, folders.root(side), Some(newest)).map_err(|error| refused(&error));
    JobEvent::Pruned(pruned)
}

/// Lists the runs on both folders.
pub(super) fn list(paths: Vec<(Side, PathBuf)>) -> JobEvent {
    let runs_of = |(side, path): (Side, PathBuf)| {
        let root = session::open(&path).map_err(|error| refused(&error));
        let folder = root.as_ref().map_or_else(|_| path.clone(), |root| root.path.clone());
        let runs = root.and_then(|root| history::list(&root).map_err(|error| failed(&error)));
        Runs { side, folder, runs }
    };
    JobEvent::Listed(paths.into_iter().map(runs_of).collect())
}

/// Looks at everything on a side that could be removed.
pub(super) fn accesses(
    side: Side,
    folders: &Folders,
    comparison: &Comparison,
    settings: &Settings,
) -> HashMap<RowId, Access> {
    let plan = fcs_engine::plan::plan_orphans(comparison, side, &|_| true, settings);
    let found = access::of_removals(&plan, &folders.roots());
    let mut places = PathRows::new(comparison, side);
    let mut accesses = HashMap::new();
    let mut folders_found: HashMap<&RelPath, Option<RowId>> = HashMap::new();
    for ((folder, item), access) in plan.removed().zip(found) {
        let row = *folders_found.entry(&folder.path).or_insert_with(|| places.find(&folder.path));
        if let Some(child) = row.and_then(|row| places.child(row, &item.name)) {
            accesses.insert(child, access);
        }
    }
    accesses
}

/// What is in a folder, folders first, to choose from.
pub(super) fn entries(folder: &Path) -> Result<Vec<FolderEntry>, String> {
    let failed = |error: std::io::Error| format!("Could not list {}: {error}.", display_path(folder));
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        // Through links: what one leads to can be entered.
        found.push(FolderEntry { name: item.file_name(), folder: item.path().is_dir() });
    }
    found.sort_by_cached_key(|entry| (!entry.folder, entry.name.to_string_lossy().to_lowercase()));
    Ok(found)
}

/// Writes a file in one step.
pub(super) fn save(what: &'static str, path: PathBuf, content: &[u8]) -> JobEvent {
    let written = write_in_one_step(&path, content).map_err(|error| UserError {
        message: format!("Could not write {what} {}: {error}.", display_path(&path)),
        hint: Some("What was there before is unchanged. Choose another place.".to_owned()),
        kind: UserErrorKind::Failed,
    });
    JobEvent::Saved(what, written.map(|()| path))
}

/// Writes a report, never into one of the two folders.
pub(super) fn save_report(path: PathBuf, report: &Report, folders: Option<&Folders>) -> JobEvent {
    let what = "the report";
    let Some(folders) = folders else {
        let refused = "The folders are not open any more. Compare again, then save the report.";
        let trouble = UserError { message: refused.to_owned(), hint: None, kind: UserErrorKind::Failed };
        return JobEvent::Saved(what, Err(trouble));
    };
    let saved = ReportFile::check(&path, &folders.left, &folders.right)
        .and_then(|file| file.write(report, FrontEnd::Window));
    JobEvent::Saved(what, saved.map(|()| path))
}

/// Reads settings from a file.
pub(super) fn import(mut file: SettingsFile, path: &Path) -> Result<Box<SettingsFile>, UserError> {
    let text = std::fs::read_to_string(path).map_err(|error| UserError {
        message: format!("Could not read the settings {}: {error}.", display_path(path)),
        hint: Some("The settings are unchanged.".to_owned()),
        kind: UserErrorKind::Failed,
    })?;
    file.import(&text)?;
    Ok(Box::new(file))
}

/// What is to be written.
enum Order {
    /// A file of this content.
    File(&'static str, PathBuf, Vec<u8>),
    /// What changed in the settings since they were written last.
    Settings(Box<SettingsFile>),
}

impl Order {
    /// What went wrong. `written` are the settings that this window wrote last, or read.
    fn carry_out(self, written: &mut SettingsFile) -> Result<(), UserError> {
        match self {
            Self::File(what, path, content) => match save(what, path, &content) {
                JobEvent::Saved(_, result) => result.map(drop),
                _ => Ok(()),
            },
            Self::Settings(wanted) => {
                let now = SettingsFile::read(wanted.path().to_owned())?;
                wanted.changes_since(written, now).write()?;
                // Only now: what could not be written is still to be written with the next change.
                *written = *wanted;
                Ok(())
            }
        }
    }
}

/// Writes files one after the other, in the order in which that was asked for, on a thread of its own.
pub(super) struct Saver {
    queue: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    pub(super) fn new(jobs: Jobs, mut written: SettingsFile) -> Self {
        let (queue, orders) = std::sync::mpsc::channel::<Order>();
        let work = move || {
            for order in orders {
                // Told only when it failed: it happens with every change.
                if let Err(trouble) = order.carry_out(&mut written) {
                    jobs.send(JobEvent::Told(Level::Error, trouble.message));
                }
            }
        };
        let thread = std::thread::Builder::new().name("save".to_owned()).spawn(work).ok();
        Self { queue: Some(queue), thread }
    }

    pub(super) fn save(&self, what: &'static str, path: PathBuf, content: Vec<u8>) {
        if let Some(queue) = &self.queue {
            drop(queue.send(Order::File(what, path, content)));
        }
    }

    /// Writes what changed in the settings.
    pub(super) fn save_settings(&self, wanted: SettingsFile) {
        if let Some(queue) = &self.queue {
            drop(queue.send(Order::Settings(Box::new(wanted))));
        }
    }

    /// Waits until everything is written.
    pub(super) fn finish(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Which run is to be undone.
#[derive(Debug, Clone)]
pub(super) enum UndoWanted {
    /// The newest that can be.
    Latest,
    /// The newest that can be on one side.
    LatestOn(Side),
    /// The one with this id.
    Run(RunId),
}

/// The run that is wanted, if it can be undone: of the latest runs on each folder the newest, as undo itself does.
pub(super) fn wanted<'a>(listed: &'a [Runs], which: &UndoWanted) -> Option<(&'a Runs, &'a RunInfo)> {
    let sides = listed.iter().filter(|of| !matches!(which, UndoWanted::LatestOn(side) if *side != of.side));
    let found = sides.filter_map(|of| {
        let runs = of.runs.as_deref().ok()?;
        let id = match which {
            UndoWanted::Run(id) => Some(id),
            UndoWanted::Latest | UndoWanted::LatestOn(_) => None,
        };
        Some((of, *history::to_undo(runs, id).first()?))
    });
    found.max_by_key(|(_, run)| run.started)
}
