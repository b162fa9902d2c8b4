//! How much a run may remove or replace before it must be allowed on purpose.
//!
//! A source that is suddenly empty (a disk that is not mounted, a folder given by mistake) makes everything on the
//! target look superfluous; one that somebody encrypted makes everything look changed. Undo would restore it, but nobody
//! should have to find that out, and least of all after the originals' term.
//!
//! Invariant: pure; looks at plans and numbers only. This module must not know how a user is asked.

use std::collections::{HashMap, HashSet};
use std::fmt;

use fcs_sys::{Kind, RelPath};

use crate::Settings;
use crate::compare::{Comparison, RowId, Side, Verdict};
use crate::directions::{Change, side_change};
use crate::error::display_path;
use crate::memory::Remembered;
use crate::plan::{Action, Part};

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", content = "limit", rename_all = "kebab-case")]
pub enum Limit {
    /// The share of the side's items in `max_delete_percent`.
    Percent(u64),
    /// The number in `max_delete_items`.
    Items(u64),
    /// The number that was allowed for this run.
    Allowed(u64),
}

/// More is to be removed than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Excess {
    /// Items that are to be removed.
    pub items: u64,
    /// Items that the side has, as far as they take part.
    pub of: u64,
    /// The limit this passes.
    pub limit: Limit,
}

impl Excess {
    /// This and that of another side as one, which is allowed as one.
    pub(crate) fn and(self, other: Self) -> Self {
        let items = self.items.saturating_add(other.items);
        Self { items, of: self.of.saturating_add(other.of), ..self }
    }
}

/// More files are to get other content than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct MassChange {
    /// Files that are to get other content.
    pub files: u64,
    /// Files that the side has, as far as they take part.
    pub of: u64,
    /// The limit this passes; the share is that of `max_change_percent`.
    pub limit: Limit,
}

impl MassChange {
    /// This and that of another side as one, which is allowed as one.
    pub(crate) fn and(self, other: Self) -> Self {
        let files = self.files.saturating_add(other.files);
        Self { files, of: self.of.saturating_add(other.of), ..self }
    }
}

/// Judges that `files` of the `of` files on a side get other content. With `allowed`, that number alone counts.
pub fn mass_change(files: u64, of: u64, allowed: Option<u64>, settings: &Settings) -> Option<MassChange> {
    let beyond = |limit| Some(MassChange { files, of, limit });
    if let Some(allowed) = allowed {
        return if files > allowed { beyond(Limit::Allowed(allowed)) } else { None };
    }
    let percent = settings.max_change_percent;
    let is_beyond =
        files > settings.max_change_files && u128::from(files) * 100 > u128::from(of) * u128::from(percent);
    if is_beyond { beyond(Limit::Percent(percent)) } else { None }
}

/// How many files of a root get other content by what a plan does there: those that are replaced by other files, and those
/// that are removed while a new file comes to their folder that has their name with another extension or one more
/// (`report.doc` and `report.doc.locked` or `report.locked`).
pub fn files_that_change(part: &Part<'_>) -> u64 {
    let replaced = part.steps().filter(|(_, step)| {
        matches!(step.action, Action::CopyFile { .. })
            && step.expect_target.is_some_and(|old| old.kind == Kind::File)
    });
    let replaced = replaced.count() as u64;
    // What new names begin with, up to a dot, by folder.
    let mut begun: HashMap<&RelPath, HashSet<&[u8]>> = HashMap::new();
    if !part.removals.is_empty() {
        for (folder, step) in part.steps().filter(|(_, step)| step.expect_target.is_none()) {
            let name = step.target_name.as_bytes();
            let dots = name.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'.');
            begun.entry(&folder.target_path).or_default().extend(dots.map(|(at, _)| &name[..at]));
        }
    }
    let is_renamed = |folder: &RelPath, name: &[u8]| {
        let stem = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0).map(|at| &name[..at]);
        begun
            .get(folder)
            .is_some_and(|begun| begun.contains(name) || stem.is_some_and(|stem| begun.contains(stem)))
    };
    let renamed = part.removed().filter(|(folder, item)| {
        item.expect.kind == Kind::File && !item.makes_way && is_renamed(&folder.path, item.name.as_bytes())
    });
    replaced + renamed.count() as u64
}

/// Judges the removal of `items` of the `of` items on a side. With `allowed`, that number alone counts.
pub fn excess(items: u64, of: u64, allowed: Option<u64>, settings: &Settings) -> Option<Excess> {
    let beyond = |limit| Some(Excess { items, of, limit });
    if let Some(allowed) = allowed {
        return if items > allowed { beyond(Limit::Allowed(allowed)) } else { None };
    }
    let percent = settings.max_delete_percent;
    if items > settings.max_delete_items {
        beyond(Limit::Items(settings.max_delete_items))
    } else if u128::from(items) * 100 > u128::from(of) * u128::from(percent) {
        beyond(Limit::Percent(percent))
    } else {
        None
    }
}

/// Why the file that tells whether a folder is whole says that the folder of `source` is not; `None` if it says nothing.
///
/// It is held against what is remembered of it, else against the other side's. Where there is neither it is new.
pub fn canary(
    comparison: &Comparison,
    source: Side,
    remembered: Option<&Remembered>,
    settings: &Settings,
) -> Option<String> {
    let name = &settings.canary;
    if name.is_empty() || comparison.cancelled {
        return None;
    }
    let root = display_path(&comparison.tree(source).root_path);
    let Some(row) = row_of(comparison, source, name) else {
        return Some(format!(
            "The canary {name} is missing from {root}, so nothing that is read there is trusted."
        ));
    };
    let change = side_change(comparison, row, source, remembered, settings);
    let is_other = match (change, comparison.row(row).verdict) {
        (_, Verdict::Unreadable | Verdict::NameClash | Verdict::NotComparable | Verdict::KindClash) => true,
        (Some(change), _) => change == Change::Changed,
        (None, verdict) => matches!(verdict, Verdict::Different(_)),
    };
    is_other.then(|| {
        format!("The canary {name} in {root} is not what it was, so nothing that is read there is trusted.")
    })
}

/// The row of an item that one side has.
fn row_of(comparison: &Comparison, side: Side, path: &str) -> Option<RowId> {
    let path = RelPath::parse(path.as_bytes()).ok()?;
    let order = comparison.tree(side).order();
    path.names().try_fold(Comparison::ROOT, |at, name| {
        let is_so = |row: &RowId| {
            comparison.node(*row, side).is_some()
                && order.same(comparison.name_on(*row, side), name.as_bytes())
        };
        comparison.children(at).find(is_so)
    })
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} items would be removed, more than ", self.items, self.of)?;
        match self.limit {
            Limit::Percent(percent) => write!(f, "the {percent} % that may be removed without confirmation"),
            Limit::Items(items) => write!(f, "the {items} that may be removed without confirmation"),
            Limit::Allowed(allowed) => write!(f, "the {allowed} that were allowed"),
        }
    }
}

impl fmt::Display for MassChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} files would get other content, more than ", self.files, self.of)?;
        match self.limit {
            Limit::Percent(percent) => write!(f, "the {percent} % that may without confirmation"),
            Limit::Items(files) => write!(f, "the {files} that may without confirmation"),
            Limit::Allowed(allowed) => write!(f, "the {allowed} that were allowed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Item, compare_models};
    use crate::plan::plan_sync;
    use crate::tree::NameOrder::Exact;

    #[test]
    fn more_than_half_of_the_files_may_not_change_once_they_are_many() {
        let s = Settings::default();
        assert_eq!(mass_change(100, 100, None, &s), None, "few are nobody's attack");
        assert_eq!(mass_change(101, 202, None, &s), None);
        let found = mass_change(101, 201, None, &s).unwrap();
        assert_eq!(found, MassChange { files: 101, of: 201, limit: Limit::Percent(50) });
        assert_eq!(
            found.to_string(),
            "101 of 201 files would get other content, more than the 50 % that may without confirmation"
        );
        assert_eq!(mass_change(101, 201, Some(101), &s), None);
        assert_eq!(mass_change(3, 1000, Some(2), &s).unwrap().limit, Limit::Allowed(2));
        let any = Settings { max_change_percent: 100, ..s.clone() };
        assert_eq!(mass_change(1000, 1000, None, &any), None);
        let none = Settings { max_change_percent: 0, max_change_files: 0, ..s };
        assert!(mass_change(1, 1000, None, &none).is_some() && mass_change(0, 0, None, &none).is_none());
    }

    #[test]
    fn a_canary_that_is_missing_or_another_one_is_told() {
        let with = |size| {
            Item::folder(
                0,
                [("d", Item::folder(0, [("bird", Item::file(size, 0))])), ("f", Item::file(1, 0))],
            )
        };
        let settings = Settings { canary: "d/bird".into(), ..Settings::default() };
        let told = |left: &Item, right: &Item, settings: &Settings| {
            let comparison = compare_models(left, right, Exact, settings);
            canary(&comparison, Side::Left, None, settings).unwrap_or_default()
        };
        let without = Item::folder(0, [("f", Item::file(1, 0))]);
        assert_eq!(told(&with(1), &with(1), &settings), "");
        assert_eq!(told(&with(1), &without, &settings), "", "new");
        assert!(told(&without, &with(1), &settings).contains("d/bird is missing from /model"));
        assert!(told(&with(2), &with(1), &settings).contains("is not what it was"));
        let unreadable = Item::folder(0, [("d", Item::folder(0, [("bird", Item::Unreadable)]))]);
        assert!(told(&unreadable, &with(1), &settings).contains("is not what it was"));
        assert_eq!(told(&without, &with(1), &Settings::default()), "", "none was asked for");
    }

    #[test]
    fn files_that_are_replaced_or_get_another_extension_change() {
        let f = |size| Item::file(size, 0);
        let with = |names: &[(&str, u64)]| {
            let items = names.iter().map(|(name, size)| (name.as_bytes().to_vec(), f(*size))).collect();
            Item::folder(0, [("d", Item::Folder { modified: 0, unlistable: false, items })])
        };
        let changed = |source: &Item, target: &Item| {
            let settings = Settings::default();
            let comparison = compare_models(source, target, Exact, &settings);
            let plan = plan_sync(&comparison, Side::Right, &|_| true, &settings);
            files_that_change(&plan.parts().unwrap()[0])
        };
        let was = with(&[("a.doc", 1), ("b.doc", 1), ("c", 1), ("gone.doc", 1)]);
        let locked = with(&[("a.doc", 2), ("b.doc.locked", 1), ("c.locked", 1), ("new.txt", 1)]);
        assert_eq!(changed(&locked, &was), 3, "a.doc, b.doc and c");
        let renamed = with(&[("a.xyz", 1), ("b.xyz", 1), ("c", 1), ("gone.doc", 1)]);
        assert_eq!(changed(&renamed, &was), 2);
        assert_eq!(changed(&with(&[]), &was), 0, "that is the guard's on removals");
        assert_eq!(changed(&was, &with(&[])), 0, "new files change none");
        assert_eq!(changed(&with(&[("report.doc", 1)]), &with(&[("other.doc", 1)])), 0);
    }

    #[test]
    fn half_of_a_side_may_go_and_one_more_may_not() {
        let s = Settings::default();
        assert_eq!(excess(0, 0, None, &s), None);
        assert_eq!(excess(5, 10, None, &s), None);
        assert_eq!(excess(6, 10, None, &s), Some(Excess { items: 6, of: 10, limit: Limit::Percent(50) }));
        assert_eq!(excess(1, 1, None, &s).unwrap().limit, Limit::Percent(50));
        assert_eq!(
            excess(6, 10, None, &s).unwrap().to_string(),
            "6 of 10 items would be removed, more than the 50 % that may be removed without confirmation"
        );
        assert_eq!(excess(u64::MAX / 2, u64::MAX, None, &Settings { max_delete_items: u64::MAX, ..s }), None);
    }

    #[test]
    fn ten_thousand_may_go_however_large_the_side_is() {
        let s = Settings::default();
        assert_eq!(excess(10_000, 10_000_000, None, &s), None);
        assert_eq!(excess(10_001, 10_000_000, None, &s).unwrap().limit, Limit::Items(10_000));
    }

    #[test]
    fn what_is_allowed_is_the_only_limit_and_may_be_tighter() {
        let s = Settings::default();
        assert_eq!(excess(20_000, 20_000, Some(20_000), &s), None);
        assert_eq!(excess(20_001, 30_000, Some(20_000), &s).unwrap().limit, Limit::Allowed(20_000));
        assert_eq!(excess(1, 1_000, Some(0), &s).unwrap().limit, Limit::Allowed(0));
        assert_eq!(excess(0, 0, Some(0), &s), None);
    }

    #[test]
    fn percent_0_and_100_mean_nothing_and_anything() {
        let with = |max_delete_percent| Settings { max_delete_percent, ..Settings::default() };
        assert!(excess(1, 1_000, None, &with(0)).is_some());
        assert_eq!(excess(1_000, 1_000, None, &with(100)), None);
    }
}
