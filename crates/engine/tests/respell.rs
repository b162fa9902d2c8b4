//! L4: an item whose name is spelled with other capital letters on the source is renamed on the target, undone and
//! recovered too, where the target distinguishes such names and where it does not.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{Bench, Flag, assert_no_strays_beside, dies_at, failure, item};
use fcs_engine::TargetState;
use fcs_engine::compare::Side;
use fcs_engine::history::{RecoverMode, RecoveryAction, RecoveryReport, RunState, recover, undo};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::preflight;
use fcs_engine::report::{ActionKind, Outcome, RunResult};
use fcs_engine::run::{RunId, RunOptions, run};
use fcs_engine::settings::Undo;
use fcs_testkit::faulty::Act;
use fcs_testkit::listing::{Listing, Options, diff, listing};
use fcs_testkit::skip::skip;
use fcs_testkit::test_name;
use fcs_testkit::{Medium, Volume};

/// Two folders of which one at least is on a volume that is case-insensitive.
struct Blind {
    volume: Volume,
    place: tempfile::TempDir,
    made: u32,
    /// Whether the target is the one.
    is_target: bool,
}

/// Both dates, because exfat-fuse ignores one alone.
fn age(path: &Path) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
    fs::File::open(path).unwrap().set_times(times).unwrap();
}

impl Blind {
    fn new(name: &str, is_target: bool) -> Option<Self> {
        match Volume::new(Medium::Exfat) {
            Ok(volume) => Some(Self { volume, place: tempfile::tempdir().unwrap(), made: 0, is_target }),
            Err(reason) => {
                skip(name, &reason.reason);
                None
            }
        }
    }

    /// Fresh folders: a file and a folder with a file, both spelled differently, one more to copy into the folder, one to
    /// replace in it that is spelled differently too, and one to remove.
    fn bench(&mut self) -> Bench {
        self.made += 1;
        let fresh = |at: &Path, n: u32| -> PathBuf {
            let path = at.join(n.to_string());
            fs::create_dir(&path).unwrap();
            path
        };
        let (blind, seeing) = (fresh(self.volume.path(), self.made), fresh(self.place.path(), self.made));
        let mut bench = Bench::new();
        (bench.left, bench.right) = if self.is_target { (seeing, blind) } else { (blind, seeing) };
        bench.settings.undo = Undo::Days(30);
        let put = |root: &Path, name: &str, content: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            age(&path);
        };
        put(&bench.left, "README.txt", "same");
        put(&bench.right, "readme.txt", "same");
        put(&bench.left, "Dir/Inner/new", "new");
        put(&bench.left, "Dir/Inner/Edited", "the new one");
        put(&bench.right, "dir/inner/edited", "the old");
        put(&bench.right, "dir/inner/removed", "goes");
        put(&bench.left, "Dir/same", "same");
        put(&bench.right, "dir/same", "same");
        for folder in ["Dir/Inner", "Dir", ""] {
            age(&bench.left.join(folder));
            age(&bench.right.join(folder.to_lowercase()));
        }
        bench
    }
}

fn sync_plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

fn seen(root: &Path) -> Listing {
    let mut seen = listing(root, &Options { root: true, ..Options::default() }).unwrap();
    seen.retain(|path, _| !path.starts_with(".fcs"));
    seen
}

/// The two hold the same names with the same content and dates; exFAT has modes and owners of its own.
fn assert_alike(a: &Path, b: &Path, what: &str) {
    let plain = |root: &Path| -> Vec<_> {
        let seen = seen(root);
        let dates = |path: &Path| fs::metadata(root.join(path)).unwrap().modified().unwrap();
        let plain = seen.keys().map(|path| {
            let whole = root.join(path);
            let content = if whole.is_dir() { Vec::new() } else { fs::read(&whole).unwrap() };
            let seconds = dates(path).duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            (path.clone(), content, seconds / 2)
        });
        plain.collect()
    };
    assert_eq!(plain(a), plain(b), "{what}");
}

fn assert_same(wanted: &Listing, root: &Path, what: &str) {
    let differences = diff(wanted, &seen(root));
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}

fn renamed_synced_and_undone(mut blind: Blind) {
    let bench = blind.bench();
    let before = seen(&bench.right);
    let plan = sync_plan(&bench);
    assert_eq!((plan.totals.renamed, plan.totals.new_files, plan.totals.replaced_files), (4, 1, 1));
    let report = bench.run(&plan);
    assert_eq!((report.result, report.counts.renamed), (RunResult::Completed, 4), "{report:#?}");
    assert_eq!(item(&report, "readme.txt").action, ActionKind::Rename);
    assert_alike(&bench.left, &bench.right, "synced");
    assert!(sync_plan(&bench).is_empty(), "run twice, nothing to do: {:?}", sync_plan(&bench).totals);

    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_same(&before, &bench.right, "undone");
}

#[test]
fn l4_names_are_respelled_on_a_volume_that_ignores_case_and_come_back() {
    if let Some(blind) = Blind::new(test_name!(), true) {
        renamed_synced_and_undone(blind);
    }
}

#[test]
fn l4_names_are_respelled_on_a_volume_that_tells_case_apart_and_come_back() {
    if let Some(blind) = Blind::new(test_name!(), false) {
        renamed_synced_and_undone(blind);
    }
}

/// An earlier run knows its own by what the rename and the way back have moved.
#[test]
fn l4_an_earlier_run_can_be_undone_after_the_names_came_back() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let bench = blind.bench();
    fs::remove_file(bench.right.join("readme.txt")).unwrap();
    fs::remove_dir_all(bench.right.join("dir")).unwrap();
    let empty = seen(&bench.right);
    assert_eq!(bench.run(&sync_plan(&bench)).result, RunResult::Completed);
    let first = seen(&bench.right);
    fs::rename(bench.left.join("README.txt"), bench.left.join("ReadMe.txt")).unwrap();
    fs::rename(bench.left.join("Dir/Inner/new"), bench.left.join("Dir/Inner/NEW")).unwrap();
    let report = bench.run(&sync_plan(&bench));
    assert_eq!((report.counts.renamed, report.counts.copied), (2, 0), "{report:#?}");
    for wanted in [first, empty] {
        let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
        let names = |seen: &Listing| seen.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&seen(&bench.right)), names(&wanted));
    }
}

/// What got the wanted name meanwhile stays, and so does what was to have it.
#[test]
fn l4_nothing_is_renamed_over_another_item() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let bench = blind.bench();
    let plan = sync_plan(&bench);
    fs::write(bench.right.join("README.txt"), "made meanwhile").unwrap();
    let report = bench.run(&plan);
    assert_eq!((report.counts.failed, report.counts.renamed), (1, 3), "{report:#?}");
    let told = failure(&report, "readme.txt").to_string();
    assert!(told.starts_with("Could not rename ") && told.contains("changed after"), "{told}");
    assert_eq!(fs::read(bench.right.join("README.txt")).unwrap(), b"made meanwhile");
    assert_eq!(fs::read(bench.right.join("readme.txt")).unwrap(), b"same");
}

/// The same whenever in the run it got that name, also between the last look and the rename.
#[test]
fn l4_nothing_is_renamed_over_what_appears_at_any_moment_of_the_run() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let mut moments = 0;
    for n in 1.. {
        let bench = blind.bench();
        let plan = sync_plan(&bench);
        let (at, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, fired, place) = (Arc::clone(&at), Arc::clone(&made), bench.right.join("README.txt"));
        let bench = bench.script(move |event| {
            if event.side == "target" && count.fetch_add(1, Ordering::SeqCst) + 1 == n {
                let mine = fs::File::create_new(&place).and_then(|mut file| file.write_all(b"theirs"));
                fired.store(mine.is_ok(), Ordering::SeqCst);
            }
            Act::Go
        });
        let report = bench.run(&plan);
        if at.load(Ordering::SeqCst) < n {
            break;
        }
        if made.load(Ordering::SeqCst) {
            moments += 1;
            assert_eq!(fs::read(bench.right.join("README.txt")).unwrap(), b"theirs", "moment {n}");
            assert_eq!(fs::read(bench.right.join("readme.txt")).unwrap(), b"same", "moment {n}");
            assert_eq!(failure(&report, "readme.txt").target, Some(TargetState::Original), "moment {n}");
        }
    }
    assert!(moments > 50, "{moments} moments");
}

/// Three runs on a target that distinguishes the names: the first makes a file in `dir`, the second makes it `Dir`, the third
/// adds to that.
fn three_runs(bench: &Bench) -> [RunId; 3] {
    fs::remove_file(bench.left.join("README.txt")).unwrap();
    fs::remove_dir_all(bench.left.join("Dir")).unwrap();
    let put = |name: &str| {
        fs::create_dir_all(bench.left.join(name).parent().unwrap()).unwrap();
        fs::write(bench.left.join(name), name).unwrap();
        age(&bench.left.join(name));
    };
    put("dir/first");
    let first = bench.copy();
    fs::rename(bench.left.join("dir"), bench.left.join("away")).unwrap();
    fs::rename(bench.left.join("away"), bench.left.join("Dir")).unwrap();
    let second = bench.copy();
    assert_eq!((first.counts.copied, second.counts.copied, second.counts.renamed), (1, 0, 1));
    put("Dir/third");
    let third = bench.copy();
    assert_eq!(third.counts.copied, 1);
    assert!(bench.right.join("Dir/first").exists() && bench.right.join("Dir/third").exists());
    [first.run, second.run, third.run]
}

fn undo_named(bench: &Bench, run: Option<&RunId>) -> RecoveryReport {
    undo(&bench.roots().1, run, &bench.control).unwrap()
}

fn left(recovery: &RecoveryReport) -> Vec<String> {
    let left = recovery.items.iter().filter(|item| item.action == RecoveryAction::Left);
    left.map(|item| item.path.to_string()).collect()
}

/// An earlier run does not find its items where a later one that stays gave their folder another name, nor does it take that
/// name from what the later one has put there.
#[test]
fn l4_undo_of_one_run_leaves_alone_what_others_that_stay_know_by_another_name() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let bench = blind.bench();
    let before = seen(&bench.right);
    let [first, second, third] = three_runs(&bench);
    for (run, stays) in [(&first, "dir/first"), (&second, "dir")] {
        let recovery = undo_named(&bench, Some(run));
        assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
        assert_eq!(left(&recovery), [stays]);
        assert!(bench.right.join("Dir/first").exists() && bench.right.join("Dir/third").exists());
    }
    for run in [&third, &second, &first] {
        let recovery = undo_named(&bench, Some(run));
        assert_eq!(recovery.state, RunState::RolledBack, "{run}: {recovery:#?}");
    }
    assert_same(&before, &bench.right, "all undone");
}

/// What somebody else has put under the old name or the new one is not renamed, and nothing of the run is put into it.
#[test]
fn l4_undo_leaves_alone_what_somebody_else_has_put_there() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let bench = blind.bench();
    let before = seen(&bench.right);
    assert_eq!(bench.run(&sync_plan(&bench)).result, RunResult::Completed);
    let (new, old) = (bench.right.join("README.txt"), bench.right.join("dir"));
    fs::rename(&new, bench.right.join("kept")).unwrap();
    fs::write(&new, "theirs").unwrap();
    fs::create_dir_all(old.join("inner")).unwrap();
    age(&old);
    let recovery = undo_named(&bench, None);
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    let left = left(&recovery);
    for name in ["readme.txt", "dir", "dir/inner/removed", "dir/inner/new", "dir/inner/edited"] {
        assert_eq!(left.iter().filter(|path| *path == name).count(), 1, "{name}: {left:?}");
    }
    assert_eq!(fs::read(&new).unwrap(), b"theirs");
    assert!(!bench.right.join("readme.txt").exists());
    assert_eq!(fs::read_dir(old.join("inner")).unwrap().count(), 0);
    assert!(bench.right.join("Dir/Inner/new").exists());
    // Once the way is clear.
    fs::remove_dir_all(&old).unwrap();
    fs::rename(bench.right.join("kept"), &new).unwrap();
    age(&bench.right);
    let recovery = undo_named(&bench, None);
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_same(&before, &bench.right, "undone");
}

/// What somebody makes under either name while a run is dead keeps no recovery from its end.
#[test]
fn l4_after_a_death_what_somebody_else_makes_under_either_name_stays_and_recovery_ends() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let mut cases = [0; 2];
    for how in [RecoverMode::Keep, RecoverMode::RollBack] {
        for n in (1..).step_by(2) {
            let bench = blind.bench();
            let died = dies_at(n, &bench, |right| {
                let (left, options) = (bench.roots().0, RunOptions::default());
                let _ = run(&sync_plan(&bench), &[&left, right], &bench.settings, &options, &bench.control);
            });
            if !died {
                break;
            }
            let what = format!("{how:?}, change {n}");
            let names = [bench.right.join("readme.txt"), bench.right.join("README.txt")];
            let is_new = names[1].exists();
            let (theirs, ours) = if is_new { (&names[0], &names[1]) } else { (&names[1], &names[0]) };
            fs::write(theirs, "theirs").unwrap();
            cases[usize::from(is_new)] += 1;
            let recoveries = recover(&bench.roots().1, how, &bench.control).unwrap();
            for recovery in &recoveries {
                let wanted = match how {
                    RecoverMode::Keep => RunState::Recovered,
                    // What has its new name and lost its old one is reported.
                    RecoverMode::RollBack if is_new => RunState::PartlyUndone,
                    RecoverMode::RollBack => RunState::RolledBack,
                };
                assert_eq!(recovery.state, wanted, "{what}: {recovery:#?}");
            }
            assert_eq!(fs::read(theirs).unwrap(), b"theirs", "{what}");
            assert_eq!(fs::read(ours).unwrap(), b"same", "{what}");
            assert!(recover(&bench.roots().1, how, &bench.control).unwrap().is_empty(), "{what}");
        }
    }
    assert!(cases[0] > 20 && cases[1] > 2, "{cases:?}");
}

/// V10: as for what is replaced.
#[test]
fn v10_an_immutable_item_that_is_to_be_renamed_is_foreseen() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let bench = blind.bench();
    for named in ["readme.txt", "dir"] {
        let path = bench.right.join(named);
        let Some(_flag) = Flag::set(&path, 'i') else {
            skip(test_name!(), "no chattr +i here");
            return;
        };
        let (left, right) = bench.roots();
        let found = preflight::check(&sync_plan(&bench), &[&left, &right], &bench.settings);
        let told = found.problems.iter().find(|problem| problem.text.contains("immutable"));
        let told = told.unwrap_or_else(|| panic!("{named}: {:?}", found.problems));
        assert!(told.text.contains(&format!("changed: {named}.")), "{}", told.text);
    }
}

/// Every place at which a run can die, and every place at which its undo can, on a target that distinguishes the names: there
/// a path that was renamed leads nowhere.
#[test]
fn l4_after_a_death_anywhere_every_name_is_whole_and_the_next_run_ends() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let (mut deaths, mut half_way) = (0, 0);
    for of_undo in [false, true] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in (1..).step_by(2) {
                let bench = blind.bench();
                let what = format!("{how:?}, undo {of_undo}, change {n}");
                let before = seen(&bench.right);
                if of_undo {
                    assert_eq!(bench.run(&sync_plan(&bench)).result, RunResult::Completed);
                }
                let died = dies_at(n, &bench, |right| {
                    if of_undo {
                        let _ = undo(right, None, &bench.control);
                    } else {
                        let (left, options) = (bench.roots().0, RunOptions::default());
                        let plan = sync_plan(&bench);
                        let _ = run(&plan, &[&left, right], &bench.settings, &options, &bench.control);
                    }
                });
                let is_new = |name: &str| bench.right.join(name).exists();
                half_way += usize::from(died && is_new("dir/Inner") || is_new("Dir") && is_new("readme.txt"));
                let recoveries = recover(&bench.roots().1, how, &bench.control).unwrap();
                assert!(recoveries.iter().all(RecoveryReport::is_clean), "{what}: {recoveries:#?}");
                assert_no_strays_beside(&bench.right);
                if recoveries.iter().any(|recovery| recovery.state == RunState::RolledBack) {
                    assert_same(&before, &bench.right, &what);
                }
                let report = bench.run(&sync_plan(&bench));
                let failed =
                    report.items.iter().filter(|item| matches!(item.outcome, Outcome::Failed { .. }));
                assert_eq!(failed.count(), 0, "{what}: {report:#?}");
                assert_alike(&bench.left, &bench.right, &what);
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    assert!(deaths > 60 && half_way > 3, "{deaths} deaths, {half_way} between two renames");
}
