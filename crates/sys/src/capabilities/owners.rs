//! Owners of items.

use std::io;

use super::on_every_item;
use crate::Owner;

/// Open items that have an owner.
pub trait Owners {
    /// Sets owner and group; clears set-user-id bits on Unix, so attributes are set after it.
    fn set_owner(&self, owner: Owner) -> io::Result<()>;
}

on_every_item!({
    /// As [`Owners::set_owner`].
    pub fn set_owner(&self, owner: Owner) -> io::Result<()> {
        self.as_owners().ok_or(io::ErrorKind::Unsupported)?.set_owner(owner)
    }
});
