//! What a volume is known by again after it was away.

use std::io;

use crate::Dir;

/// Folders whose volume has a mark of its own that is stored on it.
pub trait VolumeIdentity {
    /// A text that is the same each time the volume is there, wherever it is mounted, and another one for another
    /// volume: `uuid:…`, `fsid:…` or `serial:…`. A copy of the whole device has it too. `None` where it has none, or
    /// nothing is known of it that outlasts the mount: servers, user-space file systems without a device, memory.
    fn volume_identity(&self) -> io::Result<Option<String>>;
}

impl dyn Dir + '_ {
    /// As [`VolumeIdentity::volume_identity`].
    pub fn volume_identity(&self) -> io::Result<Option<String>> {
        self.as_volume_identity().map_or(Ok(None), VolumeIdentity::volume_identity)
    }
}
