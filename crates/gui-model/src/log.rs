//! The status log: what happened in this window, one line each.
//!
//! Invariant: at most [`MOST_LINES`] lines are kept, the newest ones, and it is known how many went; what the filter
//! matches is what is shown, exported and copied. This module must not know how a line is drawn or where it is kept.

use std::collections::VecDeque;
use std::fmt::Write as _;

use fcs_sys::Time;
use jiff::tz::TimeZone;

use crate::text;

/// Lines that are kept.
pub const MOST_LINES: usize = 5_000;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Told for the record.
    Info,
    /// Something was done.
    Done,
    /// Something is worth knowing.
    Warning,
    /// Something went wrong.
    Error,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Done => "Done",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Time,
    /// How much it matters.
    pub level: Level,
    /// What happened.
    pub text: String,
}

/// What happened, oldest first.
#[derive(Debug, Default)]
pub struct Log {
    lines: VecDeque<LogLine>,
    gone: u64,
}

impl Log {
    /// Adds a line; of a text of several lines, each.
    pub fn add(&mut self, at: Time, level: Level, text: &str) {
        for part in text.lines().filter(|part| !part.trim().is_empty()) {
            if self.lines.len() == MOST_LINES {
                self.lines.pop_front();
                self.gone += 1;
            }
            self.lines.push_back(LogLine { at, level, text: part.to_owned() });
        }
    }

    /// All lines.
    pub fn lines(&self) -> &VecDeque<LogLine> {
        &self.lines
    }

    /// The newest line.
    pub fn last(&self) -> Option<&LogLine> {
        self.lines.back()
    }

    /// How many lines had to make room.
    pub fn gone(&self) -> u64 {
        self.gone
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The numbers of the lines that hold a text, whatever its capital letters, and matter at least so much.
    pub fn matching(&self, text: &str, least: Level) -> Vec<usize> {
        let wanted = text.trim().to_lowercase();
        let hits = |line: &LogLine| line.level >= least && line.text.to_lowercase().contains(&wanted);
        self.lines.iter().enumerate().filter_map(|(at, line)| hits(line).then_some(at)).collect()
    }

    /// These lines as text, for a file or the clipboard.
    pub fn export(&self, lines: &[usize], zone: &TimeZone) -> String {
        let mut out = String::new();
        for line in lines.iter().filter_map(|&at| self.lines.get(at)) {
            let _ = writeln!(out, "{}  {:7}  {}", text::time(line.at, zone, 3), line.level.word(), line.text);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_make_room_and_are_counted() {
        let mut log = Log::default();
        for n in 0..MOST_LINES + 3 {
            log.add(Time::EPOCH, Level::Info, &format!("line {n}"));
        }
        assert_eq!((log.lines().len(), log.gone()), (MOST_LINES, 3));
        assert_eq!((&*log.lines()[0].text, &*log.last().unwrap().text), ("line 3", "line 5002"));
        log.clear();
        assert_eq!((log.lines().len(), log.gone()), (0, 0));
    }

    #[test]
    fn what_is_filtered_is_what_is_exported() {
        let mut log = Log::default();
        log.add(Time::EPOCH, Level::Info, "Compared A\n\nwith B");
        log.add(Time::EPOCH, Level::Error, "Could not copy a.txt");
        assert_eq!(log.matching("", Level::Info), [0, 1, 2]);
        assert_eq!(log.matching("COMPARED a", Level::Info), [0]);
        assert_eq!(log.matching("", Level::Warning), [2]);
        let text = log.export(&log.matching("copy", Level::Info), &TimeZone::UTC);
        assert_eq!(text, "1970-01-01 00:00:00.000  Error    Could not copy a.txt\n");
    }
}
