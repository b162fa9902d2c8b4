//! What recovery makes of a removal: the table of [`super`].

use std::collections::BTreeSet;

use fcs_sys::{DirRef, Root};

use crate::history::disk::if_there;
use crate::history::journal::Journal;
use crate::history::ledger::{LedgerFolder, LedgerStep};
use crate::history::recover::{SettleError, Settled, Settler};
use crate::history::{Record, RecoveryAction, RecoveryItem, RemovedTo};
use crate::lift::move_lifted;
use crate::names::{aside_name, kept_name};
use crate::progress::full_path;
use crate::{Error, Op};

impl Settler<'_> {
    /// The folder is gone. That is what a run does that removes it; its items must then be in the undo store.
    pub(crate) fn settle_missing(
        &self,
        root: &Root,
        folder: &LedgerFolder,
        steps: &mut [LedgerStep],
        journal: &mut Journal,
        items: &mut Vec<RecoveryItem>,
    ) {
        let may_be_gone = |step: &LedgerStep| step.intended || self.stored.contains(&step.number);
        for step in steps.iter_mut().filter(|step| may_be_gone(step) && !step.committed && step.removes()) {
            let stored = kept_name(step.number).and_then(|name| if_there(self.kept.stat(&name)));
            match stored {
                Ok(there)
                    if there.is_some() || self.removed == RemovedTo::RecycleBin || step.emptied.is_some() =>
                {
                    step.committed = true;
                    journal.append(&Record::Committed { step: step.number, new: None });
                    items.push(RecoveryItem::done(folder.path.join(&step.name), RecoveryAction::KeptRemoved));
                }
                Ok(_) => {}
                Err(e) => {
                    let path = folder.path.join(&step.name);
                    let error = Error::os(Op::Restore, full_path(&root.path, &path), e);
                    items.push(RecoveryItem::left(path, error));
                }
            }
        }
    }

    pub(crate) fn settle_removal(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        journal: &mut Journal,
    ) -> Result<Settled, SettleError> {
        let (stored, aside) = (kept_name(step.number)?, aside_name(self.run, step.number)?);
        let is_aside = if_there(dir.stat(&aside))?.is_some();
        let is_kept = is_aside || if_there(self.kept.stat(&stored))?.is_some();
        if is_aside {
            // Into the store now, or known to be beside, so that it is pruned with the rest.
            self.keep(dir, &aside, step, journal)?;
        }
        let there = if_there(dir.stat(&step.name))?.is_some();
        if !there && is_kept && self.making_way.contains(&step.number) {
            // The folder was not made any more: better the old item than none.
            let stored = if_there(self.kept.stat(&stored))?.map(|_| (self.kept, &stored));
            let (from, name) = stored.unwrap_or((dir, &aside));
            let lift = |was| journal.write_down(&Record::LiftedItem { step: step.number, was });
            move_lifted(from, name, dir, &step.name, lift)?;
            return Ok(Settled::Done(RecoveryAction::Restored));
        }
        Ok(match (there, is_kept) {
            // Kept: the removal stands, even if somebody made a new item there since.
            (_, true) => Settled::Committed(None),
            (false, false) if self.removed == RemovedTo::RecycleBin || step.emptied.is_some() => {
                Settled::Committed(None)
            }
            // Not reached; or somebody removed it while the run was interrupted.
            (_, false) => Settled::Untouched,
        })
    }
}

/// What went with a folder that was found in the undo store stays removed with it, as the record of that folder says.
pub(crate) fn settle_carried(
    folders: &[LedgerFolder],
    steps: &mut [LedgerStep],
    items: &mut Vec<RecoveryItem>,
) {
    let done: BTreeSet<u64> = steps
        .iter()
        .filter(|step| step.committed && !step.carries.is_empty())
        .map(|step| step.number)
        .collect();
    for folder in folders.iter().filter(|_| !done.is_empty()) {
        for step in &mut steps[folder.steps.clone()] {
            if !step.committed && step.within.is_some_and(|folder| done.contains(&folder)) {
                step.committed = true;
                items.push(RecoveryItem::done(folder.path.join(&step.name), RecoveryAction::KeptRemoved));
            }
        }
    }
}
