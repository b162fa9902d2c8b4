//! Reads pairs of files of equal size and says whether their content is equal.
//!
//! Invariant: a pair counts as equal only after every byte of both was read from the very files the scan saw, which
//! did not change meanwhile; anything less is a finding of its own, never equality. Memory is bounded by the workers
//! times two chunks, whatever the files' sizes.
//!
//! This module must not know which other criteria there are.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fcs_sys::{Access, DirRef, FileRef, Place, Root};
use sha2::Digest as _;

use crate::compare::{Digests, Row, RowId};
use crate::handles::{Handles, name_of};
use crate::identity::Numbers;
use crate::progress::{add, full_path};
use crate::settings::ContentCheck;
use crate::tree::{NodeId, Tree};
use crate::{Control, Error, ErrorKind, Op, Settings};

/// Files of at least this size are hashed side by side, by two workers, so that one pair of huge files at the end
/// does not leave the others idle. Smaller ones are not worth the bookkeeping.
const SPLIT_SIZE: u64 = 1 << 20;

/// Bytes read at once from a disk of this machine. Measured on cached files of 9 KiB to 1.5 GB: larger buffers leave
/// the processor's own cache and double the system's time; the system reads ahead by itself.
const LOCAL_CHUNK: usize = 64 << 10;

/// Bytes read at once. Over a network each read is a round trip, so there the user's chunk size counts.
fn chunk_size(sides: &Sides<'_>, settings: &Settings) -> usize {
    let network = sides.trees.iter().any(|tree| tree.volume.place == Place::Network);
    if network { settings.verify_chunk_bytes as usize } else { LOCAL_CHUNK }
}

/// Both sides; left first.
pub(crate) struct Sides<'a> {
    pub(crate) roots: [&'a Root; 2],
    pub(crate) trees: [&'a Tree; 2],
}

/// What reading has shown about a pair; equal ones are not mentioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The bytes differ.
    Differs,
    /// Not every byte could be read, or a file changed.
    Unknown,
}

/// What reading has shown about all pairs.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// Sorted by row; pairs not listed are equal, unless `cancelled`.
    pub(crate) findings: Vec<(RowId, Finding)>,
    /// Sorted by row.
    pub(crate) digests: Vec<Digests>,
    /// Sorted by path.
    pub(crate) errors: Vec<Error>,
    pub(crate) cancelled: bool,
}

impl Verdicts {
    /// Adds what is known about other rows.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.findings.sort_unstable_by_key(|(row, _)| *row);
        self.digests.extend(other.digests);
        self.digests.sort_unstable_by_key(|digests| digests.row);
    }
}

/// Compares the content of the files of `candidates`, which must have equal sizes above zero.
pub(crate) fn compare_files(
    sides: &Sides<'_>,
    rows: &[Row],
    candidates: &[RowId],
    settings: &Settings,
    control: &Control,
) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let jobs = plan_jobs(sides, rows, candidates, settings, control, &mut verdicts);
    let shared = Shared {
        rows,
        control,
        sides,
        jobs,
        next: AtomicUsize::new(0),
        cancelled: AtomicBool::new(false),
        method: settings.compare_content,
        chunk: chunk_size(sides, settings),
        handles: [0, 1].map(|i| Handles::new(sides.trees[i], &sides.roots[i].dir)),
        halves: Mutex::default(),
    };
    let collected = Mutex::new(&mut verdicts);
    let work = || {
        let found = Worker::new(&shared).work();
        let mut all = collected.lock().unwrap_or_else(PoisonError::into_inner);
        all.findings.extend(found.findings);
        all.digests.extend(found.digests);
        all.errors.extend(found.errors);
    };
    std::thread::scope(|scope| {
        for _ in 1..settings.effective_scan_workers() {
            if std::thread::Builder::new().name("fcs-content".into()).spawn_scoped(scope, work).is_err() {
                break; // fewer workers do the same
            }
        }
        work();
    });
    verdicts.cancelled = shared.cancelled.into_inner();
    verdicts.findings.sort_unstable_by_key(|(row, _)| *row);
    verdicts.findings.dedup_by_key(|(row, _)| *row);
    verdicts.digests.sort_unstable_by_key(|d| d.row);
    verdicts.errors.sort_by(|a, b| a.path.cmp(&b.path));
    verdicts
}

/// One piece of work: a pair, or one side of a large pair.
#[derive(Debug, Clone, Copy)]
struct Job {
    row: RowId,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Both,
    /// One side of a large pair, by index.
    One(u8),
}

/// Lists the work and announces the bytes. Files that live elsewhere are not fetched unless the settings say so: that
/// could cost hours and money nobody agreed to.
fn plan_jobs(
    sides: &Sides<'_>,
    rows: &[Row],
    candidates: &[RowId],
    settings: &Settings,
    control: &Control,
    verdicts: &mut Verdicts,
) -> Vec<Job> {
    let mut jobs = Vec::with_capacity(candidates.len());
    let mut bytes: u64 = 0;
    for &row in candidates {
        let Some(nodes) = nodes_of(&rows[row as usize]) else { continue };
        let placeholder = [0, 1].into_iter().find(|&i| sides.trees[i].entry(nodes[i]).is_placeholder());
        if let Some(side) = placeholder.filter(|_| !settings.read_placeholders) {
            let error = Error::new(Op::Read, sides.path(side, nodes[side]), ErrorKind::Placeholder);
            control.observer.error(&error);
            verdicts.errors.push(error);
            verdicts.findings.push((row, Finding::Unknown));
            continue;
        }
        let size = sides.trees[0].entry(nodes[0]).size;
        bytes = bytes.saturating_add(size.saturating_mul(2));
        if size >= SPLIT_SIZE && settings.compare_content != ContentCheck::Bytes {
            jobs.extend([0, 1].map(|side| Job { row, part: Part::One(side) }));
        } else {
            jobs.push(Job { row, part: Part::Both });
        }
    }
    add(&control.progress.compare_bytes_total, bytes);
    jobs
}

fn nodes_of(row: &Row) -> Option<[NodeId; 2]> {
    Some([row.left?, row.right?])
}

impl Sides<'_> {
    fn path(&self, side: usize, node: NodeId) -> std::path::PathBuf {
        full_path(&self.roots[side].path, &self.trees[side].path(node))
    }
}

/// The end of one file's reading, other than success.
enum Stop {
    Cancelled,
    Failed(Error),
}

/// A whole digest; the longest is SHA-512's.
type Sum = [u8; 64];

/// What the first of two workers found out about its side of a large pair; `None` if it could not.
type Half = Option<Sum>;

struct Shared<'a> {
    rows: &'a [Row],
    control: &'a Control,
    sides: &'a Sides<'a>,
    jobs: Vec<Job>,
    next: AtomicUsize,
    cancelled: AtomicBool,
    method: ContentCheck,
    chunk: usize,
    handles: [Handles<'a>; 2],
    halves: Mutex<HashMap<RowId, Half>>,
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    /// The folder last used on each side, so that files of one folder cost one look-up.
    last: [Option<(u32, DirRef)>; 2],
    buffers: [Vec<u8>; 2],
    /// Bytes of the job in hand that progress has been told of.
    counted: u64,
    found: Verdicts,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        Self {
            shared,
            last: [None, None],
            buffers: [Vec::new(), Vec::new()],
            counted: 0,
            found: Verdicts::default(),
        }
    }

    fn work(mut self) -> Verdicts {
        loop {
            let at = self.shared.next.fetch_add(1, Ordering::Relaxed);
            let Some(&job) = self.shared.jobs.get(at) else { break };
            let Some(nodes) = nodes_of(&self.shared.rows[job.row as usize]) else { continue };
            self.counted = 0;
            let result = match (job.part, self.shared.method) {
                (Part::Both, ContentCheck::Bytes) => self.compare_bytes(job.row, nodes),
                (Part::Both, _) => self.compare_hashes(job.row, nodes),
                (Part::One(side), _) => self.hash_half(job.row, nodes, usize::from(side)),
            };
            match result {
                Ok(()) => {}
                Err(Stop::Cancelled) => {
                    self.shared.cancelled.store(true, Ordering::Relaxed);
                    break;
                }
                Err(Stop::Failed(error)) => {
                    let roots = self.shared.sides.roots;
                    let side = usize::from(error.path.starts_with(&roots[1].path));
                    let error = error.ask_holders(&*roots[side].dir);
                    self.shared.control.observer.error(&error);
                    self.found.errors.push(error);
                    self.found.findings.push((job.row, Finding::Unknown));
                }
            }
            // What a failure or a difference made pointless to read counts as done, so that progress ends at 100 %.
            let files = if job.part == Part::Both { 2 } else { 1 };
            let bytes = self.shared.sides.trees[0].entry(nodes[0]).size.saturating_mul(files);
            add(&self.shared.control.progress.compare_bytes_done, bytes.saturating_sub(self.counted));
        }
        self.found
    }

    fn compare_hashes(&mut self, row: RowId, nodes: [NodeId; 2]) -> Result<(), Stop> {
        let left = self.hash(0, nodes[0])?;
        let right = self.hash(1, nodes[1])?;
        self.conclude(row, &left, &right);
        Ok(())
    }

    /// Hashes one side of a large pair; whoever comes second concludes.
    fn hash_half(&mut self, row: RowId, nodes: [NodeId; 2], side: usize) -> Result<(), Stop> {
        let result = self.hash(side, nodes[side]);
        if matches!(result, Err(Stop::Cancelled)) {
            return result.map(drop);
        }
        let mine = result.as_ref().ok().copied();
        let mut halves = self.shared.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let other = halves.remove(&row);
        if other.is_none() {
            halves.insert(row, mine);
        }
        drop(halves);
        if let (Some(mine), Some(Some(other))) = (mine, other) {
            let (left, right) = if side == 0 { (mine, other) } else { (other, mine) };
            self.conclude(row, &left, &right);
        }
        result.map(drop)
    }

    fn conclude(&mut self, row: RowId, left: &Sum, right: &Sum) {
        if left != right {
            self.found.findings.push((row, Finding::Differs));
        }
        let start = |sum: &Sum| std::array::from_fn(|i| sum[i]);
        self.found.digests.push(Digests { row, left: start(left), right: start(right) });
    }

    fn hash(&mut self, side: usize, node: NodeId) -> Result<Sum, Stop> {
        let mut blake3 = blake3::Hasher::new();
        let mut sha512 = sha2::Sha512::new();
        let is_blake3 = self.shared.method == ContentCheck::Blake3;
        let file = self.open(side, node)?;
        let size = self.shared.sides.trees[side].entry(node).size;
        let mut buffer = std::mem::take(&mut self.buffers[side]);
        let mut at = 0;
        let read = loop {
            if at == size {
                break Ok(());
            }
            match self.fill(side, node, &file, &mut buffer, at, size) {
                Ok(n) if is_blake3 => {
                    blake3.update(&buffer[..n]);
                    at += n as u64;
                }
                Ok(n) => {
                    sha512.update(&buffer[..n]);
                    at += n as u64;
                }
                Err(stop) => break Err(stop),
            }
        };
        self.buffers[side] = buffer;
        read?;
        self.check_unchanged(side, node, &file)?;
        let mut sum = [0; 64];
        if is_blake3 {
            sum[..32].copy_from_slice(blake3.finalize().as_bytes());
        } else {
            sum.copy_from_slice(&sha512.finalize());
        }
        Ok(sum)
    }

    fn compare_bytes(&mut self, row: RowId, nodes: [NodeId; 2]) -> Result<(), Stop> {
        let mut buffers = std::mem::take(&mut self.buffers);
        let equal = self.compare_bytes_with(nodes, &mut buffers);
        self.buffers = buffers;
        if !equal? {
            self.found.findings.push((row, Finding::Differs));
        }
        Ok(())
    }

    fn compare_bytes_with(&mut self, nodes: [NodeId; 2], buffers: &mut [Vec<u8>; 2]) -> Result<bool, Stop> {
        let size = self.shared.sides.trees[0].entry(nodes[0]).size;
        let files = [self.open(0, nodes[0])?, self.open(1, nodes[1])?];
        let [left, right] = buffers;
        let (mut at, mut equal) = (0, true);
        while equal && at < size {
            let n = self.fill(0, nodes[0], &files[0], left, at, size)?;
            self.fill(1, nodes[1], &files[1], right, at, size)?;
            equal = left[..n] == right[..n];
            at += n as u64;
        }
        self.check_unchanged(0, nodes[0], &files[0])?;
        self.check_unchanged(1, nodes[1], &files[1])?;
        Ok(equal)
    }

    /// Opens a file and makes sure that it is the one the scan saw.
    fn open(&mut self, side: usize, node: NodeId) -> Result<FileRef, Stop> {
        let sides = self.shared.sides;
        let opened = self.folder(side, node.folder).and_then(|dir| {
            let file = dir.open_file(&name_of(sides.trees[side], node)?, Access::Read)?;
            Ok(file)
        });
        let opened = opened.map_err(|e| Stop::Failed(Error::os(Op::Open, sides.path(side, node), e)));
        let file = opened?;
        self.check_unchanged(side, node, &file)?;
        Ok(file)
    }

    /// Fails if an open file is no longer what the scan saw.
    fn check_unchanged(&mut self, side: usize, node: NodeId, file: &FileRef) -> Result<(), Stop> {
        let sides = self.shared.sides;
        let now =
            file.metadata().map_err(|e| Stop::Failed(Error::os(Op::Examine, sides.path(side, node), e)))?;
        let (entry, now) = (sides.trees[side].entry(node), now.fingerprint());
        let then = entry.fingerprint();
        // The content coming here moves the change time of a placeholder, and nothing else.
        if now == then || entry.is_placeholder() && now.same_content_after_rename(&then) {
            return Ok(());
        }
        // The volume is asked only now, because numbers hardly ever differ.
        if self.folder(side, node.folder).is_ok_and(|dir| Numbers::of(&dir).unchanged(&now, &then)) {
            return Ok(());
        }
        Err(Stop::Failed(Error::new(Op::Compare, sides.path(side, node), ErrorKind::ChangedMeanwhile)))
    }

    /// Reads the next chunk, which ends at `size` at the latest, and returns its bytes. The chunk is always full: a
    /// file that ends early has changed.
    fn fill(
        &mut self,
        side: usize,
        node: NodeId,
        file: &FileRef,
        buffer: &mut Vec<u8>,
        at: u64,
        size: u64,
    ) -> Result<usize, Stop> {
        if self.shared.control.cancel.should_stop() {
            return Err(Stop::Cancelled);
        }
        let sides = self.shared.sides;
        let want = (size - at).min(self.shared.chunk as u64) as usize;
        if buffer.len() < want {
            buffer.resize(want, 0);
        }
        let mut got = 0;
        while got < want {
            match file.read_at(&mut buffer[got..want], at + got as u64) {
                Ok(0) => {
                    let error = Error::new(Op::Compare, sides.path(side, node), ErrorKind::ChangedMeanwhile);
                    return Err(Stop::Failed(error));
                }
                Ok(n) => got += n,
                Err(e) => return Err(Stop::Failed(Error::os(Op::Read, sides.path(side, node), e))),
            }
        }
        self.counted += got as u64;
        add(&self.shared.control.progress.compare_bytes_done, got as u64);
        Ok(got)
    }

    fn folder(&mut self, side: usize, folder: u32) -> io::Result<DirRef> {
        if let Some((last, dir)) = &self.last[side]
            && *last == folder
        {
            return Ok(Arc::clone(dir));
        }
        let dir = self.shared.handles[side].open(folder)?;
        self.last[side] = Some((folder, Arc::clone(&dir)));
        Ok(dir)
    }
}
