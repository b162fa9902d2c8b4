//! How undo brings back what was replaced, and takes away what is new.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use fcs_sys::{DirRef, Name, OsReason, RelPath, Rename, reason};

use crate::dir_cursor::DirCursor;
use crate::hashing::work;
use crate::history::Ledger;
use crate::history::disk::{NameState, if_there};
use crate::history::ledger::LedgerStep;
use crate::history::recover::sync;
use crate::history::store::move_to;
use crate::history::undo::{Back, LOT, Refusal, threads};
use crate::history::{FileStamp, Record, RecoveryAction, RecoveryItem, log};
use crate::names::{aside_name, kept_name, staged_name, taken_name};
use crate::progress::full_path;
use crate::{Error, ErrorKind, Op};

impl Back<'_> {
    /// Where the original of a step is kept. What is under a name that only originals get is one, even if it was
    /// written to since through a handle that was open before the run.
    pub(crate) fn original(&self, dir: &DirRef, step: &LedgerStep) -> io::Result<Option<(DirRef, Name)>> {
        for (place, name) in [(self.kept, kept_name(step.number)?), (dir, aside_name(self.run, step.number)?)]
        {
            if !matches!(self.judge.look(place, &name, step)?, NameState::Nothing | NameState::New(_)) {
                return Ok(Some((place.clone(), name)));
            }
        }
        let staged = staged_name(self.run, step.number)?;
        let is_original = self.judge.look(dir, &staged, step)? == NameState::Before;
        Ok(is_original.then(|| (dir.clone(), staged)))
    }

    /// Remembers the change time of a new item that was taken from its name and put back, so that the next attempt
    /// knows it. Only of one that was untouched before.
    pub(crate) fn note_move(&mut self, dir: &DirRef, step: &LedgerStep) {
        let now = dir.stat(&step.name).map(|now| FileStamp::of(&now));
        if let (Ok(now), Some(new)) = (now, step.new)
            && now.is(&new)
        {
            self.found.moved.push(Record::Committed { step: step.number, new: Some(now) });
        }
    }

    pub(crate) fn return_replaced(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        let original = self.original(dir, step)?;
        let at_name = self.judge.look(dir, &step.name, step)?;
        let Some((from, name)) = original else {
            return match at_name {
                NameState::Before => {
                    self.collect_leftovers(dir, path, step)?;
                    Ok(None)
                }
                // What had moved there has moved back, in an attempt before this one.
                NameState::Nothing if self.resumed && step.moved_from.is_some() => {
                    self.collect_leftovers(dir, path, step)?;
                    Ok(None)
                }
                _ => Err(Refusal::Kind(ErrorKind::OriginalLost)),
            };
        };
        match at_name {
            NameState::New(now) if self.is_untouched(dir, &now, step)? => {}
            // Removed already, before an interruption.
            NameState::Nothing => {
                self.move_item(&from, &name, dir, step)?;
                return Ok(Some(RecoveryAction::Restored));
            }
            _ => return Err(Refusal::Kind(ErrorKind::ChangedSince)),
        }
        if !step.replaces_folder() || !Arc::ptr_eq(&from, self.kept) {
            return self.exchange(dir, path, step, &from, name);
        }
        let lift = |was| self.write_down(&Record::LiftedItem { step: step.number, was });
        let beside = log::bring_beside(self.run, self.kept, dir, step.number, lift)?;
        let done = self.exchange(dir, path, step, dir, beside.clone());
        // What is not needed, or could not return, goes with the run.
        match (&done, self.found.leftovers.last_mut()) {
            (Ok(_), Some((place @ Some(_), name))) => {
                let taken = taken_name(step.number)?;
                if move_to(dir, name, self.kept, &taken).is_ok() {
                    (*place, *name) = (None, taken);
                }
            }
            (Ok(_), _) => {}
            (Err(_), _) => self.keep_again(dir, &beside, step),
        }
        done
    }

    /// Moves an original that did not get its name into the undo store, where it was.
    pub(crate) fn keep_again(&mut self, dir: &DirRef, name: &Name, step: &LedgerStep) {
        if !matches!(self.judge.look(dir, name, step), Ok(NameState::Nothing | NameState::New(_)))
            && !self.is_kept_again(dir, name, step)
        {
            self.found.moved.push(Record::Aside { step: step.number });
        }
    }

    pub(crate) fn is_kept_again(&mut self, dir: &DirRef, name: &Name, step: &LedgerStep) -> bool {
        let lift = |was| self.write_down(&Record::LiftedItem { step: step.number, was });
        matches!(log::keep(self.run, self.kept, dir, name, step.number, lift), Ok(log::KeptIn::InStore))
    }

    /// Exchanges the new item at a name with the original, which waits at another.
    pub(crate) fn exchange(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
        from: &DirRef,
        name: Name,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        match from.rename(&name, &**dir, &step.name, Rename::Exchange) {
            Ok(()) => {
                let out = self.judge.look(from, &name, step);
                if !matches!(out, Ok(NameState::New(_))) {
                    // Replaced by another program in this very moment, or it cannot be known.
                    from.rename(&name, &**dir, &step.name, Rename::Exchange)?;
                    self.note_move(dir, step);
                    return Err(out.map_or_else(Refusal::Os, |_| Refusal::Kind(ErrorKind::ChangedSince)));
                }
                let beside = !Arc::ptr_eq(from, self.kept);
                self.found.leftovers.push((beside.then(|| path.clone()), name));
            }
            Err(e) if reason(&e) == OsReason::Unsupported => {
                // The name is empty for a moment; an interruption here is found as `NameState::Nothing`.
                self.take_away(dir, path, step)?;
                if let Err(e) = move_to(from, &name, dir, &step.name) {
                    // Rather the new item than none.
                    if let Some((beside, taken)) = self.found.leftovers.pop() {
                        let place = if beside.is_some() { dir } else { self.kept };
                        move_to(place, &taken, dir, &step.name)?;
                        self.note_move(dir, step);
                    }
                    return Err(e.into());
                }
            }
            Err(e) => return Err(e.into()),
        }
        Ok(Some(RecoveryAction::Restored))
    }

    pub(crate) fn take_away(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        match self.judge.look(dir, &step.name, step)? {
            NameState::New(now) if self.is_untouched(dir, &now, step)? => {}
            NameState::Nothing => {
                self.collect_leftovers(dir, path, step)?;
                return Ok(None);
            }
            _ => return Err(Refusal::Kind(ErrorKind::ChangedSince)),
        }
        let (mut to, mut taken) = (self.kept.clone(), taken_name(step.number)?);
        match move_to(dir, &step.name, &to, &taken) {
            Err(e) if reason(&e) == OsReason::OtherVolume => {
                (to, taken) = (dir.clone(), staged_name(self.run, step.number)?);
                move_to(dir, &step.name, &to, &taken)?;
            }
            other => other?,
        }
        let out = self.judge.look(&to, &taken, step);
        if !matches!(out, Ok(NameState::New(_))) {
            // Replaced by another program in this very moment, or it cannot be known.
            move_to(&to, &taken, dir, &step.name)?;
            self.note_move(dir, step);
            return Err(out.map_or_else(Refusal::Os, |_| Refusal::Kind(ErrorKind::ChangedSince)));
        }
        let beside = !Arc::ptr_eq(&to, self.kept);
        self.found.leftovers.push((beside.then(|| path.clone()), taken));
        Ok(Some(RecoveryAction::Removed))
    }

    /// New items that an interrupted undo took away and left beside.
    pub(crate) fn collect_leftovers(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
    ) -> io::Result<()> {
        for name in [aside_name(self.run, step.number)?, staged_name(self.run, step.number)?] {
            if matches!(self.judge.look(dir, &name, step)?, NameState::New(_)) {
                self.found.leftovers.push((Some(path.clone()), name));
            }
        }
        Ok(())
    }

    /// Deletes the new items that were removed, once every original is durably restored.
    pub(crate) fn remove_leftovers(&mut self, ledger: &Ledger) -> io::Result<()> {
        if self.found.leftovers.is_empty() {
            return Ok(());
        }
        let out_of_reach = sync(self.root, &ledger.folders, &mut self.way)?;
        self.kept.sync()?;
        let mut is_durable = true;
        for item in out_of_reach {
            // Where nothing was done, nothing need be durable.
            is_durable &= self.refused.contains(&item.path);
            self.leave(item);
        }
        if !is_durable {
            // They stay where they are, and go with the run.
            return Ok(());
        }
        let leftovers = std::mem::take(&mut self.found.leftovers);
        let lots: Vec<_> = leftovers.chunks(LOT).collect();
        let (root, kept) = (self.root, self.kept);
        let begin = || (DirCursor::new(&root.dir), Vec::new(), Ok(()));
        let (threads, _) =
            work("fcs-undo", threads().min(lots.len()), &lots, begin, |(way, left, done), lot| {
                for (folder, name) in *lot {
                    let dir = match folder {
                        Some(path) => match way.open(path) {
                            Ok(dir) => dir,
                            Err(e) => {
                                let error = Error::os(Op::Open, full_path(&root.path, path), e);
                                left.push(RecoveryItem::left(path.clone(), error));
                                continue;
                            }
                        },
                        None => kept.clone(),
                    };
                    if let Err(e) = if_there(dir.remove_file(name)) {
                        *done = Err(e);
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            });
        for (_, left, done) in threads {
            left.into_iter().for_each(|item| self.leave(item));
            done?;
        }
        Ok(())
    }
}
