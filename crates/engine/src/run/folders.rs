//! The folders of a run in their order: each is opened on both sides, made if it has to be (`ops/make_folder`), and its
//! steps are handed out.

use crossbeam_channel::Sender;
use std::sync::Arc;

use fcs_sys::{DirRef, FileId, Fingerprint, RelPath};

use super::context::{Context, CopyJob, FolderPair, OpenPair};
use super::fill::is_small;
use super::metadata;
use super::meter::Owed;
use crate::dir_cursor::DirCursor;
use crate::identity::Numbers;
use crate::ops::make_folder;
use crate::plan::{Action, FolderPlan, Step};
use crate::{Error, ErrorKind, Op};

/// How far a folder got.
pub(crate) enum Entered {
    /// Opened, made if it had to be; its steps were handed out. Its identity on the target, so that another folder
    /// put in its place meanwhile does not get its permissions and times.
    Yes(FileId),
    /// It could not be; the error is reported with it, and its steps have failed.
    Failed(Box<Error>),
    /// The run was cancelled first.
    Cancelled,
}

/// Opens the folders of the plan on both sides.
pub(crate) struct Walker {
    source: DirCursor,
    target: DirCursor,
}

/// Why the walker could not open a folder, and on which side.
pub(crate) struct Closed {
    on_source: bool,
    error: std::io::Error,
}

impl Walker {
    pub(crate) fn new(context: &Context<'_>) -> Self {
        Self { source: DirCursor::new(&context.source.dir), target: DirCursor::new(&context.target.dir) }
    }

    pub(crate) fn open(&mut self, source: &RelPath, target: &RelPath) -> Result<(DirRef, DirRef), Closed> {
        let source = self.source.open(source).map_err(|error| Closed { on_source: true, error })?;
        let target = self.target.open(target).map_err(|error| Closed { on_source: false, error })?;
        Ok((source, target))
    }
}

/// Steps of one folder that a worker gets at once: each handing out wakes a thread.
const HANDED_OUT_AT_ONCE: usize = 64;
/// As many bytes as keep one worker busy no longer than those steps would if they were small.
const BYTES_AT_ONCE: u64 = 4 << 20;

fn hand_out<'a>(context: &Context<'_>, queue: &Sender<Vec<CopyJob<'a>>>, jobs: Vec<CopyJob<'a>>) {
    if !jobs.is_empty()
        && let Err(unsent) = queue.send(jobs)
    {
        unsent.0.iter().for_each(|job| context.cancel_job(job));
    }
}

/// Which steps of a plan are handed out.
#[derive(Clone, Copy)]
pub(super) enum Round<'e> {
    /// All but those that wait for moves.
    First,
    /// Those, in the folders that the first round has entered.
    AfterMoves(&'e [Entered]),
}

impl Round<'_> {
    /// Whether the steps of a folder are a matter of this round.
    fn concerns(self, index: usize) -> bool {
        match self {
            Round::First => true,
            Round::AfterMoves(entered) => matches!(entered.get(index), Some(Entered::Yes(_))),
        }
    }
}

/// Enters every folder of the plan in order and hands out its steps. Returns how far each folder got.
pub(super) fn feed<'a>(
    context: &Context<'a>,
    round: Round<'_>,
    small: &Sender<Vec<CopyJob<'a>>>,
    large: &Sender<Vec<CopyJob<'a>>>,
) -> Vec<Entered> {
    let is_late = matches!(round, Round::AfterMoves(_));
    let waits = |plan: &FolderPlan, step: &Step| {
        context.has_moves() && context.waits_for_moves(&plan.target_path.join(&step.target_name))
    };
    let mut walker = Walker::new(context);
    let mut entered = Vec::with_capacity(context.plan.folders.len());
    // Steps are numbered by their place in the plan, as the journal lists them.
    let mut next = 1;
    for (index, plan) in context.plan.folders.iter().enumerate() {
        let first = next;
        next += plan.steps.len() as u64;
        let late = || plan.steps.iter().filter(|step| waits(plan, step));
        if !round.concerns(index) || is_late && late().next().is_none() {
            continue;
        }
        if context.should_stop() {
            if is_late {
                late().for_each(|step| context.cancel(plan, step));
            } else {
                plan.steps.iter().for_each(|step| context.cancel(plan, step));
            }
            entered.push(Entered::Cancelled);
            continue;
        }
        let opened = match round {
            Round::First => enter(context, &mut walker, plan, index as u32),
            Round::AfterMoves(_) => open(context, &mut walker, plan, (index as u32, false)),
        };
        match opened {
            Ok((folder, id)) => {
                let folder = Arc::new(folder);
                // Dates are set when everything is copied.
                let copies = (first..)
                    .zip(&plan.steps)
                    .filter(|(_, step)| step.action != Action::SetTimes && waits(plan, step) == is_late);
                let (mut some, mut bytes) = (Vec::new(), 0);
                for (number, step) in copies {
                    let job =
                        CopyJob { folder: Arc::clone(&folder), step, number, owed: Arc::new(Owed::of(step)) };
                    if !is_small(context, step.expect_source.size) {
                        // That may take as long as a large file takes.
                        hand_out(context, small, std::mem::take(&mut some));
                        bytes = 0;
                        hand_out(context, large, vec![job]);
                        continue;
                    }
                    some.push(job);
                    bytes += step.expect_source.size;
                    if some.len() >= HANDED_OUT_AT_ONCE || bytes >= BYTES_AT_ONCE {
                        hand_out(context, small, std::mem::take(&mut some));
                        bytes = 0;
                    }
                }
                hand_out(context, small, some);
                entered.push(Entered::Yes(id));
            }
            Err(error) => {
                if is_late {
                    late().for_each(|step| context.fail_below(plan, step));
                } else {
                    context.fail_all(plan);
                }
                entered.push(Entered::Failed(Box::new(error)));
            }
        }
    }
    entered
}

/// Opens a folder on both sides, made if it has to be, and looks whether it is the one that was seen.
pub(super) fn enter<'a>(
    context: &Context<'_>,
    walker: &mut Walker,
    plan: &'a FolderPlan,
    index: u32,
) -> Result<(FolderPair<'a>, FileId), Error> {
    if plan.create {
        make_folder::create(context, walker, plan, index)?;
    }
    open(context, walker, plan, (index, plan.create))
}

/// Opens a folder that is there on both sides, and says in the journal if it was made right now.
fn open<'a>(
    context: &Context<'_>,
    walker: &mut Walker,
    plan: &'a FolderPlan,
    (index, is_new): (u32, bool),
) -> Result<(FolderPair<'a>, FileId), Error> {
    let (source, target) =
        walker.open(&plan.source_path, &plan.target_path).map_err(|c| closed(context, plan, c))?;
    let on_target = |e| Error::os(Op::Open, context.target_path(&plan.target_path), e);
    let now =
        source.metadata().map_err(|e| Error::os(Op::Examine, context.source_path(&plan.source_path), e))?;
    let same =
        now.id == plan.expect_source.id || Numbers::of(&source).same_folder(&now, plan.expect_source.id);
    if !same {
        return Err(Error::new(Op::Open, context.source_path(&plan.source_path), ErrorKind::SourceStale));
    }
    let there = target.metadata().map_err(on_target)?;
    let same = |expected: Fingerprint| {
        expected.id == there.id || Numbers::of(&target).same_folder(&there, expected.id)
    };
    if !plan.expect_target.is_none_or(same) {
        return Err(Error::new(Op::Open, context.target_path(&plan.target_path), ErrorKind::TargetStale));
    }
    if let Some(protection) = there.protection {
        let path = context.target_path(&plan.target_path);
        return Err(Error::new(Op::Change, path, ErrorKind::Protected(protection)));
    }
    let listed = plan.expect_target.map(|before| before.attributes);
    context
        .lift(&plan.target_path, &target, &there, (index as usize, listed))
        .map_err(|e| Error::os(Op::SetMetadata, context.target_path(&plan.target_path), e))?;
    if is_new {
        context.made(index, there.id);
    }
    let volume = context.volume_of(&target).map_err(on_target)?;
    let group = metadata::group_of_folder(context.settings, &there);
    let open = OpenPair::new((source, target), volume, group);
    Ok((FolderPair::new(plan, Arc::new(open)), there.id))
}

pub(crate) fn closed(context: &Context<'_>, plan: &FolderPlan, closed: Closed) -> Error {
    let path = if closed.on_source {
        context.source_path(&plan.source_path)
    } else {
        context.target_path(&plan.target_path)
    };
    Error::os(Op::Open, path, closed.error)
}
