//! The bars above the table: the two folders, the filter with its chips, what counts, and the menu.
//!
//! Invariant: every control has a name that a screen reader says. This module must not know how two folders are
//! compared.

use egui::text::{CCursor, CCursorRange};
use egui::text_edit::TextEditState;
use egui::{
    Align, Align2, Button, Layout, Margin, Popup, PopupCloseBehavior, Rect, RichText, TextEdit, Ui, vec2,
};
use fcs_engine::compare::{Group, Side};
use fcs_engine::settings::ContentCheck;
use fcs_gui_model::Chip;
use fcs_gui_model::app::{App, Sheet, View};
use fcs_gui_model::keep::Theme;
use fcs_gui_model::text;

use crate::keys::{self, WindowPart};
use crate::mode;
use crate::theme::{self, CONTROL, PRIMARY, Palette, icon};
use crate::widgets::{self, name};
use crate::window::Window;

/// What is typed in the options, and where the focus is to go.
#[derive(Default)]
pub(crate) struct BarState {
    pub(crate) focus_filter: bool,
    include: String,
    exclude: String,
    tolerance: String,
}

/// Tolerances that are offered: their words, and the value as the settings take it.
const TOLERANCES: [(&str, &str); 7] = [
    ("Exact", "0"),
    ("0.1 ms", "100us"),
    ("1 ms", "1ms"),
    ("10 ms", "10ms"),
    ("0.1 s", "100ms"),
    ("1 s", "1s"),
    ("2 s (FAT)", "2s"),
];

/// Draws both bars.
pub(crate) fn show(window: &mut Window, ui: &mut Ui, pal: &Palette) {
    ui.allocate_ui(vec2(ui.available_width(), PRIMARY), |ui| {
        ui.spacing_mut().button_padding.x = 7.0;
        folders(window, ui, pal);
    });
    ui.add_space(2.0);
    ui.horizontal_wrapped(|ui| filters(window, ui, pal));
    if let Some(error) = window.app.filter.error.as_ref().filter(|_| window.app.loaded().is_some()) {
        ui.horizontal(|ui| {
            widgets::glyph(ui, icon::WARNING_CIRCLE, 14.0, pal.bad);
            ui.label(RichText::new(error.to_string()).color(pal.bad).size(12.0));
        });
    } else if let Some(words) = window.app.filter_words() {
        ui.horizontal(|ui| {
            widgets::glyph(ui, icon::INFO, 14.0, pal.warn);
            ui.label(RichText::new(words).color(pal.warn).size(12.0));
        });
    }
}

fn folders(window: &mut Window, ui: &mut Ui, pal: &Palette) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        menu(window, ui);
        let app = &mut window.app;
        let ready = app.can_compare();
        ui.add_enabled_ui(ready, |ui| {
            if widgets::primary(ui, icon::SCALES, "Compare").on_hover_text("F5").clicked() {
                app.compare();
            }
        });
        mode::show(app, ui, pal);
        // What is left is shared by the two folders, with the exchange between them.
        let width = ((ui.available_width() - 30.0) / 2.0 - 8.0).floor().max(120.0);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            folder(app, ui, pal, Side::Left, width);
            let swap = ui.add_sized(vec2(30.0, PRIMARY), small(icon::SWAP));
            name(ui, &swap, "Swap left and right");
            if swap.on_hover_text("Swap left and right").clicked() {
                app.swap_folders();
            }
            folder(app, ui, pal, Side::Right, width);
        });
    });
}

fn folder(app: &mut App, ui: &mut Ui, pal: &Palette, side: Side, width: f32) {
    let (label, hint) = match side {
        Side::Left => ("Left folder", "Left folder"),
        Side::Right => ("Right folder", "Right folder"),
    };
    let id = ui.make_persistent_id(label);
    ui.allocate_ui_with_layout(vec2(width, PRIMARY), Layout::left_to_right(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let mut text = app.field(side).text().to_owned();
        // Of a path the end tells the most. Who edits it sees what is edited.
        let whole = ui.memory(|memory| memory.has_focus(id));
        let (font, colour) = (egui::TextStyle::Body.resolve(ui.style()), pal.text);
        let mut layout = |ui: &Ui, buffer: &dyn egui::TextBuffer, _: f32| {
            let (p, text) = (ui.painter(), buffer.as_str());
            let end = if whole { None } else { widgets::end_that_fits(p, text, &font, width - 118.0) };
            p.layout_no_wrap(end.unwrap_or_else(|| text.to_owned()), font.clone(), colour)
        };
        let edit = TextEdit::singleline(&mut text)
            .id(id)
            .layouter(&mut layout)
            .hint_text(RichText::new(hint).color(pal.weak))
            .prefix(RichText::new(format!("{}  ", icon::FOLDER)).color(pal.folder))
            .margin(Margin::symmetric(10, 7))
            .align(Align2::LEFT_CENTER);
        let field = ui.add_sized(vec2((width - 70.0).max(50.0), PRIMARY), edit);
        name(ui, &field, label);
        if side == Side::Left {
            let row = ui.ctx().content_rect().x_range();
            keys::note_part(
                ui.ctx(),
                WindowPart::Folders,
                Rect::from_x_y_ranges(row, field.rect.y_range()),
                id,
            );
        }
        if !whole && field.has_focus() {
            cursor_to_end(ui.ctx(), id, &text);
        }
        if field.changed() {
            app.set_folder_text(side, text.clone());
        }
        let field = if text.is_empty() { field } else { field.on_hover_text(text) };
        if field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)) {
            app.compare();
        }
        let recent = ui.add_sized(vec2(26.0, PRIMARY), small(icon::CARET_DOWN));
        name(ui, &recent, &format!("Recent pairs of folders, at the {}", text::side(side)));
        Popup::menu(&recent).id(id.with("recent")).show(|ui| recents(app, ui));
        let pick = ui.add_sized(vec2(30.0, PRIMARY), small(icon::FOLDER_OPEN));
        name(ui, &pick, &format!("Choose the {} folder", text::side(side)));
        if pick.on_hover_text("Choose a folder").clicked() {
            app.pick_folder(side);
        }
    });
}

/// What is pressed in a shortened path is not where it is in the whole one; its end is what is seen in both.
fn cursor_to_end(ctx: &egui::Context, id: egui::Id, text: &str) {
    let mut state = TextEditState::load(ctx, id).unwrap_or_default();
    let end = CCursor::new(text.chars().count());
    state.cursor.set_char_range(Some(CCursorRange::one(end)));
    state.store(ctx, id);
}

/// A button as narrow as its icon.
fn small(icon: &str) -> Button<'_> {
    Button::new(RichText::new(icon).size(15.0)).min_size(vec2(0.0, PRIMARY))
}

fn recents(app: &mut App, ui: &mut Ui) {
    ui.set_min_width(240.0);
    if app.kept.pairs.is_empty() {
        ui.label("No folders were compared yet.");
    }
    let mut chosen = None;
    for pair in &app.kept.pairs {
        let [left, right] = pair;
        if ui.button(format!("{left}  ↔  {right}")).clicked() {
            chosen = Some(pair.clone());
        }
    }
    if let Some([left, right]) = chosen {
        app.set_folder(Side::Left, left.into());
        app.set_folder(Side::Right, right.into());
        ui.close();
    }
}

fn filters(window: &mut Window, ui: &mut Ui, pal: &Palette) {
    if window.app.loaded().is_some() {
        filter(window, ui, pal);
    }
    let options = widgets::button(ui, icon::SLIDERS, "Compare by");
    if options.clicked() {
        window.top.load(&window.app);
    }
    Popup::menu(&options)
        .id(egui::Id::unique("options"))
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| widgets::hanging(ui, |ui| self::options(window, ui, pal)));
}

fn filter(window: &mut Window, ui: &mut Ui, pal: &Palette) {
    let app = &mut window.app;
    let mut text = app.filter.text.clone();
    let understood = app.filter.error.is_none();
    let field = widgets::search(ui, &mut text, "Filter", "Filter: *.jpg; >10MB; 2024-05", 236.0, understood);
    let row = ui.ctx().content_rect().x_range();
    let area = Rect::from_x_y_ranges(row, field.rect.y_range());
    keys::note_part(ui.ctx(), WindowPart::Filter, area, field.id);
    if std::mem::take(&mut window.top.focus_filter) {
        field.request_focus();
    }
    if field.changed() {
        app.set_filter(text);
    }
    let help = match &app.filter.error {
        Some(error) => error.to_string(),
        None => {
            "Names with * and ?, paths with /, sizes (>10MB), dates (2024-05, >2024-01-31); separate with ;"
                .to_owned()
        }
    };
    field.on_hover_text(help);
    for chip in Chip::ALL {
        let (count, on) = (app.chip_count(chip), app.filter.chips.has(chip));
        // What divides the different rows further is there where it does.
        if chip.is_part() && count == 0 && on {
            continue;
        }
        let response = widgets::chip(ui, chip.word(), count, chip_icon(chip), chip_colour(pal, chip), on);
        if response.on_hover_text(chip.hint()).clicked() {
            app.toggle_chip(chip);
        }
    }
    if !app.filter.text.is_empty() || app.filter.chips != fcs_gui_model::Chips::ALL {
        if widgets::button(ui, icon::X, "Show all").clicked() {
            app.clear_filter();
        }
    } else if app.can_restore_filter()
        && widgets::button(ui, icon::UNDO, "Restore the filter").on_hover_text("Ctrl+Shift+F").clicked()
    {
        app.restore_filter();
    }
}

fn chip_icon(chip: Chip) -> &'static str {
    match chip {
        Chip::Different => icon::NOT_EQUALS,
        Chip::LeftNewer => icon::CARET_RIGHT,
        Chip::RightNewer => icon::CARET_LEFT,
        Chip::TimesOnly => icon::CLOCK,
        Chip::LeftOnly => icon::ARROW_RIGHT,
        Chip::RightOnly => icon::ARROW_LEFT,
        Chip::Moved => icon::SWAP,
        Chip::Same => icon::EQUALS,
        Chip::Problem => icon::WARNING,
    }
}

fn chip_colour(pal: &Palette, chip: Chip) -> egui::Color32 {
    match chip.group() {
        Group::Different => pal.diff,
        Group::LeftOnly => pal.left,
        Group::RightOnly => pal.right,
        Group::Same => pal.weak,
        Group::Problem => pal.bad,
    }
}

impl BarState {
    fn load(&mut self, app: &App) {
        self.include = app.kept.include.join("; ");
        self.exclude = app.kept.exclude.join("; ");
        self.tolerance = fcs_app::settings_file::readable(
            &app.settings().time_tolerance_nanos.to_string(),
            fcs_engine::settings::Unit::Nanoseconds,
        );
    }
}

fn options(window: &mut Window, ui: &mut Ui, pal: &Palette) {
    widgets::framed(ui);
    ui.set_width(420.0);
    let app = &mut window.app;
    widgets::heading(ui, "Criteria");
    let switches = [
        ("compare_existence", "On one side only", app.settings().compare_existence),
        ("compare_size", "Size", app.settings().compare_size),
        ("compare_created", "Date created", app.settings().compare_created),
        ("compare_modified", "Date modified", app.settings().compare_modified),
    ];
    ui.columns(2, |columns| {
        for (at, (setting, words, mut on)) in switches.into_iter().enumerate() {
            if columns[at % 2].checkbox(&mut on, words).changed() {
                app.set_setting(setting, if on { "true" } else { "false" });
            }
        }
    });
    ui.add_space(4.0);
    widgets::heading(ui, "Content");
    let content = app.settings().compare_content;
    for (check, words) in [
        (ContentCheck::Off, "Not read"),
        (ContentCheck::Blake3, "BLAKE3 of both sides"),
        (ContentCheck::Sha512, "SHA-512 of both sides"),
        (ContentCheck::Bytes, "Byte for byte"),
    ] {
        if widgets::radio(ui, content == check, words).clicked() {
            app.set_setting("compare_content", &check.to_string());
        }
    }
    ui.add_space(4.0);
    widgets::heading(ui, "Dates differ when further apart than");
    let state = &mut window.top;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        ui.spacing_mut().button_padding.x = 5.0;
        for (words, value) in TOLERANCES {
            let nanos = fcs_engine::settings::parse_nanos(value);
            let on = nanos == Some(app.settings().time_tolerance_nanos);
            let button = ui.add(Button::selectable(on, words));
            if button.clicked() {
                app.set_setting("time_tolerance_nanos", value);
                state.load(app);
            }
        }
        let field = ui.add(
            TextEdit::singleline(&mut state.tolerance)
                .desired_width(60.0)
                .margin(Margin::symmetric(8, 4))
                .align(Align2::LEFT_CENTER),
        );
        name(ui, &field, "Tolerance");
        // At once, because the field is gone when the options are closed; half a number is not yet one.
        if field.changed() && fcs_engine::settings::parse_nanos(&state.tolerance).is_some() {
            app.set_setting("time_tolerance_nanos", &state.tolerance);
        }
    });
    ui.columns(2, |columns| {
        let mut clock = app.settings().ignore_whole_hours > 0;
        let help = "Dates exactly an hour apart count as equal: a stick that was written before the clock was changed. \
                    The settings take more hours.";
        if columns[0].checkbox(&mut clock, "Ignore a clock change").on_hover_text(help).changed() {
            app.set_setting("ignore_whole_hours", if clock { "1" } else { "0" });
        }
        let mut stay = app.settings().one_file_system;
        let help = "What is mounted inside one of the two folders is left out on both sides";
        if columns[1].checkbox(&mut stay, "Stay on one volume").on_hover_text(help).changed() {
            app.set_setting("one_file_system", if stay { "true" } else { "false" });
        }
    });
    ui.add_space(4.0);
    widgets::heading(ui, "Patterns (separate with ;)");
    for (label, text, is_include) in
        [("Only these", &mut state.include, true), ("Not these", &mut state.exclude, false)]
    {
        ui.horizontal(|ui| {
            ui.add_sized(vec2(80.0, CONTROL), egui::Label::new(label));
            let hint = if is_include { "everything" } else { "*.tmp; cache/" };
            let edit = TextEdit::singleline(text)
                .hint_text(RichText::new(hint).color(pal.weak))
                .margin(Margin::symmetric(8, 5))
                .align(Align2::LEFT_CENTER);
            let field = ui.add_sized(vec2(ui.available_width(), CONTROL), edit);
            name(ui, &field, label);
            if field.changed() {
                let list = split(text);
                *(if is_include { &mut app.kept.include } else { &mut app.kept.exclude }) = list;
            }
        });
    }
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Takes effect at the next comparison.").color(pal.weak).size(12.0));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if app.busy.is_none() && widgets::button(ui, icon::SCALES, "Compare now").clicked() {
                app.compare();
                ui.close();
            }
        });
    });
}

fn split(text: &str) -> Vec<String> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn menu(window: &mut Window, ui: &mut Ui) {
    let button = ui.add_sized(vec2(34.0, PRIMARY), Button::new(RichText::new(icon::DOTS_THREE).size(18.0)));
    name(ui, &button, "Menu");
    let mut theme = None;
    Popup::menu(&button).id(egui::Id::unique("menu")).show(|ui| {
        theme = widgets::hanging(ui, |ui| menu_items(&mut window.app, ui));
    });
    if let Some(theme) = theme {
        window.app.kept.theme = theme;
        window.apply_theme(ui.ctx());
        window.app.save_kept();
    }
}

/// What is in the menu; the theme that was chosen.
fn menu_items(app: &mut App, ui: &mut Ui) -> Option<Theme> {
    let mut theme = None;
    ui.set_min_width(220.0);
    let mut rows_tick = !app.kept.only_boxes_tick;
    let item = |ui: &mut Ui, icon: &str, words: &str, key: &str| {
        let button = Button::new(format!("{icon}   {words}")).shortcut_text(RichText::new(key).size(12.0));
        let response = ui.add(button.min_size(vec2(ui.available_width(), CONTROL)));
        name(ui, &response, words);
        response.clicked()
    };
    if item(ui, icon::HISTORY, "History of runs", "Ctrl+H") {
        app.show_history();
    }
    if item(ui, icon::UNDO, "Undo the latest run", "Ctrl+Z") {
        app.undo_latest();
    }
    if app.last_run().is_some() && item(ui, icon::FILE_TEXT, "Result of the last run", "") {
        app.show_last_run();
    }
    if matches!(app.view, View::Loaded(_)) {
        if item(ui, icon::TRASH, "Delete what only the left has", "") {
            app.delete_orphans(Side::Left);
        }
        if item(ui, icon::TRASH, "Delete what only the right has", "") {
            app.delete_orphans(Side::Right);
        }
    }
    ui.separator();
    if matches!(app.view, View::Loaded(_))
        && item(ui, icon::CHECK, "Undo the change of ticks", "Ctrl+Shift+Z")
    {
        app.undo_ticks();
    }
    ui.scope(|ui| {
        widgets::framed(ui);
        if ui.checkbox(&mut rows_tick, "A click on a row ticks it").changed() {
            app.kept.only_boxes_tick = !rows_tick;
            app.save_kept();
        }
    });
    ui.separator();
    if item(ui, icon::LIST_BULLETS, "Log", "Ctrl+L") {
        app.show_log();
    }
    if item(ui, icon::GEAR, "Settings", "Ctrl+,") {
        app.show_settings();
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.add_space(4.0);
        for choice in Theme::ALL {
            let icon = match choice {
                Theme::System => icon::DESKTOP,
                Theme::Light => icon::SUN,
                Theme::Dark => icon::MOON,
            };
            let on = app.kept.theme == choice;
            let text = RichText::new(format!("{icon} {}", choice.word())).family(theme::medium()).size(12.0);
            let button = ui.add(Button::selectable(on, text));
            name(ui, &button, &format!("{} theme", choice.word()));
            if button.clicked() {
                theme = Some(choice);
            }
        }
    });
    ui.separator();
    if item(ui, icon::KEYBOARD, "Keys", "F1") {
        app.sheet = Some(Sheet::Help);
    }
    if item(ui, icon::INFO, "About", "") {
        app.sheet = Some(Sheet::About);
    }
    theme
}
