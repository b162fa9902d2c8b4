//! The way from a root to the folder opened last, kept open so that the next folder costs few opens.
//!
//! Invariant: every folder is reached by its names from the root handle, one at a time, without following links.

use std::io;
use std::sync::Arc;

use fcs_sys::{DirRef, Name, RelPath};

/// Folders below one root, opened in the order of a tree.
pub(crate) struct Way {
    root: DirRef,
    open: Vec<(Name, DirRef)>,
}

impl Way {
    pub(crate) fn new(root: &DirRef) -> Self {
        Self { root: Arc::clone(root), open: Vec::new() }
    }

    /// Opens a folder.
    pub(crate) fn open(&mut self, path: &RelPath) -> io::Result<DirRef> {
        let shared = self.open.iter().zip(path.names()).take_while(|((open, _), name)| open == name).count();
        self.open.truncate(shared);
        for name in path.names().skip(shared) {
            let next = self.here().open_dir(&name)?;
            self.open.push((name, next));
        }
        Ok(Arc::clone(self.here()))
    }

    fn here(&self) -> &DirRef {
        self.open.last().map_or(&self.root, |(_, dir)| dir)
    }
}
