//! `fcs settings`: the engine's table of settings, shown and changed.
//!
//! Invariant: a value that is refused changes nothing.

use fcs_engine::Settings;
use fcs_engine::error::shown;
use fcs_engine::settings::{SettingError, SettingInfo, Unit};

use crate::args::SettingsAction;
use crate::config::{self, Config};
use crate::exit::Code;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Screen, Tone};
use crate::text::{pad, size, wrap};

/// Runs the command.
pub(crate) fn run(action: Option<&SettingsAction>, screen: &Screen) -> Outcome {
    match action {
        None | Some(SettingsAction::List) => list(screen)?,
        Some(SettingsAction::Get { name }) => {
            let value = config::load()?.get(name).map_err(|e| refused(&e))?;
            screen.line(&value);
        }
        Some(SettingsAction::Set { name, value }) => {
            let mut config = Config::read(config::path()?)?;
            config.set(name, value).map_err(|e| refused(&e))?;
            config.write()?;
        }
        Some(SettingsAction::Reset { name: Some(name) }) => {
            let mut config = Config::read(config::path()?)?;
            if config.reset(name) {
                config.write()?;
            }
        }
        // Does not read the file: this is also the way out of a broken one.
        Some(SettingsAction::Reset { name: None }) => {
            let path = config::path()?;
            if path.exists() {
                Config::empty(path).write()?;
            }
        }
        Some(SettingsAction::Path) => screen.line(&shown(&config::path()?)),
    }
    Ok(Code::Done)
}

/// The failure for a setting that was refused.
pub(crate) fn refused(error: &SettingError) -> Failure {
    let hint = match error {
        SettingError::UnknownName(_) => "`fcs settings` lists all names.".to_owned(),
        SettingError::BadValue { name, .. } | SettingError::OutOfRange { name, .. } => {
            let info = Settings::table().into_iter().find(|info| info.name == *name);
            info.map_or_else(String::new, |info| {
                format!("{name} takes {}. {}", accepted(&info), info.meaning)
            })
        }
    };
    let mut text = error.to_string();
    // The engine's errors are parts of a sentence; here they stand alone.
    if let Some(first) = text.get(..1).filter(|_| matches!(error, SettingError::UnknownName(_))) {
        text = first.to_uppercase() + &text[1..];
    }
    Failure::usage(format_args!("{text}.")).hint(hint)
}

fn list(screen: &Screen) -> Result<(), Failure> {
    let settings = config::load()?;
    let table = Settings::table();
    let rows: Vec<[String; 5]> = table
        .iter()
        .map(|info| {
            let value = settings.get(info.name).unwrap_or_default();
            [
                info.name.to_owned(),
                readable(&value, info.unit),
                info.unit.name().to_owned(),
                readable(&info.default, info.unit),
                accepted(info),
            ]
        })
        .collect();
    let head = ["NAME", "VALUE", "UNIT", "DEFAULT", "RANGE"].map(str::to_owned);
    let widths: [usize; 5] = std::array::from_fn(|i| {
        rows.iter().chain([&head]).map(|row| row[i].chars().count()).max().unwrap_or(0)
    });
    let line = |row: &[String; 5]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| pad(cell, width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    screen.line(&screen.style.paint(Tone::Strong, line(&head)));
    for (row, info) in rows.iter().zip(&table) {
        // What differs from its default is what one looks for.
        let tone = if row[1] == row[3] { None } else { Some(Tone::Changed) };
        let text = line(row);
        screen.line(&tone.map_or(text.clone().into(), |tone| screen.style.paint(tone, text)));
        for text in wrap(info.meaning, screen.width().saturating_sub(6).min(100)) {
            screen.line(&format!("    {}", screen.style.paint(Tone::Dim, text)));
        }
    }
    Ok(())
}

/// A value in a larger unit where that loses nothing: `64MiB`, `10ms`; in a form that can be typed back.
fn readable(value: &str, unit: Unit) -> String {
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
fn accepted(info: &SettingInfo) -> String {
    match (info.unit, &info.range) {
        (Unit::Choice(words), _) => words.join(" | "),
        (Unit::Switch, _) => "true | false".to_owned(),
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
    fn a_refusal_says_what_would_be_accepted() {
        let mut settings = Settings::default();
        let range = refused(&settings.set("mmap_window_bytes", "1").unwrap_err());
        assert_eq!(range.message, "mmap_window_bytes = 1 is outside its range 8388608 to 268435456.");
        assert!(
            range.hint.as_deref().is_some_and(|h| h.starts_with("mmap_window_bytes takes 8MiB to 256MiB."))
        );
        let name = refused(&settings.set("nonsense", "1").unwrap_err());
        assert_eq!(name.message, "There is no setting called nonsense.");
    }
}
