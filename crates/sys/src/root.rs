//! Opening a root: the one place where a path the user typed is resolved.

use std::io;
use std::path::{Path, PathBuf};

use crate::{DirRef, FileId};

/// An open root folder and the absolute path it was opened by.
#[derive(Debug, Clone)]
pub struct Root {
    /// The open folder. Everything below it is reached through this handle, never through `path`.
    pub dir: DirRef,
    /// Absolute, links resolved; for messages and for telling whether two roots overlap.
    pub path: PathBuf,
}

/// Why a root was refused.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A network path without a drive letter.
    #[error("network paths such as \\\\server\\share are not accepted")]
    Unc,
    /// The path names a file or something else that is not a folder.
    #[error("it is not a folder")]
    NotAFolder,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How two roots lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// They share nothing.
    Apart,
    /// They are one folder, however spelled.
    Same,
    /// The first lies inside the second.
    FirstInSecond,
    /// The second lies inside the first.
    SecondInFirst,
}

/// Whether a path is spelled as a network path: `\\server\share`, `//server/share`, `\\?\UNC\…`, `\\wsl$\…`. The
/// device spelling of a local path, `\\?\C:\…` or `\\.\C:\…`, is not one. Judged by spelling alone and on every
/// system, because a spelling that means a server on Windows should not silently mean a local folder elsewhere.
pub fn is_unc(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    let slash = |b: &u8| *b == b'\\' || *b == b'/';
    let starts_with_two = bytes.len() >= 2 && slash(&bytes[0]) && slash(&bytes[1]);
    if !starts_with_two || bytes.get(2).is_none_or(slash) {
        return false;
    }
    let rest = &bytes[2..];
    if matches!(rest, [b'?' | b'.', s, ..] if slash(s)) {
        let device = &rest[2..];
        return device.len() >= 4 && device[..3].eq_ignore_ascii_case(b"unc") && slash(&device[3]);
    }
    // `//tmp` on Unix is a slip for `/tmp`; `//server/share` has the shape of a share.
    cfg!(windows) || bytes[0] == b'\\' || rest.iter().any(slash)
}

/// Opens a root folder. Links in `path` are resolved, once.
pub fn open_root(path: &Path) -> Result<Root, RootError> {
    if is_unc(path) {
        return Err(RootError::Unc);
    }
    let resolved = std::fs::canonicalize(path)?;
    if !std::fs::metadata(&resolved)?.is_dir() {
        return Err(RootError::NotAFolder);
    }
    #[cfg(unix)]
    let dir = crate::unix::open_root(&resolved)?;
    #[cfg(windows)]
    let dir = crate::windows::open_root(&resolved)?;
    #[cfg(not(any(unix, windows)))]
    let dir = crate::portable::open_root(&resolved)?;
    #[cfg(windows)]
    let resolved = crate::windows::path::shown_root(path, resolved)?;
    Ok(Root { dir, path: resolved })
}

/// How two open roots lie to each other. Compares identities of the folders on the way up, not spellings, so bind
/// mounts and case do not fool it.
pub fn nesting(first: &Root, second: &Root) -> io::Result<Nesting> {
    let a = first.dir.metadata()?.id;
    let b = second.dir.metadata()?.id;
    if a == b {
        return Ok(Nesting::Same);
    }
    Ok(if has_ancestor(&first.path, b) {
        Nesting::FirstInSecond
    } else if has_ancestor(&second.path, a) {
        Nesting::SecondInFirst
    } else {
        Nesting::Apart
    })
}

/// Whether a folder above `path` is the folder with this identity. One that cannot be asked is passed over: it
/// cannot be the other root, which is open.
fn has_ancestor(path: &Path, id: FileId) -> bool {
    path.ancestors().skip(1).any(|above| identity(above).is_some_and(|found| found == id))
}

fn identity(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        crate::unix::path_identity(path)
    }
    #[cfg(windows)]
    {
        crate::windows::path_identity(path)
    }
    #[cfg(not(any(unix, windows)))]
    {
        crate::portable::path_identity(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_spellings_are_told_from_local_ones() {
        for unc in [
            r"\\server\share",
            "//server/share",
            r"\\?\UNC\server\share",
            r"\\.\unc\server\share",
            r"\\wsl$\Debian",
            r"\\wsl.localhost\Debian",
            r"//?/UNC/s/x",
        ] {
            assert!(is_unc(Path::new(unc)), "{unc}");
        }
        for local in [r"\\?\C:\a", r"\\.\C:\a", r"C:\a", "/a/b", "a", "", "///a/b", "/"] {
            assert!(!is_unc(Path::new(local)), "{local}");
        }
    }

    #[test]
    fn nesting_is_found_by_identity() {
        let tmp = tempfile::tempdir().unwrap();
        let inner = tmp.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::create_dir(tmp.path().join("ab")).unwrap();
        let open = |p: &Path| open_root(p).unwrap();
        let (a, b, ab) = (open(&tmp.path().join("a")), open(&inner), open(&tmp.path().join("ab")));
        assert_eq!(nesting(&a, &b).unwrap(), Nesting::SecondInFirst);
        assert_eq!(nesting(&b, &a).unwrap(), Nesting::FirstInSecond);
        assert_eq!(nesting(&a, &ab).unwrap(), Nesting::Apart);
        assert_eq!(nesting(&a, &open(&tmp.path().join("a/b/.."))).unwrap(), Nesting::Same);
    }

    #[test]
    fn a_file_is_not_a_root() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::write(tmp.path().join("f"), "x").unwrap();
        assert!(matches!(open_root(&tmp.path().join("f")), Err(RootError::NotAFolder)));
        assert!(matches!(open_root(Path::new("//server/share")), Err(RootError::Unc)));
        assert!(matches!(open_root(&tmp.path().join("none")), Err(RootError::Io(_))));
    }
}
