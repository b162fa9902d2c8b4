//! A comparison as plain data that can be stored, as a tree is ([`crate::tree::stored`]): the parts of the left tree, those
//! of the right one, and then the rows. What follows from the trees is not stored: a row names its items by their places
//! in the folders that the row above it has, and totals are counted again.
//!
//! Invariant: a comparison that is read, wherever it comes from, keeps all that comparing promises of one, or is an error:
//! rows are the union of both trees and in their order, and nothing counts as absent or same that could not be read. That
//! the two items of a row have the content and the dates that its verdict says is taken on trust.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use fcs_sys::{Kind, Time};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pair::{self, Inherited};
use super::{Comparison, ContentRead, Differences, Digests, Row, RowId, Side, Verdict};
use crate::error::{ErrorRecord, NoteRecord};
use crate::settings::ContentCheck;
use crate::stored::{self, Format, StoredFileError};
use crate::tree::stored::{BadTree, Builder as TreeBuilder, Part as TreePart};
use crate::tree::{NodeId, Tree};
use crate::{Error, Note};

/// The form of a file.
const FORMAT: Format = Format { name: "fcs-comparison", version: 1, what: "comparison" };

/// Rows or digests per part.
const PER_PART: usize = 1024;

/// A piece of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// A part of the left tree.
    Left(TreePart),
    /// A part of the right tree.
    Right(TreePart),
    /// What is known of the whole; comes after both trees.
    Head(Head),
    /// More rows, breadth first.
    Rows(Vec<RowPart>),
    /// More digests, in the order of their rows.
    Digests(Vec<Digests>),
    /// Content that could not be read.
    Error(Box<ErrorRecord>),
    /// Said once.
    Note(NoteRecord),
}

/// See the fields of [`Comparison`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    content: ContentCheck,
    began: Time,
    cancelled: bool,
    existence_counts: bool,
}

/// A row. The row that it is below is the first one which has not all its rows yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowPart {
    /// Place of the left item in its folder; 0 for the root.
    pub left: Option<u32>,
    /// Place of the right item.
    pub right: Option<u32>,
    /// How many rows lie directly below it.
    pub children: u32,
    /// What the comparison says.
    pub verdict: Verdict,
}

/// Why parts are no comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadComparison {
    /// The left tree is none.
    #[error("the left tree: {0}")]
    Left(BadTree),
    /// The right tree is none.
    #[error("the right tree: {0}")]
    Right(BadTree),
    /// The trees are not sorted alike.
    #[error("the two trees are not sorted alike")]
    Orders,
    /// The trees do not come before the one head, or rows and the like do not come after it.
    #[error("a comparison has one head, after both trees")]
    Head,
    /// The first row is not the pair of roots.
    #[error("the first row is not the pair of roots")]
    Root,
    /// A row is below none.
    #[error("a row lies below none")]
    Parent,
    /// A row's item is not in its folder, or not behind those of the rows before.
    #[error("a row has an item that is not the next one of its folder")]
    Item,
    /// The names in a folder are not in order, or a row pairs two that are not one.
    #[error("the names of rows are not in order, or of two items that are not one")]
    Names,
    /// Items of a tree are in no row, or a row has fewer rows below it than it says.
    #[error("items are missing")]
    Missing,
    /// The verdict cannot be that of the two items.
    #[error("a row's verdict does not fit its items")]
    Verdict,
    /// A digest is of no row with two files, or not in order.
    #[error("a digest is of no row, or out of order")]
    Digest,
}

impl Comparison {
    /// The comparison in parts, in the order in which [`Builder`] takes them.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let head = Head {
            content: self.content,
            began: self.began,
            cancelled: self.cancelled,
            existence_counts: self.summary.existence_counts,
        };
        let row = |row: &Row| RowPart {
            // The root is nobody's child.
            left: row.left().map(|node| if node == NodeId::ROOT { 0 } else { node.child }),
            right: row.right().map(|node| if node == NodeId::ROOT { 0 } else { node.child }),
            children: row.children,
            verdict: row.verdict,
        };
        let left = self.left.parts().map(Part::Left);
        let right = self.right.parts().map(Part::Right);
        let rows = self.rows.chunks(PER_PART).map(move |rows| Part::Rows(rows.iter().map(row).collect()));
        let digests = self.digests.chunks(PER_PART).map(|digests| Part::Digests(digests.to_vec()));
        let errors = self.errors.iter().map(|error| Part::Error(Box::new(error.into())));
        let notes = self.notes.iter().map(|note| Part::Note(note.into()));
        left.chain(right).chain([Part::Head(head)]).chain(rows).chain(digests).chain(errors).chain(notes)
    }

    fn part_count(&self) -> usize {
        let trees = self.left.part_count() + self.right.part_count();
        let lists = self.rows.len().div_ceil(PER_PART) + self.digests.len().div_ceil(PER_PART);
        trees + 1 + lists + self.errors.len() + self.notes.len()
    }
}

/// Makes a comparison of parts.
#[derive(Debug, Default)]
pub struct Builder {
    left: TreeBuilder,
    right: TreeBuilder,
    /// What comes after the head.
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    head: Head,
    rows: RowBuilder,
    digests: Vec<Digests>,
    errors: Vec<Error>,
    notes: Vec<Note>,
}

impl Builder {
    /// Takes the next part.
    ///
    /// # Errors
    ///
    /// When no comparison has it there. The builder is then worth nothing.
    pub fn push(&mut self, part: Part) -> Result<(), BadComparison> {
        match (part, &mut self.rest) {
            (Part::Left(part), None) => self.left.push(part).map_err(BadComparison::Left)?,
            (Part::Right(part), None) => self.right.push(part).map_err(BadComparison::Right)?,
            (Part::Head(head), None) => {
                let left = std::mem::take(&mut self.left).finish().map_err(BadComparison::Left)?;
                let right = std::mem::take(&mut self.right).finish().map_err(BadComparison::Right)?;
                if left.order() != right.order() {
                    return Err(BadComparison::Orders);
                }
                let rows = RowBuilder::new([left.into(), right.into()], head.cancelled);
                let (digests, errors, notes) = (Vec::new(), Vec::new(), Vec::new());
                self.rest = Some(Rest { head, rows, digests, errors, notes });
            }
            (Part::Rows(rows), Some(rest)) => rows.iter().try_for_each(|row| rest.rows.add(row))?,
            (Part::Digests(digests), Some(rest)) => rest.digests.extend(digests),
            (Part::Error(error), Some(rest)) => rest.errors.push((*error).into()),
            (Part::Note(note), Some(rest)) => rest.notes.push(note.into()),
            _ => return Err(BadComparison::Head),
        }
        Ok(())
    }

    /// The comparison.
    ///
    /// # Errors
    ///
    /// When the parts that it was given are not the whole of one.
    pub fn finish(self) -> Result<Comparison, BadComparison> {
        let Rest { head, rows, digests, errors, notes } = self.rest.ok_or(BadComparison::Head)?;
        let ([left, right], rows) = rows.finish()?;
        let files = |row: &Row| {
            let is_file = |tree: &Tree, node: NodeId| tree.entry(node).kind == Kind::File;
            row.left().is_some_and(|node| is_file(&left, node))
                && row.right().is_some_and(|node| is_file(&right, node))
        };
        if !digests.is_sorted_by(|a, b| a.row < b.row)
            || !digests.iter().all(|digests| rows.get(digests.row as usize).is_some_and(files))
        {
            return Err(BadComparison::Digest);
        }
        Ok(Comparison {
            summary: pair::summarise(&rows, &left, &right, head.existence_counts),
            left,
            right,
            rows,
            notes,
            digests,
            errors,
            content: head.content,
            content_read: ContentRead::default(),
            began: head.began,
            cancelled: head.cancelled,
        })
    }
}

/// Makes rows of two trees and what is stored of each row.
#[derive(Debug)]
struct RowBuilder {
    trees: [Arc<Tree>; 2],
    cancelled: bool,
    rows: Vec<Row>,
    /// Number of the row that comes after all that were announced.
    announced: RowId,
    /// The row of the folder whose rows are being added.
    parent: RowId,
    /// How many are still to come.
    to_come: u32,
    /// The number of that folder on each side, and the place of its next item.
    folders: [Option<u32>; 2],
    next: [u32; 2],
    at_top: bool,
    inherited: Option<Inherited>,
}

impl RowBuilder {
    fn new(trees: [Arc<Tree>; 2], cancelled: bool) -> Self {
        Self {
            trees,
            cancelled,
            rows: Vec::new(),
            announced: 1,
            parent: 0,
            to_come: 0,
            folders: [None, None],
            next: [0, 0],
            at_top: false,
            inherited: None,
        }
    }

    fn add(&mut self, part: &RowPart) -> Result<(), BadComparison> {
        let first_child = self.announced;
        self.announced = first_child.checked_add(part.children).ok_or(BadComparison::Parent)?;
        let row = |left, right, parent| {
            let mut row = Row::new(left, right, parent, part.verdict);
            (row.first_child, row.children) = (first_child, part.children);
            row
        };
        if self.rows.is_empty() {
            let root = row(Some(NodeId::ROOT), Some(NodeId::ROOT), 0);
            if (part.left, part.right) != (Some(0), Some(0)) || !self.is_verdict_of_pair(&root, None) {
                return Err(BadComparison::Root);
            }
            self.rows.push(root);
            return self.enter(0);
        }
        while self.to_come == 0 {
            self.leave()?;
            self.enter(self.parent + 1)?;
        }
        self.to_come -= 1;
        let row = row(self.item(0, part.left)?, self.item(1, part.right)?, self.parent);
        self.check_names(&row)?;
        let clash = row.verdict == Verdict::NameClash;
        let inherited = self.inherited.as_ref().ok_or(BadComparison::Parent)?;
        let fits = match (row.left(), row.right()) {
            (Some(_), Some(_)) => self.is_verdict_of_pair(&row, inherited.both),
            (Some(node), None) => self.is_verdict_of_one(0, node, row.verdict, inherited.left_only, clash),
            (None, Some(node)) => self.is_verdict_of_one(1, node, row.verdict, inherited.right_only, clash),
            (None, None) => return Err(BadComparison::Item),
        };
        if !fits {
            return Err(BadComparison::Verdict);
        }
        self.rows.push(row);
        Ok(())
    }

    /// Goes to the folder of a row, whose rows are the next.
    fn enter(&mut self, parent: RowId) -> Result<(), BadComparison> {
        let row = self.rows.get(parent as usize).ok_or(BadComparison::Parent)?;
        let [left, right] = &self.trees;
        self.folders = [
            row.left().and_then(|node| left.folder_of(node)),
            row.right().and_then(|node| right.folder_of(node)),
        ];
        if pair::is_boundary(left, right, row) {
            // What is in it takes part on neither side.
            self.folders = [None, None];
        }
        let is_complete = |side: usize| {
            self.folders[side].is_some_and(|folder| self.trees[side].folder_error(folder).is_none())
        };
        self.inherited = Some(pair::inherit(parent, row.verdict, is_complete(0), is_complete(1)));
        self.at_top = pair::is_mounted(left, right, row);
        (self.parent, self.to_come, self.next) = (parent, row.children, [0, 0]);
        Ok(())
    }

    /// Looks whether a folder has anything that was in none of its rows.
    fn leave(&mut self) -> Result<(), BadComparison> {
        for side in [0, 1] {
            let count = self.folders[side].map_or(0, |folder| self.trees[side].children(folder).len() as u32);
            self.pass_over(side, count)?;
        }
        Ok(())
    }

    /// The item of a side at a place in the folder.
    fn item(&mut self, side: usize, child: Option<u32>) -> Result<Option<NodeId>, BadComparison> {
        let Some(child) = child else { return Ok(None) };
        let folder = self.folders[side].ok_or(BadComparison::Item)?;
        if child < self.next[side] || child as usize >= self.trees[side].children(folder).len() {
            return Err(BadComparison::Item);
        }
        self.pass_over(side, child)?;
        self.next[side] = child + 1;
        Ok(Some(NodeId { folder, child }))
    }

    /// Items up to `end` are in no row: only what comparing passes over may be so.
    fn pass_over(&mut self, side: usize, end: u32) -> Result<(), BadComparison> {
        let Some(folder) = self.folders[side] else { return Ok(()) };
        let passed_over =
            |child| pair::is_passed_over(&self.trees[side], NodeId { folder, child }, self.at_top);
        if self.cancelled || (self.next[side]..end).all(passed_over) {
            Ok(())
        } else {
            Err(BadComparison::Missing)
        }
    }

    fn check_names(&self, row: &Row) -> Result<(), BadComparison> {
        let [left, right] = &self.trees;
        let order = left.order();
        let name = |row: &Row, side| match side {
            Side::Left => row.left().map(|node| left.name(node)),
            Side::Right => row.right().map(|node| right.name(node)),
        };
        let first = |row: &Row| name(row, Side::Left).or(name(row, Side::Right)).unwrap_or_default().to_vec();
        let is_pair = match (name(row, Side::Left), name(row, Side::Right)) {
            (Some(left), Some(right)) => order.same(left, right),
            _ => true,
        };
        let before = self.rows.last().filter(|before| before.parent == row.parent && self.rows.len() > 1);
        let is_next = before.is_none_or(|before| order.compare(&first(before), &first(row)).is_lt());
        if is_pair && is_next { Ok(()) } else { Err(BadComparison::Names) }
    }

    fn is_verdict_of_one(
        &self,
        side: usize,
        node: NodeId,
        verdict: Verdict,
        known: Verdict,
        clash: bool,
    ) -> bool {
        if pair::is_unreadable(&self.trees[side], node) {
            return verdict == Verdict::Unreadable;
        }
        verdict == known || clash
    }

    fn is_verdict_of_pair(&self, row: &Row, known: Option<Verdict>) -> bool {
        let (Some(left), Some(right)) = (row.left(), row.right()) else { return false };
        let [left_tree, right_tree] = &self.trees;
        if pair::is_unreadable(left_tree, left) || pair::is_unreadable(right_tree, right) {
            return row.verdict == Verdict::Unreadable;
        }
        if row.verdict == Verdict::NameClash && left != NodeId::ROOT {
            return true;
        }
        if let Some(known) = known {
            return row.verdict == known;
        }
        let kinds = [left_tree.entry(left).kind, right_tree.entry(right).kind];
        match row.verdict {
            Verdict::KindClash => kinds[0] != kinds[1],
            Verdict::Same => kinds[0] == kinds[1],
            Verdict::Different(found) => kinds[0] == kinds[1] && found != Differences::default(),
            Verdict::NotComparable => kinds == [Kind::File; 2],
            Verdict::LeftOnly | Verdict::RightOnly | Verdict::NameClash | Verdict::Unreadable => false,
        }
    }

    fn finish(mut self) -> Result<([Arc<Tree>; 2], Vec<Row>), BadComparison> {
        if self.rows.is_empty() {
            return Err(BadComparison::Root);
        }
        if self.announced as usize != self.rows.len() {
            return Err(BadComparison::Missing);
        }
        self.leave()?;
        while (self.parent as usize) + 1 < self.rows.len() {
            self.enter(self.parent + 1)?;
            self.leave()?;
        }
        Ok((self.trees, self.rows))
    }
}

impl Serialize for Comparison {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        stored::collect(serializer, self.part_count(), self.parts())
    }
}

impl<'de> Deserialize<'de> for Comparison {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut builder = Builder::default();
        stored::each(deserializer, |part| builder.push(part))?;
        builder.finish().map_err(D::Error::custom)
    }
}

/// Writes a comparison as a file.
///
/// # Errors
///
/// As [`crate::tree::stored::write`].
pub fn write<W: Write>(comparison: &Comparison, out: W) -> io::Result<W> {
    let mut writer = stored::Writer::begin(out, &FORMAT)?;
    comparison.parts().try_for_each(|part| writer.push(&part))?;
    writer.finish()
}

/// Reads a comparison as a file has it.
///
/// # Errors
///
/// When it is not, whole and unchanged, a comparison that this version reads.
pub fn read(input: impl BufRead) -> Result<Comparison, StoredFileError> {
    let mut reader = stored::Reader::begin(input, &FORMAT)?;
    let mut builder = Builder::default();
    while let Some(part) = reader.next()? {
        builder.push(part).map_err(|e| reader.bad(&e))?;
    }
    builder.finish().map_err(|e| reader.bad(&e))
}

#[cfg(test)]
mod tests;
