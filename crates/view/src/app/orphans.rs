//! The dialog that deletes what one side alone has.
//!
//! Invariant: its rows are the comparison's, filtered to what only this side has, with ticks of their own; so nothing
//! that is ticked elsewhere is deleted. This module must not know how a removal is carried out.

use std::collections::HashMap;
use std::sync::Arc;

use fcs_engine::access::Access;
use fcs_engine::compare::{Group, RowId, Side};
use fcs_engine::run::RemovedTo;
use fcs_sys::Kind;
use jiff::tz::TimeZone;

use crate::bits::Bits;
use crate::filter::{Chips, Filter, FilterError};
use crate::index::Index;
use crate::model::Model;

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
    /// Ticked items that will not go as they look now: what is the matter, and how many.
    pub troubled: Vec<(&'static str, u64)>,
}

impl Orphans {
    /// Takes a while for many rows.
    pub(super) fn new(index: Arc<Index>, mut wished: Bits, side: Side, zone: &TimeZone) -> Self {
        let mut orphans = Self {
            side,
            model: Model::over(index),
            destination: RemovedTo::Undo,
            dry_run: false,
            filter: String::new(),
            filter_error: None,
            access: None,
            all: Statistics::default(),
            ticked: Statistics::default(),
            troubled: Vec::new(),
        };
        orphans.set_filter(String::new(), zone);
        // What was ticked outside is what the user had in mind; else all of it.
        let group = orphans.group();
        wished.keep(orphans.model.rows().index().under(group));
        orphans.model.tick_all_differences(side);
        orphans.all = orphans.statistics();
        if wished.count() > 0 {
            orphans.model.clear(side);
            orphans.model.tick_rows(side, &wished.iter().collect::<Vec<_>>());
        }
        orphans.count();
        orphans
    }

    fn group(&self) -> Group {
        match self.side {
            Side::Left => Group::LeftOnly,
            Side::Right => Group::RightOnly,
        }
    }

    /// Filters the rows; a text that is not understood leaves them as they are.
    pub fn set_filter(&mut self, text: String, zone: &TimeZone) {
        match Filter::new(&text, Chips::NONE.toggled(self.group()), zone) {
            Ok(filter) => {
                self.model.set_filter(&filter);
                self.filter_error = None;
            }
            Err(error) => self.filter_error = Some(error),
        }
        self.filter = text;
    }

    /// Counts again, after ticks changed.
    pub fn count(&mut self) {
        self.ticked = self.statistics();
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

    fn statistics(&self) -> Statistics {
        let index = self.model.rows().index();
        let mut found = Statistics::default();
        for entry in self.rows().iter().filter_map(|row| index.entry(row, self.side)) {
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
        rows.keep(self.model.rows().index().under(self.group()));
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
