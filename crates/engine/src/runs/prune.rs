//! Letting go of what runs keep for undo.
//!
//! Invariant: a journal says that its originals are being let go before the first of them is, so a half-emptied undo
//! store is never taken for a whole one.

use std::io;

use fcs_sys::Time;

use super::disk::if_there;
use super::journal::{self, Journal};
use super::ledger::Ledger;
use super::record::{Ended, Record};
use super::store::{Store, aside_name};
use crate::settings::Undo;
use crate::way::Way;

const SECONDS_PER_DAY: i64 = 86_400;

/// Lets go of these runs.
pub(crate) fn forget(store: &Store, runs: &[String]) -> io::Result<()> {
    for run in runs {
        let file = store.journal(run)?;
        let (records, tail) = journal::read(&file)?;
        let mut journal = Journal::new(file, tail);
        journal.append(&Record::Forgotten);
        journal.sync()?;
        if let Some(ledger) = Ledger::replay(records) {
            remove_asides(store, &ledger)?;
        }
        store.delete_all(run)?;
    }
    Ok(())
}

/// Lets go of runs before `current` as the setting says. Runs that are not over stay, and so do journals that make no
/// sense: what they belong to is not known.
pub(crate) fn earlier(store: &Store, current: &str, undo: Undo) -> io::Result<()> {
    let mut go = Vec::new();
    for run in store.run_ids()?.into_iter().filter(|run| run != current) {
        let (records, _) = journal::read(&store.journal(&run)?)?;
        let Some(ledger) = Ledger::replay(records) else { continue };
        let Some(end) = ledger.end else {
            if ledger.forgotten {
                go.push(run);
            }
            continue;
        };
        let dead = ledger.forgotten || end.how == Ended::RolledBack;
        let expired = match undo {
            Undo::Off | Undo::Last => true,
            Undo::Days(days) => {
                let age = Time::now().seconds().saturating_sub(end.at.seconds());
                age / SECONDS_PER_DAY >= i64::try_from(days).unwrap_or(i64::MAX)
            }
        };
        if dead || expired {
            go.push(run);
        }
    }
    forget(store, &go)
}

/// Deletes the originals that a run keeps outside the undo store.
fn remove_asides(store: &Store, ledger: &Ledger) -> io::Result<()> {
    let mut way = Way::new(&store.root().dir);
    for folder in &ledger.folders {
        for step in ledger.steps[folder.steps.clone()].iter().filter(|step| step.aside) {
            let Some(dir) = if_there(way.open(&folder.path))? else { continue };
            if_there(dir.remove_file(&aside_name(&ledger.begin.run, step.number)?))?;
        }
    }
    Ok(())
}
