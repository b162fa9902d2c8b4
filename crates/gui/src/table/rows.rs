//! The rows on the screen.
//!
//! Invariant: a row without an item on a side is a hole there, with nothing to press; a row that nothing can be done
//! about has no box. What can be pressed has a name that says what it does to which row and side, and none of it is a
//! stop of the Tab key: in a table of a million rows that is what the arrows are for. This module must not know what
//! an action does.

use egui::{
    Align, CornerRadius, FontId, Painter, Rect, Response, Role, Sense, Ui, UiBuilder, Vec2, WidgetInfo,
};
use egui::{accesskit, pos2};
use fcs_engine::access::Access;
use fcs_engine::compare::{Comparison, Group, RowId, Side, Verdict};
use fcs_engine::directions::Act;
use fcs_gui_model::{Directed, Field, Mark, Model};
use fcs_sys::Kind;

use super::paint;
use super::{Context, Scene, TableAction};
use crate::theme::icon;
use crate::widgets;

/// How far a folder's rows stand to the right of it.
const INDENT: f32 = 16.0;
/// However deep a row is, so much is left of the column for its marks and the beginning of its name.
const KEEP: f32 = 130.0;
/// The room around the text of a cell.
const PAD: f32 = 8.0;

/// Where the parts of a cell of names are.
struct Name {
    caret: Rect,
    tick: Rect,
    icon: egui::Pos2,
    text: Rect,
}

pub(super) fn draw(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<TableAction>) {
    let mut pointed = None;
    for place in scene.visible.clone() {
        let row = scene.model.rows().visible()[place];
        let response = whole(ui, scene, place, row, actions);
        if response.hovered() {
            pointed = Some((response, row));
        }
    }
    let gutter = ui.painter().with_clip_rect(scene.geometry.body);
    let mut elided = Vec::new();
    for &side in scene.geometry.sides() {
        let clip = scene.geometry.panes[side as usize].intersect(ui.clip_rect());
        let mut pane = ui.new_child(UiBuilder::new().id_salt(side as u8).max_rect(clip));
        pane.set_clip_rect(clip);
        for place in scene.visible.clone() {
            let row = scene.model.rows().visible()[place];
            if half(&mut pane, scene, place, row, side, actions) {
                elided.push((row, side));
            }
        }
        lines(pane.painter(), scene, side);
    }
    let stroke = egui::Stroke::new(1.0, scene.palette.line.gamma_multiply(0.6));
    for x in [scene.geometry.gutter.left(), scene.geometry.gutter.right()] {
        gutter.vline(gutter.round_to_pixel_center(x), scene.geometry.body.y_range(), stroke);
    }
    for place in scene.visible.clone() {
        between(&gutter, scene, place);
    }
    if let Some((response, row)) = pointed {
        explain(response, scene, row, &elided);
    }
}

/// The row across both sides: what is behind it, and what a screen reader hears of it.
fn whole(ui: &Ui, scene: &Scene<'_>, place: usize, row: RowId, actions: &mut Vec<TableAction>) -> Response {
    let area = scene.row(place);
    let id = scene.id.with(row);
    // Not focusable: the table has the focus, and the cursor says which row it is on.
    let response = ui.interact(area.intersect(ui.clip_rect()), id, Sense::CLICK);
    let at_cursor = row == scene.model.cursor();
    let rows = scene.model.rows();
    response.widget_info(|| WidgetInfo::labeled(Role::TreeItem, true, spoken(scene, row)));
    ui.accesskit_node_builder(id, |node: &mut accesskit::Node| {
        // Not by the widget's info, which would announce a check box.
        node.set_selected(at_cursor);
        node.set_level(scene.cells.index.comparison().depth(row));
        node.set_row_index(place);
        node.set_position_in_set(place);
        if rows.can_open(row) {
            let open = rows.is_open(row);
            node.set_expanded(open);
            node.add_action(if open { accesskit::Action::Collapse } else { accesskit::Action::Expand });
        }
    });
    for (request, open) in [(accesskit::Action::Expand, true), (accesskit::Action::Collapse, false)] {
        if ui.input(|input| input.has_accesskit_action_request(id, request)) {
            actions.push(TableAction::Open(row, open));
        }
    }
    let palette = &scene.palette;
    let below = if at_cursor {
        Some(if scene.focused { palette.cursor } else { palette.hover })
    } else if response.contains_pointer() {
        Some(palette.hover)
    } else {
        (place % 2 == 1).then_some(palette.zebra)
    };
    if let Some(color) = below {
        ui.painter().rect_filled(area, CornerRadius::ZERO, color);
    }
    let pointer = response.interact_pointer_pos().unwrap_or(area.left_center());
    let side = scene.geometry.side(pointer.x);
    if response.secondary_clicked() {
        actions.push(TableAction::Context(Context { row, side, at: pointer }));
    }
    if response.double_clicked() {
        actions.push(TableAction::DoubleClick(row, side));
    } else if response.clicked() && !response.triple_clicked() {
        actions.push(TableAction::Click(row, side));
    }
    response
}

fn spoken(scene: &Scene<'_>, row: RowId) -> String {
    let cells = &scene.cells;
    let verdict = scene.cells.index.comparison().row(row).verdict;
    let mut text = match cells.moved_words(row) {
        Some(words) => format!("{words}, Moved"),
        None => format!("{}, {}", cells.name(row, Side::Left), fcs_gui_model::text::status(verdict)),
    };
    if let Some(words) = cells.act_words(row) {
        text = format!("{text}, {words}");
    }
    if let Some(words) = cells.newer_words(row) {
        text = format!("{text}, {words}");
    }
    for (side, word) in [(Side::Left, "left"), (Side::Right, "right")] {
        if cells.entry(row, side).is_none() {
            text = format!("{text}, {word} missing");
        } else if let Some(size) = cells.exact(row, side, Field::Size) {
            text = format!("{text}, {word} {size}");
        }
        match scene.model.selection().mark(row, side) {
            Mark::On => text.push_str(", ticked"),
            Mark::Partly => text.push_str(", partly ticked"),
            Mark::Off => {}
        }
    }
    text
}

/// What a side has in a row; whether its name is cut off.
fn half(
    ui: &mut Ui,
    scene: &Scene<'_>,
    place: usize,
    row: RowId,
    side: Side,
    actions: &mut Vec<TableAction>,
) -> bool {
    let area = scene.row(place);
    let comparison = scene.cells.index.comparison();
    let Some(entry) = scene.cells.entry(row, side) else {
        let pane = scene.geometry.panes[side as usize];
        let hole = Rect::from_x_y_ranges(pane.x_range(), area.y_range());
        let lit = row == scene.model.cursor() || ui.rect_contains_pointer(area);
        let strength = if lit { 0.4 } else { 1.0 };
        ui.painter().rect_filled(hole, CornerRadius::ZERO, scene.palette.hole.gamma_multiply(strength));
        return false;
    };
    let verdict = comparison.row(row).verdict;
    let folder = entry.kind == Kind::Folder;
    let parts = name_parts(scene, side, area, comparison.depth(row));
    let row_id = scene.id.with(row);
    let mut inner =
        ui.new_child(UiBuilder::new().id_salt((row, side as u8)).max_rect(area).accessibility_parent(row_id));
    let open = caret(&mut inner, scene, row, side, parts.caret, actions);
    tick(&mut inner, scene, row, side, parts.tick, actions);
    let (p, palette) = (ui.painter(), &scene.palette);
    let (mark, color) = match entry.kind {
        Kind::Folder => (if open { icon::FOLDER_OPEN } else { icon::FOLDER }, palette.folder),
        Kind::Symlink => (icon::LINK, palette.weak),
        Kind::Other => (icon::QUESTION, palette.weak),
        Kind::File => (paint::file(&scene.cells.name(row, side)), palette.weak),
    };
    paint::glyph(p, parts.icon, mark, 15.0, color);
    let group = verdict.group();
    let color = match group {
        _ if scene.cells.is_moved(row) => palette.diff,
        Group::Same => palette.text,
        // Of folders only the times are compared; what is in them says more.
        Group::Different if folder => palette.text,
        group => palette.verdict(group),
    };
    let font = if folder { paint::strong() } else { paint::body() };
    let name = scene.cells.name(row, side);
    // Of a path the end tells the most.
    let end = if row == Comparison::ROOT {
        widgets::end_that_fits(p, &name, &font, parts.text.width())
    } else {
        None
    };
    let elided =
        paint::line(p, parts.text, Align::Min, end.as_deref().unwrap_or(&name), font, color) || end.is_some();
    for column in 1..scene.geometry.columns.len() {
        value(p, scene, row, side, column, area);
    }
    elided
}

/// How far a row is moved to the right: less and less with each level, so that in a narrow column a deep level too stands
/// to the right of the one above.
fn indent(depth: usize, width: f32) -> f32 {
    let room = width - KEEP;
    if room < 1.0 {
        return 0.0;
    }
    let wished = depth as f32 * INDENT;
    room * (1.0 - (-wished / room).exp())
}

/// Where the parts of a name are.
fn name_parts(scene: &Scene<'_>, side: Side, area: Rect, depth: usize) -> Name {
    let cell = scene.geometry.cell(side, 0, area.y_range());
    let indent = indent(depth, cell.width());
    let (mut x, y) = (cell.left() + PAD + indent, cell.center().y);
    let mut part = |width: f32| {
        x += width;
        pos2(x - width + 7.0, y)
    };
    let (caret, tick, icon) = (part(18.0), part(22.0), part(22.0));
    Name {
        caret: Rect::from_center_size(caret, Vec2::splat(18.0)),
        tick: Rect::from_center_size(tick, Vec2::splat(14.0)),
        icon,
        text: Rect::from_min_max(pos2(x, area.top()), pos2((cell.right() - 6.0).max(x), area.bottom())),
    }
}

fn caret(
    ui: &mut Ui,
    scene: &Scene<'_>,
    row: RowId,
    side: Side,
    area: Rect,
    actions: &mut Vec<TableAction>,
) -> bool {
    let rows = scene.model.rows();
    if !rows.can_open(row) {
        return false;
    }
    let open = rows.is_open(row);
    let id = scene.id.with((row, side as u8, "caret"));
    let response = ui.interact(area.intersect(ui.clip_rect()), id, Sense::CLICK);
    if response.clicked() {
        actions.push(TableAction::Open(row, !open));
    }
    let mark = if open { icon::CARET_DOWN } else { icon::CARET_RIGHT };
    let color = if response.hovered() { scene.palette.text } else { scene.palette.weak };
    paint::glyph(ui.painter(), area.center(), mark, 12.0, color);
    response.widget_info(|| {
        let verb = if open { "Collapse" } else { "Expand" };
        // Both sides' marks do the same; the second is told from the first.
        let second = side == Side::Right && scene.cells.index.on(Side::Left).has(row);
        let which = if second { " (right)" } else { "" };
        let name = scene.cells.name(row, side);
        WidgetInfo::labeled(Role::DisclosureTriangle, true, format!("{verb} {name}{which}"))
    });
    open
}

fn tick(ui: &mut Ui, scene: &Scene<'_>, row: RowId, side: Side, area: Rect, actions: &mut Vec<TableAction>) {
    let selection = scene.model.selection();
    if !selection.can_tick(row, side) {
        return;
    }
    let mark = selection.mark(row, side);
    let id = scene.id.with((row, side as u8, "tick"));
    let response = ui.interact(area.expand(4.0).intersect(ui.clip_rect()), id, Sense::CLICK);
    if response.clicked() {
        actions.extend([TableAction::Select(row, side), TableAction::Tick(row, side)]);
    }
    response.widget_info(|| {
        let word = if side == Side::Left { "Left" } else { "Right" };
        let on = mark == Mark::On;
        WidgetInfo::selected(Role::CheckBox, true, on, format!("{word} {}", scene.cells.name(row, side)))
    });
    if mark == Mark::Partly {
        ui.accesskit_node_builder(id, |node| node.set_toggled(accesskit::Toggled::Mixed));
    }
    paint::tick(ui.painter(), &scene.palette, area, mark, response.hovered());
}

/// A cell that is no name.
fn value(p: &Painter, scene: &Scene<'_>, row: RowId, side: Side, column: usize, area: Rect) {
    let palette = &scene.palette;
    let field = scene.geometry.columns[column].0;
    let mut room = scene.geometry.cell(side, column, area.y_range()).shrink2(Vec2::new(PAD, 0.0));
    if !room.intersects(p.clip_rect()) {
        return;
    }
    let verdict = scene.cells.index.comparison().row(row).verdict;
    if field == Field::Status
        && let Some(accesses) = scene.access
    {
        return access(p, scene, accesses.get(&row), room);
    }
    let text = scene.cells.short(row, side, field);
    let color = match (field, verdict) {
        (Field::Status, _) if scene.cells.differs_inside(row) || scene.cells.is_moved(row) => palette.diff,
        (Field::Status, verdict) => palette.verdict(verdict.group()),
        (Field::Size, Verdict::Different(d)) if d.size => palette.diff,
        (Field::Created, Verdict::Different(d)) if d.created => palette.diff,
        (Field::Modified, Verdict::Different(d)) if d.modified => palette.diff,
        (Field::Digest, Verdict::Different(d)) if d.content => palette.diff,
        _ => palette.weak,
    };
    let align = match field {
        Field::Status => {
            let mark = if scene.cells.differs_inside(row) {
                icon::DOTS_THREE
            } else if scene.cells.is_moved(row) {
                icon::SWAP
            } else {
                paint::verdict(verdict.group())
            };
            paint::glyph(p, pos2(room.left() + 7.0, room.center().y), mark, 13.0, color);
            room.min.x += 20.0;
            Align::Min
        }
        Field::Digest => Align::Min,
        _ => Align::Max,
    };
    paint::line(p, room, align, &text, value_font(scene, row, side, field), color);
}

/// The font of a cell that is no name: the newer date stands out.
fn value_font(scene: &Scene<'_>, row: RowId, side: Side, field: Field) -> FontId {
    let is_newer = field == Field::Modified && scene.cells.index.newer(row) == Some(side);
    if is_newer { paint::newer_date() } else { paint::small() }
}

/// How an item that could be removed looks now; nothing for others.
fn access(p: &Painter, scene: &Scene<'_>, access: Option<&Access>, mut room: Rect) {
    let Some(access) = access else { return };
    let palette = &scene.palette;
    let (mark, color) =
        if *access == Access::Ok { (icon::CHECK, palette.weak) } else { (icon::WARNING, palette.warn) };
    paint::glyph(p, pos2(room.left() + 7.0, room.center().y), mark, 13.0, color);
    room.min.x += 20.0;
    paint::line(p, room, Align::Min, access.words(), paint::small(), color);
}

/// The lines between the columns of a side.
fn lines(p: &Painter, scene: &Scene<'_>, side: Side) {
    let geometry = &scene.geometry;
    let stroke = egui::Stroke::new(1.0, scene.palette.line.gamma_multiply(0.6));
    for column in 1..geometry.columns.len() {
        let x = geometry.cell(side, column, geometry.body.y_range()).left();
        p.vline(p.round_to_pixel_center(x), geometry.body.y_range(), stroke);
    }
}

/// What stands between the sides, and the mark of the side that Space ticks on.
fn between(p: &Painter, scene: &Scene<'_>, place: usize) {
    let row = scene.model.rows().visible()[place];
    let group = scene.cells.index.comparison().row(row).verdict.group();
    let area = scene.row(place);
    let center = pos2(scene.geometry.gutter.center().x, area.center().y);
    if !scene.geometry.gutter.is_positive() {
        return mark(p, scene, row, area);
    }
    if let Some(directed) = scene.cells.directed {
        action(p, scene, directed, row, center);
    } else if scene.cells.differs_inside(row) {
        paint::glyph(p, center, icon::DOTS_THREE, 15.0, scene.palette.diff);
    } else {
        let color = scene.palette.verdict(group);
        let newer = scene.cells.index.newer(row);
        let beside = if newer.is_some() { egui::vec2(7.0, 0.0) } else { Vec2::ZERO };
        paint::glyph(p, center - beside, paint::verdict(group), 15.0, color);
        if let Some(side) = newer {
            paint::newer(p, center + beside + egui::vec2(2.0, 0.0), side, color);
        }
    }
    mark(p, scene, row, area);
}

/// What is to be done with a row, and whether that was decided by hand.
fn action(p: &Painter, scene: &Scene<'_>, directed: &Directed, row: RowId, center: egui::Pos2) {
    let palette = &scene.palette;
    let (act, moved) = (directed.act(row), scene.cells.is_moved(row));
    let inside = scene.cells.index.inside().has(row);
    let (glyph, color, aside) = match act {
        Act::Nothing | Act::Leave if inside => (icon::DOTS_THREE, palette.diff, 0.0),
        Act::Nothing => (icon::EQUALS, palette.weak, 0.0),
        Act::Leave => (icon::MINUS, palette.weak, 0.0),
        // Of a moved item the side that gets the new path is renamed, whichever of its rows is shown.
        Act::CopyTo(Side::Right) | Act::RemoveFrom(Side::Right) if moved => {
            (icon::ARROW_LINE_RIGHT, palette.diff, 0.0)
        }
        Act::CopyTo(Side::Left) | Act::RemoveFrom(Side::Left) if moved => {
            (icon::ARROW_LINE_LEFT, palette.diff, 0.0)
        }
        Act::CopyTo(Side::Right) => (icon::ARROW_RIGHT, palette.left, 0.0),
        Act::CopyTo(Side::Left) => (icon::ARROW_LEFT, palette.right, 0.0),
        Act::RemoveFrom(Side::Left) => (icon::TRASH, palette.bad, -7.0),
        Act::RemoveFrom(Side::Right) => (icon::TRASH, palette.bad, 7.0),
        Act::KeepBoth { .. } => (icon::COPY, palette.diff, 0.0),
        Act::Conflict(_) => (icon::WARNING, palette.warn, 0.0),
        Act::Skip(_) => (icon::PROHIBIT, palette.warn, 0.0),
    };
    paint::glyph(p, center + egui::vec2(aside, 0.0), glyph, 15.0, color);
    if directed.is_chosen(row) {
        let corner = pos2(scene.geometry.gutter.right() - 7.0, center.y - 7.0);
        p.circle_filled(corner, 3.0, palette.accent);
    }
}

/// The mark of the side that Space ticks on.
fn mark(p: &Painter, scene: &Scene<'_>, row: RowId, area: Rect) {
    if row == scene.model.cursor() {
        let pane = scene.geometry.panes[scene.active as usize];
        let bar = Rect::from_x_y_ranges(pane.left()..=pane.left() + 3.0, area.y_range());
        let color = if scene.focused { scene.palette.accent } else { scene.palette.edge };
        p.rect_filled(bar, CornerRadius::ZERO, color);
    }
}

/// The exact value of the cell under the pointer.
fn explain(response: Response, scene: &Scene<'_>, row: RowId, elided: &[(RowId, Side)]) {
    let Some(pointer) = response.hover_pos() else { return };
    let text = match scene.geometry.hit(pointer.x) {
        None => {
            let status = scene.cells.status(row);
            let act = scene.cells.act_words(row).map(|words| format!("{words}\n{status}"));
            Some(act.unwrap_or(status)).filter(|_| scene.geometry.gutter.x_range().contains(pointer.x))
        }
        Some((side, Field::Name)) => scene.cells.exact(row, side, Field::Name).filter(|text| {
            let whole = row != Comparison::ROOT && **text == *scene.cells.name(row, side);
            !whole || elided.contains(&(row, side))
        }),
        Some((side, field)) => scene.cells.exact(row, side, field),
    };
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        response.on_hover_text_at_pointer(text);
    }
}

/// How wide a column would have to be for what is on the screen.
pub(super) fn fitting(p: &Painter, scene: &Scene<'_>, field: Field) -> f32 {
    let title = widgets::width(p, field.title(), paint::head()) + 40.0;
    scene.visible.clone().map(|place| row_at(scene.model, place)).fold(title, |widest, row| {
        scene
            .geometry
            .sides()
            .iter()
            .fold(widest, |widest, &side| widest.max(wanted(p, scene, row, side, field)))
    })
}

fn row_at(model: &Model, place: usize) -> RowId {
    model.rows().visible()[place]
}

fn wanted(p: &Painter, scene: &Scene<'_>, row: RowId, side: Side, field: Field) -> f32 {
    let text = scene.cells.short(row, side, field);
    if text.is_empty() {
        return 0.0;
    }
    match field {
        Field::Name => {
            let depth = scene.cells.index.comparison().depth(row) as f32;
            widgets::width(p, &text, paint::strong()) + depth * INDENT + 62.0 + 2.0 * PAD
        }
        Field::Status => widgets::width(p, &text, paint::small()) + 20.0 + 2.0 * PAD,
        _ => widgets::width(p, &text, value_font(scene, row, side, field)) + 2.0 * PAD,
    }
    .ceil()
        + 1.0
}

#[cfg(test)]
mod tests {
    use super::indent;

    /// Case V6.
    #[test]
    fn each_level_stands_to_the_right_of_the_one_above() {
        for width in [220.0, 245.0, 400.0] {
            for depth in 0..20 {
                let step = indent(depth + 1, width) - indent(depth, width);
                assert!(step > 0.1, "{width}, {depth}: {step}");
            }
            assert!(indent(1000, width) <= width - 130.0);
        }
        assert!(indent(3, 245.0) > 36.0, "the first levels are as usual");
        assert!(indent(5, 60.0) < 0.1);
    }
}
