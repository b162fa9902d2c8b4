//! The window worked with as a user does: by the names of its controls, by keys, by what is typed. Over real folders
//! and the real engine.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{ALT, Bench, CTRL, NONE, SHIFT, interrupt_a_run, small, with_orphans};
use egui::{Key, Role, Theme, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use fcs_app::settings_file::SettingsFile;
use fcs_engine::Settings;
use fcs_engine::compare::Side;
use fcs_engine::settings::{Newer, Verify};
use fcs_gui_model::app::{App, Sheet};
use fcs_gui_model::keep::{self, Remembered};
use fcs_gui_model::{Chip, Chips, Column};

/// Presses the primary button at a place.
fn click_at(bench: &mut Bench, pos: egui::Pos2) {
    for pressed in [true, false] {
        let button = egui::PointerButton::Primary;
        bench.h.event(egui::Event::PointerMoved(pos));
        bench.h.event(egui::Event::PointerButton { pos, button, pressed, modifiers: NONE });
        bench.h.step();
    }
    bench.h.run();
}

#[test]
fn who_clicks_into_a_shortened_path_edits_its_end_which_is_what_is_seen() {
    let mut bench = Bench::usual();
    let long = bench.path("left").join("a folder with a long name/".repeat(8));
    bench.app_mut().set_folder_text(Side::Left, long.display().to_string());
    bench.h.run();
    let area = bench.get(Role::TextInput, "Left folder").rect();
    click_at(&mut bench, egui::pos2(area.center().x, area.center().y));
    bench.h.event(egui::Event::Text("X".into()));
    bench.h.run();
    let text = bench.app().field(Side::Left).text().to_owned();
    assert_eq!(text, format!("{}X", long.display()));
    // Now that all of it is there to be edited, a click is where it is.
    bench.h.run_steps(60);
    click_at(&mut bench, egui::pos2(area.center().x, area.center().y));
    bench.h.event(egui::Event::Text("Y".into()));
    bench.h.run();
    let text = bench.app().field(Side::Left).text();
    assert!(text.ends_with('X') && text.contains('Y'), "{text}");
}

#[test]
fn a_click_that_closes_a_menu_ticks_nothing() {
    let mut bench = Bench::usual();
    bench.write("left/a.txt", 10, 1);
    bench.app_mut().compare();
    bench.idle();
    let row = bench.h.get_by_label_contains("a.txt, Left only").rect();
    let place = egui::pos2(row.left() + 200.0, row.center().y);
    bench.button("Compare by");
    assert!(bench.says("Compare now"), "the menu is open");
    click_at(&mut bench, place);
    assert!(!bench.says("Compare now"), "it is closed");
    assert_eq!(bench.app().ticked(Side::Left).0, 0);
    bench.h.run_steps(60);
    click_at(&mut bench, place);
    assert_eq!(bench.app().ticked(Side::Left).0, 1, "the next click ticks");
}

#[test]
fn everything_is_drawn_smaller_where_there_is_no_room_and_as_wished_where_there_is() {
    let mut bench = Bench::new(vec2(400.0, 300.0), Theme::Light);
    bench.write("left/a.txt", 10, 1);
    bench.app_mut().compare();
    bench.idle();
    let zoom = |bench: &Bench| bench.h.ctx.zoom_factor();
    let resize = |bench: &mut Bench, pixels: egui::Vec2| {
        let points = pixels / bench.h.ctx.zoom_factor();
        bench.h.set_size(points);
        bench.h.run();
    };
    assert!(zoom(&bench) < 0.7, "{}", zoom(&bench));
    let all = bench.h.ctx.content_rect();
    for label in ["Compare", "Copy 0 to the right", "Menu"] {
        let area = bench.get(Role::Button, label).rect();
        assert!(all.contains_rect(area), "{label}: {area} in {all}");
    }
    assert_eq!(bench.app().kept.zoom, None, "what is remembered is what was wished");
    resize(&mut bench, vec2(1200.0, 800.0));
    assert!((zoom(&bench) - 1.0).abs() < 0.01, "{}", zoom(&bench));
    // The toolkit's own keys.
    bench.h.key_press_modifiers(CTRL, Key::Plus);
    bench.h.run();
    let wished = zoom(&bench);
    assert!(wished > 1.05);
    resize(&mut bench, vec2(500.0, 400.0));
    assert!(zoom(&bench) < 0.9);
    resize(&mut bench, vec2(1200.0, 800.0));
    assert!((zoom(&bench) - wished).abs() < 0.01, "as wished again: {}", zoom(&bench));
    assert_eq!(bench.app().kept.zoom, Some(wished));
    // A step from what is wished, not from what there is room for.
    resize(&mut bench, vec2(400.0, 300.0));
    bench.h.key_press_modifiers(CTRL, Key::Plus);
    bench.h.run();
    assert!(bench.app().kept.zoom.unwrap() > wished, "{:?}", bench.app().kept.zoom);
    bench.h.key_press_modifiers(CTRL, Key::Num0);
    bench.h.run();
    assert_eq!(bench.app().kept.zoom, Some(1.0));
    assert!(zoom(&bench) < 0.7);
}

#[test]
fn compare_tick_dry_run_copy_and_undo() {
    let mut bench = small();
    let paths = ["left", "right"].map(|side| bench.path(side).to_str().unwrap().to_owned());
    for side in [Side::Left, Side::Right] {
        bench.app_mut().set_folder_text(side, String::new());
    }
    bench.h.run();
    assert!(!bench.is_enabled("Compare"));
    bench.type_into("Left folder", &paths[0]);
    assert!(!bench.is_enabled("Compare"));
    bench.type_into("Right folder", &paths[1]);
    bench.key(NONE, Key::Enter);
    assert!(bench.app().busy.is_some() || bench.app().loaded().is_some(), "Enter compares");
    bench.idle();
    bench.button("Compare");
    bench.idle();
    bench.compare();
    let compared = bench.app().log.lines().iter().filter(|line| line.text.starts_with("Compared")).count();
    assert_eq!(compared, 3, "Enter, the button and F5");
    let before = [bench.listing("left"), bench.listing("right")];

    bench.tick("Left new.txt");
    assert_eq!(bench.app().ticked(Side::Left), (1, 3));
    assert!(bench.is_enabled("Copy 1 to the right") && !bench.is_enabled("Copy 0 to the left"));
    bench.button("Tick all differences on the left");
    bench.button("Copy 2 to the right");
    bench.planned();
    assert!(bench.says("Copy from left to right") && bench.says(&paths[1]), "{:#?}", bench.all());
    bench.button("Dry run");
    bench.ended();
    assert!(
        bench.says("Dry run: nothing was written.") && bench.says("new, 3 B, direct, verified"),
        "{:#?}",
        bench.all()
    );
    assert_eq!([bench.listing("left"), bench.listing("right")], before);
    bench.button("Close");

    bench.button("Copy 2 to the right");
    bench.planned();
    bench.button("Copy 2 items to the right");
    bench.ended();
    assert!(bench.says("Done: 2 files and links copied (16 B)"), "{:#?}", bench.all());
    assert!(bench.says("read back"), "the evidence: {:#?}", bench.all());
    assert_eq!(fs::read(bench.path("right/sub/changed.txt")).unwrap().len(), 13);
    assert_ne!(bench.listing("right"), before[1]);

    bench.button("Undo this run…");
    bench.asked_undo();
    bench.button("Undo it");
    bench.recovered_runs();
    assert!(bench.says("Undone"), "{:#?}", bench.all());
    bench.button("Close");
    assert!(bench.app().sheet.is_none());
    assert_eq!([bench.listing("left"), bench.listing("right")], before);
}

/// So much to copy that the run is still going on when the next buttons are pressed.
fn large() -> Bench {
    let bench = small();
    for n in 0..4_u8 {
        let name = format!("left/{n}.bin");
        fs::write(bench.path(&name), vec![n; 64 << 20]).unwrap();
        bench.date(&name, u64::from(n));
    }
    bench.write("right/0.bin", 12, 400);
    ["left", "right"].iter().for_each(|folder| bench.date(folder, 9));
    bench
}

/// Begins to copy all, and does no more than needed to see that.
fn begin_run(bench: &mut Bench) {
    bench.app_mut().set_setting("batch_max_files", "1");
    bench.app_mut().set_setting("copy_workers", "1");
    bench.compare();
    bench.button("Tick all differences on the left");
    bench.button("Copy 6 to the right");
    bench.planned();
    bench.at_once("Copy 6 items to the right");
}

#[test]
fn a_run_stands_still_while_it_is_asked_about_and_is_rolled_back() {
    let mut bench = large();
    let before = bench.listing("right");
    begin_run(&mut bench);
    let paused = |bench: &Bench| bench.app().busy.as_ref().expect("the run goes on").running.is_paused();
    assert!(!paused(&bench));
    bench.at_once("Stop");
    assert!(bench.says("Stop this run?") && bench.says("Paused") && paused(&bench), "{:#?}", bench.all());
    bench.at_once("Go on");
    assert!(bench.app().sheet.is_none() && !paused(&bench));
    bench.at_once("Stop");
    bench.h.key_press(Key::Escape);
    bench.h.step();
    assert!(bench.app().sheet.is_none() && !paused(&bench), "Escape goes on");
    // With something to roll back.
    while fs::metadata(bench.path("right/0.bin")).unwrap().len() == 12 {
        assert!(bench.app().busy.is_some(), "{:#?}", bench.all());
        bench.h.step();
    }
    bench.at_once("Stop");
    assert_ne!(bench.listing("right"), before);
    bench.button("Stop and roll back");
    bench.ended();
    assert!(bench.says("Rolled back: the folder is as it was before the run."), "{:#?}", bench.all());
    assert_eq!(bench.listing("right"), before);
}

#[test]
fn a_window_that_is_closed_during_a_run_asks_and_closes_after_the_answer() {
    let mut bench = large();
    begin_run(&mut bench);
    bench.app_mut().ask_to_stop(true);
    bench.h.run();
    assert!(bench.says("A run is in progress") && !bench.app().should_close(), "{:#?}", bench.all());
    bench.button("Stop and keep");
    bench.until("the close", App::should_close);
    let mut bench = Bench::usual();
    bench.app_mut().ask_to_stop(true);
    assert!(bench.app().should_close(), "nothing is in progress");
}

#[test]
fn what_failed_is_listed_copied_and_tried_again() {
    let mut bench = small();
    bench.compare();
    bench.button("Tick all differences on the left");
    bench.button("Copy 2 to the right");
    bench.planned();
    bench.write("left/new.txt", 30, 50);
    bench.button("Copy 2 items to the right");
    bench.ended();
    assert!(bench.says("1 failed") && bench.says("new.txt"), "{:#?}", bench.all());
    let text = bench.copied("Copy the list").expect("a text in the clipboard");
    assert!(text.contains("new.txt"), "{text}");
    assert!(!bench.path("right/new.txt").exists());
    bench.button("Retry failed…");
    bench.planned();
    bench.button("Copy 1 item to the right");
    bench.ended();
    assert!(!bench.says("1 failed"), "{:#?}", bench.all());
    assert_eq!(fs::read(bench.path("right/new.txt")).unwrap().len(), 30);
}

#[test]
fn orphans_are_deleted_permanently_only_after_their_number_was_typed() {
    let mut bench = with_orphans();
    bench.compare();
    bench.key(NONE, Key::Delete);
    bench.looked();
    assert!(bench.says("Delete what only the left side has") && bench.is_enabled("Delete 6 items…"));
    bench.tick("Left 2.txt");
    assert!(bench.says("Ticked: 4 files, 0 folders"), "its folder stays: {:#?}", bench.all());
    bench.press(Role::RadioButton, "Delete permanently");

    let before = [bench.listing("left"), bench.listing("right")];
    bench.tick("Dry run only");
    bench.button("Dry run");
    bench.ended();
    assert!(bench.says("Dry run: nothing was written."), "{:#?}", bench.all());
    assert_eq!([bench.listing("left"), bench.listing("right")], before);
    bench.button("Close");

    bench.key(NONE, Key::Delete);
    bench.looked();
    bench.tick("Left 2.txt");
    bench.press(Role::RadioButton, "Delete permanently");
    bench.button("Delete 4 items…");
    bench.planned();
    let delete = "Delete 4 items permanently";
    assert!(bench.says("This cannot be undone.") && bench.says("Type 4 to allow it."), "{:#?}", bench.all());
    for typed in ["", "3", "44", "yes"] {
        bench.type_into("Number of items to allow", typed);
        assert!(!bench.is_enabled(delete), "{typed:?}");
        bench.button(delete);
        assert!(bench.app().busy.is_none() && bench.path("left/old/0.txt").exists(), "{typed:?}");
    }
    assert_eq!([bench.listing("left"), bench.listing("right")], before);
    bench.type_into("Number of items to allow", "4");
    bench.button(delete);
    bench.ended();
    assert!(bench.find(Role::Button, "Undo this run…").is_none(), "for good");
    assert!(bench.path("left/old/2.txt").exists() && !bench.path("left/old/0.txt").exists());
    assert!(!bench.path("left/new.txt").exists() && bench.path("left/sub/same.txt").exists());
    assert_eq!(bench.listing("right"), before[1]);
}

#[test]
fn shift_and_delete_is_about_the_right_side() {
    let mut bench = with_orphans();
    bench.compare();
    bench.key(SHIFT, Key::Delete);
    bench.looked();
    assert!(bench.says("Delete what only the right side has"), "{:#?}", bench.all());
    bench.button("None");
    assert!(!bench.is_enabled("Delete 0 items…"));
    bench.button("All");
    bench.type_into("Filter what is to be deleted", "nothing like it");
    assert_eq!(bench.app().sheet.as_ref().map(|sheet| matches!(sheet, Sheet::Orphans(_))), Some(true));
    bench.button("Cancel");
    assert!(bench.app().sheet.is_none());
}

#[test]
fn the_filter_is_typed_cleared_and_restored() {
    let mut bench = with_orphans();
    bench.compare();
    bench.button("Expand all");
    let all = bench.visible();
    bench.key(CTRL, Key::F);
    assert_eq!(bench.focused().as_deref(), Some("Filter"));
    bench.get(Role::TextInput, "Filter").type_text("1.txt");
    bench.h.run();
    let found = bench.visible();
    assert!(found.len() < all.len() && bench.says("1 match"), "{:#?}", bench.all());
    bench.button("Tick all differences on the left");
    assert_eq!(bench.app().ticked(Side::Left).0, 1);
    assert!(bench.says("that the filter hides stayed as they were"), "{:#?}", bench.all());
    bench.button("Untick all on the left");

    bench.type_into("Filter", "1.txt; >9Q");
    assert!(bench.app().filter.error.is_some());
    assert_eq!(bench.visible(), found, "a text that is not understood changes nothing");
    bench.get(Role::TextInput, "Filter").hover();
    bench.h.run_steps(60);
    assert!(bench.says("cannot be used as a filter"), "{:#?}", bench.all());

    bench.key(NONE, Key::Escape);
    assert_ne!(bench.focused().as_deref(), Some("Filter"), "first it leaves the field");
    assert_eq!(bench.app().filter.text, "1.txt; >9Q");
    bench.key(NONE, Key::Escape);
    assert_eq!((bench.app().filter.text.as_str(), bench.visible()), ("", all.clone()));
    assert!(bench.app().filter.error.is_none());

    assert!(bench.find(Role::Button, "Show all").is_none());
    bench.tick("Show Left only");
    assert_eq!(bench.app().filter.chips, Chips::ALL.toggled(Chip::LeftOnly));
    assert!(bench.visible().len() < all.len());
    bench.button("Show all");
    assert_eq!(bench.visible(), all);
    bench.tick("Show Same");
    bench.tick("Show Same");
    assert_eq!(bench.visible(), all);
}

#[test]
fn the_table_is_worked_with_keys() {
    let mut bench = with_orphans();
    bench.compare();
    bench.press(Role::ColumnHeader, "Sort by left size");
    assert_eq!(bench.app().loaded().unwrap().model.rows().sort().column, Column::Size(Side::Left));
    bench.press(Role::ColumnHeader, "Sort by left name");
    bench.key(NONE, Key::Escape);
    bench.key(ALT, Key::ArrowDown);
    assert!(bench.cursor().starts_with("old"), "{}", bench.cursor());
    bench.key(ALT, Key::ArrowUp);
    bench.key(ALT, Key::ArrowUp);
    assert!(bench.says("No difference above."), "{:#?}", bench.all());
    bench.get(Role::TreeGrid, "Comparison").focus();
    bench.h.run();
    bench.key(NONE, Key::Home);
    bench.key(NONE, Key::ArrowDown);
    bench.key(NONE, Key::ArrowRight);
    bench.key(NONE, Key::ArrowRight);
    assert_eq!(bench.cursor(), "old/0.txt");
    bench.key(NONE, Key::Space);
    assert_eq!(bench.app().ticked(Side::Left), (1, 10));
    bench.key(NONE, Key::ArrowLeft);
    assert_eq!(bench.cursor(), "old");
    bench.key(NONE, Key::ArrowLeft);
    assert!(bench.find(Role::DisclosureTriangle, "Expand old").is_some(), "{:#?}", bench.all());
    bench.key(NONE, Key::N);
    bench.key(CTRL, Key::A);
    assert_eq!(bench.app().ticked(Side::Left).0, 7);
    bench.key(CTRL, Key::D);
    assert_eq!(bench.app().ticked(Side::Left).0, 0);
    bench.key(CTRL | SHIFT, Key::A);
    assert_eq!(bench.app().ticked(Side::Right).0, 2);
    bench.key(CTRL, Key::ArrowRight);
    assert!(bench.says("Tick what is to be copied first."), "{:#?}", bench.all());
    bench.key(CTRL, Key::ArrowLeft);
    bench.planned();
    assert!(bench.says("Copy from right to left"));
    bench.key(NONE, Key::Escape);
    bench.key(CTRL | SHIFT, Key::D);
    assert_eq!(bench.app().ticked(Side::Right).0, 0);
    bench.key(CTRL, Key::A);
    bench.key(CTRL, Key::ArrowRight);
    bench.planned();
    assert!(bench.says("Copy from left to right"));
    bench.key(CTRL, Key::D);
    bench.key(NONE, Key::Delete);
    assert!(
        bench.says("Copy from left to right") && bench.app().ticked(Side::Left).0 == 7,
        "keys are the sheet's"
    );
}

#[test]
fn settings_are_found_typed_refused_reset_and_carried_over() {
    let mut bench = Bench::usual();
    bench.key(CTRL, Key::Comma);
    bench.type_into("Find a setting", "batch_max_files");
    let field = "Batch max files";
    assert!(bench.find(Role::TextInput, "Direct max bytes").is_none(), "{:#?}", bench.all());
    bench.type_into(field, "0");
    bench.key(NONE, Key::Enter);
    assert!(bench.says("is not in force"), "{:#?}", bench.all());
    assert_eq!(bench.app().settings(), &Settings::default());
    bench.type_into(field, "77");
    bench.key(NONE, Key::Tab);
    assert_eq!(bench.app().settings().batch_max_files, 77);
    assert!(!bench.says("is not in force") && bench.says("(changed)"), "{:#?}", bench.all());

    let mine = bench.path("home/mine.toml");
    bench.answers.0.lock().unwrap().push(mine.clone());
    bench.button("Export…");
    bench.until("an export", |app| app.status_message.is_some());
    bench.button("Reset to the default: Batch max files");
    assert_eq!(bench.app().settings(), &Settings::default());
    bench.answers.0.lock().unwrap().push(mine);
    bench.button("Import…");
    bench.until("an import", |app| app.settings().batch_max_files == 77);
    assert_eq!(bench.get(Role::TextInput, field).value().as_deref(), Some("77"));
    bench.button("All defaults");
    assert_eq!(bench.app().settings(), &Settings::default());
    bench.type_into(field, "78");
    bench.button("Close");
    assert_eq!(bench.app().settings().batch_max_files, 78, "what was typed last counts too");
    bench.app_mut().finish();
    let file = SettingsFile::read(bench.path("home/settings.toml")).unwrap();
    assert_eq!(file.settings().batch_max_files, 78);
}

#[test]
fn what_is_verified_is_remembered() {
    let mut bench = small();
    bench.compare();
    bench.press(Role::RadioButton, "Verify: Nothing");
    assert_eq!(bench.app().settings().verify, Verify::Off);
    bench.app_mut().finish();
    assert_eq!(SettingsFile::read(bench.path("home/settings.toml")).unwrap().settings().verify, Verify::Off);
}

/// W3, W5: what is about this plan is chosen on its sheet, for it alone; what is about a comparison, where that is.
#[test]
fn what_a_copy_and_a_comparison_meet_is_chosen_where_one_looks_for_it() {
    let mut bench = small();
    bench.compare();
    bench.button("Tick all differences on the left");
    bench.button("Copy 2 to the right");
    bench.planned();
    assert!(bench.is_enabled("Copy 2 items to the right"));
    bench.press(Role::RadioButton, "Newer files: Leave alone");
    bench.planned();
    assert!(bench.is_enabled("Copy 1 item to the right"), "{:#?}", bench.all());
    assert_eq!(bench.app().settings().newer, Newer::Replace, "for this plan alone");
    bench.button("Cancel");

    bench.button("Compare by");
    bench.press(Role::CheckBox, "Stay on one volume");
    bench.press(Role::CheckBox, "Ignore a clock change");
    let settings = bench.app().settings();
    assert!(settings.one_file_system && settings.ignore_whole_hours == 1);
}

#[test]
fn a_run_is_undone_from_the_history() {
    let mut bench = small();
    bench.compare();
    let before = bench.listing("right");
    bench.copy_all("Copy 2 to the right", "Copy 2 items to the right");
    bench.ended();
    bench.button("Close");
    bench.button("Menu");
    bench.button("History of runs");
    bench.until("the runs", |app| matches!(app.sheet, Some(Sheet::History(Some(_)))));
    assert!(bench.says("copy from") && bench.says("2 items"), "{:#?}", bench.all());
    let undo = bench.all().into_iter().find(|name| name.starts_with("Undo the run of")).unwrap();
    bench.button(&undo);
    assert!(bench.says("Undo this run?"));
    bench.button("Cancel");
    assert_ne!(bench.listing("right"), before, "nothing was taken back yet");
    bench.key(CTRL, Key::Z);
    bench.asked_undo();
    bench.button("Undo it");
    bench.recovered_runs();
    assert_eq!(bench.listing("right"), before);
    bench.button("Close");
    bench.key(CTRL, Key::Z);
    bench.until("an answer", |app| app.status_message.is_some());
    assert!(bench.says("There is no run on these folders that could be undone."));
}

#[test]
fn an_interrupted_run_is_shown_until_it_is_recovered() {
    let mut bench = small();
    let before = bench.listing("right");
    interrupt_a_run(&bench);
    assert_ne!(bench.listing("right"), before);
    bench.compare();
    assert!(bench.says("was interrupted."), "{:#?}", bench.all());
    bench.button("Roll it back…");
    assert!(bench.says("Recover the interrupted run?"));
    bench.key(NONE, Key::Escape);
    assert!(bench.says("was interrupted."));
    bench.button("Roll it back…");
    bench.button("Recover it");
    bench.recovered_runs();
    bench.button("Close");
    assert!(!bench.says("was interrupted."), "{:#?}", bench.all());
    assert_eq!(bench.listing("right"), before);
}

#[test]
fn the_log_is_opened_filtered_and_copied() {
    let mut bench = small();
    bench.compare();
    bench.app_mut().set_folder_text(Side::Right, "/nowhere at all".to_owned());
    bench.compare();
    bench.button("Open the log");
    assert!(bench.says("Compared in") && bench.says("does not exist"), "{:#?}", bench.all());
    bench.type_into("Find in the log", "compared IN");
    assert!(bench.says("1 line"), "{:#?}", bench.all());
    let text = bench.copied("Copy").unwrap();
    assert!(text.contains("Compared in") && !text.contains("does not exist"), "{text}");
    bench.type_into("Find in the log", "");
    bench.press(Role::RadioButton, "Errors");
    let text = bench.copied("Copy").unwrap();
    assert!(!text.contains("Compared in") && text.contains("does not exist"), "{text}");
    bench.answers.0.lock().unwrap().push(bench.path("home/log.txt"));
    bench.button("Export…");
    bench.until("an export", |app| app.status_message.is_some());
    assert_eq!(bench.text("home/log.txt"), text, "what is exported is what is copied");
    bench.button("Clear");
    assert!(bench.copied("Copy").is_some_and(|text| text.is_empty() || text.contains("Saved")));
}

#[test]
fn recent_folders_and_the_theme_are_chosen_from_menus_and_remembered() {
    let mut bench = small();
    bench.compare();
    let [left, right] = ["left", "right"].map(|side| bench.path(side).to_str().unwrap().to_owned());
    bench.button("Swap left and right");
    bench.idle();
    assert_eq!(bench.app().field(Side::Left).text(), right);
    bench.button("Recent pairs of folders, at the left");
    bench.button(&format!("{left}  ↔  {right}"));
    assert_eq!([Side::Left, Side::Right].map(|side| bench.app().field(side).text()), [&left, &right]);
    let chosen = bench.path("home");
    bench.answers.0.lock().unwrap().push(chosen.clone());
    bench.button("Choose the left folder");
    bench.until("a folder", |app| app.field(Side::Left).path() == chosen);
    bench.compare();

    assert_eq!(bench.h.ctx.theme(), Theme::Dark);
    bench.button("Menu");
    bench.button("Light theme");
    assert_eq!(bench.h.ctx.theme(), Theme::Light);
    bench.app_mut().finish();
    let kept = Remembered::read(&bench.text("home/window.toml")).unwrap();
    assert_eq!(kept.theme, keep::Theme::Light);
    assert_eq!((kept.left.as_str(), kept.pairs.len()), (chosen.to_str().unwrap(), 3));
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }
    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("a folder".to_owned())
    }
}

#[test]
fn folders_that_are_dropped_fill_the_sides() {
    let mut bench = Bench::usual();
    let [left, right, home] = ["left", "right", "home"].map(|name| bench.path(name));
    let mut drop_on = |x: f32, paths: &[&PathBuf]| {
        bench.h.hover_at(egui::pos2(x, 400.0));
        bench.h.run();
        let dropped = paths.iter().map(|path| Arc::new(Dropped((*path).clone())) as egui::DroppedFileHandle);
        bench.h.input_mut().dropped_files = dropped.collect();
        bench.h.run();
        [Side::Left, Side::Right].map(|side| bench.app().field(side).path())
    };
    assert_eq!(drop_on(100.0, &[&home, &left]), [home.clone(), left.clone()], "two fill both");
    assert_eq!(drop_on(100.0, &[&left]), [left.clone(), left.clone()]);
    assert_eq!(drop_on(1200.0, &[&right]), [left.clone(), right.clone()]);
    bench.compare();
    bench.key(NONE, Key::Delete);
    bench.h.input_mut().dropped_files = vec![Arc::new(Dropped(home))];
    bench.h.run();
    assert_eq!(bench.app().field(Side::Right).path(), right, "not while a sheet is open");
}

#[test]
fn v3_the_button_says_how_much_of_what_it_deletes_is_hidden() {
    let mut bench = with_orphans();
    bench.compare();
    bench.key(NONE, Key::Delete);
    bench.looked();
    assert!(bench.is_enabled("Delete 6 items…"));
    bench.type_into("Filter what is to be deleted", "new.txt");
    assert!(bench.find(Role::Button, "Delete 6 items…").is_none());
    assert!(bench.is_enabled("Delete 6, 5 of them hidden by the filter…"), "{:#?}", bench.all());
    assert!(bench.says("5 of them hidden by the filter"));
    bench.button("Delete the 1 shown…");
    bench.planned();
    assert!(bench.find(Role::Button, "Delete 1 item").is_some(), "{:#?}", bench.all());
    bench.button("Cancel");

    bench.key(NONE, Key::Delete);
    bench.looked();
    bench.type_into("Filter what is to be deleted", "new.txt");
    bench.button("Delete 6, 5 of them hidden by the filter…");
    bench.planned();
    assert!(bench.says("5 items of these cannot be seen"), "{:#?}", bench.all());
    assert!(bench.path("left/old/0.txt").exists());
}

#[test]
fn v4_a_folder_is_chosen_in_the_window_where_the_desktop_has_no_dialog() {
    let mut bench = small();
    bench.answers.0.lock().unwrap().push(PathBuf::new());
    bench.button("Choose the left folder");
    let listed = |app: &App| matches!(&app.sheet, Some(Sheet::Pick(p)) if p.entries.is_some());
    bench.until("a list", listed);
    assert!(bench.says("Chosen here, because nothing is there."), "{:#?}", bench.all());
    bench.button("sub");
    bench.until("a list", listed);
    bench.button("Choose this folder");
    assert_eq!(bench.app().field(Side::Left).path(), bench.path("left/sub"));
}

#[test]
fn v5_after_a_comparison_keys_are_the_tables_and_f6_goes_round() {
    let mut bench = with_orphans();
    bench.compare();
    let on_table = |bench: &Bench| {
        let node = bench.h.root().children_recursive().find(|node| node.accesskit_node().is_focused());
        node.is_some_and(|node| matches!(node.accesskit_node().role(), Role::TreeGrid | Role::TreeItem))
    };
    assert!(on_table(&bench), "{:?}", bench.focused());
    let mut round = Vec::new();
    for _ in 0..4 {
        bench.key(NONE, Key::F6);
        round.push(if on_table(&bench) { "table".to_owned() } else { bench.focused().unwrap_or_default() });
    }
    assert_eq!(round, ["Verify: Every file", "Left folder", "Filter", "table"]);
    bench.key(SHIFT, Key::F6);
    assert_eq!(bench.focused().as_deref(), Some("Filter"));
    // The focus goes with the row, so that Space ticks that row and presses nothing else.
    bench.get(Role::Button, "Menu").focus();
    bench.h.run();
    bench.key(ALT, Key::ArrowDown);
    assert!(on_table(&bench), "{:?}", bench.focused());
    bench.key(NONE, Key::Space);
    assert!(bench.app().ticked(Side::Left).0 > 0);
}

#[test]
fn v9_delete_is_about_the_side_of_the_row() {
    let mut bench = with_orphans();
    bench.compare();
    bench.key(NONE, Key::O);
    bench.key(NONE, Key::N);
    while !bench.cursor().starts_with("only here") {
        bench.key(ALT, Key::ArrowDown);
        assert!(!bench.says("No difference below."), "{}", bench.cursor());
    }
    bench.key(NONE, Key::Delete);
    bench.looked();
    assert!(bench.says("Delete what only the right side has"), "{:#?}", bench.all());
}

#[test]
fn v13_and_v15_what_is_remembered_is_offered_and_a_filter_without_a_match_says_so() {
    let mut bench = small();
    assert!(bench.says("Compare these two folders?"), "{:#?}", bench.all());
    bench.button("Compare them");
    bench.idle();
    bench.type_into("Filter", "*.nothing");
    assert!(bench.says("Nothing matches the filter “*.nothing”."), "{:#?}", bench.all());
    bench.button("Show all");
    assert!(!bench.says("Nothing matches"));
    bench.button("Restore the filter");
    assert_eq!(bench.app().filter.text, "*.nothing");
}

#[test]
fn a_row_has_a_menu_for_the_mouse_and_for_keys_that_opens_its_times() {
    let mut bench = small();
    bench.compare();
    let row = bench.h.get_by_label_contains("new.txt, Left only").rect();
    let pos = egui::pos2(row.left() + 100.0, row.center().y);
    for pressed in [true, false] {
        let button = egui::PointerButton::Secondary;
        bench.h.event(egui::Event::PointerMoved(pos));
        bench.h.event(egui::Event::PointerButton { pos, button, pressed, modifiers: NONE });
        bench.h.step();
    }
    bench.h.run();
    assert_eq!(bench.cursor(), "new.txt");
    bench.button("Tick on the left");
    assert_eq!(bench.app().ticked(Side::Left).0, 1);
    assert!(bench.find(Role::Button, "Times…").is_none(), "a choice closes the menu");

    bench.key(SHIFT, Key::F10);
    assert_eq!(bench.focused().as_deref(), Some("Untick on the left"));
    bench.key(NONE, Key::ArrowDown);
    assert_eq!(bench.focused().as_deref(), Some("Times…"));
    bench.key(NONE, Key::Escape);
    assert!(bench.find(Role::Button, "Times…").is_none());
    bench.key(SHIFT, Key::F10);
    bench.key(NONE, Key::ArrowDown);
    bench.key(NONE, Key::Enter);
    assert!(matches!(bench.app().sheet, Some(Sheet::Times(_))), "{:#?}", bench.all());
    assert_eq!(bench.cursor(), "new.txt");
    bench.press(Role::RadioButton, "Set times on the left");
    bench.type_into("Modified time to set", "2001-02-03T04:05:06Z");
    bench.button("Show what will be set");
    bench.idle();
    assert!(bench.says("2001-02-03T04:05:06.000000000Z"), "{:#?}", bench.all());
    bench.button("Set the times of 1 item on the left");
    bench.ended();
    assert!(bench.says("Done: times of 1 item set"), "{:#?}", bench.all());
    let set = fs::metadata(bench.path("left/new.txt")).unwrap().modified().unwrap();
    assert_eq!(set, std::time::UNIX_EPOCH + std::time::Duration::from_secs(981_173_106));
    bench.key(NONE, Key::Escape);
    bench.key(NONE, Key::ArrowUp);
    assert_ne!(bench.cursor(), "new.txt", "keys are the table's again");
}

#[test]
fn enter_and_a_double_click_open_a_file_and_expand_a_folder() {
    let mut bench = small();
    bench.compare();
    bench.key(NONE, Key::ArrowDown);
    assert_eq!(bench.cursor(), "sub");
    bench.key(NONE, Key::Enter);
    assert!(bench.find(Role::DisclosureTriangle, "Collapse sub").is_some(), "{:#?}", bench.all());
    bench.key(NONE, Key::ArrowDown);
    assert_eq!(bench.cursor(), "sub/changed.txt");
    bench.key(NONE, Key::Enter);
    bench.until("the opening", |app| app.status_message.is_some());
    bench.app_mut().status_message = None;
    bench.key(CTRL, Key::Enter);
    bench.until("the file manager", |app| app.status_message.is_some());
    bench.app_mut().status_message = None;
    bench.h.run_steps(60);
    let row = bench.h.get_by_label_contains("only here.txt, Right only").rect();
    let place = egui::pos2(row.right() - 100.0, row.center().y);
    for pressed in [true, false, true, false] {
        let button = egui::PointerButton::Primary;
        bench.h.event(egui::Event::PointerMoved(place));
        bench.h.event(egui::Event::PointerButton { pos: place, button, pressed, modifiers: NONE });
        bench.h.step();
    }
    bench.until("the opening", |app| {
        app.status_message.as_ref().is_some_and(|text| text.contains("only here"))
    });
    let handed = bench.answers.1.lock().unwrap().clone();
    let changed = bench.path("left/sub/changed.txt");
    let only = bench.path("right/only here.txt");
    assert_eq!(handed, [("open", changed.clone()), ("reveal", changed), ("open", only)]);
    assert_eq!(bench.app().ticked(Side::Right).0, 0, "the first click's tick is undone");
}

#[test]
fn a_mode_is_chosen_overruled_and_run_with_keys_alone() {
    let mut bench = small();
    bench.compare();
    // From the folders with Tab to the button beside Compare, and in what hangs from it to the mode.
    bench.key(NONE, Key::F6);
    let mut stops = 0;
    while bench.focused().as_deref() != Some("Mode: What is ticked") {
        bench.key(SHIFT, Key::Tab);
        stops += 1;
        assert!(stops < 40, "the button is not reached: {:?}", bench.focused());
    }
    bench.key(NONE, Key::Enter);
    let mut stops = 0;
    while bench.focused().as_deref() != Some("Two-way") {
        bench.key(NONE, Key::Tab);
        stops += 1;
        assert!(stops < 40, "the mode is not reached: {:?}", bench.focused());
    }
    bench.key(NONE, Key::Space);
    bench.idle();
    assert!(bench.says("Mode: Two-way") && !bench.says("Copy 0 to the right"));
    bench.key(NONE, Key::Escape);

    bench.h.state_mut().table.focus();
    bench.h.run();
    bench.key(CTRL, Key::E);
    let changed = |bench: &Bench| {
        bench.all().into_iter().find(|line| line.starts_with("changed.txt,")).expect("its row is there")
    };
    assert!(changed(&bench).contains("Left for later"), "{}", changed(&bench));
    while bench.cursor() != "sub/changed.txt" {
        let before = bench.cursor();
        bench.key(NONE, Key::ArrowDown);
        assert_ne!(bench.cursor(), before, "its row is not reached");
    }
    bench.key(CTRL, Key::ArrowRight);
    assert!(changed(&bench).contains("Goes to the right, as you decided"), "{}", changed(&bench));
    bench.key(SHIFT, Key::F10);
    bench.button("As the mode says");
    assert!(changed(&bench).contains("Left for later"), "{}", changed(&bench));
    bench.key(SHIFT, Key::F10);
    bench.button("Keep both");
    assert!(bench.says("1 row decided by hand"));

    bench.key(NONE, Key::F9);
    bench.planned();
    assert!(bench.says("1 row decided by you") && bench.says("nothing is removed"), "{:#?}", bench.all());
    let verb = bench.all().into_iter().find(|name| name.starts_with("Change ")).expect("the button");
    bench.button(&verb);
    bench.ended();
    assert!(bench.path("left/only here.txt").exists() && bench.path("right/new.txt").exists());
    let one = fs::read(bench.path("left/sub/changed.txt")).unwrap();
    assert_eq!(one.len(), 19, "the newer one has the name");
    assert_eq!(fs::read(bench.path("right/sub/changed.conflict-left.txt")).unwrap().len(), 13);
}
