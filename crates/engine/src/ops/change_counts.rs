//! How many changes of single items a plan has, or a run has made, kind by kind.
//!
//! Invariant: of a kind it knows the names alone, so that a new one is counted, and stands in plan files and reports, once
//! the vocabulary has it.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer, Serializer};

use super::vocabulary::{ActionKind, CHANGES, ChangeNames};

/// Numbers of the changes of single items: see [`crate::plan::ItemChange`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeCounts([u64; CHANGES.len()]);

impl ChangeCounts {
    /// How many a report calls so; 0 for what is no change of a single item.
    pub fn of(&self, action: ActionKind) -> u64 {
        place(action).map_or(0, |at| self.0[at])
    }

    /// All of them, those of which there are none too.
    pub fn iter(&self) -> impl Iterator<Item = (ActionKind, u64)> + use<> {
        CHANGES.iter().map(|names| names.action).zip(self.0)
    }

    /// How many there are in all.
    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts one more; nothing where that is no change of a single item.
    pub(crate) fn count(&mut self, action: ActionKind) {
        debug_assert!(place(action).is_some(), "the vocabulary lacks {action:?}");
        if let Some(at) = place(action) {
            self.0[at] += 1;
        }
    }
}

fn place(action: ActionKind) -> Option<usize> {
    CHANGES.iter().position(|names| names.action == action)
}

impl std::ops::AddAssign for ChangeCounts {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
}

type Names = fn(&ChangeNames) -> &'static str;

fn write<S: Serializer>(counts: ChangeCounts, name: Names, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(CHANGES.iter().map(name).zip(counts.0))
}

struct Read(Names);

impl<'de> Visitor<'de> for Read {
    type Value = ChangeCounts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChangeCounts, A::Error> {
        let mut counts = ChangeCounts::default();
        while let Some(key) = map.next_key::<String>()? {
            match CHANGES.iter().position(|names| self.0(names) == key) {
                Some(at) => counts.0[at] = map.next_value()?,
                None => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(counts)
    }
}

/// As the totals of a plan have them, beside other numbers.
pub(crate) mod planned {
    use super::{ChangeCounts, Deserializer, Read, Serializer, write};

    pub(crate) fn serialize<S: Serializer>(counts: &ChangeCounts, serializer: S) -> Result<S::Ok, S::Error> {
        write(*counts, |names| names.planned, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ChangeCounts, D::Error> {
        deserializer.deserialize_map(Read(|names| names.planned))
    }
}

/// As the counts of a report have them, beside other numbers.
pub(crate) mod done {
    use super::{ChangeCounts, Serializer, write};

    pub(crate) fn serialize<S: Serializer>(counts: &ChangeCounts, serializer: S) -> Result<S::Ok, S::Error> {
        write(*counts, |names| names.done, serializer)
    }
}
