//! `torture power`: records everything that reaches the disk while the program runs, and mounts what a power cut at
//! any of these moments could have left.
//!
//! Invariant: the result is good only when disks were mounted and judged, and none showed a fault.

mod cut;
mod disk;
mod film;
mod record;
mod replay;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fastrand::Rng;

use self::cut::{Cut, Left};
use self::disk::Event;
pub(crate) use self::film::Mounted;
use self::film::{Film, Session};
use self::replay::{Finding, Question, Socket};
use crate::program::{Program, Side, Subject, Verb};
use crate::table::Table;
use crate::{failures, interrupt};

/// What can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Each file system with the number of its images.
    pub(crate) on: Vec<(Mounted, u64)>,
    pub(crate) seed: u64,
    pub(crate) subject: Subject,
    pub(crate) fcs: PathBuf,
    pub(crate) keep: PathBuf,
}

/// How many cuts are made in one recorded session; then a new one is recorded, with other trees and other timing.
const PER_FILM: u64 = 60;

const COLUMNS: [&str; 15] = [
    "images",
    "mounted",
    "unmountable",
    "damaged",
    "torn",
    "attributes",
    "lost",
    "strays",
    "source",
    "both ways",
    "failed",
    "unsettled",
    "undone",
    "undo failed",
    "folder times",
];
/// Those of which each is a broken promise.
const FAULTS: [&str; 8] =
    ["torn", "attributes", "lost", "strays", "source", "failed", "unsettled", "undo failed"];

/// Runs the torture on all file systems at once; true when no fault was found and none was skipped.
pub(crate) fn run(options: &Options) -> bool {
    let started = Instant::now();
    let tables = Mutex::new(Vec::new());
    let one = |on: Mounted, images| -> Result<(), String> {
        let mut table = Table::new(on.name, &COLUMNS);
        let result = torture(on, images, options, &mut table);
        tables.lock().unwrap_or_else(PoisonError::into_inner).push((on.name, table));
        result
    };
    let one = &one;
    let errors = std::thread::scope(|scope| {
        let all = options.on.iter().map(|&(on, images)| (on.name, scope.spawn(move || one(on, images))));
        let joined = all.collect::<Vec<_>>().into_iter().map(|(name, thread)| {
            let result = thread.join().unwrap_or_else(|_| Err("panicked".to_owned()));
            result.map_err(|error| format!("{name}: {error}"))
        });
        joined.filter_map(Result::err).collect::<Vec<_>>()
    });
    let mut sum = Table::new("", &COLUMNS);
    for (name, table) in tables.into_inner().unwrap_or_else(PoisonError::into_inner) {
        println!("\n{}", table.text());
        sum.absorb(name, &table);
    }
    println!("\n{}", sum.text());
    errors.iter().for_each(|error| println!("ERROR {error}"));
    failures::sum_up();
    let faults = FAULTS.map(|what| sum.total(what));
    let said: Vec<_> = std::iter::zip(faults, FAULTS).map(|(n, what)| format!("{n} {what}")).collect();
    let images = sum.total("images");
    let rate = images as f64 / started.elapsed().as_secs_f64();
    println!("{images} images ({rate:.1} per second), {}, seed {}", said.join(", "), options.seed);
    let sound = faults.iter().sum::<u64>() == 0 && failures::none();
    // Disks that the file system refuses tell nothing about the program; many of them mean that the cuts are wrong.
    let told_enough = images > 0 && sum.total("mounted") >= images - images / 20;
    if !told_enough {
        println!("ERROR only {} of {images} disks could be mounted", sum.total("mounted"));
    }
    errors.is_empty() && sound && told_enough && !interrupt::asked()
}

/// The torture of one file system.
fn torture(on: Mounted, images: u64, options: &Options, table: &mut Table) -> Result<(), String> {
    let program = Program::new(options.subject, &options.fcs)?;
    let socket = Socket::new(on, options.subject)?;
    let mut left = images;
    for number in 0.. {
        if left == 0 || interrupt::asked() || failures::enough() {
            break;
        }
        let seed = options.seed.wrapping_mul(1000).wrapping_add(number);
        // One in three, with and without a neighbour; the first of them early, so that a slice has one.
        let session =
            Session { neighbour: number % 2 == 1, both_ways: number % 3 == 1 && program.has(Verb::TwoWay) };
        let film = film::shoot(&program, options.subject, on, (seed, session), &socket.mount_point())?;
        if number < 2 {
            tell(on, &film);
        }
        // At least two sessions, of which the second goes both ways.
        let cuts = left.min(PER_FILM).min(images.div_ceil(2));
        project(on, &film, cuts, seed, (options, &program, &socket), table)?;
        left -= cuts;
    }
    Ok(())
}

fn tell(on: Mounted, film: &Film) {
    let flushes = film.events.iter().filter(|event| matches!(event, Event::Flush)).count();
    let runs = film.runs.iter().map(|run| format!("{} {} to {}", run.verb, run.began, run.done));
    println!(
        "{}: {} events recorded, {flushes} of them flushes; {}",
        on.name,
        film.events.len(),
        runs.collect::<Vec<_>>().join(", ")
    );
}

/// Makes `cuts` cuts in one session, in the order of the record, so that the disk only ever moves forward.
fn project(
    on: Mounted,
    film: &Film,
    cuts: u64,
    seed: u64,
    (options, program, socket): (&Options, &Program, &Socket),
    table: &mut Table,
) -> Result<(), String> {
    let Some(first) = film.runs.first() else {
        return Err("nothing was recorded".to_owned());
    };
    let mut rng = Rng::with_seed(seed);
    let mut points: Vec<usize> = (0..cuts).map(|_| rng.usize(first.began..=film.events.len())).collect();
    points.sort_unstable();
    let mut disk = film.base.clone();
    let mut flushed = 0;
    for (number, point) in points.into_iter().enumerate() {
        if interrupt::asked() {
            break;
        }
        let last_flush = film.events[..point].iter().rposition(|event| *event == Event::Flush);
        let upto = last_flush.map_or(flushed, |at| at + 1).max(flushed);
        for event in &film.events[flushed..upto] {
            if let Event::Write { offset, data } = event {
                disk.write(*offset, data);
            }
        }
        flushed = upto;
        let Some((states, verb, done)) = film.expected(point) else {
            continue;
        };
        let cut = Cut::ALL[rng.usize(0..Cut::ALL.len())];
        let pending = &film.events[flushed..point];
        let left: Left = cut::apply(cut, &mut disk, pending, cut::tears(on.kind), &mut rng);
        let garbage = matches!(cut, Cut::Garbage);
        let may_not_mount = garbage || left.inside_a_block;
        let question = Question {
            film,
            states,
            verb,
            done,
            garbage,
            may_not_mount,
            undo: rng.bool(),
            from: Side::BOTH[rng.usize(0..2)],
        };
        let finding = socket.examine(&disk, program, &question)?;
        let row = cut.to_string();
        finding.columns.iter().for_each(|column| table.add(&row, column, 1));
        if !finding.faults.is_empty() {
            let after = if done { "after" } else { "in" };
            let place = format!("{cut} {after} {verb}, event {point} of session {number} with seed {seed}");
            keep(on, options, &disk, &finding, &place);
        }
        disk.undo(left.before);
    }
    Ok(())
}

/// The disk itself is kept, because timing decides what is recorded and no seed reproduces it.
fn keep(on: Mounted, options: &Options, disk: &disk::Disk, finding: &Finding, place: &str) {
    let mut faults = vec![place.to_owned()];
    faults.extend(finding.faults.iter().cloned());
    let comma = if on.options.is_empty() { "" } else { "," };
    let again = format!(
        "mount -t {} -o loop{comma}{} disk.img MNT && fcs recover -y MNT/right && fcs undo -y MNT/right",
        on.kind, on.options
    );
    failures::keep(&options.keep, on.name, &again, &faults, |into| {
        disk.store(&into.join("disk.img")).map_err(|error| error.to_string())
    });
}
