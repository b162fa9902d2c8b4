//! The sheet that lists the runs on both folders.
//!
//! Invariant: lists what the folders say, changes nothing. This module must not know how a run is undone.

use egui::{Context, RichText, ScrollArea, Ui, vec2};
use fcs_app::outcome::how_it_ended;
use fcs_engine::error::display_path;
use fcs_engine::history::{RunInfo, RunState};
use fcs_gui_model::app::Runs;
use fcs_gui_model::text;
use jiff::tz::TimeZone;

use super::SheetRequest;
use crate::sheet::{self, Size};
use crate::theme::{self, Palette, icon};
use crate::widgets;

/// Draws it; `None` while the runs are listed.
pub(crate) fn show(
    listed: Option<&[Runs]>,
    zone: &TimeZone,
    idle: bool,
    ctx: &Context,
    pal: &Palette,
) -> Option<SheetRequest> {
    sheet::frame(
        ctx,
        pal,
        "History of runs",
        Size { width: 760.0, height: Some(460.0) },
        |ui| body(listed, ui, pal, zone, idle),
        |ui| widgets::primary(ui, icon::CHECK, "Close").clicked().then_some(SheetRequest::Close),
    )
}

fn body(
    listed: Option<&[Runs]>,
    ui: &mut Ui,
    pal: &Palette,
    zone: &TimeZone,
    idle: bool,
) -> Option<SheetRequest> {
    let Some(listed) = listed else {
        ui.horizontal(|ui| {
            widgets::glyph(ui, icon::CLOCK, 18.0, pal.accent);
            ui.label("Reading the journals…");
        });
        return None;
    };
    if listed.is_empty() {
        ui.label("Choose a folder first; its history is kept in it.");
        return None;
    }
    let mut request = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        for of in listed {
            ui.horizontal(|ui| {
                widgets::glyph(ui, icon::FOLDER, 15.0, pal.folder);
                let title = format!("On the {}: {}", text::side(of.side), display_path(&of.folder));
                ui.add(egui::Label::new(RichText::new(title).family(theme::semibold())).truncate());
            });
            match &of.runs {
                Err(trouble) => {
                    ui.label(RichText::new(&trouble.message).color(pal.bad));
                }
                Ok(runs) if runs.is_empty() => {
                    ui.label(RichText::new("No runs are recorded here.").color(pal.weak));
                }
                Ok(runs) => {
                    for info in runs {
                        if run(info, ui, pal, zone, idle) {
                            request = Some(SheetRequest::AskUndo(of.side, info.run.clone()));
                        }
                    }
                }
            }
            ui.add_space(8.0);
        }
    });
    request
}

/// Draws a run; whether it is to be undone.
fn run(info: &RunInfo, ui: &mut Ui, pal: &Palette, zone: &TimeZone, idle: bool) -> bool {
    let mut wanted = false;
    egui::Frame::new()
        .fill(pal.field)
        .stroke(egui::Stroke::new(1.0, pal.line))
        .corner_radius(theme::ROUND)
        .inner_margin(egui::Margin::symmetric(12, 6))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.set_min_size(vec2(ui.available_width(), 40.0));
                let (glyph, colour) = state_look(info.state, pal);
                widgets::glyph(ui, glyph, 18.0, colour);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if info.undoable || info.state == RunState::RolledBackHere {
                        ui.add_enabled_ui(idle, |ui| {
                            let button = widgets::button(ui, icon::UNDO, "Undo…");
                            widgets::name(
                                ui,
                                &button,
                                &format!("Undo the run of {}", text::time(info.started, zone, 0)),
                            );
                            wanted = button.clicked();
                        });
                    }
                    ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                        ui.spacing_mut().item_spacing.y = 3.0;
                        let begun = match info.state {
                            RunState::Unreadable => info.run.to_string(),
                            _ => text::time(info.started, zone, 0),
                        };
                        let belongs = if info.retries.is_some() { ", retries an earlier run" } else { "" };
                        let head = format!("{begun}   {}{belongs}", how_it_ended(info));
                        ui.add(egui::Label::new(RichText::new(head).family(theme::medium())).truncate());
                        let more = format!(
                            "{} from {}, {}, {} of originals kept",
                            if info.command.is_empty() { "run" } else { &info.command },
                            if info.source.is_empty() { "?" } else { &info.source },
                            text::count(info.items, "item", "items"),
                            text::size(info.kept_bytes)
                        );
                        ui.add(egui::Label::new(RichText::new(more).color(pal.weak).size(12.0)).truncate());
                    });
                });
            });
        });
    wanted
}

fn state_look(state: RunState, pal: &Palette) -> (&'static str, egui::Color32) {
    match state {
        RunState::Done => (icon::CHECK_CIRCLE, pal.ok),
        RunState::Recovered | RunState::Cancelled => (icon::CHECK_CIRCLE, pal.weak),
        RunState::RolledBack | RunState::PartlyPruned => (icon::UNDO, pal.weak),
        RunState::DoneWithFailures | RunState::PartlyUndone | RunState::RolledBackHere => {
            (icon::WARNING, pal.warn)
        }
        RunState::Unfinished | RunState::Unreadable => (icon::WARNING_CIRCLE, pal.bad),
    }
}
