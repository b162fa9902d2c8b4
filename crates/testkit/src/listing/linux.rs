//! How Linux tells what there is.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Kind;

/// An open folder.
pub(super) struct Folder(File);

impl Folder {
    pub(super) fn root(path: &Path) -> io::Result<Self> {
        Self::open(path)
    }

    pub(super) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    pub(super) fn itself(&self) -> PathBuf {
        self.path_of(OsStr::new("."))
    }

    /// A short path to `name` inside, whatever the depth of this folder.
    pub(super) fn path_of(&self, name: &OsStr) -> PathBuf {
        Path::new("/proc/self/fd").join(self.0.as_raw_fd().to_string()).join(name)
    }
}

pub(super) fn kind_of(meta: &Metadata) -> Kind {
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

pub(super) fn mode_of(meta: &Metadata) -> u32 {
    meta.mode() & 0o7777
}

pub(super) fn owner_of(meta: &Metadata) -> (u32, u32) {
    (meta.uid(), meta.gid())
}

pub(super) fn modified_of(meta: &Metadata) -> (i64, i64) {
    (meta.mtime(), meta.mtime_nsec())
}

/// No program can set it, so no copy can keep it.
pub(super) fn created_of(_: &Metadata) -> Option<(i64, i64)> {
    None
}

/// Of the entry itself, also when that is a link. A file system without attributes has none.
pub(super) fn xattrs(here: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let names = match xattr::list(here) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    names.map(|name| Ok((name.clone(), xattr::get(here, &name)?.unwrap_or_default()))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Options, diff, listing};
    use super::*;
    use std::fs::{self, FileTimes, Permissions};
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
