//! Removes an item: it goes into the undo store, a folder once it is empty or whole by one rename.
//!
//! Recovery:
//!
//! | at the name | beside or in the store | then |
//! |---|---|---|
//! | anything | original | the removal stands; committed |
//! | nothing, and a folder was to take the name | original | the original comes back |
//! | nothing | nothing, and it went to the recycle bin or was an empty folder | committed |
//! | anything | nothing | not reached |
//!
//! Undo restores the original to its name while that is free. Where a folder took the name, both are exchanged once
//! the folder is empty, so that the name is never empty.
//!
//! Invariant: an original leaves the undo store only for its name.

mod absent;
mod carry_out;
mod held;
mod recover;
mod undo;
mod whole;

use std::io;

pub(crate) use carry_out::{carry_out, dry_run, made_way, make_way};
pub(crate) use held::Failures;
pub(crate) use recover::settle_carried;

use crate::history::journal::Journal;
use crate::history::record::StepKind;
use crate::ops::{folder_stamp, list_folder, step_record};
use crate::plan::Part;

/// Lists what is removed.
pub(crate) fn list(plan: &Part<'_>, journal: &mut Journal) -> io::Result<()> {
    for folder in plan.removals {
        let steps =
            folder.items.iter().map(|item| step_record(&item.name, Some(&item.expect), StepKind::Remove));
        let before = Some(folder_stamp(&folder.expect, None));
        list_folder(&folder.path, false, before, None, steps, journal)?;
    }
    Ok(())
}
