//! What a run that is not known whole when it begins has listed in its journal, and how what it put gets its name.
//!
//! Invariant: a ledger has one owner at a time, so the journal has one writer: the thread of the run, or the one beside it
//! that commits a group ([`super::aside`]). This module must not know when a group is full.

use std::collections::HashMap;
use std::sync::Arc;

use fcs_sys::{FileId, RelPath, Root};

use super::context::{Context, CopyJob, FolderPair, OpenPair, Suspended};
use super::folders::Entered;
use super::meter::Owed;
use super::staged::{Detached, Staged, Verified};
use super::{RunOptions, committer, ending};
use crate::history::Record;
use crate::history::record::{FolderRecord, FolderStamp, StepKind};
use crate::ops::{folder_stamp, make_folder, step_record};
use crate::plan::{FolderPlan, Plan, RootIndex, Step, Target, Totals};
use crate::report::{ItemReport, Outcome, RunResult, SkipReason};
use crate::{Control, Error, ErrorKind, Note, Op, Settings, StartError};

/// The journal of such a run, and what is listed there.
pub(super) struct Ledger {
    /// Where the run's first file came from.
    source: Root,
    target: Root,
    options: RunOptions,
    /// `None` once it cannot go on.
    suspended: Option<Suspended>,
    next_folder: u32,
    /// The folder that the journal lists last: steps that are listed now are in it.
    listed_last: Option<RelPath>,
    /// Folders that are listed, as they were listed first.
    listed: HashMap<RelPath, Arc<FolderPlan>>,
}

/// A copy that waits for its group.
pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) step: Step,
    pub(super) folder: Arc<FolderPlan>,
    pub(super) open: Arc<OpenPair>,
    pub(super) copy: Detached,
}

/// What became of a group.
#[derive(Default)]
pub(super) struct GroupDone {
    /// Each that waited, in its order.
    pub(super) items: Vec<ItemReport>,
    pub(super) notes: Vec<Note>,
    /// Why the run cannot go on.
    pub(super) stopped: Option<StartError>,
}

impl Ledger {
    pub(super) fn new(source: Root, target: Root, options: RunOptions, suspended: Suspended) -> Self {
        let (next_folder, listed_last, listed) = Default::default();
        Self { source, target, options, suspended: Some(suspended), next_folder, listed_last, listed }
    }

    /// Whether nothing may change any more, so that the run waits for recovery.
    pub(super) fn is_stopped(&self) -> bool {
        self.suspended.as_ref().is_none_or(Suspended::is_stopped)
    }

    /// So many steps failed that were staged without the journal; what they left may have to be looked for.
    pub(super) fn add_failures(&mut self, failures: u64) {
        if let Some(suspended) = self.suspended.as_mut().filter(|_| failures > 0) {
            suspended.add_failures(failures);
        }
    }

    /// Does a part of the run with a context of its own, and keeps what the next part needs.
    pub(super) fn part<T>(
        &mut self,
        source: &Root,
        folders: Vec<FolderPlan>,
        (settings, control): (&Settings, &Control),
        work: impl FnOnce(&mut Self, &Context<'_>) -> T,
    ) -> Result<(T, Vec<ItemReport>, Vec<Note>), StartError> {
        let plan = empty(folders);
        let part = plan.parts()?.into_iter().next().ok_or_else(|| had_to_stop(&self.target))?;
        let suspended = self.suspended.take().filter(|suspended| !suspended.is_stopped());
        let suspended = suspended.ok_or_else(|| had_to_stop(&self.target))?;
        let target = self.target.clone();
        let options = self.options.clone();
        let context = Context::resumed((part, source, &target), settings, control, &options, suspended);
        let done = work(self, &context);
        let (suspended, items, notes) = context.suspend();
        self.suspended = suspended;
        Ok((done, items, notes))
    }

    /// Lists a folder, durably, unless the journal has it already. Returns its number.
    pub(super) fn list(&mut self, context: &Context<'_>, folder: &FolderPlan) -> Result<u32, Error> {
        if self.listed.contains_key(&folder.target_path) && !folder.create {
            // It was listed as it was before the run; its number is asked for only where it is made or lifted.
            let record = self.folder_record(folder);
            return self.promise(context, [record], folder);
        }
        let record = Record::Folder(FolderRecord {
            path: folder.target_path.as_bytes().to_vec(),
            create: folder.create,
            before: folder.expect_target.as_ref().map(|f| folder_stamp(f, folder.created[1])),
            wanted: folder.create.then(|| folder_stamp(&folder.expect_source, folder.created[0])),
        });
        let number = self.promise(context, [record], folder)?;
        self.listed.insert(folder.target_path.clone(), Arc::new(folder.clone()));
        Ok(number)
    }

    fn promise(
        &mut self,
        context: &Context<'_>,
        records: impl IntoIterator<Item = Record>,
        folder: &FolderPlan,
    ) -> Result<u32, Error> {
        if !context.promise(records) {
            let path = context.target_path(&folder.target_path);
            return Err(Error::os(Op::KeepJournal, path, std::io::Error::other("it could not be written")));
        }
        self.listed_last = Some(folder.target_path.clone());
        self.next_folder += 1;
        Ok(self.next_folder - 1)
    }

    /// A folder that is listed already, once more, because steps in another one were listed since. It has the dates of its
    /// first time: those are what undo gives it back.
    fn folder_record(&self, folder: &FolderPlan) -> Record {
        let first = self.listed.get(&folder.target_path).map_or(folder, |first| &**first);
        let seen = first.expect_target.as_ref().or(folder.expect_target.as_ref());
        let created = first.created[1].or(folder.created[1]);
        // A folder that the run made is known by its first time; here it is one that is there.
        let before = folder_stamp(seen.unwrap_or(&folder.expect_source), created);
        // The permissions are those of now: they are what it gets back where it has to be lifted.
        let attributes = folder.expect_target.map_or(before.attributes, |now| now.attributes);
        Record::Folder(FolderRecord {
            path: folder.target_path.as_bytes().to_vec(),
            create: false,
            before: Some(FolderStamp { attributes, ..before }),
            wanted: None,
        })
    }

    /// Lists the steps of verified copies, and that they are about to get their names.
    pub(super) fn intend(
        &mut self,
        context: &Context<'_>,
        verified: &[Verified<'_>],
        all: &[CopyJob<'_>],
    ) -> bool {
        let mut records = Vec::with_capacity(all.len() + verified.len());
        for job in all {
            let folder = job.folder.plan;
            if self.listed_last.as_ref() != Some(&folder.target_path) {
                records.push(self.folder_record(folder));
                self.listed_last = Some(folder.target_path.clone());
                self.next_folder += 1;
            }
            let step = step_record(&job.step.target_name, job.step.expect_target.as_ref(), StepKind::Put);
            records.push(Record::Steps(vec![step]));
        }
        records.extend(verified.iter().map(Verified::intent));
        context.promise(records)
    }

    /// Gives a group its names. Not to be cancelled: who put the files was told that they are copied.
    pub(super) fn commit(&mut self, group: Vec<Waiting>, settings: &Settings) -> GroupDone {
        let control = &Control::default();
        let mut copies = Vec::with_capacity(group.len());
        let mut steps = Vec::with_capacity(group.len());
        for Waiting { number, step, folder, open, copy } in group {
            copies.push(copy);
            steps.push((number, step, folder, open));
        }
        let work = |this: &mut Self, context: &Context<'_>| {
            context.guarded(|| {
                let mut pairs: HashMap<*const FolderPlan, Arc<FolderPair<'_>>> = HashMap::new();
                let jobs: Vec<CopyJob<'_>> = steps
                    .iter()
                    .map(|(number, step, folder, open)| {
                        let pair = pairs
                            .entry(Arc::as_ptr(folder))
                            .or_insert_with(|| Arc::new(FolderPair::new(folder, Arc::clone(open))));
                        // What it owed was paid when it was staged.
                        let owed = Arc::new(Owed::default());
                        CopyJob { folder: Arc::clone(pair), step, number: *number, owed }
                    })
                    .collect();
                let staged: Vec<Staged<'_>> =
                    copies.into_iter().zip(&jobs).map(|(copy, job)| copy.attach(job.clone())).collect();
                let verified = committer::prove_together(context, staged);
                if this.intend(context, &verified, &jobs) {
                    committer::commit_together(context, verified);
                } else {
                    for one in verified {
                        let job = one.discard(context);
                        context.cancel_job(&job);
                    }
                }
            });
        };
        let source = self.source.clone();
        let done = self.part(&source, Vec::new(), (settings, control), work);
        let (mut items, notes, stopped) = match done {
            Ok(((), items, notes)) => (items, notes, None),
            Err(error) => (Vec::new(), Vec::new(), Some(error)),
        };
        // Each in its place, and none missing, also where the run had to stop before.
        let mut found: HashMap<RelPath, ItemReport> =
            items.drain(..).map(|item| (item.path.clone(), item)).collect();
        let each = steps.iter().map(|(_, step, folder, _)| {
            let place = folder.target_path.join(&step.target_name);
            found.remove(&place).unwrap_or_else(|| {
                if stopped.is_some() {
                    return Context::skipped(RootIndex(1), place, SkipReason::Stopped);
                }
                let path = crate::progress::full_path(&self.target.path, &place);
                failed_item(place, step, Error::new(Op::Copy, path, ErrorKind::Defect))
            })
        });
        let items = each.collect();
        GroupDone { items, notes, stopped }
    }

    /// Ends the run: gives the folders that it made what they are to have, and seals the journal. `made` are those folders, in
    /// the order in which they were made, with the roots that they were made like.
    pub(super) fn end(
        mut self,
        made: Vec<(Root, FolderPlan, FileId)>,
        (settings, control): (&Settings, &Control),
    ) -> (RunResult, Vec<ItemReport>, Vec<Note>) {
        let (mut all_items, mut all_notes) = (Vec::new(), Vec::new());
        let source = self.source.clone();
        // Before folders are given what they are to have at the end.
        let lifted = |_: &mut Self, context: &Context<'_>| context.give_back_lifted();
        match self.part(&source, Vec::new(), (settings, control), lifted) {
            Ok((true, _, notes)) => all_notes.extend(notes),
            _ => return (RunResult::Stopped, all_items, all_notes),
        }
        let mut by_root: Vec<(Root, Vec<FolderPlan>, Vec<Entered>)> = Vec::new();
        for (root, plan, id) in made {
            match by_root.last_mut().filter(|(last, ..)| last.path == root.path) {
                Some((_, plans, entered)) => {
                    plans.push(plan);
                    entered.push(Entered::Yes(id));
                }
                None => by_root.push((root, vec![plan], vec![Entered::Yes(id)])),
            }
        }
        // Deepest first, as they were made one in the other.
        for (root, plans, entered) in by_root.into_iter().rev() {
            let finish = |_: &mut Self, context: &Context<'_>| {
                context.guarded(|| {
                    // Once a folder has its metadata, nothing but the journal tells that the run made it.
                    if context.promise([]) {
                        make_folder::finish(context, &entered);
                    }
                });
            };
            match self.part(&root, plans, (settings, control), finish) {
                Ok(((), items, notes)) => {
                    all_items.extend(items);
                    all_notes.extend(notes);
                }
                Err(_) => return (RunResult::Stopped, all_items, all_notes),
            }
        }
        let plan = empty(Vec::new());
        let part = plan.parts().ok().and_then(|parts| parts.into_iter().next());
        let (Some(part), Some(suspended)) = (part, self.suspended.take()) else {
            return (RunResult::Stopped, all_items, all_notes);
        };
        let roots = (part, &source, &self.target);
        let mut contexts = [Context::resumed(roots, settings, control, &self.options, suspended)];
        let ending = ending::end(&mut contexts, &[Vec::new()]);
        let failed = contexts[0].failures() > 0;
        let [context] = contexts;
        let (_, items, notes) = context.suspend();
        all_items.extend(items);
        all_notes.extend(notes);
        let finished = if failed { RunResult::CompletedWithFailures } else { RunResult::Completed };
        (ending.result().unwrap_or(finished), all_items, all_notes)
    }
}

/// Nothing may change any more.
pub(super) fn had_to_stop(target: &Root) -> StartError {
    let why = std::io::Error::other("the run had to stop before");
    StartError::Failed(Error::os(Op::KeepJournal, target.path.clone(), why))
}

/// A plan that writes to the second of two roots what the first has.
pub(super) fn empty(folders: Vec<FolderPlan>) -> Plan {
    let target = Target { root: RootIndex(1), source: RootIndex(0), totals: Totals::default() };
    Plan { targets: vec![target], folders, ..Plan::empty() }
}

/// An item that failed before it had a context to be reported in.
pub(super) fn failed_item(path: RelPath, step: &Step, error: Error) -> ItemReport {
    ItemReport {
        root: RootIndex(1),
        path,
        action: step.kind(),
        bytes: 0,
        strategy: None,
        outcome: Outcome::Failed { error },
        not_kept: Vec::new(),
        because_of: None,
    }
}
