//! That evidence counts what came from the device, never what a flag promised: the device's own read counter is
//! compared with what the reports claim, on every file system and in every mode that can be made here. And that it gives
//! nothing twice.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Bench, is_journal, noise};
use fcs_engine::compare::Side;
use fcs_engine::report::{Evidence, Outcome, Report};
use fcs_engine::settings::{ContentCheck, Strategy};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::image::{ImageOptions, find_all, flip_bit};
use fcs_testkit::skip::skip;
use fcs_testkit::{FsKind, Image, test_name};

/// A file system in one of its modes.
struct Mode {
    name: &'static str,
    kind: FsKind,
    format_args: &'static [&'static str],
    mount_options: &'static str,
    /// The largest file that it keeps among its metadata.
    in_metadata: usize,
}

const fn mode(
    name: &'static str,
    kind: FsKind,
    format_args: &'static [&'static str],
    mount_options: &'static str,
) -> Mode {
    let in_metadata = 0;
    Mode { name, kind, format_args, mount_options, in_metadata }
}

const MODES: [Mode; 10] = [
    mode("ext4", FsKind::Ext4, &[], ""),
    mode("ext4 data=journal", FsKind::Ext4, &[], "data=journal"),
    mode("ext4 -I 128", FsKind::Ext4, &["-I", "128"], ""),
    Mode { in_metadata: 100, ..mode("ext4 inline_data", FsKind::Ext4, &["-O", "inline_data"], "") },
    mode("xfs", FsKind::Xfs, &[], ""),
    mode("xfs without reflink", FsKind::Xfs, &["-m", "reflink=0"], ""),
    Mode { in_metadata: 2000, ..mode("btrfs", FsKind::Btrfs, &[], "") },
    Mode { in_metadata: 2000, ..mode("btrfs compressed", FsKind::Btrfs, &[], "compress-force=zstd") },
    mode("btrfs nodatacow", FsKind::Btrfs, &[], "nodatacow"),
    Mode { in_metadata: 2000, ..mode("btrfs nodatasum", FsKind::Btrfs, &[], "nodatasum") },
];

/// Files of one size, copied in one run, so that what the device reads beside them does not hide what it did not.
struct Files {
    size: usize,
    count: usize,
    compressible: bool,
}

const FILES: [Files; 9] = [
    Files { size: 100, count: 100, compressible: false },
    Files { size: 2000, count: 60, compressible: false },
    Files { size: 5000, count: 60, compressible: false },
    Files { size: 9000, count: 60, compressible: true },
    // Just above what is copied in groups: what Btrfs answered from its cache although it was opened with O_DIRECT.
    Files { size: (1 << 20) + 1, count: 1, compressible: false },
    Files { size: 3 << 20, count: 1, compressible: false },
    Files { size: 4 << 20, count: 1, compressible: true },
    Files { size: (12 << 20) + 5, count: 1, compressible: false },
    Files { size: 20_000_000, count: 1, compressible: true },
];

impl Files {
    fn content(&self, seed: u64) -> Vec<u8> {
        if self.compressible {
            let line = noise(64, seed);
            line.iter().copied().cycle().take(self.size).collect()
        } else {
            noise(self.size, seed)
        }
    }
}

fn image(mode: &Mode, test: &str) -> Option<Image> {
    let (format_args, mount_options) = (mode.format_args, mode.mount_options);
    let options = ImageOptions { format_args, mount_options, ..ImageOptions::default() };
    Image::with_options(mode.kind, 400 << 20, options).map_err(|reason| skip(test, &reason.reason)).ok()
}

/// Bytes that the device has read since it was attached.
fn device_bytes(image: &Image) -> u64 {
    let device = image.loop_device().unwrap().file_name().unwrap();
    let text = std::fs::read_to_string(Path::new("/sys/block").join(device).join("stat")).unwrap();
    text.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap() * 512
}

/// Copies `files` from outside the image into it. Returns the report and the bytes that its device read meanwhile.
fn copy(image: &Image, place: &Path, files: &Files, strategy: Strategy) -> (PathBuf, Report, u64) {
    std::fs::create_dir(place).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let mut bench = Bench::at(place).strategy(strategy);
    bench.left = outside.path().to_path_buf();
    for i in 0..files.count {
        let seed = i as u64 + 1000 * files.size as u64 + u64::from(strategy == Strategy::Staged) * 500;
        std::fs::write(bench.left.join(format!("f{i}")), files.content(seed)).unwrap();
    }
    let plan = bench.plan();
    let before = device_bytes(image);
    let report = bench.run(&plan);
    let read = device_bytes(image) - before;
    assert_eq!(report.counts.failed, 0, "{:#?}", report.items);
    (bench.right.clone(), report, read)
}

/// Files said to be read from the device, and the reasons why others are not.
fn claims(report: &Report) -> (Vec<String>, Vec<String>) {
    let (mut device, mut cache) = (Vec::new(), Vec::new());
    for item in report.items.iter().filter(|item| item.strategy.is_some()) {
        match &item.outcome {
            Outcome::Done { evidence: Evidence::DeviceReread { .. } } => device.push(item.path.to_string()),
            Outcome::Done { evidence: Evidence::CacheReread { why, .. } } => cache.push(why.clone()),
            other => panic!("{}: {other:?}", item.path),
        }
    }
    (device, cache)
}

/// How many of these files' bytes are cached.
fn cached(folder: &Path, names: &[&str]) -> u64 {
    let root = fcs_sys::open_root(folder).unwrap();
    let of = |name: &&str| {
        let name = fcs_sys::Name::new(name.as_bytes().to_vec()).unwrap();
        let file = root.dir.open_file(&name, fcs_sys::Access::Read).unwrap();
        file.cached_bytes().unwrap().unwrap()
    };
    names.iter().map(of).sum()
}

#[test]
fn large_files_that_are_not_cached_are_compared_past_the_cache_and_others_in_it() {
    use std::os::unix::fs::FileExt;
    const SIZE: usize = (24 << 20) + 5;
    const NAMES: [&str; 3] = ["same", "differs", "short"];
    for kind in [FsKind::Ext4, FsKind::Xfs, FsKind::Btrfs] {
        let mut image = match Image::new(kind, 400 << 20) {
            Ok(image) => image,
            Err(reason) => {
                skip(test_name!(), &reason.reason);
                continue;
            }
        };
        let mut bench = Bench::at(image.mount_point());
        for (seed, name) in NAMES.iter().enumerate() {
            let size = if *name == "short" { 100_000 } else { SIZE };
            for side in [&bench.left, &bench.right] {
                std::fs::write(side.join(name), noise(size, seed as u64)).unwrap();
                common::age(&side.join(name));
            }
        }
        let last = std::fs::File::options().write(true).open(bench.right.join("differs")).unwrap();
        last.write_all_at(b"!", SIZE as u64 - 1).unwrap();
        drop(last);
        common::age(&bench.right.join("differs"));
        image.sync();
        for content in [ContentCheck::Blake3, ContentCheck::Sha512] {
            bench.settings.compare_content = content;
            image.remount().unwrap();
            let found = |bench: &Bench| -> Vec<String> {
                let comparison = bench.compare();
                assert!(comparison.errors.is_empty(), "{:?}", comparison.errors);
                let plan = fcs_engine::plan::plan(&comparison, Side::Right, &|_| true, &bench.settings);
                let steps = plan.folders.iter().flat_map(|folder| &folder.steps);
                steps.map(|step| step.target_name.to_string()).collect()
            };
            let before = device_bytes(&image);
            assert_eq!(found(&bench), ["differs"], "{kind:?} {content}");
            let read = device_bytes(&image) - before;
            assert!(read >= 4 * SIZE as u64, "{kind:?} {content}: all of both was read: {read}");
            assert!(read < 4 * SIZE as u64 + (8 << 20), "{kind:?} {content}: and once: {read}");
            let after = cached(&bench.left, &NAMES[..2]) + cached(&bench.right, &NAMES[..2]);
            assert!(after < 1 << 20, "{kind:?} {content}: {after} bytes were brought into the cache");
            let done = bench.control.progress.snapshot();
            assert_eq!(done.compare_bytes_done, done.compare_bytes_total);

            for name in &NAMES {
                std::fs::read(bench.left.join(name)).unwrap();
                std::fs::read(bench.right.join(name)).unwrap();
            }
            let before = device_bytes(&image);
            assert_eq!(found(&bench), ["differs"], "{kind:?} {content}, cached");
            let read = device_bytes(&image) - before;
            assert!(read < 1 << 20, "{kind:?} {content}: {read} bytes read of what is cached");
        }
    }
}

/// What reading the files takes from the device, when nothing of them is cached.
fn needed(image: &Image, folder: &Path, names: &[String]) -> u64 {
    let root = fcs_sys::open_root(folder).unwrap();
    let before = device_bytes(image);
    for name in names {
        let name = fcs_sys::Name::new(name.as_bytes()).unwrap();
        let file = root.dir.open_file(&name, fcs_sys::Access::Read).unwrap();
        assert_eq!(file.evict().unwrap(), fcs_sys::Eviction::Proven);
        let mut buffer = vec![0; file.metadata().unwrap().size as usize];
        let (mut at, end) = (0, buffer.len());
        while at < end {
            at += file.read_at(&mut buffer[at..], at as u64).unwrap();
        }
    }
    device_bytes(image) - before
}

/// E1.
#[test]
fn what_is_said_to_be_reread_from_the_device_was_read_from_the_device() {
    for mode in &MODES {
        let Some(image) = image(mode, test_name!()) else { continue };
        for strategy in [Strategy::Direct, Strategy::Staged] {
            for files in &FILES {
                let about = format!("{} {strategy} {} bytes", mode.name, files.size);
                for attempt in 1..=2 {
                    let place = image.mount_point().join(format!("{strategy}-{}-{attempt}", files.size));
                    let (right, report, read) = copy(&image, &place, files, strategy);
                    let (device, cache) = claims(&report);
                    if files.size <= mode.in_metadata {
                        assert!(
                            device.is_empty() && cache.iter().all(|why| why.contains("metadata")),
                            "{about}"
                        );
                        break;
                    }
                    assert_eq!(cache, [""; 0], "{about}: the device can be reached");
                    let needed = needed(&image, &right, &device);
                    println!("{about}: the device read {read} of {needed} bytes");
                    let compressed = files.compressible && mode.mount_options.contains("compress");
                    let all = if compressed { 0 } else { (files.size * files.count) as u64 };
                    assert!(
                        needed > 0 && needed >= all && read >= needed,
                        "{about}: {read} of {needed} bytes"
                    );
                    // What is read past the cache is not brought into the cache as well. Beside the content there are metadata.
                    let nothing_twice = needed + needed / 8 + (1 << 19);
                    // Once it may be: where a reader's own thread had to fetch something else meanwhile, its bytes do not add up and
                    // prove nothing, so the files are read again.
                    if read <= nothing_twice {
                        break;
                    }
                    assert_eq!(attempt, 1, "{about}: {read} for {needed} bytes");
                }
            }
        }
    }
}

/// E1, where no device can be reached: the pages of a file on an overlay belong to a file below, and memory has none.
#[test]
fn without_a_device_of_its_own_the_evidence_says_cache() {
    let files = Files { size: (2 << 20) + 1, count: 1, compressible: false };
    let Some(image) = image(&MODES[0], test_name!()) else { return };
    let folder = |name: &str| {
        let path = image.mount_point().join(name);
        std::fs::create_dir(&path).unwrap();
        path.display().to_string()
    };
    let layers = format!("lowerdir={},upperdir={},workdir={}", folder("low"), folder("up"), folder("work"));
    let overlay = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    let mounted = mount.args(["-t", "overlay", "overlay", "-o", &layers]).arg(overlay.path()).status();
    if mounted.is_ok_and(|status| status.success()) {
        let (_, report, _) = copy(&image, &overlay.path().join("place"), &files, Strategy::Direct);
        fcs_testkit::image::unmount(overlay.path()).unwrap();
        let (device, cache) = claims(&report);
        assert!(device.is_empty() && cache.len() == 1, "{report:#?}");
    } else {
        skip(test_name!(), "no overlay can be mounted");
    }
    let Ok(memory) = Image::new(FsKind::Tmpfs, 16 << 20) else { return };
    let (_, report, _) = copy(&image, &memory.mount_point().join("place"), &files, Strategy::Direct);
    let (device, cache) = claims(&report);
    assert!(device.is_empty() && cache.len() == 1, "{report:#?}");
}

/// Copies a file of `size` bytes, of which the device changes a bit after the sync, before the first look at the copy.
/// With `bare` its file is the system's own, which may be read in another way than one whose calls a script sees.
fn copy_flipped(image: &Image, name: &str, size: usize, strategy: Strategy, bare: bool) -> Report {
    let place = image.mount_point().join(name);
    std::fs::create_dir(&place).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let mut bench = Bench::at(&place).strategy(strategy);
    bench.left = outside.path().to_path_buf();
    let content = noise(size, size as u64 * 2 + u64::from(strategy == Strategy::Staged));
    std::fs::write(bench.left.join("f"), &content).unwrap();
    let marker = content[size / 2..(size / 2 + 2048).min(size)].to_vec();
    let (flips, backing) = (Arc::new(AtomicU64::new(0)), image.backing_file().unwrap().to_path_buf());
    let count = Arc::clone(&flips);
    bench.bare_files = bare;
    let mount_point = image.mount_point().to_path_buf();
    let bench = bench.script_all(move |event| {
        // The first of them for a copy is what comes after its sync, whichever way it is read.
        let looks = match event.call {
            Call::Evict | Call::OpenUncached | Call::Read | Call::Map => !is_journal(event),
            // What comes after it is not seen, so it is synced before.
            Call::SyncVolume if bare => {
                let synced = Command::new("sync").arg("-f").arg(&mount_point).status();
                synced.is_ok_and(|status| status.success())
            }
            _ => false,
        };
        if event.side == "target" && looks && count.load(Ordering::SeqCst) == 0 {
            for offset in find_all(&backing, &marker) {
                flip_bit(&backing, offset + 5);
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
        Act::Go
    });
    let report = bench.copy();
    assert!(flips.load(Ordering::SeqCst) > 0, "the fault fired: {name}");
    report
}

/// E1.
#[test]
fn a_bit_flipped_on_the_device_is_caught_in_every_mode_and_size_or_the_evidence_says_cache() {
    for mode in &MODES {
        let Some(image) = image(mode, test_name!()) else { continue };
        for strategy in [Strategy::Direct, Strategy::Staged] {
            // Sizes within a page, a group and above; 1 MiB + 1 to 4 MiB went through on Btrfs.
            for size in [3500, 40_000, (1 << 20) + 1, (2 << 20) + 17, 4 << 20, (5 << 20) + 3] {
                let about = format!("{} {strategy} {size}", mode.name);
                let report = copy_flipped(&image, &format!("{strategy}-{size}"), size, strategy, false);
                let (device, _) = match &report.items.iter().find(|i| i.strategy.is_some()).unwrap().outcome {
                    Outcome::Failed { .. } => (Vec::new(), Vec::new()),
                    _ => claims(&report),
                };
                assert!(device.is_empty(), "{about}: a flipped bit went through");
            }
        }
    }
}

/// E1, of small files that the system itself holds open: they may be read past the cache, many at once.
#[test]
fn a_bit_flipped_on_the_device_is_caught_where_the_device_gives_as_many_bytes_as_are_read() {
    for mode in &MODES {
        let Some(image) = image(mode, test_name!()) else { continue };
        for size in [700, 3500, 40_000, 900_000] {
            let about = format!("{} {size}", mode.name);
            let report = copy_flipped(&image, &format!("bare-{size}"), size, Strategy::Auto, true);
            let item = report.items.iter().find(|item| item.strategy.is_some()).unwrap();
            match &item.outcome {
                Outcome::Failed { error } => {
                    // Btrfs finds it by its own checksums.
                    assert!(error.to_string().starts_with("Could not verify"), "{about}: {error}");
                }
                _ => assert!(claims(&report).0.is_empty(), "{about}: a flipped bit went through"),
            }
        }
    }
}

/// A copy that another program made longer while it was filled, of a source that takes whole blocks: as many bytes as the
/// source has can be read of it, all from the device, and have the hash of the source.
#[test]
fn a_small_copy_that_is_longer_than_its_source_is_no_copy() {
    let Some(image) = image(&MODES[0], test_name!()) else { return };
    for (size, strategy) in [(8192, Strategy::Auto), (4096, Strategy::Staged), (9001, Strategy::Auto)] {
        let place = image.mount_point().join(size.to_string());
        std::fs::create_dir(&place).unwrap();
        let mut bench = Bench::at(&place).strategy(strategy);
        bench.bare_files = true;
        std::fs::write(bench.left.join("f"), noise(size, size as u64)).unwrap();
        let (longer, right) = (Arc::new(AtomicU64::new(0)), bench.right.clone());
        let count = Arc::clone(&longer);
        let bench = bench.script(move |event| {
            // Asked when the copy is filled, before it is looked at for the last time.
            if event.side == "source" && event.call == Call::Xattrs && event.path.to_string() == "f" {
                for item in std::fs::read_dir(&right).unwrap().map(|item| item.unwrap().path()) {
                    if item.extension().is_some_and(|end| end == "part") {
                        use std::io::Write as _;
                        let mut copy = std::fs::OpenOptions::new().append(true).open(item).unwrap();
                        copy.write_all(b"more").unwrap();
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            Act::Go
        });
        let report = bench.copy();
        assert!(longer.load(Ordering::SeqCst) > 0, "the fault fired");
        assert_eq!(report.counts.failed, 1, "{size}: {:#?}", report.items);
        assert!(!bench.right.join("f").exists(), "{size}");
        common::assert_no_strays(&bench.right);
    }
}
