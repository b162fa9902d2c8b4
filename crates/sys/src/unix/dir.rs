//! An open folder on Unix.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::{file::UnixFile, handle, retry, volume};
use crate::{
    Access, AccessCheck, CopyIn, CopyOptions, Dir, DirRef, File, FileRef, Handle, HardLinks, LinkTarget,
    Listed, Metadata, Name, NativeCopy, OsReason, Owner, Rename, Space, Symlinks, Tick, Times, VolumeFacts,
    reason,
};

/// A folder held by its descriptor: renaming or replacing it elsewhere does not lead us astray.
#[derive(Debug)]
pub(super) struct UnixDir {
    pub(super) fd: OwnedFd,
}

handle::impl_handle!(UnixDir);

impl UnixDir {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Opens one name below this folder without following a link there.
    fn open(&self, name: &Name, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        #[cfg(target_os = "linux")]
        if let Some(opened) = self.open_beneath(name, flags, mode) {
            return opened;
        }
        self.open_no_follow(name, flags, mode)
    }

    /// The kernel itself refuses links and ways out. `None` where it lacks the call (before Linux 5.6, or a sandbox
    /// that refuses what it does not know).
    #[cfg(target_os = "linux")]
    fn open_beneath(&self, name: &Name, flags: OFlags, mode: Mode) -> Option<io::Result<OwnedFd>> {
        use rustix::fs::ResolveFlags;
        use std::sync::atomic::{AtomicBool, Ordering};
        static MISSING: AtomicBool = AtomicBool::new(false);
        if MISSING.load(Ordering::Relaxed) {
            return None;
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = retry(|| rustix::fs::openat2(&self.fd, name.as_bytes(), flags, mode, resolve));
        match opened.as_ref().err().and_then(io::Error::raw_os_error) {
            Some(libc::ENOSYS) => {
                MISSING.store(true, Ordering::Relaxed);
                None
            }
            Some(libc::EPERM) => None,
            _ => Some(opened),
        }
    }

    /// A name is one component and never "..", so not following a link there is enough to stay beneath.
    fn open_no_follow(&self, name: &Name, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        retry(|| rustix::fs::openat(&self.fd, name.as_bytes(), flags, mode))
    }

    fn same_backend(dir: &dyn Dir) -> io::Result<&Self> {
        dir.as_any().downcast_ref().ok_or_else(|| io::ErrorKind::CrossesDevices.into())
    }
}

impl Dir for UnixDir {
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()> {
        // A fresh descriptor, because the read position belongs to the open file description.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry(|| rustix::fs::openat(&self.fd, c".", flags, Mode::empty()))?;
        list_entries(fd, &mut |name| {
            if name != b"." && name != b".." {
                sink(Listed { name, metadata: None });
            }
        })
    }

    fn stat(&self, name: &Name) -> io::Result<Metadata> {
        handle::metadata_at(self.fd.as_fd(), name.as_bytes())
    }

    fn open_dir(&self, name: &Name) -> io::Result<DirRef> {
        #[cfg(fcs_planted)]
        if crate::planted::FOLLOW_LINKS.load(std::sync::atomic::Ordering::SeqCst) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = retry(|| rustix::fs::openat(&self.fd, name.as_bytes(), flags, Mode::empty()))?;
            return Ok(Arc::new(Self { fd }));
        }
        let fd = self.open(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Arc::new(Self { fd }))
    }

    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef> {
        self.open_and_examine(name, access).map(|(file, _)| file)
    }

    fn open_and_examine(&self, name: &Name, access: Access) -> io::Result<(FileRef, Metadata)> {
        // Non-blocking, so that a pipe put in the file's place cannot hang us before its kind is checked.
        let mode = if access == Access::ReadWrite { OFlags::RDWR } else { OFlags::RDONLY };
        let flags = mode | OFlags::NONBLOCK | OFlags::NOCTTY;
        #[cfg(target_os = "linux")]
        let flags = if access == Access::ReadUncached { flags | OFlags::DIRECT } else { flags };
        #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
        if access == Access::ReadUncached {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let fd = self.open(name, flags, Mode::empty())?;
        #[cfg(target_vendor = "apple")]
        if access == Access::ReadUncached {
            retry(|| rustix::fs::fcntl_nocache(&fd, true))?;
        }
        let file = UnixFile::new(fd, access == Access::ReadUncached);
        let metadata = file.metadata()?;
        match metadata.kind {
            crate::Kind::File => Ok((Arc::new(file), metadata)),
            crate::Kind::Folder => Err(io::ErrorKind::IsADirectory.into()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn create_file(&self, name: &Name) -> io::Result<FileRef> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let fd = self.open(name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Arc::new(UnixFile::new(fd, false)))
    }

    fn create_dir(&self, name: &Name) -> io::Result<()> {
        retry(|| rustix::fs::mkdirat(&self.fd, name.as_bytes(), Mode::RWXU))
    }

    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()> {
        let to_dir = Self::same_backend(to_dir)?;
        let (from, to) = (from.as_bytes(), to.as_bytes());
        if how == Rename::Replace {
            return retry(|| rustix::fs::renameat(&self.fd, from, &to_dir.fd, to));
        }
        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        {
            use rustix::fs::RenameFlags;
            let flags = if how == Rename::Exchange { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            match retry(|| rustix::fs::renameat_with(&self.fd, from, &to_dir.fd, to, flags)) {
                // A file system that does not know the flag answers EINVAL (renameat2(2)).
                Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP)) => {
                    Err(io::ErrorKind::Unsupported.into())
                }
                other => other,
            }
        }
        #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
        {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn remove_file(&self, name: &Name) -> io::Result<()> {
        retry(|| rustix::fs::unlinkat(&self.fd, name.as_bytes(), AtFlags::empty()))
    }

    fn remove_dir(&self, name: &Name) -> io::Result<()> {
        retry(|| rustix::fs::unlinkat(&self.fd, name.as_bytes(), AtFlags::REMOVEDIR))
    }

    fn volume(&self) -> io::Result<VolumeFacts> {
        volume::facts(self)
    }

    fn space(&self) -> io::Result<Space> {
        volume::space(self.fd.as_fd())
    }

    crate::has!(
        as_symlinks: Symlinks,
        as_hard_links: HardLinks,
        as_access_check: AccessCheck,
        as_native_copy: NativeCopy,
    );
    #[cfg(target_os = "linux")]
    crate::has!(as_recycle: Recycle, as_volume_sync: VolumeSync, as_volume_identity: VolumeIdentity);
}

impl Symlinks for UnixDir {
    fn create_symlink(&self, name: &Name, target: &LinkTarget) -> io::Result<()> {
        retry(|| rustix::fs::symlinkat(target.text.as_slice(), &self.fd, name.as_bytes()))
    }

    fn read_link(&self, name: &Name) -> io::Result<LinkTarget> {
        let text = retry(|| rustix::fs::readlinkat(&self.fd, name.as_bytes(), Vec::new()))?;
        Ok(LinkTarget { text: text.into_bytes(), to_folder: false })
    }

    fn set_link_times(&self, name: &Name, times: Times) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        super::created::check_modified(self.fd.as_fd(), times.modified)?;
        let stamps = handle::timestamps(self.fd.as_fd(), times);
        retry(|| rustix::fs::utimensat(&self.fd, name.as_bytes(), &stamps, AtFlags::SYMLINK_NOFOLLOW))?;
        #[cfg(target_os = "linux")]
        super::created::set_at(self.fd.as_fd(), name.as_bytes(), times.created)?;
        Ok(())
    }

    fn set_link_owner(&self, name: &Name, owner: Owner) -> io::Result<()> {
        let (user, group) = handle::ids(owner);
        retry(|| rustix::fs::chownat(&self.fd, name.as_bytes(), user, group, AtFlags::SYMLINK_NOFOLLOW))
    }
}

impl HardLinks for UnixDir {
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()> {
        let to_dir = Self::same_backend(to_dir)?;
        match retry(|| {
            rustix::fs::linkat(&self.fd, from.as_bytes(), &to_dir.fd, to.as_bytes(), AtFlags::empty())
        }) {
            // "The file system does not support hard links" is EPERM (link(2)); so is a protected file, for which
            // the caller's other way fails with the true reason.
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => Err(io::ErrorKind::Unsupported.into()),
            other => other,
        }
    }
}

#[cfg(target_os = "linux")]
impl crate::Recycle for UnixDir {
    fn recycle(&self, path: &std::path::Path, name: &Name) -> io::Result<()> {
        super::recycle::recycle(self, path, name)
    }
}

impl AccessCheck for UnixDir {
    fn may_change(&self) -> io::Result<bool> {
        use rustix::fs::Access as Ask;
        let asked =
            retry(|| rustix::fs::accessat(&self.fd, c".", Ask::WRITE_OK | Ask::EXEC_OK, AtFlags::EACCESS));
        match asked.map_err(|e| (reason(&e), e)) {
            Ok(()) => Ok(true),
            Err((OsReason::PermissionDenied | OsReason::ReadOnlyVolume, _)) => Ok(false),
            Err((_, e)) => Err(e),
        }
    }
}

#[cfg(target_os = "linux")]
impl crate::VolumeSync for UnixDir {
    fn sync_volume(&self) -> io::Result<()> {
        rustix::fs::syncfs(&self.fd).map_err(Into::into)
    }
}

#[cfg(target_os = "linux")]
impl crate::VolumeIdentity for UnixDir {
    fn volume_identity(&self) -> io::Result<Option<String>> {
        Ok(super::identity::of(self.fd.as_fd(), &self.volume()?))
    }
}

impl NativeCopy for UnixDir {
    fn copy_in(
        &self,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn> {
        let fd = self.open(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, Mode::RUSR | Mode::WUSR)?;
        super::file::fill(UnixFile::new(fd, false), source, options, tick)
    }
}

#[cfg(target_os = "linux")]
fn list_entries(fd: OwnedFd, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    // 64 KiB holds about 2,000 entries a call; the kernel's own getdents buffer makes more pointless.
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut entries = rustix::fs::RawDir::new(fd, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) => sink(entry.file_name().to_bytes()),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn list_entries(fd: OwnedFd, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    for entry in rustix::fs::Dir::new(fd)? {
        sink(entry?.file_name().to_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, open_root};

    #[test]
    fn links_are_never_followed_by_either_way_of_opening() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir(tmp.path().join("outside")).unwrap();
        std::fs::write(tmp.path().join("outside/secret"), "x").unwrap();
        std::fs::create_dir(tmp.path().join("root")).unwrap();
        for (name, to) in
            [("to-folder", "../outside"), ("to-file", "../outside/secret"), ("dangling", "../made")]
        {
            std::os::unix::fs::symlink(to, tmp.path().join("root").join(name)).unwrap();
        }
        let root = open_root(&tmp.path().join("root")).unwrap();
        let bare: &UnixDir = root.dir.as_any().downcast_ref().unwrap();
        let is_link = |e: &io::Error| matches!(reason(e), OsReason::IsALink | OsReason::NotAFolder);
        let name = |n: &str| Name::new(n.as_bytes()).unwrap();

        assert!(is_link(&root.dir.open_dir(&name("to-folder")).unwrap_err()));
        assert!(is_link(&root.dir.open_file(&name("to-file"), Access::Read).unwrap_err()));
        let made = root.dir.create_file(&name("dangling")).unwrap_err();
        assert_eq!(reason(&made), OsReason::AlreadyExists);
        let folder = OFlags::RDONLY | OFlags::DIRECTORY;
        assert!(is_link(&bare.open_no_follow(&name("to-folder"), folder, Mode::empty()).unwrap_err()));
        assert!(is_link(&bare.open_no_follow(&name("to-file"), OFlags::RDONLY, Mode::empty()).unwrap_err()));
        #[cfg(target_os = "linux")]
        if let Some(beneath) = bare.open_beneath(&name("to-file"), OFlags::RDONLY, Mode::empty()) {
            assert!(is_link(&beneath.unwrap_err()));
        }

        assert_eq!(root.dir.stat(&name("to-folder")).unwrap().kind, Kind::Symlink);
        root.dir.remove_file(&name("to-folder")).unwrap();
        assert!(tmp.path().join("outside/secret").exists() && !tmp.path().join("made").exists());
    }

    #[test]
    fn a_pipe_in_a_files_place_is_refused_and_does_not_hang() {
        let tmp = tempfile::tempdir().unwrap();
        let root = open_root(tmp.path()).unwrap();
        let bare: &UnixDir = root.dir.as_any().downcast_ref().unwrap();
        #[cfg(target_os = "linux")]
        rustix::fs::mknodat(&bare.fd, "pipe", rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        #[cfg(target_os = "linux")]
        assert!(root.dir.open_file(&Name::new(*b"pipe").unwrap(), Access::Read).is_err());
        let _ = bare;
    }
}
