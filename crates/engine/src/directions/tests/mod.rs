//! Decisions about models, and what plans make of them.

mod apply;
mod invariants;
mod modes;
mod reference;
mod scenarios;
mod whole;
