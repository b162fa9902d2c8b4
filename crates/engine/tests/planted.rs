//! The suites see what they are for: mistakes a program that copies files may make are planted into the engine one
//! by one, and each turns at least one suite red; without them all are green.

#![cfg(all(fcs_planted, target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "panics.rs"]
mod panics;
#[path = "crash/mod.rs"]
mod suite;
#[path = "syncs.rs"]
mod syncs;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fcs_engine::planted::{Fault, set};
use fcs_engine::report::{ActionKind, Outcome};
use fcs_engine::run::OnError;
use fcs_engine::settings::Verify;
use fcs_engine::{Control, Error, Observer};
use fcs_sys::{Access, Name, Time, open_root, write_all_at};
use fcs_testkit::faulty::{Act, Call, Event, wrap};
use fcs_testkit::sim::Budget;

use suite::cases::{BEST, Bench, DiskRules, Ending, Scenario, cases, noise, record_script, tree, undo_cases};
use suite::check::strays;
use suite::explore::{Plan, explore};
use suite::roots;
use suite::two_way;

const NO_VOLUME_SYNC: DiskRules = DiskRules { sync_volume: false, ..BEST };

type Suite = fn() -> Result<(), String>;

const SUITES: &[(&str, Suite)] = &[
    ("crash states", crash_states),
    ("a bit flipped on the device", flipped_bit),
    ("a bit flipped on the device in a large file", flipped_bit_in_a_large_file),
    ("a source that changes", changing_source),
    ("a folder swapped for a link", swapped_folder),
    ("a sync that fails", failing_sync),
    ("a copy that cannot be cleaned up", failing_clean_up),
    ("files behind a failed sync of the volume", || syncs::files_queued_behind_a_failed_sync(Verify::Off)),
    ("a panic in the middle", panic_in_the_middle),
    ("a source that lists what it does not find", listed_and_not_found),
    ("a volume that gives items other numbers", other_numbers),
    ("a name that is taken right before a rename", taken_name),
    ("crash states of an undo", crash_states_of_an_undo),
    ("crash states of two roots that one run writes to", two_roots),
    ("crash states of metadata that is set", crash_states_of_metadata),
    ("crash states of a two-way run", two_way_run),
];

/// The suites that report a violation.
fn red() -> Vec<(&'static str, String)> {
    SUITES.iter().filter_map(|(name, suite)| Some((*name, suite().err()?))).collect()
}

#[test]
fn each_planted_fault_turns_a_suite_red_and_none_does_without() {
    set(Fault::None);
    assert_eq!(red(), [], "without a fault");
    let mut unseen = Vec::new();
    // One of them alone, while something is sought.
    let wanted = std::env::var("FCS_PLANTED_FAULT").ok();
    let sought = |fault: &&Fault| wanted.as_ref().is_none_or(|wanted| format!("{fault:?}") == *wanted);
    for &fault in Fault::ALL.iter().filter(sought) {
        set(fault);
        let red = red();
        println!("{fault:?}:");
        for (suite, what) in &red {
            println!("    {suite}: {}", what.lines().nth(1).unwrap_or(what));
        }
        if red.is_empty() {
            unseen.push(fault);
        }
    }
    set(Fault::None);
    assert!(unseen.is_empty(), "no suite sees {unseen:?}");
}

fn is_staged(path: &str) -> bool {
    path.strip_suffix(".part").is_some()
}

fn small_plan() -> Plan {
    Plan { budget: Budget { exhaustive: 64, samples: 8 }, recoveries: 0, ..Plan::default() }
}

fn crash_states() -> Result<(), String> {
    let scenarios = [Scenario::New, Scenario::Replace, Scenario::Large, Scenario::LargeStaged];
    let cases = cases(&scenarios, &[BEST, NO_VOLUME_SYNC], &[Ending::Success]);
    explore(&cases, &small_plan()).map(drop).map_err(|violation| violation.0)
}

fn crash_states_of_metadata() -> Result<(), String> {
    let cases = cases(&[Scenario::SetMetadata], &[NO_VOLUME_SYNC], &[Ending::Success]);
    explore(&cases, &small_plan()).map(drop).map_err(|violation| violation.0)
}

fn crash_states_of_an_undo() -> Result<(), String> {
    explore(&undo_cases(&[Scenario::Replace], &[BEST]), &small_plan())
        .map(drop)
        .map_err(|violation| violation.0)
}

fn two_roots() -> Result<(), String> {
    let plan = small_plan();
    let explored = || roots::explore(&[BEST, NO_VOLUME_SYNC], plan.budget, plan.seed).map(drop);
    // What the run and the undo that are recorded do wrong without a crash, it asserts.
    catch_unwind(AssertUnwindSafe(explored)).unwrap_or_else(|_| Err("a run or its undo is wrong".into()))
}

fn two_way_run() -> Result<(), String> {
    let plan = small_plan();
    let explored = || {
        let case = two_way::record(two_way::What::Run, BEST, two_way::Mistake::None);
        two_way::explore(&[case], plan.budget, plan.seed, 8).map(drop)
    };
    // As in [`two_roots`].
    catch_unwind(AssertUnwindSafe(explored)).unwrap_or_else(|_| Err("a run or its undo is wrong".into()))
}

/// The device changes a bit after the sync, before the first look at the copy.
fn flipped_bit() -> Result<(), String> {
    let bench = Bench::new(Scenario::Replace, BEST);
    let [synced, flipped] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (disk, fired) = (bench.right.clone(), Arc::clone(&flipped));
    let script = move |event: &Event<'_>| {
        let path = event.path.to_string();
        if event.call == Call::SyncVolume {
            synced.store(true, Ordering::SeqCst);
        } else if is_staged(&path) && synced.load(Ordering::SeqCst) && !fired.swap(true, Ordering::SeqCst) {
            disk.flip_on_device(&path, 100);
        }
        Act::Go
    };
    let report = bench.run(OnError::Continue, Some(Arc::new(script)), &Control::default());
    assert!(flipped.load(Ordering::SeqCst), "the fault fired");
    let done = report.items.iter().find(|item| matches!(item.outcome, Outcome::Done { .. }));
    let done = done.filter(|item| item.action == ActionKind::Replace);
    done.map_or(Ok(()), |item| Err(format!("{} was verified, and is not what the device holds", item.path)))
}

/// As [`flipped_bit`], of a file that is synced by itself, on a disk that takes a request to be read past the cache
/// and answers from it.
fn flipped_bit_in_a_large_file() -> Result<(), String> {
    [Scenario::Large, Scenario::LargeStaged].into_iter().try_for_each(|scenario| {
        let bench = Bench::new(scenario, BEST);
        let flipped = Arc::new(AtomicBool::new(false));
        let (disk, fired, synced) = (bench.right.clone(), Arc::clone(&flipped), Mutex::new(String::new()));
        let script = move |event: &Event<'_>| {
            let (path, mut synced) = (event.path.to_string(), synced.lock().unwrap());
            if is_staged(&path) && event.call == Call::Sync && synced.is_empty() {
                *synced = path;
            } else if path == *synced && !fired.swap(true, Ordering::SeqCst) {
                disk.flip_on_device(&path, 100);
            }
            Act::Go
        };
        let report = bench.run(OnError::Continue, Some(Arc::new(script)), &Control::default());
        if !flipped.load(Ordering::SeqCst) {
            return Err("no file was synced before it was read back".into());
        }
        // Which of the two files it hit is no matter: it must not be there.
        let failed = report.items.iter().any(|item| matches!(item.outcome, Outcome::Failed { .. }));
        if failed {
            Ok(())
        } else {
            Err(format!("{scenario:?} was verified, and is not what the device holds"))
        }
    })
}

/// Another program gives a file of its own the name that an item is about to get.
fn taken_name() -> Result<(), String> {
    let bench = Bench::new(Scenario::Respell, BEST);
    let (disk, fired) = (bench.right.clone(), Arc::new(AtomicBool::new(false)));
    let made = Arc::clone(&fired);
    let script = move |event: &Event<'_>| {
        let renames = matches!(event.call, Call::RenameNoReplace | Call::RenameReplace);
        if renames && event.path.as_bytes() == b"equal" && !made.swap(true, Ordering::SeqCst) {
            disk.put("Equal", &noise(70, 77), 0o644, Time::new(5, 5));
        }
        Act::Go
    };
    bench.run(OnError::Continue, Some(Arc::new(script)), &Control::default());
    assert!(fired.load(Ordering::SeqCst), "the fault fired");
    let stays = bench.right.read("Equal").is_some_and(|found| *found == noise(70, 77));
    if stays { Ok(()) } else { Err("a file was renamed over somebody else's".into()) }
}

/// A run is rolled back on a volume on which by then every item has another number, and others have theirs. Links,
/// because of a file the hash is known, which decides also where a number led astray.
fn other_numbers() -> Result<(), String> {
    let bench = Bench::new(Scenario::Links, DiskRules { restless: true, ..BEST });
    let before = tree(&bench.right, &bench.way);
    bench.run(OnError::Continue, None, &Control::default());
    assert!(tree(&bench.right, &bench.way) != before, "something was done");
    let recovery = fcs_engine::history::undo(&bench.way.root(&bench.right), None, &Control::default())
        .map_err(|e| e.to_string())?;
    let told = recovery.items.iter().find_map(|item| item.error.as_ref());
    told.map_or(Ok(()), |error| Err(format!("undo refused its own work:\n{error}")))
}

/// Another program writes to the source between two reads of it.
fn changing_source() -> Result<(), String> {
    let mut bench = Bench::new(Scenario::LargeStaged, BEST);
    bench.settings.network_chunk_bytes = 2000;
    let (disk, fired) = (bench.left.clone(), Arc::new(AtomicBool::new(false)));
    let changed = Arc::clone(&fired);
    bench.source_script = Some(Arc::new(move |event: &Event<'_>| {
        let reads = event.call == Call::Read && event.path.as_bytes() == b"large" && event.offset > 0;
        if reads && !changed.swap(true, Ordering::SeqCst) {
            let file = disk.root().dir.open_file(&Name::new(*b"large").unwrap(), Access::ReadWrite).unwrap();
            write_all_at(&*file, &noise(6000, 77), 0).unwrap();
        }
        Act::Go
    }));
    bench.run(OnError::Continue, None, &Control::default());
    assert!(fired.load(Ordering::SeqCst), "the fault fired");
    let found = bench.right.read("large").unwrap();
    // The old target, or the one state of the source that held still.
    let whole = [noise(5000, 3), noise(6000, 77)].contains(&found);
    if whole { Ok(()) } else { Err("what was committed never was the source".into()) }
}

/// A folder the run has just made is swapped for a link to somewhere else.
fn swapped_folder() -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    let [left, right, outside] = ["left", "right", "outside"].map(|name| place.path().join(name));
    for folder in [&left, &right, &outside] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::create_dir(left.join("made")).unwrap();
    std::fs::write(left.join("made/f"), noise(600, 2)).unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let (seen, swap, away, to) =
        (Arc::clone(&made), right.join("made"), place.path().join("away"), outside.clone());
    let script = move |event: &Event<'_>| {
        let there = event.call == Call::OpenDir && event.path.as_bytes() == b"made" && swap.is_dir();
        if there && seen.fetch_add(1, Ordering::SeqCst) == 0 {
            std::fs::rename(&swap, &away).unwrap();
            std::os::unix::fs::symlink(&to, &swap).unwrap();
        }
        Act::Go
    };
    let (source, target) = (open_root(&left).unwrap(), open_root(&right).unwrap());
    suite::cases::copy(&source, &target, &wrap(&target, "target", Arc::new(script)));
    assert!(made.load(Ordering::SeqCst) > 0, "the fault fired");
    let escaped = std::fs::read_dir(&outside).unwrap().next().is_some();
    if escaped { Err("the run wrote outside its roots".into()) } else { Ok(()) }
}

/// The first sync of each copy fails, and the system drops what it could not write: the next sync of the same
/// file succeeds, and proves nothing.
fn failing_sync() -> Result<(), String> {
    let mut cases = Vec::new();
    for scenario in [Scenario::Large, Scenario::Replace] {
        let bench = Bench::new(scenario, NO_VOLUME_SYNC);
        let failed: Mutex<(HashSet<String>, HashSet<String>)> = Mutex::default();
        let script = move |event: &Event<'_>| {
            let path = event.path.to_string();
            if !is_staged(&path) {
                return Act::Go;
            }
            let (broken, ever) = &mut *failed.lock().unwrap();
            match event.call {
                Call::CreateFile => {
                    broken.remove(&path);
                    Act::Go
                }
                Call::Sync if broken.contains(&path) => Act::Lie,
                Call::Sync if ever.insert(path.clone()) => {
                    broken.insert(path);
                    Act::Fail(5)
                }
                _ => Act::Go,
            }
        };
        cases.push(record_script(&bench, Arc::new(script)));
    }
    explore(&cases, &small_plan()).map(drop).map_err(|violation| violation.0)
}

/// The committer ends in a panic.
fn panic_in_the_middle() -> Result<(), String> {
    let run = catch_unwind(panics::a_panic_while_renaming_stops_the_run_before_its_removals);
    run.map_err(|why| match why.downcast_ref::<String>() {
        Some(why) => why.clone(),
        None => "a panic in the middle of a run was passed over".into(),
    })
}

#[derive(Default)]
struct Told(AtomicUsize);

impl Observer for Told {
    fn error(&self, _: &Error) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A copy fails, and so does its removal.
fn failing_clean_up() -> Result<(), String> {
    let bench = Bench::new(Scenario::Replace, BEST);
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let script = move |event: &Event<'_>| {
        let staged = is_staged(&event.path.to_string());
        match event.call {
            Call::Read if staged => Act::Fail(5),
            Call::RemoveFile if staged && count.fetch_add(1, Ordering::SeqCst) == 0 => Act::Fail(5),
            _ => Act::Go,
        }
    };
    let told = Arc::new(Told::default());
    let control = Control { observer: Arc::clone(&told) as Arc<dyn Observer>, ..Control::default() };
    bench.run(OnError::Continue, Some(Arc::new(script)), &control);
    assert!(fired.load(Ordering::SeqCst) > 0, "the fault fired");
    let left = tree(&bench.right, &bench.way);
    match (strays(&left), told.0.load(Ordering::SeqCst)) {
        (Some(stray), 0) => Err(format!("{stray} stayed, and nobody was told")),
        (Some(stray), _) => Err(format!("{stray} stayed")),
        (None, 0) => Err("nobody was told".into()),
        (None, _) => Ok(()),
    }
}

/// The source lists a file, and every look-up of it says that there is none (a broken overlay or encrypted entry).
fn listed_and_not_found() -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    let [left, right] = ["left", "right"].map(|name| place.path().join(name));
    for folder in [&left, &right] {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("only"), noise(600, 2)).unwrap();
    }
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let script = move |event: &Event<'_>| {
        if event.call == Call::Stat && event.path.as_bytes() == b"only" {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(2);
        }
        Act::Go
    };
    let (source, target) = (open_root(&left).unwrap(), open_root(&right).unwrap());
    suite::cases::copy(&wrap(&source, "source", Arc::new(script)), &target, &target);
    assert!(fired.load(Ordering::SeqCst) > 0, "the fault fired");
    if right.join("only").exists() { Ok(()) } else { Err("a file that the source lists was removed".into()) }
}
