//! Puts a file or a link at a name: staged beside it, verified, and exchanged with what was there, which goes into the
//! undo store.
//!
//! `run/` fills, verifies and syncs what is staged, in batches (`fill`, `verify`, `committer`); how it gets its name is in
//! `commit`. Recovery looks at three names, the target's own, the staged or
//! kept-aside one beside it, and the one in the undo store. From what is there follows the one action that leaves the
//! target complete and the original safe:
//!
//! | at the name | beside or in the store | then |
//! |---|---|---|
//! | new, content as verified | original | the original goes into the undo store; committed |
//! | new, content not as verified | original | the original comes back; the other goes into the undo store |
//! | original | new or unfinished | the unfinished copy goes |
//! | new | something else | it is what was displaced: into the undo store |
//! | nothing | original | the original comes back |
//! | something else | original | left alone; the original goes into the undo store |
//!
//! Undo exchanges the two again, or takes the new item away where nothing was.
//!
//! Invariant: an original is only ever renamed, and a new item is not deleted before every original is back and durable.

mod commit;
mod recover;
mod undo;

use std::io;

pub(crate) use commit::Committed;

use crate::history::journal::Journal;
use crate::history::record::StepKind;
use crate::ops::{folder_stamp, list_folder, step_record};
use crate::plan::{Action, Part};

/// Lists the folders in which something is put, or whose dates are set, with the steps in them.
pub(crate) fn list(plan: &Part<'_>, journal: &mut Journal) -> io::Result<()> {
    for folder in plan.folders {
        let wanted = (folder.create || folder.sync_times)
            .then(|| folder_stamp(&folder.expect_source, folder.created[0]));
        let before = folder.expect_target.as_ref().map(|f| folder_stamp(f, folder.created[1]));
        let steps = folder.steps.iter().map(|step| {
            let kind = match step.action {
                Action::SetTimes => StepKind::SetMetadata,
                Action::CopyFile { .. } | Action::CopyLink => StepKind::Put,
            };
            step_record(&step.target_name, step.expect_target.as_ref(), kind)
        });
        list_folder(&folder.target_path, folder.create, before, wanted, steps, journal)?;
    }
    Ok(())
}
