//! Making a whole volume durable with one call.

use std::io;

use crate::Dir;

/// Folders whose volume can be synced as a whole.
pub trait VolumeSync {
    /// Makes every finished write on the whole volume durable. An error means some write since this handle was
    /// opened was lost. `Unsupported` where [`VolumeFacts::sync_volume`](crate::VolumeFacts::sync_volume) is false.
    fn sync_volume(&self) -> io::Result<()>;
}

impl dyn Dir + '_ {
    /// As [`VolumeSync::sync_volume`].
    pub fn sync_volume(&self) -> io::Result<()> {
        self.as_volume_sync().ok_or(io::ErrorKind::Unsupported)?.sync_volume()
    }
}
