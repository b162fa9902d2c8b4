//! Reads copies back and says what that proves.
//!
//! Measured: after a sync, a re-read is answered from the system's cache and misses a bit flipped on the device. So
//! a copy's pages are evicted, the eviction is proven, and only then is anything read or mapped. Where it cannot be
//! proven the evidence says so. That a file was opened to be read past the cache is no proof: file systems take the
//! flag and answer from cached pages all the same.

use fcs_sys::{Access, DirRef, Eviction, File, FileRef, Fingerprint, Metadata, Name, Window, read_full};

use super::context::{Context, Volume};
use super::fill::{Stop, is_small};
use super::grown;
use super::meter::Meter;
use super::staged::{Expected, Staged};
use super::streams;
use crate::hashing::{PumpError, pump};
use crate::report::{Digest, Evidence, NotKept};
use crate::settings::Reread;
use crate::{Error, ErrorKind, Op};

/// Bytes compared between two looks at the cancel flag.
const SLICE: usize = 8 << 20;

/// A way to read the staged file, and what such a read proves.
pub(super) struct Reader {
    file: FileRef,
    /// `None`: the device; else why it may be a cache.
    cached: Option<String>,
    /// Reading past the cache: memory maps would use the cache again.
    uncached: bool,
}

impl Reader {
    /// Starts reading the beginning of the file, so that the device works on several files at once.
    pub(super) fn prefetch(&self, bytes: u64) {
        if !self.uncached && bytes > 0 {
            self.file.prefetch(0, bytes);
        }
    }

    /// Whether the next read comes from the device.
    pub(super) fn reaches_device(&self) -> bool {
        self.cached.is_none()
    }

    /// The file to be read.
    pub(super) fn file(&self) -> &dyn File {
        &*self.file
    }

    pub(super) fn evidence(self, hash: Option<Digest>) -> Evidence {
        match self.cached {
            None => Evidence::DeviceReread { hash },
            Some(why) => Evidence::CacheReread { hash, why },
        }
    }
}

fn path_of(context: &Context<'_>, staged: &Staged<'_>) -> std::path::PathBuf {
    let job = &staged.job;
    context.target_path(&job.folder.plan.target_path.join(&job.step.target_name))
}

/// A file of the target that is to be read back.
pub(super) struct OnTarget<'a> {
    pub(super) dir: &'a DirRef,
    pub(super) name: &'a Name,
    pub(super) file: &'a FileRef,
    pub(super) volume: &'a Volume,
    pub(super) size: u64,
    /// Whether what the name leads to is the file.
    pub(super) is_it: &'a dyn Fn(&Metadata) -> bool,
}

/// Makes the next read of the staged file come from the device, or finds out why it cannot.
pub(super) fn reach_device(context: &Context<'_>, staged: &Staged<'_>) -> Result<Reader, Error> {
    let Some(file) = &staged.file else {
        return Err(Error::new(Op::Verify, path_of(context, staged), ErrorKind::KindClash));
    };
    let folder = &staged.job.folder;
    Ok(OnTarget {
        dir: &folder.target,
        name: &staged.name,
        file,
        volume: &folder.volume,
        size: staged.size,
        is_it: &|now| staged.is_same(now),
    }
    .reach_device(context))
}

impl OnTarget<'_> {
    /// Makes the next read of the file come from the device, or finds out why it cannot.
    pub(super) fn reach_device(&self, context: &Context<'_>) -> Reader {
        let file = FileRef::clone(self.file);
        if let Some(why) = self.volume.reread_is_cached() {
            return Reader { file, cached: Some(why.into()), uncached: false };
        }
        #[cfg(fcs_planted)]
        if crate::planted::is(crate::planted::Fault::VerifyFromCache) {
            return Reader { file, cached: None, uncached: false };
        }
        let unproven = self.why_cached();
        // Measured: past the cache is faster for large files, because no pages have to be found for them, and leaves the
        // cache as it was; for small ones each such read waits for the device alone, and evicting in handfuls is faster.
        let wanted = unproven.is_some()
            || !is_small(context, self.size) && context.settings.large_reread == Reread::Uncached;
        let past = if wanted { self.open_past_cache() } else { None };
        let uncached = past.is_some();
        let cached = unproven.filter(|_| !(uncached && self.volume.facts.uncached_reads_device));
        #[cfg(fcs_planted)]
        let cached = cached.filter(|_| !(uncached && self.planted_trust(context)));
        Reader { file: past.unwrap_or(file), cached, uncached }
    }

    /// Empties the cache of the file. Says why a read may still be answered by a cache; `None` when the system says that
    /// none of it is cached any more, so that every byte read from here on was read from the device.
    fn why_cached(&self) -> Option<String> {
        #[cfg(fcs_planted)]
        if crate::planted::is(crate::planted::Fault::TrustUncached) {
            return Some("not asked".into());
        }
        match self.file.evict() {
            Ok(Eviction::Proven) => {}
            Ok(Eviction::Unproven(why)) => return Some(why.into()),
            Err(e) => return Some(format!("the cache could not be emptied: {e}")),
        }
        if self.size > self.volume.facts.in_metadata_max_bytes {
            return None;
        }
        match self.file.is_in_metadata() {
            Ok(false) => None,
            Ok(true) => Some(
                "the file system stores so small a file among its metadata, whose cache cannot be emptied"
                    .into(),
            ),
            Err(e) => Some(format!(
                "the file system does not report whether the file is stored among its metadata: {e}"
            )),
        }
    }

    #[cfg(fcs_planted)]
    fn planted_trust(&self, context: &Context<'_>) -> bool {
        !is_small(context, self.size) && crate::planted::is(crate::planted::Fault::TrustUncached)
    }

    /// The file, opened to be read past the cache, where the file system can do that.
    fn open_past_cache(&self) -> Option<FileRef> {
        let past = self.dir.open_file(self.name, Access::ReadUncached).ok()?;
        let same = (self.is_it)(&past.metadata().ok()?);
        // Some file systems refuse only at the first read.
        let readable = self.size == 0 || past.read_at(&mut [0; 512], 0).is_ok();
        (same && readable).then_some(past)
    }
}

fn meter<'a>(context: &'a Context<'_>, staged: &'a Staged<'_>) -> Meter<'a> {
    Meter::verify(&context.control.progress, &staged.job.owed, staged.size, staged.verified_counter())
}

/// Compares the copy's hash with the hash of what was read from the source.
pub(super) fn by_hash(
    context: &Context<'_>,
    staged: &Staged<'_>,
    reader: Reader,
    expected: Digest,
    buffer: &mut Vec<u8>,
) -> Result<Evidence, Stop> {
    let path = || path_of(context, staged);
    let mut meter = meter(context, staged);
    let (bytes, hash) = if is_small(context, staged.size) {
        // A copy that is longer than its source would pass if no more were read than the source had. Where the system
        // told its size, and tells it again before the copy gets its name, that is known without a read that finds
        // nothing: each would be one call of the system more for each file.
        let told = staged.print.size == staged.size;
        let room = staged.size as usize + usize::from(!told);
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        let n =
            read_full(&*reader.file, &mut buffer[..room], 0).map_err(|e| Error::os(Op::Verify, path(), e))?;
        meter.reach(n as u64);
        (n as u64, Digest(*blake3::hash(&buffer[..n]).as_bytes()))
    } else {
        let chunk = context.settings.verify_chunk_bytes as usize;
        let count = |offset: u64, bytes: &[u8]| {
            meter.reach(offset + bytes.len() as u64);
            if context.should_stop() { Err(()) } else { Ok(()) }
        };
        match pump(&*reader.file, staged.size, chunk, true, count) {
            Ok((bytes, Some(hash))) if ends_at(context, staged, &reader)? => (bytes, hash),
            Ok((_, Some(_))) => {
                return Err(Error::new(Op::Verify, path(), ErrorKind::Mismatch { offset: None }).into());
            }
            Ok((_, None)) | Err(PumpError::Consume(())) => return Err(Stop::Cancelled),
            Err(PumpError::Read(e)) => return Err(Error::os(Op::Verify, path(), e).into()),
        }
    };
    if bytes == staged.size && hash == expected {
        return Ok(reader.evidence(Some(hash)));
    }
    Err(Error::new(Op::Verify, path(), ErrorKind::Mismatch { offset: None }).into())
}

/// As [`by_hash`], of content that was read from the device already.
pub(super) fn by_content(
    context: &Context<'_>,
    staged: &Staged<'_>,
    content: &[u8],
) -> Result<Evidence, Stop> {
    meter(context, staged).reach(content.len() as u64);
    let hash = Digest(*blake3::hash(content).as_bytes());
    match staged.expected {
        Expected::Hash(expected) if expected == hash && content.len() as u64 == staged.size => {
            Ok(Evidence::DeviceReread { hash: Some(hash) })
        }
        _ => {
            let mismatch = ErrorKind::Mismatch { offset: None };
            Err(Error::new(Op::Verify, path_of(context, staged), mismatch).into())
        }
    }
}

/// Compares what the system's cache holds of a small copy with what was read of the source: as much as can be known
/// before its group is synced.
pub(super) fn from_cache(
    context: &Context<'_>,
    staged: &Staged<'_>,
    buffer: &mut Vec<u8>,
) -> Result<Evidence, Stop> {
    let expected = match staged.expected {
        Expected::Hash(expected) => expected,
        Expected::SharedBlocks => return Ok(Evidence::SharedExtents),
        Expected::Link => return Ok(Evidence::NoContent),
        Expected::Nothing | Expected::Source(..) => return Ok(Evidence::NotRequested),
    };
    let Some(file) = &staged.file else { return Ok(Evidence::NoContent) };
    // One more byte than there should be: a longer copy must not pass.
    buffer.resize(staged.size as usize + 1, 0);
    let n = read_full(&**file, buffer, 0).map_err(|e| Error::os(Op::Verify, path_of(context, staged), e))?;
    let hash = Digest(*blake3::hash(&buffer[..n]).as_bytes());
    if n as u64 != staged.size || hash != expected {
        return Err(
            Error::new(Op::Verify, path_of(context, staged), ErrorKind::Mismatch { offset: None }).into()
        );
    }
    let why = "its group has not been read back from the device yet".to_owned();
    Ok(Evidence::CacheReread { hash: Some(hash), why })
}

/// Whether a large copy ends where its source did: only as many bytes as the source had are read back, so a copy that
/// is longer would pass.
fn ends_at(context: &Context<'_>, staged: &Staged<'_>, reader: &Reader) -> Result<bool, Stop> {
    let n = read_full(&*reader.file, &mut [0], staged.size)
        .map_err(|e| Error::os(Op::Verify, path_of(context, staged), e))?;
    Ok(n == 0)
}

/// Reads the named streams of the copy back.
pub(super) fn streams(context: &Context<'_>, staged: &Staged<'_>) -> Result<(), Stop> {
    let path = || path_of(context, staged);
    let Some(file) = staged.file.as_ref().filter(|_| !staged.streams.is_empty()) else { return Ok(()) };
    match streams::are_whole(&**file, &staged.streams) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::new(Op::Verify, path(), ErrorKind::Mismatch { offset: None }).into()),
        Err(e) => Err(Error::os(Op::Verify, path(), e).into()),
    }
}

/// Compares the copy with the source, window by window. Also returns what the copy lacks of a source that only grew.
pub(super) fn by_comparison(
    context: &Context<'_>,
    staged: &Staged<'_>,
    reader: Reader,
    source: &dyn File,
    fingerprint: &Fingerprint,
) -> Result<(Evidence, Option<NotKept>), Stop> {
    let mut meter = meter(context, staged);
    let compared = if reader.uncached {
        compare_past_cache(context, staged, source, &reader, &mut meter)
    } else {
        compare_windows(context, staged, source, &reader, &mut meter).map(|found| (found, None))
    };
    let compared = match compared {
        Ok((None, hash)) => {
            ends_at(context, staged, &reader).map(|ends| ((!ends).then_some(staged.size), hash))
        }
        other => other,
    };
    // A difference, or an error, that comes from a source being written to is no fault of the copy.
    let job = &staged.job;
    let now = job.folder.source.stat(&job.step.source_name);
    let steady = now.as_ref().is_ok_and(|now| job.folder.source_unchanged(now, fingerprint));
    let grew = !steady && now.is_ok_and(|now| grown::looks_grown(&now.fingerprint(), fingerprint));
    let difference = match compared {
        Err(Stop::Cancelled) => Err(Stop::Cancelled),
        // Equal to what the source begins with now, which has only become longer.
        Ok((None, hash)) if grew => Ok((None, hash)),
        _ if !steady => {
            let path = context.source_path(&job.folder.plan.source_path.join(&job.step.source_name));
            Err(Error::new(Op::Copy, path, ErrorKind::SourceUnsteady).into())
        }
        other => other,
    };
    match difference {
        Ok((None, hash)) => Ok((reader.evidence(hash), grew.then(|| grown::note(staged.size)))),
        Ok((offset, _)) => {
            Err(Error::new(Op::Verify, path_of(context, staged), ErrorKind::Mismatch { offset }).into())
        }
        Err(stop) => Err(stop),
    }
}

/// The first offset at which copy and source differ; the copy is read past the cache on a thread of its own, the
/// source is seen through memory windows, or read through a buffer where a window fails.
fn compare_past_cache(
    context: &Context<'_>,
    staged: &Staged<'_>,
    source: &dyn File,
    reader: &Reader,
    meter: &mut Meter<'_>,
) -> Result<(Option<u64>, Option<Digest>), Stop> {
    let mut view = SourceView::new(context, staged, source);
    let compare = |offset: u64, bytes: &[u8]| -> Result<(), Unequal> {
        if context.should_stop() {
            return Err(Unequal::Stop(Stop::Cancelled));
        }
        if let Some(found) = view.first_difference(offset, bytes).map_err(Unequal::Stop)? {
            return Err(Unequal::At(found));
        }
        meter.reach(offset + bytes.len() as u64);
        Ok(())
    };
    let chunk = context.settings.verify_chunk_bytes as usize;
    // Hashed by the thread that waits for the device: in a folder that was copied elsewhere undo knows the file by it.
    match pump(&*reader.file, staged.size, chunk, true, compare) {
        Ok((bytes, hash)) if bytes == staged.size => Ok((None, hash)),
        Ok((bytes, _)) => Ok((Some(bytes), None)),
        Err(PumpError::Consume(Unequal::At(found))) => Ok((Some(found), None)),
        Err(PumpError::Consume(Unequal::Stop(stop))) => Err(stop),
        Err(PumpError::Read(e)) => Err(Error::os(Op::Verify, path_of(context, staged), e).into()),
    }
}

/// Why a comparison ended early.
enum Unequal {
    At(u64),
    Stop(Stop),
}

/// The source of a comparison: one memory window at a time.
struct SourceView<'a> {
    context: &'a Context<'a>,
    staged: &'a Staged<'a>,
    source: &'a dyn File,
    /// Where the window begins; `None` once it failed, until the next one is due.
    window: Option<(u64, Box<dyn Window>)>,
    due: u64,
    failures_in_a_row: u64,
    buffer: Vec<u8>,
}

impl<'a> SourceView<'a> {
    fn new(context: &'a Context<'a>, staged: &'a Staged<'a>, source: &'a dyn File) -> Self {
        Self { context, staged, source, window: None, due: 0, failures_in_a_row: 0, buffer: Vec::new() }
    }

    /// The first offset in the file at which the source differs from `bytes`. Windows hold whole chunks, because both
    /// sizes are whole MiB.
    fn first_difference(&mut self, offset: u64, bytes: &[u8]) -> Result<Option<u64>, Stop> {
        if offset >= self.due {
            self.next_window(offset)?;
        }
        if let Some((start, window)) = &self.window
            && offset - start + bytes.len() as u64 <= window.size() as u64
        {
            match window.first_difference_from((offset - start) as usize, bytes) {
                Ok(found) => return Ok(found.map(|at| start + at as u64)),
                Err(_) => self.fail()?,
            }
        }
        self.buffer.resize(bytes.len(), 0);
        let n = read_full(self.source, &mut self.buffer, offset).map_err(|e| {
            let job = &self.staged.job;
            let path = self.context.source_path(&job.folder.plan.source_path.join(&job.step.source_name));
            Error::os(Op::Read, path, e)
        })?;
        let differs = self.buffer[..n].iter().zip(bytes).position(|(a, b)| a != b);
        Ok(differs.or((n < bytes.len()).then_some(n)).map(|at| offset + at as u64))
    }

    fn next_window(&mut self, offset: u64) -> Result<(), Stop> {
        let bytes = (self.staged.size - offset).min(self.context.settings.mmap_window_bytes);
        self.window = None;
        self.due = offset + bytes;
        match self.source.map(offset, bytes as usize) {
            Ok(window) => {
                self.window = Some((offset, window));
                self.failures_in_a_row = 0;
                Ok(())
            }
            Err(_) => self.fail(),
        }
    }

    /// A window failed: its range is read through a buffer, unless too many failed in a row.
    fn fail(&mut self) -> Result<(), Stop> {
        self.window = None;
        self.failures_in_a_row += 1;
        if self.failures_in_a_row > self.context.settings.mmap_max_failures {
            return Err(too_many_windows(self.context, self.staged));
        }
        Ok(())
    }
}

fn too_many_windows(context: &Context<'_>, staged: &Staged<'_>) -> Stop {
    let unsupported = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Error::os(Op::Verify, path_of(context, staged), unsupported).into()
}

/// The first offset at which copy and source differ, both seen through memory windows.
fn compare_windows(
    context: &Context<'_>,
    staged: &Staged<'_>,
    source: &dyn File,
    reader: &Reader,
    meter: &mut Meter<'_>,
) -> Result<Option<u64>, Stop> {
    let window = context.settings.mmap_window_bytes;
    let mut failures_in_a_row = 0;
    let mut offset = 0;
    while offset < staged.size {
        let bytes = (staged.size - offset).min(window) as usize;
        reader.file.prefetch(offset + bytes as u64, window);
        // The place for a hash of the window, should one be wanted beside the comparison: both mapped ranges are at
        // hand in `mapped_difference`, both buffers in `buffered_difference`.
        let mapped = mapped_difference(context, source, &*reader.file, offset, bytes, meter);
        let difference = if let Ok(found) = mapped {
            failures_in_a_row = 0;
            found?
        } else {
            failures_in_a_row += 1;
            if failures_in_a_row > context.settings.mmap_max_failures {
                return Err(too_many_windows(context, staged));
            }
            buffered_difference(context, staged, source, &*reader.file, offset, bytes, meter)?
        };
        if difference.is_some() {
            return Ok(difference);
        }
        offset += bytes as u64;
    }
    Ok(None)
}

/// A window could not be mapped, or a page of it could not be read.
struct MapFailed;

fn mapped_difference(
    context: &Context<'_>,
    source: &dyn File,
    copy: &dyn File,
    offset: u64,
    bytes: usize,
    meter: &mut Meter<'_>,
) -> Result<Result<Option<u64>, Stop>, MapFailed> {
    let copy: Box<dyn Window> = copy.map(offset, bytes).map_err(|_| MapFailed)?;
    let source: Box<dyn Window> = source.map(offset, bytes).map_err(|_| MapFailed)?;
    let mut at = 0;
    while at < bytes {
        if context.should_stop() {
            return Ok(Err(Stop::Cancelled));
        }
        let n = SLICE.min(bytes - at);
        match source.first_difference(&*copy, at, n) {
            Ok(None) => {}
            Ok(Some(found)) => return Ok(Ok(Some(offset + found as u64))),
            Err(_) => return Err(MapFailed),
        }
        at += n;
        meter.reach(offset + at as u64);
    }
    Ok(Ok(None))
}

/// The fallback for one window: both sides read through buffers.
fn buffered_difference(
    context: &Context<'_>,
    staged: &Staged<'_>,
    source: &dyn File,
    copy: &dyn File,
    offset: u64,
    bytes: usize,
    meter: &mut Meter<'_>,
) -> Result<Option<u64>, Stop> {
    let step = (1 << 20).min(bytes);
    let (mut left, mut right) = (vec![0; step], vec![0; step]);
    let mut at = 0;
    while at < bytes {
        if context.should_stop() {
            return Err(Stop::Cancelled);
        }
        let want = step.min(bytes - at);
        let place = offset + at as u64;
        let job = &staged.job;
        let read = read_full(source, &mut left[..want], place).map_err(|e| {
            let path = context.source_path(&job.folder.plan.source_path.join(&job.step.source_name));
            Error::os(Op::Read, path, e)
        })?;
        let reread = read_full(copy, &mut right[..want], place)
            .map_err(|e| Error::os(Op::Verify, path_of(context, staged), e))?;
        let n = read.min(reread);
        if let Some(i) = left[..n].iter().zip(&right[..n]).position(|(a, b)| a != b) {
            return Ok(Some(place + i as u64));
        }
        if n < want {
            return Ok(Some(place + n as u64));
        }
        at += want;
        meter.reach(offset + at as u64);
    }
    Ok(None)
}
