//! The choice of the mode, beside *Compare*: a button that says which it is, and what hangs from it.
//!
//! Invariant: what hangs there offers what the model lists, and changes nothing but the choice. This module must not know
//! what a mode decides.

use egui::{Align, Button, Layout, Popup, PopupCloseBehavior, RichText, Ui, vec2};
use fcs_engine::compare::Side;
use fcs_engine::directions::{Choice, Mode};
use fcs_gui_model::app::App;
use fcs_gui_model::mode;

use crate::theme::{CONTROL, PRIMARY, Palette, icon};
use crate::widgets::{self, name};

/// How wide what hangs from the button is, in points.
const WIDTH: f32 = 440.0;

/// Draws the button.
pub(crate) fn show(app: &mut App, ui: &mut Ui, pal: &Palette) {
    let now = app.mode();
    let words = mode::words(now);
    let ink = if now.is_some() { pal.accent } else { pal.text };
    let shown = RichText::new(format!("{}  {}  {}", glyph(now), short(now), icon::CARET_DOWN)).color(ink);
    ui.add_enabled_ui(app.busy.is_none(), |ui| {
        let button = ui.add(Button::new(shown).min_size(vec2(0.0, PRIMARY)));
        name(ui, &button, &format!("Mode: {words}"));
        Popup::menu(&button)
            .id(egui::Id::unique("mode"))
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .show(|ui| widgets::hanging(ui, |ui| choices(app, ui, pal)));
        button.on_hover_text(format!("{words}. {}", mode::hint(now)));
    });
}

/// As it stands on the button, where there is little room.
fn short(mode: Option<Mode>) -> &'static str {
    match mode {
        None => "Ticked",
        Some(Mode::Mirror(_)) => "Mirror",
        Some(Mode::Update(_)) => "Update",
        Some(Mode::Add(_)) => "Add",
        Some(Mode::Newest) => "Newest",
        Some(Mode::TwoWay { .. }) => "Two-way",
        Some(Mode::Custom(_)) => "Custom",
    }
}

fn glyph(mode: Option<Mode>) -> &'static str {
    match mode.map(Mode::target) {
        None => icon::CHECK,
        Some(None) => icon::SWAP,
        Some(Some(Side::Left)) => icon::ARROW_LEFT,
        Some(Some(Side::Right)) => icon::ARROW_RIGHT,
    }
}

fn choices(app: &mut App, ui: &mut Ui, pal: &Palette) {
    widgets::framed(ui);
    ui.set_width(WIDTH);
    ui.spacing_mut().item_spacing.y = 2.0;
    let now = app.mode();
    let mut chosen = None;
    for line in mode::all(app.custom()) {
        ui.horizontal(|ui| {
            for &mode in &line {
                if widgets::radio(ui, mode::is_same(mode, now), mode::words(mode)).clicked() {
                    chosen = Some(mode);
                }
                ui.add_space(12.0);
            }
        });
        let hint = line.first().copied().flatten();
        ui.horizontal_top(|ui| {
            // Lines of a text, not of controls.
            ui.spacing_mut().interact_size.y = 16.0;
            ui.add_space(24.0);
            widgets::note(ui, mode::hint(hint));
        });
        ui.add_space(4.0);
    }
    if let Some(Mode::Custom(_)) = now {
        custom(app, ui, pal);
    }
    if let Some(mode) = chosen {
        app.set_mode(mode);
        // What is chosen for each category stands below.
        if !matches!(mode, Some(Mode::Custom(_))) {
            ui.close();
        }
    }
}

/// What is chosen for each category.
fn custom(app: &mut App, ui: &mut Ui, pal: &Palette) {
    let now = app.custom();
    let mut chosen = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 3.0);
        ui.spacing_mut().button_padding.x = 6.0;
        for (category, words) in mode::CATEGORIES {
            ui.horizontal(|ui| {
                ui.add_space(24.0);
                let label = egui::Label::new(RichText::new(words).color(pal.weak).size(12.0));
                ui.allocate_ui_with_layout(
                    vec2(138.0, CONTROL),
                    Layout::left_to_right(Align::Center),
                    |ui| {
                        ui.set_min_width(138.0);
                        ui.add(label);
                    },
                );
                for &choice in Choice::of(category) {
                    let on = now.choice(category) == choice;
                    let text = RichText::new(mode::choice_words(choice)).size(12.0);
                    let button = ui.add(Button::selectable(on, text).min_size(vec2(0.0, CONTROL - 4.0)));
                    name(ui, &button, &format!("{words}: {}", mode::choice_words(choice)));
                    if button.clicked() {
                        chosen = Some((category, choice));
                    }
                }
            });
        }
    });
    if let Some((category, choice)) = chosen {
        app.choose_for(category, choice);
    }
}
