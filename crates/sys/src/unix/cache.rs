//! Getting a file's pages to the device and out of the cache, with proof.
//!
//! Measured on Linux 6.18: after fsync all pages of a file stay cached and a re-read takes no byte from the device;
//! after `POSIX_FADV_DONTNEED` none stay. While anyone maps the file the call evicts nothing and says nothing. So the
//! answer is never trusted: `cachestat` is asked, and where it is missing, `mincore`.

use std::io;
use std::os::fd::BorrowedFd;

use crate::Eviction;

#[cfg(target_os = "linux")]
pub(super) fn writeback(fd: BorrowedFd<'_>, offset: u64, bytes: u64, wait: bool) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let flags = if wait {
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER
    } else {
        libc::SYNC_FILE_RANGE_WRITE
    };
    // SAFETY: the call takes numbers only and the descriptor is borrowed, so open.
    #[allow(unsafe_code)]
    let result = unsafe { libc::sync_file_range(fd.as_raw_fd(), offset as i64, bytes as i64, flags) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Pacing is an optimisation: a file system that lacks it, or an interruption, leaves the work to the sync.
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP | libc::ESPIPE | libc::EINTR) => Ok(()),
        _ => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn writeback(_: BorrowedFd<'_>, _: u64, _: u64, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn cached_pages(_: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn evict(_: BorrowedFd<'_>) -> io::Result<Eviction> {
    Ok(Eviction::Unproven("this system does not tell what is cached"))
}

#[cfg(target_os = "linux")]
pub(super) fn evict(fd: BorrowedFd<'_>) -> io::Result<Eviction> {
    use rustix::fs::{Advice, fadvise};
    // A page may be held for a moment (a writeback just ending, a per-processor list); a second and third try are
    // cheap next to the reads that follow.
    for _ in 0..3 {
        fadvise(fd, 0, None, Advice::DontNeed)?;
        match cached_pages(fd)? {
            Some(0) => return Ok(Eviction::Proven),
            Some(_) => {}
            None => return Ok(Eviction::Unproven("this system does not tell what is cached")),
        }
    }
    if is_memory(fd) {
        return Ok(Eviction::Unproven("the file system lives in memory; there is no device to read from"));
    }
    Ok(Eviction::Unproven("another program keeps the file's pages in memory"))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_in_metadata(_: BorrowedFd<'_>) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Asks where the file's first byte lies. Measured on ext4 (`inline_data`) and Btrfs: such a file has pages like any
/// other, they can be evicted, and the next read fills them from the metadata that the file system has cached, with no
/// byte read from the device.
#[cfg(target_os = "linux")]
pub(super) fn is_in_metadata(fd: BorrowedFd<'_>) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    // Layout, number and flags from include/uapi/linux/fiemap.h and fs.h.
    #[repr(C)]
    #[derive(Default)]
    struct FirstExtent {
        start: u64,
        length: u64,
        flags: u32,
        mapped_extents: u32,
        extent_count: u32,
        reserved: u32,
        logical: u64,
        physical: u64,
        extent_length: u64,
        reserved64: [u64; 2],
        extent_flags: u32,
        extent_reserved: [u32; 3],
    }
    const FS_IOC_FIEMAP: u32 = 0xC020_660B;
    const DATA_INLINE: u32 = 0x200;
    const DATA_TAIL: u32 = 0x400;

    let mut map = FirstExtent { length: 1, extent_count: 1, ..FirstExtent::default() };
    // SAFETY: the structure has the kernel's layout with room for the one extent asked for, and outlives the call.
    // The type of the number differs between C libraries.
    #[allow(unsafe_code, clippy::cast_lossless)]
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), FS_IOC_FIEMAP as _, &raw mut map) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(map.mapped_extents > 0 && map.extent_flags & (DATA_INLINE | DATA_TAIL) != 0)
}

/// tmpfs and ramfs: the cache is the file.
#[cfg(target_os = "linux")]
fn is_memory(fd: BorrowedFd<'_>) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    rustix::fs::fstatfs(fd).is_ok_and(|s| matches!(s.f_type as i64, TMPFS | RAMFS))
}

/// How many of the file's pages are cached; `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn cached_pages(fd: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    use std::os::fd::AsRawFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    static MISSING: AtomicBool = AtomicBool::new(false);

    // Layout and number from include/uapi/linux/mman.h and the unified system call table (Linux 6.5).
    #[repr(C)]
    struct Range {
        offset: u64,
        length: u64,
    }
    #[repr(C)]
    #[derive(Default)]
    struct Stat {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }
    const SYS_CACHESTAT: libc::c_long = 451;

    if !MISSING.load(Ordering::Relaxed) {
        let range = Range { offset: 0, length: 0 };
        let mut stat = Stat::default();
        // SAFETY: both structures have the kernel's layout and outlive the call; a length of 0 means to the end.
        #[allow(unsafe_code)]
        let result =
            unsafe { libc::syscall(SYS_CACHESTAT, fd.as_raw_fd(), &raw const range, &raw mut stat, 0_u32) };
        if result == 0 {
            return Ok(Some(stat.cached + stat.writeback));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOSYS) => MISSING.store(true, Ordering::Relaxed),
            // Huge-page files, or a sandbox that refuses unknown calls.
            Some(libc::EOPNOTSUPP | libc::EPERM) => {}
            _ => return Err(error),
        }
    }
    resident_pages(fd)
}

/// The older way: map the file and ask `mincore`. The map itself would keep pages, but brings none in.
#[cfg(target_os = "linux")]
fn resident_pages(fd: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    const SPAN: u64 = 1 << 30;
    let size = rustix::fs::fstat(fd)?.st_size as u64;
    let page = rustix::param::page_size();
    let mut resident = 0;
    let mut offset = 0;
    while offset < size {
        let bytes = (size - offset).min(SPAN) as usize;
        let map = super::window::map_raw(fd, offset, bytes)?;
        let mut flags = vec![0_u8; bytes.div_ceil(page)];
        // SAFETY: the range is mapped for as long as `map` lives, and `flags` has one byte for each of its pages.
        #[allow(unsafe_code)]
        let result = unsafe { libc::mincore(map.as_mut_ptr().cast(), bytes, flags.as_mut_ptr()) };
        if result != 0 {
            return Ok(None);
        }
        resident += flags.iter().filter(|&&f| f & 1 != 0).count() as u64;
        offset += bytes as u64;
    }
    Ok(Some(resident))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    fn on_a_device() -> Option<std::fs::File> {
        // The build folder is on a disk wherever the project is built on one; tmpfs has nothing to evict.
        let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).ok()?;
        (!is_memory(file.as_fd())).then_some(file)
    }

    #[test]
    fn synced_pages_leave_the_cache_and_dirty_or_mapped_ones_are_reported() {
        let Some(mut file) = on_a_device() else { return };
        file.write_all(&vec![7; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        assert_ne!(cached_pages(file.as_fd()).unwrap(), Some(0));
        assert_ne!(resident_pages(file.as_fd()).unwrap(), Some(0), "mincore sees what cachestat sees");
        assert_eq!(evict(file.as_fd()).unwrap(), Eviction::Proven);
        assert_eq!(resident_pages(file.as_fd()).unwrap(), Some(0));

        let held = super::super::window::UnixWindow::new(file.as_fd(), 0, 1 << 20).unwrap();
        assert!(
            matches!(evict(file.as_fd()).unwrap(), Eviction::Unproven(_)),
            "a mapped page cannot be evicted"
        );
        drop(held);
        assert_eq!(evict(file.as_fd()).unwrap(), Eviction::Proven);
    }

    #[test]
    fn memory_file_systems_are_never_called_evicted() {
        let Ok(mut file) = tempfile::tempfile_in("/dev/shm") else {
            return;
        };
        file.write_all(b"x").unwrap();
        if is_memory(file.as_fd()) {
            assert!(matches!(evict(file.as_fd()).unwrap(), Eviction::Unproven(_)));
        }
    }
}
