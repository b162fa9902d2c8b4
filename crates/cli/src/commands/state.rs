//! `fcs state`: which pairs of folders are remembered, what of each, and how to forget it.
//!
//! Invariant: no folder that was compared is opened or changed; only what is remembered is, after it was agreed to.

use std::collections::HashSet;
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

/// What is remembered of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    /// What both folders had alike after a run, for the next one.
    Items,
    /// Files that were read and found equal.
    Content,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Content => "content",
        }
    }
}

/// One of the two memories of a pair.
struct Memory {
    what: What,
    info: PairInfo,
    states: States,
}

impl Memory {
    fn pair(&self) -> Result<Pair, StateError> {
        self.states.by_id(&self.info.id)
    }
}

/// Runs the command.
pub(crate) fn run(action: &StateAction, screen: &Screen) -> CommandResult {
    let mut found = Vec::new();
    for (what, states) in [(What::Items, pairs::open()?), (What::Content, pairs::open_content()?)] {
        let memory = |info| Memory { what, info, states: states.clone() };
        found.extend(states.list()?.into_iter().map(memory));
    }
    match action {
        StateAction::List(args) if args.json => {
            found.iter().for_each(|memory| json::print(screen, &JsonPair::new("pair", memory)));
        }
        StateAction::List(_) if found.is_empty() => screen.line("No pair of folders is remembered."),
        StateAction::List(_) => table(&found, screen),
        StateAction::Show(args) => {
            for (at, memory) in named(found, &args.pair)?.iter().enumerate() {
                if at > 0 && !args.json {
                    screen.line("");
                }
                show(args, memory, screen)?;
            }
        }
        StateAction::Forget(args) => return forget(args, found, screen),
    }
    Ok(Code::Done)
}

/// What is remembered of the pair whose name begins so.
fn named(found: Vec<Memory>, name: &str) -> Result<Vec<Memory>, Failure> {
    let fitting = found.into_iter().filter(|memory| memory.info.id.as_str().starts_with(name));
    let fitting: Vec<Memory> = fitting.filter(|_| !name.is_empty()).collect();
    let problem = match fitting.first() {
        None => format!("No pair has the name {name}."),
        Some(first) if fitting.iter().any(|other| other.info.id != first.info.id) => {
            format!("Several pairs have names that begin with {name}.")
        }
        Some(_) => return Ok(fitting),
    };
    Err(Failure::usage(problem).hint("`fcs state list` lists them."))
}

/// Both folders of a pair, or why they are not known.
fn folders(info: &PairInfo) -> Result<[String; 2], String> {
    match &info.roots {
        Ok(roots) => Ok([0, 1].map(|side| display_path(&roots[side].path))),
        Err(error) => Err(error.to_string()),
    }
}

fn table(found: &[Memory], screen: &Screen) {
    let head = ["PAIR", "OF", "SAVED", "ITEMS", "SIZE", "FOLDERS"].map(str::to_owned);
    let cells = |Memory { what, info, .. }: &Memory| {
        let saved = info.saved.map_or_else(|| "never".to_owned(), |saved| local_time(saved, 0));
        let folders = match folders(info) {
            Ok([left, right]) => format!("{left}  {right}"),
            Err(why) => printable(&why).into_owned(),
        };
        [info.id.to_string(), what.word().to_owned(), saved, number(info.items), size(info.bytes), folders]
    };
    let rows: Vec<[String; 6]> = found.iter().map(cells).collect();
    let width = |column: usize| {
        std::iter::once(&head).chain(&rows).map(|row| measure_text_width(&row[column])).max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let padded = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            // Numbers are read from the right.
            3 | 4 => format!("{}{cell}", " ".repeat(width - measure_text_width(cell))),
            _ => pad(cell, width),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    screen.line(&screen.style.paint(Tone::Strong, line(&head)));
    for (memory, row) in found.iter().zip(&rows) {
        let text = line(row);
        if memory.info.roots.is_err() {
            screen.line(&screen.style.paint(Tone::Bad, text));
        } else {
            screen.line(&text);
        }
    }
}

fn show(args: &StateShowArgs, memory: &Memory, screen: &Screen) -> Result<(), Failure> {
    let mut pair = memory.pair()?;
    let loaded = match pair.load() {
        Ok(loaded) => Some(loaded),
        Err(StateError::Missing) => None,
        Err(error) => {
            if args.json {
                json::print(screen, &JsonPair::new("pair", memory).with_problem(&error));
            }
            return Err(error.into());
        }
    };
    let kept = loaded.as_ref().map_or(Ok(Vec::new()), |_| pair.runs())?;
    if args.json {
        show_json(args, memory, loaded.as_ref(), &kept, screen);
    } else {
        show_text(args, memory, loaded.as_ref(), &kept, screen);
    }
    Ok(())
}

fn show_text(
    args: &StateShowArgs,
    Memory { what, info, .. }: &Memory,
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
    fact("Of", what.word());
    fact("Filter", &printable(&terms.filter.words));
    fact("Criteria", &printable(&terms.criteria.words));
    let by = run.as_ref().map_or_else(String::new, |run| format!(" by run {run}"));
    fact("Saved", &format!("{}{by}", local_time(*saved, 0)));
    let hashed = remembered.iter().filter(|(_, known)| known.hash.is_some()).count() as u64;
    fact("Items", &format!("{}, {} with a hash", number(remembered.len() as u64), number(hashed)));
    fact("Size", &size(info.bytes));
    if *what == What::Content
        && let Some(oldest) = remembered.iter().map(|(_, known)| known.seen).min()
    {
        fact("Read", &format!("since {}", local_time(oldest, 0)));
    }
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
    memory: &Memory,
    loaded: Option<&Loaded>,
    kept: &[KeptRun],
    screen: &Screen,
) {
    let mut pair = JsonPair::new("pair", memory);
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

fn forget(args: &StateForgetArgs, found: Vec<Memory>, screen: &Screen) -> CommandResult {
    let chosen = match &args.pair {
        Some(name) => named(found, name)?,
        None => found,
    };
    if chosen.is_empty() {
        if !args.json {
            screen.line("No pair of folders is remembered.");
        }
        return Ok(Code::Done);
    }
    let pairs = |memories: &mut dyn Iterator<Item = &Memory>| {
        let ids: HashSet<&PairId> = memories.map(|memory| &memory.info.id).collect();
        count(ids.len() as u64, "pair of folders", "pairs of folders")
    };
    let what = pairs(&mut chosen.iter());
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
             nothing, and their next comparison by content reads everything.",
            lines.join("\n")
        ));
        if !matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was changed."));
        }
    }
    let mut first_failure = None;
    let mut forgotten = Vec::new();
    for memory in &chosen {
        match memory.pair().as_mut().map_err(|_| StateError::Missing).and_then(Pair::forget) {
            Ok(()) => {
                forgotten.push(memory);
                if args.json {
                    json::print(screen, &JsonPair::new("forgotten", memory));
                }
            }
            // Somebody else was faster.
            Err(StateError::Missing) => {}
            Err(error) if first_failure.is_none() => first_failure = Some(error.into()),
            Err(error) => screen.show_failure(&error.into()),
        }
    }
    if !args.json {
        screen.line(&format!("Forgot {}.", pairs(&mut forgotten.iter().copied())));
    }
    first_failure.map_or(Ok(Code::Done), Err)
}

fn described(Memory { what, info, .. }: &Memory) -> String {
    let name = format!("  {}  {}", info.id, pad(what.word(), 7));
    match folders(info) {
        Ok([left, right]) => format!("{name}  {left}  {right}"),
        Err(_) => name.trim_end().to_owned(),
    }
}

#[derive(Serialize)]
struct JsonPair<'a> {
    event: &'static str,
    pair: &'a PairId,
    of: What,
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
    fn new(event: &'static str, Memory { what, info, .. }: &'a Memory) -> Self {
        let pair = Self {
            event,
            pair: &info.id,
            of: *what,
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
