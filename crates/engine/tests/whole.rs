//! R9: a folder that goes to the undo store goes by one rename, and comes back by one; only if it holds exactly what was
//! seen. That no crash loses anything of it shows `crash.rs` (`FolderRemove`, `FolderApart`).

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use common::{Bench, failure, item};
use fcs_engine::compare::Side;
use fcs_engine::history::{RecoveryAction, RunState, list, prune, undo};
use fcs_engine::plan::plan_sync;
use fcs_engine::report::{Outcome, Report};
use fcs_engine::settings::Undo;
use fcs_engine::{Control, Settings};
use fcs_testkit::faulty::{Act, Call, Event};
use fcs_testkit::listing::{Options, diff, listing};
use fcs_testkit::skip::skip;
use fcs_testkit::test_name;
use fcs_testkit::user::{as_plain_user, give_to_plain_user};

/// Only on the right: `gone` with 60 files, a link and folders in folders.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings = Settings { undo: Undo::Days(30), ..bench.settings };
    for side in [&bench.left, &bench.right] {
        fs::write(side.join("stays"), "on both sides").unwrap();
    }
    let gone = bench.right.join("gone");
    fs::create_dir_all(gone.join("deep/deeper")).unwrap();
    fs::create_dir(gone.join("empty")).unwrap();
    for n in 0..30 {
        fs::write(gone.join(format!("{n}")), format!("file {n}")).unwrap();
        fs::write(gone.join(format!("deep/deeper/{n}")), format!("deep file {n}")).unwrap();
    }
    symlink("0", gone.join("link")).unwrap();
    fs::set_permissions(gone.join("empty"), fs::Permissions::from_mode(0o711)).unwrap();
    for path in ["gone/deep/deeper", "gone/deep", "gone/empty", "gone", ""] {
        common::age(&bench.right.join(path));
    }
    common::age(&bench.left);
    bench
}

fn sync(bench: &Bench) -> Report {
    bench.run(&plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings))
}

/// The store of the only run.
fn store(bench: &Bench) -> PathBuf {
    let mut runs = fs::read_dir(bench.right.join(".fcs/undo")).unwrap();
    runs.next().unwrap().unwrap().path()
}

/// Counts the names of the user that are renamed away.
fn counting(bench: Bench) -> (Bench, Arc<Mutex<Vec<String>>>) {
    let renames: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&renames);
    let bench = bench.script(move |event: &Event<'_>| {
        if event.side == "target" && event.call == Call::RenameNoReplace {
            seen.lock().unwrap().push(event.path.to_string());
        }
        Act::Go
    });
    (bench, renames)
}

#[test]
fn r9_a_folder_goes_to_the_undo_store_by_one_rename_and_comes_back_whole() {
    let (bench, renames) = counting(bench());
    let before = listing(&bench.right, &Options::default()).unwrap();
    let report = sync(&bench);
    let counts = &report.counts;
    assert_eq!((counts.failed, counts.removed, counts.folders_removed), (0, 61, 4), "{counts:#?}");
    assert_eq!(*renames.lock().unwrap(), ["gone"], "one rename for 65 items");
    assert!(!bench.right.join("gone").exists());
    let kept: Vec<_> = fs::read_dir(store(&bench)).unwrap().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let (_, right) = bench.roots();
    let info = &list(&right).unwrap()[0];
    let bytes: usize = (0..30).map(|n| format!("file {n}deep file {n}").len()).sum();
    assert_eq!((info.items, info.kept_bytes), (65, bytes as u64));

    let recovery = undo(&right, None, &Control::default()).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_eq!(recovery.items.iter().filter(|item| item.action == RecoveryAction::Restored).count(), 65);
    let now = listing(&bench.right, &Options::default()).unwrap();
    let differences = diff(&before, &now);
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn r9_what_appears_in_a_folder_keeps_it_from_going_whole() {
    for place in ["gone/new", "gone/empty/new", "gone/deep/deeper/new"] {
        let (bench, renames) = counting(bench());
        let plan = plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings);
        fs::write(bench.right.join(place), "new").unwrap();
        let report = bench.run(&plan);
        assert!(renames.lock().unwrap().len() > 1, "{place}: item by item");
        assert_eq!(fs::read(bench.right.join(place)).unwrap(), b"new");
        assert!(!bench.right.join("gone/0").exists(), "what was seen is gone");
        let of_folder = &item(&report, "gone").outcome;
        assert!(!matches!(of_folder, Outcome::Done { .. }), "{place}: a folder that is not empty stays");
    }
}

/// The last look is after the rename: a change in the very moment of it restores the folder.
#[test]
fn r9_what_changes_while_a_folder_goes_brings_it_back() {
    for (place, is_new) in [("gone/new", true), ("gone/empty/new", true), ("gone/deep/deeper/7", false)] {
        let bench = bench();
        let (right, fired) = (bench.right.clone(), Arc::new(Mutex::new(0)));
        let count = Arc::clone(&fired);
        let bench = bench.script(move |event: &Event<'_>| {
            let is_whole = event.call == Call::RenameNoReplace && event.path.as_bytes() == b"gone";
            let mut fired = count.lock().unwrap();
            if is_whole && *fired == 0 {
                fs::write(right.join(place), "of somebody else").unwrap();
            }
            *fired += u32::from(is_whole);
            Act::Go
        });
        let report = sync(&bench);
        assert!(*fired.lock().unwrap() >= 1);
        assert_eq!(fs::read(bench.right.join(place)).unwrap(), b"of somebody else", "{place} stays");
        assert!(!bench.right.join("gone/0").exists(), "{place}: the rest goes by itself");
        assert!(matches!(item(&report, "gone/0").outcome, Outcome::Done { .. }));
        assert!(is_new || failure(&report, place).target.is_some());
        let recovery = undo(&bench.roots().1, None, &Control::default()).unwrap();
        assert!(
            bench.right.join("gone/0").exists() && bench.right.join("gone/link").is_symlink(),
            "{recovery:#?}"
        );
        assert_eq!(fs::read(bench.right.join(place)).unwrap(), b"of somebody else");
    }
}

#[test]
fn r9_where_the_name_is_taken_the_folder_waits_whole_and_is_told_once() {
    let bench = bench();
    let _ = sync(&bench);
    fs::create_dir_all(bench.right.join("gone/deep")).unwrap();
    fs::write(bench.right.join("gone/0"), "somebody's").unwrap();
    let (_, right) = bench.roots();
    let recovery = undo(&right, None, &Control::default()).unwrap();
    assert_eq!(recovery.state, RunState::PartlyUndone);
    let left: Vec<_> = recovery.items.iter().filter(|item| item.action == RecoveryAction::Left).collect();
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!(left[0].path.to_string(), "gone");
    assert_eq!(fs::read(bench.right.join("gone/0")).unwrap(), b"somebody's");
    // Once the way is clear it comes back.
    fs::remove_dir_all(bench.right.join("gone")).unwrap();
    let recovery = undo(&right, None, &Control::default()).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_eq!(fs::read(bench.right.join("gone/deep/deeper/7")).unwrap(), b"deep file 7");
}

#[test]
fn r9_a_folder_that_went_whole_is_pruned_whole() {
    let bench = bench();
    let _ = sync(&bench);
    let pruned = prune(&bench.roots().1, None).unwrap();
    assert!(pruned.errors.is_empty() && pruned.runs.len() == 1, "{pruned:?}");
    assert!(
        !bench.right.join(".fcs/undo").exists()
            || fs::read_dir(bench.right.join(".fcs/undo")).unwrap().count() == 0
    );

    let mut bench = self::bench();
    bench.settings.undo = Undo::Off;
    let report = sync(&bench);
    assert_eq!(report.counts.failed, 0);
    common::assert_no_strays(&bench.right);
}

/// A folder that could not go whole was taken apart, and the journal says so: each item comes back by itself.
#[test]
fn r9_a_folder_that_was_taken_apart_comes_back_item_by_item() {
    const EXDEV: i32 = 18;
    let (first, count) = (Arc::new(Mutex::new(true)), Arc::new(Mutex::new(0)));
    let count_all = Arc::clone(&count);
    let bench = bench().script(move |event: &Event<'_>| {
        let is_move = event.side == "target" && event.call == Call::RenameNoReplace;
        *count_all.lock().unwrap() += u32::from(is_move);
        let is_first =
            is_move && event.path.as_bytes() == b"gone" && std::mem::take(&mut *first.lock().unwrap());
        if is_first { Act::Fail(EXDEV) } else { Act::Go }
    });
    let report = sync(&bench);
    assert_eq!((report.counts.failed, *count.lock().unwrap()), (0, 66), "{:#?}", report.counts);
    // Somebody else has the folder's name now. The folder waits, and what was in it finds its place.
    fs::create_dir(bench.right.join("gone")).unwrap();
    fs::write(bench.right.join("gone/theirs"), "theirs").unwrap();
    let (_, right) = bench.roots();
    let recovery = undo(&right, None, &Control::default()).unwrap();
    assert_eq!(recovery.state, RunState::PartlyUndone);
    assert_eq!(fs::read(bench.right.join("gone/0")).unwrap(), b"file 0", "{recovery:#?}");
    assert_eq!(fs::read(bench.right.join("gone/deep/deeper/7")).unwrap(), b"deep file 7");
    // What was put into the emptied folder since is nobody's to delete.
    let emptied =
        fs::read_dir(store(&bench)).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir()).unwrap();
    fs::write(emptied.join("somebody's"), "x").unwrap();
    let pruned = prune(&right, None).unwrap();
    assert_eq!(pruned.errors.len(), 1, "{pruned:?}");
    assert!(emptied.join("somebody's").exists());
}

/// What a plain user could not remove by itself does not go along with a folder of its own either: it could never be deleted
/// from the undo store.
#[test]
fn r9_a_folder_of_somebody_elses_keeps_the_one_it_lies_in_from_going_whole() {
    if let Err(why) = as_plain_user(|| ()) {
        skip(test_name!(), &why.reason);
        return;
    }
    for (mode, is_whole) in [(0o755, false), (0o1777, false), (0o777, true)] {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut bench = Bench::at(place.path());
        bench.settings.undo = Undo::Off;
        let theirs = bench.right.join("gone/theirs");
        fs::create_dir_all(&theirs).unwrap();
        fs::write(bench.right.join("gone/0"), "0").unwrap();
        for root in [&bench.left, &bench.right] {
            fs::write(root.join("stays"), "on both sides").unwrap();
            give_to_plain_user(root).unwrap();
        }
        fs::write(theirs.join("of root"), "theirs").unwrap();
        std::os::unix::fs::chown(&theirs, Some(0), Some(0)).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(mode)).unwrap();
        as_plain_user(|| {
            let report = sync(&bench);
            assert_eq!(theirs.join("of root").exists(), !is_whole, "{mode:o}: {report:#?}");
            assert!(!bench.right.join("gone/0").exists());
            if !is_whole {
                let told = failure(&report, "gone/theirs/of root").to_string();
                assert!(told.contains("permission"), "{told}");
            }
            assert!(
                report.notes.iter().all(|note| !note.contains("Could not delete")),
                "{:#?}",
                report.notes
            );
            common::assert_no_strays(&bench.right);
        })
        .unwrap();
    }
}
