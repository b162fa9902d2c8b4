//! A disk as bytes in memory, and the record of what was done to it.
//!
//! Invariant: blocks that were never written are zeros, and are not stored when the disk becomes a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::SeekFrom;

/// What arrived at the disk, in the order in which it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Write { offset: u64, data: Vec<u8> },
    Flush,
}

const BLOCK: usize = 4096;

/// A disk of a fixed size.
#[derive(Clone)]
pub(super) struct Disk {
    bytes: Vec<u8>,
    /// Which blocks were ever written.
    written: Vec<bool>,
}

/// What to write to take a change back.
pub(super) struct Before(Vec<(u64, Vec<u8>)>);

impl Disk {
    /// Holds what the file holds.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut disk = Self { bytes: vec![0; size], written: vec![false; size.div_ceil(BLOCK)] };
        let mut at = 0;
        // ENXIO, no more data, ends the search.
        while let Ok(start) = rustix::fs::seek(&file, SeekFrom::Data(at)) {
            at = rustix::fs::seek(&file, SeekFrom::Hole(start))?;
            let (from, to) = (start as usize, at as usize);
            file.read_exact_at(&mut disk.bytes[from..to], start)?;
            disk.written[from / BLOCK..to.div_ceil(BLOCK)].fill(true);
        }
        Ok(disk)
    }

    pub(super) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The part of `wanted` bytes from `offset` that is on the disk.
    pub(super) fn part(&self, offset: u64, wanted: usize) -> &[u8] {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        &self.bytes[from..from.saturating_add(wanted).min(self.bytes.len())]
    }

    /// Writes what is on the disk; yields how much that was.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> usize {
        let length = self.part(offset, data.len()).len();
        if length > 0 {
            let from = offset as usize;
            self.bytes[from..from + length].copy_from_slice(&data[..length]);
            self.written[from / BLOCK..(from + length).div_ceil(BLOCK)].fill(true);
        }
        length
    }

    /// Like [`Disk::write`], and remembers what was there.
    pub(super) fn try_write(&mut self, offset: u64, data: &[u8], before: &mut Before) {
        before.0.push((offset, self.part(offset, data.len()).to_vec()));
        self.write(offset, data);
    }

    /// Reverses what was tried.
    pub(super) fn undo(&mut self, before: Before) {
        for (offset, data) in before.0.into_iter().rev() {
            self.write(offset, &data);
        }
    }

    /// Stores the disk as a new file.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(self.size())?;
        let mut block = 0;
        while block < self.written.len() {
            if !self.written[block] {
                block += 1;
                continue;
            }
            let end = self.written[block..].iter().position(|written| !written);
            let end = end.map_or(self.written.len(), |length| block + length);
            let (from, to) = (block * BLOCK, (end * BLOCK).min(self.bytes.len()));
            file.write_all_at(&self.bytes[from..to], from as u64)?;
            block = end;
        }
        Ok(())
    }
}

impl Before {
    pub(super) fn nothing() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_disk_is_read_back_and_a_change_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        File::create(&path).unwrap().set_len(1 << 20).unwrap();
        let mut disk = Disk::read(&path).unwrap();
        assert_eq!(disk.write(5000, b"hello"), 5);
        assert_eq!(disk.write((1 << 20) - 2, b"end"), 2);
        assert_eq!(disk.write(2 << 20, b"far"), 0);
        let mut before = Before::nothing();
        disk.try_write(5001, b"EL", &mut before);
        disk.try_write(5002, b"xx", &mut before);
        assert_eq!(disk.part(5000, 5), b"hExxo");
        disk.undo(before);
        disk.store(&path).unwrap();
        let again = Disk::read(&path).unwrap();
        assert!(again.bytes == disk.bytes);
        assert_eq!(again.part(5000, 5), b"hello");
    }
}
