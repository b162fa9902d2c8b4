//! What this program is, and its keys.
//!
//! Invariant: every key that works is in the list. This module must not know what they do.

use egui::{Context, RichText};

use super::SheetRequest;
use crate::keys::KEYS;
use crate::sheet::{self, Size};
use crate::theme::{Palette, icon};
use crate::widgets;

/// Draws the list of keys.
pub(crate) fn keys(ctx: &Context, pal: &Palette) -> Option<SheetRequest> {
    sheet::frame(
        ctx,
        pal,
        "Keys",
        Size { width: 560.0, height: None },
        |ui| {
            ui.spacing_mut().item_spacing.y = 3.0;
            for (keys, words) in KEYS {
                widgets::key_value(ui, 170.0, keys, words);
            }
            None
        },
        |ui| widgets::primary(ui, icon::CHECK, "Close").clicked().then_some(SheetRequest::Close),
    )
}

/// Draws what this program is.
pub(crate) fn about(ctx: &Context, pal: &Palette) -> Option<SheetRequest> {
    sheet::frame(
        ctx,
        pal,
        "FolderCompareSync",
        Size { width: 520.0, height: None },
        |ui| {
            ui.label(RichText::new(format!("Version {}", env!("CARGO_PKG_VERSION"))).color(pal.weak));
            for text in [
                "Compares two folders, copies what differs, and proves byte for byte that what arrived is what left.",
                "A file appears under its own name only when it is complete and, as asked, verified. Originals are only \
                 ever moved, and a run can be undone.",
                "Licensed under MIT or Apache 2.0, as you like. Fonts: Inter (SIL Open Font License 1.1). Icons: Phosphor \
                 (MIT). Toolkit: egui (MIT or Apache 2.0).",
            ] {
                widgets::text(ui, text);
            }
            None
        },
        |ui| widgets::primary(ui, icon::CHECK, "Close").clicked().then_some(SheetRequest::Close),
    )
}
