//! Cases I1 to I4: a file's number is not a promise. Volumes that give an item another number whenever they like, show
//! another one through a second name, or count anew with each mount; and a target that was copied elsewhere.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, assert_no_strays_beside, noise};
use fcs_engine::compare::{Side, compare};
use fcs_engine::filter::Filter;
use fcs_engine::history::{RecoveryReport, undo};
use fcs_engine::plan::plan_sync;
use fcs_engine::report::{Outcome, Report};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::{Strategy, Undo, Verify};
use fcs_engine::{Control, Settings};
use fcs_sys::{Root, Time, open_root};
use fcs_testkit::faulty::{Call, Script, wrap};
use fcs_testkit::sim::{Options, SimFs};
use fcs_testkit::{FsKind, Medium, Volume, skip};

fn sync(left: &Root, right: &Root, settings: &Settings) -> Report {
    sync_while(left, right, settings, None)
}

/// Compares, plans and runs; the target's calls of the run go through the script.
fn sync_while(left: &Root, right: &Root, settings: &Settings, script: Option<Script>) -> Report {
    let control = Control::default();
    let (a, b) = scan_pair(left, right, &Filter::default(), settings, &control).unwrap();
    let compared = compare((left, Arc::new(a)), (right, Arc::new(b)), settings, &control).unwrap();
    let plan = plan_sync(&compared, Side::Right, &|_| true, settings);
    let options = RunOptions { command: "sync".into(), ..RunOptions::default() };
    match script {
        None => run(&plan, &[left, right], settings, &options, &control).unwrap(),
        Some(script) => {
            let (left, right) =
                (wrap(left, "source", Arc::clone(&script)), wrap(right, "target", Arc::clone(&script)));
            run(&plan, &[&left, &right], settings, &options, &control).unwrap()
        }
    }
}

#[track_caller]
fn assert_all_done(report: &Report) {
    for item in &report.items {
        assert!(matches!(item.outcome, Outcome::Done { .. }), "{item:#?}");
    }
    assert!(!report.items.is_empty());
}

#[track_caller]
fn assert_whole(recovery: &RecoveryReport) {
    assert!(recovery.is_clean(), "{recovery:#?}");
    assert!(!recovery.items.is_empty());
}

fn undone(root: &Root) -> RecoveryReport {
    undo(root, None, &Control::default()).unwrap()
}

/// Bytes, links and times by path, what is ours left out.
fn shown(disk: &SimFs) -> Vec<String> {
    let line = |(path, item): (&String, &fcs_testkit::sim::Item)| {
        format!("{path} {:o} {:?} {} {:?}", item.mode, item.modified, blake3::hash(&item.bytes), item.link)
    };
    disk.snapshot().iter().filter(|(path, _)| !path.starts_with(".fcs")).map(line).collect()
}

/// Numbers that change with every change of the disk, and come back for other items.
fn restless(volume: u64, exchange: bool, hard_links: bool) -> SimFs {
    let options = Options { volume, exchange, hard_links, lasting_numbers: false, ..Options::default() };
    SimFs::new(options)
}

fn fill(disk: &SimFs, generation: u8) {
    for n in 0..12 {
        let text = format!("file {n} in generation {}", "+".repeat(generation.into()));
        disk.put(&format!("d/f{n}"), text.as_bytes(), 0o644, Time::new(1000 + i64::from(n), 0));
    }
    disk.put("d/large", &vec![generation; 300_000 + usize::from(generation)], 0o644, Time::new(3000, 0));
    disk.put(&format!("only {generation}/x"), b"goes again", 0o644, Time::new(4000, 0));
    disk.symlink("d/link", "f1");
    for folder in ["d".to_owned(), format!("only {generation}"), String::new()] {
        disk.set_modified(&folder, Time::new(5000 + i64::from(generation), 0));
    }
}

#[test]
fn i2_everything_arrives_and_goes_back_whatever_number_it_has_by_then() {
    for (exchange, hard_links) in [(true, true), (false, true), (false, false)] {
        for verify in [Verify::All, Verify::Off] {
            for batch_max_file_bytes in [Settings::default().batch_max_file_bytes, 0] {
                let settings =
                    Settings { undo: Undo::Last, verify, batch_max_file_bytes, ..Settings::default() };
                let right = restless(2, exchange, hard_links);
                for generation in [1, 2] {
                    let left = restless(1, exchange, hard_links);
                    fill(&left, generation);
                    let before = shown(&right);
                    assert_all_done(&sync(&left.root(), &right.root(), &settings));
                    assert_eq!(shown(&right), shown(&left));
                    assert_whole(&undone(&right.root()));
                    assert_eq!(shown(&right), before, "undone");
                    assert_all_done(&sync(&left.root(), &right.root(), &settings));
                    assert_eq!(shown(&right), shown(&left));
                }
            }
        }
    }
}

#[test]
fn i3_a_change_with_size_and_time_put_back_is_seen_by_its_content() {
    let settings = Settings { undo: Undo::Last, ..Settings::default() };
    let (left, right) = (restless(1, false, false), restless(2, false, false));
    fill(&left, 1);
    assert_all_done(&sync(&left.root(), &right.root(), &settings));
    let time = right.snapshot()["d/f3"].modified;
    let others = vec![b'x'; right.read("d/f3").unwrap().len()];
    right.put("d/f3", &others, 0o644, time);
    let recovery = undone(&right.root());
    let refused: Vec<_> =
        recovery.items.iter().filter(|i| i.error.is_some()).map(|i| i.path.to_string()).collect();
    assert!(refused.contains(&"d/f3".to_owned()), "{recovery:#?}");
    assert_eq!(*right.read("d/f3").unwrap(), others);
    assert!(!right.exists("d/f4"));
}

fn real_tree(at: &Path, generation: u8) {
    fs::create_dir_all(at.join("d")).unwrap();
    for n in 0..30_u8 {
        fs::write(at.join(format!("d/f{n}")), format!("file {n} of {}", "+".repeat(generation.into())))
            .unwrap();
    }
    fs::write(at.join("large"), noise(5_000_000 + usize::from(generation), u64::from(generation))).unwrap();
    // Whole seconds: what a volume does with fractions is another matter.
    for path in ["d/f1", "d/f2", "large"] {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        fs::File::open(at.join(path)).unwrap().set_modified(time).unwrap();
    }
}

/// The same names and bytes on both sides.
#[track_caller]
fn assert_same_bytes(left: &Path, right: &Path) {
    let read = |root: &Path| {
        let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(root.join("d"))
            .map(|list| list.map(|e| e.unwrap().path()).collect::<Vec<_>>())
            .unwrap_or_default()
            .into_iter()
            .chain([root.join("large")].into_iter().filter(|path| path.exists()))
            .map(|path| {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                (name, fs::read(&path).unwrap())
            })
            .collect();
        found.sort();
        found
    };
    assert!(read(left) == read(right), "{} and {} differ", left.display(), right.display());
}

fn last() -> Settings {
    Settings { undo: Undo::Last, ..Settings::default() }
}

#[test]
fn i1_every_update_arrives_where_a_second_name_looks_like_another_file() {
    const NAME: &str = "i1_every_update_arrives_where_a_second_name_looks_like_another_file";
    let volume = match Volume::new(Medium::Sshfs) {
        Ok(volume) => volume,
        Err(reason) => return skip(NAME, &reason.reason),
    };
    let bench = Bench::at(volume.path());
    let source = tempfile::tempdir().unwrap();
    for generation in [1, 2, 3] {
        real_tree(source.path(), generation);
        let report = sync(&open_root(source.path()).unwrap(), &open_root(&bench.right).unwrap(), &last());
        assert_all_done(&report);
        assert_same_bytes(source.path(), &bench.right);
        assert_no_strays_beside(&bench.right);
    }
    assert_whole(&undone(&open_root(&bench.right).unwrap()));
    real_tree(source.path(), 2);
    assert_same_bytes(source.path(), &bench.right);
}

/// Makes the system drop what it remembers of items, which it does by itself when memory is short.
fn forget_items() -> bool {
    fs::write("/proc/sys/vm/drop_caches", "2").is_ok()
}

#[test]
fn i2_all_arrive_although_the_system_forgets_every_item_while_they_are_copied() {
    const NAME: &str = "i2_all_arrive_although_the_system_forgets_every_item_while_they_are_copied";
    for medium in [Medium::Exfat, Medium::Sshfs] {
        let volume = match Volume::new(medium) {
            Ok(volume) => volume,
            Err(reason) => {
                skip(NAME, &reason.reason);
                continue;
            }
        };
        if !forget_items() {
            return skip(NAME, "the system's memory of items cannot be dropped");
        }
        let bench = Bench::at(volume.path());
        for generation in [1, 2] {
            real_tree(&bench.left, generation);
            let forgotten = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&forgotten);
            // Before the first look at the source, and before some of the renames.
            let script: Script = Arc::new(move |event| {
                let due = matches!(event.call, Call::OpenFile | Call::RenameReplace);
                if due && count.fetch_add(1, Ordering::SeqCst).is_multiple_of(8) {
                    forget_items();
                }
                fcs_testkit::faulty::Act::Go
            });
            let (left, right) = (open_root(&bench.left).unwrap(), open_root(&bench.right).unwrap());
            assert_all_done(&sync_while(&left, &right, &last(), Some(script)));
            assert!(forgotten.load(Ordering::SeqCst) > 30, "the fault fired");
            assert_same_bytes(&bench.left, &bench.right);
            assert_no_strays_beside(&bench.right);
        }
    }
}

#[test]
fn i3_undo_knows_its_own_work_after_the_volume_was_mounted_anew() {
    const NAME: &str = "i3_undo_knows_its_own_work_after_the_volume_was_mounted_anew";
    for medium in [Medium::Exfat, Medium::Ntfs, Medium::Ext4] {
        for (strategy, verify) in [(Strategy::Auto, Verify::All), (Strategy::Direct, Verify::Off)] {
            let mut volume = match Volume::new(medium) {
                Ok(volume) => volume,
                Err(reason) => {
                    skip(NAME, &reason.reason);
                    continue;
                }
            };
            let [old, new] = [1, 2].map(|generation| {
                let source = tempfile::tempdir().unwrap();
                real_tree(source.path(), generation);
                source
            });
            let right = volume.path().join("right");
            fs::create_dir(&right).unwrap();
            let settings = Settings { strategy, verify, ..last() };
            let report = sync(&open_root(old.path()).unwrap(), &open_root(&right).unwrap(), &settings);
            assert_all_done(&report);
            volume.remount().unwrap();
            let report = sync(&open_root(new.path()).unwrap(), &open_root(&right).unwrap(), &settings);
            assert_all_done(&report);
            volume.remount().unwrap();
            assert_whole(&undone(&open_root(&right).unwrap()));
            assert_same_bytes(old.path(), &right);
            assert_no_strays_beside(&right);
        }
    }
}

#[test]
fn i4_a_target_that_was_copied_elsewhere_with_its_journal_can_be_undone_there() {
    let bench = Bench::new();
    let settings = last();
    real_tree(&bench.left, 1);
    let (left, right) = bench.roots();
    assert_all_done(&sync(&left, &right, &settings));
    real_tree(&bench.left, 2);
    assert_all_done(&sync(&left, &right, &settings));
    let elsewhere = bench.right.with_file_name("elsewhere");
    let copied =
        std::process::Command::new("cp").arg("-a").args([&bench.right, &elsewhere]).status().unwrap();
    assert!(copied.success());
    // Somebody works on there.
    fs::write(elsewhere.join("d/f7"), "changed there").unwrap();

    let recovery = undone(&open_root(&elsewhere).unwrap());
    let refused: Vec<_> =
        recovery.items.iter().filter(|i| i.error.is_some()).map(|i| i.path.to_string()).collect();
    assert_eq!(refused, ["d/f7"], "{recovery:#?}");
    assert_eq!(fs::read(elsewhere.join("d/f7")).unwrap(), b"changed there");
    real_tree(&bench.left, 1);
    fs::write(elsewhere.join("d/f7"), fs::read(bench.left.join("d/f7")).unwrap()).unwrap();
    assert_same_bytes(&bench.left, &elsewhere);
    // The folder it was copied from is as it was, and can be undone for itself.
    assert_whole(&undone(&right));
    assert_same_bytes(&bench.left, &bench.right);
}

#[test]
fn r10_a_folder_that_cannot_be_renamed_goes_and_comes_back() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    const NAME: &str = "r10_a_folder_that_cannot_be_renamed_goes_and_comes_back";
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_007);
    let fill = |layer: &Path| {
        fs::create_dir_all(layer.join("right/gone/inner"))?;
        fs::write(layer.join("right/gone/f"), "kept")?;
        fs::write(layer.join("right/gone/inner/g"), "kept too")?;
        fs::create_dir(layer.join("right/empty"))?;
        fs::set_permissions(layer.join("right/gone"), fs::Permissions::from_mode(0o750))?;
        fs::set_permissions(layer.join("right/empty"), fs::Permissions::from_mode(0o711))?;
        ["right/gone/inner", "right/gone", "right/empty", "right"]
            .iter()
            .try_for_each(|path| fs::File::open(layer.join(path))?.set_modified(old))
    };
    let volume = match Volume::overlay(FsKind::Ext4, fill) {
        Ok(volume) => volume,
        Err(reason) => return skip(NAME, &reason.reason),
    };
    let right = volume.path().join("right");
    let refused = fs::rename(right.join("gone"), right.join("renamed")).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::CrossesDevices, "the fault is there");
    let left = tempfile::tempdir().unwrap();
    fs::write(left.path().join("new"), "new").unwrap();

    let (left, target) = (open_root(left.path()).unwrap(), open_root(&right).unwrap());
    assert_all_done(&sync(&left, &target, &last()));
    assert!(!right.join("gone").exists() && !right.join("empty").exists());
    assert_no_strays_beside(&right);

    assert_whole(&undone(&target));
    assert_eq!(fs::read(right.join("gone/f")).unwrap(), b"kept");
    assert_eq!(fs::read(right.join("gone/inner/g")).unwrap(), b"kept too");
    for (path, mode) in [("gone", 0o750), ("gone/inner", 0o755), ("empty", 0o711)] {
        let now = fs::metadata(right.join(path)).unwrap();
        assert_eq!((now.mode() & 0o7777, now.modified().unwrap()), (mode, old), "{path}");
    }
    assert!(!right.join("new").exists());
}

/// L4: other capital letters are the same item where a volume is case-insensitive, and it is renamed.
#[test]
fn l4_another_spelling_is_no_orphan_and_no_failure() {
    const NAME: &str = "l4_another_spelling_is_no_orphan_and_no_failure";
    let volume = match Volume::new(Medium::Exfat) {
        Ok(volume) => volume,
        Err(reason) => return skip(NAME, &reason.reason),
    };
    let right = volume.path().join("right");
    fs::create_dir(&right).unwrap();
    let left = tempfile::tempdir().unwrap();
    let path = |name: &str| left.path().join(name);
    fs::create_dir(path("dir")).unwrap();
    fs::write(path("dir/f"), "in it").unwrap();
    fs::write(path("readme.txt"), "old").unwrap();
    assert_all_done(&sync(&open_root(left.path()).unwrap(), &open_root(&right).unwrap(), &last()));

    fs::rename(path("dir"), path("Dir")).unwrap();
    fs::remove_file(path("readme.txt")).unwrap();
    fs::write(path("README.txt"), "the new text").unwrap();
    assert_all_done(&sync(&open_root(left.path()).unwrap(), &open_root(&right).unwrap(), &last()));
    assert_eq!(fs::read(right.join("README.txt")).unwrap(), b"the new text");
    assert_eq!(fs::read(right.join("Dir/f")).unwrap(), b"in it");
    let mut names: Vec<_> = fs::read_dir(&right)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != ".fcs");
    names.sort();
    assert_eq!(names, ["Dir", "README.txt"]);
}
