//! An open file on Unix.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{cache, handle, retry, window};
use crate::buffer::{ALIGNMENT, AlignedBuffer};
#[cfg(target_os = "linux")]
use crate::pace_writeback;
use crate::{
    CacheHints, CopyIn, CopyMethod, CopyOptions, Evict, Eviction, File, Locks, Map, Metadata, Tick, Window,
    copy_in_by_chunks,
};

/// A file held by its descriptor.
#[derive(Debug)]
pub(super) struct UnixFile {
    pub(super) fd: OwnedFd,
    /// Reads and writes go past the cache, and must be aligned.
    direct: AtomicBool,
}

handle::impl_handle!(UnixFile);

impl UnixFile {
    pub(super) fn new(fd: OwnedFd, direct: bool) -> Self {
        Self { fd, direct: direct.into() }
    }

    /// Has the reads from here on go past the cache.
    #[cfg(target_os = "linux")]
    pub(super) fn pass_cache(&self) -> io::Result<()> {
        if !self.direct.load(Ordering::Acquire) {
            // Of the flags that can be changed a file of this backend may have one more, not to wait for it to be opened.
            retry(|| rustix::fs::fcntl_setfl(&self.fd, rustix::fs::OFlags::DIRECT))?;
            self.direct.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Has them go through the cache again.
    #[cfg(target_os = "linux")]
    pub(super) fn use_cache(&self) -> io::Result<()> {
        if self.direct.load(Ordering::Acquire) {
            retry(|| rustix::fs::fcntl_setfl(&self.fd, rustix::fs::OFlags::empty()))?;
            self.direct.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Reads past the cache: straight into the buffer if it is aligned, else through one that is.
    fn read_aligned(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let before = (offset % ALIGNMENT as u64) as usize;
        let aligned = before == 0
            && buffer.as_ptr().addr().is_multiple_of(ALIGNMENT)
            && buffer.len().is_multiple_of(ALIGNMENT);
        if aligned {
            return retry(|| rustix::io::pread(&self.fd, &mut *buffer, offset));
        }
        let mut bounce = AlignedBuffer::new((before + buffer.len()).next_multiple_of(ALIGNMENT));
        let n = retry(|| rustix::io::pread(&self.fd, &mut *bounce, offset - before as u64))?;
        let got = n.saturating_sub(before).min(buffer.len());
        buffer[..got].copy_from_slice(&bounce[before..before + got]);
        Ok(got)
    }
}

impl File for UnixFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.direct.load(Ordering::Acquire) && cfg!(target_os = "linux") {
            return self.read_aligned(buffer, offset);
        }
        retry(|| rustix::io::pread(&self.fd, &mut *buffer, offset))
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        retry(|| rustix::io::pwrite(&self.fd, buffer, offset))
    }

    crate::has!(as_cache_hints: CacheHints, as_evict: Evict, as_locks: Locks, as_map: Map);
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    crate::has!(as_holes: Holes);
    #[cfg(target_os = "linux")]
    crate::has!(as_write_past_cache: WritePastCache);
}

impl Locks for UnixFile {
    #[cfg(target_os = "linux")]
    fn try_lock(&self) -> io::Result<bool> {
        match super::lock::exclusive(self.fd.as_fd()) {
            Ok(()) => Ok(true),
            // fcntl(2): one of the two, as the file system likes.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    #[cfg(target_os = "linux")]
    fn is_locked(&self) -> io::Result<bool> {
        super::lock::is_held_by_other(self.fd.as_fd())
    }

    #[cfg(target_os = "linux")]
    fn has_no_writer(&self) -> io::Result<bool> {
        super::lease::has_no_writer(self.fd.as_fd())
    }

    #[cfg(target_os = "linux")]
    fn unlock(&self) -> io::Result<()> {
        super::lock::free(self.fd.as_fd())
    }

    #[cfg(not(target_os = "linux"))]
    fn unlock(&self) -> io::Result<()> {
        retry(|| rustix::fs::flock(&self.fd, rustix::fs::FlockOperation::Unlock))
    }

    #[cfg(not(target_os = "linux"))]
    fn try_lock(&self) -> io::Result<bool> {
        match retry(|| rustix::fs::flock(&self.fd, rustix::fs::FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn is_locked(&self) -> io::Result<bool> {
        match retry(|| rustix::fs::flock(&self.fd, rustix::fs::FlockOperation::NonBlockingLockShared)) {
            Ok(()) => {
                retry(|| rustix::fs::flock(&self.fd, rustix::fs::FlockOperation::Unlock)).map(|()| false)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(e) => Err(e),
        }
    }
}

#[cfg(target_os = "linux")]
impl crate::WritePastCache for UnixFile {
    fn write_past_cache(&self, past: bool) -> io::Result<()> {
        match past {
            true if !crate::DeviceReads::go_past_cache(self) => Err(io::ErrorKind::Unsupported.into()),
            true => self.pass_cache(),
            false => self.use_cache(),
        }
    }
}

impl CacheHints for UnixFile {
    fn start_writeback(&self, offset: u64, bytes: u64) -> io::Result<()> {
        cache::writeback(self.fd.as_fd(), offset, bytes, false)
    }

    fn wait_writeback(&self, offset: u64, bytes: u64) -> io::Result<()> {
        cache::writeback(self.fd.as_fd(), offset, bytes, true)
    }

    fn prefetch(&self, offset: u64, bytes: u64) {
        #[cfg(target_os = "linux")]
        // The system would fill its cache, which a read past it does not use: the device would give every byte twice.
        if !self.direct.load(Ordering::Acquire) {
            let _ = rustix::fs::fadvise(
                &self.fd,
                offset,
                std::num::NonZeroU64::new(bytes),
                rustix::fs::Advice::WillNeed,
            );
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (offset, bytes);
        }
    }
}

impl Evict for UnixFile {
    fn evict(&self) -> io::Result<Eviction> {
        cache::evict(self.fd.as_fd())
    }

    fn cached_bytes(&self) -> io::Result<Option<u64>> {
        let pages = cache::cached_pages(self.fd.as_fd())?;
        Ok(pages.map(|pages| pages * rustix::param::page_size() as u64))
    }

    fn is_in_metadata(&self) -> io::Result<bool> {
        cache::is_in_metadata(self.fd.as_fd())
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
impl crate::Holes for UnixFile {
    fn has_holes(&self) -> io::Result<bool> {
        let size = handle::metadata(self.fd.as_fd())?.size;
        // The descriptor's position is used by nothing else: all reads and writes name their offset.
        match retry(|| rustix::fs::seek(&self.fd, rustix::fs::SeekFrom::Hole(0))) {
            Ok(hole) => Ok(hole < size),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENXIO)) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

impl Map for UnixFile {
    fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>> {
        Ok(Box::new(window::UnixWindow::new(&self.fd, offset, bytes)?))
    }
}

/// Fills a new file with the content of `source` by the fastest means: a block clone if allowed, else a copy inside
/// the kernel, else through a buffer from wherever the kernel stopped.
pub(super) fn fill(
    file: UnixFile,
    source: &dyn File,
    options: CopyOptions,
    tick: Tick<'_>,
) -> io::Result<CopyIn> {
    let mut method = CopyMethod::Buffered;
    let (mut bytes, mut stopped) = (0, false);
    #[cfg(target_os = "linux")]
    if let Some(source) = source.as_any().downcast_ref::<UnixFile>() {
        if options.share_blocks && retry(|| rustix::fs::ioctl_ficlone(&file.fd, &source.fd)).is_ok() {
            let bytes = handle::metadata(file.fd.as_fd())?.size;
            let stopped = tick(bytes).is_break();
            return Ok(CopyIn { file: Some(Arc::new(file)), bytes, method: CopyMethod::Shared, stopped });
        }
        (bytes, stopped) = copy_in_kernel(&file, source, options, tick)?;
        if bytes > 0 {
            method = CopyMethod::Kernel;
        }
    }
    if bytes < options.size && !stopped {
        let before = bytes;
        (bytes, stopped) = copy_in_by_chunks(&file, source, bytes, options, tick)?;
        if bytes > before {
            method = CopyMethod::Buffered;
        }
    }
    Ok(CopyIn { file: Some(Arc::new(file)), bytes, method, stopped })
}

/// Copies with `copy_file_range` until done, stopped, or the kernel says it cannot; the caller goes on from there.
///
/// On file systems that could share blocks (btrfs, XFS with reflink) the call would do so, which the user has not
/// allowed; there it is not used at all.
#[cfg(target_os = "linux")]
fn copy_in_kernel(
    file: &UnixFile,
    source: &UnixFile,
    options: CopyOptions,
    tick: Tick<'_>,
) -> io::Result<(u64, bool)> {
    if !copies_for_real(file.fd.as_fd()) {
        return Ok((0, false));
    }
    let mut at = 0;
    while at < options.size {
        let want = (options.size - at).min(options.chunk.max(1) as u64) as usize;
        let (mut from, mut to) = (at, at);
        match retry(|| {
            rustix::fs::copy_file_range(&source.fd, Some(&mut from), &file.fd, Some(&mut to), want)
        }) {
            // 0 is the end of the source, but some file systems (procfs, older FUSE) say it where bytes remain: the
            // buffered copy finds out.
            Ok(0) => break,
            Ok(n) => {
                at += n as u64;
                if options.writeback_window > 0 {
                    pace_writeback(file, at, n as u64, options.writeback_window)?;
                }
                if tick(at).is_break() {
                    return Ok((at, true));
                }
            }
            // copy_file_range(2): other file system, not supported, immutable, swap file, special file.
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(
                        libc::EXDEV
                            | libc::ENOSYS
                            | libc::EOPNOTSUPP
                            | libc::EINVAL
                            | libc::EPERM
                            | libc::ETXTBSY
                    )
                ) =>
            {
                break;
            }
            Err(e) => return Err(e),
        }
    }
    Ok((at, false))
}

/// Whether `copy_file_range` on this file system writes new blocks: known for these, shared or unknown elsewhere.
#[cfg(target_os = "linux")]
fn copies_for_real(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    const EXT4: i64 = 0xEF53;
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::fstatfs(fd).is_ok_and(|s| matches!(s.f_type as i64, EXT4 | TMPFS))
}
