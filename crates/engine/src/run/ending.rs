//! How a run ends: everything stays, or everything is rolled back; and in both cases nothing lies around.
//!
//! Invariant: a run is over only when its journal says so, and the journal says so only when every name is in order.
//! Where that could not be reached the run stays unfinished, for recovery to find.

use std::collections::HashMap;

use super::context::Context;
use super::folders::Entered;
use crate::ops::{self, When, make_folder, respell};
use crate::progress::{OnCancel, Phase};
use crate::report::{ActionKind, Outcome, RunResult};
use fcs_text::{size, utc_time};

use crate::history::{
    EndKind, Later, Ledger, Record, RecoveryAction, RecoveryItem, RunInfo, RunLog, RunState, revert, settle,
};
use crate::{Note, Settings};

/// What a run came to, where its items alone do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// What was done stays.
    Kept,
    /// Everything was rolled back.
    RolledBack,
    /// Rolled back, except for items that could not be.
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

/// Ends the run after its last step, in all roots that it writes to.
pub(super) fn end(contexts: &mut [Context<'_>], entered: &[Vec<Entered>]) -> Ending {
    // Nothing more is changed in them by name, and what takes the run back lifts them for itself.
    let mut in_order = all(contexts, Context::give_back_lifted);
    let wish = wish(contexts);
    let mut take_it_back = wish != Wish::Keep;
    let give_up = |contexts: &[Context<'_>]| {
        for (context, entered) in contexts.iter().zip(entered) {
            make_folder::give_up(context, entered);
            respell::give_up(context, context.why_stopping());
            ops::give_up(context, When::AtTheEnd, context.why_stopping());
        }
    };
    let tidy_up = |contexts: &[Context<'_>]| {
        let is_stopped = || contexts.iter().any(Context::is_stopped);
        let is_untidy = |context: &Context<'_>| context.log().is_some_and(RunLog::take_untidy);
        let tidied = is_stopped() || all(contexts, |context| !is_untidy(context) || tidy(context));
        tidied && !is_stopped()
    };
    if !tidy_up(contexts) {
        give_up(contexts);
        return Ending::Unfinished;
    }
    if take_it_back {
        give_up(contexts);
    } else {
        contexts.iter().for_each(|context| context.control.progress.enter(Phase::Finish));
        // Once a folder has its metadata, nothing but the journal tells that the run made it.
        if !all(contexts, |context| !context.has_made_folders() || context.promise([])) {
            give_up(contexts);
            return Ending::Unfinished;
        }
        contexts.iter().zip(entered).for_each(|(context, entered)| make_folder::finish(context, entered));
        // A folder may have failed only now.
        take_it_back = contexts.iter().any(Context::is_aborted);
        if take_it_back {
            for context in contexts.iter() {
                respell::give_up(context, context.why_stopping());
                ops::give_up(context, When::AtTheEnd, context.why_stopping());
            }
        } else {
            contexts.iter().for_each(|context| ops::carry_out(context, When::AtTheEnd));
            // Before anything goes by whether a step is committed: what has some of both is none of either.
            if !tidy_up(contexts) {
                contexts.iter().for_each(|context| respell::give_up(context, context.why_stopping()));
                return Ending::Unfinished;
            }
            in_order &= all(contexts, |context| respell::carry_out(context) & context.give_back_lifted());
            take_it_back = contexts.iter().any(Context::is_aborted);
        }
    }
    if take_it_back {
        return match roll_back(contexts) {
            Ending::RolledBack if wish == Wish::LeaveAsBefore => Ending::Kept,
            ending => ending,
        };
    }
    if !in_order {
        return Ending::Unfinished;
    }
    // Whatever can still go wrong does so before it is over in any root.
    let synced = |context: &Context<'_>| {
        let failed = context.log().and_then(|log| Some(log.error(log.sync_kept().err()?)));
        failed.iter().for_each(|error| context.complain(error));
        failed.is_none()
    };
    // Where one journal cannot say so, none after it does: the choice of recovery stays open there.
    if !all(contexts, synced) || !contexts.iter().all(keep) {
        return Ending::Unfinished;
    }
    // A root in which nothing was changed leads to one in which something was.
    let changed = contexts.iter().any(Context::has_changed);
    contexts.iter_mut().for_each(|context| prune(context, changed));
    Ending::Kept
}

/// Asks each, also after one said no.
fn all<'a>(contexts: &[Context<'a>], holds: impl Fn(&Context<'a>) -> bool) -> bool {
    contexts.iter().fold(true, |all, context| holds(context) & all)
}

/// Ends the run in one root: what was done stays. Whether the journal says so.
fn keep(context: &Context<'_>) -> bool {
    let how = if context.control.cancel.is_cancelled() { EndKind::Cancelled } else { EndKind::Kept };
    let Some(log) = context.log() else { return true };
    let ended = log.end(Ledger::end_record(how, context.failures()));
    ended.inspect_err(|error| context.complain(error)).is_ok()
}

/// Prunes what is not kept any longer. The run is over whatever becomes of what earlier ones kept.
fn prune(context: &mut Context<'_>, changed: bool) {
    let committed = context.commits() > 0;
    let Some(log) = context.take_log() else { return };
    match log.prune(context.settings, changed, committed) {
        Ok(pruned) => {
            pruned.runs.iter().for_each(|run| context.add_note(pruned_early(run, context.settings)));
            pruned.errors.iter().for_each(|error| context.add_note(stays(error)));
            context.let_go(pruned.stand);
        }
        Err(error) => context.complain(&error),
    }
}

/// What is said of an original whose term is over and that cannot be deleted.
fn stays(error: &crate::Error) -> String {
    format!("{error} It uses space and does no harm; the next run tries again.")
}

/// What is said of a run that could be undone for longer, were there room.
fn pruned_early(run: &RunInfo, settings: &Settings) -> Note {
    let text = format!(
        "Originals that the run of {} kept for undo ({}) were deleted: originals of all runs together may take {} % of \
         the volume, and the oldest are deleted first.",
        utc_time(run.started),
        size(run.kept_bytes),
        settings.undo_max_percent
    );
    Note::of_setting("undo_max_percent", text)
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

/// Whether the run is to be rolled back: because a step failed, or because the user says so after a cancel. Whoever wants
/// that gets it however little was done: a made folder is a change too.
fn wish(contexts: &[Context<'_>]) -> Wish {
    let cancelled = contexts.first().filter(|context| context.control.cancel.is_cancelled());
    if contexts.iter().any(Context::is_stopped) {
        Wish::Keep
    } else if contexts.iter().any(Context::is_aborted) {
        Wish::RollBack
    } else {
        let Some(first) = cancelled else { return Wish::Keep };
        let changes = contexts.iter().map(Context::changes).sum();
        match first.control.observer.cancelled(changes) {
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
            items.iter().all(|item| item.action != RecoveryAction::Left)
        }
        Err(e) => {
            context.complain(&log.error(e));
            false
        }
    }
}

fn tell(context: &Context<'_>, items: &[RecoveryItem]) {
    items.iter().filter_map(|item| item.error.as_ref()).for_each(|error| context.complain(error));
}

/// Rolls the run back in every root.
fn roll_back(contexts: &mut [Context<'_>]) -> Ending {
    let several = contexts.iter().filter(|context| context.log().is_some()).count() > 1;
    // All journals say so before anything goes back in one root: whoever recovers each by itself then rolls back all.
    // Where one cannot, none after it does.
    let says_so = |context: &Context<'_>| context.log().is_none() || context.promise([Record::RollBack]);
    if several && !contexts.iter().all(says_so) {
        return Ending::Unfinished;
    }
    let (endings, logs): (Vec<Ending>, Vec<Option<RunLog>>) = contexts.iter_mut().map(roll_back_one).unzip();
    let logs: Vec<(&Context<'_>, RunLog)> =
        contexts.iter().zip(logs).filter_map(|(context, log)| Some((context, log?))).collect();
    // Each root leads to the others until it is over in all of them, and all say so.
    let is_over = endings.iter().all(|ending| matches!(ending, Ending::Kept | Ending::RolledBack));
    let is_gone = several && is_over && logs.iter().all(|(_, log)| log.promise([Record::Pruned]).is_ok());
    for (context, log) in logs {
        if let Err(error) = log.close(is_gone) {
            context.complain(&error);
        }
    }
    let is = |wanted: &[Ending]| endings.iter().all(|ending| wanted.contains(ending));
    if is(&[Ending::Kept]) {
        Ending::Kept
    } else if is(&[Ending::Kept, Ending::RolledBack]) {
        Ending::RolledBack
    } else if endings.contains(&Ending::Unfinished) {
        Ending::Unfinished
    } else {
        Ending::PartlyRolledBack
    }
}

/// Rolls the run back in one root, which may have to lead to the others still.
fn roll_back_one(context: &mut Context<'_>) -> (Ending, Option<RunLog>) {
    context.control.progress.enter(Phase::RollBack);
    let Some(log) = context.take_log() else { return (Ending::Kept, None) };
    let recovery = log.replay().and_then(|mut ledger| {
        // What the journals of several roots say already is no attempt before this one: nothing went back so far, and what
        // somebody else changed meanwhile is told by its change time.
        ledger.rolling_back = false;
        let (store, mut journal) = log.parts();
        revert(store, &ledger, &mut journal, &Later::default())
    });
    let recovery = match recovery {
        Ok(recovery) => recovery,
        Err(e) => {
            context.complain(&log.error(e));
            return (Ending::Unfinished, Some(log));
        }
    };
    let mut left: HashMap<_, _> =
        recovery.items.into_iter().filter_map(|item| Some((item.path, item.error?))).collect();
    context.revise(|item| {
        if item.action != ActionKind::None && matches!(item.outcome, Outcome::Done { .. }) {
            item.outcome = match left.remove(&item.path) {
                Some(error) => Outcome::Failed { error },
                None => Outcome::RolledBack,
            };
        }
    });
    left.values().for_each(|error| context.complain(error));
    let is_whole = recovery.state == RunState::RolledBack;
    (if is_whole { Ending::RolledBack } else { Ending::PartlyRolledBack }, Some(log))
}
