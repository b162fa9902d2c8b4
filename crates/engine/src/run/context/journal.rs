//! What is written to the journal of the run.
//!
//! Invariant: nothing changes any more after a promise that could not be kept.

use fcs_sys::{DirRef, FileId, Name};

use super::Context;
use crate::history::{FileStamp, Record, RunId, RunLog};
use crate::progress::add;

impl Context<'_> {
    /// Writes down that a folder is about to be made: whoever finds it after an interruption knows by that whose it is,
    /// also where all folders look alike. Without that it may not be made.
    pub(crate) fn will_make(&self, folder: u32) -> std::io::Result<()> {
        self.log_or_refused()?.note_now(&Record::Making { folder })
    }

    /// A folder was made.
    pub(crate) fn made(&self, folder: u32, id: FileId) {
        add(&self.made, 1);
        self.note(&Record::Made { folder, id });
    }

    /// Writes intents to the journal and makes them durable; without that nothing may be renamed. Failures are reported.
    pub(crate) fn promise(&self, records: impl IntoIterator<Item = Record>) -> bool {
        let Some(log) = &self.log else { return false };
        match log.promise(records) {
            Ok(()) => true,
            Err(e) => {
                self.complain(&log.error(e));
                false
            }
        }
    }

    /// Adds to the journal what the disk would tell as well.
    pub(crate) fn note(&self, record: &Record) {
        if let Some(log) = &self.log {
            log.note(record);
        }
    }

    /// A step's change is durable.
    pub(crate) fn committed(&self, step: u64, new: Option<FileStamp>) {
        add(&self.committed, 1);
        self.note(&Record::Committed { step, new });
    }

    /// So many removals are durable with one that was [`Context::committed`].
    pub(crate) fn committed_along(&self, steps: u64) {
        add(&self.committed, steps);
    }

    /// Moves a displaced original into the undo store.
    pub(crate) fn keep(&self, dir: &DirRef, name: &Name, step: u64) -> std::io::Result<()> {
        self.log_or_refused()?.keep(dir, name, step)
    }

    /// What must be written down may not be done where there is no journal.
    pub(super) fn log_or_refused(&self) -> std::io::Result<&RunLog> {
        self.log.as_ref().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    /// Remembers that something of the run may lie around, to be looked for at the end.
    pub(crate) fn set_untidy(&self) {
        if let Some(log) = &self.log {
            log.set_untidy();
        }
    }

    /// The journal and undo store.
    pub(crate) fn log(&self) -> Option<&RunLog> {
        self.log.as_ref()
    }

    /// Notes runs of this root that cannot be undone any more.
    pub(crate) fn let_go(&self, runs: Vec<RunId>) {
        self.whole.let_go(self.plan.root, runs);
    }

    /// Takes the log out, to end it.
    pub(crate) fn take_log(&mut self) -> Option<RunLog> {
        self.log.take()
    }
}
