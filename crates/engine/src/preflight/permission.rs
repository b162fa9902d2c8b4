//! What a plain user may not read on the source or change on the target.
//!
//! Invariant: only what the bits refuse is asked about, and never more than [`MOST_ASKED`] items of a kind, so that a plan
//! of what one may do costs nothing.

use std::io;

use fcs_sys::{Access, DirRef, Name, OsReason, RelPath, Root, reason};
use fcs_text::count;

use super::{Problem, Sample, Severity};
use crate::dir_cursor::DirCursor;
use crate::plan::Part;

/// An access list may allow what the bits refuse. Where as many items were asked about, the rest goes by the bits: over a
/// network each costs a millisecond.
const MOST_ASKED: usize = 1000;

/// Names what will fail because this user may not do it.
pub(super) fn check(plan: &Part<'_>, source: &Root, target: &Root, problems: &mut Vec<Problem>) {
    let mut way = DirCursor::new(&source.dir);
    let unreadable = confirmed(plan.refused_reading(), |path| {
        let (dir, name) = parent(&mut way, path)?;
        dir.open_file(&name, Access::Read).map(|_| true)
    });
    problems.extend(unreadable.problem(|items, which| {
        format!(
            "{items} not copied, because you do not have permission to read: {which}. Change the permissions on the \
             source, or run as a user who may read there."
        )
    }));
    let mut way = DirCursor::new(&target.dir);
    let unwritable = confirmed(plan.refused_writing(), |path| way.open(path)?.may_change());
    problems.extend(unwritable.which().map(|which| Problem {
        severity: Severity::ItemFails, remedy: None,
        text: format!(
            "In {} nothing is added, replaced or removed, because you do not have permission: {which}. Change the \
             permissions on the target, or run as a user who may write there.",
            count(unwritable.count, "folder of another owner", "folders of other owners")
        ),
    }));
    let kept_off = confirmed(plan.refused_replacing(), |_| Ok(false));
    problems.extend(kept_off.problem(|items, which| {
        format!(
            "{items} not replaced or removed, because somebody else owns the item and a mode of its folder (the sticky \
             bit) leaves that to the owner: {which}. Run as the owner of the folder or of the item."
        )
    }));
}

/// Those of `paths` that the system refuses too. `may` asks it.
fn confirmed<'a>(
    paths: impl Iterator<Item = &'a RelPath>,
    mut may: impl FnMut(&RelPath) -> io::Result<bool>,
) -> Sample {
    let mut found = Sample::default();
    for (asked, path) in paths.enumerate() {
        // What cannot be asked for another reason is reported by the run, with that reason.
        let refuses = |answer: io::Result<bool>| match answer {
            Ok(may) => !may,
            Err(e) => reason(&e) == OsReason::PermissionDenied,
        };
        if asked >= MOST_ASKED || refuses(may(path)) {
            found.add(|| path.clone());
        }
    }
    found
}

fn parent(way: &mut DirCursor, path: &RelPath) -> io::Result<(DirRef, Name)> {
    let (parent, name) = path.split().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((way.open(&parent)?, name))
}
