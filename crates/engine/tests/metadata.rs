//! Items of the target get other permissions and dates and nothing else; that is recovered and undone.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/deaths.rs"]
mod deaths;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Bench, dies_at, item, put};
use deaths::after_each_death;
use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_engine::history::{RecoverMode, RecoveryAction, RunState, recover, undo};
use fcs_engine::plan::{ItemMetadata, Plan, plan_sync};
use fcs_engine::report::{ActionKind, Outcome, RunResult};
use fcs_engine::run::{OnError, RunOptions, run};
use fcs_engine::settings::Undo;
use fcs_engine::{ErrorKind, TargetState};
use fcs_sys::{Attributes, Time};
use fcs_testkit::faulty::{Act, Call, Event, wrap};
use fcs_testkit::listing::{Listing, Options, diff, listing};

const EIO: i32 = 5;

/// What is set of each: mode before and after, and the date after in seconds.
const SET: [(&str, u32, u32, Option<i64>); 5] = [
    ("file", 0o644, 0o600, Some(1_000_000_000)),
    ("mode only", 0o600, 0o444, None),
    ("tree", 0o755, 0o555, Some(1_000_000_100)),
    ("tree/deep", 0o755, 0o500, None),
    ("tree/deep/in it", 0o644, 0o640, Some(1_000_000_200)),
];

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Both sides are equal, but for one file that is new in a folder whose permissions are set, and one that goes.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    for root in [&bench.right, &bench.left] {
        for file in ["file", "mode only", "tree/deep/in it"] {
            put(&root.join(file), "content");
            let old = std::time::UNIX_EPOCH + std::time::Duration::from_hours(250_000);
            fs::File::options().append(true).open(root.join(file)).unwrap().set_modified(old).unwrap();
        }
        SET.iter().for_each(|(path, before, ..)| set_mode(&root.join(path), *before));
    }
    put(&bench.left.join("tree/new"), "new");
    put(&bench.right.join("tree/gone"), "goes");
    bench
}

fn row(comparison: &Comparison, path: &str) -> RowId {
    let mut rows = 0..comparison.rows.len() as RowId;
    rows.find(|&row| comparison.path_on(row, Side::Right).to_string() == path).unwrap()
}

fn plan(bench: &Bench) -> Plan {
    let comparison = bench.compare();
    let mut plan = plan_sync(&comparison, Side::Right, &|_| true, &bench.settings);
    for (path, _, mode, time) in SET {
        let modified = time.map(|seconds| Time::new(seconds, 7));
        let set = ItemMetadata { modified, created: None, attributes: Some(Attributes(mode)) };
        assert!(plan.add_metadata(&comparison, Side::Right, row(&comparison, path), set), "{path}");
    }
    assert!(!plan.add_metadata(&comparison, Side::Right, Comparison::ROOT, ItemMetadata::default()));
    let totals = &plan.totals;
    assert_eq!(
        (
            totals.changes.of(ActionKind::SetMetadata),
            totals.new_files,
            totals.removed_files,
            totals.replaced_files
        ),
        (5, 1, 1, 0)
    );
    plan
}

fn seen(root: &Path) -> Listing {
    let mut seen = listing(root, &Options { root: true, ..Options::default() }).unwrap();
    seen.retain(|path, _| !path.starts_with(".fcs"));
    seen
}

/// Each item has all of before or all that it was to have.
fn assert_whole(bench: &Bench, what: &str) {
    for (path, before, after, time) in SET {
        let now = fs::metadata(bench.right.join(path)).unwrap();
        let bits = now.permissions().mode() & 0o7777;
        assert!([before, after].contains(&bits), "{what}: {path} has {bits:o}");
        let modified = now.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        // A folder has more reasons to have a date.
        if let Some(time) = time.filter(|_| now.is_file()) {
            assert_eq!(bits == after, modified.as_secs() as i64 == time, "{what}: {path} has some of both");
        }
    }
}

#[test]
fn permissions_and_dates_are_set_and_come_back() {
    let bench = bench();
    let before = seen(&bench.right);
    let report = bench.run(&plan(&bench));
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    assert_eq!(
        (report.counts.changes.of(ActionKind::SetMetadata), report.counts.copied, report.counts.removed),
        (5, 1, 1)
    );
    assert_eq!(item(&report, "mode only").action, ActionKind::SetMetadata);
    for (path, _, after, time) in SET {
        let now = fs::metadata(bench.right.join(path)).unwrap();
        assert_eq!(mode(&bench.right.join(path)), after, "{path}");
        let modified = now.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        if let Some(time) = time {
            assert_eq!((modified.as_secs() as i64, modified.subsec_nanos()), (time, 7), "{path}");
        }
    }
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    let back = recovery.items.iter().filter(|item| item.action == RecoveryAction::MetadataRestored).count();
    assert_eq!(back, 5, "{recovery:#?}");
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

#[test]
fn what_changed_since_the_comparison_or_is_worked_on_otherwise_is_refused() {
    let bench = bench();
    let comparison = bench.compare();
    let mut plan = plan(&bench);
    let private = ItemMetadata { attributes: Some(Attributes(0o600)), ..ItemMetadata::default() };
    assert!(plan.add_metadata(&comparison, Side::Right, row(&comparison, "tree/gone"), private));
    set_mode(&bench.right.join("tree/deep"), 0o700);
    put(&bench.right.join("file"), "edited since");
    let report = bench.run(&plan);
    assert_eq!(
        (report.counts.failed, report.counts.changes.of(ActionKind::SetMetadata)),
        (3, 3),
        "{report:#?}"
    );
    // A folder that is worked in has an item of its own for that.
    let told = |path: &str| {
        let mut items = report.items.iter().filter(|item| item.action == ActionKind::SetMetadata);
        match &items.find(|item| item.path.to_string() == path).unwrap().outcome {
            Outcome::Failed { error } => error,
            other => panic!("{other:?}"),
        }
    };
    for path in ["file", "tree/deep"] {
        let error = told(path);
        assert_eq!((&error.kind, error.target), (&ErrorKind::TargetStale, Some(TargetState::Original)));
    }
    assert!(matches!(told("tree/gone").kind, ErrorKind::Os(_)), "{report:#?}");
    assert_eq!((mode(&bench.right.join("tree/deep")), mode(&bench.right.join("file"))), (0o700, 0o644));
}

#[test]
fn undo_leaves_alone_what_changed_since() {
    let bench = bench();
    assert_eq!(bench.run(&plan(&bench)).result, RunResult::Completed);
    put(&bench.right.join("file"), "edited since");
    set_mode(&bench.right.join("tree/deep"), 0o707);
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    let left = recovery.items.iter().filter(|item| item.action == RecoveryAction::Left);
    let mut paths: Vec<_> = left.map(|item| item.path.to_string()).collect();
    paths.sort();
    assert_eq!(paths, ["file", "tree/deep"], "{recovery:#?}");
    let modes = ["file", "tree/deep", "tree", "tree/deep/in it"].map(|path| mode(&bench.right.join(path)));
    assert_eq!(modes, [0o600, 0o707, 0o755, 0o644]);
}

/// Every place at which a run can die, and every place at which its undo can.
#[test]
fn after_a_death_anywhere_each_item_has_all_of_before_or_all_of_after() {
    let deaths = after_each_death(bench, plan, seen, |_, _| {}, assert_whole);
    assert!(deaths > 100, "{deaths} deaths");
}

/// One that cannot get all that it is to have keeps all of before, whether the run stays or is rolled back.
#[test]
fn an_item_that_gets_only_a_part_gets_back_what_it_had() {
    for on_error in [OnError::Continue, OnError::RollBack] {
        for call in [Call::SetTimes, Call::Metadata, Call::SyncVolume] {
            let bench = bench();
            let before = seen(&bench.right);
            let plan = plan(&bench);
            let (is_set, fired) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let failed = Arc::clone(&fired);
            let script = move |event: &Event<'_>| {
                let of_file = event.path.as_bytes() == b"file";
                let is_after =
                    of_file && event.call == Call::SetAttributes && !is_set.swap(true, Ordering::SeqCst);
                let about = !is_after && is_set.load(Ordering::SeqCst) && event.call == call;
                if about && (of_file || call == Call::SyncVolume) && !failed.swap(true, Ordering::SeqCst) {
                    return Act::Fail(EIO);
                }
                Act::Go
            };
            let (left, right) = bench.roots();
            let right = wrap(&right, "target", Arc::new(script));
            let options = RunOptions { on_error, ..RunOptions::default() };
            let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
            let what = format!("{on_error:?}, {call:?}");
            assert!(fired.load(Ordering::SeqCst), "{what}");
            assert_whole(&bench, &what);
            if on_error == OnError::RollBack {
                assert_eq!(report.result, RunResult::RolledBack, "{what}: {report:#?}");
            } else {
                assert_eq!(report.result, RunResult::CompletedWithFailures, "{what}: {report:#?}");
                let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
                assert_eq!(recovery.state, RunState::RolledBack, "{what}: {recovery:#?}");
            }
            assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new(), "{what}");
        }
    }
}

#[test]
fn what_a_dry_run_and_a_stopped_run_do_not_set_is_told() {
    let bench = bench();
    let before = seen(&bench.right);
    let options = RunOptions { dry_run: true, ..RunOptions::default() };
    let (left, right) = bench.roots();
    let report = run(&plan(&bench), &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
    let told = report.items.iter().filter(|item| item.action == ActionKind::SetMetadata).count();
    assert_eq!((told, report.counts.changes.of(ActionKind::SetMetadata)), (5, 0));
    let plan = plan(&bench);
    bench.control.cancel.cancel();
    let report =
        run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    assert_eq!(report.result, RunResult::Cancelled);
    assert_eq!(report.items.iter().filter(|item| item.action == ActionKind::SetMetadata).count(), 5);
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

/// What the system makes of what is set, and says nothing, is known again.
#[test]
fn bits_that_the_system_drops_do_not_keep_undo_from_it() {
    let bench = bench();
    let before = seen(&bench.right);
    let plan = plan(&bench);
    let (left, right) = bench.roots();
    let script = |event: &Event<'_>| {
        let drops = event.call == Call::SetAttributes && event.path.as_bytes() == b"file";
        if drops { Act::Lie } else { Act::Go }
    };
    let right = wrap(&right, "target", Arc::new(script));
    let options = RunOptions::default();
    let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
    assert_eq!(item(&report, "file").not_kept.len(), 1, "{report:#?}");
    assert_eq!(mode(&bench.right.join("file")), 0o644);
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

fn plan_of(bench: &Bench, bits: &[(&str, u32)]) -> Plan {
    let comparison = bench.compare();
    let mut plan = plan_sync(&comparison, Side::Right, &|_| false, &bench.settings);
    for (path, bits) in bits {
        let set = ItemMetadata { attributes: Some(Attributes(*bits)), ..ItemMetadata::default() };
        assert!(plan.add_metadata(&comparison, Side::Right, row(&comparison, path), set));
    }
    plan
}

#[test]
fn set_id_bits_are_given_only_to_what_has_them() {
    let bench = bench();
    set_mode(&bench.right.join("mode only"), 0o4755);
    let set = [("file", 0o6755), ("mode only", 0o6711), ("tree/deep", 0o2755)];
    let report = bench.run(&plan_of(&bench, &set));
    assert_eq!(report.counts.changes.of(ActionKind::SetMetadata), 3, "{report:#?}");
    for (path, bits) in [("file", 0o755), ("mode only", 0o4711), ("tree/deep", 0o755)] {
        assert_eq!(mode(&bench.right.join(path)), bits, "{path}");
        assert_eq!(item(&report, path).not_kept.len(), 1, "{path}: {report:#?}");
    }
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_eq!(mode(&bench.right.join("mode only")), 0o4755);
}

/// A plain user could neither recover nor undo it.
#[cfg(target_os = "linux")]
#[test]
fn what_would_lock_its_own_user_out_is_refused() {
    let place = tempfile::tempdir().unwrap();
    set_mode(place.path(), 0o755);
    let bench = Bench::at(place.path());
    let bits = [("none", 0), ("write", 0o200), ("folder", 0o300), ("fine", 0o400)];
    for root in [&bench.left, &bench.right] {
        ["none", "write", "fine", "folder/in it"].iter().for_each(|path| put(&root.join(path), "content"));
        fcs_testkit::user::give_to_plain_user(root).unwrap_or(());
    }
    let plan = plan_of(&bench, &bits);
    let report = match fcs_testkit::user::as_plain_user(|| bench.run(&plan)) {
        Ok(report) => report,
        Err(reason) => return fcs_testkit::skip::skip(fcs_testkit::test_name!(), &reason.reason),
    };
    for (path, _) in &bits[..3] {
        let error = common::failure(&report, path);
        assert_eq!((error.kind, error.target), (ErrorKind::LocksOut, Some(TargetState::Original)), "{path}");
    }
    assert_eq!(["none", "write", "fine"].map(|path| mode(&bench.right.join(path))), [0o644, 0o644, 0o400]);
    assert_eq!(mode(&bench.right.join("folder")), 0o755);
}

/// Permissions that somebody gave a folder since are not those with which this program worked in it.
#[test]
fn recovery_takes_back_only_permissions_that_it_has_given() {
    let mut unfinished = 0;
    for n in 1.. {
        let mut bench = bench();
        bench.settings.batch_max_files = 1;
        let plan = plan(&bench);
        let died = dies_at(n, &bench, |right| {
            let (left, options) = (bench.roots().0, RunOptions::default());
            let _ = run(&plan, &[&left, right], &bench.settings, &options, &bench.control);
        });
        let folder = bench.right.join("tree/deep");
        if mode(&folder) == 0o500 {
            set_mode(&folder, 0o700);
            let found = recover(&bench.roots().1, RecoverMode::Keep, &bench.control).unwrap();
            unfinished += found.len();
            assert_ne!(mode(&folder), 0o500, "change {n}: {found:#?}");
        }
        if !died {
            break;
        }
    }
    assert!(unfinished > 3, "{unfinished} unfinished runs");
}

/// A run that dies between the permissions and the date of a file.
fn half_set(bench: &Bench) {
    let is_dead = AtomicBool::new(false);
    let script = move |event: &Event<'_>| {
        let of_file = event.path.as_bytes() == b"file";
        let is_set = of_file && event.call == Call::SetTimes;
        if is_dead.load(Ordering::SeqCst) || is_set {
            is_dead.store(true, Ordering::SeqCst);
            return Act::Fail(EIO);
        }
        Act::Go
    };
    let plan = plan(bench);
    let (left, right) = bench.roots();
    let right = wrap(&right, "target", Arc::new(script));
    let _ = run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control);
    assert_eq!(mode(&bench.right.join("file")), 0o600);
}

#[test]
fn what_takes_the_place_of_an_item_while_it_is_recovered_is_left_alone() {
    let bench = bench();
    half_set(&bench);
    let (file, other) = (bench.right.join("file"), bench.right.with_file_name("other"));
    put(&other, "content");
    set_mode(&other, 0o640);
    let (there, replaced) = (file.clone(), Arc::new(AtomicBool::new(false)));
    let done = Arc::clone(&replaced);
    let script = move |event: &Event<'_>| {
        let opens = event.call == Call::OpenWritable && event.path.as_bytes() == b"file";
        if opens && !done.swap(true, Ordering::SeqCst) {
            fs::rename(&other, &there).unwrap();
        }
        Act::Go
    };
    let right = wrap(&bench.roots().1, "target", Arc::new(script));
    recover(&right, RecoverMode::Keep, &bench.control).unwrap();
    assert!(replaced.load(Ordering::SeqCst), "the file was opened");
    assert_eq!(mode(&file), 0o640, "somebody else's file");
}

/// Recovery lists a folder once for all items of it.
#[test]
fn many_items_of_a_folder_are_recovered_with_it() {
    const FILES: usize = 30;
    let bench = bench();
    let names: Vec<_> = (0..FILES).map(|n| format!("tree/{n}")).collect();
    for root in [&bench.left, &bench.right] {
        names.iter().for_each(|name| put(&root.join(name), "content"));
    }
    let bits: Vec<_> = names.iter().map(|name| (name.as_str(), 0o640)).collect();
    let plan = plan_of(&bench, &bits);
    let is_dead = AtomicBool::new(false);
    let script = move |event: &Event<'_>| {
        if event.call == Call::SetAttributes && event.path.as_bytes() == names[FILES / 2].as_bytes() {
            is_dead.store(true, Ordering::SeqCst);
        }
        if is_dead.load(Ordering::SeqCst) { Act::Fail(EIO) } else { Act::Go }
    };
    let (left, right) = bench.roots();
    let dead = wrap(&right, "target", Arc::new(script));
    let options = RunOptions::default();
    let _ = run(&plan, &[&left, &dead], &bench.settings, &options, &bench.control);
    let lists = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&lists);
    let script = move |event: &Event<'_>| {
        let about = event.call == Call::List && event.path.as_bytes() == b"tree";
        counted.fetch_add(usize::from(about), Ordering::SeqCst);
        Act::Go
    };
    let found =
        recover(&wrap(&right, "target", Arc::new(script)), RecoverMode::Keep, &bench.control).unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    let lists = lists.load(Ordering::SeqCst);
    assert!((1..5).contains(&lists), "listed {lists} times");
}
