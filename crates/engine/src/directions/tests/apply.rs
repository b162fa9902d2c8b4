//! Carries plans for both sides out on models, and keeps the memory, as `docs/directions.md` says.

use std::collections::BTreeMap;

use fcs_sys::RelPath;

use super::whole::remember;
use crate::compare::{Comparison, RowId, Side, Verdict};
use crate::directions::{Act, Decisions, forgotten};
use crate::memory::{Known, Remembered};
use crate::model::Item;
use crate::plan::{ItemChange, Plan, RootIndex};
use crate::tree::NameOrder::Exact;

/// What a run gives the folders that it works in.
const NOW: i64 = 999;

pub(super) struct Applied {
    pub(super) sides: [Item; 2],
    /// What went to the undo stores, with what was in it.
    pub(super) kept: Vec<(RelPath, Item)>,
}

fn index(root: RootIndex) -> usize {
    usize::from(root.0)
}

fn set_date(root: &mut Item, at: &RelPath, modified: i64) {
    match at.split() {
        None => root.set_modified(modified),
        Some((folder, name)) => {
            root.items_at(&folder).get_mut(name.as_bytes()).unwrap().set_modified(modified);
        }
    }
}

fn take(root: &mut Item, at: &RelPath) -> Item {
    let (folder, name) = at.split().unwrap();
    let taken = root.items_at(&folder).remove(name.as_bytes()).unwrap();
    set_date(root, &folder, NOW);
    taken
}

fn put(root: &mut Item, at: &RelPath, item: Item) -> Option<Item> {
    let (folder, name) = at.split().unwrap();
    let old = root.items_at(&folder).insert(name.as_bytes().to_vec(), item);
    set_date(root, &folder, NOW);
    old
}

/// Copies in both sides, then moves, then removes, then sets the dates of folders.
pub(super) fn apply(plan: &Plan, before: [&Item; 2]) -> Applied {
    let mut sides = before.map(Clone::clone);
    let mut kept = Vec::new();
    for part in plan.parts().unwrap() {
        let (from, to) = (index(part.source), index(part.root));
        for folder in part.folders {
            if folder.create {
                if folder.replaces {
                    kept.push((folder.target_path.clone(), take(&mut sides[to], &folder.target_path)));
                }
                let old = put(&mut sides[to], &folder.target_path, Item::folder(NOW, []));
                assert!(old.is_none(), "{:?} is there", folder.target_path);
            }
            for step in &folder.steps {
                let copy = sides[from].at(&folder.source_path.join(&step.source_name)).unwrap().clone();
                let at = folder.target_path.join(&step.target_name);
                let old = put(&mut sides[to], &at, copy);
                assert_eq!(old.is_some(), step.expect_target.is_some(), "{at:?}");
                kept.extend(old.map(|old| (at, old)));
            }
        }
    }
    for change in &plan.changes {
        let ItemChange::Move(moved) = change else { panic!("{change:?}") };
        let item = take(&mut sides[index(moved.root)], &moved.from);
        assert!(put(&mut sides[index(moved.root)], &moved.to, item).is_none(), "moved over another item");
    }
    for (folder, removal) in plan.removed().filter(|(_, removal)| !removal.makes_way) {
        let at = folder.path.join(&removal.name);
        let gone = take(&mut sides[index(folder.root)], &at);
        assert!(gone.items().is_none_or(BTreeMap::is_empty), "a folder goes after what is in it");
        kept.push((at, gone));
    }
    for folder in plan.folders.iter().filter(|folder| folder.sync_times) {
        let Some(Item::Folder { modified, .. }) = sides[index(folder.source_root)].at(&folder.source_path)
        else {
            panic!("a folder")
        };
        let modified = *modified;
        set_date(&mut sides[index(folder.target_root)], &folder.target_path, modified);
    }
    Applied { sides, kept }
}

/// Section 5 of the page: what is remembered after a run that was decided so.
pub(super) fn remembered_after(
    before: &Remembered,
    comparison: &Comparison,
    decisions: &Decisions,
    after: &Comparison,
) -> Remembered {
    let mut all: BTreeMap<Vec<u8>, Known> =
        before.iter().map(|(path, known)| (path.to_vec(), *known)).collect();
    for path in forgotten(after, before) {
        all.remove(path.as_bytes());
    }
    for row in 0..comparison.rows.len() as RowId {
        if matches!(decisions.act(row), Act::KeepBoth { .. }) {
            all.remove(comparison.path(row).as_bytes());
        }
    }
    let alike = remember(&after.left, &after.right);
    for row in 0..after.rows.len() as RowId {
        let is_folder = [Side::Left, Side::Right]
            .into_iter()
            .all(|side| after.node(row, side).is_some_and(|node| after.tree(side).folder_of(node).is_some()));
        let path = after.path(row);
        if let Some(known) = alike.get(&path).filter(|_| is_folder || after.row(row).verdict == Verdict::Same)
        {
            all.insert(path.as_bytes().to_vec(), *known);
        }
    }
    let mut remembered = Remembered::default();
    for (path, known) in &all {
        assert!(remembered.push(&RelPath::parse(path.as_slice()).unwrap(), *known));
    }
    remembered
}

/// Remembers a model as both sides had it.
pub(super) fn remember_item(item: &Item) -> Remembered {
    remember(&item.scan(Exact), &item.scan(Exact))
}
