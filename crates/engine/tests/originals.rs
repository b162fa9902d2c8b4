//! Which kept original belongs to which path is known without a replay of the journal, and never wrongly.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Bench, dies_at, put};
use fcs_engine::compare::Side;
use fcs_engine::history::{
    OriginalsFrom, RecoverMode, RunId, RunState, StartError, list, originals, prune, recover, undo,
};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::report::RunResult;
use fcs_engine::run::{RunOptions, run};
use fcs_engine::settings::Undo;
use fcs_sys::Kind;
use fcs_testkit::faulty::{Act, Call, Event, wrap};

/// A file and a link are replaced, a folder goes whole, a file goes by itself, and a file takes the place of a folder.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    put(&bench.left.join("d/replaced"), "new content");
    put(&bench.right.join("d/replaced"), "old");
    std::os::unix::fs::symlink("after", bench.left.join("link")).unwrap();
    std::os::unix::fs::symlink("before", bench.right.join("link")).unwrap();
    put(&bench.right.join("gone/sub/f"), "went along");
    put(&bench.right.join("gone/g"), "went too");
    put(&bench.right.join("d/orphan"), "removed");
    put(&bench.left.join("kind"), "a file");
    put(&bench.right.join("kind/deep/f"), "in a folder that a file replaced");
    put(&bench.left.join("d/new"), "nothing was there");
    bench
}

fn plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

const KEPT: [(&str, Kind, &str); 10] = [
    ("d/orphan", Kind::File, "removed"),
    ("d/replaced", Kind::File, "old"),
    ("gone", Kind::Folder, ""),
    ("gone/g", Kind::File, "went too"),
    ("gone/sub", Kind::Folder, ""),
    ("gone/sub/f", Kind::File, "went along"),
    ("kind", Kind::Folder, ""),
    ("kind/deep", Kind::Folder, ""),
    ("kind/deep/f", Kind::File, "in a folder that a file replaced"),
    ("link", Kind::Symlink, "before"),
];

fn kept() -> Vec<(String, Kind, String)> {
    KEPT.iter().map(|&(path, kind, content)| (path.into(), kind, content.into())).collect()
}

fn content(path: &Path) -> String {
    let now = path.symlink_metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if now.is_symlink() {
        fs::read_link(path).unwrap().to_str().unwrap().into()
    } else if now.is_dir() {
        String::new()
    } else {
        fs::read_to_string(path).unwrap()
    }
}

/// What is listed, with what really is where it is said to be kept.
fn listed(bench: &Bench, run: &RunId) -> (OriginalsFrom, Vec<(String, Kind, String)>) {
    let listed = originals(&bench.roots().1, run).unwrap();
    let from = listed.read_from();
    let mut seen = Vec::new();
    for original in listed {
        let content = content(&bench.right.join(original.kept.to_path()));
        if original.kind == Kind::File {
            assert_eq!(original.size, content.len() as u64, "{original:?}");
        }
        seen.push((original.path.to_string(), original.kind, content));
    }
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    (from, seen)
}

fn index(bench: &Bench, run: &RunId) -> PathBuf {
    bench.right.join(format!(".fcs/runs/{run}.index"))
}

fn done(bench: &Bench) -> RunId {
    let report = bench.run(&plan(bench));
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    report.run
}

#[test]
fn every_original_is_found_by_its_path() {
    let bench = bench();
    let run = done(&bench);
    assert_eq!(listed(&bench, &run), (OriginalsFrom::Index, kept()));
    let modified =
        originals(&bench.roots().1, &run).unwrap().find(|item| item.path.to_string() == "kind/deep/f");
    let modified = modified.unwrap();
    let now = bench.right.join(modified.kept.to_path()).metadata().unwrap().modified().unwrap();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(
        (modified.modified.seconds(), modified.modified.nanos()),
        (now.as_secs() as i64, now.subsec_nanos())
    );
    let nobody = "nobody".parse().unwrap();
    assert!(matches!(originals(&bench.roots().1, &nobody), Err(StartError::NoSuchRun(_))));
}

/// Cut, changed, made of another run: the answer is the same, from the journal.
#[test]
fn a_damaged_index_is_not_believed() {
    let bench = bench();
    let run = done(&bench);
    let index = index(&bench, &run);
    let whole = fs::read(&index).unwrap();
    let from_journal = (OriginalsFrom::Journal, kept());
    for cut in (0..whole.len()).step_by(7) {
        fs::write(&index, &whole[..cut]).unwrap();
        assert_eq!(listed(&bench, &run), from_journal, "cut at {cut} of {}", whole.len());
    }
    for at in (0..whole.len()).step_by(3) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&index, changed).unwrap();
        assert_eq!(listed(&bench, &run), from_journal, "a bit of byte {at}");
    }
    fs::remove_file(&index).unwrap();
    assert_eq!(listed(&bench, &run), from_journal, "missing");
    fs::create_dir(&index).unwrap();
    assert_eq!(listed(&bench, &run), from_journal, "something else");
    fs::remove_dir(&index).unwrap();

    // The next run writes one that is missing, and one that belongs to another run is not taken.
    put(&bench.left.join("d/replaced"), "newer content");
    let later = done(&bench);
    assert_eq!(fs::read(&index).unwrap(), whole);
    assert_eq!(listed(&bench, &run), (OriginalsFrom::Index, kept()));
    fs::copy(self::index(&bench, &later), &index).unwrap();
    assert_eq!(listed(&bench, &run), from_journal);
    let of_later = vec![("d/replaced".to_owned(), Kind::File, "new content".to_owned())];
    assert_eq!(listed(&bench, &later), (OriginalsFrom::Index, of_later));
}

#[test]
fn what_went_back_or_was_deleted_is_no_longer_listed() {
    let bench = bench();
    let run = done(&bench);
    // Undo refuses two of them.
    put(&bench.right.join("d/replaced"), "edited since");
    put(&bench.right.join("gone"), "a successor");
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    let stay = |path: &str| path == "d/replaced" || path.starts_with("gone");
    let rest: Vec<_> = kept().into_iter().filter(|(path, ..)| stay(path)).collect();
    assert_eq!(rest.len(), 5);
    assert_eq!(listed(&bench, &run), (OriginalsFrom::Index, rest.clone()));
    fs::remove_file(index(&bench, &run)).unwrap();
    assert_eq!(listed(&bench, &run), (OriginalsFrom::Journal, rest));

    fs::remove_file(bench.right.join("gone")).unwrap();
    prune(&bench.roots().1, None).unwrap();
    assert!(!bench.right.join(".fcs").exists(), "nothing is left, the index included");
}

/// The undo of a later run tells the journals of earlier ones what has moved; their indexes follow.
#[test]
fn an_undo_keeps_the_indexes_of_earlier_runs() {
    let bench = bench();
    let run = done(&bench);
    put(&bench.left.join("d/replaced"), "a third version");
    done(&bench);
    undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(listed(&bench, &run), (OriginalsFrom::Index, kept()));
    undo(&bench.roots().1, None, &bench.control).unwrap();
    assert!(!bench.right.join(".fcs").exists());
}

/// What the undo store cannot take, because it is on another volume, is kept beside its name.
fn done_beside(bench: &Bench) -> RunId {
    let (left, right) = bench.roots();
    let exchanged = Mutex::new(BTreeSet::from(["d/orphan".to_owned()]));
    let script = move |event: &Event<'_>| {
        let name = event.path.to_string();
        let mut exchanged = exchanged.lock().unwrap();
        match event.call {
            Call::RenameExchange => exchanged.insert(name),
            // What was exchanged with an original goes to the store under the name that it has then.
            Call::RenameNoReplace if exchanged.remove(&name) => return Act::Fail(EXDEV),
            _ => false,
        };
        Act::Go
    };
    let right = wrap(&right, "target", Arc::new(script));
    let plan = plan(bench);
    let report =
        run(&plan, &[&left, &right], &bench.settings, &RunOptions::default(), &bench.control).unwrap();
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    report.run
}

const EXDEV: i32 = 18;

#[test]
fn what_is_kept_beside_its_name_is_listed_with_all_that_is_in_it() {
    let bench = bench();
    let run = done_beside(&bench);
    let beside: Vec<_> = originals(&bench.roots().1, &run)
        .unwrap()
        .filter(|original| original.kept.to_string().contains(".orig"))
        .map(|original| original.path.to_string())
        .collect();
    assert!(beside.iter().any(|path| path == "kind"), "{beside:?}");
    let (from, seen) = listed(&bench, &run);
    assert_eq!((from, seen), (OriginalsFrom::Index, kept()));
    fs::remove_file(index(&bench, &run)).unwrap();
    assert_eq!(listed(&bench, &run), (OriginalsFrom::Journal, kept()));
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
}

/// The folder that holds it has another name since.
#[test]
fn an_index_is_not_believed_that_names_a_folder_that_is_gone() {
    let bench = bench();
    let run = done_beside(&bench);
    let count = |path: &str| listed(&bench, &run).1.iter().filter(|item| item.0 == path).count();
    assert_eq!(count("d/orphan"), 1);
    fs::rename(bench.right.join("d"), bench.right.join("D is its name now")).unwrap();
    assert_eq!(originals(&bench.roots().1, &run).unwrap().read_from(), OriginalsFrom::Journal);
    assert_eq!(count("d/orphan"), 0);
    assert_eq!(count("kind/deep/f"), 1);
}

#[test]
fn an_index_that_cannot_be_removed_keeps_nobody_from_undoing() {
    let bench = bench();
    let run = done(&bench);
    let index = index(&bench, &run);
    fs::remove_file(&index).unwrap();
    fs::create_dir(&index).unwrap();
    let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert!(list(&bench.roots().1).unwrap().is_empty());
}

/// Wherever a run, its recovery or its undo dies: what is listed is there, and nothing else is.
#[test]
fn after_a_death_anywhere_no_original_is_listed_wrongly() {
    let (mut deaths, mut states) = (0, BTreeMap::new());
    for of_undo in [false, true] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in 1.. {
                let bench = bench();
                let plan = plan(&bench);
                if of_undo {
                    done(&bench);
                }
                let died = dies_at(n, &bench, |right| {
                    if of_undo {
                        let _ = undo(right, None, &bench.control);
                    } else {
                        let (left, options) = (bench.roots().0, RunOptions::default());
                        let _ = run(&plan, &[&left, right], &bench.settings, &options, &bench.control);
                    }
                });
                let root = bench.roots().1;
                for when in ["before", "after"] {
                    for found in list(&root).unwrap() {
                        let what = format!("{how:?}, undo {of_undo}, change {n}, {when}: {:?}", found.state);
                        match (originals(&root, &found.run), found.state) {
                            (Err(_), RunState::Unreadable)
                            | (Err(StartError::Unfinished { .. }), RunState::Unfinished) => continue,
                            (Err(e), _) => panic!("{what}: {e}"),
                            (Ok(_), _) => {}
                        }
                        let (from, seen) = listed(&bench, &found.run);
                        assert!(seen.iter().all(|item| kept().contains(item)), "{what}: {seen:#?}");
                        fs::remove_file(index(&bench, &found.run)).ok();
                        assert_eq!(listed(&bench, &found.run).1, seen, "{what}");
                        *states.entry((format!("{from:?}"), format!("{:?}", found.state))).or_insert(0) += 1;
                    }
                    recover(&root, how, &bench.control).unwrap();
                }
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    println!("{deaths} deaths, {states:?}");
    assert!(deaths > 150, "{deaths} deaths");
    assert!(states.keys().any(|(from, _)| from == "Index"), "{states:?}");
}

/// `FCS_MEASURE=1 cargo test --release -p fcs-engine --test originals cost -- --nocapture` says what it costs.
#[test]
fn cost_of_many_originals() {
    let files = if std::env::var_os("FCS_MEASURE").is_some() { 20_000 } else { 200 };
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    for n in 0..files {
        put(&bench.left.join(format!("folder {}/file number {n}", n / 500)), "new content");
        put(&bench.right.join(format!("folder {}/file number {n}", n / 500)), "old");
    }
    let plan = plan(&bench);
    let began = std::time::Instant::now();
    let run = bench.run(&plan).run;
    let whole = began.elapsed();
    let bytes = index(&bench, &run).metadata().unwrap().len();
    let root = bench.roots().1;
    let time = |expected| {
        let began = std::time::Instant::now();
        let listed = originals(&root, &run).unwrap();
        assert_eq!((listed.read_from(), listed.len()), (expected, files));
        began.elapsed()
    };
    let by_index = time(OriginalsFrom::Index);
    fs::remove_file(index(&bench, &run)).unwrap();
    let by_journal = time(OriginalsFrom::Journal);
    println!(
        "{files} files: run {whole:?}, index of {bytes} bytes, read in {by_index:?}, from the journal {by_journal:?}"
    );
}
