//! The commands that stand alone, one module each; copy, sync and orphans share [`crate::run`].
//!
//! Invariant: a command reads its arguments, calls the engine, shows what came back and returns an exit code. None
//! decides about a file.

pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod docs;
pub(crate) mod doctor;
pub(crate) mod gui;
pub(crate) mod recover;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod times;
pub(crate) mod undo;

mod recovery;
