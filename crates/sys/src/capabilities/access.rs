//! What would be refused, as far as that shows without trying.

use std::io;
use std::path::Path;

use crate::{Dir, Name};

/// Folders that tell beforehand what would be refused in them. Every answer may be wrong by the next moment, so nothing
/// may be decided by it: it is for warnings and words.
pub trait AccessCheck {
    /// Whether the current user may make and remove names in this folder, as far as permissions tell. Changes nothing.
    fn may_change(&self) -> io::Result<bool>;

    /// Whether other programs let an item be renamed or removed, as far as that shows without trying; if not, the error
    /// of trying. Changes nothing. Where an open file keeps nobody from that (Unix), it is always so.
    fn may_move(&self, _name: &Name) -> io::Result<()> {
        Ok(())
    }

    /// The programs that have the item at `path` open, in words, for a message; the systems take a path for this, not a
    /// handle. Empty where the system does not tell or nobody has. May take a tenth of a second.
    fn holders(&self, _path: &Path) -> Vec<String> {
        Vec::new()
    }
}

impl dyn Dir + '_ {
    /// As [`AccessCheck::may_change`]; `true` where the backend cannot ask: the first attempt will show.
    pub fn may_change(&self) -> io::Result<bool> {
        self.as_access_check().map_or(Ok(true), AccessCheck::may_change)
    }

    /// As [`AccessCheck::may_move`]; `Ok` where the backend cannot ask.
    pub fn may_move(&self, name: &Name) -> io::Result<()> {
        self.as_access_check().map_or(Ok(()), |check| check.may_move(name))
    }

    /// As [`AccessCheck::holders`]; empty where the backend cannot ask.
    pub fn holders(&self, path: &Path) -> Vec<String> {
        self.as_access_check().map_or_else(Vec::new, |check| check.holders(path))
    }
}
