//! Extended attributes.

use std::io;

use super::on_every_item;

/// Open items that can have extended attributes.
pub trait Xattrs {
    /// Names of the extended attributes; empty where there are none or the file system has no such thing.
    fn xattrs(&self) -> io::Result<Vec<Vec<u8>>>;

    /// The value of one extended attribute.
    fn xattr(&self, name: &[u8]) -> io::Result<Vec<u8>>;

    /// Sets one extended attribute.
    fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()>;

    /// Removes one extended attribute.
    fn remove_xattr(&self, name: &[u8]) -> io::Result<()>;
}

on_every_item!({
    /// As [`Xattrs::xattrs`]; none where the backend has no such thing.
    pub fn xattrs(&self) -> io::Result<Vec<Vec<u8>>> {
        self.as_xattrs().map_or_else(|| Ok(Vec::new()), Xattrs::xattrs)
    }

    /// As [`Xattrs::xattr`].
    pub fn xattr(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        self.as_xattrs().ok_or(io::ErrorKind::Unsupported)?.xattr(name)
    }

    /// As [`Xattrs::set_xattr`].
    pub fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
        self.as_xattrs().ok_or(io::ErrorKind::Unsupported)?.set_xattr(name, value)
    }

    /// As [`Xattrs::remove_xattr`].
    pub fn remove_xattr(&self, name: &[u8]) -> io::Result<()> {
        self.as_xattrs().ok_or(io::ErrorKind::Unsupported)?.remove_xattr(name)
    }
});
