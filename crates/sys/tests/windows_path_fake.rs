//! Roots whose path cannot be asked back, with a `GetFinalPathNameByHandleW` of our own: drives that the system's mount
//! manager does not know (memory disks and encrypted containers of other makers), and shares whose upper folders may
//! not be looked at. See `fake/copy.rs` for how a symbol takes the system's place (windows-gnu only).

#![cfg(all(windows, target_env = "gnu"))]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, unsafe_code)]

use std::cell::Cell;
use std::path::Path;

use fcs_sys::{Name, Nesting, RootError, nesting, open_root};
use windows_sys::Win32::Foundation as f;

thread_local! {
    static ANSWER: Cell<u32> = const { Cell::new(0) };
}

type FinalPath = unsafe extern "system" fn(f::HANDLE, *mut u16, u32, u32) -> u32;

/// The pointer through which imports are called.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, unreachable_pub)]
pub static __imp_GetFinalPathNameByHandleW: FinalPath = GetFinalPathNameByHandleW;

/// # Safety
///
/// As the system's.
#[unsafe(no_mangle)]
#[allow(unreachable_pub)]
pub unsafe extern "system" fn GetFinalPathNameByHandleW(_: f::HANDLE, _: *mut u16, _: u32, _: u32) -> u32 {
    let answer = ANSWER.get();
    // SAFETY: sets a number of this thread.
    unsafe { f::SetLastError(answer) };
    0
}

#[test]
fn a_root_opens_although_its_path_cannot_be_asked_back() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(tmp.path().join("root/inner")).unwrap();
    std::fs::write(tmp.path().join("root/f"), "x").unwrap();
    for code in [f::ERROR_INVALID_FUNCTION, f::ERROR_UNRECOGNIZED_VOLUME, f::ERROR_ACCESS_DENIED] {
        ANSWER.set(code);
        let root = open_root(&tmp.path().join("other/../root")).unwrap();
        assert_eq!(root.path, tmp.path().join("root"), "{code}");
        root.dir.stat(&Name::new(b"f".as_slice()).unwrap()).unwrap();
        root.dir.volume().unwrap();
        let inner = open_root(&tmp.path().join("root/inner")).unwrap();
        assert_eq!(nesting(&inner, &root).unwrap(), Nesting::FirstInSecond, "{code}");
        let file = open_root(&tmp.path().join("root/f"));
        assert!(matches!(file, Err(RootError::NotAFolder)), "{code}: {file:?}");
        let absent = open_root(&tmp.path().join("absent"));
        assert!(
            matches!(absent, Err(RootError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound),
            "{code}"
        );
        let server = open_root(Path::new(r"\\?\UNC\server\share"));
        assert!(matches!(server, Err(RootError::Unc)), "{code}");
    }
}
