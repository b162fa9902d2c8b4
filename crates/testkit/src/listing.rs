//! What a tree looks like, in every detail a copy must keep: the oracle that tests compare trees by.
//!
//! Invariant: independent of the code under test. It reads through std, walks in a way that no depth is too deep for
//! (by `/proc/self/fd` on Linux, by paths that begin with `\\?\` on Windows), and hashes with SHA-256, which the engine
//! does not use to verify.
//!
//! It must not know which differences a copy is allowed; callers say so with [`Options`].

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use system::Folder;

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
    /// Permission bits with set-user-ID, set-group-ID and sticky: 12 bits. On Windows the attributes that belong to
    /// the user: read-only, hidden, system, archive, not indexed.
    pub mode: u32,
    /// The owner; 0 on Windows.
    pub uid: u32,
    /// The group; 0 on Windows.
    pub gid: u32,
    /// Length of a file or of the target of a link in bytes; 0 for all else, where it is up to the file system.
    pub size: u64,
    /// Time of modification: seconds since 1970, negative before, and nanoseconds 0–999,999,999 to add. None for a
    /// link when [`Options::times_of_links`] is off, and for a folder when [`Options::times_of_folders`] is.
    pub mtime: Option<(i64, i64)>,
    /// Time of creation in the same way, where programs can set it (Windows).
    pub created: Option<(i64, i64)>,
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
    let open = Folder::root(root)?;
    if options.root {
        found.insert(PathBuf::new(), item(&open.itself(), options)?);
    }
    walk(&open, Path::new(""), options, &mut found)?;
    Ok(found)
}

fn walk(folder: &Folder, below: &Path, options: &Options<'_>, found: &mut Listing) -> io::Result<()> {
    for entry in fs::read_dir(folder.itself())? {
        let name = entry?.file_name();
        if below.as_os_str().is_empty() && options.skip.iter().any(|&skip| name == skip) {
            continue;
        }
        let here = folder.path_of(&name);
        let path = below.join(&name);
        let context = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let item = item(&here, options).map_err(context)?;
        if item.kind == Kind::Dir {
            let inner = Folder::open(&here).map_err(context)?;
            walk(&inner, &path, options, found)?;
        }
        found.insert(path, item);
    }
    Ok(())
}

fn item(here: &Path, options: &Options<'_>) -> io::Result<Item> {
    let meta = fs::symlink_metadata(here)?;
    let kind = system::kind_of(&meta);
    let timed = match kind {
        Kind::Symlink => options.times_of_links,
        Kind::Dir => options.times_of_folders,
        _ => true,
    };
    let (uid, gid) = system::owner_of(&meta);
    let target = (kind == Kind::Symlink).then(|| fs::read_link(here)).transpose()?;
    Ok(Item {
        kind,
        mode: system::mode_of(&meta),
        uid,
        gid,
        size: if matches!(kind, Kind::File | Kind::Symlink) { meta.len() } else { 0 },
        mtime: timed.then(|| system::modified_of(&meta)),
        created: system::created_of(&meta).filter(|_| timed && kind != Kind::Symlink),
        target: target.map(|path| path.into_os_string().into_encoded_bytes()),
        xattrs: system::xattrs(here)?,
        content: (kind == Kind::File)
            .then(|| sha256(here).map_or_else(|e| Content::Unreadable(e.to_string()), Content::Sha256)),
    })
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
    check("created", a.created == b.created, &time(a.created), &time(b.created));
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
    value.map_or_else(|| "none".to_owned(), |bytes| format!("\"{}\"", bytes.escape_ascii()))
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
