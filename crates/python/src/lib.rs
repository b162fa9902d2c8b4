//! `foldercomparesync._engine`: the engine for Python.
//!
//! Thin: it turns arguments into what `fcs_engine::session` takes, and what that returns into plain attributes. Which policy
//! a program wants, how its callbacks are treated and what its constants are called is for the Python sources.
//!
//! Invariants: the interpreter is left free during every call of the engine; no lock of ours is held while Python code
//! runs or is waited for; nothing here panics on what a caller passes. This crate must not know Tk.

// Arguments are made from what a caller passed, and are ours; the documentation is Python's, which has no backticks.
#![allow(clippy::needless_pass_by_value, clippy::doc_markdown)]

mod path;
mod places;
mod poll;
mod series;
mod settings;
mod text;
mod times;
mod trees;

use pyo3::prelude::*;

pyo3::create_exception!(
    foldercomparesync._engine,
    EngineError,
    pyo3::exceptions::PyException,
    "The engine refused; the text is a whole sentence, and says what to do."
);

/// The engine of FolderCompareSync.
///
/// Paths are `str`, `bytes` or `os.PathLike`. Nothing here is made for interpreters without a global lock.
#[pymodule(gil_used = true)]
mod _engine {
    #[pymodule_export]
    use super::EngineError;
    #[pymodule_export]
    use super::places::{drive_type, is_unc, strategy};
    #[pymodule_export]
    use super::series::{CopyOutcome, Operation};
    #[pymodule_export]
    use super::settings::{reset_settings, set_setting, setting, settings_table};
    #[pymodule_export]
    use super::times::{copy_times, set_times_ns, times_ns};
    #[pymodule_export]
    use super::trees::{
        Comparison, RecoveryReport, Row, RunInfo, RunReport, compare, copy_tree, recover, runs, sync_tree,
        undo,
    };

    /// The version of the engine.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
