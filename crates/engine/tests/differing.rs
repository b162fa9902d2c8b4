//! Files that look alike, were taken for moved, and are not what the source has: the same run brings the source's version over,
//! on real folders and through what every front end calls.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{failure, item, noise, put};
use fcs_engine::compare::{Comparison, Side};
use fcs_engine::directions::{Conflicts, Mode};
use fcs_engine::history::{RunState, list};
use fcs_engine::memory::Remembered;
use fcs_engine::report::{ActionKind, Evidence, ItemReport, Outcome, Report, RunResult};
use fcs_engine::run::RunOptions;
use fcs_engine::session::{Folders, Limits, Proposal, Task, roots_of, undo_in_all};
use fcs_engine::settings::{Undo, Verify};
use fcs_engine::{Control, Error, ErrorKind, Observer, Settings, TargetState};
use fcs_sys::RelPath;
use fcs_testkit::faulty::{Act, Call, Event, Script, wrap};
use fcs_testkit::listing::{Listing, Options, diff, listing};

const TWO_WAY: Task = Task::Directed(Mode::TwoWay { conflicts: Conflicts::Later });

/// Two folders that are alike, which is remembered.
struct Pair {
    _temporary: tempfile::TempDir,
    left: PathBuf,
    right: PathBuf,
    settings: Settings,
    remembered: Remembered,
    script: Option<Script>,
    control: Control,
}

/// What the pair was made to do.
struct Ran {
    first: Comparison,
    proposal: Proposal,
    report: Report,
    folders: Folders,
}

impl Pair {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let [left, right] = ["left", "right"].map(|side| temporary.path().join(side));
        for (seed, path) in (1..).zip(["album/a", "album/b", "album/deep/c", "one", "two", "there/three"]) {
            let path = left.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, noise(5000 + seed as usize, seed)).unwrap();
            set_modified(&path, seed);
        }
        fs::create_dir(&right).unwrap();
        let settings = Settings { undo: Undo::Days(30), ..Settings::default() };
        let (remembered, script, control) = Default::default();
        let mut pair = Self { _temporary: temporary, left, right, settings, remembered, script, control };
        let ran = pair.run(TWO_WAY);
        assert_eq!(ran.report.result, RunResult::Completed);
        pair.learn(&ran);
        // The run that made the two alike is not the one to be undone.
        fs::remove_dir_all(pair.right.join(".fcs")).unwrap();
        pair
    }

    fn root(&self, side: Side) -> &Path {
        if side == Side::Left { &self.left } else { &self.right }
    }

    fn rename(&self, side: Side, from: &str, to: &str) {
        let to = self.root(side).join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(self.root(side).join(from), to).unwrap();
    }

    /// Another file of the same size and date, of which nothing else tells that it is another one.
    fn make_other(&self, side: Side, path: &str) {
        let path = self.root(side).join(path);
        let (mut bytes, modified) = (fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap());
        bytes[4000] ^= 1;
        fs::write(&path, bytes).unwrap();
        fs::File::open(&path).unwrap().set_modified(modified).unwrap();
    }

    fn seen(&self, side: Side) -> Listing {
        let mut seen = listing(self.root(side), &Options::default()).unwrap();
        seen.retain(|path, _| !path.starts_with(".fcs"));
        seen
    }

    fn both(&self) -> [Listing; 2] {
        [Side::Left, Side::Right].map(|side| self.seen(side))
    }

    fn content(&self, side: Side, path: &str) -> Vec<u8> {
        fs::read(self.root(side).join(path)).unwrap()
    }

    fn propose(&self, task: Task) -> (Folders, Comparison, Proposal) {
        let folders = Folders::open(&self.left, &self.right, &[], &[], &self.settings).unwrap();
        let first = folders.compare(&self.settings, &Control::default()).unwrap();
        let limits = Limits {
            remembered: Some(Arc::new(self.remembered.clone())),
            allowed: Some(100),
            ..Limits::default()
        };
        let proposal = folders.propose(task, &first, &|_| true, &self.settings, &limits);
        assert!(!proposal.preflight.refuses(), "{:?}", proposal.preflight.problems);
        (folders, first, proposal)
    }

    /// Proposes and runs; the run goes through the script, and its target is `target` there.
    fn run(&self, task: Task) -> Ran {
        let (mut folders, first, proposal) = self.propose(task);
        if let Some(script) = &self.script {
            let is_right = task.target() == Side::Right;
            let labels = if is_right { ["source", "target"] } else { ["target", "source"] };
            folders.left = wrap(&folders.left, labels[0], Arc::clone(script));
            folders.right = wrap(&folders.right, labels[1], Arc::clone(script));
        }
        let report = folders.run(&proposal, &self.settings, &RunOptions::default(), &self.control).unwrap();
        Ran { first, proposal, report, folders }
    }

    fn learn(&mut self, ran: &Ran) {
        let done = (&ran.proposal, &ran.report);
        let control = Control::default();
        let news = ran.folders.learn(&ran.first, done, &self.remembered, &self.settings, &control).unwrap();
        self.remembered = self.remembered.with(news);
    }

    fn script(mut self, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        self.script =
            Some(Arc::new(move |event| if common::is_journal(event) { Act::Go } else { script(event) }));
        self
    }

    /// Undoes all that a run did, asked on the side that it wrote to.
    fn undo(&self, ran: &Ran, side: Side) {
        let folders = Folders::open(&self.left, &self.right, &[], &[], &self.settings).unwrap();
        let root = folders.root(side);
        let run = list(root).unwrap().into_iter().find(|run| run.run == ran.report.run).unwrap();
        let undone = undo_in_all(&roots_of(root, &run), &run.run, &Control::default()).unwrap();
        let states: Vec<_> = undone.iter().flat_map(|at| &at.reports).map(|report| report.state).collect();
        assert!(
            !states.is_empty() && states.iter().all(|state| *state == RunState::RolledBack),
            "{states:?}"
        );
    }

    fn is_remembered(&self, path: &str) -> bool {
        self.remembered.get(&RelPath::parse(path.as_bytes()).unwrap()).is_some()
    }
}

fn set_modified(path: &Path, seconds: u64) {
    // A fraction, as a clock makes it: else the date may have been made up for many.
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000 + seconds, 123_456_700);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

fn differing(report: &Report) -> Vec<(String, String, bool)> {
    let all = report.differing.iter();
    all.map(|found| (found.moved.to_string(), found.path.to_string(), found.replaced)).collect()
}

fn expected(files: &[(&str, &str)], replaced: bool) -> Vec<(String, String, bool)> {
    files.iter().map(|(moved, path)| ((*moved).to_owned(), (*path).to_owned(), replaced)).collect()
}

const OTHERS: [(&str, &str); 3] =
    [("album", "pictures/a"), ("album", "pictures/deep/c"), ("one", "there/one")];

/// `side` renames a file and a folder, and what is there then is another file in three places.
fn rename_and_make_other(pair: &Pair, side: Side) {
    pair.rename(side, "album", "pictures");
    pair.rename(side, "one", "there/one");
    OTHERS.iter().for_each(|(_, path)| pair.make_other(side, path));
}

/// Hears of every item.
#[derive(Default)]
struct Heard {
    items: Mutex<Vec<ItemReport>>,
    errors: Mutex<Vec<Error>>,
}

impl Observer for Heard {
    fn item(&self, item: &ItemReport) {
        self.items.lock().unwrap().push(item.clone());
    }

    fn error(&self, error: &Error) {
        self.errors.lock().unwrap().push(error.clone());
    }
}

#[test]
fn the_source_s_version_is_brought_over_in_the_same_run_and_one_undo_takes_all_back() {
    let two_way = [(TWO_WAY, Side::Left), (TWO_WAY, Side::Right)];
    let one_way = [Side::Left, Side::Right].into_iter().flat_map(|target| {
        [Task::Sync(target), Task::Directed(Mode::Mirror(target))].map(|task| (task, target.other()))
    });
    for (task, side) in one_way.chain(two_way) {
        let case = format!("{task:?} from the {side:?}");
        let mut pair = Pair::new();
        rename_and_make_other(&pair, side);
        // It goes beside an item that moves, so that a failure of that one keeps it.
        fs::remove_file(pair.root(side).join("two")).unwrap();
        let before = pair.both();
        let heard = Arc::new(Heard::default());
        pair.control.observer = Arc::clone(&heard) as Arc<dyn Observer>;
        let ran = pair.run(task);
        let report = &ran.report;
        assert_eq!(report.result, RunResult::Completed, "{case}: {report:#?}");
        assert_eq!((report.counts.failed, report.counts.skipped, report.counts.copied), (0, 0, 3), "{case}");
        assert_eq!((report.counts.changes.of(ActionKind::Move), report.counts.removed), (2, 1), "{case}");
        assert_eq!(differing(report), expected(&OTHERS, true), "{case}");
        for (_, path) in OTHERS {
            assert_eq!(pair.content(Side::Left, path), pair.content(Side::Right, path), "{case}: {path}");
            let copied = item(report, path);
            assert_eq!(copied.action, ActionKind::Replace, "{case}");
            let Outcome::Done { evidence } = &copied.outcome else { panic!("{case}: {copied:?}") };
            let is_reread = matches!(evidence, Evidence::DeviceReread { .. } | Evidence::CacheReread { .. });
            assert!(is_reread, "{case}: {evidence:?}");
        }
        // Who listens hears of nothing that failed, and of each item once.
        let items = heard.items.lock().unwrap();
        assert!(items.iter().all(|item| matches!(item.outcome, Outcome::Done { .. })), "{case}: {items:#?}");
        assert!(heard.errors.lock().unwrap().is_empty(), "{case}");
        for path in ["one", "album", "two", "there/one", "pictures/a"] {
            assert_eq!(
                items.iter().filter(|item| item.path.to_string() == path).count(),
                1,
                "{case}: {path}"
            );
        }
        drop(items);
        pair.learn(&ran);
        let again = pair.propose(task).2.plan;
        assert!(again.is_empty(), "{case}: {again:#?}");
        assert!(OTHERS.iter().all(|(_, path)| pair.is_remembered(path)), "{case}");
        pair.undo(&ran, side.other());
        for (before, now) in before.iter().zip(pair.both()) {
            assert_eq!(diff(before, &now), Vec::<String>::new(), "{case}");
        }
    }
}

/// In every case the files stay as they are under their new names, and each is told; nothing is remembered of them.
fn stay_and_are_told(mut pair: Pair, what: &str) -> Ran {
    rename_and_make_other(&pair, Side::Left);
    fs::remove_file(pair.left.join("two")).unwrap();
    let heard = Arc::new(Heard::default());
    pair.control.observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let old: Vec<_> = ["album/a", "album/deep/c", "one"].map(|path| pair.content(Side::Right, path)).into();
    let ran = pair.run(TWO_WAY);
    let report = &ran.report;
    assert_eq!(report.result, RunResult::CompletedWithFailures, "{what}: {report:#?}");
    assert!(report.counts.failed_verification >= 2, "{what}: {:?}", report.counts);
    assert_eq!(differing(report), expected(&OTHERS, false), "{what}");
    for (path, file) in [("one", "there/one"), ("album", "pictures/a")] {
        let error = failure(report, path);
        assert_eq!(error.kind, ErrorKind::Mismatch { offset: None }, "{what}");
        assert_eq!((&error.path, error.target), (&pair.right.join(file), Some(TargetState::Moved)), "{what}");
    }
    let errors = heard.errors.lock().unwrap().clone();
    let told: Vec<_> = errors.iter().map(|error| error.path.clone()).collect();
    assert!(told.contains(&pair.right.join("pictures/deep/c")), "{what}: {told:?}");
    let items = heard.items.lock().unwrap().clone();
    assert_eq!(items.iter().filter(|item| item.path.to_string() == "one").count(), 1, "{what}");
    for ((_, path), old) in OTHERS.iter().zip(old) {
        assert!(pair.content(Side::Right, path) == old, "{what}: {path}");
    }
    assert!(pair.right.join("two").exists(), "{what}: what waits for it stays");
    pair.learn(&ran);
    for (_, path) in OTHERS {
        assert!(!pair.is_remembered(path), "{what}: {path}");
    }
    ran
}

#[test]
fn where_the_copy_fails_the_error_stands_and_nothing_is_remembered() {
    let is_staged = |event: &Event<'_>| event.side == "target" && event.call == Call::Write;
    let fired = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fired);
    let full = Pair::new().script(move |event| {
        if is_staged(event) {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(28);
        }
        Act::Go
    });
    stay_and_are_told(full, "the target is full");
    assert!(fired.load(Ordering::SeqCst) > 0, "the fault fired");
    // Each of the files was read once to its end, by the look at what moved.
    let read = Arc::new(Mutex::new(std::collections::HashMap::<String, u64>::new()));
    let pair = Pair::new().script(move |event| {
        let is_it = event.side == "source" && event.call == Call::OpenFile;
        let mut read = read.lock().unwrap();
        let times = read.entry(event.path.to_string()).or_default();
        if is_it {
            *times += 1;
        }
        if is_it && *times > 1 { Act::Fail(5) } else { Act::Go }
    });
    stay_and_are_told(pair, "the source is unreadable");
}

#[test]
fn without_an_undo_store_nothing_is_replaced_and_it_is_said_why() {
    let mut pair = Pair::new();
    pair.settings.undo = Undo::Off;
    let ran = stay_and_are_told(pair, "undo is off");
    let notes: Vec<_> = ran.report.notes.iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.contains("nothing would keep what a copy replaces")), "{notes:?}");
}

#[test]
fn more_than_may_change_is_not_replaced() {
    let mut pair = Pair::new();
    (pair.settings.max_change_files, pair.settings.max_change_percent) = (2, 10);
    let ran = stay_and_are_told(pair, "a mass change");
    let notes: Vec<_> = ran.report.notes.iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.contains("3 of 6 files would get other content")), "{notes:?}");
}

/// Of a folder some files are replaced and one is not: it is the one that is told.
#[test]
fn of_a_folder_what_could_not_be_replaced_is_told() {
    let pair = Pair::new();
    rename_and_make_other(&pair, Side::Left);
    let fails = |event: &Event<'_>| {
        event.side == "source" && event.call == Call::OpenFile && event.path.as_bytes() == b"pictures/a"
    };
    let opened = AtomicU64::new(0);
    let mut pair = pair.script(move |event| {
        if fails(event) && opened.fetch_add(1, Ordering::SeqCst) > 0 { Act::Fail(5) } else { Act::Go }
    });
    let ran = pair.run(TWO_WAY);
    let report = &ran.report;
    assert_eq!(report.result, RunResult::CompletedWithFailures, "{report:#?}");
    assert_eq!(report.counts.copied, 2);
    assert!(matches!(item(report, "one").outcome, Outcome::Done { .. }));
    assert_eq!(failure(report, "album").path, pair.right.join("pictures/a"));
    pair.learn(&ran);
    assert!(!pair.is_remembered("pictures/a") && pair.is_remembered("pictures/deep/c"));
}

/// Somebody edits the moved file between the two runs: it is theirs.
#[test]
fn what_somebody_edited_since_is_not_replaced() {
    let pair = Pair::new();
    rename_and_make_other(&pair, Side::Left);
    let edited = pair.right.join("there/one");
    let path = edited.clone();
    let opened = AtomicU64::new(0);
    let pair = pair.script(move |event| {
        // Both were looked at by then.
        let is_it =
            event.side == "source" && event.call == Call::OpenFile && event.path.as_bytes() == b"there/one";
        if is_it && opened.fetch_add(1, Ordering::SeqCst) == 0 {
            put(&path, "somebody's");
        }
        Act::Go
    });
    let ran = pair.run(Task::Sync(Side::Right));
    assert_eq!(fs::read(edited).unwrap(), b"somebody's");
    assert_eq!(ran.report.result, RunResult::CompletedWithFailures);
    assert_eq!(failure(&ran.report, "one").kind, ErrorKind::Mismatch { offset: None });
}

#[test]
fn nothing_is_replaced_where_nothing_was_to_be_read() {
    let mut pair = Pair::new();
    rename_and_make_other(&pair, Side::Left);
    pair.settings.verify = Verify::Off;
    let ran = pair.run(Task::Sync(Side::Right));
    assert_eq!((ran.report.result, ran.report.differing.len()), (RunResult::Completed, 0));
}
