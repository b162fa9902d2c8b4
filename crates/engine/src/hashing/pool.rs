//! Several threads that take one job after the other from a list.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does all jobs in up to `workers` threads, this one among them; each has a state of its own, which `begin` makes.
/// Returns these states, and whether a worker ended early because `job` broke off.
pub(crate) fn work<J: Sync, W: Send>(
    name: &str,
    workers: usize,
    jobs: &[J],
    begin: impl Fn() -> W + Sync,
    job: impl Fn(&mut W, &J) -> ControlFlow<()> + Sync,
) -> (Vec<W>, bool) {
    let (next, broke_off, states) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    let worker = || {
        let mut state = begin();
        while let Some(one) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if job(&mut state, one).is_break() {
                broke_off.store(true, Ordering::Relaxed);
                break;
            }
        }
        states.lock().unwrap_or_else(PoisonError::into_inner).push(state);
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            if std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, worker).is_err() {
                break; // fewer workers do the same
            }
        }
        worker();
    });
    (states.into_inner().unwrap_or_else(PoisonError::into_inner), broke_off.into_inner())
}
