//! `NtSetInformationFile` and `MoveFileExW` of our own: each request is answered as the test wants, or passed on.
//!
//! Renames, links and removals go down a ladder of requests, of which Wine knows only the lower rungs and Windows
//! only the highest matters; so here every rung is made to answer everything it can. See `copy.rs` beside this for how
//! a symbol takes the system's place (windows-gnu only).

#![allow(unreachable_pub)]

use std::cell::RefCell;
use std::ffi::c_void;

use windows_sys::Wdk::Storage::FileSystem as nt;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

/// A request as it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Rename with flags.
    RenameEx(u32),
    /// Rename in the older form; whether it may replace.
    Rename(bool),
    /// The same with a whole path instead of an open folder.
    RenameByPath(bool),
    /// A further name.
    Link,
    /// The same with a whole path.
    LinkByPath,
    /// Removal with flags.
    DisposeEx(u32),
    /// Removal in the older form.
    Dispose,
    /// `MoveFileExW`, with its flags.
    Move(u32),
}

/// What a request is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// The system does it.
    Do,
    /// This status.
    Status(f::NTSTATUS),
    /// This Win32 code; for `Move`.
    Code(u32),
}

type Script = Box<dyn FnMut(Asked) -> Answer>;

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
    static SEEN: RefCell<Vec<Asked>> = const { RefCell::new(Vec::new()) };
}

/// Sets how requests of this thread are answered from now on, and forgets those seen.
pub fn script(script: impl FnMut(Asked) -> Answer + 'static) {
    SCRIPT.set(Some(Box::new(script)));
    SEEN.take();
}

/// The requests since then.
pub fn seen() -> Vec<Asked> {
    SEEN.with_borrow(Clone::clone)
}

fn ask(asked: Asked) -> Answer {
    SEEN.with_borrow_mut(|seen| seen.push(asked));
    // Taken out while it runs: it may do something that comes by here.
    let Some(mut script) = SCRIPT.take() else { return Answer::Do };
    let answer = script(asked);
    SCRIPT.set(Some(script));
    answer
}

type SetInformation =
    unsafe extern "system" fn(f::HANDLE, *mut IO_STATUS_BLOCK, *const c_void, u32, i32) -> f::NTSTATUS;

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static __imp_NtSetInformationFile: SetInformation = NtSetInformationFile;

/// # Safety
///
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn NtSetInformationFile(
    handle: f::HANDLE,
    block: *mut IO_STATUS_BLOCK,
    data: *const c_void,
    bytes: u32,
    class: i32,
) -> f::NTSTATUS {
    // SAFETY: the caller passes the layout that belongs to the class; both begin with flags of four bytes, or one
    // truth value, and those of renames and links have the folder's handle next.
    let (flags, in_folder) = unsafe {
        let is_name = !matches!(class, nt::FileDispositionInformation | nt::FileDispositionInformationEx);
        let in_folder = is_name && !(*data.cast::<nt::FILE_RENAME_INFORMATION>()).RootDirectory.is_null();
        let flags =
            if bytes >= 4 { data.cast::<u32>().read_unaligned() } else { data.cast::<u8>().read().into() };
        (flags, in_folder)
    };
    let asked = match (class, in_folder) {
        (nt::FileRenameInformationEx, _) => Some(Asked::RenameEx(flags)),
        (nt::FileRenameInformation, true) => Some(Asked::Rename(flags & 0xFF != 0)),
        (nt::FileRenameInformation, false) => Some(Asked::RenameByPath(flags & 0xFF != 0)),
        (nt::FileLinkInformation, true) => Some(Asked::Link),
        (nt::FileLinkInformation, false) => Some(Asked::LinkByPath),
        (nt::FileDispositionInformationEx, _) => Some(Asked::DisposeEx(flags)),
        (nt::FileDispositionInformation, _) => Some(Asked::Dispose),
        _ => None,
    };
    match asked.map(ask) {
        Some(Answer::Status(status)) => status,
        // SAFETY: passed on as it came.
        _ => unsafe {
            system("NtSetInformationFile\0", |f: SetInformation| f(handle, block, data, bytes, class))
        },
    }
}

/// Calls the function of ntdll or kernel32 that ours hides. `name` ends in NUL.
///
/// # Safety
///
/// `F` must be the function's type.
unsafe fn system<F: Copy, R>(name: &str, call: impl FnOnce(F) -> R) -> R {
    for library in [windows_sys::w!("ntdll.dll"), windows_sys::w!("kernel32.dll")] {
        // SAFETY: both libraries are part of every process; the strings end in NUL; the caller vouches for the type,
        // and a function pointer is as large as any other.
        unsafe {
            if let Some(found) = GetProcAddress(GetModuleHandleW(library), name.as_ptr()) {
                return call(std::mem::transmute_copy::<_, F>(&found));
            }
        }
    }
    panic!("the system has no {name}");
}

type MoveFileEx = unsafe extern "system" fn(*const u16, *const u16, u32) -> windows_sys::core::BOOL;

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static __imp_MoveFileExW: MoveFileEx = MoveFileExW;

/// # Safety
///
/// As the system's.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn MoveFileExW(
    from: *const u16,
    to: *const u16,
    flags: u32,
) -> windows_sys::core::BOOL {
    match ask(Asked::Move(flags)) {
        Answer::Code(code) => {
            // SAFETY: sets a number of this thread.
            unsafe { f::SetLastError(code) };
            0
        }
        // SAFETY: passed on as it came.
        _ => unsafe { system("MoveFileExW\0", |f: MoveFileEx| f(from, to, flags)) },
    }
}
