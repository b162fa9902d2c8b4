//! The middle of the window: the table with what acts on one side, or what is said instead of it.
//!
//! Invariant: there is always something to read and something to do. This module must not know how rows are drawn.

use egui::{Align, Button, Color32, Layout, RichText, Ui, vec2};
use fcs_engine::compare::Side;
use fcs_gui_model::app::{App, View};
use fcs_gui_model::text;

use crate::bottom;
use crate::keys::{self, WindowPart};
use crate::row_menu;
use crate::table::{BAR, GUTTER, Look};
use crate::theme::{self, CONTROL, Palette, icon};
use crate::widgets::{self, name};
use crate::window::Window;

/// Draws the table.
pub(crate) fn table(window: &mut Window, ui: &mut Ui, pal: &Palette) {
    side_bars(window, ui, pal);
    let zone = window.app.zone().clone();
    let decimals = text::decimals(window.app.settings().time_tolerance_nanos);
    if std::mem::take(&mut window.app.reveal) {
        window.table.reveal_cursor();
    }
    let rows_tick = !window.app.kept.only_boxes_tick && !window.menu_open;
    let Some(loaded) = window.app.loaded_mut() else { return };
    let look = Look { zone: &zone, decimals, access: None, rows_tick };
    let response = window.table.ui(ui, &mut loaded.model, &look);
    keys::note_part(ui.ctx(), WindowPart::Table, response.response.rect, response.response.id);
    window.left_out = response.left_out;
    if let Some(change) = response.ticked {
        window.app.say_change(change);
    }
    if let Some(context) = response.context {
        window.row_menu = Some(row_menu::OpenMenu::new(context));
    }
    if let Some(row) = response.activated {
        window.app.activate(row, window.table.active);
    }
    row_menu::show(window, ui);
}

/// For each side: what is ticked there, and what ticks and unticks all.
fn side_bars(window: &mut Window, ui: &mut Ui, pal: &Palette) {
    let left_out: Vec<&str> = window.left_out.iter().map(|field| field.title()).collect();
    let app = &mut window.app;
    let narrow = ui.available_width() < 900.0;
    ui.horizontal(|ui| {
        let all = ui.available_width();
        // The right side's bar begins where its half of the table does.
        let half = ((all - BAR - GUTTER) / 2.0).floor();
        ui.allocate_ui_with_layout(
            vec2(half + GUTTER - 8.0, CONTROL),
            Layout::left_to_right(Align::Center),
            |ui| {
                ui.set_min_width(half + GUTTER - 8.0);
                if let Some(loaded) = app.loaded_mut() {
                    if widgets::icon_button(ui, icon::TREE_STRUCTURE, "Expand all").clicked() {
                        loaded.model.open_all();
                    }
                    if widgets::icon_button(ui, icon::MINUS, "Collapse all").clicked() {
                        loaded.model.close_all();
                    }
                }
                side_bar(app, ui, pal, Side::Left, narrow);
            },
        );
        ui.allocate_ui_with_layout(vec2(half, CONTROL), Layout::left_to_right(Align::Center), |ui| {
            side_bar(app, ui, pal, Side::Right, narrow);
            if !left_out.is_empty() {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let words = format!("No room for: {}", left_out.join(", "));
                    let label = egui::Label::new(RichText::new(&words).color(pal.weak).size(12.0)).truncate();
                    ui.add(label).on_hover_text(format!(
                        "{words}. Make the window wider, or choose the columns with the right button on their heads."
                    ));
                });
            }
        });
    });
}

fn side_bar(app: &mut App, ui: &mut Ui, pal: &Palette, side: Side, narrow: bool) {
    let word = text::side(side);
    let all = if narrow { "All" } else { "All differences" };
    let tick = ui.add(Button::new(all).min_size(vec2(0.0, CONTROL)));
    name(ui, &tick, &format!("Tick all differences on the {word}"));
    if tick.on_hover_text(format!("Ticks every difference on the {word} that the filter shows")).clicked() {
        app.tick_all(side);
    }
    let (count, bytes) = app.ticked(side);
    ui.add_enabled_ui(count > 0, |ui| {
        let clear = ui.add(Button::new("None").min_size(vec2(0.0, CONTROL)));
        name(ui, &clear, &format!("Untick all on the {word}"));
        if clear.clicked() {
            app.clear_ticks(side);
        }
    });
    let text = match (count, narrow) {
        (0, _) => "Nothing ticked".to_owned(),
        (n, true) => text::number(u64::from(n)),
        (n, false) => format!("{} ticked, {}", text::number(u64::from(n)), text::size(bytes)),
    };
    ui.add(egui::Label::new(RichText::new(text).color(pal.weak).size(12.0)).truncate());
}

/// What is said while there is no table.
pub(crate) fn no_table(app: &mut App, ui: &mut Ui, pal: &Palette) {
    if app.busy.is_some() {
        return centred(ui, |ui| {
            ui.set_max_width(520.0);
            bottom::progress(app, ui, pal);
        });
    }
    let trouble = match &app.view {
        View::Failed(trouble) => Some(trouble.clone()),
        _ => None,
    };
    centred(ui, |ui| {
        if let Some(trouble) = trouble {
            big(ui, icon::WARNING_CIRCLE, pal.bad);
            widgets::text(ui, RichText::new(trouble.message).family(theme::semibold()).size(15.0));
            if let Some(hint) = trouble.hint {
                widgets::text(ui, RichText::new(hint).color(pal.weak));
            }
        } else if app.can_compare() {
            remembered(app, ui, pal);
        } else {
            big(ui, icon::SCALES, pal.accent);
            ui.label(RichText::new("Compare two folders").family(theme::semibold()).size(17.0));
            widgets::text(
                ui,
                RichText::new(
                    "Choose a folder on each side, type their paths, or drop both here. Comparing writes nothing; \
                     nothing is copied before you have seen what and agreed.",
                )
                .color(pal.weak),
            );
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                let width = 2.0 * 190.0 + 8.0;
                ui.add_space(((ui.available_width() - width) / 2.0).max(0.0));
                for side in [Side::Left, Side::Right] {
                    let words = format!("{}   Choose the {} folder…", icon::FOLDER_OPEN, text::side(side));
                    let button = ui.add(Button::new(words).min_size(vec2(190.0, theme::PRIMARY)));
                    name(ui, &button, &format!("Choose the {} folder to begin with", text::side(side)));
                    if button.clicked() {
                        app.pick_folder(side);
                    }
                }
            });
        }
    });
}

/// Offers to compare the two folders that are named, which were compared the last time.
fn remembered(app: &mut App, ui: &mut Ui, pal: &Palette) {
    big(ui, icon::SCALES, pal.accent);
    ui.label(RichText::new("Compare these two folders?").family(theme::semibold()).size(17.0));
    for side in [Side::Left, Side::Right] {
        let text = fcs_engine::error::display_path(&app.named(side));
        ui.add(egui::Label::new(RichText::new(text).family(theme::medium())).truncate());
    }
    widgets::text(
        ui,
        RichText::new("Comparing writes nothing. Other folders are chosen above.").color(pal.weak),
    );
    ui.add_space(8.0);
    if widgets::primary(ui, icon::SCALES, "Compare them").on_hover_text("F5").clicked() {
        app.compare();
    }
}

fn big(ui: &mut Ui, icon: &str, colour: Color32) {
    widgets::glyph(ui, icon, 40.0, colour);
    ui.add_space(8.0);
}

fn centred(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let height = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.add_space((height * 0.28).max(8.0));
        ui.set_max_width(ui.available_width().min(560.0));
        content(ui);
    });
}
