//! A part of a run that ends in a panic: nothing is concluded from what it left, above all nothing is removed, and the
//! run waits for recovery.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(unreachable_pub, dead_code, clippy::missing_panics_doc)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, assert_no_strays_beside, noise};
use fcs_engine::compare::Side;
use fcs_engine::history::{RecoverMode, list, recover, undo, unfinished};
use fcs_engine::plan::plan_sync;
use fcs_engine::report::{ActionKind, Outcome, RunResult};
use fcs_engine::settings::Undo;
use fcs_engine::{Control, ErrorKind};
use fcs_testkit::faulty::{Act, Call, Event};

/// Enough for several handfuls of files that are read back together, so that helpers take part in that.
const FILES: usize = 300;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    bench.settings.copy_workers = 4;
    for i in 0..FILES {
        std::fs::write(bench.left.join(format!("f{i}")), noise(500, i as u64)).unwrap();
    }
    std::fs::write(bench.right.join("f0"), "the only copy").unwrap();
    std::fs::write(bench.right.join("orphan"), "looks superfluous").unwrap();
    bench
}

/// Runs a sync in which the first call for which `when` holds ends in a panic.
fn sync_with_a_panic(when: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static) {
    let panics = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&panics);
    let mut bench = bench().script(move |event| {
        let fires = event.side == "target" && when(event) && count.fetch_add(1, Ordering::SeqCst) == 0;
        assert!(!fires, "a defect of the program, planted by the test");
        Act::Go
    });
    let plan = plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let report = bench.run(&plan);
    assert!(panics.load(Ordering::SeqCst) > 0, "the fault fired");
    assert_eq!(report.result, RunResult::Stopped);
    assert_eq!(
        std::fs::read(bench.right.join("orphan")).unwrap(),
        b"looks superfluous",
        "nothing is removed"
    );
    assert!(
        !report.items.iter().any(|item| {
            item.action == ActionKind::Remove && matches!(item.outcome, Outcome::Done { .. })
        })
    );
    // Each step has one item, also those that went down with the part that failed.
    let mut told: Vec<String> = report.items.iter().map(|item| item.path.to_string()).collect();
    told.sort_unstable();
    let all = told.len();
    told.dedup();
    assert_eq!(told.len(), all, "no item twice");
    assert!(all > FILES, "{all} items for {FILES} files and an orphan");
    let lost = report
        .items
        .iter()
        .filter(|item| matches!(&item.outcome, Outcome::Failed { error } if error.kind == ErrorKind::Defect));
    assert!(lost.count() > 0, "what the part was at work on is named");

    // The run is open, and either way out leaves no trace of what was under way.
    bench.run_script = None;
    let (_, right) = bench.roots();
    assert_eq!(unfinished(&right).unwrap().len(), 1, "the run waits for recovery");
    recover(&right, RecoverMode::Keep, &Control::default()).unwrap();
    assert_no_strays_beside(&bench.right);
    assert!(unfinished(&right).unwrap().is_empty());
    let f0 = std::fs::read(bench.right.join("f0")).unwrap();
    assert!(f0 == b"the only copy" || f0 == noise(500, 0), "old or new, and whole");
    if list(&right).unwrap().iter().any(|run| run.undoable) {
        undo(&right, None, &Control::default()).unwrap();
        assert_eq!(std::fs::read(bench.right.join("f0")).unwrap(), b"the only copy");
    }
}

/// E3: the committer.
#[cfg_attr(not(fcs_planted), test)]
pub fn a_panic_while_renaming_stops_the_run_before_its_removals() {
    sync_with_a_panic(|event| event.call == Call::RenameNoReplace);
}

/// E3: a helper that reads back.
#[cfg_attr(not(fcs_planted), test)]
pub fn a_panic_while_reading_back_stops_the_run_before_its_removals() {
    sync_with_a_panic(|event| {
        event.call == Call::Read && event.path.to_string().strip_suffix(".part").is_some()
    });
}

/// E3: a worker.
#[cfg_attr(not(fcs_planted), test)]
pub fn a_panic_while_copying_stops_the_run_before_its_removals() {
    sync_with_a_panic(|event| {
        event.call == Call::Write && event.path.to_string().strip_suffix(".part").is_some()
    });
}
