//! What can be typed for `fcs state`.

use clap::{Args, Subcommand};

use super::When;

pub(super) const EXAMPLES: &str = "\
A pair is two folders that were synchronised with each other, wherever their
disks are mounted. What is remembered of it are the items that both had alike
after the last run. It is kept in a folder of this user, never in the trees.
A pair whose memory is forgotten begins anew: its next run removes nothing.

Examples:
  fcs state list                     List the pairs
  fcs state show 3f2a                One pair; its name may be shortened
  fcs state show --items 3f2a        With each item that is remembered
  fcs state forget 3f2a              Forget one pair
  fcs state forget --all -y          Forget all pairs, without asking";

/// Arguments of `fcs state`.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) action: StateAction,
}

/// What to do with what is remembered.
#[derive(Debug, Subcommand)]
pub(crate) enum StateAction {
    /// List the pairs of folders that are remembered
    List(StateListArgs),
    /// Show what is remembered of a pair
    Show(StateShowArgs),
    /// Forget a pair, or all of them; no folder is changed
    Forget(StateForgetArgs),
}

impl StateAction {
    pub(crate) fn color(&self) -> When {
        match self {
            Self::List(args) => args.color,
            Self::Show(args) => args.color,
            Self::Forget(args) => args.color,
        }
    }
}

/// Arguments of `fcs state list`.
#[derive(Debug, Args)]
pub(crate) struct StateListArgs {
    /// Print one JSON object per pair
    #[arg(long)]
    pub(crate) json: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// Arguments of `fcs state show`.
#[derive(Debug, Args)]
pub(crate) struct StateShowArgs {
    /// The pair, as `fcs state list` names it, or the beginning of that name
    #[arg(value_name = "PAIR")]
    pub(crate) pair: String,

    /// Show each item, too
    #[arg(long)]
    pub(crate) items: bool,

    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// Arguments of `fcs state forget`.
#[derive(Debug, Args)]
pub(crate) struct StateForgetArgs {
    /// The pair, as `fcs state list` names it, or the beginning of that name
    #[arg(value_name = "PAIR", required_unless_present = "all")]
    pub(crate) pair: Option<String>,

    /// Forget every pair
    #[arg(long, conflicts_with = "pair")]
    pub(crate) all: bool,

    /// Go ahead without asking
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,

    /// Print one JSON object per pair that was forgotten
    #[arg(long)]
    pub(crate) json: bool,

    /// When to use colour; auto means on a terminal and without `NO_COLOR`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}
