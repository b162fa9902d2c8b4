//! Every backend that this machine has, asked by the one suite.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use fcs_sys::{OsReason, open_root};
use fcs_testkit::conformance::{Bits, Lacks, Subject, check};

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::Arc;

    use super::*;
    use fcs_testkit::conformance::check_read_only;
    use fcs_testkit::faulty::{Act, Call, wrap, wrap_like_ntfs};
    use fcs_testkit::sim::{Options, SimFs};
    use fcs_testkit::{FsKind, for_each_image, skip, test_name};

    /// What Linux lacks everywhere.
    fn linux() -> Lacks {
        Lacks { streams: true, ..Lacks::default() }
    }

    /// What the backend lacks on a file system; `None` on one that this suite was never run on.
    fn on(file_system: &str) -> Option<Lacks> {
        Some(match file_system {
            "ext4" | "xfs" | "btrfs" => linux(),
            // There is no device.
            "tmpfs" => Lacks { eviction: true, ..linux() },
            _ => return None,
        })
    }

    /// The temporary folder, with what is lacking there; a recorded skip where its file system is another one.
    fn temporary(test: &str) -> Option<(tempfile::TempDir, fcs_sys::Root, Lacks)> {
        let tmp = tempfile::tempdir().unwrap();
        let root = open_root(tmp.path()).unwrap();
        let file_system = root.dir.volume().unwrap().file_system;
        let Some(lacks) = on(&file_system) else {
            skip(test, &format!("the temporary folder is on {file_system}"));
            return None;
        };
        Some((tmp, root, lacks))
    }

    #[test]
    fn the_native_backend_keeps_every_rule_in_the_temporary_folder() {
        let Some((_tmp, root, lacks)) = temporary(test_name!()) else { return };
        check(&Subject::of(&root, lacks)).assert_kept("the native backend");
    }

    #[test]
    fn the_native_backend_keeps_every_rule_on_each_file_system() {
        for_each_image(test_name!(), &FsKind::ALL, 400 << 20, |image| {
            let root = open_root(image.mount_point()).unwrap();
            check(&Subject::of(&root, on(image.kind().name()).unwrap())).assert_kept(image.kind().name());
        });
    }

    #[test]
    fn a_backend_that_is_wrapped_keeps_every_rule() {
        let Some((_tmp, root, lacks)) = temporary(test_name!()) else { return };
        let root = wrap(&root, "wrapped", Arc::new(|_| Act::Go));
        check(&Subject::of(&root, lacks)).assert_kept("the wrapped native backend");
    }

    #[test]
    fn a_volume_with_named_streams_keeps_every_rule() {
        let Some((_tmp, root, lacks)) = temporary(test_name!()) else { return };
        let root = wrap_like_ntfs(&root, "like NTFS", Arc::new(|_| Act::Go));
        check(&Subject::of(&root, Lacks { streams: false, ..lacks })).assert_kept("what is like NTFS");
    }

    #[test]
    fn a_system_that_moves_one_byte_at_a_time_breaks_no_rule() {
        let root = wrap(
            &SimFs::new(Options::default()).root(),
            "short",
            Arc::new(
                |event| if matches!(event.call, Call::Read | Call::Write) { Act::Short } else { Act::Go },
            ),
        );
        check(&Subject::without_place(&root, linux())).assert_kept("a system that moves one byte at a time");
    }

    #[test]
    fn simulated_disks_keep_every_rule() {
        let like_fat = Lacks { exchange: true, hard_links: true, xattrs: true, sync_volume: true, ..linux() };
        for (options, lacks) in [(Options::default(), linux()), (Options::fat(), like_fat)] {
            let name = options.file_system.clone();
            check(&Subject::without_place(&SimFs::new(options).root(), lacks)).assert_kept(&name);
        }
    }

    #[test]
    fn a_volume_that_takes_no_changes_says_so() {
        for_each_image(test_name!(), &FsKind::ALL, 16 << 20, |image| {
            std::fs::write(image.mount_point().join("file"), "x").unwrap();
            let read_only = std::process::Command::new("mount")
                .args(["-o", "remount,ro"])
                .arg(image.mount_point())
                .status();
            assert!(read_only.unwrap().success());
            let root = open_root(image.mount_point()).unwrap();
            assert_eq!(check_read_only(&root.dir, "file"), Vec::<String>::new(), "{}", image.kind());
        });
    }
}

#[cfg(windows)]
mod windows {
    use super::*;
    use fcs_testkit::conformance::check_rules;
    use fcs_testkit::{skip, test_name};

    /// What Windows lacks everywhere.
    fn windows() -> Lacks {
        Lacks {
            exchange: true,
            owner: true,
            xattrs: true,
            sync_volume: true,
            eviction: true,
            // A file has holes only after a program asked for them.
            holes: true,
            // Making one needs a right that a plain user has only in developer mode.
            symlinks: may_link(),
            ..Lacks::default()
        }
    }

    /// What Wine lacks beside; see docs/windows.md.
    fn wine() -> Lacks {
        Lacks {
            symlinks: Some(OsReason::Unsupported),
            open_names: true,
            copy_progress: true,
            streams: true,
            bits: Bits::Attributes { archive: false },
            ..windows()
        }
    }

    /// Why the system refuses to make a link, if it does; asked of the standard library.
    fn may_link() -> Option<OsReason> {
        let tmp = tempfile::tempdir().unwrap();
        let made = std::os::windows::fs::symlink_file("nowhere", tmp.path().join("link"));
        made.err().map(|e| fcs_sys::reason(&e))
    }

    /// Rules that Wine is known to break: it counts the length of a name in bytes, and calls a longer one absent.
    const NOT_IN_WINE: [&str; 2] = ["names_of_the_longest_kind_are_kept", "longer_names_are_refused"];

    #[test]
    fn the_native_backend_keeps_every_rule_in_the_temporary_folder() {
        let tmp = tempfile::tempdir().unwrap();
        let root = open_root(tmp.path()).unwrap();
        let mut subject = Subject::of(&root, if fcs_sys::is_wine() { wine() } else { windows() });
        subject.excused = NOT_IN_WINE.to_vec();
        if fcs_sys::is_wine() {
            // It looks at each entry to find out whether a name is taken in another case: 80 s for ten thousand.
            subject.many = 1500;
        }
        check(&subject).assert_kept("the native backend");
    }

    #[test]
    fn the_native_backend_keeps_the_rules_that_wine_does_not() {
        if fcs_sys::is_wine() {
            return skip(
                test_name!(),
                "Wine counts the length of a name in bytes, and calls a longer one absent",
            );
        }
        let tmp = tempfile::tempdir().unwrap();
        let subject = Subject::of(&open_root(tmp.path()).unwrap(), windows());
        let verdict = check_rules(&subject, |rule| NOT_IN_WINE.contains(&rule));
        assert_eq!((verdict.broken, verdict.kept.len()), (Vec::new(), 2));
    }
}

/// What the standard library alone cannot do. Not asked on Windows, which has a backend of its own: there it cannot
/// name what the system normalises.
#[cfg(not(windows))]
fn portable() -> Lacks {
    Lacks {
        no_replace: true,
        exchange: true,
        symlinks: Some(OsReason::Unsupported),
        link_times: true,
        owner: true,
        xattrs: true,
        uncached: true,
        maps: true,
        sync_volume: true,
        eviction: true,
        holes: true,
        streams: true,
        space: true,
        change_time: true,
        identity: true,
        lasting_handles: true,
        private_items: true,
        bits: Bits::ReadOnlyMark,
        ..Lacks::default()
    }
}

/// Bits of Unix and renaming without a gap it has itself; the rest is what only a device has.
#[test]
fn a_backend_that_writes_the_core_alone_keeps_every_rule() {
    let lacks = Lacks {
        uncached: true,
        space: true,
        bits: Bits::Modes,
        private_items: cfg!(windows),
        ..Lacks::every_capability()
    };
    check(&Subject::without_place(&fcs_testkit::memory::root(), lacks)).assert_kept("a backend in memory");
}

#[cfg(not(windows))]
#[test]
fn the_portable_backend_keeps_every_rule_it_can() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = fcs_sys::portable::open_root(tmp.path()).unwrap();
    let root = fcs_sys::Root { dir, path: tmp.path().to_path_buf() };
    check(&Subject::of(&root, portable())).assert_kept("the portable backend");
}
