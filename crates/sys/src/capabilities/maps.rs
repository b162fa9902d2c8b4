//! Memory windows: ranges of files mapped for reading.

use std::any::Any;
use std::io;

use crate::File;

/// Files that can be mapped.
pub trait Map {
    /// Maps a range for reading. Every page is brought in before this returns, so a device error shows here.
    fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>>;
}

impl dyn File + '_ {
    /// As [`Map::map`].
    pub fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>> {
        self.as_map().ok_or(io::ErrorKind::Unsupported)?.map(offset, bytes)
    }
}

/// A range of a file mapped into memory.
pub trait Window: Send {
    /// Lets a backend recognise its own windows.
    fn as_any(&self) -> &dyn Any;

    /// Bytes in the window.
    fn size(&self) -> usize;

    /// Copies out bytes from `offset` on. An error if a page could no longer be read.
    fn copy_out(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()>;

    /// The first offset, counted in the window, at which the bytes from `offset` on differ from `bytes`. An error if
    /// a page could no longer be read.
    fn first_difference_from(&self, offset: usize, bytes: &[u8]) -> io::Result<Option<usize>> {
        let mut mine = vec![0; bytes.len().min(64 << 10)];
        for (start, theirs) in (offset..).step_by(64 << 10).zip(bytes.chunks(64 << 10)) {
            let mine = &mut mine[..theirs.len()];
            self.copy_out(start, mine)?;
            if let Some(i) = mine.iter().zip(theirs).position(|(a, b)| a != b) {
                return Ok(Some(start + i));
            }
        }
        Ok(None)
    }

    /// The first offset in `offset .. offset + bytes` at which this window and `other` differ. An error if a page of
    /// either could no longer be read, in which case nothing is known about equality.
    fn first_difference(&self, other: &dyn Window, offset: usize, bytes: usize) -> io::Result<Option<usize>> {
        let mut mine = vec![0; 64 << 10];
        let mut theirs = vec![0; 64 << 10];
        let end = offset.checked_add(bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let mut at = offset;
        while at < end {
            let n = mine.len().min(end - at);
            self.copy_out(at, &mut mine[..n])?;
            other.copy_out(at, &mut theirs[..n])?;
            if let Some(i) = mine[..n].iter().zip(&theirs[..n]).position(|(a, b)| a != b) {
                return Ok(Some(at + i));
            }
            at += n;
        }
        Ok(None)
    }
}
