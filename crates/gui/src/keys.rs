//! Keys that work wherever the focus is.
//!
//! Invariant: a key does what a button does, and nothing that no button does; while a sheet is open only the keys that
//! close it work. This module must not know how any of it is drawn.

use egui::{Context, Id, Key, KeyboardShortcut, Modifiers, Rect, Ui};
use fcs_engine::compare::Side;
use fcs_engine::directions::Choice;
use fcs_gui_model::app::{RowCommand, Sheet};

use crate::window::Window;

/// What a key is for: its words, and what is pressed.
pub(crate) const KEYS: [(&str, &str); 26] = [
    ("F5", "Compare the two folders"),
    ("F6 Shift+F6", "Next and previous part of the window"),
    ("Ctrl+F", "Filter"),
    ("Ctrl+Shift+F", "Restore the filter that was cleared"),
    ("↑ ↓ Page Home End", "Move in the table"),
    ("← →", "Close and open a folder"),
    ("letters", "Go to the next name that begins so"),
    ("Space", "Tick on the side last used (Shift: on the other side)"),
    ("Alt+↓ Alt+↑", "Next and previous difference"),
    ("Ctrl+A Ctrl+D", "Tick all differences, untick all (Shift: on the right side)"),
    ("Ctrl+Shift+Z", "Undo the latest change of ticks"),
    ("Ctrl+→ Ctrl+←", "Copy what is ticked to the right, to the left; with a mode: decide so about the row"),
    ("F9", "Show what the mode will do"),
    ("Del", "Delete what only the row's side has (Shift: the other side)"),
    ("Ctrl+Z", "Undo the latest run; again: the one before"),
    ("Ctrl+E Ctrl+Shift+E", "Expand all, collapse all"),
    ("Enter", "Open a file with the system's program (Ctrl: show it in its folder)"),
    ("Ctrl+T", "Times of the row: see them, copy, repair, set"),
    ("Ctrl+H", "History of runs"),
    ("Ctrl+L", "Log"),
    ("Ctrl+,", "Settings"),
    ("Shift+→ Shift+←", "In the table: scroll across; on the head of a column: its width"),
    ("Shift+F10", "Menu of a row or of a column's head"),
    ("Ctrl++ Ctrl+- Ctrl+0", "Larger, smaller, default size"),
    ("Esc", "Close; stop the work; clear the filter, then the switches"),
    ("F1", "This list"),
];

const fn command(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn command_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

/// The parts of the window that F6 goes round, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowPart {
    Folders,
    Filter,
    Table,
    Actions,
}

impl WindowPart {
    const ALL: [Self; 4] = [Self::Folders, Self::Filter, Self::Table, Self::Actions];
}

/// Where a part is, and which control of it takes the focus.
#[derive(Debug, Clone, Copy)]
struct PartPlace {
    area: Rect,
    first: Id,
}

/// Tells where a part is; to be called in each frame.
pub(crate) fn note_part(ctx: &Context, part: WindowPart, area: Rect, first: Id) {
    let pass = ctx.cumulative_pass_nr();
    ctx.data_mut(|data| data.insert_temp(part_id(part), (pass, PartPlace { area, first })));
}

fn part_id(part: WindowPart) -> Id {
    Id::unique("part of the window").with(part as u8)
}

/// Takes the focus to the next part, or the one before.
fn go_round(window: &mut Window, ui: &Ui) {
    let back = ui.input_mut(|i| i.consume_key(Modifiers::SHIFT, Key::F6));
    if !back && !ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::F6)) {
        return;
    }
    let ctx = ui.ctx();
    let now = ctx.cumulative_pass_nr();
    let places: Vec<(WindowPart, PartPlace)> = WindowPart::ALL
        .into_iter()
        .filter_map(|part| {
            let (pass, place) = ctx.data(|data| data.get_temp::<(u64, PartPlace)>(part_id(part)))?;
            // What was drawn in the frame before is there.
            (now.saturating_sub(pass) <= 2).then_some((part, place))
        })
        .collect();
    let focused = ctx.memory(egui::Memory::focused).and_then(|id| ctx.read_response(id));
    let here = focused.and_then(|at| {
        let center = at.rect.center();
        places.iter().position(|(_, place)| place.first == at.id || place.area.contains(center))
    });
    let count = places.len();
    let next = match (here, back) {
        (None, _) => 0,
        (Some(here), false) => here + 1,
        (Some(here), true) => here + count.saturating_sub(1),
    };
    let Some((part, place)) = (count > 0).then(|| places[next % count]) else { return };
    if part == WindowPart::Table {
        window.table.focus();
    } else {
        ctx.memory_mut(|memory| memory.request_focus(place.first));
    }
}

/// Does what was pressed.
pub(crate) fn act(window: &mut Window, ui: &Ui) {
    let pressed = |shortcut: &KeyboardShortcut| ui.input_mut(|i| i.consume_shortcut(shortcut));
    let plain = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let app = &mut window.app;
    // In a field the first Escape leaves the field, and egui has done that by now.
    let typed = std::mem::replace(&mut window.typing, ui.ctx().text_edit_focused());
    if !window.menu_open && (app.sheet.is_some() || !typed) && plain(Key::Escape) {
        app.escape();
    }
    if app.sheet.is_some() {
        return;
    }
    if plain(Key::F5) {
        app.compare();
    }
    if plain(Key::F9) {
        app.go_by_mode();
    }
    if plain(Key::F1) {
        app.sheet = Some(Sheet::Help);
    }
    if pressed(&command_shift(Key::F)) {
        app.restore_filter();
    }
    if pressed(&command(Key::F)) {
        window.top.focus_filter = true;
    }
    go_round(window, ui);
    let typing = window.typing;
    let app = &mut window.app;
    if pressed(&KeyboardShortcut::new(Modifiers::ALT, Key::ArrowDown)) {
        app.go_to_difference(true);
        window.table.focus();
    }
    if pressed(&KeyboardShortcut::new(Modifiers::ALT, Key::ArrowUp)) {
        app.go_to_difference(false);
        window.table.focus();
    }
    if pressed(&command(Key::H)) {
        app.show_history();
    }
    if pressed(&command(Key::L)) {
        app.show_log();
    }
    if pressed(&command(Key::Comma)) {
        app.show_settings();
    }
    // A text that is edited has these keys for itself.
    if typing {
        return;
    }
    for (key, to, choice) in
        [(Key::ArrowRight, Side::Right, Choice::ToRight), (Key::ArrowLeft, Side::Left, Choice::ToLeft)]
    {
        if pressed(&command(key)) {
            match app.loaded().filter(|_| app.directed().is_some()).map(|loaded| loaded.model.cursor()) {
                Some(row) => app.act_on(row, Some(choice)),
                None => app.copy(to),
            }
        }
    }
    let side = app.side_at_cursor(window.table.active);
    if ui.input_mut(|i| i.consume_key(Modifiers::SHIFT, Key::Delete)) {
        app.delete_orphans(side.other());
    } else if plain(Key::Delete) {
        app.delete_orphans(side);
    }
    if pressed(&command(Key::Enter))
        && let Some(row) = app.loaded().map(|loaded| loaded.model.cursor())
    {
        let side = app.side_at(row, window.table.active);
        app.row_command(row, RowCommand::Reveal(side));
    }
    if pressed(&command(Key::T))
        && let Some(row) = app.loaded().map(|loaded| loaded.model.cursor())
    {
        app.show_times(row);
    }
    if pressed(&command_shift(Key::Z)) {
        app.undo_ticks();
    }
    if pressed(&command(Key::Z)) {
        app.undo_latest();
    }
    for (shortcut, side) in [(command_shift(Key::A), Side::Right), (command(Key::A), Side::Left)] {
        if pressed(&shortcut) {
            app.tick_all(side);
        }
    }
    for (shortcut, side) in [(command_shift(Key::D), Side::Right), (command(Key::D), Side::Left)] {
        if pressed(&shortcut) {
            app.clear_ticks(side);
        }
    }
    let close = pressed(&command_shift(Key::E));
    let open = pressed(&command(Key::E));
    if let Some(loaded) = app.loaded_mut().filter(|_| close || open) {
        if close { loaded.model.close_all() } else { loaded.model.open_all() }
    }
}
