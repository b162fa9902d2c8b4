//! Folders and files of other owners: what an ordinary user cannot set is no loss, no failure, and not tried again.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use common::Bench;
use fcs_engine::compare::Side;
use fcs_engine::history::{RunState, undo};
use fcs_engine::plan::{Plan, plan_sync};
use fcs_engine::preflight::{self, Severity};
use fcs_engine::report::{Outcome, RunResult};
use fcs_engine::run::{OnError, RunOptions, run};
use fcs_engine::settings::{Newer, RemoveDespiteFailures, SetgidGroup, Undo};
use fcs_testkit::skip::skip;
use fcs_testkit::test_name;
use fcs_testkit::user::{PLAIN_USER, as_plain_user, give_to_plain_user};

fn sync_plan(bench: &Bench) -> Plan {
    plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A target of root's in which the plain user may write, as a group's folder on a server is.
fn shared(place: &Path) -> Bench {
    mode(place, 0o755);
    let mut bench = Bench::at(place);
    bench.settings.undo = Undo::Last;
    for folder in ["sub", "sub/deep"] {
        fs::create_dir(bench.left.join(folder)).unwrap();
        fs::create_dir(bench.right.join(folder)).unwrap();
    }
    fs::write(bench.left.join("sub/deep/f"), "content").unwrap();
    fs::create_dir(bench.left.join("sub/new")).unwrap();
    fs::write(bench.left.join("sub/new/g"), "content").unwrap();
    fs::write(bench.right.join("sub/orphan"), "goes").unwrap();
    for folder in ["", "sub", "sub/deep"] {
        chown(bench.right.join(folder), Some(0), Some(2000)).unwrap();
        mode(&bench.right.join(folder), 0o2777);
        common::age(&bench.left.join(folder));
    }
    let _ = give_to_plain_user(&bench.left);
    bench
}

/// P4: the date of somebody else's folder cannot be set, which is no failure, leaves nothing to do, and keeps neither
/// undo nor a rollback from being whole.
#[test]
fn p4_dates_of_folders_of_other_owners_are_no_loss() {
    let place = tempfile::tempdir().unwrap();
    if let Err(why) = as_plain_user(|| ()) {
        skip(test_name!(), &why.reason);
        return;
    }
    let bench = shared(place.path());
    let done = as_plain_user(|| {
        let report = bench.run(&sync_plan(&bench));
        assert_eq!((report.result, report.counts.incomplete), (RunResult::Completed, 0), "{report:#?}");
        assert!(
            report.notes.iter().any(|note| note.contains("3 folders that other users own")),
            "{:?}",
            report.notes
        );
        assert!(!bench.right.join("sub/orphan").exists());
        assert!(sync_plan(&bench).is_empty(), "{:?}", sync_plan(&bench).totals);

        let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
        assert!(bench.right.join("sub/orphan").exists() && !bench.right.join("sub/new").exists());
    });
    done.unwrap();
}

#[test]
fn p4_a_rollback_in_folders_of_other_owners_is_whole() {
    let place = tempfile::tempdir().unwrap();
    if let Err(why) = as_plain_user(|| ()) {
        skip(test_name!(), &why.reason);
        return;
    }
    let bench = shared(place.path());
    // Fails when its turn comes, after other files have been copied.
    fs::write(bench.left.join("sub/secret"), "unreadable").unwrap();
    mode(&bench.left.join("sub/secret"), 0o600);
    let done = as_plain_user(|| {
        let (left, right) = bench.roots();
        let plan = sync_plan(&bench);
        let options = RunOptions { on_error: OnError::RollBack, ..RunOptions::default() };
        let report = run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap();
        assert_eq!(report.result, RunResult::RolledBack, "{report:#?}");
        assert!(bench.right.join("sub/orphan").exists() && !bench.right.join("sub/new").exists());
    });
    done.unwrap();
}

/// P4: what an ordinary user makes in a set-group-id folder belongs to the folder's group, unless the source's is
/// asked for; an administrator's copy is as its source.
#[test]
fn p4_new_items_in_a_set_group_id_folder_keep_its_group() {
    let place = tempfile::tempdir().unwrap();
    if let Err(why) = as_plain_user(|| ()) {
        skip(test_name!(), &why.reason);
        return;
    }
    let group = |bench: &Bench, path: &str| fs::metadata(bench.right.join(path)).unwrap().gid();
    for (at, choice, expected) in [("a", SetgidGroup::Folder, 2000), ("b", SetgidGroup::Source, PLAIN_USER)] {
        fs::create_dir(place.path().join(at)).unwrap();
        mode(place.path(), 0o755);
        let mut bench = shared(&place.path().join(at));
        bench.settings.setgid_group = choice;
        let report = as_plain_user(|| bench.run(&sync_plan(&bench))).unwrap();
        assert_eq!((report.counts.failed, report.counts.incomplete), (0, 0), "{report:#?}");
        for path in ["sub/deep/f", "sub/new", "sub/new/g"] {
            assert_eq!(group(&bench, path), expected, "{path}");
        }
    }
    fs::create_dir(place.path().join("root")).unwrap();
    let bench = shared(&place.path().join("root"));
    let report = bench.run(&sync_plan(&bench));
    assert_eq!((report.counts.failed, group(&bench, "sub/new/g")), (0, PLAIN_USER));
}

/// P6: permissions and owners are not compared; how many differ is said.
#[test]
fn p6_permissions_and_owners_that_differ_alone_are_counted() {
    let bench = Bench::new();
    for name in ["private", "same"] {
        fs::write(bench.left.join(name), "x").unwrap();
    }
    common::age(&bench.left.join("private"));
    common::age(&bench.left.join("same"));
    common::age(&bench.left);
    assert_eq!(bench.copy().counts.copied, 2);
    let note = |bench: &Bench| bench.compare().notes.into_iter().find(|note| note.contains("permissions"));
    assert_eq!(note(&bench), None);
    mode(&bench.left.join("private"), 0o600);
    assert!(note(&bench).unwrap().starts_with("1 item differs in permissions and in nothing else"));
}

/// W3: files that are newer on the target are counted, and kept where that is wanted.
#[test]
fn w3_newer_files_on_the_target_are_counted_or_kept() {
    let mut bench = Bench::new();
    for name in ["older", "newer"] {
        fs::write(bench.left.join(name), "left").unwrap();
        fs::write(bench.right.join(name), "right side").unwrap();
    }
    common::age(&bench.left.join("older"));
    common::age(&bench.right.join("newer"));
    let totals = bench.plan().totals;
    assert_eq!((totals.replaced_files, totals.replaced_newer), (2, 1));
    bench.settings.newer = Newer::Keep;
    let report = bench.copy();
    assert_eq!((report.counts.copied, report.counts.skipped), (1, 1));
    assert_eq!(fs::read(bench.right.join("older")).unwrap(), b"right side");
    assert_eq!(fs::read(bench.right.join("newer")).unwrap(), b"left");
}

/// V10: what the plain user may not do shows before anything is written, once per kind, and comes true.
#[test]
fn v10_what_a_plain_user_may_not_read_or_change_is_known_before_the_run() {
    let place = tempfile::tempdir().unwrap();
    if let Err(why) = as_plain_user(|| ()) {
        skip(test_name!(), &why.reason);
        return;
    }
    mode(place.path(), 0o755);
    let mut bench = Bench::at(place.path());
    // Each removal is tried, whatever failed before.
    bench.settings.remove_despite_failures = RemoveDespiteFailures::Always;
    for folder in ["foreign", "foreign/deep", "sticky", "own", "open"] {
        for side in [&bench.left, &bench.right] {
            fs::create_dir(side.join(folder)).unwrap();
        }
    }
    for file in
        ["fine", "secret", "foreign/f", "foreign/deep/f", "sticky/f", "sticky/mine", "own/f", "open/f"]
    {
        fs::write(bench.left.join(file), "new").unwrap();
    }
    fs::create_dir(bench.right.join("empty")).unwrap();
    for orphan in ["foreign/gone", "sticky/f", "sticky/mine", "sticky/gone"] {
        fs::write(bench.right.join(orphan), "older content").unwrap();
    }
    let _ = give_to_plain_user(&bench.left);
    chown(bench.left.join("secret"), Some(0), Some(0)).unwrap();
    mode(&bench.left.join("secret"), 0o600);
    for own in ["", "own", "sticky/mine"] {
        chown(bench.right.join(own), Some(PLAIN_USER), Some(PLAIN_USER)).unwrap();
    }
    mode(&bench.right.join("sticky"), 0o1777);
    mode(&bench.right.join("open"), 0o777);

    let check = || {
        let (left, right) = bench.roots();
        let plan = sync_plan(&bench);
        let found = preflight::check(&plan, &[&left, &right], &bench.settings).problems;
        found
            .into_iter()
            .filter(|p| p.severity == Severity::ItemFails)
            .map(|p| p.text.split_once(". ").unwrap().0.to_owned())
            .collect::<Vec<_>>()
    };
    let expected = [
        "1 item is not copied, because you do not have permission to read: secret",
        "In 2 folders of other owners nothing is added, replaced or removed, because you do not have permission: \
         foreign, foreign/deep",
        "2 items are not replaced or removed, because somebody else owns the item and a mode of its folder (the sticky \
         bit) leaves that to the owner: sticky/f, sticky/gone",
    ];
    let failed = as_plain_user(|| {
        assert_eq!(check(), expected);
        let report = bench.run(&sync_plan(&bench));
        let failed = report.items.iter().filter(|item| matches!(item.outcome, Outcome::Failed { .. }));
        failed.map(|item| item.path.to_string()).collect::<std::collections::BTreeSet<_>>()
    });
    let expected = ["foreign/deep/f", "foreign/f", "foreign/gone", "secret", "sticky/f", "sticky/gone"];
    assert_eq!(failed.unwrap().into_iter().collect::<Vec<_>>(), expected, "and nothing else fails");
    assert_eq!(check(), [""; 0], "root may do it all");
}

/// V10: an access list may allow what the bits refuse, and only the system knows.
#[test]
fn v10_what_an_access_list_allows_is_not_called_refused() {
    let place = tempfile::tempdir().unwrap();
    if let Err(why) = as_plain_user(|| ()) {
        skip(test_name!(), &why.reason);
        return;
    }
    mode(place.path(), 0o755);
    let bench = Bench::at(place.path());
    fs::create_dir(bench.right.join("shared")).unwrap();
    fs::create_dir(bench.left.join("shared")).unwrap();
    for file in ["private", "shared/f"] {
        fs::write(bench.left.join(file), "new").unwrap();
    }
    mode(&bench.left.join("private"), 0o600);
    mode(&bench.right.join("shared"), 0o700);
    chown(&bench.right, Some(PLAIN_USER), Some(PLAIN_USER)).unwrap();
    for (item, rights) in [(bench.left.join("private"), "r--"), (bench.right.join("shared"), "rwx")] {
        let rule = format!("u:{PLAIN_USER}:{rights}");
        let set = std::process::Command::new("setfacl").args(["-m", &rule]).arg(&item).status();
        if !set.is_ok_and(|status| status.success()) {
            skip(test_name!(), "setfacl is missing, or the file system keeps no access lists");
            return;
        }
    }
    let found = as_plain_user(|| {
        let (left, right) = bench.roots();
        let plan = sync_plan(&bench);
        // The group's bits are the list's mask; others have none.
        assert_eq!(
            (plan.refused.unreadable.len(), plan.refused.unwritable.len()),
            (1, 1),
            "{:?}",
            plan.refused
        );
        preflight::check(&plan, &[&left, &right], &bench.settings).problems
    });
    let found: Vec<_> = found.unwrap().into_iter().filter(|p| p.severity == Severity::ItemFails).collect();
    assert!(found.is_empty(), "{found:?}");
}
