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
use fcs_engine::compare::compare;
use fcs_engine::filter::Filter;
use fcs_engine::plan::{Direction, plan_sync};
use fcs_engine::report::{Outcome, Report};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::runs::{Account, undo};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::{Strategy, Undo, Verify};
use fcs_engine::{Control, Settings};
use fcs_sys::{Root, Time, open_root};
use fcs_testkit::faulty::{Call, Script, wrap};
use fcs_testkit::sim::{Options, SimFs};
use fcs_testkit::skip::skip;
use fcs_testkit::volume::{Medium, Volume};

fn sync(left: &Root, right: &Root, settings: &Settings) -> Report {
    sync_while(left, right, settings, None)
}

/// Compares, plans and runs; the target's calls of the run go through the script.
fn sync_while(left: &Root, right: &Root, settings: &Settings, script: Option<Script>) -> Report {
    let control = Control::default();
    let (a, b) = scan_pair(left, right, &Filter::default(), settings, &control).unwrap();
    let compared = compare((left, Arc::new(a)), (right, Arc::new(b)), settings, &control).unwrap();
    let plan = plan_sync(&compared, Direction::LeftToRight, &|_| true, settings);
    let options = RunOptions { command: "sync".into(), ..RunOptions::default() };
    match script {
        None => run(&plan, left, right, settings, &options, &control).unwrap(),
        Some(script) => {
            let (left, right) =
                (wrap(left, "source", Arc::clone(&script)), wrap(right, "target", Arc::clone(&script)));
            run(&plan, &left, &right, settings, &options, &control).unwrap()
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
fn assert_whole(account: &Account) {
    assert!(account.is_clean(), "{account:#?}");
    assert!(!account.items.is_empty());
}

fn undone(root: &Root) -> Account {
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
        let text = format!("file {n} in generation {generation}");
        disk.put(&format!("d/f{n}"), text.as_bytes(), 0o644, Time::new(1000 + i64::from(n), 0));
    }
    disk.put("d/large", &vec![generation; 300_000], 0o644, Time::new(3000, 0));
    disk.put(&format!("only {generation}/x"), b"goes again", 0o644, Time::new(4000, 0));
    disk.symlink("d/link", "f1");
    for folder in ["d".to_owned(), format!("only {generation}"), String::new()] {
        disk.set_modified(&folder, Time::new(5000 + i64::from(generation), 0));
    }
}

#[test]
fn i2_everything_arrives_whatever_number_it_has_by_then() {
    for (exchange, hard_links) in [(true, true), (false, true), (false, false)] {
        for verify in [Verify::All, Verify::Off] {
            for batch_max_file_bytes in [Settings::default().batch_max_file_bytes, 0] {
                let settings =
                    Settings { undo: Undo::Last, verify, batch_max_file_bytes, ..Settings::default() };
                let right = restless(2, exchange, hard_links);
                for generation in [1, 2] {
                    let left = restless(1, exchange, hard_links);
                    fill(&left, generation);
                    let report = sync(&left.root(), &right.root(), &settings);
                    assert_all_done(&report);
                    assert_eq!(shown(&right), shown(&left));
                }
            }
        }
    }
}
