//! How anything reaches the user: text, JSON, colour, progress; the two streams.
//!
//! Invariant: nothing in here knows what is being told.

pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod terminal;
pub(crate) mod text;
