//! Two folder trees on the disk, compared by the engine.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use fcs_engine::compare::{Comparison, compare};
use fcs_engine::scan::scan_pair;
use fcs_engine::{Control, Settings};
use tempfile::TempDir;

/// 2023-11-14 22:13:20 UTC.
pub const BEGIN: u64 = 1_700_000_000;

/// An item on one side.
#[derive(Debug, Clone, Copy)]
pub enum Item {
    Folder,
    /// Size, and seconds after [`BEGIN`].
    File(u64, u64),
}

/// A folder on both sides.
pub const fn folder() -> [Option<Item>; 2] {
    [Some(Item::Folder), Some(Item::Folder)]
}

/// The same file on both sides.
pub const fn file(size: u64, seconds: u64) -> [Option<Item>; 2] {
    [Some(Item::File(size, seconds)), Some(Item::File(size, seconds))]
}

/// Trees that live as long as this.
pub struct Trees {
    scratch: TempDir,
}

impl Trees {
    /// Makes what each side has at each path; a folder stands before what is in it.
    pub fn new(items: &[(&str, [Option<Item>; 2])]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        for (at, side) in ["left", "right"].into_iter().enumerate() {
            let root = scratch.path().join(side);
            fs::create_dir(&root).unwrap();
            for (path, sides) in items {
                match sides[at] {
                    Some(Item::Folder) => fs::create_dir(root.join(path)).unwrap(),
                    Some(Item::File(size, seconds)) => {
                        let made = File::create(root.join(path)).unwrap();
                        made.set_len(size).unwrap();
                        made.set_times(times(seconds)).unwrap();
                    }
                    None => {}
                }
            }
            // From the inside out, because what is made in a folder changes its time.
            for (path, sides) in items.iter().rev() {
                if let Some(Item::Folder) = sides[at] {
                    set_folder_time(&root.join(path));
                }
            }
            set_folder_time(&root);
        }
        Self { scratch }
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Scans and compares them.
    pub fn compare(&self, settings: &Settings) -> Comparison {
        let [left, right] =
            ["left", "right"].map(|side| fcs_sys::open_root(&self.path().join(side)).unwrap());
        let control = Control::default();
        let filter = fcs_engine::filter::Filter::default();
        let (l, r) = scan_pair(&left, &right, &filter, settings, &control).unwrap();
        compare((&left, Arc::new(l)), (&right, Arc::new(r)), settings, &control).unwrap()
    }
}

fn times(seconds: u64) -> FileTimes {
    FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(BEGIN + seconds))
}

/// Through the engine's own way to a folder, because not every system opens one as a file.
fn set_folder_time(path: &Path) {
    let times = fcs_sys::Times { modified: Some(fcs_sys::Time::new(BEGIN as i64, 0)), created: None };
    fcs_sys::open_root(path).unwrap().dir.set_times(times).unwrap();
}
