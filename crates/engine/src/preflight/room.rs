//! Room on the targets: how much is to stay free, and what earlier runs keep.
//!
//! Invariant: of a volume that several roots are on, the room is looked at once for all that is done there.

use fcs_sys::{Place, Space};
use fcs_text::size;

use super::{Checked, JOURNAL_BYTES, Later, MakeRoom, Preflight, Problem, Severity, apparent, check_space};
use crate::Settings;
use crate::error::display_path;
use crate::history::{self, RunInfo};
use crate::plan::{Part, RootIndex};
use crate::settings::Undo;

/// Checks the room on each volume. Where nothing else stands against the run, says what would have to go first.
pub(super) fn check(parts: &[Checked<'_>], settings: &Settings, found: &mut Preflight) {
    let can_be_made = !found.refuses();
    let mut volumes: Vec<(Option<u64>, Vec<&Checked<'_>>)> = Vec::new();
    for part in parts.iter().filter(|part| !part.plan.is_empty()) {
        let id = part.target.dir.metadata().ok().map(|now| now.id.volume);
        match volumes.iter_mut().find(|(known, _)| id.is_some() && *known == id) {
            Some((_, there)) => there.push(part),
            None => volumes.push((id, vec![part])),
        }
    }
    let (mut least, mut made) = (None, Vec::new());
    for (_, there) in &volumes {
        let Some(first) = there.first() else { continue };
        let to = there.iter().map(|part| display_path(&part.target.path)).collect::<Vec<_>>().join(" and ");
        let space = match first.target.dir.space() {
            Ok(space) => space,
            Err(e) => {
                let text = format!("Could not determine how much room {to} has: {e}.");
                found.problems.push(Problem { severity: Severity::Warns, remedy: None, text });
                continue;
            }
        };
        let needs = |part: &Checked<'_>| part.plan.totals.bytes.saturating_add(part.later.bytes);
        let needed = there.iter().fold(0u64, |sum, part| sum.saturating_add(needs(part)));
        let left = i128::from(space.free) - i128::from(needed);
        if least.is_none_or(|least| left < least) {
            (least, found.bytes_free) = (Some(left), Some(space.free));
        }
        let is_network = first.target.dir.volume().is_ok_and(|volume| volume.place == Place::Network);
        let plans: Vec<Part<'_>> = there.iter().map(|part| part.plan).collect();
        let later = there.iter().fold(Later::default(), |sum, part| sum.and(part.later));
        let check = |space| check_space((&plans, later), space, is_network, &to, settings);
        let refuses = |problems: &[Problem]| problems.iter().any(|p| p.severity == Severity::Refuses);
        let short = check(space);
        let is_short = refuses(&short);
        found.problems.extend(short);
        if !is_short {
            continue;
        }
        let enough = |bytes: u64| !refuses(&check(Space { free: space.free.saturating_add(bytes), ..space }));
        let mut of_roots = None;
        for part in there {
            found.problems.extend(apparent::problem(&part.plan, part.source));
            // Runs that cannot be listed keep nobody from anything here; the run itself will say what is wrong.
            let runs = history::list(part.target).unwrap_or_default();
            of_roots = of_roots.or_else(|| make(part.plan.root, &runs, &enough));
            found.problems.extend(kept(&runs, &display_path(&part.target.path)));
        }
        made.push(of_roots);
    }
    // Of no use on one volume where another one stays too full.
    let made: Option<Vec<MakeRoom>> = made.into_iter().collect();
    found.make_room = made.filter(|_| can_be_made).and_then(|made| made.into_iter().next());
}

/// How much is to stay free. The default is meant for large volumes: on a small one it would be all there is, and who
/// writes three bytes does not fill a volume. Another value was wished for as it is.
pub(super) fn reserve(setting: u64, volume: u64, needed: u64) -> u64 {
    if setting == Settings::default().space_margin_bytes {
        setting.min(volume / 100).min(needed.max(JOURNAL_BYTES))
    } else {
        setting
    }
}

/// The oldest runs that make room if they are pruned, as `enough` judges their bytes; `None` if even all do not.
pub(super) fn make(root: RootIndex, runs: &[RunInfo], enough: &dyn Fn(u64) -> bool) -> Option<MakeRoom> {
    let (mut bytes, mut due) = (0u64, true);
    for (older, run) in (0..).zip(runs.iter().rev().filter(|run| run.undoable)) {
        bytes = bytes.saturating_add(run.kept_bytes);
        due &= matches!(run.undo, Undo::Last | Undo::Off);
        if enough(bytes) {
            return Some(MakeRoom { root, newest: run.run.clone(), runs: older + 1, bytes, due });
        }
    }
    None
}

/// What earlier runs keep, said where room is short.
pub(super) fn kept(runs: &[RunInfo], to: &str) -> Option<Problem> {
    let bytes = runs.iter().fold(0u64, |sum, run| sum.saturating_add(run.kept_bytes));
    (bytes > 0).then(|| Problem {
        severity: Severity::Warns, remedy: None,
        text: format!(
            "Earlier runs on {to} keep {} of originals for undo. Pruning them makes room, and cannot be undone.",
            size(bytes)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// R11: three bytes go onto 36 MiB, however large the volume is; a run that fills it leaves the reserve.
    #[test]
    fn the_reserve_follows_the_volume_and_what_is_written() {
        let setting = 64 * MIB;
        for volume in [40 * MIB, 1024 * MIB, 1 << 40] {
            assert!(3 + reserve(setting, volume, 3) < 36 * MIB, "{volume}");
        }
        assert_eq!(reserve(setting, 1 << 40, 1 << 35), setting);
        assert_eq!(reserve(setting, 100 * MIB, 90 * MIB), MIB);
        assert_eq!(reserve(100 * MIB, 200 * MIB, 3), 100 * MIB, "who sets another value means it");
    }
}
