//! Volumes and folders that are mounted inside the two folders, or missing there. Need root on Linux.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Bench;
use fcs_testkit::{skip::skip, test_name};

/// Something mounted, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where this process may not mount.
    fn new(args: &[&str], at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let done = Command::new("mount").args(args).arg(at).output().ok()?;
        done.status.success().then(|| Self(at.to_owned()))
    }

    fn bind(what: &Path, at: &Path) -> Option<Self> {
        Self::new(&["--bind", what.to_str().unwrap()], at)
    }

    fn tmpfs(at: &Path) -> Option<Self> {
        Self::new(&["-t", "tmpfs", "-o", "size=200m", "fcs-test"], at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, so that a failing test leaves nothing behind.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

macro_rules! mounted_or_skip {
    ($mounted:expr) => {
        match $mounted {
            Some(mounted) => mounted,
            None => return skip(test_name!(), "mounting needs root"),
        }
    };
}

/// Enough on both sides for the guard to let a few removals pass.
fn bench() -> Bench {
    let bench = Bench::new();
    for i in 0..20 {
        bench.both(&format!("same{i}"), "x", 1);
    }
    bench
}

#[test]
fn case_w5_a_volume_that_is_mounted_in_right_is_named_and_left_alone() {
    let bench = bench();
    let _volume = mounted_or_skip!(Mounted::tmpfs(&bench.right.join("disk")));
    bench.right("disk/precious", "x", 1);
    bench.right("gone", "x", 1);
    bench.align();
    let run = bench.run("sync", &["-y"]);
    assert!(run.stdout.contains("a volume is mounted here"), "{run}");
    assert!(bench.right.join("disk/precious").exists() && !bench.right.join("gone").exists(), "{run}");
    let _ = bench.run("orphans", &["-y"]);
    assert!(bench.right.join("disk/precious").exists());
}

#[test]
fn case_w5_one_file_system_leaves_out_what_is_mounted_on_either_side() {
    let bench = bench();
    let _volume = mounted_or_skip!(Mounted::tmpfs(&bench.left.join("disk")));
    bench.left("disk/new", "x", 1);
    bench.right("disk/old", "x", 1);
    let _other = mounted_or_skip!(Mounted::tmpfs(&bench.right.join("mine")));
    bench.left("mine/a", "x", 1);
    bench.right("mine/b", "x", 1);
    let _third = mounted_or_skip!(Mounted::tmpfs(&bench.left.join("proc")));
    bench.left("proc/1", "x", 1);
    bench.align();
    let _ = bench.run("sync", &["-y", "-x"]).expect_code(0);
    for (path, there) in [
        ("disk/old", true),
        ("disk/new", false),
        ("mine/b", true),
        ("mine/a", false),
        ("proc", true),
        ("proc/1", false),
    ] {
        assert_eq!(bench.right.join(path).exists(), there, "{path}");
    }
    let again = bench.run("sync", &["-y", "-x"]).expect_code(0);
    assert!(again.stdout.contains("Nothing to do"), "{again}");
}

#[test]
fn case_r7_a_folder_of_left_that_is_mounted_as_right_is_refused() {
    let bench = bench();
    bench.left("sub/x", "x", 1);
    let _bound = mounted_or_skip!(Mounted::bind(&bench.left.join("sub"), &bench.right));
    let run = bench.run("copy", &["-y"]).expect_code(8);
    assert!(run.stderr.contains("LEFT/sub: it is a folder of the other side too"), "{run}");
    assert_eq!(fs::read_dir(bench.left.join("sub")).unwrap().count(), 1, "nothing was written");
    // The other way round, and where it is kept out.
    let run = bench.run_on("sync", &["-y"], &bench.right, &bench.left).expect_code(8);
    assert!(run.stderr.contains("the other side too"), "{run}");
    let _ = bench.run("copy", &["-y", "--exclude", "/sub"]).expect_code(0);
    assert!(bench.left.join("sub/same1").exists());
}

#[test]
fn case_r7_right_mounted_below_left_and_left_below_right_are_refused() {
    let bench = bench();
    bench.right("y", "y", 1);
    let bound = mounted_or_skip!(Mounted::bind(&bench.right, &bench.left.join("backup")));
    let _ = bench.run("copy", &["-y"]).expect_code(8);
    let _ = bench.run("copy", &["-y", "-x"]).expect_code(0);
    drop(bound);
    let _bound = mounted_or_skip!(Mounted::bind(&bench.left, &bench.right.join("source")));
    let _ = bench.run("sync", &["-y", "--max-delete", "1000"]).expect_code(8);
    assert!(bench.left.join("same1").exists(), "the source is not eaten");
}

#[test]
fn case_r7_a_part_of_left_that_is_mounted_in_right_is_refused() {
    let bench = bench();
    bench.left("a/deep/x", "x", 1);
    bench.left("b/y", "y", 1);
    let _bound = mounted_or_skip!(Mounted::bind(&bench.left.join("a/deep"), &bench.right.join("b")));
    let run = bench.run("sync", &["-y"]).expect_code(8);
    assert!(run.stderr.contains("the other side too"), "{run}");
    assert!(bench.left.join("a/deep/x").exists());
}

#[test]
fn case_r7_a_target_below_its_source_is_allowed_where_it_is_kept_out() {
    let bench = bench();
    let inner = bench.left.join("backup");
    fs::create_dir(&inner).unwrap();
    let _ = bench.run_on("copy", &["-y"], &bench.left, &inner).expect_code(8);
    let refused = bench.run_on("copy", &["-y", "--exclude", "*.tmp"], &bench.left, &inner).expect_code(8);
    assert!(refused.stderr.contains("--one-file-system does not enter other volumes"), "{refused}");
    let _ = bench.run_on("copy", &["-y", "--exclude", "/backup"], &bench.left, &inner).expect_code(0);
    assert!(inner.join("same1").exists() && !inner.join("backup").exists());
    let _volume = mounted_or_skip!(Mounted::tmpfs(&bench.left.join("disk")));
    let _ = bench
        .run_on("copy", &["-y", "-x", "--exclude", "/backup"], &bench.left, &bench.left.join("disk"))
        .expect_code(0);
    assert!(bench.left.join("disk/same1").exists() && !bench.left.join("disk/disk/same1").exists());
}

#[test]
fn case_r8_a_source_volume_that_is_not_mounted_removes_nothing() {
    let bench = bench();
    let disk = bench.left.join("disk");
    let volume = mounted_or_skip!(Mounted::tmpfs(&disk));
    for i in 0..8 {
        bench.both(&format!("disk/{i}"), "x", 1);
    }
    bench.both("gone", "x", 1);
    bench.align();
    let _ = bench.run("sync", &["-y"]).expect_code(0);
    drop(volume);
    let before = bench.seen();
    let words = format!("At the last run a volume was mounted at {}; now there is none", disk.display());
    let refused = bench.run("sync", &["-y"]).expect_code(8);
    assert!(refused.stderr.contains(&format!("Refused: {words}")), "{refused}");
    assert!(refused.stderr.contains("--accept-missing-volumes goes on without it."), "{refused}");
    let dry = bench.run("sync", &["-n"]).expect_code(0);
    assert!(dry.stderr.contains(&format!("Note: {words}")), "{dry}");
    assert_eq!(bench.seen(), before);
    // What is not there goes on, and the memory survives a refusal.
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let volume = mounted_or_skip!(Mounted::tmpfs(&disk));
    bench.left("disk/0", "x", 1);
    let _ = bench.run("sync", &["-y", "--max-delete", "100"]).expect_code(0);
    assert!(!bench.right.join("disk/1").exists(), "an empty folder of a volume that is there is empty");
    drop(volume);
    let _ = bench.run("sync", &["-y"]).expect_code(8);
    let _ = bench.run("sync", &["-y", "--accept-missing-volumes"]).expect_code(0);
    assert!(!bench.right.join("disk/0").exists());
    let _ = bench.run("sync", &["-y"]).expect_code(0);
}

#[test]
fn case_r8_a_root_whose_volume_is_missing_is_neither_a_source_nor_a_target() {
    let bench = bench();
    let disk = bench.dir.path().join("disk");
    let volume = mounted_or_skip!(Mounted::tmpfs(&disk));
    let there = disk.join("backup");
    fs::create_dir(&there).unwrap();
    let _ = bench.run_on("copy", &["-y"], &bench.left, &there).expect_code(0);
    assert!(there.join("same1").exists());
    drop(volume);
    fs::create_dir(&there).unwrap();
    let refused = bench.run_on("copy", &["-y"], &bench.left, &there).expect_code(8);
    assert!(refused.stderr.contains(&format!("mounted at {}", disk.display())), "{refused}");
    assert_eq!(fs::read_dir(&there).unwrap().count(), 0, "the plain folder is not filled");
    // The other way round it would empty what was the source.
    let refused = bench.run_on("sync", &["-y", "--max-delete", "1000"], &there, &bench.left).expect_code(8);
    assert!(refused.stderr.contains("what the other folder has of it would be removed"), "{refused}");
    assert!(bench.left.join("same1").exists());
}

/// On a first run there is no memory, but the system's own table of volumes.
#[test]
fn case_r8_a_volume_of_the_systems_table_that_is_not_mounted_is_missed_at_the_first_run() {
    let mut bench = bench();
    let disk = bench.dir.path().join("my disk");
    fs::create_dir(&disk).unwrap();
    let table = bench.dir.path().join("fstab");
    let at = disk.display().to_string().replace(' ', "\\040");
    fs::write(&table, format!("LABEL=BACKUP {at} ext4 noauto,user 0 0\n")).unwrap();
    // The program with this table in the place of the system's, for itself alone.
    let seen = bench.dir.path().join("fcs");
    let script = format!(
        "#!/bin/sh\nexec unshare -m sh -c 'mount --bind \"{}\" /etc/fstab && exec \"{}\" \"$@\"' fcs \"$@\"\n",
        table.display(),
        env!("CARGO_BIN_EXE_fcs")
    );
    fs::write(&seen, script).unwrap();
    fs::set_permissions(&seen, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bench.fcs = fcs_testkit::bin::Fcs::new(&seen);
    if bench.fcs.run(["--version"]).code != 0 {
        return skip(test_name!(), "a table of mounts of its own needs root and /etc/fstab");
    }
    let words = format!("A volume is to be mounted at {} (/etc/fstab) and is not there", disk.display());
    let refused = bench.run_on("copy", &["-y"], &bench.left, &disk).expect_code(8);
    assert!(refused.stderr.contains(&words), "{refused}");
    assert_eq!(fs::read_dir(&disk).unwrap().count(), 0, "the plain folder is not filled");
    let _volume = mounted_or_skip!(Mounted::tmpfs(&disk));
    let _ = bench.run_on("copy", &["-y"], &bench.left, &disk).expect_code(0);
    assert!(disk.join("same1").exists());
}

#[test]
fn case_r9_what_the_system_keeps_at_the_top_of_a_volume_is_left_alone() {
    let bench = bench();
    let disk = bench.dir.path().join("disk");
    let _volume = mounted_or_skip!(Mounted::tmpfs(&disk));
    for path in [".Trash-1000/files/x", "lost+found/#7", "$RECYCLE.BIN/x", "sub/lost+found/mine", "a"] {
        common::write(&disk.join(path), "x", 1);
    }
    bench.right(".Trash-1000/old", "x", 1);
    let run = bench.run_on("sync", &["-y", "--max-delete", "100"], &disk, &bench.right).expect_code(0);
    let words = "What the system keeps at the top of a volume is left alone in LEFT: $RECYCLE.BIN, .Trash-1000, lost+found.";
    assert!(format!("{run}").contains(words), "{run}");
    for (path, there) in [
        ("a", true),
        ("sub/lost+found/mine", true),
        (".Trash-1000/old", true),
        (".Trash-1000/files", false),
        ("lost+found", false),
        ("$RECYCLE.BIN", false),
        ("same1", false),
    ] {
        assert_eq!(bench.right.join(path).exists(), there, "{path}");
    }
    let _ = bench.run_on("orphans", &["-y"], &bench.right, &disk).expect_code(0);
    assert!(disk.join(".Trash-1000/files/x").exists());
}
