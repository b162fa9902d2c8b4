//! Folders that go whole, by one rename: to the recycle bin, so that they come back from there as what they were and not
//! as thousands of single items; and to the undo store, so that a large folder costs no more than a small one.
//!
//! Invariant: a folder goes whole only if it holds exactly what the plan lists, at any depth, each item as it was seen, and
//! nothing that this user could not remove by itself. On its way to the undo store it is looked at once more, and comes
//! back if anything in it is not so any more; what appears in it between the look and the rename goes along into the
//! recycle bin. Whatever stands against it leaves the folder to be taken apart, where each item is judged by itself. This
//! module must not know what a recycle bin is.

use std::collections::{BTreeMap, HashSet};
use std::io;

use fcs_sys::user::User;
use fcs_sys::{DirRef, Kind, Name, RelPath};

use super::carry_out::{RemovalJob, Ways, item, not_synced, put_back, report_gone, seen, sync};
use super::held::Held;
use crate::dir_cursor::DirCursor;
use crate::history::{Record, RemovedTo};
use crate::lift::{move_lifted, needed};
use crate::names::kept_name;
use crate::plan::HeldFolder;
use crate::report::{Evidence, Outcome};
use crate::run::context::Context;
use crate::run::replaced::is_folder_as_seen;

/// Removes the folders that can go whole. Returns the removals that are left, in their order.
pub(super) fn carry_out<'a>(
    context: &Context<'_>,
    ways: &mut Ways<'a>,
    jobs: Vec<RemovalJob<'a>>,
    to: RemovedTo,
    held: &mut Held,
) -> Vec<RemovalJob<'a>> {
    let mut done = HashSet::new();
    for group in tops(&jobs).into_values() {
        // The folder itself comes last: the plan lists what is in it before.
        let Some(&top) = group.last().filter(|_| group.len() > 1) else { continue };
        let is_held = group.iter().any(|&at| held.because_of(jobs[at].folder, jobs[at].item).is_some());
        if context.should_stop() || is_held {
            continue;
        }
        let group: Vec<&RemovalJob<'a>> = group.iter().map(|&at| &jobs[at]).collect();
        let folder = Whole { top: &jobs[top], content: content(&jobs[top], &group), group };
        let Some(dir) = folder.can_go(context, ways) else { continue };
        let gone = if to == RemovedTo::RecycleBin {
            folder.recycle(context, dir)
        } else {
            folder.keep(context, dir)
        };
        if gone {
            done.extend(folder.group.iter().map(|job| job.number));
        }
    }
    jobs.into_iter().filter(|job| !done.contains(&job.number)).collect()
}

/// A folder with all removals in it and its own.
struct Whole<'a, 'j> {
    top: &'j RemovalJob<'a>,
    group: Vec<&'j RemovalJob<'a>>,
    /// What it holds at any depth, as the plan saw it.
    content: Vec<HeldFolder>,
}

impl<'a> Whole<'a, '_> {
    /// The folder that holds it, if all is as it was seen and nothing else is there.
    fn can_go(&self, context: &Context<'_>, ways: &mut Ways<'a>) -> Option<DirRef> {
        let top = self.top;
        // What nobody may change could not be deleted later either.
        if self.group.iter().any(|job| job.item.protection.or(job.folder.protection).is_some()) {
            return None;
        }
        // Only the folder above is changed, so no other need be made so that it can be.
        let (dir, ..) = seen(context, ways, top).ok()?;
        let can_go = self.can_be_emptied(&dir).ok()? && self.is_as_seen(context, &dir, &top.item.name);
        (can_go && ways.source.lacks(top.folder, &top.item.name).ok()?).then_some(dir)
    }

    /// Whether this user could take everything out of the folder. A rename asks for the folder alone; but what is in one
    /// of somebody else's in it could not be deleted from the undo store later, and the preview says that it stays.
    fn can_be_emptied(&self, dir: &DirRef) -> io::Result<bool> {
        let user = User::now();
        if user.is_administrator() {
            return Ok(true);
        }
        let mut way = DirCursor::new(&dir.open_dir(&self.top.item.name)?);
        for folder in self.content.iter().filter(|folder| !folder.items.is_empty()) {
            let here = way.open(&folder.path)?;
            let now = here.metadata()?;
            // In a sticky one of somebody else's each item has to be asked for.
            let is_shared = now.attributes.0 & 0o1000 != 0 && !user.owns(now.owner);
            if is_shared || !here.may_change()? && needed(&now).is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_as_seen(&self, context: &Context<'_>, dir: &DirRef, name: &Name) -> bool {
        let Ok(volume) = context.volume_of(dir) else { return false };
        let id = self.top.item.expect.id;
        self.content
            .iter()
            .all(|folder| is_folder_as_seen(context, &volume, (dir, name), folder, id).unwrap_or(false))
    }

    /// Whether it is done, in whatever way; if not, each item is to be tried by itself, which says why.
    fn recycle(&self, context: &Context<'_>, dir: DirRef) -> bool {
        let intents = self.group.iter().map(|job| Record::Intent { step: job.number, new: None, hash: None });
        if !context.promise(intents) {
            return false;
        }
        let folder = context.target_path(&self.top.folder.path);
        if dir.recycle(&folder, &self.top.item.name).is_err() {
            return false;
        }
        let synced = sync(context, &[(self.top, dir)]);
        self.group.iter().for_each(|job| report_gone(context, job, &synced));
        true
    }

    /// As [`Whole::recycle`], into the undo store.
    fn keep(&self, context: &Context<'_>, dir: DirRef) -> bool {
        let (top, name) = (self.top, &self.top.item.name);
        let (Some(log), Ok(stored)) = (context.log(), kept_name(top.number)) else { return false };
        let below = self.group.iter().map(|job| job.number).filter(|&number| number != top.number).collect();
        let whole = Record::Whole { step: top.number, below };
        if !context.promise([whole, Record::Intent { step: top.number, new: None, hash: None }]) {
            return false;
        }
        let lift = |was| log.promise([Record::LiftedItem { step: top.number, was }]);
        let moved = move_lifted(&dir, name, log.kept(), &stored, lift);
        if moved.is_err() || !self.is_as_seen(context, log.kept(), &stored) {
            // Written down before anything of it goes by itself, since that is only done after a promise. Where it cannot be
            // put back it stays in the store, whole, and recovery says so.
            let is_there = moved.is_err() || put_back(context, &dir, top) == crate::TargetState::Original;
            if is_there {
                context.note(&Record::Apart { step: top.number });
            }
            return false;
        }
        let gone = [(top, dir)];
        match sync(context, &gone) {
            Ok(()) => {
                context.committed(top.number, None);
                context.committed_along(self.group.len() as u64 - 1);
                let done = || Outcome::Done { evidence: Evidence::NoContent };
                self.group.iter().for_each(|job| context.emit(item(job, done())));
            }
            Err(e) => {
                let state = put_back(context, &gone[0].1, top);
                self.group
                    .iter()
                    .for_each(|job| context.emit(item(job, not_synced(context, job, &e, state))));
            }
        }
        true
    }
}

/// What a folder holds at any depth, as the removals in it say.
fn content(top: &RemovalJob<'_>, group: &[&RemovalJob<'_>]) -> Vec<HeldFolder> {
    let root = top.folder.path.join(&top.item.name);
    let depth = root.names().count();
    let below =
        |path: &RelPath| path.names().skip(depth).fold(RelPath::root(), |path, name| path.join(&name));
    let mut folders: BTreeMap<RelPath, Vec<_>> = BTreeMap::new();
    for job in group {
        if job.item.expect.kind == Kind::Folder {
            folders.entry(below(&job.folder.path.join(&job.item.name))).or_default();
        }
        if job.number != top.number {
            let items = folders.entry(below(&job.folder.path)).or_default();
            items.push((job.item.name.clone(), job.item.expect));
        }
    }
    folders.into_iter().map(|(path, items)| HeldFolder { path, items }).collect()
}

/// The places of the removals that are in one folder that goes, and of its own, by that folder's path. A folder that
/// is in another one that goes is not by itself.
fn tops(jobs: &[RemovalJob<'_>]) -> BTreeMap<RelPath, Vec<usize>> {
    let path = |job: &RemovalJob<'_>| job.folder.path.join(&job.item.name);
    let folders = jobs.iter().filter(|job| job.item.expect.kind == Kind::Folder);
    let going: HashSet<RelPath> = folders.map(path).collect();
    let mut tops: BTreeMap<RelPath, Vec<usize>> = BTreeMap::new();
    for (at, job) in jobs.iter().enumerate() {
        let mut here = Some(path(job));
        let mut top = None;
        while let Some(folder) = here {
            here = folder.split().map(|(above, _)| above);
            if going.contains(&folder) {
                top = Some(folder);
            }
        }
        if let Some(top) = top {
            tops.entry(top).or_default().push(at);
        }
    }
    tops
}
