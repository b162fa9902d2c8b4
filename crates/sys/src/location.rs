//! Where a root is.
//!
//! Invariant: a location is only a name. Whether anything is there, and whether it may be used, is known once
//! [`Location::open`] has opened it; nothing else turns one into a root.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Root, RootError, escaped, open_root};

/// Where a root is, as a user, a file of jobs or a program names it. Other kinds of places can be added, so whoever takes
/// one apart has to expect a place that has no path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A folder that this machine reaches by a path: absolute, or relative to the working folder of the process.
    Local(PathBuf),
}

impl Location {
    /// Opens it. Links in its path are resolved, once.
    ///
    /// # Errors
    ///
    /// Network paths are refused, and what is no folder; otherwise what the system says.
    pub fn open(&self) -> Result<Root, RootError> {
        match self {
            Self::Local(path) => open_root(path),
        }
    }

    /// Its path, where it has one on this machine.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
        }
    }
}

/// As text that is safe to print.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => f.write_str(&escaped(path.as_os_str().as_encoded_bytes())),
        }
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::Local(path)
    }
}

impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::Local(path.clone())
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::Local(path.to_owned())
    }
}

impl From<&str> for Location {
    fn from(path: &str) -> Self {
        Self::Local(path.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_location_and_opens_as_one() {
        let tmp = tempfile::tempdir().unwrap();
        let there = Location::from(tmp.path());
        assert_eq!(there.path(), Some(tmp.path()));
        let (here, again) = (there.open().unwrap(), open_root(tmp.path()).unwrap());
        assert_eq!(crate::nesting(&here, &again).unwrap(), crate::Nesting::Same);
        assert!(matches!(Location::from(r"\\server\share").open(), Err(RootError::Unc)));
        assert_eq!(Location::from("a\nb").to_string(), "a\\nb");
    }
}
