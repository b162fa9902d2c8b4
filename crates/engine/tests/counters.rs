//! What the counters of a run say while it goes on, whatever happens to its files.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{Bench, noise};
use fcs_engine::report::Outcome;
use fcs_engine::settings::Strategy;
use fcs_testkit::faulty::{Act, Call};

const NAMES: [&str; 6] = ["fine", "moved", "read fails", "write fails", "sync fails", "wrong bytes"];

/// E8: a source that changes and is copied again, and files that fail at each stage.
#[test]
fn counters_of_a_run_only_grow_and_end_at_their_totals() {
    for (strategy, grouped) in
        [(Strategy::Direct, false), (Strategy::Staged, false), (Strategy::Staged, true)]
    {
        let mut bench = Bench::new().strategy(strategy);
        bench.settings.copy_workers = 1;
        bench.settings.large_file_workers = 1;
        bench.settings.batch_max_file_bytes = if grouped { 64 << 20 } else { 0 };
        for (seed, name) in NAMES.iter().enumerate() {
            std::fs::write(bench.left.join(name), noise((9 << 20) + seed, seed as u64)).unwrap();
        }
        let plan = bench.plan();
        let fired: Arc<[AtomicUsize; 5]> = Arc::default();
        let (count, progress) = (Arc::clone(&fired), Arc::clone(&bench.control.progress));
        let (current, before) = (Mutex::new(String::new()), Mutex::new((0, 0)));
        let moved = bench.left.join("moved");
        let bench = bench.script(move |event| {
            let mut before = before.lock().unwrap();
            let now = progress.snapshot();
            // What is done first, the totals afterwards: both grow meanwhile.
            let totals = progress.snapshot();
            assert!(
                now.copy_bytes_done >= before.0 && now.verify_bytes_done >= before.1,
                "{before:?} {now:?}"
            );
            assert!(now.copy_bytes_done <= totals.copy_bytes_total, "{now:?}");
            assert!(now.verify_bytes_done <= totals.verify_bytes_total, "{now:?}");
            *before = (now.copy_bytes_done, now.verify_bytes_done);
            let mut current = current.lock().unwrap();
            if event.side == "source" && event.call == Call::OpenFile {
                *current = event.path.to_string();
            }
            let fire = |slot: usize, most: usize| count[slot].fetch_add(1, Ordering::SeqCst) < most;
            match (event.side, event.call, current.as_str()) {
                ("source", Call::Stat, "moved") if count[0].load(Ordering::SeqCst) == 0 && fire(0, 1) => {
                    std::fs::File::open(&moved).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
                    Act::Go
                }
                ("source", Call::Read, "read fails") if event.offset > 0 || grouped => {
                    fire(1, 1);
                    Act::Fail(5)
                }
                ("target", Call::Write, "write fails") if event.offset > 0 || grouped => {
                    fire(2, 1);
                    Act::Fail(5)
                }
                ("target", Call::Sync | Call::SyncVolume, "sync fails") if fire(3, usize::MAX) => {
                    Act::Fail(5)
                }
                ("target", Call::Write, "wrong bytes") if fire(4, 1) => Act::Flip,
                _ => Act::Go,
            }
        });
        let report = bench.run(&plan);
        assert!(fired[0].load(Ordering::SeqCst) > 0, "the source changed");
        let failed =
            report.items.iter().filter(|item| matches!(item.outcome, Outcome::Failed { .. })).count();
        assert!(failed >= 3, "{failed} failed: {:#?}", report.items);
        let end = bench.control.progress.snapshot();
        assert_eq!(end.copy_bytes_done, end.copy_bytes_total, "{strategy} {grouped}");
        assert_eq!(end.verify_bytes_done, end.verify_bytes_total, "{strategy} {grouped}");
        assert!(end.copy_bytes_total > plan.totals.bytes, "what was copied in vain is in the total");
    }
}
