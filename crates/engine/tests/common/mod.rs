//! What the engine's integration tests share: the whole way from two folders to a report, and the questions every
//! safety test asks afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code, unreachable_pub, missing_docs, clippy::new_without_default)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_engine::compare::{Comparison, Side, compare};
use fcs_engine::filter::Filter;
use fcs_engine::plan::{Plan, plan};
use fcs_engine::report::{ItemReport, Outcome, Report};
use fcs_engine::run::{RunOptions, StartError, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::{Strategy, Undo, Verify};
use fcs_engine::{Control, Settings};
use fcs_sys::{Root, open_root};
use fcs_testkit::faulty::{Act, Event, Script, wrap, wrap_folders};

/// Two folders in a temporary place, and the settings to bring one to the other.
pub struct Bench {
    pub left: PathBuf,
    pub right: PathBuf,
    pub settings: Settings,
    pub control: Control,
    pub run_script: Option<Script>,
    /// Of the target the script sees what is asked of folders alone.
    pub bare_files: bool,
    temporary_kept: Option<tempfile::TempDir>,
}

impl Bench {
    /// In the system's temporary folder.
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut bench = Self::at(temporary.path());
        bench.temporary_kept = Some(temporary);
        bench
    }

    /// Below an existing folder, such as a mounted image.
    pub fn at(place: &Path) -> Self {
        let (left, right) = (place.join("left"), place.join("right"));
        std::fs::create_dir(&left).unwrap();
        std::fs::create_dir(&right).unwrap();
        Self {
            left,
            right,
            // A clean run then leaves no trace, which every test can check.
            settings: Settings { undo: Undo::Off, ..Settings::default() },
            control: Control::default(),
            run_script: None,
            bare_files: false,
            temporary_kept: None,
        }
    }

    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.settings.strategy = strategy;
        self
    }

    pub fn verify(mut self, verify: Verify) -> Self {
        self.settings.verify = verify;
        self
    }

    /// Every file takes its strategy's own way, however small.
    pub fn no_groups(mut self) -> Self {
        self.settings.batch_max_file_bytes = 0;
        self
    }

    /// The run, but neither scan nor comparison, goes through this script; sides are `source` and `target`. It sees
    /// the user's files and what stands for them, not the journal.
    pub fn script(self, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        self.script_all(move |event| if is_journal(event) { Act::Go } else { script(event) })
    }

    /// As [`Bench::script`], the journal included.
    pub fn script_all(mut self, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> Self {
        self.run_script = Some(Arc::new(script));
        self
    }

    pub fn roots(&self) -> (Root, Root) {
        (open_root(&self.left).unwrap(), open_root(&self.right).unwrap())
    }

    pub fn compare(&self) -> Comparison {
        let (left, right) = self.roots();
        self.compare_roots(&left, &right)
    }

    /// As [`Bench::compare`], through roots of the caller's.
    pub fn compare_roots(&self, left: &Root, right: &Root) -> Comparison {
        let filter = Filter::default();
        let (a, b) = scan_pair(left, right, &filter, &self.settings, &self.control).unwrap();
        compare((left, Arc::new(a)), (right, Arc::new(b)), &self.settings, &self.control).unwrap()
    }

    pub fn plan(&self) -> Plan {
        plan(&self.compare(), Side::Right, &|_| true, &self.settings)
    }

    pub fn run(&self, plan: &Plan) -> Report {
        self.try_run(plan).unwrap()
    }

    pub fn try_run(&self, plan: &Plan) -> Result<Report, StartError> {
        let (mut left, mut right) = self.roots();
        if let Some(script) = &self.run_script {
            left = wrap(&left, "source", Arc::clone(script));
            let wrap_target = if self.bare_files { wrap_folders } else { wrap };
            right = wrap_target(&right, "target", Arc::clone(script));
        }
        let options = RunOptions { command: "copy".into(), ..RunOptions::default() };
        run(plan, &[&left, &right], &self.settings, &options, &self.control)
    }

    /// Compare, plan, run.
    pub fn copy(&self) -> Report {
        self.run(&self.plan())
    }
}

/// Whether a call is about the journal, the lock or the undo store.
pub fn is_journal(event: &Event<'_>) -> bool {
    event.path.names().next().is_some_and(|first| first.as_bytes() == b".fcs")
}

/// The item of a path.
pub fn item<'a>(report: &'a Report, path: &str) -> &'a ItemReport {
    report
        .items
        .iter()
        .find(|i| i.path.as_bytes() == path.as_bytes())
        .unwrap_or_else(|| panic!("no item {path} in {:#?}", report.items))
}

/// The message of a failed item.
pub fn failure<'a>(report: &'a Report, path: &str) -> &'a fcs_engine::Error {
    match &item(report, path).outcome {
        Outcome::Failed { error } => error,
        other => panic!("{path} did not fail: {other:?}"),
    }
}

/// Panics, naming each, if a run left anything of its own in a tree.
pub fn assert_no_strays(root: &Path) {
    assert!(!root.join(".fcs").exists(), "a clean run without undo leaves no trace");
    assert_no_strays_beside(root);
}

/// As [`assert_no_strays`], the journal and undo store aside.
pub fn assert_no_strays_beside(root: &Path) {
    let mut stack = vec![root.to_path_buf()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if name == ".fcs" && folder == root {
                continue;
            }
            assert!(!name.as_encoded_bytes().starts_with(b".fcs"), "stray {}", entry.path().display());
            if entry.file_type().unwrap().is_dir() {
                stack.push(entry.path());
            }
        }
    }
}

/// What must not change when a copy over an existing file fails.
#[cfg(unix)]
#[derive(Debug, PartialEq, Eq)]
pub struct Original {
    bytes: Vec<u8>,
    modified: std::time::SystemTime,
    mode: u32,
    inode: u64,
}

#[cfg(unix)]
pub fn original(path: &Path) -> Original {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::symlink_metadata(path).unwrap();
    Original {
        bytes: std::fs::read(path).unwrap(),
        modified: meta.modified().unwrap(),
        mode: meta.mode(),
        inode: meta.ino(),
    }
}

/// Bytes that no compression shrinks and that differ everywhere; the same for the same seed.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// Sets a file's modified time well away from now, so that a time that is not kept shows.
pub fn age(path: &Path) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    std::fs::File::open(path).unwrap().set_modified(time).unwrap();
}

/// Writes a file, and makes the folders above it.
pub fn put(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Carries something out that dies at its `n`th change of the target; whether it came so far.
pub fn dies_at(n: usize, bench: &Bench, what: impl FnOnce(&Root)) -> bool {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use fcs_testkit::faulty::Call;

    const EIO: i32 = 5;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let changes = [
        Call::CreateFile,
        Call::CreateDir,
        Call::RenameNoReplace,
        Call::RenameExchange,
        Call::RenameReplace,
        Call::HardLink,
        Call::RemoveFile,
        Call::RemoveDir,
        Call::SetTimes,
        Call::SetAttributes,
        Call::Write,
        Call::Sync,
        Call::SyncVolume,
    ];
    let dead = wrap(
        &bench.roots().1,
        "target",
        Arc::new(move |event| {
            if counted.load(Ordering::SeqCst) >= n {
                return Act::Fail(EIO);
            }
            let is_change = changes.contains(&event.call);
            if is_change && counted.fetch_add(1, Ordering::SeqCst) + 1 >= n {
                Act::Fail(EIO)
            } else {
                Act::Go
            }
        }),
    );
    what(&dead);
    count.load(Ordering::SeqCst) >= n
}

/// What distinguishes a file from any other on its volume.
pub fn number_of(path: &Path) -> fcs_sys::FileId {
    let root = open_root(path.parent().unwrap()).unwrap();
    root.dir.stat(&fcs_sys::Name::new(path.file_name().unwrap().as_encoded_bytes()).unwrap()).unwrap().id
}

/// A flag of a file, cleared again when the test is over.
pub struct Flag<'a>(&'a Path, char);

impl<'a> Flag<'a> {
    /// `None` where this user or file system cannot.
    pub fn set(path: &'a Path, flag: char) -> Option<Self> {
        let set = std::process::Command::new("chattr").arg(format!("+{flag}")).arg(path).output();
        set.is_ok_and(|out| out.status.success()).then_some(Self(path, flag))
    }
}

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        let cleared = std::process::Command::new("chattr").arg(format!("-{}", self.1)).arg(self.0).status();
        assert!(cleared.is_ok_and(|status| status.success()));
    }
}
