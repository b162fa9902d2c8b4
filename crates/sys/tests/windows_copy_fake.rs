//! What the backend makes of everything that the system's own copy may do, with a [`fake`](copy) in its place.

#![cfg(all(windows, target_env = "gnu"))]
#![allow(clippy::unwrap_used, unsafe_code)]

#[path = "fake/copy.rs"]
mod copy;

use std::ffi::c_void;
use std::fs;
use std::ops::ControlFlow;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use copy::{CHUNK, Plan, plan, seen};
use fcs_sys::{
    Access, CopyIn, CopyMethod, CopyOptions, File, FileRef, Name, OsReason, Root, Time, Times, open_root,
    reason,
};
use fcs_testkit::conformance::{Bits, Lacks, Subject, check_rules};
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as api;

const SIZE: usize = 5 * CHUNK + 17;
const HIDDEN: u32 = 2;
const READ_ONLY: u32 = 1;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn content(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// A folder with a source of [`SIZE`] bytes, open.
struct Place {
    tmp: tempfile::TempDir,
    root: Root,
    source: FileRef,
}

impl Place {
    fn new() -> Self {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join("to")).unwrap();
        fs::write(tmp.path().join("from"), content(1)).unwrap();
        let root = open_root(tmp.path()).unwrap();
        let source = root.dir.open_file(&name("from"), Access::Read).unwrap();
        Self { tmp, root, source }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.tmp.path().join(below)
    }

    /// Copies into `to/new`.
    fn copy(&self, tick: &mut dyn FnMut(u64) -> ControlFlow<()>) -> std::io::Result<CopyIn> {
        self.copy_sized(SIZE as u64, tick)
    }

    fn copy_sized(&self, size: u64, tick: &mut dyn FnMut(u64) -> ControlFlow<()>) -> std::io::Result<CopyIn> {
        let options = CopyOptions { size, chunk: CHUNK, share_blocks: false, writeback_window: 32 << 20 };
        self.root.dir.open_dir(&name("to")).unwrap().copy_in(&name("new"), &*self.source, options, tick)
    }
}

fn go(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn all_of(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().size as usize];
    let mut at = 0;
    while at < bytes.len() {
        at += file.read_at(&mut bytes[at..], at as u64).unwrap();
    }
    bytes
}

fn code(error: &std::io::Error) -> u32 {
    error.raw_os_error().unwrap() as u32
}

#[test]
fn a_copy_goes_to_its_end_and_tells_how_far_it_is() {
    let place = Place::new();
    plan(Plan::default());
    let mut told = Vec::new();
    let made = place.copy(&mut |bytes| {
        told.push(bytes);
        ControlFlow::Continue(())
    });
    let made = made.unwrap();
    assert_eq!(seen().calls, 1, "the fake was called");
    assert_eq!(
        seen().flags,
        api::COPY_FILE_FAIL_IF_EXISTS,
        "neither restartable nor unbuffered at this size"
    );
    assert_eq!((made.bytes, made.method, made.stopped), (SIZE as u64, CopyMethod::Kernel, false));
    let steps = [0, 1, 2, 3, 4, 5].map(|n| n * CHUNK as u64);
    assert_eq!(told, [&steps[..], &[SIZE as u64]].concat());
    let file = made.file.unwrap();
    assert!(all_of(&*file) == content(1));
    assert_eq!(fs::metadata(place.path("to/new")).unwrap().file_attributes() & HIDDEN, HIDDEN);
    // It can be written to, get its metadata and be renamed while it is open, and nobody else can write to it.
    file.write_at(b"x", 0).unwrap();
    let time = Time::new(1_000_000_000, 0);
    file.set_times(Times { modified: Some(time), created: None }).unwrap();
    assert!(fs::OpenOptions::new().write(true).open(place.path("to/new")).is_err());
    fs::rename(place.path("to/new"), place.path("to/final")).unwrap();
}

#[test]
fn a_very_large_copy_bypasses_the_cache_where_writing_is_to_be_paced() {
    let place = Place::new();
    for (size, expected) in [(256 << 20, api::COPY_FILE_NO_BUFFERING), ((256 << 20) - 1, 0)] {
        plan(Plan::default());
        // The source ends early, which is reported.
        let made = place.copy_sized(size, &mut go).unwrap();
        assert_eq!(made.bytes, SIZE as u64);
        assert_eq!(seen().flags & api::COPY_FILE_NO_BUFFERING, expected, "{size}");
        drop(made);
        fs::remove_file(place.path("to/new")).unwrap();
    }
}

#[test]
fn a_copy_that_is_stopped_anywhere_leaves_no_name() {
    for at in [0, 1, 3 * CHUNK as u64, SIZE as u64] {
        let place = Place::new();
        plan(Plan::default());
        let stop = |bytes| if bytes >= at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let made = place.copy(&mut { stop }).unwrap();
        assert!(made.stopped && made.file.is_none(), "at {at}: {made:?}");
        assert!(made.bytes >= at && made.bytes < at + CHUNK as u64, "at {at}: {}", made.bytes);
        assert!(!place.path("to/new").exists(), "at {at}");
        let answers = seen().answers;
        assert_eq!(answers.last(), Some(&api::PROGRESS_CANCEL), "at {at}");
        assert_eq!(answers.iter().filter(|&&a| a == api::PROGRESS_CANCEL).count(), 1, "not asked again");
    }
}

#[test]
fn a_part_that_the_system_leaves_after_a_stop_is_given_back() {
    let place = Place::new();
    plan(Plan { leaves_part: true, ..Plan::default() });
    let made = place.copy(&mut |bytes| if bytes > 0 { ControlFlow::Break(()) } else { go(0) }).unwrap();
    assert_eq!(seen().calls, 1);
    assert!(made.stopped);
    let part = made.file.expect("the name is taken, so the caller must know");
    assert_eq!(part.metadata().unwrap().size, CHUNK as u64);
    drop(part);
    place.root.dir.open_dir(&name("to")).unwrap().remove_file(&name("new")).unwrap();
}

#[test]
fn a_panic_of_the_tick_comes_out_on_this_side_of_the_system() {
    let place = Place::new();
    plan(Plan::default());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        place.copy(&mut |bytes| if bytes > 0 { panic!("at {bytes}") } else { go(0) })
    }));
    let payload = panicked.unwrap_err();
    assert_eq!(*payload.downcast_ref::<String>().unwrap(), format!("at {CHUNK}"));
    assert_eq!(seen().answers, [api::PROGRESS_CONTINUE, api::PROGRESS_CANCEL]);
    assert!(!place.path("to/new").exists());
}

#[test]
fn errors_keep_their_code_and_what_was_made_is_gone() {
    let codes = [
        (f::ERROR_ACCESS_DENIED, OsReason::PermissionDenied),
        (f::ERROR_SHARING_VIOLATION, OsReason::InUse),
        (f::ERROR_LOCK_VIOLATION, OsReason::InUse),
        (f::ERROR_DISK_FULL, OsReason::NoSpace),
        (f::ERROR_HANDLE_DISK_FULL, OsReason::NoSpace),
        (f::ERROR_CRC, OsReason::DeviceError),
        (f::ERROR_IO_DEVICE, OsReason::DeviceError),
        (f::ERROR_FILE_CORRUPT, OsReason::DeviceError),
        (f::ERROR_NETNAME_DELETED, OsReason::Network),
        (f::ERROR_UNEXP_NET_ERR, OsReason::Network),
        (f::ERROR_FILE_NOT_FOUND, OsReason::NotFound),
        (f::ERROR_PATH_NOT_FOUND, OsReason::NotFound),
        (f::ERROR_DISK_QUOTA_EXCEEDED, OsReason::QuotaExceeded),
        // Nobody here asked for that.
        (f::ERROR_REQUEST_ABORTED, OsReason::Other),
    ];
    for (wanted, why) in codes {
        for at in [0, 2 * CHUNK as u64] {
            let place = Place::new();
            plan(Plan { fail: Some((at, wanted)), ..Plan::default() });
            let error = place.copy(&mut go).unwrap_err();
            assert_eq!(seen().calls, 1);
            assert_eq!((code(&error), reason(&error)), (wanted, why), "at {at}");
            assert!(!place.path("to/new").exists(), "{wanted} at {at}");
        }
    }
}

#[test]
fn a_part_that_the_system_leaves_after_an_error_is_the_callers_to_remove() {
    for silent in [false, true] {
        let place = Place::new();
        let fail = Some((CHUNK as u64, f::ERROR_DISK_FULL));
        plan(Plan { fail, leaves_part: true, silent, ..Plan::default() });
        let error = place.copy(&mut go).unwrap_err();
        assert_eq!((seen().calls, code(&error)), (1, f::ERROR_DISK_FULL));
        place.root.dir.open_dir(&name("to")).unwrap().remove_file(&name("new")).unwrap();
    }
}

#[test]
fn a_refusal_before_anything_was_made_keeps_its_code() {
    for refused in [
        f::ERROR_ACCESS_DENIED,
        f::ERROR_LOCK_VIOLATION,
        f::ERROR_DISK_FULL,
        f::ERROR_WRITE_PROTECT,
        f::ERROR_NOT_ENOUGH_MEMORY,
    ] {
        let place = Place::new();
        plan(Plan { refuse: Some(refused), ..Plan::default() });
        assert_eq!(code(&place.copy(&mut go).unwrap_err()), refused);
        assert_eq!(seen().calls, 1);
    }
    for refused in [f::ERROR_FILE_EXISTS, f::ERROR_ALREADY_EXISTS] {
        let place = Place::new();
        plan(Plan { refuse: Some(refused), ..Plan::default() });
        assert_eq!(reason(&place.copy(&mut go).unwrap_err()), OsReason::AlreadyExists);
    }
}

#[test]
fn paths_that_are_of_no_use_are_not_needed() {
    for refused in [
        f::ERROR_SHARING_VIOLATION,
        f::ERROR_FILE_NOT_FOUND,
        f::ERROR_PATH_NOT_FOUND,
        f::ERROR_INVALID_NAME,
        f::ERROR_BAD_PATHNAME,
        f::ERROR_FILENAME_EXCED_RANGE,
    ] {
        let place = Place::new();
        plan(Plan { refuse: Some(refused), ..Plan::default() });
        let made = place.copy(&mut go).unwrap();
        assert_eq!(seen().calls, 1);
        assert_eq!(made.method, CopyMethod::Buffered, "{refused}");
        assert!(all_of(&*made.file.unwrap()) == content(1), "{refused}");
    }
}

#[test]
fn a_taken_name_is_never_touched() {
    let place = Place::new();
    fs::write(place.path("to/new"), "kept").unwrap();
    plan(Plan::default());
    assert_eq!(reason(&place.copy(&mut go).unwrap_err()), OsReason::AlreadyExists);
    assert_eq!(fs::read(place.path("to/new")).unwrap(), b"kept");
    fs::remove_file(place.path("to/new")).unwrap();
    // The system says "access denied" of a folder.
    fs::create_dir(place.path("to/new")).unwrap();
    plan(Plan { refuse: Some(f::ERROR_ACCESS_DENIED), ..Plan::default() });
    assert_eq!(reason(&place.copy(&mut go).unwrap_err()), OsReason::AlreadyExists);
    assert_eq!(seen().calls, 1);
}

/// What another program does in the moment before the paths are used.
fn swap(at: &Path, aside: &Path, make: impl FnOnce(&Path)) {
    fs::rename(at, aside).unwrap();
    make(at);
}

#[test]
fn a_source_path_that_leads_elsewhere_is_noticed_before_a_byte_is_copied() {
    let place = Place::new();
    let (from, aside) = (place.path("from"), place.path("aside"));
    let before = move || swap(&from, &aside, |at| fs::write(at, content(2)).unwrap());
    plan(Plan { before: Some(Box::new(before)), ..Plan::default() });
    let made = place.copy(&mut go).unwrap();
    assert_eq!(seen().answers, [api::PROGRESS_CANCEL], "at the first look");
    assert_eq!(made.method, CopyMethod::Buffered, "through the handles");
    assert!(all_of(&*made.file.unwrap()) == content(1), "what was opened, not what stands at its name now");
}

#[test]
fn a_folder_path_that_leads_elsewhere_is_noticed_and_nothing_is_left_there() {
    let place = Place::new();
    let (to, aside) = (place.path("to"), place.path("aside"));
    let before = move || swap(&to, &aside, |at| fs::create_dir(at).unwrap());
    plan(Plan { before: Some(Box::new(before)), ..Plan::default() });
    let made = place.copy(&mut go).unwrap();
    assert_eq!(seen().answers, [api::PROGRESS_CANCEL], "at the first look");
    assert_eq!(made.method, CopyMethod::Buffered);
    drop(made);
    assert_eq!(fs::read_dir(place.path("to")).unwrap().count(), 0, "the folder that took the path");
    assert!(fs::read(place.path("aside/new")).unwrap() == content(1), "the folder that was opened");
}

#[test]
fn without_progress_the_ends_are_checked_afterwards() {
    let place = Place::new();
    plan(Plan { silent: true, ..Plan::default() });
    let made = place.copy(&mut go).unwrap();
    assert_eq!((made.method, made.bytes), (CopyMethod::Kernel, SIZE as u64));

    let place = Place::new();
    let (from, aside) = (place.path("from"), place.path("aside"));
    let before = move || swap(&from, &aside, |at| fs::write(at, content(2)).unwrap());
    plan(Plan { silent: true, before: Some(Box::new(before)), ..Plan::default() });
    assert_eq!(reason(&place.copy(&mut go).unwrap_err()), OsReason::NotFound, "a copy of something else");
    assert_eq!(seen().calls, 1);

    let place = Place::new();
    let (to, aside) = (place.path("to"), place.path("aside"));
    let before = move || swap(&to, &aside, |at| fs::create_dir(at).unwrap());
    plan(Plan { silent: true, before: Some(Box::new(before)), ..Plan::default() });
    assert!(place.copy(&mut go).is_err(), "a copy in another folder");
}

#[test]
fn a_copy_of_a_read_only_file_is_writable_and_hidden_until_it_is_dressed() {
    for silent in [false, true] {
        let place = Place::new();
        place.source.set_attributes(fcs_sys::Attributes(READ_ONLY)).unwrap();
        plan(Plan { silent, ..Plan::default() });
        let made = place.copy(&mut go).unwrap();
        let attributes = fs::metadata(place.path("to/new")).unwrap().file_attributes();
        assert_eq!(attributes & (READ_ONLY | HIDDEN), HIDDEN, "silent: {silent}");
        made.file.unwrap().write_at(b"x", 0).unwrap();
        assert!(place.source.metadata().unwrap().attributes.is_read_only(), "the source keeps its mark");
    }
}

#[test]
fn bytes_of_named_streams_do_not_count_as_content() {
    let place = Place::new();
    plan(Plan { stream: 1 << 40, ..Plan::default() });
    let mut told = Vec::new();
    let made = place.copy(&mut |bytes| {
        told.push(bytes);
        ControlFlow::Continue(())
    });
    assert_eq!(made.unwrap().bytes, SIZE as u64);
    assert!(told.is_sorted() && told.last() == Some(&(SIZE as u64)), "{told:?}");
    assert_eq!(told.len(), seen().answers.len(), "a cancel is also seen while a stream is copied");
    assert_eq!(told.len(), 9);
}

#[test]
fn the_suites_rules_of_copies_hold_with_progress_too() {
    let tmp = tempfile::tempdir().unwrap();
    let lacks = Lacks {
        exchange: true,
        symlinks: Some(OsReason::Unsupported),
        bits: Bits::Attributes { archive: true },
        ..Lacks::default()
    };
    let subject = Subject::of(&open_root(tmp.path()).unwrap(), lacks);
    plan(Plan::default());
    let verdict = check_rules(&subject, |rule| rule.starts_with("a_copy_") || rule.starts_with("a_source_"));
    assert_eq!(verdict.broken, []);
    assert!(verdict.kept.len() >= 10 && seen().calls >= 10, "{:?}", verdict.kept);
}

// The fake itself, since a fake that keeps no contract proves nothing.

unsafe extern "system" fn answer(
    _: i64,
    _: i64,
    _: i64,
    done: i64,
    _: u32,
    _: u32,
    _: f::HANDLE,
    _: f::HANDLE,
    data: *const c_void,
) -> u32 {
    // SAFETY: the tests below pass a pair of numbers.
    let (at, answer) = unsafe { *data.cast::<(i64, u32)>() };
    if done >= at { answer } else { api::PROGRESS_CONTINUE }
}

#[test]
fn the_fake_keeps_the_documented_contract() {
    let wide = |path: &Path| -> Vec<u16> { path.as_os_str().encode_wide().chain([0]).collect() };
    let call = |from: &Path, to: &Path, data: (i64, u32), cancel: bool, flags: u32| {
        plan(Plan::default());
        let mut cancel = i32::from(cancel);
        // SAFETY: strings that end in NUL, and data that lives until the call returns.
        let done = unsafe {
            copy::CopyFileExW(
                wide(from).as_ptr(),
                wide(to).as_ptr(),
                Some(answer),
                (&raw const data).cast(),
                &raw mut cancel,
                flags,
            )
        };
        // SAFETY: asks for a number of this thread.
        if done != 0 { 0 } else { unsafe { f::GetLastError() } }
    };
    let place = Place::new();
    let (from, to) = (place.path("from"), place.path("to/new"));
    let at = 2 * CHUNK as i64;
    let size = || fs::metadata(&to).ok().map(|m| m.len());

    assert_eq!(call(&from, &to, (at, api::PROGRESS_CONTINUE), false, 0), 0);
    assert_eq!((size(), seen().answers.len()), (Some(SIZE as u64), 7));
    assert_eq!(call(&from, &to, (at, api::PROGRESS_QUIET), false, 0), 0, "over an existing file");
    assert_eq!((size(), seen().answers.len()), (Some(SIZE as u64), 3), "not called again");
    assert_eq!(call(&from, &to, (0, api::PROGRESS_CONTINUE), false, api::COPY_FILE_FAIL_IF_EXISTS), 80);
    assert_eq!(call(&from, &to, (at, api::PROGRESS_STOP), false, 0), f::ERROR_REQUEST_ABORTED);
    assert_eq!(size(), Some(at as u64), "kept");
    assert_eq!(call(&from, &to, (at, api::PROGRESS_CANCEL), false, 0), f::ERROR_REQUEST_ABORTED);
    assert_eq!(size(), None, "deleted");
    assert_eq!(call(&from, &to, (0, api::PROGRESS_CONTINUE), true, 0), f::ERROR_REQUEST_ABORTED);
    assert_eq!(size(), None, "deleted by the flag");
    assert_eq!(call(&place.path("none"), &to, (0, 0), false, 0), f::ERROR_FILE_NOT_FOUND);
    assert_eq!(call(&from, &place.path("none/new"), (0, 0), false, 0), f::ERROR_PATH_NOT_FOUND);
}
