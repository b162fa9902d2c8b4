//! A plan that writes to both roots is carried out, recovered and undone in both.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{Bench, assert_no_strays_beside, put};
use fcs_engine::compare::{RowId, Side, Verdict};
use fcs_engine::history::{
    RecoverMode, RecoveryReport, RunInfo, RunState, list, prune, recover, undo, unfinished,
};
use fcs_engine::plan::{BadRoots, Plan, RootIndex, RootPath, Target, Totals, plan_orphans, plan_sync};
use fcs_engine::preflight::{self, Severity};
use fcs_engine::report::{ActionKind, Outcome, Report, RunResult};
use fcs_engine::run::{OnError, RunOptions, StartError, run};
use fcs_engine::session::{
    InRoot, SessionError, out_of_reach, recover_in_all, roots_of, roots_of_all, to_undo, undo_in_all,
};
use fcs_engine::settings::{ContentCheck, RemoveDespiteFailures, Undo};
use fcs_engine::{Control, ErrorKind, Observer, OnCancel};
use fcs_sys::{Name, RelPath, Root};
use fcs_testkit::faulty::{Act, Call, Event, wrap};
use fcs_testkit::listing::{Listing, Options, diff, listing};

const BOTH: [Side; 2] = [Side::Left, Side::Right];
const EIO: i32 = 5;

/// To each root something is copied, something replaced, something moves there and something goes: what is called `to l` and
/// so on is what the left one gets.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    let roots = [bench.left.clone(), bench.right.clone()];
    for (to, other, at) in [("l", &roots[1], &roots[0]), ("r", &roots[0], &roots[1])] {
        put(&other.join(format!("d/new to {to}")), "new");
        put(&other.join(format!("made for {to}/in it")), "new too");
        put(&other.join(format!("replaced to {to}")), "the later content");
        put(&at.join(format!("replaced to {to}")), "the original");
        put(&at.join(format!("gone to {to}")), "an original that goes");
        put(&at.join(format!("moves to {to}")), to);
        put(&at.join("d/stays"), "in both");
        let stays = fs::File::options().write(true).open(at.join("d/stays")).unwrap();
        // However slow the machine is.
        stays.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    }
    bench
}

/// What goes to each side, as one plan.
fn plan_both(bench: &Bench) -> Plan {
    let comparison = bench.compare();
    let name = |row: RowId| comparison.path(row).to_string();
    let to = |side: Side| {
        let mark = if side == Side::Left { "l" } else { "r" };
        let mine = |row: RowId| {
            let name = name(row);
            let mut parts = name.split('/');
            !name.starts_with("moves")
                && parts.any(|part| {
                    part.ends_with(&format!(" to {mark}")) || part.ends_with(&format!(" for {mark}"))
                })
        };
        let mut plan = plan_sync(&comparison, side, &mine, &bench.settings);
        let row = |path: &str| (0..comparison.rows.len() as RowId).find(|&row| name(row) == path).unwrap();
        let moved = Name::new(format!("moved to {mark}").into_bytes()).unwrap();
        assert!(plan.add_move(&comparison, side, row(&format!("moves to {mark}")), row("d"), &moved));
        plan
    };
    assert!(comparison.rows.iter().any(|row| row.verdict == Verdict::Same));
    let [left, right] = BOTH.map(to);
    let totals = left.totals.clone();
    let plan = left.and(right).unwrap();
    assert_eq!(
        (totals.new_files, totals.replaced_files, totals.changes.of(ActionKind::Move), totals.removed_files),
        (2, 1, 1, 1)
    );
    assert_eq!((plan.totals.new_files, plan.totals.changes.of(ActionKind::Move)), (4, 2));
    plan
}

fn seen(root: &Path) -> Listing {
    let mut seen = listing(root, &Options { root: true, ..Options::default() }).unwrap();
    seen.retain(|path, _| !path.starts_with(".fcs"));
    seen
}

fn both_seen(bench: &Bench) -> [Listing; 2] {
    [&bench.left, &bench.right].map(|root| seen(root))
}

fn assert_as_before(before: &[Listing; 2], bench: &Bench, what: &str) {
    for (before, now) in before.iter().zip(both_seen(bench)) {
        assert_eq!(diff(before, &now), Vec::<String>::new(), "{what}");
    }
}

fn run_on(bench: &Bench, roots: &[&Root; 2], options: &RunOptions) -> Result<Report, StartError> {
    run(&plan_both(bench), roots, &bench.settings, options, &bench.control)
}

fn run_both(bench: &Bench, options: &RunOptions) -> Report {
    let (left, right) = bench.roots();
    run_on(bench, &[&left, &right], options).unwrap()
}

/// Each name holds its complete old or its complete new item, and nothing else is there.
fn assert_whole(bench: &Bench, what: &str) {
    for (to, at) in [("l", &bench.left), ("r", &bench.right)] {
        let read = |path: String| fs::read_to_string(at.join(path)).ok();
        let replaced = read(format!("replaced to {to}"));
        assert!(
            matches!(replaced.as_deref(), Some("the later content" | "the original")),
            "{what}: {replaced:?}"
        );
        for (path, content) in [("d/new to", "new"), ("gone to", "an original that goes")] {
            let found = read(format!("{path} {to}"));
            assert!(found.as_deref().is_none_or(|found| found == content), "{what}: {path} {found:?}");
        }
        let places = ["moves to", "d/moved to"].map(|path| read(format!("{path} {to}")));
        assert_eq!(places.iter().flatten().collect::<Vec<_>>(), [to], "{what}: {places:?}");
    }
}

#[test]
fn both_roots_are_written_under_one_id_and_each_is_undone() {
    let bench = bench();
    let before = both_seen(&bench);
    let report = run_both(&bench, &RunOptions::default());
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    let c = &report.counts;
    assert_eq!((c.copied, c.changes.of(ActionKind::Move), c.removed, c.folders_created), (6, 2, 2, 2));
    for (root, side) in [RootIndex(0), RootIndex(1)].into_iter().zip(BOTH) {
        assert_eq!(root, side.into());
        let items = report.items.iter().filter(|item| item.root == root && item.action != ActionKind::None);
        let mark = if side == Side::Left { " l" } else { " r" };
        let theirs: Vec<_> =
            items.map(|item| item.path.to_string()).filter(|path| path.contains(' ')).collect();
        assert!(theirs.iter().all(|path| path.contains(mark)) && theirs.len() == 6, "{theirs:?}");
    }
    for (other, at) in [(&bench.left, &bench.right), (&bench.right, &bench.left)] {
        let mark = if *at == bench.left { "l" } else { "r" };
        for path in
            [format!("d/new to {mark}"), format!("made for {mark}/in it"), format!("replaced to {mark}")]
        {
            assert_eq!(fs::read(at.join(&path)).unwrap(), fs::read(other.join(&path)).unwrap(), "{path}");
        }
        assert!(!at.join(format!("gone to {mark}")).exists());
        assert_eq!(fs::read_to_string(at.join(format!("d/moved to {mark}"))).unwrap(), mark);
    }
    let (left, right) = bench.roots();
    for root in [&left, &right] {
        let runs = list(root).unwrap();
        assert_eq!((runs.len(), &runs[0].run, runs[0].undoable), (1, &report.run, true));
        let undone = undo(root, Some(&report.run), &bench.control).unwrap();
        assert_eq!(undone.state, RunState::RolledBack, "{undone:#?}");
    }
    assert_as_before(&before, &bench, "undone");
}

/// Every place at which a run can die in either root, and every place at which its undos can.
#[test]
fn after_a_death_anywhere_each_root_is_recovered_and_undone_by_itself() {
    let mut deaths = 0;
    for of_undo in [false, true] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in 1.. {
                let bench = bench();
                let before = both_seen(&bench);
                let what = format!("{how:?}, undo {of_undo}, change {n}");
                if of_undo {
                    assert_eq!(run_both(&bench, &RunOptions::default()).result, RunResult::Completed);
                }
                let died = dies_in_either(n, &bench, |roots| {
                    if of_undo {
                        roots.iter().for_each(|root| drop(undo(root, None, &bench.control)));
                    } else {
                        let _ = run_on(&bench, &[&roots[0], &roots[1]], &RunOptions::default());
                    }
                });
                assert_whole(&bench, &what);
                let (left, right) = bench.roots();
                for root in [&left, &right] {
                    let recoveries = recover(root, how, &bench.control).unwrap();
                    assert!(recoveries.iter().all(RecoveryReport::is_clean), "{what}: {recoveries:#?}");
                    assert_no_strays_beside(&root.path);
                }
                assert_whole(&bench, &what);
                for root in [&left, &right] {
                    match undo(root, None, &bench.control) {
                        Ok(undone) => assert_eq!(undone.state, RunState::RolledBack, "{what}: {undone:#?}"),
                        Err(StartError::NothingToUndo) => {}
                        Err(other) => panic!("{what}: {other}"),
                    }
                }
                assert_as_before(&before, &bench, &what);
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    assert!(deaths > 200, "{deaths} deaths");
}

/// The same, from one of the roots for both: whichever it is, no side keeps what the other takes back. At every third
/// place: what each root does by itself is tried at all of them.
#[test]
fn after_a_death_anywhere_either_root_stands_for_both() {
    let mut deaths = 0;
    for of_undo in [false, true] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in (1..).step_by(3) {
                let bench = bench();
                let before = both_seen(&bench);
                let what = format!("{how:?}, undo {of_undo}, change {n}");
                if of_undo {
                    assert_eq!(run_both(&bench, &RunOptions::default()).result, RunResult::Completed);
                }
                let died = dies_in_either(n, &bench, |roots| {
                    if of_undo {
                        let Some(run) = newest(&roots[n % 2]) else { return };
                        drop(undo_in_all(&roots, &run.run, &bench.control));
                    } else {
                        let _ = run_on(&bench, &[&roots[0], &roots[1]], &RunOptions::default());
                    }
                });
                let roots: [Root; 2] = bench.roots().into();
                let from = [0, 1].map(|i| &roots[(n + i) % 2]).into_iter().find(|r| newest(r).is_some());
                for at in from
                    .iter()
                    .flat_map(|r| recover_in_all(r, how, &bench.control, &mut |_, _| Ok(())).unwrap())
                {
                    assert!(at.reports.iter().all(RecoveryReport::is_clean), "{what}: {at:#?}");
                }
                // What waits for nothing here may wait there: the run died before this root was begun.
                for root in &roots {
                    recover_in_all(root, how, &bench.control, &mut |_, _| Ok(())).unwrap();
                    assert_no_strays_beside(&root.path);
                }
                assert_whole(&bench, &what);
                let stays = |root: &Root| newest(root).is_some_and(|run| run.undoable);
                if how == RecoverMode::RollBack && !of_undo {
                    assert_eq!(stays(&roots[0]), stays(&roots[1]), "{what}");
                }
                if let Some(from) = [0, 1].map(|i| &roots[(n + i) % 2]).into_iter().find(|root| stays(root)) {
                    let run = newest(from).unwrap();
                    let undone = undo_in_all(&roots_of(from, &run), &run.run, &bench.control).unwrap();
                    let clean = |at: &InRoot| at.reports.iter().all(RecoveryReport::is_clean);
                    assert!(undone.iter().all(clean), "{what}: {undone:#?}");
                }
                assert_as_before(&before, &bench, &what);
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    println!("{deaths} places of death");
    assert!(deaths > 70, "{deaths} deaths");
}

/// The same, where an undo or a recovery is cut off, and then one side alone is asked: whichever it is, over or not, it leads
/// to the end on both.
#[test]
fn after_a_death_of_an_undo_or_a_recovery_one_side_alone_leads_to_the_end_of_both() {
    use RecoverMode::{Keep, RollBack};
    let whole = bench();
    let changes = changes_until(usize::MAX, &whole, |roots| {
        run_on(&whole, &[&roots[0], &roots[1]], &RunOptions::default()).unwrap();
    });
    // Of a run that is over, the undo is cut off; of one that died, the recovery.
    let undo = (None, None);
    let places = [changes / 3, changes * 2 / 3, changes - 3];
    let recoveries = [Keep, RollBack].into_iter().flat_map(|how| places.map(|at| (Some(at), Some(how))));
    let (mut deaths, mut wrong) = (0, Vec::new());
    for (run_dies, first) in std::iter::once(undo).chain(recoveries) {
        // `None`: it is undone at once, where nothing waits on the side that is asked.
        for (asked, then) in
            [0, 1].into_iter().flat_map(|at| [None, Some(Keep), Some(RollBack)].map(|t| (at, t)))
        {
            for n in (1..).step_by(5) {
                let what =
                    format!("run dies at {run_dies:?}, {first:?} at {n}, then {then:?} asked of {asked}");
                let bench = bench();
                let before = both_seen(&bench);
                let run =
                    |roots: [Root; 2]| drop(run_on(&bench, &[&roots[0], &roots[1]], &RunOptions::default()));
                dies_in_either(run_dies.unwrap_or(usize::MAX), &bench, run);
                let died = dies_in_either(n, &bench, |roots| {
                    if let Some(how) = first {
                        drop(recover_in_all(&roots[n % 2], how, &bench.control, &mut |_, _| Ok(())));
                    } else {
                        let run = newest(&roots[n % 2]).unwrap();
                        drop(undo_in_all(&roots, &run.run, &bench.control));
                    }
                });
                let roots: [Root; 2] = bench.roots().into();
                let asked = &roots[asked];
                if then.is_some() || !unfinished(asked).unwrap().is_empty() {
                    recover_in_all(asked, then.unwrap_or(Keep), &bench.control, &mut |_, _| Ok(())).unwrap();
                    let waits = |root: &Root| !unfinished(root).unwrap().is_empty();
                    let stays = |root: &Root| newest(root).is_some_and(|run| run.undoable);
                    if roots.iter().any(waits) || stays(&roots[0]) != stays(&roots[1]) {
                        wrong.push(format!("{what}: recovered"));
                    }
                }
                if let Some(run) = newest(asked) {
                    match undo_in_all(&roots_of(asked, &run), &run.run, &bench.control) {
                        // It was cut off after the last thing that there was to do.
                        Ok(_) | Err(SessionError::Start { error: StartError::NothingToUndo, .. }) => {}
                        Err(error) => wrong.push(format!("{what}: {error}")),
                    }
                }
                let now = both_seen(&bench);
                // The dates of the folder itself are restored when it is asked, also long after.
                let unlike = before.iter().zip(&now).flat_map(|(before, now)| diff(before, now));
                let unlike = unlike.filter(|unlike| !unlike.starts_with("\"\":"));
                wrong.extend(unlike.map(|unlike| format!("{what}: undone, but {unlike}")));
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    println!("{deaths} places of death");
    assert!(wrong.is_empty(), "{} of {deaths}:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
    assert!(deaths > 250, "{deaths} deaths");
}

/// Undone on one side alone: that one names the other as long as it is not there, or is another folder, or knows nothing of the
/// run any more; and leads to it when it is back.
#[test]
fn a_side_that_is_over_names_the_other_where_that_is_not_there() {
    let bench = bench();
    let before = both_seen(&bench);
    let run = run_both(&bench, &RunOptions::default()).run;
    let (left, _) = bench.roots();
    undo(&left, Some(&run), &bench.control).unwrap();
    let mine = newest(&left).unwrap();
    assert_eq!((mine.state, mine.undoable), (RunState::RolledBackHere, false));
    let away = bench.right.with_file_name("elsewhere");
    let names_it = |what: &str| {
        let there = |error: &SessionError| matches!(error, SessionError::OutOfReach { out, .. } if Path::new(&out.path) == bench.right);
        for wanted in [None, Some(&run)] {
            let refused = to_undo(&left, wanted).unwrap_err();
            assert!(there(&refused), "{what}: {refused}");
        }
        let refused = undo_in_all(&roots_of(&left, &mine), &run, &bench.control).unwrap_err();
        assert!(there(&refused), "{what}: {refused}");
        assert_eq!(out_of_reach(&left, std::slice::from_ref(&mine)).len(), 1, "{what}");
        recover_in_all(&left, RecoverMode::Keep, &bench.control, &mut |_, _| Ok(())).unwrap();
        assert_eq!(newest(&left).unwrap().state, RunState::RolledBackHere, "{what}");
    };
    fs::rename(&bench.right, &away).unwrap();
    names_it("moved");
    fs::create_dir(&bench.right).unwrap();
    names_it("another folder, or a mount point");
    fs::remove_dir(&bench.right).unwrap();
    fs::rename(&away, &bench.right).unwrap();
    let chosen = to_undo(&left, None).unwrap();
    assert_eq!(chosen.len(), 1);
    let undone = undo_in_all(&roots_of_all(&left, &chosen), &chosen[0].run, &bench.control).unwrap();
    assert_eq!(undone.len(), 1, "{undone:?}");
    assert_as_before(&before, &bench, "back");
    assert!([&bench.left, &bench.right].iter().all(|root| !root.join(".fcs").exists()), "all is forgotten");

    let run = run_both(&bench, &RunOptions::default()).run;
    let (left, right) = bench.roots();
    undo(&left, Some(&run), &bench.control).unwrap();
    prune(&right, None).unwrap();
    assert!(matches!(to_undo(&left, None), Err(SessionError::OutOfReach { .. })), "pruned there");
    prune(&left, None).unwrap();
    assert!(to_undo(&left, None).unwrap().is_empty() && list(&left).unwrap().is_empty());
}

fn newest(root: &Root) -> Option<RunInfo> {
    list(root).unwrap().into_iter().next()
}

/// Carries something out on both roots that dies at their `n`th change; whether it came so far.
fn dies_in_either(n: usize, bench: &Bench, what: impl FnOnce([Root; 2])) -> bool {
    changes_until(n, bench, what) >= n
}

/// The same; how many changes there were.
fn changes_until(n: usize, bench: &Bench, what: impl FnOnce([Root; 2])) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let script = |count: Arc<AtomicUsize>| {
        Arc::new(move |event: &Event<'_>| {
            let is_change = matches!(
                event.call,
                Call::CreateFile
                    | Call::CreateDir
                    | Call::RenameNoReplace
                    | Call::RenameExchange
                    | Call::RenameReplace
                    | Call::HardLink
                    | Call::RemoveFile
                    | Call::RemoveDir
                    | Call::SetTimes
                    | Call::SetAttributes
                    | Call::Write
                    | Call::Sync
                    | Call::SyncVolume
            );
            let dead = count.load(Ordering::SeqCst) >= n
                || is_change && count.fetch_add(1, Ordering::SeqCst) + 1 >= n;
            if dead { Act::Fail(EIO) } else { Act::Go }
        })
    };
    let (left, right) = bench.roots();
    let [left, right] =
        [(&left, "left"), (&right, "right")].map(|(root, side)| wrap(root, side, script(Arc::clone(&count))));
    what([left, right]);
    count.load(Ordering::SeqCst)
}

/// A failure in one root takes back what was done in the other, whichever of them it is.
#[test]
fn a_run_that_is_rolled_back_is_so_in_both_roots() {
    for failing in ["replaced to l", "replaced to r", "gone to l", "gone to r"] {
        let bench = bench();
        let plan = plan_both(&bench);
        let root = if failing.ends_with('l') { &bench.left } else { &bench.right };
        fs::write(root.join(failing), "edited, since the comparison").unwrap();
        let before = both_seen(&bench);
        let options = RunOptions { on_error: OnError::RollBack, ..RunOptions::default() };
        let (left, right) = bench.roots();
        let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
        assert_eq!(report.result, RunResult::RolledBack, "{failing}: {report:#?}");
        let taken_back = report.items.iter().filter(|item| matches!(item.outcome, Outcome::RolledBack));
        assert!(taken_back.count() > 0 || failing == "replaced to l", "{failing}: {report:#?}");
        assert_as_before(&before, &bench, failing);
        assert!([&left, &right].iter().all(|root| list(root).unwrap().is_empty()), "{failing}");
    }
}

#[derive(Default)]
struct RollsBack {
    asked: Mutex<Vec<u64>>,
}

impl Observer for RollsBack {
    fn cancelled(&self, done: u64) -> OnCancel {
        self.asked.lock().unwrap().push(done);
        OnCancel::RollBack
    }
}

/// What was done in both roots is asked about once.
#[test]
fn a_cancelled_run_is_asked_about_once_and_rolled_back_in_both_roots() {
    let bench = bench();
    let before = both_seen(&bench);
    let observer = Arc::new(RollsBack::default());
    let control = Control { observer: Arc::clone(&observer) as Arc<dyn Observer>, ..Control::default() };
    let cancel = Arc::clone(&control.cancel);
    let script = move |event: &Event<'_>| {
        // The last kind of work, in the second root.
        if event.path.to_string() == "gone to r" && event.call == Call::RenameNoReplace {
            cancel.cancel();
        }
        Act::Go
    };
    let (left, right) = bench.roots();
    let right = wrap(&right, "right", Arc::new(script));
    let plan = plan_both(&bench);
    let report = run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &control).unwrap();
    assert_eq!(report.result, RunResult::RolledBack, "{report:#?}");
    let asked = observer.asked.lock().unwrap().clone();
    assert!(asked.len() == 1 && asked[0] > 8, "{asked:?}");
    assert_as_before(&before, &bench, "cancelled");
}

/// All journals are there before anything changes anywhere.
#[test]
fn a_root_that_cannot_keep_a_journal_keeps_the_run_from_both() {
    for busy in BOTH {
        let bench = bench();
        let before = both_seen(&bench);
        let (left, right) = bench.roots();
        let script = move |event: &Event<'_>| {
            let journal = event.path.to_string().ends_with(".journal");
            let fails = journal && matches!(event.call, Call::CreateFile | Call::Write | Call::Sync);
            if fails { Act::Fail(EIO) } else { Act::Go }
        };
        let mut roots = [left, right];
        let at = usize::from(busy == Side::Right);
        roots[at] = wrap(&roots[at], "busy", Arc::new(script));
        let refused = run_on(&bench, &[&roots[0], &roots[1]], &RunOptions::default());
        let Err(StartError::Failed(error)) = refused else { panic!("{busy:?}: {refused:?}") };
        assert!(error.path.starts_with(&roots[at].path), "{error}");
        assert_as_before(&before, &bench, "refused");
        assert!(!roots[1 - at].path.join(".fcs").exists(), "{busy:?}: no trace in the other root");
    }
}

/// A second run on one of the roots is refused, and so is one while the other root waits for recovery.
#[test]
fn each_root_that_is_written_to_must_be_free_and_in_order() {
    let bench = bench();
    let tried = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tried);
    let (copy, fired) = (bench.left.clone(), AtomicUsize::new(0));
    let right_path = bench.right.clone();
    let script = move |event: &Event<'_>| {
        if event.path.to_string() == "gone to r"
            && event.call == Call::RenameNoReplace
            && fired.fetch_add(1, Ordering::SeqCst) == 0
        {
            for path in [&copy, &right_path] {
                let root = fcs_sys::open_root(path).unwrap();
                seen.lock().unwrap().push(undo(&root, None, &Control::default()).map(drop));
            }
        }
        Act::Go
    };
    let (left, right) = bench.roots();
    let right = wrap(&right, "right", Arc::new(script));
    assert_eq!(
        run_on(&bench, &[&left, &right], &RunOptions::default()).unwrap().result,
        RunResult::Completed
    );
    let tried = tried.lock().unwrap();
    assert_eq!(tried.len(), 2);
    for (tried, root) in tried.iter().zip([&left, &right]) {
        let Err(locked @ StartError::Locked { .. }) = tried else { panic!("{tried:?}") };
        assert_eq!(locked.root(), Some(&*root.path));
    }
}

#[test]
fn a_plan_that_does_not_hold_to_its_roots_is_refused() {
    let bench = bench();
    let (left, right) = bench.roots();
    let whole = plan_both(&bench);
    let refused = |plan: &Plan, roots: &[&Root]| {
        let control = Control::default();
        let found = preflight::check(plan, roots, &bench.settings).problems;
        assert!(found.iter().any(|problem| problem.severity == Severity::Refuses), "{found:?}");
        match run(plan, roots, &bench.settings, &RunOptions::default(), &control) {
            Err(StartError::Roots(bad)) => bad,
            other => panic!("{other:?}"),
        }
    };
    let before = both_seen(&bench);
    assert_eq!(refused(&whole, &[&left]), BadRoots::Missing(RootIndex(1)));
    let mut plan = whole.clone();
    plan.folders.reverse();
    assert_eq!(refused(&plan, &[&left, &right]), BadRoots::OutOfOrder);
    let mut plan = whole.clone();
    plan.targets.push(Target { root: RootIndex(0), ..plan.targets[0].clone() });
    assert_eq!(refused(&plan, &[&left, &right]), BadRoots::Twice(RootIndex(0)));
    let mut plan = whole.clone();
    plan.changes.reverse();
    assert_eq!(refused(&plan, &[&left, &right]), BadRoots::OutOfOrder);
    let mut plan = plan_orphans(&bench.compare(), Side::Left, &|_| true, &bench.settings);
    plan.unreadable.push(RootPath { root: RootIndex(1), path: RelPath::parse(b"d").unwrap() });
    assert_eq!(refused(&plan, &[&left, &right]), BadRoots::NotWritten(RootIndex(1)));
    assert_as_before(&before, &bench, "refused");
    assert!(whole.clone().and(whole).is_none(), "each root is written by one plan");
}

/// Room is looked at where it is needed, and each problem says on which root it is.
#[test]
fn preflight_looks_at_each_root_that_is_written_to() {
    let bench = bench();
    let (left, right) = bench.roots();
    let mut plan = plan_both(&bench);
    let found = preflight::check(&plan, &[&left, &right], &bench.settings);
    assert!(!found.refuses(), "{found:?}");
    assert_eq!((found.bytes_needed, found.bytes_kept), (plan.totals.bytes, 2 * (12 + 21)));
    for at in [0, 1] {
        let was = std::mem::replace(&mut plan.targets[at].totals.bytes, u64::MAX / 2);
        let found = preflight::check(&plan, &[&left, &right], &bench.settings);
        let full = found.problems.iter().filter(|problem| problem.severity == Severity::Refuses);
        let path = [&bench.left, &bench.right][at].display().to_string();
        assert!(full.clone().count() == 1 && full.clone().all(|p| p.text.contains(&path)), "{found:?}");
        plan.targets[at].totals.bytes = was;
    }
}

/// An item that fails in one root fails alone, and the rest is done in both.
#[test]
fn a_failure_in_one_root_leaves_the_other_alone() {
    let bench = bench();
    fs::write(bench.right.join("replaced to r"), "edited since").unwrap();
    let plan = {
        let plan = plan_both(&bench);
        fs::write(bench.left.join("replaced to l"), "edited, since the comparison").unwrap();
        plan
    };
    let (left, right) = bench.roots();
    let report =
        run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    assert_eq!((report.result, report.counts.failed), (RunResult::CompletedWithFailures, 1), "{report:#?}");
    let failed = report.items.iter().find(|item| item.failed_target().is_some()).unwrap();
    assert_eq!((failed.root, failed.path.to_string().as_str()), (RootIndex(0), "replaced to l"));
    let Outcome::Failed { error } = &failed.outcome else { panic!("{failed:?}") };
    assert_eq!(error.kind, ErrorKind::TargetStale);
    assert_eq!(fs::read_to_string(bench.left.join("replaced to l")).unwrap(), "edited, since the comparison");
    assert_eq!(fs::read_to_string(bench.right.join("replaced to r")).unwrap(), "the later content");
}

/// Nothing was interrupted here: what somebody else changed since is left alone, as in a run of one root.
#[test]
fn what_was_changed_meanwhile_stays_when_both_roots_are_rolled_back() {
    let bench = bench();
    let plan = plan_both(&bench);
    let copied = bench.left.join("d/new to l");
    let meddle = copied.clone();
    let script = move |event: &Event<'_>| {
        if event.path.to_string() == "gone to r" && event.call == Call::RenameNoReplace {
            fs::set_permissions(&meddle, fs::Permissions::from_mode(0o640)).unwrap();
            return Act::Fail(EIO);
        }
        Act::Go
    };
    let options = RunOptions { on_error: OnError::RollBack, ..RunOptions::default() };
    let (left, right) = bench.roots();
    let right = wrap(&right, "right", Arc::new(script));
    let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
    assert_eq!(report.result, RunResult::PartlyRolledBack, "{report:#?}");
    assert_eq!(fs::read_to_string(&copied).unwrap(), "new");
    assert!(!bench.right.join("d/new to r").exists());
}

/// What a plan does is what it lists, whatever its totals say.
#[test]
fn a_plan_with_wrong_totals_is_carried_out_with_lock_and_journal() {
    let bench = bench();
    let before = both_seen(&bench);
    let mut plan = plan_both(&bench);
    let going = plan.items_that_go();
    plan.totals = Totals::default();
    plan.targets.iter_mut().for_each(|target| target.totals = Totals::default());
    assert!(!plan.is_empty() && plan.items_that_go() == going && going == 2);
    let (left, right) = bench.roots();
    let report =
        run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    for root in [&left, &right] {
        assert_eq!(undo(root, None, &bench.control).unwrap().state, RunState::RolledBack);
    }
    assert_as_before(&before, &bench, "undone");
    let most = Totals { new_files: u64::MAX, links: 1, removed_files: u64::MAX, ..Totals::default() };
    plan.targets[0].totals = most.clone();
    plan.totals = most;
    assert!(plan.step_count() == u64::MAX && plan.items_that_go() == going);
    preflight::check(&plan, &[&left, &right], &bench.settings);
}

/// What looks superfluous in one root may be the last copy of what could not be brought to the other.
#[test]
fn a_failure_in_one_root_holds_back_removals_in_the_other() {
    for policy in [RemoveDespiteFailures::Never, RemoveDespiteFailures::Unrelated] {
        for failing in ["l", "r"] {
            let mut bench = bench();
            bench.settings.remove_despite_failures = policy;
            let plan = plan_both(&bench);
            let at = if failing == "l" { &bench.left } else { &bench.right };
            let failing = format!("replaced to {failing}");
            fs::write(at.join(&failing), "edited, since the comparison").unwrap();
            let (left, right) = bench.roots();
            let options = RunOptions::default();
            let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
            for (root, to) in [(&bench.left, "l"), (&bench.right, "r")] {
                let path = format!("gone to {to}");
                assert!(root.join(&path).exists(), "{policy:?}, {failing}: {report:#?}");
                let item = common::item(&report, &path);
                let why = item.because_of.as_ref().map(ToString::to_string);
                assert_eq!(why.as_ref(), Some(&failing), "{policy:?}: {item:?}");
            }
        }
    }
}

/// A panic in one root leaves no step of the other without an item.
#[test]
fn after_a_panic_in_one_root_each_step_of_both_has_an_item() {
    let mut bench = bench();
    bench.settings.compare_content = ContentCheck::Bytes;
    put(&bench.left.join("dated"), "the same");
    put(&bench.right.join("dated"), "the same");
    let file = fs::File::options().write(true).open(bench.left.join("dated")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    let comparison = bench.compare();
    let to = |side: Side, name: &str| {
        let row = (0..comparison.rows.len() as RowId)
            .find(|&row| comparison.path(row).to_string() == name)
            .unwrap();
        plan_sync(&comparison, side, &|selected| selected == row, &bench.settings)
    };
    let plan = to(Side::Left, "dated").and(to(Side::Right, "d/new to r")).unwrap();
    assert_eq!((plan.totals.file_times, plan.totals.new_files), (1, 1));
    let script = |event: &Event<'_>| {
        let fires = event.call == Call::Write && event.path.to_string().strip_suffix(".part").is_some();
        assert!(!fires, "a defect of the program, planted by the test");
        Act::Go
    };
    let (left, right) = bench.roots();
    let right = wrap(&right, "right", Arc::new(script));
    let report =
        run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    assert_eq!(report.result, RunResult::Stopped, "{report:#?}");
    for (root, path) in [(0, "dated"), (1, "d/new to r")] {
        let items = report.items.iter();
        let items = items.filter(|item| item.root == RootIndex(root) && item.path.to_string() == path);
        assert_eq!(items.count(), 1, "{path}: {report:#?}");
    }
}

/// As [`wrap`], with a journal that cannot be written any more once `broken` says so.
fn with_journal(root: &Root, broken: impl Fn() -> bool + Send + Sync + 'static) -> Root {
    let script = move |event: &Event<'_>| {
        let journal = event.path.to_string().ends_with(".journal");
        let writes = journal && matches!(event.call, Call::Write | Call::Sync);
        if writes && broken() { Act::Fail(EIO) } else { Act::Go }
    };
    wrap(root, "with a journal", Arc::new(script))
}

/// The run is over in all roots or in none: whoever recovers has the choice in each of them.
#[test]
fn a_run_that_cannot_end_in_its_first_root_is_not_ended_in_the_second() {
    let syncs = Arc::new(AtomicUsize::new(0));
    let mut last = usize::MAX;
    for round in 0..2 {
        let bench = bench();
        let (left, right) = bench.roots();
        let (count, fails_at) = (Arc::clone(&syncs), last);
        count.store(0, Ordering::SeqCst);
        let left = with_journal(&left, move || count.fetch_add(1, Ordering::SeqCst) + 1 >= fails_at);
        let report = run_on(&bench, &[&left, &right], &RunOptions::default()).unwrap();
        if round == 0 {
            // The last write and the last sync are those of its end.
            last = syncs.load(Ordering::SeqCst) - 1;
            continue;
        }
        assert_eq!(report.result, RunResult::Stopped, "{report:#?}");
        let open = bench.roots();
        assert_eq!([&open.0, &open.1].map(|root| unfinished(root).unwrap().len()), [1, 1]);
    }
}

/// Nor does the second root say that it is rolled back.
#[test]
fn a_rollback_that_cannot_begin_in_its_first_root_does_not_begin_in_the_second() {
    let bench = bench();
    let plan = plan_both(&bench);
    let broken = Arc::new(AtomicUsize::new(0));
    let (left, right) = bench.roots();
    let says = Arc::clone(&broken);
    let left = with_journal(&left, move || says.load(Ordering::SeqCst) > 0);
    let script = move |event: &Event<'_>| {
        if event.path.to_string() == "gone to r" && event.call == Call::RenameNoReplace {
            broken.store(1, Ordering::SeqCst);
            return Act::Fail(EIO);
        }
        Act::Go
    };
    let right = wrap(&right, "right", Arc::new(script));
    let options = RunOptions { on_error: OnError::RollBack, ..RunOptions::default() };
    let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
    assert_eq!(report.result, RunResult::Stopped, "{report:#?}");
    let (left, right) = bench.roots();
    for root in [&left, &right] {
        let refused = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap_err();
        assert!(matches!(refused, StartError::Unfinished { .. }), "{refused:?}");
        assert_eq!(refused.root(), Some(&*root.path), "the one that is in the way");
        recover(root, RecoverMode::Keep, &bench.control).unwrap();
        let kept = list(root).unwrap();
        assert!(kept.len() == 1 && kept[0].undoable, "what was done stays: {kept:?}");
    }
}

/// Each root for itself has room, and both together have not.
#[test]
fn roots_on_one_volume_share_its_room() {
    let bench = bench();
    let (left, right) = bench.roots();
    let mut plan = plan_both(&bench);
    let free = left.dir.space().unwrap().free;
    plan.targets.iter_mut().for_each(|target| target.totals.bytes = free / 5 * 3);
    let found = preflight::check(&plan, &[&left, &right], &bench.settings);
    let full: Vec<_> =
        found.problems.iter().filter(|problem| problem.severity == Severity::Refuses).collect();
    assert_eq!(full.len(), 1, "{found:?}");
    for root in [&bench.left, &bench.right] {
        assert!(full[0].text.contains(&root.display().to_string()), "{full:?}");
    }
}

/// The run itself changes the folders that it reads from.
#[test]
fn folders_get_the_dates_that_were_compared() {
    let bench = bench();
    let plan = plan_both(&bench);
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let made = bench.right.join("made for l");
    let compared = modified(&made);
    let both = modified(&bench.right.join("d"));
    let meddle = made.join("later");
    let (left, right) = bench.roots();
    let script = move |event: &Event<'_>| {
        if event.call == Call::RenameNoReplace {
            fs::write(&meddle, "later").unwrap();
        }
        Act::Go
    };
    let right = wrap(&right, "right", Arc::new(script));
    let report =
        run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    assert_ne!(modified(&made), compared);
    assert_eq!(modified(&bench.left.join("made for l")), compared);
    // Written to on both sides, it is as no side had it.
    assert!(report.items.iter().all(|item| item.action != ActionKind::FolderTimes), "{report:#?}");
    assert!(modified(&bench.left.join("d")) > both);
}

/// A run that does not begin deletes nothing of what earlier ones keep.
#[test]
fn what_is_to_be_pruned_in_one_root_stays_until_the_other_is_free() {
    let bench = bench();
    put(&bench.right.join("earlier"), "copied by a run before");
    put(&bench.left.join("earlier"), "its original");
    let (left, right) = bench.roots();
    let comparison = bench.compare();
    let earlier = |row: RowId| comparison.path(row).to_string() == "earlier";
    let plan = plan_sync(&comparison, Side::Left, &earlier, &bench.settings);
    run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    let stays = |event: &Event<'_>| if event.call == Call::RemoveFile { Act::Fail(EIO) } else { Act::Go };
    drop(prune(&wrap(&left, "left", Arc::new(stays)), None));
    let states = || list(&left).unwrap().iter().map(|run| run.state).collect::<Vec<_>>();
    assert_eq!(states(), [RunState::PartlyPruned]);
    let full = |event: &Event<'_>| if event.call == Call::CreateDir { Act::Fail(EIO) } else { Act::Go };
    let full = wrap(&right, "full", Arc::new(full));
    let refused = run_on(&bench, &[&left, &full], &RunOptions::default());
    assert!(matches!(refused, Err(StartError::Failed(_))), "{refused:?}");
    assert_eq!(states(), [RunState::PartlyPruned]);
    run_on(&bench, &[&left, &right], &RunOptions::default()).unwrap();
    assert_eq!(states(), [RunState::Done]);
}
