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

use crate::Settings;
use crate::error::{Remedy, display_path};
use crate::history::{self, RunId};
use crate::plan::{Action, FolderPlan, Part, Plan, RootIndex, Step, Totals};
use crate::probe::{self, VolumeProbe};
use crate::settings::{ReadOnlyTargets, Undo};

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
    /// In words.
    pub text: String,
    /// The choice that makes the difference, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

impl Problem {
    fn with(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }
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
    /// Bytes the target has, and of several that one in which the least would stay free; `None` where it cannot be had.
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
    /// The root on which they are.
    pub root: RootIndex,
    /// The newest of them; [`history::prune`] takes it.
    pub newest: RunId,
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

    /// What was found of two roots of one plan, before the room on their volumes is looked at.
    fn and(mut self, other: Self) -> Self {
        self.problems.extend(other.problems);
        // What concerns both roots was found twice.
        let mut known = std::collections::HashSet::new();
        self.problems.retain(|problem| known.insert(problem.text.clone()));
        Self {
            bytes_needed: self.bytes_needed.saturating_add(other.bytes_needed),
            bytes_kept: self.bytes_kept.saturating_add(other.bytes_kept),
            ..self
        }
    }
}

/// Checks two roots before anything is scanned: same folder, one inside the other. `inner_left_out` says that a pattern
/// or the bounds of a volume may keep the inner one out of the scan, which then finds out
/// ([`crate::ErrorKind::Overlap`]).
pub fn check_roots(left: &Root, right: &Root, inner_left_out: bool) -> Vec<Problem> {
    let (l, r) = (display_path(&left.path), display_path(&right.path));
    let ours = |root: &Root| {
        root.path.components().any(|part| {
            fcs_sys::Name::from_os(part.as_os_str()).is_ok_and(|n| n.is_reserved() || n.is_home())
        })
    };
    if let Some(inside) = [left, right].into_iter().find(|root| ours(root)) {
        let text = format!(
            "{} is in a folder that belongs to this program and holds journals and originals. Choose another folder.",
            display_path(&inside.path)
        );
        return vec![Problem { severity: Severity::Refuses, remedy: None, text }];
    }
    let text = match nesting(left, right) {
        Ok(Nesting::Apart) => return Vec::new(),
        Ok(Nesting::FirstInSecond | Nesting::SecondInFirst) if inner_left_out => return Vec::new(),
        Ok(Nesting::Same) => format!("{l} and {r} are the same folder. Choose two different folders."),
        Ok(Nesting::FirstInSecond) => {
            format!("{l} is inside {r}. Choose folders that do not contain each other.")
        }
        Ok(Nesting::SecondInFirst) => {
            format!("{r} is inside {l}. Choose folders that do not contain each other.")
        }
        Err(e) => {
            format!("Could not determine whether {l} and {r} contain each other: {e}. Check both folders.")
        }
    };
    vec![Problem { severity: Severity::Refuses, remedy: None, text }]
}

/// Checks a plan against its roots as they are now. Asks the volume of each root that is written to, and about items that
/// permission bits seem to refuse; reads nothing else.
pub fn check(plan: &Plan, roots: &[&Root], settings: &Settings) -> Preflight {
    check_knowing(plan, roots, &[], settings)
}

/// As [`check`], where it was tried what the volumes do, by the place of the root. Without that, what is known of their kind
/// counts, and what only trying would tell is said to be so.
pub fn check_knowing(
    plan: &Plan,
    roots: &[&Root],
    probes: &[Option<&VolumeProbe>],
    settings: &Settings,
) -> Preflight {
    check_twice(plan, &[], roots, probes, settings)
}

/// As [`check_knowing`], of a plan after which `later` is copied, which needs its room too.
pub(crate) fn check_twice(
    plan: &Plan,
    later: &[(RootIndex, Later)],
    roots: &[&Root],
    probes: &[Option<&VolumeProbe>],
    settings: &Settings,
) -> Preflight {
    check_at(Moment::Before, (plan, later), roots, probes, settings)
}

/// What is copied to a root in a second run right after the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Later {
    /// How many files.
    pub(crate) files: u64,
    /// How large they are.
    pub(crate) bytes: u64,
}

impl Later {
    /// With what else is copied.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let [files, bytes] =
            [(self.files, other.files), (self.bytes, other.bytes)].map(|(a, b)| a.saturating_add(b));
        Self { files, bytes }
    }
}

/// As [`check_knowing`], for single files that somebody names: their roots may be in each other. `begun` says that the run
/// that they are added to is under way.
pub(crate) fn check_files(plan: &Plan, roots: &[&Root], begun: bool, settings: &Settings) -> Preflight {
    let moment = if begun { Moment::InRun } else { Moment::First };
    check_at(moment, (plan, &[]), roots, &[], settings)
}

/// When a plan is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// No run has begun.
    Before,
    /// Nor has one for a file that somebody names.
    First,
    /// The run that it belongs to has, so that the roots were looked at, and the lock on the target is its own.
    InRun,
}

fn check_at(
    moment: Moment,
    (plan, later): (&Plan, &[(RootIndex, Later)]),
    roots: &[&Root],
    probes: &[Option<&VolumeProbe>],
    settings: &Settings,
) -> Preflight {
    let parts = plan.parts().and_then(|parts| {
        let parts = parts.into_iter().map(|plan| {
            let (source, target) = (plan.source.of(roots)?, plan.root.of(roots)?);
            let there = later.iter().filter(|(root, _)| *root == plan.root);
            let later = there.fold(Later::default(), |sum, (_, more)| sum.and(*more));
            Ok(Checked { plan, later, source, target })
        });
        parts.collect::<Result<Vec<_>, _>>()
    });
    let parts = match parts {
        Ok(parts) => parts,
        Err(bad) => {
            let problem = Problem { severity: Severity::Refuses, text: bad.to_string(), remedy: None };
            return Preflight { problems: vec![problem], ..Preflight::default() };
        }
    };
    let each = parts.iter().map(|part| {
        let probe = probes.get(usize::from(part.plan.root.0)).copied().flatten();
        check_part(part, moment, probe, settings)
    });
    let mut found = each.reduce(Preflight::and).unwrap_or_default();
    room::check(&parts, settings, &mut found);
    found.problems.sort_by_key(|p| p.severity);
    found
}

/// What is done to one root, and the roots.
struct Checked<'a> {
    plan: Part<'a>,
    later: Later,
    source: &'a Root,
    target: &'a Root,
}

/// Checks what is done to one root.
fn check_part(
    part: &Checked<'_>,
    moment: Moment,
    probe: Option<&VolumeProbe>,
    settings: &Settings,
) -> Preflight {
    let &Checked { ref plan, later, source, target } = part;
    let kept = plan.totals.bytes_replaced.saturating_add(plan.totals.bytes_removed);
    let mut found = Preflight {
        bytes_needed: plan.totals.bytes.saturating_add(later.bytes),
        bytes_kept: if settings.undo == Undo::Off { 0 } else { kept },
        ..Preflight::default()
    };
    // That the one does not hold the other was found out by the scan that the plan comes from.
    if moment == Moment::Before {
        found.problems.extend(check_roots(source, target, true));
    }
    if plan.is_empty() {
        return found;
    }
    let to = display_path(&target.path);
    let volume = target.dir.volume();
    let is_read_only = volume.as_ref().is_ok_and(|v| v.read_only);
    match target.dir.metadata().ok().and_then(|now| now.protection) {
        Some(protection) => found.problems.push(protection::of_root(protection, &to)),
        None => check_root(target.dir.may_change(), is_read_only, &to, &mut found.problems),
    }
    if !is_read_only {
        permission::check(plan, source, target, &mut found.problems);
    }
    if moment != Moment::InRun {
        found.problems.extend(history::obstacle(target).map(|found| Problem {
            severity: Severity::Refuses,
            text: found.text,
            remedy: found.remedy,
        }));
    }
    match volume {
        Ok(mut volume) => {
            let known = probe::known(&target.dir, &volume);
            if moment == Moment::Before && probe.is_none() && probe::is_open(&volume, &known) {
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
            remedy: None,
            text: format!("Could not query the volume of {to}: {e}."),
        }),
    }
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
            severity: Severity::Refuses, remedy: None,
            text: format!(
                "{to} cannot be written to: you do not have permission. Change its permissions, or run as a user who \
                 may write there."
            ),
        }),
        Err(e) => problems.push(Problem {
            severity: Severity::Warns, remedy: None,
            text: format!("Could not determine whether you may write to {to}: {e}."),
        }),
    }
}

fn check_volume(
    plan: &Part<'_>,
    volume: &VolumeFacts,
    to: &str,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) {
    if volume.read_only {
        problems.push(Problem {
            severity: Severity::Refuses,
            remedy: None,
            text: format!("The volume of {to} is read-only. Make it writable, or choose another target."),
        });
    }
    if plan.totals.verified.0 > 0 && volume.place == Place::Memory {
        problems.push(Problem {
            severity: Severity::Warns, remedy: None,
            text: format!(
                "{to} is in memory: there is no device behind it, so verification reads back from memory, and \
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
    let marked = marked.problem(|files, which| {
        format!("{files} marked read-only on the target and will not be replaced: {which}.")
    });
    problems.extend(marked.map(|problem| problem.with(Remedy::Setting("read_only_targets"))));
    protection::check(plan, problems);
}

/// Checks the room on one volume for all that is done there.
fn check_space(
    (plans, later): (&[Part<'_>], Later),
    space: Space,
    is_network: bool,
    to: &str,
    settings: &Settings,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    // A server's answer may be wrong or about something else (quotas, thin provisioning), so it is only a warning.
    let severity = if is_network { Severity::Warns } else { Severity::Refuses };
    let mut t = Totals::default();
    plans.iter().for_each(|plan| t += plan.totals);
    let needed = t.bytes.saturating_add(later.bytes);
    let margin = room::reserve(settings.space_margin_bytes, space.total, needed);
    if needed == 0 {
        // A plan without content (removals, links, times) must work on a full volume too: it may be what is to make
        // room there.
        let journals = JOURNAL_BYTES.saturating_mul(plans.len() as u64);
        let journal = journals.saturating_add(t.step_count().saturating_mul(JOURNAL_BYTES_PER_STEP));
        if journal > space.free {
            problems.push(Problem {
                severity, remedy: None,
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
            severity, remedy: Some(Remedy::Setting("space_margin_bytes")),
            text: format!(
                "{to} is too full: {} are to be written and {} must stay free, but only {} are free. Free {} more or \
                 choose fewer items.",
                size(needed),
                size(margin),
                size(space.free),
                size(short)
            ),
        });
    } else if rounded_bytes(plans, later).saturating_add(margin) > space.free {
        problems.push(Problem {
            severity: Severity::Warns, remedy: None,
            text: format!(
                "{to} may become full: {} are to be written and {} are free, but most file systems give each file \
                 whole blocks, so many small files need more.",
                size(needed),
                size(space.free)
            ),
        });
    }
    // A replaced file exists twice until the new one has taken its place.
    let items = [t.create_folders, t.new_files, t.replaced_files, t.links, later.files]
        .into_iter()
        .fold(0, u64::saturating_add);
    if let Some(free) = space.free_items.filter(|&free| items > free) {
        problems.push(Problem {
            severity, remedy: None,
            text: format!(
                "The volume of {to} has room for {free} more items (inodes), but {items} are needed. Remove items \
                 there, or choose another target."
            ),
        });
    }
    problems
}

/// The bytes of all that is copied in whole blocks of 4096, the usual size.
fn rounded_bytes(plans: &[Part<'_>], later: Later) -> u64 {
    let files =
        plans.iter().flat_map(Part::steps).filter(|(_, step)| matches!(step.action, Action::CopyFile { .. }));
    let most = later.bytes.saturating_add(later.files.saturating_mul(4095));
    files
        .fold(most, |sum, (_, step)| sum.saturating_add(step.expect_source.size.saturating_add(4095) & !4095))
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
        self.which().map(|which| Problem { severity, remedy: None, text: text(&how_many, &which) })
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
