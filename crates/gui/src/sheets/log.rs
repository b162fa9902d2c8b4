//! The status log.
//!
//! Invariant: what is exported and copied is what the filter shows. This module must not know who writes lines.

use egui::{Context, RichText, ScrollArea, Ui, vec2};
use fcs_view::app::{App, Sheet};
use fcs_view::log::{Level, Line, MOST_LINES};
use fcs_view::text;

use crate::bottom::level_colour;
use crate::sheet::{self, Size};
use crate::theme::{self, Palette, icon};
use crate::widgets;

enum Act {
    Close,
    Copy,
    Export,
    Clear,
}

/// Draws it.
pub(crate) fn show(app: &mut App, ctx: &Context, pal: &Palette) {
    let Some(Sheet::Log { mut filter, mut least }) = app.sheet.take() else { return };
    let lines = app.log.matching(&filter, least);
    let zone = app.zone().clone();
    let act = sheet::frame(
        ctx,
        pal,
        "Log",
        Size { width: 820.0, height: Some(480.0) },
        |ui| {
            ui.horizontal_wrapped(|ui| {
                widgets::search(ui, &mut filter, "Find in the log", "Find", 200.0, true);
                for (level, words) in [
                    (Level::Info, "Everything"),
                    (Level::Warning, "Warnings and errors"),
                    (Level::Error, "Errors"),
                ] {
                    if widgets::radio(ui, least == level, words).clicked() {
                        least = level;
                    }
                }
                let gone = app.log.gone();
                let count = text::count(lines.len() as u64, "line", "lines");
                let text = if gone > 0 {
                    format!(
                        "{count}; {} older ones made room (at most {})",
                        text::number(gone),
                        text::number(MOST_LINES as u64)
                    )
                } else {
                    count
                };
                ui.label(RichText::new(text).color(pal.weak).size(12.0));
            });
            widgets::boxed(ui, "lines", |ui| {
                ScrollArea::both().auto_shrink([false, false]).stick_to_bottom(true).show_rows(
                    ui,
                    18.0,
                    lines.len(),
                    |ui, rows| {
                        ui.spacing_mut().item_spacing.y = 2.0;
                        for line in lines[rows].iter().filter_map(|&at| app.log.lines().get(at)) {
                            draw(line, ui, pal, &zone);
                        }
                    },
                );
            });
            None
        },
        |ui| {
            let mut act = None;
            if widgets::primary(ui, icon::CHECK, "Close").clicked() {
                act = Some(Act::Close);
            }
            if widgets::button(ui, icon::FLOPPY_DISK, "Export…").clicked() {
                act = Some(Act::Export);
            }
            if widgets::button(ui, icon::CLIPBOARD_TEXT, "Copy").clicked() {
                act = Some(Act::Copy);
            }
            if widgets::button(ui, icon::TRASH, "Clear").clicked() {
                act = Some(Act::Clear);
            }
            act
        },
    );
    app.sheet = Some(Sheet::Log { filter, least });
    match sheet::or_close(app, act) {
        Some(Act::Close) => app.close_sheet(),
        Some(Act::Copy) => app.copy_log(&lines),
        Some(Act::Export) => app.export_log(&lines),
        Some(Act::Clear) => app.log.clear(),
        None => {}
    }
}

fn draw(line: &Line, ui: &mut Ui, pal: &Palette, zone: &jiff::tz::TimeZone) {
    ui.horizontal(|ui| {
        ui.set_height(16.0);
        ui.label(RichText::new(text::time(line.at, zone, 0)).color(pal.weak).size(12.0));
        let word =
            RichText::new(line.level.word()).color(level_colour(pal, line.level)).family(theme::medium());
        ui.add_sized(vec2(56.0, 16.0), egui::Label::new(word.size(12.0)).halign(egui::Align::LEFT));
        ui.add(egui::Label::new(RichText::new(&line.text).size(12.0)).extend());
    });
}
