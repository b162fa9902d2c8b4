//! Moves in plans of models.

use fcs_sys::{Protection, RelPath};
use proptest::prelude::*;

use crate::Settings;
use crate::compare::{Comparison, RowId, Side};
use crate::model::{Item, compare_models, compare_trees, path, trees};
use crate::moves;
use crate::plan::tests::carry_out;
use crate::plan::{Plan, Skip, plan, plan_orphans, plan_sync, plan_sync_moving};
use crate::report::{ActionKind, SkipReason};
use crate::settings::{MoveChoice, ReplaceKinds};
use crate::tree::NameOrder::{Exact, Folded};

const THERE: Side = Side::Right;

fn f(size: u64, modified: i64) -> Item {
    Item::exact_file(size, modified, 7)
}

fn compared(left: &Item, right: &Item) -> Comparison {
    compare_models(left, right, Exact, &Settings::default())
}

fn moved(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| format!("{} > {}", change.path(), change.new_path().unwrap())).collect()
}

/// Moves, copies and made folders, removals and removed folders.
fn counts(plan: &Plan) -> (u64, [u64; 2], [u64; 2]) {
    let t = &plan.totals;
    let moves = t.changes.of(ActionKind::Move);
    assert_eq!(moves, plan.changes.len() as u64);
    (moves, [t.new_files, t.create_folders], [t.removed_files, t.removed_folders])
}

fn row(comparison: &Comparison, at: &str, side: Side) -> RowId {
    let has = |&row: &RowId| comparison.node(row, side).is_some();
    comparison.walk().filter(has).find(|&row| comparison.path_on(row, side) == path(at)).unwrap()
}

fn everything(comparison: &Comparison) -> Plan {
    plan_sync(comparison, THERE, &|_| true, &Settings::default())
}

const BIG: u64 = 4096;

#[test]
fn a_renamed_folder_is_renamed_and_nothing_else_is_done() {
    let tree = || Item::folder(3, [("a", f(BIG, 1)), ("in", Item::folder(4, [("b", f(7, 2))]))]);
    let left = Item::folder(9, [("new", tree())]);
    let mut right = Item::folder(0, [("old", tree())]);
    let plan = everything(&compared(&left, &right));
    assert_eq!(moved(&plan), ["old > new"]);
    assert_eq!((counts(&plan), plan.totals.bytes), ((1, [0, 0], [0, 0]), 0));
    assert_eq!(plan.folders.iter().map(|f| f.target_path.clone()).collect::<Vec<_>>(), [path("")]);
    carry_out(&plan, &left, &mut right);
    assert_eq!(right, left);
    assert!(everything(&compared(&left, &right)).is_empty());
}

#[test]
fn a_folder_with_a_new_file_is_made_and_its_files_move_into_it() {
    let tree = || Item::folder(3, [("a", f(BIG, 1)), ("b", f(7, 2))]);
    let mut more = tree();
    more.items_at(&path("")).insert(b"c".to_vec(), f(1, 5));
    let left = Item::folder(9, [("new", more)]);
    let mut right = Item::folder(0, [("old", tree())]);
    let plan = everything(&compared(&left, &right));
    assert_eq!(moved(&plan), ["old/a > new/a", "old/b > new/b"]);
    assert_eq!((counts(&plan), plan.totals.bytes), ((2, [1, 1], [0, 1]), 1));
    carry_out(&plan, &left, &mut right);
    assert_eq!(right, left);
}

/// Names that are handed on, taken over by another file, or swapped: files of other sizes and dates at names that both have.
#[test]
fn what_takes_the_name_of_what_moves_on_moves_too() {
    let tree = |files: &[(&str, u64)]| {
        let mut tree = Item::folder(0, []);
        for &(name, seed) in files {
            let file = f(BIG + seed, seed as i64);
            tree.items_at(&path("")).insert(name.as_bytes().to_vec(), file);
        }
        tree
    };
    for (left, mut right, moves, new_files) in [
        // On the target a, b; on the source a is called b and b is called c.
        (tree(&[("b", 1), ("c", 2)]), tree(&[("a", 1), ("b", 2)]), vec!["a > b", "b > c"], 0),
        // And there is a new a, as of a log that is rotated: were it moved away first, its name would be free for a while.
        (tree(&[("a", 9), ("b", 1), ("c", 2)]), tree(&[("a", 1), ("b", 2)]), vec![], 1),
        (tree(&[("a", 9), ("b", 1)]), tree(&[("a", 1)]), vec![], 1),
        (tree(&[("a", 1), ("b", 2)]), tree(&[("a", 2), ("b", 1)]), vec!["b > a", "a > b"], 0),
        (
            tree(&[("a", 1), ("b", 2), ("c", 3)]),
            tree(&[("a", 2), ("b", 3), ("c", 1)]),
            vec!["c > a", "a > b", "b > c"],
            0,
        ),
        // What had the name is gone: nothing moves over it.
        (tree(&[("b", 1)]), tree(&[("a", 1), ("b", 2)]), vec![], 0),
        // It is on the way to where something else is that stays.
        (tree(&[("b", 1), ("c", 2)]), tree(&[("a", 1), ("b", 2), ("c", 3)]), vec![], 0),
    ] {
        let plan = everything(&compared(&left, &right));
        assert_eq!(
            (moved(&plan), plan.totals.new_files),
            (moves.iter().map(ToString::to_string).collect(), new_files)
        );
        carry_out(&plan, &left, &mut right);
        assert_eq!(right, left);
        assert!(everything(&compared(&left, &right)).is_empty());
    }
}

/// Half of what hands names on is not selected, or may not be touched: the rest of it is copied.
#[test]
fn names_are_handed_on_whole_or_not_at_all() {
    let left = Item::folder(0, [("b", f(BIG, 1)), ("c", f(BIG + 1, 2))]);
    let right = Item::folder(0, [("a", f(BIG, 1)), ("b", f(BIG + 1, 2))]);
    let comparison = compared(&left, &right);
    for without in ["a", "b", "c"] {
        let at = comparison.walk().find(|&at| comparison.path(at) == path(without)).unwrap();
        let plan = plan_sync(&comparison, THERE, &|row| row != at, &Settings::default());
        assert_eq!(moved(&plan), Vec::<String>::new(), "without {without}");
        let mut target = right.clone();
        carry_out(&plan, &left, &mut target);
    }
}

#[test]
fn folders_that_swap_or_hand_on_their_names_exchange_what_is_in_them() {
    // Folders that swap their names are there on both sides: what is in them moves past each other.
    let one = || Item::folder(3, [("a", f(BIG, 1)), ("b", f(BIG + 1, 2))]);
    let two = || Item::folder(3, [("c", f(BIG, 3)), ("d", f(BIG + 1, 4))]);
    let left = Item::folder(0, [("x", one()), ("y", two())]);
    let mut right = Item::folder(0, [("x", two()), ("y", one())]);
    let plan = everything(&compared(&left, &right));
    assert_eq!(counts(&plan), (4, [0, 0], [0, 0]));
    carry_out(&plan, &left, &mut right);
    assert_eq!(right, left);
    // A chain of folders: y becomes z, x becomes y.
    let left = Item::folder(0, [("y", one()), ("z", two())]);
    let mut right = Item::folder(0, [("x", one()), ("y", two())]);
    let plan = everything(&compared(&left, &right));
    assert_eq!(counts(&plan), (4, [0, 1], [0, 1]));
    carry_out(&plan, &left, &mut right);
    assert_eq!(right, left);
}

#[test]
fn a_folder_that_moves_into_one_that_is_made_or_out_of_one_that_goes_is_one_move() {
    let tree = || Item::folder(3, [("a", f(BIG, 1))]);
    let left = Item::folder(
        0,
        [("made", Item::folder(1, [("deep", Item::folder(2, [("t", tree())])), ("x", f(9, 9))]))],
    );
    let mut right = Item::folder(0, [("gone", Item::folder(5, [("t", tree())]))]);
    let plan = everything(&compared(&left, &right));
    assert_eq!((moved(&plan), counts(&plan)), (vec!["gone/t > made/deep/t".to_owned()], (1, [1, 2], [0, 1])));
    carry_out(&plan, &left, &mut right);
    assert_eq!(right, left);
}

#[test]
fn only_who_removes_moves_and_only_what_is_selected_on_both_sides() {
    let left = Item::folder(0, [("d", Item::folder(3, [("a", f(BIG, 1)), ("b", f(BIG, 2))]))]);
    let right = Item::folder(0, [("e", Item::folder(3, [("a", f(BIG, 1)), ("b", f(BIG, 2))]))]);
    let comparison = compared(&left, &right);
    let settings = Settings::default();
    assert!(plan(&comparison, THERE, &|_| true, &settings).changes.is_empty());
    let off = Settings { moves: MoveChoice::Off, ..Settings::default() };
    assert!(plan_sync(&comparison, THERE, &|_| true, &off).changes.is_empty());
    let (new, old) = (row(&comparison, "d/a", Side::Left), row(&comparison, "e/a", Side::Right));
    for left_out in [new, old] {
        let plan = plan_sync(&comparison, THERE, &|row| row != left_out, &settings);
        assert_eq!(moved(&plan), ["e/b > d/b"], "not whole, and not the one");
    }
    let back = plan_sync(&comparison, Side::Left, &|_| true, &settings);
    assert_eq!(moved(&back), ["d > e"], "the other way");
}

/// What stays because it is not brought to the path that the source has it at.
fn kept(plan: &Plan) -> Vec<String> {
    let kept = plan.skipped.iter().filter(|skip| skip.why == SkipReason::NewPathLacking);
    kept.map(|skip| skip.path.to_string()).collect()
}

#[test]
fn what_does_not_arrive_at_its_new_path_is_not_removed_from_the_old_one() {
    let settings = Settings { replace_kinds: ReplaceKinds::Never, ..Settings::default() };
    let new = || Item::folder(3, [("x", f(BIG, 1)), ("y", f(BIG, 2))]);
    let right = |more: Item| Item::folder(0, [("d", more), ("x", f(BIG, 1)), ("z", f(BIG, 3))]);
    let empty = || Item::folder(3, []);
    for (case, left, right) in [
        ("a file has the folder's name", Item::folder(0, [("d", new())]), right(f(9, 9))),
        (
            "the folder was not listed to its end",
            Item::folder(0, [("d", new().unlistable())]),
            right(empty()),
        ),
        ("nor was the one on the other side", Item::folder(0, [("d", new())]), right(empty().unlistable())),
    ] {
        let comparison = compared(&left, &right);
        let plan = plan_sync(&comparison, THERE, &|_| true, &settings);
        assert_eq!((kept(&plan), moved(&plan)), (vec!["x".to_owned()], Vec::new()), "{case}");
        let removed: Vec<String> =
            plan.removed().map(|(folder, item)| folder.path.join(&item.name).to_string()).collect();
        assert_eq!(removed, ["z"], "{case}: nothing is known of that");
        let back = plan_sync(&comparison, Side::Left, &|_| true, &settings);
        assert_eq!(kept(&back), Vec::<String>::new(), "{case}: what stays there anyway needs no word");
        let orphans = plan_orphans(&comparison, THERE, &|_| true, &settings);
        assert_eq!(orphans.removed().count(), 2, "{case}: whoever removes nothing else says what goes");
    }
    // Nobody chose the new path.
    let left = Item::folder(0, [("d", new())]);
    let comparison = compared(&left, &right(empty()));
    let new = row(&comparison, "d/x", Side::Left);
    let plan = plan_sync(&comparison, THERE, &|row| row != new, &settings);
    assert_eq!(kept(&plan), ["x"]);
    assert_eq!(moved(&plan_sync(&comparison, THERE, &|_| true, &settings)), ["x > d/x"]);
}

/// Two folders that each hold a name that is two on the other side.
#[test]
fn what_is_below_two_names_that_are_one_keeps_its_old_path() {
    let left = Item::folder(0, [("D", Item::folder(3, [("x", f(BIG, 1))])), ("d", f(1, 1))]);
    let right = Item::folder(0, [("x", f(BIG, 1))]);
    let comparison = compare_models(&left, &right, Folded, &Settings::default());
    assert_eq!(kept(&everything(&comparison)), ["x"]);
}

#[test]
fn what_cannot_be_renamed_is_copied() {
    let left = Item::folder(0, [("d", Item::folder(3, [("a", f(BIG, 1)), ("b", f(BIG, 2))]))]);
    let right = Item::folder(0, [("e", Item::folder(3, [("a", f(BIG, 1)), ("b", f(BIG, 2))]))]);
    let plan_of = |change: &dyn Fn(&mut crate::tree::Tree)| {
        let mut scanned = right.scan(Exact);
        change(&mut scanned);
        moved(&everything(&compare_trees(left.scan(Exact), scanned, &Settings::default())))
    };
    assert_eq!(plan_of(&|_| {}), ["e > d"]);
    let entry = |tree: &mut crate::tree::Tree,
                 folder: usize,
                 child: usize,
                 change: &dyn Fn(&mut fcs_sys::Metadata)| {
        let mut metadata = Item::exact_file(BIG, 1 + child as i64, 7).metadata(50 + child as u64);
        if folder == 0 {
            metadata = Item::folder(3, []).metadata(50);
        }
        change(&mut metadata);
        tree.folders[folder].children.change(child, |entry| *entry = (&metadata).into());
    };
    let protected = plan_of(&|tree| entry(tree, 1, 0, &|m| m.protection = Some(Protection::Immutable)));
    assert_eq!(protected, ["e/b > d/b"]);
    let in_protected = plan_of(&|tree| entry(tree, 0, 0, &|m| m.protection = Some(Protection::AppendOnly)));
    assert_eq!(in_protected, Vec::<String>::new());
    let elsewhere = plan_of(&|tree| entry(tree, 1, 0, &|m| m.id.volume = 2));
    assert_eq!(elsewhere, ["e/b > d/b"]);
    assert_eq!(plan_of(&|tree| tree.volume.file_system = "overlay".into()), ["e/a > d/a", "e/b > d/b"]);
}

#[test]
fn a_move_takes_the_sources_spelling_and_finds_the_targets_folders() {
    let left = Item::folder(0, [("Dir", Item::folder(1, [("New", f(BIG, 1))]))]);
    let right = Item::folder(0, [("dir", Item::folder(1, [("old", f(BIG, 1))]))]);
    let plan = everything(&compare_models(&left, &right, Folded, &Settings::default()));
    assert_eq!(moved(&plan), ["dir/old > dir/New"]);
    assert_eq!(plan.renames.len(), 1, "the folder is respelled in the end");
}

/// Takes the item at a path of the model out of it.
fn take(tree: &mut Item, at: &RelPath) -> Option<Item> {
    let (folder, name) = at.split()?;
    tree.items_at(&folder).remove(name.as_bytes())
}

fn folders_of(tree: &Item) -> Vec<RelPath> {
    let mut all = vec![RelPath::root()];
    let mut at = 0;
    while at < all.len() {
        let here = all[at].clone();
        let items = tree.at(&here).and_then(Item::items).cloned().unwrap_or_default();
        let folders = items.iter().filter(|(_, item)| item.items().is_some());
        all.extend(folders.map(|(name, _)| here.join(&fcs_sys::Name::new(name.as_slice()).unwrap())));
        at += 1;
    }
    all
}

fn items_of(tree: &Item) -> Vec<RelPath> {
    let items = |folder: &RelPath| {
        let names = tree.at(folder).and_then(Item::items).into_iter().flat_map(|items| items.keys().cloned());
        names.map(|name| folder.join(&fcs_sys::Name::new(name).unwrap())).collect::<Vec<_>>()
    };
    folders_of(tree).iter().flat_map(items).collect()
}

/// Gives every file a date of its own, most of them from a clock, and some a size that says something.
fn dated(tree: &mut Item) {
    for (n, at) in items_of(tree).into_iter().enumerate() {
        let (folder, name) = at.split().unwrap();
        if let Some(item @ Item::File { .. }) = tree.items_at(&folder).get_mut(name.as_bytes()) {
            let n = n as i64;
            let size = if n % 3 == 0 { 5 } else { BIG + n as u64 % 2 };
            *item = if n % 5 == 4 { Item::file(size, n / 2) } else { f(size, n / 2) };
        }
    }
}

/// Renames, moves, changes and removes a few items of a tree, as its owner would.
fn work_on(tree: &mut Item, choices: &[(usize, usize, u8)]) {
    for &(which, whither, what) in choices {
        let all = items_of(tree);
        if all.is_empty() {
            return;
        }
        let at = all[which % all.len()].clone();
        let Some(item) = take(tree, &at) else { continue };
        match what % 8 {
            0 => {}
            1 => {
                let (folder, name) = at.split().unwrap();
                tree.items_at(&folder).insert(name.as_bytes().to_vec(), f(BIG + 9, which as i64));
            }
            _ => {
                let folders = folders_of(tree);
                let folder = &folders[whither % folders.len()];
                let names: [&[u8]; 6] = [b"a", b"b", b"c", b"A", b"q", b"r"];
                let name = if what % 2 == 0 {
                    at.split().unwrap().1.as_bytes().to_vec()
                } else {
                    names[whither % 6].to_vec()
                };
                tree.items_at(folder).insert(name, item);
            }
        }
    }
}

/// Replaced kinds are a matter of their own, and what the model carries out has none.
fn kinds_stay(moves: MoveChoice) -> Settings {
    Settings { replace_kinds: ReplaceKinds::Never, moves, ..Settings::default() }
}

proptest! {
    #[test]
    fn with_moves_the_target_becomes_what_it_becomes_without(
        start in trees(false), work in prop::collection::vec((0..64usize, 0..64usize, any::<u8>()), 1..6),
        on_left: bool, choice in any::<u64>(),
    ) {
        let mut left = start;
        dated(&mut left);
        let mut right = left.clone();
        work_on(if on_left { &mut left } else { &mut right }, &work);
        let comparison = compared(&left, &right);
        for choice in [u64::MAX, choice] {
            let selected = |row: RowId| choice.rotate_left(row) & 1 == 1;
            let with = plan_sync(&comparison, THERE, &selected, &kinds_stay(MoveChoice::On));
            // What stays because it does not arrive is as if nobody had chosen it.
            let stays = |skip: &Skip| skip.why == SkipReason::NewPathLacking;
            let kept: Vec<RowId> = with.skipped.iter().filter(|skip| stays(skip))
                .map(|skip| row(&comparison, &skip.path.to_string(), THERE)).collect();
            let selected = |row: RowId| selected(row) && !kept.contains(&row);
            let without = plan_sync(&comparison, THERE, &selected, &kinds_stay(MoveChoice::Off));
            let [mut one, mut other] = [right.clone(), right.clone()];
            carry_out(&with, &left, &mut one);
            carry_out(&without, &left, &mut other);
            prop_assert_eq!(&one, &other);
            prop_assert!(with.totals.bytes <= without.totals.bytes);
            let others: Vec<Skip> = with.skipped.iter().filter(|skip| !stays(skip)).cloned().collect();
            prop_assert_eq!(&others, &without.skipped);
            if choice == u64::MAX && with.skipped.is_empty() {
                prop_assert_eq!(&one, &left);
            }
        }
    }

    /// What is planned for the one target stays out of the plan for the other.
    #[test]
    fn plans_for_two_targets_share_the_moves(
        start in trees(false), ours in prop::collection::vec((0..64usize, 0..64usize, any::<u8>()), 1..4),
        theirs in prop::collection::vec((0..64usize, 0..64usize, any::<u8>()), 1..4), choice in any::<u64>(),
    ) {
        let mut left = start;
        dated(&mut left);
        let mut right = left.clone();
        work_on(&mut left, &ours);
        work_on(&mut right, &theirs);
        let settings = kinds_stay(MoveChoice::On);
        let comparison = compared(&left, &right);
        let found = moves::find(&comparison, None, &settings);
        // One way for both rows of a move.
        let goes_right = |row: RowId| {
            let row = found.of_row(row).map_or(row, |found| found.left);
            choice.rotate_left(row) & 1 == 1
        };
        let to_right = plan_sync_moving(&comparison, Side::Right, &goes_right, &settings, &found);
        let to_left = plan_sync_moving(&comparison, Side::Left, &|row| !goes_right(row), &settings, &found);
        let planned = to_right.changes.len() + to_left.changes.len();
        for plan in [&to_right, &to_left] {
            prop_assert_eq!(plan.changes.len() as u64, plan.totals.changes.of(ActionKind::Move));
        }
        let both = to_right.and(to_left).unwrap();
        prop_assert_eq!(both.changes.len(), planned);
        prop_assert!(both.parts().is_ok());
        let whole = |found: &moves::Move| {
            let mut rows = vec![found.left, found.right];
            let mut ways = std::collections::BTreeSet::new();
            while let Some(row) = rows.pop() {
                ways.insert(goes_right(row));
                rows.extend(comparison.children(row));
            }
            ways.len() == 1
        };
        let is_plain = |found: &&moves::Move| !moves::is_in_chain(&comparison, found);
        prop_assert!(planned >= found.iter().filter(is_plain).filter(|found| whole(found)).count());
    }
}
