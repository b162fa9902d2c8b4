//! What counts as a change, what belongs together, and how far undo reaches. Cases E10, V1, V2, R2, R3 and R11.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, age, assert_no_strays_beside, noise};
use fcs_engine::compare::Side;
use fcs_engine::history::{RecoverMode, RecoveryAction, RunState, StartError, list, prune, recover, undo};
use fcs_engine::plan::plan_sync;
use fcs_engine::report::{Report, RunResult};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::settings::Undo;
use fcs_engine::{Cancel, Control, Observer, OnCancel};
use fcs_testkit::faulty::{Act, Call, wrap};
use fcs_testkit::listing::{Listing, Options, diff, listing};

const ENOSPC: i32 = 28;
const EACCES: i32 = 13;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    bench
}

fn put(path: impl AsRef<Path>, bytes: &[u8]) {
    let path = path.as_ref();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    age(path);
}

fn seen(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

fn assert_same(before: &Listing, root: &Path, what: &str) {
    let differences = diff(before, &seen(root));
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}

/// E10: the only copy fails, but the folder it was to go to has got the time of its source.
#[test]
fn a_run_that_only_set_the_time_of_a_folder_is_listed_and_can_be_undone() {
    let bench = bench();
    put(bench.left.join("d/f"), b"new");
    put(bench.right.join("d/f"), b"before");
    age(&bench.left.join("d"));
    age(&bench.left);
    let before = seen(&bench.right);
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        if event.side == "target" && event.call == Call::CreateFile {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(ENOSPC);
        }
        Act::Go
    });
    let report = bench.copy();
    assert!(fired.load(Ordering::SeqCst) > 0 && report.counts.copied == 0, "{:#?}", report.items);
    assert!(!diff(&before, &seen(&bench.right)).is_empty(), "the folder's time was set");
    let runs = list(&bench.roots().1).unwrap();
    assert!(runs.len() == 1 && runs[0].undoable, "{runs:?}");
    let recovery = undo(&bench.roots().1, None, &Control::default()).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_same(&before, &bench.right, "undone");
    assert!(!bench.right.join(".fcs").exists());
}

struct Answer(OnCancel);

impl Observer for Answer {
    fn cancelled(&self, _: u64) -> OnCancel {
        self.0
    }
}

/// Ends a run when its first file is begun: folders were made, nothing was committed.
fn cancelled_at_the_first_file(answer: OnCancel, folders: bool) -> (Bench, Listing, Report) {
    let mut bench = bench();
    if folders {
        put(bench.left.join("made/deep/f"), &noise(3000, 1));
        std::fs::create_dir(bench.left.join("made/empty")).unwrap();
    }
    put(bench.left.join("there/g"), &noise(3000, 2));
    age(&bench.left.join("there"));
    std::fs::create_dir(bench.right.join("there")).unwrap();
    let before = seen(&bench.right);
    let plan = bench.plan();
    let cancel = Arc::new(Cancel::default());
    bench.control =
        Control { cancel: Arc::clone(&cancel), observer: Arc::new(Answer(answer)), ..Control::default() };
    let bench = bench.script(move |event| {
        if event.side == "target" && event.call == Call::CreateFile {
            cancel.cancel();
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert_eq!(report.counts.copied, 0, "cancelled before the first commit: {:#?}", report.items);
    assert_no_strays_beside(&bench.right);
    (bench, before, report)
}

/// V1, E10: whoever wants the run rolled back gets that, whatever had been made.
#[test]
fn a_run_that_only_made_folders_rolls_back() {
    for folders in [true, false] {
        let (bench, before, report) = cancelled_at_the_first_file(OnCancel::RollBack, folders);
        assert_eq!(report.result, RunResult::RolledBack, "{:#?}", report.items);
        assert_same(&before, &bench.right, "rolled back");
        assert!(!bench.right.join(".fcs").exists());
    }
}

#[test]
fn made_folders_that_are_kept_can_be_undone() {
    let (bench, before, report) = cancelled_at_the_first_file(OnCancel::Keep, true);
    assert_eq!(report.result, RunResult::Cancelled, "{:#?}", report.items);
    assert!(bench.right.join("made/deep").is_dir());
    let recovery = undo(&bench.roots().1, None, &Control::default()).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_same(&before, &bench.right, "undone");
}

/// E10: nothing was made, so nothing is kept, not even a time.
#[test]
fn a_run_that_is_ended_before_it_made_anything_leaves_no_trace() {
    let (bench, before, report) = cancelled_at_the_first_file(OnCancel::Keep, false);
    assert_eq!(report.result, RunResult::Cancelled, "{:#?}", report.items);
    assert_same(&before, &bench.right, "cancelled");
    assert!(!bench.right.join(".fcs").exists());
}

/// R3.
#[test]
fn a_run_that_set_times_of_folders_only_lets_nothing_go() {
    let bench = bench();
    put(bench.left.join("d/f"), b"new");
    put(bench.right.join("d/f"), b"before");
    let first = bench.copy().run;
    age(&bench.left.join("d"));
    let report = bench.copy();
    assert!(report.counts.folder_times > 0 && report.counts.copied == 0, "{:#?}", report.items);
    let runs = list(&bench.roots().1).unwrap();
    assert!(runs.iter().any(|run| run.run == first && run.undoable && run.kept_bytes == 6), "{runs:?}");
}

fn run_as(bench: &Bench, options: &RunOptions) -> Report {
    let (left, right) = bench.roots();
    run(&bench.plan(), &[&left, &right], &bench.settings, options, &bench.control).unwrap()
}

/// V2: some files fail and are tried again; both runs are one, listed, kept and undone together.
#[test]
fn a_retry_belongs_to_its_run() {
    for undo_setting in [Undo::Last, Undo::Days(30)] {
        let mut bench = bench();
        bench.settings.undo = undo_setting;
        for i in 0..6 {
            put(bench.left.join(format!("f{i}")), &noise(900 + i, i as u64));
            put(bench.right.join(format!("f{i}")), &noise(300 + i, 50 + i as u64));
        }
        put(bench.left.join("fails/new"), b"new");
        let before = seen(&bench.right);
        let fired = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&fired);
        let mut bench = bench.script(move |event| {
            let fault = event.side == "target" && event.call == Call::CreateFile;
            if fault && count.fetch_add(1, Ordering::SeqCst) >= 4 {
                return Act::Fail(ENOSPC);
            }
            Act::Go
        });
        let first = bench.copy();
        assert!(fired.load(Ordering::SeqCst) > 4 && first.counts.copied == 4, "{:#?}", first.items);
        bench.run_script = None;
        let retries = first.run.parse().ok();
        let second = run_as(&bench, &RunOptions { command: "copy".into(), retries, ..RunOptions::default() });
        assert_eq!((second.counts.copied, second.counts.failed), (3, 0), "{:#?}", second.items);
        // And once more: still of the first.
        put(bench.left.join("f0"), b"changed meanwhile");
        let retries = second.run.parse().ok();
        let third = run_as(&bench, &RunOptions { command: "copy".into(), retries, ..RunOptions::default() });

        let root = bench.roots().1;
        let runs = list(&root).unwrap();
        assert_eq!(runs.len(), 3, "{runs:?}");
        assert!(runs.iter().all(|run| run.undoable && *run.group() == first.run), "{runs:?}");
        assert_eq!(
            runs.iter().map(|run| &run.run).collect::<Vec<_>>(),
            [&third.run, &second.run, &first.run]
        );
        let recovery = undo(&root, None, &Control::default()).unwrap();
        assert_eq!((recovery.state, &recovery.run), (RunState::RolledBack, &first.run), "{recovery:#?}");
        assert_same(&before, &bench.right, "both are undone");
        assert!(!bench.right.join(".fcs").exists());
    }
}

/// V2, R2: each call of undo undoes one run; and each run has its own term.
#[test]
fn undo_goes_back_run_by_run() {
    let mut bench = bench();
    let mut states = vec![seen(&bench.right)];
    for (i, undo_setting) in [Undo::Days(30), Undo::Last, Undo::Days(2)].into_iter().enumerate() {
        bench.settings.undo = undo_setting;
        put(bench.left.join("f"), &noise(500 + i, i as u64));
        put(bench.left.join(format!("new{i}")), b"new");
        assert_eq!(bench.copy().result, RunResult::Completed);
        states.push(seen(&bench.right));
    }
    let root = bench.roots().1;
    assert_eq!(list(&root).unwrap().len(), 3, "the second stays too: undo goes through it");
    for state in states.iter().rev().skip(1) {
        let recovery = undo(&root, None, &Control::default()).unwrap();
        assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
        assert_same(state, &bench.right, "one run back");
    }
    assert!(matches!(undo(&root, None, &Control::default()), Err(StartError::NothingToUndo)));
}

/// R2: what was to be kept for days is not pruned by a run that keeps nothing.
#[test]
fn a_run_without_undo_prunes_no_earlier_one() {
    let mut bench = bench();
    bench.settings.undo = Undo::Days(30);
    put(bench.left.join("f"), b"one");
    put(bench.right.join("f"), b"the original");
    let first = bench.copy().run;
    for undo_setting in [Undo::Off, Undo::Last] {
        bench.settings.undo = undo_setting;
        put(bench.left.join("g"), undo_setting.to_string().as_bytes());
        assert_eq!(bench.copy().counts.copied, 1);
        let runs = list(&bench.roots().1).unwrap();
        assert!(runs.iter().any(|run| run.run == first && run.undoable && run.kept_bytes == 12), "{runs:?}");
    }
}

/// V2: an earlier run may be named; what later runs changed, or removed, is refused one by one.
#[test]
fn an_earlier_run_that_is_named_leaves_alone_what_later_ones_changed() {
    let mut bench = bench();
    bench.settings.undo = Undo::Days(30);
    for name in ["a", "b", "gone"] {
        put(bench.left.join(name), &noise(500, 1));
    }
    put(bench.right.join("a"), b"the original of a");
    put(bench.right.join("b"), b"the original of b");
    let before = seen(&bench.right);
    let first = bench.copy().run;
    put(bench.left.join("a"), &noise(700, 2));
    std::fs::remove_file(bench.left.join("gone")).unwrap();
    let plan = plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let _ = bench.run(&plan);
    assert!(!bench.right.join("gone").exists());
    let root = bench.roots().1;
    let recovery = undo(&root, Some(&first), &Control::default()).unwrap();
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    let left: Vec<_> = recovery.items.iter().filter(|item| item.action == RecoveryAction::Left).collect();
    assert_eq!(
        left.iter().map(|item| item.path.to_string()).collect::<Vec<_>>(),
        ["a", "gone"],
        "{recovery:#?}"
    );
    assert_eq!(std::fs::read(bench.right.join("b")).unwrap(), b"the original of b");
    assert_eq!(std::fs::read(bench.right.join("a")).unwrap(), noise(700, 2));
    // The later run first, and then the rest of the earlier one.
    assert_eq!(undo(&root, None, &Control::default()).unwrap().state, RunState::RolledBack);
    assert_eq!(undo(&root, None, &Control::default()).unwrap().state, RunState::RolledBack);
    let differences = diff(&before, &seen(&bench.right));
    assert!(differences.is_empty(), "{differences:#?}");
}

/// R11: an original that cannot be deleted (a flag, a folder without write permission) stops no run and no recovery.
#[test]
fn an_original_that_cannot_be_deleted_stops_no_run() {
    let bench = bench();
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let script: fcs_testkit::faulty::Script = Arc::new(move |event| {
        let kept = event.path.as_bytes().starts_with(b".fcs/undo/");
        if kept && event.call == Call::RemoveFile {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(EACCES);
        }
        Act::Go
    });
    let (left, right) = bench.roots();
    let stuck = wrap(&right, "target", script);
    put(bench.right.join("f"), b"the original");
    let mut reports = Vec::new();
    for i in 0..4 {
        put(bench.left.join("f"), &noise(500 + i, i as u64));
        let options = RunOptions { command: "copy".into(), ..RunOptions::default() };
        let report = run(&bench.plan(), &[&left, &stuck], &bench.settings, &options, &bench.control)
            .unwrap_or_else(|error| panic!("run {i} was stopped: {error}"));
        assert_eq!((report.result, report.counts.copied), (RunResult::Completed, 1), "{i}");
        reports.push(report);
    }
    assert!(refused.load(Ordering::SeqCst) > 0);
    let first = &reports[0].run;
    let item = format!(".fcs/undo/{first}/1");
    let told = |report: &Report| report.notes.iter().any(|note| note.contains(&item));
    assert!(!told(&reports[0]) && reports[1..].iter().all(told), "{:?}", reports[1].notes);
    assert!(recover(&stuck, RecoverMode::Keep, &Control::default()).unwrap().is_empty());
    let half_pruned = |run: &&fcs_engine::history::RunInfo| run.state == RunState::PartlyPruned;
    let runs = list(&right).unwrap();
    let shown = runs.iter().find(|run| run.run == *first).expect("it is still listed");
    assert!(half_pruned(&shown) && shown.kept_bytes == 12 && !shown.undoable, "{shown:?}");
    assert!(runs[0].undoable, "the latest can be undone: {runs:?}");

    let pruned = prune(&stuck, Some(first)).unwrap();
    assert!(pruned.runs.is_empty() && !pruned.errors.is_empty(), "{pruned:?}");
    assert!(pruned.errors.iter().any(|error| error.to_string().contains(&item)), "{pruned:?}");
    // Whatever was in the way is gone.
    let pruned = prune(&right, Some(first)).unwrap();
    assert!(pruned.errors.is_empty(), "{pruned:?}");
    assert_eq!(list(&right).unwrap().iter().filter(half_pruned).count(), 0);
    assert!(undo(&right, None, &Control::default()).unwrap().is_clean());
    assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), noise(502, 2));
}

/// R11: what is kept goes when the user says so, the oldest first, and nothing else.
#[test]
fn pruning_deletes_a_run_and_all_before_it() {
    let mut bench = bench();
    bench.settings.undo = Undo::Days(30);
    let mut runs = Vec::new();
    put(bench.right.join("f"), b"the original");
    for i in 0..3 {
        put(bench.left.join("f"), &noise(500 + i, i as u64));
        runs.push(bench.copy().run);
    }
    let root = bench.roots().1;
    let pruned = prune(&root, Some(&runs[1])).unwrap().runs;
    assert_eq!(pruned.iter().map(|run| &run.run).collect::<Vec<_>>(), [&runs[0], &runs[1]]);
    assert_eq!(list(&root).unwrap().iter().map(|run| &run.run).collect::<Vec<_>>(), [&runs[2]]);
    assert!(matches!(prune(&root, Some(&"nonesuch".parse().unwrap())), Err(StartError::NoSuchRun(_))));
    assert_eq!(prune(&root, None).unwrap().runs.len(), 1);
    assert!(!bench.right.join(".fcs").exists(), "nothing is kept any more");
    assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), noise(502, 2));
}

/// A run of which something failed, and its retry.
fn retried() -> (Bench, Listing) {
    let bench = bench();
    for i in 0..3 {
        put(bench.left.join(format!("f{i}")), &noise(900 + i, i as u64));
        put(bench.right.join(format!("f{i}")), &noise(300 + i, 50 + i as u64));
    }
    put(bench.left.join("made/new"), b"new");
    let before = seen(&bench.right);
    let count = AtomicUsize::new(0);
    let mut bench = bench.script(move |event| {
        let fault = event.side == "target" && event.call == Call::CreateFile;
        if fault && count.fetch_add(1, Ordering::SeqCst) >= 2 { Act::Fail(ENOSPC) } else { Act::Go }
    });
    let first = bench.copy();
    bench.run_script = None;
    let retries = first.run.parse().ok();
    let second = run_as(&bench, &RunOptions { command: "copy".into(), retries, ..RunOptions::default() });
    assert!(first.counts.failed > 0 && second.counts.failed == 0, "{:#?}", second.items);
    (bench, before)
}

/// V2: however far the undo of both came, recovery and another undo restore what was there before the first.
#[test]
fn an_undo_of_a_run_and_its_retry_that_is_cut_off_anywhere_comes_to_its_end() {
    const EIO: i32 = 5;
    let mut cut = 0;
    for last in (0..).step_by(9) {
        let (bench, before) = retried();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        // From here on nothing reaches the disk, as after a kill.
        let dead = move |_: &fcs_testkit::faulty::Event<'_>| {
            if count.fetch_add(1, Ordering::SeqCst) >= last { Act::Fail(EIO) } else { Act::Go }
        };
        let root = bench.roots().1;
        let _ = undo(&wrap(&root, "target", Arc::new(dead)), None, &Control::default());
        let _ = recover(&root, RecoverMode::Keep, &Control::default()).unwrap();
        match undo(&root, None, &Control::default()) {
            Ok(recovery) => {
                assert_eq!(recovery.state, RunState::RolledBack, "after {last} calls: {recovery:#?}");
            }
            Err(StartError::NothingToUndo) => {}
            Err(other) => panic!("after {last} calls: {other}"),
        }
        assert_same(&before, &bench.right, &format!("after {last} calls"));
        if calls.load(Ordering::SeqCst) <= last {
            break;
        }
        cut += 1;
    }
    assert!(cut > 5, "the undo was cut off: {cut}");
}
