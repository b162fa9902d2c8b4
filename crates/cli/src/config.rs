//! The settings file: where it is, how it is read and written.
//!
//! Invariant: nothing is written unless every value in it is valid, and then in one step, so that a half-written file
//! can never be read. The table of settings belongs to the engine; this module adds no names of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use fcs_engine::Settings;
use fcs_engine::error::shown;
use fcs_engine::settings::{SettingError, Unit};
use toml::de::{DeTable, DeValue};

use crate::exit::Code;
use crate::failure::Failure;
use crate::text::wrap;

/// Names the settings file instead of the usual place, for tests and for settings kept with a project.
pub(crate) const PATH_VARIABLE: &str = "FCS_CONFIG";

const HEADER: &str = "# Settings of FolderCompareSync. `fcs settings` lists all names with unit, default and range;\n\
                      # `fcs settings set` rewrites this file. Settings that are not here have their defaults.\n";

/// The settings file and what it says; settings that it does not name have their defaults.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    /// The settings that the file names, as text that [`Settings::set`] reads.
    stored: BTreeMap<&'static str, String>,
}

/// Where the settings are kept.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    ProjectDirs::from("", "", "FolderCompareSync")
        .map(|dirs| dirs.config_dir().join("settings.toml"))
        .ok_or_else(|| {
            Failure::usage("There is no place for settings, because this user has no home folder.")
                .hint(format_args!("Name a file in the environment variable {PATH_VARIABLE}."))
        })
}

/// The settings in force before any option of the command line. No home folder means no settings file.
pub(crate) fn load() -> Result<Settings, Failure> {
    match path() {
        Ok(path) => Ok(Config::read(path)?.settings()),
        Err(_) => Ok(Settings::default()),
    }
}

impl Config {
    /// Reads the file; one that does not exist says nothing.
    pub(crate) fn read(path: PathBuf) -> Result<Self, Failure> {
        let stored = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text).map_err(|(line, what)| broken(&path, line, &what))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
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
                return Err(Failure::usage(format_args!(
                    "Could not read the settings {}: {error}.",
                    shown(&path)
                ))
                .hint(format_args!("Correct that, or name another file in {PATH_VARIABLE}.")));
            }
        };
        Ok(Self { path, stored })
    }

    /// The same file as if it said nothing.
    pub(crate) fn empty(path: PathBuf) -> Self {
        Self { path, stored: BTreeMap::new() }
    }

    /// All settings: the defaults, changed by what the file says.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in &self.stored {
            // Values were checked when they were read or set.
            drop(settings.set(name, value));
        }
        settings
    }

    /// Takes in a value, in the shortest form that reads back.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        store(&mut self.stored, name, value)
    }

    /// Forgets a value; false if there was none.
    pub(crate) fn reset(&mut self, name: &str) -> bool {
        self.stored.remove(name).is_some()
    }

    /// Writes the file in one step.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        write_in_one_step(&self.path, self.text().as_bytes()).map_err(|e| {
            Failure::new(
                Code::Usage,
                format_args!("Could not write the settings {}: {e}.", shown(&self.path)),
            )
            .hint(format_args!("The settings are as they were. {PATH_VARIABLE} can name another file."))
        })
    }

    fn text(&self) -> String {
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
                (Unit::Choice(_), _) | (_, Err(_)) => format!("\"{value}\""),
                (_, Ok(number)) => number.to_string(),
            };
            let _ = writeln!(text, "{} = {value}{unit}", info.name);
        }
        text
    }
}

fn broken(path: &Path, line: usize, what: &str) -> Failure {
    Failure::usage(format_args!("Could not read the settings {}: line {line}: {what}.", shown(path)))
        .hint("Correct that line, or run `fcs settings reset` to go back to the defaults.")
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

/// Writes a file so that its name holds either the old or the whole new content, whatever happens.
pub(crate) fn write_in_one_step(path: &Path, content: &[u8]) -> io::Result<()> {
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
    let unfinished = path.with_file_name(format!(".fcs-unfinished-{}", std::process::id()));
    let mut file = std::fs::File::create_new(&unfinished)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| std::fs::rename(&unfinished, &path)).inspect_err(|_| {
        // The error that is returned is the one that matters.
        drop(std::fs::remove_file(&unfinished));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_reads_back_and_says_what_it_means() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("sub/settings.toml");
        let mut config = Config::read(path.clone()).unwrap();
        for (name, value) in [
            ("mmap_window_bytes", "32MiB"),
            ("verify", "below"),
            ("reflink", "on"),
            ("direct_max_bytes", &u64::MAX.to_string()),
        ] {
            config.set(name, value).unwrap();
        }
        config.write().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("mmap_window_bytes = 33554432  # bytes\n"), "{text}");
        assert!(text.contains("verify = \"below\"\n") && text.contains("reflink = true\n"), "{text}");
        let again = Config::read(path.clone()).unwrap();
        assert_eq!(again.stored, config.stored);
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
}
