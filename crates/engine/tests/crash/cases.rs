//! The scenarios: two small trees, what is done with them, how it ends, on what sort of disk; and the recording of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fcs_engine::compare::{Comparison, RowId, Side, compare};
use fcs_engine::filter::Filter;
use fcs_engine::history::undo;
use fcs_engine::plan::{Action, ItemMetadata, Plan, plan_sync};
use fcs_engine::report::{ActionKind, ItemReport, Outcome, Report};
use fcs_engine::run::{OnError, RunOptions, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::session::{FileOutcome, FileReport, Series};
use fcs_engine::settings::{ContentCheck, Strategy, Undo};
use fcs_engine::{Cancel, Control, Observer, OnCancel, Settings};
use fcs_sys::{Kind, Name, RelPath, Root, Time};
use fcs_testkit::faulty::{Act, Call, Event, Script, wrap};
use fcs_testkit::sim::{Item, Options, Recording, SimFs};

/// Everything of the user, by path: not what is in `.fcs`.
pub type Tree = BTreeMap<String, Item>;

const EIO: i32 = 5;
const EXDEV: i32 = 18;
const EOPNOTSUPP: i32 = 95;
const RUN: &str = "r1";

/// What is done: at most three steps each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    New,
    Replace,
    Delete,
    FolderCreate,
    /// R9: a folder goes whole.
    FolderRemove,
    /// R9: a folder that was to go whole cannot be renamed at first, and is taken apart.
    FolderApart,
    Links,
    OneGroup,
    ThreeGroups,
    Large,
    LargeStaged,
    MetadataOnly,
    Mixed,
    /// L3: a file takes the place of a folder with something in it.
    FileOverFolder,
    /// L3: a folder with something in it takes the place of a file.
    FolderOverFile,
    /// V16: files with equal content are given the other dates.
    Dates,
    /// L4: items are given another spelling of their names, one that is replaced too.
    Respell,
    /// Items move to another folder, one that was there and one that is made, beside a copy and a removal.
    Moves,
    /// What was renamed is found and renamed: a folder with all that is in it, and a file out of a folder that goes.
    Renamed,
    /// Names are swapped between two folders, and handed on in one.
    Chain,
    /// A file and a folder get other permissions and dates, beside a copy.
    SetMetadata,
    /// Files are named one after the other, and each ends before the next.
    OneByOne,
    /// Files are named one after the other, and wait for their group.
    Waiting,
}

pub const SCENARIOS: [Scenario; 23] = [
    Scenario::New,
    Scenario::Replace,
    Scenario::Delete,
    Scenario::FolderCreate,
    Scenario::FolderRemove,
    Scenario::FolderApart,
    Scenario::Links,
    Scenario::OneGroup,
    Scenario::ThreeGroups,
    Scenario::Large,
    Scenario::LargeStaged,
    Scenario::MetadataOnly,
    Scenario::Mixed,
    Scenario::FileOverFolder,
    Scenario::FolderOverFile,
    Scenario::Dates,
    Scenario::Respell,
    Scenario::Moves,
    Scenario::Renamed,
    Scenario::Chain,
    Scenario::SetMetadata,
    Scenario::OneByOne,
    Scenario::Waiting,
];

/// What is named one after the other in [`Scenario::OneByOne`] and [`Scenario::Waiting`]: two folders in turns, one that is
/// made, and files that are there. Nobody gives a folder that is there its dates, so there is only the root.
const NAMED: [&str; 4] = ["f", "made/new", "g", "made/also"];

/// Where what moves is before and after.
const MOVES: [[&str; 2]; 3] = [["moved", "d/moved"], ["old/also", "made/other"], ["tree", "d/tree"]];

/// As [`MOVES`], of [`Scenario::Renamed`].
const RENAMES: [[&str; 2]; 2] = [["tree", "renamed"], ["gone/file", "d/file"]];

/// As [`MOVES`], of [`Scenario::Chain`], as the plan lists them.
const CHAINS: [[&str; 2]; 4] = [["d/a", "a"], ["x", "y"], ["y", "z"], ["a", "d/a"]];

/// What is handed on or swapped, as long as it is not recovered in part: all of each is as it was, or as it is to be.
const TOGETHER: [&[&str]; 2] = [&["a", "d/a"], &["x", "y", "z"]];

/// What the disk can do, and how long originals are kept.
#[derive(Debug, Clone, Copy)]
pub struct DiskRules {
    pub exchange: bool,
    pub hard_links: bool,
    pub no_replace: bool,
    pub sync_volume: bool,
    pub reuse_numbers: bool,
    /// Numbers are those of places, as on FAT in Windows.
    pub places: bool,
    /// Every change gives every item another number, and others theirs.
    pub restless: bool,
    pub undo: Undo,
}

pub const BEST: DiskRules = DiskRules {
    exchange: true,
    hard_links: true,
    no_replace: true,
    sync_volume: true,
    reuse_numbers: false,
    places: false,
    restless: false,
    undo: Undo::Last,
};
pub const POOR: DiskRules =
    DiskRules { exchange: false, hard_links: false, no_replace: false, sync_volume: false, ..BEST };

pub const WAYS: [DiskRules; 12] = [
    BEST,
    DiskRules { undo: Undo::Off, ..BEST },
    DiskRules { sync_volume: false, reuse_numbers: true, ..BEST },
    DiskRules { exchange: false, sync_volume: false, ..BEST },
    DiskRules { exchange: false, reuse_numbers: true, undo: Undo::Off, ..BEST },
    DiskRules { hard_links: false, sync_volume: false, undo: Undo::Off, ..BEST },
    DiskRules { exchange: false, hard_links: false, ..BEST },
    POOR,
    DiskRules { undo: Undo::Off, ..POOR },
    DiskRules { exchange: false, hard_links: false, sync_volume: false, places: true, ..BEST },
    DiskRules { restless: true, sync_volume: false, ..BEST },
    DiskRules { restless: true, ..POOR },
];

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Success,
    /// Its last item fails, and it rolls back.
    Failure,
    /// An item fails, a file when it is read back, and the rest stays.
    FailureKept,
    /// It is cancelled after its first item, and the user wants it rolled back.
    Cancel,
}

impl Ending {
    pub const ALL: [Self; 4] = [Self::Success, Self::Failure, Self::FailureKept, Self::Cancel];

    fn goes_back(self) -> bool {
        matches!(self, Self::Failure | Self::Cancel)
    }

    fn fails(self) -> bool {
        matches!(self, Self::Failure | Self::FailureKept)
    }
}

/// What may be there after a crash.
#[derive(Debug, Clone)]
pub struct Expect {
    /// The tree before, and the time of its root.
    pub old: Tree,
    pub root_time: Time,
    /// The tree that was asked for.
    pub new: Tree,
    /// How it may look, as a whole, when nothing is left to be recovered.
    pub ends: Vec<Tree>,
    /// Items that were reported as done, with the number of operations before that.
    pub done: Vec<(usize, String)>,
    /// What was done is rolled back on the way.
    pub goes_back: bool,
    /// Something failed and the rest stays: a folder that was to go may have a time of its own, and times of folders
    /// alone are nothing that could be undone.
    pub partial: bool,
    /// Some items are the same ones under either spelling of their names.
    pub respelled: bool,
    /// Where what moves is before and after.
    pub moves: &'static [[&'static str; 2]],
    /// Paths that are all as before, or all as is to be.
    pub together: &'static [&'static [&'static str]],
    pub way: DiskRules,
}

/// Something done on the simulated disk, operation by operation.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub recording: Recording,
    pub expect: Expect,
}

impl fmt::Display for DiskRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |on: bool, word: &str| if on { format!("{word}, ") } else { format!("no {word}, ") };
        f.write_str(&word(self.exchange, "exchange"))?;
        f.write_str(&word(self.hard_links, "hard links"))?;
        f.write_str(&word(self.no_replace, "no-replace"))?;
        f.write_str(&word(self.sync_volume, "volume sync"))?;
        f.write_str(&word(self.reuse_numbers, "reused ids"))?;
        f.write_str(&word(self.places, "ids of places"))?;
        f.write_str(&word(!self.restless, "lasting ids"))?;
        write!(f, "undo {}", self.undo)
    }
}

impl DiskRules {
    /// FAT has no links, of which nothing but the number would distinguish one from another.
    fn can(&self, scenario: Scenario) -> bool {
        !(self.places && scenario == Scenario::Links)
    }

    /// The root of a disk as a program meets it.
    pub fn root(&self, fs: &SimFs) -> Root {
        self.scripted(fs, None)
    }

    fn scripted(&self, fs: &SimFs, script: Option<Script>) -> Root {
        if self.no_replace && !self.places && script.is_none() {
            return fs.root();
        }
        let (no_replace, places) = (self.no_replace, self.places);
        let both = move |event: &Event<'_>| match event.call {
            Call::RenameNoReplace if !no_replace => Act::Fail(EOPNOTSUPP),
            call => match script.as_ref().map_or(Act::Go, |script| script(event)) {
                Act::Go if places && matches!(call, Call::Stat | Call::Metadata) => Act::NumberOfPlace,
                act => act,
            },
        };
        wrap(&fs.root(), "target", Arc::new(both))
    }

    pub fn disk(&self) -> SimFs {
        SimFs::new(Options {
            exchange: self.exchange,
            exchange_keeps_times: false,
            hard_links: self.hard_links,
            sync_volume: self.sync_volume,
            reuse_numbers: self.reuse_numbers,
            lasting_numbers: !self.restless,
            volume: 2,
            path: "/target".into(),
            ..Options::default()
        })
    }
}

/// Bytes that differ everywhere; the same for the same seed.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = seed.wrapping_mul(2).wrapping_add(1);
    let next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as u8 | 1
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn put(fs: &SimFs, path: &str, bytes: usize, seed: u64) {
    let mode = [0o644, 0o600, 0o640, 0o755][seed as usize % 4];
    fs.put(path, &noise(bytes, seed), mode, Time::new(1_000_000_000 + seed as i64 * 1000, 5));
    fs.set_xattr(path, b"user.mark", &seed.to_le_bytes());
}

impl Scenario {
    /// Whether files are named one after the other.
    fn is_series(self) -> bool {
        matches!(self, Self::OneByOne | Self::Waiting)
    }

    /// Makes both trees.
    fn make(self, left: &SimFs, right: &SimFs) {
        for fs in [left, right] {
            put(fs, "stays", 100, 1);
        }
        match self {
            Self::Dates => {
                put(left, "d/new", 600, 2);
                for (seed, name) in [(3, "d/equal"), (4, "equal")] {
                    put(left, name, 50, seed);
                    put(right, name, 50, seed);
                    right.set_modified(name, Time::new(1_000_000_000 - seed as i64, 9));
                }
            }
            Self::Respell => {
                put(left, "D/New", 600, 2);
                right.mkdir("d");
                put(left, "Equal", 50, 3);
                put(right, "equal", 50, 3);
                put(left, "D/Edited", 60, 4);
                put(right, "d/edited", 50, 5);
            }
            Self::Moves => {
                for (seed, [from, to]) in (2..).zip(&MOVES[..2]) {
                    put(left, to, 50, seed);
                    put(right, from, 50, seed);
                }
                put(left, "d/tree/in it", 40, 7);
                put(right, "tree/in it", 40, 7);
                right.set_mode("tree", 0o711);
                left.set_mode("d/tree", 0o711);
                for (fs, tree) in [(left, "d/tree"), (right, "tree")] {
                    fs.set_modified(tree, Time::new(1_000_000_007, 3));
                }
                right.mkdir("d");
                left.mkdir("old");
                left.set_modified("old", Time::new(1_000_000_009, 1));
                put(left, "d/new", 600, 8);
                put(right, "orphan", 30, 9);
            }
            Self::Renamed => {
                for (fs, place) in [(right, 0), (left, 1)] {
                    let [tree, file] = RENAMES.map(|paths| paths[place]);
                    put(fs, &format!("{tree}/a"), 50, 2);
                    put(fs, &format!("{tree}/in it/b"), 40, 3);
                    put(fs, file, 70, 4);
                    fs.set_modified(&format!("{tree}/in it"), Time::new(1_000_000_006, 3));
                    fs.set_modified(tree, Time::new(1_000_000_007, 3));
                }
                right.mkdir("d");
                put(left, "d/new", 600, 8);
                put(right, "gone/orphan", 30, 9);
            }
            Self::Chain => {
                for (seed, [from, to]) in (2..).zip(CHAINS) {
                    put(left, to, 1100 + seed as usize, seed);
                    put(right, from, 1100 + seed as usize, seed);
                }
                put(left, "new", 60, 8);
            }
            Self::SetMetadata => {
                for fs in [left, right] {
                    put(fs, "f", 50, 2);
                    fs.mkdir("set");
                }
                put(left, "new", 600, 3);
                left.set_mode("f", 0o604);
                left.set_modified("f", Time::new(1_000_000_077, 3));
                left.set_mode("set", 0o711);
                left.set_modified("set", Time::new(1_000_000_078, 3));
            }
            Self::OneByOne | Self::Waiting => {
                for (seed, name) in (2..).zip(NAMED) {
                    put(left, name, 300 + 100 * seed as usize, seed);
                }
                put(right, "f", 600, 7);
                put(right, "g", 50, 8);
            }
            Self::New => put(left, "new", 700, 2),
            Self::Replace => {
                put(left, "f", 700, 2);
                put(right, "f", 600, 3);
            }
            Self::Delete => {
                left.mkdir("d");
                put(right, "d/orphan", 600, 2);
            }
            Self::FolderCreate => {
                put(left, "made/f", 600, 2);
                left.mkdir("made/empty");
            }
            Self::FolderRemove | Self::FolderApart => {
                put(right, "gone/f", 600, 2);
                right.mkdir("gone/sub");
                right.set_mode("gone/sub", 0o711);
            }
            Self::Links => {
                left.symlink("new", "somewhere");
                left.symlink("replaced", "after");
                right.symlink("replaced", "before it");
                right.symlink("gone", "orphan");
            }
            Self::OneGroup | Self::ThreeGroups => {
                for (i, name) in ["a", "d/b", "c"].into_iter().enumerate() {
                    put(left, name, 600, 10 + i as u64);
                    if i > 0 {
                        put(right, name, 500, 20 + i as u64);
                    }
                }
            }
            Self::Large | Self::LargeStaged => {
                put(left, "large", 6000, 2);
                put(right, "large", 5000, 3);
                put(left, "new", 4500, 4);
            }
            Self::MetadataOnly => {
                put(left, "f", 600, 2);
                right.put("f", &noise(600, 2), 0o600, Time::new(5, 5));
                for fs in [left, right] {
                    put(fs, "dated/same", 10, 4);
                }
            }
            Self::Mixed => {
                put(left, "d/f", 700, 2);
                put(right, "d/f", 600, 3);
                put(right, "d/orphan", 10, 4);
                put(left, "e/new", 10, 5);
                right.mkdir("e");
            }
            Self::FileOverFolder => {
                put(left, "kind", 600, 2);
                put(right, "kind/f", 600, 3);
                right.mkdir("kind/sub");
            }
            Self::FolderOverFile => {
                put(right, "kind", 600, 2);
                put(left, "kind/f", 600, 3);
                left.mkdir("kind/sub");
            }
        }
        for (fs, seconds) in [(left, 2_000), (right, 1_000)] {
            let kind = match (self, std::ptr::eq(fs, left)) {
                (Self::FileOverFolder, false) | (Self::FolderOverFile, true) => &["kind/sub", "kind"][..],
                _ => &[],
            };
            let folders = ["d", "D", "e", "gone", "gone/sub", "made", "made/empty", "dated"];
            for &folder in folders.iter().chain(kind) {
                // Only one scenario is about the times of folders that are on both sides.
                let seconds = if self == Self::MetadataOnly { seconds } else { 3_000 };
                if fs.exists(folder) {
                    fs.set_modified(folder, Time::new(seconds, 7));
                }
            }
            fs.set_modified("", Time::new(4_000, 0));
        }
    }

    fn settings(self, way: &DiskRules) -> Settings {
        let mut settings = Settings {
            undo: way.undo,
            copy_workers: 1,
            // Groups end by their number, not by the clock.
            batch_max_milliseconds: 600_000,
            ..Settings::default()
        };
        match self {
            Self::Dates => settings.compare_content = ContentCheck::Blake3,
            Self::ThreeGroups => settings.batch_max_files = 1,
            Self::Large => settings.batch_max_file_bytes = 1000,
            Self::LargeStaged => {
                settings.batch_max_file_bytes = 1000;
                settings.strategy = Strategy::Staged;
            }
            _ => {}
        }
        settings
    }
}

/// Everything of the user.
pub fn tree(fs: &SimFs, way: &DiskRules) -> Tree {
    let mut tree = fs.snapshot();
    tree.retain(|path, _| path != ".fcs" && !path.starts_with(".fcs/"));
    // A new item has another number, and nothing here is about hard links.
    tree.values_mut().for_each(|item| {
        (item.number, item.links) = (0, 0);
        // Only a sync of the volume makes a link's time durable.
        if item.kind == Kind::Symlink && !way.sync_volume {
            item.modified = Time::EPOCH;
        }
    });
    tree
}

pub fn root_time(fs: &SimFs) -> Time {
    fs.root().dir.metadata().unwrap().modified
}

/// Takes down what is reported, and cancels after the first item.
#[derive(Default)]
struct Watch {
    fs: Option<SimFs>,
    done: Mutex<Vec<(usize, String)>>,
    /// Something was done.
    told: Condvar,
    cancel_after_one: Option<Arc<Cancel>>,
    goes_back: bool,
}

impl Observer for Watch {
    fn item(&self, item: &ItemReport) {
        if let (Outcome::Done { .. }, Some(fs)) = (&item.outcome, &self.fs) {
            if self.goes_back && item.action == ActionKind::CreateFolder {
                // Made, and about to be rolled back.
                return;
            }
            let operations = fs.recording().points() - 1;
            self.done.lock().unwrap().push((operations, item.path.to_string()));
            self.told.notify_all();
            if let Some(cancel) = &self.cancel_after_one {
                cancel.cancel();
            }
        }
    }

    fn cancelled(&self, _: u64) -> OnCancel {
        OnCancel::RollBack
    }
}

/// Both sides of a scenario, ready to run.
pub struct Bench {
    pub scenario: Scenario,
    pub way: DiskRules,
    pub left: SimFs,
    pub right: SimFs,
    pub settings: Settings,
    pub source_script: Option<Script>,
}

impl Bench {
    pub fn new(scenario: Scenario, way: DiskRules) -> Self {
        let ignores_case = scenario == Scenario::Respell;
        let left =
            SimFs::new(Options { volume: 1, path: "/source".into(), ignores_case, ..Options::default() });
        let right = way.disk();
        scenario.make(&left, &right);
        Self { scenario, way, left, right, settings: scenario.settings(&way), source_script: None }
    }

    pub fn plan(&self) -> Plan {
        let (left, right, control) = (self.left.root(), self.way.root(&self.right), Control::default());
        let (a, b) = scan_pair(&left, &right, &Filter::default(), &self.settings, &control).unwrap();
        let comparison =
            compare((&left, Arc::new(a)), (&right, Arc::new(b)), &self.settings, &control).unwrap();
        match self.scenario {
            Scenario::Moves => return with_moves(&comparison, &self.settings),
            Scenario::SetMetadata => return with_metadata(&comparison, &self.settings),
            _ => {}
        }
        let plan = plan_sync(&comparison, Side::Right, &|_| true, &self.settings);
        let moved = plan.changes.iter().filter_map(|change| Some([change.path(), change.new_path()?]));
        let moved: Vec<[String; 2]> = moved.map(|paths| paths.map(ToString::to_string)).collect();
        let expected: &[[&str; 2]] = match self.scenario {
            Scenario::Renamed => &RENAMES,
            Scenario::Chain => &CHAINS,
            _ => &[],
        };
        assert!(
            moved.iter().map(|paths| paths.each_ref().map(String::as_str)).eq(expected.iter().copied()),
            "{moved:?}"
        );
        plan
    }

    /// Runs the plan to its end.
    pub fn run(&self, on_error: OnError, script: Option<Script>, control: &Control) -> Report {
        let options = RunOptions {
            run_id: RUN.parse().ok(),
            command: "sync".into(),
            on_error,
            ..RunOptions::default()
        };
        let script =
            if self.scenario == Scenario::FolderApart { Some(held_at_first(script)) } else { script };
        let target = self.way.scripted(&self.right, script);
        let source = self.left.root();
        let source = match &self.source_script {
            Some(script) => wrap(&source, "source", Arc::clone(script)),
            None => source,
        };
        run(&self.plan(), &[&source, &target], &self.settings, &options, control).unwrap()
    }

    fn expect(&self) -> Expect {
        Expect {
            old: tree(&self.right, &self.way),
            root_time: root_time(&self.right),
            new: tree(&self.left, &self.way),
            ends: Vec::new(),
            done: Vec::new(),
            goes_back: false,
            partial: false,
            respelled: self.scenario == Scenario::Respell,
            moves: match self.scenario {
                Scenario::Moves => &MOVES,
                Scenario::Renamed => &RENAMES,
                _ => &[],
            },
            together: if self.scenario == Scenario::Chain { &TOGETHER } else { &[] },
            way: self.way,
        }
    }
}

/// The plan in which a file gets its permissions and dates without being copied, and a folder its permissions too.
fn with_metadata(comparison: &Comparison, settings: &Settings) -> Plan {
    let row = |path: &str| {
        let mut rows = 0..comparison.rows.len() as RowId;
        rows.find(|&row| comparison.path_on(row, Side::Right).to_string() == path).unwrap()
    };
    let rows = ["f", "set"].map(row);
    let mut plan = plan_sync(comparison, Side::Right, &|at| !rows.contains(&at), settings);
    for at in rows {
        let source = comparison.entry(at, Side::Left).unwrap().fingerprint();
        let set = ItemMetadata {
            modified: Some(source.modified),
            attributes: Some(source.attributes),
            ..ItemMetadata::default()
        };
        assert!(plan.add_metadata(comparison, Side::Right, at, set));
    }
    assert_eq!(
        (plan.totals.changes.of(ActionKind::SetMetadata), plan.totals.new_files, plan.totals.replaced_files),
        (2, 1, 0),
        "{plan:#?}"
    );
    plan
}

/// The plan in which what has another path moves, instead of being copied there and removed here.
fn with_moves(comparison: &Comparison, settings: &Settings) -> Plan {
    let row = |path: &str, side: Side| {
        let mut rows =
            (0..comparison.rows.len() as RowId).filter(|&row| comparison.entry(row, side).is_some());
        rows.find(|&row| comparison.path_on(row, side).to_string() == path).unwrap()
    };
    let from = MOVES.map(|[from, _]| row(from, Side::Right));
    let to = MOVES.map(|[_, to]| row(to, Side::Left));
    let is_below = |at: RowId, top: RowId| {
        std::iter::successors(Some(at), |&at| (at != 0).then(|| comparison.row(at).parent))
            .any(|at| at == top)
    };
    let selected = |at: RowId| !from.iter().chain(&to).any(|&top| is_below(at, top));
    let mut plan = plan_sync(comparison, Side::Right, &selected, settings);
    for (&from, &to) in from.iter().zip(&to) {
        let name = Name::new(comparison.name_on(to, Side::Left)).unwrap();
        assert!(plan.add_move(comparison, Side::Right, from, comparison.row(to).parent, &name));
    }
    assert_eq!((plan.totals.changes.of(ActionKind::Move), plan.totals.new_files), (3, 1), "{plan:#?}");
    plan
}

/// Whether a call makes a staged item or removes one of the target: one for each item of a run.
fn begins_an_item(event: &Event<'_>) -> bool {
    let ours = event.path.names().any(|name| name.as_bytes().starts_with(b".fcs"));
    match event.call {
        Call::CreateFile | Call::CreateSymlink => event.path.names().next().unwrap().as_bytes() != b".fcs",
        Call::RenameNoReplace | Call::RenameReplace => !ours,
        _ => false,
    }
}

/// Refuses the first rename of the folder, as where it is on another volume.
fn held_at_first(script: Option<Script>) -> Script {
    let held = AtomicUsize::new(0);
    Arc::new(move |event| {
        let is_whole = begins_an_item(event) && event.path.as_bytes() == b"gone";
        if is_whole && held.fetch_add(1, Ordering::SeqCst) == 0 {
            return Act::Fail(EXDEV);
        }
        script.as_ref().map_or(Act::Go, |script| script(event))
    })
}

/// Lets the last item fail, once there is something to be rolled back where items are committed one by one.
fn last_fails(bench: &Bench, watch: &Arc<Watch>, fired: &Arc<AtomicUsize>) -> Script {
    let plan = bench.plan();
    // Dates are set without making anything.
    let copies = plan.steps().filter(|(_, step)| step.action != Action::SetTimes).count();
    let removals = plan.removals.iter().map(|folder| folder.items.len()).sum::<usize>();
    // A folder goes by one rename; where that fails it is taken apart, as far as that goes.
    let items = copies + if bench.scenario == Scenario::FolderRemove { 1 } else { removals };
    let (watch, fired, begun) = (Arc::clone(watch), Arc::clone(fired), AtomicUsize::new(0));
    let waits = bench.scenario == Scenario::ThreeGroups;
    let path = Mutex::new(None);
    Arc::new(move |event| {
        if path.lock().unwrap().as_ref() == Some(event.path) && begins_an_item(event) {
            // The other ways to do the same fail too.
            return Act::Fail(EIO);
        }
        if !begins_an_item(event) || begun.fetch_add(1, Ordering::SeqCst) + 1 != items {
            return Act::Go;
        }
        if waits {
            // Only so long: a run that is being cancelled may never do anything.
            let done = watch.done.lock().unwrap();
            let _ =
                watch.told.wait_timeout_while(done, Duration::from_secs(5), |done| done.is_empty()).unwrap();
        }
        fired.fetch_add(1, Ordering::SeqCst);
        *path.lock().unwrap() = Some(event.path.clone());
        Act::Fail(EIO)
    })
}

/// Lets the first file that is read back fail.
fn rereading_fails(fired: &Arc<AtomicUsize>) -> Script {
    let (fired, path) = (Arc::clone(fired), Mutex::new(None));
    Arc::new(move |event| {
        let staged = event
            .path
            .names()
            .any(|name| name.as_bytes().ends_with(b".part") || name.as_bytes().ends_with(b".new"));
        if !staged || !matches!(event.call, Call::Read | Call::Map) {
            return Act::Go;
        }
        let mut path = path.lock().unwrap();
        if path.get_or_insert_with(|| event.path.clone()) != event.path {
            return Act::Go;
        }
        fired.fetch_add(1, Ordering::SeqCst);
        Act::Fail(EIO)
    })
}

/// Records a run.
pub fn record_run(scenario: Scenario, way: DiskRules, ending: Ending) -> Case {
    let bench = Bench::new(scenario, way);
    let mut expect = bench.expect();
    let cancel = Arc::new(Cancel::default());
    let watch = Arc::new(Watch {
        fs: Some(bench.right.clone()),
        done: Mutex::default(),
        told: Condvar::new(),
        cancel_after_one: (ending == Ending::Cancel).then(|| Arc::clone(&cancel)),
        goes_back: ending.goes_back(),
    });
    let control = Control { cancel, observer: Arc::clone(&watch) as Arc<dyn Observer>, ..Control::default() };
    let fired = Arc::new(AtomicUsize::new(0));
    let script = ending.fails().then(|| {
        let copies_files = !matches!(
            scenario,
            Scenario::Delete | Scenario::FolderRemove | Scenario::FolderApart | Scenario::Links
        );
        if ending == Ending::FailureKept && copies_files {
            rereading_fails(&fired)
        } else {
            last_fails(&bench, &watch, &fired)
        }
    });
    let on_error = if ending.goes_back() { OnError::RollBack } else { OnError::Continue };
    bench.right.record();
    let report = bench.run(on_error, script, &control);
    expect.done.append(&mut watch.done.lock().unwrap());
    expect.goes_back = ending.goes_back();
    expect.partial = ending == Ending::FailureKept;
    expect.ends.push(tree(&bench.right, &way));
    let name = format!("{scenario:?}, {ending:?}, {way}");
    match ending {
        Ending::Success => assert!(report.counts.failed == 0, "{name}: {:#?}", report.items),
        Ending::Failure | Ending::FailureKept => {
            assert!(fired.load(Ordering::SeqCst) > 0, "{name}: the fault fired");
        }
        Ending::Cancel => assert!(!expect.done.is_empty(), "{name}: something was done"),
    }
    Case { name, recording: bench.right.recording(), expect }
}

/// Records a run that goes to its end under a script.
pub fn record_script(bench: &Bench, script: Script) -> Case {
    let mut expect = bench.expect();
    let watch = Arc::new(Watch { fs: Some(bench.right.clone()), ..Watch::default() });
    let control = Control { observer: Arc::clone(&watch) as Arc<dyn Observer>, ..Control::default() };
    bench.right.record();
    bench.run(OnError::Continue, Some(script), &control);
    expect.done.append(&mut watch.done.lock().unwrap());
    expect.ends.push(tree(&bench.right, &bench.way));
    let name = format!("{:?}, scripted, {}", bench.scenario, bench.way);
    Case { name, recording: bench.right.recording(), expect }
}

/// Compares two roots and copies the first to the second, which the run sees as `seen`.
pub fn copy(source: &Root, target: &Root, seen: &Root) -> Report {
    let (settings, control) = (Settings::default(), Control::default());
    let (a, b) = scan_pair(source, target, &Filter::default(), &settings, &control).unwrap();
    let comparison = compare((source, Arc::new(a)), (target, Arc::new(b)), &settings, &control).unwrap();
    let plan = plan_sync(&comparison, Side::Right, &|_| true, &settings);
    run(&plan, &[source, seen], &settings, &RunOptions::default(), &control).unwrap()
}

/// Records the undo of a finished run.
pub fn record_undo(scenario: Scenario, way: DiskRules) -> Case {
    let bench = Bench::new(scenario, way);
    let mut expect = bench.expect();
    if scenario.is_series() {
        run_series(&bench, None);
    } else {
        bench.run(OnError::Continue, None, &Control::default());
    }
    expect.ends.push(tree(&bench.right, &way));
    bench.right.record();
    undo(&way.root(&bench.right), None, &Control::default()).unwrap();
    expect.ends.push(tree(&bench.right, &way));
    expect.goes_back = true;
    Case { name: format!("{scenario:?}, undo, {way}"), recording: bench.right.recording(), expect }
}

/// A copy of each file that is named, under one run. Returns how many failed, and what was done with the number of
/// operations before that.
fn run_series(bench: &Bench, script: Option<Script>) -> (Vec<FileReport>, Vec<(usize, String)>) {
    bench.right.record();
    let after = if bench.scenario == Scenario::OneByOne { u64::MAX } else { 0 };
    let mut series = Series::new("copy", false).group_after(after);
    let (source, target) = (bench.left.root(), bench.way.scripted(&bench.right, script));
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let mut note = |report: FileReport, path: String| match report.outcome {
        FileOutcome::Copied(_) => done.push((bench.right.recording().points() - 1, path)),
        FileOutcome::Waits(_) => {}
        _ => failed.push(report),
    };
    for name in NAMED {
        let path = RelPath::parse(name.as_bytes()).unwrap();
        let control = Control::default();
        let report = series.copy_below([&source, &target], &path, &path, &bench.settings, &control);
        note(report, name.into());
    }
    series.settle(&bench.settings);
    for report in series.take_settled() {
        let path = report.target.strip_prefix("/target").unwrap().to_str().unwrap().to_owned();
        note(report, path);
    }
    assert_eq!(series.end(&bench.settings).failed, failed.len() as u64);
    (failed, done)
}

/// Records files that are named one after the other.
fn record_series(scenario: Scenario, way: DiskRules, ending: Ending) -> Case {
    let bench = Bench::new(scenario, way);
    let mut expect = bench.expect();
    let fired = Arc::new(AtomicUsize::new(0));
    let (failed, done) = run_series(&bench, ending.fails().then(|| rereading_fails(&fired)));
    expect.done = done;
    // Nobody sets the dates of folders that are there.
    expect.partial = true;
    expect.ends.push(tree(&bench.right, &way));
    let name = format!("{scenario:?}, {ending:?}, {way}");
    assert_eq!(!failed.is_empty(), ending.fails(), "{name}: {failed:#?}");
    assert_eq!(fired.load(Ordering::SeqCst) > 0, ending.fails(), "{name}: the fault fired");
    Case { name, recording: bench.right.recording(), expect }
}

/// Runs of every scenario in every way to every end.
pub fn cases(scenarios: &[Scenario], ways: &[DiskRules], endings: &[Ending]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &scenario in scenarios {
        for &way in ways.iter().filter(|way| way.can(scenario)) {
            // Each file is a matter of its own: nothing rolls back all of them.
            let endings = endings.iter().filter(|ending| !(scenario.is_series() && ending.goes_back()));
            cases.extend(endings.map(|&ending| {
                let record = if scenario.is_series() { record_series } else { record_run };
                record(scenario, way, ending)
            }));
        }
    }
    cases
}

/// Undos of every scenario.
pub fn undo_cases(scenarios: &[Scenario], ways: &[DiskRules]) -> Vec<Case> {
    let kept = ways.iter().filter(|way| way.undo != Undo::Off);
    kept.flat_map(|&way| {
        let scenarios = scenarios.iter().filter(move |&&scenario| way.can(scenario));
        scenarios.map(move |&scenario| record_undo(scenario, way))
    })
    .collect()
}
