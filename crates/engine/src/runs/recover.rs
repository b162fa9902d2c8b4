//! Puts the names of an interrupted run in order, going by what is really on the disk.
//!
//! For every step that was begun, three names are looked at: the target's own, the staged or kept-aside one beside
//! it, and the one in the undo store. From what stands there follows the one action that leaves the target complete
//! and the original safe:
//!
//! | at the name | beside or in the store | then |
//! |---|---|---|
//! | new, content as verified | original | the original goes into the undo store; committed |
//! | new, content damaged | original | the original comes back |
//! | original | new or unfinished | the unfinished copy goes |
//! | nothing | original | the original comes back |
//! | something else | original | left alone; the original goes into the undo store |
//!
//! Invariant: an original is only ever renamed. An unfinished copy is told from an original by the list that was
//! durable before the run began, so it does not matter which later records survived.

use std::collections::BTreeSet;
use std::io;

use fcs_sys::{Attributes, DirRef, Kind, Name, OsReason, Rename, Root, Times, reason};

use super::disk::{There, has_content, if_there, is_exactly_before, look};
use super::journal::Journal;
use super::ledger::{Ledger, LedgerFolder, LedgerStep};
use super::record::{Record, RemovedTo, Seen};
use super::store::{aside_name, kept_name, move_to, names, staged_name, step_of};
use super::{AccountItem, Deed, log};
use crate::progress::full_path;
use crate::way::Way;
use crate::{Error, Op, TargetState};

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
    removed: RemovedTo,
    /// What was committed is being taken back, by [`super::take_back`] alone.
    rolling_back: bool,
}

/// Puts the names of a run in order and makes that durable; the ledger and the journal then say which steps are
/// committed. Returns what was done, item by item.
pub(crate) fn settle(
    root: &Root,
    kept: &DirRef,
    ledger: &mut Ledger,
    journal: &mut Journal,
) -> io::Result<Vec<AccountItem>> {
    let mut way = Way::new(&root.dir);
    let mut items = Vec::new();
    let Ledger { begin, folders, steps, rolling_back, .. } = ledger;
    let settler = Settler { run: &begin.run, kept, removed: begin.removed, rolling_back: *rolling_back };
    for folder in folders.iter() {
        let failed = |op, e| {
            AccountItem::left(folder.path.clone(), Error::os(op, full_path(&root.path, &folder.path), e))
        };
        let dir = match if_there(way.open(&folder.path)) {
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
        match settler.settle_folder(root, folder, &dir, &mut steps[folder.steps.clone()], journal, &mut items)
        {
            Ok(()) => {}
            Err(e) => items.push(failed(Op::List, e)),
        }
    }
    for folder in folders.iter().rev().filter(|_| !*rolling_back) {
        finish_folder(root, &mut way, folder, &mut items);
    }
    for item in sync(root, folders, &mut way)? {
        if items.iter().all(|told| told.path != item.path) {
            items.push(item);
        }
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
        let ours: BTreeSet<u64> = names(dir)?.iter().filter_map(|name| step_of(self.run, name)).collect();
        for step in steps {
            let in_order = !ours.contains(&step.number) && (!step.intended || step.committed);
            if in_order || (self.rolling_back && step.committed) {
                continue;
            }
            let path = folder.path.join(&step.name);
            let settled = if step.removes {
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
        for step in steps.iter_mut().filter(|step| step.intended && !step.committed && step.removes) {
            let stored = kept_name(step.number).and_then(|name| if_there(self.kept.stat(&name)));
            match stored {
                Ok(there) if there.is_some() || self.removed == RemovedTo::RecycleBin => {
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
        let at_name = look(dir, &step.name, step)?;
        let beside = look(dir, &staged, step)?;
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
                remove_unfinished(dir, &staged, beside)?;
                let seen = finish_link(dir, step, seen)?;
                // What was durable once was described then; since then somebody may have written to it.
                Ok(Settled::Committed(if step.committed { step.new } else { Some(seen) }))
            }
            There::New(_) => {
                // Verified before it got its name, and yet not what the device holds now.
                if beside != There::Before {
                    remove_unfinished(dir, &staged, beside)?;
                }
                let gone = match original {
                    Some((from, name)) => swap_out(dir, step, from, name, &staged)?,
                    None => take_out(dir, step, &staged)?,
                };
                if !gone {
                    let Some((from, name)) = original else { return Ok(Settled::Deed(Deed::KeptOld)) };
                    if !is_stored {
                        self.keep(from, name, step, journal)?;
                    }
                    return Err(Trouble::Foreign);
                }
                let old = if original.is_some() { Deed::BroughtBack } else { Deed::TakenAway };
                remove_names(dir, &[&staged, &aside])?;
                Ok(Settled::Deed(old))
            }
            There::Before => {
                let lay_around = beside != There::Nothing || is_aside;
                // A second name of the original, made in order to replace it.
                if is_aside {
                    dir.remove_file(&aside)?;
                }
                if beside == There::Before && !is_exactly_before(dir, &step.name, step)? {
                    // Two items look like the original and numbers do not tell: neither is deleted.
                    self.keep(dir, &staged, step, journal)?;
                } else {
                    if_there(dir.remove_file(&staged))?;
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
                if beside != There::Before {
                    remove_unfinished(dir, &staged, beside)?;
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
                if beside != There::Before {
                    remove_unfinished(dir, &staged, beside)?;
                }
                if original.is_some() { Err(Trouble::Foreign) } else { Ok(Settled::Deed(Deed::KeptOld)) }
            }
        }
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
        Ok(match (there, is_kept) {
            // Kept: the removal stands, even if somebody made a new item there since.
            (_, true) => Settled::Committed(None),
            (false, false) if self.removed == RemovedTo::RecycleBin => Settled::Committed(None),
            // Not reached; or somebody removed it while the run was interrupted.
            (_, false) => Settled::Untouched,
        })
    }

    /// Moves an original to where `undo` finds it.
    fn keep(&self, dir: &DirRef, name: &Name, step: &LedgerStep, journal: &mut Journal) -> io::Result<()> {
        if log::keep(self.run, self.kept, dir, name, step.number)? == log::Kept::Aside {
            journal.append(&Record::Aside { step: step.number });
        }
        Ok(())
    }
}

/// Removes what was staged and never got its name. Never an original.
fn remove_unfinished(dir: &DirRef, staged: &Name, beside: There) -> io::Result<()> {
    if beside == There::Before || beside == There::Nothing {
        return Ok(());
    }
    if_there(dir.remove_file(staged)).map(|_| ())
}

fn remove_names(dir: &DirRef, names: &[&Name]) -> io::Result<()> {
    names.iter().try_for_each(|name| if_there(dir.remove_file(name)).map(|_| ()))
}

/// Takes the new item of a step from its name, to `spare`. Whether it was still that: what another program is writing
/// there stays at its name.
fn take_out(dir: &DirRef, step: &LedgerStep, spare: &Name) -> io::Result<bool> {
    move_to(dir, &step.name, dir, spare)?;
    if matches!(look(dir, spare, step)?, There::New(_)) {
        return Ok(true);
    }
    move_to(dir, spare, dir, &step.name)?;
    Ok(false)
}

/// As [`take_out`], and the original that waits at `from` takes the name. The new item goes.
fn swap_out(
    dir: &DirRef,
    step: &LedgerStep,
    from: &DirRef,
    original: &Name,
    spare: &Name,
) -> io::Result<bool> {
    match from.rename(original, &**dir, &step.name, Rename::Exchange) {
        Ok(()) if matches!(look(from, original, step)?, There::New(_)) => {
            from.remove_file(original).map(|()| true)
        }
        Ok(()) => from.rename(original, &**dir, &step.name, Rename::Exchange).map(|()| false),
        Err(e) if reason(&e) == OsReason::Unsupported => {
            let gone = take_out(dir, step, spare)?;
            if gone {
                move_to(from, original, dir, &step.name)?;
            }
            Ok(gone)
        }
        Err(e) => Err(e),
    }
}

/// Gives a link the time it had when it was verified, which a crash may have lost.
fn finish_link(dir: &DirRef, step: &LedgerStep, now: Seen) -> io::Result<Seen> {
    match step.new {
        Some(new) if now.kind == Kind::Symlink && now.modified != new.modified => {
            dir.set_link_times(&step.name, Times { modified: Some(new.modified), created: None })?;
            Ok(Seen::of(&dir.stat(&step.name)?))
        }
        _ => Ok(now),
    }
}

enum Trouble {
    Os(io::Error),
    /// Another program put something at the name.
    Foreign,
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Self {
        Self::Os(e)
    }
}

/// Gives a folder its looks: one the run made those it was to have, any other its old time, as long as it is not
/// known to be finished.
fn finish_folder(root: &Root, way: &mut Way, folder: &LedgerFolder, items: &mut Vec<AccountItem>) {
    let looks = if folder.record.create { folder.record.wanted } else { folder.record.before };
    let Some(looks) = looks else { return };
    // The owner may not be the source's, so a program must not run as one.
    let attributes = if cfg!(windows) { looks.attributes } else { Attributes(looks.attributes.0 & 0o1777) };
    let finished = if_there(way.open(&folder.path)).and_then(|dir| {
        let Some(dir) = dir else { return Ok(false) };
        let now = dir.metadata()?;
        let dress = folder.record.create && now.attributes != attributes;
        if dress {
            dir.set_attributes(attributes)?;
        }
        // The run may have come as far as to set its time, and to say so.
        let finished = folder.record.wanted.is_some_and(|wanted| now.modified == wanted.modified);
        if now.modified != looks.modified && !finished {
            dir.set_times(Times { modified: Some(looks.modified), created: None })?;
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

/// Makes everything in the folders of a run durable. Returns the folders that could not be reached any more; whether
/// what was done in them is durable is not known.
pub(super) fn sync(root: &Root, folders: &[LedgerFolder], way: &mut Way) -> io::Result<Vec<AccountItem>> {
    let volume = root.dir.volume()?;
    if volume.sync_volume {
        root.dir.sync_volume()?;
    }
    let mut out_of_reach = Vec::new();
    for folder in folders {
        match if_there(way.open(&folder.path)) {
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
