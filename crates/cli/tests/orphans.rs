//! `fcs orphans`: only what was listed goes, to where it was asked to go.

#![cfg(any(target_os = "linux", windows))]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Bench, events, json_lines};
#[cfg(target_os = "linux")]
use fcs_testkit::image::{FsKind, for_each_image};

fn bench() -> Bench {
    let bench = Bench::with_differences();
    bench.right("gone/deep/x.bak", "1234", 1);
    bench.right("gone/y", "12", 1);
    for i in 0..5 {
        bench.both(&format!("more{i}"), "x", 1);
    }
    bench
}

#[test]
fn what_only_right_has_goes_and_comes_back_with_undo() {
    let bench = bench();
    let before = bench.seen();
    let run = bench.run("orphans", &["-y"]).expect_code(0);
    for part in [
        "In          ",
        "Missing in  ",
        "Remove      3 files and links, 2 folders; 16 B\n",
        "Originals   16 B kept for undo for 30 days\n",
        "  - gone/\n",
        "Done: 5 items removed (16 B) in",
    ] {
        assert!(run.stdout.contains(part), "{part:?}\n{run}");
    }
    let gone: Vec<PathBuf> = before
        .keys()
        .filter(|p| !bench.seen().contains_key(*p))
        .map(|p| p.strip_prefix(&bench.right).unwrap().into())
        .collect();
    assert_eq!(gone, ["gone", "gone/deep", "gone/deep/x.bak", "gone/y", "old.txt"].map(PathBuf::from));
    assert_eq!(
        fs::read_to_string(bench.right.join("sub/size.txt")).unwrap(),
        "fourteen bytes",
        "nothing is copied"
    );
    let none = bench.run("orphans", &["-y"]).expect_code(0);
    assert!(
        none.stdout.contains("No orphans: the left folder has everything that the right folder has."),
        "{none}"
    );
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(bench.seen(), before);
}

#[test]
fn the_side_decides_and_the_other_one_is_not_touched() {
    let bench = bench();
    let right = bench.seen();
    let run = bench.run("orphans", &["-y", "-v", "--side", "left"]).expect_code(0);
    assert!(run.stdout.contains("- new.txt") && run.stdout.contains("- folder/inside.txt"), "{run}");
    assert!(!bench.left.join("new.txt").exists() && !bench.left.join("folder").exists());
    assert!(bench.left.join("sub/size.txt").exists());
    assert_eq!(bench.seen(), right);
    assert!(bench.left.join(".fcs").exists() && !bench.right.join(".fcs").exists());
}

#[test]
fn patterns_choose_among_the_orphans_and_a_dry_run_leaves_no_trace() {
    let bench = bench();
    let before = bench.traces();
    let dry = bench.run("orphans", &["-n", "--include", "*.bak"]).expect_code(0);
    assert!(dry.stdout.contains("- gone/deep/x.bak  4 B  ok\n"), "{dry}");
    assert!(!dry.stdout.contains("old.txt") && !dry.stdout.contains("gone/deep/ "), "{dry}");
    let json = json_lines(&bench.run("orphans", &["-n", "--json"]).expect_code(0));
    let item = events(&json, "item").into_iter().find(|item| item["path"] == "gone/y").unwrap();
    assert_eq!((item["action"].as_str(), item["access"].as_str()), (Some("remove"), Some("ok")));
    assert_eq!((json[0]["target"].as_str(), json[0]["removed_to"].as_str()), (Some("right"), Some("undo")));
    assert_eq!(bench.traces(), before);
}

#[test]
fn for_good_needs_a_number_with_yes() {
    let bench = bench();
    let before = bench.traces();
    let refused = bench.run("orphans", &["-y", "--to", "permanent"]).expect_code(2);
    assert!(
        refused.stderr.contains("cannot be undone, so -y alone") && refused.stderr.contains("--max-delete N"),
        "{refused}"
    );
    let few = bench.run("orphans", &["-y", "--to", "permanent", "--max-delete", "4"]).expect_code(8);
    assert!(few.stderr.contains("Refused: 5 of "), "{few}");
    assert_eq!(bench.traces(), before);
    let run = bench.run("orphans", &["-y", "--to", "permanent", "--max-delete", "5"]).expect_code(0);
    assert!(run.stdout.contains("are deleted permanently") && !run.stdout.contains("fcs undo"), "{run}");
    assert!(!bench.right.join("old.txt").exists() && !bench.right.join("gone").exists());
    let undo = bench.run_on_right("undo", &["-y"]).expect_code(2);
    assert!(undo.stderr.contains("There is no run on this folder that could be undone"), "{undo}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_recycle_bin_takes_them_with_a_note_of_where_they_were() {
    let bench = bench();
    let run = bench.run("orphans", &["-y", "--to", "trash"]).expect_code(0);
    assert!(run.stdout.contains("go to the recycle bin"), "{run}");
    assert!(!bench.right.join("old.txt").exists() && !bench.right.join("gone").exists());
    let bin = bench.fcs.home().join("data/Trash");
    assert_eq!(fs::read_to_string(bin.join("files/old.txt")).unwrap(), "only right");
    let note = fs::read_to_string(bin.join("info/old.txt.trashinfo")).unwrap();
    assert!(note.contains("/RIGHT/old.txt\n"), "{note}");
    // Case R9: a folder that goes whole is one item there, and comes back as a whole.
    assert!(bin.join("files/gone/y").exists());
    assert_eq!(fs::read_dir(bin.join("files")).unwrap().count(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn another_volume_uses_its_own_bin_and_one_without_keeps_everything() {
    let name = "another_volume_uses_its_own_bin_and_one_without_keeps_everything";
    for_each_image(name, &[FsKind::Tmpfs, FsKind::Ext4], 16 << 20, |image| {
        let bench = Bench::new();
        let right = image.mount_point().join("RIGHT");
        fs::create_dir(&right).unwrap();
        let user = rustix::process::getuid().as_raw();
        let bin = image.mount_point().join(format!(".Trash-{user}"));
        let args = ["-y", "--to", "trash", "--max-delete", "9"];

        // Something else is in the way of the bin, so that none can be made.
        fs::write(&bin, "in the way").unwrap();
        fs::write(right.join("x"), "content").unwrap();
        let run = bench.run_on("orphans", &args, &bench.left, &right).expect_code(4);
        assert!(run.stderr.contains("recycle bin"), "{run}");
        assert_eq!(fs::read_to_string(right.join("x")).unwrap(), "content");
        assert!(!bench.fcs.home().join("data/Trash").exists(), "nothing crosses to another volume");

        fs::remove_file(&bin).unwrap();
        let _ = bench.run_on("orphans", &args, &bench.left, &right).expect_code(0);
        assert!(!right.join("x").exists());
        assert_eq!(fs::read_to_string(bin.join("files/x")).unwrap(), "content");
        let note = fs::read_to_string(bin.join("info/x.trashinfo")).unwrap();
        assert!(note.contains("\nPath=RIGHT/x\n"), "{note}");
    });
}
