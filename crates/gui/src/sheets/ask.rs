//! The small sheets that ask one thing, or say that something could not be done.
//!
//! Invariant: the answer that changes least is the one that Escape gives. This module must not know what follows from an
//! answer.

use std::path::{Path, PathBuf};

use egui::{Context, RichText, Ui};
use fcs_app::outcome::run_in_words;
use fcs_app::user_error::UserError;
use fcs_engine::OnCancel;
use fcs_engine::compare::Side;
use fcs_engine::error::display_path;
use fcs_engine::history::{RecoverMode, RunInfo};
use fcs_gui_model::app::Unfinished;
use fcs_gui_model::text;

use super::SheetRequest;
use crate::sheet::{self, Size};
use crate::theme::{Palette, icon};
use crate::widgets;

const SMALL: Size = Size { width: 520.0, height: None };

fn line(ui: &mut Ui, text: impl Into<String>) {
    widgets::text(ui, text.into());
}

fn weak(ui: &mut Ui, pal: &Palette, text: impl Into<String>) {
    widgets::text(ui, RichText::new(text.into()).color(pal.weak));
}

/// Whether a run is to be stopped.
pub(crate) fn stop(closing: bool, ctx: &Context, pal: &Palette) -> Option<SheetRequest> {
    let title = if closing { "A run is in progress" } else { "Stop this run?" };
    sheet::frame(
        ctx,
        pal,
        title,
        SMALL,
        |ui| {
            line(ui, "It is paused until you decide.");
            weak(
                ui,
                pal,
                "Every file that is copied by now is complete and verified as asked. Keep them, or roll the folder \
                 back to what it was before the run.",
            );
            None
        },
        |ui| {
            if widgets::primary(ui, icon::PLAY, "Go on").clicked() {
                return Some(SheetRequest::GoOn);
            }
            if widgets::button(ui, icon::UNDO, "Stop and roll back").clicked() {
                return Some(SheetRequest::Stop(OnCancel::RollBack));
            }
            if widgets::button(ui, icon::STOP, "Stop and keep").clicked() {
                return Some(SheetRequest::Stop(OnCancel::Keep));
            }
            None
        },
    )
}

/// Whether a run is to be undone.
pub(crate) fn undo(
    side: Side,
    folder: &Path,
    runs: &[RunInfo],
    others: &[(Side, PathBuf)],
    idle: bool,
    ctx: &Context,
    pal: &Palette,
) -> Option<SheetRequest> {
    let kept = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.kept_bytes));
    sheet::frame(
        ctx,
        pal,
        "Undo this run?",
        SMALL,
        |ui| {
            line(ui, format!("On the {}: {}", text::side(side), display_path(folder)));
            for (side, folder) in others {
                line(ui, format!("On the {} too: {}", text::side(*side), display_path(folder)));
            }
            for run in runs {
                line(ui, format!("Run: {}", run_in_words(run)));
            }
            if runs.len() > 1 {
                weak(ui, pal, "The later runs retried what had failed in the first and are undone with it.");
            }
            weak(
                ui,
                pal,
                format!(
                    "Restores what was replaced or deleted ({}), removes what was created. What changed since stays as \
                     it is and is listed. The run before can be undone after it.",
                    text::size(kept)
                ),
            );
            None
        },
        |ui| two(ui, icon::UNDO, "Undo it", idle, SheetRequest::Undo),
    )
}

/// Whether an interrupted run is to be recovered.
pub(crate) fn recover(
    unfinished: &Unfinished,
    how: &mut RecoverMode,
    idle: bool,
    ctx: &Context,
    pal: &Palette,
) -> Option<SheetRequest> {
    sheet::frame(
        ctx,
        pal,
        "Recover the interrupted run?",
        SMALL,
        |ui| {
            line(ui, format!("On the {}: {}", text::side(unfinished.side), display_path(&unfinished.folder)));
            for run in &unfinished.runs {
                line(ui, format!("Run: {}", run_in_words(run)));
            }
            ui.add_space(4.0);
            for (choice, words, more) in [
                (
                    RecoverMode::Keep,
                    "Keep what was done",
                    "Each name holds its complete old or its complete new file. It can be undone later.",
                ),
                (
                    RecoverMode::RollBack,
                    "Roll it back",
                    "Everything is restored to what it was before the run.",
                ),
            ] {
                if widgets::radio(ui, *how == choice, words).clicked() {
                    *how = choice;
                }
                weak(ui, pal, more);
            }
            None
        },
        |ui| two(ui, icon::CHECK, "Recover it", idle, SheetRequest::Recover),
    )
}

/// Something could not be done.
pub(crate) fn error(error: &UserError, ctx: &Context, pal: &Palette) -> Option<SheetRequest> {
    sheet::frame(
        ctx,
        pal,
        "This could not be done",
        SMALL,
        |ui| {
            ui.horizontal_top(|ui| {
                widgets::glyph(ui, icon::WARNING_CIRCLE, 20.0, pal.bad);
                widgets::text(ui, &error.message);
            });
            if let Some(hint) = &error.hint {
                weak(ui, pal, hint);
            }
            None
        },
        |ui| widgets::primary(ui, icon::CHECK, "Close").clicked().then_some(SheetRequest::Close),
    )
}

/// A button that does it and one that does not.
fn two(ui: &mut Ui, icon: &str, words: &str, may: bool, yes: SheetRequest) -> Option<SheetRequest> {
    let mut request = None;
    ui.add_enabled_ui(may, |ui| {
        if widgets::primary(ui, icon, words).clicked() {
            request = Some(yes);
        }
    });
    if widgets::button(ui, icon::X, "Cancel").clicked() {
        request = Some(SheetRequest::Close);
    }
    request
}
