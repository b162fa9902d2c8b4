//! A range of a file mapped for reading that cannot kill the process.
//!
//! What can go wrong with a mapping on Windows is less than elsewhere: a mapped file cannot be cut short (error 1224).
//! But its device or server can fail, and that shows only when a page is touched. So every byte leaves a mapping
//! through [`guard::copy`], which returns an error instead; see there. Comparing goes through two small buffers that
//! stay in the processor's cache. Measured in Wine on a busy machine, 64 MiB in memory: comparing two slices at once
//! 3.5 GB/s, two windows 2.4; the guarded copy alone 10, `ReadProcessMemory` in its place 7.
//!
//! The content is never exposed as a slice, because another process may write to the file and Rust slices must not
//! change.
//!
//! What remains: while a window is open, other programs can neither cut the file short nor, on older systems, remove
//! it; windows are short-lived for that reason too.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::System::Memory as m;
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{guard, nt};
use crate::Window;

/// Bytes compared at once: two such buffers fit into the second-level cache of every processor, and often the first.
const STEP: usize = 32 << 10;

/// A mapped range, brought in.
pub(super) struct WindowsWindow {
    view: View,
    /// Bytes of the view before the window: views begin only at multiples of 64 KiB.
    before: usize,
    bytes: usize,
}

/// A view of a file, unmapped when dropped. The system keeps the mapping alive for it.
struct View(m::MEMORY_MAPPED_VIEW_ADDRESS);

// SAFETY: the view is only read, and only through `guard::copy`; unmapping works from any thread.
#[allow(unsafe_code)]
unsafe impl Send for View {}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the address came from MapViewOfFile and is unmapped once. The only way to fail is to have got it
        // wrong, so there is no error to report.
        #[allow(unsafe_code)]
        unsafe {
            m::UnmapViewOfFile(self.0);
        }
    }
}

struct Sizes {
    /// What views begin at a multiple of.
    granularity: u64,
    page: usize,
}

fn sizes() -> &'static Sizes {
    static SIZES: OnceLock<Sizes> = OnceLock::new();
    SIZES.get_or_init(|| {
        let mut info = SYSTEM_INFO::default();
        // SAFETY: the structure is plain data that the call fills in.
        #[allow(unsafe_code)]
        unsafe {
            GetSystemInfo(&raw mut info);
        }
        Sizes {
            granularity: info.dwAllocationGranularity.max(1).into(),
            page: info.dwPageSize.max(1) as usize,
        }
    })
}

impl WindowsWindow {
    /// Maps a range of a file opened for reading and brings every page of it in.
    pub(super) fn new(file: BorrowedHandle<'_>, offset: u64, bytes: usize) -> io::Result<Self> {
        let size = nt::query::<nt::StandardInfo>(file)?.size.max(0) as u64;
        // Asked first, because a view of what the file does not have is refused for reasons that mislead.
        if bytes == 0 || offset.checked_add(bytes as u64).is_none_or(|end| end > size) {
            return Err(io::Error::from_raw_os_error(f::ERROR_HANDLE_EOF as i32));
        }
        let before = (offset % sizes().granularity) as usize;
        let start = offset - before as u64;
        let mapping = mapping(file)?;
        // SAFETY: the handle is a mapping of ours; the system checks the range, and chooses the address.
        #[allow(unsafe_code)]
        let address = unsafe {
            m::MapViewOfFile(
                mapping.as_raw_handle(),
                m::FILE_MAP_READ,
                (start >> 32) as u32,
                start as u32,
                before + bytes,
            )
        };
        if address.Value.is_null() {
            return Err(io::Error::last_os_error());
        }
        let window = Self { view: View(address), before, bytes };
        window.bring_in()?;
        Ok(window)
    }

    /// Asks for all pages at once, in large reads; then touches each, because the first is only a hint
    /// (<https://learn.microsoft.com/windows/win32/api/memoryapi/nf-memoryapi-prefetchvirtualmemory>).
    fn bring_in(&self) -> io::Result<()> {
        let start = self.view.0.Value.wrapping_byte_add(self.before);
        let range = m::WIN32_MEMORY_RANGE_ENTRY { VirtualAddress: start, NumberOfBytes: self.bytes };
        // SAFETY: one entry is passed, and lives until the call returns; the call reads pages in and changes nothing.
        #[allow(unsafe_code)]
        unsafe {
            m::PrefetchVirtualMemory(GetCurrentProcess(), 1, &raw const range, 0);
        }
        let mut byte = [0];
        let last = self.bytes - 1;
        for at in (0..self.bytes).step_by(sizes().page).chain([last]) {
            guard::copy(self.at(at), &mut byte)?;
        }
        Ok(())
    }

    fn at(&self, offset: usize) -> *const u8 {
        self.view.0.Value.cast::<u8>().wrapping_add(self.before + offset)
    }

    /// Fails unless a range lies in the window.
    fn check(&self, offset: usize, bytes: usize) -> io::Result<()> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes => Ok(()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

fn mapping(file: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    // SAFETY: the handle is borrowed, so open; sizes of 0 mean the whole file. On success the system hands over a
    // handle that nothing else owns.
    #[allow(unsafe_code)]
    unsafe {
        let handle = m::CreateFileMappingW(
            file.as_raw_handle(),
            std::ptr::null(),
            m::PAGE_READONLY,
            0,
            0,
            std::ptr::null(),
        );
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(handle))
    }
}

/// Where two slices of one length first differ. One comparison of whole slices first, which is the machine's fastest.
fn first_unequal(mine: &[u8], theirs: &[u8]) -> Option<usize> {
    if mine == theirs {
        return None;
    }
    mine.iter().zip(theirs).position(|(a, b)| a != b)
}

impl Window for WindowsWindow {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn size(&self) -> usize {
        self.bytes
    }

    fn copy_out(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        self.check(offset, buffer.len())?;
        guard::copy(self.at(offset), buffer)
    }

    fn first_difference_from(&self, offset: usize, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.check(offset, bytes.len())?;
        let mut mine = vec![0; STEP.min(bytes.len())];
        for (at, theirs) in (offset..).step_by(STEP).zip(bytes.chunks(STEP)) {
            let mine = &mut mine[..theirs.len()];
            guard::copy(self.at(at), mine)?;
            if let Some(found) = first_unequal(mine, theirs) {
                return Ok(Some(at + found));
            }
        }
        Ok(None)
    }

    fn first_difference(&self, other: &dyn Window, offset: usize, bytes: usize) -> io::Result<Option<usize>> {
        self.check(offset, bytes)?;
        let (mut mine, mut theirs) = (vec![0; STEP.min(bytes)], vec![0; STEP.min(bytes)]);
        for at in (offset..offset + bytes).step_by(STEP) {
            let n = STEP.min(offset + bytes - at);
            guard::copy(self.at(at), &mut mine[..n])?;
            other.copy_out(at, &mut theirs[..n])?;
            if let Some(found) = first_unequal(&mine[..n], &theirs[..n]) {
                return Ok(Some(at + found));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::windows::io::AsHandle;

    fn file_of(bytes: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn window(file: &std::fs::File, offset: u64, bytes: usize) -> io::Result<WindowsWindow> {
        WindowsWindow::new(file.as_handle(), offset, bytes)
    }

    #[test]
    fn a_lost_page_is_an_error_for_whatever_reads_it() {
        let content: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let (lost, whole) = (file_of(&content), file_of(&content));
        let (lost, whole) = (window(&lost, 100, 290_000).unwrap(), window(&whole, 100, 290_000).unwrap());
        assert_eq!(lost.first_difference(&whole, 0, 290_000).unwrap(), None);
        let page = lost.at(200_000).wrapping_sub(lost.at(200_000).addr() % sizes().page);
        let mut before = 0;
        // SAFETY: one page of a view of ours; taking its rights away stands for a device that fails.
        #[allow(unsafe_code)]
        let taken =
            unsafe { m::VirtualProtect(page.cast(), sizes().page, m::PAGE_NOACCESS, &raw mut before) };
        assert_ne!(taken, 0, "{}", io::Error::last_os_error());
        assert!(lost.copy_out(199_000, &mut [0; 5000]).is_err());
        assert!(lost.first_difference(&whole, 0, 290_000).is_err(), "mine is lost");
        assert!(whole.first_difference(&lost, 0, 290_000).is_err(), "theirs is lost");
        assert!(lost.first_difference_from(0, &content[100..290_100]).is_err());
        assert!(lost.bring_in().is_err(), "bringing it in finds it");
        // What lies before is still to be had.
        assert_eq!(lost.first_difference(&whole, 0, 190_000).unwrap(), None);
        let mut byte = [0];
        lost.copy_out(1000, &mut byte).unwrap();
        assert_eq!(byte, [content[1100]]);
    }

    #[test]
    fn a_window_of_nothing_or_of_too_much_is_refused() {
        let file = file_of(&[7; 100]);
        for (offset, bytes) in [(0, 0), (0, 101), (100, 1), (u64::MAX, 2), (1 << 40, 1)] {
            assert!(window(&file, offset, bytes).is_err(), "{bytes} at {offset}");
        }
        assert!(window(&file_of(b""), 0, 1).is_err());
        assert_eq!(window(&file, 99, 1).unwrap().size(), 1);
    }
}
