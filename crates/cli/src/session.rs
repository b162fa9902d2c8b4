//! What compare and the commands which change a folder share: two open folders, the settings, and how to stop.
//!
//! Invariant: nothing is written in either folder here.

use std::sync::Arc;

use fcs_app::known;
use fcs_app::overview::criteria_in_words;
use fcs_engine::compare::Comparison;
use fcs_engine::memory::Remembered;
use fcs_engine::moves::Moves;
use fcs_engine::session::Folders;
use fcs_engine::{Control, ErrorKind, Settings};

use crate::args::{CompareOptions, Pair};
use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::progress::Display;
use crate::output::terminal::Screen;

/// Two open folders and how they are compared.
pub(crate) struct Session {
    pub(crate) folders: Folders,
    pub(crate) settings: Settings,
    pub(crate) control: Control,
}

impl Session {
    /// Opens and checks both folders and compiles the patterns.
    pub(crate) fn open(
        pair: &Pair,
        options: &CompareOptions,
        settings: Settings,
        control: Control,
    ) -> Result<Self, Failure> {
        let folders = Folders::open(&pair.left, &pair.right, &options.include, &options.exclude, &settings)?;
        Ok(Self { folders, settings, control })
    }

    /// What counts, in words.
    pub(crate) fn criteria(&self) -> String {
        criteria_in_words(&self.settings, self.folders.created_counts())
    }

    /// Scans and compares, with progress on the screen. Content that is known to be equal is not read.
    pub(crate) fn compare(&self, screen: &Arc<Screen>, interrupt: &Interrupt) -> Result<Comparison, Failure> {
        interrupt.working(&self.control.cancel, "Nothing was written.");
        let display = Display::start(screen, &self.control.progress);
        let result = known::compare(&self.folders, None, &self.settings, &self.control);
        display.end();
        let comparison = result.map_err(|e| match e.kind {
            ErrorKind::Overlap => Failure::of(Code::Refused, &e),
            _ => Failure::of(Code::Usage, &e),
        })?;
        if comparison.cancelled || self.control.cancel.is_cancelled() {
            return Err(Failure::interrupted());
        }
        Ok(comparison)
    }

    /// What has another path on one side than on the other, with progress on the screen while files are read for that.
    pub(crate) fn moves(
        &self,
        comparison: &Comparison,
        remembered: Option<&Remembered>,
        screen: &Arc<Screen>,
        interrupt: &Interrupt,
    ) -> Result<Moves, Failure> {
        interrupt.working(&self.control.cancel, "Nothing was written.");
        let display = Display::start(screen, &self.control.progress);
        let moves = self.folders.moves(comparison, remembered, &self.settings, &self.control);
        display.end();
        moves.errors().iter().for_each(|error| self.control.observer.error(error));
        if self.control.cancel.is_cancelled() {
            return Err(Failure::interrupted());
        }
        Ok(moves)
    }
}
