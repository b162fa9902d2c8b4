//! Trees come back as they were, and nothing else comes back as a tree.

use std::io::{self, BufReader, Cursor, Read as _};

use fcs_sys::{CaseRule, Metadata, Protection};
use proptest::prelude::*;

use super::*;
use crate::model::{Item, trees, volume};
use crate::{ErrorKind, Op};

/// All that is in a tree, as text. Of failures what is stored of them.
pub(crate) fn text(tree: &Tree) -> String {
    let errors: Vec<ErrorRecord> = tree.errors.iter().map(ErrorRecord::from).collect();
    let whole =
        (&tree.root_path, &tree.volume, &tree.root, tree.order, &tree.folders, &tree.unreadable, &tree.links);
    let rest = (tree.items, tree.reserved, tree.foreign_home, &tree.system_items, tree.cancelled);
    format!("{whole:?} {errors:?} {rest:?}")
}

/// What a scan promises, asked of a tree in another way than the one in which it was made.
fn check(tree: &Tree) {
    let mut items = 0;
    for (number, folder) in (0u32..).zip(&tree.folders) {
        assert_eq!(folder.node == NodeId::ROOT, number == 0);
        if number > 0 {
            assert!(folder.node.folder < number, "a folder comes after the one that it lies in");
            assert_eq!(tree.folder_of(folder.node), Some(number));
            assert_eq!(tree.entry(folder.node).kind, Kind::Folder);
        }
        let _ = tree.folder_error(number);
        let names: Vec<&[u8]> = tree.children(number).map(|node| tree.name(node)).collect();
        assert!(names.is_sorted_by(|a, b| tree.order.compare(a, b).is_lt()), "{names:?}");
        for node in tree.children(number) {
            let name = Name::new(tree.name(node)).unwrap();
            assert!(!name.is_reserved() && (number > 0 || !tree.order.same(name.as_bytes(), b".fcs")));
            let _ = tree.node_error(node);
            assert!(tree.link(node).is_none() || tree.entry(node).kind == Kind::Symlink);
            if let Some(its) = tree.folder_of(node) {
                assert_eq!(tree.folders[its as usize].node, node);
            }
            items += 1;
        }
        assert_eq!(folder.names.len(), names.iter().map(|name| name.len()).sum::<usize>());
    }
    assert_eq!(tree.items(), items);
    assert!(!tree.folders.is_empty());
    assert!(tree.links.is_sorted_by(|a, b| a.0 < b.0) && tree.unreadable.is_sorted_by(|a, b| a.0 < b.0));
    assert!(tree.unreadable.iter().all(|(node, _)| tree.node_error(*node).is_some()));
}

fn written(tree: &Tree) -> Vec<u8> {
    write(tree, Vec::new()).unwrap()
}

fn of_parts(parts: Vec<Part>) -> Result<Tree, BadTree> {
    let mut builder = Builder::default();
    parts.into_iter().try_for_each(|part| builder.push(part))?;
    builder.finish()
}

/// A tree with an item for everything that an entry can say.
pub(crate) fn full(order: NameOrder) -> Tree {
    let mut items: Vec<(Vec<u8>, Item)> = (0..2 * PER_PART as u64)
        .map(|n| (format!("f{n:04}").into_bytes(), Item::file(n, n as i64)))
        .collect();
    items.push((b"link".to_vec(), Item::Link { text: 200, modified: -1 }));
    items.push(("\u{202e}a\nb".into(), Item::Unreadable));
    if cfg!(unix) {
        items.push((b"\xff\xfe".to_vec(), Item::folder(3, [(".fcs", Item::folder(4, []))])));
    }
    items.push((b"more".to_vec(), Item::folder(5, [("x", Item::Special { modified: 1 })]).unlistable()));
    let mut tree =
        Item::Folder { modified: 1, unlistable: false, items: items.into_iter().collect() }.scan(order);
    let case = if order == NameOrder::Exact { CaseRule::Sensitive } else { CaseRule::Insensitive };
    tree.volume = VolumeFacts { id: u64::MAX, time_granularity_nanos: 100, ..volume(case) };
    (tree.reserved, tree.foreign_home, tree.cancelled) = (7, true, true);
    tree.system_items = vec!["$RECYCLE.BIN".into(), "lost+found".into()];
    tree.folders[0].left_out = true;
    if cfg!(unix) {
        tree.root_path.push(Name::new(*b"\xff\n").unwrap().as_os());
    }
    tree.errors.push(Error::new(Op::List, "/model/\u{e9}", ErrorKind::Vanished));
    let metadata = |n: usize| Metadata {
        kind: Kind::File,
        size: 1 << 40,
        allocated: 0,
        modified: Time::new(i64::MIN, 999_999_999),
        changed: (n & 1 != 0).then(|| Time::new(i64::MAX, 1)),
        created: (n & 2 != 0).then(|| Time::new(-1, 5)),
        id: FileId { volume: u64::MAX, file: n as u64, file_high: FileId::OF_PLACE },
        links: if n & 4 != 0 { 2 } else { 1 },
        attributes: Attributes(u32::MAX),
        owner: (n & 8 != 0).then_some(Owner { user: 0, group: u32::MAX }),
        placeholder: n & 16 != 0,
        protection: [None, Some(Protection::Immutable), Some(Protection::AppendOnly)][n % 3],
        mounted: Some(n & 32 != 0),
    };
    let children = &mut tree.folders[0].children;
    for n in 0..children.len() {
        children.change(n, |entry| {
            if n < 64 {
                *entry = Entry::from(&metadata(n));
            }
            if entry.kind == Kind::Folder {
                entry.flags |= CARRIER | BARREN | BOUNDARY;
            }
        });
    }
    check(&tree);
    tree
}

fn comes_back(tree: &Tree) {
    let before = text(tree);
    let again = read(Cursor::new(written(tree))).unwrap();
    check(&again);
    assert_eq!(text(&again), before);
    let json: Tree = serde_json::from_slice(&serde_json::to_vec(tree).unwrap()).unwrap();
    assert_eq!(text(&json), before);
    let binary: Tree = postcard::from_bytes(&postcard::to_stdvec(tree).unwrap()).unwrap();
    assert_eq!(text(&binary), before);
}

#[test]
fn everything_that_a_tree_knows_comes_back() {
    comes_back(&full(NameOrder::Exact));
    comes_back(&full(NameOrder::Folded));
}

#[test]
fn a_tree_deeper_than_a_stack_comes_back() {
    let mut tree = Item::folder(0, []).scan(NameOrder::Exact);
    let entry = tree.root;
    for number in 0..100_000 {
        let child = Child { name_end: 1, folder: number + 1, entry };
        let folder = &mut tree.folders[number as usize];
        (folder.names, folder.children) = ((*b"d").into(), [child].into_iter().collect());
        let node = NodeId { folder: number, child: 0 };
        let (names, children) = (Box::default(), Children::default());
        tree.folders.push(Folder { node, names, children, error: None, left_out: false });
        tree.items += 1;
    }
    let again = read(Cursor::new(written(&tree))).unwrap();
    assert_eq!(again.folder_path(100_000).depth(), 100_000);
    check(&again);
}

/// An edit of the parts, by number.
fn edit(parts: &mut Vec<Part>, kind: u8, at: prop::sample::Index, to: u32) {
    let place = at.index(parts.len());
    let one_item = |parts: &mut Vec<Part>, change: &dyn Fn(&mut ItemPart)| {
        let mut items: Vec<&mut ItemPart> = parts
            .iter_mut()
            .flat_map(|part| if let Part::Items(items) = part { items.as_mut_slice() } else { &mut [] })
            .collect();
        if !items.is_empty() {
            let place = at.index(items.len());
            change(items[place]);
        }
    };
    match kind {
        0 => drop(parts.remove(place)),
        1 => parts.insert(place, parts[place].clone()),
        2 => {
            let other = to as usize % parts.len();
            parts.swap(place, other);
        }
        3 => one_item(parts, &|item| item.error = Some(to)),
        4 => one_item(parts, &|item| {
            item.entry.kind = [Kind::File, Kind::Folder, Kind::Symlink][to as usize % 3];
        }),
        5 => one_item(parts, &|item| {
            let names: [&[u8]; 6] = [b"a", b"B", b"\xc3\xa4", b".fcs", b".fcs-1-2.part", b"zzz"];
            item.name = Name::new(names[to as usize % 6]).unwrap();
        }),
        6 => one_item(parts, &|item| item.link = Some(LinkTarget { text: vec![1], to_folder: true })),
        _ => {
            if let Part::Folder(folder) = &mut parts[place] {
                match kind {
                    7 => folder.error = Some(to),
                    8 => folder.item = None,
                    9 => folder.item = Some(NodeId { folder: to, child: 0 }),
                    _ => folder.item = folder.item.map(|node| NodeId { child: to, ..node }),
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_tree_comes_back_as_it_was(tree in trees(true), folded: bool) {
        comes_back(&tree.scan(if folded { NameOrder::Folded } else { NameOrder::Exact }));
    }

    /// One bit anywhere, or an end anywhere.
    #[test]
    fn what_was_changed_or_cut_is_no_tree(at in any::<prop::sample::Index>(), bit in 0..8_u8, cut: bool) {
        let mut bytes = written(&Item::folder(1, [("a", Item::folder(2, [("b", Item::file(1, 1))]))]).scan(NameOrder::Exact));
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        prop_assert!(read(Cursor::new(bytes)).is_err());
    }

    #[test]
    fn parts_that_were_tampered_with_are_refused_or_a_tree_all_the_same(
        tree in trees(true),
        edits in prop::collection::vec((0..11_u8, any::<prop::sample::Index>(), prop_oneof![0..6_u32, any::<u32>()]), 1..4),
    ) {
        let mut parts: Vec<Part> = tree.scan(NameOrder::Folded).parts().collect();
        for (kind, at, to) in edits {
            if !parts.is_empty() {
                edit(&mut parts, kind, at, to);
            }
        }
        if let Ok(tree) = of_parts(parts) {
            check(&tree);
            comes_back(&tree);
        }
    }
}

#[test]
fn each_fault_is_refused_by_its_name() {
    let tree = || {
        let items = [("a", Item::file(1, 1)), ("b", Item::folder(2, [("c", Item::file(1, 1))]))];
        Item::folder(1, items).scan(NameOrder::Exact).parts().collect::<Vec<_>>()
    };
    let fails = |change: &dyn Fn(&mut Vec<Part>)| {
        let mut parts = tree();
        change(&mut parts);
        of_parts(parts).map(|tree| text(&tree)).unwrap_err()
    };
    let item = |name: &str| match &tree()[2] {
        Part::Items(items) => {
            Part::Items(vec![ItemPart { name: Name::new(name.as_bytes()).unwrap(), ..items[0].clone() }])
        }
        other => panic!("{other:?}"),
    };
    let folder = |folder: u32, child: u32| {
        Part::Folder(FolderPart { item: Some(NodeId { folder, child }), error: None, left_out: false })
    };
    assert_eq!(fails(&|parts| drop(parts.remove(0))), BadTree::Head);
    assert_eq!(fails(&|parts| parts.push(parts[0].clone())), BadTree::Head);
    assert_eq!(fails(&|parts| parts.clear()), BadTree::Head);
    assert_eq!(fails(&|parts| parts.truncate(1)), BadTree::Root);
    assert_eq!(fails(&|parts| parts.push(parts[1].clone())), BadTree::Root);
    assert_eq!(fails(&|parts| parts.insert(1, item("x"))), BadTree::NoFolder);
    // A folder in itself, in one that comes later, in a file, in one that has it already, nowhere.
    assert_eq!(fails(&|parts| parts[3] = folder(1, 0)), BadTree::Parent);
    assert_eq!(fails(&|parts| parts[3] = folder(u32::MAX, u32::MAX)), BadTree::Parent);
    assert_eq!(fails(&|parts| parts[3] = folder(0, 2)), BadTree::Parent);
    assert_eq!(fails(&|parts| parts[3] = folder(0, 0)), BadTree::NotItsFolder);
    assert_eq!(fails(&|parts| parts.push(folder(0, 1))), BadTree::NotItsFolder);
    assert_eq!(fails(&|parts| parts.push(item("c"))), BadTree::Order);
    assert_eq!(fails(&|parts| parts.push(item("A"))), BadTree::Order);
    assert_eq!(fails(&|parts| parts.insert(3, item(".fcs-0-1.part"))), BadTree::Ours);
    assert_eq!(fails(&|parts| parts.insert(2, item(".fcs"))), BadTree::Ours);
    assert_eq!(
        fails(&|parts| parts[1] = Part::Folder(FolderPart { item: None, error: Some(0), left_out: false })),
        BadTree::NoError
    );
}

#[test]
fn a_name_that_leads_out_of_its_folder_is_refused() {
    let mut tree = Item::folder(1, [("xx", Item::file(1, 1))]).scan(NameOrder::Exact);
    for name in ["..", "x/", "\0\0"] {
        let tampered = String::from_utf8(serde_json::to_vec(&tree).unwrap()).unwrap();
        let tampered = tampered.replace("\"xx\"", &serde_json::to_string(name).unwrap());
        assert!(serde_json::from_str::<Tree>(&tampered).is_err(), "{name:?}");
    }
    // Nor are marks taken that make an item another one than it is.
    tree.folders[0].children.change(0, |entry| entry.flags |= BARREN);
    assert!(read(Cursor::new(written(&tree))).is_err());
    tree.folders[0].children.change(0, |entry| entry.flags |= 1 << 15);
    assert!(read(Cursor::new(written(&tree))).is_err());
}

#[test]
fn other_files_and_versions_are_told_apart() {
    let error = |bytes: &[u8]| read(Cursor::new(bytes.to_vec())).unwrap_err();
    assert!(matches!(error(b""), StoredFileError::NotThis { .. }));
    assert!(matches!(error(b"hello\n"), StoredFileError::NotThis { .. }));
    assert!(matches!(error(b"{\"format\":\"fcs-plan\",\"version\":1}\n"), StoredFileError::NotThis { .. }));
    let later = error(b"{\"format\":\"fcs-tree\",\"version\":7,\"new\":{}}\n");
    assert_eq!(later.to_string(), "it has format 7, and this program reads format 1");
    let whole = written(&Item::folder(1, []).scan(NameOrder::Exact));
    assert!(matches!(error(&whole[..whole.len() - 1]), StoredFileError::EndsEarly));
    assert!(matches!(error(&[&whole[..], b"x"].concat()), StoredFileError::Changed));
}

/// A length is not believed, nor a file without an end.
#[test]
fn a_record_that_says_it_is_huge_takes_no_memory() {
    let header = b"{\"format\":\"fcs-tree\",\"version\":1}\n";
    let huge = [&header[..], &u32::MAX.to_le_bytes()].concat();
    let error = read(BufReader::new(Cursor::new(huge).chain(io::repeat(7)))).unwrap_err();
    assert_eq!(error.to_string(), "record 1 is wrong: it is too long");
    let error = read(BufReader::new(io::repeat(b' '))).unwrap_err();
    assert!(matches!(error, StoredFileError::NotThis { .. }), "{error}");
}

/// Where this fails, the format has a new version, and chance would only meet trees that are refused: write new ones.
#[test]
fn the_corpus_has_trees_of_this_version() {
    let tree = match read(Cursor::new(include_bytes!("../../../../../fuzz/corpus/trees/marks"))) {
        // It has names that are no text, which Windows cannot have.
        Err(StoredFileError::BadRecord { .. }) if cfg!(windows) => {
            read(Cursor::new(include_bytes!("../../../../../fuzz/corpus/trees/wide")))
        }
        read => read,
    };
    let tree = tree.expect("a tree of this version");
    assert!(tree.items() > 60 && (cfg!(windows) || !tree.errors().is_empty() && !tree.links.is_empty()));
}

#[test]
fn fuzz_trees() {
    let words: &[&[u8]] =
        &[b"{\"format\":\"fcs-tree\",\"version\":1}\n", &[0; 4], &[1, 0], &[3, 1], b".fcs", b".."];
    fcs_testkit::fuzz::fuzz("trees", words, |input| {
        for bytes in [input.to_vec(), stored::tests::made_whole(input)] {
            let Ok(tree) = read(Cursor::new(&bytes)) else { continue };
            check(&tree);
            let again =
                read(Cursor::new(written(&tree))).expect("what was read can be written and read again");
            assert_eq!(text(&again), text(&tree));
            assert!(tree.folders.len() + tree.items as usize <= bytes.len());
        }
    });
}
