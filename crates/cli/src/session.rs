//! What compare and the commands which change a folder share: two open folders, the settings, and how to stop.
//!
//! Invariant: nothing is written here.

use std::sync::Arc;

use fcs_engine::compare::Comparison;
use fcs_engine::{Control, ErrorKind, Settings};
use fcs_front::folders::Folders;

use crate::args::{CompareOptions, Pair};
use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Display;
use crate::terminal::Screen;

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

    /// Scans and compares, with progress on the screen.
    pub(crate) fn compare(&self, screen: &Arc<Screen>, interrupt: &Interrupt) -> Result<Comparison, Failure> {
        interrupt.working(&self.control.cancel, "Nothing was written.");
        let display = Display::start(screen, &self.control.progress);
        let result = self.folders.compare(&self.settings, &self.control);
        display.end();
        let comparison = result.map_err(|e| match e.kind {
            ErrorKind::Overlap => Failure::new(Code::Refused, &e).hint(
                "--exclude leaves it out; --one-file-system does not enter other volumes. Nothing was written.",
            ),
            _ => Failure::usage(&e),
        })?;
        if comparison.cancelled || self.control.cancel.is_cancelled() {
            return Err(Failure::interrupted());
        }
        Ok(comparison)
    }
}
