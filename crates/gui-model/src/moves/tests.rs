//! Moves, on random trees.

use std::sync::Arc;

use fcs_engine::compare::{Side, Verdict};
use proptest::prelude::*;

use super::*;
use crate::chips::Chips;
use crate::filter::Filter;
use crate::sort::{Column, Sort};
use crate::testing::{Pair, pairs, row};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::testing::cases(64)))]

    #[test]
    fn from_difference_to_difference_all_and_only_these_are_visited(
        pair in pairs(),
        text in proptest::sample::select(&["", "a", "*.jpg"][..]),
        descending in any::<bool>(),
    ) {
        let index = pair.index();
        let filter = Filter::new(text, Chips::ALL, &jiff::tz::TimeZone::UTC).unwrap();
        let mut rows = Rows::new(Arc::clone(&index));
        rows.set_filter(&filter);
        rows.set_sort(Sort { column: Column::Size(Side::Left), descending });
        rows.open_all();
        let differs = |row: &RowId| index.comparison().row(*row).verdict != Verdict::Same;
        let matching = filter.matching(&index);
        let all = rows.visible().iter().copied();
        let expected: Vec<RowId> = all.filter(|row| differs(row) && matching.has(*row)).collect();
        rows.close_all();
        let mut at = Comparison::ROOT;
        let mut found: Vec<RowId> = Vec::new();
        found.extend(expected.first().filter(|first| **first == at));
        while let Some(next) = next_difference(&mut rows, at) {
            prop_assert!(rows.place(next).is_some(), "opened to");
            prop_assert!(found.len() < expected.len());
            found.push(next);
            at = next;
        }
        prop_assert_eq!(&found, &expected);
        rows.open_all();
        at = *rows.visible().last().unwrap();
        let mut back: Vec<RowId> = Vec::new();
        back.extend(expected.last().filter(|last| **last == at));
        rows.close_all();
        while let Some(next) = previous_difference(&mut rows, at) {
            prop_assert!(rows.place(next).is_some() && back.len() < expected.len());
            back.push(next);
            at = next;
        }
        back.reverse();
        prop_assert_eq!(&back, &expected);
    }

    #[test]
    fn every_move_ends_on_a_visible_row(
        pair in pairs(), steps in proptest::collection::vec(0_u8..8, 0..40),
    ) {
        let mut rows = Rows::new(pair.index());
        let mut at = Comparison::ROOT;
        for step in steps {
            let before = rows.place(at).unwrap();
            let step = match step {
                0 => Move::Up,
                1 => Move::Home,
                2 => Move::End,
                3 => Move::PageUp(3),
                4 => Move::PageDown(3),
                5 => Move::Left,
                6 => Move::Right,
                _ => Move::Down,
            };
            at = go(&mut rows, at, step);
            let after = rows.place(at).unwrap();
            let last = rows.visible().len() - 1;
            match step {
                Move::Up => prop_assert_eq!(after, before.saturating_sub(1)),
                Move::Down => prop_assert_eq!(after, (before + 1).min(last)),
                Move::Home => prop_assert_eq!(after, 0),
                Move::End => prop_assert_eq!(after, last),
                Move::PageDown(n) => prop_assert_eq!(after, (before + n).min(last)),
                Move::PageUp(_) | Move::Left => prop_assert!(after <= before),
                Move::Right => prop_assert!(after >= before),
            }
        }
    }
}

#[test]
fn left_and_right_close_and_open_before_they_move() {
    let index = Pair::of(&["d / /", "d/x 1 1", "y 1 1"]).index();
    let mut rows = Rows::new(Arc::clone(&index));
    let (d, x) = (row(index.comparison(), "d"), row(index.comparison(), "d/x"));
    assert_eq!(go(&mut rows, d, Move::Right), d);
    assert_eq!(rows.visible().len(), 4);
    assert_eq!(go(&mut rows, d, Move::Right), x);
    assert_eq!(go(&mut rows, x, Move::Right), x);
    assert_eq!(go(&mut rows, x, Move::Left), d);
    assert_eq!((go(&mut rows, d, Move::Left), rows.visible().len()), (d, 3));
    assert_eq!(go(&mut rows, d, Move::Left), Comparison::ROOT);
}

#[test]
fn the_cursor_is_never_hidden() {
    let comparison = Pair::of(&["d / /", "d/x 1 2", "y 1 1"]).compare();
    let mut model = crate::Model::new(Arc::clone(&comparison));
    let (d, x) = (row(&comparison, "d"), row(&comparison, "d/x"));
    model.open_all();
    model.set_cursor(x);
    model.close_all();
    assert_eq!(model.cursor(), d);
    model.open_all();
    model.set_cursor(x);
    model.set_open(d, false);
    assert_eq!(model.cursor(), d);
    model.set_filter(&Filter::new("y", Chips::ALL, &jiff::tz::TimeZone::UTC).unwrap());
    assert_eq!(model.cursor(), Comparison::ROOT);
}

#[test]
fn typing_finds_the_next_visible_name_that_begins_so() {
    let pair = Pair::of(&["B / /", "B/banana 1 1", "Élan 1 1", "apple 1 1", "apricot 1 1"]);
    let index = pair.index();
    let rows = Rows::new(Arc::clone(&index));
    let row = |path| row(index.comparison(), path);
    let find = |from, text, onward| find_prefix(&rows, from, text, onward);
    assert_eq!(find(Comparison::ROOT, "A", true), Some(row("apple")));
    assert_eq!(find(row("apple"), "a", true), Some(row("apricot")), "onward from the row itself");
    assert_eq!(find(row("apple"), "ap", false), Some(row("apple")), "the row itself while it still fits");
    assert_eq!(find(row("apricot"), "a", true), Some(row("apple")), "from the top again");
    assert_eq!(find(row("apple"), "é", true), Some(row("Élan")), "without regard to case");
    assert_eq!(find(Comparison::ROOT, "banana", true), None, "in a closed folder");
    assert_eq!(find(Comparison::ROOT, "", false), None);
}
