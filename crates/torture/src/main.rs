//! Torture for the `fcs` program: kills at every system call that matters, and power cuts at every write.
//!
//! Invariant: it ends with zero only when something was really tortured and nothing was found. Everything it mounts or
//! starts, it ends by its own mount point, loop device or process. It must not know how the program works inside, only
//! what it promises.

#[cfg(target_os = "linux")]
mod both;
#[cfg(target_os = "linux")]
mod failures;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod judge;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod supervise;
#[cfg(target_os = "linux")]
mod syscalls;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod trees;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match options::run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("torture: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("torture: this needs ptrace, loop devices and FUSE, which only Linux has");
    ExitCode::from(2)
}
