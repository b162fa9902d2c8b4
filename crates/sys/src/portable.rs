//! A backend on the standard library alone, for systems without a native one.
//!
//! It resolves a path for every call, so it cannot promise what the native backends do against a program that swaps
//! folders for links in the same moment; it checks each time that no component became a link, and says `Unsupported`
//! for everything the standard library lacks, so evidence stays honest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    Access, Attributes, CaseRule, CreatedTime, Dir, DirRef, File, FileId, FileRef, Handle, HardLinks, Kind,
    LinkTarget, Listed, Locks, Metadata, Name, NameUnits, Place, Rename, Space, Symlinks, Time, Times,
    VolumeFacts,
};

/// Opens a folder by path.
pub fn open_root(path: &Path) -> io::Result<DirRef> {
    let dir = PortableDir { path: path.to_path_buf() };
    dir.metadata()?;
    Ok(Arc::new(dir))
}

/// Identity of whatever the path leads to.
pub fn path_identity(path: &Path) -> Option<FileId> {
    path.canonicalize().ok().map(|p| id_of_path(&p))
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

/// An identity made from the path, where the standard library offers none. Two spellings of one folder can differ.
fn id_of_path(path: &Path) -> FileId {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    FileId { volume: 0, file: hasher.finish(), file_high: 0 }
}

fn convert(path: &Path, m: &fs::Metadata) -> Metadata {
    let kind = if m.is_symlink() {
        Kind::Symlink
    } else if m.is_dir() {
        Kind::Folder
    } else if m.is_file() {
        Kind::File
    } else {
        Kind::Other
    };
    let read_only = m.permissions().readonly();
    #[cfg(windows)]
    let attributes = Attributes(std::os::windows::fs::MetadataExt::file_attributes(m));
    #[cfg(not(windows))]
    let attributes = Attributes(if read_only { 0o444 } else { 0o644 });
    let _ = read_only;
    Metadata {
        kind,
        size: m.len(),
        allocated: m.len(),
        modified: m.modified().map_or(Time::EPOCH, Time::from),
        changed: None,
        created: m.created().ok().map(Time::from),
        id: id_of_path(path),
        links: 1,
        attributes,
        owner: None,
        placeholder: false,
        protection: None,
        mounted: None,
    }
}

fn set_file_times(file: &fs::File, times: Times) -> io::Result<()> {
    let mut set = fs::FileTimes::new();
    if let Some(modified) = times.modified {
        set = set.set_modified(modified.into());
    }
    #[cfg(windows)]
    if let Some(created) = times.created {
        set = std::os::windows::fs::FileTimesExt::set_created(set, created.into());
    }
    file.set_times(set)
}

fn set_permissions(path: &Path, attributes: Attributes) -> io::Result<()> {
    let mut permissions = fs::symlink_metadata(path)?.permissions();
    permissions.set_readonly(attributes.is_read_only());
    fs::set_permissions(path, permissions)
}

#[derive(Debug)]
struct PortableDir {
    path: PathBuf,
}

impl PortableDir {
    fn at(&self, name: &Name) -> io::Result<PathBuf> {
        let meta = fs::symlink_metadata(&self.path)?;
        if !meta.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(self.path.join(name.as_os()))
    }

    fn same_backend(dir: &dyn Dir) -> io::Result<&Self> {
        dir.as_any().downcast_ref().ok_or_else(|| io::ErrorKind::CrossesDevices.into())
    }
}

macro_rules! portable_handle {
    ($type:ty, $sync:expr, $times:expr) => {
        impl Handle for $type {
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
            fn metadata(&self) -> io::Result<Metadata> {
                Ok(convert(&self.path, &fs::symlink_metadata(&self.path)?))
            }
            fn set_times(&self, times: Times) -> io::Result<()> {
                let set: fn(&Self, Times) -> io::Result<()> = $times;
                set(self, times)
            }
            fn set_attributes(&self, attributes: Attributes) -> io::Result<()> {
                set_permissions(&self.path, attributes)
            }
            fn sync(&self) -> io::Result<()> {
                let sync: fn(&Self) -> io::Result<()> = $sync;
                sync(self)
            }
        }
    };
}

portable_handle!(
    PortableDir,
    |dir| {
        // A folder cannot be opened for syncing everywhere; where it cannot, the system offers nothing better.
        match fs::File::open(&dir.path) {
            Ok(handle) => handle.sync_all(),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied && cfg!(windows) => Ok(()),
            Err(e) => Err(e),
        }
    },
    |dir, times| set_file_times(&fs::File::open(&dir.path)?, times)
);

impl Dir for PortableDir {
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            sink(Listed { name: entry?.file_name().as_encoded_bytes(), metadata: None });
        }
        Ok(())
    }

    fn stat(&self, name: &Name) -> io::Result<Metadata> {
        let path = self.at(name)?;
        Ok(convert(&path, &fs::symlink_metadata(&path)?))
    }

    fn open_dir(&self, name: &Name) -> io::Result<DirRef> {
        let dir = Self { path: self.at(name)? };
        if dir.metadata()?.kind != Kind::Folder {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Arc::new(dir))
    }

    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef> {
        if access == Access::ReadUncached {
            return unsupported();
        }
        let path = self.at(name)?;
        if convert(&path, &fs::symlink_metadata(&path)?).kind != Kind::File {
            return unsupported();
        }
        let file = fs::File::options().read(true).write(access == Access::ReadWrite).open(&path)?;
        Ok(Arc::new(PortableFile { path, file: Mutex::new(file) }))
    }

    fn create_file(&self, name: &Name) -> io::Result<FileRef> {
        let path = self.at(name)?;
        let file = fs::File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Arc::new(PortableFile { path, file: Mutex::new(file) }))
    }

    fn create_dir(&self, name: &Name) -> io::Result<()> {
        fs::create_dir(self.at(name)?)
    }

    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()> {
        match how {
            // The standard library replaces silently, and asking first would leave a gap.
            Rename::Exchange | Rename::NoReplace => unsupported(),
            Rename::Replace => fs::rename(self.at(from)?, Self::same_backend(to_dir)?.at(to)?),
        }
    }

    fn remove_file(&self, name: &Name) -> io::Result<()> {
        fs::remove_file(self.at(name)?)
    }

    fn remove_dir(&self, name: &Name) -> io::Result<()> {
        fs::remove_dir(self.at(name)?)
    }

    fn volume(&self) -> io::Result<VolumeFacts> {
        Ok(VolumeFacts {
            id: 0,
            file_system: "unknown".into(),
            place: Place::Local,
            read_only: false,
            case: if cfg!(any(windows, target_vendor = "apple")) {
                CaseRule::Insensitive
            } else {
                CaseRule::Sensitive
            },
            time_granularity_nanos: 100,
            created: if cfg!(windows) { CreatedTime::Settable } else { CreatedTime::ReadOnly },
            max_name: 255,
            name_units: if cfg!(windows) { NameUnits::Utf16 } else { NameUnits::Bytes },
            sync_volume: false,
            device_reread: false,
            uncached_reads_device: false,
            in_metadata_max_bytes: 0,
            max_file_bytes: u64::MAX,
            // They are made from paths.
            lasting_numbers: false,
        })
    }

    fn space(&self) -> io::Result<Space> {
        unsupported()
    }

    crate::has!(as_symlinks: Symlinks, as_hard_links: HardLinks);
}

/// The standard library has one call for all of Unix and two for Windows, and none for the metadata of a link.
impl Symlinks for PortableDir {
    fn create_symlink(&self, _: &Name, _: &LinkTarget) -> io::Result<()> {
        unsupported()
    }

    fn read_link(&self, name: &Name) -> io::Result<LinkTarget> {
        let text = fs::read_link(self.at(name)?)?;
        Ok(LinkTarget { text: text.as_os_str().as_encoded_bytes().to_vec(), to_folder: false })
    }

    fn set_link_times(&self, _: &Name, _: Times) -> io::Result<()> {
        unsupported()
    }
}

impl HardLinks for PortableDir {
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()> {
        fs::hard_link(self.at(from)?, Self::same_backend(to_dir)?.at(to)?)
    }
}

#[derive(Debug)]
struct PortableFile {
    path: PathBuf,
    file: Mutex<fs::File>,
}

impl PortableFile {
    fn with<T>(&self, act: impl FnOnce(&mut fs::File) -> io::Result<T>) -> io::Result<T> {
        act(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

portable_handle!(PortableFile, |file| file.with(|f| f.sync_all()), |file, times| {
    file.with(|f| set_file_times(f, times))
});

impl File for PortableFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        use io::{Read, Seek};
        self.with(|f| {
            f.seek(io::SeekFrom::Start(offset))?;
            f.read(buffer)
        })
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        use io::{Seek, Write};
        self.with(|f| {
            f.seek(io::SeekFrom::Start(offset))?;
            f.write(buffer)
        })
    }

    crate::has!(as_locks: Locks);
}

impl Locks for PortableFile {
    fn try_lock(&self) -> io::Result<bool> {
        self.with(|f| match f.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(e)) => Err(e),
        })
    }

    fn is_locked(&self) -> io::Result<bool> {
        self.with(|f| match f.try_lock_shared() {
            Ok(()) => f.unlock().map(|()| false),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(e)) => Err(e),
        })
    }
}
