//! Controls: named, reachable with Tab, and compared as text and in pictures.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, CpuRenderer, assert_told, has_icon, told};
use egui::{Key, Role, Theme, Ui, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use fcs_engine::compare::Side;
use fcs_gui::theme::{self, Palette, icon};
use fcs_gui::widgets;
use fcs_gui_model::app::Sheet;

#[derive(Default)]
struct State {
    pressed: Vec<&'static str>,
    chip: bool,
    choice: usize,
}

impl State {
    fn ui(&mut self, ui: &mut Ui) {
        let p = Palette::of(ui.theme());
        ui.painter().rect_filled(ui.ctx().content_rect(), 0, p.bg);
        let mut note = |response: egui::Response, what| {
            if response.clicked() {
                self.pressed.push(what);
            }
        };
        ui.horizontal(|ui| {
            note(widgets::primary(ui, icon::SCALES, "Compare"), "primary");
            note(widgets::button(ui, icon::PAUSE, "Pause"), "button");
            note(widgets::icon_button(ui, icon::SUN, "Light theme"), "icon");
            ui.add_enabled_ui(false, |ui| widgets::primary(ui, icon::COPY, "Copy 0 to right"));
        });
        ui.horizontal(|ui| {
            if widgets::chip(ui, "Different", 96_310, icon::NOT_EQUALS, p.diff, self.chip).clicked() {
                self.chip = !self.chip;
            }
            widgets::chip(ui, "Left only", 48_003, icon::ARROW_RIGHT, p.left, true);
            widgets::chip(ui, "Right only", 7, icon::ARROW_LEFT, p.right, true);
            widgets::chip(ui, "Problems", 3, icon::WARNING, p.bad, true);
        });
        widgets::heading(ui, "Verify");
        ui.horizontal(|ui| {
            for (at, text) in ["None", "Every file", "Files below"].into_iter().enumerate() {
                if widgets::radio(ui, self.choice == at, text).clicked() {
                    self.choice = at;
                }
            }
        });
        widgets::progress(ui, "File progress", 0.3, 6.0, p.ok, "3 of 10 MiB");
        widgets::progress(ui, "Overall progress", f32::NAN, 10.0, p.primary, "0 of 10 files");
        widgets::key_value(ui, 96.0, "Left", "D:/Projects");
        widgets::key_value(ui, 96.0, "Free", "12 GiB");
        widgets::weak(ui, "1,234 rows");
    }
}

fn harness(theme: Theme) -> Harness<'static, State> {
    let mut harness = Harness::builder()
        .with_size(vec2(720.0, 300.0))
        .with_theme(theme)
        .with_context_setup(theme::install)
        .renderer(CpuRenderer::default())
        .build_ui_state(|ui, state: &mut State| state.ui(ui), State::default());
    harness.run();
    harness
}

#[test]
fn every_control_is_pressed_by_its_name() {
    let mut h = harness(Theme::Dark);
    for (label, what) in [("Compare", "primary"), ("Pause", "button"), ("Light theme", "icon")] {
        h.get_by_label(label).click();
        h.run();
        assert_eq!(h.state().pressed.last(), Some(&what));
    }
    h.get(by().role(Role::CheckBox).label("Show Different")).click();
    h.get(by().role(Role::RadioButton).label("Every file")).click();
    h.run();
    assert!(h.state().chip && h.state().choice == 1);
    h.get_by_label("Copy 0 to right").click();
    h.run();
    assert_eq!(h.state().pressed.len(), 3, "what is off cannot be pressed");
}

#[test]
fn tab_reaches_all_that_can_be_pressed_and_no_name_has_an_icon() {
    let mut h = harness(Theme::Light);
    let mut reached = Vec::new();
    for _ in 0..20 {
        h.key_press(Key::Tab);
        h.run();
        let all = h.root().children_recursive();
        let focused = all.into_iter().find(|node| node.accesskit_node().is_focused());
        reached.extend(focused.and_then(|node| node.accesskit_node().label()));
    }
    for label in ["Compare", "Light theme", "Show Problems", "Files below"] {
        assert!(reached.iter().any(|name| name == label), "{label}: {reached:?}");
    }
    for node in h.root().children_recursive() {
        let label = node.accesskit_node().label().unwrap_or_default();
        assert!(!has_icon(&label), "{label:?}");
    }
    let bar = h.get_by_label("File progress");
    assert_eq!(bar.accesskit_node().numeric_value(), Some(30.0));
    assert_eq!(bar.accesskit_node().value().as_deref(), Some("3 of 10 MiB"));
}

#[test]
fn what_is_told_of_controls_is_their_name_value_and_state() {
    let mut h = harness(Theme::Dark);
    h.get_by_label("Pause").focus();
    h.get_by_label("Show Different").click();
    h.run();
    assert_told("widgets", &told(h.root(), h.ctx.content_rect()), std::path::Path::new("/nowhere"));
}

#[test]
fn pictures() {
    let mut results = SnapshotResults::new();
    for (theme, name) in [(Theme::Dark, "widgets_dark"), (Theme::Light, "widgets_light")] {
        let mut h = harness(theme);
        h.get_by_label("Pause").focus();
        h.run();
        h.snapshot_options(name, &SnapshotOptions::new().threshold(1.0).max_failed_pixels(20));
        results.extend_harness(&mut h);
    }
}

/// The second half of a double click that opened a question must not answer it, wherever its button happens to lie.
#[test]
fn a_click_too_soon_confirms_nothing() {
    let mut bench = Bench::new(vec2(660.0, 460.0), Theme::Dark);
    bench.write("right/only here.txt", 3, 1);
    bench.write("left/kept.txt", 3, 1);
    bench.write("right/kept.txt", 3, 1);
    bench.app_mut().compare();
    bench.idle();
    bench.app_mut().delete_orphans(Side::Right);
    bench.until("the dialog", |app| matches!(app.sheet, Some(Sheet::Orphans(_))));
    bench.app_mut().remove_orphans(true);
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    bench.click("Delete 1 item");
    assert!(matches!(bench.app().sheet, Some(Sheet::Confirm(_))), "it was not read yet");
    assert!(bench.path("right/only here.txt").exists());
    bench.h.run_steps(60);
    bench.click("Delete 1 item");
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    assert!(!bench.path("right/only here.txt").exists());
}

/// Numbers of rows mean nothing in another comparison.
#[test]
fn the_menu_of_a_row_closes_when_there_is_another_comparison() {
    let mut bench = Bench::new(vec2(1000.0, 700.0), Theme::Dark);
    for name in ["left/a.txt", "left/b.txt", "left/z.txt"] {
        bench.write(name, 3, 1);
    }
    bench.app_mut().compare();
    bench.idle();
    bench.h.get_by_label_contains("z.txt, ").click_secondary();
    bench.h.run();
    assert!(bench.labels().iter().any(|label| label == "Copy the left path"));
    std::fs::remove_file(bench.path("left/a.txt")).unwrap();
    std::fs::remove_file(bench.path("left/b.txt")).unwrap();
    bench.app_mut().compare();
    bench.idle();
    assert!(!bench.labels().iter().any(|label| label == "Copy the left path"));
}
