//! The mode: chosen, decided by, overruled row by row, and carried out.
//!
//! Invariant: without a mode nothing here shows or does anything. What is decided by hand is dropped when the two folders
//! are compared anew, and that is said. This module must not know how a row or a plan is drawn.

use std::sync::Arc;

use fcs_engine::Settings;
use fcs_engine::compare::{RowId, Side};
use fcs_engine::directions::{Category, Choice, Conflicts, Custom, Mode};
use fcs_engine::session::Task;
use fcs_text::count;

use super::jobs::{self, JobEvent, PlannedRows};
use super::{App, Confirm, Loaded, Sheet, View};
use crate::bits::Bits;
use crate::directed::Directed;
use crate::log::Level;
use crate::mode;
use crate::running::JobKind;

/// The rows that a decision made at one of them is about.
#[derive(Debug, Clone)]
pub struct RowsMeant {
    /// All of them.
    pub rows: Bits,
    /// They are what is ticked, and not what is in one row.
    pub ticked: bool,
    /// So many are in the row and hidden by the filter.
    pub left_out: u32,
}

impl App {
    /// The mode that is chosen.
    pub fn mode(&self) -> Option<Mode> {
        mode::read(&self.kept.mode, self.custom())
    }

    /// What is chosen for each category.
    pub fn custom(&self) -> Custom {
        self.kept.custom.parse().unwrap_or_default()
    }

    /// Chooses a mode, or none. What was decided by hand stays as far as it makes sense, unless there is no mode any more.
    pub fn set_mode(&mut self, mode: Option<Mode>) {
        if self.busy.is_some() {
            return;
        }
        self.kept.mode = mode::write(mode);
        self.save_kept();
        self.decide();
    }

    /// Chooses for a category what the mode of that name does.
    pub fn choose_for(&mut self, category: Category, choice: Choice) {
        let mut custom = self.custom();
        if self.busy.is_some() || !custom.choose(category, choice) {
            return;
        }
        self.kept.custom = custom.to_string();
        self.set_mode(Some(Mode::Custom(custom)));
    }

    /// What is to be done with each row, where a mode says so.
    pub fn directed(&self) -> Option<&Arc<Directed>> {
        self.loaded()?.model.directed()
    }

    /// Decides by the mode that is chosen.
    pub(super) fn decide(&mut self) {
        let mode = self.mode();
        let View::Loaded(loaded) = &mut self.view else { return };
        if mode.is_none() {
            let dropped = loaded.model.directed().map_or(0, |directed| directed.chosen().len());
            loaded.model.set_directed(None);
            self.reveal = true;
            self.say_dropped(dropped);
            return;
        }
        let settings = settings_to_plan(&self.settings, loaded);
        let (folders, index) = (Arc::clone(&loaded.folders), Arc::clone(loaded.model.rows().shared_index()));
        let memories = self.memories.clone();
        let control = self.begin(JobKind::Plan);
        let request = self.requests.plan.ask();
        self.jobs.start("decide", move |_| {
            let decided = mode
                .map(|mode| jobs::decide(mode, &folders, &index, &settings, memories.as_deref(), &control));
            JobEvent::Decided(request, decided.map(Box::new))
        });
    }

    /// Takes in what was decided.
    pub(super) fn decided(&mut self, request: u64, directed: Option<Box<Directed>>) {
        if !self.requests.plan.is_latest(request) {
            return;
        }
        self.busy = None;
        let View::Loaded(loaded) = &mut self.view else { return };
        let Some(mut directed) = directed.map(|directed| *directed) else { return };
        if let Some(before) = loaded.model.directed() {
            directed.take_over(before.chosen());
        }
        loaded.model.set_directed(Some(Arc::new(directed)));
        self.reveal = true;
        self.say_what_is_directed();
    }

    /// Goes back to the mode by which was decided last, because nobody waits any more for what another one decides.
    pub(super) fn keep_mode_that_decided(&mut self) {
        if let Some(loaded) = self.loaded() {
            self.kept.mode = mode::write(loaded.model.directed().map(|directed| directed.mode()));
        }
    }

    /// Says how many rows the mode does something with, and what it says about its memory.
    pub(super) fn say_what_is_directed(&mut self) {
        let Some(directed) = self.directed().cloned() else { return };
        for note in directed.notes() {
            self.tell(Level::Info, note);
        }
        let words = mode::words(Some(directed.mode()));
        self.status_message = Some(match directed.count_work() {
            0 => format!("{words}: nothing is to be done."),
            rows => format!("{words}: {} something to do.", count(rows, "row has", "rows have")),
        });
    }

    /// Decides anew where what was decided hangs on settings that are others now.
    pub(super) fn decide_after(&mut self, before: &Settings) {
        let terms = |settings: &Settings| {
            (settings.newer, settings.replace_kinds, settings.read_placeholders, settings.moves)
        };
        if self.directed().is_some() && self.busy.is_none() && terms(before) != terms(&self.settings) {
            self.decide();
        }
    }

    /// Says that what was decided by hand is dropped, if anything was.
    pub(super) fn say_dropped(&mut self, dropped: usize) {
        if dropped > 0 {
            let rows = count(dropped as u64, "row", "rows");
            let text = format!("What was decided by hand about {rows} is dropped.");
            self.tell(Level::Info, &text);
            self.status_message = Some(text);
        }
    }

    /// The rows that a decision made at this one is about: everything that is ticked if it is, else the row itself with all in
    /// it that the filter shows.
    pub fn rows_meant(&self, row: RowId) -> Option<RowsMeant> {
        let loaded = self.loaded()?;
        let (rows, selection) = (loaded.model.rows(), loaded.model.selection());
        let index = rows.index();
        let directed = rows.directed()?;
        let merged = directed.merged();
        let [left, right] = [Side::Left, Side::Right].map(|side| selection.ticked(side));
        if (left.has(row) || right.has(row)) && left.count() + right.count() > 1 {
            let mut ticked = left.clone();
            ticked.join(right);
            merged.match_as_one(&mut ticked);
            return Some(RowsMeant { rows: ticked, ticked: true, left_out: 0 });
        }
        let mut meant = Bits::none(index.rows());
        let mut left_out = 0;
        let everything = Bits::all(index.rows());
        for level in index.below(row) {
            meant.add_common(level, &[&everything]);
        }
        // What is of two kinds goes whole, and only where it is meant itself.
        meant.drop_all(index.clashes());
        meant.drop_all(merged.hidden());
        meant.remove(row);
        if rows.is_filtered() {
            let possible = |meant: &Bits| directed.count_possible(meant, Choice::Skip);
            let all = possible(&meant);
            meant.keep(rows.matching());
            left_out = all - possible(&meant);
        }
        meant.add(row);
        Some(RowsMeant { rows: meant, ticked: false, left_out })
    }

    /// Decides by hand about a row, or what is meant with it; `None` is what the mode says.
    pub fn act_on(&mut self, row: RowId, choice: Option<Choice>) {
        if self.busy.is_some() {
            return;
        }
        let Some(RowsMeant { rows, left_out, .. }) = self.rows_meant(row) else { return };
        let Some(loaded) = self.loaded_mut() else { return };
        let changed = loaded.model.choose(&rows, choice);
        let what = choice.map_or("as the mode says", mode::choice_words);
        let mut text = match changed {
            0 => format!("“{what}” cannot be decided here."),
            n => format!("{}: {}.", count(u64::from(n), "row", "rows"), lower(what)),
        };
        if left_out > 0 && changed > 0 {
            let hidden = count(u64::from(left_out), "row", "rows");
            text = format!("{text} {hidden} that the filter hides stayed as they were.");
        }
        self.status_message = Some(text);
    }

    /// Shows the plan of the mode, for all rows.
    pub fn go_by_mode(&mut self) {
        let Some(loaded) = self.loaded().filter(|_| self.busy.is_none()) else { return };
        let Some(directed) = loaded.model.directed() else {
            self.status_message = Some("Choose a mode first, beside Compare.".to_owned());
            return;
        };
        let hidden = if loaded.model.rows().is_filtered() {
            directed.count_work_outside(loaded.model.rows().matching())
        } else {
            0
        };
        let task = Task::Directed(directed.mode());
        self.propose(Confirm::new(task, PlannedRows::Decided(Arc::clone(directed)), hidden));
    }

    /// Decides for the plan on the sheet alone what becomes of conflicts.
    pub fn settle(&mut self, conflicts: Conflicts) {
        if self.busy.is_some() {
            return;
        }
        if let Some(Sheet::Confirm(confirm)) = &mut self.sheet
            && let Task::Directed(Mode::TwoWay { .. }) = confirm.task
        {
            confirm.task = Task::Directed(Mode::TwoWay { conflicts });
            self.plan_again();
        }
    }
}

/// How it was compared is the comparison's; how it is carried out is what is set now.
pub(super) fn settings_to_plan(now: &Settings, loaded: &Loaded) -> Settings {
    let then = &loaded.settings;
    Settings {
        compare_existence: then.compare_existence,
        compare_size: then.compare_size,
        compare_created: then.compare_created,
        compare_modified: then.compare_modified,
        compare_content: then.compare_content,
        time_tolerance_nanos: then.time_tolerance_nanos,
        ignore_whole_hours: then.ignore_whole_hours,
        one_file_system: then.one_file_system,
        ..now.clone()
    }
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}
