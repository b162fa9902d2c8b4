//! The system's recycle bin.

use std::io;
use std::path::Path;

use crate::{Dir, Name};

/// Folders on volumes that have a recycle bin.
pub trait Recycle {
    /// Moves an item to the system's recycle bin. The systems take a path for this, not a handle, so `path` is the
    /// absolute path of this folder; what is at the name is what goes. `Unsupported` where the volume has no bin.
    fn recycle(&self, path: &Path, name: &Name) -> io::Result<()>;
}

impl dyn Dir + '_ {
    /// As [`Recycle::recycle`].
    pub fn recycle(&self, path: &Path, name: &Name) -> io::Result<()> {
        self.as_recycle().ok_or(io::ErrorKind::Unsupported)?.recycle(path, name)
    }
}
