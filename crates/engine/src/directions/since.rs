//! What became of each side since the two were last equal, by what is remembered of them.
//!
//! A side is held against its own earlier stamp alone, never against the other side's dates: two clocks that disagree cannot
//! turn what nobody touched into a change.
//!
//! Invariant: wherever it is in doubt, an item counts as changed or as touched, so that it is not removed. Volumes are not told
//! apart by their numbers, which change with each mount.

use std::cell::OnceCell;
use std::collections::HashMap;

use fcs_sys::{Kind, Name, RelPath, Time};

use super::table::{Memory, Seen, Stake};
use crate::Settings;
use crate::compare::{Comparison, Later, RowId, Side, Verdict};
use crate::dates::{Changed, Limits, image, is_out_of_range};
use crate::memory::{Known, Remembered, Stamp};
use crate::probe::links;
use crate::settings::ContentCheck;
use crate::tree::{Entry, NameOrder, Tree};

/// What became of an item on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is not there.
    Gone,
    /// It is as it was.
    Same,
    /// It looks as it did, and is another item or had something done to it: replaced by one of the same date, or given other
    /// permissions. Nothing of it travels, and it is not removed because the other side lacks it.
    Touched,
    /// It is of another kind, length or date.
    Changed,
}

/// The most hours that a volume which keeps local times can be off: from one end of the world's time zones to the other.
const MOST_HOURS: i128 = 26;
const HOUR: i128 = 3_600_000_000_000;

const NOTHING: u32 = u32::MAX;

/// A comparison, held against what is remembered.
pub(super) struct Since<'a> {
    pub(super) comparison: &'a Comparison,
    pub(super) settings: &'a Settings,
    remembered: Option<&'a Remembered>,
    /// Per row what is remembered, by its number; empty where nothing is.
    known: Vec<u32>,
    /// Rows that are remembered by the right side's spelling.
    by_right: Vec<bool>,
    /// By how many hours all dates of a volume are off that keeps local times.
    shift: [i128; 2],
    later: OnceCell<Later>,
}

impl<'a> Since<'a> {
    pub(super) fn new(
        comparison: &'a Comparison,
        remembered: Option<&'a Remembered>,
        settings: &'a Settings,
    ) -> Self {
        let remembered = remembered.filter(|all| !all.is_empty());
        let mut since = Self {
            comparison,
            settings,
            remembered,
            known: Vec::new(),
            by_right: Vec::new(),
            shift: [0; 2],
            later: OnceCell::new(),
        };
        if let Some(remembered) = remembered {
            (since.known, since.by_right) = numbers(comparison, remembered);
            since.shift = [Side::Left, Side::Right].map(|side| since.shift_of(side));
        }
        since
    }

    pub(super) fn known(&self, row: RowId) -> Option<&'a Known> {
        let number = *self.known.get(row as usize)?;
        self.remembered?.item(number as usize)
    }

    /// What the memory says of a row, given whether the side that lacks it lacks it for certain.
    pub(super) fn memory(&self, row: RowId, missing_for_certain: bool) -> Option<Memory> {
        self.known(row)?;
        let by_right = self.by_right.get(row as usize).copied().unwrap_or(false);
        let is_respelled =
            matches!(self.comparison.row(row).verdict, Verdict::Different(found) if found.spelling);
        Some(Memory {
            change: [Side::Left, Side::Right].map(|side| self.change(row, side)),
            // It is remembered as the left side spelled it.
            respelled: is_respelled.then_some(if by_right { Side::Left } else { Side::Right }),
            missing_for_certain,
        })
    }

    /// What became of one side's item; of one that is not remembered it is [`Change::Changed`].
    pub(super) fn change(&self, row: RowId, side: Side) -> Change {
        let Some(now) = self.comparison.entry(row, side) else { return Change::Gone };
        let Some(then) = self.known(row).map(|known| known.on(side)) else { return Change::Changed };
        let tree = self.comparison.tree(side);
        if then.kind != now.kind || now.kind == Kind::File && then.size != now.size {
            return Change::Changed;
        }
        // What is done in a folder changes its date, and alone on its side there is nothing to bring over but the folder.
        let date_counts = match now.kind {
            Kind::Folder => self.comparison.node(row, side.other()).is_some(),
            Kind::Symlink => !links::in_doubt(&tree.volume),
            Kind::File | Kind::Other => true,
        };
        let is_one_date = || {
            self.is_one_date(then.modified, now.modified, side)
                || now.kind == Kind::Folder && is_off_by_hours(then.modified, now.modified, tree)
        };
        if date_counts && !is_one_date() {
            return Change::Changed;
        }
        if is_another(then, &now, tree)
            || now.kind != Kind::Folder && has_another_change_time(then, &now, tree)
        {
            return Change::Touched;
        }
        Change::Same
    }

    /// Whether one side's folder in a row is the one that was remembered, so that what it lacks was taken from it. An empty
    /// folder where a disk is to be mounted is another one.
    pub(super) fn is_the_folder(&self, row: RowId, side: Side) -> bool {
        let Some(now) = self.comparison.entry(row, side) else { return false };
        // Of a volume that is mounted below the root nobody knows whether it is the one that was there.
        if now.volume() != self.comparison.tree(side).volume.id {
            return false;
        }
        match self.known(row).map(|known| known.on(side)) {
            Some(then) => {
                then.kind == Kind::Folder
                    && now.kind == Kind::Folder
                    && !is_another(then, &now, self.comparison.tree(side))
            }
            // That the roots are those that were remembered is for the pair's memory to know.
            None => row == Comparison::ROOT,
        }
    }

    /// Whether two dates of one item on one volume are one.
    fn is_one_date(&self, then: Time, now: Time, side: Side) -> bool {
        let volume = &self.comparison.tree(side).volume;
        let step = step(volume.time_granularity_nanos);
        let is_near = |a: i128, b: i128| a.abs_diff(b) <= step;
        let shift = self.shift[usize::from(side == Side::Right)];
        is_near(then.as_nanos(), now.as_nanos())
            || shift != 0 && is_near(then.as_nanos() + shift * HOUR, now.as_nanos())
            || matches!(image(then, now), Some(Changed::Cut(_)))
            || is_out_of_range(then, now, Limits::of(volume, false))
    }

    /// By how many hours more than half of the files of a volume that keeps local times are off.
    fn shift_of(&self, side: Side) -> i128 {
        let tree = self.comparison.tree(side);
        if !keeps_local_times(tree) {
            return 0;
        }
        let step = step(tree.volume.time_granularity_nanos.max(2_000_000_000));
        let (mut seen, mut off) = (0u64, HashMap::<i128, u64>::new());
        for row in 0..self.comparison.rows.len() as RowId {
            let (Some(known), Some(now)) = (self.known(row), self.comparison.entry(row, side)) else {
                continue;
            };
            let then = known.on(side);
            if now.kind != Kind::File || then.kind != Kind::File || then.size != now.size {
                continue;
            }
            seen += 1;
            let distance = now.modified.as_nanos() - then.modified.as_nanos();
            let hours = (distance + HOUR / 2).div_euclid(HOUR);
            if hours != 0 && hours.abs() <= MOST_HOURS && distance.abs_diff(hours * HOUR) <= step {
                *off.entry(hours).or_default() += 1;
            }
        }
        off.into_iter().find(|(_, count)| count * 2 > seen).map_or(0, |(hours, _)| hours)
    }

    /// Whether nothing at all is remembered.
    pub(super) fn is_first_run(&self) -> bool {
        self.remembered.is_none()
    }

    /// The side whose item has the later modified time, beyond what these volumes can tell apart and what is let pass.
    pub(super) fn newer(&self, row: RowId) -> Option<Side> {
        let comparison = self.comparison;
        let left = comparison.entry(row, Side::Left)?;
        let right = comparison.entry(row, Side::Right)?;
        match comparison.row(row).verdict {
            Verdict::Unreadable | Verdict::NameClash => return None,
            Verdict::Different(found) if self.settings.compare_modified && !found.modified => return None,
            _ => {}
        }
        let later = self.later.get_or_init(|| Later::of(&comparison.left, &comparison.right, self.settings));
        later.which(&left, &right)
    }

    /// What a row looks like; `None` where it is not on one side only and not [`Verdict::Different`].
    pub(super) fn seen(&self, row: RowId) -> Option<Seen> {
        match self.comparison.row(row).verdict {
            Verdict::LeftOnly => Some(Seen::Only(Side::Left)),
            Verdict::RightOnly => Some(Seen::Only(Side::Right)),
            Verdict::Different(_) => Some(Seen::Both { stake: self.stake(row)?, newer: self.newer(row) }),
            _ => None,
        }
    }

    fn stake(&self, row: RowId) -> Option<Stake> {
        let comparison = self.comparison;
        let Verdict::Different(found) = comparison.row(row).verdict else { return None };
        let (left, right) = (comparison.entry(row, Side::Left)?, comparison.entry(row, Side::Right)?);
        let lengths_differ = left.kind == Kind::File && left.size != right.size;
        Some(match left.kind {
            _ if found.size || found.content || lengths_differ => Stake::Content,
            _ if !found.modified => Stake::Name,
            Kind::Folder => Stake::FolderDates,
            // Of a link the text was compared, of a file all that there is.
            Kind::Symlink => Stake::Dates,
            Kind::File if comparison.content != ContentCheck::Off => Stake::Dates,
            Kind::File | Kind::Other => Stake::MayDiffer,
        })
    }
}

/// What a volume cannot tell apart; nothing where it keeps every nanosecond.
fn step(granularity_nanos: u64) -> u128 {
    if granularity_nanos <= 1 { 0 } else { u128::from(granularity_nanos) }
}

/// Whether the number shows that an item is another one than was remembered.
fn is_another(then: &Stamp, now: &Entry, tree: &Tree) -> bool {
    let id = now.fingerprint().id;
    lasts(now, tree) && (then.id.file, then.id.file_high) != (id.file, id.file_high)
}

/// A change time shows what was done to an item whose date was set back.
fn has_another_change_time(then: &Stamp, now: &Entry, tree: &Tree) -> bool {
    lasts(now, tree) && then.changed.zip(now.changed()).is_some_and(|(then, now)| then != now)
}

/// Whether numbers of the volume that an item is on are known to last.
fn lasts(now: &Entry, tree: &Tree) -> bool {
    tree.volume.lasting_numbers && now.volume() == tree.volume.id
}

/// Whether two dates on a volume that keeps local times are apart by whole hours. Of a folder that is enough: its date is
/// remembered anew in every run, of files that differ by it those before the clock changed are, so the two may be off by
/// other hours.
fn is_off_by_hours(then: Time, now: Time, tree: &Tree) -> bool {
    let distance = now.as_nanos() - then.as_nanos();
    let hours = (distance + HOUR / 2).div_euclid(HOUR);
    let step = step(tree.volume.time_granularity_nanos.max(2_000_000_000));
    keeps_local_times(tree) && hours.abs() <= MOST_HOURS && distance.abs_diff(hours * HOUR) <= step
}

fn keeps_local_times(tree: &Tree) -> bool {
    let name = tree.volume.file_system.to_ascii_lowercase();
    ["fat", "fat12", "fat16", "fat32", "vfat", "msdos", "exfat"].contains(&name.as_str())
}

/// Per row the number of what is remembered, and whether it is found by the right side's spelling only.
fn numbers(comparison: &Comparison, remembered: &Remembered) -> (Vec<u32>, Vec<bool>) {
    let mut found = vec![NOTHING; comparison.rows.len()];
    let mut by_right = vec![false; comparison.rows.len()];
    let two_spellings = comparison.left.order() == NameOrder::Folded;
    for_each_path(comparison, |row, path| {
        let mut number = remembered.position(path);
        if number.is_none() && two_spellings {
            number = remembered.position(&comparison.path_on(row, Side::Right));
            by_right[row as usize] = number.is_some();
        }
        found[row as usize] = number.map_or(NOTHING, |number| number as u32);
    });
    (found, by_right)
}

/// Calls `each` for each row with its path in the left side's spelling. The paths above are kept on the way, so that none is put
/// together from its beginning.
fn for_each_path(comparison: &Comparison, mut each: impl FnMut(RowId, &RelPath)) {
    let mut above: Vec<(RowId, RelPath)> = Vec::new();
    for row in comparison.walk() {
        let parent = comparison.row(row).parent;
        while above.last().is_some_and(|(folder, _)| *folder != parent) {
            above.pop();
        }
        // Names were checked when they were listed; the root has none.
        let name = Name::new(comparison.name(row)).ok();
        let path = match (above.last(), name) {
            (Some((_, folder)), Some(name)) => folder.join(&name),
            _ => RelPath::root(),
        };
        each(row, &path);
        if comparison.row(row).children > 0 {
            above.push((row, path));
        }
    }
}

/// The paths that are remembered and that neither side has any more, as the memory spells them: it forgets them. Where a folder
/// could not be read, or was not entered, nothing in it is known to be gone.
pub fn forgotten(comparison: &Comparison, remembered: &Remembered) -> Vec<RelPath> {
    if comparison.cancelled {
        return Vec::new();
    }
    let mut has_row = vec![false; remembered.len()];
    let (numbers, _) = numbers(comparison, remembered);
    for number in numbers.into_iter().filter(|number| *number != NOTHING) {
        has_row[number as usize] = true;
    }
    let mut is_known: HashMap<RelPath, bool> = HashMap::new();
    for_each_path(comparison, |row, path| {
        if comparison.is_folder(row) || row == Comparison::ROOT {
            let known = is_listed(comparison, row);
            is_known.insert(comparison.path_on(row, Side::Right), known);
            is_known.insert(path.clone(), known);
        }
    });
    let gone = remembered.iter().zip(has_row).filter(|(_, has_row)| !has_row);
    let gone = gone.filter_map(|((bytes, _), _)| RelPath::parse(bytes).ok());
    gone.filter(|path| {
        let above = std::iter::successors(path.split(), |(parent, _)| parent.split());
        let mut above = above.filter_map(|(parent, _)| is_known.get(&parent));
        above.next().copied().unwrap_or(false)
    })
    .collect()
}

/// Whether all is known that a row's folder holds, on each side that has it.
fn is_listed(comparison: &Comparison, row: RowId) -> bool {
    let unknown = matches!(comparison.row(row).verdict, Verdict::Unreadable | Verdict::NameClash);
    let is_boundary =
        |side| comparison.entry(row, side).is_some_and(|entry| entry.is_boundary() || entry.is_carrier());
    !unknown && ![Side::Left, Side::Right].into_iter().any(is_boundary)
}
