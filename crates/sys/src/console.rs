//! The terminal, as far as a program must talk to the system about it: whether control sequences (colour) work, and
//! that its window is being closed.
//!
//! Unix needs neither: every terminal there reads control sequences, and a closed one sends SIGHUP like any other
//! request to end. What is printed, and what a request to end means, this module must not know.

use std::io;

/// A stream that people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Makes the console behind a stream obey control sequences, which on Windows it does only when asked. False where
/// it cannot (consoles before Windows 10, or in legacy mode) and would show them as text. A stream that is no console
/// is somebody else's to interpret, so for that it is true.
///
/// The console stays that way after this program, as after most others; shells set what they need themselves.
pub fn obeys_sequences(stream: StdStream) -> bool {
    #[cfg(windows)]
    {
        windows::obeys_sequences(stream)
    }
    #[cfg(not(windows))]
    {
        let _ = stream;
        true
    }
}

/// Has `handler` called, on a thread of its own, when the console window is closed or the system shuts down. Windows
/// ends the process as soon as such a call returns, so it does not return: the process has as long as the system
/// allows (usually 5 seconds) to come to an end of its own. Only the first handler counts.
///
/// Ctrl-C and Ctrl-Break are left to other handlers. Nothing is ever called on Unix.
pub fn on_close(handler: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    #[cfg(windows)]
    {
        windows::on_close(Box::new(handler))
    }
    #[cfg(not(windows))]
    {
        drop(handler);
        Ok(())
    }
}

/// For tests: how to start a process so that [`interrupt`] reaches it and nobody else, which is with a console of its
/// own that nobody sees.
#[cfg(all(windows, feature = "probe"))]
pub const HIDDEN_CONSOLE: u32 = windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

/// For tests: presses Ctrl-C on the [`HIDDEN_CONSOLE`] of a process. For that moment this process detaches from its own
/// console, if it has one.
#[cfg(all(windows, feature = "probe"))]
pub fn interrupt(process: u32) -> io::Result<()> {
    windows::interrupt(process)
}

#[cfg(windows)]
#[allow(unsafe_code)]
mod windows {
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::OnceLock;
    use std::time::Duration;

    use windows_sys::Win32::Foundation::{FALSE, TRUE};
    use windows_sys::Win32::System::Console::{
        CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT, ENABLE_VIRTUAL_TERMINAL_PROCESSING,
        GetConsoleMode, GetStdHandle, STD_ERROR_HANDLE, STD_OUTPUT_HANDLE, SetConsoleCtrlHandler,
        SetConsoleMode,
    };
    use windows_sys::core::BOOL;

    use super::StdStream;

    pub(super) fn obeys_sequences(stream: StdStream) -> bool {
        let which = match stream {
            StdStream::Out => STD_OUTPUT_HANDLE,
            StdStream::Err => STD_ERROR_HANDLE,
        };
        let mut mode = 0;
        // SAFETY: `GetStdHandle` takes one of its constants and gives a handle of this process, null or -1, none of
        // which is ours to close. The other two accept any such value and fail when it is no console; `mode` lives
        // through the call that writes to it.
        unsafe {
            let console = GetStdHandle(which);
            if GetConsoleMode(console, &raw mut mode) == FALSE {
                return true;
            }
            mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0
                || SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != FALSE
        }
    }

    type Handler = Box<dyn Fn() + Send + Sync>;

    /// The system calls a plain function, which finds here what to do.
    static HANDLER: OnceLock<Handler> = OnceLock::new();

    pub(super) fn on_close(handler: Handler) -> io::Result<()> {
        if HANDLER.set(handler).is_err() {
            return Ok(());
        }
        // SAFETY: `called` has the type the system wants, is never unloaded, and may run on any thread at any time:
        // it touches nothing but `HANDLER`, which is set and shared between threads.
        match unsafe { SetConsoleCtrlHandler(Some(called), TRUE) } {
            FALSE => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    unsafe extern "system" fn called(event: u32) -> BOOL {
        answer(event).unwrap_or_else(|| {
            loop {
                std::thread::sleep(Duration::from_mins(1));
            }
        })
    }

    #[cfg(feature = "probe")]
    pub(super) fn interrupt(process: u32) -> io::Result<()> {
        use windows_sys::Win32::System::Console::{
            ATTACH_PARENT_PROCESS, AttachConsole, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent,
        };
        let succeed = |answer: BOOL| if answer == FALSE { Err(io::Error::last_os_error()) } else { Ok(()) };
        // SAFETY: `deaf` has the type the system wants and is never unloaded; the others take numbers only. Whoever
        // had no console before has none to detach from and none to return to, which is no failure.
        unsafe {
            // The event is for everybody on the console, and this process is about to be one of them.
            succeed(SetConsoleCtrlHandler(Some(deaf), TRUE))?;
            FreeConsole();
            let sent = succeed(AttachConsole(process))
                .and_then(|()| succeed(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)));
            FreeConsole();
            AttachConsole(ATTACH_PARENT_PROCESS);
            sent
        }
    }

    /// Takes every event for handled. It stays: an event may arrive after the call that sent it.
    #[cfg(feature = "probe")]
    unsafe extern "system" fn deaf(_: u32) -> BOOL {
        TRUE
    }

    /// What the system is told about an event; `None`: nothing, so that it waits.
    pub(super) fn answer(event: u32) -> Option<BOOL> {
        match event {
            CTRL_CLOSE_EVENT | CTRL_SHUTDOWN_EVENT => {}
            // Only services get this one, when any user logs off, and a service is to go on. The programs of that
            // user are ended without a word. https://learn.microsoft.com/windows/console/handlerroutine
            CTRL_LOGOFF_EVENT => return Some(TRUE),
            _ => return Some(FALSE),
        }
        if let Some(handler) = HANDLER.get() {
            // A panic must not leave a function that the system called; the process ends soon either way.
            drop(catch_unwind(AssertUnwindSafe(handler)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_console_is_left_to_its_reader() {
        // Both streams of a test are pipes or files, or a terminal that obeys.
        assert!(obeys_sequences(StdStream::Out) && obeys_sequences(StdStream::Err));
    }

    #[cfg(windows)]
    #[test]
    fn a_closed_window_calls_the_handler_and_keeps_the_process_while_the_rest_goes_its_way() {
        use std::sync::mpsc;
        use windows_sys::Win32::System::Console::{
            CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT,
        };
        let (told, hears) = mpsc::channel();
        on_close(move || told.send(()).unwrap()).unwrap();
        on_close(|| panic!("only the first handler counts")).unwrap();
        for passed_on in [CTRL_C_EVENT, CTRL_BREAK_EVENT] {
            assert_eq!(windows::answer(passed_on), Some(0));
        }
        assert_eq!(windows::answer(CTRL_LOGOFF_EVENT), Some(1));
        assert!(hears.try_recv().is_err());
        assert_eq!(windows::answer(CTRL_CLOSE_EVENT), None, "the process must be kept");
        hears.try_recv().unwrap();
    }
}
