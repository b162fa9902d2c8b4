//! What the user asks of earlier runs: to see them, to undo one, to recover one that was interrupted.
//!
//! Invariant: nothing is undone or recovered that was not shown and agreed to. This module must not know how either is done.

use fcs_engine::compare::Side;
use fcs_engine::history::{self, RecoverMode, RunId, RunInfo};

use super::jobs::{self, UndoWanted};
use super::{App, Runs, Sheet, Unfinished};
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

    /// Asks whether a run, and what belongs to it, is to be undone: the one with this id of those that are listed on a side.
    /// It is undone on the other side too, where it is listed there.
    pub fn ask_undo(&mut self, listed: &[Runs], side: Side, run: &RunId) {
        let Some(of) = listed.iter().find(|of| of.side == side) else { return };
        let there = of.runs.as_deref().unwrap_or_default();
        let runs: Vec<RunInfo> = history::to_undo(there, Some(run)).into_iter().cloned().collect();
        let Some(newest) = runs.first() else { return };
        let wrote = |other: &&Runs| {
            let runs = other.runs.as_deref().unwrap_or_default().iter();
            other.side != side && runs.into_iter().any(|run| run.group() == newest.group() && run.undoable)
        };
        let others = listed.iter().filter(wrote).map(|other| (other.side, other.folder.clone())).collect();
        self.sheet = Some(Sheet::AskUndo { side, folder: of.folder.clone(), runs, others });
    }

    /// The same of a run in the list that is shown.
    pub fn ask_undo_listed(&mut self, side: Side, run: &RunId) {
        let Some(Sheet::History(Some(listed))) = &self.sheet else { return };
        let listed = listed.clone();
        self.ask_undo(&listed, side, run);
    }

    /// Undoes the run that the question is about.
    pub fn undo(&mut self) {
        if self.busy.is_some() {
            return;
        }
        let Some(Sheet::AskUndo { side, folder, runs, .. }) = self.sheet.take() else { return };
        let Some(run) = runs.into_iter().next() else { return };
        let control = self.begin(JobKind::Undo);
        let memories = self.memories.clone();
        self.jobs.start("undo", move |_| jobs::undo(side, &folder, &run.run, memories.as_deref(), &control));
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
        let memories = self.memories.clone();
        self.jobs.start("recover", move |_| {
            jobs::recover(unfinished.side, &unfinished.folder, how, memories.as_deref(), &control)
        });
    }
}
