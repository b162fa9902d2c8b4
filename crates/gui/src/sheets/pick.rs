//! The sheet on which a folder or file is chosen where the desktop has no dialog for it.
//!
//! Invariant: draws what was listed; lists nothing itself. This module must not know what a choice is for.

use std::path::PathBuf;

use egui::{Context, Margin, RichText, ScrollArea, TextEdit, Ui, vec2};
use fcs_gui_model::app::Picker;

use super::SheetRequest;
use crate::sheet::{self, Size};
use crate::theme::{CONTROL, Palette, icon};
use crate::widgets::{self, name};

/// Draws it.
pub(crate) fn show(picker: &mut Picker, ctx: &Context, pal: &Palette) -> Option<SheetRequest> {
    let (title, verb) = (picker.title(), picker.verb());
    let replaces = verb.starts_with("Replace");
    let can = picker.chosen().is_some();
    sheet::frame(
        ctx,
        pal,
        title,
        Size { width: 640.0, height: Some(440.0) },
        |ui| body(picker, ui, pal),
        |ui| {
            let mut request = None;
            ui.add_enabled_ui(can, |ui| {
                let draw = if replaces { widgets::danger } else { widgets::primary };
                if draw(ui, icon::CHECK, &verb).clicked() {
                    request = Some(SheetRequest::TakePick);
                }
            });
            if widgets::button(ui, icon::X, "Cancel").clicked() {
                request = Some(SheetRequest::Close);
            }
            request
        },
    )
}

fn body(picker: &mut Picker, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    widgets::note(ui, format!("Chosen here, because {}.", picker.missing));
    let mut request = None;
    ui.horizontal(|ui| {
        let up = picker.folder.parent().map(std::path::Path::to_path_buf);
        ui.add_enabled_ui(up.is_some(), |ui| {
            if widgets::icon_button(ui, icon::CARET_UP, "Up to the folder above").clicked() {
                request = up.map(SheetRequest::List);
            }
        });
        let field = ui.add_sized(
            vec2(ui.available_width(), CONTROL),
            TextEdit::singleline(&mut picker.typed)
                .id_salt("folder")
                .margin(Margin::symmetric(8, 5))
                .align(egui::Align2::LEFT_CENTER),
        );
        name(ui, &field, "Folder");
        if field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)) {
            request = Some(SheetRequest::List(PathBuf::from(picker.typed.trim())));
        }
    });
    let below = if picker.wants_file() { CONTROL + 12.0 } else { 0.0 };
    let height = (ui.available_height() - below - 24.0).max(60.0);
    let files_count = picker.wants_file();
    widgets::boxed(ui, "entries", |ui| {
        ui.set_min_height(height);
        match &picker.entries {
            None => _ = ui.label(RichText::new("Listing…").color(pal.weak)),
            Some(Err(text)) => _ = widgets::text(ui, RichText::new(text).color(pal.bad)),
            Some(Ok(entries)) => {
                let shown: Vec<_> = entries.iter().filter(|entry| entry.folder || files_count).collect();
                if shown.is_empty() {
                    let what = if files_count { "Nothing is in it." } else { "No folders are in it." };
                    ui.label(RichText::new(what).color(pal.weak));
                }
                let area = ScrollArea::vertical().id_salt("entries").max_height(height);
                area.auto_shrink([false, false]).show_rows(ui, CONTROL, shown.len(), |ui, rows| {
                    for entry in &shown[rows] {
                        let (glyph, colour) = if entry.folder {
                            (icon::FOLDER, pal.folder)
                        } else {
                            (icon::FILE_TEXT, pal.weak)
                        };
                        let words = fcs_engine::error::display_path(entry.name.as_ref());
                        ui.horizontal(|ui| {
                            ui.set_height(CONTROL);
                            widgets::glyph(ui, glyph, 15.0, colour);
                            let on = !entry.folder && *entry.name == *picker.name;
                            let line = ui.selectable_label(on, &words);
                            if line.clicked() {
                                if entry.folder {
                                    request = Some(SheetRequest::List(picker.folder.join(&entry.name)));
                                } else {
                                    picker.name.clone_from(&words);
                                }
                            }
                        });
                    }
                });
            }
        }
    });
    if picker.wants_file() {
        ui.horizontal(|ui| {
            ui.label("File name");
            let field = ui.add_sized(
                vec2(ui.available_width(), CONTROL),
                TextEdit::singleline(&mut picker.name)
                    .id_salt("name")
                    .margin(Margin::symmetric(8, 5))
                    .align(egui::Align2::LEFT_CENTER),
            );
            name(ui, &field, "File name");
        });
    }
    request
}
