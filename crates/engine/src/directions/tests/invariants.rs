//! What plans do to the states of small trees: nothing is lost that a mode may not lose, each decision is carried out, and the
//! second run finds nothing to do.

use std::collections::BTreeSet;

use fcs_sys::RelPath;

use super::apply::{apply, remember_item, remembered_after};
use super::whole::{DATE, folders, leaves, modes, tree};
use crate::Settings;
use crate::compare::{RowId, Side};
use crate::directions::{Act, Conflicts, Mode, decide, plan_decided};
use crate::model::{Item, compare_models, path};
use crate::moves::Moves;
use crate::tree::NameOrder::Exact;

/// A version of a file or link, with the path that it is at.
type Version = (Vec<u8>, String);

/// Gives each path sizes of its own, so that no version is mistaken for that of another path.
fn mark(item: &Item, by: u64) -> Item {
    match item {
        Item::File { size, modified } => Item::file(size + by, *modified),
        Item::Folder { modified, unlistable, items } => {
            let own = |name: &[u8]| by + 10 * u64::from(name[0]);
            let items = items.iter().map(|(name, item)| (name.clone(), mark(item, own(name)))).collect();
            Item::Folder { modified: *modified, unlistable: *unlistable, items }
        }
        Item::Link { modified, .. } => Item::Link { text: by as u8, modified: *modified },
        other => other.clone(),
    }
}

fn versions(item: &Item, at: &RelPath, all: &mut BTreeSet<Version>) {
    match item {
        Item::Folder { items, .. } => {
            for (name, inner) in items {
                versions(inner, &at.join(&fcs_sys::Name::new(name.as_slice()).unwrap()), all);
            }
        }
        other => {
            all.insert((at.as_bytes().to_vec(), format!("{other:?}")));
        }
    }
}

fn all_of(sides: [&Item; 2]) -> BTreeSet<Version> {
    let mut all = BTreeSet::new();
    sides.iter().for_each(|side| versions(side, &RelPath::root(), &mut all));
    all
}

/// The contents, wherever they are.
fn contents(all: &BTreeSet<Version>) -> BTreeSet<&String> {
    all.iter().map(|(_, content)| content).collect()
}

fn date(content: &str) -> i64 {
    let (_, rest) = content.split_once("modified: ").unwrap();
    rest.trim_end_matches([' ', '}']).parse().unwrap()
}

/// What a mode may lose: everything that is gone was at a path where this is allowed.
fn check_lost(
    mode: Mode,
    before: [&Item; 2],
    remembered: &Item,
    after: [&Item; 2],
    told: &dyn Fn() -> String,
) {
    let (had, have) = (all_of(before), all_of(after));
    let lost: Vec<Version> =
        had.iter().filter(|(_, content)| !contents(&have).contains(content)).cloned().collect();
    let known = all_of([remembered, remembered]);
    let has_one_side_only = |version: &Version| {
        before.iter().filter(|side| side.at(&RelPath::parse(version.0.as_slice()).unwrap()).is_some()).count()
            == 1
    };
    for version in &lost {
        assert!(!version.1.contains("Unreadable"), "{version:?} was not known\n{}", told());
        let may_be = match mode {
            Mode::Add(_) => false,
            Mode::Update(_) => !has_one_side_only(version),
            Mode::Newest => have.iter().any(|(at, other)| *at == version.0 && date(other) > date(&version.1)),
            Mode::TwoWay { conflicts: Conflicts::Later | Conflicts::KeepBoth } => known.contains(version),
            Mode::TwoWay { .. } => known.contains(version) || !has_one_side_only(version),
            Mode::Mirror(_) | Mode::Custom(_) => true,
        };
        assert!(may_be, "{version:?} is lost\n{}", told());
    }
    if let Some(target) = mode.target() {
        let source = usize::from(target == Side::Left);
        assert_eq!(before[source], after[source], "the source was changed\n{}", told());
    }
}

/// Runs a state to its end.
fn check(left: &Item, right: &Item, remembered: &Item, mode: Mode) {
    let settings = Settings::default();
    let told = || format!("{mode:?}\nleft {left:?}\nright {right:?}\nremembered {remembered:?}");
    let mut memory = remember_item(remembered);
    let mut sides = [left.clone(), right.clone()];
    // Keeping both takes two runs, and a first run leaves for the next one what is chosen for conflicts.
    let first_of_two = memory.is_empty() && chooses_a_side(mode);
    let most = if modes_keep_both(mode) || first_of_two { 3 } else { 2 };
    for run in 1..=most {
        let comparison = compare_models(&sides[0], &sides[1], Exact, &settings);
        let decisions = decide(&comparison, Some(&memory), mode, &settings);
        let plan = plan_decided(&comparison, &decisions, &|_| true, &settings, &Moves::default());
        let rows = || (0..comparison.rows.len() as RowId).map(|row| (row, decisions.act(row)));
        let skipped = rows().filter(|(_, act)| matches!(act, Act::Skip(_) | Act::Conflict(_))).count();
        assert_eq!(plan.skipped.len(), skipped, "run {run}: {:?}\n{}", plan.skipped, told());
        assert_eq!(plan.is_empty(), plan.step_count() == 0, "{}", told());
        if run == most {
            assert!(plan.is_empty(), "run {run}: {plan:#?}\n{}", told());
            return;
        }
        let applied = apply(&plan, [&sides[0], &sides[1]]);
        let after = [&applied.sides[0], &applied.sides[1]];
        check_lost(mode, [&sides[0], &sides[1]], remembered, after, &told);
        for (at, item) in &applied.kept {
            assert!(!matches!(item, Item::Unreadable), "{at:?} was not known\n{}", told());
        }
        let compared = compare_models(after[0], after[1], Exact, &settings);
        for (row, act) in rows() {
            let at = comparison.path(row);
            let now = after.map(|side| side.at(&at));
            match act {
                // Dates of folders that are written to from both sides are those of neither.
                Act::CopyTo(_) => match now {
                    [Some(Item::Folder { .. }), Some(Item::Folder { .. })] => {}
                    [l, r] => assert!(l.is_some() && l == r, "{at:?} was not copied\n{}", told()),
                },
                Act::RemoveFrom(_) => assert_eq!(now, [None, None], "{at:?} was not removed\n{}", told()),
                Act::Conflict(_) | Act::Skip(_) | Act::Leave if !comparison.is_folder(row) => {
                    let was = [&sides[0], &sides[1]].map(|side| side.at(&at));
                    // What is of another kind may have gone with the folder above it.
                    assert_eq!(now, was, "{at:?} was not left alone\n{}", told());
                }
                _ => {}
            }
        }
        memory = remembered_after(&memory, &comparison, &decisions, &compared);
        sides = applied.sides;
    }
}

fn chooses_a_side(mode: Mode) -> bool {
    matches!(mode, Mode::TwoWay { conflicts: Conflicts::Newest | Conflicts::Left | Conflicts::Right })
}

fn modes_keep_both(mode: Mode) -> bool {
    use crate::directions::Choice::KeepBoth;
    match mode {
        Mode::TwoWay { conflicts } => conflicts == Conflicts::KeepBoth,
        Mode::Custom(custom) => {
            [custom.conflict, custom.left_newer, custom.right_newer, custom.same_time_different]
                .contains(&KeepBoth)
        }
        _ => false,
    }
}

#[test]
fn nothing_is_lost_and_the_second_run_does_nothing() {
    let (inner, known) = (folders(false), folders(true));
    let leaf = leaves(false);
    let modes: Vec<Mode> = modes().into_iter().map(|(mode, _)| mode).collect();
    let (mut states, mut number) = (0u64, 0usize);
    for ld in &inner {
        for rd in &inner {
            for md in &known {
                // Beside each state of the folder one of another item, all in turn.
                number += 1;
                let pick = |items: &[Option<Item>], by: usize| items[number / by % items.len()].clone();
                let (la, ra) = (pick(&leaf, 1), pick(&leaf, 7));
                let ma = pick(&leaves(true), 49);
                let [left, right, remembered] =
                    [(&la, ld), (&ra, rd), (&ma, md)].map(|(a, d)| mark(&tree(a.as_ref(), d.as_ref()), 0));
                for &mode in &modes {
                    states += 1;
                    check(&left, &right, &remembered, mode);
                }
            }
        }
    }
    println!("{states} states");
    assert!(states > 30_000, "{states}");
}

#[test]
fn keeping_both_keeps_the_newer_under_the_name_and_the_other_beside_it() {
    let left = Item::folder(DATE, [("a.txt", Item::file(1, 10)), ("a.conflict-left.txt", Item::file(7, 1))]);
    let right = Item::folder(DATE, [("a.txt", Item::file(2, 20))]);
    let mode = Mode::TwoWay { conflicts: Conflicts::KeepBoth };
    let (settings, nothing) = (Settings::default(), Item::folder(DATE, []));
    let mut memory = remember_item(&nothing);
    let mut sides = [left, right];
    for run in 0..2 {
        let comparison = compare_models(&sides[0], &sides[1], Exact, &settings);
        let decisions = decide(&comparison, Some(&memory), mode, &settings);
        let plan = plan_decided(&comparison, &decisions, &|_| true, &settings, &Moves::default());
        // First the left one gives its name up and goes to the right under the other, then the right one comes.
        let counts = [plan.totals.new_files, plan.changes.len() as u64];
        assert_eq!(counts, if run == 0 { [2, 1] } else { [1, 0] });
        let applied = apply(&plan, [&sides[0], &sides[1]]);
        let after = compare_models(&applied.sides[0], &applied.sides[1], Exact, &settings);
        memory = remembered_after(&memory, &comparison, &decisions, &after);
        sides = applied.sides;
    }
    for side in &sides {
        let at = |name: &str| side.at(&path(name)).cloned();
        assert_eq!(at("a.txt"), Some(Item::file(2, 20)));
        assert_eq!(at("a.conflict-left-2.txt"), Some(Item::file(1, 10)));
        assert_eq!(at("a.conflict-left.txt"), Some(Item::file(7, 1)));
    }
}
