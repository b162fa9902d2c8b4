//! Files that a caller copies one after the other: one run on each root, ended, undone and recovered like any other.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Bench, age, assert_no_strays_beside, dies_at, noise};
use fcs_engine::history::{RecoverMode, RecoveryReport, RunState, list, recover, undo};
use fcs_engine::report::{Evidence, RunResult, SkipReason};
use fcs_engine::session::{FileOutcome, FileReport, Series};
use fcs_engine::settings::{Undo, Verify};
use fcs_engine::{Control, ErrorKind, TargetState};
use fcs_sys::{RelPath, open_root};
use fcs_testkit::listing::{Listing, Options, diff, listing};

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Days(30);
    bench
}

fn file(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    age(path);
}

fn copy(series: &mut Series, bench: &Bench, name: &str) -> FileReport {
    series.copy(&bench.left.join(name), &bench.right.join(name), &bench.settings, &bench.control)
}

/// Everything in a tree but the journals.
fn seen(root: &Path) -> Listing {
    listing(root, &Options::default()).unwrap()
}

fn is_copied(report: &FileReport) -> bool {
    matches!(report.outcome, FileOutcome::Copied(_))
}

fn undo_all(bench: &Bench) -> Vec<RunState> {
    let mut states = Vec::new();
    while let Ok(report) = undo(&bench.roots().1, None, &bench.control) {
        states.push(report.state);
    }
    states
}

#[test]
fn the_files_of_a_series_are_one_run_that_is_undone_as_a_whole() {
    let bench = bench();
    for (name, content) in [("a", "new a"), ("sub/b", "new b"), ("sub/deep/c", "new c")] {
        file(&bench.left.join(name), content);
    }
    file(&bench.right.join("a"), "old a");
    let before = seen(&bench.right);

    let mut series = Series::new("copy", false);
    for name in ["a", "sub/b", "sub/deep/c"] {
        let report = copy(&mut series, &bench, name);
        assert!(is_copied(&report), "{report:#?}");
        assert_eq!(report.replaced, name == "a");
        let (here, there) = (bench.left.join(name), bench.right.join(name));
        assert_eq!(fs::read(&here).unwrap(), fs::read(&there).unwrap(), "there at once");
        let dates = [&here, &there].map(|path| fs::metadata(path).unwrap().modified().unwrap());
        assert_eq!(dates[0], dates[1]);
    }
    assert_eq!(series.roots(), [&*fs::canonicalize(&bench.right).unwrap()]);
    let ended = series.end(&bench.settings);
    assert_eq!((ended.copied, ended.failed, ended.late.len()), (3, 0, 0), "{ended:#?}");
    assert_eq!(ended.runs.len(), 1);
    assert_eq!(ended.runs[0].2, RunResult::Completed);
    // Made folders look like the source's.
    let modified = |root: &Path| fs::metadata(root.join("sub/deep")).unwrap().modified().unwrap();
    assert_eq!(modified(&bench.left), modified(&bench.right));

    let runs = list(&bench.roots().1).unwrap();
    assert_eq!((runs.len(), runs[0].items, runs[0].folders), (1, 3, 2), "{runs:#?}");
    assert_eq!(undo_all(&bench), [RunState::RolledBack]);
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

#[test]
fn a_path_that_is_written_to_again_begins_another_run_and_both_are_undone() {
    let bench = bench();
    file(&bench.left.join("a"), "first");
    file(&bench.right.join("a"), "before");
    let before = seen(&bench.right);
    let mut series = Series::new("copy", false);
    assert!(is_copied(&copy(&mut series, &bench, "a")));
    file(&bench.left.join("a"), "second");
    let report = copy(&mut series, &bench, "a");
    assert!(is_copied(&report), "{report:#?}");
    let ended = series.end(&bench.settings);
    assert_eq!((ended.copied, ended.runs.len()), (2, 2), "{ended:#?}");
    assert_eq!(fs::read_to_string(bench.right.join("a")).unwrap(), "second");
    // They belong together.
    undo(&bench.roots().1, None, &bench.control).unwrap();
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

#[test]
fn files_that_wait_have_no_name_yet_and_get_it_with_their_group() {
    let bench = bench();
    for n in 0..1100 {
        file(&bench.left.join(format!("d{}/f{n}", n % 7)), format!("content {n}"));
    }
    file(&bench.right.join("d3/f3"), "an original");
    let before = seen(&bench.right);
    let mut series = Series::new("copy", false).group_after(2);
    let mut waiting = 0;
    for n in 0..1100 {
        let name = format!("d{}/f{n}", n % 7);
        let report = copy(&mut series, &bench, &name);
        match &report.outcome {
            FileOutcome::Copied(_) => assert!(n < 2, "{n}"),
            FileOutcome::Waits(Evidence::CacheReread { hash: Some(_), .. }) => {
                waiting += 1;
                // One that fills its group may have its name at any moment from then on.
                if n != 3 && waiting % 256 != 0 {
                    assert!(!bench.right.join(&name).exists(), "{name}");
                }
            }
            other => panic!("{name}: {other:#?}"),
        }
    }
    assert_eq!(waiting, 1098);
    assert!(series.has_waiting());
    series.settle(&bench.settings);
    assert!(!series.has_waiting());
    let settled = series.take_settled();
    assert!(!settled.is_empty() && settled.iter().all(is_copied), "{settled:#?}");
    let ended = series.end(&bench.settings);
    assert_eq!((ended.copied, ended.failed, ended.runs.len()), (1100, 0, 1), "{ended:#?}");
    for n in 0..1100 {
        let name = format!("d{}/f{n}", n % 7);
        assert_eq!(fs::read_to_string(bench.right.join(&name)).unwrap(), format!("content {n}"));
    }
    assert_no_strays_beside(&bench.right);
    assert_eq!(undo_all(&bench), [RunState::RolledBack]);
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_the_series_goes_on() {
    let bench = bench();
    file(&bench.left.join("good"), "good");
    fs::create_dir_all(bench.left.join("folder")).unwrap();
    fs::create_dir_all(bench.right.join("clash")).unwrap();
    let mut series = Series::new("copy", false);
    let mut of =
        |from: PathBuf, to: PathBuf| series.copy(&from, &to, &bench.settings, &bench.control).outcome;
    let (left, right) = (|name: &str| bench.left.join(name), |name: &str| bench.right.join(name));
    let missing = of(left("missing"), right("missing"));
    assert!(matches!(&missing, FileOutcome::Failed(e) if e.path == left("missing")), "{missing:?}");
    let folder = of(left("folder"), right("folder"));
    assert!(matches!(folder, FileOutcome::Skipped(SkipReason::SpecialFile)), "{folder:?}");
    let clash = of(left("good"), right("clash"));
    assert!(matches!(&clash, FileOutcome::Failed(e) if e.kind == ErrorKind::KindClash), "{clash:?}");
    let same = of(left("good"), left("good"));
    assert!(matches!(same, FileOutcome::Refused(_)), "{same:?}");
    let ours = of(left("good"), right(".fcs/undo/x"));
    assert!(matches!(ours, FileOutcome::Refused(_)), "{ours:?}");
    fs::create_dir_all(bench.left.join(".fcs/undo")).unwrap();
    std::os::unix::fs::symlink(bench.left.join(".fcs"), bench.right.join("way in")).unwrap();
    let linked = of(left("good"), right("way in/undo/x"));
    assert!(matches!(linked, FileOutcome::Refused(_)), "{linked:?}");
    let unc = of(PathBuf::from("//server/share/x"), right("x"));
    assert!(matches!(unc, FileOutcome::NotBegun(_)), "{unc:?}");
    assert!(!bench.right.join(".fcs").exists(), "nothing began");
    assert!(matches!(of(left("good"), right("good")), FileOutcome::Copied(_)));
    let ended = series.end(&bench.settings);
    assert_eq!((ended.copied, ended.failed), (1, 7), "{ended:#?}");
    // A link is what it leads to; and a file may be copied within its own folder.
    std::os::unix::fs::symlink("good", left("link")).unwrap();
    let mut series = Series::new("copy", false);
    assert!(is_copied(&copy(&mut series, &bench, "link")));
    let beside = series.copy(&left("good"), &left("copy of good"), &bench.settings, &bench.control);
    assert!(is_copied(&beside), "{beside:#?}");
    assert_eq!(beside.root, Some(fs::canonicalize(&bench.left).unwrap()), "not above the source");
    series.end(&bench.settings);
    assert!(fs::symlink_metadata(right("link")).unwrap().is_file());
    assert_eq!(fs::read_to_string(left("copy of good")).unwrap(), "good");
}

#[test]
fn a_dry_run_and_a_cancelled_copy_leave_everything_as_it_was() {
    let bench = bench();
    file(&bench.left.join("sub/a"), noise(3 << 20, 1));
    let before = seen(&bench.right);
    let mut series = Series::new("copy", true);
    let report = copy(&mut series, &bench, "sub/a");
    assert!(matches!(report.outcome, FileOutcome::DryRun), "{report:#?}");
    assert!(series.end(&bench.settings).runs.is_empty());
    assert!(!bench.right.join(".fcs").exists());

    let mut series = Series::new("copy", false);
    let control = Control::default();
    control.cancel.cancel();
    let report =
        series.copy(&bench.left.join("sub/a"), &bench.right.join("sub/a"), &bench.settings, &control);
    assert!(matches!(report.outcome, FileOutcome::Skipped(SkipReason::Cancelled)), "{report:#?}");
    series.end(&bench.settings);
    undo_all(&bench);
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

#[test]
fn the_root_is_where_the_folders_stop_being_alike_and_never_above_one_that_has_journals() {
    let bench = bench();
    for name in ["x/y/a", "x/y/b", "z/c"] {
        file(&bench.left.join(name), name);
    }
    let right = fs::canonicalize(&bench.right).unwrap();
    let mut series = Series::new("copy", false);
    for name in ["x/y/a", "z/c"] {
        assert!(is_copied(&copy(&mut series, &bench, name)));
        assert_eq!(series.roots(), [&*right], "{name}");
    }
    // Another name on the way: the target's own folder, which is below one that has journals.
    let other = series.copy(
        &bench.left.join("x/y/b"),
        &bench.right.join("elsewhere/b"),
        &bench.settings,
        &bench.control,
    );
    assert!(is_copied(&other), "{other:#?}");
    assert_eq!(other.root.as_deref(), Some(&*right));
    let ended = series.end(&bench.settings);
    assert_eq!(ended.runs.len(), 1, "{ended:#?}");
    assert_eq!(undo_all(&bench), [RunState::RolledBack]);
    assert!(!bench.right.join("elsewhere").exists() && !bench.right.join("x").exists());
}

#[test]
fn without_verification_nothing_is_claimed() {
    let mut bench = bench();
    bench.settings.verify = Verify::Off;
    file(&bench.left.join("a"), "a");
    file(&bench.left.join("b"), "b");
    let mut series = Series::new("copy", false).group_after(1);
    let alone = copy(&mut series, &bench, "a").outcome;
    assert!(matches!(alone, FileOutcome::Copied(Evidence::NotRequested)), "{alone:?}");
    let waits = copy(&mut series, &bench, "b").outcome;
    assert!(matches!(waits, FileOutcome::Waits(Evidence::NotRequested)), "{waits:?}");
    series.end(&bench.settings);
    assert_eq!(fs::read_to_string(bench.right.join("b")).unwrap(), "b");
}

#[test]
fn a_file_is_copied_as_it_was_copied_last_also_while_that_waits() {
    let bench = bench();
    file(&bench.left.join("a"), "new");
    file(&bench.right.join("a"), "old");
    let mut series = Series::new("copy", false).group_after(0);
    let waits = copy(&mut series, &bench, "a");
    assert!(matches!(waits.outcome, FileOutcome::Waits(_)), "{waits:#?}");
    series.copy(&bench.right.join("a"), &bench.right.join("b"), &bench.settings, &bench.control);
    // And again to a path whose copy waits.
    file(&bench.left.join("a"), "newest");
    copy(&mut series, &bench, "a");
    let ended = series.end(&bench.settings);
    assert_eq!((ended.copied, ended.failed), (3, 0), "{ended:#?}");
    let content = |name: &str| fs::read_to_string(bench.right.join(name)).unwrap();
    assert_eq!((content("a"), content("b")), ("newest".into(), "new".into()));
}

#[test]
fn a_folder_that_was_moved_or_replaced_gets_nothing_more() {
    let bench = bench();
    for name in ["x/a", "x/b", "x/c", "x/d"] {
        file(&bench.left.join(name), name);
    }
    fs::create_dir_all(bench.right.join("x")).unwrap();
    let mut series = Series::new("copy", false);
    assert!(is_copied(&copy(&mut series, &bench, "x/a")));
    fs::rename(bench.right.join("x"), bench.right.join("y")).unwrap();
    fs::create_dir(bench.right.join("x")).unwrap();
    assert!(is_copied(&copy(&mut series, &bench, "x/b")));
    assert!(bench.right.join("x/b").exists() && !bench.right.join("y/b").exists());
    // The root too.
    let away = bench.right.with_file_name("away");
    fs::rename(&bench.right, &away).unwrap();
    fs::create_dir(&bench.right).unwrap();
    let report = copy(&mut series, &bench, "x/c");
    assert!(is_copied(&report), "{report:#?}");
    assert!(bench.right.join("x/c").exists() && !away.join("x/c").exists());
    // And the source.
    fs::rename(bench.left.join("x"), bench.left.join("z")).unwrap();
    file(&bench.left.join("x/d"), "another d");
    assert!(is_copied(&copy(&mut series, &bench, "x/d")));
    assert_eq!(fs::read_to_string(bench.right.join("x/d")).unwrap(), "another d");
    let ended = series.end(&bench.settings);
    assert_eq!((ended.copied, ended.failed, ended.runs.len()), (4, 0, 2), "{ended:#?}");
}

/// A copy whose staged file somebody damages while it waits is found out by its group, and its original stays.
#[test]
fn what_goes_wrong_after_a_file_was_said_to_wait_is_told_and_the_original_stays() {
    let bench = bench();
    for name in ["a", "b", "c"] {
        file(&bench.left.join(name), format!("new {name}"));
        file(&bench.right.join(name), format!("old {name}"));
    }
    let mut series = Series::new("copy", false).group_after(0);
    for name in ["a", "b", "c"] {
        let outcome = copy(&mut series, &bench, name).outcome;
        assert!(matches!(outcome, FileOutcome::Waits(_)), "{outcome:?}");
    }
    let staged = |number: &str| {
        let found = fs::read_dir(&bench.right).unwrap().map(|item| item.unwrap().path());
        found.filter(|path| path.to_string_lossy().ends_with(&format!("-{number}.new"))).last().unwrap()
    };
    fs::write(staged("2"), "bad b").unwrap();
    series.settle(&bench.settings);
    let settled = series.take_settled();
    assert_eq!(settled.iter().map(is_copied).collect::<Vec<_>>(), [true, false, true], "{settled:#?}");
    let FileOutcome::Failed(error) = &settled[1].outcome else { panic!("{settled:#?}") };
    assert_eq!(error.target, Some(TargetState::Original), "{error}");
    let ended = series.end(&bench.settings);
    assert_eq!((ended.copied, ended.failed, ended.late.len()), (2, 1, 1), "{ended:#?}");
    let content = |name: &str| fs::read_to_string(bench.right.join(name)).unwrap();
    assert_eq!([content("a"), content("b"), content("c")], ["new a", "old b", "new c"]);
    assert_no_strays_beside(&bench.right);
}

/// The same while the next groups are staged: what the others became is not touched, and each is told once.
#[test]
fn a_damage_in_one_of_several_groups_is_told_of_that_file_alone() {
    let mut bench = bench();
    bench.settings.batch_max_files = 10;
    let names: Vec<String> = (1..=95).map(|n| format!("f{n:03}")).collect();
    for name in &names {
        file(&bench.left.join(name), format!("new {name}"));
    }
    file(&bench.right.join("f013"), "old f013");
    let before = seen(&bench.right);
    let mut series = Series::new("copy", false).group_after(0);
    let mut settled = Vec::new();
    for name in &names {
        let outcome = copy(&mut series, &bench, name).outcome;
        assert!(matches!(outcome, FileOutcome::Waits(_)), "{outcome:?}");
        if name == "f013" {
            // Its group lacks seven yet.
            let found = fs::read_dir(&bench.right).unwrap().map(|item| item.unwrap().path());
            let staged = found.filter(|path| path.to_string_lossy().ends_with("-13.new")).last().unwrap();
            fs::write(staged, "bad").unwrap();
        }
        settled.extend(series.take_settled());
    }
    let ended = series.end(&bench.settings);
    settled.extend(series.take_settled());
    let targets: Vec<PathBuf> = settled.iter().map(|report| report.target.clone()).collect();
    let all: Vec<PathBuf> = names.iter().map(|name| bench.right.join(name)).collect();
    assert_eq!(targets, all, "each once, in the order in which they were put");
    let failed: Vec<&PathBuf> = settled.iter().filter(|one| !is_copied(one)).map(|one| &one.target).collect();
    assert_eq!(failed, [&bench.right.join("f013")]);
    assert_eq!((ended.copied, ended.failed, ended.late.len()), (94, 1, 1), "{ended:#?}");
    assert_eq!(ended.runs[0].2, RunResult::CompletedWithFailures);
    for name in &names {
        let content = fs::read_to_string(bench.right.join(name)).unwrap();
        assert_eq!(content, if name == "f013" { "old f013".into() } else { format!("new {name}") });
    }
    assert_no_strays_beside(&bench.right);
    assert_eq!(undo_all(&bench), [RunState::RolledBack]);
    assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new());
}

/// A program that dies at any change of the target, while files end one by one or wait: recovery leaves no unfinished
/// copy, each name is old or new, and undo makes all of it as it was.
#[test]
fn a_series_that_dies_at_any_change_is_recovered_and_undone() {
    let names = ["a", "sub/b", "sub/c", "other/d", "sub/e"];
    let mut deaths = 0;
    // With groups of two one is committed while the next is staged.
    for (group_after, in_group) in [(u64::MAX, 256), (2, 256), (0, 256), (0, 2)] {
        for how in [RecoverMode::Keep, RecoverMode::RollBack] {
            // Every second one: the other way of recovery takes those between.
            for n in (1 + usize::from(how == RecoverMode::RollBack)..).step_by(2 * fcs_testkit::every()) {
                let mut bench = bench();
                bench.settings.batch_max_files = in_group;
                for name in names {
                    file(&bench.left.join(name), format!("new {name}"));
                }
                file(&bench.right.join("a"), "old a");
                file(&bench.right.join("sub/c"), "old sub/c");
                let before = seen(&bench.right);
                let what = format!("groups of {in_group} after {group_after}, {how:?}, change {n}");
                let died = dies_at(n, &bench, |right| {
                    let left = open_root(&bench.left).unwrap();
                    let mut series = Series::new("copy", false).group_after(group_after);
                    let mut waiting = 0;
                    for name in names {
                        let path = RelPath::parse(name.as_bytes()).unwrap();
                        let roots = [&left, right];
                        let report = series.copy_below(roots, &path, &path, &bench.settings, &bench.control);
                        waiting += usize::from(matches!(report.outcome, FileOutcome::Waits(_)));
                    }
                    let ended = series.end(&bench.settings);
                    // Whoever was told to wait is told the end.
                    let settled = series.take_settled();
                    assert_eq!(settled.len(), waiting, "{what}");
                    let late = settled.iter().filter(|report| !is_copied(report)).count() as u64;
                    assert!(ended.failed >= late, "{what}: {ended:#?}");
                });
                let recoveries = recover(&bench.roots().1, how, &bench.control).unwrap();
                assert!(recoveries.iter().all(RecoveryReport::is_clean), "{what}: {recoveries:#?}");
                assert_no_strays_beside(&bench.right);
                for name in names {
                    let path = bench.right.join(name);
                    let content = fs::read_to_string(&path).ok();
                    let old = ["a", "sub/c"].contains(&name).then(|| format!("old {name}"));
                    assert!(content == old || content == Some(format!("new {name}")), "{what}: {content:?}");
                }
                undo_all(&bench);
                assert_eq!(diff(&before, &seen(&bench.right)), Vec::<String>::new(), "{what}");
                if !died {
                    break;
                }
                deaths += 1;
            }
        }
    }
    println!("{deaths} deaths");
    assert!(deaths * fcs_testkit::every() > 100, "the series changed too little: {deaths}");
}
