//! A tree as plain data that can be stored: a sequence of parts, none longer than a few hundred items, so that a tree of
//! any size is written and read piece by piece. The same parts are what serde makes of a [`Tree`] in any format, and the
//! records of a file ([`write()`]).
//!
//! The parts are a [`Part::Head`], the failures, and then folder after folder, each with its items. What a tree holds
//! twice so that it is found quickly is stored once: a folder says which item it is, not the item where its folder is.
//!
//! Invariant: a tree that is read, wherever it comes from, keeps all that a scan promises of one, or is an error: names
//! are single components and sorted, each folder is an item of an earlier one, and no index leads beyond its list. Whether
//! it is true of a disk nobody can tell from it.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use fcs_sys::{Attributes, FileId, Kind, LinkTarget, Name, Owner, Time, VolumeFacts};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    APPEND_ONLY, BARREN, BOUNDARY, CARRIER, Child, Children, Entry, Folder, HARD_LINKED, HAS_CHANGED,
    HAS_CREATED, HAS_OWNER, IMMUTABLE, MOUNTED, NO_FOLDER, NameOrder, NodeId, PLACEHOLDER, SPARSE, Tree,
};
use crate::Error;
use crate::error::ErrorRecord;
use crate::stored::{self, Format, StoredFileError};

/// The form of a file.
const FORMAT: Format = Format { name: "fcs-tree", version: 1, what: "scanned tree" };

/// Items per part.
const PER_PART: usize = 256;

/// A piece of a tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What is known of the whole; the first part.
    Head(Box<Head>),
    /// The next failure, counted from 0.
    Error(Box<ErrorRecord>),
    /// The next folder, counted from 0, which is the root; its items follow.
    Folder(FolderPart),
    /// More items of the folder before.
    Items(Vec<ItemPart>),
}

/// What is known of the whole tree; see the fields of [`Tree`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Where the tree was scanned. Nobody opens it because it stands here.
    #[serde(with = "fcs_sys::exact_path")]
    pub root_path: PathBuf,
    volume: VolumeFacts,
    root: Entry,
    order: NameOrder,
    reserved: u64,
    foreign_home: bool,
    system_items: Vec<String>,
    cancelled: bool,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FolderPart {
    /// The item that it is; none for the root.
    pub item: Option<NodeId>,
    /// Number of the failure that keeps it from being known whole.
    pub error: Option<u32>,
    /// Something in it is not in the tree, because of its name or a pattern.
    pub left_out: bool,
}

/// An item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemPart {
    /// Its name in the folder.
    pub name: Name,
    /// What the scan learned about it.
    pub entry: Entry,
    /// Where it points, if it is a link.
    pub link: Option<LinkTarget>,
    /// Number of the failure that kept it from being examined.
    pub error: Option<u32>,
}

/// Why parts are no tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTree {
    /// The first part is no head, or another one is.
    #[error("a tree has one head, at its beginning")]
    Head,
    /// There is no folder, or the first one is not the root, or another one is.
    #[error("a tree has one root, which is its first folder")]
    Root,
    /// Items come before any folder.
    #[error("the items are in no folder")]
    NoFolder,
    /// A folder is not an item of an earlier folder.
    #[error("a folder is no item of an earlier folder")]
    Parent,
    /// A folder is an item that is no folder, or that is another folder too.
    #[error("a folder is an item of another kind, or one that another folder is too")]
    NotItsFolder,
    /// The number of a failure is none.
    #[error("there is no failure of that number")]
    NoError,
    /// A name is not behind the name before.
    #[error("the names in a folder are not in order")]
    Order,
    /// The name belongs to the program itself.
    #[error("it names what belongs to the program itself")]
    Ours,
    /// What is no link points somewhere.
    #[error("an item that is no link has the target of one")]
    NoLink,
    /// The names of the system's items are not sorted.
    #[error("the names of system items are not in order")]
    SystemItems,
    /// More than numbers of 32 bits can count.
    #[error("it is too large")]
    TooLarge,
}

impl Tree {
    /// The tree in parts, in the order in which [`Builder`] takes them.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let head = Head {
            root_path: self.root_path.clone(),
            volume: self.volume.clone(),
            root: self.root,
            order: self.order,
            reserved: self.reserved,
            foreign_home: self.foreign_home,
            system_items: self.system_items.clone(),
            cancelled: self.cancelled,
        };
        let errors = self.errors.iter().map(|error| Part::Error(Box::new(error.into())));
        let folders = (0u32..).zip(&self.folders).flat_map(move |(number, folder)| {
            let part = Part::Folder(FolderPart {
                item: (folder.node != NodeId::ROOT).then_some(folder.node),
                error: folder.error,
                left_out: folder.left_out,
            });
            let starts = (0..folder.children.len()).step_by(PER_PART);
            std::iter::once(part).chain(starts.map(move |start| self.items_part(number, start)))
        });
        std::iter::once(Part::Head(Box::new(head))).chain(errors).chain(folders)
    }

    pub(crate) fn part_count(&self) -> usize {
        let in_folders = |folder: &Folder| 1 + folder.children.len().div_ceil(PER_PART);
        1 + self.errors.len() + self.folders.iter().map(in_folders).sum::<usize>()
    }

    fn items_part(&self, number: u32, start: usize) -> Part {
        let folder = &self.folders[number as usize];
        let end = (start + PER_PART).min(folder.children.len());
        // Every name was checked when it was listed, so none is left out here.
        let item = |at: usize| {
            let node = NodeId { folder: number, child: at as u32 };
            let error = self.unreadable.binary_search_by_key(&node, |(n, _)| *n).ok();
            Some(ItemPart {
                name: Name::new(folder.name(node.child)).ok()?,
                entry: folder.children.get(at).entry,
                link: self.link(node).cloned(),
                error: error.map(|at| self.unreadable[at].1),
            })
        };
        Part::Items((start..end).filter_map(item).collect())
    }
}

/// Makes a tree of parts.
#[derive(Debug, Default)]
pub struct Builder {
    head: Option<Box<Head>>,
    errors: Vec<Error>,
    folders: Vec<Folder>,
    /// What is known of the latest folder, which is not among `folders` yet.
    latest: Option<Latest>,
    unreadable: Vec<(NodeId, u32)>,
    links: Vec<(NodeId, LinkTarget)>,
    items: u64,
}

#[derive(Debug)]
struct Latest {
    node: NodeId,
    part: FolderPart,
    names: Vec<u8>,
    children: Children,
    /// Where the latest name begins.
    last: usize,
}

impl Builder {
    /// Takes the next part.
    ///
    /// # Errors
    ///
    /// When no tree has it there. The builder is then worth nothing.
    pub fn push(&mut self, part: Part) -> Result<(), BadTree> {
        match part {
            Part::Head(head) if self.head.is_none() => {
                if !head.system_items.is_sorted_by(|a, b| a < b) {
                    return Err(BadTree::SystemItems);
                }
                if head.root.kind != Kind::Folder {
                    return Err(BadTree::Root);
                }
                self.head = Some(head);
            }
            Part::Head(_) => return Err(BadTree::Head),
            Part::Error(error) => self.errors.push((*error).into()),
            Part::Folder(folder) => self.begin_folder(folder)?,
            Part::Items(items) => items.into_iter().try_for_each(|item| self.add_item(item))?,
        }
        if self.head.is_some() { Ok(()) } else { Err(BadTree::Head) }
    }

    fn begin_folder(&mut self, part: FolderPart) -> Result<(), BadTree> {
        self.check_error(part.error)?;
        self.end_folder();
        // The last numbers mean something else: see `NodeId::ROOT` and `NO_FOLDER`.
        let number = u32::try_from(self.folders.len()).ok().filter(|n| *n < NO_FOLDER - 1);
        let number = number.ok_or(BadTree::TooLarge)?;
        let node = match part.item {
            None if number == 0 => NodeId::ROOT,
            Some(node) if number > 0 => {
                let parent = self.folders.get_mut(node.folder as usize).ok_or(BadTree::Parent)?;
                if node.child as usize >= parent.children.len() {
                    return Err(BadTree::Parent);
                }
                let child = parent.children.get(node.child as usize);
                if child.folder != NO_FOLDER || child.entry.kind != Kind::Folder {
                    return Err(BadTree::NotItsFolder);
                }
                parent.children.set_folder(node.child as usize, number);
                node
            }
            _ => return Err(BadTree::Root),
        };
        self.latest = Some(Latest { node, part, names: Vec::new(), children: Children::default(), last: 0 });
        Ok(())
    }

    fn end_folder(&mut self) {
        let Some(mut latest) = self.latest.take() else { return };
        latest.children.truncate(latest.children.len());
        self.folders.push(Folder {
            node: latest.node,
            names: latest.names.into(),
            children: latest.children,
            error: latest.part.error,
            left_out: latest.part.left_out,
        });
    }

    fn add_item(&mut self, item: ItemPart) -> Result<(), BadTree> {
        self.check_error(item.error)?;
        let (Some(head), Some(latest)) = (&self.head, &mut self.latest) else {
            return Err(BadTree::NoFolder);
        };
        let (name, folder) = (item.name.as_bytes(), self.folders.len() as u32);
        if item.name.is_reserved() || folder == 0 && head.order.same(name, b".fcs") {
            return Err(BadTree::Ours);
        }
        let before = &latest.names[latest.last..];
        if !latest.children.is_empty() && head.order.compare(before, name).is_ge() {
            return Err(BadTree::Order);
        }
        if item.link.is_some() && item.entry.kind != Kind::Symlink {
            return Err(BadTree::NoLink);
        }
        let too_large = BadTree::TooLarge;
        let name_end = u32::try_from(latest.names.len() + name.len()).map_err(|_| too_large)?;
        let child = u32::try_from(latest.children.len()).ok().filter(|n| *n < u32::MAX).ok_or(too_large)?;
        let node = NodeId { folder, child };
        latest.last = latest.names.len();
        latest.names.extend_from_slice(name);
        latest.children.push(Child { name_end, folder: NO_FOLDER, entry: item.entry });
        self.links.extend(item.link.map(|link| (node, link)));
        self.unreadable.extend(item.error.map(|error| (node, error)));
        self.items += 1;
        Ok(())
    }

    fn check_error(&self, error: Option<u32>) -> Result<(), BadTree> {
        let is_there = error.is_none_or(|error| (error as usize) < self.errors.len());
        if is_there { Ok(()) } else { Err(BadTree::NoError) }
    }

    /// The tree.
    ///
    /// # Errors
    ///
    /// When the parts that it was given are not the whole of one.
    pub fn finish(mut self) -> Result<Tree, BadTree> {
        self.end_folder();
        let head = self.head.ok_or(BadTree::Head)?;
        if self.folders.is_empty() {
            return Err(BadTree::Root);
        }
        Ok(Tree {
            root_path: head.root_path,
            volume: head.volume,
            root: head.root,
            order: head.order,
            folders: self.folders,
            // Folders came in the order of their numbers, and items in theirs, so both lists are sorted.
            unreadable: self.unreadable,
            links: self.links,
            errors: self.errors,
            items: self.items,
            reserved: head.reserved,
            foreign_home: head.foreign_home,
            system_items: head.system_items,
            cancelled: head.cancelled,
        })
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        stored::collect(serializer, self.part_count(), self.parts())
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut builder = Builder::default();
        stored::each(deserializer, |part| builder.push(part))?;
        builder.finish().map_err(D::Error::custom)
    }
}

/// Writes a tree as a file.
///
/// # Errors
///
/// As writing has them; [`io::ErrorKind::FileTooLarge`] where the names or link texts of 256 items are longer than 32 MiB.
pub fn write<W: Write>(tree: &Tree, out: W) -> io::Result<W> {
    let mut writer = stored::Writer::begin(out, &FORMAT)?;
    tree.parts().try_for_each(|part| writer.push(&part))?;
    writer.finish()
}

/// Reads a tree as a file has it.
///
/// # Errors
///
/// When it is not, whole and unchanged, a tree that this version reads.
pub fn read(input: impl BufRead) -> Result<Tree, StoredFileError> {
    let mut reader = PartReader::begin(input)?;
    let mut builder = Builder::default();
    while let Some(part) = reader.next_part()? {
        builder.push(part).map_err(|e| reader.0.bad(&e))?;
    }
    builder.finish().map_err(|e| reader.0.bad(&e))
}

/// Reads a file part by part, holding one. The parts are known to be those that were written only when the last one was
/// read; and only a [`Builder`] looks whether they make a tree.
#[derive(Debug)]
pub struct PartReader<R: BufRead>(stored::Reader<R>);

impl<R: BufRead> PartReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// When it is none of a tree that this version reads.
    pub fn begin(input: R) -> Result<Self, StoredFileError> {
        stored::Reader::begin(input, &FORMAT).map(Self)
    }

    /// The next part; `None` at the end of a file that is whole and unchanged. Nothing may be read after an error.
    ///
    /// # Errors
    ///
    /// When it is no part, or the file is not whole.
    pub fn next_part(&mut self) -> Result<Option<Part>, StoredFileError> {
        self.0.next()
    }
}

/// An [`Entry`] as it is stored.
#[derive(Serialize, Deserialize)]
struct EntryForm {
    kind: Kind,
    size: u64,
    id: FileId,
    modified: Time,
    changed: Option<Time>,
    created: Option<Time>,
    owner: Option<Owner>,
    attributes: Attributes,
    marks: Marks,
}

/// The flags of an entry that stand for themselves: their words in text formats, else their bits.
struct Marks(u16);

const MARKS: [(u16, &str); 9] = [
    (SPARSE, "may-be-sparse"),
    (HARD_LINKED, "hard-linked"),
    (PLACEHOLDER, "placeholder"),
    (IMMUTABLE, "immutable"),
    (APPEND_ONLY, "append-only"),
    (MOUNTED, "mounted"),
    (BOUNDARY, "boundary"),
    (CARRIER, "only-way-to-included"),
    (BARREN, "leads-to-nothing-included"),
];

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_seq(MARKS.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, word)| word))
        } else {
            serializer.serialize_u16(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unknown = || D::Error::custom("an item has a mark that this version does not know");
        if !deserializer.is_human_readable() {
            let bits = u16::deserialize(deserializer)?;
            let known = MARKS.iter().fold(0, |all, (bit, _)| all | bit);
            return if bits & !known == 0 { Ok(Self(bits)) } else { Err(unknown()) };
        }
        let words = Vec::<String>::deserialize(deserializer)?;
        let bit = |word: &String| MARKS.iter().find(|(_, known)| known == word).map(|(bit, _)| *bit);
        let bits = words.iter().try_fold(0, |all, word| Some(all | bit(word)?));
        bits.map(Self).ok_or_else(unknown)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = EntryForm {
            kind: self.kind,
            size: self.size,
            id: self.fingerprint().id,
            modified: self.modified,
            changed: self.changed(),
            created: self.created(),
            owner: self.owner(),
            attributes: self.attributes,
            marks: Marks(self.flags & !(HAS_CHANGED | HAS_CREATED | HAS_OWNER)),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = EntryForm::deserialize(deserializer)?;
        let has = |mark| form.marks.0 & mark != 0;
        if (has(BARREN) && !has(CARRIER)) || ((has(CARRIER) || has(BOUNDARY)) && form.kind != Kind::Folder) {
            return Err(D::Error::custom("an item has a mark that none of its kind has"));
        }
        let mut flags = form.marks.0;
        flags |= if form.changed.is_some() { HAS_CHANGED } else { 0 };
        flags |= if form.created.is_some() { HAS_CREATED } else { 0 };
        flags |= if form.owner.is_some() { HAS_OWNER } else { 0 };
        let (changed, created) = (form.changed.unwrap_or(Time::EPOCH), form.created.unwrap_or(Time::EPOCH));
        let owner = form.owner.unwrap_or(Owner { user: 0, group: 0 });
        Ok(Self {
            size: form.size,
            file: form.id.file,
            file_high: form.id.file_high,
            volume: form.id.volume,
            modified: form.modified,
            changed_seconds: changed.seconds(),
            created_seconds: created.seconds(),
            changed_nanos: changed.nanos(),
            created_nanos: created.nanos(),
            user: owner.user,
            group: owner.group,
            attributes: form.attributes,
            kind: form.kind,
            flags,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
