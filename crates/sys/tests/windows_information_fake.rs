//! What files and volumes say of themselves where Wine always says the same, with a `GetFileInformationByHandleEx` and an
//! `NtQueryVolumeInformationFile` of our own: it calls every volume NTFS, and keeps no content in a file's record. See `fake/copy.rs` for how a symbol takes the
//! system's place (windows-gnu only).

#![cfg(all(windows, target_env = "gnu"))]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, unsafe_code)]

use std::cell::Cell;
use std::ffi::c_void;

use fcs_sys::{Access, FileId, Name, OsReason, open_root, reason};
use windows_sys::Wdk::Storage::FileSystem as nt;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::core::BOOL;

thread_local! {
    /// What the volume calls its file system; `None` leaves it to the system.
    static FILE_SYSTEM: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// The bytes set aside for a file; `None` leaves it to the system.
    static ALLOCATED: Cell<Option<i64>> = const { Cell::new(None) };
}

/// The function of ntdll or kernel32 that ours hides. `name` ends in NUL.
///
/// # Safety
///
/// `F` must be the function's type.
unsafe fn system<F: Copy>(name: &str) -> F {
    for library in [windows_sys::w!("ntdll.dll"), windows_sys::w!("kernel32.dll")] {
        // SAFETY: both libraries are part of every process; the strings end in NUL; the caller vouches for the type,
        // and a function pointer is as large as any other.
        unsafe {
            if let Some(found) = GetProcAddress(GetModuleHandleW(library), name.as_ptr()) {
                return std::mem::transmute_copy::<_, F>(&found);
            }
        }
    }
    panic!("the system has no {name}");
}

type Ask = unsafe extern "system" fn(f::HANDLE, i32, *mut c_void, u32) -> BOOL;

/// The pointer through which imports are called.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, unreachable_pub)]
pub static __imp_GetFileInformationByHandleEx: Ask = GetFileInformationByHandleEx;

/// # Safety
///
/// As the system's.
#[unsafe(no_mangle)]
#[allow(unreachable_pub)]
pub unsafe extern "system" fn GetFileInformationByHandleEx(
    handle: f::HANDLE,
    class: i32,
    data: *mut c_void,
    bytes: u32,
) -> BOOL {
    let longer_numbers = [fs::FileIdInfo, fs::FileIdExtdDirectoryInfo, fs::FileIdExtdDirectoryRestartInfo];
    if FILE_SYSTEM.get().is_some() && longer_numbers.contains(&class) {
        // SAFETY: sets a number of this thread.
        unsafe { f::SetLastError(f::ERROR_INVALID_PARAMETER) };
        return 0;
    }
    // Asked before the call, because asking clears its error code.
    let allocated = ALLOCATED.get();
    // SAFETY: passed on as it came.
    let answer = unsafe { system::<Ask>("GetFileInformationByHandleEx\0")(handle, class, data, bytes) };
    if let (Some(allocated), fs::FileStandardInfo) = (allocated, class) {
        // SAFETY: the structure begins with this number, and the system has just filled it in.
        unsafe { data.cast::<i64>().write_unaligned(allocated) };
    }
    answer
}

type AskVolume =
    unsafe extern "system" fn(f::HANDLE, *mut IO_STATUS_BLOCK, *mut c_void, u32, i32) -> f::NTSTATUS;

/// The pointer through which imports are called.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, unreachable_pub)]
pub static __imp_NtQueryVolumeInformationFile: AskVolume = NtQueryVolumeInformationFile;

/// # Safety
///
/// As the system's.
#[unsafe(no_mangle)]
#[allow(unreachable_pub)]
pub unsafe extern "system" fn NtQueryVolumeInformationFile(
    handle: f::HANDLE,
    block: *mut IO_STATUS_BLOCK,
    data: *mut c_void,
    bytes: u32,
    class: i32,
) -> f::NTSTATUS {
    if let (Some(label), nt::FileFsAttributeInformation) = (FILE_SYSTEM.get(), class) {
        let units: Vec<u16> = label.encode_utf16().collect();
        assert!(bytes as usize >= 12 + units.len() * 2);
        // SAFETY: the caller's buffer holds as many bytes as were just asked for, and takes these three numbers and
        // then the name.
        unsafe {
            let numbers = data.cast::<u32>();
            for (i, value) in [0, 255, units.len() as u32 * 2].into_iter().enumerate() {
                numbers.add(i).write_unaligned(value);
            }
            std::ptr::copy_nonoverlapping(
                units.as_ptr().cast::<u8>(),
                data.cast::<u8>().add(12),
                units.len() * 2,
            );
        }
        return f::STATUS_SUCCESS;
    }
    // SAFETY: passed on as it came.
    unsafe { system::<AskVolume>("NtQueryVolumeInformationFile\0")(handle, block, data, bytes, class) }
}

#[test]
fn the_number_of_a_place_is_told_from_the_number_of_a_file() {
    let tmp = tempfile::tempdir().unwrap();
    // More than have to agree before a listing is believed.
    for i in 0..30 {
        std::fs::write(tmp.path().join(format!("f{i}")), "x").unwrap();
    }
    for (file_system, of_place) in [
        (None, false),
        (Some("NTFS"), false),
        (Some("FAT"), true),
        (Some("FAT32"), true),
        (Some("exFAT"), true),
    ] {
        FILE_SYSTEM.set(file_system);
        let root = open_root(tmp.path()).unwrap();
        assert_eq!(root.dir.metadata().unwrap().id.is_of_place(), of_place, "{file_system:?}");
        let mut listed: Vec<(Name, Option<FileId>)> = Vec::new();
        root.dir
            .list(&mut |item| {
                listed.push((Name::new(item.name).unwrap(), item.metadata.map(|metadata| metadata.id)));
            })
            .unwrap();
        assert_eq!(listed.len(), 30);
        for (name, id) in listed {
            let asked = root.dir.stat(&name).unwrap().id;
            assert_eq!(asked.is_of_place(), of_place, "{file_system:?}");
            assert_eq!(id, Some(asked), "{file_system:?}: the listing is believed, and says the same");
        }
    }
}

#[test]
fn a_content_in_the_files_own_record_is_not_read_past_the_cache() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::write(tmp.path().join("f"), vec![7; 700]).unwrap();
    let root = open_root(tmp.path()).unwrap();
    let name = Name::new(b"f".as_slice()).unwrap();
    // Bytes rounded to eight are in the record; whole clusters, here of 4 KiB, are not, and nothing is nowhere.
    for (allocated, in_record) in
        [(704, true), (8, true), (3584, true), (4096, false), (8192, false), (0, false)]
    {
        ALLOCATED.set(Some(allocated));
        let opened = root.dir.open_file(&name, Access::ReadUncached);
        assert_eq!(opened.is_err(), in_record, "{allocated}: {opened:?}");
        if let Err(e) = opened {
            assert_eq!(reason(&e), OsReason::Unsupported, "{allocated}");
        }
        assert!(root.dir.open_file(&name, Access::Read).is_ok());
    }
}
