//! What can be known to go wrong before anything is written. All problems at once.
//!
//! Invariant: nothing is written, not even to try; where only trying would tell, the run does. This module must not know
//! how a run works beyond the room it needs.

mod apparent;
mod kept;
mod names;
mod permission;
mod protection;
mod room;

use fcs_sys::{Nesting, Place, RelPath, Root, Space, VolumeFacts, escaped, nesting};
use fcs_text::size;

use crate::error::shown;
use crate::plan::{Action, FolderPlan, Plan, Step};
use crate::probe::{self, VolumeProbe};
use crate::settings::{ReadOnlyTargets, Undo};
use crate::{Settings, runs};

/// About what the folder of the journal takes on a volume, and each step in the journal; on the safe side.
const JOURNAL_BYTES: u64 = 64 << 10;
const JOURNAL_BYTES_PER_STEP: u64 = 512;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The run must not start.
    Refuses,
    /// These items will fail; the rest can go ahead.
    ItemFails,
    /// Worth knowing.
    Warns,
}

/// One problem.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// In words, with what to do.
    pub text: String,
}

/// What preflight found.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Preflight {
    /// Content bytes the plan will write, margin not included. A replaced file counts in full: its original stays
    /// until the new one has taken its place.
    pub bytes_needed: u64,
    /// Bytes of originals that are replaced or removed and stay on the target, to be had back by undo. They move by
    /// renaming, so they need no room that they do not have already.
    pub bytes_kept: u64,
    /// Bytes the target has; `None` where it cannot be had.
    pub bytes_free: Option<u64>,
    /// What would have to go first, if that is all that stands against the run: the originals that these earlier runs
    /// keep for undo, oldest first.
    pub make_room: Option<MakeRoom>,
    /// Worst first.
    pub problems: Vec<Problem>,
}

/// Earlier runs that must be pruned for a run to have room.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MakeRoom {
    /// The newest of them; [`runs::prune`] takes it.
    pub newest: String,
    /// How many they are.
    pub runs: u64,
    /// Bytes of originals that they keep.
    pub bytes: u64,
    /// They are kept until the next run only, so this run would prune them at its end anyway.
    pub due: bool,
}

impl Preflight {
    /// Whether the run must not start.
    pub fn refuses(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Refuses)
    }
}

/// Checks two roots before anything is scanned: same folder, one inside the other. `inner_left_out` says that a pattern
/// or the bounds of a volume may keep the inner one out of the scan, which then finds out
/// ([`crate::ErrorKind::Overlap`]).
pub fn check_roots(left: &Root, right: &Root, inner_left_out: bool) -> Vec<Problem> {
    let (l, r) = (shown(&left.path), shown(&right.path));
    let ours = |root: &Root| {
        root.path.components().any(|part| {
            fcs_sys::Name::from_os(part.as_os_str()).is_ok_and(|n| n.is_reserved() || n.is_home())
        })
    };
    if let Some(inside) = [left, right].into_iter().find(|root| ours(root)) {
        let text = format!(
            "{} lies in a folder that belongs to this program and holds journals and originals. Choose another folder.",
            shown(&inside.path)
        );
        return vec![Problem { severity: Severity::Refuses, text }];
    }
    let text = match nesting(left, right) {
        Ok(Nesting::Apart) => return Vec::new(),
        Ok(Nesting::FirstInSecond | Nesting::SecondInFirst) if inner_left_out => return Vec::new(),
        Ok(Nesting::Same) => format!("{l} and {r} are the same folder. Choose two different folders."),
        Ok(Nesting::FirstInSecond) => {
            format!("{l} lies inside {r}. Choose folders that do not contain each other.")
        }
        Ok(Nesting::SecondInFirst) => {
            format!("{r} lies inside {l}. Choose folders that do not contain each other.")
        }
        Err(e) => format!(
            "It could not be found out whether {l} and {r} contain each other: {e}. Check both folders."
        ),
    };
    vec![Problem { severity: Severity::Refuses, text }]
}

/// Checks a plan against its roots as they are now. Asks the target's volume, and about items that permission bits seem to
/// refuse; reads nothing else.
pub fn check(plan: &Plan, source: &Root, target: &Root, settings: &Settings) -> Preflight {
    check_knowing(plan, source, target, None, settings)
}

/// As [`check`], where it was tried what the target's volume does. Without that, what is known of its kind counts, and
/// what only trying would tell is said to be so.
pub fn check_knowing(
    plan: &Plan,
    source: &Root,
    target: &Root,
    probe: Option<&VolumeProbe>,
    settings: &Settings,
) -> Preflight {
    let kept = plan.totals.bytes_replaced.saturating_add(plan.totals.bytes_removed);
    let mut found = Preflight {
        bytes_needed: plan.totals.bytes,
        bytes_kept: if settings.undo == Undo::Off { 0 } else { kept },
        ..Preflight::default()
    };
    // That the one does not hold the other was found out by the scan that the plan comes from.
    found.problems.extend(check_roots(source, target, true));
    if plan.is_empty() {
        return found;
    }
    let to = shown(&target.path);
    let volume = target.dir.volume();
    let is_network = volume.as_ref().is_ok_and(|v| v.place == Place::Network);
    let is_read_only = volume.as_ref().is_ok_and(|v| v.read_only);
    match target.dir.metadata().ok().and_then(|now| now.protection) {
        Some(protection) => found.problems.push(protection::of_root(protection, &to)),
        None => check_root(target.dir.may_change(), is_read_only, &to, &mut found.problems),
    }
    if !is_read_only {
        permission::check(&plan.refused, source, target, &mut found.problems);
    }
    found.problems.extend(runs::obstacle(target).map(|text| Problem { severity: Severity::Refuses, text }));
    match volume {
        Ok(mut volume) => {
            let known = probe::known(&target.dir, &volume);
            if probe.is_none() && probe::is_open(&volume, &known) {
                found.problems.extend(kept::untried(plan, &volume, &to));
            }
            let probe = probe.unwrap_or(&known);
            volume.case = probe.names.case.unwrap_or(volume.case);
            check_volume(plan, &volume, &to, settings, &mut found.problems);
            names::check(plan, &volume, &probe.names, &mut found.problems);
            kept::check(plan, &volume, probe, &to, &mut found.problems);
        }
        Err(e) => found.problems.push(Problem {
            severity: Severity::Warns,
            text: format!("The volume of {to} could not be asked what it can hold: {e}."),
        }),
    }
    match target.dir.space() {
        Ok(space) => {
            found.bytes_free = Some(space.free);
            let mut short = check_space(plan, space, is_network, &to, settings);
            if short.iter().any(|problem| problem.severity == Severity::Refuses) {
                short.extend(apparent::problem(plan, source));
                let refused = found.refuses();
                // Runs that cannot be listed keep nobody from anything here; the run itself will say what is wrong.
                let runs = runs::list(target).unwrap_or_default();
                let enough = |bytes: u64| {
                    let space = Space { free: space.free.saturating_add(bytes), ..space };
                    let still = check_space(plan, space, is_network, &to, settings);
                    still.iter().all(|problem| problem.severity != Severity::Refuses)
                };
                found.make_room = room::make(&runs, &enough).filter(|_| !refused);
                short.extend(room::kept(&runs, &to));
            }
            found.problems.extend(short);
        }
        Err(e) => found.problems.push(Problem {
            severity: Severity::Warns,
            text: format!("It could not be found out how much room {to} has: {e}."),
        }),
    }
    found.problems.sort_by_key(|p| p.severity);
    found
}

/// The root must be able to hold the journal of the run.
fn check_root(
    may_change: std::io::Result<bool>,
    volume_is_read_only: bool,
    to: &str,
    problems: &mut Vec<Problem>,
) {
    match may_change {
        Ok(true) => {}
        // Said where the volume is looked at.
        Ok(false) if volume_is_read_only => {}
        Ok(false) => problems.push(Problem {
            severity: Severity::Refuses,
            text: format!(
                "{to} cannot be written to: you do not have permission. Change its permissions, or run as a user who \
                 may write there."
            ),
        }),
        Err(e) => problems.push(Problem {
            severity: Severity::Warns,
            text: format!("It could not be found out whether you may write to {to}: {e}."),
        }),
    }
}

fn check_volume(
    plan: &Plan,
    volume: &VolumeFacts,
    to: &str,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) {
    if volume.read_only {
        problems.push(Problem {
            severity: Severity::Refuses,
            text: format!("The volume of {to} is read-only. Make it writable, or choose another target."),
        });
    }
    if plan.totals.verified.0 > 0 && volume.place == Place::Memory {
        problems.push(Problem {
            severity: Severity::Warns,
            text: format!(
                "{to} lies in memory: there is no device behind it, so verification reads back from memory, and \
                 everything is gone when the machine is switched off."
            ),
        });
    }
    let mut too_large = Sample::default();
    let mut marked = Sample::default();
    for (folder, step) in plan.steps() {
        if matches!(step.action, Action::CopyFile { .. }) && step.expect_source.size > volume.max_file_bytes {
            too_large.add(|| path_of(folder, step));
        }
        // A link has no such mark: its bits mean nothing.
        let marks =
            |t: fcs_sys::Fingerprint| t.kind == fcs_sys::Kind::File && t.attributes.has_read_only_attribute();
        if settings.read_only_targets == ReadOnlyTargets::Fail && step.expect_target.is_some_and(marks) {
            marked.add(|| path_of(folder, step));
        }
    }
    problems.extend(too_large.problem(|files, which| {
        format!(
            "{files} larger than {}, the most that {} can hold: {which}. Use a target with another file system.",
            size(volume.max_file_bytes),
            volume.file_system
        )
    }));
    problems.extend(marked.problem(|files, which| {
        format!(
            "{files} marked read-only on the target and will not be replaced: {which}. Clear the attribute first, or \
             set read_only_targets to replace."
        )
    }));
    protection::check(plan, problems);
}

fn check_space(plan: &Plan, space: Space, is_network: bool, to: &str, settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    // A server's answer may be wrong or about something else (quotas, thin provisioning), so it is only a warning.
    let severity = if is_network { Severity::Warns } else { Severity::Refuses };
    let needed = plan.totals.bytes;
    let margin = room::reserve(settings.space_margin_bytes, space.total, needed);
    if needed == 0 {
        // A plan without content (removals, links, times) must work on a full volume too: it may be what is to make
        // room there.
        let journal = JOURNAL_BYTES.saturating_add(plan.step_count().saturating_mul(JOURNAL_BYTES_PER_STEP));
        if journal > space.free {
            problems.push(Problem {
                severity,
                text: format!(
                    "{to} is too full: the journal of the run needs about {}, but only {} are free. Free some \
                     room there.",
                    size(journal),
                    size(space.free)
                ),
            });
        }
    } else if needed.saturating_add(margin) > space.free {
        let short = needed.saturating_add(margin) - space.free;
        problems.push(Problem {
            severity,
            text: format!(
                "{to} is too full: {} are to be written and {} must stay free, but only {} are free. Free {} more, choose \
                 fewer items, or let less stay free (setting space_margin_bytes).",
                size(needed),
                size(margin),
                size(space.free),
                size(short)
            ),
        });
    } else if rounded_bytes(plan).saturating_add(margin) > space.free {
        problems.push(Problem {
            severity: Severity::Warns,
            text: format!(
                "{to} may become full: {} are to be written and {} are free, but most file systems give each file \
                 whole blocks, so many small files need more.",
                size(needed),
                size(space.free)
            ),
        });
    }
    let t = &plan.totals;
    // A replaced file exists twice until the new one has taken its place.
    let items = t.create_folders + t.new_files + t.replaced_files + t.links;
    if let Some(free) = space.free_items.filter(|&free| items > free) {
        problems.push(Problem {
            severity,
            text: format!(
                "The volume of {to} has room for {free} more items (inodes), but {items} are needed. Remove items \
                 there, or choose another target."
            ),
        });
    }
    problems
}

/// The bytes of the plan in whole blocks of 4096, the usual size.
fn rounded_bytes(plan: &Plan) -> u64 {
    let files = plan.steps().filter(|(_, step)| matches!(step.action, Action::CopyFile { .. }));
    files.fold(0, |sum, (_, step)| sum.saturating_add(step.expect_source.size.saturating_add(4095) & !4095))
}

fn path_of(folder: &FolderPlan, step: &Step) -> RelPath {
    folder.target_path.join(&step.target_name)
}

/// The first few of many paths.
#[derive(Default)]
struct Sample {
    count: u64,
    first: Vec<RelPath>,
}

impl Sample {
    fn add(&mut self, path: impl FnOnce() -> RelPath) {
        self.count += 1;
        if self.first.len() < 3 {
            self.first.push(path());
        }
    }

    /// The problem that these items will fail, if there are any. `text` gets "1 item is" or "7 items are" and the
    /// list of the first ones.
    fn problem(&self, text: impl FnOnce(&str, &str) -> String) -> Option<Problem> {
        self.problem_of(Severity::ItemFails, text)
    }

    fn problem_of(&self, severity: Severity, text: impl FnOnce(&str, &str) -> String) -> Option<Problem> {
        let how_many =
            if self.count == 1 { "1 item is".to_owned() } else { format!("{} items are", self.count) };
        self.which().map(|which| Problem { severity, text: text(&how_many, &which) })
    }

    /// The first ones and how many more there are, if there are any.
    fn which(&self) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let which: Vec<String> = self.first.iter().map(|p| escaped(p.as_bytes()).into_owned()).collect();
        let more = self.count - self.first.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(which.join(", ") + &more)
    }
}

#[cfg(test)]
mod tests;
