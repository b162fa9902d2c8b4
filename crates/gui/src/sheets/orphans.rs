//! The dialog that deletes what one side alone has.
//!
//! Invariant: nothing goes from here without the sheet that confirms it. This module must not know how items are
//! removed.

use std::collections::HashMap;

use egui::{Align, Context, Key, KeyboardShortcut, Layout, Modifiers, RichText, Ui, vec2};
use fcs_engine::compare::Side;
use fcs_engine::run::RemovedTo;
use fcs_gui_model::app::{LARGE, Orphans};
use fcs_gui_model::text;
use jiff::tz::TimeZone;

use super::SheetRequest;
use crate::sheet::{self, Size};
use crate::table::{Look, Table};
use crate::theme::{self, Palette, icon};
use crate::widgets::{self, name};

/// Draws it.
pub(crate) fn show(
    orphans: &mut Orphans,
    table: &mut Table,
    look: &Look<'_>,
    idle: bool,
    ctx: &Context,
    pal: &Palette,
) -> Option<SheetRequest> {
    let title = match orphans.side {
        Side::Left => "Delete what only the left side has",
        Side::Right => "Delete what only the right side has",
    };
    // Body and foot both look at the dialog, one after the other.
    let cell = std::cell::RefCell::new(orphans);
    sheet::frame(
        ctx,
        pal,
        title,
        Size { width: 900.0, height: Some(560.0) },
        |ui| body(&mut cell.borrow_mut(), table, ui, pal, look),
        |ui| foot(&mut cell.borrow_mut(), ui, idle),
    )
}

fn body(
    orphans: &mut Orphans,
    table: &mut Table,
    ui: &mut Ui,
    pal: &Palette,
    look: &Look<'_>,
) -> Option<SheetRequest> {
    let mut request = None;
    ui.horizontal(|ui| {
        filter(orphans, ui, look.zone);
        if widgets::button(ui, icon::CHECK, "All").clicked() {
            orphans.tick_all();
        }
        if widgets::button(ui, icon::MINUS, "None").clicked() {
            orphans.clear();
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if widgets::button(ui, icon::REFRESH, "Look again").clicked() {
                request = Some(SheetRequest::LookAtOrphans);
            }
            let all = orphans.all;
            let text = format!(
                "{} on the {} only, {}",
                text::count(all.files + all.folders, "item", "items"),
                text::side(orphans.side),
                text::size(all.bytes)
            );
            ui.add(egui::Label::new(RichText::new(text).color(pal.weak)).truncate());
        });
    });
    let below = if orphans.filter_error.is_some() { 146.0 } else { 122.0 };
    let height = (ui.available_height() - below).max(80.0);
    ui.allocate_ui(vec2(ui.available_width(), height), |ui| {
        ui.set_min_height(height);
        table.only = Some(orphans.side);
        let back = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
        let typing = ui.ctx().text_edit_focused();
        if !typing && ui.input_mut(|i| i.consume_shortcut(&back)) && orphans.model.undo_ticks() {
            orphans.count();
        }
        let unknown = HashMap::new();
        let look = Look { access: Some(orphans.access.as_ref().unwrap_or(&unknown)), ..*look };
        let response = table.ui(ui, &mut orphans.model, &look);
        if response.ticked.is_some() {
            orphans.count();
        }
    });
    if let Some(error) = &orphans.filter_error {
        ui.label(RichText::new(error.to_string()).color(pal.bad).size(12.0));
    }
    statistics(orphans, ui, pal);
    destination(orphans, ui, pal);
    request
}

fn filter(orphans: &mut Orphans, ui: &mut Ui, zone: &TimeZone) {
    let mut text = orphans.filter.clone();
    let understood = orphans.filter_error.is_none();
    let field = widgets::search(ui, &mut text, "Filter what is to be deleted", "Filter", 220.0, understood);
    if field.changed() {
        orphans.set_filter(text, zone);
    }
}

fn statistics(orphans: &Orphans, ui: &mut Ui, pal: &Palette) {
    let ticked = orphans.ticked;
    ui.horizontal_wrapped(|ui| {
        let text = format!(
            "Ticked: {}, {}, {}",
            text::count(ticked.files, "file", "files"),
            text::count(ticked.folders, "folder", "folders"),
            text::size(ticked.bytes)
        );
        ui.label(RichText::new(text).family(theme::medium()));
        if orphans.hidden.items() > 0 {
            let text = format!("{} of them hidden by the filter", text::number(orphans.hidden.items()));
            ui.label(RichText::new(text).color(pal.warn));
        }
        if orphans.chip_is_off && ticked.items() == 0 {
            ui.label(RichText::new("not shown in the main window, so nothing is ticked").color(pal.weak));
        }
        if ticked.bytes > LARGE {
            widgets::glyph(ui, icon::WARNING, 16.0, pal.warn);
            ui.label(RichText::new("more than 1 GiB").color(pal.warn));
        }
        if orphans.access.is_none() {
            ui.label(RichText::new("looking at each item…").color(pal.weak));
        }
        for &(words, count) in &orphans.troubled {
            widgets::glyph(ui, icon::WARNING, 16.0, pal.warn);
            ui.label(RichText::new(format!("{} {words}", text::number(count))).color(pal.warn));
        }
    });
}

fn destination(orphans: &mut Orphans, ui: &mut Ui, pal: &Palette) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Delete").color(pal.weak));
        for (to, words, more) in [
            (
                RemovedTo::Undo,
                "to the undo store",
                "They can be restored by undo as long as the settings say.",
            ),
            (
                RemovedTo::RecycleBin,
                "to the recycle bin",
                "An error where there is no recycle bin; nothing is deleted silently.",
            ),
            (RemovedTo::Permanent, "permanently", "They cannot be restored."),
        ] {
            let radio = widgets::radio(ui, orphans.destination == to, words);
            name(ui, &radio, &format!("Delete {words}"));
            if radio.on_hover_text(more).clicked() {
                orphans.destination = to;
            }
        }
    });
}

fn foot(orphans: &mut Orphans, ui: &mut Ui, idle: bool) -> Option<SheetRequest> {
    let mut request = None;
    let (all, hidden) = (orphans.ticked.items(), orphans.hidden.items());
    let shown = all - hidden;
    let dry_run = orphans.dry_run;
    let glyph = if dry_run { icon::EYE } else { icon::TRASH };
    ui.add_enabled_ui(idle && shown > 0, |ui| {
        let words = match (dry_run, hidden) {
            (true, _) => "Dry run".to_owned(),
            (false, 0) => format!("Delete {}…", text::count(shown, "item", "items")),
            (false, _) => format!("Delete the {} shown…", text::number(shown)),
        };
        if widgets::primary(ui, glyph, &words).clicked() {
            request = Some(SheetRequest::RemoveOrphans { hidden_too: false });
        }
    });
    if hidden > 0 {
        ui.add_enabled_ui(idle, |ui| {
            let verb = if dry_run { "Dry run of" } else { "Delete" };
            let (all, hidden) = (text::number(all), text::number(hidden));
            let words = format!("{verb} {all}, {hidden} of them hidden by the filter…");
            if widgets::button(ui, glyph, &words).clicked() {
                request = Some(SheetRequest::RemoveOrphans { hidden_too: true });
            }
        });
    }
    if widgets::button(ui, icon::X, "Cancel").clicked() {
        request = Some(SheetRequest::Close);
    }
    ui.checkbox(&mut orphans.dry_run, "Dry run only")
        .on_hover_text("Shows what would be done, writes nothing");
    request
}
