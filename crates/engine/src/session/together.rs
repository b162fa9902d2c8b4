//! A run that wrote to two roots, undone or recovered in both.
//!
//! Each root has a journal of its own, under one run id, which names the root that the other side was. So from either of
//! them the other is found, as long as it is at its path.
//!
//! Invariant: what is done to one root is what would be done to it alone; a root that cannot be found holds nothing up.
//! This module must not know how a user is asked.

use std::path::Path;

use fcs_sys::Root;

use super::root::{check_not_moved, open, start};
use super::{SessionError, recover, undo};
use crate::Control;
use crate::error::display_path;
use crate::history::{self, RecoverMode, RecoveryReport, RunId, RunInfo, RunState, StartError};

/// What a recovery or an undo did in one root.
#[derive(Debug)]
pub struct InRoot {
    /// The root.
    pub root: Root,
    /// What was done there.
    pub reports: Vec<RecoveryReport>,
}

/// The roots on which there are these runs, which one of them lists and which belong together: that one first, then all others.
pub fn roots_of_all(root: &Root, runs: &[RunInfo]) -> Vec<Root> {
    let mut roots = vec![root.clone()];
    for other in runs.iter().flat_map(|run| roots_of(root, run)) {
        if roots.iter().all(|known| known.path != other.path) {
            roots.push(other);
        }
    }
    roots
}

/// The roots on which there is a run that one of them lists: that one first, then the other side, where the run wrote there
/// too and it is where it was.
pub fn roots_of(root: &Root, run: &RunInfo) -> Vec<Root> {
    let mut roots = vec![root.clone()];
    // Where the source was read only, its folder has no run of that id.
    let other = open(Path::new(&run.source)).ok().filter(|other| display_path(&other.path) == run.source);
    let Some(other) = other.filter(|other| other.path != root.path) else { return roots };
    if history::list(&other).is_ok_and(|runs| runs.iter().any(|theirs| theirs.run == run.run)) {
        roots.push(other);
    }
    roots
}

/// Undoes a run, and all that belong to it, in every root that it wrote to. A root in which it was undone already, as when
/// an earlier undo was cut short between the two, is left out.
///
/// # Errors
///
/// As for [`undo`]; then nothing was changed in any of them. What fails in the second root after the first was undone is
/// told in that root's error.
pub fn undo_in_all(roots: &[Root], run: &RunId, control: &Control) -> Result<Vec<InRoot>, SessionError> {
    // On one of the roots may be a run that only did the rest of it.
    let lists = roots.iter().filter_map(|root| history::list(root).ok());
    let group = lists.flatten().find(|theirs| theirs.run == *run).map(|theirs| theirs.group().clone());
    let group = group.as_ref().unwrap_or(run);
    let mut wanted = Vec::new();
    for root in roots {
        check_not_moved(root)?;
        let runs = history::list(root).map_err(|error| start(root, StartError::Failed(error)))?;
        if let Some(theirs) = runs.iter().find(|theirs| theirs.group() == group && theirs.undoable) {
            wanted.push((root, theirs.run.clone()));
        }
        // Before the first is touched: one that is being worked on would stay as it is while the other goes back.
        if let Ok(Some(holder)) = history::in_progress(root) {
            return Err(start(root, StartError::Locked { root: root.path.clone(), holder }));
        }
        let waiting = history::unfinished(root).map_err(|error| start(root, StartError::Failed(error)))?;
        if !waiting.is_empty() {
            return Err(start(root, StartError::Unfinished { root: root.path.clone(), runs: waiting }));
        }
    }
    let Some(first) = roots.first() else { return Ok(Vec::new()) };
    if wanted.is_empty() {
        // In its own words.
        return undo(first, Some(run), control).map(|report| vec![in_root(first, vec![report])]);
    }
    let undo_one = |(root, run): (&Root, RunId)| Ok(in_root(root, vec![undo(root, Some(&run), control)?]));
    wanted.into_iter().map(undo_one).collect()
}

/// Recovers every interrupted run of a root, and each of them in the other root that it wrote to, all in one way: else one
/// side would keep what the other rolls back.
///
/// # Errors
///
/// As for [`recover`].
pub fn recover_in_all(root: &Root, how: RecoverMode, control: &Control) -> Result<Vec<InRoot>, SessionError> {
    let waiting = history::unfinished(root).map_err(|error| start(root, StartError::Failed(error)))?;
    let mut all = vec![in_root(root, Vec::new())];
    let mut ended = Vec::new();
    for run in &waiting {
        for other in roots_of(root, run).into_iter().skip(1) {
            let theirs = history::list(&other).map_err(|error| start(&other, StartError::Failed(error)))?;
            let Some(theirs) = theirs.into_iter().find(|theirs| theirs.run == run.run) else { continue };
            if theirs.state == RunState::Unfinished {
                if all.iter().all(|known| known.root.path != other.path) {
                    all.push(in_root(&other, Vec::new()));
                }
            } else if how == RecoverMode::RollBack && theirs.undoable {
                // It had ended there already when it was cut short here.
                ended.push((other, theirs.run));
            }
        }
    }
    for at in &mut all {
        at.reports = recover(&at.root, how, control)?;
    }
    for (other, run) in ended {
        let report = undo(&other, Some(&run), control)?;
        all.push(in_root(&other, vec![report]));
    }
    Ok(all)
}

fn in_root(root: &Root, reports: Vec<RecoveryReport>) -> InRoot {
    InRoot { root: root.clone(), reports }
}
