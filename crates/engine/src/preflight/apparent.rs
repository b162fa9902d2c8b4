//! Why a plan may need far more room than its source takes: holes are written out, and each hard link becomes a file.
//!
//! Asked only where room is short, because it takes a look at each such file.

use std::collections::HashSet;

use fcs_sys::{FileId, Root};
use fcs_text::{count, size};

use super::{Problem, Severity};
use crate::dir_cursor::DirCursor;
use crate::plan::Part;

/// Says how much of what a plan copies is not in use on the source.
pub(super) fn problem(plan: &Part<'_>, source: &Root) -> Option<Problem> {
    let mut way = DirCursor::new(&source.dir);
    let mut seen: HashSet<FileId> = HashSet::new();
    let (mut sparse, mut names, mut apparent, mut in_use) = (0u64, 0u64, 0u64, 0u64);
    for (folder, step) in plan.steps().filter(|(_, step)| step.may_be_sparse || step.hard_linked) {
        // What cannot be asked now is not counted; the run will say what is wrong with it.
        let asked = way.open(&folder.source_path).and_then(|dir| dir.stat(&step.source_name));
        let Ok(item) = asked else { continue };
        sparse += u64::from(step.may_be_sparse);
        names += u64::from(step.hard_linked);
        apparent = apparent.saturating_add(item.size);
        if !step.hard_linked || seen.insert(item.id) {
            in_use = in_use.saturating_add(item.allocated.min(item.size));
        }
    }
    if in_use >= apparent {
        return None;
    }
    let sparse = (sparse > 0).then(|| count(sparse, "sparse file", "sparse files"));
    let names =
        (names > 0).then(|| format!("{} of files with several (hard links)", count(names, "name", "names")));
    let what: Vec<String> = sparse.into_iter().chain(names).collect();
    Some(Problem {
        severity: Severity::Warns,
        remedy: None,
        text: format!(
            "{}: {} in all, of which {} are in use on the source. Holes are written out and each name becomes a file of \
             its own, so they need the whole size on the target. Leave them out if that is too much.",
            what.join(" and "),
            size(apparent),
            size(in_use)
        ),
    })
}
