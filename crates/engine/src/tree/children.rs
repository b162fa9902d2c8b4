//! The children of a scanned folder, packed: what many of them have in common is kept once.
//!
//! Invariant: a child comes out as it was put in. This module must not know how children are sorted.

use std::fmt;

use fcs_sys::{Attributes, Kind, Time};

use super::{Entry, NO_FOLDER};

/// One child of a scanned folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    /// Where the name ends in the folder's names; it begins where the one before ends.
    pub(crate) name_end: u32,
    /// The child's own folder, or [`NO_FOLDER`] if it is not a folder or could not be entered.
    pub(crate) folder: u32,
    pub(crate) entry: Entry,
}

impl Child {
    /// Not a folder, or one that is not entered yet.
    pub(crate) fn new(name_end: usize, entry: Entry) -> Self {
        // Names whose offsets need more are refused where they are listed.
        Self { name_end: u32::try_from(name_end).unwrap_or(u32::MAX), folder: NO_FOLDER, entry }
    }
}

/// What is mostly the same for all files of a folder, and for all folders in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Common {
    file_high: u64,
    volume: u64,
    user: u32,
    group: u32,
    attributes: Attributes,
    kind: Kind,
    flags: u16,
}

/// A child, without what it has in common with others.
#[derive(Debug, Clone, Copy)]
struct Packed {
    size: u64,
    file: u64,
    // Apart from their nanoseconds, for each pair would be padded.
    modified_seconds: i64,
    changed_seconds: i64,
    created_seconds: i64,
    modified_nanos: u32,
    changed_nanos: u32,
    created_nanos: u32,
    /// Index into what is common.
    common: u32,
    name_end: u32,
    folder: u32,
}

/// How many of the latest are looked at before something counts as new. A folder of items that have nothing in common must
/// not take time that grows with the square of their number; it takes more room instead.
const LOOKED_AT: usize = 16;

/// The children of a folder, in the order in which they were put in.
#[derive(Default)]
pub(crate) struct Children {
    packed: Vec<Packed>,
    common: Vec<Common>,
}

impl Children {
    /// So many children of which nothing is known yet, to be [`Children::set`].
    pub(crate) fn unknown(count: usize) -> Self {
        let mut children = Self::default();
        let unknown = children.pack(Child { name_end: 0, folder: NO_FOLDER, entry: Entry::UNKNOWN });
        children.packed = vec![unknown; count];
        children
    }

    pub(crate) fn len(&self) -> usize {
        self.packed.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    pub(crate) fn push(&mut self, child: Child) {
        let packed = self.pack(child);
        self.packed.push(packed);
    }

    pub(crate) fn set(&mut self, at: usize, child: Child) {
        self.packed[at] = self.pack(child);
    }

    /// Puts the child at `from` at `to` as well, with its name ending elsewhere.
    pub(crate) fn put_down(&mut self, from: usize, to: usize, name_end: u32) {
        self.packed[to] = Packed { name_end, ..self.packed[from] };
    }

    pub(crate) fn set_folder(&mut self, at: usize, folder: u32) {
        self.packed[at].folder = folder;
    }

    pub(crate) fn change(&mut self, at: usize, change: impl FnOnce(&mut Entry)) {
        let mut child = self.get(at);
        change(&mut child.entry);
        self.set(at, child);
    }

    /// Forgets those from `count` on, and keeps no room for more.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.packed.truncate(count);
        self.packed.shrink_to_fit();
        self.common.shrink_to_fit();
    }

    pub(crate) fn get(&self, at: usize) -> Child {
        let packed = &self.packed[at];
        let common = &self.common[packed.common as usize];
        let entry = Entry {
            size: packed.size,
            file: packed.file,
            file_high: common.file_high,
            volume: common.volume,
            modified: Time::new(packed.modified_seconds, packed.modified_nanos),
            changed_seconds: packed.changed_seconds,
            created_seconds: packed.created_seconds,
            changed_nanos: packed.changed_nanos,
            created_nanos: packed.created_nanos,
            user: common.user,
            group: common.group,
            attributes: common.attributes,
            kind: common.kind,
            flags: common.flags,
        };
        Child { name_end: packed.name_end, folder: packed.folder, entry }
    }

    pub(crate) fn folder(&self, at: usize) -> u32 {
        self.packed[at].folder
    }

    pub(crate) fn name_end(&self, at: usize) -> u32 {
        self.packed[at].name_end
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Child> {
        (0..self.len()).map(|at| self.get(at))
    }

    fn pack(&mut self, child: Child) -> Packed {
        let Child { name_end, folder, entry } = child;
        let common = Common {
            file_high: entry.file_high,
            volume: entry.volume,
            user: entry.user,
            group: entry.group,
            attributes: entry.attributes,
            kind: entry.kind,
            flags: entry.flags,
        };
        let known = self.common.iter().rev().take(LOOKED_AT).position(|one| *one == common);
        let common = if let Some(from_end) = known {
            self.common.len() - 1 - from_end
        } else {
            self.common.push(common);
            self.common.len() - 1
        };
        Packed {
            size: entry.size,
            file: entry.file,
            modified_seconds: entry.modified.seconds(),
            changed_seconds: entry.changed_seconds,
            created_seconds: entry.created_seconds,
            modified_nanos: entry.modified.nanos(),
            changed_nanos: entry.changed_nanos,
            created_nanos: entry.created_nanos,
            // No more than there are children, which 32 bits count.
            common: common as u32,
            name_end,
            folder,
        }
    }
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl FromIterator<Child> for Children {
    fn from_iter<I: IntoIterator<Item = Child>>(children: I) -> Self {
        let mut all = Self::default();
        children.into_iter().for_each(|child| all.push(child));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(n: u64, alike: u64) -> Child {
        let time = Time::new(n as i64 - 5, (n % 1_000_000_000) as u32);
        let entry = Entry {
            size: n,
            file: u64::MAX - n,
            file_high: alike,
            volume: alike + 1,
            modified: time,
            changed_seconds: -1,
            created_seconds: n as i64,
            changed_nanos: 2,
            created_nanos: 3,
            user: u32::MAX,
            group: alike as u32,
            attributes: Attributes(7),
            kind: Kind::Symlink,
            flags: alike as u16,
        };
        Child { name_end: n as u32, folder: n as u32 + 1, entry }
    }

    #[test]
    fn what_is_put_in_comes_out_whether_items_are_alike_or_not() {
        for alike in [1, 3, LOOKED_AT as u64, 1000] {
            let mut children: Children = (0..1000).map(|n| child(n, n % alike)).collect();
            children.change(7, |entry| entry.size = 5);
            children.set_folder(8, 3);
            children.put_down(10, 9, 4);
            for (n, found) in children.iter().enumerate() {
                let from = if n == 9 { 10 } else { n as u64 };
                let mut wanted = child(from, from % alike);
                match n {
                    7 => wanted.entry.size = 5,
                    8 => wanted.folder = 3,
                    9 => wanted.name_end = 4,
                    _ => {}
                }
                let text = |child: &Child| format!("{child:?}");
                assert_eq!(text(&found), text(&wanted));
            }
            let kept = if alike <= LOOKED_AT as u64 { alike as usize } else { 1000 };
            assert!(children.common.len() <= kept + 3, "{alike}: {}", children.common.len());
        }
    }

    #[test]
    fn a_child_stays_small() {
        assert!(size_of::<Packed>() <= 64, "{}", size_of::<Packed>());
    }
}
