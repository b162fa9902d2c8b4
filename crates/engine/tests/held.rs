//! What protects an item of the target, and which removals a failure holds back.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, Flag, failure, item};
use fcs_engine::compare::Side;
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::preflight::{self, Severity};
use fcs_engine::report::{Outcome, Report, SkipReason};
use fcs_engine::settings::RemoveDespiteFailures;
use fcs_engine::{ErrorKind, TargetState};
use fcs_sys::Protection;
use fcs_testkit::faulty::{Act, Call};
use fcs_testkit::skip::skip;
use fcs_testkit::test_name;

const EIO: i32 = 5;

fn sync_plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

/// P1: git objects and caches of packages have no write bit and are replaced like any other file.
#[test]
fn p1_a_file_without_write_permission_is_replaced() {
    let mut bench = Bench::new();
    for folder in [&bench.left, &bench.right] {
        fs::create_dir(folder.join("objects")).unwrap();
    }
    fs::write(bench.left.join("objects/f"), "new content").unwrap();
    fs::write(bench.right.join("objects/f"), "old").unwrap();
    for folder in [&bench.left, &bench.right] {
        fs::set_permissions(folder.join("objects/f"), fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::write(bench.right.join("orphan"), "goes").unwrap();
    for no_groups in [false, true] {
        if no_groups {
            fs::write(bench.left.join("objects/g"), "another").unwrap();
            bench = bench.no_groups();
        }
        let report = bench.run(&sync_plan(&bench));
        assert_eq!((report.counts.failed, report.counts.copied), (0, 1), "{report:#?}");
    }
    assert_eq!(fs::read(bench.right.join("objects/f")).unwrap(), b"new content");
    let mode = fs::metadata(bench.right.join("objects/f")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
    assert!(!bench.right.join("orphan").exists());
    assert!(sync_plan(&bench).is_empty());
}

/// V10, R1: an immutable file is named as that, before the run and in it, and is no missing permission.
#[test]
fn v10_an_immutable_target_is_foreseen_and_named() {
    let bench = Bench::new();
    for (folder, text) in [(&bench.left, "new content"), (&bench.right, "old")] {
        fs::create_dir(folder.join("d")).unwrap();
        fs::write(folder.join("bad"), text).unwrap();
        fs::write(folder.join("d/f"), text).unwrap();
    }
    fs::write(bench.right.join("d/orphan"), "stays").unwrap();
    let bad = bench.right.join("bad");
    let folder = bench.right.join("d");
    for (flag, protection) in [('i', Protection::Immutable), ('a', Protection::AppendOnly)] {
        let (Some(_file), Some(_folder)) = (Flag::set(&bad, flag), Flag::set(&folder, flag)) else {
            skip(test_name!(), "no chattr +i here");
            return;
        };
        let plan = sync_plan(&bench);
        let (left, right) = bench.roots();
        let found = preflight::check(&plan, &[&left, &right], &bench.settings);
        let word = if flag == 'i' { "immutable" } else { "append-only" };
        let said: Vec<_> = found.problems.iter().filter(|p| p.text.contains(word)).collect();
        assert_eq!(said.len(), 1, "{:?}", found.problems);
        assert!(
            said[0].severity == Severity::ItemFails
                && said[0].text.contains("2 items are")
                && said[0].text.contains("changed: bad, d."),
            "{}",
            said[0].text
        );
        let report = bench.run(&plan);
        let error = failure(&report, "bad");
        assert_eq!(
            (error.kind, error.target),
            (ErrorKind::Protected(protection), Some(TargetState::Original))
        );
        let text = error.to_string();
        assert!(text.contains(word) && !text.contains("permission"), "{text}");
        assert_eq!(failure(&report, "d").kind, ErrorKind::Protected(protection));
        assert_eq!(failure(&report, "d/f").kind, ErrorKind::ParentFailed);
        assert_eq!(fs::read(&bad).unwrap(), b"old");
        assert!(bench.right.join("d/orphan").exists());
    }
}

/// Three folders: in `bad` an item cannot be copied, `other` has an orphan, and so has the root; `moved` holds what the
/// failing item was called before.
fn with_one_failure(policy: RemoveDespiteFailures) -> (Bench, Report) {
    let mut bench = Bench::new();
    for folder in ["bad", "other/deep", "moved"] {
        fs::create_dir_all(bench.left.join(folder)).unwrap();
        fs::create_dir_all(bench.right.join(folder)).unwrap();
    }
    // The last one as a volume that keeps whole seconds has it.
    let moved = [
        (bench.left.join("bad/f"), 123_456_789),
        (bench.right.join("moved/old name"), 123_456_789),
        (bench.right.join("moved/cut name"), 0),
    ];
    for (path, nanos) in moved {
        fs::write(&path, "moved here").unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, nanos);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    for orphan in ["orphan", "bad/orphan", "bad/sub/orphan", "other/orphan", "other/deep/orphan", "moved/x"] {
        fs::create_dir_all(bench.right.join(orphan).parent().unwrap()).unwrap();
        fs::write(bench.right.join(orphan), orphan).unwrap();
    }
    bench.settings.remove_despite_failures = policy;
    let fired = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fired);
    let bench = bench.script(move |event| {
        let hit = event.side == "source" && event.call == Call::OpenFile && event.path.as_bytes() == b"bad/f";
        counter.fetch_add(usize::from(hit), Ordering::SeqCst);
        if hit { Act::Fail(EIO) } else { Act::Go }
    });
    let report = bench.run(&sync_plan(&bench));
    assert_eq!((fired.load(Ordering::SeqCst), report.counts.failed), (1, 1));
    (bench, report)
}

/// R1: one item that always fails holds back only what may be its last copy, and the report says so.
#[test]
fn r1_a_failure_holds_back_only_what_it_can_concern() {
    let (bench, report) = with_one_failure(RemoveDespiteFailures::Unrelated);
    let stays = |path: &str| bench.right.join(path).exists();
    assert!(stays("bad/orphan") && stays("moved/old name") && stays("moved/cut name"));
    for gone in ["orphan", "other/orphan", "other/deep/orphan", "moved/x"] {
        assert!(!stays(gone), "{gone}");
    }
    for held in ["bad/orphan", "moved/old name", "moved/cut name", "bad/sub"] {
        let item = item(&report, held);
        assert!(matches!(item.outcome, Outcome::Skipped { why: SkipReason::CopyFailed }), "{item:?}");
        assert_eq!(item.because_of.as_ref().unwrap().to_string(), "bad/f");
    }
}

#[test]
fn r1_what_is_removed_despite_failures_is_a_choice() {
    let (bench, report) = with_one_failure(RemoveDespiteFailures::Never);
    assert_eq!(report.counts.removed, 0);
    assert!(bench.right.join("other/deep/orphan").exists());
    let (bench, report) = with_one_failure(RemoveDespiteFailures::Always);
    assert_eq!((report.counts.removed, report.counts.folders_removed), (8, 1));
    assert!(!bench.right.join("bad/orphan").exists() && !bench.right.join("bad/sub").exists());
}

/// R1: what the source lists and cannot tell about may be what an orphan became.
#[test]
fn r1_an_unreadable_item_of_the_source_holds_back_its_folder() {
    let bench = Bench::new();
    for folder in ["a/locked", "b"] {
        fs::create_dir_all(bench.left.join(folder)).unwrap();
        fs::create_dir_all(bench.right.join(folder)).unwrap();
    }
    for orphan in ["a/orphan", "a/locked/orphan", "b/orphan"] {
        fs::write(bench.right.join(orphan), orphan).unwrap();
    }
    let (left, right) = bench.roots();
    let script = |event: &fcs_testkit::faulty::Event<'_>| {
        let hit = event.call == Call::List && event.path.as_bytes() == b"a/locked";
        if hit { Act::Fail(EIO) } else { Act::Go }
    };
    let left = fcs_testkit::faulty::wrap(&left, "source", Arc::new(script));
    let comparison = bench.compare_roots(&left, &right);
    let plan = plan_sync(&comparison, Side::Right, &|_| true, &bench.settings);
    assert_eq!(plan.unreadable.len(), 1);
    let report = bench.run(&plan);
    assert!(bench.right.join("a/orphan").exists() && bench.right.join("a/locked/orphan").exists());
    assert!(!bench.right.join("b/orphan").exists());
    assert_eq!(item(&report, "a/orphan").because_of.as_ref().unwrap().to_string(), "a/locked");
}
