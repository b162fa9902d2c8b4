//! Two roots on one disk and a plan that writes to both: the run and its undo are cut off after every operation, in every
//! state that the disk may then be in. Each root is recovered, and undone, by itself.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fcs_engine::compare::{RowId, Side, compare};
use fcs_engine::filter::Filter;
use fcs_engine::history::{RecoverMode, RecoveryReport, RunState, StartError, recover, undo};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::report::{ActionKind, RunResult};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::Undo;
use fcs_engine::{Control, Settings};
use fcs_sys::{Kind, Name, Root, Time};
use fcs_testkit::sim::{Budget, CrashState, Explored, Item, Recording, SimFs};

use super::cases::{DiskRules, Tree, noise, tree};
use super::check::strays;
use super::explore::{SPREAD, Stats};

/// Each root with what tells the names of what is written there.
pub const ROOTS: [(&str, &str); 2] = [("l", "to l"), ("r", "to r")];

struct World {
    rules: DiskRules,
    settings: Settings,
    fs: SimFs,
}

impl World {
    /// To each root something new comes, something is replaced, something moves there and something goes.
    fn new(rules: DiskRules) -> Self {
        let fs = rules.disk();
        let [(l, _), (r, _)] = ROOTS;
        for (seed, (at, other, to)) in (1..).step_by(10).zip([(l, r, "to l"), (r, l, "to r")]) {
            let put = |root: &str, path: &str, bytes, seed: u64| {
                let path = format!("{root}/{path} {to}");
                fs.put(&path, &noise(bytes, seed), 0o640, Time::new(1_000_000_000 + seed as i64, 5));
            };
            put(other, "d/new", 600, seed);
            put(other, "replaced", 700, seed + 1);
            put(at, "replaced", 500, seed + 2);
            put(at, "gone", 40, seed + 3);
            put(at, "moves", 50, seed + 4);
            fs.put(&format!("{at}/d/stays"), &noise(9, 9), 0o600, Time::new(7, 7));
        }
        for folder in ["l/d", "r/d", "l", "r"] {
            fs.set_modified(folder, Time::new(4_000, 0));
        }
        let settings = Settings {
            undo: Undo::Days(30),
            copy_workers: 1,
            batch_max_milliseconds: 600_000,
            ..Settings::default()
        };
        Self { rules, settings, fs }
    }

    fn plan(&self) -> Plan {
        let ([left, right], control) = (roots(&self.rules, &self.fs), Control::default());
        let (a, b) = scan_pair(&left, &right, &Filter::default(), &self.settings, &control).unwrap();
        let comparison =
            compare((&left, Arc::new(a)), (&right, Arc::new(b)), &self.settings, &control).unwrap();
        let path = |row: RowId| comparison.path(row).to_string();
        let row =
            |wanted: &str| (0..comparison.rows.len() as RowId).find(|&row| path(row) == wanted).unwrap();
        let to = |side: Side, mark: &str| {
            let is_mine = |row: RowId| path(row).ends_with(mark) && !path(row).starts_with("moves");
            let mut plan = plan_sync(&comparison, side, &is_mine, &self.settings);
            let name = Name::new(format!("moved {mark}").into_bytes()).unwrap();
            assert!(plan.add_move(&comparison, side, row(&format!("moves {mark}")), row("d"), &name));
            plan
        };
        let plan = to(Side::Left, ROOTS[0].1).and(to(Side::Right, ROOTS[1].1)).unwrap();
        let t = &plan.totals;
        assert_eq!(
            (t.new_files, t.replaced_files, t.changes.of(ActionKind::Move), t.removed_files),
            (2, 2, 2, 2)
        );
        plan
    }

    fn run(&self) {
        let [left, right] = roots(&self.rules, &self.fs);
        let (plan, options) =
            (self.plan(), RunOptions { run_id: "r1".parse().ok(), ..RunOptions::default() });
        let report = run(&plan, &[&left, &right], &self.settings, &options, &Control::default()).unwrap();
        assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    }

    fn undo(&self) {
        for root in roots(&self.rules, &self.fs) {
            let undone = undo(&root, None, &Control::default()).unwrap();
            assert_eq!(undone.state, RunState::RolledBack, "{undone:#?}");
        }
    }

    fn seen(&self) -> Tree {
        seen(&self.fs, &self.rules)
    }
}

/// Both roots, as programs meet them.
pub fn roots(rules: &DiskRules, fs: &SimFs) -> [Root; 2] {
    let disk = rules.root(fs);
    ROOTS.map(|(name, _)| Root {
        dir: disk.dir.open_dir(&Name::new(name.as_bytes()).unwrap()).unwrap(),
        path: Path::new("/disk").join(name),
    })
}

/// Everything of the user in both.
pub fn seen(fs: &SimFs, rules: &DiskRules) -> Tree {
    let mut seen = tree(fs, rules);
    seen.retain(|path, _| path.split('/').nth(1) != Some(".fcs"));
    seen
}

/// Whether two items are the same, but for the times of folders.
pub fn same(a: &Item, b: &Item) -> bool {
    let times = a.kind == Kind::Folder || a.modified == b.modified;
    times && (a.kind, &a.bytes, a.mode) == (b.kind, &b.bytes, b.mode)
}

/// Each name holds its complete old or its complete new item; what moves is at one of its places.
fn whole(found: &Tree, old: &Tree, new: &Tree) -> Result<(), String> {
    if let Some(stray) = strays(found) {
        return Err(format!("stray {stray}"));
    }
    for (path, item) in found {
        if ![old.get(path), new.get(path)].into_iter().flatten().any(|wanted| same(item, wanted)) {
            return Err(format!("{path} is neither old nor new"));
        }
    }
    if let Some(path) = old.keys().find(|path| new.contains_key(*path) && !found.contains_key(*path)) {
        return Err(format!("{path} is missing"));
    }
    for (root, to) in ROOTS {
        let places = ["moves", "d/moved"].map(|path| found.contains_key(&format!("{root}/{path} {to}")));
        if places[0] == places[1] {
            return Err(format!("what moves {to} is in {} places", usize::from(places[0]) * 2));
        }
    }
    Ok(())
}

/// What lies in one root is as it was; with `itself`, the root too.
pub fn as_before(root: &str, found: &Tree, old: &Tree, itself: bool) -> Result<(), String> {
    let in_root = |tree: &Tree| {
        let mut tree = tree.clone();
        tree.retain(|path, _| {
            path.strip_prefix(root).is_some_and(|rest| itself && rest.is_empty() || rest.starts_with('/'))
        });
        tree
    };
    let (found, old) = (in_root(found), in_root(old));
    let differs = |path: &&String| found.get(*path) != old.get(*path);
    match found.keys().chain(old.keys()).find(differs) {
        Some(path) => {
            Err(format!("{path} is not as it was: {:?}", found.get(path).map(|item| item.modified)))
        }
        None => Ok(()),
    }
}

fn check(fs: &SimFs, rules: &DiskRules, [old, new]: [&Tree; 2], how: RecoverMode) -> Result<(), String> {
    for (root, (name, _)) in roots(rules, fs).iter().zip(ROOTS) {
        let recoveries = recover(root, how, &Control::default()).map_err(|e| format!("{name}: {e}"))?;
        if recoveries.len() > 1 || !recoveries.iter().all(RecoveryReport::is_clean) {
            return Err(format!("{name}: recovery was not clean: {recoveries:?}"));
        }
        if recoveries.iter().any(|recovery| recovery.state == RunState::RolledBack) {
            as_before(name, &seen(fs, rules), old, true)?;
        }
    }
    whole(&seen(fs, rules), old, new)?;
    for (root, (name, _)) in roots(rules, fs).iter().zip(ROOTS) {
        let undone = match undo(root, None, &Control::default()) {
            Ok(undone) if undone.state == RunState::RolledBack => true,
            Ok(undone) => return Err(format!("{name}: undo was not clean: {undone:?}")),
            // Cut off before there was a journal, which itself moves the time of the root.
            Err(StartError::NothingToUndo) => false,
            Err(other) => return Err(format!("{name}: undo: {other}")),
        };
        as_before(name, &seen(fs, rules), old, undone)?;
    }
    Ok(())
}

/// A run or an undo, with what was there before and what is there after it.
struct Case {
    name: String,
    rules: DiskRules,
    recording: Recording,
    old: Tree,
    new: Tree,
}

fn record(rules: DiskRules, of_undo: bool) -> Case {
    let world = World::new(rules);
    let old = world.seen();
    if of_undo {
        world.run();
        let new = world.seen();
        world.fs.record();
        world.undo();
        return Case { name: format!("undo, {rules}"), rules, recording: world.fs.recording(), old, new };
    }
    world.fs.record();
    world.run();
    Case { name: format!("run, {rules}"), rules, recording: world.fs.recording(), old, new: world.seen() }
}

/// Visits the states of the run and of the undo.
pub fn explore(ways: &[DiskRules], budget: Budget, seed: u64) -> Result<Stats, String> {
    let cases: Vec<Case> =
        ways.iter().flat_map(|&rules| [false, true].map(|of_undo| record(rules, of_undo))).collect();
    let recordings: Vec<&Recording> = cases.iter().map(|case| &case.recording).collect();
    visit(&recordings, budget, (seed, 1), &|number, _, state| {
        let case = &cases[number];
        let how = how(state.number);
        check(&state.mount(), &case.rules, [&case.old, &case.new], how)
            .map_err(|what| format!("two roots, {}, recovered with {how:?}\n{what}", case.name))
    })
}

/// In which way a state of this number is recovered.
pub fn how(number: u64) -> RecoverMode {
    if number.is_multiple_of(2) { RecoverMode::Keep } else { RecoverMode::RollBack }
}

/// What is asked of a state: of which recording, and after how many operations of it.
pub type Check<'a> = &'a (dyn Fn(usize, usize, &CrashState<'_>) -> Result<(), String> + Sync);

/// Visits the states of recordings on all processors, of `share` one each, until one of them is wrong.
pub fn visit(
    recordings: &[&Recording],
    budget: Budget,
    (seed, share): (u64, u64),
    check: Check<'_>,
) -> Result<Stats, String> {
    let points = |number: usize| (0..recordings[number].points()).map(move |point| (number, point));
    let units: Vec<(usize, usize)> = (0..recordings.len()).flat_map(points).collect();
    let next = AtomicUsize::new(0);
    let found: Mutex<(Stats, Option<String>)> = Mutex::default();
    let work = || {
        while let Some(&(number, point)) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (mut wrong, mut states) = (None, 0);
            let Explored { points, exhaustive_points, .. } =
                recordings[number].at(point).for_each_state(budget, seed, &mut |state| {
                    if !(state.number + point as u64 * SPREAD + seed).is_multiple_of(share) {
                        return ControlFlow::Continue(());
                    }
                    states += 1;
                    let Err(what) = check(number, point, state) else { return ControlFlow::Continue(()) };
                    wrong = Some(format!("{what}\noperation {point}, seed {seed}\n{}", state.describe()));
                    ControlFlow::Break(())
                });
            let (stats, first) = &mut *found.lock().unwrap();
            let exhaustive_points = if share == 1 { exhaustive_points } else { 0 };
            stats.add(Stats { points, exhaustive_points, states, ..Stats::default() });
            if let Some(what) = wrong {
                first.get_or_insert(what);
                next.store(units.len(), Ordering::Relaxed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    match found.into_inner().unwrap() {
        (_, Some(wrong)) => Err(wrong),
        (stats, None) => Ok(stats),
    }
}
