//! The main scenarios on every file system that can be had here, and on one that misbehaves in every way that was seen:
//! copy, second run, update, sync with removals, change of kind, undo, kill and recovery, as root and as a plain user.
//!
//! What a place cannot keep is in one table (`places.rs`), which PROMISES.md repeats. What remains must hold
//! everywhere: what was copied is there, a second run finds nothing to do, and undo leaves what was there before.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::missing_panics_doc)]

mod places;
mod story;
mod trees;

use std::time::{Duration, Instant};

use fcs_testkit::{Call, Medium, Vice, skip};

use places::MountedPlace;
use story::{Trial, User};

fn judged(test: &str, name: &str, wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{test}, seed {}, {} wrong on {name}:\n{}",
        trees::SEED,
        wrong.len(),
        wrong.join("\n")
    );
}

fn on_medium(test: &str, medium: Medium) {
    let began = Instant::now();
    let mut wrong = Vec::new();
    // Over SFTP all is done by who serves it.
    let users: &[User] = if medium == Medium::Sshfs { &[User::Root] } else { &[User::Root, User::Plain] };
    for &user in users {
        let trial = MountedPlace::of_medium(medium)
            .and_then(|place| Trial::new(place, places::of_medium(medium), user));
        match trial {
            Ok(mut trial) => {
                trial.all();
                wrong.extend(trial.end(medium.name()));
            }
            Err(reason) => return skip(test, &reason.reason),
        }
    }
    println!("{medium}: {:.1} s", began.elapsed().as_secs_f32());
    judged(test, medium.name(), &wrong);
}

fn with_vices(test: &str, name: &str, vices: &[Vice]) {
    misbehaving(test, name, vices, Trial::all);
}

fn misbehaving(test: &str, name: &str, vices: &[Vice], tell: impl Fn(&mut Trial)) {
    let began = Instant::now();
    let mut wrong = Vec::new();
    // Where nothing belongs to a plain user, it can set no dates.
    let users: &[User] =
        if vices.contains(&Vice::OwnersLie) { &[User::Root] } else { &[User::Root, User::Plain] };
    for &user in users {
        let trial =
            MountedPlace::of_vices(vices).and_then(|place| Trial::new(place, places::of_vices(vices), user));
        match trial {
            Ok(mut trial) => {
                tell(&mut trial);
                trial.expect_fired(vices);
                wrong.extend(trial.end(name));
            }
            Err(reason) => return skip(test, &reason.reason),
        }
    }
    println!("{name}: {:.1} s", began.elapsed().as_secs_f32());
    judged(test, name, &wrong);
}

macro_rules! media {
    ($($test:ident $medium:ident)*) => {$(
        #[test]
        fn $test() {
            on_medium(fcs_testkit::test_name!(), Medium::$medium);
        }
    )*};
}

media! {
    on_ext4 Ext4
    on_ext4_with_small_inodes Ext4SmallInodes
    on_ext4_with_data_in_inodes Ext4Inline
    on_ext4_with_data_in_the_journal Ext4JournalData
    on_xfs Xfs
    on_xfs_with_old_times XfsOldTimes
    on_xfs_without_shared_blocks XfsNoReflink
    on_btrfs Btrfs
    on_btrfs_that_compresses BtrfsZstd
    on_btrfs_that_writes_in_place BtrfsNoDataCow
    on_tmpfs Tmpfs
    on_an_overlay Overlay
    on_exfat Exfat
    on_ntfs Ntfs
    over_sshfs Sshfs
}

macro_rules! vices {
    ($($test:ident [$($vice:expr),* $(,)?])*) => {$(
        #[test]
        fn $test() {
            with_vices(fcs_testkit::test_name!(), stringify!($test), &[$($vice),*]);
        }
    )*};
}

const SECOND: Duration = Duration::from_secs(1);

vices! {
    without_a_vice []
    numbers_that_never_last [Vice::NumbersLast(1)]
    numbers_that_last_a_while [Vice::NumbersLast(20)]
    second_names_with_other_numbers [Vice::LinksHaveOwnNumbers]
    link_answers_eio [Vice::Refuses(Call::Link, libc::EIO)]
    link_answers_einval [Vice::Refuses(Call::Link, libc::EINVAL)]
    link_answers_enosys [Vice::Refuses(Call::Link, libc::ENOSYS)]
    fsync_answers_eio [Vice::Refuses(Call::Fsync, libc::EIO)]
    fsync_answers_enosys [Vice::Refuses(Call::Fsync, libc::ENOSYS)]
    fsync_of_folders_answers_einval [Vice::Refuses(Call::FsyncDir, libc::EINVAL)]
    fsync_of_folders_answers_enosys [Vice::Refuses(Call::FsyncDir, libc::ENOSYS)]
    statfs_answers_enosys [Vice::Refuses(Call::Statfs, libc::ENOSYS)]
    statfs_answers_eio [Vice::Refuses(Call::Statfs, libc::EIO)]
    no_inodes [Vice::NoInodes]
    flock_answers_enolck [Vice::Refuses(Call::Flock, libc::ENOLCK)]
    flock_answers_enosys [Vice::Refuses(Call::Flock, libc::ENOSYS)]
    attributes_answer_eopnotsupp [Vice::Refuses(Call::Xattr, libc::EOPNOTSUPP)]
    attributes_answer_enosys [Vice::Refuses(Call::Xattr, libc::ENOSYS)]
    whole_seconds [Vice::TimeStep(SECOND)]
    steps_of_two_seconds [Vice::TimeStep(Duration::from_secs(2))]
    microseconds [Vice::TimeStep(Duration::from_micros(1))]
    dates_from_1980_to_2038 [Vice::TimeRange(315_532_800, 2_147_483_647)]
    no_change_time [Vice::NoChangeTime]
    chmod_lies [Vice::ChmodLies]
    all_may_do_all [Vice::ModesAre(0o777)]
    owners_lie [Vice::OwnersLie]
    chmod_is_refused [Vice::Refuses(Call::Chmod, libc::EPERM)]
    chown_is_refused [Vice::Refuses(Call::Chown, libc::EPERM)]
    no_exchange [Vice::Refuses(Call::Exchange, libc::EINVAL)]
    no_rename_without_replacing [Vice::Refuses(Call::NoReplace, libc::EINVAL)]
    neither_exchange_nor_without_replacing [
        Vice::Refuses(Call::Exchange, libc::EINVAL), Vice::Refuses(Call::NoReplace, libc::EINVAL),
    ]
    folders_cannot_be_renamed [Vice::Refuses(Call::RenameDir, libc::EXDEV)]
    no_symbolic_links [Vice::Refuses(Call::Symlink, libc::EPERM)]
    attributes_of_links_are_followed [Vice::FollowsLinks]
    case_is_ignored [Vice::IgnoresCase]
    like_sshfs [
        Vice::LinksHaveOwnNumbers, Vice::NumbersLast(50), Vice::TimeStep(SECOND), Vice::NoChangeTime, Vice::FollowsLinks,
        Vice::Refuses(Call::Xattr, libc::EOPNOTSUPP), Vice::Refuses(Call::Exchange, libc::EINVAL),
        Vice::Refuses(Call::NoReplace, libc::EINVAL), Vice::Refuses(Call::FsyncDir, libc::ENOSYS),
    ]
    like_a_stick [
        Vice::NumbersLast(50), Vice::TimeStep(Duration::from_secs(2)), Vice::NoChangeTime,
        Vice::TimeRange(315_532_800, 4_354_819_198), Vice::ModesAre(0o777), Vice::OwnersLie, Vice::IgnoresCase,
        Vice::Forbids(":?*\"<>|"), Vice::Refuses(Call::Link, libc::EPERM), Vice::Refuses(Call::Symlink, libc::EPERM),
        Vice::Refuses(Call::Xattr, libc::EOPNOTSUPP), Vice::Refuses(Call::Exchange, libc::EINVAL),
        Vice::Refuses(Call::NoReplace, libc::EINVAL),
    ]
    like_a_cloud [
        Vice::NumbersLast(5), Vice::Refuses(Call::Link, libc::EIO), Vice::NoInodes, Vice::ChmodLies, Vice::OwnersLie,
        Vice::Refuses(Call::Xattr, libc::ENOSYS), Vice::Refuses(Call::Exchange, libc::EINVAL),
        Vice::Refuses(Call::NoReplace, libc::EINVAL), Vice::Refuses(Call::FsyncDir, libc::ENOSYS),
        Vice::Refuses(Call::Symlink, libc::ENOSYS), Vice::TimeStep(Duration::from_millis(1)),
    ]
    // All that can be had at once: a file system without second names shows no numbers of theirs.
    all_at_once [
        Vice::NumbersLast(1), Vice::Refuses(Call::Link, libc::EIO),
        Vice::TimeStep(Duration::from_secs(2)), Vice::TimeRange(315_532_800, 4_354_819_198), Vice::NoChangeTime,
        Vice::ModesAre(0o777), Vice::OwnersLie, Vice::IgnoresCase, Vice::FollowsLinks,
        Vice::Refuses(Call::Fsync, libc::ENOSYS), Vice::Refuses(Call::FsyncDir, libc::EINVAL),
        Vice::Refuses(Call::Statfs, libc::EIO), Vice::Refuses(Call::Flock, libc::ENOLCK),
        Vice::Refuses(Call::Xattr, libc::ENOSYS), Vice::Refuses(Call::Exchange, libc::EINVAL),
        Vice::Refuses(Call::NoReplace, libc::EINVAL), Vice::Refuses(Call::RenameDir, libc::EXDEV),
    ]
}

/// A change of kind on each medium, by itself.
#[test]
fn kinds_change() {
    let mut wrong = Vec::new();
    for medium in Medium::ALL {
        match MountedPlace::of_medium(medium)
            .and_then(|place| Trial::new(place, places::of_medium(medium), User::Root))
        {
            Ok(mut trial) => {
                trial.kinds();
                wrong.extend(trial.end(medium.name()));
            }
            Err(reason) => skip(fcs_testkit::test_name!(), &reason.reason),
        }
    }
    judged(fcs_testkit::test_name!(), "all", &wrong);
}

#[test]
fn a_source_that_says_it_is_empty_and_is_not() {
    let vices = [Vice::SizeZero("untrue")];
    misbehaving(fcs_testkit::test_name!(), "sizes of 0", &vices, |trial| {
        trial.odd_source("untrue", |source, copy| source == copy);
    });
}

#[test]
fn a_source_that_grows_while_it_is_read() {
    let vices = [Vice::Grows("log")];
    misbehaving(fcs_testkit::test_name!(), "a file that grows", &vices, |trial| {
        trial.odd_source("log", |source, copy| copy.len() >= 50_000 && source.starts_with(copy));
    });
}

#[test]
fn a_source_that_lists_what_is_not_found() {
    let vices = [Vice::ListedNotFound("ghost")];
    misbehaving(fcs_testkit::test_name!(), "names that are not found", &vices, |trial| trial.ghost("ghost"));
}
