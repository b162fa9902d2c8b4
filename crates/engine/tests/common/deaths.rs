//! A run that dies anywhere. Apart from the rest: what it lists trees with is not on every system.

#![allow(unreachable_pub)]

use std::path::Path;

use fcs_engine::history::{RecoverMode, RecoveryReport, RunState, recover, undo};
use fcs_engine::plan::Plan;
use fcs_engine::report::RunResult;
use fcs_engine::run::{RunOptions, run};
use fcs_testkit::listing::{Listing, diff};

use crate::common::{Bench, assert_no_strays_beside, dies_at};

/// Lets a run die at every change of the target, and its undo, and recovers in both ways: the target is then either as
/// before, or can be made so by an undo. `dead` looks before recovery, `recovered` after it. The number of deaths.
pub fn after_each_death(
    bench: impl Fn() -> Bench,
    plan: impl Fn(&Bench) -> Plan,
    seen: impl Fn(&Path) -> Listing,
    dead: impl Fn(&Bench, &str),
    recovered: impl Fn(&Bench, &str),
) -> usize {
    let mut deaths = 0;
    for of_undo in [false, true] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in 1.. {
                let bench = bench();
                let before = seen(&bench.right);
                let what = format!("{how:?}, undo {of_undo}, change {n}");
                let plan = plan(&bench);
                if of_undo {
                    assert_eq!(bench.run(&plan).result, RunResult::Completed);
                }
                let died = dies_at(n, &bench, |right| {
                    if of_undo {
                        let _ = undo(right, None, &bench.control);
                    } else {
                        let (left, options) = (bench.roots().0, RunOptions::default());
                        let _ = run(&plan, &[&left, right], &bench.settings, &options, &bench.control);
                    }
                });
                dead(&bench, &what);
                let recoveries = recover(&bench.roots().1, how, &bench.control).unwrap();
                assert!(recoveries.iter().all(RecoveryReport::is_clean), "{what}: {recoveries:#?}");
                assert_no_strays_beside(&bench.right);
                recovered(&bench, &what);
                let is_back = recoveries.iter().any(|recovery| recovery.state == RunState::RolledBack);
                if is_back || undo(&bench.roots().1, None, &bench.control).is_ok() {
                    assert_eq!(
                        diff(&before, &seen(&bench.right)),
                        Vec::<String>::new(),
                        "{what}, back {is_back}"
                    );
                }
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    deaths
}
