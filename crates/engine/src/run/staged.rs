//! One file or link on its way to the target: staged → verified → committed → settled.
//!
//! Each state is a type of its own that the next one consumes. Only [`Verified`] can be committed, and only this
//! module can make one, so "only verified files appear at the target" is not a rule to remember but one that the
//! compiler keeps. Nothing happens in `Drop`: every end is explicit, because every end can fail and matters.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fcs_sys::{DirRef, FileRef, Fingerprint, Metadata, Name, OsReason, Rename, reason};

use super::context::{Context, Job};
use super::fill::{Stop, mark};
use super::replaced::is_as_seen;
use super::streams::Carried;
use super::verify::{self, Reader};
use crate::plan::Action;
use crate::progress::CurrentFile;
use crate::report::{Digest, Evidence, ItemReport, NotKept, Outcome};
use crate::runs::{Record, Seen, aside_name, move_to};
use crate::{Error, ErrorKind, Op, TargetState};

/// What the copy is compared with when it is read back.
pub(super) enum Expected {
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
pub(super) struct Staged<'a> {
    pub(super) job: Job<'a>,
    pub(super) name: Name,
    /// `None` for a link.
    pub(super) file: Option<FileRef>,
    /// What it looks like when it is complete.
    pub(super) print: Fingerprint,
    /// What the journal says of it.
    pub(super) seen: Seen,
    /// BLAKE3 of its content (of a link's text), where it was computed on the way.
    pub(super) hash: Option<Digest>,
    pub(super) size: u64,
    pub(super) expected: Expected,
    /// Named streams beside the content, with what is expected of them.
    pub(super) streams: Vec<Carried>,
    pub(super) not_kept: Vec<NotKept>,
    /// Shown to the user while a large file is in work.
    pub(super) current: Option<Arc<CurrentFile>>,
    /// Set by [`Staged::start_reread`].
    pub(super) reader: Option<Reader>,
}

/// A staged file whose content on the target is known to be as good as the user asked for.
#[must_use]
pub(super) struct Verified<'a> {
    staged: Staged<'a>,
    evidence: Evidence,
}

/// A file in place under its final name; durable once its folder has been synced.
#[must_use]
pub(super) struct Committed<'a> {
    job: Job<'a>,
    /// Where the replaced original waits.
    displaced: Option<Name>,
    /// The file that was put in place.
    print: Fingerprint,
    seen: Seen,
    evidence: Evidence,
    not_kept: Vec<NotKept>,
    size: u64,
}

impl<'a> Staged<'a> {
    /// Whether `now`, met under the staged name, is this file.
    pub(super) fn is_same(&self, now: &Metadata) -> bool {
        self.job.folder.volume.numbers.same_item(now, &self.print)
    }

    /// Where the re-read of a large file counts its bytes.
    pub(super) fn verified_counter(&self) -> Option<&AtomicU64> {
        self.current.as_ref().map(|current| &current.verified)
    }

    /// Empties the cache of the copy and lets the device begin to read it back. The content must have been synced.
    /// Called for several files before the first is verified, it keeps the device busy; an error shows in
    /// [`Staged::verify`].
    pub(super) fn start_reread(&mut self, context: &Context<'_>) {
        if matches!(self.expected, Expected::Hash(_))
            && let Ok(reader) = verify::reach_device(context, self)
        {
            reader.prefetch(self.size);
            self.reader = Some(reader);
        }
    }

    /// Reads the copy back and compares. The content must have been synced before. On failure the staged file is
    /// removed.
    pub(super) fn verify(mut self, context: &Context<'_>) -> Result<Verified<'a>, (Job<'a>, Stop)> {
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
                reader(&self, begun).and_then(|reader| verify::by_hash(context, &self, reader, *hash))
            }
            Expected::Source(source, fingerprint) => reader(&self, begun)
                .and_then(|reader| verify::by_comparison(context, &self, reader, &**source, fingerprint))
                .map(|(evidence, grew)| {
                    lacks = grew;
                    evidence
                }),
        };
        let evidence = evidence.and_then(|evidence| {
            if !matches!(evidence, Evidence::NotRequested) {
                verify::streams(context, &self)?;
            }
            Ok(evidence)
        });
        match evidence {
            Ok(evidence) => {
                mark(&mut self.not_kept, lacks);
                Ok(Verified { staged: self, evidence })
            }
            Err(stop) => {
                let job = self.job.clone();
                self.discard(context);
                Err((job, stop))
            }
        }
    }

    /// Removes the staged file. One that cannot be removed is reported, never left unmentioned.
    pub(super) fn discard(self, context: &Context<'_>) {
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
pub(super) fn discard_name(context: &Context<'_>, job: &Job<'_>, name: &Name) {
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
    /// Brings the file to its final name. On failure the target is as it was and the staged file is removed; where
    /// even that failed, the error says so.
    pub(super) fn commit(self, context: &Context<'_>) -> Result<Committed<'a>, (Job<'a>, Error)> {
        let Self { staged, evidence } = self;
        let placed = place(context, &staged);
        #[cfg(fcs_planted)]
        if crate::planted::is(crate::planted::Fault::SyncAfterRename)
            && let Some(file) = &staged.file
        {
            let _ = file.sync();
        }
        match placed {
            Ok(displaced) => Ok(Committed {
                displaced,
                print: staged.print,
                seen: seen_in_place(&staged),
                evidence,
                not_kept: staged.not_kept,
                size: staged.size,
                job: staged.job,
            }),
            Err(error) => {
                let job = staged.job.clone();
                // With the target in an unknown state the staged name may hold the original; and where a program
                // replaced the target twice, once before each swap, what came out last is its work.
                let held = staged.job.folder.target.stat(&staged.name);
                let is_foreign = held.is_ok_and(|now| !staged.is_same(&now));
                if is_foreign || error.target == Some(TargetState::Unknown) {
                    context.set_untidy();
                } else {
                    staged.discard(context);
                }
                Err((job, error))
            }
        }
    }

    /// The job it belongs to.
    pub(super) fn job(&self) -> &Job<'a> {
        &self.staged.job
    }

    /// What the journal must say before [`Verified::commit`].
    pub(super) fn intent(&self) -> Record {
        let hash = self.staged.hash.or_else(|| self.evidence.hash()).map(|hash| hash.0);
        Record::Intent { step: self.staged.job.number, new: Some(self.staged.seen), hash }
    }

    /// Content bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.staged.size
    }

    /// Gives up, because the run was cancelled.
    pub(super) fn discard(self, context: &Context<'_>) -> Job<'a> {
        let job = self.staged.job.clone();
        self.staged.discard(context);
        job
    }
}

/// What the journal says of a file in its place: the rename moved its change time. Asked at once, and only taken where
/// nothing else has moved: taking the run back goes by it, and must see whatever another program writes from here on.
fn seen_in_place(staged: &Staged<'_>) -> Seen {
    let now = staged.job.folder.target.stat(&staged.job.step.target_name).map(|now| Seen::of(&now));
    let numbers = staged.job.folder.volume.numbers;
    now.ok().filter(|now| numbers.is_after_rename(now, &staged.seen)).unwrap_or(staged.seen)
}

/// The swap itself. Returns the name under which the replaced original waits.
fn place(context: &Context<'_>, staged: &Staged<'_>) -> Result<Option<Name>, Error> {
    let (dir, step, volume) = (&staged.job.folder.target, staged.job.step, &staged.job.folder.volume);
    let path = context.target_path(&staged.job.folder.plan.target_path.join(&step.target_name));
    let op = if step.expect_target.is_some() { Op::Replace } else { Op::Create };
    let os = |e| Error::os(op, path.clone(), e);
    let stale = || Error::new(op, path.clone(), ErrorKind::TargetStale);

    // The name must still hold the file that was verified.
    match dir.stat(&staged.name) {
        Ok(now) if staged.is_same(&now) => {}
        Ok(_) => return Err(Error::new(op, path.clone(), ErrorKind::StagedLost)),
        Err(e) if reason(&e) == OsReason::NotFound => {
            return Err(Error::new(op, path.clone(), ErrorKind::StagedLost));
        }
        Err(e) => return Err(os(e)),
    }
    let Some(expected) = &step.expect_target else {
        return match place_new(staged) {
            Ok(()) => Ok(None),
            Err(e) if reason(&e) == OsReason::AlreadyExists => Err(stale()),
            Err(e) => Err(os(e)),
        };
    };
    match dir.stat(&step.target_name) {
        Ok(now) if context.target_unchanged(volume.numbers, &now, expected) => context.will_move(&now),
        Ok(_) => return Err(stale()),
        Err(e) if reason(&e) == OsReason::NotFound => return Err(stale()),
        Err(e) => return Err(os(e)),
    }
    if !is_as_seen(context, volume, dir, &step.target_name, step) {
        return Err(stale());
    }
    #[cfg(fcs_planted)]
    if crate::planted::is(crate::planted::Fault::InPlaceWrite)
        && let Some(new) = &staged.file
    {
        return write_over(dir, &**new, staged).map(|()| None).map_err(os);
    }
    if volume.probe.numbers.exchange == Some(false) {
        return replace_without_exchange(context, staged, expected);
    }
    match dir.rename(&staged.name, &**dir, &step.target_name, Rename::Exchange) {
        Ok(()) => {}
        Err(e) if reason(&e) == OsReason::Unsupported => {
            return replace_without_exchange(context, staged, expected);
        }
        Err(e) => return Err(os(e)),
    }
    // Between the look and the swap another program may have replaced the target: what came out must be what was
    // seen, or it goes back.
    let same = |out: Metadata| volume.numbers.same_after_rename(&out.fingerprint(), expected);
    if dir.stat(&staged.name).is_ok_and(same) && is_as_seen(context, volume, dir, &staged.name, step) {
        return Ok(Some(staged.name.clone()));
    }
    match dir.rename(&staged.name, &**dir, &step.target_name, Rename::Exchange) {
        Ok(()) => Err(stale()),
        Err(e) => Err(os(e).with_target(TargetState::Unknown)),
    }
}

/// Writes the new content over the original.
#[cfg(fcs_planted)]
fn write_over(dir: &DirRef, new: &dyn fcs_sys::File, staged: &Staged<'_>) -> std::io::Result<()> {
    let mut bytes = vec![0; staged.size as usize];
    let n = new.read_at(&mut bytes, 0)?;
    let old = dir.open_file(&staged.job.step.target_name, fcs_sys::Access::ReadWrite)?;
    fcs_sys::write_all_at(&*old, &bytes[..n], 0)?;
    dir.remove_file(&staged.name)
}

/// Brings a staged file to a free name, never over something that appeared there.
fn place_new(staged: &Staged<'_>) -> std::io::Result<()> {
    let (dir, to) = (&staged.job.folder.target, &staged.job.step.target_name);
    let known = &staged.job.folder.volume.probe.numbers;
    if known.no_replace != Some(false) {
        match dir.rename(&staged.name, &**dir, to, Rename::NoReplace) {
            Err(e) if reason(&e) == OsReason::Unsupported => {}
            other => return other,
        }
    }
    // A second name fails if the name is taken, just as atomically; then the first one goes.
    if known.may_link() {
        match dir.hard_link(&staged.name, &**dir, to) {
            Ok(()) => {
                // The file is in place; a staged name that stays behind is found by its prefix.
                let _ = dir.remove_file(&staged.name);
                return Ok(());
            }
            Err(e) if reason(&e) == OsReason::AlreadyExists => return Err(e),
            // Whatever a volume says that cannot link: what is truly wrong shows in the rename.
            Err(_) => {}
        }
    }
    // Neither (FAT, some network shares): look, then rename. Another program that makes the same name in between
    // loses it; PROMISES.md says so.
    match dir.stat(to) {
        Ok(_) => Err(std::io::ErrorKind::AlreadyExists.into()),
        Err(e) if reason(&e) == OsReason::NotFound => dir.rename(&staged.name, &**dir, to, Rename::Replace),
        Err(e) => Err(e),
    }
}

/// Replaces where two names cannot be exchanged: the original gets a second name (or is renamed aside), then the
/// staged file takes the first. Renamed aside it leaves its name empty for a moment; recovery closes that gap.
fn replace_without_exchange(
    context: &Context<'_>,
    staged: &Staged<'_>,
    expected: &Fingerprint,
) -> Result<Option<Name>, Error> {
    let (dir, step, volume) = (&staged.job.folder.target, staged.job.step, &staged.job.folder.volume);
    let path = context.target_path(&staged.job.folder.plan.target_path.join(&step.target_name));
    let os = |e| Error::os(Op::Replace, path.clone(), e);
    let Ok(aside) = aside_name(&context.run_id, staged.job.number) else {
        return Err(Error::new(Op::Replace, path.clone(), ErrorKind::StagedLost));
    };
    let linked = volume.probe.numbers.may_link()
        && link_aside(dir, &step.target_name, &aside)
            .map_err(|e| os(e).with_target(TargetState::Original))?;
    if !linked {
        dir.rename(&step.target_name, &**dir, &aside, Rename::Replace).map_err(os)?;
    }
    let put_back = |error: Error| {
        let undone =
            if linked { dir.remove_file(&aside) } else { move_to(dir, &aside, dir, &step.target_name) };
        match undone {
            Ok(()) => error,
            Err(_) => error.with_target(TargetState::Unknown),
        }
    };
    match dir.stat(&aside) {
        Ok(out)
            if volume.numbers.same_after_rename(&out.fingerprint(), expected)
                && is_as_seen(context, volume, dir, &aside, step) => {}
        _ => {
            return Err(put_back(Error::new(Op::Replace, path.clone(), ErrorKind::TargetStale)));
        }
    }
    match dir.rename(&staged.name, &**dir, &step.target_name, Rename::Replace) {
        Ok(()) => Ok(Some(aside)),
        Err(e) => Err(put_back(os(e))),
    }
}

/// Gives the original a second name. `false` where that cannot be done, or where the second name looks like another
/// file (sshfs counts names, not files): then it is removed again. An error where it could not be removed.
fn link_aside(dir: &DirRef, original: &Name, aside: &Name) -> std::io::Result<bool> {
    // Whatever a volume says that cannot link: what is truly wrong shows in the rename.
    let Ok(()) = dir.hard_link(original, &**dir, aside) else { return Ok(false) };
    let number = |name: &Name| dir.stat(name).ok().map(|now| now.id);
    if number(aside).is_some_and(|id| Some(id) == number(original)) {
        return Ok(true);
    }
    dir.remove_file(aside).map(|()| false)
}

impl<'a> Committed<'a> {
    /// The job it belongs to.
    pub(super) fn job(&self) -> &Job<'a> {
        &self.job
    }

    /// Called once the new name is durable: moves the replaced original into the undo store and makes the item of
    /// the report. If the original was written to since the swap, through a handle that was open before it, it comes
    /// back instead.
    pub(super) fn settle(self, context: &Context<'_>) -> ItemReport {
        let (plan, step, volume) = (self.job.folder.plan, self.job.step, &self.job.folder.volume);
        let path = || context.target_path(&plan.target_path.join(&step.target_name));
        let mut displaced = None;
        if let (Some(name), Some(expected)) = (&self.displaced, &step.expect_target) {
            match self.job.folder.target.stat(name) {
                Ok(now)
                    if volume.numbers.same_after_rename(&now.fingerprint(), expected)
                        && is_as_seen(context, volume, &self.job.folder.target, name, step) =>
                {
                    displaced = Some(name);
                }
                // Somebody removed it; that is not ours to mend.
                Err(e) if reason(&e) == OsReason::NotFound => {}
                _ => {
                    let state = self.swap_back(context);
                    let error = Error::new(Op::Replace, path(), ErrorKind::TargetStale).with_target(state);
                    return ItemReport { outcome: Outcome::Failed { error }, ..Context::item(plan, step) };
                }
            }
        }
        context.committed(self.job.number, Some(self.seen));
        if let Some(name) = displaced
            && let Err(e) = context.keep(&self.job.folder.target, name, self.job.number)
        {
            context.set_untidy();
            context.complain(&Error::os(Op::CleanUp, path(), e));
        }
        self.job.owed.settle(&context.control.progress);
        let bytes = if matches!(step.action, Action::CopyFile { .. }) { self.size } else { 0 };
        ItemReport {
            bytes,
            outcome: Outcome::Done { evidence: self.evidence },
            not_kept: self.not_kept,
            ..Context::item(plan, step)
        }
    }

    /// Called when the new name could not be made durable: the old state is restored as far as the system lets us.
    pub(super) fn revert(self, context: &Context<'_>, error: Error) -> Error {
        let state = self.swap_back(context);
        error.with_target(state)
    }

    /// Takes the new file away from its name and puts the original, if there was one, back. Only while the name still
    /// holds our file: what another program put there since is not touched, and then nothing is. Where that leaves
    /// something of ours beside the name, the end of the run puts it in order.
    fn swap_back(&self, context: &Context<'_>) -> TargetState {
        self.try_swap_back(context).unwrap_or_else(|| {
            context.set_untidy();
            TargetState::Unknown
        })
    }

    fn try_swap_back(&self, context: &Context<'_>) -> Option<TargetState> {
        let (dir, name) = (&self.job.folder.target, &self.job.step.target_name);
        let numbers = self.job.folder.volume.numbers;
        let is_ours = |name: &Name| {
            dir.stat(name).is_ok_and(|now| {
                numbers.same_item(&now, &self.print) || numbers.is_after_rename(&Seen::of(&now), &self.seen)
            })
        };
        if !is_ours(name) {
            return None;
        }
        let swapped = match &self.displaced {
            Some(displaced) => dir.rename(displaced, &**dir, name, Rename::Exchange),
            None => Err(std::io::ErrorKind::Unsupported.into()),
        };
        match (swapped, &self.displaced) {
            (Ok(()), Some(displaced)) => {
                if !is_ours(displaced) {
                    // Replaced by another program between the look and the swap.
                    dir.rename(displaced, &**dir, name, Rename::Exchange).ok()?;
                    return None;
                }
                discard_name(context, &self.job, displaced);
                Some(TargetState::Original)
            }
            (Err(e), displaced) if reason(&e) == OsReason::Unsupported => {
                let spare = context.staged_name(self.job.number).ok()?;
                move_to(dir, name, dir, &spare).ok()?;
                if !is_ours(&spare) {
                    move_to(dir, &spare, dir, name).ok()?;
                    return None;
                }
                if let Some(displaced) = displaced {
                    move_to(dir, displaced, dir, name).ok()?;
                }
                discard_name(context, &self.job, &spare);
                Some(if displaced.is_some() { TargetState::Original } else { TargetState::Absent })
            }
            _ => None,
        }
    }
}
