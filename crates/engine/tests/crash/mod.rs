//! Scenarios on the simulated disk, every state a crash may leave of them, and what must hold in each.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod cases;
pub mod check;
pub mod explore;
pub mod roots;
pub mod sweep;
pub mod two_way;
