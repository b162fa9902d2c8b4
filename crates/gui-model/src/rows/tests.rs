//! What is visible, on random trees.

use fcs_engine::compare::{Digests, Side};
use fcs_sys::Time;
use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::*;
use crate::chips::{Chip, Chips};
use crate::sort::Column;
use crate::testing::{Pair, pairs, row};

fn filters() -> impl Strategy<Value = (&'static str, Chips)> {
    let text = proptest::sample::select(&["", "a", "*.jpg; b", "b/", ">1k", "2023-11-15", "nothing"][..]);
    let chips = proptest::sample::select(&[None, Some(Chip::Same), Some(Chip::Problem)][..]);
    (text, chips.prop_map(|off| off.map_or(Chips::ALL, |off| Chips::ALL.toggled(off))))
}

fn sorts() -> impl Strategy<Value = Sort> {
    let side = prop_oneof![Just(Side::Left), Just(Side::Right)];
    let column = (0_u8..6, side).prop_map(|(column, side)| match column {
        0 => Column::Name,
        1 => Column::Size(side),
        2 => Column::Created(side),
        3 => Column::Modified(side),
        4 => Column::Digest(side),
        _ => Column::Status,
    });
    (column, any::<bool>()).prop_map(|(column, descending)| Sort { column, descending })
}

/// What must be visible, by recursion, with each folder's rows put in order by name.
fn expected(rows: &Rows, row: RowId, keep: &dyn Fn(RowId) -> bool, out: &mut Vec<RowId>) -> bool {
    let before = out.len();
    out.push(row);
    let comparison = rows.index().comparison();
    let mut below = Vec::new();
    let mut any = keep(row) || row == Comparison::ROOT;
    for child in comparison.children(row) {
        any |= expected(rows, child, keep, &mut below);
    }
    if !any {
        out.truncate(before);
    } else if rows.is_open(row) {
        out.append(&mut below);
    }
    any
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::testing::cases(64)))]

    #[test]
    fn every_row_to_be_shown_is_visible_once_below_its_folder_and_among_its_siblings(
        pair in pairs(), (text, chips) in filters(), sort in sorts(),
        closed in proptest::collection::vec(any::<Pick>(), 0..6),
    ) {
        let mut rows = Rows::new(pair.index());
        let filter = Filter::new(text, chips, &jiff::tz::TimeZone::UTC).unwrap();
        rows.set_filter(&filter);
        rows.open_all();
        for pick in closed {
            rows.set_open(pick.index(rows.index().rows()) as RowId, false);
        }
        rows.set_sort(sort);
        let matching = filter.matching(rows.index());
        let mut model = Vec::new();
        expected(&rows, Comparison::ROOT, &|row| matching.has(row), &mut model);
        let mut seen = rows.visible().to_vec();
        seen.sort_unstable();
        model.sort_unstable();
        prop_assert_eq!(seen, model, "each once");
        prop_assert_eq!(rows.visible()[0], Comparison::ROOT);
        let comparison = rows.index().comparison();
        // The way down to each row, as an open folder is followed by what is in it and nothing else.
        let mut way: Vec<RowId> = Vec::new();
        for (at, &row) in rows.visible().iter().enumerate() {
            prop_assert_eq!(rows.place(row), Some(at));
            if row != Comparison::ROOT {
                let parent = comparison.row(row).parent;
                while way.last().is_some_and(|&last| last != parent) {
                    way.pop();
                }
                prop_assert_eq!(way.last(), Some(&parent));
            }
            way.push(row);
        }
    }

    #[test]
    fn a_sort_moves_only_files_and_puts_them_in_order(pair in pairs(), sort in sorts()) {
        let mut rows = Rows::new(pair.index());
        let index = Arc::clone(&rows.index);
        let folders = |rows: &Rows, at: RowId| {
            let children = rows.children(at).iter().enumerate();
            children.filter(|(_, row)| index.folders().has(**row)).map(|(at, row)| (at, *row)).collect::<Vec<_>>()
        };
        let before: Vec<_> = (0..index.rows() as RowId).map(|row| folders(&rows, row)).collect();
        rows.set_sort(sort);
        for folder in 0..index.rows() as RowId {
            let now = folders(&rows, folder);
            prop_assert!(now.is_sorted_by_key(|(_, row)| *row), "in the order of names");
            prop_assert_eq!(&now, &before[folder as usize], "folders keep their place");
            let mut all = rows.children(folder).to_vec();
            let files: Vec<RowId> = all.split_off(now.len());
            let value = |row: RowId| match sort.column {
                Column::Size(side) => index.entry(row, side).map(|entry| i128::from(entry.size)),
                Column::Modified(side) => index.entry(row, side).map(|entry| entry.modified.as_nanos()),
                Column::Created(side) => index.entry(row, side).and_then(|entry| entry.created()).map(Time::as_nanos),
                Column::Digest(_) | Column::Name | Column::Status => Some(0),
            };
            for pair in files.windows(2) {
                let ordered = match (value(pair[0]), value(pair[1])) {
                    (Some(a), Some(b)) if a != b => (a < b) != sort.descending,
                    (None, Some(_)) => false,
                    (Some(_), None) => true,
                    _ if sort.column == Column::Name => (pair[0] < pair[1]) != sort.descending,
                    _ => sort.column == Column::Status || pair[0] < pair[1],
                };
                prop_assert!(ordered, "{:?}", pair);
            }
        }
    }
}

#[test]
fn folders_opened_under_a_filter_are_as_before_when_it_ends() {
    let index = Pair::of(&["d / /", "d/e / /", "d/e/x.jpg 1 2", "y 1 1"]).index();
    let mut rows = Rows::new(Arc::clone(&index));
    let names = |rows: &Rows| {
        rows.visible().iter().map(|&r| index.comparison().path(r).to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&rows), ". d y");
    rows.set_filter(&Filter::new("*.jpg", Chips::ALL, &jiff::tz::TimeZone::UTC).unwrap());
    assert_eq!(names(&rows), ". d d/e d/e/x.jpg");
    let at = |path| row(index.comparison(), path);
    rows.set_open(at("d/e"), false);
    assert_eq!(rows.nearest(at("d/e/x.jpg")), at("d/e"));
    rows.set_filter(&Filter::new("x", Chips::ALL, &jiff::tz::TimeZone::UTC).unwrap());
    assert_eq!(names(&rows), ". d d/e", "what was closed under a filter stays closed under the next");
    rows.set_filter(&Filter::default());
    assert_eq!(names(&rows), ". d y");
    rows.set_filter(&Filter::new("x", Chips::ALL, &jiff::tz::TimeZone::UTC).unwrap());
    assert_eq!(names(&rows), ". d d/e d/e/x.jpg", "the next search begins with all open");
}

#[test]
fn digests_are_sorted_by_the_side_asked_for() {
    let mut comparison = Arc::into_inner(Pair::of(&["a 1 1", "b 1 1"]).compare()).unwrap();
    comparison.digests = vec![
        Digests { row: 1, left: [2; 8], right: [1; 8] },
        Digests { row: 2, left: [1; 8], right: [2; 8] },
    ];
    let mut rows = Rows::new(Arc::new(Index::new(Arc::new(comparison))));
    let mut sorted = |side| {
        rows.set_sort(Sort { column: Column::Digest(side), descending: false });
        rows.visible().to_vec()
    };
    assert_eq!((sorted(Side::Left), sorted(Side::Right)), (vec![0, 2, 1], vec![0, 1, 2]));
}
