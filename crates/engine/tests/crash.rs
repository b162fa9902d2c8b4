//! No crash loses an original or shows a half-made file: runs, undos and recoveries of small scenarios are cut off after
//! every operation, in every state a disk may then be in, and recovered.
//!
//! The order in which a run's threads reach the disk may differ from one test run to the next; a violation prints the
//! operations that led to it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "crash/mod.rs"]
mod suite;

use fcs_testkit::sim::Budget;
use suite::cases::{DiskRules, Ending, SCENARIOS, Scenario, WAYS, cases, undo_cases};
use suite::explore::{Plan, explore};
use suite::two_way::{Mistake, What};
use suite::{roots, sweep, two_way};

#[test]
fn no_crash_loses_an_original_or_shows_a_half_made_file() {
    // One of them alone, while something is sought.
    let wanted = std::env::var("FCS_CRASH_SCENARIO").ok();
    let scenarios: Vec<Scenario> = SCENARIOS
        .into_iter()
        .filter(|scenario| wanted.as_ref().is_none_or(|wanted| format!("{scenario:?}") == *wanted))
        .collect();
    // What comes last changes no content, and files that are named one by one are put as any: few kinds of disks show all
    // there is to see.
    let few = [WAYS[9], WAYS[4], WAYS[0], WAYS[11]];
    let mut all = Vec::new();
    for scenario in &scenarios {
        let is_late = matches!(
            scenario,
            Scenario::Dates
                | Scenario::Respell
                | Scenario::Moves
                | Scenario::Renamed
                | Scenario::Chain
                | Scenario::SetMetadata
        );
        let is_series = matches!(scenario, Scenario::OneByOne | Scenario::Waiting);
        let ways: &[DiskRules] = if is_series {
            &few[2..]
        } else if is_late && wanted.is_none() {
            &few
        } else {
            &WAYS
        };
        all.extend(cases(&[*scenario], ways, &Ending::ALL));
        all.extend(undo_cases(&[*scenario], ways));
    }
    // All of them take longer than every other test together, so `cargo xtask test quick` asks for a share.
    let every = fcs_testkit::every();
    let cases: Vec<_> = all.into_iter().step_by(every).collect();
    let plan = Plan::from_environment();
    let stats = explore(&cases, &plan).unwrap_or_else(|violation| panic!("{violation}"));
    println!(
        "{scenarios:?}: {} scenarios, {} cases, seed {}: {stats}",
        scenarios.len(),
        cases.len(),
        plan.seed
    );
    let enough = if wanted.is_some() || every > 1 { 10_000 } else { 1_000_000 };
    assert!(stats.states >= enough, "too few states: {stats}");
}

#[test]
fn no_crash_loses_anything_in_either_of_two_roots_that_one_run_writes_to() {
    let Plan { budget, seed, .. } = Plan::from_environment();
    // What each root goes through alone is seen in the other test; here a share of it is enough.
    let budget = Budget { exhaustive: budget.exhaustive / 10, samples: budget.samples.div_ceil(10) };
    let stats = roots::explore(&[WAYS[0], WAYS[7]], budget, seed).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{stats}");
    assert!(stats.states >= 2_000, "too few states: {stats}");
}

#[test]
fn no_crash_of_a_two_way_run_loses_anything_or_lets_its_memory_run_ahead() {
    let Plan { budget, seed, .. } = Plan::from_environment();
    let budget = Budget { exhaustive: budget.exhaustive / 10, samples: budget.samples.div_ceil(10) };
    let cases: Vec<two_way::Case> = [WAYS[0], WAYS[7]]
        .into_iter()
        .flat_map(|way| [What::Run, What::Undo].map(|what| two_way::record(what, way, Mistake::None)))
        // Only where a volume can be synced as a whole is what nobody synced made durable.
        .chain([two_way::record(What::Unsynced, WAYS[0], Mistake::None)])
        .collect();
    // All of them where somebody asks for many.
    let asked = std::env::var_os("FCS_CRASH_EXHAUSTIVE").is_some();
    let share = if asked { 1 } else { 8 * fcs_testkit::every() as u64 };
    let stats = two_way::explore(&cases, budget, seed, share).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("one state in {share}: {stats}");
    assert!(stats.states >= 8_000 / share, "too few states: {stats}");
}

/// The test before this one would say so.
#[test]
fn a_memory_that_is_saved_too_early_is_seen() {
    let budget = Budget { exhaustive: 64, samples: 2 };
    for (what, mistake, seen) in [
        (What::Run, Mistake::SavedBeforeTheRun, "is missing"),
        (What::Unsynced, Mistake::NotMadeDurable, "lost what only it had kept"),
        (What::Undo, Mistake::ForgottenAfterTheUndo, "is missing"),
    ] {
        let case = two_way::record(what, WAYS[0], mistake);
        let found = two_way::explore(&[case], budget, 1, 1).map(|stats| stats.to_string());
        assert!(found.as_ref().is_err_and(|wrong| wrong.contains(seen)), "{mistake:?}: {found:?}");
    }
}

#[test]
fn any_error_at_any_call_of_recovery_or_undo_is_put_right_by_the_next_attempt() {
    let swept = sweep::all().unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{swept}");
    assert!(swept.fired > 1000, "the sweep reached too few calls: {swept}");
}
