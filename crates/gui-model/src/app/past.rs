//! What the user asks of earlier runs: to see them, to undo one, to recover one that was interrupted.
//!
//! Invariant: nothing is undone or recovered that was not shown and agreed to. This module must not know how either is done.

use std::path::PathBuf;

use fcs_engine::compare::Side;
use fcs_engine::history::{self, RecoverMode, RunId, RunInfo};

use super::jobs::{self, UndoWanted};
use super::{App, Sheet, Unfinished};
use crate::running::JobKind;

impl App {
    /// Shows the runs on both folders.
    pub fn show_history(&mut self) {
        self.sheet = Some(Sheet::History(None));
        self.list_runs();
    }

    pub(super) fn list_runs(&self) {
        let both = [Side::Left, Side::Right].into_iter().map(|side| (side, self.named(side)));
        let paths: Vec<_> = both.filter(|(_, path)| !path.as_os_str().is_empty()).collect();
        self.jobs.start("list runs", move |_| jobs::list(paths));
    }

    /// Asks whether the latest run is to be undone.
    pub fn undo_latest(&mut self) {
        if self.busy.is_none() {
            self.undo_next = Some(UndoWanted::Latest);
            self.list_runs();
        }
    }

    /// Asks whether the run before the one that was undone is to be undone too.
    pub fn undo_further(&mut self) {
        if self.busy.is_some() {
            self.status_message =
                Some("The folders are compared; then the run before can be undone.".to_owned());
            return;
        }
        if let Some(Sheet::Done(done)) = &self.sheet {
            self.undo_next = Some(UndoWanted::LatestOn(done.side));
            self.list_runs();
        }
    }

    /// Asks whether the run that is shown is to be undone.
    pub fn ask_undo_shown(&mut self) {
        if let (Some(Sheet::Ended(ended)), None) = (&self.sheet, &self.busy) {
            self.undo_next = Some(UndoWanted::Run(ended.report.run.clone()));
            self.list_runs();
        }
    }

    /// Asks whether a run, and what belongs to it, is to be undone: the one with this id of those that are listed.
    pub fn ask_undo(&mut self, side: Side, folder: PathBuf, listed: &[RunInfo], run: &RunId) {
        let runs: Vec<RunInfo> = history::to_undo(listed, Some(run)).into_iter().cloned().collect();
        if !runs.is_empty() {
            self.sheet = Some(Sheet::AskUndo { side, folder, runs });
        }
    }

    /// Undoes the run that the question is about.
    pub fn undo(&mut self) {
        if self.busy.is_some() {
            return;
        }
        let Some(Sheet::AskUndo { side, folder, runs }) = self.sheet.take() else { return };
        let Some(run) = runs.into_iter().next() else { return };
        let control = self.begin(JobKind::Undo);
        self.jobs.start("undo", move |_| jobs::undo(side, &folder, &run.run, &control));
    }

    /// Asks how an interrupted run is to be recovered.
    pub fn ask_recover(&mut self, unfinished: Unfinished, how: RecoverMode) {
        self.sheet = Some(Sheet::AskRecover { unfinished, how });
    }

    /// Recovers the run that the question is about.
    pub fn recover(&mut self) {
        if self.busy.is_some() {
            return;
        }
        let Some(Sheet::AskRecover { unfinished, how }) = self.sheet.take() else { return };
        let control = self.begin(JobKind::Recover);
        self.jobs
            .start("recover", move |_| jobs::recover(unfinished.side, &unfinished.folder, how, &control));
    }
}
