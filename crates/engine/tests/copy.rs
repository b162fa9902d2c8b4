//! Copies of whole trees, judged by a listing that shares no code with the engine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, assert_no_strays, item, noise};
use fcs_engine::report::{Evidence, Outcome, RunResult};
use fcs_engine::settings::{LargeWrite, Strategy, Verify};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::{FsKind, Options, diff, for_each_image, hostile_tree, listing, test_name};

/// Everything the listing knows, except special files, which are reported and not copied.
fn assert_equal_trees(bench: &Bench) {
    let options = Options::default();
    let mut left = listing(&bench.left, &options).unwrap();
    left.retain(|_, item| {
        matches!(item.kind, fcs_testkit::Kind::File | fcs_testkit::Kind::Dir | fcs_testkit::Kind::Symlink)
    });
    let right = listing(&bench.right, &options).unwrap();
    let differences = diff(&left, &right);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// The largest file whose content the file system may keep in memory with its metadata, so that no re-read of it reaches
/// the device: Btrfs keeps up to 2 KiB inline, tmpfs everything.
fn kept_in_memory(kind: FsKind) -> u64 {
    match kind {
        FsKind::Tmpfs => u64::MAX,
        FsKind::Btrfs => 2048,
        _ => 0,
    }
}

fn check_hostile_copy(bench: &Bench, kept_in_memory: u64) {
    let _ = hostile_tree(&bench.left).unwrap();
    std::fs::write(bench.left.join("large"), noise(9 << 20, 7)).unwrap();
    let report = bench.copy();
    let failed: Vec<_> =
        report.items.iter().filter(|i| matches!(i.outcome, Outcome::Failed { .. })).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_equal_trees(bench);
    assert_no_strays(&bench.right);
    if bench.settings.verify == Verify::All {
        let c = &report.counts;
        assert!(c.verified_on_device + c.verified_in_cache > 20 && c.not_verified == 0, "{c:?}");
        for item in &report.items {
            let Outcome::Done { evidence } = &item.outcome else { continue };
            match evidence {
                Evidence::DeviceReread { .. } => assert!(kept_in_memory < u64::MAX, "{item:?}"),
                Evidence::CacheReread { .. } => assert!(item.bytes <= kept_in_memory, "{item:?}"),
                _ => {}
            }
        }
    }
    let again = bench.plan();
    assert!(again.is_empty(), "a second run has work to do: {again:#?}");
    let after = bench.compare();
    let special = after.rows.len() as u64 - 1 - after.summary.same;
    assert_eq!(special, again.skipped.len() as u64, "only what cannot be copied differs");
}

#[test]
fn a_hostile_tree_arrives_whole_on_every_file_system() {
    for_each_image(test_name!(), &FsKind::ALL, 256 << 20, |image| {
        check_hostile_copy(&Bench::at(image.mount_point()), kept_in_memory(image.kind()));
    });
}

#[test]
fn both_strategies_give_the_same_tree_on_every_file_system() {
    for_each_image(test_name!(), &FsKind::ALL, 400 << 20, |image| {
        for strategy in [Strategy::Direct, Strategy::Staged] {
            let place = image.mount_point().join(strategy.to_string());
            std::fs::create_dir(&place).unwrap();
            let bench = Bench::at(&place).strategy(strategy).no_groups();
            check_hostile_copy(&bench, kept_in_memory(image.kind()));
            let large = bench.copy();
            assert_eq!(large.counts.copied, 0);
            std::fs::remove_dir_all(&place).unwrap();
        }
    });
}

#[test]
fn replacing_keeps_nothing_of_the_old_file() {
    let bench = Bench::new();
    for (name, old, new) in [("small", 10, 20), ("large", 3 << 20, 2 << 20), ("emptied", 100, 0)] {
        std::fs::write(bench.right.join(name), noise(old, 1)).unwrap();
        std::fs::write(bench.left.join(name), noise(new, 2)).unwrap();
        common::age(&bench.left.join(name));
    }
    let report = bench.copy();
    assert_eq!(report.result, RunResult::Completed, "{:#?}", report.items);
    assert_eq!(report.counts.copied, 3);
    assert_equal_trees(&bench);
    assert_no_strays(&bench.right);
}

#[test]
fn verify_modes_decide_what_is_read_back() {
    for (verify, small_verified, large_verified) in
        [(Verify::Off, false, false), (Verify::All, true, true), (Verify::Below, true, false)]
    {
        let mut bench = Bench::new().verify(verify);
        bench.settings.verify_below_bytes = 1 << 20;
        std::fs::write(bench.left.join("small"), noise(1000, 1)).unwrap();
        std::fs::write(bench.left.join("large"), noise(2 << 20, 1)).unwrap();
        let report = bench.copy();
        for (name, verified) in [("small", small_verified), ("large", large_verified)] {
            let Outcome::Done { evidence } = &item(&report, name).outcome else { panic!("{report:#?}") };
            assert_eq!(*evidence != Evidence::NotRequested, verified, "{verify} {name}: {evidence:?}");
        }
        assert_equal_trees(&bench);
    }
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let bench = Bench::new();
    let _ = hostile_tree(&bench.left).unwrap();
    std::fs::write(bench.right.join("kept"), "x").unwrap();
    let options = Options { root: true, ..Options::default() };
    let before = (listing(&bench.left, &options).unwrap(), listing(&bench.right, &options).unwrap());
    let (left, right) = bench.roots();
    let dry = fcs_engine::run::RunOptions { dry_run: true, ..Default::default() };
    let report = fcs_engine::run::run(&bench.plan(), &[&left, &right], &bench.settings, &dry, &bench.control);
    let report = report.unwrap();
    assert_eq!(report.result, RunResult::DryRun);
    assert!(report.items.len() > 20);
    let after = (listing(&bench.left, &options).unwrap(), listing(&bench.right, &options).unwrap());
    assert_eq!(diff(&before.0, &after.0), Vec::<String>::new());
    assert_eq!(diff(&before.1, &after.1), Vec::<String>::new());
}

#[test]
fn random_trees_over_random_trees_end_up_equal_and_stay_so() {
    let spec = fcs_testkit::TreeSpec { files: 60, folders: 15, links: 8, ..Default::default() };
    for seed in [11, 12, 13, 14] {
        println!("seed {seed}");
        let bench = Bench::new();
        fcs_testkit::random_tree(&bench.left, seed, &spec).unwrap();
        // The same generator with another seed gives partly the same names with other content and kinds.
        fcs_testkit::random_tree(&bench.right, seed + 100, &spec).unwrap();
        let report = bench.copy();
        assert_eq!(report.counts.failed, 0, "seed {seed}: {:#?}", report.items);
        assert_no_strays(&bench.right);
        let left = listing(&bench.left, &Options::default()).unwrap();
        let mut right = listing(&bench.right, &Options::default()).unwrap();
        let skipped: Vec<_> =
            report.items.iter().filter(|i| matches!(i.outcome, Outcome::Skipped { .. })).collect();
        right.retain(|path, _| left.contains_key(path));
        let differences = diff(&left, &right);
        assert!(
            differences.len() <= skipped.len() * 40 && (!differences.is_empty() || skipped.is_empty()),
            "{differences:#?}"
        );
        if skipped.is_empty() {
            assert!(bench.plan().is_empty(), "seed {seed}");
        }
    }
}

#[test]
fn a_pause_holds_the_run_and_a_cancel_ends_it_with_a_report() {
    let bench = Bench::new();
    for i in 0..200 {
        std::fs::write(bench.left.join(format!("f{i}")), noise(5000, i)).unwrap();
    }
    std::fs::write(bench.left.join("large"), noise(40 << 20, 9)).unwrap();
    std::fs::write(bench.right.join("large"), "old").unwrap();
    let kept = common::original(&bench.right.join("large"));
    // Cancelled from within, at a fixed place: when the large file is read for the second time.
    let cancel = Arc::clone(&bench.control.cancel);
    let reads = AtomicUsize::new(0);
    let bench = bench.no_groups().script(move |event| {
        if event.call == Call::Read
            && event.side == "source"
            && event.path.as_bytes() == b"large"
            && reads.fetch_add(1, Ordering::SeqCst) == 1
        {
            cancel.cancel();
        }
        Act::Go
    });
    let report = bench.copy();
    assert_eq!(report.result, RunResult::Cancelled);
    assert_eq!(common::original(&bench.right.join("large")), kept);
    assert_no_strays(&bench.right);
    assert_eq!(
        report.items.iter().filter(|i| i.path.as_bytes().starts_with(b"f")).count(),
        200,
        "every step is in the report"
    );
    for entry in std::fs::read_dir(&bench.right).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "large" {
            let (a, b) = (bench.left.join(&name), bench.right.join(&name));
            assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap(), "what appeared is whole");
        }
    }
}

#[test]
fn owners_are_kept_where_permitted_and_set_user_id_bits_only_with_them() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let bench = Bench::new();
    let file = bench.left.join("tool");
    std::fs::write(&file, "x").unwrap();
    std::fs::create_dir(bench.left.join("folder")).unwrap();
    std::os::unix::fs::symlink("tool", bench.left.join("link")).unwrap();
    if chown(&file, Some(12), Some(34)).is_err() {
        return fcs_testkit::skip(test_name!(), "only root may give files away");
    }
    chown(bench.left.join("folder"), Some(56), Some(78)).unwrap();
    std::os::unix::fs::lchown(bench.left.join("link"), Some(9), Some(9)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o6755)).unwrap();
    bench.copy();
    assert_equal_trees(&bench);

    let mut plain = Bench::new();
    plain.settings.keep_owner = false;
    std::fs::write(plain.left.join("tool"), "x").unwrap();
    chown(plain.left.join("tool"), Some(12), Some(34)).unwrap();
    std::fs::set_permissions(plain.left.join("tool"), std::fs::Permissions::from_mode(0o6755)).unwrap();
    let report = plain.copy();
    let copied = std::fs::metadata(plain.right.join("tool")).unwrap();
    assert_eq!(
        (copied.uid(), copied.mode() & 0o7777),
        (0, 0o755),
        "root's copy must not run as root for everybody"
    );
    assert!(!item(&report, "tool").not_kept.is_empty());
}

#[test]
fn a_copy_does_not_inherit_access_its_source_does_not_grant() {
    let bench = Bench::new();
    std::fs::create_dir(bench.left.join("d")).unwrap();
    std::fs::write(bench.left.join("d/secret"), "x").unwrap();
    let ran =
        std::process::Command::new("setfacl").args(["-d", "-m", "u:65534:rw"]).arg(&bench.right).status();
    if !ran.is_ok_and(|status| status.success()) {
        return fcs_testkit::skip(
            test_name!(),
            "setfacl is not installed, or the file system has no access lists",
        );
    }
    assert!(xattr::get(&bench.right, "system.posix_acl_default").unwrap().is_some(), "the fault is in place");
    bench.copy();
    for path in ["d", "d/secret"] {
        let names: Vec<_> = xattr::list(bench.right.join(path)).unwrap().collect();
        assert!(names.is_empty(), "{path}: {names:?}");
    }
    assert_equal_trees(&bench);
}

/// A folder may get such a list at any time, so what its first new file has says nothing about the next.
#[test]
fn a_copy_does_not_inherit_access_that_its_folder_grants_since_an_earlier_copy() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let mut bench = Bench::new();
    bench.settings.copy_workers = 1;
    for name in ["a", "b", "c"] {
        std::fs::write(bench.left.join(name), name).unwrap();
    }
    let (made, given) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, right, done) = (Arc::clone(&made), bench.right.clone(), Arc::clone(&given));
    let bench = bench.script(move |event| {
        let second = event.side == "target"
            && event.call == Call::CreateFile
            && count.fetch_add(1, Ordering::SeqCst) == 1;
        if second {
            let mut list = std::process::Command::new("setfacl");
            let ran = list.args(["-d", "-m", "u:65534:rw"]).arg(&right).status();
            done.fetch_add(usize::from(ran.is_ok_and(|status| status.success())), Ordering::SeqCst);
        }
        Act::Go
    });
    bench.copy();
    assert_eq!(made.load(Ordering::SeqCst), 3);
    if given.load(Ordering::SeqCst) == 0 {
        return fcs_testkit::skip(
            test_name!(),
            "setfacl is not installed, or the file system has no access lists",
        );
    }
    assert!(xattr::get(&bench.right, "system.posix_acl_default").unwrap().is_some(), "the fault is in place");
    for path in ["a", "b", "c"] {
        let names: Vec<_> = xattr::list(bench.right.join(path)).unwrap().collect();
        assert!(names.is_empty(), "{path}: {names:?}");
    }
}

#[test]
fn a_large_file_shows_how_far_its_copy_and_its_re_read_are() {
    use std::sync::atomic::{AtomicU64, Ordering};
    for strategy in [Strategy::Direct, Strategy::Staged] {
        let mut bench = Bench::new().strategy(strategy).no_groups();
        bench.settings.verify_chunk_bytes = 1 << 20;
        std::fs::write(bench.left.join("f"), noise(30 << 20, 3)).unwrap();
        let seen: Arc<[AtomicU64; 2]> = Arc::default();
        let (most, progress) = (Arc::clone(&seen), Arc::clone(&bench.control.progress));
        let bench = bench.script(move |_| {
            for file in progress.snapshot().current {
                most[0].fetch_max(file.copied.load(Ordering::SeqCst), Ordering::SeqCst);
                most[1].fetch_max(file.verified.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            Act::Go
        });
        bench.copy();
        let [copied, verified] = [0, 1].map(|i| seen[i].load(Ordering::SeqCst));
        assert_eq!(copied, 30 << 20, "{strategy}");
        assert!(verified > 10 << 20 && verified <= 30 << 20, "{strategy}: {verified}");
    }
}

/// Where files cannot be written past the cache the system copies them, which is found out with the first; where they can
/// be, nothing but what remains of the last block goes through it.
#[test]
fn large_files_are_written_past_the_cache_where_that_can_be_done() {
    const FILES: usize = 3;
    for_each_image(test_name!(), &FsKind::ALL, 160 << 20, |image| {
        for (strategy, large_write) in [
            (Strategy::Direct, LargeWrite::Uncached),
            (Strategy::Staged, LargeWrite::Uncached),
            (Strategy::Direct, LargeWrite::Cached),
        ] {
            let place = image.mount_point().join(format!("{strategy} {large_write}"));
            std::fs::create_dir(&place).unwrap();
            let mut bench = Bench::at(&place).strategy(strategy).no_groups();
            bench.settings.large_write = large_write;
            bench.settings.direct_chunk_bytes = 100_000;
            for i in 0..FILES {
                std::fs::write(bench.left.join(format!("f{i}")), noise(300_000 + i, i as u64)).unwrap();
            }
            let seen: Arc<[AtomicUsize; 2]> = Arc::default();
            let counted = Arc::clone(&seen);
            let bench = bench.script(move |event| {
                let [made, cached] = &*counted;
                if event.side == "target" && event.call == Call::CreateFile {
                    made.fetch_add(1, Ordering::SeqCst);
                } else if event.call == Call::StartWriteback {
                    cached.fetch_add(event.bytes, Ordering::SeqCst);
                }
                Act::Go
            });
            let about = format!("{:?} {strategy} {large_write}", image.kind());
            let report = bench.copy();
            let counts = (report.counts.copied, report.counts.failed);
            assert_eq!(counts, (FILES as u64, 0), "{about}: {:#?}", report.items);
            for i in 0..FILES {
                let arrived = std::fs::read(bench.right.join(format!("f{i}"))).unwrap();
                assert!(arrived == noise(300_000 + i, i as u64), "{about}: f{i}");
            }
            assert_no_strays(&bench.right);
            let [made, cached] = seen.each_ref().map(|count| count.load(Ordering::SeqCst));
            let possible = can_be_written_past_cache(&bench.right);
            let wanted = large_write == LargeWrite::Uncached;
            // Memory is no device, so there it is not tried.
            let tried = wanted && strategy == Strategy::Direct && image.kind() != FsKind::Tmpfs;
            assert_eq!(made, FILES + usize::from(tried && !possible), "{about}");
            if wanted && possible {
                assert!(cached < FILES * 4096, "{about}: {cached} bytes went through the cache");
            } else {
                assert!(cached >= FILES * 300_000, "{about}: {cached} bytes went through the cache");
            }
        }
    });
}

fn can_be_written_past_cache(folder: &std::path::Path) -> bool {
    let root = fcs_sys::open_root(folder).unwrap();
    let name = fcs_sys::Name::new(*b"asked").unwrap();
    let possible = root.dir.create_file(&name).unwrap().write_past_cache(true).is_ok();
    root.dir.remove_file(&name).unwrap();
    possible
}
