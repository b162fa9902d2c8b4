//! `fcs state`: which pairs of folders are remembered, what of each, and how to forget it.
//!
//! Invariant: no folder that was compared is opened or changed; only what is remembered is, after it was agreed to.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use console::measure_text_width;
use fcs_app::pairs;
use fcs_engine::error::display_path;
use fcs_engine::history::RunId;
use fcs_engine::memory::{Grade, Known, RootIdentity, Stamp};
use fcs_state::{KeptRun, Loaded, Pair, PairId, PairInfo, StateError, States};
use fcs_sys::{Kind, RelPath};
use serde::Serialize;

use crate::args::{StateAction, StateForgetArgs, StateShowArgs};
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::output::json;
use crate::output::terminal::{Screen, Tone};
use crate::output::text::{count, local_time, number, pad, printable, size, utc_time};
use crate::question::ask;

/// Runs the command.
pub(crate) fn run(action: &StateAction, screen: &Screen) -> CommandResult {
    let states = pairs::open()?;
    let found = states.list()?;
    match action {
        StateAction::List(args) if args.json => {
            found.iter().for_each(|info| json::print(screen, &JsonPair::new("pair", info)));
        }
        StateAction::List(_) if found.is_empty() => screen.line("No pair of folders is remembered."),
        StateAction::List(_) => table(&found, screen),
        StateAction::Show(args) => return show(args, &states, named(&found, &args.pair)?, screen),
        StateAction::Forget(args) => return forget(args, &states, found, screen),
    }
    Ok(Code::Done)
}

/// The pair whose name begins so.
fn named<'a>(found: &'a [PairInfo], name: &str) -> Result<&'a PairInfo, Failure> {
    let mut fitting = found.iter().filter(|info| !name.is_empty() && info.id.as_str().starts_with(name));
    let hint = "`fcs state list` lists them.";
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format_args!("Several pairs have names that begin with {name}.")).hint(hint))
        }
        _ => Err(Failure::usage(format_args!("No pair has the name {name}.")).hint(hint)),
    }
}

/// Both folders of a pair, or why they are not known.
fn folders(info: &PairInfo) -> Result<[String; 2], String> {
    match &info.roots {
        Ok(roots) => Ok([0, 1].map(|side| display_path(&roots[side].path))),
        Err(error) => Err(error.to_string()),
    }
}

fn table(found: &[PairInfo], screen: &Screen) {
    let head = ["PAIR", "SAVED", "ITEMS", "SIZE", "FOLDERS"].map(str::to_owned);
    let cells = |info: &PairInfo| {
        let saved = info.saved.map_or_else(|| "never".to_owned(), |saved| local_time(saved, 0));
        let folders = match folders(info) {
            Ok([left, right]) => format!("{left}  {right}"),
            Err(why) => printable(&why).into_owned(),
        };
        [info.id.to_string(), saved, number(info.items), size(info.bytes), folders]
    };
    let rows: Vec<[String; 5]> = found.iter().map(cells).collect();
    let width = |column: usize| {
        std::iter::once(&head).chain(&rows).map(|row| measure_text_width(&row[column])).max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let padded = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            // Numbers are read from the right.
            2 | 3 => format!("{}{cell}", " ".repeat(width - measure_text_width(cell))),
            _ => pad(cell, width),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    screen.line(&screen.style.paint(Tone::Strong, line(&head)));
    for (info, row) in found.iter().zip(&rows) {
        let text = line(row);
        if info.roots.is_err() {
            screen.line(&screen.style.paint(Tone::Bad, text));
        } else {
            screen.line(&text);
        }
    }
}

fn show(args: &StateShowArgs, states: &States, info: &PairInfo, screen: &Screen) -> CommandResult {
    let mut pair = states.by_id(&info.id)?;
    let loaded = match pair.load() {
        Ok(loaded) => Some(loaded),
        Err(StateError::Missing) => None,
        Err(error) => {
            if args.json {
                json::print(screen, &JsonPair::new("pair", info).with_problem(&error));
            }
            return Err(error.into());
        }
    };
    let kept = loaded.as_ref().map_or(Ok(Vec::new()), |_| pair.runs())?;
    if args.json {
        show_json(args, info, loaded.as_ref(), &kept, screen);
    } else {
        show_text(args, info, loaded.as_ref(), &kept, screen);
    }
    Ok(Code::Done)
}

fn show_text(
    args: &StateShowArgs,
    info: &PairInfo,
    loaded: Option<&Loaded>,
    kept: &[KeptRun],
    screen: &Screen,
) {
    let fact = |name: &str, text: &str| {
        screen.line(&format!("{} {text}", screen.style.paint(Tone::Strong, pad(name, 9))));
    };
    fact("Pair", info.id.as_str());
    match loaded.map(|loaded| &loaded.terms.roots).or(info.roots.as_ref().ok()) {
        Some(roots) => {
            fact("Left", &folder_in_words(&roots[0]));
            fact("Right", &folder_in_words(&roots[1]));
        }
        None => fact("Folders", "not known"),
    }
    let Some(Loaded { terms, remembered, saved, run }) = loaded else {
        return fact("Saved", "never");
    };
    fact("Filter", &printable(&terms.filter.words));
    fact("Criteria", &printable(&terms.criteria.words));
    let by = run.as_ref().map_or_else(String::new, |run| format!(" by run {run}"));
    fact("Saved", &format!("{}{by}", local_time(*saved, 0)));
    let hashed = remembered.iter().filter(|(_, known)| known.hash.is_some()).count() as u64;
    fact("Items", &format!("{}, {} with a hash", number(remembered.len() as u64), number(hashed)));
    fact("Size", &size(info.bytes));
    for run in kept {
        fact("Undo", &format!("{}: {}", run.run, count(run.changes, "item", "items")));
    }
    if args.items {
        for (path, known) in remembered.iter() {
            let [left, _] = &known.stamps;
            let shown = RelPath::parse(path).map(|path| display_path(&path.to_path())).unwrap_or_default();
            screen.line(&format!(
                "{}  {:>10}  {}  {shown}",
                local_time(left.modified, 0),
                if left.kind == Kind::Folder { "folder".to_owned() } else { size(left.size) },
                pad(grade(known.grade), 6),
            ));
        }
    }
}

fn folder_in_words(root: &RootIdentity) -> String {
    let known = match (&root.volume, root.number) {
        (None, _) => "known by its path alone".to_owned(),
        (Some(volume), None) => format!("known by its volume {volume} and its path there"),
        (Some(volume), Some(_)) => format!("known by its volume {volume} and its number there"),
    };
    format!("{} ({}, {})", display_path(&root.path), printable(&root.file_system), printable(&known))
}

fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Looks => "looks",
        Grade::Cache => "cache",
        Grade::Device => "device",
    }
}

fn show_json(
    args: &StateShowArgs,
    info: &PairInfo,
    loaded: Option<&Loaded>,
    kept: &[KeptRun],
    screen: &Screen,
) {
    let mut pair = JsonPair::new("pair", info);
    if let Some(loaded) = loaded {
        pair.filter = Some(&loaded.terms.filter.words);
        pair.criteria = Some(&loaded.terms.criteria.words);
    }
    json::print(screen, &pair);
    for KeptRun { run, saved, changes, .. } in kept {
        json::print(screen, &JsonRun { event: "kept-run", run, saved: utc_time(*saved), changes: *changes });
    }
    let items = loaded.filter(|_| args.items).map(|loaded| loaded.remembered.iter());
    for (path, known) in items.into_iter().flatten() {
        if let Ok(path) = RelPath::parse(path) {
            json::print(screen, &JsonItem::new(path, known));
        }
    }
}

fn forget(args: &StateForgetArgs, states: &States, found: Vec<PairInfo>, screen: &Screen) -> CommandResult {
    let chosen: Vec<PairInfo> = match &args.pair {
        Some(name) => {
            let id = named(&found, name)?.id.clone();
            found.into_iter().filter(|info| info.id == id).collect()
        }
        None => found,
    };
    if chosen.is_empty() {
        if !args.json {
            screen.line("No pair of folders is remembered.");
        }
        return Ok(Code::Done);
    }
    let what = count(chosen.len() as u64, "pair of folders", "pairs of folders");
    if !args.yes {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "Could not ask whether to go ahead: standard input is not a terminal.",
            )
            .hint("Add -y to go ahead without asking."));
        }
        let lines: Vec<String> = chosen.iter().map(described).collect();
        screen.message(&format!(
            "Forget what is remembered of {what}:\n{}\nNo folder is changed. Their next run is a first one, which removes \
             nothing.",
            lines.join("\n")
        ));
        if !matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was changed."));
        }
    }
    let mut first_failure = None;
    let mut forgotten = 0;
    for info in &chosen {
        match states.by_id(&info.id).as_mut().map_err(|_| StateError::Missing).and_then(Pair::forget) {
            Ok(()) => {
                forgotten += 1;
                if args.json {
                    json::print(screen, &JsonPair::new("forgotten", info));
                }
            }
            // Somebody else was faster.
            Err(StateError::Missing) => {}
            Err(error) if first_failure.is_none() => first_failure = Some(error.into()),
            Err(error) => screen.show_failure(&error.into()),
        }
    }
    if !args.json {
        screen.line(&format!("Forgot {}.", count(forgotten, "pair of folders", "pairs of folders")));
    }
    first_failure.map_or(Ok(Code::Done), Err)
}

fn described(info: &PairInfo) -> String {
    match folders(info) {
        Ok([left, right]) => format!("  {}  {left}  {right}", info.id),
        Err(_) => format!("  {}", info.id),
    }
}

#[derive(Serialize)]
struct JsonPair<'a> {
    event: &'static str,
    pair: &'a PairId,
    roots: Option<&'a [RootIdentity; 2]>,
    saved: Option<String>,
    run: Option<&'a RunId>,
    items: u64,
    bytes: u64,
    undo_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    criteria: Option<&'a str>,
    problem: Option<Problem>,
}

#[derive(Serialize)]
struct Problem {
    kind: &'static str,
    text: String,
}

impl<'a> JsonPair<'a> {
    fn new(event: &'static str, info: &'a PairInfo) -> Self {
        let pair = Self {
            event,
            pair: &info.id,
            roots: info.roots.as_ref().ok(),
            saved: info.saved.map(utc_time),
            run: info.run.as_ref(),
            items: info.items,
            bytes: info.bytes,
            undo_since: info.kept_since.map(utc_time),
            filter: None,
            criteria: None,
            problem: None,
        };
        match &info.roots {
            Ok(_) => pair,
            Err(error) => pair.with_problem(error),
        }
    }

    fn with_problem(self, error: &StateError) -> Self {
        Self { problem: Some(Problem { kind: error.word(), text: error.to_string() }), ..self }
    }
}

#[derive(Serialize)]
struct JsonRun<'a> {
    event: &'static str,
    run: &'a RunId,
    saved: String,
    changes: u64,
}

#[derive(Serialize)]
struct JsonItem {
    event: &'static str,
    path: RelPath,
    left: JsonStamp,
    right: JsonStamp,
    hash: Option<String>,
    grade: &'static str,
    seen: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize)]
struct JsonStamp {
    kind: Kind,
    size: u64,
    modified: String,
    changed: Option<String>,
}

impl JsonItem {
    fn new(path: RelPath, known: &Known) -> Self {
        let stamp = |stamp: &Stamp| JsonStamp {
            kind: stamp.kind,
            size: stamp.size,
            modified: utc_time(stamp.modified),
            changed: stamp.changed.map(utc_time),
        };
        Self {
            event: "item",
            path,
            left: stamp(&known.stamps[0]),
            right: stamp(&known.stamps[1]),
            hash: known.hash.map(|hash| hex(&hash)),
            grade: grade(known.grade),
            seen: utc_time(known.seen),
        }
    }
}
