//! The smallest things that the table is painted with.
//!
//! Invariant: nothing here reacts to anything or allocates room. This module must not know rows or columns.

use egui::text::{LayoutJob, TextWrapping};
use egui::{Align, Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, pos2};
use fcs_engine::compare::{Group, Side};
use fcs_gui_model::Mark;

use crate::theme::{self, Palette, icon};

/// The text of names.
pub(super) fn body() -> FontId {
    FontId::proportional(13.0)
}

/// The text of folders' names.
pub(super) fn strong() -> FontId {
    FontId::new(13.0, theme::medium())
}

/// The text of values.
pub(super) fn small() -> FontId {
    FontId::proportional(12.0)
}

/// The text of heads.
pub(super) fn head() -> FontId {
    FontId::new(12.0, theme::medium())
}

/// One line of text in a rectangle, cut off with an ellipsis; whether it was.
pub(super) fn line(p: &Painter, room: Rect, align: Align, text: &str, font: FontId, color: Color32) -> bool {
    if room.width() < 8.0 || text.is_empty() {
        return !text.is_empty();
    }
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width(room.width());
    let galley = p.layout_job(job);
    let left = match align {
        Align::Min => room.left(),
        Align::Center => room.center().x - galley.size().x / 2.0,
        Align::Max => room.right() - galley.size().x,
    };
    let elided = galley.elided;
    p.galley(pos2(left, room.center().y - galley.size().y / 2.0), galley, color);
    elided
}

/// An icon around a point.
pub(super) fn glyph(p: &Painter, center: Pos2, glyph: &str, size: f32, color: Color32) {
    p.text(center, Align2::CENTER_CENTER, glyph, FontId::proportional(size), color);
}

/// The date of the newer side.
pub(super) fn newer_date() -> FontId {
    FontId::new(12.0, theme::semibold())
}

/// The sign of the side that is newer: greater or less, as the times of left and right are.
pub(super) fn newer(p: &Painter, center: Pos2, side: Side, color: Color32) {
    let sign = match side {
        Side::Left => ">",
        Side::Right => "<",
    };
    p.text(center, Align2::CENTER_CENTER, sign, FontId::new(14.0, theme::semibold()), color);
}

/// The glyph of a verdict.
pub(super) fn verdict(group: Group) -> &'static str {
    match group {
        Group::Same => icon::EQUALS,
        Group::Different => icon::NOT_EQUALS,
        Group::LeftOnly => icon::ARROW_RIGHT,
        Group::RightOnly => icon::ARROW_LEFT,
        Group::Problem => icon::WARNING,
    }
}

/// A box to tick.
pub(super) fn tick(p: &Painter, palette: &Palette, area: Rect, tick: Mark, hot: bool) {
    let round = CornerRadius::same(4);
    if tick == Mark::Off {
        let edge = if hot { palette.accent } else { palette.edge };
        p.rect(area, round, palette.field, Stroke::new(1.0, edge), StrokeKind::Inside);
        return;
    }
    p.rect_filled(area, round, if hot { palette.primary_hover } else { palette.primary });
    let mark = if tick == Mark::On { icon::CHECK } else { icon::MINUS };
    glyph(p, area.center(), mark, 11.0, palette.on_primary);
}

/// The icon of a file, by the end of its name.
pub(super) fn file(name: &str) -> &'static str {
    let (_, end) = name.rsplit_once('.').unwrap_or_default();
    match &*end.to_ascii_lowercase() {
        "pdf" => icon::FILE_PDF,
        "jpg" | "jpeg" | "png" | "gif" | "webp" | "tif" | "tiff" | "heic" | "svg" | "bmp" | "raw" => {
            icon::IMAGE
        }
        "mp4" | "mov" | "mkv" | "avi" | "webm" | "m4v" => icon::FILM,
        "mp3" | "flac" | "wav" | "ogg" | "m4a" | "opus" => icon::MUSIC,
        "zip" | "7z" | "gz" | "xz" | "zst" | "tar" | "rar" | "bz2" => icon::FILE_ZIP,
        "rs" | "c" | "h" | "cpp" | "cs" | "py" | "js" | "ts" | "html" | "css" | "json" | "toml" | "xml"
        | "sh" | "java" | "go" | "yaml" | "yml" => icon::FILE_CODE,
        "txt" | "md" | "doc" | "docx" | "rtf" | "odt" | "log" | "csv" => icon::FILE_TEXT,
        _ => icon::FILE,
    }
}
