//! How Windows tells what there is. Streams beside a file's content are not listed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::windows::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Kind;

/// Read-only, hidden, system, archive, not indexed.
const OF_THE_USER: u32 = 0x1 | 0x2 | 0x4 | 0x20 | 0x2000;
/// From 1601 to 1970, in steps of 100 ns.
const EPOCH: i64 = 116_444_736_000_000_000;

/// A folder by its whole path, which begins with `\\?\` and so may have any length and any name.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn root(path: &Path) -> io::Result<Self> {
        path.canonicalize().map(Self)
    }

    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(path.to_owned()))
    }

    pub(super) fn itself(&self) -> PathBuf {
        self.0.clone()
    }

    pub(super) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.0.join(name)
    }
}

pub(super) fn kind_of(meta: &Metadata) -> Kind {
    match () {
        () if meta.is_symlink() => Kind::Symlink,
        () if meta.is_dir() => Kind::Dir,
        () => Kind::File,
    }
}

pub(super) fn mode_of(meta: &Metadata) -> u32 {
    meta.file_attributes() & OF_THE_USER
}

pub(super) fn owner_of(_: &Metadata) -> (u32, u32) {
    (0, 0)
}

pub(super) fn modified_of(meta: &Metadata) -> (i64, i64) {
    since_1970(meta.last_write_time())
}

#[allow(clippy::unnecessary_wraps)]
pub(super) fn created_of(meta: &Metadata) -> Option<(i64, i64)> {
    Some(since_1970(meta.creation_time()))
}

fn since_1970(ticks: u64) -> (i64, i64) {
    let ticks = ticks as i64 - EPOCH;
    (ticks.div_euclid(10_000_000), ticks.rem_euclid(10_000_000) * 100)
}

#[allow(clippy::unnecessary_wraps)]
pub(super) fn xattrs(_: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    Ok(BTreeMap::new())
}

#[cfg(test)]
mod tests {
    use super::super::{Options, diff, listing};
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn each_detail_of_an_entry_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|side| dir.path().join(side));
        let set_mtime = |path: &Path, seconds: u64| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        let long = "long name ".repeat(20);
        for side in [&a, &b] {
            fs::create_dir_all(side.join("folder")).unwrap();
            // Beyond what a plain path may have.
            let deep = side.canonicalize().unwrap().join(&long).join(&long);
            fs::create_dir_all(&deep).unwrap();
            for file in [side.join("folder/file"), deep.join("x")] {
                fs::write(&file, "content").unwrap();
                set_mtime(&file, 1);
            }
        }
        let options = Options { times_of_folders: false, ..Options::default() };
        let seen = || {
            let [a, b] = [&a, &b].map(|side| listing(side, &options).unwrap());
            // When each was made is of no interest here.
            diff(&a, &b).into_iter().filter(|line| !line.contains(": created ")).collect::<Vec<_>>()
        };
        assert_eq!(seen(), [""; 0]);
        let file = b.join("folder/file");
        fs::write(&file, "CONTENT").unwrap();
        set_mtime(&file, 1);
        assert_eq!(seen().len(), 1);
        assert!(seen()[0].contains("content ed7002b439e9ac84 ≠ "), "{:?}", seen());
        fs::write(&file, "content").unwrap();
        set_mtime(&file, 5);
        assert_eq!(seen(), [r#""folder\\file": modified 1s+0ns ≠ 5s+0ns"#]);
        set_mtime(&file, 1);
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions.clone()).unwrap();
        assert_eq!(seen().len(), 1);
        assert!(seen()[0].contains(": mode "), "{:?}", seen());
        #[allow(clippy::permissions_set_readonly_false)]
        permissions.set_readonly(false);
        fs::set_permissions(&file, permissions).unwrap();
        fs::create_dir(b.join("new")).unwrap();
        assert_eq!(seen(), [r#""new": only in the second (Dir)"#]);
    }
}
