//! What is known of content, on a file system whose change times prove something. Only Linux has one here.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use fcs_engine::settings::ContentCheck;
use fcs_testkit::volume::Medium;
use fcs_testkit::volume_or_skip;

use super::*;

/// Two folders on a volume where change times prove something, with two files each.
fn folders(at: &Path, settings: &Settings) -> Folders {
    let [left, right] = ["left", "right"].map(|name| at.join(name));
    for side in [&left, &right] {
        fs::create_dir_all(side).unwrap();
        for (name, content) in [("a", "same"), ("b", "other")] {
            fs::write(side.join(name), content).unwrap();
        }
    }
    Folders::open(&left, &right, &[], &[], settings).unwrap()
}

fn settings(trust: TrustKnown) -> Settings {
    Settings {
        compare_content: ContentCheck::Blake3,
        compare_modified: false,
        trust_known_hashes: trust,
        ..Settings::default()
    }
}

/// Waits until all that was written is older than what a file system's clock can blur.
fn rest(at: &Path) {
    let written = |path: &Path| Time::from(fs::metadata(path).unwrap().modified().unwrap()).as_nanos();
    let all = ["left/a", "left/b", "right/a", "right/b"].map(|name| written(&at.join(name)));
    let latest = all.into_iter().max().unwrap();
    while Time::now().as_nanos() - latest < 2_100_000_000 {
        std::thread::yield_now();
    }
}

/// Compares with the memories in a folder, at a time; the comparison, and what was said.
fn compare_in(folders: &Folders, states: &Path, settings: &Settings, now: Time) -> Comparison {
    let states = || States::open(states).ok();
    match Known::of(folders, settings, states) {
        Some(known) => known.compare(folders, None, settings, &Control::default(), now).unwrap(),
        None => folders.compare(settings, &Control::default()).unwrap(),
    }
}

fn read(comparison: &Comparison) -> (u64, u64) {
    (comparison.content_read.known, comparison.content_read.bytes)
}

const ALL: u64 = 2 * (4 + 5);

#[test]
fn what_was_read_is_known_for_as_many_days_as_the_setting_says() {
    let volume = volume_or_skip!(Medium::Ext4);
    let tmp = tempfile::tempdir().unwrap();
    let settings = settings(TrustKnown::Days(3));
    let folders = folders(volume.path(), &settings);
    rest(volume.path());
    let compare = |now| compare_in(&folders, tmp.path(), &settings, now);
    let now = Time::now();
    let in_days = |days: i64| Time::new(now.seconds() + days * 86_400, 0);
    assert_eq!(read(&compare(now)), (0, ALL));
    assert_eq!(read(&compare(in_days(2))), (2, 0));
    assert_eq!(read(&compare(in_days(4))), (0, ALL));
    assert_eq!(read(&compare(in_days(-1))), (0, ALL), "the clock was set back");
    // Left and right exchanged it is the same pair.
    let [left, right] = ["left", "right"].map(|name| volume.path().join(name));
    let mirrored = Folders::open(&right, &left, &[], &[], &settings).unwrap();
    assert_eq!(read(&compare_in(&mirrored, tmp.path(), &settings, in_days(1))), (2, 0));
    // One file changes: the other is known still.
    fs::write(right.join("a"), "SAME").unwrap();
    assert_eq!(read(&compare(in_days(1))), (1, 8));
}

#[test]
fn never_reads_everything_and_keeps_nothing_and_session_keeps_it_in_this_process_alone() {
    let volume = volume_or_skip!(Medium::Ext4);
    let tmp = tempfile::tempdir().unwrap();
    let place = tmp.path().join("content");
    let session = settings(TrustKnown::Session);
    let folders = folders(volume.path(), &session);
    rest(volume.path());
    let compare = |trust| compare_in(&folders, &place, &settings(trust), Time::now());
    for _ in 0..2 {
        assert_eq!(read(&compare(TrustKnown::Never)), (0, ALL));
    }
    assert_eq!(read(&compare(TrustKnown::Session)), (0, ALL));
    assert_eq!(read(&compare(TrustKnown::Session)), (2, 0));
    assert!(!place.exists());
    assert_eq!(read(&compare(TrustKnown::Days(1))), (0, ALL), "what this process knows is in no file");
    assert_eq!(read(&compare(TrustKnown::Never)), (0, ALL));
    // What another process read does not count: of it there is only the file.
    SESSION.lock().unwrap().clear();
    assert_eq!(read(&compare(TrustKnown::Session)), (0, ALL));
    assert_eq!(read(&compare(TrustKnown::Days(1))), (2, 0));
}

#[test]
fn what_cannot_be_kept_or_believed_stops_no_comparison() {
    let volume = volume_or_skip!(Medium::Ext4);
    let tmp = tempfile::tempdir().unwrap();
    let settings = settings(TrustKnown::Days(3));
    let folders = folders(volume.path(), &settings);
    rest(volume.path());
    let compare = |states: &Path| compare_in(&folders, states, &settings, Time::now());
    let said = |comparison: &Comparison, text: &str| comparison.notes.iter().any(|note| note.contains(text));
    // A memory in one of the two folders would be among the items.
    let inside = volume.path().join("left/state");
    for _ in 0..2 {
        assert_eq!(read(&compare(&inside)), (0, ALL));
    }
    assert!(!inside.exists());
    let first = compare(tmp.path());
    assert_eq!((read(&first), first.notes.len()), ((0, ALL), 0), "{:?}", first.notes);
    let states = States::open(tmp.path()).unwrap();
    let id = states.list().unwrap()[0].id.clone();
    let file = tmp.path().join(format!("{id}.redb"));
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    let damaged = compare(tmp.path());
    assert!(said(&damaged, "What is known of the content is not used") && read(&damaged) == (0, ALL));
    assert_eq!(read(&compare(tmp.path())), (2, 0), "it is made anew");
    // A folder that no file can be made in.
    let file_in_the_way = tmp.path().join("file");
    fs::write(&file_in_the_way, "").unwrap();
    assert_eq!(read(&compare(&file_in_the_way)), (0, ALL));
    assert_eq!(read(&compare(&file_in_the_way.join("below"))), (0, ALL));
}

#[test]
fn two_that_compare_at_the_same_time_both_leave_what_they_read() {
    let volume = volume_or_skip!(Medium::Ext4);
    let tmp = tempfile::tempdir().unwrap();
    let settings = settings(TrustKnown::Days(3));
    let folders = folders(volume.path(), &settings);
    rest(volume.path());
    let now = Time::now();
    assert_eq!(read(&compare_in(&folders, tmp.path(), &settings, now)), (0, ALL));
    fs::write(volume.path().join("left/b"), "OTHER").unwrap();
    fs::write(volume.path().join("right/b"), "OTHER").unwrap();
    rest(volume.path());
    let states = || States::open(tmp.path()).ok();
    let [one, two] = [(); 2].map(|()| Known::of(&folders, &settings, states).unwrap());
    let control = Control::default();
    for known in [one, two] {
        let comparison = known.compare(&folders, None, &settings, &control, Time::now()).unwrap();
        assert_eq!((read(&comparison), comparison.notes.len()), ((1, 10), 1), "{:?}", comparison.notes);
    }
    assert_eq!(read(&compare_in(&folders, tmp.path(), &settings, Time::now())), (2, 0));
}
