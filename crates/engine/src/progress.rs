//! How a front end watches and stops work: counters it polls, one flag it sets, events that are pushed to it.
//!
//! Invariant: nothing here can block or slow the work, except a pause the user asked for. Counters only grow within
//! one piece of work. This module must not know what a terminal or a window is.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::{Error, Note, report::ItemReport};

/// What the work is doing as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Phase {
    /// Not started.
    #[default]
    Idle,
    /// Listing both trees.
    Scan,
    /// Pairing, and reading content if it counts.
    Compare,
    /// Copying and verifying.
    Copy,
    /// Setting folder times, removing what is no longer needed.
    Finish,
    /// Done.
    Done,
    /// Rolling back what was done.
    RollBack,
}

impl Phase {
    const ALL: [Self; 7] =
        [Self::Idle, Self::Scan, Self::Compare, Self::Copy, Self::Finish, Self::Done, Self::RollBack];
}

/// A large file being copied.
#[derive(Debug)]
pub struct CurrentFile {
    /// Its path below the root, as safe text.
    pub path: String,
    /// `direct` or `staged`.
    pub strategy: &'static str,
    /// Bytes to copy.
    pub size: u64,
    /// Bytes copied so far; begins at 0 again when the file is copied again.
    pub copied: AtomicU64,
    /// Bytes verified so far; stays 0 when the file is not verified.
    pub verified: AtomicU64,
    /// Whether it will be verified.
    pub will_verify: bool,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters of one piece of work. Poll them at any rate.
        #[derive(Debug, Default)]
        pub struct Progress {
            phase: AtomicU8,
            current: Mutex<Vec<Arc<CurrentFile>>>,
            $($(#[$doc])* pub $name: AtomicU64,)+
        }

        /// The counters at one moment.
        #[derive(Debug, Clone, Default)]
        pub struct Snapshot {
            /// What is going on.
            pub phase: Phase,
            /// Large files in work.
            pub current: Vec<Arc<CurrentFile>>,
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Progress {
            /// Reads all counters.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot {
                    phase: Phase::ALL[usize::from(self.phase.load(Ordering::Relaxed)).min(Phase::ALL.len() - 1)],
                    current: self.current.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                    $($name: self.$name.load(Ordering::Relaxed),)+
                }
            }
        }
    };
}

counters! {
    /// Items found so far, both sides together.
    items_scanned,
    /// Bytes that the content comparison will read, both sides together.
    compare_bytes_total,
    /// Bytes it has read.
    compare_bytes_done,
    /// Steps of the plan: files, links, folders.
    steps_total,
    /// Steps finished in any way.
    steps_done,
    /// Files and links that are written under a staged name, whether or not they have their own by now.
    steps_staged,
    /// Steps that failed.
    steps_failed,
    /// Files that were copied again, because their sources changed while they were read.
    retries,
    /// Nanoseconds in which files that are synced by themselves were filled.
    copy_nanos,
    /// Nanoseconds in which they were synced and verified.
    verify_nanos,
    /// Bytes to copy. Grows by what was copied in vain when a file is copied again.
    copy_bytes_total,
    /// Bytes copied, and those of files that ended without. Only grows, never beyond the total, and reaches it.
    copy_bytes_done,
    /// Bytes to verify. Grows as `copy_bytes_total` does.
    verify_bytes_total,
    /// Bytes verified, and those of files that ended without; as `copy_bytes_done`.
    verify_bytes_done,
}

impl Progress {
    /// Announces a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Lists a file as in work until [`Progress::finish_file`].
    pub fn start_file(&self, file: CurrentFile) -> Arc<CurrentFile> {
        let file = Arc::new(file);
        self.current.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&file));
        file
    }

    /// Takes a file off the list.
    pub fn finish_file(&self, file: &Arc<CurrentFile>) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).retain(|f| !Arc::ptr_eq(f, file));
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// The one flag that ends work early, and a pause.
///
/// Work looks at it at least every 8 MiB; a cancelled run ends at a safe point and still gives a report.
#[derive(Debug, Default)]
pub struct Cancel {
    cancelled: AtomicBool,
    paused: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Cancel {
    /// Asks the work to end. Also ends a pause.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether the work was asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Asks the work to stand still at its next safe point.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// Whether the work was asked to stand still.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
        self.wake();
    }

    /// Waits while paused; returns true when the work should end. Called by the work, between two chunks.
    pub fn should_stop(&self) -> bool {
        if self.paused.load(Ordering::Relaxed) {
            let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            while self.paused.load(Ordering::SeqCst) && !self.is_cancelled() {
                guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
        }
        self.is_cancelled()
    }

    fn wake(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }
}

/// What becomes of a cancelled run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCancel {
    /// What is done stays, and can be undone like any other run.
    Keep,
    /// The target is rolled back to what it was.
    RollBack,
}

/// Receives what is worth telling as it happens. Called from worker threads, one call at a time is not promised.
pub trait Observer: Send + Sync {
    /// A step ended: done, skipped or failed.
    fn item(&self, _item: &ItemReport) {}

    /// Something could not be read or asked; the work goes on.
    fn error(&self, _error: &Error) {}

    /// The run was cancelled and is at a safe point with `committed` steps done and folders made: keep them, or roll
    /// back? Asked once. With none of either the target is left as it was whatever the answer; the answer only decides
    /// how that is reported.
    fn cancelled(&self, _committed: u64) -> OnCancel {
        OnCancel::Keep
    }

    /// Something the user should know once, such as a criterion that a volume cannot support.
    fn note(&self, _note: &Note) {}
}

/// An observer that ignores everything.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// What every long call takes: counters, the flag, and who listens.
#[derive(Clone)]
pub struct Control {
    /// Counters.
    pub progress: Arc<Progress>,
    /// The flag.
    pub cancel: Arc<Cancel>,
    /// Who listens.
    pub observer: Arc<dyn Observer>,
}

impl Default for Control {
    fn default() -> Self {
        Self { progress: Arc::default(), cancel: Arc::default(), observer: Arc::new(Silent) }
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("progress", &self.progress)
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
    }
}

/// A path below a root, absolute, for messages.
pub fn full_path(root: &std::path::Path, below: &fcs_sys::RelPath) -> PathBuf {
    if below.is_root() { root.to_path_buf() } else { root.join(below.to_path()) }
}
