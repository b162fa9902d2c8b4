//! `cargo xtask torture`: builds the release `fcs` and the torture program, and runs the one on the other; or visits
//! more crash states of the simulated disk, or gives the fuzz targets more inputs, than the tests do.
//!
//! Invariant: the result is that of the torture program. Where a tool is missing, what needs it is named as skipped.

use std::collections::BTreeSet;
use std::fs;
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
    let chosen = [("--exhaustive", 1000), ("--samples", 100), ("--seed", u64::from(std::process::id()))];
    let chosen = numbers(args, chosen)?;
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

/// Gives each fuzz target other inputs for longer; true when none was at fault.
fn fuzz(args: &[String]) -> Result<bool, String> {
    let chosen = numbers(args, [("--seconds", 60), ("--seed", u64::from(std::process::id()))])?;
    let corpus = sh::repository().join("fuzz").join("corpus");
    let said = |error: std::io::Error| format!("Could not list {}: {error}", corpus.display());
    let mut unseen = BTreeSet::new();
    for entry in fs::read_dir(&corpus).map_err(said)? {
        unseen.insert(entry.map_err(said)?.file_name().to_string_lossy().into_owned());
    }
    // One after the other: each is to have a processor for itself.
    let targets = ["--lib", "fuzz_", "--", "--nocapture", "--test-threads=1"];
    let mut suite = sh::cargo(&["test", "--workspace", "--exclude", "fcs-gui", "--no-fail-fast"]);
    suite.args(targets).env("FCS_FUZZ_FOUND", sh::target_dir().join("fuzz")).stdout(Stdio::piped());
    for ((option, value), variable) in chosen.iter().zip(["FCS_FUZZ_SECONDS", "FCS_FUZZ_SEED"]) {
        println!("{option} {value}");
        suite.env(variable, value.to_string());
    }
    let said = |error| format!("cargo does not start: {error}");
    let mut suite = suite.spawn().map_err(said)?;
    let passed = sh::show(&mut suite, |line| {
        let target = line.strip_prefix("fuzz ").and_then(|rest| rest.split_once(':'));
        unseen.remove(target.map_or("", |(target, _)| target));
    });
    for target in &unseen {
        println!("FAILED: nothing was given to {target}, which has a corpus");
    }
    Ok(passed.map_err(said)?.success() && unseen.is_empty())
}

/// The numbers that options ask for, in place of those in `chosen`.
fn numbers<const N: usize>(
    args: &[String],
    mut chosen: [(&'static str, u64); N],
) -> Result<[(&'static str, u64); N], String> {
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let Some((_, value)) = chosen.iter_mut().find(|(name, _)| name == option) else {
            return Err(format!("torture knows no {option} here"));
        };
        let given = args.next().and_then(|text| text.parse().ok());
        *value = given.ok_or_else(|| format!("{option} wants a number"))?;
    }
    Ok(chosen)
}

/// Runs the torture with `args`, which are its own; true when it found nothing.
pub(crate) fn run(args: &[String]) -> Result<bool, String> {
    match args.split_first().map(|(kind, rest)| (kind.as_str(), rest)) {
        Some(("states", rest)) => states(rest),
        Some(("fuzz", rest)) => fuzz(rest),
        _ => Ok(found(args)?.is_empty()),
    }
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
