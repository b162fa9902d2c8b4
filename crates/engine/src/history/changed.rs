//! Where a run may have changed something, for whoever remembers what was there.
//!
//! Invariant: no path is left out at which a run did something; what it never announced in its journal it did not do. This module
//! must not know what is done with the paths.

use std::collections::HashSet;

use fcs_sys::{Kind, RelPath, Root};

use super::store::StoreReader;
use super::{RunId, look_at};
use crate::{Error, Op};

/// Paths below a root at which something was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangedPaths {
    /// Of items, each by itself.
    pub items: HashSet<RelPath>,
    /// Of items that were moved, or removed or replaced as folders: whatever is, or was, below changed with them.
    pub whole: HashSet<RelPath>,
}

impl ChangedPaths {
    /// Whether the item at a path may have changed.
    pub fn has(&self, path: &RelPath) -> bool {
        let is_below = |whole: &HashSet<RelPath>| {
            let mut at = Some(path.clone());
            std::iter::from_fn(|| {
                let this = at.take()?;
                at = this.split().map(|(parent, _)| parent);
                Some(this)
            })
            .any(|path| whole.contains(&path))
        };
        self.items.contains(path) || !self.whole.is_empty() && is_below(&self.whole)
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.whole.is_empty()
    }

    /// Adds others, of the same root.
    pub fn extend(&mut self, others: Self) {
        self.items.extend(others.items);
        self.whole.extend(others.whole);
    }
}

/// What a run, and all that belong to it, may have changed on a root, at old paths and new ones; of runs whose journals cannot
/// be read nothing is known. Changes nothing.
pub fn paths_of(root: &Root, group: &RunId) -> crate::Result<ChangedPaths> {
    let failed = |e| Error::os(Op::ReadJournal, root.path.clone(), e);
    let Some(look) = StoreReader::open(root).map_err(failed)? else { return Ok(ChangedPaths::default()) };
    let mut paths = ChangedPaths::default();
    for run in look.run_ids().map_err(failed)? {
        let Some((_, Some(ledger))) = look_at(&look, &run, 0) else { continue };
        if ledger.begin.group() != group {
            continue;
        }
        // Dates of folders are set when all else is done.
        let has_begun = ledger.steps.is_empty() || ledger.steps.iter().any(|step| ledger.may_be_done(step));
        for folder in &ledger.folders {
            let mut is_touched = folder.record.create || has_begun && folder.record.wanted.is_some();
            for step in ledger.steps[folder.steps.clone()].iter().filter(|step| ledger.may_be_done(step)) {
                let path = folder.path.join(&step.name);
                let was_folder = step.before.is_some_and(|before| before.kind == Kind::Folder);
                match step.does.new_path() {
                    Some(to) => paths.whole.extend([path, to.clone()]),
                    // With all that was in it.
                    None if was_folder && step.keeps_original() => _ = paths.whole.insert(path),
                    None => _ = paths.items.insert(path),
                }
                is_touched = true;
            }
            if is_touched {
                paths.items.insert(folder.path.clone());
            }
        }
    }
    Ok(paths)
}
