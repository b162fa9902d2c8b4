//! What recovery and undo make of an item whose metadata was to be set: see the table above.

use std::io;
use std::sync::Arc;

use fcs_sys::{Attributes, DirRef, Handle, Kind, Metadata, Name, RelPath, Time};

use super::{ItemMetadata, open};
use crate::dir_cursor::DirCursor;
use crate::history::disk::{Judge, if_there};
use crate::history::journal::Journal;
use crate::history::ledger::{LedgerFolder, LedgerStep};
use crate::history::recover::{SettleError, Settled, Settler};
use crate::history::undo::{Back, Refusal, open_of_run};
use crate::history::{FileStamp, RecoveryAction, RecoveryItem};
use crate::lift::Lifted;
use crate::probe::links;
use crate::{ErrorKind, identity::Numbers};

/// What of two sets of metadata an item has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    /// All of before. Also where both are the same.
    Was,
    /// All that it was to have.
    Wanted,
    /// Some of both, or a folder the lifted form of either, or what the system made of that which it was to have.
    Both,
    /// Something else too.
    Other,
}

impl Has {
    /// `attributes` are those of the item, without what this program itself has lifted.
    pub(super) fn of([was, wanted]: &[ItemMetadata; 2], now: &Metadata, attributes: Attributes) -> Self {
        let is_time = |time: Option<Time>| {
            time.is_none_or(|time| now.modified == time || crate::dates::image(time, now.modified).is_some())
        };
        let bits = |of: &ItemMetadata| of.attributes.is_none_or(|bits| bits == attributes);
        // Linux drops the bit for a group that is none of this user's, and says nothing.
        let dropped =
            |of: &ItemMetadata| of.attributes.is_some_and(|bits| bits.without_set_id() == attributes);
        let lifted = |of: &ItemMetadata| {
            now.kind == Kind::Folder && of.attributes.is_some_and(|bits| bits.lifted() == attributes)
        };
        let exact_time = |of: &ItemMetadata| of.modified.is_none_or(|time| time == now.modified);
        // Only one that can be set is told, and one that cannot be read tells nothing.
        let created = |of: &ItemMetadata| {
            let both = of.created.zip(now.created);
            both.is_none_or(|(time, now)| now == time || crate::dates::image(time, now).is_some())
        };
        if exact_time(was) && bits(was) && created(was) {
            Self::Was
        } else if is_time(wanted.modified) && bits(wanted) && created(wanted) {
            Self::Wanted
        } else if (is_time(was.modified) || is_time(wanted.modified))
            && (created(was) || created(wanted))
            && (bits(was) || bits(wanted) || lifted(was) || lifted(wanted) || dropped(wanted))
        {
            #[cfg(fcs_planted)]
            if crate::planted::is(crate::planted::Fault::HalfTheMetadata) {
                return Self::Wanted;
            }
            Self::Both
        } else {
            Self::Other
        }
    }
}

/// As [`open`], on whatever volume the disk is reached through now.
fn open_own(dir: &DirRef, name: &Name, kind: Kind) -> io::Result<Arc<dyn Handle>> {
    if kind == Kind::Symlink && links::in_doubt(&dir.volume()?) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    open(dir, name, kind)
}

/// Whether an item is that of a step, whatever metadata it has.
fn is_the_item(judge: &Judge, dir: &DirRef, now: &Metadata, step: &LedgerStep) -> io::Result<bool> {
    let Some(before) = step.before else { return Ok(false) };
    let now = FileStamp::of(now);
    let same_number = judge.numbers(dir)? == Numbers::ProveNothing || now.file == before.file;
    Ok(same_number && now.kind == before.kind && (now.kind == Kind::Folder || now.size == before.size))
}

impl Settler<'_> {
    /// An item of which only metadata was to be set is whole either way; whether it has it shows.
    pub(crate) fn settle_metadata(
        &self,
        dir: &DirRef,
        step: &LedgerStep,
        lifted: Option<Attributes>,
    ) -> Result<Settled, SettleError> {
        // Without the record of it nothing was set.
        let Some(metadata) = &step.metadata else { return Ok(Settled::Untouched) };
        let Some(now) = if_there(dir.stat(&step.name))? else { return Ok(Settled::Untouched) };
        if !is_the_item(&self.judge, dir, &now, step)? {
            return Ok(Settled::Untouched);
        }
        match Has::of(metadata, &now, lifted.unwrap_or(now.attributes)) {
            Has::Was | Has::Other => Ok(Settled::Untouched),
            Has::Wanted => Ok(Settled::Committed(Some(FileStamp::of(&now)))),
            Has::Both => {
                let item = open_own(dir, &step.name, now.kind)?;
                // Its name may lead to something else since.
                let now = item.metadata()?;
                if !is_the_item(&self.judge, dir, &now, step)?
                    || Has::of(metadata, &now, lifted.unwrap_or(now.attributes)) != Has::Both
                {
                    return Ok(Settled::Untouched);
                }
                metadata[0].give(&*item)?;
                if !dir.volume()?.sync_volume {
                    item.sync()?;
                }
                Ok(Settled::Done(RecoveryAction::KeptOld))
            }
        }
    }
}

/// Puts in order the folders whose own metadata was to be set, before any folder is lifted.
pub(crate) fn settle_folders(
    settler: &Settler<'_>,
    way: &mut DirCursor,
    folders: &[LedgerFolder],
    steps: &mut [LedgerStep],
    (journal, lifted): (&mut Journal, &mut Lifted),
    items: &mut Vec<RecoveryItem>,
) {
    for (folder, at) in downwards(folders, steps) {
        let step = &mut steps[at];
        if !step.intended {
            continue;
        }
        let path = folder.path.join(&step.name);
        // One that cannot be opened is told of where everything in it is looked at.
        let Ok(Some(dir)) = open_of_run(way, folder) else { continue };
        if step.committed {
            if !settler.rolling_back
                && let Err(error) = give_back_own(&dir, step, &path, settler, folders)
            {
                tracing::warn!(%error, "a folder keeps the permissions that it was given to work in it");
            }
            continue;
        }
        let settled = settler.settle_metadata(&dir, step, lifted.had(&path));
        if matches!(settled, Ok(Settled::Done(_))) {
            lifted.take(&path);
        }
        settler.conclude(path, step, settled, journal, items);
    }
}

/// The steps that set metadata of folders, by their positions, from the root down: a folder may keep this user out of those
/// in it until it is in order.
fn downwards<'a>(folders: &'a [LedgerFolder], steps: &[LedgerStep]) -> Vec<(&'a LedgerFolder, usize)> {
    let of = |folder: &'a LedgerFolder| folder.steps.clone().map(move |at| (folder, at));
    let mut found: Vec<_> = folders.iter().flat_map(of).filter(|&(_, at)| steps[at].sets_folder()).collect();
    found.sort_by_key(|(folder, _)| folder.path.depth());
    found
}

/// A recovery before this one may have been cut off while it had lifted what the run set. It has written that down then.
fn give_back_own(
    dir: &DirRef,
    step: &LedgerStep,
    path: &RelPath,
    settler: &Settler<'_>,
    folders: &[LedgerFolder],
) -> io::Result<()> {
    let Some(wanted) = step.metadata.as_deref().and_then(|[_, wanted]| wanted.attributes) else {
        return Ok(());
    };
    let mut lifted = folders.iter().filter(|folder| folder.path == *path);
    if !lifted.any(|folder| folder.had().any(|had| had == wanted)) {
        return Ok(());
    }
    let Some(folder) = if_there(dir.open_dir(&step.name))? else { return Ok(()) };
    if is_the_item(&settler.judge, dir, &folder.metadata()?, step)? {
        crate::lift::give_back(&*folder, wanted)?;
    }
    Ok(())
}

/// Whether a folder has the permissions of before or those that it was to have, whatever its dates.
fn has_bits(metadata: &[ItemMetadata; 2], now: &Metadata) -> bool {
    let bits = metadata.map(|of| ItemMetadata { attributes: of.attributes, ..ItemMetadata::default() });
    now.kind == Kind::Folder && Has::of(&bits, now, now.attributes) != Has::Other
}

impl Back<'_> {
    /// Whether the run worked in a folder that was there, so that undo gives it its date last of all.
    fn is_worked_in(&self, path: &RelPath) -> bool {
        self.ledger.folders.iter().any(|folder| folder.path == *path && folder.record.before.is_some())
    }

    /// Gives folders of which metadata was set that which they had, before anything is done in them.
    pub(crate) fn folders_metadata(&mut self) {
        let ledger = self.ledger;
        for (folder, at) in downwards(&ledger.folders, &ledger.steps) {
            if ledger.steps[at].committed {
                self.step(folder, &ledger.steps[at], Back::return_metadata);
            }
        }
    }

    /// Gives an item of which only metadata was set that which it had.
    pub(crate) fn return_metadata(
        &mut self,
        dir: &DirRef,
        folder: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        let changed = || Refusal::Kind(ErrorKind::ChangedSince);
        let Some(metadata) = &step.metadata else { return Ok(None) };
        let back = if metadata[0].attributes.is_some() {
            RecoveryAction::MetadataRestored
        } else {
            RecoveryAction::DatesRestored
        };
        let path = folder.join(&step.name);
        let now = if_there(dir.stat(&step.name))?.ok_or_else(changed)?;
        if !is_the_item(&self.judge, dir, &now, step)? {
            return Err(changed());
        }
        match Has::of(metadata, &now, self.lifted.had(&path).unwrap_or(now.attributes)) {
            // By an attempt before this one.
            Has::Was => return Ok(Some(back)),
            Has::Wanted => {
                let seen = FileStamp::of(&now);
                let as_left = step
                    .new
                    .is_some_and(|new| metadata[1].modified.is_none() || new.modified == seen.modified);
                // What is done in a folder moves its change time.
                if !as_left || now.kind != Kind::Folder && !self.is_untouched(dir, &seen, step)? {
                    return Err(changed());
                }
            }
            Has::Both if self.resumed => {}
            // The attempt before this one moved the date of a folder when it brought back what was in it.
            Has::Other if self.resumed && self.is_worked_in(&path) && has_bits(metadata, &now) => {}
            Has::Both | Has::Other => return Err(changed()),
        }
        let item = open_own(dir, &step.name, now.kind)?;
        if item.metadata()?.fingerprint() != now.fingerprint() {
            return Err(changed());
        }
        metadata[0].give(&*item)?;
        self.lifted.take(&path);
        if !dir.volume()?.sync_volume {
            item.sync()?;
        }
        Ok(Some(back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_created_time_of_neither_is_something_else() {
        let place = tempfile::tempdir().unwrap();
        let now = fcs_sys::open_root(place.path()).unwrap().dir.metadata().unwrap();
        let time = |seconds| Some(Time::new(seconds, 0));
        let of = |created| ItemMetadata { modified: Some(now.modified), created, attributes: None };
        let has = |was, wanted, created| {
            let now = Metadata { created, ..now };
            Has::of(&[of(was), of(wanted)], &now, now.attributes)
        };
        assert_eq!(has(time(1), time(2), time(1)), Has::Was);
        assert_eq!(has(time(1), time(2), time(2)), Has::Wanted);
        assert_eq!(has(time(1), time(2), time(3)), Has::Other);
        assert_eq!(has(time(1), time(2), None), Has::Was);
        assert_eq!(has(None, None, time(3)), Has::Was);
    }
}
