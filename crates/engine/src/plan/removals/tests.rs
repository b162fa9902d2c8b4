//! Removals in plans of models.

use std::collections::{BTreeMap, BTreeSet};

use fcs_sys::{Kind, RelPath};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::Settings;
use crate::compare::{Comparison, RowId, Side, Verdict};
use crate::model::{Item, compare_models, compare_trees, path, trees};
use crate::plan::tests::{carry_out, is_told};
use crate::plan::{Plan, plan, plan_orphans, plan_sync};
use crate::report::SkipReason;
use crate::settings::{MoveChoice, ReplaceKinds};
use crate::tree::NameOrder::{Exact, Folded};

const THERE: Side = Side::Right;

fn compared(left: &Item, right: &Item) -> Comparison {
    compare_models(left, right, Exact, &Settings::default())
}

/// Replaced kinds are a matter of their own (`tests/kinds.rs`, `tests/properties.rs`).
fn kinds_stay() -> Settings {
    Settings { replace_kinds: ReplaceKinds::Never, ..Settings::default() }
}

/// What moves neither goes nor is copied.
fn nothing_moves() -> Settings {
    Settings { moves: MoveChoice::Off, ..kinds_stay() }
}

fn sync(comparison: &Comparison) -> Plan {
    plan_sync(comparison, THERE, &|_| true, &kinds_stay())
}

fn f() -> Item {
    Item::file(3, 0)
}

/// What goes, in the order of the plan.
fn removed(plan: &Plan) -> Vec<String> {
    let text = |at: RelPath| String::from_utf8_lossy(at.as_bytes()).into_owned();
    plan.removed().map(|(folder, item)| text(folder.path.join(&item.name))).collect()
}

fn skipped(plan: &Plan) -> BTreeMap<RelPath, SkipReason> {
    plan.skipped.iter().map(|s| (s.path.clone(), s.why)).collect()
}

fn reasons<const N: usize>(expected: [(&str, SkipReason); N]) -> BTreeMap<RelPath, SkipReason> {
    expected.into_iter().map(|(at, why)| (path(at), why)).collect()
}

fn row_of(comparison: &Comparison, at: &str) -> RowId {
    comparison.walk().find(|&r| comparison.path(r) == path(at)).unwrap()
}

#[test]
fn what_only_the_target_has_goes_deepest_first_and_its_folders_get_the_sources_times() {
    let left = Item::folder(7, [("both", Item::folder(5, [("kept", f())]))]);
    let old = Item::folder(0, [("deep", Item::folder(0, [("x", f()), ("y", Item::file(4, 0))])), ("z", f())]);
    let right = Item::folder(7, [("both", Item::folder(5, [("gone", f()), ("kept", f())])), ("old", old)]);
    let comparison = compared(&left, &right);
    let plan = sync(&comparison);
    assert_eq!(
        removed(&plan),
        ["old/deep/x", "old/deep/y", "both/gone", "old/deep", "old/z", "old"],
        "deepest first, by name within a depth"
    );
    let folders: Vec<_> =
        plan.folders.iter().map(|f| (f.target_path.clone(), f.create, f.steps.len())).collect();
    assert_eq!(folders, [(path(""), false, 0), (path("both"), false, 0)]);
    let t = &plan.totals;
    assert_eq!((t.removed_files, t.removed_folders, t.bytes_removed, t.folder_times), (4, 2, 13, 2));
    assert_eq!((plan.step_count(), t.bytes), (8, 0));
    assert_eq!(
        plan.removals[1].expect,
        comparison.entry(row_of(&comparison, "both"), Side::Right).unwrap().fingerprint()
    );
    assert_eq!(plan.example_paths(1), [path("old/deep/x")]);
    assert!(plan.skipped.is_empty());
}

#[test]
fn orphans_are_removed_from_either_side_and_nothing_else_is_done() {
    let left = Item::folder(0, [("l", Item::folder(0, [("x", f())])), ("differs", Item::file(1, 0))]);
    let right = Item::folder(9, [("r", f()), ("differs", Item::file(2, 0))]);
    let comparison = compared(&left, &right);
    for (side, expected) in [(Side::Left, &["l/x", "l"][..]), (Side::Right, &["r"])] {
        let plan = plan_orphans(&comparison, side, &|_| true, &Settings::default());
        assert_eq!(
            (removed(&plan), plan.targets[0].root),
            (expected.iter().map(ToString::to_string).collect(), side.into())
        );
        assert!(plan.folders.is_empty() && plan.skipped.is_empty(), "{plan:?}");
        assert_eq!(plan.step_count(), expected.len() as u64);
    }
}

#[test]
fn unreadable_is_not_absent_on_either_side() {
    let left = Item::folder(
        0,
        [("kind", f()), ("part", Item::folder(0, []).unlistable()), ("bad", Item::Unreadable)],
    );
    let right = Item::folder(
        0,
        [
            ("bad", f()),
            ("kind", Item::folder(0, [("in", f())])),
            ("part", Item::folder(0, [("maybe", f())])),
            ("mine", Item::folder(0, [("half", Item::folder(0, [("seen", f())]).unlistable()), ("ok", f())])),
            ("odd", Item::Unreadable),
        ],
    );
    let plan = sync(&compared(&left, &right));
    assert_eq!(removed(&plan), ["mine/ok"]);
    assert_eq!(
        skipped(&plan),
        reasons([
            ("bad", SkipReason::Unreadable),
            ("kind", SkipReason::KindClash),
            ("mine", SkipReason::NotEmpty),
            ("mine/half", SkipReason::Unreadable),
            ("mine/half/seen", SkipReason::Unreadable),
            ("odd", SkipReason::Unreadable),
            ("part", SkipReason::Unreadable),
            ("part/maybe", SkipReason::Unreadable),
        ])
    );
    let plan = sync(&compared(&left.unlistable(), &right));
    assert!(plan.is_empty() && plan.folders.is_empty(), "the whole source may be more than was seen");
}

#[test]
fn names_that_clash_and_special_files_stay_and_so_do_their_folders() {
    let right = Item::folder(
        0,
        [
            ("d", Item::folder(0, [("pipe", Item::Special { modified: 0 }), ("x", f())])),
            ("a", f()),
            ("A", f()),
        ],
    );
    let plan = plan_sync(
        &compare_models(&Item::folder(0, []), &right, Folded, &Settings::default()),
        THERE,
        &|_| true,
        &Settings::default(),
    );
    assert_eq!(removed(&plan), ["d/x"]);
    assert_eq!(
        skipped(&plan),
        reasons([
            ("A", SkipReason::NameClash),
            ("a", SkipReason::NameClash),
            ("d", SkipReason::NotEmpty),
            ("d/pipe", SkipReason::SpecialFile),
        ])
    );
}

#[test]
fn a_folder_of_which_not_all_is_chosen_or_known_stays() {
    let right = Item::folder(0, [("d", Item::folder(0, [("keep", f()), ("x", f())]))]);
    let comparison = compared(&Item::folder(0, []), &right);
    let keep = row_of(&comparison, "d/keep");
    let plan = plan_orphans(&comparison, Side::Right, &|row| row != keep, &Settings::default());
    assert_eq!(
        (removed(&plan), skipped(&plan)),
        (vec!["d/x".into()], reasons([("d", SkipReason::NotEmpty)]))
    );

    let mut scanned = right.scan(Exact);
    scanned.folders[1].left_out = true;
    let comparison = compare_trees(Item::folder(0, []).scan(Exact), scanned, &Settings::default());
    let plan = sync(&comparison);
    assert_eq!(removed(&plan), ["d/keep", "d/x"]);
    assert_eq!(skipped(&plan), reasons([("d", SkipReason::NotEmpty)]));
}

#[test]
fn nothing_is_removed_after_a_cancel_or_where_existence_is_no_criterion() {
    let right = Item::folder(0, [("d", Item::folder(0, [("x", f())])), ("odd", Item::Unreadable)]);
    let settings = Settings { compare_existence: false, ..Settings::default() };
    let comparison = compare_models(&Item::folder(0, []), &right, Exact, &settings);
    let plan = plan_sync(&comparison, THERE, &|_| true, &settings);
    assert!(plan.is_empty() && plan.folders.is_empty() && plan.skipped.is_empty());

    let mut tree = Item::folder(0, []).scan(Exact);
    tree.cancelled = true;
    let comparison = compare_trees(tree, right.scan(Exact), &Settings::default());
    let plan = plan_orphans(&comparison, Side::Right, &|_| true, &Settings::default());
    assert!(plan.is_empty() && plan.removals.is_empty() && plan.notes.len() == 1);
}

/// Whether the folder at a path, or one above it, could not be listed whole or is itself unreadable.
fn is_doubtful(model: &Item, at: &RelPath) -> bool {
    let mut item = model;
    for name in at.names() {
        match item {
            Item::Folder { unlistable: true, .. } | Item::Unreadable => return true,
            Item::Folder { items, .. } => match items.get(name.as_bytes()) {
                Some(found) => item = found,
                None => return false,
            },
            _ => return false,
        }
    }
    matches!(item, Item::Unreadable)
}

proptest! {
    #[test]
    fn a_sync_carried_out_makes_the_target_the_source_where_nothing_stands_against_it(
        left in trees(false), right in trees(false),
    ) {
        let plan = sync(&compared(&left, &right));
        let mut after = right.clone();
        carry_out(&plan, &left, &mut after);
        let comparison = compared(&left, &after);
        for row in comparison.walk() {
            let at = comparison.path(row);
            let verdict = comparison.row(row).verdict;
            let told = verdict == Verdict::Same || is_told(&skipped(&plan).into_keys().collect(), &at);
            prop_assert!(told, "{:?} is {:?}", at, verdict);
        }
        prop_assert!(sync(&comparison).is_empty());
        if plan.skipped.is_empty() {
            prop_assert_eq!(after, left);
        }
    }

    #[test]
    fn nothing_goes_that_the_source_has_or_may_have_and_nothing_that_was_not_chosen(
        left in trees(true), right in trees(true), folded: bool, choice in any::<u64>(),
    ) {
        let order = if folded { Folded } else { Exact };
        let comparison = compare_models(&left, &right, order, &Settings::default());
        let selected = |row: RowId| choice.rotate_left(row) & 1 == 1;
        let chosen: BTreeSet<RelPath> =
            comparison.walk().filter(|&r| selected(r)).map(|r| comparison.path_on(r, Side::Right)).collect();
        for plan in [
            plan_sync(&comparison, THERE, &selected, &nothing_moves()),
            plan_orphans(&comparison, Side::Right, &selected, &Settings::default()),
        ] {
            let mut gone: BTreeSet<RelPath> = BTreeSet::new();
            for (folder, item) in plan.removed() {
                let at = folder.path.join(&item.name);
                prop_assert!(chosen.contains(&at), "{:?} was not chosen", at);
                prop_assert!(left.at(&at).is_none(), "the source has {:?}", at);
                prop_assert!(!is_doubtful(&left, &at) && !is_doubtful(&right, &at), "{:?} is not known", at);
                let model = right.at(&at).unwrap();
                for name in model.items().into_iter().flat_map(|items| items.keys()) {
                    let inner = at.join(&fcs_sys::Name::new(name.as_slice()).unwrap());
                    prop_assert!(gone.contains(&inner), "{:?} comes before {:?}", at, inner);
                }
                prop_assert!(gone.insert(at), "twice");
            }
        }
    }

    #[test]
    fn each_chosen_orphan_is_removed_or_skipped_exactly_once_and_totals_add_up(
        left in trees(true), right in trees(true), choice in any::<u64>(),
    ) {
        let comparison = compared(&left, &right);
        let selected = |row: RowId| choice.rotate_left(row) & 1 == 1;
        let plan = plan_orphans(&comparison, Side::Right, &selected, &Settings::default());
        let mut treated = BTreeMap::new();
        let all = plan.removed().map(|(folder, item)| folder.path.join(&item.name));
        for at in all.chain(plan.skipped.iter().map(|s| s.path.clone())) {
            *treated.entry(at).or_insert(0) += 1;
        }
        let is_orphan = |&row: &RowId| {
            selected(row) && comparison.node(row, Side::Left).is_none() && comparison.node(row, Side::Right).is_some()
        };
        let expected: BTreeMap<RelPath, i32> =
            comparison.walk().filter(is_orphan).map(|r| (comparison.path_on(r, Side::Right), 1)).collect();
        prop_assert_eq!(treated, expected);

        let t = &plan.totals;
        let of_kind = |folder: bool| plan.removed().filter(|(_, i)| (i.expect.kind == Kind::Folder) == folder).count() as u64;
        prop_assert_eq!((t.removed_files, t.removed_folders), (of_kind(false), of_kind(true)));
        let bytes: u64 = plan.removed().filter(|(_, i)| i.expect.kind == Kind::File).map(|(_, i)| i.expect.size).sum();
        prop_assert_eq!(t.bytes_removed, bytes);
        prop_assert_eq!(plan.step_count(), t.removed_files + t.removed_folders);
    }

    #[test]
    fn a_sync_copies_what_a_copy_copies(left in trees(true), right in trees(true)) {
        let comparison = compared(&left, &right);
        let steps = |plan: &Plan| {
            plan.steps().map(|(f, s)| f.target_path.join(&s.target_name)).collect::<Vec<_>>()
        };
        let copy = plan(&comparison, THERE, &|_| true, &Settings::default());
        prop_assert!(copy.removals.is_empty());
        prop_assert_eq!(steps(&copy), steps(&plan_sync(&comparison, THERE, &|_| true, &nothing_moves())));
    }
}
