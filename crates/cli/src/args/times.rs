//! The commands about dates alone: times show, set, copy, verify, repair.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use fcs_engine::settings::Undo;

use super::values::{Moment, Tolerance};
use super::{OnCancelChoice, Show, Tuning};

pub(super) const EXAMPLES: &str = "\
Times are created and modified times. Content, permissions and access times stay
as they are, and symbolic links are not followed. WHEN is ISO 8601, to the
nanosecond: with an offset or Z, or else in local time.

set, copy and repair are runs: they show a plan, ask, and can be undone with
`fcs undo` on the folder given, or on the folder that holds the file given.

Examples:
  fcs times show -r Photos                        Every date in a tree
  fcs times set --modified 2026-11-22T10:00 a.txt
  fcs times set -r --created 2026-11-22 Photos    Where the volume can set it
  fcs times copy a.txt b.txt                      Whatever their content
  fcs times verify Photos /mnt/b/Photos           Code 1 if a date differs
  fcs times repair Photos /mnt/b/Photos           Only where content is equal";

/// Arguments of `fcs times`.
#[derive(Debug, Args)]
pub(crate) struct TimesArgs {
    #[command(subcommand)]
    pub(crate) action: TimesAction,
}

/// What to do with dates.
#[derive(Debug, Subcommand)]
pub(crate) enum TimesAction {
    /// Show when items were modified and created, exactly as the volume stores it
    Show(TimesShowArgs),
    /// Set the times of files and folders
    Set(TimesSetArgs),
    /// Set the times of TARGET to those of SOURCE, whatever the content
    Copy(TimesCopyArgs),
    /// Compare the times of two files or trees, exactly; content is not read
    Verify(TimesVerifyArgs),
    /// Set the times of RIGHT to those of LEFT, of files only where the content of both was read and is equal
    Repair(TimesRepairArgs),
}

impl TimesAction {
    /// What all of them take.
    pub(crate) fn common(&self) -> &TimesCommon {
        match self {
            Self::Show(args) => &args.common,
            Self::Set(args) => &args.common,
            Self::Copy(args) => &args.common,
            Self::Verify(args) => &args.common,
            Self::Repair(args) => &args.common,
        }
    }
}

/// Which items of a tree are meant.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Items")]
pub(crate) struct Choosing {
    /// Exclude matching items; may be repeated. A pattern without a slash matches names
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Include only matching items; may be repeated. Exclusions win
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,

    /// Do not enter folders where another volume is mounted
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
}

/// How a run is carried out that sets dates.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct Applying {
    /// Show every change, but write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// What to do with finished items on Ctrl-C; ask means keep where there is no terminal
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) on_cancel: OnCancelChoice,

    /// How long the old times are kept for `fcs undo`: off, last (until the next run), or days:N
    #[arg(long, value_name = "off|last|days:N")]
    pub(crate) undo: Option<Undo>,
}

/// What all commands about dates take.
#[derive(Debug, Default, Args)]
pub(crate) struct TimesCommon {
    #[command(flatten)]
    pub(crate) choosing: Choosing,

    #[command(flatten)]
    pub(crate) tuning: Tuning,

    /// Show times in UTC instead of the local time zone
    #[arg(long, help_heading = "Output")]
    pub(crate) utc: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}

/// Arguments of `fcs times show`.
#[derive(Debug, Args)]
pub(crate) struct TimesShowArgs {
    /// Files and folders
    #[arg(value_name = "PATH", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Show everything in the folders too
    #[arg(short, long, help_heading = "Items")]
    pub(crate) recursive: bool,

    #[command(flatten)]
    pub(crate) common: TimesCommon,
}

/// Arguments of `fcs times set`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("dates").required(true).multiple(true).args(["modified", "created"])))]
pub(crate) struct TimesSetArgs {
    /// Files and folders
    #[arg(value_name = "PATH", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Set the modified time: an ISO 8601 time, now, or @ and seconds since 1970
    #[arg(short, long, value_name = "WHEN")]
    pub(crate) modified: Option<Moment>,

    /// Set the created time, where the volume can
    #[arg(short, long, value_name = "WHEN")]
    pub(crate) created: Option<Moment>,

    /// Set the times of everything in the folders too
    #[arg(short, long, help_heading = "Items")]
    pub(crate) recursive: bool,

    #[command(flatten)]
    pub(crate) applying: Applying,

    #[command(flatten)]
    pub(crate) common: TimesCommon,
}

/// Arguments of `fcs times copy`.
#[derive(Debug, Args)]
pub(crate) struct TimesCopyArgs {
    /// The file or folder whose times are copied
    #[arg(value_name = "SOURCE", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) source: PathBuf,

    /// The file or folder whose times are set
    #[arg(value_name = "TARGET", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) target: PathBuf,

    /// Copy the times of everything that both folders have too
    #[arg(short, long, help_heading = "Items")]
    pub(crate) recursive: bool,

    #[command(flatten)]
    pub(crate) applying: Applying,

    #[command(flatten)]
    pub(crate) common: TimesCommon,
}

/// Arguments of `fcs times verify`.
#[derive(Debug, Args)]
pub(crate) struct TimesVerifyArgs {
    /// The first file or folder
    #[arg(value_name = "LEFT", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) left: PathBuf,

    /// The second file or folder
    #[arg(value_name = "RIGHT", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) right: PathBuf,

    /// Treat times that are at most this far apart as equal: exact (the default), or a time such as 2s
    ///
    /// Times that the coarser of the two volumes cannot tell apart are always equal.
    #[arg(long, value_name = "TIME")]
    pub(crate) tolerance: Option<Tolerance>,

    #[command(flatten)]
    pub(crate) common: TimesCommon,
}

/// Arguments of `fcs times repair`.
#[derive(Debug, Args)]
pub(crate) struct TimesRepairArgs {
    /// The file or folder whose times are right
    #[arg(value_name = "LEFT", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) left: PathBuf,

    /// The file or folder whose times are set
    #[arg(value_name = "RIGHT", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) right: PathBuf,

    /// Leave times alone that are at most this far apart: exact (the default), or a time such as 2s
    #[arg(long, value_name = "TIME")]
    pub(crate) tolerance: Option<Tolerance>,

    #[command(flatten)]
    pub(crate) applying: Applying,

    #[command(flatten)]
    pub(crate) common: TimesCommon,
}
