//! Comparisons come back as they were, and nothing else comes back as one.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::model::{Item, compare_models, compare_trees, trees};
use crate::tree::NameOrder;
use crate::tree::stored::tests::{full, text as tree_text};
use crate::{Control, ErrorKind, Op, Settings};

fn text(comparison: &Comparison) -> String {
    let Comparison { left, right, rows, notes, digests, errors, summary, content, began, cancelled, .. } =
        comparison;
    let errors: Vec<ErrorRecord> = errors.iter().map(ErrorRecord::from).collect();
    let rest = (rows, notes, digests, errors, summary, content, began, cancelled);
    format!("{} {} {rest:?}", tree_text(left), tree_text(right))
}

fn of_parts(parts: Vec<Part>) -> Result<Comparison, BadComparison> {
    let mut builder = Builder::default();
    parts.into_iter().try_for_each(|part| builder.push(part))?;
    builder.finish()
}

fn comes_back(comparison: &Comparison) {
    let before = text(comparison);
    let again = read(Cursor::new(write(comparison, Vec::new()).unwrap())).unwrap();
    assert_eq!(text(&again), before);
    let json: Comparison = serde_json::from_slice(&serde_json::to_vec(comparison).unwrap()).unwrap();
    assert_eq!(text(&json), before);
    let binary: Comparison = postcard::from_bytes(&postcard::to_stdvec(comparison).unwrap()).unwrap();
    assert_eq!(text(&binary), before);
}

/// Whether rows are those that comparing the two trees gives, but for what reading and dates have shown.
fn check(comparison: &Comparison) {
    let known = |row: &Row| match row.verdict {
        // Names that clash are nothing that anybody acts on, whether they do or not.
        Verdict::Same | Verdict::Different(_) | Verdict::NotComparable | Verdict::NameClash => None,
        verdict => Some(verdict),
    };
    let place = |row: &Row| (row.left(), row.right(), row.parent, row.first_child, row.children);
    let paired = pair::pair(&comparison.left, &comparison.right, &Settings::default(), &Control::default());
    assert_eq!(
        comparison.rows.iter().map(place).collect::<Vec<_>>(),
        paired.rows.iter().map(place).collect::<Vec<_>>()
    );
    for (row, expected) in comparison.rows.iter().zip(&paired.rows) {
        if row.verdict != Verdict::NameClash && expected.verdict != Verdict::NameClash {
            assert_eq!(known(row), known(expected), "{row:?} {expected:?}");
        }
    }
}

#[test]
fn everything_that_a_comparison_knows_comes_back() {
    for order in [NameOrder::Exact, NameOrder::Folded] {
        let (mut left, mut right) = (full(order), full(order));
        (left.cancelled, right.cancelled) = (false, false);
        right.root_path = "/other".into();
        let mut comparison = compare_trees(left, right, &Settings::default());
        let file = comparison
            .walk()
            .find(|&row| comparison.row(row).verdict == Verdict::Same && !comparison.is_folder(row));
        let file = file.unwrap();
        comparison.rows[file as usize].verdict = Verdict::NotComparable;
        comparison.digests.push(Digests { row: file, left: [255; 8], right: [0; 8] });
        comparison.errors.push(Error::new(Op::Compare, "/x", ErrorKind::ChangedMeanwhile));
        comparison.notes.push("a note".to_owned().into());
        comparison.notes.push(Note::of_setting("time_tolerance_nanos", "another".to_owned()));
        comparison.content = ContentCheck::Sha512;
        let existence = comparison.summary.existence_counts;
        comparison.summary =
            pair::summarise(&comparison.rows, &comparison.left, &comparison.right, existence);
        comes_back(&comparison);
        comes_back(&Comparison { cancelled: true, ..comparison });
    }
}

#[test]
fn a_comparison_that_was_cancelled_comes_back() {
    let item = Item::folder(1, [("a", Item::folder(1, [("b", Item::file(1, 1))]))]);
    let (left, right) = (Arc::new(item.scan(NameOrder::Exact)), Arc::new(item.scan(NameOrder::Exact)));
    let mut comparison = compare_models(&item, &item, NameOrder::Exact, &Settings::default());
    // As after a cancel before the first folder.
    comparison.rows.truncate(1);
    comparison.rows[0].children = 0;
    comparison.summary = pair::summarise(&comparison.rows, &left, &right, true);
    comparison.cancelled = true;
    comes_back(&comparison);
    let parts = Comparison { cancelled: false, ..comparison }.parts().collect();
    assert_eq!(of_parts(parts).map(|c| text(&c)).unwrap_err(), BadComparison::Missing);
}

fn edit(parts: &mut Vec<Part>, kind: u8, at: prop::sample::Index, to: u32) {
    let row = parts.iter_mut().find_map(|part| if let Part::Rows(rows) = part { Some(rows) } else { None });
    let Some(rows) = row.filter(|rows| !rows.is_empty()) else { return };
    let place = at.index(rows.len());
    let verdicts = [
        Verdict::Same,
        Verdict::LeftOnly,
        Verdict::RightOnly,
        Verdict::Different(Differences { size: true, ..Differences::default() }),
        Verdict::Different(Differences::default()),
        Verdict::KindClash,
        Verdict::NameClash,
        Verdict::Unreadable,
        Verdict::NotComparable,
    ];
    match kind {
        0 => drop(rows.remove(place)),
        1 => rows.insert(place, rows[place].clone()),
        2 => {
            let other = to as usize % rows.len();
            rows.swap(place, other);
        }
        3 => rows[place].left = Some(to),
        4 => rows[place].right = None,
        5 => rows[place].children = to,
        6 => {
            let row = &mut rows[place];
            (row.left, row.right) = (row.right, row.left);
        }
        7 => {
            let place = at.index(parts.len());
            parts.remove(place);
        }
        _ => rows[place].verdict = verdicts[to as usize % verdicts.len()],
    }
}

proptest! {
    #[test]
    fn a_comparison_comes_back_as_it_was(left in trees(true), right in trees(true), folded: bool, existence: bool) {
        let settings = Settings { compare_existence: existence, ..Settings::default() };
        let order = if folded { NameOrder::Folded } else { NameOrder::Exact };
        let comparison = compare_models(&left, &right, order, &settings);
        comes_back(&comparison);
        check(&comparison);
    }

    #[test]
    fn parts_that_were_tampered_with_are_refused_or_a_comparison_all_the_same(
        left in trees(true),
        right in trees(true),
        folded: bool,
        edits in prop::collection::vec((0..10_u8, any::<prop::sample::Index>(), prop_oneof![0..9_u32, any::<u32>()]), 1..4),
    ) {
        let order = if folded { NameOrder::Folded } else { NameOrder::Exact };
        let mut parts: Vec<Part> = compare_models(&left, &right, order, &Settings::default()).parts().collect();
        for (kind, at, to) in edits {
            edit(&mut parts, kind, at, to);
        }
        if let Ok(comparison) = of_parts(parts) {
            check(&comparison);
            comes_back(&comparison);
        }
    }
}

/// The lie that would cost data: what could not be read is said to be absent.
#[test]
fn what_could_not_be_read_cannot_be_said_to_be_absent() {
    let left = Item::folder(1, [("d", Item::folder(1, []).unlistable())]);
    let right = Item::folder(1, [("d", Item::folder(1, [("only", Item::file(1, 1))]))]);
    let comparison = compare_models(&left, &right, NameOrder::Exact, &Settings::default());
    let mut parts: Vec<Part> = comparison.parts().collect();
    for part in &mut parts {
        if let Part::Rows(rows) = part {
            assert_eq!(rows[2].verdict, Verdict::Unreadable);
            rows[2].verdict = Verdict::RightOnly;
        }
    }
    assert_eq!(of_parts(parts).map(|c| text(&c)).unwrap_err(), BadComparison::Verdict);
}

#[test]
fn trees_of_two_orders_and_stray_digests_are_refused() {
    let item = Item::folder(1, [("a", Item::file(1, 1)), ("d", Item::folder(1, []))]);
    let parts =
        |order| -> Vec<Part> { compare_models(&item, &item, order, &Settings::default()).parts().collect() };
    let mut mixed: Vec<Part> =
        parts(NameOrder::Exact).into_iter().filter(|p| matches!(p, Part::Left(_))).collect();
    mixed.extend(parts(NameOrder::Folded).into_iter().filter(|p| !matches!(p, Part::Left(_))));
    assert_eq!(of_parts(mixed).map(|c| text(&c)).unwrap_err(), BadComparison::Orders);
    for rows in [vec![99], vec![2], vec![1, 1]] {
        let mut parts = parts(NameOrder::Exact);
        parts.push(Part::Digests(
            rows.iter().map(|&row| Digests { row, left: [0; 8], right: [0; 8] }).collect(),
        ));
        assert_eq!(of_parts(parts).map(|c| text(&c)).unwrap_err(), BadComparison::Digest, "{rows:?}");
    }
}

/// Where this fails, the format has a new version, and chance would only meet comparisons that are refused: write new ones.
#[test]
fn the_corpus_has_comparisons_of_this_version() {
    let comparison = read(Cursor::new(include_bytes!("../../../../../fuzz/corpus/comparisons/all")))
        .expect("a comparison of this version");
    assert!(comparison.rows.len() > 10 && !comparison.digests.is_empty() && !comparison.errors.is_empty());
}

#[test]
fn fuzz_comparisons() {
    let words: &[&[u8]] =
        &[b"{\"format\":\"fcs-comparison\",\"version\":1}\n", &[0; 4], &[1, 0], &[3, 1], b".fcs", b".."];
    fcs_testkit::fuzz::fuzz("comparisons", words, |input| {
        for bytes in [input.to_vec(), stored::tests::made_whole(input)] {
            let Ok(comparison) = read(Cursor::new(&bytes)) else { continue };
            // One that was cancelled may lack rows, which is what it says.
            if !comparison.cancelled {
                check(&comparison);
            }
            let again = read(Cursor::new(write(&comparison, Vec::new()).unwrap()))
                .expect("what was read can be written and read again");
            assert_eq!(text(&again), text(&comparison));
            assert!(comparison.rows.len() + comparison.digests.len() <= bytes.len());
        }
    });
}
