//! Waits for the engine on another thread, while the calling one asks Python now and then whether to go on.
//!
//! Invariants: Python code is called on the thread that called us, never on one of the engine's. An `Exception` that it raises
//! counts as "go on"; what is none, such as an interrupt, cancels the work, is waited for, and raised.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use fcs_engine::Control;
use fcs_engine::progress::Snapshot;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;

/// How often a caller is asked, unless it says otherwise.
pub(crate) const INTERVAL: f64 = 0.1;

/// Does `work` on a thread of its own, and calls `ask` every `interval` seconds with the counters; `ask` says whether to
/// cancel. With an interrupt of Python the work is cancelled, waited for, and the interrupt is raised.
pub(crate) fn with_polls<T: Send>(
    py: Python<'_>,
    control: &Control,
    interval: f64,
    mut ask: impl FnMut(Python<'_>, &Snapshot) -> PyResult<bool>,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    let interval = Duration::try_from_secs_f64(interval).unwrap_or(Duration::from_millis(100));
    let interval = interval.clamp(Duration::from_millis(1), Duration::from_secs(10));
    let mut interrupt = None;
    let done = std::thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel(1);
        let started = std::thread::Builder::new().name("fcs-python".into()).spawn_scoped(scope, move || {
            // The one who waits takes it.
            let _ = send.send(guarded(work));
        });
        if let Err(error) = started {
            return Err(PyErr::from(error));
        }
        let receive = std::sync::Mutex::new(receive);
        loop {
            let waited = py.detach(|| {
                let receive = receive.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                receive.recv_timeout(interval)
            });
            match waited {
                Ok(done) => return done,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(defect());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if interrupt.is_none()
                && let Err(error) = py.check_signals()
            {
                interrupt = Some(error);
                control.cancel.cancel();
            }
            if interrupt.is_none() {
                match ask(py, &control.progress.snapshot()) {
                    Ok(false) => {}
                    Ok(true) => control.cancel.cancel(),
                    Err(error) => {
                        interrupt = Some(error);
                        control.cancel.cancel();
                    }
                }
            }
        }
    });
    match interrupt {
        Some(error) => Err(error),
        None => done,
    }
}

/// What a poll function of Python answers: whether to cancel. What it raises is none, but for what ends a program.
pub(crate) fn cancels(py: Python<'_>, answer: PyResult<Py<PyAny>>) -> PyResult<bool> {
    match answer.and_then(|answer| answer.bind(py).is_truthy()) {
        Err(error) if !error.is_instance_of::<PyException>(py) => Err(error),
        answer => Ok(answer.unwrap_or(false)),
    }
}

/// Does it; a panic is an exception that programs catch as any.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> PyResult<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|_| defect())
}

fn defect() -> PyErr {
    PyRuntimeError::new_err("The engine ended in a panic. Recover the run before you go on.")
}
