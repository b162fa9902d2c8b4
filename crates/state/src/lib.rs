//! What the program remembers of pairs of folders: the items that both sides had alike after the last run, so that the
//! next one can tell what was removed from what is new, and which side changed.
//!
//! ```text
//! folder ─ States ─┬─ <pair>.json   which two folders; what `list` shows
//!                  └─ <pair>.redb   the memory itself, see [`store`]
//! ```
//!
//! The folder is the front end's choice and never in one of the trees ([`States::is_apart`]): what is on a disk is away
//! with it, and a copy of a tree would take its memory along. A pair is known by what its two folders are, not by where
//! they are ([`fcs_engine::memory::RootIdentity`]); with left and right exchanged it is the same pair, seen mirrored.
//!
//! # What a caller owes
//!
//! * Save only what is durable and verified on both sides, after the run: a memory that is ahead of the disks lets a
//!   later run take for a removal what never arrived. After a crash the memory may be behind; that costs a question,
//!   never a file.
//! * Go by a memory only under the terms it was made under ([`fcs_engine::memory::Terms::other_than`]). Under others,
//!   and where [`Pair::load`] returns an error, the rules of a first run hold, and the user is told why.
//! * Nothing here knows whether another computer has changed the folders since. The stamps do.
//!
//! Invariant: a memory is loaded whole and as it was saved, or not at all. A save is one transaction: whoever dies in
//! it leaves what was there before or what was to be. This crate must not know a terminal, the environment, or the two
//! trees.

mod codec;
mod index;
mod locks;
#[cfg(test)]
mod made;
mod pair;
mod states;
mod store;

use std::io;
use std::path::PathBuf;

use fcs_engine::error::display_path;

pub use index::{BadPairId, PairId};
pub use locks::{HeldLocks, LockError, LockName, Use};
pub use pair::{Loaded, Pair, Saved, Start};
pub use states::{Limits, Lookalike, PairInfo, Pruned, States};
pub use store::KeptRun;

/// Why a memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is none, as before a first run.
    #[error("nothing is remembered of these two folders yet")]
    Missing,
    /// It is not as it was saved.
    #[error("Could not read {}: it is damaged ({why}).", display_path(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// Another version of the program saved it.
    #[error("Could not read {}: {why}.", display_path(path))]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// Another process has it open.
    #[error("Could not open {}: another process uses it.", display_path(path))]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Somebody saved since it was loaded.
    #[error("Could not save {}: it was changed since it was loaded.", display_path(path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A save that goes on from what was loaded, of which nothing was.
    #[error("Could not save {}: it was not loaded.", display_path(path))]
    NotLoaded {
        /// The file.
        path: PathBuf,
    },
    /// It is not known what that run changed.
    #[error("Could not forget what run {run} changed in {}: that is not known.", display_path(path))]
    NoSuchRun {
        /// The file.
        path: PathBuf,
        /// The run.
        run: String,
    },
    /// The system refused.
    #[error("Could not {op} {}: {error}.", display_path(path))]
    Io {
        /// What was tried.
        op: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// Why a memory cannot be used, in one word, for programs.
impl StateError {
    /// `missing`, `damaged`, `other-version`, `in-use`, `changed`, `not-loaded`, `no-such-run` or `io`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Damaged { .. } => "damaged",
            Self::OtherVersion { .. } => "other-version",
            Self::InUse { .. } => "in-use",
            Self::Changed { .. } => "changed",
            Self::NotLoaded { .. } => "not-loaded",
            Self::NoSuchRun { .. } => "no-such-run",
            Self::Io { .. } => "io",
        }
    }

    fn io(op: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { op, path, error }
    }
}
