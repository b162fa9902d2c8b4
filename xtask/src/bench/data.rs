//! The trees that contests are held on.
//!
//! Invariant: deterministic, so that figures of different days and versions are of the same work.

use std::fmt;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::run::stop_if_interrupted;

/// How much there is in a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) files: u64,
    pub(super) folders: u64,
    pub(super) bytes: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, folders, bytes } = self;
        write!(f, "{files} files in {folders} folders, {:.1} MB", *bytes as f64 / 1e6)
    }
}

impl Totals {
    /// Of the tree at `root`, without the run folder of fcs.
    pub(super) fn of(root: &Path) -> io::Result<Self> {
        let mut totals = Self::default();
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() && entry.file_name() != ".fcs" {
                    totals.folders += 1;
                    open.push(entry.path());
                } else if kind.is_file() {
                    totals.files += 1;
                    totals.bytes += entry.metadata()?.len();
                }
            }
        }
        Ok(totals)
    }
}

/// Sizes are log-normal: half of the files below 3 kB, a few of some MB, as in source trees and mail folders.
const SIGMA: f64 = 1.5;
const MEDIAN_BYTES: f64 = 3050.0;
const MAX_BYTES: usize = 4 << 20;

/// Mean size of a file of [`realistic`] in bytes.
pub(super) fn mean_bytes() -> u64 {
    (MEDIAN_BYTES * (SIGMA * SIGMA / 2.0).exp()) as u64
}

/// `files` files of realistic sizes in one folder per 33 files, up to six levels deep, at the new folder `root`.
pub(super) fn realistic(root: &Path, files: usize) -> io::Result<Totals> {
    let mut rng = fastrand::Rng::with_seed(1);
    let folders = folders(root, files / 33 + 1, 6, &mut rng)?;
    let mut pool = vec![0; 2 * MAX_BYTES];
    rng.fill(&mut pool);
    for index in 0..files {
        stop_if_interrupted()?;
        let size = ((MEDIAN_BYTES.ln() + SIGMA * normal(&mut rng)).exp() as usize).min(MAX_BYTES);
        // Any window of the pool will do: what counts is that no two files are alike and that all are read.
        let start = rng.usize(..MAX_BYTES);
        let folder = &folders[rng.usize(..folders.len())];
        make_file(&folder.join(format!("file-{index:06}.dat")), &pool[start..start + size], &mut rng)?;
    }
    Totals::of(root)
}

/// `files` files, one in five with some bytes and the others empty, in one folder per 100 files.
pub(super) fn many(root: &Path, files: usize) -> io::Result<Totals> {
    let mut rng = fastrand::Rng::with_seed(2);
    let folders = folders(root, files / 100 + 1, 5, &mut rng)?;
    for index in 0..files {
        stop_if_interrupted()?;
        let length = if index % 5 == 0 { 1 + rng.usize(..64) } else { 0 };
        let folder = &folders[index % folders.len()];
        make_file(&folder.join(format!("file-{index:06}.dat")), &[0x5a; 64][..length], &mut rng)?;
    }
    Totals::of(root)
}

/// One file named `large` of `bytes` bytes that cannot be compressed.
pub(super) fn large(root: &Path, bytes: u64) -> io::Result<Totals> {
    fs::create_dir(root)?;
    let mut rng = fastrand::Rng::with_seed(3);
    let mut file = File::create_new(root.join("large"))?;
    let mut pool = vec![0; 16 << 20];
    rng.fill(&mut pool);
    let mut left = bytes;
    while left > 0 {
        stop_if_interrupted()?;
        let length = left.min(pool.len() as u64);
        file.write_all(&pool[..length as usize])?;
        left -= length;
        // Another order of the same random blocks: as good as new ones at a fraction of the time.
        rng.shuffle(pool.as_chunks_mut::<4096>().0);
    }
    Totals::of(root)
}

/// Gives every file other content of the same size and a date of its own.
pub(super) fn replace_all(root: &Path) -> io::Result<()> {
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            stop_if_interrupted()?;
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
                continue;
            }
            let mut content = fs::read(entry.path())?;
            content.iter_mut().for_each(|byte| *byte = !*byte);
            let modified = entry.metadata()?.modified()? + Duration::from_hours(24);
            let mut file = File::options().write(true).truncate(true).open(entry.path())?;
            file.write_all(&content)?;
            file.set_times(FileTimes::new().set_modified(modified))?;
        }
    }
    Ok(())
}

/// Makes one file one byte longer.
pub(super) fn grow_a_file(root: &Path) -> io::Result<()> {
    let file = File::options().append(true).open(first_file(root)?)?;
    (&file).write_all(b"!")
}

/// Changes one byte of one file and nothing else that can be seen from outside.
pub(super) fn flip_a_byte(root: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(first_file(root)?)?;
    let modified = file.metadata()?.modified()?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, 0)?;
    file.write_all_at(&[!byte[0]], 0)?;
    file.set_times(FileTimes::new().set_modified(modified))
}

/// A file that is not empty, in the root or, if there is none, below it.
fn first_file(root: &Path) -> io::Result<PathBuf> {
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_file() && meta.len() > 0 {
                return Ok(entry.path());
            } else if meta.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Err(io::Error::other("there is no file with content"))
}

/// The root and `count` folders below it, at most `levels` deep.
fn folders(root: &Path, count: usize, levels: usize, rng: &mut fastrand::Rng) -> io::Result<Vec<PathBuf>> {
    fs::create_dir(root)?;
    let mut made = vec![(root.to_owned(), 0)];
    for index in 0..count {
        let (parent, level) = loop {
            let (parent, level) = &made[rng.usize(..made.len())];
            if *level < levels {
                break (parent, level);
            }
        };
        let (path, level) = (parent.join(format!("folder-{index:04}")), level + 1);
        fs::create_dir(&path)?;
        made.push((path, level));
    }
    Ok(made.into_iter().map(|(path, _)| path).collect())
}

fn make_file(path: &Path, content: &[u8], rng: &mut fastrand::Rng) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    // Between 2001 and 2020, with all nanoseconds.
    let modified =
        UNIX_EPOCH + Duration::new(rng.u64(1_000_000_000..1_600_000_000), rng.u32(..1_000_000_000));
    file.set_times(FileTimes::new().set_modified(modified))
}

/// Standard normal, by Box and Muller.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    let (u, v) = (1.0 - rng.f64(), rng.f64());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realistic_tree_has_the_mean_it_claims_and_is_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = realistic(&dir.path().join("a"), 2000).unwrap();
        let second = realistic(&dir.path().join("b"), 2000).unwrap();
        assert_eq!(first, second);
        assert_eq!((first.files, first.folders), (2000, 61));
        let mean = first.bytes / first.files;
        assert!((mean_bytes() / 2..mean_bytes() * 2).contains(&mean), "{mean}");
    }

    #[test]
    fn the_large_file_has_the_size_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let totals = large(&dir.path().join("a"), (16 << 20) + 5).unwrap();
        assert_eq!(totals, Totals { files: 1, folders: 0, bytes: (16 << 20) + 5 });
    }

    #[test]
    fn a_flipped_byte_shows_in_the_content_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a");
        many(&root, 20).unwrap();
        let list = || fcs_testkit::listing(&root, &fcs_testkit::Options::default()).unwrap();
        let before = list();
        flip_a_byte(&root).unwrap();
        let lines = fcs_testkit::diff(&before, &list());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("content"), "{lines:?}");
    }

    #[test]
    fn the_run_folder_of_fcs_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".fcs/runs")).unwrap();
        fs::write(dir.path().join(".fcs/runs/x"), "x").unwrap();
        assert_eq!(Totals::of(dir.path()).unwrap(), Totals::default());
    }
}
