//! The program under torture: how it is called, which of its commands exist, and what it may answer.
//!
//! Invariant: it runs in a clean environment with a home of its own. Commands that this build does not have are
//! reported by name, never silently left out.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use fcs_testkit::Fcs;

use crate::supervise::{self, Kill, ProcessEnd, Supervised};
use crate::syscalls;

/// What can be asked of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Verb {
    Copy,
    Sync,
    Undo,
    Recover,
    /// A run of a pair whose changes go both ways. Of such a pair are the following, too.
    TwoWay,
    /// Asked of this side.
    UndoAt(Side),
    /// Asked of this side.
    RecoverAt(Side),
}

/// One of the two folders of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Left, Self::Right];

    pub(crate) fn other(self) -> Self {
        if self == Self::Left { Self::Right } else { Self::Left }
    }
}

impl Verb {
    pub(crate) const ALL: [Self; 9] = [
        Self::Copy,
        Self::Sync,
        Self::Undo,
        Self::Recover,
        Self::TwoWay,
        Self::UndoAt(Side::Left),
        Self::UndoAt(Side::Right),
        Self::RecoverAt(Side::Left),
        Self::RecoverAt(Side::Right),
    ];
    /// Those of which kills are counted.
    pub(crate) const COUNTED: [&str; 5] = ["copy", "sync", "two-way", "undo", "recover"];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Sync => "sync",
            Self::Undo => "undo",
            Self::Recover => "recover",
            Self::TwoWay => "two-way",
            Self::UndoAt(Side::Left) => "undo-left",
            Self::UndoAt(Side::Right) => "undo-right",
            Self::RecoverAt(Side::Left) => "recover-left",
            Self::RecoverAt(Side::Right) => "recover-right",
        }
    }

    /// The command of the program.
    fn command(self) -> &'static str {
        match self {
            Self::TwoWay => "sync",
            Self::UndoAt(_) => "undo",
            Self::RecoverAt(_) => "recover",
            other => other.word(),
        }
    }

    /// As what it is counted.
    pub(crate) fn counted(self) -> &'static str {
        if self == Self::TwoWay { self.word() } else { self.command() }
    }

    /// Whether it is for a pair whose changes go both ways.
    pub(crate) fn is_of_both(self) -> bool {
        matches!(self, Self::TwoWay | Self::UndoAt(_) | Self::RecoverAt(_))
    }

    /// The same, asked of the right side: both sides are as one where it can be killed.
    pub(crate) fn anywhere(self) -> Self {
        match self {
            Self::UndoAt(_) => Self::UndoAt(Side::Right),
            Self::RecoverAt(_) => Self::RecoverAt(Side::Right),
            other => other,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Verb {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|verb| verb.word() == word);
        let known = || Self::ALL.map(Self::word).join(", ");
        found.ok_or_else(|| format!("{word} is none of {}", known()))
    }
}

/// The program, or one of those it is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Subject {
    Fcs,
    Cp,
    Rsync,
}

/// A program that copies, on a pair of folders.
#[derive(Debug)]
pub(crate) struct Program {
    subject: Subject,
    fcs: PathBuf,
    /// The launcher in a clean environment; it is this very program.
    launcher: Fcs,
    verbs: BTreeSet<Verb>,
}

impl Program {
    /// `fcs` is the path of the program even when the subject is another; then it is not used.
    pub(crate) fn new(subject: Subject, fcs: &Path) -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut program = Self {
            subject,
            fcs: fcs.to_owned(),
            launcher: Fcs::new(own),
            verbs: [Verb::Copy].into_iter().collect(),
        };
        if subject == Subject::Fcs {
            program.verbs = program.ask_verbs()?;
        }
        Ok(program)
    }

    fn ask_verbs(&self) -> Result<BTreeSet<Verb>, String> {
        let mut help = self.clean(&self.fcs);
        let said = help.arg("help").output().map_err(|e| format!("{}: {e}", self.fcs.display()))?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let words: BTreeSet<&str> =
            text.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
        Ok(Verb::ALL.into_iter().filter(|verb| words.contains(verb.command())).collect())
    }

    pub(crate) fn has(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    /// One line for each command that is missing; empty when all are there.
    pub(crate) fn missing(&self) -> Vec<String> {
        let commands = Verb::ALL.into_iter().filter(|verb| !verb.is_of_both());
        let missing = commands.filter(|&verb| self.subject == Subject::Fcs && !self.has(verb));
        missing.map(|verb| format!("SKIP {verb}: this fcs does not know the command")).collect()
    }

    fn clean(&self, exe: &Path) -> Command {
        let template = self.launcher.command();
        let mut command = Command::new(exe);
        command.env_clear().current_dir(self.launcher.home());
        for (name, value) in template.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command
    }

    /// The words of a call.
    pub(crate) fn words(&self, verb: Verb, left: &Path, right: &Path) -> Vec<String> {
        let [left, right] = [left, right].map(|path| path.display().to_string());
        let words: Vec<&str> = match (self.subject, verb) {
            (Subject::Cp, _) => return ["cp", "-a", &format!("{left}/."), &right].map(String::from).into(),
            (Subject::Rsync, _) => {
                return ["rsync", "-aX", &format!("{left}/"), &right].map(String::from).into();
            }
            // Most files get other content in each case, which is what the guard is for.
            (Subject::Fcs, Verb::Copy | Verb::Sync) => {
                vec![verb.word(), "-y", "-q", "--max-change", "1000000", &left, &right]
            }
            (Subject::Fcs, Verb::TwoWay) => {
                let guards = ["--max-change", "1000000", "--max-delete", "1000000"];
                let how = ["-y", "-q", "--mode", "two-way", "--conflicts", "keep-both"];
                [&["sync"], &how[..], &guards, &[&left, &right]].concat()
            }
            (Subject::Fcs, Verb::UndoAt(Side::Left) | Verb::RecoverAt(Side::Left)) => {
                vec![verb.command(), "-y", &left]
            }
            (Subject::Fcs, _) => vec![verb.command(), "-y", &right],
        };
        let exe = self.fcs.display().to_string();
        [exe].into_iter().chain(words.into_iter().map(String::from)).collect()
    }

    /// Where the program keeps what it remembers, unless [`Program::run_keeping`] says otherwise.
    pub(crate) fn state(&self) -> PathBuf {
        self.launcher.home().join("state")
    }

    /// Runs a call to its end, or to an instant.
    pub(crate) fn run(&self, words: &[String], kill: Kill) -> Result<Ran, String> {
        self.run_keeping(words, kill, &self.state())
    }

    /// As [`Program::run`], with what the program remembers in this folder.
    pub(crate) fn run_keeping(&self, words: &[String], kill: Kill, state: &Path) -> Result<Ran, String> {
        let (exe, args) = words.split_first().ok_or("nothing to run")?;
        let output = scratch()?;
        let copy = output.try_clone().map_err(|error| error.to_string())?;
        let mut command = self.clean(Path::new(exe));
        let end = supervise::plain(command.args(args).env("XDG_STATE_HOME", state), copy, kill)?;
        Ok(Ran { end, said: read_back(output)? })
    }

    /// Runs a call to its n-th stop at one of `calls`, or to its end.
    pub(crate) fn run_traced(
        &self,
        words: &[String],
        calls: &str,
        kill: Kill,
    ) -> Result<(Ran, Stops), String> {
        let output = scratch()?;
        let copy = output.try_clone().map_err(|error| error.to_string())?;
        let mut launcher = self.launcher.command();
        launcher.args(["launch", calls, "--"]).args(words);
        let Supervised { end, stops } = supervise::traced(&mut launcher, copy, kill)?;
        Ok((Ran { end, said: read_back(output)? }, stops_by_name(calls, &stops)))
    }
}

/// How often a run stopped at each call.
pub(crate) type Stops = Vec<(&'static str, u64)>;

fn stops_by_name(calls: &str, stops: &std::collections::BTreeMap<u64, u64>) -> Stops {
    let names = calls.split(',').filter_map(|name| syscalls::by_name(name).ok());
    names.enumerate().filter_map(|(at, call)| Some((call.name, *stops.get(&(at as u64))?))).collect()
}

/// How a run ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) end: ProcessEnd,
    pub(crate) said: String,
}

fn scratch() -> Result<File, String> {
    tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).map_err(|error| error.to_string())
}

fn read_back(mut output: File) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = output.rewind().and_then(|()| output.read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
