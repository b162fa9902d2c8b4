//! The system's cache of a file's content: emptying it, and hints to it.

use std::io;

use crate::File;

/// Whether a file's cached pages are gone, so that the next read comes from the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eviction {
    /// The system was asked and says no page of the file is cached.
    Proven,
    /// Some pages stay, or the system cannot tell; the text says why, for the report.
    Unproven(&'static str),
}

/// Files whose cached content can be dropped.
pub trait Evict {
    /// Drops the file's pages from the cache and asks whether they are gone. Only meaningful after a sync: dirty
    /// pages stay, and so do pages that any process has mapped.
    fn evict(&self) -> io::Result<Eviction>;

    /// How many of the file's bytes are in the cache; `None` where the system does not tell.
    fn cached_bytes(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Whether the file system keeps the content among its own metadata (inline, in a shared tail): its cache of that
    /// cannot be emptied, so no read of such a file reaches the device. Only meaningful after a sync. An error where
    /// the file system does not tell.
    fn is_in_metadata(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// Files whose system takes hints on what to read and to write next.
pub trait CacheHints {
    /// Starts writing a range of cached bytes to the device without waiting for it. No promise of durability.
    fn start_writeback(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Waits until a range handed to [`CacheHints::start_writeback`] has left the cache. No promise of durability.
    fn wait_writeback(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Asks the system to read a range soon. Only a hint; errors are of no use to anybody.
    fn prefetch(&self, offset: u64, bytes: u64);
}

/// Files that can be written past the system's cache.
pub trait WritePastCache {
    /// Has the writes from here on go past the cache, or through it again. Past it, offset, length and address of each must
    /// be multiples of 4096, as the addresses of [`crate::AlignedBuffer`] are; others are `InvalidInput`. `Unsupported`
    /// where the file system does not say that such writes go past its cache. No promise of durability.
    fn write_past_cache(&self, past: bool) -> io::Result<()>;
}

impl dyn File + '_ {
    /// As [`WritePastCache::write_past_cache`]; `Unsupported` where the backend has no such writes.
    pub fn write_past_cache(&self, past: bool) -> io::Result<()> {
        let unsupported = || Err(io::ErrorKind::Unsupported.into());
        self.as_write_past_cache().map_or_else(unsupported, |file| file.write_past_cache(past))
    }

    /// As [`Evict::evict`]; unproven where the backend has no such call.
    pub fn evict(&self) -> io::Result<Eviction> {
        const NO_CALL: Eviction = Eviction::Unproven("this build has no way to empty the system's cache");
        self.as_evict().map_or(Ok(NO_CALL), Evict::evict)
    }

    /// As [`Evict::cached_bytes`]; `None` where the backend has no such call.
    pub fn cached_bytes(&self) -> io::Result<Option<u64>> {
        self.as_evict().map_or(Ok(None), Evict::cached_bytes)
    }

    /// As [`Evict::is_in_metadata`]; `false` where the backend has no such call, and evicting proves nothing either.
    pub fn is_in_metadata(&self) -> io::Result<bool> {
        self.as_evict().map_or(Ok(false), Evict::is_in_metadata)
    }

    /// As [`CacheHints::start_writeback`]; nothing where the system takes no such hint.
    pub fn start_writeback(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.as_cache_hints().map_or(Ok(()), |hints| hints.start_writeback(offset, bytes))
    }

    /// As [`CacheHints::wait_writeback`]; nothing where the system takes no such hint.
    pub fn wait_writeback(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.as_cache_hints().map_or(Ok(()), |hints| hints.wait_writeback(offset, bytes))
    }

    /// As [`CacheHints::prefetch`]; nothing where the system takes no such hint.
    pub fn prefetch(&self, offset: u64, bytes: u64) {
        if let Some(hints) = self.as_cache_hints() {
            hints.prefetch(offset, bytes);
        }
    }
}

/// Keeps at most `window` bytes dirty behind a sequential writer: hands the newest `fresh` bytes before `end` to the
/// device and waits for the part that lies a window behind. Bounds both memory and the time of the final sync, in
/// which a cancel could not be seen.
pub fn pace_writeback(file: &dyn File, end: u64, fresh: u64, window: u64) -> io::Result<()> {
    file.start_writeback(end - fresh, fresh)?;
    if let Some(old_end) = end.checked_sub(window) {
        let old_start = old_end.saturating_sub(fresh);
        if old_end > old_start {
            file.wait_writeback(old_start, old_end - old_start)?;
        }
    }
    Ok(())
}
