//! How a run ends: everything stays, or everything is taken back; and in both cases nothing lies around.
//!
//! Invariant: a run is over only when its journal says so, and the journal says so only when every name is in order.
//! Where that could not be reached the run stays unfinished, for recovery to find.

use std::collections::HashMap;

use super::context::Context;
use super::folders::{self, Entered};
use super::renames;
use crate::progress::{OnCancel, Phase};
use crate::report::{ActionKind, Outcome, RunResult};
use fcs_text::{size, utc_time};

use crate::Settings;
use crate::runs::{AccountItem, Deed, Ended, Ledger, RunInfo, RunLog, RunState, settle, take_back};

/// What a run came to, where its items alone do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// What was done stays.
    Kept,
    /// Everything was taken back.
    RolledBack,
    /// Taken back, except for items that could not be.
    PartlyRolledBack,
    /// The run could not be brought to its end; it must be recovered.
    Unfinished,
}

impl Ending {
    /// The result of the run, if it follows from the ending alone.
    pub(super) fn result(self) -> Option<RunResult> {
        match self {
            Self::Kept => None,
            Self::RolledBack => Some(RunResult::RolledBack),
            Self::PartlyRolledBack => Some(RunResult::PartlyRolledBack),
            Self::Unfinished => Some(RunResult::Stopped),
        }
    }
}

/// Ends the run after its last step.
pub(super) fn end(context: &mut Context<'_>, entered: &[Entered]) -> Ending {
    // Nothing more is changed in them by name, and what takes the run back lifts them for itself.
    let mut in_order = context.give_back_lifted();
    let wish = wish(context);
    let mut take_it_back = wish != Wish::Keep;
    let give_up = |context: &Context<'_>| {
        folders::give_up(context, entered);
        renames::give_up(context, context.why_stopping());
    };
    if context.log().is_some_and(RunLog::is_untidy) && !context.is_stopped() && !tidy(context) {
        give_up(context);
        return Ending::Unfinished;
    }
    if context.is_stopped() {
        give_up(context);
        return Ending::Unfinished;
    }
    if take_it_back {
        give_up(context);
    } else {
        context.control.progress.enter(Phase::Finish);
        // Once a folder has its metadata, nothing but the journal tells that the run made it.
        if context.has_made_folders() && !context.promise([]) {
            folders::give_up(context, entered);
            return Ending::Unfinished;
        }
        folders::finish(context, entered);
        // A folder may have failed only now.
        take_it_back = context.is_aborted();
        if take_it_back {
            renames::give_up(context, context.why_stopping());
        } else {
            in_order &= renames::carry_out(context);
            in_order &= context.give_back_lifted();
            take_it_back = context.is_aborted();
        }
    }
    let (changed, committed) = (context.has_changed(), context.commits() > 0);
    let cancelled = context.control.cancel.is_cancelled();
    if take_it_back {
        return match roll_back(context) {
            Ending::RolledBack if wish == Wish::LeaveAsBefore => Ending::Kept,
            ending => ending,
        };
    }
    let failed = context.failures();
    let how = if cancelled { Ended::Cancelled } else { Ended::Kept };
    if !in_order {
        return Ending::Unfinished;
    }
    let Some(log) = context.take_log() else { return Ending::Kept };
    if let Err(e) = log.sync_kept() {
        context.complain(&log.error(e));
        return Ending::Unfinished;
    }
    if let Err(error) = log.end(Ledger::end_record(how, failed)) {
        context.complain(&error);
        return Ending::Unfinished;
    }
    // The run is over whatever becomes of what earlier ones kept.
    match log.prune(context.settings, changed, committed) {
        Ok(pruned) => {
            pruned.runs.iter().for_each(|run| context.add_note(pruned_early(run, context.settings)));
            pruned.errors.iter().for_each(|error| context.add_note(stays(error)));
        }
        Err(error) => context.complain(&error),
    }
    Ending::Kept
}

/// What is said of an original whose term is over and that cannot be deleted.
fn stays(error: &crate::Error) -> String {
    format!("{error} It takes up room and does no harm; the next run tries again.")
}

/// What is said of a run that could be undone for longer, were there room.
fn pruned_early(run: &RunInfo, settings: &Settings) -> String {
    format!(
        "Originals that the run of {} kept for undo ({}) were deleted: originals of all runs together may take {} % of \
         the volume (setting undo_max_percent), and the oldest are deleted first.",
        utc_time(run.started),
        size(run.kept_bytes),
        settings.undo_max_percent
    )
}

/// What is to become of what the run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Keep,
    RollBack,
    /// It was ended before it had made anything of its own: nothing is kept, not even the times that unfinished copies
    /// gave to the folders that they lay in, and there was nothing to roll back.
    LeaveAsBefore,
}

/// Whether the run is to be taken back: because a step failed, or because the user says so after a cancel. Whoever wants
/// that gets it however little was done: a made folder is a change too.
fn wish(context: &Context<'_>) -> Wish {
    if context.is_stopped() {
        Wish::Keep
    } else if context.is_aborted() {
        Wish::RollBack
    } else if !context.control.cancel.is_cancelled() {
        Wish::Keep
    } else {
        let changes = context.changes();
        match context.control.observer.cancelled(changes) {
            OnCancel::RollBack => Wish::RollBack,
            OnCancel::Keep if changes == 0 => Wish::LeaveAsBefore,
            OnCancel::Keep => Wish::Keep,
        }
    }
}

/// Looks for what a failed clean-up left, as recovery does. Whether all is in order now.
fn tidy(context: &Context<'_>) -> bool {
    let Some(log) = context.log() else { return true };
    let settled = log.replay().and_then(|mut ledger| {
        let (store, mut journal) = log.parts();
        settle(store.root(), log.kept(), &mut ledger, &mut journal)
    });
    match settled {
        Ok(items) => {
            tell(context, &items);
            items.iter().all(|item| item.deed != Deed::Left)
        }
        Err(e) => {
            context.complain(&log.error(e));
            false
        }
    }
}

fn tell(context: &Context<'_>, items: &[AccountItem]) {
    items.iter().filter_map(|item| item.error.as_ref()).for_each(|error| context.complain(error));
}

fn roll_back(context: &mut Context<'_>) -> Ending {
    context.control.progress.enter(Phase::RollBack);
    let Some(log) = context.take_log() else { return Ending::Kept };
    let account = log.replay().and_then(|ledger| {
        let (store, mut journal) = log.parts();
        take_back(store, &ledger, &mut journal, &std::collections::HashSet::default())
    });
    let account = match account {
        Ok(account) => account,
        Err(e) => {
            context.complain(&log.error(e));
            return Ending::Unfinished;
        }
    };
    let mut left: HashMap<_, _> =
        account.items.into_iter().filter_map(|item| Some((item.path, item.error?))).collect();
    context.revise(|item| {
        if item.action != ActionKind::None && matches!(item.outcome, Outcome::Done { .. }) {
            item.outcome = match left.remove(&item.path) {
                Some(error) => Outcome::Failed { error },
                None => Outcome::RolledBack,
            };
        }
    });
    left.values().for_each(|error| context.complain(error));
    if let Err(error) = log.close() {
        context.complain(&error);
    }
    if account.state == RunState::RolledBack { Ending::RolledBack } else { Ending::PartlyRolledBack }
}
