//! Two folders opened, checked, scanned, compared and worked on.
//!
//! Invariant: every refusal comes before the first folder is listed. This module must not know how progress is shown or
//! how work is cancelled.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use fcs_sys::{CaseRule, CreatedTime, Location, Root, Time};
use fcs_text::printable;

use super::root::{check_not_moved, open_as, start};
use super::withheld::Withheld;
use super::{Proposal, SessionError, Task, make_durable, second};
use crate::compare::{Comparison, Side, Trusted, compare_trusting};
use crate::filter::Filter;
use crate::memory::{MemoryChange, Remembered, learned};
use crate::plan::Plan;
use crate::preflight::check_roots;
use crate::probe::{self, VolumeProbe};
use crate::progress::Phase;
use crate::report::Report;
use crate::run::{RunOptions, run};
use crate::scan::scan_pair_as;
use crate::settings::ContentCheck;
use crate::{Control, Note, Settings};

/// Two open folders and what of them is compared.
pub struct Folders {
    /// The left one.
    pub left: Root,
    /// The right one.
    pub right: Root,
    /// What takes part.
    pub filter: Filter,
    /// What the volumes of the left and the right folder were seen to do, where that was tried.
    probes: [OnceLock<Option<VolumeProbe>>; 2],
}

impl Folders {
    /// Opens and checks both folders and compiles the patterns.
    ///
    /// # Errors
    ///
    /// [`SessionError::Open`], [`SessionError::Refused`] and [`SessionError::Pattern`].
    pub fn open(
        left: impl Into<Location>,
        right: impl Into<Location>,
        include: &[String],
        exclude: &[String],
        settings: &Settings,
    ) -> Result<Self, SessionError> {
        let (left_location, right_location) = (left.into(), right.into());
        let left = open_as(&left_location, Some(Side::Left))?;
        let right = open_as(&right_location, Some(Side::Right))?;
        // What a pattern or the bounds of a volume keep out is known after the scan, which refuses the rest.
        let inner_left_out = !include.is_empty() || !exclude.is_empty() || settings.one_file_system;
        let problems = check_roots(&left, &right, inner_left_out);
        if !problems.is_empty() {
            return Err(SessionError::Refused(problems));
        }
        let written = |location: &Location| location.path().map(Path::to_owned).unwrap_or_default();
        let (left_written, right_written) = (written(&left_location), written(&right_location));
        let filter = filter(&[(&left_written, &left), (&right_written, &right)], include, exclude)?;
        // A batch keeps its files open; a low limit would make files fail that are perfectly fine.
        fcs_sys::raise_open_file_limit();
        Ok(Self { left, right, filter, probes: [OnceLock::new(), OnceLock::new()] })
    }

    /// One of the two folders.
    pub fn root(&self, side: Side) -> &Root {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// Both, as plans number them.
    pub fn roots(&self) -> [&Root; 2] {
        [&self.left, &self.right]
    }

    /// Tries what the volume of a folder does, once, in a folder of ours there that is gone again afterwards, so that the
    /// comparison and the preview go by it. Only for who is about to write there: the caller has made sure that no run
    /// is in progress on it.
    pub fn try_volume(&self, side: Side) {
        self.probes[usize::from(side == Side::Right)].get_or_init(|| {
            let root = self.root(side);
            root.dir.volume().ok().map(|facts| probe::probe(&root.dir, &facts))
        });
    }

    /// Whether something about the volume of a folder is in doubt and was not tried yet.
    pub fn is_untried(&self, side: Side) -> bool {
        self.probes[usize::from(side == Side::Right)].get().is_none()
            && self.root(side).dir.volume().is_ok_and(|facts| probe::wanted(&facts))
    }

    /// What the volume of a folder was seen to do, where that was tried.
    pub fn probe(&self, side: Side) -> Option<&VolumeProbe> {
        self.probes[usize::from(side == Side::Right)].get()?.as_ref()
    }

    /// As [`Folders::probe`], of both.
    pub(super) fn probes(&self) -> [Option<&VolumeProbe>; 2] {
        [Side::Left, Side::Right].map(|side| self.probe(side))
    }

    /// Whether the paths that were confirmed still lead to the folders that were compared.
    ///
    /// # Errors
    ///
    /// [`SessionError::Moved`].
    pub fn check_not_moved(&self) -> Result<(), SessionError> {
        check_not_moved(&self.left)?;
        check_not_moved(&self.right)
    }

    /// Whether both volumes can set when an item was created; elsewhere that is no criterion.
    pub fn created_counts(&self) -> bool {
        let settable = |root: &Root| root.dir.volume().is_ok_and(|v| v.created == CreatedTime::Settable);
        settable(&self.left) && settable(&self.right)
    }

    /// Carries out a proposal, and in a second run that belongs to the first what only its end shows to be needed: names that
    /// were made free are filled, and what was moved and is not what the source has is copied. Of the options, what the proposal says already (command, where removed items go, what was
    /// tried of the volume) is taken from it.
    ///
    /// # Errors
    ///
    /// [`SessionError::Moved`] and [`SessionError::Start`]. What fails later is in the report.
    pub fn run(
        &self,
        proposal: &Proposal,
        settings: &Settings,
        options: &RunOptions,
        control: &Control,
    ) -> Result<Report, SessionError> {
        self.check_not_moved()?;
        let task = proposal.task;
        let options = RunOptions {
            command: task.command().to_owned(),
            removed: task.removed_to(),
            probes: self.probes().map(Option::<&VolumeProbe>::cloned).into(),
            ..options.clone()
        };
        let (withheld, first) = Withheld::of(control);
        let mut report = self.run_plan(&proposal.plan, task, settings, &options, &first)?;
        report.notes.extend(proposal.known_content.clone());
        if !options.dry_run {
            report = second::run(self, proposal, report, settings, &options, control);
        }
        withheld.tell(&report);
        Ok(report)
    }

    pub(super) fn run_plan(
        &self,
        plan: &Plan,
        task: Task,
        settings: &Settings,
        options: &RunOptions,
        control: &Control,
    ) -> Result<Report, SessionError> {
        run(plan, &self.roots(), settings, options, control)
            .map_err(|error| start(self.root(task.target()), error))
    }

    /// Looks at both folders once more when a run is over, and tells what it and the comparison before it teach the memory
    /// of the pair; see [`learned`]. All of it is durable then; see [`make_durable`].
    ///
    /// # Errors
    ///
    /// As for [`Folders::compare`] and [`make_durable`]; then nothing is learned, which harms nothing.
    pub fn learn(
        &self,
        first: &Comparison,
        (proposal, report): (&Proposal, &Report),
        remembered: &Remembered,
        settings: &Settings,
        control: &Control,
    ) -> crate::Result<Vec<MemoryChange>> {
        let by_looks = Settings { compare_content: ContentCheck::Off, ..settings.clone() };
        let quiet = Control { cancel: control.cancel.clone(), ..Control::default() };
        let after = self.compare(&by_looks, &quiet)?;
        let moves = proposal.plan.changes.iter();
        let moves = moves.filter_map(|change| Some((change.path().clone(), change.new_path()?.clone())));
        let moves: Vec<_> = moves.collect();
        let changes = learned(first, &after, (&report.items, &moves), remembered, Time::now());
        make_durable(&self.roots(), &changes)?;
        Ok(changes)
    }

    /// Patterns that matched nothing: most likely not what was meant.
    fn unmatched_note(&self) -> Option<String> {
        let unmatched: Vec<String> = self.filter.unmatched().map(|p| printable(p).into_owned()).collect();
        let (patterns, match_) = match unmatched.len() {
            0 => return None,
            1 => ("The pattern", "matches"),
            _ => ("The patterns", "match"),
        };
        Some(format!(
            "{patterns} {} {match_} nothing on either side. A pattern without a slash is matched against names, one with \
             a slash against paths below the two folders; case matters unless a volume is case-insensitive.",
            unmatched.join(", ")
        ))
    }

    /// Scans and compares.
    ///
    /// # Errors
    ///
    /// When a root cannot be listed, holds too many items, or is on both sides ([`crate::ErrorKind::Overlap`]).
    pub fn compare(&self, settings: &Settings, control: &Control) -> crate::Result<Comparison> {
        self.compare_after(None, settings, control)
    }

    /// Scans and compares again; content that was read before and has not changed is not read again.
    ///
    /// # Errors
    ///
    /// As for [`Folders::compare`].
    pub fn compare_after(
        &self,
        before: Option<&Comparison>,
        settings: &Settings,
        control: &Control,
    ) -> crate::Result<Comparison> {
        self.compare_trusting(None, before, settings, control)
    }

    /// As [`Folders::compare_after`]; content that a memory of the two folders knows to be equal is not read either, and
    /// what is read teaches it ([`Comparison::learned_content`]). That memory was made under [`Folders::content_terms`].
    ///
    /// # Errors
    ///
    /// As for [`Folders::compare`].
    pub fn compare_trusting(
        &self,
        trusted: Option<Trusted<'_>>,
        before: Option<&Comparison>,
        settings: &Settings,
        control: &Control,
    ) -> crate::Result<Comparison> {
        control.progress.enter(Phase::Scan);
        let case = [Side::Left, Side::Right].map(|side| self.probe(side).and_then(|probe| probe.names.case));
        let (left, right) = scan_pair_as(&self.left, &self.right, case, &self.filter, settings, control)?;
        control.progress.enter(Phase::Compare);
        let (left, right) = ((&self.left, Arc::new(left)), (&self.right, Arc::new(right)));
        let mut comparison = compare_trusting(trusted, before, left, right, settings, control)?;
        if let Some(note) = self.unmatched_note().filter(|_| !comparison.cancelled).map(Note::from) {
            control.observer.note(&note);
            comparison.notes.push(note);
        }
        Ok(comparison)
    }
}

/// Compiles patterns for these roots, each with the path by which a user called it.
///
/// # Errors
///
/// [`SessionError::Pattern`].
pub(crate) fn filter(
    roots: &[(&Path, &Root)],
    include: &[String],
    exclude: &[String],
) -> Result<Filter, SessionError> {
    let written = roots.iter().map(|(path, _)| slashed(&std::path::absolute(path).unwrap_or_default()));
    let paths = written.chain(roots.iter().map(|(_, root)| slashed(&root.path)));
    let paths: Vec<String> = paths.filter(|path| !path.is_empty()).collect();
    let ignore_case = roots.iter().any(|(_, root)| ignores_case(root));
    Filter::below(&paths, include, exclude, ignore_case).map_err(SessionError::Pattern)
}

/// A path as patterns spell it.
fn slashed(path: &Path) -> String {
    path.to_str().map(|text| text.replace(std::path::MAIN_SEPARATOR, "/")).unwrap_or_default()
}

fn ignores_case(root: &Root) -> bool {
    root.dir.volume().is_ok_and(|volume| volume.case == CaseRule::Insensitive)
}
