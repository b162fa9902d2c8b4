//! The commands that change a folder: copy, sync, orphans.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use fcs_engine::directions::{Conflicts, Custom};
use fcs_engine::settings::{MoveChoice, Newer, RemoveDespiteFailures, Strategy, Undo};

use super::values::{VerifyChoice, whole_number};
use super::{CompareOptions, Pair, Show, Tuning};

pub(super) const COPY_EXAMPLES: &str = "\
Items that only RIGHT has stay as they are. Each file is written under a staged
name, verified, and only then renamed to its real name. A file that is replaced
keeps its old content until that moment; the old content is kept for 30 days
(--undo), and `fcs undo RIGHT` restores it.

Examples:
  fcs copy a b                       Show the plan, ask, copy, verify
  fcs copy -y --verify 1GiB a b      Do not ask; verify only files below 1 GiB
  fcs copy --dry-run -v a b          Show every decision, write nothing
  fcs copy -y --report run.json a b  Keep the evidence";

pub(super) const SYNC_EXAMPLES: &str = "\
What was renamed or moved in LEFT is renamed in RIGHT, not copied again, where
size and date are those of no other file and name or folder agree (--moves).

Items are removed last. Where an item failed or could not be read, nothing in
its folder is removed, because that may be the last copy. Removed items are kept
for 30 days (--undo), and `fcs undo RIGHT` restores them. An item that could not
be read on either side is never removed, nor is one that a pattern excludes.
More than half of RIGHT, or more than 10,000 items, are removed only if you type
their number, or allow it with --max-delete.

Examples:
  fcs sync -n a b                    List what would be copied and removed
  fcs sync a b                       Show the plan, ask, make RIGHT equal LEFT
  fcs sync -y --max-delete 500 a b   Do not ask; refuse more than 500 removals
  fcs sync -y --undo days:90 a b     Keep originals for three months
  fcs sync --mode two-way a b        Bring the changes of each to the other
  fcs sync --mode newest -n a b      List what the newer of each would replace

With two-way, what both folders were is remembered when a run ends, in your own
state folder (`fcs state`). The first run removes nothing. What was changed on
both sides is left alone and ends with code 3, unless --conflicts says which
version is wanted. One `fcs undo` takes back both sides.";

pub(super) const ORPHANS_EXAMPLES: &str = "\
An orphan is an item that only one folder has. Orphans are listed, and removed
when you agree: to the undo store, from which `fcs undo` restores them for 30
days (--undo), to the system's recycle bin, or permanently. A folder is removed
only with everything in it. --include and --exclude choose among orphans.

Examples:
  fcs orphans -n a b                       List what only b has
  fcs orphans a b                          Remove it; `fcs undo b` restores it
  fcs orphans --side left a b              Remove what only a has
  fcs orphans --include '*.bak' a b        Only backup files
  fcs orphans --to trash a b               To the recycle bin
  fcs orphans --to permanent a b           Permanently, after typing \"delete\"";

/// What to do with a run in which an item fails.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnErrorChoice {
    #[default]
    Continue,
    RollbackRun,
}

/// What to do with a run that is interrupted with Ctrl-C.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnCancelChoice {
    #[default]
    Ask,
    Keep,
    Rollback,
}

/// Which way items go.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeChoice {
    /// RIGHT becomes what LEFT is; what only RIGHT has is removed
    #[default]
    Mirror,
    /// RIGHT gets what is missing or different; nothing is removed
    Update,
    /// RIGHT gets what is missing; nothing else changes
    Add,
    /// Both get what they lack, and of what differs the newer version; nothing is removed
    Newest,
    /// Changes and removals since the last time go both ways
    TwoWay,
    /// What --custom says for each category
    Custom,
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
#[command(next_help_heading = "Run")]
pub(crate) struct Running {
    /// Show every decision, but write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// What to do when an item fails: continue with the rest, or roll the whole run back
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) on_error: OnErrorChoice,

    /// What to do with finished items on Ctrl-C; ask means keep where there is no terminal
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) on_cancel: OnCancelChoice,

    /// With -y, go ahead although a volume that was mounted at the last run is missing
    #[arg(long)]
    pub(crate) accept_missing_volumes: bool,

    /// End with code 3 also for what no run can copy: sockets and pipes, holes, owners
    #[arg(long)]
    pub(crate) strict: bool,

    /// How long originals are kept for `fcs undo`: off, last (until the next run), or days:N
    #[arg(long, value_name = "off|last|days:N")]
    pub(crate) undo: Option<Undo>,

    /// Write a JSON report of the run, with the evidence for every file, to this file
    #[arg(long, value_name = "FILE.json", value_hint = clap::ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,
}

/// What is removed.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Removing")]
pub(crate) struct Removing {
    /// What to remove although items failed or could not be read: all, only unrelated items (outside their folders),
    /// or nothing
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(RemoveDespiteFailures::WORDS.iter().copied()))]
    pub(crate) remove_despite_failures: Option<String>,
}

/// How files are copied.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Copying")]
pub(crate) struct Copying {
    /// Which copies are read back from the device and compared: none, all, or files below a size such as 1GiB
    #[arg(long, value_name = "none|all|SIZE")]
    pub(crate) verify: Option<VerifyChoice>,

    /// How to copy files: chosen per file, always natively, or always in chunks with a hash
    #[arg(long, value_name = "STRATEGY", value_parser = PossibleValuesParser::new(Strategy::WORDS.iter().copied()))]
    pub(crate) strategy: Option<String>,

    /// What to do with files that are newer on the target
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(Newer::WORDS.iter().copied()))]
    pub(crate) newer: Option<String>,

    /// Allow up to N files to get other content; by default up to half of those in RIGHT, or 100
    #[arg(long, value_name = "N", value_parser = whole_number)]
    pub(crate) max_change: Option<u64>,

    /// Allow the file system to share blocks between source and copy instead of copying them
    #[arg(long)]
    pub(crate) reflink: bool,
}

/// Arguments of `fcs copy`.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) pair: Pair,

    /// Replace items of another kind in RIGHT (a folder by a file, or a file by a folder), as sync does
    #[arg(long, help_heading = "Copying")]
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
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}

/// Arguments of `fcs sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    pub(crate) pair: Pair,

    /// Which way items go
    #[arg(long, value_enum, value_name = "MODE", default_value_t, help_heading = "Directions")]
    pub(crate) mode: ModeChoice,

    /// With two-way: what becomes of items that were changed on both sides
    #[arg(long, value_name = "WHAT", help_heading = "Directions",
        value_parser = PossibleValuesParser::new(Conflicts::WORDS.iter().copied()))]
    pub(crate) conflicts: Option<String>,

    /// With custom: what is done with each category, such as left-only=to-right,right-only=skip
    ///
    /// Categories: left-only, right-only, left-newer, right-newer, same-time-different, conflict, moved, kind-change.
    /// Actions: to-right, to-left, remove, keep-both, skip. Without it, everything goes to the side that lacks it or has
    /// the older version, and the rest is skipped.
    #[arg(long, value_name = "CATEGORY=ACTION,…", help_heading = "Directions")]
    pub(crate) custom: Option<Custom>,

    /// Allow the removal of up to N items from a folder; by default at most half of it and 10,000 items
    #[arg(long, value_name = "N", value_parser = whole_number, help_heading = "Removing")]
    pub(crate) max_delete: Option<u64>,

    #[command(flatten)]
    pub(crate) removing: Removing,

    #[command(flatten)]
    pub(crate) running: Running,

    /// Whether to rename what was renamed or moved in LEFT instead of copying it again; content also reads files that
    /// only their size and date pair
    #[arg(long, value_name = "WHICH", value_parser = PossibleValuesParser::new(MoveChoice::WORDS.iter().copied()), help_heading = "Copying")]
    pub(crate) moves: Option<String>,

    #[command(flatten)]
    pub(crate) copying: Copying,

    #[command(flatten)]
    pub(crate) compare: CompareOptions,

    #[command(flatten)]
    pub(crate) tuning: Tuning,

    /// Print one JSON object per line as things happen
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}

/// Arguments of `fcs orphans`.
#[derive(Debug, Args)]
pub(crate) struct OrphansArgs {
    #[command(flatten)]
    pub(crate) pair: Pair,

    /// The folder from which orphans are removed
    #[arg(long, value_enum, value_name = "SIDE", default_value_t, help_heading = "Removing")]
    pub(crate) side: SideChoice,

    /// Where removed items go: undo store, recycle bin (an error where the volume has none), or permanent deletion
    ///
    /// Permanent removal asks you to type "delete"; with -y it needs --max-delete.
    #[arg(long, value_enum, value_name = "WHERE", default_value_t, help_heading = "Removing")]
    pub(crate) to: Destination,

    /// Allow the removal of up to N items; by default at most half of the folder and 10,000 items
    #[arg(long, value_name = "N", value_parser = whole_number, help_heading = "Removing")]
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
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}
