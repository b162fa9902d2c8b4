//! An item of the target moves to another path of it, is recovered and undone.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/deaths.rs"]
mod deaths;

use std::fs;
use std::path::Path;

use common::{Bench, failure, item, put};
use deaths::after_each_death;
use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_engine::history::{RecoveryAction, RunState, undo};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::report::{ActionKind, Outcome, RunResult};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::settings::Undo;
use fcs_engine::{ErrorKind, TargetState};
use fcs_sys::Name;
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::listing::{Listing, Options, diff, listing};

/// Where each item is before and after.
const MOVES: [[&str; 2]; 3] = [["file", "there/file"], ["tree", "made/tree"], ["old/link", "there/renamed"]];

/// Both sides hold the same items, three of them at other paths; one file is new, and one goes.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    for (root, place) in [(&bench.right, 0), (&bench.left, 1)] {
        let [file, tree, link] = MOVES.map(|paths| root.join(paths[place]));
        put(&file, "content");
        put(&tree.join("deep/in it"), "more content");
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("somewhere", &link).unwrap();
        fs::create_dir_all(root.join("there")).unwrap();
        fs::create_dir_all(root.join("old")).unwrap();
    }
    put(&bench.left.join("there/new"), "new");
    put(&bench.right.join("gone"), "goes");
    bench
}

fn row(comparison: &Comparison, path: &str, side: Side) -> RowId {
    let mut rows = 0..comparison.rows.len() as RowId;
    rows.find(|&row| {
        comparison.entry(row, side).is_some() && comparison.path_on(row, side).to_string() == path
    })
    .unwrap()
}

/// What is copied and removed, and what moves instead.
fn plan(bench: &Bench) -> Plan {
    let comparison = bench.compare();
    let from = MOVES.map(|[from, _]| row(&comparison, from, Side::Right));
    let to = MOVES.map(|[_, to]| row(&comparison, to, Side::Left));
    let moves = |at: RowId| {
        let mut above = std::iter::successors(Some(at), |&at| (at != 0).then(|| comparison.row(at).parent));
        above.any(|at| from.contains(&at) || to.contains(&at))
    };
    let mut plan = plan_sync(&comparison, Side::Right, &|row| !moves(row), &bench.settings);
    for (&from, &to) in from.iter().zip(&to) {
        let name = Name::new(comparison.name_on(to, Side::Left)).unwrap();
        assert!(plan.add_move(&comparison, Side::Right, from, comparison.row(to).parent, &name));
    }
    assert_eq!(
        (plan.totals.changes.of(ActionKind::Move), plan.totals.new_files, plan.totals.removed_files),
        (3, 1, 1)
    );
    plan
}

fn seen(root: &Path) -> Listing {
    let mut seen = listing(root, &Options { root: true, ..Options::default() }).unwrap();
    seen.retain(|path, _| !path.starts_with(".fcs"));
    seen
}

/// At exactly one of its two places.
fn assert_each_once(bench: &Bench, what: &str) {
    for [from, to] in MOVES {
        let there = [from, to].map(|path| bench.right.join(path).symlink_metadata().is_ok());
        assert_ne!(there[0], there[1], "{what}: {from} or {to}: {there:?}");
    }
    for (place, content) in [("file", "content"), ("there/file", "content")] {
        if let Ok(found) = fs::read(bench.right.join(place)) {
            assert_eq!(found, content.as_bytes(), "{what}");
        }
    }
}

#[test]
fn items_move_and_come_back() {
    let bench = bench();
    let before = seen(&bench.right);
    let number = |path: &str| common::number_of(&bench.right.join(path));
    let numbers = [number("file"), number("tree"), number("tree/deep/in it")];
    let report = bench.run(&plan(&bench));
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    assert_eq!(
        (report.counts.changes.of(ActionKind::Move), report.counts.copied, report.counts.removed),
        (3, 1, 1)
    );
    assert_eq!(item(&report, "file").action, ActionKind::Move);
    let after = [number("there/file"), number("made/tree"), number("made/tree/deep/in it")];
    assert_eq!(after, numbers, "they are the same items, not copies");
    assert!(bench.plan().totals.new_files == 0, "{:?}", bench.plan().totals);

    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    let back = recovery.items.iter().filter(|item| item.action == RecoveryAction::MovedBack).count();
    assert_eq!(back, 3, "{recovery:#?}");
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

#[test]
fn an_item_never_moves_over_another_nor_as_another_one() {
    let bench = bench();
    let plan = plan(&bench);
    // Since the comparison: something stands where one goes, one was edited, and one is gone.
    put(&bench.right.join("there/file"), "somebody's");
    fs::remove_file(bench.right.join("old/link")).unwrap();
    fs::rename(bench.right.join("tree"), bench.right.join("elsewhere")).unwrap();
    put(&bench.right.join("tree"), "another item");
    let report = bench.run(&plan);
    assert_eq!((report.counts.failed, report.counts.changes.of(ActionKind::Move)), (3, 0), "{report:#?}");
    for path in ["file", "tree", "old/link"] {
        let outcome = &report.items.iter().find(|item| item.path.to_string() == path).unwrap().outcome;
        let Outcome::Failed { error } = outcome else { panic!("{outcome:?}") };
        assert_eq!((&error.kind, error.target), (&ErrorKind::TargetStale, Some(TargetState::Original)));
    }
    assert_eq!(fs::read(bench.right.join("there/file")).unwrap(), b"somebody's");
    assert_eq!(fs::read(bench.right.join("file")).unwrap(), b"content");
    assert_eq!(fs::read(bench.right.join("tree")).unwrap(), b"another item");
}

/// Replaced between the look and the rename.
#[test]
fn what_another_program_puts_there_in_this_very_moment_goes_back() {
    let bench = bench();
    let plan = plan(&bench);
    let right = bench.right.clone();
    let fired = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&fired);
    let bench = bench.script(move |event| {
        let is_it =
            event.side == "target" && event.call == Call::RenameNoReplace && event.path.as_bytes() == b"file";
        if is_it && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            fs::remove_file(right.join("file")).unwrap();
            put(&right.join("file"), "somebody's, in this very moment");
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert!(fired.load(std::sync::atomic::Ordering::SeqCst) > 0, "the fault fired");
    assert_eq!((report.counts.failed, report.counts.changes.of(ActionKind::Move)), (1, 2), "{report:#?}");
    assert_eq!(failure(&report, "file").kind, ErrorKind::TargetStale);
    assert_eq!(fs::read(bench.right.join("file")).unwrap(), b"somebody's, in this very moment");
    assert!(!bench.right.join("there/file").exists());
}

#[test]
fn undo_leaves_alone_what_was_edited_or_has_a_successor() {
    let bench = bench();
    assert_eq!(bench.run(&plan(&bench)).result, RunResult::Completed);
    put(&bench.right.join("there/file"), "edited since");
    put(&bench.right.join("old/link"), "a successor");
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    let left: Vec<_> = recovery.items.iter().filter(|item| item.action == RecoveryAction::Left).collect();
    let mut paths: Vec<_> = left.iter().map(|item| item.path.to_string()).collect();
    paths.sort();
    assert_eq!(paths, ["file", "old/link"], "{recovery:#?}");
    assert_eq!(fs::read(bench.right.join("there/file")).unwrap(), b"edited since");
    assert_eq!(fs::read(bench.right.join("old/link")).unwrap(), b"a successor");
    assert!(bench.right.join("there/renamed").symlink_metadata().is_ok());
    assert!(bench.right.join("tree/deep/in it").exists(), "the rest is undone");
}

/// A later run works with what an earlier one moved: each can be undone in its turn, and the earlier one alone leaves that.
#[test]
fn runs_with_moves_are_undone_one_after_the_other() {
    let bench = bench();
    let before = seen(&bench.right);
    assert_eq!(bench.run(&plan(&bench)).result, RunResult::Completed);
    put(&bench.left.join("there/file"), "a later version");
    assert_eq!(bench.copy().result, RunResult::Completed);
    for _ in 0..2 {
        let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    }
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

/// Every place at which a run can die, and every place at which its undo can.
#[test]
fn after_a_death_anywhere_each_item_is_at_one_of_its_places() {
    let deaths = after_each_death(bench, plan, seen, assert_each_once, assert_each_once);
    assert!(deaths > 100, "{deaths} deaths");
}

#[test]
fn what_a_dry_run_and_a_stopped_run_do_not_move_is_told() {
    let bench = bench();
    let before = seen(&bench.right);
    let options = RunOptions { dry_run: true, ..RunOptions::default() };
    let (left, right) = bench.roots();
    let report = run(&plan(&bench), &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
    let told = report.items.iter().filter(|item| item.action == ActionKind::Move).count();
    assert_eq!((told, report.counts.changes.of(ActionKind::Move)), (3, 0));
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());

    let plan = plan(&bench);
    bench.control.cancel.cancel();
    let report =
        run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    assert_eq!(report.result, RunResult::Cancelled);
    assert_eq!(report.items.iter().filter(|item| item.action == ActionKind::Move).count(), 3);
    assert_each_once(&bench, "cancelled");
}
