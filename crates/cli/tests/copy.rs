//! `fcs copy` from end to end, judged by a listing that shares no code with the engine.

#![cfg(any(target_os = "linux", windows))]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Bench, events, is_harmless, json_lines};
#[cfg(target_os = "linux")]
use fcs_testkit::{Options, TreeSpec, diff, hostile_tree, listing, random_tree};
use serde_json::Value;

#[cfg(target_os = "linux")]
#[track_caller]
fn assert_equal(left: &Path, right: &Path) {
    let options = Options::default();
    assert_eq!(diff(&listing(left, &options).unwrap(), &listing(right, &options).unwrap()), [""; 0]);
}

/// Names that must not be left behind by anything.
#[cfg(target_os = "linux")]
fn leftovers(root: &Path) -> Vec<std::path::PathBuf> {
    let options = Options { skip: &[], ..Options::default() };
    let ours =
        |path: &Path| path.components().any(|part| part.as_os_str().to_string_lossy().starts_with(".fcs"));
    listing(root, &options).unwrap().into_keys().filter(|path| ours(path)).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_copy_is_equal_in_everything_and_a_second_one_has_nothing_to_do() {
    let bench = Bench::new();
    random_tree(&bench.left, 7, &TreeSpec::default()).unwrap();
    let run = bench.run("copy", &["-y", "--undo", "off"]).expect_code(0);
    assert!(run.stdout.contains("Done: 210 files and links copied"), "{run}");
    assert_equal(&bench.left, &bench.right);
    assert_eq!(leftovers(bench.dir.path()), Vec::<std::path::PathBuf>::new());

    let again = bench.run("copy", &["-y"]).expect_code(0);
    assert!(again.stdout.contains("Nothing to copy"), "{again}");
    let compared = bench.run("compare", &["--criteria", "size,modified,bytes"]).expect_code(0);
    assert_eq!(compared.stdout, "");
}

#[cfg(target_os = "linux")]
#[test]
fn the_hostile_tree_arrives_and_only_the_pipe_is_left_alone() {
    let bench = Bench::new();
    let made = hostile_tree(&bench.left).unwrap();
    println!("left out by this file system: {:?}", made.left_out);
    for strategy in ["direct", "staged"] {
        let right = bench.dir.path().join(strategy);
        fs::create_dir(&right).unwrap();
        let run =
            bench.run_on("copy", &["-y", "-v", "--strategy", strategy], &bench.left, &right).expect_code(0);
        assert!(is_harmless(&run.stdout) && is_harmless(&run.stderr), "{run}");
        assert!(run.stdout.contains("special/fifo"), "{run}");
        let options = Options { times_of_folders: false, ..Options::default() };
        let mut expected = listing(&bench.left, &options).unwrap();
        expected.remove(Path::new("special/fifo"));
        assert_eq!(diff(&expected, &listing(&right, &options).unwrap()), [""; 0], "{strategy}");
    }
}

#[test]
fn differences_are_brought_over_and_what_only_right_has_stays() {
    let bench = Bench::with_differences();
    let run = bench.run("copy", &["-y", "-v"]).expect_code(0);
    for line in ["+ new.txt  ", "* sub/size.txt  ", "+ folder/inside.txt  "] {
        assert!(run.stdout.contains(line), "{line:?}\n{run}");
    }
    assert_eq!(fs::read_to_string(bench.right.join("sub/size.txt")).unwrap(), "twelve bytes");
    assert_eq!(fs::read_to_string(bench.right.join("old.txt")).unwrap(), "only right");
    let compared = bench.run("compare", &["-q"]).expect_code(1);
    assert_eq!(compared.stdout, "- old.txt\n");
}

#[test]
fn each_run_has_a_log_of_what_was_decided_unless_that_is_off() {
    let bench = Bench::with_differences();
    let off = bench.run("copy", &["-y", "-v", "--set", "log_level=off"]).expect_code(0);
    assert!(!off.stdout.contains("Log: "), "{off}");
    bench.left("more.txt", "more", 1);
    let run = bench.run("copy", &["-y", "-v"]).expect_code(0);
    let log = run.stdout.lines().find_map(|line| line.strip_prefix("Log: "));
    let log = Path::new(log.unwrap_or_else(|| panic!("{run}")));
    #[cfg(unix)] // Elsewhere the system says where a home is, not the environment.
    assert!(log.starts_with(fs::canonicalize(bench.fcs.home()).unwrap()), "in the user's home: {run}");
    let text = fs::read_to_string(log).unwrap();
    assert!(
        text.contains("more.txt: 4 B, direct") && text.contains("(local and below the size limit)"),
        "{text}"
    );
}

#[test]
fn a_dry_run_decides_everything_and_leaves_no_trace() {
    let bench = Bench::with_differences();
    let before = bench.traces();
    let run = bench.run("copy", &["--dry-run"]).expect_code(0);
    for part in [
        "+ new.txt  9 B  direct, verified (local and below the size limit)\n",
        "+ folder/\n",
        "* sub/size.txt",
        "Dry run: nothing was written.",
    ] {
        assert!(run.stdout.contains(part), "{part:?}\n{run}");
    }
    let none = bench.run("copy", &["-n", "--verify", "none", "--strategy", "staged"]).expect_code(0);
    assert!(none.stdout.contains("+ new.txt  9 B  staged, not verified (as requested)\n"), "{none}");
    let json = json_lines(&bench.run("copy", &["-n", "--json"]).expect_code(0));
    let new = events(&json, "item").into_iter().find(|item| item["path"] == "new.txt").unwrap();
    assert_eq!(new["outcome"], serde_json::json!({ "kind": "skipped", "why": "dry-run" }));
    assert_eq!((new["strategy"].as_str(), new["verify"].as_bool()), (Some("direct"), Some(true)));
    assert_eq!(bench.traces(), before);
}

#[test]
fn the_overview_says_what_will_happen_before_it_does() {
    let bench = Bench::with_differences();
    for i in 0..12 {
        bench.left(&format!("many/{i:02}"), "x", 1);
    }
    let run = bench.run("copy", &["-y", "--verify", "1KiB"]).expect_code(0);
    for part in [
        "From  ",
        "To    ",
        "14 new files",
        "2 files replaced",
        "2 new folders",
        "direct 16 files",
        "files below 1 KiB: 16 of 16",
        " needed, ",
        " free",
        "… and ",
        " more\n",
    ] {
        assert!(run.stdout.contains(part), "{part:?}\n{run}");
    }
}

#[test]
fn json_events_frame_the_run_and_agree_with_the_report() {
    let bench = Bench::with_differences();
    let report = bench.dir.path().join("report.json");
    let run = bench.run("copy", &["-y", "--json", "--report", report.to_str().unwrap()]).expect_code(0);
    let all = json_lines(&run);
    assert_eq!(all[0]["event"], "start");
    assert_eq!(all[0]["schema"], "fcs-events/1");
    assert_eq!(events(&all, "plan").len(), 1);
    assert!(!events(&all, "progress").is_empty());
    let end = all.last().unwrap();
    assert_eq!(
        (end["event"].as_str(), end["exit_code"].as_u64(), end["result"].as_str()),
        (Some("end"), Some(0), Some("completed"))
    );

    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["schema"], "fcs-report/1");
    assert_eq!(report["counts"], end["counts"]);
    assert_eq!(report["items"].as_array().unwrap().len(), events(&all, "item").len());
    let item = report["items"].as_array().unwrap().iter().find(|item| item["path"] == "new.txt").unwrap();
    assert_eq!((item["action"].as_str(), item["outcome"]["kind"].as_str()), (Some("copy-new"), Some("done")));
    let evidence = item["outcome"]["evidence"]["kind"].as_str().unwrap();
    assert!(["device-reread", "cache-reread"].contains(&evidence), "{evidence}");
    assert_eq!(run.stderr, "", "{run}");
}

#[test]
fn a_report_is_written_for_a_dry_run_and_when_there_is_nothing_to_do() {
    let bench = Bench::with_differences();
    let report = bench.dir.path().join("report.json");
    let result = |args: &[&str]| {
        let _ = bench.run("copy", &[args, &["--report", report.to_str().unwrap()]].concat()).expect_code(0);
        let value: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        value["result"].as_str().unwrap().to_owned()
    };
    assert_eq!(result(&["--dry-run"]), "dry-run");
    assert_eq!(result(&["-y"]), "completed");
    assert_eq!(result(&["-y"]), "completed");
}

#[test]
fn quiet_says_nothing_when_all_is_well() {
    let bench = Bench::with_differences();
    let run = bench.run("copy", &["-y", "-q"]).expect_code(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn a_kind_clash_is_left_alone_with_a_warning_and_the_rest_is_done() {
    let bench = Bench::new();
    bench.left("x", "a file", 1);
    bench.right("x/inside", "a folder", 1);
    bench.left("y", "another", 1);
    let run = bench.run("copy", &["-y"]).expect_code(3);
    assert!(run.stdout.contains("left alone") && run.stdout.contains("! x"), "{run}");
    assert_eq!(fs::read_to_string(bench.right.join("x/inside")).unwrap(), "a folder");
    assert_eq!(fs::read_to_string(bench.right.join("y")).unwrap(), "another");
}

#[test]
fn progress_can_be_forced_where_there_is_no_terminal() {
    let bench = Bench::with_differences();
    let run = bench.run("copy", &["-y", "--progress", "always"]).expect_code(0);
    assert!(is_harmless(&run.stderr), "{run}");
}

#[test]
fn a_protected_target_fails_with_its_reason_and_keeps_its_content() {
    let bench = Bench::with_differences();
    let marked = bench.right.join("sub").join("size.txt");
    let _kept = protect_or_skip!(&marked);
    let run = bench.run("copy", &["-y"]).expect_code(4);
    assert!(run.stderr.contains("Will fail: "), "{run}");
    let message = format!("Could not replace {}: {}.", marked.display(), common::PROTECTED);
    assert!(run.stderr.contains(&message) && run.stderr.contains("The original is unchanged."), "{run}");
    assert!(run.stdout.contains("1 item, listed below"), "{run}");
    assert_eq!(fs::read_to_string(&marked).unwrap(), "fourteen bytes");
    assert!(bench.right.join("new.txt").exists(), "the rest is done");
}

#[test]
fn not_enough_room_is_refused_before_anything_is_written() {
    let bench = Bench::with_differences();
    let before = bench.traces();
    let margin = ["--set", "space_margin_bytes=9000T"];
    let run = bench.run("copy", &[&["-y"][..], &margin].concat()).expect_code(8);
    assert!(run.stderr.contains("Refused: "), "{run}");
    let dry = bench.run("copy", &[&["--dry-run"][..], &margin].concat()).expect_code(8);
    assert!(dry.stdout.contains("+ new.txt") && dry.stderr.contains("Refused: "), "{dry}");
    let json = bench.run("copy", &[&["-y", "--json"][..], &margin].concat()).expect_code(8);
    let all = json_lines(&json);
    assert_eq!(events(&all, "plan")[0]["refused"], true);
    assert_eq!(all.last().unwrap()["exit_code"], 8);
    assert_eq!(bench.traces(), before);
}

/// W3: that something newer is replaced is said before it happens.
#[test]
fn w3_a_newer_target_is_said_before_it_is_replaced() {
    let bench = Bench::new();
    bench.left("f", "older", 1);
    bench.right("f", "the newer one", 100);
    let dry = bench.run("copy", &["-n"]).expect_code(0);
    assert!(dry.stdout.contains("1 of 1 replaced files is newer on the right\n"), "{dry}");
    let kept = bench.run("copy", &["-y", "--newer", "keep"]).expect_code(0);
    assert!(kept.stdout.contains("the target has a newer one, which is kept"), "{kept}");
    assert_eq!(fs::read_to_string(bench.right.join("f")).unwrap(), "the newer one");
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_eq!(fs::read_to_string(bench.right.join("f")).unwrap(), "older");
}

/// What no run can ever copy is reported, and does not make every night a warning.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_is_a_note_and_a_warning_only_when_strict() {
    let bench = Bench::with_differences();
    let _socket = std::os::unix::net::UnixListener::bind(bench.left.join("socket")).unwrap();
    for _ in 0..2 {
        let run = bench.run("copy", &["-y"]).expect_code(0);
        assert!(run.stdout.contains("socket"), "{run}");
        assert!(run.stdout.contains("not a file, folder or link"), "{run}");
    }
    let _ = bench.run("copy", &["-y", "--strict"]).expect_code(3);
}
