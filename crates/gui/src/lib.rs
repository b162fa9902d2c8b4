//! The window of FolderCompareSync: draws what [`fcs_gui_model`] holds, and turns clicks and keys into calls of it.
//!
//! Invariant: everything with a meaning is in [`fcs_gui_model::app::App`]; here is only how it looks and where it is clicked.
//! The crate must not know how folders are compared or copied, and touches no file but to read its settings before
//! the window opens.

pub mod app_icon;
mod banner;
mod bottom;
pub mod desktop;
mod keys;
mod middle;
mod mode;
mod row_menu;
mod sheet;
mod sheets;
pub mod table;
pub mod theme;
mod top;
pub mod widgets;
pub mod window;
