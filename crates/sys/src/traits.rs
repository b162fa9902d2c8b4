//! The core that every backend writes: [`Handle`], [`Dir`] and [`File`], and the small types they exchange.
//!
//! It is what a copy that is whole and verified cannot do without. All else is a capability that a backend may have
//! (`capabilities/`), reached through the accessors, which say "missing" unless a backend says otherwise.
//!
//! Why traits: the same engine runs on the real system, on a backend that injects faults, and on a simulated disk.
//! Why object-safe: a run may mix backends (a Windows drive and a network one) without being generic over both.
//!
//! Rules every backend keeps:
//! * one [`Name`] is resolved at a time, relative to an open folder, and a symbolic link is never followed;
//! * an operation either does what it says or returns an error; where a system cannot do it, `Unsupported`;
//! * nothing is retried silently except `EINTR`.

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::capabilities::{
    AccessCheck, CacheHints, Evict, HardLinks, Holes, Locks, Map, NativeCopy, Owners, Recycle, Streams,
    Symlinks, VolumeIdentity, VolumeSync, WritePastCache, Xattrs,
};
use crate::{Attributes, Kind, Metadata, Name, Space, Times, VolumeFacts};

/// A shared open folder.
pub type DirRef = Arc<dyn Dir>;
/// A shared open file.
pub type FileRef = Arc<dyn File>;

/// What one listed folder entry is known to be without a further question.
#[derive(Debug)]
pub struct Listed<'a> {
    /// Raw name; `Err` bytes are impossible on a sane system but are not trusted either, so it is not yet a [`Name`].
    pub name: &'a [u8],
    /// Everything, where the system's listing already told (Windows); `None` where each item must be asked (Unix).
    pub metadata: Option<Metadata>,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read through the system's cache.
    Read,
    /// To read from the device, past the cache (`O_DIRECT`, `FILE_FLAG_NO_BUFFERING`, `F_NOCACHE`). `Unsupported` or
    /// `InvalidInput` where the file system cannot. Reads of any offset and length work; the backend aligns them.
    /// That it was opened so proves nothing unless [`VolumeFacts::uncached_reads_device`] says so.
    ReadUncached,
    /// To set dates and attributes, and to sync them. A file that has the read-only attribute of Windows is opened too; it
    /// can be synced once it has it no longer.
    SetTimes,
    /// To read and to write, for our own journal and lock; never for a file of the user.
    ReadWrite,
}

/// How a rename treats a target name that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// Fails with `AlreadyExists`. Atomic: never replaces what another program made in between.
    NoReplace,
    /// The two names swap their items, atomically. `Unsupported` where the file system cannot.
    Exchange,
    /// The item at the target name is gone afterwards, atomically replaced.
    Replace,
}

/// What open files and open folders have in common: metadata.
pub trait Handle: Send + Sync + Debug {
    /// Lets a backend recognise its own kind in calls that take two handles.
    fn as_any(&self) -> &dyn Any;

    /// The item's metadata now.
    fn metadata(&self) -> io::Result<Metadata>;

    /// Sets the times that are given. A created time is ignored where [`crate::CreatedTime`] is not settable.
    fn set_times(&self, times: Times) -> io::Result<()>;

    /// Sets permission bits (Unix) or attribute bits (Windows).
    fn set_attributes(&self, attributes: Attributes) -> io::Result<()>;

    /// Makes everything known about the item durable: content and metadata of a file, the entries of a folder.
    fn sync(&self) -> io::Result<()>;

    /// Extended attributes, where the backend has such a thing.
    fn as_xattrs(&self) -> Option<&dyn Xattrs> {
        None
    }

    /// Named streams, where the backend has such a thing.
    fn as_streams(&self) -> Option<&dyn Streams> {
        None
    }

    /// Owners, where the backend has such a thing.
    fn as_owners(&self) -> Option<&dyn Owners> {
        None
    }
}

/// An open folder.
pub trait Dir: Handle {
    /// Hands every entry except `.` and `..` to `sink`, in the system's order.
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()>;

    /// Metadata of an entry; of the link itself if it is one.
    fn stat(&self, name: &Name) -> io::Result<Metadata>;

    /// Opens a folder below this one.
    fn open_dir(&self, name: &Name) -> io::Result<DirRef>;

    /// Opens a regular file; anything else is refused, without ever blocking on a pipe or device.
    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef>;

    /// As [`Dir::open_file`], and what the open file looks like: one call of the system less where opening has to look
    /// at it anyway.
    fn open_and_examine(&self, name: &Name, access: Access) -> io::Result<(FileRef, Metadata)> {
        let file = self.open_file(name, access)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }

    /// Makes a file for reading and writing, accessible by its owner only (hidden on Windows). Fails if the name is
    /// taken. While this handle is open no other can be opened to write, where the system has such a thing (Windows).
    fn create_file(&self, name: &Name) -> io::Result<FileRef>;

    /// Makes a folder accessible by its owner only. Fails if the name is taken.
    fn create_dir(&self, name: &Name) -> io::Result<()>;

    /// Renames an entry into a folder of the same backend and volume. Its modified and created times stay as they are.
    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()>;

    /// Removes a file or link.
    fn remove_file(&self, name: &Name) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, name: &Name) -> io::Result<()>;

    /// Facts about the volume that holds this folder.
    fn volume(&self) -> io::Result<VolumeFacts>;

    /// Room for the current user.
    fn space(&self) -> io::Result<Space>;

    /// Symbolic links, where the backend has such a thing.
    fn as_symlinks(&self) -> Option<&dyn Symlinks> {
        None
    }

    /// Second names of files, where the backend has such a thing.
    fn as_hard_links(&self) -> Option<&dyn HardLinks> {
        None
    }

    /// The recycle bin, where the backend has such a thing.
    fn as_recycle(&self) -> Option<&dyn Recycle> {
        None
    }

    /// What would be refused, where the backend can ask.
    fn as_access_check(&self) -> Option<&dyn AccessCheck> {
        None
    }

    /// The sync of a whole volume, where the backend has such a thing.
    fn as_volume_sync(&self) -> Option<&dyn VolumeSync> {
        None
    }

    /// What the volume is known by when it comes again, where the backend has such a thing.
    fn as_volume_identity(&self) -> Option<&dyn VolumeIdentity> {
        None
    }

    /// The system's own copy, where the backend has such a thing.
    fn as_native_copy(&self) -> Option<&dyn NativeCopy> {
        None
    }
}

/// An open file. Offsets and sizes are bytes.
pub trait File: Handle {
    /// Reads at `offset`; 0 means the end. May return less than asked.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`. May write less than asked; 0 is an error of the system.
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize>;

    /// Hints to the cache, where the system takes any.
    fn as_cache_hints(&self) -> Option<&dyn CacheHints> {
        None
    }

    /// Writes past the cache, where the backend has such a thing.
    fn as_write_past_cache(&self) -> Option<&dyn WritePastCache> {
        None
    }

    /// Emptying the cache of this file, where the backend has such a thing.
    fn as_evict(&self) -> Option<&dyn Evict> {
        None
    }

    /// Advisory locks, where the backend has such a thing.
    fn as_locks(&self) -> Option<&dyn Locks> {
        None
    }

    /// Knowledge of holes, where the backend has such a thing.
    fn as_holes(&self) -> Option<&dyn Holes> {
        None
    }

    /// Memory windows, where the backend has such a thing.
    fn as_map(&self) -> Option<&dyn Map> {
        None
    }
}

/// Reads from `offset` on until the buffer is full or the file ends; returns how many bytes there were. A system that claims
/// to have read more than there was room for is an error.
pub fn read_full(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64)? {
            0 => break,
            n if n > buffer.len() - filled => {
                return Err(io::Error::other("the system says it read more than there was room for"));
            }
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Writes the whole buffer at `offset`. A system that claims to have written more than it was given is an error.
pub fn write_all_at(file: &dyn File, mut buffer: &[u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.write_at(buffer, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n if n > buffer.len() => {
                return Err(io::Error::other("the system says it wrote more than it was given"));
            }
            n => {
                buffer = &buffer[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

impl Kind {
    /// Files, folders and links are copied; everything else is reported and left.
    pub fn is_copied(self) -> bool {
        self != Self::Other
    }
}
