//! The settings file: where it is, how it is read and written.
//!
//! Invariant: nothing is written unless every value in it is valid, and then in one step, so that a half-written file
//! can never be read. The table of settings belongs to the engine; this module adds no names of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use directories::ProjectDirs;
use fcs_engine::Settings;
use fcs_engine::error::display_path;
use fcs_engine::settings::{SettingError, SettingInfo, Unit};
use fcs_text::{size, wrap};
use toml::de::{DeTable, DeValue};

use crate::user_error::UserError;

/// Names the settings file instead of the usual place, for tests and for settings kept with a project.
pub const PATH_VARIABLE: &str = "FCS_CONFIG";

const HEADER: &str = "# Settings of FolderCompareSync. `fcs settings` lists all names with unit, default and range;\n\
                      # `fcs settings set` rewrites this file. Settings that are not here have their defaults.\n";

/// The settings file and what it says; settings that it does not name have their defaults.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: PathBuf,
    /// The settings that the file names, as text that [`Settings::set`] reads.
    stored: BTreeMap<&'static str, String>,
}

/// Where the settings are kept.
pub fn path() -> Result<PathBuf, UserError> {
    if let Some(path) = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    ProjectDirs::from("", "", "FolderCompareSync")
        .map(|dirs| dirs.config_dir().join("settings.toml"))
        .ok_or_else(|| {
            UserError::usage("There is no place for settings, because this user has no home folder.")
                .hint(format_args!("Name a file in the environment variable {PATH_VARIABLE}."))
        })
}

/// The settings in force before any option of the command line. No home folder means no settings file.
pub fn load() -> Result<Settings, UserError> {
    match path() {
        Ok(path) => Ok(SettingsFile::read(path)?.settings()),
        Err(_) => Ok(Settings::default()),
    }
}

impl SettingsFile {
    /// Reads the file; one that does not exist says nothing.
    pub fn read(path: PathBuf) -> Result<Self, UserError> {
        let stored = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text).map_err(|(line, what)| broken(&path, line, &what))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            // A home that is no folder (HOME=/dev/null, as services and containers have it) holds no settings.
            Err(error)
                if error.kind() == io::ErrorKind::NotADirectory
                    && std::env::var_os(PATH_VARIABLE).is_none() =>
            {
                BTreeMap::new()
            }
            // A home of somebody else (a service started with root's environment) holds no settings of this user's.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied
                    && std::env::var_os(PATH_VARIABLE).is_none() =>
            {
                BTreeMap::new()
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(broken(&path, 1, "it is not UTF-8 text"));
            }
            Err(error) => {
                return Err(UserError::usage(format_args!(
                    "Could not read the settings {}: {error}.",
                    display_path(&path)
                ))
                .hint(format_args!("Correct that, or name another file in {PATH_VARIABLE}.")));
            }
        };
        Ok(Self { path, stored })
    }

    /// The same file as if it said nothing.
    pub fn empty(path: PathBuf) -> Self {
        Self { path, stored: BTreeMap::new() }
    }

    /// All settings: the defaults, changed by what the file says.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in &self.stored {
            // Values were checked when they were read or set.
            drop(settings.set(name, value));
        }
        settings
    }

    /// Sets a value, in the shortest form that reads back.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        store(&mut self.stored, name, value)
    }

    /// Forgets a value; false if there was none.
    pub fn reset(&mut self, name: &str) -> bool {
        self.stored.remove(name).is_some()
    }

    /// Replaces all stored values by those in a text of the same form. Nothing changes on an error.
    pub fn import(&mut self, text: &str) -> Result<(), UserError> {
        self.stored = parse(text).map_err(|(line, what)| {
            UserError::usage(format_args!("Could not load the settings: line {line}: {what}."))
                .hint("The settings are as they were. Correct that line, or take another file.")
        })?;
        Ok(())
    }

    /// What differs between this and an earlier state, done to what the file says by now: two programs may change
    /// different settings.
    #[must_use]
    pub fn changes_since(&self, before: &Self, mut now: Self) -> Self {
        now.stored.retain(|name, _| self.stored.contains_key(name) || !before.stored.contains_key(name));
        let changed = self.stored.iter().filter(|(name, value)| before.stored.get(*name) != Some(*value));
        now.stored.extend(changed.map(|(&name, value)| (name, value.clone())));
        now
    }

    /// What the file names: each setting and its value, as text that [`Settings::set`] reads.
    pub fn stored(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.stored.iter().map(|(&name, value)| (name, value.as_str()))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file in one step.
    pub fn write(&self) -> Result<(), UserError> {
        write_in_one_step(&self.path, self.text().as_bytes()).map_err(|e| {
            UserError::usage(format_args!("Could not write the settings {}: {e}.", display_path(&self.path)))
                .hint(format_args!("The settings are as they were. {PATH_VARIABLE} can name another file."))
        })
    }

    /// What the file says, as it is written.
    pub fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for info in Settings::table() {
            let Some(value) = self.stored.get(info.name) else {
                continue;
            };
            text.push('\n');
            for line in wrap(info.meaning, 100) {
                let _ = writeln!(text, "# {line}");
            }
            let unit = match info.unit.name() {
                "" => String::new(),
                unit => format!("  # {unit}"),
            };
            // TOML has signed integers only; what they cannot hold is kept as text.
            let value = match (info.unit, value.parse::<i64>()) {
                (Unit::Switch, _) => value.clone(),
                (Unit::Choice(_) | Unit::Path | Unit::Name, _) | (_, Err(_)) => format!("\"{value}\""),
                (_, Ok(number)) => number.to_string(),
            };
            let _ = writeln!(text, "{} = {value}{unit}", info.name);
        }
        text
    }
}

fn broken(path: &Path, line: usize, what: &str) -> UserError {
    UserError::usage(format_args!("Could not read the settings {}: line {line}: {what}.", display_path(path)))
        .hint("Correct that line, or run `fcs settings reset` to restore the defaults.")
}

/// The values in a settings file, or the number of the first bad line and what is wrong with it.
fn parse(text: &str) -> Result<BTreeMap<&'static str, String>, (usize, String)> {
    let line_of = |at: usize| text.get(..at).unwrap_or(text).split('\n').count();
    let table = DeTable::parse(text).map_err(|e| {
        (line_of(e.span().map_or(0, |span| span.start)), e.message().trim_end_matches('.').to_owned())
    })?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut stored = BTreeMap::new();
    for (name, value) in entries {
        let bad = |what: String| (line_of(name.span().start), what);
        let value = scalar(value.get_ref())
            .ok_or_else(|| bad(format!("{} must be a number, a text, or true or false", name.get_ref())))?;
        store(&mut stored, name.get_ref(), &value).map_err(|e| bad(e.to_string()))?;
    }
    Ok(stored)
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => {
            u64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
        }
        DeValue::Boolean(switch) => Some(switch.to_string()),
        _ => None,
    }
}

fn store(stored: &mut BTreeMap<&'static str, String>, name: &str, value: &str) -> Result<(), SettingError> {
    let mut settings = Settings::default();
    settings.set(name, value)?;
    let plain = settings.get(name)?;
    if let Some(info) = Settings::table().into_iter().find(|info| info.name == name) {
        stored.insert(info.name, plain);
    }
    Ok(())
}

/// How many files were begun: a window saves several at once.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// Writes a file so that its name holds either the old or the whole new content, whatever happens.
pub fn write_in_one_step(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // A settings file may be a link into a folder of dotfiles; the link must stay one.
    let path = match std::fs::canonicalize(path) {
        Ok(resolved) => resolved,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    // A rename over /dev/null would take the device away.
    if std::fs::metadata(&path).is_ok_and(|m| !m.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_file_name(format!(".fcs-unfinished-{}-{number}", std::process::id()));
    let mut file = std::fs::File::create_new(&unfinished)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| std::fs::rename(&unfinished, &path)).inspect_err(|_| {
        // The error that is returned is the one that matters.
        drop(std::fs::remove_file(&unfinished));
    })
}

/// The error with a setting that was refused.
pub fn refused(error: &SettingError) -> UserError {
    let hint = match error {
        SettingError::UnknownName(_) => "`fcs settings` lists all names.".to_owned(),
        SettingError::BadValue { name, .. } | SettingError::OutOfRange { name, .. } => {
            let info = Settings::table().into_iter().find(|info| info.name == *name);
            info.map_or_else(String::new, |info| {
                format!("{name} accepts {}. {}", accepted(&info), info.meaning)
            })
        }
    };
    let mut text = error.to_string();
    // The engine's errors are parts of a sentence; here they stand alone.
    if let Some(first) = text.get(..1).filter(|_| matches!(error, SettingError::UnknownName(_))) {
        text = first.to_uppercase() + &text[1..];
    }
    UserError::usage(format_args!("{text}.")).hint(hint)
}

/// A value in a larger unit where that loses nothing: `64MiB`, `10ms`; in a form that can be typed back.
pub fn readable(value: &str, unit: Unit) -> String {
    let Ok(number) = value.parse::<u64>() else {
        return value.to_owned();
    };
    let in_larger = |units: &[(u64, &str)]| {
        units
            .iter()
            .find(|(scale, _)| number > 0 && number % scale == 0)
            .map_or_else(|| value.to_owned(), |(scale, name)| format!("{}{name}", number / scale))
    };
    match unit {
        Unit::Bytes if number % 1024 == 0 => {
            let text = size(number).replace(' ', "");
            if text.contains('.') { value.to_owned() } else { text }
        }
        Unit::Nanoseconds => in_larger(&[(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us")]),
        Unit::Milliseconds => in_larger(&[(1000, "s")]),
        _ => value.to_owned(),
    }
}

/// What a setting takes, in words.
pub fn accepted(info: &SettingInfo) -> String {
    match (info.unit, &info.range) {
        (Unit::Choice(words), _) => words.join(" | "),
        (Unit::Switch, _) => "true | false".to_owned(),
        (Unit::Path, _) => "a path below both folders, or nothing".to_owned(),
        (Unit::Name, _) => "a name with {stem}".to_owned(),
        (unit, Some(range)) => {
            let least = readable(&range.start().to_string(), unit);
            match *range.end() {
                u64::MAX => format!("{least} or more"),
                end => format!("{least} to {}", readable(&end.to_string(), unit)),
            }
        }
        (_, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_reads_back_and_says_what_it_means() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("sub/settings.toml");
        let mut file = SettingsFile::read(path.clone()).unwrap();
        for (name, value) in [
            ("mmap_window_bytes", "32MiB"),
            ("verify", "below"),
            ("reflink", "on"),
            ("direct_max_bytes", &u64::MAX.to_string()),
        ] {
            file.set(name, value).unwrap();
        }
        file.write().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("mmap_window_bytes = 33554432  # bytes\n"), "{text}");
        assert!(text.contains("verify = \"below\"\n") && text.contains("reflink = true\n"), "{text}");
        let again = SettingsFile::read(path.clone()).unwrap();
        assert_eq!(again.stored, file.stored);
        assert_eq!(again.settings().direct_max_bytes, u64::MAX);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_broken_file_is_named_with_the_line() {
        for (text, line, part) in [
            ("verify = \"all\"\nnonsense = 1\n", 2, "no setting called nonsense"),
            ("\n\nmmap_window_bytes = 1\n", 3, "outside its range"),
            ("verify = all\n", 1, ""),
            ("verify = \"all\"\nverify = \"none\"\n", 2, ""),
            ("verify = [1]\n", 1, "must be"),
            ("source_retries = -1\n", 1, "must be"),
        ] {
            let (found, what) = parse(text).unwrap_err();
            assert_eq!(found, line, "{text}: {what}");
            assert!(what.contains(part), "{text}: {what}");
        }
    }

    #[test]
    fn sizes_may_be_written_as_text_and_in_any_radix() {
        let stored = parse("batch_max_bytes = '64MiB'\nbatch_max_files = 0x10\n").unwrap();
        assert_eq!(stored["batch_max_bytes"], (64u64 << 20).to_string());
        assert_eq!(stored["batch_max_files"], "16");
    }

    #[test]
    fn files_in_one_folder_are_written_at_once_without_meeting() {
        let tmp = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = tmp.path().join(n.to_string());
                scope.spawn(move || (0..50).for_each(|_| write_in_one_step(&path, b"whole").unwrap()));
            }
        });
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 8);
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_settings_file_stays_a_link() {
        let tmp = tempfile::tempdir().unwrap();
        let (real, link) = (tmp.path().join("real"), tmp.path().join("link"));
        std::fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_in_one_step(&link, b"new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn readable_values_can_be_typed_back() {
        for info in Settings::table() {
            let shown = readable(&info.default, info.unit);
            let mut settings = Settings::default();
            settings.set(info.name, &shown).unwrap_or_else(|e| panic!("{}: {e}", info.name));
            assert_eq!(settings, Settings::default(), "{} = {shown}", info.name);
        }
        assert_eq!(readable("67108864", Unit::Bytes), "64MiB");
        assert_eq!(readable("10000000", Unit::Nanoseconds), "10ms");
        assert_eq!(readable("1025", Unit::Bytes), "1025");
        assert_eq!(readable("0", Unit::Bytes), "0B");
    }

    #[test]
    fn what_another_program_changed_meanwhile_stays_changed() {
        let file = |pairs: &[(&str, &str)]| {
            let mut file = SettingsFile::empty(PathBuf::new());
            pairs.iter().for_each(|(name, value)| file.set(name, value).unwrap());
            file
        };
        let before = file(&[("copy_workers", "3"), ("scan_workers", "4"), ("verify", "none")]);
        let mine = file(&[("copy_workers", "5"), ("scan_workers", "4")]);
        let theirs =
            file(&[("copy_workers", "3"), ("scan_workers", "7"), ("verify", "none"), ("undo", "off")]);
        let both = file(&[("copy_workers", "5"), ("scan_workers", "7"), ("undo", "off")]);
        assert_eq!(mine.changes_since(&before, theirs).stored, both.stored);
    }

    #[test]
    fn a_refusal_says_what_would_be_accepted() {
        let mut settings = Settings::default();
        let range = refused(&settings.set("mmap_window_bytes", "1").unwrap_err());
        assert_eq!(range.message, "mmap_window_bytes = 1 is outside its range 8388608 to 268435456.");
        assert!(
            range.hint.as_deref().is_some_and(|h| h.starts_with("mmap_window_bytes accepts 8MiB to 256MiB."))
        );
        let name = refused(&settings.set("nonsense", "1").unwrap_err());
        assert_eq!(name.message, "There is no setting called nonsense.");
    }

    #[test]
    fn what_is_exported_can_be_taken_in_and_a_broken_text_changes_nothing() {
        let mut from = SettingsFile::empty("a".into());
        from.set("verify", "none").unwrap();
        from.set("batch_max_files", "7").unwrap();
        let mut to = SettingsFile::empty("b".into());
        to.set("reflink", "on").unwrap();
        to.import(&from.text()).unwrap();
        let stored = |file: &SettingsFile| -> Vec<(&str, String)> {
            file.stored().map(|(name, value)| (name, value.to_owned())).collect()
        };
        assert_eq!(stored(&to), [("batch_max_files", "7".to_owned()), ("verify", "none".to_owned())]);
        let error = to.import("verify = \"all\"\nnonsense = 1\n").unwrap_err();
        assert_eq!(
            error.message,
            "Could not load the settings: line 2: there is no setting called nonsense."
        );
        assert_eq!(stored(&to), stored(&from));
    }

    #[test]
    fn fuzz_settings() {
        let table = Settings::table();
        let mut words: Vec<&[u8]> = table.iter().map(|info| info.name.as_bytes()).collect();
        words.extend([
            b" = ".as_slice(),
            b"\n",
            b"0x",
            b"'",
            b"\"\"\"",
            b"[",
            b"18446744073709551616",
            b"1e9",
            b"days:",
        ]);
        fcs_testkit::fuzz::fuzz("settings", &words, |input| {
            let Ok(text) = str::from_utf8(input) else { return };
            match parse(text) {
                Ok(stored) => {
                    let file = SettingsFile { path: PathBuf::new(), stored };
                    assert_eq!(parse(&file.text()).as_ref(), Ok(&file.stored), "what is written reads back");
                    let mut settings = Settings::default();
                    for (name, value) in file.stored() {
                        assert_eq!(settings.set(name, value), Ok(()), "{name}");
                        assert_eq!(settings.get(name).as_deref(), Ok(value), "{name} has one spelling");
                    }
                    assert_eq!(file.settings(), settings);
                }
                Err((line, what)) => {
                    assert!((1..=text.split('\n').count()).contains(&line), "line {line}");
                    let shown = broken(Path::new("x"), line, &what);
                    assert_eq!(fcs_text::printable(&shown.message), shown.message, "it acts on a terminal");
                }
            }
        });
    }
}
