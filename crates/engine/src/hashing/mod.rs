//! Digests of files, made by a pool of workers: each worker reads with a buffer of its own ([`FileReader`]), an open file or
//! one of a scanned tree ([`ScannedFiles`]), and takes one job after the other ([`work`]).
//!
//! Invariant: a digest is of every byte of the file, up to the size that it is asked for, or there is none. Memory is
//! bounded by the workers times a chunk for each file that one of them has open, or a few for one that is read past the cache,
//! whatever the sizes.
//!
//! This module must not know what a digest is compared with: two sides, a manifest, or the same file at another time.

mod pool;
mod pump;
mod scanned;

use std::io;
use std::sync::atomic::AtomicU64;

use fcs_sys::{File, read_full};
use sha2::Digest as _;

use crate::Control;
use crate::progress::add;

pub(crate) use pool::work;
pub(crate) use pump::{PumpError, pump};
pub(crate) use scanned::{Failure, LastFolder, ScannedFiles};

/// How a digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// BLAKE3, 32 bytes.
    Blake3,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// The digest of these bytes.
    pub(crate) fn digest(self, bytes: &[u8]) -> Digest {
        match self {
            Self::Blake3 => filled_up(blake3::hash(bytes).as_bytes()),
            Self::Sha512 => filled_up(&sha2::Sha512::digest(bytes)),
        }
    }
}

/// A digest, filled up with zeros to the length of the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 64]);

impl Digest {
    /// The first 8 bytes.
    pub(crate) fn start(&self) -> [u8; 8] {
        self.beginning()
    }

    /// The first `N` bytes; 32 are the whole of BLAKE3.
    pub(crate) fn beginning<const N: usize>(&self) -> [u8; N] {
        std::array::from_fn(|i| self.0[i])
    }
}

/// Why a file was not read to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user ended the work.
    Cancelled,
    /// It is shorter than it should be.
    EndsEarly,
    /// The system refused.
    Failed(io::Error),
}

/// What a worker reads with.
#[derive(Debug)]
pub(crate) struct FileReader<'a> {
    control: &'a Control,
    /// Is told of every byte.
    progress: &'a AtomicU64,
    chunk: usize,
    buffer: Vec<u8>,
    /// Bytes read since somebody set this to 0.
    pub(crate) counted: u64,
}

impl<'a> FileReader<'a> {
    /// Reads at most `chunk` bytes at once.
    pub(crate) fn new(control: &'a Control, progress: &'a AtomicU64, chunk: usize) -> Self {
        Self { control, progress, chunk, buffer: Vec::new(), counted: 0 }
    }

    /// The digest of a file's first `size` bytes.
    pub(crate) fn digest(
        &mut self,
        algorithm: Algorithm,
        file: &dyn File,
        size: u64,
    ) -> Result<Digest, Stop> {
        self.digest_of(algorithm, size, Self::each_chunk, file)
    }

    /// As [`FileReader::digest`], of a large file that was opened to be read past the cache.
    pub(crate) fn digest_past_cache(
        &mut self,
        algorithm: Algorithm,
        file: &dyn File,
        size: u64,
    ) -> Result<Digest, Stop> {
        self.digest_of(algorithm, size, Self::each_chunk_past_cache, file)
    }

    fn digest_of(
        &mut self,
        algorithm: Algorithm,
        size: u64,
        read: impl FnOnce(&mut Self, &dyn File, u64, &mut dyn FnMut(&[u8])) -> Result<(), Stop>,
        file: &dyn File,
    ) -> Result<Digest, Stop> {
        match algorithm {
            Algorithm::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                read(self, file, size, &mut |bytes| _ = hasher.update(bytes))?;
                Ok(filled_up(hasher.finalize().as_bytes()))
            }
            Algorithm::Sha512 => {
                let mut hasher = sha2::Sha512::new();
                read(self, file, size, &mut |bytes| hasher.update(bytes))?;
                Ok(filled_up(&hasher.finalize()))
            }
        }
    }

    fn each_chunk(&mut self, file: &dyn File, size: u64, take: &mut dyn FnMut(&[u8])) -> Result<(), Stop> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        let read = loop {
            if at >= size {
                break Ok(());
            }
            match self.fill(file, &mut buffer, at, size) {
                Ok(n) => {
                    take(&buffer[..n]);
                    at += n as u64;
                }
                Err(stop) => break Err(stop),
            }
        };
        self.buffer = buffer;
        read
    }

    fn each_chunk_past_cache(
        &mut self,
        file: &dyn File,
        size: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Stop> {
        let consume = |_: u64, bytes: &[u8]| {
            if self.control.cancel.should_stop() {
                return Err(Stop::Cancelled);
            }
            take(bytes);
            self.counted += bytes.len() as u64;
            add(self.progress, bytes.len() as u64);
            Ok(())
        };
        match pump(file, size, PAST_CACHE_CHUNK, false, consume) {
            Ok((read, _)) if read < size => Err(Stop::EndsEarly),
            Ok(_) => Ok(()),
            Err(PumpError::Read(e)) => Err(Stop::Failed(e)),
            Err(PumpError::Consume(stop)) => Err(stop),
        }
    }

    /// Reads the next chunk, which ends at `size` at the latest, and returns its length. The chunk is always full.
    pub(crate) fn fill(
        &mut self,
        file: &dyn File,
        buffer: &mut Vec<u8>,
        at: u64,
        size: u64,
    ) -> Result<usize, Stop> {
        if self.control.cancel.should_stop() {
            return Err(Stop::Cancelled);
        }
        prefetch(file, at, size);
        let want = (size - at).min(self.chunk as u64) as usize;
        if buffer.len() < want {
            buffer.resize(want, 0);
        }
        let got = read_full(file, &mut buffer[..want], at).map_err(Stop::Failed)?;
        if got < want {
            return Err(Stop::EndsEarly);
        }
        self.counted += got as u64;
        add(self.progress, got as u64);
        Ok(got)
    }
}

/// Bytes read at once past the cache. The device works on the next while this one is hashed.
const PAST_CACHE_CHUNK: usize = 1 << 20;

/// How far ahead of its reader a large file is fetched.
const AHEAD: u64 = 4 << 20;

/// Has the system fetch what comes after `at`, once for each [`AHEAD`] bytes. By itself it reads a few hundred KiB ahead, and
/// a fast device then waits for whoever hashes. Not at the beginning, where two files that are compared mostly differ if they
/// do.
fn prefetch(file: &dyn File, at: u64, size: u64) {
    if size >= 2 * AHEAD && at > 0 && at.is_multiple_of(AHEAD) {
        let from = if at == AHEAD { at } else { at + AHEAD };
        file.prefetch(from, at + 2 * AHEAD - from);
    }
}

fn filled_up(digest: &[u8]) -> Digest {
    let mut bytes = [0; 64];
    bytes[..digest.len()].copy_from_slice(digest);
    Digest(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::Ordering;

    use fcs_sys::{Access, FileRef, Name};

    use super::*;

    /// A file with this content, open to be read.
    pub(crate) fn file(scratch: &tempfile::TempDir, bytes: &[u8]) -> FileRef {
        std::fs::write(scratch.path().join("f"), bytes).unwrap();
        let root = fcs_sys::open_root(scratch.path()).unwrap();
        root.dir.open_file(&Name::new(*b"f").unwrap(), Access::Read).unwrap()
    }

    #[test]
    fn a_digest_is_of_every_byte_in_whatever_pieces_it_is_read() {
        let scratch = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        let (file, control, progress) = (file(&scratch, &bytes), Control::default(), AtomicU64::new(0));
        for chunk in [1, 4096, 10_000, 1 << 20] {
            let mut reader = FileReader::new(&control, &progress, chunk);
            let blake3 = reader.digest(Algorithm::Blake3, &*file, 10_000).unwrap();
            assert_eq!(blake3.0[..32], *blake3::hash(&bytes).as_bytes());
            assert_eq!(
                reader.digest(Algorithm::Sha512, &*file, 10_000).unwrap().0,
                *sha2::Sha512::digest(&bytes)
            );
            assert_eq!(reader.counted, 20_000);
        }
        assert_eq!(progress.load(Ordering::Relaxed), 80_000);
    }

    #[test]
    fn a_file_that_ends_early_or_whose_reading_is_cancelled_has_no_digest() {
        let scratch = tempfile::tempdir().unwrap();
        let (file, control, progress) = (file(&scratch, b"short"), Control::default(), AtomicU64::new(0));
        let mut reader = FileReader::new(&control, &progress, 4096);
        assert!(matches!(reader.digest(Algorithm::Blake3, &*file, 6), Err(Stop::EndsEarly)));
        assert!(reader.digest(Algorithm::Blake3, &*file, 0).is_ok(), "nothing has a digest too");
        control.cancel.cancel();
        assert!(matches!(reader.digest(Algorithm::Blake3, &*file, 5), Err(Stop::Cancelled)));
    }

    #[test]
    fn every_job_is_done_once_by_whichever_worker_comes_first() {
        let jobs: Vec<u64> = (1..=1000).collect();
        for workers in [0, 1, 7] {
            let (done, cancelled) = work("test", workers, &jobs, Vec::new, |done: &mut Vec<u64>, job| {
                done.push(*job);
                std::ops::ControlFlow::Continue(())
            });
            let mut done = done.concat();
            done.sort_unstable();
            assert!(done == jobs && !cancelled, "{workers}");
        }
        let (_, cancelled) = work("test", 2, &jobs, || (), |(), _| std::ops::ControlFlow::Break(()));
        assert!(cancelled);
    }
}
