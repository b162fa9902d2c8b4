//! What a copy asks of the system, counted: calls per small file, syncs per batch, bytes per byte. Counts are the same on
//! every machine, so what creeps back is seen where a time would only be noise.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use fcs_testkit::{Fcs, FsKind, Image, skip, test_name};

const FILES: usize = 2000;
/// More than lies among the metadata of any file system, and not a whole number of blocks.
const BYTES: usize = 9001;

/// The calls of one command by name, with the sum of what they returned where that is more than 0.
struct Calls(BTreeMap<String, (usize, usize)>);

impl Calls {
    fn of(log: &str) -> Self {
        let mut calls = BTreeMap::<String, (usize, usize)>::new();
        for line in log.lines() {
            // `1234 pread64(5, "…"..., 9002, 0) = 9001`, or in two lines `… <unfinished ...>` and
            // `1234 <... pread64 resumed>… = 9001`.
            let text = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            let (name, ended) = match text.strip_prefix("<... ") {
                Some(rest) => (rest.split(' ').next().unwrap_or_default(), true),
                None => (text.split('(').next().unwrap_or_default(), !text.contains("<unfinished ...>")),
            };
            // The standard library of a debug build looks at each descriptor before it closes it, by the same call.
            let ended = ended || text.contains("F_SETFL");
            if name == "fcntl" && !text.contains("F_SETFL") {
                continue;
            }
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !ended || name.is_empty() || !name.chars().all(is_name) {
                continue;
            }
            let returned =
                text.rsplit_once(" = ").and_then(|(_, value)| value.split(' ').next()?.parse().ok());
            let (count, sum) = calls.entry(name.to_owned()).or_default();
            *count += 1;
            *sum += returned.unwrap_or(0);
        }
        Self(calls)
    }

    fn count(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, |&(count, _)| count)
    }

    fn sum(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, |&(_, sum)| sum)
    }

    fn per_file(&self, name: &str) -> f64 {
        self.count(name) as f64 / FILES as f64
    }
}

/// Whether this process may read many files past the cache at once; a sandbox may forbid it.
fn reads_many_at_once() -> bool {
    fcs_sys::DeviceReads::new().is_ok()
}

fn copy(place: &Path, arguments: &[&str]) -> Option<Calls> {
    let [left, right] = ["left", "right"].map(|side| place.join(side));
    for i in 0..FILES {
        let folder = left.join(format!("{}", i / 100));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{i}")), vec![i as u8; BYTES]).unwrap();
    }
    std::fs::create_dir(&right).unwrap();
    // What was written just now is looked at until it is old enough to be told from the next change.
    let synced = Command::new("sync").arg("-f").arg(place).status().unwrap();
    assert!(synced.success());
    let log = place.join("strace");
    let fcs = Fcs::new(env!("CARGO_BIN_EXE_fcs"));
    let command = fcs.command();
    let mut strace = Command::new("strace");
    strace.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = strace
        .args(["-f", "-qq", "-s", "0", "-o"])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_fcs"))
        .args(["copy", "-y", "-q"])
        .args(arguments)
        .args([&left, &right])
        .output();
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            skip(test_name!(), &format!("strace does not start: {error}"));
            return None;
        }
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(Calls::of(&std::fs::read_to_string(log).unwrap()))
}

#[test]
fn a_small_file_costs_so_many_calls_and_bytes_and_no_more() {
    let image = match Image::new(FsKind::Ext4, 256 << 20) {
        Ok(image) => image,
        Err(reason) => return skip(test_name!(), &reason.reason),
    };
    let Some(calls) = copy(image.mount_point(), &[]) else { return };
    // What each is for: found by the scan; opened; unchanged after it was read; copy as it is with its metadata; copy
    // still under its staged name; copy under its own, for the journal.
    assert!(calls.per_file("statx") < 6.3, "{:?}", calls.0);
    // Source and copy; a folder has two each.
    assert!(calls.per_file("openat2") < 2.2, "{:?}", calls.0);
    assert!(calls.per_file("pwrite64") < 1.1, "{:?}", calls.0);
    assert!(calls.per_file("renameat2") < 1.1, "{:?}", calls.0);
    // Source and copy are asked for extended attributes; the copy may have access lists from its folder.
    assert!(calls.per_file("flistxattr") < 2.1, "{:?}", calls.0);
    // The content, the renames, the end of the run.
    assert!(calls.count("syncfs") <= 4, "{:?}", calls.0);
    assert!(calls.count("fsync") + calls.count("fdatasync") < 30, "{:?}", calls.0);
    // Nothing is written twice: the rest is the journal.
    let content = (FILES * BYTES) as f64;
    assert!((calls.sum("pwrite64") as f64) < 1.1 * content, "{:?}", calls.0);
    if reads_many_at_once() {
        assert!(calls.per_file("pread64") < 1.2 && calls.per_file("fadvise64") < 0.1, "{:?}", calls.0);
        assert!(calls.per_file("fcntl") < 1.1, "past the cache: {:?}", calls.0);
        assert!((calls.sum("pread64") as f64) < 1.1 * content, "each source is read once: {:?}", calls.0);
    }
    let all: usize = calls.0.values().map(|&(count, _)| count).sum();
    // Threads that wait for each other do so more or less often.
    let waits: usize = ["futex", "sched_yield", "clock_nanosleep"].iter().map(|name| calls.count(name)).sum();
    let each = (all - waits) as f64 / FILES as f64;
    println!("{each:.1} calls for each file");
    assert!(each < 19.5, "{each:.1}: {:?}", calls.0);
}

#[test]
fn without_verification_a_small_file_is_read_once_and_never_evicted() {
    let image = match Image::new(FsKind::Ext4, 256 << 20) {
        Ok(image) => image,
        Err(reason) => return skip(test_name!(), &reason.reason),
    };
    let Some(calls) = copy(image.mount_point(), &["--verify", "none"]) else { return };
    assert!(calls.per_file("pread64") < 1.2 && calls.per_file("fcntl") < 0.1, "{:?}", calls.0);
    assert!(calls.per_file("fadvise64") < 0.1 && calls.count("cachestat") < 10, "{:?}", calls.0);
}
