//! What is known of content is believed only where a file provably did not change: on real file systems, against whoever
//! changes a file and hides it.
//!
//! Hours pass in these tests by setting what was read back by an hour: what a memory says of the time is the only clock
//! that the engine goes by.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fcs_engine::compare::{Comparison, Trusted, Verdict};
use fcs_engine::memory::{MemoryChange, OtherTerm, Remembered};
use fcs_engine::session::Folders;
use fcs_engine::settings::ContentCheck;
use fcs_engine::{Control, Settings};
use fcs_sys::Time;
use fcs_testkit::volume::{Medium, Volume, for_each_volume};
use fcs_testkit::{skip::skip, test_name};

/// Those of which the change time is believed.
const PROVABLE: [Medium; 9] = [
    Medium::Ext4,
    Medium::Ext4Inline,
    Medium::Ext4JournalData,
    Medium::Xfs,
    Medium::XfsOldTimes,
    Medium::XfsNoReflink,
    Medium::Btrfs,
    Medium::BtrfsZstd,
    Medium::BtrfsNoDataCow,
];

const HOUR: i64 = 3600;

/// Two folders, and what is known of them.
struct Pair {
    folders: Folders,
    settings: Settings,
    left: PathBuf,
    right: PathBuf,
    known: Remembered,
    /// How late it is.
    now: Time,
}

impl Pair {
    fn new(at: &Path) -> Self {
        let [left, right] = ["left", "right"].map(|name| at.join(name));
        for folder in [&left, &right] {
            fs::create_dir_all(folder).unwrap();
        }
        let settings = Settings { compare_content: ContentCheck::Blake3, ..Settings::default() };
        let folders = Folders::open(&left, &right, &[], &[], &settings).unwrap();
        Self { folders, settings, left, right, known: Remembered::default(), now: later(Time::now(), HOUR) }
    }

    /// The same content and modified time on both sides.
    fn both(&self, path: &str, content: &[u8]) {
        for side in [&self.left, &self.right] {
            fs::create_dir_all(side.join(path).parent().unwrap()).unwrap();
            fs::write(side.join(path), content).unwrap();
        }
        same_time(&self.left.join(path), &self.right.join(path));
    }

    /// Compares, and learns from it an hour after the last change.
    fn compare(&mut self) -> Comparison {
        self.compare_since(Time::EPOCH)
    }

    fn compare_since(&mut self, since: Time) -> Comparison {
        let control = Control::default();
        let trusted = Trusted { remembered: &self.known, since, now: self.now };
        let comparison =
            self.folders.compare_trusting(Some(trusted), None, &self.settings, &control).unwrap();
        assert_eq!(control.progress.snapshot().compare_bytes_done, comparison.content_read.bytes);
        let comparison = Comparison { began: self.now, ..comparison };
        self.known = self.known.with(comparison.learned_content(&self.known));
        self.now = later(self.now, HOUR);
        comparison
    }
}

fn later(time: Time, seconds: i64) -> Time {
    Time::new(time.seconds() + seconds, time.nanos())
}

fn same_time(of: &Path, to: &Path) {
    let time = fs::metadata(of).unwrap().modified().unwrap();
    fs::File::options().write(true).open(to).unwrap().set_modified(time).unwrap();
}

fn verdict(comparison: &Comparison, path: &str) -> Verdict {
    let row = comparison.walk().find(|&row| comparison.path(row).to_string() == path).unwrap();
    comparison.row(row).verdict
}

fn differs(comparison: &Comparison, path: &str) -> bool {
    matches!(verdict(comparison, path), Verdict::Different(differences) if differences.content)
}

fn read(comparison: &Comparison) -> (u64, u64) {
    (comparison.content_read.known, comparison.content_read.bytes)
}

#[test]
fn what_did_not_change_is_not_read_and_whatever_changed_is() {
    for_each_volume(test_name!(), &PROVABLE, |volume| {
        let mut pair = Pair::new(volume.path());
        let large = vec![7; 3 << 20];
        for (path, content) in [("a", &b"same"[..]), ("sub/b", b"other"), ("large", &large)] {
            pair.both(path, content);
        }
        let all = 2 * (4 + 5 + large.len() as u64);
        let first = pair.compare();
        assert_eq!(read(&first), (0, all));
        let second = pair.compare();
        assert_eq!(read(&second), (3, 0));
        assert_eq!(second.digests, first.digests, "also of what was not read");
        assert_eq!(second.content_read.oldest, Some(first.began));
        let text = second.notes.iter().find(|note| note.contains("known to be equal")).unwrap();
        assert!(text.starts_with("3 of 3 pairs of files known to be equal, 0 bytes read:"), "{}", text.text);
        assert_eq!(pair.compare().content_read.oldest, Some(first.began), "trust renews nothing");

        // Other bytes of the same length, and the date put back.
        let file = pair.right.join("a");
        fs::write(&file, b"SAME").unwrap();
        same_time(&pair.left.join("a"), &file);
        let changed = pair.compare();
        assert!(differs(&changed, "a"));
        assert_eq!(read(&changed), (2, 8));

        // Another file in its place, with its length and date.
        let anew = pair.right.join("anew");
        fs::write(&anew, b"OTHER").unwrap();
        same_time(&pair.left.join("sub/b"), &anew);
        fs::rename(&anew, pair.right.join("sub/b")).unwrap();
        let replaced = pair.compare();
        assert!(differs(&replaced, "sub/b") && differs(&replaced, "a"));
        assert_eq!(read(&replaced).0, 1);

        // In place, in the midst of a large one.
        let file = pair.left.join("large");
        let mut open = fs::File::options().write(true).open(&file).unwrap();
        open.write_all(b"x").unwrap();
        drop(open);
        same_time(&pair.right.join("large"), &file);
        assert!(differs(&pair.compare(), "large"));

        // All is put right again, and is read once more.
        pair.both("a", b"same");
        pair.both("sub/b", b"other");
        pair.both("large", &large);
        assert_eq!(read(&pair.compare()), (0, all));
        assert_eq!(read(&pair.compare()), (3, 0));
        fs::remove_file(pair.right.join("sub/b")).unwrap();
        fs::remove_file(pair.left.join("sub/b")).unwrap();
        pair.compare();
        assert_eq!(pair.known.len(), 2, "what is gone is forgotten");
    });
}

#[test]
fn what_was_read_too_long_ago_or_by_a_clock_that_was_ahead_is_read_again() {
    for_each_volume(test_name!(), &[Medium::Ext4], |volume| {
        let mut pair = Pair::new(volume.path());
        pair.both("a", b"same");
        let read_at = pair.compare().began;
        assert_eq!(read(&pair.compare_since(read_at)), (1, 0));
        let now = pair.now;
        assert_eq!(read(&pair.compare_since(later(read_at, 1))), (0, 8), "too long ago");
        // The clock is set back to before that reading, so it seems to be still to come.
        pair.now = later(now, -1);
        assert_eq!(read(&pair.compare()), (0, 8));
    });
}

#[test]
fn a_file_that_had_not_rested_when_it_was_read_is_read_again() {
    for_each_volume(test_name!(), &[Medium::Ext4], |volume| {
        let mut pair = Pair::new(volume.path());
        pair.both("a", b"same");
        // By the time at which it was really read, its change time is of the same moment.
        pair.now = Time::now();
        pair.compare();
        assert!(pair.known.is_empty());
        pair.now = later(Time::now(), HOUR);
        assert_eq!(read(&pair.compare()), (0, 8));
        assert_eq!(read(&pair.compare()), (1, 0));
    });
}

#[test]
fn where_change_times_prove_nothing_everything_is_read_each_time() {
    let media =
        [Medium::Ext4SmallInodes, Medium::Tmpfs, Medium::Overlay, Medium::Exfat, Medium::Ntfs, Medium::Sshfs];
    for_each_volume(test_name!(), &media, |volume| {
        let mut pair = Pair::new(volume.path());
        pair.both("a", b"same");
        for _ in 0..3 {
            assert_eq!(read(&pair.compare()), (0, 8));
        }
        assert!(pair.known.is_empty());
        let terms = pair.folders.content_terms(&pair.settings).unwrap();
        // Whole seconds show in the files only.
        assert_eq!(terms.is_some(), volume.medium() == Medium::Ext4SmallInodes);
    });
}

#[test]
fn what_is_mounted_in_a_folder_is_read_each_time() {
    for_each_volume(test_name!(), &[Medium::Ext4], |volume| {
        let inner = match Volume::new(Medium::Tmpfs) {
            Ok(inner) => inner,
            Err(reason) => return skip(test_name!(), &reason.reason),
        };
        let mut pair = Pair::new(volume.path());
        pair.both("a", b"same");
        pair.both("sub/b", b"mounted");
        let bound = Bound::new(inner.path(), &pair.right.join("sub"));
        fs::write(pair.right.join("sub/b"), b"mounted").unwrap();
        same_time(&pair.left.join("sub/b"), &pair.right.join("sub/b"));
        pair.compare();
        assert_eq!(read(&pair.compare()), (1, 14));
        drop(bound);
    });
}

/// A folder that is shown in another place, until it is dropped.
struct Bound(PathBuf);

impl Bound {
    fn new(what: &Path, at: &Path) -> Self {
        let done = Command::new("mount").arg("--bind").args([what, at]).status().unwrap();
        assert!(done.success());
        Self(at.to_owned())
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Lazily, so that a failing test leaves nothing behind.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Who stores through a mapping moves the change time with the first store only. The page was stored to before the file
/// was read, and is stored to again after that.
#[test]
fn what_is_stored_through_a_mapping_is_read() {
    if Command::new("xfs_io").arg("-V").output().is_err() {
        return skip(test_name!(), "xfs_io is not installed");
    }
    for_each_volume(test_name!(), &PROVABLE, |volume| {
        let mut pair = Pair::new(volume.path());
        let mut content = vec![b'.'; 64 << 10];
        content[..4].copy_from_slice(b"good");
        pair.both("mapped", &content);
        let file = pair.right.join("mapped");
        let mut mapping = Mapping::new(&file);
        mapping.store(&file, b'g');
        same_time(&pair.left.join("mapped"), &file);
        let before = fs::metadata(&file).unwrap();
        assert_eq!(read(&pair.compare()).1, 2 * content.len() as u64);
        assert_eq!(pair.known.len(), 0, "somebody can store to it without opening it");
        mapping.store(&file, b'B');
        same_time(&pair.left.join("mapped"), &file);
        let after = fs::metadata(&file).unwrap();
        assert_eq!((before.len(), before.modified().unwrap()), (after.len(), after.modified().unwrap()));
        assert!(differs(&pair.compare(), "mapped"));

        // And where its date is left as the store left it.
        fs::write(&file, &content).unwrap();
        same_time(&pair.left.join("mapped"), &file);
        mapping.store(&file, b'g');
        pair.settings.compare_modified = false;
        pair.compare();
        assert_eq!(read(&pair.compare()).0, 0);
        mapping.store(&file, b'B');
        assert!(differs(&pair.compare(), "mapped"));
        mapping.store(&file, b'g');
        mapping.end();
        pair.compare();
        assert_eq!(read(&pair.compare()), (1, 0), "nobody has it mapped any more");
        let mut mapping = Mapping::new(&file);
        mapping.store(&file, b'B');
        assert!(differs(&pair.compare(), "mapped"), "mapped since");
        mapping.end();
    });
}

/// One call of `write` that takes long moves the change time where it begins. Nobody can make the kernel take long, so what
/// counts is who could be in such a call: whoever has the file open to write, however long ago it wrote.
#[test]
fn what_somebody_has_open_to_write_is_read_again() {
    for_each_volume(test_name!(), &PROVABLE, |volume| {
        let mut pair = Pair::new(volume.path());
        let large = vec![7; 3 << 20];
        pair.both("small", b"content");
        pair.both("large", &large);
        pair.both("not open", b"content");
        let all = 2 * (7 + 7 + large.len() as u64);
        let open = |path: &Path| fs::File::options().append(true).open(path).unwrap();
        let writers = [open(&pair.left.join("small")), open(&pair.right.join("large"))];
        assert_eq!(read(&pair.compare()), (0, all));
        assert_eq!(read(&pair.compare()), (1, all - 14));
        drop(writers);
        pair.settings.compare_content = ContentCheck::Bytes;
        assert_eq!(read(&pair.compare()), (1, all - 14));
        assert_eq!(read(&pair.compare()), (3, 0), "it was closed before it was read");
        let _reader = fs::File::open(pair.left.join("small")).unwrap();
        let _writer = open(&pair.left.join("large"));
        assert_eq!(read(&pair.compare()), (3, 0), "what was written before shows in the dates");
    });
}

/// A program that has the beginning of a file mapped and stores to it.
struct Mapping {
    program: Child,
}

impl Mapping {
    fn new(file: &Path) -> Self {
        let mut program = Command::new("xfs_io");
        program.arg(file).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut mapping = Self { program: program.spawn().unwrap() };
        mapping.say("mmap -rw 0 4096");
        mapping
    }

    fn say(&mut self, command: &str) {
        let mut to = self.program.stdin.as_ref().unwrap();
        writeln!(to, "{command}").unwrap();
        to.flush().unwrap();
    }

    /// Stores a byte to the beginning of the file; returns when it is there.
    fn store(&mut self, file: &Path, byte: u8) {
        // First another one, so that it shows when the last has been stored.
        for byte in [byte ^ 1, byte] {
            self.say(&format!("mwrite -S {byte} 0 1"));
            let begun = Instant::now();
            while fs::read(file).unwrap()[0] != byte {
                assert!(begun.elapsed() < Duration::from_secs(20), "nothing is stored");
                std::thread::yield_now();
            }
        }
    }

    fn end(mut self) {
        drop(self.program.stdin.take());
        assert!(self.program.wait().unwrap().success());
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to end.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Two new volumes have the same numbers, and the same tree can have the same dates on both.
#[test]
fn another_disk_in_the_place_of_one_is_another_folder() {
    for_each_volume(test_name!(), &[Medium::Ext4, Medium::Xfs, Medium::Btrfs], |volume| {
        let Ok(other) = Volume::new(volume.medium()) else { return };
        let [pair, swapped] = [volume.path(), other.path()].map(Pair::new);
        let terms = |pair: &Pair| pair.folders.content_terms(&pair.settings).unwrap().unwrap();
        let (was, mut is) = (terms(&pair), terms(&swapped));
        assert_eq!(was.roots.clone().map(|root| root.number), is.roots.clone().map(|root| root.number));
        // As if it were mounted where the first one was.
        for (is, was) in is.roots.iter_mut().zip(&was.roots) {
            (is.path, is.below) = (was.path.clone(), was.below.clone());
        }
        let other = is.other_than(&was);
        assert!(matches!(other[..], [OtherTerm::Root(_), OtherTerm::Root(_)]), "{other:?}");
    });
}

#[test]
fn another_way_of_reading_is_another_memory_and_other_patterns_are_not() {
    for_each_volume(test_name!(), &[Medium::Ext4], |volume| {
        let mut pair = Pair::new(volume.path());
        let terms = |pair: &Pair| pair.folders.content_terms(&pair.settings).unwrap();
        let blake3 = terms(&pair).unwrap();
        pair.settings.compare_modified = false;
        let all = ["*.tmp".to_owned()];
        pair.folders = Folders::open(&pair.left, &pair.right, &[], &all, &pair.settings).unwrap();
        assert!(terms(&pair).unwrap().other_than(&blake3).is_empty());
        pair.settings.compare_content = ContentCheck::Sha512;
        assert_eq!(terms(&pair).unwrap().other_than(&blake3), [OtherTerm::Criteria]);
        pair.settings.compare_content = ContentCheck::Off;
        assert!(terms(&pair).is_none());
        for method in [ContentCheck::Bytes, ContentCheck::Sha512] {
            pair.settings.compare_content = method;
            pair.known = Remembered::default();
            pair.both("a", b"same");
            let first = pair.compare();
            assert_eq!(read(&pair.compare()), (1, 0), "{method}");
            assert_eq!(pair.compare().digests, first.digests, "{method}");
        }
    });
}

#[test]
fn of_fifty_thousand_pairs_of_files_that_did_not_change_nothing_is_read() {
    for_each_large(test_name!(), |volume| {
        let mut pair = Pair::new(volume.path());
        for folder in 0..100 {
            for side in [&pair.left, &pair.right] {
                let at = side.join(format!("{folder}"));
                fs::create_dir(&at).unwrap();
                for file in 0..500 {
                    fs::write(at.join(format!("{file}")), format!("{folder} {file}")).unwrap();
                }
            }
        }
        pair.settings.compare_modified = false;
        let first = pair.compare();
        assert_eq!((first.content_read.pairs, first.summary.same), (50_000, 50_100));
        assert!(first.content_read.bytes > 2 * 50_000 * 3, "{}", first.content_read.bytes);
        let second = pair.compare();
        assert_eq!(read(&second), (50_000, 0));
        assert!(second.summary.identical());
        // One among them is found.
        fs::write(pair.right.join("50/250"), "50 25!").unwrap();
        let third = pair.compare();
        assert_eq!(read(&third), (49_999, 12));
        assert!(differs(&third, "50/250") && third.summary.different == 1);
    });
}

/// As [`for_each_volume`], on one with room for 100,000 files.
fn for_each_large(test_name: &str, body: impl FnOnce(&Volume)) {
    match Volume::with_size(Medium::Btrfs, 1 << 30) {
        Ok(volume) => body(&volume),
        Err(reason) => skip(test_name, &reason.reason),
    }
}

#[test]
fn nothing_is_learned_from_what_was_not_read_to_its_end() {
    for_each_volume(test_name!(), &[Medium::Ext4], |volume| {
        let mut pair = Pair::new(volume.path());
        pair.both("a", b"same");
        let control = Control::default();
        control.cancel.cancel();
        let trusted = Trusted { remembered: &pair.known, since: Time::EPOCH, now: pair.now };
        let cancelled = pair.folders.compare_trusting(Some(trusted), None, &pair.settings, &control).unwrap();
        let cancelled = Comparison { began: pair.now, ..cancelled };
        assert!(cancelled.cancelled && cancelled.learned_content(&pair.known).is_empty());
        // Nor from one that went by no memory: nobody had the volumes written back for it.
        let plain = pair.folders.compare(&pair.settings, &Control::default()).unwrap();
        let plain = Comparison { began: pair.now, ..plain };
        assert_eq!(plain.content_read.bytes, 8);
        assert_eq!(plain.learned_content(&pair.known), Vec::<MemoryChange>::new());
        pair.compare();
        assert_eq!(pair.known.len(), 1);
    });
}
