//! One file system with one pair of trees on which cycles run.
//!
//! Invariant: each cycle starts from the same trees, and each of its commands is judged by what it left on the disk.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fcs_testkit::{FsKind, Image, Listing};

use super::both::PairBench;
use super::cycle::{Cycle, Measured, Point, Step};
use crate::judge::{self, Deviation, States, When, Wrong};
use crate::program::{Program, Ran, Side, Stops, Subject, Verb};
use crate::supervise::{Kill, ProcessEnd};
use crate::{syscalls, trees};

/// The file system, the trees and what is expected of them.
pub(super) struct Bench {
    pub(super) program: Program,
    subject: Subject,
    image: Image,
    pair: trees::Pair,
    left: PathBuf,
    right: PathBuf,
    left_is: Listing,
    old: Listing,
    copied: Listing,
    /// Where the program goes both ways.
    both: Option<PairBench>,
}

/// What a cycle showed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The commands that were killed, and where.
    pub(super) killed: Vec<(Verb, Point)>,
    /// Those that ended before they reached their kill.
    pub(super) ended_first: Vec<(Verb, Point)>,
    pub(super) faults: Vec<Fault>,
    pub(super) folder_times: u64,
}

impl Outcome {
    /// Notes where a command was killed, or that it was not.
    pub(super) fn took_place(&mut self, step: Step, ran: &Ran) {
        match (step.kill, ran.end) {
            (Some(point), ProcessEnd::Killed) => self.killed.push((step.verb, point)),
            (Some(point), ProcessEnd::Code(_)) => self.ended_first.push((step.verb, point)),
            (None, _) => {}
        }
    }
}

/// A broken promise.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// For a person: after which step, and what.
    pub(super) text: String,
}

/// The promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FaultKind {
    /// A name holds neither its complete old nor its complete new item.
    Corrupt,
    /// The content is complete, but its permissions, times or attributes are not.
    Attributes,
    /// A name that should not be there.
    Stray,
    /// A command did not say that all went well, or could not restore the old state.
    Failed,
}

impl From<Deviation> for FaultKind {
    fn from(how: Deviation) -> Self {
        match how {
            Deviation::Torn | Deviation::Missing => Self::Corrupt,
            Deviation::Attributes | Deviation::FolderTime => Self::Attributes,
            Deviation::Stray => Self::Stray,
        }
    }
}

impl Bench {
    /// A file system of `kind` with trees grown from `seed`. None, with the reason, where it cannot be made.
    pub(super) fn new(kind: FsKind, seed: u64, subject: Subject, program: Program) -> Result<Self, String> {
        let image = Image::new(kind, 320 << 20).map_err(|skip| skip.reason)?;
        let pair = trees::pair(seed);
        let [left, right] = ["left", "right"].map(|side| image.mount_point().join(side));
        let mut bench = Self {
            program,
            subject,
            image,
            pair,
            left,
            right,
            left_is: Listing::new(),
            old: Listing::new(),
            copied: Listing::new(),
            both: None,
        };
        let planted = trees::restore(&bench.left, &bench.pair.left);
        planted.map_err(|error| judge::said("make", &bench.left, &error))?;
        bench.restore()?;
        bench.left_is = judge::look(&bench.left)?;
        bench.old = judge::look(&bench.right)?;
        bench.copied = judge::copied(&bench.left_is, &bench.old);
        if bench.program.has(Verb::TwoWay) {
            let pair = PairBench::new(&bench.program, bench.image.mount_point(), seed)?;
            bench.both = Some(pair);
        }
        bench.image.sync();
        Ok(bench)
    }

    /// The folders that cycles run on.
    pub(super) fn folders(&self) -> Vec<&Path> {
        let both = self.both.as_ref().map(PairBench::folder);
        [&*self.left, &*self.right].into_iter().chain(both).collect()
    }

    fn restore_for(&self, verb: Verb) -> Result<(), String> {
        match &self.both {
            Some(both) if verb.is_of_both() => both.restore(&self.program),
            _ => self.restore(),
        }
    }

    fn restore(&self) -> Result<(), String> {
        trees::restore(&self.right, &self.pair.right).map_err(|e| judge::said("restore", &self.right, &e))
    }

    fn states(&self, verb: Verb) -> States {
        let new = if verb == Verb::Sync { &self.left_is } else { &self.copied };
        States { old: self.old.clone(), new: new.clone() }
    }

    fn words(&self, verb: Verb) -> Vec<String> {
        match &self.both {
            Some(both) if verb.is_of_both() => {
                let [left, right] = both.roots();
                self.program.words(verb, &left, &right)
            }
            _ => self.program.words(verb, &self.left, &self.right),
        }
    }

    /// Runs every command there is without a kill, to learn where it can be killed. A command that does not do what
    /// it should when nobody disturbs it is an error.
    pub(super) fn measure(&self) -> Result<Vec<(Verb, Measured)>, String> {
        let all = syscalls::all_names();
        let mut measured = Vec::new();
        let mut run = |verb: Verb, before: &[Step]| -> Result<(), String> {
            // Once to see how long it takes, once to see what it calls.
            let mut takes = Duration::ZERO;
            let mut stops = Stops::new();
            for traced in [false, true] {
                self.restore_for(verb)?;
                for step in before {
                    self.step(*step)?;
                }
                let words = self.words(verb);
                let started = Instant::now();
                let ran = if traced {
                    let (ran, seen) = self.program.run_traced(&words, &all, Kill::Never)?;
                    stops = seen;
                    ran
                } else {
                    self.program.run(&words, Kill::Never)?
                };
                if !traced {
                    takes = started.elapsed();
                }
                self.must_be_done(verb, &ran)?;
            }
            measured.push((verb, Measured { stops, takes }));
            Ok(())
        };
        let whole = Step { verb: Verb::Copy, kill: None };
        // In the middle of the renames, where recovery has most to do.
        let half = Step { verb: Verb::Copy, kill: Some(Point::Call("renameat2", 12)) };
        let [both_whole, both_half] = [whole, half].map(|step| Step { verb: Verb::TwoWay, ..step });
        for (verb, before) in [
            (Verb::Copy, None),
            (Verb::Sync, None),
            (Verb::Undo, Some(whole)),
            (Verb::Recover, Some(half)),
            (Verb::TwoWay, None),
            (Verb::UndoAt(Side::Right), Some(both_whole)),
            (Verb::RecoverAt(Side::Right), Some(both_half)),
        ] {
            if self.program.has(verb) {
                run(verb, before.as_slice())?;
            }
        }
        Ok(measured)
    }

    /// After a run nobody disturbed.
    fn must_be_done(&self, verb: Verb, ran: &Ran) -> Result<(), String> {
        if ran.end != ProcessEnd::Code(0) {
            return Err(format!("an undisturbed {verb} ended with {:?}:\n{}", ran.end, ran.said));
        }
        let now = judge::look(&self.right)?;
        let wrong = match verb {
            _ if verb.is_of_both() => match &self.both {
                Some(both) => both.left_wrong(verb)?,
                None => Vec::new(),
            },
            // cp and rsync are only asked for whole files.
            _ if self.subject != Subject::Fcs => Vec::new(),
            Verb::Copy => judge::unequal(&self.copied, &now),
            Verb::Sync => judge::unequal(&self.left_is, &now),
            Verb::Undo => judge::unequal(&self.old, &now),
            _ => {
                let wrong = self.states(Verb::Copy).judge(&now, When::Recovered);
                wrong.iter().filter(|w| w.how != Deviation::FolderTime).map(Wrong::to_string).collect()
            }
        };
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!("an undisturbed {verb} left something else than it should:\n  {}", wrong.join("\n  ")))
    }

    pub(super) fn step(&self, step: Step) -> Result<Ran, String> {
        let words = self.words(step.verb);
        match step.kill {
            None => self.program.run(&words, Kill::Never),
            Some(Point::After(time)) => self.program.run(&words, Kill::After(time)),
            Some(Point::Call(name, nth)) => {
                self.program.run_traced(&words, name, Kill::AtStop(nth)).map(|(ran, _)| ran)
            }
        }
    }

    /// Runs a cycle from fresh trees. An error is one of the torture itself.
    pub(super) fn run(&self, cycle: &Cycle) -> Result<Outcome, String> {
        if cycle.0.iter().any(|step| step.verb.is_of_both()) {
            let both = self.both.as_ref().ok_or("this program knows no two-way run")?;
            return both.run(self, cycle);
        }
        self.restore()?;
        let mut outcome = Outcome::default();
        let copied = cycle.0.iter().find(|step| matches!(step.verb, Verb::Copy | Verb::Sync));
        let states = self.states(copied.map_or(Verb::Copy, |step| step.verb));
        let mut before = self.old.clone();
        for step in &cycle.0 {
            let ran = self.step(*step)?;
            let now = judge::look(&self.right)?;
            outcome.took_place(*step, &ran);
            self.judge_step(*step, &ran, [&before, &now], &states, &mut outcome);
            before = now;
        }
        Ok(outcome)
    }

    fn judge_step(
        &self,
        step: Step,
        ran: &Ran,
        [before, now]: [&Listing; 2],
        states: &States,
        outcome: &mut Outcome,
    ) {
        let killed = ran.end == ProcessEnd::Killed;
        let mut fault = |kind, what: String| {
            outcome.faults.push(Fault { kind, text: format!("after {}: {what}", Cycle(vec![step])) });
        };
        // What cp and rsync leave behind, nobody clears away later.
        let when = if killed && self.subject == Subject::Fcs { When::Crashed } else { When::Recovered };
        for wrong in states.judge(now, when) {
            match wrong.how {
                Deviation::FolderTime => outcome.folder_times += 1,
                how => fault(how.into(), wrong.to_string()),
            }
        }
        if killed {
            return;
        }
        // A second undo, or one after a recovery that rolled back, has nothing to do and says so.
        let idle_undo = step.verb == Verb::Undo && *before == states.old;
        if ran.end != ProcessEnd::Code(0) && !idle_undo {
            fault(FaultKind::Failed, format!("{:?}: {}", ran.end, ran.said.trim_end()));
        }
        let wanted = match step.verb {
            Verb::Undo => &states.old,
            Verb::Copy | Verb::Sync if self.subject == Subject::Fcs => &states.new,
            _ => return,
        };
        let unequal = judge::unequal(wanted, now);
        if !unequal.is_empty() {
            fault(FaultKind::Failed, format!("not what it should be:\n    {}", unequal.join("\n    ")));
        }
    }

    /// What changed in the folder that is only read; it must be empty.
    pub(super) fn changed_source(&self) -> Result<Vec<String>, String> {
        Ok(judge::unequal(&self.left_is, &judge::look(&self.left)?))
    }
}
