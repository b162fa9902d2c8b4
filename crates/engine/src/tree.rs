//! One scanned side, compact: what was there, and what could not be read.
//!
//! Invariant: *unreadable is not absent*. A folder that could not be listed, or an item that could not be asked, is a
//! fact in the tree, never a gap. Children are sorted by the tree's [`NameOrder`], so two trees of one order can be
//! merged in one pass. The tree knows nothing of the other side.

mod children;
pub mod stored;

use fcs_sys::{
    Attributes, FileId, Fingerprint, Kind, LinkTarget, Metadata, Name, Owner, Protection, RelPath, Time,
    VolumeFacts,
};

use crate::{Error, ErrorKind};

pub(crate) use children::{Child, Children};

pub use crate::names::{NameOrder, fold};

/// An item of a [`Tree`]: the folder it is in, and its place among the children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct NodeId {
    /// Index into the tree's folders.
    pub folder: u32,
    /// Index into that folder's children.
    pub child: u32,
}

impl NodeId {
    /// The root itself, which is nobody's child.
    pub const ROOT: Self = Self { folder: u32::MAX, child: u32::MAX };
}

/// What the scan learned about one item; times are kept as the volume stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Content size in bytes.
    pub size: u64,
    file: u64,
    file_high: u64,
    volume: u64,
    /// Modified time.
    pub modified: Time,
    // Seconds and nanoseconds apart: as two more `Time`s they would cost eight bytes of padding per item.
    changed_seconds: i64,
    created_seconds: i64,
    changed_nanos: u32,
    created_nanos: u32,
    user: u32,
    group: u32,
    /// Permission or attribute bits.
    pub attributes: Attributes,
    /// What it is.
    pub kind: Kind,
    flags: u16,
}

const HAS_CHANGED: u16 = 1;
const HAS_CREATED: u16 = 2;
const SPARSE: u16 = 4;
const HARD_LINKED: u16 = 8;
const PLACEHOLDER: u16 = 16;
const IMMUTABLE: u16 = 32;
const APPEND_ONLY: u16 = 64;
const MOUNTED: u16 = 128;
const BOUNDARY: u16 = 256;
const CARRIER: u16 = 512;
const BARREN: u16 = 1024;
const HAS_OWNER: u16 = 2048;

impl Entry {
    /// What stands for an item that could not be asked. Nothing may be concluded from it.
    pub(crate) const UNKNOWN: Self = Self {
        size: 0,
        file: 0,
        file_high: 0,
        volume: 0,
        modified: Time::EPOCH,
        changed_seconds: 0,
        created_seconds: 0,
        changed_nanos: 0,
        created_nanos: 0,
        user: 0,
        group: 0,
        attributes: Attributes(0),
        kind: Kind::Other,
        flags: 0,
    };

    /// The created time, where the volume keeps one.
    pub fn created(&self) -> Option<Time> {
        (self.flags & HAS_CREATED != 0).then(|| Time::new(self.created_seconds, self.created_nanos))
    }

    /// Owner and group, where the system has the notion.
    pub fn owner(&self) -> Option<Owner> {
        (self.flags & HAS_OWNER != 0).then_some(Owner { user: self.user, group: self.group })
    }

    /// Fewer bytes are set aside than the size says; the file may have holes.
    pub fn may_be_sparse(&self) -> bool {
        self.flags & SPARSE != 0
    }

    /// The file has more than one name.
    pub fn is_hard_linked(&self) -> bool {
        self.flags & HARD_LINKED != 0
    }

    /// Reading the content would fetch it from elsewhere.
    pub fn is_placeholder(&self) -> bool {
        self.flags & PLACEHOLDER != 0
    }

    /// The flag that keeps everybody from changing the item, if it has one.
    pub fn protection(&self) -> Option<Protection> {
        if self.flags & IMMUTABLE != 0 {
            Some(Protection::Immutable)
        } else if self.flags & APPEND_ONLY != 0 {
            Some(Protection::AppendOnly)
        } else {
            None
        }
    }

    /// The volume it is on.
    pub fn volume(&self) -> u64 {
        self.volume
    }

    /// When content or metadata last changed, where the file system keeps that.
    pub fn changed(&self) -> Option<Time> {
        (self.flags & HAS_CHANGED != 0).then(|| Time::new(self.changed_seconds, self.changed_nanos))
    }

    /// A volume, or a folder of one, is mounted here.
    pub fn is_mounted(&self) -> bool {
        self.flags & MOUNTED != 0
    }

    /// A folder on another volume than its own folder that was not entered, because the scan stays on one volume.
    /// Nothing is known of what is in it, and nothing in it takes part on either side.
    pub fn is_boundary(&self) -> bool {
        self.flags & BOUNDARY != 0
    }

    /// A folder that no include pattern matches: it takes part only as the way to what one does.
    pub(crate) fn is_carrier(&self) -> bool {
        self.flags & CARRIER != 0
    }

    /// A carrier with nothing below it that an include pattern matches.
    pub(crate) fn is_barren(&self) -> bool {
        self.flags & BARREN != 0
    }

    pub(crate) fn mark_mounted(&mut self) {
        self.flags |= MOUNTED;
    }

    pub(crate) fn mark_boundary(&mut self) {
        self.flags |= BOUNDARY;
    }

    pub(crate) fn mark_carrier(&mut self) {
        self.flags |= CARRIER;
    }

    /// What must stay the same for the item to count as unchanged.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            kind: self.kind,
            id: FileId { volume: self.volume, file: self.file, file_high: self.file_high },
            size: if self.kind == Kind::Folder { 0 } else { self.size },
            modified: self.modified,
            changed: self.changed(),
            attributes: self.attributes,
        }
    }
}

impl From<&Metadata> for Entry {
    fn from(m: &Metadata) -> Self {
        let mut flags = 0;
        let mut mark = |when: bool, flag: u16| flags |= if when { flag } else { 0 };
        mark(m.changed.is_some(), HAS_CHANGED);
        mark(m.created.is_some(), HAS_CREATED);
        // What a placeholder lacks on the disk are no holes.
        let short = m.kind == Kind::File && m.allocated < m.size && !m.placeholder;
        mark(short && m.size >= 4096, SPARSE);
        mark(m.kind == Kind::File && m.links > 1, HARD_LINKED);
        mark(m.placeholder, PLACEHOLDER);
        mark(m.owner.is_some(), HAS_OWNER);
        let owner = m.owner.unwrap_or(Owner { user: 0, group: 0 });
        let (changed, created) = (m.changed.unwrap_or(Time::EPOCH), m.created.unwrap_or(Time::EPOCH));
        mark(m.protection == Some(Protection::Immutable), IMMUTABLE);
        mark(m.protection == Some(Protection::AppendOnly), APPEND_ONLY);
        mark(m.mounted == Some(true), MOUNTED);
        Self {
            size: m.size,
            file: m.id.file,
            file_high: m.id.file_high,
            volume: m.id.volume,
            modified: m.modified,
            changed_seconds: changed.seconds(),
            created_seconds: created.seconds(),
            changed_nanos: changed.nanos(),
            created_nanos: created.nanos(),
            user: owner.user,
            group: owner.group,
            attributes: m.attributes,
            kind: m.kind,
            flags,
        }
    }
}

pub(crate) const NO_FOLDER: u32 = u32::MAX;

/// One scanned folder.
#[derive(Debug)]
pub(crate) struct Folder {
    /// The node that this folder is; [`NodeId::ROOT`] for the root.
    pub(crate) node: NodeId,
    pub(crate) names: Box<[u8]>,
    pub(crate) children: Children,
    /// Why the listing is missing or incomplete: an index into the tree's errors.
    pub(crate) error: Option<u32>,
    /// Something in the folder is not in the tree, because of its name or a pattern.
    pub(crate) left_out: bool,
}

/// Finds the carriers that lead to nothing, deepest first: a folder comes after the folder it is in. The folder that
/// such a one is in is then not known whole.
pub(crate) fn mark_barren(folders: &mut [Folder]) {
    for number in (0..folders.len()).rev() {
        let folder = &folders[number];
        let leads_nowhere = |child: Child| child.entry.is_barren();
        let barren = folder.error.is_none() && folder.children.iter().all(leads_nowhere);
        let node = folder.node;
        if node != NodeId::ROOT && barren {
            let parent = &mut folders[node.folder as usize];
            if parent.children.get(node.child as usize).entry.is_carrier() {
                parent.children.change(node.child as usize, |entry| entry.flags |= BARREN);
                parent.left_out = true;
            }
        }
    }
}

/// One scanned side.
#[derive(Debug)]
pub struct Tree {
    /// The root's absolute path.
    pub root_path: std::path::PathBuf,
    /// The volume of the root.
    pub volume: VolumeFacts,
    /// The root folder itself.
    pub root: Entry,
    pub(crate) order: NameOrder,
    /// Folder 0 is the root; a folder comes after the folder it is in.
    pub(crate) folders: Vec<Folder>,
    /// Items that could not be asked, sorted by node; their [`Entry`] is empty.
    pub(crate) unreadable: Vec<(NodeId, u32)>,
    /// Where links point, sorted by node.
    pub(crate) links: Vec<(NodeId, LinkTarget)>,
    pub(crate) errors: Vec<Error>,
    pub(crate) items: u64,
    /// Items passed over because their names are exactly of a form that this program makes, or because they are its
    /// folder `.fcs` of an earlier run below the root; what is in them is not counted. The root's own `.fcs`, which every
    /// run leaves there, does not count.
    pub reserved: u64,
    /// The root has an item called `.fcs` that this program did not make. It is not in the tree either: the name is
    /// needed for the journal of a run.
    pub foreign_home: bool,
    /// Names of what the system itself keeps at the top of a volume and that was passed over, sorted.
    pub system_items: Vec<String>,
    /// The scan was ended early. What it did not reach is in the tree as unreadable, so nothing can be mistaken for
    /// absent.
    pub cancelled: bool,
}

impl Tree {
    /// How the children are sorted.
    pub fn order(&self) -> NameOrder {
        self.order
    }

    /// How many items there are below the root.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Everything that could not be read.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// An item's metadata as scanned.
    pub fn entry(&self, node: NodeId) -> Entry {
        if node == NodeId::ROOT {
            return self.root;
        }
        self.folders[node.folder as usize].children.get(node.child as usize).entry
    }

    /// All items as scanned, the root first; those that could not be asked are left out.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        let listed = self.folders.iter().flat_map(|folder| folder.children.iter().map(|child| child.entry));
        std::iter::once(self.root).chain(listed).filter(|entry| *entry != Entry::UNKNOWN)
    }

    /// How many files there are below the root.
    pub fn files(&self) -> u64 {
        self.entries().filter(|entry| entry.kind == Kind::File).count() as u64
    }

    /// An item's raw name; empty for the root.
    pub fn name(&self, node: NodeId) -> &[u8] {
        if node == NodeId::ROOT { &[] } else { self.folders[node.folder as usize].name(node.child) }
    }

    /// The children of folder number `folder`, in order.
    pub fn children(&self, folder: u32) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.folders[folder as usize].children.len() as u32).map(move |child| NodeId { folder, child })
    }

    /// The number of the folder that `node` is, if it is a folder. Whether its listing is complete says
    /// [`Tree::folder_error`].
    pub fn folder_of(&self, node: NodeId) -> Option<u32> {
        if node == NodeId::ROOT {
            return Some(0);
        }
        let folder = self.folders[node.folder as usize].children.folder(node.child as usize);
        (folder != NO_FOLDER).then_some(folder)
    }

    /// Why the listing of a folder is missing or incomplete.
    pub fn folder_error(&self, folder: u32) -> Option<&Error> {
        self.folders[folder as usize].error.map(|e| &self.errors[e as usize])
    }

    /// Whether all that the folder `node` holds directly is in the tree. False also for what is no folder.
    pub fn is_listed_whole(&self, node: NodeId) -> bool {
        self.folder_of(node)
            .map(|folder| &self.folders[folder as usize])
            .is_some_and(|folder| folder.error.is_none() && !folder.left_out)
    }

    /// Why an item could not be asked.
    pub fn node_error(&self, node: NodeId) -> Option<&Error> {
        let at = self.unreadable.binary_search_by_key(&node, |(n, _)| *n).ok()?;
        Some(&self.errors[self.unreadable[at].1 as usize])
    }

    /// Whether an item was listed and gone a moment later, so that it may be there or not.
    pub(crate) fn is_vanished(&self, node: NodeId) -> bool {
        self.node_error(node).is_some_and(|error| error.kind == ErrorKind::Vanished)
    }

    /// Where a link points.
    pub fn link(&self, node: NodeId) -> Option<&LinkTarget> {
        let at = self.links.binary_search_by_key(&node, |(n, _)| *n).ok()?;
        Some(&self.links[at].1)
    }

    /// Where something is mounted below the root.
    pub fn mounts(&self) -> impl Iterator<Item = RelPath> {
        let nodes = (0..self.folders.len() as u32).flat_map(|folder| self.children(folder));
        nodes.filter(|&node| self.entry(node).is_mounted()).map(|node| self.path(node))
    }

    /// The item at a relative path, names spelled alike as far as the volumes distinguish them.
    pub fn find(&self, path: &std::path::Path) -> Option<NodeId> {
        path.components().try_fold(NodeId::ROOT, |at, part| {
            let name = Name::from_os(part.as_os_str()).ok()?;
            let mut children = self.children(self.folder_of(at)?);
            children.find(|&node| self.order.same(self.name(node), name.as_bytes()))
        })
    }

    /// An item's path below the root.
    pub fn path(&self, node: NodeId) -> RelPath {
        path_of(&self.folders, node)
    }

    /// The path of folder number `folder`.
    pub fn folder_path(&self, folder: u32) -> RelPath {
        self.path(self.folders[folder as usize].node)
    }
}

/// An item's path below the root. Climbs in a loop: a tree may be deeper than a stack.
pub(crate) fn path_of(folders: &[Folder], node: NodeId) -> RelPath {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut at = node;
    while at != NodeId::ROOT {
        let folder = &folders[at.folder as usize];
        names.push(folder.name(at.child));
        at = folder.node;
    }
    let mut path = RelPath::root();
    for name in names.into_iter().rev() {
        // Names were checked when they were listed; one that is not a name never became a child.
        if let Ok(name) = Name::new(name) {
            path.push(&name);
        }
    }
    path
}

impl Folder {
    pub(crate) fn name(&self, child: u32) -> &[u8] {
        let child = child as usize;
        let start = if child == 0 { 0 } else { self.children.name_end(child - 1) as usize };
        &self.names[start..self.children.name_end(child) as usize]
    }
}
