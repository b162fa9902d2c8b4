//! The one rule for "is this the item we saw", used by the run, by undo and by recovery.
//!
//! A file's number distinguishes it from every other one only where the volume keeps numbers: through a rename, after the
//! system drop what it remembers of the item (any moment, unasked), and from one mount to the next.
//! FAT, exFAT and most user-space file systems keep them in none of these cases. There a number proves nothing, neither
//! that this is the item nor that it is another: size and both dates decide, and the content where a hash is known.
//!
//! Invariant: where numbers last, nothing here is more lenient than equality of the whole fingerprint.
//!
//! This module must not know what is done about an item that is another one.

use fcs_sys::{DirRef, FileId, Fingerprint, Kind, Metadata, VolumeFacts};

use crate::history::FileStamp;

/// What numbers on a volume prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// The same number is the same item, another one is another item.
    Last,
    /// Nothing.
    ProveNothing,
}

impl Numbers {
    /// As the volume keeps them.
    pub(crate) fn on(volume: &VolumeFacts) -> Self {
        if volume.lasting_numbers { Self::Last } else { Self::ProveNothing }
    }

    /// As the volume keeps them on which a folder lies. One that does not answer is held to the stricter rule.
    pub(crate) fn of(dir: &DirRef) -> Self {
        dir.volume().map_or(Self::Last, |facts| Self::on(&facts))
    }

    /// Whether `now` is what was seen, and nothing about it has changed.
    pub(crate) fn unchanged(self, now: &Fingerprint, seen: &Fingerprint) -> bool {
        now == seen
            || self == Self::ProveNothing
                && now.id.volume == seen.id.volume
                && Fingerprint { id: seen.id, ..*now } == *seen
    }

    /// Whether `now` is what was seen, with the same content, allowing for a rename in between, which moves the change
    /// time on most file systems.
    pub(crate) fn same_after_rename(self, now: &Fingerprint, seen: &Fingerprint) -> bool {
        let same_item = self == Self::ProveNothing || now.id.may_be_after_rename(seen.id);
        same_item && now.kind == seen.kind && now.size == seen.size && now.modified == seen.modified
    }

    /// Whether `now` is the very item that was seen a moment ago under a name of our own, whatever became of its dates.
    pub(crate) fn same_item(self, now: &Metadata, seen: &Fingerprint) -> bool {
        match self {
            Self::Last => now.id == seen.id,
            Self::ProveNothing => self.same_after_rename(&now.fingerprint(), seen),
        }
    }

    /// As [`Self::same_after_rename`], of what a journal says about an item of this run. A link's time says nothing: no
    /// system can make it durable by itself.
    pub(crate) fn is_after_rename(self, now: &FileStamp, other: &FileStamp) -> bool {
        let same_link = now.kind == Kind::Symlink && other.kind == Kind::Symlink && now.size == other.size;
        match self {
            Self::Last => now.is_after_rename(other),
            Self::ProveNothing => same_link || now.looks_like(other),
        }
    }

    /// Whether the folder `now` is the one that was seen. Its size and dates change with what is done in it; where its
    /// number proves nothing, that a folder of the same volume is there is all that can be known, and what is in it
    /// is looked at item by item.
    pub(crate) fn same_folder(self, now: &Metadata, seen: FileId) -> bool {
        now.kind == Kind::Folder
            && (now.id == seen || self == Self::ProveNothing && now.id.volume == seen.volume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcs_sys::{Attributes, Time};

    fn seen() -> Fingerprint {
        Fingerprint {
            kind: Kind::File,
            id: FileId { volume: 1, file: 7, file_high: 0 },
            size: 10,
            modified: Time::new(100, 0),
            changed: Some(Time::new(200, 0)),
            attributes: Attributes(0o644),
        }
    }

    #[test]
    fn i2_another_number_is_another_item_only_where_numbers_last() {
        let renumbered = Fingerprint { id: FileId { file: 8, ..seen().id }, ..seen() };
        assert!(Numbers::ProveNothing.unchanged(&renumbered, &seen()));
        assert!(Numbers::ProveNothing.same_after_rename(&renumbered, &seen()));
        assert!(!Numbers::Last.unchanged(&renumbered, &seen()));
        assert!(!Numbers::Last.same_after_rename(&renumbered, &seen()));
        assert!(Numbers::Last.unchanged(&seen(), &seen()));
    }

    #[test]
    fn every_other_sign_counts_everywhere() {
        let others = [
            Fingerprint { kind: Kind::Symlink, ..seen() },
            Fingerprint { id: FileId { volume: 2, ..seen().id }, ..seen() },
            Fingerprint { size: 11, ..seen() },
            Fingerprint { modified: Time::new(100, 1), ..seen() },
            Fingerprint { changed: Some(Time::new(200, 1)), ..seen() },
            Fingerprint { attributes: Attributes(0o600), ..seen() },
        ];
        for other in others {
            for numbers in [Numbers::Last, Numbers::ProveNothing] {
                assert!(!numbers.unchanged(&other, &seen()), "{numbers:?} {other:?}");
            }
        }
        for numbers in [Numbers::Last, Numbers::ProveNothing] {
            assert!(!numbers.same_after_rename(&others_size(), &seen()), "{numbers:?}");
            let moved = Fingerprint { changed: Some(Time::new(300, 0)), ..seen() };
            assert!(numbers.same_after_rename(&moved, &seen()), "{numbers:?}");
        }
    }

    fn others_size() -> Fingerprint {
        Fingerprint { size: 11, ..seen() }
    }
}
