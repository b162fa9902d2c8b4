//! The sheet that says how a run ended: evidence, what could not be kept, every failure.
//!
//! Invariant: a failure is seen without a click, and all of them can be read here. This module must not know how
//! evidence is got.

use egui::{CollapsingHeader, Context, RichText, ScrollArea, Ui};
use fcs_gui_model::app::{EndedRun, Tone};
use fcs_gui_model::text;

use super::SheetRequest;
use crate::sheet::{self, Size};
use crate::theme::{self, Palette, icon};
use crate::widgets;

/// Paths shown for each fact.
const SHOWN_PATHS: usize = 8;

/// Draws it; `ready` for a run over the folders that are compared.
pub(crate) fn show(
    ended: &EndedRun,
    idle: bool,
    ready: bool,
    ctx: &Context,
    pal: &Palette,
) -> Option<SheetRequest> {
    let title = if ended.is_dry() { "Dry run" } else { "Result" };
    sheet::frame(
        ctx,
        pal,
        title,
        Size { width: 720.0, height: None },
        |ui| body(ended, ui, pal),
        |ui| {
            let mut request = None;
            if widgets::primary(ui, icon::CHECK, "Close").clicked() {
                request = Some(SheetRequest::Close);
            }
            if widgets::button(ui, icon::FLOPPY_DISK, "Save report…").clicked() {
                request = Some(SheetRequest::SaveReport);
            }
            if ended.can_undo() {
                ui.add_enabled_ui(idle, |ui| {
                    if widgets::button(ui, icon::UNDO, "Undo this run…").clicked() {
                        request = Some(SheetRequest::AskUndoShown);
                    }
                });
            }
            if ended.can_retry() {
                ui.add_enabled_ui(ready, |ui| {
                    if widgets::button(ui, icon::REFRESH, "Retry failed…").clicked() {
                        request = Some(SheetRequest::RetryFailed);
                    }
                });
            }
            request
        },
    )
}

/// The glyph and the colour of a tone.
pub(crate) fn look(tone: Tone, pal: &Palette) -> (&'static str, egui::Color32) {
    match tone {
        Tone::Good => (icon::CHECK_CIRCLE, pal.ok),
        Tone::Fair => (icon::INFO, pal.warn),
        Tone::Bad => (icon::X_CIRCLE, pal.bad),
    }
}

fn body(ended: &EndedRun, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    let (glyph, colour) = look(ended.tone(), pal);
    ui.horizontal(|ui| {
        widgets::glyph(ui, glyph, 22.0, colour);
        widgets::text(ui, RichText::new(&ended.headline).family(theme::semibold()).size(15.0));
    });
    ui.add_space(6.0);
    widgets::facts(ui, ended.facts.iter().map(|line| (line.name.as_str(), line.text.as_str())));
    for line in ended.facts.iter().filter(|line| !line.paths.is_empty()) {
        let title =
            RichText::new(format!("{} ({})", line.text, text::number(line.paths.len() as u64))).size(12.0);
        CollapsingHeader::new(title).id_salt((&line.name, &line.text)).show(ui, |ui| {
            for path in line.paths.iter().take(SHOWN_PATHS) {
                ui.add(egui::Label::new(RichText::new(path).size(12.0)).truncate());
            }
            let more = line.paths.len().saturating_sub(SHOWN_PATHS);
            if more > 0 {
                let text = format!("… and {} more; the report has all.", text::number(more as u64));
                ui.label(RichText::new(text).color(pal.weak).size(12.0));
            }
        });
    }
    let request = failures(ended, ui, pal);
    if ended.is_dry() {
        decisions(ended, ui, pal);
    }
    request
}

fn failures(ended: &EndedRun, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    if ended.failures.is_empty() {
        return None;
    }
    let mut request = None;
    let title = format!("{} failed", text::number(ended.failures.len() as u64));
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        widgets::glyph(ui, icon::X_CIRCLE, 16.0, pal.bad);
        ui.label(RichText::new(title).family(theme::semibold()));
        if widgets::button(ui, icon::CLIPBOARD_TEXT, "Copy the list").clicked() {
            request = Some(SheetRequest::CopyFailures);
        }
    });
    let lines = &ended.failure_lines;
    widgets::boxed(ui, "failures", |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let area = ScrollArea::vertical().id_salt("failures").max_height(220.0).auto_shrink([false, true]);
        area.show_rows(ui, 16.0, lines.len(), |ui, rows| {
            for line in &lines[rows] {
                ui.horizontal(|ui| {
                    ui.set_height(16.0);
                    if !line.is_head {
                        ui.add_space(18.0);
                    }
                    let colour = if line.is_head { pal.text } else { pal.weak };
                    let text = RichText::new(&line.text).size(12.0).color(colour);
                    ui.add(egui::Label::new(text).truncate()).on_hover_text(&line.text);
                });
            }
        });
    });
    request
}

fn decisions(ended: &EndedRun, ui: &mut Ui, pal: &Palette) {
    let items = &ended.decisions;
    if items.is_empty() {
        return;
    }
    ui.add_space(4.0);
    ui.label(RichText::new("What would be done").family(theme::semibold()));
    widgets::boxed(ui, "decisions", |ui| {
        ScrollArea::vertical().id_salt("decisions").max_height(280.0).auto_shrink([false, true]).show_rows(
            ui,
            18.0,
            items.len(),
            |ui, rows| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for item in &items[rows] {
                    ui.horizontal(|ui| {
                        ui.set_height(16.0);
                        let (path, words) = item;
                        let half = (ui.available_width() * 0.42).floor();
                        ui.allocate_ui(egui::vec2(half, 16.0), |ui| {
                            ui.set_min_width(half);
                            ui.add(egui::Label::new(RichText::new(path).size(12.0)).truncate());
                        });
                        let label =
                            egui::Label::new(RichText::new(words).size(12.0).color(pal.weak)).truncate();
                        ui.add(label).on_hover_text(words);
                    });
                }
            },
        );
    });
}
