//! What the target's volume does not keep, whatever is copied to it. Said once and beforehand, because nothing fails.

use fcs_sys::{Kind, VolumeFacts};

use super::{Problem, Sample, Severity, path_of};
use crate::plan::{Action, Part};
use crate::probe::VolumeProbe;

/// That the volume was not tried, although only that would tell what it keeps.
pub(super) fn untried(plan: &Part<'_>, volume: &VolumeFacts, to: &str) -> Option<Problem> {
    let makes = plan.folders.iter().any(|folder| folder.create || !folder.steps.is_empty());
    makes.then(|| Problem {
        severity: Severity::Warns, remedy: None,
        text: format!(
            "Which names, symbolic links and permissions the volume of {to} ({}) keeps shows only in a test, and \
             nothing is written for a preview. It is tested when the run begins, and the result is shown before anything is \
             copied.",
            volume.file_system
        ),
    })
}

/// Checks what the plan copies against what was seen.
pub(super) fn check(
    plan: &Part<'_>,
    volume: &VolumeFacts,
    probe: &VolumeProbe,
    to: &str,
    problems: &mut Vec<Problem>,
) {
    let fs = &volume.file_system;
    if probe.links.possible == Some(false) {
        let mut links = Sample::default();
        for (folder, step) in plan.steps().filter(|(_, step)| matches!(step.action, Action::CopyLink)) {
            links.add(|| path_of(folder, step));
        }
        problems.extend(links.problem_of(Severity::Warns, |items, which| {
            format!(
                "{items} left alone: symbolic links, which the volume of {to} ({fs}) cannot hold: {which}. Everything \
                 else is copied."
            )
        }));
    }
    if probe.modes.kept == Some(false) {
        let private = plan
            .steps()
            .map(|(_, step)| step.expect_source)
            .filter(|source| source.kind == Kind::File && source.attributes.0 & 0o044 == 0)
            .count();
        let whose =
            if probe.modes.owners_kept == Some(true) { "permissions" } else { "permissions or owners" };
        let open = match (private, probe.modes.opens_private()) {
            (_, false) => String::new(),
            (0, true) => {
                " What only you may read is open there to everybody who can reach the volume.".to_owned()
            }
            (n, true) => format!(
                " What only you may read ({}) is open there to everybody who can reach the volume.",
                if n == 1 { "1 file of this plan".to_owned() } else { format!("{n} files of this plan") }
            ),
        };
        problems.push(Problem {
            severity: Severity::Warns,
            remedy: None,
            text: format!("The volume of {to} ({fs}) stores no {whose}.{open}"),
        });
    }
}
