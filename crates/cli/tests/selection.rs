//! What takes part and what counts as equal: patterns, whole hours, the tolerance; and that what was not meant is said.

#![cfg(any(target_os = "linux", windows))]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, set_time};

#[test]
fn case_w1_only_folders_on_the_way_to_a_match_are_made_and_dated() {
    let bench = Bench::new();
    bench.left("photos/2020/a.jpg", "jpg", 1);
    bench.left("photos/2020/a.txt", "txt", 1);
    bench.left("photos/empty/b.txt", "txt", 1);
    bench.left("mail/new/x", "x", 1);
    bench.both("there/c.txt", "txt", 1);
    set_time(&bench.left.join("there"), 500);
    set_time(&bench.right.join("there"), 900);
    bench.align();
    let listed = bench.run("compare", &["--include", "*.jpg"]).expect_code(1);
    assert_eq!(listed.stdout.lines().filter(|l| l.starts_with(['+', '*', '-'])).count(), 3, "{listed}");
    let run = bench.run("copy", &["-y", "--include", "*.jpg"]).expect_code(0);
    let seen: Vec<_> =
        bench.seen().into_keys().map(|p| p.strip_prefix(&bench.right).unwrap().to_owned()).collect();
    let expected = ["", "photos", "photos/2020", "photos/2020/a.jpg", "there", "there/c.txt"];
    assert_eq!(seen, expected.map(std::path::PathBuf::from), "{run}");
    let date = std::fs::metadata(bench.right.join("there")).unwrap().modified().unwrap();
    assert_eq!(date, common::moment(900), "a folder in which nothing is done keeps its date");
    let again = bench.run("copy", &["-y", "--include", "*.jpg"]).expect_code(0);
    assert!(again.stdout.contains("Nothing to copy"), "{again}");
}

#[test]
fn case_w1_a_folder_that_leads_to_nothing_is_never_removed() {
    let bench = Bench::new();
    for i in 0..9 {
        bench.both(&format!("{i}.jpg"), "x", 1);
    }
    bench.right("old/a.jpg", "x", 1);
    bench.right("old/text/b.txt", "x", 1);
    std::fs::create_dir(bench.right.join("old/empty")).unwrap();
    let _ = bench.run("sync", &["-y", "--include", "*.jpg"]).expect_code(3);
    assert!(!bench.right.join("old/a.jpg").exists());
    assert!(bench.right.join("old/text/b.txt").exists() && bench.right.join("old/empty").exists());
}

#[test]
fn case_w2_a_pattern_that_matches_nothing_is_named_and_a_path_below_left_is_understood() {
    let bench = Bench::new();
    bench.both("keep", "x", 1);
    bench.left("cache/x", "x", 1);
    bench.align();
    let whole = bench.left.join("cache");
    let dotted = std::path::Path::new(".").join("cache");
    for understood in ["./cache", "/cache", dotted.to_str().unwrap(), whole.to_str().unwrap()] {
        let run = bench.run("compare", &["--exclude", understood]).expect_code(0);
        assert!(!format!("{run}").contains("nothing on either side"), "{understood}: {run}");
    }
    let run = bench.run("copy", &["-n", "--exclude", "cash", "--exclude", "LEFT/cache"]).expect_code(0);
    let words = "Note: The patterns cash, LEFT/cache match nothing on either side.";
    assert!(run.stdout.contains(words) && run.stdout.contains("+ cache/x"), "{run}");
}

#[test]
fn case_t3_whole_hours_are_let_pass_when_asked_and_an_edit_is_still_found() {
    let bench = Bench::new();
    for (name, apart) in
        [("clock", 3_600), ("step", 3_602), ("edit", 1_200), ("later", 4_800), ("three", 10_800)]
    {
        bench.both(name, "same size", 10);
        set_time(&bench.right.join(name), 10 + apart);
    }
    bench.align();
    let _ = bench.run("compare", &["--tolerance", "2s"]).expect_code(1);
    let run = bench.run("compare", &["--tolerance", "2s", "--ignore-whole-hours"]).expect_code(1);
    let found: Vec<_> = run.stdout.lines().filter(|line| line.starts_with("* ")).collect();
    assert_eq!(found.len(), 3, "{run}");
    for name in ["edit", "later", "three"] {
        assert!(found.iter().any(|line| line.contains(name)), "{name}: {run}");
    }
    let run = bench.run("compare", &["--tolerance", "2s", "--ignore-whole-hours=3"]).expect_code(1);
    assert!(!run.stdout.contains("three") && run.stdout.contains("later"), "{run}");
}

#[test]
fn case_w6_what_the_tolerance_lets_pass_is_counted() {
    let bench = Bench::new();
    bench.both("a", "x", 10);
    bench.both("b", "x", 10);
    set_time(&bench.right.join("b"), 11);
    bench.align();
    let run = bench.run("compare", &["--tolerance", "2s"]).expect_code(0);
    let words = "1 item has dates that differ by at most 2 s, which counts as equal";
    assert!(format!("{run}").contains(words), "{run}");
    bench.left("b", "x", 11);
    bench.align();
    let run = bench.run("compare", &[]).expect_code(0);
    assert!(!format!("{run}").contains("counts as equal"), "{run}");
}

#[cfg(target_os = "linux")]
#[test]
fn case_w4_room_that_holes_and_hard_links_need_is_named_beside_what_they_use() {
    let bench = Bench::new();
    std::fs::File::create(bench.left.join("image")).unwrap().set_len(1 << 42).unwrap();
    std::fs::hard_link(bench.left.join("image"), bench.left.join("again")).unwrap();
    let run = bench.run("copy", &["-y"]).expect_code(8);
    let words = "2 sparse files and 2 names of files with several (hard links): 8 TiB in all, of which 0 B are in use";
    assert!(run.stderr.contains("is too full") && run.stderr.contains(words), "{run}");
}

/// 1970 and 1980 are what archives and reproducible builds date their files; FAT begins in 1980.
#[test]
fn case_t2_made_up_dates_on_an_ordinary_disk_are_different_dates() {
    let bench = Bench::new();
    bench.left("a", "newer", 0);
    bench.right("a", "older", 315_532_800);
    let _ = bench.run("sync", &["-y"]).expect_code(0);
    assert_eq!(std::fs::read_to_string(bench.right.join("a")).unwrap(), "newer");
}
