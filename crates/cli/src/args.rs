//! What can be typed: commands and options, defined once. Help, completions and man pages come from here.
//!
//! Invariant: nothing is opened, read or decided here; a value that parses is only well-formed. What an option does
//! to the engine is in `options.rs`.

mod runs;
mod transfer;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fcs_engine::Settings;

use crate::values::{Assignment, Criteria, Jobs, Tolerance};

pub(crate) use runs::{DoctorArgs, LeftoversChoice, RecoverArgs, RunsArgs, UndoArgs};
pub(crate) use transfer::{
    CopyArgs, Copying, Destination, OnCancelChoice, OnErrorChoice, OrphansArgs, Removing, Running,
    SideChoice, SyncArgs,
};

// Lines of at most 78 columns, because clap breaks longer ones without regard to their indent.
const EXAMPLES: &str = "\
Examples:
  fcs demo                            See it work on two small folders
  fcs compare Photos /mnt/b/Photos    List what differs; nothing is changed
  fcs copy -n Photos /mnt/b/Photos    Say what would be copied, and how
  fcs copy Photos /mnt/b/Photos       Copy what differs and prove it arrived
  fcs undo /mnt/b/Photos              Take the last copy back
  fcs gui Photos /mnt/b/Photos        Do the same in a window
  fcs settings                        List every threshold with its meaning

LEFT and RIGHT always mean what is in these folders; a trailing slash changes
nothing. `fcs help COMMAND` tells more about a command.";

const COMPARE_EXAMPLES: &str = "\
Lines begin with a mark:
  =  the same (shown with -v)
  *  on both sides, but different
  +  only in LEFT
  -  only in RIGHT
  !  a problem: unreadable, not comparable, or a clash of names or kinds

Examples:
  fcs compare a b                           By existence, size and times
  fcs compare --criteria size,content a b   Read files; times do not count
  fcs compare --tolerance 2s a /mnt/stick   For dates on a FAT volume
  fcs compare --json a b | jq .             One JSON object per line";

/// Compare two folders, copy what differs, prove that it arrived.
#[derive(Debug, Parser)]
#[command(
    name = "fcs",
    // Not as it was started: `fcs.exe` on Windows.
    bin_name = "fcs",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{}", crate::exit::EXPLAINED),
    disable_help_subcommand = false
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what differs between two folders
    #[command(after_help = COMPARE_EXAMPLES, after_long_help = format!("{COMPARE_EXAMPLES}\n\n{}", crate::exit::EXPLAINED))]
    Compare(CompareArgs),
    /// Copy what LEFT has and RIGHT lacks or has differently, and verify it
    #[command(after_help = transfer::COPY_EXAMPLES, after_long_help = format!("{}\n\n{}", transfer::COPY_EXAMPLES, crate::exit::EXPLAINED))]
    Copy(CopyArgs),
    /// Copy as `copy` does, then remove what only RIGHT has
    #[command(after_help = transfer::SYNC_EXAMPLES, after_long_help = format!("{}\n\n{}", transfer::SYNC_EXAMPLES, crate::exit::EXPLAINED))]
    Sync(SyncArgs),
    /// Remove what only one of two folders has
    #[command(after_help = transfer::ORPHANS_EXAMPLES, after_long_help = format!("{}\n\n{}", transfer::ORPHANS_EXAMPLES, crate::exit::EXPLAINED))]
    Orphans(OrphansArgs),
    /// Undo the last run on a folder: restores what it replaced or deleted, removes what it created
    #[command(after_help = runs::UNDO_EXAMPLES, after_long_help = format!("{}\n\n{}", runs::UNDO_EXAMPLES, crate::exit::EXPLAINED))]
    Undo(UndoArgs),
    /// List the runs on a folder: when, what, how they ended, whether they can be undone; delete what they keep
    #[command(after_help = runs::RUNS_EXAMPLES, after_long_help = format!("{}\n\n{}", runs::RUNS_EXAMPLES, crate::exit::EXPLAINED))]
    Runs(RunsArgs),
    /// Put a run in order that was interrupted by a crash, a power failure or force
    #[command(after_help = runs::RECOVER_EXAMPLES, after_long_help = format!("{}\n\n{}", runs::RECOVER_EXAMPLES, crate::exit::EXPLAINED))]
    Recover(RecoverArgs),
    /// Say what the volume of a folder keeps, takes and lets be proven
    #[command(after_help = runs::DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Open the window, on two folders or on none
    Gui(GuiArgs),
    /// Show compare, copy and verification on two small folders made for the purpose
    Demo(DemoArgs),
    /// List, read or change the settings that hold from run to run
    Settings(SettingsArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one page per command
    Man(ManArgs),
}

/// The two folders.
#[derive(Debug, Args)]
pub(crate) struct Pair {
    /// The first folder; for copy and sync, where files come from
    #[arg(value_name = "LEFT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) left: PathBuf,

    /// The second folder; for copy and sync, where files go
    #[arg(value_name = "RIGHT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) right: PathBuf,
}

/// What counts as a difference, and which items take part.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What counts")]
pub(crate) struct CompareOptions {
    /// What counts besides existence: size, created, modified, and at most one of content (BLAKE3 hash), sha512, bytes
    ///
    /// A list such as size,modified,content. Only files of equal size on both sides are ever read. Items on one side
    /// only always count; `--set compare_existence=off` changes that.
    #[arg(long, value_name = "LIST")]
    pub(crate) criteria: Option<Criteria>,

    /// How far apart two times may be and still be equal: exact, or a time such as 2s; 10ms if not given
    #[arg(long, value_name = "TIME")]
    pub(crate) tolerance: Option<Tolerance>,

    /// Times that are up to N whole hours apart are equal (1 if no number is given), as after a change of the clock
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub(crate) ignore_whole_hours: Option<u64>,

    /// Do not enter folders where another volume is mounted, on either side
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,

    /// Leave out what matches; may be repeated. Without a slash the pattern is matched against names
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Take in only what matches; may be repeated. Exclusions win
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
}

/// Settings for one run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings for this run")]
pub(crate) struct Tuning {
    /// How many folders are listed, and files hashed or copied, at once: 1 to 64
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<Jobs>,

    /// Read files whose content is only in the cloud, which downloads them; without it they are left alone
    #[arg(long)]
    pub(crate) fetch_placeholders: bool,

    /// Change any setting for this run; may be repeated. `fcs settings` lists them
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<Assignment>,
}

/// When to use colour, or to show progress.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    // No help texts: the words explain themselves, and clap lists them on one line then.
    #[default]
    Auto,
    Always,
    Never,
}

/// How much is shown.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "What is shown")]
pub(crate) struct Show {
    /// Show only what cannot be left out: differences, failures, questions
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Show more: equal items and reasons (compare), each item as it is done (the others)
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// When to show progress lines; auto means on a terminal
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) progress: When,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// The shape of the rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One line per item with its whole path
    #[default]
    Lines,
    /// Indented, each item below its folder
    Tree,
}

/// Arguments of `fcs compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) pair: Pair,

    #[command(flatten)]
    pub(crate) compare: CompareOptions,

    #[command(flatten)]
    pub(crate) tuning: Tuning,

    /// The shape of the output
    #[arg(long, value_enum, value_name = "SHAPE", default_value_t, help_heading = "What is shown")]
    pub(crate) format: Format,

    /// Print one JSON object per line: the rows, then notes, then the summary
    #[arg(long, conflicts_with = "format", help_heading = "What is shown")]
    pub(crate) json: bool,

    /// End each line with NUL instead of a line end, and print names as they are, byte for byte
    #[arg(
        short = '0',
        long = "null",
        conflicts_with_all = ["json", "format"],
        help_heading = "What is shown"
    )]
    pub(crate) null: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}

/// Arguments of `fcs gui`.
#[derive(Debug, Args)]
pub(crate) struct GuiArgs {
    /// The first folder; without folders, the window offers those used last
    #[arg(value_name = "LEFT", value_hint = clap::ValueHint::DirPath, requires = "right")]
    pub(crate) left: Option<PathBuf>,

    /// The second folder
    #[arg(value_name = "RIGHT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) right: Option<PathBuf>,
}

/// Arguments of `fcs demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to make the two folders: an empty or new folder; a temporary one if left out
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,

    /// Keep the folders afterwards
    #[arg(long)]
    pub(crate) keep: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// Arguments of `fcs settings`.
#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<SettingsAction>,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsAction {
    /// Show every setting: value, unit, default, range, meaning (the default)
    List,
    /// Print one value
    Get {
        /// The setting
        #[arg(value_parser = setting_names(), hide_possible_values = true)]
        name: String,
    },
    /// Change one value and keep it
    Set {
        /// The setting
        #[arg(value_parser = setting_names(), hide_possible_values = true)]
        name: String,
        /// The value, in the setting's unit or with one, such as 64MiB or 2s
        value: String,
    },
    /// Go back to the default of one setting, or of all
    Reset {
        /// The setting; all of them if it is left out
        #[arg(value_parser = setting_names(), hide_possible_values = true)]
        name: Option<String>,
    },
    /// Print where the settings are kept
    Path,
}

fn setting_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Settings::table().into_iter().map(|info| info.name))
}

/// Arguments of `fcs completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Arguments of `fcs man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write one page per command into this folder instead
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_says_what_it_does() {
        fn check(command: &clap::Command) {
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
