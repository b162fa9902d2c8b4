//! Items that are paired although their names are spelled differently, because a volume does not tell capital letters
//! from small ones: the target's is renamed to what the source has.
//!
//! Invariant: a rename is the last thing that happens to an item, and the deepest comes first, so that every path of the
//! plan is as it was when its turn comes.

use fcs_sys::{Fingerprint, Kind, Name, Protection, RelPath};

use super::{Planner, SELECTED};
use crate::compare::{Differences, RowId, Verdict};

/// One item that is given another spelling of its name.
#[derive(Debug, Clone)]
pub struct Renamed {
    /// The name that it has.
    pub from: Name,
    /// The one that it is to have.
    pub to: Name,
    /// What it is.
    pub kind: Kind,
    /// A flag that keeps everybody from renaming it.
    pub protection: Option<Protection>,
}

/// Items of one folder of the target.
#[derive(Debug, Clone)]
pub struct RenamedIn {
    /// Path below the target root, as it is before the run.
    pub path: RelPath,
    /// What the folder looked like.
    pub expect: Fingerprint,
    /// The items.
    pub items: Vec<Renamed>,
}

impl Planner<'_> {
    fn is_spelled_differently(&self, row: RowId) -> bool {
        matches!(self.comparison.row(row).verdict, Verdict::Different(found) if found.spelling)
    }

    /// Whether nothing else of a row is to be changed.
    pub(super) fn differs_in_spelling_alone(&self, row: RowId) -> bool {
        let alone = Differences { spelling: true, ..Differences::default() };
        self.comparison.row(row).verdict == Verdict::Different(alone)
    }

    /// Adds the renames, deepest first.
    pub(super) fn emit_renames(&mut self) {
        if !self.work.copies {
            return;
        }
        // Rows are breadth-first.
        for row in (0..self.comparison.rows.len() as RowId).rev() {
            let items: Vec<Renamed> =
                self.comparison.children(row).filter_map(|child| self.renamed(child)).collect();
            let folder = self.comparison.entry(row, self.target).filter(|_| !items.is_empty());
            let Some(folder) = folder else { continue };
            self.plan.totals.renamed += items.len() as u64;
            self.plan.renames.push(RenamedIn {
                path: self.comparison.path_on(row, self.target),
                expect: folder.fingerprint(),
                items,
            });
        }
    }

    fn renamed(&self, row: RowId) -> Option<Renamed> {
        if !self.is_spelled_differently(row)
            || !self.has(row, SELECTED)
            || matches!(self.deed(row), super::Deed::Skip(_))
        {
            return None;
        }
        let there = self.comparison.entry(row, self.target)?;
        // Names were checked when they were listed.
        let name = |side| Name::new(self.comparison.name_on(row, side)).ok();
        Some(Renamed {
            from: name(self.target)?,
            to: name(self.source)?,
            kind: there.kind,
            protection: there.protection(),
        })
    }
}
