//! Dates that are set, copied, repaired and compared by themselves: exactly these dates, and nothing else of
//! any item.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Bench, assert_no_strays_beside, dies_at, put};
use fcs_engine::history::{RecoverMode, RecoveryReport, RunState, recover, undo};
use fcs_engine::report::{Outcome, Report, RunResult};
use fcs_engine::run::RunOptions;
use fcs_engine::settings::Undo;
use fcs_engine::times::{
    self, Exactness, ItemTimes, LeftReason, NotSetReason, Proposal, Scope, created_unsettable, list,
    plan_copy, plan_repair, plan_set, verify,
};
use fcs_sys::{Time, Times};
use fcs_testkit::faulty::{Act, Call, wrap};

const TREE: Scope<'static> = Scope { recursive: true, include: &[], exclude: &[] };
const ALONE: Scope<'static> = Scope { recursive: false, include: &[], exclude: &[] };

/// In steps of 100 ns, which every volume that tests run on stores.
fn at(second: i64) -> Time {
    Time::new(1_000_000_000 + second, 123_456_700)
}

fn modified(second: i64) -> Times {
    Times { modified: Some(at(second)), created: None }
}

fn give(path: &Path, second: i64) {
    assert_eq!(times::set(path, modified(second)).unwrap().now.modified, at(second));
}

fn date(path: &Path) -> Time {
    times::read(path).unwrap().modified
}

/// Of one item: content, permissions, which file it is, dates.
type Seen = (Option<Vec<u8>>, fs::Permissions, fcs_sys::FileId, ItemTimes);

/// Everything of a tree that must not change but for dates: content, permissions, which file it is; and the
/// dates.
fn seen(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let now = fs::symlink_metadata(&path).unwrap();
        let content = now.is_file().then(|| fs::read(&path).unwrap());
        let number = common::number_of(&path);
        let dates = times::read(&path).unwrap();
        if now.is_dir() {
            let inside = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap());
            open.extend(inside.filter(|entry| entry.file_name() != ".fcs").map(|entry| entry.path()));
        }
        found.insert(path, (content, now.permissions(), number, dates));
    }
    found
}

/// The same without the dates.
fn bodies(root: &Path) -> Vec<(PathBuf, Option<Vec<u8>>, fs::Permissions, fcs_sys::FileId)> {
    seen(root).into_iter().map(|(path, (content, mode, number, _))| (path, content, mode, number)).collect()
}

/// Right has what left has, all with another date; one file differs in content, and each side has one that
/// the other lacks.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    for (root, second) in [(&bench.left, 100), (&bench.right, 50)] {
        for name in ["a", "empty", "sub/b", "sub/deep/c"] {
            put(&root.join(name), if name == "empty" { "" } else { "the same content" });
        }
        put(&root.join("differs"), if second == 100 { "one content" } else { "two content" });
        put(&root.join("longer"), if second == 100 { "one" } else { "another" });
        put(&root.join(if second == 100 { "only left" } else { "only right" }), "");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("a", root.join("link")).unwrap();
            give(&root.join("link"), second + 20);
        }
        for (n, name) in ["a", "empty", "sub/b", "sub/deep/c", "differs", "longer", "sub/deep", "sub", ""]
            .into_iter()
            .enumerate()
        {
            give(&root.join(name), second + n as i64);
        }
    }
    bench
}

fn carry_out(bench: &Bench, proposal: &Proposal) -> Report {
    proposal.run(&bench.settings, &RunOptions::default(), &bench.control).unwrap()
}

fn undo_on(bench: &Bench, root: &Path) -> RecoveryReport {
    undo(&fcs_sys::open_root(root).unwrap(), None, &bench.control).unwrap()
}

fn plan_tree(bench: &Bench, second: i64) -> Proposal {
    plan_set(list(&bench.right, TREE, &bench.settings, &bench.control).unwrap(), modified(second))
}

fn repair(bench: &Bench) -> Proposal {
    let exactness = Exactness::default();
    plan_repair(&bench.left, &bench.right, TREE, exactness, &bench.settings, &bench.control).unwrap()
}

fn why(proposal: &Proposal) -> Vec<(String, LeftReason)> {
    let mut left: Vec<_> = proposal.left_alone.iter().map(|item| (item.path.to_string(), item.why)).collect();
    left.sort();
    left
}

#[test]
fn a_tree_gets_one_date_and_undo_restores_each() {
    let bench = bench();
    let before = seen(&bench.right);
    let proposal = plan_tree(&bench, 7);
    assert_eq!((proposal.changes.len(), proposal.same), (before.len(), 0));
    let report = carry_out(&bench, &proposal);
    assert_eq!((report.result, report.counts.failed), (RunResult::Completed, 0), "{report:#?}");
    let now = seen(&bench.right);
    for (path, (content, mode, number, dates)) in &now {
        let (old_content, old_mode, old_number, old_dates) = &before[path];
        assert_eq!((content, mode, number), (old_content, old_mode, old_number), "{}", path.display());
        assert_eq!((dates.modified, dates.created), (at(7), old_dates.created), "{}", path.display());
    }
    assert!(plan_tree(&bench, 7).is_empty());

    let recovery = undo_on(&bench, &bench.right);
    assert_eq!(recovery.state, RunState::RolledBack, "{recovery:#?}");
    assert_eq!(seen(&bench.right), before);
}

#[test]
fn one_file_or_one_folder_alone_is_set_and_comes_back() {
    let bench = bench();
    let before = seen(&bench.right);
    for (path, root) in [("sub/b", "sub"), ("sub", "sub"), ("", "")] {
        let (path, root) = (bench.right.join(path), bench.right.join(root));
        let listing = list(&path, ALONE, &bench.settings, &bench.control).unwrap();
        assert_eq!(listing.items.len(), 1);
        assert_eq!(listing.root.path, fcs_sys::open_root(&root).unwrap().path);
        let report = carry_out(&bench, &plan_set(listing, modified(7)));
        assert_eq!(report.result, RunResult::Completed, "{report:#?}");
        assert_eq!(date(&path), at(7));
        let others = seen(&bench.right).into_iter().filter(|(at, _)| *at != path);
        assert!(others.into_iter().all(|(at, now)| before[&at] == now), "{}", path.display());
        assert_eq!(undo_on(&bench, &root).state, RunState::RolledBack);
        assert_eq!(seen(&bench.right), before);
    }
}

#[test]
fn patterns_choose_what_is_set() {
    let bench = bench();
    let include = ["b".to_owned(), "c".to_owned()];
    let scope = Scope { include: &include, ..TREE };
    let listing = list(&bench.right, scope, &bench.settings, &bench.control).unwrap();
    let paths: Vec<_> = listing.items.iter().map(|item| item.path.to_string()).collect();
    assert_eq!(paths, ["sub/b", "sub/deep/c"]);
    let exclude = ["sub".to_owned()];
    let scope = Scope { exclude: &exclude, ..TREE };
    let listing = list(&bench.right, scope, &bench.settings, &bench.control).unwrap();
    assert!(listing.items.iter().all(|item| !item.path.to_string().starts_with("sub")));
    assert!(listing.items.iter().any(|item| item.path.is_root()), "the folder that was given");
}

#[test]
fn an_item_that_is_named_twice_is_set_once() {
    let bench = bench();
    let paths = ["sub/deep/c", "a", "", "sub", "a"].map(|path| bench.right.join(path));
    let listings = paths.iter().map(|path| list(path, TREE, &bench.settings, &bench.control).unwrap());
    let joined = times::join(listings.collect());
    assert_eq!(joined.len(), 1, "all is below the folder");
    let report = carry_out(&bench, &plan_set(joined.into_iter().next().unwrap(), modified(7)));
    assert_eq!((report.result, report.counts.failed), (RunResult::Completed, 0), "{report:#?}");
    assert!(seen(&bench.right).values().all(|(.., dates)| dates.modified == at(7)));
}

#[test]
fn repair_sets_dates_only_where_content_is_equal_and_writes_none() {
    let bench = bench();
    let (left_before, before) = (seen(&bench.left), seen(&bench.right));
    let proposal = repair(&bench);
    let differs = LeftReason::ContentDiffers;
    assert_eq!(why(&proposal), [("differs".to_owned(), differs), ("longer".to_owned(), differs)]);
    assert_eq!(proposal.one_sided, [1, 1]);
    let report = carry_out(&bench, &proposal);
    assert_eq!((report.result, report.counts.copied), (RunResult::Completed, 0), "{report:#?}");
    for name in ["a", "empty", "sub/b", "sub/deep/c", "sub/deep", "sub", ""] {
        assert_eq!(date(&bench.right.join(name)), date(&bench.left.join(name)), "{name}");
    }
    for name in ["differs", "longer", "only right"] {
        let path = bench.right.join(name);
        assert_eq!(seen(&bench.right)[&path], before[&path], "{name}");
    }
    assert_eq!(seen(&bench.left), left_before);
    let old: Vec<_> =
        before.iter().map(|(path, (c, m, n, _))| (path.clone(), c.clone(), m.clone(), *n)).collect();
    assert_eq!(bodies(&bench.right), old);
    if cfg!(unix) {
        assert_eq!(date(&bench.right.join("link")), at(120));
    }
    assert!(repair(&bench).is_empty());
    assert_eq!(undo_on(&bench, &bench.right).state, RunState::RolledBack);
    assert_eq!(seen(&bench.right), before);
}

/// A copy would bring permissions along and break second names apart; a repair does neither.
#[test]
#[cfg(unix)]
fn repair_leaves_permissions_and_second_names_as_they_are() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let bench = bench();
    fs::set_permissions(bench.right.join("a"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(bench.right.join("sub/b"), bench.right.join("second name")).unwrap();
    give(&bench.right, 58);
    let before = bodies(&bench.right);
    let report = carry_out(&bench, &repair(&bench));
    assert_eq!((report.result, report.counts.copied), (RunResult::Completed, 0), "{report:#?}");
    assert_eq!(date(&bench.right.join("a")), at(100));
    assert_eq!(date(&bench.right.join("second name")), at(102));
    assert_eq!(bodies(&bench.right), before);
    assert_eq!(fs::metadata(bench.right.join("sub/b")).unwrap().nlink(), 2);
    assert_eq!(undo_on(&bench, &bench.right).state, RunState::RolledBack);
    assert_eq!((date(&bench.right.join("a")), date(&bench.right.join("second name"))), (at(50), at(52)));
}

/// As `utimensat` lets root; the owner stays.
#[test]
#[cfg(target_os = "linux")]
fn an_administrator_sets_dates_of_what_belongs_to_others() {
    let bench = bench();
    if !fcs_sys::user::is_administrator() {
        return fcs_testkit::skip(fcs_testkit::test_name!(), "only root can give files away");
    }
    std::os::unix::fs::chown(bench.right.join("a"), Some(4242), None).unwrap();
    let report = carry_out(&bench, &repair(&bench));
    assert_eq!(report.result, RunResult::Completed, "{report:#?}");
    let now = fs::metadata(bench.right.join("a")).unwrap();
    assert_eq!((std::os::unix::fs::MetadataExt::uid(&now), date(&bench.right.join("a"))), (4242, at(100)));
}

#[test]
fn two_files_of_any_names_are_copied_and_repaired() {
    let bench = bench();
    let [from, to] = [bench.left.join("a"), bench.right.join("sub/b")];
    let (settings, control) = (&bench.settings, &bench.control);
    let plan = || plan_repair(&from, &to, TREE, Exactness::default(), settings, control).unwrap();
    let proposal = plan();
    assert_eq!(proposal.changes.len(), 1);
    assert_eq!(carry_out(&bench, &proposal).result, RunResult::Completed);
    assert_eq!(date(&to), at(100));
    assert_eq!(undo_on(&bench, &bench.right.join("sub")).state, RunState::RolledBack);
    assert_eq!(date(&to), at(52));
    // Of equal size and other content; then of another size.
    for content in ["THE SAME CONTENT", "other"] {
        put(&to, content);
        give(&to, 52);
        let proposal = plan();
        assert!(proposal.is_empty());
        assert_eq!(why(&proposal), [("b".to_owned(), LeftReason::ContentDiffers)]);
    }
    let proposal = plan_copy(&from, &to, ALONE, settings, control).unwrap();
    assert_eq!(carry_out(&bench, &proposal).result, RunResult::Completed);
    assert_eq!((date(&to), fs::read(&to).unwrap()), (at(100), b"other".to_vec()));
    let clash = plan_copy(&from, &bench.right, ALONE, settings, control).unwrap_err();
    assert!(clash.to_string().contains("not of one kind"), "{clash}");
}

#[test]
fn a_tree_gets_the_dates_of_another_whatever_the_content() {
    let bench = bench();
    let (settings, control) = (&bench.settings, &bench.control);
    let alone = plan_copy(&bench.left, &bench.right, ALONE, settings, control).unwrap();
    assert_eq!(alone.changes.iter().map(|change| change.path.to_string()).collect::<Vec<_>>(), ["."]);
    let before = bodies(&bench.right);
    let proposal = plan_copy(&bench.left, &bench.right, TREE, settings, control).unwrap();
    assert_eq!(carry_out(&bench, &proposal).result, RunResult::Completed);
    assert_eq!(bodies(&bench.right), before);
    let found = verify(&bench.left, &bench.right, TREE, Exactness::default(), settings, control).unwrap();
    assert!(found.differences.is_empty(), "{:#?}", found.differences);
    let links = u64::from(cfg!(unix));
    assert_eq!((found.compared, found.only.each_ref().map(Vec::len)), (9 + links, [1, 1]));
}

#[test]
fn verify_tells_every_date_that_differs_by_the_least_step() {
    let bench = bench();
    let (settings, control) = (&bench.settings, &bench.control);
    let proposal = plan_copy(&bench.left, &bench.right, TREE, settings, control).unwrap();
    carry_out(&bench, &proposal);
    let later = Time::from_nanos(at(100).as_nanos() + 100);
    times::set(&bench.right.join("a"), Times { modified: Some(later), created: None }).unwrap();
    give(&bench.right.join("sub"), 3);
    let differing = |exactness| {
        let found = verify(&bench.left, &bench.right, TREE, exactness, settings, control).unwrap();
        let paths = found.differences.iter().map(|item| (item.path.to_string(), item.modified));
        paths.collect::<Vec<_>>()
    };
    assert_eq!(differing(Exactness::default()), [("a".to_owned(), true), ("sub".to_owned(), true)]);
    assert_eq!(differing(Exactness::within(100)), [("sub".to_owned(), true)]);
    assert_eq!(differing(Exactness::within(1_000_000_000_000)), []);
}

#[test]
fn what_changed_since_it_was_looked_at_keeps_its_date() {
    let bench = bench();
    let proposal = repair(&bench);
    put(&bench.right.join("a"), "edited meanwhile");
    give(&bench.right.join("a"), 51);
    let report = carry_out(&bench, &proposal);
    assert_eq!((report.counts.failed, report.counts.failed_stale), (1, 1), "{report:#?}");
    assert_eq!((date(&bench.right.join("a")), date(&bench.right.join("sub/b"))), (at(51), at(102)));
    // And what changed since the run keeps it against undo.
    let tree = plan_tree(&bench, 7);
    carry_out(&bench, &tree);
    put(&bench.right.join("sub/b"), "edited since, more");
    let recovery = undo_on(&bench, &bench.right);
    assert_eq!(recovery.state, RunState::PartlyUndone, "{recovery:#?}");
    assert_eq!(fs::read(bench.right.join("sub/b")).unwrap(), b"edited since, more");
    assert_eq!(date(&bench.right.join("a")), at(51));
}

#[test]
fn a_created_time_that_cannot_be_set_is_told_once() {
    let bench = bench();
    let listing = list(&bench.right, TREE, &bench.settings, &bench.control).unwrap();
    let settable = created_unsettable(&listing.volume).is_none();
    let both = Times { modified: Some(at(7)), created: Some(at(8)) };
    let proposal = plan_set(listing, both);
    assert_eq!((proposal.lacks_created, proposal.notes.len()), (!settable, usize::from(!settable)));
    let before = seen(&bench.right);
    let report = carry_out(&bench, &proposal);
    assert_eq!((report.result, report.notes.len()), (RunResult::Completed, usize::from(!settable)));
    for (path, (.., dates)) in seen(&bench.right) {
        let created = if settable { Some(at(8)) } else { before[&path].3.created };
        assert_eq!((dates.modified, dates.created), (at(7), created), "{}", path.display());
    }
    let created = Times { modified: None, created: Some(at(9)) };
    let alone = plan_set(list(&bench.right, TREE, &bench.settings, &bench.control).unwrap(), created);
    assert_eq!((alone.is_empty(), alone.lacks_created), (!settable, !settable));
}

/// The date of a link is its own, and what it leads to keeps its own.
#[test]
#[cfg(unix)]
fn a_link_has_a_date_of_its_own_and_special_files_are_left_alone() {
    let bench = bench();
    let [file, link] = ["a", "link"].map(|name| bench.right.join(name));
    let listing = list(&link, TREE, &bench.settings, &bench.control).unwrap();
    assert_eq!(carry_out(&bench, &plan_set(listing, modified(7))).result, RunResult::Completed);
    assert_eq!((date(&link), date(&file)), (at(7), at(50)));
    assert_eq!(undo_on(&bench, &bench.right).state, RunState::RolledBack);
    assert_eq!((date(&link), date(&file)), (at(70), at(50)));
    // Equal in its text, it is repaired; with another one it is another link.
    assert!(repair(&bench).changes.iter().any(|change| change.path.to_string() == "link"));
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    assert!(why(&repair(&bench)).contains(&("link".to_owned(), LeftReason::ContentDiffers)));
    let two = |scope| {
        let (from, exactness) = (bench.left.join("link"), Exactness::default());
        plan_repair(&from, &link, scope, exactness, &bench.settings, &bench.control).unwrap()
    };
    assert_eq!(why(&two(ALONE)), [("link".to_owned(), LeftReason::ContentDiffers)]);

    let made = std::os::unix::net::UnixListener::bind(bench.right.join("socket"));
    assert!(made.is_ok() && why(&plan_tree(&bench, 7)) == [("socket".to_owned(), LeftReason::SpecialFile)]);
}

#[test]
fn dates_are_tried_before_they_are_set_and_leave_no_trace() {
    let bench = bench();
    let before = seen(&bench.right);
    let proposal = plan_tree(&bench, 7);
    assert_eq!(proposal.try_dates(modified(7)), []);
    let far = Times { modified: Some(Time::new(1 << 50, 0)), created: None };
    let told = proposal.try_dates(far);
    // What a file system in memory stores has no end.
    assert!(told.iter().all(|not_set| not_set.why == NotSetReason::OutOfRange), "{told:?}");
    assert_eq!(seen(&bench.right), before);
    assert_no_strays_beside(&bench.right);
}

#[test]
fn a_date_that_cannot_be_set_is_told_and_the_others_are() {
    let bench = bench();
    let mut proposal = plan_tree(&bench, 7);
    let failed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&failed);
    let script = move |event: &fcs_testkit::faulty::Event<'_>| {
        let is_it = event.path.as_bytes() == b"sub/b" && event.call == Call::SetTimes;
        if is_it {
            counted.fetch_add(1, Ordering::SeqCst);
            Act::Fail(5)
        } else {
            Act::Go
        }
    };
    proposal.target = wrap(&proposal.target, "target", Arc::new(script));
    let report = carry_out(&bench, &proposal);
    assert!(failed.load(Ordering::SeqCst) > 0);
    assert_eq!(report.counts.failed, 1, "{report:#?}");
    let told = common::failure(&report, "sub/b").to_string();
    assert!(told.starts_with("Could not set the times"), "{told}");
    assert_eq!((date(&bench.right.join("a")), date(&bench.right.join("sub/b"))), (at(7), at(52)));
    assert!(report.items.iter().all(|item| !matches!(item.outcome, Outcome::Skipped { .. })));
}

/// Every place at which a run can die, and every place at which its undo can: each item has its old or its
/// new date, and an undo restores the old ones.
#[test]
fn after_a_death_anywhere_each_item_has_its_old_or_its_new_date() {
    // Where a root has no attributes of its own (Windows), a death while the journal's folder is made in it costs its date.
    let seen = |root: &Path| {
        let mut found = seen(root);
        found.retain(|path, _| cfg!(unix) || path != root);
        found
    };
    // A death takes a second in Wine.
    let every = if cfg!(windows) { 7 } else { 1 };
    let mut deaths = 0;
    let plans: [fn(&Bench) -> Proposal; 2] = [|bench| plan_tree(bench, 7), repair];
    for (plan, of_undo) in plans.into_iter().flat_map(|plan| [(plan, false), (plan, true)]) {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            for n in (1..).step_by(every) {
                let bench = bench();
                let (before, body) = (seen(&bench.right), bodies(&bench.right));
                let what = format!("{how:?}, undo {of_undo}, change {n}");
                let mut proposal = plan(&bench);
                let new: BTreeMap<PathBuf, Time> = proposal
                    .changes
                    .iter()
                    .map(|change| (bench.right.join(change.path.to_path()), change.set.modified.unwrap()))
                    .collect();
                if of_undo {
                    assert_eq!(carry_out(&bench, &proposal).result, RunResult::Completed);
                }
                let died = dies_at(n, &bench, |right| {
                    if of_undo {
                        let _ = undo(right, None, &bench.control);
                    } else {
                        proposal.target = right.clone();
                        if proposal.task == times::Task::Set {
                            proposal.source = right.clone();
                        }
                        let _ = proposal.run(&bench.settings, &RunOptions::default(), &bench.control);
                    }
                });
                let recoveries = recover(&bench.roots().1, how, &bench.control).unwrap();
                assert!(recoveries.iter().all(RecoveryReport::is_clean), "{what}: {recoveries:#?}");
                assert_no_strays_beside(&bench.right);
                assert_eq!(bodies(&bench.right), body, "{what}");
                for (path, (.., dates)) in seen(&bench.right) {
                    let dates = dates.modified;
                    let is_known = dates == before[&path].3.modified || new.get(&path) == Some(&dates);
                    assert!(is_known, "{what}: {} has {dates:?}", path.display());
                }
                let is_back = recoveries.iter().any(|recovery| recovery.state == RunState::RolledBack);
                if is_back || undo(&bench.roots().1, None, &bench.control).is_ok() {
                    assert_eq!(seen(&bench.right), before, "{what}, back {is_back}");
                }
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    assert!(deaths * every > 100, "{deaths} deaths");
}
