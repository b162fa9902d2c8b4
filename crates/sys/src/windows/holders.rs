//! Which programs have a file open, asked from the Restart Manager, which installers use for the same question.
//!
//! Invariant: only for words in a message. It never fails, takes a bounded share of the time, and nothing is decided
//! by it: a program can close the file, or open it, in the same moment.

use std::os::windows::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_SUCCESS};
use windows_sys::Win32::System::RestartManager as rm;

/// More names would not be read.
const MOST_NAMES: usize = 4;
/// A program that just starts can make the answer larger than the room for it.
const TRIES: usize = 3;

/// Each question takes up to a tenth of a second, and a folder of a thousand open files must not cost minutes. So
/// this many are asked in each such time.
const MOST_QUESTIONS: u32 = 20;
const PERIOD: Duration = Duration::from_secs(10);

/// When the current period began, and the questions asked in it.
static ASKED: Mutex<Option<(Instant, u32)>> = Mutex::new(None);

fn may_ask(asked: &mut Option<(Instant, u32)>, now: Instant) -> bool {
    match asked {
        Some((begun, count)) if now.duration_since(*begun) < PERIOD => {
            *count += 1;
            *count <= MOST_QUESTIONS
        }
        _ => {
            *asked = Some((now, 1));
            true
        }
    }
}

/// The programs that have the file at `path` open, each with its process number.
pub(crate) fn holders(path: &Path) -> Vec<String> {
    if !may_ask(&mut ASKED.lock().unwrap_or_else(PoisonError::into_inner), Instant::now()) {
        return Vec::new();
    }
    let Some(session) = Session::start() else { return Vec::new() };
    let found = session.ask(path).unwrap_or_default();
    let mut names: Vec<String> = found.iter().map(describe).collect();
    if names.len() > MOST_NAMES {
        let more = names.len() - MOST_NAMES;
        names.truncate(MOST_NAMES);
        names.push(format!("{more} more"));
    }
    names
}

fn describe(info: &rm::RM_PROCESS_INFO) -> String {
    let name: Vec<u16> = info.strAppName.iter().copied().take_while(|&unit| unit != 0).collect();
    // A name made by another program; it ends up on a terminal.
    let name = crate::escaped(String::from_utf16_lossy(&name).as_bytes()).into_owned();
    match info.Process.dwProcessId {
        number if name.is_empty() => format!("process {number}"),
        number => format!("{name} (process {number})"),
    }
}

/// A question to the Restart Manager. Ended in `Drop`: nothing depends on its end.
struct Session(u32);

impl Session {
    fn start() -> Option<Self> {
        let mut session = 0;
        let mut key = [0_u16; rm::CCH_RM_SESSION_KEY as usize + 1];
        // SAFETY: the key has the documented length and both outlive the call.
        #[allow(unsafe_code)]
        let answer = unsafe { rm::RmStartSession(&raw mut session, 0, key.as_mut_ptr()) };
        (answer == ERROR_SUCCESS).then_some(Self(session))
    }

    fn ask(&self, path: &Path) -> Option<Vec<rm::RM_PROCESS_INFO>> {
        let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        let files = [path.as_ptr()];
        // SAFETY: one file is given, as a string that ends in NUL and outlives the call; no programs and no services.
        #[allow(unsafe_code)]
        let answer = unsafe {
            rm::RmRegisterResources(self.0, 1, files.as_ptr(), 0, std::ptr::null(), 0, std::ptr::null())
        };
        if answer != ERROR_SUCCESS {
            return None;
        }
        let mut found = vec![rm::RM_PROCESS_INFO::default(); MOST_NAMES];
        for _ in 0..TRIES {
            let (mut needed, mut room, mut reboot) = (0, found.len() as u32, 0);
            // SAFETY: `found` has room for as many entries as `room` says, and all outlive the call.
            #[allow(unsafe_code)]
            let answer = unsafe {
                rm::RmGetList(self.0, &raw mut needed, &raw mut room, found.as_mut_ptr(), &raw mut reboot)
            };
            match answer {
                ERROR_SUCCESS => {
                    found.truncate(room as usize);
                    return Some(found);
                }
                // The most that is reported; of a file that more programs have open nothing is.
                ERROR_MORE_DATA => found.resize((needed as usize).min(256), rm::RM_PROCESS_INFO::default()),
                _ => return None,
            }
        }
        None
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the number is of a session that was started and not ended yet.
        #[allow(unsafe_code)]
        unsafe {
            rm::RmEndSession(self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_limited_in_number_and_become_free_again() {
        let (mut asked, begun) = (None, Instant::now());
        let count = (0..100).filter(|_| may_ask(&mut asked, begun)).count();
        assert_eq!(count, MOST_QUESTIONS as usize);
        assert!(may_ask(&mut asked, begun + PERIOD));
    }

    #[test]
    fn a_program_is_named_with_its_number_and_cannot_write_to_the_terminal() {
        let mut info = rm::RM_PROCESS_INFO::default();
        info.Process.dwProcessId = 7;
        assert_eq!(describe(&info), "process 7");
        for (unit, c) in info.strAppName.iter_mut().zip("a\u{1b}[2Jb".encode_utf16()) {
            *unit = c;
        }
        assert_eq!(describe(&info), "a\\x1b[2Jb (process 7)");
    }
}
