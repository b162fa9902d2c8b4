//! The editor of the settings.
//!
//! Invariant: what is valid is in force as soon as it is typed; what is not says why, beside its field. This module must
//! not know any setting by name.

use egui::{Align, ComboBox, Context, Layout, Margin, RichText, ScrollArea, TextEdit, Ui, vec2};
use fcs_engine::settings::Unit;
use fcs_gui_model::editor::{Editor, Row};

use super::SheetRequest;
use crate::sheet::{self, Size};
use crate::theme::{self, CONTROL, Palette, icon};
use crate::widgets::{self, name};

/// The width of a setting's field.
const VALUE: f32 = 150.0;

/// Draws it; `editing` is the setting whose field is edited, and its text. First what leaving a field asks for, then what a
/// button does: the same click may do both.
pub(crate) fn show(
    editor: &mut Editor,
    editing: &mut Option<(String, String)>,
    ctx: &Context,
    pal: &Palette,
) -> [Option<SheetRequest>; 2] {
    let mut left = None;
    let request = sheet::frame(
        ctx,
        pal,
        "Settings",
        Size { width: 820.0, height: Some(520.0) },
        |ui| {
            ui.horizontal(|ui| {
                widgets::search(ui, &mut editor.filter, "Find a setting", "Find a setting", 260.0, true);
                ui.label(RichText::new("Changes take effect at once and are saved.").color(pal.weak));
            });
            let mut request = None;
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                for row in editor.rows() {
                    match setting(row, editing, ui, pal) {
                        Some(set @ SheetRequest::SetSetting(..)) => left = Some(set),
                        other => request = other.or(request.take()),
                    }
                }
                if editor.rows().next().is_none() {
                    ui.label(RichText::new("No setting matches.").color(pal.weak));
                }
            });
            request
        },
        |ui| {
            let mut request = None;
            if widgets::primary(ui, icon::CHECK, "Close").clicked() {
                request = Some(SheetRequest::Close);
            }
            if widgets::button(ui, icon::UPLOAD_SIMPLE, "Export…").clicked() {
                request = Some(SheetRequest::ExportSettings);
            }
            if widgets::button(ui, icon::DOWNLOAD_SIMPLE, "Import…").clicked() {
                request = Some(SheetRequest::ImportSettings);
            }
            if widgets::button(ui, icon::UNDO, "All defaults").clicked() {
                request = Some(SheetRequest::ResetSetting(None));
            }
            request
        },
    );
    [left, request]
}

fn setting(
    row: &Row,
    editing: &mut Option<(String, String)>,
    ui: &mut Ui,
    pal: &Palette,
) -> Option<SheetRequest> {
    let mut request = None;
    let line = if row.error.is_some() { pal.bad } else { pal.line };
    egui::Frame::new()
        .fill(if row.changed { pal.zebra } else { pal.surface })
        .stroke(egui::Stroke::new(1.0, line))
        .corner_radius(theme::ROUND)
        .inner_margin(Margin::symmetric(12, 6))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                let texts = (ui.available_width() - VALUE - 64.0).max(120.0);
                ui.allocate_ui_with_layout(vec2(texts, 40.0), Layout::top_down(Align::Min), |ui| {
                    ui.set_width(texts);
                    words(row, ui, pal);
                });
                ui.allocate_ui_with_layout(
                    vec2(VALUE, CONTROL),
                    Layout::left_to_right(Align::Center),
                    |ui| {
                        ui.set_width(VALUE);
                        request = value(row, editing, ui);
                    },
                );
                ui.add_enabled_ui(row.changed || row.error.is_some(), |ui| {
                    let button = widgets::icon_button(
                        ui,
                        icon::UNDO,
                        &format!("Reset to the default: {}", row.title()),
                    );
                    if button.clicked() {
                        request = Some(SheetRequest::ResetSetting(Some(row.info.name)));
                    }
                });
            });
        });
    request
}

fn words(row: &Row, ui: &mut Ui, pal: &Palette) {
    ui.spacing_mut().item_spacing.y = 2.0;
    let mark = if row.changed { "  (changed)" } else { "" };
    ui.label(RichText::new(format!("{}{mark}", row.title())).family(theme::medium()));
    widgets::note(ui, row.info.meaning);
    let range =
        format!("Accepts {}; default {}. Name: {}.", row.accepted(), row.default_text(), row.info.name);
    ui.add(egui::Label::new(RichText::new(range).color(pal.weak).size(11.0).line_height(Some(15.0))).wrap());
    if let Some(error) = &row.error {
        widgets::text(ui, RichText::new(error).color(pal.bad).size(12.0));
    }
}

fn value(row: &Row, editing: &mut Option<(String, String)>, ui: &mut Ui) -> Option<SheetRequest> {
    let width = VALUE;
    match (row.info.unit, row.choices()) {
        (Unit::Switch, _) => {
            let mut on = row.text == "true";
            let word = if on { "on" } else { "off" };
            let switch = ui.checkbox(&mut on, word);
            name(ui, &switch, &row.title());
            switch.changed().then(|| SheetRequest::SetSetting(row.info.name, on.to_string()))
        }
        (_, Some(words)) => {
            let mut chosen = None;
            let combo = ComboBox::from_id_salt(row.info.name).selected_text(&row.text).width(width).show_ui(
                ui,
                |ui| {
                    for word in words {
                        if ui.selectable_label(row.text == *word, *word).clicked() {
                            chosen = Some((*word).to_owned());
                        }
                    }
                },
            );
            name(ui, &combo.response, &row.title());
            chosen.map(|word| SheetRequest::SetSetting(row.info.name, word))
        }
        _ => {
            let mut text = match editing {
                Some((setting, text)) if setting == row.info.name => text.clone(),
                _ => row.text.clone(),
            };
            let field = ui.add_sized(
                vec2(width, CONTROL),
                TextEdit::singleline(&mut text)
                    .id_salt(row.info.name)
                    .margin(Margin::symmetric(8, 5))
                    .align(egui::Align2::LEFT_CENTER),
            );
            name(ui, &field, &row.title());
            if field.has_focus() {
                *editing = Some((row.info.name.to_owned(), text.clone()));
            }
            if field.lost_focus() {
                *editing = None;
                return (text != row.text).then_some(SheetRequest::SetSetting(row.info.name, text));
            }
            None
        }
    }
}
