//! The sheet that says what an undo or a recovery did, item by item.
//!
//! Invariant: what could not be put in order comes first. This module must not know how it was done.

use egui::{Context, RichText, ScrollArea};
use fcs_view::app::{App, Sheet};

use super::ended::look;
use crate::sheet::{self, Size};
use crate::theme::{self, Palette, icon};
use crate::widgets;

enum Act {
    Close,
    /// Goes back by one more run.
    GoOn,
}

/// Draws it.
pub(crate) fn show(app: &mut App, ctx: &Context, pal: &Palette) {
    let Some(Sheet::Done(done)) = &app.sheet else { return };
    let title = if done.recovered { "Recovered" } else { "Undone" };
    let (glyph, colour) = look(done.tone(), pal);
    let act = sheet::frame(
        ctx,
        pal,
        title,
        Size { width: 680.0, height: None },
        |ui| {
            for line in done.headlines() {
                ui.horizontal_top(|ui| {
                    widgets::glyph(ui, glyph, 20.0, colour);
                    widgets::text(ui, RichText::new(line).family(theme::semibold()));
                });
            }
            for item in done.troubles() {
                let text = match &item.error {
                    Some(error) => error.to_string(),
                    None => format!("{}: {}", item.path, fcs_front::outcome::deed_words(item)),
                };
                ui.horizontal_top(|ui| {
                    widgets::glyph(ui, icon::WARNING, 16.0, pal.bad);
                    widgets::text(ui, text);
                });
            }
            let items = done.items();
            if !items.is_empty() {
                ui.add_space(4.0);
                widgets::boxed(ui, "items", |ui| {
                    ScrollArea::vertical().max_height(280.0).show_rows(ui, 18.0, items.len(), |ui, rows| {
                        ui.spacing_mut().item_spacing.y = 2.0;
                        for (path, words) in &items[rows] {
                            ui.horizontal(|ui| {
                                let half = (ui.available_width() * 0.55).floor();
                                ui.allocate_ui(egui::vec2(half, 16.0), |ui| {
                                    ui.set_min_width(half);
                                    ui.add(egui::Label::new(RichText::new(path).size(12.0)).truncate());
                                });
                                ui.add(
                                    egui::Label::new(RichText::new(*words).size(12.0).color(pal.weak))
                                        .truncate(),
                                );
                            });
                        }
                    });
                });
            }
            None
        },
        |ui| {
            if widgets::primary(ui, icon::CHECK, "Close").clicked() {
                return Some(Act::Close);
            }
            let back = !done.recovered;
            let more = back && widgets::button(ui, icon::UNDO, "Undo the run before…").clicked();
            more.then_some(Act::GoOn)
        },
    );
    match sheet::or_close(app, act) {
        Some(Act::Close) => app.close_sheet(),
        Some(Act::GoOn) => app.undo_further(),
        None => {}
    }
}
