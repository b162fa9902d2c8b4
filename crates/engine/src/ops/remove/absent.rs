//! Asks the source once more, right before an item is removed, whether it really does not have it.
//!
//! Why: hours may lie between the comparison and a removal, a folder may be swapped or unmounted meanwhile, and a file
//! that is removed and made again in a loop may have been missed by chance. One look-up per item that goes is cheap
//! beside the rename, and nothing else tells.
//!
//! Invariant: *absent* is said only where the system answers that there is no such name in the very folder that was
//! compared. Every other answer keeps the item.

use std::collections::HashSet;
use std::io;

use fcs_sys::{DirRef, Name, OsReason, Root, reason};

use crate::dir_cursor::DirCursor;
use crate::plan::{RemovalFolder, SourceFolder};
use crate::progress::full_path;
use crate::tree::{NameOrder, fold};
use crate::{Error, Op, TargetState};

/// The way through the source, and the folder asked last.
pub(super) struct Asker<'a> {
    root: &'a Root,
    way: DirCursor,
    /// The last folder with its folded names, where case counts for nothing.
    last: Option<(&'a SourceFolder, DirRef, HashSet<Vec<u8>>)>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self { root, way: DirCursor::new(&root.dir), last: None }
    }

    /// Whether the source is certain not to have an item of this name; an error where it cannot be known.
    pub(super) fn lacks(&mut self, folder: &'a RemovalFolder, item: &Name) -> Result<bool, Error> {
        let source = &folder.source;
        // Where the whole folder was missing, its own name decides: once it is there, nothing is known of what is in it.
        let name = source.missing.as_ref().unwrap_or(item);
        self.is_absent(source, name).map_err(|e| {
            let path = full_path(&self.root.path, &source.path.join(name));
            Error::os(Op::Examine, path, e).with_target(TargetState::Original)
        })
    }

    fn is_absent(&mut self, folder: &'a SourceFolder, name: &Name) -> io::Result<bool> {
        if self.last.as_ref().is_none_or(|(last, ..)| !std::ptr::eq(*last, folder)) {
            self.last = None;
            let dir = match self.way.open(&folder.path) {
                Err(e) if reason(&e) == OsReason::NotFound => return Ok(false),
                dir => dir?,
            };
            // Unmounted since, or mounted over: this is not the folder that was compared. Its number is no proof
            // either way, because some volumes keep none; the volume is.
            if dir.metadata()?.id.volume != folder.expect.id.volume {
                return Ok(false);
            }
            let mut names = HashSet::new();
            if folder.names == NameOrder::Folded {
                dir.list(&mut |item| {
                    names.insert(fold(item.name));
                })?;
            }
            self.last = Some((folder, dir, names));
        }
        let Some((_, dir, names)) = &self.last else { return Ok(false) };
        match dir.stat(name) {
            Ok(_) => Ok(false),
            // A volume that cannot hold the name does not have it.
            Err(e)
                if matches!(
                    reason(&e),
                    OsReason::NotFound | OsReason::InvalidName | OsReason::NameTooLong
                ) =>
            {
                Ok(names.is_empty() || !names.contains(&fold(name.as_bytes())))
            }
            Err(e) => Err(e),
        }
    }
}
