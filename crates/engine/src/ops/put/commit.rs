//! How a verified item gets its name: exchanged with what was there, or renamed to a free name; and back, where that cannot
//! be made durable.
//!
//! Invariant: only what is [`Verified`] gets here, and only `run/staged.rs` makes that.

use fcs_sys::{DirRef, Fingerprint, Metadata, Name, OsReason, Rename, reason};

use crate::history::{FileStamp, move_to};
use crate::names::aside_name;
use crate::plan::Action;
use crate::report::{Evidence, ItemReport, NotKept, Outcome};
use crate::run::context::{Context, CopyJob};
use crate::run::replaced::is_as_seen;
use crate::run::staged::{Staged, Verified, discard_name};
use crate::{Error, ErrorKind, Op, TargetState};

/// A file in place under its final name; durable once its folder has been synced.
#[must_use]
pub(crate) struct Committed<'a> {
    job: CopyJob<'a>,
    /// Where the replaced original waits.
    displaced: Option<Name>,
    /// The file that was put in place.
    print: Fingerprint,
    seen: FileStamp,
    evidence: Evidence,
    not_kept: Vec<NotKept>,
    size: u64,
}

impl<'a> Verified<'a> {
    /// Brings the file to its final name. On failure the target is as it was and the staged file is removed; where
    /// even that failed, the error says so.
    pub(crate) fn commit(self, context: &Context<'_>) -> Result<Committed<'a>, (CopyJob<'a>, Error)> {
        let (staged, evidence) = self.into_parts();
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
}

/// What the journal says of a file in its place: the rename moved its change time. Asked at once, and only taken where
/// nothing else has moved: rolling the run back goes by it, and must see whatever another program writes from here on.
fn seen_in_place(staged: &Staged<'_>) -> FileStamp {
    let now = staged.job.folder.target.stat(&staged.job.step.target_name).map(|now| FileStamp::of(&now));
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
        Ok(now) if staged.is_same(&now) && now.size == staged.print.size => {}
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
    // seen, or it is swapped back.
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
    pub(crate) fn job(&self) -> &CopyJob<'a> {
        &self.job
    }

    /// Called once the new name is durable: moves the replaced original into the undo store and makes the item of
    /// the report. If the original was written to since the swap, through a handle that was open before it, it comes
    /// back instead.
    pub(crate) fn settle(self, context: &Context<'_>) -> ItemReport {
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
    pub(crate) fn revert(self, context: &Context<'_>, error: Error) -> Error {
        let state = self.swap_back(context);
        error.with_target(state)
    }

    /// Takes the new file away from its name and puts the original, if there was one, back. Only while the name still
    /// holds our file: what another program put there since is not touched, and then nothing is. Where that leaves
    /// something of ours beside the name, the end of the run recovers it.
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
                numbers.same_item(&now, &self.print)
                    || numbers.is_after_rename(&FileStamp::of(&now), &self.seen)
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
                let spare = context.listed_name(self.job.number).ok()?;
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
