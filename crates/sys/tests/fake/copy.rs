//! A `CopyFileExW` of our own, after the documented contract, in the place of the system's.
//!
//! Wine copies to the end without ever calling the progress routine, and no system can be asked to fail at a chosen
//! byte. The linker takes a symbol that the test defines before it looks into an import library; both the function
//! and the pointer through which imports are called must be there (windows-gnu only). What this proves is that each
//! answer is handled, not that Windows gives it.
//!
//! Each test sets its [`Plan`] for its own thread, on which the call then happens.

#![allow(unreachable_pub)]

use std::cell::{Cell, RefCell};
use std::ffi::{OsString, c_void};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;

pub const CHUNK: usize = 1 << 20;

/// For reading, writing and deleting.
const SHARE_ALL: u32 = 7;

type Hook = Box<dyn FnOnce()>;

/// What the next call does beside copying.
#[derive(Default)]
pub struct Plan {
    /// Runs before the paths are used: what another program does in that moment.
    pub before: Option<Hook>,
    /// Fails with this code before anything is made.
    pub refuse: Option<u32>,
    /// Fails with a code once this many bytes were copied.
    pub fail: Option<(u64, u32)>,
    /// The part is left when the call fails or is cancelled (Wine, some servers).
    pub leaves_part: bool,
    /// The progress routine is never called (Wine).
    pub silent: bool,
    /// Progress is also told of a named stream of this size, after the content.
    pub stream: u64,
}

/// What calls were seen on this thread.
#[derive(Default, Clone)]
pub struct Seen {
    pub calls: usize,
    pub flags: u32,
    /// The routine's answers.
    pub answers: Vec<u32>,
}

thread_local! {
    static PLAN: RefCell<Plan> = RefCell::default();
    static SEEN: RefCell<Seen> = RefCell::default();
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Sets what the next call on this thread does, and forgets what was seen.
pub fn plan(plan: Plan) {
    PLAN.set(plan);
    SEEN.take();
}

pub fn seen() -> Seen {
    SEEN.with_borrow(Clone::clone)
}

type CopyFileEx = unsafe extern "system" fn(
    *const u16,
    *const u16,
    fs::LPPROGRESS_ROUTINE,
    *const c_void,
    *mut windows_sys::core::BOOL,
    u32,
) -> windows_sys::core::BOOL;

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static __imp_CopyFileExW: CopyFileEx = CopyFileExW;

/// # Safety
///
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CopyFileExW(
    from: *const u16,
    to: *const u16,
    routine: fs::LPPROGRESS_ROUTINE,
    data: *const c_void,
    cancel: *mut windows_sys::core::BOOL,
    flags: u32,
) -> windows_sys::core::BOOL {
    let plan = PLAN.take();
    SEEN.with_borrow_mut(|seen| {
        seen.calls += 1;
        seen.flags = flags;
    });
    QUIET.set(plan.silent || routine.is_none());
    // SAFETY: the caller passes strings that end in NUL.
    let (from, to) = unsafe { (path(from), path(to)) };
    let copying = Copying { routine, data, cancel, plan };
    match copying.run(&from, &to, flags) {
        Ok(()) => 1,
        Err(code) => {
            // SAFETY: sets a number of this thread.
            unsafe { f::SetLastError(code) };
            0
        }
    }
}

unsafe fn path(text: *const u16) -> PathBuf {
    let mut units = Vec::new();
    // SAFETY: the string ends in NUL, and nothing behind that is read.
    unsafe {
        while *text.add(units.len()) != 0 {
            units.push(*text.add(units.len()));
        }
    }
    OsString::from_wide(&units).into()
}

struct Copying {
    routine: fs::LPPROGRESS_ROUTINE,
    data: *const c_void,
    cancel: *mut windows_sys::core::BOOL,
    plan: Plan,
}

/// How the routine wants to go on.
enum Wish {
    Go,
    Cancel,
    Stop,
}

impl Copying {
    fn run(mut self, from: &Path, to: &Path, flags: u32) -> Result<(), u32> {
        if let Some(before) = self.plan.before.take() {
            before();
        }
        if let Some(code) = self.plan.refuse {
            return Err(code);
        }
        let code = |e: std::io::Error| e.raw_os_error().unwrap_or(1) as u32;
        let mut source = OpenOptions::new().read(true).share_mode(SHARE_ALL).open(from).map_err(code)?;
        let attributes = source.metadata().map_err(code)?.file_attributes();
        let fresh = flags & fs::COPY_FILE_FAIL_IF_EXISTS != 0;
        let mut made = OpenOptions::new();
        made.write(true).create_new(fresh).create(!fresh).truncate(!fresh);
        // Nobody else may have it open meanwhile, except to look at it. Attributes come along from the beginning.
        made.share_mode(0).attributes(attributes & !fs::FILE_ATTRIBUTE_READONLY);
        let mut target = made.open(to).map_err(code)?;
        let ended = self.copy(&mut source, &mut target);
        let modified = source.metadata().and_then(|m| m.modified());
        if ended.is_ok() {
            modified.and_then(|time| target.set_modified(time)).map_err(code)?;
        }
        drop(target);
        let mut permissions = std::fs::metadata(to).map_err(code)?.permissions();
        permissions.set_readonly(attributes & fs::FILE_ATTRIBUTE_READONLY != 0);
        std::fs::set_permissions(to, permissions.clone()).map_err(code)?;
        ended.map_err(|(code, keeps)| {
            if !keeps && !self.plan.leaves_part {
                #[allow(clippy::permissions_set_readonly_false)]
                permissions.set_readonly(false);
                std::fs::set_permissions(to, permissions).and_then(|()| std::fs::remove_file(to)).unwrap();
            }
            code
        })
    }

    /// The error's second half says whether the part is kept.
    fn copy(&self, source: &mut File, target: &mut File) -> Result<(), (u32, bool)> {
        let code = |e: std::io::Error| (e.raw_os_error().unwrap_or(1) as u32, false);
        let size = source.metadata().map_err(code)?.len();
        let stop = |wish| match wish {
            Wish::Go => Ok(()),
            Wish::Cancel => Err((f::ERROR_REQUEST_ABORTED, false)),
            Wish::Stop => Err((f::ERROR_REQUEST_ABORTED, true)),
        };
        stop(self.tell(1, size, 0, fs::CALLBACK_STREAM_SWITCH, source, target))?;
        let mut buffer = vec![0; CHUNK];
        let mut done = 0;
        loop {
            // SAFETY: the caller's flag, where there is one, is valid while the call lasts.
            if !self.cancel.is_null() && unsafe { self.cancel.read_volatile() } != 0 {
                return stop(Wish::Cancel);
            }
            if let Some((at, code)) = self.plan.fail
                && done >= at
            {
                return Err((code, false));
            }
            let n = source.read(&mut buffer).map_err(code)?;
            if n == 0 {
                break;
            }
            target.write_all(&buffer[..n]).map_err(code)?;
            done += n as u64;
            stop(self.tell(1, size, done, fs::CALLBACK_CHUNK_FINISHED, source, target))?;
        }
        if self.plan.stream > 0 {
            stop(self.tell(2, self.plan.stream, 0, fs::CALLBACK_STREAM_SWITCH, source, target))?;
            stop(self.tell(2, self.plan.stream, self.plan.stream, 0, source, target))?;
        }
        Ok(())
    }

    fn tell(&self, stream: u32, size: u64, done: u64, why: u32, source: &File, target: &File) -> Wish {
        let Some(routine) = self.routine.filter(|_| !QUIET.get()) else { return Wish::Go };
        let (size, done) = (size as i64, done as i64);
        // SAFETY: the routine, its data and both handles are the caller's and ours, and valid while the call lasts.
        let answer = unsafe {
            routine(
                size,
                done,
                size,
                done,
                stream,
                why,
                source.as_raw_handle(),
                target.as_raw_handle(),
                self.data,
            )
        };
        SEEN.with_borrow_mut(|seen| seen.answers.push(answer));
        match answer {
            fs::PROGRESS_CONTINUE => Wish::Go,
            fs::PROGRESS_QUIET => {
                QUIET.set(true);
                Wish::Go
            }
            fs::PROGRESS_STOP => Wish::Stop,
            _ => Wish::Cancel,
        }
    }
}
