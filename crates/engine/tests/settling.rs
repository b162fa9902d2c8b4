//! A source that was written to a moment ago is waited for: a write that is still going on can leave the same
//! signs before and after a read, and the copy would be torn.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Bench, assert_no_strays, item, noise};
use fcs_engine::report::Outcome;
use fcs_engine::settings::Strategy;
use fcs_testkit::faulty::{Act, Call};

const SETTLED: Duration = Duration::from_millis(50);

/// How long ago a file was changed, by the time that no program can set.
fn age(path: &std::path::Path) -> Duration {
    let meta = std::fs::metadata(path).unwrap();
    let changed = UNIX_EPOCH + Duration::new(meta.ctime() as u64, meta.ctime_nsec() as u32);
    SystemTime::now().duration_since(changed).unwrap_or_default()
}

#[test]
fn a_source_that_is_being_written_is_read_only_when_it_has_settled() {
    for (strategy, small) in [(Strategy::Direct, true), (Strategy::Direct, false), (Strategy::Staged, false)]
    {
        // On a busy machine the first look can come so late that the file has settled already.
        let waited = (0..50).any(|_| is_waited_for(strategy, small));
        assert!(waited, "{strategy:?}: the first look came too late each time");
    }
}

/// `false` if the file had settled before it was looked at.
fn is_waited_for(strategy: Strategy, small: bool) -> bool {
    let mut bench = Bench::new().strategy(strategy);
    bench.settings.batch_max_file_bytes = if small { 64 << 20 } else { 0 };
    let path = bench.left.join("f");
    let whole = noise(300_000, 1);
    // Its size from the beginning, so that only the times tell one half from both.
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(300_000).unwrap();
    let plan = bench.plan();

    // The writer: one half just before the copy's first look, the other one just after it.
    let (tell, told) = mpsc::channel::<u64>();
    let (done, is_done) = mpsc::channel();
    let writer = {
        let whole = whole.clone();
        std::thread::spawn(move || {
            for half in told {
                let half = half as usize * 150_000;
                file.write_all_at(&whole[half..half + 150_000], half as u64).unwrap();
                done.send(()).unwrap();
            }
        })
    };
    let (looks, ages) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (count, told_age) = (Arc::clone(&looks), Arc::clone(&ages));
    let first_age = Arc::new(Mutex::new(Duration::ZERO));
    let first = Arc::clone(&first_age);
    let talk = Mutex::new((tell, is_done));
    let bench = bench.script(move |event| {
        if event.side == "source" && event.path.as_bytes() == b"f" {
            let talk = talk.lock().unwrap();
            let half = match event.call {
                Call::Metadata => count.fetch_add(1, Ordering::SeqCst) as u64,
                _ => 2,
            };
            if half == 0 && event.call == Call::Metadata {
                *first.lock().unwrap() = age(&path);
            }
            // The first look must find what the plan saw, so the first half comes before the second look, in
            // the time that is waited for, and the second half after it.
            if (1..3).contains(&half) && event.call == Call::Metadata {
                talk.0.send(half - 1).unwrap();
                talk.1.recv().unwrap();
            }
            if event.call == Call::Read && event.offset == 0 {
                told_age.lock().unwrap().push(age(&path));
            }
        }
        Act::Go
    });
    let report = bench.run(&plan);
    drop(writer);
    // The program asks for the age a little later than the test.
    if looks.load(Ordering::SeqCst) < 3 && *first_age.lock().unwrap() >= SETTLED / 2 {
        return false;
    }
    assert!(looks.load(Ordering::SeqCst) >= 3, "it was looked at until it had settled: {looks:?}");
    let ages = ages.lock().unwrap();
    assert!(ages.iter().all(|age| *age >= SETTLED), "read {ages:?} after its last change");
    assert!(matches!(item(&report, "f").outcome, Outcome::Done { .. }), "{:?}", report.items);
    assert!(std::fs::read(bench.right.join("f")).unwrap() == whole, "both halves arrived");
    assert_no_strays(&bench.right);
    true
}
