//! Named streams of a real NTFS, whichever way their file goes. Wine has none.

#![cfg(windows)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::windows::fs::MetadataExt;
use std::path::Path;

use common::{Bench, assert_no_strays, item, noise};
use fcs_engine::report::RunResult;
use fcs_engine::settings::Strategy;
use fcs_testkit::{skip, test_name};

const READ_ONLY: u32 = 1;

fn stream(path: &Path, name: &str) -> std::path::PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(":");
    text.push(name);
    text.into()
}

#[test]
fn streams_of_files_and_folders_arrive_by_every_way() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine makes a second file of a named stream");
    }
    let long = noise(3 << 20, 7);
    for bench in [
        Bench::new(),
        Bench::new().no_groups().strategy(Strategy::Direct),
        Bench::new().no_groups().strategy(Strategy::Staged),
    ] {
        let (file, marked, folder) = (bench.left.join("f"), bench.left.join("r"), bench.left.join("d"));
        fs::create_dir(&folder).unwrap();
        for path in [&file, &marked] {
            fs::write(path, noise(300_000, 1)).unwrap();
            fs::write(stream(path, "Zone.Identifier"), "[ZoneTransfer]").unwrap();
            fs::write(stream(path, "漢 😀"), &long).unwrap();
            fs::write(stream(path, "empty"), "").unwrap();
        }
        fs::write(stream(&folder, "s"), "of a folder").unwrap();
        let mut permissions = fs::metadata(&marked).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&marked, permissions).unwrap();
        let report = bench.copy();
        assert_eq!(report.result, RunResult::Completed, "{report:#?}");
        for label in ["f", "r"] {
            assert!(item(&report, label).not_kept.is_empty(), "{:?}", item(&report, label));
            let copy = bench.right.join(label);
            assert_eq!(fs::read(stream(&copy, "Zone.Identifier")).unwrap(), b"[ZoneTransfer]");
            assert!(fs::read(stream(&copy, "漢 😀")).unwrap() == long);
            assert_eq!(fs::read(stream(&copy, "empty")).unwrap(), b"");
            let times = |path: &Path| {
                let meta = fs::metadata(path).unwrap();
                (meta.modified().unwrap(), meta.created().unwrap())
            };
            assert_eq!(times(&copy), times(&bench.left.join(label)), "{label}");
        }
        assert_eq!(fs::metadata(bench.right.join("r")).unwrap().file_attributes() & READ_ONLY, READ_ONLY);
        assert_eq!(fs::read(stream(&bench.right.join("d"), "s")).unwrap(), b"of a folder");
        assert_no_strays(&bench.right);
    }
}
