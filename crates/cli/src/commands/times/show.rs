//! `fcs times show`: when items were modified and created.
//!
//! Invariant: nothing is written; a path that cannot be read ends nothing, and is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_app::times::volume_words;
use fcs_engine::Control;
use fcs_engine::error::display_path;
use fcs_engine::times::{self, ItemTimes, Listing, created_unsettable, steps};
use fcs_sys::{CreatedTime, Kind, VolumeFacts};
use serde::Serialize;

use super::words::{Clock, JsonTimes, slash};
use super::{scope, worst};
use crate::args::TimesShowArgs;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::interrupt::Interrupt;
use crate::options;
use crate::output::json;
use crate::output::progress::Display;
use crate::output::terminal::{Screen, Tone};
use crate::output::text::pad;

/// Runs the command.
pub(super) fn run(args: &TimesShowArgs, screen: &Arc<Screen>) -> CommandResult {
    let settings = options::for_times(&args.common, None)?;
    let interrupt = Interrupt::install(screen)?;
    let control = Control::default();
    let clock = Clock::new(args.common.utc);
    let mut codes = Vec::new();
    let mut listings: Vec<(&Path, Listing)> = Vec::new();
    for path in &args.paths {
        interrupt.working(&control.cancel, "");
        let display = Display::start(screen, &control.progress);
        let listing = times::list(path, scope(&args.common, args.recursive), &settings, &control);
        display.end();
        interrupt.idle("");
        match listing {
            Ok(listing) if listing.cancelled => return Err(Failure::interrupted()),
            Ok(listing) => listings.push((path, listing)),
            Err(error) => {
                let failure = Failure::from(error);
                screen.show_failure(&failure);
                codes.push(failure.code);
            }
        }
    }
    if args.common.json {
        print_json(&listings, &clock, screen);
    } else {
        print(&listings, &clock, screen);
    }
    for error in listings.iter().flat_map(|(_, listing)| &listing.errors) {
        screen.error_message(error);
        codes.push(Code::Failed);
    }
    let code = worst(codes);
    if args.common.json {
        json::print(screen, &JsonEnd { event: "end", schema: json::SCHEMA, exit_code: code as u8 });
    }
    Ok(code)
}

/// A path as the user called it, or below the folder that was called so.
fn whole_path(given: &Path, listing: &Listing, item: &times::Listed) -> PathBuf {
    let is_given = !listing.is_folder || item.path.is_root();
    if is_given { given.to_owned() } else { given.join(item.path.to_path()) }
}

/// One line per item in columns; then, once for each volume, how it stores dates.
fn print(listings: &[(&Path, Listing)], clock: &Clock, screen: &Screen) {
    let mut rows = Vec::new();
    for (given, listing) in listings {
        let (modified_step, created_step) = steps(&listing.volume);
        for item in &listing.items {
            let now = ItemTimes::from(&item.entry);
            let created = now.created.map(|time| clock.text(time, created_step.unwrap_or(1)));
            let path = display_path(&whole_path(given, listing, item));
            let slash = if path.ends_with(std::path::MAIN_SEPARATOR) { "" } else { slash(item.entry.kind) };
            rows.push([
                clock.text(now.modified, modified_step),
                created.unwrap_or_else(|| "-".to_owned()),
                format!("{path}{slash}"),
            ]);
        }
    }
    let heads = ["Modified", "Created", "Path"];
    let width = |column: usize| {
        rows.iter().map(|row| row[column].len()).chain([heads[column].len()]).max().unwrap_or(0) + 2
    };
    let widths = [width(0), width(1)];
    let line = |[modified, created, path]: [&str; 3]| {
        format!("{}{}{path}", pad(modified, widths[0]), pad(created, widths[1]))
    };
    if !rows.is_empty() && !screen.show.quiet {
        screen.line(&screen.style.paint(Tone::Strong, line(heads)));
    }
    for [modified, created, path] in &rows {
        screen.line(&line([modified.as_str(), created.as_str(), path.as_str()]));
    }
    if !screen.show.quiet {
        volumes(listings).for_each(|volume| screen.message(&format!("Note: {}.", volume_words(volume))));
    }
}

/// Each volume once.
fn volumes<'a>(listings: &'a [(&Path, Listing)]) -> impl Iterator<Item = &'a VolumeFacts> {
    let is_new = |at: usize| {
        let here = &listings[at].1.volume;
        listings[..at].iter().all(|(_, before)| before.volume.id != here.id)
    };
    listings.iter().enumerate().filter(move |(at, _)| is_new(*at)).map(|(_, (_, listing))| &listing.volume)
}

#[derive(Serialize)]
struct JsonItem<'a> {
    event: &'static str,
    /// As it was called, or below the folder that was called so.
    #[serde(with = "fcs_sys::exact_path")]
    path: &'a Path,
    kind: Kind,
    #[serde(flatten)]
    times: JsonTimes,
    /// The volume that it is on, as the event about that has it.
    volume: u64,
}

#[derive(Serialize)]
struct JsonVolume<'a> {
    event: &'static str,
    id: u64,
    file_system: &'a str,
    modified_step_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_step_ns: Option<u64>,
    created: CreatedTime,
    created_settable: bool,
}

#[derive(Serialize)]
struct JsonEnd {
    event: &'static str,
    schema: &'static str,
    exit_code: u8,
}

fn print_json(listings: &[(&Path, Listing)], clock: &Clock, screen: &Screen) {
    for (given, listing) in listings {
        for item in &listing.items {
            let event = JsonItem {
                event: "times",
                path: &whole_path(given, listing, item),
                kind: item.entry.kind,
                times: clock.json(&ItemTimes::from(&item.entry)),
                volume: item.entry.volume(),
            };
            json::print(screen, &event);
        }
    }
    for volume in volumes(listings) {
        let (modified_step_ns, created_step_ns) = steps(volume);
        let event = JsonVolume {
            event: "volume",
            id: volume.id,
            file_system: &volume.file_system,
            modified_step_ns,
            created_step_ns,
            created: volume.created,
            created_settable: created_unsettable(volume).is_none(),
        };
        json::print(screen, &event);
    }
}
