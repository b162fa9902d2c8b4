//! The bars below the table: work in progress, what can be done with what is ticked, and how things stand.
//!
//! Invariant: while work is in progress it can be seen and stopped from here, whatever else is open. This module must
//! not know how work is done.

use egui::{Align, Button, Frame, Layout, Margin, Rect, RichText, Stroke, Ui, vec2};
use fcs_engine::Settings;
use fcs_engine::compare::Side;
use fcs_engine::settings::Verify;
use fcs_gui_model::app::{App, Busy};
use fcs_gui_model::log::Level;
use fcs_gui_model::running::{Bar, JobKind, Pace, Running};
use fcs_gui_model::{mode, text};

use crate::keys::{self, WindowPart};
use crate::theme::{self, PANEL_ROUND, Palette, icon};
use crate::widgets::{self, name};

/// Draws the work in progress.
pub(crate) fn progress(app: &mut App, ui: &mut Ui, pal: &Palette) {
    let Some(Busy { running, .. }) = &app.busy else { return };
    let mut act = None;
    Frame::new()
        .fill(pal.surface)
        .stroke(Stroke::new(1.0, pal.line))
        .corner_radius(PANEL_ROUND)
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            act = head(running, ui, pal);
            let overall = running.overall();
            let graph = matches!(running.kind, JobKind::Run) && ui.available_width() > 620.0;
            ui.horizontal(|ui| {
                let width = ui.available_width() - if graph { 180.0 } else { 0.0 };
                ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.spacing_mut().item_spacing.y = 4.0;
                    for bar in running.phases() {
                        let colour = if bar.name == "Verify" { pal.ok } else { pal.accent };
                        draw_bar(ui, pal, &bar, 6.0, colour);
                    }
                    for file in running.files().iter().take(2) {
                        let bar = file.verified.as_ref().filter(|_| file.copied.fraction == Some(1.0));
                        let bar = bar.unwrap_or(&file.copied);
                        let named = Bar { name: format!("File: {}", file.path), ..bar.clone() };
                        draw_bar(ui, pal, &named, 4.0, pal.folder);
                    }
                    draw_bar(ui, pal, &overall, 10.0, pal.accent);
                });
                if graph {
                    widgets::graph(ui, running.course().points(), vec2(168.0, 62.0));
                }
            });
        });
    match act {
        Some(Act::Stop) => app.ask_to_stop(false),
        Some(Act::Pause(on)) => app.set_paused(on),
        None => {}
    }
}

enum Act {
    Stop,
    Pause(bool),
}

fn head(running: &Running, ui: &mut Ui, pal: &Palette) -> Option<Act> {
    let mut act = None;
    ui.horizontal(|ui| {
        let glyph = match running.title() {
            "Verifying" => icon::SHIELD,
            "Paused" => icon::PAUSE,
            "Copying" => icon::COPY,
            _ => icon::REFRESH,
        };
        widgets::glyph(ui, glyph, 16.0, pal.accent);
        ui.label(RichText::new(running.title()).family(theme::semibold()));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if running.pace != Pace::Stopping
                && !matches!(running.kind, JobKind::Undo | JobKind::Recover | JobKind::Prune)
            {
                if widgets::button(ui, icon::X, "Stop").clicked() {
                    act = Some(Act::Stop);
                }
                if matches!(running.kind, JobKind::Run | JobKind::Compare) {
                    let (icon, words) =
                        if running.is_paused() { (icon::PLAY, "Go on") } else { (icon::PAUSE, "Pause") };
                    if widgets::button(ui, icon, words).clicked() {
                        act = Some(Act::Pause(!running.is_paused()));
                    }
                }
            }
            let mut facts: Vec<String> = running.rate().into_iter().chain(running.time_left()).collect();
            if running.failed() > 0 {
                facts.push(format!("{} failed", text::number(running.failed())));
            }
            ui.label(RichText::new(facts.join("    ")).color(pal.weak));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let current = running.current().unwrap_or_default();
                ui.add(egui::Label::new(RichText::new(current).color(pal.weak)).truncate());
            });
        });
    });
    act
}

fn draw_bar(ui: &mut Ui, pal: &Palette, bar: &Bar, height: f32, colour: egui::Color32) {
    ui.horizontal(|ui| {
        let text = 216.0_f32.min(ui.available_width() * 0.4);
        let name = 64.0;
        let label = bar.name.split(':').next().unwrap_or_default();
        let (area, _) = ui.allocate_exact_size(vec2(name, 16.0), egui::Sense::hover());
        let weak = |text: &str| egui::Label::new(RichText::new(text).color(pal.weak).size(12.0)).truncate();
        ui.put(area, weak(label).halign(Align::LEFT));
        let width = (ui.available_width() - text - 8.0).max(40.0);
        ui.allocate_ui_with_layout(vec2(width, 16.0), Layout::left_to_right(Align::Center), |ui| {
            ui.set_width(width);
            widgets::progress(ui, &bar.name, bar.fraction.unwrap_or(0.0), height, colour, &bar.text);
        });
        ui.add(weak(&bar.text));
    });
}

/// Draws what can be done with what is ticked.
pub(crate) fn actions(app: &mut App, ui: &mut Ui, pal: &Palette) {
    // Side by side where both fit, else one below the other.
    if ui.available_width() > 900.0 {
        ui.allocate_ui_with_layout(
            vec2(ui.available_width(), theme::PRIMARY),
            Layout::right_to_left(Align::Center),
            |ui| {
                copies(app, ui);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| verify(app, ui, pal));
            },
        );
    } else {
        ui.horizontal(|ui| verify(app, ui, pal));
        ui.allocate_ui_with_layout(
            vec2(ui.available_width(), theme::PRIMARY),
            Layout::right_to_left(Align::Center),
            |ui| {
                copies(app, ui);
            },
        );
    }
}

/// The two buttons that copy, from right to left.
fn copies(app: &mut App, ui: &mut Ui) {
    let free = app.busy.is_none();
    if let Some(directed) = app.directed() {
        let words = format!("{}…", mode::words(Some(directed.mode())));
        let by_hand = directed.chosen().len() as u64;
        ui.add_enabled_ui(free, |ui| {
            let button = widgets::primary(ui, icon::SWAP, &words);
            if button.on_hover_text("Shows what will be done on each side first (F9)").clicked() {
                app.go_by_mode();
            }
        });
        if by_hand > 0 {
            let rows = text::count(by_hand, "row", "rows");
            ui.add_space(8.0);
            ui.label(RichText::new(format!("{rows} decided by hand")).size(12.0));
        }
        return;
    }
    for (to, icon, side, hint) in [
        (Side::Right, icon::ARROW_RIGHT, "right", "Ctrl+→"),
        (Side::Left, icon::ARROW_LEFT, "left", "Ctrl+←"),
    ] {
        let count = app.ticked(to.other()).0;
        ui.add_enabled_ui(free && count > 0, |ui| {
            let words = format!("Copy {} to the {side}", text::number(u64::from(count)));
            let button = widgets::primary(ui, icon, &words).on_hover_text(hint);
            if button.on_disabled_hover_text("Tick what is to be copied first").clicked() {
                app.copy(to);
            }
        });
    }
}

fn verify(app: &mut App, ui: &mut Ui, pal: &Palette) {
    let settings = app.settings().clone();
    let (chosen, first) = verify_choice(&settings, ui, pal);
    if let Some(first) = first {
        let (all, row) = (ui.ctx().content_rect(), ui.min_rect().y_range());
        let area = Rect::from_x_y_ranges(all.x_range(), row.min..=row.max + theme::PRIMARY);
        keys::note_part(ui.ctx(), WindowPart::Actions, area, first);
    }
    if let Some(choice) = chosen {
        app.set_verify(choice);
    }
}

/// The three radio buttons: which copies are verified. Returns the one that was clicked, and which is the first.
pub(crate) fn verify_choice(
    settings: &Settings,
    ui: &mut Ui,
    pal: &Palette,
) -> (Option<Verify>, Option<egui::Id>) {
    let mut first = None;
    let below = format!("Only files below {}", text::size(settings.verify_below_bytes));
    let mut chosen = None;
    ui.label(RichText::new("Verify").color(pal.weak));
    for (choice, words) in [(Verify::All, "Every file"), (Verify::Below, &*below), (Verify::Off, "Nothing")] {
        ui.add_space(4.0);
        let radio = widgets::radio(ui, settings.verify == choice, words);
        name(ui, &radio, &format!("Verify: {words}"));
        if radio.clicked() {
            chosen = Some(choice);
        }
        if choice == Verify::All {
            first = Some(radio.id);
        }
    }
    (chosen, first)
}

/// Draws the line at the bottom.
pub(crate) fn status(app: &mut App, ui: &mut Ui, pal: &Palette) {
    let weak = |text: String| egui::Label::new(RichText::new(text).color(pal.weak).size(12.0)).truncate();
    ui.horizontal(|ui| {
        ui.set_min_height(20.0);
        if let Some(loaded) = app.loaded() {
            let (rows, summary) = (loaded.model.rows(), &loaded.comparison().summary);
            let place = rows.place(loaded.model.cursor()).map_or(0, |place| place as u64 + 1);
            ui.add(weak(format!(
                "Row {} of {}",
                text::number(place),
                text::number(rows.visible().len() as u64)
            )));
            if rows.is_filtered() {
                ui.add(weak(format!("{} match", text::number(u64::from(rows.matching().count())))));
            }
            let copy = [("→", summary.bytes_left_to_right), ("←", summary.bytes_right_to_left)];
            let copy: Vec<String> = copy
                .into_iter()
                .filter(|part| part.1 > 0)
                .map(|(sign, bytes)| format!("{sign} {}", text::size(bytes)))
                .collect();
            if summary.identical() {
                widgets::glyph(ui, icon::CHECK_CIRCLE, 14.0, pal.ok);
                ui.add(weak("Both sides are the same".to_owned()));
            } else if !copy.is_empty() && app.directed().is_none() {
                // A mode copies less, and removes and moves besides; its plan says so.
                ui.add(weak(format!("To copy: {}", copy.join("  "))))
                    .on_hover_text("All differences, whether ticked or not");
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (level, line) = match (&app.status_message, app.log.last()) {
                (Some(said), _) => (Level::Info, said.clone()),
                (None, Some(line)) => (line.level, line.text.clone()),
                (None, None) => (Level::Info, "Ready".to_owned()),
            };
            let colour = level_colour(pal, level);
            let open = ui.add(
                Button::new(RichText::new(icon::LIST_BULLETS).size(14.0))
                    .frame(false)
                    .min_size(vec2(20.0, 20.0)),
            );
            name(ui, &open, "Open the log");
            // Not a stop of the Tab key: the button does the same.
            let label = ui.add(
                egui::Label::new(RichText::new(&line).color(colour).size(12.0))
                    .truncate()
                    .sense(egui::Sense::CLICK),
            );
            if open.on_hover_text("Log (Ctrl+L)").clicked() || label.clicked() {
                app.show_log();
            }
        });
    });
}

/// The colour of a line of the log.
pub(crate) fn level_colour(pal: &Palette, level: Level) -> egui::Color32 {
    match level {
        Level::Info => pal.weak,
        Level::Done => pal.ok,
        Level::Warning => pal.warn,
        Level::Error => pal.bad,
    }
}
