//! What a memory of the two folders knows of files that have not changed since, so that they are not read; and what
//! reading teaches such a memory.
//!
//! A change time proves that nothing was written after a file was read if four things hold, and a file of which one
//! does not is read again each time:
//!
//! 1. The file system moves the change time with the first byte that is written, also through a mapping, and no program
//!    can set it: [`MOVE_CHANGE_TIMES`]. Through a mapping it moves only when a clean page is first written to, so all
//!    that was written before is written back ([`write_back`]) between the scan and the reading: what is stored after
//!    the reading then meets a clean page, and moves the time.
//! 2. The change time is [older](is_settled) than the reading by more than the clock of the file system can blur.
//! 3. It is kept to parts of a second. A job that runs each hour on the hour would, after the clock was set back, give
//!    the file the very second that it had.
//! 4. Nobody had the file open to write, or mapped so, at a moment between the scan and the reading
//!    ([`has_no_writer`](fcs_sys::Locks::has_no_writer)). One call of `write` moves the change time where it begins and may put
//!    bytes down long after; who begins later moves it later. Asked before the reading and not after it: such a call may end in
//!    between.
//!
//! Invariant: a pair counts as equal without being read only if every byte of both was read and found equal, not too long
//! ago, and both files still are the very ones that were seen then: same kind, size, modified and change time, and
//! number, on the volume of their roots. What is trusted is a criterion of a comparison, and never evidence of a copy.
//! This module must not know where a memory is kept.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use fcs_sys::{Fingerprint, Root, Time, VolumeFacts};

use super::again::moves_change_times;
use super::content::Verdicts;
use super::{Comparison, Digests, Row, RowId, Side};
use crate::directions::forgotten;
use crate::memory::{Grade, Known, MemoryChange, Remembered, Stamp};
use crate::tree::{Entry, Tree};
use crate::{Control, Note};

/// A memory that is believed. It must be one that [`Comparison::learned_content`] alone has filled.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// The memory of these two folders, whose stamps have the numbers that their volumes have now.
    pub remembered: &'a Remembered,
    /// Pairs that were read before this are read again.
    pub since: Time,
    /// The time now. What was read later than this was read by another clock.
    pub now: Time,
}

/// What a comparison read of files whose content counts, and what it knew without reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentRead {
    /// Pairs of files of equal size above zero: those whose content has to be known.
    pub pairs: u64,
    /// Pairs of these that a memory knew to be equal, so that they were not read.
    pub known: u64,
    /// Bytes that were read, of both sides together.
    pub bytes: u64,
    /// When the first of the known ones was read.
    pub oldest: Option<Time>,
    /// Rows of which every byte of both sides was read now and is equal, in order.
    pub(crate) equal: Vec<RowId>,
    /// Their digests, where they were asked for.
    hashes: Vec<[u8; 32]>,
    /// Rows, in order, with a file that somebody may have been writing to when it was read.
    written_to: Vec<RowId>,
    /// Whether a memory may learn from it.
    teaches: bool,
}

/// File systems whose change time moves at the first write, in place and through a mapping. Seen to do so on each of
/// them by `engine/tests/known.rs`; the first two are served by the driver of the third. Not listed are those of which
/// only the sources say so; ZFS, which moves it when a mapped page is written back; NTFS, where programs can set it; and
/// FAT, which keeps none.
const MOVE_CHANGE_TIMES: [&str; 5] = ["ext2", "ext3", "ext4", "xfs", "btrfs"];

/// How much older than the reading a change time must be: more than the step of any clock that a file system goes by.
const SETTLED_NANOS: i128 = 2_000_000_000;

/// How often somebody who waits for a volume looks whether that is still wanted.
const WAIT: Duration = Duration::from_millis(50);

/// Whether a volume is one where change times prove what is said above.
pub(crate) fn is_provable(volume: &VolumeFacts) -> bool {
    moves_change_times(volume, &MOVE_CHANGE_TIMES) && volume.sync_volume && volume.lasting_numbers
}

/// Whether a change after `read` would have given the file another change time than it has.
fn is_settled(file: &Fingerprint, read: Time) -> bool {
    file.changed
        .is_some_and(|changed| changed.nanos() != 0 && read.as_nanos() - changed.as_nanos() > SETTLED_NANOS)
}

/// What a file looks like, if that proves something of what was read at this time.
fn proof(tree: &Tree, entry: &Entry, read: Time) -> Option<Stamp> {
    // What is mounted inside has rules of its own.
    let is_here = entry.volume() == tree.volume.id;
    let seen = entry.fingerprint();
    (is_here && is_settled(&seen, read)).then(|| Stamp::from(&seen))
}

/// Takes from the candidates those that are known to be equal, and counts them.
pub(super) fn known_equal(
    trusted: Trusted<'_>,
    trees: [&Tree; 2],
    rows: &[Row],
    candidates: Vec<RowId>,
    read: &mut ContentRead,
) -> (Vec<RowId>, Verdicts) {
    let mut verdicts = Verdicts::default();
    if !trees.iter().all(|tree| is_provable(&tree.volume)) {
        return (candidates, verdicts);
    }
    let mut unread = Vec::new();
    for id in candidates {
        let Some(known) = is_known_equal(trusted, trees, &rows[id as usize]) else {
            unread.push(id);
            continue;
        };
        read.known += 1;
        read.oldest = Some(read.oldest.map_or(known.seen, |oldest| oldest.min(known.seen)));
        if let Some(hash) = &known.hash {
            let start = std::array::from_fn(|i| hash[i]);
            verdicts.digests.push(Digests { row: id, left: start, right: start });
        }
    }
    (unread, verdicts)
}

fn is_known_equal<'a>(trusted: Trusted<'a>, [left, right]: [&Tree; 2], row: &Row) -> Option<&'a Known> {
    let (at_left, at_right) = (row.left()?, row.right()?);
    let known = trusted.remembered.get(&left.path(at_left))?;
    let is_it = |tree: &Tree, node, side| proof(tree, &tree.entry(node), known.seen) == Some(*known.on(side));
    let is_known = known.grade >= Grade::Cache
        && (trusted.since..=trusted.now).contains(&known.seen)
        && is_it(left, at_left, Side::Left)
        && is_it(right, at_right, Side::Right);
    is_known.then_some(known)
}

/// Has both volumes write back what was stored before, so that the change time of a file tells of what is stored after;
/// `false` where that cannot be had, or is not waited for any more. Then nothing may be learned.
pub(super) fn write_back(roots: [&Root; 2], trees: [&Tree; 2], control: &Control) -> bool {
    if !trees.iter().all(|tree| is_provable(&tree.volume)) {
        return false;
    }
    let is_one = trees[0].volume.id == trees[1].volume.id;
    let (done, all_done) = channel();
    for root in &roots[usize::from(is_one)..] {
        let (dir, done) = (root.dir.clone(), done.clone());
        // A volume that takes its time must not keep a cancel waiting, so nobody waits for the thread.
        let job = move || {
            // Nobody may listen any more.
            let _ = done.send(dir.sync_volume().is_ok());
        };
        if std::thread::Builder::new().name("fcs-write-back".into()).spawn(job).is_err() {
            return false;
        }
    }
    drop(done);
    let mut all = true;
    loop {
        match all_done.recv_timeout(WAIT) {
            Ok(synced) => all &= synced,
            Err(RecvTimeoutError::Disconnected) => return all,
            Err(RecvTimeoutError::Timeout) if control.cancel.should_stop() => return false,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

impl ContentRead {
    /// Takes in what reading these rows has shown.
    pub(super) fn add(&mut self, rows: &[RowId], verdicts: &mut Verdicts, teaches: bool) {
        self.bytes += verdicts.bytes;
        if verdicts.cancelled {
            return;
        }
        let mut findings = verdicts.findings.iter().map(|(row, _)| *row).peekable();
        // Both are in the order of rows.
        self.equal = rows
            .iter()
            .copied()
            .filter(|row| {
                while findings.next_if(|found| found < row).is_some() {}
                findings.peek() != Some(row)
            })
            .collect();
        self.teaches = teaches;
        self.written_to = std::mem::take(&mut verdicts.written_to);
        let mut hashes = std::mem::take(&mut verdicts.hashes);
        hashes.sort_unstable_by_key(|(row, _)| *row);
        if hashes.iter().map(|(row, _)| row).eq(&self.equal) {
            self.hashes = hashes.into_iter().map(|(_, hash)| hash).collect();
        }
    }

    /// Says what was not read because a memory knows it.
    pub fn note(&self, now: Time) -> Option<Note> {
        let oldest = self.oldest?;
        let text = format!(
            "{} of {} known to be equal, {} read: no file of the known ones has changed since it was read, the first of \
             them {} ago.",
            fcs_text::number(self.known),
            fcs_text::count(self.pairs, "pair of files", "pairs of files"),
            fcs_text::count(self.bytes, "byte", "bytes"),
            age(now.as_nanos() - oldest.as_nanos()),
        );
        Some(Note::of_setting("trust_known_hashes", text))
    }
}

/// How long ago something was, in the largest unit of which it is one at least.
fn age(nanos: i128) -> String {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(0);
    for (unit, one, many) in [
        (86_400, "day", "days"),
        (3600, "hour", "hours"),
        (60, "minute", "minutes"),
        (1, "second", "seconds"),
    ] {
        if seconds >= unit {
            return fcs_text::count(seconds / unit, one, many);
        }
    }
    "less than a second".to_owned()
}

impl Comparison {
    /// What a memory of known content learns from what was read in this comparison: the pairs that are equal and of which
    /// later changes will show. And what it forgets, because both sides have it no more. In no order.
    pub fn learned_content(&self, remembered: &Remembered) -> Vec<MemoryChange> {
        if self.cancelled {
            return Vec::new();
        }
        let gone = forgotten(self, remembered).into_iter();
        let gone = gone.map(|path| MemoryChange { path, known: None });
        let read = self.content_read.equal.iter().enumerate().filter(|_| self.content_read.teaches);
        let read = read.filter(|(_, id)| self.content_read.written_to.binary_search(id).is_err());
        let read = read.filter_map(|(at, &id)| {
            let row = self.row(id);
            let stamp = |tree: &Tree, node| proof(tree, &tree.entry(node), self.began);
            let known = Known {
                stamps: [stamp(&self.left, row.left()?)?, stamp(&self.right, row.right()?)?],
                hash: self.content_read.hashes.get(at).copied(),
                grade: Grade::Cache,
                // When reading began: whatever came later is a change.
                seen: self.began,
            };
            Some(MemoryChange { path: self.path(id), known: Some(known) })
        });
        gone.chain(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use fcs_sys::{Attributes, FileId, Kind};

    use super::*;

    #[test]
    fn a_change_time_proves_something_if_it_is_old_and_has_parts_of_a_second() {
        let at = |seconds, nanos| Fingerprint {
            kind: Kind::File,
            id: FileId { volume: 1, file: 2, file_high: 0 },
            size: 3,
            modified: Time::new(1, 0),
            changed: Some(Time::new(seconds, nanos)),
            attributes: Attributes(0o644),
        };
        let read = Time::new(1000, 500);
        assert!(is_settled(&at(997, 1), read) && is_settled(&at(998, 499), read));
        assert!(!is_settled(&at(998, 500), read), "as long ago as the coarsest step");
        assert!(!is_settled(&at(1000, 400), read) && !is_settled(&at(2000, 1), read));
        assert!(!is_settled(&at(900, 0), read), "of whole seconds");
        assert!(!is_settled(&Fingerprint { changed: None, ..at(900, 1) }, read));
    }

    #[test]
    fn how_long_ago_it_was_is_said_in_the_largest_unit() {
        let ago = |seconds: i128| age(seconds * 1_000_000_000);
        let all = [0, 59, 60, 7199, 86_400, 30 * 86_400, -5].map(ago);
        let words = [
            "less than a second",
            "59 seconds",
            "1 minute",
            "1 hour",
            "1 day",
            "30 days",
            "less than a second",
        ];
        assert_eq!(all, words);
    }
}
