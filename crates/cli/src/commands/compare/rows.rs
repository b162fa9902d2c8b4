//! One row of a comparison, ready to be shown: its mark, path and reasons.
//!
//! Invariant: what is known and what is not are distinguished; a row that could not be read or decided never looks like
//! a difference. This module must not know whether it is printed as a line, a tree or JSON.

use std::collections::HashMap;
use std::path::PathBuf;

use fcs_app::hints::{FrontEnd, with_hint};
use fcs_engine::Settings;
use fcs_engine::compare::{Comparison, Differences, Group, Row, RowId, Verdict};
use fcs_engine::moves::Moves;
use fcs_engine::tree::{Entry, NodeId, Tree};
use fcs_sys::{Kind, RelPath, escaped};

use crate::output::terminal::Tone;
use crate::output::text::{decimals, local_time, number};

/// The sign in front of a row.
pub(super) fn sign(group: Group) -> char {
    match group {
        Group::Same => '=',
        Group::LeftOnly => '+',
        Group::RightOnly => '-',
        Group::Different => '*',
        Group::Problem => '!',
    }
}

/// The tone of a row.
pub(super) fn tone(group: Group) -> Tone {
    match group {
        Group::Same => Tone::Dim,
        Group::LeftOnly => Tone::Good,
        Group::RightOnly | Group::Problem => Tone::Bad,
        Group::Different => Tone::Changed,
    }
}

/// A verdict's name in JSON.
pub(super) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::LeftOnly => "left-only",
        Verdict::RightOnly => "right-only",
        Verdict::Different(_) => "different",
        Verdict::KindClash => "kind-clash",
        Verdict::NameClash => "name-clash",
        Verdict::Unreadable => "unreadable",
        Verdict::NotComparable => "not-comparable",
    }
}

/// The criteria by which two items differ, by name.
pub(super) fn difference_names(d: Differences) -> Vec<&'static str> {
    let all = [
        ("size", d.size),
        ("created", d.created),
        ("modified", d.modified),
        ("content", d.content),
        ("name", d.spelling),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// An item and the tree it is in.
type SideNode<'a> = (&'a Tree, NodeId);

/// Looks at the rows of one comparison.
pub(super) struct Rows<'a> {
    comparison: &'a Comparison,
    moves: &'a Moves,
    existence_counts: bool,
    decimals: usize,
    /// Why content could not be read, by absolute path.
    content_errors: HashMap<PathBuf, String>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(comparison: &'a Comparison, moves: &'a Moves, settings: &Settings) -> Self {
        Self {
            comparison,
            moves,
            existence_counts: settings.compare_existence,
            decimals: decimals(settings.time_tolerance_nanos),
            content_errors: comparison
                .errors
                .iter()
                .map(|e| (e.path.clone(), with_hint(e, FrontEnd::CommandLine)))
                .collect(),
        }
    }

    pub(super) fn row(&self, id: RowId) -> &'a Row {
        &self.comparison.rows[id as usize]
    }

    /// All rows but the root, each folder before what it holds, with its depth (0 directly below the root).
    pub(super) fn in_order(&self) -> impl Iterator<Item = (RowId, usize)> + use<'a> {
        let rows = &self.comparison.rows;
        let children =
            |id: RowId| rows.get(id as usize).map_or(0..0, |r| r.first_child..r.first_child + r.children);
        // An own stack instead of recursion: a tree may be deeper than the thread's stack.
        let mut open = vec![children(0)];
        std::iter::from_fn(move || {
            while let Some(range) = open.last_mut() {
                if let Some(id) = range.next() {
                    let depth = open.len() - 1;
                    open.push(children(id));
                    return Some((id, depth));
                }
                open.pop();
            }
            None
        })
    }

    /// How many items have moved, each folder as one.
    pub(super) fn moved(&self) -> u64 {
        self.moves.iter().count() as u64
    }

    /// The item's path on the other side, where it has moved: a folder's, or a file's that moved by itself.
    pub(super) fn moved_path(&self, id: RowId) -> Option<RelPath> {
        let found = self.moves.of_row(id).filter(|found| found.is_top)?;
        Some(self.path(if id == found.left { found.right } else { found.left }))
    }

    /// Whether the row of a move says what this one would: it is where the item was, or in a folder that has moved.
    pub(super) fn is_told_by_move(&self, id: RowId) -> bool {
        self.moves.of_row(id).is_some_and(|found| id != found.left || !found.is_top)
    }

    /// Whether the row is a difference or a problem.
    pub(super) fn counts(&self, id: RowId) -> bool {
        match self.row(id).verdict.group() {
            Group::Same => false,
            Group::LeftOnly | Group::RightOnly => self.existence_counts,
            Group::Different | Group::Problem => true,
        }
    }

    /// The path on the left, or on the right where only that side has the item.
    pub(super) fn path(&self, id: RowId) -> RelPath {
        match self.sides(id) {
            (Some((tree, node)), _) | (None, Some((tree, node))) => tree.path(node),
            (None, None) => RelPath::root(),
        }
    }

    /// The path on the right where both sides have the item but spell it differently.
    pub(super) fn other_path(&self, id: RowId) -> Option<RelPath> {
        let (Some((left, l)), Some((right, r))) = self.sides(id) else {
            return None;
        };
        if left.name(l) == right.name(r) {
            return None;
        }
        Some(right.path(r))
    }

    /// The item's name as raw bytes.
    pub(super) fn name(&self, id: RowId) -> &'a [u8] {
        match self.sides(id) {
            (Some((tree, node)), _) | (None, Some((tree, node))) => tree.name(node),
            (None, None) => b"",
        }
    }

    fn sides(&self, id: RowId) -> (Option<SideNode<'a>>, Option<SideNode<'a>>) {
        let row = self.row(id);
        let comparison = self.comparison;
        (row.left().map(|node| (&*comparison.left, node)), row.right().map(|node| (&*comparison.right, node)))
    }

    /// What is known of the item on each side. An item that could not be asked has nothing to show.
    pub(super) fn entries(&self, id: RowId) -> (Option<Entry>, Option<Entry>) {
        let (left, right) = self.sides(id);
        let known = |side: Option<SideNode<'a>>| {
            side.filter(|(tree, node)| tree.node_error(*node).is_none()).map(|(tree, node)| tree.entry(node))
        };
        if id == 0 {
            return (Some(self.comparison.left.root), Some(self.comparison.right.root));
        }
        (known(left), known(right))
    }

    /// Whether the item is a folder on a side that has it.
    pub(super) fn is_folder(&self, id: RowId) -> bool {
        let (left, right) = self.entries(id);
        left.or(right).is_some_and(|entry| entry.kind == Kind::Folder)
    }

    /// Why the row is a difference or a problem, and how the right side spells it if it does otherwise; empty for the
    /// rest.
    pub(super) fn reason(&self, id: RowId) -> String {
        let mut reason = self.verdict_reason(id);
        if let Some((_, name)) = self.other_path(id).and_then(|path| path.split()) {
            let and = if reason.is_empty() { "" } else { ", " };
            reason = format!("{reason}{and}spelled {name} on the right");
        }
        reason
    }

    fn verdict_reason(&self, id: RowId) -> String {
        match self.row(id).verdict {
            Verdict::Same | Verdict::LeftOnly | Verdict::RightOnly => String::new(),
            Verdict::Different(differences) => self.differences(id, differences),
            Verdict::KindClash => {
                let (left, right) = self.entries(id);
                let kind = |entry: Option<Entry>| entry.map_or("unknown", |e| kind_name(e.kind));
                format!("{} on the left, {} on the right", kind(left), kind(right))
            }
            Verdict::NameClash => "two names on one side are one name on the other".to_owned(),
            Verdict::Unreadable => self.read_error(id).unwrap_or_else(|| "it could not be read".to_owned()),
            Verdict::NotComparable => {
                self.content_error(id).unwrap_or_else(|| "it could not be compared".to_owned())
            }
        }
    }

    fn differences(&self, id: RowId, d: Differences) -> String {
        let (Some(left), Some(right)) = self.entries(id) else {
            return String::new();
        };
        let mut parts = Vec::new();
        if d.size {
            parts.push(format!("size {} → {}", number(left.size), number(right.size)));
        }
        let mut time = |name: &str, l, r| {
            let (l, r) = (local_time(l, self.decimals), local_time(r, self.decimals));
            parts.push(format!("{name} {l} → {r}"));
        };
        if d.created
            && let (Some(l), Some(r)) = (left.created(), right.created())
        {
            time("created", l, r);
        }
        if d.modified {
            time("modified", left.modified, right.modified);
        }
        if d.content {
            parts.push(self.content_difference(id));
        }
        if d.spelling {
            parts.push("name spelled differently".to_owned());
        }
        parts.join(", ")
    }

    fn content_difference(&self, id: RowId) -> String {
        if let (Some((left, l)), Some((right, r))) = self.sides(id)
            && let (Some(from), Some(to)) = (left.link(l), right.link(r))
        {
            return format!("link to {} → {}", escaped(&from.text), escaped(&to.text));
        }
        "content differs".to_owned()
    }

    /// The error of the item itself, or of the listing of the folder that it is, or of the nearest folder above.
    fn read_error(&self, id: RowId) -> Option<String> {
        let own = |id: RowId| {
            let (left, right) = self.sides(id);
            [left, right].into_iter().flatten().find_map(|(tree, node)| {
                let folder = || tree.folder_of(node).and_then(|folder| tree.folder_error(folder));
                tree.node_error(node).or_else(folder)
            })
        };
        let of_root = || {
            let comparison = self.comparison;
            [&comparison.left, &comparison.right].into_iter().find_map(|tree| tree.folder_error(0))
        };
        let mut at = id;
        loop {
            let found = if at == 0 { of_root() } else { own(at) };
            if found.is_some() || at == 0 {
                return found.map(|error| with_hint(error, FrontEnd::CommandLine));
            }
            at = self.row(at).parent;
        }
    }

    fn content_error(&self, id: RowId) -> Option<String> {
        let (left, right) = self.sides(id);
        [left, right].into_iter().flatten().find_map(|(tree, node)| {
            let path = tree.root_path.join(tree.path(node).to_path());
            self.content_errors.get(&path).cloned()
        })
    }
}

/// What an item is, in words.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Folder => "folder",
        Kind::Symlink => "link",
        Kind::Other => "special file",
    }
}
