//! What a run leaves to a second one, which belongs to it: what only its end shows to be needed, or possible.
//!
//! *Names that were freed.* Of two versions of a file one keeps the name and the other one goes beside it, on both sides. On
//! the side of the other one the name is taken until that has moved, and a run copies before it moves. So what takes the name
//! comes in a run of its own. Cut short between the two, each version has a name on each side that it was to have, or is still
//! to be copied there: the next run does it.
//!
//! *Files that were moved and differ.* Size and date said that two files are one, and reading both once the one had moved said
//! that they are not. The source's version replaces it then, as it would have been copied had nobody taken it for moved; what
//! was there goes to the undo store. Removals that waited because of it alone come after that, in a run of their own.
//!
//! Each run goes by a look at how things are after the one before; all are listed, kept and undone together.
//!
//! Invariants: a name is filled only while nothing has it. A moved file is replaced only where an undo store keeps it, while
//! both sides look as they did, and within what may change without being allowed. What is not replaced stays a failure. This
//! module must not know why a name was freed.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use fcs_sys::{Kind, RelPath};

use super::withheld::{is_differing, is_held_back};
use super::{Folders, Proposal};
use crate::compare::{Comparison, Differences, RowId, Side, Verdict};
use crate::error::Op;
use crate::guard;
use crate::plan::{Plan, Planner, RootIndex, Scope, Wanted};
use crate::progress::full_path;
use crate::report::{ActionKind, Counts, Differing, Evidence, ItemReport, Outcome, Report, RunResult};
use crate::run::RunOptions;
use crate::settings::{ContentCheck, Undo};
use crate::{Control, Error, ErrorKind, Note, Settings, TargetState};

/// What the second run is to do.
#[derive(Default)]
struct Left {
    /// Paths whose names were made free on a side.
    freed: Vec<(RelPath, Side)>,
    /// Paths on a side of files that are to be replaced.
    differing: Vec<(RelPath, Side)>,
    /// Paths on a side of what is still to be removed, each as it was to be removed by the first run.
    held_back: Vec<(RelPath, Side, fcs_sys::Fingerprint)>,
}

/// Does what the run of `report` has left, and yields the report of both runs. What keeps the second one from beginning is a
/// note: the first one stands.
pub(super) fn run(
    folders: &Folders,
    proposal: &Proposal,
    mut report: Report,
    settings: &Settings,
    options: &RunOptions,
    control: &Control,
) -> Report {
    let mut left = Left::of(proposal, &report);
    if !left.differing.is_empty() && settings.undo == Undo::Off {
        left.differing.clear();
        report.notes.push(Note::of_setting("undo", NOTHING_KEEPS.to_owned()));
    }
    let held_back = Left { held_back: std::mem::take(&mut left.held_back), ..Left::default() };
    for left in [left, held_back] {
        let is_replaced = report.differing.iter().all(|found| found.replaced);
        let is_over = matches!(report.result, RunResult::Completed | RunResult::CompletedWithFailures);
        if is_over && !left.is_empty() && (left.held_back.is_empty() || is_replaced) {
            report = left.carry_out(folders, proposal, report, settings, options, control);
        }
    }
    let root = |of: RootIndex| of.of(&folders.roots()).map(|root| root.path.clone()).unwrap_or_default();
    tell_the_rest(&report, &root, control);
    report
}

const NOTHING_KEEPS: &str = "Files that were moved and differ from the source stay as they are: nothing would keep what a copy \
                             replaces.";

impl Left {
    fn of(proposal: &Proposal, report: &Report) -> Self {
        if !matches!(report.result, RunResult::Completed | RunResult::CompletedWithFailures) {
            return Self::default();
        }
        let freed = proposal.freed.iter().map(|freed| (freed.path.clone(), freed.side)).collect();
        let on = |root| if root == RootIndex::from(Side::Left) { Side::Left } else { Side::Right };
        let differing = report.differing.iter().map(|found| (found.path.clone(), on(found.root))).collect();
        let mut left = Self { freed, differing, held_back: Vec::new() };
        // Another failure may hold back what it holds back still.
        let failed = |item: &&ItemReport| matches!(item.outcome, Outcome::Failed { .. });
        if !left.differing.is_empty() && report.items.iter().filter(failed).all(is_differing) {
            let waiting = report.items.iter().filter(|item| is_held_back(item));
            let waiting: HashSet<(RootIndex, &RelPath)> =
                waiting.map(|item| (item.root, &item.path)).collect();
            let removals = proposal.plan.removed().filter_map(|(folder, item)| {
                let path = folder.path.join(&item.name);
                waiting.contains(&(folder.root, &path)).then(|| (path, on(folder.root), item.expect))
            });
            left.held_back = removals.collect();
        }
        left
    }

    fn is_empty(&self) -> bool {
        self.freed.is_empty() && self.differing.is_empty() && self.held_back.is_empty()
    }

    fn carry_out(
        mut self,
        folders: &Folders,
        proposal: &Proposal,
        mut report: Report,
        settings: &Settings,
        options: &RunOptions,
        control: &Control,
    ) -> Report {
        // Whatever is to be read was read.
        let by_looks = Settings { compare_content: ContentCheck::Off, ..settings.clone() };
        let mut comparison = match folders.compare(&by_looks, control) {
            Ok(comparison) if !comparison.cancelled => comparison,
            Ok(_) => return self.later(report, &"the run was stopped."),
            Err(error) => return self.later(report, &error),
        };
        self.mark_differing(&mut comparison);
        let mut plan = self.plan(&comparison, settings);
        if !self.differing.is_empty()
            && let Some(excess) =
                plan.as_ref().and_then(|plan| too_many(plan, proposal, &comparison, settings))
        {
            report.notes.push(Note::from(format!(
                "Files that were moved and differ from the source stay as they are: with those of the run itself, {excess}."
            )));
            self.differing.clear();
            plan = self.plan(&comparison, settings);
        }
        let Some(plan) = plan else { return report };
        let options = RunOptions { run_id: None, retries: Some(report.run.clone()), ..options.clone() };
        match folders.run_plan(&plan, proposal.task, settings, &options, control) {
            Ok(second) => and(report, second, control),
            Err(error) => self.later(report, &error),
        }
    }

    /// Puts what reading has shown into a comparison by looks. What looks otherwise on the two sides now was changed by
    /// somebody: that is a matter of the next run.
    fn mark_differing(&mut self, comparison: &mut Comparison) {
        self.differing.retain(|(path, _)| {
            let row = comparison.row_of(path).filter(|&row| comparison.row(row).verdict == Verdict::Same);
            let differs = Differences { content: true, ..Differences::default() };
            row.map(|row| comparison.rows[row as usize].verdict = Verdict::Different(differs)).is_some()
        });
    }

    /// The plan of the second run, of two folders as they are after the first. `None` where nothing is to be done.
    fn plan(&self, comparison: &Comparison, settings: &Settings) -> Option<Plan> {
        let mut acts: HashMap<Side, HashSet<RowId>> = HashMap::new();
        for (side, row) in free(&self.freed, comparison) {
            acts.entry(side).or_default().insert(row);
        }
        for (path, side) in &self.differing {
            acts.entry(*side).or_default().extend(comparison.row_of(path));
        }
        for (path, side, expect) in &self.held_back {
            let Some(row) = comparison.row_of(path) else { continue };
            let is_as_it_was = comparison.entry(row, *side).is_some_and(|now| {
                let now = now.fingerprint();
                now.kind == expect.kind
                    && now.id == expect.id
                    && (now.kind == Kind::Folder
                        || (now.size, now.modified) == (expect.size, expect.modified))
            });
            if is_as_it_was && comparison.node(row, side.other()).is_none() {
                acts.entry(*side).or_default().insert(row);
            }
        }
        let scope = Scope { copies: true, removals: !self.held_back.is_empty(), kinds: false };
        let mut plans = [Side::Left, Side::Right].into_iter().filter_map(|side| {
            let acts = acts.get(&side)?;
            let wanted = |row| if acts.contains(&row) { Wanted::Act } else { Wanted::Nothing };
            Some(Planner::new(comparison, side, scope, settings).make_wanted(&wanted))
        });
        let first = plans.next()?;
        plans.try_fold(first, Plan::and)
    }

    fn later(&self, mut report: Report, why: &dyn std::fmt::Display) -> Report {
        if !self.freed.is_empty() {
            report.notes.push(Note::from(format!(
                "Versions that are to have a name that was taken are copied at the next run, because they could not be copied \
                 now: {why}"
            )));
        }
        if !self.differing.is_empty() {
            report.notes.push(Note::from(format!(
                "Files that were moved and differ from the source stay as they are, because they could not be copied: {why}"
            )));
        }
        report
    }
}

/// The plan of the second run, of two folders as they are after the first: copies to each side what of `freed` (each path with
/// the side on which its name was made free) that side lacks and the other one has. `None` where there is nothing of the kind.
///
/// For who carries out runs without [`Folders::run`], which does this by itself.
pub fn fill_plan(freed: &[(RelPath, Side)], comparison: &Comparison, settings: &Settings) -> Option<Plan> {
    Left { freed: freed.to_vec(), ..Left::default() }.plan(comparison, settings)
}

/// The rows of the names that are free, each with the side on which it is.
fn free(freed: &[(RelPath, Side)], comparison: &Comparison) -> Vec<(Side, RowId)> {
    let free = freed.iter().filter_map(|(path, side)| {
        let row = comparison.row_of(path)?;
        let is_free = comparison.node(row, *side).is_none() && comparison.node(row, side.other()).is_some();
        is_free.then_some((*side, row))
    });
    free.collect()
}

/// Whether more files would get other content by both runs together than goes without being allowed, on the first side where
/// it is so.
fn too_many(
    plan: &Plan,
    proposal: &Proposal,
    comparison: &Comparison,
    settings: &Settings,
) -> Option<guard::MassChange> {
    let of_plan = |plan: &Plan, side: Side| {
        let parts = plan.parts().unwrap_or_default();
        let parts = parts.iter().filter(|part| part.root == side.into());
        parts.map(guard::files_that_change).sum::<u64>()
    };
    [Side::Left, Side::Right].into_iter().find_map(|side| {
        let more = of_plan(plan, side);
        let files = more + of_plan(&proposal.plan, side);
        let of = comparison.tree(side).files();
        guard::mass_change(files, of, proposal.allowed_changes, settings).filter(|_| more > 0)
    })
}

/// Two runs as one report.
fn and(mut first: Report, second: Report, control: &Control) -> Report {
    let done =
        |item: &&ItemReport, action| item.action == action && matches!(item.outcome, Outcome::Done { .. });
    let replaced = second.items.iter().filter(|item| done(item, ActionKind::Replace));
    let replaced: HashSet<(RootIndex, &RelPath)> = replaced.map(|item| (item.root, &item.path)).collect();
    for found in &mut first.differing {
        found.replaced |= replaced.contains(&(found.root, &found.path));
    }
    let removed = second
        .items
        .iter()
        .filter(|item| matches!(item.action, ActionKind::Remove | ActionKind::RemoveFolder));
    let removed: HashSet<(RootIndex, &RelPath)> = removed.map(|item| (item.root, &item.path)).collect();
    first.items.retain(|item| !is_held_back(item) || !removed.contains(&(item.root, &item.path)));
    let mut by_move: HashMap<(RootIndex, &RelPath), Vec<&Differing>> = HashMap::new();
    first
        .differing
        .iter()
        .for_each(|found| by_move.entry((found.root, &found.moved)).or_default().push(found));
    for item in first.items.iter_mut().filter(|item| is_differing(item)) {
        let found = by_move.get(&(item.root, &item.path)).map(Vec::as_slice).unwrap_or_default();
        if !found.is_empty() && found.iter().all(|found| found.replaced) {
            // What the copies prove is said of them.
            item.outcome = Outcome::Done { evidence: Evidence::NoContent };
            control.progress.steps_failed.fetch_sub(1, Ordering::Relaxed);
        }
    }
    first.items.extend(second.items);
    first.pruned.extend(second.pruned);
    first.counts = Counts::of(&first.items);
    let new: Vec<Note> = second.notes.into_iter().filter(|note| !first.notes.contains(note)).collect();
    first.notes.extend(new);
    first.finished = second.finished;
    first.seconds += second.seconds;
    first.result = match second.result {
        RunResult::Completed | RunResult::CompletedWithFailures => RunResult::of(&first.items, &first.counts),
        // What the first one did stands.
        RunResult::RolledBack | RunResult::PartlyRolledBack => {
            let text = "What the run left to a second one (names that were made free, moved files that differ) is not done, \
                        because that was rolled back.";
            first.notes.push(Note::from(text.to_owned()));
            RunResult::CompletedWithFailures
        }
        second => second,
    };
    first
}

/// Names each file that differs and was not replaced, of several that one item stands for: the report's item names one.
fn tell_the_rest(report: &Report, root: &dyn Fn(RootIndex) -> std::path::PathBuf, control: &Control) {
    let named =
        report.items.iter().filter(|item| is_differing(item)).filter_map(|item| match &item.outcome {
            Outcome::Failed { error } => Some(&error.path),
            _ => None,
        });
    let named: HashSet<&std::path::PathBuf> = named.collect();
    for found in report.differing.iter().filter(|found| !found.replaced) {
        let path = full_path(&root(found.root), &found.path);
        if !named.contains(&path) {
            let error = Error::new(Op::Verify, path, ErrorKind::Mismatch { offset: None });
            control.observer.error(&error.with_target(TargetState::Moved));
        }
    }
}
