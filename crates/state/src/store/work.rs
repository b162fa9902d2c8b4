//! A transaction that changes items: merged block by block, and noted for whoever undoes the run.
//!
//! Invariant: an item that a run changes is noted with that run. Blocks stay in the order of paths, and none is larger than it has to be.

use std::iter::Peekable;
use std::ops::Bound;

use fcs_engine::history::RunId;
use fcs_engine::memory::Known;
use fcs_sys::Time;
use redb::{ReadableTable, Table, WriteTransaction};

use super::{CHANGED, Done, Fault, Head, ITEMS, Items, RUNS, RunRecord, each_item, store};
use crate::codec::{Devices, Encoder};

/// Most bytes of a block and its key: a page of 4096 bytes, less what the database writes around them.
pub(super) const FULL: usize = 4064;
/// A block with fewer bytes joins the next one.
pub(super) const SPARSE: usize = FULL / 4;
/// Changes that are held and sorted at once.
const AT_ONCE: usize = 1 << 16;

/// An item, and what is remembered of it from now on.
type Edit = (Vec<u8>, Option<Known>);

/// A transaction that changes items.
pub(super) struct Work<'txn> {
    pub(super) items: Table<'txn, &'static [u8], &'static [u8]>,
    pub(super) runs: Table<'txn, &'static str, &'static [u8]>,
    pub(super) changed: Table<'txn, (&'static str, u32), &'static [u8]>,
    devices: Devices,
    pub(super) items_count: u64,
    pub(super) bytes: u64,
    run: Option<(RunId, RunRecord)>,
    /// Items are noted with the run also where they stay as they are remembered.
    pub(super) notes_all: bool,
    /// What becomes the next block of `changed`.
    block: Encoder,
}

impl<'txn> Work<'txn> {
    pub(super) fn new(
        write: &'txn WriteTransaction,
        devices: Devices,
        head: Option<&Head>,
        run: Option<(&RunId, [bool; 2])>,
    ) -> Done<Self> {
        let runs = write.open_table(RUNS)?;
        let record = |(run, wrote): (&RunId, [bool; 2])| -> Done<(RunId, RunRecord)> {
            let record = match runs.get(run.as_str())? {
                Some(found) => RunRecord::restore(run, found.value())?,
                None => RunRecord { saved: Time::EPOCH, blocks: 0, changes: 0, wrote, accounted: [false; 2] },
            };
            Ok((run.clone(), record))
        };
        let run = run.map(record).transpose()?;
        Ok(Self {
            items: write.open_table(ITEMS)?,
            changed: write.open_table(CHANGED)?,
            devices,
            items_count: head.map_or(0, |head| head.items),
            bytes: head.map_or(0, |head| head.bytes),
            run,
            notes_all: false,
            runs,
            block: Encoder::new(devices, b""),
        })
    }

    /// Sets items, so many at once.
    pub(super) fn set_all(&mut self, mut changes: impl Iterator<Item = Edit>) -> Done<()> {
        loop {
            let some: Vec<_> = changes.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            self.apply(some)?;
        }
    }

    /// Forgets every item: a first run remembers what there is anew, so nothing of the old may stay.
    pub(super) fn forget_all(&mut self) -> Done<()> {
        loop {
            let mut some = Vec::new();
            for block in self.items.iter()? {
                let (key, block) = block?;
                each_item(self.devices, key.value(), block.value(), |path, _| {
                    some.push((path.to_vec(), None));
                    Ok(())
                })?;
                if some.len() >= AT_ONCE {
                    break;
                }
            }
            if some.is_empty() {
                return Ok(());
            }
            self.apply(some)?;
        }
    }

    /// Carries out edits, in the order given where they are of one path.
    pub(super) fn apply(&mut self, mut edits: Vec<Edit>) -> Done<()> {
        edits.sort_by(|a, b| a.0.cmp(&b.0));
        let mut edits = edits.into_iter().peekable();
        while let Some((path, _)) = edits.peek() {
            let mut key = match self.items.range::<&[u8]>(..=path.as_slice())?.next_back() {
                Some(found) => Some(found?.0.value().to_vec()),
                None => self.items.first()?.map(|(key, _)| key.value().to_vec()),
            };
            let mut merged = Merged::new(self.devices);
            loop {
                let (old, next) =
                    if let Some(key) = &key { self.take_block(key)? } else { (Vec::new(), None) };
                self.merge(old, &mut edits, next.as_deref(), &mut merged)?;
                if next.is_none() || merged.is_empty() || merged.bytes >= SPARSE {
                    break;
                }
                key = next;
            }
            for (key, block) in merged.blocks() {
                self.bytes += (key.len() + block.len()) as u64;
                self.items.insert(key, block.as_slice())?;
            }
        }
        Ok(())
    }

    /// Takes a block out; returns its items, and the key of the next one.
    fn take_block(&mut self, key: &[u8]) -> Done<(Items, Option<Vec<u8>>)> {
        let mut items = Vec::new();
        {
            let block = self.items.remove(key)?.ok_or(Fault::Wrong("a block is missing"))?;
            self.bytes = self.bytes.saturating_sub((key.len() + block.value().len()) as u64);
            each_item(self.devices, key, block.value(), |path, known| {
                items.push((path.to_vec(), known));
                Ok(())
            })?;
        }
        let behind = (Bound::Excluded(key), Bound::Unbounded);
        let next = self.items.range::<&[u8]>(behind)?.next().transpose()?;
        Ok((items, next.map(|(key, _)| key.value().to_vec())))
    }

    /// Merges the items of a block with the edits that fall before the next one.
    fn merge(
        &mut self,
        old: Items,
        edits: &mut Peekable<std::vec::IntoIter<Edit>>,
        end: Option<&[u8]>,
        merged: &mut Merged,
    ) -> Done<()> {
        let mut old = old.into_iter().peekable();
        loop {
            let edit_path = edits
                .peek()
                .map(|(path, _)| path.as_slice())
                .filter(|path| end.is_none_or(|end| *path < end));
            match (old.peek(), edit_path) {
                (Some((path, _)), edit) if edit.is_none_or(|edit| path.as_slice() < edit) => {
                    let Some((path, known)) = old.next() else { break };
                    merged.push(path, known);
                }
                (_, Some(path)) => {
                    let path = path.to_vec();
                    let was = old.next_if(|(old, _)| *old == path).map(|(_, known)| known);
                    let mut is = was;
                    while let Some((_, now)) = edits.next_if(|(other, _)| *other == path) {
                        if is != now || self.notes_all {
                            self.note(&path)?;
                        }
                        is = now;
                    }
                    self.items_count += u64::from(is.is_some());
                    self.items_count -= u64::from(was.is_some());
                    if let Some(known) = is {
                        merged.push(path, known);
                    }
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Notes with the run that it changed an item.
    fn note(&mut self, path: &[u8]) -> Done<()> {
        let Some((_, record)) = &mut self.run else { return Ok(()) };
        record.changes += 1;
        self.block.push(path, None);
        if self.block.len() > FULL - 256 { self.keep_block() } else { Ok(()) }
    }

    fn keep_block(&mut self) -> Done<()> {
        let Some((run, record)) = &mut self.run else { return Ok(()) };
        let block = std::mem::replace(&mut self.block, Encoder::new(self.devices, b""));
        let block = block.finish(&changed_key(run, record.blocks));
        self.bytes += block.len() as u64;
        self.changed.insert((run.as_str(), record.blocks), block.as_slice())?;
        record.blocks += 1;
        Ok(())
    }

    /// Ends the record of the run.
    pub(super) fn finish(mut self, now: Time) -> Done<Totals> {
        if self.run.is_some() {
            self.keep_block()?;
        }
        if let Some((run, record)) = &mut self.run {
            record.saved = now;
            self.runs.insert(run.as_str(), store(run, record)?.as_slice())?;
        }
        let mut kept_since = None;
        for found in self.runs.iter()? {
            let (run, record) = found?;
            let record = RunRecord::restore(run.value(), record.value())?;
            kept_since = Some(kept_since.map_or(record.saved, |since: Time| since.min(record.saved)));
        }
        Ok(Totals { items: self.items_count, bytes: self.bytes, kept_since })
    }
}

/// What there is after a change.
pub(super) struct Totals {
    pub(super) items: u64,
    pub(super) bytes: u64,
    pub(super) kept_since: Option<Time>,
}

pub(super) fn changed_key(run: &RunId, number: u32) -> Vec<u8> {
    format!("{run} {number}").into_bytes()
}

/// Items that become blocks.
struct Merged {
    devices: Devices,
    items: Items,
    /// Bytes of each, if the one before it is in the same block.
    lengths: Vec<usize>,
    measure: Encoder,
    bytes: usize,
}

impl Merged {
    fn new(devices: Devices) -> Self {
        let measure = Encoder::new(devices, b"");
        Self { devices, items: Vec::new(), lengths: Vec::new(), measure, bytes: 0 }
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn push(&mut self, path: Vec<u8>, known: Known) {
        let before = self.measure.len();
        self.measure.push(&path, Some(&known));
        let length = self.measure.len() - before;
        self.measure.shorten();
        self.lengths.push(length);
        self.bytes += length;
        self.items.push((path, known));
    }

    /// Blocks with their keys, as evenly full as they can be.
    fn blocks(&self) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
        // The first item of a block repeats no path, so a block begins with more than its share.
        let count = self.bytes.div_ceil(FULL - 160).max(1);
        let share = self.bytes.div_ceil(count);
        let mut from = 0;
        std::iter::from_fn(move || {
            let (key, _) = self.items.get(from)?;
            let mut encoder = Encoder::new(self.devices, key);
            let start = from;
            let mut filled = 0;
            while let Some((path, known)) = self.items.get(from) {
                let length = self.lengths[from];
                let is_full = filled >= share || key.len() + encoder.len() + length > FULL;
                if is_full && from > start {
                    break;
                }
                encoder.push(path, Some(known));
                filled += length;
                from += 1;
            }
            Some((key.as_slice(), encoder.finish(key)))
        })
    }
}
