//! The window: bars above, the table, bars below, and the sheet that lies over it.
//!
//! Invariant: drawing changes nothing but the state of widgets; what a click means is a call of [`App`]. No file is
//! touched and nothing is waited for here. This module must not know the system's window.

use std::time::Duration;

use egui::{CentralPanel, Frame, Margin, Panel, Ui, Vec2, vec2};
use fcs_gui_model::app::{App, View};
use fcs_gui_model::keep::{Remembered, Theme};

use crate::row_menu;
use crate::table::Table;
use crate::theme::Palette;
use crate::{banner, bottom, keys, middle, sheets, top};

/// The window is laid out for no less than this, in points. Where there is less room everything is drawn smaller.
const LEAST: Vec2 = vec2(720.0, 450.0);

/// Everything that is drawn, and the state of widgets that is nobody else's business.
pub struct Window {
    /// What is shown.
    pub app: App,
    /// The table of both sides.
    pub table: Table,
    pub(crate) top: top::BarState,
    pub(crate) sheets: sheets::SheetState,
    /// The row whose menu is open.
    pub(crate) row_menu: Option<row_menu::OpenMenu>,
    /// Which comparison that row is one of.
    comparisons: u64,
    /// Columns of the table that had no room in the frame before.
    pub(crate) left_out: Vec<fcs_gui_model::Field>,
    /// The table is to have the focus when no sheet lies over it.
    pub(crate) focus_table: bool,
    /// A sheet lay over the table in the frame before.
    had_sheet: bool,
    /// A text was edited in the frame before.
    pub(crate) typing: bool,
    began: bool,
    /// A menu hung from something when the frame began.
    pub(crate) menu_open: bool,
    /// How much larger than usual everything was drawn last.
    zoom: f32,
}

impl Window {
    /// A window over this state.
    pub fn new(app: App) -> Self {
        let mut table = Table::default();
        restore(&mut table, &app.kept);
        Self {
            app,
            table,
            top: top::BarState::default(),
            sheets: sheets::SheetState::default(),
            row_menu: None,
            comparisons: 0,
            left_out: Vec::new(),
            focus_table: false,
            had_sheet: false,
            typing: false,
            began: false,
            menu_open: false,
            zoom: 1.0,
        }
    }

    /// Draws one frame; `now` is a clock that only goes forward.
    pub fn ui(&mut self, ui: &mut Ui, now: Duration) {
        if !self.began {
            self.began = true;
            self.apply_theme(ui.ctx());
            self.zoom = ui.ctx().zoom_factor();
        }
        self.fit(ui.ctx());
        // A click that closes a menu is meant for the menu.
        self.menu_open = egui::Popup::is_any_open(ui.ctx()) || self.row_menu.is_some();
        self.app.poll(now);
        if std::mem::replace(&mut self.comparisons, self.app.comparisons()) != self.app.comparisons() {
            self.row_menu = None;
            self.focus_table = true;
        }
        // What had the focus on a sheet is gone with it.
        self.focus_table |=
            std::mem::replace(&mut self.had_sheet, self.app.sheet.is_some()) && self.app.sheet.is_none();
        if self.app.sheet.is_none() && std::mem::take(&mut self.focus_table) {
            // Whoever types goes on typing; else keys belong to the rows that have just appeared.
            if !ui.ctx().text_edit_focused() {
                self.table.focus();
            }
        }
        self.take_drops(ui);
        keys::act(self, ui);
        let pal = Palette::of(ui.theme());
        let bar =
            |top, bottom| Frame::new().fill(pal.bg).inner_margin(Margin { left: 14, right: 14, top, bottom });
        Panel::top("folders")
            .frame(bar(10, 2))
            .show_separator_line(false)
            .show(ui, |ui| top::show(self, ui, &pal));
        if banner::is_needed(&self.app) {
            Panel::top("banner").frame(bar(4, 2)).show_separator_line(false).show(ui, |ui| {
                banner::show(&mut self.app, ui, &pal);
            });
        }
        Panel::bottom("status").frame(bar(2, 8)).show_separator_line(false).show(ui, |ui| {
            bottom::status(&mut self.app, ui, &pal);
        });
        if self.app.loaded().is_some() {
            Panel::bottom("actions").frame(bar(6, 4)).show_separator_line(false).show(ui, |ui| {
                bottom::actions(&mut self.app, ui, &pal);
            });
        }
        if self.app.busy.is_some() && self.app.loaded().is_some() {
            Panel::bottom("progress").frame(bar(8, 2)).show_separator_line(false).show(ui, |ui| {
                bottom::progress(&mut self.app, ui, &pal);
            });
        }
        CentralPanel::default().frame(bar(4, 2)).show(ui, |ui| match self.app.view {
            View::Loaded(_) => middle::table(self, ui, &pal),
            View::Empty | View::Failed(_) => middle::no_table(&mut self.app, ui, &pal),
        });
        sheets::show(self, ui.ctx(), &pal);
        self.remember(ui);
        if let Some(text) = self.app.clipboard.take() {
            ui.copy_text(text);
        }
    }

    /// Brings the toolkit to the theme that was chosen.
    pub(crate) fn apply_theme(&self, ctx: &egui::Context) {
        ctx.set_theme(match self.app.kept.theme {
            Theme::System => egui::ThemePreference::System,
            Theme::Light => egui::ThemePreference::Light,
            Theme::Dark => egui::ThemePreference::Dark,
        });
    }

    /// Draws as large as the user wants it, but no larger than there is room for.
    fn fit(&mut self, ctx: &egui::Context) {
        let now = ctx.zoom_factor();
        // The toolkit has keys for it of its own: a step, or back to the usual.
        let step = now - self.zoom;
        if step.abs() > f32::EPSILON {
            let wished =
                if (now - 1.0).abs() < f32::EPSILON { now } else { self.app.kept.zoom.unwrap_or(1.0) + step };
            self.app.kept.zoom = Some(wished.clamp(Remembered::LEAST_ZOOM, Remembered::MOST_ZOOM));
        }
        let room = ctx.content_rect().size() * now / LEAST;
        let fits = self.app.kept.zoom.unwrap_or(1.0).min(room.min_elem()).max(0.3);
        // A window that is drawn to another size is not to flicker.
        if (fits - now).abs() > 0.01 {
            ctx.set_zoom_factor(fits);
            ctx.request_repaint();
            self.zoom = fits;
        } else {
            self.zoom = now;
        }
    }

    fn take_drops(&mut self, ui: &Ui) {
        let center = ui.ctx().content_rect().center().x;
        let (dropped, middle) = ui.input(|i| {
            let paths: Vec<_> = i.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect();
            let over = i.pointer.latest_pos().map_or(0.0, |pos| pos.x);
            (paths, over > center)
        });
        if !dropped.is_empty() && self.app.sheet.is_none() {
            let side =
                if middle { fcs_engine::compare::Side::Right } else { fcs_engine::compare::Side::Left };
            self.app.drop_folders(dropped, side);
        }
    }

    /// Takes note of what is remembered: columns, size.
    fn remember(&mut self, ui: &Ui) {
        let kept = &mut self.app.kept;
        note(&self.table, kept);
        let (size, maximized) = ui.input(|i| {
            let viewport = i.viewport();
            (viewport.inner_rect.map(|rect| rect.size()), viewport.maximized.unwrap_or(false))
        });
        kept.maximized = maximized;
        if let Some(size) = size.filter(|_| !maximized) {
            // As a window is made: in points of the screen, not in those that everything is drawn larger by.
            let size = size * ui.ctx().zoom_factor();
            kept.size = Some([size.x.round(), size.y.round()]);
        }
    }
}

/// What is written where a column has no width of its own.
const NO_WIDTH: f32 = 0.0;

fn restore(table: &mut Table, kept: &Remembered) {
    for (width, &kept) in table.widths.0.iter_mut().zip(&kept.columns) {
        *width = Some(kept).filter(|&kept| kept > NO_WIDTH);
    }
    let told = |word: &str| {
        let has = |sign: &str| kept.shown.iter().any(|entry| *entry == format!("{sign}{word}"));
        if has("+") { Some(true) } else { has("-").then_some(false) }
    };
    let shown = &mut table.shown;
    (shown.created, shown.digest, shown.status) = (told("created"), told("digest"), told("status"));
}

fn note(table: &Table, kept: &mut Remembered) {
    kept.columns = table.widths.0.iter().map(|width| width.unwrap_or(NO_WIDTH)).collect();
    let told =
        [("created", table.shown.created), ("digest", table.shown.digest), ("status", table.shown.status)];
    let sign = |on| if on { '+' } else { '-' };
    kept.shown = told.into_iter().filter_map(|(word, on)| Some(format!("{}{word}", sign(on?)))).collect();
}
