//! What becomes of each item, and what is reported of it.
//!
//! Invariant: every step of the plan ends in exactly one item of the report.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use fcs_sys::{Fingerprint, OsReason, RelPath};

use super::{Context, CopyJob, is_served};
use crate::plan::{Action, FolderPlan, RootIndex, Step};
use crate::progress::add;
use crate::report::{ActionKind, Differing, Evidence, ItemReport, Outcome, SkipReason};
use crate::run::OnError;
use crate::run::meter::Owed;
use crate::{Error, ErrorKind, Note, Op, TargetState};

impl Context<'_> {
    /// An item for a step; the caller fills in the outcome.
    pub(crate) fn item(folder: &FolderPlan, step: &Step) -> ItemReport {
        let (strategy, bytes) = match step.action {
            Action::CopyFile { strategy, .. } => (Some(strategy), step.expect_source.size),
            Action::CopyLink | Action::SetTimes => (None, 0),
        };
        ItemReport {
            root: folder.target_root,
            path: folder.target_path.join(&step.target_name),
            action: step.kind(),
            bytes,
            strategy,
            outcome: Outcome::Done { evidence: Evidence::NoContent },
            not_kept: Vec::new(),
            because_of: None,
        }
    }

    /// An item that was left alone.
    pub(crate) fn skipped(root: RootIndex, path: RelPath, why: SkipReason) -> ItemReport {
        ItemReport {
            root,
            path,
            action: ActionKind::None,
            bytes: 0,
            strategy: None,
            outcome: Outcome::Skipped { why },
            not_kept: Vec::new(),
            because_of: None,
        }
    }

    /// Ends a step that was begun with a failure.
    pub(crate) fn fail_job(&self, job: &CopyJob<'_>, error: Error) {
        job.owed.settle(&self.control.progress);
        self.emit_failure(job.folder.plan, job.step, error);
    }

    /// Ends a step that was not begun with a failure.
    pub(crate) fn fail(&self, folder: &FolderPlan, step: &Step, error: Error) {
        Owed::of(step).settle(&self.control.progress);
        self.emit_failure(folder, step, error);
    }

    /// The error's target state follows from the plan unless it was set already.
    pub(crate) fn emit_failure(&self, folder: &FolderPlan, step: &Step, mut error: Error) {
        let untouched =
            if step.expect_target.is_some() { TargetState::Original } else { TargetState::Absent };
        error.target.get_or_insert(untouched);
        self.note_failed(folder, step);
        self.emit(ItemReport { outcome: Outcome::Failed { error }, ..Self::item(folder, step) });
    }

    /// A removal is begun because a folder is to take its name.
    pub(crate) fn set_made_way(&self, number: u64) {
        self.made_way.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
    }

    /// Whether that was begun, and so is reported already.
    pub(crate) fn has_made_way(&self, number: u64) -> bool {
        self.made_way.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    fn note_failed(&self, folder: &FolderPlan, step: &Step) {
        let mut failed = self.failed_steps.lock().unwrap_or_else(PoisonError::into_inner);
        failed.push((folder.target_path.join(&step.target_name), step.expect_source));
    }

    /// A move failed, so that its item is not where the source has it.
    pub(crate) fn note_failed_move(&self, paths: [&RelPath; 2], seen: Fingerprint) {
        let mut failed = self.failed_steps.lock().unwrap_or_else(PoisonError::into_inner);
        failed.extend(paths.map(|path| (path.clone(), seen)));
    }

    /// A file that was moved is not what the source has.
    pub(crate) fn note_differing(&self, moved: &RelPath, path: RelPath) {
        let found = Differing { root: self.plan.root, moved: moved.clone(), path, replaced: false };
        self.differing.lock().unwrap_or_else(PoisonError::into_inner).push(found);
    }

    /// The files that were moved and are not what the source has, by their paths.
    pub(crate) fn take_differing(&self) -> Vec<Differing> {
        let mut all = std::mem::take(&mut *self.differing.lock().unwrap_or_else(PoisonError::into_inner));
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }

    /// The steps that were to bring something over, or to where the source has it, and failed.
    pub(crate) fn failed_steps(&self) -> Vec<(RelPath, Fingerprint)> {
        self.failed_steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends a step that cannot be done on this volume and never will be, which is no failure.
    pub(crate) fn leave_alone(&self, folder: &FolderPlan, step: &Step, why: SkipReason) {
        self.emit(ItemReport { outcome: Outcome::Skipped { why }, ..Self::item(folder, step) });
    }

    /// Ends all steps of a folder that could not be opened.
    pub(crate) fn fail_all(&self, folder: &FolderPlan) {
        folder.steps.iter().for_each(|step| self.fail_below(folder, step));
    }

    /// Ends a step of a folder that could not be opened.
    pub(crate) fn fail_below(&self, folder: &FolderPlan, step: &Step) {
        let path = self.target_path(&folder.target_path.join(&step.target_name));
        self.fail(folder, step, Error::new(Op::Copy, path, ErrorKind::ParentFailed));
    }

    /// Why what is not done any more is left alone.
    pub(crate) fn why_stopping(&self) -> SkipReason {
        if self.is_stopped() { SkipReason::Stopped } else { SkipReason::Cancelled }
    }

    /// Ends a step that was begun because the run was cancelled.
    pub(crate) fn cancel_job(&self, job: &CopyJob<'_>) {
        job.owed.settle(&self.control.progress);
        self.emit_cancelled(job.folder.plan, job.step);
    }

    /// Ends a step that was not begun because the run was cancelled.
    pub(crate) fn cancel(&self, folder: &FolderPlan, step: &Step) {
        Owed::of(step).settle(&self.control.progress);
        self.emit_cancelled(folder, step);
    }

    fn emit_cancelled(&self, folder: &FolderPlan, step: &Step) {
        let outcome = Outcome::Skipped { why: self.why_stopping() };
        self.emit(ItemReport { outcome, ..Self::item(folder, step) });
    }

    /// Records how a step ended.
    pub(crate) fn emit(&self, mut item: ItemReport) {
        if let Outcome::Failed { error } = &mut item.outcome
            && error.kind == ErrorKind::Os(OsReason::DeviceError)
        {
            let root = if error.path.starts_with(&self.target.path) { self.target } else { self.source };
            *error = error.clone().on_volume(is_served(root));
        }
        if let Outcome::Failed { error } = &mut item.outcome {
            let root = if error.path.starts_with(&self.target.path) { self.target } else { self.source };
            *error = error.clone().ask_holders(&*root.dir);
        }
        let progress = &self.control.progress;
        if item.action != ActionKind::None {
            add(&progress.steps_done, 1);
        }
        if let Outcome::Failed { error } = &item.outcome {
            add(&progress.steps_failed, 1);
            add(&self.failed, 1);
            if self.on_error == OnError::RollBack {
                self.whole.aborted.store(true, Ordering::Relaxed);
            }
            tracing::error!("{error}");
        }
        self.control.observer.item(&item);
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    /// Something the report says once.
    pub(crate) fn add_note(&self, note: impl Into<Note>) {
        let note = note.into();
        self.control.observer.note(&note);
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// A failure that concerns no step, such as a staged file that could not be removed.
    pub(crate) fn complain(&self, error: &Error) {
        let error = &error.clone().on_volume(is_served(self.target)).ask_holders(&*self.target.dir);
        tracing::warn!("{error}");
        self.control.observer.error(error);
    }

    /// Changes the items that were reported, after the run was rolled back.
    pub(crate) fn revise(&self, change: impl FnMut(&mut ItemReport)) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().for_each(change);
    }

    /// The items, and what is said once of what this run did to its root.
    pub(crate) fn into_parts(self) -> (Vec<ItemReport>, Vec<Note>) {
        let mut notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut count = |counter: &AtomicU64, one: &str, many: &str| match counter.load(Ordering::Relaxed) {
            0 => {}
            1 => notes.push(format!("1 {one}").into()),
            n => notes.push(format!("{n} {many}").into()),
        };
        count(
            &self.tally.owner_not_kept,
            "item has another owner or group than its source: only an administrator may change owners.",
            "items have another owner or group than their source: only an administrator may change owners.",
        );
        count(
            &self.tally.hard_linked,
            "file has further names (hard links) on the source; it was copied as a file of its own.",
            "files have further names (hard links) on the source; each name was copied as a file of its own.",
        );
        count(
            &self.tally.links_left,
            "link has a date and owner of its own: this volume would set them on what the link points to.",
            "links have dates and owners of their own: this volume would set them on what the links point to.",
        );
        count(
            &self.tally.dates_out_of_range,
            "date lies outside the range of the target volume, which stores another one instead.",
            "dates lie outside the range of the target volume, which stores others instead.",
        );
        let step = self.tally.coarsest_step.load(Ordering::Relaxed);
        if step > 0 {
            let step = crate::compare::duration_words(step);
            notes.push(
                format!("The target volume stores dates in steps of {step}: finer dates were cut off.")
                    .into(),
            );
        }
        (self.items.into_inner().unwrap_or_else(PoisonError::into_inner), notes)
    }

    /// Steps that failed so far.
    pub(crate) fn failures(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Steps committed so far.
    pub(crate) fn commits(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// What the run has made of its own so far: steps committed and folders made.
    pub(crate) fn changes(&self) -> u64 {
        self.commits() + self.made.load(Ordering::Relaxed)
    }
}
