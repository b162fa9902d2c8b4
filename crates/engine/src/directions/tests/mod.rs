//! Decisions about models, and what plans make of them.

mod modes;
