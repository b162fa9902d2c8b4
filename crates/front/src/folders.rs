//! Two folders opened, checked, scanned and compared; and one folder of a command that works on one.
//!
//! Invariant: nothing is written here, except by [`Folders::try_volume`]. Every refusal comes before the first folder is
//! listed. This module must not know how progress is shown or how work is cancelled.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use fcs_engine::compare::{Comparison, Side, compare_after};
use fcs_engine::error::shown;
use fcs_engine::filter::Filter;
use fcs_engine::preflight::{Severity, check_roots};
use fcs_engine::probe::{self, VolumeProbe};
use fcs_engine::progress::Phase;
use fcs_engine::scan::scan_pair_as;
use fcs_engine::settings::ContentCheck;
use fcs_engine::{Control, Error, Op, Settings};
use fcs_sys::{CaseRule, CreatedTime, OsReason, Root, RootError, open_root, unc_share};
use fcs_text::printable;

use crate::trouble::{Trouble, TroubleKind};

/// Two open folders and what of them is compared.
pub struct Folders {
    /// The left one.
    pub left: Root,
    /// The right one.
    pub right: Root,
    /// What takes part.
    pub filter: Filter,
    /// What counts, in words.
    pub criteria: String,
    /// Worth knowing about the two folders.
    pub warnings: Vec<String>,
    /// What the volumes of the left and the right folder were seen to do, where that was tried.
    probes: [OnceLock<Option<VolumeProbe>>; 2],
}

impl Folders {
    /// Opens and checks both folders and compiles the patterns.
    pub fn open(
        left: &Path,
        right: &Path,
        include: &[String],
        exclude: &[String],
        settings: &Settings,
    ) -> Result<Self, Trouble> {
        let written = [left, right].map(|path| slashed(&std::path::absolute(path).unwrap_or_default()));
        let left = open(left, Side::Left)?;
        let right = open(right, Side::Right)?;
        let roots = written.into_iter().chain([slashed(&left.path), slashed(&right.path)]);
        let roots: Vec<String> = roots.filter(|root| !root.is_empty()).collect();
        // What a pattern or the bounds of a volume keep out is known after the scan, which refuses the rest.
        let inner_left_out = !include.is_empty() || !exclude.is_empty() || settings.one_file_system;
        let problems = check_roots(&left, &right, inner_left_out);
        let (refusals, others): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Refuses);
        if !refusals.is_empty() {
            let texts: Vec<_> = refusals.into_iter().map(|problem| problem.text).collect();
            return Err(Trouble::new(TroubleKind::Refused, texts.join("\n")));
        }
        let ignore_case = ignores_case(&left) || ignores_case(&right);
        let filter = Filter::below(&roots, include, exclude, ignore_case).map_err(|e| Trouble::usage(&e))?;
        // A batch keeps its files open; a low limit would make files fail that are perfectly fine.
        fcs_sys::raise_open_file_limit();
        let has_created = |root: &Root| root.dir.volume().is_ok_and(|v| v.created == CreatedTime::Settable);
        let criteria = criteria_in_words(settings, has_created(&left) && has_created(&right));
        let warnings = others.into_iter().map(|problem| problem.text).collect();
        Ok(Self { left, right, filter, criteria, warnings, probes: [OnceLock::new(), OnceLock::new()] })
    }

    /// One of the two folders.
    pub fn root(&self, side: Side) -> &Root {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
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

    /// Whether the paths that were confirmed still lead to the folders that were compared.
    pub fn are_still_there(&self) -> Result<(), Trouble> {
        is_still_there(&self.left)?;
        is_still_there(&self.right)
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
             a slash against paths below the two folders; capital and small letters differ unless a volume does not \
             tell them apart.",
            unmatched.join(", ")
        ))
    }

    /// Scans and compares.
    pub fn compare(&self, settings: &Settings, control: &Control) -> Result<Comparison, Error> {
        self.compare_after(None, settings, control)
    }

    /// Scans and compares again; content that was read before and has not changed is not read again.
    pub fn compare_after(
        &self,
        before: Option<&Comparison>,
        settings: &Settings,
        control: &Control,
    ) -> Result<Comparison, Error> {
        control.progress.enter(Phase::Scan);
        let case = [Side::Left, Side::Right].map(|side| self.probe(side).and_then(|probe| probe.names.case));
        let (left, right) = scan_pair_as(&self.left, &self.right, case, &self.filter, settings, control)?;
        control.progress.enter(Phase::Compare);
        let (left, right) = ((&self.left, Arc::new(left)), (&self.right, Arc::new(right)));
        let mut comparison = compare_after(before, left, right, settings, control)?;
        if let Some(note) = self.unmatched_note().filter(|_| !comparison.cancelled) {
            control.observer.note(&note);
            comparison.notes.push(note);
        }
        Ok(comparison)
    }
}

/// A path as patterns spell it.
fn slashed(path: &Path) -> String {
    path.to_str().map(|text| text.replace(std::path::MAIN_SEPARATOR, "/")).unwrap_or_default()
}

/// Whether the path of an open folder still leads to it. An open folder is the same one wherever it was moved to, and
/// nobody agreed to what would be written there.
pub fn is_still_there(root: &Root) -> Result<(), Trouble> {
    let refused = |why: &dyn Display| {
        let text = format!("Could not begin: {} is not the same folder any more ({why}).", shown(&root.path));
        Trouble::new(TroubleKind::Refused, text)
            .hint("Nothing was written. Look at what is there, and begin again.")
    };
    let there = open_one(&root.path).map_err(|trouble| refused(&trouble.message.trim_end_matches('.')))?;
    let there = there.dir.metadata().map_err(|error| refused(&error))?;
    let open = root.dir.metadata().map_err(|error| refused(&error))?;
    // Where numbers do not last, the one of the path may be another one each time it is asked for. What both handles
    // lead to has the same dates at this moment if it is one folder.
    let lasting = root.dir.volume().map_or(true, |volume| volume.lasting_numbers);
    let as_one = !lasting
        && (there.id.volume, there.modified, there.changed) == (open.id.volume, open.modified, open.changed);
    if there.id == open.id || as_one { Ok(()) } else { Err(refused(&"another one is there now")) }
}

/// What counts, in words: `existence, size, modified`. Created times are left out where the volumes cannot have them.
pub fn criteria_in_words(settings: &Settings, created_is_settable: bool) -> String {
    let content = match settings.compare_content {
        ContentCheck::Off => None,
        ContentCheck::Blake3 => Some("content (BLAKE3)"),
        ContentCheck::Sha512 => Some("content (SHA-512)"),
        ContentCheck::Bytes => Some("content (byte for byte)"),
    };
    let words = [
        settings.compare_existence.then_some("existence"),
        settings.compare_size.then_some("size"),
        (settings.compare_created && created_is_settable).then_some("created"),
        settings.compare_modified.then_some("modified"),
        content,
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn ignores_case(root: &Root) -> bool {
    root.dir.volume().is_ok_and(|volume| volume.case == CaseRule::Insensitive)
}

fn open(path: &Path, side: Side) -> Result<Root, Trouble> {
    open_for(
        path,
        match side {
            Side::Left => Purpose::Left,
            Side::Right => Purpose::Right,
        },
    )
}

/// Opens the folder of a command that works on one.
pub fn open_one(path: &Path) -> Result<Root, Trouble> {
    open_for(path, Purpose::Root)
}

/// What a folder was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Left,
    Right,
    Root,
}

/// Why a network path is refused.
pub const NO_NETWORK_PATHS: &str = "network paths such as \\\\server\\share are not accepted";

/// What to do instead of giving a network path.
pub fn map_a_letter(path: &Path) -> String {
    let share = unc_share(path).unwrap_or_else(|| r"\\server\share".to_owned());
    let quoted = if share.contains(' ') { format!("\"{share}\"") } else { share };
    format!(
        "Map a drive letter to it, such as `net use Z: {quoted}`, and use Z: instead (elsewhere: mount it)."
    )
}

fn open_for(path: &Path, purpose: Purpose) -> Result<Root, Trouble> {
    open_root(path).map_err(|error| {
        let refused = |why: &str| Trouble::usage(format_args!("Could not open {}: {why}.", shown(path)));
        match error {
            RootError::Unc => refused(NO_NETWORK_PATHS).hint(map_a_letter(path)),
            RootError::NotAFolder if purpose == Purpose::Root => {
                refused("it is not a folder").hint("Give the folder that was written to.")
            }
            RootError::NotAFolder => refused("it is not a folder")
                .hint("Give the folder it is in; to copy it alone, include only its name."),
            RootError::Io(error) => match (fcs_sys::reason(&error), purpose) {
                (OsReason::NotFound, Purpose::Left | Purpose::Root) => {
                    refused("it does not exist").hint("Check the spelling.")
                }
                (OsReason::NotFound, Purpose::Right) => {
                    refused("it does not exist").hint("Check the spelling, or make the folder first.")
                }
                (OsReason::PermissionDenied, _) => {
                    refused("you do not have permission").hint("Run as a user who may read it.")
                }
                _ => Trouble::usage(Error::os(Op::Open, path, error)),
            },
        }
    })
}
