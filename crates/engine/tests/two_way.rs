//! Two-way runs on real folders, with a memory that is learned from one run to the next: what users of such programs have
//! reported lost elsewhere.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::put;
use fcs_engine::compare::Side;
use fcs_engine::directions::{Conflicts, Mode, Why};
use fcs_engine::history::{RunState, list};
use fcs_engine::memory::Remembered;
use fcs_engine::report::{Outcome, Report, RunResult, SkipReason};
use fcs_engine::run::RunOptions;
use fcs_engine::session::{Folders, Limits, Proposal, Task, roots_of, undo_in_all};
use fcs_engine::settings::{ReplaceKinds, Undo};
use fcs_engine::{Control, Settings};
use fcs_testkit::listing::{Kind, Listing, Options, diff, listing};

const START: u64 = 1_000_000;

/// Two folders and what is remembered of them.
struct Pair {
    _temporary: tempfile::TempDir,
    left: std::path::PathBuf,
    right: std::path::PathBuf,
    settings: Settings,
    exclude: Vec<String>,
    remembered: Remembered,
    /// Seconds since [`START`]: each file is written at a time of its own.
    clock: u64,
}

impl Pair {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let [left, right] = ["left", "right"].map(|side| temporary.path().join(side));
        fs::create_dir(&left).unwrap();
        fs::create_dir(&right).unwrap();
        let settings = Settings { undo: Undo::Days(30), ..Settings::default() };
        let remembered = Remembered::default();
        Self { _temporary: temporary, left, right, settings, exclude: Vec::new(), remembered, clock: 0 }
    }

    /// Both sides hold these files alike, and that is remembered.
    fn with(files: &[&str]) -> Self {
        let mut pair = Self::new();
        files.iter().for_each(|file| pair.write("left", file, &format!("the first {file}")));
        pair.both_ways();
        assert_eq!(pair.seen("left"), pair.seen("right"));
        assert_eq!(pair.both_ways().items.len(), 0, "the second run does nothing");
        pair
    }

    fn root(&self, side: &str) -> &Path {
        if side == "left" { &self.left } else { &self.right }
    }

    fn write(&mut self, side: &str, file: &str, content: &str) {
        self.clock += 10;
        self.write_at(side, file, content, START + self.clock);
    }

    fn write_at(&self, side: &str, file: &str, content: &str, seconds: u64) {
        let path = self.root(side).join(file);
        put(&path, content);
        set_modified(&path, seconds);
    }

    fn remove(&self, side: &str, file: &str) {
        let path = self.root(side).join(file);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    fn rename(&self, side: &str, from: &str, to: &str) {
        fs::rename(self.root(side).join(from), self.root(side).join(to)).unwrap();
    }

    fn read(&self, side: &str, file: &str) -> Option<String> {
        fs::read_to_string(self.root(side).join(file)).ok()
    }

    /// What both sides hold of a file.
    fn both(&self, file: &str) -> [Option<String>; 2] {
        ["left", "right"].map(|side| self.read(side, file))
    }

    fn seen(&self, side: &str) -> Listing {
        let mut seen = listing(self.root(side), &Options::default()).unwrap();
        seen.retain(|path, item| !path.starts_with(".fcs") && item.kind != Kind::Dir);
        seen
    }

    fn folders(&self) -> Folders {
        Folders::open(&self.left, &self.right, &[], &self.exclude, &self.settings).unwrap()
    }

    fn propose(&self, mode: Mode) -> (Folders, fcs_engine::compare::Comparison, Proposal) {
        let folders = self.folders();
        let comparison = folders.compare(&self.settings, &Control::default()).unwrap();
        let remembered = Some(Arc::new(self.remembered.clone()));
        let limits = Limits { remembered, allowed: Some(100), ..Limits::default() };
        let proposal = folders.propose(Task::Directed(mode), &comparison, &|_| true, &self.settings, &limits);
        assert!(!proposal.preflight.refuses(), "{:?}", proposal.preflight.problems);
        (folders, comparison, proposal)
    }

    fn sync(&mut self, conflicts: Conflicts) -> Report {
        let (folders, first, proposal) = self.propose(Mode::TwoWay { conflicts });
        let control = Control::default();
        let report = folders.run(&proposal, &self.settings, &RunOptions::default(), &control).unwrap();
        assert_eq!(report.result, RunResult::Completed, "{report:#?}");
        let news =
            folders.learn(&first, (&proposal, &report), &self.remembered, &self.settings, &control).unwrap();
        self.remembered = self.remembered.with(news);
        report
    }

    fn both_ways(&mut self) -> Report {
        self.sync(Conflicts::Later)
    }

    fn conflicts(&self) -> Vec<(String, Why)> {
        let (.., proposal) = self.propose(Mode::TwoWay { conflicts: Conflicts::Later });
        proposal.conflicts.into_iter().map(|(path, why)| (path.to_string(), why)).collect()
    }
}

fn set_modified(path: &Path, seconds: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

#[test]
fn a_first_run_brings_both_together_and_removes_and_replaces_nothing() {
    let mut pair = Pair::new();
    pair.write("left", "l", "only left");
    pair.write("right", "sub/r", "only right");
    pair.write("left", "both", "left's");
    pair.write("right", "both", "right's, longer");
    let report = pair.both_ways();
    assert_eq!((report.counts.copied, report.counts.removed), (2, 0));
    assert_eq!(pair.both("both"), [Some("left's".into()), Some("right's, longer".into())]);
    assert_eq!(pair.both("l")[1], Some("only left".into()));
    assert_eq!(pair.both("sub/r")[0], Some("only right".into()));
    assert_eq!(pair.conflicts(), [("both".to_owned(), Why::BothNew)]);
    assert_eq!(pair.both_ways().counts.copied, 0, "and the conflict waits");
}

#[test]
fn changes_and_removals_travel_each_way_in_one_run_and_one_undo_takes_both_back() {
    let mut pair = Pair::with(&["edit l", "edit r", "gone l", "gone r", "d/stays"]);
    pair.write("left", "edit l", "edited on the left");
    pair.write("right", "edit r", "edited on the right");
    pair.remove("left", "gone l");
    pair.remove("right", "gone r");
    let before = ["left", "right"].map(|side| pair.seen(side));
    let remembered = pair.remembered.clone();
    let report = pair.both_ways();
    assert_eq!((report.counts.copied, report.counts.removed), (2, 2), "{report:#?}");
    assert_eq!(pair.seen("left"), pair.seen("right"));
    assert_eq!(pair.both("gone l"), [None, None]);
    assert_eq!(pair.both_ways().items.len(), 0);

    let folders = pair.folders();
    let run = list(&folders.left).unwrap().into_iter().find(|run| run.run == report.run).unwrap();
    let undone = undo_in_all(&roots_of(&folders.left, &run), &run.run, &Control::default()).unwrap();
    assert_eq!(undone.len(), 2);
    assert!(undone.iter().flat_map(|at| &at.reports).all(|report| report.state == RunState::RolledBack));
    for (before, side) in before.iter().zip(["left", "right"]) {
        assert_eq!(diff(before, &pair.seen(side)), Vec::<String>::new(), "{side}");
    }
    // With the memory as it was, the same run is proposed again, less what undo touched.
    pair.remembered = remembered;
    let (.., proposal) = pair.propose(Mode::TwoWay { conflicts: Conflicts::Later });
    assert_eq!(proposal.plan.totals.replaced_files, 2);
    assert!(proposal.conflicts.is_empty());
}

#[test]
fn removed_here_and_changed_there_comes_back() {
    let mut pair = Pair::with(&["a", "d/b"]);
    pair.remove("left", "a");
    pair.write("right", "a", "changed meanwhile");
    pair.remove("right", "d");
    pair.write("left", "d/b", "changed, and its folder is gone there");
    assert_eq!(pair.both_ways().counts.removed, 0);
    assert_eq!(pair.both("a"), [Some("changed meanwhile".into()), Some("changed meanwhile".into())]);
    assert_eq!(pair.both("d/b")[1], Some("changed, and its folder is gone there".into()));
}

#[test]
fn removed_on_both_sides_is_forgotten_and_may_come_anew() {
    let mut pair = Pair::with(&["a", "b"]);
    pair.remove("left", "a");
    pair.remove("right", "a");
    assert_eq!(pair.both_ways().items.len(), 0);
    // The very file from a backup, date and all.
    pair.write_at("left", "a", "the first a", START + 10);
    assert_eq!(pair.both_ways().counts.removed, 0);
    assert_eq!(pair.both("a")[1], Some("the first a".into()));
}

#[test]
fn changed_on_both_sides_waits_or_goes_as_was_chosen() {
    for (conflicts, expected) in [
        (Conflicts::Later, ["left's", "right's later"]),
        (Conflicts::Newest, ["right's later"; 2]),
        (Conflicts::Left, ["left's"; 2]),
        (Conflicts::Right, ["right's later"; 2]),
    ] {
        let mut pair = Pair::with(&["a"]);
        pair.write("left", "a", "left's");
        pair.write("right", "a", "right's later");
        assert_eq!(pair.conflicts(), [("a".to_owned(), Why::BothChanged)]);
        pair.sync(conflicts);
        assert_eq!(pair.both("a"), expected.map(|text| Some(text.to_owned())), "{conflicts:?}");
        assert_eq!(pair.conflicts().is_empty(), conflicts != Conflicts::Later);
    }
}

#[test]
fn both_versions_are_kept_on_both_sides_in_one_go_and_undone_in_one() {
    let mut pair = Pair::with(&["a.txt", "other"]);
    pair.write("left", "a.txt", "left's");
    pair.write("right", "a.txt", "right's later");
    let before = ["left", "right"].map(|side| pair.seen(side));
    let report = pair.sync(Conflicts::KeepBoth);
    for side in ["left", "right"] {
        assert_eq!(pair.read(side, "a.txt").unwrap(), "right's later", "{side}");
        assert_eq!(pair.read(side, "a.conflict-left.txt").unwrap(), "left's", "{side}");
    }
    assert_eq!(pair.both_ways().items.len(), 0, "nothing is left to do");
    // And the name is remembered: a removal of it travels.
    let folders = pair.folders();
    let run = list(&folders.right).unwrap().into_iter().find(|run| run.run == report.run).unwrap();
    undo_in_all(&roots_of(&folders.right, &run), &run.run, &Control::default()).unwrap();
    for (before, side) in before.iter().zip(["left", "right"]) {
        assert_eq!(diff(before, &pair.seen(side)), Vec::<String>::new(), "{side}");
    }
}

/// What the plan moves, and how many files it copies or replaces.
fn moved(proposal: &Proposal) -> (Vec<String>, [u64; 2]) {
    let moves = proposal.plan.changes.iter();
    let moves = moves.map(|change| format!("{} > {}", change.path(), change.new_path().unwrap()));
    (moves.collect(), [proposal.plan.totals.new_files, proposal.plan.totals.replaced_files])
}

/// Undoes the only thing that a run did, on the side that it wrote to.
fn undo_on(pair: &Pair, side: &str, report: &Report) {
    let folders = pair.folders();
    let root = if side == "left" { &folders.left } else { &folders.right };
    let run = list(root).unwrap().into_iter().find(|run| run.run == report.run).unwrap();
    let undone = undo_in_all(&roots_of(root, &run), &run.run, &Control::default()).unwrap();
    assert!(undone.iter().flat_map(|at| &at.reports).all(|report| report.state == RunState::RolledBack));
}

/// By the number of the file: nothing else tells that it is one that was renamed.
#[test]
fn what_was_renamed_and_edited_moves_and_is_brought_over() {
    for (side, other) in [("left", "right"), ("right", "left")] {
        let mut pair = Pair::with(&["d/a", "stays"]);
        let before = pair.seen(other);
        fs::create_dir(pair.root(side).join("e")).unwrap();
        pair.rename(side, "d/a", "e/b");
        pair.write(side, "e/b", "edited, and longer than before");
        let remembered = pair.remembered.clone();
        let (.., proposal) = pair.propose(Mode::TwoWay { conflicts: Conflicts::Later });
        assert_eq!(moved(&proposal), (vec!["d/a > e/b".to_owned()], [0, 1]), "{side}");
        assert_eq!(proposal.plan.removed().count(), 0);
        let report = pair.both_ways();
        assert_eq!(pair.both("e/b"), [(); 2].map(|()| Some("edited, and longer than before".to_owned())));
        assert_eq!(pair.both("d/a"), [None, None]);
        assert_eq!(pair.both_ways().items.len(), 0, "the second run does nothing");
        undo_on(&pair, other, &report);
        assert_eq!(diff(&before, &pair.seen(other)), Vec::<String>::new());

        // Where the other side changed it too, nothing is taken from its place.
        pair.remembered = remembered;
        pair.write(other, "d/a", "and the other one");
        let (.., proposal) = pair.propose(Mode::TwoWay { conflicts: Conflicts::Later });
        assert_eq!(moved(&proposal).0, Vec::<String>::new());
    }
}

/// Small files of one folder, which nothing but their numbers tells apart.
#[test]
fn names_that_were_handed_on_or_swapped_are_renamed_by_what_is_remembered() {
    let mut pair = Pair::with(&["a", "b", "x", "y"]);
    let before = pair.seen("right");
    for (from, to) in [("b", "c"), ("a", "b"), ("x", "spare"), ("y", "x"), ("spare", "y")] {
        pair.rename("left", from, to);
    }
    let (.., proposal) = pair.propose(Mode::TwoWay { conflicts: Conflicts::Later });
    let (mut moves, copies) = moved(&proposal);
    moves.sort();
    assert_eq!((moves, copies), (["a > b", "b > c", "x > y", "y > x"].map(str::to_owned).to_vec(), [0, 0]));
    let report = pair.both_ways();
    for (now, was) in [("b", "a"), ("c", "b"), ("y", "x"), ("x", "y")] {
        assert_eq!(pair.both(now), [(); 2].map(|()| Some(format!("the first {was}"))));
    }
    assert_eq!(pair.both_ways().items.len(), 0, "the second run does nothing");
    undo_on(&pair, "right", &report);
    assert_eq!(diff(&before, &pair.seen("right")), Vec::<String>::new());
}

#[test]
fn names_that_are_cut_alike_and_a_pattern_without_the_extension_still_keep_every_version() {
    let long = "x".repeat(250);
    let [one, two] = [format!("{long}1"), format!("{long}2")];
    for (pattern, files) in
        [("{stem}.conflict-{side}{ext}", [one.as_str(), two.as_str()]), ("{side} {stem}", ["a.txt", "a.md"])]
    {
        let mut pair = Pair::with(&files);
        pair.settings.conflict_name = pattern.parse().unwrap();
        for side in ["left", "right"] {
            files.iter().for_each(|file| pair.write(side, file, &format!("{file} of the {side}")));
        }
        pair.sync(Conflicts::KeepBoth);
        for side in ["left", "right"] {
            let mut found: Vec<String> = pair
                .seen(side)
                .keys()
                .map(|path| fs::read_to_string(pair.root(side).join(path)).unwrap())
                .collect();
            found.sort();
            let mut wanted: Vec<String> = files
                .iter()
                .flat_map(|file| ["left", "right"].map(|of| format!("{file} of the {of}")))
                .collect();
            wanted.sort();
            assert_eq!(found, wanted, "{pattern}, {side}");
        }
        assert_eq!(pair.both_ways().items.len(), 0, "{pattern}");
    }
}

#[test]
fn the_version_that_loses_its_name_is_called_as_the_setting_says() {
    let mut pair = Pair::with(&["a.txt"]);
    pair.settings.conflict_name = "{stem} ({side}, {date} {time}){ext}".parse().unwrap();
    pair.write("left", "a.txt", "left's");
    pair.write("right", "a.txt", "right's later");
    pair.sync(Conflicts::KeepBoth);
    let kept = pair.both("a (left, 1970-01-12 13-47-00).txt");
    assert_eq!(kept, [Some("left's".into()), Some("left's".into())], "{:?}", pair.seen("left").keys());
}

#[test]
fn the_version_that_loses_its_name_gets_one_that_nothing_has_that_a_pattern_hides() {
    let mut pair = Pair::with(&["a.txt", "d/b"]);
    // What a pattern hides is on the disk of one side, under the first and the second name.
    pair.write("left", "a.conflict-left.txt", "hidden left");
    pair.write("right", "a.conflict-left-2.txt", "hidden right");
    pair.write("right", "d/b.conflict-right", "hidden below");
    pair.exclude = vec!["*.conflict-*".into()];
    for (side, what) in [("left", "left's"), ("right", "right's later")] {
        pair.write(side, "a.txt", what);
        pair.write(side, "d/b", what);
    }
    pair.write("left", "d/b", "left's latest");
    let report = pair.sync(Conflicts::KeepBoth);
    assert_eq!(report.counts.skipped, 0, "{report:#?}");
    assert_eq!(pair.both("a.conflict-left-3.txt"), [Some("left's".into()), Some("left's".into())]);
    assert_eq!(
        pair.both("d/b.conflict-right-2"),
        [Some("right's later".into()), Some("right's later".into())]
    );
    assert_eq!(pair.both("a.conflict-left.txt"), [Some("hidden left".into()), None]);
    assert_eq!(pair.both("a.conflict-left-2.txt"), [None, Some("hidden right".into())]);
    assert_eq!(pair.both("d/b.conflict-right"), [None, Some("hidden below".into())]);
}

/// A file that was moved into a folder of which the other side has a file: it stays where it was, and it is said.
#[test]
fn what_cannot_come_to_its_new_path_stays_at_the_old_one_in_every_mode() {
    for mode in [Mode::Mirror(Side::Right), Mode::TwoWay { conflicts: Conflicts::Later }] {
        let mut pair = Pair::with(&["a", "keep"]);
        fs::create_dir(pair.left.join("d")).unwrap();
        pair.rename("left", "a", "d/a");
        pair.write("right", "d", "a file");
        pair.settings.replace_kinds = ReplaceKinds::Never;
        let (folders, _, proposal) = pair.propose(mode);
        let report =
            folders.run(&proposal, &pair.settings, &RunOptions::default(), &Control::default()).unwrap();
        assert_eq!(pair.both("a"), [None, Some("the first a".into())], "{mode:?}: {report:#?}");
        let told = report.items.iter().find(|item| item.path.to_string() == "a").unwrap();
        assert_eq!(told.root, Side::Right.into(), "{mode:?}");
        let why = SkipReason::NewPathLacking;
        assert!(
            matches!(told.outcome, Outcome::Skipped { why: found } if found == why),
            "{mode:?}: {told:?}"
        );
    }
}

/// The name that is made free is filled in a second run, which needs its room too.
#[test]
fn preflight_counts_both_versions_that_are_copied() {
    let mut pair = Pair::with(&["a.txt"]);
    pair.write("left", "a.txt", "left's");
    pair.write("right", "a.txt", "right's later");
    let (.., proposal) = pair.propose(Mode::TwoWay { conflicts: Conflicts::KeepBoth });
    assert_eq!(proposal.plan.totals.bytes, 6, "the first run copies the older version alone");
    assert_eq!(proposal.preflight.bytes_needed, 6 + 13);
}

#[test]
fn a_side_that_was_restored_from_an_old_backup_takes_nothing_from_the_other() {
    let mut pair = Pair::with(&["a", "b"]);
    pair.write("left", "a", "the second a");
    pair.write("left", "c", "made after the backup");
    pair.both_ways();
    // The right side as it was at first, in new files: what came later is missing there.
    for file in ["a", "b", "c"] {
        pair.remove("right", file);
    }
    pair.write_at("right", "a", "the first a", START + 10);
    pair.write_at("right", "b", "the first b", START + 20);
    let (.., proposal) = pair.propose(Mode::TwoWay { conflicts: Conflicts::Later });
    // Looks like an edit and a removal by somebody who knew the second version; so it is told that an older file would
    // replace a newer one, and what goes stays in the undo store.
    assert_eq!((proposal.plan.totals.replaced_newer, proposal.plan.totals.removed_files), (1, 1));
    pair.both_ways();
    assert_eq!(pair.both("b"), [Some("the first b".into()), Some("the first b".into())]);
    let folders = pair.folders();
    let run = list(&folders.left).unwrap().remove(0);
    undo_in_all(&roots_of(&folders.left, &run), &run.run, &Control::default()).unwrap();
    assert_eq!(pair.read("left", "a").unwrap(), "the second a");
    assert_eq!(pair.read("left", "c").unwrap(), "made after the backup");
}

#[test]
fn a_whole_folder_that_is_another_one_removes_nothing() {
    let mut pair = Pair::with(&["d/a", "d/b", "e"]);
    // As where a disk was swapped for an empty one at a mount point in the tree.
    fs::create_dir(pair.right.join("another")).unwrap();
    pair.remove("right", "d");
    pair.rename("right", "another", "d");
    assert_eq!(pair.both_ways().counts.removed, 0);
    assert_eq!(pair.both("d/a")[1], Some("the first d/a".into()));
}

#[test]
fn a_clock_that_is_a_day_off_on_one_side_makes_no_conflicts() {
    let mut pair = Pair::with(&["a", "b", "c"]);
    // The right side's machine writes with a clock that is a day behind: older than what it replaces, and still the change.
    pair.clock += 100_000;
    pair.write("left", "b", "left's");
    pair.write_at("right", "a", "right's", START - 86_400);
    pair.both_ways();
    assert_eq!(pair.both("a"), [Some("right's".into()), Some("right's".into())]);
    assert_eq!(pair.both("b"), [Some("left's".into()), Some("left's".into())]);
    assert_eq!(pair.both_ways().items.len(), 0);
}

#[test]
fn renamed_here_and_edited_there_keeps_the_edit_and_the_new_name() {
    let mut pair = Pair::with(&["old", "d/x"]);
    pair.rename("left", "old", "new");
    pair.write("right", "old", "edited there");
    pair.both_ways();
    for side in ["left", "right"] {
        assert_eq!(pair.read(side, "old").unwrap(), "edited there", "{side}");
        assert_eq!(pair.read(side, "new").unwrap(), "the first old", "{side}");
    }
}

#[test]
fn a_folder_renamed_here_with_something_new_in_it_there_loses_nothing() {
    let mut pair = Pair::with(&["d/a", "d/b"]);
    pair.rename("left", "d", "renamed");
    pair.write("right", "d/new", "made there meanwhile");
    pair.both_ways();
    for side in ["left", "right"] {
        assert_eq!(pair.read(side, "d/new").unwrap(), "made there meanwhile", "{side}");
        assert_eq!(pair.read(side, "renamed/a").unwrap(), "the first d/a", "{side}");
    }
    assert_eq!(pair.seen("left"), pair.seen("right"));
    assert_eq!(pair.both_ways().items.len(), 0);
}

#[test]
fn removed_here_and_moved_there_stays_where_it_was_moved_to() {
    let mut pair = Pair::with(&["a", "d/x"]);
    pair.remove("left", "a");
    pair.rename("right", "a", "d/a");
    pair.both_ways();
    assert_eq!(pair.both("d/a"), [Some("the first a".into()), Some("the first a".into())]);
    assert_eq!(pair.both("a"), [None, None]);
}

#[test]
fn what_a_new_filter_hides_is_neither_removed_nor_forgotten_as_removed() {
    let mut pair = Pair::with(&["a", "b.tmp"]);
    pair.exclude = vec!["*.tmp".into()];
    // Another filter is another memory: whoever keeps one begins anew.
    pair.remembered = Remembered::default();
    pair.remove("left", "b.tmp");
    assert_eq!(pair.both_ways().items.len(), 0);
    assert_eq!(pair.both("b.tmp"), [None, Some("the first b.tmp".into())]);
    pair.exclude.clear();
    pair.remembered = Remembered::default();
    pair.both_ways();
    assert_eq!(pair.both("b.tmp")[0], Some("the first b.tmp".into()));
}

#[test]
fn a_disk_that_two_computers_use_has_two_memories_that_do_not_mislead_each_other() {
    let mut first = Pair::with(&["a", "b", "c"]);
    let memory_of_first = first.remembered.clone();
    // The other computer has a folder of its own and the same disk, the right side.
    let disk = first.right.clone();
    let mut second = Pair::new();
    second.right = disk;
    second.both_ways();
    assert_eq!(second.read("left", "a").unwrap(), "the first a");
    second.write("left", "new there", "made on the second computer");
    second.remove("left", "b");
    second.write("left", "c", "edited on the second computer");
    second.both_ways();
    // Back at the first one.
    assert_eq!(first.remembered, memory_of_first);
    first.write("left", "a", "edited on the first computer");
    first.both_ways();
    assert_eq!(first.read("left", "new there").unwrap(), "made on the second computer");
    assert_eq!(first.read("left", "b"), None);
    assert_eq!(first.read("left", "c").unwrap(), "edited on the second computer");
    second.both_ways();
    assert_eq!(second.seen("left"), first.seen("left"));
}

#[test]
fn an_interrupted_first_run_is_a_first_run_again() {
    let mut pair = Pair::new();
    pair.write("left", "a", "a");
    pair.write("right", "b", "b");
    let (folders, _, proposal) = pair.propose(Mode::TwoWay { conflicts: Conflicts::Later });
    let control = Control::default();
    control.cancel.cancel();
    let report = folders.run(&proposal, &pair.settings, &RunOptions::default(), &control).unwrap();
    assert_eq!(report.result, RunResult::Cancelled);
    assert!(pair.remembered.is_empty());
    pair.both_ways();
    assert_eq!(pair.seen("left"), pair.seen("right"));
}

#[test]
fn a_name_respelled_on_one_side_is_two_names_where_case_counts_and_nothing_is_lost() {
    let mut pair = Pair::with(&["Name", "x"]);
    pair.rename("left", "Name", "name");
    pair.both_ways();
    assert_eq!(pair.seen("left"), pair.seen("right"));
    assert_eq!(pair.both("name"), [Some("the first Name".into()), Some("the first Name".into())]);
}

#[test]
fn what_is_made_the_same_on_both_sides_by_hand_is_no_conflict() {
    let mut pair = Pair::with(&["a"]);
    pair.write("left", "a", "the same edit");
    pair.write_at("right", "a", "the same edit", START + pair.clock);
    assert_eq!(pair.both_ways().items.len(), 0);
    pair.remove("right", "a");
    assert_eq!(pair.both_ways().counts.removed, 1, "and it was remembered as it is now");
}

#[test]
fn newest_takes_the_newer_of_each_and_removes_nothing() {
    let mut pair = Pair::with(&["a", "b", "c"]);
    pair.write("left", "a", "left's");
    pair.write("right", "b", "right's");
    pair.remove("right", "c");
    let (folders, _, proposal) = pair.propose(Mode::Newest);
    let report = folders.run(&proposal, &pair.settings, &RunOptions::default(), &Control::default()).unwrap();
    assert_eq!((report.counts.copied, report.counts.removed), (3, 0));
    assert_eq!(pair.both("a"), [Some("left's".into()), Some("left's".into())]);
    assert_eq!(pair.both("b"), [Some("right's".into()), Some("right's".into())]);
    assert_eq!(pair.both("c")[1], Some("the first c".into()));
}

/// Nothing is copied, the very file gets the new name, and it is known by it from then on.
#[test]
fn renamed_on_one_side_is_renamed_on_the_other_and_remembered_there() {
    use std::os::unix::fs::MetadataExt;
    let mut pair = Pair::with(&["d/a", "d/b", "c"]);
    let number = fs::metadata(pair.right.join("d/a")).unwrap().ino();
    pair.rename("left", "d", "renamed");
    pair.rename("right", "c", "see");
    let report = pair.both_ways();
    assert_eq!((report.counts.copied, report.counts.removed), (0, 0), "{report:#?}");
    assert_eq!(fs::metadata(pair.right.join("renamed/a")).unwrap().ino(), number);
    assert_eq!(pair.seen("left"), pair.seen("right"));
    assert_eq!(pair.both_ways().items.len(), 0);
    pair.remove("right", "see");
    pair.remove("left", "renamed/b");
    assert_eq!(pair.both_ways().counts.removed, 2, "removals travel from the new names");
}
