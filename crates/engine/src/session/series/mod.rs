//! Files that a caller copies one after the other, each to a path that it names: one run on each root that they go to.
//!
//! Nobody says beforehand what the roots are, so they follow from the paths: the target root is where the folders of source
//! and target stop having the same names, as `/backup` for `/data/a/b/file` copied to `/backup/a/b/file`, or before that
//! where there are journals already, so that one tree does not get two of them.
//!
//! Each file ends before the next: it has its name, and that is durable. That costs syncs of its own for each. A caller that
//! keeps its sources until the series has ended may let small files wait for each other ([`Series::group_after`]). The answer
//! says so ([`FileOutcome::Waits`]): they are copied and read back from the system's cache, get their names together, and what
//! becomes of each is told by [`Series::take_settled`]. A program that deletes a source because its copy waits loses it in a
//! power cut, so nobody gets that who did not ask for it.
//!
//! Invariant: everything that is done to a root is in a journal there, and a path is written to once in a run: a second
//! time begins another run, and the two are undone together. This module must not know who the caller is.

mod way;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fcs_sys::{Kind, Metadata, Name, OsReason, RelPath, Root, is_unc, reason};

use super::SessionError;
use super::root::{check_not_moved, start};
use crate::compare::Side;
use crate::error::display_path;
use crate::history::RunId;
use crate::names::{fold, is_ours};
use crate::plan::{Action, Plan, RootIndex, Step, Target, Totals};
use crate::preflight::{self, Problem, Severity};
use crate::progress::full_path;
use crate::report::{Chosen, Evidence, NotKept, Outcome, RunResult, SkipReason};
use crate::run::RunOptions;
use crate::run::open::{Answer, OpenRun, Put};
use crate::tree::Entry;
use crate::{Control, Error, ErrorKind, Note, Op, Settings, StartError};
use way::{Way, is_within_ours};

/// What became of one file.
#[derive(Debug)]
pub struct FileReport {
    /// Absolute.
    pub source: PathBuf,
    /// Absolute.
    pub target: PathBuf,
    /// The run that it belongs to, where one began.
    pub run: Option<RunId>,
    /// The number of its step in that run.
    pub step: Option<u64>,
    /// The root that was written to.
    pub root: Option<PathBuf>,
    /// The source's size in bytes, where it could be asked.
    pub size: u64,
    /// How it was copied, or would be.
    pub strategy: Option<Chosen>,
    /// Fewer bytes are set aside for the source than its size says: its holes are not kept.
    pub may_be_sparse: bool,
    /// There was something at the target's name, which is kept for undo.
    pub replaced: bool,
    /// How it ended.
    pub outcome: FileOutcome,
    /// What the copy does not have.
    pub not_kept: Vec<NotKept>,
    /// What was found beforehand and did not stand against it.
    pub warnings: Vec<Problem>,
    /// How long it took.
    pub took: Duration,
}

impl FileReport {
    fn new(source: PathBuf, target: PathBuf) -> Self {
        Self {
            source,
            target,
            run: None,
            step: None,
            root: None,
            size: 0,
            strategy: None,
            may_be_sparse: false,
            replaced: false,
            outcome: FileOutcome::DryRun,
            not_kept: Vec::new(),
            warnings: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// What else is known, for when its end is.
    fn without_outcome(&self) -> Self {
        Self {
            source: self.source.clone(),
            target: self.target.clone(),
            run: self.run.clone(),
            step: self.step,
            root: self.root.clone(),
            size: self.size,
            strategy: self.strategy,
            may_be_sparse: self.may_be_sparse,
            replaced: self.replaced,
            outcome: FileOutcome::DryRun,
            not_kept: Vec::new(),
            warnings: self.warnings.clone(),
            took: self.took,
        }
    }
}

/// How the copying of one file ended.
#[derive(Debug)]
pub enum FileOutcome {
    /// It has its name, and that is durable.
    Copied(Evidence),
    /// It is copied, read back from the cache, and waits for its group to get its name.
    Waits(Evidence),
    /// It would have been copied.
    DryRun,
    /// It was not begun, for these reasons.
    Refused(Vec<Problem>),
    /// It was not begun: a folder could not be opened, or no run could begin.
    NotBegun(SessionError),
    /// It failed; the error says what is at the target's name.
    Failed(Error),
    /// It was left alone.
    Skipped(SkipReason),
}

/// What became of a series.
#[derive(Debug, Default)]
pub struct SeriesReport {
    /// The runs, in the order in which they began, and how each ended.
    pub runs: Vec<(RunId, PathBuf, RunResult)>,
    /// Files that were copied.
    pub copied: u64,
    /// Files that were not.
    pub failed: u64,
    /// Content bytes of those that were copied.
    pub bytes: u64,
    /// Said once.
    pub notes: Vec<Note>,
    /// What failed after its file was said to wait, and folders that did not get their dates.
    pub late: Vec<Error>,
}

/// Files that are copied one after the other.
pub struct Series {
    command: String,
    dry_run: bool,
    group_after: u64,
    runs: Vec<OnRoot>,
    way: Option<Way>,
    /// The first run on each root: those that follow belong to it.
    first: HashMap<PathBuf, RunId>,
    begun: u64,
    /// What was said of files that wait, by their targets.
    waiting: HashMap<PathBuf, FileReport>,
    settled: Vec<FileReport>,
    report: SeriesReport,
}

/// Content bytes after which the room on the target is looked at again.
const CHECK_BYTES: u64 = 32 << 20;
/// As long as this a path is taken to lead to the folder that it led to, where files wait in groups; else it is looked up each
/// time.
const WAY_HOLDS: Duration = Duration::from_millis(100);

/// A run on one root.
struct OnRoot {
    run: OpenRun,
    /// What was put, by its folded path.
    put: HashSet<Vec<u8>>,
}

impl Series {
    /// A series that is called so in the list of runs. With `dry_run` nothing is written.
    pub fn new(command: impl Into<String>, dry_run: bool) -> Self {
        Self {
            command: command.into(),
            dry_run,
            group_after: u64::MAX,
            runs: Vec::new(),
            way: None,
            first: HashMap::new(),
            begun: 0,
            waiting: HashMap::new(),
            settled: Vec::new(),
            report: SeriesReport::default(),
        }
    }

    /// So many files end one by one before small ones wait in groups. The caller keeps the sources of those that wait until it
    /// was told what became of them.
    #[must_use]
    pub fn group_after(self, files: u64) -> Self {
        Self { group_after: files, ..self }
    }

    /// The latest run, where one has begun.
    pub fn run(&self) -> Option<&RunId> {
        self.runs.last().map(|on| on.run.id())
    }

    /// The roots on which a run is under way.
    pub fn roots(&self) -> Vec<&Path> {
        self.runs.iter().map(|on| &*on.run.target().path).collect()
    }

    /// Whether any file waits for its group.
    pub fn has_waiting(&self) -> bool {
        self.runs.iter().any(|on| on.run.has_waiting())
    }

    /// What became of files that were said to wait, since this was asked last.
    pub fn take_settled(&mut self) -> Vec<FileReport> {
        std::mem::take(&mut self.settled)
    }

    /// Gives files that wait their names; see [`Series::take_settled`].
    pub fn settle(&mut self, settings: &Settings) {
        for index in 0..self.runs.len() {
            self.commit(index, settings);
        }
    }

    /// Copies one file to a path that need not have a folder yet.
    pub fn copy(
        &mut self,
        source: &Path,
        target: &Path,
        settings: &Settings,
        control: &Control,
    ) -> FileReport {
        let begun = Instant::now();
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut report = FileReport::new(absolute(source), absolute(target));
        let ended = self.try_copy(&mut report, settings, control);
        report.outcome = ended.unwrap_or_else(|ended| ended);
        self.count(&report);
        report.took = begun.elapsed();
        report
    }

    fn count(&mut self, report: &FileReport) {
        match &report.outcome {
            FileOutcome::Copied(_) | FileOutcome::Waits(_) => {
                self.report.copied += 1;
                self.report.bytes += report.size;
            }
            FileOutcome::DryRun => {}
            _ => self.report.failed += 1,
        }
    }

    fn try_copy(
        &mut self,
        report: &mut FileReport,
        settings: &Settings,
        control: &Control,
    ) -> Result<FileOutcome, FileOutcome> {
        let (mut source, target) = (report.source.clone(), report.target.clone());
        for (path, side) in [(&source, Side::Left), (&target, Side::Right)] {
            if is_unc(path) {
                let error = Error::new(Op::Open, path.clone(), ErrorKind::Unc);
                return Err(FileOutcome::NotBegun(SessionError::Open { side: Some(side), error }));
            }
        }
        if is_link(&source) {
            // Who names a file means what it leads to.
            source = std::fs::canonicalize(&source).map_err(|e| os(Op::Open, &source, e))?;
        }
        let names = [name_of(&source)?, name_of(&target)?];
        let way = self.way(&source, &target, settings)?;
        self.copy_on(way, names, report, settings, control)
    }

    /// Copies one file below roots that are open, to a path whose folders need not be there.
    pub fn copy_below(
        &mut self,
        [source_root, target_root]: [&Root; 2],
        source: &RelPath,
        target: &RelPath,
        settings: &Settings,
        control: &Control,
    ) -> FileReport {
        let begun = Instant::now();
        let full = |root: &Root, path: &RelPath| full_path(&root.path, path);
        let mut report = FileReport::new(full(source_root, source), full(target_root, target));
        let split = |path: &RelPath, root: &Root| {
            let ours = (is_ours(path) || is_within_ours(&root.path)).then(|| ours(&full(root, path)));
            let missing = || os(Op::Open, &full(root, path), std::io::ErrorKind::InvalidFilename.into());
            ours.map_or_else(|| path.split().ok_or_else(missing), Err)
        };
        let ended = split(source, source_root).and_then(|(from, source_name)| {
            let (to, target_name) = split(target, target_root)?;
            let roots = [source_root.clone(), target_root.clone()];
            let folders = [full(source_root, &from), full(target_root, &to)];
            let way = Way::below(roots, folders, &from, &to)?;
            self.copy_on(way, [source_name, target_name], &mut report, settings, control)
        });
        report.outcome = ended.unwrap_or_else(|ended| ended);
        self.count(&report);
        report.took = begun.elapsed();
        report
    }

    fn copy_on(
        &mut self,
        mut way: Way,
        [source_name, target_name]: [Name; 2],
        report: &mut FileReport,
        settings: &Settings,
        control: &Control,
    ) -> Result<FileOutcome, FileOutcome> {
        let (source, target) = (report.source.clone(), report.target.clone());
        report.root = Some(way.roots[1].path.clone());
        // What is read is what was copied last, also where that has no name yet.
        let from =
            way.plans.last().map(|plan| full_path(&way.roots[0].path, &plan.source_path.join(&source_name)));
        if from.is_some_and(|from| self.waiting.contains_key(&from)) {
            self.settle(settings);
        }
        let key = key(&way, &target_name);
        let root = way.roots[1].path.clone();
        let is_root = |on: &OnRoot| on.run.target().path == root;
        if let Some(at) = self.runs.iter().position(|on| is_root(on) && on.put.contains(&key)) {
            self.end_run(at, settings);
        }
        let found = way.source_dir.stat(&source_name).map_err(|e| os(Op::Examine, &source, e))?;
        report.size = found.size;
        if found.kind != Kind::File {
            return Err(FileOutcome::Skipped(SkipReason::SpecialFile));
        }
        let entry = Entry::from(&found);
        if entry.is_placeholder() && !settings.read_placeholders {
            return Err(FileOutcome::Skipped(SkipReason::Placeholder));
        }
        let there = match way.target_dir.as_ref().map(|dir| dir.stat(&target_name)) {
            None => None,
            Some(Ok(there)) => Some(there),
            Some(Err(e)) if reason(&e) == OsReason::NotFound => None,
            Some(Err(e)) => return Err(os(Op::Examine, &target, e)),
        };
        report.replaced = there.is_some();
        report.may_be_sparse = entry.may_be_sparse();
        let strategy = Chosen::of(&entry, way.network, settings);
        report.strategy = Some(strategy);
        if let Some(there) = &there {
            if there.id == found.id && !there.id.is_of_place() {
                return Err(refused(format!(
                    "Could not copy {} to {}: they are the same file.",
                    display_path(&source),
                    display_path(&target)
                )));
            }
            if there.kind != Kind::File && there.kind != Kind::Symlink {
                let clash = Error::new(Op::Replace, target.clone(), ErrorKind::KindClash);
                return Err(FileOutcome::Failed(clash.with_target(crate::TargetState::Original)));
            }
        }
        let step = Step {
            source_name,
            target_name: target_name.clone(),
            action: Action::CopyFile { strategy, verify: settings.verifies(found.size) },
            expect_source: found.fingerprint(),
            expect_target: there.as_ref().map(Metadata::fingerprint),
            goes_along: Vec::new(),
            target_protection: there.as_ref().and_then(|there| there.protection),
            may_be_sparse: entry.may_be_sparse(),
            hard_linked: entry.is_hard_linked(),
            placeholder: entry.is_placeholder(),
        };
        let running = self.runs.iter().position(is_root);
        // What stands against one file alone, its copying finds out.
        match way.since_check.map(|bytes| bytes.saturating_add(found.size)) {
            Some(bytes) if bytes < CHECK_BYTES => way.since_check = Some(bytes),
            _ => {
                check(report, &way, &step, running.is_some(), settings)?;
                way.since_check = Some(0);
            }
        }
        if self.dry_run {
            return Ok(FileOutcome::DryRun);
        }
        if let Some(on) = running.map(|at| &self.runs[at]).filter(|on| on.run.is_stopped()) {
            return Err(refused(format!(
                "Could not copy {}: run {} on {} had to stop and waits for recovery.",
                display_path(&source),
                on.run.id(),
                display_path(&root)
            )));
        }
        let at = match running {
            Some(at) => at,
            None => self.begin(&way, settings)?,
        };
        self.begun += 1;
        let on = &mut self.runs[at];
        report.run = Some(on.run.id().clone());
        on.put.insert(key);
        let put = Put {
            source: &way.roots[0],
            way: way.plans.clone(),
            step,
            may_wait: self.begun > self.group_after,
        };
        let step_before = on.run.last_step();
        let answer = on.run.put(put, settings, control);
        report.step = on.run.last_step().filter(|step| Some(*step) != step_before);
        let outcome = match answer {
            Ok(Answer::Waits(evidence)) => {
                let place =
                    way.plans.last().map(|plan| plan.target_path.join(&target_name)).unwrap_or_default();
                let place = full_path(&root, &place);
                self.waiting.insert(place, report.without_outcome());
                Ok(FileOutcome::Waits(evidence))
            }
            Ok(Answer::Ended(item)) => {
                report.not_kept.clone_from(&item.not_kept);
                Ok(outcome(item.outcome))
            }
            Err(error) => Err(FileOutcome::NotBegun(start(&way.roots[1], error))),
        };
        if outcome.is_ok() {
            // What had to be made is there now.
            self.way = Some(way).filter(|way| way.plans.iter().all(|plan| !plan.create));
        }
        if on.run.is_group_full(settings) {
            let begun = on.run.commit_aside(settings);
            self.note_commit(begun);
        }
        self.collect(at);
        outcome
    }

    fn begin(&mut self, way: &Way, settings: &Settings) -> Result<usize, FileOutcome> {
        let [source, target] = &way.roots;
        let options = RunOptions {
            command: self.command.clone(),
            retries: self.first.get(&target.path).cloned(),
            ..RunOptions::default()
        };
        let run = OpenRun::begin(target.clone(), source, settings, options)
            .map_err(|error| FileOutcome::NotBegun(start(target, error)))?;
        self.first.entry(target.path.clone()).or_insert_with(|| run.id().clone());
        self.runs.push(OnRoot { run, put: HashSet::new() });
        Ok(self.runs.len() - 1)
    }

    fn commit(&mut self, index: usize, settings: &Settings) {
        let done = self.runs[index].run.commit(settings);
        self.note_commit(done);
        self.collect(index);
    }

    fn note_commit(&mut self, done: Result<(), StartError>) {
        match done {
            Ok(()) => {}
            Err(StartError::Failed(error)) => self.report.late.push(error),
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// Takes over what became of files that waited.
    fn collect(&mut self, index: usize) {
        let on = &mut self.runs[index];
        let root = on.run.target().path.clone();
        for item in on.run.take_ended() {
            let target = full_path(&root, &item.path);
            let Some(mut report) = self.waiting.remove(&target) else { continue };
            report.outcome = outcome(item.outcome);
            report.not_kept = item.not_kept;
            if !matches!(report.outcome, FileOutcome::Copied(_)) {
                self.report.copied = self.report.copied.saturating_sub(1);
                self.report.bytes = self.report.bytes.saturating_sub(report.size);
                self.report.failed += 1;
            }
            if let FileOutcome::Failed(error) = &report.outcome {
                self.report.late.push(error.clone());
            }
            self.settled.push(report);
        }
    }

    fn end_run(&mut self, index: usize, settings: &Settings) {
        self.commit(index, settings);
        let OnRoot { run, .. } = self.runs.remove(index);
        let (id, root) = (run.id().clone(), run.target().path.clone());
        let (result, items, notes) = run.end(settings, &Control::default());
        let failed = items.into_iter().filter_map(|item| match item.outcome {
            Outcome::Failed { error } => Some(error),
            _ => None,
        });
        self.report.late.extend(failed);
        self.report.runs.push((id, root, result));
        let new: Vec<_> = notes.into_iter().filter(|note| !self.report.notes.contains(note)).collect();
        self.report.notes.extend(new);
    }

    /// Ends every run, and says what became of the series.
    pub fn end(&mut self, settings: &Settings) -> SeriesReport {
        while !self.runs.is_empty() {
            self.end_run(0, settings);
        }
        self.way = None;
        self.first.clear();
        std::mem::take(&mut self.report)
    }

    /// The way to the folders of source and target.
    fn way(&mut self, source: &Path, target: &Path, settings: &Settings) -> Result<Way, FileOutcome> {
        let parent = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
        let folders = [parent(source), parent(target)];
        if let Some(way) = self.way.as_mut().filter(|way| way.folders == folders) {
            let holds = self.begun > self.group_after && way.since.elapsed() < WAY_HOLDS;
            if holds || way.still_leads_there() {
                way.since = if holds { way.since } else { Instant::now() };
                return Ok(way.clone());
            }
        }
        // An open root is the same one wherever it was moved to, and nobody means that.
        while let Some(at) = self.runs.iter().position(|on| check_not_moved(on.run.target()).is_err()) {
            self.end_run(at, settings);
        }
        let running: Vec<Root> = self.runs.iter().map(|on| on.run.target().clone()).collect();
        Way::find(folders, &running)
    }
}

/// What stands against it, and what is worth knowing.
fn check(
    report: &mut FileReport,
    way: &Way,
    step: &Step,
    begun: bool,
    settings: &Settings,
) -> Result<(), FileOutcome> {
    let size = step.expect_source.size;
    let mut totals = Totals { bytes: size, largest: size, ..Totals::default() };
    match step.expect_target {
        Some(old) => (totals.replaced_files, totals.bytes_replaced) = (1, old.size),
        None => totals.new_files = 1,
    }
    let mut folders = way.plans.clone();
    if let Some(last) = folders.last_mut() {
        last.steps.push(step.clone());
    }
    let target = Target { root: RootIndex(1), source: RootIndex(0), totals: totals.clone() };
    let plan = Plan { targets: vec![target], folders, totals, ..Plan::empty() };
    let [source, target] = &way.roots;
    let found = preflight::check_files(&plan, &[source, target], begun, settings);
    let (bad, warnings): (Vec<_>, Vec<_>) =
        found.problems.into_iter().partition(|problem| problem.severity != Severity::Warns);
    report.warnings = warnings;
    if bad.is_empty() { Ok(()) } else { Err(FileOutcome::Refused(bad)) }
}

fn os(op: Op, path: &Path, error: std::io::Error) -> FileOutcome {
    FileOutcome::Failed(Error::os(op, path.to_owned(), error))
}

fn refused(text: String) -> FileOutcome {
    FileOutcome::Refused(vec![Problem { severity: Severity::Refuses, text, remedy: None }])
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|now| now.file_type().is_symlink())
}

/// The last name of a path that may belong to a user.
fn name_of(path: &Path) -> Result<Name, FileOutcome> {
    if is_within_ours(path) {
        return Err(ours(path));
    }
    let name = path.file_name().and_then(|name| Name::from_os(name).ok());
    name.ok_or_else(|| os(Op::Open, path, std::io::ErrorKind::InvalidFilename.into()))
}

fn ours(path: &Path) -> FileOutcome {
    refused(format!(
        "Could not copy {}: it is in a folder that belongs to this program and holds journals and originals.",
        display_path(path)
    ))
}

/// How a target is told from others also where case says nothing; too often the same does no harm.
fn key(way: &Way, name: &Name) -> Vec<u8> {
    let folder = way.plans.last().map(|plan| plan.target_path.join(name));
    fold(folder.unwrap_or_default().as_bytes())
}

fn outcome(outcome: Outcome) -> FileOutcome {
    match outcome {
        Outcome::Done { evidence } => FileOutcome::Copied(evidence),
        Outcome::Skipped { why } => FileOutcome::Skipped(why),
        Outcome::RolledBack => FileOutcome::Skipped(SkipReason::Stopped),
        Outcome::Failed { error } => FileOutcome::Failed(error),
    }
}
