//! Runs that were killed: every command says so, and `fcs recover` recovers the folder.

#![cfg(any(target_os = "linux", windows))]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use common::{Bench, events, json_lines};
use fcs_testkit::{Options, diff, listing};

/// RIGHT has older versions of half of what LEFT has.
fn many_files() -> Bench {
    let bench = Bench::new();
    for i in 0..2000 {
        let path = format!("{:02}/{i:04}", i / 100);
        bench.left(&path, &format!("new content of {i}"), 10);
        if i % 2 == 0 {
            bench.right(&path, &format!("old content of {i}"), 5);
        }
    }
    bench
}

/// Kills a copy once it has committed something.
fn killed(bench: &Bench) {
    let mut child = bench
        .fcs
        .command()
        .args([
            "copy",
            "-y",
            "--json",
            "--jobs",
            "1",
            "--set",
            "batch_max_files=20",
            "--max-change",
            "100000",
        ])
        .args([&bench.left, &bench.right])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("\"event\":\"item\"") {
        let n = out.read(&mut buffer).unwrap();
        assert!(n > 0, "ended early: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..n]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let listed = bench.run_on_right("runs", &["--json"]).expect_code(9);
    assert_eq!(json_lines(&listed)[0]["state"], "unfinished", "the kill came too late\n{listed}");
}

fn strays(root: &Path) -> Vec<std::path::PathBuf> {
    let options = Options { skip: &[], ..Options::default() };
    let stray = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(".fcs-")
    };
    listing(root, &options).unwrap().into_keys().filter(|path| stray(path)).collect()
}

#[test]
fn a_killed_copy_stops_every_command_until_it_is_recovered() {
    let bench = many_files();
    killed(&bench);
    let before = bench.traces();
    let hint = format!("Hint: `fcs recover {}` ", bench.right.display());
    for (command, args) in [
        ("compare", &[][..]),
        ("compare", &["--json"]),
        ("copy", &["-y"]),
        ("copy", &["-n"]),
        ("sync", &["-y"]),
        ("orphans", &["-y"]),
    ] {
        let run = bench.run(command, args).expect_code(9);
        assert!(
            run.stderr.contains("was interrupted and is not finished:\n") && run.stderr.contains(&hint),
            "{run}"
        );
    }
    let other_way = bench.run_on("copy", &["-y"], &bench.right, &bench.left).expect_code(9);
    assert!(other_way.stderr.contains(&hint), "as a source too\n{other_way}");
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(9);
    let asked = bench.run_on_right("recover", &[]).expect_code(2);
    assert!(asked.stderr.contains("standard input is not a terminal.\nHint: Add -y to keep"), "{asked}");
    assert_eq!(bench.traces(), before);

    let run = bench.run_on_right("recover", &["-y"]).expect_code(0);
    assert!(run.stdout.contains("Recovered run "), "{run}");
    assert!(run.stdout.contains("what was done stays."), "{run}");
    assert_eq!(strays(&bench.right), Vec::<std::path::PathBuf>::new());
    for i in 0..2000 {
        let path = bench.right.join(format!("{:02}/{i:04}", i / 100));
        match fs::read_to_string(&path) {
            Ok(text) if text == format!("new content of {i}") => {}
            Ok(text) => {
                assert!(i % 2 == 0 && text == format!("old content of {i}"), "{}: {text:?}", path.display());
            }
            Err(_) => assert!(i % 2 == 1, "{} is gone", path.display()),
        }
    }
    let nothing = bench.run_on_right("recover", &[]).expect_code(0);
    assert!(nothing.stdout.contains("Nothing to recover"), "{nothing}");
    let _ = bench.run("copy", &["-y", "--max-change", "100000"]).expect_code(0);
    let _ = bench.run("compare", &["--criteria", "size,modified,bytes"]).expect_code(0);
}

#[test]
fn a_killed_copy_can_be_rolled_back() {
    let bench = many_files();
    let options = Options::default();
    let before = listing(&bench.right, &options).unwrap();
    killed(&bench);
    let all = json_lines(&bench.run_on_right("recover", &["-y", "--rollback", "--json"]).expect_code(0));
    assert_eq!(events(&all, "recovery")[0]["state"], "rolled-back");
    assert_eq!(all.last().unwrap()["exit_code"], 0);
    assert_eq!(diff(&before, &listing(&bench.right, &options).unwrap()), [""; 0]);
    assert!(!bench.right.join(".fcs").exists());
}

#[test]
fn what_was_recovered_can_still_be_undone() {
    let bench = many_files();
    let options = Options::default();
    let before = listing(&bench.right, &options).unwrap();
    killed(&bench);
    let _ = bench.run_on_right("recover", &["-y", "-q"]).expect_code(0);
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(diff(&before, &listing(&bench.right, &options).unwrap()), [""; 0]);
}

#[test]
fn one_run_at_a_time_and_the_second_says_who() {
    let bench = many_files();
    let mut child = bench
        .fcs
        .command()
        .args([
            "copy",
            "-y",
            "--json",
            "--jobs",
            "1",
            "--set",
            "batch_max_files=20",
            "--max-change",
            "100000",
        ])
        .args([&bench.left, &bench.right])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    // The run stands still once nobody reads its events.
    while !String::from_utf8_lossy(&seen).contains("\"event\":\"item\"") {
        let n = out.read(&mut buffer).unwrap();
        assert!(n > 0, "ended early");
        seen.extend_from_slice(&buffer[..n]);
    }
    for (command, args) in [("copy", &["-y"][..]), ("sync", &["-y"])] {
        let run = bench.run(command, args).expect_code(8);
        assert!(run.stderr.contains("Another run is in progress on this folder: "), "{run}");
    }
    for args in [&["undo", "-y"][..], &["recover", "-y"]] {
        let run = bench.run_on_right(args[0], &args[1..]).expect_code(8);
        assert!(run.stderr.contains(&child.id().to_string()), "{run}");
    }
    let compared = bench.run("compare", &["-q"]);
    assert!([0, 1].contains(&compared.code), "looking is allowed\n{compared}");
    drop(out);
    child.wait().unwrap();
}
