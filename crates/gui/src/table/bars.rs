//! The scroll bars: one down, and where the columns do not fit one across below each side, which move as one.
//!
//! Invariant: a bar is there if and only if there is something to scroll to. This module must not know rows.

use egui::{CornerRadius, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};
use fcs_engine::compare::Side;

use super::columns::BAR;
use super::{ROW, Scene, Table};

/// No thumb is shorter, so that it can be taken hold of.
const THUMB: f32 = 28.0;

impl Table {
    pub(super) fn bars(&mut self, ui: &Ui, scene: &Scene<'_>) {
        let geometry = &scene.geometry;
        let content = scene.model.rows().visible().len() as f64 * f64::from(ROW);
        let page = f64::from(geometry.body.height());
        if content > page {
            let track = Rect::from_min_max(
                pos2(geometry.body.right(), geometry.body.top()),
                pos2(geometry.outer.right(), geometry.body.bottom()),
            );
            let bar = Bar { ui, scene, track: track.shrink(3.0), part: page / content, label: "Scroll rows" };
            if let Some(to) = bar.draw(true, self.scroll / (content - page)) {
                self.scroll = to * (content - page);
            }
        }
        let max = geometry.across_max();
        if max <= 0.5 {
            return;
        }
        for &side in geometry.sides() {
            let pane = geometry.panes[side as usize];
            let label = if side == Side::Left { "Scroll left columns" } else { "Scroll right columns" };
            let track = Rect::from_min_size(pane.left_bottom(), vec2(pane.width(), BAR)).shrink(3.0);
            let part = f64::from(pane.width() / geometry.content());
            let bar = Bar { ui, scene, track, part, label };
            if let Some(to) = bar.draw(false, f64::from(self.across / max)) {
                self.across = to as f32 * max;
            }
        }
    }
}

struct Bar<'a> {
    ui: &'a Ui,
    scene: &'a Scene<'a>,
    track: Rect,
    /// How much of all is on the screen.
    part: f64,
    label: &'static str,
}

impl Bar<'_> {
    /// Draws the bar at a fraction of the way; where it is dragged to.
    fn draw(&self, down: bool, at: f64) -> Option<f64> {
        let length = if down { self.track.height() } else { self.track.width() };
        let thumb = ((f64::from(length) * self.part) as f32).max(THUMB).min(length);
        let travel = (length - thumb).max(1.0);
        let response = self.interact(at);
        let from = (at.clamp(0.0, 1.0) * f64::from(travel)) as f32;
        let shift = |by: f32| if down { vec2(0.0, by) } else { vec2(by, 0.0) };
        let size = if down { vec2(self.track.width(), thumb) } else { vec2(thumb, self.track.height()) };
        let hot = response.dragged() || response.hovered();
        let color = if hot { self.scene.palette.edge } else { self.scene.palette.line_strong };
        let area = Rect::from_min_size(self.track.min + shift(from), size);
        self.ui.painter().rect_filled(area, CornerRadius::same(4), color);
        // By what the pointer moved, so that the thumb stays under it wherever it was taken hold of.
        let along = |v: Vec2| if down { v.y } else { v.x };
        if response.dragged() {
            let moved = f64::from(along(response.drag_delta()) / travel);
            return Some((at + moved).clamp(0.0, 1.0));
        }
        let pointer = response.interact_pointer_pos().filter(|_| response.clicked())?;
        let to = (along(pointer - self.track.min) - thumb / 2.0) / travel;
        Some(f64::from(to).clamp(0.0, 1.0))
    }

    fn interact(&self, at: f64) -> Response {
        let id = self.scene.id.with(self.label);
        let response = self.ui.interact(self.track, id, Sense::CLICK | Sense::DRAG);
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ScrollBar, true, self.label);
            info.value = Some((at * 100.0).round());
            info
        });
        response
    }
}
