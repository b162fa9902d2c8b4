//! Advisory locks.

use std::io;

use crate::File;

/// Files that can be locked.
pub trait Locks {
    /// Takes the file's advisory lock for this handle, until it is closed. `false` if another handle holds it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Whether another handle holds the file's advisory lock. Takes nothing, so that nobody is refused because somebody
    /// asked; on systems where one can only ask by trying, it takes a shared lock for a moment.
    fn is_locked(&self) -> io::Result<bool>;
}

impl dyn File + '_ {
    /// As [`Locks::try_lock`].
    pub fn try_lock(&self) -> io::Result<bool> {
        self.as_locks().ok_or(io::ErrorKind::Unsupported)?.try_lock()
    }

    /// As [`Locks::is_locked`].
    pub fn is_locked(&self) -> io::Result<bool> {
        self.as_locks().ok_or(io::ErrorKind::Unsupported)?.is_locked()
    }
}
