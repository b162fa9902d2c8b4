//! How undo brings back what was removed.

use std::io;

use fcs_sys::{DirRef, Kind, Name, OsReason, RelPath, Rename, reason};

use crate::ErrorKind;
use crate::history::disk::{NameState, if_there};
use crate::history::ledger::LedgerStep;
use crate::history::store::{move_to, names};
use crate::history::undo::{Back, Refusal};
use crate::history::{FileStamp, RecoveryAction, RemovedTo};
use crate::names::{kept_name, taken_name};

impl Back<'_> {
    /// Whether what a step removed is in the undo store, in a folder that went whole and did not come back.
    pub(crate) fn waits_in_store(&self, step: &LedgerStep) -> bool {
        let stored = step.within.and_then(|folder| kept_name(folder).ok());
        stored.is_some_and(|name| self.kept.stat(&name).is_ok())
    }

    pub(crate) fn return_removed(
        &mut self,
        dir: &DirRef,
        _: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        let there = if_there(dir.stat(&step.name))?;
        match (self.kept_original(dir, step)?, there) {
            (Some((from, name)), None) => {
                self.move_item(&from, &name, dir, step)?;
                Ok(Some(RecoveryAction::Restored))
            }
            (Some(_), Some(_)) => Err(Refusal::Kind(ErrorKind::Os(OsReason::AlreadyExists))),
            (None, None) if step.emptied.is_some() => {
                dir.create_dir(&step.name)?;
                make_equal(dir, step)?;
                Ok(Some(RecoveryAction::Restored))
            }
            // Made by an attempt that was interrupted before it could finish it.
            (None, Some(now)) if step.emptied.is_some() && now.kind == Kind::Folder => {
                if now.attributes.is_as_made() {
                    make_equal(dir, step)?;
                }
                Ok(None)
            }
            (None, Some(now))
                if step.before.is_some_and(|before| FileStamp::of(&now).looks_like(&before)) =>
            {
                let came_along =
                    step.within.is_some_and(|folder| self.found.returned_whole.contains(&folder));
                Ok(came_along.then_some(RecoveryAction::Restored))
            }
            (None, _) if self.removed == RemovedTo::RecycleBin => Err(Refusal::Kind(ErrorKind::InRecycleBin)),
            (None, _) => Err(Refusal::Kind(ErrorKind::OriginalLost)),
        }
    }

    /// Restores what made way for a folder, from which everything has been removed. The two are exchanged, so that the
    /// name is never empty; the folder then goes from where the original was.
    pub(crate) fn return_over_folder(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        // An interrupted attempt may have come as far as this.
        if self.judge.look(dir, &step.name, step)? == NameState::Before {
            self.remove_folder_that_made_way(step)?;
            return Ok(None);
        }
        let Some((from, name)) = self.kept_original(dir, step)? else {
            return Err(Refusal::Kind(ErrorKind::OriginalLost));
        };
        let not_empty = || Refusal::Kind(ErrorKind::Os(OsReason::FolderNotEmpty));
        match if_there(dir.stat(&step.name))?.map(|now| now.kind) {
            None => {
                move_to(&from, &name, dir, &step.name)?;
                self.remove_folder_that_made_way(step)?;
                return Ok(Some(RecoveryAction::Restored));
            }
            Some(Kind::Folder) => {
                // Where its own permissions would keep it from being moved.
                let folder = self.open(&path.join(&step.name))?;
                if !names(&folder)?.is_empty() {
                    return Err(not_empty());
                }
                // Else a crash could keep the exchange and restore what was in the folder.
                folder.sync()?;
            }
            Some(_) => return Err(Refusal::Kind(ErrorKind::ChangedSince)),
        }
        match from.rename(&name, &**dir, &step.name, Rename::Exchange) {
            Ok(()) => {
                // Something may have been put into it in this very moment.
                if from.remove_dir(&name).is_err() {
                    from.rename(&name, &**dir, &step.name, Rename::Exchange)?;
                    return Err(not_empty());
                }
            }
            Err(e) if reason(&e) == OsReason::Unsupported => {
                let taken = taken_name(step.number)?;
                move_to(dir, &step.name, self.kept, &taken)?;
                if let Err(e) = move_to(&from, &name, dir, &step.name) {
                    // Rather the folder than nothing.
                    move_to(self.kept, &taken, dir, &step.name)?;
                    return Err(e.into());
                }
                self.remove_folder_that_made_way(step)?;
            }
            Err(e) => return Err(e.into()),
        }
        Ok(Some(RecoveryAction::Restored))
    }

    /// Removes the folder that an attempt took from the name of an original that is back.
    pub(crate) fn remove_folder_that_made_way(&self, step: &LedgerStep) -> io::Result<()> {
        for name in [kept_name(step.number)?, taken_name(step.number)?] {
            if if_there(self.kept.stat(&name))?.is_some_and(|now| now.kind == Kind::Folder) {
                self.kept.remove_dir(&name)?;
            }
        }
        Ok(())
    }

    /// As [`Back::original`] for a removed item, whose name in the store can hold nothing else: a folder's number may
    /// not have lasted, and nothing else tells folders apart.
    pub(crate) fn kept_original(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
    ) -> io::Result<Option<(DirRef, Name)>> {
        let stored = kept_name(step.number)?;
        if if_there(self.kept.stat(&stored))?.is_some() {
            return Ok(Some((self.kept.clone(), stored)));
        }
        self.original(dir, step)
    }
}

/// Finishes a folder that stands in for one which could not be kept.
pub(crate) fn make_equal(dir: &DirRef, step: &LedgerStep) -> io::Result<()> {
    step.emptied.as_ref().map_or(Ok(()), |folder| folder.give(&*dir.open_dir(&step.name)?))
}
