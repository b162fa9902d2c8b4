//! What is really there: names on the disk held against what a journal says of them.
//!
//! A file's number distinguishes it as long as the volume keeps numbers and is the one that the journal was written on
//! ([`crate::identity`]). Else the content decides: what has the size, the time and the hash of the new item is the new
//! item. On FAT in Windows not even a rename keeps a number.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fcs_sys::{Access, DirRef, FileId, Kind, Metadata, Name, OsReason, Root, reason};

use super::ledger::{Ledger, LedgerFolder, LedgerStep};
use super::record::FileStamp;
use crate::identity::Numbers;

/// What is at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameState {
    /// Nothing.
    Nothing,
    /// What was there before the run.
    Before,
    /// What the run put there.
    New(FileStamp),
    /// Something else.
    Other,
}

/// Tells items apart for one journal.
pub(crate) struct Judge {
    /// See [`Ledger::elsewhere`].
    elsewhere: bool,
    volumes: Mutex<HashMap<u64, Numbers>>,
    /// Whether all folders of the root's volume look alike, where that was tried.
    alike: OnceLock<bool>,
}

impl Judge {
    /// For the numbers of a journal.
    pub(crate) fn of(ledger: &Ledger) -> Self {
        Self { elsewhere: ledger.elsewhere, volumes: Mutex::default(), alike: OnceLock::new() }
    }

    /// Whether the folder that is `now` at the path of one that was there before the run is that one. One that the run had to
    /// make anew is not known by its number.
    pub(crate) fn is_the_folder(
        &self,
        dir: &DirRef,
        now: &Metadata,
        folder: &LedgerFolder,
    ) -> io::Result<bool> {
        let Some(before) = folder.record.before else { return Ok(true) };
        let before = FileId { volume: now.id.volume, ..before.id };
        Ok(folder.emptied
            || now.id.may_be_after_rename(before)
            || self.numbers(dir)? == Numbers::ProveNothing)
    }

    /// What the journal's numbers prove in a folder.
    pub(crate) fn numbers(&self, dir: &DirRef) -> io::Result<Numbers> {
        match self.known() {
            Some(known) => Ok(known),
            None => self.numbers_on(dir.metadata()?.id.volume, dir),
        }
    }

    /// As [`Judge::numbers`], of an item in the folder that was just looked at: that tells the volume without asking again.
    pub(crate) fn numbers_of(&self, item: &Metadata, dir: &DirRef) -> io::Result<Numbers> {
        self.known().map_or_else(|| self.numbers_on(item.id.volume, dir), Ok)
    }

    /// What is known whatever the volume.
    fn known(&self) -> Option<Numbers> {
        #[cfg(fcs_planted)]
        if crate::planted::is(crate::planted::Fault::NumberOverContent) {
            return Some(Numbers::Last);
        }
        self.elsewhere.then_some(Numbers::ProveNothing)
    }

    fn volumes(&self) -> MutexGuard<'_, HashMap<u64, Numbers>> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn numbers_on(&self, volume: u64, dir: &DirRef) -> io::Result<Numbers> {
        let known = |volume: u64| self.volumes().get(&volume).copied();
        if let Some(known) = known(volume) {
            return Ok(known);
        }
        // An item may have another than its folder, as on an overlay.
        let id = dir.metadata()?.id.volume;
        if let Some(known) = known(id) {
            return Ok(known);
        }
        let numbers = Numbers::on(&dir.volume()?);
        self.volumes().insert(id, numbers);
        Ok(numbers)
    }

    /// Whether the folder that is `now` at the path of one that the run was to make is that one. `dir` is any folder on its
    /// volume.
    ///
    /// Until the journal says so, the looks of a new folder tell. Where all folders look alike, it must do that the run was
    /// about to make one; elsewhere that proves nothing, because somebody else may have made one there since.
    pub(crate) fn is_made_by_run(
        &self,
        root: &Root,
        folder: &LedgerFolder,
        dir: &DirRef,
        now: &Metadata,
    ) -> io::Result<bool> {
        let number = |id: FileId| (id.file, id.file_high);
        match folder.made {
            Some(made) => Ok(number(made) == number(now.id) || self.numbers(dir)? == Numbers::ProveNothing),
            None => Ok(now.attributes.is_as_made() || folder.making && self.look_alike(root, now.id.volume)),
        }
    }

    /// Whether a new folder of ours looks like any other on a volume. What cannot be tried is not taken for granted.
    fn look_alike(&self, root: &Root, volume: u64) -> bool {
        let tried = || matches!(crate::probe::shows_as_made(&root.dir), Ok(false));
        *self.alike.get_or_init(tried) && root.dir.metadata().is_ok_and(|root| root.id.volume == volume)
    }

    /// Looks at a name that belongs to `step`.
    pub(crate) fn look(&self, dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<NameState> {
        let found = match dir.stat(name) {
            Ok(found) => found,
            Err(e) if reason(&e) == OsReason::NotFound => return Ok(NameState::Nothing),
            Err(e) => return Err(e),
        };
        let now = FileStamp::of(&found);
        match self.numbers_of(&found, dir)? {
            Numbers::Last => by_number(dir, name, step, now),
            Numbers::ProveNothing => by_content(dir, name, step, now),
        }
    }
}

fn by_number(dir: &DirRef, name: &Name, step: &LedgerStep, now: FileStamp) -> io::Result<NameState> {
    if step.new.is_some_and(|new| now.is(&new)) {
        return Ok(NameState::New(now));
    }
    if step.before.is_some_and(|before| now.is(&before)) {
        return Ok(NameState::Before);
    }
    if let Some(new) = step.new
        && now.looks_like(&new)
    {
        let is_new = has_content(dir, name, step)?.unwrap_or_else(|| {
            // Where a rename gives another number, looks must do, if they are not also those of what was there.
            now.is_after_rename(&new) && step.before.is_none_or(|before| !now.looks_like(&before))
        });
        if is_new {
            return Ok(NameState::New(now));
        }
    }
    if now.kind != Kind::Folder && step.before.is_some_and(|before| now.looks_like(&before)) {
        return Ok(NameState::Before);
    }
    Ok(NameState::Other)
}

fn by_content(dir: &DirRef, name: &Name, step: &LedgerStep, now: FileStamp) -> io::Result<NameState> {
    let looks_like_before = step.before.is_some_and(|before| now.looks_like(&before));
    if let Some(new) = step.new {
        let is_new = match now.kind {
            _ if now.kind != new.kind || now.size != new.size => false,
            // A link's own time is nothing that lasts, its text is all there is to it.
            Kind::Symlink => {
                step.hash.is_some_and(|wanted| {
                    dir.read_link(name).is_ok_and(|link| *blake3::hash(&link.text).as_bytes() == wanted)
                }) || step.hash.is_none() && now.modified == new.modified && !looks_like_before
            }
            _ if now.modified != new.modified => false,
            _ => has_content(dir, name, step)?.unwrap_or_else(|| {
                // Without a hash both dates must be those that the run left.
                !looks_like_before && (now.changed == new.changed || now.changed == step.staged_changed)
            }),
        };
        if is_new {
            return Ok(NameState::New(now));
        }
    }
    // Of a folder nothing but its kind lasts. A step that has one before never puts one there, so it is that one or
    // somebody else's, and either is only ever left where it is or moved back to its name.
    Ok(if looks_like_before { NameState::Before } else { NameState::Other })
}

/// Whether the file at a name has the content the run verified; `None` where no hash is known.
pub(crate) fn has_content(dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<Option<bool>> {
    let (Some(wanted), Some(new)) = (step.hash, step.new) else { return Ok(None) };
    if new.kind != Kind::File {
        return Ok(None);
    }
    let file = dir.open_file(name, Access::Read)?;
    let mut hasher = blake3::Hasher::new();
    // No more room than the file needs and one byte, which tells that it is longer: it is filled with zeros first.
    let mut chunk = vec![0; usize::try_from(new.size).unwrap_or(usize::MAX).min((256 << 10) - 1) + 1];
    let mut at = 0;
    loop {
        match file.read_at(&mut chunk, at)? {
            0 => break,
            n => {
                let n = n.min(chunk.len());
                hasher.update(&chunk[..n]);
                at += n as u64;
            }
        }
    }
    Ok(Some(at == new.size && *hasher.finalize().as_bytes() == wanted))
}

/// `Ok(None)` for a name that is not there.
pub(crate) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if reason(&e) == OsReason::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
