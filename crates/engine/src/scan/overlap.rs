//! Finds folders that belong to both sides.
//!
//! One side inside the other can be seen from the two paths; a folder that is mounted in a second place (a bind mount)
//! cannot. A copy would then have no end, and a removal on the one side would take the source on the other.
//!
//! Two trees of one volume share a folder only if the root of one of them, or a place below where something is mounted,
//! is a folder of the other. So only these few are looked for. What a pattern leaves out, or is on a volume that is
//! not entered, is not in the trees and does no harm.

use std::collections::HashSet;
use std::path::PathBuf;

use fcs_sys::FileId;

use crate::progress::full_path;
use crate::tree::{Entry, NodeId, Tree};

/// The absolute path of a folder that is on both sides, as the side sees it that goes through the other one's root.
pub(super) fn find(left: &Tree, right: &Tree) -> Option<PathBuf> {
    find_in(left, right).or_else(|| find_in(right, left))
}

/// A folder of `tree` that is the root of `other`, or mounted in it.
fn find_in(tree: &Tree, other: &Tree) -> Option<PathBuf> {
    let mounted = folders(other).filter(|(_, entry)| entry.is_mounted());
    let parts: HashSet<FileId> = mounted.map(|(_, entry)| id(&entry)).collect();
    let root = id(&other.root);
    // A number that does not last may by now be another folder's, but not that of something mounted.
    let root_lasts = other.volume.lasting_numbers || other.root.is_mounted();
    let is_shared = |entry: &Entry| {
        let found = id(entry);
        parts.contains(&found) || found == root && (root_lasts || entry.is_mounted())
    };
    let same = folders(tree).find(|(_, entry)| is_shared(entry)).map(|(node, _)| node);
    let node = same.or_else(|| nested_by_path(tree, other))?;
    Some(full_path(&tree.root_path, &tree.path(node)))
}

/// The folders that were entered.
fn folders(tree: &Tree) -> impl Iterator<Item = (NodeId, Entry)> {
    tree.folders.iter().skip(1).map(|folder| (folder.node, tree.entry(folder.node)))
}

fn id(entry: &Entry) -> FileId {
    entry.fingerprint().id
}

/// The folder of `tree` at the path of the root of `other`.
fn nested_by_path(tree: &Tree, other: &Tree) -> Option<NodeId> {
    let below = other.root_path.strip_prefix(&tree.root_path).ok()?;
    let at = tree.find(below)?;
    (at != NodeId::ROOT && tree.folder_of(at).is_some()).then_some(at)
}
