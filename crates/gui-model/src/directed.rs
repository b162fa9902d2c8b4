//! What is to be done with each row: what the mode says, and what the user decided otherwise.
//!
//! Invariant: what was decided by hand is kept by row and applied to what the mode says, whatever was decided before and in
//! which order; so it can always be taken away again. Sorting, filtering and ticks cannot reach it. An item that has one path
//! on the left and another one on the right, and that is moved or left as one, is one row. This module must not know how a
//! plan is made or shown.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fcs_engine::Settings;
use fcs_engine::compare::{Comparison, RowId, Side};
use fcs_engine::directions::{Act, Choice, Conflicts, Decisions, Knowledge, Mode, Why, decide_knowing};
use fcs_engine::memory::Remembered;
use fcs_engine::moves::Moves;

use crate::bits::Bits;
use crate::chips::Chip;
use crate::index::Index;

/// All that can be decided about a row, in the order in which it is offered.
pub const CHOICES: [Choice; 5] =
    [Choice::ToRight, Choice::ToLeft, Choice::Remove, Choice::KeepBoth, Choice::Skip];

/// What is to be done with the rows of a comparison.
#[derive(Debug, Clone)]
pub struct Directed {
    known: Arc<Known>,
    /// By the row that is shown.
    chosen: BTreeMap<RowId, Choice>,
    /// What the mode says, but for what is decided by hand.
    decisions: Decisions,
}

/// What does not change as long as the comparison and the mode are the same.
#[derive(Debug)]
struct Known {
    index: Arc<Index>,
    moves: Moves,
    notes: Vec<String>,
    by_mode: Decisions,
    merged: Merged,
    /// Rows for which a choice makes sense, in the order of [`CHOICES`].
    possible: [Bits; CHOICES.len()],
}

/// A row that stands for an item with two paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Its row on the left.
    pub left: RowId,
    /// Its row on the right.
    pub right: RowId,
    /// The side that has the new path, which is the one that is shown.
    pub new_on: Side,
}

impl Moved {
    /// Its row on a side.
    pub fn on(self, side: Side) -> RowId {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
}

/// The rows that are one.
#[derive(Debug)]
pub(crate) struct Merged {
    by_shown: HashMap<RowId, Moved>,
    /// Those that are shown.
    shown: Bits,
    /// Those that another one stands for, and that are not.
    hidden: Bits,
    /// The row that stands for a hidden one.
    stands_for: HashMap<RowId, RowId>,
    /// How many of both are under each chip by themselves.
    under: HashMap<Chip, u64>,
}

impl Merged {
    fn new(index: &Index, moves: &Moves, decisions: &Decisions) -> Self {
        let comparison = index.comparison();
        let rows = comparison.rows.len();
        let mut merged = Self {
            by_shown: HashMap::new(),
            shown: Bits::none(rows),
            hidden: Bits::none(rows),
            stands_for: HashMap::new(),
            under: HashMap::new(),
        };
        if moves.is_empty() {
            return merged;
        }
        for row in 0..rows as RowId {
            let found = moves.of_row(row).filter(|found| found.left == row);
            if let Some(found) = found {
                let acts = (decisions.act(found.left), decisions.act(found.right));
                let renamed = found.renamed.unwrap_or(Side::Left);
                if let Some(new_on) = side_of_new_path(acts, renamed) {
                    merged.add(Moved { left: found.left, right: found.right, new_on });
                }
            }
        }
        // What is in a folder that is not shown would be shown nowhere.
        for row in (0..rows as RowId).rev() {
            if merged.hidden.has(row) && comparison.children(row).any(|child| !merged.hidden.has(child)) {
                merged.part(row);
            }
        }
        for row in merged.shown.iter().chain(merged.hidden.iter()) {
            *merged.under.entry(Chip::of(index, row)).or_default() += 1;
        }
        merged
    }

    fn add(&mut self, moved: Moved) {
        let (shown, hidden) = (moved.on(moved.new_on), moved.on(moved.new_on.other()));
        self.by_shown.insert(shown, moved);
        self.stands_for.insert(hidden, shown);
        self.shown.add(shown);
        self.hidden.add(hidden);
    }

    /// Shows both rows again.
    fn part(&mut self, hidden: RowId) {
        self.hidden.remove(hidden);
        if let Some(shown) = self.stands_for.remove(&hidden) {
            self.by_shown.remove(&shown);
            self.shown.remove(shown);
        }
    }

    /// Rows that another one stands for.
    pub(crate) fn hidden(&self) -> &Bits {
        &self.hidden
    }

    /// How many rows are under a chip, if so many are by themselves.
    pub(crate) fn count_under(&self, chip: Chip, alone: u64) -> u64 {
        match chip {
            Chip::Moved => u64::from(self.shown.count()),
            chip => alone - self.under.get(&chip).copied().unwrap_or(0),
        }
    }

    /// Puts what moved under its own chip instead of those of one-sided rows.
    pub(crate) fn switch(&self, is_on: bool, on: &mut Bits) {
        for rows in [&self.shown, &self.hidden] {
            if is_on { on.join(rows) } else { on.drop_all(rows) }
        }
    }

    /// Of an item with two paths either one is searched for, and one row is shown.
    pub(crate) fn match_as_one(&self, matching: &mut Bits) {
        let hit: Vec<RowId> =
            self.stands_for.iter().filter(|(row, _)| matching.has(**row)).map(|(_, shown)| *shown).collect();
        hit.into_iter().for_each(|row| _ = matching.add(row));
        matching.drop_all(&self.hidden);
    }
}

/// The side whose path an item has afterwards, where it is moved; where it is left as it is, the one that renamed it.
fn side_of_new_path(acts: (Act, Act), renamed: Side) -> Option<Side> {
    match acts {
        (Act::CopyTo(Side::Right), Act::RemoveFrom(Side::Right)) => Some(Side::Left),
        (Act::RemoveFrom(Side::Left), Act::CopyTo(Side::Left)) => Some(Side::Right),
        (Act::Leave, Act::Leave) => Some(renamed),
        _ => None,
    }
}

impl Directed {
    /// Decides by a mode, with what is remembered and what has moved. `notes` are what is to be said about the memory.
    pub fn decide(
        index: Arc<Index>,
        mode: Mode,
        remembered: &Remembered,
        moves: Moves,
        notes: Vec<String>,
        settings: &Settings,
    ) -> Self {
        let by_mode = decisions(index.comparison(), mode, remembered, &moves, settings);
        let merged = Merged::new(&index, &moves, &by_mode);
        let possible = possible(&index, &merged);
        let known = Known { index, moves, notes, by_mode: by_mode.clone(), merged, possible };
        Self { known: Arc::new(known), chosen: BTreeMap::new(), decisions: by_mode }
    }

    /// The same by another mode, memory or settings, with all that was decided by hand: for a plan.
    pub(crate) fn decide_again(&self, mode: Mode, remembered: &Remembered, settings: &Settings) -> Decisions {
        let index = &self.known.index;
        let by_mode = decisions(index.comparison(), mode, remembered, &self.known.moves, settings);
        apply(index, &self.known.merged, by_mode, &self.chosen)
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.decisions.mode()
    }

    /// What is to be said about the memory.
    pub fn notes(&self) -> &[String] {
        &self.known.notes
    }

    /// What has moved.
    pub(crate) fn moves(&self) -> &Moves {
        &self.known.moves
    }

    pub(crate) fn merged(&self) -> &Merged {
        &self.known.merged
    }

    /// What is to be done with a row.
    pub fn act(&self, row: RowId) -> Act {
        self.decisions.act(row)
    }

    /// The item of two paths that a row stands for.
    pub fn moved(&self, row: RowId) -> Option<Moved> {
        self.known.merged.by_shown.get(&row).copied()
    }

    /// How many rows stand for items of two paths.
    pub fn count_moved(&self) -> u64 {
        u64::from(self.known.merged.shown.count())
    }

    /// Whether it was decided by hand what is to be done with a row.
    pub fn is_chosen(&self, row: RowId) -> bool {
        self.chosen.contains_key(&row)
    }

    /// What was decided by hand, by row.
    pub fn chosen(&self) -> &BTreeMap<RowId, Choice> {
        &self.chosen
    }

    /// Of these rows, those for which a choice makes sense.
    pub fn count_possible(&self, rows: &Bits, choice: Choice) -> u32 {
        let Some(at) = place(choice) else { return 0 };
        Bits::count_common(0..self.known.index.rows() as RowId, &[rows, &self.known.possible[at]])
    }

    /// Whether a choice makes sense for a row.
    pub fn can_choose(&self, row: RowId, choice: Choice) -> bool {
        place(choice).is_some_and(|at| self.known.possible[at].has(row))
    }

    /// Of these rows, those that were decided by hand.
    pub fn count_chosen(&self, rows: &Bits) -> u32 {
        self.chosen.keys().filter(|row| rows.has(**row)).count() as u32
    }

    /// Decides about rows: all of these for which that makes sense, and how many those are. `None` is what the mode says.
    pub fn choose(&mut self, rows: &Bits, choice: Option<Choice>) -> u32 {
        let changed = match choice.map(|choice| (choice, place(choice))) {
            None => {
                let before = self.chosen.len();
                self.chosen.retain(|row, _| !rows.has(*row));
                before - self.chosen.len()
            }
            Some((choice, Some(at))) => {
                let mut wanted = rows.clone();
                wanted.keep(&self.known.possible[at]);
                self.chosen.extend(wanted.iter().map(|row| (row, choice)));
                wanted.count() as usize
            }
            Some((_, None)) => 0,
        };
        let Known { index, merged, by_mode, .. } = &*self.known;
        self.decisions = apply(index, merged, by_mode.clone(), &self.chosen);
        changed as u32
    }

    /// Takes over what was decided by hand under another mode of the same comparison.
    pub(crate) fn take_over(&mut self, chosen: &BTreeMap<RowId, Choice>) {
        let can = chosen.iter().filter(|(row, choice)| self.can_choose(**row, **choice));
        self.chosen = can.map(|(row, choice)| (*row, *choice)).collect();
        let Known { index, merged, by_mode, .. } = &*self.known;
        self.decisions = apply(index, merged, by_mode.clone(), &self.chosen);
    }

    /// What would be decided with a row by this choice, if that is what is decided.
    pub fn is_decided(&self, row: RowId, choice: Choice) -> bool {
        let acts = acts_of(&self.known.index, &self.known.merged, row, choice);
        !acts.is_empty() && acts.iter().all(|&(row, act)| self.act(row) == act)
    }

    /// How many rows something is done with.
    pub fn count_work(&self) -> u64 {
        let shown = |row: &RowId| !self.known.merged.hidden.has(*row);
        (0..self.known.index.rows() as RowId).filter(shown).filter(|&row| is_work(self.act(row))).count()
            as u64
    }

    /// Rows that something is done with and that are not among these.
    pub(crate) fn count_work_outside(&self, rows: &Bits) -> u64 {
        let shown = |row: &RowId| !self.known.merged.hidden.has(*row) && !rows.has(*row);
        (0..self.known.index.rows() as RowId).filter(shown).filter(|&row| is_work(self.act(row))).count()
            as u64
    }

    /// The rows of which the mode does not know which version is wanted, and why: whatever was decided by hand.
    pub(crate) fn conflicts(&self, remembered: &Remembered, settings: &Settings) -> Vec<(RowId, Why)> {
        let mode = match self.mode() {
            Mode::TwoWay { .. } => Mode::TwoWay { conflicts: Conflicts::Later },
            other => other,
        };
        let comparison = self.known.index.comparison();
        decisions(comparison, mode, remembered, &self.known.moves, settings).conflicts().collect()
    }
}

fn is_work(act: Act) -> bool {
    matches!(act, Act::CopyTo(_) | Act::RemoveFrom(_) | Act::KeepBoth { .. })
}

fn place(choice: Choice) -> Option<usize> {
    CHOICES.iter().position(|other| *other == choice)
}

fn decisions(
    comparison: &Comparison,
    mode: Mode,
    remembered: &Remembered,
    moves: &Moves,
    settings: &Settings,
) -> Decisions {
    let moved = moves.rows();
    decide_knowing(comparison, Knowledge { remembered: Some(remembered), moved: &moved }, mode, settings)
}

/// What a choice for a row means; nothing where it makes no sense.
fn acts_of(index: &Index, merged: &Merged, row: RowId, choice: Choice) -> Vec<(RowId, Act)> {
    let comparison = index.comparison();
    let acts = match (merged.by_shown.get(&row), choice) {
        (Some(moved), Choice::ToRight) => {
            vec![(moved.right, Act::RemoveFrom(Side::Right)), (moved.left, Act::CopyTo(Side::Right))]
        }
        (Some(moved), Choice::ToLeft) => {
            vec![(moved.left, Act::RemoveFrom(Side::Left)), (moved.right, Act::CopyTo(Side::Left))]
        }
        (Some(moved), Choice::Skip) => vec![(moved.left, Act::Leave), (moved.right, Act::Leave)],
        (Some(_), Choice::Remove | Choice::KeepBoth) => Vec::new(),
        (None, Choice::ToRight) => vec![(row, Act::CopyTo(Side::Right))],
        (None, Choice::ToLeft) => vec![(row, Act::CopyTo(Side::Left))],
        (None, Choice::Remove) => {
            let side = if comparison.node(row, Side::Left).is_some() { Side::Left } else { Side::Right };
            vec![(row, Act::RemoveFrom(side))]
        }
        (None, Choice::KeepBoth) => {
            let loser = index.newer(row).map_or(Side::Right, Side::other);
            vec![(row, Act::KeepBoth { loser })]
        }
        (None, Choice::Skip) => vec![(row, Act::Leave)],
    };
    let can = acts.iter().all(|&(row, act)| Decisions::can_set(comparison, row, act));
    if can { acts } else { Vec::new() }
}

fn possible(index: &Index, merged: &Merged) -> [Bits; CHOICES.len()] {
    let rows = index.rows();
    let mut possible = CHOICES.map(|_| Bits::none(rows));
    // Only what differs or clashes of kinds: of the rest too little is known, or nothing is to be done.
    let mut work = index.work().clone();
    work.join(index.clashes());
    work.drop_all(&merged.hidden);
    for row in work.iter() {
        for (at, choice) in CHOICES.into_iter().enumerate() {
            if choice != Choice::Skip && !acts_of(index, merged, row, choice).is_empty() {
                possible[at].add(row);
            }
        }
    }
    let [others @ .., skip] = &mut possible;
    others.iter().for_each(|rows| skip.join(rows));
    possible
}

/// Applies what was decided by hand. Deepest rows first, because a folder goes with everything in it or not at all; then
/// once more what is copied, because a folder that something goes to is there whatever was decided about it.
fn apply(
    index: &Index,
    merged: &Merged,
    mut decisions: Decisions,
    chosen: &BTreeMap<RowId, Choice>,
) -> Decisions {
    let comparison = index.comparison();
    let mut copies = Vec::new();
    for (&row, &choice) in chosen.iter().rev() {
        for (row, act) in acts_of(index, merged, row, choice) {
            if decisions.act(row) != act {
                decisions.set(comparison, row, act);
            }
            copies.extend(matches!(act, Act::CopyTo(_)).then_some((row, act)));
        }
    }
    copies.into_iter().for_each(|(row, act)| _ = decisions.set(comparison, row, act));
    decisions
}

#[cfg(test)]
mod tests;
