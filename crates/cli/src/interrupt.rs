//! Ctrl-C (and a request to end from the system): first a safe end, then an end at once.
//!
//! Invariant: the first press never loses work that was already done, and the second says what it leaves behind. A
//! terminal that is closed is a request that nobody can repeat: it asks for the safe end and leaves it at that.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fcs_engine::Cancel;
use fcs_sys::console::on_close;

use crate::exit::Code;
use crate::failure::Failure;
use crate::output::terminal::Screen;

/// What a press means now.
#[derive(Default)]
enum Stage {
    /// Nothing is going on that must be brought to an end, such as waiting for an answer.
    #[default]
    Idle,
    /// Work that can be cancelled.
    Working(Arc<Cancel>),
}

#[derive(Default)]
struct HandlerState {
    stage: Stage,
    presses: u32,
    /// What ending at once would leave behind.
    leaves: String,
    /// What every end leaves behind, on top of that.
    also_leaves: String,
    screen: Option<Arc<Screen>>,
}

/// The one handler of the process.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    state: Arc<Mutex<HandlerState>>,
}

impl Interrupt {
    /// Takes over from the system's own handling, which would end the process in the middle of a step.
    pub(crate) fn install(screen: &Arc<Screen>) -> Result<Self, Failure> {
        let this = Self::default();
        this.state().screen = Some(Arc::clone(screen));
        let (handler, at_close) = (this.clone(), this.clone());
        // On Windows its handler returns at once, and a process whose window is closed ends with that; so there the
        // closing is taken over on top, by a handler that is asked first.
        ctrlc::set_handler(move || handler.pressed())
            .map_err(io::Error::other)
            .and_then(|()| on_close(move || at_close.closed()))
            .map_err(|e| Failure::usage(format_args!("Could not handle Ctrl-C: {e}.")))?;
        Ok(this)
    }

    fn state(&self) -> MutexGuard<'_, HandlerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a press cancels this work; `leaves` says what ending at once would leave behind.
    pub(crate) fn working(&self, cancel: &Arc<Cancel>, leaves: impl Into<String>) {
        let mut state = self.state();
        state.stage = Stage::Working(Arc::clone(cancel));
        state.leaves = leaves.into();
    }

    /// Whatever is going on, ending at once also leaves this behind.
    pub(crate) fn also_leaves(&self, text: String) {
        self.state().also_leaves = text;
    }

    /// From now on a press ends the process, because nothing has to be brought to an end.
    pub(crate) fn idle(&self, leaves: &str) {
        let mut state = self.state();
        state.stage = Stage::Idle;
        leaves.clone_into(&mut state.leaves);
    }

    fn pressed(&self) {
        let mut state = self.state();
        state.presses += 1;
        let Some(screen) = state.screen.clone() else {
            return;
        };
        match &state.stage {
            Stage::Working(cancel) if state.presses == 1 => {
                cancel.cancel();
                screen.urgent("Stopping at a safe point… (press again to stop at once)");
            }
            now => {
                let text = match now {
                    Stage::Working(_) => format!("Stopped at once. {} {}", state.leaves, state.also_leaves),
                    Stage::Idle => format!("\nStopped. {} {}", state.leaves, state.also_leaves),
                };
                screen.take_off_progress();
                screen.urgent(text.trim_end());
                end();
            }
        }
    }

    /// The terminal is going. What works on comes to its safe end as long as the system allows; after that the
    /// journal is what recovery goes by.
    fn closed(&self) {
        let state = self.state();
        if let Some(screen) = &state.screen {
            screen.close();
        }
        match &state.stage {
            Stage::Working(cancel) => cancel.cancel(),
            Stage::Idle => end(),
        }
    }
}

fn end() -> ! {
    std::process::exit(i32::from(Code::Interrupted as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Show;
    use crate::question::ask;

    #[test]
    fn a_terminal_that_is_closed_asks_for_the_safe_end_again_and_again_and_answers_no_question() {
        let screen = Arc::new(Screen::new(Show::default(), false));
        let interrupt = Interrupt::default();
        interrupt.state().screen = Some(Arc::clone(&screen));
        let cancel = Arc::new(Cancel::default());
        interrupt.working(&cancel, "");
        for _ in 0..3 {
            interrupt.closed();
        }
        assert!(cancel.is_cancelled());
        assert_eq!(ask("Keep what is done?", &screen), None);
    }
}
