//! What the user can do: one method for each click, key or choice.
//!
//! Invariant: what cannot be done now does nothing; the window shows why by what it lets be clicked. This module must
//! not know where on the screen anything is.

use std::sync::Arc;

use fcs_engine::OnCancel;
use fcs_engine::compare::Side;
use fcs_engine::error::display_path;
use fcs_engine::session::Task;
use fcs_engine::settings::Verify;

use super::confirm::WhenPlanned;
use super::directing::settings_to_plan;
use super::jobs::{self, JobEvent, PlannedRows};
use super::picker::Purpose;
use super::{App, Choice, Closing, Confirm, Proposed, Sheet, TimesStage, View};
use crate::chips::Chips;
use crate::editor::Editor;
use crate::log::Level;
use crate::running::{JobKind, Pace};
use crate::selection::Change;
use crate::text;

impl App {
    /// Ticks all differences on a side that the filter shows.
    pub fn tick_all(&mut self, side: Side) {
        let Some(loaded) = self.loaded_mut() else { return };
        let change = loaded.model.tick_all_differences(side);
        self.say_change(change);
    }

    /// Unticks everything on a side.
    pub fn clear_ticks(&mut self, side: Side) {
        let Some(loaded) = self.loaded_mut() else { return };
        let change = loaded.model.clear(side);
        self.say_change(change);
    }

    /// Undoes the latest change of ticks.
    pub fn undo_ticks(&mut self) {
        let Some(loaded) = self.loaded_mut() else { return };
        let words = if loaded.model.undo_ticks() {
            "The ticks are restored."
        } else {
            "No ticks were changed before."
        };
        self.count_ticks();
        self.status_message = Some(words.to_owned());
    }

    /// Says what a click on boxes did, and counts again.
    pub fn say_change(&mut self, change: Change) {
        self.count_ticks();
        self.status_message = text::change(change);
    }

    /// Goes to the next or the previous difference.
    pub fn go_to_difference(&mut self, forward: bool) {
        let Some(loaded) = self.loaded_mut() else { return };
        let model = &mut loaded.model;
        let found = if forward { model.next_difference() } else { model.previous_difference() };
        self.reveal = found;
        self.status_message =
            (!found).then(|| format!("No difference {}.", if forward { "below" } else { "above" }));
    }

    /// Chooses which copies are verified.
    pub fn set_verify(&mut self, verify: Verify) {
        self.set_setting("verify", &verify.to_string());
        self.plan_again();
    }

    /// Decides for the plan on the sheet alone what becomes of something that it meets on the target.
    pub fn choose(&mut self, choice: Choice, replace: bool) {
        if self.busy.is_some() {
            return;
        }
        if let Some(Sheet::Confirm(confirm)) = &mut self.sheet {
            confirm.choose(choice, replace);
            self.plan_again();
        }
    }

    /// What is ticked on the side that is read is to be copied.
    pub fn copy(&mut self, to: Side) {
        let Some(loaded) = self.loaded().filter(|_| self.busy.is_none()) else { return };
        let ticked = loaded.model.selection().ticked(to.other()).clone();
        if ticked.count() == 0 {
            self.status_message = Some("Tick what is to be copied first.".to_owned());
            return;
        }
        let mut hidden = ticked.clone();
        hidden.drop_all(loaded.model.rows().matching());
        let hidden = u64::from(hidden.count());
        self.propose(Confirm::new(Task::Copy(to), PlannedRows::Ticked(ticked), hidden));
    }

    /// Shows the sheet that confirms, and makes its plan.
    pub(super) fn propose(&mut self, confirm: Confirm) {
        self.sheet = Some(Sheet::Confirm(confirm));
        self.plan_again();
    }

    /// Makes the plan of the open sheet again, after what it depends on changed.
    pub(super) fn plan_again(&mut self) {
        let (Some(Sheet::Confirm(confirm)), View::Loaded(loaded)) = (&mut self.sheet, &self.view) else {
            return;
        };
        confirm.proposed = None;
        let (task, rows) = (confirm.task, confirm.rows.clone());
        let (folders, index) = (Arc::clone(&loaded.folders), Arc::clone(loaded.model.rows().shared_index()));
        let mut settings = settings_to_plan(&self.settings, loaded);
        let memories = self.memories.clone();
        confirm.apply_choices(&mut settings);
        self.begin(JobKind::Plan);
        let request = self.requests.plan.ask();
        self.jobs.start("plan", move |_| {
            let proposed = jobs::prepare(task, &folders, &index, &rows, settings, memories.as_deref());
            JobEvent::Proposed(request, Box::new(proposed))
        });
    }

    /// Goes ahead with the plan on the sheet, or through it without writing.
    pub fn go(&mut self, dry_run: bool) {
        let Some(Sheet::Confirm(confirm)) = &self.sheet else { return };
        let retries = confirm.retries.clone();
        let Some(proposed) = confirm.proposed.clone().filter(|_| self.busy.is_none()) else { return };
        let refused = if dry_run { proposed.is_empty() } else { confirm.obstacle().is_some() };
        if refused {
            return;
        }
        if proposed.untried && !dry_run {
            self.try_volume(proposed);
            return;
        }
        self.sheet = None;
        let control = self.begin(if dry_run { JobKind::DryRun } else { JobKind::Run });
        let (logs, memories) = (self.logs.clone(), self.memories.clone());
        let run = jobs::RunRequest { dry_run, retries, logs, memories };
        self.jobs.start("run", move |_| jobs::run(&proposed, run, &control));
    }

    /// Tries what the target's volume keeps, now that it may be written to, before the run that was agreed to begins.
    fn try_volume(&mut self, agreed: Arc<Proposed>) {
        let (Some(Sheet::Confirm(confirm)), View::Loaded(loaded)) = (&mut self.sheet, &self.view) else {
            return;
        };
        confirm.proposed = None;
        let (rows, index) = (confirm.rows.clone(), Arc::clone(loaded.model.rows().shared_index()));
        let memories = self.memories.clone();
        self.begin(JobKind::Plan);
        let request = self.requests.plan.ask();
        self.jobs.start("try the volume", move |_| {
            let proposed = jobs::try_volumes(&agreed, &index, &rows, memories.as_deref());
            JobEvent::Tried(request, Box::new(proposed), agreed)
        });
    }

    /// Deletes what earlier runs keep, where that is all that stands against the plan on the sheet, and plans again.
    pub fn make_room(&mut self) {
        let Some(Sheet::Confirm(confirm)) = &self.sheet else { return };
        let (Some(proposed), Some(room)) = (&confirm.proposed, confirm.room()) else { return };
        if self.busy.is_some() {
            return;
        }
        let side = if room.root == Side::Left.into() { Side::Left } else { Side::Right };
        let folders = Arc::clone(&proposed.folders);
        let newest = room.newest.clone();
        let memories = self.memories.clone();
        self.begin(JobKind::Prune);
        self.jobs.start("make room", move |_| jobs::prune(&folders, side, &newest, memories.as_deref()));
    }

    /// Tries again what failed in the run that is shown.
    pub fn retry_failed(&mut self) {
        let (Some(Sheet::Ended(ended)), true) = (&self.sheet, self.can_act()) else { return };
        let Some(task) = ended.task else { return };
        // The run may be shown again long after, over other folders.
        let target = self.loaded().map(|loaded| loaded.folders.root(task.target()).path.clone());
        if target.as_ref() != Some(&ended.folder) {
            self.status_message = Some(format!(
                "That run was on {}. Compare that folder again first.",
                display_path(&ended.folder)
            ));
            return;
        }
        let paths = ended.failures.iter().map(|failure| failure.path.clone()).collect();
        // What brings the rest belongs to the run that brought the most, and is undone with it.
        let retries = Some(ended.report.run.clone());
        let mut confirm = Confirm::new(task, PlannedRows::Paths(paths), 0);
        confirm.retries = retries;
        self.propose(confirm);
    }

    /// Pauses the work or lets it go on.
    pub fn set_paused(&mut self, paused: bool) {
        let Some(busy) = &mut self.busy else { return };
        if paused {
            busy.control.cancel.pause();
        } else {
            busy.control.cancel.resume();
        }
        busy.running.set_paused(paused);
    }

    /// Asks what becomes of the work; a run is paused meanwhile. What writes nothing is ended at once.
    pub fn ask_to_stop(&mut self, closing: bool) {
        let Some(busy) = &self.busy else {
            self.close_if(closing, Closing::Now);
            return;
        };
        match busy.running.kind {
            JobKind::Run if busy.running.pace != Pace::Stopping => {
                let was_paused = match self.sheet {
                    Some(Sheet::Stop { was_paused, .. }) => was_paused,
                    _ => busy.running.pace == Pace::Paused,
                };
                self.set_paused(true);
                self.sheet = Some(Sheet::Stop { closing, was_paused });
            }
            // These end by themselves; half of an undo would only have to be gone on with.
            JobKind::Undo | JobKind::Recover | JobKind::Prune | JobKind::Run => {
                self.close_if(closing, Closing::WhenIdle);
            }
            JobKind::Plan => {
                // Whatever comes of it is not waited for.
                self.requests.plan.cancel();
                busy.control.cancel.cancel();
                self.busy = None;
                if let Some(Sheet::Confirm(confirm)) = &mut self.sheet {
                    confirm.then = WhenPlanned::Ask;
                }
                self.times_not_waited_for();
                self.keep_mode_that_decided();
                self.close_if(closing, Closing::Now);
            }
            JobKind::Compare | JobKind::DryRun => {
                self.close_if(closing, Closing::WhenIdle);
                self.stop(OnCancel::Keep);
            }
        }
    }

    /// Goes on with what was to be stopped.
    pub fn do_not_stop(&mut self) {
        if matches!(self.sheet, Some(Sheet::Stop { .. })) {
            self.sheet = None;
        }
        self.set_paused(false);
    }

    /// Ends the work at its next safe point.
    pub fn stop(&mut self, wish: OnCancel) {
        if let Some(Sheet::Stop { closing, .. }) = self.sheet {
            self.close_if(closing, Closing::WhenIdle);
            self.sheet = None;
        }
        let Some(busy) = &mut self.busy else { return };
        busy.wish.set(wish);
        busy.running.pace = Pace::Stopping;
        busy.control.cancel.cancel();
        busy.control.cancel.resume();
    }

    /// Shows the settings.
    pub fn show_settings(&mut self) {
        self.sheet = Some(Sheet::Settings(Editor::new(&self.file)));
    }

    /// Shows the log.
    pub fn show_log(&mut self) {
        self.sheet = Some(Sheet::Log { filter: String::new(), least: Level::Info });
    }

    /// Shows the run that ended last once more.
    pub fn show_last_run(&mut self) {
        if let Some(ended) = self.ended.clone() {
            self.sheet = Some(Sheet::Ended(ended));
        }
    }

    /// Closes what lies over the table. A question about work in progress is answered with leaving it as it was.
    pub fn close_sheet(&mut self) {
        match self.sheet.take() {
            Some(Sheet::Pick(picker)) if picker.under.is_some() => {
                self.sheet = picker.under.map(|under| *under);
                return;
            }
            Some(Sheet::Stop { was_paused, .. }) => self.set_paused(was_paused),
            Some(Sheet::Confirm(confirm)) if confirm.proposed.is_none() => {
                self.requests.plan.cancel();
                self.busy = None;
            }
            Some(Sheet::Times(times)) if matches!(times.stage, TimesStage::Working) => {
                self.requests.plan.cancel();
                if let Some(busy) = self.busy.take() {
                    busy.control.cancel.cancel();
                }
            }
            _ => {}
        }
        self.sheet = self.next.take();
    }

    /// Escape: closes a sheet, else asks whether to stop, else clears the filter's text, else switches the chips on. One
    /// of these, and what was cleared can come back.
    pub fn escape(&mut self) {
        if self.sheet.is_some() {
            self.close_sheet();
        } else if self.busy.is_some() {
            self.ask_to_stop(false);
        } else if !self.filter.text.is_empty() {
            self.show_by(String::new(), self.filter.chips);
            self.status_message = Some("The filter is cleared. Ctrl+Shift+F restores it.".to_owned());
        } else if self.filter.chips != Chips::ALL {
            self.show_by(String::new(), Chips::ALL);
            self.status_message = Some("All rows are shown. Ctrl+Shift+F restores the switches.".to_owned());
        }
    }

    /// Saves the report of the run that is shown.
    pub fn save_report(&self) {
        let Some(Sheet::Ended(ended)) = &self.sheet else { return };
        self.pick_save(Purpose::Report(Arc::clone(ended)));
    }

    /// Saves lines of the log.
    pub fn export_log(&self, lines: &[usize]) {
        let text = self.log.export(lines, &self.zone).into_bytes();
        self.pick_save(Purpose::Save("the log", "fcs-log.txt", text));
    }

    /// Copies lines of the log.
    pub fn copy_log(&mut self, lines: &[usize]) {
        self.clipboard = Some(self.log.export(lines, &self.zone));
    }

    /// Copies the failures that are shown.
    pub fn copy_failures(&mut self) {
        if let Some(Sheet::Ended(ended)) = &self.sheet {
            self.clipboard = Some(ended.failures_text());
        }
    }
}
