//! The table, whole: every state of three small trees, against the reference.

use fcs_sys::{Kind, RelPath, Time};

use super::reference::{self, LEFT, RIGHT, Reference};
use crate::Settings;
use crate::compare::{Comparison, Side};
use crate::directions::{Act, Conflicts, Custom, Mode, Why, decide};
use crate::memory::{Grade, Known, Remembered, Stamp};
use crate::model::{Item, compare_models};
use crate::report::SkipReason;
use crate::tree::NameOrder::Exact;
use crate::tree::{NodeId, Tree};

pub(super) const DATE: i64 = 10;

fn folder(items: Vec<(&str, Item)>, unlistable: bool) -> Item {
    let items = items.into_iter().map(|(name, item)| (name.as_bytes().to_vec(), item)).collect();
    Item::Folder { modified: DATE, unlistable, items }
}

/// Absent, two files of one date, a newer one, a link, an empty folder, and, unless it is remembered, what could not be read.
pub(super) fn leaves(remembered: bool) -> Vec<Option<Item>> {
    let mut all = vec![
        None,
        Some(Item::file(1, DATE)),
        Some(Item::file(2, DATE)),
        Some(Item::file(1, DATE + 10)),
        Some(Item::Link { text: 0, modified: DATE }),
        Some(folder(Vec::new(), false)),
    ];
    if !remembered {
        all.push(Some(Item::Unreadable));
    }
    all
}

/// The same, and folders with each of these in it, and such that could not be listed to the end.
pub(super) fn folders(remembered: bool) -> Vec<Option<Item>> {
    let with = |inner: Option<Item>, unlistable| {
        Some(folder(inner.into_iter().map(|item| ("x", item)).collect(), unlistable))
    };
    let is_folder = |item: &Option<Item>| matches!(item, Some(Item::Folder { .. }));
    let mut all: Vec<Option<Item>> = leaves(remembered).into_iter().filter(|item| !is_folder(item)).collect();
    all.extend(leaves(remembered).into_iter().map(|inner| with(inner, false)));
    if !remembered {
        all.extend(leaves(remembered).into_iter().take(2).map(|inner| with(inner, true)));
    }
    all
}

pub(super) fn tree(a: Option<&Item>, d: Option<&Item>) -> Item {
    let named = [("a", a), ("d", d)].into_iter().filter_map(|(name, item)| Some((name, item?.clone())));
    folder(named.collect(), false)
}

/// Remembers all that two scanned trees have in common.
pub(super) fn remember(left: &Tree, right: &Tree) -> Remembered {
    let mut paths: Vec<(RelPath, [Stamp; 2])> = Vec::new();
    let stamp = |tree: &Tree, node: NodeId| Stamp::from(&tree.entry(node).fingerprint());
    let mut open = vec![(NodeId::ROOT, NodeId::ROOT)];
    while let Some((l, r)) = open.pop() {
        let (Some(in_left), Some(in_right)) = (left.folder_of(l), right.folder_of(r)) else { continue };
        for l in left.children(in_left) {
            let r = right.children(in_right).find(|&r| right.name(r) == left.name(l));
            let Some(r) = r.filter(|&r| left.entry(l).kind == right.entry(r).kind) else { continue };
            paths.push((left.path(l), [stamp(left, l), stamp(right, r)]));
            if left.entry(l).kind == Kind::Folder {
                open.push((l, r));
            }
        }
    }
    paths.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut all = Remembered::default();
    for (path, stamps) in paths {
        let known = Known { stamps, hash: None, grade: Grade::Looks, seen: Time::new(1, 0) };
        assert!(all.push(&path, known));
    }
    all
}

/// A mode, and the same for the reference.
pub(super) fn modes() -> Vec<(Mode, reference::Mode)> {
    let custom =
        |text: &str, words| (Mode::Custom(text.parse::<Custom>().unwrap()), reference::Mode::Custom(words));
    let two_way = |conflicts, word| (Mode::TwoWay { conflicts }, reference::Mode::TwoWay(word));
    let skip = "skip";
    vec![
        two_way(Conflicts::Later, "later"),
        two_way(Conflicts::Newest, "newest"),
        two_way(Conflicts::Left, "left"),
        two_way(Conflicts::Right, "right"),
        two_way(Conflicts::KeepBoth, "keep-both"),
        custom("", [skip, skip, "to-right", "to-left", skip, "to-right", "to-left", skip]),
        custom(
            "kind-change=to-right,left-only=remove,right-only=skip,conflict=keep-both,same-time-different=to-left",
            ["to-right", skip, "remove", skip, "keep-both", "to-right", "to-left", "to-left"],
        ),
        custom(
            "kind-change=to-left,left-only=skip,right-only=remove,left-newer=keep-both,right-newer=to-right",
            ["to-left", skip, skip, "remove", skip, "keep-both", "to-right", skip],
        ),
        (Mode::Mirror(Side::Right), reference::Mode::Mirror(RIGHT)),
        (Mode::Mirror(Side::Left), reference::Mode::Mirror(LEFT)),
        (Mode::Update(Side::Right), reference::Mode::Update(RIGHT)),
        (Mode::Update(Side::Left), reference::Mode::Update(LEFT)),
        (Mode::Add(Side::Right), reference::Mode::Add(RIGHT)),
        (Mode::Add(Side::Left), reference::Mode::Add(LEFT)),
        (Mode::Newest, reference::Mode::Newest),
    ]
}

fn as_reference(act: Act) -> reference::Act {
    let side = |side: Side| if side == Side::Left { LEFT } else { RIGHT };
    match act {
        Act::Nothing => reference::Act::Nothing,
        Act::Leave => reference::Act::Leave,
        Act::CopyTo(to) => reference::Act::To(side(to)),
        Act::RemoveFrom(from) => reference::Act::Remove(side(from)),
        Act::KeepBoth { loser } => reference::Act::KeepBoth(side(loser)),
        Act::Conflict(why) => reference::Act::Conflict(match why {
            Why::BothChanged => "both changed",
            Why::BothNew => "both new",
            Why::NeitherChanged => "neither changed",
            Why::SameTime => "same time",
            Why::Kinds => "kinds",
        }),
        Act::Skip(why) => reference::Act::Skip(match why {
            SkipReason::Unreadable => "unreadable",
            SkipReason::KindClash => "kinds",
            SkipReason::SpecialFile => "special",
            SkipReason::NotEmpty => "not empty",
            other => panic!("{other:?} cannot be here"),
        }),
    }
}

/// Paths of rows, to be compared with those of the reference.
fn paths(comparison: &Comparison) -> Vec<reference::Path> {
    let names = |row| comparison.path(row).names().map(|name| name.as_bytes().to_vec()).collect();
    (0..comparison.rows.len() as u32).map(names).collect()
}

/// Decides every state of which the left `d` is among `left_d`, and says how many there were.
fn all_states(left_d: std::ops::Range<usize>) -> u64 {
    let settings = Settings::default();
    let (leaf, inner) = (leaves(false), folders(false));
    let memories: Vec<(Item, Remembered)> = leaves(true)
        .iter()
        .flat_map(|a| folders(true).into_iter().map(move |d| tree(a.as_ref(), d.as_ref())))
        .map(|item| {
            let all = remember(&item.scan(Exact), &item.scan(Exact));
            (item, all)
        })
        .collect();
    let modes = modes();
    let (mut states, mut number) = (0, 0usize);
    for ((ld, rd), (la, ra)) in left_d.flat_map(|ld| inner.iter().map(move |rd| (ld, rd))).flat_map(|ds| {
        let leaf = &leaf;
        leaf.iter().flat_map(move |la| leaf.iter().map(move |ra| (ds, (la, ra))))
    }) {
        let left = tree(la.as_ref(), inner[ld].as_ref());
        let right = tree(ra.as_ref(), rd.as_ref());
        let comparison = compare_models(&left, &right, Exact, &settings);
        let paths = paths(&comparison);
        for (mode, reference) in &modes {
            for (at, (remembered, memory)) in memories.iter().enumerate() {
                number += 1;
                // The first mode with every memory, those beside it with every other one, and the rest goes by none.
                let is_first = *mode == modes[0].0;
                let is_wanted =
                    if mode.uses_memory() { is_first || number.is_multiple_of(2) } else { at == 0 };
                if !is_wanted {
                    continue;
                }
                states += 1;
                let decisions = decide(&comparison, Some(memory), *mode, &settings);
                let expected = Reference::acts([&left, &right], Some(remembered), *reference);
                let mut rows = 0;
                for (path, act) in expected {
                    rows += 1;
                    let row = paths.iter().position(|at| *at == path).unwrap();
                    let decided = as_reference(decisions.act(row as u32));
                    assert_eq!(
                        decided, act,
                        "{path:?} by {mode:?}\nleft {left:?}\nright {right:?}\nremembered {remembered:?}"
                    );
                }
                assert_eq!(rows, paths.len());
            }
        }
    }
    states
}

#[test]
fn every_state_is_decided_as_the_page_says() {
    let count = folders(false).len();
    let parts = 4;
    let states: u64 = std::thread::scope(|scope| {
        let part = |at: usize| at * count / parts..(at + 1) * count / parts;
        let threads: Vec<_> = (0..parts).map(|at| scope.spawn(move || all_states(part(at)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{states} states");
    assert!(states >= 1_000_000, "{states}");
}
