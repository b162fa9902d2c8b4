//! A screen for the tests that open windows: an X server in memory.
//!
//! Invariant: windows of tests appear on nobody's screen where that server is installed, and it ends with the tests.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::sh::{self, Needed};

pub(super) const NEEDED: Needed = ("Xvfb", "xvfb");

/// Does `work` with the name of a screen, or none where it has to do with the system's own.
pub(super) fn with<T>(work: impl FnOnce(Option<&str>) -> T) -> Result<T, String> {
    if cfg!(windows) || !sh::has(NEEDED.0) {
        return Ok(work(None));
    }
    let mut server = start().map_err(|error| format!("Could not start Xvfb: {error}"))?;
    let name = name(&mut server);
    let done = name.map(|name| work(Some(&name)));
    let _ = server.kill();
    let _ = server.wait();
    done
}

/// It chooses a number that no other server has, and writes it to its standard output.
fn start() -> std::io::Result<Child> {
    let mut command = Command::new("Xvfb");
    command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]);
    command.env("PATH", sh::search_path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn()
}

/// The name, once the server can be used; an error if it ends before.
fn name(server: &mut Child) -> Result<String, String> {
    let stdout = server.stdout.take().ok_or("Xvfb has no output")?;
    let mut line = String::new();
    let read = BufReader::new(stdout).read_line(&mut line);
    read.map_err(|error| format!("Could not read from Xvfb: {error}"))?;
    let number: u32 = line.trim().parse().map_err(|_| format!("Xvfb named no screen, but said {line:?}"))?;
    Ok(format!(":{number}"))
}
