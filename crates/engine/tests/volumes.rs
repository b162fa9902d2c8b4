//! Volumes that cannot hold what others can, or say yes and do something else: nothing outside is changed, what
//! cannot be kept is said once, and a second run finds nothing to do. Numbers in names (L1, T1, …) are those of the
//! cases that people's disks brought up.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Bench, noise};
use fcs_engine::compare::{Side, Verdict, compare};
use fcs_engine::filter::Filter;
use fcs_engine::history::undo;
use fcs_engine::plan::{Plan, plan, plan_sync};
use fcs_engine::preflight::{Preflight, Problem, Severity, check_knowing};
use fcs_engine::probe::{VolumeProbe, probe};
use fcs_engine::report::{Outcome, Report, SkipReason};
use fcs_engine::run::RunOptions;
use fcs_engine::scan::scan_pair_as;
use fcs_engine::settings::Undo;
use fcs_engine::times::{self, LeftReason, NotSetReason, Scope};
use fcs_sys::{CaseRule, Time, Times};
use fcs_testkit::vices::{Call, Vice, Wicked};
use fcs_testkit::volume::{Medium, Volume, for_each_volume};
use fcs_testkit::{skip, test_name, volume_or_skip};

/// Left in a temporary folder that keeps everything, right on the volume.
fn bench_to(volume: &Path) -> Bench {
    let mut bench = Bench::new();
    bench.right = volume.join("right");
    std::fs::create_dir(&bench.right).unwrap();
    bench
}

/// Asserts that the run did everything, and that nothing of it counts as a loss.
fn assert_done(report: &Report, on: &str) {
    for item in &report.items {
        let done = matches!(item.outcome, Outcome::Done { .. });
        assert!(done && item.not_kept.is_empty(), "{on}: {item:#?}");
    }
}

/// Asserts that there is nothing to do. Rows that the user left out are not asked about.
fn assert_nothing_to_do(bench: &Bench, on: &str) {
    let comparison = bench.compare();
    let differing: Vec<_> = (0..comparison.rows.len() as u32)
        .filter(|&row| comparison.rows[row as usize].verdict != Verdict::Same)
        .map(|row| (comparison.path(row).to_string(), comparison.rows[row as usize]))
        .collect();
    assert!(differing.is_empty(), "{on}: {differing:#?}");
    assert!(bench.plan().is_empty(), "{on}");
}

fn date(seconds: i64, nanos: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    at + Duration::from_nanos(nanos.into())
}

fn set_date(path: &Path, to: SystemTime) {
    std::fs::File::open(path).unwrap().set_modified(to).unwrap();
}

/// A file of the right tree that the left one lacks, and a link in the left one whose copy leads to it. (Not one beside
/// the tree: this sshfs shows no links that lead upwards.)
fn pointed_to(bench: &Bench) -> PathBuf {
    let victim = bench.right.join(VICTIM);
    std::fs::write(&victim, "not of this copy").unwrap();
    set_date(&victim, date(1_300_000_000, 0));
    symlink(VICTIM, bench.left.join("link")).unwrap();
    std::os::unix::fs::lchown(bench.left.join("link"), Some(1000), Some(1000)).unwrap_or(());
    victim
}

/// Where the link leads to.
const VICTIM: &str = "victim";

fn looks(path: &Path) -> (i64, i64, u32, u32, u32) {
    let now = std::fs::symlink_metadata(path).unwrap();
    (now.mtime(), now.mtime_nsec(), now.uid(), now.gid(), now.mode())
}

#[test]
fn l1_what_a_link_points_to_keeps_its_date_and_owner() {
    for_each_volume(test_name!(), &[Medium::Sshfs, Medium::Ntfs, Medium::Ext4], |volume| {
        let on = volume.medium().name();
        let mut bench = bench_to(volume.path());
        bench.settings.undo = Undo::Last;
        let victim = pointed_to(&bench);
        let before = looks(&victim);
        let report = bench.copy();
        assert_eq!(looks(&victim), before, "{on}");
        assert_done(&report, on);
        let copied = bench.right.join("link");
        assert_eq!(std::fs::read_link(&copied).unwrap(), Path::new(VICTIM), "{on}");
        let left_alone = report.notes.iter().any(|note| note.contains("set them on what the link points to"));
        assert_eq!(left_alone, volume.medium() == Medium::Sshfs, "{on}: {:?}", report.notes);
        if volume.medium() == Medium::Ext4 {
            assert_eq!(looks(&copied).0, looks(&bench.left.join("link")).0);
        }
        assert!(bench.plan().is_empty(), "{on}");

        // Replaced, and restored.
        std::fs::remove_file(bench.left.join("link")).unwrap();
        symlink("elsewhere", bench.left.join("link")).unwrap();
        assert_done(&bench.copy(), on);
        assert_eq!(std::fs::read_link(&copied).unwrap(), Path::new("elsewhere"), "{on}");
        let recovery = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert!(recovery.is_clean(), "{on}: {recovery:#?}");
        assert_eq!(std::fs::read_link(&copied).unwrap(), Path::new(VICTIM), "{on}");
        assert_eq!(looks(&victim), before, "{on}");
    });
}

#[test]
fn l1_a_server_that_follows_links_is_found_out_by_a_link_to_itself() {
    let vice = Vice::FollowsLinks;
    let disk = match Wicked::new(std::slice::from_ref(&vice)) {
        Ok(disk) => disk,
        Err(reason) => return skip(test_name!(), &reason.reason),
    };
    let bench = bench_to(disk.path());
    let victim = pointed_to(&bench);
    let before = looks(&victim);
    let report = bench.copy();
    assert_done(&report, "FUSE");
    assert_eq!(looks(&victim), before);
    assert!(bench.right.join("link").is_symlink());
    // Without the trial the link's own date would have gone to the file.
    let (_, _, found) = preview(&bench);
    assert_eq!((found.links.possible, found.links.own_dates), (Some(true), Some(false)));
    assert!(disk.fired(&vice) > 0, "nothing followed a link");
}

#[test]
fn l1_a_link_that_leads_out_is_left_alone_where_it_cannot_be_read_back() {
    let volume = volume_or_skip!(Medium::Sshfs);
    let bench = bench_to(volume.path());
    let outside = bench.left.with_file_name("outside");
    std::fs::write(&outside, "not of this copy").unwrap();
    set_date(&outside, date(1_300_000_000, 0));
    symlink(&outside, bench.left.join("link")).unwrap();
    let before = looks(&outside);
    let report = bench.copy();
    assert_eq!(looks(&outside), before);
    let outcome = &common::item(&report, "link").outcome;
    let copied = std::fs::read_link(bench.right.join("link")).is_ok_and(|to| to == outside);
    let left_alone = matches!(outcome, Outcome::Skipped { why: SkipReason::LinkNotHeld });
    // Which of the two depends on the version of sshfs.
    assert!(copied != left_alone && report.counts.failed == 0, "{outcome:?}");
}

/// What the preview says of a copy, with the volume tried, as a command does it that is about to write.
fn preview(bench: &Bench) -> (Preflight, Plan, VolumeProbe) {
    let (left, right) = bench.roots();
    let found = probe(&right.dir, &right.dir.volume().unwrap());
    let case = [None, found.names.case];
    let filter = Filter::default();
    let (a, b) = scan_pair_as(&left, &right, case, &filter, &bench.settings, &bench.control).unwrap();
    let (a, b) = ((&left, Arc::new(a)), (&right, Arc::new(b)));
    let comparison = compare(a, b, &bench.settings, &bench.control).unwrap();
    let plan = plan(&comparison, Side::Right, &|_| true, &bench.settings);
    (check_knowing(&plan, &[&left, &right], &[None, Some(&found)], &bench.settings), plan, found)
}

/// The one problem whose text holds `part`; `None` where none does.
fn said<'a>(preflight: &'a Preflight, part: &str) -> Option<&'a Problem> {
    let mut found = preflight.problems.iter().filter(|problem| problem.text.contains(part));
    let first = found.next();
    assert!(found.next().is_none(), "said twice: {:#?}", preflight.problems);
    first
}

#[test]
fn p3_that_permissions_are_not_kept_is_said_before_the_run() {
    let media = [Medium::Exfat, Medium::Ntfs, Medium::Sshfs, Medium::Ext4];
    for_each_volume(test_name!(), &media, |volume| {
        let on = volume.medium().name();
        let bench = bench_to(volume.path());
        std::fs::write(bench.left.join("secret"), "of mine").unwrap();
        std::fs::set_permissions(bench.left.join("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let (before, ..) = preview(&bench);
        assert!(
            std::fs::read_dir(&bench.right).unwrap().next().is_none(),
            "{on}: nothing of the trial stays"
        );
        let report = bench.copy();
        assert_done(&report, on);
        let shown = std::fs::metadata(bench.right.join("secret")).unwrap().permissions().mode() & 0o777;
        let warning = said(&before, "stores no permissions or owners");
        assert_eq!(warning.is_some(), shown != 0o600, "{on}: {:#?}", before.problems);
        if let Some(warning) = warning {
            assert_eq!(warning.severity, Severity::Warns);
            assert!(
                warning.text.contains("What only you may read (1 file of this plan) is open there"),
                "{on}"
            );
        }
    });
}

#[test]
fn l5_links_that_the_volume_cannot_hold_are_foreseen_and_block_nothing() {
    let volume = volume_or_skip!(Medium::Exfat);
    let bench = bench_to(volume.path());
    std::fs::write(bench.left.join("file"), "x").unwrap();
    symlink("file", bench.left.join("link")).unwrap();
    std::fs::write(bench.right.join("orphan"), "goes").unwrap();
    let (before, ..) = preview(&bench);
    let warning = said(&before, "symbolic links, which the volume").expect("foreseen");
    assert_eq!(warning.severity, Severity::Warns);
    assert!(warning.text.contains(": link.") && !before.refuses(), "{}", warning.text);
    let sync = plan_sync(&bench.compare(), Side::Right, &|_| true, &bench.settings);
    let report = bench.run(&sync);
    assert_eq!((report.counts.failed, report.counts.copied), (0, 1), "{report:#?}");
    let left_alone = &common::item(&report, "link").outcome;
    assert!(matches!(left_alone, Outcome::Skipped { why: SkipReason::LinkNotHeld }), "{left_alone:?}");
    assert!(!bench.right.join("orphan").exists());
}

#[test]
fn l6_names_that_the_volume_does_not_take_are_all_in_the_preview() {
    for_each_volume(test_name!(), &[Medium::Exfat, Medium::Ntfs, Medium::Sshfs], |volume| {
        let on = volume.medium().name();
        let bench = bench_to(volume.path());
        for name in ["a:b?.txt", "end ", "Case", "case", "con", "good"] {
            std::fs::write(bench.left.join(name), name).unwrap();
        }
        let (before, plan, found) = preview(&bench);
        let refused = said(&before, "does not accept, as a test showed");
        let unreachable = said(&before, "most Windows programs cannot open");
        let clashes = plan.skipped.iter().filter(|skip| skip.why == SkipReason::NameClash).count();
        let report = bench.run(&plan);
        let failed: Vec<_> =
            report.items.iter().filter(|i| matches!(i.outcome, Outcome::Failed { .. })).collect();
        match volume.medium() {
            Medium::Exfat => {
                assert_eq!(found.names.case, Some(CaseRule::Insensitive));
                let refused = refused.expect("foreseen");
                assert!(refused.text.contains("a:b?.txt") && refused.severity == Severity::ItemFails);
                assert!(unreachable.is_some_and(|p| p.text.contains("con") && p.text.contains("end ")));
                assert_eq!(clashes, 2, "{:?}", plan.skipped);
                assert_eq!(failed.len(), 1, "{failed:#?}");
                let text = common::failure(&report, "a:b?.txt").to_string();
                assert!(text.contains("does not allow this name") && !text.contains("exist"), "{text}");
            }
            Medium::Ntfs => {
                assert_eq!((refused.is_none(), clashes, failed.len()), (true, 0, 0), "{on}: {failed:#?}");
                assert!(unreachable.is_some_and(|p| p.text.contains("a:b?.txt") && p.text.contains("con")));
            }
            _ => {
                assert_eq!((refused.is_none(), unreachable.is_none(), failed.len()), (true, true, 0), "{on}");
            }
        }
        // Found again without a trial, in what is there now.
        let case = bench.roots().1.dir.volume().unwrap().case;
        assert_eq!(Some(case), found.names.case, "{on}");
    });
}

#[test]
fn l6_and_p3_what_any_user_space_volume_refuses_drops_or_lies_about_is_seen() {
    let vices = [
        Vice::Forbids(":?"),
        Vice::TrimsEnds,
        Vice::IgnoresCase,
        Vice::ModesAre(0o755),
        Vice::OwnersLie,
        Vice::Refuses(Call::Symlink, 1),
    ];
    let disk = match Wicked::new(&vices) {
        Ok(disk) => disk,
        Err(reason) => return skip(test_name!(), &reason.reason),
    };
    let bench = bench_to(disk.path());
    for name in ["a:b", "end ", "good"] {
        std::fs::write(bench.left.join(name), name).unwrap();
    }
    symlink("good", bench.left.join("link")).unwrap();
    let (before, plan, found) = preview(&bench);
    assert!(std::fs::read_dir(&bench.right).unwrap().next().is_none(), "nothing of the trial stays");
    assert_eq!(found.names.refused.as_deref(), Some(":?"));
    assert_eq!((found.names.dot_or_space_at_end, found.names.control), (Some(false), Some(true)));
    assert_eq!(found.names.case, Some(CaseRule::Insensitive));
    assert_eq!((found.modes.kept, found.modes.owners_kept), (Some(false), Some(false)));
    assert_eq!(found.links.possible, Some(false));
    let refused = said(&before, "does not accept, as a test showed").expect("foreseen");
    assert!(refused.text.contains("a:b") && refused.text.contains("end "), "{}", refused.text);
    assert!(said(&before, "symbolic links, which the volume").is_some());
    assert!(said(&before, "stores no permissions or owners").is_some());
    let report = bench.run(&plan);
    let fails = |path| common::failure(&report, path).to_string().contains("does not allow this name");
    assert!(fails("a:b") && fails("end ") && report.counts.copied == 1, "{report:#?}");
}

#[test]
fn r14_an_error_of_a_served_volume_is_no_word_of_a_device_and_unknown_is_not_full() {
    let vices = [Vice::Refuses(Call::Link, 5), Vice::Refuses(Call::Exchange, 22), Vice::NoInodes];
    let disk = match Wicked::new(&vices) {
        Ok(disk) => disk,
        Err(reason) => return skip(test_name!(), &reason.reason),
    };
    let bench = bench_to(disk.path());
    std::fs::write(bench.left.join("f"), "first").unwrap();
    let (before, ..) = preview(&bench);
    assert!(!before.refuses() && said(&before, "inodes").is_none(), "{:#?}", before.problems);
    assert_done(&bench.copy(), "FUSE");
    std::fs::write(bench.left.join("f"), "second, and longer").unwrap();
    assert_done(&bench.copy(), "FUSE");
    assert_eq!(std::fs::read(bench.right.join("f")).unwrap(), b"second, and longer");
    assert!(disk.fired(&vices[0]) > 0, "a second name was never asked for");

    disk.set_vices(&[Vice::Refuses(Call::Fsync, 5)]);
    std::fs::write(bench.left.join("f"), "third, and longer still").unwrap();
    let report = bench.try_run(&bench.plan());
    let text = match &report {
        Ok(report) => common::failure(report, "f").to_string(),
        Err(error) => error.to_string(),
    };
    assert!(disk.fired(&Vice::Refuses(Call::Fsync, 5)) > 0);
    assert!(!text.contains("device") && text.contains("provides this volume reported an error"), "{text}");
}

const COARSE: [Medium; 4] = [Medium::Ext4SmallInodes, Medium::Sshfs, Medium::Exfat, Medium::Ntfs];

#[test]
fn t1_cut_fractions_are_no_loss_and_the_second_run_is_empty() {
    for_each_volume(test_name!(), &COARSE, |volume| {
        let on = volume.medium().name();
        let bench = bench_to(volume.path());
        std::fs::create_dir(bench.left.join("folder")).unwrap();
        for (name, seconds) in [("small", 1_600_000_001), ("folder/large", 1_600_000_003), ("old", -100)] {
            std::fs::write(bench.left.join(name), noise(if name == "small" { 10 } else { 200_000 }, 1))
                .unwrap();
            set_date(&bench.left.join(name), date(seconds, 987_654_321));
        }
        set_date(&bench.left.join("folder"), date(1_600_000_005, 987_654_321));
        set_date(&bench.left, date(1_600_000_007, 987_654_321));
        let report = bench.copy();
        assert_done(&report, on);
        let said = report.notes.iter().filter(|note| note.contains("stores dates in steps of")).count();
        // NTFS keeps steps of 100 ns, which is within what the volume is known for.
        assert_eq!(said, usize::from(volume.medium() != Medium::Ntfs), "{on}: {:?}", report.notes);
        assert_nothing_to_do(&bench, on);
        volume.remount().unwrap();
        assert_nothing_to_do(&bench, on);

        // An edit that leaves the size as it was.
        std::fs::write(bench.left.join("small"), noise(10, 2)).unwrap();
        set_date(&bench.left.join("small"), date(1_600_000_002, 10));
        assert_eq!(bench.plan().totals.replaced_files, 1, "{on}");
        assert_done(&bench.copy(), on);
        assert_eq!(std::fs::read(bench.right.join("small")).unwrap(), noise(10, 2), "{on}");
        assert_nothing_to_do(&bench, on);
    });
}

#[test]
fn t1_a_volume_that_keeps_fractions_hides_no_edit_within_a_second() {
    for_each_volume(test_name!(), &[Medium::Ext4, Medium::Xfs], |volume| {
        let bench = bench_to(volume.path());
        for (root, nanos, text) in [(&bench.left, 500_000_000, "new"), (&bench.right, 0, "old")] {
            std::fs::write(root.join("f"), text).unwrap();
            set_date(&root.join("f"), date(1_600_000_000, nanos));
        }
        assert_eq!(bench.plan().totals.replaced_files, 1, "{}", volume.medium());
    });
}

#[test]
fn t2_dates_out_of_range_are_copied_once() {
    let media = [Medium::XfsOldTimes, Medium::Ext4SmallInodes, Medium::Exfat, Medium::Sshfs, Medium::Ext4];
    for_each_volume(test_name!(), &media, |volume| {
        let on = volume.medium().name();
        // Holds all of these itself.
        let left = match Volume::new(Medium::Tmpfs) {
            Ok(left) => left,
            Err(reason) => return skip(test_name!(), &reason.reason),
        };
        let mut bench = bench_to(volume.path());
        bench.left = left.path().join("left");
        std::fs::create_dir(&bench.left).unwrap();
        // 1600, 1850, one second before 1970, 2100, 2108, 5138.
        let dates = [-11_676_096_000, -3_786_825_600, -1, 4_102_444_800, 4_367_952_000, 99_999_999_999];
        for seconds in dates {
            let path = bench.left.join(format!("f{seconds}"));
            std::fs::write(&path, "x").unwrap();
            set_date(&path, date(seconds, 0));
        }
        let report = bench.copy();
        assert_done(&report, on);
        let said =
            report.notes.iter().filter(|note| note.contains("outside the range of the target")).count();
        assert!(said <= 1, "{on}: {:?}", report.notes);
        assert_nothing_to_do(&bench, on);
        volume.remount().unwrap();
        assert_nothing_to_do(&bench, on);
        let said = bench.compare().notes;
        let changed = dates.iter().any(|&seconds| {
            let copy = std::fs::metadata(bench.right.join(format!("f{seconds}"))).unwrap();
            copy.modified().unwrap() != date(seconds, 0)
        });
        assert_eq!(said.iter().any(|note| note.contains("outside the range")), changed, "{on}: {said:?}");

        // Written to since: a date of today is in every range.
        let edited = bench.left.join("f-1");
        std::fs::write(&edited, "y").unwrap();
        set_date(&edited, date(1_700_000_000, 0));
        assert_eq!(bench.plan().totals.replaced_files, 1, "{on}");
    });
}

const TREE: Scope<'static> = Scope { recursive: true, include: &[], exclude: &[] };

fn listed(path: &Path, bench: &Bench) -> times::Listing {
    times::list(path, TREE, &bench.settings, &bench.control).unwrap()
}

fn modified(seconds: i64, nanos: u32) -> Times {
    Times { modified: Some(Time::new(seconds, nanos)), created: None }
}

/// What a volume would not store is known before anything is set; what it cuts is set, and is no difference afterwards.
#[test]
fn t3_dates_are_set_to_the_step_of_the_volume_and_those_out_of_range_are_known_before() {
    let media = [Medium::Ext4, Medium::XfsOldTimes, Medium::Ext4SmallInodes, Medium::Exfat, Medium::Sshfs];
    for_each_volume(test_name!(), &media, |volume| {
        let on = volume.medium().name();
        let mut bench = bench_to(volume.path());
        bench.settings.undo = Undo::Last;
        common::put(&bench.right.join("folder/file"), "content");
        let before = [".", "folder", "folder/file"].map(|path| looks(&bench.right.join(path)));
        let wanted = modified(1_600_000_001, 987_654_321);
        let proposal = times::plan_set(listed(&bench.right, &bench), wanted);
        let whole = matches!(volume.medium(), Medium::Ext4 | Medium::XfsOldTimes);
        let told: Vec<_> = proposal.try_dates(wanted).into_iter().map(|not_set| not_set.why).collect();
        if whole {
            assert_eq!(told, [], "{on}");
        } else {
            assert!(matches!(told[..], [NotSetReason::Cut(_)]), "{on}: {told:?}");
        }
        // The year 5138; exfat-fuse shows it as it was given until it is mounted again.
        let told: Vec<_> = proposal.try_dates(modified(99_999_999_999, 0)).into_iter().collect();
        assert!(
            told.iter().any(|not_set| not_set.why == NotSetReason::OutOfRange)
                || volume.medium() == Medium::Exfat,
            "{on}: {told:?}"
        );
        let report = proposal.run(&bench.settings, &RunOptions::default(), &bench.control).unwrap();
        assert_done(&report, on);
        let kept = if whole { 987_654_321 } else { 0 };
        for path in [".", "folder", "folder/file"] {
            let now = looks(&bench.right.join(path));
            assert_eq!(now.0, 1_600_000_001, "{on}: {path}");
            assert_eq!(now.1, kept, "{on}: {path}");
        }
        let found = undo(&bench.roots().1, None, &bench.control).unwrap();
        assert!(found.is_clean(), "{on}: {found:#?}");
        assert_eq!([".", "folder", "folder/file"].map(|path| looks(&bench.right.join(path))), before, "{on}");
    });
}

/// The server would date what the link points to.
#[test]
fn t3_a_link_gets_no_date_where_the_volume_may_follow_it() {
    for_each_volume(test_name!(), &[Medium::Sshfs, Medium::Ext4], |volume| {
        let on = volume.medium().name();
        let bench = bench_to(volume.path());
        let victim = bench.right.join(VICTIM);
        common::put(&victim, "not of this run");
        let link = bench.right.join("link");
        symlink(VICTIM, &link).unwrap();
        let before = looks(&victim);
        let wanted = modified(1_600_000_000, 0);
        let is_own = volume.medium() == Medium::Ext4;
        assert_eq!(times::set(&link, wanted).is_ok(), is_own, "{on}");
        let proposal = times::plan_set(listed(&link, &bench), modified(1_500_000_000, 0));
        let left: Vec<_> = proposal.left_alone.iter().map(|item| item.why).collect();
        assert_eq!((proposal.changes.len(), left.len()), (usize::from(is_own), usize::from(!is_own)), "{on}");
        assert!(left.iter().all(|why| *why == LeftReason::Link));
        if is_own {
            assert_done(&proposal.run(&bench.settings, &RunOptions::default(), &bench.control).unwrap(), on);
            assert_eq!(looks(&link).0, 1_500_000_000);
        }
        assert_eq!(looks(&victim), before, "{on}");
    });
}

#[test]
fn t3_created_times_are_set_on_ntfs_and_come_back() {
    for_each_volume(test_name!(), &[Medium::Ntfs], |volume| {
        let mut bench = bench_to(volume.path());
        bench.settings.undo = Undo::Last;
        common::put(&bench.right.join("folder/file"), "content");
        let paths = ["", "folder", "folder/file"].map(|path| bench.right.join(path));
        let seen = || paths.each_ref().map(|path| times::read(path).unwrap());
        let before = seen();
        assert!(before.iter().all(|times| times.created.is_some()), "{before:?}");
        let wanted = Time::new(1_234_567_890, 123_456_700);
        for set in [
            Times { modified: Some(Time::new(1_600_000_000, 100)), created: Some(wanted) },
            Times { modified: None, created: Some(wanted) },
        ] {
            let proposal = times::plan_set(listed(&bench.right, &bench), set);
            assert_eq!((proposal.try_dates(set), proposal.notes.len()), (Vec::new(), 0));
            let report = proposal.run(&bench.settings, &RunOptions::default(), &bench.control).unwrap();
            assert_done(&report, "ntfs-3g");
            for (now, before) in seen().iter().zip(&before) {
                assert_eq!(now.created, Some(wanted));
                assert_eq!(now.modified, set.modified.unwrap_or(before.modified));
            }
            drop(proposal);
            volume.remount().unwrap();
            assert!(seen().iter().all(|now| now.created == Some(wanted)));
            let found = undo(&bench.roots().1, None, &bench.control).unwrap();
            assert!(found.is_clean(), "{found:#?}");
            assert_eq!(seen(), before);
        }
        // The year 1600, which the program would take and drop.
        let early = modified(-11_676_096_000, 0);
        let told = times::plan_set(listed(&bench.right, &bench), early).try_dates(early);
        assert!(told.iter().any(|not_set| not_set.why == NotSetReason::OutOfRange), "{told:?}");
        // That of one folder alone is a change too, which is kept for undo.
        let alone = Scope { recursive: false, ..TREE };
        let set = Times { modified: None, created: Some(wanted) };
        let listing = times::list(&paths[1], alone, &bench.settings, &bench.control).unwrap();
        let root = listing.root.clone();
        let proposal = times::plan_set(listing, set);
        assert_done(
            &proposal.run(&bench.settings, &RunOptions::default(), &bench.control).unwrap(),
            "ntfs-3g",
        );
        assert_eq!(times::read(&paths[1]).unwrap().created, Some(wanted));
        assert!(undo(&root, None, &bench.control).unwrap().is_clean());
        assert_eq!(seen(), before);
        // A copy there brings them along, and two such volumes are compared by them.
        common::put(&bench.left.join("copied"), "content");
        assert_done(&bench.copy(), "ntfs-3g");
        let [from, to] = [&bench.left, &bench.right].map(|root| times::read(&root.join("copied")).unwrap());
        assert_eq!(from.created.map(|time| time.rounded_down(100)), to.created);
    });
}
