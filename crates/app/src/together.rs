//! Runs of this user that must not go on at the same time, on this machine.
//!
//! A root that is written to is locked by itself, whoever writes to it. But two runs of one pair may write to different sides, and
//! a run that goes by what both sides were must not have one changed under its eyes, though it only reads that one. So each run
//! also locks its pair, the root that it writes to, and the one that it goes by without writing to it, in a folder of this user's.
//! A plain copy does not lock what it copies from: others may copy from there as well, and what changes is noticed file by file.
//!
//! Invariant: nothing is written to a root for this. Where there can be no such locks (no home, a home without locks or within one
//! of the roots, another machine), those of the roots still hold.

use std::path::Path;

use fcs_engine::StartError;
use fcs_engine::compare::Side;
use fcs_engine::memory::RootIdentity;
use fcs_engine::session::{Folders, Proposal, SessionError, Task, root_identity};
use fcs_state::{HeldLocks, LockError, LockName, Use};
use fcs_sys::Root;

use crate::pairs;

/// What a run holds until it is over and remembered.
#[derive(Debug)]
pub struct Holding(Option<HeldLocks>);

impl Holding {
    /// Gives it back.
    pub fn release(self) {
        if let Some(locks) = self.0 {
            locks.release();
        }
    }
}

/// Takes what a run of this proposal needs for itself.
///
/// # Errors
///
/// [`StartError::Locked`] where another run goes by the same.
pub fn hold(folders: &Folders, proposal: &Proposal) -> Result<Holding, SessionError> {
    hold_in(pairs::folder().as_deref(), folders, proposal)
}

/// The same, with the locks beside this folder for memories.
///
/// # Errors
///
/// As for [`hold`].
pub fn hold_in(
    memories: Option<&Path>,
    folders: &Folders,
    proposal: &Proposal,
) -> Result<Holding, SessionError> {
    let roots = [&folders.left, &folders.right];
    let [Ok(left), Ok(right)] = roots.map(root_identity) else { return Ok(Holding(None)) };
    let identities = [left, right];
    let goes_by_both = matches!(proposal.task, Task::Sync(_) | Task::Directed(_));
    let mut wanted = vec![(LockName::of_pair(&identities), Use::Alone, folders.root(proposal.task.target()))];
    // A plan that cannot be carried out is refused by the run.
    let parts = proposal.plan.parts().unwrap_or_default();
    let written: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(|part| part.root).collect();
    for side in [Side::Left, Side::Right] {
        let is_written = written.contains(&side.into());
        let how = match (is_written, goes_by_both) {
            (true, _) => Use::Alone,
            (false, true) => Use::Shared,
            (false, false) => continue,
        };
        wanted.push((
            LockName::of_root(&identities[usize::from(side == Side::Right)]),
            how,
            folders.root(side),
        ));
    }
    take(memories, roots.as_slice(), &wanted)
}

/// Takes what an undo in these roots needs for itself.
///
/// # Errors
///
/// As for [`hold`].
pub fn hold_roots(roots: &[Root]) -> Result<Holding, SessionError> {
    hold_roots_in(pairs::folder().as_deref(), roots)
}

/// The same, with the locks beside this folder for memories.
///
/// # Errors
///
/// As for [`hold`].
pub fn hold_roots_in(memories: Option<&Path>, roots: &[Root]) -> Result<Holding, SessionError> {
    let alone =
        |root| root_identity(root).ok().map(|is: RootIdentity| (LockName::of_root(&is), Use::Alone, root));
    let wanted: Vec<_> = roots.iter().filter_map(alone).collect();
    take(memories, &roots.iter().collect::<Vec<_>>(), &wanted)
}

fn take(
    memories: Option<&Path>,
    roots: &[&Root],
    wanted: &[(LockName, Use, &Root)],
) -> Result<Holding, SessionError> {
    let Some(memories) = memories else { return Ok(Holding(None)) };
    let is_apart = pairs::open_in(Some(memories)).is_ok_and(|states| states.is_apart_from(roots));
    if !is_apart {
        return Ok(Holding(None));
    }
    let folder = memories.with_file_name("locks");
    let names: Vec<_> = wanted.iter().map(|(name, how, _)| (name.clone(), *how)).collect();
    match HeldLocks::take(&folder, &names, &format!("a run by process {}", std::process::id())) {
        Ok(locks) => Ok(Holding(Some(locks))),
        Err(LockError::InUse { name, holder }) => {
            let root = wanted.iter().find(|(of, ..)| *of == name).map_or(roots[0], |(.., root)| root);
            let holder = holder.unwrap_or_else(|| "another process".to_owned());
            let error = StartError::Locked { root: root.path.clone(), holder };
            Err(SessionError::Start { root: root.path.clone(), error })
        }
        // Somebody holds what is held for moments: whether the rest is free is not known.
        Err(LockError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
            let (root, holder) = (roots[0], "another process".to_owned());
            let error = StartError::Locked { root: root.path.clone(), holder };
            Err(SessionError::Start { root: root.path.clone(), error })
        }
        Err(LockError::Io(error)) => {
            tracing::info!(%error, "there are no locks of this user; those of the roots must do");
            Ok(Holding(None))
        }
    }
}
