//! Keeps what a person needs to look into a fault: the trees, what was wrong, and the command that repeats it.
//!
//! Invariant: only the first few are kept, because a broken program breaks everything; all are counted elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many are kept.
const KEPT: u64 = 10;
/// After how many the torture ends early: it has said what it has to say.
const ENOUGH: u64 = 200;

static FOUND: AtomicU64 = AtomicU64::new(0);
static KEPT_HEADS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether so much is broken that going on tells nothing new.
pub(crate) fn enough() -> bool {
    FOUND.load(Ordering::Relaxed) >= ENOUGH
}

/// Whether nothing was found so far.
pub(crate) fn none() -> bool {
    FOUND.load(Ordering::Relaxed) == 0
}

/// Says once more, each in one line below all tables, what was found: of a long log often only the end is seen. These
/// lines, and those of errors, are what `cargo xtask` repeats at its own end.
pub(crate) fn sum_up() {
    for head in KEPT_HEADS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("FAULT on {}", head.replace('\n', " "));
    }
}

/// Prints a finding, and keeps it below `parent` with what `copy` puts into the folder it is given.
pub(crate) fn keep(
    parent: &Path,
    what: &str,
    again: &str,
    faults: &[String],
    copy: impl FnOnce(&Path) -> Result<(), String>,
) {
    let number = FOUND.fetch_add(1, Ordering::Relaxed);
    if number >= KEPT {
        return;
    }
    let head = format!("{what}: {}", faults.iter().take(3).cloned().collect::<Vec<_>>().join(" | "));
    KEPT_HEADS.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    let text = format!("{}\nrepeat with: {again}\n", faults.join("\n"));
    let kept = folder(parent, what).and_then(|into| {
        copy(&into)?;
        fs::write(into.join("what.txt"), &text).map_err(|error| error.to_string())?;
        Ok(into)
    });
    match kept {
        Ok(into) => println!("fault on {what}: {text}kept in {}", into.display()),
        Err(error) => println!("fault on {what}: {text}could not be kept: {error}"),
    }
}

/// A new folder below `parent`.
fn folder(parent: &Path, what: &str) -> Result<PathBuf, String> {
    fs::create_dir_all(parent).map_err(|error| error.to_string())?;
    let dir = tempfile::Builder::new().prefix(&format!("{what}-")).tempdir_in(parent);
    dir.map(tempfile::TempDir::keep).map_err(|error| error.to_string())
}
