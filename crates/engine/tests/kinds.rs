//! L3: a file opposite a folder, a folder opposite a file, a link opposite either: sync replaces the kind, whole, and
//! undo and recovery know it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Bench, assert_no_strays, item};
use fcs_engine::plan::{Direction, Plan, plan, plan_sync};
use fcs_engine::report::{Outcome, RunResult, SkipReason};
use fcs_engine::runs::{RunState, undo};
use fcs_engine::settings::{ReplaceKinds, Undo};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::listing::{Listing, Options, diff, listing};

fn seen(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

fn sync_plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Direction::LeftToRight, &|_| true, &bench.settings)
}

/// Every pair of kinds, some of them deep, and items of the same kind beside them.
fn clashing() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    let (l, r) = (&bench.left, &bench.right);
    for side in [l, r] {
        fs::create_dir(side.join("d")).unwrap();
    }
    let tree = |at: &Path| {
        fs::create_dir_all(at.join("sub/deep")).unwrap();
        for (name, text) in [("a", "1"), ("sub/b", "22"), ("sub/deep/c", "333")] {
            fs::write(at.join(name), text).unwrap();
            common::age(&at.join(name));
        }
    };
    fs::write(l.join("file over folder"), "now a file").unwrap();
    tree(&r.join("file over folder"));
    tree(&l.join("folder over file"));
    fs::write(r.join("folder over file"), "was a file").unwrap();
    symlink("nowhere", l.join("d/link over folder")).unwrap();
    tree(&r.join("d/link over folder"));
    tree(&l.join("d/folder over link"));
    symlink("nowhere", r.join("d/folder over link")).unwrap();
    fs::write(l.join("d/file over link"), "now a file").unwrap();
    symlink("nowhere", r.join("d/file over link")).unwrap();
    symlink("nowhere", l.join("d/link over file")).unwrap();
    fs::write(r.join("d/link over file"), "was a file").unwrap();
    fs::write(l.join("d/new"), "new").unwrap();
    common::age(&bench.right.join("d"));
    bench
}

#[test]
fn l3_sync_replaces_the_kind_and_undo_brings_it_back() {
    for no_groups in [false, true] {
        let mut bench = clashing();
        if no_groups {
            bench = bench.no_groups();
        }
        let before = seen(&bench.right);
        let todo = sync_plan(&bench);
        assert!(todo.skipped.is_empty(), "{:?}", todo.skipped);
        // Two folders of five items in them, one link and one file that files and links replace; two make way.
        assert_eq!((todo.totals.replaced_kinds, todo.items_that_go()), (14, 16));
        let report = bench.run(&todo);
        assert_eq!((report.result, report.counts.failed), (RunResult::Completed, 0), "{report:#?}");
        assert_eq!(diff(&seen(&bench.left), &seen(&bench.right)), [""; 0]);
        assert!(sync_plan(&bench).is_empty(), "a second run has nothing to do");
        let account = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert_eq!(account.state, RunState::RolledBack, "{account:#?}");
        assert_eq!(diff(&before, &seen(&bench.right)), [""; 0]);
        assert_no_strays(&bench.right);
    }
}

#[test]
fn l3_without_an_undo_store_what_was_replaced_is_gone() {
    let mut bench = clashing();
    bench.settings.undo = Undo::Off;
    let report = bench.run(&sync_plan(&bench));
    assert_eq!(report.counts.failed, 0, "{report:#?}");
    assert_eq!(diff(&seen(&bench.left), &seen(&bench.right)), [""; 0]);
    assert_no_strays(&bench.right);
}

/// Copy leaves what is of another kind, says so once per item that stands in the way, and takes it when asked.
#[test]
fn l3_copy_names_what_stands_in_the_way_and_replaces_it_when_asked() {
    let mut bench = clashing();
    let before = seen(&bench.right);
    let copy = |bench: &Bench| plan(&bench.compare(), Direction::LeftToRight, &|_| true, &bench.settings);
    let todo = copy(&bench);
    let mut named: Vec<_> = todo.skipped.iter().map(|skip| (skip.path.to_string(), skip.why)).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let paths = ["d/file over link", "d/folder over link", "d/link over file", "d/link over folder"];
    let expected = paths.into_iter().chain(["file over folder", "folder over file"]);
    assert_eq!(named, expected.map(|path| (path.to_owned(), SkipReason::KindClash)).collect::<Vec<_>>());
    bench.run(&todo);
    assert!(bench.right.join("d/new").exists());
    undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(diff(&before, &seen(&bench.right)), [""; 0]);
    bench.settings.replace_kinds = ReplaceKinds::Always;
    let report = bench.run(&copy(&bench));
    assert_eq!(report.counts.failed, 0, "{report:#?}");
    assert_eq!(diff(&seen(&bench.left), &seen(&bench.right)), [""; 0]);
}

/// Where the folder cannot be made, what made way returns.
#[test]
fn l3_what_made_way_returns_when_the_folder_cannot_be_made() {
    let bench = clashing();
    let before = seen(&bench.right);
    let bench = bench.script(|event| match event.call {
        Call::CreateDir if event.path.as_bytes() == b"folder over file" => Act::Fail(5),
        _ => Act::Go,
    });
    let report = bench.run(&sync_plan(&bench));
    let failed = item(&report, "folder over file/a");
    assert!(matches!(failed.outcome, Outcome::Failed { .. }), "{failed:?}");
    assert_eq!(fs::read(bench.right.join("folder over file")).unwrap(), b"was a file");
    let account = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(account.state, RunState::RolledBack, "{account:#?}");
    assert_eq!(diff(&before, &seen(&bench.right)), [""; 0]);
}

/// What a pattern leaves out in a folder is not swept away with it.
#[test]
fn l3_a_folder_that_is_not_known_whole_stays() {
    let bench = Bench::new();
    fs::write(bench.left.join("x"), "file").unwrap();
    fs::create_dir(bench.right.join("x")).unwrap();
    fs::write(bench.right.join("x/keep.bak"), "kept").unwrap();
    let (left, right) = bench.roots();
    let filter = fcs_engine::filter::Filter::new(&[], &["*.bak".to_owned()], false).unwrap();
    let (a, b) =
        fcs_engine::scan::scan_pair(&left, &right, &filter, &bench.settings, &bench.control).unwrap();
    let (a, b) = (std::sync::Arc::new(a), std::sync::Arc::new(b));
    let comparison =
        fcs_engine::compare::compare((&left, a), (&right, b), &bench.settings, &bench.control).unwrap();
    let todo = plan_sync(&comparison, Direction::LeftToRight, &|_| true, &bench.settings);
    assert_eq!(todo.skipped.len(), 1);
    bench.run(&todo);
    assert_eq!(fs::read(bench.right.join("x/keep.bak")).unwrap(), b"kept");
}
