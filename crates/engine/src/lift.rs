//! Folders whose permissions keep their own owner from working in them (mode 0555, as caches of packages have it): the
//! bits are added for as long as a run, an undo or a recovery works in the folder, and removed again at its end.
//!
//! Invariant: bits are added only while it is durable what the folder had before, in the list of the journal or in a
//! record of its own; so whoever finds the folder later can give it back what it had. Only what is exactly the lifted
//! form of what was written down is changed back: anything else was set by somebody since.

use std::collections::BTreeMap;
use std::io;

use fcs_sys::{Attributes, Dir, DirRef, Kind, Metadata, Name, OsReason, RelPath, reason};

use crate::dir_cursor::DirCursor;
use crate::history::move_to;

/// What a folder has to be given before this user may work in it, if that is needed and possible.
pub(crate) fn needed(now: &Metadata) -> Option<Attributes> {
    fcs_sys::user::lifted(now.attributes, now.owner).filter(|_| now.kind == Kind::Folder)
}

/// Gives a folder back what it had, if what it has is that with the owner's bits added. Whether it was changed.
pub(crate) fn give_back(dir: &dyn Dir, was: Attributes) -> io::Result<bool> {
    let now = dir.metadata()?.attributes;
    if now == was || now != was.lifted() {
        return Ok(false);
    }
    dir.set_attributes(was).map(|()| true)
}

/// The folders that were opened to be worked in and had to be given more permissions, with what they had.
#[derive(Debug, Default)]
pub(crate) struct Lifted(BTreeMap<RelPath, Attributes>);

impl Lifted {
    /// Lets this user work in a folder, which has `now`. `write_down` makes durable what the folder has, and is asked
    /// only where something is to be changed.
    pub(crate) fn lift(
        &mut self,
        path: &RelPath,
        dir: &DirRef,
        now: &Metadata,
        write_down: impl FnOnce(Attributes) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(wanted) = needed(now) else { return Ok(()) };
        write_down(now.attributes)?;
        // Before it is done: what fails half-way is looked at too.
        self.0.entry(path.clone()).or_insert(now.attributes);
        dir.set_attributes(wanted)
    }

    /// What a folder had, if it was lifted.
    pub(crate) fn had(&self, path: &RelPath) -> Option<Attributes> {
        self.0.get(path).copied()
    }

    /// What a folder had that was lifted and is not one of those to be given it back at the end any more, because it is no
    /// longer where it was.
    pub(crate) fn take(&mut self, path: &RelPath) -> Option<Attributes> {
        self.0.remove(path)
    }

    /// Takes over what another one has lifted. What a folder had first is what it had.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (path, was) in other.0 {
            self.0.entry(path).or_insert(was);
        }
    }

    /// Gives every folder back what it had, deepest first. Returns those that could not be given it; one that is gone
    /// needs nothing.
    pub(crate) fn give_back(&mut self, root: &DirRef) -> Vec<(RelPath, io::Error)> {
        let mut way = DirCursor::new(root);
        let syncs_whole = self.0.is_empty() || root.volume().is_ok_and(|volume| volume.sync_volume);
        let mut left = Vec::new();
        for (path, was) in std::mem::take(&mut self.0).into_iter().rev() {
            let given = way.open(&path).and_then(|dir| {
                let changed = give_back(&*dir, was)?;
                // Else whoever goes on syncs the whole volume.
                if changed && !syncs_whole { dir.sync() } else { Ok(()) }
            });
            match given {
                Err(e) if !is_gone(&e) => left.push((path, e)),
                _ => {}
            }
        }
        left
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(reason(error), OsReason::NotFound | OsReason::NotAFolder | OsReason::IsALink)
}

/// As [`move_to`], also for a folder whose own permissions keep it from being moved to another folder, because its entry
/// `..` is to be changed. `write_down` makes durable what it has.
pub(crate) fn move_lifted(
    dir: &DirRef,
    from: &Name,
    to_dir: &DirRef,
    to: &Name,
    write_down: impl FnOnce(Attributes) -> io::Result<()>,
) -> io::Result<()> {
    let refused = match move_to(dir, from, to_dir, to) {
        Err(e) if reason(&e) == OsReason::PermissionDenied => e,
        other => return other,
    };
    let Ok(folder) = dir.open_dir(from) else { return Err(refused) };
    let now = folder.metadata()?;
    let Some(wanted) = needed(&now) else { return Err(refused) };
    write_down(now.attributes)?;
    folder.set_attributes(wanted)?;
    let moved = move_to(dir, from, to_dir, to);
    // Through the handle: it is the folder's, wherever that is now.
    let given_back = folder.set_attributes(now.attributes);
    moved.and(given_back)
}
