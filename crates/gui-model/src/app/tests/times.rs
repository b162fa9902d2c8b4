//! The sheet about dates, over real folders.

use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fcs_engine::compare::{RowId, Side};
use fcs_engine::history;

use super::Bench;
use crate::app::{App, RowCommand, Sheet, TimesScope, TimesSheet, TimesStage, TimesTask};
use crate::log::Level;

const BEGIN: u64 = 1_700_000_000;

fn at(seconds: u64, nanos: u32) -> SystemTime {
    UNIX_EPOCH + Duration::new(BEGIN + seconds, nanos)
}

impl Bench {
    pub(super) fn dated(&self, name: &str, content: &[u8], seconds: u64, nanos: u32) {
        self.write(name, content);
        let file = File::options().write(true).open(self.path(name)).unwrap();
        file.set_times(FileTimes::new().set_modified(at(seconds, nanos))).unwrap();
    }

    fn modified(&self, name: &str) -> SystemTime {
        fs::metadata(self.path(name)).unwrap().modified().unwrap()
    }

    pub(super) fn row(&self, path: &str) -> RowId {
        crate::testing::row(self.app.loaded().unwrap().comparison(), path)
    }

    fn times(&mut self) -> &mut TimesSheet {
        match &mut self.app.sheet {
            Some(Sheet::Times(times)) => times,
            _ => panic!("the sheet about times is not open; the log: {:#?}", self.app.log.lines()),
        }
    }

    /// Looks at what is chosen, and waits for the list.
    fn look(&mut self) {
        self.app.go_on_with_times();
        self.until("a list", |app| matches!(&app.sheet, Some(Sheet::Times(times)) if times.list().is_some()));
    }

    /// Sets what is listed, and waits for the comparison after it.
    fn set(&mut self) {
        self.app.go_on_with_times();
        self.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_) | Sheet::UserError(_))));
        self.idle();
    }

    fn items(&mut self) -> Vec<String> {
        self.times().list().unwrap().items.iter().map(|(path, _)| path.clone()).collect()
    }
}

fn no_runs(app: &App, side: Side) -> bool {
    let root = fcs_sys::open_root(&app.loaded().unwrap().folders.root(side).path).unwrap();
    history::list(&root).unwrap().is_empty()
}

#[test]
fn times_of_a_row_are_copied_as_a_run_of_the_compared_folder_and_undone() {
    let mut bench = Bench::new();
    bench.dated("left/sub/a.txt", b"of the left", 10, 123_456_700);
    bench.dated("right/sub/a.txt", b"other content", 20, 500);
    bench.dated("left/sub/b.txt", b"b", 1, 0);
    bench.dated("right/sub/b.txt", b"b", 2, 0);
    bench.compare();
    bench.app.tick_all(Side::Left);
    bench.app.clear_ticks(Side::Right);
    let ticked = bench.app.ticked(Side::Left);
    let row = bench.row("sub/a.txt");
    bench.app.row_command(row, RowCommand::Times);
    let times = bench.times();
    // With as many decimals as the volume keeps.
    let shown = &times.sides[0].as_ref().unwrap().modified;
    assert!(shown.starts_with("2023-11-14T22:13:30.1234567") && shown.ends_with('Z'), "{shown}");
    assert_eq!(times.scope(), TimesScope::Ticked, "a ticked row stands for all that is ticked");
    times.set_scope(TimesScope::Row);
    assert_eq!(times.task(), TimesTask::Copy(Side::Left));
    let right = bench.listing("right");
    bench.look();
    assert_eq!(bench.listing("right"), right, "only looked at");
    assert!(no_runs(&bench.app, Side::Right));
    assert_eq!(bench.items(), ["sub/a.txt"]);
    assert_eq!(bench.times().verb(), "Set the times of 1 item on the right");
    bench.set();
    assert!(bench.ended().can_undo() && !bench.ended().can_retry());
    assert_eq!(bench.ended().headline.split(" in ").next(), Some("Done: times of 1 item set"));
    assert_eq!(bench.modified("right/sub/a.txt"), at(10, 123_456_700));
    assert_eq!(fs::read(bench.path("right/sub/a.txt")).unwrap(), b"other content");
    assert_eq!(bench.modified("right/sub/b.txt"), at(2, 0), "not chosen");
    assert!(!bench.path("right/sub/.fcs").exists(), "the journal is where the window looks for it");
    assert!(bench.app.log.lines().iter().any(|line| line.text.starts_with("Done: times of 1 item")));
    assert_eq!(bench.app.ticked(Side::Left).0, ticked.0, "what is to be copied is still ticked");

    bench.app.undo_latest();
    bench.until("the question", |app| matches!(app.sheet, Some(Sheet::AskUndo { .. })));
    bench.app.undo();
    bench.until("the undo", |app| matches!(app.sheet, Some(Sheet::Done(_))));
    bench.idle();
    assert_eq!(bench.modified("right/sub/a.txt"), at(20, 500));
}

#[test]
fn times_are_repaired_only_where_the_content_is_equal_and_from_either_side() {
    let mut bench = Bench::new();
    bench.dated("left/tree/equal.txt", b"the same", 10, 0);
    bench.dated("right/tree/equal.txt", b"the same", 99, 700);
    bench.dated("left/tree/other.txt", b"this one", 10, 0);
    bench.dated("right/tree/other.txt", b"that one", 99, 0);
    bench.dated("left/tree/alone.txt", b"alone", 10, 0);
    bench.compare();
    let tree = bench.row("tree");
    bench.app.show_times(tree);
    let times = bench.times();
    times.set_scope(TimesScope::Tree);
    times.set_task(TimesTask::Repair(Side::Right));
    bench.look();
    let items = bench.items();
    assert!(items.contains(&"tree/equal.txt".to_owned()), "{items:?}");
    assert!(!items.contains(&"tree/other.txt".to_owned()), "{items:?}");
    let facts = format!("{:?}", bench.times().list().unwrap().facts);
    assert!(facts.contains("the content differs: 1 item"), "{facts}");
    assert!(facts.contains("1 item only on the left"), "{facts}");
    bench.set();
    assert_eq!(bench.modified("left/tree/equal.txt"), at(99, 700));
    assert_eq!(bench.modified("left/tree/other.txt"), at(10, 0));
}

#[test]
fn a_typed_time_is_set_exactly_and_what_is_no_time_is_said() {
    let mut bench = Bench::new();
    bench.dated("left/one.txt", b"one", 10, 0);
    bench.dated("right/two.txt", b"two", 10, 0);
    bench.compare();
    let one = bench.row("one.txt");
    bench.app.show_times(one);
    let times = bench.times();
    assert_eq!(times.task(), TimesTask::Set(Side::Left), "nothing else can be done with it");
    assert!(!times.can(TimesTask::Copy(Side::Left)) && !times.can(TimesTask::Set(Side::Right)));
    assert!(times.can(TimesTask::Set(Side::Left)));
    assert_eq!(times.obstacle().as_deref(), Some("Type a time; what is empty stays."));
    times.set_typed(0, "last summer".to_owned());
    let refused = times.obstacle().unwrap();
    assert!(refused.contains("modified time is not understood") && refused.contains("ISO 8601"), "{refused}");
    bench.app.go_on_with_times();
    assert!(bench.app.busy.is_none(), "nothing is looked at");
    bench.times().set_typed(0, "2001-02-03T04:05:06.789012345+01:00".to_owned());
    bench.look();
    assert_eq!(bench.times().list().unwrap().items.len(), 1);
    bench.times().set_typed(0, "2001-02-03T04:05:06.5Z".to_owned());
    assert!(bench.times().list().is_none(), "another time is another list");
    bench.look();
    bench.set();
    let wanted = UNIX_EPOCH + Duration::new(981_173_106, 500_000_000);
    assert_eq!(bench.modified("left/one.txt"), wanted);
    assert_eq!(bench.modified("right/two.txt"), at(10, 0));
}

#[test]
fn verifying_times_asks_the_disk_again_and_says_the_result_in_the_log() {
    let mut bench = Bench::new();
    for side in ["left", "right"] {
        bench.dated(&format!("{side}/same.txt"), b"same", 10, 0);
        bench.dated(&format!("{side}/later.txt"), b"later", 10, 0);
    }
    bench.compare();
    bench.dated("right/later.txt", b"later", 40, 0);
    let root = bench.row("");
    bench.app.show_times(root);
    bench.times().set_scope(TimesScope::Tree);
    bench.times().set_task(TimesTask::Verify);
    bench.look();
    let differing = bench.times().list().unwrap().items.clone();
    let later = differing.iter().find(|(path, _)| path == "later.txt").expect("what changed since");
    assert!(later.1.starts_with("modified 30 s later on the right"), "{later:?}");
    assert!(differing.iter().all(|(path, _)| path != "same.txt"), "{differing:?}");
    let line = bench.app.log.last().unwrap();
    assert!(line.level == Level::Warning && line.text.contains("of 3 items differ"), "{line:?}");
    assert!(matches!(bench.times().stage, TimesStage::Checked(_)), "the sheet shows it");
}

#[test]
fn what_a_filter_hides_keeps_its_times() {
    let mut bench = Bench::new();
    for (n, name) in ["a.txt", "b.log", "c.txt"].into_iter().enumerate() {
        bench.dated(&format!("left/sub/{name}"), b"x", n as u64, 0);
        bench.dated(&format!("right/sub/{name}"), b"x", 100, 0);
    }
    bench.compare();
    bench.app.set_filter("*.txt".to_owned());
    let sub = bench.row("sub");
    bench.app.show_times(sub);
    let times = bench.times();
    times.set_scope(TimesScope::Tree);
    let choice = times.scopes.iter().find(|choice| choice.scope == TimesScope::Tree).unwrap();
    assert_eq!(choice.words, "This folder and 2 items in it");
    assert_eq!(choice.note.as_deref(), Some("1 item in it that the filter hides are left as they are."));
    bench.look();
    bench.set();
    assert_eq!(bench.modified("right/sub/a.txt"), at(0, 0));
    assert_eq!(bench.modified("right/sub/b.log"), at(100, 0));
    assert_eq!(bench.modified("right/sub/c.txt"), at(2, 0));
}

#[test]
fn an_item_that_changed_since_it_was_compared_keeps_its_times() {
    let mut bench = Bench::new();
    bench.dated("left/a.txt", b"a", 10, 0);
    bench.dated("right/a.txt", b"a", 20, 0);
    bench.compare();
    let row = bench.row("a.txt");
    bench.app.show_times(row);
    bench.look();
    bench.dated("right/a.txt", b"edited meanwhile", 30, 0);
    bench.set();
    assert_eq!(bench.ended().failures.len(), 1, "{:?}", bench.ended().headline);
    assert_eq!(bench.modified("right/a.txt"), at(30, 0));
    assert_eq!(fs::read(bench.path("right/a.txt")).unwrap(), b"edited meanwhile");
}

#[test]
fn work_for_the_sheet_that_is_stopped_leaves_it_as_it_was() {
    let mut bench = Bench::new();
    bench.dated("left/a.txt", b"a", 10, 0);
    bench.dated("right/a.txt", b"a", 20, 0);
    bench.compare();
    let row = bench.row("a.txt");
    bench.app.show_times(row);
    bench.app.go_on_with_times();
    assert!(bench.app.busy.is_some() && matches!(bench.times().stage, TimesStage::Working));
    bench.app.ask_to_stop(false);
    assert!(bench.app.busy.is_none() && matches!(bench.times().stage, TimesStage::Choosing));
    bench.look();
    assert_eq!(bench.items(), ["a.txt"], "and it can be done again");
    bench.app.close_sheet();
    assert_eq!(bench.modified("right/a.txt"), at(20, 0));
}
