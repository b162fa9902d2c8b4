//! L3: a file opposite a folder, a folder opposite a file, a link opposite either: sync replaces the kind, whole, and
//! undo and recovery know it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{Bench, assert_no_strays, failure, item};
use fcs_engine::ErrorKind;
use fcs_engine::compare::Side;
use fcs_engine::history::{RunState, prune, undo};
use fcs_engine::plan::{Plan, plan, plan_sync};
use fcs_engine::report::{Outcome, RunResult, SkipReason};
use fcs_engine::settings::{ReplaceKinds, Undo};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::image::FsKind;
use fcs_testkit::listing::{Listing, Options, diff, listing};
use fcs_testkit::{image, skip, test_name};

fn seen(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

fn sync_plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
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
        let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
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
    let copy = |bench: &Bench| plan(&bench.compare(), Side::Right, &|_| true, &bench.settings);
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
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
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
    let (a, b) = (Arc::new(a), Arc::new(b));
    let comparison =
        fcs_engine::compare::compare((&left, a), (&right, b), &bench.settings, &bench.control).unwrap();
    let todo = plan_sync(&comparison, Side::Right, &|_| true, &bench.settings);
    assert_eq!(todo.skipped.len(), 1);
    bench.run(&todo);
    assert_eq!(fs::read(bench.right.join("x/keep.bak")).unwrap(), b"kept");
}

/// A pattern that includes what is in a folder leaves out the file that has the folder's name on the target.
#[test]
fn l3_a_file_that_a_pattern_leaves_out_is_named_where_a_folder_cannot_be_made() {
    let bench = Bench::new();
    fs::create_dir(bench.left.join("x")).unwrap();
    fs::write(bench.left.join("x/a.jpg"), "picture").unwrap();
    fs::write(bench.right.join("x"), "file").unwrap();
    let (left, right) = bench.roots();
    let filter = fcs_engine::filter::Filter::new(&["x/*.jpg".to_owned()], &[], false).unwrap();
    let (a, b) =
        fcs_engine::scan::scan_pair(&left, &right, &filter, &bench.settings, &bench.control).unwrap();
    let (a, b) = (Arc::new(a), Arc::new(b));
    let comparison =
        fcs_engine::compare::compare((&left, a), (&right, b), &bench.settings, &bench.control).unwrap();
    let report = bench.run(&plan_sync(&comparison, Side::Right, &|_| true, &bench.settings));
    assert_eq!(failure(&report, "x").kind, ErrorKind::KindClash, "and not that it changed");
    assert_eq!(fs::read(bench.right.join("x")).unwrap(), b"file");
}

/// A file on the left, and opposite it a folder with a file and an empty folder some way down.
fn file_over_deep_folder(undo: Undo) -> Bench {
    with_deep_folder(Bench::new(), undo)
}

fn with_deep_folder(mut bench: Bench, undo: Undo) -> Bench {
    bench.settings.undo = undo;
    fs::write(bench.left.join("x"), "now a file").unwrap();
    fs::create_dir_all(bench.right.join("x/d/e/empty")).unwrap();
    fs::write(bench.right.join("x/d/e/f"), "original").unwrap();
    for path in ["x/d/e/f", "x/d/e", "x/d", "x"] {
        common::age(&bench.right.join(path));
    }
    bench
}

type Meddle = fn(&Path);

/// What another program does some way down in the folder that is to be replaced, given the folder.
const MEDDLINGS: [(&str, Meddle); 6] = [
    ("new file", |x| fs::write(x.join("d/e/new"), "precious").unwrap()),
    ("new in an empty folder", |x| fs::write(x.join("d/e/empty/new"), "precious").unwrap()),
    ("changed", |x| fs::write(x.join("d/e/f"), "changed!").unwrap()),
    ("gone", |x| fs::remove_file(x.join("d/e/f")).unwrap()),
    ("another kind", |x| {
        fs::remove_dir(x.join("d/e/empty")).unwrap();
        fs::write(x.join("d/e/empty"), "precious").unwrap();
    }),
    ("a replaced file", |x| {
        fs::write(x.join("d/e/other"), "replaced").unwrap();
        fs::rename(x.join("d/e/other"), x.join("d/e/f")).unwrap();
    }),
];

fn assert_left_as_meddled(bench: &Bench, report: &fcs_engine::report::Report, left: &Listing, what: &str) {
    assert_eq!(failure(report, "x").kind, ErrorKind::TargetStale, "{what}");
    let now = listing(&bench.right.join("x"), &Options::default()).unwrap();
    assert_eq!(diff(left, &now), [""; 0], "{what}");
    if bench.settings.undo == Undo::Off {
        assert_no_strays(&bench.right);
    }
}

/// L3: the dates of a folder tell nothing of what happened deeper in it.
#[test]
fn l3_a_folder_in_which_something_changed_since_the_comparison_stays() {
    for undo in [Undo::Off, Undo::Last] {
        for (what, meddle) in MEDDLINGS {
            let bench = file_over_deep_folder(undo);
            let todo = sync_plan(&bench);
            meddle(&bench.right.join("x"));
            let left = listing(&bench.right.join("x"), &Options::default()).unwrap();
            let report = bench.run(&todo);
            assert_left_as_meddled(&bench, &report, &left, what);
        }
    }
}

/// L3: what happens between the look at the folder and the swap is found in what came out, and after it before the
/// folder is pruned; with and without an exchange of two names.
#[test]
fn l3_a_folder_that_changes_while_it_is_replaced_comes_back() {
    for no_exchange in [false, true] {
        for after in [false, true] {
            for (what, meddle) in MEDDLINGS {
                let what = format!("{what}, no exchange {no_exchange}, after the swap {after}");
                let bench = file_over_deep_folder(Undo::Off);
                let (renames, right) = (Arc::new(AtomicU32::new(0)), bench.right.clone());
                let (counted, fired) = (Arc::clone(&renames), Arc::new(AtomicU32::new(0)));
                let meddled = Arc::clone(&fired);
                let bench = bench.script(move |event| {
                    let swaps = if no_exchange { Call::RenameReplace } else { Call::RenameExchange };
                    let is_swap = event.side == "target" && event.call == swaps;
                    // The folder is made durable right after the swap.
                    let is_sync = matches!(event.call, Call::Sync | Call::SyncVolume);
                    let is_due = if after { is_sync && counted.load(Ordering::SeqCst) > 0 } else { is_swap };
                    if is_due && meddled.fetch_add(1, Ordering::SeqCst) == 0 {
                        meddle(&where_it_is(&right));
                    }
                    if is_swap {
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                    match event.call {
                        Call::RenameExchange if no_exchange => Act::Fail(95),
                        _ => Act::Go,
                    }
                });
                let report = bench.run(&sync_plan(&bench));
                let seen = (fired.load(Ordering::SeqCst), renames.load(Ordering::SeqCst));
                assert!(seen.0 > 0 && seen.1 > 0, "{what}: {seen:?} {report:#?}");
                let expected = file_over_deep_folder(Undo::Off);
                meddle(&expected.right.join("x"));
                assert_eq!(failure(&report, "x").kind, ErrorKind::TargetStale, "{what}");
                let content = |bench: &Bench| contents(&bench.right.join("x"));
                assert_eq!(content(&bench), content(&expected), "{what}");
                assert_no_strays(&bench.right);
            }
        }
    }
}

/// L3: no file system's own way with dates and numbers makes a folder look changed because it was renamed.
#[test]
fn l3_an_unchanged_folder_is_replaced_on_every_file_system() {
    let kinds = [&FsKind::ALL[..], &[FsKind::Exfat, FsKind::Ntfs]].concat();
    image::for_each_image(test_name!(), &kinds, 64 << 20, |volume| {
        let bench = with_deep_folder(Bench::at(volume.mount_point()), Undo::Last);
        let before = contents(&bench.right);
        let report = bench.run(&sync_plan(&bench));
        assert_eq!(report.counts.failed, 0, "{report:#?}");
        assert_eq!(fs::read(bench.right.join("x")).unwrap(), b"now a file");
        let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
        assert_eq!(before, contents(&bench.right));
    });
}

/// The folder that is replaced, under the name that it has at the moment.
fn where_it_is(right: &Path) -> PathBuf {
    let mut folders = fs::read_dir(right).unwrap().map(|entry| entry.unwrap().path());
    folders.find(|path| path.join("d").is_dir()).unwrap()
}

/// Every path below a folder, with the content of files.
fn contents(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(folder.join(&at)).unwrap() {
            let path = at.join(entry.unwrap().file_name());
            let full = folder.join(&path);
            if full.is_dir() {
                folders.push(path.clone());
            }
            found.push((path, fs::read(full).ok()));
        }
    }
    found.sort();
    found
}

/// L3: somebody talks to a program through it.
#[test]
fn l3_a_folder_with_a_pipe_in_it_stays() {
    let bench = file_over_deep_folder(Undo::Off);
    let pipe = bench.right.join("x/d/e/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let todo = sync_plan(&bench);
    assert_eq!(todo.skipped.iter().filter(|skip| skip.why == SkipReason::KindClash).count(), 1);
    bench.run(&todo);
    assert!(fs::symlink_metadata(&pipe).is_ok());
    assert_eq!(fs::read(bench.right.join("x/d/e/f")).unwrap(), b"original");
}

/// A folder that is mounted a second time, until the end of the test.
struct Bound(PathBuf);

impl Bound {
    fn new(what: &Path, at: &Path) -> Option<Self> {
        let status = Command::new("mount").arg("--bind").arg(what).arg(at).status();
        status.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        image::unmount(&self.0).unwrap();
    }
}

/// L3: a second mount of a folder has the number of the same volume, and is not the target's to empty.
#[test]
fn l3_what_is_mounted_in_a_replaced_folder_is_not_emptied() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("precious"), "precious").unwrap();
    let is_there = || fs::read(elsewhere.path().join("precious")).is_ok();

    // Mounted after the comparison.
    let bench = file_over_deep_folder(Undo::Off);
    let todo = sync_plan(&bench);
    let Some(bound) = Bound::new(elsewhere.path(), &bench.right.join("x/d/e/empty")) else {
        return skip(test_name!(), "no folder can be mounted a second time");
    };
    let report = bench.run(&todo);
    let intact = is_there() && fs::read(bench.right.join("x/d/e/f")).is_ok();
    drop(bound);
    assert!(intact, "{report:#?}");
    assert_eq!(failure(&report, "x").kind, ErrorKind::TargetStale);

    // Mounted in the undo store: nothing goes, not even what is beside.
    let bench = file_over_deep_folder(Undo::Last);
    assert_eq!(bench.run(&sync_plan(&bench)).counts.failed, 0);
    let run = fs::read_dir(bench.right.join(".fcs/undo")).unwrap().next().unwrap().unwrap().path();
    let kept = where_it_is(&run);
    let bound = Bound::new(elsewhere.path(), &kept.join("d/e/empty")).unwrap();
    let pruned = prune(&bench.roots().1, None);
    let intact = is_there() && fs::read(kept.join("d/e/f")).is_ok();
    drop(bound);
    assert!(intact && pruned.as_ref().is_ok_and(|p| p.runs.is_empty() && p.errors.len() == 1), "{pruned:?}");
    assert!(prune(&bench.roots().1, None).unwrap().errors.is_empty());
    assert!(is_there() && !kept.exists());
}
