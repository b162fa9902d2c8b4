//! Paths as Python programs have them: `str`, `bytes` or `os.PathLike`, exactly.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A path that a caller passed.
pub(crate) struct AnyPath(PathBuf);

impl Deref for AnyPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<'py> FromPyObject<'_, 'py> for AnyPath {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let path = if let Ok(path) = object.extract::<PathBuf>() {
            path
        } else {
            // What is no text: `bytes`, or a path-like object that has some.
            let text = object.py().import("os")?.call_method1("fsdecode", (object,))?;
            PathBuf::from(text.extract::<OsString>()?)
        };
        // The system would take what comes before it for the whole.
        if path.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(PyValueError::new_err("embedded null byte in a path"));
        }
        Ok(Self(path))
    }
}
