//! The status log.
//!
//! Invariant: what is exported and copied is what the filter shows. This module must not know who writes lines.

use egui::{Context, RichText, ScrollArea, Ui, vec2};
use fcs_gui_model::log::{Level, Log, LogLine, MOST_LINES};
use fcs_gui_model::text;
use jiff::tz::TimeZone;

use super::SheetRequest;
use crate::bottom::level_colour;
use crate::sheet::{self, Size};
use crate::theme::{self, Palette, icon};
use crate::widgets;

/// Draws it: the lines that a text is in and that matter `least` so much.
pub(crate) fn show(
    log: &Log,
    filter: &mut String,
    least: &mut Level,
    zone: &TimeZone,
    ctx: &Context,
    pal: &Palette,
) -> Option<SheetRequest> {
    let lines = log.matching(filter, *least);
    sheet::frame(
        ctx,
        pal,
        "Log",
        Size { width: 820.0, height: Some(480.0) },
        |ui| {
            ui.horizontal_wrapped(|ui| {
                widgets::search(ui, filter, "Find in the log", "Find", 200.0, true);
                for (level, words) in [
                    (Level::Info, "Everything"),
                    (Level::Warning, "Warnings and errors"),
                    (Level::Error, "Errors"),
                ] {
                    if widgets::radio(ui, *least == level, words).clicked() {
                        *least = level;
                    }
                }
                let gone = log.gone();
                let count = text::count(lines.len() as u64, "line", "lines");
                let text = if gone > 0 {
                    format!(
                        "{count}; {} older ones were discarded (at most {})",
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
                        for line in lines[rows].iter().filter_map(|&at| log.lines().get(at)) {
                            draw(line, ui, pal, zone);
                        }
                    },
                );
            });
            None
        },
        |ui| {
            let mut request = None;
            if widgets::primary(ui, icon::CHECK, "Close").clicked() {
                request = Some(SheetRequest::Close);
            }
            if widgets::button(ui, icon::FLOPPY_DISK, "Export…").clicked() {
                request = Some(SheetRequest::ExportLog(lines.clone()));
            }
            if widgets::button(ui, icon::CLIPBOARD_TEXT, "Copy").clicked() {
                request = Some(SheetRequest::CopyLog(lines.clone()));
            }
            if widgets::button(ui, icon::TRASH, "Clear").clicked() {
                request = Some(SheetRequest::ClearLog);
            }
            request
        },
    )
}

fn draw(line: &LogLine, ui: &mut Ui, pal: &Palette, zone: &TimeZone) {
    ui.horizontal(|ui| {
        ui.set_height(16.0);
        ui.label(RichText::new(text::time(line.at, zone, 0)).color(pal.weak).size(12.0));
        let word =
            RichText::new(line.level.word()).color(level_colour(pal, line.level)).family(theme::medium());
        ui.add_sized(vec2(56.0, 16.0), egui::Label::new(word.size(12.0)).halign(egui::Align::LEFT));
        ui.add(egui::Label::new(RichText::new(&line.text).size(12.0)).extend());
    });
}
