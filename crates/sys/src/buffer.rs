//! A buffer that reads past the cache can fill without a detour.

use std::ops::{Deref, DerefMut};

/// Devices ask for addresses, offsets and lengths in steps of 512 or 4096 bytes; 4096 satisfies both.
pub(crate) const ALIGNMENT: usize = 4096;

/// Zeroed bytes whose address is a multiple of 4096.
#[derive(Debug)]
pub struct AlignedBuffer {
    bytes: Vec<u8>,
    start: usize,
    size: usize,
}

impl AlignedBuffer {
    /// Makes room for `size` bytes.
    pub fn new(size: usize) -> Self {
        let bytes = vec![0; size + ALIGNMENT];
        // The vector is never resized, so its address stays.
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, start, size }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.size]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_aligned_and_the_size_is_as_asked() {
        for size in [0, 1, 4095, 4096, 1 << 20] {
            let buffer = AlignedBuffer::new(size);
            assert_eq!(buffer.len(), size);
            assert_eq!(buffer.as_ptr().addr() % ALIGNMENT, 0);
        }
    }
}
