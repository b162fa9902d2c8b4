//! One JSON object per line, for programs.
//!
//! Invariant: every line is one complete object with the field `event`; names that are not UTF-8 are arrays of
//! bytes; and no line holds a character that acts on a terminal, because JSON is looked at in terminals too.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::exit::Code;
use crate::failure::Failure;
use crate::output::terminal::Screen;
use crate::output::text::acts_on_terminal;

/// The shape of all events; raised when a field changes its meaning or goes away, not when one is added.
pub(crate) const SCHEMA: &str = "fcs-events/1";

/// Writes strings with every character escaped that acts on a terminal, beyond what JSON itself demands.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|&(_, c)| acts_on_terminal(c)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

/// One event as a line without its end.
pub(crate) fn line(event: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut out = Vec::new();
    event.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Escaping))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Prints one event.
pub(crate) fn print(screen: &Screen, event: &impl Serialize) {
    match line(event) {
        Ok(line) => screen.line(&line),
        // Cannot happen with the types used here; saying so beats a gap in the events.
        Err(error) => {
            screen.show_failure(&Failure::new(
                Code::Failed,
                format_args!("Could not write an event: {error}."),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_hold_no_characters_that_act_on_a_terminal_and_read_back_unchanged() {
        let name = "a\n\x1b[2J\u{7f}\u{9b}\u{202e}\u{e0001}\\\"z漢";
        let text = line(&serde_json::json!({ "event": "row", "path": name })).unwrap();
        assert!(text.chars().all(|c| !acts_on_terminal(c) && c != '\n'), "{text}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["path"], name);
    }
}
