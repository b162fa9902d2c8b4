//! Takes a run back: every name holds again what it held before, for every item that nobody changed since.
//!
//! Order: removed items return, shallowest first, so that folders are there before what was in them; then replaced
//! and new items; then the folders the run made go, deepest first; then folders get their times back.
//!
//! Invariant: a name is changed only while it holds what the run left there, and what comes out of an exchange is
//! looked at again. A new item is not deleted before every original is back and durable.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use fcs_sys::{Access, DirRef, Kind, Name, OsReason, RelPath, Rename, Root, reason};

use super::disk::{Judge, There, has_content, if_there};
use super::journal::Journal;
use super::ledger::{Ledger, LedgerFolder, LedgerStep};
use super::record::{Ended, Record, RemovedTo, Seen};
use super::recover::{give_back_lifted, lift, sync};
use super::store::{Store, aside_name, kept_name, move_to, names, staged_name, taken_name};
use super::{Account, AccountItem, Deed, RunState};
use super::{log, respell};
use crate::identity::Numbers;
use crate::lift::{Lifted, move_lifted};
use crate::progress::full_path;
use crate::way::Way;
use crate::{Error, ErrorKind, Op};

/// Takes back what a run committed, except for what is `shadowed`: changed by later runs that stay. Idempotent: may be
/// interrupted anywhere and repeated. The ledger must be settled.
pub(crate) fn take_back(
    store: &Store,
    ledger: &Ledger,
    journal: &mut Journal,
    shadowed: &HashSet<RelPath>,
) -> io::Result<Account> {
    if !ledger.rolling_back {
        journal.append(&Record::RollBack);
        journal.sync()?;
    }
    let root = store.root();
    let kept = store.kept(&ledger.begin.run)?;
    let is_resumed = ledger.rolling_back;
    let mut back = Back {
        root,
        ledger,
        journal,
        lifted: Lifted::default(),
        respelled: ledger.respelled_too(),
        run: &ledger.begin.run,
        kept: &kept,
        judge: Judge::of(ledger),
        removed: ledger.begin.removed,
        interrupted: ledger.rolling_back,
        resumed: ledger.rolling_back || ledger.end.is_some_and(|end| end.how == Ended::PartlyUndone),
        shadowed,
        way: Way::new(&root.dir),
        items: Vec::new(),
        refused: HashSet::new(),
        leftovers: Vec::new(),
        returned: Vec::new(),
        returned_whole: HashSet::new(),
        moved: Vec::new(),
    };
    let steps = |folder: &LedgerFolder| {
        let steps = ledger.steps[folder.steps.clone()].iter();
        steps.filter(|step| step.committed && step.respelled.is_none())
    };
    // What made way for a folder returns when that is gone.
    back.respell();
    let making_way = ledger.making_way();
    let waits: HashSet<u64> = making_way.values().map(|&(_, step)| ledger.steps[step].number).collect();
    for folder in ledger.folders.iter().rev() {
        let returns = |step: &&LedgerStep| step.removes && !waits.contains(&step.number);
        for step in steps(folder).filter(returns).collect::<Vec<_>>().into_iter().rev() {
            back.step(folder, step, Back::return_removed);
        }
    }
    for folder in &ledger.folders {
        for step in steps(folder).filter(|step| !step.removes) {
            let act = match step {
                step if step.times.is_some() => Back::return_times,
                step if step.before.is_some() => Back::return_replaced,
                _ => Back::take_away,
            };
            back.step(folder, step, act);
        }
    }
    back.remove_leftovers(ledger)?;
    for folder in ledger.folders.iter().rev() {
        let way = making_way.get(&folder.path).filter(|_| folder.record.create);
        let way = way.map(|&(parent, step)| (&ledger.folders[parent], &ledger.steps[step]));
        let Some((parent, step)) = way.filter(|(_, step)| step.committed) else {
            back.folder(folder);
            continue;
        };
        back.step(parent, step, Back::return_over_folder);
    }
    // What only an attempt before this one can have lifted is looked for only where there was one.
    let looked_at: &[LedgerFolder] = if is_resumed { &ledger.folders } else { &[] };
    let lifted = std::mem::take(&mut back.lifted);
    let left = give_back_lifted(root, &mut back.way, lifted, looked_at);
    left.into_iter().for_each(|item| back.leave(item));
    let out_of_reach = sync(root, &ledger.folders, &mut back.way)?;
    out_of_reach.into_iter().for_each(|item| back.leave(item));
    kept.sync()?;

    back.clear_store(ledger)?;
    let Back { items, journal, moved, returned, .. } = back;
    let run = ledger.begin.run.clone();
    refresh(store, &run, &returned)?;
    let clean = items.iter().all(|item| !matches!(item.deed, Deed::Left | Deed::Foreign));
    let how = if clean { Ended::RolledBack } else { Ended::PartlyUndone };
    moved.iter().for_each(|record| journal.append(record));
    journal.append(&Ledger::end_record(how, 0));
    journal.sync()?;
    if clean {
        store.delete_if_empty(&run)?;
    }
    let state = if clean { RunState::RolledBack } else { RunState::PartlyUndone };
    Ok(Account { run, items, state })
}

/// A folder below the root, and what stands in it that was not finished.
struct Back<'a> {
    root: &'a Root,
    ledger: &'a Ledger,
    journal: &'a mut Journal,
    /// Folders whose permissions were lifted.
    lifted: Lifted,
    /// Steps whose items the run also renamed, which moved their change times.
    respelled: HashSet<u64>,
    run: &'a str,
    kept: &'a DirRef,
    judge: Judge,
    removed: RemovedTo,
    /// An earlier attempt was interrupted.
    interrupted: bool,
    /// An earlier attempt was interrupted, or did not succeed with everything.
    resumed: bool,
    /// What later runs changed that stay, and the folders in which they worked.
    shadowed: &'a HashSet<RelPath>,
    way: Way,
    items: Vec<AccountItem>,
    /// Folders in which something was refused, so that their times are not those of before either.
    refused: HashSet<RelPath>,
    /// New items that were taken from their names: which folder (`None` for the undo store) and name.
    leftovers: Vec<(Option<RelPath>, Name)>,
    /// Originals that came back: as they were before the run, and as they are now.
    returned: Vec<(Seen, Seen)>,
    /// Removals of folders that came back with all that was in them.
    returned_whole: HashSet<u64>,
    /// New items that were taken from their names and put back.
    moved: Vec<Record>,
}

/// Why a step was not taken back.
enum Refusal {
    Os(io::Error),
    Kind(ErrorKind),
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Self {
        Self::Os(e)
    }
}

type Act<'a> = fn(&mut Back<'a>, &DirRef, &RelPath, &LedgerStep) -> Result<Option<Deed>, Refusal>;

impl<'a> Back<'a> {
    fn step(&mut self, folder: &LedgerFolder, step: &LedgerStep, act: Act<'a>) {
        let path = folder.path.join(&step.name);
        if self.waits_in_store(step) {
            // It goes the way of the folder that it went with, and why that stays is told.
            self.refused.insert(folder.path.clone());
            return;
        }
        let done = match self.open(&folder.path) {
            // Also where nothing stands there: the later run removed it, and its undo brings it back.
            _ if self.shadowed.contains(&path) => Err(Refusal::Kind(ErrorKind::ChangedSince)),
            Ok(dir) => act(self, &dir, &folder.path, step),
            // The folder went together with what the run had put in it.
            Err(e) if is_no_folder(&e) && step.before.is_none() => Ok(None),
            Err(e) => Err(Refusal::Os(e)),
        };
        let error = match done {
            Ok(deed) => {
                if matches!(deed, Some(Deed::BroughtBack | Deed::DatesBack)) {
                    self.note_return(folder, step);
                    self.returned_whole.extend((!step.carries.is_empty()).then_some(step.number));
                }
                self.items.extend(deed.map(|deed| AccountItem::done(path, deed)));
                return;
            }
            Err(Refusal::Os(e)) => Error::os(Op::Restore, full_path(&self.root.path, &path), e),
            Err(Refusal::Kind(kind)) => AccountItem::refusal(self.root, &path, kind),
        };
        self.refused.insert(folder.path.clone());
        self.items.push(AccountItem::left(path, error));
    }

    /// Gives items that only got another spelling of their names the one that they had, before anything goes by paths.
    fn respell(&mut self) {
        let mut refused = Vec::new();
        let shadowed = self.shadowed;
        let refuse = std::cell::RefCell::new(&mut refused);
        let is_meant = |path: &RelPath, step: &LedgerStep| {
            let is_shadowed = step.committed && shadowed.contains(path);
            if is_shadowed {
                refuse.borrow_mut().push(path.clone());
            }
            step.committed && !is_shadowed
        };
        let back = respell::go_back(self.root, self.ledger, self.journal, &mut self.lifted, &is_meant);
        let refused = refused.into_iter().map(|path| {
            let error = AccountItem::refusal(self.root, &path, ErrorKind::ChangedSince);
            AccountItem::left(path, error)
        });
        self.returned.extend(back.moved);
        for item in back.items.into_iter().chain(refused) {
            if item.deed == Deed::Left {
                self.refused.extend(item.path.split().map(|(parent, _)| parent));
            }
            self.items.push(item);
        }
    }

    /// Whether what a step removed is in the undo store, in a folder that went whole and did not come back.
    fn waits_in_store(&self, step: &LedgerStep) -> bool {
        let stored = step.within.and_then(|folder| kept_name(folder).ok());
        stored.is_some_and(|name| self.kept.stat(&name).is_ok())
    }

    /// Opens a folder to work in it.
    fn open(&mut self, path: &RelPath) -> io::Result<DirRef> {
        let dir = self.way.open(path)?;
        if !fcs_sys::user::is_administrator()
            && crate::lift::needed(&dir.metadata()?).is_some()
            && let Some(folder) = self.ledger.folders.iter().find(|folder| folder.path == *path)
        {
            lift(&mut self.lifted, folder, &dir, self.journal)?;
        }
        Ok(dir)
    }

    /// As [`move_to`], also for folders that their own permissions keep from it.
    fn move_item(&mut self, from: &DirRef, name: &Name, to: &DirRef, step: &LedgerStep) -> io::Result<()> {
        let record = |was| Record::LiftedItem { step: step.number, was };
        move_lifted(from, name, to, &step.name, |was| self.journal.write_down(&record(was)))
    }

    /// Tells of a folder that could not be put in order, once.
    fn leave(&mut self, item: AccountItem) {
        if self.refused.insert(item.path.clone()) {
            self.items.push(item);
        }
    }

    /// Remembers the change time of an original that came back, which the way there and back has moved.
    fn note_return(&mut self, folder: &LedgerFolder, step: &LedgerStep) {
        let now = self.way.open(&folder.path).and_then(|dir| {
            // Where numbers prove nothing no journal goes by change times either.
            if self.judge.numbers(&dir)? == Numbers::ProveNothing {
                return Err(io::ErrorKind::Unsupported.into());
            }
            dir.stat(&step.name)
        });
        if let (Ok(now), Some(before)) = (now, step.before) {
            self.returned.push((before, Seen::of(&now)));
        }
    }

    /// Where the original of a step is kept. What is under a name that only originals get is one, even if it was
    /// written to since through a handle that was open before the run.
    fn original(&self, dir: &DirRef, step: &LedgerStep) -> io::Result<Option<(DirRef, Name)>> {
        for (place, name) in [(self.kept, kept_name(step.number)?), (dir, aside_name(self.run, step.number)?)]
        {
            if !matches!(self.judge.look(place, &name, step)?, There::Nothing | There::New(_)) {
                return Ok(Some((place.clone(), name)));
            }
        }
        let staged = staged_name(self.run, step.number)?;
        let is_original = self.judge.look(dir, &staged, step)? == There::Before;
        Ok(is_original.then(|| (dir.clone(), staged)))
    }

    /// Remembers the change time of a new item that was taken from its name and put back, so that the next attempt
    /// knows it. Only of one that was untouched before.
    fn note_move(&mut self, dir: &DirRef, step: &LedgerStep) {
        let now = dir.stat(&step.name).map(|now| Seen::of(&now));
        if let (Ok(now), Some(new)) = (now, step.new)
            && now.is(&new)
        {
            self.moved.push(Record::Committed { step: step.number, new: Some(now) });
        }
    }

    fn return_removed(
        &mut self,
        dir: &DirRef,
        _: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<Deed>, Refusal> {
        let there = if_there(dir.stat(&step.name))?;
        match (self.kept_original(dir, step)?, there) {
            (Some((from, name)), None) => {
                self.move_item(&from, &name, dir, step)?;
                Ok(Some(Deed::BroughtBack))
            }
            (Some(_), Some(_)) => Err(Refusal::Kind(ErrorKind::Os(OsReason::AlreadyExists))),
            (None, None) if step.emptied.is_some() => {
                dir.create_dir(&step.name)?;
                make_equal(dir, step)?;
                Ok(Some(Deed::BroughtBack))
            }
            // Made by an attempt that was interrupted before it could finish it.
            (None, Some(now)) if step.emptied.is_some() && now.kind == Kind::Folder => {
                if now.attributes.is_as_made() {
                    make_equal(dir, step)?;
                }
                Ok(None)
            }
            (None, Some(now)) if step.before.is_some_and(|before| Seen::of(&now).looks_like(&before)) => {
                let came_along = step.within.is_some_and(|folder| self.returned_whole.contains(&folder));
                Ok(came_along.then_some(Deed::BroughtBack))
            }
            (None, _) if self.removed == RemovedTo::RecycleBin => Err(Refusal::Kind(ErrorKind::InRecycleBin)),
            (None, _) => Err(Refusal::Kind(ErrorKind::OriginalLost)),
        }
    }

    /// Brings back what made way for a folder, which everything has been taken from. The two are exchanged, so that the
    /// name is never empty; the folder then goes from where the original was.
    fn return_over_folder(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<Deed>, Refusal> {
        // An interrupted attempt may have come as far as this.
        if self.judge.look(dir, &step.name, step)? == There::Before {
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
                return Ok(Some(Deed::BroughtBack));
            }
            Some(Kind::Folder) => {
                // Where its own permissions would keep it from being moved.
                let folder = self.open(&path.join(&step.name))?;
                if !names(&folder)?.is_empty() {
                    return Err(not_empty());
                }
                // Else a crash could keep the exchange and bring back what was in the folder.
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
        Ok(Some(Deed::BroughtBack))
    }

    /// Removes the folder that an attempt took from the name of an original that is back.
    fn remove_folder_that_made_way(&self, step: &LedgerStep) -> io::Result<()> {
        for name in [kept_name(step.number)?, taken_name(step.number)?] {
            if if_there(self.kept.stat(&name))?.is_some_and(|now| now.kind == Kind::Folder) {
                self.kept.remove_dir(&name)?;
            }
        }
        Ok(())
    }

    /// As [`Back::original`] for a removed item, whose name in the store can hold nothing else: a folder's number may
    /// not have lasted, and nothing else tells folders apart.
    fn kept_original(&self, dir: &DirRef, step: &LedgerStep) -> io::Result<Option<(DirRef, Name)>> {
        let stored = kept_name(step.number)?;
        if if_there(self.kept.stat(&stored))?.is_some() {
            return Ok(Some((self.kept.clone(), stored)));
        }
        self.original(dir, step)
    }

    /// Gives a file, of which only the dates were set, those that it had.
    fn return_times(
        &mut self,
        dir: &DirRef,
        _: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<Deed>, Refusal> {
        let changed = || Refusal::Kind(ErrorKind::ChangedSince);
        let Some([was, _]) = step.times else { return Ok(None) };
        let now = if_there(dir.stat(&step.name))?.ok_or_else(changed)?;
        if !self.judge.is_dated(dir, &now, step)? {
            return Err(changed());
        }
        if now.modified == was.modified && was.created.is_none_or(|was| now.created == Some(was)) {
            // By an attempt before this one.
            return Ok(Some(Deed::DatesBack));
        }
        let seen = Seen::of(&now);
        let as_left = step.new.is_some_and(|new| new.modified == seen.modified);
        if !as_left || !self.is_untouched(dir, &seen, step)? {
            return Err(changed());
        }
        let file = dir.open_file(&step.name, Access::SetTimes)?;
        if file.metadata()?.id != now.id {
            return Err(changed());
        }
        file.set_times(was.times())?;
        if !dir.volume()?.sync_volume {
            file.sync()?;
        }
        Ok(Some(Deed::DatesBack))
    }

    fn return_replaced(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<Deed>, Refusal> {
        let original = self.original(dir, step)?;
        let at_name = self.judge.look(dir, &step.name, step)?;
        let Some((from, name)) = original else {
            return match at_name {
                There::Before => {
                    self.collect_leftovers(dir, path, step)?;
                    Ok(None)
                }
                _ => Err(Refusal::Kind(ErrorKind::OriginalLost)),
            };
        };
        match at_name {
            There::New(now) if self.is_untouched(dir, &now, step)? => {}
            // Taken away already, before an interruption.
            There::Nothing => {
                self.move_item(&from, &name, dir, step)?;
                return Ok(Some(Deed::BroughtBack));
            }
            _ => return Err(Refusal::Kind(ErrorKind::ChangedSince)),
        }
        if !step.replaces_folder() || !Arc::ptr_eq(&from, self.kept) {
            return self.exchange(dir, path, step, &from, name);
        }
        let lift = |was| self.journal.write_down(&Record::LiftedItem { step: step.number, was });
        let beside = log::bring_beside(self.run, self.kept, dir, step.number, lift)?;
        let done = self.exchange(dir, path, step, dir, beside.clone());
        // What is not needed, or could not return, goes with the run.
        match (&done, self.leftovers.last_mut()) {
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
    fn keep_again(&mut self, dir: &DirRef, name: &Name, step: &LedgerStep) {
        if !matches!(self.judge.look(dir, name, step), Ok(There::Nothing | There::New(_)))
            && !self.is_kept_again(dir, name, step)
        {
            self.moved.push(Record::Aside { step: step.number });
        }
    }

    fn is_kept_again(&mut self, dir: &DirRef, name: &Name, step: &LedgerStep) -> bool {
        let lift = |was| self.journal.write_down(&Record::LiftedItem { step: step.number, was });
        matches!(log::keep(self.run, self.kept, dir, name, step.number, lift), Ok(log::Kept::InStore))
    }

    /// Exchanges the new item at a name with the original, which waits at another.
    fn exchange(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
        from: &DirRef,
        name: Name,
    ) -> Result<Option<Deed>, Refusal> {
        match from.rename(&name, &**dir, &step.name, Rename::Exchange) {
            Ok(()) => {
                let out = self.judge.look(from, &name, step);
                if !matches!(out, Ok(There::New(_))) {
                    // Replaced by another program in this very moment, or it cannot be told.
                    from.rename(&name, &**dir, &step.name, Rename::Exchange)?;
                    self.note_move(dir, step);
                    return Err(out.map_or_else(Refusal::Os, |_| Refusal::Kind(ErrorKind::ChangedSince)));
                }
                let beside = !Arc::ptr_eq(from, self.kept);
                self.leftovers.push((beside.then(|| path.clone()), name));
            }
            Err(e) if reason(&e) == OsReason::Unsupported => {
                // The name is empty for a moment; an interruption here is found as `There::Nothing`.
                self.take_away(dir, path, step)?;
                if let Err(e) = move_to(from, &name, dir, &step.name) {
                    // Rather the new item than none.
                    if let Some((beside, taken)) = self.leftovers.pop() {
                        let place = if beside.is_some() { dir } else { self.kept };
                        move_to(place, &taken, dir, &step.name)?;
                        self.note_move(dir, step);
                    }
                    return Err(e.into());
                }
            }
            Err(e) => return Err(e.into()),
        }
        Ok(Some(Deed::BroughtBack))
    }

    fn take_away(
        &mut self,
        dir: &DirRef,
        path: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<Deed>, Refusal> {
        match self.judge.look(dir, &step.name, step)? {
            There::New(now) if self.is_untouched(dir, &now, step)? => {}
            There::Nothing => {
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
        if !matches!(out, Ok(There::New(_))) {
            // Replaced by another program in this very moment, or it cannot be told.
            move_to(&to, &taken, dir, &step.name)?;
            self.note_move(dir, step);
            return Err(out.map_or_else(Refusal::Os, |_| Refusal::Kind(ErrorKind::ChangedSince)));
        }
        let beside = !Arc::ptr_eq(&to, self.kept);
        self.leftovers.push((beside.then(|| path.clone()), taken));
        Ok(Some(Deed::TakenAway))
    }

    /// Whether a new item is as the run left it. Its change time moves with every write and attribute change, but also
    /// with each rename, and a crash may keep one without the other. So the time before the run's own rename is as
    /// good as the one after it; and after an attempt that was interrupted the content decides.
    fn is_untouched(&self, dir: &DirRef, now: &Seen, step: &LedgerStep) -> io::Result<bool> {
        let Some(new) = step.new else { return Ok(true) };
        let known = now.changed == new.changed || now.changed == step.staged_changed;
        // A link cannot be changed, only be replaced, and its times are as durable as chance has it.
        if known || new.changed.is_none() || now.file != new.file || now.kind == Kind::Symlink {
            return Ok(true);
        }
        if self.respelled.contains(&step.number) {
            return Ok(has_content(dir, &step.name, step)? != Some(false));
        }
        // The content was looked at already.
        if self.judge.numbers(dir)? == Numbers::ProveNothing {
            return Ok(true);
        }
        Ok(match has_content(dir, &step.name, step)? {
            Some(same) => self.resumed && same,
            // Nothing decides. What an attempt that came to its end has refused stays refused.
            None => self.interrupted,
        })
    }

    /// New items that an interrupted undo took away and left beside.
    fn collect_leftovers(&mut self, dir: &DirRef, path: &RelPath, step: &LedgerStep) -> io::Result<()> {
        for name in [aside_name(self.run, step.number)?, staged_name(self.run, step.number)?] {
            if matches!(self.judge.look(dir, &name, step)?, There::New(_)) {
                self.leftovers.push((Some(path.clone()), name));
            }
        }
        Ok(())
    }

    /// Deletes the new items that were taken away, once every original is back for good.
    fn remove_leftovers(&mut self, ledger: &Ledger) -> io::Result<()> {
        if self.leftovers.is_empty() {
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
        for (folder, name) in std::mem::take(&mut self.leftovers) {
            let dir = match &folder {
                Some(path) => match self.way.open(path) {
                    Ok(dir) => dir,
                    Err(e) => {
                        let error = Error::os(Op::Open, full_path(&self.root.path, path), e);
                        self.leave(AccountItem::left(path.clone(), error));
                        continue;
                    }
                },
                None => self.kept.clone(),
            };
            if_there(dir.remove_file(&name))?;
        }
        Ok(())
    }

    /// Deletes new items that are in the undo store, also those an interrupted attempt left there. Anything else in it
    /// is an original that did not come back, and is told if nothing else was told of it.
    fn clear_store(&mut self, ledger: &Ledger) -> io::Result<()> {
        for name in names(self.kept)? {
            let text = String::from_utf8_lossy(name.as_bytes()).into_owned();
            let number = text.split('.').next().and_then(|text| text.parse::<u64>().ok());
            let position = number.and_then(|n| usize::try_from(n.checked_sub(1)?).ok());
            let step = position.and_then(|i| Some((i, ledger.steps.get(i)?)));
            let Some((position, step)) = step else { continue };
            if self.leftovers.is_empty() && matches!(self.judge.look(self.kept, &name, step)?, There::New(_))
            {
                if_there(self.kept.remove_file(&name))?;
                continue;
            }
            let folder = ledger.folders.iter().find(|folder| folder.steps.contains(&position));
            let path = folder.map_or_else(RelPath::root, |folder| folder.path.join(&step.name));
            if self.items.iter().all(|item| item.path != path || item.deed != Deed::Left) {
                let error = AccountItem::refusal(self.root, &path, ErrorKind::ChangedSince);
                self.items.push(AccountItem::left(path, error));
            }
        }
        Ok(())
    }

    /// Removes a folder the run made, or gives one that was there its time back.
    fn folder(&mut self, folder: &LedgerFolder) {
        let done = match &folder.record.before {
            _ if self.refused.contains(&folder.path) => Ok(None),
            // The later run gave it its time.
            Some(_) if self.shadowed.contains(&folder.path) => Ok(None),
            Some(before) => if_there(self.way.open(&folder.path)).and_then(|dir| {
                if let Some(dir) = dir {
                    before.give_times(&*dir, &dir.metadata()?)?;
                }
                Ok(None)
            }),
            None => self.remove_made(folder),
        };
        match done {
            Ok(deed) => self.items.extend(deed.map(|deed| AccountItem::done(folder.path.clone(), deed))),
            Err(e) => {
                let error = Error::os(Op::Restore, full_path(&self.root.path, &folder.path), e);
                self.refused.extend(folder.path.split().map(|(parent, _)| parent));
                self.items.push(AccountItem::left(folder.path.clone(), error));
            }
        }
    }

    /// Removes a folder that the run made. One that is not empty stays, and so does one that somebody else made.
    fn remove_made(&mut self, folder: &LedgerFolder) -> io::Result<Option<Deed>> {
        let Some((parent, name)) = folder.path.split() else { return Ok(None) };
        let parent = match self.open(&parent) {
            Ok(parent) => parent,
            Err(e) if is_no_folder(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let Some(now) = if_there(parent.stat(&name))? else { return Ok(None) };
        if now.kind != Kind::Folder {
            // What it was to replace is still there, or there again.
            return if folder.made.is_some() { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(None) };
        }
        if !self.judge.is_made_by_run(self.root, folder, &parent, &now)? {
            return Ok(None);
        }
        parent.remove_dir(&name)?;
        Ok(Some(Deed::RemovedFolder))
    }
}

/// Finishes a folder that stands in for one which could not be kept.
fn make_equal(dir: &DirRef, step: &LedgerStep) -> io::Result<()> {
    step.emptied.as_ref().map_or(Ok(()), |folder| folder.give(&*dir.open_dir(&step.name)?))
}

/// Whether there is nothing that a folder of the run could be: no such name, or what it was to replace.
pub(super) fn is_no_folder(error: &io::Error) -> bool {
    matches!(reason(error), OsReason::NotFound | OsReason::NotAFolder | OsReason::IsALink)
}

/// Opens a folder of a run. `None` if there is none, and none of the run's making: what it was to replace has its name.
/// Anything else there, such as a link that another program put in its place, hides what the run may have left in it.
pub(super) fn open_of_run(way: &mut Way, folder: &LedgerFolder) -> io::Result<Option<DirRef>> {
    match way.open(&folder.path) {
        Err(e) if folder.record.create && folder.replaces && is_no_folder(&e) => Ok(None),
        other => if_there(other),
    }
}

/// Tells the journals of earlier runs the change times of what this run had taken from them and gave back, so that
/// they too can be undone. Only what was as they had left it.
fn refresh(store: &Store, run: &str, returned: &[(Seen, Seen)]) -> io::Result<()> {
    let returned: HashMap<_, _> =
        returned.iter().map(|(before, now)| ((before.file, before.changed), *now)).collect();
    for earlier in store.run_ids()?.iter().filter(|id| !returned.is_empty() && *id != run) {
        let (Some(ledger), mut journal) = super::open(store, earlier)? else { continue };
        let mut told = false;
        for step in ledger.steps.iter().filter(|step| step.committed) {
            let now = step.new.and_then(|new| returned.get(&(new.file, new.changed)));
            if let Some(now) = now {
                journal.append(&Record::Committed { step: step.number, new: Some(*now) });
                told = true;
            }
        }
        if told {
            journal.sync()?;
        }
    }
    Ok(())
}
