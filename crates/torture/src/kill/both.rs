//! Cycles on a pair of trees between which changes go both ways.
//!
//! Invariant: as [`super::bench`]; and no version that was on either side before a cycle is lost by it.

use std::path::{Path, PathBuf};

use fcs_testkit::Listing;

use super::bench::{Bench, Fault, FaultKind, Outcome};
use super::cycle::{Cycle, Step};
use crate::both::{self, Both, Stage};
use crate::judge::{Deviation, When};
use crate::program::{Program, Ran, Verb};
use crate::supervise::ProcessEnd;

/// The pair on a bench.
pub(super) struct PairBench {
    folder: PathBuf,
    both: Both,
}

impl PairBench {
    pub(super) fn new(program: &Program, within: &Path, seed: u64) -> Result<Self, String> {
        let folder = within.join("both");
        let both = Both::new(program, &folder, &program.state(), seed)?;
        Ok(Self { folder, both })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn roots(&self) -> [PathBuf; 2] {
        both::roots(&self.folder)
    }

    pub(super) fn restore(&self, program: &Program) -> Result<(), String> {
        self.both.restore(program, &self.folder, &program.state()).map(drop)
    }

    /// What a run that nobody disturbed left and should not have.
    pub(super) fn left_wrong(&self, verb: Verb) -> Result<Vec<String>, String> {
        let now = both::look(&self.folder)?;
        Ok(match verb {
            Verb::UndoAt(_) => self.both.not_undone(&now),
            Verb::TwoWay => {
                let wrong = self.both.judge(&now, When::Recovered, Stage::Merged);
                let lines = wrong.iter().map(ToString::to_string);
                lines.chain(self.both.unsettled(&now, false)).collect()
            }
            _ => {
                let wrong = self.both.judge(&now, When::Recovered, Stage::Between);
                wrong.iter().map(ToString::to_string).collect()
            }
        })
    }

    /// Runs a cycle from fresh trees.
    pub(super) fn run(&self, bench: &Bench, cycle: &Cycle) -> Result<Outcome, String> {
        self.restore(&bench.program)?;
        let mut outcome = Outcome::default();
        let mut before = self.both.edited.clone();
        let mut undone = false;
        for (number, step) in cycle.0.iter().enumerate() {
            let ran = bench.step(*step)?;
            outcome.took_place(*step, &ran);
            let now = both::look(&self.folder)?;
            let is_again = number > 0 && step.verb == Verb::TwoWay;
            let mut found = if is_again && ran.end != ProcessEnd::Killed {
                self.judge_again(&ran, &now, undone)
            } else {
                self.judge_step(*step, &ran, [&before, &now], &mut outcome)
            };
            let is_undo = |step: &Step| matches!(step.verb, Verb::UndoAt(_));
            if is_undo(step) && ran.end != ProcessEnd::Killed && !cycle.0[number + 1..].iter().any(is_undo) {
                let wrong = self.both.not_undone(&now).into_iter();
                found.extend(wrong.map(|what| (FaultKind::Failed, format!("not undone: {what}"))));
            }
            let lost = self.both.lost(&self.folder)?.into_iter().map(|what| (FaultKind::Corrupt, what));
            let faults = found
                .into_iter()
                .chain(lost)
                .map(|(kind, what)| Fault { kind, text: format!("after {}: {what}", Cycle(vec![*step])) });
            outcome.faults.extend(faults);
            undone |= matches!(step.verb, Verb::UndoAt(_));
            before = now;
        }
        Ok(outcome)
    }

    fn judge_step(
        &self,
        step: Step,
        ran: &Ran,
        [before, now]: [&[Listing; 2]; 2],
        outcome: &mut Outcome,
    ) -> Vec<(FaultKind, String)> {
        let killed = ran.end == ProcessEnd::Killed;
        let when = if killed { When::Crashed } else { When::Recovered };
        // An undo that has nothing to do says so.
        let idle = matches!(step.verb, Verb::UndoAt(_)) && *before == self.both.edited;
        let stage = match step.verb {
            Verb::TwoWay if !killed => Stage::Merged,
            Verb::UndoAt(_) if !killed => Stage::Edited,
            _ => Stage::Between,
        };
        let mut faults = Vec::new();
        for wrong in self.both.judge(now, when, stage) {
            match wrong.how {
                Deviation::FolderTime => outcome.folder_times += 1,
                how => faults.push((how.into(), wrong.to_string())),
            }
        }
        if !killed && ran.end != ProcessEnd::Code(0) && !idle {
            faults.push((FaultKind::Failed, format!("{:?}: {}", ran.end, ran.said.trim_end())));
        }
        faults
    }

    /// The run that follows a recovery or an undo: it brings both sides together.
    fn judge_again(&self, ran: &Ran, now: &[Listing; 2], undone: bool) -> Vec<(FaultKind, String)> {
        let mut lines = self.both.unsettled(now, undone);
        if ran.end != ProcessEnd::Code(0) {
            lines.insert(0, format!("{:?}: {}", ran.end, ran.said.trim_end()));
        }
        if lines.is_empty() {
            return Vec::new();
        }
        vec![(FaultKind::Failed, format!("the next run left it unsettled:\n    {}", lines.join("\n    ")))]
    }
}
