//! The sheet that says what an undo or a recovery did, item by item.
//!
//! Invariant: what could not be recovered comes first. This module must not know how it was done.

use egui::{Context, RichText, ScrollArea};
use fcs_app::hints::{FrontEnd, with_hint};
use fcs_gui_model::app::Done;

use super::SheetRequest;
use super::ended::look;
use crate::sheet::{self, Size};
use crate::theme::{self, Palette, icon};
use crate::widgets;

/// Draws it.
pub(crate) fn show(done: &Done, ctx: &Context, pal: &Palette) -> Option<SheetRequest> {
    let title = if done.recovered { "Recovered" } else { "Undone" };
    let (glyph, colour) = look(done.tone(), pal);
    sheet::frame(
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
                    Some(error) => with_hint(error, FrontEnd::Window),
                    None => format!("{}: {}", item.path, fcs_app::actions::recovery_words(item)),
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
                return Some(SheetRequest::Close);
            }
            let back = !done.recovered;
            let more = back && widgets::button(ui, icon::UNDO, "Undo the run before…").clicked();
            more.then_some(SheetRequest::AskUndoFurther)
        },
    )
}
