//! Makes a plan of decisions: one for each side that is written to, joined.
//!
//! Invariant: a plan does what was decided or less. What the planner finds to stand against an act is skipped and told.

use std::collections::{BTreeSet, HashMap, HashSet};

use fcs_sys::{Kind, Name};

use super::{Act, Decisions, Mode, Why};
use crate::Settings;
use crate::compare::{Comparison, RowId, Side, Verdict};
use crate::moves::Moves;
use crate::plan::{Plan, Planner, Scope, Wanted};
use crate::report::SkipReason;

/// Makes the plan that does what was decided with the rows that `selected` accepts.
///
/// Of `moves` those are carried out of which both ends concern one side: the new path would be copied there, and the old one
/// removed.
///
/// What cannot be done and what is left for later is among [`Plan::skipped`]; what may stay different is not. A plan of
/// [`Mode::Mirror`] or [`Mode::Update`] with which nobody interfered is that of [`crate::plan::plan_sync`] or
/// [`crate::plan::plan()`].
pub fn plan_decided(
    comparison: &Comparison,
    decisions: &Decisions,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
    moves: &Moves,
) -> Plan {
    plan_beside(comparison, decisions, selected, settings, moves, &HiddenNames::default())
}

/// Names that items of a folder have which are not in the comparison, as patterns hide them: by the folder's row, the keys by
/// which names are one.
#[derive(Debug, Default)]
pub(crate) struct HiddenNames(HashMap<RowId, HashSet<Vec<u8>>>);

impl HiddenNames {
    /// Adds what one side has in a folder, whether hidden or not.
    pub(crate) fn add<'n>(
        &mut self,
        comparison: &Comparison,
        folder: RowId,
        names: impl IntoIterator<Item = &'n [u8]>,
    ) {
        let order = comparison.left.order();
        self.0.entry(folder).or_default().extend(names.into_iter().map(|name| order.key(name)));
    }
}

/// The folders in which items are to be given second names.
pub(crate) fn folders_of_second_names(
    comparison: &Comparison,
    decisions: &Decisions,
    selected: &dyn Fn(RowId) -> bool,
) -> BTreeSet<RowId> {
    let rows = (0..comparison.rows.len() as RowId).filter(|&row| selected(row));
    let rows = rows.filter(|&row| matches!(decisions.act(row), Act::KeepBoth { .. }));
    rows.map(|row| comparison.row(row).parent).collect()
}

/// As [`plan_decided`], and these names are not free either.
pub(crate) fn plan_beside(
    comparison: &Comparison,
    decisions: &Decisions,
    selected: &dyn Fn(RowId) -> bool,
    settings: &Settings,
    moves: &Moves,
    hidden: &HiddenNames,
) -> Plan {
    let rows = || (0..comparison.rows.len() as RowId).filter(|&row| selected(row));
    let names = second_names(comparison, decisions, rows(), settings, hidden);
    let wanted = |row, side| wanted(comparison, decisions, &names, row, side);
    let is_target = |side: Side| {
        decisions.mode.target() == Some(side) || rows().any(|row| wanted(row, side) != Wanted::Nothing)
    };
    let mut sides = [Side::Right, Side::Left].into_iter().filter(|&side| is_target(side)).collect::<Vec<_>>();
    if sides.is_empty() {
        sides.push(Side::Right);
    }
    let mut plans = sides.into_iter().map(|side| {
        let acts = || rows().map(|row| (row, decisions.act(row)));
        // Names that were swapped or handed on in a ring are all ends of moves, and none of them goes.
        let ring = matches!(decisions.mode, Mode::TwoWay { .. }) && !moves.is_empty();
        let removals = ring
            || decisions.mode == Mode::Mirror(side)
            || acts().any(|(_, act)| act == Act::RemoveFrom(side));
        let kinds = acts()
            .any(|(row, act)| act == Act::CopyTo(side) && comparison.row(row).verdict == Verdict::KindClash);
        let choose = |row| if selected(row) { wanted(row, side) } else { Wanted::Nothing };
        let scope = Scope { copies: true, removals, kinds };
        let planner = Planner::new(comparison, side, scope, settings).moving(moves);
        let mut plan = planner.make_wanted(&choose);
        if !comparison.cancelled {
            give_names_up(comparison, decisions, &names, side, &mut plan);
        }
        plan
    });
    let first = plans.next().unwrap_or_else(Plan::empty);
    // They write to two sides, so that joining them is always possible.
    plans.fold(first, |all, more| all.clone().and(more).unwrap_or(all))
}

/// What a plan that writes to `side` is to do with a row.
fn wanted(
    comparison: &Comparison,
    decisions: &Decisions,
    names: &HashMap<RowId, Name>,
    row: RowId,
    side: Side,
) -> Wanted {
    let told =
        |why| if told_on(comparison, decisions, row) == side { Wanted::Skip(why) } else { Wanted::Nothing };
    match decisions.act(row) {
        Act::CopyTo(to) if to == side => Wanted::Act,
        Act::RemoveFrom(from) if from == side => Wanted::Act,
        Act::KeepBoth { loser } => match names.get(&row) {
            Some(name) if loser == side.other() => Wanted::CopyAs(name.clone()),
            // It gives its name up in a move, which the planner knows nothing of.
            Some(_) => Wanted::Elsewhere,
            None => told(SkipReason::Conflict),
        },
        Act::Conflict(Why::Kinds) => told(SkipReason::KindClash),
        Act::Conflict(_) => told(SkipReason::Conflict),
        Act::Skip(why) => told(why),
        Act::Nothing | Act::Leave | Act::CopyTo(_) | Act::RemoveFrom(_) => Wanted::Nothing,
    }
}

/// The side of which it is told that a row is skipped: the one that would be written to, which of a removal is the one that
/// has the item.
fn told_on(comparison: &Comparison, decisions: &Decisions, row: RowId) -> Side {
    let lacks = |side| comparison.node(row, side).is_none();
    let lacking = if lacks(Side::Left) { Side::Left } else { Side::Right };
    let stays = matches!(
        decisions.act(row),
        Act::Skip(SkipReason::NotEmpty | SkipReason::Mounted | SkipReason::NewPathLacking)
    );
    decisions.mode.target().unwrap_or(if stays { lacking.other() } else { lacking })
}

/// Adds the moves of those items of a side that lose their names.
fn give_names_up(
    comparison: &Comparison,
    decisions: &Decisions,
    names: &HashMap<RowId, Name>,
    side: Side,
    plan: &mut Plan,
) {
    let mut losers: Vec<(&RowId, &Name)> =
        names.iter().filter(|(row, _)| decisions.act(**row) == (Act::KeepBoth { loser: side })).collect();
    losers.sort_unstable_by_key(|(row, _)| **row);
    for (&row, name) in losers {
        plan.add_move(comparison, side, row, comparison.row(row).parent, name);
    }
}

/// The most versions of one name that are kept beside it.
const MOST_VERSIONS: u32 = 1000;

/// The names under which the losers' versions are kept, by their rows: names that nothing has on either side, and of which none
/// comes twice. There is none for a folder, and where no name can be made.
fn second_names(
    comparison: &Comparison,
    decisions: &Decisions,
    rows: impl Iterator<Item = RowId>,
    settings: &Settings,
    hidden: &HiddenNames,
) -> HashMap<RowId, Name> {
    let order = comparison.left.order();
    let mut names = HashMap::new();
    // Two long names may differ in nothing but what is cut off, and two short ones in an extension that the pattern leaves out.
    let mut taken: HashSet<(RowId, Vec<u8>)> = HashSet::new();
    for row in rows {
        let Act::KeepBoth { loser } = decisions.act(row) else { continue };
        let Some(entry) = comparison.entry(row, loser).filter(|entry| entry.kind != Kind::Folder) else {
            continue;
        };
        let own = comparison.name_on(row, loser);
        let candidates = (1..=MOST_VERSIONS)
            .map_while(|number| settings.conflict_name.make(own, loser, entry.modified, number));
        let folder = comparison.row(row).parent;
        let hidden = hidden.0.get(&folder);
        let free = candidates.filter(|name| comparison.child_named(folder, name.as_bytes()).is_none());
        let free = free.map(|name| (order.key(name.as_bytes()), name));
        let mut free = free.filter(|(key, _)| hidden.is_none_or(|hidden| !hidden.contains(key)));
        let free = free.find(|(key, _)| taken.insert((folder, key.clone()))).map(|(_, name)| name);
        names.extend(free.map(|name| (row, name)));
    }
    names
}
