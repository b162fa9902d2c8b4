//! Names that a run has freed are given to the other side's version, in a second run that belongs to the first.
//!
//! Of two versions of a file one keeps the name and the other one goes beside it, on both sides. On the side of the other
//! one the name is taken until that has moved, and a run copies before it moves. So what takes the name comes in a run of
//! its own, after a look at how things are now; both are listed, kept and undone together. Cut short between the two, each
//! version has a name on each side that it was to have, or is still to be copied there: the next run does it.
//!
//! Invariant: a name is filled only while nothing has it. This module must not know why a name was freed.

use std::collections::HashMap;

use fcs_sys::RelPath;

use super::{Folders, Proposal};
use crate::compare::{Comparison, RowId, Side};
use crate::plan::{Plan, plan};
use crate::report::{Report, RunResult};
use crate::run::RunOptions;
use crate::{Control, Note, Settings};

/// Fills the names that the run of `report` has freed, and yields the report of both runs. What keeps the second one from
/// beginning is a note: the first one stands.
pub(super) fn fill(
    folders: &Folders,
    proposal: &Proposal,
    report: Report,
    settings: &Settings,
    options: &RunOptions,
    control: &Control,
) -> Report {
    if !matches!(report.result, RunResult::Completed | RunResult::CompletedWithFailures) {
        return report;
    }
    let later = |report: Report, why: &dyn std::fmt::Display| {
        let text = format!(
            "Versions that are to have a name that was taken are copied at the next run, because they could not be copied \
             now: {why}"
        );
        let mut report = report;
        report.notes.push(Note::from(text));
        report
    };
    let comparison = match folders.compare(settings, control) {
        Ok(comparison) if !comparison.cancelled => comparison,
        Ok(_) => return later(report, &"the run was stopped."),
        Err(error) => return later(report, &error),
    };
    let freed: Vec<_> = proposal.freed.iter().map(|freed| (freed.path.clone(), freed.side)).collect();
    let Some(plan) = fill_plan(&freed, &comparison, settings) else { return report };
    let options = RunOptions { run_id: None, retries: Some(report.run.clone()), ..options.clone() };
    match folders.run_plan(&plan, proposal.task, settings, &options, control) {
        Ok(second) => and(report, second),
        Err(error) => later(report, &error),
    }
}

/// The plan of the second run, of two folders as they are after the first: copies to each side what of `freed` (each path with
/// the side on which its name was made free) that side lacks and the other one has. `None` where there is nothing of the kind.
///
/// For who carries out runs without [`Folders::run`], which does this by itself.
pub fn fill_plan(freed: &[(RelPath, Side)], comparison: &Comparison, settings: &Settings) -> Option<Plan> {
    let wanted: HashMap<&RelPath, Side> = freed.iter().map(|(path, side)| (path, *side)).collect();
    let free = |side: Side| {
        let rows = (0..comparison.rows.len() as RowId).filter(|&row| {
            comparison.node(row, side).is_none()
                && comparison.node(row, side.other()).is_some()
                && wanted.get(&comparison.path(row)) == Some(&side)
        });
        rows.collect::<std::collections::HashSet<RowId>>()
    };
    let plans = [Side::Left, Side::Right].map(|side| (side, free(side)));
    let mut plans = plans
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(side, rows)| plan(comparison, side, &|row| rows.contains(&row), settings));
    let first = plans.next()?;
    plans.try_fold(first, Plan::and)
}

/// Two runs as one report.
fn and(mut first: Report, second: Report) -> Report {
    second.items.iter().for_each(|item| first.counts.add(item));
    first.items.extend(second.items);
    let new: Vec<Note> = second.notes.into_iter().filter(|note| !first.notes.contains(note)).collect();
    first.notes.extend(new);
    first.finished = second.finished;
    first.seconds += second.seconds;
    first.result = match (first.result, second.result) {
        (first, RunResult::Completed) => first,
        // What the first one did stands.
        (_, RunResult::RolledBack | RunResult::PartlyRolledBack) => {
            let text = "The names that were made free are not filled yet, because that was rolled back: the next run does it.";
            first.notes.push(Note::from(text.to_owned()));
            RunResult::CompletedWithFailures
        }
        (_, second) => second,
    };
    first
}
