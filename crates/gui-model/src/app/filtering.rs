//! Which rows are shown: a text and chips, and how both are restored after they were cleared.
//!
//! Invariant: a text that is not understood leaves the rows as they are. This module must not know how a text is
//! understood.

use super::{App, View};
use crate::chips::{Chip, Chips};
use crate::filter::{Filter, FilterError};

/// What rows are filtered by.
pub struct RowFilter {
    /// The text as typed.
    pub text: String,
    /// What is wrong with it.
    pub error: Option<FilterError>,
    /// The chips that are on.
    pub chips: Chips,
    /// The latest text that was understood: the one that the rows are filtered by.
    pub(super) in_force: String,
    /// The text and the chips before they were cleared.
    before: Option<(String, Chips)>,
}

impl Default for RowFilter {
    fn default() -> Self {
        Self { text: String::new(), error: None, chips: Chips::ALL, in_force: String::new(), before: None }
    }
}

impl App {
    /// The filter's text was changed.
    pub fn set_filter(&mut self, text: String) {
        self.filter.before = None;
        self.filter.text = text;
        self.apply_filter();
    }

    /// A chip was clicked.
    pub fn toggle_chip(&mut self, chip: Chip) {
        self.filter.before = None;
        self.filter.chips = self.filter.chips.toggled(chip);
        self.apply_filter();
    }

    /// Shows everything again.
    pub fn clear_filter(&mut self) {
        self.show_by(String::new(), Chips::ALL);
    }

    /// Restores the filter and the chips that were cleared.
    pub fn restore_filter(&mut self) {
        if let Some((text, chips)) = self.filter.before.take() {
            (self.filter.text, self.filter.chips) = (text, chips);
            self.apply_filter();
            self.status_message = Some("The filter is restored.".to_owned());
        }
    }

    /// Filters otherwise, which can be undone: to how it was before the first of several steps.
    pub(super) fn show_by(&mut self, text: String, chips: Chips) {
        let filter = &mut self.filter;
        let before = (std::mem::replace(&mut filter.text, text), std::mem::replace(&mut filter.chips, chips));
        filter.before.get_or_insert(before);
        self.apply_filter();
    }

    /// Whether the filter or the chips were cleared and can come back.
    pub fn can_restore_filter(&self) -> bool {
        self.filter.before.is_some()
    }

    /// What is said of the filter: that nothing matches it, or that a part of it is searched for as a name although it
    /// looks like more.
    pub fn filter_words(&self) -> Option<String> {
        let rows = self.loaded()?.model.rows();
        let unknown = crate::filter::looks_like_a_term(&self.filter.in_force).map(|entry| {
            format!(
                "“{entry}” is searched for as a name. Sizes are written >10MB, dates >2024-01-31, paths with /."
            )
        });
        if !rows.is_filtered() || rows.matching().count() > 0 {
            return unknown;
        }
        let what = match (self.filter.in_force.trim().is_empty(), self.filter.chips == Chips::ALL) {
            (false, true) => format!("Nothing matches the filter “{}”.", self.filter.in_force.trim()),
            (true, _) => "No row matches the switches that are on.".to_owned(),
            (false, false) => {
                let text = self.filter.in_force.trim();
                format!("Nothing matches the filter “{text}” under the switches that are on.")
            }
        };
        Some(unknown.map_or(what.clone(), |unknown| format!("{what} {unknown}")))
    }

    /// Filters the rows by a text and the chips; a text that is not understood leaves them as they are.
    pub(super) fn apply_filter(&mut self) {
        match Filter::new(&self.filter.text, self.filter.chips, &self.zone) {
            Ok(filter) => {
                self.filter.error = None;
                self.filter.in_force.clone_from(&self.filter.text);
                if let View::Loaded(loaded) = &mut self.view {
                    loaded.model.set_filter(&filter);
                }
            }
            Err(error) => self.filter.error = Some(error),
        }
    }
}
