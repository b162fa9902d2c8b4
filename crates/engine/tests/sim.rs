//! The engine on the simulated disk: the whole way from two trees to a report, without touching a real one.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::ControlFlow;
use std::sync::Arc;

use fcs_engine::compare::{Comparison, Side, compare};
use fcs_engine::filter::Filter;
use fcs_engine::history::{RecoverMode, recover, undo};
use fcs_engine::plan::plan;
use fcs_engine::report::{Evidence, Outcome, Report};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::{Control, ErrorKind, Settings};
use fcs_sys::{Owner, Time};
use fcs_testkit::faulty::{Act, Call, Script, wrap};
use fcs_testkit::sim::{Budget, Options, SimFs};

fn source() -> SimFs {
    let fs = SimFs::new(Options { volume: 1, path: "/source".into(), ..Options::default() });
    fs.put("empty", b"", 0o600, Time::new(5, 5));
    fs.put("changed", b"the new text", 0o640, Time::new(1_000_000_000, 123_456_789));
    fs.put("same", b"same", 0o644, Time::new(7, 0));
    fs.put("folder/deep/large", &vec![0xA5; 300_000], 0o644, Time::new(8, 0));
    fs.set_xattr("folder/deep/large", b"user.note", b"kept");
    fs.symlink("folder/link", "../changed");
    fs.set_owner("changed", Owner { user: 1000, group: 100 });
    fs.set_modified("folder/deep", Time::new(9, 9));
    fs
}

fn target() -> SimFs {
    let fs = SimFs::new(Options { volume: 2, path: "/target".into(), ..Options::default() });
    fs.put("changed", b"the old text, longer", 0o600, Time::new(3, 0));
    fs.put("same", b"same", 0o644, Time::new(7, 0));
    fs.put("only here", b"stays", 0o644, Time::new(4, 0));
    fs
}

fn look(source: &SimFs, target: &SimFs, settings: &Settings) -> Comparison {
    let (left, right, control) = (source.root(), target.root(), Control::default());
    let (a, b) = scan_pair(&left, &right, &Filter::default(), settings, &control).unwrap();
    compare((&left, Arc::new(a)), (&right, Arc::new(b)), settings, &control).unwrap()
}

fn copy(source: &SimFs, target: &SimFs, settings: &Settings, script: Script) -> Report {
    let plan = plan(&look(source, target, settings), Side::Right, &|_| true, settings);
    let target = wrap(&target.root(), "target", script);
    run(&plan, &[&source.root(), &target], settings, &RunOptions::default(), &Control::default()).unwrap()
}

/// Everything but numbers and links, which a copy does not keep.
fn shown(fs: &SimFs) -> Vec<String> {
    let line = |(path, item): (&String, &fcs_testkit::sim::Item)| {
        let content = (item.bytes.len(), &item.bytes[..item.bytes.len().min(30)], &item.link);
        format!("{path} {:?} {:o} {:?} {:?} {:?}", item.owner, item.mode, item.modified, item.xattrs, content)
    };
    fs.snapshot().iter().filter(|(path, _)| *path != "only here").map(line).collect()
}

#[test]
fn a_copy_on_the_simulated_disk_arrives_whole() {
    // Once in groups, once every file its own way: past the cache, compared with a memory window of the source.
    for batch_max_file_bytes in [Settings::default().batch_max_file_bytes, 0] {
        let settings =
            Settings { undo: fcs_engine::settings::Undo::Off, batch_max_file_bytes, ..Settings::default() };
        let (source, target) = (source(), target());
        let report = copy(&source, &target, &settings, Arc::new(|_| Act::Go));
        for item in &report.items {
            let Outcome::Done { evidence } = &item.outcome else { panic!("{item:#?}") };
            let proven = matches!(evidence, Evidence::DeviceReread { .. } | Evidence::NoContent);
            assert!(proven, "{item:#?}");
            assert_eq!(item.not_kept, [""; 0]);
        }
        assert_eq!(shown(&target), shown(&source));
        assert_eq!(*target.read("only here").unwrap(), b"stays");
        let left = plan(&look(&source, &target, &settings), Side::Right, &|_| true, &settings);
        assert!(left.is_empty(), "{left:#?}");
    }
}

#[test]
fn created_times_go_with_a_copy_and_come_back_with_an_undo() {
    let disk = |volume, path: &str| {
        SimFs::new(Options { volume, path: path.into(), created: true, ..Options::default() })
    };
    let (source, target) = (disk(1, "/source"), disk(2, "/target"));
    let at = |day: i64, number: usize| Time::new(day * 86_400, u32::try_from(number).unwrap());
    let items = ["there", "there/replaced", "made", "made/new", "made/link"];
    for fs in [&source, &target] {
        fs.put("there/replaced", fs.root().path.as_os_str().as_encoded_bytes(), 0o644, at(1, 0));
    }
    source.put("made/new", b"new", 0o644, at(1, 0));
    source.symlink("made/link", "new");
    // Every folder's modified time is the same on both sides, so that only the created time can be what is given.
    for (number, path) in items.into_iter().enumerate().rev() {
        source.set_modified(path, at(2, 0));
        source.set_created(path, at(3, number));
    }
    for (number, path) in items.into_iter().enumerate().take(2).rev() {
        target.set_modified(path, at(2, 0));
        target.set_created(path, at(4, number));
    }
    let settings = Settings { keep_owner: false, ..Settings::default() };
    target.record();
    let report = copy(&source, &target, &settings, Arc::new(|_| Act::Go));
    // Whatever a crash left, recovery finishes the folders that the run made.
    let (mut made, mut bare) = (0, 0);
    let budget = Budget { exhaustive: 50, samples: 5 };
    target.recording().for_each_crash_state(budget, 1, &mut |state| {
        let after = state.mount();
        let before = after.exists("made").then(|| after.created("made"));
        recover(&after.root(), RecoverMode::Keep, &Control::default()).unwrap();
        // One that the journal cannot prove to be the run's keeps what it has.
        let modified = |fs: &SimFs| fs.snapshot().get("made").map(|made| made.modified);
        if modified(&after) == Some(at(2, 0)) {
            assert_eq!(after.created("made"), at(3, 2), "{}", state.describe());
            made += 1;
            bare += usize::from(before != Some(at(3, 2)));
        }
        ControlFlow::Continue(())
    });
    assert!(made > 10 && bare > 0, "{made} {bare}");
    assert!(report.items.iter().all(|item| item.not_kept.is_empty()), "{:#?}", report.items);
    for (number, path) in items.into_iter().enumerate() {
        assert_eq!(target.created(path), at(3, number), "{path}");
    }
    undo(&target.root(), None, &Control::default()).unwrap();
    assert!(!target.exists("made"));
    for (number, path) in items.into_iter().enumerate().take(2) {
        assert_eq!(target.created(path), at(4, number), "{path}");
    }
}

#[test]
fn a_bit_flipped_on_the_simulated_device_is_found() {
    let (source, target) = (source(), target());
    let disk = target.clone();
    let flipped = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let fired = Arc::clone(&flipped);
    let script = move |event: &fcs_testkit::faulty::Event<'_>| {
        let large = event.call == Call::Evict && event.path.as_bytes().starts_with(b"folder/deep/.fcs-");
        if large && !fired.swap(true, std::sync::atomic::Ordering::Relaxed) {
            disk.flip_on_device(&event.path.to_string(), 200_000);
        }
        Act::Go
    };
    let report = copy(&source, &target, &Settings::default(), Arc::new(script));
    assert!(flipped.load(std::sync::atomic::Ordering::Relaxed));
    let failed: Vec<_> = report
        .items
        .iter()
        .filter_map(|item| match &item.outcome {
            Outcome::Failed { error } => Some((item.path.to_string(), &error.kind)),
            _ => None,
        })
        .collect();
    assert!(
        matches!(&failed[..], [(path, ErrorKind::Mismatch { .. })] if path == "folder/deep/large"),
        "{failed:?}"
    );
    assert!(!target.exists("folder/deep/large"));
}

/// Whether some state after some crash during a copy holds anything but the complete old or the complete new file
/// under a name of the user, and how many states were looked at.
fn crash_shows_a_half(script: Script) -> (Option<String>, u64) {
    let (source, target) = (source(), target());
    target.record();
    copy(&source, &target, &Settings { copy_workers: 1, ..Settings::default() }, script);
    let (old, new, large) = (b"the old text, longer".to_vec(), b"the new text".to_vec(), vec![0xA5; 300_000]);
    let mut half = None;
    let budget = Budget { exhaustive: 64, samples: 16 };
    let explored = target.recording().for_each_crash_state(budget, 1, &mut |state| {
        let after = state.mount();
        let good = after.read("changed").is_some_and(|found| *found == old || *found == new)
            && after.read("only here").is_some_and(|found| *found == b"stays")
            && after.read("folder/deep/large").is_none_or(|found| *found == large);
        if good {
            return ControlFlow::Continue(());
        }
        half = Some(state.describe());
        ControlFlow::Break(())
    });
    (half, explored.states)
}

/// What already holds without a journal.
#[test]
fn no_crash_shows_a_half_made_file_under_its_name() {
    let (half, states) = crash_shows_a_half(Arc::new(|_| Act::Go));
    assert_eq!(half, None);
    assert!(states > 1000, "{states}");
}

#[test]
fn a_copy_whose_syncs_do_nothing_shows_half_made_files() {
    let lie = |event: &fcs_testkit::faulty::Event<'_>| match event.call {
        Call::Sync | Call::SyncVolume => Act::Lie,
        _ => Act::Go,
    };
    let (half, _) = crash_shows_a_half(Arc::new(lie));
    let half = half.expect("a half-made file");
    println!("{half}");
}

/// E9: making an error asks nobody; who reports it asks the disk that it came from, so a simulated one answers too.
#[test]
fn who_has_a_file_open_is_asked_of_the_disk_that_refused() {
    const EBUSY: i32 = 16;
    let target = SimFs::new(Options {
        volume: 2,
        path: "/target".into(),
        holders: vec!["a program (process 7)".into()],
        ..Options::default()
    });
    let script: Script = Arc::new(|event| match event.call {
        Call::RenameNoReplace if event.path.to_string().strip_suffix(".part").is_some() => Act::Fail(EBUSY),
        _ => Act::Go,
    });
    let report = copy(&source(), &target, &Settings { keep_owner: false, ..Settings::default() }, script);
    let failed = report.items.iter().find_map(|item| match &item.outcome {
        Outcome::Failed { error } if error.code() == Some(EBUSY) => Some(error.to_string()),
        _ => None,
    });
    let text = failed.expect("the fault fired");
    assert!(text.contains("another program has it open: a program (process 7)"), "{text}");
}

/// What is in a folder that a file replaced is kept too: it is listed, and counts when room is short.
#[test]
fn what_is_in_a_kept_folder_counts_as_kept() {
    let source = SimFs::new(Options { volume: 1, ..Options::default() });
    let target = SimFs::new(Options { volume: 2, limit_bytes: Some(1_000_000), ..Options::default() });
    source.put("x", b"now a file", 0o644, Time::new(7, 0));
    source.put("y", b"as it was", 0o644, Time::new(7, 0));
    target.put("x/deep/large", &vec![1; 300_000], 0o644, Time::new(7, 0));
    target.put("x/small", b"12345", 0o644, Time::new(7, 0));
    let settings = Settings {
        replace_kinds: fcs_engine::settings::ReplaceKinds::Always,
        undo_max_percent: 50,
        ..Settings::default()
    };
    let report = copy(&source, &target, &settings, Arc::new(|_| Act::Go));
    let kept = |run: &str| {
        let runs = fcs_engine::history::list(&target.root()).unwrap();
        runs.into_iter().find(|info| info.run == run).map(|info| info.kept_bytes)
    };
    assert_eq!(kept(&report.run), Some(300_005));

    source.put("y", b"as it is now", 0o644, Time::new(8, 0));
    let second = copy(&source, &target, &settings, Arc::new(|_| Act::Go));
    assert!(kept(&report.run).is_some() && second.notes.is_empty(), "{:?}", second.notes);
    source.put("y", b"once more", 0o644, Time::new(9, 0));
    let third = copy(&source, &target, &Settings { undo_max_percent: 20, ..settings }, Arc::new(|_| Act::Go));
    assert_eq!(kept(&report.run), None, "{:?}", third.notes);
    assert!(third.notes.iter().any(|note| note.contains("293.0 KiB")), "{:?}", third.notes);
    let pruned: Vec<_> = third.pruned.iter().map(|(root, run)| (root.0, run.clone())).collect();
    assert_eq!(pruned, [(1, report.run)], "and for who remembers runs");
}
