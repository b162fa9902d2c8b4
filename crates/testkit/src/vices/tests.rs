//! Each vice shows when it is on, is counted, and does not when it is off.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, FlockOperation, RenameFlags};

use super::*;
use crate::listing::{Options, diff, listing};
use crate::{skip, test_name};

macro_rules! wicked_or_skip {
    ($vices:expr) => {
        match Wicked::new($vices) {
            Ok(wicked) => wicked,
            Err(reason) => return skip(test_name!(), &reason.reason),
        }
    };
}

/// What `see` finds with the vice and without.
fn with_and_without<T>(vice: &Vice, see: impl Fn(&Path) -> T) -> Result<(T, T), Skip> {
    let honest = Wicked::new(&[])?;
    let without = see(honest.path());
    assert_eq!(honest.fired(vice), 0);
    let wicked = Wicked::new(std::slice::from_ref(vice))?;
    let with = see(wicked.path());
    assert!(wicked.fired(vice) > 0, "{vice:?} had no effect");
    wicked.close().unwrap();
    honest.close().unwrap();
    Ok((with, without))
}

macro_rules! assert_seen {
    ($vice:expr, $with:expr, $without:expr, $see:expr) => {
        match with_and_without(&$vice, $see) {
            Ok(seen) => assert_eq!(seen, ($with, $without)),
            Err(reason) => return skip(test_name!(), &reason.reason),
        }
    };
}

fn set_time(path: &Path, seconds: u64, nanos: u32) {
    let time = UNIX_EPOCH + Duration::new(seconds, nanos);
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

fn code<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

fn renamed(from: &Path, to: &Path, flags: RenameFlags) -> Option<i32> {
    rustix::fs::renameat_with(CWD, from, CWD, to, flags).err().map(rustix::io::Errno::raw_os_error)
}

#[test]
fn without_vices_it_is_a_file_system_like_others_also_after_a_remount() {
    let mut wicked = wicked_or_skip!(&[]);
    let real = tempfile::tempdir().unwrap();
    for root in [wicked.path(), real.path()] {
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), vec![7; 300_000]).unwrap();
        fs::hard_link(root.join("a/file"), root.join("a/b/second")).unwrap();
        fs::write(root.join("over"), "old").unwrap();
        fs::write(root.join("new"), "new").unwrap();
        fs::rename(root.join("new"), root.join("over")).unwrap();
        fs::write(root.join("x"), "x").unwrap();
        assert_eq!(renamed(&root.join("x"), &root.join("over"), RenameFlags::EXCHANGE), None);
        assert_eq!(renamed(&root.join("x"), &root.join("over"), RenameFlags::NOREPLACE), Some(libc::EEXIST));
        symlink("a/file", root.join("link")).unwrap();
        fs::set_permissions(root.join("a/file"), Permissions::from_mode(0o640)).unwrap();
        lchown(root.join("a/b/second"), Some(12), Some(34)).unwrap_or(());
        xattr::set(root.join("x"), "user.note", b"1").unwrap();
        fs::write(root.join("gone"), "").unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        assert_eq!(code(fs::remove_dir(root.join("a"))), Some(libc::ENOTEMPTY));
        for (at, path) in ["a/file", "over", "x", "a/b", "a"].into_iter().enumerate() {
            set_time(&root.join(path), 1_600_000_000 + at as u64, 123_456_789);
        }
        assert_eq!(fs::metadata(root.join("a/file")).unwrap().nlink(), 2);
    }
    let options = Options { times_of_links: false, ..Options::default() };
    let expected = listing(real.path(), &options).unwrap();
    assert_eq!(diff(&expected, &listing(wicked.path(), &options).unwrap()), [""; 0]);
    let number = fs::metadata(wicked.path().join("a/file")).unwrap().ino();
    wicked.remount().unwrap();
    assert_eq!(diff(&expected, &listing(wicked.path(), &options).unwrap()), [""; 0]);
    assert_eq!(fs::metadata(wicked.path().join("a/b/second")).unwrap().ino(), number);
}

#[test]
fn a_time_before_1970_comes_back_as_it_was_set() {
    let wicked = wicked_or_skip!(&[]);
    let path = wicked.path().join("f");
    let file = File::create(&path).unwrap();
    let before = UNIX_EPOCH - Duration::new(100, 250_000_000);
    file.set_times(FileTimes::new().set_modified(before)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[test]
fn numbers_that_do_not_last_are_others_at_the_next_look() {
    assert_seen!(Vice::NumbersLast(1), false, true, |root: &Path| {
        fs::write(root.join("f"), "").unwrap();
        let [a, b] = [(); 2].map(|()| fs::metadata(root.join("f")).unwrap().ino());
        a == b
    });
    let mut wicked = wicked_or_skip!(&[Vice::NumbersLast(1_000)]);
    let number = |wicked: &Wicked| fs::metadata(wicked.path().join("f")).unwrap().ino();
    fs::write(wicked.path().join("f"), "kept").unwrap();
    let first = number(&wicked);
    assert_eq!(number(&wicked), first);
    let open = File::open(wicked.path().join("f")).unwrap();
    wicked.forget_all();
    let second = number(&wicked);
    assert_ne!(second, first);
    assert_eq!(open.metadata().unwrap().ino(), first, "what is open keeps its number");
    drop(open);
    wicked.remount().unwrap();
    assert!(![first, second].contains(&number(&wicked)));
    fs::rename(wicked.path().join("f"), wicked.path().join("g")).unwrap();
    assert_eq!(fs::read_to_string(wicked.path().join("g")).unwrap(), "kept");
}

#[test]
fn a_second_name_shows_another_number() {
    assert_seen!(Vice::LinksHaveOwnNumbers, (false, 2), (true, 2), |root: &Path| {
        fs::write(root.join("f"), "").unwrap();
        fs::hard_link(root.join("f"), root.join("g")).unwrap();
        let [f, g] = ["f", "g"].map(|name| fs::metadata(root.join(name)).unwrap());
        (f.ino() == g.ino(), g.nlink())
    });
}

#[test]
fn each_call_can_be_refused_with_any_error() {
    let codes = [libc::EIO, libc::EINVAL, libc::EOPNOTSUPP];
    for ((call, act), wanted) in calls().into_iter().zip(codes.into_iter().cycle()) {
        match with_and_without(&Vice::Refuses(call, wanted), act) {
            Ok(seen) => assert_eq!(seen, (Some(wanted), None), "{call:?}"),
            Err(reason) => return skip(test_name!(), &reason.reason),
        }
    }
    // To the kernel this is "there is nothing to do".
    assert_seen!(Vice::Refuses(Call::Fsync, libc::ENOSYS), None, None, |root: &Path| {
        code(File::create(root.join("f")).unwrap().sync_all())
    });
}

type Act = fn(&Path) -> Option<i32>;

fn calls() -> [(Call, Act); 14] {
    fn two(root: &Path) -> [PathBuf; 2] {
        let names = ["a", "b"].map(|name| root.join(name));
        names.iter().for_each(|path| fs::write(path, "").unwrap());
        names
    }
    [
        (Call::Link, |root| {
            let [a, _] = two(root);
            code(fs::hard_link(a, root.join("c")))
        }),
        (Call::Symlink, |root| code(symlink("x", root.join("l")))),
        (Call::Fsync, |root| code(File::create(root.join("f")).unwrap().sync_all())),
        (Call::FsyncDir, |root| code(File::open(root).unwrap().sync_all())),
        (Call::Statfs, |root| rustix::fs::statfs(root).err().map(rustix::io::Errno::raw_os_error)),
        (Call::Flock, |root| {
            let file = File::create(root.join("f")).unwrap();
            let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
            locked.err().map(rustix::io::Errno::raw_os_error)
        }),
        (Call::Xattr, |root| code(xattr::set(&two(root)[0], "user.x", b"1"))),
        (Call::Chmod, |root| code(fs::set_permissions(&two(root)[0], Permissions::from_mode(0o600)))),
        (Call::Chown, |root| code(lchown(&two(root)[0], Some(5), Some(5)))),
        (Call::SetTimes, |root| {
            let file = File::create(root.join("f")).unwrap();
            code(file.set_times(FileTimes::new().set_modified(UNIX_EPOCH)))
        }),
        (Call::Exchange, |root| {
            let [a, b] = two(root);
            renamed(&a, &b, RenameFlags::EXCHANGE)
        }),
        (Call::NoReplace, |root| renamed(&two(root)[0], &root.join("c"), RenameFlags::NOREPLACE)),
        (Call::Replace, |root| {
            let [a, b] = two(root);
            code(fs::rename(a, b))
        }),
        (Call::RenameDir, |root| {
            fs::create_dir(root.join("d")).unwrap();
            code(fs::rename(root.join("d"), root.join("e")))
        }),
    ]
}

#[test]
fn a_name_is_listed_and_not_found() {
    assert_seen!(Vice::ListedNotFound("f"), (1, Some(libc::ENOENT)), (1, None), |root: &Path| {
        // Made under another name: nobody gets to know a file by a name that is not found.
        fs::write(root.join("other"), "x").unwrap();
        fs::rename(root.join("other"), root.join("f")).unwrap();
        (fs::read_dir(root).unwrap().count(), code(fs::symlink_metadata(root.join("f"))))
    });
}

#[test]
fn times_are_cut_and_held_within_a_range() {
    let time = |root: &Path| {
        fs::write(root.join("f"), "").unwrap();
        set_time(&root.join("f"), 1_600_000_003, 123_456_789);
        let seen = fs::metadata(root.join("f")).unwrap();
        (seen.mtime(), seen.mtime_nsec())
    };
    let honest = (1_600_000_003, 123_456_789);
    assert_seen!(Vice::TimeStep(Duration::from_secs(2)), (1_600_000_002, 0), honest, time);
    assert_seen!(Vice::TimeStep(Duration::from_secs(1)), (1_600_000_003, 0), honest, time);
    assert_seen!(Vice::TimeStep(Duration::from_micros(1)), (1_600_000_003, 123_456_000), honest, time);
    assert_seen!(Vice::TimeRange(0, 1_500_000_000), (1_500_000_000, 0), honest, time);
    assert_seen!(Vice::NoChangeTime, true, false, |root: &Path| {
        time(root);
        let seen = fs::metadata(root.join("f")).unwrap();
        (seen.mtime(), seen.mtime_nsec()) == (seen.ctime(), seen.ctime_nsec())
    });
}

#[test]
fn permissions_and_owners_lie() {
    let modes = |root: &Path| {
        fs::write(root.join("f"), "").unwrap();
        fs::set_permissions(root.join("f"), Permissions::from_mode(0o600)).unwrap();
        fs::metadata(root.join("f")).unwrap().mode() & 0o7777
    };
    let as_made = 0o644;
    assert_seen!(Vice::ChmodLies, as_made, 0o600, modes);
    assert_seen!(Vice::ModesAre(0o777), 0o777, 0o600, modes);
    assert_seen!(Vice::OwnersLie, 0, 5, |root: &Path| {
        fs::write(root.join("f"), "").unwrap();
        lchown(root.join("f"), Some(5), Some(5)).unwrap();
        fs::metadata(root.join("f")).unwrap().uid()
    });
}

#[test]
fn sizes_and_inodes_are_told_as_none() {
    assert_seen!(Vice::NoInodes, (0, 0), (1 << 20, 1 << 19), |root: &Path| {
        let seen = rustix::fs::statfs(root).unwrap();
        (seen.f_files, seen.f_ffree)
    });
    assert_seen!(Vice::SizeZero("f"), (0, "content".to_owned()), (7, "content".to_owned()), |root: &Path| {
        fs::write(root.join("f"), "content").unwrap();
        let size = fs::metadata(root.join("f")).unwrap().len();
        (size, fs::read_to_string(root.join("f")).unwrap())
    });
    assert_seen!(Vice::Grows("f"), true, false, |root: &Path| {
        fs::write(root.join("f"), "content").unwrap();
        fs::read(root.join("f")).unwrap();
        fs::metadata(root.join("f")).unwrap().len() > 7
    });
}

#[test]
fn what_is_set_on_a_link_reaches_what_it_points_at() {
    assert_seen!(Vice::FollowsLinks, (12, 0), (0, 12), |root: &Path| {
        fs::write(root.join("outside"), "").unwrap();
        fs::create_dir(root.join("dir")).unwrap();
        symlink("../outside", root.join("dir/link")).unwrap();
        lchown(root.join("dir/link"), Some(12), None).unwrap();
        let uid = |path: &str| fs::symlink_metadata(root.join(path)).unwrap().uid();
        (uid("outside"), uid("dir/link"))
    });
}

#[test]
fn names_are_refused_trimmed_and_taken_for_others() {
    assert_seen!(Vice::Forbids(":?"), Some(libc::EINVAL), None, |root: &Path| {
        code(fs::write(root.join("a:b"), "")).or(code(fs::create_dir(root.join("what?"))))
    });
    assert_seen!(Vice::TrimsEnds, ["end".to_owned()], ["end. ".to_owned()], |root: &Path| {
        fs::write(root.join("end. "), "").unwrap();
        let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        <[String; 1]>::try_from(names).unwrap()
    });
    assert_seen!(Vice::IgnoresCase, 1, 2, |root: &Path| {
        fs::write(root.join("Case"), "").unwrap();
        fs::write(root.join("case"), "").unwrap();
        fs::read_dir(root).unwrap().count()
    });
}

#[test]
fn permissions_are_checked_for_a_plain_user() {
    let wicked = wicked_or_skip!(&[]);
    fs::write(wicked.path().join("f"), "").unwrap();
    fs::set_permissions(wicked.path().join("f"), Permissions::from_mode(0o600)).unwrap();
    let seen = crate::as_plain_user(|| {
        fs::write(wicked.path().join("mine"), "").unwrap();
        code(fs::read(wicked.path().join("f")))
    });
    assert_eq!(seen.unwrap(), Some(libc::EACCES));
    assert_eq!(fs::metadata(wicked.path().join("mine")).unwrap().uid(), crate::PLAIN_USER);
}
