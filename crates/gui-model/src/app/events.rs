//! What becomes of the window when a job ends.
//!
//! Invariant: an event that nobody waits for any more, because the sheet it was for is closed, changes nothing. After a
//! run that wrote, both folders are compared again and nothing is ticked.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use fcs_app::hints::{FrontEnd, note_words, with_hint};
use fcs_app::user_error::{UserError, UserErrorKind};
use fcs_engine::compare::Summary;
use fcs_engine::error::display_path;
use fcs_text::{count, number, seconds};

use super::confirm::WhenPlanned;
use super::jobs::{self, JobEvent, Jobs};
use super::{App, Closing, DialogAnswer, Done, EndedRun, Loaded, Proposed, Runs, Sheet, Tone, View};
use crate::chips::Chip;
use crate::index::Index;
use crate::log::Level;
use crate::running::JobKind;

impl App {
    pub(super) fn take(&mut self, event: JobEvent) {
        match event {
            JobEvent::Picked(purpose, answer) => match answer {
                DialogAnswer::Chosen(path) => self.chosen(*purpose, path),
                DialogAnswer::Cancelled => {}
                DialogAnswer::Missing(what) => self.pick_here(*purpose, what),
            },
            JobEvent::ToPick(request, entries) => {
                if let Some(Sheet::Pick(picker)) = &mut self.sheet
                    && self.requests.entries.is_latest(request)
                {
                    picker.entries = Some(entries);
                }
            }
            JobEvent::Compared(result, unfinished) => {
                let stopped = self.busy.take().is_some_and(|busy| busy.control.cancel.is_cancelled());
                self.unfinished = unfinished;
                self.compared(result, stopped);
            }
            JobEvent::Waiting(unfinished) => {
                // A comparison that began meanwhile looks too.
                if self.busy.is_none() {
                    self.unfinished = unfinished;
                }
            }
            JobEvent::Decided(request, directed) => self.decided(request, directed),
            JobEvent::Proposed(request, proposed) => self.proposed(request, *proposed),
            JobEvent::Tried(request, proposed, agreed) => self.tried(request, *proposed, &agreed),
            JobEvent::Orphans(request, orphans) => {
                if self.requests.plan.is_latest(request) && self.is_in_use() {
                    self.busy = None;
                    self.status_message =
                        Some("Something else was opened meanwhile, so nothing is listed.".to_owned());
                } else if self.requests.plan.is_latest(request) {
                    self.busy = None;
                    self.sheet = Some(Sheet::Orphans(orphans));
                    self.look_at_orphans();
                }
            }
            JobEvent::Times(request, stage) => self.looked_at_times(request, stage),
            JobEvent::Ran(result) => {
                self.busy = None;
                match result {
                    Ok(ended) => self.ran(*ended),
                    Err(trouble) => self.could_not(trouble),
                }
            }
            JobEvent::Accounted { side, recovered, result } => {
                self.busy = None;
                match result {
                    Ok(found) => self.recovered_runs(Done::new(side, recovered, found)),
                    Err(trouble) => self.could_not(trouble),
                }
            }
            JobEvent::Listed(runs) => self.listed(runs),
            JobEvent::Accesses(request, found) => {
                if let Some(Sheet::Orphans(orphans)) = &mut self.sheet
                    && self.requests.accesses.is_latest(request)
                {
                    orphans.looked(found);
                }
            }
            JobEvent::Pruned(result) => {
                self.busy = None;
                match result {
                    Ok(pruned) => {
                        if !pruned.runs.is_empty() {
                            let runs = count(pruned.runs.len() as u64, "earlier run", "earlier runs");
                            self.tell(Level::Done, &format!("Deleted what {runs} kept for undo."));
                        }
                        for error in &pruned.errors {
                            self.tell(Level::Warning, &with_hint(error, FrontEnd::Window));
                        }
                        self.plan_again();
                    }
                    Err(trouble) => self.could_not(trouble),
                }
            }
            JobEvent::Opened(Ok(text)) => self.status_message = Some(text),
            JobEvent::Opened(Err(trouble)) => {
                self.trouble(&trouble);
                self.status_message = Some(trouble.message);
            }
            JobEvent::Saved(what, result) => self.saved(what, result),
            JobEvent::Imported(result) => self.imported(result),
            JobEvent::Told(level, text) => self.tell(level, &text),
            JobEvent::Broke(what) => self.broke(what),
        }
    }

    fn compared(&mut self, result: Result<Box<Loaded>, UserError>, stopped: bool) {
        match result {
            Ok(loaded) => {
                // Only what opened: a path that was mistyped is not to be offered again.
                self.kept.use_folders(&loaded.asked);
                let summary = &loaded.comparison().summary;
                let mut words = summary_words(summary, loaded.model.rows().index());
                let moved = loaded.model.directed().map_or(0, |directed| directed.count_moved());
                if moved > 0 {
                    let _ = write!(words, "; {} of these moved", count(moved, "item", "items"));
                }
                let text = format!("Compared in {}: {words}.", seconds(loaded.seconds));
                let level = if summary.undecided() > 0 { Level::Warning } else { Level::Done };
                self.tell(level, &text);
                let notes = loaded.comparison().notes.clone();
                notes.iter().for_each(|note| self.tell(Level::Warning, &note_words(note, FrontEnd::Window)));
                self.comparisons += 1;
                let same = self.loaded().filter(|old| old.asked == loaded.asked && !old.stale);
                let decided = same.and_then(|old| old.model.directed()).map_or(0, |old| old.chosen().len());
                let old = std::mem::replace(&mut self.view, View::Loaded(loaded));
                Jobs::free_elsewhere(old);
                self.apply_filter();
                self.reveal = true;
                self.say_what_is_directed();
                // After a run it is done.
                self.say_dropped(decided);
            }
            Err(trouble) => {
                self.trouble(&trouble);
                // What was stopped does not take away what was there; it is as old as it was before.
                if !(stopped && self.loaded().is_some()) {
                    self.view = if stopped { View::Empty } else { View::Failed(trouble) };
                }
            }
        }
        self.count_ticks();
        self.save_kept();
    }

    fn proposed(&mut self, request: u64, proposed: Proposed) {
        if !self.requests.plan.is_latest(request) {
            return;
        }
        self.busy = None;
        let Some(Sheet::Confirm(confirm)) = &mut self.sheet else { return };
        confirm.proposed = Some(Arc::new(proposed));
        if std::mem::take(&mut confirm.then) == WhenPlanned::DryRun {
            self.go(true);
        }
    }

    /// Goes on with what was agreed to, or asks again where trying the volume brought something new.
    fn tried(&mut self, request: u64, mut proposed: Proposed, agreed: &Proposed) {
        if !self.requests.plan.is_latest(request) {
            return;
        }
        self.busy = None;
        let Some(Sheet::Confirm(confirm)) = &mut self.sheet else { return };
        let goes_on = proposed.is_as_agreed(agreed);
        proposed.tell_what_is_new(agreed);
        confirm.proposed = Some(Arc::new(proposed));
        if goes_on {
            self.go(false);
        }
    }

    fn ran(&mut self, ended: EndedRun) {
        let level = match ended.tone() {
            Tone::Good => Level::Done,
            Tone::Fair => Level::Warning,
            Tone::Bad => Level::Error,
        };
        self.tell(level, &ended.headline);
        self.stay_open_if(level == Level::Error);
        let (dry, copies) = (ended.is_dry(), ended.task.is_some());
        let ended = Arc::new(ended);
        if !dry {
            self.ended = Some(Arc::clone(&ended));
        }
        self.present(Sheet::Ended(ended));
        self.list_again();
        if !dry {
            // Dates that were set are nobody's reason to forget what is to be copied.
            self.compare_after(copies);
        }
    }

    fn recovered_runs(&mut self, done: Done) {
        let level = if done.tone() == Tone::Good { Level::Done } else { Level::Error };
        done.headlines().iter().for_each(|line| self.tell(level, line));
        self.stay_open_if(level == Level::Error);
        self.present(Sheet::Done(done));
        self.list_again();
        if self.loaded().is_some() {
            self.compare_after(true);
        } else {
            self.look_for_unfinished();
        }
    }

    /// Shows how something ended: at once, or when what the user is in the middle of is closed.
    fn present(&mut self, sheet: Sheet) {
        *(if self.is_in_use() { &mut self.next } else { &mut self.sheet }) = Some(sheet);
    }

    /// Whether a sheet is open that the user opened to do something in it.
    fn is_in_use(&self) -> bool {
        matches!(
            self.sheet,
            Some(Sheet::Settings(_) | Sheet::Log { .. } | Sheet::History(_) | Sheet::Help | Sheet::Pick(_))
        )
    }

    /// Compares again after something was written, by which what was ticked may be done.
    fn compare_after(&mut self, ticks_are_done: bool) {
        let Some(loaded) = self.loaded_mut() else { return };
        loaded.stale = true;
        if ticks_are_done {
            // Also if that comparison is stopped or fails.
            loaded.model.discard_ticks();
        }
        let memory = loaded.model.memory();
        let before = Arc::clone(loaded.model.rows().shared_index());
        // The folders that were written to, whatever was typed meanwhile.
        let paths = loaded.asked.clone();
        self.count_ticks();
        if self.closing == Closing::No {
            self.compare_with(paths, Some(memory), Some(before));
        }
    }

    /// What did not go well is told before the window closes.
    fn stay_open_if(&mut self, bad: bool) {
        if bad && self.closing == Closing::WhenIdle {
            self.closing = Closing::No;
        }
    }

    fn could_not(&mut self, trouble: UserError) {
        self.trouble(&trouble);
        self.stay_open_if(true);
        if matches!(trouble.kind, UserErrorKind::RecoveryNeeded) {
            self.look_for_unfinished();
        }
        self.present(Sheet::UserError(trouble));
        self.list_again();
    }

    /// A list of runs that is looked at tells of the run that ended now.
    fn list_again(&self) {
        if matches!(self.sheet, Some(Sheet::History(_))) {
            self.list_runs();
        }
    }

    fn listed(&mut self, runs: Vec<Runs>) {
        let wanted = self.undo_next.take();
        if let Some(Sheet::History(shown)) = &mut self.sheet {
            *shown = Some(runs);
            return;
        }
        let Some(wanted) = wanted.filter(|_| self.busy.is_none() && !self.is_in_use()) else { return };
        if let Some((of, run)) = jobs::wanted(&runs, &wanted) {
            let (side, run) = (of.side, run.run.clone());
            self.ask_undo(&runs, side, &run);
        } else {
            let text = "There is no run on these folders that could be undone.";
            self.tell(Level::Info, text);
            self.status_message = Some(text.to_owned());
        }
    }

    fn saved(&mut self, what: &str, result: Result<PathBuf, UserError>) {
        match result {
            Ok(path) => {
                let text = format!("Saved {what} to {}.", display_path(&path));
                self.tell(Level::Done, &text);
                self.status_message = Some(text);
            }
            Err(trouble) => {
                self.trouble(&trouble);
                self.status_message = Some(trouble.message);
            }
        }
    }

    fn imported(&mut self, result: Result<Box<super::SettingsFile>, UserError>) {
        match result {
            Ok(file) => {
                self.file = *file;
                self.settings_changed();
                if let Some(Sheet::Settings(editor)) = &mut self.sheet {
                    editor.show(&self.settings);
                }
                self.tell(Level::Done, "Imported the settings.");
            }
            // Asked for in the editor, so it is told over it.
            Err(trouble) => {
                self.trouble(&trouble);
                self.sheet = Some(Sheet::UserError(trouble));
            }
        }
    }

    fn broke(&mut self, what: &str) {
        let touches_disk = matches!(what, "run" | "undo" | "recover");
        let trouble = UserError {
            message: format!("An error in this program ended a piece of work ({what})."),
            hint: Some(if touches_disk {
                "Every file that has its own name is complete, and no original is lost. Compare again: an unfinished \
                 run is offered for recovery then."
                    .to_owned()
            } else {
                "Nothing was changed. Try again.".to_owned()
            }),
            kind: UserErrorKind::Failed,
        };
        // A plan that nobody waits for any more may break while other work is in progress.
        let busy = self.busy.as_ref().map(|busy| busy.running.kind);
        let ends = match what {
            "run" => matches!(busy, Some(JobKind::Run | JobKind::DryRun)),
            "undo" => busy == Some(JobKind::Undo),
            "recover" => busy == Some(JobKind::Recover),
            "make room" => busy == Some(JobKind::Prune),
            "compare" => busy == Some(JobKind::Compare),
            "plan" | "decide" | "list orphans" | "look at times" => busy == Some(JobKind::Plan),
            _ => false,
        };
        if ends {
            self.busy = None;
            self.keep_mode_that_decided();
            self.times_not_waited_for();
        }
        self.could_not(trouble);
        if touches_disk {
            self.look_for_unfinished();
        }
    }
}

/// What a comparison found, in words: the parts that are not zero.
pub(super) fn summary_words(summary: &Summary, index: &Index) -> String {
    let mut parts = vec![count(summary.items, "item", "items")];
    for (n, words) in [
        (summary.same, "the same"),
        (summary.different, "different"),
        (summary.left_only, "only on the left"),
        (summary.right_only, "only on the right"),
        (summary.clashes, "clashing"),
        (summary.unreadable, "unreadable"),
        (summary.not_comparable, "not comparable"),
    ] {
        if n > 0 {
            parts.push(format!("{} {words}", number(n)));
        }
        if words == "different" {
            let kinds = [
                (Chip::LeftNewer, "newer on the left"),
                (Chip::RightNewer, "newer on the right"),
                (Chip::TimesOnly, "in times only"),
            ];
            let counted = kinds.map(|(chip, words)| (index.count_below_root(chip), words));
            let of: Vec<String> = counted
                .iter()
                .filter(|kind| kind.0 > 0)
                .map(|(n, words)| format!("{} {words}", number(*n)))
                .collect();
            if let (Some(part), false) = (parts.last_mut(), of.is_empty()) {
                let _ = write!(part, " ({})", of.join(", "));
            }
        }
    }
    parts.join(", ")
}
