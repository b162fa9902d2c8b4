//! Comparisons by content of folders that were compared before.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use common::{Bench, events, json_lines};
use fcs_testkit::bin::Run;
use fcs_testkit::volume::{Medium, Volume};
use fcs_testkit::volume_or_skip;
use serde_json::Value;

/// Files of a side, and the bytes of each.
const FILES: u64 = 40;
const BYTES: u64 = 256 << 10;
const ALL: u64 = 2 * FILES * BYTES;

/// Two equal folders on a volume where change times prove something, which nobody has touched for a while.
fn bench(volume: &Volume) -> Bench {
    let mut bench = Bench::new();
    [bench.left, bench.right] = ["LEFT", "RIGHT"].map(|name| volume.path().join(name));
    for file in 0..FILES {
        let content = format!("{file:4}").repeat(BYTES as usize / 4);
        bench.both(&format!("sub/{file}"), &content, 1);
    }
    for folder in [&bench.left, &bench.right] {
        common::set_time(&folder.join("sub"), 1);
    }
    bench.align();
    let written = SystemTime::now();
    while written.elapsed().unwrap().as_millis() < 2100 {
        std::thread::yield_now();
    }
    bench
}

fn compare(bench: &Bench, args: &[&str]) -> Run {
    bench.run("compare", &[&["--criteria", "existence,size,modified,content"], args].concat())
}

/// Pairs that were known to be equal, and bytes that were read.
fn read(run: &Run) -> (u64, u64) {
    let all = json_lines(run);
    let content = &events(&all, "summary")[0]["content"];
    assert_eq!(content["pairs"], FILES, "{run}");
    let number = |name: &str| content[name].as_u64().unwrap();
    assert_eq!(number("known_equal") > 0, content["oldest_read"].is_string(), "{run}");
    (number("known_equal"), number("bytes_read"))
}

/// Bytes that this process and those that it waited for have read, of whatever.
fn rchar() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

fn state_files(bench: &Bench) -> usize {
    let at = bench.fcs.home().join("state/foldercomparesync/content");
    fs::read_dir(at).map_or(0, Iterator::count)
}

/// Alone in its program: what the system counts is of the whole process.
#[test]
fn a_second_comparison_reads_nothing_and_says_so_and_what_it_knows_can_be_forgotten() {
    let volume = volume_or_skip!(Medium::Ext4);
    let bench = bench(&volume);
    let counted = |args: &[&str]| {
        let before = rchar();
        let run = compare(&bench, args).expect_code(0);
        (read(&run), rchar() - before)
    };
    // Nothing is kept and nothing believed.
    for trust in ["never", "session"] {
        for _ in 0..2 {
            let set = format!("trust_known_hashes={trust}");
            assert_eq!(counted(&["--json", "--set", &set]).0, (0, ALL), "{trust}");
        }
        assert_eq!(state_files(&bench), 0, "{trust}");
    }
    let (first, by_system) = counted(&["--json"]);
    assert!(first == (0, ALL) && by_system > ALL, "{first:?} {by_system}");
    let (second, by_system) = counted(&["--json"]);
    assert!(second == (FILES, 0) && by_system < ALL / 10, "{second:?} {by_system}");
    let run = compare(&bench, &[]).expect_code(0);
    assert!(run.stderr.contains("40 of 40 pairs of files known to be equal, 0 bytes read"), "{run}");
    assert!(run.stderr.contains("--set trust_known_hashes=never reads everything."), "{run}");
    let before = rchar();
    assert_eq!(read(&compare(&bench, &["--json", "--set", "trust_known_hashes=never"])), (0, ALL));
    assert!(rchar() - before > ALL);

    // Other bytes, and the old date.
    let changed = bench.right.join("sub/7");
    let mut content = fs::read(&changed).unwrap();
    content[100_000] ^= 1;
    fs::write(&changed, content).unwrap();
    common::set_time(&changed, 1);
    let run = compare(&bench, &["--json"]).expect_code(1);
    assert_eq!(read(&run), (FILES - 1, 2 * BYTES));

    a_copy_goes_by_it_and_is_verified_by_reading(&bench);

    let list = bench.fcs.run(["state", "list", "--json"]).expect_code(0);
    let pairs = json_lines(&list);
    assert_eq!((pairs.len(), &pairs[0]["of"]), (1, &Value::from("content")), "{list}");
    let name = pairs[0]["pair"].as_str().unwrap();
    let shown = bench.fcs.run(["state", "show", name]).expect_code(0);
    assert!(shown.stdout.contains("Read") && shown.stdout.contains("content (blake3)"), "{shown}");
    let forgot = bench.fcs.run(["state", "forget", "-y", name]).expect_code(0);
    assert_eq!(forgot.stdout, "Forgot 1 pair of folders.\n");
    assert_eq!(state_files(&bench), 0);
    assert_eq!(read(&compare(&bench, &["--json"])).0, 0);
}

fn a_copy_goes_by_it_and_is_verified_by_reading(bench: &Bench) {
    let report = bench.dir.path().join("report.json");
    let report_arg = report.to_str().unwrap();
    let args = ["-y", "--criteria", "size,modified,content", "--report", report_arg];
    let before = rchar();
    let run = bench.run("copy", &args).expect_code(0);
    let by_system = rchar() - before;
    assert!(run.stdout.contains("39 of 40 pairs of files known to be equal"), "{run}");
    // The pair that differs is compared, copied and read back.
    assert!(by_system > 3 * BYTES && by_system < ALL / 4, "{by_system}");
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["counts"]["copied"], 1, "{report}");
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.to_string().contains("39 of 40 pairs")), "{report}");
    let evidence = report["items"][0]["outcome"].to_string();
    assert!(evidence.contains("reread"), "{evidence}");
    assert_eq!(content(&bench.left), content(&bench.right));
}

fn content(side: &Path) -> Vec<u8> {
    fs::read(side.join("sub/7")).unwrap()
}
