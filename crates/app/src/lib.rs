//! What the command line and the window share: files of the user (settings, reports, logs), estimates, a run in words,
//! and what to do about what went wrong. What they do with folders is [`fcs_engine::session`].
//!
//! Invariant: whatever both front ends say about the same thing is said here, once. This crate must not know a
//! terminal or a toolkit; of the environment it reads the name of the settings file and the time zone.

pub mod actions;
pub mod doctor;
pub mod estimate;
pub mod hints;
pub mod known;
pub mod newer;
pub mod outcome;
pub mod overview;
pub mod pairs;
pub mod remembering;
pub mod report_file;
pub mod run_log;
pub mod settings_file;
pub mod times;
pub mod together;
pub mod user_error;
pub mod volumes;
