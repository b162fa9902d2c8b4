//! Reading mapped memory that may turn out not to be there.
//!
//! When a page of a mapped file cannot be read from its device, the processor's access does not return an error: the
//! system raises `EXCEPTION_IN_PAGE_ERROR` in the thread, and unless somebody takes it the process ends
//! (<https://learn.microsoft.com/windows/win32/memory/reading-and-writing-from-a-file-view>). C programs take it
//! with `__try`, which Rust has not. What there is instead is a handler for the whole process
//! (`AddVectoredExceptionHandler`), which may change the registers with which the thread goes on.
//!
//! So one function of a few instructions, [`guarded_copy`], is the only one that ever touches a mapping. If it is
//! interrupted while reading, the handler lets it go on at its last instructions, where it says that it failed. The
//! handler holds no state, takes no lock and knows no mapping: it looks at the address of the interrupted instruction
//! and at the address that could not be read, which must be among those that instruction was still to read. A fault
//! anywhere else, or while writing to the buffer, is passed on as if the handler were not there.
//!
//! Where that function has not been written for the processor, `ReadProcessMemory` on this very process does the
//! same through the kernel, which returns an error; it costs a system call for each piece.
//!
//! What remains: a debugger is told of the exception first, and a handler that another part of the process puts
//! before ours sees it first, too; neither is lost data. And a program built for the strictest form of hardware stack
//! protection (`/guard:ehcont`) would have to list the address at which a copy goes on; this one is not.

use std::io;

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::copy;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use by_kernel as copy;

/// What a page that cannot be read is reported as.
pub(super) fn unreadable() -> io::Error {
    io::Error::from_raw_os_error(windows_sys::Win32::Foundation::ERROR_READ_FAULT as i32)
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::io;
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, Ordering};

    use windows_sys::Win32::Foundation::{EXCEPTION_ACCESS_VIOLATION, EXCEPTION_IN_PAGE_ERROR};
    use windows_sys::Win32::System::Diagnostics::Debug::{
        AddVectoredExceptionHandler, CONTEXT, EXCEPTION_POINTERS, EXCEPTION_RECORD,
    };

    // The copy in three pieces, each of which is a symbol, because the handler must know where the middle one begins.
    // Naked, so that they are these instructions and no others. They change only registers that the calling
    // convention lets them change, and use no stack, so that nothing needs to be unwound or described
    // (<https://learn.microsoft.com/cpp/build/x64-calling-convention>): rsi and rdi, which belong to the caller, wait
    // in r9 and r10. The string move is as fast as any loop on processors of the last ten years (ERMS).

    /// 1 when all was copied, 0 when a byte could not be read.
    ///
    /// # Safety
    ///
    /// `to` must be writable for `bytes` and overlap nothing that is read.
    #[allow(unsafe_code)]
    #[unsafe(naked)]
    unsafe extern "system" fn guarded_copy(to: *mut u8, from: *const u8, bytes: usize) -> u32 {
        std::arch::naked_asm!(
            "mov r9, rsi",
            "mov r10, rdi",
            "mov rdi, rcx",
            "mov rsi, rdx",
            "mov rcx, r8",
            "mov eax, 1",
            "jmp {moving}",
            moving = sym moving,
        )
    }

    /// The one instruction that touches a mapping, and the way back.
    #[allow(unsafe_code)]
    #[unsafe(naked)]
    extern "system" fn moving() {
        std::arch::naked_asm!("rep movsb", "mov rsi, r9", "mov rdi, r10", "ret")
    }

    /// Where an interrupted copy goes on.
    #[allow(unsafe_code)]
    #[unsafe(naked)]
    extern "system" fn failed() {
        std::arch::naked_asm!("mov rsi, r9", "mov rdi, r10", "xor eax, eax", "ret")
    }

    /// Copies bytes that may be unreadable. After an error the buffer holds nothing of use.
    pub(in super::super) fn copy(from: *const u8, buffer: &mut [u8]) -> io::Result<()> {
        install()?;
        // SAFETY: the buffer is writable for its length and nobody else's, so it overlaps no mapping. `from` need not
        // be readable: an access that fails is taken by the handler, which was installed before.
        #[allow(unsafe_code)]
        let copied = unsafe { guarded_copy(buffer.as_mut_ptr(), from, buffer.len()) };
        if copied == 0 { Err(super::unreadable()) } else { Ok(()) }
    }

    fn install() -> io::Result<()> {
        static ONCE: Once = Once::new();
        static INSTALLED: AtomicBool = AtomicBool::new(false);
        ONCE.call_once(|| {
            // SAFETY: the handler has the documented signature, lives as long as the process, and touches only what
            // it is given. First in line, because it takes nothing that another one could want.
            #[allow(unsafe_code)]
            let handle = unsafe { AddVectoredExceptionHandler(1, Some(on_exception)) };
            INSTALLED.store(!handle.is_null(), Ordering::Release);
        });
        // Without the handler nothing mapped is touched.
        if INSTALLED.load(Ordering::Acquire) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    const PASS_ON: i32 = 0;
    const GO_ON: i32 = -1;

    #[allow(unsafe_code)]
    unsafe extern "system" fn on_exception(pointers: *mut EXCEPTION_POINTERS) -> i32 {
        // SAFETY: the system passes a record and a context that are valid, and the thread's own, until the handler
        // returns.
        let (record, context) = unsafe { (&*(*pointers).ExceptionRecord, &mut *(*pointers).ContextRecord) };
        if is_ours(record, context) {
            context.Rip = failed as *const () as u64;
            return GO_ON;
        }
        PASS_ON
    }

    /// Whether a read of the guarded copy failed. The two codes carry what was tried (0 is a read) and where
    /// (<https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-exception_record>).
    fn is_ours(record: &EXCEPTION_RECORD, context: &CONTEXT) -> bool {
        const READ: usize = 0;
        let [tried, address, ..] = record.ExceptionInformation;
        let to_read = context.Rsi..context.Rsi.saturating_add(context.Rcx);
        matches!(record.ExceptionCode, EXCEPTION_IN_PAGE_ERROR | EXCEPTION_ACCESS_VIOLATION)
            && record.NumberParameters >= 2
            && context.Rip == moving as *const () as u64
            && tried == READ
            && to_read.contains(&(address as u64))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn fault(code: i32, rip: u64, tried: usize, address: usize) -> bool {
            let mut record =
                EXCEPTION_RECORD { ExceptionCode: code, NumberParameters: 3, ..Default::default() };
            record.ExceptionInformation[..2].copy_from_slice(&[tried, address]);
            let context = CONTEXT { Rip: rip, Rsi: 0x1000, Rcx: 0x200, ..Default::default() };
            is_ours(&record, &context)
        }

        #[test]
        fn only_reads_of_the_guarded_copy_are_taken() {
            const STACK_OVERFLOW: i32 = 0xC000_00FD_u32 as i32;
            let ours = moving as *const () as u64;
            for code in [EXCEPTION_IN_PAGE_ERROR, EXCEPTION_ACCESS_VIOLATION] {
                assert!(fault(code, ours, 0, 0x1000) && fault(code, ours, 0, 0x11ff), "{code:x}");
                assert!(!fault(code, ours + 1, 0, 0x1000), "another instruction");
                assert!(!fault(code, ours, 1, 0x1000), "a write");
                assert!(!fault(code, ours, 0, 0xfff) && !fault(code, ours, 0, 0x1200), "another address");
            }
            assert!(!fault(STACK_OVERFLOW, ours, 0, 0x1000));
        }
    }
}

/// The same through the kernel, which checks every page and returns an error. The other half of the tests' judge, and
/// what processors without a guarded copy use.
#[cfg(any(test, not(target_arch = "x86_64")))]
pub(super) fn by_kernel(from: *const u8, buffer: &mut [u8]) -> io::Result<()> {
    use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;
    use windows_sys::Win32::System::Threading::GetCurrentProcess;
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
    if answer == 0 || copied != buffer.len() { Err(unreadable()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::System::Memory as m;

    const PAGE: usize = 4096;

    /// Pages of which one can be taken away.
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
                assert_eq!(copy(from, &mut buffer[..bytes]).is_ok(), readable, "{bytes} at {offset}");
                assert_eq!(by_kernel(from, &mut buffer[..bytes]).is_ok(), readable, "{bytes} at {offset}");
            }
        }
        for (offset, bytes) in [(0, 2 * PAGE), (1, 2 * PAGE - 1), (3 * PAGE, PAGE), (PAGE, 0)] {
            pages.protect(2, m::PAGE_NOACCESS);
            buffer.fill(0);
            copy(pages.0.wrapping_add(offset), &mut buffer[..bytes]).unwrap();
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
                        assert_eq!(copy(from, &mut buffer).is_err(), hits, "at {offset}");
                    }
                });
            }
        });
    }

    #[test]
    fn a_fault_elsewhere_still_ends_the_process() {
        const CHILD: &str = "FCS_GUARD_TEST_CHILD";
        const ACCESS_VIOLATION: i32 = 0xC000_0005_u32 as i32;
        let me = std::env::current_exe().unwrap();
        if std::env::var_os(CHILD).is_some() {
            // SAFETY: a number for this process: no window that tells of the crash and waits.
            #[allow(unsafe_code)]
            unsafe {
                use windows_sys::Win32::System::Diagnostics::Debug as d;
                d::SetErrorMode(d::SEM_NOGPFAULTERRORBOX | d::SEM_FAILCRITICALERRORS);
            }
            // The handler is there, and has taken one.
            let pages = Pages::new(1);
            pages.protect(0, m::PAGE_NOACCESS);
            assert!(copy(pages.0, &mut [0]).is_err());
            // SAFETY: none; that this is not readable, and what then happens, is what is tested.
            #[allow(unsafe_code)]
            let byte = unsafe { std::ptr::read_volatile(pages.0) };
            panic!("read {byte} from a page that cannot be read");
        }
        let name = "windows::guard::tests::a_fault_elsewhere_still_ends_the_process";
        let child =
            std::process::Command::new(me).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output();
        let child = child.unwrap();
        let text =
            String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
        assert!(!text.contains("panicked"), "{text}");
        assert_eq!(child.status.code(), Some(ACCESS_VIOLATION), "{text}");
    }
}
