//! Keeps what a second run may make good from being told as failed while the first one goes on.
//!
//! Invariant: everything that is withheld is told once the outcome is known, or replaced by what the second run told of it.
//! This module must not know what the second run does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use fcs_sys::RelPath;

use crate::plan::RootIndex;
use crate::report::{ActionKind, ItemReport, Outcome, Report, SkipReason};
use crate::{Control, Error, ErrorKind, Note, Observer, OnCancel, TargetState};

/// Whether a moved item is not what the source has.
pub(super) fn is_differing(item: &ItemReport) -> bool {
    item.action == ActionKind::Move
        && matches!(&item.outcome, Outcome::Failed { error } if is_mismatch(error))
}

fn is_mismatch(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Mismatch { .. }) && error.target == Some(TargetState::Moved)
}

/// Whether an item was not removed because another one failed.
pub(super) fn is_held_back(item: &ItemReport) -> bool {
    matches!(item.action, ActionKind::Remove | ActionKind::RemoveFolder)
        && matches!(item.outcome, Outcome::Skipped { why: SkipReason::CopyFailed })
}

/// Listens for another one.
pub(super) struct Withheld {
    inner: Arc<dyn Observer>,
    items: Mutex<HashSet<(RootIndex, RelPath)>>,
}

impl Withheld {
    /// A control that withholds, of one that does not.
    pub(super) fn of(control: &Control) -> (Arc<Self>, Control) {
        let withheld = Arc::new(Self { inner: Arc::clone(&control.observer), items: Mutex::default() });
        let observer = Arc::clone(&withheld) as Arc<dyn Observer>;
        (withheld, Control { observer, ..control.clone() })
    }

    /// Tells what was withheld as it is in the report. What a second run did of it was told then.
    pub(super) fn tell(&self, report: &Report) {
        let withheld = std::mem::take(&mut *self.items.lock().unwrap_or_else(PoisonError::into_inner));
        let may_be = |item: &&ItemReport| item.action == ActionKind::Move || is_held_back(item);
        let items = report.items.iter().filter(|_| !withheld.is_empty()).filter(may_be);
        let items = items.filter(|item| withheld.contains(&(item.root, item.path.clone())));
        items.for_each(|item| self.inner.item(item));
    }
}

impl Observer for Withheld {
    fn item(&self, item: &ItemReport) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        // Moves come before removals.
        if is_differing(item) || !items.is_empty() && is_held_back(item) {
            items.insert((item.root, item.path.clone()));
            return;
        }
        drop(items);
        self.inner.item(item);
    }

    fn error(&self, error: &Error) {
        self.inner.error(error);
    }

    fn cancelled(&self, committed: u64) -> OnCancel {
        self.inner.cancelled(committed)
    }

    fn note(&self, note: &Note) {
        self.inner.note(note);
    }
}
