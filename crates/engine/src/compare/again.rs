//! What an earlier comparison read of files that have not changed since, so that it is not read again.
//!
//! Invariant: an earlier finding is taken over only if both files still are the very ones that were read: same identity,
//! size, attributes, modified and change time; and the change time lies so far before that reading that no later change
//! can bear the same one. A file system without change times, or whose change times prove nothing, has nothing taken
//! over. Another way of reading content takes nothing over either. This module must not know why there is another comparison.

use std::collections::HashMap;

use fcs_sys::{Fingerprint, Place, Time, VolumeFacts};

use super::content::{Finding, Verdicts};
use super::{Comparison, Digests, Row, RowId, Side, Verdict};
use crate::settings::ContentCheck;
use crate::tree::{Entry, Tree};

/// What is written through a mapping moves the change time only when the system writes it back, at most half a minute
/// later; so a file must have rested longer than that. Steps of change times are far shorter.
const CLEARLY_BEFORE_NANOS: i128 = 60_000_000_000;

/// Takes over what can be; returns the candidates that have to be read.
pub(super) fn take_over(
    before: &Comparison,
    method: ContentCheck,
    (left, right): (&Tree, &Tree),
    rows: &[Row],
    candidates: Vec<RowId>,
) -> (Vec<RowId>, Verdicts) {
    let mut known = Verdicts::default();
    let proven = [left, right].iter().all(|tree| moves_change_times(&tree.volume, &PROVE_CHANGES));
    if before.cancelled || before.content != method || before.left.order() != left.order() || !proven {
        return (candidates, known);
    }
    let mut found =
        Found { before, now: (left, right), rows, folders: HashMap::new(), names: HashMap::new() };
    let mut unknown = Vec::new();
    for row in candidates {
        match found.earlier(row).and_then(|old| found.finding(row, old).map(|differs| (old, differs))) {
            Some((old, differs)) => {
                if differs {
                    known.findings.push((row, Finding::Differs));
                }
                known.digests.extend(before.digests(old).map(|digests| Digests { row, ..*digests }));
            }
            None => unknown.push(row),
        }
    }
    (unknown, known)
}

/// Rows of the earlier comparison, by those of the new one.
struct Found<'a> {
    before: &'a Comparison,
    now: (&'a Tree, &'a Tree),
    rows: &'a [Row],
    folders: HashMap<RowId, Option<RowId>>,
    /// What an earlier folder held, by name.
    names: HashMap<RowId, HashMap<&'a [u8], RowId>>,
}

impl Found<'_> {
    /// The earlier row with the same path.
    fn earlier(&mut self, row: RowId) -> Option<RowId> {
        // A loop over the folders above, because trees may be deeper than a stack.
        let mut way = Vec::new();
        let mut at = row;
        let mut old = loop {
            if at == Comparison::ROOT {
                break Some(Comparison::ROOT);
            }
            if let Some(known) = self.folders.get(&at) {
                break *known;
            }
            way.push(at);
            at = self.rows[at as usize].parent;
        };
        while let Some(next) = way.pop() {
            old = old.and_then(|folder| self.child(folder, next));
            if next != row {
                self.folders.insert(next, old);
            }
        }
        old
    }

    fn child(&mut self, folder: RowId, row: RowId) -> Option<RowId> {
        let before = self.before;
        let names = self.names.entry(folder).or_insert_with(|| {
            before.children(folder).map(|child| (before.name_on(child, Side::Left), child)).collect()
        });
        let node = self.rows[row as usize].left()?;
        names.get(self.now.0.name(node)).copied()
    }

    /// Whether the content differed, if that still holds.
    fn finding(&self, row: RowId, old: RowId) -> Option<bool> {
        let (now, then) = (&self.rows[row as usize], self.before.row(old));
        let sides = [
            (self.now.0.entry(now.left()?), self.before.left.entry(then.left()?)),
            (self.now.1.entry(now.right()?), self.before.right.entry(then.right()?)),
        ];
        // What is mounted inside a tree is on a volume of which nothing is known here.
        let volumes = [self.before.left.volume.id, self.before.right.volume.id];
        let same = |((now, then), volume): (&(Entry, Entry), u64)| {
            now.fingerprint() == then.fingerprint()
                && then.volume() == volume
                && is_settled(&then.fingerprint(), self.before.began)
        };
        if !sides.iter().zip(volumes).all(same) {
            return None;
        }
        match then.verdict {
            Verdict::Same => Some(false),
            Verdict::Different(differences) if !differences.size => Some(differences.content),
            _ => None,
        }
    }
}

/// File systems that write a change time of their own, on the disk, for every change. FAT stores none and is given the
/// modified time instead, which can be put back; another machine or a user-space file system may answer from a cache, one
/// in memory never writes what was changed through a mapping; NTFS keeps the times in a folder's list up to date late.
const PROVE_CHANGES: [&str; 9] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs", "apfs"];

/// Whether a volume is one of this machine with one of these file systems.
pub(super) fn moves_change_times(volume: &VolumeFacts, file_systems: &[&str]) -> bool {
    let name = volume.file_system.to_ascii_lowercase();
    volume.place == Place::Local && file_systems.contains(&name.as_str())
}

/// Whether a file changed last so long before a moment that a change after it would bear another time.
fn is_settled(file: &Fingerprint, before: Time) -> bool {
    file.changed.is_some_and(|changed| before.as_nanos() - changed.as_nanos() > CLEARLY_BEFORE_NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_times_that_are_modified_times_in_truth_prove_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let here = fcs_sys::open_root(scratch.path()).unwrap().dir.volume().unwrap();
        let on = |file_system: &str, place| {
            let volume = VolumeFacts { file_system: file_system.to_owned(), place, ..here.clone() };
            moves_change_times(&volume, &PROVE_CHANGES)
        };
        for good in ["ext4", "btrfs", "APFS", "xfs"] {
            assert!(on(good, Place::Local), "{good}");
        }
        for bad in ["vfat", "exFAT", "FAT32", "msdos", "fuse.sshfs", "unknown", "tmpfs", "NTFS"] {
            assert!(!on(bad, Place::Local), "{bad}");
        }
        assert!(!on("nfs4", Place::Network));
    }
}
