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

use super::pair::duration_words;
use crate::dates::{Limits, Steps, is_cut, is_out_of_range};
use crate::tree::{Entry, Tree};

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
