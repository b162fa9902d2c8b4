//! `fcs compare`: rows on standard output, the summary on standard error, the verdict in the exit code.
//!
//! Invariant: nothing is written to either folder.

mod rows;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use fcs_app::hints::{FrontEnd, note_hint, note_words};
use fcs_app::remembering::recalled;
use fcs_engine::Control;
use fcs_engine::compare::{Comparison, Group, RowId, Summary, Verdict};
use fcs_engine::settings::ContentCheck;
use fcs_engine::tree::Entry;
use fcs_sys::{Kind, RelPath, escaped};
use serde::Serialize;

use crate::args::{CompareArgs, Format};
use crate::exit::Code;
use crate::failure::CommandResult;
use crate::interrupt::Interrupt;
use crate::output::json;
use crate::output::terminal::{Screen, Tone};
use crate::output::text::{count, number, seconds, size, utc_time};
use crate::session::Session;
use crate::{options, unfinished};
use rows::{Rows, difference_names, sign, tone, verdict_name};

/// Runs the command.
pub(crate) fn run(args: &CompareArgs, screen: &Arc<Screen>) -> CommandResult {
    let settings = options::for_compare(&args.compare, &args.tuning)?;
    let session = Session::open(&args.pair, &args.compare, settings, Control::default())?;
    let interrupt = Interrupt::install(screen)?;
    unfinished::settle(&session, args.json || args.null, screen, &interrupt)?;
    let shape = match (args.json, args.null, args.format) {
        (true, _, _) => Shape::Json,
        (_, true, _) => Shape::Raw,
        (_, _, Format::Lines) => Shape::Lines,
        (_, _, Format::Tree) => Shape::Tree,
    };
    compare(&session, shape, screen, &interrupt)
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One line per row.
    Lines,
    /// Indented below their folders.
    Tree,
    /// Raw names, each line ended by NUL.
    Raw,
    /// JSON.
    Json,
}

/// Compares and prints.
pub(crate) fn compare(
    session: &Session,
    shape: Shape,
    screen: &Arc<Screen>,
    interrupt: &Interrupt,
) -> CommandResult {
    let began = Instant::now();
    let comparison = session.compare(screen, interrupt)?;
    let remembered = recalled(&session.folders, &session.settings);
    let moves = session.moves(&comparison, remembered.as_deref(), screen, interrupt)?;
    drop(remembered);
    let seconds = began.elapsed().as_secs_f64();
    interrupt.idle("");

    let code = Code::of_comparison(&comparison.summary);
    let rows = Rows::new(&comparison, &moves, &session.settings);
    let moved = rows.moved();
    Printer { rows, screen, verbose: screen.show.verbose }.print(shape);
    let notes = &comparison.notes;
    if shape == Shape::Json {
        for note in notes {
            let hint = note_hint(note, FrontEnd::CommandLine);
            json::print(screen, &JsonNote { event: "note", text: &note.text, hint });
        }
        json::print(screen, &JsonSummary::new(session, &comparison, moved, seconds, code));
    } else if !screen.show.quiet {
        for note in notes {
            screen.message(&format!("Note: {}", note_words(note, FrontEnd::CommandLine)));
        }
        screen.message(&summary(&comparison.summary, moved, &session.criteria(), seconds, code));
    }
    Ok(code)
}

struct Printer<'a> {
    rows: Rows<'a>,
    screen: &'a Screen,
    /// Equal items and reasons too.
    verbose: bool,
}

impl Printer<'_> {
    fn print(&self, shape: Shape) {
        // The root is shown only when it has something to say; it is in no count.
        let root = (!matches!(self.rows.row(0).verdict, Verdict::Same)).then_some((0, 0));
        if shape == Shape::Tree {
            return self.tree();
        }
        for (id, _) in root.into_iter().chain(self.rows.in_order()) {
            if !self.verbose && !self.rows.counts(id) {
                continue;
            }
            match shape {
                Shape::Json => json::print(self.screen, &JsonRow::new(&self.rows, id)),
                Shape::Raw => self.raw(id),
                Shape::Lines | Shape::Tree if self.rows.is_told_by_move(id) => {}
                Shape::Lines | Shape::Tree => self.line(id, &self.display_path_of(id), ""),
            }
        }
    }

    fn display_path_of(&self, id: RowId) -> String {
        let slash = if self.rows.is_folder(id) { "/" } else { "" };
        format!("{}{slash}", self.rows.path(id))
    }

    fn line(&self, id: RowId, what: &str, indent: &str) {
        let group = self.rows.row(id).verdict.group();
        // Problems always say why; a bare path would tell nothing about them.
        let reason =
            if self.verbose || group == Group::Problem { self.rows.reason(id) } else { String::new() };
        let style = self.screen.style;
        if let Some(old) = self.rows.moved_path(id) {
            let slash = if self.rows.is_folder(id) { "/" } else { "" };
            return self.screen.line(&style.paint(Tone::Changed, format!("> {indent}{old}{slash} → {what}")));
        }
        let head = style.paint(tone(group), format!("{} {indent}{what}", sign(group)));
        if reason.is_empty() {
            self.screen.line(&head);
        } else {
            self.screen.line(&format!("{head}  {}", style.paint(Tone::Dim, format!("({reason})"))));
        }
    }

    fn raw(&self, id: RowId) {
        let mark = sign(self.rows.row(id).verdict.group());
        let mut line = format!("{mark} ").into_bytes();
        line.extend_from_slice(if id == 0 { b"." } else { b"" });
        line.extend_from_slice(self.rows.path(id).as_bytes());
        if self.rows.is_folder(id) {
            line.push(b'/');
        }
        line.push(0);
        self.screen.bytes(&line);
    }

    /// Rows below their folders; folders on the way to a row that is shown are shown too.
    fn tree(&self) {
        let mut shown: HashSet<RowId> = HashSet::new();
        for (id, _) in self.rows.in_order() {
            let mut at = id;
            let is_shown = (self.verbose || self.rows.counts(id)) && !self.rows.is_told_by_move(id);
            while is_shown && at != 0 && shown.insert(at) {
                at = self.rows.row(at).parent;
            }
        }
        if self.rows.counts(0) {
            self.line(0, "./", "");
        }
        for (id, depth) in self.rows.in_order().filter(|(id, _)| shown.contains(id)) {
            let slash = if self.rows.is_folder(id) { "/" } else { "" };
            self.line(id, &format!("{}{slash}", escaped(self.rows.name(id))), &"  ".repeat(depth));
        }
    }
}

fn summary(s: &Summary, moved: u64, by: &str, took: f64, code: Code) -> String {
    let mut lines = Vec::new();
    if code == Code::Done && s.left_only + s.right_only == 0 {
        lines.push(format!(
            "No differences: {} compared by {by} in {}.",
            count(s.items, "item", "items"),
            seconds(took)
        ));
        return lines.concat();
    }
    let mut parts = vec![count(s.items, "item", "items")];
    let mut part = |n: u64, text: &str| {
        if n > 0 {
            parts.push(format!("{} {text}", number(n)));
        }
    };
    part(s.same, "the same");
    part(s.different, "different");
    part(s.left_only, "only in LEFT");
    part(s.right_only, "only in RIGHT");
    part(s.clashes, "clashing");
    part(s.unreadable, "unreadable");
    part(s.not_comparable, "not comparable");
    lines.push(format!("{}; compared by {by} in {}.", parts.join(", "), seconds(took)));
    lines.push(format!(
        "To copy: {} from left to right, or {} from right to left.",
        size(s.bytes_left_to_right),
        size(s.bytes_right_to_left)
    ));
    match moved {
        0 => {}
        1 => {
            lines.push("Of these 1 item has only another path on the other side; sync renames it.".into());
        }
        n => lines.push(format!(
            "Of these {} items have only another path on the other side; sync renames them.",
            number(n)
        )),
    }
    lines.join("\n")
}

#[derive(Serialize)]
struct JsonNote<'a> {
    event: &'static str,
    text: &'a str,
    /// What decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

#[derive(Serialize)]
struct JsonRow {
    event: &'static str,
    mark: char,
    verdict: &'static str,
    path: RelPath,
    /// Where the right side spells the path differently.
    #[serde(skip_serializing_if = "Option::is_none")]
    right_path: Option<RelPath>,
    /// Where the other side has the item, if it has moved. What is in a folder that has moved has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<RelPath>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<&'static str>,
    left: Option<JsonEntry>,
    right: Option<JsonEntry>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

#[derive(Serialize)]
struct JsonEntry {
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    modified: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
}

impl JsonEntry {
    fn new(entry: &Entry) -> Self {
        Self {
            kind: entry.kind,
            size: (entry.kind == Kind::File).then_some(entry.size),
            modified: utc_time(entry.modified),
            created: entry.created().map(utc_time),
        }
    }
}

impl JsonRow {
    fn new(rows: &Rows<'_>, id: RowId) -> Self {
        let verdict = rows.row(id).verdict;
        let (left, right) = rows.entries(id);
        Self {
            event: "row",
            mark: sign(verdict.group()),
            verdict: verdict_name(verdict),
            path: rows.path(id),
            right_path: rows.other_path(id),
            moved: rows.moved_path(id),
            differences: if let Verdict::Different(d) = verdict { difference_names(d) } else { Vec::new() },
            left: left.as_ref().map(JsonEntry::new),
            right: right.as_ref().map(JsonEntry::new),
            reason: rows.reason(id),
        }
    }
}

#[derive(Serialize)]
struct JsonSummary<'a> {
    event: &'static str,
    schema: &'static str,
    left: String,
    right: String,
    criteria: String,
    #[serde(flatten)]
    counts: &'a Summary,
    /// Items, each folder as one, that have only another path on the other side.
    moved: u64,
    /// What of the content was read; absent where it is no criterion.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<JsonContent>,
    seconds: f64,
    exit_code: u8,
}

#[derive(Serialize)]
struct JsonContent {
    /// Pairs of files of equal size above zero.
    pairs: u64,
    /// Pairs of these that were known to be equal and not read.
    known_equal: u64,
    bytes_read: u64,
    /// When the first of the known ones was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_read: Option<String>,
}

impl JsonContent {
    fn new(comparison: &Comparison) -> Option<Self> {
        let read = &comparison.content_read;
        (comparison.content != ContentCheck::Off).then(|| Self {
            pairs: read.pairs,
            known_equal: read.known,
            bytes_read: read.bytes,
            oldest_read: read.oldest.map(utc_time),
        })
    }
}

impl<'a> JsonSummary<'a> {
    fn new(session: &Session, comparison: &'a Comparison, moved: u64, seconds: f64, code: Code) -> Self {
        Self {
            event: "summary",
            schema: json::SCHEMA,
            left: fcs_engine::error::display_path(&session.folders.left.path),
            right: fcs_engine::error::display_path(&session.folders.right.path),
            criteria: session.criteria(),
            counts: &comparison.summary,
            moved,
            content: JsonContent::new(comparison),
            seconds,
            exit_code: code as u8,
        }
    }
}
