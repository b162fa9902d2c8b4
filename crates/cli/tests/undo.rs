//! `fcs undo` and `fcs runs`: what was done is listed, and undone.

#![cfg(any(target_os = "linux", windows))]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Bench, events, json_lines, set_time};

#[test]
fn a_copy_is_taken_back_whole() {
    let bench = Bench::with_differences();
    let before = bench.seen();
    let run = bench.run("copy", &["-y"]).expect_code(0);
    assert!(run.stdout.contains("` undoes this run, for 30 days."), "{run}");
    assert_ne!(bench.seen(), before);
    let undone = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert!(undone.stdout.contains("< sub/size.txt  the original is restored\n"), "{undone}");
    assert!(undone.stdout.contains("- new.txt  removed; nothing was there before\n"), "{undone}");
    assert!(undone.stdout.contains("everything is as it was before the run."), "{undone}");
    assert_eq!(bench.seen(), before);
    assert!(!bench.right.join(".fcs").exists(), "nothing is left to keep");
    let again = bench.run_on_right("undo", &["-y"]).expect_code(2);
    assert!(again.stderr.contains("There is no run on this folder that could be undone"), "{again}");
}

#[test]
fn what_changed_since_stays_and_is_named() {
    let bench = Bench::with_differences();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    fs::write(bench.right.join("sub/size.txt"), "edited since").unwrap();
    let undone = bench.run_on_right("undo", &["-y"]).expect_code(4);
    assert!(undone.stdout.contains("! sub/size.txt  changed after the run, so it stays"), "{undone}");
    assert!(undone.stderr.contains("it was changed after the run"), "{undone}");
    assert_eq!(fs::read_to_string(bench.right.join("sub/size.txt")).unwrap(), "edited since");
    assert!(!bench.right.join("new.txt").exists(), "the rest is undone");
}

#[test]
fn a_dry_run_of_undo_says_which_run_and_changes_nothing() {
    let bench = Bench::with_differences();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let before = bench.traces();
    let dry = bench.run_on_right("undo", &["-n"]).expect_code(0);
    assert!(dry.stdout.contains("\nUndo ") && dry.stdout.contains(": copy from "), "{dry}");
    assert!(dry.stdout.contains("Dry run: nothing was written."), "{dry}");
    let asked = bench.run_on_right("undo", &[]).expect_code(2);
    assert!(asked.stderr.contains("standard input is not a terminal.\nHint: Add -y"), "{asked}");
    assert_eq!(bench.traces(), before);
}

#[test]
fn undo_off_leaves_no_trace_and_nothing_to_undo() {
    let bench = Bench::with_differences();
    let run = bench.run("copy", &["-y", "--undo", "off"]).expect_code(0);
    assert!(run.stdout.contains("not kept; this cannot be undone"), "{run}");
    assert!(!bench.right.join(".fcs").exists());
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(2);
}

#[test]
fn runs_are_listed_newest_first_and_any_of_them_can_be_named() {
    let bench = Bench::with_differences();
    let none = bench.run_on_right("runs", &[]).expect_code(0);
    assert!(none.stdout.starts_with("No runs are recorded on "), "{none}");
    let _ = bench.run("copy", &["-y", "--undo", "days:30"]).expect_code(0);
    let _ = bench.run("orphans", &["-y", "--undo", "days:30"]).expect_code(0);
    let table = bench.run_on_right("runs", &[]).expect_code(0);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("RUN") && lines[0].ends_with("FROM"), "{table}");
    assert!(lines[1].contains("orphans  done") && lines[2].contains("copy     done"), "{table}");
    assert_eq!(lines.len(), 3, "{table}");

    let json = json_lines(&bench.run_on_right("runs", &["--json"]).expect_code(0));
    let runs = events(&json, "run");
    assert_eq!((runs[0]["command"].as_str(), runs[0]["undoable"].as_bool()), (Some("orphans"), Some(true)));
    assert_eq!((runs[1]["state"].as_str(), runs[1]["kept_bytes"].as_u64()), (Some("done"), Some(19)));

    let unknown = bench.run_on_right("undo", &["-y"]);
    assert_eq!(unknown.code, 0, "{unknown}");
    assert_eq!(
        fs::read_to_string(bench.right.join("old.txt")).unwrap(),
        "only right",
        "the orphans came back"
    );
    let copy = runs[1]["run"].as_str().unwrap();
    let undone = bench.fcs.run(["undo", "-y", bench.right.to_str().unwrap(), copy]).expect_code(0);
    assert!(undone.stdout.contains(copy), "{undone}");
    assert!(!bench.right.join("new.txt").exists());
}

#[test]
fn an_unknown_run_is_refused_with_a_hint() {
    let bench = Bench::with_differences();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let run = bench.fcs.run(["undo", "-y", bench.right.to_str().unwrap(), "nonsense"]).expect_code(2);
    assert!(
        run.stderr.contains("There is no run nonsense on this folder.")
            && run.stderr.contains("Hint: `fcs runs "),
        "{run}"
    );
}

#[test]
fn undo_goes_back_run_by_run_until_what_is_kept_is_pruned() {
    let bench = Bench::with_differences();
    let before = bench.seen();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    bench.left("later", "later", 9);
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let table = bench.run_on_right("runs", &[]).expect_code(0);
    assert_eq!(table.stdout.lines().count(), 3, "{table}");
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert!(!bench.right.join("later").exists() && bench.right.join("new.txt").exists());
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(bench.seen(), before);

    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let asked = bench.run_on_right("runs", &["--prune"]).expect_code(2);
    assert!(asked.stderr.contains("Hint: Add -y"), "{asked}");
    let pruned = bench.run_on_right("runs", &["--prune", "-y"]).expect_code(0);
    assert!(pruned.stdout.starts_with("Pruned 1 run on ") && pruned.stdout.contains("19 B"), "{pruned}");
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(2);
    assert!(!bench.right.join(".fcs").exists());
}

#[test]
fn a_place_that_is_no_folder_is_refused_by_all_three() {
    let bench = Bench::with_differences();
    let before = bench.traces();
    for command in [&["undo", "-y"][..], &["runs"], &["recover", "-y"]] {
        for (path, why) in [("missing", "it does not exist"), ("same.txt", "it is not a folder")] {
            let path = bench.right.join(path);
            let run = bench.fcs.run([command, &[path.to_str().unwrap()]].concat()).expect_code(2);
            assert!(run.stderr.contains(why) && run.stderr.contains("Hint: "), "{run}");
        }
    }
    assert_eq!(bench.traces(), before);
}

#[test]
fn json_tells_each_item_and_the_code() {
    let bench = Bench::with_differences();
    set_time(&bench.right, 0);
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let all = json_lines(&bench.run_on_right("undo", &["-y", "--json"]).expect_code(0));
    let recovery = events(&all, "recovery")[0];
    assert_eq!(recovery["state"], "rolled-back");
    assert!(
        recovery["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|i| i["path"] == "new.txt" && i["action"] == "removed")
    );
    assert_eq!(all.last().unwrap()["exit_code"], 0);
}

/// Whoever undoes a run is told of a later one that kept nothing: what that one changed stays.
#[test]
fn a_later_run_that_kept_nothing_is_told_before_an_earlier_one_is_undone() {
    let bench = Bench::new();
    bench.left("a", "1", 1);
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    bench.left("b", "2", 2);
    let _ = bench.run("copy", &["-y", "--undo", "off"]).expect_code(0);
    let listed = bench.run_on_right("runs", &[]).expect_code(0);
    assert!(listed.stdout.contains("done, nothing kept") && !listed.stderr.contains("Hint"), "{listed}");
    assert_eq!(fs::read_dir(bench.right.join(".fcs/undo")).unwrap().count(), 1, "nothing is kept of it");
    let told = "A later run kept nothing for undo, and what it changed stays as it is: copy from ";
    let asked = bench.run_on_right("undo", &["-n"]).expect_code(0);
    assert!(asked.stdout.contains(told), "{asked}");
    // Recovery, with nothing to recover, leaves it; and so does a later run, whose undo it does not concern.
    let _ = bench.run_on_right("recover", &[]).expect_code(0);
    bench.left("c", "3", 3);
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let last = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert!(!last.stdout.contains(told), "{last}");
    let first = bench.run_on_right("undo", &["-y", "--json"]).expect_code(0);
    let events = json_lines(&first);
    let note = events.iter().find(|event| event["event"] == "note").unwrap();
    assert!(note["text"].as_str().unwrap().starts_with(told) && note["run"].is_string(), "{first}");
    assert!(
        !bench.right.join("a").exists() && bench.right.join("b").exists() && !bench.right.join("c").exists()
    );
    assert!(!bench.right.join(".fcs").exists(), "no earlier run is left that it could be told of");

    // Alone it leaves no trace.
    let _ = bench.run("copy", &["-y", "--undo", "off"]).expect_code(0);
    assert!(!bench.right.join(".fcs").exists());
}
