//! The files of a scanned tree, read as the scan saw them.
//!
//! Invariant: what is read of a file counts only if it is the very file that the scan saw, before and after.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use fcs_sys::{Access, DirRef, FileRef, Metadata, Root};

use super::{Algorithm, Digest, FileReader, Stop};
use crate::dir_cache::{TreeDirs, name_of};
use crate::identity::Numbers;
use crate::progress::full_path;
use crate::tree::{Entry, NodeId, Tree};
use crate::{Error, ErrorKind, Op};

/// Files of at least this size may be read past the cache. A smaller one is read before a second thread has begun.
const PAST_CACHE_SIZE: u64 = 8 << 20;
/// A file of which more than one part in so many is cached is read through the cache.
const MOST_CACHED: u64 = 8;

/// Why there is nothing to say about a file.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user ended the work.
    Cancelled,
    /// It could not be read, or is another one now.
    Of(Error),
}

/// The files of one tree.
pub(crate) struct ScannedFiles<'a> {
    root: &'a Root,
    tree: &'a Tree,
    dirs: TreeDirs<'a>,
    /// What they are read for, for messages.
    op: Op,
    /// Files that somebody may have been writing to before they were read, where that is asked.
    written_to: Option<Mutex<Vec<NodeId>>>,
}

/// The folder that a worker used last, so that files of one folder cost one look-up.
#[derive(Default)]
pub(crate) struct LastFolder(Option<(u32, DirRef)>);

impl<'a> ScannedFiles<'a> {
    pub(crate) fn new(root: &'a Root, tree: &'a Tree, op: Op) -> Self {
        Self { root, tree, dirs: TreeDirs::new(tree, &root.dir), op, written_to: None }
    }

    /// Asks of each file before it is read whether anybody may be writing to it.
    pub(crate) fn asking_for_writers(self) -> Self {
        Self { written_to: Some(Mutex::default()), ..self }
    }

    /// The files of which that was so, sorted.
    pub(crate) fn into_written_to(self) -> Vec<NodeId> {
        let written_to = self.written_to.unwrap_or_default().into_inner();
        let mut nodes = written_to.unwrap_or_else(PoisonError::into_inner);
        nodes.sort_unstable();
        nodes
    }

    pub(crate) fn root(&self) -> &'a Root {
        self.root
    }

    pub(crate) fn entry(&self, node: NodeId) -> Entry {
        self.tree.entry(node)
    }

    /// An item's absolute path.
    pub(crate) fn path(&self, node: NodeId) -> PathBuf {
        full_path(&self.root.path, &self.tree.path(node))
    }

    /// The digest of a whole file.
    pub(crate) fn digest(
        &self,
        reader: &mut FileReader<'_>,
        last: &mut LastFolder,
        algorithm: Algorithm,
        node: NodeId,
    ) -> Result<Digest, Failure> {
        let file = self.open(last, node)?;
        let size = self.entry(node).size;
        let digest = match self.open_past_cache(last, node, &file) {
            Some(past) => {
                let before = reader.counted;
                match reader.digest_past_cache(algorithm, &*past, size) {
                    Ok(digest) => self.check_unchanged(last, node, &past).map(|()| Ok(digest))?,
                    // Nothing came of it: no second thread can be had, or the file system does not do it after all.
                    Err(Stop::Failed(_)) if reader.counted == before => {
                        reader.digest(algorithm, &*file, size)
                    }
                    stopped => stopped,
                }
            }
            None => reader.digest(algorithm, &*file, size),
        };
        let digest = digest.map_err(|stop| self.failure(node, stop))?;
        self.check_unchanged(last, node, &file)?;
        Ok(digest)
    }

    /// Opens a file and makes sure that it is the one the scan saw.
    pub(crate) fn open(&self, last: &mut LastFolder, node: NodeId) -> Result<FileRef, Failure> {
        let opened = self.folder(last, node.folder).and_then(|dir| {
            let opened = dir.open_and_examine(&name_of(self.tree, node)?, Access::Read)?;
            Ok(opened)
        });
        let (file, now) = opened.map_err(|e| Failure::Of(Error::os(Op::Open, self.path(node), e)))?;
        self.check_is(last, node, &now)?;
        if let Some(written_to) = &self.written_to
            && !file.has_no_writer().unwrap_or(false)
        {
            written_to.lock().unwrap_or_else(PoisonError::into_inner).push(node);
        }
        Ok(file)
    }

    /// A large file once more, to be read past the cache, if little of it is cached: then the device is read as fast as it
    /// can, and what others have in the cache stays there. Only where the cache that the system counts is the one that answers.
    fn open_past_cache(&self, last: &mut LastFolder, node: NodeId, file: &FileRef) -> Option<FileRef> {
        let size = self.entry(node).size;
        if size < PAST_CACHE_SIZE || !self.tree.volume.device_reread {
            return None;
        }
        let cached = file.cached_bytes().ok()??;
        if cached > size / MOST_CACHED {
            return None;
        }
        let dir = self.folder(last, node.folder).ok()?;
        let (past, now) = dir.open_and_examine(&name_of(self.tree, node).ok()?, Access::ReadUncached).ok()?;
        self.check_is(last, node, &now).ok()?;
        // Some file systems refuse only at the first read.
        past.read_at(&mut [0; 512], 0).is_ok().then_some(past)
    }

    /// Fails if an open file is no longer what the scan saw.
    pub(crate) fn check_unchanged(
        &self,
        last: &mut LastFolder,
        node: NodeId,
        file: &FileRef,
    ) -> Result<(), Failure> {
        let now = file.metadata().map_err(|e| Failure::Of(Error::os(Op::Examine, self.path(node), e)))?;
        self.check_is(last, node, &now)
    }

    /// Fails if what an open file looks like is not what the scan saw.
    fn check_is(&self, last: &mut LastFolder, node: NodeId, now: &Metadata) -> Result<(), Failure> {
        let (entry, now) = (self.entry(node), now.fingerprint());
        let then = entry.fingerprint();
        // The content coming here moves the change time of a placeholder, and nothing else.
        if now == then || entry.is_placeholder() && now.same_content_after_rename(&then) {
            return Ok(());
        }
        // The volume is asked only now, because numbers hardly ever differ.
        if self.folder(last, node.folder).is_ok_and(|dir| Numbers::of(&dir).unchanged(&now, &then)) {
            return Ok(());
        }
        Err(Failure::Of(Error::new(self.op, self.path(node), ErrorKind::ChangedMeanwhile)))
    }

    /// What it means for a file that reading it stopped. One that ends early has changed.
    pub(crate) fn failure(&self, node: NodeId, stop: Stop) -> Failure {
        match stop {
            Stop::Cancelled => Failure::Cancelled,
            Stop::EndsEarly => Failure::Of(Error::new(self.op, self.path(node), ErrorKind::ChangedMeanwhile)),
            Stop::Failed(e) => Failure::Of(Error::os(Op::Read, self.path(node), e)),
        }
    }

    fn folder(&self, last: &mut LastFolder, folder: u32) -> io::Result<DirRef> {
        if let Some((number, dir)) = &last.0
            && *number == folder
        {
            return Ok(Arc::clone(dir));
        }
        let dir = self.dirs.open(folder)?;
        last.0 = Some((folder, Arc::clone(&dir)));
        Ok(dir)
    }
}
