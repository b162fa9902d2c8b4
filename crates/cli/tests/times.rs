//! `fcs times`: what it shows is what the volume stores, and what it sets can be set, verified and undone.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Bench, events, json_lines, moment, set_time};
use fcs_testkit::bin::Run;

fn modified(path: &Path) -> std::time::SystemTime {
    fs::symlink_metadata(path).unwrap().modified().unwrap()
}

fn fcs(bench: &Bench, words: &str, paths: &[&Path]) -> Run {
    let mut args: Vec<std::ffi::OsString> = words.split(' ').map(Into::into).collect();
    args.push("--".into());
    args.extend(paths.iter().map(|path| path.as_os_str().to_owned()));
    bench.fcs.run(args)
}

/// In steps of 100 ns, which NTFS stores too.
const NANOS: i64 = 1_234_567_890_123_456_700;
const TEXT: &str = "2009-02-13T23:31:30.1234567Z";

#[test]
fn what_is_set_is_shown_to_the_nanosecond_and_undone() {
    let bench = Bench::new();
    bench.right("a.txt", "content", 5);
    set_time(&bench.right, 0);
    let file = bench.right.join("a.txt");
    assert_eq!(fcs(&bench, &format!("times set -y --modified {TEXT}"), &[&file]).code, 0);
    let shown = fcs(&bench, "times show --utc --json", &[&file]);
    assert_eq!(shown.code, 0, "{shown}");
    let lines = json_lines(&shown);
    let item = events(&lines, "times")[0];
    assert_eq!((item["modified_ns"].as_i64(), item["kind"].as_str()), (Some(NANOS), Some("file")));
    assert!(item["modified"].as_str().unwrap().starts_with(TEXT.trim_end_matches('Z')), "{item}");
    assert_eq!(item["path"].as_str(), file.to_str());
    let volume = events(&lines, "volume")[0];
    assert!(volume["modified_step_ns"].as_u64().unwrap() >= 1, "{volume}");
    assert_eq!(events(&lines, "end")[0]["exit_code"], 0);
    // In local time, with an offset, as text.
    let text = fcs(&bench, "times show -q", &[&file]);
    assert!(text.stdout.contains(":30.1234567"), "{text}");
    assert_eq!(bench.run_on_right("undo", &["-y"]).code, 0);
    assert_eq!((modified(&file), modified(&bench.right)), (moment(5), moment(0)));
}

#[test]
fn what_is_repaired_is_verified_and_other_content_stays_as_it_is() {
    let bench = Bench::new();
    bench.both("same", "same", 1);
    bench.both("sub/other", "one", 2);
    fs::write(bench.right.join("sub/other"), "two").unwrap();
    set_time(&bench.right.join("sub/other"), 9);
    set_time(&bench.right.join("same"), 8);
    for root in [&bench.left, &bench.right] {
        set_time(&root.join("sub"), 3);
    }
    bench.align();
    let verify = || {
        bench.fcs.run(["times", "verify", "-q", "LEFT", "RIGHT"].map(|arg| match arg {
            "LEFT" => bench.left.clone().into_os_string(),
            "RIGHT" => bench.right.clone().into_os_string(),
            arg => arg.into(),
        }))
    };
    assert_eq!((verify().code, verify().stdout.lines().count()), (1, 2));
    let run = fcs(&bench, "times repair -y", &[&bench.left, &bench.right]);
    assert_eq!(run.code, 3, "one file is left alone: {run}");
    assert_eq!(
        (modified(&bench.right.join("same")), modified(&bench.right.join("sub/other"))),
        (moment(1), moment(9))
    );
    assert_eq!((verify().code, verify().stdout.lines().count()), (1, 1));
    fs::write(bench.right.join("sub/other"), "one").unwrap();
    set_time(&bench.right.join("sub/other"), 9);
    let run = fcs(&bench, "times repair -y", &[&bench.left, &bench.right]);
    assert_eq!((run.code, verify().code), (0, 0), "{run}");
}

#[test]
fn a_dry_run_writes_nothing_and_lists_every_change() {
    let bench = Bench::with_differences();
    let before = bench.traces();
    let run = fcs(&bench, "times copy -r -n --json", &[&bench.left, &bench.right]);
    assert_eq!(run.code, 0, "{run}");
    let lines = json_lines(&run);
    let changed: Vec<_> = events(&lines, "change").iter().map(|change| change["path"].clone()).collect();
    assert_eq!(changed, ["sub/time.txt"], "{run}");
    assert_eq!(events(&lines, "plan")[0]["changes"], 1);
    assert_eq!(bench.traces(), before);
}

#[test]
fn without_a_terminal_nothing_is_set_unasked() {
    let bench = Bench::new();
    bench.right("a.txt", "content", 5);
    let before = bench.traces();
    let run = fcs(&bench, "times set --modified 2020-01-01", &[&bench.right]);
    assert_eq!((run.code, bench.traces()), (2, before), "{run}");
    assert!(run.stderr.contains("--dry-run"), "{run}");
}

#[test]
fn several_places_are_set_in_one_go_each_with_its_own_journal() {
    let bench = Bench::new();
    bench.left("a", "", 5);
    bench.right("b", "", 6);
    let paths = [bench.left.join("a"), bench.right.join("b"), bench.left.join("a")];
    let paths: Vec<&Path> = paths.iter().map(|path| &**path).collect();
    let run = fcs(&bench, "times set -y --json --modified @1000.5", &paths);
    assert_eq!(run.code, 0, "{run}");
    let lines = json_lines(&run);
    assert_eq!(
        (events(&lines, "plan").len(), events(&lines, "run").len(), events(&lines, "end").len()),
        (2, 2, 1)
    );
    assert_eq!(modified(paths[1]), std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_000_500));
    assert_eq!(bench.run_on_right("undo", &["-y"]).code, 0);
    assert_eq!(modified(paths[1]), moment(6));
    assert_ne!(modified(paths[0]), moment(5));
}

#[test]
#[cfg(unix)]
fn hostile_names_are_escaped_as_text_and_exact_as_json() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    let name = std::ffi::OsStr::from_bytes(b"a\n\x1b[31m\xff");
    common::write(&bench.right.join(name), "", 5);
    let text = fcs(&bench, "times show -r", &[&bench.right]);
    assert!(common::is_harmless(&text.stdout) && common::is_harmless(&text.stderr), "{text}");
    let lines = json_lines(&fcs(&bench, "times show -r --json", &[&bench.right]));
    let last = events(&lines, "times").pop().unwrap()["path"].clone();
    assert!(last["bytes"].as_array().unwrap().ends_with(&[0xff.into()]), "{last}");
}
