//! A folder that a file or link takes the place of: whether it is, at any depth, what the comparison saw.
//!
//! Its own dates tell only of what changed directly in it, so everything in it is asked: right before the swap, of what
//! came out, and once more before that is pruned. What is written through handles that were open before, after the last
//! of these looks, cannot be told by anyone.
//!
//! Invariant: what cannot be asked counts as changed. This module changes nothing on the disk, and must not know what is
//! done about a folder that changed.

use std::collections::BTreeSet;
use std::io;

use fcs_sys::{DirRef, FileId, Fingerprint, Kind, Metadata, Name};

use super::context::{Context, Volume};
use crate::plan::{HeldFolder, Step};

/// Whether what lies under `name` may go with the step as far as its content says. What is no folder may.
pub(crate) fn is_as_seen(
    context: &Context<'_>,
    volume: &Volume,
    dir: &DirRef,
    name: &Name,
    step: &Step,
) -> bool {
    let Some(expected) = step.expect_target.filter(|expected| expected.kind == Kind::Folder) else {
        return true;
    };
    // The folder itself is always among them, so that an empty list says that nothing is known.
    !step.goes_along.is_empty()
        && step
            .goes_along
            .iter()
            .all(|held| is_folder_as_seen(context, volume, (dir, name), held, expected.id).unwrap_or(false))
}

/// Whether one of the folders below `name` is as it was seen; `top` is the identity of the folder at `name`.
pub(crate) fn is_folder_as_seen(
    context: &Context<'_>,
    volume: &Volume,
    (dir, name): (&DirRef, &Name),
    held: &HeldFolder,
    top: FileId,
) -> io::Result<bool> {
    // A second mount of a folder of the same volume has its number too.
    let is_another = |now: &Metadata| now.mounted == Some(true) || now.id.volume != top.volume;
    let here = held.path.names().try_fold(dir.open_dir(name)?, |dir, name| dir.open_dir(&name))?;
    if is_another(&here.metadata()?) || !holds_only(&here, held.items.iter().map(|(name, _)| name))? {
        return Ok(false);
    }
    for (name, seen) in &held.items {
        let now = here.stat(name)?;
        // Where a number is that of the place, what is in a renamed folder has another one.
        let moved_along =
            now.id.may_be_after_rename(seen.id) && Fingerprint { id: seen.id, ..now.fingerprint() } == *seen;
        let same = moved_along || context.target_unchanged(volume.numbers, &now, seen);
        if is_another(&now) || !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a folder holds what was listed, and nothing else, not even something of ours.
pub(crate) fn holds_only<'a>(dir: &DirRef, names: impl Iterator<Item = &'a Name>) -> io::Result<bool> {
    let listed: BTreeSet<&[u8]> = names.map(Name::as_bytes).collect();
    let mut found = 0;
    let mut strange = false;
    dir.list(&mut |item| {
        found += 1;
        strange |= !listed.contains(item.name);
    })?;
    Ok(!strange && found == listed.len())
}
