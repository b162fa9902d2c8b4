//! `fcs compare`: lines, tree, raw names, JSON, exit codes.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, events, is_harmless, json_lines, set_time};

#[test]
fn each_line_has_a_mark_and_a_path() {
    let bench = Bench::with_differences();
    let run = bench.run("compare", &[]).expect_code(1);
    let mut lines: Vec<_> = run.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["* sub/size.txt", "* sub/time.txt", "+ folder/", "+ folder/inside.txt", "+ new.txt", "- old.txt"],
        "{run}"
    );
    assert!(run.stderr.contains("2 different, 3 only in LEFT, 1 only in RIGHT"), "{run}");
    assert!(run.stderr.contains("To copy: "), "{run}");
}

#[test]
fn verbose_shows_equal_items_and_reasons() {
    let bench = Bench::with_differences();
    let run = bench.run("compare", &["-v"]).expect_code(1);
    assert!(run.stdout.contains("= same.txt\n"), "{run}");
    assert!(run.stdout.contains("= sub/\n"), "{run}");
    assert!(run.stdout.contains("* sub/size.txt  (size 12 → 14)\n"), "{run}");
    assert!(
        run.stdout.contains("* sub/time.txt  (modified 2020-09-13 12:26:45.00 → 2020-09-13 12:27:45.00)\n"),
        "{run}"
    );
}

#[test]
fn the_tree_shows_the_folders_on_the_way() {
    let bench = Bench::with_differences();
    let run = bench.run("compare", &["--format", "tree"]).expect_code(1);
    assert_eq!(
        run.stdout, "+ folder/\n+   inside.txt\n+ new.txt\n- old.txt\n= sub/\n*   size.txt\n*   time.txt\n",
        "{run}"
    );
}

#[test]
fn quiet_prints_the_differences_only() {
    let bench = Bench::with_differences();
    let run = bench.run("compare", &["-q"]).expect_code(1);
    assert_eq!(run.stdout.lines().count(), 6, "{run}");
    assert_eq!(run.stderr, "");
}

#[test]
fn equal_folders_exit_with_0() {
    let bench = Bench::new();
    bench.both("a/b/c.txt", "equal", 1);
    for folder in [&bench.left, &bench.right] {
        set_time(&folder.join("a/b"), 2);
        set_time(&folder.join("a"), 2);
    }
    bench.align();
    let run = bench.run("compare", &[]).expect_code(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("No differences: 3 items"), "{run}");
    let empty = Bench::new();
    let _ = empty.run("compare", &[]).expect_code(0);
}

#[test]
fn a_trailing_slash_changes_nothing() {
    let bench = Bench::with_differences();
    let plain = bench.run("compare", &["-q"]);
    let slash = |p: &std::path::Path| format!("{}/", p.display()).into();
    let (left, right): (std::path::PathBuf, std::path::PathBuf) = (slash(&bench.left), slash(&bench.right));
    assert_eq!(bench.run_on("compare", &["-q"], &left, &right).stdout, plain.stdout);
}

#[test]
fn criteria_decide_what_counts() {
    let bench = Bench::new();
    bench.left("f", "AAAA", 1);
    bench.right("f", "BBBB", 500);
    bench.align();
    for (criteria, code) in
        [("existence", 0), ("size", 0), ("modified", 1), ("size,content", 1), ("sha512", 1), ("bytes", 1)]
    {
        let run = bench.run("compare", &["--criteria", criteria]);
        assert_eq!(run.code, code, "{criteria}\n{run}");
    }
    assert_eq!(bench.run("compare", &["--tolerance", "10m"]).code, 0);
    assert_eq!(bench.run("compare", &["--tolerance", "exact"]).code, 1);
    bench.left("only left", "", 1);
    bench.align();
    assert_eq!(bench.run("compare", &["--criteria", "size"]).code, 1, "existence counts unless switched off");
    let off = bench.run("compare", &["--criteria", "size", "--set", "compare_existence=off"]).expect_code(0);
    assert_eq!(off.stdout, "", "{off}");
}

#[test]
fn patterns_choose_what_takes_part() {
    let bench = Bench::with_differences();
    let run = bench.run("compare", &["-q", "--exclude", "sub", "--exclude", "*.txt"]).expect_code(1);
    assert_eq!(run.stdout, "+ folder/\n", "{run}");
    let run = bench.run("compare", &["-q", "--include", "new.*"]).expect_code(1);
    assert!(run.stdout.contains("+ new.txt\n") && !run.stdout.contains("old.txt"), "{run}");
}

#[test]
fn every_line_of_json_is_an_object_and_the_last_is_the_summary() {
    let bench = Bench::with_differences();
    let run = bench.run("compare", &["--json"]).expect_code(1);
    let all = json_lines(&run);
    let rows = events(&all, "row");
    assert_eq!(rows.len(), 6, "{run}");
    let size = rows.iter().find(|row| row["path"] == "sub/size.txt").unwrap();
    assert_eq!((size["mark"].as_str(), size["verdict"].as_str()), (Some("*"), Some("different")));
    assert_eq!(size["differences"], serde_json::json!(["size"]));
    assert_eq!((size["left"]["size"].as_u64(), size["right"]["size"].as_u64()), (Some(12), Some(14)));
    assert_eq!(size["left"]["modified"], "2020-09-13T12:26:44.000000000Z");
    let last = all.last().unwrap();
    assert_eq!((last["event"].as_str(), last["exit_code"].as_u64()), (Some("summary"), Some(1)));
    assert_eq!((last["left_only"].as_u64(), last["different"].as_u64()), (Some(3), Some(2)));
    assert_eq!(run.stderr, "", "{run}");
    let verbose = json_lines(&bench.run("compare", &["--json", "-v"]));
    assert_eq!(events(&verbose, "row").len(), 8);
}

#[cfg(unix)]
#[test]
fn hostile_names_are_escaped_in_text_and_exact_in_raw_and_json() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    let names: [&[u8]; 5] =
        [b"line\nend", b"esc\x1b[2J", b"bad\xff\xfeutf8", "\u{202e}txt.exe".as_bytes(), b"-dash"];
    for name in names {
        std::fs::write(bench.left.join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
    }
    bench.align();

    for args in [&[][..], &["-v"], &["--format=tree"], &["--json"]] {
        let run = bench.run("compare", args).expect_code(1);
        assert!(is_harmless(&run.stdout) && is_harmless(&run.stderr), "{run}");
        assert!(run.stdout.lines().count() >= names.len(), "{run}");
    }
    let raw = bench.run("compare", &["-0", "-q"]).expect_code(1);
    let mut found: Vec<&[u8]> = raw.stdout_bytes.split(|&b| b == 0).filter(|l| !l.is_empty()).collect();
    found.sort_unstable();
    let mut expected: Vec<Vec<u8>> = names.iter().map(|name| [b"+ ", *name].concat()).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);

    let all = json_lines(&bench.run("compare", &["--json"]));
    let paths: Vec<_> = events(&all, "row").iter().map(|row| row["path"].clone()).collect();
    assert!(paths.contains(&serde_json::json!("esc\x1b[2J")), "{paths:?}");
    assert!(paths.contains(&serde_json::json!({ "bytes": b"bad\xff\xfeutf8" })), "{paths:?}");
}

#[cfg(unix)]
#[test]
fn a_file_opposite_a_folder_is_a_problem_with_a_reason_and_a_difference() {
    let bench = Bench::new();
    bench.left("x", "a file", 1);
    bench.right("x/inside", "a folder", 1);
    bench.align();
    let run = bench.run("compare", &[]).expect_code(1);
    assert!(run.stdout.contains("! x  (file on the left, folder on the right)\n"), "{run}");
}

#[cfg(unix)]
#[test]
fn links_are_compared_by_what_they_say() {
    let bench = Bench::new();
    std::os::unix::fs::symlink("one", bench.left.join("link")).unwrap();
    std::os::unix::fs::symlink("two", bench.right.join("link")).unwrap();
    bench.align();
    let run = bench.run("compare", &["-v", "--tolerance", "1h"]).expect_code(1);
    assert!(run.stdout.contains("link to one → two"), "{run}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_causes_no_noise() {
    use std::io::Read;
    use std::process::Stdio;
    let bench = Bench::new();
    for i in 0..3000 {
        bench.left(&format!("a file with quite a long name, number {i}"), "", 1);
    }
    let mut child = bench
        .fcs
        .command()
        .args(["compare", "-q"])
        .args([&bench.left, &bench.right])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(1), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let bench = Bench::with_differences();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        bench.fcs.command().arg("compare").args([&bench.left, &bench.right]).stdout(full).output().unwrap();
    let run = fcs_testkit::bin::Run::from(output).expect_code(4);
    assert!(run.stderr.contains("Could not write the output"), "{run}");
}

#[test]
fn colour_comes_only_when_asked_for_here() {
    let bench = Bench::with_differences();
    assert!(is_harmless(&bench.run("compare", &[]).stdout));
    let run = bench.run("compare", &["--color", "always"]);
    assert!(run.stdout.contains("\x1b[32m+ new.txt\x1b[0m"), "{run}");
}

/// The program as a user without special rights, because nothing is unreadable to root.
#[cfg(unix)]
fn run_without_rights(bench: &Bench, args: &[&str]) -> fcs_testkit::bin::Run {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    // The build's own folder may be closed to others.
    let program = bench.dir.path().join("fcs");
    fcs_testkit::bin::place_program(env!("CARGO_BIN_EXE_fcs").as_ref(), &program);
    let mut command = std::process::Command::new(program);
    command
        .env_clear()
        .env("FCS_CONFIG", "/dev/null")
        .current_dir("/")
        .args(args)
        .args([&bench.left, &bench.right]);
    if rustix::process::geteuid().is_root() {
        std::fs::set_permissions(bench.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(65534).gid(65534);
    }
    command.output().unwrap().into()
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_a_problem_with_its_reason_and_never_absent() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.both("readable", "x", 1);
    bench.both("secret/file", "x", 1);
    bench.both("content", "x", 1);
    for closed in ["secret", "content"] {
        std::fs::set_permissions(bench.left.join(closed), std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    bench.align();
    let run = run_without_rights(&bench, &["compare", "--criteria", "size,content"]).expect_code(4);
    let reason = |path: &str| {
        let path = bench.left.join(path);
        move |line: &&str| {
            line.contains(&*path.to_string_lossy()) && line.contains("you do not have permission")
        }
    };
    assert!(
        run.stdout.lines().any(|line| line.starts_with("! secret/  (") && reason("secret")(&line)),
        "{run}"
    );
    assert!(
        run.stdout.lines().any(|line| line.starts_with("! content  (") && reason("content")(&line)),
        "{run}"
    );
    assert!(!run.stdout.lines().any(|line| line.starts_with(['+', '-', '*'])), "{run}");
    assert!(run.stderr.contains(" unreadable, 1 not comparable"), "{run}");

    let json =
        run_without_rights(&bench, &["compare", "--json", "--criteria", "size,content"]).expect_code(4);
    let all = json_lines(&json);
    let verdict = |path: &str| {
        let rows = events(&all, "row");
        rows.iter().find(|row| row["path"] == path).map(|row| row["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdict("secret").as_deref(), Some("unreadable"));
    assert_eq!(verdict("content").as_deref(), Some("not-comparable"));
    std::fs::set_permissions(bench.left.join("secret"), std::fs::Permissions::from_mode(0o755)).unwrap();
}
