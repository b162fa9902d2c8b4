//! Who hears of a run while it goes on: the terminal in text, or a program in events.
//!
//! Invariant: a listener tells; the one thing that it decides, with the user, is what becomes of a run that was
//! interrupted.

use std::sync::Arc;
use std::time::Duration;

use fcs_engine::report::ItemReport;
use fcs_engine::{Control, Error, Note, Observer, OnCancel, Progress};

use super::events;
use super::result::item_line;
use crate::args::OnCancelChoice;
use crate::output::progress::Ticker;
use crate::output::terminal::Screen;
use crate::output::text::count;
use crate::question::{ask, can_ask};

/// How often the counters are told as events.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// How a run is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling {
    /// Its items are told from its plan.
    pub(crate) dry_run: bool,
    /// Events instead of text.
    pub(crate) json: bool,
    pub(crate) on_cancel: OnCancelChoice,
}

/// Counters, flag and listener for a run.
pub(crate) fn control(spec: Telling, screen: &Arc<Screen>) -> Control {
    let screen = Arc::clone(screen);
    let observer: Arc<dyn Observer> = if spec.json {
        Arc::new(EventListener { screen, spec })
    } else {
        Arc::new(TextListener { screen, spec })
    };
    Control { observer, ..Control::default() }
}

/// Tells in text what happens as it happens.
struct TextListener {
    screen: Arc<Screen>,
    spec: Telling,
}

impl Observer for TextListener {
    fn item(&self, item: &ItemReport) {
        if !self.spec.dry_run && self.screen.show.verbose {
            self.screen.line(&item_line(item, self.screen.style));
        }
    }

    fn error(&self, error: &Error) {
        self.screen.error_message(error);
    }

    fn cancelled(&self, committed: u64) -> OnCancel {
        keep_or_roll_back(self.spec.on_cancel, committed, &self.screen)
    }
}

/// Turns what the engine tells into events.
struct EventListener {
    screen: Arc<Screen>,
    spec: Telling,
}

impl Observer for EventListener {
    fn item(&self, item: &ItemReport) {
        // The decisions of a dry run are told from the plan, which knows more of them.
        if !self.spec.dry_run {
            events::item(item, &self.screen);
        }
    }

    fn error(&self, error: &Error) {
        events::error(error, &self.screen);
    }

    fn cancelled(&self, committed: u64) -> OnCancel {
        keep_or_roll_back(self.spec.on_cancel, committed, &self.screen)
    }

    fn note(&self, note: &Note) {
        events::note(note, &self.screen);
    }
}

/// Decides what becomes of what an interrupted run has done.
fn keep_or_roll_back(choice: OnCancelChoice, committed: u64, screen: &Screen) -> OnCancel {
    let roll_back = || {
        screen.urgent("Rolling back…");
        OnCancel::RollBack
    };
    match choice {
        OnCancelChoice::Keep => OnCancel::Keep,
        OnCancelChoice::Rollback => roll_back(),
        OnCancelChoice::Ask if committed == 0 || !can_ask() => OnCancel::Keep,
        OnCancelChoice::Ask => {
            screen.take_off_progress();
            let question = format!(
                "\nStopped with {} done. Keep what is done, or roll it back? [K/r] ",
                count(committed, "item", "items")
            );
            match ask(&question, screen).as_deref() {
                Some("r" | "roll" | "roll back" | "rollback") => roll_back(),
                _ => OnCancel::Keep,
            }
        }
    }
}

/// Tells the counters at regular times.
pub(crate) struct ProgressEvents(Ticker);

impl ProgressEvents {
    pub(crate) fn start(screen: &Arc<Screen>, progress: &Arc<Progress>) -> Self {
        let (screen, progress) = (Arc::clone(screen), Arc::clone(progress));
        Self(Ticker::start(PROGRESS_EVERY, move || {
            events::progress(progress.snapshot(), &screen);
        }))
    }

    pub(crate) fn stop(self) {
        self.0.stop();
    }
}
