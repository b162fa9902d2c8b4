//! Reads pairs of files of equal size and says whether their content is equal.
//!
//! Invariant: a pair counts as equal only after every byte of both was read from the very files the scan saw, which
//! did not change meanwhile; anything less is a finding of its own, never equality.
//!
//! This module must not know which other criteria there are, nor how files are hashed ([`crate::hashing`]).

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use fcs_sys::{Place, Root};

use super::{Digests, Row, RowId};
use crate::hashing::{Algorithm, Digest, Failure, FileReader, LastFolder, ScannedFiles, work};
use crate::progress::add;
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
fn chunk_size(trees: [&Tree; 2], settings: &Settings) -> usize {
    let network = trees.iter().any(|tree| tree.volume.place == Place::Network);
    if network { settings.verify_chunk_bytes as usize } else { LOCAL_CHUNK }
}

/// What reading has shown about a pair; equal ones are not mentioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The bytes differ.
    Differs,
    /// Not every byte could be read, or a file changed.
    Unknown,
}

/// What reading has shown about all pairs.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// Sorted by row; pairs not listed are equal, unless `cancelled`.
    pub(super) findings: Vec<(RowId, Finding)>,
    /// Sorted by row.
    pub(super) digests: Vec<Digests>,
    /// Sorted by path.
    pub(super) errors: Vec<Error>,
    pub(super) cancelled: bool,
    /// Bytes read.
    pub(super) bytes: u64,
    /// The first 32 bytes of the digests of equal pairs, where they were asked for.
    pub(super) hashes: Vec<(RowId, [u8; 32])>,
    /// Rows with a file that somebody may have been writing to when it was read, in order; where hashes were asked for.
    pub(super) written_to: Vec<RowId>,
}

impl Verdicts {
    /// Adds what is known about other rows.
    pub(super) fn absorb(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.findings.sort_unstable_by_key(|(row, _)| *row);
        self.digests.extend(other.digests);
        self.digests.sort_unstable_by_key(|digests| digests.row);
    }
}

/// Compares the content of the files of `candidates`, which must have equal sizes above zero. Roots and trees with the
/// left side first. With `hashes`, those of equal pairs are kept, and it is asked who writes to the files.
pub(super) fn compare_files(
    roots: [&Root; 2],
    trees: [&Tree; 2],
    rows: &[Row],
    (candidates, hashes): (&[RowId], bool),
    settings: &Settings,
    control: &Control,
) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let pairs = Pairs {
        rows,
        control,
        sides: [0, 1].map(|side| {
            let files = ScannedFiles::new(roots[side], trees[side], Op::Compare);
            if hashes { files.asking_for_writers() } else { files }
        }),
        algorithm: match settings.compare_content {
            ContentCheck::Blake3 => Some(Algorithm::Blake3),
            ContentCheck::Sha512 => Some(Algorithm::Sha512),
            ContentCheck::Bytes | ContentCheck::Off => None,
        },
        halves: Mutex::default(),
    };
    let jobs = pairs.plan_jobs(candidates, settings, &mut verdicts);
    let chunk = chunk_size(trees, settings);
    let begin = || ContentWorker {
        reader: FileReader::new(control, &control.progress.compare_bytes_done, chunk),
        last: [LastFolder::default(), LastFolder::default()],
        buffers: [Vec::new(), Vec::new()],
        found: Verdicts::default(),
        hashes,
    };
    let job = |worker: &mut ContentWorker<'_>, job: &ContentJob| pairs.do_job(worker, *job);
    let (workers, cancelled) = work("fcs-content", settings.effective_scan_workers(), &jobs, begin, job);
    for found in workers.into_iter().map(|worker| worker.found) {
        verdicts.findings.extend(found.findings);
        verdicts.digests.extend(found.digests);
        verdicts.errors.extend(found.errors);
        verdicts.hashes.extend(found.hashes);
        verdicts.bytes += found.bytes;
    }
    let written_to = pairs.sides.map(ScannedFiles::into_written_to);
    if written_to.iter().any(|nodes| !nodes.is_empty()) {
        let is_written_to = |row: &&RowId| {
            let nodes = nodes_of(&rows[**row as usize]);
            nodes.is_some_and(|nodes| (0..2).any(|side| written_to[side].binary_search(&nodes[side]).is_ok()))
        };
        verdicts.written_to = candidates.iter().filter(is_written_to).copied().collect();
    }
    verdicts.cancelled = cancelled;
    verdicts.findings.sort_unstable_by_key(|(row, _)| *row);
    verdicts.findings.dedup_by_key(|(row, _)| *row);
    verdicts.digests.sort_unstable_by_key(|d| d.row);
    verdicts.errors.sort_by(|a, b| a.path.cmp(&b.path));
    verdicts
}

/// One piece of work: a pair, or one side of a large pair.
#[derive(Debug, Clone, Copy)]
struct ContentJob {
    row: RowId,
    part: ContentPart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContentPart {
    Both,
    /// One side of a large pair, by index.
    One(u8),
}

fn nodes_of(row: &Row) -> Option<[NodeId; 2]> {
    Some([row.left()?, row.right()?])
}

/// What the first of two workers found out about its side of a large pair; `None` if it could not.
type Half = Option<Digest>;

struct Pairs<'a> {
    rows: &'a [Row],
    control: &'a Control,
    sides: [ScannedFiles<'a>; 2],
    /// `None` where bytes are compared.
    algorithm: Option<Algorithm>,
    halves: Mutex<HashMap<RowId, Half>>,
}

struct ContentWorker<'a> {
    reader: FileReader<'a>,
    /// One for each side.
    last: [LastFolder; 2],
    /// What is compared byte by byte.
    buffers: [Vec<u8>; 2],
    found: Verdicts,
    /// Whether those of equal pairs are kept.
    hashes: bool,
}

/// A failure, and on which side.
type Fault = (usize, Failure);

impl Pairs<'_> {
    /// Lists the work and announces the bytes. Files that live elsewhere are not fetched unless the settings say so: that
    /// could cost hours and money nobody agreed to.
    fn plan_jobs(
        &self,
        candidates: &[RowId],
        settings: &Settings,
        verdicts: &mut Verdicts,
    ) -> Vec<ContentJob> {
        let mut jobs = Vec::with_capacity(candidates.len());
        let mut bytes: u64 = 0;
        for &row in candidates {
            let Some(nodes) = nodes_of(&self.rows[row as usize]) else { continue };
            let placeholder = [0, 1].into_iter().find(|&i| self.sides[i].entry(nodes[i]).is_placeholder());
            if let Some(side) = placeholder.filter(|_| !settings.read_placeholders) {
                let error = Error::new(Op::Read, self.sides[side].path(nodes[side]), ErrorKind::Placeholder);
                self.control.observer.error(&error);
                verdicts.errors.push(error);
                verdicts.findings.push((row, Finding::Unknown));
                continue;
            }
            let size = self.sides[0].entry(nodes[0]).size;
            bytes = bytes.saturating_add(size.saturating_mul(2));
            if size >= SPLIT_SIZE && self.algorithm.is_some() {
                jobs.extend([0, 1].map(|side| ContentJob { row, part: ContentPart::One(side) }));
            } else {
                jobs.push(ContentJob { row, part: ContentPart::Both });
            }
        }
        add(&self.control.progress.compare_bytes_total, bytes);
        jobs
    }

    fn do_job(&self, worker: &mut ContentWorker<'_>, job: ContentJob) -> ControlFlow<()> {
        let Some(nodes) = nodes_of(&self.rows[job.row as usize]) else { return ControlFlow::Continue(()) };
        worker.reader.counted = 0;
        let result = match (job.part, self.algorithm) {
            (_, None) => self.compare_bytes(worker, job.row, nodes),
            (ContentPart::Both, Some(algorithm)) => self.compare_hashes(worker, job.row, nodes, algorithm),
            (ContentPart::One(side), Some(algorithm)) => {
                self.hash_half(worker, job.row, nodes, usize::from(side), algorithm)
            }
        };
        worker.found.bytes += worker.reader.counted;
        match result {
            Ok(()) => {}
            Err((_, Failure::Cancelled)) => return ControlFlow::Break(()),
            Err((side, Failure::Of(error))) => {
                let error = error.ask_holders(&*self.sides[side].root().dir);
                self.control.observer.error(&error);
                worker.found.errors.push(error);
                worker.found.findings.push((job.row, Finding::Unknown));
            }
        }
        // What a failure or a difference made pointless to read counts as done, so that progress ends at 100 %.
        let files = if job.part == ContentPart::Both { 2 } else { 1 };
        let bytes = self.sides[0].entry(nodes[0]).size.saturating_mul(files);
        let unread = bytes.saturating_sub(worker.reader.counted);
        add(&self.control.progress.compare_bytes_done, unread);
        ControlFlow::Continue(())
    }

    fn compare_hashes(
        &self,
        worker: &mut ContentWorker<'_>,
        row: RowId,
        nodes: [NodeId; 2],
        algorithm: Algorithm,
    ) -> Result<(), Fault> {
        if self.sides[0].entry(nodes[0]).size <= LOCAL_CHUNK as u64 {
            return self.compare_whole(worker, row, nodes, algorithm);
        }
        let left = self.hash(worker, 0, nodes[0], algorithm)?;
        let right = self.hash(worker, 1, nodes[1], algorithm)?;
        worker.conclude(row, &left, &right);
        Ok(())
    }

    /// Compares two small files in memory: what is equal byte by byte has one digest, and to make it is half of the work.
    fn compare_whole(
        &self,
        worker: &mut ContentWorker<'_>,
        row: RowId,
        nodes: [NodeId; 2],
        algorithm: Algorithm,
    ) -> Result<(), Fault> {
        let size = self.sides[0].entry(nodes[0]).size;
        let mut lengths = [0; 2];
        for (side, files) in self.sides.iter().enumerate() {
            let on = |failure| (side, failure);
            let ContentWorker { reader, last, buffers, .. } = &mut *worker;
            let (last, buffer) = (&mut last[side], &mut buffers[side]);
            let file = files.open(last, nodes[side]).map_err(on)?;
            // As much as is read at once in any case.
            lengths[side] =
                reader.fill(&*file, buffer, 0, size).map_err(|stop| on(files.failure(nodes[side], stop)))?;
            files.check_unchanged(last, nodes[side], &file).map_err(on)?;
        }
        let [left, right] = [0, 1].map(|side| &worker.buffers[side][..lengths[side]]);
        let digest = algorithm.digest(left);
        let other = if left == right { digest } else { algorithm.digest(right) };
        worker.conclude(row, &digest, &other);
        Ok(())
    }

    /// Hashes one side of a large pair; whoever comes second concludes.
    fn hash_half(
        &self,
        worker: &mut ContentWorker<'_>,
        row: RowId,
        nodes: [NodeId; 2],
        side: usize,
        algorithm: Algorithm,
    ) -> Result<(), Fault> {
        let result = self.hash(worker, side, nodes[side], algorithm);
        if matches!(result, Err((_, Failure::Cancelled))) {
            return result.map(drop);
        }
        let mine = result.as_ref().ok().copied();
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let other = halves.remove(&row);
        if other.is_none() {
            halves.insert(row, mine);
        }
        drop(halves);
        if let (Some(mine), Some(Some(other))) = (mine, other) {
            let (left, right) = if side == 0 { (mine, other) } else { (other, mine) };
            worker.conclude(row, &left, &right);
        }
        result.map(drop)
    }

    fn hash(
        &self,
        worker: &mut ContentWorker<'_>,
        side: usize,
        node: NodeId,
        algorithm: Algorithm,
    ) -> Result<Digest, Fault> {
        let digest = self.sides[side].digest(&mut worker.reader, &mut worker.last[side], algorithm, node);
        digest.map_err(|failure| (side, failure))
    }

    fn compare_bytes(
        &self,
        worker: &mut ContentWorker<'_>,
        row: RowId,
        nodes: [NodeId; 2],
    ) -> Result<(), Fault> {
        let size = self.sides[0].entry(nodes[0]).size;
        let on = |side| move |failure| (side, failure);
        let [left_files, right_files] = &self.sides;
        let ContentWorker { reader, last: [last_left, last_right], buffers: [left, right], found, .. } =
            worker;
        let left_file = left_files.open(last_left, nodes[0]).map_err(on(0))?;
        let right_file = right_files.open(last_right, nodes[1]).map_err(on(1))?;
        let (mut at, mut equal) = (0, true);
        while equal && at < size {
            let n = reader
                .fill(&*left_file, left, at, size)
                .map_err(|stop| (0, left_files.failure(nodes[0], stop)))?;
            reader
                .fill(&*right_file, right, at, size)
                .map_err(|stop| (1, right_files.failure(nodes[1], stop)))?;
            equal = left[..n] == right[..n];
            at += n as u64;
        }
        left_files.check_unchanged(last_left, nodes[0], &left_file).map_err(on(0))?;
        right_files.check_unchanged(last_right, nodes[1], &right_file).map_err(on(1))?;
        if !equal {
            found.findings.push((row, Finding::Differs));
        }
        Ok(())
    }
}

impl ContentWorker<'_> {
    fn conclude(&mut self, row: RowId, left: &Digest, right: &Digest) {
        if left != right {
            self.found.findings.push((row, Finding::Differs));
        } else if self.hashes {
            self.found.hashes.push((row, left.beginning()));
        }
        self.found.digests.push(Digests { row, left: left.start(), right: right.start() });
    }
}
