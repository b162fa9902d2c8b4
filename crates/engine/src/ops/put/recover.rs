//! What recovery makes of an item that was to be put: the table of [`super`].

use std::io;
use std::sync::Arc;

use fcs_sys::{DirRef, Kind, Name, OsReason, Rename, Times, reason};

use crate::history::disk::{Judge, NameState, has_content, if_there};
use crate::history::journal::Journal;
use crate::history::ledger::LedgerStep;
use crate::history::recover::{SettleError, Settled, Settler};
use crate::history::store::move_to;
use crate::history::{FileStamp, Record, RecoveryAction, log};
use crate::identity::Numbers;
use crate::names::{aside_name, damaged_name, kept_name, staged_name};

impl Settler<'_> {
    pub(crate) fn settle_put(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        journal: &mut Journal,
    ) -> Result<Settled, SettleError> {
        let (staged, aside) = (staged_name(self.run, step.number)?, aside_name(self.run, step.number)?);
        let stored = kept_name(step.number)?;
        let at_name = self.judge.look(dir, &step.name, step)?;
        let beside = self.judge.look(dir, &staged, step)?;
        let is_aside = if_there(dir.stat(&aside))?.is_some();
        let is_stored = if_there(self.kept.stat(&stored))?.is_some();
        // Where the original is, if it is not at its name.
        let original: Option<(&DirRef, &Name)> = if beside == NameState::Before {
            Some((dir, &staged))
        } else if is_aside {
            Some((dir, &aside))
        } else if is_stored {
            Some((self.kept, &stored))
        } else {
            None
        };
        match at_name {
            NameState::New(seen) if step.committed || has_content(dir, &step.name, step)? != Some(false) => {
                if let Some((from, name)) = original
                    && !is_stored
                {
                    self.keep(from, name, step, journal)?;
                }
                let displaced = self.clear_beside(dir, &staged, step, Some(seen), journal)?;
                if displaced {
                    // What came out of the name was not what the plan saw, or was written to since.
                    return Err(SettleError::Foreign);
                }
                let seen = finish_link(dir, step, seen)?;
                // What was durable once was described then; since then somebody may have written to it.
                Ok(Settled::Committed(if step.committed { step.new } else { Some(seen) }))
            }
            NameState::New(seen) => {
                // Verified before it got its name, and yet not what the device holds now: the device lost it, or
                // somebody wrote to it and put its time back. It goes into the undo store, whatever it is.
                if beside != NameState::Before {
                    self.clear_beside(dir, &staged, step, Some(seen), journal)?;
                }
                let (original, is_stored) = match original {
                    Some((from, _)) if step.replaces_folder() && Arc::ptr_eq(from, self.kept) => {
                        let lift = |was| journal.write_down(&Record::LiftedItem { step: step.number, was });
                        log::bring_beside(self.run, self.kept, dir, step.number, lift)?;
                        (Some((dir, &aside)), false)
                    }
                    other => (other, is_stored),
                };
                let gone = match original {
                    Some((from, name)) => self.swap_out(dir, step, from, name, &staged)?,
                    None => take_out(&self.judge, dir, step, &staged)? && self.put_by(dir, &staged, step)?,
                };
                if !gone
                    && let Some((from, name)) = original
                    && !is_stored
                {
                    self.keep(from, name, step, journal)?;
                }
                Err(SettleError::Foreign)
            }
            NameState::Before => {
                if is_aside && number_of(dir, &aside)? != number_of(dir, &step.name)? {
                    // The original has been moved or linked aside, so what has its name now is the new item, although
                    // nothing distinguishes the two but their numbers.
                    let seen = FileStamp::of(&dir.stat(&step.name)?);
                    self.keep(dir, &aside, step, journal)?;
                    self.clear_beside(dir, &staged, step, Some(seen), journal)?;
                    return Ok(Settled::Committed(Some(seen)));
                }
                if is_aside {
                    // A second name of the original, made in order to replace it.
                    dir.remove_file(&aside)?;
                }
                let lay_around = beside != NameState::Nothing || is_aside;
                let number = number_of(dir, &step.name)?;
                if self.judge.numbers(dir)? == Numbers::Last
                    && step.before.is_some_and(|before| before.file == number)
                {
                    // The very original is at its name, so no exchange has brought anything here.
                    if_there(dir.remove_file(&staged))?;
                } else {
                    self.clear_beside(dir, &staged, step, None, journal)?;
                }
                Ok(if lay_around { Settled::Done(RecoveryAction::KeptOld) } else { Settled::Untouched })
            }
            NameState::Nothing => {
                if let Some((from, name)) = original {
                    from.rename(name, &**dir, &step.name, Rename::NoReplace).or_else(|e| {
                        let replace = || from.rename(name, &**dir, &step.name, Rename::Replace);
                        if reason(&e) == OsReason::Unsupported { replace() } else { Err(e) }
                    })?;
                }
                let displaced = self.clear_beside(dir, &staged, step, None, journal)?;
                // What had moved there has moved back; where that is, is a matter of its own step.
                let may_be_gone = step.before.is_none() || step.moved_from.is_some();
                if displaced || (original.is_none() && step.intended && !may_be_gone) {
                    return Err(SettleError::Lost);
                }
                let action =
                    if original.is_some() { RecoveryAction::Restored } else { RecoveryAction::KeptOld };
                Ok(Settled::Done(action))
            }
            NameState::Other => {
                if let Some((from, name)) = original
                    && !is_stored
                {
                    self.keep(from, name, step, journal)?;
                }
                let displaced = self.clear_beside(dir, &staged, step, None, journal)?;
                if displaced || original.is_some() {
                    return Err(SettleError::Foreign);
                }
                Ok(Settled::Done(RecoveryAction::KeptOld))
            }
        }
    }

    /// As [`take_out`] and [`Self::put_by`], and the original that waits at `from` takes the name.
    pub(crate) fn swap_out(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        from: &DirRef,
        original: &Name,
        spare: &Name,
    ) -> io::Result<bool> {
        match from.rename(original, &**dir, &step.name, Rename::Exchange) {
            Ok(()) if matches!(self.judge.look(from, original, step)?, NameState::New(_)) => {
                self.put_by(from, original, step)
            }
            Ok(()) => from.rename(original, &**dir, &step.name, Rename::Exchange).map(|()| false),
            Err(e) if reason(&e) == OsReason::Unsupported => {
                let gone = take_out(&self.judge, dir, step, spare)?;
                if gone {
                    move_to(from, original, dir, &step.name)?;
                    self.put_by(dir, spare, step)?;
                }
                Ok(gone)
            }
            Err(e) => Err(e),
        }
    }

    /// Keeps a new item that is not as it was verified.
    pub(crate) fn put_by(&self, dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<bool> {
        move_to(dir, name, self.kept, &damaged_name(step.number)?).map(|()| true)
    }

    /// Removes the unfinished copy of a step. Anything else under its staged name is kept; returns whether there was
    /// something.
    pub(crate) fn clear_beside(
        &self,
        dir: &DirRef,
        staged: &Name,
        step: &LedgerStep,
        in_place: Option<FileStamp>,
        journal: &mut Journal,
    ) -> io::Result<bool> {
        let Some(beside) = if_there(dir.stat(staged))?.map(|item| FileStamp::of(&item)) else {
            return Ok(false);
        };
        let unfinished = match self.judge.numbers(dir)? {
            Numbers::Last => is_unfinished(&beside, step, in_place),
            // Complete, or a second name of what is in place; or not complete, before any exchange could happen.
            Numbers::ProveNothing => match self.judge.look(dir, staged, step)? {
                NameState::New(_) | NameState::Nothing => true,
                NameState::Before => step.before.is_none(),
                NameState::Other => in_place.is_none() && (step.before.is_none() || step.new.is_none()),
            },
        };
        if unfinished {
            if_there(dir.remove_file(staged))?;
            return Ok(false);
        }
        self.keep(dir, staged, step, journal)?;
        Ok(true)
    }
}

/// The number of the item at a name.
pub(crate) fn number_of(dir: &DirRef, name: &Name) -> io::Result<(u64, u64)> {
    Ok(FileStamp::of(&dir.stat(name)?).file)
}

/// Whether what lies under a staged name is the unfinished copy of the step, which may go, and nothing that an
/// exchange brought there. `in_place` is the new item, if that has its final name.
pub(crate) fn is_unfinished(beside: &FileStamp, step: &LedgerStep, in_place: Option<FileStamp>) -> bool {
    if let Some(new) = in_place {
        // The copy is at its name; only a second name of it can be here too.
        return beside.file == new.file;
    }
    let Some(before) = step.before else {
        // Where nothing was, nothing is exchanged.
        return true;
    };
    if before.file == beside.file {
        return false;
    }
    match step.new {
        Some(new) => beside.file == new.file || beside.looks_like(&new),
        // No exchange was about to happen yet.
        None => true,
    }
}

/// Takes the new item of a step from its name, to `spare`. Whether it was still that: what another program is writing
/// there stays at its name.
pub(crate) fn take_out(judge: &Judge, dir: &DirRef, step: &LedgerStep, spare: &Name) -> io::Result<bool> {
    move_to(dir, &step.name, dir, spare)?;
    if matches!(judge.look(dir, spare, step)?, NameState::New(_)) {
        return Ok(true);
    }
    move_to(dir, spare, dir, &step.name)?;
    Ok(false)
}

/// Sets the time that a link had when it was verified, which a crash may have lost. Not where what the link points to
/// might get it.
pub(crate) fn finish_link(dir: &DirRef, step: &LedgerStep, now: FileStamp) -> io::Result<FileStamp> {
    match step.new {
        Some(new)
            if now.kind == Kind::Symlink
                && now.modified != new.modified
                && !crate::probe::links::in_doubt(&dir.volume()?) =>
        {
            dir.set_link_times(&step.name, Times { modified: Some(new.modified), created: None })?;
            Ok(FileStamp::of(&dir.stat(&step.name)?))
        }
        _ => Ok(now),
    }
}
