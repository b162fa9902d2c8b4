//! What can be decided on the sheet that confirms, for its plan alone.
//!
//! Invariant: a choice is offered only where the plan meets something that it is about. This module must not know how the
//! plan is made again.

use fcs_engine::Settings;
use fcs_engine::directions::Mode;
use fcs_engine::plan::Plan;
use fcs_engine::report::SkipReason;
use fcs_engine::session::Task;
use fcs_engine::settings::{Newer, ReadOnlyTargets, ReplaceKinds};
use fcs_sys::Kind;

/// What becomes of something that the plan meets on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Files that are newer there.
    Newer,
    /// Items that are of another kind there.
    Kinds,
    /// Files that are marked read-only there, where that is more than missing permission (Windows).
    ReadOnly,
}

impl Choice {
    /// What it is about.
    pub fn words(self) -> &'static str {
        match self {
            Self::Newer => "Newer files",
            Self::Kinds => "Another kind",
            Self::ReadOnly => "Read-only files",
        }
    }

    /// What replacing them is called.
    pub fn replace_words(self) -> &'static str {
        match self {
            Self::Newer | Self::ReadOnly => "Replace",
            Self::Kinds => "Replace, with all that is in them",
        }
    }

    /// Whether they are replaced by this task with these settings.
    pub fn replaces(self, task: Task, settings: &Settings) -> bool {
        match self {
            Self::Newer => settings.newer == Newer::Replace,
            Self::Kinds if mirrors(task) => settings.replace_kinds != ReplaceKinds::Never,
            Self::Kinds => settings.replace_kinds == ReplaceKinds::Always,
            Self::ReadOnly => settings.read_only_targets == ReadOnlyTargets::Replace,
        }
    }

    pub(super) fn set(self, task: Task, settings: &mut Settings, replace: bool) {
        match (self, replace) {
            (Self::Newer, true) => settings.newer = Newer::Replace,
            (Self::Newer, false) => settings.newer = Newer::Keep,
            (Self::Kinds, true) => settings.replace_kinds = ReplaceKinds::Always,
            (Self::Kinds, false) if mirrors(task) => settings.replace_kinds = ReplaceKinds::Never,
            (Self::Kinds, false) => settings.replace_kinds = ReplaceKinds::Sync,
            (Self::ReadOnly, true) => settings.read_only_targets = ReadOnlyTargets::Replace,
            (Self::ReadOnly, false) => settings.read_only_targets = ReadOnlyTargets::Fail,
        }
    }

    /// What there is to be decided about in a plan, whatever was decided.
    pub(super) fn of(task: Task, plan: &Plan) -> Vec<Self> {
        let skipped = |why| plan.skipped.iter().any(|skip| skip.why == why);
        let makes_way = || plan.removed().any(|(_, item)| item.makes_way);
        let marked = || {
            let targets = plan.steps().filter_map(|(_, step)| step.expect_target);
            targets
                .into_iter()
                .any(|there| there.kind == Kind::File && there.attributes.has_read_only_attribute())
        };
        let newer = plan.totals.replaced_newer > 0 || skipped(SkipReason::Newer);
        let kinds = plan.totals.replaced_kinds > 0 || makes_way() || skipped(SkipReason::KindClash);
        let (newer, kinds) = match task {
            Task::Orphans(..) => return Vec::new(),
            // There a conflict, a choice or a row by itself says so.
            Task::Directed(Mode::TwoWay { .. } | Mode::Newest | Mode::Custom(_) | Mode::Add(_)) => {
                (newer, false)
            }
            Task::Copy(_) | Task::Sync(_) | Task::Directed(Mode::Mirror(_) | Mode::Update(_)) => {
                (newer, kinds)
            }
        };
        let all = [(Self::Newer, newer), (Self::Kinds, kinds), (Self::ReadOnly, marked())];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(choice, _)| choice).collect()
    }
}

/// Whether one side becomes what the other one is.
fn mirrors(task: Task) -> bool {
    matches!(task, Task::Sync(_) | Task::Directed(Mode::Mirror(_)))
}
