//! Ticks, on random trees.

use fcs_engine::Settings;
use fcs_engine::compare::{Side, Verdict};
use fcs_engine::plan::plan;
use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::*;
use crate::chips::Chips;
use crate::filter::Filter;
use crate::rows::Rows;
use crate::sort::{Column, Sort};
use crate::testing::{Pair, is_in, pairs, row};

const SIDES: [Side; 2] = [Side::Left, Side::Right];

/// What may be ticked with a folder, told from the comparison itself.
fn is_work(comparison: &Comparison, row: RowId, side: Side) -> bool {
    let verdict = comparison.row(row).verdict;
    let counts = matches!(verdict, Verdict::Different(_) | Verdict::LeftOnly | Verdict::RightOnly);
    counts && comparison.node(row, side).is_some()
}

/// Whether the row itself is of two kinds of which one can take the place of the other.
fn is_clash(comparison: &Comparison, row: RowId) -> bool {
    let verdict = |row| comparison.row(row).verdict;
    verdict(row) == Verdict::KindClash
        && verdict(comparison.row(row).parent) != Verdict::KindClash
        && SIDES
            .iter()
            .all(|&side| comparison.entry(row, side).is_some_and(|entry| entry.kind != Kind::Other))
}

/// Whether nothing is ticked that has no box, and the count is the number of ticks.
fn is_sound(selection: &Selection, comparison: &Comparison) -> bool {
    SIDES.into_iter().all(|side| {
        let ticked: Vec<RowId> =
            (0..comparison.rows.len() as RowId).filter(|&row| selection.is_ticked(row, side)).collect();
        ticked.len() as u32 == selection.count(side)
            && ticked.iter().all(|&row| {
                use Verdict::{KindClash, NameClash, NotComparable, Unreadable};
                let verdict = comparison.row(row).verdict;
                // What lies in an item of two kinds is ticked with it, and only with it.
                let with_clash = std::iter::successors(Some(row), |&row| {
                    (row != Comparison::ROOT).then(|| comparison.row(row).parent)
                })
                .any(|row| is_clash(comparison, row) && selection.is_ticked(row, side));
                comparison.node(row, side).is_some()
                    && (!matches!(verdict, KindClash | NameClash | Unreadable | NotComparable) || with_clash)
            })
    })
}

/// What a box must show, told by looking at each pair of rows.
fn expected_mark(selection: &Selection, comparison: &Comparison, row: RowId, side: Side) -> Mark {
    let below = || (0..comparison.rows.len() as RowId).filter(|&other| is_in(comparison, other, row));
    let missing = below().any(|row| is_work(comparison, row, side) && !selection.is_ticked(row, side));
    match (below().any(|row| selection.is_ticked(row, side)), missing) {
        (false, _) => Mark::Off,
        (true, true) => Mark::Partly,
        (true, false) => Mark::On,
    }
}

/// Case V17: one rule, so that a folder cannot show a part whose boxes below are all ticked.
fn are_marks_sound(selection: &Selection, comparison: &Comparison) -> bool {
    SIDES.into_iter().all(|side| {
        (0..comparison.rows.len() as RowId)
            .all(|row| selection.mark(row, side) == expected_mark(selection, comparison, row, side))
    })
}

fn state(selection: &Selection) -> [Vec<RowId>; 2] {
    SIDES.map(|side| selection.ticked(side).iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::testing::cases(64)))]

    #[test]
    fn every_click_and_command_does_what_a_simple_model_says(
        pair in pairs(),
        text in proptest::sample::select(&["", "a", "*.jpg", ">1k", "b/"][..]),
        steps in proptest::collection::vec((0_u8..8, any::<Pick>(), any::<bool>()), 1..20),
    ) {
        let index = pair.index();
        let comparison = index.comparison();
        let rows = comparison.rows.len();
        let matching = Filter::new(text, Chips::ALL, &jiff::tz::TimeZone::UTC).unwrap().matching(&index);
        let mut selection = Selection::new(Arc::clone(&index));
        let mut model = [vec![false; rows], vec![false; rows]];
        for (what, pick, left) in steps {
            let side = if left { Side::Left } else { Side::Right };
            let (row, ticks) = (pick.index(rows) as RowId, &mut model[side as usize]);
            let before: Vec<bool> = ticks.clone();
            let wanted = |r: RowId| is_work(comparison, r, side) && matching.has(r);
            let all = 0..rows as RowId;
            let change = match what {
                0 => {
                    ticks.fill(false);
                    selection.clear(side)
                }
                1 => {
                    all.clone().for_each(|r| ticks[r as usize] = wanted(r));
                    selection.tick_all_differences(side, &matching)
                }
                _ => {
                    let whole = is_clash(comparison, row) && comparison.node(row, side).is_some();
                    let goes_along = |r: RowId| whole && comparison.node(r, side).is_some();
                    let below = |r: RowId| is_in(comparison, r, row) && (wanted(r) || goes_along(r));
                    let shown = expected_mark(&selection, comparison, row, side);
                    let holds_work = all.clone().any(|r| {
                        r != row && is_in(comparison, r, row) && is_work(comparison, r, side)
                    });
                    let itself = is_work(comparison, row, side) || !holds_work;
                    let adds = all.clone().any(|r| !ticks[r as usize] && (below(r) || r == row && itself));
                    if shown == Mark::On || shown == Mark::Partly && !adds {
                        // What is of two kinds goes whole or not at all.
                        let whole = all.clone().find(|&r| is_clash(comparison, r) && is_in(comparison, row, r));
                        let row = whole.unwrap_or(row);
                        let related = |r| is_in(comparison, r, row) || is_in(comparison, row, r);
                        all.clone().filter(|&r| related(r)).for_each(|r| ticks[r as usize] = false);
                    } else if selection.can_tick(row, side) {
                        all.clone()
                            .filter(|&r| r == row && itself || below(r))
                            .for_each(|r| ticks[r as usize] = true);
                    }
                    selection.toggle(row, side, &matching)
                }
            };
            let expected: Vec<RowId> = all.clone().filter(|&r| ticks[r as usize]).collect();
            prop_assert_eq!(selection.ticked(side).iter().collect::<Vec<_>>(), expected);
            prop_assert!(is_sound(&selection, comparison));
            prop_assert!(are_marks_sound(&selection, comparison));
            let count = |t: &[bool]| t.iter().filter(|t| **t).count() as u32;
            prop_assert_eq!(count(&before) + change.ticked - change.unticked, count(ticks));
            if what == 1 {
                let work = all.clone().filter(|&r| is_work(comparison, r, side)).count() as u32;
                prop_assert_eq!(change.ticked + change.left_out, work);
            }
        }
    }

    #[test]
    fn ticking_and_unticking_a_folder_leaves_nothing_below_nor_above(
        pair in pairs(), pick in any::<Pick>(), before in proptest::collection::vec(any::<Pick>(), 0..8),
    ) {
        let index = pair.index();
        let rows = index.rows();
        let all = Bits::all(rows);
        let mut selection = Selection::new(Arc::clone(&index));
        for side in SIDES {
            before.iter().for_each(|pick| _ = selection.tick(pick.index(rows) as RowId, side, &all));
            let folder = pick.index(rows) as RowId;
            selection.tick(folder, side, &all);
            selection.untick(folder, side);
            for row in 0..rows as RowId {
                let related = is_in(index.comparison(), row, folder) || is_in(index.comparison(), folder, row);
                prop_assert!(!related || !selection.is_ticked(row, side));
            }
        }
    }

    #[test]
    fn opening_sorting_and_filtering_never_change_a_selection(pair in pairs(), pick in any::<Pick>()) {
        let mut model = crate::Model::new(pair.compare());
        model.tick_all_differences(Side::Left);
        let row = pick.index(model.rows().index().rows()) as RowId;
        model.toggle(row, Side::Right);
        let before = state(model.selection());
        model.open_all();
        model.sort_by(Column::Size(Side::Left));
        model.set_filter(&Filter::new("*.jpg", Chips::NONE, &jiff::tz::TimeZone::UTC).unwrap());
        model.set_sort(Sort { column: Column::Status, descending: true });
        model.next_difference();
        model.set_open(row, false);
        model.set_filter(&Filter::default());
        model.close_all();
        prop_assert_eq!(state(model.selection()), before);
    }

    #[test]
    fn each_change_of_ticks_can_be_taken_back(
        pair in pairs(), steps in proptest::collection::vec((0_u8..6, any::<Pick>(), any::<bool>()), 1..12),
    ) {
        let mut model = crate::Model::new(pair.compare());
        let rows = model.rows().index().rows();
        let mut past = Vec::new();
        for (what, pick, left) in steps {
            let side = if left { Side::Left } else { Side::Right };
            let before = state(model.selection());
            match what {
                0 => model.clear(side),
                1 => model.tick_all_differences(side),
                _ => model.toggle(pick.index(rows) as RowId, side),
            };
            // Ticking exactly what was ticked changes nothing; that there is something to undo is no harm.
            if state(model.selection()) != before || what == 1 && model.selection().count(side) > 0 {
                past.push(before);
            }
        }
        for before in past.into_iter().rev() {
            prop_assert!(model.undo_ticks());
            prop_assert_eq!(state(model.selection()), before);
            prop_assert!(is_sound(model.selection(), model.rows().index().comparison()));
            prop_assert!(are_marks_sound(model.selection(), model.rows().index().comparison()));
        }
        prop_assert!(!model.undo_ticks());
    }

    #[test]
    fn the_engine_plans_what_is_ticked_and_skips_none_of_it(pair in pairs()) {
        let index = pair.index();
        let mut selection = Selection::new(Arc::clone(&index));
        selection.tick_all_differences(Side::Left, &Bits::all(index.rows()));
        let selected = selection.selected(Side::Left);
        let plan = plan(index.comparison(), Side::Right, &selected, &Settings::default());
        prop_assert!(plan.skipped.is_empty(), "{:?}", plan.skipped);
        let files = selection.ticked(Side::Left).iter().filter(|&row| !index.folders().has(row)).count();
        prop_assert_eq!(plan.steps().count(), files);
    }
}

#[test]
fn a_folder_takes_only_what_differs_and_a_same_row_is_ticked_by_itself() {
    let pair = Pair::of(&["d / /", "d/same 1 1", "d/size 1 2", "d/left 1 -", "d/right - 1", "clash / 1"]);
    let index = pair.index();
    let at = |path| row(index.comparison(), path);
    let all = Bits::all(index.rows());
    let mut selection = Selection::new(Arc::clone(&index));
    assert_eq!(selection.toggle(at("d"), Side::Left, &all).ticked, 2, "the folder stands for what is in it");
    assert_eq!(selection.mark(at("d"), Side::Left), Mark::On);
    let ticked = |s: &Selection, side| {
        s.ticked(side).iter().map(|r| index.comparison().path(r).to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ticked(&selection, Side::Left), ["d/left", "d/size"]);
    assert_eq!(selection.count(Side::Right), 0, "each side has its own");
    selection.toggle(at("d/same"), Side::Left, &all);
    assert!(selection.is_ticked(at("d/same"), Side::Left));
    selection.toggle(at("d/left"), Side::Left, &all);
    assert_eq!(ticked(&selection, Side::Left), ["d/same", "d/size"]);
    assert_eq!(selection.mark(at("d"), Side::Left), Mark::Partly, "the folder above shows it");
    selection.toggle(at("d"), Side::Left, &all);
    assert_eq!(selection.mark(at("d"), Side::Left), Mark::On, "a part is completed");
    assert_eq!(selection.toggle(at("clash"), Side::Left, &all).ticked, 1, "by its own box alone");
    assert_eq!(selection.toggle(at("d/right"), Side::Left, &all), Change::default(), "no box on that side");
}

#[test]
fn one_sided_rows_are_no_differences_when_existence_is_no_criterion() {
    let pair = Pair::of(&["a 1 2", "b 1 -"]);
    let settings = Settings { compare_existence: false, ..Settings::default() };
    let index = Arc::new(Index::new(pair.compare_with(&settings)));
    let mut selection = Selection::new(Arc::clone(&index));
    let all = Bits::all(index.rows());
    selection.tick_all_differences(Side::Left, &all);
    let (a, b) = (row(index.comparison(), "a"), row(index.comparison(), "b"));
    assert!(selection.is_ticked(a, Side::Left) && !selection.is_ticked(b, Side::Left));
    assert!(
        !index.notable().has(b) && selection.toggle(b, Side::Left, &all).ticked == 1,
        "by itself it can be"
    );
}

#[test]
fn what_the_filter_does_not_match_is_left_out_and_counted() {
    let index = Pair::of(&["d / -", "d/a.jpg 1 -", "d/b.txt 1 -", "c.jpg 1 2"]).index();
    let mut rows = Rows::new(Arc::clone(&index));
    rows.set_filter(&Filter::new("*.jpg", Chips::ALL, &jiff::tz::TimeZone::UTC).unwrap());
    let mut selection = Selection::new(Arc::clone(&index));
    let change = selection.tick_all_differences(Side::Left, rows.matching());
    assert_eq!(change, Change { ticked: 2, unticked: 0, left_out: 2 });
    let change = selection.tick_all_differences(Side::Right, rows.matching());
    assert_eq!((change.ticked, selection.count(Side::Left)), (1, 2));
    selection.clear(Side::Left);
    let change = selection.tick(row(index.comparison(), "d"), Side::Left, rows.matching());
    assert_eq!(change, Change { ticked: 2, unticked: 0, left_out: 1 }, "the folder itself was asked for");
}
