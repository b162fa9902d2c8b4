//! One item of the simulated disk, as plain data that is copied on write.
//!
//! Everything large is behind an `Arc`, so that a state of the whole disk is copied by counting references.

use std::collections::BTreeMap;
use std::sync::Arc;

use fcs_sys::{Attributes, FileId, Kind, Metadata, Owner, Time};

/// Where an inode is in the table. Never used twice, unlike the number a program sees.
pub(super) type Key = usize;
/// A name, cheap to copy.
pub(super) type Label = Arc<[u8]>;
/// Extended attributes.
pub(super) type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Room is given in pieces of this size, as most file systems do.
pub(super) const ALLOCATION: u64 = 4096;

/// A file, folder or link.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) number: u64,
    pub(super) mode: u32,
    pub(super) owner: Owner,
    pub(super) modified: Time,
    pub(super) changed: Time,
    pub(super) created: Time,
    pub(super) xattrs: Arc<Xattrs>,
    /// How many names it has; a folder has one, or none once it is removed.
    pub(super) links: u64,
    pub(super) body: Body,
}

#[derive(Debug, Clone)]
pub(super) enum Body {
    File(Content),
    Folder(Folder),
    Link(Label),
}

/// A file's bytes, in the cache and on the device.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// What a program reads.
    pub(super) cached: Arc<Vec<u8>>,
    /// What was there at the last sync. The same allocation as `cached` while the file is clean.
    pub(super) device: Arc<Vec<u8>>,
    /// Written to since the last sync.
    pub(super) dirty: bool,
    /// A whole piece was skipped by a write.
    pub(super) holes: bool,
}

impl Content {
    /// What the device would hold if everything reached it now.
    pub(super) fn newest(&self) -> &Arc<Vec<u8>> {
        if self.dirty { &self.cached } else { &self.device }
    }

    pub(super) fn allocated(&self) -> u64 {
        (self.cached.len() as u64).next_multiple_of(ALLOCATION)
    }
}

/// A folder's entries, sorted by name, which is also the order in which they are listed.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) entries: Vec<(Label, Key)>,
    pub(super) parent: Key,
}

impl Folder {
    fn position(&self, name: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|(label, _)| (**label).cmp(name))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Key> {
        self.position(name).ok().map(|at| self.entries[at].1)
    }

    /// Gives a name to an inode, or to none.
    pub(super) fn set(&mut self, name: &Label, key: Option<Key>) {
        match (self.position(name), key) {
            (Ok(at), Some(key)) => self.entries[at].1 = key,
            (Ok(at), None) => {
                self.entries.remove(at);
            }
            (Err(at), Some(key)) => self.entries.insert(at, (Arc::clone(name), key)),
            (Err(_), None) => {}
        }
    }
}

impl Inode {
    pub(super) fn new(number: u64, mode: u32, now: Time, body: Body) -> Self {
        Self {
            number,
            mode,
            owner: Owner { user: 0, group: 0 },
            modified: now,
            changed: now,
            created: now,
            xattrs: Arc::default(),
            links: 1,
            body,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.body {
            Body::File(_) => Kind::File,
            Body::Folder(_) => Kind::Folder,
            Body::Link(_) => Kind::Symlink,
        }
    }

    pub(super) fn is_folder(&self) -> bool {
        matches!(self.body, Body::Folder(_))
    }

    pub(super) fn folder(&self) -> Option<&Folder> {
        match &self.body {
            Body::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    pub(super) fn content(&self) -> Option<&Content> {
        match &self.body {
            Body::File(content) => Some(content),
            _ => None,
        }
    }

    pub(super) fn metadata(&self, volume: u64, subfolders: u64) -> Metadata {
        let (size, allocated) = match &self.body {
            Body::File(content) => (content.cached.len() as u64, content.allocated()),
            Body::Folder(_) => (0, 0),
            Body::Link(text) => (text.len() as u64, 0),
        };
        Metadata {
            kind: self.kind(),
            size,
            allocated,
            modified: self.modified,
            changed: Some(self.changed),
            created: Some(self.created),
            id: FileId { volume, file: self.number, file_high: 0 },
            // A folder is also named by its own `.` and by the `..` of each folder in it.
            links: if self.is_folder() && self.links > 0 { 2 + subfolders } else { self.links },
            attributes: Attributes(self.mode),
            owner: Some(self.owner),
            placeholder: false,
            protection: None,
            mounted: Some(false),
        }
    }
}
