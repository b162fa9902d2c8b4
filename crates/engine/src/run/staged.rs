//! One file or link on its way to the target: staged → verified → committed → settled.
//!
//! Each state is a type of its own that the next one consumes. Only [`Verified`] can be committed, and only this
//! module can make one, so "only verified files appear at the target" is not a rule to remember but one that the
//! compiler keeps. Nothing happens in `Drop`: every end is explicit, because every end can fail and matters.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fcs_sys::{FileRef, Fingerprint, Metadata, Name, OsReason, reason};

use super::context::{Context, CopyJob};
use super::fill::{Stop, mark};
use super::streams::Carried;
use super::verify::{self, Reader};
use crate::history::{FileStamp, Record, move_to};
use crate::progress::CurrentFile;
use crate::report::{Digest, Evidence, NotKept};
use crate::{Error, Op};

/// What the copy is compared with when it is read back.
pub(crate) enum Expected {
    /// The hash of what was read from the source.
    Hash(Digest),
    /// The source itself, still open, and what it looked like.
    Source(FileRef, Fingerprint),
    /// Nothing: the user wants no verification.
    Nothing,
    /// The blocks themselves are shared with the source.
    SharedBlocks,
    /// A link: its text was compared when it was made.
    Link,
}

/// A filled staged file (or link) with its final metadata, not yet proven.
#[must_use]
pub(crate) struct Staged<'a> {
    pub(crate) job: CopyJob<'a>,
    pub(crate) name: Name,
    /// `None` for a link.
    pub(crate) file: Option<FileRef>,
    /// What it looks like when it is complete.
    pub(crate) print: Fingerprint,
    /// What the journal says of it.
    pub(crate) seen: FileStamp,
    /// BLAKE3 of its content (of a link's text), where it was computed on the way.
    pub(crate) hash: Option<Digest>,
    pub(crate) size: u64,
    pub(crate) expected: Expected,
    /// Named streams beside the content, with what is expected of them.
    pub(crate) streams: Vec<Carried>,
    pub(crate) not_kept: Vec<NotKept>,
    /// Shown to the user while a large file is in work.
    pub(crate) current: Option<Arc<CurrentFile>>,
    /// Set by [`Staged::reach_device`].
    pub(super) reader: Option<Reader>,
}

/// A [`Staged`] without the job that it belongs to, whose plan need not stay where it is meanwhile.
#[must_use]
pub(super) struct Detached {
    name: Name,
    file: Option<FileRef>,
    print: Fingerprint,
    seen: FileStamp,
    hash: Option<Digest>,
    size: u64,
    expected: Expected,
    streams: Vec<Carried>,
    not_kept: Vec<NotKept>,
}

impl Detached {
    /// Content bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The staged file of this job again.
    pub(super) fn attach(self, job: CopyJob<'_>) -> Staged<'_> {
        let Self { name, file, print, seen, hash, size, expected, streams, not_kept } = self;
        let (current, reader) = (None, None);
        Staged { job, name, file, print, seen, hash, size, expected, streams, not_kept, current, reader }
    }
}

/// A staged file whose content on the target is known to be as good as the user asked for.
#[must_use]
pub(crate) struct Verified<'a> {
    staged: Staged<'a>,
    evidence: Evidence,
}

impl<'a> Staged<'a> {
    /// Takes the file from its job, to which [`Detached::attach`] gives it back.
    pub(super) fn detach(self) -> Detached {
        let Self { name, file, print, seen, hash, size, expected, streams, not_kept, .. } = self;
        Detached { name, file, print, seen, hash, size, expected, streams, not_kept }
    }

    /// Whether `now`, met under the staged name, is this file.
    pub(crate) fn is_same(&self, now: &Metadata) -> bool {
        self.job.folder.volume.numbers.same_item(now, &self.print)
    }

    /// Where the re-read of a large file counts its bytes.
    pub(crate) fn verified_counter(&self) -> Option<&AtomicU64> {
        self.current.as_ref().map(|current| &current.verified)
    }

    /// Empties the cache of the copy, whose content must have been synced, or finds out why that proves nothing. An error
    /// shows in [`Staged::verify`].
    pub(super) fn reach_device(&mut self, context: &Context<'_>) {
        if self.reader.is_none() && matches!(self.expected, Expected::Hash(_)) {
            self.reader = verify::reach_device(context, self).ok();
        }
    }

    /// As [`Staged::reach_device`], and lets the device begin to read it back. Called for several files before the first
    /// is verified, it keeps the device busy.
    pub(super) fn start_reread(&mut self, context: &Context<'_>) {
        self.reach_device(context);
        if let Some(reader) = &self.reader {
            reader.prefetch(self.size);
        }
    }

    /// Reads the copy back and compares. The content must have been synced before. On failure the staged file is
    /// removed.
    pub(super) fn verify(
        mut self,
        context: &Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Verified<'a>, (CopyJob<'a>, Stop)> {
        let begun = self.reader.take();
        let reader = |staged: &Self, begun: Option<Reader>| match begun {
            Some(reader) => Ok(reader),
            None => verify::reach_device(context, staged).map_err(Stop::from),
        };
        let mut lacks = None;
        let evidence = match &self.expected {
            Expected::Nothing => Ok(Evidence::NotRequested),
            Expected::SharedBlocks => Ok(Evidence::SharedExtents),
            Expected::Link => Ok(Evidence::NoContent),
            Expected::Hash(hash) => {
                reader(&self, begun).and_then(|reader| verify::by_hash(context, &self, reader, *hash, buffer))
            }
            Expected::Source(source, fingerprint) => reader(&self, begun)
                .and_then(|reader| verify::by_comparison(context, &self, reader, &**source, fingerprint))
                .map(|(evidence, grew)| {
                    lacks = grew;
                    evidence
                }),
        };
        mark(&mut self.not_kept, lacks);
        self.conclude(context, evidence)
    }

    /// Compares what was read of the copy, all of it from the device. On failure the staged file is removed.
    pub(super) fn verify_read(
        self,
        context: &Context<'_>,
        content: &[u8],
    ) -> Result<Verified<'a>, (CopyJob<'a>, Stop)> {
        let evidence = verify::by_content(context, &self, content);
        self.conclude(context, evidence)
    }

    fn conclude(
        self,
        context: &Context<'_>,
        evidence: Result<Evidence, Stop>,
    ) -> Result<Verified<'a>, (CopyJob<'a>, Stop)> {
        let evidence = evidence.and_then(|evidence| {
            if !matches!(evidence, Evidence::NotRequested) {
                verify::streams(context, &self)?;
            }
            Ok(evidence)
        });
        match evidence {
            Ok(evidence) => Ok(Verified { staged: self, evidence }),
            Err(stop) => {
                let job = self.job.clone();
                self.discard(context);
                Err((job, stop))
            }
        }
    }

    /// Removes the staged file. One that cannot be removed is reported, never left unmentioned.
    pub(crate) fn discard(self, context: &Context<'_>) {
        drop(self.file);
        #[cfg(fcs_planted)]
        if crate::planted::is(crate::planted::Fault::WorkInDrop) {
            drop(RemovedOnDrop(&self.job.folder.target, &self.name));
            return;
        }
        discard_name(context, &self.job, &self.name);
    }
}

#[cfg(fcs_planted)]
struct RemovedOnDrop<'a>(&'a fcs_sys::DirRef, &'a Name);

#[cfg(fcs_planted)]
impl Drop for RemovedOnDrop<'_> {
    fn drop(&mut self) {
        let _ = self.0.remove_file(self.1);
    }
}

/// Removes a staged name of ours; used also before a [`Staged`] exists.
pub(crate) fn discard_name(context: &Context<'_>, job: &CopyJob<'_>, name: &Name) {
    match job.folder.target.remove_file(name) {
        Ok(()) => {}
        Err(e) if reason(&e) == OsReason::NotFound => {}
        Err(e) => {
            context.set_untidy();
            let path = context.target_path(&job.folder.plan.target_path.join(name));
            context.complain(&Error::os(Op::CleanUp, path, e));
        }
    }
}

impl<'a> Verified<'a> {
    /// What it was made of, to be committed.
    pub(crate) fn into_parts(self) -> (Staged<'a>, Evidence) {
        (self.staged, self.evidence)
    }

    /// The job it belongs to.
    pub(crate) fn job(&self) -> &CopyJob<'a> {
        &self.staged.job
    }

    /// What the journal must say before [`Verified::commit`].
    pub(crate) fn intent(&self) -> Record {
        let hash = self.staged.hash.or_else(|| self.evidence.hash()).map(|hash| hash.0);
        Record::Intent { step: self.staged.job.number, new: Some(self.staged.seen), hash }
    }

    /// Content bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.staged.size
    }

    /// Gives a copy that was staged before it was listed, and is listed now, the name under which it may be exchanged with an
    /// original. On failure the copy is removed.
    pub(super) fn take_listed_name(mut self, context: &Context<'_>) -> Result<Self, (CopyJob<'a>, Error)> {
        let job = self.staged.job.clone();
        let dir = &job.folder.target;
        let renamed = context.listed_name(job.number).and_then(|listed| {
            if listed == self.staged.name || job.step.expect_target.is_none() {
                return Ok(());
            }
            move_to(dir, &self.staged.name, dir, &listed)?;
            self.staged.name = listed;
            // The rename moved its change time, and its number too where that is the number of its place. Whatever else is
            // there is found out when it is to be exchanged.
            let now = dir.stat(&self.staged.name)?.fingerprint();
            if job.folder.volume.numbers.same_after_rename(&now, &self.staged.print) {
                self.staged.print = now;
            }
            Ok(())
        });
        match renamed {
            Ok(()) => Ok(self),
            Err(e) => {
                let path = context.target_path(&job.folder.plan.target_path.join(&self.staged.name));
                let job = self.discard(context);
                Err((job, Error::os(Op::Replace, path, e)))
            }
        }
    }

    /// Abandons the copy, because the run was cancelled.
    pub(crate) fn discard(self, context: &Context<'_>) -> CopyJob<'a> {
        let job = self.staged.job.clone();
        self.staged.discard(context);
        job
    }
}
