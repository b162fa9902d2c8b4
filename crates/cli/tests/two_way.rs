//! `fcs sync --mode …` from end to end, with the memory in the user's state folder.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Bench, json_lines, write};
use fcs_testkit::{Options, diff, listing};

fn two_way(bench: &Bench, args: &[&str]) -> fcs_testkit::bin::Run {
    bench.run("sync", &[&["-y", "--mode", "two-way"], args].concat())
}

fn assert_equal(bench: &Bench) {
    let [left, right] = [&bench.left, &bench.right].map(|root| {
        let mut seen = listing(root, &Options::default()).unwrap();
        seen.retain(|path, _| !path.starts_with(".fcs"));
        seen
    });
    assert_eq!(diff(&left, &right), [""; 0]);
}

/// Everything on both sides, `.fcs` aside.
fn seen(bench: &Bench) -> [fcs_testkit::Listing; 2] {
    [&bench.left, &bench.right].map(|root| {
        let mut seen = listing(root, &Options::default()).unwrap();
        seen.retain(|path, _| !path.starts_with(".fcs"));
        seen
    })
}

#[test]
fn a_first_run_says_so_and_later_ones_carry_changes_and_removals_both_ways() {
    let bench = Bench::new();
    bench.left("from left", "l", 1);
    bench.right("from right", "r", 1);
    bench.both("stays", "s", 1);
    let first = two_way(&bench, &[]).expect_code(0);
    let why =
        "This is a first run, because nothing is remembered of these two folders yet: nothing is removed";
    assert!(first.stdout.contains(why), "{first}");
    assert_equal(&bench);
    bench.left("from right", "edited on the left", 9);
    fs::remove_file(bench.right.join("from left")).unwrap();
    let before = seen(&bench);
    let second = two_way(&bench, &[]).expect_code(0);
    assert!(!second.stdout.contains("first run"), "{second}");
    assert!(!bench.left.join("from left").exists());
    assert_equal(&bench);
    let third = two_way(&bench, &[]).expect_code(0);
    assert!(third.stdout.contains("Nothing to do: both folders have what they are to have."), "{third}");

    // From either side both go back, and what goes back is forgotten: in doubt it is new, and nothing of it is removed.
    let undone = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert!(undone.stdout.contains("LEFT") && undone.stdout.contains("RIGHT"), "{undone}");
    for (before, now) in before.iter().zip(seen(&bench)) {
        assert_eq!(diff(before, &now), [""; 0]);
    }
    let again = two_way(&bench, &[]).expect_code(3);
    assert!(!again.stdout.contains("first run"), "{again}");
    assert!(again.stdout.contains("! from right  left for later"), "{again}");
    assert!(bench.right.join("from left").exists() && bench.left.join("from left").exists());
}

/// What an undo takes from a side must not look like a removal by its user.
#[test]
fn what_was_undone_is_not_taken_for_removed() {
    let bench = Bench::new();
    bench.both("stays", "s", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    bench.left("new", "the only copy", 2);
    let _ = two_way(&bench, &[]).expect_code(0);
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert!(!bench.right.join("new").exists());
    let _ = two_way(&bench, &[]).expect_code(0);
    assert_eq!(fs::read_to_string(bench.left.join("new")).unwrap(), "the only copy");
    assert_eq!(fs::read_to_string(bench.right.join("new")).unwrap(), "the only copy");
}

/// A disk that was undone alone, or on another computer, and one whose runs are gone.
#[test]
fn what_was_undone_on_one_side_alone_is_not_taken_for_removed_either() {
    let bench = Bench::new();
    bench.both("stays", "s", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    bench.right("new", "the only copy", 2);
    bench.left("edited", "to the right", 2);
    let _ = two_way(&bench, &[]).expect_code(0);
    // The right side is away while the left one is undone.
    let away = bench.dir.path().join("away");
    fs::rename(&bench.right, &away).unwrap();
    let _ = bench.run_on_left("undo", &["-y"]).expect_code(0);
    assert!(!bench.left.join("new").exists());
    fs::rename(&away, &bench.right).unwrap();
    let _ = two_way(&bench, &[]).expect_code(0);
    assert_eq!(fs::read_to_string(bench.right.join("new")).unwrap(), "the only copy");

    // By somebody who has no memory of the pair.
    bench.right("second", "the only copy too", 3);
    bench.left("other", "to the right", 3);
    let _ = two_way(&bench, &[]).expect_code(0);
    let state = bench.fcs.home().join("state");
    let hidden = bench.fcs.home().join("another user's");
    fs::rename(&state, &hidden).unwrap();
    fs::rename(&bench.right, &away).unwrap();
    let _ = bench.run_on_left("undo", &["-y"]).expect_code(0);
    fs::rename(&away, &bench.right).unwrap();
    let _ = fs::remove_dir_all(&state);
    fs::rename(&hidden, &state).unwrap();
    let run = two_way(&bench, &[]).expect_code(0);
    assert!(run.stdout.contains("counts as not seen before"), "{run}");
    assert_eq!(fs::read_to_string(bench.right.join("second")).unwrap(), "the only copy too");
}

/// Undoes the latest run without the memory of the pair, as another computer does.
fn undone_elsewhere(bench: &Bench) {
    let state = bench.fcs.home().join("state");
    let hidden = bench.fcs.home().join("another user's");
    fs::rename(&state, &hidden).unwrap();
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    let _ = fs::remove_dir_all(&state);
    fs::rename(&hidden, &state).unwrap();
}

/// Whatever ran and however it is undone: the only copy of a file stays where its user made it.
#[test]
fn no_undo_makes_a_two_way_run_remove_what_the_undone_one_had_copied() {
    type Undone = fn(&Bench);
    let cases: [(&str, Undone); 7] = [
        ("kept until the next run", |bench| {
            let _ = two_way(bench, &["--undo", "last"]).expect_code(0);
            let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
        }),
        ("touched and looked at again", |bench| {
            use std::os::unix::fs::PermissionsExt;
            let _ = two_way(bench, &[]).expect_code(0);
            let new = bench.left.join("new");
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
            let _ = two_way(bench, &[]).expect_code(0);
            let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
        }),
        ("other patterns in between", |bench| {
            let _ = two_way(bench, &[]).expect_code(0);
            let _ = two_way(bench, &["--exclude", "zzz"]).expect_code(0);
            let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
            let _ = two_way(bench, &["--exclude", "zzz"]).expect_code(0);
        }),
        ("by copy, and learned afterwards", |bench| {
            let _ = bench.run("copy", &["-y"]).expect_code(0);
            let _ = two_way(bench, &[]).expect_code(0);
            let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
        }),
        ("by copy, learned afterwards, and undone by somebody who has no memory of the pair", |bench| {
            let _ = bench.run("copy", &["-y"]).expect_code(0);
            let _ = two_way(bench, &[]).expect_code(0);
            undone_elsewhere(bench);
        }),
        ("after a run that kept nothing, by somebody who has no memory of the pair", |bench| {
            let _ = two_way(bench, &[]).expect_code(0);
            let _ = two_way(bench, &["--undo", "off"]).expect_code(0);
            undone_elsewhere(bench);
        }),
        ("in part", |bench| {
            bench.left("new too", "2", 3);
            let _ = two_way(bench, &[]).expect_code(0);
            fs::write(bench.right.join("new too"), "edited since").unwrap();
            let _ = bench.run_on_right("undo", &["-y"]).expect_code(4);
        }),
    ];
    for (what, undone) in cases {
        let bench = Bench::new();
        for i in 0..6 {
            bench.both(&format!("stays {i}"), "s", 1);
        }
        let _ = two_way(&bench, &[]).expect_code(0);
        bench.left("new", "the only copy", 2);
        undone(&bench);
        let run = two_way(&bench, &[]);
        assert_eq!(fs::read_to_string(bench.left.join("new")).unwrap(), "the only copy", "{what}: {run}");
    }
}

/// The folder and all that is in it go back as one, and all of it is forgotten.
#[test]
fn what_is_in_a_folder_that_went_back_is_not_taken_for_removed() {
    let moved: fn(&Bench) = |bench| {
        fs::rename(bench.left.join("d"), bench.left.join("e")).unwrap();
        let _ = two_way(bench, &[]).expect_code(0);
        let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
        bench.right("d/f", "edited", 5);
    };
    let replaced: fn(&Bench) = |bench| {
        fs::remove_dir_all(bench.left.join("d")).unwrap();
        bench.left("d", "a file in its place", 5);
        let _ = bench.run("sync", &["-y"]).expect_code(0);
        let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
        fs::remove_file(bench.left.join("d")).unwrap();
    };
    for (how, goes_back) in [("moved", moved), ("replaced by a file", replaced)] {
        let bench = Bench::new();
        (0..8).for_each(|i| bench.both(&format!("stays {i}"), "s", 1));
        bench.both("d/f", "precious", 1);
        let _ = two_way(&bench, &[]).expect_code(0);
        goes_back(&bench);
        let run = two_way(&bench, &["--undo", "off"]);
        for root in [&bench.left, &bench.right] {
            let there = listing(root, &Options::default()).unwrap();
            let is_it = |path: &std::path::PathBuf| {
                fs::read_to_string(root.join(path)).is_ok_and(|text| text == "precious")
            };
            assert!(there.keys().any(is_it), "{how}, {}: {run}", root.display());
        }
    }
}

/// A user's date on a folder is not set back by the next run, because an undo took it from the other side.
#[test]
fn the_date_of_a_folder_that_went_back_is_not_carried_over() {
    let bench = Bench::new();
    bench.both("d/f", "f", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    let date = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::open(bench.left.join("d")).unwrap().set_modified(date).unwrap();
    let _ = two_way(&bench, &[]).expect_code(0);
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    let _ = two_way(&bench, &[]).expect_code(0);
    assert_eq!(fs::metadata(bench.left.join("d")).unwrap().modified().unwrap(), date);
}

/// A recovery brings an undo to its end that could not reach one side, and forgets what goes back there.
#[test]
fn what_a_recovery_undoes_is_not_taken_for_removed() {
    let bench = Bench::new();
    (0..8).for_each(|i| bench.both(&format!("stays {i}"), "s", 1));
    let _ = two_way(&bench, &[]).expect_code(0);
    bench.left("x", "precious", 2);
    bench.right("y", "so that both sides are written to", 2);
    let _ = two_way(&bench, &[]).expect_code(0);
    let away = bench.dir.path().join("away");
    fs::rename(&bench.right, &away).unwrap();
    let _ = bench.run_on_left("undo", &["-y"]).expect_code(0);
    fs::rename(&away, &bench.right).unwrap();
    let _ = two_way(&bench, &[]);
    let recovered = bench.run_on_right("recover", &["-y"]);
    assert!(!bench.right.join("x").exists(), "it went back there: {recovered}");
    let run = two_way(&bench, &[]);
    assert_eq!(fs::read_to_string(bench.left.join("x")).unwrap(), "precious", "{run}");
}

/// What another command removes is forgotten: whoever puts it back, date and all, has put it back.
#[test]
fn what_a_mirror_removed_is_no_longer_remembered() {
    let bench = Bench::new();
    (0..9).for_each(|i| bench.both(&format!("stays {i}"), "s", 1));
    bench.both("gone", "g", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    let remembers = || {
        let list = bench.fcs.run(["state", "list", "--json"]).expect_code(0);
        json_lines(&list).iter().find_map(|pair| pair["items"].as_u64()).unwrap()
    };
    let before = remembers();
    fs::remove_file(bench.left.join("gone")).unwrap();
    let _ = bench.run("sync", &["-y"]).expect_code(0);
    assert_eq!(remembers(), before - 1);
}

/// The second run of it has a journal in one of the folders only, and its hint leads there.
#[test]
fn keeping_both_is_undone_whole_from_either_side() {
    for from_right in [false, true] {
        for newer_right in [false, true] {
            let bench = Bench::new();
            bench.both("a", "first", 1);
            bench.both("b", "b", 1);
            let _ = two_way(&bench, &[]).expect_code(0);
            bench.left("a", "left's", if newer_right { 10 } else { 30 });
            bench.right("a", "right's version", 20);
            let before = seen(&bench);
            let _ = two_way(&bench, &["--conflicts", "keep-both"]).expect_code(0);
            let undo = if from_right { Bench::run_on_right } else { Bench::run_on_left };
            let _ = undo(&bench, "undo", &["-y"]).expect_code(0);
            for (before, now) in before.iter().zip(seen(&bench)) {
                assert_eq!(diff(before, &now), [""; 0], "{from_right} {newer_right}");
            }
            let _ = two_way(&bench, &[]).expect_code(3);
        }
    }
}

#[test]
fn the_hint_names_a_folder_that_was_written_to() {
    let bench = Bench::new();
    bench.both("stays", "s", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    bench.right("new", "n", 2);
    let run = two_way(&bench, &[]).expect_code(0);
    let hint = run.stdout.lines().find(|line| line.contains("undoes this run")).unwrap();
    assert!(hint.contains("LEFT`"), "{hint}");
}

/// A folder made anew, into which the copies fail: what is missing in it was not taken from it.
#[test]
fn a_folder_made_anew_takes_nothing_with_it_also_after_a_run_that_failed() {
    let bench = Bench::new();
    // So many that the guard lets the rest go.
    (0..9).for_each(|i| bench.both(&format!("stays {i}"), "s", 1));
    for i in 0..3 {
        bench.both(&format!("d/{i}"), "x", 1);
    }
    let _ = two_way(&bench, &[]).expect_code(0);
    fs::create_dir(bench.right.join("other")).unwrap();
    fs::remove_dir_all(bench.right.join("d")).unwrap();
    fs::rename(bench.right.join("other"), bench.right.join("d")).unwrap();
    let folders = common::moment(1);
    fs::File::open(bench.right.join("d")).unwrap().set_modified(folders).unwrap();
    let chattr = |flag: &str| {
        let mut chattr = std::process::Command::new("chattr");
        chattr.arg(flag).arg(bench.right.join("d")).status().is_ok_and(|status| status.success())
    };
    if !chattr("+i") {
        return fcs_testkit::skip(fcs_testkit::test_name!(), "this file system has no immutable folders");
    }
    let failed = two_way(&bench, &[]);
    let again = two_way(&bench, &[]);
    assert!(chattr("-i"));
    for i in 0..3 {
        assert!(bench.left.join(format!("d/{i}")).exists(), "{failed}\n{again}");
    }
}

#[test]
fn a_conflict_is_told_first_and_never_answered_by_yes() {
    let bench = Bench::new();
    bench.both("a", "first", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    bench.left("a", "left's", 10);
    bench.right("a", "right's version", 20);
    bench.left("new", "n", 5);
    let run = two_way(&bench, &[]).expect_code(3);
    let conflict = run.stdout.find("! a  left for later: changed on both sides").unwrap();
    assert!(conflict < run.stdout.find("→ + new").unwrap(), "{run}");
    assert!(run.stdout.contains("--conflicts newest, left, right or keep-both"), "{run}");
    assert_eq!(fs::read_to_string(bench.left.join("a")).unwrap(), "left's");
    let kept = two_way(&bench, &["--conflicts", "keep-both"]).expect_code(0);
    for side in [&bench.left, &bench.right] {
        assert_eq!(fs::read_to_string(side.join("a")).unwrap(), "right's version", "{kept}");
        assert_eq!(fs::read_to_string(side.join("a.conflict-left")).unwrap(), "left's", "{kept}");
    }
    let _ = two_way(&bench, &[]).expect_code(0);
}

#[test]
fn other_patterns_and_a_lost_memory_make_a_first_run_that_removes_nothing() {
    let bench = Bench::new();
    bench.both("a", "a", 1);
    bench.both("b.tmp", "b", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    fs::remove_file(bench.left.join("a")).unwrap();
    let other = two_way(&bench, &["--exclude", "*.tmp"]).expect_code(0);
    assert!(other.stdout.contains("the patterns that choose items were changed"), "{other}");
    assert!(bench.left.join("a").exists(), "{other}");

    fs::remove_file(bench.right.join("a")).unwrap();
    let pairs = bench.fcs.home().join("state/foldercomparesync/pairs");
    for file in fs::read_dir(&pairs).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|end| end == "redb") {
            fs::write(&file, b"garbage").unwrap();
        }
    }
    let lost = two_way(&bench, &["--exclude", "*.tmp"]).expect_code(0);
    assert!(lost.stdout.contains("This is a first run, because Could not read"), "{lost}");
    assert!(bench.right.join("a").exists(), "{lost}");
}

#[test]
fn removals_of_each_side_are_guarded_by_themselves() {
    let bench = Bench::new();
    for i in 0..10 {
        bench.both(&format!("l{i}"), "x", 1);
    }
    let _ = two_way(&bench, &[]).expect_code(0);
    for i in 0..6 {
        fs::remove_file(bench.left.join(format!("l{i}"))).unwrap();
    }
    let refused = two_way(&bench, &[]).expect_code(8);
    assert!(refused.stderr.contains("6 of 10 items would be removed"), "{refused}");
    assert!(bench.right.join("l0").exists());
    let _ = two_way(&bench, &["--max-delete", "6"]).expect_code(0);
    assert!(!bench.right.join("l0").exists());
}

#[test]
fn a_dry_run_remembers_nothing_and_what_does_not_go_together_is_refused() {
    let bench = Bench::new();
    bench.left("a", "a", 1);
    let dry = bench.run("sync", &["-n", "--mode", "two-way", "--json"]).expect_code(0);
    assert!(json_lines(&dry).iter().any(|event| event["event"] == "end"));
    let pairs = bench.fcs.home().join("state/foldercomparesync/pairs");
    assert!(fs::read_dir(pairs).map_or(0, Iterator::count) == 0);
    let wrong = bench.run("sync", &["-n", "--conflicts", "left"]).expect_code(2);
    assert!(wrong.stderr.contains("--conflicts says nothing without --mode two-way."), "{wrong}");
    let wrong = bench.run("sync", &["-n", "--custom", "left-only=skip"]).expect_code(2);
    assert!(wrong.stderr.contains("--custom says nothing without --mode custom."), "{wrong}");
}

#[test]
fn update_add_newest_and_custom_do_what_they_say() {
    for (mode, left, right) in [
        ("update", ["left only", "older", ""], ["left only", "older", "right only"]),
        ("add", ["left only", "older", ""], ["left only", "newer one", "right only"]),
        ("newest", ["left only", "newer one", "right only"], ["left only", "newer one", "right only"]),
        ("custom", ["left only", "newer one", ""], ["", "newer one", "right only"]),
    ] {
        let bench = Bench::new();
        bench.left("l", "left only", 1);
        bench.left("both", "older", 1);
        bench.right("both", "newer one", 50);
        bench.right("r", "right only", 1);
        let mut args = vec!["-y", "--mode", mode];
        if mode == "custom" {
            args.extend(["--custom", "left-only=skip,right-only=skip"]);
        }
        let run = bench.run("sync", &args).expect_code(0);
        let read = |root: &std::path::Path| {
            ["l", "both", "r"].map(|name| fs::read_to_string(root.join(name)).unwrap_or_default())
        };
        assert_eq!(
            (read(&bench.left), read(&bench.right)),
            (left.map(str::to_owned), right.map(str::to_owned)),
            "{mode}: {run}"
        );
    }
}

/// What is in a folder that was renamed has moved with it, and is not copied both ways.
#[test]
fn custom_says_what_becomes_of_a_folder_that_was_renamed_with_all_in_it() {
    for (moved, names) in
        [("skip", ["new", "old"]), ("to-right", ["new", "new"]), ("to-left", ["old", "old"])]
    {
        let bench = Bench::new();
        for n in 1..=3 {
            let content = "x".repeat(1000 * n);
            bench.left(&format!("new/sub/f{n}"), &content, n as u64);
            bench.right(&format!("old/sub/f{n}"), &content, n as u64);
        }
        let custom = format!("left-only=to-right,right-only=to-left,moved={moved}");
        let run = bench.run("sync", &["-y", "--mode", "custom", "--custom", &custom]).expect_code(0);
        for (root, name) in [&bench.left, &bench.right].into_iter().zip(names) {
            let names = fs::read_dir(root).unwrap().map(|item| item.unwrap().file_name());
            let names: Vec<_> = names.filter(|name| name != ".fcs").collect();
            assert_eq!(names, [name], "{moved}: {run}");
            assert_eq!(fs::read_dir(root.join(name).join("sub")).unwrap().count(), 3);
        }
        assert!(!run.stdout.contains(" + "), "nothing is new anywhere: {run}");
    }
}

/// Where nothing is remembered, what one side alone changed looks like a conflict. No choice between the sides is meant for that.
#[test]
fn a_first_run_replaces_nothing_whatever_is_chosen_for_conflicts() {
    for choice in ["newest", "left", "right"] {
        let bench = Bench::new();
        bench.both("x", "as it was", 1);
        let _ = two_way(&bench, &[]).expect_code(0);
        // Later, and of another size, so that each choice would have something to say.
        bench.left("x", "the edit of today", if choice == "newest" { 0 } else { 50 });
        let run = two_way(&bench, &["--exclude", "*.tmp", "--conflicts", choice]);
        let run = run.expect_code(3);
        assert!(run.stdout.contains("first run") && run.stdout.contains("! x"), "{choice}: {run}");
        let read = [&bench.left, &bench.right].map(|root| fs::read_to_string(root.join("x")).unwrap());
        assert_eq!(read, ["the edit of today", "as it was"], "{choice}");
    }
}

/// What another process has open is not nothing.
#[test]
fn a_memory_that_is_in_use_is_no_reason_for_a_first_run() {
    let bench = Bench::new();
    bench.both("stays", "s", 1);
    bench.both("goes", "g", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    fs::remove_file(bench.left.join("goes")).unwrap();
    let found = listing(bench.fcs.home(), &Options::default()).unwrap();
    let memories: Vec<_> =
        found.keys().filter(|path| path.extension().is_some_and(|it| it == "redb")).collect();
    assert_eq!(memories.len(), 1, "{memories:?}");
    let memory = fs::File::open(bench.fcs.home().join(memories[0])).unwrap();
    memory.lock().unwrap();
    let refused = two_way(&bench, &[]).expect_code(8);
    assert!(refused.to_string().contains("another process uses it. Nothing was changed."), "{refused}");
    assert!(!bench.left.join("goes").exists() && bench.right.join("goes").exists());
    memory.unlock().unwrap();
    let _ = two_way(&bench, &[]).expect_code(0);
    assert!(!bench.right.join("goes").exists(), "the removal travels");
}

/// An item that moved is not taken from its old path while its new one was decided otherwise.
#[test]
fn no_choice_for_what_moved_takes_the_last_of_a_file() {
    let bench = Bench::new();
    let [x, y] = [1, 2].map(|n| format!("{n}").repeat(5000 + n));
    bench.both("a", &x, 1);
    bench.both("b", &y, 2);
    bench.both("k", "k", 3);
    let _ = two_way(&bench, &[]).expect_code(0);
    fs::rename(bench.left.join("b"), bench.left.join("c")).unwrap();
    fs::rename(bench.left.join("a"), bench.left.join("b")).unwrap();
    for custom in ["moved=to-right", "moved=to-left", "moved=to-right,right-newer=skip"] {
        let args = ["-y", "--mode", "custom", "--undo", "off", "--max-delete", "9", "--custom", custom];
        let run = bench.run("sync", &args);
        let all: Vec<String> = [&bench.left, &bench.right]
            .iter()
            .flat_map(|root| {
                ["a", "b", "c"].map(|name| fs::read_to_string(root.join(name)).unwrap_or_default())
            })
            .collect();
        assert!(all.contains(&x) && all.contains(&y), "{custom}: {run}");
    }
}

/// Two names that were swapped are renamed, whether or not anything is removed in the same run.
#[test]
fn names_that_were_swapped_are_renamed() {
    let bench = Bench::new();
    for n in 1..=3 {
        bench.both(&format!("f{n}"), &n.to_string().repeat(5000 + n), n as u64);
    }
    let _ = two_way(&bench, &[]).expect_code(0);
    for (from, to) in [("f1", "t"), ("f2", "f1"), ("t", "f2")] {
        fs::rename(bench.left.join(from), bench.left.join(to)).unwrap();
    }
    let run = two_way(&bench, &[]).expect_code(0);
    assert!(run.stdout.contains("2 items moved") && !run.stdout.contains("replaced"), "{run}");
    assert_equal(&bench);
}

/// A folder that only has another name, and two files in it that only look alike.
fn renamed_with_others_in_it() -> Bench {
    let bench = Bench::new();
    for n in 1..=4 {
        bench.left(&format!("new/f{n}"), &"l".repeat(5000 + n), n as u64);
        let there = if n % 2 == 0 { "r" } else { "l" };
        bench.right(&format!("old/f{n}"), &there.repeat(5000 + n), n as u64);
    }
    bench
}

/// Each file of a folder that moved as one that is not what the source has is copied in the same run, and named.
#[test]
fn what_moved_and_differs_is_copied_in_the_same_run_which_says_so_and_one_undo_takes_it_back() {
    for mode in [&["--mode", "mirror"][..], &[]] {
        let bench = renamed_with_others_in_it();
        let before = seen(&bench);
        let run = bench.run("sync", &[&["-y"], mode].concat()).expect_code(0);
        let told = "then copied   moved, and then not what the source has: 2 items\n      ! new/f2\n      ! new/f4\n";
        assert!(run.stdout.contains(told) && run.stdout.contains("2 files and links copied"), "{run}");
        assert_equal(&bench);
        let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
        assert_eq!(seen(&bench), before, "{mode:?}");
        let run = bench.run("sync", &[&["-y", "--json"], mode].concat()).expect_code(0);
        let items: Vec<String> = json_lines(&run)
            .iter()
            .filter(|event| event["event"] == "item" && event["outcome"]["kind"] == "done")
            .filter_map(|event| Some(format!("{} {}", event["action"].as_str()?, event["path"].as_str()?)))
            .collect();
        for item in ["move old", "replace new/f2", "replace new/f4"] {
            assert_eq!(items.iter().filter(|found| *found == item).count(), 1, "{item}: {run}");
        }
    }
}

#[test]
fn without_an_undo_store_each_file_that_moved_and_differs_is_named_and_stays() {
    let bench = renamed_with_others_in_it();
    let run = bench.run("sync", &["-y", "--undo", "off"]).expect_code(5);
    assert!(run.stdout.contains("nothing would keep what a copy replaces"), "{run}");
    assert_eq!(fs::read_to_string(bench.right.join("new/f2")).unwrap(), "r".repeat(5002));
    for (name, told) in [("f1", false), ("f2", true), ("f3", false), ("f4", true)] {
        assert_eq!(run.stderr.contains(&format!("new/{name}:")), told, "{name}: {run}");
    }
    assert!(run.stderr.contains("It may be another file of the same size and date"), "{run}");
}

/// That a run is not listed any more because it was pruned says nothing: what it brought together is still known, and what its user
/// removed stays away.
#[test]
fn a_removal_travels_also_when_what_it_was_copied_by_was_pruned() {
    type Pruned = fn(&Bench);
    let cases: [(&str, Pruned); 4] = [
        ("by the next run", |bench| {
            let _ = two_way(bench, &["--undo", "last"]).expect_code(0);
            bench.left("next", "2", 3);
            bench.right("next too", "3", 3);
            let _ = two_way(bench, &["--undo", "last"]).expect_code(0);
        }),
        ("by a run that goes by no memory", |bench| {
            let _ = two_way(bench, &["--undo", "last"]).expect_code(0);
            bench.left("next", "2", 3);
            let _ = bench.run("copy", &["-y", "--undo", "last"]).expect_code(0);
            bench.right("next too", "3", 3);
            let _ = bench.run_on("copy", &["-y", "--undo", "last"], &bench.right, &bench.left).expect_code(0);
        }),
        ("by hand", |bench| {
            let _ = two_way(bench, &[]).expect_code(0);
            let _ = bench.run_on_left("runs", &["--prune", "-y"]).expect_code(0);
            let _ = bench.run_on_right("runs", &["--prune", "-y"]).expect_code(0);
            assert!(!bench.left.join(".fcs").exists() && !bench.right.join(".fcs").exists());
        }),
        ("by the next run, which was undone", |bench| {
            let _ = two_way(bench, &["--undo", "last"]).expect_code(0);
            bench.left("next", "2", 3);
            bench.right("next too", "3", 3);
            let _ = two_way(bench, &["--undo", "last"]).expect_code(0);
            let _ = bench.run_on_left("undo", &["-y"]).expect_code(0);
        }),
    ];
    for (name, pruned) in cases {
        let bench = Bench::new();
        bench.both("stays", "s", 1);
        bench.both("edited", "e", 1);
        bench.both("edited too", "e", 1);
        let _ = two_way(&bench, &[]).expect_code(0);
        bench.left("removed on the right", "1", 2);
        bench.right("removed on the left", "1", 2);
        bench.left("edited", "once", 2);
        bench.right("edited too", "once", 2);
        pruned(&bench);
        fs::remove_file(bench.right.join("removed on the right")).unwrap();
        fs::remove_file(bench.left.join("removed on the left")).unwrap();
        let run = two_way(&bench, &[]).expect_code(0);
        assert!(!run.stdout.contains("counts as not seen before"), "{name}: {run}");
        assert!(!bench.left.join("removed on the right").exists(), "{name}: {run}");
        assert!(!bench.right.join("removed on the left").exists(), "{name}: {run}");
    }
}

/// The other way round: that earlier runs were pruned explains nothing where the journals are not those of then.
#[test]
fn that_a_run_was_pruned_explains_nothing_once_the_journals_are_others() {
    type Changed = fn(&Bench);
    let cases: [(&str, Changed); 3] = [
        ("journals that were lost", |bench| fs::remove_dir_all(bench.right.join(".fcs")).unwrap()),
        ("a folder that was set back to before", |bench| set_back(bench, "backup of before")),
        ("a folder that was set back to when the run was not pruned", |bench| set_back(bench, "backup")),
    ];
    for (name, changed) in cases {
        let bench = Bench::new();
        bench.both("stays", "s", 1);
        let _ = two_way(&bench, &["--undo", "last"]).expect_code(0);
        bench.left("new", "the only copy", 2);
        copy_tree(&bench.right, &bench.dir.path().join("backup of before"));
        let _ = two_way(&bench, &["--undo", "last"]).expect_code(0);
        copy_tree(&bench.right, &bench.dir.path().join("backup"));
        bench.left("next", "2", 3);
        let _ = two_way(&bench, &["--undo", "last"]).expect_code(0);
        changed(&bench);
        drop(fs::remove_file(bench.right.join("new")));
        let run = two_way(&bench, &["--undo", "last"]).expect_code(0);
        assert!(run.stdout.contains("counts as not seen before"), "{name}: {run}");
        assert_eq!(fs::read_to_string(bench.left.join("new")).unwrap(), "the only copy", "{name}: {run}");
    }
}

/// Sets the right folder back; it stays the same folder.
fn set_back(bench: &Bench, backup: &str) {
    for entry in fs::read_dir(&bench.right).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    copy_tree(&bench.dir.path().join(backup), &bench.right);
}

/// With dates.
fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    let status = std::process::Command::new("cp").arg("-aT").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Two runs of one pair would each go by what the other one changes, also where they write to different sides.
#[test]
fn two_runs_of_a_pair_exclude_each_other_and_no_lock_is_put_where_nothing_is_written() {
    use fcs_app::together::hold_in;
    use fcs_engine::Settings;
    use fcs_engine::compare::Side;
    use fcs_engine::directions::{Conflicts, Mode};
    use fcs_engine::session::{Folders, Limits, Task};

    let bench = Bench::new();
    bench.both("stays", "s", 1);
    bench.right("brought", "b", 1);
    let _ = two_way(&bench, &[]).expect_code(0);
    let memories: Vec<_> = listing(bench.fcs.home(), &Options::default()).unwrap().into_keys().collect();
    let pairs = memories.iter().find(|path| path.ends_with("pairs")).unwrap();
    let pairs = bench.fcs.home().join(pairs);
    let other = bench.dir.path().join("OTHER");
    fs::create_dir(&other).unwrap();
    write(&other.join("from the other"), "o", 2);
    bench.left("new", "n", 2);
    // Something that a plain copy does and a two-way run leaves.
    bench.left("conflict", "of the left", 2);
    bench.right("conflict", "of the right", 3);
    // As another program would that is in the middle of such a run.
    let held = |task: Task, left: &std::path::Path, right: &std::path::Path| {
        let (settings, control) = (Settings::default(), fcs_engine::Control::default());
        let folders = Folders::open(left, right, &[], &[], &settings).unwrap();
        let comparison = folders.compare(&settings, &control).unwrap();
        let proposal = folders.propose(task, &comparison, &|_| true, &settings, &Limits::default());
        hold_in(Some(&pairs), &folders, &proposal).unwrap()
    };
    let mode = Mode::TwoWay { conflicts: Conflicts::Later };
    let (left, right) = (bench.left.as_path(), bench.right.as_path());
    let refused = |run: fcs_testkit::bin::Run, what: &str| {
        let run = run.expect_code(8);
        assert!(run.stderr.contains("Another run is in progress on this folder"), "{what}: {run}");
    };
    let before = bench.traces();

    // It writes to the right side only.
    let two_way_run = held(Task::Directed(mode), left, right);
    refused(two_way(&bench, &[]), "the same");
    refused(bench.run_on("sync", &["-y", "--mode", "two-way"], right, left), "the same, from the other side");
    refused(bench.run_on("copy", &["-y"], right, left), "a copy the other way");
    refused(bench.run_on("copy", &["-y"], &other, left), "what writes to the side that is gone by");
    refused(bench.run_on_left("undo", &["-y"]), "an undo there");
    assert_eq!(bench.traces(), before, "nothing was written to any root");
    let _ = bench.run_on("copy", &["-y"], left, &other).expect_code(0);
    two_way_run.release();

    let copy = held(Task::Copy(Side::Right), left, right);
    refused(bench.run_on("copy", &["-y"], right, left), "a copy the other way while one copies");
    let _ = bench.run_on("copy", &["-y"], left, &other).expect_code(0);
    copy.release();
    let _ = two_way(&bench, &[]).expect_code(3);
    assert_eq!(fs::read_to_string(bench.right.join("new")).unwrap(), "n");
}
