//! Reads a file on a thread of its own and hashes it on another, while the caller's works on the chunk before.
//!
//! Invariant: [`BUFFERS`] chunks of memory, however large the file is; a chunk is consumed after it was hashed. This module
//! must not know what becomes of the bytes.

use std::io;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use fcs_sys::{AlignedBuffer, File, read_full};

use crate::report::Digest;

/// Two for each of those who read, hash and consume: one in work and one that waits.
const BUFFERS: usize = 6;

/// Where a pump failed.
pub(crate) enum PumpError<E> {
    /// Reading.
    Read(io::Error),
    /// The consumer.
    Consume(E),
}

/// A buffer and how much of it is filled.
type Chunk = (AlignedBuffer, usize);

/// Reads `size` bytes in chunks, hashing them if asked, while `consume` works on the chunk before. Returns the bytes read,
/// fewer than `size` if the file ends early, and their hash.
pub(crate) fn pump<E>(
    file: &dyn File,
    size: u64,
    chunk: usize,
    hash: bool,
    mut consume: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(u64, Option<Digest>), PumpError<E>> {
    let (full, filled) = bounded::<Chunk>(BUFFERS);
    let (give_back, free) = bounded::<AlignedBuffer>(BUFFERS);
    std::thread::scope(|scope| {
        let reader = start(scope, move || read(file, size, chunk, &free, &full));
        // Reading takes the processor too, and hashing is what takes it longest: one after the other on one thread they
        // would keep the device waiting.
        let (hasher, hashed) = if hash {
            let (pass_on, hashed) = bounded::<Chunk>(BUFFERS);
            (Some(start(scope, move || hash_all(&filled, &pass_on))), hashed)
        } else {
            (None, filled)
        };
        let mut at = 0;
        let mut consumed = Ok(());
        for (buffer, n) in &hashed {
            consumed = consume(at, &buffer[..n]);
            if consumed.is_err() {
                break;
            }
            at += n as u64;
            // The reader may be gone already.
            let _ = give_back.send(buffer);
        }
        // Whoever is ahead and waits sees that nobody takes any more.
        drop((hashed, give_back));
        let hash = hasher.map(end).transpose();
        let read = end(reader);
        consumed.map_err(PumpError::Consume)?;
        let read = read.and_then(|read| read).map_err(PumpError::Read)?;
        Ok((read, hash.map_err(PumpError::Read)?))
    })
}

fn read(
    file: &dyn File,
    size: u64,
    chunk: usize,
    free: &Receiver<AlignedBuffer>,
    full: &Sender<Chunk>,
) -> io::Result<u64> {
    let chunk = chunk.min(usize::try_from(size).unwrap_or(chunk));
    let (mut at, mut made) = (0, 0);
    while at < size {
        let mut buffer = if made < BUFFERS {
            made += 1;
            AlignedBuffer::new(chunk)
        } else {
            // Disconnected: the consumer gave up.
            let Ok(buffer) = free.recv() else { break };
            buffer
        };
        let want = (size - at).min(chunk as u64) as usize;
        file.prefetch(at + want as u64, chunk as u64);
        let n = read_full(file, &mut buffer[..want], at)?;
        at += n as u64;
        if full.send((buffer, n)).is_err() || n < want {
            break;
        }
    }
    Ok(at)
}

fn hash_all(filled: &Receiver<Chunk>, pass_on: &Sender<Chunk>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (buffer, n) in filled {
        hasher.update(&buffer[..n]);
        if pass_on.send((buffer, n)).is_err() {
            break;
        }
    }
    Digest(*hasher.finalize().as_bytes())
}

/// No thread to be had is shortage like any other: the file fails, the run goes on.
fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

fn end<T>(thread: io::Result<ScopedJoinHandle<'_, T>>) -> io::Result<T> {
    thread?.join().map_err(|_| io::Error::other("a thread that reads or hashes ended in a panic"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hashing::tests::file;

    #[test]
    fn every_byte_comes_once_in_order_with_its_hash() {
        let scratch = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..100_003_u32).map(|n| (n % 251) as u8).collect();
        let file = file(&scratch, &bytes);
        for (chunk, hashed) in [(1000, true), (4096, false), (100_003, true), (1 << 20, true)] {
            let mut seen = Vec::new();
            let consume = |at: u64, piece: &[u8]| -> Result<(), ()> {
                assert_eq!(at, seen.len() as u64);
                seen.extend_from_slice(piece);
                Ok(())
            };
            let Ok((n, hash)) = pump(&*file, bytes.len() as u64, chunk, hashed, consume) else {
                panic!("chunks of {chunk}")
            };
            assert!(n == bytes.len() as u64 && seen == bytes, "chunks of {chunk}");
            assert_eq!(hash, hashed.then(|| Digest(*blake3::hash(&bytes).as_bytes())));
        }
    }

    #[test]
    fn a_file_that_ends_early_says_where_and_one_that_goes_on_is_left_there() {
        let scratch = tempfile::tempdir().unwrap();
        let file = file(&scratch, &[5; 10_000]);
        for (size, read) in [(20_000, 10_000), (7000, 7000), (0, 0)] {
            let done = pump(&*file, size, 4096, true, |_, _| Ok::<(), ()>(()));
            assert!(matches!(done, Ok((n, Some(_))) if n == read), "{size}");
        }
    }

    #[test]
    fn whoever_gives_up_ends_the_others() {
        let scratch = tempfile::tempdir().unwrap();
        let file = file(&scratch, &[5; 16_000]);
        for hashed in [false, true] {
            let mut left = 3;
            let stopped = pump(&*file, 16_000, 1000, hashed, |_, _| {
                left -= 1;
                if left == 0 { Err("enough") } else { Ok(()) }
            });
            assert!(matches!(stopped, Err(PumpError::Consume("enough"))));
        }
    }
}
