//! What lies over the table: a frame with a title, a body that scrolls, and a foot with buttons.
//!
//! Invariant: every sheet closes with Escape and with a button, fits into the window, and never hides its buttons. Of
//! what can be asked for it knows closing alone. This module must not know what a sheet is about.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use egui::{Align, Context, Frame, Id, Layout, Margin, Modal, RichText, ScrollArea, Ui, UiKind, vec2};
use fcs_gui_model::app::Sheet;

use crate::sheets::SheetRequest;
use crate::theme::{self, Palette, icon};
use crate::widgets;

/// How long a sheet is looked at before a click on its foot counts, in seconds: the second half of a double click that
/// opened it was not meant for what happens to lie there.
const A_LOOK: f64 = 0.6;

/// Which sheet is open, and since when. A plan that has come in is another thing to look at than one that is made.
#[derive(Debug, Clone, Copy, PartialEq)]
struct OpenSheet {
    what: (Discriminant<Sheet>, usize),
    since: f64,
}

fn open_id() -> Id {
    Id::unique("open sheet")
}

/// Takes note of which sheet is open; to be called in each frame.
pub(crate) fn note_what_is_open(sheet: Option<&Sheet>, ctx: &Context) {
    let Some(sheet) = sheet else { return ctx.data_mut(|data| data.remove::<OpenSheet>(open_id())) };
    let plan = match sheet {
        Sheet::Confirm(confirm) => confirm.proposed.as_ref().map_or(0, |plan| Arc::as_ptr(plan) as usize),
        _ => 0,
    };
    let what = (discriminant(sheet), plan);
    let since = ctx.input(|input| input.time);
    ctx.data_mut(|data| {
        let open = data.get_temp_mut_or(open_id(), OpenSheet { what, since });
        if open.what != what {
            *open = OpenSheet { what, since };
        }
    });
}

/// Whether a click comes too soon after the sheet opened to be meant for it. Keys cannot: they need the focus.
fn is_too_soon(ctx: &Context) -> bool {
    let (now, click) = ctx.input(|input| (input.time, input.pointer.any_click()));
    let open = ctx.data(|data| data.get_temp::<OpenSheet>(open_id()));
    click && open.is_some_and(|open| now - open.since < A_LOOK)
}

/// How large a sheet wants to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) width: f32,
    /// The body's height; `None` for as high as what is in it.
    pub(crate) height: Option<f32>,
}

/// Draws a sheet; returns what is asked for in head, body or foot, the last of them in which anything is.
pub(crate) fn frame(
    ctx: &Context,
    pal: &Palette,
    title: &str,
    size: Size,
    body: impl FnOnce(&mut Ui) -> Option<SheetRequest>,
    foot: impl FnOnce(&mut Ui) -> Option<SheetRequest>,
) -> Option<SheetRequest> {
    let screen = ctx.content_rect().size();
    let width = size.width.min(screen.x - 48.0);
    let most = screen.y - 176.0;
    let skin = Frame::new()
        .fill(pal.surface)
        .stroke(egui::Stroke::new(1.0, pal.line_strong))
        .corner_radius(theme::PANEL_ROUND + 2)
        .shadow(ctx.global_style().visuals.window_shadow)
        .inner_margin(Margin::same(20));
    let shown = Modal::new(Id::unique(("sheet", title))).frame(skin).show(ctx, |ui| {
        // Without a name a screen reader says only that there is a dialog.
        if let Some(dialog) = ui.stack().iter().find(|ui| ui.kind() == Some(UiKind::Modal)) {
            ctx.accesskit_node_builder(dialog.unique_id, |node| {
                node.set_label(title);
                node.set_modal();
            });
        }
        ui.set_width(width);
        // Without this the room is what the sheet took in the frame before, and it would never grow.
        ui.set_max_height(screen.y - 48.0);
        let mut request = None;
        ui.horizontal(|ui| {
            let heading = ui.label(RichText::new(title).family(theme::semibold()).size(17.0));
            ui.ctx().accesskit_node_builder(heading.id, |node| node.set_role(egui::accesskit::Role::Heading));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let close = widgets::icon_button(ui, icon::X, "Close");
                if close.on_hover_text("Esc").clicked() {
                    request = Some(SheetRequest::Close);
                }
            });
        });
        ui.add_space(4.0);
        let body_request = match size.height {
            Some(height) => {
                let height = height.min(most);
                ui.allocate_ui(vec2(width, height), |ui| {
                    ui.set_min_height(height);
                    ui.set_max_height(height);
                    body(ui)
                })
                .inner
            }
            None => {
                ScrollArea::vertical()
                    .max_height(most)
                    .auto_shrink([false, true])
                    .show(ui, |ui| body(ui))
                    .inner
            }
        };
        ui.add_space(8.0);
        let foot_request = ui
            .allocate_ui_with_layout(vec2(width, theme::PRIMARY), Layout::right_to_left(Align::Center), foot)
            .inner;
        foot_request.filter(|_| !is_too_soon(ctx)).or(body_request).or(request)
    });
    shown.inner
}
