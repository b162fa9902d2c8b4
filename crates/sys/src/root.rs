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
    /// The first is inside the second.
    FirstInSecond,
    /// The second is inside the first.
    SecondInFirst,
}

/// Whether a path is spelled as a network path: `\\server\share`, `//server/share`, `\\wsl$\…`, and the device
/// spellings of these, such as `\\?\UNC\…` or `\??\UNC\…`. The device spelling of a local path, `\\?\C:\…` or
/// `\\.\C:\…`, is not one. Judged by spelling alone and on every system, because a spelling that means a server on
/// Windows should not silently mean a local folder elsewhere.
pub fn is_unc(path: &Path) -> bool {
    after_unc_prefix(path).is_some()
}

/// The `\\server\share` of a network path, as it is given to `net use` when a drive letter is mapped to it. `None` if
/// the path is none or names no share.
pub fn unc_share(path: &Path) -> Option<String> {
    let mut names = after_unc_prefix(path)?.split(|&b| is_slash(b)).filter(|name| !name.is_empty());
    let (server, share) = (names.next()?, names.next()?);
    Some(format!(r"\\{}\{}", String::from_utf8_lossy(server), String::from_utf8_lossy(share)))
}

fn is_slash(byte: u8) -> bool {
    matches!(byte, b'\\' | b'/')
}

/// What follows the part that makes a path a network path: `server\share\…`.
fn after_unc_prefix(path: &Path) -> Option<&[u8]> {
    let path = path.as_os_str().as_encoded_bytes();
    match path {
        [a, b, b'?' | b'.', c, device @ ..] if [a, b, c].into_iter().all(|&b| is_slash(b)) => {
            after_unc_device(device)
        }
        // The spelling inside the system itself, which some calls take too. A folder may have that name on Unix.
        [a, b'?', b'?', b, device @ ..] if is_slash(*a) && is_slash(*b) && (cfg!(windows) || *a == b'\\') => {
            after_unc_device(device)
        }
        [a, b, rest @ ..] if is_slash(*a) && is_slash(*b) => {
            let names_server = rest.first().is_some_and(|first| !is_slash(*first));
            // `//tmp` on Unix is a slip for `/tmp`; `//server/share` has the shape of a share.
            let is_server = *a == b'\\' || rest.iter().any(|&b| is_slash(b));
            // Windows asks the network for whatever begins so, even for `\\` alone and a server without a name.
            (cfg!(windows) || names_server && is_server).then_some(rest)
        }
        _ => None,
    }
}

/// The same for what follows `\\?\`: the redirector that leads to the network can be named in several ways.
fn after_unc_device(device: &[u8]) -> Option<&[u8]> {
    let mut rest = device;
    loop {
        let end = rest.iter().position(|&b| is_slash(b)).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = rest.get(end + 1..).unwrap_or_default();
        match name.as_slice() {
            b"unc" | b"mup" | b"lanmanredirector" | b"webdavredirector" => return Some(rest),
            // Folders of the system's own name space in which the redirectors are named.
            b"" | b"global" | b"globalroot" | b"global??" | b"??" | b"dosdevices" | b"device"
                if !rest.is_empty() => {}
            _ => return None,
        }
    }
}

/// Opens a root folder. Links in `path` are resolved, once.
pub fn open_root(path: &Path) -> Result<Root, RootError> {
    if is_unc(path) {
        return Err(RootError::Unc);
    }
    // The folder that a relative path starts from may be on a server too.
    #[cfg(windows)]
    if is_unc(&std::path::absolute(path)?) {
        return Err(RootError::Unc);
    }
    #[cfg(windows)]
    let resolved = crate::windows::path::resolve(path)?;
    #[cfg(not(windows))]
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
    let resolved = crate::windows::path::shown_root(path, resolved)?.ok_or(RootError::Unc)?;
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
    // A root is kept by the letter of its drive, and a letter may stand for any folder of a server.
    #[cfg(windows)]
    let path = &crate::windows::path::resolve(path).unwrap_or_else(|_| path.to_path_buf());
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
            r"\/server/share",
            r"/\server\share",
            r"\\server",
            r"\\server\share\folder\file",
            r"\\192.168.0.1\c$",
            r"\\server@SSL\DavWWWRoot\x",
            r"\\?\UNC\server\share",
            r"\\?\unc\server\share",
            r"\\.\UNC\server\share",
            r"//?/UNC/s/x",
            r"//./UNC/s/x",
            r"\\?/UNC\s/x",
            r"\??\UNC\server\share",
            r"\\?\GLOBALROOT\??\UNC\server\share",
            r"\\?\GLOBALROOT\Device\Mup\server\share",
            r"\\.\Global\UNC\server\share",
            r"\\?\UNC",
            r"\\wsl$\Debian",
            r"\\wsl.localhost\Debian",
        ] {
            assert!(is_unc(Path::new(unc)), "{unc}");
        }
        for local in [
            r"\\?\C:\a",
            r"\\.\C:\a",
            r"//?/C:/a",
            r"\??\C:\a",
            r"\\?\Volume{b75e2c83-0000-0000-0000-602f00000000}\a",
            r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy1\a",
            r"\\?\C:\UNC\server",
            r"C:\a",
            r"C:a",
            r"\a",
            "/a/b",
            "a",
            "",
            "/",
            r"\\?\",
            r"UNC\server\share",
        ] {
            assert!(!is_unc(Path::new(local)), "{local}");
        }
        for by_system in ["///a/b", r"\\", r"\\\server\share", "//tmp"] {
            assert_eq!(is_unc(Path::new(by_system)), cfg!(windows), "{by_system}");
        }
    }

    #[test]
    fn the_share_is_what_a_letter_can_be_mapped_to() {
        let share = |path: &str| unc_share(Path::new(path));
        for path in [r"\\s\x", "//s/x/below", r"\\?\UNC\s\x\below", r"\??\UNC\s\x", r"\\s\\x\"] {
            assert_eq!(share(path).as_deref(), Some(r"\\s\x"), "{path}");
        }
        assert_eq!(share(r"\\wsl$\Debian\home").as_deref(), Some(r"\\wsl$\Debian"));
        for none in [r"\\s", r"\\?\UNC\s\", r"C:\a\b", ""] {
            assert_eq!(share(none), None, "{none}");
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
