//! Runs from which a memory did not learn when they ran: of commands that go by no memory, of other pairs with one of the two
//! folders, and of other computers.
//!
//! Invariant: what such a run did to items that are remembered is forgotten once the run is missed, like what the memory's own
//! runs did. This module must not know how a run is missed.

use std::collections::{HashMap, HashSet};

use fcs_engine::history::{self, ChangedPaths, RunId};
use fcs_engine::session::Folders;
use fcs_state::{Pair, StateError};
use fcs_sys::Time;

/// A run on one side or both.
#[derive(Default)]
struct Other {
    wrote: [bool; 2],
    paths: ChangedPaths,
}

/// Notes the runs that can be undone on either side and began at `since` or later, and that the memory does not know.
pub(super) fn note(pair: &mut Pair, folders: &Folders, since: Time) -> Result<(), StateError> {
    let known: HashSet<RunId> = pair.runs()?.into_iter().map(|kept| kept.run).collect();
    let mut others: HashMap<RunId, Other> = HashMap::new();
    let mut in_order = Vec::new();
    for (side, root) in [&folders.left, &folders.right].into_iter().enumerate() {
        // What cannot be listed is not known to be gone later either.
        let listed = history::list(root).unwrap_or_default();
        let is_other = |run: &&history::RunInfo| {
            run.undoable
                && run.stands()
                && run.retries.is_none()
                && run.started >= since
                && !known.contains(&run.run)
        };
        for run in listed.iter().filter(is_other) {
            let Ok(paths) = history::paths_of(root, &run.run) else { continue };
            let other = others.entry(run.run.clone()).or_default();
            other.wrote[side] = true;
            other.paths.extend(paths);
            in_order.push((run.started, run.run.clone()));
        }
    }
    in_order.sort_unstable_by(|a, b| (a.0, a.1.as_str()).cmp(&(b.0, b.1.as_str())));
    for (_, run) in in_order {
        if let Some(Other { wrote, paths }) = others.remove(&run) {
            pair.note_run(&run, wrote, &paths)?;
        }
    }
    Ok(())
}
