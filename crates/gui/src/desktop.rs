//! The system's own dialogs, its programs for files, and its file manager.
//!
//! Invariant: called on threads that may wait, never on the one that draws; and that there is no dialog is told from a
//! dialog that was closed. This module must not know what is done with an answer.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use fcs_gui_model::app::{Desktop, DialogAnswer};
use log::{LevelFilter, Log, Metadata, Record};
use rfd::FileDialog;

/// The system's dialogs.
#[derive(Debug, Default)]
pub struct System;

/// What is missing where no dialog could be opened.
const MISSING: &str = "this desktop has no dialogs for it (neither a desktop portal such as xdg-desktop-portal-gtk nor zenity is there)";

/// Set when a dialog could not be opened by any of the ways that `rfd` knows.
static FAILED: AtomicBool = AtomicBool::new(false);

/// `rfd` answers "none" both for a dialog that was closed and for one that could not be opened; only its log tells them
/// apart: its last way, zenity, ends with an error there.
struct Listener;

impl Log for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("rfd")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) && is_last_failure(&record.args().to_string()) {
            FAILED.store(true, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

fn is_last_failure(text: &str) -> bool {
    text.starts_with("Failed to") && text.contains("zenity")
}

fn asked(dialog: impl FnOnce() -> Option<PathBuf>) -> DialogAnswer {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        if log::set_logger(&Listener).is_ok() {
            log::set_max_level(LevelFilter::Error);
        }
    });
    FAILED.store(false, Ordering::SeqCst);
    match dialog() {
        Some(path) => DialogAnswer::Chosen(path),
        None if FAILED.load(Ordering::SeqCst) => DialogAnswer::Missing(MISSING.to_owned()),
        None => DialogAnswer::Cancelled,
    }
}

/// Why the system could not be asked: with what lies below it, which `opener` leaves to its source.
fn reason(error: &dyn std::error::Error) -> String {
    let below = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{below}").trim_end_matches('.').to_owned()
}

impl Desktop for System {
    fn pick_folder(&self, title: &str, start: Option<&Path>) -> DialogAnswer {
        let dialog = FileDialog::new().set_title(title);
        asked(|| match start {
            Some(start) => dialog.set_directory(start).pick_folder(),
            None => dialog.pick_folder(),
        })
    }

    fn pick_save(&self, title: &str, name: &str) -> DialogAnswer {
        asked(|| FileDialog::new().set_title(title).set_file_name(name).save_file())
    }

    fn pick_open(&self, title: &str) -> DialogAnswer {
        asked(|| FileDialog::new().set_title(title).pick_file())
    }

    fn open(&self, path: &Path) -> Result<(), String> {
        opener::open(path).map_err(|error| reason(&error))
    }

    fn reveal(&self, path: &Path) -> Result<(), String> {
        opener::reveal(path).map_err(|error| reason(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::is_last_failure;

    /// Case V4. As rfd 0.17 writes them.
    #[test]
    fn only_the_failure_of_the_last_way_means_that_there_is_no_dialog() {
        assert!(is_last_failure("Failed to pick folder with zenity: No such file or directory (os error 2)"));
        assert!(is_last_failure("Failed to save file with zenity: No such file or directory (os error 2)"));
        assert!(!is_last_failure("Failed to connect to session bus: no such address"), "zenity may be there");
        assert!(!is_last_failure("Using zenity fallback"));
    }
}
