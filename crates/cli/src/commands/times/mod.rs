//! `fcs times`: created and modified times of items, and nothing else of them.
//!
//! Invariant: content is never written, and what sets a date is a run that can be undone; `show` and `verify`
//! write nothing.

mod change;
mod plan;
mod show;
mod verify;
mod words;

use std::sync::Arc;

use fcs_engine::times::Scope;

use crate::args::{TimesAction, TimesCommon};
use crate::exit::Code;
use crate::failure::CommandResult;
use crate::output::terminal::Screen;
use crate::run::events;

/// Runs the command.
pub(crate) fn run(action: &TimesAction, screen: &Arc<Screen>) -> CommandResult {
    let result = match action {
        TimesAction::Show(args) => return show::run(args, screen),
        TimesAction::Verify(args) => return verify::run(args, screen),
        TimesAction::Set(args) => change::set(args, screen),
        TimesAction::Copy(args) => change::copy(args, screen),
        TimesAction::Repair(args) => change::repair(args, screen),
    };
    if action.common().json {
        let code = result.as_ref().map_or_else(|failure| failure.code, |code| *code);
        events::end(None, code, screen);
    }
    result
}

fn scope(common: &TimesCommon, recursive: bool) -> Scope<'_> {
    Scope { recursive, include: &common.choosing.include, exclude: &common.choosing.exclude }
}

/// Of the codes of several parts of one command, the one that matters most.
fn worst(codes: impl IntoIterator<Item = Code>) -> Code {
    let rank = |code: &Code| match code {
        Code::Done => 0,
        Code::Differences => 1,
        Code::Warnings => 2,
        Code::Stale => 3,
        Code::Usage => 4,
        Code::Refused => 5,
        Code::Failed => 6,
        Code::VerificationFailed => 7,
        Code::RolledBack => 8,
        Code::Interrupted => 9,
        Code::RecoveryNeeded => 10,
    };
    codes.into_iter().max_by_key(rank).unwrap_or(Code::Done)
}
