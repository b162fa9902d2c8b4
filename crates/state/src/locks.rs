//! Which folders runs of this user go by right now, on this machine: a lock for each, in a folder of this user's own.
//!
//! A root that is written to has a lock of its own, which travels with it. One that is only read has none, and none may be put
//! there; but who goes by what both sides were must not have one of them changed under its eyes.
//!
//! Invariant: a lock file is made, and removed, only by who holds the lock of the whole folder, so that no two processes ever
//! lock two files of one name. Whoever dies holds nothing. This module must not know what a run is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use fcs_engine::memory::RootIdentity;

use crate::index::key_of;
use crate::pair::{BETWEEN_TRIES, LONGEST_WAIT};

/// The lock of the whole folder, held for moments.
const ALL: &str = "all";
const SUFFIX: &str = ".lock";
/// Longest line about a holder that is read, in bytes.
const LONGEST: u64 = 256;

/// How something is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Others may use it in this way too.
    Shared,
    /// Nobody else may use it.
    Alone,
}

/// What is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockName(String);

impl LockName {
    /// One folder, wherever it is mounted.
    pub fn of_root(root: &RootIdentity) -> Self {
        Self(key_of(std::slice::from_ref(root)))
    }

    /// Two folders, whichever of them is left.
    pub fn of_pair(roots: &[RootIdentity; 2]) -> Self {
        let [left, right] = [0, 1].map(|side| key_of(std::slice::from_ref(&roots[side])));
        Self(if left < right { format!("{left}-{right}") } else { format!("{right}-{left}") })
    }
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else uses it in a way that does not go with this one.
    #[error("it is in use")]
    InUse {
        /// Which of those that were wanted.
        name: LockName,
        /// Who, where it said so.
        holder: Option<String>,
    },
    /// There can be no locks here.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Locks that are held until [`HeldLocks::release`], or until the process ends.
#[derive(Debug)]
pub struct HeldLocks {
    folder: PathBuf,
    files: Vec<(PathBuf, File)>,
}

impl HeldLocks {
    /// Takes all of these, or none. `who` is one line for whoever finds it alone in use.
    ///
    /// # Errors
    ///
    /// [`LockError`].
    pub fn take(folder: &Path, wanted: &[(LockName, Use)], who: &str) -> Result<Self, LockError> {
        fs::create_dir_all(folder)?;
        let _all = lock_all(folder)?;
        clear(folder)?;
        let mut files = Vec::with_capacity(wanted.len());
        for (name, how) in wanted {
            let path = folder.join(format!("{}{SUFFIX}", name.0));
            let mut file = open(&path)?;
            let locked = match how {
                Use::Shared => file.try_lock_shared(),
                Use::Alone => file.try_lock(),
            };
            match locked {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::InUse { name: name.clone(), holder: holder(&file) });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // Who shares it says nothing: it may be gone before another one.
            file.set_len(0)?;
            if *how == Use::Alone {
                file.write_all(who.as_bytes())?;
            }
            files.push((path, file));
        }
        Ok(Self { folder: folder.to_owned(), files })
    }

    /// Gives them back. What could not be removed is removed by who comes next.
    pub fn release(self) {
        // Before the locks are given back, also those that a process which was forked off has too.
        let all = lock_all(&self.folder);
        for (path, file) in self.files {
            drop(file.unlock());
            if all.is_ok() && file.try_lock().is_ok() {
                drop(fs::remove_file(path));
                drop(file.unlock());
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// After whoever makes or removes lock files, which takes moments.
fn lock_all(folder: &Path) -> io::Result<File> {
    let file = open(&folder.join(ALL))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LONGEST_WAIT => {
                std::thread::sleep(BETWEEN_TRIES);
            }
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Removes the files of processes that died. Only under the lock of the whole folder.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_lock =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SUFFIX));
        if is_lock && open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            drop(fs::remove_file(path));
        }
    }
    Ok(())
}

fn holder(file: &File) -> Option<String> {
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| fcs_sys::escaped(line.as_bytes()).into_owned())
}
