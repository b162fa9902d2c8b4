//! A memory window over a file whose pages go away.

#![cfg(windows)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use fcs_sys::{Access, Name, open_root};

const SIZE: usize = 1 << 20;

/// Cuts a file short from below Wine, which like Windows would refuse it: by the Linux program of that name, which Wine
/// starts but does not wait for.
fn cut_from_below(path: &Path) {
    let on_linux = path.to_str().unwrap().trim_start_matches("Z:").replace('\\', "/");
    // Wine cannot follow a Linux program, and says so after starting it.
    let _ = Command::new(r"Z:\usr\bin\truncate").args(["-s", "4096", &on_linux]).status();
    let begun = std::time::Instant::now();
    while fs::metadata(path).unwrap().len() != 4096 {
        assert!(begun.elapsed().as_secs() < 60, "{on_linux} was not cut short");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_cut_short_under_its_window_does_not_end_the_process() {
    let wine = fcs_sys::is_wine();
    let tmp = if wine { tempfile::tempdir_in(r"Z:\tmp") } else { tempfile::tempdir() }.unwrap();
    let path = tmp.path().join("file");
    let content = vec![7; SIZE];
    fs::write(&path, &content).unwrap();
    let root = open_root(tmp.path()).unwrap();
    let file = root.dir.open_file(&Name::new(&b"file"[..]).unwrap(), Access::Read).unwrap();
    let window = file.map(0, SIZE).unwrap();
    assert_eq!(window.first_difference_from(0, &content).unwrap(), None);

    let refused = fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(4096));
    let mapped: io::Error = refused.unwrap_err();
    assert_eq!(mapped.raw_os_error(), Some(1224), "a mapped file cannot be cut short");
    if !wine {
        return;
    }
    cut_from_below(&path);
    let mut bytes = [0; 16];
    assert!(window.copy_out(SIZE / 2, &mut bytes).is_err(), "the fault was caught and reported");
    assert!(window.first_difference_from(0, &content).is_err());
    window.copy_out(100, &mut bytes).unwrap();
    assert_eq!(bytes, [7; 16], "what is left can be read");
}
