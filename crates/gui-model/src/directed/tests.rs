use fcs_engine::Settings;
use fcs_engine::directions::Custom;
use fcs_engine::moves;

use super::*;
use crate::filter::Filter;
use crate::sort::{Column, Sort};
use crate::testing::{Pair, row};
use crate::{Chips, Model};

const SECOND: u64 = 1_000_000_000;
const BEGIN: u64 = 1_700_000_000 * SECOND;

/// Of each kind one, and a file and a folder that were renamed on the left.
fn pair() -> Pair {
    let mut pair = Pair::of(&[
        "both / /",
        "both/left.txt 5 7",
        "both/right.txt 5 7",
        "both/same.txt 6 6",
        "both/mine.txt 11 -",
        "both/theirs.txt - 13",
        "gone - /",
        "gone/a.txt - 21",
        "gone/b.txt - 22",
        "new name.txt 4001 -",
        "old name.txt - 4001",
        "there / -",
        "there/x.bin 5001 -",
        "there/y.bin 5002 -",
        "here - /",
        "here/x.bin - 5001",
        "here/y.bin - 5002",
    ]);
    pair.modified("both/left.txt", [BEGIN + 9 * SECOND, BEGIN]);
    pair.modified("both/right.txt", [BEGIN, BEGIN + 9 * SECOND]);
    for (n, path) in
        ["new name.txt", "old name.txt", "there/x.bin", "here/x.bin", "there/y.bin", "here/y.bin"]
            .into_iter()
            .enumerate()
    {
        pair.modified(path, [BEGIN + (n as u64 / 2 + 20) * SECOND + 5_000_000; 2]);
    }
    pair
}

fn settings() -> Settings {
    Settings { compare_created: false, ..Settings::default() }
}

struct Case {
    index: Arc<Index>,
    model: Model,
}

impl Case {
    fn new(mode: Mode) -> Self {
        let comparison = pair().compare_with(&settings());
        let mut model = Model::new(Arc::clone(&comparison));
        let index = Arc::clone(model.rows().shared_index());
        let moves = moves::find(&comparison, None, &settings());
        let directed = Directed::decide(
            Arc::clone(&index),
            mode,
            &Remembered::default(),
            moves,
            Vec::new(),
            &settings(),
        );
        model.set_directed(Some(Arc::new(directed)));
        Self { index, model }
    }

    fn row(&self, path: &str) -> RowId {
        row(self.index.comparison(), path)
    }

    fn rows(&self, paths: &[&str]) -> Bits {
        let mut rows = Bits::none(self.index.rows());
        paths.iter().for_each(|path| _ = rows.add(self.row(path)));
        rows
    }

    fn directed(&self) -> &Directed {
        self.model.directed().unwrap()
    }

    fn act(&self, path: &str) -> Act {
        self.directed().act(self.row(path))
    }

    fn is_shown(&self, path: &str) -> bool {
        self.model.rows().matching().has(self.row(path))
    }
}

const RIGHT: Act = Act::CopyTo(Side::Right);
const LEFT: Act = Act::CopyTo(Side::Left);
const GONE: Act = Act::RemoveFrom(Side::Right);

#[test]
fn a_row_has_the_action_of_the_mode_until_it_is_decided_by_hand_and_after_that_was_taken_away() {
    let mut case = Case::new(Mode::Mirror(Side::Right));
    assert_eq!((case.act("both/left.txt"), case.act("both/right.txt")), (RIGHT, RIGHT));
    assert_eq!((case.act("both/theirs.txt"), case.act("both/same.txt")), (GONE, Act::Nothing));
    let rows = case.rows(&["both/right.txt", "both/theirs.txt", "both/same.txt"]);
    assert_eq!(
        case.model.choose(&rows, Some(Choice::ToLeft)),
        2,
        "nothing is to be decided about what is the same"
    );
    assert_eq!((case.act("both/right.txt"), case.act("both/theirs.txt")), (LEFT, LEFT));
    assert_eq!(case.act("both/left.txt"), RIGHT, "the others are as before");
    assert_eq!(case.directed().chosen().len(), 2);
    assert!(case.directed().is_decided(case.row("both/right.txt"), Choice::ToLeft));
    assert_eq!(case.model.choose(&case.rows(&["both/right.txt"]), Some(Choice::KeepBoth)), 1);
    assert_eq!(
        case.act("both/right.txt"),
        Act::KeepBoth { loser: Side::Left },
        "the newer one keeps the name"
    );
    assert_eq!(case.model.choose(&rows, None), 2);
    assert_eq!((case.act("both/right.txt"), case.act("both/theirs.txt")), (RIGHT, GONE));
    assert!(case.directed().chosen().is_empty());
}

#[test]
fn only_what_makes_sense_can_be_decided() {
    use Choice::{KeepBoth, Remove, Skip, ToLeft, ToRight};
    let case = Case::new(Mode::Update(Side::Right));
    let can = |path: &str| -> Vec<Choice> {
        let rows = case.rows(&[path]);
        CHOICES.into_iter().filter(|choice| case.directed().count_possible(&rows, *choice) > 0).collect()
    };
    assert_eq!(can("both/left.txt"), [ToRight, ToLeft, KeepBoth, Skip]);
    assert_eq!(can("both/mine.txt"), [ToRight, Remove, Skip]);
    assert_eq!(can("both/theirs.txt"), [ToLeft, Remove, Skip]);
    assert_eq!(can("both/same.txt"), []);
}

#[test]
fn what_is_decided_by_hand_survives_sorting_and_filtering() {
    let mut case = Case::new(Mode::Mirror(Side::Right));
    case.model.choose(&case.rows(&["both/theirs.txt"]), Some(Choice::Skip));
    case.model.set_sort(Sort { column: Column::Size(Side::Right), descending: true });
    let filter = Filter::new("left*", Chips::NONE, &jiff::tz::TimeZone::UTC).unwrap();
    case.model.set_filter(&filter);
    case.model.close_all();
    assert_eq!(case.act("both/theirs.txt"), Act::Leave);
    case.model.set_filter(&Filter::default());
    assert_eq!((case.act("both/theirs.txt"), case.directed().chosen().len()), (Act::Leave, 1));
}

#[test]
fn a_folder_stays_for_what_stays_in_it_and_goes_with_all_that_goes() {
    let mut case = Case::new(Mode::Mirror(Side::Right));
    assert_eq!((case.act("gone"), case.act("gone/a.txt")), (GONE, GONE));
    case.model.choose(&case.rows(&["gone/a.txt"]), Some(Choice::Skip));
    assert_eq!((case.act("gone/a.txt"), case.act("gone/b.txt")), (Act::Leave, GONE));
    assert!(matches!(case.act("gone"), Act::Skip(_)), "{:?}", case.act("gone"));
    case.model.choose(&case.rows(&["gone/a.txt"]), None);
    assert_eq!(case.act("gone"), GONE);

    // Where the mode brings them to the other side.
    let mut case = Case::new(Mode::Newest);
    assert_eq!((case.act("gone"), case.act("gone/a.txt")), (LEFT, LEFT));
    let all = case.rows(&["gone", "gone/a.txt", "gone/b.txt"]);
    assert_eq!(case.model.choose(&all, Some(Choice::Remove)), 3);
    assert_eq!((case.act("gone"), case.act("gone/a.txt")), (GONE, GONE));
    // The folder that something goes to is there, whatever was decided about it.
    case.model.choose(&case.rows(&["gone/b.txt"]), Some(Choice::ToLeft));
    assert_eq!((case.act("gone"), case.act("gone/b.txt"), case.act("gone/a.txt")), (LEFT, LEFT, GONE));
}

#[test]
fn what_was_decided_does_not_depend_on_the_order_in_which_it_was() {
    let choices = [
        ("gone", Choice::Remove),
        ("gone/a.txt", Choice::ToLeft),
        ("gone/b.txt", Choice::Remove),
        ("both/left.txt", Choice::Skip),
    ];
    let acts = |order: &[usize]| {
        let mut case = Case::new(Mode::Newest);
        for &at in order {
            case.model.choose(&case.rows(&[choices[at].0]), Some(choices[at].1));
        }
        choices.map(|(path, _)| case.act(path))
    };
    let first = acts(&[0, 1, 2, 3]);
    assert_eq!(first, [LEFT, LEFT, GONE, Act::Leave]);
    for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
        assert_eq!(acts(&order), first, "{order:?}");
    }
}

#[test]
fn an_item_that_moves_is_one_row_at_its_new_path_on_whichever_side_that_is() {
    let case = Case::new(Mode::Mirror(Side::Right));
    let moved = case.directed().moved(case.row("new name.txt")).unwrap();
    assert_eq!(moved.new_on, Side::Left);
    assert!(case.is_shown("new name.txt") && !case.is_shown("old name.txt"));
    assert!(case.is_shown("there/x.bin") && !case.is_shown("here") && !case.is_shown("here/x.bin"));
    assert_eq!(case.directed().count_moved(), 4, "a folder with its two files, and a file");
    assert_eq!(case.model.rows().count_under(Chip::Moved), 4);
    assert_eq!(case.model.rows().count_under(Chip::LeftOnly), 1, "mine.txt");
    assert_eq!(case.model.rows().count_under(Chip::RightOnly), 4, "theirs.txt, and gone with its two");

    let case = Case::new(Mode::Mirror(Side::Left));
    assert!(!case.is_shown("new name.txt") && case.is_shown("old name.txt"));
    assert_eq!(case.directed().moved(case.row("old name.txt")).unwrap().new_on, Side::Right);

    // Nothing is moved by what removes nothing: both are shown, because something is done with each.
    for mode in [Mode::Newest, Mode::Update(Side::Right), Mode::Add(Side::Right)] {
        let case = Case::new(mode);
        assert!(case.is_shown("new name.txt") && case.is_shown("old name.txt"), "{mode:?}");
        assert_eq!(case.directed().count_moved(), 0, "{mode:?}");
    }
    // By itself it leaves what has moved; then there is nothing to be done with either.
    let case = Case::new(Mode::Custom(Custom::default()));
    assert_eq!((case.act("new name.txt"), case.act("old name.txt")), (Act::Leave, Act::Leave));
    assert!(case.is_shown("new name.txt") && !case.is_shown("old name.txt"));
}

#[test]
fn both_paths_of_a_moved_item_are_decided_together() {
    let mut case = Case::new(Mode::Mirror(Side::Right));
    let both = |case: &Case| (case.act("new name.txt"), case.act("old name.txt"));
    assert_eq!(both(&case), (RIGHT, GONE));
    let name = case.rows(&["new name.txt"]);
    assert_eq!(case.directed().count_possible(&name, Choice::Remove), 0);
    case.model.choose(&name, Some(Choice::ToLeft));
    assert_eq!(both(&case), (Act::RemoveFrom(Side::Left), LEFT), "the left one gets its old name back");
    case.model.choose(&name, Some(Choice::Skip));
    assert_eq!(both(&case), (Act::Leave, Act::Leave));
    case.model.choose(&name, None);
    assert_eq!(both(&case), (RIGHT, GONE));
    let folder = case.rows(&["there", "there/x.bin", "there/y.bin"]);
    assert_eq!(case.model.choose(&folder, Some(Choice::ToLeft)), 3);
    assert_eq!((case.act("there"), case.act("here")), (Act::RemoveFrom(Side::Left), LEFT));
}

#[test]
fn a_moved_item_is_found_by_either_name_and_under_its_own_chip() {
    let mut case = Case::new(Mode::Mirror(Side::Right));
    let shown = |case: &mut Case, text: &str, chips: Chips| -> Vec<String> {
        case.model.set_filter(&Filter::new(text, chips, &jiff::tz::TimeZone::UTC).unwrap());
        let comparison = case.index.comparison();
        case.model.rows().matching().iter().map(|row| comparison.path(row).to_string()).collect()
    };
    assert_eq!(shown(&mut case, "old name*", Chips::ALL), ["new name.txt"]);
    assert_eq!(shown(&mut case, "new name*", Chips::ALL), ["new name.txt"]);
    let moved = Chips::NONE.toggled(Chip::Moved);
    assert_eq!(shown(&mut case, "", moved).len(), 4);
    let one_sided = Chips::NONE.toggled(Chip::LeftOnly).toggled(Chip::RightOnly);
    let paths = shown(&mut case, "", one_sided);
    assert_eq!(paths.len(), 5, "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("name") || path.contains("here")), "{paths:?}");
    case.model.set_directed(None);
    case.model.set_filter(&Filter::default());
    assert!(case.is_shown("old name.txt") && case.is_shown("new name.txt"), "without a mode both are shown");
}

#[test]
fn going_from_difference_to_difference_stops_at_no_row_that_is_not_shown() {
    let mut case = Case::new(Mode::Mirror(Side::Right));
    let mut seen = Vec::new();
    while case.model.next_difference() {
        seen.push(case.index.comparison().path(case.model.cursor()).to_string());
    }
    assert!(seen.contains(&"new name.txt".to_owned()), "{seen:?}");
    assert!(
        !seen.contains(&"old name.txt".to_owned()) && !seen.iter().any(|path| path.starts_with("here")),
        "{seen:?}"
    );
}

#[test]
fn what_was_decided_by_hand_is_taken_over_by_another_mode_as_far_as_it_makes_sense() {
    let mut case = Case::new(Mode::Newest);
    case.model.choose(&case.rows(&["both/theirs.txt", "old name.txt"]), Some(Choice::Remove));
    let chosen = case.directed().chosen().clone();
    assert_eq!(chosen.len(), 2);
    let mut other = Case::new(Mode::Mirror(Side::Right));
    let directed = Arc::make_mut(&mut Arc::clone(other.model.directed().unwrap())).clone();
    let mut directed = directed;
    directed.take_over(&chosen);
    other.model.set_directed(Some(Arc::new(directed)));
    assert_eq!(other.act("both/theirs.txt"), GONE);
    assert!(other.directed().is_chosen(other.row("both/theirs.txt")));
    assert!(!other.directed().is_chosen(other.row("old name.txt")), "it is half of a row there");
}
