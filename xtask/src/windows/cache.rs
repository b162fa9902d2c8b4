//! What is made once for the Windows chores and kept below the target folder.
//!
//! Invariant: what is marked as made is whole, and was made for the place where it lies: programs in it have their
//! paths built in. What an interrupted chore left is made anew. One chore at a time works in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sh;

/// The folder, held for one chore.
pub(super) struct Cache {
    root: PathBuf,
    _lock: fs::File,
}

impl Cache {
    /// Takes the folder, and waits while another chore has it: there is one Windows in it, and the end of a chore
    /// ends every program there.
    pub(super) fn take() -> Result<Self, String> {
        let root = sh::target_dir().join("windows");
        let file = root.join("lock");
        let said = |error: std::io::Error| format!("Could not lock {}: {error}", file.display());
        fs::create_dir_all(&root).map_err(said)?;
        let lock = fs::File::create(&file).map_err(said)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                println!("waiting for another chore in {}", root.display());
                lock.lock().map_err(said)?;
            }
            Err(fs::TryLockError::Error(error)) => return Err(said(error)),
        }
        Ok(Self { root, _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder `name`, made if need be.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.path(name);
        fs::create_dir_all(&path).map_err(|error| format!("Could not make {}: {error}", path.display()))?;
        Ok(path)
    }

    /// The folder `name` with nothing in it.
    pub(super) fn empty(&self, name: &str) -> Result<PathBuf, String> {
        self.remove(name)?;
        self.folder(name)
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), String> {
        let path = self.path(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("Could not remove {}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Whether the folder `name` was made to its end, and here.
    pub(super) fn is_made(&self, name: &str) -> bool {
        let path = self.path(name);
        fs::read(path.join(MADE)).is_ok_and(|place| place == path.as_os_str().as_encoded_bytes())
    }

    pub(super) fn mark_made(&self, name: &str) -> Result<(), String> {
        let path = self.path(name);
        write(&path.join(MADE), path.as_os_str().as_encoded_bytes())
    }
}

/// In each folder that is whole: where it was made.
const MADE: &str = "made";

/// Writes a file, making its folder.
pub(super) fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = made.and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("Could not write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_or_left_unfinished_is_not_made() {
        let place = tempfile::tempdir().unwrap();
        let cache = |root: PathBuf| Cache { root, _lock: tempfile::tempfile().unwrap() };
        let here = cache(place.path().join("here"));
        here.empty("thing").unwrap();
        assert!(!here.is_made("thing"));
        here.mark_made("thing").unwrap();
        assert!(here.is_made("thing"));
        assert!(fs::read_dir(here.empty("thing").unwrap()).unwrap().next().is_none());
        here.mark_made("thing").unwrap();
        fs::rename(place.path().join("here"), place.path().join("there")).unwrap();
        assert!(!cache(place.path().join("there")).is_made("thing"));
    }
}
