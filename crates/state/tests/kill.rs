//! Processes that are killed while they save, at any moment.
#![allow(clippy::unwrap_used)]
#![cfg(unix)] // A kill that nobody can prepare for.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Model, apply, changes, model_of, roots, terms};
use fcs_engine::history::RunId;
use fcs_state::{Start, StateError, States};

/// The variable by which this program, started again, knows that it is to save and be killed.
const VICTIM: &str = "FCS_STATE_VICTIM";

/// What a step of the victim leaves, told by the one before it.
struct Play {
    model: Model,
    runs: Vec<(RunId, BTreeSet<Vec<u8>>)>,
}

enum Step {
    Save(RunId, Vec<fcs_engine::memory::MemoryChange>),
    Forget(RunId),
}

impl Play {
    fn new() -> Self {
        Self { model: Model::new(), runs: Vec::new() }
    }

    fn next(&mut self, seed: u64, number: u64) -> Step {
        let mut random = fastrand::Rng::with_seed(seed ^ number << 20);
        if number % 7 == 6
            && let Some((run, changed)) = self.runs.pop()
        {
            self.model.retain(|path, _| !changed.contains(path));
            return Step::Forget(run);
        }
        let run: RunId = format!("run{number:06}").parse().unwrap();
        let count = random.choice([1, 30, 800]).unwrap();
        let some = changes(&mut random, count);
        self.runs.push((run.clone(), apply(&mut self.model, &some)));
        Step::Save(run, some)
    }
}

/// Not a test of its own: what is killed.
#[test]
fn victim() {
    let Ok(task) = std::env::var(VICTIM) else { return };
    let (seed, folder) = task.split_once(' ').unwrap();
    let seed: u64 = seed.parse().unwrap();
    let states = States::open(Path::new(folder)).unwrap();
    let mut pair = states.pair(&roots()).unwrap();
    let mut play = Play::new();
    for number in 0.. {
        match play.next(seed, number) {
            Step::Save(run, some) => {
                let start = if number == 0 { Start::Afresh } else { Start::Loaded };
                pair.save(Some(&run), &terms("all"), start, some).unwrap();
            }
            Step::Forget(run) => pair.forget_run(&run).unwrap(),
        }
        // Straight to the pipe, past what the test harness collects.
        let mut out = std::io::stderr();
        writeln!(out, "saved {number}").unwrap();
    }
}

#[test]
fn a_kill_leaves_what_was_before_a_save_or_what_was_to_be() {
    let kills: u64 = std::env::var("FCS_STATE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let (mut within, mut missing, mut saves) = (0, 0, 0);
    for seed in 0..kills {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("pairs");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
            .env(VICTIM, format!("{seed} {}", folder.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        // So many saves, and then at once or in the midst of what follows.
        let wait = random.u64(..12);
        let mut done: Option<u64> = None;
        let mut line = String::new();
        while done.map_or(0, |last| last + 1) < wait && lines.read_line(&mut line).unwrap() > 0 {
            done = line.trim().strip_prefix("saved ").and_then(|text| text.parse().ok()).or(done);
            line.clear();
        }
        let pause = random.u64(..6_000);
        for _ in 0..pause {
            std::hint::spin_loop();
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        for line in rest.lines() {
            done = line.trim().strip_prefix("saved ").and_then(|text| text.parse().ok()).or(done);
        }
        let mut play = Play::new();
        let mut models = vec![play.model.clone()];
        for number in 0..=done.map_or(0, |last| last + 1) {
            play.next(seed, number);
            models.push(play.model.clone());
        }
        let (before, after) = (&models[models.len() - 2], &models[models.len() - 1]);
        saves += models.len() - 1;
        let states = States::open(&folder).unwrap();
        let found = states.find(&roots()).unwrap().map(|mut pair| pair.load());
        match found {
            None | Some(Err(StateError::Missing)) => {
                assert!(done.is_none(), "seed {seed}: nothing is there after {done:?}");
                missing += 1;
            }
            Some(Ok(load)) => {
                let is = model_of(&load.remembered);
                assert!(
                    is == *before || is == *after,
                    "seed {seed}: after {done:?} neither the one nor the other"
                );
                within += usize::from(is == *after);
            }
            Some(Err(error)) => panic!("seed {seed}, after {done:?}: {error}"),
        }
    }
    println!(
        "{kills} kills in {saves} saves, seeds 0..{kills}: {within} after the save had taken place, {missing} before the first"
    );
}
