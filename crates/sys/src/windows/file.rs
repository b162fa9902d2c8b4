//! An open file on Windows.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0};
use windows_sys::Win32::System::Ioctl;

use super::window::WindowsWindow;
use super::{handle, nt, stream, volume};
use crate::buffer::{ALIGNMENT, AlignedBuffer};
use crate::{Evict, Eviction, File, Holes, Locks, Map, OsReason, Window, reason};

/// Where the advisory lock lies: one byte that no file reaches. Locks are mandatory on Windows, so a lock on what is
/// really there would keep others from reading who holds it.
pub const LOCK_OFFSET: u64 = 0x7FFF_FFFF_FFFF_0000;
/// The most that one call is asked for; its length is a number of 32 bits.
const MOST_AT_ONCE: usize = 1 << 30;

/// A file held by its handle.
#[derive(Debug)]
pub(super) struct WindowsFile {
    pub(super) handle: OwnedHandle,
    /// Opened past the cache: reads must be aligned.
    uncached: bool,
}

handle::impl_handle!(WindowsFile);

impl WindowsFile {
    /// Takes a lock; `false` if another handle has one that excludes it.
    fn lock(&self, flags: u32) -> io::Result<bool> {
        let mut place = at(LOCK_OFFSET);
        // SAFETY: the handle is synchronous, so the call ends before the offset goes.
        #[allow(unsafe_code)]
        let locked = nt::succeed(unsafe {
            fs::LockFileEx(self.handle.as_raw_handle(), flags, 0, 1, 0, &raw mut place)
        });
        match locked {
            Ok(()) => Ok(true),
            Err(e)
                if matches!(
                    e.raw_os_error().map(|code| code as u32),
                    Some(f::ERROR_LOCK_VIOLATION | f::ERROR_IO_PENDING)
                ) =>
            {
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    pub(super) fn new(handle: OwnedHandle) -> Self {
        Self { handle, uncached: false }
    }

    /// For a file opened without buffering. `Unsupported` where the device's sectors are larger than our alignment,
    /// and where reads would come from the file's record or the file system's cache.
    pub(super) fn uncached(handle: OwnedHandle) -> io::Result<Self> {
        // Where it cannot be asked (older servers), 4096 suits every sector there is.
        let sector = nt::query::<fs::FILE_STORAGE_INFO>(handle.as_handle())
            .map_or(0, |info| info.LogicalBytesPerSector as usize);
        if sector > ALIGNMENT {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // NTFS reads what it has compressed or encrypted through its cache, whatever was asked for
        // (<https://learn.microsoft.com/windows/win32/fileio/file-buffering>).
        let (attributes, _) = handle::attributes(handle.as_handle())?;
        let through_the_cache =
            attributes & (fs::FILE_ATTRIBUTE_COMPRESSED | fs::FILE_ATTRIBUTE_ENCRYPTED) != 0;
        if through_the_cache || lies_in_its_record(handle.as_handle())? {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { handle, uncached: true })
    }

    fn flush(&self) -> io::Result<()> {
        match handle::flush(self.handle.as_handle()) {
            // Nothing was tried: a file that was read-only is opened without the right to write.
            Err(e) if reason(&e) == OsReason::PermissionDenied => {
                handle::flush(handle::reopen(self.handle.as_handle(), fs::FILE_APPEND_DATA)?.as_handle())
            }
            other => other,
        }
    }

    /// Reads past the cache: straight into the buffer if it is aligned, else through one that is.
    fn read_aligned(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let before = (offset % ALIGNMENT as u64) as usize;
        let aligned = before == 0
            && buffer.as_ptr().addr().is_multiple_of(ALIGNMENT)
            && buffer.len().is_multiple_of(ALIGNMENT);
        if aligned {
            return self.read(buffer, offset);
        }
        let mut bounce = AlignedBuffer::new((before + buffer.len()).next_multiple_of(ALIGNMENT));
        let n = self.read(&mut bounce, offset - before as u64)?;
        let got = n.saturating_sub(before).min(buffer.len());
        buffer[..got].copy_from_slice(&bounce[before..before + got]);
        Ok(got)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut place = at(offset);
        let mut n = 0;
        // SAFETY: the buffer is writable for the length given; the handle is synchronous, so the call ends before
        // buffer and offset go.
        #[allow(unsafe_code)]
        let read = nt::succeed(unsafe {
            fs::ReadFile(
                self.handle.as_raw_handle(),
                buffer.as_mut_ptr(),
                buffer.len().min(MOST_AT_ONCE) as u32,
                &raw mut n,
                &raw mut place,
            )
        });
        match read {
            Ok(()) => Ok(n as usize),
            Err(e) if e.raw_os_error() == Some(f::ERROR_HANDLE_EOF as i32) => Ok(0),
            Err(e) => Err(e),
        }
    }
}

/// The largest record that NTFS has for a file.
const LARGEST_RECORD: i64 = 4096;

/// Whether the content is in the file's own record, as NTFS keeps some hundred bytes. It has records in memory and
/// reads from there, whatever was asked for, so the device would not be reached. What is set aside for such a
/// content is its length rounded to eight bytes, so no whole number of clusters; no call tells it in so many words.
fn lies_in_its_record(file: BorrowedHandle<'_>) -> io::Result<bool> {
    let allocated = nt::query::<nt::StandardInfo>(file)?.allocated;
    if allocated <= 0 || allocated >= LARGEST_RECORD {
        return Ok(false);
    }
    Ok(volume::cluster(file).is_none_or(|cluster| !(allocated as u64).is_multiple_of(cluster)))
}

fn at(offset: u64) -> OVERLAPPED {
    OVERLAPPED {
        Anonymous: OVERLAPPED_0 {
            Anonymous: OVERLAPPED_0_0 { Offset: offset as u32, OffsetHigh: (offset >> 32) as u32 },
        },
        ..OVERLAPPED::default()
    }
}

impl File for WindowsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.uncached { self.read_aligned(buffer, offset) } else { self.read(buffer, offset) }
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        let mut place = at(offset);
        let mut n = 0;
        // SAFETY: the buffer is readable for the length given; the handle is synchronous, so the call ends before
        // buffer and offset go.
        #[allow(unsafe_code)]
        nt::succeed(unsafe {
            fs::WriteFile(
                self.handle.as_raw_handle(),
                buffer.as_ptr(),
                buffer.len().min(MOST_AT_ONCE) as u32,
                &raw mut n,
                &raw mut place,
            )
        })?;
        Ok(n as usize)
    }

    crate::has!(as_evict: Evict, as_locks: Locks, as_holes: Holes, as_map: Map);

    // No `CacheHints`. The system writes behind by itself and slows writers down before too much waits; it offers no
    // such call for a range. The cache manager reads ahead of sequential reads; a hint by range exists for maps only.
}

impl Evict for WindowsFile {
    fn evict(&self) -> io::Result<Eviction> {
        Ok(Eviction::Unproven("Windows has no call that empties the cache of one file and says so"))
    }
}

impl Locks for WindowsFile {
    fn try_lock(&self) -> io::Result<bool> {
        self.lock(fs::LOCKFILE_EXCLUSIVE_LOCK | fs::LOCKFILE_FAIL_IMMEDIATELY)
    }

    fn is_locked(&self) -> io::Result<bool> {
        if !self.lock(fs::LOCKFILE_FAIL_IMMEDIATELY)? {
            return Ok(true);
        }
        let mut place = at(LOCK_OFFSET);
        // SAFETY: the handle is synchronous, so the call ends before the offset goes.
        #[allow(unsafe_code)]
        nt::succeed(unsafe { fs::UnlockFileEx(self.handle.as_raw_handle(), 0, 1, 0, &raw mut place) })?;
        Ok(false)
    }
}

impl Holes for WindowsFile {
    fn has_holes(&self) -> io::Result<bool> {
        let handle = self.handle.as_handle();
        let (attributes, _) = handle::attributes(handle)?;
        let size = nt::query::<nt::StandardInfo>(handle)?.size.max(0) as u64;
        if attributes & fs::FILE_ATTRIBUTE_SPARSE_FILE == 0 || size == 0 {
            return Ok(false);
        }
        // The first allocated range tells: if it is not the whole file, something is missing.
        let question: Vec<u8> = [0, size].iter().flat_map(|n| n.to_ne_bytes()).collect();
        let mut ranges = [0_u64; 2];
        match nt::control(handle, Ioctl::FSCTL_QUERY_ALLOCATED_RANGES, &question, &mut ranges) {
            Ok(0) => Ok(true),
            Ok(_) => Ok(ranges[0] > 0 || ranges[1] < size),
            // More ranges than there was room for: then there is a gap between them.
            Err(e) if e.raw_os_error() == Some(f::ERROR_MORE_DATA as i32) => Ok(true),
            Err(e) => Err(e),
        }
    }
}

impl Map for WindowsFile {
    fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>> {
        Ok(Box::new(WindowsWindow::new(self.handle.as_handle(), offset, bytes)?))
    }
}
