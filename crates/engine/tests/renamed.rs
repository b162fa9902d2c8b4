//! What was renamed or moved in the source is found, renamed in the target, and undone, on a real disk.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Bench, noise, put};
use fcs_engine::compare::Side;
use fcs_engine::filter::Filter;
use fcs_engine::history::{RunState, undo};
use fcs_engine::moves::{self, Why};
use fcs_engine::plan::{Plan, plan_sync, plan_sync_moving};
use fcs_engine::report::{ActionKind, Outcome, Report, RunResult};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::{ContentCheck, MoveChoice, Undo};
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
    let bench = bench();
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
    run_and_undo(&bench, &plan);
    // Whole folders that swap their names.
    let bench = self::bench();
    rename(&bench, "album", "swap");
    rename(&bench, "there", "album");
    rename(&bench, "swap", "there");
    let plan = self::plan(&bench);
    assert!(!plan.changes.is_empty() && plan.totals.new_files == 0, "{:?}", plan.totals);
    run_and_undo(&bench, &plan);
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
