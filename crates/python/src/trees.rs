//! Whole trees: compare, copy, make equal, and what was done to a tree: runs, undo, recovery.

use std::sync::Arc;

use fcs_app::remembering::{self, Remembering};
use fcs_app::together::{self, Holding};
use fcs_app::{hints, known};
use fcs_engine::compare::{Side, Verdict};
use fcs_engine::directions::{Conflicts, Custom, Mode};
use fcs_engine::history::{self, RecoverMode};
use fcs_engine::moves::Moves;
use fcs_engine::progress::{Phase, Snapshot};
use fcs_engine::report::{Outcome, Report};
use fcs_engine::run::RunOptions;
use fcs_engine::session::{self, Folders, Limits, Task};
use fcs_engine::{Control, Note, Settings};
use fcs_sys::{Kind, Time};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::EngineError;
use crate::path::AnyPath;
use crate::poll::{INTERVAL, cancels, with_polls};
use crate::settings::now;
use crate::text::{self, WHO};

/// One item of a comparison.
#[pyclass(frozen, module = "foldercomparesync._engine")]
#[derive(Debug, Clone)]
#[pyo3(get_all)]
pub(crate) struct Row {
    /// As text that can be printed; names that are no valid text have escapes.
    path: String,
    /// Exactly, with `/` between names.
    path_bytes: Vec<u8>,
    verdict: &'static str,
    kind_left: Option<&'static str>,
    kind_right: Option<&'static str>,
    size_left: Option<u64>,
    size_right: Option<u64>,
    modified_left_ns: Option<i128>,
    modified_right_ns: Option<i128>,
}

#[pymethods]
impl Row {
    fn __repr__(&self) -> String {
        format!("<Row {} ({})>", self.path, self.verdict)
    }
}

/// What a comparison found.
#[pyclass(frozen, sequence, module = "foldercomparesync._engine")]
pub(crate) struct Comparison {
    rows: Vec<Row>,
    /// Items that differ, are on one side only, or could not be compared.
    #[pyo3(get)]
    differences: u64,
    #[pyo3(get)]
    notes: Vec<String>,
    #[pyo3(get)]
    cancelled: bool,
}

#[pymethods]
impl Comparison {
    fn __len__(&self) -> usize {
        self.rows.len()
    }

    fn __getitem__(&self, index: isize) -> PyResult<Row> {
        let at = if index < 0 { index.checked_add_unsigned(self.rows.len()) } else { Some(index) };
        let row = at.and_then(|at| self.rows.get(usize::try_from(at).ok()?));
        row.cloned().ok_or_else(|| pyo3::exceptions::PyIndexError::new_err("There is no such row."))
    }
}

/// What a run did.
#[pyclass(frozen, module = "foldercomparesync._engine")]
#[pyo3(get_all)]
pub(crate) struct RunReport {
    run_id: String,
    /// "completed", "completed-with-failures", "cancelled", "stopped", "dry-run", "rolled-back" or "partly-rolled-back".
    result: String,
    copied: u64,
    replaced: u64,
    removed: u64,
    skipped: u64,
    failed: u64,
    bytes: u64,
    seconds: f64,
    /// The whole report.
    json: String,
    errors: Vec<String>,
}

/// What an undo or a recovery did.
#[pyclass(frozen, module = "foldercomparesync._engine")]
#[pyo3(get_all)]
pub(crate) struct RecoveryReport {
    run_id: String,
    /// Everything is as it was to be.
    clean: bool,
    items: u64,
    errors: Vec<String>,
}

/// A run that a folder remembers.
#[pyclass(frozen, module = "foldercomparesync._engine")]
#[pyo3(get_all)]
pub(crate) struct RunInfo {
    run_id: String,
    command: String,
    started_ns: i128,
    state: String,
    items: u64,
    undoable: bool,
}

fn nanos(time: Time) -> i128 {
    time.as_nanos()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Folder => "folder",
        Kind::Symlink => "link",
        Kind::Other => "other",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::LeftOnly => "left only",
        Verdict::RightOnly => "right only",
        Verdict::Different(_) => "different",
        Verdict::KindClash => "kinds differ",
        Verdict::NameClash => "names clash",
        Verdict::Unreadable => "unreadable",
        Verdict::NotComparable => "not comparable",
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Scan => "scan",
        Phase::Compare => "compare",
        Phase::Copy => "copy",
        Phase::Finish => "finish",
        Phase::Done => "done",
        Phase::RollBack => "roll back",
    }
}

/// Two folders, patterns, and who is asked meanwhile.
struct Request {
    left: AnyPath,
    right: AnyPath,
    include: Vec<String>,
    exclude: Vec<String>,
    poll: Option<Py<PyAny>>,
    settings: Settings,
}

impl Request {
    fn open(&self) -> PyResult<Folders> {
        let Self { left, right, include, exclude, settings, .. } = self;
        Folders::open(&**left, &**right, include, exclude, settings).map_err(|error| text::refused(&error))
    }

    /// Does it on another thread, with polls.
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        control: &Control,
        work: impl FnOnce() -> T + Send,
    ) -> PyResult<T> {
        let ask = |py: Python<'_>, now: &Snapshot| {
            let Some(poll) = &self.poll else { return Ok(false) };
            let (done, total) = if now.phase == Phase::Scan {
                (now.items_scanned, 0)
            } else {
                (now.steps_done, now.steps_total)
            };
            let bytes = if now.phase == Phase::Compare {
                (now.compare_bytes_done, now.compare_bytes_total)
            } else {
                (now.copy_bytes_done + now.verify_bytes_done, now.copy_bytes_total + now.verify_bytes_total)
            };
            cancels(py, poll.call1(py, (phase(now.phase), done, total, bytes.0, bytes.1)))
        };
        with_polls(py, control, INTERVAL, ask, work)
    }
}

/// Compares two folder trees by what the settings say counts.
#[pyfunction]
#[pyo3(signature = (left, right, include = Vec::new(), exclude = Vec::new(), poll = None))]
pub(crate) fn compare(
    py: Python<'_>,
    left: AnyPath,
    right: AnyPath,
    include: Vec<String>,
    exclude: Vec<String>,
    poll: Option<Py<PyAny>>,
) -> PyResult<Comparison> {
    let request = Request { left, right, include, exclude, poll, settings: now() };
    let folders = py.detach(|| request.open())?;
    let control = Control::default();
    let found = request.wait(py, &control, || known::compare(&folders, None, &request.settings, &control))?;
    let found = found.map_err(|error| text::raised(&error))?;
    let summary = &found.summary;
    let rows = found.walk().filter(|&row| row != fcs_engine::compare::Comparison::ROOT).map(|row| {
        let (left, right) = (found.entry(row, Side::Left), found.entry(row, Side::Right));
        let path = found.path(row);
        Row {
            path: path.to_string(),
            path_bytes: path.as_bytes().to_vec(),
            verdict: verdict(found.row(row).verdict),
            kind_left: left.map(|entry| kind(entry.kind)),
            kind_right: right.map(|entry| kind(entry.kind)),
            size_left: left.map(|entry| entry.size),
            size_right: right.map(|entry| entry.size),
            modified_left_ns: left.map(|entry| nanos(entry.modified)),
            modified_right_ns: right.map(|entry| nanos(entry.modified)),
        }
    });
    Ok(Comparison {
        rows: rows.collect(),
        differences: summary.differences() + summary.undecided(),
        notes: found.notes.iter().map(|note| hints::note_words(note, WHO)).collect(),
        cancelled: found.cancelled,
    })
}

/// Brings to the right folder what the left one has and it lacks or has otherwise. More files than the settings allow get other
/// content only with `max_change`.
#[pyfunction]
#[pyo3(signature = (left, right, include = Vec::new(), exclude = Vec::new(), dry_run = false, max_change = None, poll = None))]
#[allow(clippy::too_many_arguments)] // As Python has them, by their names.
pub(crate) fn copy_tree(
    py: Python<'_>,
    left: AnyPath,
    right: AnyPath,
    include: Vec<String>,
    exclude: Vec<String>,
    dry_run: bool,
    max_change: Option<u64>,
    poll: Option<Py<PyAny>>,
) -> PyResult<RunReport> {
    let request = Request { left, right, include, exclude, poll, settings: now() };
    let limits = Limits { allowed_changes: max_change, ..Limits::default() };
    carry_out(py, &request, Task::Copy(Side::Right), dry_run, &limits)
}

/// Makes the right folder what the left one is: as `copy_tree`, and what only the right one has is removed; or what `mode` says.
/// More than the settings allow is removed only with `max_delete`, and changed only with `max_change`.
#[pyfunction]
#[pyo3(signature = (
    left, right, include = Vec::new(), exclude = Vec::new(), dry_run = false, max_delete = None, max_change = None, poll = None,
    mode = "mirror", conflicts = "later", custom = None
))]
#[allow(clippy::too_many_arguments)] // As Python has them, by their names.
pub(crate) fn sync_tree(
    py: Python<'_>,
    left: AnyPath,
    right: AnyPath,
    include: Vec<String>,
    exclude: Vec<String>,
    dry_run: bool,
    max_delete: Option<u64>,
    max_change: Option<u64>,
    poll: Option<Py<PyAny>>,
    mode: &str,
    conflicts: &str,
    custom: Option<Vec<(String, String)>>,
) -> PyResult<RunReport> {
    let task = task_of(mode, conflicts, custom)?;
    let request = Request { left, right, include, exclude, poll, settings: now() };
    let limits = Limits { allowed: max_delete, allowed_changes: max_change, ..Limits::default() };
    carry_out(py, &request, task, dry_run, &limits)
}

fn task_of(mode: &str, conflicts: &str, custom: Option<Vec<(String, String)>>) -> PyResult<Task> {
    let refused = |what: String| Err(PyValueError::new_err(what));
    let conflicts: Conflicts = match conflicts.parse() {
        Ok(conflicts) => conflicts,
        Err(expected) => return refused(format!("conflicts is {conflicts:?}, and must be {expected}")),
    };
    if conflicts != Conflicts::default() && mode != "two-way" {
        return refused("conflicts says nothing without mode=\"two-way\"".to_owned());
    }
    if custom.is_some() && mode != "custom" {
        return refused("custom says nothing without mode=\"custom\"".to_owned());
    }
    let mut chosen = Custom::default();
    for (category, choice) in custom.iter().flatten() {
        chosen
            .choose_by_words(category, choice)
            .map_err(|error| PyValueError::new_err(format!("custom: {error}")))?;
    }
    Ok(match mode {
        "mirror" => Task::Sync(Side::Right),
        "update" => Task::Copy(Side::Right),
        "add" => Task::Directed(Mode::Add(Side::Right)),
        "newest" => Task::Directed(Mode::Newest),
        "two-way" => Task::Directed(Mode::TwoWay { conflicts }),
        "custom" => Task::Directed(Mode::Custom(chosen)),
        _ => {
            return refused(format!(
                "mode is {mode:?}, and must be one of mirror, update, add, newest, two-way, custom"
            ));
        }
    })
}

/// Why a run was not begun.
enum Refusal {
    Error(fcs_engine::Error),
    Session(session::SessionError),
    Text(String),
}

fn carry_out(
    py: Python<'_>,
    request: &Request,
    task: Task,
    dry_run: bool,
    limits: &Limits,
) -> PyResult<RunReport> {
    let folders = py.detach(|| request.open())?;
    let control = Control::default();
    let work = || {
        let settings = &request.settings;
        let comparison = known::compare(&folders, None, settings, &control).map_err(Refusal::Error)?;
        if !dry_run {
            task.targets().iter().for_each(|side| folders.try_volume(*side));
        }
        let mut memory = Remembering::of(task, &folders, settings);
        let remembered = memory.as_ref().map(|memory| Arc::clone(&memory.remembered));
        let moves = match task {
            Task::Sync(_) | Task::Directed(_) => {
                let known = remembered.clone().or_else(|| remembering::recalled(&folders, settings));
                folders.moves(&comparison, known.as_deref(), settings, &control)
            }
            Task::Copy(_) | Task::Orphans(..) => Moves::default(),
        };
        let limits = &Limits { remembered, ..limits.clone() };
        let mut proposal = folders.propose_moving(task, &comparison, &|_| true, settings, limits, &moves);
        if let Some(memory) = &memory {
            memory.judge(&mut proposal);
        }
        if proposal.preflight.refuses() {
            return Err(Refusal::Text(text::problems(&proposal.preflight.problems)));
        }
        if let Some(excess) = &proposal.excess {
            return Err(Refusal::Text(too_many(excess, "max_delete")));
        }
        if let Some(change) = &proposal.mass_change {
            return Err(Refusal::Text(too_many(change, "max_change")));
        }
        if !proposal.missing_volumes.is_empty() {
            return Err(Refusal::Text(proposal.missing_volumes.join(" ")));
        }
        let options = RunOptions { dry_run, ..RunOptions::default() };
        let holding = if dry_run { None } else { Some(together::hold(&folders, &proposal)) };
        let holding = holding.transpose().map_err(Refusal::Session)?;
        if let (Some(memory), false) = (&mut memory, dry_run) {
            memory.before(&proposal).map_err(Refusal::Text)?;
        }
        let mut report = folders.run(&proposal, settings, &options, &control).map_err(Refusal::Session)?;
        match memory {
            None => remembering::tell(&folders, &report),
            Some(mut memory) => {
                report.notes.extend(memory.notes.drain(..).map(Note::from));
                let done = (&proposal, &report);
                let why = if dry_run {
                    None
                } else {
                    memory.learn(&folders, &comparison, done, settings, &control)
                };
                report.notes.extend(why.map(Note::from));
            }
        }
        holding.into_iter().for_each(Holding::release);
        Ok(report)
    };
    match request.wait(py, &control, work)? {
        Ok(report) => report_of(&report),
        Err(Refusal::Error(error)) => Err(text::raised(&error)),
        Err(Refusal::Session(error)) => Err(text::refused(&error)),
        Err(Refusal::Text(text)) => Err(EngineError::new_err(text)),
    }
}

fn too_many(guard: &impl std::fmt::Display, argument: &str) -> String {
    format!("{guard}. Nothing was changed. Allow it with {argument}.")
}

fn report_of(report: &Report) -> PyResult<RunReport> {
    let json = serde_json::to_string(report).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let failures = report.items.iter().filter_map(|item| match &item.outcome {
        Outcome::Failed { error } => Some(hints::with_hint(error, WHO)),
        _ => None,
    });
    let result = serde_json::to_value(report.result).ok();
    let counts = &report.counts;
    let replaced = report.items.iter().filter(|item| {
        item.action == fcs_engine::report::ActionKind::Replace && matches!(item.outcome, Outcome::Done { .. })
    });
    Ok(RunReport {
        run_id: report.run.to_string(),
        result: result.as_ref().and_then(|word| word.as_str()).unwrap_or_default().to_owned(),
        copied: counts.copied,
        replaced: replaced.count() as u64,
        removed: counts.removed + counts.folders_removed,
        skipped: counts.skipped,
        failed: counts.failed,
        bytes: counts.bytes_copied,
        seconds: report.seconds,
        json,
        errors: failures.collect(),
    })
}

fn recovery_of(report: &history::RecoveryReport) -> RecoveryReport {
    let errors = report.items.iter().filter_map(|item| item.error.as_ref());
    RecoveryReport {
        run_id: report.run.to_string(),
        clean: report.is_clean(),
        items: report.items.len() as u64,
        errors: errors.map(|error| hints::with_hint(error, WHO)).collect(),
    }
}

/// What was done in all roots of a run.
fn together(mut reports: impl Iterator<Item = RecoveryReport>) -> RecoveryReport {
    let none = RecoveryReport { run_id: String::new(), clean: true, items: 0, errors: Vec::new() };
    let Some(first) = reports.next() else { return none };
    reports.fold(first, |all, one| RecoveryReport {
        run_id: all.run_id,
        clean: all.clean && one.clean,
        items: all.items + one.items,
        errors: all.errors.into_iter().chain(one.errors).collect(),
    })
}

/// Undoes a run on a folder, or without `run_id` the latest that was not undone yet.
#[pyfunction]
#[pyo3(signature = (root, run_id = None))]
pub(crate) fn undo(py: Python<'_>, root: AnyPath, run_id: Option<&str>) -> PyResult<RecoveryReport> {
    let run = run_id.map(str::parse).transpose();
    let run = run.map_err(|error: history::BadRunId| PyValueError::new_err(error.to_string()))?;
    let done = py.detach(|| {
        let root = session::open(&*root)?;
        remembering::undo(&root, run.as_ref(), &Control::default())
    });
    done.map(|reports| together(reports.iter().map(recovery_of))).map_err(|error| text::refused(&error))
}

/// Puts every interrupted run on a folder in order; what it had done stays.
#[pyfunction]
pub(crate) fn recover(py: Python<'_>, root: AnyPath) -> PyResult<Vec<RecoveryReport>> {
    let done = py.detach(|| {
        let root = session::open(&*root)?;
        remembering::recover(&root, RecoverMode::Keep, &Control::default())
    });
    done.map(|all| all.iter().flat_map(|at| &at.reports).map(recovery_of).collect())
        .map_err(|error| text::refused(&error))
}

/// The runs that a folder remembers, newest first.
#[pyfunction]
pub(crate) fn runs(py: Python<'_>, root: AnyPath) -> PyResult<Vec<RunInfo>> {
    let found = py.detach(|| {
        let root = session::open(&*root).map_err(|error| text::refused(&error))?;
        history::list(&root).map_err(|error| text::raised(&error))
    })?;
    let runs = found.into_iter().map(|run| RunInfo {
        run_id: run.run.to_string(),
        command: run.command,
        started_ns: nanos(run.started),
        state: serde_json::to_value(run.state)
            .ok()
            .and_then(|word| Some(word.as_str()?.to_owned()))
            .unwrap_or_default(),
        items: run.items,
        undoable: run.undoable,
    });
    Ok(runs.collect())
}
