//! The dates of one item: [`fcs_engine::times`].

use fcs_engine::times::{self, NotSetReason};
use fcs_sys::{Time, Times};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

use crate::path::AnyPath;
use crate::text::raised;

/// Nanoseconds since 1970 as the engine has them.
fn time(nanos: i128) -> PyResult<Time> {
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000));
    let seconds = seconds.map_err(|_| PyOverflowError::new_err("That date is out of range."))?;
    Ok(Time::new(seconds, nanos.rem_euclid(1_000_000_000) as u32))
}

/// When an item was created (`None` where its volume does not say) and modified, in nanoseconds since 1970.
#[pyfunction]
pub(crate) fn times_ns(py: Python<'_>, path: AnyPath) -> PyResult<(Option<i128>, i128)> {
    let found = py.detach(|| times::read(&path)).map_err(|error| raised(&error))?;
    Ok((found.created.map(Time::as_nanos), found.modified.as_nanos()))
}

/// Sets the dates that are given. `False` where the item does not have one of them as it was asked for: this system cannot
/// set it, or the volume stores it in coarser steps.
#[pyfunction]
pub(crate) fn set_times_ns(
    py: Python<'_>,
    path: AnyPath,
    created: Option<i128>,
    modified: Option<i128>,
) -> PyResult<bool> {
    let wanted = Times { created: created.map(time).transpose()?, modified: modified.map(time).transpose()? };
    let done = py.detach(|| times::set(&path, wanted)).map_err(|error| raised(&error))?;
    Ok(done.not_set.is_empty())
}

/// Gives one item the dates of another, exactly. `True` also where this volume cannot have one of them as it is: the created
/// time that no program can set here, or steps that it cuts to.
#[pyfunction]
pub(crate) fn copy_times(py: Python<'_>, source: AnyPath, target: AnyPath) -> PyResult<bool> {
    let done = py.detach(|| times::copy(&source, &target)).map_err(|error| raised(&error))?;
    let is_wrong = |why| matches!(why, NotSetReason::OutOfRange | NotSetReason::Other);
    Ok(!done.not_set.iter().any(|not_set| is_wrong(not_set.why)))
}
