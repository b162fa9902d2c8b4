//! What a filter matches.

use fcs_engine::compare::Verdict;
use proptest::prelude::*;

use super::*;
use crate::testing::{Pair, pairs};

fn filter(text: &str) -> Filter {
    Filter::new(text, Chips::ALL, &TimeZone::UTC).unwrap()
}

/// The paths that match, in the order of rows.
fn hits(index: &Index, filter: &Filter) -> Vec<String> {
    filter.matching(index).iter().map(|row| index.comparison().path(row).to_string()).collect()
}

#[test]
fn patterns_are_alternatives_and_every_condition_must_hold() {
    let index =
        Pair::of(&["d / /", "d/a.jpg 5000 1", "d/b.JPG 10 10", "c.txt 3000000 -", "e.png 10 10"]).index();
    let hits = |text: &str| hits(&index, &filter(text)).join(" ");
    assert_eq!(hits("*.jpg; c"), "c.txt d/a.jpg d/b.JPG");
    assert_eq!(hits(" ;*.jpg; >1k"), "d/a.jpg");
    assert_eq!(hits(">1k; <=2MiB"), "d/a.jpg");
    assert_eq!(
        hits(">2; <5000"),
        "e.png d/b.JPG",
        "one item meets all; not the left one this and the right one that"
    );
    assert_eq!((&*hits(">=3000000"), &*hits(">3000000")), ("c.txt", ""));
    assert_eq!(hits("d/*.jpg"), "d/a.jpg d/b.JPG");
    assert_eq!(hits("D"), "d", "a folder does not match for what is in it, nor the other way round");
    assert_eq!(hits("nothing"), "");
    assert!(filter(" ; ").is_empty());
}

#[test]
fn dates_are_days_months_and_minutes_of_the_users_zone() {
    let east = TimeZone::fixed(jiff::tz::offset(9));
    let read = |text: &str, zone: &TimeZone| condition(text, zone).unwrap().unwrap();
    let modified = |text: &str| Some(Time::new(text.parse::<jiff::Timestamp>().unwrap().as_second(), 0));
    let day = (modified("2024-01-31T00:00:00Z"), modified("2024-02-01T00:00:00Z"));
    let is = |text: &str, from, to| {
        assert_eq!(read(text, &TimeZone::UTC), Condition::Modified { from, to }, "{text}");
    };
    is("2024-01-31", day.0, day.1);
    is(">2024-01-31", day.1, None);
    is(">= 2024-01-31", day.0, None);
    is("<2024-01-31", None, day.0);
    is("<=2024-01-31", None, day.1);
    is("2024-12", modified("2024-12-01T00:00:00Z"), modified("2025-01-01T00:00:00Z"));
    is("2024-01-31 12:30", modified("2024-01-31T12:30:00Z"), modified("2024-01-31T12:31:00Z"));
    let from = modified("2024-01-30T15:00:00Z");
    assert_eq!(read(">=2024-01-31", &east), Condition::Modified { from, to: None });
}

#[test]
fn a_filter_that_cannot_be_understood_says_which_entry_and_why() {
    for (text, entry, why) in [
        ("ok; >12parsecs", ">12parsecs", "no size"),
        (">", ">", "must follow"),
        ("2024-13", "2024-13", "no such date"),
        ("<2023-02-29", "<2023-02-29", "no such date"),
        ("[a; b", "[a", "has no ]"),
        ("/", "/", "separator"),
    ] {
        let error = Filter::new(text, Chips::ALL, &TimeZone::UTC).unwrap_err();
        assert_eq!(error.entry, entry);
        assert!(error.why.contains(why) && error.to_string().contains(entry), "{error}");
    }
    assert!(filter("*2024-13*").matching(&Pair::of(&["x2024-13 1 1"]).index()).count() == 1);
}

#[test]
fn chips_choose_by_verdict() {
    let index = Pair::of(&["a 1 2", "b 1 -", "c - 1", "d 1 1", "e / 1"]).index();
    let only = |chip| {
        let filter = Filter::new("?", Chips::NONE.toggled(chip), &TimeZone::UTC).unwrap();
        hits(&index, &filter).join(" ")
    };
    // Dates are no criterion here, so neither side is the newer one.
    assert_eq!(Chip::ALL.map(only), ["a", "", "", "", "b", "c", "", "d", "e"]);
    assert_eq!(Filter::new("", Chips::NONE, &TimeZone::UTC).unwrap().matching(&index).count(), 0);
}

#[test]
fn what_could_not_be_asked_has_no_size_and_no_date() {
    let index = Pair::of(&["unasked 10 -", "x 10 -"]).index();
    let row = crate::testing::row(index.comparison(), "unasked");
    assert_eq!(index.comparison().row(row).verdict, Verdict::Unreadable);
    assert!(index.entry(row, Side::Left).is_none());
    assert_eq!(hits(&index, &filter("<4k")), ["x"]);
    assert_eq!(hits(&index, &filter("unasked; <2000-01")), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::testing::cases(64)))]

    /// The passes over all rows against one row after the other, by other means.
    #[test]
    fn patterns_find_what_looking_at_each_path_finds(
        pair in pairs(),
        pattern in proptest::sample::select(
            &["a", "é", "jpg", "*.JPG", "?", "[a-c]*", "*a*b*", "**/b/**", "a/*", "b/é", "/a", "[[]*", "z[[]1]"][..]
        ),
    ) {
        let index = pair.index();
        let found = filter(pattern).matching(&index);
        let glob = |text: &str| {
            globset::GlobBuilder::new(text).literal_separator(true).build().unwrap().compile_matcher()
        };
        for row in 1..index.rows() as RowId {
            let path = index.comparison().path(row).to_string().to_uppercase();
            let name = path.rsplit('/').next().unwrap();
            let upper = pattern.to_uppercase();
            let expected = match (upper.contains(['*', '?', '[']), upper.contains('/')) {
                (false, false) => name.contains(&upper),
                (false, true) if upper.starts_with('/') => path.starts_with(&upper[1..]),
                (false, true) => path.contains(&upper),
                // There a question mark and a class stand for bytes.
                (true, false) if upper == "?" => name.chars().count() == 1,
                (true, false) => glob(&upper).is_match(name),
                (true, true) => glob(&upper).is_match(&path),
            };
            prop_assert_eq!(found.has(row), expected, "{}", path);
        }
    }
}
