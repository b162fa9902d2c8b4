//! What people met in the window: each test has the number of its case.

use fcs_app::hints::{FrontEnd, with_hint};
use fcs_engine::compare::{RowId, Side};

use super::*;
use crate::chips::{Chip, Chips};

fn orphans(app: &mut App) -> &mut Orphans {
    match &mut app.sheet {
        Some(Sheet::Orphans(orphans)) => orphans,
        _ => panic!("the dialog is not open"),
    }
}

/// Opens the dialog over 53 files on the right, of which 11 are `old-*`.
fn fifty_three() -> Bench {
    let mut bench = Bench::new();
    for n in 0..53 {
        let name = if n < 11 { format!("right/old-{n}.txt") } else { format!("right/new-{n}.txt") };
        bench.write(&name, b"orphan");
    }
    for n in 0..60 {
        bench.write(&format!("left/both-{n}"), b"b");
        bench.write(&format!("right/both-{n}"), b"b");
    }
    bench.compare();
    bench
}

fn open_dialog(bench: &mut Bench) {
    bench.app.delete_orphans(Side::Right);
    bench.until("the dialog", |app| matches!(&app.sheet, Some(Sheet::Orphans(o)) if o.access.is_some()));
}

fn planned_removals(bench: &mut Bench) -> u64 {
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    bench.proposed().proposal.plan.totals.removed_files
}

#[test]
fn v3_what_the_dialogs_filter_hides_is_not_deleted_unasked() {
    let mut bench = fifty_three();
    open_dialog(&mut bench);
    assert_eq!(orphans(&mut bench.app).ticked.files, 53, "nothing is hidden yet");
    orphans(&mut bench.app).set_filter("old-*".into(), &TimeZone::UTC);
    assert_eq!((orphans(&mut bench.app).ticked.files, orphans(&mut bench.app).hidden.files), (53, 42));
    bench.app.remove_orphans(false);
    assert_eq!(planned_removals(&mut bench), 11);
    let Some(Sheet::Confirm(confirm)) = &bench.app.sheet else { unreachable!() };
    assert_eq!(confirm.hidden_words(), None);
    bench.app.close_sheet();

    open_dialog(&mut bench);
    orphans(&mut bench.app).set_filter("old-*".into(), &TimeZone::UTC);
    bench.app.remove_orphans(true);
    assert_eq!(planned_removals(&mut bench), 53);
    let Some(Sheet::Confirm(confirm)) = &bench.app.sheet else { unreachable!() };
    assert!(
        confirm.hidden_words().is_some_and(|words| words.starts_with("42 items of these cannot be seen"))
    );
}

#[test]
fn v3_the_dialog_begins_with_the_main_filter_and_what_is_ticked_there() {
    let mut bench = fifty_three();
    bench.app.set_filter("old-*".into());
    open_dialog(&mut bench);
    let dialog = orphans(&mut bench.app);
    assert_eq!((&*dialog.filter, dialog.ticked.files, dialog.hidden.files), ("old-*", 11, 0));
    assert_eq!(dialog.all.files, 53);
    bench.app.close_sheet();

    // A text that is not understood filters nothing in the main window, and so not here.
    bench.app.set_filter(">x".into());
    open_dialog(&mut bench);
    assert_eq!(orphans(&mut bench.app).filter, "old-*", "the one in force");
    bench.app.close_sheet();

    // With its chip off the main window shows none of them: nothing is ticked for the user.
    bench.app.set_filter(String::new());
    bench.app.toggle_chip(Chip::RightOnly);
    open_dialog(&mut bench);
    let dialog = orphans(&mut bench.app);
    assert!(dialog.chip_is_off && dialog.ticked.items() == 0 && dialog.all.files == 53);
}

#[test]
fn v17_in_the_dialog_a_folder_stands_for_what_is_listed_in_it() {
    let mut bench = Bench::new();
    bench.write("left/d/differs.txt", b"one");
    bench.write("right/d/differs.txt", b"the other");
    bench.write("right/d/orphan.txt", b"orphan");
    bench.compare();
    open_dialog(&mut bench);
    let dialog = orphans(&mut bench.app);
    let comparison = dialog.model.rows().index().comparison();
    let path = fcs_sys::RelPath::parse(b"d").unwrap();
    let folder = jobs::find(comparison, &path, Side::Right).unwrap();
    assert_eq!(dialog.model.selection().mark(folder, Side::Right), crate::Mark::On);
    dialog.model.toggle(folder, Side::Right);
    dialog.count();
    assert_eq!(dialog.ticked.items(), 0, "and takes it off");
}

#[test]
fn v3_a_copy_says_how_much_of_it_the_filter_hides() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"a");
    bench.write("left/b.jpg", b"b");
    bench.compare();
    bench.app.tick_all(Side::Left);
    bench.app.set_filter("*.jpg".into());
    bench.app.copy(Side::Right);
    let Some(Sheet::Confirm(confirm)) = &bench.app.sheet else { unreachable!() };
    // The root's date may be one of them.
    assert!(confirm.hidden_words().is_some_and(|words| words.ends_with("They are copied too.")));
}

#[test]
fn v4_without_dialogs_a_folder_and_a_file_are_chosen_in_the_window() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("left/sub")).unwrap();
    let none = PathBuf::new();
    bench.answers.0.lock().unwrap().push(none.clone());
    bench.app.pick_folder(Side::Left);
    let listed = |app: &App| matches!(&app.sheet, Some(Sheet::Pick(p)) if p.entries.is_some());
    bench.until("a list", listed);
    let Some(Sheet::Pick(picker)) = &bench.app.sheet else { unreachable!() };
    assert_eq!(picker.folder, bench.path("left"), "it begins at the folder that is named");
    assert_eq!(picker.entries, Some(Ok(vec![FolderEntry { name: "sub".into(), folder: true }])));
    let sub = bench.path("left/sub");
    bench.app.list_to_pick(sub.clone());
    bench.until("a list", listed);
    bench.app.take_pick();
    assert!(bench.app.sheet.is_none());
    assert_eq!(bench.app.named(Side::Left), sub);

    // Over the sheet that asked, which comes back.
    bench.app.show_settings();
    bench.answers.0.lock().unwrap().push(none.clone());
    bench.app.export_settings();
    bench.until("a list", listed);
    bench.app.close_sheet();
    assert!(matches!(bench.app.sheet, Some(Sheet::Settings(_))), "Escape goes back to what was open");
    bench.answers.0.lock().unwrap().push(none);
    bench.app.export_settings();
    bench.until("a list", listed);
    let Some(Sheet::Pick(picker)) = &mut bench.app.sheet else { unreachable!() };
    assert_eq!((&*picker.name, &*picker.verb()), ("fcs-settings.toml", "Save"));
    picker.name = "../out.toml".into();
    assert_eq!(picker.chosen(), None, "a name is one name");
    picker.name = "settings.txt".into();
    bench.app.take_pick();
    bench.until("the file", |app| app.status_message.is_some());
    assert!(bench.path("home/settings.txt").exists());
    assert!(matches!(bench.app.sheet, Some(Sheet::Settings(_))));
    // What is there is named before it is replaced.
    bench.answers.0.lock().unwrap().push(PathBuf::new());
    bench.app.export_settings();
    bench.until("a list", listed);
    let Some(Sheet::Pick(picker)) = &mut bench.app.sheet else { unreachable!() };
    picker.name = "settings.txt".into();
    assert_eq!(picker.verb(), "Replace settings.txt");
}

#[test]
fn v4_a_folder_that_cannot_be_listed_says_why_and_cannot_be_chosen() {
    let mut bench = Bench::new();
    bench.answers.0.lock().unwrap().push(PathBuf::new());
    bench.app.pick_folder(Side::Left);
    bench.until("the sheet", |app| matches!(app.sheet, Some(Sheet::Pick(_))));
    let nowhere = bench.path("nowhere");
    bench.app.list_to_pick(nowhere);
    bench.until("an answer", |app| matches!(&app.sheet, Some(Sheet::Pick(p)) if p.entries.is_some()));
    let Some(Sheet::Pick(picker)) = &bench.app.sheet else { unreachable!() };
    assert!(matches!(&picker.entries, Some(Err(words)) if words.contains("Could not list")));
    assert_eq!(picker.chosen(), None);
}

#[test]
fn v7_home_is_expanded_and_only_what_opened_is_remembered_once() {
    let mut bench = Bench::new();
    fs::create_dir(bench.path("home/x")).unwrap();
    bench.app.set_folder_text(Side::Left, "~/x/".into());
    let right = bench.path("right").display().to_string();
    bench.app.set_folder_text(Side::Right, format!("{right}/"));
    bench.compare();
    assert!(bench.app.loaded().is_some());
    bench.app.set_folder_text(Side::Left, "~/x".into());
    bench.app.set_folder_text(Side::Right, right.clone());
    assert!(!bench.app.is_elsewhere(), "a slash at the end is no other folder");
    bench.compare();
    let x = bench.path("home").join("x").display().to_string();
    assert_eq!(bench.app.kept.pairs, [[x.clone(), right.clone()]]);
    bench.app.set_folder_text(Side::Left, "~/mistyped".into());
    bench.compare();
    assert!(matches!(bench.app.view, View::Failed(_)));
    bench.app.finish();
    let kept = Remembered::read(&fs::read_to_string(bench.path("home/window.toml")).unwrap()).unwrap();
    assert_eq!((kept.pairs.len(), kept.left, kept.right), (1, x, right));
}

#[test]
fn v8_escape_clears_one_thing_at_a_time_and_it_comes_back() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"a");
    bench.compare();
    bench.app.set_filter("*.txt".into());
    bench.app.toggle_chip(Chip::Same);
    let chips = bench.app.filter.chips;
    bench.app.escape();
    assert!(bench.app.filter.text.is_empty() && bench.app.filter.chips == chips, "the text only");
    bench.app.escape();
    assert_eq!(bench.app.filter.chips, Chips::ALL);
    bench.app.escape();
    assert!(bench.app.can_restore_filter(), "one more does no harm");
    bench.app.restore_filter();
    assert_eq!((&*bench.app.filter.text, bench.app.filter.chips), ("*.txt", chips));
    assert!(!bench.app.can_restore_filter());
}

#[test]
fn v9_the_rows_side_is_meant() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"a");
    bench.write("right/b.txt", b"b");
    bench.write("left/both.txt", b"one");
    bench.write("right/both.txt", b"other");
    bench.compare();
    for (name, active, side) in [
        ("a.txt", Side::Right, Side::Left),
        ("b.txt", Side::Left, Side::Right),
        ("both.txt", Side::Right, Side::Right),
        ("both.txt", Side::Left, Side::Left),
    ] {
        let loaded = bench.app.loaded_mut().unwrap();
        let path = fcs_sys::RelPath::parse(name.as_bytes()).unwrap();
        let row = jobs::find(loaded.comparison(), &path, Side::Left).unwrap();
        loaded.model.set_cursor(row);
        assert_eq!(bench.app.side_at_cursor(active), side, "{name}");
    }
}

#[test]
fn v11_the_number_that_was_ticked_can_be_followed_to_the_end() {
    let mut bench = Bench::new();
    for n in 0..3 {
        bench.write(&format!("left/new/{n}.txt"), b"new");
    }
    bench.write("left/same.txt", b"same");
    bench.write("right/same.txt", b"same");
    let times = fs::metadata(bench.path("left/same.txt")).unwrap().modified().unwrap();
    let file = fs::OpenOptions::new().write(true).open(bench.path("right/same.txt")).unwrap();
    file.set_modified(times).unwrap();
    bench.compare();
    let tick = |bench: &mut Bench, name: &str| {
        let loaded = bench.app.loaded_mut().unwrap();
        let path = fcs_sys::RelPath::parse(name.as_bytes()).unwrap();
        let row = jobs::find(loaded.comparison(), &path, Side::Left).unwrap();
        loaded.model.toggle(row, Side::Left);
    };
    // Two files without the folder above them, and one that is the same.
    tick(&mut bench, "new/0.txt");
    tick(&mut bench, "new/1.txt");
    tick(&mut bench, "same.txt");
    bench.app.count_ticks();
    assert_eq!(bench.app.ticked(Side::Left).0, 3);
    bench.app.copy(Side::Right);
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    let ticked = &bench.proposed().facts[0];
    assert_eq!(ticked.name, "Ticked");
    assert_eq!(ticked.text, "3 items: 2 to copy, 1 the same already; 1 folder above them is made too");
    assert_eq!(bench.proposed().examples.len() as u64 + bench.proposed().more, 3);
    let Some(Sheet::Confirm(confirm)) = &bench.app.sheet else { unreachable!() };
    assert_eq!(confirm.verb(), "Copy 3 items to the right");
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    let items = &bench.ended().facts[0];
    assert_eq!((&*items.name, &*items.text), ("items", "3 items planned: 2 copied, 1 folder made"));
    bench.idle();
}

#[test]
fn v14_failures_stand_by_reason_and_path() {
    let mut bench = Bench::new();
    for name in ["c", "a", "b"] {
        bench.write(&format!("left/{name}.txt"), b"seen");
    }
    bench.compare();
    bench.plan_copy(Side::Right);
    for name in ["c", "a", "b"] {
        bench.write(&format!("left/{name}.txt"), b"changed since it was compared");
    }
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    let lines = &bench.ended().failure_lines;
    let heads: Vec<_> = lines.iter().take_while(|line| line.is_head).collect();
    assert!(heads[0].text.starts_with("3 items: Could not copy …: it changed"), "{lines:?}");
    let paths: Vec<_> = lines.iter().filter(|line| !line.is_head).map(|line| &*line.text).collect();
    assert_eq!(paths, ["a.txt", "b.txt", "c.txt"]);
    bench.app.copy_failures();
    let text = bench.app.clipboard.take().unwrap();
    assert_eq!(text.matches("it changed after the comparison").count(), 1, "{text}");
    assert!(text.contains("\n  a.txt\n  b.txt\n  c.txt"), "{text}");
}

#[test]
fn v15_a_filter_without_a_match_says_so_and_so_does_an_unknown_term() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"a");
    bench.compare();
    assert_eq!(bench.app.filter_words(), None);
    bench.app.set_filter("*.jpg".into());
    assert!(bench.app.filter_words().is_some_and(|words| words == "Nothing matches the filter “*.jpg”."));
    bench.app.set_filter("*.txt".into());
    assert_eq!(bench.app.filter_words(), None);
    bench.app.set_filter("*.txt; size>10MB".into());
    assert!(
        bench
            .app
            .filter_words()
            .is_some_and(|words| words.starts_with("“size>10MB” is searched for as a name"))
    );
    bench.app.set_filter("ext:jpg".into());
    let words = bench.app.filter_words().unwrap();
    assert!(words.starts_with("Nothing matches") && words.contains("as a name"), "{words}");
    for fine in ["", ">10MB", "2024-01-31 12:30", "a b", "notes", "x/y", "*=*"] {
        assert_eq!(crate::filter::looks_like_a_term(fine), None, "{fine}");
    }
}

#[test]
fn v2_a_retry_is_undone_with_the_run_that_it_belongs_to_and_the_run_before_after_it() {
    let mut bench = Bench::new();
    bench.write("left/good.txt", b"good");
    bench.write("left/bad.txt", b"seen");
    bench.write("right/good.txt", b"the original");
    let first = bench.listing("right");
    // An earlier run.
    bench.write("left/earlier.txt", b"earlier");
    bench.compare();
    let loaded = bench.app.loaded_mut().unwrap();
    let path = fcs_sys::RelPath::parse(b"earlier.txt").unwrap();
    let row = jobs::find(loaded.comparison(), &path, Side::Left).unwrap();
    loaded.model.toggle(row, Side::Left);
    bench.app.count_ticks();
    bench.app.copy(Side::Right);
    planned(&mut bench);
    run(&mut bench);
    bench.app.close_sheet();

    bench.app.tick_all(Side::Left);
    bench.app.copy(Side::Right);
    planned(&mut bench);
    bench.write("left/bad.txt", b"changed since it was compared");
    run(&mut bench);
    assert_eq!(bench.ended().failures.len(), 1);
    bench.app.retry_failed();
    planned(&mut bench);
    run(&mut bench);
    assert!(bench.ended().failures.is_empty());
    assert!(bench.path("right/bad.txt").exists());
    bench.app.ask_undo_shown();
    undo(&mut bench, 2);
    assert_eq!(fs::read(bench.path("right/good.txt")).unwrap(), b"the original");
    assert!(!bench.path("right/bad.txt").exists() && bench.path("right/earlier.txt").exists());
    bench.app.undo_further();
    undo(&mut bench, 1);
    assert_eq!(bench.listing("right"), first, "back through all of them");
}

fn planned(bench: &mut Bench) {
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
}

fn run(bench: &mut Bench) {
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
}

/// Answers the question, which must be about so many runs.
fn undo(bench: &mut Bench, count: usize) {
    bench.until("the question", |app| matches!(app.sheet, Some(Sheet::AskUndo { .. })));
    let Some(Sheet::AskUndo { runs, .. }) = &bench.app.sheet else { unreachable!() };
    assert_eq!(runs.len(), count, "{runs:?}");
    bench.app.undo();
    bench.until("the undo", |app| matches!(app.sheet, Some(Sheet::Done(_))));
    bench.idle();
    let Some(Sheet::Done(done)) = &bench.app.sheet else { unreachable!() };
    assert_eq!(done.tone(), Tone::Good, "{:?}", done.headlines());
}

#[test]
fn v1_stop_and_roll_back_inside_the_first_file_leaves_nothing() {
    let mut bench = Bench::new();
    for n in 0..3 {
        bench.write(&format!("left/new/{n}.bin"), &vec![n; 64 << 20]);
    }
    let before = bench.listing("right");
    bench.app.set_setting("copy_workers", "1");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    // Inside the first file: its folder is made, nothing is committed.
    let new = bench.path("right/new");
    while !new.exists() && bench.app.busy.is_some() {
        bench.app.poll(bench.began.elapsed());
        std::thread::yield_now();
    }
    assert!(bench.app.busy.is_some(), "the run goes on");
    bench.app.ask_to_stop(false);
    bench.app.stop(OnCancel::RollBack);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    assert_eq!(bench.ended().report.result, RunResult::RolledBack);
    assert!(bench.ended().headline.starts_with("Rolled back"), "{}", bench.ended().headline);
    assert_eq!(bench.listing("right"), before);
}

#[cfg(target_os = "linux")]
#[test]
fn room_that_earlier_runs_take_is_made_after_asking() {
    use fcs_testkit::image::{FsKind, for_each_image};
    for_each_image("room_that_earlier_runs_take_is_made_after_asking", &[FsKind::Tmpfs], 64 << 20, |image| {
        let mut bench = Bench::new();
        bench.app.set_folder(Side::Right, image.mount_point().to_path_buf());
        fs::write(image.mount_point().join("a.bin"), vec![1; 20 << 20]).unwrap();
        bench.write("left/a.bin", &vec![2; (20 << 20) + 1]);
        bench.compare();
        bench.plan_copy(Side::Right);
        run(&mut bench);
        bench.app.close_sheet();
        bench.write("left/b.bin", &vec![3; 30 << 20]);
        bench.compare();
        bench.plan_copy(Side::Right);
        let confirm = |bench: &Bench| match &bench.app.sheet {
            Some(Sheet::Confirm(confirm)) => (confirm.room_words(), confirm.obstacle().is_some()),
            _ => panic!("no plan is shown"),
        };
        let (words, refused) = confirm(&bench);
        assert!(refused && words.is_some_and(|w| w == "Delete 20 MiB kept for undo by 1 earlier run…"));
        bench.app.make_room();
        bench.until(
            "another plan",
            |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some() && c.room().is_none()),
        );
        assert_eq!(confirm(&bench), (None, false));
        run(&mut bench);
        assert_eq!(fs::metadata(image.mount_point().join("b.bin")).unwrap().len(), 30 << 20);
    });
}

/// L5, L6, P3: a volume of which only trying tells is tried once it was agreed to write there, and what that brings is
/// agreed to again. A dry run writes nothing, and says that it was not tried.
#[cfg(target_os = "linux")]
#[test]
fn l6_a_volume_in_doubt_is_tried_after_the_first_yes_and_before_anything_is_copied() {
    use fcs_testkit::vices::{Call, Vice, Wicked};
    let vices = [Vice::Forbids(":?"), Vice::ModesAre(0o777), Vice::Refuses(Call::Symlink, 1)];
    let disk = match Wicked::new(&vices) {
        Ok(disk) => disk,
        Err(reason) => return fcs_testkit::skip::skip(fcs_testkit::test_name!(), &reason.reason),
    };
    let mut bench = Bench::new();
    let target = disk.path().join("target");
    fs::create_dir(&target).unwrap();
    bench.app.set_folder(Side::Right, target.clone());
    for name in ["a:b", "good", "private"] {
        bench.write(&format!("left/{name}"), b"content");
    }
    std::os::unix::fs::symlink("good", bench.path("left/link")).unwrap();
    bench.compare();
    bench.plan_copy(Side::Right);
    let said = |bench: &Bench, part: &str| bench.proposed().problems.iter().any(|(_, t)| t.contains(part));
    assert!(said(&bench, "shows only in a test"), "{:?}", bench.proposed().problems);

    let dates = || {
        let shown = fs::metadata(&target).unwrap();
        (shown.modified().unwrap(), fs::read_dir(&target).unwrap().count())
    };
    let before = dates();
    bench.app.go(true);
    bench.until("a dry run", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    assert!(bench.ended().is_dry());
    assert_eq!(dates(), before, "a dry run leaves no trace");

    bench.app.close_sheet();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.until("the trial", |app| {
        matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.as_ref().is_some_and(|p| !p.untried))
            || matches!(app.sheet, Some(Sheet::Ended(_)))
    });
    for new in ["was tried just now", "does not accept", "symbolic links, which", "stores no permissions"] {
        assert!(said(&bench, new), "{new}: {:?}", bench.proposed().problems);
    }
    assert!(!said(&bench, "shows only in a test"));
    assert_eq!(dates(), before, "the trial is gone, nothing is copied yet, and the folder has its date");

    bench.app.go(false);
    bench.until("a run", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    assert_eq!(bench.ended().report.counts.copied, 2, "{:#?}", bench.ended().report);
    bench.until("the comparison after it", |app| app.busy.is_none());

    // Nothing new: the first yes is enough.
    bench.write("left/more", b"content");
    bench.app.close_sheet();
    fs::remove_file(bench.path("left/a:b")).unwrap();
    fs::remove_file(bench.path("left/link")).unwrap();
    disk.set_vices(&[]);
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.until("a run", |app| matches!(app.sheet, Some(Sheet::Ended(_) | Sheet::UserError(_))));
    assert!(target.join("more").exists());
}

/// Clicks the left box of a row.
fn click(bench: &mut Bench, row: RowId) {
    bench.app.loaded_mut().unwrap().model.toggle(row, Side::Left);
    bench.app.count_ticks();
}

/// L3, W3: what a copy does with newer files and with items of another kind is decided on the sheet, for that plan alone.
#[test]
fn l3_an_item_of_another_kind_is_ticked_by_its_own_box_alone_and_replaced_only_if_that_is_chosen() {
    let mut bench = Bench::new();
    bench.write("left/new", b"new");
    bench.write("left/kind/in/deep", b"a folder on the left");
    bench.write("right/kind", b"a file on the right");
    bench.write("left/newer", b"left");
    bench.write("right/newer", b"right, and later");
    let early = std::time::UNIX_EPOCH + Duration::from_hours(24);
    fs::File::options().write(true).open(bench.path("left/newer")).unwrap().set_modified(early).unwrap();
    bench.compare();
    bench.app.tick_all(Side::Left);
    assert_eq!(bench.app.ticked(Side::Left).0, 2, "all differences, without what is of another kind");
    let row = |bench: &Bench, path: &str| {
        let comparison = bench.app.loaded().unwrap().comparison();
        (0..comparison.rows.len() as RowId).find(|&row| comparison.path(row).to_string() == path).unwrap()
    };
    let kind = row(&bench, "kind");
    click(&mut bench, kind);
    assert_eq!(bench.app.ticked(Side::Left).0, 5, "with all that is in it");

    bench.app.copy(Side::Right);
    let planned = |app: &App| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some());
    bench.until("a plan", planned);
    assert_eq!(bench.proposed().choices, [Choice::Newer, Choice::Kinds]);
    let plan = &bench.proposed().proposal.plan;
    assert_eq!((plan.totals.replaced_newer, plan.totals.removed_files, plan.skipped.len()), (1, 0, 1));

    bench.app.choose(Choice::Newer, false);
    bench.until("another plan", planned);
    bench.app.choose(Choice::Kinds, true);
    bench.until("another plan", planned);
    assert_eq!(bench.proposed().choices, [Choice::Newer, Choice::Kinds], "they can be changed again");
    let plan = &bench.proposed().proposal.plan;
    assert_eq!((plan.totals.replaced_newer, plan.totals.removed_files, plan.totals.new_files), (0, 1, 2));
    assert_eq!(
        bench.app.settings().replace_kinds,
        fcs_engine::settings::ReplaceKinds::Sync,
        "this plan alone"
    );
    if let (Some(number), Some(Sheet::Confirm(confirm))) =
        (bench.proposed().must_type(), &mut bench.app.sheet)
    {
        confirm.typed = number.to_string();
    }
    bench.app.go(false);
    bench.until("a run", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    assert_eq!(fs::read(bench.path("right/kind/in/deep")).unwrap(), b"a folder on the left");
    assert_eq!(fs::read(bench.path("right/newer")).unwrap(), b"right, and later");
    assert!(bench.path("right/new").exists());
}

/// Ticks are taken over by path to the next comparison; a folder that is to take the place of a file keeps all of its own.
#[test]
fn l3_what_is_of_two_kinds_is_taken_over_whole_to_the_next_comparison() {
    let mut bench = Bench::new();
    bench.write("left/kind/in/deep", b"a folder on the left");
    bench.write("right/kind", b"a file on the right");
    bench.compare();
    let comparison = bench.app.loaded().unwrap().comparison();
    let kind = (0..comparison.rows.len() as RowId).find(|&row| comparison.path(row).to_string() == "kind");
    click(&mut bench, kind.unwrap());
    assert_eq!(bench.app.ticked(Side::Left).0, 3);
    bench.compare();
    assert_eq!(bench.app.ticked(Side::Left).0, 3);
}

/// R7: originals that could not be deleted still take up the room that was to be made.
#[test]
fn r7_what_could_not_be_deleted_to_make_room_is_told() {
    let mut bench = Bench::new();
    let error = fcs_engine::Error::new(fcs_engine::Op::Prune, "kept", fcs_engine::ErrorKind::TargetStale);
    let text = with_hint(&error, FrontEnd::Window);
    let pruned = fcs_engine::history::Pruned { errors: vec![error], ..Default::default() };
    bench.app.take(JobEvent::Pruned(Ok(pruned)));
    let lines = bench.app.log.lines();
    assert!(lines.iter().any(|line| line.level == Level::Warning && line.text == text), "{lines:#?}");
    assert!(lines.iter().all(|line| line.level != Level::Done), "nothing was deleted: {lines:#?}");
}
