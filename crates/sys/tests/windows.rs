//! The Windows backend against the system, judged through the standard library where that can see it.
//!
//! What only a real Windows does is skipped by name under Wine, and only there.

#![cfg(windows)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fcs_sys::{
    Access, Attributes, CreatedTime, Dir, Handle, Kind, LinkTarget, Metadata, Name, OsReason, Place, Rename,
    Root, Time, Times, open_root, reason,
};
use fcs_testkit::{skip, test_name};

const READ_ONLY: u32 = 1;
const HIDDEN: u32 = 2;
const SHARE_READ: u32 = 1;
const SHARE_WRITE: u32 = 2;
const SHARE_DELETE: u32 = 4;

/// Returns from the test, on the record, where Wine is known not to do what Windows does.
macro_rules! needs_windows {
    ($why:expr) => {
        if fcs_sys::is_wine() {
            skip(test_name!(), $why);
            return;
        }
    };
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn temporary() -> (tempfile::TempDir, Root) {
    let tmp = tempfile::tempdir().unwrap();
    let root = open_root(tmp.path()).unwrap();
    (tmp, root)
}

fn why<T>(result: io::Result<T>) -> OsReason {
    reason(&result.err().unwrap())
}

fn names(dir: &dyn Dir) -> Vec<String> {
    let mut names = Vec::new();
    dir.list(&mut |item| names.push(String::from_utf8(item.name.to_vec()).unwrap())).unwrap();
    names.sort();
    names
}

fn attributes(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().file_attributes()
}

fn modified(time: Time) -> Times {
    Times { modified: Some(time), created: None }
}

#[test]
fn items_are_what_the_standard_library_says_they_are() {
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("file"), "content").unwrap();
    fs::create_dir(tmp.path().join("folder")).unwrap();
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(tmp.path().join("file")).unwrap().set_modified(time).unwrap();

    let file = root.dir.stat(&name("file")).unwrap();
    assert_eq!((file.kind, file.size, file.links), (Kind::File, 7, 1));
    assert_eq!(file.modified, Time::new(1_000_000_000, 0));
    assert!(file.changed.is_some() && !file.placeholder);
    assert_eq!(root.dir.open_file(&name("file"), Access::Read).unwrap().metadata().unwrap().id, file.id);
    let folder = root.dir.stat(&name("folder")).unwrap();
    assert_eq!(folder.kind, Kind::Folder);
    assert_ne!(folder.id, file.id);
    assert_eq!(folder.id.volume, file.id.volume);
    assert_eq!(root.dir.open_dir(&name("folder")).unwrap().metadata().unwrap().id, folder.id);
    // Another spelling of the same name is the same item here.
    assert_eq!(root.dir.stat(&name("FILE")).unwrap().id, file.id);
}

#[test]
fn a_missing_or_unfitting_item_is_told_by_its_reason() {
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("file"), "x").unwrap();
    fs::create_dir(tmp.path().join("folder")).unwrap();
    assert_eq!(why(root.dir.stat(&name("none"))), OsReason::NotFound);
    assert_eq!(why(root.dir.open_dir(&name("file"))), OsReason::NotAFolder);
    assert_eq!(why(root.dir.open_file(&name("folder"), Access::Read)), OsReason::IsAFolder);
    assert_eq!(why(root.dir.create_file(&name("file"))), OsReason::AlreadyExists);
    assert_eq!(why(root.dir.create_dir(&name("folder"))), OsReason::AlreadyExists);
    assert_eq!(why(root.dir.create_file(&name("a?b"))), OsReason::InvalidName);
    assert_eq!(why(root.dir.stat(&name(&"n".repeat(40_000)))), OsReason::NameTooLong);
}

#[test]
fn modified_times_are_kept_to_100_ns_on_files_folders_and_read_only_files() {
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("file"), "x").unwrap();
    fs::create_dir(tmp.path().join("folder")).unwrap();
    let file = root.dir.open_file(&name("file"), Access::ReadWrite).unwrap();
    file.set_attributes(Attributes(READ_ONLY)).unwrap();
    let folder = root.dir.open_dir(&name("folder")).unwrap();
    for time in
        [Time::new(-1, 999_999_900), Time::new(1_700_000_000, 123_456_700), Time::new(4_102_444_800, 100)]
    {
        file.set_times(modified(time)).unwrap();
        folder.set_times(modified(time)).unwrap();
        assert_eq!(file.metadata().unwrap().modified, time);
        assert_eq!(folder.metadata().unwrap().modified, time);
        assert_eq!(root.dir.stat(&name("file")).unwrap().modified, time);
    }
    let seen = fs::metadata(tmp.path().join("file")).unwrap().modified().unwrap();
    assert_eq!(seen, SystemTime::from(Time::new(4_102_444_800, 100)));
    assert!(file.set_times(modified(Time::new(-11_644_473_601, 0))).is_err(), "before 1601");
    file.set_attributes(Attributes(0)).unwrap();
}

#[test]
fn what_is_not_given_stays() {
    let (_tmp, root) = temporary();
    let file = root.dir.create_file(&name("file")).unwrap();
    let time = Time::new(1_000_000_000, 700);
    file.set_times(modified(time)).unwrap();
    file.set_times(Times::default()).unwrap();
    file.set_attributes(Attributes(HIDDEN)).unwrap();
    assert_eq!(file.metadata().unwrap().modified, time);
    file.set_times(modified(time)).unwrap();
    assert_eq!(file.metadata().unwrap().attributes.0 & HIDDEN, HIDDEN, "nor does an attribute go");
}

#[test]
fn created_times_are_set_and_read_back() {
    needs_windows!("Wine takes a created time and stores none");
    let (tmp, root) = temporary();
    fs::create_dir(tmp.path().join("folder")).unwrap();
    let file = root.dir.create_file(&name("file")).unwrap();
    let folder = root.dir.open_dir(&name("folder")).unwrap();
    assert_eq!(root.dir.volume().unwrap().created, CreatedTime::Settable);
    let (created, modified) = (Time::new(900_000_000, 100), Time::new(800_000_000, 200));
    for item in [&*file as &dyn Handle, &*folder] {
        item.set_times(Times { modified: Some(modified), created: Some(created) }).unwrap();
        let now = item.metadata().unwrap();
        assert_eq!((now.created, now.modified), (Some(created), modified));
    }
}

#[test]
fn a_time_that_was_set_is_not_moved_by_what_is_written_after_it() {
    needs_windows!("under Wine a write moves a time that was set through the same handle");
    let (_tmp, root) = temporary();
    let file = root.dir.create_file(&name("file")).unwrap();
    let time = Time::new(1_000_000_000, 0);
    file.set_times(modified(time)).unwrap();
    file.write_at(b"more", 0).unwrap();
    file.sync().unwrap();
    drop(file);
    assert_eq!(root.dir.stat(&name("file")).unwrap().modified, time);
}

#[test]
fn attributes_are_the_ones_a_user_sets() {
    let (tmp, root) = temporary();
    let file = root.dir.create_file(&name("file")).unwrap();
    file.set_attributes(Attributes(0)).unwrap();
    assert_eq!(attributes(&tmp.path().join("file")) & (HIDDEN | READ_ONLY), 0);
    file.set_attributes(Attributes(READ_ONLY)).unwrap();
    assert!(file.metadata().unwrap().attributes.is_read_only());
    assert!(fs::metadata(tmp.path().join("file")).unwrap().permissions().readonly());
    file.set_attributes(Attributes(HIDDEN)).unwrap();
    assert_eq!(attributes(&tmp.path().join("file")) & (HIDDEN | READ_ONLY), HIDDEN);
    assert_eq!(root.dir.metadata().unwrap().attributes.0 & 0x10, 0, "what it is is no attribute");
}

#[test]
fn an_unfinished_file_is_hidden_and_nobody_else_can_write_into_it() {
    let (tmp, root) = temporary();
    let path = tmp.path().join("part");
    let file = root.dir.create_file(&name("part")).unwrap();
    // More than NTFS keeps in the file's own record, which is not read past the cache.
    let content = [7; 10_000];
    file.write_at(&content, 0).unwrap();
    file.sync().unwrap();
    assert_ne!(attributes(&path) & HIDDEN, 0);
    assert_eq!(why(fs::File::options().write(true).open(&path)), OsReason::InUse);
    assert_eq!(fs::read(&path).unwrap(), content);
    // Nor can anybody keep it from being renamed.
    let without_delete = fs::File::options().read(true).share_mode(SHARE_READ | SHARE_WRITE).open(&path);
    assert_eq!(why(without_delete), OsReason::InUse);
    assert!(root.dir.open_file(&name("part"), Access::ReadUncached).is_ok());
    root.dir.create_dir(&name("folder")).unwrap();
    assert_ne!(attributes(&tmp.path().join("folder")) & HIDDEN, 0);
}

#[test]
fn an_unfinished_read_only_file_can_be_dressed_renamed_synced_and_removed() {
    let (tmp, root) = temporary();
    let file = root.dir.create_file(&name("part")).unwrap();
    file.write_at(b"content", 0).unwrap();
    file.set_attributes(Attributes(READ_ONLY)).unwrap();
    let time = Time::new(1_234_567_890, 0);
    file.set_times(modified(time)).unwrap();
    file.sync().unwrap();
    root.dir.rename(&name("part"), &*root.dir, &name("done"), Rename::NoReplace).unwrap();
    let now = root.dir.stat(&name("done")).unwrap();
    assert_eq!((now.modified, now.attributes.is_read_only()), (time, true));
    root.dir.sync().unwrap();
    drop(file);
    root.dir.remove_file(&name("done")).unwrap();
    assert!(!tmp.path().join("done").exists());
}

#[test]
fn listings_tell_names_as_they_are_and_metadata_as_the_items_do() {
    let (tmp, root) = temporary();
    let mut expected = Vec::new();
    for i in 0..40 {
        let text = format!("file {i} é漢");
        fs::write(tmp.path().join(&text), vec![0; i]).unwrap();
        expected.push(text);
    }
    fs::create_dir(tmp.path().join("folder")).unwrap();
    expected.push("folder".into());
    expected.sort();
    assert_eq!(names(&*root.dir), expected);
    let mut told = 0;
    root.dir
        .list(&mut |item| {
            let asked = root.dir.stat(&Name::new(item.name).unwrap()).unwrap();
            if let Some(listed) = item.metadata {
                told += 1;
                assert_eq!(Metadata { allocated: 0, ..listed }, Metadata { allocated: 0, ..asked });
            }
        })
        .unwrap();
    assert_eq!(told, 40, "the listing tells all about every file");
}

#[test]
fn an_empty_folder_and_one_of_hundreds_are_listed_whole() {
    let (tmp, root) = temporary();
    assert_eq!(names(&*root.dir), Vec::<String>::new());
    let long = "n".repeat(100);
    for i in 0..700 {
        fs::write(tmp.path().join(format!("{long}{i:05}")), "").unwrap();
    }
    let listed = names(&*root.dir);
    assert_eq!(listed.len(), 700);
    assert!(listed.iter().enumerate().all(|(i, name)| *name == format!("{long}{i:05}")));
}

#[test]
fn a_folder_is_listed_anew_each_time_and_by_several_at_once() {
    let (tmp, root) = temporary();
    for i in 0..500 {
        fs::write(tmp.path().join(format!("{i:0100}")), "").unwrap();
    }
    let whole = names(&*root.dir);
    assert_eq!((names(&*root.dir), whole.len()), (whole.clone(), 500));
    // One within another.
    let mut inner = None;
    let mut outer = Vec::new();
    root.dir
        .list(&mut |item| {
            inner.get_or_insert_with(|| names(&*root.dir));
            outer.push(String::from_utf8(item.name.to_vec()).unwrap());
        })
        .unwrap();
    outer.sort();
    assert_eq!((outer, inner.unwrap()), (whole.clone(), whole.clone()));
    std::thread::scope(|scope| {
        let lists: Vec<_> = (0..8).map(|_| scope.spawn(|| names(&*root.dir))).collect();
        for list in lists {
            assert_eq!(list.join().unwrap(), whole);
        }
    });
}

#[test]
fn names_that_win32_would_change_are_kept_as_they_are() {
    let (_tmp, root) = temporary();
    let odd = ["CON", "aux.txt", "nul", "dot.", "dots..", "space ", " lead"];
    for text in odd {
        drop(root.dir.create_file(&name(text)).unwrap());
    }
    let mut expected: Vec<String> = odd.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(names(&*root.dir), expected);
    root.dir.rename(&name("dot."), &*root.dir, &name("other ."), Rename::NoReplace).unwrap();
    let now = names(&*root.dir);
    assert!(now.contains(&"other .".to_owned()), "{now:?}");
    assert_eq!(why(root.dir.stat(&name("dots"))), OsReason::NotFound);
    for text in names(&*root.dir) {
        root.dir.remove_file(&name(&text)).unwrap();
    }
    assert_eq!(names(&*root.dir), Vec::<String>::new());
}

#[test]
fn unpaired_surrogates_are_names_like_others() {
    needs_windows!("Wine has no unpaired surrogates in names");
    let (_tmp, root) = temporary();
    for bytes in [&b"a\xED\xA0\x80b"[..], b"\xED\xB0\x80\xED\xA0\x80"] {
        let odd = Name::new(bytes).unwrap();
        drop(root.dir.create_file(&odd).unwrap());
        let mut listed = Vec::new();
        root.dir.list(&mut |item| listed.push(item.name.to_vec())).unwrap();
        assert_eq!(listed, [bytes.to_vec()]);
        root.dir.remove_file(&odd).unwrap();
    }
}

#[test]
fn a_path_of_thousands_of_characters_is_no_limit() {
    let (_tmp, root) = temporary();
    let part = name(&"deep".repeat(30));
    let mut chain = vec![root.dir.clone()];
    for _ in 0..12 {
        let last = chain.last().unwrap();
        last.create_dir(&part).unwrap();
        let next = last.open_dir(&part).unwrap();
        chain.push(next);
    }
    let last = chain.pop().unwrap();
    drop(last.create_file(&name("file")).unwrap());
    last.rename(&name("file"), &*root.dir, &name("up"), Rename::NoReplace).unwrap();
    root.dir.hard_link(&name("up"), &*last, &name("linked")).unwrap();
    assert_eq!(last.stat(&name("linked")).unwrap().links, 2);
    last.remove_file(&name("linked")).unwrap();
    drop(last);
    while let Some(parent) = chain.pop() {
        parent.remove_dir(&part).unwrap();
    }
}

#[test]
fn a_rename_replaces_only_when_told_to() {
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("new"), "new").unwrap();
    fs::write(tmp.path().join("old"), "old").unwrap();
    fs::create_dir(tmp.path().join("folder")).unwrap();
    let (new, old) = (name("new"), name("old"));
    let id = root.dir.stat(&new).unwrap().id;
    assert_eq!(why(root.dir.rename(&new, &*root.dir, &old, Rename::NoReplace)), OsReason::AlreadyExists);
    assert_eq!(why(root.dir.rename(&new, &*root.dir, &old, Rename::Exchange)), OsReason::Unsupported);
    assert_eq!(fs::read(tmp.path().join("old")).unwrap(), b"old");
    root.dir.rename(&new, &*root.dir, &old, Rename::Replace).unwrap();
    assert_eq!(root.dir.stat(&old).unwrap().id, id);
    let folder = root.dir.open_dir(&name("folder")).unwrap();
    root.dir.rename(&old, &*folder, &new, Rename::NoReplace).unwrap();
    assert_eq!(fs::read(tmp.path().join("folder/new")).unwrap(), b"new");
    assert_eq!(why(root.dir.rename(&old, &*folder, &new, Rename::NoReplace)), OsReason::NotFound);
    folder.rename(&new, &*root.dir, &name("b"), Rename::NoReplace).unwrap();
    root.dir.rename(&name("folder"), &*root.dir, &name("moved"), Rename::NoReplace).unwrap();
    assert_eq!(names(&*root.dir), ["b", "moved"]);
}

/// The system gives the created time of an item that lost its name to the next one that gets it.
#[test]
fn a_renamed_item_keeps_its_created_time_whose_name_it_may_take() {
    needs_windows!("Wine stores no created time");
    let (tmp, root) = temporary();
    let made = |path: &str, year: i64| {
        fs::write(tmp.path().join(path), path).unwrap();
        let created = Time::new((year - 1970) * 31_557_600, 500);
        let file = root.dir.open_file(&name(path), Access::ReadWrite).unwrap();
        file.set_times(Times { created: Some(created), modified: None }).unwrap();
        created
    };
    for how in [Rename::NoReplace, Rename::Replace] {
        made("name", 1999);
        let created = made("other", 2010);
        if how == Rename::NoReplace {
            root.dir.remove_file(&name("name")).unwrap();
        }
        root.dir.rename(&name("other"), &*root.dir, &name("name"), how).unwrap();
        assert_eq!(root.dir.stat(&name("name")).unwrap().created, Some(created), "{how:?}");
    }
    // That there was something to keep: the standard library lets the system have its way.
    made("name", 1999);
    let created = made("other", 2010);
    fs::remove_file(tmp.path().join("name")).unwrap();
    fs::rename(tmp.path().join("other"), tmp.path().join("name")).unwrap();
    assert_ne!(root.dir.stat(&name("name")).unwrap().created, Some(created), "the system did not interfere");
}

#[test]
fn a_name_can_be_spelled_in_another_case() {
    needs_windows!("Wine says yes to a case-only rename and does nothing");
    let (_tmp, root) = temporary();
    drop(root.dir.create_file(&name("name")).unwrap());
    root.dir.rename(&name("name"), &*root.dir, &name("NaMe"), Rename::NoReplace).unwrap();
    assert_eq!(names(&*root.dir), ["NaMe"]);
}

#[test]
fn a_read_only_file_is_replaced_when_that_is_asked_for() {
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("new"), "new").unwrap();
    let old = root.dir.create_file(&name("old")).unwrap();
    old.set_attributes(Attributes(READ_ONLY)).unwrap();
    drop(old);
    root.dir.rename(&name("new"), &*root.dir, &name("old"), Rename::Replace).unwrap();
    assert_eq!(fs::read(tmp.path().join("old")).unwrap(), b"new");
    assert_eq!(names(&*root.dir), ["old"]);
}

#[test]
fn a_file_that_is_open_and_shared_is_replaced_and_its_reader_keeps_it() {
    needs_windows!("Wine has no POSIX renames and refuses to replace an open file");
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("new"), "new").unwrap();
    fs::write(tmp.path().join("old"), "old").unwrap();
    let reader = root.dir.open_file(&name("old"), Access::Read).unwrap();
    root.dir.rename(&name("new"), &*root.dir, &name("old"), Rename::Replace).unwrap();
    let mut content = [0; 3];
    assert_eq!(reader.read_at(&mut content, 0).unwrap(), 3);
    assert_eq!(&content, b"old");
    assert_eq!(fs::read(tmp.path().join("old")).unwrap(), b"new");
}

#[test]
fn a_file_another_program_holds_is_neither_linked_replaced_nor_removed() {
    let (tmp, root) = temporary();
    let path = tmp.path().join("old");
    fs::write(tmp.path().join("new"), "new").unwrap();
    fs::write(&path, "old").unwrap();
    // As Office opens a document.
    let held = fs::File::options().read(true).write(true).share_mode(SHARE_READ).open(&path).unwrap();
    let old = name("old");
    assert_eq!(why(root.dir.hard_link(&old, &*root.dir, &name("second"))), OsReason::InUse);
    let replaced = root.dir.rename(&name("new"), &*root.dir, &old, Rename::Replace);
    assert!(matches!(why(replaced), OsReason::InUse | OsReason::PermissionDenied));
    assert_eq!(why(root.dir.rename(&old, &*root.dir, &name("x"), Rename::NoReplace)), OsReason::InUse);
    assert_eq!(why(root.dir.remove_file(&old)), OsReason::InUse);
    assert_eq!(why(root.dir.open_file(&old, Access::ReadWrite)), OsReason::InUse);
    // Looking at it is no trouble.
    assert_eq!(root.dir.stat(&old).unwrap().links, 1);
    drop(held);
    assert_eq!(names(&*root.dir), ["new", "old"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn the_program_that_has_a_file_open_is_named_with_its_number() {
    needs_windows!("Wine's Restart Manager knows of no program");
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("file"), "x").unwrap();
    let path = root.path.join("file");
    assert_eq!(fcs_sys::holders(&path), Vec::<String>::new());
    let held = fs::File::open(&path).unwrap();
    let holders = fcs_sys::holders(&path);
    let number = format!("(process {})", std::process::id());
    assert!(holders.len() == 1 && holders[0].ends_with(&number), "{holders:?}");
    drop(held);
    assert_eq!(fcs_sys::holders(&path), Vec::<String>::new());
    assert_eq!(fcs_sys::holders(&root.path.join("none")), Vec::<String>::new());
}

#[test]
fn a_locked_source_cannot_be_read_and_one_that_is_written_to_can() {
    let (tmp, root) = temporary();
    let path = tmp.path().join("locked");
    fs::write(&path, "x").unwrap();
    let held = fs::File::options().read(true).share_mode(0).open(&path).unwrap();
    assert_eq!(why(root.dir.open_file(&name("locked"), Access::Read)), OsReason::InUse);
    drop(held);
    let shared = SHARE_READ | SHARE_WRITE | SHARE_DELETE;
    let writer = fs::File::options().write(true).share_mode(shared).open(&path).unwrap();
    root.dir.open_file(&name("locked"), Access::Read).unwrap();
    drop(writer);
}

#[test]
fn a_file_has_as_many_names_as_it_was_given() {
    let (_tmp, root) = temporary();
    drop(root.dir.create_file(&name("one")).unwrap());
    root.dir.hard_link(&name("one"), &*root.dir, &name("two")).unwrap();
    let (one, two) = (root.dir.stat(&name("one")).unwrap(), root.dir.stat(&name("two")).unwrap());
    assert_eq!((one.id, one.links), (two.id, 2));
    drop(root.dir.create_file(&name("three")).unwrap());
    assert_eq!(why(root.dir.hard_link(&name("one"), &*root.dir, &name("three"))), OsReason::AlreadyExists);
    root.dir.remove_file(&name("one")).unwrap();
    assert_eq!(root.dir.stat(&name("two")).unwrap().links, 1);
}

#[test]
fn only_the_right_sort_of_item_is_removed_and_only_an_empty_folder() {
    let (tmp, root) = temporary();
    fs::create_dir(tmp.path().join("folder")).unwrap();
    fs::write(tmp.path().join("folder/inside"), "x").unwrap();
    fs::write(tmp.path().join("file"), "x").unwrap();
    assert_eq!(why(root.dir.remove_file(&name("folder"))), OsReason::IsAFolder);
    assert_eq!(why(root.dir.remove_dir(&name("file"))), OsReason::NotAFolder);
    assert_eq!(why(root.dir.remove_dir(&name("folder"))), OsReason::FolderNotEmpty);
    assert_eq!(why(root.dir.remove_file(&name("none"))), OsReason::NotFound);
    let folder = root.dir.open_dir(&name("folder")).unwrap();
    folder.remove_file(&name("inside")).unwrap();
    drop(folder);
    root.dir.remove_dir(&name("folder")).unwrap();
    assert_eq!(names(&*root.dir), ["file"]);
}

#[test]
fn a_removed_item_is_gone_at_once_even_while_it_is_open() {
    needs_windows!("under Wine the name stays until the last handle is closed");
    let (_tmp, root) = temporary();
    let file = root.dir.create_file(&name("file")).unwrap();
    root.dir.create_dir(&name("folder")).unwrap();
    let folder = root.dir.open_dir(&name("folder")).unwrap();
    root.dir.remove_file(&name("file")).unwrap();
    root.dir.remove_dir(&name("folder")).unwrap();
    assert_eq!(names(&*root.dir), Vec::<String>::new());
    drop(root.dir.create_file(&name("file")).unwrap());
    drop((file, folder));
}

#[test]
fn reads_past_the_cache_may_begin_and_end_anywhere() {
    let (tmp, root) = temporary();
    let content: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    fs::write(tmp.path().join("file"), &content).unwrap();
    let file = root.dir.open_file(&name("file"), Access::ReadUncached).unwrap();
    for (offset, length) in
        [(0, 1), (1, 4096), (4095, 2), (8192, 8192), (99_990, 100), (100_000, 10), (200_000, 1)]
    {
        let mut buffer = vec![0; length];
        let n = file.read_at(&mut buffer, offset as u64).unwrap();
        let rest = content.get(offset..).unwrap_or_default();
        assert_eq!(n, rest.len().min(length), "{length} bytes at {offset}");
        assert_eq!(buffer[..n], rest[..n], "{length} bytes at {offset}");
    }
    let mut aligned = fcs_sys::AlignedBuffer::new(131_072);
    assert_eq!(file.read_at(&mut aligned, 0).unwrap(), 100_000);
    assert_eq!(aligned[..100_000], content);
}

#[test]
fn writes_land_at_their_offset_and_the_end_reads_as_nothing() {
    let (tmp, root) = temporary();
    let file = root.dir.create_file(&name("file")).unwrap();
    file.write_at(b"world", 6).unwrap();
    file.write_at(b"hello ", 0).unwrap();
    let mut buffer = [0; 20];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 11);
    assert_eq!(file.read_at(&mut buffer, 11).unwrap(), 0);
    assert_eq!(file.read_at(&mut buffer, 1 << 40).unwrap(), 0);
    assert_eq!(fs::read(tmp.path().join("file")).unwrap(), b"hello world");
    let reader = root.dir.open_file(&name("file"), Access::Read).unwrap();
    assert_eq!(why(reader.write_at(b"x", 0)), OsReason::PermissionDenied);
}

#[test]
fn one_handle_at_a_time_has_the_lock_and_everybody_can_read() {
    let (_tmp, root) = temporary();
    let holder = root.dir.create_file(&name("lock")).unwrap();
    holder.write_at(b"who", 0).unwrap();
    assert!(holder.try_lock().unwrap());
    let other = root.dir.open_file(&name("lock"), Access::Read).unwrap();
    assert!(!other.try_lock().unwrap());
    let mut text = [0; 3];
    assert_eq!(other.read_at(&mut text, 0).unwrap(), 3);
    drop(holder);
    assert!(other.try_lock().unwrap());
}

#[test]
fn links_are_made_read_and_never_followed() {
    needs_windows!("Wine makes no symbolic links");
    let (tmp, root) = temporary();
    fs::create_dir(tmp.path().join("outside")).unwrap();
    fs::write(tmp.path().join("outside/secret"), "x").unwrap();
    root.dir.create_dir(&name("in")).unwrap();
    let dir = root.dir.open_dir(&name("in")).unwrap();
    let links = [
        ("folder", r"..\outside", true),
        ("file", r"..\outside\secret", false),
        ("dangling", r"..\made", false),
    ];
    for (link, text, to_folder) in links {
        let target = LinkTarget { text: text.into(), to_folder };
        if let Err(e) = dir.create_symlink(&name(link), &target) {
            assert_eq!(e.raw_os_error(), Some(1314), "{e}");
            skip(test_name!(), "this user may not make symbolic links (developer mode is off)");
            return;
        }
        assert_eq!(dir.stat(&name(link)).unwrap().kind, Kind::Symlink);
        assert_eq!(dir.read_link(&name(link)).unwrap(), target);
        let time = Time::new(1_000_000_000, 0);
        dir.set_link_times(&name(link), modified(time)).unwrap();
        assert_eq!(dir.stat(&name(link)).unwrap().modified, time);
        assert_eq!(why(dir.create_file(&name(link))), OsReason::AlreadyExists);
    }
    assert_eq!(why(dir.open_dir(&name("folder"))), OsReason::IsALink);
    assert_eq!(why(dir.open_file(&name("file"), Access::Read)), OsReason::IsALink);
    dir.remove_file(&name("folder")).unwrap();
    assert!(tmp.path().join("outside/secret").exists() && !tmp.path().join("made").exists());
}

#[test]
fn junctions_are_neither_links_nor_folders() {
    needs_windows!("Wine makes no junctions");
    let (tmp, root) = temporary();
    fs::create_dir(tmp.path().join("outside")).unwrap();
    fs::write(tmp.path().join("outside/secret"), "x").unwrap();
    let made = std::process::Command::new("cmd")
        .args(["/c", "mklink", "/J"])
        .args([tmp.path().join("junction"), tmp.path().join("outside")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let junction = name("junction");
    assert_eq!(root.dir.stat(&junction).unwrap().kind, Kind::Other);
    assert!(root.dir.open_dir(&junction).is_err());
    assert!(root.dir.read_link(&junction).is_err());
    assert_eq!(why(root.dir.remove_dir(&junction)), OsReason::NotAFolder);
    root.dir.remove_file(&junction).unwrap();
    assert!(tmp.path().join("outside/secret").exists());
}

#[test]
fn the_volume_of_the_temporary_folder_is_known() {
    let (_tmp, root) = temporary();
    let facts = root.dir.volume().unwrap();
    assert_eq!(facts.id, root.dir.metadata().unwrap().id.volume);
    assert_eq!((facts.place, facts.read_only, facts.sync_volume), (Place::Local, false, false));
    assert_eq!((facts.file_system.as_str(), facts.time_granularity_nanos), ("NTFS", 100));
    assert!(facts.max_name >= 200, "{facts:?}");
    assert_eq!(facts.device_reread, !fcs_sys::is_wine(), "evidence is not rounded up");
    let space = root.dir.space().unwrap();
    assert!(space.free > 0 && space.free <= space.total, "{space:?}");
    assert!(root.dir.may_change().unwrap());
}

#[test]
fn a_drive_letter_that_leads_to_a_server_is_a_network_place_and_keeps_its_letter() {
    // Under Wine the test bench marks this drive as one of a server.
    let drive = Path::new(r"N:\");
    let Ok(root) = open_root(drive) else {
        skip(test_name!(), "there is no network drive N:");
        return;
    };
    assert_eq!(root.path, drive);
    let facts = root.dir.volume().unwrap();
    assert_eq!(facts.place, Place::Network);
    assert!(!facts.device_reread);
}

#[test]
fn roots_are_opened_by_every_spelling_of_a_local_path_and_kept_by_the_plain_one() {
    let (_tmp, root) = temporary();
    let plain = root.path.to_str().unwrap().to_owned();
    assert!(!plain.starts_with(r"\\"), "{plain}");
    for spelling in
        [format!(r"\\?\{plain}"), plain.replace('\\', "/"), plain.to_uppercase(), format!(r"{plain}\.\")]
    {
        let again = open_root(Path::new(&spelling)).unwrap();
        assert_eq!(again.dir.metadata().unwrap().id, root.dir.metadata().unwrap().id, "{spelling}");
        assert!(!again.path.to_str().unwrap().starts_with(r"\\"), "{spelling}");
    }
}

#[test]
fn nothing_is_renamed_or_linked_to_another_volume() {
    let (tmp, root) = temporary();
    fs::write(tmp.path().join("file"), "x").unwrap();
    let here = root.dir.metadata().unwrap().id.volume;
    // Wine's Z: is the whole Unix tree, of which this part is in memory.
    let elsewhere = [r"D:\", r"E:\", r"Z:\dev\shm"].iter().find_map(|path| {
        let volume = open_root(Path::new(path)).ok()?.dir.metadata().ok()?.id.volume;
        (volume != here || fcs_sys::is_wine()).then(|| tempfile::tempdir_in(path).ok())?
    });
    let Some(elsewhere) = elsewhere else {
        skip(test_name!(), "there is no second volume");
        return;
    };
    let other = open_root(elsewhere.path()).unwrap();
    for how in [Rename::NoReplace, Rename::Replace] {
        let moved = root.dir.rename(&name("file"), &*other.dir, &name("file"), how);
        assert_eq!(why(moved), OsReason::OtherVolume);
    }
    assert!(root.dir.hard_link(&name("file"), &*other.dir, &name("file")).is_err());
    assert!(tmp.path().join("file").exists() && names(&*other.dir).is_empty());
}
