//! `fcs settings`: the engine's table of settings, shown and changed.
//!
//! Invariant: a value that is refused changes nothing.

use fcs_app::settings_file::{self, SettingsFile, accepted, readable, refused};
use fcs_engine::Settings;
use fcs_engine::error::display_path;

use crate::args::SettingsAction;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::output::terminal::{Screen, Tone};
use crate::output::text::{pad, wrap};

/// Characters up to which a value widens its column.
const WIDEST: usize = 14;

/// Runs the command.
pub(crate) fn run(action: Option<&SettingsAction>, screen: &Screen) -> CommandResult {
    match action {
        None | Some(SettingsAction::List) => list(screen)?,
        Some(SettingsAction::Get { name }) => {
            let value = settings_file::load()?.get(name).map_err(|e| refused(&e))?;
            screen.line(&value);
        }
        Some(SettingsAction::Set { name, value }) => {
            let mut file = SettingsFile::read(settings_file::path()?)?;
            file.set(name, value).map_err(|e| refused(&e))?;
            file.write()?;
        }
        Some(SettingsAction::Reset { name: Some(name) }) => {
            let mut file = SettingsFile::read(settings_file::path()?)?;
            if file.reset(name) {
                file.write()?;
            }
        }
        // Does not read the file: this is also the way out of a broken one.
        Some(SettingsAction::Reset { name: None }) => {
            let path = settings_file::path()?;
            if path.exists() {
                SettingsFile::empty(path).write()?;
            }
        }
        Some(SettingsAction::Path) => screen.line(&display_path(&settings_file::path()?)),
    }
    Ok(Code::Done)
}

fn list(screen: &Screen) -> Result<(), Failure> {
    let settings = settings_file::load()?;
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
    // One long value pushes its own row alone.
    let widths: [usize; 5] = std::array::from_fn(|i| {
        let widths = rows.iter().chain([&head]).map(|row| row[i].chars().count());
        let widest = if i == 0 { usize::MAX } else { WIDEST };
        widths.filter(|width| *width <= widest).max().unwrap_or(0)
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
