//! Dates: the step and the range in which a volume keeps them. Tried only for whoever asks what a volume does: a run
//! reads every date back that it sets, and a comparison sees in the dates themselves what became of them.
//!
//! Limit: some programs that serve a file system show a date as it was given until they are ended (`exfat-fuse`), so
//! the range that was seen may be larger than the true one.

use std::io;

use fcs_sys::{Handle, Metadata, Time, Times};

use super::{Scratch, name};
use crate::dates::{Changed, image};

/// What was seen. `None` is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct DateFacts {
    /// Steps of the modified times of files, in nanoseconds; 1 where all are kept.
    pub file_step_nanos: Option<u64>,
    /// The same of folders.
    pub folder_step_nanos: Option<u64>,
    /// The date 1600-01-01 is kept.
    pub holds_1600: Option<bool>,
    /// The date 1960-01-01 is kept.
    pub holds_1960: Option<bool>,
    /// The date 2100-01-01 is kept.
    pub holds_2100: Option<bool>,
    /// The date 2500-01-01 is kept.
    pub holds_2500: Option<bool>,
}

/// Tries it.
pub(super) fn ask(scratch: &Scratch) -> DateFacts {
    let mut found = DateFacts::default();
    if let Err(error) = try_all(scratch, &mut found) {
        tracing::debug!(%error, "dates could not be tried to the end");
    }
    found
}

fn try_all(scratch: &Scratch, found: &mut DateFacts) -> io::Result<()> {
    let (dir, file, folder) = (scratch.dir(), name(b"dates")?, name(b"dated")?);
    let open = dir.create_file(&file)?;
    dir.create_dir(&folder)?;
    found.file_step_nanos = step(&*open);
    found.folder_step_nanos = step(&*dir.open_dir(&folder)?);
    let holds = |seconds| {
        let date = Time::new(seconds, 0);
        let set = open.set_times(Times { modified: Some(date), created: None });
        Some(set.is_ok() && dir.stat(&file).ok()?.modified.distance_nanos(date) < 2_000_000_000)
    };
    found.holds_1600 = holds(-11_676_096_000);
    found.holds_1960 = holds(-315_619_200);
    found.holds_2100 = holds(4_102_444_800);
    found.holds_2500 = holds(16_725_225_600);
    Ok(())
}

/// What a new file shows that was given these dates; `None` where the system takes none such.
pub(super) fn shown(scratch: &Scratch, times: Times) -> io::Result<Option<Metadata>> {
    let file = name(b"given")?;
    let open = scratch.dir().create_file(&file)?;
    if open.set_times(times).is_err() {
        return Ok(None);
    }
    drop(open);
    scratch.dir().stat(&file).map(Some)
}

/// The step in which an item's modified time is kept; `None` where it cannot be set.
fn step(item: &dyn Handle) -> Option<u64> {
    // An odd second, with a digit in each place.
    let given = Time::new(1_000_000_001, 987_654_321);
    item.set_times(Times { modified: Some(given), created: None }).ok()?;
    let shown = item.metadata().ok()?.modified;
    match image(given, shown) {
        _ if given == shown => Some(1),
        Some(Changed::Cut(step)) => Some(step),
        Some(Changed::OutOfRange) | None => None,
    }
}
