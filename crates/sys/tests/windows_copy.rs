//! The system's own copy as it really is. What only the fake in `windows_copy_fake.rs` can bring about is asked there.

#![cfg(windows)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::ops::ControlFlow;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};

use fcs_sys::{Access, CopyIn, CopyMethod, CopyOptions, FileRef, Name, Root, open_root};
use fcs_testkit::{skip, test_name};

const SIZE: usize = 20 << 20;
const READ_ONLY: u32 = 1;
const HIDDEN: u32 = 2;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

/// A folder with a file `from`, open.
fn place() -> (tempfile::TempDir, Root, FileRef) {
    let tmp = tempfile::tempdir().unwrap();
    fs::write(tmp.path().join("from"), vec![7; SIZE]).unwrap();
    let root = open_root(tmp.path()).unwrap();
    let source = root.dir.open_file(&name("from"), Access::Read).unwrap();
    (tmp, root, source)
}

fn copy(root: &Root, source: &FileRef, tick: &mut dyn FnMut(u64) -> ControlFlow<()>) -> CopyIn {
    let options = CopyOptions { size: SIZE as u64, chunk: 1 << 20, share_blocks: false, writeback_window: 0 };
    root.dir.copy_in(&name("to"), &**source, options, tick).unwrap()
}

#[test]
fn the_system_itself_copies_and_the_new_file_is_hidden_and_writable() {
    let (tmp, root, source) = place();
    source.set_attributes(fcs_sys::Attributes(READ_ONLY)).unwrap();
    let made = copy(&root, &source, &mut |_| ControlFlow::Continue(()));
    // On ReFS the system may share blocks, and is not asked.
    let refs = root.dir.volume().unwrap().file_system == "ReFS";
    assert_eq!(made.method, if refs { CopyMethod::Buffered } else { CopyMethod::Kernel });
    let attributes = fs::metadata(tmp.path().join("to")).unwrap().file_attributes();
    assert_eq!(attributes & (READ_ONLY | HIDDEN), HIDDEN);
    made.file.unwrap().write_at(b"x", 0).unwrap();
    source.set_attributes(fcs_sys::Attributes(0x20)).unwrap();
}

#[test]
fn the_system_tells_its_progress_and_takes_a_stopped_copy_back() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine never calls the progress routine");
    }
    let (tmp, root, source) = place();
    let mut told = Vec::new();
    let made = copy(&root, &source, &mut |bytes| {
        told.push(bytes);
        ControlFlow::Continue(())
    });
    assert_eq!(made.bytes, SIZE as u64);
    drop(made);
    assert!(told.is_sorted() && told.last() == Some(&(SIZE as u64)) && told.len() > 3, "{told:?}");
    fs::remove_file(tmp.path().join("to")).unwrap();
    for at in [0, 1 << 20, SIZE as u64] {
        let stop = |bytes| if bytes >= at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let made = copy(&root, &source, &mut { stop });
        assert!(made.stopped && made.file.is_none(), "at {at}: {made:?}");
        assert!(!tmp.path().join("to").exists(), "at {at}");
    }
}

#[test]
fn a_source_that_another_program_writes_to_is_read_nevertheless() {
    const SHARE_READ_WRITE: u32 = 3;
    let (tmp, root, source) = place();
    let other = fs::OpenOptions::new()
        .append(true)
        .share_mode(SHARE_READ_WRITE)
        .open(tmp.path().join("from"))
        .unwrap();
    let made = copy(&root, &source, &mut |_| ControlFlow::Continue(()));
    assert_eq!((made.bytes, made.stopped), (SIZE as u64, false), "whichever way");
    drop(other);
}
