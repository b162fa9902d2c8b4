//! `fcs sync` from end to end: RIGHT becomes what LEFT is, guarded.

#![cfg(any(target_os = "linux", windows))]
#![allow(clippy::unwrap_used)]

mod common;

#[cfg(target_os = "linux")]
use std::path::Path;

#[cfg(target_os = "linux")]
use common::set_time;
use common::{Bench, events, json_lines};
#[cfg(target_os = "linux")]
use fcs_testkit::{Options, TreeSpec, diff, listing, random_tree};

#[cfg(target_os = "linux")]
#[track_caller]
fn assert_equal(left: &Path, right: &Path) {
    let options = Options::default();
    assert_eq!(diff(&listing(left, &options).unwrap(), &listing(right, &options).unwrap()), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn right_becomes_what_left_is_and_undo_brings_it_back() {
    let bench = Bench::new();
    random_tree(&bench.left, 7, &TreeSpec::default()).unwrap();
    random_tree(&bench.right, 8, &TreeSpec::default()).unwrap();
    let options = Options::default();
    let before = listing(&bench.right, &options).unwrap();
    let _ = bench.run("sync", &["-y", "--max-delete", "1000"]).expect_code(0);
    assert_equal(&bench.left, &bench.right);
    let again = bench.run("sync", &["-y"]).expect_code(0);
    assert!(again.stdout.contains("Nothing to do: the right folder is as the left folder is."), "{again}");
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(diff(&before, &listing(&bench.right, &options).unwrap()), [""; 0]);
}

#[test]
fn what_will_go_is_said_before_and_after() {
    let bench = Bench::with_differences();
    bench.right("gone/deep/x", "1234", 1);
    let dry = bench.run("sync", &["-n"]).expect_code(0);
    for line in ["- gone/  ok\n", "- gone/deep/x  4 B  ok\n", "- old.txt  10 B  ok\n"] {
        assert!(dry.stdout.contains(line), "{line:?}\n{dry}");
    }
    let run = bench.run("sync", &["-y"]).expect_code(0);
    for part in [
        "Remove      2 files and links, 2 folders; 14 B\n",
        "kept for undo for 30 days\n",
        "4 items removed in",
        "  removed       2 files and links, 2 folders (14 B)\n",
        "`fcs undo ",
    ] {
        assert!(run.stdout.contains(part), "{part:?}\n{run}");
    }
    assert!(!bench.right.join("gone").exists() && !bench.right.join("old.txt").exists());
}

#[test]
fn an_empty_left_does_not_empty_right() {
    let bench = Bench::new();
    for i in 0..5 {
        bench.right(&format!("{i}"), "x", 1);
    }
    bench.align();
    let before = bench.traces();
    let refused = bench.run("sync", &["-y"]).expect_code(8);
    assert!(refused.stderr.contains("Refused: 5 of 5 items would be removed"), "{refused}");
    assert!(refused.stderr.contains("--max-delete 5 allows it"), "{refused}");
    let few = bench.run("sync", &["-y", "--max-delete", "4"]).expect_code(8);
    assert!(few.stderr.contains("more than the 4 that were allowed"), "{few}");
    let json = json_lines(&bench.run("sync", &["-y", "--json"]).expect_code(8));
    let plan = events(&json, "plan")[0];
    assert_eq!((plan["refused"].as_bool(), plan["excess"]["items"].as_u64()), (Some(true), Some(5)));
    let dry = bench.run("sync", &["-n"]).expect_code(0);
    assert!(dry.stderr.contains("Note: 5 of 5 items would be removed"), "{dry}");
    assert_eq!(bench.traces(), before);
    let _ = bench.run("sync", &["-y", "--max-delete", "5"]).expect_code(0);
    assert_eq!(bench.seen().len(), 1, "only RIGHT itself");
}

#[test]
fn the_guard_can_be_set() {
    let bench = Bench::with_differences();
    let limit = ["--set", "max_delete_items=0"];
    let _ = bench.run("sync", &[&["-y"][..], &limit].concat()).expect_code(8);
    let _ = bench.run("sync", &["-y", "--set", "max_delete_percent=0"]).expect_code(8);
    let _ = bench.run("sync", &["-y", "--set", "max_delete_percent=10"]).expect_code(8);
    let _ = bench.run("sync", &["-y"]).expect_code(0);
}

#[test]
fn a_source_that_was_encrypted_changes_nothing_unasked() {
    let bench = Bench::new();
    for i in 0..102 {
        bench.right(&format!("{i}.doc"), "a text", 1);
        let (name, text) =
            if i % 2 == 0 { (format!("{i}.doc"), "#") } else { (format!("{i}.doc.locked"), "##") };
        bench.left(&name, text, 2);
    }
    bench.align();
    let before = bench.traces();
    let refused = bench.run("sync", &["-y", "--max-delete", "51"]).expect_code(8);
    assert!(refused.stderr.contains("Refused: 102 of 102 files would get other content"), "{refused}");
    assert!(refused.stderr.contains("--max-change 102 allows it"), "{refused}");
    let few = bench.run("sync", &["-y", "--max-delete", "51", "--max-change", "101"]).expect_code(8);
    assert!(few.stderr.contains("more than the 101 that were allowed"), "{few}");
    let json = json_lines(&bench.run("sync", &["-y", "--json", "--max-delete", "51"]).expect_code(8));
    let plan = events(&json, "plan")[0];
    assert_eq!((plan["refused"].as_bool(), plan["mass_change"]["files"].as_u64()), (Some(true), Some(102)));
    // What has another name is new to a copy, and replaces nothing.
    let copy = bench.run("copy", &["-n"]).expect_code(0);
    assert!(!copy.stderr.contains("would get other content"), "{copy}");
    let copy = bench.run("copy", &["-y", "--max-change", "50"]).expect_code(8);
    assert!(copy.stderr.contains("51 of 102 files would get other content"), "{copy}");
    assert_eq!(bench.traces(), before);
    let _ = bench.run("sync", &["-y", "--max-delete", "51", "--max-change", "102"]).expect_code(0);
    assert_eq!(bench.seen().len(), 103);
}

#[test]
fn what_a_pattern_leaves_out_stays_and_so_does_its_folder() {
    let bench = Bench::new();
    for i in 0..9 {
        bench.both(&format!("same{i}"), "x", 1);
    }
    bench.right("d/keep.bak", "kept", 1);
    bench.right("d/go.txt", "gone", 1);
    let run = bench.run("sync", &["-y", "--exclude", "*.bak"]).expect_code(3);
    assert!(run.stdout.contains("not removed, because something in it stays: 1 item\n      ! d\n"), "{run}");
    assert!(bench.right.join("d/keep.bak").exists() && !bench.right.join("d/go.txt").exists());
}

/// R1: one item that always fails does not hold back everything, and what it holds back says because of what.
#[test]
fn r1_a_failure_holds_back_the_removals_it_can_concern_and_says_so() {
    let bench = Bench::with_differences();
    bench.right("sub/orphan.txt", "beside it", 1);
    let kept = protect_or_skip!(&bench.right.join("sub/size.txt"));
    let run = bench.run("sync", &["-y"]).expect_code(4);
    assert!(run.stderr.contains("Will fail: 1 item is"), "{run}");
    let held = "not removed, because another item failed or could not be read (sub/size.txt): 1 item";
    assert!(run.stdout.contains(held), "{run}");
    assert!(bench.right.join("sub/orphan.txt").exists() && !bench.right.join("old.txt").exists());
    bench.right("old.txt", "only right", 3);
    let _ = bench.run("sync", &["-y", "--remove-despite-failures", "never"]).expect_code(4);
    assert!(bench.right.join("old.txt").exists() && bench.right.join("sub/orphan.txt").exists());
    let _ = bench.run("sync", &["-y", "--remove-despite-failures", "always"]).expect_code(4);
    assert!(!bench.right.join("old.txt").exists() && !bench.right.join("sub/orphan.txt").exists());
    drop(kept);
}

#[test]
fn a_failing_item_can_take_the_whole_run_back() {
    let bench = Bench::with_differences();
    let _kept = protect_or_skip!(&bench.right.join("sub/size.txt"));
    bench.align();
    let before = bench.seen();
    for command in ["copy", "sync"] {
        let run = bench.run(command, &["-y", "--on-error", "rollback-run"]).expect_code(6);
        assert!(run.stdout.contains("Rolled back: the folder is as it was before the run."), "{run}");
        assert!(run.stderr.contains(common::PROTECTED), "{run}");
        assert_eq!(bench.seen(), before, "{command}");
        let listed = bench.run_on_right("runs", &[]).expect_code(0);
        assert!(listed.stdout.starts_with("No runs are recorded"), "{listed}");
    }
}

#[test]
fn without_an_undo_store_yes_alone_does_not_remove() {
    let bench = Bench::with_differences();
    let before = bench.seen();
    let run = bench.run("sync", &["-y", "--undo", "off"]).expect_code(8);
    assert!(run.stderr.contains("-y alone is not enough"), "{run}");
    assert_eq!(bench.seen(), before);
    let _ = bench.run("sync", &["-y", "--undo", "off", "--max-delete", "10"]).expect_code(0);
    assert!(!bench.right.join(".fcs").exists());
}

/// A file with the date of a clock, which no program made up.
#[cfg(target_os = "linux")]
fn from_a_clock(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Both sides had the same, and the left one was put in another order.
#[cfg(target_os = "linux")]
fn renamed_album() -> Bench {
    let bench = Bench::new();
    for path in ["album/a", "album/deep/b", "single"] {
        from_a_clock(&bench.left.join(path), &path.repeat(500));
    }
    let _ = bench.run("sync", &["-y"]).expect_code(0);
    std::fs::rename(bench.left.join("album"), bench.left.join("pictures")).unwrap();
    std::fs::rename(bench.left.join("single"), bench.left.join("pictures/deep/single")).unwrap();
    bench
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_renamed_is_shown_renamed_and_renamed_back() {
    let bench = renamed_album();
    set_time(&bench.left.join("pictures/deep"), 9);
    let before = bench.seen();
    let compared = bench.run("compare", &[]).expect_code(1);
    assert!(compared.stdout.contains("> single → pictures/deep/single\n"), "{compared}");
    assert!(compared.stdout.contains("> album/a → pictures/a\n"), "{compared}");
    assert!(!compared.stdout.contains("- single"), "{compared}");
    assert!(compared.stderr.contains("3 items have only another path on the other side"), "{compared}");
    let all = json_lines(&bench.run("compare", &["--json"]).expect_code(1));
    assert_eq!(events(&all, "summary")[0]["moved"], 3);
    let row = |path: &str| {
        events(&all, "row").into_iter().find(|row| row["path"] == path).unwrap()["moved"].clone()
    };
    assert_eq!(
        (row("single"), row("pictures/deep/single")),
        ("pictures/deep/single".into(), "single".into())
    );
    assert_eq!(row("pictures/deep"), serde_json::Value::Null);

    let dry = bench.run("sync", &["-n", "-v"]).expect_code(0);
    assert!(dry.stdout.contains("> album/deep/b → pictures/deep/b\n"), "{dry}");
    assert!(dry.stdout.contains("3 items moved"), "{dry}");
    let off = bench.run("sync", &["-n", "--moves", "off", "--max-delete", "100"]).expect_code(0);
    assert!(!off.stdout.contains('→') && off.stdout.contains("- single"), "{off}");
    let run = bench.run("sync", &["-y"]).expect_code(0);
    assert!(run.stdout.contains("3 items to another path"), "{run}");
    assert_equal(&bench.left, &bench.right);
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(bench.seen(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn what_moved_to_where_it_cannot_come_stays_and_is_told() {
    for mode in [&[][..], &["--mode", "mirror"]] {
        let bench = Bench::new();
        from_a_clock(&bench.left.join("single"), &"s".repeat(5000));
        let _ = bench.run("sync", &["-y"]).expect_code(0);
        std::fs::create_dir(bench.left.join("d")).unwrap();
        std::fs::rename(bench.left.join("single"), bench.left.join("d/single")).unwrap();
        std::fs::write(bench.right.join("d"), "a file").unwrap();
        let run = bench.run("sync", &[&["-y", "--set", "replace_kinds=never"], mode].concat()).expect_code(3);
        let told = "not removed, because it has another path on the other side and is not brought over to that: 1 item\n      \
                    ! single\n";
        assert!(run.stdout.contains(told), "{run}");
        assert!(bench.right.join("single").exists(), "{run}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_renamed_folder_is_one_line_and_content_is_read_where_asked() {
    let bench = Bench::new();
    from_a_clock(&bench.left.join("album/a"), &"a".repeat(5000));
    from_a_clock(&bench.left.join("album/b"), "b");
    let _ = bench.run("sync", &["-y"]).expect_code(0);
    std::fs::rename(bench.left.join("album"), bench.left.join("pictures")).unwrap();
    let dry = bench.run("sync", &["-n"]).expect_code(0);
    assert!(dry.stdout.contains("> album → pictures\n") && !dry.stdout.contains("album/a"), "{dry}");
    // Content as a criterion: both files are read, and are equal.
    let dry = bench.run("sync", &["-n", "--criteria", "size,modified,content"]).expect_code(0);
    assert!(dry.stdout.contains("> album → pictures\n"), "{dry}");
    let same_looks = bench.right.join("album/a");
    let modified = same_looks.metadata().unwrap().modified().unwrap();
    std::fs::write(&same_looks, "z".repeat(5000)).unwrap();
    std::fs::File::open(&same_looks).unwrap().set_modified(modified).unwrap();
    let dry = bench.run("sync", &["-n", "--criteria", "size,modified,content"]).expect_code(0);
    assert!(!dry.stdout.contains("album/a →") && dry.stdout.contains("+ pictures/a"), "{dry}");
}
