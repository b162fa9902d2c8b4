//! What must be seen before anything else is done: interrupted runs, and a comparison by other criteria than now.
//!
//! Invariant: an interrupted run is shown until it is recovered. This module must not know how it is recovered.

use egui::{Align, Frame, Layout, Margin, RichText, Stroke, Ui, vec2};
use fcs_engine::error::display_path;
use fcs_engine::history::RecoverMode;
use fcs_gui_model::app::App;

use crate::theme::{self, Palette, icon};
use crate::widgets;

/// Whether there is anything to be seen.
pub(crate) fn is_needed(app: &App) -> bool {
    !app.unfinished.is_empty() || outdated(app).is_some()
}

/// Draws it.
pub(crate) fn show(app: &mut App, ui: &mut Ui, pal: &Palette) {
    let mut asked = None;
    for unfinished in &app.unfinished {
        strip(ui, pal, pal.warn, icon::WARNING, |ui| {
            let text = format!("A run on {} was interrupted.", display_path(&unfinished.folder));
            let words = "No original is lost. Recover it before the next run.";
            let narrow = ui.available_width() < 620.0;
            let texts = |ui: &mut Ui| {
                ui.add(egui::Label::new(RichText::new(text).family(theme::semibold())).wrap());
                ui.add(egui::Label::new(RichText::new(words).color(pal.weak)).wrap());
            };
            let buttons = |ui: &mut Ui| {
                let roll_back = widgets::button(ui, icon::UNDO, "Roll it back…").clicked();
                let keep = widgets::button(ui, icon::CHECK, "Keep what was done…").clicked();
                match (keep, roll_back) {
                    (true, _) => Some(RecoverMode::Keep),
                    (_, true) => Some(RecoverMode::RollBack),
                    _ => None,
                }
            };
            let how = if narrow {
                ui.vertical(|ui| {
                    texts(ui);
                    ui.horizontal(buttons).inner
                })
                .inner
            } else {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let how = buttons(ui);
                    ui.with_layout(Layout::top_down(Align::Min), |ui| {
                        ui.spacing_mut().item_spacing.y = 0.0;
                        texts(ui);
                    });
                    how
                })
                .inner
            };
            if let Some(how) = how {
                asked = Some((unfinished.clone(), how));
            }
        });
    }
    if let Some((unfinished, how)) = asked {
        app.ask_recover(unfinished, how);
    }
    if let Some(words) = outdated(app) {
        strip(ui, pal, pal.accent, icon::INFO, |ui| {
            ui.label(words);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let ready = app.busy.is_none();
                ui.add_enabled_ui(ready, |ui| {
                    if widgets::button(ui, icon::SCALES, "Compare again").clicked() {
                        app.compare();
                    }
                });
            });
        });
    }
}

/// Why the comparison is not what it seems to be.
fn outdated(app: &App) -> Option<&'static str> {
    if app.is_elsewhere() {
        Some("Other folders are named above than those compared here.")
    } else if app.is_stale() {
        Some("Something was written since this comparison.")
    } else {
        app.is_outdated().then_some("The criteria were changed since this comparison.")
    }
}

fn strip(ui: &mut Ui, pal: &Palette, colour: egui::Color32, icon: &str, content: impl FnOnce(&mut Ui)) {
    Frame::new()
        .fill(pal.surface)
        .stroke(Stroke::new(1.0, colour))
        .corner_radius(theme::PANEL_ROUND)
        .inner_margin(Margin::symmetric(12, 6))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                widgets::glyph(ui, icon, 18.0, colour);
                ui.set_min_size(vec2(ui.available_width(), theme::CONTROL));
                content(ui);
            });
        });
}
