//! What the two sides of a pair were when they were last proven equal: which side changed since is told by this alone.
//!
//! Invariant: an item is remembered only as it was while both sides had it, alike and durable. What is remembered never
//! says what is there now; whoever goes by it looks at the item again. Where it is kept is not known here.

mod learn;
mod terms;

use std::cmp::Ordering;

use fcs_sys::{FileId, Fingerprint, Kind, RelPath, Time};
use serde::{Deserialize, Serialize};

use crate::compare::Side;
pub use learn::learned;

pub(crate) use terms::identity;
pub use terms::{OtherTerm, RULES, RootIdentity, Rule, Terms};

/// What an item looked like on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// What it was.
    pub kind: Kind,
    /// Bytes; 0 for folders.
    pub size: u64,
    /// Modified time.
    pub modified: Time,
    /// Change time, where the file system keeps one.
    pub changed: Option<Time>,
    /// Which file it was, where numbers last.
    pub id: FileId,
}

impl From<&Fingerprint> for Stamp {
    fn from(seen: &Fingerprint) -> Self {
        let Fingerprint { kind, id, size, modified, changed, .. } = *seen;
        Self { kind, size, modified, changed, id }
    }
}

/// How it is known that the two were equal; the better comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// By what a comparison without content looks at: size and dates, or the text of links.
    Looks,
    /// Every byte of both was read, perhaps from a cache.
    Cache,
    /// Every byte of the copy came from the device.
    Device,
}

/// An item as both sides had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it looked like, left and right.
    pub stamps: [Stamp; 2],
    /// BLAKE3 of the content, where it was computed. In a memory of known content by SHA-512, the first half of that.
    pub hash: Option<[u8; 32]>,
    /// How it is known that they were equal.
    pub grade: Grade,
    /// When, by this machine's clock.
    pub seen: Time,
}

impl Known {
    /// As it is seen with left and right exchanged.
    #[must_use]
    pub fn mirrored(mut self) -> Self {
        self.stamps.swap(0, 1);
        self
    }

    /// What it looked like on one side.
    pub fn on(&self, side: Side) -> &Stamp {
        &self.stamps[usize::from(side == Side::Right)]
    }
}

/// All that is remembered of a pair, in the order of the paths' bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// One after the other: as a list of paths they would take a multiple.
    paths: Vec<u8>,
    ends: Vec<usize>,
    items: Vec<Known>,
}

impl Remembered {
    /// Adds an item by the bytes of its path; see [`Remembered::push`].
    pub fn push_bytes(&mut self, path: &[u8], known: Known) -> bool {
        if !self.items.is_empty() && self.path_bytes(self.items.len() - 1) >= path {
            return false;
        }
        self.paths.extend_from_slice(path);
        self.ends.push(self.paths.len());
        self.items.push(known);
        true
    }

    /// All this as it is with these changes.
    #[must_use]
    pub fn with(&self, changes: Vec<MemoryChange>) -> Self {
        let mut changes = changes;
        changes.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        let mut changes = changes.into_iter().peekable();
        let mut all = Self::default();
        let add = |all: &mut Self, change: MemoryChange| {
            if let Some(known) = change.known {
                all.push(&change.path, known);
            }
        };
        for (at, known) in self.items.iter().enumerate() {
            let path = self.path_bytes(at);
            while let Some(change) = changes.next_if(|change| change.path.as_bytes() < path) {
                add(&mut all, change);
            }
            if let Some(change) = changes.next_if(|change| change.path.as_bytes() == path) {
                add(&mut all, change);
            } else {
                all.push_bytes(path, *known);
            }
        }
        changes.for_each(|change| add(&mut all, change));
        all
    }

    /// Adds an item; `false`, and nothing is added, unless its path comes behind that of the last one.
    pub fn push(&mut self, path: &RelPath, known: Known) -> bool {
        self.push_bytes(path.as_bytes(), known)
    }

    /// Whether nothing is remembered, as at a first run.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many items are remembered.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// What is remembered of the item at a path, spelled as the left side spells it.
    pub fn get(&self, path: &RelPath) -> Option<&Known> {
        self.position(path).and_then(|at| self.item(at))
    }

    /// The item of a number, as [`Self::position`] gives them.
    pub(crate) fn item(&self, at: usize) -> Option<&Known> {
        self.items.get(at)
    }

    /// The number of the item at a path.
    pub(crate) fn position(&self, path: &RelPath) -> Option<usize> {
        let (mut low, mut high) = (0, self.items.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.path_bytes(middle).cmp(path.as_bytes()) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// All items; the bytes are those of a [`RelPath`].
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Known)> {
        (0..self.items.len()).map(|i| (self.path_bytes(i), &self.items[i]))
    }

    fn path_bytes(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.paths[start..self.ends[i]]
    }
}

/// What becomes of the memory of one item: what both sides are now, or nothing where both have it no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryChange {
    /// As the left side spells it.
    pub path: RelPath,
    /// From now on; `None` is forgotten.
    pub known: Option<Known>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::path;

    fn known(size: u64) -> Known {
        let id = FileId { volume: 1, file: size, file_high: 0 };
        let stamp = Stamp { kind: Kind::File, size, modified: Time::new(1, 0), changed: None, id };
        Known { stamps: [stamp; 2], hash: None, grade: Grade::Looks, seen: Time::new(2, 0) }
    }

    #[test]
    fn an_item_is_found_by_its_path_and_no_path_comes_twice() {
        let mut all = Remembered::default();
        assert!(all.is_empty() && all.get(&path("a")).is_none());
        for (size, text) in ["a", "a/b", "b", "c/d"].iter().enumerate() {
            assert!(all.push(&path(text), known(size as u64)), "{text}");
        }
        assert!(!all.push(&path("c/d"), known(9)) && !all.push(&path("b"), known(9)));
        assert_eq!(all.len(), 4);
        for (size, text) in ["a", "a/b", "b", "c/d"].iter().enumerate() {
            assert_eq!(all.get(&path(text)), Some(&known(size as u64)), "{text}");
        }
        assert!(all.get(&path("a/a")).is_none() && all.get(&path("d")).is_none());
        let paths: Vec<&[u8]> = all.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, [b"a".as_slice(), b"a/b", b"b", b"c/d"]);
    }
}
