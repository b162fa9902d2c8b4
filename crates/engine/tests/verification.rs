//! That verification sees what the device holds: each check is shown to turn red on a planted fault.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use common::{Bench, assert_no_strays, failure, noise, original};
use fcs_engine::ErrorKind;
use fcs_engine::report::{Outcome, RunResult};
use fcs_engine::settings::{LargeWrite, Reread, Strategy};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::{FsKind, Image, for_each_image, test_name};

/// Bytes found in the image exactly once: where the file's content is on the device.
const SIZE: usize = 3 << 20;

/// The ways a copy is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadBack {
    Grouped,
    Evicted,
    Uncached,
}

/// Flips one bit of the staged copy on the device between the sync and the re-read, as a bad disk would. With
/// `evict` false the eviction is skipped and claimed, as a program would that trusts the cache.
fn copy_with_a_flipped_bit(image: &Image, strategy: Strategy, way: ReadBack, evict: bool) -> (Bench, bool) {
    let place = image.mount_point().join(format!("{strategy}-{way:?}-{evict}"));
    std::fs::create_dir(&place).unwrap();
    let mut bench = Bench::at(&place).strategy(strategy);
    bench.settings.batch_max_file_bytes = if way == ReadBack::Grouped { 64 << 20 } else { 0 };
    bench.settings.large_reread = if way == ReadBack::Uncached { Reread::Uncached } else { Reread::Evicted };
    // What was written past the cache is not in it, and so would hide nothing.
    bench.settings.large_write = if evict { LargeWrite::Uncached } else { LargeWrite::Cached };
    // Each case has bytes of its own, so that what an earlier one left on the device is not found again.
    let seed = u64::from(strategy == Strategy::Staged) * 8 + way as u64 * 2 + u64::from(evict);
    let content = noise(SIZE, seed);
    std::fs::write(bench.left.join("f"), &content).unwrap();
    image.sync();
    let marker = content[SIZE / 2..SIZE / 2 + 4096].to_vec();
    let before = image.find_all_in_backing(&marker);
    assert_eq!(before.len(), 1, "the source lies once on the device");

    // The flip happens after the sync, before the first byte is read back.
    let flipped = Arc::new(AtomicU64::new(0));
    let backing = image.backing_file().unwrap().to_path_buf();
    let count = Arc::clone(&flipped);
    let bench = bench.script(move |event| {
        if event.call != (if way == ReadBack::Uncached { Call::OpenUncached } else { Call::Evict }) {
            return Act::Go;
        }
        if count.load(Ordering::SeqCst) == 0 {
            for offset in fcs_testkit::image::find_all(&backing, &marker) {
                if !before.contains(&offset) {
                    fcs_testkit::image::flip_bit(&backing, offset + 5);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        if evict { Act::Go } else { Act::Lie }
    });
    let report = bench.copy();
    assert_eq!(flipped.load(Ordering::SeqCst), 1, "the fault fired");
    let caught = matches!(&report.items[0].outcome, Outcome::Failed { .. });
    if caught {
        assert_eq!(report.result, RunResult::CompletedWithFailures);
        assert!(!bench.right.join("f").exists(), "a damaged copy never appears");
        assert_no_strays(&bench.right);
    }
    (bench, caught)
}

#[test]
fn a_bit_flipped_on_the_device_is_caught_by_both_strategies() {
    for_each_image(test_name!(), &FsKind::ON_DEVICE, 128 << 20, |image| {
        for strategy in [Strategy::Direct, Strategy::Staged] {
            for way in [ReadBack::Grouped, ReadBack::Evicted, ReadBack::Uncached] {
                let (_, caught) = copy_with_a_flipped_bit(image, strategy, way, true);
                assert!(caught, "{:?} {strategy} {way:?}", image.kind());
            }
        }
    });
}

#[test]
fn without_eviction_the_same_flip_is_missed() {
    for_each_image(test_name!(), &[FsKind::Ext4, FsKind::Xfs], 128 << 20, |image| {
        for strategy in [Strategy::Direct, Strategy::Staged] {
            for way in [ReadBack::Grouped, ReadBack::Evicted] {
                let (_, caught) = copy_with_a_flipped_bit(image, strategy, way, false);
                assert!(!caught, "the cache hides the flip: {:?} {strategy}", image.kind());
            }
        }
    });
}

/// A target that stores other bytes than it was given, or none.
fn copy_with_a_lying_write(act: Act, strategy: Strategy, grouped: bool) {
    let mut bench = Bench::new().strategy(strategy);
    bench.settings.batch_max_file_bytes = if grouped { 64 << 20 } else { 0 };
    std::fs::write(bench.left.join("f"), noise(300_000, 5)).unwrap();
    std::fs::write(bench.right.join("f"), "the only copy").unwrap();
    let kept = original(&bench.right.join("f"));
    let lies = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lies);
    let bench = bench.script(move |event| {
        if event.call == Call::Write && count.fetch_add(1, Ordering::SeqCst) == 0 { act } else { Act::Go }
    });
    let report = bench.copy();
    assert!(lies.load(Ordering::SeqCst) > 0, "the fault fired");
    let error = failure(&report, "f");
    assert!(matches!(error.kind, ErrorKind::Mismatch { .. }), "{error}");
    assert!(error.to_string().contains("The original is unchanged."), "{error}");
    assert_eq!(original(&bench.right.join("f")), kept);
    assert_no_strays(&bench.right);
}

#[test]
fn a_write_that_lies_is_caught() {
    for act in [Act::Lie, Act::Flip] {
        for strategy in [Strategy::Direct, Strategy::Staged] {
            for grouped in [false, true] {
                copy_with_a_lying_write(act, strategy, grouped);
            }
        }
    }
}

/// E4.
#[test]
fn a_large_copy_that_is_longer_than_its_source_is_no_copy() {
    use std::io::Write;
    for (strategy, reread) in [
        (Strategy::Direct, Reread::Uncached),
        (Strategy::Direct, Reread::Evicted),
        (Strategy::Staged, Reread::Uncached),
    ] {
        let mut bench = Bench::new().strategy(strategy).no_groups();
        bench.settings.large_reread = reread;
        // A multiple of every block size, so that no read gets at the rest by chance.
        let size = 8 << 20;
        std::fs::write(bench.left.join("f"), noise(size, 5)).unwrap();
        let longer = Arc::new(AtomicUsize::new(0));
        let (count, right) = (Arc::clone(&longer), bench.right.clone());
        let bench = bench.script(move |event| {
            if event.side == "target"
                && event.call == Call::Sync
                && event.path.to_string().strip_suffix(".part").is_some()
            {
                let staged = std::fs::OpenOptions::new().append(true).open(right.join(event.path.to_path()));
                staged.unwrap().write_all(b"more").unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
            Act::Go
        });
        let report = bench.copy();
        assert!(longer.load(Ordering::SeqCst) > 0, "the fault fired");
        let error = failure(&report, "f");
        assert!(matches!(error.kind, ErrorKind::Mismatch { .. }), "{strategy} {reread:?}: {error}");
        assert!(!bench.right.join("f").exists());
        assert_no_strays(&bench.right);
    }
}

/// The sister of E4 for files that go in groups: of these no byte more is read than the system says there are.
#[test]
fn a_small_copy_that_became_longer_is_no_copy() {
    use std::io::Write;
    for at in [Call::Read, Call::SyncVolume] {
        let bench = Bench::new();
        std::fs::write(bench.left.join("f"), noise(5000, 5)).unwrap();
        let longer = Arc::new(AtomicUsize::new(0));
        let (count, right) = (Arc::clone(&longer), bench.right.clone());
        let bench = bench.script(move |event| {
            if event.side == "target" && event.call == at && count.load(Ordering::SeqCst) == 0 {
                let names = std::fs::read_dir(&right).unwrap().map(|entry| entry.unwrap().path());
                for staged in names.filter(|path| path.extension().is_some_and(|ending| ending == "part")) {
                    let file = std::fs::OpenOptions::new().append(true).open(staged);
                    file.unwrap().write_all(b"more").unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
            Act::Go
        });
        let report = bench.copy();
        assert!(longer.load(Ordering::SeqCst) > 0, "the fault fired at {at:?}");
        failure(&report, "f");
        assert!(!bench.right.join("f").exists(), "{at:?}");
        assert_no_strays(&bench.right);
    }
}

#[test]
fn short_reads_and_writes_are_no_failures() {
    for strategy in [Strategy::Direct, Strategy::Staged] {
        let bench = Bench::new().strategy(strategy).no_groups();
        std::fs::write(bench.left.join("f"), noise(5000, 5)).unwrap();
        let bench =
            bench.script(
                |event| {
                    if matches!(event.call, Call::Write | Call::Read) { Act::Short } else { Act::Go }
                },
            );
        let report = bench.copy();
        assert_eq!(report.result, RunResult::Completed, "{:#?}", report.items);
        assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), noise(5000, 5));
    }
}

#[test]
fn staged_reads_the_source_once_and_the_target_once() {
    for grouped in [false, true] {
        let mut bench = Bench::new().strategy(Strategy::Staged);
        bench.settings.batch_max_file_bytes = if grouped { 64 << 20 } else { 0 };
        let size = 10_000_000_u64;
        std::fs::write(bench.left.join("f"), noise(size as usize, 5)).unwrap();
        let bytes: Arc<[AtomicU64; 3]> = Arc::default();
        let count = Arc::clone(&bytes);
        let bench = bench.script(move |event| {
            let slot = match (event.side, event.call) {
                ("source", Call::Read) => 0,
                // A look whether reading past the cache works here at all.
                ("target", Call::Read) if event.bytes == 512 => return Act::Go,
                ("target", Call::Read) => 1,
                ("target", Call::Write) => 2,
                (_, Call::Map) => panic!("staged copies map nothing"),
                _ => return Act::Go,
            };
            let rest = size.saturating_sub(event.offset);
            count[slot].fetch_add((event.bytes as u64).min(rest), Ordering::SeqCst);
            Act::Go
        });
        let report = bench.copy();
        assert_eq!(report.result, RunResult::Completed, "{:#?}", report.items);
        let seen: Vec<u64> = bytes.iter().map(|b| b.load(Ordering::SeqCst)).collect();
        assert_eq!(seen, [size; 3], "source read, target read, target written; grouped={grouped}");
    }
}

#[test]
fn a_window_that_cannot_be_mapped_is_compared_through_buffers() {
    let cases = [(3, true), (usize::MAX, false)];
    for (reread, (failures, ok)) in
        [Reread::Evicted, Reread::Uncached].into_iter().flat_map(|r| cases.map(|c| (r, c)))
    {
        let mut bench = Bench::new().strategy(Strategy::Direct).no_groups();
        bench.settings.large_reread = reread;
        bench.settings.mmap_window_bytes = 8 << 20;
        bench.settings.mmap_max_failures = 4;
        std::fs::write(bench.left.join("f"), noise(60 << 20, 5)).unwrap();
        let fired = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&fired);
        let bench = bench.script(move |event| {
            if event.call == Call::Map && count.fetch_add(1, Ordering::SeqCst) < failures {
                Act::Fail(12)
            } else {
                Act::Go
            }
        });
        let report = bench.copy();
        assert!(fired.load(Ordering::SeqCst) >= 3, "the fault fired");
        assert_eq!(report.result == RunResult::Completed, ok, "{:#?}", report.items);
        assert_eq!(bench.right.join("f").exists(), ok);
        assert_no_strays(&bench.right);
    }
}

#[test]
fn where_the_cache_cannot_be_emptied_the_evidence_says_so_however_the_copy_is_read() {
    use fcs_engine::report::Evidence;
    for_each_image(test_name!(), &[FsKind::Ext4], 64 << 20, |image| {
        for (uncached_works, strategy) in [
            (true, Strategy::Direct),
            (true, Strategy::Staged),
            (false, Strategy::Direct),
            (false, Strategy::Staged),
        ] {
            let place = image.mount_point().join(format!("{uncached_works}-{strategy}"));
            std::fs::create_dir(&place).unwrap();
            let mut bench = Bench::at(&place).strategy(strategy).no_groups();
            bench.settings.large_reread = Reread::Evicted;
            std::fs::write(bench.left.join("f"), noise(1_000_001, 5)).unwrap();
            let bench = bench.script(move |event| match event.call {
                Call::Evict => Act::Fail(5),
                Call::OpenUncached if !uncached_works => Act::Fail(22),
                _ => Act::Go,
            });
            let report = bench.copy();
            let Outcome::Done { evidence } = &report.items[0].outcome else { panic!("{report:#?}") };
            let admits = matches!(evidence, Evidence::CacheReread { why, .. } if why.contains("cache"));
            assert!(admits, "opened past the cache: {uncached_works}, {strategy}: {evidence:?}");
        }
    });
}

#[test]
fn a_copy_has_blocks_of_its_own_unless_sharing_is_allowed() {
    use fcs_engine::report::Evidence;
    for_each_image(test_name!(), &FsKind::ON_DEVICE, 320 << 20, |image| {
        let cases = [(Strategy::Direct, false), (Strategy::Staged, false), (Strategy::Direct, true)];
        for (seed, (strategy, reflink)) in (100..).zip(cases) {
            let place = image.mount_point().join(format!("{strategy}-{reflink}"));
            std::fs::create_dir(&place).unwrap();
            let mut bench = Bench::at(&place).strategy(strategy).no_groups();
            bench.settings.reflink = reflink;
            let content = noise(SIZE, seed);
            std::fs::write(bench.left.join("f"), &content).unwrap();
            let report = bench.copy();
            let Outcome::Done { evidence } = &report.items[0].outcome else { panic!("{report:#?}") };
            let places = image.find_all_in_backing(&content[SIZE / 2..SIZE / 2 + 4096]).len();
            let shares = reflink && image.kind() != FsKind::Ext4;
            assert_eq!(places, if shares { 1 } else { 2 }, "{:?} {strategy} reflink={reflink}", image.kind());
            assert_eq!(*evidence == Evidence::SharedExtents, shares, "{evidence:?}");
            assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), content);
        }
    });
}
