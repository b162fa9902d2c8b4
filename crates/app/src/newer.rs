//! Which files of a plan are newer than what replaces them.
//!
//! Invariant: these are the files that the plan's totals count, in the order of the plan. This module must not know how they
//! are shown.

use fcs_engine::Settings;
use fcs_engine::plan::{Action, Plan, RootIndex};
use fcs_sys::RelPath;

/// The files that are replaced by an older one: the root that they are in, and their paths below it.
pub fn replaced_by_older<'a>(
    plan: &'a Plan,
    settings: &Settings,
) -> impl Iterator<Item = (RootIndex, RelPath)> + use<'a> {
    let tolerance = u128::from(settings.time_tolerance_nanos);
    plan.steps().filter_map(move |(folder, step)| {
        let there = step.expect_target?.modified;
        let here = step.expect_source.modified;
        let is_newer = there > here && there.distance_nanos(here) > tolerance;
        let is_copy = matches!(step.action, Action::CopyFile { .. });
        (is_newer && is_copy).then(|| (folder.target_root, folder.target_path.join(&step.target_name)))
    })
}
