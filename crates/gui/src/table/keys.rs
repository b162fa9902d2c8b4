//! What keys do while the table has the focus.
//!
//! Invariant: only keys without Ctrl, Alt and Command are taken; those with them are the window's. This module must not
//! know how rows are drawn.

use egui::{Event, Key, Modifiers, Rangef, Ui};
use fcs_engine::compare::{RowId, Side};
use fcs_gui_model::{Model, Move};

use super::columns::Geometry;
use super::{Context, ROW, Table, TableAction};

/// How long after a letter the next one belongs to the same name, in seconds.
const PAUSE: f64 = 1.0;
/// How far Shift with an arrow scrolls across.
const STEP: f32 = 48.0;

/// The beginning of a name as typed so far.
#[derive(Debug, Default)]
pub(super) struct TypeAhead {
    text: String,
    at: f64,
}

impl TypeAhead {
    /// Takes letters in and moves the cursor to a name that begins with all since the last pause.
    fn typed(&mut self, letters: &str, now: f64, model: &mut Model) -> bool {
        if now - self.at > PAUSE {
            self.text.clear();
        }
        self.at = now;
        let first = self.text.is_empty();
        self.text.push_str(letters);
        if model.go_to_prefix(&self.text, first) {
            return true;
        }
        // One letter again and again goes from name to name.
        self.text.strip_prefix(letters).is_some_and(|rest| rest.replace(letters, "").is_empty())
            && model.go_to_prefix(letters, true)
    }
}

impl Table {
    pub(super) fn keyboard(
        &mut self,
        ui: &Ui,
        model: &mut Model,
        geometry: &Geometry,
        actions: &mut Vec<TableAction>,
    ) {
        let arrows =
            egui::EventFilter { vertical_arrows: true, horizontal_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(Self::id(ui), arrows));
        let (events, now, held) = ui.input(|input| (input.events.clone(), input.time, input.modifiers));
        for event in &events {
            match event {
                Event::Key { key, pressed: true, modifiers, .. } => {
                    self.key(*key, *modifiers, model, geometry, actions);
                }
                // Space ticks, also in the middle of a name: a tick that came or failed to come with the speed of
                // typing could not be trusted.
                Event::Text(text) if !text.trim().is_empty() && !held.command && !held.ctrl && !held.alt => {
                    self.reveal |= self.typed.typed(text.trim(), now, model);
                }
                _ => {}
            }
        }
    }

    fn key(
        &mut self,
        key: Key,
        modifiers: Modifiers,
        model: &mut Model,
        geometry: &Geometry,
        actions: &mut Vec<TableAction>,
    ) {
        if modifiers.ctrl || modifiers.alt || modifiers.command {
            return;
        }
        let row = model.cursor();
        if let Some(step) = step(key, modifiers.shift, (geometry.body.height() / ROW) as usize) {
            model.go(step);
            self.reveal = true;
            return;
        }
        match (key, modifiers.shift) {
            (Key::ArrowLeft, true) => self.across = (self.across - STEP).max(0.0),
            (Key::ArrowRight, true) => self.across = (self.across + STEP).min(geometry.across_max()),
            (Key::Space, false) => actions.push(TableAction::Tick(row, self.active)),
            (Key::Space, true) => actions.push(TableAction::Tick(row, self.active.other())),
            (Key::Enter, false) if model.rows().can_open(row) => {
                actions.push(TableAction::Open(row, !model.rows().is_open(row)));
            }
            (Key::Enter, false) => actions.push(TableAction::Activate(row)),
            (Key::F10, true) | (Key::Menu, _) => {
                self.reveal = true;
                actions.push(TableAction::Context(self.context_of(row, self.active, model, geometry)));
            }
            _ => {}
        }
    }

    /// The menu of a row that was asked for with a key: below the row's name.
    fn context_of(&self, row: RowId, side: Side, model: &Model, geometry: &Geometry) -> Context {
        let place = model.rows().place(row).unwrap_or(0);
        let top = geometry.body.top() + (place as f64 * f64::from(ROW) - self.scroll) as f32;
        let name = geometry.cell(side, 0, Rangef::new(top, top + ROW));
        let at = name.left_bottom() + egui::vec2(40.0, 0.0);
        Context { row, side, at: at.clamp(geometry.body.min, geometry.body.max) }
    }
}

/// The move that a key means.
fn step(key: Key, shift: bool, page: usize) -> Option<Move> {
    if shift {
        return None;
    }
    // A page keeps one row in sight, so that the eye does.
    let page = page.saturating_sub(1).max(1);
    Some(match key {
        Key::ArrowUp => Move::Up,
        Key::ArrowDown => Move::Down,
        Key::PageUp => Move::PageUp(page),
        Key::PageDown => Move::PageDown(page),
        Key::Home => Move::Home,
        Key::End => Move::End,
        Key::ArrowLeft => Move::Left,
        Key::ArrowRight => Move::Right,
        _ => return None,
    })
}
