//! Preflight, on models of plans and real roots.

use fcs_sys::{CaseRule, NameUnits, open_root};

use super::*;
use crate::compare::{Comparison, Side};
use crate::model::{Item, compare_models, compare_trees, volume};
use crate::plan::plan;
use crate::tree::NameOrder::Exact;

fn plan_of(left: &Item, right: &Item) -> Plan {
    let comparison: Comparison = compare_models(left, right, Exact, &Settings::default());
    plan(&comparison, Side::Right, &|_| true, &Settings::default())
}

fn part(plan: &Plan) -> Part<'_> {
    plan.parts().unwrap()[0]
}

fn on_volume(plan: &Plan, volume: &VolumeFacts) -> Vec<(Severity, String)> {
    let mut problems = Vec::new();
    let part = part(plan);
    check_volume(&part, volume, "/target", &Settings::default(), &mut problems);
    names::check(&part, volume, &probe::NameFacts::default(), &mut problems);
    problems.into_iter().map(|p| (p.severity, p.text)).collect()
}

fn facts(file_system: &str) -> VolumeFacts {
    VolumeFacts { file_system: file_system.into(), ..volume(CaseRule::Sensitive) }
}

fn files<const N: usize>(names: [&str; N]) -> Plan {
    plan_of(&Item::folder(0, names.map(|n| (n, Item::file(5, 0)))), &Item::folder(0, []))
}

#[test]
fn roots_that_contain_each_other_are_refused_with_both_paths() {
    let tmp = tempfile::tempdir().unwrap();
    let inner = tmp.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::create_dir(tmp.path().join("c")).unwrap();
    let open = |name: &str| open_root(&tmp.path().join(name)).unwrap();
    let texts = |l: &str, r: &str| {
        check_roots(&open(l), &open(r), false).into_iter().map(|p| p.text).collect::<Vec<_>>()
    };
    assert!(texts("a", "c").is_empty());
    assert!(texts("a", "a")[0].contains("the same folder"));
    let (a, b) = (display_path(&open("a").path), display_path(&open("a/b").path));
    assert!(texts("a", "a/b")[0].starts_with(&format!("{b} is inside {a}.")));
    assert!(texts("a/b", "a")[0].starts_with(&format!("{b} is inside {a}.")));
    assert!(check_roots(&open("a"), &open("a/b"), false).iter().all(|p| p.severity == Severity::Refuses));
}

#[test]
fn names_are_judged_by_the_rules_of_the_targets_file_system() {
    let plan = files(["a?b", "con", "fine", "end."]);
    assert!(on_volume(&plan, &facts("ext4")).is_empty());
    for (file_system, severity) in
        [("vfat", Severity::ItemFails), ("NTFS", Severity::ItemFails), ("ntfs3", Severity::Warns)]
    {
        let problems = on_volume(&plan, &facts(file_system));
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].0, severity, "{file_system}");
        assert!(
            problems[0].1.starts_with("3 items are") && problems[0].1.contains("a?b, con, end."),
            "{}",
            problems[0].1
        );
    }
    let long = VolumeFacts { max_name: 4, ..facts("ext4") };
    let folder = Item::folder(
        0,
        [("longer", Item::folder(0, [("x", Item::file(1, 0))])), ("five5", Item::file(1, 0))],
    );
    let problems = on_volume(&plan_of(&folder, &Item::folder(0, [])), &long);
    assert!(
        problems[0].1.contains("2 items are longer") && problems[0].1.contains("longer, five5"),
        "{}",
        problems[0].1
    );
}

#[test]
fn names_that_windows_makes_but_programs_cannot_type_are_a_warning_there() {
    let plan = files(["a?b", "con", "fine", "end."]);
    let windows = VolumeFacts { name_units: NameUnits::Utf16, ..facts("NTFS") };
    let problems = on_volume(&plan, &windows);
    let severities: Vec<_> = problems.iter().map(|p| p.0).collect();
    assert_eq!(severities, [Severity::ItemFails, Severity::Warns]);
    assert!(problems[0].1.starts_with("1 item is") && problems[0].1.contains(": a?b."), "{problems:?}");
    assert!(
        problems[1].1.starts_with("2 items are") && problems[1].1.contains(": con, end."),
        "{problems:?}"
    );
}

#[test]
fn a_name_may_have_as_many_units_as_the_volume_counts() {
    let plan = files(["漢漢漢漢", "😀😀", "five5"]);
    let counted = |name_units| VolumeFacts { max_name: 4, name_units, ..facts("ext4") };
    let windows = on_volume(&plan, &counted(NameUnits::Utf16));
    assert_eq!(windows.len(), 1);
    assert!(windows[0].1.contains("longer in name than 4 UTF-16 units") && windows[0].1.contains(": five5."));
    let unix = on_volume(&plan, &counted(NameUnits::Bytes));
    assert!(unix[0].1.starts_with("3 items are longer in name than 4 bytes"), "{}", unix[0].1);
}

#[test]
fn names_that_differ_only_in_case_collide_where_case_is_not_told_apart() {
    let left =
        Item::folder(0, [("a", Item::file(1, 0)), ("A", Item::folder(0, [])), ("b", Item::file(1, 0))]);
    let plan = plan_of(&left, &Item::folder(0, []));
    let insensitive = VolumeFacts { case: CaseRule::Insensitive, ..facts("ext4") };
    let problems = on_volume(&plan, &insensitive);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].1.starts_with("1 item is in the way of another"), "{}", problems[0].1);
    assert!(on_volume(&plan, &facts("ext4")).is_empty());
}

#[test]
fn a_list_of_many_names_is_cut_and_counted() {
    let problems = on_volume(&files(["a?", "b?", "c?", "d?", "e?"]), &facts("exfat"));
    assert!(problems[0].1.contains("a?, b?, c? and 2 more"), "{}", problems[0].1);
}

#[test]
fn files_too_large_and_targets_marked_read_only_fail_as_items() {
    let limit = VolumeFacts { max_file_bytes: 4, ..facts("vfat") };
    let problems = on_volume(&files(["f"]), &limit);
    assert_eq!(problems[0].0, Severity::ItemFails);
    assert!(problems[0].1.starts_with("1 item is larger than 4 B"), "{}", problems[0].1);
    let comparison = {
        let right = Item::folder(0, [("f", Item::file(1, 0))]).scan(Exact);
        compare_trees(Item::folder(0, [("f", Item::file(5, 0))]).scan(Exact), right, &Settings::default())
    };
    let mut plan = plan(&comparison, Side::Right, &|_| true, &Settings::default());
    assert!(on_volume(&plan, &facts("ext4")).is_empty());
    let read_only = fcs_sys::Attributes(if cfg!(windows) { 1 } else { 0o444 });
    plan.folders[0].steps[0].expect_target.as_mut().unwrap().attributes = read_only;
    let problems = on_volume(&plan, &facts("ext4"));
    if cfg!(windows) {
        assert_eq!(problems[0].0, Severity::ItemFails);
        assert!(problems[0].1.contains("read-only") && problems[0].1.contains(": f."), "{}", problems[0].1);
    } else {
        assert!(problems.is_empty(), "P1: missing write permission is no protection: {problems:?}");
    }
    plan.folders[0].steps[0].target_protection = Some(fcs_sys::Protection::Immutable);
    let problems = on_volume(&plan, &facts("ext4"));
    let said = problems.iter().find(|p| p.1.contains("immutable")).unwrap();
    assert!(said.0 == Severity::ItemFails && said.1.contains(": f."), "{}", said.1);
}

#[test]
fn a_read_only_volume_refuses_and_one_in_memory_warns_only_if_something_is_verified() {
    let plan = files(["f"]);
    let read_only = VolumeFacts { read_only: true, ..facts("ext4") };
    assert_eq!(on_volume(&plan, &read_only)[0].0, Severity::Refuses);
    let memory = VolumeFacts { place: Place::Memory, ..facts("tmpfs") };
    assert_eq!(on_volume(&plan, &memory)[0].0, Severity::Warns);
    let mut unverified = plan;
    unverified.targets[0].totals.verified = (0, 0);
    assert!(on_volume(&unverified, &memory).is_empty());
}

#[test]
fn too_little_room_refuses_locally_and_warns_on_a_network() {
    let plan = files(["a", "b"]);
    let settings = Settings { space_margin_bytes: 100, ..Settings::default() };
    let verdicts = |free, free_items, network| {
        let space = Space { free, total: 1 << 40, free_items };
        let problems = check_space((&[part(&plan)], Later::default()), space, network, "/target", &settings);
        problems.into_iter().map(|p| p.severity).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(109, None, false), [Severity::Refuses]);
    assert_eq!(verdicts(109, None, true), [Severity::Warns]);
    assert_eq!(verdicts(110, None, false), [Severity::Warns], "fits, but perhaps not in whole blocks");
    assert_eq!(verdicts(2 * 4096 + 100, None, false), []);
    assert_eq!(verdicts(1 << 30, Some(1), false), [Severity::Refuses]);
    assert_eq!(verdicts(1 << 30, Some(2), false), []);
}

#[test]
fn everything_is_found_at_once_and_the_worst_comes_first() {
    let tmp = tempfile::tempdir().unwrap();
    let left = tmp.path().join("l");
    std::fs::create_dir_all(&left).unwrap();
    let right = left.clone();
    let mut plan = files(["a"]);
    plan.targets[0].totals.bytes = u64::MAX / 2;
    let found =
        check(&plan, &[&open_root(&left).unwrap(), &open_root(&right).unwrap()], &Settings::default());
    assert!(found.refuses());
    assert!(found.problems.iter().filter(|p| p.severity == Severity::Refuses).count() >= 2);
    assert!(found.problems.is_sorted_by_key(|p| p.severity));
    assert!(found.bytes_free.is_some() && found.bytes_needed == u64::MAX / 2);
    let empty = plan_of(&Item::folder(0, []), &Item::folder(0, []));
    let other = tmp.path().join("o");
    std::fs::create_dir(&other).unwrap();
    let found =
        check(&empty, &[&open_root(&left).unwrap(), &open_root(&other).unwrap()], &Settings::default());
    assert!(found.problems.is_empty());
}

#[test]
fn a_full_volume_keeps_nobody_from_removing_unless_even_the_journal_has_no_room() {
    let right = Item::folder(0, [("a", Item::file(5, 0)), ("b", Item::file(6, 0))]);
    let comparison = compare_models(&Item::folder(0, []), &right, Exact, &Settings::default());
    let plan = crate::plan::plan_orphans(&comparison, Side::Right, &|_| true, &Settings::default());
    assert_eq!((plan.totals.bytes, plan.totals.bytes_removed), (0, 11));
    let verdicts = |free| {
        let space = Space { free, total: 1 << 40, free_items: None };
        let problems =
            check_space((&[part(&plan)], Later::default()), space, false, "/target", &Settings::default());
        problems.into_iter().map(|p| p.severity).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(1 << 20), [], "the margin is for copies");
    assert_eq!(verdicts(4096), [Severity::Refuses]);
}

#[test]
fn originals_that_are_kept_are_counted_unless_nothing_is_kept() {
    let tmp = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        std::fs::create_dir(tmp.path().join(name)).unwrap();
        open_root(&tmp.path().join(name)).unwrap()
    };
    let left = Item::folder(0, [("f", Item::file(1, 0))]);
    let right = Item::folder(0, [("f", Item::file(100, 0)), ("gone", Item::file(20, 0))]);
    let comparison = compare_models(&left, &right, Exact, &Settings::default());
    let plan = crate::plan::plan_sync(&comparison, Side::Right, &|_| true, &Settings::default());
    let (l, r) = (open("l"), open("r"));
    let kept = |undo| check(&plan, &[&l, &r], &Settings { undo, ..Settings::default() }).bytes_kept;
    assert_eq!((kept(Undo::Last), kept(Undo::Days(3)), kept(Undo::Off)), (120, 120, 0));
}

#[test]
fn a_root_that_cannot_hold_the_journal_is_refused_once() {
    let problems = |may_change, read_only| {
        let mut problems = Vec::new();
        check_root(may_change, read_only, "/target", &mut problems);
        problems.into_iter().map(|p| (p.severity, p.text)).collect::<Vec<_>>()
    };
    assert!(problems(Ok(true), false).is_empty());
    assert!(problems(Ok(false), true).is_empty(), "the read-only volume has a message of its own");
    let refused = problems(Ok(false), false);
    assert_eq!(refused[0].0, Severity::Refuses);
    assert!(
        refused[0].1.starts_with("/target cannot be written to: you do not have permission."),
        "{refused:?}"
    );
    assert_eq!(problems(Err(std::io::ErrorKind::Other.into()), false)[0].0, Severity::Warns);
}

#[test]
fn where_room_is_short_what_earlier_runs_keep_is_told() {
    let tmp = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        std::fs::create_dir_all(tmp.path().join(name)).unwrap();
        open_root(&tmp.path().join(name)).unwrap()
    };
    let (left, right) = (open("l"), open("r"));
    let settings = Settings::default();
    let control = crate::Control::default();
    let plan_now = || {
        let filter = crate::filter::Filter::default();
        let (l, r) = crate::scan::scan_pair(&left, &right, &filter, &settings, &control).unwrap();
        let comparison =
            crate::compare::compare((&left, l.into()), (&right, r.into()), &settings, &control).unwrap();
        plan(&comparison, Side::Right, &|_| true, &settings)
    };
    std::fs::write(tmp.path().join("l/f"), "new").unwrap();
    std::fs::write(tmp.path().join("r/f"), "older content").unwrap();
    let options = crate::run::RunOptions::default();
    crate::run::run(&plan_now(), &[&left, &right], &settings, &options, &control).unwrap();
    std::fs::write(tmp.path().join("l/g"), "another").unwrap();
    let texts = |settings: &Settings| {
        let found = check(&plan_now(), &[&left, &right], settings);
        found.problems.into_iter().map(|p| p.text).collect::<Vec<_>>().join("\n")
    };
    assert!(!texts(&settings).contains("Earlier runs"));
    let short = texts(&Settings { space_margin_bytes: u64::MAX, ..settings.clone() });
    assert!(short.contains("keep 13 B of originals for undo"), "{short}");
}

/// L5, L6, P3: a preview that may not write says what is known of the volume's kind, and that it is not known else.
#[cfg(unix)] // The simulated disk is there on Unix only.
#[test]
fn what_was_not_tried_is_known_of_some_volumes_and_said_to_be_open_of_others() {
    use fcs_testkit::sim::{Options, SimFs};
    let link = Item::Link { text: b'x', modified: 0 };
    let left = Item::folder(0, [("a?b", Item::file(1, 0)), ("link", link)]);
    let plan = plan_of(&left, &Item::folder(0, []));
    let source = tempfile::tempdir().unwrap();
    let texts = |file_system: &str| {
        let disk = SimFs::new(Options { file_system: file_system.into(), ..Options::fat() });
        let ticks = disk.ticks();
        let (source, target) = (open_root(source.path()).unwrap(), disk.root());
        let found = check(&plan, &[&source, &target], &Settings::default());
        assert_eq!(disk.ticks(), ticks, "nothing was written");
        found.problems.into_iter().map(|p| (p.severity, p.text)).collect::<Vec<_>>()
    };
    let has = |texts: &[(Severity, String)], severity, part: &str| {
        texts.iter().any(|(s, text)| *s == severity && text.contains(part))
    };
    let fat = texts("vfat");
    assert!(has(&fat, Severity::Warns, "symbolic links, which the volume"), "{fat:?}");
    assert!(has(&fat, Severity::Warns, "stores no permissions or owners"), "{fat:?}");
    assert!(has(&fat, Severity::ItemFails, "in a way that vfat does not allow"), "{fat:?}");
    assert!(!has(&fat, Severity::Warns, "shows only in a test"), "{fat:?}");
    let served = texts("fuseblk");
    assert!(has(&served, Severity::Warns, "shows only in a test"), "{served:?}");
    assert!(has(&served, Severity::Warns, "in a way that fuseblk may not allow"), "{served:?}");
    assert!(!has(&served, Severity::Warns, "symbolic links, which the volume"), "{served:?}");
    let own = texts("ext4");
    assert!(!own.iter().any(|(_, text)| text.contains("tried") || text.contains("symbolic")), "{own:?}");
}
