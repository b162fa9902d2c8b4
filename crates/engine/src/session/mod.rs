//! What every front end does with two folders: open and validate them, compare, propose, run; and with one: undo,
//! recover, prune.
//!
//! The command line, the window and programs that use this library call the same functions, so none of them can do
//! something with files that the others do differently.
//!
//! ```
//! use fcs_engine::compare::Side;
//! use fcs_engine::run::RunOptions;
//! use fcs_engine::session::{self, Folders, Limits, Task};
//! use fcs_engine::{Control, Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tmp = tempfile::tempdir()?;
//! let (left, right) = (tmp.path().join("left"), tmp.path().join("right"));
//! std::fs::create_dir(&left)?;
//! std::fs::create_dir(&right)?;
//! std::fs::write(left.join("letter.txt"), "Dear reader")?;
//!
//! let (settings, control) = (Settings::default(), Control::default());
//! let folders = Folders::open(&left, &right, &[], &[], &settings)?;
//! let comparison = folders.compare(&settings, &control)?;
//! let task = Task::Copy(Side::Right);
//! let proposal = folders.propose(task, &comparison, &|_| true, &settings, &Limits::default());
//! assert!(!proposal.preflight.refuses() && proposal.excess.is_none());
//!
//! let report = folders.run(&proposal, &settings, &RunOptions::default(), &control)?;
//! assert_eq!(report.counts.copied, 1);
//! assert_eq!(std::fs::read_to_string(right.join("letter.txt"))?, "Dear reader");
//!
//! let undone = session::undo(&folders.right, Some(&report.run), &control)?;
//! assert!(undone.is_clean() && !right.join("letter.txt").exists());
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: nothing is written before [`Folders::run`], except by [`Folders::try_volume`]; what changes a folder first
//! makes sure that its path still leads to it. This module must not know a terminal, the environment, or where a user
//! keeps settings, logs and memories: what of these matters comes in as data.

mod durable;
mod folders;
mod mounts;
mod root;
mod second;
mod series;
mod task;
mod terms;
mod together;
mod withheld;

use std::path::PathBuf;

use crate::compare::Side;
use crate::error::display_path;
use crate::preflight::Problem;
use crate::{Error, StartError};

pub use durable::make_durable;
pub use folders::Folders;
pub(crate) use folders::filter;
pub use mounts::Mounts;
pub(crate) use root::start;
pub use root::{check_not_moved, clear_leftovers, open, prune, recover, undo};
pub use second::fill_plan;
pub use series::{FileOutcome, FileReport, Series, SeriesReport};
pub use task::{Limits, Proposal, SideGuard, Task};
pub use terms::root_identity;
pub use together::{
    BeforeUndo, InRoot, OutOfReach, Part, belonging_in, out_of_reach, recover_in_all, roots_of, roots_of_all,
    to_undo, undo_in_all, unfinished_in_all,
};

/// Why something could not begin. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A folder could not be opened.
    #[error("{error}")]
    Open {
        /// Which of two it was to be; `None` for the folder of a command that works on one.
        side: Option<Side>,
        /// Why.
        error: Error,
    },
    /// The two folders cannot be compared with each other.
    #[error("{}", texts(.0))]
    Refused(Vec<Problem>),
    /// A pattern is not valid.
    #[error("{0}")]
    Pattern(Error),
    /// The path that was agreed to leads elsewhere now.
    #[error("Could not begin: {} is not the same folder any more ({why}).", display_path(path))]
    Moved {
        /// The path.
        path: PathBuf,
        /// What is there.
        why: String,
    },
    /// An undo could not be finished: the run is over in this root, and another one that it wrote to is not where it was.
    #[error(
        "Could not finish the undo of run {}: it was undone on {}, but it wrote to {} too, {}. Nothing was changed.",
        out.run, display_path(root), out.path, out.reason()
    )]
    OutOfReach {
        /// The root that was asked.
        root: PathBuf,
        /// The other one.
        out: OutOfReach,
    },
    /// A run, an undo, a recovery or a pruning could not begin.
    #[error("{error}")]
    Start {
        /// The folder that was to be written to.
        root: PathBuf,
        /// Why.
        error: StartError,
    },
}

fn texts(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.text.as_str()).collect::<Vec<_>>().join("\n")
}
