//! Two-way runs with a stick: FAT keeps times in steps of two seconds, by the local clock and without file numbers, and comes
//! back under another device and another mount. None of that is a change, a conflict or a removal.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, UNIX_EPOCH};

use common::Bench;
use fcs_testkit::bin::Run;
use fcs_testkit::{FsKind, Image, skip, test_name};

const DAY: u64 = 86_400;

/// A folder of this machine and one on a stick, alike and remembered.
struct Stick {
    bench: Bench,
    image: Image,
}

impl Stick {
    fn new(kind: FsKind, test_name: &str) -> Option<Self> {
        let image = match Image::new(kind, 40 << 20) {
            Ok(image) => image,
            Err(why) => {
                skip(test_name, &why.reason);
                return None;
            }
        };
        let mut bench = Bench::new();
        bench.right = image.mount_point().join("RIGHT");
        fs::create_dir(&bench.right).unwrap();
        for i in 0..12 {
            let path = format!("d{}/file {i}", i % 3);
            bench.left(&path, &format!("content {i}"), 0);
            // Odd seconds, and parts of one.
            let odd = UNIX_EPOCH + Duration::new(1_600_000_001 + 2 * i, 123_456_789);
            fs::File::open(bench.left.join(&path)).unwrap().set_modified(odd).unwrap();
        }
        let stick = Self { bench, image };
        let _ = stick.two_way(&[]).expect_code(0);
        stick.is_idle("right after the first run");
        Some(stick)
    }

    fn two_way(&self, args: &[&str]) -> Run {
        self.bench.run("sync", &[&["-y", "--mode", "two-way"], args].concat())
    }

    fn is_idle(&self, when: &str) {
        let run = self.two_way(&[]).expect_code(0);
        assert!(run.stdout.contains("Nothing to do"), "{when}: {run}");
        assert!(!run.stdout.contains("first run"), "{when}: {run}");
    }

    /// The stick is pulled out and put into a machine with a clock that is so many hours east.
    fn comes_back(&mut self, hours_east: i32) {
        self.image.remount_in_zone(hours_east).unwrap();
    }

    fn read(&self, path: &str) -> [Option<String>; 2] {
        [&self.bench.left, &self.bench.right].map(|root| fs::read_to_string(root.join(path)).ok())
    }

    /// Both sides change something, and each change arrives where it is to be, and nothing else does.
    fn changes_travel(&self, by_right: u64) {
        self.bench.left("d0/file 0", "edited on the left", by_right + 11);
        self.bench.right("d1/file 1", "edited on the stick", by_right);
        self.bench.right("d1/new", "new on the stick", by_right);
        fs::remove_file(self.bench.left.join("d2/file 2")).unwrap();
        fs::remove_file(self.bench.right.join("d0/file 3")).unwrap();
        let run = self.two_way(&[]).expect_code(0);
        for (path, wanted) in [
            ("d0/file 0", Some("edited on the left")),
            ("d1/file 1", Some("edited on the stick")),
            ("d1/new", Some("new on the stick")),
            ("d2/file 2", None),
            ("d0/file 3", None),
            ("d0/file 6", Some("content 6")),
        ] {
            assert_eq!(
                self.read(path),
                [wanted.map(str::to_owned), wanted.map(str::to_owned)],
                "{path}: {run}"
            );
        }
        self.is_idle("after the changes");
    }
}

fn each_stick(test_name: &str, body: impl Fn(&mut Stick, FsKind)) {
    for kind in [FsKind::Vfat, FsKind::Exfat] {
        if let Some(mut stick) = Stick::new(kind, test_name) {
            println!("on {kind}");
            body(&mut stick, kind);
        }
    }
}

#[test]
fn a_stick_that_comes_back_has_not_changed() {
    each_stick(test_name!(), |stick, kind| {
        let left = fs::metadata(stick.bench.left.join("d0/file 0")).unwrap();
        let right = fs::metadata(stick.bench.right.join("d0/file 0")).unwrap();
        assert_ne!(
            (left.mtime(), left.mtime_nsec()),
            (right.mtime(), right.mtime_nsec()),
            "{kind} keeps all of it"
        );
        stick.comes_back(0);
        stick.is_idle("pulled out and put in");
        stick.changes_travel(5_000);
    });
}

#[test]
fn a_clock_change_makes_no_conflicts_and_changes_still_travel() {
    each_stick(test_name!(), |stick, kind| {
        let before = fs::metadata(stick.bench.right.join("d0/file 0")).unwrap().mtime();
        for hours in [1, -9] {
            stick.comes_back(hours);
            let now = fs::metadata(stick.bench.right.join("d0/file 0")).unwrap().mtime();
            // exfat-fuse keeps UTC; there is nothing to be off by.
            let off = if kind == FsKind::Vfat { i64::from(hours) * 3600 } else { 0 };
            assert_eq!(before - now, off, "{kind}");
            stick.is_idle(&format!("{hours} hours east"));
        }
        stick.changes_travel(50_000);
        stick.comes_back(0);
        stick.is_idle("back in the old zone");
    });
}

/// What was written in the other half of the year is off by an hour where the rest is not.
#[test]
fn what_was_written_under_another_clock_does_no_harm_under_the_old_one() {
    each_stick(test_name!(), |stick, _| {
        stick.comes_back(1);
        stick.bench.left("d0/in summer", "written in summer", 40_000);
        let _ = stick.two_way(&[]).expect_code(0);
        stick.comes_back(0);
        // Its date on the stick is another one now: at most it is copied once more.
        let run = stick.two_way(&[]).expect_code(0);
        assert_eq!(stick.read("d0/in summer"), [(); 2].map(|()| Some("written in summer".into())), "{run}");
        stick.is_idle("once more");
    });
}

#[test]
fn a_stick_whose_clock_was_a_day_off_makes_no_conflicts() {
    each_stick(test_name!(), |stick, kind| {
        // A day before all others, and a day after.
        for (path, date) in [("d0/file 9", 1_600_000_000 - DAY), ("d1/file 10", 1_600_000_000 + DAY)] {
            stick.bench.right(path, "edited where the clock is wrong", 0);
            let file = fs::File::options().write(true).open(stick.bench.right.join(path)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(date)).unwrap();
            let run = stick.two_way(&[]).expect_code(0);
            let edited = Some("edited where the clock is wrong".to_owned());
            assert_eq!(stick.read(path), [edited.clone(), edited], "{kind}: {run}");
            stick.is_idle("with a date of another day");
        }
    });
}

/// Nothing on FAT tells a file from another one of its size and date, so what is undecided is never removed.
#[test]
fn a_stick_that_was_made_anew_takes_nothing_from_the_other_side() {
    each_stick(test_name!(), |stick, _| {
        let kept = fs::read_to_string(stick.bench.left.join("d0/file 0")).unwrap();
        let other = Image::new(stick.image.kind(), 40 << 20).unwrap();
        stick.bench.right = other.mount_point().join("RIGHT");
        fs::create_dir(&stick.bench.right).unwrap();
        let run = stick.two_way(&[]).expect_code(0);
        assert!(run.stdout.contains("first run"), "{run}");
        assert_eq!(stick.read("d0/file 0"), [Some(kept.clone()), Some(kept)], "{run}");
        other.close().unwrap();
    });
}
