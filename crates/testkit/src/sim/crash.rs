//! What a disk may hold after a crash: a prefix of the log, which of its unsynced operations were kept, and what
//! became of unsynced content. The rules and their reasons are in the module above.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::damage::{Choice, Dirty};
use super::explore::{Budget, Explored};
use super::inode::{Body, Inode, Key};
use super::log::{Edit, Entry, Sync};
use super::state::{DiskState, LAST_RESERVED, Live, ROOT};
use super::{Options, SimFs};

type Table = Vec<Option<Arc<Inode>>>;

/// How far the clock is ahead after a mount, in operations: a machine does not come back at once.
const TICKS_OFF: u64 = 1000;

/// A log of operations and the disk it began with. Cheap to clone; can be explored on several threads.
#[derive(Debug, Clone)]
pub struct Recording(Arc<Recorded>);

#[derive(Debug)]
struct Recorded {
    options: Arc<Options>,
    volume: u64,
    next_number: u64,
    base: Table,
    base_ticks: u64,
    entries: Vec<Arc<Entry>>,
}

impl Recording {
    pub(super) fn of(state: &DiskState) -> Self {
        let log = state.log.as_ref().expect("recording was begun");
        Self(Arc::new(Recorded {
            options: Arc::clone(&state.options),
            volume: state.volume,
            next_number: state.next_number,
            base: log.base.clone(),
            base_ticks: state.ticks.saturating_sub(log.entries.len() as u64),
            entries: log.entries.clone(),
        }))
    }

    /// How many points there are at which the machine may stop: before the first operation, and after each.
    pub fn points(&self) -> usize {
        self.0.entries.len() + 1
    }

    /// What was done, in words, in order; operation `n` (from 0) is the last one of point `n + 1`.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.0.entries.iter().map(|entry| entry.text.as_str())
    }

    /// What may be on the disk if the machine stops after the first `point` operations.
    pub fn at(&self, point: usize) -> CrashPoint {
        let mut replay =
            Replay { disk: self.0.base.clone(), cache: self.0.base.clone(), pending: Vec::new() };
        for (number, entry) in self.0.entries[..point].iter().enumerate() {
            replay.apply(number, entry);
        }
        replay.finish(self, point)
    }

    /// Every state of every point, within the budget. Stops when `f` says so.
    pub fn for_each_crash_state(
        &self,
        budget: Budget,
        seed: u64,
        f: &mut dyn FnMut(&CrashState<'_>) -> ControlFlow<()>,
    ) -> Explored {
        let mut explored = Explored::default();
        for point in 0..self.points() {
            explored += self.at(point).for_each_state(budget, seed, f);
            if explored.stopped {
                break;
            }
        }
        explored
    }
}

/// An operation on names that is not yet durable.
#[derive(Debug, Clone)]
struct Waiting {
    /// Its place in the log.
    number: usize,
    entry: Arc<Entry>,
    /// Places in the log of those it cannot be kept without.
    needs: Vec<usize>,
}

/// The way from a log to a crash point.
struct Replay {
    /// What is certain to be there.
    disk: Table,
    /// What programs saw.
    cache: Table,
    pending: Vec<Waiting>,
}

impl Replay {
    fn apply(&mut self, number: usize, entry: &Arc<Entry>) {
        let made = entry.edits.iter().find(|edit| edit.made).and_then(|edit| edit.new);
        for (key, image) in &entry.images {
            if self.cache.len() <= *key {
                self.cache.resize(*key + 1, None);
                self.disk.resize(*key + 1, None);
            }
            if made == Some(*key) {
                // Nothing but its name keeps it from being there: the inode comes with the name.
                self.disk[*key] = Some(Arc::clone(image));
            }
            self.cache[*key] = Some(Arc::clone(image));
            self.follow_device(*key, image);
        }
        if !entry.edits.is_empty() {
            let needs = self.needs(entry);
            self.pending.push(Waiting { number, entry: Arc::clone(entry), needs });
        }
        match entry.sync {
            Some(Sync::Volume) => {
                let all = std::mem::take(&mut self.pending);
                all.iter().for_each(|waiting| keep(&mut self.disk, &waiting.entry.edits));
                self.disk.clone_from(&self.cache);
            }
            Some(Sync::Item(key)) => self.sync(key),
            None => {}
        }
    }

    /// The device's own bytes can change without a sync when a bit flips.
    fn follow_device(&mut self, key: Key, image: &Inode) {
        let Some(device) = image.content().map(|content| &content.device) else { return };
        let Some(on_disk) = &mut self.disk[key] else { return };
        if on_disk.content().is_some_and(|content| !Arc::ptr_eq(&content.device, device))
            && let Body::File(content) = &mut Arc::make_mut(on_disk).body
        {
            content.device = Arc::clone(device);
        }
    }

    /// Which pending operations a new one cannot be kept without; see the module above for the rules.
    fn needs(&self, entry: &Entry) -> Vec<usize> {
        let number_of = |key: Key| self.cache[key].as_ref().map(|inode| inode.number);
        let is_folder = |key: Key| self.cache[key].as_ref().is_some_and(|inode| inode.is_folder());
        let touched = |key: Option<Key>| {
            key.is_some_and(|key| entry.edits.iter().any(|e| e.old == Some(key) || e.new == Some(key)))
        };
        let moves_folder = |edits: &[Edit]| {
            edits.iter().any(|to| {
                to.new.is_some_and(is_folder)
                    && edits.iter().any(|from| from.old == to.new && from.dir != to.dir)
            })
        };
        let emptied = |dir: Key| {
            entry.edits.iter().any(|e| e.old == Some(dir)) && entry.edits.iter().all(|e| e.new != Some(dir))
        };
        let made = entry.edits.iter().find(|e| e.made).and_then(|e| e.new).and_then(number_of);
        let needed = |earlier: &Waiting| {
            let edits = &earlier.entry.edits;
            edits.iter().any(|before| {
                entry.edits.iter().any(|e| e.dir == before.dir && e.name == before.name)
                    || touched(before.new)
                    || (before.made && entry.edits.iter().any(|e| Some(e.dir) == before.new))
                    || emptied(before.dir)
                    || (made.is_some() && before.old.and_then(number_of) == made)
            }) || (moves_folder(edits) && moves_folder(&entry.edits))
        };
        self.pending.iter().filter(|earlier| needed(earlier)).map(|earlier| earlier.number).collect()
    }

    fn sync(&mut self, key: Key) {
        let Some(cached) = self.cache[key].clone() else { return };
        if !cached.is_folder() {
            self.disk[key] = Some(cached);
            return;
        }
        let mut kept = BTreeSet::new();
        for waiting in self.pending.iter().rev() {
            let touches = waiting.entry.edits.iter().any(|edit| edit.dir == key);
            if touches || kept.contains(&waiting.number) {
                kept.insert(waiting.number);
                kept.extend(waiting.needs.iter().copied());
            }
        }
        let (now, later) =
            std::mem::take(&mut self.pending).into_iter().partition(|w| kept.contains(&w.number));
        self.pending = later;
        let now: Vec<Waiting> = now;
        now.iter().for_each(|waiting| keep(&mut self.disk, &waiting.entry.edits));
        // All that was done in the folder is in the disk's copy now, so the two hold the same entries.
        self.disk[key] = Some(cached);
    }

    fn finish(mut self, recording: &Recording, point: usize) -> CrashPoint {
        let place: Vec<usize> = self.pending.iter().map(|waiting| waiting.number).collect();
        for waiting in &mut self.pending {
            // What has become durable is there anyway; the rest is named by its place among the pending.
            waiting.needs = waiting.needs.iter().filter_map(|n| place.binary_search(n).ok()).collect();
        }
        let dirty = (0..self.cache.len())
            .filter_map(|key| Dirty::of(key, self.disk[key].as_ref()?, self.cache[key].as_ref()?))
            .collect();
        CrashPoint { recording: recording.clone(), point, disk: self.disk, pending: self.pending, dirty }
    }
}

/// Makes an operation's names part of a table.
fn keep(table: &mut Table, edits: &[Edit]) {
    for edit in edits {
        if let Some(inode) = &mut table[edit.dir]
            && let Body::Folder(folder) = &mut Arc::make_mut(inode).body
        {
            folder.set(&edit.name, edit.new);
        }
    }
}

/// All that may be on the disk if the machine stops at one point.
#[derive(Debug)]
pub struct CrashPoint {
    recording: Recording,
    point: usize,
    disk: Table,
    pending: Vec<Waiting>,
    pub(super) dirty: Vec<Dirty>,
}

impl CrashPoint {
    /// Operations done before the machine stopped.
    pub fn number(&self) -> usize {
        self.point
    }

    /// The last operation done, in words.
    pub fn last_operation(&self) -> &str {
        self.point.checked_sub(1).map_or("(nothing yet)", |last| &self.recording.0.entries[last].text)
    }

    /// Operations on names that may be lost.
    pub fn unsynced_operations(&self) -> usize {
        self.pending.len()
    }

    /// Places among the pending of those that operation `i` of the pending needs; all are before it.
    pub(super) fn needs(&self, i: usize) -> &[usize] {
        &self.pending[i].needs
    }

    fn with_names(&self, kept: &[bool]) -> Table {
        let mut table = self.disk.clone();
        for (waiting, _) in self.pending.iter().zip(kept).filter(|(_, kept)| **kept) {
            keep(&mut table, &waiting.entry.edits);
        }
        table
    }

    /// The id of an inode, as programs see it.
    fn number_of(&self, key: Key) -> u64 {
        self.disk[key].as_ref().map_or(0, |inode| inode.number)
    }

    /// The path of an inode if everything is kept.
    fn path_of(&self, key: Key) -> String {
        let table = self.with_names(&vec![true; self.pending.len()]);
        let mut stack = vec![(ROOT, String::new())];
        while let Some((at, path)) = stack.pop() {
            if at == key {
                return if at == ROOT { ".".into() } else { path };
            }
            let entries = table[at].as_ref().and_then(|inode| inode.folder()).map(|folder| &folder.entries);
            for (label, child) in entries.into_iter().flatten() {
                let slash = if path.is_empty() { "" } else { "/" };
                stack.push((*child, format!("{path}{slash}{}", fcs_sys::escaped(label))));
            }
        }
        "(nameless)".into()
    }

    /// Which of the dirty inodes have a name.
    pub(super) fn visible(&self, kept: &[bool]) -> Vec<bool> {
        let links = count_names(&mut self.with_names(kept));
        self.dirty.iter().map(|dirty| links[dirty.key] > 0).collect()
    }
}

/// Counts the names that lead to each inode, and sets the folders' ways up.
fn count_names(table: &mut Table) -> Vec<u64> {
    let mut links = vec![0; table.len()];
    links[ROOT] = 1;
    let mut stack = vec![ROOT];
    let mut below = Vec::new();
    while let Some(dir) = stack.pop() {
        let Some(folder) = table[dir].as_ref().and_then(|inode| inode.folder()) else { continue };
        for (_, child) in &folder.entries {
            links[*child] += 1;
            if table[*child].as_ref().is_some_and(|inode| inode.is_folder()) {
                assert!(links[*child] == 1, "the crash model gave a folder two names");
                below.push(*child);
            }
        }
        for child in below.drain(..) {
            stack.push(child);
            if let Some(inode) = &mut table[child]
                && inode.folder().is_some_and(|folder| folder.parent != dir)
                && let Body::Folder(folder) = &mut Arc::make_mut(inode).body
            {
                folder.parent = dir;
            }
        }
    }
    links
}

/// One state a crash may leave.
#[derive(Debug)]
pub struct CrashState<'a> {
    pub(super) point: &'a CrashPoint,
    /// Which state of its point, counted from 0; the same for the same recording, budget and seed.
    pub number: u64,
    pub(super) seed: u64,
    /// Of the pending operations, which were kept.
    pub(super) kept: Vec<bool>,
    /// One for each dirty inode.
    pub(super) choices: Vec<Choice>,
}

impl CrashState<'_> {
    /// Where the machine stopped.
    pub fn point(&self) -> &CrashPoint {
        self.point
    }

    /// A disk that holds this state and nothing else; not recording.
    pub fn mount(&self) -> SimFs {
        let point = self.point;
        let mut table = point.with_names(&self.kept);
        for (dirty, choice) in point.dirty.iter().zip(&self.choices) {
            if let Some(inode) = &mut table[dirty.key] {
                *inode = Arc::new(dirty.left(choice, inode, self.seed ^ self.number));
            }
        }
        let links = count_names(&mut table);
        let mut used = 0;
        for (slot, &links) in table.iter_mut().zip(&links) {
            let Some(inode) = slot else { continue };
            if links == 0 {
                *slot = None;
                continue;
            }
            if inode.links != links {
                Arc::make_mut(inode).links = links;
            }
            if let Some(content) = inode.content() {
                used += content.allocated();
                if !Arc::ptr_eq(&content.cached, &content.device)
                    && let Body::File(content) = &mut Arc::make_mut(inode).body
                {
                    content.cached = Arc::clone(&content.device);
                    content.dirty = false;
                }
            }
        }
        SimFs::from_state(self.state(table, used))
    }

    fn state(&self, inodes: Table, used: u64) -> DiskState {
        let recorded = &*self.point.recording.0;
        let last = self.point.point.checked_sub(1);
        let ticks = last.map_or(recorded.base_ticks, |last| recorded.entries[last].ticks);
        let mut free_numbers = BTreeSet::new();
        if recorded.options.reuse_numbers {
            free_numbers.extend(LAST_RESERVED + 1..=recorded.next_number);
            inodes.iter().flatten().for_each(|inode| {
                free_numbers.remove(&inode.number);
            });
        }
        DiskState {
            options: Arc::clone(&recorded.options),
            live: vec![Live::default(); inodes.len()],
            inodes,
            volume: recorded.volume + u64::from(recorded.options.new_volume_on_mount),
            ticks: ticks + TICKS_OFF,
            next_number: recorded.next_number,
            free_numbers,
            next_handle: 0,
            used,
            log: None,
        }
    }

    /// The state in words, with the log that led to it: enough to understand a failure and to bring it about again.
    pub fn describe(&self) -> String {
        let point = self.point;
        let mut text = String::new();
        let _ = writeln!(
            text,
            "crash after operation {} of {} ({}), state {}",
            point.point,
            point.recording.points() - 1,
            point.last_operation(),
            self.number
        );
        for (waiting, kept) in point.pending.iter().zip(&self.kept) {
            let word = if *kept { "kept" } else { "LOST" };
            let _ = writeln!(text, "  {word} #{} {}", waiting.number + 1, waiting.entry.text);
        }
        for (dirty, choice) in point.dirty.iter().zip(&self.choices) {
            let number = point.number_of(dirty.key);
            let _ = writeln!(text, "  {} (id {number}):{}", point.path_of(dirty.key), dirty.describe(choice));
        }
        let _ = writeln!(text, "the operations:");
        for (number, entry) in point.recording.0.entries[..point.point].iter().enumerate() {
            let _ = writeln!(text, "  #{} {}", number + 1, entry.text);
        }
        text
    }
}
