//! Ways in which recovery or undo could lose an original, each found by somebody who tried to.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, age, noise};
use fcs_engine::compare::Side;
use fcs_engine::history::{
    Clearing, RecoverMode, RunState, clear_leftovers, leftovers, list, recover, root_above, undo, unfinished,
    unreadable,
};
use fcs_engine::plan::plan_orphans;
use fcs_engine::report::RunResult;
use fcs_engine::run::{RunOptions, run};
use fcs_engine::settings::Undo;
use fcs_testkit::faulty::{Act, Call, wrap};
use fcs_testkit::vices::{Vice, Wicked};
use fcs_testkit::{skip, test_name};

const EIO: i32 = 5;

/// Three files that differ on both sides.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    for i in 1..=3 {
        let name = format!("f{i}");
        std::fs::write(bench.left.join(&name), noise(3000 + i, i as u64)).unwrap();
        std::fs::write(bench.right.join(&name), old(i)).unwrap();
        age(&bench.right.join(&name));
    }
    bench
}

fn old(i: usize) -> Vec<u8> {
    noise(500 + i, 100 + i as u64)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

/// Whether these bytes are anywhere below the root, the undo store included.
fn is_somewhere(bytes: &[u8], root: &Path) -> bool {
    files_below(root).iter().any(|path| std::fs::read(path).unwrap() == bytes)
}

fn journal_of(bench: &Bench) -> PathBuf {
    let mut files = files_below(&bench.right.join(".fcs/runs"));
    // Beside each journal is its index.
    files.retain(|path| path.extension().is_some_and(|end| end == "journal"));
    files.pop().unwrap()
}

/// A run that ends with its originals still under their staged names, as after a kill right behind the swaps.
fn interrupted_behind_the_swaps() -> Bench {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let mut bench = bench().script(move |event| {
        if event.call == Call::RenameNoReplace && event.path.to_string().contains(".part") {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(EIO);
        }
        Act::Go
    });
    let report = bench.copy();
    assert!(refused.load(Ordering::SeqCst) >= 3, "the fault fired");
    assert_eq!(report.result, RunResult::Stopped, "{:#?}", report.items);
    bench.run_script = None;
    bench
}

#[test]
fn an_original_that_was_written_to_during_the_interruption_is_kept_and_comes_back() {
    for how in [RecoverMode::Keep, RecoverMode::RollBack] {
        let bench = interrupted_behind_the_swaps();
        let displaced = files_below(&bench.right)
            .into_iter()
            .find(|path| {
                path.extension().is_some_and(|e| e == "part") && std::fs::read(path).unwrap() == old(2)
            })
            .expect("the original waits under the staged name");
        std::fs::File::options().append(true).open(&displaced).unwrap().write_all(b"one line more").unwrap();
        let edited = [old(2), b"one line more".to_vec()].concat();

        let root = bench.roots().1;
        recover(&root, how, &bench.control).unwrap();
        assert!(is_somewhere(&edited, &bench.right), "{how:?}: the edit is lost");
        if how == RecoverMode::Keep {
            undo(&root, None, &bench.control).unwrap();
        }
        assert_eq!(std::fs::read(bench.right.join("f2")).unwrap(), edited, "{how:?}");
        assert_eq!(std::fs::read(bench.right.join("f1")).unwrap(), old(1), "{how:?}");
    }
}

#[test]
fn what_another_program_put_at_a_name_costs_no_original_when_the_run_is_taken_back() {
    let bench = interrupted_behind_the_swaps();
    std::fs::write(bench.right.join("f1"), "edited during the interruption").unwrap();
    let root = bench.roots().1;
    let recoveries = recover(&root, RecoverMode::RollBack, &bench.control).unwrap();
    assert!(!recoveries[0].is_clean() && recoveries[0].state == RunState::PartlyUndone, "{recoveries:#?}");
    assert_eq!(std::fs::read(bench.right.join("f1")).unwrap(), b"edited during the interruption");
    assert!(is_somewhere(&old(1), &bench.right), "the original is in the undo store");
}

#[test]
fn a_damaged_or_shortened_journal_costs_no_original() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("a flipped bit in the list", |bytes| bytes[200] ^= 1),
        ("cut behind the list", |bytes| bytes.truncate(4096)),
        ("cut in the first record", |bytes| bytes.truncate(20)),
        ("emptied", Vec::clear),
    ];
    for (what, damage) in damages {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            let bench = bench();
            assert_eq!(bench.copy().result, RunResult::Completed);
            let path = journal_of(&bench);
            let mut bytes = std::fs::read(&path).unwrap();
            damage(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
            let root = bench.roots().1;
            let _ = recover(&root, how, &bench.control).unwrap();
            let _ = undo(&root, None, &bench.control);
            let _ = recover(&root, how, &bench.control).unwrap();
            for i in 1..=3 {
                assert!(is_somewhere(&old(i), &bench.right), "{what}, {how:?}: original {i} is lost");
            }
            // Nor does the next run sweep away what it does not understand; what it does, it prunes as always.
            let known = list(&root).unwrap().iter().any(|run| run.undoable);
            std::fs::write(bench.left.join("f1"), noise(4000, 9)).unwrap();
            let _ = bench.try_run(&bench.plan());
            assert!(known || is_somewhere(&old(2), &bench.right), "{what}, {how:?}: the next run lost it");
        }
    }
}

/// R5, E13: originals wait under staged names, and the journal is gone, empty, or cut in its list.
#[test]
fn what_lies_about_without_a_journal_is_told_and_deleted_only_if_it_is_elsewhere_too() {
    for what in ["removed", "emptied", "cut in its list"] {
        let bench = interrupted_behind_the_swaps();
        let journal = journal_of(&bench);
        match what {
            "removed" => std::fs::remove_file(&journal).unwrap(),
            "emptied" => std::fs::write(&journal, "").unwrap(),
            _ => std::fs::File::options().write(true).open(&journal).unwrap().set_len(200).unwrap(),
        }
        let root = bench.roots().1;
        assert!(unfinished(&root).unwrap().is_empty() || what == "cut in its list");
        assert_eq!(unreadable(&root).unwrap().len(), usize::from(what == "emptied"), "{what}");
        assert!(recover(&root, RecoverMode::Keep, &bench.control).unwrap().is_empty(), "{what}");
        let found = leftovers(&root, None, &bench.control).unwrap();
        assert_eq!(found.len(), 3, "{what}: {found:?}");
        assert!(
            found.iter().all(|leftover| leftover.same_as.is_none()),
            "only copies of originals: {found:?}"
        );
        let untouched = clear_leftovers(&root, None, Clearing::Delete, &bench.control).unwrap();
        assert!(untouched.iter().all(|cleared| !cleared.deleted), "{untouched:?}");

        // One of them is elsewhere too.
        std::fs::write(bench.right.join("copy of f2"), old(2)).unwrap();
        let cleared = clear_leftovers(&root, None, Clearing::Delete, &bench.control).unwrap();
        let deleted: Vec<_> = cleared.iter().filter(|cleared| cleared.deleted).collect();
        assert_eq!(deleted.len(), 1, "{what}: {cleared:?}");
        assert_eq!(deleted[0].leftover.same_as.as_deref(), Some("copy of f2"));
        let restored = clear_leftovers(&root, None, Clearing::Restore, &bench.control).unwrap();
        for (cleared, wanted) in restored.iter().zip([old(1), old(3)]) {
            let path = cleared.restored_as.as_ref().expect("a visible name").to_string();
            assert!(path.starts_with("recovered-"), "{path}");
            assert_eq!(std::fs::read(bench.right.join(path)).unwrap(), wanted, "{what}");
        }
        assert!(leftovers(&root, None, &bench.control).unwrap().is_empty());
        common::assert_no_strays_beside(&bench.right);
        assert!(
            !bench.right.join(".fcs").exists(),
            "{what}: a journal that says nothing is of no use any more"
        );
    }
}

/// What an interrupted run left in a folder below its root is none of that folder's leftovers, although there is no journal
/// in it.
#[test]
fn a_folder_below_the_root_of_a_run_has_none_of_its_files_as_leftovers() {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    for side in [&bench.left, &bench.right] {
        std::fs::create_dir(side.join("sub")).unwrap();
    }
    std::fs::write(bench.left.join("sub/f"), "the new one").unwrap();
    std::fs::write(bench.right.join("sub/f"), "old").unwrap();
    std::fs::write(bench.right.join("sub/elsewhere too"), "old").unwrap();
    let mut bench = bench.script(|event| match event.call {
        Call::RenameNoReplace if event.path.to_string().contains(".part") => Act::Fail(EIO),
        _ => Act::Go,
    });
    assert_eq!(bench.copy().result, RunResult::Stopped);
    bench.run_script = None;
    let sub = fcs_sys::open_root(&bench.right.join("sub")).unwrap();
    let ours = || {
        let names = std::fs::read_dir(bench.right.join("sub")).unwrap();
        names.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".fcs-")).count()
    };
    assert_eq!(ours(), 1, "the original under a staged name");
    assert!(leftovers(&sub, None, &bench.control).unwrap().is_empty());
    for what in [Clearing::Delete, Clearing::Restore] {
        assert!(clear_leftovers(&sub, None, what, &bench.control).unwrap().is_empty(), "{what:?}");
    }
    assert_eq!(ours(), 1);
    assert_eq!(root_above(&sub).unwrap().path, bench.roots().1.path);
    recover(&bench.roots().1, RecoverMode::RollBack, &bench.control).unwrap();
    assert_eq!(std::fs::read(bench.right.join("sub/f")).unwrap(), b"old");
}

/// R5: what was copied from is still there, so unfinished copies of it may go.
#[test]
fn an_unfinished_copy_without_a_journal_may_go_if_its_source_is_given() {
    let bench = bench();
    let (left, right) = bench.roots();
    std::fs::write(bench.right.join(".fcs-abc1-1.part"), noise(3001, 1)).unwrap();
    std::fs::write(bench.right.join(".fcs-abc1-2.part"), "a part of something").unwrap();
    assert_eq!(
        leftovers(&right, None, &bench.control).unwrap().iter().filter(|l| l.same_as.is_some()).count(),
        0
    );
    let cleared = clear_leftovers(&right, Some(&left), Clearing::Delete, &bench.control).unwrap();
    assert_eq!(
        cleared.iter().map(|cleared| cleared.deleted).collect::<Vec<_>>(),
        [true, false],
        "{cleared:?}"
    );
    assert!(bench.right.join(".fcs-abc1-2.part").exists());
    assert!(bench.left.join("f1").exists());
}

/// R5: a folder below the root can be the target of runs of its own. What they left there is theirs: their journals say
/// what it is, whatever the root's say.
#[test]
fn what_runs_on_a_folder_below_left_there_is_not_the_roots() {
    let inner = interrupted_behind_the_swaps();
    let outer = inner.right.parent().unwrap();
    let before = files_below(&inner.right);
    std::fs::create_dir(inner.right.join("deep")).unwrap();
    std::fs::write(inner.right.join("deep/.fcs-abc1-1.part"), old(1)).unwrap();
    // Lies beside, so that deleting is allowed too.
    std::fs::write(inner.right.join("copy of f2"), old(2)).unwrap();
    let root = fcs_sys::open_root(outer).unwrap();
    let found = leftovers(&root, None, &inner.control).unwrap();
    assert!(found.is_empty(), "{found:?}");
    for what in [Clearing::Delete, Clearing::Restore] {
        let cleared = clear_leftovers(&root, None, what, &inner.control).unwrap();
        assert!(cleared.is_empty(), "{cleared:?}");
    }
    for path in before {
        assert!(path.exists(), "{} is gone", path.display());
    }
    let recoveries = recover(&inner.roots().1, RecoverMode::RollBack, &inner.control).unwrap();
    assert!(recoveries.len() == 1 && recoveries[0].is_clean(), "{recoveries:#?}");
    for i in 1..=3 {
        assert_eq!(std::fs::read(inner.right.join(format!("f{i}"))).unwrap(), old(i));
    }
}

/// E12: the last block of the journal of a finished run with removals is lost.
#[test]
fn a_folder_keeps_the_time_that_was_reported_when_the_end_of_the_journal_is_lost() {
    let bench = bench();
    for side in [&bench.left, &bench.right] {
        std::fs::create_dir(side.join("d")).unwrap();
        std::fs::write(side.join("d/stays"), "same").unwrap();
        age(&side.join("d/stays"));
    }
    std::fs::write(bench.left.join("d/new"), "new").unwrap();
    std::fs::write(bench.right.join("d/orphan"), "orphan").unwrap();
    age(&bench.left.join("d"));
    let plan = fcs_engine::plan::plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let report = bench.run(&plan);
    assert!(report.counts.removed == 1 && report.counts.failed == 0, "{:#?}", report.items);
    let time = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(time(&bench.right.join("d")), time(&bench.left.join("d")), "reported");
    let journal = journal_of(&bench);
    let length = std::fs::metadata(&journal).unwrap().len();
    std::fs::File::options().write(true).open(&journal).unwrap().set_len(length - 4096).unwrap();
    let root = bench.roots().1;
    let recoveries = recover(&root, RecoverMode::Keep, &bench.control).unwrap();
    assert!(recoveries.len() == 1 && recoveries[0].is_clean(), "{recoveries:#?}");
    assert_eq!(time(&bench.right.join("d")), time(&bench.left.join("d")), "what was reported is there");
    assert!(!bench.right.join("d/orphan").exists() && bench.right.join("d/new").exists());
}

/// E11: as after a kill behind the making of folders, below one whose group is inherited.
#[test]
fn folders_made_below_a_set_gid_folder_get_their_mode_when_they_are_recovered() {
    use std::os::unix::fs::PermissionsExt;
    let bench = bench();
    std::fs::create_dir_all(bench.left.join("shared/made/deep")).unwrap();
    std::fs::create_dir(bench.right.join("shared")).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let set = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    set(&bench.left.join("shared/made"), 0o750);
    set(&bench.left.join("shared/made/deep"), 0o755);
    set(&bench.right.join("shared"), 0o2775);
    let (killed, fired) = (std::sync::atomic::AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&fired);
    let plan = bench.plan();
    let mut bench = bench.script_all(move |event| {
        // The deepest folder is made; from the next call on the target nothing happens any more.
        let dead = killed.load(Ordering::SeqCst);
        if event.call == Call::CreateDir && event.path.to_string().ends_with("deep") {
            killed.store(true, Ordering::SeqCst);
        }
        if dead && event.side == "target" {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(EIO);
        }
        Act::Go
    });
    let _ = bench.try_run(&plan);
    bench.run_script = None;
    let deep = bench.right.join("shared/made/deep");
    assert!(fired.load(Ordering::SeqCst) > 0 && mode(&deep) == 0o2700, "as made: {:o}", mode(&deep));
    let recoveries = recover(&bench.roots().1, RecoverMode::Keep, &bench.control).unwrap();
    assert!(recoveries.iter().all(fcs_engine::history::RecoveryReport::is_clean), "{recoveries:#?}");
    assert_eq!((mode(&bench.right.join("shared/made")), mode(&deep)), (0o750, 0o755), "{recoveries:#?}");
    assert_eq!(mode(&bench.right.join("shared")), 0o2775);
}

/// The journal says that the run was about to make it, and the program was killed before it did.
#[test]
fn a_folder_that_somebody_else_made_where_the_run_was_about_to_is_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    for how in [RecoverMode::Keep, RecoverMode::RollBack] {
        let (bench, made) = interrupted_at(Bench::new(), Call::CreateDir, false);
        std::fs::create_dir(&made).unwrap();
        std::fs::set_permissions(&made, PermissionsExt::from_mode(0o711)).unwrap();
        let looks = |path: &Path| {
            let now = std::fs::metadata(path).unwrap();
            (now.modified().unwrap(), now.permissions().mode())
        };
        let before = looks(&made);
        let recoveries = recover(&bench.roots().1, how, &bench.control).unwrap();
        assert!(!recoveries.is_empty() && made.exists(), "{how:?}: {recoveries:#?}");
        assert_eq!(looks(&made), before, "{how:?}: {recoveries:#?}");
    }
}

#[test]
fn a_folder_that_somebody_made_in_place_of_the_runs_stays_when_that_is_undone() {
    let mut bench = Bench::new();
    std::fs::create_dir(bench.left.join("made")).unwrap();
    bench.settings.undo = Undo::Last;
    let run = bench.copy().run;
    let made = bench.right.join("made");
    // Another one of that name, which cannot have got the number of the first.
    std::fs::create_dir(bench.right.join("other")).unwrap();
    std::fs::remove_dir(&made).unwrap();
    std::fs::rename(bench.right.join("other"), &made).unwrap();
    let recovery = undo(&bench.roots().1, Some(&run), &bench.control).unwrap();
    assert!(made.exists(), "{recovery:#?}");
}

/// When it has its mode and time, the journal alone tells whose it is.
#[test]
fn a_folder_that_the_run_made_and_finished_is_known_after_a_kill() {
    let (bench, made) = interrupted_at(Bench::new(), Call::SetTimes, true);
    assert!(made.exists());
    let recoveries = recover(&bench.roots().1, RecoverMode::RollBack, &bench.control).unwrap();
    assert!(recoveries.iter().all(fcs_engine::history::RecoveryReport::is_clean), "{recoveries:#?}");
    assert!(!made.exists(), "{recoveries:#?}");
}

/// Where all folders look alike, the journal tells whose they are.
#[test]
fn a_folder_that_shows_no_mode_is_known_by_the_journal() {
    let disk = match Wicked::new(&[Vice::ModesAre(0o777)]) {
        Ok(disk) => disk,
        Err(reason) => return skip(test_name!(), &reason.reason),
    };
    let mut bench = Bench::new();
    bench.right = disk.path().join("right");
    std::fs::create_dir(&bench.right).unwrap();
    let (bench, made) = interrupted_at(bench, Call::CreateDir, true);
    assert!(made.exists());
    let recoveries = recover(&bench.roots().1, RecoverMode::RollBack, &bench.control).unwrap();
    assert!(!made.exists(), "{recoveries:#?}");
}

/// A run that is to make an empty folder and is killed at a call for it, done or not. With the folder's path.
fn interrupted_at(mut bench: Bench, at: Call, done: bool) -> (Bench, PathBuf) {
    bench.settings.undo = Undo::Last;
    std::fs::create_dir(bench.left.join("made")).unwrap();
    let (killed, hit) = (std::sync::atomic::AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&hit);
    let plan = bench.plan();
    let mut bench = bench.script_all(move |event| {
        if event.side != "target" {
            return Act::Go;
        }
        if event.call == at && event.path.to_string() == "made" && !killed.swap(true, Ordering::SeqCst) {
            count.fetch_add(1, Ordering::SeqCst);
            return if done { Act::Go } else { Act::Fail(EIO) };
        }
        if killed.load(Ordering::SeqCst) { Act::Fail(EIO) } else { Act::Go }
    });
    let _ = bench.try_run(&plan);
    assert_eq!(hit.load(Ordering::SeqCst), 1);
    bench.run_script = None;
    let made = bench.right.join("made");
    (bench, made)
}

#[test]
fn a_removal_that_can_be_neither_finished_nor_taken_back_keeps_the_file() {
    let bench = bench();
    std::fs::write(bench.right.join("orphan"), "the only copy").unwrap();
    let plan = plan_orphans(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let (left, right) = bench.roots();
    let script = move |event: &fcs_testkit::faulty::Event<'_>| {
        let path = event.path.to_string();
        let back = event.call == Call::RenameNoReplace && path.starts_with(".fcs/undo/");
        if back || (event.call == Call::SyncVolume && path == ".") {
            count.fetch_add(1, Ordering::SeqCst);
            return Act::Fail(EIO);
        }
        Act::Go
    };
    let right = wrap(&right, "target", Arc::new(script));
    let options = RunOptions { command: "orphans".into(), ..RunOptions::default() };
    let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
    assert!(fired.load(Ordering::SeqCst) >= 2, "the fault fired");
    assert_eq!(report.counts.removed, 0, "{:#?}", report.items);
    assert!(is_somewhere(b"the only copy", &bench.right), "{:#?}", report.items);
    let root = bench.roots().1;
    let _ = recover(&root, RecoverMode::RollBack, &bench.control).unwrap();
    let _ = undo(&root, None, &bench.control);
    assert_eq!(std::fs::read(bench.right.join("orphan")).unwrap(), b"the only copy");
}

#[test]
fn an_id_sorts_behind_earlier_ones_whatever_the_clock_says() {
    let mut bench = bench();
    bench.settings.undo = Undo::Days(9);
    let (left, right) = bench.roots();
    let mut ids = Vec::new();
    for run_id in ["fffffffffffff0000", "660e5e38c4b457961"] {
        std::fs::write(bench.left.join("f1"), noise(100 + ids.len(), 50)).unwrap();
        let options = RunOptions { run_id: run_id.parse().ok(), ..RunOptions::default() };
        let report = run(&bench.plan(), &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
        ids.push(report.run);
    }
    assert!(ids[0] < ids[1], "{ids:?}");
    let recovery = undo(&right, None, &bench.control).unwrap();
    assert_eq!(recovery.run, ids[1], "the latest run is undone first");
}

#[test]
fn a_lock_that_is_a_second_name_of_another_file_is_not_written_to() {
    let bench = bench();
    let precious = bench.left.parent().unwrap().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    std::fs::create_dir(bench.right.join(".fcs")).unwrap();
    std::fs::hard_link(&precious, bench.right.join(".fcs/lock")).unwrap();
    assert!(bench.try_run(&bench.plan()).is_err());
    assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
}

/// Another program's save: written beside and renamed over.
fn save(path: &Path, text: &str) {
    let spare = path.with_extension("saving");
    std::fs::write(&spare, text).unwrap();
    std::fs::rename(spare, path).unwrap();
}

#[test]
fn a_target_saved_twice_around_the_swap_loses_neither_save() {
    let bench = bench();
    let target = bench.right.join("f1");
    let (swaps, path) = (Arc::new(AtomicUsize::new(0)), target.clone());
    let count = Arc::clone(&swaps);
    // The first look passes; then a save comes right before the swap, and the next right before it is rolled back.
    let plan = bench.plan();
    let bench = bench.script(move |event| {
        let first = event.path.to_string().ends_with("-1.part");
        if event.call == Call::RenameExchange && first {
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => save(&path, "the first save"),
                1 => save(&path, "the second save"),
                _ => {}
            }
        }
        Act::Go
    });
    let report = bench.run(&plan);
    assert_eq!(swaps.load(Ordering::SeqCst), 2, "both saves came");
    assert_eq!(report.counts.failed, 1, "{:#?}", report.items);
    assert!(is_somewhere(b"the second save", &bench.right), "{:#?}", report.items);
    assert!(is_somewhere(b"the first save", &bench.right), "{:#?}", report.items);
    common::assert_no_strays_beside(&bench.right);
}

#[test]
fn a_new_file_saved_over_while_it_is_taken_back_stays() {
    for replaces in [false, true] {
        let bench = bench();
        if !replaces {
            std::fs::remove_file(bench.right.join("f1")).unwrap();
        }
        let (fired, path) = (Arc::new(AtomicUsize::new(0)), bench.right.join("f1"));
        let count = Arc::clone(&fired);
        let plan = bench.plan();
        let swaps = AtomicUsize::new(0);
        let bench = bench.script(move |event| {
            let text = event.path.to_string();
            if event.call == Call::SyncVolume || (event.call == Call::Sync && text == ".") {
                // The content is durable, the names cannot be made so.
                return if swaps.load(Ordering::SeqCst) > 0 { Act::Fail(EIO) } else { Act::Go };
            }
            let places = matches!(event.call, Call::RenameExchange | Call::RenameNoReplace);
            // What reverses it: the second exchange, or the new name being renamed away.
            let back = event.call == Call::RenameExchange && swaps.load(Ordering::SeqCst) > 0
                || event.call == Call::RenameNoReplace && text == "f1";
            if back
                && (text == "f1" || text.ends_with("-1.part"))
                && count.fetch_add(1, Ordering::SeqCst) == 0
            {
                save(&path, "saved meanwhile");
            }
            if places && text.ends_with("-1.part") {
                swaps.fetch_add(1, Ordering::SeqCst);
            }
            Act::Go
        });
        let report = bench.run(&plan);
        assert!(fired.load(Ordering::SeqCst) > 0, "replaces {replaces}: the save came: {:#?}", report.items);
        assert!(is_somewhere(b"saved meanwhile", &bench.right), "replaces {replaces}: {:#?}", report.items);
        assert!(!replaces || is_somewhere(&old(1), &bench.right), "{:#?}", report.items);
    }
}
