//! Ctrl-C: the torture ends after the cycle it is in, so that everything is unmounted and detached in order.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens from now on.
pub(crate) fn listen() -> Result<(), String> {
    let handler = || {
        ASKED.store(true, Ordering::Relaxed);
        eprintln!("ending after this cycle");
    };
    ctrlc::set_handler(handler).map_err(|error| format!("no signal handler: {error}"))
}

/// Whether the user wants it to end.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
