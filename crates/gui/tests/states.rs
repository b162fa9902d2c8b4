//! The window's states: every sheet, menu and bar, by what leads to it.
//!
//! Of each it is asked what a screen reader and the keyboard need, and what is told of it is compared with the text that is
//! kept (`snapshots/*.snap`; `INSTA_UPDATE=always` makes them anew). A few are compared as pictures too, for what no text
//! says: colours, sizes, what lies over what (`snapshots/*.png`; `UPDATE_SNAPSHOTS=force` makes them anew).

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::{
    Bench, CTRL, NONE, SHIFT, assert_told, has_icon, interrupt_a_run, name_of, told, with_more_orphans,
    with_small,
};
use egui::{Key, Role, Theme, vec2};
use egui_kittest::Node;
use egui_kittest::kittest::NodeT;
#[cfg(unix)]
use egui_kittest::{SnapshotOptions, SnapshotResults};
use fcs_engine::Control;
use fcs_engine::compare::Side;
use fcs_engine::directions::{Custom, Mode};
use fcs_engine::progress::Phase;
use fcs_gui_model::app::{Busy, Sheet, View};
use fcs_gui_model::mode::TWO_WAY;
use fcs_gui_model::running::JobKind;

/// A state of the window, by what leads to it.
type State = (&'static str, fn(&mut Bench));

fn ended(bench: &mut Bench) {
    bench.copy_all("Copy 7 to the right", "Copy 7 items to the right");
    bench.ended();
}

/// Chooses *Two-way* for two folders that were never brought together.
fn two_way(bench: &mut Bench) {
    bench.app_mut().set_mode(Some(TWO_WAY));
    bench.idle();
    bench.app_mut().status_message = None;
}

fn ended_two_way(bench: &mut Bench) {
    two_way(bench);
    bench.key(NONE, Key::F9);
    bench.planned();
    bench.button("Change 7 items");
    bench.ended();
}

const SHEETS: [State; 21] = [
    ("confirm", |bench| {
        bench.key(CTRL, Key::A);
        bench.key(CTRL, Key::ArrowRight);
        bench.planned();
    }),
    ("confirm with a number", |bench| {
        bench.key(NONE, Key::Delete);
        bench.looked();
        bench.press(Role::RadioButton, "Delete permanently");
        bench.button("Delete 6 items…");
        bench.planned();
    }),
    ("dry run", |bench| {
        bench.key(CTRL, Key::A);
        bench.key(CTRL, Key::ArrowRight);
        bench.planned();
        bench.button("Dry run");
        bench.ended();
    }),
    ("result", ended),
    ("failures", |bench| {
        bench.key(CTRL, Key::A);
        bench.key(CTRL, Key::ArrowRight);
        bench.planned();
        bench.write("left/new.txt", 30, 50);
        bench.button("Copy 7 items to the right");
        bench.ended();
    }),
    ("undo", |bench| {
        ended(bench);
        bench.button("Undo this run…");
        bench.asked_undo();
    }),
    ("undone", |bench| {
        ended(bench);
        bench.button("Undo this run…");
        bench.asked_undo();
        bench.button("Undo it");
        bench.recovered_runs();
    }),
    ("stop", |bench| {
        bench.app_mut().sheet = Some(Sheet::Stop { closing: false, was_paused: false });
        bench.h.run();
    }),
    ("recover", |bench| {
        interrupt_a_run(bench);
        bench.compare();
        bench.button("Keep what was done…");
    }),
    ("orphans", |bench| {
        bench.key(NONE, Key::Delete);
        bench.looked();
    }),
    ("times", |bench| {
        bench.key(NONE, Key::Home);
        bench.key(NONE, Key::ArrowDown);
        bench.key(NONE, Key::ArrowDown);
        assert_eq!(bench.cursor(), "sub");
        bench.key(CTRL, Key::T);
        bench.press(Role::RadioButton, "This folder and 2 items in it");
        bench.button("Show what will be set");
        bench.idle();
    }),
    ("history", |bench| {
        ended(bench);
        bench.button("Close");
        bench.key(CTRL, Key::H);
        bench.until("the runs", |app| matches!(app.sheet, Some(Sheet::History(Some(_)))));
    }),
    ("settings", |bench| bench.key(CTRL, Key::Comma)),
    ("log", |bench| bench.key(CTRL, Key::L)),
    ("trouble", |bench| {
        bench.write("home/bad.toml", 10, 0);
        bench.key(CTRL, Key::Comma);
        bench.answers.0.lock().unwrap().push(bench.path("home/bad.toml"));
        bench.button("Import…");
        bench.until("a refusal", |app| matches!(app.sheet, Some(Sheet::UserError(_))));
    }),
    ("a choice in the window", |bench| {
        bench.answers.0.lock().unwrap().push(PathBuf::new());
        bench.button("Choose the left folder");
        bench.until("a list", |app| matches!(&app.sheet, Some(Sheet::Pick(p)) if p.entries.is_some()));
    }),
    ("keys", |bench| bench.key(NONE, Key::F1)),
    ("about", |bench| {
        bench.button("Menu");
        bench.button("About");
    }),
    ("confirm two-way", |bench| {
        two_way(bench);
        bench.key(NONE, Key::F9);
        bench.planned();
    }),
    ("result two-way", ended_two_way),
    ("undo two-way", |bench| {
        ended_two_way(bench);
        bench.button("Undo this run…");
        bench.asked_undo();
    }),
];

const POPUPS: [State; 7] = [
    ("compare by", |bench| bench.button("Compare by")),
    ("menu", |bench| bench.button("Menu")),
    ("row menu", |bench| {
        bench.key(NONE, Key::ArrowDown);
        bench.key(SHIFT, Key::F10);
    }),
    ("mode", |bench| bench.button("Mode: What is ticked")),
    ("custom mode", |bench| {
        bench.app_mut().set_mode(Some(Mode::Custom(Custom::default())));
        bench.idle();
        bench.app_mut().status_message = None;
        bench.button("Mode: Custom");
    }),
    ("row menu two-way", |bench| {
        two_way(bench);
        bench.key(NONE, Key::End);
        bench.key(SHIFT, Key::F10);
    }),
    ("recent folders", |bench| bench.button("Recent pairs of folders, at the right")),
];

fn compared() -> Bench {
    compared_in(vec2(1280.0, 800.0))
}

fn compared_in(size: egui::Vec2) -> Bench {
    let mut bench = with_more_orphans(with_small(Bench::in_memory(size, Theme::Dark)));
    bench.compare();
    bench
}

/// What lies over everything else: a dialog or a menu, else the window itself.
fn foremost(bench: &Bench) -> Node<'_> {
    let is_over = |node: &Node<'_>| matches!(node.accesskit_node().role(), Role::Dialog | Role::Menu);
    bench.h.root().children_recursive().filter(is_over).last().unwrap_or_else(|| bench.h.root())
}

/// Compares what is told of a state with the text that is kept.
fn tell(what: &str, bench: &Bench) {
    tell_below(foremost(bench), what, bench);
}

fn tell_below(node: Node<'_>, what: &str, bench: &Bench) {
    // Elsewhere a file system may prove less, and paths are spelled otherwise.
    if Path::new("/dev/shm").is_dir() {
        let text = told(node, bench.h.ctx.content_rect());
        assert_told(&what.replace(' ', "_"), &text, &bench.path(""));
    }
}

fn is_control(role: Role) -> bool {
    matches!(
        role,
        Role::Button
            | Role::CheckBox
            | Role::RadioButton
            | Role::TextInput
            | Role::ComboBox
            | Role::Link
            | Role::ColumnHeader
            | Role::DisclosureTriangle
            | Role::TreeGrid
    )
}

/// The controls outside the rows of tables that can be used: role and name. While a dialog is open, those in it.
fn controls(bench: &Bench) -> Vec<(Role, String)> {
    fn walk(node: Node<'_>, found: &mut Vec<(Role, String)>) {
        let role = node.accesskit_node().role();
        if is_control(role) && !node.accesskit_node().is_disabled() {
            found.push((role, name_of(node)));
        }
        if role != Role::TreeGrid {
            node.children().for_each(|node| walk(node, found));
        }
    }
    let mut found = Vec::new();
    let dialog = bench.h.root().children().filter(|node| node.accesskit_node().role() == Role::Dialog).last();
    walk(dialog.unwrap_or_else(|| bench.h.root()), &mut found);
    found
}

/// What the Tab key comes to, until it comes to it again.
fn tab_stops(bench: &mut Bench) -> Vec<(Role, String)> {
    let mut stops = Vec::new();
    let mut seen = BTreeSet::new();
    for _ in 0..1_000 {
        bench.key(NONE, Key::Tab);
        let Some(node) = bench.h.root().children_recursive().find(|node| node.accesskit_node().is_focused())
        else {
            continue;
        };
        // The window itself is the focus where nothing else is.
        if node.accesskit_node().role() == Role::Window {
            continue;
        }
        if !seen.insert(format!("{:?}", node.accesskit_node().id())) {
            return stops;
        }
        // In a table the focus is said to be where the cursor is.
        let is_row = node.accesskit_node().role() == Role::TreeItem;
        stops.push(if is_row {
            (Role::TreeGrid, "Comparison".to_owned())
        } else {
            (node.accesskit_node().role(), name_of(node))
        });
    }
    panic!("the Tab key never comes back: {stops:#?}");
}

/// What a screen reader and the keyboard need in every state.
fn check(what: &str, bench: &mut Bench) {
    for node in bench.h.root().children_recursive() {
        let (role, name) = (node.accesskit_node().role(), name_of(node));
        assert!(!has_icon(&name), "{what}: {role:?} {name:?}");
        assert!(!is_control(role) || !name.trim().is_empty(), "{what}: a {role:?} has no name");
        if role == Role::Dialog {
            assert!(!name.is_empty(), "{what}: a dialog has no name");
        }
    }
    let controls = controls(bench);
    let mut names = BTreeSet::new();
    for (role, name) in &controls {
        // The cross above and the button below close alike.
        assert!(
            names.insert((format!("{role:?}"), name)) || name == "Close",
            "{what}: {role:?} {name:?} twice"
        );
    }
    let stops = tab_stops(bench);
    for control in &controls {
        assert!(stops.contains(control), "{what}: the Tab key does not reach {control:?}: {stops:#?}");
    }
    for stop in &stops {
        assert!(controls.contains(stop), "{what}: the Tab key leaves to {stop:?}: {controls:#?}");
    }
}

#[test]
fn the_main_window_is_all_named_and_reached_with_tab() {
    let mut bench = compared();
    bench.app_mut().log.clear();
    bench.button("Tick all differences on the left");
    check_told("main", &mut bench);
    let mut bench = Bench::in_memory(vec2(1280.0, 800.0), Theme::Dark);
    check_told("named", &mut bench);
    bench.app_mut().set_folder_text(Side::Right, "/nowhere at all".to_owned());
    bench.compare();
    assert!(matches!(bench.app().view, View::Failed(_)));
    check_told("failed", &mut bench);
    let mut bench = Bench::in_memory(vec2(1280.0, 800.0), Theme::Dark);
    bench.app_mut().set_folder_text(Side::Right, String::new());
    bench.h.run();
    check_told("empty", &mut bench);
    let mut bench = compared();
    two_way(&mut bench);
    bench.key(NONE, Key::End);
    bench.key(CTRL, Key::ArrowRight);
    bench.app_mut().log.clear();
    check_told("main two-way", &mut bench);
    let mut bench = compared();
    interrupt_a_run(&bench);
    bench.compare();
    bench.app_mut().set_setting("compare_content", "blake3");
    bench.type_into("Filter", "txt");
    check_told("banners", &mut bench);
}

fn check_told(what: &str, bench: &mut Bench) {
    tell(what, bench);
    check(what, bench);
}

fn check_sheet((what, open): State) {
    let mut bench = compared();
    open(&mut bench);
    assert!(bench.app().sheet.is_some(), "{what}");
    // Of the settings a few stand for all, so that a new one changes no text here.
    if what != "settings" {
        tell(what, &bench);
    }
    check(what, &mut bench);
    assert!(bench.app().sheet.is_some(), "{what}: only looked at");
    bench.key(NONE, Key::Escape);
    // In a field the first Escape may leave the field.
    if bench.app().sheet.is_some() {
        bench.key(NONE, Key::Escape);
    }
    assert!(bench.app().sheet.is_none(), "{what} closes with Escape");
}

#[test]
fn sheets_about_runs_are_all_named_hold_the_tab_key_and_close_with_escape() {
    SHEETS[..9].iter().copied().for_each(check_sheet);
}

#[test]
fn other_sheets_are_all_named_hold_the_tab_key_and_close_with_escape() {
    SHEETS[9..].iter().copied().for_each(check_sheet);
}

#[test]
fn popups_are_all_named_and_close_with_escape() {
    for (what, open) in POPUPS {
        let mut bench = compared();
        let before = controls(&bench).len();
        open(&mut bench);
        assert!(controls(&bench).len() > before, "{what}");
        tell(what, &bench);
        check(what, &mut bench);
        bench.key(NONE, Key::Escape);
        assert_ne!(foremost(&bench).accesskit_node().role(), Role::Menu, "{what} closes with Escape");
    }
}

/// A run in the middle, whose counters are given.
fn at_work(bench: &mut Bench) {
    let control = Control::default();
    let p = &control.progress;
    p.enter(Phase::Copy);
    for (counter, value) in
        [(&p.steps_total, 1_480), (&p.copy_bytes_total, 9 << 30), (&p.verify_bytes_total, 9 << 30)]
    {
        counter.store(value, Relaxed);
    }
    let began = bench.h.input().time;
    bench.app_mut().busy =
        Some(Busy::new(JobKind::Run, control.clone(), Duration::from_secs_f64(began.unwrap_or(0.0))));
    for step in 1..600_u64 {
        let wave = 40 + (step / 60 % 5) * 12;
        p.copy_bytes_done.fetch_add(wave << 17, Relaxed);
        p.verify_bytes_done.fetch_add(wave << 16, Relaxed);
        p.steps_done.store(step, Relaxed);
        bench.h.step();
    }
    bench.h.run();
}

#[test]
fn progress_is_told_in_numbers() {
    let mut bench = compared();
    bench.app_mut().log.clear();
    at_work(&mut bench);
    let bar = bench.get(Role::ProgressIndicator, "Overall").accesskit_node();
    let mut parts =
        bench.h.root().children_recursive().filter(|node| node.accesskit_node().role() == Role::Pane);
    let part = parts.find(|part| bar.is_descendant_of(&part.accesskit_node())).unwrap();
    tell_below(part, "progress", &bench);
}

#[test]
fn a_setting_is_told_with_its_value_and_why_it_is_refused() {
    let mut bench = compared();
    bench.key(CTRL, Key::Comma);
    bench.type_into("Find a setting", "chunk");
    bench.app_mut().edit_setting("network_chunk_bytes", "1");
    bench.h.run();
    tell("settings", &bench);
}

/// What a small window leaves out is told to nobody; what it shows can be pressed.
#[test]
fn a_small_window_keeps_every_button_within_reach() {
    let mut bench = compared_in(vec2(800.0, 600.0));
    bench.app_mut().log.clear();
    tell("small main", &bench);
    for (what, open) in SHEETS.iter().filter(|(what, _)| ["confirm", "orphans"].contains(what)) {
        open(&mut bench);
        tell(&format!("small {what}"), &bench);
        bench.app_mut().close_sheet();
        bench.h.run();
    }
}

/// A folder with a copy, always in the same place. The files hold nothing: their sizes and dates are what is seen.
#[cfg(unix)]
fn photos(theme: Theme) -> Bench {
    let mut bench = Bench::for_picture(vec2(800.0, 500.0), theme);
    for (name, left, right) in [
        ("2024/01 Winter/IMG_0412.jpg", Some((2_400_000, 10)), Some((2_400_000, 10))),
        ("2024/01 Winter/IMG_0413.jpg", Some((2_150_123, 11)), None),
        ("2024/01 Winter/notes.txt", Some((1_734, 40)), Some((1_520, 22))),
        ("2024/07 Lake/clip.mp4", Some((3_700_000, 200)), None),
        ("2024/07 Lake/IMG_0978.jpg", Some((2_010_000, 201)), Some((2_010_000, 205))),
        ("Albums/résumé of the year.docx", Some((94_208, 310)), Some((94_208, 310))),
        ("thumbnails.db", None, Some((655_360, 3))),
    ] {
        for (root, item) in [("Photos", left), ("Backup of Photos", right)] {
            if let Some((size, days)) = item {
                let name = format!("{root}/{name}");
                bench.write(&name, 0, 0);
                std::fs::File::options().write(true).open(bench.path(&name)).unwrap().set_len(size).unwrap();
                bench.date(&name, days);
            }
        }
    }
    for folder in ["2024/01 Winter", "2024/07 Lake", "2024", "Albums", ""] {
        bench.date(&format!("Photos/{folder}"), 400);
        bench.date(&format!("Backup of Photos/{folder}"), 400);
    }
    bench.compare();
    bench.app_mut().loaded_mut().unwrap().model.open_all();
    bench.app_mut().log.clear();
    bench.app_mut().tick_all(Side::Left);
    bench.app_mut().status_message = None;
    bench.h.run();
    bench
}

/// Pixels that may differ: rounding.
#[cfg(unix)]
const ALIKE: usize = 20;
/// The same where digits are not the same each time: those of the free room, and of the rate.
#[cfg(unix)]
const DIGITS: usize = 900;

#[cfg(unix)] // They show paths.
#[test]
fn pictures() {
    let states: [(Theme, usize, State); 3] = [
        (Theme::Light, ALIKE, ("main_light", |_| {})),
        (
            Theme::Light,
            DIGITS,
            ("confirm_light", |bench| {
                bench.key(CTRL, Key::ArrowRight);
                bench.planned();
            }),
        ),
        (Theme::Dark, DIGITS, ("progress_dark", at_work)),
    ];
    let mut results = SnapshotResults::new();
    for (theme, pixels, (name, open)) in states {
        let mut bench = photos(theme);
        open(&mut bench);
        bench.h.snapshot_options(name, &SnapshotOptions::new().max_failed_pixels(pixels));
        results.extend_harness(&mut bench.h);
    }
}
