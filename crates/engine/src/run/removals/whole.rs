//! Folders that go to the recycle bin whole: by one rename, so that they come back from there as what they were, and not
//! as thousands of single items.
//!
//! Invariant: a folder goes whole only if it holds exactly what the plan lists, each item as it was seen. What appears
//! in it between that look and the rename goes along, into the bin. Whatever stands against it leaves the folder to be
//! taken apart, where each item is judged by itself. This module must not know what a recycle bin is.

use std::collections::{BTreeMap, HashSet};

use fcs_sys::{DirRef, Kind, RelPath};

use super::{Held, Job, Ways, report_gone, seen, sync};
use crate::plan::RemovalFolder;
use crate::run::context::Context;
use crate::run::replaced::holds_only;
use crate::runs::Record;

/// Recycles the folders that can go whole. Returns the removals that are left, in their order.
pub(super) fn recycle<'a>(
    context: &Context<'_>,
    ways: &mut Ways<'a>,
    jobs: Vec<Job<'a>>,
    held: &mut Held,
) -> Vec<Job<'a>> {
    let mut done = HashSet::new();
    for group in tops(&jobs).into_values() {
        // The folder itself comes last: the plan lists what is in it before.
        let Some(&top) = group.last().filter(|_| group.len() > 1) else { continue };
        let is_held = group.iter().any(|&at| held.because_of(jobs[at].folder, jobs[at].item).is_some());
        if context.should_stop() || is_held {
            continue;
        }
        let group: Vec<&Job<'a>> = group.iter().map(|&at| &jobs[at]).collect();
        let Some(dir) = can_go(context, ways, &jobs[top], &group) else { continue };
        let intents = group.iter().map(|job| Record::Intent { step: job.number, new: None, hash: None });
        if !context.promise(intents) {
            break;
        }
        if dir.recycle(&context.target_path(&jobs[top].folder.path), &jobs[top].item.name).is_err() {
            // Piece by piece it will fail too, and say why.
            continue;
        }
        let synced = sync(context, &[(&jobs[top], dir)]);
        for job in group {
            done.insert(job.number);
            report_gone(context, job, &synced);
        }
    }
    jobs.into_iter().filter(|job| !done.contains(&job.number)).collect()
}

/// The places of the removals that lie in one folder that goes, and of its own, by that folder's path. A folder that
/// lies in another one that goes is not by itself.
fn tops(jobs: &[Job<'_>]) -> BTreeMap<RelPath, Vec<usize>> {
    let path = |job: &Job<'_>| job.folder.path.join(&job.item.name);
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

/// The folder that holds `top`, if all is as it was seen and nothing else is there.
fn can_go<'a>(
    context: &Context<'_>,
    ways: &mut Ways<'a>,
    top: &Job<'a>,
    group: &[&Job<'a>],
) -> Option<DirRef> {
    let mut last: Option<&RemovalFolder> = None;
    for job in group {
        seen(context, ways, job).ok()?;
        let is_new = last.is_none_or(|last| !std::ptr::eq(last, job.folder));
        if is_new && job.number != top.number {
            let names = job.folder.items.iter().map(|item| &item.name);
            if !holds_only(&ways.target.open(&job.folder.path).ok()?, names).ok()? {
                return None;
            }
        }
        last = Some(job.folder);
    }
    let (dir, ..) = seen(context, ways, top).ok()?;
    ways.source.lacks(top.folder, &top.item.name).ok()?.then_some(dir)
}
