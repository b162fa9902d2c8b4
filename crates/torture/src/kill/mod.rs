//! `torture kill`: runs the program again and again, kills it at every place that matters, and looks at what is left.
//!
//! Invariant: a kill counts only when the program ended by it. The result is good only when there were kills and no
//! fault.

mod bench;
mod both;
mod cycle;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fcs_testkit::FsKind;

use self::bench::Bench;
use self::cycle::{Cycle, Dealer};
use crate::program::{Program, Subject, Verb};
use crate::table::Table;
use crate::{failures, interrupt};

/// What can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) kills: u64,
    pub(crate) kinds: Vec<FsKind>,
    pub(crate) seed: u64,
    pub(crate) subject: Subject,
    pub(crate) fcs: PathBuf,
    pub(crate) keep: PathBuf,
    /// A cycle to repeat, instead of all.
    pub(crate) repeat: Option<String>,
}

/// Names of the columns.
const COLUMNS: [&str; 11] = [
    "copy",
    "sync",
    "two-way",
    "undo",
    "recover",
    "ended first",
    "corrupt",
    "attributes",
    "strays",
    "failed",
    "folder times",
];
/// Those of which each is a broken promise. A cycle counts once in each, however many names it concerns.
const FAULTS: [&str; 4] = ["corrupt", "attributes", "strays", "failed"];

/// Runs the torture on all file systems at once; true when no fault was found and none was skipped.
pub(crate) fn run(options: &Options) -> Result<bool, String> {
    let repeat = options.repeat.as_deref().map(str::parse::<Cycle>).transpose()?;
    let started = Instant::now();
    let tables = Mutex::new(Vec::new());
    let one = |kind| -> Result<(), String> {
        let table = on(kind, options, repeat.as_ref())?;
        tables.lock().unwrap_or_else(PoisonError::into_inner).push((kind, table));
        Ok(())
    };
    let one = &one;
    let errors = std::thread::scope(|scope| {
        let all: Vec<_> = options.kinds.iter().map(|&kind| (kind, scope.spawn(move || one(kind)))).collect();
        let joined = all.into_iter().map(|(kind, thread)| {
            let result = thread.join().unwrap_or_else(|_| Err("panicked".to_owned()));
            result.map_err(|error| format!("{kind}: {error}"))
        });
        joined.filter_map(Result::err).collect::<Vec<_>>()
    });
    let tables = tables.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(report(options, &tables, &errors, started))
}

fn report(options: &Options, tables: &[(FsKind, Table)], errors: &[String], started: Instant) -> bool {
    let mut sum = Table::new("", &COLUMNS);
    for (kind, table) in tables {
        println!("\n{}", table.text());
        sum.absorb(kind.name(), table);
    }
    println!("\n{}", sum.text());
    errors.iter().for_each(|error| println!("ERROR {error}"));
    failures::sum_up();
    let kills: u64 = Verb::COUNTED.iter().map(|verb| sum.total(verb)).sum();
    let faults = FAULTS.map(|what| sum.total(what));
    let said = std::iter::zip(faults, FAULTS).map(|(count, what)| format!("{count} {what}"));
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{kills} kills ({:.1} per second), {}, seed {}",
        kills as f64 / seconds,
        said.collect::<Vec<_>>().join(", "),
        options.seed
    );
    errors.is_empty() && kills > 0 && faults.iter().sum::<u64>() == 0 && !interrupt::asked()
}

/// The torture of one file system.
fn on(kind: FsKind, options: &Options, repeat: Option<&Cycle>) -> Result<Table, String> {
    let program = Program::new(options.subject, &options.fcs)?;
    let bench = Bench::new(kind, options.seed, options.subject, program)?;
    let mut table = Table::new(kind.name(), &COLUMNS);
    if let Some(cycle) = repeat {
        cycle_on(&bench, cycle, kind, options, &mut table)?;
        return Ok(table);
    }
    let mut dealer = Dealer::new(options.seed ^ kind as u64, bench.measure()?);
    let verbs = Verb::ALL.into_iter().filter(|&verb| verb == verb.anywhere());
    let points: Vec<_> = verbs.map(|verb| format!("{} in {verb}", dealer.points(verb))).collect();
    println!("{kind}: kill points: {}", points.join(", "));
    let wanted = options.kills.div_ceil(options.kinds.len().max(1) as u64);
    let mut killed = 0;
    while killed < wanted && !interrupt::asked() && !failures::enough() {
        killed += cycle_on(&bench, &dealer.deal(&bench.program), kind, options, &mut table)?;
    }
    let changed = bench.changed_source()?;
    if changed.is_empty() { Ok(table) } else { Err(format!("the source changed: {}", changed.join("; "))) }
}

/// Runs one cycle and counts; yields the number of kills.
fn cycle_on(
    bench: &Bench,
    cycle: &Cycle,
    kind: FsKind,
    options: &Options,
    table: &mut Table,
) -> Result<u64, String> {
    let outcome = bench.run(cycle).map_err(|error| format!("in the cycle \"{cycle}\": {error}"))?;
    for (verb, point) in &outcome.killed {
        table.add(point.row(), verb.counted(), 1);
    }
    for (_, point) in &outcome.ended_first {
        table.add(point.row(), "ended first", 1);
    }
    let first = outcome.killed.first().or(outcome.ended_first.first());
    let row = first.map_or("(no kill)", |(_, point)| point.row());
    table.add(row, "folder times", outcome.folder_times);
    let kinds: BTreeSet<_> = outcome.faults.iter().map(|fault| fault.kind).collect();
    for kind in kinds {
        table.add(row, FAULTS[kind as usize], 1);
    }
    if !outcome.faults.is_empty() {
        let texts: Vec<_> = outcome.faults.iter().map(|fault| fault.text.clone()).collect();
        keep(bench, cycle, kind, options, &texts);
    }
    Ok(outcome.killed.len() as u64)
}

fn keep(bench: &Bench, cycle: &Cycle, kind: FsKind, options: &Options, faults: &[String]) {
    let subject = match options.subject {
        Subject::Fcs => String::new(),
        other => format!(" --baseline {}", format!("{other:?}").to_lowercase()),
    };
    let again =
        format!("cargo xtask torture kill --fs {kind} --seed {}{subject} --repeat \"{cycle}\"", options.seed);
    failures::keep(&options.keep, kind.name(), &again, faults, |into| {
        let mut copy = Command::new("cp");
        copy.arg("-a").args(bench.folders()).arg(into);
        match copy.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("cp: {status}")),
            Err(error) => Err(format!("cp: {error}")),
        }
    });
}
