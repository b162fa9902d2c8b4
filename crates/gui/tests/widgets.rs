//! Controls: named, reachable with Tab, and looked at in pictures.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{CpuRenderer, has_icon};
use egui::{Key, Role, Theme, Ui, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use fcs_gui::theme::{self, Palette, icon};
use fcs_gui::widgets;

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
            note(widgets::danger(ui, icon::TRASH, "Delete"), "danger");
            ui.add_enabled_ui(false, |ui| widgets::primary(ui, icon::COPY, "Copy 0 to right"));
            note(widgets::link(ui, "Open report"), "link");
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
    for (label, what) in [
        ("Compare", "primary"),
        ("Pause", "button"),
        ("Light theme", "icon"),
        ("Delete", "danger"),
        ("Open report", "link"),
    ] {
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
    assert_eq!(h.state().pressed.len(), 5, "what is off cannot be pressed");
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
    for label in ["Compare", "Light theme", "Open report", "Show Problems", "Files below"] {
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
