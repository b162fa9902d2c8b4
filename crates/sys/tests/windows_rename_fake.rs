//! Every answer that a rung of the ladders for renames, links and removals can give, and what is made of it.

#![cfg(all(windows, target_env = "gnu"))]
#![allow(clippy::unwrap_used, unsafe_code)]

#[path = "fake/set_information.rs"]
mod fake;

use std::fs;
use std::io;
use std::os::windows::fs::MetadataExt;

use fake::{Answer, Asked, script, seen};
use fcs_sys::{Access, Attributes, Name, OsReason, Rename, Root, open_root, reason};
use windows_sys::Win32::Foundation as f;

const POSIX: u32 = 2;
const REPLACE: u32 = 1;
const IGNORE_READ_ONLY: u32 = 0x40;
const DELETE: u32 = 1;
const DELETE_IGNORE_READ_ONLY: u32 = 0x10;
/// `MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH`.
const MOVE: u32 = 1 | 8;

/// What file systems answer to a request that they do not know.
const UNKNOWN: [f::NTSTATUS; 5] = [
    f::STATUS_INVALID_PARAMETER,
    f::STATUS_INVALID_INFO_CLASS,
    f::STATUS_NOT_SUPPORTED,
    f::STATUS_NOT_IMPLEMENTED,
    f::STATUS_INVALID_DEVICE_REQUEST,
];

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

/// A folder with the files `new` and `old`.
fn place() -> (tempfile::TempDir, Root) {
    let tmp = tempfile::tempdir().unwrap();
    fs::write(tmp.path().join("new"), "new").unwrap();
    fs::write(tmp.path().join("old"), "old").unwrap();
    let root = open_root(tmp.path()).unwrap();
    (tmp, root)
}

fn rename(root: &Root, to: &str, how: Rename) -> io::Result<()> {
    root.dir.rename(&name("new"), &*root.dir, &name(to), how)
}

fn code(error: &io::Error) -> u32 {
    error.raw_os_error().unwrap() as u32
}

fn content(tmp: &tempfile::TempDir, label: &str) -> Option<String> {
    fs::read_to_string(tmp.path().join(label)).ok()
}

/// Nothing has changed.
fn untouched(tmp: &tempfile::TempDir) {
    assert_eq!((content(tmp, "new"), content(tmp, "old")), (Some("new".into()), Some("old".into())));
}

fn read_only(tmp: &tempfile::TempDir, label: &str) -> bool {
    fs::metadata(tmp.path().join(label)).unwrap().file_attributes() & 1 != 0
}

#[test]
fn replacing_goes_down_the_ladder_until_a_rung_is_known() {
    let whole = [
        Asked::RenameEx(POSIX | REPLACE | IGNORE_READ_ONLY),
        Asked::RenameEx(POSIX | REPLACE),
        Asked::Rename(true),
        Asked::RenameByPath(true),
        Asked::Move(MOVE),
    ];
    for unknown in UNKNOWN {
        // Wine knows none of the first two itself.
        for known in 2..whole.len() {
            let (tmp, root) = place();
            script(
                move |asked| {
                    if whole[..known].contains(&asked) { Answer::Status(unknown) } else { Answer::Do }
                },
            );
            rename(&root, "old", Rename::Replace).unwrap();
            assert_eq!(seen(), whole[..=known], "{unknown:x}, the first {known} unknown");
            assert_eq!((content(&tmp, "new"), content(&tmp, "old")), (None, Some("new".into())));
        }
    }
}

#[test]
fn the_highest_rungs_end_the_ladder_where_they_are_known() {
    let first = Asked::RenameEx(POSIX | REPLACE | IGNORE_READ_ONLY);
    let second = Asked::RenameEx(POSIX | REPLACE);
    for (known, requests) in [(first, vec![first]), (second, vec![first, second])] {
        let (_tmp, root) = place();
        script(move |asked| {
            Answer::Status(if asked == known { f::STATUS_SUCCESS } else { f::STATUS_INVALID_PARAMETER })
        });
        rename(&root, "old", Rename::Replace).unwrap();
        assert_eq!(seen(), requests);
    }
}

#[test]
fn a_rename_that_must_not_replace_never_asks_for_it() {
    for unknown in UNKNOWN {
        let (tmp, root) = place();
        script(move |_| Answer::Status(unknown));
        let refused = rename(&root, "free", Rename::NoReplace).unwrap_err();
        assert_eq!(reason(&refused), OsReason::Unsupported, "{unknown:x}");
        assert_eq!(seen(), [Asked::RenameEx(POSIX), Asked::Rename(false), Asked::RenameByPath(false)]);
        untouched(&tmp);
    }
    let (tmp, root) = place();
    script(|_| Answer::Do);
    assert_eq!(reason(&rename(&root, "old", Rename::NoReplace).unwrap_err()), OsReason::AlreadyExists);
    assert!(!seen().is_empty());
    untouched(&tmp);
}

#[test]
fn exchanging_asks_the_system_for_nothing() {
    let (tmp, root) = place();
    script(|_| Answer::Do);
    assert_eq!(reason(&rename(&root, "old", Rename::Exchange).unwrap_err()), OsReason::Unsupported);
    assert_eq!(seen(), []);
    untouched(&tmp);
}

#[test]
fn a_refusal_is_no_reason_to_try_another_rung() {
    let refusals = [
        (f::STATUS_SHARING_VIOLATION, f::ERROR_SHARING_VIOLATION, OsReason::InUse),
        (f::STATUS_DISK_FULL, f::ERROR_DISK_FULL, OsReason::NoSpace),
        (f::STATUS_MEDIA_WRITE_PROTECTED, f::ERROR_WRITE_PROTECT, OsReason::ReadOnlyVolume),
        (f::STATUS_OBJECT_NAME_COLLISION, f::ERROR_ALREADY_EXISTS, OsReason::AlreadyExists),
        (f::STATUS_OBJECT_NAME_INVALID, f::ERROR_INVALID_NAME, OsReason::InvalidName),
        (f::STATUS_NOT_SAME_DEVICE, f::ERROR_NOT_SAME_DEVICE, OsReason::OtherVolume),
        (f::STATUS_IO_DEVICE_ERROR, f::ERROR_IO_DEVICE, OsReason::DeviceError),
        (f::STATUS_NETWORK_NAME_DELETED, f::ERROR_NETNAME_DELETED, OsReason::Network),
        (f::STATUS_INSUFFICIENT_RESOURCES, f::ERROR_NO_SYSTEM_RESOURCES, OsReason::Exhausted),
    ];
    for (status, win32, why) in refusals {
        for how in [Rename::Replace, Rename::NoReplace] {
            for rung in 0..3 {
                let (tmp, root) = place();
                let mut asked = 0;
                script(move |_| {
                    asked += 1;
                    Answer::Status(if asked > rung { status } else { f::STATUS_INVALID_PARAMETER })
                });
                let error = rename(&root, "old", how).unwrap_err();
                assert_eq!((code(&error), reason(&error)), (win32, why), "{status:x}, {how:?}");
                assert_eq!(seen().len(), rung + 1, "{status:x}, {how:?}: {:?}", seen());
                untouched(&tmp);
            }
        }
    }
}

#[test]
fn a_read_only_mark_in_the_way_comes_off_for_a_second_try_and_back_if_that_fails_too() {
    for again in [f::STATUS_SUCCESS, f::STATUS_ACCESS_DENIED, f::STATUS_SHARING_VIOLATION] {
        let (tmp, root) = place();
        let old = root.dir.open_file(&name("old"), Access::Read).unwrap();
        old.set_attributes(Attributes(0x21)).unwrap();
        drop(old);
        let path = tmp.path().join("old");
        let mut tries = 0;
        script(move |_| {
            tries += 1;
            let marked = fs::metadata(&path).unwrap().file_attributes() & 1 != 0;
            assert_eq!(marked, tries == 1, "the mark is off for the second try");
            Answer::Status(if marked { f::STATUS_ACCESS_DENIED } else { again })
        });
        let renamed = rename(&root, "old", Rename::Replace);
        assert_eq!(seen().len(), 2, "{again:x}");
        assert_eq!(renamed.is_ok(), again == f::STATUS_SUCCESS, "{again:x}");
        if again != f::STATUS_SUCCESS {
            assert!(read_only(&tmp, "old"), "{again:x}: the mark is back");
            untouched(&tmp);
        }
    }
}

#[test]
fn access_denied_without_a_mark_is_told_as_it_is() {
    for how in [Rename::Replace, Rename::NoReplace] {
        let (tmp, root) = place();
        script(|_| Answer::Status(f::STATUS_ACCESS_DENIED));
        let error = rename(&root, "old", how).unwrap_err();
        assert_eq!((code(&error), reason(&error)), (f::ERROR_ACCESS_DENIED, OsReason::PermissionDenied));
        assert_eq!(seen().len(), 1, "{how:?}");
        untouched(&tmp);
    }
}

#[test]
fn errors_of_the_last_rung_keep_their_code() {
    for win32 in [
        f::ERROR_ACCESS_DENIED,
        f::ERROR_SHARING_VIOLATION,
        f::ERROR_DISK_FULL,
        f::ERROR_FILE_NOT_FOUND,
        f::ERROR_NOT_SAME_DEVICE,
        f::ERROR_NETNAME_DELETED,
    ] {
        let (tmp, root) = place();
        script(move |asked| match asked {
            Asked::Move(_) => Answer::Code(win32),
            _ => Answer::Status(f::STATUS_NOT_SUPPORTED),
        });
        assert_eq!(code(&rename(&root, "old", Rename::Replace).unwrap_err()), win32);
        assert_eq!(seen().last(), Some(&Asked::Move(MOVE)));
        untouched(&tmp);
    }
}

#[test]
fn the_last_rung_goes_by_paths_only_while_they_lead_to_what_is_open() {
    let (tmp, root) = place();
    let (path, aside) = (tmp.path().join("new"), tmp.path().join("aside"));
    let mut asked = 0;
    script(move |_| {
        asked += 1;
        // Another program takes the name while the rungs before are tried.
        if asked == 4 {
            fs::rename(&path, &aside).unwrap();
            fs::write(&path, "another").unwrap();
        }
        Answer::Status(f::STATUS_NOT_SUPPORTED)
    });
    assert!(rename(&root, "old", Rename::Replace).is_err());
    // That other program's own renaming comes by here, too, with other flags.
    assert!(!seen().contains(&Asked::Move(MOVE)), "{:?}", seen());
    assert_eq!(content(&tmp, "old"), Some("old".into()));
    assert_eq!(content(&tmp, "new"), Some("another".into()));
}

#[test]
fn links_go_down_their_ladder_and_say_where_there_are_none() {
    for unknown in UNKNOWN {
        let (tmp, root) = place();
        script(move |asked| if asked == Asked::Link { Answer::Status(unknown) } else { Answer::Do });
        root.dir.hard_link(&name("new"), &*root.dir, &name("second")).unwrap();
        assert_eq!(seen(), [Asked::Link, Asked::LinkByPath]);
        assert_eq!(content(&tmp, "second"), Some("new".into()));
    }
    // What keeps a file from a second name, but not from being renamed.
    for status in [UNKNOWN[0], UNKNOWN[2], f::STATUS_ACCESS_DENIED, f::STATUS_TOO_MANY_LINKS] {
        let (tmp, root) = place();
        script(move |_| Answer::Status(status));
        let error = root.dir.hard_link(&name("new"), &*root.dir, &name("second")).unwrap_err();
        assert_eq!(reason(&error), OsReason::Unsupported, "{status:x}");
        assert!(!seen().is_empty() && content(&tmp, "second").is_none());
    }
    let (_tmp, root) = place();
    script(|_| Answer::Status(f::STATUS_DISK_FULL));
    let error = root.dir.hard_link(&name("new"), &*root.dir, &name("second")).unwrap_err();
    assert_eq!((reason(&error), seen().len()), (OsReason::NoSpace, 1));
}

#[test]
fn removals_go_down_their_ladder_and_put_the_mark_back_when_refused() {
    let first = Asked::DisposeEx(DELETE | POSIX | DELETE_IGNORE_READ_ONLY);
    let second = Asked::DisposeEx(DELETE | POSIX);
    for marked in [false, true] {
        for unknown in UNKNOWN {
            let (tmp, root) = place();
            let old = root.dir.open_file(&name("old"), Access::Read).unwrap();
            old.set_attributes(Attributes(if marked { 0x21 } else { 0x20 })).unwrap();
            drop(old);
            script(move |asked| match asked {
                Asked::Dispose => Answer::Do,
                _ => Answer::Status(unknown),
            });
            root.dir.remove_file(&name("old")).unwrap();
            assert_eq!(seen(), [first, second, Asked::Dispose], "{unknown:x}");
            assert_eq!(content(&tmp, "old"), None);
        }
    }
    for refused in [f::STATUS_SHARING_VIOLATION, f::STATUS_CANNOT_DELETE, f::STATUS_ACCESS_DENIED] {
        let (tmp, root) = place();
        let old = root.dir.open_file(&name("old"), Access::Read).unwrap();
        old.set_attributes(Attributes(0x21)).unwrap();
        drop(old);
        script(move |asked| {
            Answer::Status(if asked == first { f::STATUS_INVALID_PARAMETER } else { refused })
        });
        assert!(root.dir.remove_file(&name("old")).is_err());
        assert_eq!(seen(), [first, second], "{refused:x}");
        assert!(read_only(&tmp, "old"), "{refused:x}: the mark is back");
        untouched(&tmp);
    }
}
