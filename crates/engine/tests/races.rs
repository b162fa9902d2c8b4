//! What other programs do to both trees while the engine works in them, call by call: sources that change
//! while they are read, targets that change while they are replaced or removed, folders on the way that become links
//! to somewhere else. On the real file system; one disturbance per schedule, just before one named call.
//!
//! Afterwards always: nothing outside the roots was touched; each name holds something whole; nothing that another
//! program wrote is lost; the report says failed for what was not done; and undo restores what was there.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "races/disturb.rs"]
#[allow(unreachable_pub)]
mod disturb;
#[path = "races/world.rs"]
#[allow(unreachable_pub)]
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use common::assert_no_strays_beside;
use disturb::{Barrier, Interference, Key, Swap, TO_SOURCES, TO_TARGETS};
use fcs_engine::TargetState;
use fcs_engine::history::{RecoverMode, RecoveryAction as Undone, RecoveryReport, RunState, StartError};
use fcs_engine::plan::Plan;
use fcs_engine::report::{ActionKind, ItemReport, Outcome, Report};
use fcs_engine::settings::Strategy;
use fcs_testkit::faulty::Call;
use world::{Moment, RUN, RunShape, There, World, moment, there};

const GROUPED: RunShape = RunShape { strategy: Strategy::Direct, one_group: true };
const ONE_BY_ONE: RunShape = RunShape { strategy: Strategy::Staged, one_group: false };

/// What another program does.
#[derive(Clone, Copy)]
enum Disturbance {
    Source(&'static str, &'static str, Interference),
    Target(&'static str, &'static str, Interference),
    /// A folder of the source or target becomes a link.
    Swap(&'static str, &'static str),
}

impl std::fmt::Display for Disturbance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source(path, how, _) => write!(f, "source {path} {how}"),
            Self::Target(path, how, _) => write!(f, "target {path} {how}"),
            Self::Swap(side, path) => write!(f, "{side} {path} swapped for a link"),
        }
    }
}

struct Schedule {
    way: RunShape,
    disturbance: Disturbance,
    at: Key,
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} before {:?} ({:?})", self.disturbance, self.at, self.way)
    }
}

/// What a disturbance left behind.
#[derive(Default)]
struct Trace {
    /// The source as it was afterwards.
    source: Option<Moment>,
    /// What stood at the target's name before and afterwards.
    target: Option<(There, There)>,
}

/// A disturbance armed to happen at its call.
struct Armed {
    barrier: Arc<Barrier>,
    trace: mpsc::Receiver<Trace>,
    swap: Option<Arc<Swap>>,
}

fn arm(world: &World, schedule: &Schedule) -> Armed {
    let (send, trace) = mpsc::sync_channel(1);
    let spare = world.spare.clone();
    let mut swap = None;
    let act: Box<dyn Fn() -> Trace + Send + Sync> = match schedule.disturbance {
        Disturbance::Source(name, _, action) => {
            let path = world.left.join(name);
            Box::new(move || {
                action(&path, &spare);
                Trace { source: moment(&path), target: None }
            })
        }
        Disturbance::Target(name, _, action) => {
            let path = world.right.join(name);
            Box::new(move || {
                let before = there(&path);
                action(&path, &spare);
                Trace { source: None, target: Some((before, there(&path))) }
            })
        }
        Disturbance::Swap(side, folder) => {
            let root = if side == "source" { &world.left } else { &world.right };
            let made = Arc::new(Swap::of(root, folder, world));
            swap = Some(Arc::clone(&made));
            Box::new(move || {
                made.make();
                Trace::default()
            })
        }
    };
    let barrier = Barrier::before(&schedule.at, move || send.send(act()).unwrap());
    Armed { barrier, trace, swap }
}

impl Armed {
    /// What was done; asserts that it was.
    fn done(&self, case: &str) -> Trace {
        assert!(self.barrier.was_reached(), "{case}: the disturbance ran");
        self.trace.try_recv().unwrap()
    }

    fn heal(&self) {
        self.swap.iter().for_each(|swap| swap.heal());
    }
}

/// The calls that each of a few clean runs makes.
fn calls_of(clean: impl Fn() -> Vec<Key>) -> Vec<Key> {
    let mut calls = clean();
    // How often a source is asked until it has settled depends on how old it is, and whose new files are is asked of the
    // first that a worker makes in a folder.
    let is_folder = |path: &str| ["", "sub", "sub/deep", "made"].contains(&path);
    let depends = |key: &Key| key.0 == "source" || key.2.contains(".fcs-");
    calls.retain(|key| key.1 != Call::Metadata || key.3 == 0 || is_folder(&key.2) || !depends(key));
    for _ in 0..2 {
        let again: BTreeSet<String> = clean().iter().map(|key| format!("{key:?}")).collect();
        calls.retain(|key| again.contains(&format!("{key:?}")));
    }
    calls
}

/// Numbers of the steps that the plan has for a path.
fn number_of(plan: &Plan, path: &str) -> Option<usize> {
    let steps = plan.steps().map(|(folder, step)| folder.target_path.join(&step.target_name));
    let removed = plan.removed().map(|(folder, item)| folder.path.join(&item.name));
    steps.chain(removed).position(|at| at.as_bytes() == path.as_bytes()).map(|at| at + 1)
}

/// Whether a call is about a path: by its name, or by one of the names that stand for it during a run.
fn concerns(key: &Key, path: &str, number: Option<usize>) -> bool {
    let Some(number) = number else { return key.2 == path };
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    [
        path.to_owned(),
        format!("{folder}.fcs-{RUN}-{number}.part"),
        format!(".fcs/undo/{RUN}/{number}"),
        format!(".fcs/undo/{RUN}/{number}.new"),
    ]
    .contains(&key.2)
}

const SLY: &str = "rewritten with its old time";
const SOURCES: [&str; 2] = ["small", "large"];
const TARGETS: [&str; 5] = ["small", "fresh", "large", "sub/old", "orphan"];
const LINKS: [&str; 2] = ["link", "link new"];
const SWAPS: [(&str, &str); 6] = [
    ("target", "sub"),
    ("target", "sub/deep"),
    ("source", "sub"),
    ("source", "sub/deep"),
    ("target", "made"),
    ("target", "gone"),
];

/// Where a target may get other content with its old size and time and nobody can notice. Between a rename, which moves
/// the change time, and the next look at what was renamed, nothing tells, less than reading every file again before it
/// goes. After a crash other content under the same signs is damage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sly {
    /// Just after renames; before them the file goes into the undo store as it is.
    NotAfterRenames,
    /// Nor just before them.
    NotBeforeRenames,
    Never,
}

/// Every disturbance of a target's name, at every call about it.
fn to_targets(way: RunShape, calls: &[Key], plan: &Plan, sly: Sly) -> Vec<Schedule> {
    let mut schedules = Vec::new();
    for (index, path) in TARGETS.into_iter().chain(LINKS).enumerate() {
        let number = number_of(plan, path);
        // A link has no content to edit.
        let deeds = TO_TARGETS.iter().skip(if index < TARGETS.len() { 0 } else { 2 });
        for &(how, action) in deeds {
            let mut hidden = false;
            for at in calls.iter().filter(|key| concerns(key, path, number)) {
                let is_rename = matches!(at.1, Call::RenameExchange | Call::RenameNoReplace);
                let is_hidden = hidden || is_rename && sly == Sly::NotBeforeRenames;
                if how != SLY || !is_hidden {
                    let disturbance = Disturbance::Target(path, how, action);
                    schedules.push(Schedule { way, disturbance, at: at.clone() });
                }
                hidden = is_rename || hidden && !(at.1 == Call::Stat && at.2 == path);
            }
        }
    }
    if sly == Sly::Never {
        schedules.retain(|schedule| !matches!(schedule.disturbance, Disturbance::Target(_, SLY, _)));
    }
    schedules
}

fn to_sources(way: RunShape, calls: &[Key], plan: &Plan) -> Vec<Schedule> {
    let mut schedules = Vec::new();
    for path in if way == GROUPED { SOURCES } else { ["fresh", "large"] } {
        let number = number_of(plan, path);
        for (how, action) in TO_SOURCES {
            for at in calls.iter().filter(|key| concerns(key, path, number)) {
                let disturbance = Disturbance::Source(path, how, action);
                schedules.push(Schedule { way, disturbance, at: at.clone() });
            }
        }
    }
    schedules
}

fn to_folders(way: RunShape, calls: &[Key], sides: &[&str], every: usize) -> Vec<Schedule> {
    let mut schedules = Vec::new();
    for (side, folder) in SWAPS.into_iter().filter(|(side, _)| sides.contains(side)) {
        for at in calls.iter().step_by(every) {
            let disturbance = Disturbance::Swap(side, folder);
            schedules.push(Schedule { way, disturbance, at: at.clone() });
        }
    }
    schedules
}

/// Does each schedule on a few threads, because most of the time goes into waiting for sources to settle. Prints how
/// many there were.
fn each<T: Sync>(what: &str, schedules: &[T], at_least: usize, one: impl Fn(&T) + Sync) {
    assert!(schedules.len() >= at_least, "{what}: only {} schedules", schedules.len());
    let schedules: Vec<&T> = schedules.iter().step_by(fcs_testkit::every()).collect();
    let begun = std::time::Instant::now();
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(schedule) = schedules.get(next.fetch_add(1, Ordering::SeqCst)) {
                    // One that fails has said why; the others may say more.
                    let done = catch_unwind(AssertUnwindSafe(|| one(schedule)));
                    failed.fetch_add(usize::from(done.is_err()), Ordering::SeqCst);
                }
            });
        }
    });
    println!("{what}: {} schedules in {:.1} s", schedules.len(), begun.elapsed().as_secs_f64());
    assert_eq!(failed.into_inner(), 0, "{what}: failed schedules, see above");
}

/// Whether the item was done although another program had put something else where its original stood.
fn went_over_it(item: &ItemReport, now: &There, old: &There, schedule: &Schedule, trace: &Trace) -> bool {
    match (schedule.disturbance, &trace.target) {
        (Disturbance::Target(name, how, _), Some((before, after)))
            if item.path.as_bytes() == name.as_bytes() =>
        {
            let is_done = matches!(item.outcome, Outcome::Done { .. });
            // What nobody can see goes into the undo store.
            is_done && how != SLY && before == old && *after != There::Nothing && after != now
        }
        _ => false,
    }
}

/// What the name of an item may hold after a run.
fn assert_item(world: &World, item: &ItemReport, schedule: &Schedule, trace: &Trace, case: &str) {
    let path = item.path.to_string();
    let now = there(&world.right.join(&path));
    let old = world.target.get(&*path).cloned().unwrap_or(There::Nothing);
    let foreign = match (schedule.disturbance, &trace.target) {
        (Disturbance::Target(name, ..), Some((_, after))) if name == path => Some(after),
        _ => None,
    };
    let foreign = foreign == Some(&now);
    assert!(!went_over_it(item, &now, &old, schedule, trace), "{case}: {path} was changed and yet {item:?}");
    match (&item.outcome, item.action) {
        (Outcome::Done { .. }, ActionKind::CopyNew | ActionKind::Replace | ActionKind::CopyLink) => {
            let source = &world.source[&*path];
            let copied = moment(&world.right.join(&path));
            let changed = match schedule.disturbance {
                Disturbance::Source(name, ..) if name == path => trace.source.as_ref(),
                _ => None,
            };
            let is_one_moment = copied.is_some_and(|copied| {
                if item.action == ActionKind::CopyLink {
                    return copied.there == source.there;
                }
                copied == *source
                    || changed.is_some_and(|changed| {
                        copied == *changed
                            // Its other signs came a moment later.
                            || (copied.there == changed.there && changed.there != source.there)
                    })
            });
            assert!(is_one_moment || foreign, "{case}: {path} is {now:?}, committed as the source");
        }
        (Outcome::Done { .. }, ActionKind::Remove) => {
            assert!(now == There::Nothing || foreign, "{case}: {path} was removed and is {now:?}");
        }
        (
            Outcome::Failed { .. } | Outcome::Skipped { .. },
            ActionKind::CopyNew | ActionKind::Replace | ActionKind::CopyLink | ActionKind::Remove,
        ) => {
            let unknown = matches!(&item.outcome, Outcome::Failed { error }
                if error.target == Some(TargetState::Unknown));
            assert!(now == old || foreign || unknown, "{case}: {path} was not done and is {now:?}: {item:?}");
        }
        _ => {}
    }
}

/// What must hold after every run, undo or recovery: another program's work is somewhere, and so is the original,
/// unless the other program itself took it away.
fn assert_nothing_lost(world: &World, schedule: &Schedule, trace: &Trace, case: &str) {
    for (path, old) in &world.target {
        let taken = match (schedule.disturbance, &trace.target) {
            (Disturbance::Target(name, ..), Some((before, _))) if name == *path => before == old,
            _ => false,
        };
        assert!(
            taken || *old == There::Nothing || world.still_has(path, old),
            "{case}: the original of {path} is lost"
        );
    }
    if let (Disturbance::Target(path, ..), Some((_, after))) = (schedule.disturbance, &trace.target) {
        let lost = *after != There::Nothing && !world.still_has(path, after);
        assert!(!lost, "{case}: {after:?}, made by another program, is lost");
    }
}

fn assert_run(world: &World, report: &Report, schedule: &Schedule, trace: &Trace, case: &str) {
    for item in &report.items {
        assert_item(world, item, schedule, trace, case);
    }
    assert_nothing_lost(world, schedule, trace, case);
}

/// The path that need not be as before, because another program changed it.
fn spared(schedule: &Schedule) -> Option<&'static str> {
    match schedule.disturbance {
        Disturbance::Target(path, ..) => Some(path),
        _ => None,
    }
}

/// Recovers everything once nobody disturbs any more: the target must be what it was.
fn assert_goes_back(world: &World, schedule: &Schedule, trace: &Trace, case: &str) {
    let quiet = Barrier::none().script();
    let recoveries = world.recover(RecoverMode::Keep, &quiet).unwrap();
    let settled = recoveries.iter().all(|recovery| recovery.state != RunState::Unfinished);
    assert!(settled, "{case}: recovered: {recoveries:#?}");
    assert_no_strays_beside(&world.right);
    assert_nothing_lost(world, schedule, trace, &format!("{case}, recovered"));
    match world.undo(&quiet) {
        Ok(recovery) => assert_left_only(&recovery, schedule, case),
        Err(StartError::NothingToUndo) => {}
        Err(other) => panic!("{case}: {other}"),
    }
    assert_no_strays_beside(&world.right);
    assert_nothing_lost(world, schedule, trace, &format!("{case}, undone"));
    let touched = match schedule.disturbance {
        Disturbance::Target(path, ..) | Disturbance::Swap("target", path) => Some(path),
        _ => None,
    };
    world.assert_back(touched, spared(schedule).is_some(), case);
    world.assert_nothing_outside_changed(case);
}

/// Undo refuses what was disturbed, and folders on the way to it, and nothing else.
fn assert_left_only(recovery: &RecoveryReport, schedule: &Schedule, case: &str) {
    for item in recovery.items.iter().filter(|item| matches!(item.action, Undone::Left | Undone::Foreign)) {
        let path = item.path.to_string();
        let may = spared(schedule).is_some_and(|spared| std::path::Path::new(spared).starts_with(&path));
        assert!(may, "{case}: undo refuses {path}: {:?}", item.error);
    }
}

fn run_disturbed(schedule: &Schedule) {
    let case = schedule.to_string();
    let world = World::new(schedule.way);
    let plan = world.plan();
    let armed = arm(&world, schedule);
    let report = world.run(&plan, &armed.barrier.script());
    let trace = armed.done(&case);
    world.assert_nothing_outside_changed(&case);
    armed.heal();
    assert_run(&world, &report, schedule, &trace, &case);
    assert_goes_back(&world, schedule, &trace, &case);
}

fn calls_of_run(way: RunShape) -> Vec<Key> {
    calls_of(|| {
        let (world, barrier) = (World::new(way), Barrier::none());
        let report = world.run(&world.plan(), &barrier.script());
        assert_eq!(report.counts.failed, 0, "{:#?}", report.items);
        barrier.calls()
    })
}

#[test]
fn a_source_that_changes_at_any_call_is_copied_whole_or_not_at_all() {
    let schedules: Vec<_> = [GROUPED, ONE_BY_ONE]
        .into_iter()
        .flat_map(|way| to_sources(way, &calls_of_run(way), &World::new(way).plan()))
        .collect();
    each("sources during a run", &schedules, 700, run_disturbed);
}

#[test]
fn a_target_that_changes_at_any_call_of_a_run_is_never_lost() {
    let schedules: Vec<_> = [GROUPED, ONE_BY_ONE]
        .into_iter()
        .flat_map(|way| to_targets(way, &calls_of_run(way), &World::new(way).plan(), Sly::NotAfterRenames))
        .collect();
    each("targets during a run", &schedules, 600, run_disturbed);
}

#[test]
fn a_folder_that_becomes_a_link_at_any_call_of_a_run_leads_nobody_out() {
    let calls = calls_of_run(GROUPED);
    let schedules = to_folders(GROUPED, &calls, &["source", "target"], 2);
    each("folders during a run", &schedules, 500, run_disturbed);
}

fn undo_disturbed(schedule: &Schedule) {
    let case = format!("undo: {schedule}");
    let world = World::new(schedule.way);
    world.run(&world.plan(), &Barrier::none().script());
    let armed = arm(&world, schedule);
    let undone = world.undo(&armed.barrier.script());
    let trace = armed.done(&case);
    world.assert_nothing_outside_changed(&case);
    armed.heal();
    assert!(undone.is_ok(), "{case}: {}", undone.unwrap_err());
    assert_nothing_lost(&world, schedule, &trace, &case);
    assert_goes_back(&world, schedule, &trace, &case);
}

#[test]
fn targets_and_folders_that_change_at_any_call_of_undo_are_never_lost_and_lead_nobody_out() {
    let calls = calls_of(|| {
        let (world, barrier) = (World::new(GROUPED), Barrier::none());
        world.run(&world.plan(), &Barrier::none().script());
        world.undo(&barrier.script()).unwrap();
        barrier.calls()
    });
    let mut schedules = to_targets(GROUPED, &calls, &World::new(GROUPED).plan(), Sly::NotBeforeRenames);
    schedules.extend(to_folders(GROUPED, &calls, &["target"], 1));
    each("targets and folders during undo", &schedules, 400, undo_disturbed);
}

/// A run that was killed, a disturbed recovery.
struct Recovery {
    killed: Key,
    how: RecoverMode,
    schedule: Schedule,
}

fn kill(world: &World, at: &Key) {
    let barrier = Barrier::kill_before(at);
    world.run(&world.plan(), &barrier.script());
    assert!(barrier.was_reached(), "killed before {at:?}");
}

fn recover_disturbed(recovery: &Recovery) {
    let schedule = &recovery.schedule;
    let case =
        format!("recovery ({:?}) of a run killed before {:?}: {schedule}", recovery.how, recovery.killed);
    let world = World::new(schedule.way);
    kill(&world, &recovery.killed);
    let armed = arm(&world, schedule);
    let recovered = world.recover(recovery.how, &armed.barrier.script());
    let trace = armed.done(&case);
    world.assert_nothing_outside_changed(&case);
    armed.heal();
    assert!(recovered.is_ok(), "{case}: {}", recovered.unwrap_err());
    assert_nothing_lost(&world, schedule, &trace, &case);
    assert_goes_back(&world, schedule, &trace, &case);
}

#[test]
fn targets_and_folders_that_change_at_any_call_of_recovery_are_never_lost_and_lead_nobody_out() {
    let calls = calls_of_run(GROUPED);
    let is_rename = |key: &&Key| matches!(key.1, Call::RenameExchange | Call::RenameNoReplace);
    let first = calls.iter().position(|key| is_rename(&key)).unwrap();
    let promised = calls[..first].iter().rfind(|key| key.2.ends_with(".journal")).unwrap().clone();
    let renames: Vec<Key> = calls.iter().filter(is_rename).cloned().collect();
    let amid = renames.iter().find(|key| key.2.ends_with("-5.part")).unwrap().clone();
    let removal = renames[renames.len() - 2].clone();
    let mut recoveries = Vec::new();
    // Where the committer is alone at work, so that a kill leaves the same each time: one that finds everything
    // staged, one amid renames, one amid removals.
    for (killed, how) in [
        (promised, RecoverMode::Keep),
        (amid.clone(), RecoverMode::RollBack),
        (amid, RecoverMode::Keep),
        (removal, RecoverMode::RollBack),
    ] {
        let calls = calls_of(|| {
            let (world, barrier) = (World::new(GROUPED), Barrier::none());
            kill(&world, &killed);
            world.recover(how, &barrier.script()).unwrap();
            barrier.calls()
        });
        let mut schedules = to_targets(GROUPED, &calls, &World::new(GROUPED).plan(), Sly::Never);
        schedules.extend(to_folders(GROUPED, &calls, &["target"], 7));
        let killed = |schedule| Recovery { killed: killed.clone(), how, schedule };
        recoveries.extend(schedules.into_iter().map(killed));
    }
    each("targets and folders during recovery", &recoveries, 600, recover_disturbed);
}
