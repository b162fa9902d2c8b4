//! A disk in memory that can lose power: `fcs_sys`'s traits over plain data, and every state a crash may leave.
//!
//! [`SimFs`] behaves as a Linux file system does (same errors, times, link counts), always in the same order at the
//! same time of its own clock. While it records, it keeps a log of operations; [`Recording`] takes any prefix of that
//! log, and [`CrashPoint`] enumerates what a disk may hold if the machine stops there. [`CrashState::mount`] gives
//! a new `SimFs` with just that.
//!
//! # The crash model
//!
//! It is the common denominator of what file systems promise (POSIX; ext4, XFS, Btrfs, NTFS with a journal), made as
//! harsh as that allows. A program that survives it does not lean on the habits of one file system.
//!
//! * **Names.** Each operation on names (create, mkdir, symlink, link, rename, exchange, unlink, rmdir) is atomic.
//!   That is what a journal is for. Until it is synced it may be kept or lost *whatever became of the others*, in any
//!   order: Btrfs logs per folder, soft updates write per block, and only ext4 keeps one order.
//! * **Dependency.** Keeping an operation keeps what it stands on, because no file system brings up a tree that
//!   never could have been:
//!   1. earlier operations on the same name in the same folder;
//!   2. earlier operations that gave a name to an inode it moves, removes or links (so "link, then unlink the old
//!      name" never loses both);
//!   3. the making of the folder it works in; but not that folder's later moves, since work in a folder goes by the
//!      inode;
//!   4. for the removal of a folder, everything that was done in it (it had to become empty);
//!   5. for a new inode that gets the number of a removed one, that removal;
//!   6. for a folder moved to another folder, earlier such moves (else two moves could make a ring).
//! * **Syncing a folder** makes every operation that touches it durable, with what those depend on, and the folder's
//!   own metadata. It does not make the folder's own name durable.
//! * **Syncing a file** makes its content, size and metadata durable, but no name of it. (ext4, XFS and Btrfs do
//!   more for new files; POSIX does not ask for it.)
//! * **Syncing the volume** makes everything durable that was done before.
//! * **Content that was not synced** is lost by block, of 512 bytes (sectors) or 4 KiB (pages): each block that was
//!   written holds the old bytes, the new ones, zeros (allocated, never written), garbage (the device was writing
//!   it), or is torn between new and old. The size is the old, the new, or a block boundary between. Systems write by
//!   page, so garbage may hit any sector of a page in which one byte was written, and of the last page of a file that
//!   was made longer, since the rest of that page is zeroed first (XFS). Other pages do not suffer.
//! * **Metadata that was not synced** (modified time, mode, owner, attributes) is old or new, each for itself.
//! * What has no name is gone: a file that was synced under a name that never became durable, and one that was only
//!   kept alive by a handle.
//!
//! Left out on purpose: sectors that a failing device damages although nobody writes to them (no program can promise
//! anything then), and versions of a block between two syncs other than the last (torn covers an append that was cut).
//!
//! Ids and times survive a mount; the number of the volume does not (as `st_dev` on Linux) unless told so.
//!
//! This module must not know what a run, a journal or a recovery is.

mod crash;
mod damage;
mod explore;
mod handles;
mod inode;
mod log;
mod state;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use fcs_sys::{Kind, Owner, Root, Time, Times};

pub use crash::{CrashPoint, CrashState, Recording};
pub use explore::{Budget, Explored};

use handles::Disk;
use inode::{Body, Content, Folder, Key, Label};
use log::Log;
use state::{DiskState, ROOT};

/// What the disk can and cannot do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Two names can swap their items. Off imitates FAT.
    pub exchange: bool,
    /// A folder that is exchanged between two others keeps its modified time. Off imitates XFS, where its entry `..` is
    /// written anew (`xfs_cross_rename`); a plain move leaves the time there too.
    pub exchange_keeps_times: bool,
    /// A file can have several names. Off imitates FAT.
    pub hard_links: bool,
    /// Extended attributes can be set.
    pub xattrs: bool,
    /// `sync_volume` works, and the volume's facts say so.
    pub sync_volume: bool,
    /// Nothing can be written.
    pub read_only: bool,
    /// Room for content, in bytes; `None` is no limit.
    pub limit_bytes: Option<u64>,
    /// A new item gets the lowest number that is free, as on ext4, so that ids come back. Off: each number once.
    pub reuse_numbers: bool,
    /// The volume's number.
    pub volume: u64,
    /// A mount after a crash gives the volume another number.
    pub new_volume_on_mount: bool,
    /// How far the clock goes on with each operation.
    pub tick_nanos: u64,
    /// The step in which times are stored.
    pub time_granularity_nanos: u64,
    /// Created times can be set. On imitates NTFS.
    pub created: bool,
    /// An item keeps its number. Off imitates FAT and most user-space file systems at their worst: the system drops
    /// of everything it remembers with each change, so every item has another number afterwards, and the numbers of
    /// other items come back.
    pub lasting_numbers: bool,
    /// A read past the cache comes from the device. Off imitates Linux file systems that take the flag and answer from
    /// cached pages (Btrfs, ext4 with `data=journal`).
    pub uncached_reads_device: bool,
    /// The volume says that it is case-insensitive, so that names are paired without case. It is not.
    pub ignores_case: bool,
    /// Who has every item open, as it tells when it is asked.
    pub holders: Vec<String>,
    /// What the volume calls its file system.
    pub file_system: String,
    /// The path in [`SimFs::root`]; for messages only.
    pub path: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            exchange: true,
            exchange_keeps_times: true,
            hard_links: true,
            xattrs: true,
            sync_volume: true,
            read_only: false,
            limit_bytes: None,
            reuse_numbers: false,
            created: false,
            volume: 100,
            new_volume_on_mount: true,
            tick_nanos: 1_000_000,
            time_granularity_nanos: 1,
            lasting_numbers: true,
            uncached_reads_device: false,
            ignores_case: false,
            holders: Vec::new(),
            file_system: "simfs".into(),
            path: "/sim".into(),
        }
    }
}

impl Options {
    /// A disk with neither exchange nor hard links nor attributes, and times in steps of two seconds.
    pub fn fat() -> Self {
        Self {
            exchange: false,
            hard_links: false,
            xattrs: false,
            sync_volume: false,
            time_granularity_nanos: 2_000_000_000,
            file_system: "vfat".into(),
            ..Self::default()
        }
    }
}

/// One item of [`SimFs::snapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Content; empty but for files.
    pub bytes: Arc<Vec<u8>>,
    /// Permission bits.
    pub mode: u32,
    /// Modified time.
    pub modified: Time,
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// A link's text.
    pub link: Option<Vec<u8>>,
    /// Owner and group.
    pub owner: Owner,
    /// The number in its [`fcs_sys::FileId`].
    pub number: u64,
    /// How many names it has (1 for a folder).
    pub links: u64,
}

/// A mounted simulated disk. A clone is another handle of the same disk.
#[derive(Debug, Clone)]
pub struct SimFs {
    disk: Arc<Disk>,
}

impl SimFs {
    /// An empty disk.
    pub fn new(options: Options) -> Self {
        Self::from_state(DiskState::new(options))
    }

    fn from_state(state: DiskState) -> Self {
        Self { disk: Disk::new(state) }
    }

    /// The root folder, for whatever takes a root.
    pub fn root(&self) -> Root {
        let path = self.disk.lock().options.path.clone();
        Root { dir: handles::root(&self.disk), path }
    }

    /// Writes a file, replacing what was there, and makes the folders above it. Counts as durable.
    pub fn put(&self, path: &str, bytes: &[u8], mode: u32, modified: Time) {
        let content = Arc::new(bytes.to_vec());
        let body =
            Body::File(Content { cached: Arc::clone(&content), device: content, ..Content::default() });
        let mut state = self.disk.lock();
        state.used += (bytes.len() as u64).next_multiple_of(inode::ALLOCATION);
        place(&mut state, path, mode, body);
        drop(state);
        self.set_modified(path, modified);
    }

    /// Makes a folder (mode 0755) and those above it, where missing.
    pub fn mkdir(&self, path: &str) {
        let mut state = self.disk.lock();
        folders(&mut state, path);
    }

    /// Makes a symbolic link, replacing what was there, and the folders above it.
    pub fn symlink(&self, path: &str, text: &str) {
        place(&mut self.disk.lock(), path, 0o777, Body::Link(text.as_bytes().into()));
    }

    /// Gives a file a second name.
    pub fn link(&self, path: &str, second: &str) {
        let mut state = self.disk.lock();
        let ((dir, name), (to_dir, to)) = (split(&mut state, path), split(&mut state, second));
        state.hard_link(dir, &name, to_dir, &to).expect("a hard link");
    }

    /// Sets one extended attribute.
    pub fn set_xattr(&self, path: &str, name: &[u8], value: &[u8]) {
        self.change(path, |inode| {
            Arc::make_mut(&mut inode.xattrs).insert(name.to_vec(), value.to_vec());
        });
    }

    /// Sets permission bits.
    pub fn set_mode(&self, path: &str, mode: u32) {
        self.change(path, |inode| inode.mode = mode);
    }

    /// Sets the owner.
    pub fn set_owner(&self, path: &str, owner: Owner) {
        self.change(path, |inode| inode.owner = owner);
    }

    /// Sets the modified time.
    pub fn set_modified(&self, path: &str, modified: Time) {
        let mut state = self.disk.lock();
        let key = find(&state, path).unwrap_or_else(|| panic!("no item {path}"));
        state.set_times(key, Times { modified: Some(modified), created: None }).expect("a time is set");
    }

    /// Sets the created time, where the disk can.
    pub fn set_created(&self, path: &str, created: Time) {
        let mut state = self.disk.lock();
        let key = find(&state, path).unwrap_or_else(|| panic!("no item {path}"));
        state.set_times(key, Times { modified: None, created: Some(created) }).expect("a time is set");
    }

    /// When an item was created.
    pub fn created(&self, path: &str) -> Time {
        let state = self.disk.lock();
        let key = find(&state, path).unwrap_or_else(|| panic!("no item {path}"));
        state.get(key).created
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut inode::Inode)) {
        let mut state = self.disk.lock();
        let key = find(&state, path).unwrap_or_else(|| panic!("no item {path}"));
        let done = state.change(key, "(test) change", |inode| {
            change(inode);
            Ok(())
        });
        done.expect("a change");
    }

    /// Changes the lowest bit of one byte on the device, unseen by the cache: what a later read shows depends on
    /// whether the file was evicted. Panics if the device's copy is not that long.
    pub fn flip_on_device(&self, path: &str, offset: usize) {
        let mut state = self.disk.lock();
        let key = find(&state, path).unwrap_or_else(|| panic!("no item {path}"));
        state.flip(key, offset);
    }

    /// Whether something is at a path.
    pub fn exists(&self, path: &str) -> bool {
        find(&self.disk.lock(), path).is_some()
    }

    /// A file's content as a program would read it; `None` where no file stands.
    pub fn read(&self, path: &str) -> Option<Arc<Vec<u8>>> {
        let state = self.disk.lock();
        state.get(find(&state, path)?).content().map(|content| Arc::clone(&content.cached))
    }

    /// Everything below the root, by path. Bytes of a name that are not text are escaped.
    pub fn snapshot(&self) -> BTreeMap<String, Item> {
        let state = self.disk.lock();
        let mut found = BTreeMap::new();
        collect(&state, ROOT, "", &mut found);
        found
    }

    /// Bytes of content on the disk, in whole pieces.
    pub fn used(&self) -> u64 {
        self.disk.lock().used
    }

    /// Operations so far that changed something.
    pub fn ticks(&self) -> u64 {
        self.disk.lock().ticks
    }

    /// Makes everything so far durable and begins to log. A log begun before is dropped.
    pub fn record(&self) {
        let mut state = self.disk.lock();
        state.log = None;
        state.sync_volume();
        state.log = Some(Log { base: state.inodes.clone(), entries: Vec::new() });
    }

    /// The log since [`SimFs::record`], which goes on. Panics if nothing was recorded.
    pub fn recording(&self) -> Recording {
        Recording::of(&self.disk.lock())
    }
}

/// Splits into the folder, made if missing, and the last name.
fn split(state: &mut DiskState, path: &str) -> (Key, Label) {
    let (above, name) = path.rsplit_once('/').map_or(("", path), |(above, name)| (above, name));
    (folders(state, above), name.as_bytes().into())
}

fn folders(state: &mut DiskState, path: &str) -> Key {
    let mut at = ROOT;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let body = Body::Folder(Folder { entries: Vec::new(), parent: at });
        at = match state.lookup(at, part.as_bytes()) {
            Ok(key) => key,
            Err(_) => state.create("(test) mkdir", at, part.as_bytes(), 0o755, body).expect("a folder"),
        };
    }
    at
}

fn place(state: &mut DiskState, path: &str, mode: u32, body: Body) {
    let (dir, name) = split(state, path);
    // What is not there need not go.
    let _ = state.remove(dir, &name, false);
    state.create("(test) put", dir, &name, mode, body).expect("a new item");
}

fn find(state: &DiskState, path: &str) -> Option<Key> {
    let mut at = ROOT;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        at = state.get(at).folder()?.get(part.as_bytes())?;
    }
    Some(at)
}

fn collect(state: &DiskState, dir: Key, above: &str, found: &mut BTreeMap<String, Item>) {
    let Some(folder) = state.get(dir).folder() else { return };
    for (label, key) in &folder.entries {
        let inode = state.get(*key);
        let path = format!("{above}{}", fcs_sys::escaped(label));
        if inode.is_folder() {
            collect(state, *key, &format!("{path}/"), found);
        }
        let item = Item {
            kind: inode.kind(),
            bytes: inode.content().map(|content| Arc::clone(&content.cached)).unwrap_or_default(),
            mode: inode.mode,
            modified: inode.modified,
            xattrs: (*inode.xattrs).clone(),
            link: match &inode.body {
                Body::Link(text) => Some(text.to_vec()),
                _ => None,
            },
            owner: inode.owner,
            number: inode.number,
            links: inode.links,
        };
        found.insert(path, item);
    }
}
