//! Standard output and standard error: colour, buffering, and keeping lines and progress apart.
//!
//! Invariant: a reader that goes away (`fcs … | head`) never disturbs the work; output stops and the work goes on.
//! Any other failure to write is kept and turned into a [`Failure`] at the end. This module must not know what is
//! being printed.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use console::Term;
use fcs_app::hints::{FrontEnd, with_hint};
use fcs_engine::Error;
use fcs_sys::console::{StdStream, obeys_sequences};
use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::args::{Show, When};
use crate::exit::Code;
use crate::failure::Failure;
use crate::output::text::printable;

/// Lines are handed over at the latest when this many bytes are waiting.
const BUFFER: usize = 64 << 10;
/// The width used where there is no terminal to ask.
const DEFAULT_WIDTH: usize = 100;

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// New, good.
    Good,
    /// Changed, worth a look.
    Changed,
    /// Lost, failed.
    Bad,
    /// Of little weight.
    Dim,
    /// A heading.
    Strong,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    coloured: bool,
}

impl Style {
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { coloured: false };

    /// `always` beats `NO_COLOR`, which beats the terminal: the nearer wish wins. See <https://no-color.org>.
    fn choose(when: When, terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let coloured = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !set("NO_COLOR") && !is_dumb(),
        };
        Self { coloured }
    }

    /// The style for a stream. The console is asked to obey even where colour is forced, or it would show the
    /// sequences as text, and where nobody wants any: one that obeys no longer begins a new line as soon as one is
    /// full, which would tear the progress lines apart.
    fn of(when: When, stream: StdStream, terminal: bool) -> Self {
        let obeys = obeys_sequences(stream);
        Self::choose(when, terminal && obeys)
    }

    /// Puts colour around a text.
    pub(crate) fn paint<'a>(self, tone: Tone, text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
        let text = text.into();
        if !self.coloured || text.is_empty() {
            return text;
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Changed => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }
}

/// Whether the terminal says that it knows no control sequences.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

struct Output {
    to: Box<dyn Write + Send>,
    waiting: Vec<u8>,
    state: OutputState,
}

enum OutputState {
    Open,
    /// The reader went away, which is its right.
    ReaderGone,
    Broken(io::Error),
}

impl Output {
    fn hand_over(&mut self) {
        if matches!(self.state, OutputState::Open)
            && let Err(error) = self.to.write_all(&self.waiting).and_then(|()| self.to.flush())
        {
            self.state = match error.kind() {
                io::ErrorKind::BrokenPipe => OutputState::ReaderGone,
                _ => OutputState::Broken(error),
            };
        }
        self.waiting.clear();
    }
}

/// Where everything that `fcs` prints goes through.
pub(crate) struct Screen {
    output: Mutex<Output>,
    /// Hand over every line at once, for readers that follow the work.
    live: bool,
    stdout_is_terminal: bool,
    progress_is_drawn: AtomicBool,
    closing: AtomicBool,
    /// Holds the progress lines; hidden until there are any.
    pub(crate) bars: MultiProgress,
    /// Colour of standard output.
    pub(crate) style: Style,
    /// Colour of standard error.
    pub(crate) err_style: Style,
    /// How much is shown.
    pub(crate) show: Show,
}

impl Screen {
    pub(crate) fn new(show: Show, live: bool) -> Self {
        Self::with_output(show, live, Box::new(io::stdout()), io::stdout().is_terminal())
    }

    fn with_output(show: Show, live: bool, to: Box<dyn Write + Send>, stdout_is_terminal: bool) -> Self {
        Self {
            output: Mutex::new(Output { to, waiting: Vec::new(), state: OutputState::Open }),
            live: live || stdout_is_terminal,
            stdout_is_terminal,
            progress_is_drawn: AtomicBool::new(false),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            closing: AtomicBool::new(false),
            style: Style::of(show.color, StdStream::Out, stdout_is_terminal),
            err_style: Style::of(show.color, StdStream::Err, io::stderr().is_terminal()),
            show,
        }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints one line on standard output.
    pub(crate) fn line(&self, text: &str) {
        self.bytes(&[text.as_bytes(), b"\n"].concat());
    }

    /// Prints raw bytes on standard output.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut output = self.output();
        output.waiting.extend_from_slice(bytes);
        // Progress lines on the same screen must be taken off for every write; so writes wait for the next tick
        // instead of being done one by one.
        if (self.live && !self.shares_screen()) || output.waiting.len() >= BUFFER {
            self.hand_over(&mut output);
        }
    }

    /// Prints one or more lines on standard error, after all that was printed before on standard output.
    pub(crate) fn message(&self, text: &str) {
        let mut output = self.output();
        self.hand_over(&mut output);
        self.urgent(text);
    }

    /// Prints what the engine found, and what to do about it, on standard error.
    pub(crate) fn error_message(&self, error: &Error) {
        self.message(&with_hint(error, FrontEnd::CommandLine));
    }

    /// Prints on standard error at once, even while another thread waits for a reader of standard output that has
    /// stopped reading.
    pub(crate) fn urgent(&self, text: &str) {
        // There is nobody left to tell if standard error cannot be written.
        let write = || drop(writeln!(io::stderr(), "{text}"));
        if self.progress_is_drawn.load(Ordering::Relaxed) {
            self.bars.suspend(write);
        } else {
            write();
        }
    }

    /// Hands everything that waits to its reader.
    pub(crate) fn flush(&self) {
        let mut output = self.output();
        self.hand_over(&mut output);
    }

    /// Ends the output: an error if something could not be written for a reader who still wants it.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        self.flush();
        match &self.output().state {
            OutputState::Open | OutputState::ReaderGone => Ok(()),
            OutputState::Broken(error) => {
                Err(Failure::new(Code::Failed, format_args!("Could not write the output: {error}.")))
            }
        }
    }

    /// Whether what is printed and the progress lines appear on one screen.
    fn shares_screen(&self) -> bool {
        self.stdout_is_terminal && self.progress_is_drawn.load(Ordering::Relaxed)
    }

    fn hand_over(&self, output: &mut Output) {
        if output.waiting.is_empty() {
            return;
        }
        if self.shares_screen() {
            self.bars.suspend(|| output.hand_over());
        } else {
            output.hand_over();
        }
    }

    /// Lets progress lines appear on standard error, if it is a terminal that can show them.
    pub(crate) fn draw_progress(&self) -> bool {
        if !io::stderr().is_terminal() || is_dumb() {
            return false;
        }
        self.bars.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        self.progress_is_drawn.store(true, Ordering::Relaxed);
        true
    }

    /// Takes the progress lines off the screen permanently.
    pub(crate) fn end_progress(&self) {
        self.take_off_progress();
        self.flush();
    }

    /// The same without waiting for a reader.
    pub(crate) fn take_off_progress(&self) {
        if self.progress_is_drawn.swap(false, Ordering::Relaxed) {
            drop(self.bars.clear());
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// From now on there is nobody who could answer a question, because the terminal is being closed.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether the terminal is being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Columns of the terminal that shows standard output.
    pub(crate) fn width(&self) -> usize {
        if self.stdout_is_terminal { columns(&Term::stdout()) } else { DEFAULT_WIDTH }
    }

    /// Columns of the terminal that shows standard error.
    pub(crate) fn err_width() -> usize {
        columns(&Term::stderr())
    }

    /// Prints why a command ended without doing its work.
    pub(crate) fn show_failure(&self, failure: &Failure) {
        self.print_failure(failure, self.err_style);
    }

    fn print_failure(&self, failure: &Failure, style: Style) {
        if !failure.message.is_empty() {
            self.message(&style.paint(Tone::Bad, failure.message.as_str()));
        }
        if let Some(hint) = &failure.hint {
            self.message(&format!("{} {hint}", style.paint(Tone::Strong, "Hint:")));
        }
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("show", &self.show).finish_non_exhaustive()
    }
}

fn columns(term: &Term) -> usize {
    term.size_checked().map_or(DEFAULT_WIDTH, |(_rows, columns)| usize::from(columns).max(20))
}

/// Prints what clap has to say. Its messages repeat what was typed, which may be a hostile file name from a wildcard;
/// then the message is made safe at the price of its colours.
pub(crate) fn print_usage(error: &clap::Error) -> Code {
    let code = if error.use_stderr() { Code::Usage } else { Code::Done };
    let typed_is_harmless =
        std::env::args_os().all(|arg| matches!(printable(&arg.to_string_lossy()), Cow::Borrowed(_)));
    let shown = if typed_is_harmless {
        error.print()
    } else {
        let text = error.render().to_string();
        writeln!(io::stderr(), "{}", printable(text.trim_end()))
    };
    match shown {
        Err(problem) if problem.kind() != io::ErrorKind::BrokenPipe => Code::Failed,
        _ => code,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink {
        written: Arc<Mutex<Vec<u8>>>,
        fails_with: Option<io::ErrorKind>,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.fails_with {
                return Err(kind.into());
            }
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn screen(sink: &Sink) -> Screen {
        Screen::with_output(Show::default(), false, Box::new(sink.clone()), false)
    }

    #[test]
    fn lines_wait_and_arrive_in_order() {
        let sink = Sink::default();
        let screen = screen(&sink);
        screen.line("one");
        screen.bytes(b"two\0");
        assert!(sink.written.lock().unwrap().is_empty());
        screen.finish().unwrap();
        assert_eq!(*sink.written.lock().unwrap(), b"one\ntwo\0");
    }

    #[test]
    fn a_reader_that_left_is_no_failure_but_a_full_disk_is() {
        let gone = Sink { fails_with: Some(io::ErrorKind::BrokenPipe), ..Sink::default() };
        let quiet = screen(&gone);
        quiet.line("x");
        assert_eq!(quiet.finish(), Ok(()));

        let full = Sink { fails_with: Some(io::ErrorKind::StorageFull), ..Sink::default() };
        let loud = screen(&full);
        loud.line("x");
        assert_eq!(loud.finish().unwrap_err().code, Code::Failed);
    }

    #[test]
    fn colour_is_chosen_by_the_nearest_wish() {
        assert_eq!(Style::choose(When::Never, true), Style::PLAIN);
        assert!(Style::choose(When::Always, false).coloured);
        assert_eq!(Style::choose(When::Auto, false), Style::PLAIN);
        assert_eq!(Style::PLAIN.paint(Tone::Bad, "x"), "x");
        assert_eq!(Style { coloured: true }.paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
