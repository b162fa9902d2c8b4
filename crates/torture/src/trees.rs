//! The two trees of a torture: every kind of change a run can make, in about fifty items, the same for the same seed.
//!
//! Invariant: a tree is plain data, so that it can be put back as often as needed; times are in the past, so that
//! nothing has to wait for a clock. It must not know what is done to the trees.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

/// One item of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    path: PathBuf,
    what: What,
    mode: u32,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    /// An extended attribute, the same name for all.
    note: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum What {
    File(Vec<u8>),
    Link(String),
    Folder,
}

/// A pair of trees.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) left: Vec<Planted>,
    pub(crate) right: Vec<Planted>,
}

/// A pair with new, replaced, equal and orphaned files, links and folders, three files above the size that is copied
/// in a group, an unwritable file, attributes and odd names.
pub(crate) fn pair(seed: u64) -> Pair {
    let mut rng = Rng::with_seed(seed);
    let mut left = Side { rng: &mut rng, items: Vec::new() };
    for folder in ["both", "both/deeper", "new", "new/deeper", "new/empty"] {
        left.folder(folder);
    }
    for name in ["new 1", "new-\u{fc}\u{f1}\u{ef}", "new\nline", "new/a", "new/b", "new/deeper/c", "both/new"]
    {
        left.small(name);
    }
    for name in ["replaced-1", "replaced-2", "replaced-3", "both/replaced", "both/deeper/replaced"] {
        left.small(name);
    }
    left.file("replaced-by-empty", 0);
    left.file("replaced-by-read-only", 5000).mode = 0o444;
    left.file("new-executable", 12_000).mode = 0o755;
    left.small("new-with-note").note = Some(b"new".to_vec());
    left.small("replaced-with-note").note = Some(b"left".to_vec());
    left.file("large-new", 2_300_000);
    left.file("large-replaced", 2_000_001);
    left.link("link-new", "nowhere/at all");
    left.link("link-replaced", "left");
    left.link("both/link-new", "../new 1");
    let fresh = left.items.len();
    for name in ["equal-1", "both/equal", "both/deeper/equal"] {
        left.small(name);
    }
    left.link("link-equal", "equal-1");
    let left = left.items;

    let mut right = Side { rng: &mut rng, items: left[fresh..].to_vec() };
    right.folder("both");
    right.folder("both/deeper");
    for name in ["replaced-1", "replaced-2", "replaced-3", "both/replaced", "both/deeper/replaced"] {
        right.small(name);
    }
    right.small("replaced-by-empty");
    right.small("replaced-by-read-only").mode = 0o600;
    right.small("replaced-with-note").note = Some(b"right".to_vec());
    right.file("large-replaced", 2_600_000);
    right.link("link-replaced", "right");
    for folder in ["orphans", "orphans/deeper", "orphans/empty"] {
        right.folder(folder);
    }
    for name in ["orphan-1", "both/orphan", "orphans/a", "orphans/b", "orphans/deeper/c"] {
        right.small(name);
    }
    right.file("large-orphan", 2_100_000);
    right.link("link-orphan", "orphan-1");
    let right = right.items;
    Pair { left, right }
}

/// What a user does to a tree.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Makes an item, or puts another in its place.
    Put(Planted),
    /// Removes a file, a link, or a folder with all that is in it.
    Remove(PathBuf),
    /// Renames a file.
    Rename([PathBuf; 2]),
}

/// Two trees that were alike, and what was done to each since, left and right.
#[derive(Clone, Debug)]
pub(crate) struct TwoWay {
    pub(crate) base: Vec<Planted>,
    pub(crate) edits: [Vec<Edit>; 2],
}

/// A pair for runs that go both ways. Whose hand changed an item is the end of its name; both changed what has `conflict` in
/// its name. Each side has something that is new, edited, removed and renamed, of each kind.
pub(crate) fn two_way(seed: u64) -> TwoWay {
    const HANDS: [&str; 2] = ["l", "r"];
    let mut rng = Rng::with_seed(seed);
    let mut base = Side { rng: &mut rng, items: Vec::new() };
    for folder in ["both", "both/deeper"] {
        base.folder(folder);
    }
    for hand in HANDS {
        base.folder(&format!("gone-folder-{hand}"));
        for name in ["updated", "both/updated", "gone", "both/deeper/gone", "gone-folder", "moves"] {
            let within = if name == "gone-folder" { "/in it" } else { "" };
            base.small(&format!("{name}-{hand}{within}"));
        }
        base.file(&format!("large-updated-{hand}"), 2_000_001);
        base.link(&format!("link-updated-{hand}"), "before");
        base.link(&format!("link-gone-{hand}"), "gone");
    }
    for name in ["conflict.txt", "both/conflict", "equal-1", "both/equal"] {
        base.small(name);
    }
    let base = base.items;
    let edits = HANDS.map(|hand| {
        let mut side = Side { rng: &mut rng, items: Vec::new() };
        side.folder(&format!("made-{hand}"));
        for name in ["new", "both/new", "both/deeper/new\nline", "made", "updated", "both/updated"] {
            let within = if name == "made" { "/in it" } else { "" };
            side.small(&format!("{name}-{hand}{within}"));
        }
        for name in ["large-new", "large-updated"] {
            side.file(&format!("{name}-{hand}"), 2_300_000);
        }
        side.link(&format!("link-new-{hand}"), "nowhere/at all");
        side.link(&format!("link-updated-{hand}"), "after");
        for name in ["conflict.txt", "both/conflict"] {
            side.small(name);
        }
        let mut edits: Vec<Edit> = side.items.into_iter().map(Edit::Put).collect();
        let gone = ["gone", "both/deeper/gone", "gone-folder", "link-gone"];
        edits.extend(gone.map(|name| Edit::Remove(format!("{name}-{hand}").into())));
        edits.push(Edit::Rename(["moves", "both/moved"].map(|name| format!("{name}-{hand}").into())));
        edits
    });
    TwoWay { base, edits }
}

/// Does to the tree at `root` what a user did.
pub(crate) fn edit(root: &Path, edits: &[Edit]) -> io::Result<()> {
    edits.iter().try_for_each(|edit| match edit {
        Edit::Put(item) => {
            let path = root.join(&item.path);
            if let (What::Link(_), true) = (&item.what, path.is_symlink()) {
                fs::remove_file(&path)?;
            }
            plant(root, item).map_err(|error| at(&item.path, &error))
        }
        Edit::Remove(path) => {
            let there = root.join(path);
            let is_folder = there.is_dir() && !there.is_symlink();
            if is_folder { fs::remove_dir_all(there) } else { fs::remove_file(there) }
                .map_err(|error| at(path, &error))
        }
        Edit::Rename([from, to]) => {
            fs::rename(root.join(from), root.join(to)).map_err(|error| at(from, &error))
        }
    })
}

struct Side<'a> {
    rng: &'a mut Rng,
    items: Vec<Planted>,
}

impl Side<'_> {
    fn add(&mut self, path: &str, what: What, mode: u32) -> &mut Planted {
        let modified = (self.rng.i64(1_000_000_000..1_700_000_000), self.rng.i64(0..1_000_000_000));
        self.items.push(Planted { path: path.into(), what, mode, modified, note: None });
        let last = self.items.len() - 1;
        &mut self.items[last]
    }

    fn file(&mut self, path: &str, length: usize) -> &mut Planted {
        let mut content = vec![0; length];
        self.rng.fill(&mut content);
        self.add(path, What::File(content), 0o644)
    }

    /// From a few bytes, which some file systems keep inside the inode, to a few blocks.
    fn small(&mut self, path: &str) -> &mut Planted {
        let most = [100, 4096, 20_000][self.rng.usize(0..3)];
        let length = self.rng.usize(1..=most);
        self.file(path, length)
    }

    fn link(&mut self, path: &str, target: &str) {
        self.add(path, What::Link(target.to_owned()), 0o777);
    }

    fn folder(&mut self, path: &str) {
        self.add(path, What::Folder, 0o755);
    }
}

/// Makes the folder `root` hold exactly `items`. What is in it is removed before.
pub(crate) fn restore(root: &Path, items: &[Planted]) -> io::Result<()> {
    clear(root)?;
    for item in items {
        plant(root, item).map_err(|error| at(&item.path, &error))?;
    }
    // Last, and the innermost first: whatever is put into a folder changes its time.
    let mut folders: Vec<&Planted> = items.iter().filter(|item| matches!(item.what, What::Folder)).collect();
    folders.sort_unstable_by(|a, b| b.path.cmp(&a.path));
    folders.iter().try_for_each(|item| stamp(&root.join(&item.path), item.modified))
}

fn clear(root: &Path) -> io::Result<()> {
    match fs::create_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other,
    }
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn plant(root: &Path, item: &Planted) -> io::Result<()> {
    let path = root.join(&item.path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match &item.what {
        What::File(content) => {
            fs::write(&path, content)?;
            if let Some(note) = &item.note {
                xattr::set(&path, OsStr::new("user.note"), note)?;
            }
            File::open(&path)?.set_permissions(Permissions::from_mode(item.mode))?;
        }
        What::Link(target) => symlink(target, &path)?,
        What::Folder => {
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(item.mode))?;
        }
    }
    stamp(&path, item.modified)
}

fn stamp(path: &Path, (tv_sec, tv_nsec): (i64, i64)) -> io::Result<()> {
    let time = Timespec { tv_sec, tv_nsec };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use fcs_testkit::{Options, diff, listing};

    use super::*;

    #[test]
    fn a_restored_tree_is_the_same_whatever_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let pair = pair(1);
        restore(&a, &pair.right).unwrap();
        restore(&b, &pair.left).unwrap();
        let options = Options::default();
        assert!(!diff(&listing(&a, &options).unwrap(), &listing(&b, &options).unwrap()).is_empty());
        restore(&b, &pair.right).unwrap();
        assert_eq!(diff(&listing(&a, &options).unwrap(), &listing(&b, &options).unwrap()), [""; 0]);
        assert_eq!(listing(&a, &options).unwrap().len(), pair.right.len());
    }
}
