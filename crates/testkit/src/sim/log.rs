//! The log of operations since recording began: what the crash model replays.
//!
//! Each entry holds the operation in words, the names it changed, and every inode as it left it. So a replay needs
//! none of the rules by which the operation was done.

use std::sync::Arc;

use super::inode::{Inode, Key, Label};

/// One name that changed hands.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) dir: Key,
    pub(super) name: Label,
    pub(super) old: Option<Key>,
    pub(super) new: Option<Key>,
    /// `new` did not exist before.
    pub(super) made: bool,
}

/// What a sync makes durable.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sync {
    Item(Key),
    Volume,
}

/// One operation. At most one of `edits` and `sync` says anything; with neither it changed content or metadata.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) text: String,
    pub(super) edits: Vec<Edit>,
    /// The inodes it touched, as it left them.
    pub(super) images: Vec<(Key, Arc<Inode>)>,
    pub(super) sync: Option<Sync>,
    pub(super) ticks: u64,
}

/// A log being written.
#[derive(Debug, Clone)]
pub(super) struct Log {
    /// The disk when recording began; all of it counts as durable.
    pub(super) base: Vec<Option<Arc<Inode>>>,
    pub(super) entries: Vec<Arc<Entry>>,
}
