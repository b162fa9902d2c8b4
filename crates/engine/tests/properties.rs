//! Random pairs of trees under random policies: what a run makes of the target is what a model makes of the two
//! listings; a second run has nothing to do; and undo leaves the target as it was, in every detail.
//!
//! The model knows listings and criteria, and nothing of scans, plans and runs.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use common::{Bench, assert_no_strays, assert_no_strays_beside, noise};
use fcs_engine::compare::Side;
use fcs_engine::history::{RunState, StartError, undo};
use fcs_engine::plan::{Plan, plan, plan_sync};
use fcs_engine::report::{Outcome, Report, RunResult, SkipReason};
use fcs_engine::run::{OnError, RunOptions, run};
use fcs_engine::settings::{ContentCheck, MoveChoice, Strategy, Undo, Verify};
use fcs_engine::{ErrorKind, Settings};
use fcs_sys::OsReason;
use fcs_testkit::faulty::{Act, Call, wrap};
use fcs_testkit::listing::{Item, Kind, Listing, Options, diff, listing};
use fcs_testkit::tree::set_time_nofollow;
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// One item of a random tree. Few sizes, contents and times, so that two trees agree in some of them.
#[derive(Debug, Clone)]
enum Node {
    File { bytes: usize, content: u64, time: u64, mode: u32, mark: Option<u8> },
    Link { text: u8, time: u64 },
    Folder { time: u64, mode: u32, mark: Option<u8>, items: Nodes },
}

type Nodes = BTreeMap<OsString, Node>;

/// Names that both trees draw from, mostly the same few, some of them hostile.
fn names() -> impl proptest::strategy::Strategy<Value = OsString> {
    let text =
        ["-rf", "new\nline", "Case", "case", " ", "trailing ", "caf\u{e9}", "cafe\u{301}", "*?[a].part"];
    let mut hostile: Vec<OsString> = text.iter().map(OsString::from).collect();
    hostile.push(OsString::from_vec(b"bad\xff\xfe".to_vec()));
    prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(OsString::from),
        1 => prop::sample::select(hostile),
    ]
}

fn trees() -> impl proptest::strategy::Strategy<Value = Nodes> {
    let mark = || prop_oneof![3 => Just(None), 1 => (0u8..2).prop_map(Some)];
    let bytes = prop_oneof![1 => Just(0usize), 4 => Just(700), 2 => Just(5000), 1 => Just(150_000)];
    let mode = prop_oneof![6 => Just(0o644), 2 => Just(0o600), 1 => Just(0o755), 8 => Just(0o444)];
    let file = (bytes, 0u64..2, 0u64..2, mode, mark())
        .prop_map(|(bytes, content, time, mode, mark)| Node::File { bytes, content, time, mode, mark });
    let link = (0u8..2, 0u64..2).prop_map(|(text, time)| Node::Link { text, time });
    let leaf = prop_oneof![5 => file, 1 => link];
    let folder_mode = prop_oneof![3 => Just(0o755), 1 => Just(0o700)];
    let node = leaf.clone().prop_recursive(3, 24, 5, move |inner| {
        let items = prop::collection::btree_map(names(), inner, 0..5);
        (0u64..2, folder_mode.clone(), mark(), items).prop_map(|(time, mode, mark, items)| Node::Folder {
            time,
            mode,
            mark,
            items,
        })
    });
    prop::collection::btree_map(names(), prop_oneof![3 => leaf, 1 => node], 0..8)
}

#[derive(Debug, Clone)]
struct Policy {
    settings: Settings,
    removes: bool,
    on_error: OnError,
}

fn policies() -> impl proptest::strategy::Strategy<Value = Policy> {
    let how = (
        prop::sample::select(vec![Strategy::Auto, Strategy::Direct, Strategy::Staged]),
        prop::sample::select(vec![Verify::Off, Verify::All, Verify::Below]),
        prop::sample::select(vec![Undo::Off, Undo::Last, Undo::Days(3)]),
        prop::sample::select(vec![1u64, 3, 4096]),
        prop::sample::select(vec![0u64, 64 << 10]),
        1u64..4,
    );
    let criteria = (
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.9),
        prop::sample::select(vec![ContentCheck::Off, ContentCheck::Blake3, ContentCheck::Bytes]),
    );
    (how, criteria, prop::bool::weighted(0.7), prop::bool::weighted(0.3)).prop_map(
        |(how, criteria, removes, roll_back)| {
            let (strategy, verify, undo, batch_max_files, batch_max_file_bytes, copy_workers) = how;
            let (compare_size, compare_modified, compare_existence, compare_content) = criteria;
            let settings = Settings {
                strategy,
                verify,
                verify_below_bytes: 1000,
                undo,
                batch_max_files,
                batch_max_file_bytes,
                copy_workers,
                compare_size,
                compare_modified,
                compare_existence,
                compare_content,
                // What was renamed keeps its permissions: a matter of its own (`renamed.rs`).
                moves: MoveChoice::Off,
                ..Settings::default()
            };
            let on_error = if roll_back { OnError::RollBack } else { OnError::Continue };
            Policy { settings, removes, on_error }
        },
    )
}

fn set_time(path: &Path, time: u64) {
    let time = UNIX_EPOCH + Duration::new(1_000_000_000 + 3600 * time, 123_456_789);
    std::fs::File::open(path).unwrap().set_modified(time).unwrap();
}

fn grow(folder: &Path, items: &Nodes) {
    for (name, node) in items {
        let path = folder.join(name);
        match node {
            Node::File { bytes, content, time, mode, mark } => {
                std::fs::write(&path, noise(*bytes, *content)).unwrap();
                mark.iter().for_each(|mark| xattr::set(&path, "user.mark", &[*mark]).unwrap());
                set_time(&path, *time);
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
            }
            Node::Link { text, time } => {
                symlink(format!("to {text}"), &path).unwrap();
                set_time_nofollow(&path, (1_000_000_000 + 3600 * *time as i64, 5)).unwrap();
            }
            Node::Folder { time, mode, mark, items } => {
                std::fs::create_dir(&path).unwrap();
                grow(&path, items);
                mark.iter().for_each(|mark| xattr::set(&path, "user.mark", &[*mark]).unwrap());
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
                set_time(&path, *time);
            }
        }
    }
}

fn seen(root: &Path) -> Listing {
    listing(root, &Options { root: true, ..Options::default() }).unwrap()
}

/// What the target is to be, from what both sides are.
struct Model<'a> {
    left: &'a Listing,
    right: &'a Listing,
    policy: &'a Policy,
    after: Listing,
    /// What is to go, once everything is copied.
    goes: Vec<PathBuf>,
    /// Something of that waits because of a failure.
    held: bool,
    /// Files that cannot be replaced: those that have no write bit on the target are made to fail.
    refused: Vec<PathBuf>,
    clashes: Vec<PathBuf>,
    changes: bool,
}

impl<'a> Model<'a> {
    fn of(left: &'a Listing, right: &'a Listing, policy: &'a Policy) -> Self {
        let mut model = Self {
            left,
            right,
            policy,
            after: right.clone(),
            goes: Vec::new(),
            held: false,
            refused: Vec::new(),
            clashes: Vec::new(),
            changes: false,
        };
        model.folder(Path::new(""));
        if !model.refused.is_empty() && policy.on_error == OnError::RollBack {
            model.after = right.clone();
            return model;
        }
        let held: Vec<PathBuf> = model.goes.iter().filter(|path| model.is_held(path)).cloned().collect();
        model.held = !held.is_empty();
        model.goes.retain(|path| !held.iter().any(|held| held.starts_with(path)));
        model.goes.iter().for_each(|path| drop(model.after.remove(path)));
        model
    }

    /// Whether an item may be the last copy of one that failed: it is in the same folder, or looks like its source.
    fn is_held(&self, path: &Path) -> bool {
        let there = &self.right[path];
        self.refused.iter().any(|failed| {
            let source = &self.left[failed];
            let alike = there.kind == Kind::File
                && there.size > 0
                && (there.size, there.mtime) == (source.size, source.mtime);
            // An orphan folder waits whole.
            let beside =
                |at: &Path| at.parent() == failed.parent() && self.goes.iter().any(|goes| goes == at);
            path.ancestors().any(beside) || alike
        })
    }

    fn children(of: &Listing, folder: &Path) -> Vec<PathBuf> {
        of.keys().filter(|path| path.parent() == Some(folder)).cloned().collect()
    }

    /// A folder that both have. Whether something directly in it changes.
    fn folder(&mut self, path: &Path) {
        let s = &self.policy.settings;
        let mut touched = false;
        for child in Self::children(self.left, path) {
            touched |= match (self.left[&child].kind, self.right.get(&child)) {
                (_, None) => s.compare_existence && self.bring(&child),
                (Kind::Dir, Some(there)) if there.kind == Kind::Dir => {
                    self.folder(&child);
                    false
                }
                (_, Some(there)) => self.pair(&child, there),
            };
        }
        for child in Self::children(self.right, path) {
            if !self.left.contains_key(&child) && self.policy.removes && s.compare_existence {
                self.goes.extend(self.right.keys().filter(|at| at.starts_with(&child)).cloned());
                touched = true;
            }
        }
        let (here, there) = (&self.left[path], &self.right[path]);
        let differs = s.compare_modified && here.mtime != there.mtime;
        self.changes |= touched || differs;
        // A run changes the root's own time whatever it does.
        if touched || differs || (path == Path::new("") && self.changes) {
            self.after.get_mut(path).unwrap().mtime = here.mtime;
        }
    }

    /// Everything of an item that only the source has.
    fn bring(&mut self, path: &Path) -> bool {
        let whole = self.left.iter().filter(|(at, _)| at.starts_with(path));
        self.after.extend(whole.map(|(at, item)| (at.clone(), item.clone())));
        true
    }

    /// An item that both have and that is no folder on both. Whether it is replaced.
    fn pair(&mut self, path: &Path, there: &Item) -> bool {
        let here = &self.left[path];
        if here.kind != there.kind {
            self.clashes.push(path.into());
            if !self.policy.removes {
                return false;
            }
            // Sync replaces the kind, whole.
            self.after.retain(|at, _| !at.starts_with(path));
            return self.bring(path);
        }
        if !differs(here, there, &self.policy.settings) {
            return false;
        }
        let reads = self.policy.settings.compare_content != ContentCheck::Off;
        let same = (here.size, here.mode, &here.content) == (there.size, there.mode, &there.content);
        if here.kind == Kind::File && reads && same {
            // Only its date is set, and nothing is opened to be read.
            self.after.insert(path.into(), Item { mtime: here.mtime, ..there.clone() });
        } else if here.kind == Kind::File && there.mode & 0o222 == 0 {
            self.refused.push(path.into());
        } else {
            self.after.insert(path.into(), here.clone());
        }
        true
    }
}

fn differs(here: &Item, there: &Item, s: &Settings) -> bool {
    let time = s.compare_modified && here.mtime != there.mtime;
    let reads = s.compare_content != ContentCheck::Off;
    time || match here.kind {
        Kind::File if here.size != there.size => s.compare_size || reads,
        Kind::File => reads && here.content != there.content,
        _ => here.target != there.target,
    }
}

fn make_plan(bench: &Bench, policy: &Policy) -> Plan {
    let make = if policy.removes { plan_sync } else { plan };
    make(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

fn carry_out(bench: &Bench, policy: &Policy, plan: &Plan, refused: &[PathBuf]) -> Report {
    let (left, right) = bench.roots();
    // No power is lost here, and syncs would take most of the time.
    let lie = Arc::new(|event: &fcs_testkit::faulty::Event<'_>| match event.call {
        Call::Sync | Call::SyncVolume | Call::Evict | Call::StartWriteback | Call::WaitWriteback => Act::Lie,
        _ => Act::Go,
    });
    let refused = refused.to_vec();
    let refuse = Arc::new(move |event: &fcs_testkit::faulty::Event<'_>| match event.call {
        Call::OpenFile if refused.iter().any(|path| path.as_os_str().as_bytes() == event.path.as_bytes()) => {
            Act::Fail(5)
        }
        _ => Act::Go,
    });
    let (left, right) = (wrap(&left, "source", refuse), wrap(&right, "target", lie));
    let options = RunOptions { command: "test".into(), on_error: policy.on_error, ..RunOptions::default() };
    run(plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap()
}

fn same(expected: &Listing, root: &Path, what: &str) -> Result<(), TestCaseError> {
    let differences = diff(expected, &seen(root));
    prop_assert!(differences.is_empty(), "{what}: {differences:#?}");
    Ok(())
}

/// What a case had in it.
struct Had {
    refused: bool,
    removes: bool,
    held: bool,
    clashes: bool,
}

fn check(left: &Nodes, right: &Nodes, policy: &Policy) -> Result<Had, TestCaseError> {
    let mut bench = Bench::new();
    bench.settings = policy.settings.clone();
    grow(&bench.left, left);
    grow(&bench.right, right);
    set_time(&bench.left, 0);
    set_time(&bench.right, 1);
    let (source, before) = (seen(&bench.left), seen(&bench.right));
    let model = Model::of(&source, &before, policy);

    let todo = make_plan(&bench, policy);
    prop_assert_eq!(todo.is_empty(), !model.changes, "whether there is something to do");
    let clashes = todo.skipped.iter().filter(|skip| skip.why == SkipReason::KindClash).count();
    let left = if policy.removes { 0 } else { model.clashes.len() };
    prop_assert_eq!(clashes, left, "{:?} and {:?}", todo.skipped, model.clashes);
    let report = carry_out(&bench, policy, &todo, &model.refused);
    let failed: Vec<_> = report
        .items
        .iter()
        .filter_map(|item| match &item.outcome {
            Outcome::Failed { error } => Some((item.path.to_string(), error.kind)),
            _ => None,
        })
        .collect();
    prop_assert!(failed.iter().all(|(_, kind)| *kind == ErrorKind::Os(OsReason::DeviceError)), "{failed:?}");
    let taken_back = policy.on_error == OnError::RollBack && !model.refused.is_empty();
    if taken_back {
        prop_assert_eq!(report.result, RunResult::RolledBack);
    } else {
        prop_assert_eq!(failed.len(), model.refused.len(), "{:?} and {:?}", failed, model.refused);
    }
    same(&model.after, &bench.right, "after the run")?;
    same(&source, &bench.left, "the source")?;
    if policy.settings.undo == Undo::Off || taken_back {
        assert_no_strays(&bench.right);
    } else {
        assert_no_strays_beside(&bench.right);
    }

    if model.refused.is_empty() {
        let again = make_plan(&bench, policy);
        prop_assert!(again.is_empty(), "run twice, nothing to do: {:?}", again.totals);
        carry_out(&bench, policy, &again, &[]);
        same(&model.after, &bench.right, "after the second run")?;
    }

    match undo(&bench.roots().1, None, &bench.control) {
        Ok(recovery) => {
            prop_assert_eq!(recovery.state, RunState::RolledBack, "{:#?}", recovery.items);
            same(&before, &bench.right, "after undo")?;
            assert_no_strays(&bench.right);
        }
        Err(StartError::NothingToUndo) => {
            let kept = policy.settings.undo != Undo::Off && !taken_back;
            let nothing_done = report.counts.copied + report.counts.removed == 0;
            prop_assert!(!kept || nothing_done, "nothing to undo of {:?}", report.counts);
        }
        Err(other) => prop_assert!(false, "{other}"),
    }
    Ok(Had {
        refused: !model.refused.is_empty(),
        removes: !model.goes.is_empty(),
        held: model.held,
        clashes: !model.clashes.is_empty(),
    })
}

#[test]
fn any_two_trees_under_any_policy_become_what_the_model_says_and_go_back() {
    // How many cases had what makes them interesting.
    let [refusals, removals, clashes, both] = [(); 4].map(|()| Cell::new(0));
    let count = |counter: &Cell<u32>, is: bool| counter.set(counter.get() + u32::from(is));
    for seed in 0..4u8 {
        println!("seed {seed}");
        // Seeded, so that a failure comes back without a file that remembers it.
        let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let cases = (trees(), trees(), policies());
        let done = runner.run(&cases, |(left, right, policy)| {
            let seen = check(&left, &right, &policy)?;
            let goes_on = policy.on_error == OnError::Continue;
            count(&refusals, seen.refused);
            count(&removals, seen.removes);
            count(&clashes, seen.clashes);
            count(&both, seen.held && goes_on);
            Ok(())
        });
        done.unwrap();
    }
    println!(
        "{refusals:?} refusals, {removals:?} removals, {clashes:?} clashes, {both:?} removals held back by a refusal"
    );
    assert!([refusals, removals, clashes].iter().all(|counter| counter.get() > 30) && both.get() > 5);
}
