//! The table itself: what is known of one item, and what follows.
//!
//! Invariant: looks at nothing but its arguments. What stands against an act (something unreadable, a mounted volume, a special
//! file) is added by the walk; nothing here is to be trusted without that.

use super::category::Category;
use super::since::Change;
use super::{Act, Choice, Conflicts, Mode, Why};
use crate::compare::Side;

/// What is at stake where both sides have an item and the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stake {
    /// Content that differs.
    Content,
    /// Content of equal length that nobody compared, of other dates.
    MayDiffer,
    /// Dates of two files or links whose content is known to be equal.
    Dates,
    /// Dates of a folder, which follow from what is done in it.
    FolderDates,
    /// Nothing but the spelling of the name, or the created time.
    Name,
}

/// What a row looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Only one side has it.
    Only(Side),
    /// Both have it, of one kind, and it differs.
    Both {
        stake: Stake,
        /// The side that has the newer one.
        newer: Option<Side>,
    },
}

/// What is remembered of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// What became of the left and the right one.
    pub(super) change: [Change; 2],
    /// The side whose name was spelled otherwise.
    pub(super) respelled: Option<Side>,
    /// The side that lacks the item lacks it for certain: the folder that it was in is the one that was remembered.
    pub(super) missing_for_certain: bool,
}

impl Memory {
    pub(super) fn of(self, side: Side) -> Change {
        self.change[usize::from(side == Side::Right)]
    }

    fn changed(self) -> [bool; 2] {
        self.change.map(|change| change == Change::Changed)
    }
}

/// What is to be done.
pub(super) fn act(
    mode: Mode,
    seen: Seen,
    category: Category,
    (memory, is_first_run): (Option<Memory>, bool),
) -> Act {
    match (mode, seen) {
        (Mode::Mirror(to) | Mode::Update(to) | Mode::Add(to), Seen::Only(side)) if side != to => {
            Act::CopyTo(to)
        }
        (Mode::Mirror(to), Seen::Only(_)) => Act::RemoveFrom(to),
        (Mode::Mirror(to) | Mode::Update(to), Seen::Both { .. }) => Act::CopyTo(to),
        (Mode::Update(_) | Mode::Add(_), _) => Act::Leave,
        (Mode::Newest, Seen::Only(side)) => Act::CopyTo(side.other()),
        (Mode::Newest, Seen::Both { stake, newer }) => match (stake, newer) {
            (Stake::FolderDates | Stake::Name, _) | (Stake::Dates, None) => Act::Leave,
            (Stake::Content | Stake::MayDiffer | Stake::Dates, Some(newer)) => Act::CopyTo(newer.other()),
            (Stake::Content | Stake::MayDiffer, None) => Act::Conflict(Why::SameTime),
        },
        (Mode::TwoWay { .. }, Seen::Only(side)) => one_sided(side, memory),
        (Mode::TwoWay { conflicts }, Seen::Both { stake, newer }) => match two_sided(stake, newer, memory) {
            // Where nothing is remembered, what one side changed looks like a conflict, too: no choice between the two is meant
            // for that.
            Act::Conflict(why) if is_first_run && conflicts != Conflicts::KeepBoth => Act::Conflict(why),
            Act::Conflict(why) => settle(conflicts, newer, why),
            other => other,
        },
        (Mode::Custom(custom), seen) => chosen(custom.choice(category), seen),
    }
}

/// Two-way, and only `side` has it.
fn one_sided(side: Side, memory: Option<Memory>) -> Act {
    match memory {
        Some(memory) if memory.missing_for_certain && memory.of(side) == Change::Same => {
            Act::RemoveFrom(side)
        }
        _ => Act::CopyTo(side.other()),
    }
}

/// Two-way, and both have it.
fn two_sided(stake: Stake, newer: Option<Side>, memory: Option<Memory>) -> Act {
    let changed = memory.map(Memory::changed);
    match (stake, changed) {
        (Stake::Name, _) => match memory.and_then(|memory| memory.respelled) {
            Some(side) => Act::CopyTo(side.other()),
            None => Act::Leave,
        },
        (_, Some([true, false])) => Act::CopyTo(Side::Right),
        (_, Some([false, true])) => Act::CopyTo(Side::Left),
        (Stake::FolderDates, _) | (Stake::Dates | Stake::MayDiffer, Some([false, false])) => Act::Leave,
        (Stake::Dates, _) => newer.map_or(Act::Leave, |newer| Act::CopyTo(newer.other())),
        (Stake::Content | Stake::MayDiffer, None) => Act::Conflict(Why::BothNew),
        (Stake::Content | Stake::MayDiffer, Some([true, true])) => Act::Conflict(Why::BothChanged),
        (Stake::Content, Some([false, false])) => Act::Conflict(Why::NeitherChanged),
    }
}

fn settle(conflicts: Conflicts, newer: Option<Side>, why: Why) -> Act {
    match (conflicts, newer) {
        (Conflicts::Later, _) => Act::Conflict(why),
        (Conflicts::Newest, None) => Act::Conflict(Why::SameTime),
        (Conflicts::Newest, Some(newer)) => Act::CopyTo(newer.other()),
        (Conflicts::Left, _) => Act::CopyTo(Side::Right),
        (Conflicts::Right, _) => Act::CopyTo(Side::Left),
        (Conflicts::KeepBoth, _) => keep_both(newer),
    }
}

fn keep_both(newer: Option<Side>) -> Act {
    Act::KeepBoth { loser: newer.map_or(Side::Right, Side::other) }
}

fn chosen(choice: Choice, seen: Seen) -> Act {
    match (choice, seen) {
        (Choice::Skip, _) | (_, Seen::Both { stake: Stake::FolderDates, .. }) => Act::Leave,
        (Choice::ToRight, Seen::Only(Side::Left) | Seen::Both { .. }) => Act::CopyTo(Side::Right),
        (Choice::ToLeft, Seen::Only(Side::Right) | Seen::Both { .. }) => Act::CopyTo(Side::Left),
        // A moved item is where the other side does not have it.
        (Choice::Remove | Choice::ToLeft | Choice::ToRight, Seen::Only(side)) => Act::RemoveFrom(side),
        (Choice::KeepBoth, Seen::Both { stake: Stake::Content | Stake::MayDiffer, newer }) => {
            keep_both(newer)
        }
        (Choice::KeepBoth | Choice::Remove, _) => Act::Leave,
    }
}
