//! The journal file: an append-only list of checksummed records.
//!
//! ```text
//! length u32 | number u32 | payload (postcard) | checksum 16 bytes
//! ```
//!
//! All numbers are little-endian. The checksum is the beginning of BLAKE3 over the checksum before, the number and
//! the payload, so a record is only valid behind exactly the records it was written behind: what an interrupted
//! writer left after the last valid record can never be taken for a continuation.
//!
//! What is written after a sync begins in a block of its own, and what is synced fills its last block with zeros. A
//! power cut can leave garbage in a block that was being written, and must not take records with it that were durable
//! before. Leaving the rest of a block empty is not enough: a file that ends inside a block has that block rewritten
//! when it is made longer, because the system zeroes what was behind the end (XFS). The power suite found both.
//!
//! The path index of an undo store has the same form (`index.rs`).
//!
//! Invariant: a failed write or sync is final. The system may have dropped what it could not write, so nothing is
//! ever appended after it. This module must not know what records mean.

use std::io;
use std::marker::PhantomData;

use fcs_sys::{FileRef, write_all_at};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::record::Record;

const CHECKSUM: usize = 16;
const HEAD: usize = 8;
/// What a device writes as a whole, or spoils as a whole.
const BLOCK: u64 = 4096;
/// Bytes read at once.
const READ_AHEAD: usize = 256 << 10;
/// Longest record that is believed; steps are listed in pieces far smaller.
const LONGEST: usize = 64 << 20;

type Checksum = [u8; CHECKSUM];

/// Where a journal ends. No other journal ends so: its last checksum covers everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Tail {
    at: u64,
    number: u32,
    checksum: Checksum,
    /// The format of another version, if the first record has one.
    #[serde(skip)]
    other_version: Option<u32>,
}

impl Tail {
    /// The format of the version that wrote the journal, if that is another one.
    pub(crate) fn other_version(&self) -> Option<u32> {
        self.other_version
    }
}

/// A journal being written.
#[derive(Debug)]
pub(crate) struct Journal<R = Record> {
    file: FileRef,
    tail: Tail,
    /// Encoded, not yet written.
    waiting: Vec<u8>,
    /// Everything before is durable, so the next write keeps clear of its last block.
    clean: bool,
    broken: bool,
    records: PhantomData<fn(&R)>,
}

impl<R: Serialize> Journal<R> {
    /// Goes on behind `tail`: the default for a new, empty file.
    pub(crate) fn new(file: FileRef, tail: Tail) -> Self {
        Self { file, tail, waiting: Vec::new(), clean: true, broken: false, records: PhantomData }
    }

    /// Whether it holds no valid record.
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.number == 0
    }

    /// Where it ends; as [`read`] says it, while nothing was added.
    pub(crate) fn tail(&self) -> Tail {
        self.tail
    }

    /// The format of the version that wrote it, if that is another one.
    pub(crate) fn other_version(&self) -> Option<u32> {
        self.tail.other_version()
    }

    /// Adds a record and makes it durable.
    pub(crate) fn write_down(&mut self, record: &R) -> io::Result<()> {
        self.append(record);
        self.sync()
    }

    /// Adds a record, to be written by the next [`Journal::sync`].
    pub(crate) fn append(&mut self, record: &R) {
        // Plain data without maps or unknown lengths; were it ever refused, the next sync must not claim success.
        let Ok(payload) = postcard::to_stdvec(record) else {
            self.broken = true;
            return;
        };
        self.tail.number += 1;
        self.tail.checksum = checksum(&self.tail.checksum, self.tail.number, &payload);
        self.waiting.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        self.waiting.extend_from_slice(&self.tail.number.to_le_bytes());
        self.waiting.extend_from_slice(&payload);
        self.waiting.extend_from_slice(&self.tail.checksum);
    }

    /// Hands what was added to the system once it is much. Not durable yet.
    pub(crate) fn write_if_long(&mut self) -> io::Result<()> {
        if self.waiting.len() < 1 << 20 { Ok(()) } else { self.write() }
    }

    /// Makes everything that was added durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.begin_block();
        if !self.clean {
            let end = self.tail.at + self.waiting.len() as u64;
            let rest = (end.next_multiple_of(BLOCK) - end) as usize;
            self.waiting.resize(self.waiting.len() + rest, 0);
        }
        self.write()?;
        self.file.sync().inspect_err(|_| self.broken = true)?;
        self.clean = true;
        Ok(())
    }

    fn begin_block(&mut self) {
        if self.clean && !self.waiting.is_empty() {
            self.tail.at = self.tail.at.next_multiple_of(BLOCK);
            self.clean = false;
        }
    }

    /// Hands everything that was added to the system. Not durable yet.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write to the journal failed"));
        }
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.begin_block();
        write_all_at(&*self.file, &self.waiting, self.tail.at).inspect_err(|_| self.broken = true)?;
        self.tail.at += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

fn checksum(before: &Checksum, number: u32, payload: &[u8]) -> Checksum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before).update(&number.to_le_bytes()).update(payload);
    let mut short = Checksum::default();
    short.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM]);
    short
}

/// Gives all valid records, one by one: a journal of many steps has hundreds of bytes for each. What comes after the last
/// one was never finished and counts as not written.
///
/// A first record that is whole but not understood leaves the tail behind it: such a journal is of another version,
/// not empty.
pub(crate) fn each(file: &FileRef, take: impl FnMut(Record)) -> io::Result<Tail> {
    each_from(&|buffer, at| file.read_at(buffer, at), take)
}

/// As [`each`], of records of another kind, all at once.
pub(crate) fn read_as<R: DeserializeOwned>(file: &FileRef) -> io::Result<(Vec<R>, Tail)> {
    read_from(&|buffer, at| file.read_at(buffer, at))
}

/// The first record; `None` if there is none.
pub(crate) fn first_as<R: DeserializeOwned>(file: &FileRef) -> io::Result<Option<R>> {
    let read_at = |buffer: &mut [u8], at| file.read_at(buffer, at);
    Ok(Reader::new(&read_at).next_record(Tail::default())?.and_then(|(record, _)| record))
}

/// Whether a journal ends at `tail`, without reading what is before.
pub(crate) fn ends_at(file: &FileRef, tail: &Tail) -> io::Result<bool> {
    let read_at = |buffer: &mut [u8], at| file.read_at(buffer, at);
    let mut reader = Reader::new(&read_at);
    let Some(last) = tail.at.checked_sub(CHECKSUM as u64) else { return Ok(false) };
    let is_there = reader.bytes(last, CHECKSUM)?.is_some_and(|found| found == tail.checksum);
    Ok(is_there && reader.record_behind::<serde::de::IgnoredAny>(*tail)?.is_none())
}

/// Reads at an offset as [`fcs_sys::File::read_at`] does.
type ReadAt<'a> = &'a dyn Fn(&mut [u8], u64) -> io::Result<usize>;

fn read_from<R: DeserializeOwned>(read_at: ReadAt<'_>) -> io::Result<(Vec<R>, Tail)> {
    let mut records = Vec::new();
    let tail = each_from(read_at, |record| records.push(record))?;
    Ok((records, tail))
}

fn each_from<R: DeserializeOwned>(read_at: ReadAt<'_>, mut take: impl FnMut(R)) -> io::Result<Tail> {
    let mut reader = Reader::new(read_at);
    let mut tail = Tail::default();
    loop {
        match reader.record_behind(tail)? {
            None => return Ok(tail),
            Some((None, next)) => return Ok(if tail.number == 0 { next } else { tail }),
            Some((Some(record), next)) => {
                take(record);
                tail = next;
            }
        }
    }
}

/// Reads a journal piece by piece: its length is not to be trusted.
struct Reader<'a> {
    read_at: ReadAt<'a>,
    /// Offset of the chunk in the file.
    from: u64,
    chunk: Vec<u8>,
    /// What the next read asks for. Most journals are short, and what is read into is filled with zeros first: with the
    /// whole of [`READ_AHEAD`] each time that was most of what the crash suite did.
    ahead: usize,
}

impl<'a> Reader<'a> {
    fn new(read_at: ReadAt<'a>) -> Self {
        Self { read_at, from: 0, chunk: Vec::new(), ahead: READ_AHEAD / 32 }
    }

    /// The record that follows `tail`, right behind it or in the next block, and where it ends; no record if its payload is
    /// not understood.
    fn record_behind<R: DeserializeOwned>(&mut self, tail: Tail) -> io::Result<Option<(Option<R>, Tail)>> {
        let block = Tail { at: tail.at.next_multiple_of(BLOCK), ..tail };
        match self.next_record(tail)? {
            None if block != tail => self.next_record(block),
            other => Ok(other),
        }
    }

    /// As [`Self::record_behind`], at that very place.
    fn next_record<R: DeserializeOwned>(&mut self, tail: Tail) -> io::Result<Option<(Option<R>, Tail)>> {
        let Some(head) = self.bytes(tail.at, HEAD)? else { return Ok(None) };
        let number_at = |i: usize| head[i..i + 4].iter().rev().fold(0, |n, &byte| n << 8 | u32::from(byte));
        let (length, number) = (number_at(0) as usize, number_at(4));
        if length > LONGEST || tail.number.checked_add(1) != Some(number) {
            return Ok(None);
        }
        let Some(rest) = self.bytes(tail.at + HEAD as u64, length + CHECKSUM)? else { return Ok(None) };
        let (payload, found) = rest.split_at(length);
        let expected = checksum(&tail.checksum, number, payload);
        if found != expected {
            return Ok(None);
        }
        let record = postcard::from_bytes(payload).ok();
        let other_version = tail
            .other_version
            .or_else(|| if number == 1 { super::record::other_version(payload) } else { None });
        let at = tail.at + (HEAD + length + CHECKSUM) as u64;
        Ok(Some((record, Tail { at, number, checksum: expected, other_version })))
    }

    /// `count` bytes at `at`; `None` if the file ends before.
    fn bytes(&mut self, at: u64, count: usize) -> io::Result<Option<&[u8]>> {
        let end = at + count as u64;
        if at < self.from || end > self.from + self.chunk.len() as u64 {
            self.chunk.clear();
            self.from = at;
            let wanted = count.max(self.ahead);
            // Piece by piece: a length that is not true takes no more room than the file has bytes.
            let mut piece = vec![0; self.ahead];
            self.ahead = (self.ahead * 2).min(READ_AHEAD);
            while self.chunk.len() < wanted {
                let got = self.chunk.len();
                let room = (wanted - got).min(piece.len());
                let read = (self.read_at)(&mut piece[..room], at + got as u64)?;
                let read = piece[..room].get(..read).ok_or(io::ErrorKind::InvalidData)?;
                if read.is_empty() {
                    break;
                }
                self.chunk.extend_from_slice(read);
            }
        }
        let start = (at - self.from) as usize;
        Ok(self.chunk.get(start..start + count))
    }
}

#[cfg(test)]
mod tests {
    use fcs_sys::{Access, Name, open_root};

    use super::super::record::is_read;
    use super::super::{Ledger, VERSION};
    use super::*;

    fn read(file: &FileRef) -> io::Result<(Vec<Record>, Tail)> {
        read_as(file)
    }

    fn written(records: &[Record]) -> (tempfile::TempDir, FileRef, Vec<u8>) {
        let tmp = tempfile::tempdir().unwrap();
        let root = open_root(tmp.path()).unwrap();
        let file = root.dir.create_file(&Name::new(*b"j").unwrap()).unwrap();
        let mut journal = Journal::new(std::sync::Arc::clone(&file), Tail::default());
        records.iter().for_each(|r| journal.append(r));
        journal.sync().unwrap();
        let mut bytes = std::fs::read(tmp.path().join("j")).unwrap();
        assert_eq!(bytes.len() % 4096, 0);
        // Without the filling.
        bytes.truncate(read(&file).unwrap().1.at as usize);
        (tmp, file, bytes)
    }

    fn some() -> Vec<Record> {
        (1..=5).map(|step| Record::Committed { step, new: None }).collect()
    }

    fn reread(tmp: &tempfile::TempDir, bytes: &[u8]) -> Vec<Record> {
        std::fs::write(tmp.path().join("j"), bytes).unwrap();
        let root = open_root(tmp.path()).unwrap();
        read(&root.dir.open_file(&Name::new(*b"j").unwrap(), Access::Read).unwrap()).unwrap().0
    }

    #[test]
    fn a_cut_anywhere_leaves_the_records_before_it() {
        let records = some();
        let (tmp, _, bytes) = written(&records);
        for cut in 0..bytes.len() {
            let found = reread(&tmp, &bytes[..cut]);
            assert!(found.len() < records.len() && records.starts_with(&found), "cut at {cut}");
        }
        assert_eq!(reread(&tmp, &bytes), records);
    }

    /// A path index says where the journal ends, and may say anything.
    #[test]
    fn nothing_is_behind_the_last_number_that_there_is() {
        let (tmp, file, _) = written(&some());
        let tail = Tail { number: u32::MAX, ..read(&file).unwrap().1 };
        assert!(ends_at(&file, &tail).unwrap());
        drop(tmp);
    }

    #[test]
    fn a_changed_bit_anywhere_ends_the_journal_there() {
        let records = some();
        let (tmp, _, bytes) = written(&records);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let found = reread(&tmp, &changed);
            assert!(found.len() < records.len() && records.starts_with(&found), "bit {bit}");
        }
    }

    #[test]
    fn garbage_in_the_block_being_written_takes_nothing_durable_with_it() {
        let records = some();
        let tmp = tempfile::tempdir().unwrap();
        let root = open_root(tmp.path()).unwrap();
        let name = Name::new(*b"j").unwrap();
        drop(root.dir.create_file(&name).unwrap());
        // Opened as the store opens it, so that others may write to it too.
        let file = root.dir.open_file(&name, Access::ReadWrite).unwrap();
        let mut journal = Journal::new(std::sync::Arc::clone(&file), Tail::default());
        for (done, record) in records.iter().enumerate() {
            let before = std::fs::read(tmp.path().join("j")).unwrap().len();
            journal.append(record);
            journal.sync().unwrap();
            let mut bytes = std::fs::read(tmp.path().join("j")).unwrap();
            assert!(bytes.len().is_multiple_of(4096), "making it longer would rewrite its last block");
            for byte in &mut bytes[before..] {
                *byte ^= 0xa5;
            }
            let good = std::fs::read(tmp.path().join("j")).unwrap();
            assert_eq!(reread(&tmp, &bytes), records[..done]);
            std::fs::write(tmp.path().join("j"), good).unwrap();
        }
        assert_eq!(read(&file).unwrap().0, records);
        // Whoever goes on after a restart keeps clear of the last block too.
        let (_, tail) = read(&file).unwrap();
        let mut journal = Journal::new(std::sync::Arc::clone(&file), tail);
        journal.append(&Record::Ready);
        journal.sync().unwrap();
        assert_eq!(std::fs::read(tmp.path().join("j")).unwrap().len() / 4096, records.len() + 1);
        assert_eq!(read(&file).unwrap().0.len(), records.len() + 1);
    }

    #[test]
    fn what_an_interrupted_writer_left_never_becomes_a_continuation() {
        let records = some();
        let (tmp, _, bytes) = written(&records);
        // The third record is torn, the fourth and fifth are whole; a new third of equal length is written over it.
        let each = bytes.len() / 5;
        let mut torn = bytes.clone();
        torn[2 * each + HEAD] ^= 1;
        std::fs::write(tmp.path().join("j"), &torn).unwrap();
        let root = open_root(tmp.path()).unwrap();
        let file = root.dir.open_file(&Name::new(*b"j").unwrap(), Access::ReadWrite).unwrap();
        let (found, tail) = read(&file).unwrap();
        assert_eq!(found.len(), 2);
        let mut journal = Journal::new(std::sync::Arc::clone(&file), tail);
        journal.append(&Record::Committed { step: 9, new: None });
        journal.sync().unwrap();
        let (found, _) = read(&file).unwrap();
        assert_eq!(found[2..], [Record::Committed { step: 9, new: None }]);
    }

    #[test]
    fn the_format_of_another_version_is_told_from_nonsense() {
        let tmp = tempfile::tempdir().unwrap();
        let root = open_root(tmp.path()).unwrap();
        let name = Name::new(*b"j").unwrap();
        for (payload, version) in [
            (postcard::to_stdvec(&(0u32, 2u32, "r1")).unwrap(), Some(2)),
            (postcard::to_stdvec(&(0u32, VERSION + 1, "r1")).unwrap(), Some(VERSION + 1)),
            (postcard::to_stdvec(&(0u32, 4u32, "r1")).unwrap(), None),
            (postcard::to_stdvec(&(99u32, 2u32, "r1")).unwrap(), None),
        ] {
            let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
            bytes.extend(1u32.to_le_bytes());
            bytes.extend(&payload);
            bytes.extend(checksum(&Checksum::default(), 1, &payload));
            std::fs::write(tmp.path().join("j"), bytes).unwrap();
            let file = root.dir.open_file(&name, Access::ReadWrite).unwrap();
            let (records, tail) = read(&file).unwrap();
            let journal: Journal = Journal::new(file, tail);
            assert_eq!((records.len(), journal.other_version(), journal.is_empty()), (0, version, false));
        }
    }

    #[test]
    fn after_a_failed_sync_nothing_is_written_any_more() {
        let tmp = tempfile::tempdir().unwrap();
        let root = open_root(tmp.path()).unwrap();
        let failed = std::sync::atomic::AtomicBool::new(false);
        let script = move |event: &fcs_testkit::faulty::Event<'_>| {
            let sync = event.call == fcs_testkit::faulty::Call::Sync;
            if sync && !failed.swap(true, std::sync::atomic::Ordering::SeqCst) {
                return fcs_testkit::faulty::Act::Fail(5);
            }
            fcs_testkit::faulty::Act::Go
        };
        let root = fcs_testkit::faulty::wrap(&root, "target", std::sync::Arc::new(script));
        let file = root.dir.create_file(&Name::new(*b"j").unwrap()).unwrap();
        let mut journal = Journal::new(file, Tail::default());
        journal.append(&Record::Ready);
        assert!(journal.sync().is_err(), "the fault fired");
        journal.append(&Record::RollBack);
        assert!(journal.sync().is_err(), "the second sync would succeed, and prove nothing");
    }

    /// Gives what looks like records the numbers and checksums that they would have, so that what chance does to them
    /// gets past both.
    fn with_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
        let (mut at, mut tail) = (0, Tail::default());
        while let Some(head) = bytes.get(at..at + HEAD) {
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let end = at + HEAD + length;
            if length == 0 && !at.is_multiple_of(BLOCK as usize) {
                at = at.next_multiple_of(BLOCK as usize);
                continue;
            }
            if bytes.len() < end + CHECKSUM {
                break;
            }
            tail.number += 1;
            tail.checksum = checksum(&tail.checksum, tail.number, &bytes[at + HEAD..end]);
            bytes[at + 4..at + HEAD].copy_from_slice(&tail.number.to_le_bytes());
            bytes[end..end + CHECKSUM].copy_from_slice(&tail.checksum);
            at = end + CHECKSUM;
        }
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> (Vec<Record>, Tail) {
        let read_at = |buffer: &mut [u8], at: u64| {
            let reach = at as usize + buffer.len();
            assert!(reach <= bytes.len() + 2 * READ_AHEAD, "room for {reach} bytes of {}", bytes.len());
            let rest = bytes.get(at as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        };
        read_from(&read_at).unwrap()
    }

    /// Where this fails, the format has a new version, and chance would only meet journals that are refused: replace the
    /// files in `fuzz/corpus/journal` by journals of this version, as `fuzz/README.md` says, and the one here with them.
    #[test]
    fn the_corpus_has_journals_of_this_version() {
        let (records, _) = read_bytes(include_bytes!("../../../../fuzz/corpus/journal/sync"));
        let ledger = Ledger::replay(records).expect("a journal of this version");
        assert!(
            ledger.end.is_some() && ledger.steps.iter().any(super::super::ledger::LedgerStep::removes),
            "it is of a whole sync"
        );
    }

    #[test]
    fn fuzz_journal() {
        fcs_testkit::fuzz::fuzz("journal", &[&[0; 8], &[VERSION as u8]], |input| {
            let mut tail = Tail::default();
            let raw = read_bytes(input).0;
            // The records of another version's are not what they seem, and nobody asks for them.
            let is_ours = matches!(raw.first(), Some(Record::Begin(begin)) if is_read(begin.version));
            for record in raw.into_iter().filter(|_| is_ours) {
                let payload = postcard::to_stdvec(&record).unwrap();
                tail.number += 1;
                tail.checksum = checksum(&tail.checksum, tail.number, &payload);
                let whole = [payload.as_slice(), &tail.checksum].concat();
                let is_there = input.windows(whole.len()).any(|part| part == whole);
                assert!(is_there, "{record:?} is believed without its checksum");
            }
            for bytes in [input.to_vec(), with_checksums(input.to_vec())] {
                let (records, tail) = read_bytes(&bytes);
                assert!(tail.at <= bytes.len() as u64, "it ends at {} of {}", tail.at, bytes.len());
                // What is before a cut does not depend on what is behind.
                let (before, _) = read_bytes(&bytes[..bytes.len() / 2]);
                assert!(records.starts_with(&before), "a cut changes what was written before");
                // Written again it is the same, and no longer: records that were read take no more room than they had.
                let encoded: usize = records.iter().map(|r| postcard::to_stdvec(r).unwrap().len()).sum();
                assert!(encoded <= bytes.len(), "{encoded} bytes of records from {}", bytes.len());
                let known = records.len();
                if let Some(ledger) = Ledger::replay(records) {
                    let listed = ledger.folders.len() + ledger.steps.len();
                    assert!(known > 0 && listed <= bytes.len());
                }
            }
        });
    }
}
