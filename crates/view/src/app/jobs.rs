//! Work on other threads: everything that touches a disk or takes longer than a frame.
//!
//! Invariant: each job ends in exactly one event, also when its thread could not be started or panicked; so the window
//! never waits for nothing. Nothing in here is called from the thread that draws, except to start a job. This module
//! must not know what is on the screen.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use fcs_engine::access::{self, Access};
use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_engine::error::shown;
use fcs_engine::report::{ItemReport, Report};
use fcs_engine::run::RunOptions;
use fcs_engine::runs::{self, Account, How, RunId, RunInfo};
use fcs_engine::{Control, Error, Observer, OnCancel, Settings};
use fcs_front::folders::{Folders, open_one};
use fcs_front::outcome::start_trouble;
use fcs_front::report_file::ReportFile;
use fcs_front::run_log::run_with_log;
use fcs_front::settings_file::{SettingsFile, write_in_one_step};
use fcs_front::task::{Task, propose};
use fcs_front::trouble::{Trouble, TroubleKind};
use fcs_sys::{Name, RelPath};

use super::confirm::Proposed;
use super::orphans::Orphans;
use super::outcome::Ended;
use super::picker::{Answer, Entry, Purpose};
use crate::bits::Bits;
use crate::carry::Memory;
use crate::index::Index;
use crate::log::Level;
use crate::model::Model;

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
pub(super) struct Request {
    pub(super) left: PathBuf,
    pub(super) right: PathBuf,
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) settings: Settings,
    pub(super) memory: Option<Memory>,
    /// An earlier comparison whose reading may be taken over.
    pub(super) before: Option<Arc<Index>>,
}

/// Which rows a plan is for.
#[derive(Debug, Clone)]
pub(super) enum Rows {
    /// These.
    Ticked(Bits),
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
    pub runs: Result<Vec<RunInfo>, Trouble>,
}

/// How a job ended.
pub(super) enum Event {
    /// What a path was to be chosen for, and what came of it.
    Picked(Box<Purpose>, Answer),
    /// What is in a folder that was listed as number so much to choose from.
    ToPick(u64, Result<Vec<Entry>, String>),
    Compared(Result<Box<Loaded>, Trouble>, Vec<Unfinished>),
    /// Runs that wait, found without a comparison.
    Waiting(Vec<Unfinished>),
    /// The plan that was asked for as the so manieth.
    Proposed(u64, Box<Proposed>),
    /// The same plan once the volume was tried, and what was agreed to before that.
    Tried(u64, Box<Proposed>, Arc<Proposed>),
    Ran(Result<Box<Ended>, Trouble>),
    Accounted {
        side: Side,
        recovered: bool,
        result: Result<Vec<Account>, Trouble>,
    },
    Listed(Vec<Runs>),
    /// The dialog that was asked for as the so manieth plan.
    Orphans(u64, Box<Orphans>),
    /// How the items to be removed look now, asked for as the so manieth look.
    Accesses(u64, HashMap<RowId, Access>),
    /// Earlier runs do not keep their originals any more, but for what could not be deleted.
    Pruned(Result<runs::Pruned, Trouble>),
    /// A file was written: what it is, and where, or why not.
    Saved(&'static str, Result<PathBuf, Trouble>),
    Imported(Result<Box<SettingsFile>, Trouble>),
    /// Something worth a line.
    Told(Level, String),
    /// A job ended in a panic.
    Broke(&'static str),
}

/// Starts jobs.
#[derive(Clone)]
pub(super) struct Jobs {
    events: Sender<Event>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Jobs {
    pub(super) fn new(events: Sender<Event>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { events, wake }
    }

    /// Does something on a thread of its own.
    pub(super) fn start(&self, what: &'static str, job: impl FnOnce(&Self) -> Event + Send + 'static) {
        let here = self.clone();
        let started = std::thread::Builder::new().name(what.to_owned()).spawn(move || {
            // What a panic leaves half-done is dropped with the job; nothing is shared but counters.
            let event = catch_unwind(AssertUnwindSafe(|| job(&here))).unwrap_or(Event::Broke(what));
            here.send(event);
        });
        if started.is_err() {
            self.send(Event::Broke(what));
        }
    }

    /// Frees what is large on another thread: a million rows take longer than a frame.
    pub(super) fn let_go(large: impl Send + 'static) {
        // Where no thread can be had it is freed here.
        drop(std::thread::Builder::new().name("let go".to_owned()).spawn(move || drop(large)));
    }

    pub(super) fn send(&self, event: Event) {
        // Nobody listens any more when the window is closed.
        drop(self.events.send(event));
        (self.wake)();
    }
}

/// What the user wants of a run that is stopped.
#[derive(Debug, Default)]
pub(super) struct Wish(AtomicU8);

impl Wish {
    pub(super) fn set(&self, wish: OnCancel) {
        self.0.store(u8::from(wish == OnCancel::RollBack), Ordering::SeqCst);
    }

    fn get(&self) -> OnCancel {
        if self.0.load(Ordering::SeqCst) == 0 { OnCancel::Keep } else { OnCancel::RollBack }
    }
}

/// Listens to the engine.
pub(super) struct Listener {
    jobs: Jobs,
    wish: Arc<Wish>,
    last: Arc<Mutex<Option<String>>>,
}

impl Listener {
    /// A control whose observer this is, and where the item that ended last stands.
    pub(super) fn control(jobs: &Jobs, wish: &Arc<Wish>) -> (Control, Arc<Mutex<Option<String>>>) {
        let last = Arc::default();
        let listener = Self { jobs: jobs.clone(), wish: Arc::clone(wish), last: Arc::clone(&last) };
        (Control { observer: Arc::new(listener), ..Control::default() }, last)
    }
}

impl Observer for Listener {
    fn item(&self, item: &ItemReport) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(item.path.to_string());
    }

    fn error(&self, error: &Error) {
        self.jobs.send(Event::Told(Level::Error, error.to_string()));
    }

    fn cancelled(&self, _committed: u64) -> OnCancel {
        self.wish.get()
    }

    fn note(&self, text: &str) {
        self.jobs.send(Event::Told(Level::Warning, text.to_owned()));
    }
}

/// Opens, scans, compares, and makes the rows.
pub(super) fn compare(request: &Request, control: &Control) -> Event {
    let began = Instant::now();
    let folders = match Folders::open(
        &request.left,
        &request.right,
        &request.include,
        &request.exclude,
        &request.settings,
    ) {
        Ok(folders) => Arc::new(folders),
        Err(trouble) => return Event::Compared(Err(trouble), Vec::new()),
    };
    let waiting = waiting(&folders);
    let before = request.before.as_ref().map(|index| index.comparison());
    let comparison = match folders.compare_after(before, &request.settings, control) {
        Ok(comparison) => comparison,
        Err(error) => return Event::Compared(Err(failed(&error)), waiting),
    };
    if comparison.cancelled || control.cancel.is_cancelled() {
        let trouble = Trouble {
            message: "The comparison was stopped.".to_owned(),
            hint: Some("Nothing was written. Press Compare to begin again.".to_owned()),
            kind: TroubleKind::Usage,
        };
        return Event::Compared(Err(trouble), waiting);
    }
    let mut model = Model::new(Arc::new(comparison));
    if let Some(memory) = &request.memory {
        memory.give(&mut model);
    }
    let seconds = began.elapsed().as_secs_f64();
    let asked = [request.left.clone(), request.right.clone()];
    let patterns = [request.include.clone(), request.exclude.clone()];
    let settings = request.settings.clone();
    let loaded = Loaded { folders, model, settings, seconds, asked, stale: false, patterns };
    Event::Compared(Ok(Box::new(loaded)), waiting)
}

fn failed(error: &Error) -> Trouble {
    Trouble { message: error.to_string(), hint: None, kind: TroubleKind::Failed }
}

fn waiting(folders: &Folders) -> Vec<Unfinished> {
    let found = [Side::Left, Side::Right].map(|side| {
        let root = folders.root(side);
        // That they cannot be listed is said when a run is begun, which is refused then.
        let runs = runs::unfinished(root).unwrap_or_default();
        Unfinished { side, folder: root.path.clone(), runs }
    });
    found.into_iter().filter(|found| !found.runs.is_empty()).collect()
}

/// Looks for interrupted runs on two folders, as far as they can be opened.
pub(super) fn look(paths: [PathBuf; 2]) -> Event {
    let sides = [Side::Left, Side::Right].into_iter().zip(paths);
    let found = sides.filter_map(|(side, path)| {
        let root = open_one(&path).ok()?;
        let runs = runs::unfinished(&root).ok().filter(|runs| !runs.is_empty())?;
        Some(Unfinished { side, folder: root.path, runs })
    });
    Event::Waiting(found.collect())
}

/// Makes a plan and checks it.
pub(super) fn prepare(
    task: Task,
    folders: &Arc<Folders>,
    index: &Index,
    rows: &Rows,
    settings: Settings,
) -> Proposed {
    let comparison = index.comparison();
    let bits = match rows {
        Rows::Ticked(bits) => bits.clone(),
        Rows::Paths(paths) => at_paths(paths, comparison, task.target()),
    };
    let proposal = propose(task, folders, comparison, &|row| bits.has(row), &settings, None);
    let untried = !proposal.plan.folders.is_empty() && folders.is_untried(task.target());
    Proposed::new(proposal, Arc::clone(folders), settings, untried, &bits, index)
}

/// Tries the volume that is written to, unless the run will be refused anyway, and makes the plan again. Only after it was
/// agreed to write there.
pub(super) fn try_volume(agreed: &Proposed, index: &Index, rows: &Rows) -> Proposed {
    let (folders, task) = (&agreed.folders, agreed.proposal.task);
    let in_progress = runs::in_progress(folders.root(task.target()));
    if folders.are_still_there().is_ok() && !matches!(in_progress, Ok(Some(_))) {
        folders.try_volume(task.target());
    }
    let again = prepare(task, folders, index, rows, agreed.settings.clone());
    // Whatever kept it from being tried, the run will meet and say.
    Proposed { untried: false, ..again }
}

fn at_paths(paths: &[RelPath], comparison: &Comparison, side: Side) -> Bits {
    let mut bits = Bits::none(comparison.rows.len());
    let mut places = Places::new(comparison, side);
    for path in paths {
        if let Some(row) = places.find(path) {
            bits.add(row);
        }
    }
    bits
}

/// Finds the rows of many paths: each folder's names are read once, however many paths lie in it.
struct Places<'a> {
    comparison: &'a Comparison,
    side: Side,
    names: HashMap<RowId, HashMap<&'a [u8], RowId>>,
}

impl<'a> Places<'a> {
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
    Places::new(comparison, side).find(path)
}

/// Carries out a plan, or goes through it.
pub(super) fn run(
    proposed: &Proposed,
    dry_run: bool,
    retries: Option<RunId>,
    logs: Option<&Path>,
    control: &Control,
) -> Event {
    let Proposed { proposal, folders, settings, .. } = proposed;
    let task = proposal.task;
    if let Err(trouble) = folders.are_still_there() {
        return Event::Ran(Err(trouble));
    }
    let options = RunOptions {
        dry_run,
        retries,
        command: task.command().to_owned(),
        removed: task.removed_to(),
        probe: folders.probe(task.target()).cloned(),
        ..RunOptions::default()
    };
    let ran = run_with_log(logs, folders, proposal, settings, &options, control);
    if let Some(trouble) = ran.trouble {
        control.observer.note(&trouble.message);
    }
    let target = folders.root(task.target());
    Event::Ran(match ran.report {
        Ok(report) => Ok(Box::new(Ended::new(report, target.path.clone(), proposal, ran.log.as_deref()))),
        Err(error) => Err(start_trouble(&error, target)),
    })
}

/// Takes a run back.
pub(super) fn undo(side: Side, folder: &Path, run: &str, control: &Control) -> Event {
    let result = open_one(folder).and_then(|root| {
        let account = runs::undo(&root, Some(run), control).map_err(|error| start_trouble(&error, &root))?;
        Ok(vec![account])
    });
    Event::Accounted { side, recovered: false, result }
}

/// Puts a folder's interrupted runs in order.
pub(super) fn recover(side: Side, folder: &Path, how: How, control: &Control) -> Event {
    let result = open_one(folder)
        .and_then(|root| runs::recover(&root, how, control).map_err(|error| start_trouble(&error, &root)));
    Event::Accounted { side, recovered: true, result }
}

/// Deletes what the runs up to one of them keep.
pub(super) fn prune(folders: &Folders, side: Side, newest: &str) -> Event {
    let root = folders.root(side);
    let pruned = folders
        .are_still_there()
        .and_then(|()| runs::prune(root, Some(newest)).map_err(|error| start_trouble(&error, root)));
    Event::Pruned(pruned)
}

/// Lists the runs on both folders.
pub(super) fn list(paths: Vec<(Side, PathBuf)>) -> Event {
    let runs_of = |(side, path): (Side, PathBuf)| {
        let root = open_one(&path);
        let folder = root.as_ref().map_or_else(|_| path.clone(), |root| root.path.clone());
        let runs = root.and_then(|root| runs::list(&root).map_err(|error| failed(&error)));
        Runs { side, folder, runs }
    };
    Event::Listed(paths.into_iter().map(runs_of).collect())
}

/// Looks at everything on a side that could be removed.
pub(super) fn accesses(
    side: Side,
    folders: &Folders,
    comparison: &Comparison,
    settings: &Settings,
) -> HashMap<RowId, Access> {
    let plan = fcs_engine::plan::plan_orphans(comparison, side, &|_| true, settings);
    let found = access::of_removals(&plan, folders.root(side));
    let mut places = Places::new(comparison, side);
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
pub(super) fn entries(folder: &Path) -> Result<Vec<Entry>, String> {
    let failed = |error: std::io::Error| format!("Could not list {}: {error}.", shown(folder));
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        // Through links: what one leads to can be entered.
        found.push(Entry { name: item.file_name(), folder: item.path().is_dir() });
    }
    found.sort_by_cached_key(|entry| (!entry.folder, entry.name.to_string_lossy().to_lowercase()));
    Ok(found)
}

/// Writes a file in one step.
pub(super) fn save(what: &'static str, path: PathBuf, content: &[u8]) -> Event {
    let written = write_in_one_step(&path, content).map_err(|error| Trouble {
        message: format!("Could not write {what} {}: {error}.", shown(&path)),
        hint: Some("What was there before is unchanged. Choose another place.".to_owned()),
        kind: TroubleKind::Failed,
    });
    Event::Saved(what, written.map(|()| path))
}

/// Writes a report, never into one of the two folders.
pub(super) fn save_report(path: PathBuf, report: &Report, folders: Option<&Folders>) -> Event {
    let what = "the report";
    let Some(folders) = folders else {
        let refused = "The folders are not open any more. Compare again, then save the report.";
        let trouble = Trouble { message: refused.to_owned(), hint: None, kind: TroubleKind::Failed };
        return Event::Saved(what, Err(trouble));
    };
    let saved = ReportFile::check(&path, &folders.left, &folders.right).and_then(|file| file.write(report));
    Event::Saved(what, saved.map(|()| path))
}

/// Reads settings from a file.
pub(super) fn import(mut file: SettingsFile, path: &Path) -> Result<Box<SettingsFile>, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|error| Trouble {
        message: format!("Could not read the settings {}: {error}.", shown(path)),
        hint: Some("The settings are as they were.".to_owned()),
        kind: TroubleKind::Failed,
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
    fn carry_out(self, written: &mut SettingsFile) -> Result<(), Trouble> {
        match self {
            Self::File(what, path, content) => match save(what, path, &content) {
                Event::Saved(_, result) => result.map(drop),
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
                    jobs.send(Event::Told(Level::Error, trouble.message));
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

/// Which run is to be taken back.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// The newest that can be.
    Latest,
    /// The newest that can be on one side.
    LatestOn(Side),
    /// The one with this id.
    Run(String),
}

/// The run that is wanted, if it can be undone: of the latest runs on each folder the newest, as undo itself goes back.
pub(super) fn wanted<'a>(listed: &'a [Runs], which: &Wanted) -> Option<(&'a Runs, &'a RunInfo)> {
    let sides = listed.iter().filter(|of| !matches!(which, Wanted::LatestOn(side) if *side != of.side));
    let found = sides.filter_map(|of| {
        let runs = of.runs.as_deref().ok()?;
        let id = match which {
            Wanted::Run(id) => Some(id.as_str()),
            Wanted::Latest | Wanted::LatestOn(_) => None,
        };
        Some((of, *runs::to_undo(runs, id).first()?))
    });
    found.max_by_key(|(_, run)| run.started)
}
