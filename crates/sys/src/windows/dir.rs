//! An open folder on Windows.

use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Wdk::Storage::FileSystem as nt;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;

use super::copy::{self, Copied};
use super::file::WindowsFile;
use super::name::wide;
use super::nt::{self as call, Open};
use super::volume::{self, Shared};
use super::{handle, list, rename, reparse, stream};
use crate::{
    Access, AccessCheck, CopyIn, CopyMethod, CopyOptions, Dir, DirRef, File, FileRef, HardLinks, Kind,
    LinkTarget, Listed, Metadata, Name, NativeCopy, OsReason, Rename, Space, Symlinks, Tick, Times,
    VolumeFacts, VolumeIdentity, copy_in_by_chunks, reason,
};

/// A folder held by its handle: renaming or replacing it elsewhere does not lead us astray.
#[derive(Debug)]
pub(super) struct WindowsDir {
    pub(super) handle: OwnedHandle,
    pub(super) shared: Arc<Shared>,
    /// The folder was or is being listed through its own handle. The place in the listing belongs to the handle, and
    /// whether a second listing begins with what is there now is up to the file system.
    listed: AtomicBool,
}

handle::impl_handle!(WindowsDir);

/// What a link in the place of a folder or file is reported as.
fn is_a_link() -> io::Error {
    io::Error::from_raw_os_error(f::ERROR_STOPPED_ON_SYMLINK as i32)
}

impl WindowsDir {
    /// The root of a tree.
    pub(super) fn root(handle: OwnedHandle) -> io::Result<Self> {
        let id = handle::identity(handle.as_handle())?;
        Ok(Self { handle, shared: Arc::new(Shared::new(id)), listed: AtomicBool::new(false) })
    }

    /// Hands the entries of the folder to the device, through a handle that may add some; ours need not have that
    /// right. Where the file system knows no such request (many servers), or refuses it although the right was given,
    /// nothing can be had and nothing is promised: the volume is a network's, and reports say so.
    fn flush(&self) -> io::Result<()> {
        let folder = self.handle.as_handle();
        let writable = handle::reopen(folder, fs::FILE_ADD_FILE)
            .or_else(|e| handle::reopen(folder, fs::FILE_ADD_SUBDIRECTORY).map_err(|_| e))?;
        match handle::flush(writable.as_handle()) {
            Err(e) if call::is_unknown(&e) || reason(&e) == OsReason::PermissionDenied => Ok(()),
            other => other,
        }
    }

    /// Opens one name, and again in the ordinary way if it is a reparse point that only stores its content
    /// differently: past its filter the content would be missing. What is opened then must be the same item.
    fn open(&self, name: &Name, how: Open, wanted: Kind) -> io::Result<OwnedHandle> {
        let folder = self.handle.as_handle();
        let opened = call::open_at(folder, &wide(name), how)?;
        let (attributes, tag) = handle::attributes(opened.as_handle())?;
        match reparse::kind(attributes, tag) {
            Kind::Symlink => return Err(is_a_link()),
            kind if kind == wanted => {}
            Kind::Folder => {
                return Err(io::Error::from_raw_os_error(f::ERROR_DIRECTORY_NOT_SUPPORTED as i32));
            }
            _ if wanted == Kind::Folder => {
                return Err(io::Error::from_raw_os_error(f::ERROR_DIRECTORY as i32));
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        if attributes & fs::FILE_ATTRIBUTE_REPARSE_POINT == 0 {
            return Ok(opened);
        }
        let through = call::open_at(folder, &wide(name), how.without(nt::FILE_OPEN_REPARSE_POINT))?;
        if handle::identity(through.as_handle())? == handle::identity(opened.as_handle())? {
            Ok(through)
        } else {
            Err(is_a_link())
        }
    }

    fn same_backend(dir: &dyn Dir) -> io::Result<&Self> {
        dir.as_any().downcast_ref().ok_or_else(|| io::ErrorKind::CrossesDevices.into())
    }

    /// Opens an item to look at it, whatever it is.
    fn look(&self, name: &Name, access: u32) -> io::Result<OwnedHandle> {
        Ok(call::open_at(self.handle.as_handle(), &wide(name), Open::existing(access))?)
    }
}

impl Dir for WindowsDir {
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()> {
        if !self.listed.swap(true, Ordering::Relaxed) {
            return list::list(self, self.handle.as_handle(), sink);
        }
        let another = handle::reopen(self.handle.as_handle(), fs::FILE_LIST_DIRECTORY)?;
        list::list(self, another.as_handle(), sink)
    }

    fn stat(&self, name: &Name) -> io::Result<Metadata> {
        handle::metadata(self.look(name, fs::FILE_READ_ATTRIBUTES)?.as_handle())
    }

    fn open_dir(&self, name: &Name) -> io::Result<DirRef> {
        let access = fs::FILE_LIST_DIRECTORY | fs::FILE_READ_ATTRIBUTES;
        let how = Open::existing(access).with(nt::FILE_DIRECTORY_FILE);
        let handle = self.open(name, how, Kind::Folder)?;
        Ok(Arc::new(Self { handle, shared: Arc::clone(&self.shared), listed: AtomicBool::new(false) }))
    }

    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef> {
        let settable = fs::FILE_GENERIC_READ | fs::FILE_WRITE_ATTRIBUTES;
        let how = match access {
            Access::Read => Open::existing(fs::FILE_GENERIC_READ),
            Access::ReadWrite => Open::existing(fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE),
            // Only who may write, were it at the end, may sync.
            Access::SetTimes => Open::existing(settable | fs::FILE_APPEND_DATA),
            Access::ReadUncached => {
                Open::existing(fs::FILE_GENERIC_READ).with(nt::FILE_NO_INTERMEDIATE_BUFFERING)
            }
        };
        let handle = match self.open(name, how, Kind::File) {
            // The read-only attribute keeps everybody from writing, and nobody from taking it away.
            Err(e) if access == Access::SetTimes && reason(&e) == OsReason::PermissionDenied => {
                let handle = self.open(name, Open::existing(settable), Kind::File)?;
                let is_marked = handle::metadata(handle.as_handle())?.attributes.has_read_only_attribute();
                if is_marked { handle } else { return Err(e) }
            }
            other => other?,
        };
        Ok(Arc::new(match access {
            Access::ReadUncached => WindowsFile::uncached(handle)?,
            Access::Read | Access::SetTimes | Access::ReadWrite => WindowsFile::new(handle),
        }))
    }

    fn create_file(&self, name: &Name) -> io::Result<FileRef> {
        // Nobody else may write into an unfinished copy. And because this handle may delete it, nobody can open it
        // in a way that would keep it from getting its final name, as a scanner might.
        let access = fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE | fs::DELETE;
        let how = Open::new(access, fs::FILE_ATTRIBUTE_HIDDEN)
            .share(fs::FILE_SHARE_READ | fs::FILE_SHARE_DELETE)
            .with(nt::FILE_NON_DIRECTORY_FILE);
        Ok(Arc::new(WindowsFile::new(call::open_at(self.handle.as_handle(), &wide(name), how)?)))
    }

    fn create_dir(&self, name: &Name) -> io::Result<()> {
        let how =
            Open::new(fs::FILE_READ_ATTRIBUTES, fs::FILE_ATTRIBUTE_HIDDEN).with(nt::FILE_DIRECTORY_FILE);
        call::open_at(self.handle.as_handle(), &wide(name), how)?;
        Ok(())
    }

    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()> {
        let to_dir = Self::same_backend(to_dir)?;
        rename::rename(self.handle.as_handle(), from, to_dir.handle.as_handle(), to, how)
    }

    fn remove_file(&self, name: &Name) -> io::Result<()> {
        rename::remove_file(self.handle.as_handle(), name)
    }

    fn remove_dir(&self, name: &Name) -> io::Result<()> {
        rename::remove_dir(self.handle.as_handle(), name)
    }

    fn volume(&self) -> io::Result<VolumeFacts> {
        volume::facts(self)
    }

    fn space(&self) -> io::Result<Space> {
        volume::space(self.handle.as_handle())
    }

    crate::has!(
        as_symlinks: Symlinks,
        as_hard_links: HardLinks,
        as_access_check: AccessCheck,
        as_native_copy: NativeCopy,
        as_volume_identity: VolumeIdentity,
    );

    // No `Recycle`. The Shell moves to its bin "if possible" and deletes otherwise (too large, bin off, no bin on that
    // drive). FOF_WANTNUKEWARNING asks the user first, which needs a window; whether an item will be recycled shows
    // beforehand only in TSF_DELETE_RECYCLE_IF_POSSIBLE, whose name says what it promises. So no documented flag
    // guarantees that nothing is deleted permanently, and the capability is missing.
}

impl Symlinks for WindowsDir {
    fn create_symlink(&self, name: &Name, target: &LinkTarget) -> io::Result<()> {
        reparse::create(self.handle.as_handle(), name, target)
    }

    fn read_link(&self, name: &Name) -> io::Result<LinkTarget> {
        reparse::read_link(self.handle.as_handle(), name)
    }

    fn set_link_times(&self, name: &Name, times: Times) -> io::Result<()> {
        let link = self.look(name, fs::FILE_READ_ATTRIBUTES | fs::FILE_WRITE_ATTRIBUTES)?;
        if handle::kind(link.as_handle())? != Kind::Symlink {
            return Err(io::Error::from_raw_os_error(f::ERROR_NOT_A_REPARSE_POINT as i32));
        }
        handle::set_times(link.as_handle(), times)
    }
}

impl VolumeIdentity for WindowsDir {
    fn volume_identity(&self) -> io::Result<Option<String>> {
        Ok(self.volume()?.lasting_id().map(|serial| format!("serial:{serial:016x}")))
    }
}

impl HardLinks for WindowsDir {
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()> {
        let to_dir = Self::same_backend(to_dir)?;
        rename::hard_link(self.handle.as_handle(), from, to_dir.handle.as_handle(), to)
    }
}

impl AccessCheck for WindowsDir {
    fn may_change(&self) -> io::Result<bool> {
        let asked = handle::reopen(self.handle.as_handle(), fs::FILE_ADD_FILE | fs::FILE_ADD_SUBDIRECTORY);
        match asked.map_err(|e| (reason(&e), e)) {
            Ok(_) => Ok(true),
            Err((OsReason::PermissionDenied | OsReason::ReadOnlyVolume, _)) => Ok(false),
            Err((_, e)) => Err(e),
        }
    }

    fn may_move(&self, name: &Name) -> io::Result<()> {
        rename::may_move(self.handle.as_handle(), name)
    }

    fn holders(&self, path: &std::path::Path) -> Vec<String> {
        super::holders(path)
    }
}

impl NativeCopy for WindowsDir {
    fn copy_in(
        &self,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn> {
        let shared = |handle| -> FileRef { Arc::new(WindowsFile::new(handle)) };
        if let Some(source) = source.as_any().downcast_ref::<WindowsFile>() {
            let method = CopyMethod::Kernel;
            let source = source.handle.as_handle();
            match copy::copy(self.handle.as_handle(), name, source, options, tick)? {
                Copied::Whole(file, bytes) => {
                    return Ok(CopyIn { file: Some(shared(file)), bytes, method, stopped: false });
                }
                Copied::Stopped(part, bytes) => {
                    return Ok(CopyIn { file: part.map(shared), bytes, method, stopped: true });
                }
                Copied::NotByPath => {}
            }
        }
        let file = self.create_file(name)?;
        let (bytes, stopped) = copy_in_by_chunks(&*file, source, 0, options, tick)?;
        Ok(CopyIn { file: Some(file), bytes, method: CopyMethod::Buffered, stopped })
    }
}
