//! The one settings table of the process, which every call of the engine reads when it begins.

use std::sync::{Mutex, PoisonError};

use fcs_engine::Settings;
use fcs_engine::settings::{SettingError, SettingInfo, Unit};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

static TABLE: Mutex<Option<Settings>> = Mutex::new(None);

/// The settings as they are now.
pub(crate) fn now() -> Settings {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
}

type TableRow = (String, String, Py<PyAny>, Option<u64>, Option<u64>, Option<Vec<String>>, String);

/// All settings: (name, unit, default, smallest, largest, choices, meaning). The unit is "bytes", "count", "milliseconds",
/// "nanoseconds", "choice", "switch", "path" or "name".
#[pyfunction]
pub(crate) fn settings_table(py: Python<'_>) -> PyResult<Vec<TableRow>> {
    Settings::table().iter().map(|info| row(py, info)).collect()
}

fn row(py: Python<'_>, info: &SettingInfo) -> PyResult<TableRow> {
    let (unit, choices) = match info.unit {
        Unit::Bytes => ("bytes", None),
        Unit::Count => ("count", None),
        Unit::Nanoseconds => ("nanoseconds", None),
        Unit::Milliseconds => ("milliseconds", None),
        Unit::Choice(words) => ("choice", Some(words.iter().map(|&word| word.to_owned()).collect())),
        Unit::Switch => ("switch", None),
        Unit::Path => ("path", None),
        Unit::Name => ("name", None),
    };
    let default = typed(py, info.unit, &info.default)?;
    let (least, most) = info.range.clone().map_or((None, None), |r| (Some(*r.start()), Some(*r.end())));
    Ok((info.name.into(), unit.into(), default, least, most, choices, info.meaning.into()))
}

/// A value as Python has it.
fn typed(py: Python<'_>, unit: Unit, text: &str) -> PyResult<Py<PyAny>> {
    match unit {
        Unit::Switch => (text == "true").into_py_any(py),
        Unit::Choice(_) | Unit::Path | Unit::Name => text.into_py_any(py),
        _ => match text.parse::<u64>() {
            Ok(number) => number.into_py_any(py),
            Err(_) => text.into_py_any(py),
        },
    }
}

fn info(name: &str) -> PyResult<SettingInfo> {
    let found = Settings::table().into_iter().find(|info| info.name == name);
    found.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> PyErr {
    PyKeyError::new_err(format!("There is no setting {name}."))
}

/// A setting's value: `int`, `bool` or `str`.
#[pyfunction]
pub(crate) fn setting(py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
    let text = now().get(name).map_err(|_| unknown(name))?;
    typed(py, info(name)?.unit, &text)
}

/// Sets a setting for every call that begins from now on. `ValueError` for a value that it cannot have, which changes nothing.
#[pyfunction]
pub(crate) fn set_setting(name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let info = info(name)?;
    let is_switch = matches!(info.unit, Unit::Switch);
    let text = if let Ok(switch) = value.cast_exact::<PyBool>() {
        if !is_switch {
            return Err(PyTypeError::new_err(format!("{name} is no switch, so it cannot be {switch}.")));
        }
        switch.is_true().to_string()
    } else if value.is_instance_of::<PyInt>() && !is_switch {
        value.str()?.to_string()
    } else if let Ok(text) = value.cast::<PyString>() {
        text.to_cow()?.into_owned()
    } else {
        let expected = if is_switch { "True or False" } else { "a number or a text" };
        return Err(PyTypeError::new_err(format!("{name} takes {expected}.")));
    };
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.get_or_insert_default().set(name, &text).map_err(|error| match error {
        SettingError::UnknownName(_) => unknown(name),
        other => PyValueError::new_err(other.to_string()),
    })
}

/// Gives every setting its default.
#[pyfunction]
pub(crate) fn reset_settings() {
    *TABLE.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
