//! The stack of folders still to be listed, shared by the workers.
//!
//! Invariant: the newest folder is taken first, so the stack holds the brothers of the folders on the way down to
//! where the workers are, and little else. Handles held by the stack are bounded (see [`Siblings::dir`]).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use fcs_sys::DirRef;

use super::names::Names;
use super::worker::{Examined, OpenFolder};

/// A child folder to be entered.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubFolder {
    /// Its place among its parent's children.
    pub(super) child: u32,
    /// An include pattern matched it or a folder above it, so everything below takes part.
    pub(super) included: bool,
    /// The volume it is on.
    pub(super) volume: u64,
    /// Whether that is mounted right there.
    pub(super) is_mounted: bool,
}

/// An open folder from which deeper ones are reached when their parent's handle was closed.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) folder: u32,
    pub(super) dir: DirRef,
    /// Counts the anchors there are.
    pub(super) alive: Arc<AtomicUsize>,
}

impl Drop for Anchor {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Folders in one folder, still to be listed.
pub(super) struct Siblings {
    /// Index of the side.
    pub(super) side: usize,
    /// The folder they are in.
    pub(super) parent: u32,
    /// The number of the first of `folders`; the rest follow.
    pub(super) base: u32,
    pub(super) folders: Vec<SubFolder>,
    pub(super) next: usize,
    /// How deep the folders lie; those in the root have depth 1.
    pub(super) depth: u32,
    /// The parent, open; `None` once it was closed. A folder is then reached by walking down from `anchor`.
    pub(super) dir: Option<DirRef>,
    /// The stack holds enough handles: only the first folder gets `dir`. It is taken next, so a way down, however
    /// deep, costs one open per level.
    pub(super) drops_dir: bool,
    /// The nearest folder above that is kept open for such walks.
    pub(super) anchor: Arc<Anchor>,
    /// The parent's path below the root, where the filter needs it.
    pub(super) path: Option<Arc<[u8]>>,
}

/// One folder to list.
pub(super) struct Task {
    pub(super) side: usize,
    pub(super) parent: u32,
    pub(super) number: u32,
    pub(super) sub: SubFolder,
    pub(super) depth: u32,
    pub(super) dir: Option<DirRef>,
    pub(super) anchor: Arc<Anchor>,
    pub(super) path: Option<Arc<[u8]>>,
}

/// A folder with so many items that several workers examine them.
pub(super) struct Big {
    pub(super) folder: OpenFolder,
    pub(super) names: Names,
    /// Why the listing is incomplete.
    pub(super) error: Option<crate::Error>,
    /// One slot per range of names, filled by whoever examined it.
    pub(super) parts: Mutex<Vec<Option<Examined>>>,
    /// Ranges not yet finished.
    pub(super) left: AtomicUsize,
}

/// What a worker gets to do.
pub(super) enum ScanWork {
    /// The root of this side.
    Root(usize),
    Folder(Task),
    Part(Arc<Big>, usize),
}

#[derive(Default)]
struct QueueState {
    roots: Vec<usize>,
    groups: Vec<Siblings>,
    /// Parts of big folders and which is next; done before any further folder, because they hold memory.
    parts: Vec<(Arc<Big>, usize, usize)>,
    /// Groups on the stack that hold a handle.
    holding: usize,
    busy: usize,
    waiting: usize,
    stopped: bool,
}

/// The shared stack.
pub(super) struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
    most_held: usize,
}

impl Queue {
    /// `most_held` groups may hold a handle; the walk begins with the roots of so many sides.
    pub(super) fn new(most_held: usize, sides: usize) -> Self {
        let state = QueueState { roots: (0..sides).collect(), ..QueueState::default() };
        Self { state: Mutex::new(state), changed: Condvar::new(), most_held }
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a group; whether it closes its handle is decided here.
    pub(super) fn push(&self, mut group: Siblings) {
        let mut state = self.state();
        group.drops_dir = state.holding >= self.most_held;
        state.holding += usize::from(!group.drops_dir);
        state.groups.push(group);
        self.wake(&state);
    }

    pub(super) fn push_parts(&self, big: Arc<Big>, count: usize) {
        let mut state = self.state();
        state.parts.push((big, 0, count));
        self.wake(&state);
    }

    fn wake(&self, state: &QueueState) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Ends the walk; what is still on the stack is dropped.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        state.roots.clear();
        state.groups.clear();
        state.parts.clear();
        self.changed.notify_all();
    }

    /// Takes work; waits while there is none but some may come. `None` when the walk is over. `was_busy` says that
    /// the caller has just finished what it took before.
    pub(super) fn take(&self, was_busy: bool) -> Option<ScanWork> {
        let mut state = self.state();
        state.busy -= usize::from(was_busy);
        loop {
            if state.stopped {
                return None;
            }
            if let Some(work) = state.pop() {
                state.busy += 1;
                return Some(work);
            }
            if state.busy == 0 {
                self.changed.notify_all();
                return None;
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }
}

impl QueueState {
    fn pop(&mut self) -> Option<ScanWork> {
        if let Some((big, next, count)) = self.parts.last_mut() {
            let part = *next;
            *next += 1;
            let big = Arc::clone(big);
            if part + 1 == *count {
                self.parts.pop();
            }
            return Some(ScanWork::Part(big, part));
        }
        if let Some(side) = self.roots.pop() {
            return Some(ScanWork::Root(side));
        }
        let group = self.groups.last_mut()?;
        let task = Task {
            side: group.side,
            parent: group.parent,
            number: group.base + group.next as u32,
            sub: group.folders[group.next],
            depth: group.depth,
            dir: if group.drops_dir { group.dir.take() } else { group.dir.clone() },
            anchor: Arc::clone(&group.anchor),
            path: group.path.clone(),
        };
        group.next += 1;
        if group.next == group.folders.len() {
            self.holding -= usize::from(!group.drops_dir);
            self.groups.pop();
        }
        Some(ScanWork::Folder(task))
    }
}
