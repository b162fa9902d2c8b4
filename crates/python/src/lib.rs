//! `foldercomparesync._engine`: the engine for Python.

use pyo3::prelude::*;

/// The engine of FolderCompareSync.
#[pymodule]
mod _engine {
    /// The version of the engine.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
