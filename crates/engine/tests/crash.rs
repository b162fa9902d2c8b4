//! No crash loses an original or shows a half-made file: runs, undos and recoveries of small scenarios are cut off after
//! every operation, in every state a disk may then be in, and recovered.
//!
//! The order in which a run's threads reach the disk may differ from one test run to the next; a violation prints the
//! operations that led to it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "crash/mod.rs"]
mod suite;

use suite::cases::{Ending, SCENARIOS, WAYS, cases, undo_cases};
use suite::explore::{Plan, explore};
use suite::sweep;

#[test]
fn no_crash_loses_an_original_or_shows_a_half_made_file() {
    let mut cases = cases(&SCENARIOS, &WAYS, &Ending::ALL);
    cases.extend(undo_cases(&SCENARIOS, &WAYS));
    let plan = Plan::from_environment();
    let stats = explore(&cases, &plan).unwrap_or_else(|violation| panic!("{violation}"));
    println!("{} scenarios, {} cases, seed {}: {stats}", SCENARIOS.len(), cases.len(), plan.seed);
    assert!(stats.states >= 1_000_000, "too few states: {stats}");
}

#[test]
fn any_error_at_any_call_of_recovery_or_undo_is_put_right_by_the_next_attempt() {
    let swept = sweep::all().unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{swept}");
    assert!(swept.fired > 1000, "the sweep reached too few calls: {swept}");
}
