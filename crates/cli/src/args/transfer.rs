//! The commands that change a folder: copy, sync, orphans.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use fcs_engine::settings::{Newer, RemoveDespiteFailures, Strategy, Undo};

use super::{CompareOptions, Pair, Show, Tuning};
use crate::values::VerifyChoice;

pub(super) const COPY_EXAMPLES: &str = "\
What only RIGHT has stays as it is. Every file is first written under a name
of its own, verified, and only then given its real name; a file that is
replaced keeps its old content until that moment, and the old content is kept
for 30 days (--undo): `fcs undo RIGHT` brings it back.

Examples:
  fcs copy a b                       Show what will be done, ask, copy, verify
  fcs copy -y --verify 1GiB a b      Do not ask; verify only files below 1 GiB
  fcs copy --dry-run -v a b          Decide everything, write nothing
  fcs copy -y --report run.json a b  Keep the evidence";

pub(super) const SYNC_EXAMPLES: &str = "\
Items are removed last. Where one failed or could not be read, nothing in its
folder is removed, because it may be the last copy of it. What is removed is
kept for 30 days (--undo): `fcs undo RIGHT` brings it back. What could not be read
on either side is never removed, nor is what a pattern leaves out.
More than half of RIGHT, or more than 10,000 items, go only if you type how
many they are, or allow it with --max-delete.

Examples:
  fcs sync -n a b                    Say what would be copied and removed
  fcs sync a b                       Show it, ask, make RIGHT as LEFT is
  fcs sync -y --max-delete 500 a b   Do not ask; refuse if more than 500 go
  fcs sync -y --undo days:90 a b     Keep what goes for three months";

pub(super) const ORPHANS_EXAMPLES: &str = "\
An orphan is what one folder has and the other has not. They are listed, and
removed when you agree: to the undo store, from where `fcs undo` brings them
back for 30 days (--undo), to the system's recycle bin, or for good. Folders go
only when everything in them does. --include and --exclude choose among them.

Examples:
  fcs orphans -n a b                       List what only b has
  fcs orphans a b                          Remove it; undo brings it back
  fcs orphans --side left a b              Remove what only a has
  fcs orphans --include '*.bak' a b        Only backup files
  fcs orphans --to trash a b               To the recycle bin
  fcs orphans --to permanent a b           For good, after typing \"delete\"";

/// What becomes of a run in which an item fails.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnErrorChoice {
    #[default]
    Continue,
    RollbackRun,
}

/// What becomes of a run that is interrupted with Ctrl-C.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnCancelChoice {
    #[default]
    Ask,
    Keep,
    Rollback,
}

/// Where removed items go.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Destination {
    #[default]
    Undo,
    Trash,
    Permanent,
}

/// One of the two folders.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SideChoice {
    Left,
    #[default]
    Right,
}

/// How a run is carried out.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The run")]
pub(crate) struct Running {
    /// Decide everything and say it, but write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// What becomes of the run when an item fails: go on with the rest, or take everything back
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) on_error: OnErrorChoice,

    /// What becomes of what is done when you press Ctrl-C; ask means keep where there is no terminal
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) on_cancel: OnCancelChoice,

    /// Go ahead with -y although a volume that was mounted at the last run is missing now
    #[arg(long)]
    pub(crate) accept_missing_volumes: bool,

    /// End with code 3 also for what can never be brought over: sockets and pipes, holes, owners
    #[arg(long)]
    pub(crate) strict: bool,

    /// How long what is replaced or removed is kept for `fcs undo`: off, last (until the next run), or days:N
    #[arg(long, value_name = "off|last|days:N")]
    pub(crate) undo: Option<Undo>,

    /// Write a report of the run, with the evidence for every file, to this file as JSON
    #[arg(long, value_name = "FILE.json", value_hint = clap::ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,
}

/// What is removed.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What is removed")]
pub(crate) struct Removing {
    /// What is removed although items failed or could not be read: all, only what is unrelated (outside their folders),
    /// or nothing
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(RemoveDespiteFailures::WORDS.iter().copied()))]
    pub(crate) remove_despite_failures: Option<String>,
}

/// How files are copied.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How it is copied")]
pub(crate) struct Copying {
    /// Which copies are read back from the device and compared: none, all, or files below a size such as 1GiB
    #[arg(long, value_name = "none|all|SIZE")]
    pub(crate) verify: Option<VerifyChoice>,

    /// How files are copied: chosen per file, always natively, or always in chunks with a hash
    #[arg(long, value_name = "STRATEGY", value_parser = PossibleValuesParser::new(Strategy::WORDS.iter().copied()))]
    pub(crate) strategy: Option<String>,

    /// What becomes of files that are newer on the target
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(Newer::WORDS.iter().copied()))]
    pub(crate) newer: Option<String>,

    /// Allow the file system to share blocks between source and copy instead of copying them
    #[arg(long)]
    pub(crate) reflink: bool,
}

/// Arguments of `fcs copy`.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) pair: Pair,

    /// Replace what is of another kind in RIGHT (a file where a folder is to be, or the other way round), as sync does
    #[arg(long, help_heading = "How it is copied")]
    pub(crate) replace_kinds: bool,

    #[command(flatten)]
    pub(crate) running: Running,

    #[command(flatten)]
    pub(crate) copying: Copying,

    #[command(flatten)]
    pub(crate) compare: CompareOptions,

    #[command(flatten)]
    pub(crate) tuning: Tuning,

    /// Print one JSON object per line as things happen
    #[arg(long, help_heading = "What is shown")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}

/// Arguments of `fcs sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    pub(crate) pair: Pair,

    /// Allow the removal of up to N items, and of no more; without it, at most half of RIGHT and 10,000 items go
    #[arg(long, value_name = "N", help_heading = "What is removed")]
    pub(crate) max_delete: Option<u64>,

    #[command(flatten)]
    pub(crate) removing: Removing,

    #[command(flatten)]
    pub(crate) running: Running,

    #[command(flatten)]
    pub(crate) copying: Copying,

    #[command(flatten)]
    pub(crate) compare: CompareOptions,

    #[command(flatten)]
    pub(crate) tuning: Tuning,

    /// Print one JSON object per line as things happen
    #[arg(long, help_heading = "What is shown")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}

/// Arguments of `fcs orphans`.
#[derive(Debug, Args)]
pub(crate) struct OrphansArgs {
    #[command(flatten)]
    pub(crate) pair: Pair,

    /// Which folder loses what the other one does not have
    #[arg(long, value_enum, value_name = "SIDE", default_value_t, help_heading = "What is removed")]
    pub(crate) side: SideChoice,

    /// Where it goes: to the undo store, to the recycle bin (an error where the volume has none), or away for good
    ///
    /// With permanent you are asked to type "delete"; with -y it needs --max-delete.
    #[arg(long, value_enum, value_name = "WHERE", default_value_t, help_heading = "What is removed")]
    pub(crate) to: Destination,

    /// Allow the removal of up to N items, and of no more; without it, at most half of the folder and 10,000 items go
    #[arg(long, value_name = "N", help_heading = "What is removed")]
    pub(crate) max_delete: Option<u64>,

    #[command(flatten)]
    pub(crate) removing: Removing,

    #[command(flatten)]
    pub(crate) running: Running,

    #[command(flatten)]
    pub(crate) compare: CompareOptions,

    #[command(flatten)]
    pub(crate) tuning: Tuning,

    /// Print one JSON object per line as things happen
    #[arg(long, help_heading = "What is shown")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}
