//! When something goes wrong with a file: it fails with a message, its target keeps its original, nothing is left
//! behind, and the rest of the run goes on. Every test asserts that its fault fired.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{
    Bench, Original, age, assert_no_strays, assert_no_strays_beside, failure, is_journal, item, noise,
    original,
};
use fcs_engine::history::{RecoverMode, RecoveryReport};
use fcs_engine::report::{Outcome, RunResult, SkipReason};
use fcs_engine::settings::Strategy;
use fcs_engine::{ErrorKind, TargetState};
use fcs_testkit::faulty::{Act, Call, Event};

const ENOENT: i32 = 2;
const EINTR: i32 = 4;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ENAMETOOLONG: i32 = 36;
const ESTALE: i32 = 116;
const EDQUOT: i32 = 122;

const SIZE: usize = 2_500_000;

/// `f` exists on both sides and differs; `other` must arrive whatever happens to `f`.
fn bench(strategy: Strategy, grouped: bool) -> (Bench, Original) {
    let mut bench = Bench::new().strategy(strategy);
    bench.settings.batch_max_file_bytes = if grouped { 64 << 20 } else { 0 };
    bench.settings.network_chunk_bytes = 1 << 20;
    bench.settings.direct_chunk_bytes = 1 << 20;
    std::fs::write(bench.left.join("f"), noise(SIZE, 1)).unwrap();
    std::fs::write(bench.left.join("other"), noise(5000, 2)).unwrap();
    std::fs::write(bench.right.join("f"), noise(777, 3)).unwrap();
    age(&bench.left.join("f"));
    age(&bench.right.join("f"));
    let kept = original(&bench.right.join("f"));
    (bench, kept)
}

fn every_way() -> impl Iterator<Item = (Strategy, bool)> {
    [(Strategy::Direct, false), (Strategy::Staged, false), (Strategy::Direct, true), (Strategy::Staged, true)]
        .into_iter()
}

/// Runs `act` before the `nth` (from 0) call of this sort on this item; returns how often it ran.
fn before(
    bench: Bench,
    call: Call,
    side: &'static str,
    path: &'static str,
    when: impl Fn(usize) -> bool + Send + Sync + 'static,
    act: impl Fn() -> Act + Send + Sync + 'static,
) -> (Bench, Arc<AtomicUsize>) {
    let (seen, fired) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        let about = event.side == side && (path == "*" || event.path.as_bytes() == path.as_bytes());
        if about && event.call == call && when(seen.fetch_add(1, Ordering::SeqCst)) {
            count.fetch_add(1, Ordering::SeqCst);
            return act();
        }
        Act::Go
    });
    (bench, fired)
}

fn assert_rest_went_on(bench: &Bench) {
    assert_eq!(std::fs::read(bench.right.join("other")).unwrap(), noise(5000, 2), "the run went on");
    assert_no_strays(&bench.right);
}

/// Ways to disturb a file while it is read.
fn disturbances() -> BTreeMap<&'static str, fn(&Path)> {
    fn write_over(path: &Path, bytes: &[u8], at: u64) {
        use std::os::unix::fs::FileExt;
        std::fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
    }
    BTreeMap::from([
        ("grown", (|p| write_over(p, b"more", SIZE as u64)) as fn(&Path)),
        ("shrunk", |p| std::fs::File::options().write(true).open(p).unwrap().set_len(1000).unwrap()),
        ("rewritten", |p| write_over(p, &noise(1 << 20, 99), 4096)),
        ("rewritten with its old time", |p| {
            let time = std::fs::metadata(p).unwrap().modified().unwrap();
            write_over(p, b"x", 17);
            std::fs::File::options().write(true).open(p).unwrap().set_modified(time).unwrap();
        }),
        ("replaced", |p| {
            let new = p.with_extension("new");
            std::fs::write(&new, noise(SIZE, 50)).unwrap();
            std::fs::rename(new, p).unwrap();
        }),
        ("removed", |p| {
            let _ = std::fs::remove_file(p);
        }),
        ("turned into a link", |p| {
            let _ = std::fs::remove_file(p);
            let _ = std::os::unix::fs::symlink("/etc/hostname", p);
        }),
    ])
}

#[test]
fn a_source_that_changes_while_it_is_read_is_never_committed_half_old_half_new() {
    for (what, disturb) in disturbances() {
        for (strategy, grouped) in every_way() {
            let (bench, kept) = bench(strategy, grouped);
            let source = bench.left.join("f");
            let path = source.clone();
            // Once, between two reads: the copy starts over and finds a file at rest, or none.
            let (bench, fired) = before(
                bench,
                Call::Read,
                "source",
                "f",
                move |n| n == usize::from(!grouped),
                move || {
                    disturb(&path);
                    Act::Go
                },
            );
            let report = bench.copy();
            assert_eq!(fired.load(Ordering::SeqCst), 1, "the fault fired");
            match &item(&report, "f").outcome {
                Outcome::Done { .. } => {
                    let (a, b) =
                        (std::fs::read(&source).unwrap(), std::fs::read(bench.right.join("f")).unwrap());
                    assert!(
                        a == b,
                        "{what} {strategy} {grouped}: committed something that never was the source"
                    );
                }
                Outcome::Failed { error } => {
                    assert_eq!(error.target, Some(TargetState::Original), "{what}: {error}");
                    assert_eq!(original(&bench.right.join("f")), kept, "{what}: {error}");
                    assert!(what == "removed" || what == "turned into a link", "{what}: {error}");
                }
                other @ (Outcome::Skipped { .. } | Outcome::RolledBack) => panic!("{other:?}"),
            }
            assert_rest_went_on(&bench);
        }
    }
}

#[test]
fn a_source_that_never_rests_fails_and_says_so() {
    for (strategy, grouped) in every_way() {
        let (bench, kept) = bench(strategy, grouped);
        let path = bench.left.join("f");
        let counter = AtomicUsize::new(0);
        let (bench, fired) = before(
            bench,
            Call::Read,
            "source",
            "f",
            |_| true,
            move || {
                use std::os::unix::fs::FileExt;
                let n = counter.fetch_add(1, Ordering::SeqCst) as u64;
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                file.write_all_at(&n.to_le_bytes(), 100).unwrap();
                Act::Go
            },
        );
        let report = bench.copy();
        assert!(fired.load(Ordering::SeqCst) >= 3, "it was tried three times");
        let error = failure(&report, "f");
        assert_eq!(error.kind, ErrorKind::SourceUnsteady);
        assert!(error.to_string().contains("it kept changing while it was read"), "{error}");
        assert_eq!(original(&bench.right.join("f")), kept);
        assert_rest_went_on(&bench);
    }
}

#[test]
fn what_changed_between_comparison_and_run_is_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    for (side, content) in [("left", true), ("right", true), ("right", false)] {
        for (strategy, grouped) in every_way() {
            let (bench, _) = bench(strategy, grouped);
            let plan = bench.plan();
            let changed = if side == "left" { bench.left.join("f") } else { bench.right.join("f") };
            if content {
                std::fs::write(&changed, "changed since").unwrap();
            } else {
                // Somebody's decision about the file that a look at size and date would miss.
                std::fs::set_permissions(&changed, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
            let kept = original(&bench.right.join("f"));
            let report = bench.run(&plan);
            let wanted = if side == "left" { ErrorKind::SourceStale } else { ErrorKind::TargetStale };
            assert_eq!(failure(&report, "f").kind, wanted);
            assert_eq!(report.counts.failed_stale, 1);
            assert_eq!(original(&bench.right.join("f")), kept);
            assert_rest_went_on(&bench);
        }
    }
}

#[test]
fn a_target_that_appears_or_changes_in_the_last_moment_is_not_overwritten() {
    // The fault fires between the engine's last look at the target and its rename.
    for (call, there_before) in [(Call::RenameExchange, true), (Call::RenameNoReplace, false)] {
        for (strategy, grouped) in every_way() {
            let (bench, _) = bench(strategy, grouped);
            if !there_before {
                std::fs::remove_file(bench.right.join("f")).unwrap();
            }
            let path = bench.right.join("f");
            let fired = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&fired);
            let bench = bench.script(move |event| {
                if event.side == "target" && event.call == call && count.fetch_add(1, Ordering::SeqCst) == 0 {
                    let new = path.with_extension("new");
                    std::fs::write(&new, "somebody else's").unwrap();
                    std::fs::rename(&new, &path).unwrap();
                }
                Act::Go
            });
            let report = bench.copy();
            assert!(fired.load(Ordering::SeqCst) >= 1, "the fault fired");
            let f = std::fs::read(bench.right.join("f")).unwrap();
            assert_eq!(f, b"somebody else's", "{call:?} {strategy} {grouped}");
            assert_eq!(failure(&report, "f").kind, ErrorKind::TargetStale);
            assert_rest_went_on(&bench);
        }
    }
}

#[test]
fn failures_say_what_happened_and_what_is_there() {
    let cases: [(Call, &str, i32, &str); 9] = [
        (Call::Write, "target", ENOSPC, "the volume is full"),
        (Call::Write, "target", EDQUOT, "your quota on the volume is used up"),
        (Call::Write, "target", EIO, "the device reported an error"),
        (Call::Read, "source", EIO, "the device reported an error"),
        (Call::Read, "source", ESTALE, "the server no longer knows the file"),
        (Call::OpenFile, "source", EACCES, "you do not have permission"),
        (Call::OpenFile, "source", EBUSY, "another program is using it"),
        (Call::CreateFile, "target", EROFS, "the volume is read-only"),
        (Call::CreateFile, "target", ENAMETOOLONG, "the name is too long for the file system"),
    ];
    for (call, side, code, words) in cases {
        for (strategy, grouped) in every_way() {
            let (bench, kept) = bench(strategy, grouped);
            let counted = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&counted);
            let bench = bench.script(move |event| {
                // Staged names carry numbers; the step of f is told by its size.
                let about_f = if side == "source" {
                    event.path.as_bytes() == b"f"
                } else {
                    event.call == Call::CreateFile || event.bytes > 5000
                };
                if event.side == side && event.call == call && about_f {
                    // In the middle of the file where it has one.
                    let n = count.fetch_add(1, Ordering::SeqCst);
                    if call != Call::CreateFile || n == 0 {
                        return Act::Fail(code);
                    }
                }
                Act::Go
            });
            let report = bench.copy();
            assert!(counted.load(Ordering::SeqCst) > 0, "the fault fired");
            assert_eq!(report.result, RunResult::CompletedWithFailures);
            if call == Call::CreateFile {
                // Whichever came first failed; the other went through.
                assert_eq!((report.counts.failed, report.counts.copied), (1, 1), "{:#?}", report.items);
                continue;
            }
            let error = failure(&report, "f");
            let text = error.to_string();
            assert!(text.contains(words), "{text}");
            assert!(text.starts_with("Could not ") && text.contains("The original is unchanged."), "{text}");
            assert_eq!(error.code(), Some(code));
            assert_eq!(original(&bench.right.join("f")), kept);
            assert_rest_went_on(&bench);
        }
    }
}

#[test]
fn a_group_whose_sync_fails_starts_over_one_by_one() {
    let (bench, _) = bench(Strategy::Auto, true);
    let [fired, made]: [Arc<AtomicUsize>; 2] = Default::default();
    let (fault, creations) = (Arc::clone(&fired), Arc::clone(&made));
    let bench = bench.script(move |event| {
        if event.call == Call::CreateFile {
            creations.fetch_add(1, Ordering::SeqCst);
        }
        if event.call == Call::SyncVolume && fault.fetch_add(1, Ordering::SeqCst) == 0 {
            return Act::Fail(EIO);
        }
        Act::Go
    });
    let created = bench.left.join("f");
    let report = bench.copy();
    assert_eq!(
        fired.load(Ordering::SeqCst),
        1,
        "the fault fired, and no sync of the whole is trusted any more"
    );
    assert_eq!(
        made.load(Ordering::SeqCst),
        4,
        "both files were staged again: what a failed sync covered is not trusted"
    );
    assert_eq!(report.counts.failed, 0, "{:#?}", report.items);
    assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), std::fs::read(created).unwrap());
    assert_rest_went_on(&bench);
}

#[test]
fn a_file_that_cannot_be_synced_is_never_committed() {
    for (strategy, grouped) in every_way() {
        let (bench, kept) = bench(strategy, grouped);
        let [syncs, renamed]: [Arc<AtomicUsize>; 2] = Default::default();
        let (count, moves) = (Arc::clone(&syncs), Arc::clone(&renamed));
        let bench = bench.script(move |event| {
            // The root itself is synced for the sake of the journal.
            let journal = event.call == Call::Sync && event.path.is_root();
            if event.side == "target" && matches!(event.call, Call::Sync | Call::SyncVolume) && !journal {
                count.fetch_add(1, Ordering::SeqCst);
                return Act::Fail(EIO);
            }
            let renames = [Call::RenameExchange, Call::RenameNoReplace, Call::RenameReplace];
            moves.fetch_add(usize::from(renames.contains(&event.call)), Ordering::SeqCst);
            Act::Go
        });
        let report = bench.copy();
        assert_eq!(renamed.load(Ordering::SeqCst), 0, "not even for a moment");
        assert!(syncs.load(Ordering::SeqCst) > 0, "the fault fired");
        assert_eq!(report.counts.copied, 0, "{:#?}", report.items);
        assert!(failure(&report, "f").to_string().contains("Could not sync"), "{}", failure(&report, "f"));
        assert_eq!(original(&bench.right.join("f")), kept);
        assert!(!bench.right.join("other").exists());
        assert_no_strays(&bench.right);
    }
}

#[test]
fn file_systems_without_exchange_or_links_still_replace_safely() {
    // What FAT and some network shares answer.
    for without in
        [&[Call::RenameExchange][..], &[Call::RenameExchange, Call::RenameNoReplace, Call::HardLink]]
    {
        for (strategy, grouped) in every_way() {
            let (bench, _) = bench(strategy, grouped);
            let fired = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&fired);
            let bench = bench.script(move |event| {
                if without.contains(&event.call) {
                    count.fetch_add(1, Ordering::SeqCst);
                    return Act::Fail(95);
                }
                Act::Go
            });
            let report = bench.copy();
            assert!(fired.load(Ordering::SeqCst) > 0, "the fault fired");
            assert_eq!(report.counts.failed, 0, "{:#?}", report.items);
            assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), noise(SIZE, 1));
            assert_rest_went_on(&bench);
        }
    }
}

/// Each path's new bytes, and its old ones if it had any.
type Expected = BTreeMap<PathBuf, (Vec<u8>, Option<Vec<u8>>)>;

/// A tree with every sort of step, small enough to run a thousand times.
fn sweep_bench() -> (Bench, Expected) {
    let mut bench = Bench::new();
    bench.settings.batch_max_file_bytes = 1000;
    bench.settings.copy_workers = 1;
    let mut files = BTreeMap::new();
    for (path, new, old) in [
        ("small", 300, Some(20)),
        ("large", 3000, Some(4000)),
        ("d/new", 500, None),
        ("e/new large", 2000, None),
    ] {
        let path = PathBuf::from(path);
        let old = old.map(|n| noise(n, 1));
        std::fs::create_dir_all(bench.left.join(&path).parent().unwrap()).unwrap();
        std::fs::write(bench.left.join(&path), noise(new, 2)).unwrap();
        age(&bench.left.join(&path));
        if let Some(old) = &old {
            std::fs::write(bench.right.join(&path), old).unwrap();
        }
        files.insert(path, (noise(new, 2), old));
    }
    std::fs::create_dir(bench.right.join("e")).unwrap();
    std::os::unix::fs::symlink("nowhere", bench.left.join("link")).unwrap();
    xattr::set(bench.left.join("small"), "user.x", b"y").unwrap_or_default();
    (bench, files)
}

#[test]
fn any_error_at_any_call_leaves_each_file_whole_and_every_step_reported() {
    let mut fired_at = std::collections::BTreeSet::new();
    for (call, code) in every_error() {
        for nth in 0..6 {
            let (bench, files) = sweep_bench();
            let plan = bench.plan();
            let (bench, fired) = before_any(bench, call, nth, code, |event| !is_journal(event));
            let result = bench.try_run(&plan);
            if fired.load(Ordering::SeqCst) == 0 {
                break;
            }
            fired_at.insert(format!("{call:?}"));
            let case = format!("{call:?} #{nth} code {code}");
            let Ok(report) = result else {
                // The root itself could not take the journal.
                assert_untouched(&bench, &files, &case);
                continue;
            };
            assert_whole(&bench, &files, &report, &case);
            if !matches!(call, Call::RemoveFile | Call::HardLink) {
                assert_no_strays(&bench.right);
            }
        }
    }
    println!("fired at {fired_at:?}");
    let enough = if fcs_testkit::every() > 1 { 10 } else { 20 };
    assert!(fired_at.len() >= enough, "the sweep reached too few calls: {fired_at:?}");
}

/// Each error at each call, or a share of them.
fn every_error() -> impl Iterator<Item = (Call, i32)> {
    let errors = Call::ALL.iter().flat_map(|&call| CODES.map(|code| (call, code)));
    errors.step_by(fcs_testkit::every())
}

const CODES: [i32; 11] =
    [ENOSPC, EIO, EDQUOT, EACCES, EROFS, EINTR, EBUSY, ENAMETOOLONG, ESTALE, EINVAL, ENOENT];

#[test]
fn any_error_of_the_journal_stops_the_run_before_it_could_do_harm() {
    let mut ends = BTreeMap::new();
    for (call, code) in every_error() {
        for nth in 0..12 {
            let (bench, files) = sweep_bench();
            let plan = bench.plan();
            let (bench, fired) = before_any(bench, call, nth, code, is_journal);
            let result = bench.try_run(&plan);
            if fired.load(Ordering::SeqCst) == 0 {
                break;
            }
            let case = format!("{call:?} #{nth} code {code}");
            let end = match &result {
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    assert_untouched(&bench, &files, &case);
                    "not begun"
                }
                Ok(report) => {
                    assert_whole(&bench, &files, report, &case);
                    if report.result == RunResult::Stopped { "stopped" } else { "went on" }
                }
            };
            *ends.entry(end).or_insert(0_u32) += 1;
            let (_, right) = bench.roots();
            let recoveries = fcs_engine::history::recover(&right, RecoverMode::Keep, &bench.control).unwrap();
            assert!(recoveries.iter().all(RecoveryReport::is_clean), "{case}: {recoveries:#?}");
            assert_names_whole(&bench, &files, &case);
            assert_no_strays_beside(&bench.right);
        }
    }
    println!("{ends:?}");
    let enough = if fcs_testkit::every() > 1 { 2 } else { 3 };
    assert!(ends.len() >= enough, "the sweep is to see all three ends: {ends:?}");
}

fn assert_untouched(bench: &Bench, files: &Expected, case: &str) {
    for (path, (_, old)) in files {
        assert!(std::fs::read(bench.right.join(path)).ok() == *old, "{case}: {}", path.display());
    }
    assert!(!bench.right.join("d").exists() && !bench.right.join("link").is_symlink(), "{case}");
}

fn assert_names_whole(bench: &Bench, files: &Expected, case: &str) {
    for (path, (new, old)) in files {
        let found = std::fs::read(bench.right.join(path)).ok();
        assert!(found == *old || found.as_ref() == Some(new), "{case}: {}", path.display());
    }
}

fn before_any(
    bench: Bench,
    call: Call,
    nth: usize,
    code: i32,
    about: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static,
) -> (Bench, Arc<AtomicUsize>) {
    let (seen, fired) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&fired);
    let bench = bench.script_all(move |event| {
        if event.call == call && about(event) && seen.fetch_add(1, Ordering::SeqCst) == nth {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(code);
        }
        Act::Go
    });
    (bench, fired)
}

/// Every file is its whole old or whole new self, and the report says which.
fn assert_whole(bench: &Bench, files: &Expected, report: &fcs_engine::report::Report, case: &str) {
    for (path, (new, old)) in files {
        let found = std::fs::read(bench.right.join(path)).ok();
        let text = path.to_str().unwrap();
        match &item(report, text).outcome {
            Outcome::Done { .. } => assert!(found.as_ref() == Some(new), "{case}: {text} is not new"),
            Outcome::Failed { error } => match error.target {
                Some(TargetState::Original | TargetState::Absent) => {
                    assert!(found == *old, "{case}: {text} is not as it was: {error}");
                }
                Some(TargetState::New) => assert!(found.as_ref() == Some(new), "{case}: {text}"),
                Some(TargetState::Moved) => panic!("{case}: {text} was moved: {error}"),
                Some(TargetState::Unknown) | None => {
                    assert!(found == *old || found.as_ref() == Some(new), "{case}: {text} is torn: {error}");
                }
            },
            Outcome::Skipped { why: SkipReason::Stopped } => {
                assert!(found == *old, "{case}: {text} was changed after the journal failed");
            }
            other @ (Outcome::Skipped { .. } | Outcome::RolledBack) => panic!("{case}: {text} {other:?}"),
        }
    }
    // Four files, a link, the made folder and two others whose times are set.
    assert_eq!(report.items.len(), 8, "{case}: {:#?}", report.items);
}

#[test]
fn an_original_that_is_written_to_after_the_swap_comes_back() {
    use std::io::Write;
    for (strategy, grouped) in every_way() {
        let (bench, _) = bench(strategy, grouped);
        let open = std::fs::File::options().append(true).open(bench.right.join("f")).unwrap();
        let fired = Arc::new(AtomicUsize::new(0));
        let (count, swapped) = (Arc::clone(&fired), AtomicUsize::new(0));
        // A program that had the file open goes on writing to it: after the swap, before the sync that settles it.
        let bench = bench.script(move |event| {
            if event.call == Call::RenameExchange {
                swapped.fetch_add(1, Ordering::SeqCst);
            }
            if event.call == Call::SyncVolume
                && swapped.load(Ordering::SeqCst) == 1
                && count.fetch_add(1, Ordering::SeqCst) == 0
            {
                (&open).write_all(b"late words").unwrap();
            }
            Act::Go
        });
        let report = bench.copy();
        assert!(fired.load(Ordering::SeqCst) > 0, "the fault fired");
        let error = failure(&report, "f");
        assert_eq!(
            (error.kind, error.target),
            (ErrorKind::TargetStale, Some(TargetState::Original)),
            "{error}"
        );
        assert!(
            std::fs::read(bench.right.join("f")).unwrap().ends_with(b"late words"),
            "nothing written is lost"
        );
        assert_rest_went_on(&bench);
    }
}

#[test]
fn a_folder_put_in_place_of_the_runs_own_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let bench = Bench::new();
    std::fs::create_dir(bench.left.join("d")).unwrap();
    std::fs::set_permissions(bench.left.join("d"), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(bench.left.join("d/f"), "x").unwrap();
    let private = bench.right.with_file_name("private");
    std::fs::create_dir(&private).unwrap();
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (there, away) = (bench.right.join("d"), bench.right.with_file_name("away"));
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        if event.call == Call::RenameNoReplace && count.fetch_add(1, Ordering::SeqCst) == 0 {
            std::fs::rename(&there, &away).unwrap();
            std::fs::rename(&private, &there).unwrap();
        }
        Act::Go
    });
    let report = bench.copy();
    assert_eq!(fired.load(Ordering::SeqCst), 1, "the fault fired");
    assert_eq!(failure(&report, "d").kind, ErrorKind::TargetStale);
    assert_eq!(mode(&bench.right.join("d")), 0o700, "a private folder stays private");
}

#[test]
fn a_new_name_that_cannot_be_made_durable_is_taken_back_only_while_it_is_ours() {
    for foreign in [false, true] {
        let (bench, kept) = bench(Strategy::Auto, true);
        let path = bench.right.join("f");
        let fired = Arc::new(AtomicUsize::new(0));
        let (count, swapped) = (Arc::clone(&fired), AtomicUsize::new(0));
        let bench = bench.script(move |event| {
            if event.call == Call::RenameExchange {
                swapped.fetch_add(1, Ordering::SeqCst);
            }
            let after = swapped.load(Ordering::SeqCst) > 0;
            if after && event.side == "target" && matches!(event.call, Call::SyncVolume | Call::Sync) {
                if foreign && count.load(Ordering::SeqCst) == 0 {
                    let new = path.with_extension("new");
                    std::fs::write(&new, "somebody else's").unwrap();
                    std::fs::rename(&new, &path).unwrap();
                }
                count.fetch_add(1, Ordering::SeqCst);
                return Act::Fail(EIO);
            }
            Act::Go
        });
        let report = bench.copy();
        assert!(fired.load(Ordering::SeqCst) > 0, "the fault fired");
        let error = failure(&report, "f");
        if foreign {
            assert_eq!(error.target, Some(TargetState::Unknown), "{error}");
            assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), b"somebody else's");
        } else {
            assert_eq!(error.target, Some(TargetState::Original), "{error}");
            assert_eq!(original(&bench.right.join("f")), kept);
        }
    }
}

#[test]
fn targets_that_are_names_of_one_file_are_all_replaced() {
    for grouped in [true, false] {
        let mut bench = Bench::new();
        bench.settings.batch_max_files = if grouped { 4096 } else { 1 };
        for name in ["a", "b", "c"] {
            std::fs::write(bench.left.join(name), format!("new {name}")).unwrap();
        }
        std::fs::write(bench.right.join("a"), "old").unwrap();
        age(&bench.right.join("a"));
        std::fs::hard_link(bench.right.join("a"), bench.right.join("b")).unwrap();
        std::fs::hard_link(bench.right.join("a"), bench.right.join("c")).unwrap();
        let report = bench.copy();
        assert_eq!((report.counts.copied, report.counts.failed), (3, 0), "{:#?}", report.items);
        assert_eq!(std::fs::read(bench.right.join("c")).unwrap(), b"new c");
        assert_no_strays(&bench.right);
    }
}
