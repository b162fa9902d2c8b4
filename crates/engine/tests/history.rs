//! What counts as a change, what belongs together, and how far runs go back. Cases E10, V1, V2, R2, R3 and R11.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, age, assert_no_strays_beside, noise};
use fcs_engine::report::{Report, RunResult};
use fcs_engine::runs::{RunState, list, undo};
use fcs_engine::settings::Undo;
use fcs_engine::{Cancel, Control, Observer, OnCancel};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::listing::{Listing, Options, diff, listing};

const ENOSPC: i32 = 28;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    bench
}

fn put(path: impl AsRef<Path>, bytes: &[u8]) {
    let path = path.as_ref();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    age(path);
}

fn seen(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

fn assert_same(before: &Listing, root: &Path, what: &str) {
    let differences = diff(before, &seen(root));
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}

/// E10: the only copy fails, but the folder it was to go to has got the time of its source.
#[test]
fn a_run_that_only_set_the_time_of_a_folder_is_listed_and_can_be_undone() {
    let bench = bench();
    put(bench.left.join("d/f"), b"new");
    put(bench.right.join("d/f"), b"before");
    age(&bench.left.join("d"));
    age(&bench.left);
    let before = seen(&bench.right);
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        if event.side == "target" && event.call == Call::CreateFile {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(ENOSPC);
        }
        Act::Go
    });
    let report = bench.copy();
    assert!(fired.load(Ordering::SeqCst) > 0 && report.counts.copied == 0, "{:#?}", report.items);
    assert!(!diff(&before, &seen(&bench.right)).is_empty(), "the folder's time was set");
    let runs = list(&bench.roots().1).unwrap();
    assert!(runs.len() == 1 && runs[0].undoable, "{runs:?}");
    let account = undo(&bench.roots().1, None, &Control::default()).unwrap();
    assert_eq!(account.state, RunState::RolledBack, "{account:#?}");
    assert_same(&before, &bench.right, "undone");
    assert!(!bench.right.join(".fcs").exists());
}

struct Answer(OnCancel);

impl Observer for Answer {
    fn cancelled(&self, _: u64) -> OnCancel {
        self.0
    }
}

/// Ends a run when its first file is begun: folders were made, nothing was committed.
fn cancelled_at_the_first_file(answer: OnCancel, folders: bool) -> (Bench, Listing, Report) {
    let mut bench = bench();
    if folders {
        put(bench.left.join("made/deep/f"), &noise(3000, 1));
        std::fs::create_dir(bench.left.join("made/empty")).unwrap();
    }
    put(bench.left.join("there/g"), &noise(3000, 2));
    age(&bench.left.join("there"));
    std::fs::create_dir(bench.right.join("there")).unwrap();
    let before = seen(&bench.right);
    let plan = bench.plan();
    let cancel = Arc::new(Cancel::default());
    bench.control =
        Control { cancel: Arc::clone(&cancel), observer: Arc::new(Answer(answer)), ..Control::default() };
    let bench = bench.script(move |event| {
        if event.side == "target" && event.call == Call::CreateFile {
            cancel.cancel();
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert_eq!(report.counts.copied, 0, "cancelled before the first commit: {:#?}", report.items);
    assert_no_strays_beside(&bench.right);
    (bench, before, report)
}

/// V1, E10: whoever wants the run rolled back gets that, whatever had been made.
#[test]
fn a_run_that_only_made_folders_rolls_back() {
    for folders in [true, false] {
        let (bench, before, report) = cancelled_at_the_first_file(OnCancel::RollBack, folders);
        assert_eq!(report.result, RunResult::RolledBack, "{:#?}", report.items);
        assert_same(&before, &bench.right, "rolled back");
        assert!(!bench.right.join(".fcs").exists());
    }
}

#[test]
fn made_folders_that_are_kept_can_be_undone() {
    let (bench, before, report) = cancelled_at_the_first_file(OnCancel::Keep, true);
    assert_eq!(report.result, RunResult::Cancelled, "{:#?}", report.items);
    assert!(bench.right.join("made/deep").is_dir());
    let account = undo(&bench.roots().1, None, &Control::default()).unwrap();
    assert_eq!(account.state, RunState::RolledBack, "{account:#?}");
    assert_same(&before, &bench.right, "undone");
}

/// E10: nothing was made, so nothing is kept, not even a time.
#[test]
fn a_run_that_is_ended_before_it_made_anything_leaves_no_trace() {
    let (bench, before, report) = cancelled_at_the_first_file(OnCancel::Keep, false);
    assert_eq!(report.result, RunResult::Cancelled, "{:#?}", report.items);
    assert_same(&before, &bench.right, "cancelled");
    assert!(!bench.right.join(".fcs").exists());
}

/// R3.
#[test]
fn a_run_that_set_times_of_folders_only_lets_nothing_go() {
    let bench = bench();
    put(bench.left.join("d/f"), b"new");
    put(bench.right.join("d/f"), b"before");
    let first = bench.copy().run;
    age(&bench.left.join("d"));
    let report = bench.copy();
    assert!(report.counts.folder_times > 0 && report.counts.copied == 0, "{:#?}", report.items);
    let runs = list(&bench.roots().1).unwrap();
    assert!(runs.iter().any(|run| run.run == first && run.undoable && run.kept_bytes == 6), "{runs:?}");
}
