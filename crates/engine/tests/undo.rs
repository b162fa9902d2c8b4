//! Runs can be undone: whatever a run did, and however it ended, undo leaves the tree as it was: bytes, times, modes,
//! links and extended attributes. The oracle is the listing, which knows nothing of the engine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{Bench, age, assert_no_strays_beside, is_journal, noise};
use fcs_engine::compare::Side;
use fcs_engine::history::{
    RecoverMode, RecoveryAction, RecoveryReport, RunState, StartError, list, paths_of, recover, undo,
    unfinished,
};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::report::{ActionKind, ItemReport, Outcome, Report, RunResult};
use fcs_engine::run::{OnError, RunOptions, run};
use fcs_engine::settings::{RemoveDespiteFailures, Undo};
use fcs_engine::{Cancel, Control, Observer, OnCancel, TargetState};
use fcs_sys::Root;
use fcs_testkit::faulty::{Act, Call, Event, wrap};
use fcs_testkit::listing::{Listing, Options, diff, listing};
use fcs_testkit::tree::{TreeSpec, random_tree};

const EIO: i32 = 5;

/// What a run does, by name; each makes its own part of both trees. All of them together are one more scenario.
const SCENARIOS: [&str; 10] = [
    "new",
    "replace",
    "delete",
    "folder create",
    "folder remove",
    "symlink",
    "many small",
    "large",
    "metadata only",
    "all",
];

fn write(path: impl AsRef<Path>, bytes: &[u8], mode: u32) {
    let path = path.as_ref();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    let _ = xattr::set(path, "user.mark", &bytes[..bytes.len().min(8)]);
    age(path);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn make(scenario: &str, left: &Path, right: &Path) {
    match scenario {
        "new" => write(left.join("new"), &noise(3000, 1), 0o640),
        "replace" => {
            write(left.join("replaced"), &noise(5000, 2), 0o644);
            write(right.join("replaced"), &noise(700, 3), 0o600);
        }
        "delete" => write(right.join("orphan"), &noise(900, 4), 0o604),
        "folder create" => {
            write(left.join("made/deep/f"), &noise(100, 5), 0o644);
            std::fs::create_dir_all(left.join("made/empty")).unwrap();
            std::fs::set_permissions(left.join("made"), std::fs::Permissions::from_mode(0o750)).unwrap();
        }
        "folder remove" => {
            write(right.join("gone/deep/f"), &noise(100, 6), 0o644);
            std::fs::create_dir_all(right.join("gone/empty")).unwrap();
            std::fs::set_permissions(right.join("gone/deep"), std::fs::Permissions::from_mode(0o711))
                .unwrap();
            age(&right.join("gone/deep"));
            age(&right.join("gone"));
        }
        "symlink" => {
            std::os::unix::fs::symlink("somewhere", left.join("link new")).unwrap();
            std::os::unix::fs::symlink("other", left.join("link replaced")).unwrap();
            std::os::unix::fs::symlink("before", right.join("link replaced")).unwrap();
            std::os::unix::fs::symlink("orphan", right.join("link gone")).unwrap();
        }
        "many small" => {
            for i in 0..60 {
                write(left.join(format!("many/{i}")), &noise(200 + i, i as u64), 0o644);
                if i % 3 == 0 {
                    write(right.join(format!("many/{i}")), &noise(100 + i, 77), 0o644);
                }
            }
        }
        "large" => {
            write(left.join("large"), &noise(3_000_000, 8), 0o644);
            write(right.join("large"), &noise(2_000_000, 9), 0o644);
            write(left.join("large new"), &noise(2_500_000, 10), 0o644);
        }
        "metadata only" => {
            std::fs::create_dir(left.join("dated")).unwrap();
            std::fs::create_dir(right.join("dated")).unwrap();
            age(&left.join("dated"));
        }
        "all" => SCENARIOS[..9].iter().for_each(|scenario| make(scenario, left, right)),
        other => panic!("{other}"),
    }
}

fn bench(scenario: &str) -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    // Several groups, both ways of copying large files, and files that travel alone.
    bench.settings.batch_max_files = 7;
    bench.settings.batch_max_file_bytes = 1 << 20;
    make(scenario, &bench.left, &bench.right);
    write(bench.left.join("same"), b"same", 0o644);
    write(bench.right.join("same"), b"same", 0o644);
    age(&bench.right);
    bench
}

fn seen(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

fn assert_same(before: &Listing, root: &Path, what: &str) {
    let differences = diff(before, &seen(root));
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}

fn sync_plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

fn options(on_error: OnError) -> RunOptions {
    RunOptions { command: "sync".into(), on_error, ..RunOptions::default() }
}

fn sync(bench: &Bench, on_error: OnError) -> Report {
    let (mut left, mut right) = bench.roots();
    if let Some(script) = &bench.run_script {
        left = wrap(&left, "source", Arc::clone(script));
        right = wrap(&right, "target", Arc::clone(script));
    }
    run(&sync_plan(bench), &[&left, &right], &bench.settings, &options(on_error), &bench.control).unwrap()
}

fn undo_last(bench: &Bench) -> RecoveryReport {
    undo(&bench.roots().1, None, &bench.control).unwrap()
}

#[test]
fn undo_of_a_whole_run_leaves_the_tree_as_it_was() {
    for scenario in SCENARIOS {
        let bench = bench(scenario);
        let before = seen(&bench.right);
        let report = sync(&bench, OnError::Continue);
        assert_eq!(report.result, RunResult::Completed, "{scenario}: {:#?}", report.items);
        assert!(!diff(&before, &seen(&bench.right)).is_empty(), "{scenario}: the run did something");
        let wanted = seen(&bench.left);
        assert_same(&wanted, &bench.right, scenario);
        assert!(sync_plan(&bench).is_empty(), "{scenario}: run twice, nothing to do");

        let recovery = undo_last(&bench);
        assert_eq!(recovery.state, RunState::RolledBack, "{scenario}: {recovery:#?}");
        assert_same(&before, &bench.right, scenario);
        assert!(!bench.right.join(".fcs").exists(), "{scenario}: nothing is kept of a run that was undone");
    }
}

/// Lets one file of the run fail: the first that is written.
fn with_a_failure(bench: Bench) -> (Bench, Arc<AtomicUsize>) {
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        let fault = matches!(event.call, Call::CreateFile | Call::CreateSymlink);
        if event.side == "target" && fault && count.fetch_add(1, Ordering::SeqCst) == 2 {
            return Act::Fail(EIO);
        }
        Act::Go
    });
    (bench, fired)
}

#[test]
fn undo_of_a_run_in_which_a_file_failed_leaves_the_tree_as_it_was() {
    let mut failed = 0;
    let removals = [RemoveDespiteFailures::Never, RemoveDespiteFailures::Always];
    for (scenario, removals) in SCENARIOS.into_iter().flat_map(|s| removals.map(|r| (s, r))) {
        let (mut bench, _) = with_a_failure(bench(scenario));
        // Which file fails is chance, and so is what is related to it.
        bench.settings.remove_despite_failures = removals;
        let before = seen(&bench.right);
        let report = sync(&bench, OnError::Continue);
        failed += u64::from(report.counts.failed > 0);
        if report.counts.failed > 0 && removals == RemoveDespiteFailures::Never {
            assert_eq!(report.counts.removed, 0, "{scenario}: after a failed copy nothing is removed");
        }
        match undo(&bench.roots().1, None, &bench.control) {
            Ok(recovery) => assert_eq!(recovery.state, RunState::RolledBack, "{scenario}: {recovery:#?}"),
            Err(StartError::NothingToUndo) => {}
            Err(other) => panic!("{scenario}: {other}"),
        }
        assert_same(&before, &bench.right, scenario);
    }
    assert!(failed >= 2, "the fault fired");
}

#[test]
fn a_run_that_is_to_roll_back_on_error_leaves_the_tree_as_it_was() {
    let mut failed = 0;
    for scenario in SCENARIOS {
        let (bench, _) = with_a_failure(bench(scenario));
        let before = seen(&bench.right);
        let report = sync(&bench, OnError::RollBack);
        if report.counts.failed == 0 {
            continue;
        }
        failed += 1;
        assert_eq!(report.result, RunResult::RolledBack, "{scenario}: {:#?}", report.items);
        assert_eq!(report.counts.copied + report.counts.removed, 0, "{scenario}");
        assert_same(&before, &bench.right, scenario);
        assert!(!bench.right.join(".fcs").exists(), "{scenario}: nothing is left");
    }
    assert!(failed >= 2, "the fault fired");
}

/// Cancels after some items, then answers.
struct CancelAfter {
    left: AtomicUsize,
    cancel: Arc<Cancel>,
    answer: OnCancel,
    asked: Mutex<Vec<u64>>,
}

impl Observer for CancelAfter {
    fn item(&self, item: &ItemReport) {
        let done = matches!(item.outcome, Outcome::Done { .. });
        if done && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.cancel.cancel();
        }
    }

    fn cancelled(&self, committed: u64) -> OnCancel {
        self.asked.lock().unwrap().push(committed);
        self.answer
    }
}

fn cancelled(scenario: &str, after: usize, answer: OnCancel) -> (Bench, Listing, Report, Vec<u64>) {
    let mut bench = bench(scenario);
    bench.settings.batch_max_files = 1;
    let before = seen(&bench.right);
    let cancel = Arc::new(Cancel::default());
    let observer = Arc::new(CancelAfter {
        left: AtomicUsize::new(after),
        cancel: Arc::clone(&cancel),
        answer,
        asked: Mutex::default(),
    });
    bench.control = Control { cancel, observer: Arc::clone(&observer) as _, ..Control::default() };
    let plan = {
        let compare = Control::default();
        std::mem::replace(&mut bench.control, compare)
    };
    let todo = sync_plan(&bench);
    bench.control = plan;
    let (left, right) = bench.roots();
    let report =
        run(&todo, &[&left, &right], &bench.settings, &options(OnError::Continue), &bench.control).unwrap();
    bench.control = Control::default();
    let asked = observer.asked.lock().unwrap().clone();
    (bench, before, report, asked)
}

#[test]
fn a_cancelled_run_can_be_kept_and_undone_or_rolled_back() {
    let mut cut_short = 0;
    for scenario in SCENARIOS {
        for after in [1, 3] {
            let (bench, before, report, asked) = cancelled(scenario, after, OnCancel::Keep);
            assert_no_strays_beside(&bench.right);
            if report.result == RunResult::Cancelled {
                cut_short += 1;
                assert!(asked.len() <= 1, "{scenario}: asked {asked:?}");
            }
            match undo(&bench.roots().1, None, &bench.control) {
                Ok(recovery) => assert_eq!(recovery.state, RunState::RolledBack, "{scenario}: {recovery:#?}"),
                Err(StartError::NothingToUndo) => {}
                Err(other) => panic!("{scenario}: {other}"),
            }
            assert_same(&before, &bench.right, scenario);

            let (bench, before, report, asked) = cancelled(scenario, after, OnCancel::RollBack);
            if asked.is_empty() {
                continue;
            }
            assert_eq!(report.result, RunResult::RolledBack, "{scenario}: {:#?}", report.items);
            assert_same(&before, &bench.right, scenario);
            assert!(!bench.right.join(".fcs").exists(), "{scenario}: nothing is left");
        }
    }
    assert!(cut_short >= 4, "some runs were cut short: {cut_short}");
}

/// A memory forgets what is undone; what a run never came to is still as it is remembered.
#[test]
fn what_a_run_did_not_come_to_is_not_among_what_it_may_have_changed() {
    let mut not_reached = 0;
    for scenario in SCENARIOS {
        let (bench, _, report, _) = cancelled(scenario, 1, OnCancel::Keep);
        let (_, right) = bench.roots();
        let changed = paths_of(&right, &report.run).unwrap();
        // Folders are listed before anything is done, and those that a run makes are all among them.
        let folders = [ActionKind::FolderTimes, ActionKind::CreateFolder];
        for item in report.items.iter().filter(|item| !folders.contains(&item.action)) {
            let is_done = matches!(item.outcome, Outcome::Done { .. });
            not_reached += usize::from(!is_done);
            assert_eq!(changed.has(&item.path), is_done, "{scenario}: {item:?}\n{changed:?}");
        }
    }
    assert!(not_reached >= 4, "{not_reached}");
}

/// Enough for several threads, in folders of different sizes.
fn many(bench: &Bench, round: u64) {
    for folder in 0..20_u64 {
        for file in 0..=folder * 5 {
            let path = format!("f{folder}/{file}");
            write(bench.left.join(&path), &noise(300 + (file + round) as usize, folder), 0o644);
            if round == 1 && file % 3 != 0 {
                write(bench.right.join(&path), &noise(100, file), 0o600);
            }
        }
    }
    age(&bench.right);
}

#[test]
fn several_threads_take_many_files_back_as_one_would() {
    let mut bench = bench("new");
    bench.settings.undo = Undo::Days(30);
    many(&bench, 1);
    let before = seen(&bench.right);
    assert_eq!(sync(&bench, OnError::Continue).result, RunResult::Completed);
    many(&bench, 2);
    let between = seen(&bench.right);
    assert_eq!(sync(&bench, OnError::Continue).result, RunResult::Completed);

    // What another program put at a name stays, whichever thread comes to it.
    let theirs: Vec<String> = (3..20).map(|folder| format!("f{folder}/{folder}")).collect();
    let ours: Vec<_> = theirs.iter().map(|path| std::fs::read(bench.right.join(path)).unwrap()).collect();
    theirs.iter().for_each(|path| std::fs::write(bench.right.join(path), "theirs").unwrap());
    let recovery = undo_last(&bench);
    assert_eq!(recovery.state, RunState::PartlyUndone);
    let left: Vec<_> = recovery.items.iter().filter(|item| item.action == RecoveryAction::Left).collect();
    let left: Vec<_> = left.iter().map(|item| item.path.to_string()).collect();
    let mut expected = theirs.clone();
    let place = |path: &String| recovery.items.iter().position(|item| item.path.to_string() == *path);
    expected.sort_by_key(place);
    assert_eq!(left, expected);
    let folders: Vec<_> = recovery.items.iter().map(|item| item.path.split().unwrap().0).collect();
    let mut once = folders.clone();
    once.dedup();
    assert_eq!(once.len(), folders.iter().collect::<std::collections::HashSet<_>>().len(), "told by folder");

    // Put back, they are what the run had left there but for their change times, so the content decides.
    for (path, bytes) in theirs.iter().zip(&ours) {
        assert_eq!(std::fs::read_to_string(bench.right.join(path)).unwrap(), "theirs");
        let modified = std::fs::metadata(bench.left.join(path)).unwrap().modified().unwrap();
        std::fs::write(bench.right.join(path), bytes).unwrap();
        let file = std::fs::File::options().write(true).open(bench.right.join(path)).unwrap();
        file.set_modified(modified).unwrap();
    }
    let again = undo(&bench.roots().1, Some(&recovery.run), &bench.control).unwrap();
    assert_eq!(again.state, RunState::RolledBack, "{again:#?}");
    assert_same(&between, &bench.right, "the second run");
    // The second undo moved the change times of what the first run had left, and told its journal.
    assert_eq!(undo_last(&bench).state, RunState::RolledBack);
    assert_same(&before, &bench.right, "the first run");
}

#[test]
fn undo_leaves_alone_what_changed_since() {
    let bench = bench("all");
    let _ = sync(&bench, OnError::Continue);
    std::fs::write(bench.right.join("replaced"), "edited since").unwrap();
    std::fs::write(bench.right.join("new"), "edited too").unwrap();
    std::fs::write(bench.right.join("orphan"), "a new one").unwrap();
    std::fs::write(bench.right.join("made/deep/mine"), "somebody's").unwrap();
    // Changed, with its size and time put back: only the change time tells.
    let sly = bench.right.join("many/1");
    let time = std::fs::metadata(&sly).unwrap().modified().unwrap();
    let bytes = noise(std::fs::metadata(&sly).unwrap().len() as usize, 99);
    std::fs::write(&sly, &bytes).unwrap();
    std::fs::File::options().write(true).open(&sly).unwrap().set_modified(time).unwrap();

    let recovery = undo_last(&bench);
    assert_eq!(recovery.state, RunState::PartlyUndone);
    let left: Vec<String> = recovery
        .items
        .iter()
        .filter(|i| i.action == RecoveryAction::Left)
        .map(|i| i.path.to_string())
        .collect();
    for path in ["replaced", "new", "orphan", "many/1", "made/deep"] {
        assert!(left.contains(&path.to_owned()), "{path} is refused: {left:?}");
    }
    for (path, text) in [("replaced", "edited since"), ("new", "edited too"), ("orphan", "a new one")] {
        assert_eq!(std::fs::read_to_string(bench.right.join(path)).unwrap(), text);
    }
    assert_eq!(std::fs::read(&sly).unwrap(), bytes);
    assert!(bench.right.join("made/deep/mine").exists());
    assert_eq!(std::fs::read(bench.right.join("gone/deep/f")).unwrap(), noise(100, 6), "the rest came back");
    assert_no_strays_beside(&bench.right);

    // Once the ways are clear, a second undo restores the rest.
    std::fs::remove_file(bench.right.join("replaced")).unwrap();
    std::fs::remove_file(bench.right.join("orphan")).unwrap();
    let again = undo_last(&bench);
    assert_eq!(std::fs::read(bench.right.join("replaced")).unwrap(), noise(700, 3), "{again:#?}");
    assert_eq!(std::fs::read(bench.right.join("orphan")).unwrap(), noise(900, 4));
}

/// What FAT on Windows answers: no exchange, no links, and numbers that tell where an item's name lies.
fn like_fat(root: &Root) -> Root {
    let script = |event: &Event<'_>| match event.call {
        Call::RenameExchange | Call::HardLink => Act::Fail(95),
        Call::Stat | Call::Metadata => Act::NumberOfPlace,
        _ => Act::Go,
    };
    wrap(root, "target", Arc::new(script))
}

#[test]
fn numbers_that_are_a_places_stop_neither_a_run_nor_its_undo() {
    for scenario in SCENARIOS.into_iter().filter(|s| !["symlink", "all"].contains(s)) {
        let bench = bench(scenario);
        let before = seen(&bench.right);
        let (left, right) = bench.roots();
        let right = like_fat(&right);
        let comparison = bench.compare_roots(&left, &right);
        let plan = plan_sync(&comparison, Side::Right, &|_| true, &bench.settings);
        let done = options(OnError::Continue);
        let report = run(&plan, &[&left, &right], &bench.settings, &done, &bench.control).unwrap();
        assert_eq!(report.counts.failed, 0, "{scenario}: {:#?}", report.items);
        assert_eq!(report.result, RunResult::Completed, "{scenario}");
        let rest: usize = sync_plan(&bench).folders.iter().map(|folder| folder.steps.len()).sum();
        assert_eq!(rest, 0, "{scenario}: a second run finds nothing to do");
        let recovery = undo(&right, None, &bench.control).unwrap();
        assert_eq!(recovery.state, RunState::RolledBack, "{scenario}: {recovery:#?}");
        assert_same(&before, &bench.right, scenario);
    }
}

#[test]
fn where_numbers_are_a_places_a_rename_that_is_not_durable_is_taken_back() {
    for scenario in ["replace", "new", "large"] {
        let bench = bench(scenario);
        // The root's own time moves with each rename in it.
        let items = || listing(&bench.right, &Options::default()).unwrap();
        let before = items();
        let (left, right) = bench.roots();
        let right = like_fat(&right);
        let comparison = bench.compare_roots(&left, &right);
        let plan = plan_sync(&comparison, Side::Right, &|_| true, &bench.settings);
        let moved = AtomicUsize::new(0);
        let unsynced = move |event: &Event<'_>| match event.call {
            Call::RenameNoReplace | Call::RenameReplace => {
                moved.fetch_add(1, Ordering::SeqCst);
                Act::Go
            }
            Call::Sync | Call::SyncVolume if moved.load(Ordering::SeqCst) > 0 && !is_journal(event) => {
                Act::Fail(EIO)
            }
            _ => Act::Go,
        };
        let right = wrap(&right, "target", Arc::new(unsynced));
        let done = options(OnError::Continue);
        let report = run(&plan, &[&left, &right], &bench.settings, &done, &bench.control).unwrap();
        assert!(report.counts.failed > 0, "{scenario}: {:#?}", report.items);
        for item in report.items.iter().filter(|item| !item.path.is_root()) {
            if let Outcome::Failed { error } = &item.outcome {
                assert!(
                    matches!(error.target, Some(TargetState::Original | TargetState::Absent)),
                    "{scenario}: {error}"
                );
            }
        }
        assert_no_strays_beside(&bench.right);
        let differences = diff(&before, &items());
        assert!(differences.is_empty(), "{scenario}: {differences:#?}");
    }
}

#[test]
fn the_undo_setting_says_how_long_originals_are_kept() {
    let runs = |bench: &Bench| list(&bench.roots().1).unwrap();
    let change = |bench: &Bench, n: u64| {
        write(bench.left.join("replaced"), &noise(1000 + n as usize, n), 0o644);
        let report = sync(bench, OnError::Continue);
        assert_eq!(report.result, RunResult::Completed);
        report.run
    };
    let mut bench = bench("replace");
    let first = change(&bench, 1);
    assert!(runs(&bench).len() == 1 && runs(&bench)[0].run == first, "{:?}", runs(&bench));
    assert!(runs(&bench)[0].undoable && runs(&bench)[0].kept_bytes == 700, "{:?}", runs(&bench));
    bench.settings.undo = Undo::Days(3);
    let second = change(&bench, 2);
    assert_eq!(runs(&bench).len(), 1, "the run before was pruned");
    assert_eq!(runs(&bench)[0].run, second);
    assert!(matches!(undo(&bench.roots().1, Some(&first), &bench.control), Err(StartError::NoSuchRun(_))));

    let third = change(&bench, 3);
    assert_eq!(runs(&bench).len(), 2, "both are young enough");
    undo(&bench.roots().1, Some(&third), &bench.control).unwrap();
    undo(&bench.roots().1, Some(&second), &bench.control).unwrap();
    assert!(
        std::fs::read(bench.right.join("replaced")).unwrap() == noise(1001, 1),
        "one run after the other"
    );
    assert!(!bench.right.join(".fcs").exists());

    bench.settings.undo = Undo::Off;
    change(&bench, 4);
    assert!(!bench.right.join(".fcs").exists(), "with undo off a clean run leaves no trace");
}

#[test]
fn a_run_that_changed_nothing_does_not_push_the_last_one_out() {
    let mut bench = bench("replace");
    let done = sync(&bench, OnError::Continue).run;
    write(bench.left.join("replaced"), &noise(123, 7), 0o644);
    bench = bench.script(|event| {
        let fault = event.side == "target" && event.call == Call::CreateFile;
        if fault { Act::Fail(28) } else { Act::Go }
    });
    let report = sync(&bench, OnError::Continue);
    assert!(report.counts.failed > 0, "the fault fired");
    assert!(list(&bench.roots().1).unwrap().iter().any(|run| run.run == done && run.undoable));
}

#[test]
fn one_run_at_a_time_and_the_second_is_told_who() {
    let bench = Arc::new(bench("many small"));
    let refused = Arc::new(Mutex::new(None));
    let (other, seen_by) = (Arc::clone(&bench), Arc::clone(&refused));
    let (left, right) = bench.roots();
    let script = move |event: &Event<'_>| {
        let mut refused = seen_by.lock().unwrap();
        if event.call == Call::CreateFile && !is_journal(event) && refused.is_none() {
            *refused = Some(undo(&other.roots().1, None, &Control::default()).map(|_| ()));
            assert!(
                unfinished(&other.roots().1).unwrap().is_empty(),
                "a run in progress is not an interrupted one"
            );
        }
        Act::Go
    };
    let right = wrap(&right, "target", Arc::new(script));
    let report = run(
        &sync_plan(&bench),
        &[&left, &right],
        &bench.settings,
        &options(OnError::Continue),
        &bench.control,
    );
    assert_eq!(report.unwrap().result, RunResult::Completed);
    let refused = refused.lock().unwrap().take().expect("the second one tried");
    let Err(StartError::Locked { holder, .. }) = refused else { panic!("{refused:?}") };
    assert!(holder.contains("sync") && holder.contains(&std::process::id().to_string()), "{holder}");
}

#[test]
fn random_trees_sync_to_their_source_and_back() {
    for seed in 0..6 {
        let bench = {
            let mut bench = Bench::new();
            bench.settings.undo = Undo::Last;
            bench.settings.batch_max_files = 1 + seed * 17;
            bench
        };
        let spec = TreeSpec { files: 80, folders: 15, links: 8, ..TreeSpec::default() };
        random_tree(&bench.left, seed, &spec).unwrap();
        // Half of the right side comes from the left one, the rest is another tree.
        random_tree(&bench.right, seed + 1000, &spec).unwrap();
        let before = seen(&bench.right);
        let report = sync(&bench, OnError::Continue);
        assert!(report.counts.failed == 0, "seed {seed}: {:#?}", report.counts);
        let clash = report.items.iter().any(|item| matches!(item.outcome, Outcome::Skipped { .. }));
        if !clash {
            assert_same(&seen(&bench.left), &bench.right, &format!("seed {seed}"));
        }
        let recovery = undo_last(&bench);
        assert!(recovery.is_clean(), "seed {seed}: {recovery:#?}");
        assert_same(&before, &bench.right, &format!("seed {seed}"));
    }
}

#[test]
fn an_interrupted_run_is_found_and_recovered_either_way() {
    for how in [RecoverMode::Keep, RecoverMode::RollBack] {
        let bench = bench("all");
        let before = seen(&bench.right);
        // From the fortieth rename on the journal cannot be written: as near to a kill as one process can come.
        let calls = AtomicUsize::new(0);
        let bench = bench.script_all(move |event| {
            let journal = is_journal(event) && event.path.to_string().ends_with(".journal");
            if journal && event.call == Call::Sync && calls.fetch_add(1, Ordering::SeqCst) >= 6 {
                return Act::Fail(EIO);
            }
            Act::Go
        });
        let report = sync(&bench, OnError::Continue);
        assert_eq!(report.result, RunResult::Stopped);
        assert!(report.counts.copied > 0);
        let root = bench.roots().1;
        let found = unfinished(&root).unwrap();
        assert_eq!(found.len(), 1);
        let mut bare = bench;
        bare.run_script = None;
        let again = run(
            &sync_plan(&bare),
            &[&bare.roots().0, &root],
            &bare.settings,
            &options(OnError::Continue),
            &bare.control,
        );
        assert!(matches!(again, Err(StartError::Unfinished { .. })), "the next run is refused");

        let recoveries = recover(&root, how, &bare.control).unwrap();
        assert!(recoveries.len() == 1 && recoveries[0].is_clean(), "{recoveries:#?}");
        assert_no_strays_beside(&bare.right);
        if how == RecoverMode::Keep {
            assert_eq!(recoveries[0].state, RunState::Recovered);
            assert!(undo_last(&bare).is_clean());
        }
        assert_same(&before, &bare.right, "after the undo");
        assert!(recover(&root, how, &bare.control).unwrap().is_empty(), "nothing is left to recover");
    }
}

/// A folder that somebody made in place of one in which the run worked keeps its date, as all that is in it.
#[test]
fn the_date_of_a_folder_that_is_another_one_by_now_is_left_alone() {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    std::fs::create_dir(bench.left.join("d")).unwrap();
    std::fs::create_dir(bench.right.join("d")).unwrap();
    std::fs::write(bench.left.join("d/new"), "new").unwrap();
    age(&bench.right.join("d"));
    assert_eq!(bench.copy().counts.copied, 1);
    std::fs::rename(bench.right.join("d"), bench.right.join("away")).unwrap();
    std::fs::create_dir(bench.right.join("d")).unwrap();
    std::fs::write(bench.right.join("d/theirs"), "theirs").unwrap();
    let date = || std::fs::metadata(bench.right.join("d")).unwrap().modified().unwrap();
    let before = date();
    undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(date(), before);
}
