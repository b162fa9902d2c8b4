//! A two-way run of one pair of folders on one disk, its undo, and what is remembered of the pair: cut off after every
//! operation, in every state that the disk may then be in, and begun again with the memory that had been saved by then.
//!
//! The memory is not on the disk: it is a value that is saved at a moment, at once and durably, as `fcs_state` does it. What is
//! asked here is whether that moment was too early.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fcs_engine::compare::{Comparison, RowId, Side, compare};
use fcs_engine::directions::{Act, Conflicts, Knowledge, Mode, decide_knowing, plan_decided};
use fcs_engine::filter::Filter;
use fcs_engine::history::{
    ChangedPaths, RecoverMode, RecoveryReport, RunId, RunState, StartError, list, originals, paths_of,
    recover, to_undo, undo,
};
use fcs_engine::memory::{MemoryChange, Remembered, learned};
use fcs_engine::moves;
use fcs_engine::plan::Plan;
use fcs_engine::report::{ActionKind, ItemReport, RunResult};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::session::{fill_plan, make_durable};
use fcs_engine::settings::Undo;
use fcs_engine::{Control, Settings};
use fcs_sys::{Kind, Name, RelPath, Rename, Root, Time, Times, write_all_at};
use fcs_testkit::sim::{Budget, CrashState, Recording, SimFs};

use super::cases::{DiskRules, Tree, noise};
use super::check::strays;
use super::explore::Stats;
use super::roots::{ROOTS, as_before, how, roots, same, seen, visit};

/// Whose hand changed an item that ends so; what it changed is brought to the other side.
const HANDS: [&str; 2] = ["by l", "by r"];
/// Both hands changed this one, the right one later.
const CONFLICT: &str = "both.txt";
const KEPT_BESIDE: &str = "both.conflict-left.txt";
/// Of a run that was cut short between the two halves of keeping both, the next one keeps the older version once more.
const KEPT_TWICE: &str = "both.conflict-left-2.txt";
/// Both hands put it there alike, and nobody synced it.
const UNSYNCED: &str = "by hand";

/// What is done with the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Changes of every kind go both ways.
    Run,
    /// And are undone.
    Undo,
    /// Nothing has to be done: both sides were given the same file, which is still to be written to the disk.
    Unsynced,
}

/// A mistake of whoever saves the memory, to show that it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// What a run will have done is saved before the run.
    SavedBeforeTheRun,
    /// What is on the disks counts as durable.
    NotMadeDurable,
    /// What is undone is forgotten only afterwards.
    ForgottenAfterTheUndo,
}

/// A memory, and after how many operations it was saved.
type Saved = (usize, Remembered);

struct Pair {
    rules: DiskRules,
    settings: Settings,
    fs: SimFs,
    remembered: Remembered,
    saved: Vec<Saved>,
}

/// What one run would do, and did.
struct Round {
    first: Comparison,
    plan: Plan,
    freed: Vec<(RelPath, Side)>,
    items: Vec<ItemReport>,
}

impl Pair {
    fn of(rules: DiskRules, fs: SimFs, remembered: Remembered) -> Self {
        let settings = Settings {
            undo: Undo::Days(30),
            copy_workers: 1,
            batch_max_milliseconds: 600_000,
            ..Settings::default()
        };
        Self { rules, settings, fs, remembered, saved: Vec::new() }
    }

    /// Both sides alike and remembered, and then changed by both hands.
    fn new(rules: DiskRules) -> Self {
        let mut pair = Self::of(rules, rules.disk(), Remembered::default());
        for (root, _) in ROOTS {
            for (seed, name) in (1..).zip(["updated", "gone", "moves", "d/gone"]) {
                for (hand, by) in (0..).zip(HANDS) {
                    pair.put(root, &format!("{name} {by}"), 400, 10 * seed + hand);
                }
            }
            pair.put(root, CONFLICT, 300, 90);
            pair.put(root, "d/stays", 9, 91);
        }
        pair.date_folders();
        let round = pair.propose();
        assert!(round.plan.is_empty(), "both sides are alike");
        pair.learn(&round);
        for (hand, ((root, _), by)) in (100..).step_by(20).zip(ROOTS.into_iter().zip(HANDS)) {
            pair.put(root, &format!("new {by}"), 600, hand);
            pair.put(root, &format!("made {by}/in it"), 50, hand + 1);
            pair.put(root, &format!("updated {by}"), 700, hand + 2);
            pair.put(root, CONFLICT, 500, hand + 3);
            let disk = roots(&pair.rules, &pair.fs);
            let root = &disk[usize::from(root != ROOTS[0].0)];
            let d = root.dir.open_dir(&name("d")).unwrap();
            root.dir.remove_file(&name(&format!("gone {by}"))).unwrap();
            d.remove_file(&name(&format!("gone {by}"))).unwrap();
            let (from, to) = (name(&format!("moves {by}")), name(&format!("moved {by}")));
            root.dir.rename(&from, &*d, &to, Rename::Replace).unwrap();
        }
        pair.date_folders();
        pair
    }

    fn put(&self, root: &str, path: &str, bytes: usize, seed: u64) {
        let date = Time::new(1_000_000_000 + seed as i64 * 1000, 5);
        self.fs.put(&format!("{root}/{path}"), &noise(bytes, seed), 0o640, date);
    }

    fn date_folders(&self) {
        for folder in ["l/d", "r/d", "l", "r"] {
            self.fs.set_modified(folder, Time::new(4_000, 0));
        }
    }

    fn operations(&self) -> usize {
        self.fs.recording().points() - 1
    }

    fn save(&mut self, news: Vec<MemoryChange>) {
        self.remembered = self.remembered.with(news);
        self.saved.push((self.operations(), self.remembered.clone()));
    }

    fn compare(&self, settings: &Settings) -> Comparison {
        let ([left, right], control) = (roots(&self.rules, &self.fs), Control::default());
        let (a, b) = scan_pair(&left, &right, &Filter::default(), settings, &control).unwrap();
        compare((&left, Arc::new(a)), (&right, Arc::new(b)), settings, &control).unwrap()
    }

    /// As the session does it for open folders at a path, which these are not.
    fn propose(&self) -> Round {
        let first = self.compare(&self.settings);
        let moves = moves::find(&first, Some(&self.remembered), &self.settings);
        let moved = moves.rows();
        let knowledge = Knowledge { remembered: Some(&self.remembered), moved: &moved };
        let mode = Mode::TwoWay { conflicts: Conflicts::KeepBoth };
        let decisions = decide_knowing(&first, knowledge, mode, &self.settings);
        let plan = plan_decided(&first, &decisions, &|_| true, &self.settings, &moves);
        let freed = (0..first.rows.len() as RowId).filter_map(|row| match decisions.act(row) {
            Act::KeepBoth { loser } => Some((first.path(row), loser)),
            _ => None,
        });
        let freed = freed.collect();
        Round { first, plan, freed, items: Vec::new() }
    }

    fn carry_out(&self, plan: &Plan, retries: Option<&RunId>) -> Result<(RunId, Vec<ItemReport>), String> {
        let [left, right] = roots(&self.rules, &self.fs);
        let options = RunOptions { retries: retries.cloned(), ..RunOptions::default() };
        let report = run(plan, &[&left, &right], &self.settings, &options, &Control::default())
            .map_err(|error| error.to_string())?;
        if report.result != RunResult::Completed {
            return Err(format!("the run did not do everything: {report:#?}"));
        }
        Ok((report.run, report.items))
    }

    /// A whole two-way run with its memory, in the order in which front ends do it.
    fn go(&mut self, mistake: Mistake) -> Result<Plan, String> {
        let mut round = self.propose();
        let freed = |(path, _): &(RelPath, Side)| MemoryChange { path: path.clone(), known: None };
        self.save(round.freed.iter().map(freed).collect());
        if mistake == Mistake::SavedBeforeTheRun {
            let mut ahead = Self::of(self.rules, self.copy(), self.remembered.clone());
            let mut later = ahead.propose();
            ahead.finish(&mut later, mistake)?;
            self.saved.push((self.operations(), ahead.remembered));
        }
        self.finish(&mut round, mistake)?;
        Ok(round.plan)
    }

    fn finish(&mut self, round: &mut Round, mistake: Mistake) -> Result<(), String> {
        if !round.plan.is_empty() {
            let (id, items) = self.carry_out(&round.plan, None)?;
            round.items = items;
            if let Some(second) = fill_plan(&round.freed, &self.compare(&self.settings), &self.settings) {
                round.items.extend(self.carry_out(&second, Some(&id))?.1);
            }
        }
        let news = self.learn_of(round);
        if mistake != Mistake::NotMadeDurable {
            let [left, right] = roots(&self.rules, &self.fs);
            make_durable(&[&left, &right], &news).map_err(|error| error.to_string())?;
        }
        self.save(news);
        Ok(())
    }

    /// Another disk that holds the same, with items of the same numbers.
    fn copy(&self) -> SimFs {
        let mut copy = None;
        let recording = self.fs.recording();
        recording.at(recording.points() - 1).for_each_state(
            Budget { exhaustive: 1, samples: 0 },
            1,
            &mut |state| {
                // The first state keeps everything.
                copy = Some(state.mount());
                std::ops::ControlFlow::Break(())
            },
        );
        let copy = copy.unwrap();
        copy.record();
        copy
    }

    fn learn(&mut self, round: &Round) {
        let news = self.learn_of(round);
        self.remembered = self.remembered.with(news);
    }

    fn learn_of(&self, round: &Round) -> Vec<MemoryChange> {
        let moves = round.plan.changes.iter();
        let moves = moves.filter_map(|change| Some((change.path().clone(), change.new_path()?.clone())));
        let moves: Vec<_> = moves.collect();
        let after = self.compare(&self.settings);
        learned(&round.first, &after, (&round.items, &moves), &self.remembered, Time::new(9_000, 0))
    }

    /// What is about to be undone.
    fn to_forget(&self) -> Vec<MemoryChange> {
        let mut paths = ChangedPaths::default();
        for root in roots(&self.rules, &self.fs) {
            if let Some(run) = to_undo(&list(&root).unwrap(), None).first() {
                paths.extend(paths_of(&root, run.group()).unwrap());
            }
        }
        let known = self.remembered.iter().filter_map(|(path, _)| RelPath::parse(path).ok());
        known.filter(|path| paths.has(path)).map(|path| MemoryChange { path, known: None }).collect()
    }

    /// Undoes the run in both roots, which are taken in this order.
    fn undo(&mut self, order: [usize; 2], mistake: Mistake) -> Result<[bool; 2], String> {
        let forget = self.to_forget();
        if mistake != Mistake::ForgottenAfterTheUndo {
            self.save(forget.clone());
        }
        let disk = roots(&self.rules, &self.fs);
        let mut undone = [false; 2];
        for at in order {
            undone[at] = match undo(&disk[at], None, &Control::default()) {
                Ok(undone) if undone.state == RunState::RolledBack => true,
                Ok(undone) => return Err(format!("undo was not clean: {undone:?}")),
                Err(StartError::NothingToUndo) => false,
                Err(other) => return Err(format!("undo: {other}")),
            };
        }
        if mistake == Mistake::ForgottenAfterTheUndo {
            self.save(forget);
        }
        Ok(undone)
    }

    fn seen(&self) -> Tree {
        seen(&self.fs, &self.rules)
    }

    /// Contents that the user can get at: by their names, or as originals of a run.
    fn reachable(&self) -> Result<BTreeSet<Vec<u8>>, String> {
        let disk = self.fs.snapshot();
        let mut found: BTreeSet<Vec<u8>> = self.seen().values().map(|item| item.bytes.to_vec()).collect();
        for (root, (at, _)) in roots(&self.rules, &self.fs).iter().zip(ROOTS) {
            for run in list(root).map_err(|error| format!("list: {error}"))? {
                let kept = match originals(root, &run.run) {
                    Ok(kept) => kept,
                    Err(StartError::Unfinished { .. }) => continue,
                    Err(other) => return Err(format!("originals: {other}")),
                };
                for kept in kept {
                    let path = format!("{at}/{}", kept.kept);
                    let item = disk.get(&path).ok_or(format!("{path} is listed, and is not there"))?;
                    found.insert(item.bytes.to_vec());
                }
            }
        }
        Ok(found)
    }
}

fn name(name: &str) -> Name {
    Name::new(name.as_bytes()).unwrap()
}

/// Something done with the pair, operation by operation.
pub struct Case {
    what: What,
    rules: DiskRules,
    recording: Recording,
    saved: Vec<Saved>,
    old: Tree,
    new: Tree,
    /// What was to be done, by the paths in both roots: what is copied there, and what goes.
    copied: Vec<String>,
    gone: Vec<String>,
}

/// Records one case.
pub fn record(what: What, rules: DiskRules, mistake: Mistake) -> Case {
    let mut pair = if what == What::Unsynced { unsynced(rules) } else { Pair::new(rules) };
    let mut old = pair.seen();
    if what != What::Unsynced {
        pair.fs.record();
    }
    let before = pair.remembered.clone();
    let plan = pair.go(if what == What::Undo { Mistake::None } else { mistake }).unwrap();
    if what == What::Run {
        assert_plan(&plan);
    }
    let new = pair.seen();
    if what == What::Undo {
        pair.fs.record();
        pair.saved = vec![(0, pair.remembered.clone())];
        let undone = pair.undo([0, 1], mistake).unwrap();
        assert_eq!(undone, [true; 2]);
    } else {
        pair.saved.insert(0, (0, before));
    }
    if what == What::Unsynced {
        old = new.clone();
    }
    let root = |side: Side| ROOTS[usize::from(side == Side::Right)].0;
    let side = |root| if root == Side::Left.into() { Side::Left } else { Side::Right };
    let copied = plan.folders.iter().flat_map(|folder| {
        let at = root(side(folder.target_root));
        folder.steps.iter().map(move |step| format!("{at}/{}", folder.target_path.join(&step.target_name)))
    });
    let gone = plan
        .removed()
        .map(|(folder, removal)| format!("{}/{}", root(side(folder.root)), folder.path.join(&removal.name)));
    let (copied, gone) = (copied.collect(), gone.collect());
    Case { what, rules, recording: pair.fs.recording(), saved: pair.saved, old, new, copied, gone }
}

/// To each root something goes of every kind.
fn assert_plan(plan: &Plan) {
    let parts = plan.parts().unwrap();
    for part in &parts {
        let totals = &part.totals;
        assert_eq!(
            (totals.replaced_files, totals.removed_files, totals.create_folders),
            (1, 2, 1),
            "{totals:?}"
        );
    }
    let moves = plan.totals.changes.of(ActionKind::Move);
    // The left version of what both changed goes to the right one and gives its name up.
    assert_eq!((parts.len(), plan.totals.new_files, moves), (2, 5, 3), "{plan:#?}");
}

/// A pair of which both sides are given the same file by hand.
fn unsynced(rules: DiskRules) -> Pair {
    let mut pair = Pair::of(rules, rules.disk(), Remembered::default());
    ROOTS.iter().for_each(|(root, _)| pair.put(root, "d/stays", 9, 91));
    pair.date_folders();
    let round = pair.propose();
    pair.learn(&round);
    pair.fs.record();
    for root in roots(&pair.rules, &pair.fs) {
        let file = root.dir.create_file(&name(UNSYNCED)).unwrap();
        write_all_at(&*file, &noise(700, 77), 0).unwrap();
        file.set_times(Times { modified: Some(Time::new(2_000_000_000, 0)), created: None }).unwrap();
    }
    pair
}

/// The memories that may be there when the machine stops after so many operations: the last one that was saved before, and
/// those that are saved just then.
fn memories(saved: &[Saved], point: usize) -> Vec<&Remembered> {
    let before = saved.iter().rev().find(|(at, _)| *at < point);
    let just_then = saved.iter().filter(|(at, _)| *at == point);
    before.into_iter().chain(just_then).map(|(_, memory)| memory).collect()
}

/// Visits the states of these cases, of so many one each: what is asked of one takes several runs.
pub fn explore(cases: &[Case], budget: Budget, seed: u64, share: u64) -> Result<Stats, String> {
    let recordings: Vec<&Recording> = cases.iter().map(|case| &case.recording).collect();
    visit(&recordings, budget, (seed, share), &|number, point, state| {
        let case = &cases[number];
        case.check(point, state).map_err(|what| {
            let how = how(state.number);
            format!("a two-way pair, {:?}, {}, recovered with {how:?}\n{what}", case.what, case.rules)
        })
    })
}

impl Case {
    fn check(&self, point: usize, state: &CrashState<'_>) -> Result<(), String> {
        let memories = memories(&self.saved, point);
        // Which of them, in which way, and from which root, takes turns: each is combined with each.
        let turn = state.number as usize + point;
        let memory = memories[turn % memories.len()];
        let order = if (turn / 2).is_multiple_of(2) { [0, 1] } else { [1, 0] };
        let mut pair = Pair::of(self.rules, state.mount(), memory.clone());
        if self.what == What::Unsynced {
            return self.check_unsynced(&mut pair);
        }
        self.removals_come_last(&pair)?;
        recover_both(&pair, order, how(state.number))?;
        let recovered = pair.seen();
        self.whole(&recovered)?;
        self.nothing_is_lost(&pair, "recovered")?;
        pair.fs.record();
        if (turn / 4).is_multiple_of(2) {
            let afresh = self.what == What::Undo;
            return self.converges(&mut pair, afresh).map_err(|what| format!("begun again: {what}"));
        }
        let undone = pair.undo(order, Mistake::None)?;
        let found = pair.seen();
        for ((root, _), undone) in ROOTS.into_iter().zip(undone) {
            as_before(root, &found, &self.old, undone)?;
        }
        self.converges(&mut pair, true).map_err(|what| format!("begun again after an undo: {what}"))
    }

    /// While a copy may still be lost, nothing that goes is gone, on whichever side.
    fn removals_come_last(&self, pair: &Pair) -> Result<(), String> {
        let found = pair.seen();
        let gone = self.gone.iter().find(|path| !found.contains_key(*path));
        let (Some(gone), What::Run) = (gone, self.what) else { return Ok(()) };
        let is_new = |path: &&String| {
            found.get(*path).zip(self.new.get(*path)).is_some_and(|(now, new)| now.bytes == new.bytes)
        };
        match self.copied.iter().find(|path| !is_new(path)) {
            Some(path) => Err(format!("{gone} is gone, and {path} is not there yet")),
            None => Ok(()),
        }
    }

    /// Each name holds its complete old or new item; what both changed may be on its way from one name to the other.
    fn whole(&self, found: &Tree) -> Result<(), String> {
        if let Some(stray) = strays(found) {
            return Err(format!("stray {stray}"));
        }
        for (path, item) in found {
            let known = [self.old.get(path), self.new.get(path)];
            if !known.into_iter().flatten().any(|wanted| same(item, wanted)) {
                return Err(format!("{path} is neither old nor new"));
            }
        }
        let missing = self.old.keys().find(|path| {
            let gave_up = path.ends_with(CONFLICT) && found.contains_key(&format!("l/{KEPT_BESIDE}"));
            self.new.contains_key(*path) && !found.contains_key(*path) && !gave_up
        });
        if let Some(path) = missing {
            return Err(format!("{path} is missing"));
        }
        for (root, _) in ROOTS {
            for by in HANDS {
                let places = ["moves", "d/moved"];
                let places = places.map(|path| found.contains_key(&format!("{root}/{path} {by}")));
                if places[0] == places[1] {
                    return Err(format!(
                        "what moves {by} is in {} places of {root}",
                        2 * usize::from(places[0])
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whatever was there before, on either side, is in a place where its user can get at it.
    fn nothing_is_lost(&self, pair: &Pair, when: &str) -> Result<(), String> {
        let reachable = pair.reachable()?;
        let lost = self.old.iter().find(|(_, item)| !reachable.contains(&*item.bytes));
        lost.map_or(Ok(()), |(path, _)| Err(format!("{when}, what {path} was is nowhere")))
    }

    /// The next run brings both sides together, removes nothing but what its user removed, and then there is nothing to do.
    /// What was undone is forgotten (`afresh`), so what one side had edited counts as two new versions then, and both are kept.
    fn converges(&self, pair: &mut Pair, afresh: bool) -> Result<(), String> {
        pair.go(Mistake::None)?;
        self.nothing_is_lost(pair, "after the next run")?;
        let rest = pair.propose().plan;
        if !rest.is_empty() {
            return Err(format!("there is something left to do: {rest:#?}"));
        }
        let found = pair.seen();
        let [left, right] = ROOTS.map(|(root, _)| below(&found, root));
        if left != right {
            let all: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            let differ: Vec<_> = all.into_iter().filter(|path| left.get(*path) != right.get(*path)).collect();
            return Err(format!("the two sides differ in {differ:?}"));
        }
        let wanted = below(&self.new, ROOTS[0].0);
        for (path, content) in &wanted {
            let moved = path.replace("d/moved", "moves");
            if ![path, &moved].into_iter().any(|path| left.get(path) == Some(content)) {
                return Err(format!("{path} is missing, or is not what it was to be"));
            }
        }
        let old = ROOTS.map(|(root, _)| below(&self.old, root));
        for (path, content) in &left {
            let was_there = old.iter().any(|old| old.get(path) == Some(content));
            let is_old = || old.iter().any(|old| old.values().any(|old| old == content));
            let kept = path == KEPT_TWICE && wanted.get(KEPT_BESIDE) == Some(content)
                || afresh && path.contains(".conflict-") && is_old();
            if wanted.get(path) != Some(content) && !was_there && !kept {
                return Err(format!("{path} was never to be so"));
            }
        }
        Ok(())
    }

    /// A file that one side did not lose in the crash is not taken from it because the other side did.
    fn check_unsynced(&self, pair: &mut Pair) -> Result<(), String> {
        let content = &*self.new[&format!("l/{UNSYNCED}")].bytes;
        // By whatever name: of two that a crash made different both are kept.
        let whole =
            |tree: &Tree| ROOTS.map(|(root, _)| below(tree, root).values().any(|found| found == content));
        let before = whole(&pair.seen());
        pair.fs.record();
        pair.go(Mistake::None)?;
        let after = whole(&pair.seen());
        let taken = (0..2).find(|&side| before[side] && !after[side]);
        taken.map_or(Ok(()), |side| Err(format!("{} lost what only it had kept", ROOTS[side].0)))
    }
}

/// Each root by itself, and a second time.
fn recover_both(pair: &Pair, order: [usize; 2], how: RecoverMode) -> Result<(), String> {
    let disk: [Root; 2] = roots(&pair.rules, &pair.fs);
    for at in order {
        let name = ROOTS[at].0;
        let recoveries =
            recover(&disk[at], how, &Control::default()).map_err(|error| format!("{name}: {error}"))?;
        if !recoveries.iter().all(RecoveryReport::is_clean) {
            return Err(format!("{name}: recovery was not clean: {recoveries:?}"));
        }
        let again = recover(&disk[at], how, &Control::default()).map_err(|error| error.to_string())?;
        if !again.is_empty() {
            return Err(format!("{name}: a second recovery found something: {again:?}"));
        }
    }
    Ok(())
}

/// What files of one root hold.
fn below(tree: &Tree, root: &str) -> BTreeMap<String, Vec<u8>> {
    let files = tree.iter().filter(|(_, item)| item.kind == Kind::File);
    let files = files.filter_map(|(path, item)| {
        Some((path.strip_prefix(root)?.strip_prefix('/')?.to_owned(), item.bytes.to_vec()))
    });
    files.collect()
}
