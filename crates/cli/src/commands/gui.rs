//! `fcs gui`: starts the window, which is a program of its own.
//!
//! Invariant: the folders are handed on as they were typed, and nothing is read or decided here. The window's program
//! is the one beside this one; only where there is none, one that PATH finds.

use std::env::consts::EXE_SUFFIX;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fcs_engine::error::display_path;

use crate::args::GuiArgs;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};

const HINT: &str = "Unpack fcs and fcs-gui into one folder, or build it: cargo build --release -p fcs-gui.";

/// Does not wait for the window: once it has started, it says itself what it cannot do.
pub(crate) fn run(args: &GuiArgs) -> CommandResult {
    let name = format!("fcs-gui{EXE_SUFFIX}");
    let folder = own_folder();
    let beside = folder.as_deref().map(|folder| folder.join(&name)).filter(|path| path.is_file());
    let program = beside.clone().unwrap_or_else(|| PathBuf::from(&name));
    let mut command = Command::new(&program);
    command.args(args.left.iter().chain(&args.right));
    // What a script reads from this program must not wait for the window; errors should still be seen.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    match command.spawn() {
        Ok(_) => Ok(Code::Done),
        Err(error) if beside.is_none() && error.kind() == ErrorKind::NotFound => {
            Err(missing(&name, folder.as_deref()))
        }
        Err(error) => {
            let what = format!("Could not start {}: {error}. Nothing was changed.", display_path(&program));
            Err(Failure::usage(what).hint(HINT))
        }
    }
}

/// Where this program lies, not a link to it.
fn own_folder() -> Option<PathBuf> {
    let started = std::env::current_exe().ok()?;
    let exe = std::fs::canonicalize(&started).unwrap_or(started);
    exe.parent().map(Path::to_owned)
}

fn missing(name: &str, folder: Option<&Path>) -> Failure {
    let beside =
        folder.map_or_else(String::new, |folder| format!("neither in {} nor ", display_path(folder)));
    let nowhere = if beside.is_empty() { "not " } else { &beside };
    let what = format!("Could not start {name}: it is {nowhere}in a folder of PATH. Nothing was changed.");
    Failure::usage(what).hint(HINT)
}
