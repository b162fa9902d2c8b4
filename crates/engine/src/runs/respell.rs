//! Gives an item another spelling of its name, on volumes that do not tell capital letters from small ones as on those that
//! do; and goes back.
//!
//! Such a rename is the last thing that a run does, and the first that a recovery or an undo takes back: everything else
//! then finds the paths that the journal lists. A recovery that keeps what was done renames again at its end.
//!
//! Invariant: no item is ever renamed over another one. Where both spellings lead to an item, only the folder's own list
//! tells whether there is one or two.

use std::collections::BTreeSet;
use std::io;

use fcs_sys::{DirRef, Metadata, Name, OsReason, RelPath, Rename, Root, Times, reason};

use super::journal::Journal;
use super::ledger::{Ledger, LedgerStep};
use super::record::{Record, Seen};
use super::recover::lift;
use super::store::{move_to, names};
use super::{AccountItem, Deed};
use crate::lift::Lifted;
use crate::progress::full_path;
use crate::way::Way;
use crate::{Error, Op};

/// What became of a rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Respelled {
    /// The name is spelled as wanted.
    Done,
    /// The system said so, and the name is what it was: this volume keeps the spelling that it has.
    Ignored,
}

/// What going back came to.
#[derive(Default)]
pub(super) struct Back {
    /// What was done and what could not be; an item that is gone needs nothing.
    pub(super) items: Vec<AccountItem>,
    /// Items as they were before the run renamed them, and as they are now.
    pub(super) moved: Vec<(Seen, Seen)>,
    /// Numbers of the steps that were found renamed.
    pub(super) steps: BTreeSet<u64>,
}

/// Renames `from` to `to`, another spelling of it. `AlreadyExists` where another item has that name.
pub(crate) fn respell(dir: &DirRef, from: &Name, to: &Name) -> io::Result<Respelled> {
    let there = names(dir)?;
    let is_listed = |name: &Name| there.contains(name);
    if !is_listed(from) {
        return if is_listed(to) { Ok(Respelled::Done) } else { Err(io::ErrorKind::NotFound.into()) };
    }
    if is_listed(to) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    match dir.stat(to) {
        // Here the other spelling is another name.
        Err(e) if reason(&e) == OsReason::NotFound => move_to(dir, from, dir, to)?,
        Err(e) => return Err(e),
        // It leads to the very item, so nobody can make another of that name.
        Ok(_) => dir.rename(from, &**dir, to, Rename::Replace)?,
    }
    Ok(if names(dir)?.contains(to) { Respelled::Done } else { Respelled::Ignored })
}

/// Gives the items of the steps that are `meant` the spelling that they had, the shallowest first.
pub(super) fn go_back(
    root: &Root,
    ledger: &Ledger,
    journal: &mut Journal,
    lifted: &mut Lifted,
    meant: &dyn Fn(&RelPath, &LedgerStep) -> bool,
) -> Back {
    let mut way = Way::new(&root.dir);
    let mut back = Back::default();
    // The journal lists the deepest first.
    for folder in ledger.folders.iter().rev() {
        for step in ledger.steps[folder.steps.clone()].iter().rev() {
            let Some(now) = &step.respelled else { continue };
            let path = folder.path.join(&step.name);
            if !meant(&path, step) {
                continue;
            }
            let done = way.open(&folder.path).and_then(|dir| {
                if !names(&dir)?.contains(now) {
                    return Ok(None);
                }
                lift(lifted, folder, &dir, journal)?;
                back.steps.insert(step.number);
                let done = respell(&dir, now, &step.name)?;
                if let Some(before) = step.new {
                    back.moved.push((before, Seen::of(&dir.stat(&step.name)?)));
                }
                Ok(Some(done))
            });
            match done {
                Ok(Some(Respelled::Done)) => back.items.push(AccountItem::done(path, Deed::NameBack)),
                Ok(Some(Respelled::Ignored) | None) => {}
                Err(e) if matches!(reason(&e), OsReason::NotFound | OsReason::NotAFolder) => {}
                Err(e) => {
                    let place = full_path(&root.path, &folder.path.join(now));
                    back.items.push(AccountItem::left(path, Error::os(Op::Restore, place, e)));
                }
            }
        }
    }
    back
}

/// Renames again what [`go_back`] found renamed, the deepest first. Each folder keeps its date. Returns what could not be.
pub(super) fn go_forward(
    root: &Root,
    ledger: &mut Ledger,
    journal: &mut Journal,
    again: &BTreeSet<u64>,
) -> Vec<AccountItem> {
    let mut way = Way::new(&root.dir);
    let mut items = Vec::new();
    for folder in ledger.folders.iter().filter(|_| !again.is_empty()) {
        let steps = &mut ledger.steps[folder.steps.clone()];
        let mut meant: Vec<_> = steps.iter_mut().filter(|step| again.contains(&step.number)).collect();
        if meant.is_empty() {
            continue;
        }
        let done = way.open(&folder.path).and_then(|dir| {
            let before = dir.metadata()?;
            let mut lifted = Lifted::default();
            lift(&mut lifted, folder, &dir, journal)?;
            for step in &meant {
                let Some(to) = &step.respelled else { continue };
                respell(&dir, &step.name, to)?;
            }
            keep_date(&dir, &before);
            // While its path is still the one that it had.
            lifted.give_back(&root.dir);
            dir.sync()
        });
        match done {
            Ok(()) => items.extend(meant.iter_mut().filter(|step| !step.committed).map(|step| {
                journal.append(&Record::Committed { step: step.number, new: step.new });
                step.committed = true;
                AccountItem::done(folder.path.join(&step.name), Deed::KeptNew)
            })),
            Err(e) => {
                let error = Error::os(Op::Restore, full_path(&root.path, &folder.path), e);
                items.push(AccountItem::left(folder.path.clone(), error));
            }
        }
    }
    items
}

/// Gives a folder the date that it had before something in it was renamed. Only its owner may, and somebody else's folder
/// has no date of this user's to lose.
pub(crate) fn keep_date(dir: &DirRef, before: &Metadata) {
    if let Err(error) = dir.set_times(Times { modified: Some(before.modified), created: None }) {
        tracing::debug!(%error, "the date of a folder in which something was renamed stays");
    }
}
