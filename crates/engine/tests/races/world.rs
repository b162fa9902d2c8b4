//! The two folders a race is about, what happens to them, and what may be found in them afterwards.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_engine::compare::{Side, compare};
use fcs_engine::filter::Filter;
use fcs_engine::history::{RecoverMode, RecoveryReport, StartError, recover, undo};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::report::Report;
use fcs_engine::run::{RunOptions, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::{Reread, Strategy, Undo, Verify};
use fcs_engine::{Control, Settings};
use fcs_sys::{Root, open_root};
use fcs_testkit::faulty::{Script, wrap};
use fcs_testkit::listing::{Listing, Options, listing};

use crate::common::{age, noise};

/// The run's id: staged names and the undo store are then the same in every run.
pub const RUN: &str = "race";

/// Files: path, bytes on the source, bytes on the target; 0 means that there is none.
const FILES: [(&str, usize, usize); 10] = [
    ("small", 5000, 700),
    ("fresh", 3000, 0),
    ("large", 200_000, 150_000),
    ("sub/old", 4000, 600),
    ("sub/deep/new", 2000, 0),
    ("sub/deep/old", 2500, 800),
    ("made/f", 1500, 0),
    ("orphan", 0, 900),
    ("gone/f", 0, 300),
    ("sub/deep/orphan", 0, 400),
];

/// What is at a path.
#[derive(Clone, PartialEq, Eq)]
pub enum There {
    Nothing,
    File(Vec<u8>),
    Link(PathBuf),
    /// With the content of the file `mine` in it.
    Folder(Option<Vec<u8>>),
}

impl std::fmt::Debug for There {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::File(bytes) => {
                let ends = (&bytes[..bytes.len().min(4)], &bytes[bytes.len().saturating_sub(4)..]);
                write!(f, "a file of {} bytes, {ends:02x?}", bytes.len())
            }
            Self::Link(to) => write!(f, "a link to {}", to.display()),
            Self::Folder(_) => f.write_str("a folder"),
        }
    }
}

pub fn there(path: &Path) -> There {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return There::Nothing };
    if meta.is_symlink() {
        There::Link(std::fs::read_link(path).unwrap())
    } else if meta.is_dir() {
        There::Folder(std::fs::read(path.join("mine")).ok())
    } else {
        There::File(std::fs::read(path).unwrap())
    }
}

/// Everything a copy must take from one moment of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub there: There,
    modified: (i64, i64),
    mode: u32,
    mark: Option<Vec<u8>>,
}

pub fn moment(path: &Path) -> Option<Moment> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    let mark = if meta.is_file() { xattr::get(path, "user.mark").unwrap() } else { None };
    Some(Moment { there: there(path), modified: (meta.mtime(), meta.mtime_nsec()), mode: meta.mode(), mark })
}

/// How the run goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunShape {
    pub strategy: Strategy,
    /// All steps wait for one common sync, or each has its own.
    pub one_group: bool,
}

pub struct World {
    pub left: PathBuf,
    pub right: PathBuf,
    pub outside: PathBuf,
    /// For files on their way into a tree.
    pub spare: PathBuf,
    settings: Settings,
    before: Listing,
    outside_before: Listing,
    /// What the source and the target held before the run, by path.
    pub source: BTreeMap<&'static str, Moment>,
    pub target: BTreeMap<&'static str, There>,
    _place: tempfile::TempDir,
}

fn put(path: &Path, bytes: usize, seed: u64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, noise(bytes, seed)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
    age(path);
}

pub fn listed(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

impl World {
    pub fn new(way: RunShape) -> Self {
        let place = tempfile::tempdir().unwrap();
        let [left, right, outside, spare] =
            ["left", "right", "outside", "spare"].map(|name| place.path().join(name));
        for folder in [&left, &right, &outside, &spare] {
            std::fs::create_dir(folder).unwrap();
        }
        for (seed, (path, on_left, on_right)) in (1..).zip(FILES) {
            for (root, bytes, seed) in [(&left, on_left, seed), (&right, on_right, seed + 100)] {
                if bytes > 0 {
                    put(&root.join(path), bytes, seed);
                }
            }
            // Bait: outside looks like the folder it is taken for, and like the one in it.
            for below in ["sub/", "sub/deep/"] {
                if let Some(name) = path.strip_prefix(below) {
                    put(&outside.join(name), 50, seed + 200);
                }
            }
        }
        for (link, to) in [("left/link", "here"), ("right/link", "there"), ("left/link new", "anywhere")] {
            symlink(to, place.path().join(link)).unwrap();
        }
        for root in [&left, &right] {
            put(&root.join("same"), 100, 50);
            age(&root.join("sub/deep"));
            age(&root.join("sub"));
            age(root);
        }
        age(&outside);
        let names = || FILES.iter().map(|file| file.0).chain(["link", "link new", "same"]);
        let settings = Settings {
            strategy: way.strategy,
            verify: Verify::All,
            undo: Undo::Last,
            copy_workers: 1,
            large_file_workers: 1,
            batch_max_files: if way.one_group { 1000 } else { 1 },
            batch_max_milliseconds: 600_000,
            batch_max_file_bytes: 64 << 10,
            direct_chunk_bytes: 64 << 10,
            network_chunk_bytes: 64 << 10,
            verify_chunk_bytes: 64 << 10,
            mmap_window_bytes: 128 << 10,
            // Past the cache means from the device, which takes its time.
            large_reread: Reread::Evicted,
            ..Settings::default()
        };
        Self {
            before: listed(&right),
            outside_before: listed(&outside),
            source: names().filter_map(|name| Some((name, moment(&left.join(name))?))).collect(),
            target: names().map(|name| (name, there(&right.join(name)))).collect(),
            left,
            right,
            outside,
            spare,
            settings,
            _place: place,
        }
    }

    pub fn roots(&self) -> (Root, Root) {
        (open_root(&self.left).unwrap(), open_root(&self.right).unwrap())
    }

    pub fn plan(&self) -> Plan {
        let (left, right) = self.roots();
        let control = Control::default();
        let (a, b) = scan_pair(&left, &right, &Filter::default(), &self.settings, &control).unwrap();
        let compared =
            compare((&left, Arc::new(a)), (&right, Arc::new(b)), &self.settings, &control).unwrap();
        plan_sync(&compared, Side::Right, &|_| true, &self.settings)
    }

    pub fn run(&self, plan: &Plan, script: &Script) -> Report {
        let (left, right) = self.roots();
        let (left, right) =
            (wrap(&left, "source", Arc::clone(script)), wrap(&right, "target", Arc::clone(script)));
        let options =
            RunOptions { command: "sync".into(), run_id: RUN.parse().ok(), ..RunOptions::default() };
        run(plan, &[&left, &right], &self.settings, &options, &Control::default()).unwrap()
    }

    pub fn undo(&self, script: &Script) -> Result<RecoveryReport, StartError> {
        undo(&wrap(&self.roots().1, "target", Arc::clone(script)), None, &Control::default())
    }

    pub fn recover(&self, how: RecoverMode, script: &Script) -> Result<Vec<RecoveryReport>, StartError> {
        recover(&wrap(&self.roots().1, "target", Arc::clone(script)), how, &Control::default())
    }

    pub fn assert_nothing_outside_changed(&self, case: &str) {
        let differences = fcs_testkit::listing::diff(&self.outside_before, &listed(&self.outside));
        assert!(differences.is_empty(), "{case}: outside the roots: {differences:#?}");
    }

    /// Asserts that the target is what it was before the run, except in the times of the folders above `path`, and, if
    /// it is `taken`, at `path` itself.
    pub fn assert_back(&self, path: Option<&str>, taken: bool, case: &str) {
        let spared = |found: &mut Listing| {
            let Some(path) = path.map(Path::new) else { return };
            found.retain(|at, _| !taken || !at.starts_with(path));
            for above in path.ancestors().skip(1) {
                if let Some(folder) = found.get_mut(above) {
                    folder.mtime = None;
                }
            }
        };
        let (mut before, mut now) = (self.before.clone(), listed(&self.right));
        spared(&mut before);
        spared(&mut now);
        let differences = fcs_testkit::listing::diff(&before, &now);
        assert!(differences.is_empty(), "{case}: {differences:#?}");
    }

    /// Whether `what` is at `path` or in the undo store.
    pub fn still_has(&self, path: &str, what: &There) -> bool {
        let (mut places, mut at) = (vec![self.right.join(path)], 0);
        places.push(self.right.join(".fcs/undo"));
        // Folders that went whole are in the store with all that was in them.
        while let Some(place) = places.get(at).cloned() {
            at += 1;
            if at > 1 && place.symlink_metadata().is_ok_and(|item| item.is_dir()) {
                places.extend(std::fs::read_dir(&place).unwrap().map(|kept| kept.unwrap().path()));
            }
        }
        places.iter().any(|place| there(place) == *what)
    }
}
