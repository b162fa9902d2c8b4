//! Pairing, on models and on real folders.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fcs_sys::RelPath;
use fcs_testkit::faulty::{Act, Call, Event, wrap};
use proptest::prelude::*;

use super::*;
use crate::compare::Side;
use crate::filter::Filter;
#[cfg(unix)]
use crate::memory::{Grade, Known, Remembered, Stamp};
use crate::model::{Item, compare_models, compare_trees, path, trees};
use crate::scan::scan_pair;
use crate::tree::NameOrder::{Exact, Folded};
use crate::tree::{Child, Folder, NO_FOLDER, NodeId};

fn verdicts(comparison: &Comparison) -> BTreeMap<String, Verdict> {
    let rows = comparison.walk();
    rows.map(|r| {
        (String::from_utf8_lossy(comparison.path(r).as_bytes()).into_owned(), comparison.row(r).verdict)
    })
    .collect()
}

fn only_modified() -> Verdict {
    Verdict::Different(Differences { modified: true, ..Differences::default() })
}

#[test]
fn every_verdict_on_a_small_tree() {
    let f = Item::file;
    let left = Item::folder(
        0,
        [
            ("same", f(1, 0)),
            ("left", Item::folder(0, [("in", f(1, 0))])),
            ("size", f(1, 0)),
            ("time", f(1, 0)),
            ("kind", Item::folder(0, [("below", f(1, 0))])),
            ("bad", Item::Unreadable),
            ("shut", Item::folder(0, []).unlistable()),
            ("link", Item::Link { text: 1, modified: 0 }),
        ],
    );
    let right = Item::folder(
        10,
        [
            ("same", f(1, 0)),
            ("right", f(9, 0)),
            ("size", f(2, 0)),
            ("time", f(1, 10)),
            ("kind", f(1, 0)),
            ("bad", f(1, 0)),
            ("shut", Item::folder(0, [("deep", Item::folder(0, [("er", f(1, 0))]))])),
            ("link", Item::Link { text: 2, modified: 0 }),
        ],
    );
    let comparison = compare_models(&left, &right, Exact, &Settings::default());
    let size = Verdict::Different(Differences { size: true, ..Differences::default() });
    let text = Verdict::Different(Differences { content: true, ..Differences::default() });
    let expected: BTreeMap<String, Verdict> = [
        ("", only_modified()),
        ("same", Verdict::Same),
        ("left", Verdict::LeftOnly),
        ("left/in", Verdict::LeftOnly),
        ("right", Verdict::RightOnly),
        ("size", size),
        ("time", only_modified()),
        ("kind", Verdict::KindClash),
        ("kind/below", Verdict::KindClash),
        ("bad", Verdict::Unreadable),
        ("shut", Verdict::Unreadable),
        ("shut/deep", Verdict::Unreadable),
        ("shut/deep/er", Verdict::Unreadable),
        ("link", text),
    ]
    .into_iter()
    .map(|(path, verdict)| (path.to_owned(), verdict))
    .collect();
    assert_eq!(verdicts(&comparison), expected);
    let s = &comparison.summary;
    assert_eq!((s.items, s.same, s.left_only, s.right_only), (13, 1, 2, 1));
    assert_eq!((s.different, s.clashes, s.unreadable, s.root_differs), (3, 2, 4, true));
    assert_eq!((s.bytes_left_to_right, s.bytes_right_to_left), (3, 12));
    assert_eq!((s.differences(), s.undecided(), s.identical()), (9, 4, false));
}

#[test]
fn existence_switched_off_shows_one_sided_rows_but_does_not_count_them() {
    let settings = Settings { compare_existence: false, ..Settings::default() };
    let left = Item::folder(0, [("a", Item::file(5, 0))]);
    let comparison = compare_models(&left, &Item::folder(0, []), Exact, &settings);
    assert_eq!(comparison.row(1).verdict, Verdict::LeftOnly);
    assert!(comparison.summary.identical());
    assert_eq!(comparison.summary.bytes_left_to_right, 0);
}

#[test]
fn names_that_fold_to_one_are_a_clash_on_every_row_involved_and_below() {
    let f = || Item::file(1, 0);
    let left = Item::folder(0, [("A", Item::folder(0, [("x", f())])), ("a", f()), ("B", f())]);
    let right = Item::folder(0, [("a", f()), ("b", f())]);
    let clashing = compare_models(&left, &right, Folded, &Settings::default());
    let got: Vec<_> = clashing.walk().skip(1).map(|r| (clashing.path(r), clashing.row(r).verdict)).collect();
    assert_eq!(
        got,
        [
            (path("A"), Verdict::NameClash),
            (path("A/x"), Verdict::NameClash),
            (path("a"), Verdict::NameClash),
            (path("B"), Verdict::Different(Differences { spelling: true, ..Differences::default() })),
        ]
    );
    assert_eq!(clashing.path_on(3, Side::Right), path("b"), "each side keeps its spelling");
    let exact = compare_models(&left, &right, Exact, &Settings::default());
    assert!(exact.rows.iter().all(|r| r.verdict != Verdict::NameClash));
}

#[test]
fn another_spelling_is_a_difference_of_its_own_and_told_once() {
    let f = || Item::file(1, 0);
    let left = Item::folder(0, [("Readme", f()), ("Sub", Item::folder(0, [("IN", f())])), ("alike", f())]);
    let right = Item::folder(0, [("readme", f()), ("sub", Item::folder(0, [("in", f())])), ("alike", f())]);
    let comparison = compare_models(&left, &right, Folded, &Settings::default());
    assert_eq!((comparison.summary.different, comparison.summary.same), (3, 1));
    let only = Verdict::Different(Differences { spelling: true, ..Differences::default() });
    assert_eq!(comparison.rows.iter().filter(|row| row.verdict == only).count(), 3);
    let told: Vec<_> = comparison.notes.iter().filter(|note| note.contains("capital letters")).collect();
    assert_eq!(told.len(), 1, "{:?}", comparison.notes);
    assert!(told[0].starts_with("3 items are") && told[0].contains("such as Readme and readme."), "{told:?}");
    let alike = compare_models(&left, &left, Folded, &Settings::default());
    assert!(alike.notes.iter().all(|note| !note.contains("capital letters")), "{:?}", alike.notes);
}

#[test]
fn times_within_the_tolerance_are_equal_and_coarse_volumes_widen_it_with_a_note() {
    let (left, right) =
        (Item::folder(0, [("f", Item::file(1, 10))]), Item::folder(0, [("f", Item::file(1, 12))]));
    let exact = Settings { time_tolerance_nanos: 0, ..Settings::default() };
    let two = Settings { time_tolerance_nanos: 2_000_000_000, ..Settings::default() };
    let verdict = |settings, granularity| {
        let mut fat = right.scan(Exact);
        fat.volume.time_granularity_nanos = granularity;
        let comparison = compare_trees(left.scan(Exact), fat, settings);
        (comparison.row(1).verdict, comparison.notes.iter().any(|n| n.contains("more than 2 s")))
    };
    assert_eq!(verdict(&exact, 1), (only_modified(), false));
    assert_eq!(verdict(&two, 1), (Verdict::Same, false));
    assert_eq!(verdict(&exact, 2_000_000_000), (Verdict::Same, true));
    assert_eq!(verdict(&two, 2_000_000_000), (Verdict::Same, false));
}

#[test]
fn created_times_that_cannot_be_set_are_dropped_with_one_note() {
    let tree = || Item::folder(0, [("f", Item::file(1, 0))]).scan(Exact);
    let notes = |left_settable, on| {
        let (mut left, mut right) = (tree(), tree());
        let settable = fcs_sys::CreatedTime::Settable;
        right.volume.created = settable;
        if left_settable {
            left.volume.created = settable;
        }
        let compared = compare_trees(left, right, &Settings { compare_created: on, ..Settings::default() });
        compared.notes.into_iter().map(|note| note.text).collect::<Vec<_>>()
    };
    assert_eq!(
        notes(false, true),
        ["Created times are not compared: they cannot be set on the left volume (model)."]
    );
    assert!(notes(true, true).is_empty() && notes(false, false).is_empty());
}

#[test]
fn reserved_names_are_left_alone_but_not_in_silence() {
    let mut right = Item::folder(0, []).scan(Exact);
    right.reserved = 2;
    let comparison = compare_trees(Item::folder(0, []).scan(Exact), right, &Settings::default());
    assert!(comparison.notes.iter().any(|n| n.starts_with("2 items in RIGHT")), "{:?}", comparison.notes);
}

#[test]
fn a_tree_deeper_than_any_stack_is_compared_walked_and_planned() {
    const DEPTH: u32 = 100_000;
    let deep = |modified| {
        let mut tree = Item::folder(0, []).scan(Exact);
        let entry = |m| {
            Item::folder(0, [("d", Item::folder(m, []))]).scan(Exact).entry(NodeId { folder: 0, child: 0 })
        };
        tree.folders = (0..DEPTH)
            .map(|i| {
                let last = i + 1 == DEPTH;
                let child = Child {
                    name_end: 1,
                    folder: if last { NO_FOLDER } else { i + 1 },
                    entry: if last { entry(modified) } else { entry(0) },
                };
                let node = if i == 0 { NodeId::ROOT } else { NodeId { folder: i - 1, child: 0 } };
                Folder {
                    node,
                    names: Box::from(*b"d"),
                    children: [child].into_iter().collect(),
                    error: None,
                    left_out: false,
                }
            })
            .collect();
        tree.items = u64::from(DEPTH);
        tree
    };
    let comparison = compare_trees(deep(0), deep(10), &Settings::default());
    assert_eq!(comparison.summary.different, 1);
    let last = comparison.walk().last().unwrap();
    assert_eq!((comparison.depth(last), comparison.path(last).depth()), (DEPTH as usize, DEPTH as usize));
    let plan = crate::plan::plan(&comparison, crate::compare::Side::Right, &|_| true, &Settings::default());
    assert_eq!(plan.totals.folder_times, 2);
}

/// Whether a model is known not to have anything at a path.
fn known_absent(model: &Item, path: &RelPath) -> bool {
    let mut at = model;
    for name in path.names() {
        let Item::Folder { unlistable, items, .. } = at else { return false };
        match items.get(name.as_bytes()) {
            Some(item) => at = item,
            None => return !unlistable,
        }
    }
    false
}

/// What rows should say of two models without faults, found by looking up paths.
fn expected(left: &Item, right: &Item, at: &RelPath) -> Verdict {
    let above = at.split().map(|(parent, _)| expected(left, right, &parent));
    if above == Some(Verdict::KindClash) {
        return Verdict::KindClash;
    }
    let different = |size, modified, content| {
        let d = Differences { size, modified, content, ..Differences::default() };
        if d == Differences::default() { Verdict::Same } else { Verdict::Different(d) }
    };
    match (left.at(at), right.at(at)) {
        (None, None) => unreachable!("no such row"),
        (Some(_), None) => Verdict::LeftOnly,
        (None, Some(_)) => Verdict::RightOnly,
        (Some(here), Some(there)) => match (here, there) {
            (Item::File { size, modified }, Item::File { size: size_r, modified: modified_r }) => {
                different(size != size_r, modified != modified_r, false)
            }
            (Item::Link { text, modified }, Item::Link { text: text_r, modified: modified_r }) => {
                different(false, modified != modified_r, text != text_r)
            }
            (Item::Folder { modified, .. }, Item::Folder { modified: modified_r, .. })
            | (Item::Special { modified }, Item::Special { modified: modified_r }) => {
                different(false, modified != modified_r, false)
            }
            _ => Verdict::KindClash,
        },
    }
}

fn all_paths(item: &Item, at: &RelPath, out: &mut BTreeSet<RelPath>) {
    out.insert(at.clone());
    for (name, item) in item.items().into_iter().flatten() {
        all_paths(item, &at.join(&fcs_sys::Name::new(name.as_slice()).unwrap()), out);
    }
}

fn mirrored(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::LeftOnly => Verdict::RightOnly,
        Verdict::RightOnly => Verdict::LeftOnly,
        other => other,
    }
}

proptest! {
    #[test]
    fn rows_and_verdicts_are_what_looking_up_every_path_gives(left in trees(false), right in trees(false)) {
        let comparison = compare_models(&left, &right, Exact, &Settings::default());
        let mut paths = BTreeSet::new();
        all_paths(&left, &RelPath::root(), &mut paths);
        all_paths(&right, &RelPath::root(), &mut paths);
        prop_assert_eq!(comparison.rows.len(), paths.len());
        for row in comparison.walk() {
            let path = comparison.path(row);
            prop_assert!(paths.remove(&path), "{:?} twice", path);
            prop_assert_eq!(comparison.row(row).verdict, expected(&left, &right, &path), "{:?}", path);
        }
    }

    #[test]
    fn every_item_of_both_sides_is_in_exactly_one_row(left in trees(true), right in trees(true), folded: bool) {
        let order = if folded { Folded } else { Exact };
        let comparison = compare_models(&left, &right, order, &Settings::default());
        for side in [Side::Left, Side::Right] {
            let mut nodes = BTreeSet::new();
            for row in comparison.walk() {
                let node = comparison.node(row, side);
                prop_assert!(node.is_none_or(|n| nodes.insert(n)));
            }
            prop_assert_eq!(nodes.len() as u64, comparison.tree(side).items() + 1);
        }
        prop_assert_eq!(comparison.walk().count(), comparison.rows.len());
        for row in 0..comparison.rows.len() as RowId {
            prop_assert!(comparison.children(row).all(|c| c > row && comparison.row(c).parent == row));
            let names: Vec<_> = comparison.children(row).map(|c| comparison.name(c)).collect();
            prop_assert!(names.is_sorted_by(|a, b| order.compare_keys(a, b).is_le()));
        }
    }

    #[test]
    fn comparing_the_other_way_round_is_the_mirror_image(left in trees(true), right in trees(true), folded: bool) {
        let order = if folded { Folded } else { Exact };
        let there = compare_models(&left, &right, order, &Settings::default());
        let back = compare_models(&right, &left, order, &Settings::default());
        let rows = |c: &Comparison, side| c.walk().map(|r| (c.path_on(r, side), c.row(r).verdict)).collect::<Vec<_>>();
        let mirror: Vec<_> = rows(&back, Side::Right).into_iter().map(|(p, v)| (p, mirrored(v))).collect();
        prop_assert_eq!(rows(&there, Side::Left), mirror);
        prop_assert_eq!(there.summary.differences(), back.summary.differences());
    }

    #[test]
    fn a_tree_is_the_same_as_itself(tree in trees(false)) {
        let comparison = compare_models(&tree, &tree, Exact, &Settings::default());
        prop_assert!(comparison.summary.identical());
        prop_assert!(comparison.rows.iter().all(|r| r.verdict == Verdict::Same));
        let folded = compare_models(&tree, &tree, Folded, &Settings::default());
        prop_assert!(folded.rows.iter().all(|r| matches!(r.verdict, Verdict::Same | Verdict::NameClash)));
    }

    #[test]
    fn unreadable_is_never_absent(left in trees(true), right in trees(true), folded: bool) {
        let order = if folded { Folded } else { Exact };
        let comparison = compare_models(&left, &right, order, &Settings::default());
        for row in comparison.walk() {
            let path = comparison.path(row);
            match comparison.row(row).verdict {
                Verdict::LeftOnly if !folded => prop_assert!(known_absent(&right, &path), "{:?}", path),
                Verdict::RightOnly if !folded => prop_assert!(known_absent(&left, &path), "{:?}", path),
                Verdict::Same | Verdict::Different(_) => {
                    for side in [Side::Left, Side::Right] {
                        let node = comparison.node(row, side).unwrap();
                        let tree = comparison.tree(side);
                        prop_assert!(tree.node_error(node).is_none());
                        prop_assert!(tree.folder_of(node).is_none_or(|f| tree.folder_error(f).is_none()));
                    }
                }
                _ => {}
            }
        }
    }
}

// From here on with real folders.

fn compare_folders(left: &Root, right: &Root, settings: &Settings) -> (Comparison, Control) {
    let control = Control::default();
    let (l, r) = scan_pair(left, right, &Filter::default(), settings, &control).unwrap();
    let comparison = compare((left, Arc::new(l)), (right, Arc::new(r)), settings, &control).unwrap();
    (comparison, control)
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).unwrap();
}

struct Pair {
    tmp: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join("l")).unwrap();
        fs::create_dir(tmp.path().join("r")).unwrap();
        Self { tmp }
    }

    fn both(self, name: &str, left: &[u8], right: &[u8]) -> Self {
        write(&self.tmp.path().join("l").join(name), left);
        write(&self.tmp.path().join("r").join(name), right);
        self
    }

    fn roots(&self) -> (Root, Root) {
        let open = |name| fcs_sys::open_root(&self.tmp.path().join(name)).unwrap();
        (open("l"), open("r"))
    }
}

fn with_content(method: ContentCheck) -> Settings {
    Settings { compare_content: method, scan_workers: 3, ..Settings::default() }
}

fn verdict_of(comparison: &Comparison, name: &str) -> Verdict {
    verdicts(comparison)[name]
}

#[test]
fn content_that_differs_at_equal_size_and_date_is_found_by_every_method() {
    let big = vec![7; 3 << 20];
    let mut other = big.clone();
    other[(3 << 20) - 1] = 8;
    let pair = Pair::new()
        .both("small", b"abc", b"abd")
        .both("d/equal", b"abc", b"abc")
        .both("d/big", &big, &other)
        .both("d/big-equal", &big, &big)
        .both("empty", b"", b"");
    let (left, right) = pair.roots();
    let content = Verdict::Different(Differences { content: true, ..Differences::default() });
    for method in [ContentCheck::Blake3, ContentCheck::Sha512, ContentCheck::Bytes] {
        let settings = Settings { verify_chunk_bytes: 1 << 20, ..with_content(method) };
        let (comparison, control) = compare_folders(&left, &right, &settings);
        assert_eq!(verdict_of(&comparison, "small"), content, "{method}");
        assert_eq!(verdict_of(&comparison, "d/big"), content, "{method}");
        for same in ["d/equal", "d/big-equal", "empty"] {
            assert_eq!(verdict_of(&comparison, same), Verdict::Same, "{method} {same}");
        }
        let p = control.progress.snapshot();
        assert_eq!(p.compare_bytes_total, 2 * (3 + 3 + (3 << 20) * 2), "{method}");
        assert_eq!(p.compare_bytes_done, p.compare_bytes_total, "{method}");
        let hashed = if method == ContentCheck::Bytes { 0 } else { 4 };
        assert_eq!(comparison.digests.len(), hashed, "{method}");
    }
    let (comparison, _) = compare_folders(&left, &right, &with_content(ContentCheck::Blake3));
    let row = comparison.walk().find(|&r| comparison.name(r) == b"small").unwrap();
    assert_eq!(comparison.digests(row).unwrap().left, blake3::hash(b"abc").as_bytes()[..8]);
    let (comparison, _) = compare_folders(&left, &right, &Settings::default());
    assert_eq!(verdict_of(&comparison, "small"), Verdict::Same, "content was not asked for");
}

#[test]
fn different_sizes_prove_different_content_even_when_size_is_no_criterion() {
    let pair = Pair::new().both("f", b"a", b"ab");
    let (left, right) = pair.roots();
    let settings = Settings { compare_size: false, ..with_content(ContentCheck::Bytes) };
    let (comparison, control) = compare_folders(&left, &right, &settings);
    let content = Verdict::Different(Differences { content: true, ..Differences::default() });
    assert_eq!(verdict_of(&comparison, "f"), content);
    assert_eq!(control.progress.snapshot().compare_bytes_total, 0, "nothing needed to be read");
}

#[test]
fn a_file_that_cannot_be_read_is_not_comparable_on_either_side_and_at_any_size() {
    let big = vec![1; 2 << 20];
    let pair = Pair::new().both("small", b"abc", b"abc").both("big", &big, &big).both("ok", b"x", b"x");
    for (faulty, call) in [("l", Call::Read), ("r", Call::Read), ("l", Call::OpenFile), ("r", Call::OpenFile)]
    {
        for method in [ContentCheck::Blake3, ContentCheck::Bytes] {
            let fired = Arc::new(AtomicU64::new(0));
            let script = |side: &'static str| {
                let fired = Arc::clone(&fired);
                Arc::new(move |e: &Event<'_>| {
                    if side == faulty && e.call == call && *e.path != path("ok") {
                        fired.fetch_add(1, Ordering::Relaxed);
                        return Act::Fail(5);
                    }
                    Act::Go
                })
            };
            let (left, right) = pair.roots();
            let (left, right) = (wrap(&left, "l", script("l")), wrap(&right, "r", script("r")));
            let (comparison, control) = compare_folders(&left, &right, &with_content(method));
            assert!(fired.load(Ordering::Relaxed) >= 2, "the fault fired");
            for name in ["small", "big"] {
                assert_eq!(verdict_of(&comparison, name), Verdict::NotComparable, "{faulty} {call:?} {name}");
            }
            assert_eq!(verdict_of(&comparison, "ok"), Verdict::Same);
            assert_eq!((comparison.errors.len(), comparison.summary.not_comparable), (2, 2));
            let p = control.progress.snapshot();
            assert_eq!(p.compare_bytes_done, p.compare_bytes_total);
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_comparable() {
    for method in [ContentCheck::Blake3, ContentCheck::Sha512, ContentCheck::Bytes] {
        let pair = Pair::new().both("f", b"abc", b"abc");
        let (left, right) = pair.roots();
        let victim = pair.tmp.path().join("r/f");
        let script = move |e: &Event<'_>| {
            if e.call == Call::Read {
                fs::write(&victim, b"abc").unwrap();
            }
            Act::Go
        };
        let right = wrap(&right, "r", Arc::new(script));
        let (comparison, _) = compare_folders(&left, &right, &with_content(method));
        assert_eq!(verdict_of(&comparison, "f"), Verdict::NotComparable);
        assert_eq!(comparison.errors[0].kind, ErrorKind::ChangedMeanwhile);
    }
}

#[test]
fn a_file_swapped_after_the_scan_is_not_comparable() {
    let pair = Pair::new().both("f", b"abc", b"abc");
    let (left, right) = pair.roots();
    let control = Control::default();
    let settings = with_content(ContentCheck::Blake3);
    let (l, r) = scan_pair(&left, &right, &Filter::default(), &settings, &control).unwrap();
    write(&pair.tmp.path().join("l/new"), b"abc");
    fs::rename(pair.tmp.path().join("l/new"), pair.tmp.path().join("l/f")).unwrap();
    let comparison = compare((&left, Arc::new(l)), (&right, Arc::new(r)), &settings, &control).unwrap();
    assert_eq!(verdict_of(&comparison, "f"), Verdict::NotComparable);
}

#[test]
fn a_cancel_during_content_ends_the_comparison_and_marks_it() {
    let pair = Pair::new().both("a", b"abc", b"abc").both("b", b"abc", b"abc");
    let (left, right) = pair.roots();
    let control = Control::default();
    let settings = with_content(ContentCheck::Blake3);
    let (l, r) = scan_pair(&left, &right, &Filter::default(), &settings, &control).unwrap();
    control.cancel.cancel();
    let comparison = compare((&left, Arc::new(l)), (&right, Arc::new(r)), &settings, &control).unwrap();
    assert!(comparison.cancelled);
    let plan = crate::plan::plan(&comparison, crate::compare::Side::Right, &|_| true, &settings);
    assert!(plan.is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_compared_by_their_text_and_never_followed() {
    let pair = Pair::new().both("real/file", b"x", b"x");
    for (side, text) in [("l", "one"), ("r", "two")] {
        std::os::unix::fs::symlink("real", pair.tmp.path().join(side).join("folder-link")).unwrap();
        std::os::unix::fs::symlink(text, pair.tmp.path().join(side).join("dangling")).unwrap();
    }
    let (left, right) = pair.roots();
    let settings = Settings { compare_modified: false, ..Settings::default() };
    let (comparison, _) = compare_folders(&left, &right, &settings);
    let content = Verdict::Different(Differences { content: true, ..Differences::default() });
    assert_eq!(verdict_of(&comparison, "dangling"), content);
    assert_eq!(verdict_of(&comparison, "folder-link"), Verdict::Same);
    let row = comparison.walk().find(|&r| comparison.name(r) == b"folder-link").unwrap();
    assert_eq!(comparison.entry(row, Side::Left).map(|entry| entry.kind), Some(fcs_sys::Kind::Symlink));
    assert!(comparison.children(row).is_empty());
}

/// Compares again after `before`; returns how many bytes were to be read.
#[cfg(unix)]
fn compare_again(before: &Comparison, left: &Root, right: &Root, settings: &Settings) -> (Comparison, u64) {
    let control = Control::default();
    let (mut l, mut r) = scan_pair(left, right, &Filter::default(), settings, &control).unwrap();
    // Whatever the tests' folder is on; which file systems are believed is asked elsewhere.
    for tree in [&mut l, &mut r] {
        tree.volume.file_system = "ext4".to_owned();
        tree.volume.place = fcs_sys::Place::Local;
    }
    let (l, r) = ((left, Arc::new(l)), (right, Arc::new(r)));
    let comparison = compare_after(Some(before), l, r, settings, &control).unwrap();
    (comparison, control.progress.snapshot().compare_bytes_total)
}

#[cfg(unix)] // Elsewhere nothing is taken over.
#[test]
fn content_that_was_read_is_read_again_only_where_a_file_changed() {
    let pair = Pair::new()
        .both("a/differs", b"abc", b"abd")
        .both("a/same", b"abc", b"abc")
        .both("a/touched", b"four", b"four")
        .both("z", b"12345", b"12345");
    let (left, right) = pair.roots();
    for method in [ContentCheck::Blake3, ContentCheck::Bytes] {
        let settings = with_content(method);
        let (mut before, _) = compare_folders(&left, &right, &settings);
        let all = 2 * (3 + 3 + 4 + 5);
        let (_, read) = compare_again(&before, &left, &right, &settings);
        assert_eq!(read, all, "{method}: files changed just now may have changed again in the same tick");

        // As if they had been read much later than they were written.
        before.began = Time::from_nanos(before.began.as_nanos() + 3_600_000_000_000);
        let (again, read) = compare_again(&before, &left, &right, &settings);
        assert_eq!(read, 0, "{method}");
        assert_eq!(verdicts(&again), verdicts(&before), "{method}");
        assert_eq!(again.digests, before.digests, "{method}");
        assert_eq!(again.summary, before.summary, "{method}");

        // The same size and date, other bytes: only the change time tells. And rows move.
        write(&pair.tmp.path().join("r/a/touched"), b"FOUR");
        write(&pair.tmp.path().join("l/a/0 new"), b"first");
        let (again, read) = compare_again(&before, &left, &right, &settings);
        assert_eq!(read, 2 * 4, "{method}: one pair");
        let content = Verdict::Different(Differences { content: true, ..Differences::default() });
        assert_eq!(verdict_of(&again, "a/touched"), content, "{method}");
        assert_eq!(verdict_of(&again, "a/differs"), content, "{method}");
        assert_eq!((verdict_of(&again, "a/same"), verdict_of(&again, "z")), (Verdict::Same, Verdict::Same));
        if method == ContentCheck::Blake3 {
            let row = again.walk().find(|&row| again.name(row) == b"z").unwrap();
            assert_eq!(again.digests(row).unwrap().right, blake3::hash(b"12345").as_bytes()[..8]);
        }
        let other = with_content(ContentCheck::Sha512);
        assert_eq!(compare_again(&before, &left, &right, &other).1, all, "another way of reading");
        write(&pair.tmp.path().join("r/a/touched"), b"four");
        fs::remove_file(pair.tmp.path().join("l/a/0 new")).unwrap();
    }
}

#[cfg(unix)] // Elsewhere nothing is trusted.
#[test]
fn content_that_a_memory_knows_is_not_read_until_a_file_changes() {
    let pair =
        Pair::new().both("a/b", b"abc", b"abc").both("a/c", b"four", b"four").both("z", b"12345", b"12345");
    let (left, right) = pair.roots();
    let settings = with_content(ContentCheck::Blake3);
    let now = Time::now();
    let later = |seconds: i64| Time::new(now.seconds() + seconds, 0);
    let known = |path: &str, grade, seen| {
        let stamp = |root: &Root| {
            let mut dir = Arc::clone(&root.dir);
            let path = crate::model::path(path);
            let (folder, name) = path.split().unwrap();
            folder.names().for_each(|name| dir = dir.open_dir(&name).unwrap());
            Stamp::from(&dir.stat(&name).unwrap().fingerprint())
        };
        Known { stamps: [stamp(&left), stamp(&right)], hash: None, grade, seen }
    };
    let read = |all: &[(&str, Known)], since| {
        let mut remembered = Remembered::default();
        assert!(all.iter().all(|(path, known)| remembered.push(&crate::model::path(path), *known)));
        let control = Control::default();
        let (mut l, mut r) = scan_pair(&left, &right, &Filter::default(), &settings, &control).unwrap();
        for tree in [&mut l, &mut r] {
            tree.volume.file_system = "ext4".to_owned();
            tree.volume.place = fcs_sys::Place::Local;
            (tree.volume.sync_volume, tree.volume.lasting_numbers) = (true, true);
        }
        let (l, r) = ((&left, Arc::new(l)), (&right, Arc::new(r)));
        let trusted = Trusted { remembered: &remembered, since, now: later(7200) };
        let comparison = compare_trusting(Some(trusted), None, l, r, &settings, &control).unwrap();
        let done = control.progress.snapshot();
        assert_eq!(done.compare_bytes_done, done.compare_bytes_total);
        (comparison, done.compare_bytes_done)
    };
    let device = |path| (path, known(path, Grade::Device, later(3600)));
    let all = [device("a/b"), device("a/c"), ("z", known("z", Grade::Cache, later(3600)))];
    let (comparison, bytes) = read(&all, now);
    assert_eq!(bytes, 0);
    assert!(["a/b", "a/c", "z"].iter().all(|path| verdict_of(&comparison, path) == Verdict::Same));
    let note = comparison.notes.iter().find(|note| note.text.contains("known to be equal")).unwrap();
    assert!(note.text.starts_with("3 of 3 pairs of files known to be equal, 0 bytes read:"), "{}", note.text);

    assert_eq!(read(&all, later(3601)).1, 2 * 12, "too long ago");
    assert_eq!(read(&all[1..], now).1, 2 * 3, "not remembered");
    assert_eq!(read(&[("z", known("z", Grade::Looks, later(3600)))], now).1, 2 * 12, "never read");
    assert_eq!(read(&[("z", known("z", Grade::Device, now))], now).1, 2 * 12, "had not rested");
    for change in 0..8 {
        let mut changed = all;
        let stamp = &mut changed[2].1.stamps[change % 2];
        match change / 2 {
            0 => stamp.size += 1,
            1 => stamp.modified = Time::new(1, 0),
            2 => stamp.changed = None,
            _ => stamp.id.file += 1,
        }
        assert_eq!(read(&changed, now).1, 2 * 5, "{change}");
    }
    // The same size and date, other bytes: only the change time tells.
    write(&pair.tmp.path().join("r/z"), b"54321");
    let (comparison, bytes) = read(&all, now);
    assert_eq!(bytes, 2 * 5);
    let content = Verdict::Different(Differences { content: true, ..Differences::default() });
    assert_eq!(verdict_of(&comparison, "z"), content);
}

#[test]
fn a_row_stays_small() {
    assert!(size_of::<Row>() <= 36, "{}", size_of::<Row>());
}
