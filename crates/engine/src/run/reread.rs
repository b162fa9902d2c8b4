//! Verifies small copies, a handful at a time, so that the device works on several files at once.
//!
//! Past the cache, all of a handful at once, where the system can do that: then either the file system says that such reads
//! go past its cache, and the bytes that devices gave add up to what the files take there; or the cache of each file was
//! emptied before, and the system says so. What cannot be proven like that, and all where it cannot be done, is read one
//! by one through the emptied cache ([`super::verify`]), which takes up to three times as long.
//!
//! Invariant: "from the device" is said only of what was counted or shown to be out of the cache.

use std::cell::OnceCell;

use fcs_sys::{DeviceReads, File};

use super::context::{Context, CopyJob};
use super::fill::Stop;
use super::staged::{Expected, Staged, Verified};
use super::verify::Reader;
use super::worker::{Prepared, discard_prepared};

/// Files whose re-read is started together: enough to keep a device's queue filled, few enough to stay cached until
/// they are read.
pub(super) const HANDFUL: usize = DeviceReads::MOST_FILES;

/// How a copy was verified; on failure its staged file is gone.
pub(super) type Ended<'a> = Result<Verified<'a>, (CopyJob<'a>, Stop)>;

/// What a thread needs to read copies back; it stays on the thread that made it.
pub(super) struct Rereader {
    /// Made when there is something to read.
    device: OnceCell<Option<DeviceReads>>,
    buffer: Vec<u8>,
}

impl Rereader {
    pub(super) const fn new() -> Self {
        Self { device: OnceCell::new(), buffer: Vec::new() }
    }

    fn device(&self) -> Option<&DeviceReads> {
        let made = || {
            #[cfg(fcs_planted)]
            if crate::planted::is(crate::planted::Fault::VerifyFromCache) {
                return None;
            }
            DeviceReads::new().inspect_err(|e| tracing::debug!("copies are read one by one: {e}")).ok()
        };
        self.device.get_or_init(made).as_ref()
    }

    /// Verifies a handful, whose content must have been synced. They come back in the order of the plan, however each was
    /// read: in that order they get their names.
    pub(super) fn verify<'a>(&mut self, context: &Context<'_>, handful: Vec<Staged<'a>>) -> Vec<Ended<'a>> {
        let mut ended = Vec::with_capacity(handful.len());
        let (mut tiny, mut counted, mut evicted, mut rest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for mut staged in handful {
            let volume = &staged.job.folder.volume;
            let is_tiny = staged.size <= volume.facts.in_metadata_max_bytes;
            let file = staged.file.as_ref().filter(|_| is_for_device(&staged) && self.device().is_some());
            match file {
                None => rest.push(staged),
                Some(file) if counts(&staged, &**file, is_tiny) => {
                    if is_tiny { &mut tiny } else { &mut counted }.push(staged);
                }
                Some(_) => {
                    let may = volume.reads_past_cache();
                    staged.reach_device(context);
                    let proven = staged.reader.as_ref().is_some_and(Reader::reaches_device);
                    if may && proven { &mut evicted } else { &mut rest }.push(staged);
                }
            }
        }
        for (group, proof) in [
            (tiny, Proof::Count { tiny: true }),
            (counted, Proof::Count { tiny: false }),
            (evicted, Proof::Evicted),
        ] {
            for part in parts(group) {
                self.verify_past_cache(context, part, proof, &mut rest, &mut ended);
            }
        }
        rest.iter_mut().for_each(|staged| staged.start_reread(context));
        for staged in rest {
            if let Some(staged) = unless_stopped(context, staged, &mut ended) {
                ended.push(staged.verify(context, &mut self.buffer));
            }
        }
        ended.sort_by_key(|end| match end {
            Ok(verified) => verified.job().number,
            Err((job, _)) => job.number,
        });
        ended
    }

    /// Reads `part` past the cache. What cannot be proven that way goes to `rest`.
    fn verify_past_cache<'a>(
        &mut self,
        context: &Context<'_>,
        part: Vec<Staged<'a>>,
        proof: Proof,
        rest: &mut Vec<Staged<'a>>,
        ended: &mut Vec<Ended<'a>>,
    ) {
        let files: Vec<(&dyn File, u64)> =
            part.iter().filter_map(|staged| Some((&**staged.file.as_ref()?, staged.size))).collect();
        let read = match self.device.get_mut() {
            Some(Some(device)) if files.len() == part.len() => device.read(&files),
            _ => Ok(None),
        };
        drop(files);
        match (read, proof) {
            (Ok(Some(read)), _) if read.counted || proof == Proof::Evicted || trusted() => {
                for (staged, content) in part.into_iter().zip(&read.contents) {
                    if let Some(staged) = unless_stopped(context, staged, ended) {
                        ended.push(staged.verify_read(context, content));
                    }
                }
                return;
            }
            (Err(error), _) => {
                tracing::debug!("copies are read one by one from here on: {error}");
                self.device = None.into();
            }
            (Ok(_), proof) => {
                if let Some(staged) = part.first().filter(|_| self.device().is_some()) {
                    staged.job.folder.volume.did_not_count(proof);
                }
            }
        }
        rest.extend(part);
    }
}

/// Why what is read past the cache comes from the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The file system says that such reads go past its cache, and the bytes that the device gave add up. Of files that
    /// are small enough to lie in metadata, or of others.
    Count {
        /// Small enough.
        tiny: bool,
    },
    /// The cache was emptied first, and the system says that it is.
    Evicted,
}

/// Whether the bytes that the device gives prove what is read of this file past the cache. Where it may lie among the file
/// system's metadata the file itself is asked: what it does not take from the device, something else might in its place.
fn counts(staged: &Staged<'_>, file: &dyn File, is_tiny: bool) -> bool {
    let folder = &staged.job.folder;
    folder.goes_past_cache(file)
        && folder.volume.counts(is_tiny)
        && (!is_tiny || matches!(file.is_in_metadata(), Ok(false)))
}

/// Whether reads past the cache pass for reads of the device, whatever the system counts.
fn trusted() -> bool {
    #[cfg(fcs_planted)]
    return crate::planted::is(crate::planted::Fault::TrustUncached);
    #[cfg(not(fcs_planted))]
    false
}

fn is_for_device(staged: &Staged<'_>) -> bool {
    matches!(staged.expected, Expected::Hash(_))
        && staged.file.as_ref().is_some_and(|file| DeviceReads::takes(&**file))
        && (1..=DeviceReads::MOST_BYTES / 4).contains(&staged.size)
        // One that is longer than its source shows only where a read has room for more.
        && staged.print.size == staged.size
        && staged.job.folder.volume.reread_is_cached().is_none()
}

/// Parts that can be read at once, each of files on one volume.
fn parts(group: Vec<Staged<'_>>) -> Vec<Vec<Staged<'_>>> {
    let mut parts: Vec<Vec<Staged<'_>>> = Vec::new();
    let (mut bytes, mut volume) = (0, None);
    for staged in group {
        // Whole blocks, the largest that are common.
        let takes = staged.size.next_multiple_of(1 << 16);
        let its_volume = Some(staged.job.folder.volume.facts.id);
        match parts.last_mut() {
            Some(part) if bytes + takes <= DeviceReads::MOST_BYTES && volume == its_volume => {
                bytes += takes;
                part.push(staged);
            }
            _ => {
                (bytes, volume) = (takes, its_volume);
                parts.push(vec![staged]);
            }
        }
    }
    parts
}

fn unless_stopped<'a>(
    context: &Context<'_>,
    staged: Staged<'a>,
    ended: &mut Vec<Ended<'a>>,
) -> Option<Staged<'a>> {
    if !context.should_stop() {
        return Some(staged);
    }
    ended.push(Err((discard_prepared(context, Prepared::InBatch(staged)), Stop::Cancelled)));
    None
}
