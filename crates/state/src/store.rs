//! The file of one pair: a redb database with four tables.
//!
//! ```text
//! head     "version" → u32        "memory" → check, Head (postcard)
//! items    path of its first item → block of items, in the order of paths
//! runs     run → check, RunRecord (postcard)
//! changed  (run, number) → block of paths: the items that the run changed
//! ```
//!
//! A block fills one page of the database as well as it can (`FULL`), because an item by itself would take twice its
//! bytes. What is too full is divided evenly, what is nearly empty joins its neighbour.
//!
//! Invariant: each change is one transaction, whose last act makes it durable; whoever dies before leaves the file as
//! it was. Every byte that is believed was checked: the database's own checks when it is opened, ours when a block is
//! read, and the number of items at the end, which a lost block would change.

mod work;

use fcs_engine::history::RunId;
use fcs_engine::memory::{Known, Remembered, Terms};
use fcs_sys::{RelPath, Time};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::work::{Totals, Work, changed_key};
use crate::codec::{BadBlock, Decoder, Devices, check};

/// The form of the file. Another one is not read.
pub(crate) const VERSION: u32 = 2;

const HEAD: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("head");
const ITEMS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("items");
const RUNS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("runs");
const CHANGED: TableDefinition<'_, (&str, u32), &[u8]> = TableDefinition::new("changed");

/// Why the file of a pair does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The database says no.
    #[error(transparent)]
    Database(#[from] redb::Error),
    /// A block is wrong.
    #[error(transparent)]
    Block(#[from] BadBlock),
    /// Something is missing or contradicts itself.
    #[error("{0}")]
    Wrong(&'static str),
    /// Another form.
    #[error("it has format {0}, and this program reads format {VERSION}")]
    OtherVersion(u32),
    /// Somebody else saved meanwhile.
    #[error("it was changed since it was loaded")]
    Changed,
}

macro_rules! from_database {
    ($($error:ident),+) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Database(error.into())
            }
        })+
    };
}
from_database!(CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError);

/// Items with their paths, in order.
type Items = Vec<(Vec<u8>, Known)>;

type Done<T> = Result<T, Fault>;

/// What is known of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) terms: Terms,
    /// Counts the saves.
    pub(crate) generation: u64,
    pub(crate) items: u64,
    /// Of all blocks and their keys.
    pub(crate) bytes: u64,
    pub(crate) saved: Time,
    /// Which run saved last.
    pub(crate) run: Option<RunId>,
    /// Since when there is something kept of a run.
    pub(crate) kept_since: Option<Time>,
}

/// Which items a run changed, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RunRecord {
    saved: Time,
    blocks: u32,
    changes: u64,
    /// The sides that the run wrote to; neither where that is not known.
    wrote: [bool; 2],
    /// See [`KeptRun::accounted`].
    accounted: [bool; 2],
}

/// A record as it was before runs were accounted for.
#[derive(Deserialize)]
struct OldRunRecord {
    saved: Time,
    blocks: u32,
    changes: u64,
    wrote: [bool; 2],
}

impl RunRecord {
    /// An earlier version of this program reads what this one writes, because it reads no further than it knows.
    fn restore(run: &str, bytes: &[u8]) -> Done<Self> {
        restore(run, bytes).or_else(|_| {
            let OldRunRecord { saved, blocks, changes, wrote } = restore(run, bytes)?;
            Ok(Self { saved, blocks, changes, wrote, accounted: [false; 2] })
        })
    }
}

/// A run of which it is known what it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRun {
    /// The run.
    pub run: RunId,
    /// When it saved last.
    pub saved: Time,
    /// Items whose memory it changed.
    pub changes: u64,
    /// The sides, left and right, that it wrote to and whose journals have it; neither where that is not known.
    pub wrote: [bool; 2],
    /// The sides whose journals need not have it any more, as far as this user's programs did not let it go for another reason
    /// ([`Pair::account`](crate::Pair::account)).
    pub accounted: [bool; 2],
}

fn store<T: Serialize>(key: &str, value: &T) -> Done<Vec<u8>> {
    let bytes = postcard::to_stdvec(value)
        .map_err(|_| Fault::Wrong("what is known of the whole cannot be stored"))?;
    Ok([&check(key.as_bytes(), &bytes)[..], &bytes].concat())
}

fn restore<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Done<T> {
    let (found, bytes) = bytes.split_first_chunk::<8>().ok_or(BadBlock("a record ends early"))?;
    if *found != check(key.as_bytes(), bytes) {
        return Err(BadBlock("a record is not as it was written").into());
    }
    postcard::from_bytes(bytes).map_err(|_| BadBlock("a record makes no sense").into())
}

/// What is known of the whole; `None` in a new file.
pub(crate) fn head(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Done<Option<Head>> {
    let Some(version) = table.get("version")? else { return Ok(None) };
    let version = <[u8; 4]>::try_from(version.value()).map_err(|_| BadBlock("it does not say its format"))?;
    match u32::from_le_bytes(version) {
        VERSION => {}
        other => return Err(Fault::OtherVersion(other)),
    }
    let memory = table.get("memory")?.ok_or(Fault::Wrong("it does not say what it remembers"))?;
    restore("memory", memory.value()).map(Some)
}

fn set_head(table: &mut Table<'_, &'static str, &'static [u8]>, head: &Head) -> Done<()> {
    table.insert("version", &VERSION.to_le_bytes()[..])?;
    table.insert("memory", &store("memory", head)?[..])?;
    Ok(())
}

/// All that is remembered.
pub(crate) fn load(database: &Database, devices: Devices, mirrored: bool) -> Done<(Head, Remembered)> {
    let read: ReadTransaction = database.begin_read()?;
    let head = head(&read.open_table(HEAD)?)?.ok_or(Fault::Wrong("it does not say what it remembers"))?;
    let mut all = Remembered::default();
    for block in read.open_table(ITEMS)?.iter()? {
        let (key, block) = block?;
        each_item(devices, key.value(), block.value(), |path, known| {
            let known = if mirrored { known.mirrored() } else { known };
            RelPath::parse(path).map_err(|_| BadBlock("an item has a path that is none"))?;
            if all.push_bytes(path, known) { Ok(()) } else { Err(BadBlock("paths are not in order")) }
        })?;
    }
    if all.len() as u64 == head.items { Ok((head, all)) } else { Err(Fault::Wrong("items are missing")) }
}

fn each_item(
    devices: Devices,
    key: &[u8],
    block: &[u8],
    mut take: impl FnMut(&[u8], Known) -> Result<(), BadBlock>,
) -> Result<(), BadBlock> {
    let mut decoder = Decoder::new(devices, key, block)?;
    while !decoder.is_at_end() {
        let known = decoder.next()?.ok_or(BadBlock("an item is remembered as nothing"))?;
        take(decoder.path(), known)?;
    }
    Ok(())
}

/// How a memory is saved.
#[derive(Debug)]
pub(crate) struct Saving<'a> {
    pub(crate) devices: Devices,
    pub(crate) mirrored: bool,
    pub(crate) terms: &'a Terms,
    pub(crate) run: Option<&'a RunId>,
    /// See [`KeptRun::wrote`].
    pub(crate) wrote: [bool; 2],
    /// The run is another than saves: it is said to have changed all of this, also what stays as it is remembered.
    pub(crate) notes_all: bool,
    pub(crate) now: Time,
    /// The state that the changes are of; `None` forgets whatever there was.
    pub(crate) generation: Option<u64>,
    /// The new state has a higher number than this, too.
    pub(crate) least: u64,
}

/// Saves changes in one transaction.
pub(crate) fn save(
    database: &Database,
    how: &Saving<'_>,
    changes: impl Iterator<Item = (RelPath, Option<Known>)>,
) -> Done<Head> {
    let write = begin(database)?;
    let head = {
        let mut head_table = write.open_table(HEAD)?;
        let before = head(&head_table)?;
        if how.generation.is_some() && how.generation != before.as_ref().map(|head| head.generation) {
            return Err(Fault::Changed);
        }
        let run = how.run.map(|run| (run, how.wrote));
        let mut work = Work::new(&write, how.devices, before.as_ref(), run)?;
        work.notes_all = how.notes_all;
        let mirror = |known: Known| if how.mirrored { known.mirrored() } else { known };
        let changes = changes.map(|(path, known)| (path.as_bytes().to_vec(), known.map(mirror)));
        if how.generation.is_none() {
            work.forget_all()?;
        }
        work.set_all(changes)?;
        let Totals { items, bytes, kept_since } = work.finish(how.now)?;
        let (generation, saved_by) = before.map_or((0, None), |head| (head.generation, head.run));
        let head = Head {
            terms: how.terms.clone(),
            generation: generation.max(how.least) + 1,
            items,
            bytes,
            saved: how.now,
            run: if how.notes_all { saved_by } else { how.run.cloned() },
            kept_since,
        };
        set_head(&mut head_table, &head)?;
        head
    };
    write.commit()?;
    Ok(head)
}

fn begin(database: &Database) -> Done<WriteTransaction> {
    let mut write = database.begin_write()?;
    // In two steps: what was committed is then the newest there is, and damage to it never looks like a commit that did
    // not come to pass.
    write.set_two_phase_commit(true);
    Ok(write)
}

/// Forgets whatever a run changed. `None` if it is not known what that was.
pub(crate) fn forget_run(
    database: &Database,
    devices: Devices,
    run: &RunId,
    now: Time,
) -> Done<Option<Head>> {
    let write = begin(database)?;
    let head = {
        let mut head_table = write.open_table(HEAD)?;
        let before = head(&head_table)?.ok_or(Fault::Wrong("it does not say what it remembers"))?;
        let record = match write.open_table(RUNS)?.get(run.as_str())? {
            Some(found) => RunRecord::restore(run, found.value())?,
            None => return Ok(None),
        };
        let mut work = Work::new(&write, devices, Some(&before), None)?;
        for number in 0..record.blocks {
            let mut some = Vec::new();
            {
                let block = work
                    .changed
                    .get((run.as_str(), number))?
                    .ok_or(Fault::Wrong("what a run changed is missing"))?;
                let mut decoder = Decoder::new(devices, &changed_key(run, number), block.value())?;
                while !decoder.is_at_end() {
                    decoder.next()?;
                    some.push((decoder.path().to_vec(), None));
                }
            }
            work.apply(some)?;
        }
        drop_run(&mut work, run, record.blocks)?;
        let Totals { items, bytes, kept_since } = work.finish(now)?;
        let head = Head { generation: before.generation + 1, items, bytes, kept_since, ..before };
        set_head(&mut head_table, &head)?;
        head
    };
    write.commit()?;
    Ok(Some(head))
}

fn drop_run(work: &mut Work<'_>, run: &RunId, blocks: u32) -> Done<()> {
    for number in 0..blocks {
        if let Some(block) = work.changed.remove((run.as_str(), number))? {
            work.bytes = work.bytes.saturating_sub(block.value().len() as u64);
        }
    }
    work.runs.remove(run.as_str())?;
    Ok(())
}

/// The runs of which it is known what they changed, in the order of their names.
pub(crate) fn runs(database: &Database) -> Done<Vec<KeptRun>> {
    let read = database.begin_read()?;
    let table = read.open_table(RUNS)?;
    let each = table.iter()?.map(|found| {
        let (run, record) = found?;
        let RunRecord { saved, changes, wrote, accounted, .. } =
            RunRecord::restore(run.value(), record.value())?;
        let run = run.value().parse().map_err(|_| BadBlock("a run has a name that is none"))?;
        Ok(KeptRun { run, saved, changes, wrote, accounted })
    });
    each.collect()
}

/// Drops what is known of runs, so that they can be forgotten here no more; returns the new state if there were any.
pub(crate) fn drop_runs(database: &Database, runs: &[RunId]) -> Done<Option<Head>> {
    let write = begin(database)?;
    let head = {
        let mut head_table = write.open_table(HEAD)?;
        let before = head(&head_table)?.ok_or(Fault::Wrong("it does not say what it remembers"))?;
        let mut work = Work::new(&write, [0; 2], Some(&before), None)?;
        let mut any = false;
        for run in runs {
            let record = match work.runs.get(run.as_str())? {
                Some(found) => Some(RunRecord::restore(run, found.value())?),
                None => None,
            };
            if let Some(record) = record {
                any = true;
                drop_run(&mut work, run, record.blocks)?;
            }
        }
        if !any {
            return Ok(None);
        }
        let Totals { items, bytes, kept_since } = work.finish(before.saved)?;
        // What is remembered is the same, so whoever loaded it may still save.
        let head = Head { items, bytes, kept_since, ..before };
        set_head(&mut head_table, &head)?;
        head
    };
    write.commit()?;
    Ok(Some(head))
}

/// Accounts for runs on some sides; whether any is known here and was not accounted for.
pub(crate) fn account(database: &Database, sides: [bool; 2], runs: &[RunId]) -> Done<bool> {
    let write = begin(database)?;
    let mut any = false;
    {
        // What is remembered is the same, so whoever loaded it may still save.
        head(&write.open_table(HEAD)?)?.ok_or(Fault::Wrong("it does not say what it remembers"))?;
        let mut table = write.open_table(RUNS)?;
        for run in runs {
            let found = match table.get(run.as_str())? {
                Some(found) => RunRecord::restore(run, found.value())?,
                None => continue,
            };
            let accounted = [found.accounted[0] || sides[0], found.accounted[1] || sides[1]];
            if accounted != found.accounted {
                any = true;
                table.insert(run.as_str(), store(run, &RunRecord { accounted, ..found })?.as_slice())?;
            }
        }
    }
    if any {
        write.commit()?;
    } else {
        write.abort()?;
    }
    Ok(any)
}

#[cfg(test)]
mod tests;
