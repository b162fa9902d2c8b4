//! The two traits on which all disk access hangs, and the small types they exchange.
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
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::{Attributes, Kind, LinkTarget, Metadata, Name, Owner, Space, Times, VolumeFacts};

/// A shared open folder.
pub type DirRef = Arc<dyn Dir>;
/// A shared open file.
pub type FileRef = Arc<dyn File>;

/// Called while a native copy runs, with the bytes copied so far; `Break` asks it to stop.
pub type Tick<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

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
    /// To set dates, and to sync them.
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

/// Whether a file's cached pages are gone, so that the next read comes from the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eviction {
    /// The system was asked and says no page of the file is cached.
    Proven,
    /// Some pages stay, or the system cannot tell; the text says why, for the report.
    Unproven(&'static str),
}

/// How bytes of a native copy travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyMethod {
    /// Inside the kernel (`copy_file_range`, `CopyFileExW`, `fcopyfile`).
    Kernel,
    /// Read and written through a buffer.
    Buffered,
    /// Both files share the same blocks on the device; nothing was copied.
    Shared,
}

/// Options of [`Dir::copy_in`].
#[derive(Debug, Clone, Copy)]
pub struct CopyOptions {
    /// Bytes to copy: the source's size when it was looked at.
    pub size: u64,
    /// Bytes between two calls of the tick, and the size of the fallback's buffer.
    pub chunk: usize,
    /// Allow a block clone.
    pub share_blocks: bool,
    /// Most bytes written but not yet handed to the device; 0 leaves that to the system.
    pub writeback_window: u64,
}

/// The result of a native copy.
#[derive(Debug)]
pub struct CopyIn {
    /// The new file, open for reading and writing. `None` only when stopped, where the system removes what it made
    /// when it is told to stop (`CopyFileExW`): the name is free again.
    pub file: Option<FileRef>,
    /// Bytes that arrived; less than asked if the source ended early.
    pub bytes: u64,
    /// How they travelled.
    pub method: CopyMethod,
    /// The tick asked to stop; the file, if it is still there, may hold only a part.
    pub stopped: bool,
}

/// A named data stream beside the main one (NTFS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The stream's name without colons, WTF-8.
    pub name: Vec<u8>,
    /// Bytes in it.
    pub size: u64,
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

    /// Sets owner and group; clears set-user-id bits on Unix, so attributes are set after it.
    fn set_owner(&self, owner: Owner) -> io::Result<()>;

    /// Names of the extended attributes; empty where there are none or the file system has no such thing.
    fn xattrs(&self) -> io::Result<Vec<Vec<u8>>>;

    /// The value of one extended attribute.
    fn xattr(&self, name: &[u8]) -> io::Result<Vec<u8>>;

    /// Sets one extended attribute.
    fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()>;

    /// Removes one extended attribute.
    fn remove_xattr(&self, name: &[u8]) -> io::Result<()>;

    /// Makes everything known about the item durable: content and metadata of a file, the entries of a folder.
    fn sync(&self) -> io::Result<()>;

    /// Named streams beside the main one; empty where the system has none.
    fn streams(&self) -> io::Result<Vec<Stream>> {
        Ok(Vec::new())
    }

    /// Opens a named stream to read, or with `create` to read and write, made empty if it is not there. Writing to a
    /// stream moves the item's times.
    fn open_stream(&self, _name: &[u8], _create: bool) -> io::Result<FileRef> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes a named stream.
    fn remove_stream(&self, _name: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
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

    /// Makes a file for reading and writing, accessible by its owner only (hidden on Windows). Fails if the name is
    /// taken. While this handle is open no other can be opened to write, where the system has such a thing (Windows).
    fn create_file(&self, name: &Name) -> io::Result<FileRef>;

    /// Makes a folder accessible by its owner only. Fails if the name is taken.
    fn create_dir(&self, name: &Name) -> io::Result<()>;

    /// Makes a symbolic link. Fails if the name is taken.
    fn create_symlink(&self, name: &Name, target: &LinkTarget) -> io::Result<()>;

    /// Where a symbolic link points.
    fn read_link(&self, name: &Name) -> io::Result<LinkTarget>;

    /// Sets times of a symbolic link itself.
    fn set_link_times(&self, name: &Name, times: Times) -> io::Result<()>;

    /// Sets the owner of a symbolic link itself.
    fn set_link_owner(&self, name: &Name, owner: Owner) -> io::Result<()>;

    /// Renames an entry into a folder of the same backend and volume. Its modified and created times stay as they are.
    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()>;

    /// Gives a file a second name. Fails if the name is taken.
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()>;

    /// Removes a file or link.
    fn remove_file(&self, name: &Name) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, name: &Name) -> io::Result<()>;

    /// Moves an item to the system's recycle bin. The systems take a path for this, not a handle, so `path` is the
    /// absolute path of this folder; what stands at the name is what goes. `Unsupported` where the volume has no bin.
    fn recycle(&self, _path: &Path, _name: &Name) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether the current user may make and remove names in this folder, as far as permissions tell. Changes nothing.
    fn may_change(&self) -> io::Result<bool>;

    /// Whether other programs let an item be renamed or removed, as far as that shows without trying; if not, the error
    /// of trying. Changes nothing. Where an open file keeps nobody from that (Unix), it is always so.
    fn may_move(&self, _name: &Name) -> io::Result<()> {
        Ok(())
    }

    /// The programs that have the item at `path` open, in words, for a message; the systems take a path for this, not a
    /// handle. Empty where the system does not tell or nobody has. Says nothing about the next moment, decides nothing,
    /// and may take a tenth of a second.
    fn holders(&self, _path: &Path) -> Vec<String> {
        Vec::new()
    }

    /// Makes every finished write on the whole volume durable. An error means some write since this handle was
    /// opened was lost. `Unsupported` where [`VolumeFacts::sync_volume`] is false.
    fn sync_volume(&self) -> io::Result<()>;

    /// Facts about the volume that holds this folder.
    fn volume(&self) -> io::Result<VolumeFacts>;

    /// Room for the current user.
    fn space(&self) -> io::Result<Space>;

    /// Makes the file `name` (fails if taken) and fills it with the content of `source` by the fastest means the
    /// system has. Content only; the engine sets metadata itself so that both strategies give the same file.
    ///
    /// On error the name may exist, unless the error is `AlreadyExists`; the caller removes it.
    fn copy_in(
        &self,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn> {
        let file = self.create_file(name)?;
        let (bytes, stopped) = copy_in_by_chunks(&*file, source, 0, options, tick)?;
        Ok(CopyIn { file: Some(file), bytes, method: CopyMethod::Buffered, stopped })
    }
}

/// An open file. Offsets and sizes are bytes.
pub trait File: Handle {
    /// Reads at `offset`; 0 means the end. May return less than asked.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`. May write less than asked; 0 is an error of the system.
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize>;

    /// Starts writing a range of cached bytes to the device without waiting for it. No promise of durability.
    fn start_writeback(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Waits until a range handed to [`File::start_writeback`] has left the cache. No promise of durability.
    fn wait_writeback(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Drops the file's pages from the cache and asks whether they are gone. Only meaningful after a sync: dirty
    /// pages stay, and so do pages that any process has mapped.
    fn evict(&self) -> io::Result<Eviction>;

    /// Whether the file system keeps the content among its own metadata (inline, in a shared tail): its cache of that
    /// cannot be emptied, so no read of such a file reaches the device. Only meaningful after a sync. An error where
    /// the file system does not tell.
    fn is_in_metadata(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Asks the system to read a range soon. Only a hint; errors are of no use to anybody.
    fn prefetch(&self, offset: u64, bytes: u64);

    /// Takes the file's advisory lock for this handle, until it is closed. `false` if another handle holds it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Whether another handle holds the file's advisory lock. Takes nothing, so that nobody is refused because somebody
    /// asked; on systems where one can only ask by trying, it takes a shared lock for a moment.
    fn is_locked(&self) -> io::Result<bool>;

    /// Whether the file has holes: ranges that read as zeros and take no room.
    fn has_holes(&self) -> io::Result<bool>;

    /// Maps a range for reading. Every page is brought in before this returns, so a device error shows here.
    /// `Unsupported` where the backend has no maps.
    fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>>;
}

/// A range of a file mapped into memory.
pub trait Window: Send {
    /// Lets a backend recognise its own windows.
    fn as_any(&self) -> &dyn Any;

    /// Bytes in the window.
    fn size(&self) -> usize;

    /// Copies out bytes from `offset` on. An error if a page could no longer be read.
    fn copy_out(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()>;

    /// The first offset, counted in the window, at which the bytes from `offset` on differ from `bytes`. An error if
    /// a page could no longer be read.
    fn first_difference_from(&self, offset: usize, bytes: &[u8]) -> io::Result<Option<usize>> {
        let mut mine = vec![0; bytes.len().min(64 << 10)];
        for (start, theirs) in (offset..).step_by(64 << 10).zip(bytes.chunks(64 << 10)) {
            let mine = &mut mine[..theirs.len()];
            self.copy_out(start, mine)?;
            if let Some(i) = mine.iter().zip(theirs).position(|(a, b)| a != b) {
                return Ok(Some(start + i));
            }
        }
        Ok(None)
    }

    /// The first offset in `offset .. offset + bytes` at which this window and `other` differ. An error if a page of
    /// either could no longer be read, in which case nothing is known about equality.
    fn first_difference(&self, other: &dyn Window, offset: usize, bytes: usize) -> io::Result<Option<usize>> {
        let mut mine = vec![0; 64 << 10];
        let mut theirs = vec![0; 64 << 10];
        let end = offset.checked_add(bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let mut at = offset;
        while at < end {
            let n = mine.len().min(end - at);
            self.copy_out(at, &mut mine[..n])?;
            other.copy_out(at, &mut theirs[..n])?;
            if let Some(i) = mine[..n].iter().zip(&theirs[..n]).position(|(a, b)| a != b) {
                return Ok(Some(at + i));
            }
            at += n;
        }
        Ok(None)
    }
}

/// Copies `options.size - from` bytes of `source` into `file` through a buffer, starting at offset `from`.
///
/// Returns the total bytes in `file` (including `from`) and whether the tick asked to stop. The end of the source
/// before `options.size` is not an error here: the caller compares fingerprints and knows what it means.
pub fn copy_in_by_chunks(
    file: &dyn File,
    source: &dyn File,
    from: u64,
    options: CopyOptions,
    tick: Tick<'_>,
) -> io::Result<(u64, bool)> {
    let longest = options.size.saturating_sub(from).min(options.chunk.max(1) as u64) as usize;
    let mut buffer = vec![0; longest];
    let mut at = from;
    while at < options.size {
        let want = buffer.len().min((options.size - at) as usize);
        let n = source.read_at(&mut buffer[..want], at)?;
        if n == 0 {
            break;
        }
        write_all_at(file, &buffer[..n], at)?;
        at += n as u64;
        if options.writeback_window > 0 {
            pace_writeback(file, at, n as u64, options.writeback_window)?;
        }
        if tick(at).is_break() {
            return Ok((at, true));
        }
    }
    Ok((at, false))
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

/// Keeps at most `window` bytes dirty behind a sequential writer: hands the newest `fresh` bytes before `end` to the
/// device and waits for the part that lies a window behind. Bounds both memory and the time of the final sync, in
/// which a cancel could not be seen.
pub fn pace_writeback(file: &dyn File, end: u64, fresh: u64, window: u64) -> io::Result<()> {
    file.start_writeback(end - fresh, fresh)?;
    if let Some(old_end) = end.checked_sub(window) {
        let old_start = old_end.saturating_sub(fresh);
        if old_end > old_start {
            file.wait_writeback(old_start, old_end - old_start)?;
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
