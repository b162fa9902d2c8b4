//! A range of a file mapped for reading that cannot kill the process.
//!
//! Touching a mapped page whose device read fails, or that lies beyond a file cut short in the meantime, raises
//! SIGBUS, which ends the process. Two things prevent that:
//! * every page is brought in with `MADV_POPULATE_READ` (Linux 5.14), which returns an error instead;
//! * a page may still be dropped again before it is read, so a handler for SIGBUS puts a page of zeros under any
//!   faulting address inside a registered window and marks the window as faulted. Whatever was read is then thrown
//!   away: every operation checks the mark after reading and returns an error.
//!
//! What remains: a SIGBUS outside our windows goes to whoever handled it before, by default ending the process.
//!
//! The content is never exposed as a slice, because another process may write to the file and Rust slices must not
//! change; only copies and comparisons through raw pointers leave this module.

use std::io;
use std::os::fd::AsFd;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};

use crate::Window;

/// A mapped, populated, guarded range.
pub(super) struct UnixWindow {
    map: MmapRaw,
    slot: &'static Slot,
}

/// One registered window; read by the signal handler, so only atomics.
///
/// The handler reads the range of every slot, also of one that another thread is just giving to another window. Were
/// the beginning of the one window put together with the length of the other, zeros would go over memory of somebody
/// else; so the range counts only if no change came in between.
struct Slot {
    /// Odd while the range is that of a live window; goes on by one with every change.
    generation: AtomicUsize,
    start: AtomicUsize,
    bytes: AtomicUsize,
    taken: AtomicBool,
    faulted: AtomicBool,
}

impl Slot {
    /// Called by the one thread that took the slot.
    fn publish(&self, start: usize, bytes: usize) {
        // Whoever sees one of the two stores also sees that the generation before is over.
        fence(Ordering::Release);
        self.start.store(start, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn withdraw(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Where the live window of the slot begins and ends; `None` if there is none, or it changed in this moment, in
    /// which case it is not the window that the asking thread is reading.
    fn range(&self) -> Option<(usize, usize)> {
        let before = self.generation.load(Ordering::Acquire);
        let (start, bytes) = (self.start.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let same = self.generation.load(Ordering::Relaxed) == before;
        (before % 2 == 1 && same).then(|| (start, start.saturating_add(bytes)))
    }
}

/// More windows than any run opens: two per worker for large files.
const SLOTS: usize = 256;

#[allow(clippy::declare_interior_mutable_const)]
const EMPTY: Slot = Slot {
    generation: AtomicUsize::new(0),
    start: AtomicUsize::new(0),
    bytes: AtomicUsize::new(0),
    taken: AtomicBool::new(false),
    faulted: AtomicBool::new(false),
};
static TABLE: [Slot; SLOTS] = [EMPTY; SLOTS];

/// Asked before the handler is installed; the handler must not call anything that could.
static PAGE_SIZE: AtomicUsize = AtomicUsize::new(4096);

/// Maps a range without touching it.
pub(super) fn map_raw(fd: impl AsFd, offset: u64, bytes: usize) -> io::Result<MmapRaw> {
    use std::os::fd::AsRawFd;
    MmapOptions::new().offset(offset).len(bytes).map_raw_read_only(fd.as_fd().as_raw_fd())
}

impl UnixWindow {
    pub(super) fn new(fd: impl AsFd, offset: u64, bytes: usize) -> io::Result<Self> {
        install_handler()?;
        let map = map_raw(fd, offset, bytes)?;
        let slot = TABLE
            .iter()
            .find(|s| s.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok())
            .ok_or_else(|| io::Error::from(io::ErrorKind::ResourceBusy))?;
        slot.faulted.store(false, Ordering::Relaxed);
        slot.publish(map.as_ptr() as usize, bytes);
        let window = Self { map, slot };
        window.populate()?;
        Ok(window)
    }

    fn populate(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            // SAFETY: the range is exactly the mapping, which lives as long as `self`; the advice reads pages in and
            // changes no content.
            #[allow(unsafe_code)]
            let result = unsafe {
                libc::madvise(self.map.as_mut_ptr().cast(), self.map.len(), libc::MADV_POPULATE_READ)
            };
            if result != 0 {
                let error = io::Error::last_os_error();
                // EFAULT: the device failed or the file ends before the window does (madvise(2)).
                return match error.raw_os_error() {
                    Some(libc::EFAULT | libc::EHWPOISON) => Err(io::Error::from_raw_os_error(libc::EIO)),
                    // Before Linux 5.14; the guarded touch below the comparison still protects us.
                    Some(libc::EINVAL) => Ok(()),
                    _ => Err(error),
                };
            }
        }
        Ok(())
    }

    fn pointer(&self, offset: usize, bytes: usize) -> io::Result<*const u8> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.map.len() => Ok(self.map.as_ptr().wrapping_add(offset)),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn check_fault(&self) -> io::Result<()> {
        if self.slot.faulted.load(Ordering::Acquire) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        Ok(())
    }
}

impl Drop for UnixWindow {
    fn drop(&mut self) {
        // Unregistered before the map goes (fields drop after this), so the handler never acts on a foreign mapping.
        self.slot.withdraw();
        self.slot.taken.store(false, Ordering::Release);
    }
}

impl Window for UnixWindow {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn size(&self) -> usize {
        self.map.len()
    }

    fn copy_out(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        let from = self.pointer(offset, buffer.len())?;
        // SAFETY: `pointer` checked that the range is in the mapping, which is readable and lives as long as
        // `self`; a fault inside it is caught by the handler. `buffer` is ours alone, so the two cannot overlap.
        #[allow(unsafe_code)]
        unsafe {
            std::ptr::copy_nonoverlapping(from, buffer.as_mut_ptr(), buffer.len());
        }
        self.check_fault()
    }

    fn first_difference(&self, other: &dyn Window, offset: usize, bytes: usize) -> io::Result<Option<usize>> {
        let Some(other) = other.as_any().downcast_ref::<Self>() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let (mine, theirs) = (self.pointer(offset, bytes)?, other.pointer(offset, bytes)?);
        let Some(step) = first_unequal_step(mine, theirs, bytes) else {
            self.check_fault()?;
            other.check_fault()?;
            return Ok(None);
        };
        let n = STEP.min(bytes - step);
        let mut right = vec![0; n];
        other.copy_out(offset + step, &mut right)?;
        self.place_in_step(offset + step, &right)
    }

    fn first_difference_from(&self, offset: usize, bytes: &[u8]) -> io::Result<Option<usize>> {
        let mine = self.pointer(offset, bytes.len())?;
        let Some(step) = first_unequal_step(mine, bytes.as_ptr(), bytes.len()) else {
            self.check_fault()?;
            return Ok(None);
        };
        let n = STEP.min(bytes.len() - step);
        self.place_in_step(offset + step, &bytes[step..step + n])
    }
}

/// Bytes compared by one memcmp.
const STEP: usize = 64 << 10;

/// The beginning of the first step in which two ranges differ. Both pointers must be readable for `bytes`: ranges of
/// live windows (checked by [`UnixWindow::pointer`]) or slices.
fn first_unequal_step(mine: *const u8, theirs: *const u8, bytes: usize) -> Option<usize> {
    (0..bytes).step_by(STEP).find(|&at| {
        let n = STEP.min(bytes - at);
        let (a, b) = (mine.wrapping_add(at), theirs.wrapping_add(at));
        // SAFETY: the callers pass ranges of live mappings or slices that are at least `bytes` long; memcmp only
        // reads, and a fault inside a mapping is caught by the handler. Bytes that change meanwhile can change the
        // result only.
        #[allow(unsafe_code)]
        let order = unsafe { libc::memcmp(a.cast(), b.cast(), n) };
        order != 0
    })
}

impl UnixWindow {
    /// Where exactly the step at `offset` differs from `theirs`.
    fn place_in_step(&self, offset: usize, theirs: &[u8]) -> io::Result<Option<usize>> {
        let mut mine = vec![0; theirs.len()];
        self.copy_out(offset, &mut mine)?;
        // If the bytes became equal between the two looks, the place is the step's beginning: they differed.
        let within = mine.iter().zip(theirs).position(|(x, y)| x != y).unwrap_or(0);
        Ok(Some(offset + within))
    }
}

/// The handler that was there before ours, called for faults that are not ours.
static PREVIOUS: std::sync::OnceLock<libc::sigaction> = std::sync::OnceLock::new();

fn install_handler() -> io::Result<()> {
    static ONCE: Once = Once::new();
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    ONCE.call_once(|| {
        PAGE_SIZE.store(rustix::param::page_size(), Ordering::Relaxed);
        // SAFETY: both structures are plain data for which zero is a valid value; the handler has the signature that
        // SA_SIGINFO asks for and calls only async-signal-safe functions; the old action is read back by the same
        // call, and stored before any window exists, so before our handler can be entered for one.
        #[allow(unsafe_code)]
        unsafe {
            let mut old: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut old) != 0 {
                return;
            }
            let _ = PREVIOUS.set(old);
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_bus_error;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) == 0 {
                INSTALLED.store(true, Ordering::Release);
            }
        }
    });
    if INSTALLED.load(Ordering::Acquire) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo_t for SIGBUS, whose address field is set for synchronous faults.
    #[allow(unsafe_code)]
    let address = unsafe { (*info).si_addr() } as usize;
    for slot in &TABLE {
        let Some((_, end)) = slot.range().filter(|(start, end)| (*start..*end).contains(&address)) else {
            continue;
        };
        slot.faulted.store(true, Ordering::Release);
        // The rest of the window is replaced at once: after one fault the window is worthless, and a truncated file
        // would fault on every page.
        let from = address & !(PAGE_SIZE.load(Ordering::Relaxed) - 1);
        // Never beyond the end that was read together with the beginning.
        let len = end - from;
        // SAFETY: the range is inside a live mapping of ours (the slot is cleared before unmapping); MAP_FIXED
        // replaces just these pages by readable zeros. mmap is a plain system call and safe in a handler on Linux.
        #[allow(unsafe_code)]
        let replaced = unsafe {
            libc::mmap(
                from as *mut libc::c_void,
                len,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if replaced != libc::MAP_FAILED {
            return;
        }
    }
    forward(signal, info, context);
}

/// Passes a fault that is not ours to the handler before us, or lets it end the process as it would have.
fn forward(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: `PREVIOUS` holds what sigaction returned, so its handler field is one of the documented forms: the two
    // constants, or a function of the signature its flags say. Resetting to the default and returning repeats the
    // faulting instruction, which then ends the process.
    #[allow(unsafe_code)]
    unsafe {
        if let Some(previous) = PREVIOUS.get()
            && previous.sa_sigaction != libc::SIG_DFL
            && previous.sa_sigaction != libc::SIG_IGN
        {
            if previous.sa_flags & libc::SA_SIGINFO != 0 {
                let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                    std::mem::transmute(previous.sa_sigaction);
                handler(signal, info, context);
            } else {
                let handler: extern "C" fn(libc::c_int) = std::mem::transmute(previous.sa_sigaction);
                handler(signal);
            }
            return;
        }
        libc::signal(signal, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn windows_compare_and_find_the_first_difference() {
        let mut content: Vec<u8> = (0..300_000_u32).map(|i| i as u8).collect();
        let a = file_of(&content);
        content[200_001] ^= 1;
        let b = file_of(&content);
        let (a, b) = (UnixWindow::new(&a, 0, 300_000).unwrap(), UnixWindow::new(&b, 0, 300_000).unwrap());
        assert_eq!(a.first_difference(&b, 0, 200_001).unwrap(), None);
        assert_eq!(a.first_difference(&b, 0, 300_000).unwrap(), Some(200_001));
        assert!(a.first_difference(&b, 300_000, 1).is_err(), "beyond the window");
        assert_eq!(a.first_difference_from(1000, &content[1000..200_001]).unwrap(), None);
        assert_eq!(a.first_difference_from(1000, &content[1000..]).unwrap(), Some(200_001));
        assert!(a.first_difference_from(200_001, &content[..100_000]).is_err(), "beyond the window");
    }

    /// E5.
    #[test]
    fn the_handler_never_puts_the_ranges_of_two_windows_together() {
        static SLOT: Slot = EMPTY;
        let over = AtomicBool::new(false);
        let (short, long) = ((1 << 20, (1 << 20) + 4096), (1 << 12, 1 << 30));
        let (seen, torn) = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for (start, end) in [short, long] {
                        SLOT.publish(start, end - start);
                        SLOT.withdraw();
                    }
                }
            });
            let (mut seen, mut torn) = (0, None);
            // Enough of both for the threads to have met, however they are scheduled.
            while seen < 2000 && torn.is_none() {
                if let Some(range) = SLOT.range() {
                    seen += 1;
                    torn = Some(range).filter(|range| *range != short && *range != long);
                }
            }
            over.store(true, Ordering::Relaxed);
            (seen, torn)
        });
        assert_eq!(torn, None, "after {seen} looks");
        assert_eq!(SLOT.range(), None, "no window is live");
    }

    #[test]
    fn a_window_beyond_the_end_of_the_file_is_an_error() {
        let file = file_of(b"short");
        assert!(UnixWindow::new(&file, 0, 1 << 20).is_err());
    }

    #[test]
    fn a_file_cut_short_under_its_window_does_not_kill_the_process() {
        let file = file_of(&vec![1; 1 << 20]);
        let other = file_of(&vec![1; 1 << 20]);
        let window = UnixWindow::new(&file, 0, 1 << 20).unwrap();
        let same = UnixWindow::new(&other, 0, 1 << 20).unwrap();
        assert_eq!(window.first_difference(&same, 0, 1 << 20).unwrap(), None);
        file.set_len(4096).unwrap();
        assert!(window.copy_out(8192, &mut [0; 16]).is_err(), "the fault was caught and reported");
        assert!(window.first_difference(&same, 0, 1 << 20).is_err(), "and the window stays worthless");
    }
}
