//! A contest: the same work for several programs, in rounds.
//!
//! Invariant: a result is a time only if the work was done. Copies are counted after each run, and those who compare
//! and can say "different" by their exit code have to say so once before they are timed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::data::Totals;
use super::run::{self, Sample};
use super::table;

/// A program that takes part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contestant {
    pub(super) name: &'static str,
    /// What has to be installed; empty for fcs, which has been built.
    tool: &'static str,
    script: &'static str,
    /// Makes the state it starts from, where that is not the same for all of a contest; not timed.
    before: &'static str,
    /// Fails unless the work was done, where counting what there is does not show it; not timed.
    after: &'static str,
    /// What is known of the copies when it has ended.
    pub(super) proves: &'static str,
    pub(super) ours: bool,
    /// Whether it ends with code 1 on a difference, so that it can be asked to find one.
    probed: bool,
}

impl Contestant {
    pub(super) const fn new(name: &'static str, tool: &'static str, script: &'static str) -> Self {
        Self { name, tool, script, before: "", after: "", proves: "", ours: false, probed: false }
    }

    pub(super) const fn ours(name: &'static str, script: &'static str) -> Self {
        let theirs = Self::new(name, "", script);
        Self { ours: true, ..theirs }
    }

    pub(super) const fn proves(mut self, what: &'static str) -> Self {
        self.proves = what;
        self
    }

    pub(super) const fn between(mut self, before: &'static str, after: &'static str) -> Self {
        (self.before, self.after) = (before, after);
        self
    }

    pub(super) const fn probed(mut self) -> Self {
        self.probed = true;
        self
    }
}

/// What is brought into the page cache before a comparison.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reset {
    /// Metadata of both trees.
    Stat,
    /// Nothing.
    Nothing,
    /// Metadata and content of both trees.
    Read,
}

/// The work to be done.
pub(super) enum Work {
    /// Fill the empty target; it must hold this much afterwards.
    Copy(Totals),
    /// Find two trees equal. `probe` makes them differ for the trial run.
    Compare { reset: Reset, probe: fn(&Path) -> io::Result<()> },
    /// What each contestant's own scripts say, on trees that are there. What is brought into the page cache before.
    Own(Reset),
}

/// How fast fcs has to be.
pub(super) struct Target {
    /// Name of the contestant it is about.
    pub(super) ours: &'static str,
    /// Name of the one it is measured by.
    pub(super) reference: &'static str,
    /// The largest ratio of the two that is good enough.
    pub(super) at_most: f64,
}

/// One contest, ready to be held.
pub(super) struct Contest<'a> {
    pub(super) title: String,
    pub(super) work: Work,
    pub(super) source: PathBuf,
    pub(super) target: PathBuf,
    pub(super) fcs: &'a Path,
    pub(super) contestants: &'a [Contestant],
    pub(super) goals: &'a [Target],
}

/// What became of one contestant.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    /// What is known of the copies when it has ended.
    pub(super) proves: &'static str,
    /// By round; none from the round on in which it failed.
    pub(super) samples: Vec<Option<Sample>>,
    /// Why it is out of the contest.
    pub(super) out: Option<Out>,
}

/// Why there is no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// It is not on this machine.
    NotInstalled,
    /// It ran and did not do the work.
    Failed(String),
}

impl Outcome {
    /// The median over the rounds it ended.
    pub(super) fn median(&self, what: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        let figures: Vec<f64> = self.samples.iter().flatten().filter_map(what).collect();
        table::median(&figures)
    }
}

impl Contest<'_> {
    /// Holds it. An error is one of the bench itself or an interrupt; what goes wrong with a contestant is in its
    /// outcome.
    pub(super) fn play(&self, rounds: usize, cold: bool) -> Result<Vec<Outcome>, String> {
        let mut outcomes: Vec<Outcome> = self.contestants.iter().map(|c| self.admit(c)).collect();
        self.warm_up(&outcomes)?;
        self.probe(&mut outcomes)?;
        for round in 0..rounds {
            for turn in 0..outcomes.len() {
                let index = (round + turn) % outcomes.len();
                let (contestant, outcome) = (&self.contestants[index], &mut outcomes[index]);
                let sample = if outcome.out.is_none() { self.timed(contestant, cold)? } else { Ok(None) };
                let shown = match sample {
                    Ok(sample) => {
                        outcome.samples.push(sample);
                        sample.map_or_else(|| "out".to_owned(), |sample| format!("{:.2} s", sample.wall))
                    }
                    Err(reason) => {
                        let shown = format!("FAILED: {reason}");
                        outcome.out = Some(Out::Failed(reason));
                        outcome.samples.push(None);
                        shown
                    }
                };
                println!("round {}/{rounds}: {}: {shown}", round + 1, contestant.name);
            }
        }
        Ok(outcomes)
    }

    /// One copy that does not count: the first to use memory pays for it (measured in a virtual machine: the first
    /// `cp` of a contest took up to twice as long as any later one).
    fn warm_up(&self, outcomes: &[Outcome]) -> Result<(), String> {
        let able = self.contestants.iter().zip(outcomes).find(|(_, outcome)| outcome.out.is_none());
        if let (Work::Copy(_) | Work::Own(_), Some((contestant, _))) = (&self.work, able) {
            let _ = self.timed(contestant, false)?;
        }
        Ok(())
    }

    fn admit(&self, contestant: &Contestant) -> Outcome {
        let installed = contestant.ours && self.fcs.exists() || run::has(contestant.tool);
        let out = (!installed).then_some(Out::NotInstalled);
        Outcome { name: contestant.name, proves: contestant.proves, samples: Vec::new(), out }
    }

    /// One run from the agreed state. The inner error is the contestant's.
    fn timed(&self, contestant: &Contestant, cold: bool) -> Result<Result<Option<Sample>, String>, String> {
        self.reset(contestant, cold)?;
        let ended = run::script(contestant.script, &self.source, &self.target, self.fcs)?;
        if ended.code != Some(0) {
            return Ok(Err(words(ended.code, &ended.stderr)));
        }
        if let Work::Copy(wanted) = &self.work {
            let found = Totals::of(&self.target).map_err(|error| format!("Could not count: {error}"))?;
            if found != *wanted {
                return Ok(Err(format!("ended with code 0, but the target holds {found}")));
            }
        }
        let after = run::script(contestant.after, &self.source, &self.target, self.fcs)?;
        if after.code != Some(0) {
            let words = words(after.code, &after.stderr);
            return Ok(Err(format!("ended with code 0, but the work was not done: {words}")));
        }
        Ok(Ok(Some(ended.sample)))
    }

    fn reset(&self, contestant: &Contestant, cold: bool) -> Result<(), String> {
        let said = |error: io::Error| format!("Could not prepare a run: {error}");
        let warm_up = match &self.work {
            Work::Copy(_) => {
                match fs::remove_dir_all(&self.target) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(said(error)),
                    _ => fs::create_dir(&self.target).map_err(said)?,
                }
                r#"find "$S" -type f -exec cat {} + >/dev/null"#
            }
            Work::Compare { reset, .. } | Work::Own(reset) => match reset {
                Reset::Nothing => "",
                Reset::Stat => r#"find "$S" "$D" -printf '%s' >/dev/null"#,
                Reset::Read => r#"find "$S" "$D" -type f -exec cat {} + >/dev/null"#,
            },
        };
        let warm_up = if cold { "echo 3 >/proc/sys/vm/drop_caches" } else { warm_up };
        let prepare = format!("{}\nsync -f \"$D\"\n{warm_up}", contestant.before);
        let ended = run::script(&prepare, &self.source, &self.target, self.fcs)?;
        if ended.code == Some(0) { Ok(()) } else { Err(words(ended.code, &ended.stderr)) }
    }

    /// Lets those who compare find a difference, once.
    fn probe(&self, outcomes: &mut [Outcome]) -> Result<(), String> {
        let Work::Compare { probe, .. } = &self.work else {
            return Ok(());
        };
        probe(&self.target).map_err(|error| format!("Could not make a difference: {error}"))?;
        for (contestant, outcome) in self.contestants.iter().zip(outcomes) {
            if contestant.probed && outcome.out.is_none() {
                let ended = run::script(contestant.script, &self.source, &self.target, self.fcs)?;
                if ended.code != Some(1) {
                    let words = words(ended.code, &ended.stderr);
                    let reason = format!("did not find a planted difference: {words}");
                    println!("trial: {}: FAILED: {reason}", contestant.name);
                    outcome.out = Some(Out::Failed(reason));
                }
            }
        }
        fs::remove_dir_all(&self.target).map_err(|error| format!("Could not end the trial: {error}"))?;
        run::copy_tree(&self.source, &self.target)
    }
}

/// The end of a run in one line.
fn words(code: Option<i32>, stderr: &str) -> String {
    let end = code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"));
    let lines: Vec<&str> = stderr.lines().collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" / ");
    if last.is_empty() { end } else { format!("{end}: {last}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::data;

    const GOOD: Contestant = Contestant::new("good", "cp", r#"cp -a "$S/." "$D/""#);
    const LAZY: Contestant = Contestant::ours("lazy", "true");
    const BROKEN: Contestant = Contestant::ours("broken", "echo 'what a pity' >&2; exit 4");
    const ABSENT: Contestant = Contestant::new("absent", "no-such-tool", "no-such-tool");
    const WORKS: Contestant =
        Contestant::ours("works", r#"rm "$D/made""#).between(r#"touch "$D/made""#, r#"test ! -e "$D/made""#);
    const IDLES: Contestant =
        Contestant::ours("idles", "true").between(r#"touch "$D/made""#, r#"test ! -e "$D/made""#);
    const BLIND: Contestant = Contestant::ours("blind", "true").probed();
    const SEEING: Contestant = Contestant::new("seeing", "diff", r#"diff -rq "$S" "$D""#).probed();

    fn play(work: fn(Totals) -> Work, contestants: &[Contestant]) -> Vec<Outcome> {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("s"), dir.path().join("d"));
        let totals = data::many(&source, 50).unwrap();
        run::copy_tree(&source, &target).unwrap();
        let (title, goals, fcs) = (String::new(), &[], Path::new("/bin/sh"));
        Contest { title, work: work(totals), source, target, fcs, contestants, goals }.play(2, false).unwrap()
    }

    fn reason(outcome: &Outcome) -> &str {
        match &outcome.out {
            Some(Out::Failed(reason)) => reason,
            _ => "",
        }
    }

    #[test]
    fn only_who_did_the_work_gets_a_time() {
        let outcomes = play(Work::Copy, &[GOOD, LAZY, BROKEN, ABSENT]);
        assert!(outcomes[0].out.is_none() && outcomes[0].samples.iter().all(Option::is_some));
        assert!(
            reason(&outcomes[1]).starts_with("ended with code 0, but the target holds 0 files"),
            "{outcomes:?}"
        );
        assert_eq!(reason(&outcomes[2]), "exit code 4: what a pity");
        assert_eq!(outcomes[3].out, Some(Out::NotInstalled));
        assert!(outcomes[1..].iter().all(|outcome| outcome.samples == [None, None]));

        let outcomes = play(|_| Work::Own(Reset::Stat), &[WORKS, IDLES]);
        assert!(outcomes[0].out.is_none(), "{outcomes:?}");
        assert!(reason(&outcomes[1]).contains("the work was not done"), "{outcomes:?}");

        let compare = |_| Work::Compare { reset: Reset::Read, probe: data::flip_a_byte };
        let outcomes = play(compare, &[SEEING, BLIND]);
        assert!(outcomes[0].out.is_none(), "{outcomes:?}");
        assert!(reason(&outcomes[1]).starts_with("did not find a planted difference"), "{outcomes:?}");
    }
}
