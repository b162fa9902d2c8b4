//! Every call of a recovery or an undo fails once, with every error; the next attempt, without one, recovers everything.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fcs_engine::Control;
use fcs_engine::history::{RecoverMode, RecoveryReport, StartError, recover, undo};
use fcs_testkit::faulty::{Act, Call, wrap};
use fcs_testkit::sim::{Budget, CrashState, SimFs};

use super::cases::{BEST, Case, Ending, Expect, POOR, Scenario, record_run, record_undo, tree};
use super::check::{whole, whole_tree};

/// ENOSPC, EIO, EDQUOT, EACCES, EROFS, EINTR, EBUSY, ENAMETOOLONG, ESTALE.
const CODES: [i32; 9] = [28, 5, 122, 13, 30, 4, 16, 36, 116];

/// What was swept.
#[derive(Debug, Default)]
pub struct Swept {
    pub fired: u64,
    /// Attempts that ended with an error, or left something undone.
    pub told: u64,
    pub calls: std::collections::BTreeSet<String>,
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fired, told, calls } = self;
        write!(
            f,
            "{fired} faults in recovery and undo, {told} of them told of, at {} calls: {calls:?}",
            calls.len()
        )
    }
}

#[derive(Debug, Clone, Copy)]
enum What {
    Undo,
    Recover(RecoverMode),
}

/// Sweeps recoveries of runs that were cut off here and there, and undos of whole ones.
pub fn all() -> Result<Swept, String> {
    let mut swept = Swept::default();
    let scenarios = [
        Scenario::Links,
        Scenario::FolderCreate,
        Scenario::FolderRemove,
        Scenario::FolderApart,
        Scenario::Mixed,
        Scenario::Large,
        Scenario::FileOverFolder,
        Scenario::FolderOverFile,
    ];
    for scenario in scenarios {
        for way in [BEST, POOR] {
            sweep(&record_undo(scenario, way), 0, What::Undo, &mut swept)?;
            let run = record_run(scenario, way, Ending::Success);
            let points = run.recording.points();
            for point in [points / 2, points * 2 / 3, points * 5 / 6, points - 2] {
                for how in [RecoverMode::Keep, RecoverMode::RollBack] {
                    sweep(&run, point, What::Recover(how), &mut swept)?;
                }
            }
        }
    }
    Ok(swept)
}

fn sweep(case: &Case, point: usize, what: What, swept: &mut Swept) -> Result<(), String> {
    let mut result = Ok(());
    // The first state keeps everything.
    let all_kept = Budget { exhaustive: 1, samples: 0 };
    case.recording.at(point).for_each_state(all_kept, 1, &mut |state| {
        result = sweep_state(state, case, what, swept);
        ControlFlow::Break(())
    });
    result
}

fn sweep_state(state: &CrashState<'_>, case: &Case, what: What, swept: &mut Swept) -> Result<(), String> {
    for &call in Call::ALL {
        for code in CODES {
            for nth in 0.. {
                let fs = state.mount();
                let (fired, told) = attempt(&fs, &case.expect, what, (call, nth, code));
                let place = || format!("{}, {what:?}, {call:?} #{nth} fails with {code}", case.name);
                if !fired {
                    break;
                }
                swept.fired += 1;
                swept.told += u64::from(!told.is_empty());
                swept.calls.insert(format!("{call:?}"));
                if let Some(text) = told.iter().find(|text| !is_house_form(text)) {
                    return Err(format!("{}: {text}", place()));
                }
                recover_all(&fs, &case.expect)
                    .map_err(|wrong| format!("{}: {wrong}\n{told:?}\n{}", place(), state.describe()))?;
            }
        }
    }
    Ok(())
}

fn is_house_form(text: &str) -> bool {
    text.starts_with("Could not ") && text.contains(": ") && text.ends_with('.')
}

/// Does it with one fault. Whether the fault fired, and what was said.
fn attempt(fs: &SimFs, expect: &Expect, what: What, fault: (Call, usize, i32)) -> (bool, Vec<String>) {
    let (call, nth, code) = fault;
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let script = move |event: &fcs_testkit::faulty::Event<'_>| {
        let hit = event.call == call && count.fetch_add(1, Ordering::Relaxed) == nth;
        if hit { Act::Fail(code) } else { Act::Go }
    };
    let root = wrap(&expect.way.root(fs), "target", Arc::new(script));
    let done = match what {
        What::Undo => undo(&root, None, &Control::default()).map(|recovery| vec![recovery]),
        What::Recover(how) => recover(&root, how, &Control::default()),
    };
    let errors = |recoveries: Vec<RecoveryReport>| {
        recoveries
            .into_iter()
            .flat_map(|recovery| recovery.items)
            .filter_map(|item| item.error)
            .collect::<Vec<_>>()
    };
    let told = match done {
        Ok(recoveries) => errors(recoveries).iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    (seen.load(Ordering::Relaxed) > nth, told)
}

/// Without faults everything comes right: whole names, no strays, and the way back.
fn recover_all(fs: &SimFs, expect: &Expect) -> Result<(), String> {
    // A folder of which only a part was restored has a time of its own.
    let expect = &Expect { partial: true, ..expect.clone() };
    let root = expect.way.root(fs);
    let recoveries =
        recover(&root, RecoverMode::Keep, &Control::default()).map_err(|e| format!("recover: {e}"))?;
    if !recoveries.iter().all(RecoveryReport::is_clean) {
        return Err(format!("recovery was not clean: {recoveries:?}"));
    }
    // What the undo store refused is kept beside, until the run is pruned or rolled back.
    let mut found = tree(fs, &expect.way);
    found.retain(|path, _| path.strip_suffix(".orig").is_none());
    whole_tree(&found, expect)?;
    match undo(&root, None, &Control::default()) {
        Ok(recovery) if !recovery.is_clean() => return Err(format!("undo was not clean: {recovery:?}")),
        Ok(_) | Err(StartError::NothingToUndo) => {}
        Err(other) => return Err(format!("undo: {other}")),
    }
    let found = whole(fs, expect)?;
    if found == expect.old { Ok(()) } else { Err("the tree did not come back".into()) }
}
