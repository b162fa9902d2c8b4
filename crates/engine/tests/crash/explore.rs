//! Visits the crash states of many recordings on all processors, those of recoveries that are cut off themselves
//! included.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fcs_engine::Control;
use fcs_engine::history::{RecoverMode, recover};
use fcs_testkit::sim::{Budget, CrashState, SimFs};

use super::cases::{Case, Expect, tree};
use super::check::check;

/// How much is visited.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub budget: Budget,
    pub seed: u64,
    /// Of how many states one has its recovery cut off; 0: none.
    pub recoveries: u64,
    /// What is visited of those.
    pub inner: Budget,
}

/// Shares no factor with any count of states that somebody asks for.
pub const SPREAD: u64 = 7919;

impl Default for Plan {
    fn default() -> Self {
        Self {
            budget: Budget { exhaustive: 64, samples: 3 },
            seed: 1,
            recoveries: 1800,
            inner: Budget { exhaustive: 4, samples: 1 },
        }
    }
}

impl Plan {
    /// What fits into every test run, or what `cargo xtask torture states` asks for.
    pub fn from_environment() -> Self {
        let number = |name: &str| {
            let value = std::env::var(name).ok()?;
            Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
        };
        let usual = Self::default();
        let exhaustive = number("FCS_CRASH_EXHAUSTIVE").unwrap_or(usual.budget.exhaustive);
        let samples = number("FCS_CRASH_SAMPLES").unwrap_or(usual.budget.samples);
        let seed = number("FCS_CRASH_SEED").unwrap_or(usual.seed);
        Self { budget: Budget { exhaustive, samples }, seed, ..usual }
    }
}

/// What was visited.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    pub points: u64,
    pub exhaustive_points: u64,
    pub states: u64,
    /// Of those, the states of recoveries that were cut off.
    pub of_recoveries: u64,
    /// States of the first level that differ from all others of their point.
    pub distinct: u64,
}

impl Stats {
    pub fn add(&mut self, other: Self) {
        self.points += other.points;
        self.exhaustive_points += other.exhaustive_points;
        self.states += other.states;
        self.of_recoveries += other.of_recoveries;
        self.distinct += other.distinct;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { points, exhaustive_points, states, of_recoveries, distinct } = self;
        write!(
            f,
            "{points} crash points ({exhaustive_points} of them completely), {states} states \
             ({} of runs and undos, {distinct} of them distinct; {of_recoveries} of recoveries), 0 violations",
            states - of_recoveries
        )
    }
}

/// What must not be, with all that is needed to see why.
#[derive(Debug)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks the crash states of all cases; a case ends with its first violation.
pub fn explore(cases: &[Case], plan: &Plan) -> Result<Stats, Violation> {
    let units: Vec<(usize, usize)> = (0..cases.len())
        .flat_map(|case| (0..cases[case].recording.points()).map(move |point| (case, point)))
        .collect();
    let next = AtomicUsize::new(0);
    let violated: Vec<AtomicBool> = cases.iter().map(|_| AtomicBool::new(false)).collect();
    let (stats, violations) = (Mutex::new(Stats::default()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(&(case, point)) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            if violated[case].load(Ordering::Relaxed) {
                continue;
            }
            match explore_point(&cases[case], point, plan) {
                Ok(more) => stats.lock().unwrap().add(more),
                Err(violation) => {
                    if !violated[case].swap(true, Ordering::Relaxed) {
                        violations.lock().unwrap().push(violation);
                    }
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let violations: Vec<Violation> = violations.into_inner().unwrap();
    let Some(first) = violations.first() else { return Ok(stats.into_inner().unwrap()) };
    let heads: Vec<String> =
        violations.iter().map(|v| v.0.lines().take(3).collect::<Vec<_>>().join(" | ")).collect();
    Err(Violation(format!("{}\n\nviolations in {} cases:\n{}", first.0, heads.len(), heads.join("\n"))))
}

fn how(number: u64) -> RecoverMode {
    if number.is_multiple_of(2) { RecoverMode::Keep } else { RecoverMode::RollBack }
}

fn explore_point(case: &Case, point: usize, plan: &Plan) -> Result<Stats, Violation> {
    let mut stats = Stats::default();
    let mut wrong = None;
    let mut seen = HashSet::new();
    let explored = case.recording.at(point).for_each_state(plan.budget, plan.seed, &mut |state| {
        let how = how(state.number);
        let fs = state.mount();
        stats.distinct += u64::from(seen.insert(digest(&fs)));
        let mut result = check(&fs, &case.expect, point, how);
        // Spread over all points, numbers and both ways, also where there are fewer points and states than one is picked of.
        let turn =
            plan.recoveries > 0 && (state.number + point as u64 * SPREAD).is_multiple_of(plan.recoveries);
        if result.is_ok() && turn {
            result = cut_recovery(state, &case.expect, point, how, plan).map(|states| {
                stats.of_recoveries += states;
            });
        }
        let Err(what) = result else { return ControlFlow::Continue(()) };
        wrong = Some(Violation(format!(
            "{}\n{what}\nrecovered with {how:?}, seed {}\n{}",
            case.name,
            plan.seed,
            state.describe()
        )));
        ControlFlow::Break(())
    });
    stats.points = explored.points;
    stats.exhaustive_points = explored.exhaustive_points;
    stats.states = explored.states + stats.of_recoveries;
    wrong.map_or(Ok(stats), Err)
}

/// The recovery of a state is cut off everywhere, and recovered.
fn cut_recovery(
    state: &CrashState<'_>,
    expect: &Expect,
    point: usize,
    outer: RecoverMode,
    plan: &Plan,
) -> Result<u64, String> {
    let fs = state.mount();
    fs.record();
    recover(&expect.way.root(&fs), outer, &Control::default()).map_err(|e| e.to_string())?;
    let mut expect = expect.clone();
    expect.ends.push(tree(&fs, &expect.way));
    expect.goes_back |= outer == RecoverMode::RollBack;
    expect.done.retain(|(at, _)| *at <= point);
    let recording = fs.recording();
    let (mut wrong, mut states) = (None, 0);
    for inner_point in 0..recording.points() {
        let explored = recording.at(inner_point).for_each_state(plan.inner, plan.seed, &mut |inner| {
            let how = how(inner.number + inner_point as u64);
            let Err(what) = check(&inner.mount(), &expect, point, how) else {
                return ControlFlow::Continue(());
            };
            let inner = inner.describe();
            wrong = Some(format!(
                "{what}\nrecovered with {how:?} after a recovery with {outer:?} was cut off\n{inner}\nbefore that:"
            ));
            ControlFlow::Break(())
        });
        states += explored.states;
        if let Some(what) = wrong {
            return Err(what);
        }
    }
    Ok(states)
}

/// What distinguishes one disk from another.
fn digest(fs: &SimFs) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (path, item) in fs.snapshot() {
        (path, &*item.bytes, item.mode, item.modified.as_nanos(), &item.xattrs, &item.link, item.number)
            .hash(&mut hasher);
    }
    hasher.finish()
}
