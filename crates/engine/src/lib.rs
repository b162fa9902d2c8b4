//! The engine of FolderCompareSync: two observations of folder trees become a comparison, the comparison becomes a
//! plan, and the plan becomes committed files with evidence.
//!
//! ```text
//! scan(left) ──┐
//!              ├─ compare ─▶ Comparison ─ plan ─▶ Plan ─ run ─▶ Report
//! scan(right) ─┘
//! ```
//!
//! Each arrow is plain data. Everything that touches a disk goes through [`fcs_sys::Dir`] and [`fcs_sys::File`].
//!
//! The engine never touches a terminal, the environment or a home directory, and knows no words of a user interface
//! beyond its own error messages.

pub mod access;
pub mod compare;
mod dates;
mod dir_cache;
mod dir_cursor;
pub mod directions;
pub mod doctor;
pub mod error;
pub mod filter;
pub mod guard;
mod hashing;
pub mod history;
mod identity;
mod lift;
pub mod memory;
#[cfg(test)]
mod model;
pub mod moves;
pub mod names;
mod ops;
pub mod plan;
#[cfg(fcs_planted)]
pub mod planted;
pub mod preflight;
pub mod probe;
pub mod progress;
pub mod report;
pub mod run;
pub mod scan;
pub mod session;
pub mod settings;
mod stored;
pub mod times;
pub mod tree;

pub use error::{Error, ErrorKind, Note, Op, Result, TargetState};
pub use history::StartError;
pub use progress::{Cancel, Control, Observer, OnCancel, Progress};
pub use settings::Settings;
pub use stored::StoredFileError;
