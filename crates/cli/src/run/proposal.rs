//! What is proposed to the user: the plan, and all that is known about it before it runs.
//!
//! Invariant: nothing is shown or asked here; whether the run must not start, whatever the user says, follows from the
//! proposal alone.

use std::sync::Arc;

use fcs_app::remembering::Remembering;
use fcs_app::{run_log, volumes};
use fcs_engine::Note;
use fcs_engine::compare::{Comparison, Side};
use fcs_engine::error::display_path;
use fcs_engine::moves::Moves;
use fcs_engine::preflight::{MakeRoom, Problem, Severity};
use fcs_engine::session::{self, Limits};
use fcs_sys::Root;

use super::spec::RunSpec;
use crate::session::Session;
use crate::unfinished;

/// A plan with all that is known about it beforehand, and how it is to be carried out.
pub(super) struct Proposal<'a> {
    pub(super) session: &'a Session,
    pub(super) spec: RunSpec,
    pub(super) proposed: session::Proposal,
    /// Worth knowing about the two folders and their comparison.
    pub(super) notes: Vec<Note>,
}

impl<'a> Proposal<'a> {
    /// Plans the task and checks the plan, on what was compared, is remembered and has moved.
    pub(super) fn new(
        session: &'a Session,
        spec: RunSpec,
        comparison: &Comparison,
        memory: Option<&Remembering>,
        moves: &Moves,
    ) -> Self {
        let limits = Limits {
            allowed: spec.max_delete,
            allowed_changes: spec.max_change,
            known: volumes::known(run_log::folder().as_deref()),
            remembered: memory.map(|memory| Arc::clone(&memory.remembered)),
        };
        let Session { folders, settings, .. } = session;
        let mut proposed = folders.propose_moving(spec.task, comparison, &|_| true, settings, &limits, moves);
        if let Some(memory) = memory {
            memory.judge(&mut proposed);
        }
        if proposed.removes_permanently && spec.removes_unlimited() {
            let text = "Without an undo store a removal cannot be undone, so -y alone is not enough. \
                        Add --max-delete N to say how many items may be removed, or leave out -y to be asked.";
            let refusal = Problem { severity: Severity::Refuses, remedy: None, text: text.to_owned() };
            proposed.preflight.problems.insert(0, refusal);
        }
        let mut notes = comparison.notes.clone();
        notes.extend(memory.iter().flat_map(|memory| &memory.notes).map(|text| Note::from(text.clone())));
        notes.extend(
            spec.task.targets().iter().filter_map(|side| not_tried(session, spec, *side)).map(Note::from),
        );
        Self { session, spec, proposed, notes }
    }

    /// The folders that may be written to.
    pub(super) fn targets(&self) -> Vec<&Root> {
        self.spec.task.targets().iter().map(|side| self.session.folders.root(*side)).collect()
    }

    /// Whether the run must not start, whatever the user says.
    pub(super) fn refuses(&self) -> bool {
        let spec = self.spec;
        let missing = !self.proposed.missing_volumes.is_empty() && !spec.accept_missing_volumes;
        self.proposed.preflight.refuses() || missing && spec.yes && !spec.dry_run || self.passes_a_guard()
    }

    /// Whether a guard stops it and the user can no longer allow that.
    fn passes_a_guard(&self) -> bool {
        let cannot_be_allowed = |limit: Option<u64>| limit.is_some() || self.spec.yes;
        let removes = self.proposed.excess.is_some() && cannot_be_allowed(self.spec.max_delete);
        let changes = self.proposed.mass_change.is_some() && cannot_be_allowed(self.spec.max_change);
        !self.spec.dry_run && (removes || changes)
    }

    /// Whether the user is asked before it runs.
    pub(super) fn asks(&self) -> bool {
        !self.spec.dry_run && !self.spec.yes && !self.proposed.plan.is_empty() && !self.refuses()
    }

    /// What earlier runs keep, where that is all that stands against this one. Whoever is not asked has what is kept until
    /// the next run deleted at that run's beginning instead of its end, but nothing else.
    pub(super) fn room_to_make(&self) -> Option<&MakeRoom> {
        let room = self.proposed.preflight.make_room.as_ref();
        room.filter(|room| !self.spec.dry_run && !self.passes_a_guard() && (room.due || !self.spec.yes))
    }
}

/// What a dry run cannot foresee, where the volume is one that has to be tried.
fn not_tried(session: &Session, spec: RunSpec, side: Side) -> Option<String> {
    let root = session.folders.root(side);
    let facts = root.dir.volume().ok()?;
    (spec.dry_run && fcs_engine::probe::wanted(&facts)).then(|| {
        format!(
            "A dry run does not test what the volume of {} ({}) supports: names, links, permissions. {} does.",
            display_path(&root.path),
            facts.file_system,
            unfinished::command("doctor", root)
        )
    })
}
