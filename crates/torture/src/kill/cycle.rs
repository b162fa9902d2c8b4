//! One cycle of the kill torture as plain data: which commands run one after the other, and where each is killed.
//!
//! Invariant: a cycle can be written down and read back, so that what failed can be repeated.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;

use crate::program::{Program, Side, Stops, Verb};
use crate::syscalls;

/// Where a command is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Point {
    /// Before its n-th call of this name, counted from 1.
    Call(&'static str, u64),
    After(Duration),
}

/// A command, and where it is killed if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) verb: Verb,
    pub(super) kill: Option<Point>,
}

/// Commands that run one after the other on one pair of trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cycle(pub(super) Vec<Step>);

impl Point {
    /// The name of the row it is counted in.
    pub(super) fn row(self) -> &'static str {
        match self {
            Self::Call(name, _) => name,
            Self::After(_) => "(any instant)",
        }
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let gap = if index > 0 { " " } else { "" };
            match step.kill {
                None => write!(f, "{gap}{}", step.verb)?,
                Some(Point::Call(name, nth)) => write!(f, "{gap}{}@{name}:{nth}", step.verb)?,
                Some(Point::After(time)) => write!(f, "{gap}{}@after:{}", step.verb, time.as_micros())?,
            }
        }
        Ok(())
    }
}

impl FromStr for Cycle {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(step).collect::<Result<_, _>>().map(Self)
    }
}

fn step(word: &str) -> Result<Step, String> {
    let Some((verb, point)) = word.split_once('@') else {
        return Ok(Step { verb: word.parse()?, kill: None });
    };
    let (name, number) = point.split_once(':').ok_or_else(|| format!("{point}: no colon"))?;
    let number = number.parse().map_err(|_| format!("{number} is no number"))?;
    let point = match name {
        "after" => Point::After(Duration::from_micros(number)),
        _ => Point::Call(syscalls::by_name(name)?.name, number),
    };
    Ok(Step { verb: verb.parse()?, kill: Some(point) })
}

/// What a clean run of a command showed: where it can be killed.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) stops: Stops,
    /// Without the tracing.
    pub(super) takes: Duration,
}

/// Deals out cycles: each kill point of the first command once before any comes again.
pub(super) struct Dealer {
    rng: Rng,
    measured: Vec<(Verb, Measured)>,
    /// What is left of the kill points of each command.
    decks: Vec<(Verb, Vec<Point>)>,
}

/// One in so many kills comes at an instant instead of at a call.
const INSTANTS: usize = 8;

impl Dealer {
    /// From what clean runs showed, for each command there is.
    pub(super) fn new(seed: u64, measured: Vec<(Verb, Measured)>) -> Self {
        let decks = measured.iter().map(|(verb, _)| (*verb, Vec::new())).collect();
        Self { rng: Rng::with_seed(seed), measured, decks }
    }

    /// How many different kill points there are for `verb`.
    pub(super) fn points(&self, verb: Verb) -> u64 {
        self.of(verb).map_or(0, |measured| measured.stops.iter().map(|(_, count)| count).sum())
    }

    fn of(&self, verb: Verb) -> Option<&Measured> {
        self.measured.iter().find(|(known, _)| *known == verb.anywhere()).map(|(_, measured)| measured)
    }

    fn point(&mut self, verb: Verb) -> Option<Point> {
        let measured = self.of(verb)?.clone();
        if self.rng.usize(0..INSTANTS) == 0 {
            let micros = measured.takes.as_micros() as u64;
            return Some(Point::After(Duration::from_micros(self.rng.u64(0..=micros))));
        }
        let (_, deck) = self.decks.iter_mut().find(|(known, _)| *known == verb.anywhere())?;
        if deck.is_empty() {
            let all = measured.stops.iter().flat_map(|&(name, n)| (1..=n).map(move |n| Point::Call(name, n)));
            *deck = all.collect();
            self.rng.shuffle(deck);
        }
        deck.pop()
    }

    /// The next cycle for what `program` can do.
    pub(super) fn deal(&mut self, program: &Program) -> Cycle {
        let has = |verb| program.has(verb);
        if has(Verb::TwoWay) && has(Verb::Undo) && has(Verb::Recover) && self.rng.usize(0..3) == 0 {
            return self.deal_both();
        }
        let first = if has(Verb::Sync) && self.rng.bool() { Verb::Sync } else { Verb::Copy };
        let mut steps = Vec::new();
        let mut add = |verb, kill| steps.push(Step { verb, kill });
        let undo_killed = has(Verb::Undo) && self.rng.usize(0..4) == 0;
        if undo_killed {
            add(first, None);
            add(Verb::Undo, self.point(Verb::Undo));
        } else {
            add(first, self.point(first));
        }
        if has(Verb::Recover) {
            if self.rng.usize(0..3) == 0 {
                for _ in 0..self.rng.usize(1..=3) {
                    add(Verb::Recover, self.point(Verb::Recover));
                }
            }
            add(Verb::Recover, None);
        }
        if has(Verb::Recover) && has(Verb::Undo) && (undo_killed || self.rng.bool()) {
            if !undo_killed && self.rng.usize(0..3) == 0 {
                add(Verb::Undo, self.point(Verb::Undo));
                add(Verb::Recover, None);
            }
            add(Verb::Undo, None);
        }
        Cycle(steps)
    }

    /// A cycle on a pair whose changes go both ways: each recovery and each undo is asked of one side or the other.
    fn deal_both(&mut self) -> Cycle {
        let side = |rng: &mut Rng| Side::BOTH[rng.usize(0..2)];
        let mut steps = Vec::new();
        let mut add = |verb, kill| steps.push(Step { verb, kill });
        let undo_killed = self.rng.usize(0..4) == 0;
        if undo_killed {
            add(Verb::TwoWay, None);
            let undo = Verb::UndoAt(side(&mut self.rng));
            add(undo, self.point(undo));
        } else {
            add(Verb::TwoWay, self.point(Verb::TwoWay));
        }
        if self.rng.usize(0..3) == 0 {
            for _ in 0..self.rng.usize(1..=3) {
                let recover = Verb::RecoverAt(side(&mut self.rng));
                add(recover, self.point(recover));
            }
        }
        // Where the journal of one side alone is not over, only that side knows that there is something to do.
        let first = side(&mut self.rng);
        add(Verb::RecoverAt(first), None);
        add(Verb::RecoverAt(first.other()), None);
        let undo = Verb::UndoAt(side(&mut self.rng));
        if undo_killed {
            add(undo, None);
        } else if self.rng.bool() {
            if self.rng.usize(0..3) == 0 {
                add(undo, self.point(undo));
                add(Verb::RecoverAt(first), None);
                add(Verb::RecoverAt(first.other()), None);
            }
            add(Verb::UndoAt(side(&mut self.rng)), None);
        }
        if self.rng.usize(0..3) > 0 {
            add(Verb::TwoWay, None);
        }
        Cycle(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_can_be_written_down_and_read_back() {
        for text in [
            "copy@renameat2:17 recover@after:1234 recover undo",
            "two-way@fsync:2 recover-left@renameat2:1 recover-right undo-left two-way",
        ] {
            assert_eq!(text.parse::<Cycle>().unwrap().to_string(), text);
        }
        for wrong in ["move", "copy@nowhere:1", "copy@fsync", "copy@fsync:x"] {
            assert!(wrong.parse::<Cycle>().is_err(), "{wrong}");
        }
    }
}
