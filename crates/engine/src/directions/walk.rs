//! Walks the rows of a comparison and decides each: the table says what is wanted, and here is what stands against it. Down for
//! what is known of the folders above, up for folders that go or stay with what is in them.
//!
//! Invariants: nothing is removed or replaced that could not be read, that is below something that could not be read, or that is
//! another volume. A folder is removed only with everything in it.

use fcs_sys::{Kind, Time};

use super::category::category;
use super::since::Since;
use super::table;
use super::{Act, Category, Choice, Decisions, Knowledge, Mode, Why};
use crate::Settings;
use crate::compare::{Comparison, Differences, RowId, Side, Verdict};
use crate::plan::{can_be_replaced, is_below_another_kind};
use crate::report::SkipReason;
use crate::settings::{Newer, ReplaceKinds};

/// The row is in a folder about which too little is known, or is one.
const BLOCKED: u8 = 1;
/// The row is below a folder that one side alone has and where a volume is mounted.
const BELOW_MOUNT: u8 = 2;
/// The row is an item whose kind is replaced, or is below one.
const OF_ANOTHER_KIND: u8 = 4;
/// What the left side lacks in this folder was taken from it.
const LEFT_IS_CERTAIN: u8 = 8;
/// The same of the right side.
const RIGHT_IS_CERTAIN: u8 = 16;
/// The row is half of an item that was moved.
const MOVED: u8 = 32;

pub(super) struct Walker<'a> {
    comparison: &'a Comparison,
    settings: &'a Settings,
    since: Since<'a>,
    mode: Mode,
    moved: &'a [(RowId, RowId)],
    /// The side on which items of another kind are replaced.
    kinds: Option<Side>,
    marks: Vec<u8>,
    acts: Vec<Act>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(
        comparison: &'a Comparison,
        knowledge: Knowledge<'a>,
        mode: Mode,
        settings: &'a Settings,
    ) -> Self {
        let remembered = knowledge.remembered.filter(|_| mode.uses_memory());
        let mut marks = vec![0; comparison.rows.len()];
        for row in knowledge.moved.iter().flat_map(|&(left, right)| [left, right]) {
            if let Some(mark) = marks.get_mut(row as usize) {
                *mark |= MOVED;
            }
        }
        let kinds = match mode {
            Mode::Mirror(to) => (settings.replace_kinds != ReplaceKinds::Never).then_some(to),
            Mode::Update(to) => (settings.replace_kinds == ReplaceKinds::Always).then_some(to),
            Mode::Custom(custom) => match custom.kind_change {
                Choice::ToRight => Some(Side::Right),
                Choice::ToLeft => Some(Side::Left),
                Choice::Remove | Choice::KeepBoth | Choice::Skip => None,
            },
            Mode::Add(_) | Mode::Newest | Mode::TwoWay { .. } => None,
        };
        Self {
            comparison,
            settings,
            since: Since::new(comparison, remembered, settings),
            mode,
            moved: knowledge.moved,
            kinds,
            marks,
            acts: vec![Act::Nothing; comparison.rows.len()],
        }
    }

    pub(super) fn decide(mut self) -> Decisions {
        if !self.comparison.cancelled {
            // Rows are breadth-first: one loop each way does it at any depth.
            for row in 0..self.comparison.rows.len() as RowId {
                self.mark(row);
                self.acts[row as usize] = self.act(row);
            }
            self.keep_what_does_not_arrive();
            for row in (1..self.comparison.rows.len() as RowId).rev() {
                self.keep_what_holds(row);
                self.bring_folder_along(row);
            }
        }
        Decisions { mode: self.mode, acts: self.acts }
    }

    /// An item that has moved stays at its old path where it is not to come to its new one, which may have been decided
    /// otherwise: it may be the last of its content.
    fn keep_what_does_not_arrive(&mut self) {
        for &(left, right) in self.moved {
            for (new, old, to) in [(left, right, Side::Right), (right, left, Side::Left)] {
                let act = |row: RowId| self.acts.get(row as usize).copied();
                if act(old) == Some(Act::RemoveFrom(to)) && act(new) != Some(Act::CopyTo(to)) {
                    self.acts[old as usize] = Act::Skip(SkipReason::NewPathLacking);
                }
            }
        }
    }

    fn has(&self, row: RowId, mark: u8) -> bool {
        self.marks[row as usize] & mark != 0
    }

    fn set(&mut self, row: RowId, mark: u8) {
        self.marks[row as usize] |= mark;
    }

    /// Finds out what is known of the folders that a row is in.
    fn mark(&mut self, row: RowId) {
        let comparison = self.comparison;
        let parent = comparison.row(row).parent;
        let unknown = match comparison.row(row).verdict {
            Verdict::KindClash => {
                let can_be = |to| self.has(parent, OF_ANOTHER_KIND) || can_be_replaced(comparison, to, row);
                let replaced = self.kinds.is_some_and(can_be);
                self.set(row, if replaced { OF_ANOTHER_KIND } else { 0 });
                !replaced
            }
            Verdict::Unreadable | Verdict::NameClash => true,
            _ => false,
        };
        if unknown || self.has(parent, BLOCKED) {
            self.set(row, BLOCKED);
        }
        let stands_alone =
            [Side::Left, Side::Right].into_iter().find(|&side| is_alone(comparison, parent, side));
        let is_mount = |side| comparison.entry(parent, side).is_some_and(|entry| entry.is_mounted());
        if stands_alone.is_some_and(|side| self.has(parent, BELOW_MOUNT) || is_mount(side)) {
            self.set(row, BELOW_MOUNT);
        }
        for (side, certain) in [(Side::Left, LEFT_IS_CERTAIN), (Side::Right, RIGHT_IS_CERTAIN)] {
            let is_certain = match comparison.node(row, side) {
                Some(_) => self.since.is_the_folder(row, side),
                None => self.has(parent, certain),
            };
            if is_certain {
                self.set(row, certain);
            }
        }
    }

    /// What is to be done with a row.
    fn act(&self, row: RowId) -> Act {
        match self.comparison.row(row).verdict {
            Verdict::Same => Act::Nothing,
            Verdict::KindClash => self.of_another_kind(row),
            Verdict::NameClash => self.problem(row, SkipReason::NameClash),
            Verdict::Unreadable => self.problem(row, SkipReason::Unreadable),
            Verdict::NotComparable => self.problem(row, SkipReason::NotComparable),
            Verdict::LeftOnly | Verdict::RightOnly if !self.settings.compare_existence => Act::Leave,
            verdict @ (Verdict::LeftOnly | Verdict::RightOnly | Verdict::Different(_)) => {
                let Some(seen) = self.since.seen(row) else { return Act::Skip(SkipReason::Unreadable) };
                let parent = self.comparison.row(row).parent;
                let certain = match seen {
                    table::Seen::Only(Side::Left) => RIGHT_IS_CERTAIN,
                    table::Seen::Only(Side::Right) => LEFT_IS_CERTAIN,
                    table::Seen::Both { .. } => 0,
                };
                let memory = self.since.memory(row, self.has(parent, certain));
                let category = match category(verdict, Some(seen), memory) {
                    Category::LeftOnly | Category::RightOnly if self.has(row, MOVED) => Category::Moved,
                    category => category,
                };
                let memory = (memory, self.since.is_first_run());
                self.possible(row, table::act(self.mode, seen, category, memory))
            }
        }
    }

    /// What nothing can be done with, unless the mode does not concern itself with it at all.
    fn problem(&self, row: RowId, why: SkipReason) -> Act {
        let is_on_source = |to: Side| self.comparison.node(row, to.other()).is_some();
        match self.mode {
            Mode::Update(to) | Mode::Add(to) if !is_on_source(to) => Act::Leave,
            Mode::Mirror(to) if !is_on_source(to) && !self.settings.compare_existence => Act::Leave,
            // Whatever it is, it is not missing.
            Mode::Add(_) if why == SkipReason::NotComparable => Act::Leave,
            _ => Act::Skip(why),
        }
    }

    /// What is to be done with an item that is of another kind on each side, or is below such.
    fn of_another_kind(&self, row: RowId) -> Act {
        match self.kinds {
            Some(to) if self.has(row, OF_ANOTHER_KIND) => {
                // What the target has there goes with the item above it.
                let is_on_source = self.comparison.node(row, to.other()).is_some();
                return if is_on_source { self.possible(row, Act::CopyTo(to)) } else { Act::Nothing };
            }
            _ if is_below_another_kind(self.comparison, row) => return Act::Nothing,
            _ => {}
        }
        match self.mode {
            Mode::Newest | Mode::TwoWay { .. } => Act::Conflict(Why::Kinds),
            Mode::Custom(_) if self.kinds.is_none() => Act::Leave,
            Mode::Mirror(_) | Mode::Update(_) | Mode::Add(_) | Mode::Custom(_) => {
                Act::Skip(SkipReason::KindClash)
            }
        }
    }

    /// The act, or what stands against it.
    fn possible(&self, row: RowId, act: Act) -> Act {
        let blocked = self.has(row, BLOCKED);
        match act {
            Act::CopyTo(to) => match self.comparison.entry(row, to.other()) {
                None => Act::Skip(SkipReason::Unreadable),
                Some(_) if blocked => Act::Skip(SkipReason::Unreadable),
                Some(here) => match here.kind {
                    Kind::File if here.is_placeholder() && !self.settings.read_placeholders => {
                        Act::Skip(SkipReason::Placeholder)
                    }
                    Kind::File if self.keeps_newer(row, to) => Act::Skip(SkipReason::Newer),
                    Kind::Other => Act::Skip(SkipReason::SpecialFile),
                    Kind::File | Kind::Folder | Kind::Symlink => act,
                },
            },
            Act::RemoveFrom(side) => match self.comparison.entry(row, side) {
                None => Act::Skip(SkipReason::Unreadable),
                // Emptying it would remove what is kept on another disk.
                Some(entry) if entry.is_mounted() => Act::Skip(SkipReason::Mounted),
                Some(_) if self.has(row, BELOW_MOUNT) => Act::Leave,
                Some(_) if blocked => Act::Skip(SkipReason::Unreadable),
                Some(entry) if entry.kind == Kind::Other => Act::Skip(SkipReason::SpecialFile),
                Some(_) => act,
            },
            Act::KeepBoth { loser } => match self.comparison.entry(row, loser) {
                None => Act::Skip(SkipReason::Unreadable),
                Some(_) if blocked => Act::Skip(SkipReason::Unreadable),
                Some(entry) if entry.is_placeholder() && !self.settings.read_placeholders => {
                    Act::Skip(SkipReason::Placeholder)
                }
                Some(entry) if entry.kind == Kind::Other => Act::Skip(SkipReason::SpecialFile),
                Some(_) => act,
            },
            Act::Conflict(_) if blocked => Act::Skip(SkipReason::Unreadable),
            Act::Conflict(_) if self.is_special(row) => Act::Skip(SkipReason::SpecialFile),
            Act::Conflict(_) | Act::Nothing | Act::Leave | Act::Skip(_) => act,
        }
    }

    fn is_special(&self, row: RowId) -> bool {
        self.comparison.entry(row, Side::Left).is_some_and(|entry| entry.kind == Kind::Other)
    }

    /// Whether the file that a copy would replace is newer, and such are kept.
    fn keeps_newer(&self, row: RowId, to: Side) -> bool {
        let alone = Verdict::Different(Differences { spelling: true, ..Differences::default() });
        if self.settings.newer != Newer::Keep || self.comparison.row(row).verdict == alone {
            return false;
        }
        let (here, there) = (self.comparison.entry(row, to.other()), self.comparison.entry(row, to));
        let there = there.filter(|there| there.kind == Kind::File);
        here.zip(there).is_some_and(|(here, there)| self.is_later(there.modified, here.modified))
    }

    fn is_later(&self, a: Time, b: Time) -> bool {
        a > b && a.distance_nanos(b) > u128::from(self.settings.time_tolerance_nanos)
    }

    /// Lets a folder stay that was to be removed, unless everything in it goes. Asked of a folder after its children.
    fn keep_what_holds(&mut self, row: RowId) {
        let Act::RemoveFrom(side) = self.acts[row as usize] else { return };
        if !goes_whole(self.comparison, &self.acts, row, side) {
            self.acts[row as usize] = Act::Skip(SkipReason::NotEmpty);
        }
    }

    /// Lets the folder that a row is in go where the row goes, if there is none.
    fn bring_folder_along(&mut self, row: RowId) {
        let Act::CopyTo(to) = self.acts[row as usize] else { return };
        bring_folder_along(self.comparison, &mut self.acts, row, to);
    }
}

/// Whether only this side has the row.
fn is_alone(comparison: &Comparison, row: RowId, side: Side) -> bool {
    comparison.node(row, side).is_some() && comparison.node(row, side.other()).is_none()
}

/// Whether a row that is to be removed is no folder, or one that is known whole and of which everything is removed.
fn goes_whole(comparison: &Comparison, acts: &[Act], row: RowId, side: Side) -> bool {
    let tree = comparison.tree(side);
    comparison.node(row, side).is_some_and(|node| {
        tree.entry(node).kind != Kind::Folder
            || tree.is_listed_whole(node)
                && comparison.children(row).all(|child| acts[child as usize] == Act::RemoveFrom(side))
    })
}

fn bring_folder_along(comparison: &Comparison, acts: &mut [Act], row: RowId, to: Side) {
    let parent = comparison.row(row).parent;
    if comparison.node(parent, to).is_none()
        && matches!(
            acts[parent as usize],
            Act::Nothing | Act::Leave | Act::RemoveFrom(_) | Act::Skip(SkipReason::NotEmpty)
        )
    {
        acts[parent as usize] = Act::CopyTo(to);
    }
}

/// See [`Decisions::set`].
pub(super) fn set(decisions: &mut Decisions, comparison: &Comparison, row: RowId, act: Act) -> bool {
    if row as usize >= decisions.acts.len() || !fits(comparison, row, act) {
        return false;
    }
    decisions.acts[row as usize] = act;
    if comparison.row(row).verdict == Verdict::KindClash {
        let mut below: Vec<RowId> = comparison.children(row).collect();
        while let Some(at) = below.pop() {
            let goes_along = matches!(act, Act::CopyTo(to) if comparison.node(at, to.other()).is_some());
            decisions.acts[at as usize] = if goes_along { act } else { Act::Nothing };
            below.extend(comparison.children(at));
        }
    }
    let mut at = row;
    while at != Comparison::ROOT {
        match decisions.acts[at as usize] {
            Act::CopyTo(to) => bring_folder_along(comparison, &mut decisions.acts, at, to),
            Act::RemoveFrom(side) if !goes_whole(comparison, &decisions.acts, at, side) => {
                decisions.acts[at as usize] = Act::Skip(SkipReason::NotEmpty);
            }
            _ => {}
        }
        at = comparison.row(at).parent;
    }
    true
}

/// Whether an act can be chosen for a row.
pub(super) fn fits(comparison: &Comparison, row: RowId, act: Act) -> bool {
    let verdict = comparison.row(row).verdict;
    let has = |side| comparison.node(row, side).is_some();
    match act {
        Act::Nothing | Act::Leave | Act::Conflict(_) | Act::Skip(_) => true,
        Act::CopyTo(to) => {
            has(to.other())
                && match verdict {
                    Verdict::LeftOnly | Verdict::RightOnly | Verdict::Different(_) => true,
                    Verdict::KindClash => can_be_replaced(comparison, to, row),
                    Verdict::Same | Verdict::NameClash | Verdict::Unreadable | Verdict::NotComparable => {
                        false
                    }
                }
        }
        Act::RemoveFrom(Side::Left) => verdict == Verdict::LeftOnly,
        Act::RemoveFrom(Side::Right) => verdict == Verdict::RightOnly,
        Act::KeepBoth { .. } => {
            let of_kind = |kind| comparison.entry(row, Side::Left).is_some_and(|entry| entry.kind == kind);
            matches!(verdict, Verdict::Different(_)) && (of_kind(Kind::File) || of_kind(Kind::Symlink))
        }
    }
}
