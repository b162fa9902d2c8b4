//! The editor of the engine's settings: one row per setting, with what is typed and what is wrong with it.
//!
//! Invariant: what is in force is always valid; a text that is refused stays in its field with the reason and changes
//! nothing. This module must not know where settings are kept.

use fcs_app::settings_file::{SettingsFile, accepted, readable};
use fcs_engine::Settings;
use fcs_engine::settings::{SettingInfo, Unit};

/// One setting.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name, unit, default, range and meaning.
    pub info: SettingInfo,
    /// What is in its field.
    pub text: String,
    /// Why that is refused.
    pub error: Option<String>,
    /// Its value is not the default.
    pub changed: bool,
}

impl Row {
    /// The default as it would be typed.
    pub fn default_text(&self) -> String {
        readable(&self.info.default, self.info.unit)
    }

    /// What it takes, in words.
    pub fn accepted(&self) -> String {
        accepted(&self.info)
    }

    /// The name as people read it: `Mmap window bytes`.
    pub fn title(&self) -> String {
        let words = self.info.name.replace('_', " ");
        let mut chars = words.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
    }

    /// The words it chooses from; `None` where one of them holds a number (`days:N`), which has to be typed.
    pub fn choices(&self) -> Option<&'static [&'static str]> {
        match self.info.unit {
            Unit::Choice(words) if words.iter().any(|word| word.ends_with(":N")) => None,
            Unit::Choice(words) => Some(words),
            _ => None,
        }
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Editor {
    /// What is searched for.
    pub filter: String,
    rows: Vec<Row>,
}

impl Editor {
    /// Shows what a file says.
    pub fn new(file: &SettingsFile) -> Self {
        let mut editor = Self { filter: String::new(), rows: Vec::new() };
        editor.show(&file.settings());
        editor
    }

    /// Shows these values.
    pub fn show(&mut self, settings: &Settings) {
        let row = |info: SettingInfo| {
            let value = settings.get(info.name).unwrap_or_default();
            Row { text: readable(&value, info.unit), error: None, changed: value != info.default, info }
        };
        self.rows = Settings::table().into_iter().map(row).collect();
    }

    /// The rows that are shown: those whose name, meaning or unit holds every word that is searched for.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        self.rows.iter().filter(move |row| {
            let all = format!("{} {} {}", row.info.name, row.title(), row.info.meaning).to_lowercase();
            words.iter().all(|word| all.contains(word))
        })
    }

    /// Takes in what was typed; whether it is in force now.
    pub fn set(&mut self, file: &mut SettingsFile, name: &str, text: &str) -> bool {
        let Some(row) = self.rows.iter_mut().find(|row| row.info.name == name) else { return false };
        text.clone_into(&mut row.text);
        if file.set(name, text).is_err() {
            row.error = Some(format!("{text:?} is not in force: this takes {}.", accepted(&row.info)));
            return false;
        }
        let value = file.settings().get(name).unwrap_or_default();
        (row.error, row.changed) = (None, value != row.info.default);
        // A value that is the default is not one that the user chose.
        if !row.changed {
            file.reset(name);
        }
        true
    }

    /// Resets a setting to its default.
    pub fn reset(&mut self, file: &mut SettingsFile, name: &str) {
        file.reset(name);
        self.refresh(file, name);
    }

    /// Resets all settings to their defaults.
    pub fn reset_all(&mut self, file: &mut SettingsFile) {
        for row in &self.rows {
            file.reset(row.info.name);
        }
        self.show(&file.settings());
    }

    /// Forgets what was typed and refused.
    pub fn refresh(&mut self, file: &SettingsFile, name: &str) {
        let value = file.settings().get(name).unwrap_or_default();
        if let Some(row) = self.rows.iter_mut().find(|row| row.info.name == name) {
            row.text = readable(&value, row.info.unit);
            (row.error, row.changed) = (None, value != row.info.default);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn editor() -> (Editor, SettingsFile) {
        let file = SettingsFile::empty("nowhere".into());
        (Editor::new(&file), file)
    }

    fn row<'a>(editor: &'a Editor, name: &str) -> &'a Row {
        editor.rows.iter().find(|row| row.info.name == name).unwrap()
    }

    #[test]
    fn what_is_refused_stays_in_its_field_and_changes_nothing() {
        let (mut editor, mut file) = editor();
        assert!(editor.set(&mut file, "mmap_window_bytes", "32MiB"));
        assert_eq!(file.settings().mmap_window_bytes, 32 << 20);
        assert!(!editor.set(&mut file, "mmap_window_bytes", "1"));
        let shown = row(&editor, "mmap_window_bytes");
        assert_eq!((&*shown.text, shown.changed), ("1", true));
        assert!(
            shown
                .error
                .as_ref()
                .is_some_and(|error| error.contains("not in force: this takes 8MiB to 256MiB"))
        );
        assert_eq!(file.settings().mmap_window_bytes, 32 << 20);
        editor.reset(&mut file, "mmap_window_bytes");
        let shown = row(&editor, "mmap_window_bytes");
        assert_eq!((&*shown.text, shown.changed, &shown.error), ("64MiB", false, &None));
        assert_eq!(file.settings(), Settings::default());
    }

    #[test]
    fn every_setting_is_shown_with_its_default_and_can_be_found() {
        let (mut editor, mut file) = editor();
        assert_eq!(editor.rows().count(), Settings::table().len());
        for info in Settings::table() {
            editor.filter = info.name.to_owned();
            assert!(editor.rows().any(|row| row.info.name == info.name));
        }
        // What decides about other people's files is found by its name.
        for name in [
            "newer",
            "one_file_system",
            "ignore_whole_hours",
            "remove_despite_failures",
            "read_only_targets",
            "undo_max_percent",
        ] {
            let shown = editor.rows.iter().find(|row| row.info.name == name);
            assert!(shown.is_some_and(|row| !row.accepted().is_empty()), "{name}");
        }
        editor.filter = "VERIFY re-read".to_owned();
        assert!(editor.rows().any(|row| row.info.name == "verify"));
        assert_eq!(row(&editor, "undo").choices(), None, "a number of days is typed");
        assert!(row(&editor, "newer").choices().is_some());
        assert!(editor.set(&mut file, "undo", "days:7") && editor.set(&mut file, "undo", "days:30"));
        assert_eq!(row(&editor, "mmap_window_bytes").title(), "Mmap window bytes");
        assert!(editor.set(&mut file, "verify", "none") && editor.set(&mut file, "verify", "all"));
        assert!(!row(&editor, "verify").changed);
        editor.set(&mut file, "verify", "below");
        editor.reset_all(&mut file);
        assert_eq!(file.settings(), Settings::default());
    }
}
