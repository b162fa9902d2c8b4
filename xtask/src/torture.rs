//! `cargo xtask torture`: builds the release `fcs` and the torture program, and runs the one on the other.
//!
//! Invariant: the result is that of the torture program. Where a tool is missing, what needs it is named as skipped.

use std::process::Command;

use crate::sh::{self, Needed};

/// The tools that the torture calls.
const NEEDED: [Needed; 7] = [
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("losetup", "mount"),
    ("mount", "mount"),
    ("fusermount3", "fuse3"),
    ("cp", "coreutils"),
];
const NEEDED_RSYNC: Needed = ("rsync", "rsync");

/// Runs the torture with `args`, which are its own; true when it found nothing.
pub(crate) fn run(args: &[String]) -> Result<bool, String> {
    let rsync = args.iter().any(|arg| arg.contains("rsync"));
    sh::provide(&[&NEEDED[..], if rsync { &[NEEDED_RSYNC] } else { &[] }].concat());
    for package in ["fcs-cli", "fcs-torture"] {
        let built = sh::cargo(&["build", "--quiet", "--release", "-p", package]).status();
        if !built.map_err(|error| format!("cargo does not start: {error}"))?.success() {
            return Err(format!("{package} could not be built"));
        }
    }
    let release = sh::target_dir().join("release");
    let mut torture = Command::new(release.join("fcs-torture"));
    torture.args(args).env("PATH", sh::search_path());
    if args.first().is_some_and(|arg| !arg.starts_with('-')) {
        torture.arg("--fcs").arg(release.join("fcs"));
        torture.arg("--keep").arg(sh::target_dir().join("torture"));
    }
    let status = torture.status().map_err(|error| format!("fcs-torture does not start: {error}"))?;
    Ok(status.success())
}
