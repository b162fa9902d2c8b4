//! L4: an item whose name is spelled with other capital letters on the source is renamed on the target, undone and
//! recovered too, where the target tells such names apart and where it does not.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Bench, assert_no_strays_beside, dies_at, failure, item};
use fcs_engine::plan::{Direction, Plan, plan_sync};
use fcs_engine::report::{ActionKind, Outcome, RunResult};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::runs::{Account, How, RunState, recover, undo};
use fcs_engine::settings::Undo;
use fcs_testkit::listing::{Listing, Options, diff, listing};
use fcs_testkit::skip::skip;
use fcs_testkit::test_name;
use fcs_testkit::{Medium, Volume};

/// Two folders of which one at least lies on a volume that does not tell capital letters from small ones.
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
    plan_sync(&bench.compare(), Direction::LeftToRight, &|_| true, &bench.settings)
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

    let account = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(account.state, RunState::RolledBack, "{account:#?}");
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
        let account = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert_eq!(account.state, RunState::RolledBack, "{account:#?}");
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

/// Every place at which a run can die, and every place at which its undo can, on a target that tells the names apart: there
/// a path that was renamed leads nowhere.
#[test]
fn l4_after_a_death_anywhere_every_name_is_whole_and_the_next_run_ends() {
    let Some(mut blind) = Blind::new(test_name!(), false) else { return };
    let (mut deaths, mut half_way) = (0, 0);
    for of_undo in [false, true] {
        for how in [How::Keep, How::RollBack] {
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
                        let _ = run(&plan, &left, right, &bench.settings, &options, &bench.control);
                    }
                });
                let is_new = |name: &str| bench.right.join(name).exists();
                half_way += usize::from(died && is_new("dir/Inner") || is_new("Dir") && is_new("readme.txt"));
                let accounts = recover(&bench.roots().1, how, &bench.control).unwrap();
                assert!(accounts.iter().all(Account::is_clean), "{what}: {accounts:#?}");
                assert_no_strays_beside(&bench.right);
                if accounts.iter().any(|account| account.state == RunState::RolledBack) {
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
