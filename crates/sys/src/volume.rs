//! What a volume can and cannot do.

use serde::{Deserialize, Serialize};

/// Where a volume's bytes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A disk of this machine.
    Local,
    /// A disk that can be unplugged.
    Removable,
    /// Another machine, or a user-space file system whose device cannot be known.
    Network,
    /// Memory: there is no device behind it.
    Memory,
}

/// How a volume distinguishes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseRule {
    /// `A` and `a` are two names.
    Sensitive,
    /// `A` and `a` are one name.
    Insensitive,
}

/// What the length of a name is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameUnits {
    /// Bytes, as on Unix.
    Bytes,
    /// 16-bit units of UTF-16, as on Windows: `漢` is one and three bytes, `😀` two and four.
    Utf16,
}

impl NameUnits {
    /// The length of a name, as [`crate::Name::as_bytes`] gives it.
    pub fn count(self, name: &[u8]) -> usize {
        match self {
            Self::Bytes => name.len(),
            // Each character has one byte that is no continuation; those beyond U+FFFF (four bytes, so at least F0)
            // take two units. A lone surrogate in WTF-8 is one character of three bytes and counts as one.
            Self::Utf16 => {
                let characters = name.iter().filter(|&&b| b & 0xC0 != 0x80).count();
                characters + name.iter().filter(|&&b| b >= 0xF0).count()
            }
        }
    }
}

/// What a volume does with created times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CreatedTime {
    /// Not stored.
    Absent,
    /// Stored, but no program can set it (Linux).
    ReadOnly,
    /// Stored and settable (Windows, macOS; NTFS by `ntfs-3g`).
    Settable,
}

/// Facts about the volume that holds a folder. Found by asking, or by the file system's own number where the
/// system offers no question; never from a volume's label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// The same number as in [`crate::FileId::volume`].
    pub id: u64,
    /// The file system's name, such as `ext4`, `fuse.sshfs`, `NTFS`; `unknown` where it cannot be had.
    pub file_system: String,
    /// Where the bytes live.
    pub place: Place,
    /// Mounted or marked read-only.
    pub read_only: bool,
    /// How names are distinguished in this folder.
    pub case: CaseRule,
    /// The coarsest step, in nanoseconds, in which modified times are stored.
    pub time_granularity_nanos: u64,
    /// Created times.
    pub created: CreatedTime,
    /// The longest name, counted in [`VolumeFacts::name_units`].
    pub max_name: usize,
    /// What the length of a name is counted in.
    pub name_units: NameUnits,
    /// Whether [`crate::VolumeSync::sync_volume`] makes every finished write on the volume durable and reports write
    /// errors. False for network and user-space file systems, which may take the call and do nothing.
    pub sync_volume: bool,
    /// Whether a read after [`crate::Evict::evict`] comes from the device. False where the cache that answers may be
    /// another one than the one that was emptied: a server's, a user-space daemon's, a stacked file system's.
    pub device_reread: bool,
    /// Whether a read through [`crate::Access::ReadUncached`] comes from the device also where pages of the file are
    /// cached. False on Linux: Btrfs (compressed, or into memory that was never touched) and ext4 with `data=journal`
    /// take the flag and answer from those pages. There only a proven eviction counts.
    pub uncached_reads_device: bool,
    /// Files up to this size may be kept among the file system's own metadata, so [`crate::Evict::is_in_metadata`] is to
    /// be asked; 0 where the file system has no such thing.
    pub in_metadata_max_bytes: u64,
    /// The largest file the file system can hold, in bytes; `u64::MAX` where not known to be limited.
    pub max_file_bytes: u64,
    /// Whether an item is known to keep its number ([`crate::FileId`]) as long as it exists: through a rename, after
    /// the system drop what it remembers of it, and from one mount to the next. Where this is false a number
    /// proves nothing either way: FAT and most user-space file systems count items as they come, so that one item has
    /// another number later, and another item its old one.
    pub lasting_numbers: bool,
}

impl VolumeFacts {
    /// A number that distinguishes the volume from others also after it was away, such as its serial number; `None` where
    /// [`VolumeFacts::id`] is only good while it is mounted (Unix), or made up by a server.
    pub fn lasting_id(&self) -> Option<u64> {
        (cfg!(windows) && self.place != Place::Network && self.id != 0).then_some(self.id)
    }
}

/// Room on a volume for the current user, in bytes; quotas included where the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Bytes this user may still write.
    pub free: u64,
    /// Size of the volume.
    pub total: u64,
    /// Items that may still be made; `None` where the file system makes them as needed.
    pub free_items: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_the_volume_counts_them() {
        for (name, units) in [("", 0), ("abc", 3), ("é漢", 2), ("a😀b", 4)] {
            assert_eq!(NameUnits::Utf16.count(name.as_bytes()), units, "{name}");
            assert_eq!(units, name.encode_utf16().count(), "{name}");
            assert_eq!(NameUnits::Bytes.count(name.as_bytes()), name.len(), "{name}");
        }
        assert_eq!(NameUnits::Utf16.count(b"\xED\xA0\x80x"), 2, "a lone surrogate is one unit");
    }
}
