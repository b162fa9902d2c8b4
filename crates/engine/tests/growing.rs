//! Sources that do not hold still, and such as do not say how long they are.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, assert_no_strays, failure, item, noise};
use fcs_engine::ErrorKind;
use fcs_engine::report::{Outcome, Report};
use fcs_engine::settings::{Strategy, Verify};
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::{skip::skip, test_name};

const SIZE: usize = 6 << 20;

/// Copies a file to which something is appended whenever it is read or looked at, and whose middle is changed too when
/// it is read, if that is asked for.
fn copy_growing(
    strategy: Strategy,
    verify: Verify,
    small: bool,
    in_the_middle: bool,
) -> (Bench, Report, Vec<u8>) {
    let mut bench = Bench::new().strategy(strategy).verify(verify);
    bench.settings.batch_max_file_bytes = if small { 64 << 20 } else { 0 };
    let path = bench.left.join("f");
    let content = noise(SIZE, 7);
    std::fs::write(&path, &content).unwrap();
    std::fs::write(bench.right.join("f"), "the only copy").unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    let bench = bench.script(move |event| {
        let reads = matches!(event.call, Call::Read | Call::Map);
        if event.side == "source" && event.path.as_bytes() == b"f" && reads {
            let n = count.fetch_add(1, Ordering::SeqCst);
            std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"a line\n").unwrap();
            if in_the_middle {
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.write_all_at(&n.to_le_bytes(), 100).unwrap();
            }
        }
        Act::Go
    });
    let report = bench.copy();
    assert!(reads.load(Ordering::SeqCst) > 0, "the fault fired");
    (bench, report, content)
}

fn ways() -> impl Iterator<Item = (Strategy, Verify, bool)> {
    let sizes = [(Strategy::Direct, false), (Strategy::Staged, false), (Strategy::Staged, true)];
    sizes.into_iter().flat_map(|(s, small)| [Verify::All, Verify::Off].map(|verify| (s, verify, small)))
}

/// R6.
#[test]
fn a_file_that_only_grew_is_copied_as_long_as_it_was_when_opened_and_marked_so() {
    for (strategy, verify, small) in ways() {
        let (bench, report, content) = copy_growing(strategy, verify, small, false);
        let item = item(&report, "f");
        assert!(matches!(item.outcome, Outcome::Done { .. }), "{strategy} {verify:?} {small}: {item:?}");
        assert!(item.not_kept.iter().any(|text| text.contains("grew")), "{item:?}");
        let copied = std::fs::read(bench.right.join("f")).unwrap();
        let now = std::fs::read(bench.left.join("f")).unwrap();
        assert!(copied.len() >= content.len() && copied == now[..copied.len()], "a part from the beginning");
        assert_no_strays(&bench.right);
    }
}

/// R6.
#[test]
fn a_file_that_also_changed_in_the_middle_is_refused() {
    for (strategy, verify, small) in ways() {
        let (bench, report, _) = copy_growing(strategy, verify, small, true);
        assert_eq!(failure(&report, "f").kind, ErrorKind::SourceUnsteady, "{strategy} {verify:?} {small}");
        assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), b"the only copy");
        assert_no_strays(&bench.right);
    }
}

/// R6: it grew after the comparison too. What was written anew while the question stood is refused as ever, because it
/// does not grow before our eyes (`what_changed_between_comparison_and_run_is_left_alone`).
#[test]
fn a_file_that_keeps_growing_since_the_comparison_is_copied() {
    let bench = Bench::new();
    let path = bench.left.join("f");
    std::fs::write(&path, noise(300_000, 7)).unwrap();
    let plan = bench.plan();
    let append = move || {
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"a line\n").unwrap();
    };
    append();
    let bench = bench.script(move |event| {
        if event.side == "source" && event.call == Call::Metadata && event.path.as_bytes() == b"f" {
            append();
        }
        Act::Go
    });
    let report = bench.run(&plan);
    let item = item(&report, "f");
    assert!(matches!(item.outcome, Outcome::Done { .. }), "{item:?}");
    assert!(item.not_kept.iter().any(|text| text.contains("grew")), "{item:?}");
    let (copied, now) =
        (std::fs::read(bench.right.join("f")).unwrap(), std::fs::read(bench.left.join("f")).unwrap());
    assert!(copied.len() > 300_000 && copied == now[..copied.len()]);
}

fn bench_from(left: &str) -> Bench {
    let mut bench = Bench::new();
    bench.left = Path::new(left).to_path_buf();
    bench
}

/// R12: files of /proc say that they have no bytes, and have some.
#[test]
fn a_file_that_says_it_is_empty_is_read_to_its_end() {
    let bench = bench_from("/proc/sys/kernel/random");
    let Ok(boot) = std::fs::read(bench.left.join("boot_id")) else {
        return skip(test_name!(), "no /proc");
    };
    let report = bench.copy();
    let item = item(&report, "boot_id");
    assert!(matches!(item.outcome, Outcome::Done { .. }), "{item:?}");
    assert!(item.not_kept.iter().any(|text| text.contains("size")), "{item:?}");
    assert_eq!(std::fs::read(bench.right.join("boot_id")).unwrap(), boot);
}

/// R12: files of /sys say that they have a page, and have less. That is no file to be called copied whole.
#[test]
fn a_file_that_ends_before_its_size_says_so() {
    let bench = bench_from("/sys/fs/ext4/features");
    if !bench.left.join("metadata_csum_seed").is_file() {
        return skip(test_name!(), "no /sys/fs/ext4");
    }
    let error = failure(&bench.copy(), "metadata_csum_seed").clone();
    assert_eq!(error.kind, ErrorKind::EndsEarly, "{error}");
}
