//! What the simulated disk holds now, and what each operation does to it: the rules and errors of Linux.
//!
//! Invariant: an operation that fails changes nothing and is not logged; one that succeeds is logged with what it
//! left behind, so that the crash model never has to know these rules.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use fcs_sys::{Kind, Metadata, Owner, Rename, Time, Times};

use super::Options;
use super::inode::{ALLOCATION, Body, Content, Folder, Inode, Key, Label};
use super::log::{Edit, Entry, Log, Sync};

/// The root folder's place in the table.
pub(super) const ROOT: Key = 0;
/// The root folder's number, as on ext4.
const ROOT_NUMBER: u64 = 2;
/// The number before that of the first item made.
pub(super) const LAST_RESERVED: u64 = 11;
/// Well in the past, so that nothing waits for a file to be older than the clock's step.
const FIRST_SECOND: i64 = 1_500_000_000;

pub(super) fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

fn unsupported() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

/// What lives only as long as the disk is mounted.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    pub(super) opens: u32,
    /// The handle that holds the lock.
    pub(super) lock: Option<u64>,
}

/// The disk, mounted.
#[derive(Debug, Clone)]
pub(super) struct DiskState {
    pub(super) options: Arc<Options>,
    pub(super) inodes: Vec<Option<Arc<Inode>>>,
    pub(super) live: Vec<Live>,
    pub(super) volume: u64,
    /// Operations so far; the clock.
    pub(super) ticks: u64,
    pub(super) next_number: u64,
    pub(super) free_numbers: BTreeSet<u64>,
    pub(super) next_handle: u64,
    pub(super) used: u64,
    pub(super) log: Option<Log>,
}

impl DiskState {
    pub(super) fn new(options: Options) -> Self {
        let root = Folder { entries: Vec::new(), parent: ROOT };
        let time = Time::new(FIRST_SECOND, 0);
        Self {
            inodes: vec![Some(Arc::new(Inode::new(ROOT_NUMBER, 0o755, time, Body::Folder(root))))],
            live: vec![Live::default()],
            volume: options.volume,
            options: Arc::new(options),
            ticks: 0,
            next_number: LAST_RESERVED,
            free_numbers: BTreeSet::new(),
            next_handle: 0,
            used: 0,
            log: None,
        }
    }

    pub(super) fn now(&mut self) -> Time {
        self.ticks += 1;
        let nanos = i128::from(FIRST_SECOND) * 1_000_000_000
            + i128::from(self.ticks) * i128::from(self.options.tick_nanos);
        self.stored(Time::from_nanos(nanos))
    }

    fn stored(&self, time: Time) -> Time {
        time.rounded_down(self.options.time_granularity_nanos)
    }

    pub(super) fn get(&self, key: Key) -> &Inode {
        self.inodes[key].as_ref().expect("an inode in use is in the table")
    }

    fn edit(&mut self, key: Key) -> &mut Inode {
        Arc::make_mut(self.inodes[key].as_mut().expect("an inode in use is in the table"))
    }

    fn folder(&self, key: Key) -> &Folder {
        self.get(key).folder().expect("a folder's key is a folder")
    }

    fn folder_mut(&mut self, key: Key) -> &mut Folder {
        match &mut self.edit(key).body {
            Body::Folder(folder) => folder,
            _ => unreachable!("a folder's key is a folder"),
        }
    }

    pub(super) fn may_write(&self) -> io::Result<()> {
        if self.options.read_only { Err(errno(libc::EROFS)) } else { Ok(()) }
    }

    fn check_length(name: &[u8]) -> io::Result<()> {
        if name.len() > 255 { Err(errno(libc::ENAMETOOLONG)) } else { Ok(()) }
    }

    /// The inode of a name.
    pub(super) fn lookup(&self, dir: Key, name: &[u8]) -> io::Result<Key> {
        Self::check_length(name)?;
        self.folder(dir).get(name).ok_or_else(|| errno(libc::ENOENT))
    }

    /// The place for a new name.
    fn vacant(&self, dir: Key, name: &[u8]) -> io::Result<()> {
        Self::check_length(name)?;
        if self.folder(dir).get(name).is_some() {
            return Err(errno(libc::EEXIST));
        }
        if self.get(dir).links == 0 {
            return Err(errno(libc::ENOENT));
        }
        self.may_write()
    }

    pub(super) fn metadata(&self, key: Key) -> Metadata {
        let inode = self.get(key);
        let subfolders = inode.folder().map_or(0, |folder| {
            folder.entries.iter().filter(|(_, child)| self.get(*child).is_folder()).count() as u64
        });
        let mut metadata = inode.metadata(self.volume, subfolders);
        if !self.options.lasting_numbers {
            // The next change gives this item the number that its neighbour has now.
            metadata.id.file += self.ticks;
        }
        metadata
    }

    /// The path of an item below the root, for the log.
    pub(super) fn path(&self, dir: Key, name: &[u8]) -> String {
        let mut parts = vec![fcs_sys::escaped(name).into_owned()];
        let mut at = dir;
        while at != ROOT {
            let parent = self.folder(at).parent;
            let found = self.inodes[parent].as_ref().and_then(|p| {
                p.folder()?.entries.iter().find(|(_, key)| *key == at).map(|(label, _)| label.clone())
            });
            let Some(label) = found else {
                parts.push("(removed)".into());
                break;
            };
            parts.push(fcs_sys::escaped(&label).into_owned());
            at = parent;
        }
        parts.reverse();
        parts.join("/")
    }

    /// Some name of an inode, for the log; slow, so only for the log.
    fn path_of(&self, key: Key) -> String {
        if key == ROOT {
            return ".".into();
        }
        for (dir, inode) in self.inodes.iter().enumerate() {
            let Some(folder) = inode.as_ref().and_then(|inode| inode.folder()) else { continue };
            if let Some((label, _)) = folder.entries.iter().find(|(_, child)| *child == key) {
                return self.path(dir, label);
            }
        }
        format!("(nameless #{})", self.get(key).number)
    }

    /// Logs an operation that left the inodes `touched` behind.
    fn log(
        &mut self,
        text: impl FnOnce(&Self) -> String,
        edits: Vec<Edit>,
        touched: &[Key],
        sync: Option<Sync>,
    ) {
        if self.log.is_none() {
            return;
        }
        let text = text(self);
        let images = touched
            .iter()
            .filter_map(|&key| self.inodes[key].as_ref().map(|inode| (key, Arc::clone(inode))))
            .collect();
        let entry = Entry { text, edits, images, sync, ticks: self.ticks };
        if let Some(log) = &mut self.log {
            log.entries.push(Arc::new(entry));
        }
    }

    /// Logs a change to one inode that concerns no name.
    fn log_change(&mut self, what: impl FnOnce() -> String, key: Key) {
        self.log(|s| format!("{} {}", what(), s.path_of(key)), Vec::new(), &[key], None);
    }

    pub(super) fn open(&mut self, key: Key) -> u64 {
        self.live[key].opens += 1;
        self.next_handle += 1;
        self.next_handle
    }

    pub(super) fn close(&mut self, key: Key, handle: u64) {
        let live = &mut self.live[key];
        live.opens -= 1;
        if live.lock == Some(handle) {
            live.lock = None;
        }
        self.release(key);
    }

    /// Frees an inode that has neither name nor handle.
    fn release(&mut self, key: Key) {
        if self.live[key].opens > 0 || self.inodes[key].as_ref().is_none_or(|inode| inode.links > 0) {
            return;
        }
        if let Some(inode) = self.inodes[key].take() {
            self.used -= inode.content().map_or(0, Content::allocated);
            if self.options.reuse_numbers {
                self.free_numbers.insert(inode.number);
            }
        }
    }

    pub(super) fn create(
        &mut self,
        verb: &str,
        dir: Key,
        name: &[u8],
        mode: u32,
        body: Body,
    ) -> io::Result<Key> {
        self.vacant(dir, name)?;
        let now = self.now();
        let number = self.free_numbers.pop_first().unwrap_or_else(|| {
            self.next_number += 1;
            self.next_number
        });
        let key = self.inodes.len();
        self.inodes.push(Some(Arc::new(Inode::new(number, mode, now, body))));
        self.live.push(Live::default());
        let label: Label = name.into();
        self.folder_mut(dir).set(&label, Some(key));
        self.touch(dir, now);
        let edit = Edit { dir, name: label, old: None, new: Some(key), made: true };
        self.log(|s| format!("{verb} {}", s.path(dir, name)), vec![edit], &[dir, key], None);
        Ok(key)
    }

    /// A folder whose entries changed.
    fn touch(&mut self, dir: Key, now: Time) {
        let folder = self.edit(dir);
        folder.modified = now;
        folder.changed = now;
    }

    pub(super) fn remove(&mut self, dir: Key, name: &[u8], want_folder: bool) -> io::Result<()> {
        let key = self.lookup(dir, name)?;
        self.may_write()?;
        match (self.get(key).folder(), want_folder) {
            (None, true) => return Err(errno(libc::ENOTDIR)),
            (Some(_), false) => return Err(errno(libc::EISDIR)),
            (Some(folder), true) if !folder.entries.is_empty() => return Err(errno(libc::ENOTEMPTY)),
            _ => {}
        }
        let now = self.now();
        let text = if self.log.is_some() { self.path(dir, name) } else { String::new() };
        let label: Label = name.into();
        self.folder_mut(dir).set(&label, None);
        self.touch(dir, now);
        self.unlink(key, now);
        let verb = if want_folder { "rmdir" } else { "unlink" };
        let edit = Edit { dir, name: label, old: Some(key), new: None, made: false };
        self.log(|_| format!("{verb} {text}"), vec![edit], &[dir, key], None);
        self.release(key);
        Ok(())
    }

    /// Takes one name from an inode.
    fn unlink(&mut self, key: Key, now: Time) {
        let inode = self.edit(key);
        inode.links -= 1;
        inode.changed = now;
    }

    pub(super) fn hard_link(&mut self, dir: Key, name: &[u8], to_dir: Key, to: &[u8]) -> io::Result<()> {
        if !self.options.hard_links {
            return Err(unsupported());
        }
        let key = self.lookup(dir, name)?;
        self.vacant(to_dir, to)?;
        if self.get(key).is_folder() {
            // The system says EPERM, which the Unix backend passes on as this.
            return Err(unsupported());
        }
        let now = self.now();
        let label: Label = to.into();
        self.folder_mut(to_dir).set(&label, Some(key));
        self.touch(to_dir, now);
        let inode = self.edit(key);
        inode.links += 1;
        inode.changed = now;
        let text = |s: &Self| format!("link {} as {}", s.path(dir, name), s.path(to_dir, to));
        let edit = Edit { dir: to_dir, name: label, old: None, new: Some(key), made: false };
        self.log(text, vec![edit], &[to_dir, key], None);
        Ok(())
    }

    /// Whether `key` is `below` or one of the folders above it.
    fn is_above(&self, key: Key, mut below: Key) -> bool {
        loop {
            if below == key {
                return true;
            }
            if below == ROOT || self.get(below).links == 0 {
                return false;
            }
            below = self.folder(below).parent;
        }
    }

    /// What a rename may not do, in the order in which Linux finds out (`do_renameat2`, `vfs_rename` in fs/namei.c).
    fn check_rename(&self, a: (Key, &[u8]), b: (Key, &[u8]), how: Rename) -> io::Result<(Key, Option<Key>)> {
        // The Unix backend cannot tell a move into itself from a flag the file system does not know: both are EINVAL.
        let into_itself = || if how == Rename::Replace { errno(libc::EINVAL) } else { unsupported() };
        let from = self.lookup(a.0, a.1)?;
        Self::check_length(b.1)?;
        let to = self.folder(b.0).get(b.1);
        match (how, to) {
            (Rename::NoReplace, Some(_)) => return Err(errno(libc::EEXIST)),
            (Rename::Exchange, None) => return Err(errno(libc::ENOENT)),
            _ => {}
        }
        self.may_write()?;
        if self.get(from).is_folder() && self.is_above(from, b.0) {
            return Err(into_itself());
        }
        if let Some(to) = to
            && self.get(to).is_folder()
            && self.is_above(to, a.0)
        {
            return Err(if how == Rename::Exchange { into_itself() } else { errno(libc::ENOTEMPTY) });
        }
        if how == Rename::Exchange && !self.options.exchange {
            return Err(unsupported());
        }
        if self.get(b.0).links == 0 {
            return Err(errno(libc::ENOENT));
        }
        if let (Rename::Replace, Some(to)) = (how, to)
            && to != from
        {
            match (self.get(from).is_folder(), self.get(to).folder()) {
                (true, None) => return Err(errno(libc::ENOTDIR)),
                (false, Some(_)) => return Err(errno(libc::EISDIR)),
                (true, Some(folder)) if !folder.entries.is_empty() => return Err(errno(libc::ENOTEMPTY)),
                _ => {}
            }
        }
        Ok((from, to))
    }

    pub(super) fn rename(&mut self, a: (Key, &[u8]), b: (Key, &[u8]), how: Rename) -> io::Result<()> {
        let (from, to) = self.check_rename(a, b, how)?;
        if to == Some(from) {
            // Two names of one file: nothing happens, not even to the old name (rename(2)).
            return Ok(());
        }
        let verb = match how {
            Rename::Exchange => "exchange",
            Rename::Replace if to.is_some() => "rename over",
            _ => "rename",
        };
        let text = if self.log.is_some() {
            format!("{verb} {} -> {}", self.path(a.0, a.1), self.path(b.0, b.1))
        } else {
            String::new()
        };
        let now = self.now();
        let keeps_times = how != Rename::Exchange || a.0 == b.0 || self.options.exchange_keeps_times;
        let back = to.filter(|_| how == Rename::Exchange);
        let (from_label, to_label): (Label, Label) = (a.1.into(), b.1.into());
        self.folder_mut(a.0).set(&from_label, back);
        self.folder_mut(b.0).set(&to_label, Some(from));
        self.touch(a.0, now);
        self.touch(b.0, now);
        for (key, parent) in [(Some(from), b.0), (back, a.0)] {
            let Some(key) = key else { continue };
            let inode = self.edit(key);
            inode.changed = now;
            if let Body::Folder(folder) = &mut inode.body {
                folder.parent = parent;
                if !keeps_times {
                    inode.modified = now;
                }
            }
        }
        let mut touched = vec![a.0, b.0, from];
        touched.extend(to);
        if let (Some(gone), None) = (to, back) {
            self.unlink(gone, now);
        }
        let edits = vec![
            Edit { dir: a.0, name: from_label, old: Some(from), new: back, made: false },
            Edit { dir: b.0, name: to_label, old: to, new: Some(from), made: false },
        ];
        self.log(|_| text, edits, &touched, None);
        if let (Some(gone), None) = (to, back) {
            self.release(gone);
        }
        Ok(())
    }

    pub(super) fn write(&mut self, key: Key, buffer: &[u8], offset: u64) -> io::Result<usize> {
        self.may_write()?;
        if buffer.is_empty() {
            return Ok(0);
        }
        let content = self.get(key).content().ok_or_else(|| errno(libc::EISDIR))?;
        let (size, allocated) = (content.cached.len() as u64, content.allocated());
        let mut end = offset + buffer.len() as u64;
        if let Some(limit) = self.options.limit_bytes {
            // As much as fits is written; the next attempt finds no room at all.
            end = end.min(allocated + limit.saturating_sub(self.used) / ALLOCATION * ALLOCATION);
            if end <= offset {
                return Err(errno(libc::ENOSPC));
            }
        }
        let now = self.now();
        let written = (end - offset) as usize;
        let inode = self.edit(key);
        inode.modified = now;
        inode.changed = now;
        if let Body::File(content) = &mut inode.body {
            content.dirty = true;
            // A piece between the old end and the first piece written to is never given any room.
            content.holes |= offset / ALLOCATION * ALLOCATION > size.next_multiple_of(ALLOCATION);
            let bytes = Arc::make_mut(&mut content.cached);
            if bytes.len() < end as usize {
                bytes.resize(end as usize, 0);
            }
            bytes[offset as usize..end as usize].copy_from_slice(&buffer[..written]);
            self.used = self.used - allocated + (size.max(end)).next_multiple_of(ALLOCATION);
        }
        self.log_change(|| format!("write {offset}+{written} to"), key);
        Ok(written)
    }

    /// Changes what is known about an item; moves its change time.
    pub(super) fn change(
        &mut self,
        key: Key,
        what: &'static str,
        change: impl FnOnce(&mut Inode) -> io::Result<()>,
    ) -> io::Result<()> {
        self.may_write()?;
        let now = self.now();
        let mut inode = self.get(key).clone();
        change(&mut inode)?;
        inode.changed = now;
        self.inodes[key] = Some(Arc::new(inode));
        self.log_change(|| what.into(), key);
        Ok(())
    }

    pub(super) fn set_times(&mut self, key: Key, times: Times) -> io::Result<()> {
        let modified = times.modified.map(|t| self.stored(t));
        let created = times.created.filter(|_| self.options.created).map(|t| self.stored(t));
        if modified.is_none() && created.is_none() {
            return Ok(());
        }
        self.change(key, "set times of", |inode| {
            inode.modified = modified.unwrap_or(inode.modified);
            inode.created = created.unwrap_or(inode.created);
            Ok(())
        })
    }

    pub(super) fn set_owner(&mut self, key: Key, owner: Owner) -> io::Result<()> {
        self.change(key, "set owner of", |inode| {
            // All ones means "leave it" (chown(2)).
            if owner.user != u32::MAX {
                inode.owner.user = owner.user;
            }
            if owner.group != u32::MAX {
                inode.owner.group = owner.group;
            }
            if inode.kind() == Kind::File {
                let group_may_run = inode.mode & 0o010 != 0;
                inode.mode &= if group_may_run { !0o6000 } else { !0o4000 };
            }
            Ok(())
        })
    }

    /// What a sync of one item does to the device's copy of its content.
    fn clean(&mut self, key: Key) {
        if self.get(key).content().is_some_and(|content| content.dirty)
            && let Body::File(content) = &mut self.edit(key).body
        {
            content.device = Arc::clone(&content.cached);
            content.dirty = false;
        }
    }

    pub(super) fn sync(&mut self, key: Key) {
        self.clean(key);
        self.log(|s| format!("sync {}", s.path_of(key)), Vec::new(), &[key], Some(Sync::Item(key)));
    }

    pub(super) fn sync_volume(&mut self) {
        let dirty: Vec<Key> = (0..self.inodes.len())
            .filter(|&key| {
                self.inodes[key].as_ref().and_then(|inode| inode.content()).is_some_and(|c| c.dirty)
            })
            .collect();
        dirty.iter().for_each(|&key| self.clean(key));
        self.log(|_| "sync the volume".into(), Vec::new(), &dirty, Some(Sync::Volume));
    }

    /// Whether the cache holds nothing of the file afterwards.
    pub(super) fn evict(&mut self, key: Key) -> bool {
        let Some(content) = self.get(key).content() else { return true };
        if content.dirty {
            return false;
        }
        if !Arc::ptr_eq(&content.cached, &content.device)
            && let Body::File(content) = &mut self.edit(key).body
        {
            content.cached = Arc::clone(&content.device);
        }
        true
    }

    /// Changes one bit on the device, behind the cache's back.
    pub(super) fn flip(&mut self, key: Key, offset: usize) {
        if let Body::File(content) = &mut self.edit(key).body {
            Arc::make_mut(&mut content.device)[offset] ^= 1;
        }
        self.log_change(|| format!("(a bit flips at {offset} on the device) in"), key);
    }
}
