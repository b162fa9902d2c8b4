//! The settings and what the window remembers: changed, exported, imported, written.
//!
//! Invariant: a value that is refused changes nothing. Nothing is written over a settings file that could not be read.
//! This module must not know any setting by name.

use std::sync::Arc;

use super::jobs::JobEvent;
use super::picker::Purpose;
use super::{App, Sheet};

impl App {
    /// Changes a setting by name; a value that is refused changes nothing and is said.
    pub fn set_setting(&mut self, name: &str, value: &str) {
        match self.file.set(name, value) {
            Ok(()) => self.settings_changed(),
            Err(error) => self.status_message = Some(format!("{error}.")),
        }
    }

    /// Something was typed in the editor of the settings.
    pub fn edit_setting(&mut self, name: &str, value: &str) {
        let Some(Sheet::Settings(editor)) = &mut self.sheet else { return };
        if editor.set(&mut self.file, name, value) {
            self.settings_changed();
        }
    }

    /// Resets one setting, or all of them, to the default.
    pub fn reset_setting(&mut self, name: Option<&str>) {
        let Some(Sheet::Settings(editor)) = &mut self.sheet else { return };
        match name {
            Some(name) => editor.reset(&mut self.file, name),
            None => editor.reset_all(&mut self.file),
        }
        self.settings_changed();
    }

    /// Saves the settings to a file of the user's choice.
    pub fn export_settings(&self) {
        let text = self.file.text().into_bytes();
        self.pick_save(Purpose::Save("the settings", "fcs-settings.toml", text));
    }

    /// Reads the settings from a file of the user's choice.
    pub fn import_settings(&self) {
        let desktop = Arc::clone(&self.desktop);
        self.jobs.start("choose a file", move |_| {
            let answer = desktop.pick_open(Purpose::Import.title());
            JobEvent::Picked(Box::new(Purpose::Import), answer)
        });
    }

    pub(super) fn settings_changed(&mut self) {
        let before = std::mem::replace(&mut self.settings, self.file.settings());
        self.decide_after(&before);
        if self.file.path().as_os_str().is_empty() {
            return;
        }
        self.saver.save_settings(self.file.clone());
    }

    /// Writes what is remembered, if it changed.
    pub fn save_kept(&mut self) {
        if self.kept == self.written {
            return;
        }
        self.written = self.kept.clone();
        if let Some(path) = self.kept_path.clone() {
            self.saver.save("what the window remembers", path, self.kept.write().into_bytes());
        }
    }
}
