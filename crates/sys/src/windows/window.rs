//! A range of a file mapped for reading that cannot kill the process.
//!
//! What can go wrong with a mapping on Windows is less than elsewhere: a mapped file cannot be cut short (error 1224).
//! But its device or server can fail, and that shows only when a page is touched: the processor's access returns no
//! error, but the system raises `EXCEPTION_IN_PAGE_ERROR` in the thread, which ends the process
//! (<https://learn.microsoft.com/windows/win32/memory/reading-and-writing-from-a-file-view>) unless `__try` takes it,
//! which Rust has not. So no instruction of this program ever touches a mapping. Every byte leaves it through
//! `ReadProcessMemory` on this very process, in which the system checks each page and returns an error. Comparing goes
//! through two small buffers that stay in the processor's cache.
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
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
use windows_sys::Win32::System::Memory as m;
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::nt;
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

// SAFETY: the view is only read, and only through `copy_mapped`; unmapping works from any thread.
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

/// What views begin at a multiple of.
fn granularity() -> u64 {
    static GRANULARITY: OnceLock<u64> = OnceLock::new();
    *GRANULARITY.get_or_init(|| {
        let mut info = SYSTEM_INFO::default();
        // SAFETY: the structure is plain data that the call fills in.
        #[allow(unsafe_code)]
        unsafe {
            GetSystemInfo(&raw mut info);
        }
        info.dwAllocationGranularity.max(1).into()
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
        let before = (offset % granularity()) as usize;
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

    /// Asks for all pages at once, in large reads; then reads each, because the first is only a hint
    /// (<https://learn.microsoft.com/windows/win32/api/memoryapi/nf-memoryapi-prefetchvirtualmemory>). By pieces and not
    /// a byte of each page: what costs is the call, not the bytes.
    fn bring_in(&self) -> io::Result<()> {
        let start = self.view.0.Value.wrapping_byte_add(self.before);
        let range = m::WIN32_MEMORY_RANGE_ENTRY { VirtualAddress: start, NumberOfBytes: self.bytes };
        // SAFETY: one entry is passed, and lives until the call returns; the call reads pages in and changes nothing.
        #[allow(unsafe_code)]
        unsafe {
            m::PrefetchVirtualMemory(GetCurrentProcess(), 1, &raw const range, 0);
        }
        let mut scratch = vec![0; STEP.min(self.bytes)];
        for at in (0..self.bytes).step_by(STEP) {
            let piece = STEP.min(self.bytes - at);
            copy_mapped(self.at(at), &mut scratch[..piece])?;
        }
        Ok(())
    }

    fn at(&self, offset: usize) -> *const u8 {
        self.view.0.Value.cast::<u8>().wrapping_add(self.before + offset)
    }

    /// Fails unless a range is in the window.
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

/// Copies bytes that may be unreadable. After an error the buffer holds nothing of use.
fn copy_mapped(from: *const u8, buffer: &mut [u8]) -> io::Result<()> {
    if buffer.is_empty() {
        return Ok(());
    }
    let mut copied = 0;
    // SAFETY: the buffer is writable for the length given; the other range need not be readable, which is what the
    // call is for (<https://learn.microsoft.com/windows/win32/api/memoryapi/nf-memoryapi-readprocessmemory>).
    #[allow(unsafe_code)]
    let answer = unsafe {
        ReadProcessMemory(
            GetCurrentProcess(),
            from.cast(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut copied,
        )
    };
    if answer == 0 || copied != buffer.len() {
        Err(io::Error::from_raw_os_error(f::ERROR_READ_FAULT as i32))
    } else {
        Ok(())
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
        copy_mapped(self.at(offset), buffer)
    }

    fn first_difference_from(&self, offset: usize, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.check(offset, bytes.len())?;
        let mut mine = vec![0; STEP.min(bytes.len())];
        for (at, theirs) in (offset..).step_by(STEP).zip(bytes.chunks(STEP)) {
            let mine = &mut mine[..theirs.len()];
            copy_mapped(self.at(at), mine)?;
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
            copy_mapped(self.at(at), &mut mine[..n])?;
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

    const PAGE: usize = 4096;

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
        let page = lost.at(200_000).wrapping_sub(lost.at(200_000).addr() % PAGE);
        let mut before = 0;
        // SAFETY: one page of a view of ours; taking its rights away stands for a device that fails.
        #[allow(unsafe_code)]
        let taken = unsafe { m::VirtualProtect(page.cast(), PAGE, m::PAGE_NOACCESS, &raw mut before) };
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

    /// Pages of which one can be removed.
    struct Pages(*mut u8);

    impl Pages {
        fn new(count: usize) -> Self {
            // SAFETY: a fresh range at an address of the system's choice.
            #[allow(unsafe_code)]
            let start = unsafe {
                m::VirtualAlloc(
                    std::ptr::null(),
                    count * PAGE,
                    m::MEM_COMMIT | m::MEM_RESERVE,
                    m::PAGE_READWRITE,
                )
            };
            assert!(!start.is_null());
            let pages = Self(start.cast());
            for i in 0..count * PAGE {
                // SAFETY: inside the range, which is writable and nobody else's.
                #[allow(unsafe_code)]
                unsafe {
                    *pages.0.add(i) = (i % 251) as u8;
                }
            }
            pages
        }

        fn protect(&self, page: usize, how: u32) {
            let mut before = 0;
            // SAFETY: inside the range, which only this test uses.
            #[allow(unsafe_code)]
            let done =
                unsafe { m::VirtualProtect(self.0.add(page * PAGE).cast(), PAGE, how, &raw mut before) };
            assert_ne!(done, 0);
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: the range was made by VirtualAlloc and is not used any more.
            #[allow(unsafe_code)]
            unsafe {
                m::VirtualFree(self.0.cast(), 0, m::MEM_RELEASE);
            }
        }
    }

    #[test]
    fn a_page_that_cannot_be_read_is_an_error_and_not_the_end() {
        let pages = Pages::new(4);
        let mut buffer = vec![0; 3 * PAGE];
        for how in [m::PAGE_NOACCESS, m::PAGE_READONLY] {
            pages.protect(2, how);
            let readable = how == m::PAGE_READONLY;
            for (offset, bytes) in
                [(0, 3 * PAGE), (PAGE, PAGE + 1), (2 * PAGE - 1, 2), (2 * PAGE, 1), (3 * PAGE - 1, 1)]
            {
                let from = pages.0.wrapping_add(offset);
                assert_eq!(copy_mapped(from, &mut buffer[..bytes]).is_ok(), readable, "{bytes} at {offset}");
            }
        }
        for (offset, bytes) in [(0, 2 * PAGE), (1, 2 * PAGE - 1), (3 * PAGE, PAGE), (PAGE, 0)] {
            pages.protect(2, m::PAGE_NOACCESS);
            buffer.fill(0);
            copy_mapped(pages.0.wrapping_add(offset), &mut buffer[..bytes]).unwrap();
            let wanted: Vec<u8> = (offset..offset + bytes).map(|i| (i % 251) as u8).collect();
            assert_eq!(buffer[..bytes], wanted, "{bytes} at {offset}");
        }
    }

    #[test]
    fn faults_in_many_threads_at_once_each_end_their_own_copy() {
        let pages = Pages::new(8);
        pages.protect(4, m::PAGE_NOACCESS);
        let start = pages.0.addr();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    let mut buffer = vec![0; 2 * PAGE];
                    for i in 0..2000 {
                        let offset = (i * 37 + thread * 1001) % (6 * PAGE);
                        let hits = offset < 5 * PAGE && offset + buffer.len() > 4 * PAGE;
                        let from = std::ptr::without_provenance(start + offset);
                        assert_eq!(copy_mapped(from, &mut buffer).is_err(), hits, "at {offset}");
                    }
                });
            }
        });
    }
}
