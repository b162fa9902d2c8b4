//! What is recognised, in models of trees.

use fcs_sys::{FileId, Time};

use super::*;
use crate::memory::{Grade, Known, Stamp};
use crate::model::{Item, compare_models, compare_trees, path};
use crate::tree::NameOrder::{Exact, Folded};

/// Dates with a fraction, which come from a clock.
fn f(size: u64, modified: i64) -> Item {
    Item::exact_file(size, modified, 123)
}

const BIG: u64 = 4096;

fn found(comparison: &Comparison, moves: &Moves) -> Vec<String> {
    let text = |found: &Move| {
        let (old, new) =
            (comparison.path_on(found.right, Side::Right), comparison.path_on(found.left, Side::Left));
        format!("{old} > {new} {:?}", found.why)
    };
    moves.iter().map(text).collect()
}

fn of(left: &Item, right: &Item) -> Vec<String> {
    with(left, right, &Settings::default())
}

fn with(left: &Item, right: &Item, settings: &Settings) -> Vec<String> {
    let comparison = compare_models(left, right, Exact, settings);
    found(&comparison, &find(&comparison, None, settings))
}

const NONE: [&str; 0] = [];

#[test]
fn a_file_that_keeps_its_name_or_its_folder_has_moved() {
    let left = Item::folder(0, [("d", Item::folder(0, [("a", f(5, 1)), ("new", f(BIG, 2))]))]);
    let right = Item::folder(0, [("a", f(5, 1)), ("d", Item::folder(0, [("old", f(BIG, 2))]))]);
    assert_eq!(of(&left, &right), ["a > d/a Unique", "d/old > d/new Unique"]);
    let off = Settings { moves: MoveChoice::Off, ..Settings::default() };
    assert_eq!(with(&left, &right, &off), NONE);
    let existence = Settings { compare_existence: false, ..Settings::default() };
    assert_eq!(with(&left, &right, &existence), NONE);
}

#[test]
fn neither_name_nor_folder_is_a_matter_of_content() {
    let left = Item::folder(0, [("new", f(BIG, 2))]);
    let right = Item::folder(0, [("d", Item::folder(0, [("old", f(BIG, 2))]))]);
    assert_eq!(of(&left, &right), NONE);
    let content = Settings { moves: MoveChoice::Content, ..Settings::default() };
    let comparison = compare_models(&left, &right, Exact, &content);
    let moves = find(&comparison, None, &content);
    assert_eq!((found(&comparison, &moves), moves.unread(&comparison)), (Vec::new(), (1, BIG)));
    let default = find(&comparison, None, &Settings::default());
    assert_eq!(default.unread(&comparison), (0, 0), "only where that was asked for");
}

#[test]
fn where_content_is_a_criterion_nothing_has_moved_that_was_not_read() {
    let left = Item::folder(0, [("d", Item::folder(0, [("a", f(BIG, 1)), ("empty", f(0, 2))]))]);
    let right = Item::folder(0, [("a", f(BIG, 1)), ("empty", f(0, 2))]);
    let settings = Settings { compare_content: ContentCheck::Blake3, ..Settings::default() };
    let comparison = compare_models(&left, &right, Exact, &settings);
    let moves = find(&comparison, None, &settings);
    assert_eq!(found(&comparison, &moves), ["empty > d/empty Unique"]);
    assert_eq!(moves.unread(&comparison), (1, BIG));
}

#[test]
fn what_is_ambiguous_is_copied() {
    let two = || [("a", f(BIG, 1)), ("b", f(BIG, 1))];
    let left = Item::folder(0, [("x", f(BIG, 1))]);
    assert_eq!(of(&left, &Item::folder(0, two())), NONE);
    assert_eq!(of(&Item::folder(0, two()), &left), NONE);
    // Also by a file that both have: one of the two was made anew.
    let left = Item::folder(0, [("both", f(BIG, 1)), ("x", f(BIG, 1))]);
    let right = Item::folder(0, [("both", f(BIG, 1)), ("y", f(BIG, 1))]);
    assert_eq!(of(&left, &right), NONE);
}

#[test]
fn small_files_and_made_up_dates_need_the_same_name() {
    let pair = |size, modified: fn(u64) -> Item, names: [&str; 2]| {
        let left = Item::folder(0, [("d", Item::folder(0, [(names[0], modified(size))]))]);
        let right = Item::folder(0, [("d", Item::folder(0, [(names[1], modified(size))]))]);
        of(&left, &right).len()
    };
    let clock: fn(u64) -> Item = |size| f(size, 9);
    let made_up: fn(u64) -> Item = |size| Item::file(size, 9);
    assert_eq!(pair(BIG, clock, ["new", "old"]), 1);
    assert_eq!(pair(SMALL_SIZE, clock, ["new", "old"]), 0);
    assert_eq!(pair(BIG, made_up, ["new", "old"]), 0);
    let moved = |item: fn(u64) -> Item, size| {
        let left = Item::folder(0, [("d", Item::folder(0, [("a", item(size))]))]);
        of(&left, &Item::folder(0, [("a", item(size))])).len()
    };
    assert_eq!((moved(clock, SMALL_SIZE), moved(clock, 0), moved(made_up, BIG)), (1, 1, 1));
    // A date that another file has too, of whatever size, is one that a program gave to both.
    let left =
        Item::folder(0, [("c", Item::file(7, 9)), ("d", Item::folder(0, [("a", Item::file(BIG, 9))]))]);
    let right = Item::folder(0, [("a", Item::file(BIG, 9)), ("c", Item::file(7, 9))]);
    assert_eq!(of(&left, &right), NONE);
}

const SMALL_SIZE: u64 = 100;

#[test]
fn a_folder_with_all_that_is_in_it_is_one_move() {
    let tree = || {
        Item::folder(
            3,
            [
                ("a", f(5, 1)),
                ("b", f(BIG, 2)),
                // Nothing tells these two apart but their names.
                ("c", f(0, 3)),
                ("d", f(0, 3)),
                ("empty", Item::folder(4, [])),
                ("in", Item::folder(5, [("deep", f(6, 6)), ("link", Item::Link { text: 1, modified: 0 })])),
            ],
        )
    };
    let (left, right) = (Item::folder(0, [("new", tree())]), Item::folder(0, [("old", tree())]));
    assert_eq!(of(&left, &right), ["old > new Unique"]);
    let comparison = compare_models(&left, &right, Exact, &Settings::default());
    let moves = find(&comparison, None, &Settings::default());
    for row in 1..comparison.rows.len() as RowId {
        assert!(moves.of_row(row).is_some(), "{}", comparison.path(row));
    }
}

#[test]
fn a_folder_with_a_difference_moves_file_by_file() {
    let tree = |more: Option<(&str, Item)>| {
        let mut tree =
            Item::folder(3, [("a", f(5, 1)), ("b", f(BIG, 2)), ("in", Item::folder(5, [("deep", f(6, 6))]))]);
        if let Some((name, item)) = more {
            tree.items_at(&path("")).insert(name.as_bytes().to_vec(), item);
        }
        tree
    };
    let all = ["old/a > new/a Unique", "old/b > new/b Unique", "old/in > new/in Unique"];
    let compared =
        |left: Item, right: Item| of(&Item::folder(0, [("new", left)]), &Item::folder(0, [("old", right)]));
    assert_eq!(compared(tree(Some(("more", f(7, 7)))), tree(None)), all);
    assert_eq!(compared(tree(None), tree(Some(("more", f(7, 7))))), all);
    assert_eq!(compared(tree(Some(("a", f(6, 7)))), tree(None)), all[1..]);
    // The folder's own date is another one: its new one is made, and gets it.
    let mut dated = tree(None);
    dated.set_modified(99);
    assert_eq!(compared(dated, tree(None)), all);
    // What moved beside it tells what a file is that looks like another.
    assert_eq!(
        compared(tree(Some(("z", f(7, 7)))), {
            let mut t = tree(Some(("twin", f(5, 1))));
            t.set_modified(3);
            t
        }),
        all
    );
}

#[test]
fn what_is_not_known_whole_does_not_move_whole_and_what_could_not_be_read_not_at_all() {
    let tree = || Item::folder(3, [("a", f(BIG, 1)), ("b", f(BIG, 2))]);
    let (left, right) = (Item::folder(0, [("new", tree())]), Item::folder(0, [("old", tree())]));
    let mut scanned = right.scan(Exact);
    scanned.folders[1].left_out = true;
    let comparison = compare_trees(left.scan(Exact), scanned, &Settings::default());
    let moves = find(&comparison, None, &Settings::default());
    assert_eq!(found(&comparison, &moves), ["old/a > new/a Unique", "old/b > new/b Unique"]);

    assert_eq!(of(&Item::folder(0, [("new", tree().unlistable())]), &right), NONE);
    assert_eq!(of(&left, &Item::folder(0, [("old", tree().unlistable())])), NONE);
    assert_eq!(of(&left.clone().unlistable(), &right), NONE);
    let mut cancelled = right.scan(Exact);
    cancelled.cancelled = true;
    let comparison = compare_trees(left.scan(Exact), cancelled, &Settings::default());
    assert!(find(&comparison, None, &Settings::default()).is_empty());
}

#[test]
fn below_a_clash_nothing_moves() {
    let left = Item::folder(0, [("k", Item::folder(0, [("a", f(BIG, 1))]))]);
    let right = Item::folder(0, [("a", f(BIG, 1)), ("k", f(1, 1))]);
    assert_eq!(of(&left, &right), NONE);
    let left = Item::folder(0, [("N", f(BIG, 1)), ("n", f(BIG, 2))]);
    let right = Item::folder(0, [("d", Item::folder(0, [("n", f(BIG, 2))]))]);
    let comparison = compare_models(&left, &right, Folded, &Settings::default());
    assert!(find(&comparison, None, &Settings::default()).is_empty());
}

#[test]
fn another_spelling_is_no_move_where_it_is_the_same_name() {
    let (left, right) = (Item::folder(0, [("New", f(BIG, 1))]), Item::folder(0, [("new", f(BIG, 1))]));
    let comparison = compare_models(&left, &right, Folded, &Settings::default());
    assert!(find(&comparison, None, &Settings::default()).is_empty());
    assert_eq!(of(&left, &right), ["new > New Unique"]);
}

/// What both were when `row`, which only one side has, was on both; its number is that of another row now.
fn remembered(comparison: &Comparison, old: RowId, new: RowId, renamed: Side) -> Remembered {
    let now = |row, side| Stamp::from(&comparison.entry(row, side).unwrap().fingerprint());
    let mut stamps = [now(old, renamed.other()), now(new, renamed)];
    if renamed == Side::Left {
        stamps.reverse();
    }
    let known = Known { stamps, hash: None, grade: Grade::Looks, seen: Time::new(1, 0) };
    let mut all = Remembered::default();
    assert!(all.push(&comparison.path(old), known));
    all
}

#[test]
fn a_number_that_is_remembered_tells_what_nothing_else_does() {
    for renamed in [Side::Left, Side::Right] {
        let new = Item::folder(0, [("a", f(0, 1)), ("new", f(SMALL_SIZE, 2))]);
        let old = Item::folder(0, [("a", f(0, 1)), ("d", Item::folder(0, [("old", f(SMALL_SIZE, 2))]))]);
        let sides = if renamed == Side::Left { [&new, &old] } else { [&old, &new] };
        let comparison = compare_models(sides[0], sides[1], Exact, &Settings::default());
        let row = |text: &str| comparison.walk().find(|&row| comparison.path(row) == path(text)).unwrap();
        let memory = remembered(&comparison, row("d/old"), row("new"), renamed);
        let moves = find(&comparison, Some(&memory), &Settings::default());
        let all: Vec<_> = moves.iter().map(|found| (found.why, found.renamed, found.on(renamed))).collect();
        assert_eq!(all, [(Why::Number, Some(renamed), row("new"))]);
        assert!(find(&comparison, None, &Settings::default()).is_empty(), "without a memory");

        // Another file has the number, or numbers do not last.
        let with = |change: &dyn Fn(&mut Known)| {
            let mut known = *memory.get(&path("d/old")).unwrap();
            change(&mut known);
            let mut other = Remembered::default();
            assert!(other.push(&path("d/old"), known));
            let moves = find(&comparison, Some(&other), &Settings::default());
            moves.iter().map(|found| found.is_changed).collect::<Vec<_>>()
        };
        let id = FileId { volume: 1, file: 1000, file_high: 0 };
        assert_eq!(with(&|_| {}), [false]);
        assert!(with(&|known| known.stamps.iter_mut().for_each(|stamp| stamp.id = id)).is_empty());
        // What was renamed may have been changed too, but not the other one: whose version is wanted is another question.
        let (here, other) = if renamed == Side::Left { (0, 1) } else { (1, 0) };
        for change in
            [|stamp: &mut Stamp| stamp.size += 1, |stamp: &mut Stamp| stamp.modified = Time::new(77, 0)]
        {
            assert_eq!(with(&|known| change(&mut known.stamps[here])), [true]);
            assert!(with(&|known| change(&mut known.stamps[other])).is_empty());
        }
        // It was made after what is remembered, and was given the number of a file that is gone.
        let later = |known: &mut Known| {
            known.stamps[here].size += 1;
            known.seen = Time::new(-1, 0);
        };
        assert!(with(&later).is_empty());
        let (mut left, mut right) = (sides[0].scan(Exact), sides[1].scan(Exact));
        (left.volume.lasting_numbers, right.volume.lasting_numbers) = (false, false);
        let comparison = compare_trees(left, right, &Settings::default());
        assert!(find(&comparison, Some(&memory), &Settings::default()).is_empty());
    }
}

/// A file that is where it was has not moved, whatever was written to it and whatever looks like it did before.
#[test]
fn what_is_at_its_path_has_not_moved() {
    let left = Item::folder(0, [("a", f(BIG + 1, 1)), ("b", f(BIG, 2))]);
    let right = Item::folder(0, [("a", f(BIG, 2))]);
    let comparison = compare_models(&left, &right, Exact, &Settings::default());
    let row = |text: &str| comparison.walk().find(|&row| comparison.path(row) == path(text)).unwrap();
    // By its looks b is what the right has as a; but then a would be without a file for a while.
    assert_eq!(of(&left, &right), NONE);
    // The memory knows that a is the same file as ever, edited since.
    let now = |row, side| Stamp::from(&comparison.entry(row, side).unwrap().fingerprint());
    let old = Stamp { size: BIG, modified: Time::new(2, 123), ..now(row("a"), Side::Left) };
    let known = Known {
        stamps: [old, now(row("a"), Side::Right)],
        hash: None,
        grade: Grade::Looks,
        seen: Time::new(1, 0),
    };
    let mut memory = Remembered::default();
    assert!(memory.push(&path("a"), known));
    let moves = find(&comparison, Some(&memory), &Settings::default());
    assert_eq!(found(&comparison, &moves), NONE);
}

#[test]
fn a_coarse_volume_shows_the_date_to_its_step() {
    let left = Item::folder(0, [("d", Item::folder(0, [("a", f(BIG, 1))]))]);
    let right = Item::folder(0, [("a", Item::file(BIG, 0))]);
    let (l, mut r) = (left.scan(Exact), right.scan(Exact));
    r.volume.time_granularity_nanos = 2_000_000_000;
    let comparison = compare_trees(l, r, &Settings::default());
    let moves = find(&comparison, None, &Settings::default());
    assert_eq!(found(&comparison, &moves), ["a > d/a Unique"]);
    assert_eq!(of(&left, &right), NONE, "where the volume keeps every nanosecond");
}
