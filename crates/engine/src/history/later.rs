//! What later runs changed that stay: an earlier one that is undone leaves that alone.
//!
//! Invariant: goes by what the journals say alone, and asks no disk.

use std::collections::HashSet;

use fcs_sys::RelPath;

use super::ledger::Ledger;

/// What later runs changed, by the paths that items had before each of them.
#[derive(Debug, Default)]
pub(crate) struct Later {
    /// Items that they changed, and folders in which they worked.
    touched: HashSet<RelPath>,
    /// Items that they moved or gave another spelling of their names: nothing in them has the path that it had.
    renamed: HashSet<RelPath>,
}

impl Later {
    pub(crate) fn of<'a>(ledgers: impl Iterator<Item = &'a Ledger>) -> Self {
        let mut later = Self::default();
        for ledger in ledgers {
            later.touched.extend(ledger.touched());
            later.renamed.extend(ledger.renamed());
        }
        later
    }

    /// Whether they changed an item, or it is in a folder that has another name because of them.
    pub(crate) fn changed(&self, path: &RelPath) -> bool {
        self.touched.contains(path) || self.moved(path)
    }

    /// Whether an item is in a folder that has another name because of them, or has one itself.
    pub(crate) fn moved(&self, path: &RelPath) -> bool {
        is_within(&self.renamed, path)
    }

    /// As [`Self::changed`], or anything in it.
    pub(crate) fn changed_in(&self, path: &RelPath) -> bool {
        self.changed(path) || self.touched.iter().any(|touched| touched.starts_with(path))
    }
}

/// Whether a path is one of these or is below one.
pub(crate) fn is_within(paths: &HashSet<RelPath>, path: &RelPath) -> bool {
    if paths.is_empty() {
        return false;
    }
    let mut here = Some(path.clone());
    while let Some(path) = here {
        if paths.contains(&path) {
            return true;
        }
        here = path.split().map(|(above, _)| above);
    }
    false
}
