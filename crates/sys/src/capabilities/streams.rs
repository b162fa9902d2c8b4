//! Named data streams beside the content (NTFS).

use std::io;

use super::on_every_item;
use crate::FileRef;

/// A named data stream beside the main one (NTFS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The stream's name without colons, WTF-8.
    pub name: Vec<u8>,
    /// Bytes in it.
    pub size: u64,
}

/// Open items that can have named streams.
pub trait Streams {
    /// Named streams beside the main one; empty where the volume has none.
    fn streams(&self) -> io::Result<Vec<Stream>>;

    /// Opens a named stream to read, or with `create` to read and write, made empty if it is not there. Writing to a
    /// stream moves the item's times.
    fn open_stream(&self, name: &[u8], create: bool) -> io::Result<FileRef>;

    /// Removes a named stream.
    fn remove_stream(&self, name: &[u8]) -> io::Result<()>;
}

on_every_item!({
    /// As [`Streams::streams`]; none where the backend has no such thing.
    pub fn streams(&self) -> io::Result<Vec<Stream>> {
        self.as_streams().map_or_else(|| Ok(Vec::new()), Streams::streams)
    }

    /// As [`Streams::open_stream`].
    pub fn open_stream(&self, name: &[u8], create: bool) -> io::Result<FileRef> {
        self.as_streams().ok_or(io::ErrorKind::Unsupported)?.open_stream(name, create)
    }

    /// As [`Streams::remove_stream`].
    pub fn remove_stream(&self, name: &[u8]) -> io::Result<()> {
        self.as_streams().ok_or(io::ErrorKind::Unsupported)?.remove_stream(name)
    }
});
