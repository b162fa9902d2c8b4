//! What a failed sync of a whole volume means for the files that were waiting behind it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(unreachable_pub, dead_code, clippy::missing_panics_doc)]

mod common;

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex};

use common::{Bench, noise};
use fcs_engine::report::Outcome;
use fcs_engine::settings::Verify;
use fcs_testkit::faulty::{Act, Call};

const EIO: i32 = 5;
const FILES: usize = 4;
/// The batch that is synced and the full one behind it, each of one file. More are not staged meanwhile.
const STAGED: usize = 2;

#[derive(Default)]
struct Disk {
    /// Staged files with all of their content.
    written: HashSet<String>,
    syncs: usize,
    /// Written before the sync that failed: the system may have dropped their pages, and tells each file's own handle.
    lost: HashSet<String>,
    /// Those of `lost` that reached their names although nothing told that they are whole.
    passed: Vec<String>,
    /// How often a file of `lost` was asked to be synced by itself.
    asked: usize,
}

/// The first sync of the volume fails while a further file waits behind it. The system reports that once, so the next
/// sync of the volume succeeds and says nothing about them.
pub fn files_queued_behind_a_failed_sync(verify: Verify) -> Result<(), String> {
    let mut bench = Bench::new().verify(verify);
    bench.settings.batch_max_files = 1;
    bench.settings.copy_workers = 1;
    for i in 0..FILES {
        std::fs::write(bench.left.join(format!("f{i}")), noise(500, i as u64)).unwrap();
    }
    let shared = Arc::new((Mutex::new(Disk::default()), Condvar::new()));
    let of_script = Arc::clone(&shared);
    let bench = bench.script(move |event| {
        let (path, (disk, changed)) = (event.path.to_string(), &*of_script);
        if event.side != "target" {
            return Act::Go;
        }
        let mut disk = disk.lock().unwrap();
        match event.call {
            Call::CreateFile => {
                disk.written.remove(&path);
                disk.lost.remove(&path);
            }
            // The last call before a staged file is handed on.
            Call::SetTimes if path.strip_suffix(".part").is_some() => {
                disk.written.insert(path);
                changed.notify_all();
            }
            Call::SyncVolume => {
                disk.syncs += 1;
                if disk.syncs == 1 {
                    disk = changed.wait_while(disk, |disk| disk.written.len() < STAGED).unwrap();
                    disk.lost = std::mem::take(&mut disk.written);
                    return Act::Fail(EIO);
                }
            }
            Call::Sync if disk.lost.contains(&path) => {
                disk.asked += 1;
                return Act::Fail(EIO);
            }
            Call::RenameNoReplace if disk.lost.contains(&path) => disk.passed.push(path),
            _ => {}
        }
        Act::Go
    });
    let report = bench.copy();
    let disk = shared.0.lock().unwrap();
    let ensure = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    ensure(disk.syncs > 0, "the fault fired")?;
    if let Some(path) = disk.passed.first() {
        return Err(format!("{path} got its name although its content may be lost"));
    }
    ensure(disk.asked > 0, "files behind the failed sync were asked one by one")?;
    let files = report.items.iter().filter(|item| item.strategy.is_some());
    let done = files.filter(|item| matches!(item.outcome, Outcome::Done { .. })).count();
    ensure(done == FILES, "all are copied again, once, and arrive")?;
    for i in 0..FILES {
        let arrived = std::fs::read(bench.right.join(format!("f{i}"))).unwrap();
        ensure(arrived == noise(500, i as u64), "each file is whole")?;
    }
    Ok(())
}

/// E2.
#[cfg_attr(not(fcs_planted), test)]
fn after_a_failed_sync_of_the_volume_each_file_is_synced_by_itself() {
    for verify in [Verify::All, Verify::Off] {
        files_queued_behind_a_failed_sync(verify).unwrap();
    }
}
