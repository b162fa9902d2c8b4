//! A backend around another one: sees every call before it happens, and may let it fail, lie, or let something else
//! happen first.
//!
//! A test gives a script, a function from [`Event`] to [`Act`]. Because the engine reaches a disk only through
//! [`Dir`] and [`File`], a script sees everything the engine does, in order; counting calls and bytes, failing the
//! third write, or changing a source between two reads are all the same mechanism.
//!
//! Invariant: with a script that always says [`Act::Go`] the wrapped backend behaves as the bare one, with two
//! exceptions, so that a script sees them: native copies are split into reads and writes, and a listing tells names
//! only, so that each item is asked for.
//!
//! [`wrap_like_ntfs`] is another one: it adds what NTFS has and other file systems lack.

#[cfg(unix)]
mod ntfs;

use std::any::Any;
use std::io;
use std::sync::Arc;

use fcs_sys::{
    Access, AccessCheck, Attributes, CacheHints, CopyIn, CopyMethod, CopyOptions, Dir, DirRef, Evict,
    Eviction, File, FileId, FileRef, Handle, HardLinks, Holes, LinkTarget, Listed, Locks, Map, Metadata,
    Name, NativeCopy, Owner, Owners, Recycle, RelPath, Rename, Root, Space, Stream, Streams, Symlinks, Tick,
    Time, Times, VolumeFacts, VolumeIdentity, VolumeSync, Window, WritePastCache, Xattrs, copy_in_by_chunks,
};

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Call {
    List,
    Stat,
    OpenDir,
    OpenFile,
    OpenUncached,
    OpenWritable,
    CreateFile,
    CreateDir,
    CreateSymlink,
    ReadLink,
    SetLinkTimes,
    SetLinkOwner,
    RenameNoReplace,
    RenameExchange,
    RenameReplace,
    HardLink,
    RemoveFile,
    RemoveDir,
    Recycle,
    MayChange,
    SyncVolume,
    Volume,
    Space,
    Metadata,
    SetTimes,
    SetAttributes,
    SetOwner,
    Xattrs,
    Xattr,
    SetXattr,
    RemoveXattr,
    Streams,
    OpenStream,
    CreateStream,
    RemoveStream,
    Sync,
    Read,
    Write,
    StartWriteback,
    WaitWriteback,
    Evict,
    TryLock,
    HasHoles,
    Map,
}

impl Call {
    /// Every call, for sweeps.
    pub const ALL: &'static [Self] = &[
        Self::List,
        Self::Stat,
        Self::OpenDir,
        Self::OpenFile,
        Self::OpenUncached,
        Self::OpenWritable,
        Self::CreateFile,
        Self::CreateDir,
        Self::CreateSymlink,
        Self::ReadLink,
        Self::SetLinkTimes,
        Self::SetLinkOwner,
        Self::RenameNoReplace,
        Self::RenameExchange,
        Self::RenameReplace,
        Self::HardLink,
        Self::RemoveFile,
        Self::RemoveDir,
        Self::Recycle,
        Self::MayChange,
        Self::SyncVolume,
        Self::Volume,
        Self::Space,
        Self::Metadata,
        Self::SetTimes,
        Self::SetAttributes,
        Self::SetOwner,
        Self::Xattrs,
        Self::Xattr,
        Self::SetXattr,
        Self::RemoveXattr,
        Self::Streams,
        Self::OpenStream,
        Self::CreateStream,
        Self::RemoveStream,
        Self::Sync,
        Self::Read,
        Self::Write,
        Self::StartWriteback,
        Self::WaitWriteback,
        Self::Evict,
        Self::TryLock,
        Self::HasHoles,
        Self::Map,
    ];
}

/// One call about to happen.
#[derive(Debug)]
pub struct Event<'a> {
    /// The label given to [`wrap`].
    pub side: &'static str,
    /// Which call.
    pub call: Call,
    /// The item concerned, below the root; for renames the old name.
    pub path: &'a RelPath,
    /// Where a read, write or map begins; 0 for other calls.
    pub offset: u64,
    /// Bytes to be read, written or mapped; 0 for other calls.
    pub bytes: usize,
}

/// What a script decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The call happens.
    Go,
    /// The call fails with this error code and does nothing.
    Fail(i32),
    /// The call claims success and does nothing: a write that is lost, a sync or an eviction that never was.
    Lie,
    /// A read or write moves one byte only.
    Short,
    /// A read or write moves the bytes with one bit of the first changed.
    Flip,
    /// Metadata says that the content lives elsewhere and reading would fetch it.
    Elsewhere,
    /// Metadata gives the number of the place, as on FAT in Windows: a renamed item has another one.
    NumberOfPlace,
}

/// Decides what happens at each call. Called from the engine's threads.
pub type Script = Arc<dyn Fn(&Event<'_>) -> Act + Send + Sync>;

struct Shared {
    side: &'static str,
    script: Script,
    /// Open files are the backend's own, whose calls no script sees.
    bare_files: bool,
    /// Where streams are kept that the wrapped backend has not.
    #[cfg(unix)]
    streams: Option<ntfs::Streams>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.side)
    }
}

impl Shared {
    #[cfg(unix)]
    fn streams(&self) -> Option<&ntfs::Streams> {
        self.streams.as_ref()
    }

    #[cfg(not(unix))]
    fn streams(&self) -> Option<&std::convert::Infallible> {
        let _ = self;
        None
    }

    fn ask(&self, call: Call, path: &RelPath, offset: u64, bytes: usize) -> Act {
        (self.script)(&Event { side: self.side, call, path, offset, bytes })
    }

    /// Runs `call` unless the script says otherwise; `lied` is what a lie returns.
    fn run<T>(
        &self,
        call: Call,
        path: &RelPath,
        lied: impl FnOnce() -> io::Result<T>,
        run: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.ask(call, path, 0, 0) {
            Act::Fail(code) => Err(io::Error::from_raw_os_error(code)),
            Act::Lie => lied(),
            _ => run(),
        }
    }

    fn metadata(
        &self,
        call: Call,
        path: &RelPath,
        run: impl FnOnce() -> io::Result<Metadata>,
    ) -> io::Result<Metadata> {
        match self.ask(call, path, 0, 0) {
            Act::Fail(code) => Err(io::Error::from_raw_os_error(code)),
            Act::Elsewhere => Ok(Metadata { placeholder: true, allocated: 0, ..run()? }),
            Act::NumberOfPlace => {
                use std::hash::{DefaultHasher, Hash, Hasher};
                let now = run()?;
                let mut place = DefaultHasher::new();
                path.as_bytes().hash(&mut place);
                let id = FileId { file: place.finish(), file_high: FileId::OF_PLACE, ..now.id };
                Ok(Metadata { id, ..now })
            }
            _ => run(),
        }
    }
}

/// Wraps a root so that `script` sees every call below it.
pub fn wrap(root: &Root, side: &'static str, script: Script) -> Root {
    let shared = Shared {
        side,
        script,
        bare_files: false,
        #[cfg(unix)]
        streams: None,
    };
    wrap_shared(root, shared)
}

/// As [`wrap`], but `script` sees what is asked of folders alone: open files are the backend's own, which it may treat
/// in ways that it has for no others.
pub fn wrap_folders(root: &Root, side: &'static str, script: Script) -> Root {
    let shared = Shared {
        side,
        script,
        bare_files: true,
        #[cfg(unix)]
        streams: None,
    };
    wrap_shared(root, shared)
}

/// As [`wrap`], for a volume that has what NTFS has: named streams, in memory for as long as the root is open, writing
/// to which moves the times of their item; and a native copy that brings them along, and that removes the part it
/// made when it is told to stop.
#[cfg(unix)]
pub fn wrap_like_ntfs(root: &Root, side: &'static str, script: Script) -> Root {
    wrap_shared(root, Shared { side, script, bare_files: false, streams: Some(ntfs::Streams::new()) })
}

fn wrap_shared(root: &Root, shared: Shared) -> Root {
    let shared = Arc::new(shared);
    let dir = FaultyDir { inner: Arc::clone(&root.dir), path: RelPath::root(), shared };
    Root { dir: Arc::new(dir), path: root.path.clone() }
}

/// A lie that would need a made-up value: the call happens after all.
macro_rules! no_lie {
    ($e:expr) => {
        || $e
    };
}

#[derive(Debug)]
struct FaultyDir {
    inner: DirRef,
    path: RelPath,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct FaultyFile {
    inner: FileRef,
    path: RelPath,
    shared: Arc<Shared>,
    /// What this is a stream of, in a store of our own.
    of: Option<Arc<dyn Handle>>,
}

macro_rules! handle {
    ($type:ty) => {
        impl Handle for $type {
            fn as_any(&self) -> &dyn Any {
                self
            }
            fn metadata(&self) -> io::Result<Metadata> {
                self.shared.metadata(Call::Metadata, &self.path, || self.inner.metadata())
            }
            fn set_times(&self, times: Times) -> io::Result<()> {
                self.shared.run(Call::SetTimes, &self.path, || Ok(()), || self.inner.set_times(times))
            }
            fn set_attributes(&self, attributes: Attributes) -> io::Result<()> {
                let run = || self.inner.set_attributes(attributes);
                self.shared.run(Call::SetAttributes, &self.path, || Ok(()), run)
            }
            fn sync(&self) -> io::Result<()> {
                self.shared.run(Call::Sync, &self.path, || Ok(()), || self.inner.sync())
            }
            fcs_sys::has!(as_xattrs: Xattrs, as_streams: Streams, as_owners: Owners);
        }

        impl Owners for $type {
            fn set_owner(&self, owner: Owner) -> io::Result<()> {
                self.shared.run(Call::SetOwner, &self.path, || Ok(()), || self.inner.set_owner(owner))
            }
        }

        impl Xattrs for $type {
            fn xattrs(&self) -> io::Result<Vec<Vec<u8>>> {
                self.shared.run(Call::Xattrs, &self.path, || Ok(Vec::new()), || self.inner.xattrs())
            }
            fn xattr(&self, name: &[u8]) -> io::Result<Vec<u8>> {
                self.shared.run(Call::Xattr, &self.path, || Ok(Vec::new()), || self.inner.xattr(name))
            }
            fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
                let run = || self.inner.set_xattr(name, value);
                self.shared.run(Call::SetXattr, &self.path, || Ok(()), run)
            }
            fn remove_xattr(&self, name: &[u8]) -> io::Result<()> {
                self.shared.run(Call::RemoveXattr, &self.path, || Ok(()), || self.inner.remove_xattr(name))
            }
        }

        impl Streams for $type {
            fn streams(&self) -> io::Result<Vec<Stream>> {
                let run = || match self.shared.streams() {
                    #[cfg(unix)]
                    Some(store) => store.list(&*self.inner),
                    _ => self.inner.streams(),
                };
                self.shared.run(Call::Streams, &self.path, || Ok(Vec::new()), run)
            }
            fn open_stream(&self, name: &[u8], create: bool) -> io::Result<FileRef> {
                let run = || match self.shared.streams() {
                    #[cfg(unix)]
                    Some(store) => {
                        let item: Arc<dyn Handle> = self.inner.clone();
                        store.open(&*item, name, create).map(|file| (file, Some(item)))
                    }
                    _ => self.inner.open_stream(name, create).map(|file| (file, None)),
                };
                let call = if create { Call::CreateStream } else { Call::OpenStream };
                let (inner, of) = self.shared.run(call, &self.path, run, run)?;
                let path = stream_path(&self.path, name);
                Ok(Arc::new(FaultyFile { inner, path, shared: Arc::clone(&self.shared), of }))
            }
            fn remove_stream(&self, name: &[u8]) -> io::Result<()> {
                let run = || match self.shared.streams() {
                    #[cfg(unix)]
                    Some(store) => store.remove(&*self.inner, name),
                    _ => self.inner.remove_stream(name),
                };
                self.shared.run(Call::RemoveStream, &self.path, || Ok(()), run)
            }
        }
    };
}

handle!(FaultyDir);
handle!(FaultyFile);

/// How a script sees a stream: as Windows writes it, `file:stream`.
fn stream_path(item: &RelPath, stream: &[u8]) -> RelPath {
    let (above, last) =
        item.split().map_or((RelPath::root(), Vec::new()), |(a, n)| (a, n.as_bytes().to_vec()));
    let label = Name::new([&last[..], b":", stream].concat());
    label.map_or_else(|_| item.clone(), |label| above.join(&label))
}

impl FaultyDir {
    fn file(&self, name: &Name, inner: FileRef) -> FileRef {
        if self.shared.bare_files {
            return inner;
        }
        let shared = Arc::clone(&self.shared);
        Arc::new(FaultyFile { inner, path: self.path.join(name), shared, of: None })
    }

    /// What `CopyFileExW` does, where `store` keeps the streams.
    #[cfg(unix)]
    fn copy_as_windows(
        &self,
        store: &ntfs::Streams,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn> {
        let file = self.create_file(name)?;
        let method = CopyMethod::Kernel;
        let (bytes, stopped) = copy_in_by_chunks(&*file, source, 0, options, tick)?;
        if stopped {
            drop(file);
            self.inner.remove_file(name)?;
            return Ok(CopyIn { file: None, bytes, method, stopped });
        }
        store.bring(source, &*self.inner.open_file(name, Access::Read)?)?;
        Ok(CopyIn { file: Some(file), bytes, method, stopped })
    }

    fn on<T>(&self, call: Call, name: &Name, run: impl Fn() -> io::Result<T>) -> io::Result<T> {
        self.shared.run(call, &self.path.join(name), no_lie!(run()), &run)
    }

    fn quiet(&self, call: Call, name: &Name, run: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.shared.run(call, &self.path.join(name), || Ok(()), run)
    }
}

/// The backend below, if `dir` is wrapped.
fn bare(dir: &dyn Dir) -> &dyn Dir {
    dir.as_any().downcast_ref::<FaultyDir>().map_or(dir, |wrapped| &*wrapped.inner)
}

impl Dir for FaultyDir {
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()> {
        let mut names_only = |listed: Listed<'_>| sink(Listed { metadata: None, ..listed });
        self.shared.run(Call::List, &self.path, || Ok(()), || self.inner.list(&mut names_only))
    }
    fn stat(&self, name: &Name) -> io::Result<Metadata> {
        self.shared.metadata(Call::Stat, &self.path.join(name), || self.inner.stat(name))
    }
    fn open_dir(&self, name: &Name) -> io::Result<DirRef> {
        let inner = self.on(Call::OpenDir, name, || self.inner.open_dir(name))?;
        Ok(Arc::new(Self { inner, path: self.path.join(name), shared: Arc::clone(&self.shared) }))
    }
    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef> {
        let call = match access {
            Access::Read => Call::OpenFile,
            Access::ReadUncached => Call::OpenUncached,
            Access::SetTimes | Access::ReadWrite => Call::OpenWritable,
        };
        let inner = self.on(call, name, || self.inner.open_file(name, access))?;
        Ok(self.file(name, inner))
    }
    fn create_file(&self, name: &Name) -> io::Result<FileRef> {
        let inner = self.on(Call::CreateFile, name, || self.inner.create_file(name))?;
        #[cfg(unix)]
        if let Some(store) = self.shared.streams() {
            store.forget(&*inner)?;
        }
        Ok(self.file(name, inner))
    }
    fn create_dir(&self, name: &Name) -> io::Result<()> {
        self.quiet(Call::CreateDir, name, || self.inner.create_dir(name))
    }
    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()> {
        let call = match how {
            Rename::NoReplace => Call::RenameNoReplace,
            Rename::Exchange => Call::RenameExchange,
            Rename::Replace => Call::RenameReplace,
        };
        self.quiet(call, from, || self.inner.rename(from, bare(to_dir), to, how))
    }
    fn remove_file(&self, name: &Name) -> io::Result<()> {
        self.quiet(Call::RemoveFile, name, || self.inner.remove_file(name))
    }
    fn remove_dir(&self, name: &Name) -> io::Result<()> {
        self.quiet(Call::RemoveDir, name, || self.inner.remove_dir(name))
    }
    fn volume(&self) -> io::Result<VolumeFacts> {
        let run = || self.inner.volume();
        self.shared.run(Call::Volume, &self.path, run, run)
    }
    fn space(&self) -> io::Result<Space> {
        let run = || self.inner.space();
        self.shared.run(Call::Space, &self.path, run, run)
    }

    // All of them, so that a script sees the calls that the backend below lacks, too.
    fcs_sys::has!(
        as_symlinks: Symlinks,
        as_hard_links: HardLinks,
        as_recycle: Recycle,
        as_access_check: AccessCheck,
        as_volume_sync: VolumeSync,
        as_volume_identity: VolumeIdentity,
        as_native_copy: NativeCopy,
    );
}

impl Symlinks for FaultyDir {
    fn create_symlink(&self, name: &Name, target: &LinkTarget) -> io::Result<()> {
        self.quiet(Call::CreateSymlink, name, || self.inner.create_symlink(name, target))
    }
    fn read_link(&self, name: &Name) -> io::Result<LinkTarget> {
        self.on(Call::ReadLink, name, || self.inner.read_link(name))
    }
    fn set_link_times(&self, name: &Name, times: Times) -> io::Result<()> {
        self.quiet(Call::SetLinkTimes, name, || self.inner.set_link_times(name, times))
    }
    fn set_link_owner(&self, name: &Name, owner: Owner) -> io::Result<()> {
        self.quiet(Call::SetLinkOwner, name, || self.inner.set_link_owner(name, owner))
    }
}

impl HardLinks for FaultyDir {
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()> {
        self.quiet(Call::HardLink, from, || self.inner.hard_link(from, bare(to_dir), to))
    }
}

impl Recycle for FaultyDir {
    fn recycle(&self, path: &std::path::Path, name: &Name) -> io::Result<()> {
        self.quiet(Call::Recycle, name, || self.inner.recycle(path, name))
    }
}

impl AccessCheck for FaultyDir {
    fn may_change(&self) -> io::Result<bool> {
        self.shared.run(Call::MayChange, &self.path, || Ok(true), || self.inner.may_change())
    }
    fn may_move(&self, name: &Name) -> io::Result<()> {
        self.inner.may_move(name)
    }
    fn holders(&self, path: &std::path::Path) -> Vec<String> {
        self.inner.holders(path)
    }
}

impl VolumeSync for FaultyDir {
    fn sync_volume(&self) -> io::Result<()> {
        self.shared.run(Call::SyncVolume, &self.path, || Ok(()), || self.inner.sync_volume())
    }
}

impl VolumeIdentity for FaultyDir {
    fn volume_identity(&self) -> io::Result<Option<String>> {
        self.inner.volume_identity()
    }
}

impl NativeCopy for FaultyDir {
    fn copy_in(
        &self,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn> {
        #[cfg(unix)]
        if let Some(store) = self.shared.streams() {
            return self.copy_as_windows(store, name, source, options, tick);
        }
        let file = self.create_file(name)?;
        let (bytes, stopped) = copy_in_by_chunks(&*file, source, 0, options, tick)?;
        Ok(CopyIn { file: Some(file), bytes, method: CopyMethod::Buffered, stopped })
    }
}

impl FaultyFile {
    /// Runs a call that moves bytes; `moved` does the real thing with as many bytes as the script lets through.
    fn quiet(
        &self,
        call: Call,
        offset: u64,
        bytes: u64,
        run: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        match self.shared.ask(call, &self.path, offset, bytes as usize) {
            Act::Fail(code) => Err(io::Error::from_raw_os_error(code)),
            Act::Lie => Ok(()),
            _ => run(),
        }
    }
}

impl File for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let act = self.shared.ask(Call::Read, &self.path, offset, buffer.len());
        match act {
            Act::Fail(code) => Err(io::Error::from_raw_os_error(code)),
            Act::Lie => {
                buffer.fill(0);
                Ok(buffer.len())
            }
            Act::Short if !buffer.is_empty() => self.inner.read_at(&mut buffer[..1], offset),
            _ => {
                let n = self.inner.read_at(buffer, offset)?;
                if act == Act::Flip && n > 0 {
                    buffer[0] ^= 1;
                }
                Ok(n)
            }
        }
    }
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        let act = self.shared.ask(Call::Write, &self.path, offset, buffer.len());
        if let Some(item) = &self.of {
            item.set_times(Times { modified: Some(Time::now()), created: None })?;
        }
        match act {
            Act::Fail(code) => Err(io::Error::from_raw_os_error(code)),
            Act::Lie => Ok(buffer.len()),
            Act::Short if !buffer.is_empty() => self.inner.write_at(&buffer[..1], offset),
            Act::Flip if !buffer.is_empty() => {
                // As well aligned as what it stands for: it may go past the cache.
                let mut changed = fcs_sys::AlignedBuffer::new(buffer.len());
                changed.copy_from_slice(buffer);
                changed[0] ^= 1;
                self.inner.write_at(&changed, offset)
            }
            _ => self.inner.write_at(buffer, offset),
        }
    }

    fcs_sys::has!(as_cache_hints: CacheHints, as_evict: Evict, as_locks: Locks, as_holes: Holes, as_map: Map);
    fn as_write_past_cache(&self) -> Option<&dyn WritePastCache> {
        // What stands for Windows copies as Windows does.
        let like_ntfs = self.shared.streams().is_some();
        self.inner.as_write_past_cache().filter(|_| !like_ntfs).map(|_| self as _)
    }
}

impl WritePastCache for FaultyFile {
    fn write_past_cache(&self, past: bool) -> io::Result<()> {
        self.inner.write_past_cache(past)
    }
}

impl CacheHints for FaultyFile {
    fn start_writeback(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.quiet(Call::StartWriteback, offset, bytes, || self.inner.start_writeback(offset, bytes))
    }
    fn wait_writeback(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.quiet(Call::WaitWriteback, offset, bytes, || self.inner.wait_writeback(offset, bytes))
    }
    fn prefetch(&self, offset: u64, bytes: u64) {
        self.inner.prefetch(offset, bytes);
    }
}

impl Evict for FaultyFile {
    fn evict(&self) -> io::Result<Eviction> {
        self.shared.run(Call::Evict, &self.path, || Ok(Eviction::Proven), || self.inner.evict())
    }
    fn cached_bytes(&self) -> io::Result<Option<u64>> {
        self.inner.cached_bytes()
    }
    fn is_in_metadata(&self) -> io::Result<bool> {
        self.inner.is_in_metadata()
    }
}

impl Locks for FaultyFile {
    fn try_lock(&self) -> io::Result<bool> {
        self.shared.run(Call::TryLock, &self.path, || Ok(true), || self.inner.try_lock())
    }
    /// A script that refuses locks, or says that they are free, says so here too.
    fn is_locked(&self) -> io::Result<bool> {
        self.shared.run(Call::TryLock, &self.path, || Ok(false), || self.inner.is_locked())
    }
    fn has_no_writer(&self) -> io::Result<bool> {
        self.shared.run(Call::TryLock, &self.path, || Ok(false), || self.inner.has_no_writer())
    }
}

impl Holes for FaultyFile {
    fn has_holes(&self) -> io::Result<bool> {
        self.shared.run(Call::HasHoles, &self.path, || Ok(false), || self.inner.has_holes())
    }
}

impl Map for FaultyFile {
    fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>> {
        match self.shared.ask(Call::Map, &self.path, offset, bytes) {
            Act::Fail(code) => Err(io::Error::from_raw_os_error(code)),
            _ => self.inner.map(offset, bytes),
        }
    }
}
