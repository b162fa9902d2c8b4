//! Where a volume lies, for every kind of drive that the system knows, with a `GetDriveTypeW` of our own: Wine calls
//! most drives fixed. See `fake/copy.rs` for how a symbol takes the system's place (windows-gnu only).

#![cfg(all(windows, target_env = "gnu"))]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, unsafe_code)]

use std::cell::Cell;

use fcs_sys::{Place, open_root};

thread_local! {
    static ANSWER: Cell<u32> = const { Cell::new(0) };
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// The pointer through which imports are called.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, unreachable_pub)]
pub static __imp_GetDriveTypeW: unsafe extern "system" fn(*const u16) -> u32 = GetDriveTypeW;

/// # Safety
///
/// As the system's.
#[unsafe(no_mangle)]
#[allow(unreachable_pub)]
pub unsafe extern "system" fn GetDriveTypeW(top: *const u16) -> u32 {
    let mut units = Vec::new();
    // SAFETY: the caller passes a string that ends in NUL, and nothing behind that is read.
    unsafe {
        while *top.add(units.len()) != 0 {
            units.push(*top.add(units.len()));
        }
    }
    assert_eq!(units.last(), Some(&u16::from(b'\\')), "a root, as the call wants it");
    CALLS.set(CALLS.get() + 1);
    ANSWER.get()
}

#[test]
fn a_volume_lies_where_the_system_says() {
    let tmp = tempfile::tempdir().unwrap();
    let root = open_root(tmp.path()).unwrap();
    // winbase.h: unknown 0, no root 1, removable 2, fixed 3, remote 4, CD 5, memory 6.
    let drives = [
        (0, Place::Local),
        (1, Place::Local),
        (2, Place::Removable),
        (3, Place::Local),
        (4, Place::Network),
        (5, Place::Removable),
        (6, Place::Memory),
    ];
    for (answer, place) in drives {
        ANSWER.set(answer);
        CALLS.set(0);
        let facts = root.dir.volume().unwrap();
        assert!(CALLS.get() > 0, "the fake was called");
        assert_eq!(facts.place, place, "drive type {answer}");
        if matches!(place, Place::Network | Place::Memory) {
            assert!(!facts.device_reread, "no claim about a device that is not there");
        }
    }
}
