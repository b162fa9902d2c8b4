//! Puts the names of an interrupted run in order, going by what is really on the disk.
//!
//! For every step that was begun, three names are looked at: the target's own, the staged or kept-aside one beside
//! it, and the one in the undo store. From what stands there follows the one action that leaves the target complete
//! and the original safe:
//!
//! | at the name | beside or in the store | then |
//! |---|---|---|
//! | new, content as verified | original | the original goes into the undo store; committed |
//! | new, content not as verified | original | the original comes back; the other goes into the undo store |
//! | original | new or unfinished | the unfinished copy goes |
//! | new | something else | it is what was displaced: into the undo store |
//! | nothing | original | the original comes back |
//! | something else | original | left alone; the original goes into the undo store |
//!
//! Invariant: an original is only ever renamed. An unfinished copy is told from an original by the list that was
//! durable before the run began, so it does not matter which later records survived.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use fcs_sys::{Attributes, DirRef, Kind, Name, OsReason, RelPath, Rename, Root, Time, Times, reason};

use super::disk::{Judge, There, has_content, if_there};
use super::journal::Journal;
use super::ledger::{Ledger, LedgerFolder, LedgerStep};
use super::record::{Dates, Record, RemovedTo, Seen};
use super::respell;
use super::store::{aside_name, damaged_name, kept_name, move_to, names, staged_name, step_of};
use super::undo::open_of_run;
use super::{AccountItem, Deed, log};
use crate::identity::Numbers;
use crate::lift::{Lifted, move_lifted};
use crate::progress::full_path;
use crate::way::Way;
use crate::{Error, ErrorKind, Op, TargetState};

/// What settling one step came to.
enum Settled {
    /// Nothing had happened, nothing lay around.
    Untouched,
    /// In order, and this is worth telling.
    Deed(Deed),
    /// The change is in place: the new item, or `None` for a removal.
    Committed(Option<Seen>),
}

struct Settler<'a> {
    run: &'a str,
    kept: &'a DirRef,
    judge: Judge,
    /// Steps of which the undo store holds something, whatever the journal says of them.
    stored: BTreeSet<u64>,
    removed: RemovedTo,
    /// What was committed is being taken back, by [`super::take_back`] alone.
    rolling_back: bool,
    /// Removals of items that make way for folders of their names.
    making_way: BTreeSet<u64>,
}

/// Puts the names of a run in order and makes that durable; the ledger and the journal then say which steps are
/// committed. Returns what was done, item by item.
pub(crate) fn settle(
    root: &Root,
    kept: &DirRef,
    ledger: &mut Ledger,
    journal: &mut Journal,
) -> io::Result<Vec<AccountItem>> {
    let mut lifted = Lifted::default();
    // Everything else goes by the paths of before.
    let back = respell::go_back(root, ledger, journal, &mut lifted, &|_, step| step.intended);
    let mut items = back.items;
    items.retain(|item| ledger.rolling_back || item.deed == Deed::Left);
    let mut way = Way::new(&root.dir);
    let judge = Judge::of(ledger);
    let making_way = ledger.making_way().values().map(|&(_, step)| ledger.steps[step].number).collect();
    let Ledger { begin, folders, steps, rolling_back, .. } = &mut *ledger;
    let stored = names(kept)?;
    let stored = stored.iter().filter_map(|name| std::str::from_utf8(name.as_bytes()).ok()?.parse().ok());
    let settler = Settler {
        run: &begin.run,
        kept,
        judge,
        stored: stored.collect(),
        removed: begin.removed,
        rolling_back: *rolling_back,
        making_way,
    };
    for folder in folders.iter() {
        let failed = |op, e| {
            AccountItem::left(folder.path.clone(), Error::os(op, full_path(&root.path, &folder.path), e))
        };
        let dir = match open_of_run(&mut way, folder) {
            Ok(Some(dir)) => dir,
            // Never made, or removed again.
            Ok(None) => {
                settler.settle_missing(root, folder, &mut steps[folder.steps.clone()], journal, &mut items);
                continue;
            }
            Err(e) => {
                items.push(failed(Op::Open, e));
                continue;
            }
        };
        if let Err(e) = lift(&mut lifted, folder, &dir, journal) {
            items.push(failed(Op::SetMetadata, e));
            continue;
        }
        match settler.settle_folder(root, folder, &dir, &mut steps[folder.steps.clone()], journal, &mut items)
        {
            Ok(()) => {}
            Err(e) => items.push(failed(Op::List, e)),
        }
    }
    settle_carried(folders, steps, &mut items);
    if !*rolling_back {
        adopt_folders(&settler.judge, root, &mut way, folders, journal, &mut items)?;
    }
    // A folder is listed once for what is copied to it and once for what is removed from it; only the former says what time
    // it gets.
    let wanted: HashMap<_, _> =
        folders.iter().filter_map(|folder| Some((&folder.path, folder.record.wanted?.modified))).collect();
    for folder in folders.iter().rev().filter(|_| !*rolling_back) {
        finish_folder(&settler.judge, root, &mut way, folder, wanted.get(&folder.path).copied(), &mut items);
    }
    let rolling_back = *rolling_back;
    items.extend(give_back_lifted(root, &mut way, lifted, folders));
    give_back_lifted_items(&settler, &mut way, folders, steps, &mut items, root);
    for item in sync(root, folders, &mut way)? {
        if items.iter().all(|told| told.path != item.path) {
            items.push(item);
        }
    }
    if !rolling_back {
        items.extend(respell::go_forward(root, ledger, journal, &back.steps));
    }
    kept.sync()?;
    Ok(items)
}

impl Settler<'_> {
    /// Settles the steps directly in a folder.
    fn settle_folder(
        &self,
        root: &Root,
        folder: &LedgerFolder,
        dir: &DirRef,
        steps: &mut [LedgerStep],
        journal: &mut Journal,
        items: &mut Vec<AccountItem>,
    ) -> io::Result<()> {
        let there = names(dir)?;
        if there.iter().any(|name| crate::probe::is_scratch(name.as_bytes())) {
            crate::probe::remove_leftovers(dir);
        }
        let ours: BTreeSet<u64> = there.iter().filter_map(|name| step_of(self.run, name)).collect();
        for step in steps.iter_mut().filter(|step| step.respelled.is_none()) {
            let lies_around =
                ours.contains(&step.number) || (!step.committed && self.stored.contains(&step.number));
            let in_order = !lies_around && (!step.intended || step.committed);
            if in_order || (self.rolling_back && step.committed) {
                continue;
            }
            let path = folder.path.join(&step.name);
            let settled = if let Some(dates) = step.times {
                self.settle_times(dir, step, dates)
            } else if step.removes {
                self.settle_removal(dir, step, journal)
            } else {
                self.settle_step(dir, step, journal)
            };
            match settled {
                Ok(Settled::Untouched) => {}
                Ok(Settled::Deed(deed)) => items.push(AccountItem::done(path, deed)),
                Ok(Settled::Committed(new)) => {
                    if !step.committed {
                        let deed = if step.removes { Deed::KeptRemoved } else { Deed::KeptNew };
                        items.push(AccountItem::done(path, deed));
                    }
                    (step.committed, step.new) = (true, new);
                    journal.append(&Record::Committed { step: step.number, new });
                }
                Err(Trouble::Os(e)) => {
                    let error = Error::os(Op::Restore, full_path(&root.path, &path), e);
                    items.push(AccountItem::left(path, error.with_target(TargetState::Unknown)));
                }
                Err(Trouble::Foreign) => {
                    // The original is kept, so there is something to undo as long as it is; the run is not to be let
                    // go as if there were not.
                    step.committed = true;
                    journal.append(&Record::Committed { step: step.number, new: step.new });
                    items.push(AccountItem::foreign(root, path));
                }
                Err(Trouble::Lost) => {
                    let error = AccountItem::refusal(root, &path, ErrorKind::OriginalLost);
                    items.push(AccountItem { path, deed: Deed::Foreign, error: Some(error) });
                }
            }
        }
        Ok(())
    }

    /// The folder is gone. That is what a run does that removes it; its items must then be in the undo store.
    fn settle_missing(
        &self,
        root: &Root,
        folder: &LedgerFolder,
        steps: &mut [LedgerStep],
        journal: &mut Journal,
        items: &mut Vec<AccountItem>,
    ) {
        let may_be_gone = |step: &LedgerStep| step.intended || self.stored.contains(&step.number);
        for step in steps.iter_mut().filter(|step| may_be_gone(step) && !step.committed && step.removes) {
            let stored = kept_name(step.number).and_then(|name| if_there(self.kept.stat(&name)));
            match stored {
                Ok(there)
                    if there.is_some() || self.removed == RemovedTo::RecycleBin || step.emptied.is_some() =>
                {
                    step.committed = true;
                    journal.append(&Record::Committed { step: step.number, new: None });
                    items.push(AccountItem::done(folder.path.join(&step.name), Deed::KeptRemoved));
                }
                Ok(_) => {}
                Err(e) => {
                    let path = folder.path.join(&step.name);
                    let error = Error::os(Op::Restore, full_path(&root.path, &path), e);
                    items.push(AccountItem::left(path, error));
                }
            }
        }
    }

    fn settle_step(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        journal: &mut Journal,
    ) -> Result<Settled, Trouble> {
        let (staged, aside) = (staged_name(self.run, step.number)?, aside_name(self.run, step.number)?);
        let stored = kept_name(step.number)?;
        let at_name = self.judge.look(dir, &step.name, step)?;
        let beside = self.judge.look(dir, &staged, step)?;
        let is_aside = if_there(dir.stat(&aside))?.is_some();
        let is_stored = if_there(self.kept.stat(&stored))?.is_some();
        // Where the original is, if it is not at its name.
        let original: Option<(&DirRef, &Name)> = if beside == There::Before {
            Some((dir, &staged))
        } else if is_aside {
            Some((dir, &aside))
        } else if is_stored {
            Some((self.kept, &stored))
        } else {
            None
        };
        match at_name {
            There::New(seen) if step.committed || has_content(dir, &step.name, step)? != Some(false) => {
                if let Some((from, name)) = original
                    && !is_stored
                {
                    self.keep(from, name, step, journal)?;
                }
                let displaced = self.clear_beside(dir, &staged, step, Some(seen), journal)?;
                if displaced {
                    // What came out of the name was not what the plan saw, or was written to since.
                    return Err(Trouble::Foreign);
                }
                let seen = finish_link(dir, step, seen)?;
                // What was durable once was described then; since then somebody may have written to it.
                Ok(Settled::Committed(if step.committed { step.new } else { Some(seen) }))
            }
            There::New(seen) => {
                // Verified before it got its name, and yet not what the device holds now: the device lost it, or
                // somebody wrote to it and put its time back. It goes into the undo store, whatever it is.
                if beside != There::Before {
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
                Err(Trouble::Foreign)
            }
            There::Before => {
                if is_aside && number_of(dir, &aside)? != number_of(dir, &step.name)? {
                    // The original has been moved or linked aside, so what has its name now is the new item, although
                    // nothing tells the two apart but their numbers.
                    let seen = Seen::of(&dir.stat(&step.name)?);
                    self.keep(dir, &aside, step, journal)?;
                    self.clear_beside(dir, &staged, step, Some(seen), journal)?;
                    return Ok(Settled::Committed(Some(seen)));
                }
                if is_aside {
                    // A second name of the original, made in order to replace it.
                    dir.remove_file(&aside)?;
                }
                let lay_around = beside != There::Nothing || is_aside;
                let number = number_of(dir, &step.name)?;
                if self.judge.numbers(dir)? == Numbers::Last
                    && step.before.is_some_and(|before| before.file == number)
                {
                    // The very original is at its name, so no exchange has brought anything here.
                    if_there(dir.remove_file(&staged))?;
                } else {
                    self.clear_beside(dir, &staged, step, None, journal)?;
                }
                Ok(if lay_around { Settled::Deed(Deed::KeptOld) } else { Settled::Untouched })
            }
            There::Nothing => {
                if let Some((from, name)) = original {
                    from.rename(name, &**dir, &step.name, Rename::NoReplace).or_else(|e| {
                        let replace = || from.rename(name, &**dir, &step.name, Rename::Replace);
                        if reason(&e) == OsReason::Unsupported { replace() } else { Err(e) }
                    })?;
                }
                let displaced = self.clear_beside(dir, &staged, step, None, journal)?;
                if displaced || (original.is_none() && step.intended && step.before.is_some()) {
                    return Err(Trouble::Lost);
                }
                let deed = if original.is_some() { Deed::BroughtBack } else { Deed::KeptOld };
                Ok(Settled::Deed(deed))
            }
            There::Other => {
                if let Some((from, name)) = original
                    && !is_stored
                {
                    self.keep(from, name, step, journal)?;
                }
                let displaced = self.clear_beside(dir, &staged, step, None, journal)?;
                if displaced || original.is_some() {
                    return Err(Trouble::Foreign);
                }
                Ok(Settled::Deed(Deed::KeptOld))
            }
        }
    }

    /// A file of which only the dates were to be set is whole either way; whether it has them shows.
    fn settle_times(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        [was, wanted]: [Dates; 2],
    ) -> Result<Settled, Trouble> {
        let Some(now) = if_there(dir.stat(&step.name))? else { return Ok(Settled::Untouched) };
        let is_the_file = self.judge.is_dated(dir, &now, step)?;
        Ok(if is_the_file && wanted.are_those_of(&now) && now.modified != was.modified {
            Settled::Committed(Some(Seen::of(&now)))
        } else {
            Settled::Untouched
        })
    }

    fn settle_removal(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        journal: &mut Journal,
    ) -> Result<Settled, Trouble> {
        let (stored, aside) = (kept_name(step.number)?, aside_name(self.run, step.number)?);
        let is_aside = if_there(dir.stat(&aside))?.is_some();
        let is_kept = is_aside || if_there(self.kept.stat(&stored))?.is_some();
        if is_aside {
            // Into the store now, or known to lie beside, so that it is let go with the rest.
            self.keep(dir, &aside, step, journal)?;
        }
        let there = if_there(dir.stat(&step.name))?.is_some();
        if !there && is_kept && self.making_way.contains(&step.number) {
            // The folder was not made any more: better the old item than none.
            let stored = if_there(self.kept.stat(&stored))?.map(|_| (self.kept, &stored));
            let (from, name) = stored.unwrap_or((dir, &aside));
            let lift = |was| journal.write_down(&Record::LiftedItem { step: step.number, was });
            move_lifted(from, name, dir, &step.name, lift)?;
            return Ok(Settled::Deed(Deed::BroughtBack));
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

    /// As [`take_out`] and [`Self::put_by`], and the original that waits at `from` takes the name.
    fn swap_out(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        from: &DirRef,
        original: &Name,
        spare: &Name,
    ) -> io::Result<bool> {
        match from.rename(original, &**dir, &step.name, Rename::Exchange) {
            Ok(()) if matches!(self.judge.look(from, original, step)?, There::New(_)) => {
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
    fn put_by(&self, dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<bool> {
        move_to(dir, name, self.kept, &damaged_name(step.number)?).map(|()| true)
    }

    /// Removes the unfinished copy of a step. Anything else under its staged name is kept; returns whether there was
    /// something.
    fn clear_beside(
        &self,
        dir: &DirRef,
        staged: &Name,
        step: &LedgerStep,
        in_place: Option<Seen>,
        journal: &mut Journal,
    ) -> io::Result<bool> {
        let Some(beside) = if_there(dir.stat(staged))?.map(|item| Seen::of(&item)) else { return Ok(false) };
        let unfinished = match self.judge.numbers(dir)? {
            Numbers::Last => is_unfinished(&beside, step, in_place),
            // Complete, or a second name of what is in place; or not complete, before any exchange could happen.
            Numbers::ProveNothing => match self.judge.look(dir, staged, step)? {
                There::New(_) | There::Nothing => true,
                There::Before => step.before.is_none(),
                There::Other => in_place.is_none() && (step.before.is_none() || step.new.is_none()),
            },
        };
        if unfinished {
            if_there(dir.remove_file(staged))?;
            return Ok(false);
        }
        self.keep(dir, staged, step, journal)?;
        Ok(true)
    }

    /// Where the item of a step may be.
    fn places(
        &self,
        way: &mut Way,
        folder: &LedgerFolder,
        step: &LedgerStep,
    ) -> io::Result<Vec<(DirRef, Name)>> {
        let number = step.number;
        let mut places = vec![(self.kept.clone(), kept_name(number)?)];
        if let Some(dir) = open_of_run(way, folder)? {
            let names = [step.name.clone(), staged_name(self.run, number)?, aside_name(self.run, number)?];
            places.extend(names.map(|name| (dir.clone(), name)));
        }
        Ok(places)
    }

    /// Moves an original to where `undo` finds it.
    fn keep(&self, dir: &DirRef, name: &Name, step: &LedgerStep, journal: &mut Journal) -> io::Result<()> {
        let lift = |was| journal.write_down(&Record::LiftedItem { step: step.number, was });
        if log::keep(self.run, self.kept, dir, name, step.number, lift)? == log::Kept::Aside {
            journal.append(&Record::Aside { step: step.number });
        }
        Ok(())
    }
}

/// The number of the item at a name.
fn number_of(dir: &DirRef, name: &Name) -> io::Result<(u64, u64)> {
    Ok(Seen::of(&dir.stat(name)?).file)
}

/// Whether what lies under a staged name is the unfinished copy of the step, which may go, and nothing that an
/// exchange brought there. `in_place` is the new item, if that has its final name.
fn is_unfinished(beside: &Seen, step: &LedgerStep, in_place: Option<Seen>) -> bool {
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
fn take_out(judge: &Judge, dir: &DirRef, step: &LedgerStep, spare: &Name) -> io::Result<bool> {
    move_to(dir, &step.name, dir, spare)?;
    if matches!(judge.look(dir, spare, step)?, There::New(_)) {
        return Ok(true);
    }
    move_to(dir, spare, dir, &step.name)?;
    Ok(false)
}

/// Sets the time that a link had when it was verified, which a crash may have lost. Not where what the link points to
/// might get it.
fn finish_link(dir: &DirRef, step: &LedgerStep, now: Seen) -> io::Result<Seen> {
    match step.new {
        Some(new)
            if now.kind == Kind::Symlink
                && now.modified != new.modified
                && !crate::probe::links::in_doubt(&dir.volume()?) =>
        {
            dir.set_link_times(&step.name, Times { modified: Some(new.modified), created: None })?;
            Ok(Seen::of(&dir.stat(&step.name)?))
        }
        _ => Ok(now),
    }
}

enum Trouble {
    Os(io::Error),
    /// Another program put something at the name, or changed what was displaced from it.
    Foreign,
    /// The original is neither at its name nor where it would have been kept.
    Lost,
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Self {
        Self::Os(e)
    }
}

/// What went with a folder that was found in the undo store stays removed with it, as the record of that folder says.
fn settle_carried(folders: &[LedgerFolder], steps: &mut [LedgerStep], items: &mut Vec<AccountItem>) {
    let done: BTreeSet<u64> = steps
        .iter()
        .filter(|step| step.committed && !step.carries.is_empty())
        .map(|step| step.number)
        .collect();
    for folder in folders.iter().filter(|_| !done.is_empty()) {
        for step in &mut steps[folder.steps.clone()] {
            if !step.committed && step.within.is_some_and(|folder| done.contains(&folder)) {
                step.committed = true;
                items.push(AccountItem::done(folder.path.join(&step.name), Deed::KeptRemoved));
            }
        }
    }
}

/// Finds the folders the run made before it could say so ([`Judge::is_made_by_run`]). That they are its own is durable
/// before any folder is given its looks, after which nothing else would tell: also of those of which the run said so, which
/// a power cut may still take.
fn adopt_folders(
    judge: &Judge,
    root: &Root,
    way: &mut Way,
    folders: &mut [LedgerFolder],
    journal: &mut Journal,
    items: &mut Vec<AccountItem>,
) -> io::Result<()> {
    for (index, folder) in (0..).zip(folders.iter_mut()) {
        if !folder.record.create || folder.made.is_some() {
            continue;
        }
        let ours = open_of_run(way, folder).and_then(|dir| {
            let Some(dir) = dir else { return Ok(None) };
            let now = dir.metadata()?;
            Ok(judge.is_made_by_run(root, folder, &dir, &now)?.then_some(now))
        });
        match ours {
            Ok(Some(now)) => {
                folder.made = Some(now.id);
                journal.append(&Record::Made { folder: index, id: now.id });
            }
            Ok(None) => {}
            Err(e) => {
                let error = Error::os(Op::Open, full_path(&root.path, &folder.path), e);
                items.push(AccountItem::left(folder.path.clone(), error));
            }
        }
    }
    // Said again even if the run said so: what an interrupted writer left may end inside a block, which a power cut can
    // spoil once more when the journal grows. The next record is behind a block that is whole and durable.
    let mut made = (0..).zip(folders.iter()).filter_map(|(index, folder)| Some((index, folder.made?)));
    let Some((folder, id)) = made.next() else { return Ok(()) };
    journal.append(&Record::Made { folder, id });
    journal.sync()
}

/// Gives a folder its looks: one the run made those it was to have, any other its old time, as long as it is not
/// known to be finished.
fn finish_folder(
    judge: &Judge,
    root: &Root,
    way: &mut Way,
    folder: &LedgerFolder,
    wanted: Option<Time>,
    items: &mut Vec<AccountItem>,
) {
    let looks = if folder.record.create { folder.record.wanted } else { folder.record.before };
    let Some(looks) = looks else { return };
    // The owner may not be the source's, so a program must not run as one.
    let attributes = looks.attributes.without_set_id();
    let finished = open_of_run(way, folder).and_then(|dir| {
        let Some(dir) = dir else { return Ok(false) };
        let now = dir.metadata()?;
        let is_ours = || judge.is_made_by_run(root, folder, &dir, &now);
        if folder.record.create && !(folder.made.is_some() && is_ours()?) {
            return Ok(false);
        }
        let dress = folder.record.create && now.attributes != attributes;
        if dress {
            dir.set_attributes(attributes)?;
        }
        // The run may have come as far as to set its time, and to say so.
        let finished = wanted == Some(now.modified);
        // One that the run made has no older time to get back, so it may only be lacking one.
        if !finished || folder.record.create {
            looks.give_times(&*dir, &now)?;
        }
        Ok(dress)
    });
    match finished {
        Ok(true) => items.push(AccountItem::done(folder.path.clone(), Deed::FinishedFolder)),
        Ok(false) => {}
        Err(e) => {
            let error = Error::os(Op::SetMetadata, full_path(&root.path, &folder.path), e);
            items.push(AccountItem::left(folder.path.clone(), error));
        }
    }
}

/// Lets this user work in a folder of the run, see [`crate::lift`].
pub(super) fn lift(
    lifted: &mut Lifted,
    folder: &LedgerFolder,
    dir: &DirRef,
    journal: &mut Journal,
) -> io::Result<()> {
    if fcs_sys::user::is_administrator() {
        return Ok(());
    }
    lifted.lift(&folder.path, dir, &dir.metadata()?, |was| {
        // Made durable by the run that listed it.
        if folder.had().any(|had| had == was) {
            return Ok(());
        }
        journal.write_down(&Record::LiftedFolder { folder: folder.number, was })
    })
}

/// Gives folders back the permissions that they had, also those of which an attempt before this one was interrupted.
pub(super) fn give_back_lifted(
    root: &Root,
    way: &mut Way,
    mut lifted: Lifted,
    folders: &[LedgerFolder],
) -> Vec<AccountItem> {
    let mut left = lifted.give_back(&root.dir);
    for folder in folders.iter().rev() {
        let given = open_of_run(way, folder).and_then(|dir| {
            let Some(dir) = dir else { return Ok(()) };
            for had in folder.had() {
                if crate::lift::give_back(&*dir, had)? {
                    break;
                }
            }
            Ok(())
        });
        // One that cannot be opened is told of where it matters.
        if let Err(e) = given
            && way.open(&folder.path).is_ok()
        {
            left.push((folder.path.clone(), e));
        }
    }
    let error = |path: &RelPath, e| Error::os(Op::SetMetadata, full_path(&root.path, path), e);
    left.into_iter().map(|(path, e)| AccountItem::left(path.clone(), error(&path, e))).collect()
}

/// As [`give_back_lifted`] for folders that are items of the run, wherever they are now.
fn give_back_lifted_items(
    settler: &Settler<'_>,
    way: &mut Way,
    folders: &[LedgerFolder],
    steps: &[LedgerStep],
    items: &mut Vec<AccountItem>,
    root: &Root,
) {
    let closed = folders.iter().filter_map(|folder| {
        let had = folder.had().find(|had| had.lifted() != *had)?;
        Some((folder.path.clone(), had))
    });
    let closed: HashMap<RelPath, Attributes> = closed.collect();
    for folder in folders {
        for step in &steps[folder.steps.clone()] {
            // A folder that was emptied is also one in which something was removed.
            let emptied = (step.removes && step.intended && !closed.is_empty())
                .then(|| closed.get(&folder.path.join(&step.name)))
                .flatten();
            let had: Vec<_> = step.lifted.into_iter().chain(emptied.copied()).collect();
            if had.is_empty() {
                continue;
            }
            let given = settler.places(way, folder, step).and_then(|places| {
                places.iter().try_for_each(|(dir, name)| match if_there(dir.stat(name))? {
                    Some(now) if now.kind == Kind::Folder => {
                        let folder = dir.open_dir(name)?;
                        had.iter().try_for_each(|&had| crate::lift::give_back(&*folder, had).map(|_| ()))
                    }
                    _ => Ok(()),
                })
            });
            if let Err(e) = given {
                let path = folder.path.join(&step.name);
                let error = Error::os(Op::SetMetadata, full_path(&root.path, &path), e);
                items.push(AccountItem::left(path, error));
            }
        }
    }
}

/// Makes everything in the folders of a run durable. Returns the folders that could not be reached any more; whether
/// what was done in them is durable is not known.
pub(super) fn sync(root: &Root, folders: &[LedgerFolder], way: &mut Way) -> io::Result<Vec<AccountItem>> {
    let volume = root.dir.volume()?;
    if volume.sync_volume {
        root.dir.sync_volume()?;
    }
    let mut out_of_reach = Vec::new();
    for folder in folders {
        match open_of_run(way, folder) {
            Ok(Some(dir)) if !volume.sync_volume || dir.metadata()?.id.volume != volume.id => dir.sync()?,
            Ok(_) => {}
            Err(e) => {
                let error = Error::os(Op::Open, full_path(&root.path, &folder.path), e);
                out_of_reach.push(AccountItem::left(folder.path.clone(), error));
            }
        }
    }
    Ok(out_of_reach)
}
