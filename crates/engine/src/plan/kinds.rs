//! Items that are of another kind on the target: whether they can be replaced, and what goes with them.
//!
//! Invariant: what is replaced goes whole, by one rename into the undo store. So it must be known whole: nothing in it
//! that a pattern leaves out, that could not be read, or that is another volume. And it must be a file, link or folder: a
//! pipe or device is somebody's way to talk to a program. The plan says what was seen in it, so that the run can tell.

use fcs_sys::{Fingerprint, Kind, Name, RelPath};

use super::planner::{Planner, SELECTED};
use crate::compare::{Comparison, RowId, Side, Verdict};

/// A folder that goes with the one that is replaced, as the comparison saw it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HeldFolder {
    /// Path below the folder that is replaced, which itself is the root.
    pub path: RelPath,
    /// All that it holds directly.
    pub items: Vec<(Name, Fingerprint)>,
}

impl Planner<'_> {
    /// What the folder in `row` holds on the target, at any depth. `None` if a name cannot be a name.
    pub(super) fn what_goes_along(&self, row: RowId) -> Option<Vec<HeldFolder>> {
        let comparison = self.comparison;
        let mut folders = Vec::new();
        let mut rows = vec![(row, RelPath::root())];
        while let Some((at, path)) = rows.pop() {
            let mut items = Vec::new();
            for child in comparison.children(at) {
                let Some(entry) = comparison.entry(child, self.target) else { continue };
                let name = Name::new(comparison.name_on(child, self.target)).ok()?;
                if entry.kind == Kind::Folder {
                    rows.push((child, path.join(&name)));
                }
                items.push((name, entry.fingerprint()));
            }
            folders.push(HeldFolder { path, items });
        }
        Some(folders)
    }

    /// Whether the two items of a row, one of them of another kind than the other, are to be swapped.
    pub(super) fn kind_can_be_replaced(&self, row: RowId) -> bool {
        self.work.kinds && self.has(row, SELECTED) && can_be_replaced(self.comparison, self.target, row)
    }

    /// Whether a row is told by the folder above it, which is of another kind on the other side.
    pub(super) fn is_below_another_kind(&self, row: RowId) -> bool {
        is_below_another_kind(self.comparison, row)
    }

    /// Counts an item that is replaced by one of another kind, with everything in it.
    pub(super) fn count_what_is_replaced(&mut self, row: RowId) {
        let mut rows = vec![row];
        while let Some(at) = rows.pop() {
            let Some(entry) = self.comparison.entry(at, self.target) else { continue };
            let totals = &mut self.plan.totals;
            totals.replaced_kinds += 1;
            // The item itself is counted as a replaced file.
            if at != row && entry.kind == Kind::File {
                totals.bytes_removed = totals.bytes_removed.saturating_add(entry.size);
            }
            rows.extend(self.comparison.children(at));
        }
    }
}

/// Whether the two items of a row, one of them of another kind than the other, may be swapped on `target`.
pub(crate) fn can_be_replaced(comparison: &Comparison, target: Side, row: RowId) -> bool {
    let (Some(here), Some(there)) = (comparison.entry(row, target.other()), comparison.entry(row, target))
    else {
        return false;
    };
    here.kind != Kind::Other && there.kind != Kind::Other && is_known_whole(comparison, target, row)
}

/// Whether everything that the target has in a row is in the comparison.
fn is_known_whole(comparison: &Comparison, target: Side, row: RowId) -> bool {
    let tree = comparison.tree(target);
    let mut rows = vec![row];
    while let Some(at) = rows.pop() {
        let Some(node) = comparison.node(at, target) else { continue };
        let entry = tree.entry(node);
        let is_folder = entry.kind == Kind::Folder;
        if comparison.row(at).verdict != Verdict::KindClash
            || entry.kind == Kind::Other
            || is_folder && (entry.is_mounted() || !tree.is_listed_whole(node))
        {
            return false;
        }
        rows.extend(comparison.children(at));
    }
    true
}

/// Whether a row is told by the folder above it, which is of another kind on the other side.
pub(crate) fn is_below_another_kind(comparison: &Comparison, row: RowId) -> bool {
    row != Comparison::ROOT && comparison.row(comparison.row(row).parent).verdict == Verdict::KindClash
}
