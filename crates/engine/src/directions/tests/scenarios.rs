//! What users of two-way programs have reported, and what clocks and volumes do to dates.

use fcs_sys::{RelPath, Time};

use super::apply::{apply, remember_item};
use crate::Settings;
use crate::compare::{Comparison, RowId, Side, Verdict};
use crate::directions::{
    Act, Category, Change, Conflicts, Knowledge, Mode, Why, categories, decide, forgotten, plan_decided,
    since,
};
use crate::memory::{Known, Remembered};
use crate::model::{Item, compare_models, compare_trees, path};
use crate::moves::Moves;
use crate::report::SkipReason;
use crate::tree::NameOrder::{Exact, Folded};
use crate::tree::Tree;

use Category::{Conflict, KindChange, LeftNewer, RightNewer, SameTimeDifferent};

const TWO_WAY: Mode = Mode::TwoWay { conflicts: Conflicts::Later };
const TO_LEFT: Act = Act::CopyTo(Side::Left);
const TO_RIGHT: Act = Act::CopyTo(Side::Right);

fn file(modified: i64) -> Item {
    Item::file(1, modified)
}

fn compared(left: &Item, right: &Item) -> Comparison {
    compare_models(left, right, Exact, &Settings::default())
}

/// What is decided about each row but the root, by path.
fn acts(comparison: &Comparison, remembered: &Remembered, mode: Mode) -> Vec<(String, Act)> {
    let decisions = decide(comparison, Some(remembered), mode, &Settings::default());
    let rows = comparison.walk().filter(|&row| row != Comparison::ROOT);
    rows.map(|row| (comparison.path(row).to_string(), decisions.act(row))).collect()
}

fn expected<const N: usize>(acts: [(&str, Act); N]) -> Vec<(String, Act)> {
    acts.map(|(path, act)| (path.to_owned(), act)).into()
}

/// A memory with every item changed in some way.
fn changed(remembered: &Remembered, change: impl Fn(&str, &mut Known)) -> Remembered {
    let mut all = Remembered::default();
    for (bytes, known) in remembered.iter() {
        let mut known = *known;
        change(std::str::from_utf8(bytes).unwrap(), &mut known);
        assert!(all.push(&RelPath::parse(bytes).unwrap(), known));
    }
    all
}

fn on(side: Side) -> usize {
    usize::from(side == Side::Right)
}

#[test]
fn a_removal_travels_and_with_it_the_folder() {
    let was = Item::folder(0, [("d", Item::folder(0, [("x", file(1)), ("y", file(1))])), ("k", file(1))]);
    let left = Item::folder(0, [("k", file(1))]);
    let comparison = compared(&left, &was);
    let gone = Act::RemoveFrom(Side::Right);
    let all = acts(&comparison, &remember_item(&was), TWO_WAY);
    assert_eq!(all, expected([("d", gone), ("d/x", gone), ("d/y", gone), ("k", Act::Nothing)]));
    let first = acts(&comparison, &Remembered::default(), TWO_WAY);
    assert_eq!(first[0].1, TO_LEFT, "a first run removes nothing");
    let decisions = decide(&comparison, Some(&remember_item(&was)), TWO_WAY, &Settings::default());
    let counts = decisions.counts();
    assert_eq!((counts.removed_right, counts.to_left, counts.to_right, counts.conflicts), (3, 0, 0, 0));
    let plan = plan_decided(&comparison, &decisions, &|_| true, &Settings::default(), &Moves::default());
    assert_eq!((plan.targets.len(), plan.totals.removed_files, plan.totals.removed_folders), (1, 2, 1));
}

#[test]
fn one_side_restored_from_a_backup_brings_back_and_removes_nothing() {
    // Since the backup `gone` was removed on both sides, `new` came, and `edited` was edited; then the right was set back.
    let left = Item::folder(0, [("edited", file(9)), ("new", file(9)), ("same", file(1))]);
    let right = Item::folder(0, [("edited", file(1)), ("gone", file(1)), ("same", file(1))]);
    let comparison = compared(&left, &right);
    let all = acts(&comparison, &remember_item(&left), TWO_WAY);
    // What lacks `new` is the folder that was remembered: by all signs it was removed. It is in the undo store.
    let removed = Act::RemoveFrom(Side::Left);
    assert_eq!(
        all,
        expected([("edited", TO_LEFT), ("gone", TO_LEFT), ("new", removed), ("same", Act::Nothing)])
    );
    let decisions = decide(&comparison, Some(&remember_item(&left)), TWO_WAY, &Settings::default());
    let plan = plan_decided(&comparison, &decisions, &|_| true, &Settings::default(), &Moves::default());
    assert_eq!(plan.totals.replaced_newer, 1, "told before an older file replaces a newer one");
}

#[test]
fn what_a_folder_made_anew_lacks_was_not_removed_from_it() {
    let with = |items: Item| Item::folder(0, [("disk", items)]);
    let was = with(Item::folder(0, [("x", file(1)), ("y", file(1))]));
    let (left, right) = (was.clone(), with(Item::folder(0, [])));
    let comparison = compared(&left, &right);
    let removed = acts(&comparison, &remember_item(&was), TWO_WAY);
    assert_eq!(removed[1].1, Act::RemoveFrom(Side::Left), "taken from the folder that was remembered");
    // The disk that was mounted there is not, and the empty folder below it has another number.
    let other = changed(&remember_item(&was), |path, known| {
        known.stamps[on(Side::Right)].id.file ^= u64::from(path == "disk");
    });
    let all = acts(&comparison, &other, TWO_WAY);
    assert_eq!(all, expected([("disk", Act::Nothing), ("disk/x", TO_RIGHT), ("disk/y", TO_RIGHT)]));
    // Where numbers prove nothing there is no telling.
    let unnumbered = |item: &Item| {
        let mut tree = item.scan(Exact);
        tree.volume.lasting_numbers = false;
        tree
    };
    let comparison = compare_trees(unnumbered(&left), unnumbered(&right), &Settings::default());
    assert_eq!(acts(&comparison, &other, TWO_WAY)[1].1, Act::RemoveFrom(Side::Left));
}

#[test]
fn a_clock_that_is_a_day_off_makes_no_conflict() {
    const DAY: i64 = 86_400;
    let trees = |of: &dyn Fn(i64) -> Item| [of(0), of(DAY)];
    let was = trees(&|off| Item::folder(0, [("a", file(10 + off)), ("b", file(10 + off))]));
    let memory = super::whole::remember(&was[0].scan(Exact), &was[1].scan(Exact));
    let comparison = compared(&was[0], &was[1]);
    assert!(matches!(comparison.row(1).verdict, Verdict::Different(_)));
    assert_eq!(acts(&comparison, &memory, TWO_WAY), expected([("a", Act::Leave), ("b", Act::Leave)]));
    // Edited on the left, by whose clock that is long before the right's date.
    let edited = Item::folder(0, [("a", file(20)), ("b", file(10))]);
    let comparison = compared(&edited, &was[1]);
    assert_eq!(acts(&comparison, &memory, TWO_WAY), expected([("a", TO_RIGHT), ("b", Act::Leave)]));
}

#[test]
fn a_name_that_was_respelled_on_one_side_is_respelled_on_the_other() {
    let with = |dir: &str, name: &str| Item::folder(0, [(dir, Item::folder(0, [(name, file(1))]))]);
    let memory = remember_item(&with("dir", "name"));
    let settings = Settings::default();
    let acts =
        |left: &Item, right: &Item| acts(&compare_models(left, right, Folded, &settings), &memory, TWO_WAY);
    let by_left = acts(&with("Dir", "name"), &with("dir", "name"));
    assert_eq!(by_left, expected([("Dir", TO_RIGHT), ("Dir/name", Act::Nothing)]));
    let by_right = acts(&with("dir", "name"), &with("dir", "NAME"));
    assert_eq!(by_right, expected([("dir", Act::Nothing), ("dir/name", TO_LEFT)]));
    // Respelled and edited here, nothing there.
    let edited = Item::folder(0, [("Dir", Item::folder(0, [("name", file(9))]))]);
    assert_eq!(acts(&edited, &with("dir", "name"))[1].1, TO_RIGHT);
    // Respelled here and emptied there.
    let emptied = Item::folder(0, [("dir", Item::folder(0, []))]);
    assert_eq!(acts(&with("dir", "name"), &emptied)[1].1, Act::RemoveFrom(Side::Left));
}

#[test]
fn renamed_here_and_edited_there_keeps_both() {
    let was = Item::folder(0, [("old", file(1))]);
    let left = Item::folder(0, [("new", file(1))]);
    let right = Item::folder(0, [("old", file(9))]);
    let all = acts(&compared(&left, &right), &remember_item(&was), TWO_WAY);
    assert_eq!(all, expected([("new", TO_RIGHT), ("old", TO_LEFT)]));
}

#[test]
fn a_folder_renamed_here_with_a_new_file_in_it_there_stays_for_that() {
    let dir = |names: &[&str]| {
        let items = names.iter().map(|name| (name.as_bytes().to_vec(), file(1))).collect();
        Item::Folder { modified: 0, unlistable: false, items }
    };
    let was = Item::folder(0, [("old", dir(&["x"]))]);
    let left = Item::folder(0, [("new", dir(&["x"]))]);
    let right = Item::folder(0, [("old", dir(&["n", "x"]))]);
    let comparison = compared(&left, &right);
    let memory = remember_item(&was);
    let all = acts(&comparison, &memory, TWO_WAY);
    let gone = Act::RemoveFrom(Side::Right);
    assert_eq!(
        all,
        expected([
            ("new", TO_RIGHT),
            ("new/x", TO_RIGHT),
            ("old", TO_LEFT),
            ("old/n", TO_LEFT),
            ("old/x", gone),
        ])
    );
    let decisions = decide(&comparison, Some(&memory), TWO_WAY, &Settings::default());
    let plan = plan_decided(&comparison, &decisions, &|_| true, &Settings::default(), &Moves::default());
    assert_eq!(plan.targets.len(), 2);
    let sides = apply(&plan, [&left, &right]).sides;
    for side in &sides {
        assert!(side.at(&path("new/x")).is_some() && side.at(&path("old/n")).is_some());
        assert!(side.at(&path("old/x")).is_none());
    }
}

#[test]
fn removed_on_both_sides_is_forgotten_and_moved_on_one_is_new() {
    let was = Item::folder(0, [("a", file(1)), ("d", Item::folder(0, [("x", file(1))]))]);
    let (left, right) = (Item::folder(0, []), Item::folder(0, [("b", file(1))]));
    let comparison = compared(&left, &right);
    let memory = remember_item(&was);
    assert_eq!(acts(&comparison, &memory, TWO_WAY), expected([("b", TO_LEFT)]));
    assert_eq!(forgotten(&comparison, &memory), ["a", "d", "d/x"].map(path));
}

#[test]
fn what_could_not_be_read_is_neither_removed_nor_forgotten() {
    let was = Item::folder(0, [("d", Item::folder(0, [("x", file(1)), ("y", file(1))])), ("k", file(1))]);
    let hidden = |item: Item| Item::folder(0, [("d", item.unlistable()), ("k", file(1))]);
    let memory = remember_item(&was);
    let unreadable = Act::Skip(SkipReason::Unreadable);
    let comparison = compared(&hidden(Item::folder(0, [])), &was);
    let all = acts(&comparison, &memory, TWO_WAY);
    assert_eq!(
        all,
        expected([("d", unreadable), ("d/x", unreadable), ("d/y", unreadable), ("k", Act::Nothing)])
    );
    // Neither side tells of `d/y`.
    let part = hidden(Item::folder(0, [("x", file(1))]));
    assert_eq!(forgotten(&compared(&part, &part), &memory), []);
    let listed = Item::folder(0, [("d", Item::folder(0, [("x", file(1))]))]);
    assert_eq!(forgotten(&compared(&listed, &listed), &memory), ["d/y", "k"].map(path));
    assert_eq!(forgotten(&compared(&listed, &hidden(Item::folder(0, []))), &memory), []);
}

#[test]
fn what_was_touched_is_not_removed_and_nothing_of_it_travels() {
    let was = Item::folder(0, [("a", file(1)), ("b", file(1)), ("c", file(1))]);
    let memory = changed(&remember_item(&was), |path, known| {
        let right = &mut known.stamps[on(Side::Right)];
        match path {
            "a" => right.changed = Some(Time::new(0, 7)),
            "b" => right.id.file += 1,
            _ => right.changed = None,
        }
    });
    let gone = compared(&Item::folder(0, []), &was);
    let all = acts(&gone, &memory, TWO_WAY);
    assert_eq!(all, expected([("a", TO_LEFT), ("b", TO_LEFT), ("c", Act::RemoveFrom(Side::Right))]));
    let edited = compared(&Item::folder(0, [("a", file(9)), ("b", file(9)), ("c", file(9))]), &was);
    assert_eq!(
        acts(&edited, &memory, TWO_WAY),
        expected([("a", TO_RIGHT), ("b", TO_RIGHT), ("c", TO_RIGHT)])
    );
    let settings = Settings::default();
    let since = since::Since::new(&edited, Some(&memory), &settings);
    assert_eq!(
        [1, 2, 3].map(|row| since.change(row, Side::Right)),
        [Change::Touched, Change::Touched, Change::Same]
    );
    assert_eq!(since.change(1, Side::Left), Change::Changed);
}

/// A tree on a stick.
fn stick(item: &Item) -> Tree {
    let mut tree = item.scan(Exact);
    tree.volume.file_system = "vfat".into();
    tree.volume.time_granularity_nanos = 2_000_000_000;
    tree.volume.lasting_numbers = false;
    tree
}

#[test]
fn a_stick_that_shows_cut_dates_or_other_hours_was_not_changed() {
    const HOUR: i64 = 3600;
    let named = |date: &dyn Fn(i64) -> i64| {
        Item::folder(0, [("a", file(date(1000))), ("b", file(date(2000))), ("c", file(date(3000)))])
    };
    let settings = Settings::default();
    let was = named(&|date| date);
    let memory = super::whole::remember(&was.scan(Exact), &stick(&was));
    let given = changed(&memory, |_, known| known.stamps[on(Side::Right)].modified = Time::new(1001, 999));
    let left_lacks = |right: &Item| compare_trees(Item::folder(0, []).scan(Exact), stick(right), &settings);
    let removed = |right: &Item, memory: &Remembered| {
        acts(&left_lacks(right), memory, TWO_WAY)
            .iter()
            .map(|(_, act)| *act == Act::RemoveFrom(Side::Right))
            .collect()
    };
    let removed: &dyn Fn(&Item, &Remembered) -> Vec<bool> = &removed;
    assert_eq!(removed(&was, &given), [true, false, false], "the date was given before it was cut");
    // Summer has come: every date is an hour off, and one file was edited as well.
    assert_eq!(removed(&named(&|date| date + HOUR), &memory), [true; 3]);
    let edited = named(&|date| if date == 3000 { 9000 } else { date - HOUR });
    assert_eq!(removed(&edited, &memory), [true, true, false]);
    // One file alone that is an hour off was edited.
    let one = named(&|date| if date == 2000 { date + HOUR } else { date });
    assert_eq!(removed(&one, &memory), [true, false, true]);
    // Both sides have all, and the dates differ by the hour: nobody changed anything.
    let comparison = compare_trees(was.scan(Exact), stick(&named(&|date| date + HOUR)), &settings);
    let all = acts(&comparison, &memory, TWO_WAY);
    assert!(all.iter().all(|(_, act)| *act == Act::Leave), "{all:?}");
    // A folder is remembered anew in every run, so it may be off by other hours than the files, of which none is here.
    let dated = |date: i64| Item::folder(0, [("d", Item::folder(date, [("x", file(1000))]))]);
    let was_dated = dated(100_000);
    let memory_of_folder = super::whole::remember(&was_dated.scan(Exact), &stick(&was_dated));
    for (later, wanted) in [(10 * HOUR, Act::Leave), (10 * HOUR + 100, TO_LEFT)] {
        let now = stick(&dated(100_000 + later));
        let all = acts(&compare_trees(was_dated.scan(Exact), now, &settings), &memory_of_folder, TWO_WAY);
        assert!(all.iter().any(|(path, act)| path == "d" && *act == wanted), "{later}: {all:?}");
    }
    // On a volume that keeps the time of the world an hour is an edit.
    let comparison = compared(&Item::folder(0, []), &named(&|date| date + HOUR));
    let all = acts(&comparison, &super::whole::remember(&was.scan(Exact), &was.scan(Exact)), TWO_WAY);
    assert!(all.iter().all(|(_, act)| *act == TO_LEFT), "{all:?}");
}

#[test]
fn what_is_the_same_now_is_no_conflict_whatever_is_remembered() {
    let now = Item::folder(0, [("a", file(9)), ("b", Item::file(5, 9))]);
    let was = Item::folder(0, [("a", file(1)), ("b", Item::folder(0, []))]);
    let all = acts(&compared(&now, &now), &remember_item(&was), TWO_WAY);
    assert_eq!(all, expected([("a", Act::Nothing), ("b", Act::Nothing)]));
}

#[test]
fn conflicts_say_why_and_categories_which_is_newer() {
    let was = Item::folder(0, [("both", file(1)), ("one", file(1))]);
    let left =
        Item::folder(0, [("both", file(5)), ("kind", file(1)), ("new", Item::file(1, 3)), ("one", file(5))]);
    let right = Item::folder(
        0,
        [("both", file(9)), ("kind", Item::folder(0, [])), ("new", Item::file(2, 3)), ("one", file(1))],
    );
    let comparison = compared(&left, &right);
    let memory = remember_item(&was);
    let all = acts(&comparison, &memory, TWO_WAY);
    assert_eq!(
        all,
        expected([
            ("both", Act::Conflict(Why::BothChanged)),
            ("kind", Act::Conflict(Why::Kinds)),
            ("new", Act::Conflict(Why::BothNew)),
            ("one", TO_RIGHT),
        ])
    );
    let settings = Settings::default();
    let of = |remembered| {
        let knowledge = Knowledge { remembered, moved: &[] };
        categories(&comparison, knowledge, &settings)[1..].to_vec()
    };
    assert_eq!(of(None), [RightNewer, KindChange, SameTimeDifferent, LeftNewer]);
    assert_eq!(of(Some(&memory)), [Conflict, KindChange, SameTimeDifferent, LeftNewer]);
    let decisions = decide(&comparison, Some(&memory), TWO_WAY, &settings);
    assert_eq!(decisions.conflicts().count(), 3);
    let plan = plan_decided(&comparison, &decisions, &|_| true, &settings, &Moves::default());
    let why: Vec<SkipReason> = plan.skipped.iter().map(|skip| skip.why).collect();
    assert_eq!(why, [SkipReason::Conflict, SkipReason::KindClash, SkipReason::Conflict]);
}

#[test]
fn a_moved_item_gets_the_path_that_was_chosen() {
    let left = Item::folder(0, [("new", file(1))]);
    let right = Item::folder(0, [("old", file(1))]);
    let comparison = compared(&left, &right);
    let row_of = |name: &str| comparison.walk().find(|&row| comparison.path(row) == path(name)).unwrap();
    let moved = [(row_of("new"), row_of("old"))];
    let knowledge = Knowledge { remembered: None, moved: &moved };
    let settings = Settings::default();
    let acts = |text: &str| {
        let mode = Mode::Custom(text.parse().unwrap());
        let decisions = super::super::decide_knowing(&comparison, knowledge, mode, &settings);
        [row_of("new"), row_of("old")].map(|row| decisions.act(row))
    };
    assert_eq!(acts("moved=to-right"), [TO_RIGHT, Act::RemoveFrom(Side::Right)]);
    assert_eq!(acts("moved=to-left"), [Act::RemoveFrom(Side::Left), TO_LEFT]);
    assert_eq!(acts(""), [Act::Leave, Act::Leave]);
    assert_eq!(categories(&comparison, knowledge, &settings)[1..], [Category::Moved, Category::Moved]);
}

#[test]
fn a_caller_decides_otherwise_about_a_row_and_its_folders_follow() {
    let was = Item::folder(0, [("d", Item::folder(0, [("x", file(1)), ("y", file(1))])), ("k", file(1))]);
    let left = Item::folder(0, [("k", Item::folder(0, [("in", file(1))]))]);
    let comparison = compared(&left, &was);
    let settings = Settings::default();
    let mut decisions = decide(&comparison, Some(&remember_item(&was)), TWO_WAY, &settings);
    let row_of = |name: &str| comparison.walk().find(|&row| comparison.path(row) == path(name)).unwrap();
    let [d, x, y, k, inner] = ["d", "d/x", "d/y", "k", "k/in"].map(row_of);
    let gone = Act::RemoveFrom(Side::Right);
    assert!(!decisions.set(&comparison, x, TO_RIGHT), "the left has nothing to bring");
    assert!(!decisions.set(&comparison, k, Act::KeepBoth { loser: Side::Left }));
    assert!(!decisions.set(&comparison, RowId::MAX, Act::Leave));
    assert!(!decisions.set(&comparison, k, gone), "both have something there");
    assert_eq!([d, x, y].map(|row| decisions.act(row)), [gone; 3]);
    assert!(decisions.set(&comparison, x, Act::Leave));
    assert_eq!(decisions.act(d), Act::Skip(SkipReason::NotEmpty));
    assert!(decisions.set(&comparison, y, TO_LEFT));
    assert_eq!(decisions.act(d), TO_LEFT);
    assert_eq!(decisions.act(k), Act::Conflict(Why::Kinds));
    assert!(decisions.set(&comparison, k, TO_RIGHT));
    assert_eq!([k, inner].map(|row| decisions.act(row)), [TO_RIGHT, TO_RIGHT]);
    let plan = plan_decided(&comparison, &decisions, &|_| true, &settings, &Moves::default());
    let sides = apply(&plan, [&left, &was]).sides;
    assert!(sides[0].at(&path("d/y")).is_some() && sides[0].at(&path("d/x")).is_none());
    assert!(sides[1].at(&path("k/in")).is_some() && sides[1].at(&path("d/x")).is_some());
    assert!(decisions.set(&comparison, k, Act::Leave));
    assert_eq!(decisions.act(inner), Act::Nothing);
    let part =
        plan_decided(&comparison, &decisions, &|row| row != y && row != d, &settings, &Moves::default());
    assert!(part.is_empty(), "only what is selected");
}
