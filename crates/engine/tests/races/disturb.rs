//! What other programs do to a tree while the engine is at work in it, and the barrier that lets them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fcs_testkit::faulty::{Act, Call, Event, Script};

use crate::common::noise;
use crate::world::{There, World, there};

/// One call of the engine: side, call, path, and which of its sort (from 0). Unlike a plain number it does not depend
/// on how the engine's threads take turns.
pub type Key = (&'static str, Call, String, u32);

/// Calls so far: how many of each sort, and all of them in order.
type Seen = (HashMap<(&'static str, Call, String), u32>, Vec<Key>);

/// Counts calls, and lets something happen just before one of them.
#[derive(Default)]
pub struct Barrier {
    at: Option<Key>,
    act: Option<Box<dyn Fn() + Send + Sync>>,
    seen: Mutex<Seen>,
    passed: AtomicBool,
    /// From the barrier on every call fails: as near to a kill as one process can come.
    kill: bool,
}

const EIO: i32 = 5;

impl Barrier {
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    pub fn before(at: &Key, act: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { at: Some(at.clone()), act: Some(Box::new(act)), ..Self::default() })
    }

    pub fn kill_before(at: &Key) -> Arc<Self> {
        Arc::new(Self { at: Some(at.clone()), kill: true, ..Self::default() })
    }

    pub fn was_reached(&self) -> bool {
        self.passed.load(Ordering::SeqCst)
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Key> {
        self.seen.lock().unwrap().1.clone()
    }

    pub fn script(self: &Arc<Self>) -> Script {
        let barrier = Arc::clone(self);
        Arc::new(move |event| barrier.pass(event))
    }

    fn pass(&self, event: &Event<'_>) -> Act {
        let path = String::from_utf8(event.path.as_bytes().to_vec()).unwrap();
        let mut seen = self.seen.lock().unwrap();
        let nth = seen.0.entry((event.side, event.call, path.clone())).or_default();
        let key = (event.side, event.call, path, *nth);
        *nth += 1;
        let is_here = self.at.as_ref() == Some(&key);
        seen.1.push(key);
        drop(seen);
        if is_here {
            self.act.iter().for_each(|act| act());
            self.passed.store(true, Ordering::SeqCst);
        }
        if self.kill && self.was_reached() {
            return Act::Fail(EIO);
        }
        match event.call {
            // No power is lost here, and each of these would take longer than all the rest.
            Call::Sync | Call::SyncVolume | Call::Evict | Call::StartWriteback | Call::WaitWriteback => {
                Act::Lie
            }
            _ => Act::Go,
        }
    }
}

pub type Interference = fn(&Path, &Path);

fn write_over(path: &Path, bytes: &[u8], at: u64) {
    if let Ok(file) = File::options().write(true).open(path) {
        file.write_all_at(bytes, at).unwrap();
    }
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

fn size(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |meta| meta.len())
}

/// Puts a new file at a name in one go, as careful programs save.
fn replace(path: &Path, spare: &Path) {
    let new = spare.join("new");
    fs::write(&new, noise(1234, 999)).unwrap();
    let _ = fs::rename(new, path);
}

fn clear(path: &Path) {
    if there(path) != There::Nothing && !path.is_dir() {
        fs::remove_file(path).unwrap();
    }
}

/// What happens to a source file while it is copied.
pub const TO_SOURCES: [(&str, Interference); 9] = [
    ("grown", |path, _| write_over(path, b"more", size(path))),
    ("shrunk", |path, _| File::options().write(true).open(path).unwrap().set_len(10).unwrap()),
    ("rewritten", |path, _| write_over(path, &noise(size(path) as usize, 77), 0)),
    ("rewritten with its old time", |path, _| {
        let time = fs::metadata(path).unwrap().modified().unwrap();
        write_over(path, &noise(size(path) as usize, 78), 0);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }),
    ("replaced", replace),
    ("removed", |path, _| clear(path)),
    ("turned into a link", |path, _| {
        clear(path);
        symlink("/etc/hostname", path).unwrap();
    }),
    ("turned into a folder", |path, _| {
        clear(path);
        fs::create_dir(path).unwrap();
    }),
    ("marked", |path, _| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        xattr::set(path, "user.mark", b"marked").unwrap();
    }),
];

/// What happens to a target while it is replaced, made or removed. Where nothing stands, something appears.
pub const TO_TARGETS: [(&str, Interference); 6] = [
    ("edited", |path, _| {
        if let Ok(mut file) = File::options().append(true).create(true).open(path) {
            file.write_all(b"an edit").unwrap();
        }
    }),
    ("rewritten with its old time", |path, spare| {
        if !is_file(path) {
            return replace(path, spare);
        }
        let time = fs::metadata(path).unwrap().modified().unwrap();
        write_over(path, &noise(size(path) as usize, 79), 0);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }),
    ("replaced", |path, spare| {
        if path.parent().unwrap().is_dir() {
            replace(path, spare);
        }
    }),
    ("removed", |path, _| clear(path)),
    ("turned into a folder", |path, _| {
        if path.parent().unwrap().is_dir() {
            clear(path);
            fs::create_dir_all(path).unwrap();
            fs::write(path.join("mine"), "somebody's").unwrap();
        }
    }),
    ("turned into a link", |path, _| {
        clear(path);
        let _ = symlink("somebody's", path);
    }),
];

/// A folder on the way, moved aside, with a link to a folder outside at its name.
pub struct Swap {
    folder: PathBuf,
    aside: PathBuf,
    to: PathBuf,
}

impl Swap {
    pub fn of(root: &Path, folder: &str, world: &World) -> Self {
        Self { folder: root.join(folder), aside: root.join("moved aside"), to: world.outside.clone() }
    }

    pub fn make(&self) {
        // Gone with the run, or not there yet: then a link appears at its name.
        let _ = fs::rename(&self.folder, &self.aside);
        let _ = symlink(&self.to, &self.folder);
    }

    /// Puts everything where it was.
    pub fn heal(&self) {
        if there(&self.folder) == There::Link(self.to.clone()) {
            fs::remove_file(&self.folder).unwrap();
        }
        if self.aside.exists() {
            fs::rename(&self.aside, &self.folder).unwrap();
        }
    }
}
