//! The part that compare and the commands which change a folder share: two folders opened, checked, scanned and compared.
//!
//! Invariant: nothing is written here. Every refusal comes before the first folder is listed.

use std::path::Path;
use std::sync::Arc;

use fcs_engine::compare::{Comparison, Side, compare};
use fcs_engine::error::shown;
use fcs_engine::filter::Filter;
use fcs_engine::preflight::{Severity, check_roots};
use fcs_engine::progress::Phase;
use fcs_engine::scan::scan_pair;
use fcs_engine::{Control, Error, Op, Settings};
use fcs_sys::{CaseRule, CreatedTime, OsReason, Root, RootError, open_root, unc_share};

use crate::args::{CompareOptions, Pair};
use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::options::criteria_in_words;
use crate::progress::Display;
use crate::terminal::Screen;

/// Two open folders and how they are compared.
pub(crate) struct Session {
    pub(crate) left: Root,
    pub(crate) right: Root,
    pub(crate) settings: Settings,
    pub(crate) control: Control,
    /// What counts, in words.
    pub(crate) criteria: String,
    /// Worth knowing about the two folders.
    pub(crate) warnings: Vec<String>,
    pub(crate) filter: Filter,
}

impl Session {
    /// Opens and checks both folders and compiles the patterns.
    pub(crate) fn open(
        pair: &Pair,
        options: &CompareOptions,
        settings: Settings,
        control: Control,
    ) -> Result<Self, Failure> {
        let left = open(&pair.left, Side::Left)?;
        let right = open(&pair.right, Side::Right)?;
        let problems = check_roots(&left, &right);
        let (refusals, others): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Refuses);
        if !refusals.is_empty() {
            let texts: Vec<_> = refusals.into_iter().map(|problem| problem.text).collect();
            return Err(Failure::new(Code::Refused, texts.join("\n")));
        }
        let ignore_case = ignores_case(&left) || ignores_case(&right);
        let filter =
            Filter::new(&options.include, &options.exclude, ignore_case).map_err(|e| Failure::usage(&e))?;
        // A batch keeps its files open; a low limit would make files fail that are perfectly fine.
        fcs_sys::raise_open_file_limit();
        let has_created = |root: &Root| root.dir.volume().is_ok_and(|v| v.created == CreatedTime::Settable);
        let criteria = criteria_in_words(&settings, has_created(&left) && has_created(&right));
        let warnings = others.into_iter().map(|problem| problem.text).collect();
        Ok(Self { left, right, settings, control, criteria, warnings, filter })
    }

    /// One of the two folders.
    pub(crate) fn root(&self, side: Side) -> &Root {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// Scans and compares, with progress on the screen.
    pub(crate) fn compare(&self, screen: &Arc<Screen>, interrupt: &Interrupt) -> Result<Comparison, Failure> {
        interrupt.working(&self.control.cancel, "Nothing was written.");
        let display = Display::start(screen, &self.control.progress);
        let result = self.scan_and_compare();
        display.end();
        let comparison = result.map_err(|e| Failure::usage(&e))?;
        if comparison.cancelled || self.control.cancel.is_cancelled() {
            return Err(Failure::interrupted());
        }
        Ok(comparison)
    }

    fn scan_and_compare(&self) -> Result<Comparison, Error> {
        self.control.progress.enter(Phase::Scan);
        let (left, right) = scan_pair(&self.left, &self.right, &self.filter, &self.settings, &self.control)?;
        self.control.progress.enter(Phase::Compare);
        compare((&self.left, Arc::new(left)), (&self.right, Arc::new(right)), &self.settings, &self.control)
    }
}

fn ignores_case(root: &Root) -> bool {
    root.dir.volume().is_ok_and(|volume| volume.case == CaseRule::Insensitive)
}

fn open(path: &Path, side: Side) -> Result<Root, Failure> {
    open_for(
        path,
        match side {
            Side::Left => Purpose::Left,
            Side::Right => Purpose::Right,
        },
    )
}

/// Opens the folder of a command that works on one.
pub(crate) fn open_one(path: &Path) -> Result<Root, Failure> {
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
pub(crate) const NO_NETWORK_PATHS: &str = "network paths such as \\\\server\\share are not accepted";

/// What to do instead of giving a network path.
pub(crate) fn map_a_letter(path: &Path) -> String {
    let share = unc_share(path).unwrap_or_else(|| r"\\server\share".to_owned());
    let quoted = if share.contains(' ') { format!("\"{share}\"") } else { share };
    format!(
        "Map a drive letter to it, such as `net use Z: {quoted}`, and use Z: instead (elsewhere: mount it)."
    )
}

fn open_for(path: &Path, purpose: Purpose) -> Result<Root, Failure> {
    open_root(path).map_err(|error| {
        let refused = |why: &str| Failure::usage(format_args!("Could not open {}: {why}.", shown(path)));
        match error {
            RootError::Unc => refused(NO_NETWORK_PATHS).hint(map_a_letter(path)),
            RootError::NotAFolder if purpose == Purpose::Root => {
                refused("it is not a folder").hint("ROOT is the folder that was written to.")
            }
            RootError::NotAFolder => refused("it is not a folder")
                .hint("LEFT and RIGHT are folders; to copy a single file, use --include with its name."),
            RootError::Io(error) => match (fcs_sys::reason(&error), purpose) {
                (OsReason::NotFound, Purpose::Left | Purpose::Root) => {
                    refused("it does not exist").hint("Check the spelling.")
                }
                (OsReason::NotFound, Purpose::Right) => refused("it does not exist")
                    .hint("Check the spelling, or make the folder first with mkdir."),
                (OsReason::PermissionDenied, _) => {
                    refused("you do not have permission").hint("Run as a user who may read it.")
                }
                _ => Failure::usage(Error::os(Op::Open, path, error)),
            },
        }
    })
}
