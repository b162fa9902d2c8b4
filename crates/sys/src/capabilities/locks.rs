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

    /// Whether at one moment of the call nobody, this process included, had the file open to write to it or mapped so; whoever
    /// stores to it later opened it later. `false` where somebody had, or where the system cannot tell this caller.
    fn has_no_writer(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Gives the lock back before the handle is closed. Nothing has to be done where a handle is never another process's too:
    /// one that was forked off has all of them, and the lock lasts until the last is closed.
    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }
}

impl dyn File + '_ {
    /// As [`Locks::try_lock`].
    pub fn try_lock(&self) -> io::Result<bool> {
        self.as_locks().ok_or(io::ErrorKind::Unsupported)?.try_lock()
    }

    /// As [`Locks::unlock`].
    pub fn unlock(&self) -> io::Result<()> {
        self.as_locks().ok_or(io::ErrorKind::Unsupported)?.unlock()
    }

    /// As [`Locks::has_no_writer`].
    pub fn has_no_writer(&self) -> io::Result<bool> {
        self.as_locks().ok_or(io::ErrorKind::Unsupported)?.has_no_writer()
    }

    /// As [`Locks::is_locked`].
    pub fn is_locked(&self) -> io::Result<bool> {
        self.as_locks().ok_or(io::ErrorKind::Unsupported)?.is_locked()
    }
}
