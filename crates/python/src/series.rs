//! Files copied one after the other under one run: [`fcs_engine::session::Series`].
//!
//! Invariants: a copy never raises for what is wrong with a file or a disk; a series that is dropped is ended, so that
//! nothing of it waits for recovery; in a process that was forked off nothing is done with it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use fcs_app::hints;
use fcs_engine::progress::Snapshot;
use fcs_engine::report::Evidence;
use fcs_engine::session::{FileOutcome, FileReport, Series, SeriesReport};
use fcs_engine::{Control, Error, TargetState};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::path::AnyPath;
use crate::poll::{INTERVAL, cancels, guarded, with_polls};
use crate::settings::now;
use crate::text::{self, WHO};

/// Files below this size are copied on the calling thread: a second one and its polls would cost more than the copy.
const INLINE_BELOW: u64 = 4 << 20;

/// What became of one file.
#[pyclass(frozen, module = "foldercomparesync._engine")]
#[derive(Debug, Default)]
#[pyo3(get_all)]
pub(crate) struct CopyOutcome {
    success: bool,
    /// "direct" or "staged".
    strategy: String,
    file_size: u64,
    bytes_copied: u64,
    /// The copy was read back and equals the source.
    verified: bool,
    /// "none", "comparison", "hash" or "shared blocks".
    verification: String,
    /// "device", "cache", "shared", "not requested" or "none".
    evidence: String,
    /// Why it is only "cache".
    evidence_why: String,
    /// It gets its name with its group: see `Operation.settle`.
    waits: bool,
    hash: String,
    hash_algorithm: String,
    /// A whole sentence, or empty.
    error: String,
    /// The system's number, or 0.
    error_code: i32,
    error_details: String,
    /// What to do.
    hint: String,
    /// "original", "absent", "unknown" or "new".
    target_state: String,
    /// It failed after it was begun, and the target is as it was.
    rolled_back: bool,
    cancelled: bool,
    sparse: bool,
    /// An original was kept for undo.
    replaced: bool,
    retries: u64,
    run_id: String,
    staged_path: String,
    kept_path: String,
    seconds_copy: f64,
    seconds_verify: f64,
    seconds: f64,
    /// What the copy does not have, and what was worth knowing beforehand.
    warnings: Vec<String>,
    /// `target` as text: to make a `Path` takes Python a fifth of the time of a small file.
    target_text: OsString,
}

impl CopyOutcome {
    fn of(report: FileReport, control: &Control) -> Self {
        let progress = control.progress.snapshot();
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let mut outcome = Self {
            strategy: report.strategy.map_or("direct", |chosen| chosen.strategy()).to_owned(),
            file_size: report.size,
            sparse: report.may_be_sparse,
            run_id: report.run.as_ref().map(ToString::to_string).unwrap_or_default(),
            seconds: report.took.as_secs_f64(),
            seconds_copy: seconds(progress.copy_nanos),
            seconds_verify: seconds(progress.verify_nanos),
            retries: progress.retries,
            verification: "none".into(),
            evidence: "none".into(),
            target_state: if report.replaced { "original" } else { "absent" }.into(),
            target_text: report.target.clone().into_os_string(),
            warnings: report.not_kept.iter().map(|text| format!("Not kept: {}.", &**text)).collect(),
            ..Self::default()
        };
        let warned = report.warnings.iter().map(|problem| hints::problem_words(problem, WHO));
        outcome.warnings.extend(warned);
        if let Some((run, step)) = report.run.as_ref().zip(report.step) {
            let folder = report.target.parent().map(std::path::Path::to_owned).unwrap_or_default();
            outcome.staged_path = shown(folder.join(format!(".fcs-{run}-{step}.part")));
            let root = report.root.unwrap_or_default();
            if report.replaced {
                outcome.kept_path =
                    shown(root.join(".fcs").join("undo").join(run.as_str()).join(step.to_string()));
            }
        }
        outcome.ended(report.outcome, report.replaced, report.run.is_some());
        outcome
    }

    fn ended(&mut self, ended: FileOutcome, replaced: bool, begun: bool) {
        match ended {
            FileOutcome::Copied(evidence) => self.copied(&evidence, replaced),
            // Nothing is there under its name, and it is not yet verified as was asked.
            FileOutcome::Waits(evidence) => {
                let state = std::mem::take(&mut self.target_state);
                self.copied(&evidence, replaced);
                (self.waits, self.verified, self.target_state) = (true, false, state);
                self.staged_path = self.staged_path.replace(".part", ".new");
            }
            FileOutcome::DryRun => self.success = true,
            FileOutcome::Refused(problems) => self.error = text::problems(&problems),
            FileOutcome::NotBegun(error) => (self.error, self.hint) = text::session(&error),
            FileOutcome::Failed(error) => self.failed(&error, begun),
            FileOutcome::Skipped(why) => {
                self.cancelled = why == fcs_engine::report::SkipReason::Cancelled;
                self.rolled_back = self.cancelled && begun;
                let words = hints::skip_words(why, WHO);
                let target = self.target_text.display();
                self.error = format!("Could not copy {target}: {}.", words.trim_end_matches('.'));
            }
        }
        if !self.success {
            self.kept_path.clear();
        }
    }

    fn copied(&mut self, evidence: &Evidence, replaced: bool) {
        self.success = true;
        self.bytes_copied = self.file_size;
        self.replaced = replaced;
        self.target_state = "new".into();
        let hash = evidence.hash();
        if let Some(hash) = hash {
            (self.hash, self.hash_algorithm) = (hash.to_string(), "BLAKE3".into());
        }
        let read = if hash.is_some() { "hash" } else { "comparison" };
        let (verified, verification, word, why) = match evidence {
            Evidence::DeviceReread { .. } => (true, read, "device", ""),
            Evidence::CacheReread { why, .. } => (true, read, "cache", why.as_str()),
            Evidence::SharedExtents => (true, "shared blocks", "shared", ""),
            Evidence::NotRequested => (false, "none", "not requested", ""),
            Evidence::NoContent => (false, "none", "none", ""),
        };
        self.verified = verified;
        self.verification = verification.into();
        self.evidence = word.into();
        self.evidence_why = why.into();
    }

    fn failed(&mut self, error: &Error, begun: bool) {
        self.error = error.to_string();
        self.hint = hints::hint(error, WHO).into_owned();
        self.error_code = error.code().unwrap_or(0);
        self.error_details = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
        let state = match error.target {
            Some(TargetState::Original) => "original",
            Some(TargetState::Absent) => "absent",
            Some(TargetState::New) => "new",
            Some(TargetState::Moved) => "moved",
            Some(TargetState::Unknown) => "unknown",
            None => return,
        };
        self.rolled_back = begun && matches!(state, "original" | "absent");
        self.target_state = state.into();
    }
}

fn shown(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

#[pymethods]
impl CopyOutcome {
    /// Absolute.
    #[getter]
    fn target(&self) -> PathBuf {
        PathBuf::from(&self.target_text)
    }

    fn __repr__(&self) -> String {
        let ended = if self.success { &self.evidence } else { &self.error };
        format!("<CopyOutcome {} ({ended})>", if self.success { "success" } else { "failure" })
    }
}

/// Files that are copied one after the other: one run on each folder tree that they go to.
///
/// The journal begins with the first file. Ended by `end`, or when it is dropped.
#[pyclass(frozen, module = "foldercomparesync._engine")]
pub(crate) struct Operation {
    series: Mutex<Series>,
    /// Who is in a poll of it.
    polling: Mutex<Option<ThreadId>>,
    process: u32,
}

impl Operation {
    fn check_process(&self) -> PyResult<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err("This operation belongs to the process that this one was forked from."))
    }

    fn check_reentry(&self) -> PyResult<()> {
        let polling = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        if *polling == Some(std::thread::current().id()) {
            return Err(PyRuntimeError::new_err(
                "A progress or cancel callback of an operation cannot use that operation.",
            ));
        }
        Ok(())
    }

    fn series(&self) -> MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_polling(&self, who: Option<ThreadId>) {
        *self.polling.lock().unwrap_or_else(PoisonError::into_inner) = who;
    }
}

#[pymethods]
impl Operation {
    /// With `group_after`, so many files end one by one, and small ones after them wait for each other: they are copied and
    /// read back from the cache, and get their names in groups (`CopyOutcome.waits`). Their sources must be kept until the
    /// operation has ended. Without it no file waits.
    #[new]
    #[pyo3(signature = (name, dry_run = false, group_after = None))]
    fn new(name: &str, dry_run: bool, group_after: Option<u64>) -> Self {
        let series = Series::new(name, dry_run);
        let series = group_after.map_or(Series::new(name, dry_run), |files| series.group_after(files));
        Self { series: series.into(), polling: Mutex::default(), process: std::process::id() }
    }

    /// Copies one file. `poll(copied, verified, total, strategy)` is called on this thread every `interval` seconds while a
    /// large file is copied, and at the end of each; a true answer cancels. Raises only when used after a fork, from its
    /// own poll, or when Python was interrupted.
    #[pyo3(signature = (source, target, poll = None, interval = INTERVAL))]
    fn copy_file(
        &self,
        py: Python<'_>,
        source: AnyPath,
        target: AnyPath,
        poll: Option<Py<PyAny>>,
        interval: f64,
    ) -> PyResult<CopyOutcome> {
        self.check_process()?;
        self.check_reentry()?;
        let settings = now();
        let control = Control::default();
        let size = py.detach(|| std::fs::metadata(&*source).map_or(0, |found| found.len()));
        let ask = |py: Python<'_>, done: (u64, u64, u64, &str)| {
            let Some(poll) = &poll else { return Ok(false) };
            self.set_polling(Some(std::thread::current().id()));
            let answer = cancels(py, poll.call1(py, done));
            self.set_polling(None);
            answer
        };
        let work = || self.series().copy(&source, &target, &settings, &control);
        let report = if size < INLINE_BELOW {
            py.detach(|| guarded(work))?
        } else {
            // While it is opened and while it gets its name it is not among the files in work.
            let mut last = (0, 0, size, "");
            let ask_now = |py: Python<'_>, now: &Snapshot| {
                if let Some(current) = now.current.first() {
                    let size = current.size;
                    last = (
                        now.copy_bytes_done.min(size).max(last.0),
                        now.verify_bytes_done.min(size).max(last.1),
                        size,
                        current.strategy,
                    );
                }
                ask(py, last)
            };
            with_polls(py, &control, interval, ask_now, work)?
        };
        let outcome = CopyOutcome::of(report, &control);
        if outcome.success {
            let verified = if outcome.verified { outcome.file_size } else { 0 };
            ask(py, (outcome.bytes_copied, verified, outcome.file_size, &outcome.strategy))?;
        }
        Ok(outcome)
    }

    /// Gives files that wait their names. Returns what became of all that waited since this was asked last.
    fn settle(&self, py: Python<'_>) -> PyResult<Vec<CopyOutcome>> {
        self.check_process()?;
        self.check_reentry()?;
        Ok(py.detach(|| {
            let mut series = self.series();
            series.settle(&now());
            settled(&mut series)
        }))
    }

    /// As `settle` for groups that are full already; nothing is waited for.
    fn take_settled(&self, py: Python<'_>) -> PyResult<Vec<CopyOutcome>> {
        self.check_process()?;
        self.check_reentry()?;
        Ok(py.detach(|| settled(&mut self.series())))
    }

    /// Ends the run, or the runs; once ended, says the same again as for an operation without files.
    fn end<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.check_process()?;
        self.check_reentry()?;
        let report = py.detach(|| self.series().end(&now()));
        let dict = PyDict::new(py);
        let SeriesReport { runs, copied, failed, bytes, notes, late } = report;
        dict.set_item("run_ids", runs.iter().map(|(id, ..)| id.to_string()).collect::<Vec<_>>())?;
        dict.set_item("roots", runs.iter().map(|(_, root, _)| root.clone()).collect::<Vec<_>>())?;
        dict.set_item("copied", copied)?;
        dict.set_item("failed", failed)?;
        dict.set_item("bytes", bytes)?;
        let unfinished = runs.iter().filter(|(.., result)| *result == fcs_engine::report::RunResult::Stopped);
        let unfinished = unfinished.map(|(id, root, _)| {
            format!("Run {id} on {} could not be brought to its end. Recover it.", root.display())
        });
        let late = late.iter().map(|error| hints::with_hint(error, WHO));
        dict.set_item("errors", late.chain(unfinished).collect::<Vec<_>>())?;
        let notes = notes.iter().map(|note| hints::note_words(note, WHO));
        dict.set_item("notes", notes.collect::<Vec<_>>())?;
        Ok(dict)
    }

    /// The latest run; "" before the first file.
    #[getter]
    fn run_id(&self, py: Python<'_>) -> PyResult<String> {
        self.check_process()?;
        self.check_reentry()?;
        Ok(py.detach(|| self.series().run().map(ToString::to_string).unwrap_or_default()))
    }

    /// The folders on which a run is under way.
    #[getter]
    fn roots(&self, py: Python<'_>) -> PyResult<Vec<PathBuf>> {
        self.check_process()?;
        self.check_reentry()?;
        Ok(py.detach(|| self.series().roots().into_iter().map(std::path::Path::to_owned).collect()))
    }
}

fn settled(series: &mut Series) -> Vec<CopyOutcome> {
    series.take_settled().into_iter().map(|report| CopyOutcome::of(report, &Control::default())).collect()
}

impl Drop for Operation {
    fn drop(&mut self) {
        // The runs of a process that was forked off are its parent's.
        if self.process != std::process::id() {
            let series = std::mem::replace(&mut *self.series(), Series::new("", true));
            std::mem::forget(series);
            return;
        }
        let end = || drop(self.series().end(&now()));
        match Python::try_attach(|py| py.detach(end)) {
            Some(()) => {}
            None => end(),
        }
    }
}
