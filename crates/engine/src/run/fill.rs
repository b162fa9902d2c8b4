//! Fills staged files: the two strategies, and the small-file path in which both become one.
//!
//! A file that fits into one buffer is read once, hashed and written, whichever strategy was chosen: a kernel copy
//! followed by two memory maps costs more than the copy itself at that size. Larger files go their strategy's way.
//!
//! Invariant: what is returned as staged was read from one unchanged version of the source. Fingerprints are taken
//! before and after, and include the change time, which no program can set back.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use fcs_sys::{
    Access, CopyMethod, CopyOptions, CreatedTime, File, FileRef, Fingerprint, Kind, Metadata, Name, OsReason,
    Time, Times, pace_writeback, read_full, reason, write_all_at,
};

use super::context::{Context, CopyJob};
use super::grown;
use super::metadata;
use super::meter::Meter;
use super::staged::{Expected, Staged, discard_name};
use super::streams::Carried;
use crate::hashing::{PumpError, pump};
use crate::history::FileStamp;
use crate::identity::Numbers;
use crate::plan::{Action, Step};
use crate::probe;
use crate::progress::CurrentFile;
use crate::report::{Digest, NotKept, SkipReason};
use crate::settings::{LargeWrite, ReadOnlyTargets};
use crate::{Error, ErrorKind, Op};

/// Why a step stopped before its end.
pub(super) enum Stop {
    /// The run was cancelled.
    Cancelled,
    /// The step failed; `SourceUnsteady` means that trying again may help.
    Failed(Error),
    /// The volume cannot hold the item, now or ever; nothing was left of it.
    LeftAlone(SkipReason),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a strategy produced.
pub(super) struct Filled {
    pub(super) file: FileRef,
    pub(super) bytes: u64,
    pub(super) expected: Expected,
    /// BLAKE3 of the content, where it was computed on the way.
    pub(super) hash: Option<Digest>,
    /// The source has more than it says, and was read to its end.
    pub(super) beyond_its_size: bool,
}

/// Which attempt at a step this is.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    /// False when the source changed during an earlier one: then the plan's fingerprint no longer applies, and the
    /// source must be steady from now on.
    pub(super) first: bool,
    /// There will be no other, so a source that only grew is taken as it is; before, it may come to rest.
    pub(super) last: bool,
}

/// Whether a file takes the small-file path and is committed in a group.
pub(super) fn is_small(context: &Context<'_>, size: u64) -> bool {
    size <= context.settings.batch_max_file_bytes
}

/// Stages one step.
pub(super) fn stage<'a>(
    context: &Context<'_>,
    job: &CopyJob<'a>,
    attempt: Attempt,
    current: Option<&Arc<CurrentFile>>,
    buffer: &mut Vec<u8>,
) -> Result<Staged<'a>, Stop> {
    let name = context
        .staged_name(job.number)
        .map_err(|_| Error::new(Op::Create, context.target.path.clone(), ErrorKind::StagedLost))?;
    if let Some(kind) = protected(context, job.step) {
        return Err(Error::new(Op::Replace, target_path(context, job), kind).into());
    }
    if job.folder.volume.probe.names.refuses(job.step.target_name.as_bytes()) {
        // Known beforehand, and each file system has another word for it (exfat-fuse: "no such file").
        let refused = ErrorKind::Os(OsReason::InvalidName);
        return Err(Error::new(Op::Create, target_path(context, job), refused).into());
    }
    match job.step.action {
        Action::CopyLink => stage_link(context, job, name),
        // Dates are set by `times.rs`; were such a step to come here, a whole copy would be right as well.
        Action::CopyFile { .. } | Action::SetTimes => {
            stage_file(context, job, name, attempt, current, buffer)
        }
    }
}

/// What keeps the target of a step from being replaced. Told before anything is written: the last rename would fail
/// with a missing permission, which is not the reason.
pub(crate) fn protected(context: &Context<'_>, step: &Step) -> Option<ErrorKind> {
    let marked = |target: Fingerprint| {
        context.settings.read_only_targets == ReadOnlyTargets::Fail
            && target.kind == Kind::File
            && target.attributes.has_read_only_attribute()
    };
    let protection = step.target_protection.map(ErrorKind::Protected);
    protection.or_else(|| step.expect_target.is_some_and(marked).then_some(ErrorKind::TargetReadOnly))
}

pub(super) fn source_path(context: &Context<'_>, job: &CopyJob<'_>) -> std::path::PathBuf {
    context.source_path(&job.folder.plan.source_path.join(&job.step.source_name))
}

pub(super) fn target_path(context: &Context<'_>, job: &CopyJob<'_>) -> std::path::PathBuf {
    context.target_path(&job.folder.plan.target_path.join(&job.step.target_name))
}

fn stage_file<'a>(
    context: &Context<'_>,
    job: &CopyJob<'a>,
    name: Name,
    attempt: Attempt,
    current: Option<&Arc<CurrentFile>>,
    buffer: &mut Vec<u8>,
) -> Result<Staged<'a>, Stop> {
    let step = job.step;
    let read_error = |op| move |e| Error::os(op, source_path(context, job), e);
    let (source, before) =
        job.folder.source.open_and_examine(&step.source_name, Access::Read).map_err(read_error(Op::Open))?;
    // Where the comparison had the content fetched, that moved the change time and nothing else.
    let as_planned = job.folder.source_unchanged(&before, &step.expect_source)
        || step.placeholder && before.fingerprint().same_content_after_rename(&step.expect_source);
    let stale = || Stop::from(Error::new(Op::Copy, source_path(context, job), ErrorKind::SourceStale));
    let is_stale = attempt.first && !as_planned;
    if is_stale && !grown::looks_grown(&before.fingerprint(), &step.expect_source) {
        return Err(stale());
    }
    // Its content may have been sent away since the comparison.
    if before.placeholder && !context.settings.read_placeholders {
        return Err(Error::new(Op::Read, source_path(context, job), ErrorKind::Placeholder).into());
    }
    let opened = before.size;
    let before = wait_until_settled(&*source, before).map_err(read_error(Op::Examine))?;
    let mut not_kept = Vec::new();
    if is_stale {
        // One that grows before our eyes, such as a log, could otherwise never be copied. What was written anew while
        // the plan was looked at may be longer too, but does not go on growing.
        if before.size <= opened {
            return Err(stale());
        }
        not_kept.push(grown::note(before.size));
    }
    if step.may_be_sparse && source.has_holes().unwrap_or(false) {
        not_kept.push(NotKept::settled(
            "holes (the source is sparse; the copy takes its full size on the volume)",
        ));
    }
    // Some listings do not tell how many names a file has; the open file does.
    if (step.hard_linked || before.links > 1) && attempt.first {
        context.tally.hard_linked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    let mut meter =
        Meter::copy(&context.control.progress, &job.owed, before.size, current.map(|c| &c.copied));
    let result = fill_and_apply_metadata(
        context,
        job,
        &name,
        (&source, &before),
        attempt,
        &mut meter,
        &mut not_kept,
        buffer,
    );
    match result {
        Ok((filled, streams, now)) => Ok(Staged {
            job: job.clone(),
            name,
            print: now.fingerprint(),
            seen: FileStamp::of(&now),
            hash: filled.hash,
            size: filled.bytes,
            file: Some(filled.file),
            expected: filled.expected,
            streams,
            not_kept,
            current: current.cloned(),
            reader: None,
        }),
        Err((why, created)) => {
            if created {
                discard_name(context, job, &name);
            }
            Err(why)
        }
    }
}

/// How old a change must be before the file is read.
const SETTLED: std::time::Duration = std::time::Duration::from_millis(50);

/// Waits until the last change of a file that was changed a moment ago is old enough to be told from the next.
///
/// A change gets its time when it begins, and on some kernels in steps of some milliseconds. So a write that is still
/// going on, or falls into the same step, leaves the same fingerprint before and after a read; git calls such files
/// racily clean. Once the time is older than any such step, every later write shows. What remains is one single write
/// call that has been going on for longer.
fn wait_until_settled(source: &dyn File, mut now: Metadata) -> io::Result<Metadata> {
    // A file that is always just written is found out by the second look after the read.
    for _ in 0..3 {
        let changed = now.changed.unwrap_or(now.modified);
        let age = Time::now().as_nanos() - changed.as_nanos();
        // Times in the future come from another clock, and waiting for them would have no end.
        if !(0..SETTLED.as_nanos() as i128).contains(&age) {
            break;
        }
        std::thread::sleep(SETTLED.saturating_sub(std::time::Duration::from_nanos(age as u64)));
        now = source.metadata()?;
    }
    Ok(now)
}

/// Fills the file, checks that the source held still, and gives the copy its metadata. An error says whether the
/// staged name may exist.
#[allow(clippy::too_many_arguments)]
fn fill_and_apply_metadata(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &Name,
    (source, before): (&FileRef, &Metadata),
    attempt: Attempt,
    meter: &mut Meter<'_>,
    not_kept: &mut Vec<NotKept>,
    buffer: &mut Vec<u8>,
) -> Result<(Filled, Vec<Carried>, Metadata), (Stop, bool)> {
    let filled = fill(context, job, name, source, before, attempt.last, meter, buffer)?;
    let facts = &job.folder.volume.facts;
    let owners = (job.folder.group, &job.folder.owner_of_new);
    let stop = || context.should_stop();
    let kept = metadata::give(context, &*filled.file, &**source, before, facts, owners, &stop).map_err(
        |e| match e.kind() {
            io::ErrorKind::Interrupted if stop() => (Stop::Cancelled, true),
            _ => (Error::os(Op::SetMetadata, target_path(context, job), e).into(), true),
        },
    )?;
    // By name, not by handle: that the name now leads to another file is a change too. Last, because streams and
    // extended attributes are read from the source as well.
    let after = job.folder.source.stat(&job.step.source_name);
    let seen = before.fingerprint();
    let steady = after.as_ref().is_ok_and(|now| job.folder.source_unchanged(now, &seen));
    #[cfg(fcs_planted)]
    let steady = steady || crate::planted::is(crate::planted::Fault::NoSourceRecheck);
    let whole = filled.bytes == before.size || filled.beyond_its_size;
    let grew = !steady
        && whole
        && attempt.last
        && after.is_ok_and(|now| grown::looks_grown(&now.fingerprint(), &seen))
        // Where the copy is compared with the source when it is verified, that is the proof.
        && (matches!(filled.expected, Expected::Source(..))
            || grown::begins_with(context, job, &**source, &*filled.file, filled.bytes)
                .map_err(|stop| (stop, true))?);
    if !(whole && (steady || grew)) {
        let kind = if steady { ErrorKind::EndsEarly } else { ErrorKind::SourceUnsteady };
        return Err((Error::new(Op::Copy, source_path(context, job), kind).into(), true));
    }
    mark(not_kept, grew.then(|| grown::note(filled.bytes)));
    if filled.beyond_its_size {
        let (said, bytes) = (before.size, filled.bytes);
        not_kept
            .push(format!("its size (it says {said} bytes; {bytes} could be read and were copied)").into());
    }
    not_kept.extend(kept.not_kept);
    Ok((filled, kept.streams, kept.now))
}

/// Adds what a copy does not have, once.
pub(super) fn mark(not_kept: &mut Vec<NotKept>, note: Option<NotKept>) {
    not_kept.extend(note.filter(|note| !not_kept.contains(note)));
}

#[allow(clippy::too_many_arguments)]
fn fill(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &Name,
    source: &FileRef,
    before: &Metadata,
    lenient: bool,
    meter: &mut Meter<'_>,
    buffer: &mut Vec<u8>,
) -> Result<Filled, (Stop, bool)> {
    let Action::CopyFile { strategy, verify } = job.step.action else {
        return Err((Error::new(Op::Copy, source_path(context, job), ErrorKind::KindClash).into(), false));
    };
    let share = context.settings.reflink && strategy.is_direct();
    if is_small(context, before.size) && !share {
        fill_small(context, job, name, (&**source, before), lenient, verify, meter, buffer)
    } else if strategy.is_direct() && job.folder.volume.numbers == Numbers::Last {
        fill_direct(context, job, name, source, before, verify, meter)
    } else {
        // Also where numbers prove nothing: recovery and undo know the file again by its hash alone.
        fill_staged(context, job, name, &**source, before.size, verify, meter)
    }
}

/// One read, one hash, one write.
#[allow(clippy::too_many_arguments)]
fn fill_small(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &Name,
    (source, before): (&dyn File, &Metadata),
    lenient: bool,
    verify: bool,
    meter: &mut Meter<'_>,
    buffer: &mut Vec<u8>,
) -> Result<Filled, (Stop, bool)> {
    // One byte more than expected shows a file that has grown, or that has more than it says.
    let size = before.size;
    let room = size as usize + 1;
    if buffer.len() < room {
        buffer.resize(room, 0);
    }
    let read_error = |e| (Error::os(Op::Read, source_path(context, job), e).into(), false);
    let n = read_whole(source, &mut buffer[..room], size as usize).map_err(read_error)?;
    if n as u64 != size {
        let steady =
            job.folder.source_unchanged(&source.metadata().map_err(read_error)?, &before.fingerprint());
        if steady && n as u64 > size {
            return grown::fill_to_end(context, job, name, source, &buffer[..n], verify, meter);
        }
        // What only grew has its first bytes, which are looked at again when they are copied.
        if steady || !lenient || size > n as u64 {
            let kind = if steady { ErrorKind::EndsEarly } else { ErrorKind::SourceUnsteady };
            return Err((Error::new(Op::Copy, source_path(context, job), kind).into(), false));
        }
    }
    let n = n.min(size as usize);
    let hash = Digest(*blake3::hash(&buffer[..n]).as_bytes());
    let expected = if verify { Expected::Hash(hash) } else { Expected::Nothing };
    let file = create(context, job, name)?;
    write_all_at(&*file, &buffer[..n], 0)
        .map_err(|e| (Error::os(Op::Copy, target_path(context, job), e).into(), true))?;
    meter.reach(size);
    Ok(Filled { file, bytes: size, expected, hash: Some(hash), beyond_its_size: false })
}

/// Reads a file of this size into a buffer with room for more. A read that had room for more and ended where the file is
/// said to end is not asked for the end once more: that would be one call of the system for each file, and whether the
/// file has grown shows in its size after the read.
fn read_whole(source: &dyn File, buffer: &mut [u8], size: usize) -> io::Result<usize> {
    let n = source.read_at(buffer, 0)?;
    if n == size {
        return Ok(n);
    }
    read_full(source, buffer, 0)
}

pub(super) fn create(context: &Context<'_>, job: &CopyJob<'_>, name: &Name) -> Result<FileRef, (Stop, bool)> {
    job.folder.target.create_file(name).map_err(|e| create_error(context, job, e))
}

/// A staged name that is taken is not ours and must not be removed.
fn create_error(context: &Context<'_>, job: &CopyJob<'_>, e: io::Error) -> (Stop, bool) {
    let created = reason(&e) != OsReason::AlreadyExists;
    (Error::os(Op::Create, target_path(context, job), e).into(), created)
}

/// Past the cache where the file system can do that, else the system's own copy. Verification compares with the source, so
/// no hash is taken here.
fn fill_direct(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &Name,
    source: &FileRef,
    before: &Metadata,
    verify: bool,
    meter: &mut Meter<'_>,
) -> Result<Filled, (Stop, bool)> {
    let expected = || Expected::Source(Arc::clone(source), before.fingerprint());
    if let Some((file, writer)) = past_cache(context, job, name, &**source)? {
        let chunk = context.settings.direct_chunk_bytes;
        let source = (&**source, before.size);
        let (bytes, _) = fill_by_chunks(context, job, source, writer, (chunk, false), meter)?;
        let expected = if verify { expected() } else { Expected::Nothing };
        return Ok(Filled { file, bytes, expected, hash: None, beyond_its_size: false });
    }
    let options = CopyOptions {
        size: before.size,
        chunk: context.settings.direct_chunk_bytes as usize,
        share_blocks: context.settings.reflink,
        writeback_window: context.settings.writeback_window_bytes,
    };
    let mut tick = |bytes| {
        meter.reach(bytes);
        if context.should_stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let copy = job.folder.target.copy_in(name, &**source, options, &mut tick).map_err(|e| {
        // A native copy does not say which end failed; these reasons can only be the target's.
        let of_target = matches!(
            reason(&e),
            OsReason::NoSpace | OsReason::QuotaExceeded | OsReason::FileTooLarge | OsReason::ReadOnlyVolume
        );
        let created = reason(&e) != OsReason::AlreadyExists;
        // Nothing there means that making it was what failed.
        if !created || job.folder.target.stat(name).is_err_and(|e| reason(&e) == OsReason::NotFound) {
            return (Error::os(Op::Create, target_path(context, job), e).into(), false);
        }
        let path = if of_target { target_path(context, job) } else { source_path(context, job) };
        (Error::os(Op::Copy, path, e).into(), created)
    })?;
    let Some(file) = copy.file else {
        // The system removed the part itself.
        return Err((Stop::Cancelled, false));
    };
    if copy.stopped && copy.bytes < before.size {
        return Err((Stop::Cancelled, true));
    }
    let expected = match (copy.method, verify) {
        (CopyMethod::Shared, _) => Expected::SharedBlocks,
        (_, false) => Expected::Nothing,
        (_, true) => expected(),
    };
    Ok(Filled { file, bytes: copy.bytes, expected, hash: None, beyond_its_size: false })
}

/// Makes the copy of a direct strategy and prepares it to be written past the cache; `None`, and nothing made, where that
/// cannot be done or is not wanted. The system's own copy fills pages of the cache and leaves it to the sync to write them
/// all (measured, 1.5 GB on a disk in memory: twice the time).
fn past_cache(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &Name,
    source: &dyn File,
) -> Result<Option<(FileRef, Writer)>, (Stop, bool)> {
    let volume = &job.folder.volume;
    // Asked of the source, because there is no copy to ask yet: what its system cannot do at all need not be tried.
    let possible = source.as_write_past_cache().is_some() && volume.may_write_past_cache();
    if !possible || context.settings.reflink || context.settings.large_write == LargeWrite::Cached {
        return Ok(None);
    }
    let file = create(context, job, name)?;
    let writer = Writer::new(context, job, &file);
    volume.wrote_past_cache(writer.past_cache);
    if writer.past_cache {
        return Ok(Some((file, writer)));
    }
    drop((writer, file));
    discard_name(context, job, name);
    Ok(None)
}

/// Chunks, hashed on the way: the source is read exactly once.
fn fill_staged(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &Name,
    source: &dyn File,
    size: u64,
    verify: bool,
    meter: &mut Meter<'_>,
) -> Result<Filled, (Stop, bool)> {
    let file = create(context, job, name)?;
    let writer = Writer::new(context, job, &file);
    let hashed = verify || job.folder.volume.numbers == Numbers::ProveNothing;
    let (bytes, hash) = fill_by_chunks(
        context,
        job,
        (source, size),
        writer,
        (context.settings.network_chunk_bytes, hashed),
        meter,
    )?;
    let expected = hash.filter(|_| verify).map_or(Expected::Nothing, Expected::Hash);
    Ok(Filled { file, bytes, expected, hash, beyond_its_size: false })
}

/// Copies so many bytes. Returns how many there were, and their hash if asked.
fn fill_by_chunks(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    (source, size): (&dyn File, u64),
    mut writer: Writer,
    (chunk, hashed): (u64, bool),
    meter: &mut Meter<'_>,
) -> Result<(u64, Option<Digest>), (Stop, bool)> {
    let write = |offset: u64, bytes: &[u8]| -> Result<(), Stop> {
        writer.write(bytes, offset).map_err(|e| Error::os(Op::Copy, target_path(context, job), e))?;
        meter.reach(offset + bytes.len() as u64);
        if context.should_stop() { Err(Stop::Cancelled) } else { Ok(()) }
    };
    // Whole blocks: what remained of a chunk would have to go through the cache, and so would all that follows.
    let chunk = chunk as usize;
    let chunk = if chunk < BLOCK { chunk } else { chunk - chunk % BLOCK };
    let pumped = pump(source, size, chunk, hashed, write);
    // What follows, its metadata and a small rest, may be of any length.
    writer.through_cache().map_err(|e| (Error::os(Op::Copy, target_path(context, job), e).into(), true))?;
    pumped.map_err(|stop| match stop {
        PumpError::Read(e) => (Error::os(Op::Read, source_path(context, job), e).into(), true),
        PumpError::Consume(stop) => (stop, true),
    })
}

/// Writes a large copy from its beginning to its end.
///
/// Past the cache where the file system says that it can: the bytes then go from our buffer to the device and not into
/// pages first, of which the sync after the last would have to wait for all. No more is promised than of other writes: the
/// sync is still what makes them durable.
struct Writer {
    file: FileRef,
    past_cache: bool,
    /// Most bytes left dirty in the cache; 0 leaves it to the system.
    window: u64,
}

/// What writes past the cache are made of.
const BLOCK: usize = 4096;

impl Writer {
    fn new(context: &Context<'_>, job: &CopyJob<'_>, file: &FileRef) -> Self {
        // Over a network the wait for each write would be one for the server, and nothing would be gained: no re-read
        // gets past the server's cache.
        let wanted = context.settings.large_write == LargeWrite::Uncached
            && job.folder.volume.reread_is_cached().is_none();
        let past_cache = wanted && file.write_past_cache(true).is_ok();
        Self { file: Arc::clone(file), past_cache, window: context.settings.writeback_window_bytes }
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        if self.past_cache {
            let whole = bytes.len() - bytes.len() % BLOCK;
            match write_all_at(&*self.file, &bytes[..whole], offset) {
                Ok(()) => done = whole,
                // A device with larger blocks, or a write that was cut short between two: written once more.
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
                Err(e) => return Err(e),
            }
            if done < bytes.len() {
                self.through_cache()?;
            }
        }
        let (rest, end) = (&bytes[done..], offset + bytes.len() as u64);
        if rest.is_empty() {
            return Ok(());
        }
        write_all_at(&*self.file, rest, offset + done as u64)?;
        if self.window > 0 {
            pace_writeback(&*self.file, end, rest.len() as u64, self.window)
        } else {
            Ok(())
        }
    }

    fn through_cache(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.past_cache) { self.file.write_past_cache(false) } else { Ok(()) }
    }
}

fn stage_link<'a>(context: &Context<'_>, job: &CopyJob<'a>, name: Name) -> Result<Staged<'a>, Stop> {
    let (folder, step) = (&job.folder, job.step);
    let read_error = |op| move |e| Error::os(op, source_path(context, job), e);
    let before = folder.source.stat(&step.source_name).map_err(read_error(Op::Examine))?;
    if !folder.source_unchanged(&before, &step.expect_source) {
        return Err(Error::new(Op::Copy, source_path(context, job), ErrorKind::SourceStale).into());
    }
    let link = folder.source.read_link(&step.source_name).map_err(read_error(Op::Read))?;
    let volume = &folder.volume;
    if volume.probe.links.possible == Some(false) {
        return Err(Stop::LeftAlone(SkipReason::LinkNotHeld));
    }
    match folder.target.create_symlink(&name, &link) {
        Err(e) if reason(&e) == OsReason::Unsupported => {
            return Err(Stop::LeftAlone(SkipReason::LinkNotHeld));
        }
        made => made.map_err(|e| create_error(context, job, e).0)?,
    }
    if probe::links::in_doubt(&volume.facts) && folder.target.read_link(&name).is_err() {
        // sshfs shows no links that lead out of what it serves.
        discard_name(context, job, &name);
        return Err(Stop::LeftAlone(SkipReason::LinkNotHeld));
    }
    let mut not_kept = Vec::new();
    let applied = if volume.probe.links.may_set_attributes(&volume.facts) {
        apply_link_metadata(context, job, &name, &before, &mut not_kept)
    } else {
        context.tally.links_left.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        folder.target.stat(&name)
    };
    let applied = applied.and_then(|now| {
        // Read back at once: a link's text lives in the folder's metadata, which the group's sync makes durable.
        Ok((folder.target.read_link(&name)?.text == link.text, now))
    });
    let failed = match applied {
        Ok((true, now)) => {
            return Ok(Staged {
                job: job.clone(),
                name,
                file: None,
                print: now.fingerprint(),
                seen: FileStamp::of(&now),
                hash: Some(Digest(*blake3::hash(&link.text).as_bytes())),
                size: 0,
                expected: Expected::Link,
                streams: Vec::new(),
                not_kept,
                current: None,
                reader: None,
            });
        }
        Ok((false, _)) => {
            Error::new(Op::Verify, target_path(context, job), ErrorKind::Mismatch { offset: None })
        }
        Err(e) => Error::os(Op::SetMetadata, target_path(context, job), e),
    };
    discard_name(context, job, &name);
    Err(failed.into())
}

fn apply_link_metadata(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &Name,
    wanted: &Metadata,
    not_kept: &mut Vec<NotKept>,
) -> io::Result<Metadata> {
    let target = &job.folder.target;
    let made = target.stat(name)?;
    if context.settings.keep_owner
        && made.owner != wanted.owner
        && let Some(owner) = wanted.owner
        && target.set_link_owner(name, owner).is_err()
    {
        context.tally.owner_not_kept.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    let volume = &job.folder.volume.facts;
    let created = wanted.created.filter(|_| volume.created == CreatedTime::Settable);
    let times = Times { modified: Some(wanted.modified), created };
    // An error shows in the read-back.
    let _ = target.set_link_times(name, times);
    let now = target.stat(name)?;
    metadata::tell_times(&now, times, volume, &context.tally, not_kept);
    Ok(now)
}
