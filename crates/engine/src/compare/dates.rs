//! Dates that differ only because a volume could not keep them.
//!
//! A comparison leaves no trace, so nothing is tried here. The dates themselves show it: a volume on which every date,
//! also every change time that the system itself set, is a whole second keeps whole seconds; and a date that is exactly
//! what becomes of the other side's one out of range was made from it.
//!
//! Invariant: two dates further apart than the step, or than such an image, stay different; and where the dates of a
//! volume show no step, every difference beyond the tolerance counts.

use std::cell::Cell;
use std::collections::HashMap;

use fcs_sys::Time;

use super::Side;
use super::pair::duration_words;
use crate::Settings;
use crate::dates::{Limits, Steps, is_cut, is_out_of_range};
use crate::tree::{Entry, Tree};

/// How far apart two times may be that count as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    nanos: u128,
    /// What these volumes cannot tell apart anyway.
    step_nanos: u128,
    whole_hours: u128,
}

/// How two times lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Equal, as far as the volumes can tell.
    No,
    /// Not equal, and let pass.
    LetPass,
    Yes,
}

impl Tolerance {
    pub(super) fn of(left: &Tree, right: &Tree, settings: &Settings) -> Self {
        let step = granularity(left, right);
        Self {
            nanos: u128::from(settings.time_tolerance_nanos.max(step)),
            step_nanos: u128::from(step),
            whole_hours: u128::from(settings.ignore_whole_hours),
        }
    }

    pub(super) fn apart(&self, a: Time, b: Time) -> Apart {
        const HOUR: u128 = 3_600_000_000_000;
        let distance = a.distance_nanos(b);
        if distance <= self.step_nanos {
            return Apart::No;
        }
        if distance <= self.nanos {
            return Apart::LetPass;
        }
        // To the nearest whole hour, from either side.
        let hours = (distance + HOUR / 2) / HOUR;
        let beside = distance.abs_diff(hours * HOUR);
        let whole = (1..=self.whole_hours).contains(&hours) && beside <= self.nanos.max(self.step_nanos);
        if whole { Apart::LetPass } else { Apart::Yes }
    }
}

/// The coarser of both volumes' steps; 0 where both store every nanosecond.
pub(super) fn granularity(left: &Tree, right: &Tree) -> u64 {
    match left.volume.time_granularity_nanos.max(right.volume.time_granularity_nanos) {
        1 => 0,
        coarse => coarse,
    }
}

/// Which of two items has the later modified time, where the comparison does not say whether they differ in it.
pub(crate) struct Later {
    tolerance: Tolerance,
    dates: Dates,
}

impl Later {
    pub(crate) fn of(left: &Tree, right: &Tree, settings: &Settings) -> Self {
        Self { tolerance: Tolerance::of(left, right, settings), dates: Dates::of(left, right) }
    }

    /// The side; `None` where the two count as one time.
    pub(crate) fn which(&self, left: &Entry, right: &Entry) -> Option<Side> {
        let is_one = self.tolerance.apart(left.modified, right.modified) != Apart::Yes
            || self.dates.are_one(left, right);
        let later = if left.modified > right.modified { Side::Left } else { Side::Right };
        (!is_one).then_some(later)
    }
}

/// What the dates of both sides show, and how often it was needed.
pub(crate) struct Dates {
    left: HashMap<u64, u64>,
    right: HashMap<u64, u64>,
    /// The volume of each root, and the limits that it may have. Of volumes below them none are known.
    limits: [(u64, Limits); 2],
    cut: Cell<(u64, u64)>,
    out_of_range: Cell<u64>,
}

impl Dates {
    /// Looks at all dates of both sides.
    pub(crate) fn of(left: &Tree, right: &Tree) -> Self {
        let (left_steps, right_steps) = (steps(left), steps(right));
        let limits = |tree: &Tree, steps: &HashMap<u64, u64>| {
            (tree.volume.id, Limits::of(&tree.volume, !steps.contains_key(&tree.volume.id)))
        };
        Self {
            limits: [limits(left, &left_steps), limits(right, &right_steps)],
            left: left_steps,
            right: right_steps,
            cut: Cell::default(),
            out_of_range: Cell::default(),
        }
    }

    /// Whether two modified times that differ are one on volumes that could keep both.
    pub(crate) fn are_one(&self, left: &Entry, right: &Entry) -> bool {
        let (l, r) = (left.modified, right.modified);
        let step = |steps: &HashMap<u64, u64>, entry: &Entry| steps.get(&entry.volume()).copied();
        let cut =
            |given: Time, shown: Time, step: Option<u64>| step.filter(|&step| is_cut(given, shown, step));
        if let Some(step) = cut(l, r, step(&self.right, right)).or_else(|| cut(r, l, step(&self.left, left)))
        {
            let (count, coarsest) = self.cut.get();
            self.cut.set((count + 1, coarsest.max(step)));
            return true;
        }
        let limits = |side: usize, entry: &Entry| {
            let (volume, limits) = self.limits[side];
            if volume == entry.volume() { limits } else { Limits::NONE }
        };
        // What one volume shows twice it was given twice.
        let is_image = left.volume() != right.volume()
            && (is_out_of_range(l, r, limits(1, right)) || is_out_of_range(r, l, limits(0, left)));
        self.out_of_range.set(self.out_of_range.get() + u64::from(is_image));
        is_image
    }

    /// The coarsest step that any date shows, in nanoseconds; 0 where none does.
    pub(crate) fn coarsest(&self) -> u64 {
        self.left.values().chain(self.right.values()).copied().max().unwrap_or_default()
    }

    /// What the user should know about it, once.
    pub(crate) fn notes(&self) -> Vec<String> {
        let items = |n: u64| if n == 1 { "1 item".to_owned() } else { format!("{n} items") };
        let mut notes = Vec::new();
        let (cut, step) = self.cut.get();
        if cut > 0 {
            notes.push(format!(
                "The modified times of {} differ by less than the {} in which one of the volumes keeps them; they count \
                 as equal.",
                items(cut),
                duration_words(step)
            ));
        }
        let out = self.out_of_range.get();
        if out > 0 {
            notes.push(format!(
                "The modified times of {} lie outside the range of one of the volumes, which keeps another date \
                 instead; they count as equal.",
                items(out)
            ));
        }
        notes
    }
}

/// The steps of a tree's volumes, as far as their dates show any. Change times decide: programs set the others, and
/// whole seconds at that (archives), but these come from a clock that counts nanoseconds.
fn steps(tree: &Tree) -> HashMap<u64, u64> {
    let mut seen: HashMap<u64, Steps> = HashMap::new();
    for entry in tree.entries() {
        let Some(changed) = entry.changed() else { continue };
        let steps = seen.entry(entry.volume()).or_insert(Steps::NONE_SEEN);
        steps.see(changed);
        steps.see(entry.modified);
    }
    seen.into_iter().filter_map(|(volume, steps)| Some((volume, steps.step()?))).collect()
}
