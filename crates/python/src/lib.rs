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

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        super::refuse_further_interpreters(module.py())
    }
}

/// The settings table and the exception classes are one for the process, so a second interpreter would share them with the
/// first. CPython refuses it by itself from 3.12 on.
fn refuse_further_interpreters(py: Python<'_>) -> PyResult<()> {
    let found = ["_interpreters", "_xxsubinterpreters"].into_iter().find_map(|name| py.import(name).ok());
    let Some(interpreters) = found else { return Ok(()) };
    let (this, main) = (interpreters.call_method0("get_current")?, interpreters.call_method0("get_main")?);
    if this.eq(main)? {
        return Ok(());
    }
    Err(pyo3::exceptions::PyImportError::new_err(
        "foldercomparesync works in the main interpreter of a process alone, and this is another interpreter.",
    ))
}
