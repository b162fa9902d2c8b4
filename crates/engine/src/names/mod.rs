//! What names mean: which are one ([`fold`], [`NameOrder`]), which this program makes beside and below the files of a user
//! (`staged_name` and the like), and which belong to a system or cannot be had on one (`is_system_item`).
//!
//! That a name is one component of a path and no more is checked by [`fcs_sys::Name`], which also knows the names that are
//! reserved for this program.

mod folding;
mod ours;
mod reserved;

pub use folding::{NameOrder, fold};
pub(crate) use ours::{
    aside_name, damaged_name, is_ours, is_reserved, is_unlisted, kept_name, own, run_and_step, staged_name,
    step_of, taken_name, unlisted_name,
};
pub(crate) use reserved::{
    holds_what_windows_forbids, is_device_name, is_reachable_on_windows, is_system_item,
};
