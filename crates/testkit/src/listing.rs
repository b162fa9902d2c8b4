//! What a tree looks like, in every detail a copy must keep: the oracle that tests compare trees by.
//!
//! Invariant: independent of the code under test. It reads through std, walks by `/proc/self/fd` so that no path
//! grows with the depth, and hashes with SHA-256, which the engine does not use to verify.
//!
//! It must not know which differences a copy is allowed; callers say so with [`Options`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A tree: paths below the root (raw bytes) and what is there.
pub type Listing = BTreeMap<PathBuf, Item>;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block device.
    Block,
    /// A character device.
    Char,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its SHA-256.
    Sha256([u8; 32]),
    /// The reason why it could not be read.
    Unreadable(String),
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-user-ID, set-group-ID and sticky: 12 bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Length of a file or of the target of a link in bytes; 0 for all else, where it is up to the file system.
    pub size: u64,
    /// Time of modification: seconds since 1970, negative before, and nanoseconds 0–999,999,999 to add. None for a
    /// link when [`Options::times_of_links`] is off, and for a folder when [`Options::times_of_folders`] is.
    pub mtime: Option<(i64, i64)>,
    /// Where a symbolic link points.
    pub target: Option<Vec<u8>>,
    /// Extended attributes by name, POSIX ACLs among them.
    pub xattrs: BTreeMap<OsString, Vec<u8>>,
    /// For files.
    pub content: Option<Content>,
}

/// Which parts of a tree count. The default is everything but the run folder `.fcs` at the top.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Whether the times of symbolic links count.
    pub times_of_links: bool,
    /// Whether the times of folders count.
    pub times_of_folders: bool,
    /// Whether the root itself is listed, as the empty path.
    pub root: bool,
    /// Names directly below the root that are left out, with all they hold.
    pub skip: &'a [&'a str],
}

impl Default for Options<'_> {
    fn default() -> Self {
        // `lost+found` is what ext4 puts into a fresh image; no test makes one.
        Self { times_of_links: true, times_of_folders: true, root: false, skip: &[".fcs", "lost+found"] }
    }
}

/// Everything below `root`.
///
/// # Errors
///
/// When a folder cannot be opened or an entry vanishes meanwhile. A file that cannot be read is listed as such.
pub fn listing(root: &Path, options: &Options<'_>) -> io::Result<Listing> {
    let mut found = Listing::new();
    let open = File::open(root)?;
    if options.root {
        found.insert(PathBuf::new(), item(&by_handle(&open, OsStr::new(".")), options)?);
    }
    walk(&open, Path::new(""), options, &mut found)?;
    Ok(found)
}

fn walk(folder: &File, below: &Path, options: &Options<'_>, found: &mut Listing) -> io::Result<()> {
    for entry in fs::read_dir(by_handle(folder, OsStr::new("")))? {
        let name = entry?.file_name();
        if below.as_os_str().is_empty() && options.skip.iter().any(|&skip| name == skip) {
            continue;
        }
        let here = by_handle(folder, &name);
        let path = below.join(&name);
        let context = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let item = item(&here, options).map_err(context)?;
        if item.kind == Kind::Dir {
            let inner = File::open(&here).map_err(context)?;
            walk(&inner, &path, options, found)?;
        }
        found.insert(path, item);
    }
    Ok(())
}

/// A short path to `name` inside an open folder, whatever the depth of that folder.
fn by_handle(folder: &File, name: &OsStr) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name)
}

fn item(here: &Path, options: &Options<'_>) -> io::Result<Item> {
    let meta = fs::symlink_metadata(here)?;
    let kind = kind_of(&meta);
    let timed = match kind {
        Kind::Symlink => options.times_of_links,
        Kind::Dir => options.times_of_folders,
        _ => true,
    };
    let target = (kind == Kind::Symlink).then(|| fs::read_link(here)).transpose()?;
    Ok(Item {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        size: if matches!(kind, Kind::File | Kind::Symlink) { meta.size() } else { 0 },
        mtime: timed.then(|| (meta.mtime(), meta.mtime_nsec())),
        target: target.map(|path| path.into_os_string().into_vec()),
        xattrs: xattrs(here)?,
        content: (kind == Kind::File)
            .then(|| sha256(here).map_or_else(|e| Content::Unreadable(e.to_string()), Content::Sha256)),
    })
}

fn kind_of(meta: &Metadata) -> Kind {
    let kind = meta.file_type();
    match () {
        () if kind.is_file() => Kind::File,
        () if kind.is_dir() => Kind::Dir,
        () if kind.is_symlink() => Kind::Symlink,
        () if kind.is_fifo() => Kind::Fifo,
        () if kind.is_socket() => Kind::Socket,
        () if kind.is_block_device() => Kind::Block,
        () => Kind::Char,
    }
}

/// Of the entry itself, also when that is a link. A file system without attributes has none.
fn xattrs(here: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let names = match xattr::list(here) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    names.map(|name| Ok((name.clone(), xattr::get(here, &name)?.unwrap_or_default()))).collect()
}

fn sha256(here: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(here)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(length) => hasher.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What differs between two listings, one line each, in the order of the paths; empty when they are equal.
pub fn diff(a: &Listing, b: &Listing) -> Vec<String> {
    let mut paths: Vec<&PathBuf> = a.keys().chain(b.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut lines = Vec::new();
    for path in paths {
        match (a.get(path), b.get(path)) {
            (Some(item), None) => lines.push(format!("{path:?}: only in the first ({:?})", item.kind)),
            (None, Some(item)) => lines.push(format!("{path:?}: only in the second ({:?})", item.kind)),
            (Some(a), Some(b)) => {
                lines.extend(differing(a, b).into_iter().map(|what| format!("{path:?}: {what}")));
            }
            (None, None) => unreachable!("the path comes from one of them"),
        }
    }
    lines
}

fn differing(a: &Item, b: &Item) -> Vec<String> {
    let mut lines = Vec::new();
    let mut check = |what: &str, equal: bool, a: &dyn fmt::Display, b: &dyn fmt::Display| {
        if !equal {
            lines.push(format!("{what} {a} ≠ {b}"));
        }
    };
    check("kind", a.kind == b.kind, &format!("{:?}", a.kind), &format!("{:?}", b.kind));
    check("mode", a.mode == b.mode, &format!("{:04o}", a.mode), &format!("{:04o}", b.mode));
    check("owner", (a.uid, a.gid) == (b.uid, b.gid), &owner(a), &owner(b));
    check("size", a.size == b.size, &a.size, &b.size);
    check("modified", a.mtime == b.mtime, &time(a.mtime), &time(b.mtime));
    check("target", a.target == b.target, &bytes(a.target.as_deref()), &bytes(b.target.as_deref()));
    check("content", a.content == b.content, &content(a.content.as_ref()), &content(b.content.as_ref()));
    for name in a.xattrs.keys().chain(b.xattrs.keys().filter(|name| !a.xattrs.contains_key(*name))) {
        let (a, b) = (a.xattrs.get(name), b.xattrs.get(name));
        let label = format!("attribute {name:?}");
        check(&label, a == b, &bytes(a.map(Vec::as_slice)), &bytes(b.map(Vec::as_slice)));
    }
    lines
}

fn owner(item: &Item) -> String {
    format!("{}:{}", item.uid, item.gid)
}

fn time(time: Option<(i64, i64)>) -> String {
    time.map_or_else(|| "none".to_owned(), |(seconds, nanos)| format!("{seconds}s+{nanos}ns"))
}

fn bytes(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "none".to_owned(), |bytes| format!("{:?}", OsStr::from_bytes(bytes)))
}

fn content(content: Option<&Content>) -> String {
    match content {
        None => "none".to_owned(),
        // A part of it is plenty to tell two apart by eye.
        Some(Content::Sha256(hash)) => {
            hash.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
        }
        Some(Content::Unreadable(reason)) => format!("unreadable ({reason})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{FileTimes, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, UNIX_EPOCH};

    fn two_equal_trees() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let sides = ["a", "b"].map(|side| dir.path().join(side));
        for side in &sides {
            fs::create_dir_all(side.join("folder")).unwrap();
            fs::write(side.join("folder/file"), "content").unwrap();
            symlink("nowhere", side.join("link")).unwrap();
            xattr::set(side.join("folder/file"), "user.note", b"1").unwrap();
            set_mtime(&side.join("folder/file"), 1);
            set_mtime(&side.join("folder"), 2);
        }
        let [a, b] = sides;
        (dir, a, b)
    }

    fn set_mtime(path: &Path, seconds: u64) {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    /// What `change` makes of a tree, as seen against an equal tree it is not applied to.
    fn seen(change: impl FnOnce(&Path)) -> Vec<String> {
        let (_dir, a, b) = two_equal_trees();
        let options = Options { times_of_links: false, ..Options::default() };
        let before = listing(&a, &options).unwrap();
        assert_eq!(diff(&before, &listing(&b, &options).unwrap()), [""; 0]);
        change(&b);
        diff(&before, &listing(&b, &options).unwrap())
    }

    #[test]
    fn each_detail_of_an_entry_is_seen() {
        let file = |b: &Path| b.join("folder/file");
        let keep_time = |b: &Path| set_mtime(&file(b), 1);
        let content = seen(|b| {
            fs::write(file(b), "CONTENT").unwrap();
            keep_time(b);
        });
        assert_eq!(content.len(), 1);
        assert!(content[0].starts_with("\"folder/file\": content ed7002b439e9ac84 ≠ "), "{content:?}");
        let size = seen(|b| {
            fs::write(file(b), "content.").unwrap();
            keep_time(b);
        });
        assert!(size.contains(&"\"folder/file\": size 7 ≠ 8".to_owned()), "{size:?}");
        assert_eq!(seen(|b| set_mtime(&file(b), 5)), ["\"folder/file\": modified 1s+0ns ≠ 5s+0ns"]);
        assert_eq!(seen(|b| set_mtime(&b.join("folder"), 5)), ["\"folder\": modified 2s+0ns ≠ 5s+0ns"]);
        assert_eq!(
            seen(|b| fs::set_permissions(file(b), Permissions::from_mode(0o4600)).unwrap()),
            ["\"folder/file\": mode 0644 ≠ 4600"]
        );
        assert_eq!(
            seen(|b| xattr::set(file(b), "user.note", b"2").unwrap()),
            [r#""folder/file": attribute "user.note" "1" ≠ "2""#]
        );
        assert_eq!(
            seen(|b| {
                fs::remove_file(b.join("link")).unwrap();
                symlink("elsewhere", b.join("link")).unwrap();
            }),
            ["\"link\": size 7 ≠ 9", "\"link\": target \"nowhere\" ≠ \"elsewhere\""]
        );
        assert_eq!(
            seen(|b| {
                fs::remove_file(b.join("link")).unwrap();
                fs::create_dir(b.join("new")).unwrap();
            }),
            ["\"link\": only in the first (Symlink)", "\"new\": only in the second (Dir)"]
        );
    }

    #[test]
    fn the_run_folder_is_left_out_at_the_top_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".fcs/runs")).unwrap();
        fs::create_dir_all(dir.path().join("folder/.fcs")).unwrap();
        let found = listing(dir.path(), &Options::default()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [Path::new("folder"), Path::new("folder/.fcs")]);
    }

    #[test]
    fn the_root_and_its_time_are_listed_on_request() {
        let dir = tempfile::tempdir().unwrap();
        set_mtime(dir.path(), 3);
        let found = listing(dir.path(), &Options { root: true, ..Options::default() }).unwrap();
        assert_eq!(found[Path::new("")].mtime, Some((3, 0)));
    }
}
