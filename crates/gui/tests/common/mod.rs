//! What the window's tests share: a renderer without a graphics card, and comparisons of small trees made on the disk.

#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used, clippy::expect_used)] // Each test uses a part.

mod bench;
mod cpu;
mod told;
mod trees;
mod user;

pub use bench::{Answers, Bench};
pub use cpu::CpuRenderer;
pub use told::{assert_told, told};
pub use trees::{Item, Trees, file, folder};
pub use user::*;

/// Whether a name that a screen reader says holds a glyph of the icon font.
pub fn has_icon(text: &str) -> bool {
    text.chars().any(|c| ('\u{E000}'..='\u{F8FF}').contains(&c))
}
