//! What a flag of the file system keeps everybody from changing: immutable and append-only items of the target.
//!
//! Invariant: goes by what the scan has seen; asks nothing.

use fcs_sys::Protection;

use super::{Problem, Sample, Severity, path_of};
use crate::error::protected_words;
use crate::plan::Plan;

/// Names the items that will fail because they, or the folders they lie in, are protected.
pub(super) fn check(plan: &Plan, problems: &mut Vec<Problem>) {
    for flag in [Protection::Immutable, Protection::AppendOnly] {
        let mut held = Sample::default();
        let is_held = |protection: Option<Protection>| protection == Some(flag);
        for folder in &plan.folders {
            if is_held(folder.target_protection) {
                held.add(|| folder.target_path.clone());
                continue;
            }
            for step in folder.steps.iter().filter(|step| is_held(step.target_protection)) {
                held.add(|| path_of(folder, step));
            }
        }
        for folder in &plan.removals {
            if is_held(folder.protection) {
                held.add(|| folder.path.clone());
                continue;
            }
            for item in folder.items.iter().filter(|item| is_held(item.protection)) {
                held.add(|| folder.path.join(&item.name));
            }
        }
        let what = protected_words(flag);
        problems.extend(held.problem(|items, which| {
            let flag = if flag == Protection::Immutable { 'i' } else { 'a' };
            format!(
                "{items} {what} on the target and will not be changed: {which}. An administrator can clear that flag \
                 (chattr -{flag})."
            )
        }));
    }
}

/// The root must be able to hold the journal of the run.
pub(super) fn of_root(protection: Protection, to: &str) -> Problem {
    let what = protected_words(protection);
    let text =
        format!("{to} is {what}. Nothing can be changed there until an administrator clears that flag.");
    Problem { severity: Severity::Refuses, text }
}
