//! The commands about earlier runs on a folder: undo, runs, recover.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Show, When};

pub(super) const UNDO_EXAMPLES: &str = "\
ROOT is the folder that was written to. What the run replaced or removed comes
back, with its times and permissions, and what it made goes. An item that was
changed after the run is left as it is and named; its original stays in the
undo store.

Each call goes back by one run; a retry of what failed in a run is undone with
it. What a later run changed is left as it is when an earlier one is named.

Examples:
  fcs runs /mnt/b/Photos              What was done there
  fcs undo /mnt/b/Photos              Undo the last run; again: the one before
  fcs undo /mnt/b/Photos 6921c0a3f2   Undo that run";

pub(super) const RUNS_EXAMPLES: &str = "\
ROOT is the folder that was written to. With --prune, the originals that runs
replaced or removed are deleted permanently; the runs can then not be undone.

Examples:
  fcs runs /mnt/b/Photos                       What was done there
  fcs runs --prune /mnt/b/Photos               Delete what all runs keep for undo
  fcs runs --prune=6921c0a3f2 /mnt/b/Photos    That run's and those of all before";

pub(super) const RECOVER_EXAMPLES: &str = "\
ROOT is the folder that was written to. After a crash every file there has its
complete old or its complete new content, but unfinished copies and originals
may lie beside them. Recovery removes the former, puts the latter where they
belong, and says what it did with each. It can itself be interrupted.

Examples:
  fcs recover /mnt/b/Photos             Show it, ask, put it in order
  fcs recover -y /mnt/b/Photos          Keep what was done
  fcs recover -y --rollback /mnt/b      Bring back what was there before
  fcs recover --leftovers list /mnt/b   Leftovers without a journal";

pub(super) const DOCTOR_EXAMPLES: &str = "\
ROOT is a folder that you copy to or from. What its volume does is tried in a
folder made there, which is removed again: names, dates, permissions, owners,
links, locks. A run tries the same where it is in doubt, and goes by it.

Examples:
  fcs doctor /mnt/stick               What this stick keeps and takes
  fcs doctor -n /mnt/stick            The same without writing anything
  fcs doctor --json /mnt/stick        For programs";

/// Arguments of `fcs doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The folder whose volume is looked at
    #[arg(value_name = "ROOT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: PathBuf,

    /// Write nothing; say only what the system tells
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
#[command(next_help_heading = "What is shown")]
pub(crate) struct Said {
    /// Show only what cannot be left out: what could not be put in order, questions
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

impl From<&Said> for Show {
    fn from(said: &Said) -> Self {
        Self { quiet: said.quiet, color: said.color, ..Self::default() }
    }
}

/// Arguments of `fcs undo`.
#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The folder that was written to
    #[arg(value_name = "ROOT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: PathBuf,

    /// The run, as `fcs runs` lists it; the latest that was not undone yet if it is left out
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,

    /// Say which run would be undone, but write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "What is shown")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) said: Said,
}

/// Arguments of `fcs runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The folder that was written to
    #[arg(value_name = "ROOT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: PathBuf,

    /// Delete what this run and all before it keep for undo; without RUN, what all runs keep that are over
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) prune: Option<String>,

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

/// What becomes of leftovers without a journal.
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

    /// Bring everything back to what it was before the run, instead of keeping what was done
    #[arg(long)]
    pub(crate) rollback: bool,

    /// What becomes of files that a run left without a readable journal: list them; delete those whose content a file
    /// beside them has too; or restore the others under names that begin with "recovered-"
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "rollback")]
    pub(crate) leftovers: Option<LeftoversChoice>,

    /// With --leftovers: the folder that was copied from; what it has too may be deleted
    #[arg(long, value_name = "LEFT", requires = "leftovers", value_hint = clap::ValueHint::DirPath)]
    pub(crate) source: Option<PathBuf>,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "What is shown")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) said: Said,
}
