//! A removal needs certain knowledge: what the source lists is never absent, and what it has by the time of the removal
//! stays (case L2). Every test asserts that its fault fired.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{Bench, failure, item};
use fcs_engine::compare::{Comparison, Group, Side};
use fcs_engine::plan::plan_sync;
use fcs_engine::report::{Outcome, Report, SkipReason};
use fcs_engine::run::{RemovedTo, RunOptions, run};
use fcs_engine::settings::Undo;
use fcs_engine::{ErrorKind, TargetState};
use fcs_sys::open_root;
use fcs_testkit::faulty::{Act, Call, Event, wrap};

const ENOENT: i32 = 2;
const EIO: i32 = 5;

/// Both have `same/a`; only the right has `old` and `gone/deep`.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    for side in [&bench.left, &bench.right] {
        fs::create_dir(side.join("same")).unwrap();
        fs::write(side.join("same/a"), "a").unwrap();
        common::age(&side.join("same/a"));
    }
    fs::create_dir(bench.right.join("gone")).unwrap();
    fs::write(bench.right.join("gone/deep"), "deep").unwrap();
    fs::write(bench.right.join("old"), "old").unwrap();
    bench
}

/// As the bench compares, the left seen through a script.
fn compare_through(bench: &Bench, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Comparison {
    let left = wrap(&open_root(&bench.left).unwrap(), "left", Arc::new(script));
    bench.compare_roots(&left, &open_root(&bench.right).unwrap())
}

fn sync(bench: &Bench, comparison: &Comparison) -> Report {
    bench.run(&plan_sync(comparison, Side::Right, &|_| true, &bench.settings))
}

fn groups(comparison: &Comparison) -> BTreeMap<String, Group> {
    comparison
        .walk()
        .map(|row| (comparison.path(row).to_string(), comparison.row(row).verdict.group()))
        .collect()
}

#[test]
fn case_l2_what_is_listed_and_not_found_is_a_problem_and_stays_on_both_sides() {
    let bench = bench();
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let comparison = compare_through(&bench, move |event| {
        if event.call == Call::Stat && event.path.as_bytes() == b"same/a" {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(ENOENT);
        }
        Act::Go
    });
    assert_eq!(fired.load(Ordering::SeqCst), 2, "looked at, and looked at once more");
    assert_eq!(groups(&comparison)["same/a"], Group::Problem);
    let error = &comparison.left.errors()[0];
    assert_eq!(
        (error.kind, error.path.as_path()),
        (ErrorKind::ListedNotFound, bench.left.join("same/a").as_path())
    );
    let report = sync(&bench, &comparison);
    assert_eq!(fs::read(bench.right.join("same/a")).unwrap(), b"a");
    assert!(matches!(item(&report, "same/a").outcome, Outcome::Skipped { why: SkipReason::Unreadable }));
    assert!(!bench.right.join("old").exists(), "what is certain goes");
}

#[test]
fn case_l2_a_look_up_that_fails_once_changes_nothing() {
    let bench = bench();
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let comparison = compare_through(&bench, move |event| {
        let about = event.call == Call::Stat && event.path.as_bytes() == b"same/a";
        if about && count.fetch_add(1, Ordering::SeqCst) == 0 { Act::Fail(ENOENT) } else { Act::Go }
    });
    assert_eq!(fired.load(Ordering::SeqCst), 2);
    assert_eq!(groups(&comparison)["same/a"], Group::Same);
    assert!(comparison.left.errors().is_empty());
}

#[test]
fn case_l2_what_vanishes_while_it_is_listed_is_no_certain_absence() {
    let bench = bench();
    fs::write(bench.left.join("temporary"), "t").unwrap();
    let (a, temporary) = (bench.left.join("same/a"), bench.left.join("temporary"));
    let comparison = compare_through(&bench, move |event| {
        match (event.call, event.path.as_bytes()) {
            (Call::Stat, b"same/a") => drop(fs::remove_file(&a)),
            (Call::Stat, b"temporary") => drop(fs::remove_file(&temporary)),
            _ => {}
        }
        Act::Go
    });
    assert!(!bench.left.join("same/a").exists() && !bench.left.join("temporary").exists(), "they vanished");
    let groups = groups(&comparison);
    assert_eq!(groups["same/a"], Group::Problem, "the right has it, so it matters");
    assert!(!groups.contains_key("temporary"), "neither side has it: {groups:?}");
    sync(&bench, &comparison);
    assert_eq!(fs::read(bench.right.join("same/a")).unwrap(), b"a");
}

#[test]
fn case_l2_the_source_is_asked_once_more_before_a_removal() {
    let bench = bench();
    let comparison = bench.compare();
    fs::write(bench.left.join("old"), "back again").unwrap();
    fs::create_dir(bench.left.join("gone")).unwrap();
    let report = sync(&bench, &comparison);
    for path in ["old", "gone/deep"] {
        let error = failure(&report, path);
        assert_eq!(
            (error.kind, error.target),
            (ErrorKind::SourceHasIt, Some(TargetState::Original)),
            "{path}"
        );
        assert!(bench.right.join(path).exists(), "{path}");
    }
    assert_eq!(report.counts.failed_stale, 2);
}

#[test]
fn case_l2_where_the_source_cannot_answer_nothing_is_removed() {
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let bench = bench().script(move |event| {
        if event.side == "source" && event.call == Call::Stat {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(EIO);
        }
        Act::Go
    });
    let report = sync(&bench, &bench.compare());
    assert!(fired.load(Ordering::SeqCst) > 0);
    for path in ["old", "gone/deep"] {
        let error = failure(&report, path);
        assert_eq!((error.code(), error.target), (Some(EIO), Some(TargetState::Original)), "{path}");
        assert!(bench.right.join(path).exists(), "{path}");
    }
}

#[test]
fn case_r9_a_folder_goes_to_the_bin_by_one_rename_only_if_it_holds_what_was_seen() {
    let apart = ["gone/deep", "gone/void", "old"];
    for (appears, expected) in [
        (None, &["gone", "old"][..]),
        (Some("gone/new"), &apart),
        // Also in a folder of which the plan lists no item.
        (Some("gone/void/new"), &["gone/deep", "old"]),
    ] {
        let bench = bench();
        fs::create_dir(bench.right.join("gone/void")).unwrap();
        let comparison = bench.compare();
        if let Some(path) = appears {
            fs::write(bench.right.join(path), "new").unwrap();
        }
        let recycled: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&recycled);
        let script = move |event: &Event<'_>| {
            if event.call != Call::Recycle {
                return Act::Go;
            }
            seen.lock().unwrap().push(event.path.to_string());
            Act::Lie
        };
        let (left, right) = bench.roots();
        let plan = plan_sync(&comparison, Side::Right, &|_| true, &bench.settings);
        let options = RunOptions { removed: RemovedTo::RecycleBin, ..RunOptions::default() };
        let right = wrap(&right, "target", Arc::new(script));
        let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
        let mut calls = recycled.lock().unwrap().clone();
        calls.sort();
        assert_eq!(calls, expected);
        let whole =
            ["gone", "gone/deep"].map(|path| matches!(item(&report, path).outcome, Outcome::Done { .. }));
        assert_eq!(whole, [appears.is_none(), true], "each item of the plan is reported");
    }
}
