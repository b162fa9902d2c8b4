//! Which file of the left is which file of the right at another path.
//!
//! Ends of a move are files that only one side has, and files that both have at one path and that differ: one or both may
//! be what was elsewhere.
//!
//! Invariant: one to one, and only where no other file on either side could be meant as well, wherever that is: a file
//! that both have at one path counts too. A date that archives and builds give to all files alike says nothing.

use std::collections::{HashMap, HashSet};

use fcs_sys::{Kind, Time};

use super::{Move, Why};
use crate::compare::{Comparison, Criteria, RowId, Side, Verdict};
use crate::memory::{Known, Remembered};
use crate::tree::Entry;

/// Files below this size have too few bytes for their size to say much: they need the same name.
const SMALL: u64 = 1024;

/// A date of whole seconds that more files of one side bear was made up for all of them, and says nothing of any, not
/// even beside others that moved. Pictures that were taken in one go share a date too, but not so many.
const SHARED_BY: u32 = 16;

/// The rows that may be one end of a move: files of which everything is known, and which the other side has not there.
#[derive(Clone)]
pub(super) struct Candidates {
    left: Vec<RowId>,
    right: Vec<RowId>,
    /// On each side, files of which everything is known, at paths of which it is not, and which the other side has not there.
    blocked: [Vec<RowId>; 2],
}

impl Candidates {
    pub(super) fn of(comparison: &Comparison) -> Self {
        let mut blocked = vec![false; comparison.rows.len()];
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut shut: [Vec<RowId>; 2] = Default::default();
        for at in 0..comparison.rows.len() as RowId {
            let row = comparison.row(at);
            let unknown =
                matches!(row.verdict, Verdict::Unreadable | Verdict::NameClash | Verdict::KindClash);
            blocked[at as usize] = unknown || blocked[row.parent as usize];
            let is_file =
                |side| comparison.entry(at, side).is_some_and(|entry: Entry| entry.kind == Kind::File);
            if blocked[at as usize] {
                for side in [Side::Left, Side::Right] {
                    let tree = comparison.tree(side);
                    let is_known =
                        comparison.node(at, side).is_some_and(|node| tree.node_error(node).is_none());
                    if is_known && is_file(side) && !is_file(side.other()) {
                        shut[index(side)].push(at);
                    }
                }
                continue;
            }
            match row.verdict {
                Verdict::LeftOnly if is_file(Side::Left) => left.push(at),
                Verdict::RightOnly if is_file(Side::Right) => right.push(at),
                Verdict::Different(found)
                    if (found.size || found.modified || found.content)
                        && is_file(Side::Left)
                        && is_file(Side::Right) =>
                {
                    left.push(at);
                    right.push(at);
                }
                _ => {}
            }
        }
        Self { left, right, blocked: shut }
    }

    pub(super) fn are_none(&self) -> bool {
        self.left.is_empty() || self.right.is_empty()
    }
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// Known without reading anything.
    pub(super) sure: Vec<Move>,
    /// The only ones of their size and date, but neither the name nor the folder agrees, or the date says nothing.
    pub(super) doubtful: Vec<Move>,
}

/// A size and a date, to the coarser side's step.
type Looks = (u64, Time);

/// Files with the same looks.
#[derive(Default)]
struct Alike {
    /// On each side, wherever they are.
    all: [u32; 2],
    /// The last one of each side that is a candidate.
    alone: [Option<RowId>; 2],
}

struct Finder<'a> {
    comparison: &'a Comparison,
    criteria: &'a Criteria<'a>,
    step: u64,
    /// How many files of each side bear a date, of those dates of whole seconds that candidates have.
    dates: HashMap<Time, [u32; 2]>,
    matched: [HashSet<RowId>; 2],
    found: Found,
}

pub(super) fn find(
    comparison: &Comparison,
    criteria: &Criteria<'_>,
    candidates: &Candidates,
    remembered: Option<&Remembered>,
) -> Found {
    let mut finder = Finder::new(comparison, criteria);
    if let Some(remembered) = remembered {
        finder.by_number(candidates, remembered);
    }
    finder.by_looks(candidates);
    finder.by_folder();
    finder.found
}

/// The files at blocked paths of one side that are files which only the other side has, where nothing of either was `found`
/// to have moved; left and right. In doubt they are: nothing but that these stay follows from it.
pub(super) fn blocked(
    comparison: &Comparison,
    criteria: &Criteria<'_>,
    candidates: &Candidates,
    remembered: Option<&Remembered>,
    found: &Found,
) -> Vec<(RowId, RowId)> {
    let [left, right] = &candidates.blocked;
    if left.is_empty() && right.is_empty() {
        return Vec::new();
    }
    let mut all = candidates.clone();
    all.left.extend(left);
    all.right.extend(right);
    let mut finder = Finder::new(comparison, criteria);
    for found in &found.sure {
        finder.matched[0].insert(found.left);
        finder.matched[1].insert(found.right);
    }
    if let Some(remembered) = remembered {
        finder.by_number(&all, remembered);
    }
    finder.by_looks(&all);
    let is_alone = |row: RowId, side, shut: &[RowId]| {
        let only = if side == Side::Left { Verdict::LeftOnly } else { Verdict::RightOnly };
        comparison.row(row).verdict == only && shut.binary_search(&row).is_err()
    };
    let is_shut = |row: &RowId, shut: &[RowId]| shut.binary_search(row).is_ok();
    let Found { sure, doubtful } = finder.found;
    let pairs = sure.into_iter().chain(doubtful).map(|found| (found.left, found.right));
    let pairs = pairs.filter(|(l, r)| {
        is_shut(l, left) && is_alone(*r, Side::Right, right)
            || is_shut(r, right) && is_alone(*l, Side::Left, left)
    });
    pairs.collect()
}

impl<'a> Finder<'a> {
    fn new(comparison: &'a Comparison, criteria: &'a Criteria<'a>) -> Self {
        Self {
            comparison,
            criteria,
            step: criteria.step(),
            dates: HashMap::new(),
            matched: [HashSet::new(), HashSet::new()],
            found: Found::default(),
        }
    }
}

impl Finder<'_> {
    fn looks(&self, row: RowId, side: Side) -> Option<Looks> {
        let entry = self.comparison.entry(row, side).filter(|entry| entry.kind == Kind::File)?;
        Some((entry.size, entry.modified.rounded_down(self.step)))
    }

    fn is_matched(&self, row: RowId, side: Side) -> bool {
        self.matched[index(side)].contains(&row)
    }

    /// Whether a comparison would call the two equal at one path, content aside.
    fn are_equal(&self, left: RowId, right: RowId) -> bool {
        let nodes = (self.comparison.node(left, Side::Left), self.comparison.node(right, Side::Right));
        let (Some(l), Some(r)) = nodes else { return false };
        self.looks(left, Side::Left) == self.looks(right, Side::Right)
            && self.criteria.judge(l, r, false).verdict == Verdict::Same
    }

    fn have_one_name(&self, left: RowId, right: RowId) -> bool {
        self.comparison.name_on(left, Side::Left) == self.comparison.name_on(right, Side::Right)
    }

    fn match_up(&mut self, found: Move) {
        self.matched[0].insert(found.left);
        self.matched[1].insert(found.right);
        self.found.sure.push(found);
    }

    /// By the memory of the pair: the file that one side had at the path which the other still has is the one that it
    /// has at another path now. The other one has not changed since both were proven equal.
    fn by_number(&mut self, candidates: &Candidates, remembered: &Remembered) {
        let comparison = self.comparison;
        for (renamed_on, new, old) in [
            (Side::Left, &candidates.left, &candidates.right),
            (Side::Right, &candidates.right, &candidates.left),
        ] {
            let volume = &comparison.tree(renamed_on).volume;
            if !volume.lasting_numbers {
                continue;
            }
            // The volume's own number is another one at each mount; below the root others may be mounted.
            let number = |row: RowId| {
                let id = comparison.entry(row, renamed_on)?.fingerprint().id;
                (id.volume == volume.id).then_some((id.file, id.file_high))
            };
            let mut by_number: HashMap<(u64, u64), Option<RowId>> = HashMap::new();
            for &row in new {
                if let Some(number) = number(row) {
                    // Two names of one file: nobody knows which one the old name became.
                    by_number.entry(number).and_modify(|other| *other = None).or_insert(Some(row));
                }
            }
            for &old in old {
                let Some(known) = remembered.get(&comparison.path(old)) else { continue };
                let id = known.on(renamed_on).id;
                let Some(Some(new)) = by_number.get(&(id.file, id.file_high)).copied() else { continue };
                let (left, right) = if renamed_on == Side::Left { (new, old) } else { (old, new) };
                let is_taken = self.is_matched(left, Side::Left) || self.is_matched(right, Side::Right);
                if new == old {
                    // A file that is where it was has not moved, whatever was written to it and looks like it now.
                    self.matched.iter_mut().for_each(|matched| matched.extend([old]));
                    continue;
                }
                if is_taken || !self.is_as_remembered(old, renamed_on.other(), known) {
                    continue;
                }
                let is_changed = !self.is_as_remembered(new, renamed_on, known);
                if if is_changed {
                    self.is_as_old(new, renamed_on, known)
                } else {
                    self.are_equal(left, right)
                } {
                    let found = Move::of_file(left, right, Why::Number);
                    self.match_up(Move { renamed: Some(renamed_on), is_changed, ..found });
                }
            }
        }
    }

    fn is_as_remembered(&self, row: RowId, side: Side, known: &Known) -> bool {
        let stamp = known.on(side);
        self.comparison.entry(row, side).is_some_and(|now| {
            let now = now.fingerprint();
            (now.kind, now.size, now.modified) == (stamp.kind, stamp.size, stamp.modified)
        })
    }

    /// Whether a file is no younger than what is remembered. A system gives the number of a file that is deleted to one
    /// that is made: only the created time, which nobody can set where it says something, tells the two apart.
    fn is_as_old(&self, row: RowId, side: Side, known: &Known) -> bool {
        let created = self.comparison.entry(row, side).and_then(|now| now.created());
        created.is_some_and(|created| created <= known.seen)
    }

    /// By size and date that no other file has.
    fn by_looks(&mut self, candidates: &Candidates) {
        let comparison = self.comparison;
        let mut alike: HashMap<Looks, Alike> = HashMap::new();
        for (side, rows) in [(Side::Left, &candidates.left), (Side::Right, &candidates.right)] {
            for &row in rows {
                let Some(looks) = self.looks(row, side) else { continue };
                if looks.1.nanos() == 0 {
                    self.dates.entry(looks.1).or_default();
                }
                if !self.is_matched(row, side) {
                    alike.entry(looks).or_default().alone[index(side)] = Some(row);
                }
            }
        }
        for row in 0..comparison.rows.len() as RowId {
            for side in [Side::Left, Side::Right] {
                let Some(looks) = self.looks(row, side) else { continue };
                if let Some(alike) = alike.get_mut(&looks) {
                    alike.all[index(side)] += 1;
                }
                if let Some(shared) = self.dates.get_mut(&looks.1) {
                    shared[index(side)] += 1;
                }
            }
        }
        let mut pairs: Vec<(Looks, [RowId; 2])> = alike
            .into_iter()
            .filter(|(_, alike)| alike.all == [1, 1])
            .filter_map(|(looks, alike)| Some((looks, [alike.alone[0]?, alike.alone[1]?])))
            .collect();
        pairs.sort_unstable_by_key(|(_, [left, _])| *left);
        for (looks, [left, right]) in pairs {
            // At one path it differs in what the looks do not show.
            if left == right || !self.are_equal(left, right) {
                continue;
            }
            if self.is_sure(looks, left, right) {
                self.match_up(Move::of_file(left, right, Why::Unique));
            } else {
                self.found.doubtful.push(Move::of_file(left, right, Why::Hash));
            }
        }
    }

    /// Whether two files are one that nothing else looks like.
    fn is_sure(&self, (size, date): Looks, left: RowId, right: RowId) -> bool {
        let comparison = self.comparison;
        let one_name = self.have_one_name(left, right);
        let one_folder = comparison.row(left).parent == comparison.row(right).parent;
        match self.dates.get(&date) {
            _ if self.has_fraction(left, right) => one_name || one_folder && size >= SMALL,
            // Programs make up whole seconds; a clock gives one in a thousand million, or it is an old or a simple
            // disk.
            Some([1, 1]) => one_name,
            _ => false,
        }
    }

    /// Whether either side shows that the date came from a clock.
    fn has_fraction(&self, left: RowId, right: RowId) -> bool {
        [(left, Side::Left), (right, Side::Right)]
            .into_iter()
            .any(|(row, side)| self.comparison.entry(row, side).is_some_and(|e| e.modified.nanos() != 0))
    }

    /// By what moved beside it: in a folder from which everything that is known went to one other folder, a file went
    /// there too that has its name, size and date there, be there others of that size and date elsewhere.
    fn by_folder(&mut self) {
        let comparison = self.comparison;
        let mut ways: [HashMap<RowId, Option<RowId>>; 2] = [HashMap::new(), HashMap::new()];
        let mut vote = |left: RowId, right: RowId| {
            for (side, from, to) in [(0, left, right), (1, right, left)] {
                let way: &mut Option<RowId> = ways[side].entry(from).or_insert(Some(to));
                *way = way.filter(|&way| way == to);
            }
        };
        for found in &self.found.sure {
            let (mut left, mut right) = (found.left, found.right);
            // Upwards as long as the names agree: that is what everything in a folder does whose own name changed.
            while self.have_one_name(left, right) {
                (left, right) = (comparison.row(left).parent, comparison.row(right).parent);
                if !self.is_alone(left, Side::Left) || !self.is_alone(right, Side::Right) {
                    break;
                }
                vote(left, right);
            }
        }
        let mut folders: Vec<[RowId; 2]> = ways[0]
            .iter()
            .filter_map(|(&left, &right)| Some([left, right?]))
            .filter(|[left, right]| ways[1].get(right) == Some(&Some(*left)))
            .collect();
        folders.sort_unstable();
        for [left, right] in folders {
            let names: HashMap<&[u8], RowId> = comparison
                .children(right)
                .filter(|&row| !self.is_matched(row, Side::Right))
                .map(|row| (comparison.name_on(row, Side::Right), row))
                .collect();
            for row in comparison.children(left) {
                let Some(&other) = names.get(comparison.name_on(row, Side::Left)) else { continue };
                if !self.is_matched(row, Side::Left)
                    && comparison.row(row).verdict == Verdict::LeftOnly
                    && comparison.row(other).verdict == Verdict::RightOnly
                    && self.is_date_of_its_own(row, other)
                    && self.are_equal(row, other)
                {
                    self.match_up(Move::of_file(row, other, Why::Unique));
                }
            }
        }
    }

    fn is_date_of_its_own(&self, left: RowId, right: RowId) -> bool {
        let Some((_, date)) = self.looks(left, Side::Left) else { return false };
        let shared = self.dates.get(&date).is_some_and(|shared| shared.iter().any(|&n| n > SHARED_BY));
        self.has_fraction(left, right) || !shared
    }

    /// Whether only this side has the folder.
    fn is_alone(&self, row: RowId, side: Side) -> bool {
        let alone = if side == Side::Left { Verdict::LeftOnly } else { Verdict::RightOnly };
        self.comparison.row(row).verdict == alone
    }
}

fn index(side: Side) -> usize {
    usize::from(side == Side::Right)
}
