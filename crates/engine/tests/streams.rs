//! Named streams arrive whichever way a file goes, or are named as not kept.
//!
//! They are imitated around the native backend of Unix, with a native copy that brings them along as `CopyFileExW`
//! does. The system's own, on Windows, are asked in `windows_streams.rs`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, assert_no_strays, failure, item};
use fcs_engine::report::{Outcome, Report, RunResult};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::settings::{Strategy, Verify};
use fcs_engine::{ErrorKind, Op};
use fcs_sys::{Access, Handle, Name, OsReason, Root};
use fcs_testkit::faulty::{Act, Call, Event, wrap, wrap_like_ntfs};

const ENOSPC: i32 = 28;

/// Both roots of a bench, each with streams of its own.
struct Sides {
    bench: Bench,
    left: Root,
    right: Root,
}

impl Sides {
    /// The target's calls go through a script.
    fn new(bench: Bench, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        let (left, right) = bench.roots();
        Self {
            left: wrap_like_ntfs(&left, "source", Arc::new(|_| Act::Go)),
            right: wrap_like_ntfs(&right, "target", Arc::new(script)),
            bench,
        }
    }

    fn quiet(bench: Bench) -> Self {
        Self::new(bench, |_| Act::Go)
    }

    /// Gives a source file a stream, and then a time that is not now.
    fn put(&self, path: &str, stream: &str, bytes: &[u8]) {
        let file = self.left.dir.open_file(&name(path), Access::Read).unwrap();
        put(&*file, stream, bytes);
        common::age(&self.bench.left.join(path));
    }

    fn copy(&self) -> Report {
        let options = RunOptions { command: "copy".into(), ..RunOptions::default() };
        let plan = self.bench.plan();
        run(&plan, &[&self.left, &self.right], &self.bench.settings, &options, &self.bench.control).unwrap()
    }

    /// The streams of a target file, by name.
    fn arrived(&self, path: &str) -> Vec<(String, Vec<u8>)> {
        streams(&*self.right.dir.open_file(&name(path), Access::Read).unwrap())
    }
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn put(item: &dyn Handle, stream: &str, bytes: &[u8]) {
    let stream = item.open_stream(stream.as_bytes(), true).unwrap();
    fcs_sys::write_all_at(&*stream, bytes, 0).unwrap();
}

fn streams(item: &dyn Handle) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for stream in item.streams().unwrap() {
        let mut bytes = vec![0; stream.size as usize + 1];
        let n = item.open_stream(&stream.name, false).unwrap().read_at(&mut bytes, 0).unwrap();
        bytes.truncate(n);
        found.push((String::from_utf8(stream.name).unwrap(), bytes));
    }
    found.sort();
    found
}

/// The three ways a file can go: in a group, by the system's copy, in hashed chunks.
fn ways() -> [Bench; 3] {
    [
        Bench::new(),
        Bench::new().no_groups().strategy(Strategy::Direct),
        Bench::new().no_groups().strategy(Strategy::Staged),
    ]
}

#[test]
fn every_way_brings_the_streams_and_keeps_the_time() {
    let long = common::noise(3 << 20, 7);
    for (way, bench) in ways().into_iter().enumerate() {
        std::fs::write(bench.left.join("f"), common::noise(300_000, 1)).unwrap();
        let sides = Sides::quiet(bench);
        sides.put("f", "Zone.Identifier", b"[ZoneTransfer]");
        sides.put("f", "long", &long);
        sides.put("f", "empty", b"");
        let report = sides.copy();
        assert_eq!(report.result, RunResult::Completed, "way {way}: {report:#?}");
        assert!(item(&report, "f").not_kept.is_empty(), "way {way}: {:?}", item(&report, "f").not_kept);
        let wanted = [
            ("Zone.Identifier".to_owned(), b"[ZoneTransfer]".to_vec()),
            ("empty".to_owned(), Vec::new()),
            ("long".to_owned(), long.clone()),
        ];
        assert!(sides.arrived("f") == wanted, "way {way}");
        let modified =
            |root: &std::path::Path| std::fs::metadata(root.join("f")).unwrap().modified().unwrap();
        assert_eq!(modified(&sides.bench.right), modified(&sides.bench.left), "way {way}");
        assert_no_strays(&sides.bench.right);
        // Nothing is left to do.
        assert!(sides.bench.plan().folders.iter().all(|folder| folder.steps.is_empty()), "way {way}");
    }
}

#[test]
fn streams_of_folders_arrive_too() {
    let bench = Bench::new();
    std::fs::create_dir(bench.left.join("d")).unwrap();
    let sides = Sides::quiet(bench);
    put(&*sides.left.dir.open_dir(&name("d")).unwrap(), "s", b"text");
    let report = sides.copy();
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    let found = streams(&*sides.right.dir.open_dir(&name("d")).unwrap());
    assert_eq!(found, [("s".to_owned(), b"text".to_vec())]);
}

#[test]
fn a_target_without_streams_names_each_that_is_not_kept() {
    for bench in ways() {
        std::fs::write(bench.left.join("f"), common::noise(300_000, 1)).unwrap();
        let mut sides = Sides::quiet(bench);
        sides.put("f", "one", b"1");
        sides.put("f", "two\n", b"2");
        sides.right = wrap(&sides.bench.roots().1, "target", Arc::new(|_| Act::Go));
        let report = sides.copy();
        let item = item(&report, "f");
        assert!(matches!(item.outcome, Outcome::Done { .. }), "{item:?}");
        assert_eq!(
            item.not_kept,
            [
                "named stream one (the target volume has none)",
                "named stream two\\n (the target volume has none)"
            ]
        );
    }
}

#[test]
fn streams_are_left_out_when_the_user_wants_that() {
    let mut bench = Bench::new();
    bench.settings.keep_streams = false;
    std::fs::write(bench.left.join("f"), "x").unwrap();
    let sides = Sides::quiet(bench);
    sides.put("f", "s", b"1");
    let report = sides.copy();
    assert!(item(&report, "f").not_kept.is_empty() && sides.arrived("f").is_empty());
}

/// A script that does `act` at each write to the staged stream `s`, and how often it did.
fn at_writes_to_the_stream(act: Act) -> (Arc<AtomicUsize>, impl Fn(&Event<'_>) -> Act) {
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let script = move |event: &Event<'_>| {
        if event.call == Call::Write && event.path.as_bytes().ends_with(b".part:s") {
            count.fetch_add(1, Ordering::SeqCst);
            return act;
        }
        Act::Go
    };
    (fired, script)
}

#[test]
fn a_stream_that_does_not_read_back_fails_its_file() {
    for act in [Act::Flip, Act::Lie] {
        // A native copy brings streams past the script, so only the other two ways write them.
        for way in [0, 2] {
            for verify in [Verify::All, Verify::Off] {
                let bench = ways().into_iter().nth(way).unwrap().verify(verify);
                std::fs::write(bench.left.join("f"), common::noise(300_000, 1)).unwrap();
                let (fired, script) = at_writes_to_the_stream(act);
                let sides = Sides::new(bench, script);
                sides.put("f", "s", b"text");
                let report = sides.copy();
                assert!(fired.load(Ordering::SeqCst) > 0, "{act:?} never came");
                if verify == Verify::Off {
                    assert!(matches!(item(&report, "f").outcome, Outcome::Done { .. }), "nobody looked");
                    continue;
                }
                let error = failure(&report, "f");
                assert_eq!(error.op, Op::Verify, "{act:?}, way {way}");
                assert!(matches!(error.kind, ErrorKind::Mismatch { offset: None }), "{error:?}");
                assert!(!sides.bench.right.join("f").exists());
                assert_no_strays(&sides.bench.right);
            }
        }
    }
}

#[test]
fn a_stream_that_cannot_be_written_is_named_and_no_part_of_it_is_left() {
    let bench = Bench::new();
    std::fs::write(bench.left.join("f"), "x").unwrap();
    let (fired, script) = at_writes_to_the_stream(Act::Fail(ENOSPC));
    let sides = Sides::new(bench, script);
    sides.put("f", "s", b"text");
    sides.put("f", "t", b"kept");
    let report = sides.copy();
    assert_eq!(fired.load(Ordering::SeqCst), 1);
    let item = item(&report, "f");
    assert!(matches!(item.outcome, Outcome::Done { .. }), "{item:?}");
    assert_eq!(item.not_kept.len(), 1, "{:?}", item.not_kept);
    assert!(item.not_kept[0].starts_with("named stream s ("), "{:?}", item.not_kept);
    assert_eq!(sides.arrived("f"), [("t".to_owned(), b"kept".to_vec())]);
}

#[test]
fn streams_that_cannot_be_listed_are_mentioned() {
    let bench = Bench::new();
    std::fs::write(bench.left.join("f"), "x").unwrap();
    let mut sides = Sides::quiet(bench);
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let script = move |event: &Event<'_>| {
        if event.call != Call::Streams {
            return Act::Go;
        }
        count.fetch_add(1, Ordering::SeqCst);
        Act::Fail(5)
    };
    sides.left = wrap_like_ntfs(&sides.bench.roots().0, "source", Arc::new(script));
    let report = sides.copy();
    assert!(fired.load(Ordering::SeqCst) > 0);
    let of_root_too = ["named streams (they could not be listed)"];
    assert_eq!(item(&report, "f").not_kept, of_root_too);
}

#[test]
fn a_cancel_is_seen_within_a_long_stream_and_leaves_nothing() {
    let bench = Bench::new();
    std::fs::write(bench.left.join("f"), "x").unwrap();
    let cancel = Arc::clone(&bench.control.cancel);
    let writes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&writes);
    let sides = Sides::new(bench, move |event| {
        if event.call == Call::Write && event.path.as_bytes().ends_with(b".part:s") {
            count.fetch_add(1, Ordering::SeqCst);
            cancel.cancel();
        }
        Act::Go
    });
    sides.put("f", "s", &common::noise(20 << 20, 5));
    let report = sides.copy();
    assert_eq!(report.result, RunResult::Cancelled, "{report:#?}");
    assert_eq!(writes.load(Ordering::SeqCst), 1, "writes after the cancel");
    assert!(!sides.bench.right.join("f").exists());
    assert_no_strays(&sides.bench.right);
}

#[test]
fn a_native_copy_that_takes_its_part_back_is_cancelled_and_not_failed() {
    let bench = Bench::new().no_groups().strategy(Strategy::Direct);
    std::fs::write(bench.left.join("f"), common::noise(20 << 20, 5)).unwrap();
    let cancel = Arc::clone(&bench.control.cancel);
    let (removals, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (removed, written) = (Arc::clone(&removals), Arc::clone(&count));
    let sides = Sides::new(bench, move |event| {
        let staged = event.path.as_bytes().ends_with(b".part");
        if staged && event.call == Call::Write && written.fetch_add(1, Ordering::SeqCst) == 1 {
            cancel.cancel();
        }
        if staged && event.call == Call::RemoveFile {
            removed.fetch_add(1, Ordering::SeqCst);
        }
        Act::Go
    });
    let report = sides.copy();
    assert!(count.load(Ordering::SeqCst) >= 2, "the copy was under way");
    assert_eq!(report.result, RunResult::Cancelled, "{report:#?}");
    assert_eq!(removals.load(Ordering::SeqCst), 0, "the name is free, and may be somebody else's by now");
    assert_no_strays(&sides.bench.right);
}

#[test]
fn a_stream_that_goes_away_before_it_is_read_is_not_mentioned() {
    // That the source has changed is for its fingerprint to show.
    let bench = Bench::new();
    std::fs::write(bench.left.join("f"), "x").unwrap();
    let mut sides = Sides::quiet(bench);
    sides.put("f", "s", b"1");
    let script = |event: &Event<'_>| if event.call == Call::OpenStream { Act::Fail(2) } else { Act::Go };
    let (left, _) = sides.bench.roots();
    let gone = wrap_like_ntfs(&left, "source", Arc::new(script));
    put(&*gone.dir.open_file(&name("f"), Access::Read).unwrap(), "s", b"1");
    common::age(&sides.bench.left.join("f"));
    sides.left = gone;
    let report = sides.copy();
    assert!(item(&report, "f").not_kept.is_empty(), "{:?}", item(&report, "f"));
    assert!(sides.arrived("f").is_empty());
    let absent = sides.right.dir.open_file(&name("f"), Access::Read).unwrap().open_stream(b"s", false);
    assert_eq!(fcs_sys::reason(&absent.unwrap_err()), OsReason::NotFound);
}
