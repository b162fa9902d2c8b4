//! One bit per row.
//!
//! Invariant: bits beyond the last row are zero, so counting needs no care. A million rows are 16,000 words: what acts
//! on a whole tree works on words, and takes microseconds. This module must not know what the bits mean.

use std::ops::Range;

use fcs_engine::compare::RowId;

/// A set of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    rows: RowId,
}

impl Bits {
    /// No row of so many.
    pub fn none(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)], rows: rows as RowId }
    }

    /// Every row of so many.
    pub fn all(rows: usize) -> Self {
        let mut all = Self::none(rows);
        for (at, mask) in words_of(0..all.rows) {
            all.words[at] |= mask;
        }
        all
    }

    /// Whether a row is in the set.
    pub fn has(&self, row: RowId) -> bool {
        self.words[row as usize / 64] >> (row % 64) & 1 != 0
    }

    /// Puts a row in; whether it was not there.
    pub fn add(&mut self, row: RowId) -> bool {
        let (word, bit) = (&mut self.words[row as usize / 64], 1 << (row % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Takes a row out; whether it was there.
    pub fn remove(&mut self, row: RowId) -> bool {
        let (word, bit) = (&mut self.words[row as usize / 64], 1 << (row % 64));
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    /// Takes all rows out.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// How many rows are in the set.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// The rows in the set, in order.
    pub fn iter(&self) -> impl Iterator<Item = RowId> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let rest = std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)));
            rest.take_while(|&rest| rest != 0).map(move |rest| at as RowId * 64 + rest.trailing_zeros())
        })
    }

    /// The last row in the set that is before another.
    pub(crate) fn last_before(&self, row: RowId) -> Option<RowId> {
        let (mut at, mut mask) = (row as usize / 64, (1 << (row % 64)) - 1);
        loop {
            // The word of a row at the very end may not exist.
            let word = self.words.get(at).copied().unwrap_or(0) & mask;
            if word != 0 {
                return Some(at as RowId * 64 + word.ilog2());
            }
            (at, mask) = (at.checked_sub(1)?, u64::MAX);
        }
    }

    /// How many of a range of rows are in every one of these sets.
    pub(crate) fn count_common(range: Range<RowId>, sets: &[&Self]) -> u32 {
        words_of(range).map(|(at, mask)| common(at, mask, sets).count_ones()).sum()
    }

    /// Puts those of a range in that are in every one of these sets; how many were not there.
    pub(crate) fn add_common(&mut self, range: Range<RowId>, sets: &[&Self]) -> u32 {
        let mut added = 0;
        for (at, mask) in words_of(range) {
            let new = common(at, mask, sets) & !self.words[at];
            self.words[at] |= new;
            added += new.count_ones();
        }
        added
    }

    /// Takes a range out; how many were there.
    pub(crate) fn remove_range(&mut self, range: Range<RowId>) -> u32 {
        let mut removed = 0;
        for (at, mask) in words_of(range) {
            removed += (self.words[at] & mask).count_ones();
            self.words[at] &= !mask;
        }
        removed
    }

    /// Keeps only what the other set has too.
    pub(crate) fn keep(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Takes out all that the other set has.
    pub(crate) fn drop_all(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// Adds all that the other set has.
    pub(crate) fn join(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

fn common(at: usize, mask: u64, sets: &[&Bits]) -> u64 {
    sets.iter().fold(mask, |all, set| all & set.words[at])
}

/// The words that hold a range, each with the bits of the range.
fn words_of(range: Range<RowId>) -> impl Iterator<Item = (usize, u64)> {
    let Range { start, end } = range;
    let words = if start < end { start / 64..end.div_ceil(64) } else { 0..0 };
    words.map(move |at| {
        let from = u64::MAX << (start.saturating_sub(at * 64));
        let beyond = (at + 1) * 64;
        let to = u64::MAX >> beyond.saturating_sub(end);
        (at as usize, from & to)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_of_bits_is_that_range(rows in 1_u32..300, a in 0_u32..300, b in 0_u32..300) {
            let (a, b) = (a.min(rows), b.min(rows));
            let (all, mut some) = (Bits::all(rows as usize), Bits::none(rows as usize));
            prop_assert_eq!(all.count(), rows);
            prop_assert_eq!(some.add_common(a..b, &[&all]), b.saturating_sub(a));
            prop_assert_eq!(some.iter().collect::<Vec<_>>(), (a..b).collect::<Vec<_>>());
            prop_assert_eq!(Bits::count_common(0..rows, &[&all, &some]), some.count());
            let mut rest = all.clone();
            prop_assert_eq!(rest.remove_range(a..b), some.count());
            prop_assert!((0..rows).all(|row| rest.has(row) != some.has(row)));
            let back = std::iter::successors(some.last_before(rows), |&row| some.last_before(row));
            prop_assert_eq!(back.collect::<Vec<_>>(), (a..b).rev().collect::<Vec<_>>());
            let mut all_but = all.clone();
            all_but.drop_all(&some);
            prop_assert_eq!(&all_but, &rest);
            rest.join(&some);
            prop_assert_eq!(&rest, &all);
            rest.keep(&some);
            prop_assert_eq!(rest, some);
        }
    }
}
