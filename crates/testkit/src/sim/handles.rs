//! Open folders and files of the simulated disk: the traits of `fcs-sys` over [`DiskState`].

use std::any::Any;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fcs_sys::{
    Access, AccessCheck, Attributes, CaseRule, CreatedTime, Dir, DirRef, Evict, Eviction, File, FileRef,
    Handle, HardLinks, Holes, Kind, LinkTarget, Listed, Locks, Map, Metadata, Name, NameUnits, Owner, Owners,
    Place, Rename, Space, Symlinks, Times, VolumeFacts, VolumeSync, Window, Xattrs,
};

use super::inode::{Body, Content, Folder, Key, Label};
use super::state::{DiskState, ROOT, errno};

/// The mounted disk, shared by all its handles.
pub(super) struct Disk(Mutex<DiskState>);

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a simulated disk")
    }
}

impl Disk {
    pub(super) fn new(state: DiskState) -> Arc<Self> {
        Arc::new(Self(Mutex::new(state)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an inode alive, named or not, until dropped.
#[derive(Debug)]
struct OpenInode {
    disk: Arc<Disk>,
    key: Key,
    handle: u64,
}

impl OpenInode {
    fn new(disk: &Arc<Disk>, state: &mut DiskState, key: Key) -> Self {
        Self { disk: Arc::clone(disk), key, handle: state.open(key) }
    }
}

impl Drop for OpenInode {
    fn drop(&mut self) {
        self.disk.lock().close(self.key, self.handle);
    }
}

#[derive(Debug)]
struct SimDir(OpenInode);

#[derive(Debug)]
struct SimFile {
    open: OpenInode,
    writable: bool,
    uncached: bool,
}

/// The root folder as a handle.
pub(super) fn root(disk: &Arc<Disk>) -> DirRef {
    let open = OpenInode::new(disk, &mut disk.lock(), ROOT);
    Arc::new(SimDir(open))
}

macro_rules! handle {
    ($type:ty, $self:ident, $open:expr) => {
        impl Handle for $type {
            fn as_any(&self) -> &dyn Any {
                self
            }
            fn metadata(&$self) -> io::Result<Metadata> {
                Ok($open.disk.lock().metadata($open.key))
            }
            fn set_times(&$self, times: Times) -> io::Result<()> {
                $open.disk.lock().set_times($open.key, times)
            }
            fn set_attributes(&$self, attributes: Attributes) -> io::Result<()> {
                $open.disk.lock().change($open.key, "set mode of", |inode| {
                    inode.mode = attributes.0 & 0o7777;
                    Ok(())
                })
            }
            fn sync(&$self) -> io::Result<()> {
                $open.disk.lock().sync($open.key);
                Ok(())
            }
            fcs_sys::has!(as_xattrs: Xattrs, as_owners: Owners);
        }

        impl Owners for $type {
            fn set_owner(&$self, owner: Owner) -> io::Result<()> {
                $open.disk.lock().set_owner($open.key, owner)
            }
        }

        impl Xattrs for $type {
            fn xattrs(&$self) -> io::Result<Vec<Vec<u8>>> {
                Ok($open.disk.lock().get($open.key).xattrs.keys().cloned().collect())
            }
            fn xattr(&$self, name: &[u8]) -> io::Result<Vec<u8>> {
                let state = $open.disk.lock();
                state.get($open.key).xattrs.get(name).cloned().ok_or_else(|| errno(libc::ENODATA))
            }
            fn set_xattr(&$self, name: &[u8], value: &[u8]) -> io::Result<()> {
                let mut state = $open.disk.lock();
                if !state.options.xattrs {
                    return Err(errno(libc::EOPNOTSUPP));
                }
                state.change($open.key, "set an attribute of", |inode| {
                    Arc::make_mut(&mut inode.xattrs).insert(name.to_vec(), value.to_vec());
                    Ok(())
                })
            }
            fn remove_xattr(&$self, name: &[u8]) -> io::Result<()> {
                $open.disk.lock().change($open.key, "remove an attribute of", |inode| {
                    let found = Arc::make_mut(&mut inode.xattrs).remove(name);
                    found.map(drop).ok_or_else(|| errno(libc::ENODATA))
                })
            }
        }
    };
}

handle!(SimDir, self, self.0);
handle!(SimFile, self, self.open);

impl SimDir {
    /// Another folder of the same disk.
    fn beside(&self, dir: &dyn Dir) -> io::Result<Key> {
        match dir.as_any().downcast_ref::<Self>() {
            Some(other) if Arc::ptr_eq(&other.0.disk, &self.0.disk) => Ok(other.0.key),
            _ => Err(errno(libc::EXDEV)),
        }
    }

    fn file(&self, state: &mut DiskState, key: Key, access: Access) -> FileRef {
        Arc::new(SimFile {
            open: OpenInode::new(&self.0.disk, state, key),
            writable: access == Access::ReadWrite,
            uncached: access == Access::ReadUncached,
        })
    }
}

impl Dir for SimDir {
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()> {
        // Copied first: the sink may ask this disk something.
        let names: Vec<Label> = {
            let state = self.0.disk.lock();
            match state.get(self.0.key) {
                // The Unix backend opens `.` anew, which a removed folder no longer has.
                removed if removed.links == 0 => return Err(errno(libc::ENOENT)),
                inode => inode.folder().iter().flat_map(|f| &f.entries).map(|(l, _)| Arc::clone(l)).collect(),
            }
        };
        names.iter().for_each(|name| sink(Listed { name, metadata: None }));
        Ok(())
    }

    fn stat(&self, name: &Name) -> io::Result<Metadata> {
        let state = self.0.disk.lock();
        let key = state.lookup(self.0.key, name.as_bytes())?;
        Ok(state.metadata(key))
    }

    fn open_dir(&self, name: &Name) -> io::Result<DirRef> {
        let mut state = self.0.disk.lock();
        let key = state.lookup(self.0.key, name.as_bytes())?;
        if !state.get(key).is_folder() {
            return Err(errno(libc::ENOTDIR));
        }
        Ok(Arc::new(Self(OpenInode::new(&self.0.disk, &mut state, key))))
    }

    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef> {
        let mut state = self.0.disk.lock();
        let key = state.lookup(self.0.key, name.as_bytes())?;
        match state.get(key).kind() {
            Kind::File => {}
            Kind::Folder => return Err(errno(libc::EISDIR)),
            _ => return Err(errno(libc::ELOOP)),
        }
        if access == Access::ReadWrite {
            state.may_write()?;
        }
        Ok(self.file(&mut state, key, access))
    }

    fn create_file(&self, name: &Name) -> io::Result<FileRef> {
        let mut state = self.0.disk.lock();
        let body = Body::File(Content::default());
        let key = state.create("create", self.0.key, name.as_bytes(), 0o600, body)?;
        Ok(self.file(&mut state, key, Access::ReadWrite))
    }

    fn create_dir(&self, name: &Name) -> io::Result<()> {
        let body = Body::Folder(Folder { entries: Vec::new(), parent: self.0.key });
        self.0.disk.lock().create("mkdir", self.0.key, name.as_bytes(), 0o700, body).map(drop)
    }

    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()> {
        let to_dir = self.beside(to_dir)?;
        self.0.disk.lock().rename((self.0.key, from.as_bytes()), (to_dir, to.as_bytes()), how)
    }

    fn remove_file(&self, name: &Name) -> io::Result<()> {
        self.0.disk.lock().remove(self.0.key, name.as_bytes(), false)
    }

    fn remove_dir(&self, name: &Name) -> io::Result<()> {
        self.0.disk.lock().remove(self.0.key, name.as_bytes(), true)
    }

    fn volume(&self) -> io::Result<VolumeFacts> {
        let state = self.0.disk.lock();
        Ok(VolumeFacts {
            id: state.volume,
            file_system: state.options.file_system.clone(),
            place: Place::Local,
            read_only: state.options.read_only,
            case: if state.options.ignores_case { CaseRule::Insensitive } else { CaseRule::Sensitive },
            time_granularity_nanos: state.options.time_granularity_nanos.max(1),
            created: if state.options.created { CreatedTime::Settable } else { CreatedTime::ReadOnly },
            max_name: 255,
            name_units: NameUnits::Bytes,
            sync_volume: state.options.sync_volume,
            device_reread: true,
            uncached_reads_device: state.options.uncached_reads_device,
            in_metadata_max_bytes: 0,
            max_file_bytes: u64::MAX,
            lasting_numbers: state.options.lasting_numbers,
        })
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.0.disk.lock();
        let total = state.options.limit_bytes.unwrap_or(1 << 40);
        Ok(Space { free: total.saturating_sub(state.used), total, free_items: None })
    }

    // No `NativeCopy`: through a buffer each write is a state in which the power can go.
    fcs_sys::has!(
        as_symlinks: Symlinks,
        as_hard_links: HardLinks,
        as_access_check: AccessCheck,
        as_volume_sync: VolumeSync,
    );
}

impl Symlinks for SimDir {
    fn create_symlink(&self, name: &Name, target: &LinkTarget) -> io::Result<()> {
        if target.text.is_empty() {
            return Err(errno(libc::ENOENT));
        }
        let body = Body::Link(target.text.as_slice().into());
        self.0.disk.lock().create("symlink", self.0.key, name.as_bytes(), 0o777, body).map(drop)
    }

    fn read_link(&self, name: &Name) -> io::Result<LinkTarget> {
        let state = self.0.disk.lock();
        let key = state.lookup(self.0.key, name.as_bytes())?;
        match &state.get(key).body {
            Body::Link(text) => Ok(LinkTarget { text: text.to_vec(), to_folder: false }),
            _ => Err(errno(libc::EINVAL)),
        }
    }

    fn set_link_times(&self, name: &Name, times: Times) -> io::Result<()> {
        let mut state = self.0.disk.lock();
        let key = state.lookup(self.0.key, name.as_bytes())?;
        state.set_times(key, times)
    }

    fn set_link_owner(&self, name: &Name, owner: Owner) -> io::Result<()> {
        let mut state = self.0.disk.lock();
        let key = state.lookup(self.0.key, name.as_bytes())?;
        state.set_owner(key, owner)
    }
}

impl HardLinks for SimDir {
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()> {
        let to_dir = self.beside(to_dir)?;
        self.0.disk.lock().hard_link(self.0.key, from.as_bytes(), to_dir, to.as_bytes())
    }
}

impl AccessCheck for SimDir {
    fn may_change(&self) -> io::Result<bool> {
        Ok(self.0.disk.lock().may_write().is_ok())
    }

    fn holders(&self, _path: &std::path::Path) -> Vec<String> {
        self.0.disk.lock().options.holders.clone()
    }
}

impl VolumeSync for SimDir {
    fn sync_volume(&self) -> io::Result<()> {
        let mut state = self.0.disk.lock();
        if !state.options.sync_volume {
            return Err(io::ErrorKind::Unsupported.into());
        }
        state.sync_volume();
        Ok(())
    }
}

impl SimFile {
    /// What this handle reads: the cache, or past it.
    fn bytes(&self, state: &DiskState) -> io::Result<Arc<Vec<u8>>> {
        let content = state.get(self.open.key).content().ok_or_else(|| errno(libc::EISDIR))?;
        // A read past the cache has dirty pages written out first.
        let past = self.uncached && state.options.uncached_reads_device;
        Ok(Arc::clone(if past { content.newest() } else { &content.cached }))
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.bytes(&self.open.disk.lock())?;
        let Some(rest) = usize::try_from(offset).ok().and_then(|from| bytes.get(from..)) else {
            return Ok(0);
        };
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        if !self.writable {
            return Err(errno(libc::EBADF));
        }
        self.open.disk.lock().write(self.open.key, buffer, offset)
    }

    fcs_sys::has!(as_evict: Evict, as_locks: Locks, as_holes: Holes, as_map: Map);
}

impl Evict for SimFile {
    fn evict(&self) -> io::Result<Eviction> {
        if self.open.disk.lock().evict(self.open.key) {
            Ok(Eviction::Proven)
        } else {
            Ok(Eviction::Unproven("pages not yet written to the device stay"))
        }
    }
}

impl Locks for SimFile {
    fn try_lock(&self) -> io::Result<bool> {
        let mut state = self.open.disk.lock();
        let lock = &mut state.live[self.open.key].lock;
        let holder = *lock.get_or_insert(self.open.handle);
        Ok(holder == self.open.handle)
    }

    fn is_locked(&self) -> io::Result<bool> {
        let holder = self.open.disk.lock().live[self.open.key].lock;
        Ok(holder.is_some_and(|holder| holder != self.open.handle))
    }
}

impl Holes for SimFile {
    fn has_holes(&self) -> io::Result<bool> {
        Ok(self.open.disk.lock().get(self.open.key).content().is_some_and(|content| content.holes))
    }
}

impl Map for SimFile {
    fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>> {
        if bytes == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let all = self.bytes(&self.open.disk.lock())?;
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        match from.checked_add(bytes) {
            Some(end) if end <= all.len() => Ok(Box::new(SimWindow { all, from, bytes })),
            // The Unix backend gets EFAULT from the kernel and says this.
            _ => Err(errno(libc::EIO)),
        }
    }
}

/// A window over the file as it was when mapped. A real one would show later writes; the engine compares only files
/// that must not change, and finds out by their times if they do.
struct SimWindow {
    all: Arc<Vec<u8>>,
    from: usize,
    bytes: usize,
}

impl Window for SimWindow {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn size(&self) -> usize {
        self.bytes
    }

    fn copy_out(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        let window = &self.all[self.from..self.from + self.bytes];
        let end = offset.checked_add(buffer.len()).ok_or(io::ErrorKind::InvalidInput)?;
        buffer.copy_from_slice(window.get(offset..end).ok_or(io::ErrorKind::InvalidInput)?);
        Ok(())
    }
}
