//! What the user can do: one method for each click, key or choice.
//!
//! Invariant: what cannot be done now does nothing; the window shows why by what it lets be clicked. This module must
//! not know where on the screen anything is.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use fcs_engine::OnCancel;
use fcs_engine::compare::{Group, Side};
use fcs_engine::error::shown;
use fcs_engine::plan::Direction;
use fcs_engine::runs::{self, How, RunId, RunInfo};
use fcs_engine::settings::Verify;
use fcs_front::task::Task;

use super::jobs::{self, Event, Request, Rows, Wanted};
use super::picker::Purpose;
use super::{App, Choice, Confirm, Field, Orphans, Picker, Proposed, Sheet, Unfinished, View};
use crate::carry::Memory;
use crate::editor::Editor;
use crate::filter::Chips;
use crate::index::Index;
use crate::log::Level;
use crate::running::Kind;
use crate::selection::Change;
use crate::text;

impl App {
    /// A folder was typed.
    pub fn set_folder_text(&mut self, side: Side, text: String) {
        self.fields[side as usize] = Field { text, chosen: None };
    }

    /// A folder was chosen or dropped.
    pub fn set_folder(&mut self, side: Side, path: PathBuf) {
        self.fields[side as usize] = Field::new(path);
    }

    /// Lets the user choose a folder.
    pub fn pick_folder(&self, side: Side) {
        let (desktop, start) = (Arc::clone(&self.desktop), self.named(side));
        let purpose = Purpose::Folder(side);
        self.jobs.start("choose a folder", move |_| {
            let start = Some(start).filter(|start| start.is_dir());
            let answer = desktop.pick_folder(purpose.title(), start.as_deref());
            Event::Picked(Box::new(purpose), answer)
        });
    }

    /// Lets the user choose where something is saved.
    fn pick_save(&self, purpose: Purpose) {
        let desktop = Arc::clone(&self.desktop);
        self.jobs.start("choose a file", move |_| {
            let name = purpose.file_name().unwrap_or_default();
            let answer = desktop.pick_save(purpose.title(), &name);
            Event::Picked(Box::new(purpose), answer)
        });
    }

    /// Goes on with what a path was chosen for.
    pub(super) fn chosen(&mut self, purpose: Purpose, path: PathBuf) {
        match purpose {
            Purpose::Folder(side) => self.set_folder(side, path),
            Purpose::Report(ended) => {
                let folders = self.loaded().map(|loaded| Arc::clone(&loaded.folders));
                self.jobs.start("save a report", move |_| {
                    jobs::save_report(path, &ended.report, folders.as_deref())
                });
            }
            Purpose::Save(what, _, content) => {
                self.jobs.start("save", move |_| jobs::save(what, path, &content));
            }
            Purpose::Import => {
                let file = self.file.clone();
                self.jobs.start("import settings", move |_| Event::Imported(jobs::import(file, &path)));
            }
        }
    }

    /// Lets the user choose here, over what is open, because the desktop has no dialog.
    pub(super) fn pick_here(&mut self, purpose: Purpose, missing: String) {
        let named = match purpose {
            Purpose::Folder(side) => Some(self.named(side)).filter(|path| path.is_absolute()),
            _ => None,
        };
        let folder = named.or_else(|| self.home.clone()).unwrap_or_else(|| PathBuf::from("/"));
        let under = self.sheet.take();
        self.sheet = Some(Sheet::Pick(Picker::new(purpose, missing, folder.clone(), under)));
        self.list_to_pick(folder);
    }

    /// Lists another folder to choose from.
    pub fn list_to_pick(&mut self, folder: PathBuf) {
        let Some(Sheet::Pick(picker)) = &mut self.sheet else { return };
        picker.typed = shown(&folder);
        picker.entries = None;
        if !picker.writes() {
            picker.name.clear();
        }
        picker.folder.clone_from(&folder);
        self.lists += 1;
        let serial = self.lists;
        self.jobs.start("list a folder", move |_| Event::ToPick(serial, jobs::entries(&folder)));
    }

    /// Takes what is chosen in the sheet.
    pub fn take_pick(&mut self) {
        let Some(Sheet::Pick(picker)) = &self.sheet else { return };
        let Some(path) = picker.chosen() else { return };
        let purpose = picker.purpose.clone();
        self.close_sheet();
        self.chosen(purpose, path);
    }

    /// Folders were dropped on the window: two fill both sides, one the side it was dropped on.
    pub fn drop_folders(&mut self, mut paths: Vec<PathBuf>, side: Side) {
        match paths.len() {
            0 => {}
            1 => self.set_folder(side, paths.remove(0)),
            _ => {
                self.set_folder(Side::Right, paths.remove(1));
                self.set_folder(Side::Left, paths.remove(0));
            }
        }
    }

    /// Exchanges the two folders.
    pub fn swap_folders(&mut self) {
        if self.busy.is_some() {
            return;
        }
        self.fields.swap(0, 1);
        if self.loaded().is_some() {
            jobs::Jobs::let_go(std::mem::replace(&mut self.view, View::Empty));
            self.unfinished.clear();
            self.count_ticks();
            self.compare();
        }
    }

    /// Looks for interrupted runs on the folders that are remembered.
    pub fn look_for_unfinished(&self) {
        let paths = [Side::Left, Side::Right].map(|side| self.named(side));
        if paths.iter().any(|path| !path.as_os_str().is_empty()) {
            self.jobs.start("look for interrupted runs", move |_| jobs::look(paths));
        }
    }

    /// Compares the two folders.
    pub fn compare(&mut self) {
        if !self.can_compare() {
            return;
        }
        let paths = [Side::Left, Side::Right].map(|side| self.named(side));
        let memory = self.loaded().filter(|loaded| loaded.asked == paths).map(|loaded| loaded.model.memory());
        self.compare_with(paths, memory, None);
    }

    /// What `before` read is not read again where nothing changed: after a run. Who asks for a comparison gets one of
    /// everything.
    pub(super) fn compare_with(
        &mut self,
        [left, right]: [PathBuf; 2],
        memory: Option<Memory>,
        before: Option<Arc<Index>>,
    ) {
        let request = Request {
            left,
            right,
            include: self.kept.include.clone(),
            exclude: self.kept.exclude.clone(),
            settings: self.settings.clone(),
            memory,
            before,
        };
        let control = self.begin(Kind::Compare);
        self.jobs.start("compare", move |_| jobs::compare(&request, &control));
    }

    /// The filter's text was changed.
    pub fn set_filter(&mut self, text: String) {
        self.filter_before = None;
        self.filter = text;
        self.apply_filter();
    }

    /// A chip was clicked.
    pub fn toggle_chip(&mut self, group: Group) {
        self.filter_before = None;
        self.chips = self.chips.toggled(group);
        self.apply_filter();
    }

    /// Shows everything again.
    pub fn clear_filter(&mut self) {
        self.show_by(String::new(), Chips::ALL);
    }

    /// Brings the filter and the chips back as they were before they were cleared.
    pub fn take_back_filter(&mut self) {
        if let Some((text, chips)) = self.filter_before.take() {
            (self.filter, self.chips) = (text, chips);
            self.apply_filter();
            self.said = Some("The filter is as before.".to_owned());
        }
    }

    /// Filters otherwise, which can be taken back: to how it was before the first of several steps.
    fn show_by(&mut self, text: String, chips: Chips) {
        let before = (std::mem::replace(&mut self.filter, text), std::mem::replace(&mut self.chips, chips));
        self.filter_before.get_or_insert(before);
        self.apply_filter();
    }

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

    /// Brings the ticks back as they were before the latest change of them.
    pub fn take_back_ticks(&mut self) {
        let Some(loaded) = self.loaded_mut() else { return };
        let words = if loaded.model.take_back_ticks() {
            "Ticks are as before."
        } else {
            "No ticks were changed before."
        };
        self.count_ticks();
        self.said = Some(words.to_owned());
    }

    /// Says what a click on boxes did, and counts again.
    pub fn say_change(&mut self, change: Change) {
        self.count_ticks();
        self.said = text::change(change);
    }

    /// Goes to the next or the previous difference.
    pub fn go_to_difference(&mut self, forward: bool) {
        let Some(loaded) = self.loaded_mut() else { return };
        let model = &mut loaded.model;
        let found = if forward { model.next_difference() } else { model.previous_difference() };
        self.reveal = found;
        self.said = (!found).then(|| format!("No difference {}.", if forward { "below" } else { "above" }));
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

    /// Changes a setting by name; a value that is refused changes nothing and is said.
    pub fn set_setting(&mut self, name: &str, value: &str) {
        match self.file.set(name, value) {
            Ok(()) => self.settings_changed(),
            Err(error) => self.said = Some(format!("{error}.")),
        }
    }

    /// Something was typed in the editor of the settings.
    pub fn edit_setting(&mut self, name: &str, value: &str) {
        let Some(Sheet::Settings(editor)) = &mut self.sheet else { return };
        if editor.set(&mut self.file, name, value) {
            self.settings_changed();
        }
    }

    /// Brings one setting, or all of them, back to the default.
    pub fn reset_setting(&mut self, name: Option<&str>) {
        let Some(Sheet::Settings(editor)) = &mut self.sheet else { return };
        match name {
            Some(name) => editor.reset(&mut self.file, name),
            None => editor.reset_all(&mut self.file),
        }
        self.settings_changed();
    }

    /// Saves the settings to a file of the user's choice.
    pub fn export_settings(&self) {
        let text = self.file.text().into_bytes();
        self.pick_save(Purpose::Save("the settings", "fcs-settings.toml", text));
    }

    /// Reads the settings from a file of the user's choice.
    pub fn import_settings(&self) {
        let desktop = Arc::clone(&self.desktop);
        self.jobs.start("choose a file", move |_| {
            let answer = desktop.pick_open(Purpose::Import.title());
            Event::Picked(Box::new(Purpose::Import), answer)
        });
    }

    pub(super) fn settings_changed(&mut self) {
        self.settings = self.file.settings();
        if self.file.path().as_os_str().is_empty() {
            return;
        }
        self.saver.save_settings(self.file.clone());
    }

    /// Writes what is remembered, if it changed.
    pub fn save_kept(&mut self) {
        if self.kept == self.written {
            return;
        }
        self.written = self.kept.clone();
        if let Some(path) = self.kept_path.clone() {
            self.saver.save("what the window remembers", path, self.kept.write().into_bytes());
        }
    }

    /// What is ticked on the side that is read is to be copied.
    pub fn copy(&mut self, direction: Direction) {
        let Some(loaded) = self.loaded().filter(|_| self.busy.is_none()) else { return };
        let ticked = loaded.model.selection().ticked(direction.source()).clone();
        if ticked.count() == 0 {
            self.said = Some("Tick what is to be copied first.".to_owned());
            return;
        }
        let mut hidden = ticked.clone();
        hidden.drop_all(loaded.model.rows().matching());
        let hidden = u64::from(hidden.count());
        self.propose(Task::Copy(direction), Rows::Ticked(ticked), hidden);
    }

    /// Shows the sheet that confirms; so many of the rows are `hidden` by a filter.
    pub(super) fn propose(&mut self, task: Task, rows: Rows, hidden: u64) {
        self.sheet = Some(Sheet::Confirm(Confirm::new(task, rows, hidden)));
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
        // How it was compared is the comparison's; how it is copied is what is set now.
        let mut settings = self.settings.clone();
        settings.compare_existence = loaded.settings.compare_existence;
        settings.time_tolerance_nanos = loaded.settings.time_tolerance_nanos;
        settings.ignore_whole_hours = loaded.settings.ignore_whole_hours;
        confirm.give_choices(&mut settings);
        self.begin(Kind::Plan);
        self.plans += 1;
        let serial = self.plans;
        self.jobs.start("plan", move |_| {
            let proposed = jobs::prepare(task, &folders, &index, &rows, settings);
            Event::Proposed(serial, Box::new(proposed))
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
        let control = self.begin(if dry_run { Kind::DryRun } else { Kind::Run });
        let logs = self.logs.clone();
        self.jobs.start("run", move |_| jobs::run(&proposed, dry_run, retries, logs.as_deref(), &control));
    }

    /// Tries what the target's volume keeps, now that it may be written to, before the run that was agreed to begins.
    fn try_volume(&mut self, agreed: Arc<Proposed>) {
        let (Some(Sheet::Confirm(confirm)), View::Loaded(loaded)) = (&mut self.sheet, &self.view) else {
            return;
        };
        confirm.proposed = None;
        let (rows, index) = (confirm.rows.clone(), Arc::clone(loaded.model.rows().shared_index()));
        self.begin(Kind::Plan);
        self.plans += 1;
        let serial = self.plans;
        self.jobs.start("try the volume", move |_| {
            let proposed = jobs::try_volume(&agreed, &index, &rows);
            Event::Tried(serial, Box::new(proposed), agreed)
        });
    }

    /// Deletes what earlier runs keep, where that is all that stands against the plan on the sheet, and plans again.
    pub fn make_room(&mut self) {
        let Some(Sheet::Confirm(confirm)) = &self.sheet else { return };
        let (Some(proposed), Some(room)) = (&confirm.proposed, confirm.room()) else { return };
        if self.busy.is_some() {
            return;
        }
        let (folders, side) = (Arc::clone(&proposed.folders), proposed.proposal.task.target());
        let newest = room.newest.clone();
        self.begin(Kind::Prune);
        self.jobs.start("make room", move |_| jobs::prune(&folders, side, &newest));
    }

    /// Tries again what failed in the run that is shown.
    pub fn retry_failed(&mut self) {
        let (Some(Sheet::Ended(ended)), true) = (&self.sheet, self.can_act()) else { return };
        let task = ended.task;
        // The run may be shown again long after, over other folders.
        let target = self.loaded().map(|loaded| loaded.folders.root(task.target()).path.clone());
        if target.as_ref() != Some(&ended.folder) {
            self.said =
                Some(format!("That run was on {}. Compare that folder again first.", shown(&ended.folder)));
            return;
        }
        let paths = ended.failures.iter().map(|failure| failure.path.clone()).collect();
        // What brings the rest belongs to the run that brought the most, and is undone with it.
        let retries = RunId::from_str(&ended.report.run).ok();
        self.propose(task, Rows::Paths(paths), 0);
        if let Some(Sheet::Confirm(confirm)) = &mut self.sheet {
            confirm.retries = retries;
        }
    }

    /// Pauses the work or lets it go on.
    pub fn set_paused(&mut self, paused: bool) {
        let Some(busy) = &mut self.busy else { return };
        if paused {
            busy.control.cancel.pause();
        } else {
            busy.control.cancel.resume();
        }
        busy.running.paused = paused;
    }

    /// Asks what becomes of the work; a run stands still meanwhile. What writes nothing is ended at once.
    pub fn ask_to_stop(&mut self, closing: bool) {
        let Some(busy) = &self.busy else {
            self.close |= closing;
            return;
        };
        match busy.running.kind {
            Kind::Run if !busy.running.stopping => {
                let stood = match self.sheet {
                    Some(Sheet::Stop { stood, .. }) => stood,
                    _ => busy.running.paused,
                };
                self.set_paused(true);
                self.sheet = Some(Sheet::Stop { closing, stood });
            }
            // These end by themselves; half of an undo would only have to be gone on with.
            Kind::Undo | Kind::Recover | Kind::Prune | Kind::Run => self.closing |= closing,
            Kind::Plan => {
                // Whatever comes of it is not waited for.
                self.plans += 1;
                (self.busy, self.dry_run_next) = (None, false);
                self.close |= closing;
            }
            Kind::Compare | Kind::DryRun => {
                self.closing |= closing;
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
            self.closing |= closing;
            self.sheet = None;
        }
        let Some(busy) = &mut self.busy else { return };
        busy.wish.set(wish);
        busy.running.paused = false;
        busy.running.stopping = true;
        busy.control.cancel.cancel();
        busy.control.cancel.resume();
    }

    /// Opens the dialog that deletes what one side alone has.
    pub fn delete_orphans(&mut self, side: Side) {
        let Some(loaded) = self.loaded().filter(|_| self.busy.is_none()) else { return };
        let model = &loaded.model;
        let index = Arc::clone(model.rows().shared_index());
        let ticked = model.selection().ticked(side).clone();
        let main = super::orphans::Shown { filter: self.filter_in_force.clone(), chips: self.chips, ticked };
        let zone = self.zone.clone();
        self.begin(Kind::Plan);
        self.plans += 1;
        let serial = self.plans;
        self.jobs.start("list orphans", move |_| {
            Event::Orphans(serial, Box::new(Orphans::new(index, main, side, &zone)))
        });
    }

    /// Looks again at what the dialog lists.
    pub fn look_at_orphans(&mut self) {
        let (Some(Sheet::Orphans(orphans)), View::Loaded(loaded)) = (&mut self.sheet, &self.view) else {
            return;
        };
        orphans.access = None;
        self.looks += 1;
        let serial = self.looks;
        let (side, settings) = (orphans.side, self.settings.clone());
        let (folders, index) = (Arc::clone(&loaded.folders), Arc::clone(loaded.model.rows().shared_index()));
        self.jobs.start("look at orphans", move |_| {
            Event::Accesses(serial, jobs::accesses(side, &folders, index.comparison(), &settings))
        });
    }

    /// Plans the removal of what is ticked in the dialog: what its filter hides too, or only what it shows.
    pub fn remove_orphans(&mut self, hidden_too: bool) {
        let Some(Sheet::Orphans(orphans)) = &self.sheet else { return };
        let rows = if hidden_too { orphans.rows() } else { orphans.rows_shown() };
        let hidden = if hidden_too { orphans.hidden.items() } else { 0 };
        if rows.count() == 0 || !self.can_act() {
            return;
        }
        let (task, dry_run) = (Task::Orphans(orphans.side, orphans.destination), orphans.dry_run);
        self.dry_run_next = dry_run;
        self.propose(task, Rows::Ticked(rows), hidden);
    }

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

    /// Asks whether the latest run is to be taken back.
    pub fn undo_latest(&mut self) {
        if self.busy.is_none() {
            self.undo_next = Some(Wanted::Latest);
            self.list_runs();
        }
    }

    /// Asks whether the run before the one that was undone is to be undone too.
    pub fn undo_further(&mut self) {
        if self.busy.is_some() {
            self.said = Some("The folders are compared; then the run before can be undone.".to_owned());
            return;
        }
        if let Some(Sheet::Done(done)) = &self.sheet {
            self.undo_next = Some(Wanted::LatestOn(done.side));
            self.list_runs();
        }
    }

    /// Asks whether the run that is shown is to be taken back.
    pub fn ask_undo_shown(&mut self) {
        if let (Some(Sheet::Ended(ended)), None) = (&self.sheet, &self.busy) {
            self.undo_next = Some(Wanted::Run(ended.report.run.clone()));
            self.list_runs();
        }
    }

    /// Asks whether a run, and what belongs to it, is to be undone: the one with this id of those that are listed.
    pub fn ask_undo(&mut self, side: Side, folder: PathBuf, listed: &[RunInfo], run: &str) {
        let runs: Vec<RunInfo> = runs::to_undo(listed, Some(run)).into_iter().cloned().collect();
        if !runs.is_empty() {
            self.sheet = Some(Sheet::AskUndo { side, folder, runs });
        }
    }

    /// Takes the run back that the question is about.
    pub fn undo(&mut self) {
        if self.busy.is_some() {
            return;
        }
        let Some(Sheet::AskUndo { side, folder, runs }) = self.sheet.take() else { return };
        let Some(run) = runs.into_iter().next() else { return };
        let control = self.begin(Kind::Undo);
        self.jobs.start("undo", move |_| jobs::undo(side, &folder, &run.run, &control));
    }

    /// Asks how an interrupted run is to be put in order.
    pub fn ask_recover(&mut self, unfinished: Unfinished, how: How) {
        self.sheet = Some(Sheet::AskRecover { unfinished, how });
    }

    /// Puts the run in order that the question is about.
    pub fn recover(&mut self) {
        if self.busy.is_some() {
            return;
        }
        let Some(Sheet::AskRecover { unfinished, how }) = self.sheet.take() else { return };
        let control = self.begin(Kind::Recover);
        self.jobs
            .start("recover", move |_| jobs::recover(unfinished.side, &unfinished.folder, how, &control));
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
            Some(Sheet::Stop { stood, .. }) => self.set_paused(stood),
            Some(Sheet::Confirm(confirm)) => {
                self.dry_run_next = false;
                if confirm.proposed.is_none() {
                    self.plans += 1;
                    self.busy = None;
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
        } else if !self.filter.is_empty() {
            self.show_by(String::new(), self.chips);
            self.said = Some("The filter is cleared. Ctrl+Shift+F brings it back.".to_owned());
        } else if self.chips != Chips::ALL {
            self.show_by(String::new(), Chips::ALL);
            self.said = Some("All is shown. Ctrl+Shift+F brings the switches back.".to_owned());
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
