//! The menu of a row.
//!
//! Invariant: it offers what the model lists, in its order; the first entry that can be used has the focus as soon as the
//! menu is open, and the table has it again when it is closed. This module must not know what an entry does.

use egui::containers::menu::menu_style;
use egui::{Button, Popup, PopupKind, RichText, Ui, vec2};
use fcs_engine::directions::Choice;
use fcs_gui_model::app::{RowCommand, RowEntry};

use crate::table::Context;
use crate::theme::{CONTROL, icon};
use crate::widgets::{self, name};
use crate::window::Window;

/// How wide it is, in points.
const WIDTH: f32 = 300.0;

/// The menu that is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenMenu {
    of: Context,
    /// The focus was not yet given to it.
    is_new: bool,
}

impl OpenMenu {
    pub(crate) fn new(of: Context) -> Self {
        Self { of, is_new: true }
    }
}

/// Draws it, if one is open, and does what was chosen.
pub(crate) fn show(window: &mut Window, ui: &Ui) {
    let Some(OpenMenu { of: Context { row, side, at }, is_new }) = window.row_menu else { return };
    let entries = window.app.row_menu(row, side);
    let mut open = true;
    let mut chosen = None;
    let mut drawn = false;
    let popup = Popup::new(egui::Id::unique("row menu"), ui.ctx().clone(), at, ui.layer_id());
    popup.kind(PopupKind::Menu).style(menu_style).open_bool(&mut open).accessible_name("Row menu").show(
        |ui| {
            ui.set_width(WIDTH);
            ui.spacing_mut().button_padding = vec2(8.0, 4.0);
            // The first time it is only measured.
            drawn = !ui.is_sizing_pass();
            let first = entries.iter().position(|entry| entry.enabled).filter(|_| is_new && drawn);
            widgets::hanging(ui, |ui| {
                for (at, entry) in entries.iter().enumerate() {
                    if self::entry(ui, entry, first == Some(at)) {
                        chosen = Some(entry.command);
                    }
                }
            });
        },
    );
    if let Some(command) = chosen {
        window.app.row_command(row, command);
        open = false;
    }
    if open {
        window.row_menu = Some(OpenMenu { is_new: is_new && !drawn, of: Context { row, side, at } });
    } else {
        window.row_menu = None;
        window.focus_table = true;
    }
}

fn entry(ui: &mut Ui, entry: &RowEntry, takes_focus: bool) -> bool {
    if entry.begins_group {
        ui.separator();
    }
    ui.add_enabled_ui(entry.enabled, |ui| {
        let glyph = glyph(entry.command);
        let text = if glyph.is_empty() { entry.words.clone() } else { format!("{glyph}   {}", entry.words) };
        let key = if entry.is_on { icon::CHECK } else { entry.key };
        let button = Button::new(text).shortcut_text(RichText::new(key).size(12.0));
        let response = ui.add(button.min_size(vec2(ui.available_width(), CONTROL)));
        let now = if entry.is_on { " (now)" } else { "" };
        name(ui, &response, &format!("{}{now}", entry.words));
        if takes_focus {
            response.request_focus();
        }
        response.clicked()
    })
    .inner
}

/// What stands before an entry that decides something, as it stands between the sides then.
fn glyph(command: RowCommand) -> &'static str {
    match command {
        RowCommand::Act(None) => icon::UNDO,
        RowCommand::Act(Some(Choice::ToRight)) => icon::ARROW_RIGHT,
        RowCommand::Act(Some(Choice::ToLeft)) => icon::ARROW_LEFT,
        RowCommand::Act(Some(Choice::Remove)) => icon::TRASH,
        RowCommand::Act(Some(Choice::KeepBoth)) => icon::COPY,
        RowCommand::Act(Some(Choice::Skip)) => icon::MINUS,
        _ => "",
    }
}
