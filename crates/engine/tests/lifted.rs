//! P2: folders that do not let their own owner work in them (mode 0555), as caches of packages and checked-out trees have
//! them. A plain user's run, its undo and its recovery work in them all the same, and each has its mode again afterwards.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{Bench, age, assert_no_strays, assert_no_strays_beside, dies_at, failure};
use fcs_engine::compare::Side;
use fcs_engine::history::{RecoverMode, RecoveryReport, RunState, recover, undo};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::report::RunResult;
use fcs_engine::run::{OnError, RemovedTo, RunOptions, run};
use fcs_engine::session::{FileOutcome, Series};
use fcs_engine::settings::Undo;
use fcs_testkit::listing::{Listing, Options, diff, listing};
use fcs_testkit::skip::skip;
use fcs_testkit::test_name;
use fcs_testkit::user::{as_plain_user, give_to_plain_user};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn file(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    age(path);
}

/// Takes the write bits of everything in a tree, the root's aside.
fn close(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            close(&path);
            age(&path);
            mode(&path, 0o555);
        } else {
            mode(&path, 0o444);
        }
    }
}

/// Two trees of the plain user's in which no folder below the roots lets anybody work: something to add, to replace and to
/// remove at two depths, folders to make and to remove, an empty one too, and one of each kind opposite the other.
fn closed(place: &Path) -> Bench {
    mode(place, 0o755);
    let mut bench = Bench::at(place);
    bench.settings.undo = Undo::Last;
    let (left, right) = (&bench.left, &bench.right);
    for depth in ["mod", "mod/deep"] {
        file(&left.join(depth).join("added"), "new");
        file(&left.join(depth).join("replaced"), "new content");
        file(&right.join(depth).join("replaced"), "old");
        file(&right.join(depth).join("removed"), "goes");
    }
    file(&left.join("mod/made/in/it"), "new");
    fs::create_dir_all(left.join("mod/made/empty")).unwrap();
    file(&right.join("mod/gone/in/it"), "old");
    fs::create_dir_all(right.join("mod/gone/empty")).unwrap();
    file(&left.join("mod/was folder"), "now a file");
    file(&right.join("mod/was folder/in/it"), "old");
    file(&left.join("mod/was file/in it"), "new");
    file(&right.join("mod/was file"), "old");
    fs::create_dir_all(right.join("untouched/below")).unwrap();
    fs::create_dir_all(left.join("untouched/below")).unwrap();
    for root in [left, right] {
        close(root);
        age(root);
        give_to_plain_user(root).unwrap();
    }
    bench
}

fn seen(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

fn assert_same(wanted: &Listing, root: &Path, what: &str) {
    let differences = diff(wanted, &seen(root));
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}

fn sync_plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

fn undo_last(bench: &Bench) -> RecoveryReport {
    undo(&bench.roots().1, None, &bench.control).unwrap()
}

/// Runs `body` as the plain user, with a place of its own; skips where that cannot be.
fn plainly(name: &str, body: impl Fn(&Path) + Send + Sync) {
    if let Err(why) = as_plain_user(|| ()) {
        skip(name, &why.reason);
        return;
    }
    let place = tempfile::tempdir().unwrap();
    body(place.path());
}

#[test]
fn p2_a_plain_users_copy_into_nothing_is_undone_whole() {
    plainly(test_name!(), |place| {
        let bench = closed(place);
        let empty = place.join("copy");
        fs::create_dir(&empty).unwrap();
        age(&empty);
        give_to_plain_user(&empty).unwrap();
        let mut bench = bench;
        bench.right = empty;
        as_plain_user(|| {
            let before = seen(&bench.right);
            assert_eq!(bench.copy().result, RunResult::Completed);
            assert_same(&seen(&bench.left), &bench.right, "copied");
            let recovery = undo_last(&bench);
            assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
            assert_same(&before, &bench.right, "undone");
            assert_no_strays(&bench.right);
        })
        .unwrap();
    });
}

#[test]
fn p2_a_plain_users_sync_adds_and_removes_in_closed_folders_and_is_undone() {
    plainly(test_name!(), |place| {
        let bench = closed(place);
        as_plain_user(|| {
            let before = seen(&bench.right);
            let report = bench.run(&sync_plan(&bench));
            assert_eq!((report.result, report.counts.incomplete), (RunResult::Completed, 0), "{report:#?}");
            assert_same(&seen(&bench.left), &bench.right, "synced");
            assert!(sync_plan(&bench).is_empty(), "run twice, nothing to do");
            let recovery = undo_last(&bench);
            assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
            assert_same(&before, &bench.right, "undone");
            assert_no_strays(&bench.right);
        })
        .unwrap();
    });
}

/// Files that are named one after the other, in two closed folders by turns and in one that is made, alone and in groups.
#[test]
fn p2_a_plain_users_series_works_in_closed_folders_and_gives_them_their_modes() {
    for group_after in [u64::MAX, 1] {
        plainly(test_name!(), |place| {
            let bench = closed(place);
            let names =
                ["mod/added", "mod/deep/added", "mod/replaced", "mod/made/in/it", "mod/deep/replaced"];
            as_plain_user(|| {
                let before = seen(&bench.right);
                let mut series = Series::new("copy", false).group_after(group_after);
                for name in names {
                    let (from, to) = (bench.left.join(name), bench.right.join(name));
                    let report = series.copy(&from, &to, &bench.settings, &bench.control);
                    let done = matches!(report.outcome, FileOutcome::Copied(_) | FileOutcome::Waits(_));
                    assert!(done, "{name}: {report:#?}");
                }
                let ended = series.end(&bench.settings);
                assert_eq!((ended.copied, ended.failed, ended.late.len()), (5, 0, 0), "{ended:#?}");
                for name in names {
                    assert_eq!(
                        fs::read(bench.left.join(name)).unwrap(),
                        fs::read(bench.right.join(name)).unwrap(),
                        "{name}"
                    );
                }
                for folder in ["mod", "mod/deep", "mod/made"] {
                    let found = fs::metadata(bench.right.join(folder)).unwrap().permissions().mode();
                    assert_eq!(found & 0o7777, 0o555, "{folder}");
                }
                let recovery = undo_last(&bench);
                assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
                assert_same(&before, &bench.right, "undone");
            })
            .unwrap();
        });
    }
}

/// The system takes the set-group-id bit of a folder whose group is none of the user's when its mode is changed, so the
/// mode could not be given back.
#[test]
fn p2_a_folder_that_would_lose_its_set_group_id_bit_is_left_alone_and_told() {
    plainly(test_name!(), |place| {
        mode(place, 0o755);
        let mut bench = Bench::at(place);
        bench.settings.undo = Undo::Last;
        file(&bench.left.join("shared/added"), "new");
        file(&bench.left.join("own/added"), "new");
        file(&bench.right.join("shared/removed"), "goes");
        fs::create_dir(bench.right.join("own")).unwrap();
        for root in [&bench.left, &bench.right] {
            give_to_plain_user(root).unwrap();
        }
        let (shared, own) = (bench.right.join("shared"), bench.right.join("own"));
        std::os::unix::fs::chown(&shared, None, Some(50)).unwrap();
        mode(&shared, 0o2555);
        mode(&own, 0o2555);
        as_plain_user(|| {
            let report = bench.run(&sync_plan(&bench));
            let of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
            assert_eq!((of(&shared), of(&own)), (0o2555, 0o2555), "{report:#?}");
            let told = failure(&report, "shared/added").to_string();
            assert!(told.contains("permission"), "{told}");
            assert!(own.join("added").exists() && shared.join("removed").exists());
            let recovery = undo_last(&bench);
            assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
            assert_eq!((of(&shared), of(&own)), (0o2555, 0o2555), "undone");
        })
        .unwrap();
    });
}

#[test]
fn p2_what_is_not_kept_for_undo_is_deleted_from_closed_folders_too() {
    plainly(test_name!(), |place| {
        let bench = closed(place);
        as_plain_user(|| {
            let (left, right) = bench.roots();
            let options = RunOptions { removed: RemovedTo::Permanent, ..RunOptions::default() };
            let report =
                run(&sync_plan(&bench), &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
            assert_eq!(report.result, RunResult::Completed, "{report:#?}");
            assert_same(&seen(&bench.left), &bench.right, "synced");
            assert_no_strays(&bench.right);
        })
        .unwrap();
    });
}

#[test]
fn p2_a_run_that_rolls_back_leaves_each_mode_as_it_was() {
    plainly(test_name!(), |place| {
        let bench = closed(place);
        mode(&bench.left.join("untouched"), 0o755);
        file(&bench.left.join("untouched/unreadable"), "fails");
        mode(&bench.left.join("untouched/unreadable"), 0o000);
        as_plain_user(|| {
            let before = seen(&bench.right);
            let (left, right) = bench.roots();
            let options = RunOptions { on_error: OnError::RollBack, ..RunOptions::default() };
            let report =
                run(&sync_plan(&bench), &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
            assert_eq!(report.result, RunResult::RolledBack, "{report:#?}");
            assert_same(&before, &bench.right, "rolled back");
        })
        .unwrap();
    });
}

/// Every place at which a run can die, and every place at which its undo can.
#[test]
fn p2_after_a_death_anywhere_recovery_gives_each_folder_its_mode_again() {
    if let Err(why) = as_plain_user(|| ()) {
        skip(test_name!(), &why.reason);
        return;
    }
    let (mut deaths, mut lifted_then) = (0, 0);
    for of_undo in [false, true] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in (1..).step_by(3) {
                let place = tempfile::tempdir().unwrap();
                let bench = closed(place.path());
                let what = format!("{how:?}, undo {of_undo}, change {n}");
                let before = seen(&bench.right);
                let died = as_plain_user(|| {
                    if of_undo {
                        bench.run(&sync_plan(&bench));
                    }
                    let died = dies_at(n, &bench, |right| {
                        if of_undo {
                            let _ = undo(right, None, &bench.control);
                        } else {
                            let left = bench.roots().0;
                            let options = RunOptions::default();
                            let plan = sync_plan(&bench);
                            let _ = run(&plan, &[&left, right], &bench.settings, &options, &bench.control);
                        }
                    });
                    let is_open = |path: &str| {
                        let found = fs::metadata(bench.right.join(path));
                        found.is_ok_and(|found| found.permissions().mode() & 0o200 != 0)
                    };
                    lifted_then += usize::from(died && (is_open("mod") || is_open("mod/deep")));
                    recover(&bench.roots().1, how, &bench.control).unwrap();
                    assert_no_strays_beside(&bench.right);
                    died
                })
                .unwrap();
                for (path, item) in seen(&bench.right) {
                    let is_own = path.starts_with(".fcs") || path.as_os_str().is_empty();
                    let found = fs::symlink_metadata(bench.right.join(&path)).unwrap();
                    if found.is_dir() && !is_own {
                        assert_eq!(
                            found.permissions().mode() & 0o777,
                            0o555,
                            "{what}: {} {item:?}",
                            path.display()
                        );
                    }
                }
                if how == RecoverMode::RollBack && !of_undo && !bench.right.join(".fcs").exists() {
                    assert_same(&before, &bench.right, &what);
                }
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    assert!(deaths > 100 && lifted_then > 20, "{deaths} deaths, {lifted_then} while a mode was lifted");
}
