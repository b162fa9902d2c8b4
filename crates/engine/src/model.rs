//! Trees without a disk, for property tests: a model that can be generated, scanned into a [`Tree`], and changed as
//! a plan says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fcs_sys::{
    Attributes, CaseRule, CreatedTime, FileId, Kind, LinkTarget, Metadata, NameUnits, Place, RelPath, Root,
    Time, VolumeFacts,
};
use proptest::prelude::*;

use crate::compare::{Comparison, compare};
use crate::tree::{Child, Children, Entry, Folder, NameOrder, NodeId, Tree};
use crate::{Control, Error, Op, Settings};

/// Times of the model from here on are thousands and, in the rest, nanoseconds: see [`Item::exact_file`].
const FRACTIONS: i64 = 1 << 40;

fn time(modified: i64) -> Time {
    match modified - FRACTIONS {
        exact @ 0.. => Time::new(exact / 1000, (exact % 1000) as u32),
        _ => Time::new(modified, 0),
    }
}

/// An item of the model. Times are whole seconds, except where they are made otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    File { size: u64, modified: i64 },
    Folder { modified: i64, unlistable: bool, items: BTreeMap<Vec<u8>, Item> },
    Link { text: u8, modified: i64 },
    Special { modified: i64 },
    Unreadable,
}

impl Item {
    pub(crate) fn file(size: u64, modified: i64) -> Self {
        Self::File { size, modified }
    }

    /// As [`Item::file`], with up to 999 nanoseconds.
    pub(crate) fn exact_file(size: u64, modified: i64, nanos: i64) -> Self {
        Self::File { size, modified: FRACTIONS + modified * 1000 + nanos }
    }

    pub(crate) fn folder<const N: usize>(modified: i64, items: [(&str, Self); N]) -> Self {
        let items = items.into_iter().map(|(name, item)| (name.as_bytes().to_vec(), item)).collect();
        Self::Folder { modified, unlistable: false, items }
    }

    pub(crate) fn unlistable(self) -> Self {
        match self {
            Self::Folder { modified, items, .. } => Self::Folder { modified, unlistable: true, items },
            other => other,
        }
    }

    pub(crate) fn items(&self) -> Option<&BTreeMap<Vec<u8>, Self>> {
        match self {
            Self::Folder { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The item at a path.
    pub(crate) fn at(&self, path: &RelPath) -> Option<&Self> {
        path.names().try_fold(self, |item, name| item.items()?.get(name.as_bytes()))
    }

    /// The items of the folder at a path.
    pub(crate) fn items_at(&mut self, path: &RelPath) -> &mut BTreeMap<Vec<u8>, Self> {
        let mut at = self;
        for name in path.names() {
            at = match at {
                Self::Folder { items, .. } => items.get_mut(name.as_bytes()).unwrap(),
                other => panic!("{path:?} leads through {other:?}"),
            };
        }
        match at {
            Self::Folder { items, .. } => items,
            other => panic!("{path:?} is {other:?}"),
        }
    }

    pub(crate) fn set_modified(&mut self, to: i64) {
        match self {
            Self::File { modified, .. }
            | Self::Folder { modified, .. }
            | Self::Link { modified, .. }
            | Self::Special { modified } => *modified = to,
            Self::Unreadable => {}
        }
    }

    /// What a scan is told of the item, which has this number.
    pub(crate) fn metadata(&self, file: u64) -> Metadata {
        let (kind, size, modified) = match self {
            Self::File { size, modified } => (Kind::File, *size, *modified),
            Self::Folder { modified, .. } => (Kind::Folder, 0, *modified),
            Self::Link { modified, .. } => (Kind::Symlink, 1, *modified),
            Self::Special { modified } => (Kind::Other, 0, *modified),
            Self::Unreadable => (Kind::Other, 0, 0),
        };
        Metadata {
            kind,
            size,
            allocated: size,
            modified: time(modified),
            changed: Some(Time::new(time(modified).seconds(), 1)),
            // Before anything is remembered.
            created: Some(Time::new(0, 0)),
            id: FileId { volume: 1, file, file_high: 0 },
            links: 1,
            attributes: Attributes(0o644),
            owner: None,
            placeholder: false,
            protection: None,
            mounted: Some(false),
        }
    }

    /// The tree that a scan of this model would give.
    pub(crate) fn scan(&self, order: NameOrder) -> Tree {
        let mut tree = Tree {
            root_path: "/model".into(),
            volume: volume(if order == NameOrder::Exact {
                CaseRule::Sensitive
            } else {
                CaseRule::Insensitive
            }),
            root: Entry::from(&self.metadata(1)),
            order,
            folders: Vec::new(),
            unreadable: Vec::new(),
            links: Vec::new(),
            errors: Vec::new(),
            items: 0,
            reserved: 0,
            foreign_home: false,
            system_items: Vec::new(),
            cancelled: false,
        };
        let mut todo = vec![(self, NodeId::ROOT, 1u64)];
        // Children join the list before their parent's brothers are done, as in a real scan; parents come first.
        while let Some((item, node, folder)) = todo.pop() {
            let Self::Folder { unlistable, items, .. } = item else { continue };
            let number = tree.folders.len() as u32;
            if node != NodeId::ROOT {
                tree.folders[node.folder as usize].children.set_folder(node.child as usize, number);
            }
            let error = unlistable.then(|| tree.fail());
            let mut listed: Vec<_> = items.iter().collect();
            listed.sort_by(|a, b| order.compare(a.0, b.0));
            let (mut names, mut children) = (Vec::new(), Children::default());
            for (name, item) in listed {
                let node = NodeId { folder: number, child: children.len() as u32 };
                names.extend_from_slice(name);
                let file = number_of(folder, name);
                let mut entry = Entry::from(&item.metadata(file));
                match item {
                    Self::Folder { .. } => todo.push((item, node, file)),
                    Self::Link { text, .. } => {
                        tree.links.push((node, LinkTarget { text: vec![*text], to_folder: false }));
                    }
                    Self::Unreadable => {
                        entry = Entry::UNKNOWN;
                        let error = tree.fail();
                        tree.unreadable.push((node, error));
                    }
                    Self::File { .. } | Self::Special { .. } => {}
                }
                children.push(Child::new(names.len(), entry));
                tree.items += 1;
            }
            tree.folders.push(Folder { node, names: names.into(), children, error, left_out: false });
        }
        tree.unreadable.sort_by_key(|(node, _)| *node);
        tree.links.sort_by_key(|(node, _)| *node);
        tree
    }
}

/// The number of an item in a folder of that number: by its path alone, so that an item keeps it from one scan to the next.
fn number_of(folder: u64, name: &[u8]) -> u64 {
    let mix = |number: u64, &byte: &u8| (number ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.iter().fold(mix(folder, &b'/'), mix)
}

impl Tree {
    fn fail(&mut self) -> u32 {
        self.errors.push(Error::os(Op::List, "/model", std::io::ErrorKind::PermissionDenied.into()));
        self.errors.len() as u32 - 1
    }
}

pub(crate) fn volume(case: CaseRule) -> VolumeFacts {
    VolumeFacts {
        id: 1,
        file_system: "model".into(),
        place: Place::Local,
        read_only: false,
        case,
        time_granularity_nanos: 1,
        created: CreatedTime::ReadOnly,
        max_name: 255,
        name_units: NameUnits::Bytes,
        sync_volume: true,
        device_reread: true,
        uncached_reads_device: true,
        in_metadata_max_bytes: 0,
        max_file_bytes: u64::MAX,
        lasting_numbers: true,
    }
}

/// A root for calls that want one and do not use it.
pub(crate) fn any_root() -> Root {
    fcs_sys::open_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Compares two models without content.
pub(crate) fn compare_models(left: &Item, right: &Item, order: NameOrder, settings: &Settings) -> Comparison {
    compare_trees(left.scan(order), right.scan(order), settings)
}

pub(crate) fn compare_trees(left: Tree, right: Tree, settings: &Settings) -> Comparison {
    let root = any_root();
    compare((&root, Arc::new(left)), (&root, Arc::new(right)), settings, &Control::default()).unwrap()
}

/// Small trees over few names, so that two of them have much in common. With `faults`, some things are unreadable.
pub(crate) fn trees(faults: bool) -> impl Strategy<Value = Item> {
    let time = prop_oneof![Just(0i64), Just(10), Just(20)];
    let fault = if faults { 2 } else { 0 };
    let leaf = prop_oneof![
        8 => (0u64..3, time.clone()).prop_map(|(size, modified)| Item::File { size, modified }),
        2 => (0u8..2, time.clone()).prop_map(|(text, modified)| Item::Link { text, modified }),
        1 => time.clone().prop_map(|modified| Item::Special { modified }),
        fault => Just(Item::Unreadable),
    ];
    let name = prop_oneof!["[a-dA-C]", "[äÄ]"].prop_map(String::into_bytes);
    let folder = move |item: BoxedStrategy<Item>| {
        let unlistable = prop::bool::weighted(if faults { 0.15 } else { 0.0 });
        let items = prop::collection::btree_map(name.clone(), item, 0..5);
        (prop_oneof![Just(0i64), Just(10)], unlistable, items)
            .prop_map(|(modified, unlistable, items)| Item::Folder { modified, unlistable, items })
            .boxed()
    };
    let inner = leaf.boxed().prop_recursive(3, 40, 5, {
        let folder = folder.clone();
        move |item| folder(item.boxed())
    });
    folder(inner.boxed())
}

/// A path as text, for messages and sets.
pub(crate) fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}
