//! The small sheets that ask one thing, or say that something could not be done.
//!
//! Invariant: the answer that changes least is the one that Escape gives. This module must not know what follows from an
//! answer.

use egui::{Context, RichText, Ui};
use fcs_engine::OnCancel;
use fcs_engine::error::shown;
use fcs_engine::runs::How;
use fcs_front::outcome::run_in_words;
use fcs_view::app::{App, Sheet};
use fcs_view::text;

use crate::sheet::{self, Size};
use crate::theme::{Palette, icon};
use crate::top::side_word;
use crate::widgets;

const SMALL: Size = Size { width: 520.0, height: None };

fn line(ui: &mut Ui, text: impl Into<String>) {
    widgets::text(ui, text.into());
}

fn weak(ui: &mut Ui, pal: &Palette, text: impl Into<String>) {
    widgets::text(ui, RichText::new(text.into()).color(pal.weak));
}

/// Whether a run is to be stopped.
pub(crate) fn stop(app: &mut App, ctx: &Context, pal: &Palette) {
    let closing = matches!(app.sheet, Some(Sheet::Stop { closing: true, .. }));
    let title = if closing { "A run is in progress" } else { "Stop this run?" };
    let act = sheet::frame(
        ctx,
        pal,
        title,
        SMALL,
        |ui| {
            line(ui, "It stands still until you decide.");
            weak(
                ui,
                pal,
                "Every file that is copied by now is complete and verified as asked. Keep them, or bring the folder back \
                 to what it was before the run.",
            );
            None
        },
        |ui| {
            if widgets::primary(ui, icon::PLAY, "Go on").clicked() {
                return Some(None);
            }
            if widgets::button(ui, icon::UNDO, "Stop and roll back").clicked() {
                return Some(Some(OnCancel::RollBack));
            }
            if widgets::button(ui, icon::STOP, "Stop and keep").clicked() {
                return Some(Some(OnCancel::Keep));
            }
            None
        },
    );
    match sheet::or_close(app, act) {
        Some(Some(wish)) => app.stop(wish),
        Some(None) => app.do_not_stop(),
        None => {}
    }
}

/// Whether a run is to be taken back.
pub(crate) fn undo(app: &mut App, ctx: &Context, pal: &Palette) {
    let Some(Sheet::AskUndo { side, folder, runs }) = &app.sheet else { return };
    let kept = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.kept_bytes));
    let busy = app.busy.is_some();
    let act = sheet::frame(
        ctx,
        pal,
        "Undo this run?",
        SMALL,
        |ui| {
            line(ui, format!("On the {}: {}", side_word(*side), shown(folder)));
            for run in runs {
                line(ui, format!("Run: {}", run_in_words(run)));
            }
            if runs.len() > 1 {
                weak(
                    ui,
                    pal,
                    "The later ones did again what had failed in the first, and are undone with it.",
                );
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
        |ui| two(ui, icon::UNDO, "Undo it", !busy),
    );
    if let Some(yes) = sheet::or_close(app, act) {
        if yes { app.undo() } else { app.close_sheet() }
    }
}

/// Whether an interrupted run is to be put in order.
pub(crate) fn recover(app: &mut App, ctx: &Context, pal: &Palette) {
    let Some(Sheet::AskRecover { unfinished, how }) = &mut app.sheet else { return };
    let busy = app.busy.is_some();
    let act = sheet::frame(
        ctx,
        pal,
        "Recover the interrupted run?",
        SMALL,
        |ui| {
            line(ui, format!("On the {}: {}", side_word(unfinished.side), shown(&unfinished.folder)));
            for run in &unfinished.runs {
                line(ui, format!("Run: {}", run_in_words(run)));
            }
            ui.add_space(4.0);
            for (choice, words, more) in [
                (
                    How::Keep,
                    "Keep what was done",
                    "Each name holds its complete old or its complete new file. It can be undone later.",
                ),
                (How::RollBack, "Roll it back", "Everything is brought back to what it was before the run."),
            ] {
                if widgets::radio(ui, *how == choice, words).clicked() {
                    *how = choice;
                }
                weak(ui, pal, more);
            }
            None
        },
        |ui| two(ui, icon::CHECK, "Recover it", !busy),
    );
    if let Some(yes) = sheet::or_close(app, act) {
        if yes { app.recover() } else { app.close_sheet() }
    }
}

/// Something could not be done.
pub(crate) fn trouble(app: &mut App, ctx: &Context, pal: &Palette) {
    let Some(Sheet::Trouble(trouble)) = &app.sheet else { return };
    let act = sheet::frame(
        ctx,
        pal,
        "This could not be done",
        SMALL,
        |ui| {
            ui.horizontal_top(|ui| {
                widgets::glyph(ui, icon::WARNING_CIRCLE, 20.0, pal.bad);
                widgets::text(ui, &trouble.message);
            });
            if let Some(hint) = &trouble.hint {
                weak(ui, pal, hint);
            }
            None::<()>
        },
        |ui| widgets::primary(ui, icon::CHECK, "Close").clicked().then_some(()),
    );
    if sheet::or_close(app, act).is_some() {
        app.close_sheet();
    }
}

/// A button that does it and one that does not.
fn two(ui: &mut Ui, icon: &str, words: &str, may: bool) -> Option<bool> {
    let mut act = None;
    ui.add_enabled_ui(may, |ui| {
        if widgets::primary(ui, icon, words).clicked() {
            act = Some(true);
        }
    });
    if widgets::button(ui, icon::X, "Cancel").clicked() {
        act = Some(false);
    }
    act
}
