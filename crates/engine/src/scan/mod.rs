//! Walks trees: lists folders and asks for each item's metadata, by several workers, both sides at once.
//!
//! Invariant: whatever was listed is in the tree, and what could not be read is there as unreadable, also what a
//! look-up did not find. Nothing is reached by path: each folder is opened from the folder that
//! holds it. Depth, width and size are bounded by `max_items` alone: nothing here recurses, and the number of open
//! folders is bounded however the tree is shaped.
//!
//! Plain threads over one shared stack are used rather than `rayon`: a scan must take the newest folder first (that
//! keeps the frontier small), must end early for several reasons, and must never nest one folder's work on the stack
//! of another's, which is what a `rayon` worker does while it waits.
//!
//! This module must not know what a comparison is.

mod names;
mod overlap;
mod queue;
mod worker;

pub(crate) use worker::is_system_item;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fcs_sys::{CaseRule, LinkTarget, Name, OsReason, Root, VolumeFacts};

use crate::filter::Filter;
use crate::progress::{Phase, full_path};
use crate::tree::{Child, Entry, Folder, NameOrder, NodeId, Tree, mark_barren, path_of};
use crate::{Control, Error, ErrorKind, Op, Result, Settings};

/// Scans both roots at once with one set of workers.
///
/// An error only when a root itself cannot be examined, a side holds more than `max_items`, or a folder of one side is
/// one of the other too ([`ErrorKind::Overlap`]); anything else that
/// cannot be read is a fact in its tree. After a cancel both trees are returned with [`Tree::cancelled`] set.
pub fn scan_pair(
    left: &Root,
    right: &Root,
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<(Tree, Tree)> {
    scan_pair_as(left, right, [None, None], filter, settings, control)
}

/// As [`scan_pair`], where it was tried how a side's volume tells names apart, left side first.
pub fn scan_pair_as(
    left: &Root,
    right: &Root,
    case: [Option<CaseRule>; 2],
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<(Tree, Tree)> {
    let (mut left_volume, mut right_volume) = (volume_of(left)?, volume_of(right)?);
    left_volume.case = case[0].unwrap_or(left_volume.case);
    right_volume.case = case[1].unwrap_or(right_volume.case);
    let order = NameOrder::for_pair(&left_volume, &right_volume);
    let mut sides = vec![Side::new(left, left_volume, order)?, Side::new(right, right_volume, order)?];
    // What is left alone on one side must not look superfluous on the other.
    let is_top = sides.iter().any(|side| side.is_top);
    sides.iter_mut().for_each(|side| side.is_top = is_top);
    let mut trees = scan_sides(sides, filter, settings, control)?.into_iter();
    match (trees.next(), trees.next()) {
        (Some(left), Some(right)) => match overlap::find(&left, &right) {
            Some(path) => Err(Error::new(Op::Compare, path, ErrorKind::Overlap)),
            None => Ok((left, right)),
        },
        _ => unreachable!("one tree per side"),
    }
}

/// Scans one root. Errors and cancel as in [`scan_pair`].
pub fn scan(
    root: &Root,
    order: NameOrder,
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<Tree> {
    let sides = vec![Side::new(root, volume_of(root)?, order)?];
    match scan_sides(sides, filter, settings, control)?.pop() {
        Some(tree) => Ok(tree),
        None => unreachable!("one tree per side"),
    }
}

fn volume_of(root: &Root) -> Result<VolumeFacts> {
    root.dir.volume().map_err(|e| Error::os(Op::AskVolume, &root.path, e))
}

fn scan_sides(
    sides: Vec<Side<'_>>,
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Tree>> {
    control.progress.enter(Phase::Scan);
    let cancelled = worker::run(&sides, filter, settings, control)?;
    Ok(sides.into_iter().map(|side| side.into_tree(cancelled)).collect())
}

/// One side while it is scanned.
struct Side<'a> {
    root: &'a Root,
    volume: VolumeFacts,
    entry: Entry,
    order: NameOrder,
    /// Items listed so far, for the guard.
    listed: AtomicU64,
    /// Items passed over because their names belong to this program.
    reserved: AtomicU64,
    /// What is called `.fcs` in the root was not made by this program.
    foreign_home: AtomicBool,
    /// Whether this root or the other one is the top of a volume.
    is_top: bool,
    /// What was passed over there.
    system_items: Mutex<BTreeSet<String>>,
    table: Mutex<Table>,
}

/// What is known so far. One short lock per folder, none per item.
#[derive(Default)]
struct Table {
    folders: Vec<Folder>,
    unreadable: Vec<(NodeId, u32)>,
    links: Vec<(NodeId, LinkTarget)>,
    errors: Vec<Error>,
    items: u64,
}

/// Marks a folder whose listing is still to come.
const PENDING: u32 = u32::MAX;

/// One listed folder, ready for the table.
#[derive(Default)]
struct Listing {
    names: Box<[u8]>,
    children: Box<[Child]>,
    links: Vec<(u32, LinkTarget)>,
    unreadable: Vec<(u32, Error)>,
    /// The children that are folders to be entered.
    folders: Vec<queue::SubFolder>,
    /// Why the listing is missing or incomplete.
    error: Option<Error>,
    /// Something in the folder does not take part.
    left_out: bool,
}

impl<'a> Side<'a> {
    fn new(root: &'a Root, volume: VolumeFacts, order: NameOrder) -> Result<Self> {
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

    fn table(&self) -> MutexGuard<'_, Table> {
        // A worker that panicked ends the whole scan with its panic, so no half-made table is ever looked at.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The absolute path of a folder or of an item in it, for messages.
    fn path(&self, folder: u32, name: Option<&Name>) -> PathBuf {
        let table = self.table();
        let mut path = path_of(&table.folders, table.folders[folder as usize].node);
        drop(table);
        if let Some(name) = name {
            path.push(name);
        }
        full_path(&self.root.path, &path)
    }

    /// The folder that a folder lies in, and its name there.
    fn folder_name(&self, number: u32) -> std::io::Result<(u32, Name)> {
        let table = self.table();
        let node = table.folders[number as usize].node;
        let name = Name::new(table.folders[node.folder as usize].name(node.child));
        Ok((node.folder, name.map_err(|_| std::io::ErrorKind::InvalidFilename)?))
    }

    /// Whether an item of the root has the name that this program needs there for itself.
    fn is_home(&self, name: &[u8]) -> bool {
        self.order.same(name, b".fcs")
    }

    /// Files a finished folder and makes room for the folders in it. Returns these and the first of their numbers.
    fn store(&self, number: u32, mut listing: Listing) -> (u32, Vec<queue::SubFolder>) {
        let mut table = self.table();
        let table = &mut *table;
        let base = table.folders.len() as u32;
        for (i, sub) in listing.folders.iter().enumerate() {
            listing.children[sub.child as usize].folder = base + i as u32;
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

    fn into_tree(self, cancelled: bool) -> Tree {
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
    Folder { node, names: Box::default(), children: Box::default(), error: Some(PENDING), left_out: false }
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

#[cfg(test)]
mod tests;
