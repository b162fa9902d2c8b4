//! What can be typed: commands and options, defined once. Help, completions and man pages come from here.
//!
//! Invariant: nothing is opened, read or decided here; a value that parses is only well-formed. What an option does
//! to the engine is in `options.rs`.

mod runs;
mod state;
mod times;
mod transfer;
pub(crate) mod values;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fcs_engine::Settings;

use self::values::{Assignment, Criteria, Jobs, Tolerance, whole_number};

pub(crate) use runs::{DoctorArgs, LeftoversChoice, RecoverArgs, RunsArgs, UndoArgs, UpTo};
pub(crate) use state::{StateAction, StateArgs, StateForgetArgs, StateShowArgs};
pub(crate) use times::{
    Applying, TimesAction, TimesArgs, TimesCommon, TimesCopyArgs, TimesRepairArgs, TimesSetArgs,
    TimesShowArgs, TimesVerifyArgs,
};
pub(crate) use transfer::{
    CopyArgs, Copying, Destination, ModeChoice, OnCancelChoice, OnErrorChoice, OrphansArgs, Removing,
    Running, SideChoice, SyncArgs,
};

// Lines of at most 78 columns, because clap breaks longer ones without regard to their indent.
const EXAMPLES: &str = "\
Examples:
  fcs demo                            See it work on two small folders
  fcs compare Photos /mnt/b/Photos    List the differences; nothing is changed
  fcs copy -n Photos /mnt/b/Photos    List what would be copied, and how
  fcs copy Photos /mnt/b/Photos       Copy the differences and verify them
  fcs undo /mnt/b/Photos              Undo the last run
  fcs gui Photos /mnt/b/Photos        Do the same in a window
  fcs settings                        List every threshold with its meaning

LEFT and RIGHT always mean the contents of these folders; a trailing slash
changes nothing. `fcs help COMMAND` explains a command.";

const COMPARE_EXAMPLES: &str = "\
Lines begin with a mark:
  =  the same (shown with -v)
  *  on both sides, but different
  +  only in LEFT
  -  only in RIGHT
  !  a problem: unreadable, not comparable, or a clash of names or kinds

Examples:
  fcs compare a b                           By existence, size and times
  fcs compare --criteria size,content a b   Read files; ignore times
  fcs compare --tolerance 2s a /mnt/stick   For dates on a FAT volume
  fcs compare --json a b | jq .             One JSON object per line";

/// Compare two folders, copy the differences, verify every copy.
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
    /// List the differences between two folders
    #[command(after_help = COMPARE_EXAMPLES, after_long_help = format!("{COMPARE_EXAMPLES}\n\n{}", crate::exit::EXPLAINED))]
    Compare(CompareArgs),
    /// Copy new and changed items from LEFT to RIGHT, and verify them
    #[command(after_help = transfer::COPY_EXAMPLES, after_long_help = format!("{}\n\n{}", transfer::COPY_EXAMPLES, crate::exit::EXPLAINED))]
    Copy(CopyArgs),
    /// Make RIGHT what LEFT is, or bring both together (--mode)
    #[command(after_help = transfer::SYNC_EXAMPLES, after_long_help = format!("{}\n\n{}", transfer::SYNC_EXAMPLES, crate::exit::EXPLAINED))]
    Sync(SyncArgs),
    /// Remove items that only one of the two folders has
    #[command(after_help = transfer::ORPHANS_EXAMPLES, after_long_help = format!("{}\n\n{}", transfer::ORPHANS_EXAMPLES, crate::exit::EXPLAINED))]
    Orphans(OrphansArgs),
    /// Undo the last run on a folder: restore what it replaced or deleted, remove what it created
    #[command(after_help = runs::UNDO_EXAMPLES, after_long_help = format!("{}\n\n{}", runs::UNDO_EXAMPLES, crate::exit::EXPLAINED))]
    Undo(UndoArgs),
    /// List the runs on a folder and their results; prune the originals that they keep
    #[command(after_help = runs::RUNS_EXAMPLES, after_long_help = format!("{}\n\n{}", runs::RUNS_EXAMPLES, crate::exit::EXPLAINED))]
    Runs(RunsArgs),
    /// Recover a run that was interrupted by a crash, a power failure or a kill
    #[command(after_help = runs::RECOVER_EXAMPLES, after_long_help = format!("{}\n\n{}", runs::RECOVER_EXAMPLES, crate::exit::EXPLAINED))]
    Recover(RecoverArgs),
    /// Show or forget what is remembered of pairs of folders
    #[command(after_help = state::EXAMPLES)]
    State(StateArgs),
    /// Show, set, copy, verify or repair created and modified times, and nothing else
    #[command(after_help = times::EXAMPLES, after_long_help = format!("{}\n\n{}", times::EXAMPLES, crate::exit::EXPLAINED))]
    Times(TimesArgs),
    /// Report what the volume of a folder supports: names, dates, permissions, locks, evidence
    #[command(after_help = runs::DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Open the window, on two folders or on none
    Gui(GuiArgs),
    /// Show compare, copy and verification on two small example folders
    Demo(DemoArgs),
    /// List, read or change the saved settings
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

/// What is compared, and which items are included.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Compare by")]
pub(crate) struct CompareOptions {
    /// Criteria besides existence: size, created, modified, and at most one of content (BLAKE3 hash), sha512, bytes
    ///
    /// A list such as size,modified,content. Only files of equal size on both sides are read. Items on one side only
    /// are always differences; `--set compare_existence=off` changes that.
    #[arg(long, value_name = "LIST")]
    pub(crate) criteria: Option<Criteria>,

    /// Treat times that are at most this far apart as equal: exact, or a time such as 2s; 10ms by default
    #[arg(long, value_name = "TIME")]
    pub(crate) tolerance: Option<Tolerance>,

    /// Treat times that are up to N whole hours apart as equal (by default 1), as after a clock change
    #[arg(long, value_name = "N", value_parser = whole_number, num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub(crate) ignore_whole_hours: Option<u64>,

    /// Do not enter folders where another volume is mounted, on either side
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,

    /// Exclude matching items; may be repeated. A pattern without a slash matches names
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Include only matching items; may be repeated. Exclusions win
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
}

/// Settings for one run.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings for this run")]
pub(crate) struct Tuning {
    /// Number of folders listed, and of files hashed or copied, at once: 1 to 64
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<Jobs>,

    /// Read files whose content is only in the cloud, which downloads them; by default they are left alone
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
#[command(next_help_heading = "Output")]
pub(crate) struct Show {
    /// Show only differences, failures and questions
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Show more: equal items and reasons (compare), each finished item (other commands)
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

    /// Shape of the output
    #[arg(long, value_enum, value_name = "SHAPE", default_value_t, help_heading = "Output")]
    pub(crate) format: Format,

    /// Print one JSON object per line: the rows, then notes, then the summary
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub(crate) json: bool,

    /// End each line with NUL, and print names byte for byte
    #[arg(
        short = '0',
        long = "null",
        conflicts_with_all = ["json", "format"],
        help_heading = "Output"
    )]
    pub(crate) null: bool,

    #[command(flatten)]
    pub(crate) show: Show,
}

/// Arguments of `fcs gui`.
#[derive(Debug, Args)]
pub(crate) struct GuiArgs {
    /// The first folder; without folders, the window offers recent ones
    #[arg(value_name = "LEFT", value_hint = clap::ValueHint::DirPath, requires = "right")]
    pub(crate) left: Option<PathBuf>,

    /// The second folder
    #[arg(value_name = "RIGHT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) right: Option<PathBuf>,
}

/// Arguments of `fcs demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Create the two folders in this new or empty folder; by default in a temporary one
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
    /// Change one value and save it
    Set {
        /// The setting
        #[arg(value_parser = setting_names(), hide_possible_values = true)]
        name: String,
        /// The value, in the setting's unit or with one, such as 64MiB or 2s
        value: String,
    },
    /// Reset one setting, or all, to the default
    Reset {
        /// The setting; all of them by default
        #[arg(value_parser = setting_names(), hide_possible_values = true)]
        name: Option<String>,
    },
    /// Print the path of the settings file
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
