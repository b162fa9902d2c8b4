//! Keys that work wherever the focus is.
//!
//! Invariant: a key does what a button does, and nothing that no button does; while a sheet is open only the keys that
//! close it work. This module must not know how any of it is drawn.

use egui::{Key, KeyboardShortcut, Modifiers, Ui};
use fcs_engine::compare::Side;
use fcs_engine::plan::Direction;
use fcs_view::app::Sheet;

use crate::window::Window;

/// What a key is for: its words, and what is pressed.
pub(crate) const KEYS: [(&str, &str); 21] = [
    ("F5", "Compare the two folders"),
    ("Ctrl+F", "Filter"),
    ("↑ ↓ Page Home End", "Move in the table"),
    ("← →", "Close and open a folder"),
    ("letters", "Go to the next name that begins so"),
    ("Space", "Tick on the side last used (Shift: on the other side)"),
    ("Alt+↓ Alt+↑", "Next and previous difference"),
    ("Ctrl+A Ctrl+D", "Tick all differences, untick all (Shift: on the right side)"),
    ("Ctrl+Shift+Z", "Bring the ticks back as they were"),
    ("Ctrl+→ Ctrl+←", "Copy what is ticked to the right, to the left"),
    ("Del", "Delete what only the left side has (Shift: the right side)"),
    ("Ctrl+Z", "Take the latest run back"),
    ("Ctrl+E Ctrl+Shift+E", "Expand all, collapse all"),
    ("Ctrl+H", "History of runs"),
    ("Ctrl+L", "Log"),
    ("Ctrl+,", "Settings"),
    ("Shift+→ Shift+←", "In the table: scroll across; on the head of a column: its width"),
    ("Shift+F10", "Menu of a row or of a column's head"),
    ("Ctrl++ Ctrl+- Ctrl+0", "Larger, smaller, as at first"),
    ("Esc", "Close; clear the filter; stop the work"),
    ("F1", "This list"),
];

const fn command(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn command_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

/// Does what was pressed.
pub(crate) fn act(window: &mut Window, ui: &Ui) {
    let pressed = |shortcut: &KeyboardShortcut| ui.input_mut(|i| i.consume_shortcut(shortcut));
    let plain = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let app = &mut window.app;
    // In a field the first Escape leaves the field, and egui has done that by now.
    let typed = std::mem::replace(&mut window.typing, ui.ctx().text_edit_focused());
    if !egui::Popup::is_any_open(ui.ctx()) && (app.sheet.is_some() || !typed) && plain(Key::Escape) {
        app.escape();
    }
    if app.sheet.is_some() {
        return;
    }
    if plain(Key::F5) {
        app.compare();
    }
    if plain(Key::F1) {
        app.sheet = Some(Sheet::Help);
    }
    if pressed(&command(Key::F)) {
        window.top.focus_filter = true;
    }
    let typing = window.typing;
    let app = &mut window.app;
    if pressed(&KeyboardShortcut::new(Modifiers::ALT, Key::ArrowDown)) {
        app.go_to_difference(true);
    }
    if pressed(&KeyboardShortcut::new(Modifiers::ALT, Key::ArrowUp)) {
        app.go_to_difference(false);
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
    if pressed(&command(Key::ArrowRight)) {
        app.copy(Direction::LeftToRight);
    }
    if pressed(&command(Key::ArrowLeft)) {
        app.copy(Direction::RightToLeft);
    }
    if ui.input_mut(|i| i.consume_key(Modifiers::SHIFT, Key::Delete)) {
        app.delete_orphans(Side::Right);
    } else if plain(Key::Delete) {
        app.delete_orphans(Side::Left);
    }
    if pressed(&command_shift(Key::Z)) {
        app.take_back_ticks();
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
