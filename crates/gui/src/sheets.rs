//! The sheets, one module each.

pub(crate) mod about;
pub(crate) mod ask;
pub(crate) mod confirm;
pub(crate) mod done;
pub(crate) mod ended;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod orphans;
pub(crate) mod pick;
pub(crate) mod settings;
