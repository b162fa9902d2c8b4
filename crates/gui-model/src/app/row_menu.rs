//! The menu of a row: what can be done with it here, in the order in which it is offered.
//!
//! Invariant: an entry that cannot be used now is shown and says so; one that makes no sense for the row is left out. What
//! an entry does is done by [`App::row_command`] alone, which asks again whether it can be. This module must not know how
//! a menu is drawn.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_app::user_error::{UserError, UserErrorKind};
use fcs_engine::compare::{RowId, Side};
use fcs_engine::directions::Choice;
use fcs_engine::error::display_path;
use fcs_engine::progress::full_path;

use fcs_sys::Kind;
use fcs_text::count;

use super::jobs::JobEvent;
use super::{App, Desktop};
use crate::directed::CHOICES;
use crate::selection::Mark;
use crate::{mode, text};

/// What can be done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowCommand {
    /// To decide by hand about it, or what is meant with it; `None` is what the mode says.
    Act(Option<Choice>),
    /// To tick it on a side, or to untick it.
    Toggle(Side),
    /// To open or close a folder in the table.
    SetOpen(bool),
    /// To see and set the dates of its items.
    Times,
    /// To open a side's item with the system's program for it.
    Open(Side),
    /// To show a side's item in the system's file manager.
    Reveal(Side),
    /// To put the path of a side's item into the clipboard.
    CopyPath(Side),
}

/// An entry of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowEntry {
    /// What it does.
    pub command: RowCommand,
    /// What it is called.
    pub words: String,
    /// The key that does the same.
    pub key: &'static str,
    /// It can be used now.
    pub enabled: bool,
    /// It is how things are now.
    pub is_on: bool,
    /// A line separates it from the entry before.
    pub begins_group: bool,
}

impl App {
    /// The menu of a row, asked for on a side.
    pub fn row_menu(&self, row: RowId, side_asked: Side) -> Vec<RowEntry> {
        let Some(loaded) = self.loaded() else { return Vec::new() };
        let model = &loaded.model;
        let mut entries: Vec<RowEntry> = Vec::new();
        entries.extend(self.act_entries(row));
        let mut group = |found: Vec<(RowCommand, String, &'static str, bool)>| {
            let first = !entries.is_empty();
            entries.extend(found.into_iter().enumerate().map(|(at, (command, words, key, enabled))| {
                RowEntry { command, words, key, enabled, is_on: false, begins_group: first && at == 0 }
            }));
        };
        let mut here = Vec::new();
        let side = side_asked;
        if model.selection().can_tick(row, side) {
            let verb = if model.selection().mark(row, side) == Mark::On { "Untick" } else { "Tick" };
            let words = format!("{verb} on the {}", text::side(side));
            here.push((RowCommand::Toggle(side), words, "Space", true));
        }
        if model.rows().can_open(row) {
            let is_open = model.rows().is_open(row);
            let (words, key) = if is_open { ("Collapse", "←") } else { ("Expand", "→") };
            here.push((RowCommand::SetOpen(!is_open), words.to_owned(), key, true));
        }
        group(here);
        group(vec![(RowCommand::Times, "Times…".to_owned(), "Ctrl+T", self.can_show_times(row))]);
        let comparison = model.rows().index().comparison();
        let kind = |side| Some((side, comparison.entry(row, side)?.kind));
        let there: Vec<(Side, Kind)> = [Side::Left, Side::Right].into_iter().filter_map(kind).collect();
        let opened = there.iter().filter(|(_, kind)| *kind != Kind::Other).map(|&(side, kind)| {
            let what = if kind == Kind::Folder { "folder" } else { "file" };
            let key =
                if kind != Kind::Folder && side == self.side_at(row, side_asked) { "Enter" } else { "" };
            (RowCommand::Open(side), format!("Open the {} {what}", text::side(side)), key, true)
        });
        let shown = there.iter().map(|&(side, _)| {
            let key = if side == self.side_at(row, side_asked) { "Ctrl+Enter" } else { "" };
            (RowCommand::Reveal(side), format!("Show the {} one in its folder", text::side(side)), key, true)
        });
        let copied = there.iter().map(|&(side, _)| {
            (RowCommand::CopyPath(side), format!("Copy the {} path", text::side(side)), "", true)
        });
        group(opened.chain(shown).chain(copied).collect());
        entries
    }

    /// What can be decided about a row, where a mode is in force: only what makes sense for it.
    fn act_entries(&self, row: RowId) -> Vec<RowEntry> {
        let (Some(directed), Some(meant)) = (self.directed(), self.rows_meant(row)) else {
            return Vec::new();
        };
        let enabled = self.busy.is_none();
        // Of one row it is said without a number, and which it is now.
        let is_one =
            directed.count_possible(&meant.rows, Choice::Skip) == 1 && directed.can_choose(row, Choice::Skip);
        let of = |n: u32| match (is_one, meant.ticked) {
            (true, _) => String::new(),
            (_, true) => format!(", {} ticked", count(u64::from(n), "row", "rows")),
            (_, false) => format!(", {}", count(u64::from(n), "row", "rows")),
        };
        let entry = |command, words, key, is_on| RowEntry {
            command: RowCommand::Act(command),
            words,
            key,
            enabled,
            is_on,
            begins_group: false,
        };
        let chosen = CHOICES.into_iter().filter_map(|choice| {
            let n = directed.count_possible(&meant.rows, choice);
            let key = match choice {
                Choice::ToRight => "Ctrl+→",
                Choice::ToLeft => "Ctrl+←",
                Choice::Remove | Choice::KeepBoth | Choice::Skip => "",
            };
            let words = match choice {
                Choice::Remove if is_one => {
                    format!("Remove from the {}", text::side(self.side_at(row, Side::Left)))
                }
                other => mode::choice_words(other).to_owned(),
            };
            let is_on = is_one && directed.is_decided(row, choice);
            (n > 0).then(|| entry(Some(choice), format!("{words}{}", of(n)), key, is_on))
        });
        let by_hand = directed.count_chosen(&meant.rows);
        let back = (by_hand > 0).then(|| entry(None, format!("As the mode says{}", of(by_hand)), "", false));
        chosen.chain(back).collect()
    }

    /// Does what an entry of a row's menu stands for.
    pub fn row_command(&mut self, row: RowId, command: RowCommand) {
        match command {
            RowCommand::Act(choice) => self.act_on(row, choice),
            RowCommand::Toggle(side) => {
                let Some(loaded) = self.loaded_mut() else { return };
                let change = loaded.model.toggle(row, side);
                self.say_change(change);
            }
            RowCommand::SetOpen(open) => {
                if let Some(loaded) = self.loaded_mut() {
                    loaded.model.set_open(row, open);
                }
            }
            RowCommand::Times => self.show_times(row),
            RowCommand::Open(side) => self.hand_over(row, side, "open", |desktop, path| desktop.open(path)),
            RowCommand::Reveal(side) => {
                self.hand_over(row, side, "show", |desktop, path| desktop.reveal(path));
            }
            RowCommand::CopyPath(side) => {
                self.clipboard = self.row_path(row, side).map(|path| path.display().to_string());
            }
        }
    }

    /// What Enter or a double click on a row that is no folder does: opens the file of that side, or of the only side that
    /// has it.
    pub fn activate(&mut self, row: RowId, active: Side) {
        let side = self.side_at(row, active);
        let kind =
            self.loaded().and_then(|loaded| loaded.comparison().entry(row, side)).map(|entry| entry.kind);
        if matches!(kind, Some(Kind::File | Kind::Symlink)) {
            self.row_command(row, RowCommand::Open(side));
        }
    }

    /// Hands an item to the desktop, which may take a while.
    fn hand_over(
        &self,
        row: RowId,
        side: Side,
        verb: &'static str,
        hand: fn(&dyn Desktop, &Path) -> Result<(), String>,
    ) {
        let Some(path) = self.row_path(row, side) else { return };
        let desktop = Arc::clone(&self.desktop);
        self.jobs.start("open", move |_| {
            let shown = display_path(&path);
            JobEvent::Opened(match hand(&*desktop, &path) {
                Ok(()) => Ok(format!("The system was asked to {verb} {shown}.")),
                Err(why) => Err(UserError {
                    message: format!("Could not {verb} {shown}: {why}."),
                    hint: None,
                    kind: UserErrorKind::Failed,
                }),
            })
        });
    }

    /// Where a side's item is.
    fn row_path(&self, row: RowId, side: Side) -> Option<PathBuf> {
        let loaded = self.loaded()?;
        let comparison = loaded.comparison();
        comparison.node(row, side)?;
        Some(full_path(&loaded.folders.root(side).path, &comparison.path_on(row, side)))
    }
}
