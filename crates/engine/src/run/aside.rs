//! A thread that gives a group of files its names while the next group is staged.
//!
//! Invariant: it has the ledger while it works and gives it back after; whoever waits for it gets the ledger, or learns that the
//! run cannot go on. This module must not know what is done with a group.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::ledger::{GroupDone, Ledger, Waiting};
use crate::Settings;

/// A group with the ledger, and the settings that it is committed by.
type GroupJob = (Box<Ledger>, Vec<Waiting>, Settings);
type Done = (Box<Ledger>, GroupDone);

/// The thread, which ends when this goes.
pub(super) struct Aside {
    lots: Sender<GroupJob>,
    done: Receiver<Done>,
    _thread: JoinHandle<()>,
}

impl Aside {
    /// `None` where the system gives no thread.
    pub(super) fn start() -> Option<Self> {
        let (lots, todo) = bounded::<GroupJob>(1);
        let (report, done) = bounded(1);
        let work = move || {
            for (mut ledger, group, settings) in &todo {
                let became = ledger.commit(group, &settings);
                if report.send((ledger, became)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("fcs-group".to_owned()).spawn(work).ok()?;
        Some(Self { lots, done, _thread: thread })
    }

    /// Begins with a group; nothing of an earlier one is under way. Gives everything back where the thread has ended.
    pub(super) fn begin(&self, lot: GroupJob) -> Result<(), Box<GroupJob>> {
        self.lots.send(lot).map_err(|refused| Box::new(refused.into_inner()))
    }

    /// What became of the group, after waiting for it. `None` when the thread ended without an answer.
    pub(super) fn wait(&self) -> Option<Done> {
        self.done.recv().ok()
    }

    /// As [`Aside::wait`] without waiting; an error says whether the thread still works on it.
    pub(super) fn look(&self) -> Result<Done, TryRecvError> {
        self.done.try_recv()
    }
}
