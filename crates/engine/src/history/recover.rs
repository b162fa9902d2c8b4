//! Puts the names of an interrupted run in order, going by what is really on the disk.
//!
//! For every step that was begun it is looked what is at each name that the step may have touched; what follows from
//! that is particular to each operation, and is said in a table at the head of its file in `ops/`.
//!
//! Invariant: an original is only ever renamed. An unfinished copy is distinguished from an original by the list that was
//! durable before the run began, so it does not matter which later records survived.

use std::collections::{BTreeSet, HashMap};
use std::io;

use fcs_sys::{Attributes, DirRef, Kind, Name, RelPath, Root};

use super::disk::{Judge, if_there};
use super::journal::Journal;
use super::later::{Later, is_within};
use super::ledger::{self, Ledger, LedgerFolder, LedgerStep};
use super::record::{FileStamp, Record, RemovedTo};
use super::store::names;
use super::undo::open_of_run;
use super::{RecoveryAction, RecoveryItem, log};
use crate::dir_cursor::DirCursor;
use crate::lift::Lifted;
use crate::names::{aside_name, is_unlisted, kept_name, staged_name, step_of};
use crate::ops::{self, make_folder, move_, remove, respell, set_metadata};
use crate::progress::full_path;
use crate::{Error, ErrorKind, Op, TargetState};

/// What settling one step came to.
pub(crate) enum Settled {
    /// Nothing had happened, nothing lay around.
    Untouched,
    /// In order, and this is worth telling.
    Done(RecoveryAction),
    /// The change is in place: the new item, or `None` for a removal.
    Committed(Option<FileStamp>),
}

pub(crate) struct Settler<'a> {
    root: &'a Root,
    pub(crate) run: &'a str,
    pub(crate) kept: &'a DirRef,
    pub(crate) judge: Judge,
    /// Steps of which the undo store holds something, whatever the journal says of them.
    pub(crate) stored: BTreeSet<u64>,
    pub(crate) removed: RemovedTo,
    /// What was committed is being rolled back, by [`super::revert`] alone.
    pub(crate) rolling_back: bool,
    /// Removals of items that make way for folders of their names.
    pub(crate) making_way: BTreeSet<u64>,
}

/// Recovers the names of a run and makes that durable; the ledger and the journal then say which steps are
/// committed. Returns what was done, item by item.
pub(crate) fn settle(
    root: &Root,
    kept: &DirRef,
    ledger: &mut Ledger,
    journal: &mut Journal,
) -> io::Result<Vec<RecoveryItem>> {
    let mut lifted = Lifted::default();
    // Everything else goes by the paths of before.
    let back =
        respell::rename_back(root, ledger, journal, &mut lifted, &Later::default(), &|step| step.intended);
    let mut items = back.items;
    items.retain(|item| ledger.rolling_back || item.action == RecoveryAction::Left);
    // What has to keep its new name is where the run wanted it; only who rolls back has to be told.
    let (taken, stay) = (ledger.places(&back.stay), !ledger.rolling_back);
    items.retain(|item| !taken.contains_key(&item.path));
    for (path, step) in taken {
        let step = &mut ledger.steps[step];
        if stay && !step.committed {
            step.committed = true;
            journal.append(&Record::Committed { step: step.number, new: step.new });
            items.push(RecoveryItem::done(path, RecoveryAction::KeptNew));
        }
    }
    for folder in &mut ledger.folders {
        folder.out_of_reach = is_within(&back.out_of_reach, &folder.path);
    }
    let mut way = DirCursor::new(&root.dir);
    let judge = Judge::of(ledger);
    let making_way = ledger.making_way().values().map(|&(_, step)| ledger.steps[step].number).collect();
    let Ledger { begin, folders, steps, rolling_back, chains, .. } = &mut *ledger;
    let stored = names(kept)?;
    let stored = stored.iter().filter_map(|name| std::str::from_utf8(name.as_bytes()).ok()?.parse().ok());
    let settler = Settler {
        root,
        run: &begin.run,
        kept,
        judge,
        stored: stored.collect(),
        removed: begin.removed,
        rolling_back: *rolling_back,
        making_way,
    };
    set_metadata::settle_folders(&settler, &mut way, folders, steps, (journal, &mut lifted), &mut items);
    for chain in chains.iter() {
        for &[folder, _] in chain {
            // What cannot be opened is told where its steps are looked at.
            if let Ok(Some(dir)) = open_of_run(&mut way, &folders[folder]) {
                drop(lift(&mut lifted, &folders[folder], &dir, journal));
            }
        }
        move_::chain::settle(&settler, &mut way, (folders, steps), chain, journal, &mut items);
    }
    for folder in folders.iter() {
        let failed = |op, e| {
            RecoveryItem::left(folder.path.clone(), Error::os(op, full_path(&root.path, &folder.path), e))
        };
        let dir = match open_of_run(&mut way, folder) {
            Ok(Some(dir)) => dir,
            // Never made, or removed again.
            Ok(None) => {
                settler.settle_gone(&mut way, folder, &mut steps[folder.steps.clone()], journal, &mut items);
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
        match settler.settle_folder(
            &mut way,
            folder,
            &dir,
            &mut steps[folder.steps.clone()],
            journal,
            &mut items,
        ) {
            Ok(()) => {}
            Err(e) => items.push(failed(Op::List, e)),
        }
    }
    remove::settle_carried(folders, steps, &mut items);
    ledger::note_set_folders(folders, steps);
    if !*rolling_back {
        make_folder::adopt_folders(&settler.judge, root, &mut way, folders, journal, &mut items)?;
    }
    // A folder is listed once for what is copied to it and once for what is removed from it; only the former says what time
    // it gets.
    let wanted: HashMap<_, _> =
        folders.iter().filter_map(|folder| Some((&folder.path, folder.record.wanted?.modified))).collect();
    for folder in folders.iter().rev().filter(|folder| !*rolling_back && !folder.is_dated) {
        make_folder::finish_folder(
            &settler.judge,
            root,
            &mut way,
            folder,
            wanted.get(&folder.path).copied(),
            &mut items,
        );
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
    pub(crate) fn settle_folder(
        &self,
        way: &mut DirCursor,
        folder: &LedgerFolder,
        dir: &DirRef,
        steps: &mut [LedgerStep],
        journal: &mut Journal,
        items: &mut Vec<RecoveryItem>,
    ) -> io::Result<()> {
        let there = names(dir)?;
        if there.iter().any(|name| crate::probe::is_scratch(name.as_bytes())) {
            crate::probe::remove_leftovers(dir);
        }
        let ours: BTreeSet<u64> = there.iter().filter_map(|name| step_of(self.run, name)).collect();
        self.remove_unlisted(folder, dir, &there, items);
        let by_itself =
            |step: &&mut LedgerStep| step.respelled().is_none() && !step.sets_folder() && !step.is_chained;
        for step in steps.iter_mut().filter(by_itself) {
            let lies_around =
                ours.contains(&step.number) || (!step.committed && self.stored.contains(&step.number));
            let in_order = !lies_around && (!step.intended || step.committed);
            if in_order || (self.rolling_back && step.committed) {
                continue;
            }
            let path = folder.path.join(&step.name);
            let settled = ops::settle(self, way, dir, step, journal);
            self.conclude(path, step, settled, journal, items);
        }
        Ok(())
    }

    /// Deletes copies that a run staged before it listed them (`run/open.rs`): they have names that no original ever has.
    fn remove_unlisted(
        &self,
        folder: &LedgerFolder,
        dir: &DirRef,
        there: &[Name],
        items: &mut Vec<RecoveryItem>,
    ) {
        for name in there.iter().filter(|name| is_unlisted(self.run, name)) {
            let Err(e) = if_there(dir.remove_file(name)) else { continue };
            let path = folder.path.join(name);
            let error = Error::os(Op::CleanUp, full_path(&self.root.path, &path), e);
            items.push(RecoveryItem::left(path, error));
        }
    }

    /// Writes down what settling a step came to, and tells it.
    pub(crate) fn conclude(
        &self,
        path: RelPath,
        step: &mut LedgerStep,
        settled: Result<Settled, SettleError>,
        journal: &mut Journal,
        items: &mut Vec<RecoveryItem>,
    ) {
        match settled {
            Ok(Settled::Untouched) => {}
            Ok(Settled::Done(action)) => items.push(RecoveryItem::done(path, action)),
            Ok(Settled::Committed(new)) => {
                if !step.committed {
                    let action = step.does.kept();
                    items.push(RecoveryItem::done(path, action));
                }
                (step.committed, step.new) = (true, new);
                journal.append(&Record::Committed { step: step.number, new });
            }
            Err(SettleError::Os(e)) => {
                let error = Error::os(Op::Restore, full_path(&self.root.path, &path), e);
                items.push(RecoveryItem::left(path, error.with_target(TargetState::Unknown)));
            }
            Err(SettleError::Foreign) => {
                // The original is kept, so there is something to undo as long as it is; the run is not to be let
                // go as if there were not.
                step.committed = true;
                journal.append(&Record::Committed { step: step.number, new: step.new });
                items.push(RecoveryItem::foreign(self.root, path));
            }
            Err(SettleError::Lost) => {
                let error = RecoveryItem::refusal(self.root, &path, ErrorKind::OriginalLost);
                items.push(RecoveryItem { path, action: RecoveryAction::Foreign, error: Some(error) });
            }
        }
    }

    /// As [`Self::settle_folder`] where the folder itself is gone. That is what a run does that removes it.
    fn settle_gone(
        &self,
        way: &mut DirCursor,
        folder: &LedgerFolder,
        steps: &mut [LedgerStep],
        journal: &mut Journal,
        items: &mut Vec<RecoveryItem>,
    ) {
        self.settle_missing(self.root, folder, steps, journal, items);
        for step in steps.iter_mut().filter(|step| step.intended && !step.committed && !step.is_chained) {
            if let Some(settled) = ops::settle_gone(self, way, step) {
                self.conclude(folder.path.join(&step.name), step, settled, journal, items);
            }
        }
    }

    /// Where the item of a step may be.
    pub(crate) fn places(
        &self,
        way: &mut DirCursor,
        folder: &LedgerFolder,
        step: &LedgerStep,
    ) -> io::Result<Vec<(DirRef, Name)>> {
        let number = step.number;
        let mut places = vec![(self.kept.clone(), kept_name(number)?)];
        if let Some(dir) = open_of_run(way, folder)? {
            let names = [step.name.clone(), staged_name(self.run, number)?, aside_name(self.run, number)?];
            places.extend(names.map(|name| (dir.clone(), name)));
        }
        if let Some((parent, name)) = step.does.new_path().and_then(RelPath::split)
            && let Some(dir) = if_there(way.open(&parent))?
        {
            places.push((dir, name));
        }
        Ok(places)
    }

    /// Moves an original to where `undo` finds it.
    pub(crate) fn keep(
        &self,
        dir: &DirRef,
        name: &Name,
        step: &LedgerStep,
        journal: &mut Journal,
    ) -> io::Result<()> {
        let lift = |was| journal.write_down(&Record::LiftedItem { step: step.number, was });
        if log::keep(self.run, self.kept, dir, name, step.number, lift)? == log::KeptIn::Aside {
            journal.append(&Record::Aside { step: step.number });
        }
        Ok(())
    }
}

pub(crate) enum SettleError {
    Os(io::Error),
    /// Another program put something at the name, or changed what was displaced from it.
    Foreign,
    /// The original is neither at its name nor where it would have been kept.
    Lost,
}

impl From<io::Error> for SettleError {
    fn from(e: io::Error) -> Self {
        Self::Os(e)
    }
}

/// Lets this user work in a folder of the run, see [`crate::lift`].
pub(crate) fn lift(
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
pub(crate) fn give_back_lifted(
    root: &Root,
    way: &mut DirCursor,
    mut lifted: Lifted,
    folders: &[LedgerFolder],
) -> Vec<RecoveryItem> {
    let mut left = lifted.give_back(&root.dir);
    for folder in folders.iter().rev().filter(|folder| !folder.sets_attributes) {
        let given = open_of_run(way, folder).and_then(|dir| {
            let Some(dir) = dir else { return Ok(()) };
            for had in folder.had() {
                if crate::lift::give_back(&*dir, had)? {
                    break;
                }
            }
            Ok(())
        });
        // One that cannot be opened is reported where it matters.
        if let Err(e) = given
            && way.open(&folder.path).is_ok()
        {
            left.push((folder.path.clone(), e));
        }
    }
    let error = |path: &RelPath, e| Error::os(Op::SetMetadata, full_path(&root.path, path), e);
    left.into_iter().map(|(path, e)| RecoveryItem::left(path.clone(), error(&path, e))).collect()
}

/// As [`give_back_lifted`] for folders that are items of the run, wherever they are now.
fn give_back_lifted_items(
    settler: &Settler<'_>,
    way: &mut DirCursor,
    folders: &[LedgerFolder],
    steps: &[LedgerStep],
    items: &mut Vec<RecoveryItem>,
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
            let emptied = (step.removes() && step.intended && !closed.is_empty())
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
                items.push(RecoveryItem::left(path, error));
            }
        }
    }
}

/// Makes everything in the folders of a run durable. Returns the folders that could not be reached any more; whether
/// what was done in them is durable is not known.
pub(crate) fn sync(
    root: &Root,
    folders: &[LedgerFolder],
    way: &mut DirCursor,
) -> io::Result<Vec<RecoveryItem>> {
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
                out_of_reach.push(RecoveryItem::left(folder.path.clone(), error));
            }
        }
    }
    Ok(out_of_reach)
}
