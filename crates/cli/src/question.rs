//! Questions on the terminal.
//!
//! Invariant: no answer (end of input, a closed terminal) is never taken for a yes.

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;
use crate::output::terminal::Screen;

/// Whether there is somebody who can read a question and answer it.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Refuses where nobody can be asked. `shown` is what a dry run would show instead.
pub(crate) fn expect_terminal(shown: &str) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage("Could not ask whether to go ahead: standard input is not a terminal.")
        .hint(format_args!("Add -y to go ahead without asking, or --dry-run to see {shown}.")))
}

/// Asks, and returns the answer in small letters without spaces around it; `None` if there is none.
pub(crate) fn ask(question: &str, screen: &Screen) -> Option<String> {
    if screen.is_closing() {
        return None;
    }
    screen.flush();
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush());
    match asked.and_then(|()| io::stdin().read_line(&mut answer)) {
        Ok(1..) => Some(answer.trim().to_lowercase()),
        _ => None,
    }
}

/// Asks for one very answer. Commas between digits may be left out or typed.
pub(crate) fn ask_to_type(question: &str, wanted: &str, screen: &Screen) -> bool {
    ask(question, screen).is_some_and(|answer| answer == wanted || answer.replace(',', "") == wanted)
}
