//! The engine on the Windows backend, judged through the standard library: what goes another way there than on Unix.
//! Names cannot be exchanged, attributes take the place of modes, and files can be open in a way that forbids things.
#![cfg(windows)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fcs_engine::compare::Side;
use fcs_engine::history::{RecoverMode, RecoveryAction, RunState, recover, undo};
use fcs_engine::plan::{plan_orphans, plan_sync};
use fcs_engine::report::{Evidence, Outcome, RunResult};
use fcs_engine::settings::{Strategy, Undo};
use fcs_engine::{ErrorKind, TargetState};
use fcs_sys::{OsReason, open_root};
use fcs_testkit::faulty::{Act, Call};

use common::{Bench, age, assert_no_strays, assert_no_strays_beside, failure, item, noise};

const READ_ONLY: u32 = 1;
const HIDDEN: u32 = 2;
const SHARE_READ: u32 = 1;

fn aged() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_700)
}

fn attributes(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().file_attributes()
}

/// Everything below a folder: path, content (`None` for folders), the attributes a user sees, and modified time.
fn tree(root: &Path) -> Vec<(String, Option<Vec<u8>>, u32, SystemTime)> {
    let mut found = Vec::new();
    let mut stack = vec![root.to_path_buf()];
    while let Some(folder) = stack.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name == ".fcs" {
                continue;
            }
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = meta.is_file().then(|| fs::read(&path).unwrap());
            let marks = meta.file_attributes() & (READ_ONLY | HIDDEN);
            found.push((name, content, marks, meta.modified().unwrap()));
            if meta.is_dir() {
                stack.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A tree on the left and an older one on the right: new, replaced and kept items, marked ones, folders.
fn write_sources(bench: &Bench) {
    fs::create_dir_all(bench.left.join("folder/deep")).unwrap();
    fs::create_dir_all(bench.left.join("new folder")).unwrap();
    fs::create_dir_all(bench.right.join("folder")).unwrap();
    for (path, size) in [
        ("replaced", 5_000),
        ("folder/replaced too", 70_000),
        ("folder/deep/new é漢", 3),
        ("new folder/empty", 0),
        ("read-only", 10),
        ("hidden", 10),
    ] {
        fs::write(bench.left.join(path), noise(size, size as u64)).unwrap();
        age(&bench.left.join(path));
    }
    mark(&bench.left.join("read-only"), true);
    hide(&bench.left.join("hidden"));
    for path in ["replaced", "folder/replaced too"] {
        fs::write(bench.right.join(path), "old").unwrap();
        fs::File::options()
            .write(true)
            .open(bench.right.join(path))
            .unwrap()
            .set_modified(UNIX_EPOCH + Duration::from_hours(250_000))
            .unwrap();
    }
}

fn mark(path: &Path, read_only: bool) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    permissions.set_readonly(read_only);
    fs::set_permissions(path, permissions).unwrap();
}

fn hide(path: &Path) {
    let (parent, name) = (path.parent().unwrap(), path.file_name().unwrap());
    let root = open_root(parent).unwrap();
    let file = root.dir.open_file(&fcs_sys::Name::from_os(name).unwrap(), fcs_sys::Access::Read).unwrap();
    file.set_attributes(fcs_sys::Attributes(HIDDEN)).unwrap();
}

fn without_times(
    mut tree: Vec<(String, Option<Vec<u8>>, u32, SystemTime)>,
) -> Vec<(String, Option<Vec<u8>>, u32)> {
    tree.drain(..).map(|(name, content, marks, _)| (name, content, marks)).collect()
}

#[test]
fn both_strategies_give_the_tree_of_the_source_and_leave_no_trace() {
    for (strategy, in_groups) in
        [(Strategy::Direct, true), (Strategy::Direct, false), (Strategy::Staged, false)]
    {
        let mut bench = Bench::new().strategy(strategy);
        if !in_groups {
            bench = bench.no_groups();
        }
        write_sources(&bench);
        let report = bench.copy();
        assert_eq!(report.result, RunResult::Completed, "{strategy:?}: {report:#?}");
        assert_eq!(tree(&bench.left), tree(&bench.right), "{strategy:?}");
        assert_no_strays(&bench.right);
        assert!(bench.plan().is_empty(), "a second run has nothing to do");
    }
}

#[test]
fn what_was_read_back_is_never_called_more_than_it_is() {
    let bench = Bench::new();
    write_sources(&bench);
    let report = bench.copy();
    let Outcome::Done { evidence } = &item(&report, "replaced").outcome else { panic!("{report:#?}") };
    if fcs_sys::is_wine() {
        assert!(matches!(evidence, Evidence::CacheReread { .. }), "{evidence:?}");
    } else {
        assert!(matches!(evidence, Evidence::DeviceReread { .. }), "{evidence:?}");
    }
}

#[test]
fn undo_brings_everything_back() {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    write_sources(&bench);
    fs::write(bench.right.join("superfluous"), "x").unwrap();
    fs::create_dir(bench.right.join("empty folder")).unwrap();
    let before = tree(&bench.right);
    let plan = plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let report = bench.run(&plan);
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    assert_eq!(without_times(tree(&bench.left)), without_times(tree(&bench.right)));
    assert_no_strays_beside(&bench.right);
    assert_ne!(attributes(&bench.right.join(".fcs")) & HIDDEN, 0);

    let root = open_root(&bench.right).unwrap();
    let recovery = undo(&root, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_eq!(tree(&bench.right), before);
    drop(root);
    assert_no_strays(&bench.right);
}

#[test]
fn a_target_that_another_program_has_open_stays_and_the_message_says_so() {
    let bench = Bench::new();
    write_sources(&bench);
    // As Office opens a document.
    let path = bench.right.join("replaced");
    let held = fs::File::options().read(true).write(true).share_mode(SHARE_READ).open(&path).unwrap();
    let report = bench.copy();
    assert_eq!(report.result, RunResult::CompletedWithFailures);
    let error = failure(&report, "replaced");
    assert_eq!((error.kind, error.target), (ErrorKind::Os(OsReason::InUse), Some(TargetState::Original)));
    assert!(error.to_string().contains("another program is using it"), "{error}");
    drop(held);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_no_strays(&bench.right);
    assert_eq!(bench.copy().result, RunResult::Completed, "and the next run replaces it");
    assert_eq!(tree(&bench.left), tree(&bench.right));
}

#[test]
fn a_source_that_cannot_be_read_fails_alone() {
    let bench = Bench::new();
    write_sources(&bench);
    let plan = bench.plan();
    let held = fs::File::options().read(true).share_mode(0).open(bench.left.join("replaced")).unwrap();
    let report = bench.run(&plan);
    let error = failure(&report, "replaced");
    assert_eq!((error.kind, error.target), (ErrorKind::Os(OsReason::InUse), Some(TargetState::Original)));
    assert_eq!(report.counts.failed, 1, "{report:#?}");
    drop(held);
    assert_no_strays(&bench.right);
}

#[test]
fn a_read_only_target_is_refused_and_keeps_its_mark() {
    let bench = Bench::new();
    write_sources(&bench);
    mark(&bench.right.join("replaced"), true);
    let report = bench.copy();
    let error = failure(&report, "replaced");
    assert_eq!((error.kind, error.target), (ErrorKind::TargetReadOnly, Some(TargetState::Original)));
    assert_eq!(fs::read(bench.right.join("replaced")).unwrap(), b"old");
    assert_ne!(attributes(&bench.right.join("replaced")) & READ_ONLY, 0);
    assert_no_strays(&bench.right);
    mark(&bench.right.join("replaced"), false);
}

#[test]
fn a_removed_read_only_file_comes_back_marked_and_folders_go_and_come() {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    bench.settings.max_delete_percent = 100;
    fs::write(bench.left.join("kept"), "1").unwrap();
    fs::create_dir_all(bench.right.join("gone/deep")).unwrap();
    for path in ["kept", "gone/deep/marked", "gone/plain"] {
        fs::write(bench.right.join(path), "1").unwrap();
        age(&bench.right.join(path));
    }
    mark(&bench.right.join("gone/deep/marked"), true);
    let before = tree(&bench.right);
    let plan = plan_orphans(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let report = bench.run(&plan);
    assert_eq!((report.result, report.counts.failed), (RunResult::Completed, 0), "{report:#?}");
    assert!(!bench.right.join("gone").exists());

    let root = open_root(&bench.right).unwrap();
    let recovery = undo(&root, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    drop(root);
    let names = |tree: &[(String, Option<Vec<u8>>, u32, SystemTime)]| {
        tree.iter().map(|item| (item.0.clone(), item.1.clone(), item.2)).collect::<Vec<_>>()
    };
    assert_eq!(names(&tree(&bench.right)), names(&before));
    assert_no_strays(&bench.right);
}

#[test]
fn a_removed_read_only_file_goes_for_good_without_undo() {
    let mut bench = Bench::new();
    bench.settings.max_delete_percent = 100;
    fs::create_dir(bench.right.join("gone")).unwrap();
    fs::write(bench.right.join("gone/marked"), "1").unwrap();
    mark(&bench.right.join("gone/marked"), true);
    let plan = plan_orphans(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let report = bench.run(&plan);
    assert_eq!((report.result, report.counts.failed), (RunResult::Completed, 0), "{report:#?}");
    assert_eq!(tree(&bench.right), []);
    assert_no_strays(&bench.right);
}

#[test]
fn a_source_that_changes_while_it_is_copied_is_copied_anew() {
    let bench = Bench::new();
    write_sources(&bench);
    let path = bench.left.join("folder/replaced too");
    let fired = Arc::new(AtomicBool::new(false));
    let once = Arc::clone(&fired);
    let changed = path.clone();
    let bench = bench.script(move |event| {
        let is_it = event.side == "source" && event.path.as_bytes() == b"folder/replaced too";
        if is_it && event.call == Call::Read && !once.swap(true, Ordering::SeqCst) {
            fs::write(&changed, noise(60_000, 99)).unwrap();
        }
        Act::Go
    });
    let report = bench.copy();
    assert!(fired.load(Ordering::SeqCst));
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    assert_eq!(fs::read(bench.right.join("folder/replaced too")).unwrap(), noise(60_000, 99));
    assert_no_strays(&bench.right);
}

#[test]
fn a_cancel_in_the_middle_of_a_file_leaves_the_original_and_nothing_beside() {
    let bench = Bench::new().no_groups().strategy(Strategy::Staged);
    fs::write(bench.left.join("large"), noise(20 << 20, 5)).unwrap();
    fs::write(bench.right.join("large"), "old").unwrap();
    let plan = bench.plan();
    let cancel = Arc::clone(&bench.control.cancel);
    let writes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&writes);
    let bench = bench.script(move |event| {
        let staged = event.path.as_bytes().ends_with(b".part");
        if staged && event.call == Call::Write && count.fetch_add(1, Ordering::SeqCst) == 1 {
            cancel.cancel();
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert_eq!(report.result, RunResult::Cancelled, "{report:#?}");
    assert!((2..5).contains(&writes.load(Ordering::SeqCst)), "in the middle, and seen at once");
    assert_eq!(fs::read(bench.right.join("large")).unwrap(), b"old");
    assert_no_strays(&bench.right);
}

#[test]
fn a_replacement_that_fails_half_way_leaves_the_original_and_nothing_beside() {
    let bench = Bench::new();
    write_sources(&bench);
    let fired = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        // The second half: the original has its second name by then.
        if event.call == Call::RenameReplace {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(5);
        }
        Act::Go
    });
    let report = bench.copy();
    assert_eq!(fired.load(Ordering::SeqCst), 2);
    for path in ["replaced", "folder/replaced too"] {
        let error = failure(&report, path);
        assert_eq!(error.target, Some(TargetState::Original), "{error}");
        assert_eq!(fs::read(bench.right.join(path)).unwrap(), b"old");
    }
    assert_no_strays(&bench.right);
}

/// Ends a run at a call: from there on nothing works any more, as for a process that is gone.
fn interrupted(mut bench: Bench, at: impl Fn(Call, &[u8]) -> bool + Send + Sync + 'static) -> Bench {
    let plan = bench.plan();
    let hit = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&hit);
    bench = bench.script_all(move |event| {
        if seen.load(Ordering::SeqCst) || at(event.call, event.path.as_bytes()) {
            seen.store(true, Ordering::SeqCst);
            return Act::Fail(5);
        }
        Act::Go
    });
    let _ = bench.try_run(&plan);
    assert!(hit.load(Ordering::SeqCst), "the run was interrupted");
    bench.run_script = None;
    bench
}

#[test]
fn recovery_adopts_a_folder_that_was_made_but_not_written_down_and_takes_it_back() {
    for how in [RecoverMode::Keep, RecoverMode::RollBack] {
        let mut bench = Bench::new();
        bench.settings.undo = Undo::Last;
        fs::create_dir(bench.left.join("made")).unwrap();
        fs::write(bench.left.join("made/file"), "1").unwrap();
        fs::write(bench.left.join("other"), "1").unwrap();
        let bench = interrupted(bench, |call, path| call == Call::OpenDir && path == b"made");
        assert_ne!(attributes(&bench.right.join("made")) & HIDDEN, 0, "created, without attributes");
        let root = open_root(&bench.right).unwrap();
        let recoveries = recover(&root, how, &bench.control).unwrap();
        assert_eq!(recoveries.len(), 1);
        drop(root);
        if how == RecoverMode::Keep {
            assert!(
                recoveries[0].items.iter().any(|item| item.action == RecoveryAction::FinishedFolder),
                "{recoveries:#?}"
            );
            assert_eq!(attributes(&bench.right.join("made")) & HIDDEN, 0);
        } else {
            assert!(!bench.right.join("made").exists(), "{recoveries:#?}");
            assert_no_strays(&bench.right);
        }
    }
}

#[test]
fn recovery_leaves_a_folder_alone_that_somebody_else_made() {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    fs::create_dir(bench.left.join("made")).unwrap();
    fs::write(bench.left.join("made/file"), "1").unwrap();
    let bench = interrupted(bench, |call, path| call == Call::CreateDir && path == b"made");
    fs::create_dir(bench.right.join("made")).unwrap();
    let time = fs::metadata(bench.right.join("made")).unwrap().modified().unwrap();
    let root = open_root(&bench.right).unwrap();
    recover(&root, RecoverMode::Keep, &bench.control).unwrap();
    assert_eq!(fs::metadata(bench.right.join("made")).unwrap().modified().unwrap(), time);
}

#[test]
fn a_run_that_was_interrupted_in_the_middle_of_a_replacement_is_put_in_order() {
    let cases: [(Call, &str); 4] = [
        (Call::HardLink, "replaced"),
        (Call::RenameReplace, ".part"),
        (Call::Stat, ".orig"),
        (Call::RenameNoReplace, ".orig"),
    ];
    for (call, name) in cases {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            let mut bench = Bench::new();
            bench.settings.undo = Undo::Last;
            fs::write(bench.left.join("replaced"), "new").unwrap();
            age(&bench.left.join("replaced"));
            fs::write(bench.right.join("replaced"), "old").unwrap();
            let before = tree(&bench.right);
            let bench = interrupted(bench, move |now, path| {
                now == call && String::from_utf8_lossy(path).ends_with(name)
            });
            let root = open_root(&bench.right).unwrap();
            let recoveries = recover(&root, how, &bench.control).unwrap();
            assert!(
                recoveries.iter().all(fcs_engine::history::RecoveryReport::is_clean),
                "{call:?} {name}: {recoveries:#?}"
            );
            drop(root);
            assert_no_strays_beside(&bench.right);
            if how == RecoverMode::RollBack {
                assert_eq!(tree(&bench.right), before, "{call:?} {name}");
                assert_no_strays(&bench.right);
            } else {
                let content = fs::read(bench.right.join("replaced")).unwrap();
                assert!(content == b"old" || content == b"new", "{call:?} {name}");
            }
        }
    }
}

#[test]
fn aged_times_arrive_to_100_ns() {
    let bench = Bench::new();
    write_sources(&bench);
    bench.copy();
    assert_eq!(fs::metadata(bench.right.join("replaced")).unwrap().modified().unwrap(), aged());
}
