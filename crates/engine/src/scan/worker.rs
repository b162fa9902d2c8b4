//! What a scan worker does with one folder: open it, list it, examine what is in it, file the result.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fcs_sys::{DirRef, Kind, Name, OsReason, escaped, reason};

use super::names::{Extras, Names};
use super::queue::{Anchor, Big, Queue, ScanWork, Siblings, SubFolder, Task};
use super::side::{Listing, Side};
use crate::dir_cache::DirCache;
use crate::filter::{Candidate, Filter};
use crate::names::{is_reserved, is_system_item};
use crate::probe;
use crate::progress::add;
use crate::tree::Entry;
use crate::{Control, Error, ErrorKind, Op, Result, Settings};

/// Folders with at least this many items are examined by several workers.
const BIG_FOLDER: usize = 2048;
/// Items of a big folder examined in one go. Bounds how long a cancel can go unseen. Their entries are large enough
/// for the allocator to hand the memory back as soon as they are sorted.
const PART: usize = 2048;
/// One folder in this many levels stays open while anything below it waits, as far as the limit of open files
/// allows; deeper ones are reached from there. Smaller would hold more handles in a very deep tree, larger would walk
/// further: 512 holds 196 at depth 100,000.
const ANCHOR_LEVELS: u32 = 512;
/// How long to wait for others to give handles back when the system is out of them, and how often in one scan: a
/// shortage that does not pass must not hold up each of a million folders.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(10);
const EXHAUSTED_PAUSES: u32 = 200;

/// An open folder about to be listed or being examined.
pub(super) struct OpenFolder {
    side: usize,
    number: u32,
    depth: u32,
    dir: DirRef,
    anchor: Arc<Anchor>,
    /// Path below the root, where the filter needs it.
    path: Option<Arc<[u8]>>,
    included: bool,
    /// The volume it is on.
    volume: u64,
    /// Whether that is mounted right here.
    is_mounted: bool,
}

/// Room a worker reuses from folder to folder.
#[derive(Default)]
struct Scratch {
    names: Names,
    path: Vec<u8>,
}

/// A name about to be examined.
struct Listed {
    /// Its place in the listing.
    at: u32,
    name: Name,
    /// What the listing told already.
    known: Option<Entry>,
}

/// The entries of a run of names, in the order of the listing, and what came with them.
pub(super) type Examined = (Vec<Option<Entry>>, Extras);

/// The whole scan.
struct Walk<'a> {
    sides: &'a [Side<'a>],
    filter: &'a Filter,
    control: &'a Control,
    queue: Queue,
    /// Per side, folders reopened from their anchors.
    reopened: Vec<Mutex<DirCache>>,
    anchors: Arc<AtomicUsize>,
    most_anchors: usize,
    max_items: u64,
    /// Folders on other volumes are not entered.
    one_volume: bool,
    /// How many more times the scan waits for handles.
    patience: AtomicU32,
    cancelled: AtomicBool,
    failed: Mutex<Option<Error>>,
}

/// Scans all sides. True when a cancel ended it early.
pub(super) fn run(
    sides: &[Side<'_>],
    filter: &Filter,
    settings: &Settings,
    control: &Control,
) -> Result<bool> {
    // Three eighths of what the process may open at most: whoever uses the engine needs some too.
    let files = fcs_sys::raise_open_file_limit().unwrap_or(4096);
    let eighth = |most: u64| (files / 8).clamp(2, most) as usize;
    let walk = Walk {
        sides,
        filter,
        control,
        queue: Queue::new(eighth(256), sides.len()),
        reopened: sides.iter().map(|_| Mutex::new(DirCache::new(eighth(128) / 2))).collect(),
        anchors: Arc::default(),
        most_anchors: eighth(1024),
        max_items: settings.max_items,
        one_volume: settings.one_file_system,
        patience: AtomicU32::new(EXHAUSTED_PAUSES),
        cancelled: AtomicBool::new(false),
        failed: Mutex::new(None),
    };
    std::thread::scope(|scope| {
        for _ in 1..settings.effective_scan_workers() {
            let worker = std::thread::Builder::new().name("fcs-scan".into());
            if worker.spawn_scoped(scope, || walk.work()).is_err() {
                break; // fewer workers do the same
            }
        }
        walk.work();
    });
    match walk.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(walk.cancelled.into_inner()),
    }
}

/// Lets the other workers go when one panics; they would wait for it without end.
struct StopOnPanic<'a>(&'a Queue);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

impl Walk<'_> {
    fn work(&self) {
        let _guard = StopOnPanic(&self.queue);
        let mut scratch = Scratch::default();
        let mut was_busy = false;
        while let Some(work) = self.queue.take(was_busy) {
            was_busy = true;
            if self.control.cancel.should_stop() {
                self.cancelled.store(true, Ordering::Relaxed);
                self.queue.stop();
                return;
            }
            match work {
                ScanWork::Root(side) => self.list(self.root(side), &mut scratch),
                ScanWork::Folder(task) => self.enter(task, &mut scratch),
                ScanWork::Part(big, part) => self.examine_part(&big, part, &mut scratch),
            }
        }
    }

    fn root(&self, side: usize) -> OpenFolder {
        let dir = Arc::clone(&self.sides[side].root.dir);
        OpenFolder {
            side,
            number: 0,
            depth: 0,
            anchor: self.anchor(0, &dir),
            dir,
            path: self.filter.needs_path().then(|| Arc::from([].as_slice())),
            included: false,
            volume: self.sides[side].entry.volume(),
            is_mounted: self.sides[side].entry.is_mounted(),
        }
    }

    fn anchor(&self, folder: u32, dir: &DirRef) -> Arc<Anchor> {
        self.anchors.fetch_add(1, Ordering::Relaxed);
        Arc::new(Anchor { folder, dir: Arc::clone(dir), alive: Arc::clone(&self.anchors) })
    }

    fn enter(&self, mut task: Task, scratch: &mut Scratch) {
        match self.open(&mut task) {
            Ok((dir, name)) => {
                let path = task.path.as_deref().map(|parent| {
                    join(parent, name.as_bytes(), &mut scratch.path);
                    Arc::from(scratch.path.as_slice())
                });
                // Closes the parent before the folder is listed: a chain of folders holds one handle, not all.
                let Task { side, number, depth, anchor, sub, .. } = task;
                let SubFolder { included, volume, is_mounted, .. } = sub;
                self.list(
                    OpenFolder { side, number, depth, dir, anchor, path, included, volume, is_mounted },
                    scratch,
                );
            }
            Err(e) => {
                let error = Some(self.fact(task.side, task.number, None, Op::Open, e));
                self.sides[task.side].store(task.number, Listing { error, ..Listing::default() });
            }
        }
    }

    /// Opens a folder from its parent or, where that was closed, from the nearest folder above that is open.
    fn open(&self, task: &mut Task) -> io::Result<(DirRef, Name)> {
        let parent = match task.dir.take() {
            Some(dir) => dir,
            None => self.reopen(task)?,
        };
        let name = self.sides[task.side].folder_name(task.number)?.1;
        Ok((self.with_patience(|| parent.open_dir(&name))?, name))
    }

    /// Opens a task's parent again. What is opened on the way down is kept, because the next folders to be taken lie
    /// along the same way, one level up at a time.
    fn reopen(&self, task: &Task) -> io::Result<DirRef> {
        let side = &self.sides[task.side];
        let kept = || self.reopened[task.side].lock().unwrap_or_else(PoisonError::into_inner);
        let mut way = Vec::new();
        let mut at = task.parent;
        let mut dir = loop {
            if at == task.anchor.folder {
                break Arc::clone(&task.anchor.dir);
            }
            if let Some(dir) = kept().get(at) {
                break dir;
            }
            let (above, name) = side.folder_name(at)?;
            way.push((at, name));
            at = above;
        };
        for (folder, name) in way.into_iter().rev() {
            dir = self.with_patience(|| dir.open_dir(&name))?;
            kept().put(folder, Arc::clone(&dir));
        }
        Ok(dir)
    }

    /// Does something that needs handles, again after a pause as long as the system has none.
    fn with_patience<T>(&self, mut what: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match what() {
                Err(e) if reason(&e) == OsReason::Exhausted && !self.control.cancel.should_stop() => {
                    let one_less = |left: u32| left.checked_sub(1);
                    if self.patience.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
                        return Err(e);
                    }
                    std::thread::sleep(EXHAUSTED_PAUSE);
                }
                result => return result,
            }
        }
    }

    fn list(&self, open: OpenFolder, scratch: &mut Scratch) {
        let side = &self.sides[open.side];
        let mut names = std::mem::take(&mut scratch.names);
        let room = self.max_items.saturating_sub(side.listed.load(Ordering::Relaxed));
        let (mut too_many, mut home) = (false, None);
        let mut passed_over = HashSet::new();
        let listed = self.with_patience(|| {
            names.clear();
            home = None;
            passed_over.clear();
            open.dir.list(&mut |item| {
                // A listing cannot be broken off, but it need not be kept.
                too_many |= names.count() as u64 > room;
                if is_reserved(item.name) {
                    names.reserved += 1;
                } else if (open.number == 0 && side.is_top || open.is_mounted) && is_system_item(item.name) {
                    passed_over.insert(escaped(item.name).into_owned());
                } else if open.number == 0 && side.is_home(item.name) {
                    home = Name::new(item.name).ok();
                } else if !too_many {
                    too_many |= !names.push(item.name, item.metadata.as_ref().map(Entry::from));
                }
            })
        });
        side.reserved.fetch_add(names.reserved, Ordering::Relaxed);
        if !passed_over.is_empty() {
            names.left_out = true;
            side.system_items.lock().unwrap_or_else(PoisonError::into_inner).extend(passed_over);
        }
        // The root's own `.fcs` is where it belongs, and no news.
        if home.is_some_and(|name| !is_own_home(&open.dir, &name)) {
            side.foreign_home.store(true, Ordering::Relaxed);
        }
        let count = names.count();
        let before = side.listed.fetch_add(count as u64, Ordering::Relaxed);
        if too_many || before + count as u64 > self.max_items {
            let error = Error::new(Op::List, &side.root.path, ErrorKind::TooManyItems);
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.queue.stop();
            return;
        }
        let error = listed.err().map(|e| self.fact(open.side, open.number, None, Op::List, e));
        if count >= BIG_FOLDER {
            let parts = count.div_ceil(PART);
            let mut slots = Vec::new();
            slots.resize_with(parts, || None);
            let left = AtomicUsize::new(parts);
            let big = Big { folder: open, names, error, parts: Mutex::new(slots), left };
            self.queue.push_parts(Arc::new(big), parts);
        } else {
            let examined = self.examine(&open, &names, 0..count, scratch);
            let mut listing = names.assemble(side.order, std::iter::once(examined));
            listing.error = error.or(listing.error);
            self.finish(&open, listing);
            scratch.names = names;
        }
    }

    fn examine_part(&self, big: &Big, part: usize, scratch: &mut Scratch) {
        let end = ((part + 1) * PART).min(big.names.count());
        let examined = self.examine(&big.folder, &big.names, part * PART..end, scratch);
        big.parts.lock().unwrap_or_else(PoisonError::into_inner)[part] = Some(examined);
        if big.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let parts = std::mem::take(&mut *big.parts.lock().unwrap_or_else(PoisonError::into_inner));
            let order = self.sides[big.folder.side].order;
            let mut listing = big.names.assemble(order, parts.into_iter().flatten());
            listing.error = big.error.clone().or(listing.error);
            self.finish(&big.folder, listing);
        }
    }

    /// Asks for the metadata of a range of names.
    fn examine(
        &self,
        open: &OpenFolder,
        names: &Names,
        range: Range<usize>,
        scratch: &mut Scratch,
    ) -> Examined {
        add(&self.control.progress.items_scanned, range.len() as u64);
        let mut extras = Extras::default();
        let start = range.start;
        let mut entries: Vec<Option<Entry>> = range
            .map(|at| {
                let Ok(name) = Name::new(names.name(at)) else {
                    // Not a name on this system, so it cannot be asked; the folder is then not fully known.
                    let error = io::Error::from(io::ErrorKind::InvalidFilename);
                    extras.error = Some(self.fact(open.side, open.number, None, Op::List, error));
                    return None;
                };
                let item = Listed { at: at as u32, name, known: names.known(at) };
                self.examine_one(open, &item, &mut scratch.path, &mut extras)
            })
            .collect();
        let gone = std::mem::take(&mut extras.gone);
        if !gone.is_empty() {
            let listed_still = self.list_once_more(open, &gone);
            for (at, name) in gone {
                let listed = listed_still.as_ref().is_none_or(|names| names.contains(name.as_bytes()));
                let entry = self.examine_once_more(open, (at, name), listed, &mut scratch.path, &mut extras);
                entries[at as usize - start] = entry;
            }
        }
        (entries, extras)
    }

    /// Which of these names the folder lists now; `None` where it cannot be listed.
    fn list_once_more(&self, open: &OpenFolder, gone: &[(u32, Name)]) -> Option<HashSet<Box<[u8]>>> {
        let wanted: HashSet<&[u8]> = gone.iter().map(|(_, name)| name.as_bytes()).collect();
        let listed = self.with_patience(|| {
            let mut names = HashSet::new();
            open.dir.list(&mut |item| {
                if wanted.contains(item.name) {
                    names.insert(item.name.into());
                }
            })?;
            Ok(names)
        });
        listed.ok()
    }

    /// A name that was listed and then not found. A loop that removes and makes a file again does that for a moment,
    /// a damaged or encrypted folder permanently (overlayfs, eCryptfs and gocryptfs list such entries). Neither proves
    /// that the item is absent, so it stays in the tree as one that could not be asked.
    fn examine_once_more(
        &self,
        open: &OpenFolder,
        (at, name): (u32, Name),
        listed: bool,
        path: &mut Vec<u8>,
        extras: &mut Extras,
    ) -> Option<Entry> {
        let item = Listed { at, name, known: None };
        let entry = self.examine_one(open, &item, path, extras);
        let Some((_, name)) = extras.gone.pop() else { return entry };
        #[cfg(fcs_planted)]
        if crate::planted::is(crate::planted::Fault::NotFoundIsAbsent) {
            return None;
        }
        let path = self.sides[open.side].path(open.number, Some(&name));
        let kind = if listed { ErrorKind::ListedNotFound } else { ErrorKind::Vanished };
        let error = Error::new(Op::Examine, path, kind);
        // What is not listed any more is reported only if the other side has it: else both agree.
        if listed {
            self.control.observer.error(&error);
        }
        extras.unreadable.push((at, error));
        Some(Entry::UNKNOWN)
    }

    /// What one name stands for; `None` if it does not take part, or was not found and is in `extras.gone`.
    fn examine_one(
        &self,
        open: &OpenFolder,
        listed: &Listed,
        path: &mut Vec<u8>,
        extras: &mut Extras,
    ) -> Option<Entry> {
        let Listed { at, name, known } = listed;
        if let Some(parent) = &open.path {
            join(parent, name.as_bytes(), path);
        }
        let item = |is_folder| Candidate { name: name.as_bytes(), path, is_folder };
        if !self.filter.is_empty() && self.filter.excludes(item(false)) {
            // Only so that a pattern whose every match is left out by another one does not count as unused.
            self.filter.includes(item(false));
            extras.left_out = true;
            return None;
        }
        let asked = || {
            open.dir.stat(name).map(|m| {
                let mut entry = Entry::from(&m);
                if m.mounted.is_none() && m.id.volume != open.volume {
                    entry.mark_mounted();
                }
                entry
            })
        };
        let mut entry = match known.map_or_else(asked, Ok) {
            Ok(entry) => entry,
            Err(e) if reason(&e) == OsReason::NotFound => {
                extras.gone.push((*at, name.clone()));
                return None;
            }
            Err(e) => {
                // It may be a folder, so no include pattern can leave it out.
                let error = self.fact(open.side, open.number, Some(name), Op::Examine, e);
                extras.unreadable.push((*at, error));
                return Some(Entry::UNKNOWN);
            }
        };
        let is_folder = entry.kind == Kind::Folder;
        let mut included = open.included || self.filter.is_empty();
        if !self.filter.is_empty() {
            included = included || self.filter.includes(item(is_folder));
            if (is_folder && self.filter.excludes(item(true))) || (!is_folder && !included) {
                extras.left_out = true;
                return None;
            }
        }
        match entry.kind {
            // What an earlier run on this very folder left.
            Kind::Folder if name.is_home() && is_own_home(&open.dir, name) => {
                self.sides[open.side].reserved.fetch_add(1, Ordering::Relaxed);
                extras.left_out = true;
                return None;
            }
            Kind::Folder => {
                if !included {
                    entry.mark_carrier();
                }
                if self.one_volume && (entry.is_mounted() || entry.volume() != open.volume) {
                    entry.mark_boundary();
                } else {
                    let (volume, is_mounted) = (entry.volume(), entry.is_mounted());
                    extras.folders.push((*at, SubFolder { child: 0, included, volume, is_mounted }));
                }
            }
            Kind::Symlink => match open.dir.read_link(name) {
                Ok(text) => extras.links.push((*at, text)),
                Err(e) if reason(&e) == OsReason::NotFound => {
                    extras.gone.push((*at, name.clone()));
                    return None;
                }
                Err(e) => {
                    let error = self.fact(open.side, open.number, Some(name), Op::Read, e);
                    extras.unreadable.push((*at, error));
                }
            },
            Kind::File | Kind::Other => {}
        }
        Some(entry)
    }

    fn finish(&self, open: &OpenFolder, listing: Listing) {
        let (base, folders) = self.sides[open.side].store(open.number, listing);
        if folders.is_empty() {
            return;
        }
        let has_room = self.anchors.load(Ordering::Relaxed) < self.most_anchors;
        let anchor = if open.depth.is_multiple_of(ANCHOR_LEVELS) && has_room {
            self.anchor(open.number, &open.dir)
        } else {
            Arc::clone(&open.anchor)
        };
        self.queue.push(Siblings {
            side: open.side,
            parent: open.number,
            base,
            folders,
            next: 0,
            depth: open.depth + 1,
            dir: Some(Arc::clone(&open.dir)),
            drops_dir: false,
            anchor,
            path: open.path.clone(),
        });
    }

    /// Makes an error of the system a fact and tells the observer.
    fn fact(&self, side: usize, folder: u32, name: Option<&Name>, op: Op, error: io::Error) -> Error {
        let served = probe::links::in_doubt(&self.sides[side].volume);
        let error = Error::os(op, self.sides[side].path(folder, name), error)
            .on_volume(served)
            .ask_holders(&*self.sides[side].root.dir);
        self.control.observer.error(&error);
        error
    }
}

/// Whether a folder called `.fcs` is one that this program made: it makes the first two of these at once. Where that
/// cannot be told it counts as such: what may hold originals is left alone.
fn is_own_home(dir: &DirRef, name: &Name) -> bool {
    let asked = dir.open_dir(name).map(|home| {
        let has = |what: &[u8]| Name::new(what).is_ok_and(|what| home.stat(&what).is_ok());
        [&b"lock"[..], b"README.txt", b"runs", b"undo"].into_iter().filter(|what| has(what)).count() >= 2
    });
    match asked {
        Ok(ours) => ours,
        Err(e) => !matches!(reason(&e), OsReason::NotAFolder | OsReason::IsALink | OsReason::NotFound),
    }
}

fn join(parent: &[u8], name: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if !parent.is_empty() {
        out.extend_from_slice(parent);
        out.push(b'/');
    }
    out.extend_from_slice(name);
}
