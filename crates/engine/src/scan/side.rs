//! What a scan knows of one side so far: plain data that the workers fill, and that becomes a tree in the end.
//!
//! Invariant: a folder is in the table from the moment that it is found; until its listing is there it counts as one that
//! could not be read, so that a scan which ends early leaves no gap. Who lists what and when is not known here.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fcs_sys::{LinkTarget, Name, OsReason, Root, VolumeFacts};

use super::queue::SubFolder;
use crate::progress::full_path;
use crate::tree::{Children, Entry, Folder, NameOrder, NodeId, Tree, mark_barren, path_of};
use crate::{Error, ErrorKind, Op, Result};

/// One side while it is scanned.
pub(super) struct Side<'a> {
    pub(super) root: &'a Root,
    pub(super) volume: VolumeFacts,
    pub(super) entry: Entry,
    pub(super) order: NameOrder,
    /// Items listed so far, for the guard.
    pub(super) listed: AtomicU64,
    /// Items passed over because their names belong to this program.
    pub(super) reserved: AtomicU64,
    /// What is called `.fcs` in the root was not made by this program.
    pub(super) foreign_home: AtomicBool,
    /// Whether this root or the other one is the top of a volume.
    pub(super) is_top: bool,
    /// What was passed over there.
    pub(super) system_items: Mutex<BTreeSet<String>>,
    pub(super) table: Mutex<Table>,
}

/// What is known so far. One short lock per folder, none per item.
#[derive(Default)]
pub(super) struct Table {
    pub(super) folders: Vec<Folder>,
    pub(super) unreadable: Vec<(NodeId, u32)>,
    pub(super) links: Vec<(NodeId, LinkTarget)>,
    pub(super) errors: Vec<Error>,
    items: u64,
}

/// Marks a folder whose listing is still to come.
const PENDING: u32 = u32::MAX;

/// One listed folder, ready for the table.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) names: Box<[u8]>,
    pub(super) children: Children,
    pub(super) links: Vec<(u32, LinkTarget)>,
    pub(super) unreadable: Vec<(u32, Error)>,
    /// The children that are folders to be entered.
    pub(super) folders: Vec<SubFolder>,
    /// Why the listing is missing or incomplete.
    pub(super) error: Option<Error>,
    /// Something in the folder does not take part.
    pub(super) left_out: bool,
}

impl<'a> Side<'a> {
    pub(super) fn new(root: &'a Root, volume: VolumeFacts, order: NameOrder) -> Result<Self> {
        let metadata = root.dir.metadata().map_err(|e| Error::os(Op::Examine, &root.path, e))?;
        let mut table = Table::default();
        table.folders.push(pending(NodeId::ROOT));
        Ok(Self {
            root,
            volume,
            entry: Entry::from(&metadata),
            order,
            listed: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            foreign_home: AtomicBool::new(false),
            is_top: metadata.mounted == Some(true) || root.path.parent().is_none(),
            system_items: Mutex::default(),
            table: Mutex::new(table),
        })
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // A worker that panicked ends the whole scan with its panic, so no half-made table is ever looked at.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The absolute path of a folder or of an item in it, for messages.
    pub(super) fn path(&self, folder: u32, name: Option<&Name>) -> PathBuf {
        let table = self.table();
        let mut path = path_of(&table.folders, table.folders[folder as usize].node);
        drop(table);
        if let Some(name) = name {
            path.push(name);
        }
        full_path(&self.root.path, &path)
    }

    /// The folder that a folder is in, and its name there.
    pub(super) fn folder_name(&self, number: u32) -> std::io::Result<(u32, Name)> {
        let table = self.table();
        let node = table.folders[number as usize].node;
        let name = Name::new(table.folders[node.folder as usize].name(node.child));
        Ok((node.folder, name.map_err(|_| std::io::ErrorKind::InvalidFilename)?))
    }

    /// Whether an item of the root has the name that this program needs there for itself.
    pub(super) fn is_home(&self, name: &[u8]) -> bool {
        self.order.same(name, b".fcs")
    }

    /// Files a finished folder and makes room for the folders in it. Returns these and the first of their numbers.
    pub(super) fn store(&self, number: u32, mut listing: Listing) -> (u32, Vec<SubFolder>) {
        let mut table = self.table();
        let table = &mut *table;
        let base = table.folders.len() as u32;
        for (i, sub) in listing.folders.iter().enumerate() {
            listing.children.set_folder(sub.child as usize, base + i as u32);
            table.folders.push(pending(NodeId { folder: number, child: sub.child }));
        }
        let mut file_error = |error: Error| {
            table.errors.push(error);
            table.errors.len() as u32 - 1
        };
        let error = listing.error.map(&mut file_error);
        for (child, error) in listing.unreadable {
            table.unreadable.push((NodeId { folder: number, child }, file_error(error)));
        }
        let links = listing.links.into_iter();
        table.links.extend(links.map(|(child, text)| (NodeId { folder: number, child }, text)));
        table.items += listing.children.len() as u64;
        let folder = &mut table.folders[number as usize];
        folder.names = listing.names;
        folder.children = listing.children;
        folder.error = error;
        folder.left_out = listing.left_out;
        (base, listing.folders)
    }

    pub(super) fn into_tree(self, cancelled: bool) -> Tree {
        let mut table = self.table.into_inner().unwrap_or_else(PoisonError::into_inner);
        if cancelled {
            let reason = ErrorKind::Os(OsReason::Interrupted);
            table.errors.push(Error::new(Op::List, &self.root.path, reason));
            let interrupted = table.errors.len() as u32 - 1;
            for folder in table.folders.iter_mut().filter(|f| f.error == Some(PENDING)) {
                folder.error = Some(interrupted);
            }
        }
        sort_errors(&mut table);
        mark_barren(&mut table.folders);
        table.unreadable.sort_unstable_by_key(|(node, _)| *node);
        table.links.sort_unstable_by_key(|(node, _)| *node);
        table.folders.shrink_to_fit();
        Tree {
            root_path: self.root.path.clone(),
            volume: self.volume,
            root: self.entry,
            order: self.order,
            folders: table.folders,
            unreadable: table.unreadable,
            links: table.links,
            errors: table.errors,
            items: table.items,
            reserved: self.reserved.into_inner(),
            foreign_home: self.foreign_home.into_inner(),
            system_items: self
                .system_items
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .into_iter()
                .collect(),
            cancelled,
        }
    }
}

fn pending(node: NodeId) -> Folder {
    Folder {
        node,
        names: Box::default(),
        children: Children::default(),
        error: Some(PENDING),
        left_out: false,
    }
}

/// Puts the errors in the order of their paths, so that two scans of one tree tell the same story whichever worker
/// came first.
fn sort_errors(table: &mut Table) {
    let mut order: Vec<u32> = (0..table.errors.len() as u32).collect();
    order.sort_by(|&a, &b| table.errors[a as usize].path.cmp(&table.errors[b as usize].path));
    let moved: HashMap<u32, u32> = order.iter().zip(0..).map(|(&old, new)| (old, new)).collect();
    let mut errors: Vec<Option<Error>> = std::mem::take(&mut table.errors).into_iter().map(Some).collect();
    table.errors = order.iter().filter_map(|&old| errors[old as usize].take()).collect();
    let renumber = |index: &mut u32| *index = moved.get(index).copied().unwrap_or(*index);
    table.folders.iter_mut().filter_map(|f| f.error.as_mut()).for_each(renumber);
    table.unreadable.iter_mut().for_each(|(_, index)| renumber(index));
}
