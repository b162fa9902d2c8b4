//! The system's own dialogs.
//!
//! Invariant: called on threads that may wait, never on the one that draws. This module must not know what is done with
//! an answer.

use std::path::{Path, PathBuf};

use fcs_view::app::Desktop;
use rfd::FileDialog;

/// The system's dialogs.
#[derive(Debug, Default)]
pub struct System;

impl Desktop for System {
    fn pick_folder(&self, title: &str, start: Option<&Path>) -> Option<PathBuf> {
        let dialog = FileDialog::new().set_title(title);
        match start {
            Some(start) => dialog.set_directory(start).pick_folder(),
            None => dialog.pick_folder(),
        }
    }

    fn pick_save(&self, title: &str, name: &str) -> Option<PathBuf> {
        FileDialog::new().set_title(title).set_file_name(name).save_file()
    }

    fn pick_open(&self, title: &str) -> Option<PathBuf> {
        FileDialog::new().set_title(title).pick_file()
    }
}
