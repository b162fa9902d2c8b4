//! The smallest backend: items in memory, and of the traits only what every backend must write.
//!
//! It shows that the core is enough, and what callers see where every capability is missing. Unlike [`sim`](crate::sim)
//! it knows no device, no power cut and no faults; like there, items live as long as a name or a handle.
//!
//! Invariant: `Handle`, `Dir` and `File` are implemented here without one of their provided methods.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use fcs_sys::{
    Access, Attributes, CaseRule, CreatedTime, Dir, DirRef, File, FileId, FileRef, Handle, Kind, Listed,
    Metadata, Name, NameUnits, Place, Rename, Root, Space, Time, Times, VolumeFacts,
};

const VOLUME: u64 = 0x6d65_6d6f_7279;
const MAX_NAME: usize = 255;

/// A new, empty tree.
pub fn root() -> Root {
    let disk = Arc::new(Disk { names: RwLock::default(), items: AtomicU64::new(1) });
    let top = disk.item(0o755, Body::Folder(BTreeMap::new()));
    Root { dir: Arc::new(MemoryDir { disk, item: top }), path: "memory".into() }
}

#[derive(Debug)]
struct Disk {
    /// Held to read while a name is looked up, to write while one changes: a rename is seen whole or not at all.
    names: RwLock<()>,
    /// How many items there were, which numbers the next.
    items: AtomicU64,
}

#[derive(Debug)]
struct Item {
    number: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    attributes: Attributes,
    modified: Time,
    changed: Time,
    /// Names: 1, or 0 once it is removed.
    links: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    File(Vec<u8>),
    Folder(BTreeMap<Name, Arc<Item>>),
}

impl Disk {
    fn item(&self, mode: u32, body: Body) -> Arc<Item> {
        let now = Time::now();
        let state = State { attributes: Attributes(mode), modified: now, changed: now, links: 1, body };
        Arc::new(Item { number: self.items.fetch_add(1, Ordering::Relaxed), state: Mutex::new(state) })
    }

    fn looking(&self) -> RwLockReadGuard<'_, ()> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changing(&self) -> RwLockWriteGuard<'_, ()> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Item {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kind(&self) -> Kind {
        self.state().kind()
    }

    fn metadata(&self) -> Metadata {
        let state = self.state();
        let size = if let Body::File(bytes) = &state.body { bytes.len() as u64 } else { 0 };
        Metadata {
            kind: state.kind(),
            size,
            allocated: size,
            modified: state.modified,
            changed: Some(state.changed),
            created: None,
            id: FileId { volume: VOLUME, file: self.number, file_high: 0 },
            links: state.links,
            attributes: state.attributes,
            owner: None,
            placeholder: false,
            protection: None,
            mounted: Some(false),
        }
    }

    /// Whether `other` is this folder or lies somewhere below it.
    fn holds(&self, other: &Self) -> bool {
        if std::ptr::eq(self, other) {
            return true;
        }
        let state = self.state();
        matches!(&state.body, Body::Folder(entries) if entries.values().any(|inner| inner.holds(other)))
    }
}

impl State {
    fn kind(&self) -> Kind {
        if matches!(self.body, Body::File(_)) { Kind::File } else { Kind::Folder }
    }

    fn entries(&mut self) -> io::Result<&mut BTreeMap<Name, Arc<Item>>> {
        match &mut self.body {
            Body::Folder(_) if self.links == 0 => Err(io::ErrorKind::NotFound.into()),
            Body::Folder(entries) => Ok(entries),
            Body::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn bytes(&mut self) -> io::Result<&mut Vec<u8>> {
        match &mut self.body {
            Body::File(bytes) => Ok(bytes),
            Body::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn touch(&mut self) {
        self.modified = Time::now();
        self.changed = self.modified;
    }
}

#[derive(Debug)]
struct MemoryDir {
    disk: Arc<Disk>,
    item: Arc<Item>,
}

#[derive(Debug)]
struct MemoryFile {
    item: Arc<Item>,
    writable: bool,
}

macro_rules! handle {
    ($type:ty) => {
        impl Handle for $type {
            fn as_any(&self) -> &dyn Any {
                self
            }
            fn metadata(&self) -> io::Result<Metadata> {
                Ok(self.item.metadata())
            }
            fn set_times(&self, times: Times) -> io::Result<()> {
                let mut state = self.item.state();
                state.modified = times.modified.unwrap_or(state.modified);
                state.changed = Time::now();
                Ok(())
            }
            fn set_attributes(&self, attributes: Attributes) -> io::Result<()> {
                let mut state = self.item.state();
                state.attributes = attributes;
                state.changed = Time::now();
                Ok(())
            }
            fn sync(&self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

handle!(MemoryDir);
handle!(MemoryFile);

impl MemoryDir {
    /// What is at a name; whoever asks holds the lock on names.
    fn at(&self, name: &Name) -> io::Result<Arc<Item>> {
        let found = self.item.state().entries()?.get(name).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn put(&self, name: &Name, item: Arc<Item>) -> io::Result<()> {
        let mut state = self.item.state();
        state.entries()?.insert(name.clone(), item);
        state.touch();
        Ok(())
    }

    fn take(&self, name: &Name) -> io::Result<()> {
        let mut state = self.item.state();
        state.entries()?.remove(name);
        state.touch();
        Ok(())
    }

    fn free(&self, name: &Name) -> io::Result<()> {
        if name.as_bytes().len() > MAX_NAME {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        match self.at(name) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.item.state().links > 0 => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn make(&self, name: &Name, mode: u32, body: Body) -> io::Result<Arc<Item>> {
        let _changing = self.disk.changing();
        self.free(name)?;
        let item = self.disk.item(mode, body);
        self.put(name, Arc::clone(&item))?;
        Ok(item)
    }

    /// Removes a name whose item is of the kind.
    fn remove(&self, name: &Name, kind: Kind) -> io::Result<()> {
        let _changing = self.disk.changing();
        let item = self.at(name)?;
        removable(&item, kind)?;
        item.state().links = 0;
        self.take(name)
    }
}

/// Whether an item may go where one of the kind is to go.
fn removable(item: &Item, kind: Kind) -> io::Result<()> {
    match (&item.state().body, kind) {
        (Body::Folder(entries), Kind::Folder) if !entries.is_empty() => {
            Err(io::ErrorKind::DirectoryNotEmpty.into())
        }
        (Body::Folder(_), Kind::Folder) | (Body::File(_), Kind::File) => Ok(()),
        (Body::Folder(_), _) => Err(io::ErrorKind::IsADirectory.into()),
        (Body::File(_), _) => Err(io::ErrorKind::NotADirectory.into()),
    }
}

impl Dir for MemoryDir {
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()> {
        // Copied first: the sink may ask this folder something.
        let names: Vec<Name> = {
            let _looking = self.disk.looking();
            self.item.state().entries()?.keys().cloned().collect()
        };
        names.iter().for_each(|name| sink(Listed { name: name.as_bytes(), metadata: None }));
        Ok(())
    }

    fn stat(&self, name: &Name) -> io::Result<Metadata> {
        let _looking = self.disk.looking();
        Ok(self.at(name)?.metadata())
    }

    fn open_dir(&self, name: &Name) -> io::Result<DirRef> {
        let _looking = self.disk.looking();
        let item = self.at(name)?;
        if item.kind() != Kind::Folder {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Arc::new(Self { disk: Arc::clone(&self.disk), item }))
    }

    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef> {
        let _looking = self.disk.looking();
        let item = self.at(name)?;
        if item.kind() != Kind::File {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if access == Access::ReadUncached {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Arc::new(MemoryFile { item, writable: access == Access::ReadWrite }))
    }

    fn create_file(&self, name: &Name) -> io::Result<FileRef> {
        let item = self.make(name, 0o600, Body::File(Vec::new()))?;
        Ok(Arc::new(MemoryFile { item, writable: true }))
    }

    fn create_dir(&self, name: &Name) -> io::Result<()> {
        self.make(name, 0o700, Body::Folder(BTreeMap::new())).map(drop)
    }

    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()> {
        let to_dir = match to_dir.as_any().downcast_ref::<Self>() {
            Some(same) if Arc::ptr_eq(&self.disk, &same.disk) => same,
            _ => return Err(io::ErrorKind::CrossesDevices.into()),
        };
        let _changing = self.disk.changing();
        let item = self.at(from)?;
        if item.holds(&to_dir.item) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match (how, to_dir.at(to)) {
            (Rename::Exchange, Ok(other)) => {
                if other.holds(&self.item) {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                to_dir.put(to, item)?;
                return self.put(from, other);
            }
            (Rename::Exchange, Err(e)) => return Err(e),
            (Rename::Replace, Ok(same)) if Arc::ptr_eq(&item, &same) => return Ok(()),
            (Rename::Replace, Ok(other)) => {
                removable(&other, item.kind())?;
                other.state().links = 0;
            }
            (Rename::Replace | Rename::NoReplace, _) => to_dir.free(to)?,
        }
        self.take(from)?;
        to_dir.put(to, item)
    }

    fn remove_file(&self, name: &Name) -> io::Result<()> {
        self.remove(name, Kind::File)
    }

    fn remove_dir(&self, name: &Name) -> io::Result<()> {
        self.remove(name, Kind::Folder)
    }

    fn volume(&self) -> io::Result<VolumeFacts> {
        Ok(VolumeFacts {
            id: VOLUME,
            file_system: "memory".into(),
            place: Place::Local,
            read_only: false,
            case: CaseRule::Sensitive,
            time_granularity_nanos: 1,
            created: CreatedTime::Absent,
            max_name: MAX_NAME,
            name_units: NameUnits::Bytes,
            sync_volume: false,
            device_reread: false,
            uncached_reads_device: false,
            in_metadata_max_bytes: 0,
            max_file_bytes: u64::MAX,
            lasting_numbers: true,
        })
    }

    fn space(&self) -> io::Result<Space> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.item.state();
        let bytes = state.bytes()?;
        let Some(rest) = usize::try_from(offset).ok().and_then(|from| bytes.get(from..)) else {
            return Ok(0);
        };
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let from = usize::try_from(offset).map_err(|_| too_large())?;
        let end = from.checked_add(buffer.len()).ok_or_else(too_large)?;
        let mut state = self.item.state();
        let bytes = state.bytes()?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[from..end].copy_from_slice(buffer);
        state.touch();
        Ok(buffer.len())
    }
}
