//! Two folder trees of any number of rows, for measurements: what `million` of this crate and `frames` of the window look
//! at.

#![allow(unreachable_pub)] // Each measurement makes it its own module.

use std::error::Error;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use fcs_engine::compare::{Comparison, compare};
use fcs_engine::scan::scan_pair;
use fcs_engine::{Control, Settings};

type Outcome<T> = Result<T, Box<dyn Error>>;

const STEMS: [&str; 8] = ["report", "invoice", "IMG", "holiday", "résumé", "данные", "写真", "render"];
const ENDS: [&str; 5] = ["pdf", "jpg", "docx", "txt", "flac"];
/// Files in a folder.
const FILES: usize = 25;

/// Makes two trees, `left` and `right`, of about so many rows.
pub fn make(base: &Path, rows: usize) -> Outcome<()> {
    for folder in 0..rows / (FILES + 1) {
        let path = format!("Projects {:03}/Photos {:05}", folder / 200, folder);
        for file in 0..FILES {
            let n = folder * FILES + file;
            let name = format!("{}_{:05}.{}", STEMS[n % 8], n.wrapping_mul(7919) % 100_000, ENDS[n / 8 % 5]);
            // Of twenty files two differ and one each is missing.
            for (side, absent) in [("left", 3), ("right", 2)] {
                let folder = base.join(side).join(&path);
                if file == 0 {
                    fs::create_dir_all(&folder)?;
                }
                if n % 20 == absent {
                    continue;
                }
                let differs = n % 20 < 2 && side == "right";
                let made = File::create(folder.join(&name))?;
                made.set_len((n as u64).wrapping_mul(104_729) % 50_000_000 + u64::from(differs))?;
                let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + n as u64 * 31);
                made.set_times(FileTimes::new().set_modified(modified))?;
            }
        }
    }
    Ok(())
}

/// Scans and compares them.
pub fn observe(base: &Path) -> Outcome<Comparison> {
    let (left, right) = (fcs_sys::open_root(&base.join("left"))?, fcs_sys::open_root(&base.join("right"))?);
    let settings = Settings::default();
    let control = Control::default();
    let trees = scan_pair(&left, &right, &fcs_engine::filter::Filter::default(), &settings, &control)?;
    Ok(compare((&left, Arc::new(trees.0)), (&right, Arc::new(trees.1)), &settings, &control)?)
}
