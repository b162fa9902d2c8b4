//! What becomes of one inode's content and metadata that were not synced.

use std::fmt::Write as _;
use std::sync::Arc;

use super::inode::{Body, Content, Inode, Key};

/// Metadata that may be old or new, one bit each.
pub(super) const MODIFIED: u8 = 1;
pub(super) const MODE: u8 = 2;
pub(super) const OWNER: u8 = 4;
pub(super) const XATTRS: u8 = 8;
pub(super) const CHANGED: u8 = 16;
pub(super) const ALL_BITS: [u8; 5] = [MODIFIED, MODE, OWNER, XATTRS, CHANGED];

/// An inode of which something is not durable.
#[derive(Debug)]
pub(super) struct Dirty {
    pub(super) key: Key,
    new_inode: Arc<Inode>,
    pub(super) old: Arc<Vec<u8>>,
    pub(super) new: Arc<Vec<u8>>,
    /// Which metadata differ.
    pub(super) meta: u8,
    /// Blocks that are on their way to the device, by number: in sectors and in pages.
    pub(super) sectors: Vec<usize>,
    pub(super) pages: Vec<usize>,
}

impl Dirty {
    pub(super) fn of(key: Key, old_inode: &Arc<Inode>, new_inode: &Arc<Inode>) -> Option<Self> {
        if Arc::ptr_eq(old_inode, new_inode) {
            return None;
        }
        let (o, n) = (old_inode, new_inode);
        let differs = [
            o.modified != n.modified,
            o.mode != n.mode,
            o.owner != n.owner,
            o.xattrs != n.xattrs,
            o.changed != n.changed,
        ];
        let meta =
            differs.into_iter().zip(ALL_BITS).filter(|(differs, _)| *differs).map(|(_, bit)| bit).sum();
        let old = o.content().map(|content| Arc::clone(&content.device)).unwrap_or_default();
        let new = n.content().map(|content| Arc::clone(content.newest())).unwrap_or_default();
        let mut dirty =
            Self { key, new_inode: Arc::clone(n), old, new, meta, sectors: Vec::new(), pages: Vec::new() };
        if !Arc::ptr_eq(&dirty.old, &dirty.new) {
            dirty.sectors = dirty.handed_over(SECTOR);
            dirty.pages = dirty.handed_over(PAGE);
        }
        (dirty.meta != 0 || !dirty.sectors.is_empty()).then_some(dirty)
    }

    /// Blocks that the device is handed: systems write by page, so a page's other sectors go with one that differs;
    /// and a file made longer has the rest of its last page zeroed first, so that page goes too (XFS; the power suite
    /// found journal records lost that way).
    fn handed_over(&self, block: usize) -> Vec<usize> {
        let last = self.old.len() / PAGE;
        let zeroed = !self.old.len().is_multiple_of(PAGE) && self.new.len() > (last + 1) * PAGE;
        let page_goes = |page: usize| (zeroed && page == last) || self.range(page, PAGE).is_some();
        (0..self.new.len().div_ceil(block)).filter(|&number| page_goes(number * block / PAGE)).collect()
    }

    /// The bytes of a block that were written: from the first to the last that differs.
    fn range(&self, number: usize, block: usize) -> Option<(usize, usize)> {
        let (start, end) = (number * block, ((number + 1) * block).min(self.new.len()));
        let differs = |&i: &usize| self.old.get(i) != self.new.get(i);
        if self.old.get(start..end).is_some_and(|old| *old == self.new[start..end]) {
            return None;
        }
        let first = (start..end).find(differs)?;
        Some((first, (first..end).rfind(differs)? + 1))
    }

    pub(super) fn is_folder(&self) -> bool {
        self.new_inode.is_folder()
    }

    pub(super) fn block(coarse: bool) -> usize {
        if coarse { PAGE } else { SECTOR }
    }

    pub(super) fn blocks(&self, coarse: bool) -> &[usize] {
        if coarse { &self.pages } else { &self.sectors }
    }

    /// What can become of a block.
    pub(super) fn fates(&self, number: usize, coarse: bool) -> &'static [Fate] {
        let block = Self::block(coarse);
        if self.range(number, block).is_none() {
            // Rewritten as it was.
            &[Fate::New, Fate::Garbage]
        } else if number * block >= self.old.len() {
            // Behind the old end, old bytes are zeros.
            &[Fate::New, Fate::Zero, Fate::Garbage, Fate::Torn]
        } else {
            &ALL_FATES
        }
    }

    /// How many sizes the file may have.
    pub(super) fn sizes(&self, coarse: bool) -> usize {
        if self.old.len() == self.new.len() { 1 } else { 2 + self.boundaries(coarse).1 }
    }

    /// The first block boundary between old and new size, and how many there are.
    fn boundaries(&self, coarse: bool) -> (usize, usize) {
        let block = Self::block(coarse);
        let (first, end) = (self.old.len() / block + 1, self.new.len().div_ceil(block));
        (first * block, end.saturating_sub(first))
    }

    /// The `n`th size: new, old, then the boundaries between.
    pub(super) fn size(&self, n: usize, coarse: bool) -> usize {
        match n {
            0 => self.new.len(),
            1 => self.old.len(),
            _ => self.boundaries(coarse).0 + (n - 2) * Self::block(coarse),
        }
    }

    /// The inode as a crash leaves it.
    pub(super) fn left(&self, choice: &Choice, on_disk: &Inode, seed: u64) -> Inode {
        let mut inode = on_disk.clone();
        let n = &self.new_inode;
        let is_new = |bit: u8| self.meta & choice.meta & bit != 0;
        if is_new(MODIFIED) {
            inode.modified = n.modified;
        }
        if is_new(MODE) {
            inode.mode = n.mode;
        }
        if is_new(OWNER) {
            inode.owner = n.owner;
        }
        if is_new(XATTRS) {
            inode.xattrs = Arc::clone(&n.xattrs);
        }
        if is_new(CHANGED) {
            inode.changed = n.changed;
        }
        if let Body::File(content) = &mut inode.body {
            let bytes = self.bytes_left(choice, seed);
            content.holes |= n.content().is_some_and(|new| new.holes);
            *content =
                Content { cached: Arc::clone(&bytes), device: bytes, dirty: false, holes: content.holes };
        }
        inode
    }

    fn bytes_left(&self, choice: &Choice, seed: u64) -> Arc<Vec<u8>> {
        let all = |fate| choice.fates.iter().all(|&f| f == fate);
        if all(Fate::New) && choice.size == self.new.len() {
            return Arc::clone(&self.new);
        }
        if choice.size == self.old.len() && (all(Fate::Old) || self.sectors.is_empty()) {
            return Arc::clone(&self.old);
        }
        let block = Self::block(choice.coarse);
        let mut bytes = (*self.new).clone();
        for (&number, &fate) in self.blocks(choice.coarse).iter().zip(&choice.fates) {
            let mut noise = fastrand::Rng::with_seed(seed ^ ((self.key as u64) << 32) ^ number as u64);
            if fate == Fate::Garbage {
                // A device spoils a block as a whole, whatever part of it was to change.
                let end = ((number + 1) * block).min(bytes.len());
                noise.fill(&mut bytes[number * block..end]);
                continue;
            }
            let Some((from, to)) = self.range(number, block) else { continue };
            let old = |i: usize| self.old.get(i).copied().unwrap_or(0);
            match fate {
                Fate::New | Fate::Garbage => {}
                Fate::Old => (from..to).for_each(|i| bytes[i] = old(i)),
                Fate::Zero => bytes[from..to].fill(0),
                Fate::Torn => (noise.usize(from..to)..to).for_each(|i| bytes[i] = old(i)),
            }
        }
        bytes.truncate(choice.size);
        Arc::new(bytes)
    }
}

const SECTOR: usize = 512;
const PAGE: usize = 4096;

/// What became of a block that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    New,
    Old,
    Zero,
    Garbage,
    /// New up to some byte, old from there.
    Torn,
}

/// Every one.
pub(super) const ALL_FATES: [Fate; 5] = [Fate::New, Fate::Zero, Fate::Garbage, Fate::Torn, Fate::Old];

/// What became of one [`Dirty`] inode.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) size: usize,
    /// In pages; else in sectors.
    pub(super) coarse: bool,
    /// One for each block that differs.
    pub(super) fates: Vec<Fate>,
    /// Bits of the metadata that are new.
    pub(super) meta: u8,
}

impl Dirty {
    /// What a choice comes to, in words.
    pub(super) fn describe(&self, choice: &Choice) -> String {
        let mut text = String::new();
        if !self.sectors.is_empty() {
            let _ = write!(text, " size {} ({} -> {}),", choice.size, self.old.len(), self.new.len());
            let unit = if choice.coarse { "pages" } else { "sectors" };
            let blocks: Vec<_> = self.blocks(choice.coarse).iter().zip(&choice.fates).collect();
            for run in blocks.chunk_by(|a, b| a.1 == b.1 && a.0 + 1 == *b.0) {
                let (first, last) = (run[0], run[run.len() - 1]);
                let _ = write!(text, " {unit} {}-{} {:?},", first.0, last.0, first.1);
            }
        }
        for (bit, name) in
            ALL_BITS.into_iter().zip(["modified time", "mode", "owner", "attributes", "change time"])
        {
            if self.meta & bit != 0 {
                let _ = write!(text, " {name} {},", if choice.meta & bit == 0 { "old" } else { "new" });
            }
        }
        text.trim_end_matches(',').to_owned()
    }
}
