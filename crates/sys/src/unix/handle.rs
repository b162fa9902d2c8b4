//! What files and folders share on Unix: metadata, times, permissions, owner, extended attributes.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, Mode, Timespec, Timestamps};
use rustix::io::Errno;

#[cfg(target_os = "linux")]
use super::created;
use super::retry;
use crate::{Attributes, FileId, Kind, Metadata, Owner, Time, Times};

pub(super) fn metadata(fd: BorrowedFd<'_>) -> io::Result<Metadata> {
    #[cfg(target_os = "linux")]
    {
        statx(fd, c"", AtFlags::EMPTY_PATH).map(|metadata| created::add(fd, metadata))
    }
    #[cfg(not(target_os = "linux"))]
    {
        Ok(from_stat(&retry(|| rustix::fs::fstat(fd))?))
    }
}

pub(super) fn metadata_at(fd: BorrowedFd<'_>, name: &[u8]) -> io::Result<Metadata> {
    #[cfg(target_os = "linux")]
    {
        statx(fd, name, AtFlags::SYMLINK_NOFOLLOW).map(|metadata| created::add_at(fd, name, metadata))
    }
    #[cfg(not(target_os = "linux"))]
    {
        Ok(from_stat(&retry(|| rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW))?))
    }
}

#[cfg(target_os = "linux")]
fn statx<P: rustix::path::Arg + Copy>(fd: BorrowedFd<'_>, path: P, flags: AtFlags) -> io::Result<Metadata> {
    use rustix::fs::StatxFlags;
    // No automount: looking at a tree must not mount things.
    let flags = flags | AtFlags::NO_AUTOMOUNT;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let s = retry(|| rustix::fs::statx(fd, path, flags, wanted))?;
    let time = |t: rustix::fs::StatxTimestamp| Time::new(t.tv_sec, t.tv_nsec);
    let has_created = s.stx_mask & StatxFlags::BTIME.bits() != 0;
    Ok(Metadata {
        kind: kind(u32::from(s.stx_mode)),
        size: s.stx_size,
        allocated: s.stx_blocks.saturating_mul(512),
        modified: time(s.stx_mtime),
        changed: Some(time(s.stx_ctime)),
        created: has_created.then(|| time(s.stx_btime)),
        id: FileId {
            volume: rustix::fs::makedev(s.stx_dev_major, s.stx_dev_minor),
            file: s.stx_ino,
            file_high: 0,
        },
        links: u64::from(s.stx_nlink),
        attributes: Attributes(u32::from(s.stx_mode) & 0o7777),
        owner: Some(Owner { user: s.stx_uid, group: s.stx_gid }),
        placeholder: false,
        protection: protection(s.stx_attributes),
        mounted: mounted(&s),
    })
}

/// What the answer says of protecting flags. They come with it whatever was asked for (statx(2)), and file systems
/// without them leave the bits clear.
#[cfg(target_os = "linux")]
fn protection(attributes: rustix::fs::StatxAttributes) -> Option<crate::Protection> {
    use rustix::fs::StatxAttributes as A;
    if attributes.contains(A::IMMUTABLE) {
        Some(crate::Protection::Immutable)
    } else if attributes.contains(A::APPEND) {
        Some(crate::Protection::AppendOnly)
    } else {
        None
    }
}

/// Linux 5.8 and newer tell it of the root of every mount, a bind mount within one volume too.
#[cfg(target_os = "linux")]
fn mounted(s: &rustix::fs::Statx) -> Option<bool> {
    const MOUNT_ROOT: u64 = 0x2000; // STATX_ATTR_MOUNT_ROOT, include/uapi/linux/stat.h
    (s.stx_attributes_mask.bits() & MOUNT_ROOT != 0).then(|| s.stx_attributes.bits() & MOUNT_ROOT != 0)
}

#[cfg(not(target_os = "linux"))]
fn from_stat(s: &rustix::fs::Stat) -> Metadata {
    Metadata {
        kind: kind(u32::from(s.st_mode)),
        size: s.st_size as u64,
        allocated: (s.st_blocks as u64).saturating_mul(512),
        modified: Time::new(s.st_mtime as i64, s.st_mtime_nsec as u32),
        changed: Some(Time::new(s.st_ctime as i64, s.st_ctime_nsec as u32)),
        #[cfg(target_vendor = "apple")]
        created: Some(Time::new(s.st_birthtime as i64, s.st_birthtime_nsec as u32)),
        #[cfg(not(target_vendor = "apple"))]
        created: None,
        id: FileId { volume: s.st_dev as u64, file: s.st_ino as u64, file_high: 0 },
        links: s.st_nlink as u64,
        attributes: Attributes(u32::from(s.st_mode) & 0o7777),
        owner: Some(Owner { user: s.st_uid, group: s.st_gid }),
        placeholder: false,
        protection: None,
        mounted: None,
    }
}

fn kind(mode: u32) -> Kind {
    use rustix::fs::FileType as T;
    match T::from_raw_mode(mode as rustix::fs::RawMode) {
        T::RegularFile => Kind::File,
        T::Directory => Kind::Folder,
        T::Symlink => Kind::Symlink,
        _ => Kind::Other,
    }
}

/// Set once a volume was seen that a user-space program serves; before, no call asks whether it works on one.
#[cfg(target_os = "linux")]
static USER_SPACE_SEEN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Tells that there are volumes served by a user-space program.
#[cfg(target_os = "linux")]
pub(super) fn note_user_space() {
    USER_SPACE_SEEN.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Whether a request must give the access time too. A program built with version 2 of libfuse (exfat-fuse, and others
/// that did not set `flag_utime_omit_ok`) is not even asked when only one of the two is to be set, and the call says
/// that all went well.
fn wants_both(fd: BorrowedFd<'_>) -> bool {
    #[cfg(target_os = "linux")]
    {
        const FUSE: u64 = 0x6573_5546;
        USER_SPACE_SEEN.load(std::sync::atomic::Ordering::Relaxed)
            && rustix::fs::fstatfs(fd).is_ok_and(|fs| fs.f_type as u64 & 0xffff_ffff == FUSE)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = fd;
        false
    }
}

/// Times in the form the `utimensat` family takes, for an item on the volume of `fd`; a time not given is left alone.
/// So is the access time, except where the modified one could not be set without it.
pub(super) fn timestamps(fd: BorrowedFd<'_>, times: Times) -> Timestamps {
    let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let leave = if times.modified.is_some() && wants_both(fd) {
        let now = Time::now();
        Timespec { tv_sec: now.seconds(), tv_nsec: now.nanos().into() }
    } else {
        omit
    };
    let modified =
        times.modified.map_or(omit, |t| Timespec { tv_sec: t.seconds(), tv_nsec: t.nanos().into() });
    Timestamps { last_access: leave, last_modification: modified }
}

pub(super) fn set_times(fd: BorrowedFd<'_>, times: Times) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    created::check_modified(fd, times.modified)?;
    retry(|| rustix::fs::futimens(fd, &timestamps(fd, times)))?;
    #[cfg(target_os = "linux")]
    created::set(fd, times.created)?;
    Ok(())
}

pub(super) fn set_attributes(fd: BorrowedFd<'_>, attributes: Attributes) -> io::Result<()> {
    retry(|| rustix::fs::fchmod(fd, Mode::from_bits_truncate(attributes.0 as rustix::fs::RawMode)))
}

pub(super) fn set_owner(fd: BorrowedFd<'_>, owner: Owner) -> io::Result<()> {
    let (user, group) = ids(owner);
    retry(|| rustix::fs::fchown(fd, user, group))
}

pub(super) fn ids(owner: Owner) -> (Option<rustix::fs::Uid>, Option<rustix::fs::Gid>) {
    // An id of all ones means "leave it" to the system and never names a user.
    let user = (owner.user != u32::MAX).then(|| rustix::fs::Uid::from_raw(owner.user));
    let group = (owner.group != u32::MAX).then(|| rustix::fs::Gid::from_raw(owner.group));
    (user, group)
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
mod xattr {
    use super::{BorrowedFd, io};
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
    use rustix::io::Errno;

    /// Tries ever larger buffers: most files have no attributes at all, which the first answers, and asking for the
    /// size first would leave a gap in which it can change.
    fn read_all(mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Vec<u8>> {
        // Linux holds at most 64 KiB; macOS keeps resource forks of any size here.
        const SIZES: [usize; 4] = [256, 64 << 10, 1 << 20, 64 << 20];
        let mut sizes = SIZES.into_iter();
        let mut buffer = vec![0; sizes.next().unwrap_or(256)];
        loop {
            match call(&mut buffer) {
                Ok(n) => {
                    buffer.truncate(n);
                    return Ok(buffer);
                }
                Err(Errno::INTR) => {}
                Err(Errno::RANGE) => match sizes.next() {
                    Some(size) => buffer.resize(size, 0),
                    None => return Err(Errno::RANGE.into()),
                },
                Err(e) => return Err(e.into()),
            }
        }
    }

    pub(in crate::unix) fn list(fd: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
        match read_all(|buffer| flistxattr(fd, buffer)) {
            Ok(names) => Ok(names.split(|&b| b == 0).filter(|n| !n.is_empty()).map(<[u8]>::to_vec).collect()),
            Err(e) if crate::reason(&e) == crate::OsReason::Unsupported => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    pub(in crate::unix) fn get(fd: BorrowedFd<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
        read_all(|buffer| fgetxattr(fd, name, buffer))
    }

    pub(in crate::unix) fn set(fd: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> io::Result<()> {
        super::retry(|| fsetxattr(fd, name, value, XattrFlags::empty()))
    }

    pub(in crate::unix) fn remove(fd: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
        super::retry(|| fremovexattr(fd, name))
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
pub(super) use xattr::{get as xattr_get, list as xattr_list, remove as xattr_remove, set as xattr_set};

/// The answer to a sync. Some file systems that programs and servers provide cannot sync a folder and say "invalid" or
/// "not supported": then there is nothing more that could be asked for, and no data that could be lost by it. For a file
/// it stays an error.
pub(super) fn synced(fd: BorrowedFd<'_>, answer: Result<(), Errno>) -> io::Result<()> {
    match answer {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
            if rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()) =>
        {
            Ok(())
        }
        answer => answer.map_err(Into::into),
    }
}

/// Implements [`crate::Handle`] and its capabilities for a type with a field `fd`.
macro_rules! impl_handle {
    ($type:ty) => {
        impl crate::Handle for $type {
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
            fn metadata(&self) -> io::Result<Metadata> {
                handle::metadata(self.fd.as_fd())
            }
            fn set_times(&self, times: crate::Times) -> io::Result<()> {
                handle::set_times(self.fd.as_fd(), times)
            }
            fn set_attributes(&self, attributes: crate::Attributes) -> io::Result<()> {
                handle::set_attributes(self.fd.as_fd(), attributes)
            }
            fn sync(&self) -> io::Result<()> {
                // Not repeated after an error: the kernel may drop the pages it failed to write, and a second call
                // would then report success for lost data (fsync(2), "fsyncgate").
                handle::synced(self.fd.as_fd(), rustix::fs::fsync(&self.fd))
            }
            #[cfg(any(target_os = "linux", target_vendor = "apple"))]
            crate::has!(as_xattrs: Xattrs);
            crate::has!(as_owners: Owners);
        }

        impl crate::Owners for $type {
            fn set_owner(&self, owner: crate::Owner) -> io::Result<()> {
                handle::set_owner(self.fd.as_fd(), owner)
            }
        }

        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        impl crate::Xattrs for $type {
            fn xattrs(&self) -> io::Result<Vec<Vec<u8>>> {
                handle::xattr_list(self.fd.as_fd())
            }
            fn xattr(&self, name: &[u8]) -> io::Result<Vec<u8>> {
                handle::xattr_get(self.fd.as_fd(), name)
            }
            fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
                handle::xattr_set(self.fd.as_fd(), name, value)
            }
            fn remove_xattr(&self, name: &[u8]) -> io::Result<()> {
                handle::xattr_remove(self.fd.as_fd(), name)
            }
        }
    };
}

pub(super) use impl_handle;
