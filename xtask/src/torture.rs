//! `cargo xtask torture`: builds the release `fcs` and the torture program, and runs the one on the other; or visits
//! more crash states of the simulated disk than the tests do.
//!
//! Invariant: the result is that of the torture program. Where a tool is missing, what needs it is named as skipped.

use std::process::{Command, Stdio};

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

/// Runs the crash suite with a larger budget and another seed each time; true when it found nothing.
fn states(args: &[String]) -> Result<bool, String> {
    let mut chosen = [("--exhaustive", 1000), ("--samples", 100), ("--seed", u64::from(std::process::id()))];
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let Some((_, value)) = chosen.iter_mut().find(|(name, _)| name == option) else {
            return Err(format!("torture states knows no {option}"));
        };
        let given = args.next().and_then(|text| text.parse().ok());
        *value = given.ok_or_else(|| format!("{option} wants a number"))?;
    }
    let mut suite =
        sh::cargo(&["test", "-p", "fcs-engine", "--test", "crash", "no_crash", "--", "--nocapture"]);
    for ((option, value), variable) in
        chosen.iter().zip(["FCS_CRASH_EXHAUSTIVE", "FCS_CRASH_SAMPLES", "FCS_CRASH_SEED"])
    {
        println!("{option} {value}");
        suite.env(variable, value.to_string());
    }
    suite.status().map(|status| status.success()).map_err(|error| format!("cargo does not start: {error}"))
}

/// Runs the torture with `args`, which are its own; true when it found nothing.
pub(crate) fn run(args: &[String]) -> Result<bool, String> {
    if let Some((kind, rest)) = args.split_first()
        && kind == "states"
    {
        return states(rest);
    }
    Ok(found(args)?.is_empty())
}

/// Runs the torture of the real program and returns what it found, a line each; nothing when all was well.
pub(crate) fn found(args: &[String]) -> Result<Vec<String>, String> {
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
    let said = |error| format!("fcs-torture: {error}");
    let mut child = torture.stdout(Stdio::piped()).spawn().map_err(said)?;
    let mut found = Vec::new();
    let status = sh::show(&mut child, |line| {
        if line.starts_with("FAULT ") || line.starts_with("ERROR ") {
            found.push(line.to_owned());
        }
    });
    let status = status.map_err(said)?;
    if !status.success() && found.is_empty() {
        found.push(format!("it ended with {status}"));
    }
    Ok(found)
}
