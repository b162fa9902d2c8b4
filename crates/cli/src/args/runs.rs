//! The commands about earlier runs on a folder: undo, runs, recover.

use std::path::PathBuf;

use clap::Args;

use super::{Show, When};

pub(super) const UNDO_EXAMPLES: &str = "\
ROOT is the folder that was written to. What the run replaced or removed comes
back, with its times and permissions, and what it made goes. An item that was
changed after the run is left as it is and named; its original stays in the
undo store.

Examples:
  fcs runs /mnt/b/Photos              What was done there
  fcs undo /mnt/b/Photos              Take the last run back
  fcs undo /mnt/b/Photos 6921c0a3f2   Take that run back";

pub(super) const RECOVER_EXAMPLES: &str = "\
ROOT is the folder that was written to. After a crash every file there has its
complete old or its complete new content, but unfinished copies and originals
may lie beside them. Recovery removes the former, puts the latter where they
belong, and says what it did with each. It can itself be interrupted.

Examples:
  fcs recover /mnt/b/Photos             Show it, ask, put it in order
  fcs recover -y /mnt/b/Photos          Keep what was done
  fcs recover -y --rollback /mnt/b      Bring back what was there before";

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

    /// The run, as `fcs runs` lists it; the last one that can be undone if it is left out
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,

    /// Say which run would be taken back, but write nothing
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

    /// Print one JSON object per run
    #[arg(long)]
    pub(crate) json: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
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

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// Print one JSON object per line
    #[arg(long, help_heading = "What is shown")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) said: Said,
}
