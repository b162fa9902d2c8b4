//! The mode: what is shown of it, decided by hand, confirmed, run, remembered and undone.

use std::fs;

use fcs_engine::compare::Side;
use fcs_engine::directions::{Act, Category, Choice as RowChoice, Conflicts, Mode};
use fcs_engine::report::RunResult;

use super::Bench;
use crate::app::{RowCommand, Sheet};
use crate::chips::Chip;
use crate::mode::TWO_WAY;

impl Bench {
    /// Chooses a mode and waits until it has decided.
    fn mode(&mut self, mode: Option<Mode>) {
        self.app.set_mode(mode);
        self.idle();
    }

    fn act(&self, path: &str) -> Act {
        self.app.directed().expect("a mode is in force").act(self.row(path))
    }

    fn by_hand(&self) -> usize {
        self.app.directed().map_or(0, |directed| directed.chosen().len())
    }

    /// Plans what the mode says.
    fn plan_mode(&mut self) {
        self.app.go_by_mode();
        self.planned();
    }

    fn planned(&mut self) {
        self.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    }

    /// Carries the plan out and waits for the comparison after it.
    fn run(&mut self) {
        self.app.go(false);
        self.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_) | Sheet::UserError(_))));
        self.idle();
    }

    /// Plans and runs.
    fn run_mode(&mut self) {
        self.plan_mode();
        self.run();
        assert!(matches!(self.ended().report.result, RunResult::Completed), "{:#?}", self.ended().report);
        self.app.close_sheet();
    }

    fn content(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| format!("{error}"))
    }

    fn obstacle(&self) -> Option<String> {
        match &self.app.sheet {
            Some(Sheet::Confirm(confirm)) => confirm.obstacle(),
            _ => panic!("no plan is shown"),
        }
    }
}

/// A pair that was brought together once, and was changed on both sides since.
fn remembered() -> Bench {
    let mut bench = Bench::new();
    for name in ["mine.txt", "theirs.txt", "both.txt", "gone left.txt", "gone right.txt", "old.txt"] {
        bench.dated(&format!("left/{name}"), name.as_bytes(), 100, 0);
        bench.dated(&format!("right/{name}"), name.as_bytes(), 100, 0);
    }
    for n in 0..6 {
        bench.dated(&format!("left/same/{n}"), b"same", 100, 0);
        bench.dated(&format!("right/same/{n}"), b"same", 100, 0);
    }
    bench.app.set_mode(Some(TWO_WAY));
    bench.compare();
    bench.run_mode();
    bench.dated("left/mine.txt", b"changed on the left", 200, 0);
    bench.dated("right/theirs.txt", b"changed on the right", 210, 0);
    bench.dated("left/both.txt", b"left version", 220, 0);
    bench.dated("right/both.txt", b"the right version", 230, 0);
    fs::remove_file(bench.path("left/gone left.txt")).unwrap();
    fs::remove_file(bench.path("right/gone right.txt")).unwrap();
    fs::rename(bench.path("left/old.txt"), bench.path("left/new.txt")).unwrap();
    bench.compare();
    bench
}

#[test]
fn without_a_mode_nothing_of_it_is_shown_or_done() {
    let mut bench = Bench::new();
    bench.dated("left/new.txt", b"moved", 5, 0);
    bench.dated("right/old.txt", b"moved", 5, 0);
    bench.compare();
    assert!(bench.app.mode().is_none() && bench.app.directed().is_none());
    assert_eq!((bench.app.chip_count(Chip::LeftOnly), bench.app.chip_count(Chip::Moved)), (1, 0));
    let row = bench.row("new.txt");
    let entries = bench.app.row_menu(row, Side::Left);
    assert!(entries.iter().all(|entry| !matches!(entry.command, RowCommand::Act(_))), "{entries:?}");
    bench.app.act_on(row, Some(RowChoice::Skip));
    bench.app.go_by_mode();
    assert!(bench.app.sheet.is_none() && bench.app.busy.is_none());
    assert!(!bench.path("home/pairs").exists(), "nothing is remembered");
}

#[test]
fn a_first_run_says_what_it_means_and_leaves_what_differs_for_later() {
    let mut bench = Bench::new();
    bench.dated("left/a.txt", b"left", 10, 0);
    bench.dated("right/a.txt", b"the right", 20, 0);
    bench.dated("left/mine.txt", b"mine", 10, 0);
    bench.dated("right/theirs.txt", b"theirs!", 10, 0);
    bench.app.set_mode(Some(TWO_WAY));
    bench.compare();
    assert_eq!(bench.act("mine.txt"), Act::CopyTo(Side::Right));
    assert_eq!(bench.act("theirs.txt"), Act::CopyTo(Side::Left));
    assert!(matches!(bench.act("a.txt"), Act::Conflict(_)));
    bench.plan_mode();
    let proposed = bench.proposed();
    let notes = proposed.memory_notes.join(" ");
    assert!(notes.contains("nothing is remembered of these two folders yet: nothing is removed"), "{notes}");
    assert_eq!((proposed.conflicts.len(), proposed.leaves_conflicts), (1, true));
    let conflict = &proposed.conflicts[0];
    assert_eq!((&*conflict.path, &*conflict.how), ("a.txt", "left for later"));
    let fact = |name: &str| proposed.facts.iter().find(|fact| fact.name == name).map(|fact| &*fact.text);
    assert!(fact("On the left").is_some_and(|text| text.starts_with("1 new file")), "{:?}", proposed.facts);
    assert!(fact("On the right").is_some_and(|text| text.starts_with("1 new file")));
    assert_eq!((fact("Copy"), fact("Ticked")), (None, None));
    assert_eq!(proposed.examples, ["→ + mine.txt", "← + theirs.txt"]);

    let offered: Vec<Conflicts> = proposed.conflict_choices().map(|(choice, _)| choice).collect();
    assert_eq!(
        offered,
        [Conflicts::Later, Conflicts::KeepBoth],
        "no side is chosen for what may be no conflict"
    );
    bench.app.settle(Conflicts::KeepBoth);
    bench.planned();
    assert!(bench.proposed().conflicts[0].how.contains("both versions are kept, the left one"));
    bench.run();
    let ended = bench.ended();
    let sides: Vec<&str> =
        ended.facts.iter().map(|fact| &*fact.name).filter(|name| name.starts_with("on the")).collect();
    assert_eq!(sides, ["on the left", "on the right"]);
    for side in ["left", "right"] {
        assert_eq!(bench.content(&format!("{side}/a.txt")), "the right");
        assert_eq!(bench.content(&format!("{side}/a.conflict-left.txt")), "left");
        assert_eq!(bench.content(&format!("{side}/mine.txt")), "mine");
        assert_eq!(bench.content(&format!("{side}/theirs.txt")), "theirs!");
    }
    assert!(!bench.ended().can_retry() && bench.ended().can_undo());
}

#[test]
fn changes_and_removals_go_both_ways_and_one_undo_undoes_both_sides_and_the_memory() {
    let mut bench = remembered();
    assert!(bench.app.directed().unwrap().notes().is_empty(), "the memory holds");
    assert_eq!(bench.act("mine.txt"), Act::CopyTo(Side::Right));
    assert_eq!(bench.act("theirs.txt"), Act::CopyTo(Side::Left));
    assert_eq!(bench.act("gone left.txt"), Act::RemoveFrom(Side::Right));
    assert_eq!(bench.act("gone right.txt"), Act::RemoveFrom(Side::Left));
    assert!(matches!(bench.act("both.txt"), Act::Conflict(_)));
    assert_eq!(bench.app.chip_count(Chip::Moved), 1);
    let before = ["left", "right"].map(|side| bench.listing(side));
    bench.plan_mode();
    assert!(
        bench.proposed().examples.contains(&"→ > old.txt → new.txt".to_owned()),
        "{:?}",
        bench.proposed().examples
    );
    bench.run();
    for side in ["left", "right"] {
        assert_eq!(bench.content(&format!("{side}/mine.txt")), "changed on the left");
        assert_eq!(bench.content(&format!("{side}/theirs.txt")), "changed on the right");
        assert_eq!(bench.content(&format!("{side}/new.txt")), "old.txt");
        for gone in ["gone left.txt", "gone right.txt", "old.txt"] {
            assert!(!bench.path(&format!("{side}/{gone}")).exists(), "{side}/{gone}");
        }
    }
    assert_eq!(bench.content("left/both.txt"), "left version", "left for later");
    bench.app.ask_undo_shown();
    bench.until("the question", |app| matches!(app.sheet, Some(Sheet::AskUndo { .. })));
    let Some(Sheet::AskUndo { others, .. }) = &bench.app.sheet else { unreachable!() };
    assert_eq!(others.len(), 1, "it names both folders");
    bench.app.undo();
    bench.until("the undo", |app| matches!(app.sheet, Some(Sheet::Done(_))));
    bench.idle();
    let Some(Sheet::Done(done)) = &bench.app.sheet else { unreachable!() };
    let lines = done.headlines();
    assert_eq!(lines.len(), 2);
    assert!(
        lines.iter().any(|line| line.contains("left")) && lines.iter().any(|line| line.contains("right")),
        "{lines:?}"
    );
    assert_eq!(["left", "right"].map(|side| bench.listing(side)), before);
    // What went back is no news to be carried over: the left one is not to get its old version.
    assert!(matches!(bench.act("mine.txt"), Act::Conflict(_)), "{:?}", bench.act("mine.txt"));
    for restored in ["gone left.txt", "gone right.txt"] {
        assert!(matches!(bench.act(restored), Act::CopyTo(_)), "{restored}: {:?}", bench.act(restored));
    }
}

#[test]
fn a_memory_is_begun_by_a_run_of_two_folders_that_are_alike() {
    let mut bench = Bench::new();
    for side in ["left", "right"] {
        bench.dated(&format!("{side}/a.txt"), b"a", 10, 0);
        bench.dated(&format!("{side}/b.txt"), b"b", 10, 0);
    }
    bench.app.set_mode(Some(TWO_WAY));
    bench.compare();
    bench.plan_mode();
    assert!(bench.proposed().only_remembers());
    assert_eq!(bench.obstacle(), None);
    bench.run();
    bench.app.close_sheet();
    fs::remove_file(bench.path("left/a.txt")).unwrap();
    bench.compare();
    assert_eq!(
        bench.act("a.txt"),
        Act::RemoveFrom(Side::Right),
        "{:?}",
        bench.app.directed().unwrap().notes()
    );
    // Other modes have nothing to do then.
    bench.mode(Some(Mode::Newest));
    fs::write(bench.path("left/a.txt"), b"a").unwrap();
    fs::copy(bench.path("left/a.txt"), bench.path("right/a.txt")).unwrap();
    bench.dated("left/a.txt", b"a", 10, 0);
    bench.dated("right/a.txt", b"a", 10, 0);
    bench.compare();
    bench.plan_mode();
    if bench.proposed().is_empty() {
        assert_eq!(bench.obstacle().as_deref(), Some("There is nothing to do."));
    }
}

#[test]
fn what_is_decided_by_hand_is_what_the_plan_does_and_counts() {
    let mut bench = remembered();
    let row = |bench: &Bench, path: &str| bench.row(path);
    bench.app.act_on(row(&bench, "mine.txt"), Some(RowChoice::ToLeft));
    assert_eq!(bench.app.status_message.as_deref(), Some("1 row: to the left."));
    bench.app.act_on(row(&bench, "gone left.txt"), Some(RowChoice::ToLeft));
    bench.app.act_on(row(&bench, "gone right.txt"), Some(RowChoice::Skip));
    bench.app.act_on(row(&bench, "both.txt"), Some(RowChoice::ToRight));
    bench.app.act_on(row(&bench, "new.txt"), Some(RowChoice::ToLeft));
    assert_eq!(bench.by_hand(), 5);
    bench.plan_mode();
    let proposed = bench.proposed();
    let by_hand = proposed.facts.iter().find(|fact| fact.name == "By hand").map(|fact| &*fact.text);
    assert_eq!(by_hand, Some("5 rows decided by you"));
    assert_eq!((&*proposed.conflicts[0].how, proposed.leaves_conflicts), ("goes to the right", false));
    bench.run();
    assert_eq!(bench.content("left/mine.txt"), "mine.txt");
    assert_eq!(bench.content("left/gone left.txt"), "gone left.txt");
    assert!(bench.path("left/gone right.txt").exists() && !bench.path("right/gone right.txt").exists());
    assert_eq!(bench.content("right/both.txt"), "left version");
    assert!(bench.path("left/old.txt").exists() && !bench.path("left/new.txt").exists());
    assert_eq!(bench.by_hand(), 0, "it is done");
    assert!(!bench.app.log.lines().iter().any(|line| line.text.contains("dropped")));
}

#[test]
fn what_is_decided_by_hand_is_dropped_by_another_comparison_and_that_is_said() {
    let mut bench = remembered();
    let rows = ["mine.txt", "both.txt"].map(|path| bench.row(path));
    rows.into_iter().for_each(|row| bench.app.act_on(row, Some(RowChoice::Skip)));
    bench.mode(Some(Mode::Newest));
    assert_eq!(bench.by_hand(), 2, "another mode of the same comparison");
    bench.compare();
    assert_eq!(bench.by_hand(), 0);
    assert_eq!(
        bench.app.status_message.as_deref(),
        Some("What was decided by hand about 2 rows is dropped.")
    );
    bench.app.act_on(bench.row("mine.txt"), Some(RowChoice::Skip));
    bench.mode(None);
    assert!(bench.app.directed().is_none());
    assert_eq!(bench.app.status_message.as_deref(), Some("What was decided by hand about 1 row is dropped."));
}

#[test]
fn ticked_rows_are_decided_together_and_a_folder_with_what_the_filter_shows_of_it() {
    let mut bench = remembered();
    for path in ["mine.txt", "theirs.txt", "both.txt"] {
        let row = bench.row(path);
        bench.app.row_command(row, RowCommand::Toggle(Side::Left));
    }
    let words = |bench: &Bench, path: &str| -> Vec<String> {
        let entries = bench.app.row_menu(bench.row(path), Side::Left).into_iter();
        entries.filter(|e| matches!(e.command, RowCommand::Act(_))).map(|entry| entry.words).collect()
    };
    assert_eq!(words(&bench, "both.txt")[0], "To the right, 3 rows ticked");
    assert_eq!(words(&bench, "new.txt"), ["To the right", "To the left", "Skip"], "which is not ticked");
    assert_eq!(words(&bench, "gone right.txt"), ["To the right", "Remove from the left", "Skip"]);
    bench.app.act_on(bench.row("both.txt"), Some(RowChoice::ToLeft));
    assert_eq!((bench.by_hand(), bench.act("mine.txt")), (3, Act::CopyTo(Side::Left)));
    assert!(words(&bench, "both.txt").last().unwrap().starts_with("As the mode says"));
    bench.app.act_on(bench.row("both.txt"), None);
    assert_eq!(bench.by_hand(), 0);

    bench.app.clear_ticks(Side::Left);
    bench.app.set_filter("mine*;theirs*".to_owned());
    bench.app.act_on(fcs_engine::compare::Comparison::ROOT, Some(RowChoice::Skip));
    assert_eq!(bench.by_hand(), 2);
    let said = bench.app.status_message.clone().unwrap();
    assert!(
        said.starts_with("2 rows: skip. ") && said.contains("that the filter hides stayed as they were"),
        "{said}"
    );
}

#[test]
fn what_a_filter_hides_is_done_too_and_that_is_said() {
    let mut bench = remembered();
    bench.app.set_filter("mine*".to_owned());
    bench.plan_mode();
    let Some(Sheet::Confirm(confirm)) = &bench.app.sheet else { unreachable!() };
    let words = confirm.hidden_words().unwrap();
    assert!(
        words.starts_with("4 items of these cannot be seen") && words.ends_with("They are done too."),
        "{words}"
    );
}

#[test]
fn many_removals_on_one_side_must_be_typed_and_the_side_is_named() {
    let mut bench = remembered();
    fs::remove_dir_all(bench.path("left/same")).unwrap();
    fs::remove_file(bench.path("left/theirs.txt")).unwrap();
    bench.compare();
    bench.plan_mode();
    let removed = bench.proposed().must_type().expect("more than half of the right side");
    assert_eq!(removed, 8, "same with its six files, and one file");
    let problems = &bench.proposed().problems;
    assert!(problems.iter().any(|(_, text)| text.starts_with("On the right: 8 of ")), "{problems:?}");
    assert!(!problems.iter().any(|(_, text)| text.starts_with("On the left")), "{problems:?}");
    assert!(bench.obstacle().is_some());
    bench.app.go(false);
    assert!(bench.app.busy.is_none() && bench.path("right/same/0").exists(), "not without the number");
    let Some(Sheet::Confirm(confirm)) = &mut bench.app.sheet else { unreachable!() };
    confirm.typed = "8".into();
    bench.run();
    assert!(!bench.path("right/same").exists());
}

#[test]
fn a_mode_of_ones_own_does_what_is_chosen_for_each_category_and_is_remembered() {
    let mut bench = Bench::new();
    bench.dated("left/mine.txt", b"mine", 10, 0);
    bench.dated("right/theirs.txt", b"theirs!", 10, 0);
    bench.compare();
    bench.app.choose_for(Category::LeftOnly, RowChoice::Remove);
    bench.idle();
    bench.app.choose_for(Category::RightOnly, RowChoice::Skip);
    bench.idle();
    assert_eq!(bench.act("mine.txt"), Act::RemoveFrom(Side::Left));
    assert_eq!(bench.act("theirs.txt"), Act::Leave);
    let mode = bench.app.mode();
    let kept = crate::keep::Remembered::read(&bench.app.kept.write()).unwrap();
    bench.app.kept = kept;
    assert_eq!(bench.app.mode(), mode);
    bench.app.choose_for(Category::LeftOnly, RowChoice::ToLeft);
    assert_eq!(bench.app.mode(), mode, "the left side has it alone");
}

#[test]
fn a_mirror_replaces_items_of_another_kind_unless_they_are_left_alone() {
    let mut bench = Bench::new();
    bench.write("left/x", b"file");
    bench.write("right/x/inside.txt", b"folder");
    for n in 0..9 {
        bench.dated(&format!("left/{n}"), b"same", 10, 0);
        bench.dated(&format!("right/{n}"), b"same", 10, 0);
    }
    bench.app.set_mode(Some(Mode::Mirror(Side::Right)));
    bench.compare();
    bench.plan_mode();
    assert_eq!(bench.proposed().choices, [crate::app::Choice::Kinds]);
    assert!(!bench.proposed().is_empty());
    let replaces = |bench: &Bench| {
        bench.proposed().choices[0].replaces(bench.proposed().proposal.task, &bench.proposed().settings)
    };
    assert!(replaces(&bench));
    bench.app.choose(crate::app::Choice::Kinds, false);
    bench.planned();
    assert!(!replaces(&bench) && bench.proposed().proposal.plan.items_that_go() == 0);
    bench.app.choose(crate::app::Choice::Kinds, true);
    bench.planned();
    bench.run();
    assert_eq!(bench.content("right/x"), "file");
}

#[test]
fn a_mode_whose_decisions_are_not_waited_for_is_not_chosen() {
    let mut bench = remembered();
    bench.app.set_mode(Some(Mode::Newest));
    bench.app.ask_to_stop(false);
    assert!(bench.app.busy.is_none());
    assert_eq!(bench.app.mode(), Some(TWO_WAY), "which is what the rows show");
    assert_eq!(bench.app.directed().map(|directed| directed.mode()), Some(TWO_WAY));
    bench.mode(Some(Mode::Newest));
    assert_eq!(
        bench.app.directed().map(|directed| directed.mode()),
        Some(Mode::Newest),
        "the earlier answer changes nothing"
    );
}
