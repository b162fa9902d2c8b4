//! The names in one folder: kept in the order of the listing while they are examined, brought into the order of the
//! tree afterwards.
//!
//! Why not sort first: asking for items in the order of the listing is what file systems and their caches are made
//! for; for a folder of a million names it takes a third less time than asking in alphabetical order (measured on
//! tmpfs).

use fcs_sys::{LinkTarget, Name};

use super::queue::SubFolder;
use super::side::Listing;
use crate::Error;
use crate::tree::{Child, Children, Entry, NameOrder};

/// The names in one folder and what the listing told about them. Numbers are places in the listing.
#[derive(Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Empty where listings tell names only.
    known: Vec<Option<Entry>>,
    /// The listing told names that were not even taken down, because they belong to this program.
    pub(super) reserved: u64,
    /// Other names were passed over too.
    pub(super) left_out: bool,
}

/// What examining some of the names gave, beside their entries. Numbers are places in the listing.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) links: Vec<(u32, LinkTarget)>,
    pub(super) unreadable: Vec<(u32, Error)>,
    /// Folders to be entered; which children they are is not known yet.
    pub(super) folders: Vec<(u32, SubFolder)>,
    /// Why the folder is not fully known.
    pub(super) error: Option<Error>,
    /// A pattern left something out.
    pub(super) left_out: bool,
    /// Names that were listed and not found, to be looked at once more.
    pub(super) gone: Vec<(u32, Name)>,
}

/// No place: the name was listed twice, which systems may do while a folder changes.
const TWICE: u32 = u32::MAX;

impl Names {
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn name(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.bytes[start..self.ends[at] as usize]
    }

    pub(super) fn known(&self, at: usize) -> Option<Entry> {
        self.known.get(at).copied().flatten()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.known.clear();
        self.reserved = 0;
        self.left_out = false;
    }

    /// Takes a name; false when the folder holds more than offsets of 32 bits can distinguish.
    pub(super) fn push(&mut self, name: &[u8], known: Option<Entry>) -> bool {
        let Ok(end) = u32::try_from(self.bytes.len() + name.len()) else { return false };
        if known.is_some() || !self.known.is_empty() {
            self.known.resize(self.ends.len(), None);
            self.known.push(known);
        }
        self.bytes.extend_from_slice(name);
        self.ends.push(end);
        true
    }

    /// The places in the listing, in the order of names, each name once.
    fn sorted(&self, order: NameOrder) -> Vec<u32> {
        let compare = |a: u32, b: u32| order.compare(self.name(a as usize), self.name(b as usize));
        let count = self.count() as u32;
        let mut sorted: Vec<u32> = if order == NameOrder::Exact {
            // Most comparisons are decided by the bytes after the common beginning. Names hold no zero byte, so
            // filling up with zeros keeps a name before those it is the beginning of.
            let common = self.common_beginning();
            let mut keyed: Vec<(u64, u32)> = (0..count).map(|i| (self.key(i as usize, common), i)).collect();
            keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| compare(a.1, b.1)));
            keyed.into_iter().map(|(_, i)| i).collect()
        } else {
            let mut sorted: Vec<u32> = (0..count).collect();
            sorted.sort_by(|&a, &b| compare(a, b));
            sorted
        };
        sorted.dedup_by(|a, b| self.name(*a as usize) == self.name(*b as usize));
        sorted
    }

    fn common_beginning(&self) -> usize {
        let Some(first) = (self.count() > 0).then(|| self.name(0)) else { return 0 };
        (1..self.count()).fold(first.len(), |common, i| {
            first[..common].iter().zip(self.name(i)).take_while(|(a, b)| a == b).count()
        })
    }

    fn key(&self, at: usize, skip: usize) -> u64 {
        let rest = &self.name(at)[skip..];
        let mut key = [0; 8];
        let n = rest.len().min(8);
        key[..n].copy_from_slice(&rest[..n]);
        u64::from_be_bytes(key)
    }

    /// Puts everything about the folder into the order of names. `parts` gives the entries of consecutive runs of
    /// the listing and what came with them; an entry that is `None` is left out. Each part is dropped before the next
    /// is asked for, so that a huge folder is not held twice.
    pub(super) fn assemble(
        &self,
        order: NameOrder,
        parts: impl Iterator<Item = (Vec<Option<Entry>>, Extras)>,
    ) -> Listing {
        let sorted = self.sorted(order);
        let mut place = vec![TWICE; self.count()];
        sorted.iter().zip(0..).for_each(|(&at, rank)| place[at as usize] = rank);
        let mut children = Children::unknown(sorted.len());
        let mut taken = vec![false; sorted.len()];
        let mut all = Extras::default();
        let mut at = 0;
        for (entries, extras) in parts {
            for entry in entries {
                let rank = place[at];
                if let Some(entry) = entry.filter(|_| rank != TWICE) {
                    children.set(rank as usize, Child::new(0, entry));
                    taken[rank as usize] = true;
                }
                at += 1;
            }
            all.add(extras);
        }
        let mut names = Vec::with_capacity(self.bytes.len());
        let mut kept = 0;
        for (rank, &at) in sorted.iter().enumerate() {
            if taken[rank] {
                names.extend_from_slice(self.name(at as usize));
                children.put_down(rank, kept, names.len() as u32);
                place[at as usize] = kept as u32;
                kept += 1;
            }
        }
        children.truncate(kept);
        all.left_out |= self.reserved > 0 || self.left_out;
        all.into_listing(&place, names, children)
    }
}

impl Extras {
    fn add(&mut self, more: Self) {
        self.links.extend(more.links);
        self.unreadable.extend(more.unreadable);
        self.folders.extend(more.folders);
        self.error = self.error.take().or(more.error);
        self.left_out |= more.left_out;
    }

    /// Turns places in the listing into numbers of children.
    fn into_listing(self, place: &[u32], names: Vec<u8>, children: Children) -> Listing {
        let child = |at: u32| Some(place[at as usize]).filter(|&p| p != TWICE);
        let mut folders: Vec<SubFolder> = self
            .folders
            .into_iter()
            .filter_map(|(at, sub)| Some(SubFolder { child: child(at)?, ..sub }))
            .collect();
        folders.sort_unstable_by_key(|sub| sub.child);
        Listing {
            names: names.into(),
            children,
            links: self.links.into_iter().filter_map(|(at, text)| Some((child(at)?, text))).collect(),
            unreadable: self
                .unreadable
                .into_iter()
                .filter_map(|(at, error)| Some((child(at)?, error)))
                .collect(),
            folders,
            error: self.error,
            left_out: self.left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tree::NameOrder::{Exact, Folded};

    proptest! {
        #[test]
        fn names_come_out_sorted_once_each_with_what_belongs_to_them(
            listed in prop::collection::vec("(prefix|)[a-cA-C\u{e9}\u{1}]{1,10}", 0..30),
            gone in any::<u32>(),
            cut in 0usize..30,
            folded: bool,
        ) {
            let order = if folded { Folded } else { Exact };
            let mut names = Names::default();
            listed.iter().for_each(|n| assert!(names.push(n.as_bytes(), None)));
            let is_gone = |name: &str| gone >> (name.len() % 32) & 1 == 1;
            let mark = |name: &str| {
                let mut entry = Entry::UNKNOWN;
                entry.size = name.bytes().map(u64::from).sum();
                entry
            };
            let entries: Vec<_> = listed.iter().map(|n| (!is_gone(n)).then(|| mark(n))).collect();
            let text = |n: &str| LinkTarget { text: n.into(), to_folder: false };
            let links = (0..).zip(&listed).filter(|(_, n)| !is_gone(n)).map(|(i, n)| (i, text(n))).collect();
            let cut = cut.min(entries.len());
            let parts = [
                (entries[..cut].to_vec(), Extras::default()),
                (entries[cut..].to_vec(), Extras { links, ..Extras::default() }),
            ];
            let listing = names.assemble(order, parts.into_iter());
            let mut expected: Vec<&String> = listed.iter().filter(|n| !is_gone(n)).collect();
            expected.sort_by(|a, b| order.compare(a.as_bytes(), b.as_bytes()));
            expected.dedup();
            let mut start = 0;
            let found: Vec<_> = listing.children.iter().map(|c| {
                let name = &listing.names[start..c.name_end as usize];
                start = c.name_end as usize;
                prop_assert_eq!(c.entry.size, mark(std::str::from_utf8(name).unwrap()).size);
                Ok(String::from_utf8(name.to_vec()).unwrap())
            }).collect::<Result<_, _>>()?;
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
            prop_assert_eq!(listing.links.len(), found.len());
            for (child, link) in &listing.links {
                prop_assert_eq!(found[*child as usize].as_bytes(), link.text.as_slice());
            }
        }
    }
}
