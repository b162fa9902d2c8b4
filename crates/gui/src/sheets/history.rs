//! The sheet that lists the runs on both folders.
//!
//! Invariant: lists what the folders say, changes nothing. This module must not know how a run is taken back.

use egui::{Context, RichText, ScrollArea, Ui, vec2};
use fcs_engine::error::shown;
use fcs_engine::runs::{RunInfo, RunState};
use fcs_front::outcome::run_result;
use fcs_view::app::{App, Runs, Sheet};
use fcs_view::text;
use jiff::tz::TimeZone;

use crate::sheet::{self, Size};
use crate::theme::{self, Palette, icon};
use crate::top::side_word;
use crate::widgets;

/// Draws it.
pub(crate) fn show(app: &mut App, ctx: &Context, pal: &Palette) {
    let zone = app.zone().clone();
    let free = app.busy.is_none();
    let Some(Sheet::History(listed)) = &app.sheet else { return };
    let act = sheet::frame(
        ctx,
        pal,
        "History of runs",
        Size { width: 760.0, height: Some(460.0) },
        |ui| body(listed.as_deref(), ui, pal, &zone, free),
        |ui| widgets::primary(ui, icon::CHECK, "Close").clicked().then_some(None),
    );
    match sheet::or_close(app, act) {
        Some(Some((at, run))) => {
            let Some(Sheet::History(Some(listed))) = &app.sheet else { return };
            if let Some(of) = listed.get(at) {
                let (side, folder) = (of.side, of.folder.clone());
                let listed = of.runs.clone().unwrap_or_default();
                app.ask_undo(side, folder, &listed, &run.run);
            }
        }
        Some(None) => app.close_sheet(),
        None => {}
    }
}

type Wanted = Option<(usize, RunInfo)>;

fn body(listed: Option<&[Runs]>, ui: &mut Ui, pal: &Palette, zone: &TimeZone, free: bool) -> Option<Wanted> {
    let Some(listed) = listed else {
        ui.horizontal(|ui| {
            widgets::glyph(ui, icon::CLOCK, 18.0, pal.accent);
            ui.label("Reading the journals…");
        });
        return None;
    };
    if listed.is_empty() {
        ui.label("Choose a folder first; what was done to it is kept in it.");
        return None;
    }
    let mut wanted = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        for (at, of) in listed.iter().enumerate() {
            ui.horizontal(|ui| {
                widgets::glyph(ui, icon::FOLDER, 15.0, pal.folder);
                let title = format!("On the {}: {}", side_word(of.side), shown(&of.folder));
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
                        if run(info, ui, pal, zone, free) {
                            wanted = Some((at, info.clone()));
                        }
                    }
                }
            }
            ui.add_space(8.0);
        }
    });
    wanted.map(Some)
}

/// Draws a run; whether it is to be taken back.
fn run(info: &RunInfo, ui: &mut Ui, pal: &Palette, zone: &TimeZone, free: bool) -> bool {
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
                    if info.undoable {
                        ui.add_enabled_ui(free, |ui| {
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
                            RunState::Unreadable => info.run.clone(),
                            _ => text::time(info.started, zone, 0),
                        };
                        let belongs = if info.retries.is_some() { ", belongs to an earlier run" } else { "" };
                        let head = format!("{begun}   {}{belongs}", run_result(info.state));
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
        RunState::RolledBack | RunState::Forgotten => (icon::UNDO, pal.weak),
        RunState::DoneWithFailures | RunState::PartlyUndone => (icon::WARNING, pal.warn),
        RunState::Unfinished | RunState::Unreadable => (icon::WARNING_CIRCLE, pal.bad),
    }
}
