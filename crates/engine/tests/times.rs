//! V16: files of which the comparison read both sides and found them equal are given the other side's dates, and nothing
//! else of them is written.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Bench, assert_no_strays, assert_no_strays_beside, dies_at, failure, item};
use fcs_engine::TargetState;
use fcs_engine::history::{RecoverMode, RecoveryReport, RunState, recover, undo};
use fcs_engine::report::{ActionKind, Evidence, Outcome, RunResult};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::settings::{ContentCheck, Newer, Undo};
use fcs_testkit::faulty::{Act, Call};

fn time(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000 + second)
}

fn file(path: &Path, content: &str, second: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::File::options().append(true).open(path).unwrap().set_modified(time(second)).unwrap();
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

const NAMES: [&str; 3] = ["a", "sub/b", "sub/c"];

/// Three files with equal content and other dates, one that differs and one that is new.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    bench.settings.compare_content = ContentCheck::Blake3;
    for name in NAMES {
        file(&bench.left.join(name), "the same content", 100);
        file(&bench.right.join(name), "the same content", 50);
    }
    file(&bench.left.join("other"), "one content", 100);
    file(&bench.right.join("other"), "two content", 50);
    file(&bench.left.join("new"), "new", 100);
    bench
}

fn undo_last(bench: &Bench) -> RecoveryReport {
    undo(&bench.roots().1, None, &bench.control).unwrap()
}

#[test]
fn v16_dates_alone_are_set_and_come_back() {
    let bench = bench();
    let number = |name: &str| common::number_of(&bench.right.join(name));
    let numbers = NAMES.map(number);
    let plan = bench.plan();
    assert_eq!((plan.totals.file_times, plan.totals.replaced_files, plan.totals.bytes), (3, 1, 14));
    let report = bench.run(&plan);
    assert_eq!((report.result, report.counts.file_times, report.counts.copied), (RunResult::Completed, 3, 2));
    for name in NAMES {
        let told = item(&report, name);
        assert_eq!((told.action, told.bytes), (ActionKind::FileTimes, 0));
        assert!(matches!(told.outcome, Outcome::Done { evidence: Evidence::NoContent }), "{told:#?}");
        assert_eq!(modified(&bench.right.join(name)), time(100), "{name}");
    }
    assert_eq!(NAMES.map(number), numbers, "they are the same files");
    assert!(bench.plan().is_empty(), "{:?}", bench.plan().totals);

    let recovery = undo_last(&bench);
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    for name in NAMES {
        assert_eq!(modified(&bench.right.join(name)), time(50), "{name}");
    }
    assert_no_strays(&bench.right);
}

#[test]
fn v16_an_earlier_run_can_be_undone_after_the_dates_came_back() {
    let bench = bench();
    for name in NAMES {
        fs::remove_file(bench.right.join(name)).unwrap();
    }
    assert_eq!(bench.copy().counts.copied, 5);
    file(&bench.left.join("a"), "the same content", 200);
    assert_eq!(bench.copy().counts.file_times, 1);
    for _ in 0..2 {
        let recovery = undo_last(&bench);
        assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    }
    assert!(!bench.right.join("a").exists() && bench.right.join("other").exists());
}

#[test]
fn v16_dates_are_set_only_of_what_was_read() {
    // Content that was not read says nothing.
    let mut unread = bench();
    unread.settings.compare_content = ContentCheck::Off;
    assert_eq!((unread.plan().totals.file_times, unread.plan().totals.replaced_files), (0, 4));
    // Other names of the file would get the dates too.
    let linked = bench();
    fs::hard_link(linked.right.join("a"), linked.right.join("again")).unwrap();
    assert_eq!(linked.plan().totals.file_times, 2);
    // A whole copy brings the permissions along.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = bench();
        fs::set_permissions(private.left.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(private.plan().totals.file_times, 2);
    }
    // A newer file that is kept keeps its dates too.
    let mut newer = bench();
    newer.settings.newer = Newer::Keep;
    file(&newer.right.join("a"), "the same content", 300);
    assert_eq!(newer.plan().totals.file_times, 2);
}

#[test]
fn v16_what_changed_since_the_comparison_keeps_its_dates() {
    let bench = bench();
    let plan = bench.plan();
    file(&bench.left.join("a"), "another content!", 100);
    file(&bench.right.join("sub/b"), "edited meanwhile", 50);
    let report = bench.run(&plan);
    assert_eq!((report.counts.failed, report.counts.file_times), (2, 1), "{report:#?}");
    assert_eq!(failure(&report, "a").path, bench.left.join("a"));
    assert_eq!(failure(&report, "sub/b").path, bench.right.join("sub/b"));
    assert_eq!(modified(&bench.right.join("a")), time(50));
    assert_eq!(modified(&bench.right.join("sub/b")), time(50));
}

/// An edit keeps its date whenever in the run it happens: nothing else tells the next comparison of it.
#[test]
fn v16_an_edit_at_any_moment_of_the_run_keeps_its_date() {
    let mut edits = 0;
    for n in 1.. {
        let bench = bench();
        let plan = bench.plan();
        let (at, edited) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, done, place) = (Arc::clone(&at), Arc::clone(&edited), bench.right.join("sub/b"));
        let bench = bench.script_all(move |event| {
            // Between a last look and the call itself nobody can step in.
            let is_set = event.call == Call::SetTimes && event.path.as_bytes() == b"sub/b";
            if event.side == "target" && count.fetch_add(1, Ordering::SeqCst) + 1 == n && !is_set {
                // Not what is edited after its date was set.
                let is_old = modified(&place) == time(50);
                file(&place, "edited meanwhile", 70);
                done.store(is_old, Ordering::SeqCst);
            }
            Act::Go
        });
        let report = bench.run(&plan);
        if at.load(Ordering::SeqCst) < n {
            break;
        }
        if edited.load(Ordering::SeqCst) {
            edits += 1;
            assert_eq!(modified(&bench.right.join("sub/b")), time(70), "moment {n}");
            assert_eq!(failure(&report, "sub/b").target, Some(TargetState::Original), "moment {n}");
        }
    }
    assert!(edits > 20, "{edits} edits");
}

#[test]
fn v16_undo_leaves_a_file_alone_that_was_written_since() {
    let bench = bench();
    assert_eq!(bench.copy().counts.file_times, 3);
    // Its size and date are those of before.
    file(&bench.right.join("a"), "edited meanwhile", 100);
    let recovery = undo_last(&bench);
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    assert_eq!(fs::read(bench.right.join("a")).unwrap(), b"edited meanwhile");
    assert_eq!(
        (modified(&bench.right.join("a")), modified(&bench.right.join("sub/b"))),
        (time(100), time(50))
    );
}

/// A removal is not held back: nothing that it could be the last copy of is missing.
#[test]
fn v16_dates_that_cannot_be_set_are_told_and_hold_nothing_back() {
    let bench = bench();
    file(&bench.right.join("removed"), "goes", 50);
    let plan = fcs_engine::plan::plan_sync(
        &bench.compare(),
        fcs_engine::compare::Side::Right,
        &|_| true,
        &bench.settings,
    );
    let bench = bench.script(|event| {
        let is_it = event.side == "target" && event.path.as_bytes() == b"sub/b";
        if is_it && event.call == Call::SetTimes { Act::Fail(5) } else { Act::Go }
    });
    let report = bench.run(&plan);
    assert_eq!(
        (report.counts.failed, report.counts.file_times, report.counts.removed),
        (1, 2, 1),
        "{report:#?}"
    );
    let told = failure(&report, "sub/b").to_string();
    assert!(told.starts_with("Could not set the dates") || told.starts_with("Could not set"), "{told}");
}

/// Every place at which a run can die, and every place at which its undo can: each file has its old or its new dates.
#[test]
fn v16_after_a_death_anywhere_each_file_has_its_old_or_its_new_dates() {
    let mut deaths = 0;
    for of_undo in [false, true] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in 1.. {
                let bench = bench();
                let what = format!("{how:?}, undo {of_undo}, change {n}");
                if of_undo {
                    assert_eq!(bench.copy().result, RunResult::Completed);
                }
                let died = dies_at(n, &bench, |right| {
                    if of_undo {
                        let _ = undo(right, None, &bench.control);
                    } else {
                        let (left, options) = (bench.roots().0, RunOptions::default());
                        let _ =
                            run(&bench.plan(), &[&left, right], &bench.settings, &options, &bench.control);
                    }
                });
                let recoveries = recover(&bench.roots().1, how, &bench.control).unwrap();
                assert!(recoveries.iter().all(RecoveryReport::is_clean), "{what}: {recoveries:#?}");
                assert_no_strays_beside(&bench.right);
                let dates = NAMES.map(|name| modified(&bench.right.join(name)));
                assert!(dates.iter().all(|date| [time(50), time(100)].contains(date)), "{what}: {dates:?}");
                if recoveries.iter().any(|recovery| recovery.state == RunState::RolledBack) {
                    assert_eq!(dates, [time(50); 3], "{what}");
                    assert!(!bench.right.join("new").exists(), "{what}");
                }
                // Whatever was reached, another run comes to the end.
                let _ = bench.copy();
                assert!(bench.plan().is_empty(), "{what}: {:?}", bench.plan().totals);
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    assert!(deaths > 100, "{deaths} deaths");
}
