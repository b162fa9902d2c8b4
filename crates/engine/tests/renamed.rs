//! What was renamed or moved in the source is found, renamed in the target, and undone, on a real disk.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/deaths.rs"]
mod deaths;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{Bench, noise, put};
use deaths::after_each_death;
use fcs_engine::compare::Side;
use fcs_engine::filter::Filter;
use fcs_engine::history::{RunState, undo};
use fcs_engine::moves::{self, Why};
use fcs_engine::plan::{Plan, plan_sync, plan_sync_moving};
use fcs_engine::report::{ActionKind, Evidence, Outcome, Report, RunResult};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::{ContentCheck, MoveChoice, Undo, Verify};
use fcs_engine::{ErrorKind, TargetState};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::listing::{Listing, Options, diff, listing};

/// Both sides are alike: folders, files, a link, a hard link.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    let left = &bench.left;
    for (seed, path) in (1..).zip(["album/a", "album/b", "album/deep/c", "one", "two", "there/three"]) {
        fs::create_dir_all(left.join(path).parent().unwrap()).unwrap();
        fs::write(left.join(path), noise(5000 + seed as usize, seed)).unwrap();
    }
    put(&left.join("album/empty"), "");
    fs::create_dir(left.join("album/nothing")).unwrap();
    std::os::unix::fs::symlink("../one", left.join("album/link")).unwrap();
    let report = bench.run(&bench.plan());
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    assert!(bench.plan().is_empty());
    bench
}

fn plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

fn moved(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| format!("{} > {}", change.path(), change.new_path().unwrap())).collect()
}

fn seen(root: &Path) -> Listing {
    let mut seen = listing(root, &Options { root: true, ..Options::default() }).unwrap();
    seen.retain(|path, _| !path.starts_with(".fcs"));
    seen
}

fn rename(bench: &Bench, from: &str, to: &str) {
    fs::create_dir_all(bench.left.join(to).parent().unwrap()).unwrap();
    fs::rename(bench.left.join(from), bench.left.join(to)).unwrap();
}

fn inode(path: &Path) -> u64 {
    path.symlink_metadata().unwrap().ino()
}

/// Runs the plan; nothing is left to do then, and undo brings everything back.
fn run_and_undo(bench: &Bench, plan: &Plan) -> Report {
    let before = seen(&bench.right);
    let report = bench.run(plan);
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    assert_eq!(report.counts.changes.of(ActionKind::Move), plan.changes.len() as u64);
    let again = self::plan(bench);
    assert!(again.is_empty(), "{again:#?}");
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
    report
}

#[test]
fn a_renamed_folder_is_renamed_and_no_byte_is_copied() {
    let mut bench = bench();
    bench.settings.verify_moves = false;
    rename(&bench, "album", "pictures");
    let plan = plan(&bench);
    assert_eq!((moved(&plan), plan.totals.bytes), (vec!["album > pictures".to_owned()], 0));
    assert_eq!((plan.removed().count(), plan.steps().count()), (0, 0));
    let [folder, file] = ["album", "album/deep/c"].map(|path| inode(&bench.right.join(path)));
    // Nothing is even opened to be read or written.
    let touched = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&touched);
    let bench = bench.script(move |event| {
        if matches!(event.call, Call::Read | Call::Map | Call::Write | Call::CreateFile) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert_eq!((report.result, report.counts.bytes_copied), (RunResult::Completed, 0), "{report:#?}");
    assert_eq!(touched.load(Ordering::SeqCst), 0);
    let [new, deep] = ["pictures", "pictures/deep/c"].map(|path| inode(&bench.right.join(path)));
    assert_eq!((new, deep), (folder, file), "the same items");
    undo(&bench.roots().1, None, &bench.control).unwrap();
    run_and_undo(&bench, &self::plan(&bench));
}

#[test]
fn what_moves_out_of_a_folder_that_goes_comes_back_into_it() {
    let bench = bench();
    rename(&bench, "album/a", "new/folder/a");
    rename(&bench, "album/b", "there/b");
    rename(&bench, "album/deep", "there/deep");
    fs::remove_dir_all(bench.left.join("album")).unwrap();
    let plan = plan(&bench);
    let mut all = moved(&plan);
    all.sort();
    assert_eq!(all, ["album/a > new/folder/a", "album/b > there/b", "album/deep > there/deep"]);
    assert_eq!(plan.totals.bytes, 0);
    run_and_undo(&bench, &plan);
}

#[test]
fn a_renamed_folder_with_something_new_and_something_changed_moves_file_by_file() {
    let bench = bench();
    rename(&bench, "album", "pictures");
    put(&bench.left.join("pictures/new"), "new");
    fs::write(bench.left.join("pictures/a"), noise(5001, 99)).unwrap();
    let plan = plan(&bench);
    let mut all = moved(&plan);
    all.sort();
    assert_eq!(all, ["album/b > pictures/b", "album/deep > pictures/deep", "album/empty > pictures/empty"]);
    // What was also edited is copied: every byte of it may be another one.
    assert_eq!(plan.totals.bytes, 5001 + 3);
    run_and_undo(&bench, &plan);
}

#[test]
fn names_that_are_swapped_or_handed_on_are_right_in_the_end() {
    let bench = bench();
    // a to b to c, and two that swap.
    rename(&bench, "two", "kept");
    rename(&bench, "one", "two");
    rename(&bench, "album/a", "swap");
    rename(&bench, "album/b", "album/a");
    rename(&bench, "swap", "album/b");
    let plan = plan(&bench);
    let mut all = moved(&plan);
    all.sort();
    assert_eq!(all, ["album/a > album/b", "album/b > album/a", "one > two", "two > kept"]);
    assert_eq!(plan.totals.bytes, 0);
    let numbers = |paths: [&str; 4]| paths.map(|path| inode(&bench.right.join(path)));
    let before = numbers(["album/a", "album/b", "one", "two"]);
    assert_eq!(bench.run(&plan).result, RunResult::Completed);
    assert_eq!(numbers(["album/b", "album/a", "two", "kept"]), before, "the same items");
    undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(numbers(["album/a", "album/b", "one", "two"]), before);
    run_and_undo(&bench, &self::plan(&bench));
    // Whole folders that swap their names.
    let bench = self::bench();
    rename(&bench, "album", "swap");
    rename(&bench, "there", "album");
    rename(&bench, "swap", "there");
    let plan = self::plan(&bench);
    assert!(!plan.changes.is_empty() && plan.totals.new_files == 0, "{:?}", plan.totals);
    run_and_undo(&bench, &plan);
}

/// Two names that are swapped, and two that are handed on to another folder.
fn chains() -> Bench {
    let bench = bench();
    for (from, to) in [("one", "spare"), ("two", "one"), ("spare", "two")] {
        rename(&bench, from, to);
    }
    rename(&bench, "album/b", "there/b");
    rename(&bench, "album/a", "album/b");
    // The run that made the two alike is not the one to be undone.
    fs::remove_dir_all(bench.right.join(".fcs")).unwrap();
    bench
}

/// Every place at which a run that hands names on can die, and every place at which its undo can: the items that hang
/// together are all where they were or all where they go.
#[test]
fn names_are_handed_on_whole_wherever_the_run_or_its_undo_dies() {
    let bench = chains();
    let names = ["one", "two", "album/a", "album/b", "there/b"];
    let numbers = |root: &Path| {
        let mut found = Vec::new();
        for name in names {
            found.push(fs::read(root.join(name)).ok().map(|bytes| (bytes.len(), bytes[..8].to_vec())));
        }
        found
    };
    let (old, new) = (numbers(&bench.right), numbers(&bench.left));
    assert_ne!(old, new);
    let together = |bench: &Bench, what: &str| {
        let now = numbers(&bench.right);
        for part in [0..2, 2..5] {
            let part = |all: &[Option<(usize, Vec<u8>)>]| all[part.clone()].to_vec();
            assert!(part(&now) == part(&old) || part(&now) == part(&new), "{what}: {now:?}");
        }
    };
    let deaths = after_each_death(chains, plan, seen, |_, _| {}, together);
    println!("{deaths} deaths");
    assert!(deaths > 60, "{deaths} deaths");
}

/// Another program takes one of the names in the middle of it: everything that hangs together goes back, and is told.
#[test]
fn a_chain_of_which_one_name_is_taken_goes_back_whole() {
    let bench = chains();
    let plan = plan(&bench);
    let before = seen(&bench.right);
    let right = bench.right.clone();
    let fired = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        let is_it = event.side == "target" && event.call == Call::RenameNoReplace;
        let is_aside = event.path.names().last().is_some_and(|name| name.as_bytes().ends_with(b".orig"));
        if is_it && is_aside && count.fetch_add(1, Ordering::SeqCst) == 1 {
            put(&right.join("there/b"), "somebody's");
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert!(fired.load(Ordering::SeqCst) > 1, "the fault fired");
    let failed = report.items.iter().filter(|item| matches!(item.outcome, Outcome::Failed { .. }));
    let failed: Vec<String> = failed.map(|item| item.path.to_string()).collect();
    assert_eq!(failed.len(), 2, "{report:#?}");
    assert!(failed.iter().all(|path| ["album/a", "album/b"].contains(&path.as_str())), "{failed:?}");
    assert_eq!(fs::read(bench.right.join("there/b")).unwrap(), b"somebody's");
    fs::remove_file(bench.right.join("there/b")).unwrap();
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    let ours = |line: &String| !line.contains("there");
    assert_eq!(
        diff(&before, &seen(&bench.right)).into_iter().filter(ours).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

#[test]
fn undo_of_a_chain_leaves_all_of_it_where_one_item_was_edited_since() {
    let bench = chains();
    assert_eq!(bench.run(&plan(&bench)).result, RunResult::Completed);
    let after = seen(&bench.right);
    fs::write(bench.right.join("two"), "edited since").unwrap();
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    let now = seen(&bench.right);
    assert_eq!(now.get(Path::new("one")), after.get(Path::new("one")), "it stays");
    assert_eq!(fs::read(bench.right.join("two")).unwrap(), b"edited since");
    // The other chain is undone.
    assert!(bench.right.join("album/a").exists() && !bench.right.join("there/b").exists());
}

#[test]
fn two_names_of_one_file_are_ambiguous() {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    fs::write(bench.left.join("a"), noise(5000, 1)).unwrap();
    assert_eq!(bench.copy().result, RunResult::Completed);
    rename(&bench, "a", "b");
    fs::hard_link(bench.left.join("b"), bench.left.join("c")).unwrap();
    let plan = plan(&bench);
    assert_eq!((moved(&plan), plan.totals.new_files), (Vec::new(), 2));
    run_and_undo(&bench, &plan);
}

#[test]
fn what_a_pattern_hides_is_no_end_of_a_move() {
    let bench = bench();
    rename(&bench, "one", "there/one");
    let compared = |exclude: &[String]| {
        let (left, right) = bench.roots();
        let filter = Filter::new(&[], exclude, false).unwrap();
        let (a, b) = scan_pair(&left, &right, &filter, &bench.settings, &bench.control).unwrap();
        let comparison = fcs_engine::compare::compare(
            (&left, Arc::new(a)),
            (&right, Arc::new(b)),
            &bench.settings,
            &bench.control,
        )
        .unwrap();
        plan_sync(&comparison, Side::Right, &|_| true, &bench.settings)
    };
    assert_eq!(moved(&compared(&[])), ["one > there/one"]);
    let hidden = compared(&["/one".into()]);
    assert_eq!((moved(&hidden), hidden.totals.new_files, hidden.removed().count()), (Vec::new(), 1, 0));
    let hidden = compared(&["/there/one".into()]);
    assert_eq!((moved(&hidden), hidden.totals.new_files, hidden.removed().count()), (Vec::new(), 0, 1));
    // A folder with something hidden in it is not known whole: what is hidden would go along.
    rename(&bench, "album", "pictures");
    let hidden = compared(&["link".into()]);
    assert!(!moved(&hidden).contains(&"album > pictures".to_owned()), "{:?}", moved(&hidden));
    assert!(moved(&hidden).contains(&"album/deep > pictures/deep".to_owned()), "{:?}", moved(&hidden));
}

#[test]
fn content_is_read_where_it_is_a_criterion_or_nothing_else_tells() {
    let mut bench = bench();
    rename(&bench, "one", "there/uno");
    rename(&bench, "two", "there/two");
    // The same size and date, and other bytes.
    let two = bench.left.join("there/two");
    let modified = two.metadata().unwrap().modified().unwrap();
    fs::write(&two, noise(5005, 77)).unwrap();
    fs::File::open(&two).unwrap().set_modified(modified).unwrap();
    let found = |bench: &Bench| {
        let comparison = bench.compare();
        let (left, right) = bench.roots();
        let moves = moves::find(&comparison, None, &bench.settings);
        let unread = moves.unread(&comparison).0;
        let moves = moves.read(&comparison, [&left, &right], &bench.settings, &bench.control);
        let all: Vec<(String, Why)> =
            moves.iter().map(|found| (comparison.path(found.left).to_string(), found.why)).collect();
        (unread, all, plan_sync_moving(&comparison, Side::Right, &|_| true, &bench.settings, &moves))
    };
    // By size, date and name, as a comparison without content would call them equal at one path.
    assert_eq!(found(&bench).1, [("there/two".to_owned(), Why::Unique)]);
    bench.settings.compare_content = ContentCheck::Blake3;
    assert_eq!((found(&bench).0, found(&bench).1), (1, Vec::new()));
    bench.settings.moves = MoveChoice::Content;
    let (unread, all, plan) = found(&bench);
    assert_eq!((unread, all), (2, vec![("there/uno".to_owned(), Why::Hash)]));
    assert_eq!(moved(&plan), ["one > there/uno"]);
    let before = seen(&bench.right);
    assert_eq!(bench.run(&plan).result, RunResult::Completed);
    assert_eq!(fs::read(bench.right.join("there/two")).unwrap(), noise(5005, 77));
    undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

/// How the content of what moved is known.
fn evidence(report: &Report, path: &str) -> Evidence {
    match &common::item(report, path).outcome {
        Outcome::Done { evidence } => evidence.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_moved_is_read_back_once_and_compared_with_the_source() {
    let bench = bench();
    rename(&bench, "album", "pictures");
    rename(&bench, "one", "there/one");
    let plan = plan(&bench);
    let read = Arc::new(Mutex::new(BTreeMap::<(String, String), u64>::new()));
    let count = Arc::clone(&read);
    let mut bench = bench.script_all(move |event| {
        if event.call == Call::Read {
            *count.lock().unwrap().entry((event.side.into(), event.path.to_string())).or_default() +=
                event.bytes as u64;
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    // Which of the two depends on what the disk of the test can prove.
    let is_reread = |evidence: &Evidence| {
        matches!(evidence, Evidence::DeviceReread { .. } | Evidence::CacheReread { .. })
    };
    let [file, folder] = ["one", "album"].map(|path| evidence(&report, path));
    assert!(is_reread(&file) && is_reread(&folder), "{file:?} {folder:?}");
    let content = fs::read(bench.left.join("there/one")).unwrap();
    assert_eq!(file.hash().map(|hash| hash.0), Some(*blake3::hash(&content).as_bytes()));
    assert_eq!(folder.hash(), None, "of several files");
    let read: Vec<(String, String)> = read.lock().unwrap().keys().cloned().collect();
    for path in ["there/one", "pictures/a", "pictures/b", "pictures/deep/c"] {
        for side in ["source", "target"] {
            assert!(read.contains(&(side.into(), path.into())), "{path} on the {side}: {read:?}");
        }
    }
    undo(&bench.roots().1, None, &bench.control).unwrap();
    // Nobody asked.
    bench.settings.verify = Verify::Off;
    let report = bench.run(&self::plan(&bench));
    assert_eq!(evidence(&report, "one"), Evidence::NotRequested);
}

#[test]
fn what_moved_and_is_not_what_the_source_has_is_told_and_stays_where_it_is() {
    let bench = bench();
    rename(&bench, "album", "pictures");
    rename(&bench, "one", "there/one");
    let before = seen(&bench.right);
    // The disk has changed a byte, and no date.
    for path in ["one", "album/deep/c"] {
        let path = bench.right.join(path);
        let (mut bytes, modified) = (fs::read(&path).unwrap(), path.metadata().unwrap().modified().unwrap());
        bytes[4000] ^= 1;
        fs::write(&path, bytes).unwrap();
        fs::File::open(&path).unwrap().set_modified(modified).unwrap();
    }
    fs::remove_file(bench.left.join("two")).unwrap();
    let report = bench.run(&plan(&bench));
    assert_eq!((report.result, report.counts.failed), (RunResult::CompletedWithFailures, 2), "{report:#?}");
    for (path, file) in [("one", "there/one"), ("album", "pictures/deep/c")] {
        let error = common::failure(&report, path);
        assert_eq!(error.kind, ErrorKind::Mismatch { offset: None });
        assert_eq!((&error.path, error.target), (&bench.right.join(file), Some(TargetState::Moved)));
        assert!(bench.right.join(file).exists() && !bench.right.join(path).exists());
    }
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    let left = diff(&before, &seen(&bench.right));
    assert!(left.iter().all(|line| line.contains("one") || line.contains("deep/c")), "{left:#?}");
}

/// What is beside an item that could not move stays, and so does its folder, and both say why.
#[test]
fn a_move_that_fails_holds_back_the_removals_beside_it() {
    let bench = bench();
    rename(&bench, "album/a", "there/a");
    fs::remove_dir_all(bench.left.join("album")).unwrap();
    let plan = plan(&bench);
    assert_eq!(moved(&plan), ["album/a > there/a"]);
    put(&bench.right.join("there/a"), "somebody's");
    let report = bench.run(&plan);
    let failed: Vec<_> =
        report.items.iter().filter(|item| matches!(item.outcome, Outcome::Failed { .. })).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!((failed[0].action, report.counts.removed), (ActionKind::Move, 0));
    for path in ["album/a", "album/b", "album/deep/c", "album/link"] {
        assert!(bench.right.join(path).symlink_metadata().is_ok(), "{path} stays");
    }
    assert_eq!(fs::read(bench.right.join("there/a")).unwrap(), b"somebody's");
}
