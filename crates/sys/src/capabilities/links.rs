//! Symbolic links, and second names of files.

use std::io;

use crate::{Dir, LinkTarget, Name, Owner, Times};

/// Folders in which symbolic links can lie. A backend without this still says of a link that it is one.
pub trait Symlinks {
    /// Makes a symbolic link. Fails if the name is taken.
    fn create_symlink(&self, name: &Name, target: &LinkTarget) -> io::Result<()>;

    /// Where a symbolic link points.
    fn read_link(&self, name: &Name) -> io::Result<LinkTarget>;

    /// Sets times of a symbolic link itself.
    fn set_link_times(&self, name: &Name, times: Times) -> io::Result<()>;

    /// Sets the owner of a symbolic link itself.
    fn set_link_owner(&self, _name: &Name, _owner: Owner) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Folders whose files can have several names.
pub trait HardLinks {
    /// Gives a file a second name. Fails if the name is taken.
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()>;
}

impl dyn Dir + '_ {
    fn symlinks_or_unsupported(&self) -> io::Result<&dyn Symlinks> {
        self.as_symlinks().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// As [`Symlinks::create_symlink`].
    pub fn create_symlink(&self, name: &Name, target: &LinkTarget) -> io::Result<()> {
        self.symlinks_or_unsupported()?.create_symlink(name, target)
    }

    /// As [`Symlinks::read_link`].
    pub fn read_link(&self, name: &Name) -> io::Result<LinkTarget> {
        self.symlinks_or_unsupported()?.read_link(name)
    }

    /// As [`Symlinks::set_link_times`].
    pub fn set_link_times(&self, name: &Name, times: Times) -> io::Result<()> {
        self.symlinks_or_unsupported()?.set_link_times(name, times)
    }

    /// As [`Symlinks::set_link_owner`].
    pub fn set_link_owner(&self, name: &Name, owner: Owner) -> io::Result<()> {
        self.symlinks_or_unsupported()?.set_link_owner(name, owner)
    }

    /// As [`HardLinks::hard_link`].
    pub fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()> {
        self.as_hard_links().ok_or(io::ErrorKind::Unsupported)?.hard_link(from, to_dir, to)
    }
}
