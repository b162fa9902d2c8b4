//! Reading many small files past the system's cache at once, and counting what the device gave for it.
//!
//! A read past the cache proves nothing by itself: file systems take the flag and answer from what they have cached all
//! the same (Btrfs for compressed files, all for content kept among metadata). But the system counts, for each thread, the
//! bytes that were asked of devices. Where the file system says that such reads go past its cache, and the count is to the
//! byte what the files take on the device, each came from there.
//!
//! One by one such reads wait for the device; many at once keep it busy (measured, 30,000 files of 9.5 kB: emptying the
//! cache, asking for it and reading 0.47 s; this 0.17 s). Only Linux has it, and a sandbox may take it away; then
//! [`DeviceReads::new`] fails and whoever reads goes another way.

#[cfg(target_os = "linux")]
pub use crate::unix::device_reads::DeviceReads;

/// What was read of some files.
#[derive(Debug)]
pub struct DeviceRead<'a> {
    /// The content of each, as long as it was said to be.
    pub contents: Vec<&'a [u8]>,
    /// Whether the system counted as many bytes from devices as the files take there. Else some may have come from a
    /// cache, and nobody can tell which.
    pub counted: bool,
}

#[cfg(not(target_os = "linux"))]
mod missing {
    use std::io;

    use super::DeviceRead;
    use crate::File;

    /// A means to read many small files past the cache; none on this system.
    #[derive(Debug)]
    pub enum DeviceReads {}

    impl DeviceReads {
        /// Most files read at once.
        pub const MOST_FILES: usize = 64;
        /// Most bytes read at once.
        pub const MOST_BYTES: u64 = 4 << 20;

        /// `Unsupported`.
        pub fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// No.
        pub fn takes(_: &dyn File) -> bool {
            false
        }

        /// No.
        pub fn go_past_cache(_: &dyn File) -> bool {
            false
        }

        /// Never called, because there is none.
        pub fn read(&mut self, _: &[(&dyn File, u64)]) -> io::Result<Option<DeviceRead<'_>>> {
            match *self {}
        }
    }
}
#[cfg(not(target_os = "linux"))]
pub use missing::DeviceReads;
