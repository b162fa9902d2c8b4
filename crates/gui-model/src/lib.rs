//! FolderCompareSync's window: everything that is not drawing.
//!
//! A window holds a [`Model`] over a finished [`fcs_engine::compare::Comparison`], draws [`Rows::visible`], and turns
//! clicks and keys into calls. Both panes draw the same list, so row N on the left is row N on the right.
//!
//! Invariant: the rows and their hierarchy are the comparison's and never change; what changes is which of them are
//! visible, in which order the files of one folder stand, and which are ticked. These three are kept apart: nothing
//! that sorts, filters or expands can reach a selection.
//!
//! Around that is [`app::App`], the whole window without its drawing: each click is a method, and what takes time is a
//! job on a thread of its own.
//!
//! The crate must not know a toolkit or a terminal, and a disk only in those jobs. No part of it depends on the
//! operating system, except that a filter takes for a path separator what the system takes for one.

pub mod app;
mod bits;
mod carry;
mod cells;
mod chips;
mod directed;
pub mod editor;
mod filter;
mod index;
pub mod keep;
pub mod log;
pub mod mode;
mod model;
mod moves;
mod names;
mod rows;
pub mod running;
mod selection;
mod sort;
pub mod text;
mod wildcard;

#[cfg(test)]
mod testing;

pub use bits::Bits;
pub use carry::Memory;
pub use cells::{Cells, Field};
pub use chips::{Chip, Chips};
pub use directed::{CHOICES, Directed, Moved};
pub use filter::{Filter, FilterError};
pub use index::Index;
pub use model::Model;
pub use moves::{Move, find_prefix, go, next_difference, previous_difference};
pub use rows::Rows;
pub use selection::{Change, Mark, Selection};
pub use sort::{Column, Sort};
