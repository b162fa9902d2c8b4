//! What the command line and the window share: the settings file, opening two folders, estimates, a run in words.
//!
//! Invariant: whatever both front ends say about the same thing is said here, once. This crate must not know a
//! terminal or a toolkit; of the environment it reads the name of the settings file and the time zone.

pub mod doctor;
pub mod estimate;
pub mod folders;
pub mod outcome;
pub mod overview;
pub mod report_file;
pub mod run_log;
pub mod settings_file;
pub mod task;
pub mod trouble;
pub mod volumes;
