//! Reads a file on a thread of its own, hashing there, while another works on the chunk before.
//!
//! Invariant: four chunks of memory, however large the file is. This module must not know what becomes of the bytes.

use std::io;

use fcs_sys::{AlignedBuffer, File, read_full};

use crate::report::Digest;

/// Where a pump failed.
pub(super) enum PumpError<E> {
    /// Reading.
    Read(io::Error),
    /// The consumer.
    Consume(E),
}

/// Reads `size` bytes in chunks on a thread of its own, hashing there if asked, while `consume` works on the chunk
/// before. Memory: four chunks. Returns the bytes read, fewer than `size` if the file ends early, and their hash.
pub(super) fn pump<E>(
    file: &dyn File,
    size: u64,
    chunk: usize,
    hash: bool,
    mut consume: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(u64, Option<Digest>), PumpError<E>> {
    const BUFFERS: usize = 4;
    let (full, filled) = crossbeam_channel::bounded::<(AlignedBuffer, usize)>(BUFFERS);
    let (give_back, free) = crossbeam_channel::bounded::<AlignedBuffer>(BUFFERS);
    std::thread::scope(|scope| {
        let reader =
            std::thread::Builder::new().spawn_scoped(scope, move || -> io::Result<(u64, Option<Digest>)> {
                let mut hasher = hash.then(blake3::Hasher::new);
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
                    if let Some(hasher) = &mut hasher {
                        hasher.update(&buffer[..n]);
                    }
                    at += n as u64;
                    if full.send((buffer, n)).is_err() || n < want {
                        break;
                    }
                }
                Ok((at, hasher.map(|h| Digest(*h.finalize().as_bytes()))))
            });
        // No thread to be had is shortage like any other: the file fails, the run goes on.
        let Ok(reader) = reader else {
            return Err(PumpError::Read(io::ErrorKind::OutOfMemory.into()));
        };
        let mut at = 0;
        let mut consumed = Ok(());
        for (buffer, n) in &filled {
            consumed = consume(at, &buffer[..n]);
            if consumed.is_err() {
                break;
            }
            at += n as u64;
            // The reader may be gone already.
            let _ = give_back.send(buffer);
        }
        drop((filled, give_back));
        let read =
            reader.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread ended in a panic")));
        consumed.map_err(PumpError::Consume)?;
        read.map_err(PumpError::Read)
    })
}
