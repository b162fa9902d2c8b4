//! Runs a program and kills it: before its n-th call of one kind, or at an instant.
//!
//! Invariant: when a function here returns, the program and everything it started are gone, and whether the kill
//! really happened is told by how the program ended, never assumed. A program that hangs is ended by a watchdog and
//! that is an error. It must not know what the program does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How long a run may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessEnd {
    /// By itself, with this exit code.
    Code(i32),
    /// By SIGKILL, and the kill was ours.
    Killed,
}

/// Where a run is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    Never,
    /// Before the n-th stop, counted from 1.
    AtStop(u64),
    After(Duration),
}

/// What came of a run under supervision.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub(crate) end: ProcessEnd,
    /// How often the program stopped at each of its calls, by the place in the launcher's list.
    pub(crate) stops: BTreeMap<u64, u64>,
}

/// Runs `launcher`, a command for [`crate::launch`], and kills it at `kill`. What it prints goes to `output`.
///
/// The stops of all threads and processes of the program count together, in the order in which they happen.
pub(crate) fn traced(launcher: &mut Command, output: File, kill: Kill) -> Result<Supervised, String> {
    let mut child = spawn(launcher.stdin(Stdio::piped()), output)?;
    let group = Pid::from_raw(child.id() as i32);
    let guard = Watchdog::watch(group);
    let options = ptrace::Options::PTRACE_O_TRACESECCOMP
        | ptrace::Options::PTRACE_O_TRACECLONE
        | ptrace::Options::PTRACE_O_TRACEFORK
        | ptrace::Options::PTRACE_O_TRACEVFORK
        | ptrace::Options::PTRACE_O_EXITKILL;
    let held = ptrace::seize(group, options).map_err(|error| format!("ptrace: {error}"));
    let go = held.and_then(|()| match child.stdin.take() {
        Some(mut pipe) => pipe.write_all(b"g").map_err(|error| format!("the launcher is gone: {error}")),
        None => Err("the launcher has no input".to_owned()),
    });
    if let Err(error) = go {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait();
        guard.finish()?;
        return Err(error);
    }
    let supervised = follow(group, kill);
    guard.finish()?;
    supervised
}

/// Steps from stop to stop until nothing of the program is left.
fn follow(group: Pid, kill: Kill) -> Result<Supervised, String> {
    let mut stops = BTreeMap::new();
    let (mut total, mut killed, mut status) = (0, false, None);
    loop {
        // Only what this thread started: another thread may be supervising a program of its own.
        let change = match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
            Ok(change) => change,
            Err(Errno::ECHILD) => break,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(format!("waiting for a stop: {error}")),
        };
        match change {
            WaitStatus::PtraceEvent(pid, _, event) if event == libc::PTRACE_EVENT_SECCOMP => {
                if let Ok(place) = ptrace::getevent(pid) {
                    *stops.entry(place as u64).or_insert(0) += 1;
                    total += 1;
                }
                if kill == Kill::AtStop(total) && !killed {
                    killed = true;
                    killpg(group, Signal::SIGKILL).map_err(|error| format!("kill: {error}"))?;
                } else {
                    resume(pid, None)?;
                }
            }
            WaitStatus::PtraceEvent(pid, ..) | WaitStatus::PtraceSyscall(pid) => resume(pid, None)?,
            WaitStatus::Stopped(pid, signal) => resume(pid, Some(signal))?,
            WaitStatus::Exited(pid, code) if pid == group => status = Some(ProcessEnd::Code(code)),
            WaitStatus::Signaled(pid, signal, _) if pid == group => {
                status = Some(if signal == Signal::SIGKILL && killed {
                    ProcessEnd::Killed
                } else {
                    ProcessEnd::Code(128 + signal as i32)
                });
            }
            _ => {}
        }
    }
    let end = status.ok_or("the end of the program was not seen")?;
    Ok(Supervised { end, stops })
}

/// Lets a stopped thread go on. It may have been killed meanwhile, which is no error.
fn resume(pid: Pid, signal: Option<Signal>) -> Result<(), String> {
    match ptrace::cont(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(format!("resuming: {error}")),
    }
}

/// Runs `command` at full speed, and kills it at an instant if asked to. What it prints goes to `output`.
pub(crate) fn plain(command: &mut Command, output: File, kill: Kill) -> Result<ProcessEnd, String> {
    let mut child = spawn(command.stdin(Stdio::null()), output)?;
    let group = Pid::from_raw(child.id() as i32);
    let guard = Watchdog::watch(group);
    if let Kill::After(time) = kill {
        std::thread::sleep(time);
        // Not yet waited for, so the number still belongs to it, even if it ended before.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let status = child.wait();
    guard.finish()?;
    let status = status.map_err(|error| error.to_string())?;
    Ok(end_of(status, kill != Kill::Never))
}

fn end_of(status: ExitStatus, kill_intended: bool) -> ProcessEnd {
    match status.code() {
        Some(code) => ProcessEnd::Code(code),
        None if kill_intended && status.signal() == Some(libc::SIGKILL) => ProcessEnd::Killed,
        None => ProcessEnd::Code(128 + status.signal().unwrap_or(0)),
    }
}

/// In a process group of its own, so that the whole of it can be killed and a Ctrl-C at the terminal spares it.
fn spawn(command: &mut Command, output: File) -> Result<Child, String> {
    let errors = output.try_clone().map_err(|error| error.to_string())?;
    command.process_group(0).stdout(output).stderr(errors);
    command.spawn().map_err(|error| format!("{} does not start: {error}", command.get_program().display()))
}

/// Ends a program that hangs, so that a long torture ends with a finding and not with a hang.
#[derive(Clone)]
struct Watchdog {
    started: Instant,
    /// The process group; none when it is gone, or when the watchdog ended it.
    group: Arc<Mutex<Option<Pid>>>,
}

/// What is being watched, for the one thread that watches.
static WATCHED: Mutex<Vec<Watchdog>> = Mutex::new(Vec::new());

impl Watchdog {
    fn watch(group: Pid) -> Self {
        static THREAD: std::sync::Once = std::sync::Once::new();
        THREAD.call_once(|| drop(std::thread::spawn(keep_watch)));
        let watched = Self { started: Instant::now(), group: Arc::new(Mutex::new(Some(group))) };
        let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(watched.clone());
        watched
    }

    /// The program is gone. An error when the watchdog was the one who ended it.
    fn finish(self) -> Result<(), String> {
        let group = self.group.lock().unwrap_or_else(PoisonError::into_inner).take();
        match group {
            Some(_) => Ok(()),
            None => Err(format!("hung for {} s and was ended", PATIENCE.as_secs())),
        }
    }
}

fn keep_watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|watched| {
            let mut group = watched.group.lock().unwrap_or_else(PoisonError::into_inner);
            if group.is_some() && watched.started.elapsed() > PATIENCE {
                if let Some(group) = group.take() {
                    let _ = killpg(group, Signal::SIGKILL);
                }
                return false;
            }
            group.is_some()
        });
    }
}
