//! What a run teaches the memory of its pair.
//!
//! Both sides are listed once more when the run is over, so what is remembered was seen and not reckoned. An item is
//! remembered where it was the same before and nobody has touched it since, or where the run itself made it the same.
//! What became different meanwhile keeps the memory it had: that is how the next run knows which side changed.
//!
//! Invariant: pure; a row is never remembered by the look of a moment alone. This module must not know where memory is
//! kept, nor what is done by it.

use std::collections::{HashMap, HashSet};

use fcs_sys::{Kind, RelPath, Time};

use super::{Grade, Known, MemoryChange, Remembered, Stamp};
use crate::compare::{Comparison, RowId, Side, Verdict};
use crate::directions::forgotten;
use crate::report::{ActionKind, Evidence, ItemReport, Outcome};

/// What becomes of what is `remembered` of a pair that was compared as `first`, by a run of these items, and that is as
/// `after` now. That one may be made without looking at content. `moves` are the paths, old and new, of what the plan was
/// to move. In no order; empty where `after` was cancelled.
pub fn learned(
    first: &Comparison,
    after: &Comparison,
    (items, moves): (&[ItemReport], &[(RelPath, RelPath)]),
    remembered: &Remembered,
    now: Time,
) -> Vec<MemoryChange> {
    if first.cancelled || after.cancelled {
        return Vec::new();
    }
    let done: HashMap<&RelPath, &Evidence> = items.iter().filter_map(made_the_same).collect();
    let moved = items
        .iter()
        .filter(|item| item.action == ActionKind::Move && matches!(item.outcome, Outcome::Done { .. }));
    let moved: HashSet<&RelPath> = moved.map(|item| &item.path).collect();
    let moves = moves.iter().filter(|(from, _)| moved.contains(from)).map(|(from, to)| (to, from));
    let mut learning = Learning {
        moves: moves.collect(),
        on_both: HashSet::new(),
        renewed: HashSet::new(),
        first,
        after,
        done,
        remembered,
        now,
        changes: Vec::new(),
    };
    learning.folder(Comparison::ROOT, Some(Comparison::ROOT));
    learning.forget_in_renewed();
    let gone = forgotten(after, remembered).into_iter().map(|path| MemoryChange { path, known: None });
    learning.changes.extend(gone);
    learning.changes
}

/// An item that the run made the same on both sides, by its path on the side that was written to.
fn made_the_same(item: &ItemReport) -> Option<(&RelPath, &Evidence)> {
    let Outcome::Done { evidence } = &item.outcome else { return None };
    match item.action {
        ActionKind::CopyNew | ActionKind::Replace | ActionKind::CopyLink | ActionKind::FileTimes => {
            Some((&item.path, evidence))
        }
        _ => None,
    }
}

struct Learning<'a> {
    first: &'a Comparison,
    after: &'a Comparison,
    done: HashMap<&'a RelPath, &'a Evidence>,
    /// By the new path, the old one.
    moves: HashMap<&'a RelPath, &'a RelPath>,
    remembered: &'a Remembered,
    /// Places in `remembered` of what both sides have now.
    on_both: HashSet<usize>,
    /// Folders that are remembered and are others now.
    renewed: HashSet<RelPath>,
    now: Time,
    changes: Vec<MemoryChange>,
}

impl Learning<'_> {
    /// Learns what is in a folder of `after`, and in the folders in it. `before` is the folder's row in `first`.
    fn folder(&mut self, row: RowId, before: Option<RowId>) {
        let mut open = vec![(row, before)];
        while let Some((folder, before)) = open.pop() {
            let rows = before.map(|before| self.first.children(before)).unwrap_or_default();
            let by_name: HashMap<&[u8], RowId> = rows.map(|row| (self.first.name(row), row)).collect();
            for row in self.after.children(folder) {
                let before = by_name.get(self.after.name(row)).copied();
                self.item(row, before);
                open.push((row, before));
            }
        }
    }

    fn item(&mut self, row: RowId, before: Option<RowId>) {
        let path = self.after.path(row);
        let place = self.remembered.position(&path);
        let was = place.and_then(|place| self.remembered.item(place));
        if let Some(place) = place
            && [Side::Left, Side::Right].into_iter().all(|side| self.after.node(row, side).is_some())
        {
            self.on_both.insert(place);
        }
        let Some(mut known) = self.known(row, before, &path) else { return };
        match was {
            // What is not news keeps what was proven of it, and when.
            Some(was) if was.stamps == known.stamps && was.grade >= known.grade => {}
            _ => {
                let is_other = |(was, now): (&Stamp, &Stamp)| {
                    (was.id.file, was.id.file_high) != (now.id.file, now.id.file_high)
                };
                if was.is_some_and(|was| was.stamps.iter().zip(&known.stamps).any(is_other))
                    && known.stamps[0].kind == Kind::Folder
                {
                    self.renewed.insert(path.clone());
                }
                known.hash = known.hash.or_else(|| was.filter(|was| was.stamps == known.stamps)?.hash);
                self.changes.push(MemoryChange { path, known: Some(known) });
            }
        }
    }

    /// What is to be remembered of a row, if both sides have it and it is the same.
    fn known(&self, row: RowId, before: Option<RowId>, path: &RelPath) -> Option<Known> {
        let after = self.after;
        if matches!(after.row(row).verdict, Verdict::NameClash | Verdict::KindClash | Verdict::Unreadable) {
            return None;
        }
        let left = after.entry(row, Side::Left)?.fingerprint();
        let right = after.entry(row, Side::Right)?.fingerprint();
        let known = |grade, hash| {
            let stamps = [Stamp::from(&left), Stamp::from(&right)];
            Some(Known { stamps, hash, grade, seen: self.now })
        };
        match left.kind {
            Kind::Folder => return known(Grade::Looks, None),
            Kind::Other => return None,
            Kind::File | Kind::Symlink => {}
        }
        if after.row(row).verdict == Verdict::Same
            && let Some(evidence) = self.done.get(path)
        {
            let grade = match evidence {
                Evidence::DeviceReread { .. } => Grade::Device,
                Evidence::CacheReread { .. } => Grade::Cache,
                Evidence::SharedExtents | Evidence::NotRequested | Evidence::NoContent => Grade::Looks,
            };
            return known(grade, evidence.hash().map(|hash| hash.0));
        }
        // What was known of it under its old name may not be so any more: the rename alone read nothing.
        if after.row(row).verdict == Verdict::Same && self.moved_from(path).is_some() {
            return known(Grade::Looks, None);
        }
        let before = before.filter(|&row| self.first.row(row).verdict == Verdict::Same)?;
        let untouched = [(Side::Left, &left), (Side::Right, &right)].into_iter().all(|(side, now)| {
            self.first.entry(before, side).is_some_and(|was| {
                let was = was.fingerprint();
                (was.kind, was.size, was.modified) == (now.kind, now.size, now.modified)
                    && was.changed == now.changed
                    && was.id == now.id
            })
        });
        if !untouched {
            return None;
        }
        // What the comparison knew without reading is no better known now than before.
        if self.first.content_read.equal.binary_search(&before).is_ok() {
            return known(Grade::Cache, None).map(|known| Known { seen: self.first.began, ..known });
        }
        known(Grade::Looks, None)
    }
}

impl Learning<'_> {
    /// Of a folder that is another one now nobody knows what was taken from it: what both sides do not have now is new.
    fn forget_in_renewed(&mut self) {
        if self.renewed.is_empty() {
            return;
        }
        let lone = self.remembered.iter().enumerate().filter(|(place, _)| !self.on_both.contains(place));
        // Paths were checked when they were remembered.
        let lone = lone.filter_map(|(_, (path, _))| RelPath::parse(path).ok());
        let below = |path: &RelPath| {
            std::iter::successors(path.split(), |(above, _)| above.split())
                .any(|(above, _)| self.renewed.contains(&above))
        };
        let gone: Vec<_> = lone.filter(below).map(|path| MemoryChange { path, known: None }).collect();
        self.changes.extend(gone);
    }

    /// The path that an item had before the run moved it, or a folder that it is in.
    fn moved_from(&self, path: &RelPath) -> Option<RelPath> {
        let mut below = Vec::new();
        let mut at = path.clone();
        while !self.moves.is_empty() {
            if let Some(from) = self.moves.get(&at) {
                return Some(below.iter().rev().fold((*from).clone(), |path, name| path.join(name)));
            }
            let (folder, name) = at.split()?;
            below.push(name);
            at = folder;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::compare::Side;
    use crate::model::{Item, compare_models, path};
    use crate::plan::RootIndex;
    use crate::tree::NameOrder;

    fn compared(left: &Item, right: &Item) -> Comparison {
        compare_models(left, right, NameOrder::Exact, &Settings::default())
    }

    fn done(text: &str, action: ActionKind, evidence: Evidence) -> ItemReport {
        ItemReport {
            root: RootIndex::from(Side::Right),
            path: path(text),
            action,
            bytes: 0,
            strategy: None,
            outcome: Outcome::Done { evidence },
            not_kept: Vec::new(),
            because_of: None,
        }
    }

    fn apply(remembered: &Remembered, changes: Vec<MemoryChange>) -> Remembered {
        remembered.with(changes)
    }

    fn paths(remembered: &Remembered) -> Vec<String> {
        remembered.iter().map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect()
    }

    const NOW: Time = Time::EPOCH;

    #[test]
    fn what_was_the_same_or_was_made_so_is_remembered_and_nothing_else() {
        let left = Item::folder(
            0,
            [
                ("both", Item::file(1, 10)),
                ("copied", Item::file(2, 10)),
                ("differs", Item::file(3, 10)),
                ("sub", Item::folder(0, [("new", Item::file(4, 10))])),
            ],
        );
        let right = Item::folder(0, [("both", Item::file(1, 10)), ("differs", Item::file(4, 20))]);
        let mut after = right.clone();
        after.items_at(&path("")).insert(b"copied".to_vec(), Item::file(2, 10));
        after.items_at(&path("")).insert(b"sub".to_vec(), Item::folder(0, [("new", Item::file(4, 10))]));
        let (first, after) = (compared(&left, &right), compared(&left, &after));
        let evidence = Evidence::DeviceReread { hash: Some(crate::report::Digest([7; 32])) };
        let items = [
            done("copied", ActionKind::CopyNew, evidence),
            // Done by somebody else meanwhile: the run failed at it.
            ItemReport {
                outcome: Outcome::Skipped { why: crate::report::SkipReason::Stopped },
                ..done("sub/new", ActionKind::CopyNew, Evidence::NoContent)
            },
        ];
        let none = Remembered::default();
        let known = apply(&none, learned(&first, &after, (&items, &[]), &none, NOW));
        assert_eq!(paths(&known), ["both", "copied", "sub"]);
        let copied = known.get(&path("copied")).unwrap();
        assert_eq!((copied.grade, copied.hash), (Grade::Device, Some([7; 32])));
        assert_eq!(known.get(&path("both")).unwrap().grade, Grade::Looks);
        // Again, with nothing done: nothing is news but what somebody else made the same, and nothing proven is lost.
        let news = learned(&after, &after, (&[], &[]), &known, Time::new(9, 0));
        assert_eq!(news.iter().map(|change| change.path.clone()).collect::<Vec<_>>(), [path("sub/new")]);
    }

    #[test]
    fn what_changed_keeps_its_memory_and_what_is_gone_is_forgotten() {
        let both =
            Item::folder(0, [("a", Item::file(1, 10)), ("b", Item::file(1, 10)), ("c", Item::file(1, 10))]);
        let none = Remembered::default();
        let first = compared(&both, &both);
        let known = apply(&none, learned(&first, &first, (&[], &[]), &none, NOW));
        assert_eq!(paths(&known), ["a", "b", "c"]);
        let left = Item::folder(0, [("a", Item::file(2, 20)), ("b", Item::file(1, 10))]);
        let right = Item::folder(0, [("a", Item::file(1, 10))]);
        let now = compared(&left, &right);
        let changes = learned(&now, &now, (&[], &[]), &known, NOW);
        assert_eq!(changes, [MemoryChange { path: path("c"), known: None }]);
    }

    #[test]
    fn what_could_not_be_read_is_not_forgotten() {
        let folder = Item::folder(0, [("in", Item::file(1, 10))]);
        let both = Item::folder(0, [("sub", folder), ("top", Item::file(1, 10))]);
        let none = Remembered::default();
        let first = compared(&both, &both);
        let known = apply(&none, learned(&first, &first, (&[], &[]), &none, NOW));
        assert_eq!(paths(&known), ["sub", "sub/in", "top"]);
        let unlistable = Item::folder(0, [("sub", Item::folder(0, []).unlistable())]);
        let now = compared(&unlistable, &unlistable);
        let after = apply(&known, learned(&now, &now, (&[], &[]), &known, NOW));
        assert_eq!(paths(&after), ["sub", "sub/in"]);
    }

    #[test]
    fn a_file_that_somebody_touched_during_the_run_is_not_remembered() {
        let left = Item::folder(0, [("a", Item::file(1, 10)), ("b", Item::file(1, 10))]);
        let first = compared(&left, &left);
        let touched = Item::folder(0, [("a", Item::file(1, 20)), ("b", Item::file(1, 10))]);
        let after = compared(&touched, &touched);
        let none = Remembered::default();
        assert_eq!(paths(&apply(&none, learned(&first, &after, (&[], &[]), &none, NOW))), ["b"]);
    }
}
