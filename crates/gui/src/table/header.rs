//! The heads of the columns: sorting, widths, which columns there are.
//!
//! Invariant: heads stay where they are when rows scroll down, and go with them across. This module must not know how
//! rows are sorted.

use egui::{
    Align, CornerRadius, CursorIcon, EventFilter, Key, Modifiers, Painter, Popup, PopupCloseBehavior, Rangef,
    Rect, Response, Role, Sense, SetOpenCommand, Stroke, Ui, Vec2, WidgetInfo, accesskit, pos2,
};
use fcs_engine::compare::Side;
use fcs_gui_model::{Column, Field};

use super::columns::{MIN, Widths};
use super::{HEAD, Scene, ShownColumns, Table, paint, rows};
use crate::theme::{PANEL_ROUND, icon};
use crate::widgets;

/// How much wider a key makes a column.
const STEP: f32 = 16.0;

impl Table {
    /// Draws the heads; the column that was clicked.
    pub(super) fn header(&mut self, ui: &mut Ui, scene: &Scene<'_>) -> Option<Column> {
        let outer = scene.geometry.outer;
        let strip = Rect::from_min_max(outer.min, pos2(outer.right(), outer.top() + HEAD));
        let round = CornerRadius { nw: PANEL_ROUND, ne: PANEL_ROUND, sw: 0, se: 0 };
        let line = Stroke::new(1.0, scene.palette.line);
        ui.painter().rect_filled(strip, round, scene.palette.header);
        let mut clicked = None;
        for &side in scene.geometry.sides() {
            let pane = scene.geometry.panes[side as usize];
            let clip = Rect::from_x_y_ranges(pane.x_range(), strip.y_range()).intersect(ui.clip_rect());
            let p = ui.painter().with_clip_rect(clip);
            for column in 0..scene.geometry.columns.len() {
                let cell = scene.geometry.cell(side, column, strip.y_range());
                clicked = self.head(ui, &p, scene, side, column, cell).or(clicked);
            }
            for column in 0..scene.geometry.columns.len() {
                self.grip(ui, &p, scene, side, column, strip.y_range());
            }
        }
        let gutter = Rect::from_x_y_ranges(scene.geometry.gutter.x_range(), strip.y_range());
        if gutter.is_positive() {
            clicked = self.middle(ui, scene, gutter).or(clicked);
        }
        ui.painter().hline(strip.x_range(), strip.bottom() - 0.5, line);
        clicked
    }

    fn head(
        &mut self,
        ui: &mut Ui,
        p: &Painter,
        scene: &Scene<'_>,
        side: Side,
        column: usize,
        cell: Rect,
    ) -> Option<Column> {
        let field = scene.geometry.columns[column].0;
        let place = cell.shrink2(Vec2::new(4.0, 0.0)).intersect(p.clip_rect());
        if !place.is_positive() {
            return None;
        }
        let response = ui.interact(place, scene.id.with(("head", side as u8, field as u8)), Sense::click());
        let target = field.column(side);
        let word = if side == Side::Left { "left" } else { "right" };
        describe(ui, scene, &response, target, &format!("Sort by {word} {}", field.title().to_lowercase()));
        background(p, scene, &response, cell);
        let sorted = scene.model.rows().sort();
        let is_sorted = sorted.column == target;
        let color = if is_sorted { scene.palette.text } else { scene.palette.weak };
        let room = cell.shrink2(Vec2::new(if field == Field::Name { 12.0 } else { 8.0 }, 0.0));
        let arrow = if sorted.descending { icon::CARET_DOWN } else { icon::CARET_UP };
        let title = widgets::width(p, field.title(), paint::head());
        if matches!(field, Field::Name | Field::Digest | Field::Status) {
            paint::line(p, room, Align::Min, field.title(), paint::head(), color);
            if is_sorted {
                let at = pos2(room.left() + title + 11.0, room.center().y);
                paint::glyph(p, at, arrow, 11.0, scene.palette.accent);
            }
        } else {
            paint::line(p, room, Align::Max, field.title(), paint::head(), color);
            if is_sorted {
                let at = pos2(room.right() - title - 11.0, room.center().y);
                paint::glyph(p, at, arrow, 11.0, scene.palette.accent);
            }
        }
        if response.has_focus() {
            self.widths_by_key(ui, &response, field, cell.width());
        }
        self.menu(ui, &response, scene, Some(field));
        response.clicked().then_some(target)
    }

    /// The head between the sides.
    fn middle(&mut self, ui: &mut Ui, scene: &Scene<'_>, cell: Rect) -> Option<Column> {
        let response = ui.interact(cell, scene.id.with("head between"), Sense::click());
        describe(ui, scene, &response, Column::Status, "Sort by status");
        let p = ui.painter().with_clip_rect(cell.intersect(ui.clip_rect()));
        background(&p, scene, &response, cell);
        let sorted = scene.model.rows().sort();
        let (mark, color) = match (sorted.column == Column::Status, sorted.descending) {
            (false, _) => (icon::SCALES, scene.palette.weak),
            (true, false) => (icon::CARET_UP, scene.palette.accent),
            (true, true) => (icon::CARET_DOWN, scene.palette.accent),
        };
        paint::glyph(&p, cell.center(), mark, 14.0, color);
        self.menu(ui, &response, scene, None);
        response.on_hover_text("Sort by status").clicked().then_some(Column::Status)
    }

    /// The right edge of a head, to be dragged, or double-clicked for the width that what is on the screen needs.
    fn grip(&mut self, ui: &Ui, p: &Painter, scene: &Scene<'_>, side: Side, column: usize, height: Rangef) {
        let (field, range) = scene.geometry.columns[column];
        let edge = scene.geometry.cell(side, column, height).right();
        let area = Rect::from_x_y_ranges(edge - 5.0..=edge + 4.0, height).intersect(p.clip_rect());
        if !area.is_positive() {
            return;
        }
        let id = scene.id.with(("grip", side as u8, field as u8));
        // Not focusable: the head itself has keys for its width.
        let response = ui.interact(area, id, Sense::CLICK | Sense::DRAG);
        let word = if side == Side::Left { "left" } else { "right" };
        response.widget_info(|| {
            let label = format!("Resize {word} {}", field.title().to_lowercase());
            WidgetInfo::labeled(Role::Splitter, true, label)
        });
        let hot = response.hovered() || response.dragged();
        let color = if hot { scene.palette.accent } else { scene.palette.line_strong };
        let inset = if hot { 0.0 } else { 8.0 };
        if column + 1 < scene.geometry.columns.len() || hot {
            let x = p.round_to_pixel_center(edge).min(p.clip_rect().right() - 0.5);
            p.vline(x, Rangef::new(height.min + inset, height.max - inset), Stroke::new(1.0, color));
        }
        if response.double_clicked() {
            self.widths.0[field as usize] = Some(rows::fitting(p, scene, field).max(MIN));
        } else if response.dragged() {
            self.widths.0[field as usize] = Some((range.span() + response.drag_delta().x).max(MIN));
        }
        response.on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
    }

    /// Shift with an arrow makes the column of the head that has the focus wider or narrower.
    fn widths_by_key(&mut self, ui: &Ui, response: &Response, field: Field, width: f32) {
        let arrows = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        for (key, step) in [(Key::ArrowRight, STEP), (Key::ArrowLeft, -STEP)] {
            if ui.input_mut(|input| input.consume_key(Modifiers::SHIFT, key)) {
                self.widths.0[field as usize] = Some((width + step).max(MIN));
                ui.ctx().request_repaint();
            }
        }
    }

    /// The menu of any head: with the right button, or with the key for it where the focus is.
    fn menu(&mut self, ui: &Ui, response: &Response, scene: &Scene<'_>, field: Option<Field>) {
        let key = response.has_focus()
            && ui.input_mut(|input| {
                input.consume_key(Modifiers::SHIFT, Key::F10) || input.consume_key(Modifiers::NONE, Key::Menu)
            });
        let open = if response.secondary_clicked() || key {
            Some(SetOpenCommand::Bool(true))
        } else {
            response.clicked().then_some(SetOpenCommand::Bool(false))
        };
        let is_there = |field: Field| scene.geometry.columns.iter().any(|(shown, _)| *shown == field);
        // Stays open, because more than one column may be meant.
        let menu =
            Popup::menu(response).open_memory(open).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        menu.show(|ui| {
            widgets::framed(ui);
            ui.set_min_width(160.0);
            for (field, shown) in [
                (Field::Created, &mut self.shown.created),
                (Field::Digest, &mut self.shown.digest),
                (Field::Status, &mut self.shown.status),
            ] {
                let mut on = is_there(field);
                if ui.checkbox(&mut on, field.title()).changed() {
                    *shown = Some(on);
                }
            }
            ui.separator();
            if let Some(field) = field
                && ui.button("Fit the width to the content").clicked()
            {
                let fitting = rows::fitting(ui.painter(), scene, field);
                self.widths.0[field as usize] = Some(fitting.max(MIN));
                // Who came by keys goes on from here.
                response.request_focus();
                ui.close();
            }
            if ui.button("Default columns").clicked() {
                self.widths = Widths::default();
                self.shown = ShownColumns::default();
                response.request_focus();
                ui.close();
            }
        });
    }
}

fn describe(ui: &Ui, scene: &Scene<'_>, response: &Response, column: Column, label: &str) {
    response.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, true, label));
    let sort = scene.model.rows().sort();
    if sort.column == column {
        let direction = if sort.descending {
            accesskit::SortDirection::Descending
        } else {
            accesskit::SortDirection::Ascending
        };
        ui.accesskit_node_builder(response.id, |node| node.set_sort_direction(direction));
    }
}

fn background(p: &Painter, scene: &Scene<'_>, response: &Response, cell: Rect) {
    if response.hovered() {
        p.rect_filled(cell, CornerRadius::ZERO, scene.palette.hover);
    }
    if response.has_focus() {
        let ring = cell.intersect(p.clip_rect()).shrink(2.0);
        p.rect_stroke(ring, 4, Stroke::new(2.0, scene.palette.accent), egui::StrokeKind::Inside);
    }
}
