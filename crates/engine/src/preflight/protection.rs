//! What a flag of the file system keeps everybody from changing: immutable and append-only items of the target.
//!
//! Invariant: goes by what the scan has seen; asks nothing.

use std::collections::HashSet;

use fcs_sys::{Protection, RelPath};

use super::{Problem, Sample, Severity, path_of};
use crate::error::{Remedy, protected_words};
use crate::plan::Part;

/// Names the items that will fail because they, or the folders they are in, are protected.
pub(super) fn check(plan: &Part<'_>, problems: &mut Vec<Problem>) {
    for flag in [Protection::Immutable, Protection::AppendOnly] {
        let mut held = Sample::default();
        let is_held = |protection: Option<Protection>| protection == Some(flag);
        // A folder is in several lists of a plan.
        let mut known = HashSet::new();
        let mut add = |path: RelPath| {
            if known.insert(path.clone()) {
                held.add(|| path);
            }
        };
        for folder in plan.folders {
            if is_held(folder.target_protection) {
                add(folder.target_path.clone());
                continue;
            }
            for step in folder.steps.iter().filter(|step| is_held(step.target_protection)) {
                add(path_of(folder, step));
            }
        }
        for folder in plan.removals {
            if is_held(folder.protection) {
                add(folder.path.clone());
                continue;
            }
            for item in folder.items.iter().filter(|item| is_held(item.protection)) {
                add(folder.path.join(&item.name));
            }
        }
        for folder in plan.renames {
            if is_held(folder.protection) {
                add(folder.path.clone());
                continue;
            }
            for item in folder.items.iter().filter(|item| is_held(item.protection)) {
                add(folder.path.join(&item.from));
            }
        }
        let what = protected_words(flag);
        let held = held.problem(|items, which| {
            format!("{items} {what} on the target and will not be changed: {which}.")
        });
        problems.extend(held.map(|problem| problem.with(Remedy::ClearFlag(flag))));
    }
}

/// The root must be able to hold the journal of the run.
pub(super) fn of_root(protection: Protection, to: &str) -> Problem {
    let what = protected_words(protection);
    let text = format!("{to} is {what}, so nothing can be changed there.");
    Problem { severity: Severity::Refuses, text, remedy: Some(Remedy::ClearFlag(protection)) }
}
