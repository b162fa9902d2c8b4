//! The commands about earlier runs on a folder: undo, runs, recover.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use fcs_engine::history::{BadRunId, RunId};

use super::{Show, When};

pub(super) const UNDO_EXAMPLES: &str = "\
ROOT is the folder that was written to. Undo restores what the run replaced or
deleted, with times and permissions, and removes what it created. An item that
changed after the run is left as it is and listed; its original stays in the
undo store.

Each call undoes one run, the latest first, with the retries that belong to it.
If you name an earlier run, items that a later run changed are left as they are.

Examples:
  fcs runs /mnt/b/Photos              List the runs there
  fcs undo /mnt/b/Photos              Undo the last run; again: the one before
  fcs undo /mnt/b/Photos 6921c0a3f2   Undo that run";

pub(super) const RUNS_EXAMPLES: &str = "\
ROOT is the folder that was written to. With --prune, the originals that
runs keep are deleted permanently; these runs can then not be undone.

Examples:
  fcs runs /mnt/b/Photos                       List the runs there
  fcs runs --prune /mnt/b/Photos               Delete the originals of all runs
  fcs runs --prune=6921c0a3f2 /mnt/b/Photos    Of that run and all before it";

pub(super) const RECOVER_EXAMPLES: &str = "\
ROOT is the folder that was written to. After a crash every file there has its
complete old or its complete new content, but unfinished copies and originals
may be beside them. Recovery discards the copies, moves the originals to where
they belong, and lists each item. It can itself be interrupted.

Examples:
  fcs recover /mnt/b/Photos             Show the run, ask, recover it
  fcs recover -y /mnt/b/Photos          Recover it and keep what was done
  fcs recover -y --rollback /mnt/b      Roll it back
  fcs recover --leftovers list /mnt/b   List leftovers without a journal";

pub(super) const DOCTOR_EXAMPLES: &str = "\
ROOT is a folder that you copy to or from. Its volume is tested in a temporary
folder there: names, dates, permissions, owners, links, locks. A run makes the
same test where it is in doubt, and follows the result.

Examples:
  fcs doctor /mnt/stick               What this stick supports
  fcs doctor -n /mnt/stick            The same, but write nothing
  fcs doctor --json /mnt/stick        For programs";

/// Arguments of `fcs doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The folder whose volume is tested
    #[arg(value_name = "ROOT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: PathBuf,

    /// Write nothing; report only what the system knows
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// How much is said.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Show only failures and questions
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

impl From<&Output> for Show {
    fn from(output: &Output) -> Self {
        Self { quiet: output.quiet, color: output.color, ..Self::default() }
    }
}

/// Arguments of `fcs undo`.
#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The folder that was written to
    #[arg(value_name = "ROOT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: PathBuf,

    /// The run, as `fcs runs` lists it; by default the latest that was not undone yet
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<RunId>,

    /// Show which run would be undone, but write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Arguments of `fcs runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The folder that was written to
    #[arg(value_name = "ROOT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: PathBuf,

    /// Delete the originals of this run and all before it; without RUN, of all runs that have ended
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) prune: Option<UpTo>,

    /// Go ahead without asking
    #[arg(short = 'y', long, requires = "prune")]
    pub(crate) yes: bool,

    /// Print one JSON object per run
    #[arg(long)]
    pub(crate) json: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// The newest run that is meant; all of them if the text is empty.
#[derive(Debug, Clone)]
pub(crate) struct UpTo(pub(crate) Option<RunId>);

impl FromStr for UpTo {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|run| Self(Some(run))) }
    }
}

/// What to do with leftovers without a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeftoversChoice {
    List,
    Delete,
    Restore,
}

/// Arguments of `fcs recover`.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The folder that was written to
    #[arg(value_name = "ROOT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: PathBuf,

    /// Roll the run back, instead of keeping what was done
    #[arg(long)]
    pub(crate) rollback: bool,

    /// What to do with files that a run left without a readable journal: list them; delete those with the same content
    /// as a file beside them; or restore the others under names that begin with "recovered-"
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "rollback")]
    pub(crate) leftovers: Option<LeftoversChoice>,

    /// With --leftovers: the folder that was copied from; leftovers that it also has may be deleted
    #[arg(long, value_name = "LEFT", requires = "leftovers", value_hint = clap::ValueHint::DirPath)]
    pub(crate) source: Option<PathBuf>,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}
