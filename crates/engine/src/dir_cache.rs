//! Opens the folders of a scanned tree again, one name at a time from the root, and keeps the latest ones open.
//!
//! Invariant: never more than [`MOST_OPEN`] handles are kept, however many folders are asked for and however deep
//! they lie. A folder is found by its names, so it may have been swapped since the scan; whoever opens something in
//! it must check that thing's identity.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use fcs_sys::{DirRef, Name};

use crate::tree::{NodeId, Tree};

/// Handles kept per side. Content is read folder by folder in the order of rows, so neighbours share their parents
/// and few are ever needed again.
const MOST_OPEN: usize = 64;

/// The folders of one side.
pub(crate) struct TreeDirs<'a> {
    tree: &'a Tree,
    root: DirRef,
    kept: Mutex<DirCache>,
}

/// A few open folders by number; the one not asked for longest gives way.
pub(crate) struct DirCache {
    /// Handle and when it was last asked for.
    folders: HashMap<u32, (DirRef, u64)>,
    clock: u64,
    most: usize,
}

impl DirCache {
    /// Keeps at most `most` folders open.
    pub(crate) fn new(most: usize) -> Self {
        Self { folders: HashMap::new(), clock: 0, most: most.max(1) }
    }

    pub(crate) fn get(&mut self, folder: u32) -> Option<DirRef> {
        self.clock += 1;
        let (dir, used) = self.folders.get_mut(&folder)?;
        *used = self.clock;
        Some(Arc::clone(dir))
    }

    pub(crate) fn put(&mut self, folder: u32, dir: DirRef) {
        if self.folders.len() >= self.most
            && let Some(oldest) = self.folders.iter().min_by_key(|(_, (_, used))| *used).map(|(&f, _)| f)
        {
            self.folders.remove(&oldest);
        }
        self.clock += 1;
        self.folders.insert(folder, (dir, self.clock));
    }
}

impl<'a> TreeDirs<'a> {
    pub(crate) fn new(tree: &'a Tree, root: &DirRef) -> Self {
        Self { tree, root: Arc::clone(root), kept: Mutex::new(DirCache::new(MOST_OPEN)) }
    }

    /// Folder number `folder`, open.
    pub(crate) fn open(&self, folder: u32) -> io::Result<DirRef> {
        let mut way = Vec::new();
        let mut at = folder;
        let mut dir = loop {
            if at == 0 {
                break Arc::clone(&self.root);
            }
            if let Some(dir) = self.kept().get(at) {
                break dir;
            }
            way.push(at);
            at = self.tree.folders[at as usize].node.folder;
        };
        for folder in way.into_iter().rev() {
            dir = dir.open_dir(&name_of(self.tree, self.tree.folders[folder as usize].node)?)?;
            self.kept().put(folder, Arc::clone(&dir));
        }
        Ok(dir)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, DirCache> {
        // A cache is as good after a panic as before.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An item's name, checked again as it was when it was listed.
pub(crate) fn name_of(tree: &Tree, node: NodeId) -> io::Result<Name> {
    Name::new(tree.name(node)).map_err(|_| io::ErrorKind::InvalidFilename.into())
}
