//! What is done about dates on other threads: lists of what will be set and of what differs, and the run.
//!
//! Invariant: a list leaves out no reason: each item that is meant is to be set, the same already, on one side only, left
//! alone with its reason, or not readable. This module must not know the sheet that shows it.

use std::fmt::Write as _;

use fcs_app::hints::{FrontEnd, note_words, with_hint};
use fcs_app::overview::Fact;
use fcs_app::times::{apart_words, changed_words, exact, left_alone, not_set_words};
use fcs_app::user_error::{UserError, UserErrorKind};
use fcs_engine::compare::{RowId, Side};
use fcs_engine::error::display_path;
use fcs_engine::history;
use fcs_engine::run::RunOptions;
use fcs_engine::session::Folders;
use fcs_engine::settings::Undo;
use fcs_engine::times::{self, Change, ChosenRows, Difference, Exactness, NotSetReason, Proposal, steps};
use fcs_engine::times::{LeftAlone, Verification};
use fcs_engine::{Control, Error, Note, Settings};
use fcs_sys::{Kind, RelPath, Time, Times};
use fcs_text::{count, number, step};
use jiff::tz::TimeZone;

use super::super::jobs::{JobEvent, Jobs, refused};
use super::super::outcome::EndedRun;
use super::{TimesList, TimesStage, TimesTask};
use crate::bits::Bits;
use crate::index::Index;
use crate::log::Level;

/// Items that are listed; the rest is counted.
const SHOWN: usize = 1_000;

/// Dates that will be set.
pub struct Planned {
    /// What is set, and all that is known about it.
    pub proposal: Proposal,
    /// The same to be read.
    pub list: TimesList,
    /// The dates that were typed.
    times: Times,
}

/// What comparing dates has shown.
pub struct Checked {
    /// In one line.
    pub headline: String,
    /// All of it.
    pub list: TimesList,
    /// How much it matters.
    pub level: Level,
}

/// What is to be looked at.
pub(super) struct Request<'a> {
    pub(super) task: TimesTask,
    pub(super) times: Times,
    pub(super) rows: &'a Bits,
    pub(super) folders: &'a Folders,
    pub(super) index: &'a Index,
    pub(super) zone: &'a TimeZone,
}

impl Request<'_> {
    pub(super) fn carry_out(&self, settings: &Settings, control: &Control) -> TimesStage {
        let is_chosen = |row: RowId| self.rows.has(row);
        let rows = ChosenRows {
            folders: self.folders,
            comparison: self.index.shared_comparison(),
            is_chosen: &is_chosen,
        };
        let exactness = Exactness::within(settings.time_tolerance_nanos);
        let proposal = match self.task {
            TimesTask::Copy(from) => rows.plan_copy(from),
            TimesTask::Repair(from) => rows.plan_repair(from, exactness, settings, control),
            TimesTask::Set(side) => times::plan_set(rows.list(side), self.times),
            TimesTask::Verify => {
                let found = rows.verify(exactness, control);
                return if found.cancelled {
                    TimesStage::Choosing
                } else {
                    TimesStage::Checked(self.checked(&found))
                };
            }
        };
        if proposal.cancelled {
            return TimesStage::Choosing;
        }
        let list = self.planned(&proposal, settings);
        TimesStage::Planned(Planned { proposal, list, times: self.times }.into())
    }

    fn planned(&self, proposal: &Proposal, settings: &Settings) -> TimesList {
        let mut facts = Vec::new();
        let mut fact = |name, text: String| facts.push(Fact { name, text });
        let target = display_path(&proposal.target.path);
        if let TimesTask::Set(_) = self.task {
            fact("In", target);
        } else {
            fact("From", display_path(&proposal.source.path));
            fact("To", target);
        }
        fact(
            "Set",
            if proposal.is_empty() {
                "nothing".to_owned()
            } else {
                format!("times of {}", changed_words(&proposal.changes))
            },
        );
        if proposal.same > 0 {
            fact("Unchanged", count(proposal.same, "item", "items"));
        }
        let sides = match self.task {
            TimesTask::Copy(Side::Right) | TimesTask::Repair(Side::Right) => ["right", "left"],
            _ => ["left", "right"],
        };
        facts.extend(one_sided(proposal.one_sided, sides));
        facts.extend(left(&proposal.left_alone));
        if !proposal.is_empty() {
            let text = match settings.undo {
                Undo::Off => "not possible".to_owned(),
                Undo::Last => "possible until the next run".to_owned(),
                Undo::Days(days) => format!("possible for {}", count(days, "day", "days")),
            };
            facts.push(Fact { name: "Undo", text });
        }
        let items = proposal.changes.iter().take(SHOWN).map(|change| self.change(change, proposal));
        TimesList {
            facts,
            notes: notes(&proposal.notes, &proposal.errors),
            items: items.collect(),
            more: proposal.changes.len().saturating_sub(SHOWN) as u64,
        }
    }

    fn change(&self, change: &Change, proposal: &Proposal) -> (String, String) {
        let (modified_step, created_step) = steps(&proposal.volume);
        let of = |name: &str, was: Option<Time>, to: Option<Time>, step: u64| {
            let was = was.map_or_else(|| "none".to_owned(), |was| exact(was, step, self.zone));
            to.map(|to| format!("{name} {was} → {}", exact(to, step, self.zone)))
        };
        let modified = of("modified", Some(change.was.modified), change.set.modified, modified_step);
        let created = of("created", change.was.created, change.set.created, created_step.unwrap_or(1));
        let texts: Vec<String> = modified.into_iter().chain(created).collect();
        (path_of(&change.path, change.kind), texts.join("; "))
    }

    fn checked(&self, found: &Verification) -> Checked {
        let compared = count(found.compared, "item", "items");
        let differing = found.differences.len() as u64;
        let mut headline = match differing {
            0 => format!("No differences: the times of {compared} were compared"),
            n => format!("The times of {} of {compared} differ", number(n)),
        };
        if found.step_nanos > 1 {
            let step = step(found.step_nanos);
            let _ = write!(headline, "; the coarser volume stores them in steps of {step}");
        }
        headline.push('.');
        let mut facts = vec![Fact { name: "Compared", text: headline.clone() }];
        facts.extend(one_sided(
            [&found.only[0], &found.only[1]].map(|paths| paths.len() as u64),
            ["left", "right"],
        ));
        facts.extend(left(&found.left_alone));
        let items = found.differences.iter().take(SHOWN).map(|item| self.difference(item));
        let is_good = differing == 0 && found.errors.is_empty();
        Checked {
            list: TimesList {
                facts,
                notes: notes(&found.notes, &found.errors),
                items: items.collect(),
                more: found.differences.len().saturating_sub(SHOWN) as u64,
            },
            headline,
            level: if is_good { Level::Done } else { Level::Warning },
        }
    }

    fn difference(&self, item: &Difference) -> (String, String) {
        let pairs = [
            ("modified", item.modified.then_some((item.left.modified, item.right.modified))),
            ("created", item.left.created.zip(item.right.created).filter(|_| item.created)),
        ];
        let text = |(name, pair): (&str, Option<(Time, Time)>)| {
            let (left, right) = pair?;
            let [l, r] = [left, right].map(|time| exact(time, 1, self.zone));
            Some(format!("{name} {} on the right: {l} left, {r} right", apart_words(left, right)))
        };
        let texts: Vec<String> = pairs.into_iter().filter_map(text).collect();
        (path_of(&item.path, item.kind), texts.join("; "))
    }
}

fn path_of(path: &RelPath, kind: Kind) -> String {
    match kind {
        _ if path.is_root() => "./".to_owned(),
        Kind::Folder => format!("{path}/"),
        _ => path.to_string(),
    }
}

fn one_sided(counts: [u64; 2], sides: [&str; 2]) -> impl Iterator<Item = Fact> {
    let fact = |(n, side): (u64, &str)| {
        let text = format!("{} only on the {side}", count(n, "item", "items"));
        (n > 0).then_some(Fact { name: "One side", text })
    };
    counts.into_iter().zip(sides).filter_map(fact).collect::<Vec<_>>().into_iter()
}

fn left(items: &[LeftAlone]) -> impl Iterator<Item = Fact> {
    left_alone(items).into_iter().map(|(_, text, _)| Fact { name: "Left alone", text })
}

fn notes(notes: &[Note], errors: &[Error]) -> Vec<String> {
    let notes = notes.iter().map(|note| note_words(note, FrontEnd::Window));
    notes.chain(errors.iter().map(|error| with_hint(error, FrontEnd::Window))).collect()
}

/// Sets the dates that were agreed to. Dates that were typed are tried before, on a file that is gone again.
pub(super) fn run(planned: &Planned, settings: &Settings, jobs: &Jobs, control: &Control) -> JobEvent {
    let proposal = &planned.proposal;
    if let Err(error) = try_dates(planned, jobs) {
        return JobEvent::Ran(Err(error));
    }
    let ran = proposal.run(settings, &RunOptions::default(), control);
    JobEvent::Ran(match ran {
        Ok(report) => Ok(Box::new(EndedRun::of_times(report, proposal.target.path.clone()))),
        Err(error) => Err(refused(&error)),
    })
}

fn try_dates(planned: &Planned, jobs: &Jobs) -> Result<(), UserError> {
    let proposal = &planned.proposal;
    // Of another run nothing is known; this one is refused then, and says why.
    if planned.times == Times::default() || !matches!(history::in_progress(&proposal.target), Ok(None)) {
        return Ok(());
    }
    let volume = format!("{} ({})", display_path(&proposal.target.path), proposal.volume.file_system);
    for not_set in proposal.try_dates(planned.times) {
        let words = not_set_words(&not_set);
        if let NotSetReason::Cut(_) = not_set.why {
            let text = format!("In {volume} {words}; what is finer is cut off.");
            jobs.send(JobEvent::Told(Level::Warning, text));
            continue;
        }
        return Err(UserError {
            message: format!("Could not set the times in {volume}: {words}."),
            hint: Some("Nothing was changed. Choose another time.".to_owned()),
            kind: UserErrorKind::Refused,
        });
    }
    Ok(())
}
