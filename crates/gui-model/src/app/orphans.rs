//! The dialog that deletes what one side alone has.
//!
//! Invariant: its rows are the comparison's, filtered to what only this side has, with ticks of their own; so nothing
//! that is ticked elsewhere is deleted. What a filter hides is never deleted unasked: it is ticked only where the user
//! ticked it, and how much of it there is stands on the button. This module must not know how a removal is carried out.

use std::collections::HashMap;
use std::sync::Arc;

use fcs_engine::access::Access;
use fcs_engine::compare::{RowId, Side};
use fcs_engine::run::RemovedTo;
use fcs_engine::session::Task;
use fcs_sys::Kind;
use jiff::tz::TimeZone;

use super::confirm::WhenPlanned;
use super::jobs::{self, JobEvent, PlannedRows};
use super::{App, Confirm, Sheet, View};
use crate::bits::Bits;
use crate::chips::{Chip, Chips};
use crate::filter::{Filter, FilterError};
use crate::index::Index;
use crate::model::Model;
use crate::running::JobKind;

/// More bytes than this are warned of.
pub const LARGE: u64 = 1 << 30;

/// What the ticked items are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Files and links.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Content bytes.
    pub bytes: u64,
}

/// The dialog.
pub struct Orphans {
    /// Whose items.
    pub side: Side,
    /// The rows and their ticks.
    pub model: Model,
    /// Where they go.
    pub destination: RemovedTo,
    /// Only show what would be done.
    pub dry_run: bool,
    /// The text that rows are filtered by.
    pub filter: String,
    /// What is wrong with it.
    pub filter_error: Option<FilterError>,
    /// How the items look now; `None` while they are looked at.
    pub access: Option<HashMap<RowId, Access>>,
    /// What there is in all.
    pub all: Statistics,
    /// What is ticked.
    pub ticked: Statistics,
    /// What is ticked and hidden by the filter.
    pub hidden: Statistics,
    /// The main window's filter hides what this dialog lists, so nothing was ticked for the user.
    pub chip_is_off: bool,
    /// Ticked items that will not go as they look now: what is the matter, and how many.
    pub troubled: Vec<(&'static str, u64)>,
}

/// What the main window shows when the dialog is opened.
#[derive(Debug, Clone)]
pub(super) struct MainFilter {
    /// The text in force.
    pub(super) filter: String,
    pub(super) chips: Chips,
    /// What is ticked on the dialog's side.
    pub(super) ticked: Bits,
}

impl Statistics {
    /// Files, links and folders.
    pub fn items(self) -> u64 {
        self.files + self.folders
    }
}

impl Orphans {
    /// Takes a while for many rows.
    pub(super) fn new(index: Arc<Index>, main: MainFilter, side: Side, zone: &TimeZone) -> Self {
        let mut wished = main.ticked;
        // A folder stands for what is listed in it, not for differences that are none of this dialog's.
        let listed = index.under(Chip::only(side)).clone();
        let mut work = listed.clone();
        work.keep(index.work());
        let mut orphans = Self {
            side,
            model: Model::within(index, work),
            destination: RemovedTo::Undo,
            dry_run: false,
            filter: String::new(),
            filter_error: None,
            access: None,
            all: Statistics::default(),
            ticked: Statistics::default(),
            hidden: Statistics::default(),
            chip_is_off: false,
            troubled: Vec::new(),
        };
        orphans.set_filter(String::new(), zone);
        wished.keep(&listed);
        orphans.all = orphans.statistics_of(&listed);
        orphans.chip_is_off = !main.chips.has(orphans.chip());
        // Shown here is what was shown there; but with its chip off that would be nothing at all.
        orphans.set_filter(main.filter, zone);
        if wished.count() > 0 {
            // What was ticked outside is what the user had in mind; else all that the filter shows.
            orphans.model.tick_rows(side, &wished.iter().collect::<Vec<_>>());
        } else if !orphans.chip_is_off {
            orphans.model.tick_all_differences(side);
        }
        orphans.count();
        orphans
    }

    fn chip(&self) -> Chip {
        Chip::only(self.side)
    }

    /// Filters the rows; a text that is not understood leaves them as they are.
    pub fn set_filter(&mut self, text: String, zone: &TimeZone) {
        match Filter::new(&text, Chips::NONE.toggled(self.chip()), zone) {
            Ok(filter) => {
                self.model.set_filter(&filter);
                self.filter_error = None;
            }
            Err(error) => self.filter_error = Some(error),
        }
        self.filter = text;
        self.count();
    }

    /// Counts again, after ticks changed.
    pub fn count(&mut self) {
        self.ticked = self.statistics_of(&self.rows());
        let mut hidden = self.rows();
        hidden.drop_all(self.model.rows().matching());
        self.hidden = self.statistics_of(&hidden);
        self.troubled = self.trouble();
    }

    pub(super) fn looked(&mut self, access: HashMap<RowId, Access>) {
        self.access = Some(access);
        self.count();
    }

    /// Ticks everything that the filter shows.
    pub fn tick_all(&mut self) {
        self.model.tick_all_differences(self.side);
        self.count();
    }

    /// Unticks everything.
    pub fn clear(&mut self) {
        self.model.clear(self.side);
        self.count();
    }

    fn statistics_of(&self, rows: &Bits) -> Statistics {
        let index = self.model.rows().index();
        let mut found = Statistics::default();
        for entry in rows.iter().filter_map(|row| index.entry(row, self.side)) {
            match entry.kind {
                Kind::Folder => found.folders += 1,
                Kind::File => {
                    found.files += 1;
                    found.bytes = found.bytes.saturating_add(entry.size);
                }
                Kind::Symlink | Kind::Other => found.files += 1,
            }
        }
        found
    }

    /// The items to be deleted: what is ticked and on this side alone.
    pub(super) fn rows(&self) -> Bits {
        let mut rows = self.model.selection().ticked(self.side).clone();
        rows.keep(self.model.rows().index().under(self.chip()));
        rows
    }

    /// Of these, what the filter shows.
    pub(super) fn rows_shown(&self) -> Bits {
        let mut rows = self.rows();
        rows.keep(self.model.rows().matching());
        rows
    }

    fn trouble(&self) -> Vec<(&'static str, u64)> {
        let Some(accesses) = &self.access else { return Vec::new() };
        let rows = self.rows();
        let mut found: Vec<(&'static str, u64)> = Vec::new();
        for (_, access) in accesses.iter().filter(|(row, access)| rows.has(**row) && **access != Access::Ok) {
            match found.iter_mut().find(|(words, _)| *words == access.words()) {
                Some((_, count)) => *count += 1,
                None => found.push((access.words(), 1)),
            }
        }
        found.sort_unstable();
        found
    }
}

impl App {
    /// Opens the dialog that deletes what one side alone has.
    pub fn delete_orphans(&mut self, side: Side) {
        let Some(loaded) = self.loaded().filter(|_| self.busy.is_none()) else { return };
        let model = &loaded.model;
        let index = Arc::clone(model.rows().shared_index());
        let ticked = model.selection().ticked(side).clone();
        let main = MainFilter { filter: self.filter.in_force.clone(), chips: self.filter.chips, ticked };
        let zone = self.zone.clone();
        self.begin(JobKind::Plan);
        let request = self.requests.plan.ask();
        self.jobs.start("list orphans", move |_| {
            JobEvent::Orphans(request, Box::new(Orphans::new(index, main, side, &zone)))
        });
    }

    /// Looks again at what the dialog lists.
    pub fn look_at_orphans(&mut self) {
        let (Some(Sheet::Orphans(orphans)), View::Loaded(loaded)) = (&mut self.sheet, &self.view) else {
            return;
        };
        orphans.access = None;
        let request = self.requests.accesses.ask();
        let (side, settings) = (orphans.side, self.settings.clone());
        let (folders, index) = (Arc::clone(&loaded.folders), Arc::clone(loaded.model.rows().shared_index()));
        self.jobs.start("look at orphans", move |_| {
            JobEvent::Accesses(request, jobs::accesses(side, &folders, index.comparison(), &settings))
        });
    }

    /// Plans the removal of what is ticked in the dialog: what its filter hides too, or only what it shows.
    pub fn remove_orphans(&mut self, hidden_too: bool) {
        let Some(Sheet::Orphans(orphans)) = &self.sheet else { return };
        let rows = if hidden_too { orphans.rows() } else { orphans.rows_shown() };
        let hidden = if hidden_too { orphans.hidden.items() } else { 0 };
        if rows.count() == 0 || !self.can_act() {
            return;
        }
        let (task, dry_run) = (Task::Orphans(orphans.side, orphans.destination), orphans.dry_run);
        let mut confirm = Confirm::new(task, PlannedRows::Ticked(rows), hidden);
        if dry_run {
            confirm.then = WhenPlanned::DryRun;
        }
        self.propose(confirm);
    }
}
