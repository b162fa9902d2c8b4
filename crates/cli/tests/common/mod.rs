//! What the tests of the program share: two folders, the program, and a look at everything that must not change.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fcs_testkit::bin::{Fcs, Run};
use serde_json::Value;
use tempfile::TempDir;

/// The program and two folders, LEFT and RIGHT, in a place of their own.
pub struct Bench {
    pub fcs: Fcs,
    pub dir: TempDir,
    pub left: PathBuf,
    pub right: PathBuf,
}

/// A moment that is the same in every test.
pub fn moment(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_600_000_000 + seconds)
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let [left, right] = ["LEFT", "RIGHT"].map(|name| dir.path().join(name));
        fs::create_dir(&left).unwrap();
        fs::create_dir(&right).unwrap();
        let bench = Self { fcs: Fcs::new(env!("CARGO_BIN_EXE_fcs")), dir, left, right };
        bench.align();
        bench
    }

    /// Gives both folders one time, so that they differ only in what a test puts into them.
    pub fn align(&self) {
        for folder in [&self.left, &self.right] {
            set_time(folder, 0);
        }
    }

    /// One of each: same, left only, right only, different in size, different in time.
    pub fn with_differences() -> Self {
        let bench = Self::new();
        bench.both("same.txt", "same", 1);
        bench.left("new.txt", "only left", 2);
        bench.right("old.txt", "only right", 3);
        bench.left("sub/size.txt", "twelve bytes", 4);
        bench.right("sub/size.txt", "fourteen bytes", 4);
        bench.both("sub/time.txt", "equal", 5);
        set_time(&bench.right.join("sub/time.txt"), 65);
        bench.left("folder/inside.txt", "inside", 6);
        for folder in ["folder", "sub"] {
            set_time(&bench.left.join(folder), 7);
        }
        set_time(&bench.right.join("sub"), 7);
        bench.align();
        bench
    }

    pub fn left(&self, path: &str, content: &str, time: u64) {
        write(&self.left.join(path), content, time);
    }

    pub fn right(&self, path: &str, content: &str, time: u64) {
        write(&self.right.join(path), content, time);
    }

    pub fn both(&self, path: &str, content: &str, time: u64) {
        self.left(path, content, time);
        self.right(path, content, time);
    }

    /// `fcs command LEFT RIGHT args…`
    pub fn run(&self, command: &str, args: &[&str]) -> Run {
        self.run_on(command, args, &self.left, &self.right)
    }

    pub fn run_on(&self, command: &str, args: &[&str], left: &Path, right: &Path) -> Run {
        let mut all: Vec<&OsStr> = vec![OsStr::new(command)];
        all.extend(args.iter().map(OsStr::new));
        all.extend([OsStr::new("--"), left.as_os_str(), right.as_os_str()]);
        self.fcs.run(all)
    }

    /// `fcs command RIGHT args…`
    pub fn run_on_right(&self, command: &str, args: &[&str]) -> Run {
        self.run_on_one(command, args, &self.right)
    }

    /// `fcs command args… -- LEFT`
    pub fn run_on_left(&self, command: &str, args: &[&str]) -> Run {
        self.run_on_one(command, args, &self.left)
    }

    fn run_on_one(&self, command: &str, args: &[&str], root: &Path) -> Run {
        let mut all: Vec<&OsStr> = vec![OsStr::new(command)];
        all.extend(args.iter().map(OsStr::new));
        all.extend([OsStr::new("--"), root.as_os_str()]);
        self.fcs.run(all)
    }

    /// What is in RIGHT as far as people see it: paths and contents, without what the program keeps there.
    pub fn seen(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        look(&self.right, &mut found);
        let ours = |path: &Path| path.components().any(|part| part.as_os_str() == ".fcs");
        found.into_iter().filter(|(path, _)| !ours(path)).map(|(path, trace)| (path, trace.content)).collect()
    }

    /// Everything in the place, with what a write would change.
    pub fn traces(&self) -> BTreeMap<PathBuf, Trace> {
        let mut found = BTreeMap::new();
        look(self.dir.path(), &mut found);
        found
    }
}

/// What a write would change.
#[derive(Debug, PartialEq, Eq)]
pub struct Trace {
    content: Option<Vec<u8>>,
    modified: SystemTime,
    permissions: fs::Permissions,
}

fn look(path: &Path, found: &mut BTreeMap<PathBuf, Trace>) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let trace = Trace {
        content: metadata.is_file().then(|| fs::read(path).unwrap()),
        modified: metadata.modified().unwrap(),
        permissions: metadata.permissions(),
    };
    found.insert(path.to_owned(), trace);
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            look(&entry.unwrap().path(), found);
        }
    }
}

pub fn write(path: &Path, content: &str, time: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    set_time(path, time);
}

/// Where created times can be set they are the same, because there they count too.
pub fn set_time(path: &Path, time: u64) {
    let times = fs::FileTimes::new().set_modified(moment(time));
    #[cfg(windows)]
    let times = std::os::windows::fs::FileTimesExt::set_created(times, moment(time));
    open_for_times(path).set_times(times).unwrap();
}

#[cfg(not(windows))]
fn open_for_times(path: &Path) -> fs::File {
    // A folder can be opened for reading only; setting times needs no more on Unix.
    fs::File::open(path).unwrap()
}

#[cfg(windows)]
fn open_for_times(path: &Path) -> fs::File {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_WRITE_ATTRIBUTES: u32 = 0x100;
    /// Without it folders cannot be opened.
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let mut options = fs::OpenOptions::new();
    options.access_mode(FILE_WRITE_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    options.open(path).unwrap()
}

/// Marks a file so that nobody may write to it: no write bit on Unix, the attribute on Windows.
pub fn mark_read_only(path: &Path) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions).unwrap();
}

/// A file that nobody may replace or remove, not even root: the attribute on Windows, an immutable one elsewhere.
pub struct Protected(PathBuf);

/// How the program names what [`protect`] does.
pub const PROTECTED: &str =
    if cfg!(windows) { "the target file has the read-only attribute" } else { "it is immutable" };

/// `None` where this user or file system cannot, which is to be recorded as a skip.
pub fn protect(path: &Path) -> Option<Protected> {
    if cfg!(windows) {
        mark_read_only(path);
        return Some(Protected(path.to_owned()));
    }
    let set = std::process::Command::new("chattr").arg("+i").arg(path).output();
    set.is_ok_and(|out| out.status.success()).then(|| Protected(path.to_owned()))
}

impl Drop for Protected {
    fn drop(&mut self) {
        if !cfg!(windows) {
            let cleared = std::process::Command::new("chattr").arg("-i").arg(&self.0).status();
            assert!(cleared.is_ok_and(|status| status.success()));
        }
    }
}

/// Protects a file, or records a skip and returns from the test.
#[macro_export]
macro_rules! protect_or_skip {
    ($path:expr) => {
        match common::protect($path) {
            Some(protected) => protected,
            None => {
                fcs_testkit::skip::skip(fcs_testkit::test_name!(), "no chattr +i here");
                return;
            }
        }
    };
}

/// Every line of the output as JSON; fails on the first that is not.
#[track_caller]
pub fn json_lines(run: &Run) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}\n{run}")))
        .collect()
}

/// Events of one kind.
pub fn events<'a>(all: &'a [Value], event: &str) -> Vec<&'a Value> {
    all.iter().filter(|e| e["event"] == event).collect()
}

/// Whether text holds nothing that acts on a terminal but line ends.
pub fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !c.is_control())
        && !text.contains(['\u{202e}', '\u{2028}', '\u{feff}', '\u{fffd}'])
}
