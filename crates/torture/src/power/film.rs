//! A recorded session: a file system with two trees, the commands that ran on it, and everything that reached its
//! disk meanwhile.
//!
//! Invariant: a command is recorded only when it ended well and left what it should; where in the record it began and
//! where it had said that it was done is known.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use fcs_testkit::{FsKind, Image, ImageOptions, Listing};

use super::disk::{Disk, Event};
use super::record::Recorder;
use crate::both::{self, Both};
use crate::judge::{self, States, said};
use crate::program::{Program, Side, Subject, Verb};
use crate::supervise::{Kill, ProcessEnd};
use crate::trees;

/// A file system and how it is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mounted {
    pub(crate) name: &'static str,
    pub(crate) kind: FsKind,
    pub(crate) options: &'static str,
}

/// Enough for the trees twice and for the room that fcs leaves free.
const SIZE: u64 = 192 << 20;

/// One command in the record.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) verb: Verb,
    /// How many events there were before it began, and when it had ended.
    pub(super) began: usize,
    pub(super) done: usize,
    pub(super) states: States,
}

/// The session.
pub(super) struct Film {
    /// The disk before the first event.
    pub(super) base: Disk,
    pub(super) events: Vec<Event>,
    pub(super) runs: Vec<Run>,
    /// The trees before the first command.
    pub(super) left: Listing,
    pub(super) right: Listing,
    /// Where changes went both ways between them.
    pub(super) both: Option<Both>,
}

/// Where the program keeps what it remembers: on the disk that is cut off, too.
pub(super) fn state(mount_point: &Path) -> PathBuf {
    mount_point.join("state")
}

impl Film {
    /// What a cut after `at` events may find, and whether a command had said before that it was done.
    pub(super) fn expected(&self, at: usize) -> Option<(States, Verb, bool)> {
        let run = self.runs.iter().rev().find(|run| run.began <= at)?;
        let done = run.done <= at;
        let states = if done {
            States { old: run.states.new.clone(), new: run.states.new.clone() }
        } else {
            run.states.clone()
        };
        Some((states, run.verb, done))
    }
}

/// What is special about a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// Another program writes and syncs a file of its own meanwhile. That makes the file system commit its journal at moments
    /// the program under torture does not choose.
    pub(super) neighbour: bool,
    /// Changes go both ways.
    pub(super) both_ways: bool,
}

/// Records the commands that `program` knows, one after the other, on a fresh file system with trees from `seed`, mounted at
/// `mount_point`.
pub(super) fn shoot(
    program: &Program,
    subject: Subject,
    on: Mounted,
    (seed, session): (u64, Session),
    mount_point: &Path,
) -> Result<Film, String> {
    let pair = trees::pair(seed);
    let options = ImageOptions { mount_options: on.options, ..ImageOptions::default() };
    let image = Image::with_options(on.kind, SIZE, options).map_err(|skip| skip.reason)?;
    if session.both_ways {
        let both = Both::new(program, image.mount_point(), &state(image.mount_point()), seed)?;
        let [left, right] = both.edited.clone();
        let base = take_disk(image, on)?;
        let script = [Verb::TwoWay, Verb::UndoAt(Side::Right)];
        let script = script.map(|verb| (verb, States { old: Listing::new(), new: Listing::new() }));
        let (events, runs) =
            record(program, &base, on, (seed, session.neighbour), mount_point, script.into(), |verb| {
                let now = both::look(mount_point)?;
                Ok(if verb == Verb::TwoWay { both.unsettled(&now, false) } else { both.not_undone(&now) })
            })?;
        return Ok(Film { base, events, runs, left, right, both: Some(both) });
    }
    for (side, items) in [("left", &pair.left), ("right", &pair.right)] {
        let root = image.mount_point().join(side);
        trees::restore(&root, items).map_err(|error| said("make", &root, &error))?;
    }
    let left = judge::look(&image.mount_point().join("left"))?;
    let right = judge::look(&image.mount_point().join("right"))?;
    let base = take_disk(image, on)?;

    let copied = judge::copied(&left, &right);
    let has_undo = program.has(Verb::Undo);
    let script = [
        (Verb::Copy, States { old: right.clone(), new: copied.clone() }),
        (Verb::Undo, States { old: copied, new: right.clone() }),
        (Verb::Sync, States { old: right.clone(), new: left.clone() }),
    ];
    let possible =
        script.into_iter().filter(|(verb, _)| program.has(*verb) && (*verb != Verb::Sync || has_undo));
    let script: Vec<_> = possible.collect();
    let wanted: Vec<(Verb, Listing)> =
        script.iter().map(|(verb, states)| (*verb, states.new.clone())).collect();
    let (events, runs) =
        record(program, &base, on, (seed, session.neighbour), mount_point, script, |verb| {
            let now = judge::look(&mount_point.join("right"))?;
            let wanted = wanted.iter().find(|(known, _)| *known == verb && subject == Subject::Fcs);
            Ok(wanted.map_or_else(Vec::new, |(_, wanted)| judge::unequal(wanted, &now)))
        })?;
    Ok(Film { base, events, runs, left, right, both: None })
}

/// Runs commands on a recorded disk, one after the other; `wrong` says what one of them left that it should not have.
fn record(
    program: &Program,
    base: &Disk,
    on: Mounted,
    (seed, neighbour): (u64, bool),
    mount_point: &Path,
    script: Vec<(Verb, States)>,
    wrong: impl Fn(Verb) -> Result<Vec<String>, String>,
) -> Result<(Vec<Event>, Vec<Run>), String> {
    let recorder = Recorder::new(base.clone(), on.kind.name(), on.options, mount_point)?;
    let stop = AtomicBool::new(false);
    let runs = std::thread::scope(|scope| {
        if neighbour {
            scope.spawn(|| write_meanwhile(mount_point, seed, &stop));
        }
        let runs = record_runs(program, &recorder, script, wrong);
        stop.store(true, Ordering::Relaxed);
        runs
    })?;
    Ok((recorder.finish()?, runs))
}

/// Unmounts the image and yields its bytes.
fn take_disk(image: Image, on: Mounted) -> Result<Disk, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", on.name);
    let backing = image.backing_file().ok_or("an image without a file")?;
    let beside = backing.ancestors().nth(2).ok_or("an image at the root")?;
    let dir = tempfile::Builder::new().prefix("fcs-base-").tempdir_in(beside).map_err(fail)?;
    let file = dir.path().join("disk");
    image.into_file(&file).map_err(fail)?;
    Disk::read(&file).map_err(fail)
}

fn record_runs(
    program: &Program,
    recorder: &Recorder,
    script: Vec<(Verb, States)>,
    wrong: impl Fn(Verb) -> Result<Vec<String>, String>,
) -> Result<Vec<Run>, String> {
    let [from, to] = ["left", "right"].map(|side| recorder.mount_point().join(side));
    let state = state(recorder.mount_point());
    let mut runs = Vec::new();
    for (verb, states) in script {
        let began = recorder.now();
        let ran = program.run_keeping(&program.words(verb, &from, &to), Kill::Never, &state)?;
        let done = recorder.now();
        if ran.end != ProcessEnd::Code(0) {
            return Err(format!("an undisturbed {verb} ended with {:?}:\n{}", ran.end, ran.said));
        }
        let wrong = wrong(verb)?;
        if !wrong.is_empty() {
            return Err(format!("an undisturbed {verb} left something wrong:\n  {}", wrong.join("\n  ")));
        }
        runs.push(Run { verb, began, done, states });
    }
    Ok(runs)
}

/// Writes and syncs a file until told to stop.
fn write_meanwhile(folder: &Path, seed: u64, stop: &AtomicBool) {
    let mut rng = Rng::with_seed(seed);
    let path = folder.join("neighbour");
    while !stop.load(Ordering::Relaxed) {
        let written = fs::write(&path, rng.u64(..).to_le_bytes());
        // It only has to keep the journal busy; when it cannot, the others will say why.
        let _ = written.and_then(|()| File::open(&path)?.sync_all());
        std::thread::sleep(Duration::from_millis(rng.u64(0..8)));
    }
}
