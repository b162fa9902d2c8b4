//! Files with holes.

use std::io;

use crate::File;

/// Files whose holes can be found.
pub trait Holes {
    /// Whether the file has holes: ranges that read as zeros and take no room.
    fn has_holes(&self) -> io::Result<bool>;
}

impl dyn File + '_ {
    /// As [`Holes::has_holes`]; `false` where the backend cannot ask.
    pub fn has_holes(&self) -> io::Result<bool> {
        self.as_holes().map_or(Ok(false), Holes::has_holes)
    }
}
