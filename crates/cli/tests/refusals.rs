//! Everything that `fcs` refuses: the exit code, what it says, and that nothing was touched.

#![allow(clippy::unwrap_used)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use common::Bench;
use fcs_testkit::bin::Run;

/// Runs every command on two paths and expects the same refusal from each, without a trace.
fn refused(bench: &Bench, left: &Path, right: &Path, code: i32, message: &str) {
    let before = bench.traces();
    for (command, args) in [
        ("compare", &[][..]),
        ("copy", &["-y"][..]),
        ("copy", &["--dry-run"][..]),
        ("sync", &["-y"][..]),
        ("orphans", &["-y"][..]),
        ("orphans", &["-n", "--side", "left"][..]),
    ] {
        let run = bench.run_on(command, args, left, right).expect_code(code);
        assert!(run.stderr.contains(message), "{message:?} is missing\n{run}");
        assert_eq!(run.stdout, "", "{run}");
        assert_eq!(bench.traces(), before, "{command} left a trace");
    }
}

fn usage(bench: &Bench, args: &[&str], message: &str) -> Run {
    let before = bench.traces();
    let mut all: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    all.extend([bench.left.as_os_str(), bench.right.as_os_str()]);
    let run = bench.fcs.run(all).expect_code(2);
    assert!(run.stderr.contains(message), "{message:?} is missing\n{run}");
    assert_eq!(bench.traces(), before);
    run
}

#[test]
fn a_missing_folder_is_named_with_a_hint() {
    let bench = Bench::with_differences();
    let missing = bench.dir.path().join("missing");
    let text = format!("Could not open {}: it does not exist.\nHint: ", missing.display());
    refused(&bench, &missing, &bench.right, 2, &text);
    refused(&bench, &bench.left, &missing, 2, &text);
    refused(&bench, &bench.left, &missing, 2, "create the folder first");
}

#[test]
fn a_file_is_not_a_folder() {
    let bench = Bench::with_differences();
    let file = bench.left.join("same.txt");
    refused(&bench, &file, &bench.right, 2, "it is not a folder.\nHint: ");
    refused(&bench, &bench.left, &file, 2, "it is not a folder.\nHint: ");
    refused(&bench, &file.join("below"), &bench.right, 2, "Could not open ");
}

#[test]
fn the_same_folder_twice_is_refused_however_it_is_spelled() {
    let bench = Bench::with_differences();
    refused(&bench, &bench.left, &bench.left, 8, "");
    refused(&bench, &bench.left, &bench.left.join("sub/.."), 8, "");
    #[cfg(unix)]
    {
        let link = bench.dir.path().join("link");
        std::os::unix::fs::symlink(&bench.left, &link).unwrap();
        refused(&bench, &bench.left, &link, 8, "");
    }
}

#[test]
fn one_folder_inside_the_other_is_refused_both_ways() {
    let bench = Bench::with_differences();
    let inner = bench.left.join("sub");
    refused(&bench, &bench.left, &inner, 8, "");
    refused(&bench, &inner, &bench.left, 8, "");
}

#[test]
fn network_spellings_are_refused() {
    let bench = Bench::with_differences();
    let message = r"are not accepted.
Hint: Map a drive letter to it, such as `net use Z: \\server\share`, and use Z: instead";
    for unc in [
        r"\\server\share",
        "//server/share",
        r"\/server\share\below",
        r"\\?\UNC\server\share",
        r"\\.\UNC\server\share",
        "//?/UNC/server/share",
        r"\??\UNC\server\share",
    ] {
        refused(&bench, Path::new(unc), &bench.right, 2, message);
        refused(&bench, &bench.left, Path::new(unc), 2, message);
    }
    let wsl = r"such as `net use Z: \\wsl$\Debian`";
    refused(&bench, &bench.left, Path::new(r"\\wsl$\Debian\home"), 2, wsl);
    for (command, option) in [("undo", "-y"), ("runs", "--json"), ("recover", "-y")] {
        let run = bench.fcs.run([command, option, r"\\server\share"]).expect_code(2);
        assert!(run.stderr.contains(message), "{run}");
    }
    let report = r"\\server\share\report.json";
    usage(&bench, &["copy", "-y", "--report", report], "are not accepted.\nHint: Map a drive letter");
}

#[test]
fn bad_values_say_what_is_accepted() {
    let bench = Bench::with_differences();
    usage(&bench, &["copy", "-y", "--verify", "huge"], "none, all, or a size such as 1GiB");
    usage(&bench, &["copy", "-y", "--verify", "-5"], "unexpected argument");
    usage(&bench, &["copy", "-y", "--jobs", "0"], "a whole number from 1 to 64");
    usage(&bench, &["copy", "-y", "--strategy", "fast"], "auto, direct, staged");
    usage(&bench, &["copy", "-y", "--undo", "days:0"], "off, last, or days:N with N from 1 to 36500");
    usage(&bench, &["copy", "-y", "--on-error", "stop"], "continue, rollback-run");
    usage(&bench, &["orphans", "-y", "--to", "nowhere"], "undo, trash, permanent");
    usage(&bench, &["sync", "-y", "--max-delete", "half"], "--max-delete <N>");
    usage(&bench, &["compare", "--tolerance", "2"], "such as 10ms or 2s");
    usage(&bench, &["compare", "--criteria", "colour"], "size, created, modified");
    usage(&bench, &["compare", "--set", "nonsense=1"], "There is no setting called nonsense.\nHint: ");
    usage(&bench, &["compare", "--set", "mmap_window_bytes=1"], "outside its range");
    usage(&bench, &["compare", "--exclude", "a{b"], "it is not a valid wildcard pattern");
}

#[test]
fn an_unknown_option_gets_a_suggestion() {
    let bench = Bench::with_differences();
    usage(&bench, &["copy", "--veriffy", "all"], "--verify");
    usage(&bench, &["copmare"], "compare");
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let bench = Bench::with_differences();
    for pair in [["-q", "-v"], ["--json", "-0"], ["-0", "--format=tree"], ["--json", "--format=tree"]] {
        usage(&bench, &["compare", pair[0], pair[1]], "cannot be used with");
    }
}

#[test]
fn what_writes_needs_yes_without_a_terminal() {
    let bench = Bench::with_differences();
    for command in ["copy", "sync", "orphans"] {
        let run = usage(&bench, &[command], "standard input is not a terminal.\nHint: Add -y");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_report_inside_either_folder_is_refused() {
    let bench = Bench::with_differences();
    for folder in [&bench.left, &bench.right, &bench.left.join("sub")] {
        let report = folder.join("report.json");
        usage(&bench, &["copy", "-y", "--report", report.to_str().unwrap()], "it would be inside");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_is_copied() {
    let bench = Bench::with_differences();
    let missing = bench.dir.path().join("none/report.json");
    usage(&bench, &["copy", "-y", "--report", missing.to_str().unwrap()], "its folder cannot be opened");
    usage(&bench, &["copy", "-y", "--report", bench.dir.path().to_str().unwrap()], "it is a folder");
    usage(&bench, &["copy", "-y", "--report", "report.html"], "reports are written as JSON only");
}

#[test]
fn a_broken_settings_file_is_named_with_its_line_and_nothing_is_done() {
    let bench = Bench::with_differences();
    let file = bench.fcs.home().join("settings.toml");
    fs::write(&file, "verify = \"all\"\nnonsense = 1\n").unwrap();
    let before = bench.traces();
    for command in [&["compare"][..], &["copy", "-y"], &["settings"], &["settings", "get", "verify"]] {
        let mut run = bench.fcs.command();
        run.env("FCS_CONFIG", &file).args(command);
        if command[0] != "settings" {
            run.args([&bench.left, &bench.right]);
        }
        let run = Run::from(run.output().unwrap()).expect_code(2);
        assert!(run.stderr.contains("settings.toml: line 2: there is no setting called nonsense."), "{run}");
        assert!(run.stderr.contains("\nHint: "), "{run}");
    }
    assert_eq!(bench.traces(), before);
}

#[test]
fn what_was_typed_is_repeated_without_its_power_over_the_terminal() {
    let bench = Bench::new();
    for args in [
        &["compare", "\x1b[2J", "b"][..],
        &["compare", "a", "b", "\u{202e}"],
        &["\x1b[2J"],
        &["copy", "--\x1b[2J"],
    ] {
        let run = bench.fcs.run(args).expect_code(2);
        assert!(common::is_harmless(&run.stderr), "{run}");
    }
}

#[test]
fn no_command_shows_the_help() {
    let bench = Bench::new();
    let run = bench.fcs.run([""; 0]).expect_code(2);
    assert!(run.stderr.contains("Usage: fcs <COMMAND>") && run.stderr.contains("Examples:"), "{run}");
}
