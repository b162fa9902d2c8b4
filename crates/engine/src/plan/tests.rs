//! Plans of models.

use std::collections::{BTreeMap, BTreeSet};

use fcs_sys::{CaseRule, Kind, Place};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::compare::{Differences, Side, Verdict};
use crate::model::{Item, compare_models, compare_trees, path, trees};
use crate::settings::{Strategy, Verify};
use crate::tree::NameOrder::{Exact, Folded};

const THERE: Side = Side::Right;

fn everything(comparison: &Comparison) -> Plan {
    plan(comparison, THERE, &|_| true, &Settings::default())
}

fn compared(left: &Item, right: &Item) -> Comparison {
    compare_models(left, right, Exact, &Settings::default())
}

fn folder_paths(plan: &Plan) -> Vec<(String, bool)> {
    let text = |f: &FolderPlan| String::from_utf8_lossy(f.target_path.as_bytes()).into_owned();
    plan.folders.iter().map(|f| (text(f), f.create)).collect()
}

fn row_of(comparison: &Comparison, at: &str) -> RowId {
    comparison.walk().find(|&r| comparison.path(r) == path(at)).unwrap()
}

#[test]
fn parents_of_a_selected_item_are_made_and_times_of_changed_folders_are_set() {
    let f = || Item::file(3, 0);
    let left =
        Item::folder(0, [("in", Item::folder(0, [("new", Item::folder(0, [("x", f()), ("y", f())]))]))]);
    let right = Item::folder(0, [("in", Item::folder(0, []))]);
    let comparison = compared(&left, &right);
    let x = row_of(&comparison, "in/new/x");
    let plan = plan(&comparison, THERE, &|row| row == x, &Settings::default());
    let expected = [("", false), ("in", false), ("in/new", true)].map(|(p, c)| (p.to_owned(), c));
    assert_eq!(folder_paths(&plan), expected);
    assert!(plan.folders.iter().all(|f| f.sync_times));
    assert_eq!((plan.totals.new_files, plan.totals.bytes, plan.totals.create_folders), (1, 3, 1));
    assert_eq!((plan.totals.folder_times, plan.step_count()), (2, 4));
    assert_eq!(plan.example_paths(5), [path("in/new"), path("in/new/x")]);
    assert!(plan.skipped.is_empty());
}

#[test]
fn what_cannot_be_decided_is_skipped_with_its_reason_and_nothing_below_is_planned() {
    let f = || Item::file(3, 0);
    let left = Item::folder(
        0,
        [
            ("bad", Item::Unreadable),
            ("kind", Item::folder(0, [("in", f())])),
            ("part", Item::folder(0, [("seen", f())]).unlistable()),
            ("pipe", Item::Special { modified: 0 }),
        ],
    );
    let right = Item::folder(0, [("kind", f()), ("part", Item::folder(0, [("seen", Item::file(9, 0))]))]);
    let plan = everything(&compared(&left, &right));
    let skipped: BTreeMap<RelPath, SkipReason> =
        plan.skipped.iter().map(|s| (s.path.clone(), s.why)).collect();
    let expected = [
        ("bad", SkipReason::Unreadable),
        ("kind", SkipReason::KindClash),
        ("part", SkipReason::Unreadable),
        ("part/seen", SkipReason::Unreadable),
        ("pipe", SkipReason::SpecialFile),
    ];
    assert_eq!(skipped, expected.into_iter().map(|(p, why)| (path(p), why)).collect());
    assert!(plan.is_empty());
}

#[test]
fn existence_as_no_criterion_leaves_one_sided_items_out() {
    let left = Item::folder(0, [("d", Item::folder(0, [("x", Item::file(1, 0))])), ("f", Item::file(1, 0))]);
    let settings = Settings { compare_existence: false, ..Settings::default() };
    let comparison = compare_models(&left, &Item::folder(0, []), Exact, &settings);
    let plan = plan(&comparison, THERE, &|_| true, &settings);
    assert!(plan.is_empty() && plan.folders.is_empty() && plan.skipped.is_empty());
}

#[test]
fn strategy_and_verification_follow_size_place_and_settings() {
    let left = Item::folder(0, [("big", Item::file(100, 0)), ("small", Item::file(99, 0))]);
    let decide = |settings: &Settings, place| {
        let mut right = Item::folder(0, []).scan(Exact);
        right.volume.place = place;
        let comparison = compare_trees(left.scan(Exact), right, settings);
        let plan = plan(&comparison, THERE, &|_| true, settings);
        let steps: Vec<_> = plan.steps().map(|(_, s)| s.action).collect();
        let [
            Action::CopyFile { strategy: big, verify: v1 },
            Action::CopyFile { strategy: small, verify: v2 },
        ] = steps[..]
        else {
            panic!("two files")
        };
        assert_eq!(plan.totals.direct.0 + plan.totals.staged.0, 2);
        (big, small, v1, v2)
    };
    let base = Settings { direct_max_bytes: 100, ..Settings::default() };
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut s = base.clone();
        change(&mut s);
        s
    };
    assert_eq!(decide(&base, Place::Local), (Chosen::StagedSize, Chosen::Direct, true, true));
    assert_eq!(decide(&base, Place::Memory), (Chosen::StagedSize, Chosen::Direct, true, true));
    assert_eq!(decide(&base, Place::Removable), (Chosen::StagedSize, Chosen::Direct, true, true));
    assert_eq!(decide(&base, Place::Network), (Chosen::StagedNetwork, Chosen::StagedNetwork, true, true));
    let off = with(&|s| (s.strategy, s.verify) = (Strategy::Direct, Verify::Off));
    assert_eq!(decide(&off, Place::Network), (Chosen::DirectForced, Chosen::DirectForced, false, false));
    let below = with(&|s| {
        (s.strategy, s.verify, s.verify_below_bytes) = (Strategy::Staged, Verify::Below, 100);
    });
    assert_eq!(decide(&below, Place::Local), (Chosen::StagedForced, Chosen::StagedForced, false, true));
}

#[test]
fn a_paired_name_is_replaced_in_the_targets_spelling_and_then_renamed() {
    let left =
        Item::folder(0, [("Dir", Item::folder(0, [("New", Item::file(1, 0)), ("OLD", Item::file(1, 0))]))]);
    let right = Item::folder(0, [("dir", Item::folder(0, [("old", Item::file(2, 0))]))]);
    let plan = everything(&compare_models(&left, &right, Folded, &Settings::default()));
    let dir = &plan.folders[1];
    assert_eq!((&dir.source_path, &dir.target_path), (&path("Dir"), &path("dir")));
    let names: Vec<_> =
        dir.steps.iter().map(|s| (s.source_name.as_bytes(), s.target_name.as_bytes(), s.kind())).collect();
    assert_eq!(
        names,
        [
            (b"New".as_slice(), b"New".as_slice(), ActionKind::CopyNew),
            (b"OLD".as_slice(), b"old".as_slice(), ActionKind::Replace),
        ]
    );
    assert_eq!((plan.totals.bytes_replaced, plan.totals.renamed), (2, 2));
    let renames: Vec<_> = plan
        .renames
        .iter()
        .flat_map(|folder| {
            folder.items.iter().map(|item| (folder.path.clone(), item.from.clone(), item.to.clone()))
        })
        .map(|(path, from, to)| (path.to_string(), from.to_string(), to.to_string()))
        .collect();
    let row = |path: &str, from: &str, to: &str| (path.to_owned(), from.to_owned(), to.to_owned());
    assert_eq!(renames, [row("dir", "old", "OLD"), row(".", "dir", "Dir")], "the deepest first");
}

/// Does to a model what a run does to a disk: whatever is made, replaced or removed changes its folder's modified
/// time, folders are removed only when empty, and folder times are set last.
pub(super) fn carry_out(plan: &Plan, source: &Item, target: &mut Item) {
    const NOW: i64 = 999;
    let set = |target: &mut Item, at: &RelPath, modified: i64| match at.split() {
        None => target.set_modified(modified),
        Some((parent, name)) => {
            target.items_at(&parent).get_mut(name.as_bytes()).unwrap().set_modified(modified);
        }
    };
    if !plan.folders.is_empty() {
        set(target, &RelPath::root(), NOW);
    }
    let moved: BTreeSet<&RelPath> = plan.changes.iter().filter_map(ItemChange::new_path).collect();
    let waits =
        |folder: &FolderPlan, step: &Step| moved.contains(&folder.target_path.join(&step.target_name));
    for folder in &plan.folders {
        if folder.create {
            let (parent, name) = folder.target_path.split().unwrap();
            let made = Item::folder(NOW, []);
            assert!(target.items_at(&parent).insert(name.as_bytes().to_vec(), made).is_none());
            set(target, &parent, NOW);
        }
        for step in folder.steps.iter().filter(|step| !waits(folder, step)) {
            let copy = source.at(&folder.source_path.join(&step.source_name)).unwrap().clone();
            let old = target.items_at(&folder.target_path).insert(step.target_name.as_bytes().to_vec(), copy);
            assert_eq!(old.is_some(), step.expect_target.is_some());
            set(target, &folder.target_path, NOW);
        }
    }
    move_items(plan, target, &|target, at| set(target, at, NOW));
    for (folder, step) in plan.steps().filter(|(folder, step)| waits(folder, step)) {
        let copy = source.at(&folder.source_path.join(&step.source_name)).unwrap().clone();
        let old = target.items_at(&folder.target_path).insert(step.target_name.as_bytes().to_vec(), copy);
        assert_eq!(old.is_some(), step.expect_target.is_some());
        set(target, &folder.target_path, NOW);
    }
    for (folder, removal) in plan.removed() {
        let gone = target.items_at(&folder.path).remove(removal.name.as_bytes());
        assert!(gone.unwrap().items().is_none_or(BTreeMap::is_empty), "a folder goes after what is in it");
        set(target, &folder.path, NOW);
    }
    for folder in plan.folders.iter().filter(|f| f.sync_times) {
        let Some(Item::Folder { modified, .. }) = source.at(&folder.source_path) else { panic!("a folder") };
        set(target, &folder.target_path, *modified);
    }
}

/// Each from where something is to where nothing is, once all have left, and none through another one.
fn move_items(plan: &Plan, target: &mut Item, touch: &dyn Fn(&mut Item, &RelPath)) {
    let moves = || plan.changes.iter().filter_map(|change| Some((change.path(), change.new_path()?)));
    let ends: BTreeSet<&RelPath> = moves().flat_map(|(from, to)| [from, to]).collect();
    for (from, to) in moves() {
        for end in [from, to] {
            let above = std::iter::successors(end.split(), |(parent, _)| parent.split());
            assert!(above.into_iter().all(|(parent, _)| !ends.contains(&parent)), "{end:?} is in a move");
        }
    }
    let items: Vec<Item> = moves()
        .map(|(from, _)| {
            let (folder, name) = from.split().unwrap();
            target.items_at(&folder).remove(name.as_bytes()).unwrap()
        })
        .collect();
    for ((from, to), item) in moves().zip(items) {
        let ((from_folder, _), (to_folder, to)) = (from.split().unwrap(), to.split().unwrap());
        assert!(target.items_at(&to_folder).insert(to.as_bytes().to_vec(), item).is_none(), "{to:?} is free");
        touch(target, &from_folder);
        touch(target, &to_folder);
    }
}

/// Whether a row is a difference that this direction can be asked to bring over.
fn is_difference(comparison: &Comparison, row: RowId) -> bool {
    let below_clash = row != Comparison::ROOT
        && comparison.row(row).verdict == Verdict::KindClash
        && comparison.row(comparison.row(row).parent).verdict == Verdict::KindClash;
    comparison.node(row, Side::Left).is_some() && comparison.row(row).verdict != Verdict::Same && !below_clash
}

/// Whether a path, or a folder it is in, is among those that are reported.
pub(super) fn is_told(told: &BTreeSet<RelPath>, at: &RelPath) -> bool {
    told.contains(at) || at.split().is_some_and(|(folder, _)| is_told(told, &folder))
}

proptest! {
    #[test]
    fn each_selected_difference_is_planned_or_skipped_exactly_once(
        left in trees(true), right in trees(true), folded: bool, choice in any::<u64>(),
    ) {
        let order = if folded { Folded } else { Exact };
        let comparison = compare_models(&left, &right, order, &Settings::default());
        let selected = |row: RowId| choice.rotate_left(row) & 1 == 1;
        let plan = plan(&comparison, THERE, &selected, &Settings::default());
        let mut treated = BTreeMap::new();
        let mut treat = |at: RelPath| *treated.entry(at).or_insert(0) += 1;
        for folder in &plan.folders {
            let chosen = comparison.walk().find(|&r| comparison.path_on(r, Side::Right) == folder.target_path).unwrap();
            if folder.create || matches!(comparison.row(chosen).verdict, Verdict::Different(_)) {
                treat(folder.target_path.clone());
            }
            folder.steps.iter().for_each(|s| treat(folder.target_path.join(&s.target_name)));
        }
        plan.skipped.iter().for_each(|s| treat(s.path.clone()));
        // What differs by the spelling of its name alone is given another one and nothing else.
        plan.renames.iter().flat_map(|r| r.items.iter().map(|i| r.path.join(&i.from))).for_each(&mut treat);
        // Names that clash share a path on the other side, so these are counted by number.
        prop_assert!(folded || treated.values().all(|&n| n == 1), "{:?}", treated);
        for row in comparison.walk().filter(|&r| selected(r)) {
            let at = comparison.path_on(row, Side::Right);
            prop_assert_eq!(treated.contains_key(&at), is_difference(&comparison, row), "{:?}", at);
        }
        let selected_differences = comparison.walk().filter(|&r| selected(r) && is_difference(&comparison, r)).count();
        prop_assert!(treated.values().sum::<usize>() >= selected_differences);
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_totals_add_up(left in trees(true), right in trees(true)) {
        let comparison = compared(&left, &right);
        let plan = everything(&comparison);
        let mut made = BTreeSet::new();
        for folder in &plan.folders {
            prop_assert_eq!(folder.create, folder.expect_target.is_none());
            if let Some((parent, _)) = folder.target_path.split() {
                let exists = comparison.walk().any(|r| {
                    comparison.path_on(r, Side::Right) == parent && comparison.node(r, Side::Right).is_some()
                });
                prop_assert!(exists || made.contains(&parent), "{:?}", folder.target_path);
            }
            made.insert(folder.target_path.clone());
        }
        let t = &plan.totals;
        let files: Vec<_> = plan.steps().filter(|(_, s)| matches!(s.action, Action::CopyFile { .. })).collect();
        prop_assert_eq!(t.new_files + t.replaced_files, files.len() as u64);
        prop_assert_eq!(t.bytes, files.iter().map(|(_, s)| s.expect_source.size).sum::<u64>());
        prop_assert_eq!(t.direct.0 + t.staged.0, files.len() as u64);
        prop_assert_eq!(t.bytes, comparison.walk().filter_map(|r| {
            let copied = plan.steps().any(|(f, s)| f.target_path.join(&s.target_name) == comparison.path_on(r, Side::Right));
            copied.then(|| comparison.entry(r, Side::Left).filter(|e| e.kind == Kind::File).map_or(0, |e| e.size))
        }).sum::<u64>());
        prop_assert_eq!(plan.step_count(), t.create_folders + t.folder_times + plan.steps().count() as u64);
    }

    #[test]
    fn a_plan_carried_out_leaves_the_trees_the_same_except_for_what_it_skipped(
        left in trees(true), right in trees(true),
    ) {
        let plan = everything(&compared(&left, &right));
        let mut after = right.clone();
        carry_out(&plan, &left, &mut after);
        let skipped: BTreeSet<RelPath> = plan.skipped.iter().map(|s| s.path.clone()).collect();
        let comparison = compared(&left, &after);
        for row in comparison.walk() {
            let at = comparison.path(row);
            match comparison.row(row).verdict {
                Verdict::Same | Verdict::RightOnly => {}
                // Folders above a skipped item keep whatever they had; nothing in them was touched.
                verdict => prop_assert!(
                    is_told(&skipped, &at) || comparison.node(row, Side::Left).is_none(),
                    "{:?} is {:?}", at, verdict
                ),
            }
        }
        prop_assert!(everything(&comparison).is_empty());
    }

    #[test]
    fn the_same_input_gives_the_same_plan_and_equal_trees_give_none(left in trees(true), right in trees(true)) {
        let plan_text = || format!("{:?}", everything(&compared(&left, &right)));
        prop_assert_eq!(plan_text(), plan_text());
        let none = everything(&compared(&left, &left));
        prop_assert!(none.is_empty() && none.folders.is_empty());
    }
}

#[test]
fn a_cancelled_comparison_gives_no_plan() {
    let mut tree = Item::folder(0, [("f", Item::file(1, 0))]).scan(Exact);
    tree.cancelled = true;
    let comparison = compare_trees(tree, Item::folder(0, []).scan(Exact), &Settings::default());
    let plan = everything(&comparison);
    assert!(plan.is_empty() && plan.folders.is_empty() && plan.notes.len() == 1);
}

#[test]
fn dates_alone_still_copy_the_file() {
    let (left, right) =
        (Item::folder(0, [("f", Item::file(1, 0))]), Item::folder(0, [("f", Item::file(1, 10))]));
    let comparison = compared(&left, &right);
    let dates = Differences { modified: true, ..Differences::default() };
    assert_eq!(comparison.row(1).verdict, Verdict::Different(dates));
    assert_eq!(everything(&comparison).totals.replaced_files, 1);
    assert_eq!(comparison.left.volume.case, CaseRule::Sensitive);
}
