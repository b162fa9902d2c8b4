//! Test means shared by the crates: real file systems on loop devices, a simulated disk that can lose power, hostile
//! and random trees, an independent listing to compare trees by, a runner for the `fcs` program, and skips that cannot
//! go unnoticed.
//!
//! Invariant: no oracle uses the crates it helps to test. A judge that shares code with what it judges would share
//! its mistakes too, so the listing reads through std alone. Only [`faulty`], [`memory`] and `sim` know `fcs-sys`, whose
//! traits they wrap and implement, and [`conformance`], which asks whether they are kept.
//!
//! Most of it is Linux-only, because the file systems it relies on are. Elsewhere there are [`bin`], [`conformance`],
//! [`faulty`], [`memory`] and [`mod@skip`], on Windows `listing`, and `sim` where error codes are those of Unix.

// Test support: a broken test bench should stop the test on the spot, with the place where it broke.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]
// Names here hold line ends and terminal commands on purpose; the quoted form is the one that can be shown.
#![allow(clippy::unnecessary_debug_formatting)]

pub mod bin;
pub mod conformance;
pub mod faulty;
pub mod fuzz;
#[cfg(target_os = "linux")]
pub mod image;
#[cfg(any(target_os = "linux", windows))]
pub mod listing;
pub mod memory;
#[cfg(unix)]
pub mod sim;
pub mod skip;
#[cfg(target_os = "linux")]
pub mod tree;
#[cfg(unix)]
pub mod user;
#[cfg(target_os = "linux")]
pub mod vices;
#[cfg(target_os = "linux")]
pub mod volume;

pub use bin::{Fcs, Run};
#[cfg(target_os = "linux")]
pub use image::{FsKind, Image, ImageOptions, for_each_image, unmount};
#[cfg(any(target_os = "linux", windows))]
pub use listing::{Item, Kind, Listing, Options, diff, listing};
pub use skip::{Skip, every, skip};
#[cfg(target_os = "linux")]
pub use tree::{Hostile, TreeSpec, TreeTotals, deep_tree, hostile_tree, random_tree};
#[cfg(target_os = "linux")]
pub use user::as_plain_user;
#[cfg(unix)]
pub use user::{PLAIN_USER, give_to_plain_user};
#[cfg(target_os = "linux")]
pub use vices::{Call, Vice, Wicked};
#[cfg(target_os = "linux")]
pub use volume::{Medium, Volume, for_each_volume};
