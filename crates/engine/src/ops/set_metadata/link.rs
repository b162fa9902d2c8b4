//! A symbolic link as an item whose dates are set. It cannot be opened, so it is reached by its name in its
//! open folder.
//!
//! Invariant: whoever opens one has made sure that its volume sets dates of links themselves
//! ([`crate::probe::links::in_doubt`]); a program that serves a volume may set those of what a link points
//! to.

use std::any::Any;
use std::io;

use fcs_sys::{Attributes, DirRef, Handle, Metadata, Name, Times};

#[derive(Debug)]
pub(super) struct Link {
    pub(super) dir: DirRef,
    pub(super) name: Name,
}

impl Handle for Link {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.dir.stat(&self.name)
    }

    fn set_times(&self, times: Times) -> io::Result<()> {
        self.dir.set_link_times(&self.name, times)
    }

    fn set_attributes(&self, _: Attributes) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A link has no content, and what is known of it becomes durable with its folder.
    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }
}
