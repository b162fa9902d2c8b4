//! Plans as files: JSON, one line per item, so that a plan of any length is written and read in little memory, is looked
//! through with the usual tools, and is cut into parts at line ends.
//!
//! ```text
//! {"format":"fcs-plan","version":2,"engine":"0.9.0","roots":["/a","/b"]}
//! {"folder":{...}}       a folder of the plan; its steps follow
//! {"step":{...}}         ... and what goes along with one that replaces a folder: {"held":{...}}
//! {"removals-in":{...}}  a folder that loses items; they follow
//! {"removal":{...}}
//! {"change":{"move":{...}}}  {"change":{"set-metadata":{...}}}
//! {"renames-in":{...}}  {"rename":{...}}  {"skip":{...}}  {"unreadable":"path"}  {"refused":...}  {"note":"..."}
//! {"target":{...}}       a root that is written to, the one it is read from, and what is done there
//! {"end":{"lines":N,"blake3":"..."}}
//! ```
//!
//! A root is named by its place in the list of the first line. Version 1 had a direction in its stead and is refused.
//!
//! Names and paths are stored exactly: as text where they are UTF-8, else as `{"bytes":[...]}`.
//!
//! Invariants: what is read is the plan that was written, whole and unchanged, or an error: the last line says how many
//! lines come before it and what they hash to. No path that is read is one of this program's own, wherever the file comes
//! from, and no root one that is not in the first line. Every item still says what source and target looked like, so a plan that is old is refused item by item.

use std::io::{self, BufRead, Read, Write};

use fcs_sys::Name;
use serde::{Deserialize, Serialize};

use super::{
    BadRoots, FolderPlan, HeldFolder, ItemChange, Plan, Removal, RemovalFolder, Renamed, RenamedIn,
    RootIndex, RootPath, Skip, Step, Target,
};
use crate::names::is_ours;

/// Version of the format.
pub const VERSION: u32 = 2;

const FORMAT: &str = "fcs-plan";

/// Longest line that is read, in bytes: a path of some thousand folders, or [`HELD_PER_LINE`] long names.
const LONGEST_LINE: u64 = 16 << 20;

/// Items of one folder that goes along, per line.
const HELD_PER_LINE: usize = 256;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    format: String,
    version: u32,
    /// Version of the engine that wrote it.
    pub engine: String,
    /// The roots as they were called, for people.
    pub roots: Vec<String>,
}

/// One item of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// A folder; its steps follow.
    Folder(FolderPlan),
    /// A step in the folder before.
    Step(Box<Step>),
    /// What goes with the folder that the step before replaces; may come in several lines.
    Held(HeldFolder),
    /// A folder that loses items, which follow.
    RemovalsIn(RemovalFolder),
    /// An item that is removed from the folder before.
    Removal(Removal),
    /// An item of which something is changed by itself.
    Change(Box<ItemChange>),
    /// A folder with items that are respelled, which follow.
    RenamesIn(RenamedIn),
    /// An item that is respelled in the folder before.
    Rename(Renamed),
    /// An item that is left alone.
    Skip(Skip),
    /// An item of the source that could not be read.
    Unreadable(RootPath),
    /// What bits and owners keep the user from.
    Refused {
        /// From what.
        from: RefusedFrom,
        /// The item.
        at: RootPath,
    },
    /// Said once in the report.
    Note(String),
    /// A root that is written to. They come last, in the order in which the plan has them.
    Target(Target),
}

/// What bits and owners keep a user from: see [`Line::Refused`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum RefusedFrom {
    Reading,
    Writing,
    Replacing,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Lines before it, the first one included.
    pub lines: u64,
    /// BLAKE3 of all bytes before it, in hexadecimal digits.
    pub blake3: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Last {
    End(End),
}

/// Why a plan file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Io(#[from] io::Error),
    /// The first line is none of a plan.
    #[error("it is no plan")]
    NotAPlan,
    /// Another version of the program wrote it.
    #[error("it has format {found}, and this program reads format {VERSION}")]
    OtherVersion {
        /// The version in it.
        found: u32,
    },
    /// A line that no plan has.
    #[error("line {line} is not as plans have it: {why}")]
    BadLine {
        /// Counted from 1.
        line: u64,
        /// In words.
        why: String,
    },
    /// What is done to one root does not stand together, or such a thing.
    #[error(transparent)]
    Roots(#[from] BadRoots),
    /// The last line is missing.
    #[error("it ends early")]
    EndsEarly,
    /// The lines are not those that were written.
    #[error("it has been changed since it was written")]
    Changed,
}

/// Writes a plan item by item, holding none of them.
#[derive(Debug)]
pub struct PlanWriter<W: Write> {
    out: W,
    hasher: blake3::Hasher,
    lines: u64,
}

impl<W: Write> PlanWriter<W> {
    /// Begins a plan between roots that are called so.
    ///
    /// # Errors
    ///
    /// As writing has them.
    pub fn begin(out: W, roots: &[&str]) -> io::Result<Self> {
        let mut writer = Self { out, hasher: blake3::Hasher::new(), lines: 0 };
        writer.write(&Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            roots: roots.iter().map(|&root| root.to_owned()).collect(),
        })?;
        Ok(writer)
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hasher.update(&text);
        self.lines += 1;
        self.out.write_all(&text)
    }

    /// Adds an item, in the order of a plan.
    ///
    /// # Errors
    ///
    /// As writing has them.
    pub fn push(&mut self, line: &Line) -> io::Result<()> {
        self.write(line)
    }

    /// Writes which roots are written to, and the last line, without which nobody takes the file for a plan. Returns what it wrote to.
    ///
    /// # Errors
    ///
    /// As writing has them.
    pub fn finish(mut self, targets: &[Target]) -> io::Result<W> {
        targets.iter().try_for_each(|target| self.push(&Line::Target(target.clone())))?;
        let blake3 = self.hasher.finalize().to_hex().to_string();
        let end = End { lines: self.lines, blake3 };
        serde_json::to_writer(&mut self.out, &Last::End(end))?;
        self.out.write_all(b"\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Writes a whole plan between roots that are called so.
///
/// # Errors
///
/// As writing has them.
pub fn write<W: Write>(plan: &Plan, roots: &[&str], out: W) -> io::Result<W> {
    let mut writer = PlanWriter::begin(out, roots)?;
    for folder in &plan.folders {
        writer.push(&Line::Folder(FolderPlan { steps: Vec::new(), ..folder.clone() }))?;
        for step in &folder.steps {
            writer.push(&Line::Step(Box::new(Step { goes_along: Vec::new(), ..step.clone() })))?;
            for held in &step.goes_along {
                let mut parts = held.items.chunks(HELD_PER_LINE);
                let first = parts.next().unwrap_or_default();
                for items in std::iter::once(first).chain(parts) {
                    writer
                        .push(&Line::Held(HeldFolder { path: held.path.clone(), items: items.to_vec() }))?;
                }
            }
        }
    }
    for folder in &plan.removals {
        writer.push(&Line::RemovalsIn(RemovalFolder { items: Vec::new(), ..folder.clone() }))?;
        folder.items.iter().try_for_each(|item| writer.push(&Line::Removal(item.clone())))?;
    }
    plan.changes.iter().try_for_each(|change| writer.push(&Line::Change(Box::new(change.clone()))))?;
    for folder in &plan.renames {
        writer.push(&Line::RenamesIn(RenamedIn { items: Vec::new(), ..folder.clone() }))?;
        folder.items.iter().try_for_each(|item| writer.push(&Line::Rename(item.clone())))?;
    }
    plan.skipped.iter().try_for_each(|skip| writer.push(&Line::Skip(skip.clone())))?;
    plan.unreadable.iter().try_for_each(|at| writer.push(&Line::Unreadable(at.clone())))?;
    for (from, refused) in [
        (RefusedFrom::Reading, &plan.refused.unreadable),
        (RefusedFrom::Writing, &plan.refused.unwritable),
        (RefusedFrom::Replacing, &plan.refused.kept_off),
    ] {
        refused.iter().try_for_each(|at| writer.push(&Line::Refused { from, at: at.clone() }))?;
    }
    plan.notes.iter().try_for_each(|note| writer.push(&Line::Note(note.clone())))?;
    writer.finish(&plan.targets)
}

/// Reads a plan item by item, holding one line. After the last item [`PlanReader::end`] says what the plan comes to; only
/// then is it known that the items are those that were written.
#[derive(Debug)]
pub struct PlanReader<R: BufRead> {
    input: R,
    hasher: blake3::Hasher,
    header: Header,
    lines: u64,
    text: Vec<u8>,
    /// The folder of the items that follow is the root.
    in_root: bool,
    end: Option<End>,
    stopped: bool,
}

impl<R: BufRead> PlanReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// When it is none of a plan that this version reads.
    pub fn begin(mut input: R) -> Result<Self, PlanFileError> {
        #[derive(Deserialize)]
        struct Known {
            format: String,
            version: u32,
        }
        let mut text = Vec::new();
        if !next_line(&mut input, &mut text, 1)? {
            return Err(PlanFileError::NotAPlan);
        }
        let known: Known = serde_json::from_slice(&text).map_err(|_| PlanFileError::NotAPlan)?;
        if known.format != FORMAT {
            return Err(PlanFileError::NotAPlan);
        }
        if known.version != VERSION {
            return Err(PlanFileError::OtherVersion { found: known.version });
        }
        let header = serde_json::from_slice(&text).map_err(|e| bad(1, &e))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&text);
        Ok(Self { input, hasher, header, lines: 1, text, in_root: false, end: None, stopped: false })
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The last line, once everything has been read and is as it was written.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    fn read(&mut self) -> Result<Option<Line>, PlanFileError> {
        if !next_line(&mut self.input, &mut self.text, self.lines + 1)? {
            return Err(PlanFileError::EndsEarly);
        }
        if self.text.starts_with(b"{\"end\"") {
            let Last::End(end) = serde_json::from_slice(&self.text).map_err(|e| bad(self.lines + 1, &e))?;
            if end.lines != self.lines || end.blake3 != self.hasher.finalize().to_hex().as_str() {
                return Err(PlanFileError::Changed);
            }
            if !self.input.fill_buf()?.is_empty() {
                return Err(PlanFileError::Changed);
            }
            self.end = Some(end);
            return Ok(None);
        }
        self.hasher.update(&self.text);
        self.lines += 1;
        let line = serde_json::from_slice(&self.text).map_err(|e| bad(self.lines, &e))?;
        match &line {
            Line::Folder(FolderPlan { target_path: path, .. })
            | Line::RemovalsIn(RemovalFolder { path, .. })
            | Line::RenamesIn(RenamedIn { path, .. }) => self.in_root = path.is_root(),
            _ => {}
        }
        let missing = roots_of(&line).into_iter().flatten();
        let missing = missing.filter(|root| usize::from(root.0) >= self.header.roots.len()).min();
        match (forbidden(&line, self.in_root), missing) {
            (Some(why), _) => Err(PlanFileError::BadLine { line: self.lines, why: why.to_owned() }),
            (None, Some(root)) => Err(BadRoots::Missing(root).into()),
            (None, None) => Ok(Some(line)),
        }
    }
}

impl<R: BufRead> Iterator for PlanReader<R> {
    type Item = Result<Line, PlanFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        let read = self.read().transpose();
        self.stopped = !matches!(read, Some(Ok(_)));
        read
    }
}

/// Reads one line with its end. `false` at the end of the file; a last line without its end is none.
fn next_line(input: &mut impl BufRead, text: &mut Vec<u8>, number: u64) -> Result<bool, PlanFileError> {
    text.clear();
    input.by_ref().take(LONGEST_LINE).read_until(b'\n', text)?;
    match text.last() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) if text.len() as u64 == LONGEST_LINE => {
            Err(PlanFileError::BadLine { line: number, why: "it is too long".to_owned() })
        }
        Some(_) => Err(PlanFileError::EndsEarly),
    }
}

fn bad(line: u64, error: &serde_json::Error) -> PlanFileError {
    PlanFileError::BadLine { line, why: error.to_string() }
}

/// What is said of a line about an item that is none of the user's.
pub(crate) const OURS: &str = "it names what belongs to the program itself";

/// Why a line is one that no plan may have, whoever wrote it: what this program keeps for itself is never an item.
fn forbidden(line: &Line, in_root: bool) -> Option<&'static str> {
    let is_own_name = |name: &Name| name.is_reserved() || in_root && name.is_home();
    let is_ours = match line {
        Line::Folder(folder) => is_ours(&folder.target_path) || is_ours(&folder.source_path),
        Line::Step(step) => is_own_name(&step.target_name) || is_own_name(&step.source_name),
        Line::Held(held) => held.path.names().any(|name| name.is_reserved()),
        Line::RemovalsIn(folder) => is_ours(&folder.path) || is_ours(&folder.source.path),
        Line::Removal(item) => is_own_name(&item.name),
        Line::Change(change) => return change.single().forbidden(),
        Line::RenamesIn(folder) => is_ours(&folder.path),
        Line::Rename(item) => is_own_name(&item.from) || is_own_name(&item.to),
        Line::Skip(_) | Line::Unreadable(_) | Line::Refused { .. } | Line::Note(_) | Line::Target(_) => false,
    };
    is_ours.then_some(OURS)
}

/// The roots that a line names itself; what follows a folder is where that is.
fn roots_of(line: &Line) -> [Option<RootIndex>; 2] {
    match line {
        Line::Folder(folder) => [Some(folder.source_root), Some(folder.target_root)],
        Line::RemovalsIn(folder) => [Some(folder.root), Some(folder.source.root)],
        Line::Change(change) => [Some(change.root()), None],
        Line::RenamesIn(folder) => [Some(folder.root), None],
        Line::Skip(skip) => [Some(skip.root), None],
        Line::Unreadable(at) | Line::Refused { at, .. } => [Some(at.root), None],
        Line::Target(target) => [Some(target.root), Some(target.source)],
        Line::Step(_) | Line::Held(_) | Line::Removal(_) | Line::Rename(_) | Line::Note(_) => [None, None],
    }
}

/// Reads a whole plan.
///
/// # Errors
///
/// When it is not, whole and unchanged, a plan that this version reads.
pub fn read(input: impl BufRead) -> Result<(Header, Plan), PlanFileError> {
    let mut reader = PlanReader::begin(input)?;
    let mut plan = Plan::empty();
    while let Some(line) = reader.next() {
        add(&mut plan, line?).ok_or_else(|| PlanFileError::BadLine {
            line: reader.lines,
            why: "it follows nothing".to_owned(),
        })?;
    }
    reader.end.as_ref().ok_or(PlanFileError::EndsEarly)?;
    plan.parts()?;
    Ok((reader.header, plan))
}

/// Adds an item to a plan; `None` where it belongs to one before it and there is none.
fn add(plan: &mut Plan, line: Line) -> Option<()> {
    match line {
        Line::Folder(folder) => plan.folders.push(folder),
        Line::Step(step) => plan.folders.last_mut()?.steps.push(*step),
        Line::Held(held) => {
            let along = &mut plan.folders.last_mut()?.steps.last_mut()?.goes_along;
            match along.last_mut() {
                Some(last) if last.path == held.path => last.items.extend(held.items),
                _ => along.push(held),
            }
        }
        Line::RemovalsIn(folder) => plan.removals.push(folder),
        Line::Removal(item) => plan.removals.last_mut()?.items.push(item),
        Line::Change(change) => plan.changes.push(*change),
        Line::RenamesIn(folder) => plan.renames.push(folder),
        Line::Rename(item) => plan.renames.last_mut()?.items.push(item),
        Line::Skip(skip) => plan.skipped.push(skip),
        Line::Unreadable(at) => plan.unreadable.push(at),
        Line::Refused { from, at } => match from {
            RefusedFrom::Reading => plan.refused.unreadable.push(at),
            RefusedFrom::Writing => plan.refused.unwritable.push(at),
            RefusedFrom::Replacing => plan.refused.kept_off.push(at),
        },
        Line::Note(note) => plan.notes.push(note),
        Line::Target(target) => {
            plan.totals += &target.totals;
            plan.targets.push(target);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
