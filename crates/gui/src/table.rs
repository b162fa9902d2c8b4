//! The paired tree: one list of rows, drawn twice, with what each side has.
//!
//! Invariant: a row is at the same height on both sides, and the two sides have the same columns at the same widths and
//! are scrolled together, down and across. The place in the list is kept in 64 bits, because a million rows are more
//! points than 32 bits can tell apart by one; only rows on the screen are ever turned into coordinates of the toolkit,
//! so a frame costs the same whatever the number of rows. The rows are painted with few clip rectangles, because each
//! is a draw call.
//!
//! This module must not know what a row means, only what [`fcs_gui_model`] says about it; and it changes nothing by itself
//! but which rows are open, ticked and sorted, where the cursor is, and its own widths.

use std::collections::HashMap;
use std::ops::Range;

use egui::accesskit;
use egui::{
    CornerRadius, Id, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo,
};
use fcs_engine::access::Access;
use fcs_engine::compare::{RowId, Side};
use fcs_gui_model::{Cells, Change, Field, Model};
use jiff::tz::TimeZone;

use crate::theme::{PANEL_ROUND, Palette};

mod bars;
mod columns;
mod header;
mod keys;
mod paint;
mod rows;

pub use columns::{BAR, GUTTER, ShownColumns, Widths};

use columns::{Content, Geometry};
use keys::TypeAhead;

/// The height of a row in points.
pub const ROW: f32 = 26.0;
/// The height of the heads of the columns in points.
pub const HEAD: f32 = 30.0;

/// How times are written.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The zone of times.
    pub zone: &'a TimeZone,
    /// Decimals of seconds, see [`fcs_gui_model::text::decimals`].
    pub decimals: usize,
    /// How items look now, instead of their verdicts; empty while that is being found out.
    pub access: Option<&'a HashMap<RowId, Access>>,
    /// A click anywhere on a row that has a box ticks it, not only one on the box.
    pub rows_tick: bool,
}

/// The table's own state: what is not the model's.
#[derive(Debug)]
pub struct Table {
    /// The widths of the columns.
    pub widths: Widths,
    /// Which columns there are.
    pub shown: ShownColumns,
    /// Shows one side alone.
    pub only: Option<Side>,
    /// How far the rows are scrolled down, in points. Clamped when it is drawn.
    pub scroll: f64,
    /// How far both sides are scrolled to the right, in points. Clamped when it is drawn.
    pub across: f32,
    /// The side that Space ticks on: the one last clicked.
    pub active: Side,
    visible: Range<usize>,
    reveal: bool,
    focus: bool,
    typed: TypeAhead,
    /// The row of the latest click, and whether that click changed ticks.
    clicked: Option<(RowId, bool)>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            widths: Widths::default(),
            shown: ShownColumns::default(),
            only: None,
            scroll: 0.0,
            across: 0.0,
            active: Side::Left,
            visible: 0..0,
            reveal: false,
            focus: false,
            typed: TypeAhead::default(),
            clicked: None,
        }
    }
}

/// What happened to the table in a frame.
#[derive(Debug)]
pub struct TableResponse {
    /// The table itself: whether it has the focus.
    pub response: Response,
    /// What a tick changed.
    pub ticked: Option<Change>,
    /// A row whose menu was asked for.
    pub context: Option<Context>,
    /// A row that is no folder, double-clicked or entered.
    pub activated: Option<RowId>,
    /// Columns that are left out for lack of room.
    pub left_out: Vec<Field>,
}

/// A row whose menu was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Context {
    /// The row, which has the cursor by now.
    pub row: RowId,
    /// The side.
    pub side: Side,
    /// Where the menu belongs.
    pub at: Pos2,
}

/// What a click or a key asks for.
#[derive(Debug, Clone, Copy)]
enum TableAction {
    /// The first click on a row.
    Click(RowId, Side),
    /// The second one soon after, which is not to do what the first did.
    DoubleClick(RowId, Side),
    Select(RowId, Side),
    Open(RowId, bool),
    Tick(RowId, Side),
    Context(Context),
    Activate(RowId),
}

/// What all parts of a frame are drawn from.
struct Scene<'a> {
    palette: Palette,
    geometry: Geometry,
    cells: Cells<'a>,
    access: Option<&'a HashMap<RowId, Access>>,
    model: &'a Model,
    id: Id,
    focused: bool,
    active: Side,
    /// How far the rows are scrolled.
    scroll: f64,
    /// The places in the list that are on the screen.
    visible: Range<usize>,
}

impl Scene<'_> {
    /// Where a place in the list is.
    fn row(&self, place: usize) -> Rect {
        let body = self.geometry.body;
        let top = body.top() + (place as f64 * f64::from(ROW) - self.scroll) as f32;
        Rect::from_x_y_ranges(body.x_range(), top..=top + ROW)
    }
}

impl Table {
    /// Scrolls to the cursor when the table is drawn next.
    pub fn reveal_cursor(&mut self) {
        self.reveal = true;
    }

    /// Gives the table the focus when it is drawn next.
    pub fn focus(&mut self) {
        self.focus = true;
    }

    /// The places in the list that were on the screen when the table was drawn last.
    pub fn visible(&self) -> Range<usize> {
        self.visible.clone()
    }

    /// What the table is called in its `ui`, for whoever gives it the focus.
    pub fn id(ui: &Ui) -> Id {
        ui.scope_id().with("comparison")
    }

    /// Draws the table over all the room there is.
    pub fn ui(&mut self, ui: &mut Ui, model: &mut Model, look: &Look<'_>) -> TableResponse {
        let outer = ui.available_rect_before_wrap();
        let id = Self::id(ui);
        let response = ui.interact(outer, id, Sense::focusable_noninteractive());
        if std::mem::take(&mut self.focus) {
            response.request_focus();
        }
        ui.advance_cursor_after_rect(outer);
        let index = model.rows().index();
        let digests = !index.comparison().digests.is_empty();
        // Room for fractions only where there are any.
        let decimals = if index.close_dates().count() > 0 { look.decimals } else { 0 };
        // Rows are breadth-first: none is deeper than the last.
        let depth = index.comparison().depth(index.rows().saturating_sub(1) as RowId);
        let content = Content { digests, decimals, depth };
        let geometry = Geometry::new(outer, (&self.widths, self.shown, self.only), content, &mut self.across);
        if let Some(only) = self.only {
            self.active = only;
        }

        let mut actions = Vec::new();
        let left_out = geometry.left_out.clone();
        let mut done = TableResponse { response, ticked: None, context: None, activated: None, left_out };
        if done.response.has_focus() {
            self.keyboard(ui, model, &geometry, &mut actions);
            self.apply(ui, (model, look.rows_tick), &mut actions, &mut done);
        }
        self.scroll_rows(ui, model, &geometry);

        let scene = Scene {
            palette: Palette::of(ui.theme()),
            cells: Cells {
                index: model.rows().index(),
                zone: look.zone,
                decimals: look.decimals,
                directed: model.directed().map(|directed| &**directed),
            },
            access: look.access,
            id,
            focused: done.response.has_focus(),
            active: self.active,
            scroll: self.scroll,
            visible: self.visible.clone(),
            geometry,
            model,
        };
        let sort = self.draw(ui, &scene, &done.response, &mut actions);
        if let Some(column) = sort {
            // Whoever looks at the cursor's row goes on looking at it; whoever has scrolled away from it stays there.
            let seen = model.rows().place(model.cursor()).is_some_and(|place| self.visible.contains(&place));
            model.sort_by(column);
            self.reveal |= seen;
            ui.ctx().request_repaint();
        }
        self.apply(ui, (model, look.rows_tick), &mut actions, &mut done);
        done
    }

    fn draw(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        response: &Response,
        actions: &mut Vec<TableAction>,
    ) -> Option<fcs_gui_model::Column> {
        let (outer, palette) = (scene.geometry.outer, &scene.palette);
        let round = CornerRadius::same(PANEL_ROUND);
        ui.painter().rect_filled(outer, round, palette.surface);
        // The tree's node before those of its rows: a parent must exist when a row is made.
        describe(ui, scene, response);
        let body = scene.geometry.body;
        let mut inner =
            ui.new_child(UiBuilder::new().id_salt("rows").max_rect(body).accessibility_parent(scene.id));
        inner.shrink_clip_rect(body);
        rows::draw(&mut inner, scene, actions);
        let sort = self.header(ui, scene);
        self.bars(ui, scene);
        let edge = if scene.focused { palette.accent } else { palette.line };
        ui.painter().rect_stroke(outer, round, Stroke::new(1.0, edge), StrokeKind::Inside);
        sort
    }

    /// Applies the wheel and brings the cursor into sight.
    fn scroll_rows(&mut self, ui: &Ui, model: &Model, geometry: &Geometry) {
        let row = f64::from(ROW);
        let (rows, page) = (model.rows().visible().len(), f64::from(geometry.body.height()));
        if ui.rect_contains_pointer(geometry.outer) {
            let wheel = ui.input(egui::InputState::smooth_scroll_delta);
            self.scroll -= f64::from(wheel.y);
            self.across = (self.across - wheel.x).clamp(0.0, geometry.across_max());
        }
        if std::mem::take(&mut self.reveal) {
            let top = model.rows().place(model.cursor()).unwrap_or(0) as f64 * row;
            // In a table lower than a row the row's top is what is seen.
            self.scroll = self.scroll.max(top + row - page).min(top);
        }
        self.scroll = self.scroll.min(rows as f64 * row - page).max(0.0);
        let first = (self.scroll / row) as usize;
        let end = ((self.scroll + page) / row).ceil() as usize;
        self.visible = first..end.min(rows);
    }

    fn click(
        &mut self,
        model: &mut Model,
        rows_tick: bool,
        row: RowId,
        side: Side,
        done: &mut TableResponse,
    ) {
        self.select(model, row, side, done);
        let change = rows_tick.then(|| model.toggle(row, side)).filter(|c| *c != Change::default());
        self.clicked = Some((row, change.is_some()));
        done.ticked = change.or(done.ticked);
    }

    fn select(&mut self, model: &mut Model, row: RowId, side: Side, done: &TableResponse) {
        model.set_cursor(row);
        self.active = side;
        done.response.request_focus();
    }

    fn apply(
        &mut self,
        ui: &Ui,
        (model, rows_tick): (&mut Model, bool),
        actions: &mut Vec<TableAction>,
        done: &mut TableResponse,
    ) {
        if !actions.is_empty() {
            ui.ctx().request_repaint();
        }
        for action in actions.drain(..) {
            match action {
                TableAction::Click(row, side) => self.click(model, rows_tick, row, side, done),
                // The toolkit also calls it one when the first was on the row beside.
                TableAction::DoubleClick(row, side) if self.clicked.is_none_or(|(first, _)| first != row) => {
                    self.click(model, rows_tick, row, side, done);
                }
                TableAction::DoubleClick(row, _) => {
                    if self.clicked.take() == Some((row, true)) && model.undo_ticks() {
                        done.ticked = Some(Change::default());
                    }
                    if model.rows().can_open(row) {
                        model.set_open(row, !model.rows().is_open(row));
                    } else {
                        done.activated = Some(row);
                    }
                }
                TableAction::Select(row, side) => {
                    self.select(model, row, side, done);
                }
                TableAction::Open(row, open) => model.set_open(row, open),
                TableAction::Tick(row, side) if model.selection().can_tick(row, side) => {
                    self.clicked = None;
                    done.ticked = Some(model.toggle(row, side));
                }
                TableAction::Tick(..) => {}
                TableAction::Context(context) => {
                    model.set_cursor(context.row);
                    self.active = context.side;
                    done.context = Some(context);
                }
                TableAction::Activate(row) => done.activated = Some(row),
            }
        }
    }
}

/// The tree as a screen reader knows it.
fn describe(ui: &Ui, scene: &Scene<'_>, response: &Response) {
    let rows = scene.model.rows();
    let cursor = scene.model.cursor();
    let seen = rows.place(cursor).is_some_and(|place| scene.visible.contains(&place));
    response.widget_info(|| WidgetInfo::labeled(Role::TreeGrid, true, "Comparison"));
    ui.accesskit_node_builder(scene.id, |node: &mut accesskit::Node| {
        node.set_row_count(rows.visible().len());
        node.set_column_count(scene.geometry.columns.len() * 2 + 1);
        // The size of the set is read from the container: "row 5 of 999,999".
        node.set_size_of_set(rows.visible().len());
        if seen {
            // Makes the cursor's row what the screen reader is on.
            node.set_active_descendant(scene.id.with(cursor).accesskit_id());
        }
        node.set_scroll_y(scene.scroll);
        node.set_scroll_y_max(
            (rows.visible().len() as f64 * f64::from(ROW) - f64::from(scene.geometry.body.height())).max(0.0),
        );
    });
}
