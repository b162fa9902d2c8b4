//! What is at a path that a user gave, and in it.
//!
//! Invariant: nothing is changed. A link at the end of a path is an item of its own; only a path that ends in
//! a slash means the folder that the link leads to.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use fcs_sys::{Fingerprint, Kind, Name, RelPath, Root, VolumeFacts};

use crate::progress::full_path;
use crate::scan::scan;
use crate::session::{self, SessionError};
use crate::tree::{Entry, NameOrder, NodeId, Tree};
use crate::{Control, Error, Op, Settings};

/// Which items of a tree are meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// Everything in a folder too.
    pub recursive: bool,
    /// Only what matches one of these patterns; all, where there is none.
    pub include: &'a [String],
    /// Nothing that matches one of these.
    pub exclude: &'a [String],
}

/// An item as it was listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Below [`Listing::root`]; the root itself for the folder that was given.
    pub path: RelPath,
    /// What it looked like.
    pub entry: Entry,
    /// What the folder looked like in which it is.
    pub(super) folder: Fingerprint,
}

/// What is at a path, and in it where that was asked for.
#[derive(Debug)]
pub struct Listing {
    /// The folder given, or the one that holds the item given. What is done there is in its journal.
    pub root: Root,
    /// The path led to a folder, which is the root.
    pub is_folder: bool,
    /// The volume of the root.
    pub volume: VolumeFacts,
    /// As a person reads a tree: a folder, then what it holds, in order of names.
    pub items: Vec<Listed>,
    /// What could not be read.
    pub errors: Vec<Error>,
    /// The work was cancelled, so items are missing.
    pub cancelled: bool,
}

/// A path that a user gave, opened.
pub(super) enum Place {
    /// A folder.
    Folder(Root),
    /// Anything else, with the folder that holds it.
    Item(Root, Name, Entry),
}

impl Place {
    pub(super) fn at(path: &Path) -> Result<Self, SessionError> {
        let Some((parent, name)) = split(path) else { return session::open(path).map(Self::Folder) };
        let root = session::open(parent)?;
        let failed = |op, e| SessionError::Open { side: None, error: Error::os(op, path, e) };
        let name =
            Name::from_os(name).map_err(|_| failed(Op::Examine, io::ErrorKind::InvalidFilename.into()))?;
        // Asking the volume first lets the backend find what it must know to read created times (ntfs-3g).
        let found =
            root.dir.volume().and_then(|_| root.dir.stat(&name)).map_err(|e| failed(Op::Examine, e))?;
        if found.kind != Kind::Folder {
            return Ok(Self::Item(root, name, Entry::from(&found)));
        }
        let dir = root.dir.open_dir(&name).map_err(|e| failed(Op::Open, e))?;
        Ok(Self::Folder(Root { dir, path: root.path.join(name.as_os()) }))
    }

    /// The folder whose journal keeps what is done.
    pub(super) fn root(&self) -> &Root {
        match self {
            Self::Folder(root) | Self::Item(root, ..) => root,
        }
    }
}

/// The folder that holds the item at a path, and its name in it; `None` where the path is to be opened as a
/// folder: the top of a volume, a path that ends in `..` or in a slash.
pub(super) fn split(path: &Path) -> Option<(&Path, &std::ffi::OsStr)> {
    let last = path.as_os_str().as_encoded_bytes().last()?;
    if std::path::is_separator(char::from(*last)) {
        return None;
    }
    let parent = path.parent()?;
    Some((if parent.as_os_str().is_empty() { Path::new(".") } else { parent }, path.file_name()?))
}

pub(super) fn facts(root: &Root) -> Result<VolumeFacts, SessionError> {
    let failed = |e| SessionError::Open { side: None, error: Error::os(Op::AskVolume, &root.path, e) };
    root.dir.volume().map_err(failed)
}

/// The root itself, as it looks now.
pub(super) fn entry_of(root: &Root) -> Result<Entry, SessionError> {
    let failed = |e| SessionError::Open { side: None, error: Error::os(Op::Examine, &root.path, e) };
    root.dir.metadata().map(|now| Entry::from(&now)).map_err(failed)
}

/// Lists what is at a path. Patterns choose among what is in a folder; the folder that was given is listed by
/// itself only where there is no pattern that it would have to match.
///
/// # Errors
///
/// Where the path cannot be opened, a pattern is not valid, or there are too many items. What else cannot be
/// read is among the errors of the listing.
pub fn list(
    path: &Path,
    scope: Scope<'_>,
    settings: &Settings,
    control: &Control,
) -> Result<Listing, SessionError> {
    let place = Place::at(path)?;
    let volume = facts(place.root())?;
    let is_folder = matches!(place, Place::Folder(_));
    let (items, errors, cancelled) = (Vec::new(), Vec::new(), false);
    let empty = |root, volume| Listing { root, is_folder, volume, items, errors, cancelled };
    match place {
        Place::Item(root, name, entry) => {
            let folder = entry_of(&root)?.fingerprint();
            let item = Listed { path: RelPath::root().join(&name), entry, folder };
            Ok(Listing { items: vec![item], ..empty(root, volume) })
        }
        Place::Folder(root) if !scope.recursive => {
            let entry = entry_of(&root)?;
            let item = Listed { path: RelPath::root(), entry, folder: entry.fingerprint() };
            Ok(Listing { items: vec![item], ..empty(root, volume) })
        }
        Place::Folder(root) => {
            let filter = session::filter(&[(path, &root)], scope.include, scope.exclude)?;
            let order = NameOrder::for_pair(&volume, &volume);
            let tree = scan(&root, order, &filter, settings, control);
            let tree = tree.map_err(|error| SessionError::Open { side: None, error })?;
            let (items, errors) = (items_of(&tree, scope), tree.errors().to_vec());
            Ok(Listing { items, errors, cancelled: tree.cancelled, ..empty(root, volume) })
        }
    }
}

/// The folder whose journal keeps what is done to the item at a path: the folder itself, or the one that
/// holds it.
///
/// # Errors
///
/// Where the path cannot be opened.
pub fn root_of(path: &Path) -> Result<Root, SessionError> {
    Place::at(path).map(|place| place.root().clone())
}

/// Brings listings together that have one root, and drops items that are listed twice, in whichever root:
/// each is to be changed once.
pub fn join(mut listings: Vec<Listing>) -> Vec<Listing> {
    // What is listed from above is not listed again from within.
    listings.sort_by_key(|listing| listing.root.path.components().count());
    let mut seen = HashSet::new();
    let mut joined: Vec<Listing> = Vec::new();
    for mut listing in listings {
        listing.items.retain(|item| seen.insert(full_path(&listing.root.path, &item.path)));
        match joined.iter_mut().find(|before| before.root.path == listing.root.path) {
            Some(before) => {
                before.items.append(&mut listing.items);
                before.errors.append(&mut listing.errors);
                before.is_folder |= listing.is_folder;
                before.cancelled |= listing.cancelled;
            }
            None if listing.items.is_empty() && listing.errors.is_empty() => {}
            None => joined.push(listing),
        }
    }
    joined
}

/// All items of a tree that take part, each folder followed by what it holds. A loop: trees may be deeper
/// than a stack.
fn items_of(tree: &Tree, scope: Scope<'_>) -> Vec<Listed> {
    let mut items = Vec::new();
    let mut open = vec![(NodeId::ROOT, tree.root.fingerprint())];
    while let Some((node, folder)) = open.pop() {
        if tree.node_error(node).is_some() {
            continue;
        }
        let entry = tree.entry(node);
        let is_asked_for = if node == NodeId::ROOT {
            scope.include.is_empty()
        } else {
            !entry.is_carrier() && !entry.is_boundary()
        };
        if is_asked_for {
            items.push(Listed { path: tree.path(node), entry, folder });
        }
        if let Some(number) = tree.folder_of(node) {
            let inside: Vec<NodeId> = tree.children(number).collect();
            open.extend(inside.into_iter().rev().map(|child| (child, entry.fingerprint())));
        }
    }
    items
}
